"""A page of a real JupyterLab, and the time from a key press to a new picture in it."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DRAWN = ".oe-player:not([data-frames='0'])"

# Milliseconds from the key's arrival in the page to the frame after the picture's first change.
FIRST_CHANGE = """watched => {
    window.redrawn = new Promise(done => {
        let start = null;
        const begin = () => (start = performance.now());
        addEventListener('keydown', begin, { capture: true, once: true });
        const painted = () => requestAnimationFrame(() => {
            const channel = new MessageChannel();
            channel.port1.onmessage = () => done(performance.now() - start);
            channel.port2.postMessage(0);
        });
        const observer = new MutationObserver(async () => {
            if (start === null) return;
            const image = watched.querySelector('img');
            if (!image && watched.matches('.widget-output')) return; // between two images
            observer.disconnect();
            if (image) await image.decode();
            painted();
        });
        observer.observe(watched, { subtree: true, childList: true, attributes: true });
    });
}"""
# The same to the frame after its last change, after which nothing changes for 100 ms.
LAST_CHANGE = """watched => {
    window.redrawn = new Promise(done => {
        let start = null, timer = null;
        const begin = () => (start = performance.now());
        addEventListener('keydown', begin, { capture: true, once: true });
        const observer = new MutationObserver(() => {
            if (start === null) return;
            clearTimeout(timer);
            requestAnimationFrame(() => {
                const channel = new MessageChannel();
                channel.port1.onmessage = () => {
                    const spent = performance.now() - start;
                    clearTimeout(timer);
                    timer = setTimeout(() => observer.disconnect() || done(spent), 100);
                };
                channel.port2.postMessage(0);
            });
        });
        observer.observe(watched, { subtree: true, childList: true, attributes: true });
    });
}"""


def load_harness() -> Any:
    """Return the tests' JupyterLab harness as a module."""
    path = ROOT / "tests" / "browser" / "conftest.py"
    spec = importlib.util.spec_from_file_location("lab_harness", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab_harness"] = module
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def open_lab() -> Iterator[Any]:
    """Yield a JupyterLab with a browser, and stop both afterwards."""
    harness = load_harness()
    home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with home, harness.open_browser() as browser, harness.open_lab(Path(home.name), browser) as lab:
        yield lab


def press(
    notebook: Any,
    slider: Any,
    picture: Any,
    keys: list[str],
    arm: str = FIRST_CHANGE,
    *,
    pause: float = 100,
) -> list[float]:
    """Return the milliseconds of each key press on `slider` until `picture` is drawn anew."""
    page, times = notebook.page, []
    slider.scroll_into_view_if_needed()
    slider.focus()
    for key in keys:
        picture.evaluate(arm)
        page.keyboard.press(key)
        times.append(page.evaluate("() => redrawn"))
        page.wait_for_timeout(pause)
    return times


# Run code in the last cell; seconds from there to the first drawing of its player.
SHOW = """async code => {
    const { commands, shell } = jupyterapp, { content } = shell.currentWidget;
    content.activeCellIndex = content.widgets.length - 1;
    await commands.execute('notebook:clear-cell-output');
    const frame = () => new Promise(requestAnimationFrame);
    while (document.querySelector('.oe-player')) await frame();
    content.activeCell.model.sharedModel.setSource(code);
    const start = performance.now();
    commands.execute('notebook:run-cell');
    while (!document.querySelector(".oe-player:not([data-frames='0'])")) {
        if (performance.now() - start > 60_000) throw new Error(`no picture from ${code}`);
        await frame();
    }
    return (performance.now() - start) / 1000;
}"""


def show(notebook: Any, code: str) -> tuple[float, int]:
    """Run code that ends in a player in the last cell; return the seconds, and bytes received."""
    before = sum(notebook.received)
    seconds = notebook.page.evaluate(SHOW, code)
    notebook.page.wait_for_timeout(500)
    return seconds, sum(notebook.received) - before
