"""The player in a real JupyterLab: what is drawn, what is sent, what Python knows."""

from __future__ import annotations

import base64
import os
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from overparam_edu.player.frames import carried, stops_at
from overparam_edu.player.page import player_module
from overparam_edu.player.pictures import save
from overparam_edu.player.scene import Axis, Board, Scene
from overparam_edu.player.wire import message

pytestmark = pytest.mark.browser

# Run both in the kernel and here, so that frame() can say what the browser must draw.
SCENE = textwrap.dedent(
    """
    import numpy as np
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots
    from overparam_edu.player.player import Player
    from overparam_edu.player.scene import Axis, Reading, Scene, Track

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
        figure.add_trace(go.Scatter(uid="path", mode="lines"), 1, 1)
        figure.add_trace(go.Scatter(uid="run", mode="lines"), 1, 2)
        figure.add_trace(go.Scatter(uid="head", mode="markers", marker_size=12), 1, 2)
        three = go.Scatter(uid="three", x=[1, 2, 3], mode="markers", marker_color="red")
        figure.add_trace(three, 1, 1)
        figure.update_xaxes(range=[0, 4], row=1, col=1).update_yaxes(range=[0, 4], row=1, col=1)
        figure.update_xaxes(range=[0, steps], row=1, col=2)
        figure.update_yaxes(type="log", range=[-4, 1], row=1, col=2)
        figure.update_layout(title="depth", font_size=18, height=420)
        middle = np.stack([np.full(depths, 1.0), np.arange(depths), np.full(depths, np.nan)], 1)
        trail = {"axes": ["depth", "step"], "trail": "step"}
        tracks = [
            Track("path", "x", path, **trail),
            Track("path", "y", path, **trail),
            Track("run", "x", time, ["step"], trail="step"),
            Track("run", "y", loss, **trail),
            Track("head", "x", time, ["step"]),
            Track("head", "y", loss, ["depth", "step"]),
            Track("three", "y", middle, ["depth"]),
            Track("three", "marker.color", ["red", "green"], ["rate"]),
            Track(None, "title.text", ["at the same rate", "each at its own"], ["rate"]),
        ]
        reading = Reading("{depth}, {step}, {rate}: {loss}", {"loss": (loss, ["depth", "step"])})
        return Scene(figure, [depth, step, rate], tracks, reading)
    """
)
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
        fresh=True,
    )
    assert opened.cell_errors == []
    yield opened
    opened.screenshot("player")
    opened.check_quiet()


@pytest.fixture
def view(notebook: Any) -> Any:
    """The first player, back at its beginning."""
    notebook.run("player.show(make_scene()); player.move(depth=2, step=10, rate=0)")
    shown = notebook.player()
    shown.root.scroll_into_view_if_needed()
    shown.settle()
    return shown


def middle(view: Any) -> tuple[float, float]:
    box = view.root.locator(".xy .nsewdrag").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def zoom_in(view: Any) -> None:
    """Drag a box in the left panel."""
    (x, y), mouse = middle(view), view.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 60, y + 50, steps=4)
    mouse.up()
    view.page.wait_for_timeout(500)


def zoom_out(view: Any) -> None:
    view.page.mouse.dblclick(*middle(view))
    view.page.wait_for_timeout(500)


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
    notebook: Any, view: Any, room: dict[str, Any], position: dict[str, int]
) -> None:
    notebook.run(f"player.move(**{position})")
    view.check(room["make_scene"](), position)
    assert view.root.evaluate(LINE_END, 2) < 1.5


def test_keys_move_the_picture(view: Any, room: dict[str, Any]) -> None:
    scene = room["make_scene"]()
    presses = [("ArrowRight", 3), ("ArrowLeft", 2), ("End", 7), ("Home", 0), ("ArrowUp", 1)]
    for key, stop in presses:
        view.press("depth", key)
        view.check(scene, {"depth": stop})
        assert view.control("depth").get_attribute("aria-valuetext") == str(stop + 1)
    view.press("rate", "ArrowRight")
    assert view.reading().startswith("2, 10, tuned")


def test_what_stands_still_stays_in_place(notebook: Any, view: Any) -> None:
    """Contours remain, and lines keep their order, in every way of moving."""
    layers = """root => [...root.querySelectorAll('.plot g.mlayer, .plot g.mlayer > g')]
        .map(node => `${node.getAttribute('class')} ${node.querySelectorAll('path').length > 0}`)"""
    contours = "root => root.querySelectorAll('.contourlayer path').length"
    notebook.run("player.show(make_scene())")
    view.settle()
    before, lines = view.root.evaluate(layers), view.root.evaluate(contours)
    assert lines > 3
    for name, key in [("depth", "ArrowRight"), ("step", "ArrowRight"), ("rate", "ArrowRight")]:
        view.press(name, key)
        assert view.root.evaluate(layers) == before, name
        assert view.root.evaluate(contours) == lines, name
    shape = "root => root.querySelector('.contourlayer path').getAttribute('d')"
    drawn = view.root.evaluate(shape)
    zoom_in(view)
    assert view.root.evaluate(shape) != drawn  # Plotly still owns the layer that was put back
    zoom_out(view)
    assert view.root.evaluate(layers) == before
    assert view.root.evaluate(contours) == lines


def test_no_message_while_a_hand_moves(notebook: Any, view: Any) -> None:
    view.control("depth").focus()
    before = len(notebook.sent)
    keys = [*["ArrowRight"] * 6, *["ArrowLeft"] * 6]
    view.press("depth", *keys)
    view.press("step", *keys)
    assert len(notebook.sent) == before


def test_python_learns_the_position_when_the_hand_leaves(notebook: Any, view: Any) -> None:
    view.press("depth", "End", "ArrowLeft")
    assert notebook.run("print(player.position['depth'])").strip() == "2"  # not told yet
    before = len(notebook.sent)
    view.page.evaluate("() => document.activeElement.blur()")
    assert notebook.run("print(player.position['depth'])").strip() == "6"
    assert notebook.comm_messages(before) == 1


def test_play_runs_to_the_end_in_silence(notebook: Any, view: Any, room: dict[str, Any]) -> None:
    view.press("step", "End", *["PageDown"] * 2)
    started = int(view.control("step").input_value())
    assert started < 39
    button = view.control("step", "button")
    assert button.get_attribute("aria-label") == "Play step"
    button.focus()
    before, frames = len(notebook.sent), int(view.root.get_attribute("data-frames"))
    view.page.keyboard.press("Space")
    assert button.get_attribute("aria-label") == "Pause step"
    view.root.locator("button[aria-label='Play step']").wait_for(timeout=15_000)
    assert view.control("step").input_value() == "39"
    view.check(room["make_scene"](), {"step": 39})
    assert len(notebook.sent) == before
    assert int(view.root.get_attribute("data-frames")) - frames >= 39 - started - 2


def test_play_begins_again_and_pauses(view: Any) -> None:
    view.press("step", "End")
    view.control("step", "button").press("Space")
    view.page.wait_for_timeout(700)
    view.control("step", "button").press("Space")
    stop = int(view.control("step").input_value())
    assert 0 < stop < 39
    view.page.wait_for_timeout(400)
    assert int(view.control("step").input_value()) == stop


def test_show_replaces_the_scene_and_keeps_the_sliders(
    notebook: Any, view: Any, room: dict[str, Any]
) -> None:
    view.press("depth", "End")
    view.page.evaluate("() => document.activeElement.blur()")
    zoom_in(view)
    zoomed = view.root.evaluate(RANGE)
    assert zoomed != [0, 4]
    notebook.run("player.show(make_scene(factor=3.0, depths=5))")
    view.check(room["make_scene"](factor=3.0, depths=5), {"depth": 4})
    assert view.control("depth").get_attribute("max") == "4"
    assert notebook.run("print(player.position)").strip() == str(
        {"depth": 4, "step": 10, "rate": 0}
    )
    assert view.root.evaluate(RANGE) == zoomed
    zoom_out(view)
    assert view.root.evaluate(RANGE) == [0, 4]


def test_python_has_the_last_word(notebook: Any, view: Any) -> None:
    view.press("depth", "End")  # Python doesn't know, and believes to be at 2
    notebook.run("player.move(depth=2)")
    view.settle()
    assert view.control("depth").input_value() == "2"
    view.page.evaluate("() => document.activeElement.blur()")
    assert notebook.run("print(player.position['depth'])").strip() == "2"


def test_two_views_of_one_player_agree(notebook: Any, view: Any, room: dict[str, Any]) -> None:
    twin, other = notebook.player(1), notebook.player(2)
    twin.press("depth", "ArrowRight", "ArrowRight")
    for same in (view, twin):
        same.check(room["make_scene"](), {"depth": 4})
    assert other.control("depth").input_value() == "2"


def test_plotly_comes_once_per_page(notebook: Any) -> None:
    assert sum(size > 4_000_000 for size in notebook.received) == 1
    assert sum(notebook.received) < 5_300_000


def test_nothing_that_is_not_finite_reaches_plotly(view: Any) -> None:
    view.press("depth", "End")
    view.press("step", "Home", *["PageUp"] * 12)
    bad = view.root.evaluate(
        """root => root.querySelector('.oe-picture').data.slice(1).flatMap(t => [...t.x, ...t.y])
            .filter(v => typeof v === 'number' && !Number.isFinite(v)).length"""
    )
    assert bad == 0


def test_picture_follows_the_width(view: Any) -> None:
    page = view.page
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


def test_page_without_a_kernel(watch: Any, browser: Any, room: dict[str, Any]) -> None:
    """The same script in a bare page, here one with AMD names that plotly.js must not fall for."""
    scene = room["make_scene"]()
    sent = message(scene)
    script = player_module().encode()
    page = browser.new_page()
    page.set_content("<script>window.define = () => { throw 'AMD'; }; define.amd = {};</script>")
    packed = [base64.b64encode(part).decode() for part in (script, sent["buffer"])]
    page.evaluate(MOUNT, [packed[0], sent["spec"], packed[1], get_plotlyjs()])
    page.locator(".oe-player:not([data-frames='0'])").wait_for()
    view = watch(page).player()
    view.press("depth", "ArrowRight")
    page.locator(".oe-player[data-frames='2']").wait_for()
    view.check(scene, {"depth": 2})
    assert page.evaluate("() => [heard, typeof define]") == [
        [{"depth": 2, "step": 10, "rate": 0}],
        "function",
    ]
    assert page.locator(".contourlayer path").count() > 3  # base64 arrays draw
    page.evaluate("() => player.destroy()")
    assert page.locator(".oe-player").count() == 0
    page.close()


# Show scenes one after another, which have sliders and words but nothing to draw, and tell where
# each leaves the sliders; `moves` are a hand's between them.
CARRY = """([source, scenes, packed, moves]) =>
    import('data:text/javascript;base64,' + source).then((file) => {
        const buffer = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
        const player = file.mount(document.body, { spec: scenes[0], buffer, position: {} });
        const stops = [];
        scenes.forEach((spec, n) => {
            if (n) player.show(spec, buffer);
            player.move(moves[n]);
            stops.push({ ...player.at });
        });
        return stops;
    })"""


def random_scene(rng: np.random.Generator) -> Scene:
    numbers = [np.arange(1, 9), np.array([1, 2, 4, 8]), np.geomspace(0.01, 1, 7), np.arange(40) * 5]
    words = ["same", "tuned", "own", "none"]
    axes = []
    for name in rng.permutation(["depth", "step", "rate"])[: rng.integers(1, 4)]:
        some = numbers[rng.integers(4)]
        stops: Any = np.sort(rng.choice(some, rng.integers(1, len(some) + 1), replace=False))
        if name == "rate" and rng.random() < 0.8:
            stops = list(rng.permutation(words)[: rng.integers(1, 5)])
        play = name == "step"
        axes.append(Axis(str(name), "label", stops, start=int(rng.integers(len(stops))), play=play))
    return Scene(None, axes, [], board=Board(["a"] * len(axes[0].stops), [axes[0].name]))


def test_page_and_python_carry_sliders_to_the_same_stops(browser: Any) -> None:
    """A sequence of 300 random scenes, with a move after each."""
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng) for _ in range(300)]
    moves = [{a.name: int(rng.integers(len(a.stops))) for a in one.axes[:2]} for one in scenes]
    script = player_module().encode()
    sent = [message(one) for one in scenes]
    packed = [base64.b64encode(part).decode() for part in (script, sent[0]["buffer"])]
    page = browser.new_page()
    arrived = [packed[0], [one["spec"] for one in sent], packed[1], moves]
    seen = page.evaluate(CARRY, arrived)
    page.close()
    at = stops_at(scenes[0], {}) | moves[0]
    for n, one in enumerate(scenes):
        at = at if not n else carried(scenes[n - 1], at, one) | moves[n]
        assert seen[n] == at


def test_several_tabs_of_one_kernel_follow_each_other(notebook: Any, view: Any) -> None:
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page = notebook.page.context.new_page()
    page.goto(notebook.page.url.replace("/workspaces/", "/workspaces/second-"))
    tab = type(view)(page.locator(".oe-player").first)
    tab.root.wait_for(timeout=60_000)
    for one, other, key, stop in [(view, tab, "End", 7), (tab, view, "ArrowLeft", 6)]:
        one.press("depth", key)
        one.page.evaluate("() => document.activeElement.blur()")
        other.root.locator("[data-axis=depth] output", has_text=str(stop + 1)).wait_for()
    assert notebook.run("print(player.position['depth'])").strip() == "6"
    # Both at once, each at a slider of its own: neither takes the other's move back.
    for one, axis in [(view, "depth"), (tab, "step")]:
        one.control(axis).focus()
        one.page.keyboard.press("Home")
    for one in (view, tab):
        one.page.evaluate("() => document.activeElement.blur()")
    notebook.run("pass")
    for one in (view, tab):
        one.page.wait_for_function(
            "root => [...root.querySelectorAll('input[type=range]')].every(i => i.value === '0')",
            arg=one.root.element_handle(),
        )
    page.close()


def test_silent_kernel_is_said_plainly(browser: Any, room: dict[str, Any]) -> None:
    sent = message(room["make_scene"]())
    script = player_module().encode()
    page = browser.new_page()
    page.clock.install()
    packed = [base64.b64encode(part).decode() for part in (script, sent["buffer"])]
    page.evaluate(
        MOUNT.replace("window.overparamEduPage.arrived(plotly)", "{}"),
        [packed[0], sent["spec"], packed[1], ""],
    )
    said = page.get_by_text("The kernel is busy, stopped or out of reach.")
    for _ in range(100):  # patience begins when the numbers are unpacked, in real time
        page.clock.run_for(31_000)
        if said.count():
            break
        page.evaluate("() => new Response('').text()")
    assert said.is_visible()
    page.close()


def test_a_browser_that_is_too_old_is_told_what_it_lacks(
    saved: Any, room: dict[str, Any], tmp_path: Path
) -> None:
    path = save(room["make_scene"](), tmp_path / "old.html")
    page = saved(path, script="delete window.DecompressionStream", settle=False)
    assert "No picture: this browser has no DecompressionStream" in page.player().reading()
    page.check_quiet()


def test_a_lost_kernel_leaves_sliders_that_move_and_a_way_back(
    notebook: Any, view: Any, room: dict[str, Any]
) -> None:
    """In JupyterLab; test_present.py has the presenter's. It comes last, being so rough."""
    notebook.check_quiet()
    page, scene = notebook.page, room["make_scene"]()
    os.kill(int(notebook.run("import os; print(os.getpid())")), signal.SIGKILL)
    notices = page.locator(".oe-notice", has_text="The kernel is gone")
    notices.first.wait_for()
    assert "run every cell again" in notices.first.inner_text()
    page.locator(".jp-Dialog .jp-mod-accept").click()  # what Lab itself says
    view.press("depth", "End")
    view.check(scene, {"depth": 7})
    notebook.run_all()  # and that helps
    view.check(scene, {})
    assert notebook.cell_errors == []
    assert notices.count() == 0
    view.press("depth", "ArrowRight")
    view.check(scene, {"depth": 3})
    notebook.complaints.clear()  # of a line that broke
