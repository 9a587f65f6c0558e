"""Layers that are not balanced, from lazy to rich: `explore_unbalanced`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from scipy.integrate import solve_ivp

from overparam_edu.checks import Array, number
from overparam_edu.dynamics.losses import QuadraticLoss
from overparam_edu.dynamics.training import Trajectory, gradient_flow
from overparam_edu.dynamics.unbalanced import unbalanced_direction, unbalanced_network
from overparam_edu.explorers import plots
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    GREY,
    TEMPLATE,
    VERMILLION,
    curve,
    dot,
    heading,
    key,
    stacked,
)

IMBALANCES = np.array([-10, -3, -1, -0.3, -0.1, -0.03, 0, 0.03, 0.1, 0.3, 1, 3, 10])
LOSS = QuadraticLoss(np.diag([1.0, 2.0]), [1.0, 0.5])
LENGTH = 0.1
TIMES = np.concatenate([[0.0], np.geomspace(1e-2, 50, 75)])
_BALANCED = int(np.flatnonzero(IMBALANCES == 0)[0])


def explore_unbalanced() -> Explorer:
    r"""Return two layers of width 1 as a widget: one slider from lazy to rich.

    :math:`c = \omega_2^2 - \|w_1\|^2`, which gradient flow conserves, runs from far below 0, where
    only the length of ``w`` moves at first, over 0, the rule at depth 2, to far above 0, gradient
    descent. On the left the path of the product, computed from ``c`` alone (orange) and measured
    on the layers (rings); on the right the loss, and how many times as large a step is along ``w``
    as across, which is ``N`` for the rule. Imbalance and time move in the browser; the direction
    of the start asks Python.

    Returns
    -------
    Explorer
    """
    angle = widgets.IntSlider(
        90, min=0, max=180, step=15, description="angle of the start °", continuous_update=False
    )
    return Explorer(unbalanced_scene, {"angle": angle})


@lru_cache(maxsize=16)
def unbalanced_scene(angle: float = 90) -> Scene:
    """Return the scene of `explore_unbalanced` for a direction of the start, in degrees."""
    turn = np.radians(number("angle", angle))
    start = LENGTH * np.array([np.cos(turn), np.sin(turn)])
    points, measured = _follow_product(start), _follow_layers(start)
    losses = LOSS.value(points)
    size = np.hypot(IMBALANCES[:, None], 2 * np.linalg.norm(points, axis=-1))
    depth = 1 + (size - IMBALANCES[:, None]) / (size + IMBALANCES[:, None])
    both = ["imbalance", "time"]
    tracks = []
    for i, a in enumerate("xy"):
        tracks += [
            Track("path", a, points[..., i], both, trail="step"),
            Track("layers", a, measured[:, ::5, i], ["imbalance"]),
            Track("now", a, points[..., i], both),
        ]
    later = np.maximum(TIMES, TIMES[1] / 2)  # time 0 has no logarithm
    for name, values in (("loss", losses), ("depth", depth)):
        tracks += [
            Track(name, "y", values, ["imbalance"]),
            Track(f"{name} now", "x", later, ["time"]),
            Track(f"{name} now", "y", values, both),
        ]
    gaps = np.abs(points - measured).max(axis=(1, 2))
    kinds = ["rich"] * _BALANCED + ["balanced, the rule at depth 2"]
    kinds += ["lazy"] * (len(IMBALANCES) - len(kinds))
    reading = Reading(
        "c = {imbalance}, {kind}, at time {time}: loss {loss}. A step along w is {depth} times as "
        "large as across. Formula and layers differ by {gap} at most.",
        {
            "kind": (kinds, ["imbalance"]),
            "loss": (losses, both),
            "depth": (depth, both),
            "gap": (gaps, ["imbalance"]),
        },
    )
    axes = [
        Axis("imbalance", "c = ω₂² − ‖w₁‖²", IMBALANCES, start=_BALANCED),
        Axis("time", "time", TIMES, start=len(TIMES) - 1, play=True),
    ]
    alt = (
        "Left: the path of the product of two layers over the contours of the loss, with those of "
        "the balanced rule and of gradient descent. Right: loss against time, and the step along w "
        "over the step across."
    )
    narrow = stacked(510, (0.54, 1), (0, 0.3, 0, 0.41), (0, 0.3, 0.59, 1))
    narrow |= {
        "xaxis2.dtick": 2,
        "xaxis3.dtick": 2,
        "xaxis2.title.text": "time",
        "annotations[2].text": "<b>along / across w</b>",
    }
    figure = _figure(gradient_flow(LOSS, start, times=TIMES), points, losses, depth)
    return Scene(figure, axes, tracks, reading, alt=alt, narrow=narrow)


def _follow_product(start: Array) -> Array:
    """Return the product's flow for every imbalance, from the formula alone, (c, time, 2)."""

    def velocity(_: float, flat: Array) -> Array:
        w = flat.reshape(-1, 2)
        return -unbalanced_direction(w, LOSS.gradient(w), IMBALANCES).ravel()

    return _integrated(velocity, np.tile(start, (len(IMBALANCES), 1)))


def _follow_layers(start: Array) -> Array:
    """Return the product of the layers' own flow for every imbalance, (c, time, 2)."""

    def velocity(_: float, flat: Array) -> Array:
        first, second = np.split(flat.reshape(-1, 3), [2], axis=1)
        gradient = LOSS.gradient(second * first)
        along = (first * gradient).sum(axis=1, keepdims=True)
        return -np.hstack([second * gradient, along]).ravel()

    networks = [unbalanced_network(start, c).weights for c in IMBALANCES]
    layers = np.array([np.append(first, second) for first, second in networks])
    flow = _integrated(velocity, layers)
    product: Array = flow[..., 2:] * flow[..., :2]
    return product


def _integrated(velocity: Callable[[float, Array], Array], start: Array) -> Array:
    # All imbalances at once. LSODA, since the largest move a thousand times as fast as the others.
    flow = solve_ivp(
        velocity, (0, TIMES[-1]), start.ravel(), "LSODA", TIMES, rtol=1e-10, atol=1e-13
    )
    course: Array = np.moveaxis(flow.y.reshape(*start.shape, len(TIMES)), -1, 1)
    return course


def _figure(plain: Trajectory, points: Array, losses: Array, depth: Array) -> go.Figure:
    figure = plots.one_beside_two(0.5, 0.12)
    everything = np.concatenate([points.reshape(-1, 2), plain.points])
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = 0.08 * (high - low) + 0.02
    ranges = np.stack([low - margin, high + margin], axis=1)
    ranges[:, 0] = np.minimum(ranges[:, 0], -0.12)
    x, y = points[_BALANCED].T
    figure.add_traces(
        [
            plots.loss_contour(LOSS, *ranges),
            curve(None, GREY, "dash", 3, x=plain.points[:, 0], y=plain.points[:, 1]),
            curve(None, BLACK, "dot", 3, x=x, y=y),
            curve("path", VERMILLION),
            dot("layers", BLACK, "circle-open", 9),
            dot("now", VERMILLION, size=15, marker_line_color=BLACK),
            dot(None, BLACK, "star", 15, x=[LOSS.minimizer[0]], y=[LOSS.minimizer[1]]),
        ],
        rows=1,
        cols=1,
    )
    later = np.maximum(TIMES, TIMES[1] / 2)
    for row, (name, values) in enumerate((("loss", losses), ("depth", depth)), start=1):
        figure.add_trace(curve(None, BLACK, "dot", 3, x=later, y=values[_BALANCED]), row, 2)
        figure.add_trace(curve(name, VERMILLION, x=later), row, 2)
        now = dot(f"{name} now", VERMILLION, size=15, marker_line_color=BLACK)
        figure.add_trace(now, row, 2)
    edges = {"l": 70, "t": 60, "b": 64, "r": 16}
    figure.update_layout(template=TEMPLATE, height=380, showlegend=False, margin=edges)
    for letter, update, span in zip(
        "xy", (figure.update_xaxes, figure.update_yaxes), ranges, strict=True
    ):
        update(title={"x": "w₁", "y": "w₂"}[letter], range=span.tolist(), row=1, col=1)
    time = {"type": "log", "range": np.log10([later[0], 60]).tolist(), "dtick": 1}
    figure.update_xaxes(**time, exponentformat="power", row=1, col=2)
    figure.update_xaxes(**time, exponentformat="power", title="time", row=2, col=2)
    figure.update_yaxes(range=[-0.03, 1.05 * losses.max()], row=1, col=2)
    figure.update_yaxes(
        type="log", range=[-0.15, 4.2], dtick=2, exponentformat="power", row=2, col=2
    )
    paths = key(("━", "from c", VERMILLION), ("○", "layers", BLACK))
    others = key(("┉", "c = 0, the rule", BLACK), ("┅", "gradient descent", GREY))
    heading(figure, f"{paths}<br>{others}")
    heading(figure, "<b>loss</b>", 2)
    heading(figure, "<b>step along w, over step across</b>", 3)
    return figure
