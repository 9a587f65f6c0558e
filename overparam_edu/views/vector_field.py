"""The rule's field in the plane as a picture: arrows, and its curl as colours behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from overparam_edu._validation import Array
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.end_to_end import single_output_direction
from overparam_edu.dynamics.losses import SupportsGradient
from overparam_edu.views.style import GREY, key

# Depths at which the fields have a stop: close together where most happens.
DEPTHS = np.concatenate([np.arange(1, 4, 0.25), np.arange(4, 8.5, 0.5)])

_ANTICLOCKWISE, _CLOCKWISE = "#E9A23B", "#7FA8D1"
CURL_KEY = key(("■", "curl > 0", "#B26B00"), ("■", "curl < 0", "#3A6EA5"), ("→", "field", GREY))
# Rounding of the curl is below this part of the largest slope the field can have.
_NOTHING = 1e-8


def curl_trace(x: Array, y: Array) -> go.Heatmap:
    """Return the empty heat map that `curl_colours` fills.

    Parameters
    ----------
    x, y : ndarray
        Where the colours stand.

    Returns
    -------
    plotly.graph_objects.Heatmap
    """
    return go.Heatmap(
        x=x,
        y=y,
        zmin=-1,
        zmax=1,
        colorscale=[[0, _CLOCKWISE], [0.5, "#FFFFFF"], [1, _ANTICLOCKWISE]],
        zsmooth="best",
        showscale=False,
        hoverinfo="skip",
    )


def curl_colours(loss: SupportsGradient, depths: Array, x: Array, y: Array) -> Array:
    """Return the curl on a grid, as colours that can be compared between depths.

    Parameters
    ----------
    loss : Loss
        Of two parameters.
    depths : ndarray, shape (depths,)
        Each at least 1.
    x, y : ndarray
        The grid.

    Returns
    -------
    ndarray, shape (depths, len(y), len(x))
        From -1 to 1: the square root of the size, with the sign, relative to nearly the largest of
        all depths. NaN where the loss has no gradient.
    """
    points, N = _grid(x, y), depths[:, None, None]
    with np.errstate(all="ignore"):
        values = curl(loss, N, points)
        gradient = np.asarray(loss.gradient(points), float)
        length = np.linalg.norm(points, axis=-1)
        slopes = N * length ** (1 - 2 / N) * np.linalg.norm(gradient, axis=-1)
        top = max(_nearly_largest(values), _NOTHING * _nearly_largest(slopes), 1e-300)
        colours: Array = np.sign(values) * np.sqrt(np.minimum(np.abs(values) / top, 1))
    return np.where(np.isfinite(values), colours, np.nan)


def _nearly_largest(values: Array) -> float:
    sizes = np.abs(values[np.isfinite(values)])
    return float(np.quantile(sizes, 0.98)) if sizes.size else 0.0


def arrow_trace(count: int) -> go.Scatter:
    """Return the empty trace that takes the ends of `count` arrows, each with a gap behind it.

    Parameters
    ----------
    count : int

    Returns
    -------
    plotly.graph_objects.Scatter
    """
    marker: dict[str, Any] = {"symbol": "arrow", "size": [0, 9, 0] * count, "color": GREY}
    marker |= {"angleref": "previous", "opacity": 1}
    style = {"color": GREY, "width": 1.5}
    return go.Scatter(mode="lines+markers", marker=marker, line=style, hoverinfo="skip")


def arrow_ends(
    loss: SupportsGradient, depths: Array, x: Array, y: Array, *, control: bool = False
) -> Array:
    """Return arrows of the field from the points of a grid.

    Parameters
    ----------
    loss : Loss
        Of two parameters, with a gradient at every point of the grid.
    depths : ndarray, shape (depths,)
        Each at least 1.
    x, y : ndarray
        The grid.
    control : bool
        Draw the loss's gradient in place of the rule's field.

    Returns
    -------
    ndarray, shape (depths, 3 len(x) len(y), 2)
        Tail, tip and a gap for each arrow. Lengths are square roots, so that weak ones can be
        seen; the longest of each depth reaches as far as the grid's spacing.
    """
    tails = _grid(x, y).reshape(-1, 2)
    gradient = loss.gradient(tails)
    N = np.ones_like(depths) if control else depths
    field = single_output_direction(tails, gradient, N[:, None])
    size = np.linalg.norm(field, axis=-1, keepdims=True)
    unit = field / np.where(size > 0, size, 1.0)
    longest = size.max(axis=1, keepdims=True)
    share = np.sqrt(size / np.where(longest > 0, longest, 1.0))
    tips = np.where(size > 0, tails + (x[1] - x[0]) * share * unit, np.nan)
    start = np.broadcast_to(tails, tips.shape)
    ends = np.stack([start, tips, np.full_like(tips, np.nan)], axis=2)
    return ends.reshape(len(depths), -1, 2)


def _grid(x: Array, y: Array) -> Array:
    grid: Array = np.stack(np.meshgrid(x, y), axis=-1)
    return grid
