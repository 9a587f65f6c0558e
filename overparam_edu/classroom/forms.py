"""The forms of answers: which one came, which one is wanted, and reading what is meant.

A `Form` reads an answer that is no function. What a function returns is held against what the
solution returns at the same arguments: `conform`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from types import GeneratorType
from typing import Any, NamedTuple

import numpy as np

from overparam_edu.checks import Array, brief


class WrongForm(ValueError):
    """An answer has another form than is wanted; the text says which, and which is."""


class Form(NamedTuple):
    """What an answer has to be: in words, after “wanted is”, and a function that reads it.

    It returns what the properties are tested on, or raises anything.
    """

    wanted: str
    read: Callable[[Any], Any]

    def __call__(self, answer: Any) -> Any:
        """Return the answer as read, or raise what tells the student about its form."""
        try:
            return self.read(answer)
        except Exception:  # whatever an odd object raises when it is looked at
            pass
        raise WrongForm(f"You gave {described(answer)}; wanted is {self.wanted}.")


def described(value: Any) -> str:
    """Return what a value is, as a student would say it: “a tuple of 2”."""
    if value is None or value is ...:
        return "nothing (`None`)" if value is None else "the dots `...`"
    if isinstance(value, str):
        return f"the text `{brief(value)}`"
    if isinstance(value, (bool, np.bool_)):
        return f"the truth value `{value}`"
    if isinstance(value, (int, float, complex, np.number)):
        if value != value:
            return "NaN, which is not a number"
        complex_ = isinstance(value, (complex, np.complexfloating))
        shown = brief(value) if isinstance(value, int) else f"{value:.6g}"
        return f"the {'complex ' if complex_ else ''}number `{shown}`"
    if isinstance(value, np.ndarray):
        inside = _holding(value)
        if not value.ndim:
            return "a masked entry" if "masked" in inside else described(value.item())
        return f"an array of shape `{value.shape}`{inside}"
    if isinstance(value, (tuple, list)):
        try:
            inside = _holding(np.asarray(value))
        except Exception:  # rows of different lengths
            inside = ""
        return f"a {type(value).__name__} of {len(value)}{inside}"
    if isinstance(value, GeneratorType):
        return "a generator"
    if callable(value):
        return "a function"
    return f"{'an' if type(value).__name__[:1] in 'aeiouAEIOU' else 'a'} `{type(value).__name__}`"


def _holding(array: Array) -> str:
    """Return what is in an array that is no finite number, such as “ that holds NaN”."""
    holding = {"c": "complex numbers", "b": "truth values", "U": "text", "O": "objects"}
    inside = holding.get(array.dtype.kind, "")
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        inside = "masked entries"
    elif array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        inside = "NaN" if np.any(np.isnan(array)) else "infinity"
    return f" that holds {inside}" if inside else ""


def reals(value: Any) -> Array:
    """Return a number or array-like as a new float array, or raise a `WrongForm`.

    Refused are text, truth values, masked entries and imaginary parts that are not 0.
    """
    refused = WrongForm(f"{described(value)} is not made of real numbers")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise refused
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # fractions, SymPy's numbers
            if any(one is None or isinstance(one, (str, bool, np.bool_)) for one in array.flat):
                raise refused
            array = array.astype(complex)
    except Exception:
        raise refused from None
    if array.dtype.kind == "c":
        if np.any(np.abs(array.imag) > 1e-9 * max(1.0, np.abs(array).max(initial=0.0))):
            raise refused
        array = array.real
    if array.dtype.kind not in "fiu":
        raise refused
    return np.array(array, float)


def conform(got: Any, expected: Any) -> Any:
    """Return what a function returned, as plain floats in the form of `expected`, or raise.

    A number becomes a float, an array-like an array, a sequence a tuple or list.
    """
    if isinstance(expected, (tuple, list)):
        sequence = isinstance(got, (tuple, list)) or (isinstance(got, np.ndarray) and got.ndim)
        if not sequence or len(got) != len(expected):
            raise WrongForm(f"You returned {described(got)}; {_wanted(expected)}.")
        inside = []
        for place, (ours, theirs) in enumerate(zip(got, expected, strict=True), 1):
            try:
                inside.append(conform(ours, theirs))
            except WrongForm:
                which = f"Of the {len(got)} values that you returned, number {place}"
                raise WrongForm(f"{which} is {described(ours)}; {_wanted(theirs)}.") from None
        return type(expected)(inside)
    wrong = WrongForm(f"You returned {described(got)}; {_wanted(expected)}.")
    try:
        array, right = reals(got), reals(expected)
    except WrongForm:
        raise wrong from None
    if array.shape != right.shape or np.any(~np.isfinite(array) & np.isfinite(right)):
        raise wrong
    return array if array.ndim else float(array)


def _wanted(expected: Any) -> str:
    if isinstance(expected, tuple):
        return f"wanted are {len(expected)} values"
    if isinstance(expected, list):
        shapes = {np.shape(one) for one in expected}
        inside = f" arrays of shape `{shapes.pop()}`" if len(shapes) == 1 else " arrays"
        return f"wanted is a list of {len(expected)}{inside}"
    shape = np.shape(expected)
    return f"wanted is one array of shape `{shape}`" if shape else "wanted is one number"


# A number as people write it: about 10, 10x, 10 times, 4:1, 1/4, 0,8 (but not 1,000).
_SPOKEN = re.compile(
    r"(?:about|around|roughly|approx\.?|approximately|ca\.?|circa|[~≈=x×])?\s*"
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"
    r"(?:\s*[:/]\s*(?P<over>\d+\.?\d*))?"
    r"\s*(?:x|×|times|-?\s?fold)?\.?"
)


def read_number(value: Any) -> float:
    """Return a finite real number; text is read as people write it."""
    if isinstance(value, str):
        text = value.strip().casefold().replace("\N{MINUS SIGN}", "-")
        text = re.sub(r"(?<![\d.,])(\d+),(?=(?:\d{1,2})(?!\d)|(?<=\b0,)\d)", r"\1.", text)
        spoken = _SPOKEN.fullmatch(text)
        if spoken is None:
            raise ValueError
        number = float(Fraction(spoken["number"]) / Fraction(spoken["over"] or 1))
    else:
        array = reals(value)
        if array.ndim:
            raise ValueError
        number = float(array)
    if not math.isfinite(number):
        raise ValueError
    return number


NUMBER = Form('one number, such as `10`, `0.8` or `1/4` (or as text `"4:1"`)', read_number)


def letter(last: str) -> Form:
    """Return the form of a choice among the letters from A to `last`."""
    pattern = re.compile(rf"(?:answer\s+|option\s+)?\(?([A-{last}])[).:]{{0,2}}", re.IGNORECASE)

    def read(value: Any) -> str:
        found = pattern.fullmatch(value.strip())
        if found is None:
            raise ValueError
        return found[1].upper()

    return Form(f'one letter from A to {last}, in quotes: `"A"`', read)


def matrix(*shape: int) -> Form:
    """Return the form of a finite real matrix of a shape, as nested lists or an array."""

    def read(value: Any) -> Array:
        array = reals(value)
        if array.shape != shape or not np.all(np.isfinite(array)):
            raise ValueError
        return array

    return Form(f"one matrix of shape `{shape}`, its rows in brackets: `[[a, b], [c, d]]`", read)


def kind(wanted: str, *kinds: type, holds: Callable[[Any], Any] = lambda value: True) -> Form:
    """Return the form of an instance of one of some classes, for which `holds` is true."""

    def read(value: Any) -> Any:
        if not isinstance(value, kinds) or not holds(value):
            raise ValueError
        return value

    return Form(wanted, read)
