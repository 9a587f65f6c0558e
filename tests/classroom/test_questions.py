"""Self-check questions: each option has its answer, and mathematics is typeset."""

from __future__ import annotations

import re

import pytest

from overparam_edu.classroom.questions import QUESTIONS, Option, Question

EACH = pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))


@EACH
def test_every_option_has_its_own_answer_and_mathematics_is_typeset(question):
    assert sum(option.right for option in question.options) == 1
    assert len({option.says for option in question.options}) == len(question.options)
    assert len({option.text for option in question.options}) == len(question.options)
    boards = question.scene().board.values
    assert len(boards) == len(question.options) + 1
    assert "Right." not in boards[0]
    for option, board in zip(question.options, boards[1:], strict=True):
        assert ("✓ Right." in board) == option.right
        assert ("→ Not right." in board) != option.right
        assert not re.search(r"\$|\\[a-z]", re.sub(r"<annotation.*?</annotation>", "", board))


def test_the_right_answer_is_not_always_in_the_same_place():
    places = [[o.right for o in q.options].index(True) for q in QUESTIONS.values()]
    assert all(places.count(place) < 0.6 * len(places) for place in set(places))


@pytest.mark.parametrize("rights", [(), (True, True), (False, False), (True,)])
def test_a_question_has_two_options_or_more_and_one_right(rights):
    options = tuple(Option(str(n), right, "") for n, right in enumerate(rights))
    with pytest.raises(ValueError, match=r"options must be 2 to 6, one of them right; got"):
        Question("q", "00", "?", options)
