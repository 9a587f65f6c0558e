"""The live lessons: a page leads to its place, changes stay, and the original is one press away."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from overparam_edu.cli.serve import files_server
from overparam_edu.publish.live import build_live
from overparam_edu.publish.pages import code_html, lesson_notebooks

pytestmark = pytest.mark.browser

PYODIDE = os.environ.get("OVERPARAM_EDU_PYODIDE", "")
NAME = "00_start_here"
CELL = """id => jupyterapp.shell.currentWidget.content.widgets.find(one => one.model.id === id)
    .model.sharedModel.getSource()"""
NAMES = """async () => {
    const [folder] = jupyterapp.shell.currentWidget.context.path.split("/");
    const { contents } = jupyterapp.serviceManager;
    return (await contents.get(folder, { content: true })).content.map(one => one.name);
}"""
CHANGE = """async id => {
    const panel = jupyterapp.shell.currentWidget;
    const cell = panel.content.widgets.find(one => one.model.id === id);
    cell.model.sharedModel.setSource("# mine");
    await panel.context.save();
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page of lesson 00 and the live lessons."""
    if not PYODIDE:
        pytest.skip("set OVERPARAM_EDU_PYODIDE to a folder with Pyodide")
    folder = tmp_path_factory.mktemp("site")
    page = '<html><head></head><body><main id="lesson">{}'
    [lesson] = [path for path in lesson_notebooks() if path.stem == NAME]
    (folder / f"{NAME}.html").write_text(page.format(code_html("1 + 1", "00-03")), encoding="utf-8")
    build_live(folder, PYODIDE, notebooks=[lesson])
    server = files_server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_changes_stay_and_the_original_is_one_press_away(site: str, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site}/{NAME}.html")
    link = page.get_by_role("link", name="Run and change this here")
    cell = link.get_attribute("href").partition("cell=")[2]
    link.click()
    bar = page.locator(".overparam-edu-live")
    bar.wait_for()
    before = page.evaluate(CELL, cell)
    assert page.evaluate("jupyterapp.shell.currentWidget.content.activeCell.model.id") == cell
    page.evaluate(CHANGE, cell)
    page.reload()
    bar.wait_for()
    assert page.evaluate(CELL, cell) == "# mine"
    with page.expect_navigation():
        bar.get_by_role("button", name="Original").click()
    bar.wait_for()
    assert page.evaluate(CELL, cell) == before
    names = page.evaluate(NAMES)
    assert any(name.startswith(f"{NAME} (mine ") for name in names), names
    context.close()
