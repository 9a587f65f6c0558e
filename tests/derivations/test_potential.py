"""`find_potential` against what is known, and against the field itself, differenced numerically.

Nothing here uses the criterion on h: the field is built from values of the loss alone.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

import overparam_edu as oe
from overparam_edu.derivations.potential import Certificate

ALL = DEPTHS = (Fraction(1), Fraction(3, 2), Fraction(2), Fraction(3), Fraction(5))
# Away from 0, from the axes and from each other's mirror images.
POINTS = ((0.7, 0.3, 0.45), (-0.55, 0.85, 0.3), (0.35, -0.6, -0.75))
DIGITS, STEP = 34, mpmath.mpf(10) ** -10


def at(*depths: int | Fraction) -> tuple[Fraction, ...]:
    """Return depth 1, where every loss is its own potential, and the others given."""
    return (Fraction(1), *map(Fraction, depths))


# The loss, and the depths among DEPTHS at which a potential is known to exist.
LOSSES: list[tuple[str, tuple[Fraction, ...]]] = [
    # Linear: depth 2 only.
    ("w1", at(2)),
    ("w1 + 2*w2", at(2)),
    ("3*w2 - w1/7 + 5", at(2)),
    ("w1 - 2*w2 + w3/3", at(2)),
    # Quadratic: round about 0; round about elsewhere; every other kind.
    ("w1^2 + w2^2", ALL),
    ("-3*(w1^2 + w2^2) + 1", ALL),
    ("w1^2 + w2^2 + w3^2", ALL),
    ("(w1 - 1)^2/2 + (w2 - 1/10)^2/2", at(2)),
    ("(w1 + 1)^2 + w2^2 - 7", at(2)),
    ("(w1 - 1)^2 + (w2 - 2)^2 + (w3 + 1)^2", at(2)),
    ("w1^2 + 2*w2^2", at()),
    ("w1^2 + 3*w2^2 + w1", at()),
    ("(w1 - 1)^2 + (w2 - 1)^2/20", at()),
    ("w1^2 + w2^2 + w1*w2", at()),
    ("w1*w2", at()),
    ("w1^2 - w2^2", at()),
    ("w1^2", at()),
    ("(w1 + w2 - 1)^2", at()),
    ("w1^2 + w2^2 + 2*w3^2", at()),
    # Functions of the length alone.
    ("(w1^2 + w2^2 - 1)^2", ALL),
    ("(w1^2 + w2^2)^3 - w1^2 - w2^2", ALL),
    ("sqrt(w1^2 + w2^2)", ALL),
    ("exp(-w1^2 - w2^2)", ALL),
    ("log(1 + w1^2 + w2^2)", ALL),
    ("cos(w1^2 + w2^2)", ALL),
    ("1/(1 + w1^2 + w2^2)", ALL),
    ("(w1^2 + w2^2 + w3^2 - 1)^2", ALL),
    # The same plus a linear part.
    ("(w1^2 + w2^2)^2 + w1", at(2)),
    ("exp(w1^2 + w2^2) - 2*w2", at(2)),
    # Powers of degree 2/N in every direction, alone and with a function of the length.
    ("abs(w1) + abs(w2)", at(2)),
    ("sqrt(w1^2 + 2*w2^2)", at(2)),
    ("(w1^3 + w2^3)/(w1^2 + w2^2)", at(2)),
    ("(w1^4 + w2^4)^(1/3)", at(Fraction(3, 2))),
    ("w1*w2/(w1^2 + w2^2)^(2/3)", at(3)),
    ("(w1^2 + 3*w2^2)^(1/5)", at(5)),
    ("(w1^2 + 3*w2^2)^(1/5) + w1^2 + w2^2", at(5)),
    # Sums of p-th powers, about 0 and about elsewhere.
    ("w1^4 + w2^4", at()),
    ("(w1 - 1)^4/4 + (w2 - 0.1)^4/4", at()),
    ("(w1 - 1)^6/6 + (w2 - 0.1)^6/6", at()),
    ("abs(w1)^3 + abs(w2)^3", at()),
    ("(w1 - 1)^4 + (w2 - 1)^4/100", at()),
    # Mixed polynomials, and what else students type.
    ("w1^3 - 3*w1*w2^2", at()),
    ("w1^2*w2 + w2 - 1", at()),
    ("(w1^2 + w2 - 11)^2 + (w1 + w2^2 - 7)^2", at()),
    ("(1 - w1)^2 + 100*(w2 - w1^2)^2", at()),
    ("(w1 + 2*w2 - 1)^4 + (w1 - w2)^2", at()),
    ("w1^4 + w2^4 + 2*w1^2*w2^2", ALL),
    ("exp(w1)", at()),
    ("sin(w1) + cos(w2)", at()),
    ("log(1 + exp(-w1 - 2*w2))", at()),
    ("tanh(w1*w2)", at()),
]
CASES = pytest.mark.parametrize(("text", "expected"), LOSSES, ids=[text for text, _ in LOSSES])


class Field:
    """The rule's field, to many digits, from values of a loss alone."""

    def __init__(self, expression: sp.Expr, dimension: int) -> None:
        self.w = [sp.Symbol(f"w{i + 1}", real=True) for i in range(dimension)]
        self.value = sp.lambdify(self.w, expression, "mpmath")
        self.in_floats = sp.lambdify(self.w, expression, "numpy")

    def gradient(self, w: list[Any]) -> list[Any]:
        return slopes(self.value, w)

    def __call__(self, w: list[Any], N: Fraction) -> list[Any]:
        return rule(w, self.gradient(w), mpmath.mpf(N.numerator) / N.denominator)


def slopes(value: Callable[..., Any], w: list[Any]) -> list[Any]:
    """Return central differences; they are off by about STEP^2."""

    def moved(i: int, by: Any) -> list[Any]:
        return [x + by * (i == j) for j, x in enumerate(w)]

    return [(value(*moved(i, STEP)) - value(*moved(i, -STEP))) / (2 * STEP) for i in range(len(w))]


def rule(w: list[Any], g: list[Any], N: Any) -> list[Any]:
    """Return ||w||^(2-2/N) (g + (N-1) Pr_w g)."""
    square = sum(x * x for x in w)
    along = (N - 1) * sum(x * y for x, y in zip(w, g, strict=True)) / square
    return [square ** (1 - 1 / N) * (y + along * x) for x, y in zip(w, g, strict=True)]


def numeric_curls(field: Field, point: tuple[Any, ...]) -> dict[tuple[int, int, Fraction], Any]:
    """Return dF_j/dw_i - dF_i/dw_j by differences of F, with a bound on F, for each depth."""
    nudge = mpmath.mpf(10) ** -7
    w = [mpmath.mpf(x) for x in point]
    around = {
        (i, sign): [x + sign * nudge * (i == j) for j, x in enumerate(w)]
        for i in range(len(w))
        for sign in (1, -1)
    }
    g = {key: field.gradient(moved) for key, moved in around.items()}
    curls = {}
    for N in DEPTHS:
        depth = mpmath.mpf(N.numerator) / N.denominator
        F = {key: rule(moved, g[key], depth) for key, moved in around.items()}
        for i, j in combinations(range(len(w)), 2):
            here = (F[i, 1][j] - F[i, -1][j]) / (2 * nudge)
            there = (F[j, 1][i] - F[j, -1][i]) / (2 * nudge)
            curls[i, j, N] = (here - there, abs(here) + abs(there) + 1)
    return curls


def has_curl(field: Field, N: Fraction, curls: list[dict[Any, Any]]) -> bool:
    return any(
        abs(curl) > 1e-8 * size
        for at_point in curls
        for (_, _, depth), (curl, size) in at_point.items()
        if depth == N
    )


@pytest.mark.slow
@CASES
def test_the_answer_is_the_known_one_and_that_of_a_numeric_curl(
    text: str, expected: tuple[Fraction, ...]
) -> None:
    with mpmath.workdps(DIGITS):
        loss = oe.find_potential(text, 1).loss
        answers = {N: oe.find_potential(loss, N) for N in DEPTHS}
        field = Field(loss.expression, len(loss.variables))
        curls = [numeric_curls(field, point[: len(loss.variables)]) for point in POINTS]
        for N, answer in answers.items():
            assert answer.exists == (N in expected), f"N = {N}"
            assert answer.exists == (not has_curl(field, N, curls)), f"N = {N}"
            if answer.exists:
                assert answer.method == "symbolic"
                check_potential(field, N, answer.potential)
            else:
                check_certificate(field, N, answer.certificate)


def check_potential(field: Field, N: Fraction, potential: sp.Expr) -> None:
    value = sp.lambdify(field.w, potential, "mpmath")
    for point in POINTS[:2]:
        w = [mpmath.mpf(x) for x in point[: len(field.w)]]
        for mine, theirs in zip(slopes(value, w), field(w, N), strict=True):
            assert abs(mine - theirs) < 1e-15 * (1 + abs(theirs))


def check_certificate(field: Field, N: Fraction, proof: Certificate) -> None:
    i, j = (k - 1 for k in proof.plane)
    point = tuple(mpmath.mpf(x.numerator) / x.denominator for x in proof.point)
    curl, size = numeric_curls(field, point)[i, j, N]
    assert abs(curl) > 1e-9 * size, "no curl at the certificate's point"
    assert proof.curl == pytest.approx(float(curl), rel=1e-7)
    assert abs(proof.work) > 100 * proof.error_estimate, "no work round the certificate's loop"
    assert proof.work == pytest.approx(work_round(field, float(N), proof.loop), rel=1e-5)
    side = np.abs(proof.loop[1] - proof.loop[0]).max()
    assert 0.6 < proof.work / (proof.curl * side**2) < 2.1  # Green's theorem, for a small loop
    np.testing.assert_allclose(proof.loop.mean(axis=0), [float(x) for x in proof.point])


def work_round(field: Field, N: float, corners: np.ndarray) -> float:
    """Return the work round a polygon: Gauss-Legendre, with the loss differenced in floats."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    value, total = field.in_floats, 0.0
    for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        w = start[:, None] + np.outer(stop - start, (nodes + 1) / 2)
        nudges = 1e-5 * np.eye(len(w))[:, :, None]
        g = np.array([(value(*(w + n)) - value(*(w - n))) / 2e-5 for n in nudges])
        F = np.array(rule(list(w), list(g), N))
        total += float(((stop - start) @ F) @ weights / 2)
    return total


@pytest.mark.parametrize(
    "text", ["|w1 - 1|", "|w1 - 1| + |w2 - 1/2|", "|w1 - w2 - 1|", "|w1 - w3| + |w1 + 2*w2 - 1|"]
)
def test_a_kink_away_from_0_spoils_the_exception_at_depth_2(text: str) -> None:
    """Straight on either side, with h radial there; but the field jumps along the kink."""
    answer = oe.find_potential(text, 2)
    assert not answer.exists
    assert answer.method == "double precision round a kink"
    assert answer.certificate is not None
    proof, field = answer.certificate, Field(answer.loss.expression, len(answer.loss.variables))
    assert np.isinf(proof.curl)
    assert abs(proof.work) > 1e3 * proof.error_estimate
    # Differences of the loss see the kink itself, where two corners of the loop are.
    assert proof.work == pytest.approx(work_round(field, 2.0, proof.loop), rel=1e-5)
    assert "kink" in answer.reason
    assert "oint" in answer.to_latex()
    assert oe.find_potential("|w1| + |w2|", 2).exists  # these kinks go through 0
    assert oe.find_potential("|w1^2 + w2^2 - 1|", 3).exists  # and this one round it


def test_without_its_polynomials_it_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that losses with functions in them take leads to the same answers."""
    from overparam_edu.derivations import potential

    monkeypatch.setattr(potential, "polynomial_of", lambda *_: None)
    for text, expected in LOSSES[:16]:
        for N in (Fraction(2), Fraction(3)):
            answer = oe.find_potential(text, N)
            assert answer.exists == (N in expected), (text, N)


def test_depth_may_be_written_in_any_way() -> None:
    for depth in (2, 2.0, Fraction(2), sp.Integer(2), np.float64(2), np.int64(2)):
        assert oe.find_potential("w1 + w2", depth).exists
    near_two = oe.find_potential("w1 + w2", 2.000001)
    assert not near_two.exists
    assert near_two.depth == sp.Rational(2000001, 1000000)


def test_depth_two_thirds_of_the_way_is_decided_exactly() -> None:
    """At N = 2.3, degree 20/23 is the exception, and a float near it is not."""
    text = "(w1^2 + 3*w2^2)^(10/23)"
    assert oe.find_potential(text, Fraction(23, 10)).exists
    assert oe.find_potential(text, 2.3).exists
    assert not oe.find_potential(text, 2.30001).exists


def test_more_variables_than_the_text_names() -> None:
    assert oe.find_potential("w1^2 + w2^2", 3).exists
    assert not oe.find_potential("w1^2 + w2^2", 3, variables=3).exists
    x, y = sp.symbols("x y")
    assert oe.find_potential(x + 2 * y, 2, variables=[x, y]).exists


def test_a_yes_that_is_not_proved_says_so() -> None:
    # Round, in a way that no strategy of SymPy's sees.
    text = "sin(tan(w1^2 + w2^2))^2 + cos(tan((w1 - w2)^2 + 2*w1*w2))^2 + w1"
    answer = oe.find_potential(text, 2)
    assert answer.exists
    assert answer.method in ("symbolic", "50 digits at 12 points")


@pytest.mark.parametrize(
    ("text", "depth", "error", "word"),
    [
        ("(10^30*w1)^100", 2, ValueError, "modest size"),
        ("w1 +", 2, ValueError, "complete"),
        ("w1", 0.5, ValueError, "at least 1"),
        ("w1", float("nan"), ValueError, "finite"),
        ("w1", "2", TypeError, "depth"),
        ("w1", True, TypeError, "depth"),
        ("log(-1 - w1^2)", 2, ValueError, "real"),
        (3.0, 2, TypeError, "text or a SymPy expression"),
    ],
)
def test_what_cannot_be_asked(text: Any, depth: Any, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        oe.find_potential(text, depth)


@pytest.mark.parametrize(("text", "expected"), LOSSES[::7])
def test_every_answer_can_be_read(text: str, expected: tuple[Fraction, ...]) -> None:
    answer = oe.find_potential(text, 2)
    assert ("no function" in str(answer)) == (2 not in expected)
    shown = answer._repr_markdown_()
    assert ("A potential exists." in shown) == (2 in expected)
    assert answer.reason in shown
    assert "nabla" in answer.to_latex() or "partial" in answer.to_latex()
