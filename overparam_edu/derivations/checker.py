"""Proofs as data: a `Derivation` is a list of `Step`s, renders itself and can be checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

import sympy as sp

from overparam_edu.checks import instance, whole_number
from overparam_edu.derivations.letters import Letters
from overparam_edu.derivations.steps import Rendered, Step
from overparam_edu.derivations.values import (
    DIGITS,
    NUMBERS,
    CannotEvaluateError,
    Values,
    entries,
    evaluate,
    shape,
)

TOLERANCE = NUMBERS.mpf(10) ** (-30)
# Values of the small quantity at which a remainder is measured: far below 1, far above 10**-50.
SMALL = (NUMBERS.mpf(10) ** (-6), NUMBERS.mpf(10) ** (-9))
SLOPE_TOLERANCE = 0.01
# Tried after expand, each on expressions of at most so many operations: a bound on the length, not
# a clock, so that the verdict does not depend on how busy the machine is.
_STRATEGIES = (
    (sp.cancel, 100),
    (lambda x: sp.expand(sp.powsimp(sp.expand_power_base(x), combine="all")), 100),
    (lambda x: sp.powsimp(sp.expand(sp.powdenest(x)), combine="all"), 100),
    (lambda x: _with_short_exponents(sp.powsimp(x)), 100),
    (sp.simplify, 25),
)


def _with_short_exponents(expression: Any) -> Any:
    """Return an expression with each exponent as one fraction in lowest terms."""
    return expression.replace(sp.Pow, lambda base, exponent: base ** sp.cancel(exponent))


# How a step can be checked, what proves most first.
METHODS = (
    "symbolic, general",
    "symbolic, small case",
    "random points",
    "measured order",
    "assumption",
)


@dataclass(frozen=True)
class StepReport:
    """How one step was checked.

    Parameters
    ----------
    title, kind : str, of the step
    method : {"symbolic, general", "symbolic, small case", "random points", "measured order", \
"assumption"}
        How it was checked. A small case is one size of matrix, or a few values of an index.
    detail : str
        Number of points, digits and largest residual, or the orders, or what went wrong.
    ok : bool, whether the step holds
    """

    title: str
    kind: str
    method: str
    detail: str
    ok: bool


@dataclass(frozen=True)
class Report:
    """What `Derivation.verify` found.

    Parameters
    ----------
    name : str, of the derivation
    steps : tuple of StepReport
        One for each step, in order.
    """

    name: str
    steps: tuple[StepReport, ...]

    @property
    def ok(self) -> bool:
        """Whether every step holds."""
        return all(step.ok for step in self.steps)

    @property
    def counts(self) -> dict[str, int]:
        """Number of steps for each method that occurs, what proves most first."""
        methods = [step.method for step in self.steps]
        return {method: methods.count(method) for method in METHODS if method in methods}

    def __str__(self) -> str:
        rows = [
            f"{'ok  ' if step.ok else 'FAIL'} {n:2d}. {step.title}: {step.method}; {step.detail}"
            for n, step in enumerate(self.steps, start=1)
        ]
        total = "; ".join(f"{count} {method}" for method, count in self.counts.items())
        return "\n".join([f"{self.name}: {len(self.steps)} steps ({total})", *rows])

    def to_markdown(self) -> str:
        """Return the report as a Markdown table.

        Returns
        -------
        str
            One row for each step.
        """
        rows = [
            f"| {n} | {step.title} | {step.method} | {step.detail} | {'✓' if step.ok else '✗'} |"
            for n, step in enumerate(self.steps, start=1)
        ]
        return "\n".join(["| | step | how | detail | |", "|---|---|---|---|---|", *rows])

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def random_number(symbol: Any, random: Random) -> Any:
    """Return a random number that obeys the SymPy assumptions of `symbol`."""
    if symbol.is_even:
        return NUMBERS.mpf(random.choice((4, 6, 8)))
    if symbol.is_integer:
        return NUMBERS.mpf(random.choice((2, 3, 4, 5)))
    # Rationals of many digits; away from 0, where a quotient would lose precision.
    size = NUMBERS.mpf(random.randrange(5 * 10**29, 2 * 10**30)) / 10**30
    return size if symbol.is_positive or random.random() < 0.5 else -size


def random_matrix(random: Random, rows: int, cols: int) -> Any:
    """Return a matrix of random numbers of many digits."""
    x = sp.Symbol("x")
    return NUMBERS.matrix([[random_number(x, random) for _ in range(cols)] for _ in range(rows)])


def _free_names(step: Step) -> list[Any]:
    parts = [
        sp.sympify(part) for part in (step.before, step.after, *step.where) if part is not None
    ]
    names = {name for part in parts for name in part.free_symbols if isinstance(name, sp.Symbol)}
    bases = {base.args[0] for part in parts for base in part.atoms(sp.IndexedBase)}
    return sorted(names - bases, key=str)


def _point(step: Step, random: Random, turn: int = 0, small: Any = None) -> Values:
    """Return a random point of the step's setting, complete with the names of `where`."""
    setting = step.setting
    values = setting.sample(random, turn) if setting and setting.sample else Values({}, exact=False)
    if values.exact:
        raise CannotEvaluateError("a random point must hold numbers")
    draw = random.randrange(10**9)
    values = replace(values, fill=lambda name: random_number(name, Random(f"{draw}{name}")))
    defined = {line.lhs for line in step.where} | {step.solves} | set(values.table)
    more = {name: random_number(name, random) for name in _free_names(step) if name not in defined}
    if small is not None:
        more[step.small] = small
    point: Values = _named(step, values.having(more))
    return point


def _worth(expression: Any, values: Values | Letters) -> Any:
    if isinstance(values, Letters):
        return values.worth(expression)
    return evaluate(expression, values)


def _named(step: Step, values: Any) -> Any:
    for line in step.where:
        values = values.naming(line)
    if step.solves is not None:
        values = values.having({step.solves: _worth(step.after.rhs, values)})
    return values


def _size(value: Any) -> Any:
    return max(abs(entry) for entry in entries(value))


def _difference(left: Any, right: Any) -> Any:
    if not shape(right) and right == 0:
        return left
    if shape(left) != shape(right):
        raise CannotEvaluateError("the two sides have different shapes")
    return left - right


def _residual(step: Step, values: Values) -> Any:
    """Return the largest difference between the two sides, relative to their size."""
    worst = NUMBERS.zero
    for left, right in step.claims():
        a, b = evaluate(left, values), evaluate(right, values)
        gap = _size(_difference(a, b))
        worst = max(worst, gap / max(1, _size(a), _size(b)))
    return worst


def _differs_somewhere(entry: Any) -> bool:
    """Say whether one random point shows a SymPy expression not to be 0."""
    random = Random(0)
    whole = entry.atoms(sp.Indexed, sp.Subs, sp.Integral, sp.Sum, sp.Product)
    names = sorted(whole | entry.free_symbols, key=str)
    at = {}
    for name in names:
        # Not a rational: SymPy would look for the prime factors of its powers.
        size = sp.Float(random.randrange(500, 2000), 80) / 1000
        at[name] = sp.Integer(4) if name.is_even else sp.Integer(3) if name.is_integer else size
    value = entry.xreplace(at).evalf(30)
    return bool(value.is_number and value.is_finite and abs(value) > sp.Float("1e-15"))


def _is_zero(entry: Any) -> bool:
    """Say whether the cheap strategies show a SymPy expression to be 0."""
    if entry == 0 or sp.expand(entry) == 0:
        return True
    if _differs_somewhere(entry):
        return False
    length = sp.count_ops(entry)
    return any(length <= most and strategy(entry) == 0 for strategy, most in _STRATEGIES)


def _symbolic(step: Step) -> tuple[str, str] | None:
    """Return how the step was proved symbolically: the method and its detail, or None."""
    setting = step.setting
    if setting and not setting.exact:
        return None
    try:
        for values in setting.exact if setting else (Values({}),):
            filled = _named(step, values)
            for left, right in step.claims():
                if isinstance(filled, Letters):
                    gaps = filled.gaps(left, right)
                else:
                    gaps = entries(_difference(evaluate(left, filled), evaluate(right, filled)))
                if not all(map(_is_zero, gaps)):
                    return None
    except CannotEvaluateError:
        return None
    if setting is None:
        return METHODS[0], "difference simplifies to 0"
    return METHODS[0 if setting.general else 1], setting.name


def _refuted(step: Step, seed: int) -> bool:
    """Say whether one random point shows the step to be wrong: cheap, so tried first."""
    if step.setting and not step.setting.sample:
        return False
    try:
        return bool(_residual(step, _point(step, Random(seed))) > TOLERANCE)
    except CannotEvaluateError:
        return False


def _random_points(step: Step, points: int, seed: int) -> tuple[str, bool]:
    random, worst = Random(seed), NUMBERS.zero
    for turn in range(points):
        worst = max(worst, _residual(step, _point(step, random, turn)))
    where = f", {step.setting.name}" if step.setting else ""
    detail = f"{points} points, {DIGITS} digits, largest residual {float(worst):.1e}{where}"
    return detail, bool(worst <= TOLERANCE)


def _measured_order(step: Step, points: int, seed: int) -> tuple[str, bool]:
    """Measure the slope of log(remainder) against log(small) at random points."""
    slopes = []
    for point in range(points):
        sizes = []
        for small in SMALL:
            # The same seed: everything but the small quantity stays where it is.
            values = _point(step, Random(f"{seed}-{point}"), point, small)
            ((left, right),) = step.claims()
            sizes.append(_size(_difference(evaluate(left, values), evaluate(right, values))))
        if min(sizes) == 0:
            raise CannotEvaluateError("nothing was dropped: the two sides are equal")
        slopes.append(float(NUMBERS.log(sizes[0] / sizes[1]) / NUMBERS.log(SMALL[0] / SMALL[1])))
    worst = max(slopes, key=lambda slope: abs(slope - (step.order or 0)))
    detail = f"claimed {step.order}, measured {worst:.4f} ({points} points, {DIGITS} digits)"
    return detail, math.isclose(worst, step.order or 0, abs_tol=SLOPE_TOLERANCE)


def check_step(step: Step, *, points: int = 8, seed: int = 0) -> StepReport:
    """Check one step and say how.

    Parameters
    ----------
    step : Step, the line to check
    points, seed : int, as for `Derivation.verify`

    Returns
    -------
    StepReport

    Raises
    ------
    TypeError, ValueError
        If `step` is something else, or `points` or `seed` are not whole numbers in range.

    Examples
    --------
    >>> import sympy as sp
    >>> x = sp.Symbol("x")
    >>> check_step(Step("Expand", (x + 1) ** 2, x**2 + x + 1, "A slip.")).ok
    False
    """
    instance("step", step, Step)
    points = whole_number("points", points, lower=1)
    seed = whole_number("seed", seed, lower=0)
    method = "random points"
    try:
        if step.kind == "dropped order":
            method = "measured order"
            detail, ok = _measured_order(step, points, seed)
        elif not _refuted(step, seed) and (proved := _symbolic(step)) is not None:
            (method, detail), ok = proved, True
        else:
            detail, ok = _random_points(step, points, seed)
    except (CannotEvaluateError, ArithmeticError, TypeError, ValueError) as error:
        detail, ok = str(error), False
    if step.kind == "assumption":
        method, detail = "assumption", f"holds in an example: {detail}" if ok else detail
    return StepReport(step.title, step.kind, method, detail, ok)


@dataclass(frozen=True)
class Derivation(Rendered):
    """A statement and the steps that lead to it.

    Parameters
    ----------
    name : str
        Short name, for example ``"warm-up"``.
    statement : str, what is shown, in one or two sentences (Markdown with LaTeX)
    steps : tuple of Step, the lines in order
    source : str, where in the talk and the paper it stands

    Examples
    --------
    >>> import overparam_edu.derivations as proofs
    >>> proof = proofs.single_output()
    >>> proof.verify().ok
    True
    """

    name: str
    statement: str
    steps: tuple[Step, ...]
    source: str

    def verify(self, *, points: int = 8, seed: int = 0) -> Report:
        """Prove every step: symbolically where SymPy can, else at random points.

        Parameters
        ----------
        points : int, number of random points for a step that SymPy can't prove
        seed : int, seed of those points; the same seed gives the same report

        Returns
        -------
        Report
            How each step was proved and whether it holds; ``report.ok`` for all.

        Raises
        ------
        TypeError, ValueError
            If `points` is not a whole number of at least 1, or `seed` of at least 0.
        """
        key = whole_number("points", points, lower=1), whole_number("seed", seed, lower=0)
        if key not in self._reports:
            reports = [check_step(step, points=points, seed=seed) for step in self.steps]
            self._reports[key] = Report(self.name, tuple(reports))
        return self._reports[key]

    @cached_property
    def _reports(self) -> dict[tuple[int, int], Report]:
        """What has been verified, by the number of points and the seed."""
        return {}

    def to_latex(self) -> str:
        """Return the whole derivation as LaTeX.

        Returns
        -------
        str
            For a document that loads ``amsmath``.
        """
        parts = [rf"\paragraph{{{self.name}}} {self.statement}"]
        for number, step in enumerate(self.steps, start=1):
            parts.append(
                rf"\noindent\textbf{{{number}. {step.title}}} ({step.kind}). {step.reason}"
                f"\n\\[\n{step.to_latex()}\n\\]"
            )
        return "\n\n".join(parts)

    def to_markdown(self) -> str:
        """Return the whole derivation as Markdown with LaTeX.

        Returns
        -------
        str
            As a notebook shows it.
        """
        parts = [f"### {self.name}\n\n{self.statement}\n\n*{self.source}*"]
        for number, step in enumerate(self.steps, start=1):
            parts.append(f"**{number}.** " + step.to_markdown())
        return "\n\n".join(parts)

    def _repr_latex_(self) -> str:
        rows = r" \\[1ex] ".join(rf"&{step.to_latex()}" for step in self.steps)
        return rf"$\displaystyle \begin{{aligned}}{rows}\end{{aligned}}$"

    def __str__(self) -> str:
        head = f"{self.name}: {self.statement}\n({self.source})"
        return "\n\n".join([head, *(f"{n}. {step}" for n, step in enumerate(self.steps, start=1))])
