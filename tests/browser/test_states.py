"""Every explorer moved at random in a real JupyterLab: picture, controls and kernel agree.

Each gets a few random states and is dragged for a moment. For more of both, and the memory it took:

    OVERPARAM_EDU_STATES_BROWSER=100 OVERPARAM_EDU_DRAG=60 \
        python -m pytest tests/browser/test_states.py -s
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import overparam_edu as oe

pytestmark = pytest.mark.browser

STATES = int(os.environ.get("OVERPARAM_EDU_STATES_BROWSER", "3"))
DRAG = float(os.environ.get("OVERPARAM_EDU_DRAG", "0.5"))  # seconds for each explorer
EXPLORERS = {
    name: f"oe.{name}()"
    for name in oe.__all__
    if name.startswith("explore_") and name != "explore_derivation"
}
EXPLORERS["explore_derivation"] = "oe.explore_derivation(oe.derivations.illustration())"
DRAGGED = ["line_integral", "trajectories", "update_rule", "preconditioner"]
# Typed into a field for a loss, and into one for a number.
LOSSES = ["w1**2 + 3*w2**2", "cos(w1) + exp(w2)", "w1**", "w3**2", "<b>w1</b>", "1/w1", "w1*w2"]
NUMBERS = ["0.4", "-0.35", "0", "0.001", "1000", "-0.9"]

KERNEL = """
import gc, json, re, sys
import ipywidgets as widgets
import overparam_edu as oe
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.player import Player

holder = widgets.VBox()

def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)

def show(widget):
    global shown, player
    shown, holder.children = widget, [widget]
    [player] = [part for part in walk(widget) if isinstance(part, Player)]

def value_of(control):
    if isinstance(control, widgets.SelectionSlider):
        return control.label
    return getattr(control, "index", control.value)

def tell(position):
    controls = getattr(shown, "controls", {}) if isinstance(shown, Explorer) else {}
    drawn = frame(player.scene, position)
    print(json.dumps({
        "controls": [value_of(control) for control in controls.values()],
        "position": player.position,
        "words": describe(player.scene, position),
        "keys": [(player.scene.place(trace), path) for trace, path in drawn],
        "drawn": list(drawn.values()),
    }))

def resident():
    gc.collect()
    try:
        print(int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
    except OSError:
        print(0)

holder
"""
# Whether a number that is not finite is anywhere in what Plotly made of the figure.
NOT_FINITE = """root => {
    const gd = root.querySelector('.oe-picture');
    const bad = (v) => typeof v === 'number' && !Number.isFinite(v);
    return gd.data ? gd.data.flatMap((trace, i) => ['x', 'y'].filter(
        (a) => trace[a]?.length && Array.from(trace[a]).some(bad) && !Array.from(
            trace[a]).some(Number.isNaN)).map((a) => `${i}.${a}`)) : [];
}"""
# Put every slider and choice of a player somewhere else: `parts` are numbers in [0, 1).
MOVE = """(root, parts) => {
    [...root.querySelectorAll('[data-axis]')].forEach((row, i) => {
        const inputs = [...row.querySelectorAll('input')];
        inputs[0].focus();
        if (inputs[0].type === 'radio') inputs[Math.floor(parts[i] * inputs.length)].click();
        else {
            inputs[0].value = Math.floor(parts[i] * (Number(inputs[0].max) + 1));
            inputs[0].dispatchEvent(new Event('input', { bubbles: true }));
        }
    });
    document.activeElement.blur();
}"""
# What each control above a player says.
SAID = """() => [...document.querySelectorAll('.overparam-controls > *')].map((node) => {
    const buttons = [...node.querySelectorAll('.widget-toggle-button')];
    if (buttons.length) return buttons.findIndex((b) => b.classList.contains('mod-active'));
    const field = node.querySelector('select, input');
    if (field?.tagName === 'SELECT') return field.selectedIndex;
    return field ? field.value : node.querySelector('.widget-readout')?.textContent ?? null;
})"""


class Seen:
    """The explorer that is in the page now."""

    def __init__(self, notebook: Any, code: str) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.page.evaluate(
            "() => document.querySelectorAll('.oe-player').forEach(one => (one.id = 'before'))"
        )
        assert notebook.run(f"show({code})") == ""
        self.page.wait_for_function(
            "() => document.querySelectorAll('.oe-player').length === 1"
            " && document.querySelector('.oe-player:not(#before) [data-axis]')"
        )
        self.player = notebook.player()
        self.root = self.player.root
        self.controls = self.page.locator(".overparam-controls > *")

    def turn(self, number: int, rng: np.random.Generator) -> None:
        """Put a control somewhere else, as a hand does."""
        control = self.controls.nth(number)
        if not control.is_visible() or control.locator(":disabled").count():
            return
        kind = control.get_attribute("class")
        if "widget-toggle-buttons" in kind:
            buttons = control.locator("button")
            buttons.nth(int(rng.integers(buttons.count()))).click()
        elif "widget-dropdown" in kind:
            options = control.locator("option").count()
            control.locator("select").select_option(index=int(rng.integers(options)))
        elif "widget-text" in kind:
            field = control.locator("input")
            texts = NUMBERS if field.get_attribute("type") == "number" else LOSSES
            field.fill(texts[rng.integers(len(texts))])
            field.press("Enter")
        elif "slider" in kind:
            box = control.locator(".noUi-base").bounding_box()
            self.page.mouse.click(
                box["x"] + rng.random() * box["width"], box["y"] + box["height"] / 2
            )
        self.notebook.run("pass")  # Python has heard of it, and has hidden what it hides

    def check(self, seconds: float = 20) -> None:
        """Wait until page and kernel agree, or say where they do not."""
        end, wrong, looks = time.monotonic() + seconds, ["nothing was seen"], 0
        # A slow machine gets several looks too.
        while wrong and (time.monotonic() < end or looks < 8):
            looks += 1
            self.player.settle()
            position = self.player.stops()
            told = self.notebook.run(f"tell({position})")
            # While another scene is on its way, its axes may be others.
            wrong = self.differences(position, json.loads(told)) if told.startswith("{") else [told]
        assert not wrong, wrong

    def differences(self, position: dict[str, int], told: dict[str, Any]) -> list[str]:
        drawn = {tuple(key): value for key, value in zip(told["keys"], told["drawn"], strict=True)}
        wrong = self.player.differences(drawn, told["words"])
        if position != told["position"]:
            wrong.append(f"position {position} where Python has {told['position']}")
        for shown, expected in zip(self.page.evaluate(SAID), told["controls"], strict=False):
            if not agree(shown, expected):
                wrong.append(f"a control says {shown!r} where Python has {expected!r}")
        return wrong + self.root.evaluate(NOT_FINITE)


def agree(shown: Any, expected: Any) -> bool:
    """Return whether a control shows a value; a slider shows two or three digits of it."""
    if isinstance(expected, str) or not isinstance(shown, str):
        return bool(shown == expected)
    numbers = [float(text) for text in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", shown)]
    return numbers == pytest.approx(np.atleast_1d(expected).tolist(), rel=0.06, abs=1e-9)


@pytest.fixture(scope="module")
def slow(lab: Any, line_to: Any) -> Iterator[Any]:
    line = line_to(urlsplit(lab.url).port)
    opened = lab.run_cells(KERNEL, line=line, height=1400)
    assert opened.cell_errors == []
    opened.line = line
    yield opened
    line.delay = 0.0
    cut = re.compile(
        "net::ERR|WebSocket|[Cc]onnection|Failed to fetch"
    )  # what a line that is cut makes
    opened.complaints = [words for words in opened.complaints if not cut.search(words)]
    opened.check_quiet()


@pytest.fixture
def notebook(slow: Any) -> Any:
    """The same page, on a line as quick as can be."""
    slow.line.delay = 0.0
    return slow


@pytest.mark.parametrize("name", EXPLORERS)
def test_random_states(notebook: Any, name: str) -> None:
    seen, rng = Seen(notebook, EXPLORERS[name]), np.random.default_rng(list(name.encode()))
    seen.check()
    count = seen.controls.count() - 1  # the last is Reset
    for _ in range(STATES):
        for number in range(max(count, 0)):
            if rng.random() < min(1.0, 2 / count):
                seen.turn(number, rng)
        seen.root.evaluate(MOVE, rng.random(9).tolist())
        seen.check()


@pytest.mark.parametrize("name", DRAGGED)
def test_dragging_ends_where_the_hand_ends(notebook: Any, name: str) -> None:
    seen, rng = Seen(notebook, f"oe.explore_{name}()"), np.random.default_rng(0)
    if name == "trajectories":
        notebook.run("shown.set(learning_rate='hand')")
    if name == "preconditioner":
        notebook.run("shown.set(kind='matrix')")
    seen.check()
    session = notebook.page.context.new_cdp_session(notebook.page)
    sliders = notebook.page.locator(".overparam-controls .noUi-base, .oe-player [type=range]")
    boxes = [box for slider in sliders.all() if (box := slider.bounding_box())]
    memory, moves = [used(notebook, session)], 0
    for _ in range(2):
        end = time.monotonic() + DRAG / 2
        while time.monotonic() < end:
            moves += drag(notebook.page, boxes[rng.integers(len(boxes))], rng)
        seen.check(60)
        memory.append(used(notebook, session))
    sizes = "; ".join(f"kernel {kernel:.0f} MB, page {page:.0f} MB" for kernel, page in memory)
    print(f"\n{name}: {moves} moves in {DRAG:g} s: {sizes}")
    assert memory[-1][1] < memory[1][1] + 30
    assert memory[-1][0] < memory[1][0] + 150


def drag(page: Any, box: dict[str, float], rng: np.random.Generator) -> int:
    """Take a slider and move to and fro, as fast as it goes, then let go."""
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + rng.random() * box["width"], y)
    page.mouse.down()
    for part in rng.random(25):
        page.mouse.move(box["x"] + part * box["width"], y)
    page.mouse.up()
    page.evaluate("() => document.activeElement.blur()")
    return 25


def used(notebook: Any, session: Any) -> tuple[float, float]:
    """Return what the kernel and the page hold in memory, in MB."""
    kernel = float(notebook.run("resident()"))
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    [heap] = [entry["value"] for entry in metrics if entry["name"] == "JSHeapUsedSize"]
    return kernel, heap / 2**20


# --- on a slow line ---


def test_no_move_of_a_slider_is_lost(slow: Any, gestures: Any, delay: float) -> None:
    slow.line.delay = 0.0
    seen = Seen(slow, "oe.explore_trajectories()")
    hand = gestures(seen.player, slow.line, delay)
    for n in range(hand.count):
        hand.some(hand.keys, hand.keys, hand.keys, hand.play)()
        hand.wait()
        hand.note(f"gesture {n}")
        if n % 5 == 4:
            rest(seen, hand)
    hand.report("player")


def rest(seen: Seen, hand: Any, without: str = "") -> None:
    """Let go, and hold page and Python together; what the hand left stands."""
    hand.page.evaluate("() => document.activeElement.blur()")
    try:
        seen.check()
    except AssertionError as wrong:
        hand.lost.append(f"at rest: {wrong}")
    hand.note("at rest", without)
    hand.leave()


def test_no_move_is_lost_while_a_picture_is_under_way(
    slow: Any, gestures: Any, delay: float
) -> None:
    """Keys between controls, whose pictures are under way meanwhile, and corners to drag."""
    slow.line.delay = 0.0
    seen = Seen(slow, "oe.explore_line_integral()")
    slow.run("shown.set(curve='polygon')")
    seen.check()
    hand = gestures(seen.player, slow.line, delay)
    # In the order of the controls: a loss, a curve, a number of laps.
    turned: dict[int, int] = {}
    for n in range(hand.count):
        what = hand.some("keys", "keys", "turn", "corner")
        if what == "keys":
            hand.keys()
        elif what == "turn":
            number = int(hand.some(0, 1, 3))
            turned[number] = turn(seen, number, hand.rng)
        else:
            corner(seen, hand)
        hand.wait()
        hand.note(f"gesture {n}", without="walk")  # which has other stops on other curves
        if n % 5 == 4:
            rest(seen, hand, without="walk")
            said = slow.page.evaluate(SAID)
            hand.lost += [
                f"control {k}: {said[k]}" for k, option in turned.items() if said[k] != option
            ]
    hand.report("line integral")


def turn(seen: Seen, number: int, rng: np.random.Generator) -> int:
    """Choose another option of a control, and return which."""
    control = seen.controls.nth(number)
    offers = control.locator("option, button")
    option = int(rng.integers(offers.count()))
    if control.locator("select").count():
        control.locator("select").select_option(index=option)
    else:
        offers.nth(option).click()
    return option


def corner(seen: Seen, hand: Any) -> None:
    """Drag a corner, while the player may be drawing; its number field must follow."""
    corners = seen.root.locator(".oe-handle")
    box = corners.nth(1).bounding_box(timeout=1000) if corners.count() > 1 else None
    if box is None:
        return
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    right, down = hand.rng.uniform(-40, 40, 2)
    hand.page.mouse.move(x, y)
    hand.page.mouse.down()
    hand.page.mouse.move(x + right, y + down, steps=3)
    hand.page.mouse.up()


# --- what is seen is true, or says that it is not ---

# An explorer whose picture and sentence name the settings that they are of.
OPEN_BOOK = """
import builtins, os, time
import plotly.graph_objects as go
from overparam_edu.player.scene import Axis, Reading, Scene, Track

def book(power, seconds, fail):
    time.sleep(seconds)
    if fail != "no":
        raise getattr(builtins, fail)("no picture")
    depth = Axis("depth", "depth N", [1, 2, 4, 8][: power + 1])
    step = Axis("step", "step", range(10 * power), start=3, play=True)
    figure = go.Figure(go.Scatter(uid="run")).update_layout(title=f"power {power}", height=300)
    tracks = [Track("run", "y", [power] * len(depth.stops), ["depth"])]
    return Scene(figure, [depth, step], tracks, Reading(f"power {power} at depth {{depth}}"))

def open_book():
    return Explorer(book, {
        "power": widgets.ToggleButtons(options=[1, 2, 3], description="power"),
        "seconds": widgets.ToggleButtons(options=[0, 0.1, 0.6], description="seconds"),
        "fail": widgets.ToggleButtons(options=["no", "ValueError", "ZeroDivisionError"],
                                      description="fail"),
    })
"""
# Look at every animation frame, and note where what is seen is not of one setting; and whether
# anything has moved on the page.
WATCH = """() => {
    window.untrue = [], window.frames_seen = 0, window.places = new Set();
    const text = (node) => node?.textContent ?? '';
    (function look() {
        const root = document.querySelector('.oe-player');
        const power = text(document.querySelector('.overparam-controls .mod-active'));
        if (root && power) {
            const title = text(root.querySelector('.gtitle'));
            const words = text(root.querySelector('.oe-reading'));
            const stale = text(root.querySelector('.oe-stale'));
            const fails = text(document.querySelectorAll('.overparam-controls .mod-active')[2]);
            const of = [`power ${power}`, title, words.slice(0, 7)];
            const whole = new Set(of).size === 1 && fails === 'no';
            window.frames_seen += 1;
            if (!stale && !whole && title) window.untrue.push([...of, fails]);
            const height = (name) => root.querySelector(name).getBoundingClientRect().top;
            const tops = ['.oe-picture', '.oe-reading', '.oe-controls'].map(height);
            window.places.add(tops.map((top) => Math.round(top - tops[0])).join());
        }
        requestAnimationFrame(look);
    })();
}"""


@pytest.fixture(scope="module")
def book(slow: Any) -> Any:
    assert slow.run(OPEN_BOOK) == ""
    return slow


def open_book(book: Any, delay: float = 0.0) -> Seen:
    book.line.delay = 0.0
    while book.page.locator(".jp-Dialog").count():  # what Lab itself says of a cut line
        book.page.evaluate("() => document.querySelector('.jp-Dialog button').click()")
        book.page.wait_for_timeout(200)
    seen = Seen(book, "open_book()")
    seen.check()
    book.page.evaluate(WATCH)
    book.line.delay = delay
    return seen


def press(book: Any, control: str, option: str) -> None:
    row = book.page.locator(".overparam-controls > *", has_text=control)
    row.get_by_role("button", name=option, exact=True).click()


def stale(book: Any, words: str, seconds: float = 3.5) -> None:
    """Wait until the picture says these words of itself."""
    place = book.page.locator(".oe-stale", has_text=words) if words else None
    if place is not None:
        place.wait_for(timeout=1000 * seconds)
    else:
        book.page.wait_for_function(
            "() => !document.querySelector('.oe-stale').textContent", timeout=1000 * seconds
        )


def check_watch(book: Any) -> int:
    untrue, places, frames = book.page.evaluate(
        "() => [window.untrue, [...window.places], window.frames_seen]"
    )
    assert untrue == []
    assert len(places) == 1, places  # nothing has moved
    return int(frames)


@pytest.mark.parametrize("fail", ["ValueError", "ZeroDivisionError"])
def test_any_error_is_said_over_the_picture(book: Any, fail: str) -> None:
    seen = open_book(book)
    said = {"ValueError": "no picture."}.get(fail, f"have no picture ({fail}: no picture).")
    press(book, "fail", fail)
    stale(book, f"{said} The picture is still the one before.")
    assert seen.player.reading().startswith("power 1")
    press(book, "power", "2")
    book.run("pass")
    stale(book, f"{said} The picture is still the one before.")
    press(book, "fail", "no")
    stale(book, "")
    seen.check()
    check_watch(book)


def pid(book: Any) -> int:
    return int(book.run("print(os.getpid())"))


@pytest.mark.parametrize("trouble", ["busy", "stopped", "held", "cut"])
def test_a_silent_kernel_is_said_within_seconds_and_all_is_well_again(
    book: Any, trouble: str
) -> None:
    """Busy with another cell, stopped, or behind a line that stands still or is cut for 12 s."""
    seen, kernel = open_book(book), pid(book)
    if trouble == "busy":
        book.page.evaluate(
            """() => void jupyterapp.shell.currentWidget.sessionContext.session.kernel
                .requestExecute({ code: 'time.sleep(6)' })"""
        )
    elif trouble == "stopped":
        os.kill(kernel, signal.SIGSTOP)
    elif trouble == "held":
        book.line.held = True
    else:
        book.line.cut()
        book.page.locator(".oe-notice", has_text="No connection to the kernel").wait_for(
            timeout=3000
        )
    try:
        press(book, "power", "2")
        stale(book, "No connection" if trouble == "cut" else "Computing", 0.5)
        # By script, since Lab's own dialog about a cut line may have the keys by now.
        seen.root.evaluate(MOVE, [0.9, 0.5])
        assert seen.player.stops()["depth"] == 1
        if trouble != "cut":
            stale(book, "busy, stopped or out of reach")
        if trouble in ("held", "cut"):
            book.page.wait_for_timeout(9_000)
    finally:
        if trouble == "stopped":
            os.kill(kernel, signal.SIGCONT)
        book.line.held = book.line.broken = False
    stale(book, "", 60)
    seen.check(60)
    assert seen.player.stops()["depth"] == 1
    assert check_watch(book) > 30


def test_interrupt_ends_a_computation(book: Any, tmp_path: Path) -> None:
    seen = open_book(book)
    press(book, "seconds", "0.6")
    stale(book, "")
    begun = tmp_path / "begun"
    sleeps = f"lambda **_: (open({str(begun)!r}, 'w').close(), time.sleep(60))"
    book.run(f"shown._build, kept = {sleeps}, shown._build")
    press(book, "power", "3")
    stale(book, "Computing")
    while not begun.exists():  # or the interrupt would come before there is anything to end
        book.page.wait_for_timeout(50)
    book.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"
    )
    stale(book, "The computation was interrupted. The picture is still the one before.", 10)
    book.run("shown._build = kept")
    press(book, "power", "2")
    stale(book, "", 10)
    seen.check()
    check_watch(book)


def reload(book: Any, delay: float) -> None:
    """Load the page again; the kernel lives on."""
    book.line.delay = 0.0
    book.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    book.page.reload()
    book.page.locator(".oe-player .main-svg").first.wait_for()
    book.page.wait_for_function(
        "() => jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    book.page.evaluate(WATCH)
    book.line.delay = delay


@pytest.mark.parametrize("seed", range(STATES))
def test_what_is_seen_is_true_in_random_sequences(book: Any, seed: int) -> None:
    """Controls, sliders, Play, code and errors in any order, faster than Python answers.

    And in the midst of it the page is loaded again.
    """
    rng = np.random.default_rng([7, seed])
    delay = float(rng.choice([0.0, 0.3, 0.8]))
    seen = open_book(book, delay)
    offers = {
        "power": ["1", "2", "3"],
        "seconds": ["0", "0.1", "0.6"],
        "fail": ["no", "no", "ValueError", "ZeroDivisionError"],
    }
    for n in range(25):
        if n == 12:
            reload(book, delay)
        what = rng.choice(["control", "control", "slider", "play", "code", "order"])
        if what == "control":
            name = str(rng.choice(list(offers)))
            press(book, name, str(rng.choice(offers[name])))
        elif what == "slider":
            row = seen.root.locator("[data-axis] input").nth(int(rng.integers(2)))
            row.press(str(rng.choice(["ArrowLeft", "ArrowRight", "Home", "End"])))
        elif what == "play":
            seen.root.locator(".oe-play, .oe-pause").first.click()
        elif what == "code":
            book.run(f"shown.set(power={rng.integers(1, 4)}, fail='no')")
        else:
            book.run(f"player.move(step={rng.integers(10)})")
        book.page.wait_for_timeout(float(rng.choice([0, 0, 50, 400])))
    if seen.root.locator(".oe-pause").count():
        seen.root.locator(".oe-pause").first.click()
    press(book, "fail", "no")
    book.page.evaluate("() => document.activeElement.blur()")
    stale(book, "", 30)
    seen.check()
    check_watch(book)


def test_a_kernel_that_is_killed_while_it_computes_is_said_to_be_gone(lab: Any) -> None:
    opened = lab.run_cells(KERNEL, OPEN_BOOK)
    assert opened.cell_errors == []
    seen = Seen(opened, "open_book()")
    kernel = pid(opened)
    press(opened, "seconds", "0.6")
    stale(opened, "Computing")
    os.kill(kernel, signal.SIGKILL)
    stale(opened, "The kernel is gone")
    assert seen.player.reading().startswith("power 1")
    seen.root.evaluate(MOVE, [0.9, 0.5])  # by script, since Lab's own dialog has the keys
    assert seen.player.stops()["depth"] == 1
