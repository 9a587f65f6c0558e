"""The derivation stepper: one line of a proof at a time, typeset, with how it was checked."""

from __future__ import annotations

import html
import re

from overparam_edu.checks import instance
from overparam_edu.derivations import Derivation, Step, StepReport
from overparam_edu.player.frames import number_text
from overparam_edu.player.mathml import prose, typeset, with_symbols
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Board, Reading, Scene
from overparam_edu.player.style import BLACK, BROWN, GREY, PINK

# How many earlier lines stay above the current one.
_KEPT = 3
# Colour of each kind's badge; the badge says it in words as well.
_COLOURS = {"exact": BLACK, "dropped order": BROWN, "assumption": PINK, "definition": GREY}


def explore_derivation(derivation: Derivation) -> Player:
    """Return a derivation as a widget that steps through it, forward and back.

    Each line shows its title, what kind of step it is, the equations above and below, the reason,
    and how `Derivation.verify` checked it. Back and Next, the slider and the arrow keys step
    without the kernel. For the whole derivation at once, let the notebook show ``derivation``.

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
    >>> explore_derivation(proofs.single_output()).move(line=3)
    """
    return Player(derivation_scene(derivation))


def derivation_scene(derivation: Derivation) -> Scene:
    """Return the scene of `explore_derivation`: a blackboard, with one stop for each line."""
    instance("derivation", derivation, Derivation)
    steps, reports = derivation.steps, derivation.verify().steps
    earlier = [f'<div style="{_PROSE}">{prose(derivation.statement)}</div>']
    current = []
    for number, (step, report) in enumerate(zip(steps, reports, strict=True), start=1):
        # SymPy takes its time, and stacks the fractions in exponents, too small to read.
        maths = re.sub(r"\^\{\\frac\{([^{}]+)\}\{([^{}]+)\}\}", r"^{\1/\2}", step.to_latex())
        title = f"<b>{number}</b>  {with_symbols(step.title)}"
        earlier.append(
            f'<div style="flex: none; margin-top: 10px">{title}</div>'
            f'<div style="flex: none; margin: 4px 0 0 28px">{typeset(maths, names=False)}</div>'
        )
        current.append(_current_line(number, step, report, maths))
    name, source = (html.escape(text) for text in (derivation.name, derivation.source))
    blackboards = [
        f'<div style="{_BLACKBOARD}">'
        f'<div style="{_HEAD}"><span>{name}</span><span>{source}</span></div>'
        f'<div style="{_FADED}" aria-hidden="true" data-spare="">'
        f"{''.join(earlier[max(0, n - _KEPT) : n])}</div>{line}</div>"
        for n, line in enumerate(current, start=1)
    ]
    titles = [with_symbols(step.title, marked=False) for step in steps]
    return Scene(
        None,
        [Axis("line", "line", range(1, len(steps) + 1), buttons=True)],
        [],
        Reading(f"Line {{line}} of {len(steps)}, “{{title}}”.", {"title": (titles, ["line"])}),
        alt=f"The derivation “{derivation.name}”, line by line.",
        board=Board(blackboards, ["line"]),
    )


# The current line is at the bottom, and above as much of the earlier ones as there is room for: the
# player makes every board as tall as the tallest, so that the buttons below stay where they are.
# Type grows with the card (cqi is a hundredth of its width).
_BLACKBOARD = "display: flex; flex-direction: column; min-width: 0; min-height: 380px"
_FADED = (
    "flex: 1 1 0; min-height: 0; overflow: hidden; display: flex; flex-direction: column; "
    "justify-content: flex-end; opacity: 0.55; font-size: 20px; "
    "mask-image: linear-gradient(to bottom, transparent, black 90px)"
)
_HEAD = f"display: flex; justify-content: space-between; color: {GREY}; font-size: 17px"
_TITLE = "display: flex; flex-wrap: wrap; gap: 2px 16px; align-items: center; font-size: 23px"
_MATHS = "font-size: clamp(18px, 2.2cqi, 26px); margin: 6px 0"
_PROSE = "font-size: clamp(17px, 2cqi, 21px)"


def _current_line(number: int, step: Step, report: StepReport, latex: str) -> str:
    kind, colour = step.kind, _COLOURS[step.kind]
    if kind == "dropped order":
        kind = f"dropped order: O({with_symbols(f'{step.small}^{step.order}')})"
    bar = f"border-left: 6px solid {colour}; padding-left: 18px; margin-top: 8px"
    badge = f"border: 2px solid {colour}; color: {colour}; border-radius: 16px; padding: 0 12px"
    sign, verdict = ("✓", BLACK) if report.ok else ("✗", PINK)
    detail = re.sub(r"[\d.]+e-\d+", lambda found: number_text(float(found[0])), report.detail)
    how = {
        "symbolic, general": "proved symbolically, in general",
        "symbolic, small case": "proved symbolically, in a small case",
        "random points": "true at random points",
    }
    checked = f"{report.method}: {detail}"
    if not report.ok:
        checked = f"does not hold ({checked})"
    elif report.method in how:
        checked = f"{how[report.method]} ({detail})"
    return (
        f'<div style="flex: none; {bar}">'
        f'<div style="{_TITLE}"><b>{number}  {with_symbols(step.title)}</b>'
        f'<span style="{badge}; font-size: 18px; font-weight: 700">{kind}</span></div>'
        f'<div style="{_MATHS}">{typeset(latex)}</div>'
        f'<div style="{_PROSE}">{with_symbols(step.reason)}</div>'
        f'<div style="margin-top: 4px"><b style="color: {verdict}">{sign}</b> '
        f"{html.escape(checked, quote=False)}</div></div>"
    )
