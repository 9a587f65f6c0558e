"""Lessons in a real JupyterLab, and live in a browser: they run, pictures move, all by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What the page shows of a player: the numbers in its picture, its board and its sentence.
SHOWN = """root => JSON.stringify([
    (root.querySelector('.oe-picture').data ?? []).map(({ x, y, z, marker }) => [x, y, z, marker]),
    root.querySelector('.oe-board').innerHTML,
    root.querySelector('.oe-reading').textContent,
])"""
STILL = """root => new Promise(done => {
    const look = () => root.dataset.frames !== '0' && root.ariaBusy === 'false';
    (function wait() { look() ? done() : requestAnimationFrame(wait); })();
})"""


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def opened(request: pytest.FixtureRequest, place: Any) -> Any:
    notebook = place.run_notebook(request.param)
    notebook.path = request.param
    for player in notebook.page.locator(".oe-player").all():
        player.evaluate(STILL)
        skip = player.locator("button.oe-skip")
        if skip.is_visible():  # what is to be predicted hides the picture's sliders
            skip.click()
            player.evaluate(STILL)
        player.evaluate("one => one.querySelectorAll('details').forEach(part => part.open = true)")
    yield notebook
    place.close_pages()


def test_it_runs_without_an_error_or_a_foreign_request(opened: Any) -> None:
    for number, player in enumerate(opened.page.locator(".oe-player").all()):
        player.scroll_into_view_if_needed()
        opened.screenshot(f"{opened.path.stem}-{number}", player)
    opened.check_quiet()


def wait_for(slider: Any, value: str) -> None:
    slider.page.wait_for_function(
        "([input, value]) => input.value === value", arg=[slider.element_handle(), value]
    )


def test_each_slider_moves_its_picture_and_tells_the_kernel_nothing(opened: Any) -> None:
    players = opened.page.locator(".oe-player").all()
    assert players, "a lesson without anything to move"
    for player in players:
        for slider in player.locator("input[type=range]").all():
            if slider.get_attribute("max") == "0":  # of a picture that stands still
                assert slider.is_hidden()
                continue
            slider.press("Home")
            wait_for(slider, "0")  # the page may take the key after press() has returned
            player.evaluate(STILL)
            before, sent = player.evaluate(SHOWN), opened.comm_messages()
            slider.press("End")
            opened.page.wait_for_function(
                f"([root, before]) => ({SHOWN})(root) !== before",
                arg=[player.element_handle(), before],
            )
            assert opened.comm_messages() == sent
            # Leaving the controls tells Python the position; that is not part of the drag.
            slider.blur()


def test_every_control_has_a_name_for_screen_readers(opened: Any) -> None:
    for player in opened.page.locator(".oe-player").all():
        for control in player.locator("input, button").all():
            label = control.locator("xpath=..")  # its text, even where Lab does not lay it out
            named = control.get_attribute("aria-label") or label.text_content()
            assert named.strip()


def test_play_runs_to_the_end(opened: Any) -> None:
    play = opened.page.locator(".oe-player button.oe-play")
    if not play.count():
        pytest.skip("nothing plays in this lesson")
    button = play.first
    row = button.locator("xpath=ancestor::*[@data-axis]")
    slider = row.locator("input[type=range]")
    slider.press("Home")
    wait_for(slider, "0")
    button.press("Space")
    last = slider.get_attribute("max")
    wait_for(slider, last)


# --- feedback and the ledger ---

CELLS = (
    "import overparam_edu as oe",
    "from functools import reduce\n"
    'oe.check("product_of_layers", lambda layers: reduce(lambda W, V: W @ V, layers))',
    'oe.check("product_of_layers", ...)',
    "oe.progress()",
    'oe.claims("03").check()',
)


@pytest.fixture(scope="module")
def classroom(place: Any) -> Iterator[Any]:
    notebook = place.run_cells(*CELLS)
    yield notebook
    place.close_pages()


def test_feedback_progress_and_verdicts_are_shown(classroom: Any) -> None:
    page = classroom.page
    hint, untouched = page.locator(".jp-RenderedHTMLCommon [role=status]").all()
    assert "not yet" in hint.inner_text()
    assert "stands on the right" in hint.inner_text()
    assert "not attempted" in untouched.inner_text()
    ledger = page.locator(".jp-OutputArea-output table").last
    assert ledger.get_by_text("holds with a condition").count() == 1
    ledger.scroll_into_view_if_needed()
    classroom.screenshot("ledger")
    hint.scroll_into_view_if_needed()
    classroom.screenshot("feedback")
    page.locator(".jp-RenderedHTMLCommon table").first.scroll_into_view_if_needed()
    classroom.screenshot("progress")
    classroom.check_quiet()


# --- live: what a student changes and does is kept by the browser ---

NAME = "00_start_here"
SOURCE = """id => jupyterapp.shell.currentWidget.content.widgets.find(one => one.model.id === id)
    .model.sharedModel.getSource()"""
CHANGE = """async id => {
    const panel = jupyterapp.shell.currentWidget;
    const cell = panel.content.widgets.find(one => one.model.id === id);
    cell.model.sharedModel.setSource("# mine");
    await panel.context.save();
}"""
# What an earlier edition leaves behind: the lesson in the browser, and no such folder on the site.
EARLIER = """async edition => {
    const { context } = jupyterapp.shell.currentWidget;
    const model = { type: "notebook", format: "json", content: context.model.toJSON() };
    const path = `${edition}/${context.path.split("/").pop()}`;
    await jupyterapp.serviceManager.contents.save(path, model);
    return path;
}"""


@pytest.fixture
def lesson(live: Any) -> Iterator[tuple[Any, str]]:
    """Yield a page that came to a place of its live lesson, and the id of the cell there."""
    page = live.new_page()
    page.goto(f"{live.url}/{NAME}.html")
    link = page.get_by_role("link", name="Run and change this here").first
    cell = link.get_attribute("href").partition("cell=")[2]
    link.click()
    page.locator(".overparam-edu-live").wait_for()
    yield page, cell
    live.close_pages()


def test_live_changes_stay_and_the_original_is_one_press_away(lesson: tuple[Any, str]) -> None:
    page, cell = lesson
    bar = page.locator(".overparam-edu-live")
    before = page.evaluate(SOURCE, cell)
    assert page.evaluate("jupyterapp.shell.currentWidget.content.activeCell.model.id") == cell
    page.evaluate(CHANGE, cell)
    page.reload()
    bar.wait_for()
    assert page.evaluate(SOURCE, cell) == "# mine"
    with page.expect_download() as copy:
        bar.get_by_role("button", name="Download my copy").click()
    mine = nbformat.read(copy.value.path(), as_version=4)
    assert [one.source for one in mine.cells if one.id == cell] == ["# mine"]
    with page.expect_navigation():
        bar.get_by_role("button", name="Original").click()
    bar.wait_for()
    assert page.evaluate(SOURCE, cell) == before
    copies = bar.get_by_role("combobox")
    copies.select_option(index=1)
    page.wait_for_url("**mine*")
    bar.get_by_text("This is a copy.").wait_for()
    assert page.evaluate(SOURCE, cell) == "# mine"


def test_live_a_place_is_reached_with_all_that_it_needs(lesson: tuple[Any, str]) -> None:
    page, cell = lesson
    page.evaluate(
        """async id => {
        const { content, sessionContext } = jupyterapp.shell.currentWidget;
        content.model.fromJSON({ cells: [
            { cell_type: "code", source: "a = 6", metadata: {}, outputs: [] },
            { cell_type: "code", id, source: "print(7 * a)", metadata: {}, outputs: [] },
            { cell_type: "code", source: "1 / 0", metadata: {}, outputs: [] },
        ], metadata: {}, nbformat: 4, nbformat_minor: 5 });
        content.activeCellIndex = 1;
        await sessionContext.ready;
    }""",
        cell,
    )
    page.get_by_role("button", name="Run up to here").click()
    page.locator(".jp-OutputArea-output").get_by_text("42").wait_for()
    assert page.locator(".jp-OutputArea-output").count() == 1


def test_live_a_newer_edition_hides_no_copy_of_an_earlier_one(
    lesson: tuple[Any, str], live: Any
) -> None:
    page, cell = lesson
    bar = page.locator(".overparam-edu-live")
    before, path = page.evaluate(SOURCE, cell), page.evaluate(EARLIER, "lessons-0.0.9-abcdef")
    # The student had opened and changed it there.
    page.goto(f"{live.url}/live/notebooks/index.html?path={path}")
    bar.wait_for()
    page.evaluate(CHANGE, cell)
    page.goto(f"{live.url}/live/notebooks/index.html?path={live.path(NAME)}")
    bar.get_by_role("combobox").select_option("lessons-0.0.9-abcdef")
    page.wait_for_url("**lessons-0.0.9*")
    bar.get_by_text("This is of an earlier edition.").wait_for()
    assert page.evaluate(SOURCE, cell) == "# mine"
    bar.get_by_role("button", name="Original").click()
    page.wait_for_url(f"**{live.edition}*")
    bar.wait_for()
    assert page.evaluate(SOURCE, cell) == before


def test_live_progress_is_kept_when_the_tab_is_closed(live: Any) -> None:
    opened = live.open(NAME)
    asked = "import overparam_edu as oe; print(oe.progress().exercises)"
    assert opened.run(asked).strip() == "{}"
    done = "from math import prod as answer; _ = oe.check('product_of_layers', answer)"
    assert "Error" not in opened.run(done)
    opened.page.close()
    assert "product_of_layers" in live.open("01_warm_up", opened.page).run(asked)
    live.close_pages()
