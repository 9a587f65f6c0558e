"""Every exercise: right answers pass, usual wrong ones meet their hint, stubs are left alone."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.classroom.exercise import KINDS, Exercise, Feedback, Mistake, close, examine
from overparam_edu.classroom.exercises import EXERCISES

EACH = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
WRONG = {
    f"{e.name}-{n}": (e, hint, wrong)
    for e in EXERCISES.values()
    for n, (hint, wrong) in enumerate(e.mistakes.items())
}


def run(source: str, name: str) -> object:
    """Return what a cell's source gives to a name."""
    space = {"np": np, "oe": oe}
    exec(source, space)
    return space[name]


@EACH
def test_the_solution_is_right(exercise):
    feedback = examine(exercise, run(exercise.solution, exercise.name))
    assert feedback.verdict == "right", feedback
    assert exercise.praise in repr(feedback)


@EACH
def test_an_untouched_stub_is_not_attempted(exercise):
    feedback = examine(exercise, run(exercise.stub, exercise.name))
    assert feedback.verdict == "not attempted"


@pytest.mark.parametrize(("exercise", "hint", "wrong"), WRONG.values(), ids=list(WRONG))
def test_a_usual_mistake_meets_its_own_hint(exercise, hint, wrong):
    feedback = examine(exercise, wrong.typical if isinstance(wrong, Mistake) else wrong)
    assert feedback.verdict == "not yet", feedback
    assert feedback.text == hint


@EACH
def test_there_are_at_least_five_usual_mistakes(exercise):
    assert len(exercise.mistakes) >= 5


def test_every_notebook_has_its_exercises():
    counts = {f"{n:02}": 0 for n in range(10)}
    for exercise in EXERCISES.values():
        counts[exercise.notebook] += 1
    assert counts.pop("00") <= 1
    assert all(3 <= count <= 6 for count in counts.values()), counts


def test_all_kinds_are_there():
    assert {exercise.kind for exercise in EXERCISES.values()} == set(KINDS)


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


def test_hints_get_more_explicit_from_try_to_try():
    shown = [examine(DOUBLE, lambda x: x**2, tries=tries).hints for tries in range(4)]
    assert shown[:3] == [(), ("gentle",), ("gentle", "explicit")]
    assert "folded cell" in shown[3][-1]


def test_an_unknown_mistake_hears_which_property_fails():
    feedback = examine(DOUBLE, lambda x: x + 7)
    assert feedback.text == "This does not hold yet: 1 becomes 2"


def test_a_wrong_shape_is_named():
    assert "`(2, 1)` where `(2,)`" in examine(DOUBLE, lambda x: 2 * x[:, None]).text


def test_an_answer_cannot_change_our_arguments():
    def spoil(x):
        x *= 2
        return x

    assert examine(DOUBLE, spoil).verdict == "right"
    assert DOUBLE.probes[0][0].tolist() == [3.0, 4.0]


def test_a_number_where_a_function_is_asked_for():
    assert "def double" in examine(DOUBLE, 2.0).text


@pytest.mark.parametrize("problem", [SystemExit(3), RecursionError("deep"), KeyError("w")])
def test_whatever_the_answer_raises_is_shown(problem):
    def raising(x):
        raise problem

    feedback = examine(DOUBLE, raising)
    assert feedback.verdict == "error in your code"
    assert type(problem).__name__ in feedback.text


def test_not_implemented_is_not_attempted():
    def later(x):
        raise NotImplementedError

    assert examine(DOUBLE, later).verdict == "not attempted"


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
    assert (
        "<math" in examine(EXERCISES["fold"], lambda A, B, c, b: (B @ A, A @ c + b))._repr_html_()
    )
    feedback = Feedback("fold", "not yet", "Look at the powers.", ("There are $N$ terms.",))
    assert repr(feedback) == "→ not yet: Look at the powers.\n  Hint: There are $N$ terms."
    with pytest.raises(ValueError, match="verdict must be one of 'right'"):
        Feedback("fold", "perfect", "")
