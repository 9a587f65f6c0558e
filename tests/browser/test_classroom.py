"""Questions, feedback and the ledger in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from overparam_edu.classroom.questions import QUESTIONS

pytestmark = pytest.mark.browser

QUESTION = QUESTIONS["same_functions"]
CELLS = (
    "import overparam_edu as oe",
    f'oe.ask("{QUESTION.name}")',
    'oe.check("product_of_layers", lambda layers: layers[0] @ layers[1] @ layers[2])',
    'oe.check("product_of_layers", ...)',
    "oe.progress()",
    'oe.claims("03").check()',
)


@pytest.fixture(scope="module")
def opened(lab: Any) -> Iterator[Any]:
    notebook = lab.run_cells(*CELLS)
    notebook.page.locator(".oe-player input").first.wait_for()
    yield notebook
    lab.close_pages()


def test_a_question_is_answered_with_the_keyboard_alone(opened: Any) -> None:
    page = opened.page
    player = page.locator(".oe-player")
    player.locator("input").first.focus()
    sent = opened.comm_messages()
    for letter, option in zip("ABCD", QUESTION.options, strict=True):
        page.keyboard.press("ArrowRight")
        verdict = f"{letter} is {'right' if option.right else 'not right'}."
        player.get_by_text(verdict, exact=True).wait_for()
        said = player.locator(".oe-board li").nth("ABCD".index(letter))
        assert " ".join(option.says.split()[:3]) in said.inner_text()
        opened.screenshot(f"question-{letter}", player)
    assert opened.comm_messages() == sent  # no kernel is asked


def test_feedback_progress_and_verdicts_are_shown(opened: Any) -> None:
    page = opened.page
    hint, untouched = page.locator(".jp-RenderedHTMLCommon [role=status]").all()
    assert "not yet" in hint.inner_text()
    assert "stands on the right" in hint.inner_text()
    assert "not attempted" in untouched.inner_text()
    ledger = page.locator(".jp-OutputArea-output table").last
    assert ledger.get_by_text("holds with a condition").count() == 1
    ledger.scroll_into_view_if_needed()
    opened.screenshot("ledger")
    hint.scroll_into_view_if_needed()
    opened.screenshot("feedback")
    assert opened.cell_errors == []
    assert opened.console_errors == []
    assert opened.foreign_requests == []
