"""Going deeper, near zero against identity: `explore_going_deeper`."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.deeper import Deeper, Starts, compare_starts, deeper_on_cars
from overparam_edu.experiments.records import EXPERIMENTS, load_record
from overparam_edu.explorers import plots, predicting
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Reading, Scene, Sketch, Track
from overparam_edu.player.style import (
    BLACK,
    BROWN,
    PINK,
    TEMPLATE,
    curve,
    dot,
    heading,
    key,
    stacked,
)

_NAMES = ("near zero", "identity")
# Where "never" is written, in multiples of the last iteration.
_NEVER = 4.0


def explore_going_deeper(*, predict: bool = False) -> Explorer:
    """Return near zero against identity as a widget: deep networks that stall, and that do not.

    On the left the loss of a deep linear network from layers near zero (brown, dashed; a band over
    seeds) and from layers at the identity (pink), p = 4; a mark where each starts to move. On
    the right where each starts to move, by depth. Depth and iteration move in the browser. The
    data and, for Auto MPG, the learning rates and the standard deviation of the start near zero
    ask Python (talk, "going deeper"). It opens at the start.

    Parameters
    ----------
    predict : bool
        Let students draw how long they expect each depth to wait before they see it,
        and say how far off they are. What they draw is kept in `progress`; Escape skips it.

    Returns
    -------
    Explorer
    """
    controls: dict[str, widgets.Widget] = {
        "data": widgets.ToggleButtons(
            options=[("gas data, recorded", "gas"), ("Auto MPG, computed now", "cars")],
            description="data",
        ),
        "learning_rate": widgets.ToggleButtons(
            options=[("tuned for each network", "tuned"), ("same", "same")],
            description="learning rate",
        ),
        "scale": widgets.SelectionSlider(
            options=[0.003, 0.01, 0.03, 0.1], value=0.03, description="start near zero: sd"
        ),
    }
    live = dict.fromkeys(("learning_rate", "scale"), lambda values: values["data"] == "cars")
    return predicting.explorer(_scene, controls, predict=predict, shown_when=live)


def _scene(*, data: str, learning_rate: str, scale: float, predict: bool) -> Scene:
    if data == "gas":  # no learning rate is stable for all of them
        return going_deeper_scene(*_recorded(), predict=predict)
    cars, starts = load_auto_mpg(standardized=True), deeper_on_cars(scale)
    least = least_loss(LpRegression(cars.X, cars.y, p=4, reduction="mean"))
    both = compare_starts(starts, learning_rate=learning_rate)
    return going_deeper_scene(both, least, predict=predict)


@lru_cache(maxsize=1)
def _recorded() -> tuple[Starts, float]:
    record = load_record("gas_deeper")
    near_zero, identity = (tuple(c for c in record.curves if c.start == start) for start in _NAMES)
    depths = tuple(curves.depth for curves in near_zero)
    scale = EXPERIMENTS[record.name].rows[0].scale
    return compare_starts(Deeper(depths, near_zero, identity, scale)), record.least


def going_deeper_scene(starts: Starts, least: float, *, predict: bool = False) -> Scene:
    """Return the scene of both starts side by side, above the minimum of the loss."""
    # Without iteration 0, which has no logarithm. The slider stays at its stop when the data
    # change: with as many stops, the end is the end.
    at = np.unique(np.linspace(1, len(starts.steps) - 1, 160).round().astype(int))
    steps, both, last = starts.steps[at], ["depth", "step"], int(starts.steps[-1])
    low, middle, high = (edge[..., at] for edge in starts.losses)
    tracks: list[Track] = []
    for name, values in (("near zero low", low[0]), ("near zero high", high[0])):
        tracks += plots.line_tracks(name, steps, values, both)
    parts, fields = [], {}
    for which, name in enumerate(_NAMES):
        # Where the curves start to move, NaN where they do not.
        moves = np.maximum(starts.moves[which], starts.steps[1])
        moved = np.isfinite(moves)
        # On the curve as it is drawn: a move may lie between two records.
        drawn = zip(np.where(moved, moves, 1.0), middle[which], strict=True)
        loss = [np.exp(np.interp(np.log(move), np.log(steps), np.log(y))) for move, y in drawn]
        marks = np.where(moved, [moves, loss], np.nan).T
        rings = np.stack([starts.depths, _heights(starts)[which]], axis=1)
        tracks += plots.line_tracks(name, steps, middle[which], both)
        # Lists of one: an empty list would leave the mark where it was.
        tracks += plots.point_tracks(f"{name} moves", marks[:, None], ["depth"])
        tracks += plots.point_tracks(f"{name} at N", rings, ["depth"])
        fates = []
        for move, rate in zip(starts.moves[which], starts.rates[which], strict=True):
            about = "" if float(move).is_integer() else "about "
            fate = f"starts to move at {about}iteration {move:,.0f}"
            if not np.isfinite(move):
                fate = f"does not move in {last:,} iterations"
            told = f"{fate} (rate {number_text(float(rate))})"
            fates.append(told if np.isfinite(rate) else "diverges at every rate tried")
        fields[f"fate_{which}"] = fates, ["depth"]
        fields[f"loss_{which}"] = np.nan_to_num(middle[which], nan=np.inf), both
        parts.append(f"{name.capitalize()} {{fate_{which}}}; loss {{loss_{which}}}")
    narrow = stacked(500, (0.58, 1), (0, 0.32)) | {"xaxis.title.text": ""}
    narrow |= {"yaxis2.tickvals": [1, 100, _NEVER * last], "yaxis2.ticktext": ["1", "100", "never"]}
    return Scene(
        _figure(starts, least),
        [
            Axis("depth", "depth N", starts.depths, start=min(2, len(starts.depths) - 1)),
            Axis("step", "iteration", steps, play=True),
        ],
        tracks,
        Reading(f"Depth {{depth}}, iteration {{step}}. {'. '.join(parts)}.", fields),
        alt="Left: loss against iteration for a deep linear network from layers near zero and from "
        "layers at the identity, with a mark where each starts to move. Right: the iteration at "
        "which each starts to move, against depth.",
        narrow=narrow,
        sketch=_sketch(last) if predict else None,
    )


def _sketch(last: int) -> Sketch:
    """Return what is to be predicted: how long each depth waits near zero."""
    told = [f"{name} {what}" for name in _NAMES for what in ("by depth", "at N")]
    return Sketch(
        "going_deeper",
        "near zero by depth",
        along="step",
        asks="Your guess: near zero, when does each depth start to move? Set a point for each; "
        "the top is never.",
        of="wait",
        hidden=told,
        never=1.5 * last,
    )


def _heights(starts: Starts) -> Array:
    """Return where each start has its place by depth: what has not moved stands above the rest."""
    never = _NEVER * starts.steps[-1]
    heights: Array = np.where(np.isfinite(starts.moves), np.maximum(starts.moves, 1), never)
    return heights


def _figure(starts: Starts, least: float) -> go.Figure:
    figure = make_subplots(cols=2, column_widths=[0.62, 0.38], horizontal_spacing=0.12)
    left = plots.band_traces(BROWN, "dash", width=3, name="near zero")
    left.append(curve("identity", PINK))
    right, rings, looks = [], [], ((BROWN, "dash", 3), (PINK, "solid", 4))
    for which, (name, (colour, dash, width)) in enumerate(zip(_NAMES, looks, strict=True)):
        left.append(dot(f"{name} moves", colour, "diamond", 16))
        rings.append(dot(f"{name} at N", colour, "circle-open", 22))
        by_depth = curve(f"{name} by depth", colour, dash, width, mode="lines+markers")
        moved = np.isfinite(starts.moves[which])
        symbols = np.where(moved, ("square", "circle")[which], "triangle-up").tolist()
        by_depth.update(marker={"size": 11, "color": colour, "symbol": symbols})
        right.append(by_depth.update(x=starts.depths, y=_heights(starts)[which]))
    for trace in (*left[-2:], *rings):
        trace.update(cliponaxis=False, marker_line_width=3)
    figure.add_traces(left, rows=1, cols=1)
    figure.add_traces([*right, *rings], rows=1, cols=2)
    last = float(starts.steps[-1])
    for column, level in ((1, least), (2, last)):
        figure.add_hline(level, line={"dash": "dot", "width": 2}, row=1, col=column)
    seen = np.append(starts.losses.high[..., 1:], starts.losses.high[0, :, 0])
    top = min(np.nanmax(seen), 3 * starts.losses.high[0, :, 0].max())
    losses = plots.log_axis([least, top], below=1e-9, above=1e9)["range"]
    values = [digit * 10.0**k for k in range(-9, 9) for digit in (1, 3)]
    first, *_, deepest = np.log10(starts.depths)
    edge, end = 0.15 * (deepest - first) + 0.02, np.log10(last)
    powers = range(int(end) + 1)
    ticks = [10.0**k for k in powers]
    texts = ["1", "10", *(f"10<sup>{k}</sup>" for k in powers[2:])][: len(ticks)]
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    figure.update_layout(
        template=TEMPLATE,
        height=450,
        showlegend=False,
        margin={"l": 84, "t": 68, "b": 60, "r": 20},
        xaxis={"range": [0, end], "title": "iteration", "tickvals": ticks, "ticktext": texts},
        yaxis={"range": losses, "title": "loss", "tickvals": values},
        xaxis2={"range": [first - edge, deepest + edge], "title": "depth N"},
        yaxis2={"range": [-0.3, end + 0.8], "tickvals": [*ticks, _NEVER * last]},
    )
    figure.update_layout(
        yaxis={"ticktext": [f"{value:g}" for value in values]},
        xaxis2={"tickvals": starts.depths, "ticktext": list(map(str, starts.depths))},
        yaxis2={"ticktext": [*texts, "never"]},
    )
    lines = key(("┅", "near zero", BROWN), ("━", "identity", PINK))
    signs = key(("◆", "starts to move", BLACK), ("┉", "minimum", BLACK))
    heading(figure, f"{lines}<br>{signs}")
    heading(figure, "<b>starts to move at iteration</b>", panel=2)
    return figure
