"""The warm-up on a real regression, set in motion: `explore_warm_up`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.warm_up import (
    WarmUpRun,
    rebuild_from_gradients,
    run_warm_up,
    warm_up_coefficients,
)
from overparam_edu.experiments.datasets import two_feature_loss
from overparam_edu.explorers.plots import log_axis, loss_contour, plane_ranges
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import BLACK, BLUE, GREEN, GREY, TEMPLATE, VERMILLION, key


class Memory(NamedTuple):
    """What a run remembers, at some of its updates.

    Parameters
    ----------
    steps : ndarray of int, shape (S,)
        The updates looked at.
    rho : ndarray, shape (S,)
        Learning rate on the gradient of the moment.
    mu : ndarray, shape (S, S)
        Push of the gradient of time ``steps[j]`` in update ``steps[i]``; NaN unless ``j`` is past.
    pushes : ndarray, shape (S,)
        Length of all past gradients' pushes together, in units of the present gradient's.
    rebuilt : ndarray, shape (2, S, d)
        The path rebuilt from the past gradients alone, and with the start put in.
    errors : ndarray, shape (2, S)
        Distance of each from the path, in units of the largest ``||w||`` of the run.
    largest : ndarray, shape (2,)
        Largest error of each over all updates.
    """

    steps: NDArray[np.int64]
    rho: Array
    mu: Array
    pushes: Array
    rebuilt: Array
    errors: Array
    largest: Array


def measure_memory(run: WarmUpRun, steps: NDArray[np.int64]) -> Memory:
    r"""Measure the learning rate and the momentum in a run, and rebuild it from its gradients.

    Talk, "Warm-up"; paper, section 3.

    Parameters
    ----------
    run : WarmUpRun
        Of T updates.
    steps : ndarray of int, shape (S,)
        The updates to look at, from 0 to T - 1.

    Returns
    -------
    Memory

    Raises
    ------
    ValueError
        If the scalar is 0 before an update.
    """
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
        steps,
        rho,
        np.where(steps < steps[:, None], mu[:, steps], np.nan),
        np.divide(past, present, out=np.zeros_like(past), where=present > 0),
        rebuilt[:, steps],
        errors[:, steps],
        errors.max(axis=-1),
    )


def error_order(memories: list[Memory], rates: Array) -> float:
    """Return the power of the learning rate that the largest error falls with.

    Parameters
    ----------
    memories : list of Memory
        One a learning rate.
    rates : ndarray
        The learning rates, falling; the last two are compared.

    Returns
    -------
    float
        1 for an error of first order. Of the path rebuilt with its start: without it, the error
        ends at the size of the start.
    """
    errors = np.log([memory.largest[1] for memory in memories[-2:]])
    return float(np.diff(errors)[0] / np.diff(np.log(rates[-2:]))[0])


# Numbers of updates, each run over the same time: learning rate times updates.
_STEPS = (50, 100, 250, 500, 1000)
# Enough for both losses to leave the smallest start and arrive.
_TIMES = {2: 14.0, 4: 9.0}
# Moments that have a stop of their own, whole updates in each run; also the heat map's grid.
_STOPS = 50


def explore_warm_up() -> Explorer:
    r"""Return the warm-up as a widget: one extra scalar on a real regression.

    Miles per gallon from a car's weight and acceleration, by :math:`w = w_1 \omega_2`. On the left
    the path of ``w`` over the loss, and the path rebuilt from past gradients; beside it the
    learning rate :math:`\rho_t`, and the rebuilt path's error against the learning rate; on the
    right all :math:`\mu_{t,\tau}`, and those of the present update (talk, "Warm-up"; paper,
    section 3).

    Learning rate and time move in the browser. The power of the loss and the scale of the start
    ask Python for new runs.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_warm_up()
    >>> explorer.set(p=4)
    """
    controls: dict[str, widgets.Widget] = {
        "p": widgets.ToggleButtons(options=[2, 4], value=2, description="power p"),
        "scale": widgets.SelectionSlider(
            options=[0.001, 0.01, 0.1, 0.3, 1], value=0.01, description="start scale"
        ),
    }
    return Explorer(_scene, controls)


def _scene(*, p: int, scale: float) -> Scene:
    return warm_up_scene(p, scale)


@lru_cache(maxsize=16)
def warm_up_scene(p: int = 2, scale: float = 0.01) -> Scene:
    """Return the scene of `explore_warm_up` for one choice of its controls.

    Parameters
    ----------
    p : {2, 4}
        Power of the loss.
    scale : float
        Length of the vector and value of the scalar at the start, above 0.

    Returns
    -------
    Scene

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or a run diverges.
    """
    if p not in _TIMES:
        raise ValueError(f"p must be one of {list(_TIMES)}; got {p!r}")
    loss, time = two_feature_loss(p), _TIMES[p]
    first = scale * np.array([1.0, 1.0]) / np.sqrt(2)
    runs = [
        run_warm_up(loss, first, scale, learning_rate=time / steps, steps=steps) for steps in _STEPS
    ]
    moments = np.arange(_STOPS) / _STOPS
    shown_at = [np.round(moments * steps).astype(int) for steps in _STEPS]
    memories = [measure_memory(*pair) for pair in zip(runs, shown_at, strict=True)]
    paths = np.stack([run.points[at] for run, at in zip(runs, shown_at, strict=True)])
    rates = np.array([run.learning_rate for run in runs])
    rate = Axis("rate", "learning rate η", rates, start=1)
    moment = Axis("time", "time η·t", time * moments, start=_STOPS // 2, play=True)
    figure = _figure(loss, moment, memories, runs)
    tracks = [
        *_path_tracks(paths, memories),
        *_memory_tracks(moment, memories, rates),
        *_error_tracks(memories, rates),
    ]
    return Scene(figure, [rate, moment], tracks, _reading(memories), alt=_ALT, narrow=_NARROW)


_ALT = (
    "Left: the path of w over the contours of the loss, and the path rebuilt from past gradients. "
    "Middle: the learning rate rho over time, and the error of the rebuilt path against the "
    "learning rate eta, on logarithmic axes. Right: the push mu of each past gradient in each "
    "update, as a triangle of colours, and its row for the present update as a curve."
)
_NARROW = {"height": 1500, "font.size": 14, "annotations[0].font.size": 13} | {
    f"{name}axis{panel}.domain": domain
    for panel, rows in (
        ("", [0.82, 1]),
        ("2", [0.62, 0.74]),
        ("3", [0.4, 0.56]),
        ("5", [0.21, 0.34]),
        ("4", [0, 0.13]),
    )
    for name, domain in (("x", [0, 1]), ("y", rows))
}

# The traces, in the order they stand in the figure (the contour is 0).
_PATH, _ALONE, _STARTED, _NOW, _RHO, _RHO_NOW = range(1, 7)
_ERRORS_NOW, _MU, _ROW, _PUSHES = 10, 11, 12, 13


def _reading(memories: list[Memory]) -> Reading:
    both = ["rate", "time"]
    return Reading(
        "After {t} of {steps} updates the learning rate is ρ = {rho}, and {t} past gradients push "
        "{pushes} times as far as the present one. Rebuilt from gradients alone, w is off by "
        "{alone}%; with its start put in, by {started}%.",
        {
            "t": ([memory.steps for memory in memories], both),
            "steps": (_STEPS, ["rate"]),
            "rho": ([memory.rho for memory in memories], both),
            "pushes": ([memory.pushes for memory in memories], both),
            "alone": ([100 * memory.errors[0] for memory in memories], both),
            "started": ([100 * memory.errors[1] for memory in memories], both),
        },
    )


def _figure(
    loss: LpRegression, moment: Axis, memories: list[Memory], runs: list[WarmUpRun]
) -> go.Figure:
    figure = make_subplots(
        rows=2,
        cols=3,
        specs=[[{"rowspan": 2}, {}, {}], [None, {}, {}]],
        column_widths=[0.4, 0.29, 0.31],
        horizontal_spacing=0.09,
        vertical_spacing=0.26,
    )
    rebuilt = [memory.rebuilt.reshape(-1, 2) for memory in memories]
    points = np.concatenate([*(run.points for run in runs), *rebuilt])
    spans = plane_ranges(points, loss.value(points))
    figure.add_trace(loss_contour(loss, *spans), row=1, col=1)
    for trace, row, column in _moving_traces(np.array(moment.stops), memories, runs):
        figure.add_trace(trace.update(hoverinfo="skip"), row=row, col=column)
    figure.update_layout(template=TEMPLATE, height=470, showlegend=False, margin=_MARGIN)
    figure.update_xaxes(range=spans[0], title="w₁ (weight)", row=1, col=1)
    figure.update_yaxes(range=spans[1], title="w₂ (acceleration)", row=1, col=1)
    time = [0.0, float(moment.stops[-1])]
    figure.update_xaxes(range=time, row=1, col=2)
    figure.update_xaxes(range=time, showticklabels=False, row=1, col=3)
    figure.update_yaxes(range=time[::-1], title="time η·t", row=1, col=3)
    figure.update_xaxes(range=time, title="past time η·τ", row=2, col=3)
    figure.layout.yaxis3.domain, figure.layout.yaxis5.domain = (0.49, 1), (0, 0.36)
    _scales(figure, memories, runs)
    _headings(figure, error_order(memories, np.array([run.learning_rate for run in runs])))
    return figure


def _headings(figure: go.Figure, order: float) -> None:
    """Write above each panel what it shows."""
    alone, started = ("┅", "from gradients", BLUE), ("┉", "from gradients and start", GREEN)
    paths = f"{key(('━', 'w', VERMILLION))}   rebuilt {key(alone)}<br>{key(started)}"
    headings = {
        "": paths,
        "2": "<b>ρ / η</b>  over time η·t",
        "3": "<b>μ / η²</b>  of all updates",
        "4": f"<b>largest error</b>  ∝ η<sup>{order:.2f}</sup>",
        "5": "<b>μ / η²</b>  of this update",
    }
    for axis, words in headings.items():
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=words, **place, **_ABOVE)


_MARGIN = {"t": 62, "b": 56, "r": 16}
_ABOVE = {
    "xanchor": "left",
    "yanchor": "bottom",
    "align": "left",
    "showarrow": False,
    "font": {"size": 17},
}
_PERCENT = {
    "tickvals": [1e-3, 1e-2, 0.1, 1, 10],
    "ticktext": ["0.1%", "1%", "10%", "100%", "1000%"],
}


def _scales(figure: go.Figure, memories: list[Memory], runs: list[WarmUpRun]) -> None:
    """Set the ranges of the small panels, the same at every learning rate."""
    rates = np.array([run.learning_rate for run in runs])
    scalar = max(float(np.square(run.omega2).max()) for run in runs)
    figure.update_yaxes(range=[0, 1.08 * scalar], nticks=4, row=1, col=2)
    errors = np.stack([memory.largest for memory in memories])
    span = log_axis(rates, below=1e-9, above=1e9) | {"tickvals": [0.01, 0.03, 0.1, 0.3]}
    figure.update_xaxes(title="learning rate η", **span, row=2, col=2)
    span = log_axis(errors, below=1e-9, above=1e9) | _PERCENT
    figure.update_yaxes(**span, row=2, col=2)
    mu = np.stack([memory.mu / rate**2 for memory, rate in zip(memories, rates, strict=True)])
    lowest, highest = min(0.0, float(np.nanmin(mu))), float(np.nanmax(mu))
    margin = 0.08 * (highest - lowest)
    figure.update_yaxes(range=[lowest - margin, highest + margin], nticks=4, row=2, col=3)
    figure.add_hline(0, line={"width": 1, "color": GREY}, row=2, col=3)
    usual = float(np.nanquantile(np.abs(mu), 0.98))  # a rough start must not bleach the rest
    figure.data[_MU].update(zmin=-usual, zmax=usual)


def _moving_traces(
    times: Array, memories: list[Memory], runs: list[WarmUpRun]
) -> list[tuple[go.Scatter | go.Heatmap, int, int]]:
    """Return the traces after the contour, with the row and column of each."""

    def curve(colour: str, dash: str, width: float, **data: Any) -> go.Scatter:
        style = {"color": colour, "dash": dash, "width": width}
        return go.Scatter(mode="lines", line=style, **data)

    def dot(colour: str, symbol: str = "circle") -> go.Scatter:
        marker = {"color": colour, "size": 14, "symbol": symbol, "line": {"width": 2}}
        return go.Scatter(mode="markers", marker=marker, cliponaxis=False)

    rates = np.array([run.learning_rate for run in runs])
    alone, started = np.stack([memory.largest for memory in memories], axis=1)
    line = started[-1] * rates / rates[-1]
    return [
        (curve(VERMILLION, "solid", 4), 1, 1),
        (curve(BLUE, "dash", 4), 1, 1),
        (curve(GREEN, "dot", 4), 1, 1),
        (dot(VERMILLION), 1, 1),
        (curve(VERMILLION, "solid", 4), 1, 2),
        (dot(VERMILLION), 1, 2),
        (curve(GREY, "solid", 2, x=rates, y=line), 2, 2),
        (curve(BLUE, "dash", 3, x=rates, y=alone), 2, 2),
        (curve(GREEN, "dot", 4, x=rates, y=started), 2, 2),
        (dot(GREY, "circle-open"), 2, 2),
        (go.Heatmap(x=times, y=times, colorscale=_SIGNED, showscale=False), 1, 3),
        (curve(BLACK, "solid", 3), 1, 3),
        (curve(BLACK, "solid", 3, x=times), 2, 3),
    ]


# Negative blue, nothing white, positive orange; small values stand out more than in proportion.
_SIGNED = [
    [0.0, BLUE],
    [0.375, "#80B9D9"],
    [0.5, "#FFFFFF"],
    [0.625, "#EAAF80"],
    [1.0, VERMILLION],
]


def _path_tracks(paths: Array, memories: list[Memory]) -> list[Track]:
    rebuilt = np.stack([memory.rebuilt for memory in memories], axis=1)
    both, tracks = ["rate", "time"], []
    for coordinate, attribute in enumerate("xy"):
        for trace, values in zip((_PATH, _ALONE, _STARTED), (paths, *rebuilt), strict=True):
            tracks.append(Track(trace, attribute, values[..., coordinate], both, trail="step"))
        tracks.append(Track(_NOW, attribute, paths[..., coordinate], both))
    return tracks


def _memory_tracks(moment: Axis, memories: list[Memory], rates: Array) -> list[Track]:
    times, both = np.array(moment.stops), ["rate", "time"]
    rho = np.stack([memory.rho for memory in memories]) / rates[:, None]
    mu = np.stack([memory.mu for memory in memories]) / rates[:, None, None] ** 2
    return [
        Track(_RHO, "x", times, ["time"], trail="step"),
        Track(_RHO, "y", rho, both, trail="step"),
        Track(_RHO_NOW, "x", times, ["time"]),
        Track(_RHO_NOW, "y", rho, both),
        Track(_MU, "z", mu, ["rate"]),
        Track(_ROW, "x", np.stack([np.zeros_like(times), times], axis=1), ["time"]),
        Track(_ROW, "y", np.stack([times, times], axis=1), ["time"]),
        Track(_PUSHES, "y", mu, both),
    ]


def _error_tracks(memories: list[Memory], rates: Array) -> list[Track]:
    errors = np.stack([memory.largest for memory in memories])
    return [
        Track(_ERRORS_NOW, "x", np.stack([rates, rates], axis=1), ["rate"]),
        Track(_ERRORS_NOW, "y", errors, ["rate"]),
    ]
