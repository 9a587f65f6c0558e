"""What each sign of the board means.

The signs say only how a line looks; `evaluate` says what it is worth, for exact entries as for
numbers of many digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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

    Parameters
    ----------
    table : mapping
        Symbol, matrix symbol or `Rate` of one, to its value: SymPy expressions and matrices if
        `exact`, else numbers and matrices of the module's mpmath context.
    exact : bool
        True for symbolic entries: a symbol without a value then stands for itself.
    templates : mapping
        Indexed base to ``(indices, expression)``: what an indexed name abbreviates.
    fill : callable, optional
        Gives a number to an indexed name that has none, for example ``gamma[3]``.
    """

    table: Mapping[Any, Any]
    exact: bool = True
    templates: Mapping[Any, tuple[tuple[Any, ...], Any]] = field(default_factory=dict)
    fill: Callable[[Any], Any] | None = None

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
        if _is_matrix(value) and isinstance(name, sp.MatrixSymbol):
            sides = zip(name.shape, (value.rows, value.cols), strict=True)
            if any(n in self.table and int(self.table[n]) != size for n, size in sides):
                raise CannotEvaluateError(f"{name} is given a value of another shape")
        return self.having({name: value})


def matrix_power(matrix: Any, power: Any, exact: bool) -> Any:
    """Return `matrix` to a whole power, or a symmetric semi-definite one to a real power >= 0."""
    if power.is_Integer and power >= 0 if exact else power == int(power) and power >= 0:
        result = sp.eye(matrix.rows) if exact else NUMBERS.eye(matrix.rows)
        for _ in range(int(power)):
            result = result * matrix
        return result
    if exact or power < 0:
        raise CannotEvaluateError("a fractional power of a matrix needs numbers")
    size = max(abs(x) for x in matrix)
    if max(abs(x) for x in matrix - matrix.T) > size * NUMBERS.mpf(10) ** (-DIGITS // 2):
        raise CannotEvaluateError("a fractional power of a matrix that is not symmetric")
    values, vectors = NUMBERS.eigsy((matrix + matrix.T) / 2)
    # An eigenvalue that is 0 comes back as rounding noise, whose cube root would be seen.
    floor = size * NUMBERS.mpf(10) ** (-DIGITS // 2)
    if min(values) < -floor:
        raise CannotEvaluateError("a fractional power of a matrix with a negative eigenvalue")
    raised = [value**power if value > floor else NUMBERS.zero for value in values]
    return vectors * NUMBERS.diag(raised) * vectors.T


def _kronecker(left: Any, right: Any, exact: bool) -> Any:
    rows, cols = left.rows * right.rows, left.cols * right.cols
    result = sp.zeros(rows, cols) if exact else NUMBERS.matrix(rows, cols)
    for i in range(rows):
        for j in range(cols):
            outer = left[i // right.rows, j // right.cols]
            result[i, j] = outer * right[i % right.rows, j % right.cols]
    return result


def _column(entries: list[Any], exact: bool) -> Any:
    return sp.Matrix(entries) if exact else NUMBERS.matrix(entries)


def entries(matrix: Any) -> list[Any]:
    """Return the entries of a matrix column by column; a number is its own only entry."""
    if not hasattr(matrix, "rows"):
        return [matrix]
    return [matrix[i, j] for j in range(matrix.cols) for i in range(matrix.rows)]


def _is_matrix(value: Any) -> bool:
    return hasattr(value, "rows")


def _fold(parts: list[Any], operation: Callable[[Any, Any], Any]) -> Any:
    if not parts:
        raise CannotEvaluateError("an empty sum or product has no shape")
    total = parts[0]
    for part in parts[1:]:
        total = operation(total, part)
    return total


def _times(left: Any, right: Any) -> Any:
    if _is_matrix(left) and _is_matrix(right) and left.cols != right.rows:
        raise CannotEvaluateError("a product of matrices whose shapes do not fit")
    return left * right


def _plus(left: Any, right: Any) -> Any:
    shapes = [(m.rows, m.cols) if _is_matrix(m) else None for m in (left, right)]
    if shapes[0] != shapes[1]:
        raise CannotEvaluateError("a sum of matrices whose shapes differ")
    return left + right


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
    """Evaluate a sum or a product over a whole-number range."""
    ((index, first, last),) = e.limits
    low, high = evaluate(first, v), evaluate(last, v)
    if v.exact and not (low.is_Integer and high.is_Integer):
        return e.func(evaluate(e.function, v), (index, low, high))
    terms = []
    for at in range(int(low), int(high) + 1):
        here = sp.Integer(at) if v.exact else NUMBERS.mpf(at)
        terms.append(evaluate(e.function, v.having({index: here})))
    empty = sp.Integer(0) if isinstance(e, sp.Sum) else sp.Integer(1)
    if not terms:
        return _number(empty, v)
    return _fold(terms, _plus if isinstance(e, sp.Sum) else _times)


def _rate(e: Any, v: Values) -> Any:
    """Move every symbol that has a velocity for a short time `s`, and differentiate at s = 0."""
    if not v.exact:
        raise CannotEvaluateError("a time derivative needs symbols")
    s = sp.Dummy("s")
    moved = {
        key.args[0]: v.table[key.args[0]] + s * velocity
        for key, velocity in v.table.items()
        if isinstance(key, Rate)
    }
    return evaluate(e.args[0], v.having(moved)).diff(s).subs(s, 0)


def _derivative(e: Any, v: Values) -> Any:
    if not v.exact and isinstance(e, sp.Derivative) and not e.has(Loss, AppliedUndef):
        return evaluate(sp.diff(e.expr, *e.variables), v)
    if not v.exact:
        raise CannotEvaluateError("a gradient needs symbols")
    if isinstance(e, Grad):
        by = evaluate(e.args[1], v)
        value = evaluate(e.args[0], v)
        return by.applyfunc(lambda entry: sp.diff(value, entry))
    return sp.diff(evaluate(e.expr, v), *(evaluate(x, v) for x in e.variables))


def _loss(e: Any, v: Values) -> Any:
    if not v.exact:
        raise CannotEvaluateError("a general loss needs symbols")
    return sp.Function("L")(*entries(evaluate(e.args[0], v)))


def _inner(left: Any, right: Any) -> Any:
    if not _is_matrix(left) or (left.rows, left.cols) != (right.rows, right.cols):
        raise CannotEvaluateError("an inner product of matrices whose shapes differ")
    return sum(x * y for x, y in zip(entries(left), entries(right), strict=True))


def _root(value: Any, v: Values) -> Any:
    return sp.sqrt(value) if v.exact else NUMBERS.sqrt(value)


def _all(e: Any, v: Values) -> list[Any]:
    return [evaluate(part, v) for part in e.args]


def _pow(e: Any, v: Values) -> Any:
    base, power = _all(e, v)
    if not v.exact and power == int(power):
        power = int(power)
    return base**power


# One line for each sign of the board; the first class that matches decides.
_RULES: tuple[tuple[Any, Callable[[Any, Values], Any]], ...] = (
    ((sp.Number, sp.NumberSymbol), _number),
    (sp.Indexed, _indexed),
    ((sp.MatAdd, sp.Add), lambda e, v: _fold(_all(e, v), _plus)),
    ((sp.MatMul, sp.Mul), lambda e, v: _fold(_all(e, v), _times)),
    (sp.MatPow, lambda e, v: matrix_power(_all(e, v)[0], _all(e, v)[1], v.exact)),
    (sp.Pow, _pow),
    (sp.Transpose, lambda e, v: evaluate(e.args[0], v).T),
    (sp.Identity, lambda e, v: (sp if v.exact else NUMBERS).eye(int(evaluate(e.rows, v)))),
    (
        sp.ZeroMatrix,
        lambda e, v: (sp if v.exact else NUMBERS).zeros(*(int(evaluate(n, v)) for n in e.shape)),
    ),
    (KroneckerProduct, lambda e, v: _fold(_all(e, v), lambda a, b: _kronecker(a, b, v.exact))),
    (Vec, lambda e, v: _column(entries(evaluate(e.args[0], v)), v.exact)),
    (Inner, lambda e, v: _inner(*_all(e, v))),
    (Norm, lambda e, v: _root(_inner(*(2 * _all(e, v))), v)),
    ((sp.Sum, sp.Product), _series),
    (sp.Abs, lambda e, v: abs(_all(e, v)[0])),
    (Rate, _rate),
    ((Grad, sp.Derivative), _derivative),
    (Loss, _loss),
)


def evaluate(expression: Any, values: Values) -> Any:
    """Return what an expression of the board is worth.

    Parameters
    ----------
    expression : sympy expression or matrix expression
        May hold the signs of this module.
    values : Values
        What its symbols stand for.

    Returns
    -------
    number or matrix
        SymPy objects if ``values.exact``, else mpmath ones.

    Raises
    ------
    CannotEvaluateError
        If a part of it has no value here, or if shapes do not fit.
    """
    if expression in values.table:
        return values.table[expression]
    for kinds, rule in _RULES:
        if isinstance(expression, kinds):
            return rule(expression, values)
    if values.exact and isinstance(expression, sp.Symbol):
        return expression
    raise CannotEvaluateError(f"{expression} has no value")
