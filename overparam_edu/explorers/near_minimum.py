"""When depth helps near a minimum, by turning the bowl: `explore_near_minimum`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from overparam_edu.checks import Array, number, one_of
from overparam_edu.dynamics.near_minimum import best_depth, condition_near, curvatures_near
from overparam_edu.dynamics.rule import update_rule
from overparam_edu.explorers import plots
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    GREY,
    TEMPLATE,
    VERMILLION,
    arrow,
    curve,
    dot,
    heading,
    key,
    stacked,
)

DEPTHS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32])
_REAL_DEPTHS = np.geomspace(1, DEPTHS[-1], 101)
ANGLES = np.arange(0, 95, 5)
MINIMIZER = np.array([1.0, 0.0])
STARTS = {
    "1 % away": MINIMIZER + 0.01 * np.array([-0.8, 0.6]),
    "10 % away": MINIMIZER + 0.1 * np.array([-0.8, 0.6]),
    "near zero": np.array([0.05, 0.05]),
}
# A run has arrived when this part of its excess loss is left, and is given up after so many steps.
LEFT = 1e-4
_PATIENCE, _DRAWN = 2_500, 60
_ROUND = np.linspace(0, 2 * np.pi, 73)
_CIRCLE = np.array([np.cos(_ROUND), np.sin(_ROUND)])


def explore_near_minimum() -> Explorer:
    r"""Return a bowl that turns about its minimum as a widget: where depth helps, and where not.

    On the left the bowl (grey) and what the rule makes of it (orange): depth stretches space along
    :math:`w^*`, and the rounder the ellipse the fewer the steps. On the right the condition number
    :math:`\kappa_N` of the rule near the minimum, and the steps that it predicts beside the steps
    that the rule takes, each depth at the rate that is best near the minimum. Angle and depth move
    in the browser; how stretched the bowl is and where runs start ask Python.

    Returns
    -------
    Explorer
    """
    controls: dict[str, widgets.Widget] = {
        "kappa": widgets.SelectionSlider(
            options=[4, 10, 30], value=10, description="κ of the bowl"
        ),
        "start": widgets.ToggleButtons(
            options=list(STARTS), value="10 % away", description="runs start"
        ),
    }
    return Explorer(near_minimum_scene, controls)


class Runs(NamedTuple):
    """What was predicted and measured, by angle and depth."""

    hessians: Array  # (angle, 2, 2)
    kappa: Array  # (angle, depth)
    predicted: Array  # (angle, depth), steps
    measured: Array  # (angle, depth), steps; infinity after `_PATIENCE`
    paths: Array  # (angle, depth, step, 2), from the minimum, in units of the first distance


def predict_steps(kappa: Array) -> Array:
    """Return the steps in which the excess falls to `LEFT` at the best rate, if all is linear."""
    with np.errstate(divide="ignore"):
        # Both extreme parts of the distance shrink by this factor; the loss by its square.
        steps: Array = np.log(LEFT) / (2 * np.log((kappa - 1) / (kappa + 1)))
    return np.maximum(steps, 1)


def run_near_minimum(kappa: float, start: Array) -> Runs:
    """Run the rule in bowls of curvatures 1 and 1/kappa, at every angle and depth."""
    angles = np.radians(ANGLES)
    flat = np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # at 0 it points along w*
    hessians = np.eye(2) - (1 - 1 / kappa) * flat[:, :, None] * flat[:, None, :]
    H = hessians[:, None]
    curvatures = curvatures_near(H, MINIMIZER, DEPTHS)
    rate = 2 / (curvatures[..., :1] + curvatures[..., 1:])
    w = np.broadcast_to(start, (len(ANGLES), len(DEPTHS), 2)).copy()
    measured, paths, first = np.full(w.shape[:2], np.inf), [], None
    rule = update_rule(np.broadcast_to(DEPTHS, w.shape[:2]).astype(float), 1)
    with np.errstate(all="ignore"):  # a run that diverges goes on to nan
        for step in range(_PATIENCE):
            off = w - MINIMIZER
            gradient = (H @ off[..., None])[..., 0]
            excess = (off * gradient).sum(axis=-1)
            first = excess if first is None else first
            measured[(excess <= LEFT * first) & np.isinf(measured)] = step
            if step < _DRAWN:
                paths.append(off / np.linalg.norm(start - MINIMIZER))
            elif np.isfinite(measured).all():
                break
            w = w - rate * rule(w, gradient)
    kappas = condition_near(H, MINIMIZER, DEPTHS)
    return Runs(hessians, kappas, predict_steps(kappas), measured, np.stack(paths, axis=2))


@lru_cache(maxsize=9)
def near_minimum_scene(kappa: float = 10, start: str = "10 % away") -> Scene:
    """Return the scene of `explore_near_minimum` for a bowl's condition number and a start."""
    kappa = number("kappa", kappa, lower=1.0)
    runs = run_near_minimum(kappa, STARTS[one_of("start", start, tuple(STARTS))])
    both = ["depth", "angle"]
    real = condition_near(runs.hessians[:, None], MINIMIZER, _REAL_DEPTHS)
    ellipses = np.stack([_ellipse(runs.hessians, N) for N in DEPTHS])  # (depth, angle, 2, points)
    paths = np.swapaxes(runs.paths, 0, 1)
    tracks: list[Track] = []
    for i, a in enumerate("xy"):
        tracks += [
            Track("bowl", a, ellipses[0, :, i], ["angle"]),
            Track("bowl at depth N", a, ellipses[:, :, i], both),
            Track("path of depth 1", a, paths[0, ..., i], ["angle"]),
            Track("path of depth N", a, paths[..., i], both),
        ]
    steps = runs.measured
    tracks += [
        Track("kappa", "y", real, ["angle"]),
        Track("predicted", "y", predict_steps(real), ["angle"]),
        Track("measured", "y", steps, ["angle"]),
    ]
    tracks.append(plots.depth_name_track(len(DEPTHS)))
    for name, values in (("kappa", runs.kappa.T), ("measured", steps.T)):
        tracks += [
            Track(f"{name} now", "x", DEPTHS, ["depth"]),
            Track(f"{name} now", "y", values, both),
        ]
    best = [best_depth(H, MINIMIZER) for H in runs.hessians]
    reading = Reading(
        "Depth {depth}, w* at {angle}° from the flat axis: κ is {kappa}, at depth 1 {one}; best is "
        "depth {best}. It takes {steps} steps, predicted {predicted}; depth 1 takes {ones}.",
        {
            "kappa": (runs.kappa.T, both),
            "one": (runs.kappa[:, 0], ["angle"]),
            "best": (best, ["angle"]),
            "steps": (steps.T, both),
            "predicted": (runs.predicted.T, both),
            "ones": (steps[:, 0], ["angle"]),
        },
    )
    axes = [
        Axis("depth", "depth N", DEPTHS, start=2),
        Axis("angle", "angle of w* °", ANGLES, start=0, play=True),
    ]
    alt = (
        "Left: a contour of the bowl and of the bowl as depth N sees it, with the first steps of "
        "both. Right: the condition number by depth, and steps predicted and measured by depth."
    )
    narrow = stacked(520, (0.5, 1), (0, 0.3, 0, 0.4), (0, 0.3, 0.6, 1))
    narrow |= {"xaxis2.title.text": "depth N", "annotations[1].text": "<b>κ</b>"}
    narrow["annotations[2].text"] = _STEPS_KEY.replace("   ", "<br>").replace(", predicted", "")
    narrow["xaxis.title.text"] = ""
    return Scene(_figure(), axes, tracks, reading, alt=alt, narrow=narrow)


def _ellipse(hessians: Array, depth: float) -> Array:
    """Return a contour of each bowl as the rule sees it, longer half axis 1, (angle, 2, points)."""
    stretch = np.array([np.sqrt(depth), 1.0])
    curvatures, axes = np.linalg.eigh(stretch[:, None] * hessians * stretch)
    half_axes = np.sqrt(curvatures[:, :1] / curvatures)
    contour: Array = axes @ (half_axes[..., None] * _CIRCLE)
    return contour


_STEPS_KEY = key(("━", "steps, predicted", BLACK), ("○", "measured", BLACK))


def _figure() -> go.Figure:
    figure = plots.one_beside_two(0.46, 0.13)
    figure.add_traces(
        [
            curve("bowl", GREY, "dash", 3),
            curve("bowl at depth N", VERMILLION),
            _path("path of depth 1", GREY),
            _path("path of depth N", VERMILLION),
            arrow(None, BLACK, 3, 14, x=[-1.3, -1.02], y=[0, 0]),
            dot(None, BLACK, "star", 14, x=[0], y=[0]),
        ],
        rows=1,
        cols=1,
    )
    figure.add_trace(curve("kappa", BLACK, x=_REAL_DEPTHS), 1, 2)
    figure.add_trace(dot("kappa now", VERMILLION, size=15, marker_line_color=BLACK), 1, 2)
    figure.add_trace(curve("predicted", BLACK, x=_REAL_DEPTHS), 2, 2)
    figure.add_trace(dot("measured", BLACK, "circle-open", 10, x=DEPTHS), 2, 2)
    figure.add_trace(dot("measured now", VERMILLION, size=15, marker_line_color=BLACK), 2, 2)
    margin = {"l": 76, "t": 60, "b": 64, "r": 16}
    figure.update_layout(template=TEMPLATE, height=380, showlegend=False, margin=margin)
    figure.update_xaxes(title="along w*", range=[-1.35, 1.35], row=1, col=1)
    figure.update_yaxes(title="across w*", range=[-1.2, 1.2], scaleanchor="x", row=1, col=1)
    depths = {
        "type": "log",
        "range": np.log10([0.9, 36]).tolist(),
        "tickvals": DEPTHS[[0, 1, 3, 6, 9, 11]],
    }
    figure.update_xaxes(**depths, row=1, col=2)
    figure.update_xaxes(**depths, title="depth N", row=2, col=2)
    for row, (low, high) in ((1, (0.9, 1_100)), (2, (0.8, 2_600))):
        figure.update_yaxes(
            type="log", range=np.log10([low, high]).tolist(), dtick=1, row=row, col=2
        )
    plots.name_depth(figure, DEPTHS, "seen by depth {:g}")
    places = key(("→", "w*, from 0", BLACK), ("★", "minimum", BLACK))
    heading(figure, f"{places}<br>{key(('┅', 'bowl', GREY))}")
    heading(figure, "<b>condition number κ</b>", 2)
    heading(figure, _STEPS_KEY, 3)
    return figure


def _path(name: str, colour: str) -> go.Scatter:
    look = {"mode": "lines+markers", "marker": {"size": 6, "color": colour}}
    return curve(name, colour, "solid", 1.5, **look)
