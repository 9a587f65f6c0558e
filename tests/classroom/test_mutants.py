"""Every check against wrong answers by the hundred: spoilt solutions, and every wrong form.

A mutant is a solution with one change: in its source (`from_source`), in an argument or in what it
returns (`from_outside`). One that gives the same as the solution at all `arguments` is no mutant.
A sixth of them are tried, and all with `OVERPARAM_EDU_MUTANTS=all`.
"""

from __future__ import annotations

import ast
import copy
import os
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.classroom.exercise import Exercise, Mistake, examine
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.forms import NUMBER

pytestmark = pytest.mark.slow

DENSE = 150
EVERY = 1 if os.environ.get("OVERPARAM_EDU_MUTANTS") == "all" else 6


def _matrices(rng: Any, count: int) -> list[Any]:
    sizes = rng.integers(1, 4, count + 1)
    return [rng.standard_normal((b, a)) for a, b in pairwise(sizes)]


def _vectors(rng: Any, count: int, least: int = 1) -> list[Any]:
    return list(rng.standard_normal((count, rng.integers(least, 6))))


def _warm_up(rng: Any) -> tuple[Any, ...]:
    w1, g = _vectors(rng, 2)
    scalars = (rng.choice([-1, 1], 2) * rng.uniform(0.2, 2, 2)).tolist()
    return w1, *scalars, g, float(rng.uniform(0.01, 1))


def _plane(rng: Any) -> tuple[Any, ...]:
    return tuple(rng.standard_normal((2, *rng.integers(1, 5, 2))))


def _layerwise(rng: Any) -> tuple[Any, ...]:
    W, G = _plane(rng)
    most = 6 if W.shape[0] == W.shape[1] else 2  # roots of a rounded 0 are not small
    return W, G, rng.uniform(0, 3, rng.integers(1, most)).tolist()


def _singular(rng: Any) -> tuple[Any, ...]:
    k, d = (int(n) for n in rng.integers(1, 5, 2))
    sigma = np.sort(rng.uniform(0.1, 3, min(k, d)))[::-1] * (
        np.arange(min(k, d)) < rng.integers(1, 5)
    )
    return sigma, k, d, int(rng.integers(1, 7))


def _preconditioner(rng: Any) -> tuple[Any, ...]:
    k, d = (int(n) for n in rng.integers(1, 4, 2))
    return rng.standard_normal((k * d, k * d)), k, d


def _slice(rng: Any) -> tuple[Any, ...]:
    r, R = np.sort(rng.uniform(0.05, 2, 2))
    return float(rng.uniform(1, 6)), float(r), float(R), float(rng.uniform(0.1, 6.2))


def _regression(rng: Any) -> tuple[Any, ...]:
    n, d = rng.integers(2, 9), rng.integers(1, 5)
    X, y, w = rng.standard_normal((n, d)), rng.standard_normal(n), rng.standard_normal(d)
    return X, y, w, float(rng.uniform(2, 6))


def _table(rng: Any) -> tuple[Any, ...]:
    losses = rng.uniform(0, 1, rng.integers(1, 6, 2)) ** 3
    for column in range(1, losses.shape[1]):
        if rng.random() < 0.3:
            losses[rng.integers(losses.shape[0]), column] = np.nan
    return (losses[:, rng.permutation(losses.shape[1])],)


def _affine(rng: Any) -> tuple[Any, ...]:
    A, B = _matrices(rng, 2)[::-1]
    return A, B, rng.standard_normal(len(B)), rng.standard_normal(len(A))


def _weighted(rng: Any) -> tuple[Any, ...]:
    c, y = _vectors(rng, 2)
    return np.exp(c), 2 * y, int(rng.choice([2, 4, 6, 8]))


def _field(rng: Any) -> tuple[Any, ...]:
    A, B, C = rng.standard_normal((3, 2, 2))
    field = lambda w: np.exp(A @ w / 3) + (B @ w) ** 3 + C @ w  # noqa: E731
    return field, rng.standard_normal(2), float(rng.uniform(0.02, 0.5))


# Arguments in all of what is asked, made without a look at the exercise's own.
ARGUMENTS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "product_of_layers": lambda rng: (_matrices(rng, rng.integers(1, 6)),),
    "two_scalar_step": _warm_up,
    "two_scalar_coefficients": _warm_up,
    "start_weight": lambda rng: (rng.uniform(-1, 1, 8), int(rng.integers(0, 8))),
    "layerwise_rule": _layerwise,
    "single_rule": lambda rng: (*_vectors(rng, 2), float(rng.uniform(1, 6))),
    "amplifications": _singular,
    "for_stacked_rows": _preconditioner,
    "slice_of_the_ring": _slice,
    "largest_rate": _weighted,
    "crawl_time": lambda rng: (*rng.uniform(0.05, 2, 2).tolist(), *rng.uniform([2.5, 1], [7, 20])),
    "mean_gradient": _regression,
    "fair_loss": _table,
    "first_step_factor": lambda rng: (float(rng.uniform(0.05, 2)), int(rng.integers(1, 7))),
    "extra_parameters": lambda rng: (
        rng.integers(1, 600, rng.integers(0, 6)).tolist(),
        int(rng.integers(1, 7)),
    ),
    "fold": _affine,
    "data_term": lambda rng: (
        float(rng.uniform(0, 9)),
        [_matrices(rng, 2)[::-1] for _ in range(rng.integers(0, 5))],
        float(rng.uniform(0, 2)),
    ),
    "numerical_curl": _field,
}


def arguments(exercise: Any) -> list[tuple[Any, ...]]:
    """Return many arguments of a function, other ones than the exercise draws."""
    rng = np.random.default_rng(20_260)
    make = ARGUMENTS.get(exercise.name, exercise.draw)
    return [make(rng) for _ in range(DENSE)]


def run(source: str, name: str) -> Any:
    """Return what a cell's source gives to a name."""
    space = {"np": np, "oe": oe}
    exec(source, space)
    return space[name]


def _own(value: Any) -> Any:
    return [_own(v) for v in value] if isinstance(value, (tuple, list)) else copy.deepcopy(value)


def values(function: Any, at: list[tuple[Any, ...]]) -> list[Any]:
    """Return what a function returns at arguments, or what it raised."""
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for each in at:
            try:
                found.append(function(*_own(each)))
            except Exception as problem:
                found.append(problem)
    return found


def alike(ours: Any, theirs: Any) -> bool:
    """Return whether two results are the same but for rounding."""
    if isinstance(theirs, (tuple, list)):
        try:
            return len(ours) == len(theirs) and all(map(alike, ours, theirs))
        except TypeError:
            return False
    try:
        ours, theirs = np.asarray(ours), np.asarray(theirs, float)
        if ours.dtype.kind not in "fiu" or ours.shape != theirs.shape:
            return False
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0) or 1.0
        return bool(np.allclose(ours, theirs, rtol=0, atol=1e-8 * scale, equal_nan=True))
    except (TypeError, ValueError):
        return False


# --- changes of the source ---

_REDUCTIONS = ("mean", "sum", "median", "max", "min", "prod", "std", "var")
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult)


def _call(name: str, *inside: ast.expr) -> ast.expr:
    return ast.Call(ast.parse(name, mode="eval").body, list(inside), [])


def _changes(node: ast.AST, names: tuple[str, ...]) -> list[ast.AST]:
    """Return what can stand in place of a node."""
    if isinstance(node, ast.BinOp):
        others = [op() for op in _OPERATORS if not isinstance(node.op, op)]
        changed: list[ast.AST] = [ast.BinOp(node.left, op, node.right) for op in others]
        changed += [ast.BinOp(node.right, node.op, node.left), node.left, node.right]
        return [*changed, _call("abs", node), ast.UnaryOp(ast.USub(), node)]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        c = node.value
        return [ast.Constant(v) for v in (c + 1, c - 1, 2 * c, -c, c / 2, 0, 1, 2) if v != c]
    if isinstance(node, ast.Constant) and node.value in ("F", "C"):
        return [ast.Constant("C" if node.value == "F" else "F")]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        changed = [ast.Name(other, ast.Load()) for other in names if other != node.id]
        changed += [_call(f, node) for f in ("abs", "np.transpose", "np.sort", "np.mean", "len")]
        changed += [ast.UnaryOp(ast.USub(), node)]
        for index in ("0", "-1", "1:", ":-1", "::-1"):
            inside = ast.parse(f"x[{index}]", mode="eval").body.slice  # type: ignore[attr-defined]
            changed.append(ast.Subscript(node, inside, ast.Load()))
        return changed
    if isinstance(node, ast.Attribute) and node.attr in _REDUCTIONS:
        return [ast.Attribute(node.value, r, node.ctx) for r in _REDUCTIONS if r != node.attr]
    if isinstance(node, ast.Attribute) and node.attr == "nanmin":
        return [ast.Attribute(node.value, r, node.ctx) for r in ("nanmax", "nanmean", "min")]
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return [node.value]
    if isinstance(node, ast.Call):
        less = [ast.Call(node.func, node.args, node.keywords[1:])] if node.keywords else []
        return [*node.args[:1], *less, _call("abs", node)]
    if isinstance(node, ast.Slice):
        return [ast.Slice(None, node.upper), ast.Slice(node.lower, None)]
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        return [ast.Tuple(node.elts[::-1], node.ctx), *node.elts]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        left = ast.Assign(node.targets, node.value.left)
        inside = ast.AugAssign(node.targets[0], node.value.op, node.value.right)  # type: ignore[arg-type]
        return [ast.Pass(), ast.If(ast.Constant(True), [left, inside], [])]
    return []


def from_source(source: str) -> Iterator[tuple[str, str]]:
    """Yield what is changed in a solution, and its source with that change."""
    tree = ast.parse(source)
    args = [node for node in ast.walk(tree) if isinstance(node, ast.arg)]
    bound = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = tuple(dict.fromkeys([*(a.arg for a in args), *(n.id for n in bound)]))
    seen = {ast.unparse(tree)}
    for place, node in enumerate(ast.walk(tree)):
        for which in range(len(_changes(node, names))):
            spoilt = copy.deepcopy(tree)
            target = list(ast.walk(spoilt))[place]
            new = _changes(copy.deepcopy(target), names)[which]
            for parent in ast.walk(spoilt):
                for field, value in ast.iter_fields(parent):
                    if value is target:
                        setattr(parent, field, new)
                    elif isinstance(value, list):
                        setattr(parent, field, [new if one is target else one for one in value])
            try:
                text = ast.unparse(ast.fix_missing_locations(spoilt))
                compile(text, "mutant", "exec")
            except (SyntaxError, ValueError, AttributeError, TypeError):
                continue
            if text not in seen:
                seen.add(text)
                yield f"{ast.unparse(node)} -> {ast.unparse(new)}", text


# --- changes of arguments and results ---


def _first_is_all(x: Any) -> Any:
    return np.full_like(x, x.flat[0])


_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "absolute": np.abs,
    "negative": np.negative,
    "sorted": np.sort,
    "reversed": lambda x: x[::-1],
    "transposed": np.transpose,
    "its first entry everywhere": _first_is_all,
    "without its last": lambda x: x[:-1],
    "without its first": lambda x: x[1:],
    "doubled": lambda x: 2 * x,
    "first two only": lambda x: x[:2],
    "summed": np.sum,
    "mean": np.mean,
    "largest": np.max,
    "symmetric": lambda x: (x + x.T) / 2,
    "diagonal": lambda x: np.diag(np.diag(x)),
    "rounded": np.round,
    "no longer than 1": lambda x: x / max(1.0, np.linalg.norm(x)),
}
_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "absolute": abs,
    "negative": lambda x: -x,
    "whole": lambda x: type(x)(int(x)),
    "doubled": lambda x: 2 * x,
    "one more": lambda x: x + 1,
    "one less": lambda x: x - 1,
    "at most 2": lambda x: min(x, 2),
    "at least 2": lambda x: max(x, 2),
    "at most 4": lambda x: min(x, 4),
    "squared": lambda x: x * x,
}
_LISTS: dict[str, Callable[[Any], Any]] = {
    "reversed": lambda x: x[::-1],
    "sorted": sorted,
    "without its last": lambda x: x[:-1],
    "without its first": lambda x: x[1:],
    "first only": lambda x: x[:1],
    "first two": lambda x: x[:2],
    "first three": lambda x: x[:3],
    "doubled": lambda x: [2 * one for one in x],
    "absolute": lambda x: [abs(one) for one in x],
    "each once": lambda x: [v for n, v in enumerate(x) if not any(v is u for u in x[:n])],
}


def _changed(value: Any) -> dict[str, Callable[[Any], Any]]:
    if isinstance(value, np.ndarray):
        return _ARRAYS
    if isinstance(value, (int, float)):
        return _NUMBERS
    return _LISTS if isinstance(value, (tuple, list)) else {}


def from_outside(exercise: Any, solution: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is changed in the arguments or results of a solution, and the function."""

    def of(place: int, change: Any) -> Any:
        return lambda *a: solution(*(change(x) if n == place else x for n, x in enumerate(a)))

    def then(change: Any) -> Any:
        return lambda *a: change(solution(*a))

    def fallen_back(at: Any, right: Any) -> Any:
        return lambda *a: right if len(a) == len(at) and all(map(alike, a, at)) else 0 * right

    probes = exercise.probes
    for place, value in enumerate(probes[0]):
        for label, change in _changed(value).items():
            yield f"argument {place} {label}", of(place, change)
        for at in probes:
            yield f"argument {place} a global", of(place, lambda x, v=at[place]: _own(v))
        for other in range(place):
            if type(probes[0][other]) is type(value) or not callable(value):

                def swapped(*a: Any, i: int = place, j: int = other) -> Any:
                    mixed = list(a)
                    mixed[i], mixed[j] = mixed[j], mixed[i]
                    return solution(*mixed)

                yield f"arguments {other} and {place} exchanged", swapped
    result = solution(*_own(probes[0]))
    for label, change in _changed(result).items():
        yield f"result {label}", then(change)
    if isinstance(result, tuple):
        for place, value in enumerate(result):
            for label, change in _changed(value).items():
                yield (
                    f"result {place} {label}",
                    then(
                        lambda r, p=place, c=change: tuple(
                            c(x) if n == p else x for n, x in enumerate(r)
                        )
                    ),
                )
    for at in probes:
        right = solution(*_own(at))
        yield "the constant of a probe", lambda *a, right=right: _own(right)
        if not isinstance(right, (tuple, list)):
            yield "right at one probe only", fallen_back(at, right)


# Right but for rounding: no eigenvalue of these is below 0.
ROUNDED = {("layerwise_rule", "values -> abs(values)")}


def mutants(exercise: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is changed, and an answer that differs from the solution."""
    solution = run(exercise.solution, exercise.name)
    at = arguments(exercise)
    right = values(solution, at)
    assert not any(isinstance(one, Exception) for one in right), f"ARGUMENTS of {exercise.name}"
    for label, answer in [*_spoilt(exercise), *from_outside(exercise, solution)][::EVERY]:
        same = all(map(alike, values(answer, at), right))
        if not same and (exercise.name, label) not in ROUNDED:
            yield label, answer


def _spoilt(exercise: Any) -> Iterator[tuple[str, Any]]:
    for label, source in from_source(exercise.solution):
        try:
            yield label, run(source, exercise.name)
        except Exception:
            continue  # a cell that fails hands nothing in


# --- wrong forms ---


def _raising(problem: BaseException) -> Any:
    def fails(*_: Any) -> Any:
        raise problem

    return fails


def _endless(*_: Any) -> Any:
    while True:
        signal.raise_signal(signal.SIGINT)  # Ctrl-C


def wrong_forms(exercise: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of a wrong form, and the solution's answer in it."""
    problems = [
        NotImplementedError(),
        SystemExit(2),
        GeneratorExit(),
        ZeroDivisionError("division"),
    ]
    if not exercise.probes:
        right = run(exercise.solution, exercise.name)
        for label, change in _FORMS.items():
            yield label, change(right)
        yield "a function", lambda *_: right
        yield "a class", int
        return
    solution = run(exercise.solution, exercise.name)
    for label, change in _FORMS.items():
        yield label, lambda *a, change=change: change(solution(*a))
    for problem in problems:
        yield type(problem).__name__, _raising(problem)
    yield "an endless loop", _endless
    yield "too few parameters", lambda: 0.0
    yield "no function", 1.0
    yield "what it returns", solution(*_own(exercise.probes[0]))
    yield "a class", int


def _masked(right: Any) -> Any:
    array = np.atleast_1d(np.asarray(right, float))
    return np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 0)


class _Hostile:
    """Nothing about it can be asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


_FORMS: dict[str, Callable[[Any], Any]] = {
    "None": lambda r: None,
    "a tuple of it twice": lambda r: (r, r),
    "a list of it": lambda r: [r],
    "an empty list": lambda r: [],
    "text": lambda r: f"about {r}?",
    "a generator": lambda r: (x for x in [r]),
    "a dict": lambda r: {"answer": r},
    "a set": lambda r: {1, 2},
    "an imaginary part": lambda r: np.asarray(r, complex) + 1j if _numeric(r) else 1j,
    "NaN": lambda r: np.full(np.shape(r), np.nan) if _numeric(r) else float("nan"),
    "infinity": lambda r: np.full(np.shape(r), np.inf) if _numeric(r) else float("inf"),
    "masked": lambda r: _masked(r) if _numeric(r) else _masked(1.0),
    "one more axis": lambda r: np.asarray(r)[None] if _numeric(r) else np.ones((1, 1, 1)),
    "a ragged list": lambda r: [[1.0], [1.0, 2.0]],
    "truth": lambda r: True,
    "a function of nothing": lambda r: lambda: r,
    "hostile": lambda r: _Hostile(),
}


# What must be said of some of them, unless a hint says more.
_CAME = {
    "an empty list": "a list of 0",
    "text": "the text",
    "a generator": "a generator",
    "a dict": "a `dict`",
    "a set": "a `set`",
    "NaN": "NaN",
    "infinity": "inf",
    "masked": "masked",
    "truth": "the truth value",
    "a function of nothing": "a function",
    "hostile": "a `_Hostile`",
    "NotImplementedError": "NotImplementedError",
    "SystemExit": "SystemExit: 2",
    "ZeroDivisionError": "ZeroDivisionError",
    "an endless loop": "You interrupted the check in your line",
    "too few parameters": "TypeError",
    "no function": "keep the line that begins with `def",
    "what it returns": "keep the line that begins with `def",
}


def _numeric(right: Any) -> bool:
    try:
        return np.asarray(right).dtype.kind in "fiu"
    except ValueError:
        return False


# --- answers that are no functions ---


def _singular_values(W: Any) -> Any:
    return np.linalg.svd(np.asarray(W, float), compute_uv=False)


def _harmless(W: Any) -> bool:
    first, second = _singular_values(W)
    return bool(abs(first - second) < 1e-6 * first and not np.allclose(W, W[0][0] * np.eye(2)))


def _unbalanced(network: Any) -> bool:
    """Return whether real steps, for two layers and g = (1, 0.5), differ from the rule's."""
    if not isinstance(network, oe.LinearNetwork):
        network = oe.LinearNetwork(tuple(network))
    if network.depth != 2 or network.widths[::2] != (2, 1):
        return False
    first, second = network.weights
    g, w = np.array([[1.0, 0.5]]), second @ first
    real = second @ second.T @ g + g @ first.T @ first
    rule = np.linalg.norm(w) * g + (g @ w.T) * w / (np.linalg.norm(w) or 1.0)
    return bool(np.linalg.norm(rule - real) > 0.1 * np.linalg.norm(real))


def _products_and_mean(networks: Any) -> bool:
    """Return whether both products are 1 and that of the mean network is not, by 0.1."""
    (a, b), (c, d) = networks
    return abs(a * b - 1) < 1e-9 > abs(c * d - 1) and abs((a + c) * (b + d) / 4 - 1) > 0.1


def _older_weighs_more(start: Any) -> bool:
    """Return whether the first gradient pushes more than the newest, by training by hand."""
    w, scalar = start
    scalars = [scalar]
    for _ in range(6):
        g = w * scalar - 1
        w, scalar = w - 0.1 * scalar * g, scalar - 0.1 * w * g
        scalars.append(scalar)
    first, newest = (scalars[t] ** 2 / scalars[t + 1] for t in (0, 4))
    push = scalars[6] - scalars[5]
    within = max(map(abs, start)) <= 2
    return bool(within and push != 0 and abs(first) > abs(newest))


def _gaussian_layers(function: Any) -> bool:
    """Return whether layers are the identity and independent Gaussian noise of the given scale."""
    from scipy.stats import kstest  # a second to import

    seen = []
    for d, N, scale, seed in ((40, 6, 0.05, 0), (30, 3, 1.5, 1), (30, 3, 1.5, 2), (25, 1, 0.4, 1)):
        with np.errstate(all="ignore"):
            layers = np.asarray(function(d, N, scale, seed), float)
            again = np.asarray(function(d, N, scale, seed), float)
        if layers.shape != (N, d, d) or not np.array_equal(layers, again):
            return False
        noise = (layers - np.eye(d)) / scale
        flat = noise.reshape(N, -1)
        related = max((abs(float(np.mean(a * b))) for a, b in combinations(flat, 2)), default=0)
        twin = abs(float(np.mean([np.triu(E, 1) * np.triu(E.T, 1) for E in noise])))
        if kstest(noise.ravel(), "norm").pvalue < 1e-4 or related > 0.2 or twin > 0.1:
            return False
        seen.append(flat)
    return not np.array_equal(seen[1], seen[2])


def _is_gradient(loss: Any, depth: float) -> bool:
    """Return whether the field does no work round many triangles."""
    loss = oe.SymbolicLoss(loss) if isinstance(loss, str) else loss
    limit = 1e-2 if isinstance(loss, oe.SymbolicLoss) else 5e-6  # quadrature blurs kinks
    rng = np.random.default_rng(4)
    t, weight = np.polynomial.legendre.leggauss(400)
    for corners in rng.uniform(-2, 2, (60, 3, 2)):
        work, size = 0.0, 0.0
        for a, b in pairwise([*corners, corners[0]]):
            w = a + np.outer((t + 1) / 2, b - a)
            g = loss.gradient(w)
            length = np.linalg.norm(w, axis=1, keepdims=True)
            along = np.sum(w * g, axis=1, keepdims=True) * w / length**2
            parts = weight * ((length ** (2 - 2 / depth) * (g + (depth - 1) * along)) @ (b - a)) / 2
            work, size = work + parts.sum(), size + np.abs(parts).sum()
        if abs(work) > limit * size:
            return False
    return True


def _quiet(loss: Any) -> bool:
    """Return whether J(t) = L(te) - L(-te) is linear, though the field is no gradient."""
    loss = oe.SymbolicLoss(loss) if isinstance(loss, str) else loss
    with np.errstate(all="ignore"):
        g = loss.gradient(np.zeros(2))
    if not np.linalg.norm(g) > 0:
        return False
    ray = np.outer(np.linspace(0.05, 1, 50), g / np.linalg.norm(g))
    J = (loss.value(ray) - loss.value(-ray)) / np.linalg.norm(ray, axis=1)
    return bool(np.ptp(J) < 1e-9 and not _is_gradient(loss, 2))


_KINKED = (
    *("|w1 - 1| + |w2 - 0.5|", "|w1| + |w2|", "|w1 - 1|", "|w1 + w2 - 1| + w1", "|w1*w2|"),
    *("|w1 - 1.2| + w2", "w1*w2", "w1^4 + w2^2 + w1", "sqrt(w1^2 + w2^2)", "w1^2 + |w2 - 0.3|"),
    *("(w1 - 1)^2 + w2^2", "w1^2 + 2*w2^2", "w1 + 2*w2", "exp(w1)", "(w1^2 + w2^2)^2"),
)
_OWN = tuple(map(oe.SymbolicLoss, _KINKED))
_LIBRARY = (
    *(oe.SeparableLp((1.0, 0.1), p=p) for p in (2, 2.0001, 2.5, 3, 4)),
    *(oe.QuadraticLoss(H, (1.0, 0.5)) for H in ([[2, 0], [0, 1]], [[2, 0], [0, 2]])),
    *(oe.QuadraticLoss(H, (1.0, 0.5)) for H in ([[2, 1], [1, 2]], [[2, 0], [0, 2.01]])),
    *(oe.LinearLoss(g) for g in ([0.0, 1.0], [1.0, -2.0])),
    *(oe.LpRegression([[1.0, 0.0], [1.0, 1.0]], [1.0, 0.5], p=p) for p in (2, 4)),
)


def _slower(loss: Any) -> bool:
    if not isinstance(loss, oe.SeparableLp) or loss.shape != (2,):
        return False
    near = float(np.abs(loss.targets).min())
    if near <= 0.02:
        return False
    aim = 0.01 * near**loss.p / loss.p
    race = oe.race_depths(loss, [0.01, 0.01], depths=[1, 2], target=aim)
    return bool(race.arrivals[1] > race.arrivals[0])


def _bends(text: str) -> bool:
    """Return whether a loss is not quadratic: its gradient is not linear along a line."""
    line = np.outer(np.linspace(0.2, 1.7, 9), [1.0, 0.7]) - 0.3
    return bool(np.abs(np.diff(oe.SymbolicLoss(text).gradient(line), 2, axis=0)).max() > 1e-6)


def _gains_in_squares(loss: Any) -> bool:
    if loss.p != 2 or loss.shape != (2,):
        return False
    start, w = np.array([0.05, 0.05]), np.linalg.pinv(loss.X) @ loss.y
    least, first = float(loss.value(w)), float(loss.value(start))
    aim = least + 1e-3 * (first - least)
    one, two = oe.tuned_learning_rate(loss, start, depth=[1, 2], target=aim).steps
    return bool(0 < 3 * two <= 2 * min(one, 5_000))


def _neither_vanishes_nor_explodes(width: Any) -> bool:
    width = float(str(width).removeprefix("about "))
    if width != int(width) or not 1 <= width <= 400:
        return False
    starts = [oe.near_zero_network((7, *[int(width)] * 15, 1), 0.1, rng=s) for s in range(10)]
    return bool(0.1 <= np.median([np.linalg.norm(s.end_to_end_matrix) for s in starts]) <= 10)


def _reads_worse(answer: Any) -> bool:
    runs, (name, first, last) = oe.recorded_convnet(), answer
    row, shared = runs.networks.index(name), runs.rates.index(0.01)
    start, end = (runs.steps.tolist().index(step) for step in (first, last))
    data, decay = runs.data[shared, row].mean(axis=0), runs.decay[shared, row].mean(axis=0)
    return bool(
        start < end and data[end] > data[start] and (data + decay)[end] < (data + decay)[start]
    )


def _faster(text: str) -> bool:
    loss, start = oe.SymbolicLoss(text), np.array([0.05, 0.05])
    if np.abs(loss.gradient([1.0, 1.0])).max() > 1e-9 or loss.shape != (2,):
        return False
    a, b = 0.3, 1.4
    mixed = loss.value([a, a]) + loss.value([b, b]) - loss.value([a, b]) - loss.value([b, a])
    if abs(mixed) < 1e-9:
        return False
    least, first = float(loss.value([1.0, 1.0])), float(loss.value(start))
    around = np.random.default_rng(1).uniform(-3, 4, (2_000, 2))
    if not (least < first and np.all(loss.value(around) >= least)):
        return False
    aim = least + 1e-3 * (first - least)
    arrivals = oe.race_depths(loss, start, depths=[1, 2], target=aim).arrivals
    return bool(np.isfinite(arrivals[0]) and arrivals[1] <= 2 / 3 * arrivals[0])


# What decides about an answer without a look at the exercise, and answers to decide about.
def _forgets(w: Any) -> bool:
    """Return whether depth 3 ends a tenth nearer to least norm than depth 1, by bisection."""
    size, (seen, unseen) = np.hypot(*w), np.array([[0.8, 0.6], [-0.6, 0.8]]) @ np.asarray(w, float)
    if min(abs(seen - 1), abs(unseen)) < 0.1:
        return False
    low, high = 0.0, 1e6
    for _ in range(200):  # the unseen part t solves t = (|end| / |start|)^(2/3) |unseen|
        t = (low + high) / 2
        grows = (np.hypot(1, t) / size) ** (2 / 3) * abs(unseen) > t
        low, high = (t, high) if grows else (low, t)
    return bool(low <= 0.9 * abs(unseen))


JUDGES: dict[str, tuple[Callable[[Any], bool], tuple[Any, ...]]] = {
    "two_best_networks": (
        _products_and_mean,
        ([[1, 1], [-1, -1]], [[1, 1], [1, 1]], [[1.0, 1.0], [1.25, 0.8]], [[2, 0.5], [2, 0.5]]),
    ),
    "older_gradient": (
        _older_weighs_more,
        tuple((a, b) for a in (-1.0, -0.2, 0.0, 0.1, 0.7, 1.6) for b in (-1.4, 0.3, 0.9, 2.0)),
    ),
    "harmless_matrix": (_harmless, ([[0, 1], [1, 0]], [[0, -2], [2, 0]], [[1, 1], [1, -1.01]])),
    "unbalanced_start": (
        _unbalanced,
        tuple(
            oe.LinearNetwork(([[a, 0.4]], [[b]]))
            for a in (0.3, -1.0, 2.0)
            for b in (0.1, 0.5, -1.08, 3.0)
        ),
    ),
    "start_that_helps": (
        _forgets,
        tuple((a, b) for a in (-3.0, -0.5, 0.2, 0.8, 1.7) for b in (-2.0, 0.1, 0.6, 1.2)),
    ),
    "potential_at_two": (lambda loss: _is_gradient(loss, 2), (*_OWN, *_LIBRARY)),
    "quiet_loop": (_quiet, (*_OWN, *_LIBRARY)),
    "slower_with_depth": (
        _slower,
        tuple(oe.SeparableLp(y, p) for y in ((1.0, 0.1), (0.5, 0.5), (-1, 0.3)) for p in (2, 3, 4)),
    ),
    "faster_at_two": (
        _faster,
        tuple(
            f"(w1 - 1)^{a} + (w2 - {x})^{b}{c}"
            for x in ("1", "w1")
            for a, b in ((2, 2), (4, 2), (4, 4), (3, 3), (6, 4))
            for c in ("", "/50", "*3")
        ),
    ),
    "only_at_two": (
        lambda loss: _is_gradient(loss, 2) and not _is_gradient(loss, 3) and _bends(loss),
        (*_KINKED, "w1 + exp(w1^2 + w2^2)", "w1^2 + w2^2 - 3*w1 + 2", "(w1^2 + w2^2)^2 + w1*w2"),
    ),
    "gain_in_least_squares": (
        _gains_in_squares,
        tuple(
            oe.LpRegression(np.diag([a, 1.0]), (a * x, y), p)
            for a, p in ((1.0, 2), (0.3, 2), (0.1, 2), (0.1, 4))
            for x, y in ((1.0, 0.05), (0.05, 0.05), (1.0, 1.0), (0.1, 3.0), (1.0, -0.1))
        ),
    ),
    "wide_enough": (_neither_vanishes_nor_explodes, ()),
    "falls_but_worse": (
        _reads_worse,
        tuple(
            (name, first, first + more)
            for name in ("original", "factors", "product", "deep")
            for first in (10, 110, 400, 500)
            for more in (-10, 0, 5, 10, 300)
        ),
    ),
}


def _numbers(right: float) -> Iterator[Any]:
    """Yield numbers that are wrong, also as people write them."""
    for factor in (-1, 0, 0.1, 0.25, 0.5, 1.5, 2, 4, 10, 100):
        if factor * right != right:
            yield factor * right
            yield f"about {factor * right:g}"


def others(exercise: Any) -> list[Any]:
    """Return answers to an exercise that asks for no function, all wrong but for its judge."""
    right = run(exercise.solution, exercise.name)
    if isinstance(right, str) and len(right) == 1:
        return [form.format(c) for c in "ACDEFGZ" if c != right for form in ("{}", "({})", "{}.")]
    if isinstance(right, (int, float, np.number)):
        return list(_numbers(right))
    _, more = JUDGES[exercise.name]
    return [*(answer for _, answer in _spoilt(exercise)), *more]


# --- the tests ---

FUNCTIONS = [e for e in EXERCISES.values() if e.probes]
RANDOM = "identity_layers"
OTHERS = [e for e in EXERCISES.values() if not e.probes]


def _name(exercise: Exercise) -> str:
    return exercise.name


def _is_true(exercise: Exercise, answer: Any, hint: str, at: list[Any]) -> bool:
    """Return whether the answer makes the mistake that a hint names, wherever both give values."""
    wrong = exercise.mistakes[hint]
    if isinstance(wrong, Mistake):
        return True  # it was asked
    pairs = zip(values(answer, at), values(wrong, at), strict=True)
    known = [pair for pair in pairs if not any(isinstance(one, Exception) for one in pair)]
    return bool(known) and all(alike(*pair) for pair in known)


def _said(exercise: Exercise, answer: Any, label: str) -> str | None:
    """Return the hint that an answer got, after tests of what holds for each feedback."""
    feedback = examine(exercise, answer)
    praise = exercise.praise if isinstance(exercise.praise, str) else None
    assert feedback.text.strip(), label
    if feedback.verdict == "right":
        return None
    assert praise is None or praise not in repr(feedback), label
    shown = [feedback.text, *feedback.hints]
    return next((text for text in shown if text in exercise.mistakes), "")


@pytest.mark.parametrize("exercise", [e for e in FUNCTIONS if e.name != RANDOM], ids=_name)
def test_no_mutant_is_right_and_hints_are_true(exercise):
    at, accepted, untrue, count = arguments(exercise), [], [], 0
    for label, answer in mutants(exercise):
        count += 1
        hint = _said(exercise, answer, label)
        if hint is None:
            accepted.append(label)
        elif hint and not _is_true(exercise, answer, hint, at):
            untrue.append((label, hint))
    assert count > 40 / EVERY
    assert (accepted, untrue) == ([], [])


def test_no_mutant_of_random_layers_is_right():
    exercise = EXERCISES[RANDOM]
    spoilt = [*_spoilt(exercise), *from_outside(exercise, run(exercise.solution, RANDOM))]
    found = Counter()
    for label, answer in spoilt:
        try:
            right = _gaussian_layers(answer)
        except Exception:
            right = False
        said = _said(exercise, answer, label)
        assert right or said is not None, label
        found[right] += 1
    assert found[False] > 40 > found[True] > 0


@pytest.mark.parametrize("exercise", OTHERS, ids=_name)
def test_no_wrong_value_is_right(exercise):
    answers = others(exercise)
    judge, _ = JUDGES.get(exercise.name, (lambda _: False, ()))
    number = isinstance(run(exercise.solution, exercise.name), (int, float))
    for answer in answers[::EVERY]:
        try:
            right = judge(NUMBER(answer) if number else answer)
        except (TypeError, ValueError, AttributeError):
            right = False
        found = examine(exercise, answer)
        assert (found.verdict == "right") == right, (answer, found)
    assert len(answers) > 10


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=_name)
def test_a_wrong_form_is_never_right_never_raised_and_told(exercise):
    for label, answer in wrong_forms(exercise):
        feedback = examine(exercise, answer)
        nothing = label == "None" and not exercise.probes
        assert feedback.verdict != "right", label
        assert (feedback.verdict == "not attempted") == nothing, (label, feedback)
        assert (feedback.verdict == "not judged") == (label == "an endless loop"), label
        other_text = label == "text" and "'about'" in feedback.text  # text is asked for
        if feedback.text not in exercise.mistakes and not other_text:
            assert _CAME.get(label, "") in feedback.text, (label, feedback)


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=_name)
def test_an_answer_may_spoil_its_arguments(exercise):
    solution = run(exercise.solution, exercise.name)

    def spoiling(*arguments):
        result = solution(*_own(arguments))
        for one in arguments:
            if isinstance(one, np.ndarray):
                one[...] = np.nan
            elif isinstance(one, list):
                one.clear()
        return result

    feedback = examine(exercise, spoiling)
    assert feedback.verdict == "right", feedback
