"""The derivation stepper: what each board says, and whether what it says is true."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy as sp

import overparam_edu.derivations as proofs
from overparam_edu.derivations import Derivation, Step
from overparam_edu.explorers.derivation import derivation_scene, explore_derivation
from overparam_edu.player.frames import describe
from overparam_edu.player.mathml import prose, with_symbols
from overparam_edu.player.player import Player

BUILT = {
    "warm-up": proofs.warm_up,
    "rule": lambda: proofs.end_to_end_rule(4),
    "preconditioning": lambda: proofs.preconditioning(3),
    "single output": proofs.single_output,
    "illustration": proofs.illustration,
}


@pytest.fixture(scope="module", params=BUILT)
def derivation(request: pytest.FixtureRequest) -> Derivation:
    return BUILT[request.param]()


@pytest.fixture(scope="module")
def boards(derivation: Derivation) -> list[str]:
    return [str(board) for board in np.asarray(derivation_scene(derivation).board.values)]


def text_of(markup: str) -> str:
    """Return what is read on a board, without mathematics and tags."""
    without = re.sub(r"<math.*?</math>", "", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", "", without).split())


def present(board: str) -> str:
    """Return the part with the line in work: the one with a bar of colour, after all others."""
    return board[board.rindex("border-left") :]


@pytest.mark.slow
def test_every_line_has_title_kind_reason_and_check(
    derivation: Derivation, boards: list[str]
) -> None:
    report = derivation.verify()
    how = {
        "symbolic, general": "proved symbolically, in general (",
        "symbolic, small case": "proved symbolically, in a small case (",
        "random points": "true at random points (8 points, 50 digits",
        "measured order": "measured order: claimed",
        "assumption": "assumption: holds in an example",
    }
    assert len(boards) == len(derivation.steps)
    for n, (board, step, checked) in enumerate(
        zip(boards, derivation.steps, report.steps, strict=True), start=1
    ):
        said = text_of(present(board))
        assert f"{n} {text_of(with_symbols(step.title))}" in said
        assert step.kind in said
        assert text_of(with_symbols(step.reason)) in said
        assert f"✓ {how[checked.method]}" in said
        assert "<math" in present(board)


def test_boards_are_well_formed_and_show_earlier_lines_faded(
    derivation: Derivation, boards: list[str]
) -> None:
    for n, board in enumerate(boards):
        root = ElementTree.fromstring(board)
        faded = root.findall(".//div[@aria-hidden='true']")[0]
        seen = " ".join("".join(faded.itertext()).split())
        if n:
            assert f"{n} {text_of(with_symbols(derivation.steps[n - 1].title))}" in seen
        else:
            assert seen == html.unescape(text_of(prose(derivation.statement)))


def test_a_line_that_is_wrong_is_said_to_be_wrong() -> None:
    right = proofs.single_output()
    step = next(step for step in right.steps if not isinstance(step.after, sp.Tuple))
    wrong = replace(step, after=2 * step.after)
    scene = derivation_scene(replace(right, steps=(wrong,)))
    said = text_of(str(np.asarray(scene.board.values)[0]))
    assert "✗ does not hold" in said
    assert "✓" not in said


def test_what_users_type_is_escaped() -> None:
    x = sp.Symbol("x")
    step = Step("<b>Bold</b> & x", x + x, 2 * x, "If x < 1 <script>alert(1)</script>.")
    scene = derivation_scene(Derivation("<i>name</i>", "*fine* <u>", (step,), "a <source>"))
    board = str(np.asarray(scene.board.values)[0])
    for tag in ("<script", "<b>Bold", "<i>name", "<u>", "<source>"):
        assert tag not in board
    assert "&lt;script&gt;" in board
    assert "<em>fine</em>" in board
    assert describe(scene, {}) == "Line 1 of 1, “<b>Bold</b> & x”."  # put in as text


def test_the_player_steps() -> None:
    player = explore_derivation(proofs.single_output())
    assert isinstance(player, Player)
    (axis,) = player.scene.axes
    assert axis.buttons
    assert player.scene.figure is None
    player.move(line=3)
    assert player.position == {"line": 3}
    assert describe(player.scene, player.position) == "Line 4 of 14, “A projection keeps w”."


@pytest.mark.parametrize("thing", [None, "warm_up", proofs.warm_up])
def test_only_derivations_are_taken(thing: Any) -> None:
    with pytest.raises(TypeError, match="derivation must be a Derivation; got"):
        explore_derivation(thing)
