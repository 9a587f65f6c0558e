"""The depth race on real data: `explore_regression`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.compare import Contest
from overparam_edu.experiments.curves import (
    OPTIMIZERS,
    Curves,
    curvature_at_zero,
    learning_curves,
    least_loss,
)
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.records import load_record
from overparam_edu.explorers.plots import band_traces, log_axis, round_step
from overparam_edu.explorers.race_words import compared
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import BLACK, GREY, TEMPLATE, VERMILLION, key

# Iterations that have a stop of their own on the slider, at most.
_STOPS = 72
# Where a logarithmic axis puts iteration 0, which has no logarithm.
_STEP_0 = 0.5
# Relative losses above the minimum below this are rounding.
_EXACT = 1e-10


def contest_scene(sides: Mapping[float, Contest], *, note: str) -> Scene:
    """Return a contest beside the search for its learning rates, or two contests side by side.

    Parameters
    ----------
    sides : mapping of float to Contest
        By the power of the loss, one or two, with the same iterations, depths and tolerances.
    note : str
        Where the numbers are from, shown on the picture.

    Returns
    -------
    Scene
    """
    first = next(iter(sides.values()))
    steps = first.linear.steps
    stops = np.unique(np.linspace(0, len(steps) - 1, _STOPS).round().astype(int))
    share = all(side.can_share for side in sides.values())
    axes = _axes(first, steps[stops], share=share, tuning=len(sides) == 1)
    # Without a second way of choosing rates, the first dimension is no axis.
    lead = ["way", "tolerance"] if share else ["tolerance"]
    figure = _figure(sides, note)
    tracks = []
    for column, side in enumerate(sides.values()):
        tracks += _axis_tracks(side, "xaxis2" if column else "xaxis", lead)
        tracks += _race_tracks(side, column, stops, lead)
    if len(sides) == 1:
        tracks += _tuning_tracks(first, lead)
    reading = _reading(sides, lead)
    board = Board(_tables(sides, share), lead)
    return Scene(figure, axes, tracks, reading, alt=_ALT, narrow=_NARROW, board=board)


def _axes(first: Contest, stops: np.ndarray, *, share: bool, tuning: bool) -> list[Axis]:
    depths = [lane.depth for lane in first.deep]
    within = [f"{100 * tolerance:g} %" for tolerance in first.tolerances]
    ways = [Axis("way", "learning rate", ["own", "depth 1’s for all"])]
    axes = [
        Axis("depth", "depth N", depths, start=min(1, len(depths) - 1)),
        Axis("step", "iteration", stops, start=len(stops) - 1, play=True),
        Axis("tolerance", "arrived: within", within, start=1),
        *(ways if share else []),
        Axis("scale", "iteration axis", ["linear", "logarithmic"]),
    ]
    measures = Axis("measure", "rates by", ["iterations to arrive", "loss at the end"])
    return [*axes, measures] if tuning else axes


_ALT = (
    "Loss above the minimum against iteration for the linear model and for the chosen depth, and "
    "what each learning rate leads to; or the race for the power 2 beside that for the power 4."
)
_NARROW = {
    "height": 800,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.58, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0, 0.42],
}
_MARGIN = {"l": 92, "t": 96, "b": 64, "r": 16}


def _ways(values: Array, share: bool) -> Array:
    """Return values by way and tolerance, or by tolerance alone."""
    return values if share else values[0]


def _axis_tracks(side: Contest, axis: str, lead: list[str]) -> list[Track]:
    """Return the iteration axis of a race: linear or logarithmic, and as long as it takes.

    A linear axis ends a little after the last arrival: what does not arrive runs out of it.
    """
    last = float(side.linear.steps[-1])
    middle = _ways(side.arrivals[..., 1], "way" in lead)
    ends = np.where(np.isfinite(middle), middle, 0.0).max(axis=-1)
    ends = np.where(ends > 0, np.minimum(1.1 * ends, last), last)
    linear = np.stack([np.zeros_like(ends), ends], axis=-1)
    logs = np.broadcast_to(np.log10([_STEP_0, last]), linear.shape)
    ticks = np.vectorize(round_step)(ends / 3)
    return [
        Track(None, f"{axis}.type", ["linear", "log"], ["scale"]),
        Track(None, f"{axis}.range", np.stack([linear, logs]), ["scale", *lead]),
        Track(None, f"{axis}.dtick", np.stack([ticks, np.ones_like(ticks)]), ["scale", *lead]),
    ]


# Traces of one race: three for the linear model, three for depth N, the line of arrival.
_PER_RACE = 7


def _figure(sides: Mapping[float, Contest], note: str) -> go.Figure:
    titles = [f"p = {p:g}" for p in sides] if len(sides) == 2 else ["", "rates tried, ◆ chosen"]
    widths = [0.5, 0.5] if len(sides) == 2 else [0.6, 0.4]
    figure = make_subplots(
        cols=2, subplot_titles=titles, column_widths=widths, horizontal_spacing=0.15
    )
    for column, side in enumerate(sides.values(), start=1):
        arrived = go.Scatter(mode="lines", line={"dash": "dot", "width": 2, "color": BLACK})
        traces = [*band_traces(GREY, "dash", width=3), *band_traces(VERMILLION, "solid")]
        for trace in (*traces, arrived.update(hoverinfo="skip")):
            figure.add_trace(trace, row=1, col=column)
        start = float(np.nanmax(side.bands[..., 0]))
        axis = log_axis(side.bands, below=min(side.tolerances) / 10, above=2 * start)
        figure.update_yaxes(**axis, row=1, col=column)
        figure.update_xaxes(title="iteration", exponentformat="SI", tickangle=0, row=1, col=column)
    if len(sides) == 1:
        _add_tuning(figure, side)
    figure.update_yaxes(title="loss above minimum", row=1, col=1)
    figure.update_annotations(font_size=20)
    figure.add_annotation(text=f"{_key(side)}<br>{html.escape(note)}", y=1.1, **_KEY_PLACE)
    figure.update_layout(template=TEMPLATE, height=420, showlegend=False, margin=_MARGIN)
    return figure


_KEY_PLACE = {
    "x": 0,
    "xref": "paper",
    "yref": "paper",
    "xanchor": "left",
    "yanchor": "bottom",
    "align": "left",
    "showarrow": False,
    "font": {"size": 16},
}


def _key(side: Contest) -> str:
    names = _names(side)
    return key(
        ("┅", names[0], GREY), ("━", names[1].format("N"), VERMILLION), ("┉", "arrived", BLACK)
    )


def _names(side: Contest) -> tuple[str, str]:
    """Return what the linear model is called, and the networks with ``{}`` for the depth."""
    rival, optimizer = side.linear.optimizer, side.deep[0].optimizer
    if rival == optimizer:
        return "depth 1", "depth {}"
    return f"{rival} on depth 1", f"{optimizer} on depth {{}}"


def _race_tracks(side: Contest, column: int, stops: np.ndarray, lead: list[str]) -> list[Track]:
    base, share = _PER_RACE * column, "way" in lead
    x = np.maximum(side.linear.steps[stops], _STEP_0)
    # What rounding has put on the minimum, or below it, leaves the picture at its lower end.
    drawn = _ways(np.maximum(side.bands[..., stops], _EXACT), share)
    tracks = []
    for part, edge in enumerate((0, 2, 1)):  # least, largest, median: as `band_traces` has them
        for trace, values, axes in (
            (base + part, drawn[..., 0, edge, :], [*lead, "step"]),
            (base + 3 + part, drawn[..., 1:, edge, :], [*lead, "depth", "step"]),
        ):
            tracks.append(Track(trace, "x", x, ["step"], trail="step"))
            tracks.append(Track(trace, "y", values, axes, trail="step"))
    ends = np.array([[_STEP_0, x[-1]]] * len(side.tolerances))
    levels = np.repeat(np.array(side.tolerances)[:, None], 2, axis=1)
    tracks.append(Track(base + 6, "x", ends, ["tolerance"]))
    tracks.append(Track(base + 6, "y", levels, ["tolerance"]))
    return tracks


# Traces of the panel with the rates: a curve and the rate chosen, for depth 1 and depth N.
_CURVE_1, _CURVE, _CHOSEN_1, _CHOSEN = range(_PER_RACE, _PER_RACE + 4)


def _reading(sides: Mapping[float, Contest], lead: list[str]) -> Reading:
    share, fields = "way" in lead, {}
    for number, side in enumerate(sides.values()):
        words = np.empty((*side.chosen.shape[:2], len(side.deep)), object)
        for way, i, lane in np.ndindex(words.shape):
            words[way, i, lane] = _told(side, (way, i, lane + 1), with_more=len(sides) == 1)
        fields[f"side_{number}"] = _ways(words.astype(str), share), [*lead, "depth"]
    parts = [f"p\u00a0=\u00a0{p:g}: {{side_{number}}}." for number, p in enumerate(sides)]
    return Reading(" ".join(parts), fields)


def _told(side: Contest, at: tuple[int, int, int], *, with_more: bool) -> str:
    """Return how the lane at (way, tolerance, lane) fared beside the linear model."""
    way, i, lane = at
    reference, name = _names(side)
    name = name.format(side.deep[lane - 1].depth)
    last, (steps, other) = int(side.linear.steps[-1]), side.arrivals[way, i, [lane, 0], 1]
    rate = f" at rate {number_text(side.rates[at])}" if with_more else ""
    ahead = side.ahead_from[at]
    lead = (
        f"; it is ahead from iteration {number_text(ahead)} on"
        if with_more and ahead < last
        else ""
    )
    if np.isfinite(steps):
        arrived = f"{name} arrives in {number_text(steps)} iterations{rate}"
        return (
            arrived
            if name == reference
            else arrived + compared(steps, other, reference, last) + lead
        )
    if side.diverged_at[at] >= 0:
        return f"{name} diverges at iteration {side.diverged_at[at]}{rate}"
    late = f"{name} has not arrived in {number_text(last)} iterations{rate}"
    if np.isfinite(side.arrivals[way, i, lane, 0]):
        late = f"{name} arrives in {number_text(last)} iterations from some seeds only{rate}"
    if name == reference:
        return late
    return late + (f"; {reference} does in {number_text(other)}" if np.isfinite(other) else lead)


def _tables(sides: Mapping[float, Contest], share: bool) -> Array:
    """Return a table for each way and tolerance: who arrived when, a column for each network."""
    first = next(iter(sides.values()))
    tables = np.empty((1 + share, len(first.tolerances)), object)
    for way, i in np.ndindex(tables.shape):
        rows = [_row("depth", _columns(first), "th")]
        for p, side in sides.items():
            name = f"p = {p:g}: " if len(sides) == 2 else ""
            rows += _rows(side, (way, i), name, in_full=len(sides) == 1)
        tables[way, i] = f"<table>{''.join(rows)}</table>"
    return _ways(tables.astype(str), share)


def _columns(side: Contest) -> list[str]:
    """Return the depths, after the linear model if it has another optimizer than they have."""
    rival = side.linear.optimizer
    own = [] if rival == side.deep[0].optimizer else [f"1, {rival}"]
    return own + [str(lane.depth) for lane in side.deep]


def _rows(side: Contest, at: tuple[int, int], name: str, *, in_full: bool) -> list[str]:
    """Return iterations to the tolerance, and how many times fewer than the linear model's."""
    # The linear model has a column of its own only if no network in the contest is the same.
    from_lane = len(side.lanes) - len(_columns(side))
    spread, rates = side.arrivals[at][from_lane:], side.rates[at][from_lane:]
    counts, ranges, gains, reference = [], [], [], side.arrivals[at][0, 1]
    for low, middle, high in spread:
        here = bool(np.isfinite(middle))
        counts.append(f"<b>{number_text(middle)}</b>" if here else "–")
        ranges.append(f"{number_text(low)}–{number_text(high)}" if here else "–")
        gain = reference / middle if here and np.isfinite(reference) else 0.0
        gains.append(f"{number_text(float(f'{gain:.2g}'))} ×" if gain else "–")
    rows = [_row(f"{name}iterations", counts), _row("times fewer", gains)]
    if in_full:
        if len(side.linear.seeds) > 1:
            rows.insert(1, _row("over seeds", ranges))
        rows.append(_row("at rate", [number_text(rate) for rate in rates]))
    return rows


def _row(name: str, cells: Sequence[str], tag: str = "td") -> str:
    style = 'style="padding:3px 9px;white-space:nowrap"'
    body = "".join(f"<{tag} {style}>{cell}</{tag}>" for cell in cells)
    return f"<tr><th {style}>{name}</th>{body}</tr>"


def _measures(side: Contest) -> Array:
    """Return what the rates are judged by: (measures, tolerances, lanes, rates)."""
    _, iterations, excess = side.tuning
    loss = np.broadcast_to(np.maximum(excess, _EXACT), iterations.shape)
    return np.stack([iterations, loss])


def _add_tuning(figure: go.Figure, side: Contest) -> None:
    looks = ((GREY, "dash", 3, "circle-open"), (VERMILLION, "solid", 4, "circle"))
    for colour, dash, width, symbol in looks:
        style, marker = (
            {"color": colour, "dash": dash, "width": width},
            {"size": 9, "symbol": symbol},
        )
        curve = go.Scatter(mode="lines+markers", line=style, marker=marker)
        figure.add_trace(curve.update(x=side.tuning[0][0], hoverinfo="skip"), row=1, col=2)
    for colour, symbol in ((GREY, "diamond-open"), (VERMILLION, "diamond")):
        marker = {"color": colour, "symbol": symbol, "size": 17, "line": {"width": 3}}
        chosen = go.Scatter(mode="markers", marker=marker, hoverinfo="skip")
        figure.add_trace(chosen, row=1, col=2)
    rates = log_axis(side.tuning[0], below=1e-12, above=1e12)
    title = {"text": "learning rate", "standoff": 10}  # clear of the powers of ten
    figure.update_xaxes(title=title, **rates, row=1, col=2)
    figure.update_yaxes(type="log", exponentformat="power", row=1, col=2)


def _tuning_tracks(side: Contest, lead: list[str]) -> list[Track]:
    rates, share = side.tuning[0], "way" in lead
    values = _measures(side)
    spans = [log_axis(measure, below=_EXACT, above=1e7) for measure in values]
    titles = ["iterations to arrive", "loss at the end"]
    chosen = _ways(side.chosen, share)
    at = np.indices(chosen.shape)
    lanes, tolerances = at[-1], at[-2]
    picked = np.stack([measure[tolerances, lanes, chosen] for measure in values])
    where = _ways(side.rates, share)
    both = ["measure", *lead]
    return [
        Track(None, "yaxis2.range", [span["range"] for span in spans], ["measure"]),
        Track(None, "yaxis2.dtick", [float(span["dtick"]) for span in spans], ["measure"]),
        Track(None, "yaxis2.title.text", titles, ["measure"]),
        Track(_CURVE_1, "y", values[:, :, 0], ["measure", "tolerance"]),
        Track(_CURVE, "x", rates[1:], ["depth"]),
        Track(_CURVE, "y", values[:, :, 1:], ["measure", "tolerance", "depth"]),
        Track(_CHOSEN_1, "x", where[..., 0], lead),
        Track(_CHOSEN_1, "y", picked[..., 0], both),
        Track(_CHOSEN, "x", where[..., 1:], [*lead, "depth"]),
        Track(_CHOSEN, "y", picked[..., 1:], [*both, "depth"]),
    ]


_GD = "gradient descent"
_DEPTHS = range(1, 9)
_STEPS = 1_000
# Learning rates to try on Auto MPG; those of gradient descent depend on the power of the loss.
_RATES = {
    "AdaGrad": np.geomspace(0.03, 1.0, 15),
    "AdaDelta": np.geomspace(0.1, 30.0, 15),
    "Adam": np.geomspace(0.01, 1.0, 15),
}
_TOLERANCES = {"cars": (0.1, 0.01, 0.001, 0.0001), "gas": (3.0, 1.0, 0.5, 0.2, 0.1)}
# What was recorded on the gas data: by name, for each power the record of the networks, their
# optimizer, the record of the linear model, and its optimizer.
_RECORDED: Mapping[str, Mapping[float, tuple[str, str, str, str]]] = {
    "p = 2 beside p = 4": {
        2: ("gas_l2", _GD, "gas_l2", _GD),
        4: ("gas_l4_seeds", _GD, "gas_l4_seeds", _GD),
    },
    "p = 2": {2: ("gas_l2", _GD, "gas_l2", _GD)},
    "p = 4": {4: ("gas_l4_seeds", _GD, "gas_l4_seeds", _GD)},
    "p = 4, ten times as long": {4: ("gas_l4", _GD, "gas_l4", _GD)},
    "p = 4: against AdaGrad": {4: ("gas_l4", _GD, "gas_l4", "AdaGrad")},
    "p = 4: against AdaDelta": {4: ("gas_l4", _GD, "gas_l4", "AdaDelta")},
    "p = 4: against Adam": {4: ("gas_l4_seeds", _GD, "gas_adam", "Adam")},
    "p = 4: Adam against Adam": {4: ("gas_adam", "Adam", "gas_adam", "Adam")},
}


def explore_regression() -> Explorer:
    r"""Return the depth race on real data as a widget: networks against the linear model.

    Loss above the minimum against iteration, at depth ``N`` (orange) and at depth 1 (grey,
    dashed), with the range of three seeds as a band, for hidden layers of width 1. On Auto MPG (392
    cars, 7 features, standardised, mean loss) runs are computed here, for any power, optimizer and
    start on offer; on the talk's gas data they are recorded. With one power, the learning rates
    tried are drawn beside the race, with the one chosen. Depth, iteration, the tolerance that
    counts as arrived, whose learning rate is used and the axes move in the browser (talk,
    "experiments"; paper, section 8).

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_regression()  # doctest: +SKIP
    >>> explorer.set(p=4, rival="AdaGrad")  # doctest: +SKIP
    """
    words = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
    controls: dict[str, widgets.Widget] = {
        "data": widgets.ToggleButtons(
            options=[("Auto MPG", "cars"), ("gas, recorded", "gas")], description="data", **words
        ),
        "p": widgets.ToggleButtons(
            options=[("2 beside 4", 0), ("2", 2), ("3", 3), ("4", 4), ("6", 6)],
            description="power p",
            **words,
        ),
        "optimizer": widgets.Dropdown(
            options=list(OPTIMIZERS), description="depth N trained with", **words
        ),
        "rival": widgets.Dropdown(
            options=[("the same", ""), *((name, name) for name in OPTIMIZERS)],
            description="against depth 1 with",
            **words,
        ),
        "start": widgets.ToggleButtons(
            options=["balanced", "near zero"], description="layers start", **words
        ),
        "recorded": widgets.Dropdown(options=_available(), description="runs", **words),
    }
    for name in ("data", "p", "start"):
        controls[name].style.button_width = "auto"
    here = dict.fromkeys(("p", "optimizer", "rival", "start"), _on_cars)
    return Explorer(
        _scene, controls, shown_when=here | {"recorded": lambda values: not _on_cars(values)}
    )


def _available() -> list[str]:
    """Return the names of the recorded races whose records are part of this copy."""
    folder = files("overparam_edu.experiments") / "recorded"
    return [
        name
        for name, sides in _RECORDED.items()
        if all((folder / f"{kept}.json").is_file() for side in sides.values() for kept in side[::2])
    ]


def _on_cars(values: Mapping[str, object]) -> bool:
    return values["data"] == "cars"


@lru_cache(maxsize=32)
def _scene(*, data: str, p: float, optimizer: str, rival: str, start: str, recorded: str) -> Scene:
    if data == "gas":
        runs = _RECORDED[recorded]
        sides = {power: _recorded(*names) for power, names in runs.items()}
        first = next(iter(sides.values())).linear
        note = f"gas data (2,565 × 128), recorded; seeds: {len(first.seeds)}"
        return contest_scene(sides, note=note)
    powers = (2.0, 4.0) if p == 0 else (float(p),)
    sides = {power: _on_auto_mpg(power, optimizer, rival or optimizer, start) for power in powers}
    return contest_scene(sides, note="Auto MPG (392 × 7), computed here; band: range of 3 seeds")


def _recorded(deep: str, optimizer: str, linear: str, rival: str) -> Contest:
    networks, model = load_record(deep), load_record(linear)
    lanes = [lane for lane in networks.curves if lane.optimizer == optimizer]
    lanes.sort(key=lambda lane: lane.depth)
    return Contest(
        model.of(depth=1, optimizer=rival), tuple(lanes), model.least, _TOLERANCES["gas"]
    )


def _on_auto_mpg(p: float, optimizer: str, rival: str, start: str) -> Contest:
    cars = load_auto_mpg(standardized=True)
    deep = _curves(p, optimizer, start)
    linear = _curves(p, rival, start, depths=(1,)) if rival != optimizer else deep
    least = least_loss(LpRegression(cars.X, cars.y, p, reduction="mean"))
    return Contest(linear[0], deep, least, _TOLERANCES["cars"])


@lru_cache(maxsize=32)
def _curves(
    p: float, optimizer: str, start: str, *, depths: tuple[int, ...] = tuple(_DEPTHS)
) -> tuple[Curves, ...]:
    cars = load_auto_mpg(standardized=True)
    if optimizer == _GD:
        rates = 2 / curvature_at_zero(cars.X, cars.y, p) * np.geomspace(0.4, 2.5 * p, 15)
    else:
        rates = _RATES[optimizer]
    return learning_curves(
        cars.X,
        cars.y,
        p=p,
        depths=depths,
        optimizer=optimizer,
        rates=rates,
        steps=_STEPS,
        start=start,
        progress=False,
    )
