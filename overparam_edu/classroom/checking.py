"""Where students hand in: `check` an answer, or `predict` first and `compare` afterwards."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from overparam_edu.checks import brief, number
from overparam_edu.classroom.exercise import VERDICTS, Exercise, Feedback, examine
from overparam_edu.classroom.exercises import EXERCISES

_FORMAT = 1


class Progress:
    """The exercises of one student; nothing leaves this computer.

    Attributes
    ----------
    exercises : dict
        From an exercise's name to its last ``verdict``, its number of ``tries`` that were not
        right, and whether it was ``ever_right``.
    predictions : dict
        From an exercise's name to what was predicted.
    """

    def __init__(self) -> None:
        self.exercises: dict[str, dict[str, Any]] = {}
        self.predictions: dict[str, Any] = {}

    def note(self, feedback: Feedback) -> None:
        """Remember a verdict, unless nothing was attempted or judged."""
        if feedback.verdict in ("not attempted", "not judged"):
            return
        before = self.exercises.get(feedback.name, {})
        right = feedback.verdict == "right"
        self.exercises[feedback.name] = {
            "verdict": feedback.verdict,
            "tries": self.tries(feedback.name) + (not right),
            "ever_right": before.get("ever_right", False) or right,
        }

    def tries(self, name: str) -> int:
        """Return how many answers to an exercise were not right."""
        return int(self.exercises.get(name, {}).get("tries", 0))

    def table(self) -> list[tuple[str, int, int, int]]:
        """Return for each notebook its number, exercises, attempted ones and right ones."""
        rows = []
        for notebook in sorted({exercise.notebook for exercise in EXERCISES.values()}):
            names = [e.name for e in EXERCISES.values() if e.notebook == notebook]
            known = [self.exercises[name] for name in names if name in self.exercises]
            rows.append((notebook, len(names), len(known), sum(k["ever_right"] for k in known)))
        return rows

    def save(self, path: str | Path) -> Path:
        """Write the progress to a JSON file of your own, in one stroke, and return its path."""
        target = Path(path)
        document = {
            "overparam_edu_progress": _FORMAT,
            "exercises": self.exercises,
            "predictions": self.predictions,
        }
        part = target.with_name(f".{target.name}.part")
        part.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
        part.replace(target)
        return target

    def load(self, path: str | Path) -> Progress:
        """Add what a file written by `save` holds; what is known here already is kept."""
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            known = document["overparam_edu_progress"] == _FORMAT
            exercises = {name: _checked(entry) for name, entry in document["exercises"].items()}
            predictions = dict(document["predictions"])
        except (ValueError, KeyError, TypeError, AttributeError):
            known = False
        if not known:
            raise ValueError(f"path must be a file that progress().save wrote; got {str(path)!r}")
        self.exercises = {**exercises, **self.exercises}
        self.predictions = {**predictions, **self.predictions}
        return self

    def __repr__(self) -> str:
        return "\n".join(
            f"{notebook}: {right} of {count} right, {attempted} attempted"
            for notebook, count, attempted, right in self.table()
        )

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col" style="text-align:left">{word}</th>'
            for word in ("notebook", "right", "attempted", "exercises")
        )
        rows = "".join(
            f"<tr><td>{notebook}</td><td>{right} {'●' * right}{'○' * (count - right)}</td>"
            f"<td>{attempted}</td><td>{count}</td></tr>"
            for notebook, count, attempted, right in self.table()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _checked(entry: Any) -> dict[str, Any]:
    """Return an exercise's entry from a file, or raise what `load` puts into plain words."""
    verdict, tries, right = entry["verdict"], entry["tries"], entry["ever_right"]
    if verdict not in VERDICTS or type(tries) is not int or tries < 0 or type(right) is not bool:
        raise ValueError
    return {"verdict": verdict, "tries": tries, "ever_right": right}


_SESSION = Progress()


def progress() -> Progress:
    """Return this session's progress: it shows itself, and can be saved to a file of your own.

    Returns
    -------
    Progress
        With ``.save(path)`` and ``.load(path)``. Forgotten when the kernel stops, unless saved.

    Examples
    --------
    >>> progress() is progress()
    True
    """
    return _SESSION


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
    TypeError, ValueError
        If there is no such exercise, or it asks for a prediction and `answer` is not one. An error
        in the answer's own code is reported, not raised.

    Examples
    --------
    >>> check("matrix_rule", ...).verdict
    'not attempted'
    """
    exercise = find(name)
    if exercise.kind == "predict":
        _predict(exercise, "answer", answer)
        return compare(name)
    feedback = examine(exercise, answer, tries=progress().tries(name))
    progress().note(feedback)
    return feedback


def predict(name: str, value: Any) -> None:
    """Store a prediction, to be compared once you have seen what happens.

    Parameters
    ----------
    name : str
        An exercise of the kind "predict".
    value : float or str
        What you expect. ``...`` or None stores nothing.

    Raises
    ------
    TypeError, ValueError
        If there is no such exercise, it asks for no prediction, or `value` is not one.

    Examples
    --------
    >>> predict("width_factor", 1.0)
    """
    _predict(_to_predict(name), "value", value)


def _to_predict(name: str) -> Exercise:
    exercise = find(name)
    if exercise.kind != "predict":
        raise ValueError(f"name must be an exercise that asks for a prediction; got {name!r}")
    return exercise


def _predict(exercise: Exercise, argument: str, value: Any) -> None:
    """Store a prediction as a plain number or word, so that it can be written to a file."""
    if value is None or value is ...:
        return
    if not isinstance(value, str):
        try:
            plain = number(argument, value)
        except (TypeError, ValueError):
            raise TypeError(
                f"{argument} must be a finite number or a word; got {brief(value)}"
            ) from None
        value = int(plain) if isinstance(value, (int, np.integer)) else plain
    progress().predictions[exercise.name] = value


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
    feedback = examine(exercise, value, tries=progress().tries(name))
    if feedback.verdict == "right":
        feedback = replace(feedback, head=f"As you predicted ({value})")
    elif feedback.verdict == "not yet":
        feedback = replace(feedback, head=f"A surprise: you predicted {value}")
    progress().note(feedback)
    return feedback
