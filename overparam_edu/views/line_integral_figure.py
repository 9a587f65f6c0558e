"""The picture of `explore_line_integral`, before its sliders fill it."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from overparam_edu._validation import Array
from overparam_edu.views.style import BLACK, BLUE, GREEN, GREY, TEMPLATE, VERMILLION, key
from overparam_edu.views.vector_field import CURL_KEY, arrow_trace, curl_trace

# The traces in the order they stand in the figure (2 is the curve).
CURL, FIELD = 0, 1
TRACE, HERE, LAP, WORK, NOW, ADAPTIVE, PROJECTION, SUM = range(3, 11)

ALT = (
    "Left: the field's arrows over its curl in colours, and the closed curve with a point that "
    "walks round it. Right: the work done so far along the way, and below it the work on each of "
    "the four pieces of the curve, split into adaptive rate and projection."
)
NARROW = {
    "height": 1000,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.66, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0.34, 0.56],
    "xaxis3.domain": [0, 1],
    "yaxis3.domain": [0.02, 0.24],
}
_SIGNS = ("①", "②", "③", "④")
_BARS = (*_SIGNS, "lap")
_STRIPES = {"shape": "/", "fillmode": "overlay", "fgcolor": "white", "solidity": 0.25}
_ABOVE = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}


def line_integral_figure(
    grid: tuple[Array, Array], arrows: int, radii: tuple[float, float], way: Array, parts: Array
) -> go.Figure:
    """Return the figure with the curve, empty traces for what moves, and fixed axes.

    Parameters
    ----------
    grid : tuple of ndarray
        Where the curl's colours stand, from edge to edge of the plane's panel.
    arrows : int
        How many arrows the field has.
    radii : tuple of float
        ``r`` and ``R``.
    way : ndarray, shape (stops,)
        How far the walk has come, in laps.
    parts : ndarray, shape (2, depths, 5)
        The heights of the bars: adaptive rate and projection, on each piece and in all.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure([curl_trace(*grid), arrow_trace(arrows), *_lines(radii, way), *_bars()])
    figure.update_traces(hoverinfo="skip")
    figure.update_layout(
        template=TEMPLATE,
        height=370,
        font_size=16,
        showlegend=False,
        margin={"l": 64, "t": 36, "b": 44, "r": 12},
        barmode="relative",
        bargap=0.35,
    )
    laps = round(float(way[-1]))
    _add_axes(figure, grid, laps, parts)
    _add_words(figure, radii)
    _add_corners(figure, radii, laps)
    return figure


def _lines(radii: tuple[float, float], way: Array) -> list[go.Scatter]:
    r, R = radii
    cos, sin = (f(np.linspace(0, np.pi, 60)) for f in (np.cos, np.sin))
    x, y = np.concatenate([[-R], -r * cos, R * cos]), np.concatenate([[0], r * sin, R * sin])
    dashed = {"color": BLACK, "width": 3, "dash": "dash"}
    heavy = {"color": VERMILLION, "width": 5}
    dot = {"color": VERMILLION, "size": 17, "line": {"width": 2, "color": BLACK}}
    right = {"xaxis": "x2", "yaxis": "y2"}
    return [
        go.Scatter(x=x, y=y, mode="lines", line=dashed),
        go.Scatter(mode="lines", line=heavy),
        go.Scatter(mode="markers", marker=dot),
        go.Scatter(x=way, mode="lines", line=dashed | {"width": 2}, **right),
        go.Scatter(mode="lines", line=heavy, **right),
        go.Scatter(mode="markers", marker=dot, cliponaxis=False, **right),
    ]


def _bars() -> list[Any]:
    below = {"x": _BARS, "xaxis": "x3", "yaxis": "y3"}
    return [
        go.Bar(marker={"color": BLUE}, **below),
        go.Bar(marker={"color": GREEN, "pattern": _STRIPES}, **below),
        go.Scatter(mode="text", textposition="top center", textfont={"size": 15}, **below),
    ]


def _add_axes(figure: go.Figure, grid: tuple[Array, Array], laps: int, parts: Array) -> None:
    x, y = ([float(side[0]), float(side[-1])] for side in grid)
    low, high = (f(parts, 0).sum(axis=0) for f in (np.minimum, np.maximum))
    bottom, top = float(low.min()), float(high.max())
    air = 0.22 * max(top - bottom, 1e-9)
    ticks = [*map(str, range(laps)), "1 lap" if laps == 1 else f"{laps} laps"]
    figure.update_layout(
        xaxis={"domain": [0, 0.53], "range": x, "title": _title("along e")},
        yaxis={"range": y, "scaleanchor": "x", "constrain": "domain", "title": _title("across e")},
        xaxis2={"domain": [0.62, 1], "anchor": "y2", "range": [0, 1.001 * laps]},
        yaxis2={"domain": [0.58, 1], "anchor": "x2", "title": _title("work so far"), "nticks": 5},
        xaxis3={"domain": [0.62, 1], "anchor": "y3"},
        yaxis3={"domain": [0, 0.38], "anchor": "x3", "title": _title("work"), "nticks": 5},
    )
    figure.update_layout(
        xaxis2={"tickvals": list(range(laps + 1)), "ticktext": ticks},
        yaxis3={"range": [bottom - air / 3, top + air]},
    )


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 4}


def _add_words(figure: go.Figure, radii: tuple[float, float]) -> None:
    parts = key(("■", "adaptive rate", BLUE), ("▨", "projection", GREEN))
    for text, axis in ((CURL_KEY, ""), (parts, "3")):
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, **place, **_ABOVE)
    r, R = radii
    places = ((-(r + R) / 2, 0, -16), (0, r, 16), ((r + R) / 2, 0, -16), (0, R, -16))
    style = {"font": {"size": 20}, "showarrow": False, "bgcolor": "rgba(255,255,255,0.6)"}
    for sign, (x, y, shift) in zip(_SIGNS, places, strict=True):
        figure.add_annotation(text=f"<b>{sign}</b>", x=x, y=y, yshift=shift, **style)


def _add_corners(figure: go.Figure, radii: tuple[float, float], laps: int) -> None:
    """Mark the corners of a single lap, or the ends of several."""
    r, R = radii
    lengths = np.array([R - r, np.pi * r, R - r, np.pi * R])
    corners = np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum()
    for x in corners[1:] if laps == 1 else range(1, laps + 1):
        line = {"width": 1, "dash": "dot", "color": GREY}
        figure.add_shape(x0=x, x1=x, y0=0, y1=1, xref="x2", yref="y2 domain", line=line)
    if laps > 1:
        return
    style = _ABOVE | {"xanchor": "center", "font": {"size": 18}}
    for sign, x in zip(_SIGNS, (corners[:-1] + corners[1:]) / 2, strict=True):
        place = {"x": x, "xref": "x2", "y": 1, "yref": "y2 domain"}
        figure.add_annotation(text=f"<b>{sign}</b>", **place, **style)
