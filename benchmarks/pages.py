"""Pages: one lesson as static pages, and how soon its pictures live.

Building runs the notebook, which is the floor. The page is opened from the disk, without a network,
until its first picture is drawn.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from lab import DRAWN, load_harness
from rows import FLOOR, Row

from overparam_edu.publish.pages import build_pages, executed, lesson_notebooks

LESSON = "05_illustration_of_acceleration"


def rows() -> list[Row]:
    [path] = [path for path in lesson_notebooks() if path.stem == LESSON]
    began = time.perf_counter()
    executed(path)
    running = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder, load_harness().open_browser() as browser:
        began = time.perf_counter()
        built = build_pages(folder, notebooks=[path])
        building = time.perf_counter() - began
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(Path(built.lessons[0]).as_uri())
        page.locator(DRAWN).first.wait_for()
        opening = time.perf_counter() - began
    return [
        Row(f"build the page of {LESSON}", building, "s", FLOOR + "running the notebook", running),
        Row("open it until the first picture", opening),
        Row("all files", built.size, "bytes"),
    ]
