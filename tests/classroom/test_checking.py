"""Handing in: `check`, `predict` and `compare`, and the progress that they keep."""

from __future__ import annotations

import json

import pytest

import overparam_edu as oe
from overparam_edu.classroom import checking
from overparam_edu.classroom.checking import Progress
from overparam_edu.classroom.exercise import Feedback
from overparam_edu.classroom.exercises import EXERCISES

RIGHT, WRONG, HINT = (
    1,
    25,
    "More weights move, but each of them less: the width is not in the rule.",
)


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
    assert feedback.text == HINT
    oe.predict("width_factor", RIGHT)
    assert oe.compare("width_factor").head == f"As you predicted ({RIGHT})"
    oe.predict("width_factor", ...)
    assert mine.predictions == {"width_factor": RIGHT}


def test_checking_a_prediction_predicts_and_compares(mine):
    assert oe.check("width_factor", RIGHT).verdict == "right"
    assert mine.predictions == {"width_factor": RIGHT}
    with pytest.raises(TypeError, match="answer must be a finite number or a word"):
        oe.check("width_factor", [1, 2])


@pytest.mark.parametrize("call", [oe.predict, lambda name, _: oe.compare(name)])
def test_only_some_exercises_ask_for_a_prediction(call):
    with pytest.raises(ValueError, match="asks for a prediction; got 'matrix_rule'"):
        call("matrix_rule", 1)


def test_a_misspelt_name_is_told_the_nearest():
    with pytest.raises(ValueError, match=r"such as matrix_rule.*got 'matrix_role'"):
        oe.check("matrix_role", 1)


def test_progress_survives_a_file(tmp_path, mine):
    oe.check("cure_of_the_stall", "B")
    oe.predict("width_factor", 3.5)
    path = mine.save(tmp_path / "mine.json")
    again = Progress().load(path)
    assert again.exercises == mine.exercises
    assert again.predictions == {"width_factor": 3.5}
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]


def test_what_is_known_here_wins_over_the_file(tmp_path):
    old, new = Progress(), Progress()
    old.note(Feedback("fold", "not yet", ""))
    path = old.save(tmp_path / "mine.json")
    new.note(Feedback("fold", "right", ""))
    assert new.load(path).exercises["fold"]["verdict"] == "right"


def _document(**changes):
    return json.dumps({"overparam_edu_progress": 1, "exercises": {}, "predictions": {}} | changes)


def _entry(*values):
    return _document(
        exercises={"fold": dict(zip(("verdict", "tries", "ever_right"), values, strict=False))}
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "not json", "[]", "{}"),
        *(_document(overparam_edu_progress=99), _document(exercises=[]), _document(predictions=3)),
        *(_entry(), _entry("perfect", 0, True), _entry("right", -1, True)),
        _entry("right", 0, "yes"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_changes_nothing(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    mine = Progress()
    mine.note(Feedback("fold", "right", ""))
    before = dict(mine.exercises)
    with pytest.raises(ValueError, match=r"path must be a file that .* wrote; got"):
        mine.load(path)
    assert mine.exercises == before
    with pytest.raises(FileNotFoundError):
        mine.load(tmp_path / "none.json")


def test_it_shows_itself(mine):
    oe.check("product_of_layers", lambda layers: layers[0])
    oe.check("cure_of_the_stall", "B")
    assert repr(mine).splitlines()[0] == "00: 0 of 1 right, 1 attempted"
    assert "07: 1 of 3 right, 1 attempted" in repr(mine)
    assert "<td>1 ●○○</td>" in mine._repr_html_()
