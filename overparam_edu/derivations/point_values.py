"""Values of a user's expressions at rational points: exact where they can be, else 50 digits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from random import Random
from typing import Any

import sympy as sp

from overparam_edu.derivations.notation import DIGITS, NUMBERS


def rational_points(dimension: int, count: int) -> Iterator[tuple[Fraction, ...]]:
    """Yield rational points with small numbers, on all sides of the axes, none of them on one."""
    random = Random(0)

    def point() -> tuple[Fraction, ...]:
        return tuple(
            Fraction(random.choice((-1, 1)) * random.randrange(1, 24), random.randrange(6, 18))
            for _ in range(dimension)
        )

    yield tuple(Fraction(1, i + 1) for i in range(dimension))
    yield from islice(iter(point, None), count - 1)


def number_at(expression: sp.Expr, at: dict[sp.Symbol, Fraction]) -> Any:
    """Return an expression's value at a rational point: a Fraction where it is one, else 50 digits.

    Raises
    ------
    ArithmeticError
        If it has no real value there, or passes through one that is too large.
    """
    seen: dict[sp.Expr, Any] = dict(at)

    def value_of(part: sp.Expr) -> Any:
        if part not in seen:
            seen[part] = _combined(part, [value_of(inner) for inner in part.args])
        return seen[part]

    return value_of(expression)


def _combined(expression: sp.Expr, parts: list[Any]) -> Any:
    """Return an expression's value, given those of its parts."""
    if expression.is_Rational:
        return Fraction(int(expression.p), int(expression.q))
    if expression.is_NumberSymbol:
        return NUMBERS.mpf(expression.evalf(DIGITS))
    if expression.func not in _OPERATIONS_AT:  # such as the imaginary unit
        raise ArithmeticError(f"{expression} has no real value")
    if not all(isinstance(part, Fraction) for part in parts):
        parts = [decimal(part) for part in parts]
    value = _OPERATIONS_AT[expression.func](*parts)
    if isinstance(value, Fraction):
        return value
    if isinstance(value, NUMBERS.mpc) or not NUMBERS.isfinite(value) or abs(value) > _LARGE:
        raise ArithmeticError(f"{expression} has no real value of modest size there")
    return value


def decimal(value: Any) -> Any:
    """Return a value as a number of 50 digits."""
    if isinstance(value, Fraction):
        return NUMBERS.mpf(value.numerator) / value.denominator
    return value


def _power_at(base: Any, power: Any) -> Any:
    if isinstance(base, Fraction) and power.denominator == 1:
        return base ** int(power)
    base, power = decimal(base), decimal(power)
    if abs(power) * abs(NUMBERS.log(abs(base))) > 1_000 if base else power <= 0:
        raise ArithmeticError("a power without a value of modest size")
    return base**power


def _at(function: Any) -> Any:
    """Return a function of 50 digits that keeps away from sizes that take long to compute."""

    def value(x: Any) -> Any:
        x = decimal(x)
        if abs(x) > 1_000:
            raise ArithmeticError("an argument of more than modest size")
        return function(x)

    return value


_LARGE = NUMBERS.mpf(10) ** 2_000
_OPERATIONS_AT = {
    sp.Add: lambda *parts: sum(parts[1:], parts[0]),
    sp.Mul: lambda *parts: math.prod(parts[1:], start=parts[0]),
    sp.Pow: _power_at,
    sp.Abs: abs,
    sp.sign: lambda x: Fraction((x > 0) - (x < 0)),
    sp.log: lambda x: NUMBERS.log(decimal(x)) if x else NUMBERS.inf,
    **{
        getattr(sp, name): _at(getattr(NUMBERS, name))
        for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh")
    },
}
