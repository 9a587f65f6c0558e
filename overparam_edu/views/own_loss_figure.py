"""The picture of `explore_own_loss`, before its sliders fill it."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from overparam_edu._validation import Array
from overparam_edu.derivations.symbolic_loss import SymbolicLoss
from overparam_edu.dynamics.losses import Loss
from overparam_edu.views.figures import loss_contour
from overparam_edu.views.style import BLACK, GREY, TEMPLATE, VERMILLION, key
from overparam_edu.views.vector_field import CURL_KEY, arrow_trace, curl_trace

# The traces in the order they stand in the figure; 2 to 5 are those of `path_tracks`.
LOSS_1, LOSS, CURL, ARROWS, LOOP = range(6, 11)
# Where a logarithmic axis puts iteration 0, which has no logarithm.
STEP_0 = 0.5

ALT = (
    "Left: paths of gradient descent at depth 1 and at the chosen depth over the contours of the "
    "loss. Middle: the field's arrows over its curl in colours, and a loop round which its work is "
    "not 0, if there is one. Right: the loss against iteration."
)
NARROW = {
    "height": 1100,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.69, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0.32, 0.62],
    "xaxis3.domain": [0, 1],
    "yaxis3.domain": [0, 0.24],
}
# The least width of the plane's picture in a direction, relative to that in the other.
_SLIMMEST = 0.5
_ABOVE = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}


class Above(Loss):
    """A loss above its least value, with something finite everywhere, to be drawn.

    Parameters
    ----------
    loss : SymbolicLoss
        Of two variables.
    least : float
        What is subtracted.
    """

    shape = (2,)

    def __init__(self, loss: SymbolicLoss, least: float) -> None:
        self.loss, self.least = loss, least

    def _value(self, w: Array) -> Array:
        height = self.loss.value(w) - self.least
        finite = height[np.isfinite(height)]
        top = 1e3 * max(float(np.quantile(finite, 0.9)) if finite.size else 1.0, 1e-290)
        return np.nan_to_num(np.clip(height, 1e-12 * top, top), nan=top)

    def _gradient(self, w: Array) -> Array:
        return np.nan_to_num(np.clip(self.loss.gradient(w), -1e90, 1e90), nan=0.0)


def plane_spans(points: Array, start: Array, other: Array) -> Array:
    """Return axis ranges that hold 0, the start, another point and the paths, not too slim.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Of the paths.
    start, other : ndarray, shape (2,)

    Returns
    -------
    ndarray, shape (2, 2)
        Lower and upper end, for each coordinate.
    """
    corners = np.concatenate([points, [start, other, np.zeros(2)]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = 0.6 * (high - low)
    half = np.maximum(half, _SLIMMEST * half.max())
    middle = (low + high) / 2
    return np.stack([middle - half, middle + half], axis=1)


def grid(spans: Array, *, coarse: bool = False) -> tuple[Array, Array]:
    """Return where the curl's colours stand, or the field's arrows.

    Parameters
    ----------
    spans : ndarray, shape (2, 2)
        The part of the plane to show.
    coarse : bool
        For the arrows.

    Returns
    -------
    x, y : ndarray
    """
    x, y = (np.linspace(low, high, 11 if coarse else 32) for low, high in spans)
    return (x[1:-1], y[1:-1]) if coarse else (x, y)


def own_loss_figure(above: Above, spans: Array, start: Array, minimum: Array | None) -> go.Figure:
    """Return the figure with the contours, the start and the minimum, and empty traces.

    Parameters
    ----------
    above : Above
        The loss.
    spans : ndarray, shape (2, 2)
        The part of the plane to show.
    start : ndarray, shape (2,)
        Where the runs start.
    minimum : ndarray, shape (2,), or None

    Returns
    -------
    plotly.graph_objects.Figure
    """
    x, y = grid(spans)
    arrows = grid(spans, coarse=True)[0].size * grid(spans, coarse=True)[1].size
    plane, right = {"xaxis": "x2", "yaxis": "y2"}, {"xaxis": "x3", "yaxis": "y3"}
    one, deep = _line(GREY, "dash", 3), _line(VERMILLION, "solid", 4)
    figure = go.Figure(
        [
            loss_contour(above, spans[0], spans[1]),
            _marks(start, minimum),
            go.Scatter(one),
            go.Scatter(deep),
            _dot(GREY, "circle-open"),
            _dot(VERMILLION, "circle"),
            go.Scatter(one, **right),
            go.Scatter(deep, **right),
            curl_trace(x, y).update(plane),
            arrow_trace(arrows).update(plane),
            go.Scatter(_line(BLACK, "solid", 4), **plane),
            _marks(start, minimum).update(plane),
        ]
    )
    figure.update_traces(hoverinfo="skip")
    figure.update_layout(template=TEMPLATE, height=382, showlegend=False, font_size=16)
    figure.update_layout(margin={"l": 88, "t": 58, "b": 60, "r": 12})
    w1, w2, iteration = ({"text": text, "standoff": 8} for text in ("w₁", "w₂", "iteration"))
    ranges = [[float(end) for end in span] for span in spans]
    horizontal = {"range": ranges[0], "title": w1, "nticks": 6}
    vertical = {"range": ranges[1], "nticks": 6}
    figure.update_layout(
        xaxis={"domain": [0, 0.345]} | horizontal,
        xaxis2={"domain": [0.39, 0.735]} | horizontal,
        xaxis3={"domain": [0.81, 1], "anchor": "y3", "title": iteration, "tickfont": {"size": 15}},
        yaxis={"title": w2} | vertical,
        yaxis2={"anchor": "x2", "showticklabels": False} | vertical,
        yaxis3={"anchor": "x3", "tickfont": {"size": 15}},
    )
    _add_keys(figure, minimum is not None)
    return figure


def _add_keys(figure: go.Figure, found: bool) -> None:
    lines = key(("┅", "depth 1", GREY), ("━", "depth N", VERMILLION))
    marks = [("◇", "start", BLACK), ("+", "0", BLACK)]
    marks[1:1] = [("★", "minimum", BLACK)] if found else []
    words = {
        "": f"{lines}<br>{key(*marks)}",
        "2": f"{CURL_KEY}<br>{key(('▢', 'loop with work', BLACK))}",
        "3": f"<b>{'loss above<br>minimum' if found else 'loss'}</b>",
    }
    for axis, text in words.items():
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, align="left", **place, **_ABOVE)


def add_level(figure: go.Figure, level: float, *, log: bool) -> None:
    """Draw the line at which a run has arrived.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    level : float
    log : bool
        Whether the loss has a logarithmic axis.
    """
    line, place = {"dash": "dot", "width": 2}, {"xref": "x3 domain", "yref": "y3"}
    figure.add_shape(x0=0, x1=1, y0=level, y1=level, line=line, **place)
    at = float(np.log10(level)) if log else level  # where annotations on such axes stand
    style = _ABOVE | {"font": {"size": 14}, "yanchor": "top"}
    figure.add_annotation(text="arrived", x=0.02, y=at, **place, **style)


def _line(colour: str, dash: str, width: float) -> dict[str, Any]:
    return {"mode": "lines", "line": {"color": colour, "dash": dash, "width": width}}


def _dot(colour: str, symbol: str) -> go.Scatter:
    marker = {"color": colour, "size": 14, "symbol": symbol, "line": {"width": 2}}
    return go.Scatter(mode="markers", marker=marker)


def _marks(start: Array, minimum: Array | None) -> go.Scatter:
    """Return the start, 0 and the minimum as markers."""
    points = [start, np.zeros(2), *([] if minimum is None else [minimum])]
    x, y = np.array(points).T
    marker = {
        "symbol": ["diamond-open", "cross-thin", "star"][: len(points)],
        "size": [14, 14, 18][: len(points)],
        "color": BLACK,
        "line": {"width": 2, "color": BLACK},
    }
    return go.Scatter(x=x, y=y, mode="markers", marker=marker)
