"""Every explorer in every corner of its controls and at random between: the picture and its words.

`OVERPARAM_EDU_STATES` says how many random states each explorer is put in; 1,000 take a while:

    OVERPARAM_EDU_STATES=1000 python -m pytest tests/explorers/test_states.py
"""

from __future__ import annotations

import inspect
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import pytest
from scipy.special import digamma

import overparam_edu as oe
from overparam_edu.explorers.regression import RECORDED
from overparam_edu.explorers.warm_up import warm_up_scene
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import message

STATES = int(os.environ.get("OVERPARAM_EDU_STATES", "2"))
# All corners, and all that is on offer, come with many states; otherwise some.
ALL = STATES >= 100
CORNERS = 4_000 if ALL else 4
# These are put in so many times as many random states, and looked at from every end of the sliders.
MORE = {"explore_trajectories": 20, "explore_update_rule": 5}
PROOFS = ("warm_up", "end_to_end_rule", "preconditioning", "single_output", "illustration")
PROOFS += ("beyond_regularization",)
NAMES = [name for name in oe.__all__ if name.startswith("explore_")]
EXPLORERS = [name for name in NAMES if name != "explore_derivation"]
EXPLORERS += [f"explore_derivation {proof}" for proof in PROOFS]
# What people may type into a field for a loss: whole, half-typed, wrong and hostile.
TEXTS = [
    "(w1 - 1)**4/4 + (w2 - 0.1)**4/4",
    "w1**2 + 3*w2**2",
    "w1*w2",
    "cos(w1) + exp(w2)",
    "sqrt(w1 - 10)",
    "log(w1)",
    "1/w1",
    "w1**",
    "",
    "7",
    "w3**2",
    "__import__('os').getcwd()",
    "<script>alert(1)</script>",
    "exp(exp(exp(w1)))",
    "9**9**9**9",
]


# And into a field for a number: the first two are its ends, what is far out may be refused.
TYPED = [-0.9, 0.9, 0.0, 1e-3, -1e-3, 1e3, -1e3]
# What another control fills and overrides, while that is set.
FILLED = {"loss": "example"}
# The parts of the next step: where one is too short to see it is left out.
ARROWS = ("adaptive rate", "projection")


class Opened(NamedTuple):
    """A widget, and within it what can be set and what draws."""

    widget: widgets.Widget
    controls: dict[str, widgets.Widget]

    @property
    def players(self) -> list[Player]:
        return [part for part in walk(self.widget) if isinstance(part, Player)]


def walk(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


@cache
def opened(name: str) -> Opened:
    name, *proof = name.split()
    arguments = [getattr(oe.derivations, proof[0])()] if proof else []
    widget = getattr(oe, name)(*arguments)
    if isinstance(widget, Explorer):
        return Opened(widget, widget.controls)
    takes = [part for part in walk(widget) if not isinstance(part, widgets.HTML)]
    named = {f"{i}": part for i, part in enumerate(takes) if hasattr(part, "value")}
    return Opened(widget, named)


def offered(control: widgets.Widget) -> tuple[list[Any], Callable[[np.random.Generator], Any]]:
    """Return the ends of what a control offers, and a function that draws from all of it."""
    if hasattr(control, "options"):
        values = list(control._options_values)
        in_order = all(isinstance(value, (int, float)) for value in values)
        ends = [values[0], values[-1]] if in_order else values
        return ends, lambda rng: values[rng.integers(len(values))]
    if isinstance(control, widgets.Text):
        return [control.value, *TEXTS], lambda rng: TEXTS[rng.integers(len(TEXTS))]
    if isinstance(control.value, bool):
        return [False, True], lambda rng: bool(rng.integers(2))
    if isinstance(control, widgets.FloatText):
        near = np.arange(-0.9, 0.95, control.step).round(6)
        often = [*near, *near, *TYPED]
        return TYPED, lambda rng: float(often[rng.integers(len(often))])
    low, high, step = control.min, control.max, control.step or (control.max - control.min) / 100
    count = round((high - low) / step)

    def value(stop: int) -> Any:
        at = min(low + stop * step, high)
        return control.base**at if isinstance(control, widgets.FloatLogSlider) else at

    if isinstance(control.value, tuple):
        ends = [(0, 1), (0, count), (count - 1, count)]

        def draw(rng: np.random.Generator) -> Any:
            return tuple(map(value, sorted(rng.choice(count + 1, size=2, replace=False).tolist())))

        return [(value(low), value(high)) for low, high in ends], draw
    return [value(0), value(count)], lambda rng: value(int(rng.integers(count + 1)))


def ends_of(control: widgets.Widget) -> list[Any]:
    """Return the ends of a control where all corners are tried: two of a field for a number."""
    return offered(control)[0][: 2 if isinstance(control, widgets.FloatText) else None]


# --- what must hold in any state ---


def numbers(value: Any) -> list[Any]:
    return [x for v in value for x in numbers(v)] if isinstance(value, list) else [value]


def check_state(name: str, *, thorough: bool, rng: np.random.Generator) -> None:
    explorer = opened(name).widget
    if isinstance(explorer, Explorer):
        check_controls(explorer)
    for player in opened(name).players:
        sizes = {axis.name: len(axis.stops) for axis in player.scene.axes}
        assert player.position.keys() == sizes.keys()
        assert all(0 <= player.position[axis] < size for axis, size in sizes.items())
        check_static(player.scene)
        at = {axis: int(rng.integers(size)) for axis, size in sizes.items()}
        corners = itertools.product(*({0, size - 1} for size in sizes.values()))
        places = [dict(zip(sizes, stops, strict=True)) for stops in corners] if thorough else []
        for place in [at, *places]:
            # As the browser tells the kernel where the sliders are.
            player._handle_custom_msg(moved(player, place), [])
            assert player.position == place
            check_picture(name, player.scene, place)


def moved(player: Player, place: dict[str, int]) -> dict[str, Any]:
    stops = {axis.name: axis.stops for axis in player.scene.axes}
    at = {name: {"stop": n, "value": stops[name][n], "end": False} for name, n in place.items()}
    hand = {"kind": "moved", "author": "page", "number": 1, "moved": at}
    return hand | {"order": player._place["order"]}


def check_controls(explorer: Explorer) -> None:
    """What the controls say is what is shown, or a refusal says that it is not."""
    said = explorer.trouble
    assert explorer.player.scene is explorer.scene
    if said:  # only what is typed may be refused: a slider offers nothing that fails
        in_use = [explorer.controls[control] for control in used(explorer, explorer.values)]
        assert any(isinstance(c, (widgets.Text, widgets.FloatText)) for c in in_use), said
        assert "still the one before" in said
        return
    asked = explorer._build(**explorer.values)
    if asked is not explorer.scene:
        assert explorer.player._scene == message(asked)


def used(explorer: Explorer, values: dict[str, Any]) -> dict[str, Any]:
    """Return those of the controls' values that the picture depends on."""
    shown = {name: when(values) for name, when in explorer._shown_when.items()}
    return {
        name: value
        for name, value in values.items()
        if shown.get(name, True) and not values.get(FILLED.get(name, ""))
    }


def check_static(scene: Scene) -> None:
    """What no slider moves is finite, but for the gaps between the parts of a line."""
    if scene.drawn is None:
        return
    for trace in scene.drawn.data:
        for attribute in ("x", "y", "z"):
            values = getattr(trace, attribute, None)
            if values is not None and np.asarray(values).dtype.kind == "f":
                assert not np.isinf(values).any()
                assert np.isfinite(values).any()
    for axis in [*scene.drawn.select_xaxes(), *scene.drawn.select_yaxes()]:
        if axis.range is not None and not isinstance(axis.range[0], str):
            assert np.isfinite(axis.range).all()
            assert axis.range[0] != axis.range[1]


def check_picture(name: str, scene: Scene, at: dict[str, int]) -> None:
    drawn, words = frame(scene, at), describe(scene, at)
    assert not re.search(r"\b(nan|inf|infinity|none)\b", words, re.I), words
    flat = [x for value in drawn.values() for x in numbers(value) if isinstance(x, float)]
    assert all(map(math.isfinite, flat))
    ended = "diverge" in words or "not finite" in words
    for trace in {trace for trace, _ in drawn if trace is not None}:
        x, y = (along(scene, drawn, trace, attribute) for attribute in "xy")
        if scene.drawn.data[scene.place(trace)].type != "scatter" or ended:
            continue
        if min(len(x), len(y)) > 0:  # a marker without one of the two is not drawn
            assert len(x) == len(y), (trace, words)
        check_logarithms(scene, drawn, trace, x, y)
    for (trace, attribute), value in drawn.items():
        if attribute.endswith("range"):
            assert len(set(value)) == 2, (trace, attribute, value)
    widget = opened(name).widget
    refused = isinstance(widget, Explorer) and widget.trouble
    if (check := TRUE.get(name.split()[0])) and not refused:
        check(opened(name), scene, at, drawn, words)


def along(scene: Scene, drawn: dict[Any, Any], trace: str, attribute: str) -> list[Any]:
    """Return the numbers of a trace along one axis, whether a slider moves them or not."""
    if (trace, attribute) in drawn:
        return list(drawn[trace, attribute])
    values = getattr(scene.drawn.data[scene.place(trace)], attribute, None)
    if values is None:
        return []
    return [None if isinstance(v, float) and math.isnan(v) else v for v in list(values)]


def check_logarithms(scene: Scene, drawn: dict[Any, Any], trace: str, x: Any, y: Any) -> None:
    """On a logarithmic axis there is no place for 0."""
    for letter, values in (("x", x), ("y", y)):
        axis = getattr(scene.drawn.data[scene.place(trace)], f"{letter}axis", None) or letter
        axis = axis.replace(letter, f"{letter}axis", 1)
        if drawn.get((None, f"{axis}.type"), scene.drawn.layout[axis].type) == "log":
            assert all(v is None or v > 0 for v in values), (trace, axis)


# --- whether the sentence is true: it is worked out again from what is drawn, or a closed form ---

SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
VALUE = r"(−?\d+(?:\.\d+)?(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?|not finite)"


def number(text: str) -> float:
    if text == "not finite":
        return math.nan
    return float(text.replace("×10", "e").translate(SUPERSCRIPT))


def said(template: str, words: str) -> list[float]:
    """Return the numbers that stand at the # of a template, in words that begin like it."""
    found = re.match(re.escape(template).replace(r"\#", VALUE).replace(r"\ ", " "), words)
    assert found, words
    return [number(text) for text in found.groups()]


def near(value: float, **options: float) -> Any:
    """Return what three digits may be the reading of."""
    return pytest.approx(value, **({"rel": 6e-3, "abs": 1e-12, "nan_ok": True} | options))


def stop_of(scene: Scene, at: dict[str, int], name: str) -> Any:
    return next(axis.stops[at[name]] for axis in scene.axes if axis.name == name)


def at_end(scene: Scene, at: dict[str, int], name: str) -> dict[Any, Any]:
    [size] = [len(axis.stops) for axis in scene.axes if axis.name == name]
    return frame(scene, at | {name: size - 1})


def first_below(x: Any, y: Any, level: float) -> tuple[float, float]:
    """Return the last x before a curve's first y at or below a level, and the x where it is."""
    below = [i for i, value in enumerate(y) if value is not None and value <= level]
    first = below[0] if below else len(y)
    return (x[first - 1] if first else -math.inf), (x[first] if first < len(y) else math.inf)


def below_for_good(x: Any, y: Any, level: float) -> tuple[float, float]:
    """Return the last x at which a curve is above a level, and the next, if it stays below."""
    over = [i for i, value in enumerate(y) if value > level * (1 + 1e-5)]
    first = over[-1] + 1 if over else 0
    return (x[first - 1] if over else 0), (x[first] if first < len(y) == len(x) else math.inf)


def true_trajectories(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    values = opened.widget.values
    p, minimum = values["p"], np.array([1.0, 1.0 / values["ratio"]])
    # Of the names of all depths one is drawn, the rest are left out.
    named = {i: x for i, x in enumerate(drawn["depth named", "x"]) if x is not None}
    assert list(named) == [at["depth"]]
    apart = (*ARROWS, "depth named")
    lines = [value for (trace, _), value in drawn.items() if trace not in apart]
    gaps = None in numbers(lines)
    assert not gaps or "diverges" in words or "not finite" in words
    step, *losses = said("At iteration #, loss # (depth 1: #).", words)
    assert step == near(stop_of(scene, at, "step"))
    for loss, dot in zip(losses, ("now", "now of depth 1"), strict=True):
        if not math.isfinite(loss):
            continue
        assert drawn[dot, "x"]
        w = np.array([drawn[dot, "x"][0], drawn[dot, "y"][0]])
        off, grain = np.abs(w - minimum), 1e-7 * (1 + np.abs(w))  # points are float32
        low, high = (((off + sign * grain).clip(0) ** p).sum() / p for sign in (-1, 1))
        assert 0.99 * low <= loss <= 1.01 * high, words
    depth = stop_of(scene, at, "depth")
    true_arrows(scene, drawn, minimum, p, depth)
    by_hand = values["start"] == "hand"
    start = [values["start_1"], values["start_2"]] if by_hand else [values["start"]] * 2
    dot = scene.drawn.data[scene.place("start")]
    assert [*dot.x, *dot.y] == start
    for path in ("path", "path of depth 1"):
        assert [drawn[path, a][0] for a in "xy"] == pytest.approx(start, rel=1e-5, abs=1e-6)
    whole, level = at_end(scene, at, "step"), 0.01 * minimum[1] ** p / p
    if at["step"] < len(scene.axes[1].stops) - 1:  # the end is told at the end
        assert "arrives" not in words
        assert not words.endswith(" Arrived.") or drawn["loss", "y"][-1] <= level * (1 + 1e-5)
        return
    fate = true_fate(words, depth, whole["loss", "x"], whole["loss", "y"], level)
    if fate == "never moves":
        assert len(set(whole["path", "x"])) == len(set(whole["path", "y"])) == 1


def true_arrows(scene: Scene, drawn: Any, minimum: Any, p: float, depth: float) -> None:
    """Check the two parts of the next step; an arrow is left out only if it is too short to see."""
    arrows = [np.array([drawn[name, a] for a in "xy"], float).T for name in ARROWS]
    for arrow in arrows:  # it is there as a whole, or not at all
        assert np.isfinite(arrow).all() or np.isnan(arrow).all()
    w = np.array([drawn["now", a] for a in "xy"], float)[:, -1:].ravel()
    if len(w) == 0 or not (np.abs(w) < 1e3).all():  # it has diverged
        assert np.isnan(arrows).all()
        return
    axes = [scene.drawn.layout[name].range for name in ("xaxis", "yaxis")]
    size, off, norm = np.ptp(axes, axis=1), w - minimum, np.linalg.norm(w)
    step = -(norm ** (2 - 2 / depth)) * np.sign(off) * np.abs(off) ** (p - 1)
    along = w / norm if norm > 0 else w
    parts = np.array([step, (depth - 1) * (step @ along) * along])
    lengths = np.linalg.norm(parts / size, axis=1)
    # The longer part is drawn over 0.22 of the picture; both are enlarged alike.
    parts *= 0.22 / max(lengths) if max(lengths) > 0 else 0
    away = np.linalg.norm(off / size)
    for arrow, part in zip(arrows, parts, strict=True):
        shown, length = not np.isnan(arrow).any(), np.linalg.norm(part / size)
        if shown:
            np.testing.assert_allclose(arrow[0] / size, w / size, atol=1e-6)
            # Near the minimum, rounding of w to float32 turns the gradient.
            slack = 1e-5 + 1e-6 * p / away
            np.testing.assert_allclose((arrow[1] - arrow[0] - part) / size, 0, atol=slack)
        visible = min(length, away)
        assert shown or visible < 1.1e-3
        assert not shown or visible > 0.9e-3


def true_fate(words: str, depth: float, x: Any, y: Any, level: float) -> str:
    """Check what is said of a depth against its curve of the loss, and return its fate."""
    found = re.search(
        rf"depth ([\d.]+) (arrives in|diverges at|has not arrived|never moves) "
        rf"(?:in |iteration )?{VALUE}",
        words,
        re.I,
    )
    named, fate, when = found.groups()
    assert float(named) == depth
    before, after = first_below(x, y, level)
    if fate == "arrives in":
        # What jumps to and fro may have arrived between two stops.
        steady = max(np.diff(y), default=0) <= 1e-6 * max(y)
        assert not steady or before - 1e-3 * before <= number(when), words
        assert number(when) <= after + 6e-3 * after, words
    elif fate == "diverges at":
        assert x[len(y) - 1] < number(when)
    else:
        assert after == math.inf
    if compared := re.search(rf", {VALUE} times (faster|slower) than depth 1 \({VALUE}\)", words):
        factor, first, steps = number(compared[1]), number(compared[3]), number(when)
        if fair := re.search(rf"slowest of five runs\): {VALUE}", words):
            steps = number(fair[1])
        ratio = first / steps if compared[2] == "faster" else steps / max(first, 1)
        assert factor == near(ratio, rel=0.02, abs=0.06)
    return str(fate)


def true_update_rule(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    step, network, rule, distance, largest, imbalance = said(
        "At iteration #, above the minimum: network #, rule #. Distance # (so far up to #), "
        "imbalance #.",
        words,
    )
    assert step == near(stop_of(scene, at, "step"))
    assert {len(v) for (_, a), v in drawn.items() if a == "x"} == {at["step"] + 1}
    figure, drawn_as = scene.drawn, {"network": network, "rule": rule}
    for name, value in (drawn_as | {"distance": distance, "imbalance": imbalance}).items():
        if math.isfinite(value):
            axis = figure.layout.yaxis if name in drawn_as else figure.layout.yaxis3
            floor = 10 ** axis.range[0] / 100  # less is drawn there, out of sight
            assert drawn[name, "y"][-1] == near(max(value, floor)), (name, words)
    if math.isfinite(distance):
        assert largest >= distance * 0.99
    curves = at_end(scene, at, "step")
    for name in ("network", "rule"):
        fate, when = re.search(
            rf"Halfway down: .*?{name} (by iteration|not in|never \(it diverges at) {VALUE}", words
        ).groups()
        y = curves[name, "y"]
        before, after = first_below(curves[name, "x"], y, y[0] / 2 * (1 + 1e-6))
        if fate == "by iteration":
            assert before * 0.99 <= number(when) <= max(after, 1) * 1.01, words
        else:
            assert after == math.inf, words


def true_preconditioner(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    angle = math.radians(stop_of(scene, at, "angle"))
    x, y = math.cos(angle), math.sin(angle)
    if opened.widget.values["kind"] == "vector":
        N, norm = stop_of(scene, at, "real_depth"), stop_of(scene, at, "norm")
        across = norm ** (2 - 2 / N)
        template = (
            "The adaptive rate multiplies the gradient by #; the projection adds # times its part "
            "along w. The gradient (#, #) becomes the step (#, #)."
        )
        # Where w is 0 there is no part along it, and where it matters the factor is 0 too.
        expected = [across, (N - 1) * across, x, y, N * across * x, across * y]
    else:
        N = int(stop_of(scene, at, "depth"))
        sizes = [stop_of(scene, at, f"sigma_{i}") for i in (1, 2)]
        factor = [
            [sum(a ** (2 * (N - j) / N) * b ** (2 * (j - 1) / N) for j in range(1, N + 1))]
            for a, b in ((sizes[0],) * 2, (sizes[1],) * 2, sizes)
        ]
        [first], [second], [mixed] = factor
        template = (
            f"Depth {N} multiplies u₁v₁ᵀ by #, u₂v₂ᵀ by #, and u₁v₂ᵀ and u₂v₁ᵀ by #. "
            "The gradient (#, #) becomes the step (#, #)."
        )
        expected = [first, second, mixed, x, y, first * x, second * y]
        assert drawn["step", "x"][1] == near(first * x)
        assert drawn["step", "y"][1] == near(second * y)
    assert said(template, words) == [near(value, abs=1e-6) for value in expected]


def true_warm_up(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    t, steps, rho, past, _, alone, started = said(
        "After # of # updates the learning rate is ρ = #, and # past gradients push # times as far "
        "as the present one. Rebuilt from gradients alone, w is off by #%; with its start put in, "
        "by #%.",
        words,
    )
    eta, time = stop_of(scene, at, "rate"), stop_of(scene, at, "time")
    assert t == past == near(time / eta, abs=0.51)
    assert eta * steps == near({2: 14.0, 4: 9.0}[opened.widget.values["p"]])
    if "path" in {trace for trace, _ in drawn}:
        assert [drawn["now", a] for a in "xy"] == [drawn["path", a][-1:] for a in "xy"]
    # All views say what one of them shows.
    scene = warm_up_scene(**opened.widget.values | {"view": "rebuilt"})
    drawn = frame(scene, at)
    assert drawn["ρ now", "y"][0] * eta == near(rho)
    names = ("path", "from gradients", "from gradients and start")
    path, *rebuilt = (np.array([drawn[name, "x"], drawn[name, "y"]]) for name in names)
    whole = at_end(scene, at, "time")
    largest = np.hypot(whole["path", "x"], whole["path", "y"]).max()
    for off, line in zip((alone, started), rebuilt, strict=True):
        # The largest norm may lie between two stops.
        error = 100 * np.linalg.norm(line[:, -1] - path[:, -1]) / largest
        assert off == near(error, rel=0.03, abs=2e-4)


def true_convnet(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    rate = stop_of(scene, at, "rate")
    step, *losses = said(
        f"Iteration #, {stop_of(scene, at, 'term')}: original #; decay on each #; "
        "decay on their product #.",
        re.sub(r" \((rate [\d.]+|then a run diverges)\)", "", words),
    )
    assert step == near(stop_of(scene, at, "step"))
    networks = ("original", "factors", "product")
    assert losses == [near(drawn[name, "y"][-1]) for name in networks]
    assert words.count("(rate ") == (3 if rate == "each its best" else 0)
    gone = sum(len(drawn[name, "y"]) < at["step"] + 1 for name in networks)
    assert gone <= words.count("(then a run diverges)") <= (2 if rate in ("0.04", "0.08") else 0)


def true_derivation(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    line, lines = said("Line # of #, “", words)
    assert (line, lines) == (at["line"] + 1, len(scene.axes[0].stops))
    title = re.search("“(.*)”", words)[1]
    board = re.sub("<.*?>", "", str(scene.board.values[at["line"]]))
    title, board = (re.sub(r"[\W_]", "", text) for text in (title, board))
    assert title[:12] in board


def true_line_integral(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    values = opened.widget.values
    whole = drawn["lap", "y"]
    assert drawn["work", "y"] == whole[: at["walk"] + 1]
    # Both parts' work on all the pieces, by quadrature, is that of the walk.
    parts = drawn["adaptive rate", "y"][-1] + drawn["projection", "y"][-1]
    size = max(map(abs, [*whole, *drawn["adaptive rate", "y"], *drawn["projection", "y"]]))
    assert whole[-1] == pytest.approx(values["laps"] * parts, rel=1e-3, abs=1e-5 * size)
    [so_far] = said("Work so far: #." if values["laps"] == 1 else "Height gained: #.", words)
    assert so_far == near(whole[at["walk"]], abs=1e-6 * size)
    lap, told = whole[-1] / values["laps"], r"(?:Each lap gains|After one lap it is) "
    if "to rounding" in words:
        assert abs(lap) <= 1e-5 * size, words
        depth, loss = stop_of(scene, at, "depth"), values["loss"]
        potential = depth == 1 or (depth == 2 and loss in ("linear", "round"))
        known = potential or values["field"] == "control"
        assert ("this curve does not tell" in words) == (not known), words
    else:
        assert "no function has this gradient" in words
        assert values["field"] == "rule"
        assert stop_of(scene, at, "depth") != 1
        assert number(re.search(told + VALUE, words)[1]) == near(lap, abs=1e-6 * size), words


def true_own_loss(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    values = opened.widget.values
    loss = oe.SymbolicLoss(values["example"] or values["loss"])
    step, *losses = said("At iteration #, loss # (depth 1: #).", words)
    assert step == near(stop_of(scene, at, "step"))
    for told, dot in zip(losses, ("now", "now of depth 1"), strict=True):
        w = np.array([*drawn[dot, "x"], *drawn[dot, "y"]])
        if not math.isfinite(told) or len(w) < 2:
            continue
        grain = 1e-7 * (1 + np.abs(w)) * np.abs(loss.gradient(w))  # points are float32
        assert told == near(float(loss.value(w)), abs=2 * grain.sum() + 1e-9), words
    whole = at_end(scene, at, "step")
    [line] = [shape.y0 for shape in scene.drawn.layout.shapes if shape.yref.startswith("y3")]
    level = line * (1 + 1e-6) if line > 0 else line * (1 - 1e-6)
    depth = stop_of(scene, at, "depth")
    true_fate(words, depth, whole["loss", "x"], whole["loss", "y"], level)


def rises_again(values, depth: int, rate: float, after: float, level: float) -> bool:
    """Return whether a recorded run is above a level after a step: between two stops, say."""
    assert values["data"] == "gas"
    [(name, optimizer, *_)] = RECORDED[values["recorded"]]
    record = oe.load_record(name)
    lane = record.of(depth=depth, optimizer=optimizer)
    excess = lane.losses[..., np.argmin(np.abs(lane.rates - rate))] / record.least - 1
    return bool((excess[lane.steps > after] > level).any())


def true_regression(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    whole = at_end(scene, at, "step")
    depth, sides = int(stop_of(scene, at, "depth")), words.split("p\u00a0=\u00a0")[1:]
    for side, told in zip(("", " right"), sides, strict=False):
        low, high, middle = (f"depth N{side}{edge}" for edge in (" low", " high", ""))
        x = whole[middle, "x"]
        [level] = set(drawn[f"arrived{side}", "y"])
        found = re.search(
            rf"depth (\d+) (arrives in|diverges at|has not arrived in) (?:iteration |about )?"
            rf"{VALUE}"
            "( iterations from some seeds only)?",
            told,
        )
        named, fate, when, some = found.groups()
        assert int(named) == depth
        # Between the fewest iterations of a seed and the most: where the band's edges are below.
        soonest, latest = (below_for_good(x, whole[edge, "y"], level) for edge in (low, high))
        if fate == "arrives in" and not some:
            # What goes up and down may be above once more between two stops.
            steady = max(np.diff(whole[high, "y"]), default=0) <= 0
            assert soonest[0] * 0.99 <= number(when), words
            if steady and number(when) > latest[1] * 1.01:
                rate = number(re.search(rf"at rate {VALUE}", told)[1])
                assert rises_again(opened.widget.values, depth, rate, latest[1], level), words
        else:
            assert latest[1] == math.inf or "diverges" in fate, words
            assert not some or soonest[1] < math.inf
        if (
            times := re.search(rf", {VALUE} times (faster|slower) than .*?\({VALUE}\)", told)
        ) and not some:
            ratio = number(times[3]) / number(when)
            ratio = ratio if times[2] == "faster" else 1 / ratio
            assert number(times[1]) == near(ratio, rel=0.02, abs=0.06)
    if len(sides) == 1 and not some:
        rate = number(re.search(rf"at rate {VALUE}", words)[1])
        assert drawn["chosen at depth N", "x"] == [near(rate)]
        if fate == "arrives in" and stop_of(scene, at, "measure") == "iterations to arrive":
            assert drawn["chosen at depth N", "y"] == [near(number(when))]


def true_going_deeper(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    depth, step = said("Depth #, iteration #.", words)
    assert depth == stop_of(scene, at, "depth")
    assert step == near(stop_of(scene, at, "step"))
    parts = re.split(r"Near zero |Identity ", words)[1:]
    for name, told in zip(("near zero", "identity"), parts, strict=True):
        [loss] = map(number, re.search(rf"loss {VALUE}", told).groups())
        curve = drawn[name, "y"]
        if math.isfinite(loss):
            assert loss == near(curve[-1])
            assert len(curve) == at["step"] + 1
        else:
            assert len(curve) <= at["step"]
        if starts := re.search(r"starts to move at (?:about )?iteration ([\d,]+)", told):
            when = max(int(starts[1].replace(",", "")), scene.axes[1].stops[0])
            assert drawn[f"{name} moves", "x"] == [near(when)]
        else:
            assert drawn[f"{name} moves", "x"] == [None]


def true_limit(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    depth, away, away_1, seen, same_depth, factor = said(
        "Depth # ends # from the solution of least norm, depth 1 #. The part of w that the data "
        "don’t see began as #; depth # has multiplied it by #.",
        words,
    )
    assert depth == same_depth == near(stop_of(scene, at, "depth"))
    size, angle = stop_of(scene, at, "size"), math.radians(stop_of(scene, at, "angle"))
    assert seen == away_1 == near(size * math.sin(angle))
    # The end is 1 along the row; its part across, t, solves t = (R / size)^(1 - 1/N) seen.
    [end] = np.transpose([drawn["end", "x"], drawn["end", "y"]])
    t = end @ [-0.6, 0.8]
    assert end @ [0.8, 0.6] == near(1.0)
    growth = (math.hypot(1, t) / size) ** (1 - 1 / depth)
    assert t == pytest.approx(growth * size * math.sin(angle), rel=1e-3)
    assert away == near(drawn["distance now", "y"][0]) == near(t, rel=2e-3)
    assert factor == near(growth)


def true_singular_values(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    targets = np.sqrt([7, 3, 1, 1])
    values = np.array([drawn[f"value {i + 1}", "y"][-1] for i in range(4)])
    W = np.array(drawn["learned", "z"])
    np.testing.assert_allclose(values, np.linalg.svd(W, compute_uv=False), atol=1e-5)
    count = int(np.sum(values > targets / 2))
    parts = ("nothing", "all of them share", "animals from plants", "most of them", "tells all")
    assert parts[count] in words
    when = r"(?:at time |, of σ₂ at |, of σ₃ at )" + VALUE
    halves = [number(text) for text in re.findall(when, words)]
    whole = at_end(scene, at, "time")
    depth, size = int(stop_of(scene, at, "depth")), stop_of(scene, at, "size")
    late = re.findall(rf"\({VALUE}(?: times as late)?\)", words)
    ratios = [near(half / halves[0], rel=0.02) for half in halves[1:]]
    assert [number(text) for text in late] == ratios
    for i, half in enumerate(halves):
        # A curve is half-way up between the stops around its time.
        x, y = whole[f"value {i + 1}", "x"], whole[f"value {i + 1}", "y"]
        before = half / halves[0] - (x[1] - x[0]) * 1.5 - 0.01
        after = half / halves[0] + (x[1] - x[0]) * 1.5 + 0.01
        inside = [b for a, b in zip(x, y, strict=True) if before <= a <= after]
        assert not inside or min(inside) <= targets[i] / 2 <= max(inside) or after > x[-1], words
        if opened.widget.values["start"] == "aligned":
            assert half == near(float(oe.learning_time(targets[i], size, depth)))
    assert ("1.53 and 2.65" in words) == (depth > 1)


def true_near_minimum(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    told = "Depth #, w* at #° from the flat axis: κ is #, at depth 1 #; best is depth #. It takes "
    depth, angle, kappa, one, best, *steps = said(
        f"{told}# steps, predicted #; depth 1 takes #", words
    )
    assert (depth, angle) == (stop_of(scene, at, "depth"), stop_of(scene, at, "angle"))
    turn, stretch = np.radians(angle), opened.widget.values["kappa"]
    # Curvatures along and across w*, and what mixes them.
    along = np.sin(turn) ** 2 + np.cos(turn) ** 2 / stretch
    across, bowl = 1 + 1 / stretch - along, 1 / stretch
    middle = (depth * along + across) ** 2 / (2 * depth * bowl) - 1
    assert kappa == near(middle + np.sqrt(max(middle**2 - 1, 0)), rel=1e-2)
    assert one == near(stretch)
    assert abs(best - max(1, across / along)) < 1
    assert drawn["kappa now", "y"] == [near(kappa)]
    assert drawn["measured now", "y"] == [near(steps[0])]
    assert steps[2] == near(drawn["measured", "y"][0])
    if steps[1] > 1:
        assert steps[1] == near(np.log(1e-2) / np.log((kappa - 1) / (kappa + 1)), rel=3e-2)


def true_unbalanced(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    found = re.match(
        rf"c = {VALUE}, .*?, at time {VALUE}: loss {VALUE}\. A step along w is {VALUE} times as "
        rf"large as across\. Formula and layers differ by {VALUE} at most\.",
        words,
    )
    c, time, loss, ratio, gap = map(number, found.groups())
    assert c == near(stop_of(scene, at, "imbalance"))
    assert time == near(stop_of(scene, at, "time"))
    w = np.array([*drawn["now", "x"], *drawn["now", "y"]])
    off, grain = w - [1.0, 0.5], 1e-7  # points are float32
    assert loss == near(off[0] ** 2 / 2 + off[1] ** 2, abs=grain * (2 * np.abs(off).sum() + grain))
    size = np.sqrt(c**2 + 4 * w @ w)
    assert ratio == near(1 + (size - c) ** 2 / (4 * w @ w), rel=2e-2)
    assert gap < 1e-8
    assert ("lazy" in words, "rich" in words) == (c > 0, c < 0)


def true_random_start(opened: Opened, scene: Scene, at: Any, drawn: Any, words: str) -> None:
    told = "Width #, depth #, s = #: a layer multiplies the mean by #. Mean #, measured #; typical "
    m, N, s, factor, mean, *rest = said(f"{told}#, median #. # of 200 draws", words)
    named = [stop_of(scene, at, axis) for axis in ("width", "depth", "scale")]
    assert [m, N, s] == [near(value) for value in named]
    m, N, s = named
    assert factor == near(s**2 * m)
    assert mean == near(10 * s ** (2 * N) * m ** (N - 1))
    typical = 10 * s ** (2 * N)  # the typical chi-squared of 10 and of m, from 2 exp(digamma)
    typical *= 2 * np.exp(digamma(5)) / 10 * (2 * np.exp(digamma(m / 2))) ** (N - 1)
    assert rest[1] == near(typical)
    for trace, value in (("mean", mean), ("measured mean", rest[0]), ("typical", rest[1])):
        assert drawn[trace, "y"][at["depth"]] == near(value)
        assert drawn[f"{trace} by width", "y"][at["width"]] == near(value)
    assert drawn["measured median", "y"][at["depth"]] == near(rest[2])
    assert 0 <= rest[3] <= 200


TRUE = {
    "explore_limit": true_limit,
    "explore_singular_values": true_singular_values,
    "explore_line_integral": true_line_integral,
    "explore_own_loss": true_own_loss,
    "explore_regression": true_regression,
    "explore_going_deeper": true_going_deeper,
    "explore_near_minimum": true_near_minimum,
    "explore_unbalanced": true_unbalanced,
    "explore_random_start": true_random_start,
    "explore_trajectories": true_trajectories,
    "explore_update_rule": true_update_rule,
    "explore_preconditioner": true_preconditioner,
    "explore_warm_up": true_warm_up,
    "explore_convnet": true_convnet,
    "explore_derivation": true_derivation,
}


# --- the states ---


def put(name: str, values: dict[str, Any]) -> None:
    """Set controls: several with one computation, a single one by a message like the browser's."""
    widget, controls = opened(name)
    if isinstance(widget, Explorer) and len(values) > 1:
        before = widget.values
        try:
            widget.set(**values)
        except ValueError:  # there is no picture of these: all is as it was
            assert widget.values == before
        return
    for control, value in values.items():
        if hasattr(controls[control], "options"):
            index = controls[control]._options_values.index(value)
            controls[control].set_state({"index": index})
        else:
            controls[control].set_state({"value": value})


def test_all_explorers_open_without_an_argument_but_the_stepper() -> None:
    for name in NAMES:
        needed = [
            parameter
            for parameter in inspect.signature(getattr(oe, name)).parameters.values()
            if parameter.default is parameter.empty
        ]
        assert bool(needed) == (name == "explore_derivation"), name


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORERS)
def test_each_end_of_each_control(name: str) -> None:
    rng = np.random.default_rng(0)
    check_state(name, thorough=True, rng=rng)
    for control, widget in opened(name).controls.items():
        first = widget.value
        ends = offered(widget)[0]
        if not ALL:
            ends = ends[-1:] if hasattr(widget, "options") else ends[::3]
        for value in [*ends, first]:
            put(name, {control: value})
            check_state(name, thorough=False, rng=rng)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORERS)
def test_corners(name: str) -> None:
    rng = np.random.default_rng(1)
    controls = opened(name).controls
    ends = [ends_of(widget) for widget in controls.values()]
    sizes = [len(values) for values in ends]
    count = math.prod(sizes)
    widget, seen = opened(name).widget, set()
    for i in np.linspace(0, count - 1, min(CORNERS, count)).astype(int):
        at = np.unravel_index(i, sizes or [1])
        values = {key: ends[n][at[n]] for n, key in enumerate(controls)}
        key = str(used(widget, values) if isinstance(widget, Explorer) else values)
        if key not in seen:
            put(name, values)
            check_state(name, thorough=True, rng=rng)
        seen.add(key)
    print(f"{name}: {len(seen)} corners")


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORERS)
def test_random_states(name: str) -> None:
    rng = np.random.default_rng(2)
    controls = opened(name).controls
    for _ in range(STATES * MORE.get(name, 1)):
        chosen = [control for control in controls if rng.random() < 0.7]
        put(name, {control: offered(controls[control])[1](rng) for control in chosen})
        check_state(name, thorough=name in MORE, rng=rng)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_every_option_of_every_control(name: str) -> None:
    rng, (widget, controls) = np.random.default_rng(4), opened(name)
    for control, one in controls.items():
        widget.reset()
        for value in getattr(one, "_options_values", ()):
            put(name, {control: value})
            check_state(name, thorough=True, rng=rng)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORERS)
def test_reset_leads_back(name: str) -> None:
    widget = opened(name).widget
    if not isinstance(widget, Explorer):
        pytest.skip("it has no Reset button")
    widget.reset()
    assert widget.values == widget._first
    starts = {axis.name: axis.start for axis in widget.scene.axes}
    assert widget.player.position == starts
    check_state(name, thorough=False, rng=np.random.default_rng(3))


@pytest.mark.parametrize("name", [name for name in NAMES if name in EXPLORERS])
def test_a_hidden_control_changes_nothing(name: str) -> None:
    widget = opened(name).widget
    if not isinstance(widget, Explorer):
        pytest.skip("it hides no controls")
    for control in widget._shown_when:
        assert (widget.controls[control].layout.display is None) == widget._shown_when[control](
            widget.values
        )
        if widget.controls[control].layout.display == "none":
            before = message(widget.scene)
            put(name, {control: offered(widget.controls[control])[0][0]})
            assert message(widget.scene) == before
    widget.reset()
