"""Self-check questions: every option is answered in its own words, and no kernel is needed.

The questions are in ``questions.toml``. A question is a form that Python writes as HTML, the same
in JupyterLab, Notebook 7, exported pages and on the projector; ``player/question.js`` keeps what is
chosen.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

_LETTERS = "ABCDEF"
_SIGNS = {True: ("oe-right", "✓ Right."), False: ("oe-wrong", "→ Not right.")}


class Option(NamedTuple):
    """One answer on offer, and what is said to whoever chooses it; both in Markdown."""

    text: str
    right: bool
    says: str


@dataclass(frozen=True)
class Question:
    """A question in Markdown with two to six options, one of them right."""

    name: str
    notebook: str
    asks: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        right = sum(option.right for option in self.options)
        if not 2 <= len(self.options) <= len(_LETTERS) or right != 1:
            raise ValueError(
                f"options must be 2 to {len(_LETTERS)}, one of them right; "
                f"got {len(self.options)} with {right} right in {self.name!r}"
            )

    @property
    def letters(self) -> tuple[str, ...]:
        """The options' letters."""
        return tuple(_LETTERS)[: len(self.options)]

    def html(self) -> str:
        """Return the question as a form of radio buttons, with what is said of each answer."""
        from overparam_edu.player.mathml import prose

        rows, said = [], ['<p class="oe-open">Choose an answer. Each is explained here.</p>']
        for letter, option in zip(self.letters, self.options, strict=True):
            verdict, sign = _SIGNS[option.right]
            rows.append(
                f'<label class="{verdict}"><input type="radio" name="answer" value="{letter}" '
                f'data-lm-suppress-shortcuts="true"><span class="oe-letter">{letter}</span>'
                f"<span>{_inline(option.text)}</span></label>"
            )
            words = prose(f"**{sign}** {option.says}")
            said.append(f'<div class="{verdict}" data-of="{letter}">{words}</div>')
        return (
            f'<form class="oe-question" data-question="{self.name}">'
            f'<fieldset role="radiogroup" data-axis="answer"><legend>{_inline(self.asks)}</legend>'
            f'{"".join(rows)}</fieldset><div class="oe-said" role="status">{"".join(said)}</div>'
            "</form>"
        )

    def __str__(self) -> str:
        answers = (
            f"{letter}  {option.text}"
            for letter, option in zip(self.letters, self.options, strict=True)
        )
        return "\n".join([self.asks, *answers])


def _inline(markdown: str) -> str:
    """Return a paragraph of Markdown without its tags: a row or a legend holds no paragraphs."""
    from overparam_edu.player.mathml import prose

    return prose(markdown).removeprefix("<p>").removesuffix("</p>")


def _read() -> dict[str, Question]:
    text = resources.files(__package__).joinpath("questions.toml").read_text(encoding="utf-8")
    questions = {}
    for entry in tomllib.loads(text)["question"]:
        options = tuple(Option(**{"right": False, **option}) for option in entry["options"])
        questions[entry["name"]] = Question(**entry | {"options": options})
    return questions


QUESTIONS = _read()
