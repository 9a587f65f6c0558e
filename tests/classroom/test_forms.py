"""Answers in other forms: read where they are unambiguous, told as forms where they are not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from overparam_edu.classroom.forms import NUMBER, WrongForm, conform, kind, letter, matrix, reals


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *((10, 10), ("10", 10), ("about 10", 10), ("~10", 10), ("≈ 10", 10), ("10x", 10)),
        *(("10 times", 10), ("10-fold", 10), ("× 10", 10), ("10×", 10), ("ca. 10", 10)),
        *(("0,8", 0.8), ("1,5", 1.5), ("0,125", 0.125), (".8", 0.8), ("-1", -1), ("\u22121", -1)),
        *(("4:1", 4), ("1/4", 0.25), ("1 : 4", 0.25), ("1e-3", 1e-3), (" 4. ", 4)),
        *((Fraction(10), 10), (sp.Integer(10), 10), (sp.Rational(1, 4), 0.25), (sp.sqrt(4), 2)),
        *((np.float32(0.5), 0.5), (np.int64(3), 3), (np.array(7.0), 7), (4 + 0j, 4)),
    ],
)
def test_a_number_is_read_as_people_write_it(given, meant):
    assert NUMBER(given) == meant


@pytest.mark.parametrize(
    ("given", "came"),
    [
        *(("ten", "the text `'ten'`"), ("1,000", "the text `'1,000'`"), ("", "the text `''`")),
        *(("2 or 3", "the text"), ("2-3", "the text"), ("50 %", "the text"), ("1/0", "the text")),
        *(([10], "a list of 1"), ((1, 2), "a tuple of 2"), ({}, "a `dict`"), ({1}, "a `set`")),
        *((True, "the truth value `True`"), (4 + 1j, "the complex number `4+1j`")),
        *((float("nan"), "NaN"), (np.inf, "the number `inf`"), (sp.Symbol("x"), "a `Symbol`")),
        *((lambda: 10, "a function"), ((x for x in [1]), "a generator")),
        (np.ones((2, 1)), "an array of shape `(2, 1)`"),
        (np.array([1j]), "an array of shape `(1,)` that holds complex numbers"),
        (np.ma.masked_array([1.0], [True]), "an array of shape `(1,)` that holds masked entries"),
        ("1e999", "the text"),
    ],
)
def test_what_is_no_number_is_told_with_the_spelling_that_is(given, came):
    with pytest.raises(WrongForm) as told:
        NUMBER(given)
    assert str(told.value).startswith(f"You gave {came}")
    assert "wanted is one number, such as `10`, `0.8` or `1/4`" in str(told.value)


@pytest.mark.parametrize("given", ["B", "b", "B)", "(B)", "(b).", " B. ", "answer b", "B:", "(B"])
def test_a_letter_is_read_with_its_brackets(given):
    assert letter("F")(given) == "B"


@pytest.mark.parametrize("given", ["G", "BC", "B or C", "", "2", 2, ["B"], None, "ab"])
def test_any_other_letter_is_told(given):
    with pytest.raises(WrongForm, match="wanted is one letter from A to F, in quotes"):
        letter("F")(given)


def test_a_matrix_and_an_instance():
    assert matrix(2, 2)(([1, 2], (3, Fraction(1, 2)))).tolist() == [[1, 2], [3, 0.5]]
    with pytest.raises(WrongForm, match=r"You gave a list of 2; wanted is one matrix of shape"):
        matrix(2, 2)([1, 2])
    for odd in ([[1, 2], [3, np.nan]], [[1, 2], [3, 1j]], [["1", "2"], ["3", "4"]], [[1], [2, 3]]):
        with pytest.raises(WrongForm):
            matrix(2, 2)(odd)
    short = kind("a short text", str, holds=lambda text: len(text) < 4)
    assert short("abc") == "abc"
    for odd in ("abcd", 3):
        with pytest.raises(WrongForm, match="wanted is a short text"):
            short(odd)


def test_what_a_function_returns_takes_the_form_of_the_solutions():
    assert conform([1, 2], np.zeros(2)).dtype == float
    assert type(conform(np.float32(1), 3)) is float
    assert conform(np.array([1 + 0j, 2]), np.zeros(2)).tolist() == [1, 2]
    assert conform(np.array([1, Fraction(1, 2)], object), np.zeros(2)).tolist() == [1, 0.5]
    assert conform([1, [2, 3]], (0, np.zeros(2)))[1].tolist() == [2, 3]
    assert [V.shape for V in conform(np.ones((3, 2, 2)), [np.eye(2)] * 3)] == [(2, 2)] * 3
    assert np.isnan(conform(float("nan"), float("nan")))


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        ((1, 2), np.zeros(3), "a tuple of 2; wanted is one array of shape `(3,)`."),
        ((1, 2), 0, "a tuple of 2; wanted is one number."),
        (1.0, (0, 0), "the number `1`; wanted are 2 values."),
        ((1, [2]), (0, 0), "Of the 2 values that you returned, number 2 is a list of 1; wanted is"),
        ((1, 2, 3), (0, 0), "a tuple of 3; wanted are 2 values."),
        (np.eye(2), [np.eye(2)] * 3, "(2, 2)`; wanted is a list of 3 arrays of shape `(2, 2)`."),
        ({}, 0, "You returned a `dict`; wanted is one number."),
        ("3", 0, "You returned the text `'3'`; wanted is one number."),
        (np.nan, 0, "You returned NaN, which is not a number; wanted is one number."),
        (np.array([1, np.nan]), np.zeros(2), "that holds NaN; wanted is one array"),
        ((x for x in [1]), [np.zeros(1)], "a generator; wanted is a list of 1"),
        ([[1], [2, 3]], np.zeros((2, 2)), "a list of 2; wanted is one array"),
    ],
)
def test_another_form_is_told_as_one(got, expected, said):
    with pytest.raises(WrongForm) as told:
        conform(got, expected)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "odd",
    [
        *("3", True, [True], 1j, [1, "2"], None, [None], np.ma.masked, [[1], [1, 2]], {1: 2}),
        *(object(), b"3", np.array([b"3"]), np.datetime64("2026-01-01"), 10**400),
        *(np.zeros(2, [("a", float)]), np.array(["a"]), range, iter([1])),
    ],
    ids=lambda odd: f"{type(odd).__name__} {odd}".split(" object at")[0][:40],
)
def test_nothing_but_real_numbers_counts(odd):
    with pytest.raises(WrongForm):
        reals(odd)
