"""Random arguments for every public function, and random text for the parser of losses.

Whatever comes in, a function answers or refuses: by an error its docstring names, whose words name
an argument. No other error, no warning, and never for long: sizes of 10**9, flags that are words,
masked arrays and losses of one's own that return nonsense are among what comes in.
`OVERPARAM_EDU_FUZZ` says how many inputs in all:

    OVERPARAM_EDU_FUZZ=120000 python -m pytest tests/test_fuzz.py
"""

from __future__ import annotations

import inspect
import math
import os
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import overparam_edu as oe
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.explorers.trajectories import trajectory_scene
from overparam_edu.player.player import Player

INPUTS = int(os.environ.get("OVERPARAM_EDU_FUZZ", "600"))
Rng = np.random.Generator
LOSS, NETWORK = oe.SeparableLp((1.0, 0.1)), oe.balanced_network([0.5, 0.3], 2)
TRAJECTORY = oe.train(NETWORK, LOSS, optimizer=oe.GradientDescent(0.1), steps=4)
CURVES = oe.load_record("cars_l4").curves
W1, W2 = sp.symbols("w1 w2", real=True)

JUNK: list[Any] = [
    None, ..., True, -1, 0, 1, 2, 7, -0.5, 0.5, 2.5, 1e-320, 1e300, -1e300, math.nan, math.inf,
    1j, "", "abc", "3", "\u2028\x00", b"\xff", [], (), {}, {1, 2}, [[]], [1.0], [1.0, 2.0],
    [[1.0, 2.0], [3.0]], ["a"], [None, None], [math.nan, 1.0], [1e300, 1e-300], object(),
    Fraction(1, 3), oe.SeparableLp, np.float32(0.5), np.zeros(2), np.zeros((2, 2)), np.eye(3),
    np.full((2, 3), 1e200), np.zeros((0, 2)), np.array("x"), np.array([True, False]),
    np.array([1, 2], dtype=object),
    np.ma.masked_array([1.0, 2.0], [True, False]), np.array(["2020-01-01"], dtype="datetime64[D]"),
    np.ma.masked_all(2), np.ma.masked, np.longdouble("1e4000"), 10**9, 2**63, 10**400, -(10**9),
    [10**9], (10**9, 10**9), [1, 10**9], 1e9, 1e200, np.full(2, 1e200), 1e-200, "no", "False",
    range(3), iter([1.0]), slice(None), Exception("no"), LOSS, NETWORK, TRAJECTORY, sp.Symbol("w1"),
]  # fmt: skip


class Own:
    """A loss as one writes it oneself, whose value and gradient are what they are said to be."""

    shape = (2,)

    def __init__(self, value: Callable[[Any], Any], gradient: Callable[[Any], Any]) -> None:
        self.value, self.gradient = value, gradient


def _bowl(w: Any) -> Any:
    return 0.5 * ((w - 1.0) ** 2).sum(axis=-1)


def _written_into(w: Any) -> Any:
    w -= 1.0
    return w


HOSTILE = [
    Own(_bowl, lambda w: w - 1.0),
    Own(_bowl, _written_into),
    Own(_bowl, lambda w: None),
    Own(_bowl, lambda w: w[..., :1]),
    Own(_bowl, lambda w: np.zeros(2)),
    Own(_bowl, lambda w: np.full_like(w, np.nan)),
    Own(_bowl, lambda w: 1j * w),
    Own(_bowl, lambda w: 1e300 * w),
    Own(lambda w: "low", lambda w: w - 1.0),
    Own(lambda w: None, lambda w: w - 1.0),
    Own(lambda w: np.zeros((*w.shape[:-1], 1)), lambda w: w - 1.0),
]
DEPTHS = [1, 2, 3, 2.5, 8, 1e3, [1, 2], (1.0, 1.5, 4.0), np.arange(1, 4)]
LOSSES = [
    LOSS,
    oe.SeparableLp((1.0, 0.5, -2.0), p=2),
    oe.LinearLoss([1.0, 2.0]),
    oe.LinearLoss(np.ones((2, 3))),
    oe.QuadraticLoss([[1.0, 0.5], [0.5, 2.0]], [1.0, 0.0]),
    oe.LpRegression(np.eye(3), np.ones(3), p=4),
    oe.LpRegression(np.ones((4, 3)), np.ones((4, 2)), p=2, reduction="mean"),
    oe.SymbolicLoss("w1**2*w2 + exp(w2)"),
    oe.SymbolicLoss("1/w1 + log(w2)"),
]
NETWORKS = [
    NETWORK,
    oe.near_zero_network((3, 2, 2), 0.1),
    oe.identity_network((2, 2, 2), 0.1),
    oe.LinearNetwork((np.zeros((5, 2, 2)), np.ones((5, 1, 2)))),
]


def array(rng: Rng) -> Any:
    """Return numbers of a small random shape, often of everyday size and sometimes not."""
    shape = rng.integers(1, 4, size=rng.integers(4))
    return rng.normal(size=shape) * 10.0 ** rng.choice([0, 0, 0, -200, -8, 4, 100, 250])


def text(rng: Rng, levels: int = 4) -> str:
    """Return a loss as text: mostly well formed, sometimes with a few characters spoilt."""

    def expression(level: int) -> str:
        kind = rng.integers(8) if level else 7
        if kind < 3:
            return f"({expression(level - 1)} {rng.choice(list('+-*/'))} {expression(level - 1)})"
        if kind == 3:
            return f"{expression(level - 1)}{rng.choice(['**', '^'])}{rng.choice(POWERS)}"
        if kind == 4:
            return f"{rng.choice(FUNCTIONS)}({expression(level - 1)})"
        if kind == 5:
            return (
                f"{rng.choice(['-', '|', '2', ''])}{expression(level - 1)}{rng.choice(['|', ''])}"
            )
        return str(rng.choice(ATOMS))

    words = list(expression(levels))
    for _ in range(rng.choice([0, 0, 1, 3])):
        at = rng.integers(len(words) + 1)
        words[at : at + rng.integers(2)] = str(rng.choice(SPOILT))
    return "".join(words)


POWERS = ["2", "3", "4", "0.5", "-1", "(1/3)", "w2", "99", "1e9"]
FUNCTIONS = ["abs", "sqrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "eval"]
ATOMS = ["w1", "w2", "w9", "w10", "1", "0", "0.1", "1e3", "1e400", "pi", "e", ".", "x", "10**20"]
SPOILT = [*"()|*/+-^ .,;:=[]{}'\"\\_@#%&!~?0eEjwλ∞²\n\x00", "w1", "lambda", "__import__", "**"]


LONGEST = 2.0  # seconds that the parser may take over a text
PATIENCE = 60.0  # seconds that any call may take


# Values that fit, by the name of the argument.
def one_of(*values: Any) -> Callable[[Rng], Any]:
    return lambda rng: values[rng.integers(len(values))]


GOOD: dict[str, Callable[[Rng], Any]] = {
    **dict.fromkeys(["w", "W", "gradient", "points", "start", "targets", "X", "y"], array),
    **dict.fromkeys(["hessian", "minimizer", "slope", "singular_values", "axis", "plane"], array),
    **dict.fromkeys(["omega2", "d_omega2", "gradients", "curve", "loss_value"], array),
    **dict.fromkeys(["weights"], lambda rng: tuple(array(rng) for _ in range(rng.integers(4)))),
    "breaks": one_of((), (0.5,), (0.2, 0.4)),
    "control": one_of(True, False),
    "curves": one_of(CURVES[1], CURVES),
    "challenger": one_of(*map(oe.best_curve, CURVES)),
    "deeper": one_of(oe.going_deeper([[1.0], [2.0]], [1.0, 2.0], depths=[1, 2], rates=[0.1])),
    "depth": one_of(*DEPTHS),
    "depths": one_of(*DEPTHS),
    "dimension": one_of(2, 3, 9),
    "dynamics": one_of("rule", "network", "flow"),
    "eta": one_of(0.1, 1e-3),
    "expression": text,
    "hidden": one_of(1, 2, (3,), (2, 2)),
    "imbalance": one_of(0.0, -1.0, 2.0, [0.5, -0.5], 1e9),
    "inner_radius": one_of(0.1, 0.5, (0.1, 0.2)),
    "outer_radius": one_of(1.0, 2.0, (1.0, 3.0)),
    "labels": one_of(["a"], ["a", "b"]),
    "leader": one_of(*map(oe.best_curve, CURVES)),
    "learning_rate": one_of(0.1, 1e-3, [0.1, 0.2], 30.0, "tuned", "same"),
    "learning_rates": one_of([0.1, 0.05], [0.02, 0.01, 0.005]),
    "loss": one_of(*LOSSES, *HOSTILE),
    "name": one_of(*EXERCISES),
    "network": one_of(*NETWORKS, "original", "factors", "product"),
    "optimizer": one_of(
        oe.GradientDescent(0.1),
        oe.Momentum(0.1),
        oe.AdaGrad(),
        oe.AdaDelta(),
        oe.RMSProp(),
        oe.Adam([0.1, 0.2]),
        oe.GradientDescent(1e9),
    ),
    "p": one_of(2, 4, 2.5, 6, 30),
    "rates": one_of([0.1, 1.0], np.geomspace(0.01, 1, 4)),
    "record": one_of(1, 2, [0, 1], [3]),
    "reduction": one_of("sum", "mean"),
    "rng": one_of(0, 1, np.random.default_rng(0)),
    "scale": one_of(0.0, 0.1, 1.0, 1e200),
    "steps": one_of(0, 1, 3),
    "target": one_of(1e-3, 0.1, 10.0),
    "time": one_of(0.1, 1.0),
    "times": one_of([0.0, 0.1], np.linspace(0, 1, 5)),
    "tolerance": one_of(1e-6, 1e-12),
    "trajectory": one_of(TRAJECTORY),
    "value": one_of(1.0, "faster", array),
    "variables": one_of(2, (W1, W2)),
    "weight_decay": one_of(0.0, 0.1),
    "widths": one_of((2, 2, 1), (3, 1, 1), (1, 1)),
}
NEEDS_NO_FUZZ = {
    "takes True or False, as test_sketch.py does": """explore_going_deeper explore_regression
        explore_trajectories""",
    "takes no arguments": """beyond_regularization check_setup explore_convnet
        explore_limit explore_line_integral explore_own_loss
        explore_preconditioner explore_singular_values
        explore_update_rule explore_warm_up illustration mirror_flow progress recorded_convnet
        single_output singular_values
        theorem_2_by_criterion theorem_2_by_line_integral""",
    "a record of results, made by other functions": """Certificate DataUnavailableError
        LineIntegral Loss Potential Preconditioner Report StepReport Trajectory TunedLearningRate
        Walk WarmUpCoefficients WarmUpRun""",
    "writes files": "build_pages save",
    "asks the network": "load_gas_ethanol load_mnist load_regression_data",
    "needs PyTorch": "ConvnetTraining load_digits run_convnets split_digits train_convnet",
    "takes code, not values": "Setting",
    "is abstract": "Optimizer",
}
SKIPPED = {name for names in NEEDS_NO_FUZZ.values() for name in names.split()}
# What takes seconds gets fewer inputs.
SHARE = {"find_potential": 0.02, "race_depths": 0.1, "tuned_learning_rate": 0.2, "compare": 0.05}
SHARE |= {"check": 0.3, "end_to_end_rule": 0.02, "preconditioning": 0.02, "warm_up": 0.02}
SHARE |= {"explore_derivation": 0.3, "SymbolicLoss": 8.0, "measure_distance_order": 0.3}
SHARE |= {"plot_trajectories": 0.2, "plot_losses": 0.3, "plot_tuning": 0.02}
SHARE |= {"plot_convnet": 0.1}


def methods() -> dict[str, Callable[..., Any]]:
    """Return the methods that users call, of things that exist."""
    player = Player(trajectory_scene())
    bound = [loss.value for loss in LOSSES] + [loss.gradient for loss in LOSSES]
    bound += [network.layer_gradients for network in NETWORKS]
    bound += [TRAJECTORY.steps_to, TRAJECTORY.network, player.move]
    return {f"{type(m.__self__).__name__}.{m.__name__} {i}": m for i, m in enumerate(bound)}


def public() -> dict[str, Callable[..., Any]]:
    names = {name: getattr(oe, name) for name in oe.__all__}
    names |= {name: getattr(oe.derivations, name) for name in oe.derivations.__all__}
    functions = {name: thing for name, thing in names.items() if callable(thing)}
    return {name: functions[name] for name in functions if name not in SKIPPED} | methods()


TARGETS = public()


def argument(rng: Rng, parameter: inspect.Parameter) -> Any:
    """Return a value that may fit the argument, or anything else."""
    if rng.random() < 0.65 and parameter.name in GOOD:
        value = GOOD[parameter.name](rng)
        return value(rng) if value is array else value
    return JUNK[rng.integers(len(JUNK))]


def arguments(rng: Rng, target: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments for a call, where optional ones are often left out."""
    several, named = [], {}
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            several = [JUNK[rng.integers(len(JUNK))] for _ in range(1 + rng.integers(2))]
        elif parameter.kind is parameter.VAR_KEYWORD:
            keys = rng.choice(["depth", "step", "nonsense"], size=2, replace=False)
            named |= {str(key): JUNK[rng.integers(len(JUNK))] for key in keys}
        elif parameter.default is parameter.empty or rng.random() < 0.4:
            named[name] = argument(rng, parameter)
    return several, named


def documented(target: Callable[..., Any]) -> set[str]:
    """Return the errors that a docstring, or that of the class, lists under "Raises"."""
    docs = [inspect.getdoc(target) or "", inspect.getdoc(type(target)) or ""]
    docs += [inspect.getdoc(type(getattr(target, "__self__", None))) or ""]
    raises = [re.search(r"^Raises\n-+\n((?:.|\n)*?)(?:\n\n\S|\Z)", doc, re.M) for doc in docs]
    return set(re.findall(r"\b\w+Error\b", " ".join(found[1] for found in raises if found)))


def objection(target: Callable[..., Any], several: list[Any], named: dict[str, Any]) -> str | None:
    """Return what is wrong with how a function takes these arguments, or None."""
    names = [name for name in inspect.signature(target).parameters if name != "kwargs"]
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            target(*several, **named)
            if (took := time.process_time() - began) > PATIENCE:
                return f"took long: {took:.0f} s"
        except Exception as problem:
            kind, words = type(problem).__name__, str(problem)
            if not isinstance(problem, (TypeError, ValueError)) and kind not in documented(target):
                return f"{kind}: {words}"
            if isinstance(target, type(len)) or not names:
                return None
            said = any(re.search(rf"(?<![a-z]){name}(?![a-z])", words) for name in [*names, *named])
            return None if said else f"names no argument: {kind}: {words}"
    return None


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_it_answers_or_names_what_is_wrong(name: str) -> None:
    rng = np.random.default_rng(list(name.encode()))
    total = sum(SHARE.get(other.split()[0], 1.0) for other in TARGETS)
    count = math.ceil(INPUTS * SHARE.get(name.split()[0], 1.0) / total)
    wrong: Counter[str] = Counter()
    examples = {}
    for _ in range(count):
        several, named = arguments(rng, TARGETS[name])
        if objected := objection(TARGETS[name], several, named):
            wrong[objected[:90]] += 1
            examples[objected[:90]] = f"{named or several!r}"[:300]
    assert not wrong, "\n".join(
        f"{n} of {count}: {what}\n    {examples[what]}" for what, n in wrong.items()
    )


def test_text_makes_a_loss_or_is_refused() -> None:
    rng = np.random.default_rng(0)
    kept, count = 0, INPUTS // 4
    for _ in range(count):
        words = text(rng)
        began = time.process_time()
        if objected := objection(oe.SymbolicLoss, [], {"expression": words}):
            raise AssertionError(f"{objected}\n    {words!r}")
        assert time.process_time() - began < LONGEST, words
        try:
            loss = oe.SymbolicLoss(words)
        except ValueError:
            continue
        kept += 1
        w = rng.normal(size=(3, *loss.shape)) * 10.0 ** rng.choice([0, 0, -30, 3, 150])
        for compute in (loss.value, loss.gradient):
            assert objection(partial(compute, w), [], {}) is None, words
        assert loss.value(w).shape == (3,)
        assert loss.gradient(w).shape == w.shape
    assert kept > count / 10, "the generator makes too little that can be read"


def test_what_is_left_out_exists() -> None:
    known = set(oe.__all__) | set(oe.derivations.__all__)
    assert known >= SKIPPED
