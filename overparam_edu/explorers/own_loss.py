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
from overparam_edu.derivations.own_loss import SymbolicLoss
from overparam_edu.derivations.potential import Certificate, Potential, find_potential
from overparam_edu.dynamics.loops import work
from overparam_edu.dynamics.losses import Loss
from overparam_edu.experiments.depth_race import DepthRace, race_depths
from overparam_edu.explorers.plots import (
    CURL_KEY,
    arrow_ends,
    arrow_trace,
    curl_colours,
    curl_trace,
    log_axis,
    loss_contour,
)
from overparam_edu.explorers.race_words import verdicts
from overparam_edu.explorers.trajectories import path_tracks, record_stops
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.mathml import typeset
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import BLACK, GREY, TEMPLATE, VERMILLION, key

# A potential or a certificate, or why it could not be decided.
Answer = Potential | str
# A formula with more operations is not written out.
_LONG = 60


@lru_cache(maxsize=64)
def answers_at(text: str, depths: tuple[float, ...]) -> tuple[Answer, ...]:
    """Return for each depth the potential or the certificate, or why it can't be decided.

    Parameters
    ----------
    text : str
        The loss.
    depths : tuple of float

    Returns
    -------
    tuple of (Potential or str)
    """
    loss = SymbolicLoss(text)
    answers: list[Answer] = []
    for N in depths:
        try:
            answers.append(find_potential(loss, Fraction(float(N))))
        except ValueError as problem:
            answers.append(str(problem))
    return tuple(answers)


def board_of(depth: float, answer: Answer, work: float) -> str:
    """Return an answer in words and mathematics.

    Parameters
    ----------
    depth : float
    answer : Potential or str
        Whose text is escaped.
    work : float
        That of the field round the loop in the picture, if there is one.

    Returns
    -------
    str
        HTML.
    """
    if isinstance(answer, str):
        return _block(f"<b>Depth {depth:g}: not decided.</b> {html.escape(answer)}.")
    proof = answer.certificate
    if proof is None:
        head = "the field <i>F</i> is the gradient of a function"
        why = ", since <i>h</i> depends on the length of <i>w</i> alone"
        why += "." if answer.method == "symbolic" else f" (to {answer.method}, not proved)."
        if answer.depth == 1:
            return _block(f"<b>Depth 1: {head}</b>, the loss itself.")
        rows = [f"F = {_potential(answer.potential)}"]
        return _block(f"<b>Depth {depth:g}: {head}</b>{why}", [_h(answer)], rows)
    head, around = (
        "no function has <i>F</i> as its gradient",
        rf"\oint F \cdot dw = {_number(work)}",
    )
    rows = [rf"{around} \text{{ round the loop}}"]
    if np.isinf(proof.curl):
        why = "since <i>h</i> jumps along circles about 0, at a kink."
    else:
        why = "since <i>h</i> changes along circles about 0."
        at = ", ".join(sp.latex(sp.Rational(x)) for x in proof.point)
        curl = rf"\partial_1 F_2 - \partial_2 F_1 = {_number(proof.curl)} \text{{ at }}"
        rows.insert(0, rf"{curl} \left({at}\right)")
    return _block(f"<b>Depth {depth:g}: {head}</b>, {why}", [_h(answer)], rows)


_BELOW = r" \\ "
_ROW = "display: flex; flex-wrap: wrap; gap: 0 36px; align-items: center; font-size: 18px"


def _block(words: str, *blocks: list[str]) -> str:
    maths = [
        typeset(rf"\begin{{aligned}}{_BELOW.join(f'& {row}' for row in rows)}\end{{aligned}}")
        for rows in blocks
    ]
    return (
        f'<div style="font-size: 20px; min-height: 5.6em">{words}'
        f'<div style="{_ROW}">{"".join(maths)}</div></div>'
    )


def _h(answer: Potential) -> str:
    short = sp.count_ops(answer.h) <= _LONG
    return r"h = \langle w, g\rangle - \tfrac{2}{N} L" + (
        f" = {sp.latex(answer.h)}" if short else ""
    )


def _potential(potential: sp.Expr) -> str:
    if sp.count_ops(potential) > _LONG:
        return r"\nabla(\ldots), \text{ which find\_potential writes out}"
    return rf"\nabla\left({sp.latex(potential)}\right)"


def _number(value: float) -> str:
    """Return a number in LaTeX, to three digits."""
    mantissa, _, power = f"{value:.3g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa


# The traces in the order they stand in the figure; 2 to 5 are those of `path_tracks`.
LOSS_1, LOSS, CURL, ARROWS, LOOP = range(6, 11)
# Where a logarithmic axis puts iteration 0, which has no logarithm.
STEP_0 = 0.5

ALT = (
    "Left: paths of gradient descent at depth 1 and at the chosen depth over the contours of the "
    "loss. Middle: the field's arrows over its curl in colours, and a loop round which its work is "
    "not 0, if there is one. Right: the loss against iteration."
)
NARROW = {
    "height": 1100,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.69, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0.32, 0.62],
    "xaxis3.domain": [0, 1],
    "yaxis3.domain": [0, 0.24],
}
# The least width of the plane's picture in a direction, relative to that in the other.
_SLIMMEST = 0.5
_ABOVE = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}


class Above(Loss):
    """A loss above its least value, with something finite everywhere, to be drawn.

    Parameters
    ----------
    loss : SymbolicLoss
        Of two variables.
    least : float
        What is subtracted.
    """

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


def plane_spans(points: Array, start: Array, other: Array) -> Array:
    """Return axis ranges that hold 0, the start, another point and the paths, not too slim.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Of the paths.
    start, other : ndarray, shape (2,)

    Returns
    -------
    ndarray, shape (2, 2)
        Lower and upper end, for each coordinate.
    """
    corners = np.concatenate([points, [start, other, np.zeros(2)]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = 0.6 * (high - low)
    half = np.maximum(half, _SLIMMEST * half.max())
    middle = (low + high) / 2
    return np.stack([middle - half, middle + half], axis=1)


def grid(spans: Array, *, coarse: bool = False) -> tuple[Array, Array]:
    """Return where the curl's colours stand, or the field's arrows.

    Parameters
    ----------
    spans : ndarray, shape (2, 2)
        The part of the plane to show.
    coarse : bool
        For the arrows.

    Returns
    -------
    x, y : ndarray
    """
    x, y = (np.linspace(low, high, 11 if coarse else 32) for low, high in spans)
    return (x[1:-1], y[1:-1]) if coarse else (x, y)


def own_loss_figure(above: Above, spans: Array, start: Array, minimum: Array | None) -> go.Figure:
    """Return the figure with the contours, the start and the minimum, and empty traces.

    Parameters
    ----------
    above : Above
        The loss.
    spans : ndarray, shape (2, 2)
        The part of the plane to show.
    start : ndarray, shape (2,)
        Where the runs start.
    minimum : ndarray, shape (2,), or None

    Returns
    -------
    plotly.graph_objects.Figure
    """
    x, y = grid(spans)
    arrows = grid(spans, coarse=True)[0].size * grid(spans, coarse=True)[1].size
    plane, right = {"xaxis": "x2", "yaxis": "y2"}, {"xaxis": "x3", "yaxis": "y3"}
    one, deep = _line(GREY, "dash", 3), _line(VERMILLION, "solid", 4)
    figure = go.Figure(
        [
            loss_contour(above, spans[0], spans[1]),
            _marks(start, minimum),
            go.Scatter(one),
            go.Scatter(deep),
            _dot(GREY, "circle-open"),
            _dot(VERMILLION, "circle"),
            go.Scatter(one, **right),
            go.Scatter(deep, **right),
            curl_trace(x, y).update(plane),
            arrow_trace(arrows).update(plane),
            go.Scatter(_line(BLACK, "solid", 4), **plane),
            _marks(start, minimum).update(plane),
        ]
    )
    figure.update_traces(hoverinfo="skip")
    figure.update_layout(template=TEMPLATE, height=382, showlegend=False, font_size=16)
    figure.update_layout(margin={"l": 88, "t": 58, "b": 60, "r": 12})
    w1, w2, iteration = ({"text": text, "standoff": 8} for text in ("w₁", "w₂", "iteration"))
    ranges = [[float(end) for end in span] for span in spans]
    horizontal = {"range": ranges[0], "title": w1, "nticks": 6}
    vertical = {"range": ranges[1], "nticks": 6}
    figure.update_layout(
        xaxis={"domain": [0, 0.345]} | horizontal,
        xaxis2={"domain": [0.39, 0.735]} | horizontal,
        xaxis3={"domain": [0.81, 1], "anchor": "y3", "title": iteration, "tickfont": {"size": 15}},
        yaxis={"title": w2} | vertical,
        yaxis2={"anchor": "x2", "showticklabels": False} | vertical,
        yaxis3={"anchor": "x3", "tickfont": {"size": 15}},
    )
    _add_keys(figure, minimum is not None)
    return figure


def _add_keys(figure: go.Figure, found: bool) -> None:
    lines = key(("┅", "depth 1", GREY), ("━", "depth N", VERMILLION))
    marks = [("◇", "start", BLACK), ("+", "0", BLACK)]
    marks[1:1] = [("★", "minimum", BLACK)] if found else []
    words = {
        "": f"{lines}<br>{key(*marks)}",
        "2": f"{CURL_KEY}<br>{key(('▢', 'loop with work', BLACK))}",
        "3": f"<b>{'loss above<br>minimum' if found else 'loss'}</b>",
    }
    for axis, text in words.items():
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, align="left", **place, **_ABOVE)


def add_level(figure: go.Figure, level: float, *, log: bool) -> None:
    """Draw the line at which a run has arrived.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    level : float
    log : bool
        Whether the loss has a logarithmic axis.
    """
    line, place = {"dash": "dot", "width": 2}, {"xref": "x3 domain", "yref": "y3"}
    figure.add_shape(x0=0, x1=1, y0=level, y1=level, line=line, **place)
    at = float(np.log10(level)) if log else level  # where annotations on such axes stand
    style = _ABOVE | {"font": {"size": 14}, "yanchor": "top"}
    figure.add_annotation(text="arrived", x=0.02, y=at, **place, **style)


def _line(colour: str, dash: str, width: float) -> dict[str, Any]:
    return {"mode": "lines", "line": {"color": colour, "dash": dash, "width": width}}


def _dot(colour: str, symbol: str) -> go.Scatter:
    marker = {"color": colour, "size": 14, "symbol": symbol, "line": {"width": 2}}
    return go.Scatter(mode="markers", marker=marker)


def _marks(start: Array, minimum: Array | None) -> go.Scatter:
    """Return the start, 0 and the minimum as markers."""
    points = [start, np.zeros(2), *([] if minimum is None else [minimum])]
    x, y = np.array(points).T
    marker = {
        "symbol": ["diamond-open", "cross-thin", "star"][: len(points)],
        "size": [14, 14, 18][: len(points)],
        "color": BLACK,
        "line": {"width": 2, "color": BLACK},
    }
    return go.Scatter(x=x, y=y, mode="markers", marker=marker)


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
_DEPTHS = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8])
_THREE = 4
# How far from the start a minimum is looked for; where there is none, how far it goes downhill.
_REACH, _DOWNHILL = 10.0, 2.0
# Arrived is who has this part of the way down left.
_LEFT = 1e-3
# Iterations at most, and operations of the loss times iterations.
_STEPS, _WORK = 2_000, 60_000


def explore_own_loss() -> Explorer:
    r"""Return a laboratory for a loss that you type, in ``w1`` and ``w2``.

    On the left the paths of depth ``N`` (orange) and of depth 1 (grey, dashed) over the contours of
    the loss. In the middle the rule's field :math:`F_N` over its curl, with a loop round which its
    work is not 0, if there is one. On the right the loss against iteration. Below, in words and in
    mathematics, the function that has :math:`F_N` as its gradient, or the proof that there is none
    (`find_potential`).

    Depth and iteration move in the browser; the loss, the start and the learning rates ask Python.
    What the field takes: `SymbolicLoss`. What it does not is refused in plain words, and the
    picture stays.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_own_loss()
    >>> explorer.set(loss="w1^4 + |w1 - w2|")
    """
    words = {"style": {"description_width": "initial"}}
    first = next(iter(EXAMPLES.values()))
    controls: dict[str, widgets.Widget] = {
        "loss": widgets.Text(
            value=first,
            description="loss L(w) =",
            placeholder="in w1 and w2, such as (w1 - 1)^2 + w2^4",
            continuous_update=False,
            **words,
        ),
        "example": widgets.Dropdown(
            options=[*EXAMPLES.items(), ("your own", "")], description="example", **words
        ),
        "start_1": widgets.FloatText(value=0.05, step=0.05, description="start w₁", **words),
        "start_2": widgets.FloatText(value=0.05, step=0.05, description="w₂", **words),
        "learning_rate": widgets.ToggleButtons(
            options=[("tuned for each depth", "tuned"), ("same", "same"), ("by hand", "hand")],
            description="learning rate",
            **words,
        ),
        "rate_by_hand": widgets.FloatLogSlider(
            value=0.1, base=10, min=-4, max=2, step=0.05, description="η", readout_format=".2g"
        ),
    }
    controls["loss"].layout.width, controls["example"].layout.width = "520px", "300px"
    controls["start_1"].layout.width, controls["start_2"].layout.width = "150px", "110px"
    controls["learning_rate"].style.button_width = controls["learning_rate"].layout.width = "auto"
    _keep_together(controls["loss"], controls["example"])
    return Explorer(
        _scene,
        controls,
        shown_when={"rate_by_hand": lambda values: values["learning_rate"] == "hand"},
    )


def _keep_together(text: widgets.Text, example: widgets.Dropdown) -> None:
    """Let an example fill the field, and whatever is typed there be "your own"."""

    def chosen(change: Any) -> None:
        if change.new:
            text.value = change.new

    def typed(change: Any) -> None:
        if change.new != example.value:
            example.value = change.new if change.new in EXAMPLES.values() else ""

    example.observe(chosen, "value")
    text.observe(typed, "value")


def _scene(
    *,
    loss: str,
    example: str,
    start_1: float,
    start_2: float,
    learning_rate: str,
    rate_by_hand: float,
) -> Scene:
    rate = rate_by_hand if learning_rate == "hand" else learning_rate
    # A page without Python changes the example alone.
    return own_loss_scene(example or loss, (start_1, start_2), rate)


@lru_cache(maxsize=64)
def own_loss_scene(
    loss: str = next(iter(EXAMPLES.values())),
    start: tuple[float, float] = (0.05, 0.05),
    learning_rate: str | float = "tuned",
) -> Scene:
    """Return the scene of `explore_own_loss` for one choice of its controls.

    Parameters
    ----------
    loss : str
        As `SymbolicLoss` takes it, in ``w1`` and ``w2``.
    start : tuple of float
        Where each run starts.
    learning_rate : {"tuned", "same"} or float
        As in `race_depths`. Where no minimum is within reach there is nothing to tune for: words
        then stand for one small rate for all.

    Returns
    -------
    Scene

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or another word, the text is no loss of two variables, or
        the loss has no value or no slope at the start.
    """
    typed = SymbolicLoss(loss)
    if typed.shape != (2,):
        raise ValueError(f"expression must be of w1 and w2 alone; got {brief(loss)}")
    first = np.array([number("start", w) for w in start])
    if isinstance(learning_rate, str):
        one_of("learning_rate", learning_rate, ("tuned", "same"))
    goal = _goal(typed, first)
    race = _race(typed, first, goal, learning_rate)
    spans = plane_spans(_in_view(race, first, goal), first, goal.end)
    above = Above(typed, goal.least if goal.found else goal.least - goal.drop)
    figure = own_loss_figure(above, spans, first, goal.minimum)
    figure.update_layout(xaxis3=_iterations(race), yaxis3=_heights(goal, race.losses))
    add_level(figure, goal.target - goal.least if goal.found else goal.target, log=goal.found)
    at = record_stops(len(race.steps))
    shown_losses = race.losses[at].T
    depth = Axis("depth", "depth N", _DEPTHS, start=_THREE)
    step = Axis("step", "iteration", race.steps[at], start=_arrival(race, at), play=True)
    answers = answers_at(loss, tuple(_DEPTHS.tolist()))
    field_tracks, works = _field(typed, above, spans, answers)
    tracks = [
        *path_tracks(np.moveaxis(race.points[at], 1, 0)),
        *_loss_tracks(np.maximum(step.stops, STEP_0), _drawn(goal, shown_losses)),
        *field_tracks,
    ]
    reading = Reading(
        f"At iteration {{step}}, loss {{loss}} (depth 1: {{loss_1}}). {{verdict}}.{goal.words}",
        {
            "loss": (shown_losses, ["depth", "step"]),
            "loss_1": (shown_losses[0], ["step"]),
            "verdict": ([text[0].upper() + text[1:] for text in verdicts(race)], ["depth"]),
        },
    )
    boards = [board_of(*row) for row in zip(_DEPTHS, answers, works, strict=True)]
    board = Board(boards, ["depth"])
    return Scene(figure, [depth, step], tracks, reading, alt=ALT, narrow=NARROW, board=board)


class _Goal(NamedTuple):
    """Where the way downhill ends: at a minimum, or where the picture does."""

    minimum: Array | None
    end: Array
    least: float
    drop: float  # from the start to there
    rate: float  # at which depth 1 takes some dozens of iterations to there, at the first slope

    @property
    def found(self) -> bool:
        return self.minimum is not None

    @property
    def target(self) -> float:
        return self.least + _LEFT * self.drop

    @property
    def words(self) -> str:
        missing = f" No minimum within {_REACH:g} of the start: one small rate for all."
        return "" if self.found else missing


def _goal(loss: SymbolicLoss, start: Array) -> _Goal:
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
    rate = distance / (_DOZENS * float(np.linalg.norm(slope)))
    if _is_pole(loss, end, 1e-6 * distance, (value + least) / 2):
        before = start + 0.99 * (end - start)
        height = float(loss.value(before))
        end, least = (before, height) if height < value else (end, least)
        return _Goal(None, end, least, value - least, rate)
    minimum = end if reach == _REACH else None
    return _Goal(minimum, end, least, value - least, rate)


def _is_pole(loss: SymbolicLoss, end: Array, near: float, half: float) -> bool:
    """Say whether most of the fall to `end` is in the last bit of the way, as where log is at 0."""
    beside = loss.value(end + near * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
    return bool(np.any(beside > half))


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


_DOZENS = 60


def _race(loss: SymbolicLoss, start: Array, goal: _Goal, learning_rate: str | float) -> DepthRace:
    if isinstance(learning_rate, str) and not goal.found:
        learning_rate = goal.rate
    operations = int(sp.count_ops(list(loss.slopes))) + 1
    return race_depths(
        loss,
        start,
        depths=_DEPTHS,
        target=goal.target,
        learning_rate=learning_rate,
        steps=int(np.clip(_WORK // operations, 200, _STEPS)),
    )


def _loss_tracks(iterations: Array, heights: Array) -> list[Track]:
    return [
        Track(LOSS_1, "x", iterations, ["step"], trail="step"),
        Track(LOSS_1, "y", heights[0], ["step"], trail="step"),
        Track(LOSS, "x", iterations, ["step"], trail="step"),
        Track(LOSS, "y", heights, ["depth", "step"], trail="step"),
    ]


def _in_view(race: DepthRace, start: Array, goal: _Goal) -> Array:
    """Return the points of the paths that the picture has to hold."""
    reach = _REACH if goal.found else 1.2 * _DOWNHILL
    with np.errstate(invalid="ignore"):
        near = np.abs(race.points - start).max(axis=-1) <= reach
        low = race.losses - goal.least <= 1.5 * goal.drop
    points: Array = race.points[near & low]
    return points


def _arrival(race: DepthRace, at: np.ndarray) -> int:
    """Return the stop at which depth 3 has arrived: at its tuned rate it may leave again."""
    last = min(float(race.arrivals[_THREE]), float(race.steps[at[-1]]))
    return int(np.searchsorted(race.steps[at], last))


def _drawn(goal: _Goal, losses: Array) -> Array:
    """Return losses as the right panel has them: above the minimum, and not below its axis."""
    return np.maximum(losses - goal.least, 1e-9 * goal.drop) if goal.found else losses


def _iterations(race: DepthRace) -> dict[str, Any]:
    span = np.log10([STEP_0, 1.1 * float(race.steps[-1])]).tolist()
    return {"type": "log", "range": span, "dtick": 1, "exponentformat": "power"}


def _heights(goal: _Goal, losses: Array) -> dict[str, Any]:
    """Return the axis of the loss: logarithmic above a minimum, otherwise plain."""
    if goal.found:
        return log_axis(_drawn(goal, losses), below=_LEFT * goal.drop / 10, above=10 * goal.drop)
    low, air = goal.least, 0.1 * goal.drop
    return {"range": [low - air, low + goal.drop + air], "nticks": 6}


def _field(
    loss: SymbolicLoss, above: Above, spans: Array, answers: tuple[Answer, ...]
) -> tuple[list[Track], list[float]]:
    """Return what the middle panel shows at each depth, and the work round its loops."""
    x, y = grid(spans)
    colours = curl_colours(loss, _DEPTHS, x, y)
    arrows = arrow_ends(above, _DEPTHS, *grid(spans, coarse=True))
    loops, works = np.full((len(_DEPTHS), 5, 2), np.nan), [0.0] * len(_DEPTHS)
    for i, answer in enumerate(answers):
        if isinstance(answer, Potential) and answer.certificate is not None:
            loop, works[i] = _loop(loss, _DEPTHS[i], answer.certificate, spans, colours[i])
            loops[i] = loop[[0, 1, 2, 3, 0]]
    tracks = [Track(CURL, "z", colours, ["depth"])]
    for trace, ends in ((ARROWS, arrows), (LOOP, loops)):
        tracks += [Track(trace, a, ends[..., i], ["depth"]) for i, a in enumerate("xy")]
    return tracks, works


def _loop(
    loss: SymbolicLoss, depth: float, proof: Certificate, spans: Array, colours: Array
) -> tuple[Array, float]:
    """Return a square in view where there is most curl, and the work round it.

    If its work is not clear, the certificate's own loop, wherever that is.
    """
    sides = np.linspace(-1, 1, len(colours))
    central = np.hypot(*np.meshgrid(sides, sides))
    curl = np.where(np.isfinite(colours) & (central < 0.8), np.abs(colours) - central / 2, -np.inf)
    row, column = np.unravel_index(np.argmax(curl), curl.shape)
    place = np.array([sides[column], sides[row]])
    square = place + 0.16 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    square = spans.mean(axis=1) + square * np.ptp(spans, axis=1) / 2
    done = work(loss, depth, square)
    if np.isfinite(proof.curl) and abs(done.total) > 1e3 * done.error_estimate:
        return square, float(done.total)
    return proof.loop, proof.work
