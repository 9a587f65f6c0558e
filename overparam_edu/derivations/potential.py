"""Is the rule's field the gradient of some function? The function, or the proof that there is none.

The criterion is derived in `beyond_regularization`: for N > 1 the field is a gradient if and only
if h(w) = <w, g(w)> - (2/N) L(w) depends on ||w|| alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from overparam_edu._validation import Array, _shown
from overparam_edu.derivations.bounded_algebra import polynomial_of, proved_zero, terms_at_most
from overparam_edu.derivations.kinks import kink_loop
from overparam_edu.derivations.notation import DIGITS, NUMBERS
from overparam_edu.derivations.point_values import decimal, number_at, rational_points
from overparam_edu.derivations.radial import compare, integrated
from overparam_edu.derivations.symbolic_loss import VARIABLES, SymbolicLoss, derivative
from overparam_edu.dynamics.curl import slope_of_h
from overparam_edu.dynamics.line_integral import work

# Most operations in an h that is taken apart symbolically, and points that decide without SymPy.
_OPERATIONS, _POINTS = 600, 12
_NOISE = NUMBERS.mpf(10) ** (-DIGITS + 15)


@dataclass(frozen=True, eq=False)
class Certificate:
    """What shows that the field is no gradient.

    Attributes
    ----------
    point : tuple of Fraction
        A place where the curl is not 0.
    plane : tuple of int
        The two coordinates, counted from 1, in whose plane it is taken.
    curl : float
        Its value there, ``dF_j/dw_i - dF_i/dw_j``; infinite at a kink, where F jumps.
    loop : ndarray, shape (4, d)
        A small square about the point in that plane, or four corners about a kink;
        counter-clockwise.
    work : float
        The field's work round it, which a gradient's would be 0; NaN if too large for doubles.
    error_estimate : float
        Of the work.
    """

    point: tuple[Fraction, ...]
    plane: tuple[int, int]
    curl: float
    loop: Array
    work: float
    error_estimate: float


@dataclass(frozen=True, eq=False)
class Potential:
    """The answer of `find_potential`.

    Attributes
    ----------
    loss : SymbolicLoss
        The loss that was asked about.
    depth : sympy Rational
        ``N``.
    exists : bool
        Whether the field is a gradient.
    potential : sympy expression, or None
        A function whose gradient the field is, up to a constant.
    h : sympy expression
        ``<w, g> - (2/N) L``.
    certificate : Certificate, or None
        Where and how the field fails to be a gradient.
    method : str
        How it was decided: ``"symbolic"``; a no also ``"exact at a point"``, ``"50 digits at a
        point"``, for a very long loss ``"double precision at a point"``, for a loss with bars
        ``"double precision round a kink"``; a yes that SymPy could not prove
        ``"50 digits at 12 points"``.
    reason : str
        One sentence.
    """

    loss: SymbolicLoss
    depth: sp.Rational
    exists: bool
    potential: sp.Expr | None
    h: sp.Expr
    certificate: Certificate | None
    method: str
    reason: str

    def __str__(self) -> str:
        head = f"L(w) = {self.loss.expression}, N = {self.depth}: "
        if self.exists:
            return f"{head}the field is the gradient of {self.potential}. {self.reason}"
        return f"{head}no function has this gradient. {self.reason}"

    def to_latex(self) -> str:
        """Return the loss and its potential, or h and the curl, as LaTeX without dollar signs."""
        loss = rf"L(w) = {sp.latex(self.loss.expression)},\quad N = {sp.latex(self.depth)}"
        if self.certificate is None:
            return rf"{loss},\quad F_N = \nabla\left({sp.latex(self.potential)}\right)"
        h = rf"{loss},\quad h(w) = {sp.latex(self.h)},\quad "
        if math.isinf(self.certificate.curl):
            return rf"{h}\oint F_N \cdot dw = {self.certificate.work:.6g}"
        i, j = self.certificate.plane
        at = ", ".join(sp.latex(sp.Rational(x)) for x in self.certificate.point)
        return (
            rf"{h}\left(\partial_{i} F_{j} - "
            rf"\partial_{j} F_{i}\right)\left({at}\right) = {self.certificate.curl:.6g}"
        )

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.to_latex()}$"

    def _repr_markdown_(self) -> str:
        verdict = "A potential exists." if self.exists else "No function has this gradient."
        return f"**{verdict}** {self.reason}\n\n$$\n{self.to_latex()}\n$$\n\n*{self.method}*"


def find_potential(
    expression: str | sp.Expr | SymbolicLoss,
    depth: int | float | Fraction | sp.Rational,
    variables: int | Sequence[sp.Symbol] | None = None,
) -> Potential:
    r"""Decide whether the rule's field is a gradient, and say of what or why not.

    For :math:`N > 1` it is one if and only if :math:`h(w) = \langle w, g\rangle - \tfrac2N L`
    depends on :math:`\|w\|` alone, that is if no rotation changes it:
    :math:`w_i\, \partial_j h = w_j\, \partial_i h`. Then it is the gradient of

    .. math:: \|w\|^a L(w) + (N-1) \int^{\|w\|} h(s)\, s^{a-1}\, ds, \qquad a = 2 - \tfrac2N

    (this package's own criterion, see `beyond_regularization`; it sharpens the paper's Theorem 2).

    Parameters
    ----------
    expression : str, sympy expression or SymbolicLoss
        The loss.
    depth : int, float, Fraction or sympy Rational
        ``N``, at least 1; a float is taken as the decimal it prints as.
    variables : int or sequence of Symbol, optional
        How many entries ``w`` has; or the symbols of the expression that stand for w1, w2, ...

    Returns
    -------
    Potential
        With ``.potential``, whose gradient has been compared with the field, or ``.certificate``.

    Raises
    ------
    TypeError, ValueError
        If the expression is not a loss that `SymbolicLoss` takes, `depth` is not a number of 1 or
        more, or the loss is too long, jumps, or is not real at any point tried.

    Notes
    -----
    Never searches for long: expansions are bounded, and where SymPy can't decide, values at
    rational points do, exactly or to 50 digits; ``.method`` says which. A no is then as certain,
    a yes is not. Where the loss has singularities, a potential is one away from them.

    Examples
    --------
    >>> answer = find_potential("w1 + 2*w2", 2)
    >>> w1, w2 = answer.loss.variables
    >>> sp.simplify(answer.potential - sp.sqrt(w1**2 + w2**2) * (w1 + 2 * w2))
    0
    >>> answer = find_potential("w1 + 2*w2", 3)
    >>> answer.exists, answer.method
    (False, 'symbolic')
    >>> [str(x) for x in answer.certificate.point], round(answer.certificate.curl, 4)
    (['1', '1/2'], -0.9283)
    """
    loss, N = _loss(expression, variables), _rational(depth)
    h, turns, polynomial = _criterion(loss, N)
    if N == 1:
        reason = "At depth 1 the field is the loss's own gradient."
        return Potential(loss, N, True, loss.expression, h, None, "symbolic", reason)
    # Values come first: they are safe with functions of functions of any size, SymPy is not.
    refusal = _refusal(loss, N, h, turns, polynomial)
    if refusal is None and not polynomial:
        refusal = _kinked(loss, N, h)
    if refusal is not None:
        return refusal
    proved = polynomial or proved_zero(
        [here - there for here, there in turns or ()], loss.variables
    )
    potential, radial = integrated(loss, N, h)
    compare(loss, N, potential)
    method = "symbolic" if proved else f"{DIGITS} digits at {_POINTS} points"
    shown = str(radial) if sp.count_ops(radial) < 20 else "<w, g> - (2/N) L"
    reason = f"h = {shown} depends on the length of w alone."
    return Potential(loss, N, True, potential, h, None, method, reason)


def _loss(expression: Any, variables: Any) -> SymbolicLoss:
    if isinstance(expression, SymbolicLoss) and variables is None:
        return expression
    if isinstance(expression, SymbolicLoss):
        expression = expression.expression
    if variables is None or isinstance(variables, int):
        return SymbolicLoss(expression, dimension=variables)
    if isinstance(expression, str) or not all(isinstance(v, sp.Symbol) for v in variables):
        raise TypeError(
            f"variables must be a number, or symbols of a SymPy expression; got {_shown(variables)}"
        )
    if len(variables) > len(VARIABLES):
        raise ValueError(f"variables must be at most {len(VARIABLES)}; got {len(variables)}")
    renamed = expression.xreplace(dict(zip(variables, VARIABLES, strict=False)))
    return SymbolicLoss(renamed, dimension=len(variables))


def _rational(depth: Any) -> sp.Rational:
    known = isinstance(depth, (int, float, Fraction, sp.Rational, np.integer, np.floating))
    if isinstance(depth, bool) or not known:
        raise TypeError(f"depth must be a rational number; got {_shown(depth)}")
    if isinstance(depth, (float, np.floating)):
        if not math.isfinite(depth):
            raise ValueError(f"depth must be finite; got {depth}")
        depth = repr(float(depth))
    N = sp.Rational(depth)
    if N < 1:
        raise ValueError(f"depth must be at least 1; got {N}")
    return N


def _criterion(
    loss: SymbolicLoss, N: sp.Rational
) -> tuple[sp.Expr, list[tuple[sp.Expr, sp.Expr]] | None, bool]:
    """Return h, what must be equal for it to be radial, and whether all that is polynomial.

    The pairs are ``w_i dh/dw_j`` and ``w_j dh/dw_i`` for neighbours i, j, whose rotations generate
    all others; None where they would be too long to write down.
    """
    polynomial = polynomial_of(loss.expression, loss.variables)
    if polynomial is not None:
        w = polynomial.ring.gens
        scaled = sum((x * polynomial.diff(x) for x in w), polynomial.ring(0))
        h = scaled - polynomial * sp.QQ(2 * int(N.q), int(N.p))
        slopes = [h.diff(x) for x in w]
    else:
        w = loss.variables
        h = sum(x * g for x, g in zip(w, loss.slopes, strict=True)) - 2 * loss.expression / N
        if sp.count_ops(h) > _OPERATIONS:
            return h, None, False
        h = sp.expand(h) if terms_at_most(h) <= 200 else h
        slopes = [derivative(h, x) for x in w]
    pairs = [(w[i] * slopes[i + 1], w[i + 1] * slopes[i]) for i in range(len(w) - 1)]
    if polynomial is None:
        return h, pairs, False
    return h.as_expr(), [(here.as_expr(), there.as_expr()) for here, there in pairs], True


def _refusal(
    loss: SymbolicLoss,
    N: sp.Rational,
    h: sp.Expr,
    turns: list[tuple[sp.Expr, sp.Expr]] | None,
    polynomial: bool,
) -> Potential | None:
    """Return the proof that there is no potential, or None where no point shows a curl."""
    if polynomial and turns is not None and all(here == there for here, there in turns):
        return None
    seen, faint = 0, None
    for point in rational_points(len(loss.variables), 10 * _POINTS):
        try:
            gaps = _gaps(loss, N, turns, point)
        except ArithmeticError:
            continue  # The loss is not real here, or too large.
        seen += 1
        for i, (gap, method) in enumerate(gaps):
            if gap == 0:
                continue
            curl = float(N - 1) * math.hypot(*point) ** (-2 / float(N)) * float(gap)
            certificate, clear = _certificate(loss, N, point, i, curl)
            reason = (
                "h = <w, g> - (2/N) L changes along the circle about 0 through "
                f"({', '.join(map(str, point))}): the curl there is {curl:.6g}."
            )
            how = "symbolic" if polynomial else f"{method} at a point"
            answer = Potential(loss, N, False, None, h, certificate, how, reason)
            if clear:
                return answer
            faint = faint or (None if turns is None else answer)
        if seen == _POINTS and (faint or not polynomial):
            break
    if not seen:
        raise ValueError(
            "expression must be real, and of modest size, somewhere near 0; "
            f"got {_shown(str(loss.expression))}"
        )
    if turns is None and faint is None:
        raise ValueError(f"expression is too long to decide; got {_shown(str(loss.expression))}")
    return faint


def _gaps(
    loss: SymbolicLoss,
    N: sp.Rational,
    turns: list[tuple[sp.Expr, sp.Expr]] | None,
    point: tuple[Fraction, ...],
) -> list[tuple[Any, str]]:
    """Return ``w_j dh/dw_i - w_i dh/dw_j`` at a point, 0 where it may be rounding, and how."""
    at = dict(zip(loss.variables, point, strict=True))
    if turns is None:
        w, _, slope = slope_of_h(loss, float(N), [float(x) for x in point])
        if not np.all(np.isfinite(slope)):
            raise ArithmeticError("no value in double precision")
        gaps = w[1:] * slope[:-1] - w[:-1] * slope[1:]
        return [(gap, "double precision") for gap in gaps]
    # Asked for the loss too: its slopes may be real where it is not.
    parts = [loss.expression, *(w * g for w, g in zip(loss.variables, loss.slopes, strict=True))]
    size = sum(abs(decimal(number_at(part, at))) for part in parts)
    result: list[tuple[Any, str]] = []
    for pair in turns:
        here, there = (number_at(part, at) for part in pair)
        if isinstance(here, Fraction) and isinstance(there, Fraction):
            result.append((there - here, "exact"))
            continue
        here, there = decimal(here), decimal(there)
        seen = abs(there - here) > _NOISE * (abs(here) + abs(there) + size)
        result.append((there - here if seen else 0, f"{DIGITS} digits"))
    return result


def _certificate(
    loss: SymbolicLoss, N: sp.Rational, point: tuple[Fraction, ...], i: int, curl: float
) -> tuple[Certificate, bool]:
    """Return a square about `point`, and whether its work is clearly not 0."""
    centre = np.array([float(x) for x in point])
    corners = np.zeros((4, len(point)))
    corners[:, i : i + 2] = [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    half = float(np.abs(centre[i : i + 2]).min()) / 2
    while True:
        loop = centre + half * corners
        done = work(loss, float(N), loop)
        total, doubt = float(done.total), float(done.error_estimate)
        # Small enough that the curl at the centre stands for the whole square, as Green says.
        clear = abs(total) > 1e3 * doubt and abs(total - 4 * half**2 * curl) < abs(total) / 2
        if clear or half < 1e-4:
            return Certificate(point, (i + 1, i + 2), curl, loop, total, doubt), clear
        half /= 2


def _kinked(loss: SymbolicLoss, N: sp.Rational, h: sp.Expr) -> Potential | None:
    """Return the proof that there is no potential where h jumps along a circle, or None."""
    found = kink_loop(loss, float(N))
    if found is None:
        return None
    loop, (i, j) = found
    done = work(loss, float(N), loop)
    total, doubt = float(done.total), float(done.error_estimate)
    if not abs(total) > 1e3 * doubt:
        return None
    middle = loop[[1, 3]].mean(axis=0).tolist()
    point = tuple(Fraction(x).limit_denominator(1_000) for x in middle)
    certificate = Certificate(
        point, (i + 1, j + 1), math.copysign(math.inf, total), loop, total, doubt
    )
    reason = (
        "h = <w, g> - (2/N) L jumps along a circle about 0 at a kink of the loss near "
        f"({', '.join(map(str, point))}): the work round it is {total:.6g}."
    )
    return Potential(loss, N, False, None, h, certificate, "double precision round a kink", reason)
