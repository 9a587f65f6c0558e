"""The ledger: claims as records, and what their checks say."""

from __future__ import annotations

import html
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import NamedTuple

from overparam_edu.checks import brief

# For each outcome the word for a theorem, the word for an experiment, and sign and colour.
_WORDS = {
    "yes": ("holds", "reproduced", "✓", "#00684b"),
    "if": ("holds with a condition", "reproduced with a condition", "✓", "#00527a"),
    "no": ("does not hold", "not reproduced", "✗", "#9a4300"),
    "absent": ("no record", "no record", "–", "#5a5a5a"),
}
_LOOK = {word: row[2:] for row in _WORDS.values() for word in row[:2]}
# An experiment that is not reproduced is a result, not a failure.
FAILURES = ("does not hold", "no record")


class Finding(NamedTuple):
    """What a check found: whether the claim holds under its conditions, and without them too."""

    holds: bool
    number: str
    as_stated: bool = True


def small(error: float) -> str:
    """Return how small an error is, in words that no machine's rounding changes."""
    for bound in ("1e-12", "1e-9", "1e-6", "0.001", "1"):
        if error < float(bound):
            return f"less than {bound}"
    return f"{error:.2g}"


class Verdict(NamedTuple):
    """What became of a claim: one of the words above, and what was measured."""

    word: str
    number: str


@dataclass(frozen=True)
class Claim:
    """One claim: a theorem, equation, figure or remark of the talk, or of this course."""

    name: str  # an identifier, also the name of its check
    statement: str  # as the talk has it, in plain words
    conditions: str  # what it needs beyond what is stated; may be empty
    talk: str  # the talk's section; empty for what is this course's own
    paper: str  # where it stands in the paper; may be empty
    code: str  # a public name that embodies it, such as "preconditioner"
    notebook: str  # number of the lesson, such as "05"
    derivation: str  # what proves it, such as "derivations.warm_up"; may be empty
    refutation: str  # what would refute it, in a line: its check looks there

    @property
    def source(self) -> str:
        """Where it stands, in a few words."""
        talk = f"talk, {self.talk}" if self.talk else "this course"
        return f"{talk}; paper, {self.paper}" if self.paper else talk

    @property
    def names(self) -> str:
        """The code, and the derivation if there is one, as Python has them."""
        return " ".join(f"oe.{name}" for name in (self.code, self.derivation) if name)

    @property
    def is_experiment(self) -> bool:
        """Whether it is an experiment of the talk, to be reproduced."""
        return bool(self.talk) and "06" <= self.notebook <= "08"

    def check(self) -> Verdict:
        """Run the claim's check, and verify its derivation."""
        checks = import_module(f"{__package__}.checks")
        try:
            finding: Finding = getattr(checks, self.name)()
        except FileNotFoundError as missing:
            name = Path(missing.filename or "a file").name
            return Verdict(_WORDS["absent"][0], f"{name} is not among the recorded runs")
        if self.derivation and not _proved(self.derivation):
            finding = Finding(False, f"oe.{self.derivation}() has a step that fails")
        outcome = ("yes" if finding.as_stated else "if") if finding.holds else "no"
        return Verdict(_WORDS[outcome][self.is_experiment], finding.number)


@cache
def _proved(derivation: str) -> bool:
    module, name = f"overparam_edu.{derivation}".rsplit(".", 1)
    return bool(getattr(import_module(module), name)().verify().ok)


def _read() -> dict[str, Claim]:
    text = resources.files(__package__).joinpath("claims.toml").read_text(encoding="utf-8")
    blank = dict.fromkeys(("conditions", "talk", "paper", "derivation"), "")
    return {row["name"]: Claim(**blank | row) for row in tomllib.loads(text)["claim"]}


CLAIMS = _read()


@dataclass(frozen=True)
class Ledger:
    """Claims, with their verdicts by name once they are checked; shows itself as a table."""

    claims: tuple[Claim, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict, hash=False)

    def results(self) -> Iterator[tuple[Claim, Verdict]]:
        """Check one claim after another, and yield each when it is done."""
        for claim in self.claims:
            yield claim, claim.check()

    def check(self) -> Ledger:
        """Return a ledger of the same claims with their verdicts."""
        from tqdm import tqdm

        # Standard output, since notebooks show standard error as if something had gone wrong.
        options = {"desc": "claims", "leave": False, "delay": 2, "file": sys.stdout}
        bar = tqdm(self.results(), total=len(self.claims), **options)
        return Ledger(self.claims, {claim.name: verdict for claim, verdict in bar})

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's cells, its head first; verdicts and numbers if there are any."""
        head = ("claim", "needs", "where", "code and proof", "lesson")
        rows = [(c.statement, c.conditions, c.source, c.names, c.notebook) for c in self.claims]
        if not self.verdicts:
            return [head, *rows]
        found = [self.verdicts[claim.name] for claim in self.claims]
        return [
            (*head, "verdict", "measured"),
            *((*row, *verdict) for row, verdict in zip(rows, found, strict=True)),
        ]

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        head, *rows = self.rows()
        lines = [head, ("---",) * len(head)]
        for row in rows:
            cells = [_raised(html.escape(cell, quote=False)).replace("|", r"\|") for cell in row]
            code = " ".join(f"`{word}`" for word in row[3].split())
            lines.append((*cells[:3], code, *cells[4:]))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def __repr__(self) -> str:
        lines = []
        for claim in self.claims:
            lines.append(f"{claim.notebook}  {claim.statement}")
            if claim.name in self.verdicts:
                lines.append(f"    {': '.join(self.verdicts[claim.name])}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *rows = self.rows()
        style = 'style="text-align:left;min-width:{}em"'
        widths = [15, 6, 7, 8, *[3] * len(head)]
        cells = "".join(
            f'<th scope="col" {style.format(width)}>{word}</th>'
            for word, width in zip(head, widths, strict=False)
        )
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    sign, colour = _LOOK.get(text, ("", ""))
    words = _raised(html.escape(text))
    if text.startswith("oe."):
        broken = re.sub(r"([._])", r"\1<wbr>", text).split()
        whole = 'style="overflow-wrap:normal;word-break:normal"'
        words = "<br>".join(f"<code {whole}>{word}</code>" for word in broken)
    if sign:
        words = f'<strong style="color:{colour}">{sign} {words}</strong>'
    return f'<td style="text-align:left;vertical-align:top">{words}</td>'


def _raised(text: str) -> str:
    """Return text with x^(...), x^y, x_{...} and x_y as HTML."""
    text = re.sub(r"\^\(((?:[^()]|\([^()]*\))*)\)", r"<sup>\1</sup>", text)
    text = re.sub(r"\^(-?[\w.]+)", r"<sup>\1</sup>", text)
    return re.sub(r"\b(\w+?)_(?:\{([^}]*)\}|(\w)\b)", r"\1<sub>\2\3</sub>", text)


def claims(*which: str) -> Ledger:
    """Return the ledger of the talk's claims; ``.check()`` gives a verdict with a number on each.

    Parameters
    ----------
    *which : str
        Names of claims or numbers of lessons, such as ``"05"``; all if none is given.

    Returns
    -------
    Ledger
        A table: claim, conditions, where it stands, code, lesson.

    Raises
    ------
    ValueError
        If one is neither a claim nor a lesson with claims.

    Examples
    --------
    >>> print(claims("not_convex").check())
    00  The training problem of the layers is not convex, although that of their product is.
        holds: 24 losses and depths: a mean of networks is above both by 0.0014, of products never
    """
    lessons = {claim.notebook for claim in CLAIMS.values()}
    names = {*CLAIMS, *lessons}
    unknown = [word for word in which if not (isinstance(word, str) and word in names)]
    if unknown:
        raise ValueError(
            f"which must be claims or lessons ({', '.join(sorted(lessons))}); "
            f"got {brief(unknown[0])}; oe.claims() lists them all"
        )
    wanted = set(which) or lessons
    rows = [claim for claim in CLAIMS.values() if wanted & {claim.name, claim.notebook}]
    return Ledger(tuple(rows))
