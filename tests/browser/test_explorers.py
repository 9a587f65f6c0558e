"""Two explorers with input of their own in a real JupyterLab: a corner that moves, a typed loss."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overparam_edu.explorers.line_integral import CORNERS, line_integral_scene
from overparam_edu.explorers.own_loss import own_loss_scene
from overparam_edu.player.pictures import save

pytestmark = pytest.mark.browser

# The middle of a corner's disc on the screen.
CORNER = """(root, index) => {
    const handle = root.querySelectorAll('.oe-handle')[index];
    const { x, y, width, height } = handle.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
}"""
TOTAL = """
import numpy as np
from overparam_edu.explorers.line_integral import LOSSES, in_plane
v = explorer.values
corners = [[v[c + 'x'], v[c + 'y']] for c in 'abcd']
print(oe.work(in_plane(LOSSES['p4'][0], 0), 3, corners).total)
"""
TYPED = "(w1 - 1)^2 + 2*(w2 - 0.5)^4"


def open_explorer(lab: Any, name: str) -> Iterator[Any]:
    lab.close_pages()  # of the explorer before, whose page is taken
    opened = lab.run_cells(
        f"import overparam_edu as oe\nexplorer = oe.explore_{name}()\nexplorer", height=900
    )
    assert opened.cell_errors == []
    opened.player().root.scroll_into_view_if_needed()
    opened.screenshot(name.replace("_", "-"))
    yield opened
    opened.check_quiet()


def check_keys(opened: Any, scene: Any, position: dict[str, int], presses: Any) -> None:
    """Press keys, and hold each picture against Python's, which hears nothing of it."""
    view, sent = opened.player(), len(opened.sent)
    for axis, key, stop in presses:
        view.press(axis, key)
        position[axis] = stop
        view.check(scene, position)
    assert len(opened.sent) == sent
    opened.page.evaluate("() => document.activeElement.blur()")


def start_of(scene: Any) -> dict[str, int]:
    return {axis.name: axis.start for axis in scene.axes}


# --- the line integral ---


@pytest.fixture(scope="module")
def loop(lab: Any) -> Iterator[Any]:
    yield from open_explorer(lab, "line_integral")


@pytest.fixture
def polygon(loop: Any) -> Any:
    """The explorer with a curve whose corners can be moved."""
    loop.run("explorer.reset(); explorer.set(curve='polygon')")
    loop.page.wait_for_function(
        "root => root.querySelectorAll('.oe-handle').length === 4",
        arg=loop.player().root.element_handle(),
    )
    loop.player().settle()
    return loop


def work(opened: Any) -> float:
    """Return the work of the lap as the board shows it."""
    return float(opened.player().board().locator("b").first.text_content().replace("−", "-"))


def another_work(opened: Any, before: float) -> float:
    opened.page.wait_for_function(
        "([root, before]) => Number(root.querySelector('.oe-board b').textContent"
        ".replace('−', '-')) !== before",
        arg=[opened.player().root.element_handle(), before],
    )
    opened.player().settle()
    return work(opened)


def test_depth_and_walk_move_without_a_message(loop: Any) -> None:
    scene = line_integral_scene()
    position = start_of(scene)
    loop.player().check(scene, position)
    presses = [
        ("depth", "ArrowRight", position["depth"] + 1),
        ("depth", "Home", 0),
        ("depth", "End", 20),
        ("walk", "ArrowLeft", position["walk"] - 1),
        ("walk", "End", 96),
    ]
    check_keys(loop, scene, position, presses)


def test_in_space_the_walk_climbs_without_a_message(loop: Any) -> None:
    scene, view, sent = line_integral_scene(), loop.player(), len(loop.sent)
    position = start_of(scene) | {"walk": 32, "view": 1}
    view.press("walk", "Home")
    view.control("view").nth(1).click()
    for _ in range(2):  # pages of 10
        view.press("walk", "PageUp")
    position["walk"] = view.stops()["walk"]
    position["depth"] = view.stops()["depth"]
    assert position["walk"] > 0
    view.check(scene, position)
    assert len(loop.sent) == sent
    view.control("view").first.click()  # and the flat picture is whole again
    view.check(scene, position | {"view": 0})
    loop.page.evaluate("() => document.activeElement.blur()")


CAMERA = """root => JSON.stringify(
    root.querySelector('.oe-picture')._fullLayout.scene._scene.getCamera().eye)"""
# Where it is once it has been there for five animation frames: it glides after the hand.
RESTED = f"""root => new Promise(done => {{
    const camera = {CAMERA};
    let last = '', still = 0;
    (function look() {{
        const now = camera(root);
        still = now === last ? still + 1 : 0;
        last = now;
        still < 5 ? requestAnimationFrame(look) : done(now);
    }})();
}})"""
WITHOUT_WEBGL = """{
    const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
        return kind.includes('webgl') ? null : getContext.call(this, kind, ...more);
    };
}"""


def test_without_webgl_the_flat_picture_stays_and_says_why(saved: Any, tmp_path: Path) -> None:
    scene = line_integral_scene()
    for script in ("", WITHOUT_WEBGL):
        opened = saved(save(scene, tmp_path / "loop.html"), script=script)
        view = opened.player()
        space = view.control("view").nth(1)
        assert space.is_disabled() == bool(script)
        assert ("has no WebGL" in view.root.inner_text()) == bool(script)
        if script:
            view.press("view", "ArrowRight")
            view.check(scene, start_of(scene))


def test_a_picture_in_space_is_turned_by_hand_and_stays_turned(saved: Any, tmp_path: Path) -> None:
    opened = saved(save(line_integral_scene(), tmp_path / "loop.html"))
    view = opened.player()
    view.control("view").nth(1).click()
    view.settle()
    before = view.root.evaluate(RESTED)
    box = view.root.locator(".oe-picture canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 60, y + 10, steps=5)
    opened.page.wait_for_function(
        f"([root, before]) => ({CAMERA})(root) !== before", arg=[view.root.element_handle(), before]
    )
    # Plotly keeps where it is when the hand lets go, and glides on a little.
    turned = view.root.evaluate(RESTED)
    opened.page.mouse.up()
    view.press("walk", "End")
    view.press("depth", "ArrowRight")
    kept, held = (json.loads(one) for one in (view.root.evaluate(RESTED), turned))
    assert kept == pytest.approx(held)


def test_a_corner_moves_by_mouse_and_the_work_with_it(polygon: Any) -> None:
    root, page, before = polygon.player().root, polygon.page, work(polygon)
    x, y = root.evaluate(CORNER, 1)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 30)  # in one stroke, which is one picture
    page.mouse.up()
    after = another_work(polygon, before)
    values = polygon.run("print([explorer.values[n] for n in ('bx', 'by')])")
    bx, by = (float(v) for v in re.findall(r"-?[\d.]+", values))
    assert bx < CORNERS[1][0] - 0.05
    assert by > CORNERS[1][1] + 0.05
    assert root.evaluate(CORNER, 1) == pytest.approx((x - 40, y - 30), abs=3)
    scene = line_integral_scene(corners=(CORNERS[0], (bx, by), *CORNERS[2:4]))
    polygon.player().check(scene, start_of(scene))
    assert after == pytest.approx(float(polygon.run(TOTAL)), abs=1e-11)
    assert float(page.get_by_label("B x", exact=True).input_value()) == bx


def test_a_corner_moves_by_keyboard_and_the_work_with_it(polygon: Any) -> None:
    root, page, before = polygon.player().root, polygon.page, work(polygon)
    x, y = root.evaluate(CORNER, 2)
    field = page.get_by_label("C y", exact=True)
    field.focus()
    page.keyboard.press("ArrowUp")
    after = another_work(polygon, before)
    assert float(field.input_value()) == pytest.approx(CORNERS[2][1] + 0.05)
    moved = root.evaluate(CORNER, 2)
    assert moved[0] == pytest.approx(x, abs=1)
    assert moved[1] < y - 3
    assert after == pytest.approx(float(polygon.run(TOTAL)), abs=1e-11)
    field.fill("5")
    page.keyboard.press("Tab")
    page.get_by_text("corner C must be in").wait_for()
    assert work(polygon) == after  # the picture is the one before
    field.fill("0.6")
    page.keyboard.press("Tab")
    assert another_work(polygon, after) == pytest.approx(before, abs=1e-12)


# --- a loss of one's own ---


@pytest.fixture(scope="module")
def typing(lab: Any) -> Iterator[Any]:
    yield from open_explorer(lab, "own_loss")


def type_loss(opened: Any, text: str) -> None:
    field = opened.page.get_by_label("loss L(w) =", exact=True)
    field.fill(text)
    field.press("Enter")


def test_a_typed_loss_is_drawn_and_what_is_none_is_refused(typing: Any) -> None:
    view, first, scene = typing.player(), own_loss_scene(), own_loss_scene(TYPED)
    view.check(first, start_of(first))
    type_loss(typing, "w1 +")
    typing.page.get_by_text("expression is not complete").wait_for()
    view.check(first, start_of(first))  # the picture is the one before
    type_loss(typing, "<img src=x onerror=alert(1)>")
    typing.page.get_by_text("expression may hold").wait_for()
    type_loss(typing, TYPED)
    view.press("step", "Home")
    view.check(scene, start_of(scene) | {"step": 0})
    assert typing.page.get_by_text("expression may hold").count() == 0
    assert "no function has F as its gradient" in view.board().inner_text()


def test_depth_and_iteration_move_without_a_message(typing: Any) -> None:
    type_loss(typing, TYPED)
    typing.player().press("step", "Home")
    scene = own_loss_scene(TYPED)
    position = start_of(scene) | {"step": 0}
    typing.player().check(scene, position)
    last = {axis.name: len(axis.stops) - 1 for axis in scene.axes}
    presses = [("depth", "Home", 0), ("depth", "End", last["depth"])]
    presses += [("step", "End", last["step"]), ("step", "Home", 0)]
    check_keys(typing, scene, position, presses)


def test_an_example_is_drawn_with_its_potential(typing: Any) -> None:
    typing.page.get_by_label("example", exact=True).select_option("the same all round")
    board = typing.player().board()
    board.get_by_text("is the gradient of a function").wait_for()
    assert board.locator("math").count() >= 2
