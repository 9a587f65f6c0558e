"""What a student has done, kept by itself in one file of their own, the same for all lessons.

Each thing done is one line of JSON, appended in one stroke, and nothing in the file is ever
written over. So lessons that run at once add to each other, and a kernel that is killed loses one
line at most. Whoever writes also adds what the file lacks of what they know.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import secrets
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from overparam_edu.classroom.exercise import VERDICTS, Feedback

FILE = "overparam_edu_progress.jsonl"
# The environment variable for another file, or a folder for it; os.devnull keeps nothing.
PLACE = "OVERPARAM_EDU_PROGRESS"
DONE, TRIED, OPEN = "●◐○"
_LEGEND = f"{DONE} done, {TRIED} tried, {OPEN} open"
_COLUMNS = ("exercises", "predictions", "questions")
_MARK, _VERSION = "overparam_edu_progress", 2
_OPENING = f'{{"{_MARK}": '.encode()  # of each line
_BOM = b"\xef\xbb\xbf"

# A card may be answered in another thread than the one that runs cells.
_LOCK = threading.RLock()

Event = dict[str, Any]


class Lesson(NamedTuple):
    """What was done of a lesson: a sign, `DONE`, `TRIED` or `OPEN`, for each of its items."""

    number: str
    exercises: str
    predictions: str
    questions: str

    @property
    def signs(self) -> str:
        """All signs."""
        return self.exercises + self.predictions + self.questions


class Log(NamedTuple):
    """What a file holds: events by their names, and how many of its lines are something else."""

    events: dict[str, Event]
    newer: int = 0  # written by a later edition
    unread: int = 0
    ours: bool = True  # may be appended to


def read(path: Path) -> Log:
    """Return what a file holds; a missing one, and what is no plain file, holds nothing."""
    if not path.is_file():
        return Log({})
    data = path.read_bytes().removeprefix(_BOM)
    events: dict[str, Event] = {}
    newer = unread = 0
    for line in filter(None, map(bytes.strip, data.split(b"\n"))):
        event = _parsed(line)
        version = event.get(_MARK) if isinstance(event, dict) else None
        if version == _VERSION and _sound(event):
            events[event["id"]] = event
        elif isinstance(version, int) and version > _VERSION:
            newer += 1
        elif event is not None or line[: len(_OPENING)] != _OPENING[: len(line)]:
            # Otherwise it was cut short.
            unread += 1
    if events or newer or not unread:
        return Log(events, newer, unread)
    return Log({event["id"]: event for event in _first_edition(_parsed(data))}, ours=False)


def _parsed(data: bytes) -> Any:
    """Return what JSON stands for, or None if it can't be read."""
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def _sound(event: Event) -> bool:
    """Return whether an event of this edition is whole."""
    try:
        zone = datetime.fromisoformat(event["at"]).utcoffset()
    except (ValueError, TypeError, KeyError):
        return False
    if zone is None or not isinstance(event.get("id"), str):
        return False
    match event:
        case {"exercise": str(), "verdict": str() as verdict, "tries": int() as tries}:
            return verdict in VERDICTS and tries >= 0 and isinstance(event.get("ever_right"), bool)
        case {"prediction": str(), "value": int() | float() as value}:
            return abs(value) < 1e300  # nor NaN
        case {"sketch": str(), "drawn": {"at": dict(), "points": [*points]}}:
            return all(map(_is_point, points))
        case {"prediction": str(), "value": str()} | {
            "question": str(),
            "answer": str(),
            "right": bool(),
        }:
            return True
    return False


def _is_point(point: Any) -> bool:
    """Return whether a point of a sketch is three numbers: its place, as drawn, as it is."""
    match point:
        case [int() | float(), int() | float(), int() | float()]:
            return all(abs(number) < 1e300 for number in point)
    return False


def _first_edition(document: Any) -> list[Event]:
    """Return what is in a file of the first edition, one document, as events."""
    try:
        if document[_MARK] != 1:
            return []
        done = [{"exercise": name} | entry for name, entry in document["exercises"].items()]
        done += [{"prediction": n, "value": v} for n, v in document["predictions"].items()]
    except (KeyError, TypeError, AttributeError):
        return []
    old = {_MARK: _VERSION, "at": "2000-01-01T00:00:00.000+00:00"}
    events = [old | {"id": f"first-{json.dumps(entry)}"} | entry for entry in done]
    return events if all(map(_sound, events)) else []


def _aside(path: Path) -> str:
    """Rename a file, so that nothing in it is lost, and return its new name."""
    file = path.resolve()
    names = (f"{file.stem}_aside_{number}{file.suffix}" for number in itertools.count(1))
    kept = next(other for other in map(file.with_name, names) if not other.exists())
    file.rename(kept)
    return kept.name


def _append(path: Path, events: Iterable[Event]) -> None:
    """Append events in one stroke, each behind the end of a line: the last may be cut short."""
    data = b"".join(b"\n" + json.dumps(event).encode() for event in events)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab", buffering=0) as file:
        while data:  # a second time only where room was short: it raises
            data = data[file.write(data) :]


class Progress:
    """What one student has done; nothing leaves this computer.

    Attributes
    ----------
    path : Path or None
        Where it is kept by itself; None keeps it in memory only.
    trouble : str
        Why it is not kept there at present; empty if all is well.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.trouble = ""
        self._known: dict[str, Event] = {}
        self._said: set[str] = set()
        self._name = secrets.token_hex(6)

    # --- what is known ---

    def _events(self, kind: str) -> list[Event]:
        return [
            event for event in sorted(self._known.values(), key=itemgetter("at")) if kind in event
        ]

    @property
    def exercises(self) -> dict[str, dict[str, Any]]:
        """From an exercise's name to its last ``verdict``, ``tries`` not right, ``ever_right``."""
        found: dict[str, dict[str, Any]] = {}
        for event in self._events("exercise"):
            before = found.get(event["exercise"], {"tries": 0, "ever_right": False})
            found[event["exercise"]] = {
                "verdict": event["verdict"],
                "tries": before["tries"] + event["tries"],
                "ever_right": before["ever_right"] or event["ever_right"],
            }
        return found

    @property
    def predictions(self) -> dict[str, Any]:
        """From an exercise's name to what was predicted last."""
        return {event["prediction"]: event["value"] for event in self._events("prediction")}

    @property
    def sketches(self) -> dict[str, Any]:
        """From the name of a curve to what was drawn of it last, ``{"at": ..., "points": ...}``.

        ``points`` has place, height as drawn, and true height; ``at`` says of which curve.
        """
        return {event["sketch"]: event["drawn"] for event in self._events("sketch")}

    @property
    def questions(self) -> dict[str, dict[str, Any]]:
        """From a question's name to the last ``answer``, a letter, and whether ``ever_right``."""
        found: dict[str, dict[str, Any]] = {}
        for event in self._events("question"):
            right = event["right"] or found.get(event["question"], {}).get("ever_right", False)
            found[event["question"]] = {"answer": event["answer"], "ever_right": right}
        return found

    def tries(self, name: str) -> int:
        """Return how many answers to an exercise were not right."""
        return int(self.exercises.get(name, {}).get("tries", 0))

    @property
    def last(self) -> str:
        """The day of the last thing done, such as "2026-11-26"; empty if there is none."""
        return max(map(itemgetter("at"), list(self._known.values())), default="")[:10]

    def table(self) -> list[Lesson]:
        """Return what was done of each lesson of the course."""
        from overparam_edu.classroom.exercises import EXERCISES  # takes a while
        from overparam_edu.classroom.questions import QUESTIONS

        exercises, predictions, questions = self.exercises, self.predictions, self.questions

        def signs(names: Iterable[str], known: dict[str, dict[str, Any]]) -> str:
            states = [known.get(name, {}).get("ever_right") for name in names]
            return "".join({True: DONE, False: TRIED, None: OPEN}[state] for state in states)

        rows = []
        lessons = {exercise.notebook for exercise in EXERCISES.values()}
        for number in sorted(lessons | {question.notebook for question in QUESTIONS.values()}):
            here = [e for e in EXERCISES.values() if e.notebook == number]
            guesses = [e.name for e in here if e.kind == "predict"]
            rows.append(
                Lesson(
                    number,
                    signs([e.name for e in here if e.kind != "predict"], exercises),
                    "".join(DONE if name in predictions else OPEN for name in guesses),
                    signs([q.name for q in QUESTIONS.values() if q.notebook == number], questions),
                )
            )
        return rows

    # --- what is new ---

    def note(self, feedback: Feedback) -> None:
        """Remember a verdict, unless nothing was attempted or judged."""
        right = feedback.verdict == "right"
        if feedback.verdict not in ("not attempted", "not judged"):
            event = {"verdict": feedback.verdict, "tries": int(not right), "ever_right": right}
            self._add(exercise=feedback.name, **event)

    def foresee(self, name: str, value: float | str) -> None:
        """Remember a prediction."""
        self._add(prediction=name, value=value)

    def sketch(self, name: str, drawn: dict[str, Any]) -> None:
        """Remember a curve drawn by hand."""
        self._add(sketch=name, drawn=drawn)

    def answer(self, name: str, letter: str, right: bool) -> None:
        """Remember an answer to a question."""
        self._add(question=name, answer=letter, right=right)

    def _add(self, **event: Any) -> None:
        # Never before what is known, even if a clock is wrong: the last one counts.
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with _LOCK:
            at = max([now, *(known["at"] for known in self._known.values())])
            name = f"{self._name}-{len(self._known)}"
            self._known[name] = {_MARK: _VERSION, "id": name, "at": at} | event
            self.keep()

    # --- files ---

    def keep(self) -> Progress:
        """Take over what the file holds and add what it lacks; say once what can't be done."""
        if self.path is None:
            return self
        try:
            self._merge(self.path)
            self.trouble = ""
        except OSError as problem:
            self.trouble = (
                f"Your progress can't be kept in {self.path}: {problem.strerror or problem}. The "
                "lessons go on, and remember it until their kernel stops. "
                '`oe.progress().save("FILE")` writes it to another place.'
            )
            self._say(self.trouble)
        return self

    def _merge(self, path: Path) -> None:
        with _LOCK:
            log = read(path)
            self._known = log.events | self._known
            if not log.ours:
                kept = _aside(path)
                how = "What it says is taken over" if log.events else "Nothing in it could be read"
                self._say(f"{path} was no progress file of this edition: it is now {kept}. {how}.")
            found = log.events if log.ours else {}
            lacking = [event for name, event in self._known.items() if name not in found]
            if lacking:
                _append(path, lacking)
        self._tell(path, log)

    def _tell(self, path: Path, log: Log) -> None:
        whys = {"a newer overparam-edu wrote": log.newer, "can't be read": log.unread}
        for why, count in whys.items():
            if count:
                self._say(f"Left as it is in {path}: {count} line{'s' * (count > 1)} that {why}.")

    def _say(self, words: str) -> None:
        if words not in self._said:
            print(words)
        self._said.add(words)

    def save(self, path: str | Path) -> Path:
        """Add the progress to a file of your own, made if it is missing, and return its path."""
        target = Path(path).expanduser()
        self.keep()._merge(target)
        return target

    def load(self, path: str | Path) -> Progress:
        """Add what a file written by `save`, or kept by the lessons, holds; return the progress."""
        file = Path(path).expanduser()
        file.stat()  # raises if there is none
        log = read(file)
        if not log.events:
            newer = ", which needs a newer overparam-edu" if log.newer else ""
            raise ValueError(
                f"path must be a file that progress().save wrote; got {str(path)!r}{newer}"
            )
        self._tell(file, log)
        with _LOCK:
            self._known = log.events | self._known
        return self.keep()

    # --- shown ---

    def _where(self) -> str:
        if self.path is None:
            return "It is forgotten when the kernel stops."
        return self.trouble or (
            f"Kept by itself in {self.path}, after every check, prediction and answer."
        )

    def __repr__(self) -> str:
        rows = [["lesson", *_COLUMNS]]
        rows += [[row.number, *map(_counted, row[1:])] for row in self.table()]
        lines = ["".join(f"{cell:16}" for cell in row).rstrip() for row in rows]
        return "\n".join([*lines, _LEGEND, self._where()])

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th scope="col" style="text-align:left">{word}</th>' for word in ("lesson", *_COLUMNS)
        )
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{row.number}</th>'
            + "".join(f'<td style="text-align:left">{_counted(signs)}</td>' for signs in row[1:])
            + "</tr>"
            for row in self.table()
        )
        return (
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{_LEGEND}<br>{html.escape(self._where())}</p>"
        )


def _counted(signs: str) -> str:
    return f"{signs.count(DONE)} of {len(signs)} {signs}" if signs else ""


def _place() -> Path | None:
    """Return the file that the environment names, by default one beside the notebook that runs."""
    named = os.environ.get(PLACE)
    if named == os.devnull:
        return None
    if named:
        place = Path(named).expanduser().absolute()
        return place / FILE if place.is_dir() else place
    # Jupyter tells the notebook's path, which stays when a lesson changes the folder.
    folder = Path(os.environ.get("JPY_SESSION_NAME", "")).parent
    return (folder if folder.is_dir() else Path()).absolute() / FILE


_MINE = Progress(_place())


def progress() -> Progress:
    """Return your progress in the whole course; it shows itself, and says where it is kept.

    Returns
    -------
    Progress
        Kept by itself in one file beside the notebooks, or in the file or folder that the
        environment variable ``OVERPARAM_EDU_PROGRESS`` names. ``.save(path)`` adds it to another
        file as well, ``.load(path)`` adds what another file holds.

    Examples
    --------
    >>> progress() is progress()
    True
    """
    return _MINE.keep()
