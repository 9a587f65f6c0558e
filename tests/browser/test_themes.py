"""Dark themes, a system's own colours and an enlarged page: nothing white, unseen or cut."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from overparam_edu.classroom.questions import QUESTIONS
from overparam_edu.player.page import page
from overparam_edu.player.pictures import save
from overparam_edu.player.scene import Axis, Board, Scene

pytestmark = pytest.mark.browser

# Of each button, the colours of its ground and its sign.
BUTTONS = """root => [...root.querySelectorAll('.oe-buttons button')].map(button => [
    getComputedStyle(button).backgroundColor,
    getComputedStyle(button, '::before').backgroundColor,
])"""
CUT = """() => [...document.querySelectorAll('.overparam-controls .widget-label')]
    .filter(label => label.scrollWidth > label.clientWidth + 1)
    .map(label => label.textContent)"""


def lightness(locator: Any) -> float:
    """Return the mean lightness of what is seen, from 0 to 255."""
    seen = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    return float(np.asarray(seen).mean())


@pytest.fixture(scope="module")
def saved_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    axis = Axis("step", "step", [1, 2, 3], play=True, buttons=True)
    board = Board(["<p>one</p>", "<p>two</p>", "<p>three</p>"], ["step"])
    scene = Scene(go.Figure(go.Scatter(y=[1, 2])), [axis], [], alt="A line", board=board)
    return save(scene, tmp_path_factory.mktemp("themes") / "a.html")


def test_pictures_boards_and_questions_are_dark_on_a_dark_page(
    saved: Any, saved_scene: Path, tmp_path: Path
) -> None:
    question = tmp_path / "question.html"
    form = QUESTIONS["same_functions"].html()
    question.write_text(page("A question", f"<main>{form}</main>"), encoding="utf-8")
    for path, card in ((saved_scene, ".oe-player"), (question, ".oe-question")):
        light, dark = (
            lightness(saved(path, color_scheme=scheme).page.locator(card))
            for scheme in ("light", "dark")
        )
        assert light > 225
        assert dark < 45


def test_buttons_are_seen_with_the_systems_own_colours(saved: Any, saved_scene: Path) -> None:
    for scheme in ("light", "dark"):
        opened = saved(saved_scene, forced_colors="active", color_scheme=scheme)
        pairs = opened.players[0].root.evaluate(BUTTONS)
        assert len(pairs) == 3
        assert all(ground != sign for ground, sign in pairs)
        # The colours of a picture are chosen for white.
        assert lightness(opened.page.locator(".oe-picture")) > 225


def test_lab_is_dark_throughout_and_cuts_no_label(lab: Any) -> None:
    # As wide as a laptop's screen is at 200 %.
    cells = ("import overparam_edu as oe", 'oe.ask("same_functions")', "oe.explore_update_rule()")
    opened = lab.run_cells(*cells, width=683, height=384)
    player, form = opened.page.locator(".oe-player"), opened.page.locator(".oe-question")
    player.locator(".main-svg").first.wait_for()
    assert opened.page.locator(".overparam-controls .widget-label").count() > 3
    assert opened.page.evaluate(CUT) == []
    opened.page.set_viewport_size({"width": 1366, "height": 1600})
    assert min(lightness(form), lightness(player)) > 225
    change = "jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    opened.page.evaluate(f"() => {change}")
    opened.page.locator("[data-jp-theme-light=false]").first.wait_for(state="attached")
    assert max(lightness(form), lightness(player)) < 50
    opened.screenshot("lab-dark")
    opened.check_quiet()
    lab.close_pages()
