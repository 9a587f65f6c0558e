"""Every exercise: right answers pass, usual wrong ones meet their hint, stubs are left alone."""

from __future__ import annotations

import runpy
import signal
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.classroom.exercise import (
    KINDS,
    Exercise,
    Feedback,
    Mistake,
    Undecided,
    close,
    examine,
    has_potential,
)
from overparam_edu.classroom.exercises import EXERCISES

EACH = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))


# Right answers in unusual form. `right_answers/NAME.py` holds those of `exercises/NAME.py`: its
# RIGHT is a dict from an exercise's name to a list of answers, each as a student would hand it in.
@cache
def right_answers():
    files = sorted((Path(__file__).parent / "right_answers").glob("*.py"))
    return {
        name: answers
        for file in files
        for name, answers in runpy.run_path(str(file))["RIGHT"].items()
    }


def run(source: str, name: str) -> object:
    """Return what a cell's source gives to a name."""
    space = {"np": np, "oe": oe}
    exec(source, space)
    return space[name]


@EACH
def test_the_solution_is_right_and_five_mistakes_are_usual(exercise):
    assert len(exercise.mistakes) >= 5
    feedback = examine(exercise, run(exercise.solution, exercise.name))
    assert feedback.verdict == "right", feedback
    assert callable(exercise.praise) or exercise.praise in repr(feedback)


@pytest.mark.slow
@EACH
def test_a_right_answer_in_unusual_form_is_right(exercise):
    for n, answer in enumerate(right_answers()[exercise.name]):
        feedback = examine(exercise, answer)
        assert feedback.verdict == "right", (n, feedback)


@EACH
def test_an_untouched_stub_is_not_attempted(exercise):
    feedback = examine(exercise, run(exercise.stub, exercise.name))
    assert feedback.verdict == "not attempted"


@EACH
def test_a_usual_mistake_meets_its_own_hint(exercise):
    for hint, wrong in exercise.mistakes.items():
        feedback = examine(exercise, wrong.typical if isinstance(wrong, Mistake) else wrong)
        assert feedback.verdict == "not yet", feedback
        assert feedback.text == hint


@EACH
def test_every_exercise_declares_what_the_engine_needs(exercise):
    random = exercise.name == "identity_layers"  # no two right answers draw the same noise
    assert not exercise.probes or exercise.draw or random
    assert exercise.probes or exercise.returns or exercise.kind == "predict"
    assert len(right_answers()[exercise.name]) >= 10
    assert not any(says.endswith(".") for says in exercise.properties)


def test_every_notebook_has_its_exercises_of_every_kind():
    counts = Counter(exercise.notebook for exercise in EXERCISES.values())
    assert counts.pop("00") == 2
    assert set(counts) == {f"{n:02}" for n in range(1, 12)}
    assert all(3 <= count <= 6 for count in counts.values()), counts
    assert {exercise.kind for exercise in EXERCISES.values()} == set(KINDS)
    assert set(right_answers()) == set(EXERCISES)


@EACH
def test_a_broken_answer_is_told_plainly_and_never_raised(exercise):
    def broken(*arguments, **options):
        return 1 / 0

    answer = broken if exercise.probes else object()
    feedback = examine(exercise, answer)
    assert feedback.verdict in ("error in your code", "not yet")
    if exercise.probes:
        assert "ZeroDivisionError" in feedback.text
        assert "return 1 / 0" in feedback.text


@EACH
def test_strange_answers_are_never_raised_and_never_right(exercise):
    strange = [float("nan"), np.inf, "", [], {}, 1j, "((((", -1e308, np.ones((2, 0)), lambda: None]
    for answer in strange:
        assert examine(exercise, answer).verdict != "right", answer


# --- the mechanism ---

DOUBLE = Exercise(
    name="double",
    notebook="00",
    kind="write",
    title="Double",
    prompt="Twice x.",
    solution="def double(x):\n    return 2 * x",
    properties={"1 becomes 2": lambda f: close(f(np.ones(2)), [2.0, 2.0])},
    mistakes={"That is the square.": lambda x: x**2},
    hints=("gentle", "explicit"),
    praise="Yes.",
    probes=((np.array([3.0, 4.0]),),),
)
ONE = np.ones(2)


def test_hints_get_more_explicit_from_try_to_try():
    shown = [examine(DOUBLE, lambda x: x**2, tries=tries).hints for tries in range(4)]
    assert shown[:3] == [(), ("gentle",), ("gentle", "explicit")]
    assert "folded cell" in shown[3][-1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: x + 7, "Fails this test: 1 becomes 2."),
        (
            lambda x: 2 * x[:, None],
            "an array of shape `(2, 1)`; wanted is one array of shape `(2,)`",
        ),
        (2.0, "def double"),
    ],
)
def test_what_is_said_of_an_unknown_mistake(answer, said):
    assert said in examine(DOUBLE, answer).text


def test_an_answer_cannot_change_our_arguments():
    def spoil(x):
        x *= 2
        return x

    assert examine(DOUBLE, spoil).verdict == "right"
    assert DOUBLE.probes[0][0].tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    "problem",
    [
        *(SystemExit(3), GeneratorExit(), BaseException("odd"), RecursionError("deep")),
        *(KeyError("w"), NotImplementedError(), MemoryError(), StopIteration()),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_whatever_the_answer_raises_is_shown(problem):
    def raising(x):
        raise problem

    feedback = examine(DOUBLE, raising)
    assert feedback.verdict == "error in your code"
    assert type(problem).__name__ in feedback.text
    assert "raise problem" in feedback.text


DRAWN = replace(
    DOUBLE,
    properties={},
    draw=lambda rng: (rng.standard_normal(rng.integers(1, 5)),),
    mistakes={"That is the square.": lambda x: x**2, "The first only.": lambda x: 2 * x[:2]},
)


def test_random_arguments_come_last_and_are_shown():
    assert examine(DRAWN, lambda x: x + x).verdict == "right"
    feedback = examine(DRAWN, lambda x: 2 * abs(x))
    assert feedback.verdict == "not yet"
    assert "Fails this test: for `x` = `[" in feedback.text
    assert "it returns `[" in feedback.text
    assert "]` is right" in feedback.text


def test_a_hint_is_given_only_if_it_is_true_at_all_arguments():
    assert examine(DRAWN, lambda x: x**2).text == "That is the square."
    close_to_it = examine(DRAWN, lambda x: x**2 if x.size == 2 else x)
    assert close_to_it.text not in DRAWN.mistakes
    stops = replace(DRAWN, mistakes={"It stops.": lambda x: 2 * x / (x[1] > -9)})
    assert examine(stops, lambda x: 2 * x + (x.size == 1)).text == "It stops."
    never = replace(DRAWN, mistakes={"It stops.": lambda x: 1 / 0})
    assert "Fails this test" in examine(never, lambda x: 3 * x).text


def test_an_array_or_error_in_a_recogniser_is_no_hint():
    odd = {"array": Mistake(None, lambda f: np.ones(2)), "error": Mistake(None, lambda f: 1 / 0)}
    feedback = examine(replace(DOUBLE, mistakes=odd), lambda x: 3 * x)
    assert feedback.text == "Fails this test: 1 becomes 2."


def test_each_argument_is_a_copy_of_its_own():
    pair = replace(
        DOUBLE,
        solution="def double(x, layers):\n    return x + layers[0] + layers[1]",
        properties={"threefold": lambda f: close(f(ONE, (ONE, ONE)), 3 * ONE)},
    )

    def spoiling(x, layers):
        x += layers.pop()
        x += layers.pop()
        return x

    assert examine(pair, spoiling).verdict == "right"
    assert ONE.tolist() == [1.0, 1.0]


def test_a_property_can_leave_an_answer_unjudged():
    def unsure(f):
        raise Undecided("Nobody knows.")

    feedback = examine(replace(DOUBLE, properties={"unsure": unsure}), lambda x: x)
    assert (feedback.verdict, feedback.text) == ("not judged", "Nobody knows.")


def test_praise_can_depend_on_the_answer():
    praised = replace(DOUBLE, praise=lambda f: f"One becomes {f(np.ones(1))[0]:.0f}.")
    assert examine(praised, lambda x: 2 * x).text == "One becomes 2."


@pytest.mark.parametrize(
    ("loss", "exists"),
    [
        (oe.SeparableLp((1.0, 0.1), p=2), True),
        (oe.SeparableLp((1.0, 0.1), p=3), False),
        (oe.QuadraticLoss([[2, 0], [0, 1]], [1, 0.5]), False),
        (oe.QuadraticLoss([[2, 0], [0, 2]], [1, 0.5]), True),
        (oe.LinearLoss([0.3, -1]), True),
        (oe.LpRegression([[1, 1], [1, -1]], [1, 0.5], p=2), True),
        (oe.LpRegression([[1, 0], [1, 1]], [1, 0.5]), False),
        (oe.SymbolicLoss("|w1 - 1| + |w2 - 0.5|"), False),
    ],
    ids=repr,
)
def test_the_library_decides_about_a_potential(loss, exists):
    assert has_potential(loss, 2) == exists


def test_the_library_says_so_where_it_cannot_decide():
    with pytest.raises(Undecided, match="a loss of the library's"):
        has_potential(SimpleNamespace(shape=(2,)), 2)


def test_an_interrupted_check_judges_nothing():
    def endless(x):
        while True:
            signal.raise_signal(signal.SIGINT)

    feedback = examine(DOUBLE, endless)
    assert feedback.verdict == "not judged"
    assert "You interrupted the check in your line" in feedback.text


def test_the_students_own_line_is_shown_not_the_librarys():
    def slip(x):
        return np.linalg.inv(x)  # a vector

    feedback = examine(DOUBLE, slip)
    assert "return np.linalg.inv(x)" in feedback.text
    assert "LinAlgError" in feedback.text


def test_feedback_shows_words_signs_and_mathematics():
    html = examine(DOUBLE, lambda x: x**2, tries=1)._repr_html_()
    for shown in ("not yet", 'role="status"', "gentle"):
        assert shown in html
    feedback = Feedback("fold", "not yet", "Look at the powers.", ("There are $N$ terms.",))
    assert "<math" in feedback._repr_html_()
    assert repr(feedback) == "→ not yet: Look at the powers.\n  Hint: There are $N$ terms."
    with pytest.raises(ValueError, match="verdict must be one of 'right'"):
        Feedback("fold", "perfect", "")
