"""What SymPy is asked about a user's expression: each question bounded by the answer's length.

Bounds are lengths and not clocks, so that the verdict does not depend on how busy the machine is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import sympy as sp
from sympy.polys.rings import PolyRing

# Most terms that a polynomial may have.
_TERMS = 1_000


def _numerator(expression: sp.Expr) -> sp.Expr:
    """Return the numerator over a common denominator, which may hold roots, expanded if short."""
    top = sp.numer(sp.together(expression))
    return sp.expand(top) if terms_at_most(top) <= 2_000 else top


def _if_short(strategy: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr], sp.Expr]:
    return lambda x: strategy(x) if terms_at_most(x) <= 200 else x


# None of these looks at values, which may be too large to compute.
_STRATEGIES: tuple[Callable[[sp.Expr], sp.Expr], ...] = (
    lambda x: sp.expand_mul(x) if terms_at_most(x, powers=False) <= 500 else x,
    _if_short(sp.expand),
    _if_short(lambda x: sp.expand(x.rewrite(sp.exp))),
    _if_short(lambda x: sp.expand(sp.powsimp(sp.expand_power_base(x), combine="all"))),
    _numerator,
    lambda x: sp.cancel(x) if sp.count_ops(x) <= 100 else x,
)


def polynomial_of(expression: sp.Expr, variables: tuple[sp.Symbol, ...]) -> Any:
    """Return an element of the ring of polynomials over the rationals, or None.

    None too where it might have too many terms.
    """
    degree, count = _degree(expression), len(expression.free_symbols)
    if degree is None or math.comb(degree + count, count) > _TERMS:
        return None
    ring = PolyRing(variables, sp.QQ)

    def element(part: sp.Expr) -> Any:
        if part.is_Rational:
            return ring(sp.QQ(int(part.p), int(part.q)))
        if part.is_Symbol:
            return ring.gens[variables.index(part)]
        if isinstance(part, sp.Pow):
            return element(part.base) ** int(part.exp)
        parts = [element(inner) for inner in part.args]
        return sum(parts, ring(0)) if isinstance(part, sp.Add) else math.prod(parts)

    return element(expression)


def _degree(expression: sp.Expr) -> int | None:
    """Return a bound on the degree of a polynomial with rational coefficients, or None."""
    if expression.is_Rational or expression.is_Symbol:
        return int(expression.is_Symbol)
    if isinstance(expression, sp.Pow):
        degree = _degree(expression.base)
        whole = expression.exp.is_Integer and expression.exp > 0
        return degree * int(expression.exp) if whole and degree is not None else None
    if not isinstance(expression, (sp.Add, sp.Mul)):
        return None
    degrees = []
    for part in expression.args:
        degree = _degree(part)
        if degree is None:
            return None
        degrees.append(degree)
    return max(degrees) if isinstance(expression, sp.Add) else sum(degrees)


def terms_at_most(expression: sp.Expr, *, powers: bool = True) -> int:
    """Return a bound on the number of terms of an expression once it is expanded.

    Parameters
    ----------
    expression : sympy expression
    powers : bool
        Whether powers of sums are multiplied out too.

    Returns
    -------
    int
    """
    if not (powers or isinstance(expression, (sp.Add, sp.Mul))):
        return 1
    sizes = [terms_at_most(part, powers=powers) for part in expression.args]
    if isinstance(expression, sp.Add):
        return min(sum(sizes), _TERMS)
    if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
        power = abs(int(expression.exp))  # SymPy multiplies out denominators too
        return min(math.comb(sizes[0] + power - 1, power), _TERMS)
    return min(math.prod(sizes), _TERMS)


def proved_zero(turns: list[sp.Expr], variables: tuple[sp.Symbol, ...]) -> bool:
    """Say whether expressions are proved to be 0, on each side of the axes if there are bars."""
    sides: list[dict[sp.Symbol, sp.Expr]] = [{}]
    if len(variables) <= 3 and any(turn.has(sp.Abs, sp.sign) for turn in turns):
        positive = sp.symbols(f"p1:{len(variables) + 1}", positive=True)
        sides = [
            {w: sign * p for w, sign, p in zip(variables, signs, positive, strict=True)}
            for signs in product((1, -1), repeat=len(variables))
        ]
    return all(
        sp.count_ops(turn) <= 600
        and any(strategy(turn.xreplace(side)) == 0 for strategy in _STRATEGIES)
        for turn in turns
        for side in sides
    )
