"""The talk's convolutional network: `explore_convnet` and `plot_convnet`."""

from __future__ import annotations

import html
import os
import threading
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, instance
from overparam_edu.experiments.convnet import (
    NETWORKS,
    WIDTHS,
    ConvnetRuns,
    ConvnetTraining,
    block_means,
    recorded_convnet,
    split_digits,
)
from overparam_edu.experiments.datasets import INSTALL, load_digits
from overparam_edu.explorers.plots import band_traces, log_axis, round_step
from overparam_edu.player.player import Player
from overparam_edu.player.saving import Saves
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import BLUE, GREY, TEMPLATE, VERMILLION, key

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
        runs = block_means(records, networks=NETWORKS, seeds=(self.seed.value,), steps=steps)
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


# Iterations that have a stop of their own on the slider.
_STOPS = 60
_TERMS = {"total": "total loss", "data": "data term", "decay": "weight decay"}
_BAND = "all: mean and range"
# By network: what it is called, colour, dash.
_LOOK = {
    "original": ("original", GREY, "dash"),
    "factors": ("extra matrices", VERMILLION, "solid"),
    "product": ("extra matrices with decay on their product", BLUE, "dot"),
}


class ConvnetExplorer(Saves, widgets.VBox):  # type: ignore[misc]
    """Recorded runs above a place to train.

    Parameters
    ----------
    checkpoints : str or path, optional
        As in `explore_convnet`.

    Attributes
    ----------
    player : Player
        Shows the recorded runs.
    live : LiveTraining
    """

    def __init__(self, *, checkpoints: str | os.PathLike[str] | None = None) -> None:
        self.player = Player(convnet_scene(recorded_convnet()))
        self.live = LiveTraining(convnet_scene, checkpoints=checkpoints)
        super().__init__([self.player, self.live])


def explore_convnet(*, checkpoints: str | os.PathLike[str] | None = None) -> ConvnetExplorer:
    """Return the talk's convolutional network as a widget: recorded, and trained live.

    Loss of a batch against iteration for the original network (grey, dashed) and for the one with
    a 512x512 and a 10x10 matrix more, with weight decay on each matrix (orange) or on their
    products (blue, dotted); the band is the range over seeds. Which term of the loss, which seed,
    the axis and the iteration move in the browser. The second part trains while one watches, where
    PyTorch is installed (talk, "experiments"; paper, section 8).

    Parameters
    ----------
    checkpoints : str or path, optional
        A folder, made if it is missing, to keep the networks in that are trained live: training
        goes on from there even after the kernel has been restarted.

    Returns
    -------
    ConvnetExplorer

    Examples
    --------
    >>> explorer = explore_convnet()
    >>> explorer.player.move(term=1)
    """
    return ConvnetExplorer(checkpoints=checkpoints)


def convnet_scene(runs: ConvnetRuns, *, top: float | None = None) -> Scene:
    """Return the scene of runs side by side.

    Parameters
    ----------
    runs : ConvnetRuns
        Complete or not: curves end where the numbers do.
    top : float, optional
        Upper end of the loss axis, if it shall not depend on the numbers.

    Returns
    -------
    Scene
    """
    ends = _ends(len(runs.steps))
    stops = np.concatenate([[0], runs.steps[ends]])
    drawn = np.stack([_at_stops(runs, term, ends) for term in _TERMS])
    with_band = len(runs.seeds) > 1
    seed = [Axis("seed", "seed", [_BAND, *map(str, runs.seeds)])] if with_band else []
    axes = [
        Axis("term", "show", list(_TERMS.values())),
        *seed,
        Axis("scale", "loss axis", ["logarithmic", "linear"]),
        Axis("step", "iteration", stops, start=len(stops) - 1, play=True),
    ]
    follow = ["term", "seed", "step"] if with_band else ["term", "step"]
    tracks, lines = [], []
    for network in range(len(runs.networks)):
        curves = _curves(drawn[:, network])
        lines.append(curves[-1])
        for part, values in enumerate(curves):
            trace = 3 * network + part
            tracks.append(Track(trace, "x", stops, ["step"], trail="step"))
            tracks.append(Track(trace, "y", values, follow, trail="step"))
    looks = [_LOOK[network][1:] for network in runs.networks]
    figure = go.Figure([trace for look in looks for trace in band_traces(*look)])
    figure.update_layout(template=TEMPLATE, height=430, showlegend=False, margin=_MARGIN)
    figure.update_xaxes(title="iteration", range=[0, float(stops[-1])])
    figure.update_yaxes(title="loss of a batch", exponentformat="power")
    figure.add_annotation(text=_KEY, y=1.02, **_KEY_PLACE)
    tracks += _axis_tracks(drawn, top)
    reading = _reading(runs.networks, stops, lines, follow)
    return Scene(figure, axes, tracks, reading, alt=_ALT, narrow=_NARROW)


def plot_convnet(runs: ConvnetRuns | None = None) -> go.Figure:
    """Plot both terms of the loss against iteration, side by side.

    Parameters
    ----------
    runs : ConvnetRuns, optional
        By default the recorded ones.

    Returns
    -------
    plotly.graph_objects.Figure
        Means over seeds, with their range as a band.

    Raises
    ------
    TypeError
        If `runs` is something else.

    Examples
    --------
    >>> [title.text for title in plot_convnet().layout.annotations[:2]]
    ['data term', 'weight decay']
    """
    runs = recorded_convnet() if runs is None else runs
    instance("runs", runs, ConvnetRuns)
    ends = _ends(len(runs.steps))
    stops = np.concatenate([[0], runs.steps[ends]])
    shown = {term: title for term, title in _TERMS.items() if term != "total"}
    figure = make_subplots(cols=2, subplot_titles=list(shown.values()), horizontal_spacing=0.1)
    for column, term in enumerate(shown, start=1):
        values = _at_stops(runs, term, ends)
        for network, name in enumerate(runs.networks):
            edges = [curve.reshape(-1, len(stops))[0] for curve in _curves(values[[network]])]
            for trace, edge in zip(band_traces(*_LOOK[name][1:]), edges, strict=True):
                figure.add_trace(trace.update(x=stops, y=edge), row=1, col=column)
        axis = log_axis(values, below=1e-9, above=1e9)
        axis["dtick"] = _log_ticks(axis)
        figure.update_yaxes(**axis, row=1, col=column)
        figure.update_xaxes(title="iteration", range=[0, stops[-1]], row=1, col=column)
    figure.update_annotations(font_size=20)
    figure.add_annotation(text=_KEY, y=1.12, **_KEY_PLACE)
    figure.update_layout(template=TEMPLATE, height=430, showlegend=False)
    figure.update_layout(margin=_MARGIN | {"t": 84})
    return figure


_ALT = (
    "Loss of a batch against iteration on MNIST, for the original network and for the network with "
    "extra dense matrices, with weight decay on each matrix or on their products."
)
_MARGIN = {"l": 92, "t": 40, "b": 56, "r": 24}
_KEY_PLACE: dict[str, Any] = {
    "x": 0,
    "xref": "paper",
    "yref": "paper",
    "xanchor": "left",
    "yanchor": "bottom",
    "showarrow": False,
    "align": "left",
    "font": {"size": 16},
}
_NARROW: Mapping[str, Any] = {"font.size": 14, "annotations[0].font.size": 12}


_KEY = (
    key(("┅", "original", GREY))
    + "   with extra matrices:   "
    + key(("━", "decay on each", VERMILLION), ("┉", "decay on their product", BLUE))
)


def _ends(blocks: int) -> np.ndarray:
    """Return the blocks that a stop comes after: close together at first, where losses fall."""
    return np.unique(np.round((blocks - 1) * np.linspace(0, 1, _STOPS) ** 2).astype(int))


def _at_stops(runs: ConvnetRuns, term: str, ends: np.ndarray) -> Array:
    """Return the loss of the first batch, and then means since the stop before.

    Returns
    -------
    ndarray, shape (networks, seeds, 1 + stops)
    """
    values = runs.term(term)
    begins = np.concatenate([[0], ends[:-1] + 1])
    means = np.add.reduceat(values, begins, axis=-1) / (ends + 1 - begins)
    data, decay = runs.first[..., 0, 0], runs.first[..., 0, 1]
    first = {"total": data + decay, "data": data, "decay": decay}[term]
    both: Array = np.concatenate([first[..., None], means], axis=-1)
    return both


def _curves(values: Array) -> list[Array]:
    """Return lower edge, upper edge and line: for the band, and then for each seed alone.

    Parameters
    ----------
    values : ndarray, shape (terms, seeds, stops)

    Returns
    -------
    list of ndarray, shape (terms, 1 + seeds, stops), or (terms, stops) if there is one seed
    """
    if values.shape[1] == 1:
        return [values[:, 0]] * 3
    band = values.min(axis=1), values.max(axis=1), values.mean(axis=1)
    return [np.concatenate([edge[:, None], values], axis=1) for edge in band]


def _axis_tracks(drawn: Array, top: float | None) -> list[Track]:
    """Return what the loss axis does: it depends on the term and the scale, never on the step."""
    ranges, ticks = [], []
    for values in drawn:
        high = float(np.nanmax(values)) if top is None else top
        low = float(np.nanmin(values)) if top is None else _LOWEST_LIVE
        # The logarithm of a term that has all but gone would squeeze the others.
        logs = log_axis([max(low, high / 1e4), high], below=1e-300, above=1e300)
        ranges.append([logs["range"], [0.0, 1.05 * high]])
        ticks.append([_log_ticks(logs), f"{round_step(high / 4):g}"])
    return [
        Track(None, "yaxis.type", ["log", "linear"], ["scale"]),
        Track(None, "yaxis.range", ranges, ["term", "scale"]),
        Track(None, "yaxis.dtick", ticks, ["term", "scale"]),
    ]


def _log_ticks(axis: Mapping[str, Any]) -> str:
    """Return Plotly's ``dtick``: at 1, 2 and 5 where there are few decades."""
    low, high = axis["range"]
    return "D2" if high - low < 2 else f"{axis['dtick']}"


# Lower end of the logarithmic axis for runs whose numbers are not known yet.
_LOWEST_LIVE = 1e-2


def _reading(
    networks: tuple[str, ...], stops: np.ndarray, lines: list[Array], follow: list[str]
) -> Reading:
    """Return a sentence that, where a run has not arrived yet, stays at the last that is known."""
    last = np.maximum.accumulate(np.where(np.isfinite(lines[-1]), np.arange(len(stops)), 0), -1)
    fields: dict[str, tuple[Array, list[str]]] = {"seen": (stops[last], follow)}
    for name, line in zip(networks, lines, strict=True):
        fields[name] = np.take_along_axis(line, last, axis=-1), follow
    said = "; ".join(f"{_LOOK[name][0]} {{{name}}}" for name in networks)
    return Reading(f"Iteration {{seen}}, {{term}}: {said}.", fields)
