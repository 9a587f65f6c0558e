"""The potential of the rule's field where h depends on the length of w alone, and its check."""

from __future__ import annotations

import sympy as sp

from overparam_edu._validation import _shown
from overparam_edu.derivations.bounded_algebra import terms_at_most
from overparam_edu.derivations.notation import DIGITS, NUMBERS
from overparam_edu.derivations.point_values import decimal, number_at, rational_points
from overparam_edu.derivations.symbolic_loss import SymbolicLoss, derivative

# Differences below this part of what is added up are rounding; points tried for the check.
_NOISE = NUMBERS.mpf(10) ** (-DIGITS + 15)
_TRIES = 120


def integrated(loss: SymbolicLoss, N: sp.Rational, h: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return the potential of the field where h is radial, and h in terms of the length.

    Parameters
    ----------
    loss : SymbolicLoss
    N : sympy Rational
        The depth.
    h : sympy expression
        A function of the length of ``w`` alone.

    Returns
    -------
    potential, radial : sympy expression
    """
    s, a = sp.Symbol("s", positive=True), 2 - 2 / N
    halves = [sp.Rational(1, i + 2) for i in range(len(loss.variables) - 1)]
    square = sum(x * x for x in halves)
    # A direction with rational entries and length 1, on no axis.
    direction = [(1 - square) / (1 + square), *(2 * x / (1 + square) for x in halves)]
    ray = dict(zip(loss.variables, (s * u for u in direction), strict=True))
    along = h.xreplace(ray)
    along = sp.expand(along) if terms_at_most(along) <= 200 else along
    length = sp.sqrt(sum(w**2 for w in loss.variables))
    total, rest = sp.Integer(0), sp.Integer(0)
    for term in sp.Add.make_args(along):
        factor, power = term.as_coeff_exponent(s)
        if factor.has(s):
            rest += term
        elif power + a == 0:
            total += factor * sp.log(length)
        else:
            total += factor * length ** (power + a) / (power + a)
    if rest != 0:
        total += sp.Integral(rest * s ** (a - 1), (s, 1, length))
    potential = length**a * loss.expression + (N - 1) * total
    return potential, along.xreplace({s: sp.Symbol("||w||", positive=True)})


def compare(loss: SymbolicLoss, N: sp.Rational, potential: sp.Expr) -> None:
    """Make sure that a potential's gradient is the field, to 30 digits at points.

    Parameters
    ----------
    loss : SymbolicLoss
    N : sympy Rational
        The depth.
    potential : sympy expression

    Raises
    ------
    ValueError
        If it is not.
    """
    variables = loss.variables
    square = sum(w**2 for w in variables)
    along = sum(w * g for w, g in zip(variables, loss.slopes, strict=True))
    seen = 0
    for point in rational_points(len(variables), _TRIES):
        at = dict(zip(variables, point, strict=True))
        for w, g in zip(variables, loss.slopes, strict=True):
            field = square ** (1 - 1 / N) * (g + (N - 1) * along * w / square)
            try:
                parts = [number_at(x, at) for x in sp.Add.make_args(derivative(potential, w))]
                theirs = decimal(number_at(field, at))
            except ArithmeticError:
                break
            mine = sum(map(decimal, parts))
            if abs(mine - theirs) > _NOISE * (abs(theirs) + sum(map(abs, map(decimal, parts))) + 1):
                raise ValueError(
                    "expression cannot be decided: its slopes jump or cancel too much; "
                    f"got {_shown(str(loss.expression))}"
                )
        else:
            seen += 1
        if seen == 4:
            return
