"""One look for every picture: large type, and colours that colour-blind eyes tell apart."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

# Okabe and Ito's palette (2008), without its yellow, which a projector washes out.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#6E6E6E"

# Every series differs in dash as well as in colour.
_COLOURS = (GREY, VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
_DASHES = ("dash", "solid", "dot", "dashdot", "longdash", "longdashdot", "solid", "dot")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 18, "color": BLACK},
        "title": {"font": {"size": 22}, "x": 0.02, "xanchor": "left"},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": _COLOURS,
        "margin": {"l": 76, "r": 20, "t": 56, "b": 60},
        "xaxis": {"gridcolor": "#E3E3E3", "linecolor": GREY, "ticks": "outside", "zeroline": False},
        "yaxis": {"gridcolor": "#E3E3E3", "linecolor": GREY, "ticks": "outside", "zeroline": False},
        "legend": {"bgcolor": "rgba(255,255,255,0.8)"},
        "hoverlabel": {"font": {"size": 16}},
    }
)


def line(series: int, *, width: float = 3) -> dict[str, Any]:
    """Return the line style of the series with this number, from 0.

    Parameters
    ----------
    series : int
        0 is the reference (grey, dashed); styles repeat after 8.
    width : float
        In pixels.

    Returns
    -------
    dict
        For a Plotly ``line``.
    """
    turn = series % len(_COLOURS)
    return {"color": _COLOURS[turn], "dash": _DASHES[turn], "width": width}


def key(*entries: tuple[str, str, str]) -> str:
    """Return a legend as one line of coloured text, to stand in an annotation.

    Plotly's own legend takes room from the plot and wraps as it likes; text beside the lines is
    read faster and prints the same everywhere.

    Parameters
    ----------
    *entries : tuple of (str, str, str)
        Sign, name and colour.

    Returns
    -------
    str
        HTML for a Plotly annotation.

    Examples
    --------
    >>> key(("━", "depth 2", "#000000"))
    '<span style="color:#000000"><b>━ depth 2</b></span>'
    """
    spans = (f'<span style="color:{c}"><b>{sign} {name}</b></span>' for sign, name, c in entries)
    return "   ".join(spans)
