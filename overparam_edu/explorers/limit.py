"""Where each depth ends when many solutions fit: `explore_limit`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.mirror_flow import (
    bregman_divergence,
    flow_limit,
    inverse_mirror_map,
    mirror_map,
)
from overparam_edu.explorers import plots
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    GREY,
    PINK,
    TEMPLATE,
    VERMILLION,
    curve,
    dot,
    heading,
    key,
    stacked,
)

_DEPTHS = np.array([1.0, 1.5, 2, 3, 4, 8])
_SIZES = np.array([0.0001, 0.001, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1, 2])
_ANGLES = np.arange(15.0, 166, 15)  # degrees, from the solution of least norm
# The one equation, row . w = 1; the row has length 1, so that it is the solution of least norm.
_ROW = np.array([0.8, 0.6])
_ACROSS = np.array([-0.6, 0.8])
_PARTS = 32  # of a path
_ROUND = np.linspace(0, 2 * np.pi, 61)
_BOTH = ["depth", "size", "angle"]


def explore_limit() -> Explorer:
    r"""Return a regression with many solutions as a widget, and which each depth finds.

    One equation for two weights has a line of solutions. On the left the path of the flow from a
    start at depth ``N`` (orange) and at depth 1 (grey, dashed), and the ball of the Bregman
    divergence :math:`D_\psi(\cdot, w_0)` around the start that just touches the line: it touches
    where the flow ends. On the right the distance of that end from the solution of least norm
    against the size of the start (Azulay et al. 2021).

    Depth, the start's size and direction, and the way along the path move in the browser.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_limit()
    >>> [axis.label for axis in explorer.scene.axes][:2]
    ['depth N', 'length of the start']
    """
    return Explorer(limit_scene, {})


@lru_cache(maxsize=1)
def limit_scene() -> Scene:
    """Return the scene of `explore_limit`."""
    N, angle = _DEPTHS[:, None, None], np.radians(_ANGLES)
    towards = np.cos(angle)[:, None] * _ROW + np.sin(angle)[:, None] * _ACROSS
    starts = _SIZES[:, None, None] * towards  # (size, angle, 2)
    ends = flow_limit(_ROW[None], [1.0], starts, N)  # (depth, size, angle, 2)
    paths = _paths(starts, ends, N)
    balls = _balls(starts, ends, N)
    away = ends @ _ACROSS  # of a length that is the distance from the solution of least norm
    seen = starts @ _ACROSS
    dense = np.geomspace(_SIZES[0], _SIZES[-1], 25)
    curves = flow_limit(_ROW[None], [1.0], dense[:, None] * towards[:, None], N) @ _ACROSS
    x, y = np.moveaxis(paths, -1, 0)
    tracks = [
        *plots.line_tracks("path of depth 1", x[0], y[0], [*_BOTH[1:], "way"]),
        *plots.line_tracks("path", x, y, [*_BOTH, "way"]),
        *plots.point_tracks("now of depth 1", paths[0], [*_BOTH[1:], "way"]),
        *plots.point_tracks("now", paths, [*_BOTH, "way"]),
        *plots.point_tracks("start", starts, _BOTH[1:]),
        *plots.point_tracks("ball", balls, _BOTH),
        *plots.point_tracks("end", ends, _BOTH),
        plots.depth_name_track(len(_DEPTHS)),
        Track("distance of depth 1", "y", curves[0], ["angle"]),
        Track("distance", "y", np.moveaxis(curves, 1, 0), ["angle", "depth"]),
        Track("distance now of depth 1", "x", _SIZES, ["size"]),
        Track("distance now of depth 1", "y", away[0], _BOTH[1:]),
        Track("distance now", "x", _SIZES, ["size"]),
        Track("distance now", "y", away, _BOTH),
    ]
    reading = Reading(
        "Depth {depth} ends {away} from the solution of least norm, depth 1 {away_1}. The part of "
        "w that the data don’t see began as {seen}; depth {depth} has multiplied it by {factor}.",
        {
            "away": (away, _BOTH),
            "away_1": (away[0], _BOTH[1:]),
            "seen": (seen, _BOTH[1:]),
            "factor": (away / seen, _BOTH),
        },
    )
    axes = [
        Axis("depth", "depth N", _DEPTHS, start=3),
        Axis("size", "length of the start", _SIZES, start=5),
        Axis("angle", "its angle °", _ANGLES, start=6),
        Axis("way", "way gone, %", np.linspace(0, 100, _PARTS), start=_PARTS - 1, play=True),
    ]
    narrow = stacked(470, (0.5, 1), (0, 0.3))
    narrow |= {"yaxis2.dtick": 2, "yaxis2.title.text": "", "xaxis.title.text": ""}
    return Scene(_figure(dense), axes, tracks, reading, alt=_ALT, narrow=narrow)


_ALT = (
    "Left: a line of solutions, the paths of depth 1 and depth N from a start to it, and the ball "
    "of the Bregman divergence around the start that touches the line where depth N ends. Right: "
    "distance of the end from the solution of least norm against the length of the start."
)


def _paths(starts: Array, ends: Array, N: Array) -> Array:
    """Return the flow's paths at stops that are evenly spaced along them, (..., stops, 2)."""
    # There is one equation: the mirror image moves straight, along its row.
    share, N = np.linspace(0, 1, 2_001)[:, None], N[..., None]
    first, last = mirror_map(starts, N[..., 0])[..., None, :], mirror_map(ends, N[..., 0])
    fine = inverse_mirror_map(first + share * (last[..., None, :] - first), N)
    length = np.cumsum(np.linalg.norm(np.diff(fine, axis=-2), axis=-1), axis=-1)
    lanes = fine.shape[:-2]
    paths = np.empty((*lanes, _PARTS, 2))
    for lane in np.ndindex(lanes):
        way = np.append(0.0, length[lane])
        at = np.linspace(0, way[-1], _PARTS)
        paths[lane] = np.stack([np.interp(at, way, fine[lane][:, i]) for i in (0, 1)], axis=-1)
    return paths


def _balls(starts: Array, ends: Array, N: Array) -> Array:
    """Return closed curves of points as far from the start as the end is, (..., points, 2)."""
    rays = np.stack([np.cos(_ROUND), np.sin(_ROUND)], axis=-1)
    size, N = bregman_divergence(ends, starts, N)[..., None], N[..., None]
    low, high = np.zeros((*size.shape[:-1], len(_ROUND))), np.full_like(size, 1e4)
    for _ in range(50):  # along each ray the divergence grows
        middle = (low + high) / 2
        points = starts[..., None, :] + middle[..., None] * rays
        inside = bregman_divergence(points, starts[..., None, :], N) < size
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    balls: Array = starts[..., None, :] + low[..., None] * rays
    return balls


def _figure(sizes: Array) -> go.Figure:
    figure = make_subplots(cols=2, column_widths=[0.56, 0.44], horizontal_spacing=0.13)
    line = _ROW + np.array([[-4.0], [4.0]]) * _ACROSS
    one, deep = (GREY, "dash", 3), (VERMILLION, "solid", 4)
    left = [
        curve("solutions", BLACK, "dot", 3, x=line[:, 0], y=line[:, 1]),
        curve("ball", PINK, width=3, fill="toself", fillcolor="rgba(176,69,127,0.1)"),
        curve("path of depth 1", *one),
        curve("path", *deep),
        dot("start", BLACK, "x", 12),
        dot("end", PINK, "circle-open", 22),
        dot("least norm", BLACK, "star", 18, x=_ROW[:1], y=_ROW[1:]),
        dot("now of depth 1", GREY, "circle-open"),
        dot("now", VERMILLION),
    ]
    right = [
        curve("distance of depth 1", *one, x=sizes),
        curve("distance", *deep, x=sizes),
        dot("distance now of depth 1", GREY, "circle-open"),
        dot("distance now", VERMILLION),
    ]
    figure.add_traces(left, rows=1, cols=1)
    figure.add_traces(right, rows=1, cols=2)
    ticks = {"type": "log", "dtick": 1, "exponentformat": "power"}
    figure.update_layout(
        template=TEMPLATE,
        height=385,
        showlegend=False,
        margin={"t": 60, "b": 62, "r": 16},
        xaxis={"range": [-1.8, 1.8], "title": "w₁", "dtick": 1},
        yaxis={"range": [-1.1, 2.3], "title": "w₂", "dtick": 1, "scaleanchor": "x"},
        xaxis2={"range": [-4.1, 0.5], "title": "length of the start", **ticks},
        yaxis2={"range": [-4.8, 0.8], "title": "distance", **ticks},
    )
    things = key(("┉", "solutions", BLACK), ("★", "least norm", BLACK), ("✕", "start", BLACK))
    paths = key(("┅", "depth 1", GREY), ("◯", "ball", PINK))
    heading(figure, f"{things}<br>{paths}")
    plots.name_depth(figure, _DEPTHS)
    heading(figure, "<b>how far from least norm it ends</b>", 2)
    return figure
