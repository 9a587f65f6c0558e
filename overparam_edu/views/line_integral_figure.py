"""The picture of `explore_line_integral`, before its sliders fill it."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from overparam_edu._validation import Array
from overparam_edu.views.loops import LETTERS, Loop, laps_of
from overparam_edu.views.style import BLACK, BLUE, GREEN, GREY, TEMPLATE, VERMILLION, key
from overparam_edu.views.vector_field import CURL_KEY, arrow_trace, curl_trace

# The traces in the order they stand in the figure (2 is the curve).
CURL, FIELD = 0, 1
TRACE, HERE, LAP, WORK, NOW, ADAPTIVE, PROJECTION, SUM = range(3, 11)

ALT = (
    "Left: the field's arrows over its curl in colours, and the closed curve with a point that "
    "walks round it. Right: the work done so far along the way, and below it the work on each of "
    "the curve's pieces, split into adaptive rate and projection."
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
_STRIPES = {"shape": "/", "fillmode": "overlay", "fgcolor": "white", "solidity": 0.25}
_ABOVE = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}
# Half the size of a corner's handle, in pixels: large enough for a finger.
_HANDLE = 15


def line_integral_figure(
    grid: tuple[Array, Array], arrows: int, loop: Loop, laps: int
) -> go.Figure:
    """Return the figure with the curve, empty traces for what moves, and fixed axes.

    Parameters
    ----------
    grid : tuple of ndarray
        Where the curl's colours stand, from edge to edge of the plane's panel.
    arrows : int
        How many arrows the field has.
    loop : Loop
        One lap.
    laps : int
        How often it is walked.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure([curl_trace(*grid), arrow_trace(arrows), *_lines(loop, laps), *_bars(loop)])
    figure.update_traces(hoverinfo="skip")
    figure.update_layout(
        template=TEMPLATE,
        height=400,
        font_size=16,
        showlegend=False,
        margin={"l": 64, "t": 36, "b": 56, "r": 30},
        barmode="relative",
        bargap=0.35,
    )
    _add_axes(figure, grid, loop, laps)
    _add_words(figure, loop)
    if laps == 1:
        _add_names(figure, loop)
    for letter, (x, y) in zip(LETTERS, loop.corners, strict=False):
        figure.add_shape(**_handle(letter, x, y))
    return figure


def _lines(loop: Loop, laps: int) -> list[go.Scatter]:
    dashed = {"color": BLACK, "width": 3, "dash": "dash"}
    heavy = {"color": VERMILLION, "width": 5}
    dot = {"color": VERMILLION, "size": 17, "line": {"width": 2, "color": BLACK}}
    right = {"xaxis": "x2", "yaxis": "y2"}
    x, y = loop.points.T
    return [
        go.Scatter(x=x, y=y, mode="lines", line=dashed),
        go.Scatter(mode="lines", line=heavy),
        go.Scatter(mode="markers", marker=dot),
        go.Scatter(x=laps_of(loop, laps).way, mode="lines", line=dashed | {"width": 2}, **right),
        go.Scatter(mode="lines", line=heavy, **right),
        go.Scatter(mode="markers", marker=dot, cliponaxis=False, **right),
    ]


def _bars(loop: Loop) -> list[Any]:
    below = {"x": [*loop.names, "lap"], "xaxis": "x3", "yaxis": "y3"}
    return [
        go.Bar(marker={"color": BLUE}, **below),
        go.Bar(marker={"color": GREEN, "pattern": _STRIPES}, **below),
        go.Scatter(mode="text", textposition="top center", textfont={"size": 15}, **below),
    ]


def _add_axes(figure: go.Figure, grid: tuple[Array, Array], loop: Loop, laps: int) -> None:
    x, y = ([float(side[0]), float(side[-1])] for side in grid)
    # A dotted line where a piece ends, or a lap.
    dotted = {"showgrid": True, "gridcolor": GREY, "griddash": "dot", "ticklen": 0}
    ends = {"tickvals": loop.ends, "ticktext": [""] * (len(loop.names) - 1) + ["1 lap"]}
    if laps > 1:
        words = [*map(str, range(1, laps)), f"{laps} laps"]
        ends = {"tickvals": np.arange(1, laps + 1), "ticktext": words}
    done = "work so far" if laps == 1 else "height gained"
    figure.update_layout(
        xaxis={"domain": [0, 0.53], "range": x, "title": _title("along e")},
        yaxis={"range": y, "scaleanchor": "x", "constrain": "domain", "title": _title("across e")},
        xaxis2={"domain": [0.62, 1], "anchor": "y2", "range": [0, 1.001 * laps], **dotted, **ends},
        yaxis2={"domain": [0.58, 1], "anchor": "x2", "title": _title(done), "nticks": 5},
        xaxis3={"domain": [0.62, 1], "anchor": "y3"},
        yaxis3={"domain": [0, 0.38], "anchor": "x3", "title": _title("work"), "nticks": 5},
    )


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 8}


def _add_words(figure: go.Figure, loop: Loop) -> None:
    parts = key(("■", "adaptive rate", BLUE), ("▨", "projection", GREEN))
    for text, axis in ((CURL_KEY, ""), (parts, "3")):
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, **place, **_ABOVE)
    style = {"font": {"size": 20}, "showarrow": False, "bgcolor": "rgba(255,255,255,0.6)"}
    for name, (x, y, right, up) in zip(loop.names, loop.signs, strict=False):
        figure.add_annotation(text=f"<b>{name}</b>", x=x, y=y, xshift=right, yshift=up, **style)


def _add_names(figure: go.Figure, loop: Loop) -> None:
    style = _ABOVE | {"xanchor": "center", "font": {"size": 17}}
    ends = np.concatenate([[0.0], loop.ends])
    for name, x in zip(loop.names, (ends[:-1] + ends[1:]) / 2, strict=True):
        place = {"x": x, "xref": "x2", "y": 1, "yref": "y2 domain"}
        figure.add_annotation(text=f"<b>{name}</b>", **place, **style)


def _handle(letter: str, x: float, y: float) -> dict[str, Any]:
    """Return a corner as a disc that can be dragged."""
    ends = {"x0": -_HANDLE, "x1": _HANDLE, "y0": -_HANDLE, "y1": _HANDLE}
    place = {"xsizemode": "pixel", "ysizemode": "pixel", "xanchor": x, "yanchor": y}
    label = {"text": f"<b>{letter}</b>", "font": {"size": 16, "color": BLACK}}
    line = {"color": BLACK, "width": 2}
    colour = {"fillcolor": "rgba(255,255,255,0.6)", "line": line, "label": label}
    return {"type": "circle", "editable": True, **ends, **place, **colour}
