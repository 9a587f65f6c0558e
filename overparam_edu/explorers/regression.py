"""The depth race on real data: `explore_regression`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.experiments.compare import Contest, contest_on_cars
from overparam_edu.experiments.curves import OPTIMIZERS
from overparam_edu.experiments.races import POWERS, recorded_race
from overparam_edu.experiments.records import load_record
from overparam_edu.explorers import plots, predicting
from overparam_edu.explorers.trajectories import compared
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Sketch, Track
from overparam_edu.player.style import (
    BLACK,
    GREY,
    TEMPLATE,
    VERMILLION,
    curve,
    dot,
    heading,
    key,
    stacked,
)

_GD = "gradient descent"
_GAS_TOLERANCES = (3.0, 1.0, 0.5, 0.2, 0.1)
# Races recorded on the gas data. For each contest: the record of the networks, their optimizer,
# the record of the linear model, and its optimizer.
_GAS_2, _GAS_4 = ("gas_l2", _GD, "gas_l2", _GD), ("gas_l4_seeds", _GD, "gas_l4_seeds", _GD)
RECORDED = {
    "p = 2 beside p = 4": (_GAS_2, _GAS_4),
    "p = 2": (_GAS_2,),
    "p = 4": (_GAS_4,),
    "p = 4, ten times as long": (("gas_l4", _GD, "gas_l4", _GD),),
    "p = 4: against AdaGrad": (("gas_l4", _GD, "gas_l4", "AdaGrad"),),
    "p = 4: against AdaDelta": (("gas_l4", _GD, "gas_l4", "AdaDelta"),),
    "p = 4: against Adam": (("gas_l4_seeds", _GD, "gas_adam", "Adam"),),
    "p = 4: Adam against Adam": (("gas_adam", "Adam", "gas_adam", "Adam"),),
}


def explore_regression(*, predict: bool = False) -> Explorer:
    """Return the depth race on real data as a widget: networks against the linear model.

    Loss above the minimum against iteration, at depth ``N`` (orange) and at depth 1 (grey,
    dashed), with the range of three seeds as a band, for hidden layers of width 1. On Auto MPG (392
    cars, 7 features, standardised, mean loss) runs are computed here, for any power, optimizer and
    start on offer, but for those it opens with, descent from balanced layers at the powers 2 and 4,
    which are recorded; on the talk's gas data all are. With one power, the learning rates
    tried are drawn beside the race, with the one chosen. Depth, iteration, the tolerance that
    counts as arrived, whose learning rate is used and the axes move in the browser (talk,
    "experiments"; paper, section 8). It opens at the start.

    Parameters
    ----------
    predict : bool
        Let students draw the loss that they expect before they see it,
        and say how far off they are. What they draw is kept in `progress`; Escape skips it.

    Returns
    -------
    Explorer
    """
    controls: dict[str, widgets.Widget] = {
        "data": widgets.ToggleButtons(
            options=[("Auto MPG", "cars"), ("gas, recorded", "gas")], description="data"
        ),
        "p": widgets.ToggleButtons(
            options=[("2 beside 4", 0), ("2", 2), ("3", 3), ("4", 4), ("6", 6)],
            description="power p",
        ),
        "optimizer": widgets.Dropdown(options=list(OPTIMIZERS), description="depth N trained with"),
        "rival": widgets.Dropdown(
            options=[("the same", ""), *((name, name) for name in OPTIMIZERS)],
            description="against depth 1 with",
        ),
        "start": widgets.ToggleButtons(
            options=["balanced", "near zero"], description="layers start"
        ),
        "recorded": widgets.Dropdown(options=list(RECORDED), description="runs"),
    }
    for control in controls.values():
        control.layout.width = "auto"
    live = ("p", "optimizer", "rival", "start")
    shown_when = dict.fromkeys(live, lambda values: values["data"] == "cars")
    shown_when["recorded"] = lambda values: values["data"] == "gas"
    # On a page: what the lessons say to look at, most of it recorded.
    on_cars = ({"p": 0}, {"p": 2}, {"p": 4}, {"p": 6}, {"start": "near zero"})
    on_pages = [{"data": "cars"} | change for change in on_cars]
    on_pages += [{"data": "gas", "recorded": runs} for runs in RECORDED]
    return predicting.explorer(
        _scene, controls, predict=predict, shown_when=shown_when, on_pages=on_pages
    )


@lru_cache(maxsize=32)
def _scene(
    *, data: str, p: float, optimizer: str, rival: str, start: str, recorded: str, predict: bool
) -> Scene:
    if data == "gas":
        contests = [_on_gas(*names) for names in RECORDED[recorded]]
        seeds = len(contests[0].linear.seeds)
        note = f"gas data (2,565 × 128), recorded; seeds: {seeds}"
        return contest_scene(contests, note=note, guess=f"gas {recorded}" if predict else "")
    powers = (2.0, 4.0) if p == 0 else (float(p),)
    options = {"optimizer": optimizer, "rival": rival or optimizer, "start": start}
    unasked = set(powers) <= set(POWERS) and set(options.values()) == {_GD, "balanced"}
    contests = [
        recorded_race(power) if unasked else contest_on_cars(power, **options) for power in powers
    ]
    how = "recorded" if unasked else "computed here"
    note = f"Auto MPG (392 × 7), {how}; band: range of 3 seeds"
    return contest_scene(contests, note=note, guess=f"cars {p:g} {options}" if predict else "")


def _on_gas(deep: str, optimizer: str, linear: str, rival: str) -> Contest:
    lanes = [lane for lane in load_record(deep).curves if lane.optimizer == optimizer]
    lanes.sort(key=lambda lane: lane.depth)
    model = load_record(linear)
    reference = model.of(depth=1, optimizer=rival)
    return Contest(reference, tuple(lanes), model.least, _GAS_TOLERANCES)


# Relative losses above the minimum below this are rounding.
_EXACT = 1e-10


def contest_scene(contests: Sequence[Contest], *, note: str, guess: str = "") -> Scene:
    """Return a contest beside the search for its rates, or two of the same iterations and lanes.

    With a name, the reader draws a `guess` first, which is kept under it.
    """
    first, alone = contests[0], len(contests) == 1
    recorded = first.linear.steps
    at = np.unique(np.searchsorted(recorded, plots.record_stops(int(recorded[-1]) + 1)))
    steps = recorded[at]
    depths = [lane.depth for lane in first.deep]
    within = [f"{100 * tolerance:g} %" for tolerance in first.tolerances]
    share = all(contest.can_share for contest in contests)
    axes = [
        Axis("depth", "depth N", depths, start=min(1, len(depths) - 1)),
        Axis("step", "iteration", steps, play=True),
        Axis("tolerance", "arrived: within", within, start=1, expert=True),
        Axis("way", "learning rate", ["own", "depth 1’s for all"], expert=True),
        Axis("scale", "iteration axis", ["logarithmic", "linear"], expert=True),
        Axis("measure", "rates by", ["iterations to arrive", "loss at the end"], expert=True),
    ]
    offered = {"way": share, "measure": alone}
    axes = [axis for axis in axes if offered.get(axis.name, True)]
    # Without a second way of choosing rates, the first dimension is no axis.
    lead, ways = (["way", "tolerance"], slice(None)) if share else (["tolerance"], 0)
    tracks, fields = [], {}
    for column, contest in enumerate(contests):
        side = " right" if column else ""
        tracks += _axis_tracks("xaxis2" if column else "xaxis", float(steps[-1]))
        # What rounding has put on the minimum, or below it, leaves the picture at its lower end.
        drawn = np.maximum(contest.bands[..., at], _EXACT)[ways]
        x = np.maximum(steps, plots.STEP_0)
        for edge, values in zip(("low", "", "high"), np.moveaxis(drawn, -2, 0), strict=True):
            one, deep = (f"{name}{side} {edge}".rstrip() for name in ("depth 1", "depth N"))
            tracks += plots.line_tracks(one, x, values[..., 0, :], [*lead, "step"])
            tracks += plots.line_tracks(deep, x, values[..., 1:, :], [*lead, "depth", "step"])
        levels = [[(x[0], level), (x[-1], level)] for level in contest.tolerances]
        tracks += plots.point_tracks(f"arrived{side}", np.array(levels), ["tolerance"])
        told = np.empty((*contest.chosen.shape[:2], len(depths)), object)
        for way, i, lane in np.ndindex(told.shape):
            told[way, i, lane] = _told(contest, (way, i, lane + 1), in_full=alone)
        fields[f"side_{column}"] = told.astype(str)[ways], [*lead, "depth"]
    tracks.append(plots.depth_name_track(len(depths)))
    if alone:
        tracks += _tuning_tracks(first, ways, lead)
    parts = [f"p\u00a0=\u00a0{c.linear.p:g}: {{side_{i}}}." for i, c in enumerate(contests)]
    tables = [
        [_table(contests, way, i) for i in range(len(first.tolerances))] for way in range(1 + share)
    ]
    return Scene(
        _figure(contests, note),
        axes,
        tracks,
        Reading(" ".join(parts), fields),
        alt="Loss above the minimum against iteration for the linear model and for the chosen "
        "depth, and what each learning rate leads to; or the race for the power 2 beside that for "
        "the power 4.",
        narrow=stacked(540, (0.58, 1), (0, 0.31))
        | {"annotations[0].text": f"loss above minimum<br>{_signs(contests)}<br> ", "margin.t": 80}
        | {"yaxis.title.text": "", "xaxis.title.text": ""},
        board=Board(np.array(tables)[ways], lead, folded="table of all depths"),
        sketch=_sketch(guess, contests, ways, lead) if guess else None,
    )


def _sketch(name: str, contests: Sequence[Contest], ways: slice | int, lead: list[str]) -> Sketch:
    """Return what is to be predicted: the loss of the last contest, beside that of depth 1."""
    contest, side = contests[-1], " right" if len(contests) == 2 else ""
    there = contest.arrivals[ways][..., 1:, 1]
    level = np.broadcast_to(np.array(contest.tolerances)[:, None], there.shape)
    return Sketch(
        f"regression {name}",
        f"depth N{side}",
        along="step",
        asks="Your guess: draw the loss of depth {depth} for "
        f"p\u00a0=\u00a0{contest.linear.p:g}. Grey: depth 1; dotted: arrived.",
        of="loss above the minimum",
        whole=[f"depth 1{side}{edge}" for edge in (" low", "", " high")],
        arrival=(level, there, [*lead, "depth"]),
    )


def _axis_tracks(axis: str, last: float) -> list[Track]:
    """Return a race's iteration axis, which ends where the slider does."""
    logs = np.log10([plots.STEP_0, last])
    return [
        Track(None, f"{axis}.type", ["log", "linear"], ["scale"]),
        Track(None, f"{axis}.range", np.array([logs, [0, last]]), ["scale"]),
        Track(None, f"{axis}.dtick", [1.0, plots.round_step(last / 3)], ["scale"]),
    ]


def _tuning_tracks(contest: Contest, ways: slice | int, lead: list[str]) -> list[Track]:
    """Return what each learning rate leads to, and the one chosen."""
    grids, iterations, excess = contest.tuning
    # What the rates are judged by: (measures, tolerances, lanes, rates).
    loss = np.broadcast_to(np.maximum(excess, _EXACT), iterations.shape)
    values = np.stack([iterations, loss])
    spans = [plots.log_axis(measure, below=_EXACT, above=1e7) for measure in values]
    chosen, rates = contest.chosen[ways], contest.rates[ways]
    *_, tolerances, lanes = np.indices(chosen.shape)
    picked = values[:, tolerances, lanes, chosen]
    both = ["measure", *lead]
    titles = ["iterations to arrive", "loss at the end"]
    return [
        Track(None, "yaxis2.range", [span["range"] for span in spans], ["measure"]),
        Track(None, "yaxis2.dtick", [float(span["dtick"]) for span in spans], ["measure"]),
        Track(None, "yaxis2.title.text", titles, ["measure"]),
        Track("tried at depth 1", "y", values[:, :, 0], ["measure", "tolerance"]),
        Track("tried at depth N", "x", grids[1:], ["depth"]),
        Track("tried at depth N", "y", values[:, :, 1:], ["measure", "tolerance", "depth"]),
        Track("chosen at depth 1", "x", rates[..., 0], lead),
        Track("chosen at depth 1", "y", picked[..., 0], both),
        Track("chosen at depth N", "x", rates[..., 1:], [*lead, "depth"]),
        Track("chosen at depth N", "y", picked[..., 1:], [*both, "depth"]),
    ]


def _names(contest: Contest) -> tuple[str, str]:
    """Return what the linear model is called, and the networks with ``{}`` for the depth."""
    rival, optimizer = contest.linear.optimizer, contest.deep[0].optimizer
    if rival == optimizer:
        return "depth 1", "depth {}"
    return f"{rival} on depth 1", f"{optimizer} on depth {{}}"


def _signs(contests: Sequence[Contest]) -> str:
    """Return the legend of what both panels have in common."""
    return key(("┅", _names(contests[-1])[0], GREY), ("┉", "arrived", BLACK))


def _told(contest: Contest, at: tuple[int, int, int], *, in_full: bool) -> str:
    """Return how the lane at (way, tolerance, lane) fared beside the linear model."""
    way, i, lane = at
    reference, name = _names(contest)
    name = name.format(contest.deep[lane - 1].depth)
    last = int(contest.linear.steps[-1])
    first, steps, _ = contest.arrivals[at]
    other = contest.arrivals[way, i, 0, 1]
    rate = f" at rate {number_text(contest.rates[at])}" if in_full else ""
    ahead, lead = contest.ahead_from[at], ""
    if in_full and ahead < last:
        lead = f"; it is ahead from {'' if ahead < 1_000 else 'about '}{number_text(ahead)} on"
    if np.isfinite(steps):
        fate = f"{name} arrives in {_count(steps)} iterations{rate}"
        return fate if name == reference else fate + compared(steps, other, reference, last) + lead
    if contest.diverged_at[at] >= 0:
        return f"{name} diverges at iteration {contest.diverged_at[at]}{rate}"
    fate = f"{name} has not arrived in {number_text(last)} iterations{rate}"
    if np.isfinite(first):
        fate = f"{name} arrives in {number_text(last)} iterations from some seeds only{rate}"
    if name == reference:
        return fate
    return fate + (f"; {reference} does in {number_text(other)}" if np.isfinite(other) else lead)


def _count(steps: float) -> str:
    """Return an iteration; one that lies between two records is told as what it is."""
    return number_text(steps) if float(steps).is_integer() else f"about {number_text(steps)}"


def _table(contests: Sequence[Contest], way: int, i: int) -> str:
    """Return as HTML who arrived when, with a column for each network."""
    first = contests[0]
    # The linear model has a column of its own only if no network in the contest is the same.
    rival, own = first.linear.optimizer, first.linear.optimizer != first.deep[0].optimizer
    names = [f"1, {rival}"] * own + [str(lane.depth) for lane in first.deep]
    rows = [_row("depth", names, "th")]
    for contest in contests:
        name = f"p = {contest.linear.p:g}: " if len(contests) == 2 else ""
        counts, ranges, gains = [], [], []
        reference = contest.arrivals[way, i, 0, 1]
        for low, middle, high in contest.arrivals[way, i, 1 - own :]:
            here = bool(np.isfinite(middle))
            counts.append(f"<b>{number_text(middle)}</b>" if here else "–")
            ranges.append(f"{number_text(low)}–{number_text(high)}" if here else "–")
            gain = reference / middle if here and np.isfinite(reference) else 0.0
            gains.append(f"{number_text(float(f'{gain:.2g}'))} ×" if gain else "–")
        rows.append(_row(f"{name}iterations", counts))
        if len(contests) == 1 and len(contest.linear.seeds) > 1:
            rows.append(_row("over seeds", ranges))
        rows.append(_row("speed-up", gains))
        if len(contests) == 1:
            rows.append(_row("at rate", map(number_text, contest.rates[way, i, 1 - own :])))
    return f"<table>{''.join(rows)}</table>"


def _row(name: str, cells: Iterable[str], tag: str = "td") -> str:
    style = 'style="padding:3px 9px;white-space:nowrap"'
    body = "".join(f"<{tag} {style}>{cell}</{tag}>" for cell in cells)
    return f"<tr><th {style}>{name}</th>{body}</tr>"


def _figure(contests: Sequence[Contest], note: str) -> go.Figure:
    """Return the figure with empty traces for the races, and for the rates of one alone."""
    alone, first = len(contests) == 1, contests[0]
    widths = [0.6, 0.4] if alone else [0.5, 0.5]
    figure = make_subplots(cols=2, column_widths=widths, horizontal_spacing=0.15)
    for column, contest in enumerate(contests, start=1):
        side = "" if column == 1 else " right"
        traces = [
            *plots.band_traces(GREY, "dash", width=3, name=f"depth 1{side}"),
            *plots.band_traces(VERMILLION, "solid", name=f"depth N{side}"),
            curve(f"arrived{side}", BLACK, "dot", 2),
        ]
        figure.add_traces(traces, rows=1, cols=column)
        start = float(np.nanmax(contest.bands[..., 0]))
        axis = plots.log_axis(contest.bands, below=min(contest.tolerances) / 10, above=2 * start)
        figure.update_yaxes(**axis, row=1, col=column)
        figure.update_xaxes(title="iteration", exponentformat="SI", tickangle=0, row=1, col=column)
    if alone:
        rates = first.tuning[0]
        looks = (("depth 1", GREY, "dash", 3, "-open"), ("depth N", VERMILLION, "solid", 4, ""))
        for name, colour, dash, width, filled in looks:
            tried = curve(f"tried at {name}", colour, dash, width, mode="lines+markers", x=rates[0])
            tried.update(marker={"size": 9, "symbol": f"circle{filled}"})
            figure.add_trace(tried, row=1, col=2)
        for name, colour, _, _, filled in looks:
            chosen = dot(f"chosen at {name}", colour, f"diamond{filled}", 17)
            figure.add_trace(chosen.update(marker_line_width=3), row=1, col=2)
        figure.update_xaxes(title="learning rate", **plots.log_axis_in_digits(rates), row=1, col=2)
        figure.update_yaxes(type="log", exponentformat="power", row=1, col=2)
    figure.update_yaxes(title="loss above minimum", row=1, col=1)
    _, deep = _names(contests[-1])
    depths = [lane.depth for lane in first.deep]
    plots.name_depth(figure, depths, deep.replace("gradient descent", "descent"))
    text = f"{html.escape(note)}<br>{_signs(contests)}"
    heading(figure, f"{text}<br> ")  # the last line is the depth's, and the power's
    titles = ["", "<b>rates tried, ◆ chosen</b>"]
    if not alone:
        titles = [f"<b>p = {contest.linear.p:g}</b>" for contest in contests]
    for panel, words in enumerate(titles, start=1):
        heading(figure, words, panel)
    margin = {"l": 92, "t": 96, "b": 64, "r": 16}
    figure.update_layout(template=TEMPLATE, height=420, showlegend=False, margin=margin)
    return figure
