"""A loss typed in a real JupyterLab: drawn, refused, and moved without the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from overparam_edu.explorers.own_loss import own_loss_scene
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene

pytestmark = pytest.mark.browser

TYPED = "(w1 - 1)^2 + 2*(w2 - 0.5)^4"
HEIGHTS = """root => {
    const { data } = root.querySelector('.oe-picture');
    return Array.from(data.find(trace => trace.uid === 'loss').y);
}"""


class Typing:
    """The explorer in the page, and the scene that it should show."""

    def __init__(self, notebook: Any) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".oe-player").first

    def type(self, text: str) -> None:
        field = self.page.get_by_label("loss L(w) =", exact=True)
        field.fill(text)
        field.press("Enter")

    def press(self, axis: str, key: str) -> None:
        self.root.locator(f"[data-axis={axis}] input").press(key)

    def shows(self, scene: Scene, position: dict[str, int]) -> None:
        """Wait for the sentence, then compare the curve."""
        words = describe(scene, position)
        self.root.locator(".oe-reading").filter(has_text=words).wait_for(timeout=20_000)
        expected = frame(scene, position)["loss", "y"]
        assert self.root.evaluate(HEIGHTS) == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module")
def typing(lab: Any) -> Iterator[Typing]:
    opened = lab.run_cells(
        "import overparam_edu as oe\nexplorer = oe.explore_own_loss()\nexplorer", height=900
    )
    assert opened.cell_errors == []
    yield Typing(opened)
    opened.screenshot("own-loss")
    assert opened.foreign_requests == []
    assert opened.console_errors == []


def start_of(scene: Scene) -> dict[str, int]:
    return {axis.name: axis.start for axis in scene.axes}


def test_a_typed_loss_is_drawn_and_what_is_none_is_refused(typing: Typing) -> None:
    first = own_loss_scene()
    typing.shows(first, start_of(first))
    typing.type("w1 +")
    typing.page.get_by_text("expression is not complete").wait_for()
    typing.shows(first, start_of(first))  # the picture is the one before
    typing.type("<img src=x onerror=alert(1)>")
    typing.page.get_by_text("expression may hold").wait_for()
    typing.type(TYPED)
    typing.press("step", "Home")
    scene = own_loss_scene(TYPED)
    typing.shows(scene, start_of(scene) | {"step": 0})
    assert typing.page.get_by_text("expression may hold").count() == 0
    assert "no function has F as its gradient" in typing.root.locator(".oe-board").inner_text()


def test_depth_and_iteration_move_without_a_message(typing: Typing) -> None:
    typing.type(TYPED)
    typing.press("step", "Home")
    scene = own_loss_scene(TYPED)
    position = start_of(scene) | {"step": 0}
    typing.shows(scene, position)
    sent = len(typing.notebook.sent)
    for name, key in (("depth", "Home"), ("depth", "End"), ("step", "End"), ("step", "Home")):
        typing.press(name, key)
        last = next(len(axis.stops) for axis in scene.axes if axis.name == name) - 1
        position[name] = 0 if key == "Home" else last
        typing.shows(scene, position)
    assert len(typing.notebook.sent) == sent
    typing.page.evaluate("() => document.activeElement.blur()")


def test_an_example_is_drawn_with_its_potential(typing: Typing) -> None:
    typing.page.get_by_label("example", exact=True).select_option("the same all round")
    board = typing.root.locator(".oe-board")
    board.get_by_text("is the gradient of a function").wait_for()
    assert board.locator("math").count() >= 2
