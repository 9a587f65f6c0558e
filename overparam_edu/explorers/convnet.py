"""The talk's convolutional network, recorded and trained live: `explore_convnet`."""

from __future__ import annotations

import html
import os
import threading
import time
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
    RATE,
    WIDTHS,
    ConvnetRuns,
    ConvnetTraining,
    block_means,
    recorded_convnet,
    split_digits,
)
from overparam_edu.experiments.datasets import INSTALL, load_digits
from overparam_edu.explorers.plots import (
    band_traces,
    line_tracks,
    log_axis,
    record_stops,
    round_step,
)
from overparam_edu.player.player import Player, Saves
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import GREY, PINK, TEMPLATE, VERMILLION, heading, key

_TERMS = ("total loss", "data term", "weight decay")
# For each network what it is called, its colour and its dash.
_LOOK = {
    "original": ("original", GREY, "dash"),
    "factors": ("decay on each", VERMILLION, "solid"),
    "product": ("decay on their product", PINK, "dot"),
}
_EXTRA = key(("━", "decay on each", VERMILLION), ("┉", "decay on their product", PINK))
_KEY = f"{key(('┅', 'original', GREY))}   with extra matrices:   {_EXTRA}"
_NARROW_KEY = f"{key(('┅', 'original', GREY))}   with extra matrices:<br>{_EXTRA}".replace(
    "   <span", "<br><span"
)
_MARGIN = {"l": 92, "t": 40, "b": 56, "r": 24}
# Lower end of the logarithmic axis for runs whose numbers are not known yet.
_LOWEST_LIVE = 1e-2

# The smaller network that can be trained live.
SMALL = (8, 16, 512)
# Seconds between two drawings of the growing curves, and between two savings of the networks.
_PAUSE, _SAVED_EVERY = 0.4, 30.0


def explore_convnet(*, checkpoints: str | os.PathLike[str] | None = None) -> ConvnetExplorer:
    """Return the talk's convolutional network as a widget: recorded, and trained live.

    Loss of a batch against iteration for the original network (grey, dashed) and for the one with
    a 512x512 and a 10x10 matrix more, with weight decay on each matrix (orange) or on their
    products (pink, dotted); the band is the range over seeds. Which term of the loss, which
    learning rate (one for all, or each network's best), which seed, the axis and the iteration move
    in the browser. The second part trains on 4,000 digits while one watches, where PyTorch is
    installed (talk, "experiments"; paper, section 8).

    Parameters
    ----------
    checkpoints : str or path, optional
        A folder, made if it is missing, to keep the networks in that are trained live: training
        goes on from there even after the kernel has been restarted.

    Returns
    -------
    ConvnetExplorer
    """
    return ConvnetExplorer(checkpoints)


class ConvnetExplorer(Saves, widgets.VBox):  # type: ignore[misc]
    """Recorded runs in a `player`, above a place to train, `live`."""

    def __init__(self, checkpoints: str | os.PathLike[str] | None = None) -> None:
        self.player = Player(convnet_scene(recorded_convnet()))
        self.live = LiveTraining(checkpoints)
        super().__init__([self.player, self.live])


def convnet_scene(runs: ConvnetRuns, *, top: float | None = None) -> Scene:
    """Return the scene of runs, complete or not; `top` fixes the upper end of the loss axis."""
    stops, losses = _at_stops(runs)
    rates, picks = _choices(runs)
    losses = losses[np.arange(len(_TERMS))[:, None, None], picks, np.arange(len(runs.networks))]
    # The band over all seeds and then each alone: (terms, choices, networks, seeds, stops).
    seeds, curves = [str(seed) for seed in runs.seeds], [losses] * 3
    if len(seeds) > 1:
        edges = [edge(losses, axis=3, keepdims=True) for edge in (np.min, np.max, np.mean)]
        curves = [np.concatenate([edge, losses], axis=3) for edge in edges]
        seeds = ["all: mean and range", *seeds]
    axes = [
        Axis("step", "iteration", stops, start=len(stops) - 1, play=True),
        Axis("term", "show", _TERMS, expert=True),
        Axis("rate", "learning rate", rates, start=runs.rates.index(RATE), expert=True),
        Axis("seed", "seed", seeds, expert=True),
        Axis("scale", "loss axis", ["logarithmic", "linear"], expert=True),
    ]
    axes = [axis for axis in axes if len(axis.stops) > 1]
    names = "term", "rate", "seed", "step"
    alone = tuple(k for k, name in enumerate(names) if name not in {axis.name for axis in axes})
    follow = [name for k, name in enumerate(names) if k not in alone]
    seen, gone = _so_far(curves[2])
    told = np.where(gone, " (then a run diverges)", _told(runs, picks)[..., None])
    figure, tracks = go.Figure(), []
    fields: dict[str, Any] = {"seen": (stops[seen.max(axis=2)].squeeze(alone), follow)}
    for n, name in enumerate(runs.networks):
        traces = band_traces(*_LOOK[name][1:], name=name)
        figure.add_traces(traces)
        for trace, curve in zip(traces, curves, strict=True):
            tracks += line_tracks(trace.uid, stops, curve[:, :, n].squeeze(alone), follow)
        values = np.take_along_axis(curves[2][:, :, n], seen[:, :, n], axis=-1)
        fields[name] = values.squeeze(alone), follow
        fields[f"{name}_told"] = told[:, :, n].squeeze(alone), follow[:-1]
    figure.update_layout(template=TEMPLATE, height=370, showlegend=False, margin=_MARGIN)
    figure.update_xaxes(title="iteration", range=[0, float(stops[-1])])
    figure.update_yaxes(exponentformat="power")
    heading(figure, _KEY, y=1.02)
    said = "; ".join(f"{_LOOK[name][0]} {{{name}}}{{{name}_told}}" for name in runs.networks)
    narrow = {"font.size": 14, "height": 350, "margin.t": 84, "margin.l": 76}
    key_below = {"annotations[0].text": _NARROW_KEY, "margin.t": 96}
    return Scene(
        figure,
        axes,
        [*tracks, *_axis_tracks(losses, top)],
        Reading(f"Iteration {{seen}}, {{term}}: {said}.", fields),
        alt="Loss of a batch against iteration on MNIST, for the original network and for the "
        "network with extra dense matrices, with weight decay on each matrix or on their products.",
        narrow=narrow | key_below,
    )


def _choices(runs: ConvnetRuns) -> tuple[list[str], np.ndarray]:
    """Return names of what rates to draw, and where these stand, (terms, choices, networks).

    Each rate for all, and, where there are several, for each network the best for the term.
    """
    names = [f"{rate:g}" for rate in runs.rates]
    shape = len(_TERMS), len(names), len(runs.networks)
    picks = np.broadcast_to(np.arange(len(names))[:, None], shape)
    if len(names) == 1:
        return names, picks
    best = [
        [[runs.rates.index(runs.best_rate(name, term)) for name in runs.networks]]
        for term in ("total", "data", "total")  # nobody tunes a rate for the weight decay
    ]
    return [*names, "each its best"], np.concatenate([picks, best], axis=1)


def _told(runs: ConvnetRuns, picks: np.ndarray) -> np.ndarray:
    """Return what the sentence adds to a loss where each network has a rate of its own."""
    words = np.array([f" (rate {rate:g})" for rate in runs.rates])[picks]
    return np.where(np.arange(picks.shape[1])[:, None] < len(runs.rates), "", words)


def _so_far(curves: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return at which stop a sentence reads each curve, and which curves have diverged.

    `curves` are (terms, choices, networks, seeds, stops). A network that has not arrived yet holds
    the others up; one that ends where others go on has diverged, and is read where it ends.
    """
    stops = curves.shape[-1]
    last = np.maximum.accumulate(np.where(np.isfinite(curves), np.arange(stops), 0), axis=-1)
    arrived = np.isfinite(curves[..., -1])
    gone = arrived.any(axis=2, keepdims=True) & ~arrived
    together = np.where(gone[..., None], stops, last).min(axis=2, keepdims=True)
    return np.minimum(last, together), gone


def plot_convnet(runs: ConvnetRuns | None = None, *, rate: float = RATE) -> go.Figure:
    """Plot both terms of the loss against iteration, side by side.

    Parameters
    ----------
    runs : ConvnetRuns, optional
        By default the recorded ones.
    rate : float
        The learning rate, one of `runs`.

    Returns
    -------
    plotly.graph_objects.Figure
        Means over seeds, with their range as a band.

    Raises
    ------
    TypeError, ValueError
        If `runs` is something else or has no such rate.
    """
    runs = recorded_convnet() if runs is None else runs
    instance("runs", runs, ConvnetRuns)
    stops, losses = _at_stops(runs.at(rate))
    figure = make_subplots(cols=2, subplot_titles=_TERMS[1:], horizontal_spacing=0.1)
    for column, values in enumerate(losses[1:, 0], start=1):
        for n, name in enumerate(runs.networks):
            edges = [edge(values[n], axis=0) for edge in (np.min, np.max, np.mean)]
            for trace, edge in zip(band_traces(*_LOOK[name][1:]), edges, strict=True):
                figure.add_trace(trace.update(x=stops, y=edge), row=1, col=column)
        axis = log_axis(values, below=1e-9, above=1e9)
        figure.update_yaxes(**axis | {"dtick": _log_ticks(axis)}, row=1, col=column)
        figure.update_xaxes(title="iteration", range=[0, stops[-1]], row=1, col=column)
    figure.update_annotations(font_size=20)
    heading(figure, _KEY, y=1.12)
    figure.update_layout(template=TEMPLATE, height=430, showlegend=False)
    figure.update_layout(margin=_MARGIN | {"t": 84})
    return figure


def _at_stops(runs: ConvnetRuns) -> tuple[Array, Array]:
    """Return iterations, and mean losses since the stop before.

    These are (terms, rates, networks, seeds, stops).
    """
    ends = record_stops(len(runs.steps), 60)
    begins = np.concatenate([[0], ends[:-1] + 1])
    sums = np.add.reduceat(np.stack([runs.data, runs.decay]), begins, axis=-1)
    first = np.moveaxis(runs.first, -1, 0)[..., None]
    terms = np.concatenate([first, sums / (ends + 1 - begins)], axis=-1)
    stops = np.concatenate([[0], runs.steps[ends]])
    return stops, np.concatenate([terms.sum(axis=0, keepdims=True), terms])


def _axis_tracks(losses: Array, top: float | None) -> list[Track]:
    """Return what the loss axis does: it depends on the term and the scale, never on the step."""
    ranges, ticks = [], []
    for values in losses:
        high = float(np.nanmax(values)) if top is None else top
        low = float(np.nanmin(values)) if top is None else _LOWEST_LIVE
        # The logarithm of a term that has all but gone would squeeze the others.
        logs = log_axis([max(low, high / 1e4), high], below=1e-300, above=1e300)
        ranges.append([logs["range"], [0.0, 1.05 * high]])
        ticks.append([_log_ticks(logs), f"{round_step(high / 4):g}"])
    return [
        Track(None, "yaxis.title.text", [f"{term} of a batch" for term in _TERMS], ["term"]),
        Track(None, "yaxis.type", ["log", "linear"], ["scale"]),
        Track(None, "yaxis.range", ranges, ["term", "scale"]),
        Track(None, "yaxis.dtick", ticks, ["term", "scale"]),
    ]


def _log_ticks(axis: dict[str, Any]) -> str:
    """Return Plotly's ``dtick``: at 1, 2 and 5 where there are few decades."""
    low, high = axis["range"]
    return "D2" if high - low < 2 else f"{axis['dtick']}"


class LiveTraining(widgets.VBox):  # type: ignore[misc]
    """Three networks trained side by side in a thread, with growing curves and a Stop button.

    Train goes on where Stop has stopped, unless a control was changed; with a folder for
    checkpoints, also after the kernel has been restarted.
    """

    def __init__(self, checkpoints: str | os.PathLike[str] | None = None) -> None:
        self._folder = None if checkpoints is None else Path(checkpoints)
        self._settings: Any = None  # widths, steps and seed of the training at hand
        self._trainings: list[ConvnetTraining] = []
        self._thread: threading.Thread | None = None
        self._halt = threading.Event()
        self.player: Player | None = None  # the curves, once there are some
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
        self._say("Trains the three networks here, one step of each in turn.")
        if missing := [name for name in ("torch", "mlxtend") if find_spec(name) is None]:
            for control in controls:
                control.disabled = True
            self._say(f"Training live needs {' and '.join(missing)}: {INSTALL}")

    def start(self) -> None:
        """Train in a thread, so that the buttons work meanwhile; nothing happens if it runs."""
        if self._thread is None or not self._thread.is_alive():
            self._halt.clear()
            self._thread = threading.Thread(target=self.run, daemon=True)
            self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, or so many seconds."""
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
        self._prepare()
        _, steps, _ = self._settings
        drawn, saved = 0.0, time.monotonic()
        while (done := self._done()) < steps and not self._halt.is_set():
            for training in self._trainings:
                if len(training.records) == done:  # files may be of different ages
                    training.advance()
            if time.monotonic() - drawn > _PAUSE:
                self._show()
                self._say(f"Training: {done + 1} of {steps} iterations.")
                drawn = time.monotonic()
            if time.monotonic() - saved > _SAVED_EVERY:
                self._save()
                saved = time.monotonic()
        self._save()
        self._show()
        if done < steps:
            self._say(f"Stopped after {done} of {steps} iterations; Train live goes on from there.")
            return
        self._say("Testing on 1,000 other digits …")
        errors = (f"{training.error(self._test):.1%}" for training in self._trainings)
        self._say(f"Done. Misread of 1,000 other digits: {', '.join(errors)}.")

    def _done(self) -> int:
        """Return how many steps all networks have taken."""
        return min(len(training.records) for training in self._trainings)

    def _prepare(self) -> None:
        """Make new networks, unless those that were stopped are to go on."""
        settings = size, steps, seed = self.size.value, self.steps.value, self.seed.value
        if settings == self._settings and self._done() < steps:
            return
        self._say("Loading the digits …")
        train, self._test = split_digits(load_digits())
        trainings = [
            ConvnetTraining(train, network=name, seed=seed, widths=size) for name in NETWORKS
        ]
        for training in trainings:
            if self._folder is not None and self._checkpoint(training).exists():
                training.load(self._checkpoint(training))
        self._settings, self._trainings = settings, trainings

    def _checkpoint(self, training: ConvnetTraining) -> Path:
        size = "-".join(map(str, training.widths))
        return Path(self._folder or "") / f"{training.network}-{size}-seed-{training.seed}.pt"

    def _save(self) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            for training in self._trainings:
                training.save(self._checkpoint(training))

    def _show(self) -> None:
        records = [training.records for training in self._trainings]
        if not all(records):
            return
        _, steps, seed = self._settings
        runs = block_means(records, networks=NETWORKS, seeds=(seed,), steps=steps)
        # An upper end that holds from the first iteration on.
        scene = convnet_scene(runs, top=1.3 * float(runs.first.sum(axis=-1).max()))
        if self.player is None:
            self.player = Player(scene)
            self.children = [*self._above, self.player]
        else:
            self.player.show(scene)

    def _say(self, text: str) -> None:
        self._message.value = f'<span role="status">{html.escape(text)}</span>'
