"""The talk's "Illustration of Acceleration", set in motion: `explore_trajectories`."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from overparam_edu.checks import Array, number
from overparam_edu.dynamics.losses import SeparableLp
from overparam_edu.dynamics.rule import split_direction
from overparam_edu.experiments.depth_race import DepthRace, race_depths
from overparam_edu.explorers import plots, predicting
from overparam_edu.player import style
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Handle, Reading, Scene, Sketch, Strip, Track
from overparam_edu.player.style import BLACK, BLUE, GREEN, GREY, TEMPLATE, VERMILLION


def explore_trajectories(*, predict: bool = False) -> Explorer:
    r"""Return the 2-D illustration as a widget: paths by depth, over an ill-conditioned loss.

    On the left the path of depth ``N`` (orange) and of depth 1 (grey, dashed) over the contours of
    :math:`\frac1p (w_1 - y_1)^p + \frac1p (w_2 - y_2)^p`, with the split of the next step into its
    adaptive-rate part (blue) and its projection part (green), enlarged. On the right the loss, and
    the effective learning rate :math:`\eta \|w\|^{2-2/N}` across ``w`` and ``N`` times that along
    it (talk, "Illustration of Acceleration"; paper, section 7).

    It opens at the start, each depth at a quarter of its tuned learning rate: at the whole rate
    some paths leap to and fro, and some runs arrive early by luck. At the end the sentence says
    when this run arrived, and compares depths by the count that shuts luck out: at tuned rates, in
    the slowest of five runs (`tuned_learning_rate`).

    Depth and iteration move in the browser; small pictures above show the paths of other depths at
    the same iteration, and a click on one goes to its depth. The power ``p``, the targets' ratio,
    the start, which can be dragged, the learning rates and the dynamics ask Python for new runs.

    Parameters
    ----------
    predict : bool
        Let students draw the loss that they expect before they see it,
        and say how far off they are. What they draw is kept in `progress`; Escape skips it.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_trajectories()
    >>> explorer.set(p=2)
    """
    controls: dict[str, widgets.Widget] = {
        "p": widgets.ToggleButtons(options=[2, 3, 4, 6], value=4, description="power p"),
        "ratio": widgets.SelectionSlider(
            options=[1, 2, 5, 10, 20, 30], value=10, description="targets y₁/y₂"
        ),
        "start": widgets.SelectionSlider(
            options=[*((f"{w:g}", w) for w in _STARTS), ("by hand", "hand")],
            value=0.01,
            description="start",
        ),
        "start_1": widgets.FloatText(value=0.5, step=0.05, description="start w₁"),
        "start_2": widgets.FloatText(value=0.05, step=0.005, description="w₂"),
        "learning_rate": widgets.ToggleButtons(
            options=[
                ("a quarter of the tuned", "quarter"),
                ("tuned for each depth", "tuned"),
                ("same", "same"),
                ("by hand", "hand"),
            ],
            description="learning rate",
        ),
        "rate_by_hand": widgets.FloatLogSlider(
            # Small enough that no step lands on the target by chance, as one does at 1.
            value=10**-0.5,
            base=10,
            min=-2,
            max=1.5,
            step=0.05,
            description="η",
            readout_format=".2g",
        ),
        "dynamics": widgets.ToggleButtons(
            options=[("rule", "rule"), ("real network", "network"), ("flow", "flow")],
            description="dynamics",
        ),
    }
    for name in ("start_1", "start_2"):
        controls[name].layout.width = "140px"
    by_hand = {"rate_by_hand": "learning_rate", "start_1": "start", "start_2": "start"}
    shown_when = {name: partial(_by_hand, which) for name, which in by_hand.items()}
    return predicting.explorer(_scene, controls, predict=predict, shown_when=shown_when)


def _by_hand(which: str, values: dict[str, Any]) -> bool:
    return bool(values[which] == "hand")


_STARTS = (0, 0.001, 0.003, 0.01, 0.03, 0.1)


def _scene(
    *, learning_rate: str, rate_by_hand: float, start_1: float, start_2: float, **others: Any
) -> Scene:
    if others["start"] == "hand":
        others["start"] = (start_1, start_2)
    rate = rate_by_hand if learning_rate == "hand" else learning_rate
    return trajectory_scene(learning_rate=rate, **others)


@lru_cache(maxsize=64)
def trajectory_scene(
    p: float = 4,
    ratio: float = 10,
    start: float | tuple[float, float] = 0.01,
    learning_rate: str | float = "quarter",
    dynamics: str = "rule",
    predict: bool = False,
) -> Scene:
    """Return the scene of `explore_trajectories`: targets (1, 1 / ratio), one start w for both."""
    loss = SeparableLp((1.0, 1.0 / ratio), p=p)
    both_of = np.broadcast_to(start, 2)
    first = np.array([number("start", w, lower=-_FAR, upper=_FAR) for w in both_of])
    race = _race(p, ratio, tuple(first.tolist()), learning_rate, dynamics)
    depths = race.depths
    at = plots.record_stops(len(race.steps))
    depth = Axis("depth", "depth N", depths, start=int(np.argmax(depths == 3)))
    step = Axis("step", "iteration", race.steps[at], play=True)
    points, losses = np.moveaxis(race.points[at], 1, 0), race.losses[at].T  # (depth, step, ...)
    with np.errstate(over="ignore"):
        squares = np.square(points).sum(axis=-1)
    # What the step multiplies the gradient by across w, and along w.
    across = race.learning_rates[:, None] * squares ** (1 - 1 / depths[:, None])
    along = depths[:, None] * across
    # Where the start can be dragged, and what paths need; under a hand the picture stays.
    low = np.minimum(-_ROOM * loss.targets, first)
    high = np.maximum((1 + _ROOM) * loss.targets, first)
    near = race if np.ndim(start) == 0 else _race(p, ratio, _NEAR_0, learning_rate, dynamics)
    spans = plots.plane_ranges(near.points, near.losses)
    spans = np.stack([np.minimum(spans[:, 0], low), np.maximum(spans[:, 1], high)], axis=1)
    adaptive, projection = _next_step(loss, points, depths, spans)
    both = ["depth", "step"]
    curves = {
        "loss of depth 1": losses[0],
        "loss": losses,
        "rate of depth 1": across[0],
        "rate across w": across,
        "rate along w": along,
    }
    tracks = [
        *path_tracks(points),
        *plots.point_tracks("adaptive rate", adaptive, both),
        *plots.point_tracks("projection", projection, both),
        plots.depth_name_track(len(depths)),
    ]
    for name, values in curves.items():
        # 0 has no place on a logarithmic axis, but its line leads down and out of the picture.
        drawn = np.maximum(values, 1e-30)
        tracks += plots.line_tracks(name, np.maximum(step.stops, plots.STEP_0), drawn, both)
    choice = learning_rate if isinstance(learning_rate, str) else "by hand"
    reading = Reading(
        "At iteration {step}, loss {loss} (depth 1: {loss_1}).{verdict}",
        {
            "verdict": (_verdicts_so_far(race, at, _RATES[choice]), both),
            "loss": (losses, both),
            "loss_1": (losses[0], ["step"]),
        },
    )
    rate_axis = plots.log_axis([across, along], below=1e-4, above=1e3)
    figure = _figure(loss, race, first, spans, rate_axis)
    narrow = style.stacked(520, (0.57, 1), (0, 0.28, 0, 0.4), (0, 0.28, 0.6, 1))
    rates = _RATES_KEY.replace("across", "rate across").replace("   ", "<br>")
    legend = f"{_NEXT_KEY}<br>{style.key(_DEPTH_1)}   {style.key(('★', 'min', BLACK))}"
    narrow |= {"annotations[1].text": legend, "annotations[2].text": rates}
    every = 2 if race.steps[-1] >= 100 else 1  # powers of ten
    narrow |= {"xaxis2.title.text": "iteration", "xaxis2.dtick": every, "xaxis3.dtick": every}
    hand = Handle(
        "start",
        "start of the paths",
        ("start_1", "start_2"),
        ((low[0], high[0]), (low[1], high[1])),
        (0.01, plots.round_step(0.012 / ratio)),
        sets={"start": "hand"},
        ghost=("path", "loss"),
    )
    sketch = Sketch(
        "trajectories",
        "loss",
        along="step",
        asks="Your guess: draw the loss of depth {depth}. Grey: depth 1; dotted: arrived.",
        of="loss",
        whole=["loss of depth 1"],
        arrival=(np.full(len(depths), race.target), race.arrivals, ["depth"]),
    )
    return Scene(
        *(figure, [depth, step], tracks, reading),
        alt=_ALT,
        narrow=narrow,
        handles=[hand],
        sketch=sketch if predict else None,
        strip=Strip("path", "depth", [n for n, N in enumerate(depths) if N in _SMALL]),
    )


# Depths whose paths are seen small, beside each other, where there are such.
_SMALL = (1, 1.5, 2, 3, 4, 8)
# How far beyond 0 and the minimum the picture goes, relative to their distance; and any start.
_ROOM, _FAR, _NEAR_0 = 0.08, 10.0, (0.01, 0.01)


@lru_cache(maxsize=8)
def _race(
    p: float, ratio: float, start: tuple[float, float], learning_rate: str | float, dynamics: str
) -> DepthRace:
    loss = SeparableLp((1.0, 1.0 / ratio), p=p)
    return race_depths(
        loss,
        start,
        # Only the rule knows depths between whole ones.
        depths=np.arange(1, 8.5, 0.5 if dynamics == "rule" else 1.0),
        # A run arrives when it is down to 1% of what the slow coordinate alone costs at 0.
        target=0.01 * float(loss.targets[1]) ** p / p,
        learning_rate="tuned" if learning_rate == "quarter" else learning_rate,
        fraction=0.25 if learning_rate == "quarter" else 1.0,
        dynamics=dynamics,
    )


_RATES = {
    "quarter": "each depth at a quarter of the rate tuned for its rule",
    "tuned": "each depth at the rate tuned for its rule",
    "same": "one rate for all, safe for the rule at every depth",
    "by hand": "one rate for all, set by hand",
}
_DEPTH_1, _MINIMUM = ("┅", "depth 1", GREY), ("★", "minimum", BLACK)
_NEXT_KEY = style.key(("→", "adaptive rate", BLUE), ("→", "projection", GREEN))
_RATES_KEY = style.key(("━", "across w", BLUE), ("┉", "along w", GREEN))
_ALT = (
    "Left: paths of gradient descent at depth 1 and at the chosen depth over the contours of the "
    "loss, with the two parts of the next step as arrows. Right: loss and effective learning rate "
    "against iteration."
)


def _next_step(loss: SeparableLp, points: Array, depths: Array, spans: Array) -> Array:
    """Return enlarged arrows along the two parts of each next step, (2, depth, step, 2 ends, 2)."""
    with np.errstate(invalid="ignore"):
        inside = (np.abs(points) < 1e3).all(axis=-1, keepdims=True)
    safe = np.where(inside, points, 0.0)
    parts = np.array(split_direction(safe, loss.gradient(safe), depths[:, None]))
    longest = np.linalg.norm(parts / np.ptp(spans, axis=1), axis=-1).max(axis=0)
    factor = np.divide(0.22, longest, out=np.zeros_like(longest), where=longest > 0)
    drawn = -factor[..., None] * parts
    # An arrow without length has no direction, and on the minimum there is no next step.
    size = np.ptp(spans, axis=1)
    seen = inside & (np.linalg.norm(drawn / size, axis=-1, keepdims=True) > 1e-3)
    seen &= np.linalg.norm((points - loss.targets) / size, axis=-1)[..., None] > 1e-3
    here = np.where(seen, points, np.nan)
    arrows: Array = np.stack([here, here + drawn], axis=-2)
    return arrows


def _verdicts_so_far(race: DepthRace, at: np.ndarray, rates: str) -> Array:
    """Return the `verdicts` for the last stop, and a word on a depth that has arrived before it."""
    steps, ends = race.steps[at], verdicts(race)
    gone = (steps >= race.diverged_at[:, None]) & (race.diverged_at[:, None] >= 0)
    said = np.where(steps >= race.arrivals[:, None], " Arrived.", "").astype(object)
    said[gone] = " Diverged."
    said[:, -1] = [f" With {rates}, {end}." for end in ends]
    words: Array = said.astype(str)
    return words


def _figure(
    loss: SeparableLp, race: DepthRace, start: Array, spans: Array, rate_axis: dict[str, Any]
) -> go.Figure:
    figure = plots.one_beside_two(0.56, 0.12)
    one, deep = (GREY, "dash", 3), (VERMILLION, "solid", 4)
    x, y = loss.targets[:, None]
    star = {"symbol": "star", "size": 18, "color": BLACK}
    plane = [
        plots.loss_contour(loss, *spans),
        go.Scatter(x=x, y=y, mode="markers", marker=star, cliponaxis=False),
        style.dot("start", BLACK, "diamond-open", x=start[:1], y=start[1:], cliponaxis=False),
        *path_traces(),
        style.arrow("adaptive rate", BLUE),
        style.arrow("projection", GREEN),
    ]
    losses = [style.curve("loss of depth 1", *one), style.curve("loss", *deep)]
    effective = [
        style.curve("rate of depth 1", *one),
        style.curve("rate across w", BLUE),
        style.curve("rate along w", GREEN, "dot"),
    ]
    for traces, row, column in ((plane, 1, 1), (losses, 1, 2), (effective, 2, 2)):
        figure.add_traces(traces, rows=row, cols=column)
    margin = {"t": 56, "b": 56, "r": 16}
    figure.update_layout(template=TEMPLATE, height=470, showlegend=False, margin=margin)
    figure.update_xaxes(range=spans[0], title="w₁", row=1, col=1)
    figure.update_yaxes(range=spans[1], title="w₂", row=1, col=1)
    loss_axis = plots.log_axis(
        race.losses, below=race.target / 10, above=2 * float(race.losses[0].max())
    )
    figure.update_xaxes(plots.step_axis(float(race.steps[-1])), col=2)
    figure.update_xaxes(title="iteration", row=2, col=2)
    for row, axis in ((1, loss_axis), (2, rate_axis)):  # room for a tick or two
        every = max(1, round(float(np.ptp(axis["range"])) / 2.5))
        figure.update_yaxes(axis | {"dtick": every}, row=row, col=2)
    figure.add_hline(race.target, line={"dash": "dot", "width": 2}, row=1, col=2)
    level = float(np.log10(race.target))  # annotations on logarithmic axes stand at the logarithm
    style.heading(figure, "arrived", 2, y=level, yref="y2", yanchor="top")
    plots.name_depth(figure, race.depths)
    paths = style.key(_DEPTH_1, _MINIMUM)
    style.heading(figure, f"next step:   {_NEXT_KEY}<br>{paths}")
    style.heading(figure, f"<b>rate</b>  {_RATES_KEY}", 3)
    style.heading(figure, "<b>loss</b>", 2)
    return figure


# --- what the explorer of your own loss shows as well ---


def path_traces() -> list[go.Scatter]:
    """Return the paths of depth 1 and of depth N, and the dots where they are now, all empty."""
    return [
        style.curve("path of depth 1", GREY, "dash", 3),
        style.curve("path", VERMILLION),
        style.dot("now of depth 1", GREY, "circle-open"),
        style.dot("now", VERMILLION),
    ]


def path_tracks(points: Array) -> list[Track]:
    """Return the tracks of the `path_traces`, from points (depth, step, 2) with depth 1 first."""
    (x, y), both = np.moveaxis(points, -1, 0), ["depth", "step"]
    return [
        *plots.line_tracks("path of depth 1", x[0], y[0], ["step"]),
        *plots.line_tracks("path", x, y, both),
        *plots.point_tracks("now of depth 1", points[0], ["step"]),
        *plots.point_tracks("now", points, both),
    ]


def verdicts(race: DepthRace) -> list[str]:
    """Return for each depth how its run fared, and how it compares with depth 1, the first lane.

    Depths are compared by the fair count where there is one, else by what these runs took.
    """
    last, words = int(race.steps[-1]), []
    for lane, (N, rate) in enumerate(zip(race.depths, race.learning_rates, strict=True)):
        arrival, comparison = race.arrivals[lane], ""
        if race.diverged_at[lane] >= 0:
            fate = f"diverges at iteration {race.diverged_at[lane]}"
        elif np.isfinite(arrival):
            fate = f"arrives in {number_text(arrival)} iteration{'' if arrival == 1 else 's'}"
            comparison = compared(arrival, race.arrivals[0], "depth 1", last) if lane else ""
        else:
            moved = np.ptp(race.points[:, lane], axis=0).max() > 0
            fate = "has not arrived" if moved else "never moves"
            fate += f" in {number_text(last)} iterations"
        fair = race.fair_steps[lane]
        if np.isfinite(fair):
            comparison = f". Fair count (tuned rate, slowest of five runs): {number_text(fair)}"
            if lane:
                comparison += compared(fair, race.fair_steps[0], "depth 1", last)
        words.append(f"depth {N:g} {fate} at rate {number_text(float(rate))}{comparison}")
    return words


def compared(steps: float, other: float, name: str, last: int) -> str:
    """Return how an arrival compares with another's, which is infinite if it did not arrive."""
    if not np.isfinite(other):
        return f"; {name} has not arrived in {number_text(last)}"
    factor = number_text(round(max(other, steps) / max(1.0, min(other, steps)), 1))
    if factor == "1":
        return f", about as fast as {name} ({number_text(other)})"
    faster = "faster" if steps < other else "slower"
    return f", {factor} times {faster} than {name} ({number_text(other)})"
