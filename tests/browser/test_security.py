"""Text of others on an exported page is text, and the page's own policy holds in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go
import pytest

from overparam_edu.player.page import save_html
from overparam_edu.publish.pages import build_pages

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>"
# Windows takes none of these signs in a file's name, and nobody "/".
NAME = 'a" onclick="' if os.name == "posix" else "a & b"
NAME += "<img src=x onerror=window.hacked=3>" if os.name == "posix" else ""
EXPLORER = """
import ipywidgets, plotly.graph_objects as go
from overparam_edu import SymbolicLoss
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.player import Axis, Reading, Scene
def build(text):
    figure = go.Figure(go.Scatter(y=[1, 2], name=text, text=[text] * 2, mode="text"))
    figure.update_layout(title=text)
    return Scene(figure, [Axis("step", text, [1, 2])], [], Reading(text, {}), alt=text)
options = [said, said + "2"]
Explorer(build, {"text": ipywidgets.Dropdown(options=options, description=said)})
"""
CELLS = [
    f"# Lesson `{HOSTILE}`\n\n## `{HOSTILE}`\n\n$x < y$",
    f"said = {HOSTILE!r}\nprint(said)\nsaid",
    EXPLORER.strip(),
    "try:\n    SymbolicLoss(said)\nexcept ValueError as problem:\n    print(problem)",
]
# What the browser refuses, from the page's first line on.
WATCH = """window.refused = [];
addEventListener('securitypolicyviolation', event => window.refused.push(
    `${event.effectiveDirective} ${event.blockedURI}`));"""
# An injected script, an event handler, a foreign script and a style sheet of a foreign host.
INJECT = """async () => {
    const script = document.createElement('script');
    script.textContent = 'window.hacked = 4';
    document.body.append(script);
    const box = document.createElement('div');
    box.innerHTML = '<img src="data:," onerror="window.hacked = 5">';
    document.body.append(box);
    const foreign = document.createElement('script');
    foreign.src = 'https://foreign.invalid/a.js';
    document.body.append(foreign);
    await fetch('https://foreign.invalid/b').catch(() => {});
    await new Promise(done => setTimeout(done, 300));
    return [window.refused, window.hacked ?? null];
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All pages of a course whose every text is hostile, and a picture in a file of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    notebook = nbformat.v4.new_notebook()
    new, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    notebook.cells = [new(CELLS[0]), *map(code, CELLS[1:])]
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
    notebook.cells = [new(f"# {HOSTILE}\n\n**Goal.** See {HOSTILE}\n\nNow.")]
    nbformat.write(notebook, folder / "markup.ipynb")
    built = build_pages(folder / "pages", notebooks=sorted(folder.glob("*.ipynb")))
    figure = go.Figure(go.Scatter(y=[1, 2], name=HOSTILE), {"title": HOSTILE})
    return {
        "index": built.start,
        **dict(zip(("lesson", "markup"), built.lessons, strict=True)),
        "file": save_html(figure, folder / "one.html", title=HOSTILE),
    }


def _open(browser: Any, path: Path) -> Any:
    context = browser.new_context()
    context.set_offline(True)
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_function("() => !document.querySelector('.waiting')")
    page.wait_for_timeout(300)
    return page


@pytest.fixture(params=["index", "lesson", "file"])
def opened(request: Any, browser: Any, site: dict[str, Path]) -> Iterator[Any]:
    page = _open(browser, site[request.param])
    yield page
    page.context.close()


def test_hostile_text_is_seen_and_not_run_and_the_policy_is_kept(opened: Any) -> None:
    assert opened.evaluate("window.hacked") is None
    assert opened.evaluate("window.refused") == []
    assert opened.locator("[onerror]").count() == 0
    assert "<img src=x onerror=" in opened.locator("body").inner_text() + opened.title()


def test_what_is_injected_is_refused(opened: Any) -> None:
    refused, hacked = opened.evaluate(INJECT)
    assert hacked is None
    assert {
        "script-src-elem inline",
        "script-src-attr inline",
        "script-src-elem https://foreign.invalid/a.js",
        "connect-src https://foreign.invalid/b",
    } <= set(refused)


def test_markup_of_a_notebooks_author_runs_nothing(browser: Any, site: dict[str, Path]) -> None:
    page = _open(browser, site["markup"])
    assert page.locator("img").count() == 2  # prose may hold HTML
    assert page.evaluate("window.hacked") is None
    refused = set(page.evaluate("window.refused"))
    assert refused == {"script-src-elem inline", "script-src-attr inline"}
    page.context.close()
