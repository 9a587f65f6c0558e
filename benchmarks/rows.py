"""What a benchmark says: rows of a table, each a figure of ours beside another, with its goal."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

FLOOR = "floor: "  # what stands beside is the least that any program could need


class Row(NamedTuple):
    """One line of a table: `ours` beside `theirs`, both in `unit`.

    `times` is the goal for theirs / ours, `most` and `least` are goals for ours alone.
    """

    what: str
    ours: float
    unit: str = "s"
    beside: str = ""
    theirs: float | None = None
    times: float | None = None
    most: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as much the other takes."""
        if self.theirs is None or not self.ours:
            return None
        return self.theirs / self.ours

    @property
    def met(self) -> bool | None:
        """Whether the goals are met; None without a goal, or without the other's figure."""
        goals = [
            (self.times, self.ratio, 1),
            (self.least, self.ours, 1),
            (self.most, self.ours, -1),
        ]
        known = [
            sign * figure >= sign * bound
            for bound, figure, sign in goals
            if bound is not None and figure is not None
        ]
        return all(known) if known else None

    def cells(self) -> list[str]:
        """Return the row's texts: what, ours, beside, theirs, the ratio, the goal, met or not."""
        if self.beside and self.theirs is None:
            other, ratio = "not installed", ""
        else:
            other = quantity(self.theirs, self.unit)
            ratio = "" if self.ratio is None else f"{digits(self.ratio)} ×"
        goals = {"≥ {} ×": self.times, "≤ {}": self.most, "≥ {}": self.least}
        goal = ", ".join(
            words.format(digits(bound) if "×" in words else quantity(bound, self.unit))
            for words, bound in goals.items()
            if bound is not None
        )
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return [self.what, quantity(self.ours, self.unit), self.beside, other, ratio, goal, met]


class Section(NamedTuple):
    """A benchmark's table, with what was measured and how."""

    title: str
    method: str
    rows: list[Row]


def digits(number: float) -> str:
    """Return two significant digits below 100, whole numbers from there on."""
    return f"{number:.2g}" if abs(number) < 99.5 else f"{number:,.0f}"


def quantity(number: float | None, unit: str) -> str:
    """Return a number with its unit, seconds and bytes in those that suit the size."""
    if number is None or math.isnan(number):
        return ""
    scales = {
        "s": [(60, "min"), (1, "s"), (1e-3, "ms"), (0, "µs")],
        "bytes": [(1e6, "MB"), (0, "kB")],
    }.get(unit, [])
    for least, name in scales:
        if number >= least:
            size = {"kB": 1e3, "µs": 1e-6}.get(name, least)
            return f"{digits(number / size)} {name}"
    return f"{digits(number)} {unit}".strip()


def table(rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table."""
    head = ["", "ours", "beside", "theirs", "theirs / ours", "goal", "met"]
    lines = [head, ["---", *["---:", "---"] * 2, "---:", "---"]]
    lines[1] = ["---", "---:", "---", "---:", "---:", "---", "---"]
    lines += [row.cells() for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def taking_turns(
    ways: dict[str, Callable[[], float]],
    rounds: int,
    *,
    of: Callable[[list[float]], float] = statistics.median,
) -> dict[str, float]:
    """Return the median, or another figure, of what each way measures, all taking turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            found[name].append(measure())
    return {name: of(values) for name, values in found.items()}


def timed(f: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of processor time that `f` takes, and its result.

    On one thread it is the time on the clock, but for what other programs take.
    """
    began = time.process_time()
    result = f()
    return time.process_time() - began, result
