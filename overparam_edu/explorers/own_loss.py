"""A loss of your own, set in motion: `explore_own_loss`."""

from __future__ import annotations

import html
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import sympy as sp
from scipy.optimize import minimize

from overparam_edu.checks import Array, brief, number, one_of
from overparam_edu.derivations.own_loss import SymbolicLoss, parse
from overparam_edu.derivations.potential import Certificate, Potential, find_potential
from overparam_edu.dynamics.loops import work
from overparam_edu.dynamics.losses import Loss
from overparam_edu.experiments.depth_race import DepthRace, race_depths
from overparam_edu.explorers import plots
from overparam_edu.explorers.trajectories import path_traces, path_tracks, verdicts
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.mathml import mathml, typeset
from overparam_edu.player.scene import Axis, Board, Handle, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    GREY,
    MINUS,
    PLUS,
    TEMPLATE,
    VERMILLION,
    curve,
    heading,
    key,
    stacked,
)

EXAMPLES = {
    "fourth powers": "(w1 - 1)^4 + (w2 - 0.5)^4/10",
    "a round bowl": "(w1 - 1)^2/2 + (w2 - 0.5)^2/2",
    "a stretched bowl": "(w1 - 1)^2/2 + (w2 - 0.5)^2/20",
    "a valley with a bend": "(w1 - 1)^2 + 4*(w2 - w1^2)^2",
    "logistic regression": "log(1 + exp(-w1 - 2*w2)) + log(1 + exp(2*w1 - w2)) + (w1^2 + w2^2)/20",
    "ℓ₁, with kinks": "|w1 - 1| + |w2 - 0.5|",
    "the same all round": "(w1^2 + w2^2 - 1)^2",
    "a slope without end": "-w1 - w2/2",
}
_FIRST = EXAMPLES["fourth powers"]
_DEPTHS = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8])
_THREE = 4
# How far from the start a minimum is looked for; where there is none, how far it goes downhill.
_REACH, _DOWNHILL = 10.0, 2.0
# A run has arrived when this part of the way down is left.
_LEFT = 1e-3
# Iterations at most, and operations of the loss times iterations.
_STEPS, _OPERATIONS = 2_000, 60_000


def explore_own_loss() -> Explorer:
    r"""Return a laboratory for a loss that you type, in ``w1`` and ``w2``.

    On the left the paths of depth ``N`` (orange) and of depth 1 (grey, dashed) over the contours of
    the loss. In the middle the rule's field :math:`F_N` over its curl, with a loop round which its
    work is not 0, if there is one. On the right the loss against iteration. Below, in words and in
    mathematics, the function that has :math:`F_N` as its gradient, or the proof that there is none
    (`find_potential`).

    Depth and iteration move in the browser; the loss, the start and the learning rates ask Python.
    `SymbolicLoss` says what can be typed; what was understood stands beside it as a formula.
    Anything else is refused in plain words, and the picture stays.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_own_loss()
    >>> explorer.set(loss="w1^4 + |w1 - w2|")
    """
    controls: dict[str, widgets.Widget] = {
        "loss": widgets.Text(
            value=_FIRST,
            description="loss L(w) =",
            placeholder="in w1 and w2, such as (w1 - 1)^2 + w2^4",
            continuous_update=False,
        ),
        "example": widgets.Dropdown(
            options=[*EXAMPLES.items(), ("your own", "")], description="example"
        ),
        "start_1": widgets.FloatText(value=0.05, step=0.05, description="start w₁"),
        "start_2": widgets.FloatText(value=0.05, step=0.05, description="w₂"),
        "learning_rate": widgets.ToggleButtons(
            options=[("tuned for each depth", "tuned"), ("same", "same"), ("by hand", "hand")],
            description="learning rate",
        ),
        "rate_by_hand": widgets.FloatLogSlider(
            value=0.1, base=10, min=-4, max=2, step=0.05, description="η", readout_format=".2g"
        ),
    }
    controls["loss"].layout.width, controls["example"].layout.width = "520px", "300px"
    controls["start_1"].layout.width, controls["start_2"].layout.width = "150px", "110px"
    text, example, formula = controls["loss"], controls["example"], widgets.HTML()
    formula.value = understood(text.value)

    def chosen(change: Any) -> None:
        if change.new:
            text.value = change.new

    def typed(change: Any) -> None:
        if change.new != example.value:
            example.value = change.new if change.new in EXAMPLES.values() else ""
        formula.value = understood(change.new)

    example.observe(chosen, "value")
    text.observe(typed, "value")
    by_hand = {"rate_by_hand": lambda values: values["learning_rate"] == "hand"}
    return Explorer(_scene, controls, shown_when=by_hand, notes=[formula])


def understood(loss: str) -> str:
    """Return how a typed loss was read, as a formula in HTML; nothing if it was not."""
    try:
        formula, _ = parse(loss)
    except ValueError:
        return ""
    return f'<div style="overflow-x: auto">{mathml(f"L(w) = {sp.latex(formula)}")}</div>'


def _scene(**values: Any) -> Scene:
    by_hand = values["learning_rate"] == "hand"
    # A page without Python changes the example alone.
    return own_loss_scene(
        values["example"] or values["loss"],
        (values["start_1"], values["start_2"]),
        values["rate_by_hand" if by_hand else "learning_rate"],
    )


@lru_cache(maxsize=64)
def own_loss_scene(
    loss: str = _FIRST,
    start: tuple[float, float] = (0.05, 0.05),
    learning_rate: str | float = "tuned",
) -> Scene:
    """Return the scene of `explore_own_loss` for one choice of its controls.

    Where no minimum is within reach there is nothing to tune for: any word as the learning rate
    then stands for one small rate for all.
    """
    typed = SymbolicLoss(loss)
    if typed.shape != (2,):
        raise ValueError(f"expression must be of w1 and w2 alone; got {brief(loss)}")
    first = np.array([number("start", w) for w in start])
    if isinstance(learning_rate, str):
        one_of("learning_rate", learning_rate, ("tuned", "same"))
    goal = _goal(typed, first)
    race = _race(typed, first, goal, learning_rate)
    spans = _spans(race, first, goal)
    above = Above(typed, goal.least if goal.found else goal.least - goal.drop)
    at = plots.record_stops(len(race.steps))
    losses, heights = race.losses[at].T, race.losses
    if goal.found:  # on a logarithmic axis, above the minimum
        heights = np.maximum(race.losses - goal.least, 1e-9 * goal.drop)
    drawn = heights[at].T
    answers = answers_at(loss, tuple(_DEPTHS.tolist()))
    grid = [np.linspace(low, high, 32) for low, high in spans]
    colours = plots.curl_colours(typed, _DEPTHS, *grid)
    coarse = [np.linspace(low, high, 11)[1:-1] for low, high in spans]
    arrows = plots.arrow_ends(above, _DEPTHS, *coarse)
    loops, works = np.full((len(_DEPTHS), 5, 2), np.nan), [0.0] * len(_DEPTHS)
    for i, answer in enumerate(answers):
        if isinstance(answer, Potential) and answer.certificate is not None:
            loop, works[i] = _loop(typed, _DEPTHS[i], answer.certificate, spans, colours[i])
            loops[i] = loop[[0, 1, 2, 3, 0]]
    # It opens where depth 3 has arrived: at its tuned rate it may leave again.
    arrival = np.searchsorted(race.steps[at], min(race.arrivals[_THREE], race.steps[at[-1]]))
    step = Axis("step", "iteration", race.steps[at], start=int(arrival), play=True)
    iterations = np.maximum(step.stops, plots.STEP_0)
    tracks = [
        *path_tracks(np.moveaxis(race.points[at], 1, 0)),
        *plots.line_tracks("loss of depth 1", iterations, drawn[0], ["step"]),
        *plots.line_tracks("loss", iterations, drawn, ["depth", "step"]),
        plots.depth_name_track(len(_DEPTHS)),
        Track("curl", "z", colours, ["depth"]),
        *plots.point_tracks("field", arrows, ["depth"]),
        *plots.point_tracks("loop", loops, ["depth"]),
    ]
    missing = f" No minimum within {_REACH:g} of the start: one small rate for all."
    reading = Reading(
        "At iteration {step}, loss {loss} (depth 1: {loss_1}). {verdict}."
        + ("" if goal.found else missing),
        {
            "loss": (losses, ["depth", "step"]),
            "loss_1": (losses[0], ["step"]),
            "verdict": ([text[0].upper() + text[1:] for text in verdicts(race)], ["depth"]),
        },
    )
    figure = _figure(above, spans, first, goal, grid, arrows.shape[1] // 3)
    wide, tall = np.ptp(spans, axis=1)
    figure.update_layout(_loss_axes(goal, race, heights))
    return Scene(
        figure,
        [Axis("depth", "depth N", _DEPTHS, start=_THREE), step],
        tracks,
        reading,
        alt="Left: paths of gradient descent at depth 1 and at the chosen depth over the contours "
        "of the loss. Middle: the field's arrows over its curl in colours, and a loop round which "
        "its work is not 0, if there is one. Right: the loss against iteration.",
        narrow=stacked(540, (0.54, 1), (0, 0.3, 0, 0.42), (0, 0.3, 0.58, 1)) | _NARROW,
        board=Board(list(map(in_words, _DEPTHS, answers, works)), ["depth"]),
        handles=[
            Handle(
                "start",
                "start of the paths",
                ("start_1", "start_2"),
                within=(tuple(spans[0]), tuple(spans[1])),
                step=(plots.round_step(wide / 100), plots.round_step(tall / 100)),
                ghost=("path", "loss"),
            )
        ],
    )


# --- the race ---


class Goal(NamedTuple):
    """Where the way downhill ends: at a minimum, or where the picture does."""

    minimum: Array | None
    end: Array
    least: float
    drop: float  # from the start to there
    rate: float  # at which depth 1 takes some dozens of iterations to there, at the first slope

    @property
    def found(self) -> bool:
        """Whether there is a minimum."""
        return self.minimum is not None

    @property
    def target(self) -> float:
        """The loss at which a run has arrived."""
        return self.least + _LEFT * self.drop


def _goal(loss: SymbolicLoss, start: Array) -> Goal:
    value, slope = float(loss.value(start)), loss.gradient(start)
    where = f"({start[0]:g}, {start[1]:g})"
    if not (np.isfinite(value) and np.all(np.isfinite(slope))):
        raise ValueError(
            f"start must be where the loss and its slopes are finite numbers; at {where} they "
            "are not"
        )
    for reach in (_REACH, _DOWNHILL):
        end = _downhill(loss, start, reach)
        least = float(loss.value(end))
        if not value - least > 1e-12 * max(1.0, abs(value)):
            raise ValueError(f"start must be where the loss has a slope; at {where} it has none")
        if np.abs(end - start).max() < 0.99 * reach:
            break
    distance = float(np.linalg.norm(end - start))
    rate = distance / (60 * float(np.linalg.norm(slope)))
    minimum = end if reach == _REACH else None
    # A pole, if most of the fall is in the last bit of the way, as where a logarithm is at 0.
    beside = loss.value(end + 1e-6 * distance * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
    if np.any(beside > (value + least) / 2):
        before, minimum = start + 0.99 * (end - start), None
        if (height := float(loss.value(before))) < value:
            end, least = before, height
    return Goal(minimum, end, least, value - least, rate)


def _downhill(loss: SymbolicLoss, start: Array, reach: float) -> Array:
    """Return the lowest point found from the start by small steps, within reach."""
    first = float(loss.value(start))

    def height(w: Array) -> float:
        value = float(loss.value(w))
        return value if np.isfinite(value) else first + 1e6 * (1 + abs(first))

    # Needs no slopes, so that it gets along kinks, and stays in the valley where it begins.
    simplex = start + np.array([[0.0, 0.0], [0.03, 0.0], [0.0, 0.03]])
    box = [(w - reach, w + reach) for w in start]
    options = {"initial_simplex": simplex, "xatol": 1e-9, "fatol": 1e-14, "maxfev": 600}
    with np.errstate(all="ignore"):
        best: Array = minimize(height, start, method="Nelder-Mead", bounds=box, options=options).x
    return best


def _race(loss: SymbolicLoss, start: Array, goal: Goal, learning_rate: str | float) -> DepthRace:
    if isinstance(learning_rate, str) and not goal.found:
        learning_rate = goal.rate
    operations = int(sp.count_ops(list(loss.slopes))) + 1
    return race_depths(
        loss,
        start,
        depths=_DEPTHS,
        target=goal.target,
        learning_rate=learning_rate,
        steps=int(np.clip(_OPERATIONS // operations, 200, _STEPS)),
    )


# --- the field and its potential ---

# A potential or a certificate, or why it could not be decided.
Answer = Potential | str


@lru_cache(maxsize=64)
def answers_at(text: str, depths: tuple[float, ...]) -> tuple[Answer, ...]:
    """Return for each depth the potential or the certificate, or why it can't be decided."""
    loss = SymbolicLoss(text)
    answers: list[Answer] = []
    for N in depths:
        try:
            answers.append(find_potential(loss, Fraction(float(N))))
        except ValueError as problem:
            answers.append(str(problem))
    return tuple(answers)


def _loop(
    loss: SymbolicLoss, depth: float, proof: Certificate, spans: Array, colours: Array
) -> tuple[Array, float]:
    """Return a square in view where there is most curl, and the work round it.

    If its work is not clear, the certificate's own loop, wherever that is.
    """
    sides = np.linspace(-1, 1, len(colours))
    off_centre = np.hypot(*np.meshgrid(sides, sides))
    central = np.isfinite(colours) & (off_centre < 0.8)
    row, column = np.unravel_index(
        np.argmax(np.where(central, np.abs(colours) - off_centre / 2, -np.inf)), colours.shape
    )
    corners = 0.16 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    square = np.array([sides[column], sides[row]]) + corners
    square = spans.mean(axis=1) + square * np.ptp(spans, axis=1) / 2
    done = work(loss, depth, square)
    if np.isfinite(proof.curl) and abs(done.total) > 1e3 * done.error_estimate:
        return square, float(done.total)
    return proof.loop, proof.work


def in_words(depth: float, answer: Answer, work: float) -> str:
    """Return an answer in words and mathematics, as HTML, with the work round the loop if any."""
    if isinstance(answer, str):
        return _block(f"<b>Depth {depth:g}: not decided.</b> {html.escape(answer)}.")
    h, proof = r"h = \langle w, g\rangle - \tfrac{2}{N} L", answer.certificate
    if _is_short(answer.h):
        h += f" = {sp.latex(answer.h)}"
    if proof is None:
        head = f"<b>Depth {depth:g}: the field <i>F</i> is the gradient of a function</b>"
        if answer.depth == 1:
            return _block(f"{head}, the loss itself.")
        why = "since <i>h</i> depends on the length of <i>w</i> alone"
        why += "." if answer.method == "symbolic" else f" (to {answer.method}, not proved)."
        of = r"(\ldots), \text{ which find\_potential writes out}"
        if _is_short(answer.potential):
            of = rf"\left({sp.latex(answer.potential)}\right)"
        return _block(f"{head}, {why}", [h], [rf"F = \nabla{of}"])
    rows = [rf"\oint F \cdot dw = {_number(work)} \text{{ round the loop}}"]
    if np.isinf(proof.curl):
        why = "since <i>h</i> jumps along circles about 0, at a kink."
    else:
        why = "since <i>h</i> changes along circles about 0."
        at = ", ".join(sp.latex(sp.Rational(x)) for x in proof.point)
        curl = rf"\partial_1 F_2 - \partial_2 F_1 = {_number(proof.curl)} \text{{ at }}"
        rows.insert(0, rf"{curl} \left({at}\right)")
    head = f"<b>Depth {depth:g}: no function has <i>F</i> as its gradient</b>"
    return _block(f"{head}, {why}", [h], rows)


def _block(words: str, *blocks: list[str]) -> str:
    row = "display: flex; flex-wrap: wrap; gap: 0 36px; align-items: center; font-size: 18px"
    maths = ""
    for rows in blocks:
        lines = r" \\ ".join(f"& {line}" for line in rows)
        maths += typeset(rf"\begin{{aligned}}{lines}\end{{aligned}}")
    return (
        f'<div style="font-size: 20px; min-height: 5.6em">{words}<div style="{row}">{maths}</div>'
        "</div>"
    )


def _is_short(formula: sp.Expr) -> bool:
    """Return whether a formula is short enough to be written out."""
    return bool(sp.count_ops(formula) <= 60)


def _number(value: float) -> str:
    """Return a number in LaTeX, to three digits."""
    mantissa, _, power = f"{value:.3g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa


# --- the picture ---


_NARROW = {
    "annotations[1].text": key(("■", "curl +", PLUS), ("■", "−", MINUS)) + "<br>▢ loop with work",
    "annotations[2].text": "<b>loss</b>",
    "yaxis2.showticklabels": True,
    "xaxis2.nticks": 3,
    "yaxis2.nticks": 4,
    "yaxis3.nticks": 4,
}


class Above(Loss):
    """A loss above its least value, with something finite everywhere, to be drawn."""

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


def _spans(race: DepthRace, start: Array, goal: Goal) -> Array:
    """Return axis ranges (2, 2) that hold 0, the start, its goal and the paths, not too slim."""
    reach = _REACH if goal.found else 1.2 * _DOWNHILL
    with np.errstate(invalid="ignore"):
        near = np.abs(race.points - start).max(axis=-1) <= reach
        near &= race.losses - goal.least <= 1.5 * goal.drop
    points = np.concatenate([race.points[near], [start, goal.end, np.zeros(2)]])
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.6 * (high - low)
    half = np.maximum(half, half.max() / 2)
    # Edges are round, so that they stay where they are while a start is dragged a little.
    edge = plots.round_step(half.max() / 2)
    middle = (low + high) / 2
    ends = [np.floor((middle - half) / edge), np.ceil((middle + half) / edge)]
    return edge * np.stack(ends, axis=1)


def _loss_axes(goal: Goal, race: DepthRace, heights: Array) -> dict[str, Any]:
    """Return the axes of the loss: logarithmic above a minimum, otherwise plain."""
    low, drop = goal.least, goal.drop
    loss: dict[str, Any] = {"range": [low - 0.1 * drop, low + drop + 0.1 * drop], "nticks": 6}
    if goal.found:
        loss = plots.log_axis(heights, below=_LEFT * drop / 10, above=10 * drop)
    iterations = plots.step_axis(float(race.steps[-1])) | {"exponentformat": "power"}
    return {"xaxis3": iterations, "yaxis3": loss}


def _figure(
    above: Above, spans: Array, start: Array, goal: Goal, grid: list[Array], arrows: int
) -> go.Figure:
    """Return the figure with the contours, the start and the minimum, and empty traces."""
    plane: dict[str, Any] = {"xaxis": "x2", "yaxis": "y2"}
    right: dict[str, Any] = {"xaxis": "x3", "yaxis": "y3"}
    points = [start, np.zeros(2), *([goal.minimum] if goal.found else [])]
    x, y = np.array(points).T
    marker = {
        "symbol": ["diamond-open", "cross-thin", "star"][: len(points)],
        "size": [14, 14, 18][: len(points)],
        "color": BLACK,
        "line": {"width": 2, "color": BLACK},
    }
    marks = go.Scatter(uid="start", x=x, y=y, mode="markers", marker=marker, cliponaxis=False)
    figure = go.Figure(
        [
            plots.loss_contour(above, spans[0], spans[1]),
            marks,
            *path_traces(),
            curve("loss of depth 1", GREY, "dash", 3, **right),
            curve("loss", VERMILLION, **right),
            plots.curl_trace(*grid).update(plane),
            plots.arrow_trace(arrows).update(plane),
            curve("loop", BLACK, **plane),
            go.Scatter(marks).update(plane, uid=None),
        ]
    )
    figure.update_traces(hoverinfo="skip")
    w1, w2, iteration = ({"text": text, "standoff": 8} for text in ("w₁", "w₂", "iteration"))
    ranges = [[float(end) for end in span] for span in spans]
    horizontal = {"range": ranges[0], "title": w1, "nticks": 6}
    vertical = {"range": ranges[1], "nticks": 6}
    figure.update_layout(
        template=TEMPLATE,
        height=382,
        showlegend=False,
        font_size=16,
        margin={"l": 88, "t": 58, "b": 60, "r": 12},
        xaxis={"domain": [0, 0.345]} | horizontal,
        xaxis2={"domain": [0.39, 0.735], "anchor": "y2"} | horizontal,
        xaxis3={"domain": [0.81, 1], "anchor": "y3", "title": iteration},
        yaxis={"title": w2} | vertical,
        yaxis2={"anchor": "x2", "showticklabels": False} | vertical,
        yaxis3={"anchor": "x3"},
    )
    signs = [("◇", "start", BLACK), ("★", "minimum", BLACK), ("+", "0", BLACK)]
    lines = key(("┅", "depth 1", GREY))
    heading(figure, f"{key(*(signs if goal.found else signs[::2]))}<br>{lines}")
    plots.name_depth(figure, _DEPTHS)
    heading(figure, f"{plots.CURL_KEY}<br>{key(('▢', 'loop with work', BLACK))}", panel=2)
    title = "loss above<br>minimum" if goal.found else "loss"
    heading(figure, f"<b>{title}</b>", panel=3)
    level = goal.target - goal.least if goal.found else goal.target
    place = {"xref": "x3 domain", "yref": "y3", "line": {"dash": "dot", "width": 2}}
    figure.add_shape(x0=0, x1=1, y0=level, y1=level, **place)
    at = float(np.log10(level)) if goal.found else level  # annotations on such axes stand there
    look = {"yref": "y3", "yanchor": "top", "font": {"size": 16}}
    heading(figure, "arrived", panel=3, x=0.02, y=at, **look)
    return figure
