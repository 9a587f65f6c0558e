"""What a hand moves in the picture: by mouse, finger and keys, with Python and without."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from overparam_edu.player.pictures import save

pytestmark = pytest.mark.browser

# Squares that a hand can put elsewhere; none further right than 3.
SQUARES = textwrap.dedent(
    """
    import ipywidgets as widgets
    import numpy as np
    import plotly.graph_objects as go
    from overparam_edu.player.explorer import Explorer
    from overparam_edu.player.scene import Axis, Handle, Reading, Scene, Track

    asked = []

    def build(a, b):
        asked.append((a, b))
        if a > 3:
            raise ValueError("a must be at most 3")
        corner = go.Scatter(uid="corner", x=[a], y=[b])
        figure = go.Figure([go.Scatter(uid="path", line_color="red"), corner])
        figure.update_layout(xaxis_range=[-1, 5], yaxis_range=[-1, 5], height=400, showlegend=False)
        size, step = Axis("size", "size", [1, 2]), Axis("step", "step", [0, 1, 2], play=True)
        x = a + np.outer([1, 2], [0, 1, 1])
        y = b + np.outer([1, 2], [0, 0, 1])
        both = {"axes": ["size", "step"], "trail": "step"}
        tracks = [Track("path", "x", x, **both), Track("path", "y", y, **both)]
        hand = Handle(
            "corner", "corner", ("a", "b"), ((0, 4), (0, 4)), (0.1, 0.1), ghost=["path"]
        )
        reading = Reading("From {a}, {b}.", {"a": ([a], ["one"]), "b": ([b], ["one"])})
        axes = [size, step, Axis("one", "one", [0])]
        return Scene(figure, axes, tracks, reading, alt="A path.", handles=[hand])

    def squares(**controls):
        return Explorer(build, controls)
    """
)
TYPED = SQUARES + "shown = squares(a=widgets.FloatText(1), b=widgets.FloatText(1))\nshown"
CHOSEN = (
    "squares(a=widgets.Dropdown(options=[1, 2, 3], value=1), b=widgets.Dropdown(options=[1, 2]))"
)
# What stands pale in the picture: the points of each ghost.
GHOSTS = """root => root.querySelector('.oe-picture').data
    .filter(({ uid }) => uid?.endsWith(' before'))
    .map(({ x, y }) => [Array.from(x), Array.from(y)])"""


@pytest.fixture(scope="module")
def room() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(SQUARES, names)
    return names


@pytest.fixture(scope="module")
def notebook(lab: Any) -> Iterator[Any]:
    opened = lab.run_cells(TYPED, height=900)
    assert opened.cell_errors == []
    yield opened
    opened.screenshot("handles")
    opened.check_quiet()


@pytest.fixture
def view(notebook: Any) -> Any:
    notebook.run("shown.reset(); asked.clear()")
    shown = notebook.player()
    shown.root.scroll_into_view_if_needed()
    shown.settle()
    return shown


def middle(view: Any) -> tuple[float, float]:
    box = view.root.locator(".oe-handle").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pixels(view: Any, right: float, up: float) -> tuple[float, float]:
    """Return how far apart two places are on the screen."""
    script = """root => {
        const { xaxis, yaxis } = root.querySelector('.oe-picture')._fullLayout;
        return [xaxis._length / 6, -yaxis._length / 6];
    }"""
    across, along = view.root.evaluate(script)
    return right * across, up * along


def at(notebook: Any) -> tuple[float, float]:
    a, b = notebook.run("print(shown.values['a'], shown.values['b'])").split()
    return float(a), float(b)


def see(view: Any, room: dict[str, Any], place: tuple[float, float], **stops: int) -> None:
    view.check(room["build"](*place), stops)


def test_what_asks_python_says_so(notebook: Any) -> None:
    said = """controls => getComputedStyle(controls, '::before').content"""
    assert notebook.page.locator(".overparam-controls").evaluate(said) == '"computed by Python"'
    assert notebook.player().root.evaluate(said) == "none"


def test_the_path_follows_a_hand_and_leaves_a_ghost(
    view: Any, notebook: Any, room: dict[str, Any]
) -> None:
    (x, y), (right, up) = middle(view), pixels(view, 1.0, 0.5)
    mouse = notebook.page.mouse
    mouse.move(x, y)
    mouse.down()
    for part in (0.2, 0.4, 0.6, 0.8):
        mouse.move(x + part * right, y + part * up)
        place = (round(1 + part, 1), round(1 + part / 2, 1))
        see(view, room, place, step=2)  # before the hand lets go; a path at its start is unrolled
    mouse.move(x + right, y + up)
    mouse.up()
    see(view, room, (2.0, 1.5), step=2)
    assert at(notebook) == (2.0, 1.5)
    assert middle(view) == pytest.approx((x + right, y + up), abs=3)
    assert view.root.evaluate(GHOSTS) == [[[1, 2, 2], [1, 1, 2]]]
    view.press("size", "ArrowRight")  # the ghost was of another size
    assert view.root.evaluate(GHOSTS) == []


def test_it_moves_by_keys_and_stays_where_it_may(
    view: Any, notebook: Any, room: dict[str, Any]
) -> None:
    handle = view.root.locator(".oe-handle")
    handle.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Shift+ArrowRight"):
        notebook.page.keyboard.press(key)
    see(view, room, (2.1, 1.2), step=2)
    assert handle.evaluate("node => node === document.activeElement")
    assert handle.get_attribute("aria-label") == "corner at (2.1, 1.2); arrow keys move it"
    assert view.root.evaluate(GHOSTS) == [[[1, 2, 2], [1, 1, 2]]]  # before the first key
    notebook.page.keyboard.press("Shift+ArrowRight")  # to 3.1, which Python refuses
    view.root.locator(".oe-stale", has_text="a must be at most 3").wait_for()
    see(view, room, (2.1, 1.2), step=2)
    assert "(2.1, 1.2)" in handle.get_attribute("aria-label")
    for _ in range(2):
        notebook.page.keyboard.press("Shift+ArrowDown")
    see(view, room, (2.1, 0.0), step=2)  # the edge


def test_a_picture_that_takes_long_is_asked_for_on_release(
    view: Any, notebook: Any, room: dict[str, Any]
) -> None:
    notebook.run(
        "import time; build_now = shown._build\n"
        "shown._build = lambda **values: time.sleep(1) or build_now(**values)"
    )
    try:
        (x, y), mouse = middle(view), notebook.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(*(p + d for p, d in zip((x, y), pixels(view, 0.5, 0), strict=True)))
        see(view, room, (1.5, 1.0), step=2)  # the first answer tells that it takes long
        for part in range(6, 12):
            mouse.move(*(p + d for p, d in zip((x, y), pixels(view, part / 10, 0), strict=True)))
            notebook.page.wait_for_timeout(300)
        assert at(notebook) == (1.5, 1.0)
        mouse.up()
        see(view, room, (2.1, 1.0), step=2)
        assert notebook.run("print(len(asked))").strip() == "2"
    finally:
        notebook.run("shown._build = build_now")


def test_another_change_lays_the_ghost(view: Any, notebook: Any, room: dict[str, Any]) -> None:
    view.root.locator(".oe-handle").focus()
    notebook.page.keyboard.press("ArrowUp")
    see(view, room, (1.0, 1.1), step=2)
    assert view.root.evaluate(GHOSTS)
    notebook.run("shown.set(a=2)")
    see(view, room, (2.0, 1.1), step=2)
    assert view.root.evaluate(GHOSTS) == []


def test_a_hand_on_another_page_leaves_no_picture_in_doubt(
    view: Any, notebook: Any, room: dict[str, Any]
) -> None:
    view.root.locator(".oe-handle").focus()
    notebook.page.keyboard.press("ArrowUp")
    see(view, room, (1.0, 1.1), step=2)
    [handle] = room["build"](1, 1).handles
    edit = {"author": "another", "number": 1, "handle": handle.trace, "place": [1.5, 0.5]}
    notebook.run(f"shown._edited({edit})")
    see(view, room, (1.5, 0.5), step=2)
    assert view.root.locator(".oe-stale").inner_text() == ""


# --- on a page ---


@pytest.fixture
def page(room: dict[str, Any], saved: Any, tmp_path: Any) -> Any:
    explorer = eval(CHOSEN, room)
    path = save(explorer, tmp_path / "squares.html", title="Squares")
    return saved(path, viewport={"width": 900, "height": 900}, has_touch=True)


def test_on_a_page_it_goes_to_the_nearest_setting_by_finger(
    page: Any, room: dict[str, Any]
) -> None:
    [view], session = page.players, page.page.context.new_cdp_session(page.page)
    (x, y), (right, up) = middle(view), pixels(view, 0.8, 0.9)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        there = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": there})

    touch("touchStart", (x, y))
    for part in (0.3, 0.6, 1.0):
        touch("touchMove", (x + part * right, y + part * up))
    touch("touchEnd")
    see(view, room, (2, 2), step=2)
    assert middle(view) == pytest.approx(
        tuple(p + d for p, d in zip((x, y), pixels(view, 1, 1), strict=True)), abs=2
    )
    assert page.page.evaluate("scrollY") == 0
    assert page.page.get_by_role("radio", name="2").nth(1).is_checked()
    page.check_quiet()


def test_on_a_page_keys_go_from_one_setting_to_the_next(page: Any, room: dict[str, Any]) -> None:
    [view] = page.players
    view.root.locator(".oe-handle").focus()
    for key, place in (
        ("ArrowRight", (2, 1)),
        ("ArrowRight", (3, 1)),
        ("ArrowRight", (3, 1)),
        ("ArrowUp", (3, 2)),
        ("ArrowLeft", (2, 2)),
    ):
        page.page.keyboard.press(key)
        see(view, room, place, step=2)
    page.check_quiet()


def test_on_a_page_with_one_place_nothing_can_be_dragged(
    room: dict[str, Any], saved: Any, tmp_path: Any
) -> None:
    fixed = eval("squares(a=widgets.FloatText(1), b=widgets.FloatText(1))", room)
    opened = saved(save(fixed, tmp_path / "one.html"))
    assert opened.page.locator(".oe-player").count() == 1
    assert opened.page.locator(".oe-handle").count() == 0
