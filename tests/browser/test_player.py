"""The player in a real JupyterLab: what is drawn, what is sent, what Python knows."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from overparam_edu.player.wire import message

pytestmark = pytest.mark.browser

# Run both in the kernel and here, so that frame() can say what the browser must draw.
SCENE = textwrap.dedent(
    """
    import numpy as np
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots
    from overparam_edu.player.player import Axis, Player, Reading, Scene, Track, describe, frame

    def make_scene(factor=1.0, depths=8, steps=40):
        depth = Axis("depth", "depth N", np.arange(1, depths + 1), start=2)
        step = Axis("step", "step", np.arange(steps), start=10, play=True)
        rate = Axis("rate", "learning rate", ["same", "tuned"])
        time = np.arange(steps)
        loss = factor * np.exp(-0.02 * np.outer(np.arange(1, depths + 1), time))
        loss[-1, 15:] = np.nan  # the last depth diverges
        loss[-1, 14] = 1e300  # finite in float64, but not in float32
        path = np.cumsum(loss, axis=1) / 10
        figure = make_subplots(1, 2)
        grid = np.linspace(0, 4, 30)
        figure.add_trace(go.Contour(x=grid, y=grid, z=np.add.outer(grid, grid**2)), 1, 1)
        figure.add_trace(go.Scatter(mode="lines"), 1, 1)
        figure.add_trace(go.Scatter(mode="lines"), 1, 2)
        figure.add_trace(go.Scatter(mode="markers", marker_size=12), 1, 2)
        figure.add_trace(go.Scatter(x=[1, 2, 3], mode="markers", marker_color="red"), 1, 1)
        figure.update_xaxes(range=[0, 4], row=1, col=1).update_yaxes(range=[0, 4], row=1, col=1)
        figure.update_xaxes(range=[0, steps], row=1, col=2)
        figure.update_yaxes(type="log", range=[-4, 1], row=1, col=2)
        figure.update_layout(title="depth", font_size=18, height=420)
        middle = np.stack([np.full(depths, 1.0), np.arange(depths), np.full(depths, np.nan)], 1)
        trail = {"axes": ["depth", "step"], "trail": "step"}
        tracks = [
            Track(1, "x", path, **trail),
            Track(1, "y", path, **trail),
            Track(2, "x", time, ["step"], trail="step"),
            Track(2, "y", loss, **trail),
            Track(3, "x", time, ["step"]),
            Track(3, "y", loss, ["depth", "step"]),
            Track(4, "y", middle, ["depth"]),
            Track(4, "marker.color", ["red", "green"], ["rate"]),
            Track(None, "title.text", ["at the same rate", "each at its own"], ["rate"]),
        ]
        reading = Reading("{depth}, {step}, {rate}: {loss}", {"loss": (loss, ["depth", "step"])})
        return Scene(figure, [depth, step, rate], tracks, reading)
    """
)
# What Plotly holds of the tracks' attributes, as frame() would say it.
DRAWN = """(root, keys) => {
    const gd = root.querySelector('.oe-picture');
    return keys.map(([trace, path]) => {
        let value = trace === null ? gd.layout : gd.data[trace];
        for (const key of path.split('.')) value = value[key];
        return ArrayBuffer.isView(value) ? Array.from(value) : value;
    });
}"""
# Distance in pixels between the end of a trace's line on the screen and its last point.
LINE_END = """(root, index) => {
    const gd = root.querySelector('.oe-picture');
    const { uid, xaxis, yaxis } = gd._fullData[index];
    const line = gd.querySelector(`.trace${uid} path.js-line`).getAttribute('d');
    const [x, y] = line.match(/[-\\d.]+,[-\\d.]+$/)[0].split(',').map(Number);
    const axis = (id) => gd._fullLayout[id.replace(/([xy])/, '$1axis')];
    const data = gd.data[index];
    const last = Math.min(data.x.length, data.y.length) - 1; // y may end early, at an infinity
    const end = (values, a) => a.c2p(a.d2c(values[last]));
    return Math.hypot(x - end(data.x, axis(xaxis)), y - end(data.y, axis(yaxis)));
}"""
RANGE = "root => root.querySelector('.oe-picture').layout.xaxis.range"


class Seen:
    """One view of a player in the page."""

    def __init__(self, notebook: Any, number: int) -> None:
        self.notebook = notebook
        self.root = notebook.page.locator(".oe-player").nth(number)

    def control(self, name: str, kind: str = "input") -> Any:
        return self.root.locator(f"[data-axis={name}] {kind}")

    def settle(self) -> None:
        """Wait until nothing has been redrawn for five animation frames."""
        self.root.evaluate(
            """root => new Promise(done => {
                let last = '0', still = 0;
                (function look() {
                    const now = root.dataset.frames;
                    still = now !== '0' && now === last ? still + 1 : 0;
                    last = now;
                    still < 5 ? requestAnimationFrame(look) : done();
                })();
            })"""
        )

    def press(self, name: str, *keys: str) -> None:
        self.control(name).first.focus()
        for key in keys:
            self.notebook.page.keyboard.press(key)
        self.settle()

    def drawn(self, keys: Any) -> dict[Any, Any]:
        self.settle()
        keys = list(keys)
        return dict(zip(keys, self.root.evaluate(DRAWN, [list(key) for key in keys]), strict=True))

    def middle(self) -> tuple[float, float]:
        box = self.root.locator(".xy .nsewdrag").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def zoom_in(self) -> None:
        """Drag a box in the left panel."""
        x, y = self.middle()
        mouse = self.notebook.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + 60, y + 50, steps=4)
        mouse.up()
        self.notebook.page.wait_for_timeout(500)

    def reading(self) -> str:
        return self.root.locator(".oe-reading").inner_text()


@pytest.fixture(scope="module")
def room() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(SCENE, names)
    return names


@pytest.fixture(scope="module")
def notebook(lab: Any) -> Iterator[Any]:
    opened = lab.run_cells(
        SCENE + "player = Player(make_scene())\nplayer",
        "player",  # a second view of the same model
        "other = Player(make_scene(factor=0.5))\nother",
    )
    assert opened.cell_errors == []
    yield opened
    opened.screenshot("player")
    assert opened.foreign_requests == []
    assert opened.console_errors == []


@pytest.fixture
def view(notebook: Any) -> Seen:
    """The first player, back at its beginning."""
    notebook.run("player.show(make_scene()); player.move(depth=2, step=10, rate=0)")
    seen = Seen(notebook, 0)
    seen.root.scroll_into_view_if_needed()
    seen.settle()
    return seen


@pytest.mark.parametrize(
    "position",
    [
        {},
        {"depth": 0, "step": 0, "rate": 1},
        {"depth": 4, "step": 39, "rate": 0},
        {"depth": 7, "step": 13, "rate": 1},
        {"depth": 7, "step": 39, "rate": 0},  # where the values are no longer finite
    ],
)
def test_browser_draws_what_frame_says(
    view: Seen, room: dict[str, Any], position: dict[str, int]
) -> None:
    scene = room["make_scene"]()
    view.notebook.run(f"player.move(**{position})")
    expected = room["frame"](scene, position)
    assert view.drawn(expected) == expected
    assert view.reading() == room["describe"](scene, position)
    assert view.root.evaluate(LINE_END, 2) < 1.5


def test_keys_move_the_picture(view: Seen, room: dict[str, Any]) -> None:
    scene = room["make_scene"]()
    presses = [("ArrowRight", 3), ("ArrowLeft", 2), ("End", 7), ("Home", 0), ("ArrowUp", 1)]
    for key, stop in presses:
        view.press("depth", key)
        expected = room["frame"](scene, {"depth": stop})
        assert view.drawn(expected) == expected, key
        assert view.control("depth").get_attribute("aria-valuetext") == str(stop + 1)
    view.press("rate", "ArrowRight")
    assert view.reading().startswith("2, 10, tuned")


def test_what_stands_still_stays_in_place(view: Seen) -> None:
    """Contours remain, and lines keep their order, in every way of moving."""
    layers = """root => [...root.querySelectorAll('.plot g.mlayer, .plot g.mlayer > g')]
        .map(node => `${node.getAttribute('class')} ${node.querySelectorAll('path').length > 0}`)"""
    contours = "root => root.querySelectorAll('.contourlayer path').length"
    view.notebook.run("player.show(make_scene())")
    view.settle()
    before, lines = view.root.evaluate(layers), view.root.evaluate(contours)
    assert lines > 3
    for name, key in [("depth", "ArrowRight"), ("step", "ArrowRight"), ("rate", "ArrowRight")]:
        view.press(name, key)
        assert view.root.evaluate(layers) == before, name
        assert view.root.evaluate(contours) == lines, name
    shape = "root => root.querySelector('.contourlayer path').getAttribute('d')"
    drawn = view.root.evaluate(shape)
    view.zoom_in()
    assert view.root.evaluate(shape) != drawn  # Plotly still owns the layer that was put back
    view.notebook.page.mouse.dblclick(*view.middle())
    view.notebook.page.wait_for_timeout(500)
    assert view.root.evaluate(layers) == before
    assert view.root.evaluate(contours) == lines


def test_no_message_while_a_hand_moves(view: Seen) -> None:
    view.control("depth").focus()
    before = len(view.notebook.sent)
    keys = [*["ArrowRight"] * 6, *["ArrowLeft"] * 6]
    view.press("depth", *keys)
    view.press("step", *keys)
    assert len(view.notebook.sent) == before


def test_python_learns_the_position_when_the_hand_leaves(view: Seen) -> None:
    view.press("depth", "End", "ArrowLeft")
    assert view.notebook.run("print(player.position['depth'])").strip() == "2"  # not told yet
    before = len(view.notebook.sent)
    view.notebook.page.evaluate("() => document.activeElement.blur()")
    assert view.notebook.run("print(player.position['depth'])").strip() == "6"
    assert view.notebook.comm_messages(before) == 1


def test_play_runs_to_the_end_in_silence(view: Seen, room: dict[str, Any]) -> None:
    view.press("step", "End", *["PageDown"] * 2)
    started = int(view.control("step").input_value())
    assert started < 39
    button = view.control("step", "button")
    assert button.get_attribute("aria-label") == "Play step"
    button.focus()
    before, frames = len(view.notebook.sent), int(view.root.get_attribute("data-frames"))
    view.notebook.page.keyboard.press("Space")
    assert button.get_attribute("aria-label") == "Pause step"
    view.root.locator("button[aria-label='Play step']").wait_for(timeout=15_000)
    assert view.control("step").input_value() == "39"
    expected = room["frame"](room["make_scene"](), {"step": 39})
    assert view.drawn(expected) == expected
    assert len(view.notebook.sent) == before
    assert int(view.root.get_attribute("data-frames")) - frames >= 39 - started - 2


def test_play_begins_again_and_pauses(view: Seen) -> None:
    view.press("step", "End")
    view.control("step", "button").press("Space")
    view.notebook.page.wait_for_timeout(700)
    view.control("step", "button").press("Space")
    stop = int(view.control("step").input_value())
    assert 0 < stop < 39
    view.notebook.page.wait_for_timeout(400)
    assert int(view.control("step").input_value()) == stop


def test_show_replaces_the_scene_and_keeps_the_sliders(view: Seen, room: dict[str, Any]) -> None:
    view.press("depth", "End")
    view.notebook.page.evaluate("() => document.activeElement.blur()")
    view.zoom_in()
    zoomed = view.root.evaluate(RANGE)
    assert zoomed != [0, 4]
    view.notebook.run("player.show(make_scene(factor=3.0, depths=5))")
    expected = room["frame"](room["make_scene"](factor=3.0, depths=5), {"depth": 4})
    assert view.drawn(expected) == expected
    assert view.control("depth").get_attribute("max") == "4"
    assert view.notebook.run("print(player.position)").strip() == str(
        {"depth": 4, "step": 10, "rate": 0}
    )
    assert view.root.evaluate(RANGE) == zoomed
    view.notebook.page.mouse.dblclick(*view.middle())
    view.notebook.page.wait_for_timeout(500)
    assert view.root.evaluate(RANGE) == [0, 4]


def test_python_has_the_last_word(view: Seen) -> None:
    view.press("depth", "End")  # Python doesn't know, and believes to be at 2
    view.notebook.run("player.move(depth=2)")
    view.settle()
    assert view.control("depth").input_value() == "2"
    view.notebook.page.evaluate("() => document.activeElement.blur()")
    assert view.notebook.run("print(player.position['depth'])").strip() == "2"


def test_two_views_of_one_player_agree(view: Seen, room: dict[str, Any]) -> None:
    twin, other = Seen(view.notebook, 1), Seen(view.notebook, 2)
    twin.press("depth", "ArrowRight", "ArrowRight")
    expected = room["frame"](room["make_scene"](), {"depth": 4})
    assert view.drawn(expected) == expected
    assert twin.drawn(expected) == expected
    assert other.control("depth").input_value() == "2"


def test_plotly_comes_once_per_page(notebook: Any) -> None:
    assert sum(size > 4_000_000 for size in notebook.received) == 1
    assert sum(notebook.received) < 5_300_000


def test_nothing_that_is_not_finite_reaches_plotly(view: Seen) -> None:
    view.press("depth", "End")
    view.press("step", "Home", *["PageUp"] * 12)
    bad = view.root.evaluate(
        """root => root.querySelector('.oe-picture').data.slice(1).flatMap(t => [...t.x, ...t.y])
            .filter(v => typeof v === 'number' && !Number.isFinite(v)).length"""
    )
    assert bad == 0


def test_picture_follows_the_width(view: Seen) -> None:
    page = view.notebook.page
    wide = view.root.locator(".oe-picture .main-svg").first.bounding_box()["width"]
    page.set_viewport_size({"width": 800, "height": 720})
    page.wait_for_timeout(600)
    view.settle()
    narrow = view.root.locator(".oe-picture .main-svg").first.bounding_box()["width"]
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_timeout(600)
    assert narrow < wide - 200


MOUNT = """async ([source, spec, packed, plotly]) => {
    const player = await import('data:text/javascript;base64,' + source);
    const buffer = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    window.heard = [];
    window.player = player.mount(document.body, {
        spec,
        buffer,
        position: { depth: 1 },
        onPosition: (position) => heard.push(position),
        ask: () => setTimeout(() => window.overparamEduPage.arrived(plotly)),
    });
}"""


def test_page_without_a_kernel(browser: Any, room: dict[str, Any]) -> None:
    """The same script in a bare page, here one with AMD names that plotly.js must not fall for."""
    scene = room["make_scene"]()
    sent = message(scene)
    script = resources.files("overparam_edu.views").joinpath("player.js").read_bytes()
    page = browser.new_page()
    page.set_content("<script>window.define = () => { throw 'AMD'; }; define.amd = {};</script>")
    packed = [base64.b64encode(part).decode() for part in (script, sent["buffer"])]
    page.evaluate(MOUNT, [packed[0], sent["spec"], packed[1], get_plotlyjs()])
    page.locator(".oe-player:not([data-frames='0'])").wait_for()
    page.locator("[data-axis=depth] input").press("ArrowRight")
    page.locator(".oe-player[data-frames='2']").wait_for()
    expected = room["frame"](scene, {"depth": 2})
    keys = [list(key) for key in expected]
    assert page.locator(".oe-player").evaluate(DRAWN, keys) == list(expected.values())
    assert page.evaluate("() => [heard, typeof define]") == [
        [{"depth": 2, "step": 10, "rate": 0}],
        "function",
    ]
    assert page.locator(".contourlayer path").count() > 3  # base64 arrays draw
    page.evaluate("() => player.destroy()")
    assert page.locator(".oe-player").count() == 0
    page.close()


def test_silent_kernel_is_said_plainly(browser: Any, room: dict[str, Any]) -> None:
    sent = message(room["make_scene"]())
    script = resources.files("overparam_edu.views").joinpath("player.js").read_bytes()
    page = browser.new_page()
    page.clock.install()
    packed = [base64.b64encode(part).decode() for part in (script, sent["buffer"])]
    page.evaluate(
        MOUNT.replace("window.overparamEduPage.arrived(plotly)", "{}"),
        [packed[0], sent["spec"], packed[1], ""],
    )
    page.clock.run_for(31_000)
    page.get_by_text("plotly.js did not arrive: is the kernel alive?").wait_for()
    page.close()
