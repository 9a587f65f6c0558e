"""A loss typed by anyone: refused in plain words with nothing executed, or right where it is one.

``OVERPARAM_EDU_FUZZ=200000 pytest tests/derivations/test_symbolic_loss.py -k fuzz`` tries as many
random texts as one likes.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sympy as sp

import overparam_edu as oe
from overparam_edu.derivations.own_loss import FUNCTIONS

FUZZ = int(os.environ.get("OVERPARAM_EDU_FUZZ", "1000"))
SECONDS = 2.0

LONG = 10**6
REFUSED = [
    "", " \t\n ", "__import__('os').system('touch x')",
    "w1.__class__.__bases__[0].__subclasses__()", "w1.diff", "w1.subs(w1, 2)", 
    "exp(w1, w2)", "sqrt(w1, evaluate=False)", "sqrt(*w1)", "eval(w1)", "gamma(w1)", 
    "w0 + w1", "w10", "__builtins__", "sin", "sin^2", "lambda: w1", "[w1 for w1 in (1,)]",
    "(w1 := 3)", "w1; w2", "import os", "w1 = 3", "w1 < w2", "w1 and w2", "w1 if w2 else 0",
    "w1[0]", "w1, w2", "{w1: w2}", "'w1'", "b'w1'", "f'{w1}'", "1j*w1", "I*w1", "0o17 + w1",
    "0x10*w1", "1_000*w1", "nan", "w1 + NaN", "inf*w1", "oo + w1", "zoo", "sqrt(-1)*w1",
    "(-1)^0.5 + w1", "log(0) + w1", "log(-2)*w1", "w1/0", "w1/(w2 - w2)",
    "1/(w1 - w1)^-1", "w1/log(w1 - w1)", "0^-1 + w1", "0/0",
    "w1^(10^9)", "(w1 + w2)^100000", "9^9^9^9 + w1", "((w1^99)^99)^99", "9" * 500 + "*w1",
    "1e999*w1", "1e-999*w1", "exp(exp(exp(9)))*w1", "exp(-exp(9))*w1", "w1+" * (LONG // 3) + "w1",
    " " * LONG, "9" * LONG, "(" * LONG, "(" * 500 + "w1" + ")" * 500, "-" * 1500 + "w1",
    "sin(" * 60 + "w1" + ")" * 60, "+".join(f"sin({i}*w1)" for i in range(120)), "((w1)", "w1)",
    "|w1", "w1|", "w1 +", "w1 */ w2", "w1 % 2", "w1 // 2", "w1 @ w2",
    "w1 << 2", "w1 # + w2", "w1 \\\n + w2", "w1\0", "$w1$", "<script>alert(1)</script>", "ｗ１",
    "w１ + w2", "w1 + ٣", "ехр(w1)", "w1 \u202e+ w2", "w\u200b1",
    "w1" + "⁹" * 900, "2(" * 500 + "w1" + ")" * 500, "w1⁹⁹" * 400,
    "w1\u00a0+\u00a0w2 ·", "w1 + \ud800", "w1 + 🙂",
]  # fmt: skip
# What has two readings, or none: a part of the words that name it, or the spelling to use.
SPELLED = {
    "": "is empty: write a loss, such as", "w1* *w2": "a value before the last sign of '* *'",
    "w1***w2": "'** *'", "*w1": "'*'", "w1 +": "not complete: it ends with '+'",
    "007*w1": "write 7", "w12": "write w1*2 or w1^2", "w_12": "write w1*2 or w1^2",
    "w1 2": "write w1*2 or w1^2", "x2 + y": "write w2, x*2 or x^2", "x_1": "write w1, x*1",
    "log2(w1)": "log(w1)/log(2)", "log₁₀(w1)": "log(w1)/log(10)",
    "w1 + w": "variables are w1 to w9", "1/sin(w1)cos(w2)": "the sign *",
    "1/2w1": "two ways at '2 w1'", "1/2(w1 - 1)^2": "1/(2*w1)", "1/w1²w2": "two ways",
    "w1^2w2": "w1^(2*w2)", "w1^-2w2": "w1^(2*w2)", "|w1|w2|w1|": "|w1|*w2", "|w1||w2|": "|w1|*w2",
    "e(w1)": "exp(...) or e*(...)", "sin w1": "sin(w1)", "sin²(w1)": "sin(w1)^2",
    "x + w1": "w1 and w2, or x and y", "W1 + w2": "write w1", "Sin(w1)": "write sin",
    "sinw1": "write sin(...)", "0,5*w1": "a decimal point is .", "L = w1": "got 'L'",
    "w1 = 3": "right of =", "[w1]^2": "write (", "√w1": "write sqrt(...)", "½w1": "write 1/2",
    "w1^2²": "(...)²", "w1²^2": "(w1²)^", "²": "w1²", "(w1": "'(' is not closed",
    "w1)": "closes with ')'", "()": "'(' stands before ')'", "w1^" + "⁹" * 40: "base",
}  # fmt: skip
# Other spellings, and what they mean.
UNDERSTOOD = {
    "w1²": "w1^2", "w1²³": "w1^23", "w1⁻²": "w1^(-2)", "sin(w1)²": "sin(w1)^2", "-w1²": "-(w1^2)",
    "1/w1²": "1/(w1^2)", "(w1 + 1)²w2": "(w1 + 1)^2*w2", "w₁ + w_2": "w1 + w2", "w₉": "w9",
    "w1 − w2": "w1 - w2", "w1–w2": "w1 - w2", "w1·w2×w1⋅w2∗w1": "w1*w2*w1*w2*w1", "w1÷w2": "w1/w2",
    "w1∙w2•w1": "w1*w2*w1", "w1⁄w2": "w1/w2", "w1∕w2": "w1/w2",
    "π*w1": "pi*w1", "ln(w1)": "log(w1)", "2w1": "2*w1", "2 w1": "2*w1", "2(w1+1)": "2*(w1+1)",
    "w1(w2 + 1)": "w1*(w2 + 1)", "(w1)(w2)": "w1*w2", "w1w2": "w1*w2", "2sin(w1)": "2*sin(w1)",
    "2e^w1": "2*exp(w1)", "2πw1": "2*pi*w1", "2|w1|": "2*abs(w1)", "w1|w2|": "w1*abs(w2)",
    "2w1^2": "2*(w1^2)", "2w1/3": "(2*w1)/3", "1/2*w1": "w1/2", "1/2 + 2w1": "1/2 + 2*w1",
    "(1/2)(w1 - 1)^2": "(w1 - 1)^2/2", "(w1/2)w2": "w1*w2/2", "w1^(2)w2": "w1^2*w2",
    "x^2 + 3y": "w1^2 + 3*w2", "xy": "w1*w2", "x²y²": "w1^2*w2^2", "y": "w2",
    "exp(x)x": "exp(w1)*w1",
    "2e3w1": "2000*w1", "w1\u00a0+\u2009w2": "w1 + w2",
}  # fmt: skip
# Odd but sound: drawn, quickly and quietly.
TAKEN = [
    "+".join(["w1"] * 500), "*".join(["w1", "w2"] * 25), "|" + "|w1| + " * 5 + "|w2||",
    "(w1 + w2 + 1)^100", "((w1 + w2)^10)^10", "sin(cos(tan(sinh(cosh(tanh(exp(sin(w1*w2))))))))",
    "w1^w2^w1", "1/(w1*w2)", "1/(w1^2 + w2^2 - 1)^40", "log(-1 - w1^2)", "exp(exp(exp(w1)))",
    "(10^30*w1)^100", "-+-+w1", "(" * 30 + "w1" + ")" * 30,
    "(w1 + (w2 + (w1 + w2^(1/3))^(1/3))^(1/3))^(1/7)",
    " + ".join(f"sin({i}*w1)*w2" for i in range(20)),
]  # fmt: skip


def _name(text: str) -> str:
    return ascii(text[:30])


OUTSIDE = ("os", "subprocess", "socket", "shutil", "import", "open")


class Watch:
    """Notes code that Python runs, and what reaches beyond Python, while it is switched on."""

    def __init__(self) -> None:
        self.on, self.executed, self.outside = False, [], []
        sys.addaudithook(self.hear)  # it can't be taken away again

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event == "exec":
            self.executed.append(arguments[0])
        elif self.on and event.split(".")[0] in OUTSIDE:
            self.outside.append((event, arguments))

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        self.executed.clear()
        self.outside.clear()
        self.on, began = True, time.process_time()
        try:
            yield
        finally:
            self.on = False
            self.seconds = time.process_time() - began
        assert self.outside == []


@pytest.fixture(scope="module")
def watch() -> Watch:
    check_loss("+".join(f"{name}(w1)" for name in FUNCTIONS))  # imports what SymPy needs later
    return Watch()


@pytest.mark.parametrize("text", REFUSED, ids=_name)
def test_hostile_text_is_refused_at_once(text: str, watch: Watch) -> None:
    with pytest.raises(ValueError, match=r"^(expression|a number) ") as refusal, watch():
        oe.SymbolicLoss(text)
    assert watch.seconds < SECONDS
    assert watch.executed == watch.outside == []
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("text", SPELLED, ids=_name)
def test_what_is_refused_comes_with_the_spelling_to_use(text: str, watch: Watch) -> None:
    with pytest.raises(ValueError, match=r"^expression ") as refusal, watch():
        oe.SymbolicLoss(text)
    assert SPELLED[text] in str(refusal.value)
    assert watch.executed == []


@pytest.mark.parametrize("text", UNDERSTOOD, ids=_name)
def test_other_spellings_of_the_same_are_understood(text: str) -> None:
    assert oe.SymbolicLoss(text).expression == oe.SymbolicLoss(UNDERSTOOD[text]).expression


@pytest.mark.parametrize("text", TAKEN, ids=_name)
def test_odd_text_is_a_loss_within_two_seconds(text: str, watch: Watch) -> None:
    with watch():
        check_loss(text)
    assert watch.seconds < SECONDS
    assert watch.executed  # what `lambdify` compiled, from SymPy's printer and not from the text
    check_code(watch.executed)


def check_loss(text: str) -> oe.SymbolicLoss:
    """Make a loss of `text` and see that it is one: shapes, and no warning, which is an error."""
    loss = oe.SymbolicLoss(text)
    w = np.array([[0.3, 0.8], [0.9, 0.4], [0.0, 0.0], [-1.0, 1.0], [1e3, -1e3]])
    w = np.concatenate([w, np.ones((len(w), len(loss.variables) - 2))], axis=1)
    value, gradient = loss.value(w), loss.gradient(w)
    assert value.shape == w.shape[:1]
    assert gradient.shape == w.shape
    assert value.dtype == gradient.dtype == np.float64
    return loss


# SymPy writes |x^sqrt(y)| with an angle.
ARITHMETIC = {"sign", "pi", "e", "inf", "nan", "arctan2", *FUNCTIONS}


def check_code(executed: list[types.CodeType]) -> None:
    """The code that was run names mathematical functions only."""
    for code in executed:
        inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
        if code.co_filename.startswith("<lambdifygenerated"):
            names = {name for part in inner for name in part.co_names}
            assert names <= ARITHMETIC, names


# --- random texts ---

WORDS = [*FUNCTIONS, "w1", "w2", "w3", "w9", "pi", "e", "1", "0", "2", "0.5", "3", "1e3", "-1"]
WORDS += ["x", "y", "ln", "π", "w_1", "w₂"]
SIGNS = ["+", "-", "*", "/", "^", "**", "(", ")", "|", " ", "(", ")", "²", "⁻³", "·", "−"]
EVIL = [
    "__import__", ".", "_", "lambda", "'", '"', "[", "]", "{", "}", ",", ";", ":", "=", "\n", "\0",
    "1j", "I", "oo", "nan", "import", "eval", "exec", "os", "\\", "#", "@", "%", "~", "&", "<", ">",
    "½", "ｗ１", "√", "\u202e", "🙂", "0x1", "1_0", "e9", "1e400", "999999999999", "__class__",
]  # fmt: skip


def random_text(dice: random.Random) -> str:
    """Return a random text: a loss, a loss with something broken in it, or soup."""
    kind = dice.random()
    if kind < 0.25:
        return random_loss(dice, dice.randrange(1, 5))
    if kind < 0.5:
        text = random_loss(dice, dice.randrange(1, 4))
        at = dice.randrange(len(text) + 1)
        cut = at + dice.choice((0, 0, 1, 2))
        return text[:at] + dice.choice([*EVIL, *SIGNS, *WORDS]) + text[cut:]
    if kind < 0.9:
        words = WORDS + SIGNS * 2 + (EVIL if kind > 0.7 else [])
        return "".join(dice.choice(words) for _ in range(dice.randrange(1, 25)))
    return "".join(
        chr(dice.choice((dice.randrange(128), dice.randrange(0x2FFF)))) for _ in range(9)
    )


def random_loss(dice: random.Random, levels: int) -> str:
    if levels == 0:
        return dice.choice(["w1", "w2", "w1", "w2", "3", "0.25", "pi", "7/3"])
    a, b = (random_loss(dice, levels - dice.choice((1, 1, 2)) if levels > 1 else 0) for _ in "ab")
    return dice.choice(
        [
            f"{a} + {b}",
            f"({a} - {b})",
            f"({a})*({b})",
            f"({a})/({b})",
            f"({a})^{dice.choice([2, 3, 4, -1, '0.5', '(1/3)', 100, 30])}",
            f"({a})^({b})",
            f"{dice.choice([*FUNCTIONS])}({a})",
            f"|{a}|",
            f"-{a}",
        ]
    )


@pytest.mark.slow
def test_fuzz(watch: Watch) -> None:
    dice, taken, slowest = random.Random(2018), 0, (0.0, "")
    for _ in range(FUZZ):
        text, refusal = random_text(dice), ""
        try:
            with watch():
                check_loss(text)
            taken += 1
            check_code(watch.executed)
        except ValueError as problem:
            refusal = str(problem)
            assert watch.executed == watch.outside == [], text
        assert refusal.startswith(("expression ", "a number ")) or not refusal, (text, refusal)
        slowest = max(slowest, (watch.seconds, text))
        if not refusal and taken % 5 == 0:
            slowest = max(slowest, (decided(text, dice.choice([1, 1.5, 2, 3, 5])), text))
    assert slowest[0] < SECONDS, slowest
    assert 0.1 * FUZZ < taken < 0.9 * FUZZ
    print(
        f"{FUZZ} texts, {taken} of them losses; the slowest took {slowest[0]:.2f} s: {slowest[1]}"
    )


def decided(text: str, depth: float) -> float:
    """Ask for the potential of a random loss, check the answer's form, and return the seconds."""
    loss, began = oe.SymbolicLoss(text), time.process_time()
    try:
        answer = oe.find_potential(loss, depth)
    except ValueError as problem:
        assert str(problem).startswith("expression "), text  # noqa: PT017
    else:
        assert answer.exists == (answer.potential is not None) == (answer.certificate is None)
        if answer.certificate is not None:
            assert answer.certificate.curl != 0
            assert answer.certificate.work != 0  # NaN if it is too large for doubles
        assert str(answer)
        assert answer.to_latex()
    return time.process_time() - began


# --- what is a loss: right where it is one ---

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


# A loss, where it is no real number, and where it is one.
NOT_REAL = {
    "1/w1": ((0, 1), (-1, 1)), "log(w1)": ((-1, 1), (2, 1)), "sqrt(w1)": ((-1, 1), (1, 1)),
    "w1^-0.5": ((0, 1), (1, 1)), "sqrt(w2)^4": ((1, -1), (1, 0)), "exp(log(w1))": ((0, 1), (1, 1)),
    "w1/w1": ((0, 1), (1, 1)), "1/(1/w1)": ((0, 1), (1, 1)), "0*log(w1)": ((-1, 1), (1, 1)),
    "(w1^0.5)^2 + w2": ((-1, 1), (1, 1)), "log(w1) - log(w1)": ((-1, 1), (1, 1)),
    "w1^-1*w1": ((0, 1), (1, 1)), "log(w1 - w2)": ((0, 1), (2, 1)),
}  # fmt: skip


@pytest.mark.parametrize("text", NOT_REAL)
def test_where_a_loss_is_no_real_number_it_is_not_finite_and_quiet(text: str) -> None:
    """Also where SymPy cancels what is not real, and where only the slope would be finite."""
    loss = pickle.loads(pickle.dumps(oe.SymbolicLoss(text)))
    no, yes = NOT_REAL[text]
    assert not np.isfinite(loss.value(no))
    assert not np.isfinite(loss.gradient(no)).all()
    assert np.isfinite(loss.value(yes))
    again = oe.SymbolicLoss(text).value([no, yes])  # in one batch
    np.testing.assert_array_equal(again, [loss.value(no), loss.value(yes)])


def test_a_sympy_expression_is_no_number_where_it_is_written_so() -> None:
    loss = oe.SymbolicLoss(sp.log(sp.Symbol("w1")))
    assert np.isnan(loss.gradient([-1.0, 0.0])).all()
    assert np.isnan(oe.SymbolicLoss("log(-1 - w1^2)").value([1.0, 1.0]))


@pytest.mark.parametrize("text", ["0/(1 + w3)", "w1 + 0/w3", "0*log(w3)", "(w3/w3) * w1"])
def test_a_variable_that_cancels_is_still_one_of_the_loss(text):
    loss = oe.SymbolicLoss(text)
    assert loss.shape == (3,)
    assert np.isfinite(loss.value([0.5, 0.5, 0.5]))
    assert loss.gradient([0.5, 0.5, 0.5]).shape == (3,)
    with pytest.raises(ValueError, match="dimension must be from 3 to 9"):
        oe.SymbolicLoss(text, dimension=2)
