"""Training the convolutional networks while one watches."""

from __future__ import annotations

import html
import os
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import ipywidgets as widgets

from overparam_edu.experiments.convnet import NETWORKS, WIDTHS, ConvnetTraining
from overparam_edu.experiments.convnet_runs import ConvnetRuns, blocks, split_digits
from overparam_edu.experiments.digits import INSTALL, load_digits
from overparam_edu.views.player import Player
from overparam_edu.views.scene import Scene

Draw = Callable[..., Scene]

SMALL = (8, 16, 512)
# Seconds between two drawings of the growing curves, and between two savings of the networks.
_PAUSE = 0.4
_SAVED_EVERY = 30.0


def missing_packages() -> list[str]:
    """Return which of the packages that training needs are not installed."""
    return [name for name in ("torch", "mlxtend") if find_spec(name) is None]


class LiveTraining(widgets.VBox):  # type: ignore[misc]
    """Three networks trained side by side, with curves that grow, and a Stop button.

    Training happens in a thread of its own, so that the buttons work meanwhile. Train goes on
    where Stop has stopped, unless a control was changed.

    Parameters
    ----------
    draw : callable
        From `ConvnetRuns` and the keyword ``top`` to a `Scene`.
    checkpoints : str or path, optional
        A folder, made if it is missing, to keep the networks in: training goes on from there even
        after the kernel has been restarted.

    Attributes
    ----------
    train, stop : ipywidgets.Button
    size, steps, seed : ipywidgets.ToggleButtons, ipywidgets.Dropdown, ipywidgets.Dropdown
    player : Player or None
        The curves, once there are some.
    """

    def __init__(self, draw: Draw, *, checkpoints: str | os.PathLike[str] | None = None) -> None:
        self._draw = draw
        self._folder = None if checkpoints is None else Path(checkpoints)
        self._key: tuple[object, ...] | None = None
        self._trainings: list[ConvnetTraining] = []
        self._thread: threading.Thread | None = None
        self._halt = threading.Event()
        self.player: Player | None = None
        words = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        self.size = widgets.ToggleButtons(
            options=[("small", SMALL), ("the talk's", WIDTHS)], description="network", **words
        )
        self.size.style.button_width = "auto"
        self.steps = widgets.Dropdown(
            options=[100, 300, 1000, 8600], value=300, description="iterations", **words
        )
        self.seed = widgets.Dropdown(options=range(10), description="seed", **words)
        self.train = widgets.Button(description="Train live", icon="play")
        self.stop = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.train.on_click(lambda _: self.start())
        self.stop.on_click(lambda _: self._halt.set())
        self._message = widgets.HTML().add_class("overparam-message")
        controls = [self.size, self.steps, self.seed, self.train, self.stop]
        row = widgets.HBox(controls).add_class("overparam-controls")
        row.layout = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 20px")
        self._above = [row, self._message]
        super().__init__(self._above)
        if missing := missing_packages():
            for control in controls:
                control.disabled = True
            self._say(f"Training live needs {' and '.join(missing)}: {INSTALL}")
        else:
            self._say("Trains the three networks here, one step of each in turn.")

    def start(self) -> None:
        """Train in a thread; nothing happens if it is running already."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._halt.clear()
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.
        """
        if self._thread is not None:
            self._thread.join(timeout)

    def close(self) -> None:
        """Stop training and close the widget."""
        self._halt.set()
        super().close()

    def run(self) -> None:
        """Train here and now, until all steps are taken or Stop is pressed."""
        self.train.disabled, self.stop.disabled = True, False
        try:
            self._train()
        except Exception as problem:  # a thread has nobody else to tell
            self._say(f"Training ended with an error: {problem}")
        finally:
            self.train.disabled, self.stop.disabled = False, True

    def _train(self) -> None:
        steps = self.steps.value
        self._prepare((self.size.value, steps, self.seed.value))
        drawn, saved = 0.0, time.monotonic()
        while (done := self._done()) < steps and not self._halt.is_set():
            for training in self._trainings:
                if len(training.records) == done:  # files may be of different ages
                    training.advance()
            if time.monotonic() - drawn > _PAUSE:
                self._show(steps)
                self._say(f"Training: {done + 1} of {steps} iterations.")
                drawn = time.monotonic()
            if time.monotonic() - saved > _SAVED_EVERY:
                self._save()
                saved = time.monotonic()
        self._save()
        self._show(steps)
        if done < steps:
            self._say(f"Stopped after {done} of {steps} iterations; Train live goes on from there.")
            return
        self._say("Testing on 1,000 other digits …")
        errors = (f"{training.error(self._test):.1%}" for training in self._trainings)
        self._say(f"Done. Misread of 1,000 other digits: {', '.join(errors)}.")

    def _done(self) -> int:
        """Return how many steps all networks have taken."""
        return min(len(training.records) for training in self._trainings)

    def _prepare(self, key: tuple[object, ...]) -> None:
        """Make new networks, unless those that were stopped are to go on."""
        finished = self._trainings and self._done() >= self.steps.value
        if key == self._key and not finished:
            return
        self._say("Loading the digits …")
        train, self._test = split_digits(load_digits())
        self._trainings = [
            ConvnetTraining(train, network=name, seed=self.seed.value, widths=self.size.value)
            for name in NETWORKS
        ]
        for training in self._trainings:
            if self._folder is not None and self._checkpoint(training).exists():
                training.load(self._checkpoint(training))
        self._key = key

    def _checkpoint(self, training: ConvnetTraining) -> Path:
        """Return the file of a network, in the folder for all."""
        size = "-".join(map(str, training.widths))
        return Path(self._folder or "") / f"{training.network}-{size}-seed-{training.seed}.pt"

    def _save(self) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for training in self._trainings:
            training.save(self._checkpoint(training))

    def _show(self, steps: int) -> None:
        records = [training.records for training in self._trainings]
        if not all(records):
            return
        runs = blocks(records, networks=NETWORKS, seeds=(self.seed.value,), steps=steps)
        scene = self._draw(runs, top=_highest(runs))
        if self.player is None:
            self.player = Player(scene)
            self.children = [*self._above, self.player]
        else:
            self.player.show(scene)

    def _say(self, text: str) -> None:
        self._message.value = f'<span role="status">{html.escape(text)}</span>'


def _highest(runs: ConvnetRuns) -> float:
    """Return an upper end for the loss axis that holds from the first iteration on."""
    return 1.3 * float(runs.first[..., 0, :].sum(axis=-1).max())
