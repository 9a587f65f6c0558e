"""Going deeper, near zero against identity: `explore_going_deeper`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.deeper import Deeper, Starts, compare_starts, going_deeper
from overparam_edu.experiments.records import EXPERIMENTS, load_record
from overparam_edu.explorers.plots import log_axis
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import BLACK, GREY, TEMPLATE, VERMILLION, key

_DEPTHS = (2, 3, 4, 8, 16, 32)
# Around the best: near zero the large ones, for the identity the smaller ones.
_RATES = (0.015, 0.03, 0.06, 0.25)
_STEPS, _SEEDS = 2_000, (0, 1, 2)
# Iterations that have a stop of their own on the slider, at most.
_STOPS = 160
_NAMES = ("near zero", "identity")
_LOOKS = ((GREY, "dash", 3), (VERMILLION, "solid", 4))


def explore_going_deeper() -> Explorer:
    r"""Return near zero against identity as a widget: deep networks that stall, and that do not.

    On the left the loss of a deep linear network from layers near zero (grey, dashed; a band over
    seeds) and from layers at the identity (orange), p = 4; a mark where each starts to move. On
    the right where each starts to move, by depth. Depth and iteration move in the browser. The
    data and, for Auto MPG, the learning rates and the standard deviation of the start near zero
    ask Python (talk, "going deeper").

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_going_deeper()
    >>> explorer.player.move(depth=3)
    """
    words = {"style": {"description_width": "initial"}}
    controls: dict[str, widgets.Widget] = {
        "data": widgets.ToggleButtons(
            options=[("gas data, recorded", "gas"), ("Auto MPG, computed now", "cars")],
            description="data",
            **words,
        ),
        "learning_rate": widgets.ToggleButtons(
            options=[("tuned for each network", "tuned"), ("same", "same")],
            description="learning rate",
            **words,
        ),
        "scale": widgets.SelectionSlider(
            options=[0.003, 0.01, 0.03, 0.1], value=0.03, description="start near zero: sd", **words
        ),
    }
    for control in (controls["data"], controls["learning_rate"]):
        control.style.button_width = control.layout.width = "auto"
    live = dict.fromkeys(("learning_rate", "scale"), _is_live)
    return Explorer(_scene, controls, shown_when=live)


def _is_live(now: dict[str, Any]) -> bool:
    return bool(now["data"] == "cars")


def _scene(*, data: str, learning_rate: str, scale: float) -> Scene:
    if data == "gas":  # no learning rate is stable for all of them
        deeper, least = _recorded()
        return going_deeper_scene(compare_starts(deeper), least)
    deeper, least = _live(scale)
    return going_deeper_scene(compare_starts(deeper, learning_rate=learning_rate), least)


@lru_cache(maxsize=1)
def _recorded() -> tuple[Deeper, float]:
    record = load_record("gas_deeper")
    near_zero, identity = (tuple(c for c in record.curves if c.start == start) for start in _NAMES)
    depths = tuple(curves.depth for curves in near_zero)
    scale = EXPERIMENTS[record.name].rows[0].scale
    return Deeper(depths, near_zero, identity, scale), record.least


@lru_cache(maxsize=8)
def _live(scale: float) -> tuple[Deeper, float]:
    cars = load_auto_mpg(standardized=True)
    deeper = going_deeper(
        cars.X,
        cars.y,
        depths=_DEPTHS,
        rates=_RATES,
        seeds=_SEEDS,
        steps=_STEPS,
        scale=scale,
        progress=False,
    )
    return deeper, least_loss(LpRegression(cars.X, cars.y, p=4, reduction="mean"))


def going_deeper_scene(starts: Starts, least: float) -> Scene:
    """Return the scene of both starts side by side.

    Parameters
    ----------
    starts : Starts
        From `compare_starts`.
    least : float
        The minimum of the loss.

    Returns
    -------
    Scene
    """
    stops = _stops(starts)
    steps, low, middle, high = starts.steps[stops], *(edge[..., stops] for edge in starts.losses)
    depth = Axis("depth", "depth N", starts.depths, start=min(2, len(starts.depths) - 1))
    step = Axis("step", "iteration", steps, start=len(steps) - 1, play=True)
    both, tracks = ["depth", "step"], []
    for trace, values in enumerate((low[0], high[0], middle[0], middle[1])):
        tracks.append(Track(trace, "x", steps, ["step"], trail="step"))
        tracks.append(Track(trace, "y", values, both, trail="step"))
    for which in range(2):
        for name, values in zip("xy", _marks(starts, which), strict=True):
            # Lists of one: an empty list would leave the mark where it was.
            tracks.append(Track(_MARKS + which, name, values[:, None], ["depth"]))
        tracks.append(Track(_RINGS + which, "x", starts.depths, ["depth"]))
        tracks.append(Track(_RINGS + which, "y", _heights(starts)[which], ["depth"]))
    figure = _figure(starts, least)
    reading = _reading(starts, stops)
    return Scene(figure, [depth, step], tracks, reading, alt=_ALT, narrow=_NARROW)


def _stops(starts: Starts) -> np.ndarray:
    """Return the records with a stop on the slider, without iteration 0, which has no logarithm.

    The slider stays at its stop when the data change: with as many stops, the end is the end.
    """
    return np.unique(np.linspace(1, len(starts.steps) - 1, _STOPS).round().astype(int))


_ALT = (
    "Left: loss against iteration for a deep linear network from layers near zero and from layers "
    "at the identity, with a mark where each starts to move. Right: the iteration at which each "
    "starts to move, against depth."
)
# The traces: band (2), both curves, where they start to move; by depth both curves and the rings.
_MARKS, _RINGS = 4, 8
# Where "never" is written, in multiples of the last iteration.
_NEVER = 3.0


def _marks(starts: Starts, which: int) -> tuple[Array, Array]:
    """Return where the curves start to move, NaN where they do not."""
    moves = np.maximum(starts.moves[which], starts.steps[1])
    moved = np.isfinite(moves)
    at = np.searchsorted(starts.steps, np.where(moved, moves, 0))
    loss = starts.losses.middle[which, np.arange(len(at)), at]
    return np.where(moved, moves, np.nan), np.where(moved, loss, np.nan)


def _heights(starts: Starts) -> Array:
    """Return where a start has its place by depth: what has not moved stands above the rest."""
    never = _NEVER * starts.steps[-1]
    heights: Array = np.where(np.isfinite(starts.moves), np.maximum(starts.moves, 1), never)
    return heights


def _reading(starts: Starts, stops: np.ndarray) -> Reading:
    fields: dict[str, tuple[Any, list[str]]] = {}
    parts = []
    for which, name in enumerate(_NAMES):
        slug = name.replace(" ", "_")
        found = zip(starts.moves[which], starts.rates[which], strict=True)
        words = [_fate(move, rate, starts) for move, rate in found]
        fields[f"{slug}_fate"] = (words, ["depth"])
        seen = np.nan_to_num(starts.losses.middle[which][:, stops], nan=np.inf)
        fields[f"{slug}_loss"] = (seen, ["depth", "step"])
        parts.append(f"{name.capitalize()} {{{slug}_fate}}; loss {{{slug}_loss}}")
    return Reading(f"Depth {{depth}}, iteration {{step}}. {'. '.join(parts)}.", fields)


def _fate(move: float, rate: float, starts: Starts) -> str:
    if not np.isfinite(rate):
        return "diverges at every rate tried"
    at = f"(rate {number_text(float(rate))})"
    if not np.isfinite(move):
        return f"does not move in {int(starts.steps[-1]):,} iterations {at}"
    return f"starts to move at iteration {int(move):,} {at}"


def _figure(starts: Starts, least: float) -> go.Figure:
    figure = make_subplots(cols=2, column_widths=[0.62, 0.38], horizontal_spacing=0.12)
    for trace in _curves():
        figure.add_trace(trace, row=1, col=1)
    for trace in _by_depth(starts):
        figure.add_trace(trace, row=1, col=2)
    figure.add_hline(least, line={"dash": "dot", "width": 2}, row=1, col=1)
    figure.add_hline(float(starts.steps[-1]), line={"dash": "dot", "width": 2}, row=1, col=2)
    _scales(figure, starts, least)
    _scales_by_depth(figure, starts)
    for column, text in ((1, _KEY), (2, "<b>starts to move at iteration</b>")):
        axis = "" if column == 1 else "2"
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, **place, **_ABOVE)
    figure.update_layout(template=TEMPLATE, height=450, showlegend=False, margin=_MARGIN)
    return figure


def _scales(figure: go.Figure, starts: Starts, least: float) -> None:
    seen = np.append(starts.losses.high[..., 1:], starts.losses.high[0, :, 0])
    top = min(np.nanmax(seen), 3 * starts.losses.high[0, :, 0].max())
    ends = log_axis([least, top], below=1e-9, above=1e9)["range"]
    values = [digit * 10.0**k for k in range(-9, 9) for digit in (1, 3)]
    figure.update_yaxes(type="log", range=ends, title="loss", row=1, col=1)
    figure.update_yaxes(tickvals=values, ticktext=[f"{v:g}" for v in values], row=1, col=1)
    end = np.log10(starts.steps[-1])
    figure.update_xaxes(type="log", range=[0, end], title="iteration", **_powers(end), row=1, col=1)


def _scales_by_depth(figure: go.Figure, starts: Starts) -> None:
    names, end = [str(depth) for depth in starts.depths], np.log10(starts.steps[-1])
    edge = 0.15 * np.log10(starts.depths[-1] / starts.depths[0]) + 0.02
    ends = [np.log10(starts.depths[0]) - edge, np.log10(starts.depths[-1]) + edge]
    figure.update_xaxes(type="log", range=ends, title="depth N", row=1, col=2)
    figure.update_xaxes(tickvals=starts.depths, ticktext=names, row=1, col=2)
    ticks = _powers(end)
    ticks = {"tickvals": [*ticks["tickvals"], _NEVER * starts.steps[-1]]} | {
        "ticktext": [*ticks["ticktext"], "never"]
    }
    figure.update_yaxes(type="log", range=[-0.3, end + 0.8], **ticks, row=1, col=2)


def _powers(end: float) -> dict[str, list[Any]]:
    """Return ticks at powers of ten, from 1."""
    powers = range(int(end) + 1)
    text = ["1", "10", *(f"10<sup>{k}</sup>" for k in powers[2:])]
    return {"tickvals": [10.0**k for k in powers], "ticktext": text[: len(powers)]}


def _curves() -> list[go.Scatter]:
    quiet = {"mode": "lines", "hoverinfo": "skip"}
    edge = quiet | {"line": {"width": 0, "color": GREY}}
    band = [go.Scatter(**edge), go.Scatter(**edge, fill="tonexty", fillcolor=_SHADE)]
    lines = [
        go.Scatter(**quiet, line={"color": colour, "dash": dash, "width": width})
        for colour, dash, width in _LOOKS
    ]
    marks = [_dots(colour, size=16) for colour, *_ in _LOOKS]
    return [*band, *lines, *marks]


def _by_depth(starts: Starts) -> list[go.Scatter]:
    traces = []
    for which, (colour, dash, width) in enumerate(_LOOKS):
        moved = np.isfinite(starts.moves[which])
        symbols = np.where(moved, _SYMBOLS[which], "triangle-up").tolist()
        traces.append(
            go.Scatter(
                x=starts.depths,
                y=_heights(starts)[which],
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": width},
                marker={"size": 11, "color": colour, "symbol": symbols},
                hoverinfo="skip",
            )
        )
    rings = [_dots(colour, size=22, symbol="circle-open") for colour, *_ in _LOOKS]
    return [*traces, *rings]


def _dots(colour: str, *, size: int, symbol: str = "diamond") -> go.Scatter:
    marker = {"color": colour, "size": size, "symbol": symbol, "line": {"width": 3}}
    return go.Scatter(mode="markers", marker=marker, cliponaxis=False, hoverinfo="skip")


_SYMBOLS = ("square", "circle")
_SHADE = "rgba(110,110,110,0.25)"
_STARTS = key(("┅", "near zero", GREY), ("━", "identity", VERMILLION))
_SIGNS = key(("◆", "starts to move", BLACK), ("┉", "minimum", BLACK))
_KEY = f"{_STARTS}<br>{_SIGNS}"
_ABOVE: dict[str, Any] = {
    "xanchor": "left",
    "yanchor": "bottom",
    "align": "left",
    "showarrow": False,
    "font": {"size": 16},
}
_MARGIN = {"l": 84, "t": 68, "b": 60, "r": 20}
_NARROW = {
    "height": 820,
    "font.size": 14,
    "annotations[0].font.size": 13,
    "annotations[1].font.size": 13,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.58, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0, 0.4],
}
