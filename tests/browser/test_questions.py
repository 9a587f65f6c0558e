"""Questions where they are answered: in pages, in JupyterLab, by hand, keys and screen reader."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from overparam_edu.classroom.progress import FILE
from overparam_edu.classroom.questions import QUESTIONS
from overparam_edu.player.page import page as page_of

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LAPTOP = {"viewport": {"width": 1366, "height": 768}}
QUESTION = QUESTIONS["same_functions"]
# Where everything of a question stands in its card, all that might be said included.
PLACES = """form => [form, ...form.querySelectorAll('*')].map(node => {
    const [box, card] = [node, form].map(one => one.getBoundingClientRect());
    const place = [box.x - card.x, box.y - card.y, box.width, box.height];
    return [node.tagName, ...place.map(Math.round)].join(' ');
})"""
# What is seen of a question's explanations, and how far anything reaches out of its parent.
SEEN = """form => [...form.querySelectorAll('.oe-said > *')]
    .filter(said => getComputedStyle(said).visibility === 'visible')
    .map(said => said.dataset.of ?? '')"""
CUT = """form => Math.max(...[form, ...form.querySelectorAll('label, legend, .oe-said > *')]
    .map(box => box.scrollWidth - box.clientWidth))"""
# Of each question before an answer: where everything stands, what is seen, what is cut, its height.
ASKED = f"""forms => forms.map(form => [({PLACES})(form), ({SEEN})(form), ({CUT})(form),
    form.getBoundingClientRect().height])"""
# What is seen, then for each answer once it is chosen: its height, what is seen, and where
# everything stands.
CHOSEN = f"""form => [({SEEN})(form), [...form.querySelectorAll('label')].map(label => {{
    label.click();
    const {{ height }} = label.getBoundingClientRect();
    return [label.querySelector('input').value, height, ({SEEN})(form), ({PLACES})(form)];
}})]"""


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all questions."""
    path = tmp_path_factory.mktemp("questions") / "all.html"
    forms = "".join(question.html() for question in QUESTIONS.values())
    path.write_text(page_of("Questions", f"<main><h1>Questions</h1>{forms}</main>"), "utf-8")
    return path


@pytest.mark.parametrize("view", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_choosing_shows_what_is_said_and_moves_nothing(
    saved: Any, sheet: Path, view: dict[str, Any]
) -> None:
    opened = saved(sheet, **view)
    forms = opened.page.locator(".oe-question")
    asked = forms.evaluate_all(ASKED)
    for form, question, (before, told, cut, tall) in zip(
        forms.all(), QUESTIONS.values(), asked, strict=True
    ):
        assert told == [""]  # nothing yet
        assert cut <= 0, question.name
        assert tall <= view["viewport"]["height"] - 200, question.name
        last = form.locator("label").last
        last.tap() if view is PHONE else last.click()  # a hand at one answer, a script at all
        told, chosen = form.evaluate(CHOSEN)
        assert told == [question.letters[-1]]
        assert [letter for letter, *_ in chosen] == [*question.letters]
        for letter, height, seen, places in chosen:
            assert height >= 44
            assert seen == [letter]
            assert places == before
    opened.check_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_as_accessible_as_the_pages(
    saved: Any, sheet: Path, scheme: str, violations: Any
) -> None:
    opened = saved(sheet, **LAPTOP, color_scheme=scheme)
    every_other = "rows => rows.forEach((row, number) => number % 2 && row.click())"
    opened.page.locator("label:nth-of-type(2)").evaluate_all(every_other)
    assert opened.page.locator(".oe-question :checked").count() == len(QUESTIONS) // 2
    found = violations(opened.page)
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


def test_arrows_move_and_enter_space_or_a_letter_chooses(saved: Any, sheet: Path) -> None:
    page = saved(sheet, **LAPTOP).page
    group = page.get_by_role("radiogroup", name=QUESTION.asks)
    form = page.locator(f"[data-question={QUESTION.name}]")
    page.keyboard.press("Tab")
    for key, focused, chosen in [
        ("ArrowDown", "B", []),
        ("ArrowUp", "A", []),
        ("ArrowLeft", "D", []),
        ("Enter", "D", ["D"]),
        ("ArrowRight", "A", ["D"]),
        ("Space", "A", ["A"]),
        ("c", "C", ["C"]),
        ("z", "C", ["C"]),
    ]:
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.value") == focused
        checked = group.get_by_role("radio", checked=True)
        assert [radio.get_attribute("value") for radio in checked.all()] == chosen
        assert form.evaluate(SEEN) == (chosen or [""])
    assert group.get_by_role("radio", name="B None", exact=True).count() == 1
    assert form.get_by_role("status").locator("[data-of=C]").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.form.dataset.question") == "harder_problem"


def test_a_page_keeps_the_choice_and_needs_no_script(saved: Any, sheet: Path) -> None:
    page = saved(sheet, **LAPTOP).page
    form = page.locator(f"[data-question={QUESTION.name}]")
    form.locator("label").nth(2).click()
    page.reload()
    assert form.evaluate(SEEN) == ["C"]
    assert page.locator(".oe-question :checked").count() == 1
    still = saved(sheet, java_script_enabled=False, settle=False).page.locator(".oe-question").first
    still.locator("label").nth(1).click()
    assert still.get_by_text("A product of matrices is a matrix.").is_visible()
    assert not still.get_by_text("Without a nonlinearity nothing bends").is_visible()


# With a file beside the notebook, as students have it; tests else keep nothing.
CELLS = (
    'import os\nos.environ.pop("OVERPARAM_EDU_PROGRESS", None)\nimport overparam_edu as oe',
    f'oe.ask("{QUESTION.name}")',
)


def test_lab_hears_of_each_choice_at_once_and_shows_the_last(lab: Any) -> None:
    kept, free = lab.work / FILE, lab.work / "free"
    kept.unlink(missing_ok=True)
    free.unlink(missing_ok=True)
    opened = lab.run_cells(*CELLS)
    rows = opened.page.locator(".oe-question label")
    before = opened.page.locator(".oe-question").evaluate(PLACES)
    # The kernel is busy, and the tab is closed: both choices have left it.
    wait = "import os, time\nwhile not os.path.exists('free'):\n    time.sleep(0.02)"
    session = "jupyterapp.shell.currentWidget.sessionContext.session"
    opened.page.evaluate(f"code => void {session}.kernel.requestExecute({{ code }})", wait)
    opened.page.wait_for_function(f"() => {session}.kernel.status === 'busy'")
    rows.nth(1).click()
    rows.nth(2).click()
    assert opened.page.locator(".oe-question").evaluate(SEEN) == ["C"]
    assert opened.page.locator(".oe-question").evaluate(PLACES) == before
    opened.check_quiet()
    opened.page.close()
    free.touch()
    end, lines = time.monotonic() + 30, []
    while len(lines) < 2 and time.monotonic() < end:
        time.sleep(0.02)
        written = kept.read_text("utf-8").split("\n") if kept.exists() else []
        lines = [json.loads(line) for line in written if line.endswith("}")]
    again = lab.run_cells(*CELLS)
    form = again.page.locator(".oe-question")
    form.wait_for()
    assert [(line["answer"], line["right"]) for line in lines] == [("B", True), ("C", False)]
    assert form.evaluate(SEEN) == ["C"]
    form.locator("input:checked").focus()
    for key in ("ArrowDown", "Enter"):  # which Lab would take for itself
        again.page.keyboard.press(key)
    assert form.evaluate(SEEN) == ["D"]
    assert "'answer': 'D'" in again.run("print(oe.progress().questions)")
    again.screenshot("question-lab")
    lab.close_pages()
