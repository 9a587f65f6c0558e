"""What the expressions of a proof are worth: for symbols as entries, or for numbers of 50 digits.

The signs of `signs` only say how a line looks; `evaluate` says what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from typing import Any

import sympy as sp
from mpmath.ctx_mp import MPContext  # type: ignore[import-untyped]
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.kronecker import KroneckerProduct

from overparam_edu.derivations.signs import Grad, Inner, Loss, Norm, Rate, Vec

# A context of our own: the precision of the reader's mpmath stays as the reader set it.
DIGITS = 50
NUMBERS = MPContext()
NUMBERS.dps = DIGITS


class CannotEvaluateError(Exception):
    """A line holds something that has no value in the given setting."""


@dataclass(frozen=True)
class Values:
    """What the symbols of a line stand for, at one point.

    `table` gives symbols, matrix symbols and each `Rate` of one its value: SymPy expressions if
    `exact`, when a symbol without a value stands for itself; else `NUMBERS`. `templates` says what
    an indexed name abbreviates, ``{base: (indices, expression)}``; `fill` numbers those without.
    """

    table: Mapping[Any, Any]
    exact: bool = True
    templates: Mapping[Any, tuple[tuple[Any, ...], Any]] = field(default_factory=dict)
    fill: Callable[[Any], Any] | None = None

    @property
    def maths(self) -> Any:
        """The library that has the matrices and the square root for these values."""
        return sp if self.exact else NUMBERS

    def having(self, more: Mapping[Any, Any]) -> Values:
        """Return these values together with `more`."""
        return replace(self, table={**self.table, **more})

    def naming(self, definition: Any) -> Values:
        """Return these values together with the name that ``Eq(name, expression)`` introduces."""
        name, meaning = definition.lhs, definition.rhs
        if isinstance(name, sp.Indexed) and any(index.free_symbols for index in name.indices):
            templates = {**self.templates, name.base: (name.indices, meaning)}
            return replace(self, templates=templates)
        value = evaluate(meaning, self)
        if shape(value) and isinstance(name, sp.MatrixSymbol):
            sides = zip(name.shape, shape(value), strict=True)
            if any(n in self.table and int(self.table[n]) != size for n, size in sides):
                raise CannotEvaluateError(f"{name} is given a value of another shape")
        return self.having({name: value})


def shape(value: Any) -> tuple[int, ...]:
    """Return the numbers of rows and columns of a matrix, and () for a number."""
    return (value.rows, value.cols) if hasattr(value, "rows") else ()


def entries(matrix: Any) -> list[Any]:
    """Return the entries of a matrix column by column; a number is its own only entry."""
    if not shape(matrix):
        return [matrix]
    return [matrix[i, j] for j in range(matrix.cols) for i in range(matrix.rows)]


def matrix_power(matrix: Any, power: Any, exact: bool) -> Any:
    """Return `matrix` to a whole power, or a symmetric semi-definite one to a real power >= 0."""
    if power.is_Integer and power >= 0 if exact else power == int(power) and power >= 0:
        one = (sp if exact else NUMBERS).eye(matrix.rows)
        return reduce(lambda left, _: left * matrix, range(int(power)), one)
    if exact or power < 0:
        raise CannotEvaluateError("a fractional power of a matrix needs numbers")
    size = max(abs(x) for x in matrix)
    # An eigenvalue that is 0 comes back as rounding noise, whose cube root would be seen.
    noise = size * NUMBERS.mpf(10) ** (-DIGITS // 2)
    if max(abs(x) for x in matrix - matrix.T) > noise:
        raise CannotEvaluateError("a fractional power of a matrix that is not symmetric")
    values, vectors = NUMBERS.eigsy((matrix + matrix.T) / 2)
    if min(values) < -noise:
        raise CannotEvaluateError("a fractional power of a matrix with a negative eigenvalue")
    raised = [value**power if value > noise else NUMBERS.zero for value in values]
    return vectors * NUMBERS.diag(raised) * vectors.T


def _plus(left: Any, right: Any) -> Any:
    if shape(left) != shape(right):
        raise CannotEvaluateError("a sum of matrices whose shapes differ")
    return left + right


def _times(left: Any, right: Any) -> Any:
    if shape(left) and shape(right) and left.cols != right.rows:
        raise CannotEvaluateError("a product of matrices whose shapes do not fit")
    return left * right


def _inner(left: Any, right: Any) -> Any:
    if not shape(left) or shape(left) != shape(right):
        raise CannotEvaluateError("an inner product of matrices whose shapes differ")
    return sum(x * y for x, y in zip(entries(left), entries(right), strict=True))


def _number(e: Any, v: Values) -> Any:
    if v.exact:
        return e
    return NUMBERS.mpf(e.p) / e.q if e.is_Rational else NUMBERS.mpf(e.evalf(DIGITS))


def _indexed(e: Any, v: Values) -> Any:
    indices = [evaluate(index, v) for index in e.indices]
    if not v.exact:
        indices = [sp.Integer(int(index)) for index in indices]
    concrete = sp.Indexed(e.base, *indices)
    if concrete in v.table:
        return v.table[concrete]
    if e.base in v.templates:
        names, meaning = v.templates[e.base]
        given = [index if v.exact else NUMBERS.mpf(int(index)) for index in indices]
        return evaluate(meaning, v.having(dict(zip(names, given, strict=True))))
    if v.exact:
        return concrete
    if v.fill is not None:
        return v.fill(concrete)
    raise CannotEvaluateError(f"{concrete} has no value")


def _series(e: Any, v: Values) -> Any:
    """Evaluate a sum or a product over a range of whole numbers."""
    ((index, first, last),) = e.limits
    low, high = evaluate(first, v), evaluate(last, v)
    if v.exact and not (low.is_Integer and high.is_Integer):
        return _open_series(e, v, low, high)
    terms = [
        evaluate(e.function, v.having({index: _number(sp.Integer(at), v)}))
        for at in range(int(low), int(high) + 1)
    ]
    combine, empty = (_plus, 0) if isinstance(e, sp.Sum) else (_times, 1)
    return reduce(combine, terms) if terms else _number(sp.Integer(empty), v)


def _open_series(e: Any, v: Values, low: Any, high: Any) -> Any:
    """Return a sum or product up to a symbol n in one form: to n - 1 at most, constants outside."""
    (index, *_), product = e.limits[0], isinstance(e, sp.Product)
    count = sp.expand(high - low + 1)
    if count == 0:
        return sp.Integer(product)
    if high.as_coeff_Add()[0] >= 0:
        last = evaluate(e.function, v.having({index: high}))
        rest = _open_series(e, v, low, high - 1)
        return rest * last if product else rest + last
    term = evaluate(e.function, v)
    if not product:
        parts = [
            part.as_independent(index, as_Add=False)
            for part in sp.Add.make_args(sp.powsimp(sp.expand(term)))
        ]
        limits = (index, low, high)
        return sum(
            outside * (count if inside == 1 else sp.Sum(inside, limits))
            for outside, inside in parts
        )
    top, bottom = sp.together(term).as_numer_denom()
    if index in bottom.free_symbols and bottom.subs(index, index + 1) == top:
        return bottom.subs(index, high + 1) / bottom.subs(index, low)  # it telescopes
    return sp.Product(term, (index, low, high))


def _integral(e: Any, v: Values) -> Any:
    """Return an integral term by term: known ones done, constants outside."""
    if not v.exact:
        raise CannotEvaluateError("an integral needs symbols")
    ((s, low, high),) = e.limits
    limits, total = (s, evaluate(low, v), evaluate(high, v)), sp.Integer(0)
    for part in sp.Add.make_args(sp.expand(evaluate(e.function, v))):
        outside, inside = part.as_independent(s, as_Add=False)
        known = not inside.has(AppliedUndef)
        total += outside * (_integrated(inside, limits) if known else sp.Integral(inside, limits))
    return total


@cache
def _integrated(function: Any, limits: tuple[Any, Any, Any]) -> Any:
    return sp.integrate(sp.powsimp(function), limits)


def _rate(e: Any, v: Values) -> Any:
    """Move every symbol that has a velocity for a short time `s`, and differentiate at s = 0."""
    s = sp.Dummy("s")
    moved = {
        key.args[0]: v.table[key.args[0]] + s * velocity
        for key, velocity in v.table.items()
        if isinstance(key, Rate)
    }
    return evaluate(e.args[0], v.having(moved)).diff(s).subs(s, 0)


def _gradient(e: Any, v: Values) -> Any:
    value, by = _parts(e, v)
    return by.applyfunc(lambda entry: sp.diff(value, entry))


def _derivative(e: Any, v: Values) -> Any:
    if v.exact:
        return sp.diff(evaluate(e.expr, v), *(evaluate(x, v) for x in e.variables))
    if e.has(Loss, AppliedUndef):
        raise CannotEvaluateError("the derivative of a general function needs symbols")
    return evaluate(sp.diff(e.expr, *e.variables), v)


def _kronecker(e: Any, v: Values) -> Any:
    left, right = _parts(e, v)
    result = v.maths.zeros(left.rows * right.rows, left.cols * right.cols)
    for i in range(result.rows):
        for j in range(result.cols):
            outer = left[i // right.rows, j // right.cols]
            result[i, j] = outer * right[i % right.rows, j % right.cols]
    return result


def _power(e: Any, v: Values) -> Any:
    base, power = _parts(e, v)
    return base ** (int(power) if not v.exact and power == int(power) else power)


def _parts(e: Any, v: Values) -> list[Any]:
    return [evaluate(part, v) for part in e.args]


# The first class that matches decides.
_RULES: tuple[tuple[Any, Callable[[Any, Values], Any]], ...] = (
    ((sp.Number, sp.NumberSymbol), _number),
    (sp.Indexed, _indexed),
    ((sp.MatAdd, sp.Add), lambda e, v: reduce(_plus, _parts(e, v))),
    ((sp.MatMul, sp.Mul), lambda e, v: reduce(_times, _parts(e, v))),
    (sp.MatPow, lambda e, v: matrix_power(evaluate(e.base, v), evaluate(e.exp, v), v.exact)),
    (sp.Pow, _power),
    (sp.Transpose, lambda e, v: evaluate(e.args[0], v).T),
    (sp.Identity, lambda e, v: v.maths.eye(int(evaluate(e.rows, v)))),
    (sp.ZeroMatrix, lambda e, v: v.maths.zeros(*(int(evaluate(n, v)) for n in e.shape))),
    (KroneckerProduct, _kronecker),
    (Vec, lambda e, v: (sp.Matrix if v.exact else NUMBERS.matrix)(entries(_parts(e, v)[0]))),
    (Inner, lambda e, v: _inner(*_parts(e, v))),
    (Norm, lambda e, v: v.maths.sqrt(_inner(*(2 * _parts(e, v))))),
    ((sp.Sum, sp.Product), _series),
    ((sp.exp, sp.log), lambda e, v: getattr(v.maths, e.func.__name__)(*_parts(e, v))),
    (sp.Abs, lambda e, v: abs(_parts(e, v)[0])),
    (sp.Derivative, _derivative),
    (sp.Integral, _integral),
)
# These are differentiated, so that they need symbols.
_EXACT_RULES: tuple[tuple[Any, Callable[[Any, Values], Any]], ...] = (
    (Rate, _rate),
    (Grad, _gradient),
    (Loss, lambda e, v: sp.Function("L")(*entries(evaluate(e.args[0], v)))),
    (sp.Symbol, lambda e, v: e),
    (AppliedUndef, lambda e, v: e.func(*_parts(e, v))),
)


def evaluate(expression: Any, values: Values) -> Any:
    """Return a SymPy value if exact, else mpmath's; `CannotEvaluateError` if there is none."""
    if expression in values.table:
        return values.table[expression]
    for kinds, rule in _RULES + (_EXACT_RULES if values.exact else ()):
        if isinstance(expression, kinds):
            return rule(expression, values)
    raise CannotEvaluateError(f"{expression} has no value")
