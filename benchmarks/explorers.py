"""Explorers: every one of them in JupyterLab, until its first picture and from key to picture.

First display runs from the start of the cell, computation included, in a page that has plotly.js
and a kernel that has computed nothing yet. Each slider gets 20 key presses; the table has the
median of the slowest slider.
"""

from __future__ import annotations

import inspect
import statistics
from typing import Any

from lab import open_lab, press, show
from rows import FLOOR, Row

import overparam_edu as oe

PRESSES, IDLING = 20, "no picture"
# A first player, so that plotly.js is in the page.
PLAYER = """
import plotly.graph_objects as go
from overparam_edu.views.player import Axis, Player, Scene
Player(Scene(go.Figure(go.Scatter()), [Axis("step", "step", [0, 1])], []))
"""
# A slider that writes its value into the page, and does nothing else.
IDLE = """() => {
    const root = document.createElement('div');
    root.innerHTML = '<input type="range" max="20" value="0"><output></output>';
    root.className = 'idle';
    root.firstChild.dataset.lmSuppressShortcuts = true;
    document.querySelector('.oe-player').after(root);
    root.firstChild.addEventListener('input', ({ target }) => (root.dataset.frames = target.value));
}"""


def explorers() -> list[str]:
    """Return the names of all explorers that need no argument."""
    names = [name for name in oe.__all__ if name.startswith("explore_")]
    return [name for name in names if not _needs(getattr(oe, name))]


def _needs(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in parameters)


def keys(last: int) -> list[str]:
    """Return key presses that walk up and down between the stops 0 and `last`."""
    return ["ArrowRight" if n // last % 2 == 0 else "ArrowLeft" for n in range(PRESSES)]


def slowest(notebook: Any, root: Any) -> tuple[str, float]:
    """Return the slider with the slowest response, and the median seconds of its presses."""
    medians = {}
    for slider in root.locator("input[type=range]").all():
        last = int(slider.get_attribute("max"))
        if not last or not slider.is_visible():
            continue
        slider.press("Home")
        notebook.page.wait_for_timeout(300)
        times = press(notebook, slider, root, keys(last), "data-frames")
        label = slider.get_attribute("aria-label") or "slider"
        medians[label] = statistics.median(times) / 1000
    return max(medians.items(), key=lambda pair: pair[1], default=("no slider", float("nan")))


def rows() -> list[Row]:
    found: list[Row] = []
    messages = 0
    with open_lab() as lab:
        notebook = lab.run_cells("import overparam_edu as oe", "")
        show(notebook, PLAYER)
        notebook.page.evaluate(IDLE)
        idle = notebook.page.locator("div.idle")
        times = press(notebook, idle.locator("input"), idle, keys(20), "data-frames")
        floor = statistics.median(times) / 1000
        for name in explorers():
            seconds, size = show(notebook, f"oe.{name}()")
            root = notebook.page.locator(".oe-player").first
            before = len(notebook.sent)
            slider, response = slowest(notebook, root)
            messages = len(notebook.sent) - before
            found += [
                Row(f"`{name}`: first display", seconds),
                Row(
                    f"`{name}`: key press on “{slider}”", response, "s", FLOOR + "no picture", floor
                ),
                Row(f"`{name}`: bytes", size, "bytes"),
                Row(f"`{name}`: kernel messages while sliding", messages, "", most=0),
            ]
    return found
