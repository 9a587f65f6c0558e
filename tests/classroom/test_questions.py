"""Self-check questions: each option has its answer, and mathematics is typeset."""

from __future__ import annotations

import re

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.classroom.progress import Progress
from overparam_edu.classroom.questions import QUESTIONS, Option, Question

EACH = pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))


@EACH
def test_every_option_has_its_own_answer_and_mathematics_is_typeset(question):
    assert sum(option.right for option in question.options) == 1
    assert len({option.says for option in question.options}) == len(question.options)
    assert len({option.text for option in question.options}) == len(question.options)
    form = question.html()
    said = re.findall(r'<div class="(oe-\w+)" data-of="(.)">(.*?)</div>', form)
    assert [letter for _, letter, _ in said] == list(question.letters)
    for option, (verdict, letter, words) in zip(question.options, said, strict=True):
        assert verdict == ("oe-right" if option.right else "oe-wrong")
        assert ("✓ Right." in words) == option.right
        assert ("→ Not right." in words) != option.right
        assert (
            f'<label class="{verdict}"><input type="radio" name="answer" value="{letter}"' in form
        )
    assert not re.search(r"\$|\\[a-z]", re.sub(r"<annotation.*?</annotation>", "", form))
    assert "<p>" not in form.split("oe-said")[0]  # a legend or a row may hold no paragraph


def test_a_choice_is_kept_when_it_is_made_and_shown_again(monkeypatch, tmp_path):
    mine = Progress(tmp_path / "kept.jsonl")
    monkeypatch.setattr("overparam_edu.classroom.checking.progress", lambda: mine)
    card = oe.ask("same_functions")
    assert card.chosen == ""
    answers = []
    monkeypatch.setattr(card, "send_state", answers.append)
    for letter in ("B", "D", "nonsense", "D"):  # as a browser tells
        card._handle_custom_msg({"kind": "chosen", "chosen": letter}, [])
    assert answers == []
    kept = Progress(tmp_path / "kept.jsonl").keep().questions["same_functions"]
    assert kept == {"answer": "D", "ever_right": True}
    assert oe.ask("same_functions").chosen == "D"
    assert card.text.splitlines()[2] == "B  None"
    assert card.text in str(card._repr_mimebundle_()).replace("\\n", "\n")


def test_the_right_answer_is_not_always_in_the_same_place():
    places = [[o.right for o in q.options].index(True) for q in QUESTIONS.values()]
    assert all(places.count(place) < 0.6 * len(places) for place in set(places))


@pytest.mark.parametrize("rights", [(), (True, True), (False, False), (True,)])
def test_a_question_has_two_options_or_more_and_one_right(rights):
    options = tuple(Option(str(n), right, "") for n, right in enumerate(rights))
    with pytest.raises(ValueError, match=r"options must be 2 to 6, one of them right; got"):
        Question("q", "00", "?", options)


def test_the_numbers_in_the_answers_are_measured():
    words = {q.name: " ".join([q.asks, *(o.says for o in q.options)]) for q in QUESTIONS.values()}
    bowl = oe.QuadraticLoss([[0.02, 0.0], [0.0, 2.0]], [1.0, 0.05])
    tuned = oe.tuned_learning_rate(bowl, [0.01, 0.01], depth=[1, 2], target=1e-4)
    one, two = tuned.steps.astype(int)
    assert f"{two} steps at depth 2 against {one}" in words["control_p2"]
    rules = [oe.preconditioner(np.ones((1, 2)), N).matrix @ np.diag([1, 1 / 20]) for N in (1, 2, 3)]
    curvatures = [np.linalg.eigvals(rule).real for rule in rules]
    ratios = [each.max() / each.min() for each in curvatures]
    condition = [f"{ratio:.0f} at depth {N}" for N, ratio in enumerate(ratios, start=1)]
    assert all(said in words["own_slow"] for said in condition), condition
    runs = oe.recorded_convnet()
    read = 100 * (1 - runs.error_of("original").mean())
    assert f"{read:.0f} % of new digits" in words["mostly_decay"]
    assert f"ends at {runs.at_end('original').mean():.1f} while" in words["mostly_decay"]


def test_old_gradients_of_the_warm_up_fade_together():
    start = 0.01 * np.array([1.0, 1.0]) / np.sqrt(2)
    run = oe.run_warm_up(oe.two_feature_loss(p=2), start, 0.01, learning_rate=0.014, steps=1000)
    memory = oe.warm_up_coefficients(run.omega2[:-1], run.d_omega2, 0.014)
    rows = memory.mu[900, :300] / memory.mu[400, :300]
    assert (memory.gamma[400:901] < 0).all()
    np.testing.assert_allclose(rows, rows[0])
    assert 0 < rows[0] < 0.1
