"""The warm-up on a real regression, set in motion: `explore_warm_up`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
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
from overparam_edu.player.style import BLACK, BLUE, GREEN, GREY, TEMPLATE, VERMILLION

# Numbers of updates, each run over the same time: learning rate times updates.
_STEPS = (50, 100, 250, 500, 1000)
# Enough for both losses to leave the smallest start and arrive, by the power of the loss.
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
    """
    controls: dict[str, widgets.Widget] = {
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


@lru_cache(maxsize=16)
def warm_up_scene(p: int = 2, scale: float = 0.01) -> Scene:
    """Return the scene of `explore_warm_up`; at the start vector and scalar have size `scale`."""
    if p not in _TIMES:
        raise ValueError(f"p must be one of {list(_TIMES)}; got {p!r}")
    loss, time = two_feature_loss(p), _TIMES[p]
    first = scale * np.array([1.0, 1.0]) / np.sqrt(2)
    moments = np.arange(_STOPS) / _STOPS
    runs, memories = [], []
    for steps in _STEPS:
        runs.append(run_warm_up(loss, first, scale, learning_rate=time / steps, steps=steps))
        memories.append(measure_memory(runs[-1], np.round(moments * steps).astype(int)))
    memory = Memory(*map(np.stack, zip(*memories, strict=True)))
    rates, times = time / np.array(_STEPS), time * moments
    both = ["rate", "time"]
    rho, mu = memory.rho / rates[:, None], memory.mu / rates[:, None, None] ** 2
    alone, started = np.moveaxis(memory.rebuilt, 1, 0)
    tracks = [
        *plots.line_tracks("path", memory.points[..., 0], memory.points[..., 1], both),
        *plots.line_tracks("from gradients", alone[..., 0], alone[..., 1], both),
        *plots.line_tracks("from gradients and start", started[..., 0], started[..., 1], both),
        *plots.point_tracks("now", memory.points, both),
        *plots.line_tracks("ρ", times, rho, both),
        Track("ρ now", "x", times, ["time"]),
        Track("ρ now", "y", rho, both),
        Track("errors now", "x", np.stack([rates, rates], axis=1), ["rate"]),
        Track("errors now", "y", memory.largest, ["rate"]),
        Track("μ", "z", mu, ["rate"]),
        *plots.point_tracks("update now", np.array([[[0, t], [t, t]] for t in times]), ["time"]),
        Track("μ now", "y", mu, both),
    ]
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
    largest_rho = max(float(np.square(run.omega2).max()) for run in runs)  # in units of η
    figure = _figure(
        plots.loss_contour(loss, *spans), rates, times, largest_rho, memory.largest, mu
    )
    figure.update_xaxes(range=spans[0], title="w₁ (weight)", row=1, col=1)
    figure.update_yaxes(range=spans[1], title="w₂ (acceleration)", row=1, col=1)
    narrow = style.stacked(1500, (0.82, 1), (0.62, 0.74), (0.4, 0.56), (0, 0.13), (0.21, 0.34))
    narrow["annotations[0].font.size"] = 13
    return Scene(figure, axes, tracks, reading, alt=_ALT, narrow=narrow)


_ALT = (
    "Left: the path of w over the contours of the loss, and the path rebuilt from past gradients. "
    "Middle: the learning rate rho over time, and the error of the rebuilt path against the "
    "learning rate eta, on logarithmic axes. Right: the push mu of each past gradient in each "
    "update, as a triangle of colours, and its row for the present update as a curve."
)


def _figure(
    contour: go.Contour, rates: Array, times: Array, largest_rho: float, errors: Array, mu: Array
) -> go.Figure:
    """Return the figure; the ranges of the small panels are the same at every learning rate."""
    panels = [[{"rowspan": 2}, {}, {}], [None, {}, {}]]
    gaps = {"horizontal_spacing": 0.09, "vertical_spacing": 0.26}
    figure = make_subplots(2, 3, specs=panels, column_widths=[0.4, 0.29, 0.31], **gaps)
    first_order = errors[-1, 1] * rates / rates[-1]
    usual = float(np.nanquantile(np.abs(mu), 0.98))  # a rough start must not bleach the rest
    colours = {"colorscale": _SIGNED, "zmin": -usual, "zmax": usual, "showscale": False}
    traces = {
        (1, 1): [
            contour,
            style.curve("path", VERMILLION),
            style.curve("from gradients", BLUE, "dash"),
            style.curve("from gradients and start", GREEN, "dot"),
            style.dot("now", VERMILLION, cliponaxis=False),
        ],
        (1, 2): [style.curve("ρ", VERMILLION), style.dot("ρ now", VERMILLION, cliponaxis=False)],
        (2, 2): [
            style.curve(None, GREY, width=2, x=rates, y=first_order),
            style.curve(None, BLUE, "dash", 3, x=rates, y=errors[:, 0]),
            style.curve(None, GREEN, "dot", x=rates, y=errors[:, 1]),
            style.dot("errors now", GREY, "circle-open", cliponaxis=False),
        ],
        (1, 3): [
            go.Heatmap(colours, uid="μ", x=times, y=times, hoverinfo="skip"),
            style.curve("update now", BLACK, width=3),
        ],
        (2, 3): [style.curve("μ now", BLACK, width=3, x=times)],
    }
    for (row, column), some in traces.items():
        figure.add_traces(some, rows=row, cols=column)
    margin = {"t": 62, "b": 56, "r": 16}
    figure.update_layout(template=TEMPLATE, height=470, showlegend=False, margin=margin)
    time = [0.0, float(times[-1])]
    figure.update_xaxes(range=time, row=1, col=2)
    figure.update_yaxes(range=[0, 1.08 * largest_rho], nticks=4, row=1, col=2)
    rate_axis = plots.log_axis(rates, below=1e-9, above=1e9)
    rate_axis["tickvals"] = [0.01, 0.03, 0.1, 0.3]
    figure.update_xaxes(title="learning rate η", **rate_axis, row=2, col=2)
    error_axis = plots.log_axis(errors, below=1e-9, above=1e9)
    error_axis["tickvals"] = [1e-3, 1e-2, 0.1, 1, 10]
    error_axis["ticktext"] = ["0.1%", "1%", "10%", "100%", "1000%"]
    figure.update_yaxes(**error_axis, row=2, col=2)
    figure.update_xaxes(range=time, showticklabels=False, row=1, col=3)
    figure.update_yaxes(range=time[::-1], title="time η·t", domain=(0.49, 1), row=1, col=3)
    lowest, highest = min(0.0, float(np.nanmin(mu))), float(np.nanmax(mu))
    air = 0.08 * (highest - lowest)
    span = [lowest - air, highest + air]
    figure.update_xaxes(range=time, title="past time η·τ", row=2, col=3)
    figure.update_yaxes(range=span, nticks=4, domain=(0, 0.36), row=2, col=3)
    figure.add_hline(0, line={"width": 1, "color": GREY}, row=2, col=3)
    alone, started = ("┅", "from gradients", BLUE), ("┉", "from gradients and start", GREEN)
    headings = (
        f"{style.key(('━', 'w', VERMILLION))}   rebuilt {style.key(alone)}<br>{style.key(started)}",
        "<b>ρ / η</b>  over time η·t",
        "<b>μ / η²</b>  of all updates",
        f"<b>largest error</b>  ∝ η<sup>{error_order(rates, errors[:, 1]):.2f}</sup>",
        "<b>μ / η²</b>  of this update",
    )
    for panel, words in enumerate(headings, start=1):
        style.heading(figure, words, panel, font={"size": 17})
    return figure


# Negative blue, nothing white, positive orange; small values stand out more than in proportion.
_COLOURS = (BLUE, "#80B9D9", "#FFFFFF", "#EAAF80", VERMILLION)
_SIGNED = [*zip((0.0, 0.375, 0.5, 0.625, 1.0), _COLOURS, strict=True)]
