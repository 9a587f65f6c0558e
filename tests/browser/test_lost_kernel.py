"""A kernel killed in the middle of a lesson in JupyterLab; test_present.py has the presenter's."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

pytestmark = pytest.mark.browser

CELL = """
import plotly.graph_objects as go
from overparam_edu.player.player import Axis, Player, Scene, Track
depth = Axis("depth", "depth N", [1, 2, 4])
lines = [[1.0, 0.9], [1.0, 0.8], [1.0, 0.6]]
Player(Scene(go.Figure(go.Scatter()), [depth], [Track(0, "y", lines, ["depth"])]))
"""
SHOWS = """wanted => {
    const y = document.querySelector('.oe-picture')?.data?.[0].y ?? [];
    return y.length === 2 && Math.abs(y[1] - wanted) < 1e-6;
}"""


def test_sliders_move_on_and_the_page_says_how_to_get_the_kernel_back(lab: Any) -> None:
    opened = lab.run_cells(CELL)
    page = opened.page
    page.wait_for_function(SHOWS, arg=0.9)
    os.kill(int(opened.run("import os; print(os.getpid())")), signal.SIGKILL)
    notice = page.locator(".oe-notice", has_text="The kernel is gone")
    notice.wait_for()
    assert "run every cell again" in notice.inner_text()
    page.locator(".jp-Dialog .jp-mod-accept").click()  # what Lab itself says
    slider = page.locator("[data-axis=depth] input")
    slider.press("End")
    page.wait_for_function(SHOWS, arg=0.6)
    opened.run_all()  # and that helps
    page.wait_for_function(SHOWS, arg=0.9)
    assert opened.cell_errors == []
    assert notice.count() == 0
    slider.press("ArrowRight")
    page.wait_for_function(SHOWS, arg=0.8)
