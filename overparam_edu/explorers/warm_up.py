"""The warm-up on a real regression, set in motion: `explore_warm_up`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, one_of
from overparam_edu.dynamics.warm_up import (
    WarmUpRun,
    rebuild_from_gradients,
    run_warm_up,
    warm_up_coefficients,
)
from overparam_edu.experiments.datasets import two_feature_loss
from overparam_edu.explorers import plots
from overparam_edu.player import style
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    BLUE,
    BROWN,
    GREY,
    MINUS,
    PINK,
    PLUS,
    SIGNED,
    TEMPLATE,
    VERMILLION,
)

# Numbers of updates, each run over the same time: learning rate times updates.
_STEPS = (50, 100, 250, 500, 1000)
# Enough for both losses to leave the smallest start and arrive, by the power of the loss.
_TIMES = {2: 14.0, 4: 9.0}
# Moments that have a stop of their own, whole updates in each run; also the heat map's grid.
_STOPS = 50
_VIEWS = {"memory": "memory", "rebuilt": "errors and orders", "all": "all μ"}
# Past gradients that are drawn, how long in parts of the path, and how thick at most.
_STUBS, _LONG, _THICK = 14, 0.6, 0.08


def explore_warm_up() -> Explorer:
    r"""Return the warm-up as a widget: one extra scalar on a real regression.

    Miles per gallon from a car's weight and acceleration, by :math:`w = w_1 \omega_2`. On the left
    the path of ``w`` over the loss with past gradients on it, each as thick as the
    :math:`\mu_{t,\tau}` by which it still pushes; on the right the same for a momentum of 0.9.
    Other views show the path rebuilt from past gradients, with the learning rate :math:`\rho_t` and
    the error against the learning rate, or :math:`\mu_{t,\tau}` for all pairs of updates (talk,
    "Warm-up"; paper, section 3).

    Learning rate and time move in the browser. The view, the power of the loss and the scale of the
    start ask Python.

    Returns
    -------
    Explorer
    """
    controls: dict[str, widgets.Widget] = {
        "view": widgets.ToggleButtons(
            options=[(words, view) for view, words in _VIEWS.items()], description="view"
        ),
        "p": widgets.ToggleButtons(options=[2, 4], value=2, description="power p"),
        "scale": widgets.SelectionSlider(
            options=[0.001, 0.01, 0.1, 0.3, 1], value=0.01, description="start scale"
        ),
    }
    return Explorer(warm_up_scene, controls)


class Memory(NamedTuple):
    """What a run remembers, at S of its updates; or several runs, with an axis more in front."""

    points: Array  # (S, d)
    steps: NDArray[np.int64]  # (S,)
    rho: Array  # (S,), the learning rate on the gradient of the moment
    mu: Array  # (S, S), the push of gradient steps[j] in update steps[i]; NaN unless j is past
    pushes: Array  # (S,), length of all past gradients' pushes, relative to the present one's
    rebuilt: Array  # (2, S, d), the path from past gradients alone, and with the start put in
    errors: Array  # (2, S), distances of both from the path, relative to the run's largest norm
    largest: Array  # (2,), the largest error of each over all updates


def measure_memory(run: WarmUpRun, steps: NDArray[np.int64]) -> Memory:
    """Measure the learning rate and the momentum in a run, and rebuild it from its gradients."""
    coefficients = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
    alone = rebuild_from_gradients(coefficients, run.gradients)
    started = rebuild_from_gradients(coefficients, run.gradients, start=run.points[0])
    rebuilt = np.stack([alone, started])
    errors = np.linalg.norm(rebuilt - run.points, axis=-1)
    errors /= np.linalg.norm(run.points, axis=-1).max()
    rho, mu = coefficients.rho[steps], coefficients.mu[steps]
    present = rho * np.linalg.norm(run.gradients[steps], axis=-1)
    past = np.linalg.norm(mu @ run.gradients, axis=-1)
    return Memory(
        run.points[steps],
        steps,
        rho,
        np.where(steps < steps[:, None], mu[:, steps], np.nan),
        np.divide(past, present, out=np.zeros_like(past), where=present > 0),
        rebuilt[:, steps],
        errors[:, steps],
        errors.max(axis=-1),
    )


def error_order(rates: Array, errors: Array) -> float:
    """Return the power of the learning rate with which errors fall: the slope at the last two."""
    return float(np.diff(np.log(errors[-2:]))[0] / np.diff(np.log(rates[-2:]))[0])


@lru_cache(maxsize=10)
def _runs(p: int, scale: float) -> list[tuple[WarmUpRun, Memory]]:
    """Return the runs at every learning rate and what each remembers, which all views draw."""
    first, runs = scale * np.array([1.0, 1.0]) / np.sqrt(2), []
    for steps in _STEPS:
        rate = _TIMES[p] / steps
        run = run_warm_up(two_feature_loss(p), first, scale, learning_rate=rate, steps=steps)
        at = np.round(np.arange(_STOPS) / _STOPS * steps).astype(int)
        runs.append((run, measure_memory(run, at)))
    return runs


@lru_cache(maxsize=16)
def warm_up_scene(p: int = 2, scale: float = 0.01, view: str = "memory") -> Scene:
    """Return the scene of `explore_warm_up`; at the start vector and scalar have size `scale`."""
    if p not in _TIMES:
        raise ValueError(f"p must be one of {list(_TIMES)}; got {p!r}")
    one_of("view", view, tuple(_VIEWS))
    loss, time = two_feature_loss(p), _TIMES[p]
    moments = np.arange(_STOPS) / _STOPS
    runs, memories = zip(*_runs(p, scale), strict=True)
    memory = Memory(*map(np.stack, zip(*memories, strict=True)))
    rates, times = time / np.array(_STEPS), time * moments
    both = ["rate", "time"]
    reading = Reading(
        "After {t} of {steps} updates the learning rate is ρ = {rho}, and {t} past gradients push "
        "{pushes} times as far as the present one. Rebuilt from gradients alone, w is off by "
        "{alone}%; with its start put in, by {started}%.",
        {
            "t": (memory.steps, both),
            "steps": (_STEPS, ["rate"]),
            "rho": (memory.rho, both),
            "pushes": (memory.pushes, both),
            "alone": (100 * memory.errors[:, 0], both),
            "started": (100 * memory.errors[:, 1], both),
        },
    )
    axes = [
        Axis("rate", "learning rate η", rates, start=1),
        Axis("time", "time η·t", times, start=_STOPS // 2, play=True),
    ]
    points = np.concatenate([*(run.points for run in runs), memory.rebuilt.reshape(-1, 2)])
    spans = plots.plane_ranges(points, loss.value(points))
    contour = plots.loss_contour(loss, *spans)
    gradients = np.stack([run.gradients[at] for run, at in zip(runs, memory.steps, strict=True)])
    make = {"memory": _memory_view, "rebuilt": _rebuilt_view, "all": _view_of_all}[view]
    largest_rho = max(float(np.square(run.omega2).max()) for run in runs)  # in units of η
    drawn = _Drawn(memory, rates, times, gradients, spans, contour, largest_rho)
    figure, tracks, alt, narrow = make(drawn)
    margin = {"t": 62, "b": 56, "r": 16}
    figure.update_layout(template=TEMPLATE, height=420, showlegend=False, margin=margin)
    return Scene(figure, axes, tracks, reading, alt=alt, narrow=narrow)


class _Drawn(NamedTuple):
    """What the views are made of, for every learning rate."""

    memory: Memory
    rates: Array
    times: Array
    gradients: Array  # (rates, S, 2)
    spans: Array  # of the plane
    contour: go.Contour
    largest_rho: float  # in units of η

    @property
    def mu(self) -> Array:
        """All mu over the square of the learning rate, (rates, S, S)."""
        scaled: Array = self.memory.mu / self.rates[:, None, None] ** 2
        return scaled


# What a view makes: a figure, its tracks, what it shows in words, and the layout on a phone.
_View = tuple[go.Figure, list[Track], str, dict[str, Any]]
_BOTH = ["rate", "time"]


def _memory_view(drawn: _Drawn) -> _View:
    """Draw the past gradients on the path, as thick as the push that is left of each."""
    memory, points = drawn.memory, drawn.memory.points
    figure = make_subplots(cols=2, horizontal_spacing=0.1)
    # In momentum, a gradient's push falls to 0.9 of it from one update to the next.
    ages = memory.steps[:, :, None] - memory.steps[:, None, :]
    momentum = np.where(ages > 0, 0.9 ** np.maximum(ages - 1.0, 0), np.nan)
    weight = drawn.mu / np.nanquantile(np.abs(drawn.mu), 0.98)
    tracks = []
    for column, (side, shares) in enumerate((("", weight), (" in momentum", momentum)), start=1):
        signs = [("pushes", PLUS, 1), ("pulls", MINUS, -1)][: 3 - column]
        figure.add_trace(drawn.contour, 1, column)
        for name, colour, sign in signs:
            fill = {"fill": "toself", "fillcolor": colour}
            figure.add_trace(style.curve(name + side, colour, width=1, **fill), 1, column)
            stubs = _stubs(drawn, np.where(sign * shares > 0, np.abs(shares), np.nan))
            tracks += plots.point_tracks(name + side, stubs, _BOTH)
        figure.add_trace(style.curve(f"path{side}", VERMILLION, width=3), 1, column)
        figure.add_trace(style.dot(f"now{side}", VERMILLION, cliponaxis=False), 1, column)
        tracks += plots.line_tracks(f"path{side}", points[..., 0], points[..., 1], _BOTH)
        tracks += plots.point_tracks(f"now{side}", points, _BOTH)
        figure.update_xaxes(range=drawn.spans[0], title="w’s weight", row=1, col=column)
        figure.update_yaxes(range=drawn.spans[1], row=1, col=column)
    figure.update_yaxes(title="w’s acceleration", row=1, col=1)
    key = style.key(("■", "forward, μ > 0", PLUS), ("■", "back, μ < 0", MINUS))
    style.heading(figure, f"<b>past gradients, as thick as μ</b><br>{key}")
    style.heading(figure, "<b>momentum 0.9</b>", 2)
    alt = (
        "The path of w over the contours of the loss with past gradients on it, each as thick as "
        "the push that is left of it: on the left with the extra scalar, on the right with "
        "momentum 0.9, which forgets."
    )
    narrow = style.stacked(500, (0.58, 1), (0, 0.38)) | {"xaxis.title.text": ""}
    return figure, tracks, alt, narrow


def _stubs(drawn: _Drawn, shares: Array) -> Array:
    """Return past gradients as bars along -g, of these thicknesses: (rates, S, points, 2)."""
    low, size = drawn.spans[:, 0], np.ptp(drawn.spans, axis=1) * [1.0, 1.3]  # wider than high
    rates, stops = shares.shape[:2]
    stubs = np.full((rates, stops, _STUBS, 5, 2), np.nan)
    for rate in range(rates):
        path = (drawn.memory.points[rate] - low) / size
        way = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
        parts = (np.arange(_STUBS) + 0.5) / _STUBS * way[-1]
        past = np.unique(np.searchsorted(way, parts))  # evenly along the path, each once
        ahead = -drawn.gradients[rate, past] / size
        ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-300)
        half = ahead * (_LONG * way[-1] / _STUBS / 2)
        beside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * _THICK / 2
        beside = beside * np.minimum(shares[rate][:, past, None], 1.5)  # (S, stubs, 2)
        ends = [path[past] + a * half + b * beside for a, b in _CORNERS]
        stubs[rate, :, : len(past), :4] = np.stack(ends, axis=2) * size + low
    # To a thousandth of the plane, in powers of 2, which take little room in a message.
    grain = 2.0 ** np.floor(np.log2(size / 1_000))
    rounded: Array = np.round(stubs / grain) * grain
    return rounded.reshape(rates, stops, -1, 2)


_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def _rebuilt_view(drawn: _Drawn) -> _View:
    """Draw the path rebuilt from past gradients, the learning rate, and the error's order."""
    memory, rates, times, errors = drawn.memory, drawn.rates, drawn.times, drawn.memory.largest
    rho = memory.rho / rates[:, None]
    figure = plots.one_beside_two(0.54, 0.13)
    alone, started = np.moveaxis(memory.rebuilt, 1, 0)
    looks = {"path": (VERMILLION, "solid", 4), "from gradients": (PINK, "dash", 4)}
    looks["from gradients and start"] = (BROWN, "dot", 4)
    figure.add_trace(drawn.contour, 1, 1)
    tracks = []
    for (name, look), path in zip(looks.items(), (memory.points, alone, started), strict=True):
        figure.add_trace(style.curve(name, *look), 1, 1)
        tracks += plots.line_tracks(name, path[..., 0], path[..., 1], _BOTH)
    figure.add_trace(style.dot("now", VERMILLION, cliponaxis=False), 1, 1)
    right = {
        1: [style.curve("ρ", BLUE), style.dot("ρ now", BLUE, cliponaxis=False)],
        2: [
            style.curve(None, GREY, width=2, x=rates, y=errors[-1, 1] * rates / rates[-1]),
            style.curve(None, PINK, "dash", 3, x=rates, y=errors[:, 0]),
            style.curve(None, BROWN, "dot", x=rates, y=errors[:, 1]),
            style.dot("errors now", BLACK, "circle-open", cliponaxis=False),
        ],
    }
    for row, traces in right.items():
        figure.add_traces(traces, rows=row, cols=2)
    tracks += [
        *plots.point_tracks("now", memory.points, _BOTH),
        *plots.line_tracks("ρ", times, rho, _BOTH),
        Track("ρ now", "x", times, ["time"]),
        Track("ρ now", "y", rho, _BOTH),
        Track("errors now", "x", np.stack([rates, rates], axis=1), ["rate"]),
        Track("errors now", "y", errors, ["rate"]),
    ]
    figure.update_xaxes(range=drawn.spans[0], title="w’s weight", row=1, col=1)
    figure.update_yaxes(range=drawn.spans[1], title="w’s acceleration", row=1, col=1)
    figure.update_xaxes(range=[0.0, float(times[-1])], row=1, col=2)
    figure.update_yaxes(range=[0, 1.08 * drawn.largest_rho], nticks=4, row=1, col=2)
    rate_axis = plots.log_axis(rates, below=1e-9, above=1e9)
    rate_axis["tickvals"] = [0.01, 0.03, 0.1, 0.3]
    figure.update_xaxes(title="learning rate η", **rate_axis, row=2, col=2)
    error_axis = plots.log_axis(errors, below=1e-9, above=1e9)
    error_axis["tickvals"] = [1e-3, 1e-2, 0.1, 1, 10]
    error_axis["ticktext"] = ["0.1%", "1%", "10%", "100%", "1000%"]
    figure.update_yaxes(**error_axis, row=2, col=2)
    gradients, start = ("┅", "from gradients", PINK), ("┉", "and the start", BROWN)
    rebuilt = style.key(("━", "w", VERMILLION), gradients, start)
    headings = (
        f"{rebuilt}",
        "<b>ρ / η</b>  over time η·t",
        f"<b>largest error</b>  ∝ η<sup>{error_order(rates, errors[:, 1]):.2f}</sup>",
    )
    for panel, words in enumerate(headings, start=1):
        style.heading(figure, words, panel)
    alt = (
        "Left: the path of w over the contours of the loss, and the path rebuilt from past "
        "gradients. Right: the learning rate rho over time, and the error of the rebuilt path "
        "against the learning rate eta, on logarithmic axes."
    )
    narrow = style.stacked(500, (0.54, 1), (0, 0.3, 0, 0.38), (0, 0.3, 0.6, 1))
    narrow |= {"annotations[0].font.size": 13, "annotations[1].text": "<b>ρ / η</b>, over η·t"}
    narrow["annotations[2].text"] = headings[2].replace("largest error", "error")
    narrow["xaxis3.tickvals"] = [0.01, 0.1]
    return figure, tracks, alt, narrow


def _view_of_all(drawn: _Drawn) -> _View:
    """Draw all mu as a triangle of colours, and the row of the present update as a curve."""
    mu, times = drawn.mu, drawn.times
    figure = make_subplots(cols=2, horizontal_spacing=0.13)
    usual = float(np.nanquantile(np.abs(mu), 0.98))  # a rough start must not bleach the rest
    colours = {"colorscale": SIGNED, "zmin": -usual, "zmax": usual, "showscale": False}
    triangle = go.Heatmap(colours, uid="μ", x=times, y=times, hoverinfo="skip")
    figure.add_traces([triangle, style.curve("update now", BLACK, width=3)], rows=1, cols=1)
    figure.add_trace(style.curve("μ now", BLACK, width=3, x=times), 1, 2)
    figure.add_hline(0, line={"width": 1, "color": GREY}, row=1, col=2)
    time = [0.0, float(times[-1])]
    figure.update_xaxes(range=time, title="past time η·τ")
    figure.update_yaxes(range=time[::-1], title="time η·t", row=1, col=1)
    lowest, highest = min(0.0, float(np.nanmin(mu))), float(np.nanmax(mu))
    air = 0.08 * (highest - lowest)
    figure.update_yaxes(range=[lowest - air, highest + air], nticks=5, row=1, col=2)
    signs = style.key(("■", "μ > 0", PLUS), ("■", "μ < 0", MINUS))
    style.heading(figure, f"<b>μ / η²</b>  of all updates<br>{signs}")
    style.heading(figure, "<b>μ / η²</b>  of this update", 2)
    tracks = [
        Track("μ", "z", mu, ["rate"]),
        *plots.point_tracks("update now", np.array([[[0, t], [t, t]] for t in times]), ["time"]),
        Track("μ now", "y", mu, _BOTH),
    ]
    alt = (
        "Left: the push mu of each past gradient in each update, as a triangle of colours. Right: "
        "its row for the present update as a curve."
    )
    narrow = style.stacked(500, (0.52, 1), (0, 0.32)) | {"xaxis.title.text": ""}
    return figure, tracks, alt, narrow
