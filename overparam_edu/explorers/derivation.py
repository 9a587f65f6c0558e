"""The derivation stepper: one line of a proof at a time, typeset, with how it was checked."""

from __future__ import annotations

import html
import re

import numpy as np

from overparam_edu.checks import brief
from overparam_edu.derivations import Derivation, Step, StepReport
from overparam_edu.player.frames import number_text
from overparam_edu.player.mathml import height, prose, typeset, words
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Board, Reading, Scene
from overparam_edu.player.style import BLUE, GREEN, GREY, VERMILLION

# How many lines stay on the board above the one in work.
_KEPT = 3
# Colour of each kind's badge; the badge says it in words as well.
_COLOURS = {
    "exact": BLUE,
    "dropped order": VERMILLION,
    "assumption": GREY,
    "definition": GREEN,
}


def explore_derivation(derivation: Derivation) -> Player:
    """Return a derivation as a widget that steps through it, forward and back.

    Each line shows its title, what kind of step it is, the equations above and below, the reason,
    and how `Derivation.verify` checked it. Earlier lines stay above it, faded. Back and Next, the
    slider and the arrow keys step without the kernel. For the whole derivation at once, let the
    notebook show ``derivation`` itself.

    Parameters
    ----------
    derivation : Derivation
        For example ``overparam_edu.derivations.warm_up()``.

    Returns
    -------
    Player

    Raises
    ------
    TypeError
        If `derivation` is not a Derivation.

    Examples
    --------
    >>> import overparam_edu.derivations as proofs
    >>> player = explore_derivation(proofs.single_output())
    >>> player.move(line=3)
    >>> player.position
    {'line': 3}
    """
    return Player(derivation_scene(derivation))


def derivation_scene(derivation: Derivation) -> Scene:
    """Return the scene of `explore_derivation`: a board without a picture, one stop a line.

    Parameters
    ----------
    derivation : Derivation

    Returns
    -------
    Scene

    Raises
    ------
    TypeError
        If `derivation` is not a Derivation.
    """
    if not isinstance(derivation, Derivation):
        raise TypeError(f"derivation must be a Derivation; got {brief(type(derivation))}")
    reports = derivation.verify().steps
    statement = f'<div style="{_PROSE}">{prose(derivation.statement)}</div>'
    steps = list(enumerate(derivation.steps, start=1))
    latex = [step.to_latex() for step in derivation.steps]  # SymPy takes its time
    past = [statement, *(_past(n, step, latex[n - 1]) for n, step in steps)]
    present = [_present(n, step, reports[n - 1], latex[n - 1]) for n, step in steps]
    heights = [height(latex[n - 1]) + len(step.reason) / 80 for n, step in steps]
    tallest = present[int(np.argmax(heights))]
    boards = [
        _board(derivation, past[max(0, n - _KEPT) : n], part, tallest)
        for n, part in enumerate(present, start=1)
    ]
    numbers = np.arange(1, len(boards) + 1)
    line = Axis("line", "line", numbers, buttons=True)
    reading = Reading(
        f"Line {{line}} of {len(boards)}, “{{title}}”.",
        {"title": ([words(step.title, marked=False) for step in derivation.steps], ["line"])},
    )
    alt = f"The derivation “{derivation.name}”, line by line."
    return Scene(None, [line], [], reading, alt=alt, board=Board(np.array(boards), ["line"]))


# A blackboard of one height, so that the buttons below stay where they are: the line in work at the
# bottom, and as much of the earlier ones above as there is room for. The tallest line lies unseen
# behind, to make that height. Type grows with the card (cqi is a hundredth of its width).
_STACK = "display: grid; min-height: 430px; text-align: left"
_LAYER = "grid-area: 1 / 1; min-width: 0"
_BOARD = f"{_LAYER}; display: flex; flex-direction: column"
_UNSEEN = f"{_LAYER}; visibility: hidden; padding-top: 24px"
_FADED = (
    "flex: 1 1 0; min-height: 0; overflow: hidden; display: flex; flex-direction: column; "
    "justify-content: flex-end; opacity: 0.55; font-size: 20px; "
    "mask-image: linear-gradient(to bottom, transparent, black 90px)"
)
_HEAD = f"display: flex; justify-content: space-between; color: {GREY}; font-size: 17px"
_TITLE = "display: flex; gap: 16px; align-items: center; font-size: 26px"
_MATHS = "font-size: clamp(18px, 3.1cqi, 32px); margin: 12px 0"
_PROSE = "font-size: clamp(18px, 2.2cqi, 24px)"


def _board(derivation: Derivation, past: list[str], present: str, tallest: str) -> str:
    name, source = (html.escape(text) for text in (derivation.name, derivation.source))
    return (
        f'<div style="{_STACK}"><div style="{_UNSEEN}" aria-hidden="true">{tallest}</div>'
        f'<div style="{_BOARD}">'
        f'<div style="{_HEAD}"><span>{name}</span><span>{source}</span></div>'
        f'<div style="{_FADED}" aria-hidden="true">{"".join(past)}</div>{present}</div></div>'
    )


def _past(number: int, step: Step, latex: str) -> str:
    lines = typeset(latex, names=False)
    return (
        f'<div style="flex: none; margin-top: 10px"><b>{number}</b>  {words(step.title)}</div>'
        f'<div style="flex: none; margin: 4px 0 0 28px">{lines}</div>'
    )


def _present(number: int, step: Step, report: StepReport, latex: str) -> str:
    lines = typeset(latex)
    style = f"border-left: 6px solid {_COLOURS[step.kind]}; padding-left: 18px; margin-top: 14px"
    sign, colour = ("✓", GREEN) if report.ok else ("✗", VERMILLION)
    checked = html.escape(_checked(report), quote=False)
    return (
        f'<div style="flex: none; {style}">'
        f'<div style="{_TITLE}"><b>{number}  {words(step.title)}</b>{_badge(step)}</div>'
        f'<div style="{_MATHS}">{lines}</div>'
        f'<div style="{_PROSE}">{words(step.reason)}</div>'
        f'<div style="margin-top: 8px"><b style="color: {colour}">{sign}</b> {checked}</div></div>'
    )


def _badge(step: Step) -> str:
    kind = step.kind
    if kind == "dropped order":
        kind = f"dropped order: O({words(f'{step.small}^{step.order}')})"
    colour = _COLOURS[step.kind]
    style = f"border: 2px solid {colour}; color: {colour}; border-radius: 16px; padding: 1px 14px"
    return f'<span style="{style}; font-size: 20px; font-weight: 700">{kind}</span>'


def _checked(report: StepReport) -> str:
    """Return how a step was checked, in words."""
    detail = re.sub(r"[\d.]+e-\d+", lambda found: number_text(float(found[0])), report.detail)
    how = {"symbolic": "proved symbolically", "random points": "true at random points"}
    if not report.ok:
        return f"does not hold ({report.method}: {detail})"
    if report.method in how:
        return f"{how[report.method]} ({detail})"
    return f"{report.method}: {detail}"
