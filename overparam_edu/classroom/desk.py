"""Where students hand in: `check` an answer, or `predict` first and `compare` afterwards."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

import numpy as np

from overparam_edu._validation import _shown, number
from overparam_edu.classroom.exercise import Exercise, examine
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.feedback import Feedback
from overparam_edu.classroom.progress import progress


def find(name: str) -> Exercise:
    """Return an exercise by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Exercise

    Raises
    ------
    ValueError
        If there is none; the error names the nearest.
    """
    if not isinstance(name, str) or name not in EXERCISES:
        near = difflib.get_close_matches(str(name), EXERCISES, n=3) or list(EXERCISES)
        raise ValueError(f"name must be an exercise, such as {', '.join(near)}; got {_shown(name)}")
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
    TypeError, ValueError
        If there is no such exercise, or it asks for a prediction and `answer` is none. An error in
        the answer's own code is reported, not raised.

    Examples
    --------
    >>> check("matrix_rule", ...).verdict
    'not attempted'
    """
    exercise = find(name)
    if exercise.kind == "predict":
        predict(name, _plain("answer", answer))
        return compare(name)
    feedback = examine(exercise, answer, tries=progress().tries(name))
    progress().note(feedback)
    return feedback


def predict(name: str, value: Any) -> None:
    """Store a prediction, to be compared when you have seen what happens.

    Parameters
    ----------
    name : str
        An exercise of the kind "predict".
    value : float or str
        What you expect. ``...`` or None stores nothing.

    Raises
    ------
    TypeError, ValueError
        If there is no such exercise, it asks for no prediction, or `value` is none.

    Examples
    --------
    >>> predict("width_factor", 1.0)
    """
    if find(name).kind != "predict":
        raise ValueError(f"name must be an exercise that asks for a prediction; got {name!r}")
    if (plain := _plain("value", value)) is not None:
        progress().predictions[name] = plain


def _plain(name: str, value: Any) -> float | str | None:
    """Return a prediction as it is kept, None if there is none."""
    if value is None or value is ...:
        return None
    if isinstance(value, str):
        return value
    try:
        plain = number(name, value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a finite number or a word; got {_shown(value)}") from None
    return int(plain) if isinstance(value, (int, np.integer)) else plain


def compare(name: str) -> Feedback:
    """Compare a stored prediction with what happens, measured now.

    Parameters
    ----------
    name : str
        The exercise.

    Returns
    -------
    Feedback
        Whether it came as predicted. A surprise is no mistake: it says what to look at again.

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
    exercise = find(name)
    if exercise.kind != "predict":
        raise ValueError(f"name must be an exercise that asks for a prediction; got {name!r}")
    value = progress().predictions.get(name)
    feedback = examine(exercise, value, tries=progress().tries(name))
    if feedback.verdict == "right":
        feedback = replace(feedback, head=f"As you predicted ({value})")
    elif feedback.verdict == "not yet":
        feedback = replace(feedback, head=f"A surprise: you predicted {value}")
    progress().note(feedback)
    return feedback
