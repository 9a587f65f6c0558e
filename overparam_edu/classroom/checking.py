"""Where students hand in: `check`, `predict` first and `compare` afterwards, `ask` a question."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from overparam_edu.checks import brief
from overparam_edu.classroom.exercise import Exercise, Feedback, examine
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.forms import WrongForm
from overparam_edu.classroom.progress import progress
from overparam_edu.classroom.questions import QUESTIONS

if TYPE_CHECKING:
    from overparam_edu.player.question import QuestionCard


def find(name: str) -> Exercise:
    """Return an exercise by its name, or raise a ValueError that suggests the nearest."""
    if not isinstance(name, str) or name not in EXERCISES:
        near = difflib.get_close_matches(str(name), EXERCISES, n=3) or list(EXERCISES)
        raise ValueError(f"name must be an exercise, such as {', '.join(near)}; got {brief(name)}")
    return EXERCISES[name]


def check(name: str, answer: Any) -> Feedback:
    """Check an answer to an exercise, and remember the verdict in `progress`.

    Parameters
    ----------
    name : str
        The exercise.
    answer : object
        What it asks for: a function, number, word or loss. ``...`` or None means not attempted.

    Returns
    -------
    Feedback
        A verdict and a hint that fits. Hints get more explicit from call to call.

    Raises
    ------
    ValueError
        If there is no such exercise. An error in the answer's own code is reported, not raised.

    Examples
    --------
    >>> check("layerwise_rule", ...).verdict
    'not attempted'
    """
    exercise = find(name)
    if exercise.kind == "predict" and answer is not None and answer is not ...:
        try:
            value = exercise.read(answer)
        except Exception:
            return _judged(exercise, answer)  # which tells what form is wanted
        progress().foresee(name, value)
        return compare(name)
    return _judged(exercise, answer)


def _judged(exercise: Exercise, answer: Any) -> Feedback:
    mine = progress()
    feedback = examine(exercise, answer, tries=mine.tries(exercise.name))
    mine.note(feedback)  # which reads the file again, since another lesson may have written
    return feedback


def predict(name: str, value: Any) -> None:
    """Store a prediction, to be compared once you have seen what happens.

    Parameters
    ----------
    name : str
        An exercise of the kind "predict".
    value : float or str
        What you expect, such as 10, "4:1" or "about 10". ``...`` or None stores nothing.

    Raises
    ------
    ValueError
        If there is no such exercise, it asks for no prediction, or `value` is not one.

    Examples
    --------
    >>> predict("width_factor", 1.0)
    """
    exercise = _to_predict(name)
    if value is not None and value is not ...:
        try:
            progress().foresee(name, exercise.read(value))
        except WrongForm as form:
            raise ValueError(f"value must be a prediction. {form}") from None


def _to_predict(name: str) -> Exercise:
    exercise = find(name)
    if exercise.kind != "predict":
        raise ValueError(f"name must be an exercise that asks for a prediction; got {name!r}")
    return exercise


def compare(name: str) -> Feedback:
    """Compare a stored prediction with what happens, measured now.

    Parameters
    ----------
    name : str
        The exercise.

    Returns
    -------
    Feedback
        Whether it came out as predicted. A surprise is no mistake: it says what to look at again.

    Raises
    ------
    ValueError
        If there is no such exercise, or it asks for no prediction.

    Examples
    --------
    >>> predict("width_factor", 1)
    >>> compare("width_factor").verdict
    'right'
    """
    exercise = _to_predict(name)
    value = progress().predictions.get(name)
    feedback = _judged(exercise, value)
    shown = f"{value:g}" if isinstance(value, (int, float)) else value
    heads = {
        "right": f"As you predicted ({shown})",
        "not yet": f"A surprise: you predicted {shown}",
    }
    return replace(feedback, head=heads.get(feedback.verdict, ""))


def ask(name: str) -> QuestionCard:
    """Show a self-check question, with the answer that was chosen last.

    Parameters
    ----------
    name : str
        The question.

    Returns
    -------
    QuestionCard
        Choose by mouse or touch, or by Tab, arrows and Enter; every answer is explained. Each
        choice is kept in `progress` at once.

    Raises
    ------
    ValueError
        If there is no such question.

    Examples
    --------
    >>> ask("same_functions").text.splitlines()[2]
    'B  None'
    """
    from overparam_edu.player.question import QuestionCard

    if not isinstance(name, str) or name not in QUESTIONS:
        raise ValueError(f"name must be one of {', '.join(QUESTIONS)}; got {brief(name)}")
    question = QUESTIONS[name]
    rights = {
        letter: option.right
        for letter, option in zip(question.letters, question.options, strict=True)
    }
    last = progress().questions.get(name, {}).get("answer")
    card = QuestionCard(question.html(), str(question), last if last in rights else "")

    def keep(change: Any) -> None:
        if change.new in rights:
            progress().answer(name, change.new, rights[change.new])

    card.observe(keep, "chosen")
    return card
