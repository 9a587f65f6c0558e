"""Hostile text for a loss: refused at once and in plain words, with nothing executed.

``OVERPARAM_EDU_FUZZ=200000 pytest tests/derivations/test_symbolic_loss.py -k fuzz`` tries as many
random texts as one likes.
"""

from __future__ import annotations

import contextlib
import os
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
from overparam_edu.derivations.own_loss import FUNCTIONS, parse

FUZZ = int(os.environ.get("OVERPARAM_EDU_FUZZ", "2000"))
SECONDS = 2.0

LONG = 10**6
REFUSED = {
    "empty": "",
    "spaces": " \t\n ",
    "dunder": "__import__('os').system('touch x')",
    "class": "w1.__class__.__bases__[0].__subclasses__()",
    "attribute": "w1.diff",
    "call of a method": "w1.subs(w1, 2)",
    "call of a variable": "w1(2)",
    "call with two": "exp(w1, w2)",
    "keyword": "sqrt(w1, evaluate=False)",
    "unpacking": "sqrt(*w1)",
    "unknown function": "eval(w1)",
    "gamma": "gamma(w1)",
    "unknown name": "x + y",
    "w0": "w0 + w1",
    "w10": "w10",
    "builtins": "__builtins__",
    "function without arguments": "sin",
    "power of a function": "sin^2",
    "lambda": "lambda: w1",
    "comprehension": "[w1 for w1 in (1,)]",
    "walrus": "(w1 := 3)",
    "statement": "w1; w2",
    "import": "import os",
    "assignment": "w1 = 3",
    "comparison": "w1 < w2",
    "boolean": "w1 and w2",
    "conditional": "w1 if w2 else 0",
    "index": "w1[0]",
    "tuple": "w1, w2",
    "dictionary": "{w1: w2}",
    "text": "'w1'",
    "bytes": "b'w1'",
    "f-string": "f'{w1}'",
    "imaginary": "1j*w1",
    "I": "I*w1",
    "octal": "0o17 + w1",
    "hexadecimal": "0x10*w1",
    "underscores": "1_000*w1",
    "NaN": "nan",
    "NaN in capitals": "w1 + NaN",
    "infinity": "inf*w1",
    "oo": "oo + w1",
    "zoo": "zoo",
    "root of a negative": "sqrt(-1)*w1",
    "power of a negative": "(-1)^0.5 + w1",
    "logarithm of 0": "log(0) + w1",
    "logarithm of a negative": "log(-2)*w1",
    "divided by 0": "w1/0",
    "divided by a hidden 0": "w1/(w2 - w2)",
    "0 to a negative": "0^-1 + w1",
    "0 over 0": "0/0",
    "huge power": "w1^(10^9)",
    "huge power of a sum": "(w1 + w2)^100000",
    "tower": "9^9^9^9 + w1",
    "tower with variables": "((w1^99)^99)^99",
    "huge number": "9" * 500 + "*w1",
    "huge exponent": "1e999*w1",
    "tiny exponent": "1e-999*w1",
    "exponential of much": "exp(exp(exp(9)))*w1",
    "exponential of little": "exp(-exp(9))*w1",
    "a million of characters": "w1+" * (LONG // 3) + "w1",
    "a million of spaces": " " * LONG,
    "a million of nines": "9" * LONG,
    "a million of brackets": "(" * LONG,
    "brackets": "(" * 500 + "w1" + ")" * 500,
    "minus signs": "-" * 1500 + "w1",
    "nested functions": "sin(" * 60 + "w1" + ")" * 60,
    "many operations": "+".join(f"sin({i}*w1)" for i in range(120)),
    "unbalanced": "((w1)",
    "closes too much": "w1)",
    "bars": "|w1",
    "bar that closes": "w1|",
    "ends early": "w1 +",
    "two signs": "w1 */ w2",
    "juxtaposed": "2 w1",
    "juxtaposed brackets": "(w1)(w2)",
    "number and name": "2w1",
    "percent": "w1 % 2",
    "floor division": "w1 // 2",
    "matrix product": "w1 @ w2",
    "bits": "w1 << 2",
    "comment": "w1 # + w2",
    "backslash": "w1 \\\n + w2",
    "null": "w1\0",
    "dollar": "$w1$",
    "script": "<script>alert(1)</script>",
    "full-width": "ｗ１",
    "full-width digit": "w１ + w2",
    "Arabic digit": "w1 + ٣",
    "superscript": "w1²",
    "subscript": "w₁",
    "minus sign": "w1 − w2",
    "Cyrillic": "ехр(w1)",
    "right to left": "w1 \u202e+ w2",
    "no width": "w\u200b1",
    "non-breaking": "w1\u00a0+\u00a0w2 ·",
    "surrogate": "w1 + \ud800",
    "emoji": "w1 + 🙂",
}
# Odd but sound: drawn, quickly and quietly.
TAKEN = {
    "long sum": "+".join(["w1"] * 500),
    "long product": "*".join(["w1", "w2"] * 25),
    "nested bars": "|" + "|w1| + " * 5 + "|w2||",
    "expanding": "(w1 + w2 + 1)^100",
    "power of powers": "((w1 + w2)^10)^10",
    "function of functions": "sin(cos(tan(sinh(cosh(tanh(exp(sin(w1*w2))))))))",
    "variable powers": "w1^w2^w1",
    "pole": "1/(w1*w2)",
    "pole nearby": "1/(w1^2 + w2^2 - 1)^40",
    "nowhere real": "log(-1 - w1^2)",
    "overflow": "exp(exp(exp(w1)))",
    "overflow of a power": "(10^30*w1)^100",
    "many signs": "-+-+w1",
    "brackets": "(" * 30 + "w1" + ")" * 30,
    "roots": "(w1 + (w2 + (w1 + w2^(1/3))^(1/3))^(1/3))^(1/7)",
    "wide": " + ".join(f"sin({i}*w1)*w2" for i in range(20)),
}

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


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_text_is_refused_at_once(name: str, watch: Watch) -> None:
    with pytest.raises(ValueError, match=r"^(expression|a number) ") as refusal, watch():
        oe.SymbolicLoss(REFUSED[name])
    assert watch.seconds < SECONDS
    assert watch.executed == watch.outside == []
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("name", TAKEN)
def test_odd_text_is_a_loss_within_two_seconds(name: str, watch: Watch) -> None:
    with watch():
        check_loss(TAKEN[name])
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


ARITHMETIC = {"sign", "pi", "e", "inf", "nan", *FUNCTIONS}


def check_code(executed: list[types.CodeType]) -> None:
    """The code that was run names mathematical functions only."""
    for code in executed:
        inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
        if code.co_filename.startswith("<lambdifygenerated"):
            names = {name for part in inner for name in part.co_names}
            assert names <= ARITHMETIC, names


# --- random texts ---

WORDS = [*FUNCTIONS, "w1", "w2", "w3", "w9", "pi", "e", "1", "0", "2", "0.5", "3", "1e3", "-1"]
SIGNS = ["+", "-", "*", "/", "^", "**", "(", ")", "|", " ", "(", ")"]
EVIL = [
    "__import__", ".", "_", "lambda", "'", '"', "[", "]", "{", "}", ",", ";", ":", "=", "\n", "\0",
    "1j", "I", "oo", "nan", "import", "eval", "exec", "os", "\\", "#", "@", "%", "~", "&", "<", ">",
    "²", "ｗ１", "−", "\u202e", "🙂", "0x1", "1_0", "e9", "1e400", "999999999999", "__class__",
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


def test_parse_is_the_door() -> None:
    assert parse("w1^2") == sp.Symbol("w1", real=True) ** 2
