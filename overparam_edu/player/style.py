"""One look for every picture: large type, and colours that colour-blind eyes tell apart."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

# Okabe and Ito's palette (2008), without its yellow, which a projector washes out. One colour has
# one role: GREY is depth 1, dashed; VERMILLION depth N; BLUE the adaptive rate; GREEN the
# projection; BLACK what is true, measured or the minimum, a star; PLUS and MINUS anything signed.
# PINK and BROWN, dark enough for text, are for whatever else there is.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6E6E6E"
PLUS, MINUS, PINK, BROWN = "#7B2D8B", "#006D77", "#B0457F", "#7A5C00"
# Small values stand out more than in proportion.
_BETWEEN = (MINUS, "#80B6BB", "#FFFFFF", "#BD96C5", PLUS)
SIGNED = [*zip((0.0, 0.375, 0.5, 0.625, 1.0), _BETWEEN, strict=True)]

# Every series differs in dash as well as in colour.
_COLOURS = (GREY, VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
_DASHES = ("dash", "solid", "dot", "dashdot", "longdash", "longdashdot", "solid", "dot")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

_AXIS = {"gridcolor": "#E3E3E3", "linecolor": GREY, "ticks": "outside", "zeroline": False}
_AXIS |= {"title": {"standoff": 8}}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 18, "color": BLACK},
        "title": {"font": {"size": 22}, "x": 0.02, "xanchor": "left"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": _COLOURS,
        "margin": {"l": 76, "r": 20, "t": 56, "b": 60},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"bgcolor": "rgba(255,255,255,0.8)"},
        "hoverlabel": {"font": {"size": 16}},
    }
)


def line(series: int, *, width: float = 3) -> dict[str, Any]:
    """Return the line style of the series with this number: 0 is the grey, dashed reference."""
    turn = series % len(_COLOURS)
    return {"color": _COLOURS[turn], "dash": _DASHES[turn], "width": width}


def curve(
    name: str | None, colour: str, dash: str = "solid", width: float = 4, **more: Any
) -> go.Scatter:
    """Return a line under a name, by which a `Track` finds it; it does not react to the mouse."""
    style = {"color": colour, "dash": dash, "width": width}
    return _scatter(name, {"mode": "lines", "line": style} | more)


def dot(
    name: str | None, colour: str, symbol: str = "circle", size: float = 14, **more: Any
) -> go.Scatter:
    """Return a marker under a name, whole even on the edge of its panel."""
    marker = {"color": colour, "size": size, "symbol": symbol, "line": {"width": 2}}
    return _scatter(name, {"mode": "markers", "marker": marker, "cliponaxis": False} | more)


def arrow(
    name: str | None, colour: str, width: float = 5, head: float = 20, **more: Any
) -> go.Scatter:
    """Return an arrow under a name: a line of two points with its head at the second."""
    marker = {"symbol": "arrow", "size": [0, head], "angleref": "previous", "color": colour}
    style = {"color": colour, "width": width}
    return _scatter(name, {"mode": "lines+markers", "marker": marker, "line": style} | more)


def _scatter(name: str | None, look: dict[str, Any]) -> go.Scatter:
    return go.Scatter(**{"uid": name, "hoverinfo": "skip"} | look)


def heading(figure: go.Figure, text: str, panel: int = 1, **more: Any) -> None:
    """Write a heading, or a `key`, above the left end of a panel; panels count from 1."""
    number = "" if panel == 1 else str(panel)
    place = {"xref": f"x{number} domain", "yref": f"y{number} domain", "x": 0, "y": 1}
    look = {"xanchor": "left", "yanchor": "bottom", "align": "left", "showarrow": False}
    figure.add_annotation(**place | look | {"text": text, "font": {"size": 16}} | more)


def stacked(height: float, *panels: tuple[float, ...], **more: Any) -> dict[str, Any]:
    """Return what holds on a narrow screen: panels at these parts of the height, each from 0 to 1.

    It is a scene's ``narrow``. A panel is (bottom, top), as wide as the screen, or (bottom, top,
    left, right).
    """
    layout: dict[str, Any] = {"height": height, "font.size": 14}
    layout |= {"margin.l": 56, "margin.r": 20, "margin.b": 54}  # player.js makes type smaller
    for number, (bottom, top, *sides) in enumerate(panels, start=1):
        panel = "" if number == 1 else str(number)
        layout[f"yaxis{panel}.domain"] = [bottom, top]
        layout[f"xaxis{panel}.domain"] = sides or [0, 1]
    return layout | more


def key(*entries: tuple[str, str, str]) -> str:
    """Return a legend as one line of coloured text, from signs, names and colours.

    Plotly's own legend takes room from the plot and wraps as it likes.
    """
    spans = (f'<span style="color:{c}"><b>{sign} {name}</b></span>' for sign, name, c in entries)
    return "   ".join(spans)
