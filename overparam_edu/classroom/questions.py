"""Self-check questions: every option is answered in its own words, and no kernel is needed.

The questions are in ``questions.toml``. A question is a scene without a figure, so that the same
script plays it as plays every picture, in JupyterLab, Notebook 7 and exported pages.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from overparam_edu.player.scene import Scene

_LETTERS = "ABCDEF"
_SIGNS = {True: ("✓ Right.", "#00684b"), False: ("→ Not right.", "#9a4300")}


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

    def scene(self) -> Scene:
        """Return the question as a scene: a choice, and a board that follows it."""
        from overparam_edu.player.scene import Axis, Board, Reading, Scene

        verdicts = ["Choose an answer."]
        verdicts += [
            f"{letter} is {'right' if option.right else 'not right'}."
            for letter, option in zip(self.letters, self.options, strict=True)
        ]
        boards = [self._board(chosen) for chosen in range(-1, len(self.options))]
        return Scene(
            None,
            [Axis("answer", "your answer", ["none yet", *self.letters])],
            [],
            Reading("{verdict}", {"verdict": (verdicts, ["answer"])}),
            alt="A question with answers to choose from",
            board=Board(boards, ["answer"]),
        )

    def _board(self, chosen: int) -> str:
        """Return the question and its options as HTML, with what is said of the chosen one."""
        from overparam_edu.player.mathml import prose

        items = []
        for place, option in enumerate(self.options):
            said = ""
            if place == chosen:
                sign, colour = _SIGNS[option.right]
                style = f"border-left:6px solid {colour};padding:2px 12px"
                said = f'<div style="{style}">{prose(f"**{sign}** {option.says}")}</div>'
            items.append(f"<li>{prose(option.text)}{said}</li>")
        return f'{prose(self.asks)}<ol type="A">{"".join(items)}</ol>'


def _read() -> dict[str, Question]:
    text = resources.files(__package__).joinpath("questions.toml").read_text(encoding="utf-8")
    questions = {}
    for entry in tomllib.loads(text)["question"]:
        options = tuple(Option(**{"right": False, **option}) for option in entry["options"])
        questions[entry["name"]] = Question(**entry | {"options": options})
    return questions


QUESTIONS = _read()
