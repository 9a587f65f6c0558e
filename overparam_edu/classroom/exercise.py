"""An exercise as data, and the one way in which every answer is examined.

A check tests properties that the right answer has, not one formula. What fails is compared with
the usual wrong answers, so that the hint fits the mistake.
"""

from __future__ import annotations

import copy
import linecache
import sysconfig
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam_edu.checks import brief, one_of

VERDICTS = ("right", "not yet", "not attempted", "error in your code")
# Sign and colour, which never stands alone: the verdict is there in words.
_LOOK = {
    "right": ("✓", "#009E73"),
    "not yet": ("→", "#D55E00"),
    "not attempted": ("…", "#6E6E6E"),
    "error in your code": ("!", "#0072B2"),
}


@dataclass(frozen=True)
class Feedback:
    """The answer to an answer.

    Parameters
    ----------
    name : str
        The exercise.
    verdict : {"right", "not yet", "not attempted", "error in your code"}
    text : str
        What to say, in Markdown with ``$mathematics$``.
    hints : tuple of str
        Further help, from gentle to explicit, likewise.
    head : str
        The words shown for the verdict, if they differ from it.

    Raises
    ------
    ValueError
        If the verdict is another word.

    Examples
    --------
    >>> Feedback("matrix_rule", "not yet", "Look at the powers.", ("There are $N$ terms.",))
    → not yet: Look at the powers.
      Hint: There are $N$ terms.
    """

    name: str
    verdict: str
    text: str
    hints: tuple[str, ...] = field(default=())
    head: str = ""

    def __post_init__(self) -> None:
        one_of("verdict", self.verdict, VERDICTS)

    def __repr__(self) -> str:
        sign, _ = _LOOK[self.verdict]
        lines = [f"{sign} {self.head or self.verdict}: {self.text}"]
        return "\n".join([*lines, *(f"  Hint: {hint}" for hint in self.hints)])

    def _repr_html_(self) -> str:
        from overparam_edu.player.mathml import prose

        sign, colour = _LOOK[self.verdict]
        head = f"<strong>{sign} {self.head or self.verdict}</strong>"
        hints = "".join(f"<li>{prose(hint)}</li>" for hint in self.hints)
        more = f"<ul>{hints}</ul>" if hints else ""
        style = f"border-left:6px solid {colour};padding:4px 14px;font-size:1.1em"
        return f'<div role="status" style="{style}">{head}{prose(self.text)}{more}</div>'


KINDS = ("write", "predict", "choose", "find a counterexample", "break an assumption", "compare")
# Code in these folders is not the student's.
_NOT_THEIRS = (
    Path(__file__).resolve().parents[1],
    Path(sysconfig.get_path("stdlib")).resolve(),
    Path(sysconfig.get_path("purelib")).resolve(),
)
_LAST_HINT = "The folded cell below holds a solution. Compare it with yours, line by line."


class Property(NamedTuple):
    """Something that is true of every right answer.

    Parameters
    ----------
    says : str
        The property in a sentence, in Markdown.
    holds : callable
        From the student's answer to whether it has the property.
    """

    says: str
    holds: Callable[[Any], Any]


class Mistake(NamedTuple):
    """A usual wrong answer.

    Parameters
    ----------
    hint : str
        What helps whoever made it, in Markdown; it doesn't give the answer away.
    typical : object
        The wrong answer itself: a function where one is asked for.
    when : callable, optional
        Recognises answers of this kind. By default those that equal the typical one: the same
        number to 2 %, the same word, a function with the same values at the exercise's probes.
    """

    hint: str
    typical: Any
    when: Callable[[Any], Any] | None = None


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise: what is asked, what is right, and what usually goes wrong.

    Parameters
    ----------
    name : str
        An identifier: also the name of the student's answer.
    notebook : str
        Number of the notebook, such as ``"05"``.
    kind : str
        One of ``KINDS``.
    title : str
        A heading of a few words.
    prompt : str
        What is asked, in Markdown.
    solution : str
        Python source that defines `name`; it may use ``np`` and ``oe``.
    properties : tuple of Property
        Tested in this order, up to the first that fails.
    mistakes : tuple of Mistake
        Compared in this order, after a property has failed.
    hints : tuple of str
        For those who are still stuck, from gentle to explicit.
    probes : tuple of tuple
        Arguments at which a function is compared with mistakes. An exercise that asks for a
        function has at least one.
    praise : str
        What a right answer is told: why it matters.
    todo : str
        A comment beside what the student is to fill in.

    Raises
    ------
    ValueError
        If the name is no identifier or the kind is unknown.
    """

    name: str
    notebook: str
    kind: str
    title: str
    prompt: str
    solution: str
    properties: tuple[Property, ...]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    praise: str
    probes: tuple[tuple[Any, ...], ...] = ()
    todo: str = "your lines"

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier; got {brief(self.name)}")

    @property
    def stub(self) -> str:
        """Python source for the student to complete; run as it is, it does no harm."""
        if not self.probes:
            return f"{self.name} = ...  # {self.todo}"
        head = next(line for line in self.solution.splitlines() if line.startswith("def "))
        return f"{head}\n    return ...  # {self.todo}"


class _NotAttempted(Exception):
    """The student's function gave nothing."""


class _WrongShape(Exception):
    """The student's function gave another shape than is expected."""


def close(got: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Return whether two results agree to a fraction of the largest entry.

    Parameters
    ----------
    got, expected : array_like
        The student's result and ours.
    tolerance : float
        The fraction.

    Returns
    -------
    bool

    Raises
    ------
    _WrongShape
        If the shapes differ, for `examine` to tell the student.
    """
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    if got.shape != expected.shape:
        raise _WrongShape(
            f"Your result has the shape `{got.shape}` where `{expected.shape}` is expected."
        )
    return _agree(got, expected, tolerance)


def _agree(got: Any, expected: Any, tolerance: float) -> bool:
    scale = float(np.abs(expected).max(initial=0.0))
    return bool(np.all(np.abs(got - expected) <= tolerance * (scale or 1.0)))


def examine(exercise: Exercise, answer: Any, *, tries: int = 0) -> Feedback:
    """Return what to tell a student about an answer; never raises what their code raises.

    Parameters
    ----------
    exercise : Exercise
    answer : object
        A function, number, word or loss, as the exercise asks for; ``...`` or None for none.
    tries : int
        How many answers before this one were not right: the more, the more explicit the hints.

    Returns
    -------
    Feedback
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
            return Feedback(
                exercise.name, "error in your code", _plainly(problem), (hint,) if hint else ()
            )
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
    """Return a student's function that can't change our arguments, and says if it gave nothing."""

    def watched(*arguments: Any) -> Any:
        result = function(*copy.deepcopy(arguments))
        if result is None or result is ...:
            raise _NotAttempted
        return result

    return watched


def _first_failing(exercise: Exercise, answer: Any) -> str | None:
    """Return what to say about the first property that the answer lacks, or None."""
    for says, holds in exercise.properties:
        try:
            if not holds(answer):
                return f"This does not hold yet: {says}"
        except _WrongShape as shape:
            return f"{shape} (Tested: {says})"
    return None


def _recognised(exercise: Exercise, answer: Any) -> str | None:
    """Return the hint for the first mistake that the answer shows, or None."""
    for mistake in exercise.mistakes:
        try:
            if mistake.when is not None:
                found = mistake.when(answer)
            elif exercise.probes:
                found = all(
                    _same(answer(*arguments), mistake.typical(*arguments), 1e-6)
                    for arguments in exercise.probes
                )
            else:
                found = _same(answer, mistake.typical, 0.02)
        except (Exception, SystemExit):
            continue  # This mistake was not made: it doesn't even apply to such an answer.
        if found:
            return mistake.hint
    return None


def _same(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, str):
        return isinstance(got, str) and got.strip().casefold() == expected.casefold()
    if isinstance(expected, tuple):
        return len(got) == len(expected) and all(
            _same(ours, theirs, tolerance) for ours, theirs in zip(got, expected, strict=True)
        )
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    return got.shape == expected.shape and _agree(got, expected, tolerance)


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
