"""Is the rule's field the gradient of some function? The function, or the proof that there is none.

The criterion is derived in `beyond_regularization`: for N > 1 the field is a gradient if and only
if h(w) = <w, g(w)> - (2/N) L(w) depends on ||w|| alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from numbers import Real
from random import Random
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import sympy as sp
from sympy.polys.polyerrors import CoercionFailed
from sympy.polys.rings import PolyRing

from overparam_edu.checks import Array, brief, comparable
from overparam_edu.derivations.own_loss import FUNCTIONS, VARIABLES, SymbolicLoss, derivative
from overparam_edu.derivations.values import DIGITS
from overparam_edu.dynamics.loops import work

# Bounds that keep SymPy quick: terms of a polynomial, operations in what is proved to be 0.
_TERMS, _OPERATIONS = 1_000, 600
# Points that decide where SymPy can't, and points tried to find them.
_POINTS, _TRIES = 12, 120


@comparable
@dataclass(frozen=True, eq=False)
class Certificate:
    """What shows that the field is not a gradient.

    Attributes
    ----------
    point : tuple of Fraction, a place where the curl is not 0
    plane : tuple of int, the two coordinates in whose plane it is taken, counted from 1
    curl : float, its value, ``dF_j/dw_i - dF_i/dw_j``; infinite at a kink, where F jumps
    loop : ndarray (4, d)
        Corners of a small square about the point in that plane, or of a loop about a kink;
        counter-clockwise.
    work : float, round the loop, 0 for a gradient; NaN if it is too large for a float
    error_estimate : float, of the work
    """

    point: tuple[Fraction, ...]
    plane: tuple[int, int]
    curl: float
    loop: Array
    work: float
    error_estimate: float


@comparable
@dataclass(frozen=True, eq=False)
class Potential:
    """The answer of `find_potential`.

    Attributes
    ----------
    loss : SymbolicLoss that was asked about
    depth : sympy Rational, ``N``
    exists : bool, whether the field is a gradient
    potential : sympy expression whose gradient the field is, but for a constant; or None
    h : sympy expression, ``<w, g> - (2/N) L``
    certificate : Certificate, where and how the field fails to be a gradient; or None
    method : str
        ``"symbolic"``; a no also ``"50 digits at a point"`` or, for a loss with bars, ``"double
        precision round a kink"``; a yes that SymPy could not prove ``"50 digits at 12 points"``.
    reason : str, one sentence
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
        """Return the loss with its potential, or with h and the curl, as LaTeX.

        Returns
        -------
        str
            Without dollar signs.
        """
        loss = rf"L(w) = {sp.latex(self.loss.expression)},\quad N = {sp.latex(self.depth)}"
        if self.certificate is None:
            return rf"{loss},\quad F_N = \nabla\left({sp.latex(self.potential)}\right)"
        h = rf"{loss},\quad h(w) = {sp.latex(self.h)},\quad "
        if math.isinf(self.certificate.curl):
            return rf"{h}\oint F_N \cdot dw = {self.certificate.work:.6g}"
        i, j = self.certificate.plane
        at = ", ".join(sp.latex(sp.Rational(x)) for x in self.certificate.point)
        curl = rf"\left(\partial_{i} F_{j} - \partial_{j} F_{i}\right)\left({at}\right)"
        return rf"{h}{curl} = {self.certificate.curl:.6g}"

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
    :math:`w_i\, \partial_j h = w_j\, \partial_i h`. Then, away from singularities of the loss, it
    is the gradient of

    .. math:: \|w\|^a L(w) + (N-1) \int^{\|w\|} h(s)\, s^{a-1}\, ds, \qquad a = 2 - \tfrac2N

    (this package's own criterion, see `beyond_regularization`; it sharpens the paper's Theorem 2).
    Expansions are bounded, and where SymPy can't decide, values to 50 digits at rational points do;
    ``.method`` says which. A no is then as certain, a yes is not.

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
        more, or the question can't be decided: the loss is too long, jumps, or is not real at any
        point tried.

    Examples
    --------
    >>> answer = find_potential("w1 + 2*w2", 3)
    >>> answer.exists, answer.method
    (False, 'symbolic')
    >>> [str(x) for x in answer.certificate.point], round(answer.certificate.curl, 4)
    (['1', '1/2'], -0.9283)
    """
    loss, N = _loss(expression, variables), _rational(depth)
    polynomial = polynomial_of(loss.expression, loss.variables)
    h, turns = _polynomial_h(polynomial, N) if polynomial is not None else (_h(loss, N), None)
    if N == 1:
        reason = "At depth 1 the field is the loss's own gradient."
        return Potential(loss, N, True, loss.expression, h, None, "symbolic", reason)
    proved = turns is not None and not any(turns)
    if not proved:
        # Values come first: they are safe with functions of functions of any size, SymPy is not.
        found = _curl(loss, N, turns) or (_kink(loss, N) if turns is None else None)
        if found is not None:
            certificate, method, reason = found
            return Potential(loss, N, False, None, h, certificate, method, reason)
        if sp.count_ops(h) > _OPERATIONS:
            raise ValueError(f"expression is too long to decide; got {brief(str(loss.expression))}")
        proved = _proved_radial(h, loss.variables)
    potential, radial = _integrated(loss, N, h)
    _compare(loss, N, potential)
    method = "symbolic" if proved else f"{DIGITS} digits at {_POINTS} points"
    shown = str(radial) if sp.count_ops(radial) < 20 else "<w, g> - (2/N) L"
    reason = f"h = {shown} depends on the length of w alone."
    return Potential(loss, N, True, potential, h, None, method, reason)


def _loss(expression: Any, variables: Any) -> SymbolicLoss:
    if isinstance(expression, SymbolicLoss):
        if variables is None:
            return expression
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
    if isinstance(depth, bool) or not isinstance(depth, (Real, sp.Rational)):
        raise TypeError(f"depth must be a rational number; got {brief(depth)}")
    if not abs(depth) < math.inf:
        raise ValueError(f"depth must be finite; got {depth}")
    N = sp.Rational(str(depth))
    if N < 1:
        raise ValueError(f"depth must be at least 1; got {N}")
    return N


# --- with SymPy ---


def _terms_at_most(expression: sp.Expr, *, powers: bool = True) -> int:
    """Return a bound on the number of terms once products (and powers) of sums are expanded."""
    if not (powers or isinstance(expression, (sp.Add, sp.Mul))):
        return 1
    sizes = [_terms_at_most(part, powers=powers) for part in expression.args]
    if isinstance(expression, sp.Add):
        bound = sum(sizes)
    elif isinstance(expression, sp.Pow) and expression.exp.is_Integer:
        power = abs(int(expression.exp))  # SymPy expands denominators too
        bound = math.comb(sizes[0] + power - 1, power)
    else:
        bound = math.prod(sizes)
    return min(bound, _TERMS)


def polynomial_of(expression: sp.Expr, variables: tuple[sp.Symbol, ...]) -> Any:
    """Return a `PolyElement` with rational coefficients; None if not one, or of too many terms."""
    if _terms_at_most(expression) >= _TERMS:
        return None
    try:
        return PolyRing(variables, sp.QQ).from_expr(expression)
    except (CoercionFailed, ValueError):
        return None


def _polynomial_h(loss: Any, N: sp.Rational) -> tuple[sp.Expr, list[Any]]:
    """Return h, and ``w_j dh/dw_i - w_i dh/dw_j`` for j = i + 1, which generate all rotations."""
    w = loss.ring.gens
    h = sum((x * loss.diff(x) for x in w), loss.ring.zero) - loss * sp.QQ(2 * N.q, N.p)
    turns = [w[j] * h.diff(w[j - 1]) - w[j - 1] * h.diff(w[j]) for j in range(1, len(w))]
    return h.as_expr(), turns


def _h(loss: SymbolicLoss, N: sp.Rational) -> sp.Expr:
    along = sum(w * g for w, g in zip(loss.variables, loss.slopes, strict=True))
    h = along - 2 * loss.expression / N
    return sp.expand(h) if _terms_at_most(h) <= 200 else h


def _numerator(expression: sp.Expr) -> sp.Expr:
    """Return the numerator over a common denominator, which may hold roots."""
    top = sp.numer(sp.together(expression))
    return sp.expand(top) if _terms_at_most(top) < _TERMS else top


def _if_short(strategy: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr], sp.Expr]:
    return lambda x: strategy(x) if _terms_at_most(x) <= 200 else x


# None of these looks at values, which may be too large to compute.
_STRATEGIES: tuple[Callable[[sp.Expr], sp.Expr], ...] = (
    lambda x: sp.expand_mul(x) if _terms_at_most(x, powers=False) <= 500 else x,
    _if_short(sp.expand),
    _if_short(lambda x: sp.expand(x.rewrite(sp.exp))),
    _if_short(lambda x: sp.expand(sp.powsimp(sp.expand_power_base(x), combine="all"))),
    _numerator,
    lambda x: sp.cancel(x) if sp.count_ops(x) <= 100 else x,
)


def _proved_radial(h: sp.Expr, variables: tuple[sp.Symbol, ...]) -> bool:
    """Say whether no rotation changes h, on each side of the axes if there are bars."""
    slopes = [derivative(h, w) for w in variables]
    pairs = range(1, len(variables))
    turns = [variables[j] * slopes[j - 1] - variables[j - 1] * slopes[j] for j in pairs]
    sides: list[dict[sp.Symbol, sp.Expr]] = [{}]
    if len(variables) <= 3 and any(turn.has(sp.Abs, sp.sign) for turn in turns):
        positive = sp.symbols(f"p1:{len(variables) + 1}", positive=True)
        sides = [
            {w: sign * p for w, sign, p in zip(variables, signs, positive, strict=True)}
            for signs in product((1, -1), repeat=len(variables))
        ]
    return all(
        sp.count_ops(turn) <= _OPERATIONS
        and any(strategy(turn.xreplace(side)) == 0 for strategy in _STRATEGIES)
        for turn in turns
        for side in sides
    )


def _integrated(loss: SymbolicLoss, N: sp.Rational, h: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Return the potential of the field where h is radial, and h in terms of the length."""
    s, a = sp.Symbol("s", positive=True), 2 - 2 / N
    halves = [sp.Rational(1, i + 2) for i in range(len(loss.variables) - 1)]
    square = sum(x * x for x in halves)
    # A direction with rational entries and length 1, on no axis.
    direction = [(1 - square) / (1 + square), *(2 * x / (1 + square) for x in halves)]
    along = h.xreplace(dict(zip(loss.variables, (s * u for u in direction), strict=True)))
    along = sp.expand(along) if _terms_at_most(along) <= 200 else along
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


# --- with values at points ---


def _rational_points(dimension: int) -> Iterator[tuple[Fraction, ...]]:
    """Yield rational points with small numbers, on all sides of the axes, none of them on one."""
    random = Random(0)
    yield tuple(Fraction(1, i + 1) for i in range(dimension))
    for _ in range(_TRIES - 1):
        yield tuple(
            Fraction(random.choice((-1, 1)) * random.randrange(1, 24), random.randrange(6, 18))
            for _ in range(dimension)
        )


def _modest(name: str) -> Callable[[Any], Any]:
    """Return a function of mpmath's that refuses arguments which take long, or give no real."""

    def value(x: Any) -> Any:
        if x <= 0 if name == "log" else abs(x) > 1_000:
            raise ArithmeticError(f"{name} has no real value of modest size there")
        return getattr(mpmath, name)(x)

    return value


_exp, _log = _modest("exp"), _modest("log")
_MODEST = {name: _modest(name) for name in FUNCTIONS if name not in ("abs", "sqrt")}
_MODEST |= {"power": lambda x, y: _exp(y * _log(x))}  # type: ignore[dict-item, misc]


def _compiled(variables: Sequence[sp.Symbol], expression: Any) -> Callable[..., Any]:
    """Return a function of mpmath numbers; an ArithmeticError says that it has no real value."""

    def is_root(part: sp.Expr) -> bool:
        return isinstance(part, sp.Pow) and not part.exp.is_Integer

    guarded = expression.replace(is_root, lambda x: sp.Function("power")(*x.args))
    return sp.lambdify(variables, guarded, [_MODEST, "mpmath"])  # type: ignore[no-any-return]


def _curl(
    loss: SymbolicLoss, N: sp.Rational, turns: list[Any] | None
) -> tuple[Certificate, str, str] | None:
    """Return the proof that there is no potential, or None where no point shows a curl."""
    value = _compiled(loss.variables, loss.expression)
    seen, faint = 0, None
    for point in _rational_points(len(loss.variables)):
        try:
            if turns is None:
                gaps = _turns_at(value, N, point)
            else:
                exact = [sp.QQ(x.numerator, x.denominator) for x in point]
                gaps = [float(turn(*exact)) for turn in turns]
        except ArithmeticError:
            continue  # The loss is not real here, or too large.
        seen += 1
        for i, gap in enumerate(gaps):
            if gap == 0:
                continue
            curl = float(N - 1) * math.hypot(*point) ** (-2 / float(N)) * gap
            certificate, clear = _certificate(loss, N, point, i, curl)
            reason = (
                "h = <w, g> - (2/N) L changes along the circle about 0 through "
                f"({', '.join(map(str, point))}): the curl there is {curl:.6g}."
            )
            method = f"{DIGITS} digits at a point" if turns is None else "symbolic"
            faint = faint or (certificate, method, reason)
            if clear:
                return certificate, method, reason
        if seen >= _POINTS and (faint or turns is None):
            break
    if not seen:
        raise ValueError(
            "expression must be real, and of modest size, somewhere near 0; "
            f"got {brief(str(loss.expression))}"
        )
    return faint


def _turns_at(
    value: Callable[..., Any], N: sp.Rational, point: tuple[Fraction, ...]
) -> list[float]:
    """Return ``w_j dh/dw_i - w_i dh/dw_j`` at a point, j = i + 1, to 50 digits by differences."""

    def h(w: list[Any], step: Any) -> tuple[Any, Any]:
        out, back = (value(*((1 + s) * x for x in w)) for s in (step, -step))
        along, rest = (out - back) / (2 * step), 2 * value(*w) * int(N.q) / int(N.p)
        return along - rest, abs(along) + abs(rest)

    def turn(i: int, step: Any) -> tuple[Any, Any]:
        across = [w[i + 1] if k == i else -w[i] if k == i + 1 else 0 for k in range(len(w))]
        (there, size), (here, _) = (
            h([x + s * y for x, y in zip(w, across, strict=True)], step) for s in (step, -step)
        )
        return (there - here) / (2 * step), size

    turns = []
    with mpmath.workdps(3 * DIGITS):
        w, step = _numbers(point), mpmath.mpf(10) ** (-DIGITS // 2)
        for i in range(len(w) - 1):
            (gap, size), (check, _) = turn(i, step), turn(i, 3 * step)
            if abs(gap) <= size / mpmath.mpf(10) ** 35:
                gap = 0  # rounding
            elif abs(gap - check) > abs(gap) / 10**6 or abs(gap) > 1e300:
                raise ArithmeticError("the slopes jump here, or are too large")
            turns.append(float(gap))
    return turns


def _numbers(point: tuple[Fraction, ...]) -> list[Any]:
    return [mpmath.mpf(x.numerator) / x.denominator for x in point]


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


def _kink(loss: SymbolicLoss, N: sp.Rational) -> tuple[Certificate, str, str] | None:
    """Return the proof that there is no potential where h jumps along a circle, or None."""
    loop, i = kink_loop(loss, float(N)) or (None, 0)
    if loop is None:
        return None
    done = work(loss, float(N), loop)
    total, doubt = float(done.total), float(done.error_estimate)
    if not abs(total) > 1e3 * doubt:
        return None
    point = tuple(Fraction(x).limit_denominator(1_000) for x in loop[[1, 3]].mean(axis=0).tolist())
    curl = math.copysign(math.inf, total)
    reason = (
        "h = <w, g> - (2/N) L jumps along a circle about 0 at a kink of the loss near "
        f"({', '.join(map(str, point))}): the work round it is {total:.6g}."
    )
    certificate = Certificate(point, (i + 1, i + 2), curl, loop, total, doubt)
    return certificate, "double precision round a kink", reason


def kink_loop(loss: SymbolicLoss, depth: float) -> tuple[Array, int] | None:
    """Return four corners about a place where h jumps along a circle about 0, or None.

    Counter-clockwise in the plane of coordinates i and i + 1, counted from 0; the second and fourth
    are on the kink, so that edges are smooth. Away from its jumps h must be radial.
    """
    angles, reach = 0.1 + np.linspace(0, 2 * math.pi, 121), 0.05

    def at(i: int, radius: Any, angle: Array) -> Array:
        w = np.full((*angle.shape, len(loss.variables)), 0.37)
        w[..., i], w[..., i + 1] = radius * np.cos(angle), radius * np.sin(angle)
        return w

    def h(w: Array) -> tuple[Array, Array]:
        along, value = (w * loss.gradient(w)).sum(axis=-1), 2 / depth * loss.value(w)
        return along - value, np.abs(along) + np.abs(value)

    with np.errstate(all="ignore"):
        for radius, i in product((0.31, 0.73, 1.37, 2.9, 6.1), range(len(loss.variables) - 1)):
            values, sizes = h(at(i, radius, angles))
            jump = 1e-9 * float(sizes[np.isfinite(values)].max(initial=0.0))
            for k in np.flatnonzero(np.abs(np.diff(values)) > jump):
                # Follow the jump to a smaller and a larger circle, by bisection on both.
                radii = radius * np.array([1 - reach, 1 + reach])
                low, high = np.full(2, angles[k] - reach / 2), np.full(2, angles[k + 1] + reach / 2)
                first, last = (h(at(i, radii, angle))[0] for angle in (low, high))
                if not np.all(np.abs(first - last) > jump):
                    continue
                for _ in range(60):
                    middle = (low + high) / 2
                    here = h(at(i, radii, middle))[0]
                    beyond = np.abs(here - first) > np.abs(here - last)
                    low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
                inner, outer = at(i, radii, low)
                before, after = at(i, radius, low[1] + 2 * reach * np.array([-1, 1]))
                return np.stack([before, outer, after, inner]), i
    return None


def _compare(loss: SymbolicLoss, N: sp.Rational, potential: sp.Expr) -> None:
    """Make sure, at a few points to 30 digits, that a potential's gradient is the field."""
    variables = loss.variables
    square = sum(w**2 for w in variables)
    along = sum(w * g for w, g in zip(variables, loss.slopes, strict=True))
    sides = []
    for w, g in zip(variables, loss.slopes, strict=True):
        field = square ** (1 - 1 / N) * (g + (N - 1) * along * w / square)
        sides.append([_compiled(variables, x) for x in (derivative(potential, w), field)])
    seen = 0
    with mpmath.workdps(3 * DIGITS):
        for point in _rational_points(len(variables)):
            at = _numbers(point)
            try:
                values = [(mine(*at), theirs(*at)) for mine, theirs in sides]
            except ArithmeticError:
                continue
            if any(abs(x - y) > mpmath.mpf(10) ** -30 * (abs(y) + 1) for x, y in values):
                raise ValueError(
                    "expression cannot be decided: its slopes jump or cancel too much; "
                    f"got {brief(str(loss.expression))}"
                )
            seen += 1
            if seen == 4:
                return
