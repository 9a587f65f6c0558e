"""Is the rule's field the gradient of some function? The function, or the proof that there is none.

The criterion is derived in `beyond_regularization`: for N > 1 the field is a gradient if and only
if h(w) = <w, g(w)> - (2/N) L(w) depends on ||w|| alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from random import Random
from typing import Any

import numpy as np
import sympy as sp
from sympy.polys.rings import PolyRing

from overparam_edu.checks import Array, brief
from overparam_edu.derivations.own_loss import VARIABLES, SymbolicLoss, derivative
from overparam_edu.derivations.values import DIGITS, NUMBERS
from overparam_edu.dynamics.curl import slope_of_h
from overparam_edu.dynamics.loops import work

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
                    f"got {brief(str(loss.expression))}"
                )
        else:
            seen += 1
        if seen == 4:
            return


# Circles that are looked at, angles on each, and the smallest jump there, relative to h's parts.
_RADII, _ANGLES, _JUMP = (0.31, 0.73, 1.37, 2.9, 6.1), 121, 1e-9
# Half the size of a loop, relative to the radius.
_SMALL = 0.05


def kink_loop(loss: SymbolicLoss, depth: float) -> tuple[Array, tuple[int, int]] | None:
    """Return a loop about a place where h jumps along a circle about 0, or None where none is seen.

    Parameters
    ----------
    loss : SymbolicLoss
        With an h that is radial but for jumps.
    depth : float
        ``N``.

    Returns
    -------
    corners : ndarray, shape (4, d)
        Counter-clockwise; the second and the fourth are on the kink, so that every edge is smooth.
    plane : tuple of int
        The two coordinates, counted from 0, in whose plane the loop lies.

    Examples
    --------
    >>> kink_loop(SymbolicLoss("|w1| + |w2|"), 2) is None
    True
    >>> corners, plane = kink_loop(SymbolicLoss("|w1 - 1|"), 2)
    >>> corners[[1, 3], 0].round(9).tolist(), plane
    ([1.0, 1.0], (0, 1))
    """

    def h(w: Array) -> tuple[Array, Array]:
        along, value = (w * loss.gradient(w)).sum(axis=-1), 2 / depth * loss.value(w)
        return along - value, np.abs(along) + np.abs(value)

    d = len(loss.variables)
    with np.errstate(all="ignore"):
        for radius in _RADII:
            for i in range(d - 1):

                def on(size: float, angle: Array, i: int = i) -> Array:
                    w = np.full((*np.shape(angle), d), 0.37)
                    w[..., i], w[..., i + 1] = size * np.cos(angle), size * np.sin(angle)
                    return w

                found = _crossing(h, on, radius)
                if found is not None:
                    return found, (i, i + 1)
    return None


def _crossing(
    h: Callable[[Array], tuple[Array, Array]], on: Callable[[float, Array], Array], radius: float
) -> Array | None:
    """Return the loop about the first jump of h on a circle, if it can be followed outwards."""
    angles = 0.1 + np.linspace(0, 2 * math.pi, _ANGLES)
    values, sizes = h(on(radius, angles))
    finite = np.isfinite(values)
    scale = float(sizes[finite].max(initial=0.0))
    for k in np.flatnonzero(np.abs(np.diff(values)) > _JUMP * scale):
        ends = []
        for size in ((1 - _SMALL) * radius, (1 + _SMALL) * radius):
            low, high = angles[k] - _SMALL / 2, angles[k + 1] + _SMALL / 2
            first, last = (float(h(on(size, np.array(a)))[0]) for a in (low, high))
            if not abs(first - last) > _JUMP * scale:
                break
            for _ in range(60):
                middle = (low + high) / 2
                here = float(h(on(size, np.array(middle)))[0])
                if abs(here - first) > abs(here - last):
                    high = middle
                else:
                    low = middle
            ends.append(on(size, np.array(low)))
        else:
            before, after = (on(radius, np.array(low + by)) for by in (-2 * _SMALL, 2 * _SMALL))
            return np.stack([before, ends[1], after, ends[0]])
    return None


# Most operations in an h that is taken apart symbolically, and points that decide without SymPy.
_OPERATIONS, _POINTS = 600, 12


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
            f"variables must be a number, or symbols of a SymPy expression; got {brief(variables)}"
        )
    if len(variables) > len(VARIABLES):
        raise ValueError(f"variables must be at most {len(VARIABLES)}; got {len(variables)}")
    renamed = expression.xreplace(dict(zip(variables, VARIABLES, strict=False)))
    return SymbolicLoss(renamed, dimension=len(variables))


def _rational(depth: Any) -> sp.Rational:
    known = isinstance(depth, (int, float, Fraction, sp.Rational, np.integer, np.floating))
    if isinstance(depth, bool) or not known:
        raise TypeError(f"depth must be a rational number; got {brief(depth)}")
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
            f"got {brief(str(loss.expression))}"
        )
    if turns is None and faint is None:
        raise ValueError(f"expression is too long to decide; got {brief(str(loss.expression))}")
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
