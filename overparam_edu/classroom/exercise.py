"""An exercise as data, and how an answer to it is examined.

A check tests properties of the right answer, not one formula. An answer that lacks one is compared
with the usual mistakes, so that the hint fits.
"""

from __future__ import annotations

import copy
import linecache
import sysconfig
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam_edu.checks import brief, one_of

KINDS = ("write", "predict", "choose", "find a counterexample", "break an assumption", "compare")
# Each with its sign and colour; the words are always there as well.
VERDICTS = {
    "right": ("✓", "#009E73"),
    "not yet": ("→", "#D55E00"),
    "not attempted": ("…", "#6E6E6E"),
    "error in your code": ("!", "#0072B2"),
}
# Code in these folders is not the student's.
_NOT_THEIRS = (
    Path(__file__).resolve().parents[1],
    Path(sysconfig.get_path("stdlib")).resolve(),
    Path(sysconfig.get_path("purelib")).resolve(),
)
_LAST_HINT = "The folded cell below holds a solution. Compare it with yours, line by line."


class Mistake(NamedTuple):
    """A typical wrong answer, and a test that recognises all answers of its kind."""

    typical: Any
    when: Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise: what is asked, what is right, and what usually goes wrong; in Markdown."""

    name: str  # an identifier, also the name of the student's answer
    notebook: str  # number of the notebook, such as "05"
    kind: str  # one of KINDS
    title: str
    prompt: str
    solution: str  # Python source that defines the name; it may use np and oe
    # What is true of every right answer, and how to test it; up to the first that fails.
    properties: Mapping[str, Callable[[Any], Any]]
    # A hint and the wrong answer that it helps with: a `Mistake`, or the answer itself. That stands
    # for all equal to it: a number to 2 %, a word, a function with the same values at the probes.
    mistakes: Mapping[str, Any]
    hints: tuple[str, ...]  # for those who are still stuck, from gentle to explicit
    praise: str  # what a right answer is told: why it matters
    # Arguments at which a function is compared with mistakes; some if a function is asked for.
    probes: tuple[tuple[Any, ...], ...] = ()
    todo: str = "your lines"  # beside what the student is to fill in

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier; got {brief(self.name)}")

    @property
    def stub(self) -> str:
        """Python source for the student to complete; run as it is, it does no harm."""
        if not self.probes:
            todo = "your guess: a number" if self.kind == "predict" else self.todo
            return f"{self.name} = ...  # {todo}"
        head = next(line for line in self.solution.splitlines() if line.startswith("def "))
        return f"{head}\n    return ...  # {self.todo}"


@dataclass(frozen=True)
class Feedback:
    """What a student is told: a verdict, a text and further hints, the last two in Markdown.

    ``head`` replaces the verdict where it is shown.
    """

    name: str
    verdict: str
    text: str
    hints: tuple[str, ...] = ()
    head: str = ""

    def __post_init__(self) -> None:
        one_of("verdict", self.verdict, tuple(VERDICTS))

    def __repr__(self) -> str:
        sign, _ = VERDICTS[self.verdict]
        lines = [f"{sign} {self.head or self.verdict}: {self.text}"]
        return "\n".join([*lines, *(f"  Hint: {hint}" for hint in self.hints)])

    def _repr_html_(self) -> str:
        from overparam_edu.player.mathml import prose

        sign, colour = VERDICTS[self.verdict]
        head = f"<strong>{sign} {self.head or self.verdict}</strong>"
        hints = "".join(f"<li>{prose(hint)}</li>" for hint in self.hints)
        more = f"<ul>{hints}</ul>" if hints else ""
        style = f"border-left:6px solid {colour};padding:4px 14px;font-size:1.1em"
        return f'<div role="status" style="{style}">{head}{prose(self.text)}{more}</div>'


class _NotAttempted(Exception):
    """The student's function returned nothing."""


class _WrongShape(Exception):
    """The student's function returned another shape than is expected."""


def close(got: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Return whether two results agree to a fraction of the largest expected entry.

    Where their shapes differ it raises what `examine` tells the student.
    """
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    if got.shape != expected.shape:
        raise _WrongShape(
            f"Your result has the shape `{got.shape}` where `{expected.shape}` is expected."
        )
    scale = float(np.abs(expected).max(initial=0.0))
    return bool(np.all(np.abs(got - expected) <= tolerance * (scale or 1.0)))


def examine(exercise: Exercise, answer: Any, *, tries: int = 0) -> Feedback:
    """Return what to tell a student about an answer; never raise what their code raises.

    The more answers before this one were not right (`tries`), the more explicit the hints.
    """
    if answer is None or answer is ...:
        return _untouched(exercise)
    if exercise.probes and not callable(answer):
        text = f"This asks for a function: keep the line that begins with `def {exercise.name}`."
        return Feedback(exercise.name, "not yet", text)
    watched = _watched(answer) if exercise.probes else answer
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            failed = _first_failing(exercise, watched)
        except (_NotAttempted, NotImplementedError):
            return _untouched(exercise)
        except (Exception, SystemExit) as problem:
            hint = _recognised(exercise, watched)
            hints = (hint,) if hint else ()
            return Feedback(exercise.name, "error in your code", _plainly(problem), hints)
        if failed is None:
            return Feedback(exercise.name, "right", exercise.praise)
        hint = _recognised(exercise, watched)
    more = (*exercise.hints, _LAST_HINT)[:tries]
    return Feedback(exercise.name, "not yet", hint or failed, more)


def _untouched(exercise: Exercise) -> Feedback:
    what = "It returns nothing yet" if exercise.probes else "Nothing here yet"
    text = f"{what}. Fill in the cell above and run both cells again."
    return Feedback(exercise.name, "not attempted", text)


def _watched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a student's function that can't change our arguments and says if it gave nothing."""

    def watched(*arguments: Any) -> Any:
        result = function(*copy.deepcopy(arguments))
        if result is None or result is ...:
            raise _NotAttempted
        return result

    return watched


def _first_failing(exercise: Exercise, answer: Any) -> str | None:
    """Return what to say about the first property that the answer lacks, or None."""
    for says, holds in exercise.properties.items():
        try:
            if not holds(answer):
                return f"This does not hold yet: {says}"
        except _WrongShape as shape:
            return f"{shape} (Tested: {says})"
    return None


def _recognised(exercise: Exercise, answer: Any) -> str | None:
    """Return the hint for the first mistake that the answer shows, or None."""
    for hint, wrong in exercise.mistakes.items():
        try:
            if isinstance(wrong, Mistake):
                found = wrong.when(answer)
            elif exercise.probes:
                found = all(_same(answer(*at), wrong(*at), 1e-6) for at in exercise.probes)
            else:
                found = _same(answer, wrong, 0.02)
        except (Exception, SystemExit):
            continue  # This mistake was not made: it doesn't even apply to such an answer.
        if found:
            return hint
    return None


def _same(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, str):
        return isinstance(got, str) and got.strip().casefold() == expected.casefold()
    if isinstance(expected, tuple):
        pairs = zip(got, expected, strict=True)
        return all(_same(ours, theirs, tolerance) for ours, theirs in pairs)
    return close(got, expected, tolerance)


def _plainly(problem: BaseException) -> str:
    """Return an exception as a student can read it, with the line of theirs that raised it."""
    text = f"`{type(problem).__name__}: {' '.join(str(problem).split())[:200]}`"
    trace, where = problem.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        line = linecache.getline(file, trace.tb_lineno).strip()
        if line and not any(Path(file).is_relative_to(folder) for folder in _NOT_THEIRS):
            where = f" in your line `{line}`"
        trace = trace.tb_next
    return f"Python stopped{where} with {text}."
