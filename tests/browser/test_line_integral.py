"""The line integral in a real JupyterLab: keys ask nobody, a corner moves by mouse and by keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from overparam_edu.explorers.line_integral import CORNERS, line_integral_scene
from overparam_edu.player.frames import frame

pytestmark = pytest.mark.browser

# What Plotly holds of the tracks' attributes, as frame() would say it.
DRAWN = """(root, keys) => {
    const gd = root.querySelector('.oe-picture');
    return keys.map(([trace, path]) => {
        const plain = (_, v) => ArrayBuffer.isView(v) ? Array.from(v) : v;
        return JSON.parse(JSON.stringify(gd.data.find(one => one.uid === trace)[path], plain));
    });
}"""
STILL = """root => new Promise(done => {
    let last = '', still = 0;
    (function look() {
        const now = root.dataset.frames + root.querySelector('.oe-board').textContent;
        still = root.dataset.frames !== '0' && now === last ? still + 1 : 0;
        last = now;
        still < 5 ? requestAnimationFrame(look) : done();
    })();
})"""
# The middle of a corner's disc on the screen.
CORNER = """(root, index) => {
    const shapes = root.querySelectorAll('.oe-picture .shapelayer path');
    const { x, y, width, height } = shapes[index].getBoundingClientRect();
    return [x + width / 2, y + height / 2];
}"""
KEYS = [
    ("curl", "z"),
    ("field", "x"),
    ("walk", "y"),
    ("lap", "y"),
    ("adaptive rate", "y"),
    ("projection", "y"),
]


class Seen:
    """An explorer in the page."""

    def __init__(self, notebook: Any) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".oe-player").first
        self.root.scroll_into_view_if_needed()
        self.settle()

    def settle(self) -> None:
        self.root.evaluate(STILL)

    def drawn(self) -> list[Any]:
        self.settle()
        return self.root.evaluate(DRAWN, [list(key) for key in KEYS])

    def work(self) -> float:
        """Return the work of the lap as the board shows it."""
        text = self.root.locator(".oe-board b").first.inner_text()
        return float(text.replace("−", "-"))

    def wait_for_another_work(self, before: float) -> float:
        self.page.wait_for_function(
            "([root, before]) => Number(root.querySelector('.oe-board b').textContent"
            ".replace('−', '-')) !== before",
            arg=[self.root.element_handle(), before],
        )
        self.settle()
        return self.work()

    def field(self, name: str) -> Any:
        return self.page.get_by_label(name, exact=True)

    def corner(self, index: int) -> tuple[float, float]:
        x, y = self.root.evaluate(CORNER, index)
        return x, y


def close(drawn: list[Any], scene: Any, at: dict[str, int]) -> bool:
    expected = frame(scene, at)
    for key, values in zip(KEYS, drawn, strict=True):
        np.testing.assert_allclose(
            np.array(values, float), np.array(expected[key], float), rtol=1e-6, err_msg=str(key)
        )
    return True


@pytest.fixture(scope="module")
def seen(lab: Any) -> Iterator[Seen]:
    opened = lab.run_cells(
        "import overparam_edu as oe\nexplorer = oe.explore_line_integral()\nexplorer", height=900
    )
    assert opened.cell_errors == []
    view = Seen(opened)
    yield view
    opened.screenshot("line-integral")
    assert opened.foreign_requests == []
    assert opened.console_errors == []


def test_depth_and_walk_move_without_a_message(seen: Seen) -> None:
    scene = line_integral_scene()
    position = {axis.name: axis.start for axis in scene.axes}
    assert close(seen.drawn(), scene, position)
    sent = len(seen.notebook.sent)
    for name, key, stop in (
        ("depth", "ArrowRight", position["depth"] + 1),
        ("depth", "Home", 0),
        ("depth", "End", 20),
        ("walk", "ArrowLeft", position["walk"] - 1),
        ("walk", "End", 96),
    ):
        seen.root.locator(f"[data-axis={name}] input").press(key)
        position[name] = stop
        assert close(seen.drawn(), scene, position), (name, key)
    assert len(seen.notebook.sent) == sent
    seen.page.evaluate("() => document.activeElement.blur()")


def test_a_corner_moves_by_mouse_and_the_work_with_it(seen: Seen) -> None:
    seen.notebook.run("explorer.reset(); explorer.set(curve='polygon')")
    seen.page.wait_for_function(
        "root => root.querySelectorAll('.oe-picture .shapelayer path').length === 4",
        arg=seen.root.element_handle(),
    )
    seen.settle()
    before = seen.work()
    x, y = seen.corner(1)
    seen.page.mouse.move(x, y)
    seen.page.mouse.down()
    seen.page.mouse.move(x - 40, y - 30, steps=5)
    seen.page.mouse.up()
    after = seen.wait_for_another_work(before)
    values = seen.notebook.run("print([explorer.values[n] for n in ('bx', 'by')])")
    bx, by = (float(v) for v in re.findall(r"-?[\d.]+", values))
    assert bx < CORNERS[1][0] - 0.05
    assert by > CORNERS[1][1] + 0.05
    assert seen.corner(1) == pytest.approx((x - 40, y - 30), abs=3)
    scene = line_integral_scene(corners=(CORNERS[0], (bx, by), *CORNERS[2:4]))
    assert close(seen.drawn(), scene, {axis.name: axis.start for axis in scene.axes})
    assert after == pytest.approx(float(seen.notebook.run(TOTAL)), abs=1e-11)
    assert float(seen.field("B x").input_value()) == bx


TOTAL = """
import numpy as np
from overparam_edu.explorers.line_integral import LOSSES, in_plane
v = explorer.values
corners = [[v[c + 'x'], v[c + 'y']] for c in 'abcd']
print(oe.work(in_plane(LOSSES['p4'][0], 0), 3, corners).total)
"""


def test_a_corner_moves_by_keyboard_and_the_work_with_it(seen: Seen) -> None:
    seen.notebook.run("explorer.reset(); explorer.set(curve='polygon')")
    seen.field("C y").wait_for()
    seen.settle()
    before, (x, y) = seen.work(), seen.corner(2)
    field = seen.field("C y")
    field.focus()
    seen.page.keyboard.press("ArrowUp")
    after = seen.wait_for_another_work(before)
    assert float(field.input_value()) == pytest.approx(CORNERS[2][1] + 0.05)
    assert seen.corner(2)[0] == pytest.approx(x, abs=1)
    assert seen.corner(2)[1] < y - 3
    assert after == pytest.approx(float(seen.notebook.run(TOTAL)), abs=1e-11)
    field.fill("5")
    seen.page.keyboard.press("Tab")
    seen.page.get_by_text("corner C must be in").wait_for()
    assert seen.work() == after  # the picture is the one before
    field.fill("0.6")
    seen.page.keyboard.press("Tab")
    assert seen.wait_for_another_work(after) == pytest.approx(before, abs=1e-12)
