"""An exercise as data, and how an answer to it is examined.

A check tests properties of the right answer, not one formula. An answer that lacks one is compared
with the usual mistakes, so that the hint fits. What an exercise can rely on:

- A function that is tested gets its own copy of every argument (tuples come as lists), so that it
  may change them; only what it returns counts. What it returns arrives in the properties in the
  form of what the solution returns at the same arguments: floats, float arrays, tuples, lists.
  Another form is told as one, here, not in the exercise.
- `draw` makes random arguments. As the last test an answer has to agree with the solution at
  `DRAWS` of them: draw everything that an answer could ignore (sizes, signs, powers, positions).
- A mistake that is a function is recognised if it agrees with the answer at all `probes` and drawn
  arguments at which it raises nothing, or at given ones (`seen_at`). `Mistake.when` must be true of
  any answer that its hint is true of, and no other.
- An answer that is no function is read by `returns`, a `forms.Form`; properties and `when` see
  what was read.
- `praise` is true of every right answer, or a function of the answer.
- A property that the library can decide asks it (`has_potential`, `oe.race_depths`); where it can't
  be decided it raises `Undecided`, and the answer isn't judged.
"""

from __future__ import annotations

import copy
import inspect
import linecache
import sysconfig
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam_edu.checks import brief, one_of
from overparam_edu.classroom.forms import NUMBER, Form, WrongForm, conform, described, reals

KINDS = ("write", "predict", "choose", "find a counterexample", "break an assumption", "compare")
# Each with its sign and colour; the words are always there as well.
VERDICTS = {
    "right": ("✓", "#009E73"),
    "not yet": ("→", "#D55E00"),
    "not attempted": ("…", "#6E6E6E"),
    "error in your code": ("!", "#0072B2"),
    "not judged": ("…", "#6E6E6E"),
}
DRAWS = 12
# Code in these folders is not the student's.
_NOT_THEIRS = (
    Path(__file__).resolve().parents[1],
    Path(sysconfig.get_path("stdlib")).resolve(),
    Path(sysconfig.get_path("purelib")).resolve(),
)
# Lessons are handed out without solutions too.
_LAST_HINT = "If your copy has solutions, the folded cell below holds one to compare, line by line."


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
    praise: str | Callable[[Any], str]  # what a right answer is told: why it matters
    # Arguments at which a function is compared with mistakes; some if a function is asked for.
    probes: tuple[tuple[Any, ...], ...] = ()
    todo: str = "your lines"  # beside what the student is to fill in
    # Random arguments, from a generator, at which a function has to agree with the solution.
    draw: Callable[[np.random.Generator], tuple[Any, ...]] | None = None
    tolerance: float = 1e-6  # of that, relative to the largest entry
    returns: Form | None = None  # of an answer that is no function; a prediction is a number

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        if not self.name.isidentifier():
            raise ValueError(f"name must be an identifier; got {brief(self.name)}")

    @cached_property
    def reference(self) -> Any:
        """What the solution defines: a function, or an answer."""
        import overparam_edu as oe

        space = {"np": np, "oe": oe}
        exec(self.solution, space)
        return space[self.name]

    @cached_property
    def cases(self) -> tuple[tuple[Any, ...], ...]:
        """The probes and the drawn arguments, the same ones each time."""
        if self.draw is None:
            return self.probes
        rng = np.random.default_rng(len(self.solution))
        return (*self.probes, *(self.draw(rng) for _ in range(DRAWS)))

    def read(self, answer: Any) -> Any:
        """Return an answer that is no function as the form reads it, or raise a `WrongForm`."""
        form = self.returns or (NUMBER if self.kind == "predict" else None)
        return form(answer) if form else answer

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


class Undecided(Exception):
    """A property can't be decided for this answer; the text says why, as a sentence."""


class _NotAttempted(Exception):
    """The student's function returned the dots of the stub."""


class _Stopped(Exception):
    """An exception of the student's code, the cause, ended the test that the text names."""


def close(got: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Return whether two results agree to a fraction of the largest expected entry, NaN with NaN.

    Where they differ in shape or are no real numbers it raises what `examine` tells the student.
    """
    got, expected = reals(got), reals(expected)
    if got.shape != expected.shape:
        raise WrongForm(
            f"You returned {described(got)}; wanted is one array of shape `{expected.shape}`."
        )
    scale = float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
    return np.allclose(got, expected, rtol=0, atol=tolerance * (scale or 1.0), equal_nan=True)


def own(value: Any) -> Any:
    """Return a copy that shares nothing, not even twice the same array; a tuple becomes a list."""
    return [own(v) for v in value] if isinstance(value, (tuple, list)) else copy.deepcopy(value)


def seen_at(cases: Sequence[tuple[Any, ...]], wrong: Callable[..., Any]) -> Mistake:
    """Return a mistake that is a function, recognised by what it gives at these arguments alone.

    For one that stops with an error at other arguments, shapes for example.
    """
    return Mistake(wrong, lambda f: all(_same(f(*at), wrong(*own(at)), 1e-6) for at in cases))


def examine(exercise: Exercise, answer: Any, *, tries: int = 0) -> Feedback:
    """Return what to tell a student about an answer; never raise, whatever it is or does.

    The more answers before this one were not right (`tries`), the more explicit the hints.
    """
    state = np.geterr()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _judged(exercise, answer, tries)
    except KeyboardInterrupt as stop:
        text = f"You interrupted the check{_where(stop)}. Nothing was judged."
        return Feedback(exercise.name, "not judged", text)
    except Undecided as why:
        return Feedback(exercise.name, "not judged", str(why))
    except _NotAttempted:
        return _untouched(exercise)
    except BaseException as problem:
        return Feedback(exercise.name, "error in your code", _plainly(problem))
    finally:
        np.seterr(**state)


def _judged(exercise: Exercise, answer: Any, tries: int) -> Feedback:
    """Return the feedback on an answer; exceptions that need no hint are left to `examine`."""
    if answer is None or answer is ...:
        return _untouched(exercise)
    if exercise.probes and not callable(answer):
        text = f"This asks for a function: keep the line that begins with `def {exercise.name}`."
        return Feedback(exercise.name, "not yet", f"{text} You gave {described(answer)}.")
    loose = strict = answer
    verdict, hints = "not yet", (*exercise.hints, _LAST_HINT)[:tries]
    try:
        if exercise.probes:
            loose, strict = _watched(exercise, answer)
        else:
            try:
                loose = strict = exercise.read(answer)
            except WrongForm as form:
                if not isinstance(answer, (bool, complex, list, np.ndarray)):
                    raise
                return Feedback(exercise.name, verdict, str(form), hints)  # fits no mistake
        failed = _first_failing(exercise, strict)
        if failed is None:
            praise = exercise.praise
            praise = praise if isinstance(praise, str) else praise(strict)
            return Feedback(exercise.name, "right", praise)
    except (KeyboardInterrupt, Undecided, _NotAttempted):
        raise
    except WrongForm as form:
        failed = str(form)
    except _Stopped as stop:
        verdict = "error in your code"
        failed = f"{_plainly(stop.__cause__ or stop)} (Tested: {stop}.)"
    except BaseException as problem:
        verdict, failed = "error in your code", _plainly(problem)
    hint = _recognised(exercise, loose)
    if verdict == "error in your code":
        return Feedback(exercise.name, verdict, failed, (hint,) if hint else ())
    return Feedback(exercise.name, verdict, hint or failed, hints)


def _untouched(exercise: Exercise) -> Feedback:
    what = "It returns nothing yet" if exercise.probes else "Nothing here yet"
    text = f"{what}. Fill in the cell above and run both cells again."
    return Feedback(exercise.name, "not attempted", text)


def _watched(
    exercise: Exercise, function: Callable[..., Any]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a student's function with copies for arguments: as it is, and with its form tested."""

    def loose(*arguments: Any) -> Any:
        result = function(*own(arguments))
        if result is ...:
            raise _NotAttempted
        return result

    def strict(*arguments: Any) -> Any:
        result = loose(*arguments)
        if result is None:
            raise WrongForm("Your function returns nothing (`None`). Does it end with `return`?")
        try:
            expected = exercise.reference(*own(arguments))
        except Exception:
            return result  # The property asks what the solution doesn't answer.
        return conform(result, expected)

    return loose, strict


def _first_failing(exercise: Exercise, answer: Any) -> str | None:
    """Return what to say about the first test that the answer fails, or None."""
    for says, holds in exercise.properties.items():
        try:
            if not holds(answer):
                return f"Fails this test: {says}."
        except WrongForm as form:
            raise WrongForm(f"{form} (Tested: {says}.)") from None
        except (Undecided, _NotAttempted):
            raise
        except Exception as problem:
            raise _Stopped(says) from problem
    if exercise.draw is None:
        return None
    for at in exercise.cases:
        got, right = answer(*at), exercise.reference(*own(at))
        if not _same(got, right, exercise.tolerance):
            values = f"it returns {_shown(got)}, and {_shown(right)} is right"
            return f"Fails this test: {_arguments(exercise, at)} {values}."
    return None


def _arguments(exercise: Exercise, at: tuple[Any, ...]) -> str:
    """Return the arguments that can be shown in a line, by name: “for `N` = 3”."""
    names = inspect.signature(exercise.reference).parameters
    shown = [f"`{n}` = {_shown(v)}" for n, v in zip(names, at, strict=False) if _shown(v)]
    return f"for {', '.join(shown)}" if shown else "for other arguments"


def _shown(value: Any) -> str:
    """Return numbers, and arrays of a line, as code; of anything else its shape or nothing."""
    if isinstance(value, (tuple, list)):
        inside = [_shown(one) for one in value]
        shown = f"({', '.join(inside)})"
        if all(inside) and len(value) < 5:
            return shown if len(shown) < 80 else described(value)
        return ""
    if not isinstance(value, (int, float, np.number, np.ndarray)):
        return ""
    if np.size(value) > 6:
        return described(value)
    return f"`{np.array2string(np.asarray(value), precision=4, separator=', ')}`".replace("\n", "")


def _recognised(exercise: Exercise, answer: Any) -> str | None:
    """Return the hint for the first mistake that the answer shows, or None."""
    for hint, wrong in exercise.mistakes.items():
        try:
            if isinstance(wrong, Mistake):
                found = bool(wrong.when(answer))
            elif exercise.probes:
                found = _agree(answer, wrong, exercise.cases)
            else:
                found = _same(answer, wrong, 0.02)
        except KeyboardInterrupt:
            raise
        except BaseException:
            continue  # This mistake was not made: it doesn't even apply to such an answer.
        if found:
            return hint
    return None


def _agree(answer: Any, wrong: Callable[..., Any], cases: Sequence[tuple[Any, ...]]) -> bool:
    """Return whether two functions give the same wherever the second gives anything, once at least.

    A typical wrong answer may stop with an error at some arguments, shapes for example.
    """
    agreeing = False
    for at in cases:
        try:
            expected = wrong(*own(at))
        except Exception:
            continue
        agreeing = _same(answer(*at), expected, 1e-6)
        if not agreeing:
            return False
    return agreeing


def _same(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, str):
        return isinstance(got, str) and got.strip().casefold() == expected.casefold()
    if isinstance(expected, (tuple, list)):
        if len(got) != len(expected):
            return False
        pairs = zip(got, expected, strict=True)
        return all(_same(ours, theirs, tolerance) for ours, theirs in pairs)
    return close(got, expected, tolerance)


def _plainly(problem: BaseException) -> str:
    """Return an exception as a student can read it, with the line of theirs that raised it."""
    try:
        said = " ".join(str(problem).split())[:200]
    except BaseException:
        said = "(its text can't be shown)"
    said = f"{type(problem).__name__}{': ' if said else ''}{said}"
    return f"Python stopped{_where(problem)} with `{said}`."


def _where(problem: BaseException) -> str:
    """Return “ in your line” with the innermost line of the student's own, if there is one."""
    trace, where = problem.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        line = linecache.getline(file, trace.tb_lineno).strip()
        if line and not any(Path(file).is_relative_to(folder) for folder in _NOT_THEIRS):
            where = f" in your line `{line}`"
        trace = trace.tb_next
    return where


def has_potential(loss: Any, depth: float) -> bool:
    """Return whether `find_potential` finds one, also for the library's own losses."""
    import sympy as sp

    from overparam_edu.derivations.own_loss import VARIABLES, SymbolicLoss
    from overparam_edu.derivations.potential import find_potential
    from overparam_edu.dynamics.losses import LinearLoss, LpRegression, QuadraticLoss, SeparableLp

    def exact(values: Any) -> Any:
        return sp.Matrix(np.vectorize(lambda x: sp.Rational(str(float(x))), [object])(values))

    try:
        if not isinstance(loss, SymbolicLoss):
            w = sp.Matrix(VARIABLES[: loss.shape[0]])
            if isinstance(loss, LinearLoss):
                text = exact(loss.slope).dot(w)
            elif isinstance(loss, QuadraticLoss):
                away = w - exact(loss.minimizer)
                text = (away.T * exact(loss.hessian) * away)[0] / 2
            elif isinstance(loss, (SeparableLp, LpRegression)):
                if isinstance(loss, SeparableLp):
                    away = w - exact(loss.targets)
                else:
                    away = exact(loss.X) * w - exact(loss.y)
                text = sum(abs(r) ** sp.Rational(str(loss.p)) for r in away) / loss.p
            else:
                raise Undecided("Only a loss of the library's can be judged here.")
            loss = SymbolicLoss(text)
        return bool(find_potential(loss, depth).exists)
    except (ValueError, TypeError) as why:
        raise Undecided(f"`oe.find_potential` can't decide about this loss: {why}.") from None
