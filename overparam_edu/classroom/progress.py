"""What a student has attempted and got right: kept in memory, and in a file only if they ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from overparam_edu.classroom.feedback import VERDICTS, Feedback

_FORMAT = 1


class Progress:
    """The exercises of one student. Nothing leaves this computer.

    Attributes
    ----------
    exercises : dict
        From an exercise's name to its last ``verdict``, its number of ``tries`` that were not
        right, and whether it was ``ever_right``.
    predictions : dict
        From an exercise's name to what was predicted.

    Examples
    --------
    >>> mine = Progress()
    >>> mine.note(Feedback("matrix_rule", "not yet", "Look at the powers."))
    >>> mine.tries("matrix_rule")
    1
    """

    def __init__(self) -> None:
        self.exercises: dict[str, dict[str, Any]] = {}
        self.predictions: dict[str, Any] = {}

    def note(self, feedback: Feedback) -> None:
        """Remember a verdict.

        Parameters
        ----------
        feedback : Feedback
        """
        if feedback.verdict == "not attempted":
            return
        before = self.exercises.get(feedback.name, {})
        right = feedback.verdict == "right"
        self.exercises[feedback.name] = {
            "verdict": feedback.verdict,
            "tries": before.get("tries", 0) + (not right),
            "ever_right": before.get("ever_right", False) or right,
        }

    def tries(self, name: str) -> int:
        """Return how many answers to an exercise were not right.

        Parameters
        ----------
        name : str

        Returns
        -------
        int
        """
        return int(self.exercises.get(name, {}).get("tries", 0))

    def table(self) -> list[tuple[str, int, int, int]]:
        """Return for each notebook its number, exercises, attempted ones and right ones.

        Returns
        -------
        list of tuple
        """
        from overparam_edu.classroom.exercises import EXERCISES

        notebooks = sorted({exercise.notebook for exercise in EXERCISES.values()})
        rows = []
        for number in notebooks:
            names = [e.name for e in EXERCISES.values() if e.notebook == number]
            known = [self.exercises[name] for name in names if name in self.exercises]
            rows.append((number, len(names), len(known), sum(k["ever_right"] for k in known)))
        return rows

    def save(self, path: str | Path) -> Path:
        """Write the progress to a file of your own.

        Parameters
        ----------
        path : str or Path
            A JSON file; replaced in one stroke if it is there.

        Returns
        -------
        Path
            Where it is.

        Raises
        ------
        OSError
            If it can't be written.
        """
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
        """Add what a file holds to this progress; what is known here already is kept.

        Parameters
        ----------
        path : str or Path
            A file that `save` wrote.

        Returns
        -------
        Progress
            This one.

        Raises
        ------
        OSError
            If it can't be read.
        ValueError
            If it is no such file.
        """
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
        lines = [
            f"{number}: {right} of {count} right, {attempted} attempted"
            for number, count, attempted, right in self.table()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col" style="text-align:left">{word}</th>'
            for word in ("notebook", "right", "attempted", "exercises")
        )
        rows = "".join(
            f"<tr><td>{number}</td><td>{right} {_dots(right, count)}</td>"
            f"<td>{attempted}</td><td>{count}</td></tr>"
            for number, count, attempted, right in self.table()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _dots(right: int, count: int) -> str:
    return "●" * right + "○" * (count - right)


def _checked(entry: Any) -> dict[str, Any]:
    """Return an exercise's entry from a file, or raise what `load` turns into plain words."""
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
