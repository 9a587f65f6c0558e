"""A loss typed by anyone: its values and slopes are right where it is one."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import overparam_edu as oe

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(0.2, 0.9, size=(7, 3, 2))

# Text, and the same in NumPy, written independently.
RIGHT = {
    "(w1 - 1)^4/4 + (w2 - 0.1)^4/4": lambda x, y: (x - 1) ** 4 / 4 + (y - 0.1) ** 4 / 4,
    "3": lambda x, y: 3 + 0 * x,
    "-w1^2": lambda x, y: -(x**2),
    "2^-w1": lambda x, y: 2.0 ** (-x),
    "w1^w2^2": lambda x, y: x ** (y**2),
    "w1 - w2 - 1": lambda x, y: x - y - 1,
    "w1 / w2 / 2": lambda x, y: x / y / 2,
    "-(w1 + w2)*-2": lambda x, y: 2 * (x + y),
    "1.5e-1*w1 + .5*w2 + 2.": lambda x, y: 0.15 * x + 0.5 * y + 2,
    "w1**2*w2**3": lambda x, y: x**2 * y**3,
    "|w1 - w2|^3 + |w1*|w2||": lambda x, y: np.abs(x - y) ** 3 + np.abs(x * np.abs(y)),
    "abs(w1 - 0.5)": lambda x, y: np.abs(x - 0.5),
    "sqrt(w1) + w2^(1/3)": lambda x, y: np.sqrt(x) + np.cbrt(y),
    "exp(-w1) + e^w2": lambda x, y: np.exp(-x) + np.exp(y),
    "log(w1*w2)": lambda x, y: np.log(x * y),
    "sin(pi*w1)*cos(w2) + tan(w1)": lambda x, y: np.sin(np.pi * x) * np.cos(y) + np.tan(x),
    "sinh(w1)*cosh(w2) - tanh(w1)": lambda x, y: np.sinh(x) * np.cosh(y) - np.tanh(x),
    "1/(1 + exp(-w1 - 2*w2))": lambda x, y: 1 / (1 + np.exp(-x - 2 * y)),
    "10^10*w1 + 9999999999999999999*w2": lambda x, y: 1e10 * x + 9999999999999999999.0 * y,
    "  ( w1 ) ": lambda x, y: x,
}


@pytest.mark.parametrize("text", RIGHT)
def test_value_and_gradient(text: str) -> None:
    loss, value = oe.SymbolicLoss(text), RIGHT[text]
    np.testing.assert_allclose(loss.value(POINTS), value(*np.moveaxis(POINTS, -1, 0)), rtol=1e-13)
    slopes = loss.gradient(POINTS)
    assert slopes.shape == POINTS.shape
    for i, h in enumerate(1e-5 * np.eye(2)):
        there, here = (value(*np.moveaxis(POINTS + s * h, -1, 0)) for s in (1, -1))
        scale = 1e-9 * np.abs(value(*np.moveaxis(POINTS, -1, 0))).max()
        np.testing.assert_allclose(slopes[..., i], (there - here) / 2e-5, rtol=1e-6, atol=scale)
    assert "SymbolicLoss" in repr(loss)
    assert loss._repr_latex_().startswith("$")


def test_it_is_the_loss_of_the_illustration() -> None:
    typed, built = oe.SymbolicLoss("(w1-1)**4/4 + (w2-0.1)**4/4"), oe.SeparableLp((1.0, 0.1), p=4)
    w = RNG.normal(size=(50, 2))
    np.testing.assert_allclose(typed.value(w), built.value(w), rtol=1e-13)
    np.testing.assert_allclose(typed.gradient(w), built.gradient(w), rtol=1e-13, atol=1e-15)


def test_decimals_are_exact() -> None:
    assert oe.SymbolicLoss("0.1*w1").expression == sp.Symbol("w1", real=True) / 10


def test_kinks_have_a_slope_on_either_side() -> None:
    loss = oe.SymbolicLoss("|w1| + |w2^3|")
    np.testing.assert_array_equal(loss.gradient([[-2.0, 1.0], [2.0, -1.0]]), [[-1, 3], [1, -3]])


def test_sympy_expressions_are_taken_by_their_names() -> None:
    w1, w2 = sp.symbols("w1 w2")  # complex, as far as SymPy knows
    loss = oe.SymbolicLoss((w1 - 1) ** 2 + 0.5 * w2)
    assert loss.expression.has(sp.Symbol("w1", real=True))
    np.testing.assert_allclose(loss.gradient([0.0, 0.0]), [-2, 0.5])
    for wrong in (sp.Symbol("x"), sp.I * w1, sp.zeta(w1), w1 > 0, sp.oo + w1, w1**1000):
        with pytest.raises((ValueError, TypeError), match="expression"):
            oe.SymbolicLoss(wrong)


def test_dimension() -> None:
    assert oe.SymbolicLoss("w1").shape == (2,)
    assert oe.SymbolicLoss("w3").shape == (3,)
    assert oe.SymbolicLoss("w1", dimension=5).gradient(np.zeros(5)).tolist() == [1, 0, 0, 0, 0]
    for wrong in (1, 10):
        with pytest.raises(ValueError, match="dimension"):
            oe.SymbolicLoss("w1", dimension=wrong)
    with pytest.raises(ValueError, match="dimension"):
        oe.SymbolicLoss("w3", dimension=2)


@pytest.mark.parametrize("text", ["1/w1", "log(w1)", "sqrt(w1)", "log(-1 - w1^2)", "w1^-0.5"])
def test_poles_and_complex_values_are_quiet(text: str) -> None:
    """Where there is no real number there is NaN or infinity, and no warning."""
    loss = oe.SymbolicLoss(text)
    values = loss.value([[0.0, 0.0], [-1.0, 1.0]])
    assert not np.isfinite(values).all()
    assert not np.isfinite(loss.gradient([[0.0, 0.0], [-1.0, 1.0]])).all() or "-1 -" in text
