"""Handing in: `check`, `predict`, `compare` and `ask`, and what they remember."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy

import overparam_edu as oe
from overparam_edu.classroom import checking
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.progress import Progress
from overparam_edu.classroom.questions import QUESTIONS

RIGHT, WRONG = 1, 25  # width_factor


@pytest.fixture(autouse=True)
def mine(monkeypatch):
    """Give each test a progress of its own."""
    fresh = Progress()
    monkeypatch.setattr(checking, "progress", lambda: fresh)
    return fresh


def test_a_wrong_answer_counts_and_hints_get_more_explicit(mine):
    exercise = EXERCISES["first_step_factor"]
    hint, wrong = next(iter(exercise.mistakes.items()))
    for tries in range(4):
        feedback = oe.check(exercise.name, wrong)
        assert feedback.text == hint
        assert len(feedback.hints) == min(tries, len(exercise.hints) + 1)
    assert mine.tries(exercise.name) == 4
    assert "folded cell" in feedback.hints[-1]


@pytest.mark.parametrize("answer", [..., None])
def test_an_untouched_answer_does_not_count(answer, mine):
    assert oe.check("first_step_factor", answer).verdict == "not attempted"
    assert mine.exercises == {}


def test_a_right_answer_stays_right_in_the_progress(mine):
    oe.check("cure_of_the_stall", "B")
    oe.check("cure_of_the_stall", "A")
    entry = {"verdict": "not yet", "tries": 1, "ever_right": True}
    assert mine.exercises == {"cure_of_the_stall": entry}


def test_a_prediction_is_stored_and_compared_later(mine):
    assert oe.compare("width_factor").verdict == "not attempted"
    oe.predict("width_factor", WRONG)
    assert mine.predictions == {"width_factor": WRONG}
    feedback = oe.compare("width_factor")
    assert feedback.head == f"A surprise: you predicted {WRONG}"
    assert feedback.text in EXERCISES["width_factor"].mistakes
    oe.predict("width_factor", RIGHT)
    assert oe.compare("width_factor").head == f"As you predicted ({RIGHT})"
    oe.predict("width_factor", ...)
    assert mine.predictions == {"width_factor": RIGHT}


def test_checking_a_prediction_predicts_and_compares(mine):
    assert oe.check("width_factor", RIGHT).head == f"As you predicted ({RIGHT})"
    assert mine.predictions == {"width_factor": RIGHT}


@pytest.mark.parametrize("answer", [..., None])
def test_checking_nothing_does_not_judge_what_was_predicted_before(answer, mine):
    oe.predict("width_factor", RIGHT)
    assert oe.check("width_factor", answer).verdict == "not attempted"
    assert mine.exercises == {}


class _Hostile:
    def __array__(self, *_, **__):
        raise RuntimeError("no")


@pytest.mark.parametrize("answer", [[1, 2], "perhaps", 1j, float("nan"), {}, _Hostile()])
def test_what_is_no_prediction_is_told_so_and_leaves_the_old_one(answer, mine):
    oe.predict("width_factor", RIGHT)
    feedback = oe.check("width_factor", answer)
    assert feedback.verdict in ("not yet", "error in your code")
    assert "predicted" not in feedback.head
    with pytest.raises((ValueError, RuntimeError)):
        oe.predict("width_factor", answer)
    assert mine.predictions == {"width_factor": RIGHT}


@pytest.mark.parametrize(
    "said", [10, 10.0, "10", "about 10", "10x", Fraction(10), sympy.Integer(10)]
)
def test_a_prediction_is_read_as_people_write_it(said, mine):
    oe.predict("width_factor", said)
    assert mine.predictions == {"width_factor": 10}
    assert oe.compare("width_factor").head == "A surprise: you predicted 10"


@pytest.mark.parametrize("call", [oe.predict, lambda name, _: oe.compare(name)])
def test_only_some_exercises_ask_for_a_prediction(call):
    with pytest.raises(ValueError, match="asks for a prediction; got 'single_rule'"):
        call("single_rule", 1)


def test_a_misspelt_name_is_told_the_nearest():
    with pytest.raises(ValueError, match=r"such as single_rule.*got 'single_role'"):
        oe.check("single_role", 1)


@pytest.mark.parametrize("letter", ["", "AB", "Z"])
def test_an_answer_that_is_no_longer_on_offer_is_not_shown(letter, mine):
    mine.answer("same_functions", letter, False)
    assert oe.ask("same_functions").chosen == ""


def test_a_question_is_shown_by_its_name():
    assert QUESTIONS["same_functions"].asks[:20] in oe.ask("same_functions").text
    for wrong in ("nothing", 3):
        with pytest.raises(ValueError, match="name must be one of same_functions"):
            oe.ask(wrong)
