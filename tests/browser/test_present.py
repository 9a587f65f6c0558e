"""A lesson presented through Voila: screens, keys, bookmarks, and what a lost kernel leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from jupyter_client import BlockingKernelClient

pytest.importorskip("voila")
pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SETUP = textwrap.dedent(
    """
    import os

    import ipywidgets as widgets
    import numpy as np
    import plotly.graph_objects as go
    from overparam_edu.player.explorer import Explorer
    from overparam_edu.player.scene import Axis, Reading, Scene, Track

    def build(power, sign):
        depth = Axis("depth", "depth N", np.arange(1, 9), start=2)
        step = Axis("step", "step", np.arange(40), start=10, play=True)
        falls = sign * power * np.exp(-0.01 * np.outer(np.arange(1, 9), np.arange(40)))
        figure = go.Figure(go.Scatter(uid="run", x=list(range(40)), mode="lines"))
        figure.add_scatter(uid="head", mode="markers")
        figure.update_xaxes(range=[0, 40]).update_yaxes(range=[-4, 4])
        figure.update_layout(height=640, font_size=16)
        both = ["depth", "step"]
        marker = [Track("head", "y", falls, both), Track("head", "x", np.arange(40), ["step"])]
        tracks = [Track("run", "y", falls, both, trail="step"), *marker]
        reading = Reading("N = {depth}, step {step}: {fall}", {"fall": (falls, both)})
        return Scene(figure, [depth, step], tracks, reading, alt="Falling lines")
    """
)
EXPLORER = textwrap.dedent(
    """
    power = widgets.ToggleButtons(options=[1, 2, 3], value=2, description="power")
    sign = widgets.ToggleButtons(options=[("up", 1), ("down", -1)], description="sign")
    shown = Explorer(build, {"power": power, "sign": sign})
    shown
    """
)
LONG = "\n\n".join(f"Sentence {n}, which is here to fill the screen. " * 3 for n in range(14))
TABLE = "\n".join(["| measured " * 7 + "|", "|---" * 7 + "|", "| 123456789 " * 7 + "|"])
CELLS = [
    "# A made-up lesson\n\n**Goal.** See $a_1^{2}$ move.",
    SETUP,
    "## One\n\nThe picture.",
    EXPLORER,
    "*The picture: a falling line.*\n\n## Two\n\n" + LONG,
    # What is printed arrives in another number of pieces each time.
    "import sys, time\nevery = 1 + time.time_ns() % 6\nfor n in range(6):\n"
    "    print('half way', file=sys.stderr)\n"
    "    print(f'piece {n}', flush=n % every == 0)\n    time.sleep(0.02 * (n % every == 0))\n"
    "from tqdm.auto import tqdm\nlist(tqdm(range(3), leave=False))\n"
    "go.Figure(go.Scatter(y=[1, 3, 2]), {'title': {'text': 'Peak'}})",
    "## Choose",
    "import overparam_edu as oe\noe.ask('same_functions')",
    f"## Three\n\n{TABLE}\n\n### Exercise\n\nWrite a line.",
    "raise RuntimeError('an exercise is not run')",
]
# A lecture ends a screen where the class is asked, and leaves out raw numbers and talk of cells.
GUESS = [
    "# Guess and see\n\nA lecture.",
    SETUP,
    "## One\n\nBefore.\n\n**Predict.** Which way?",
    "print('downhill')",
    "*The answer.*\n\n**Check** it by numbers:",
    "print('0.30000000000000004')",
    "## Two\n\n**Predict.** How far does it fall?\n\n- A little?\n- A lot?",
    EXPLORER,
    "*The picture: a falling line.*\n\n"
    "<details>\n<summary>What to find</summary>\n\n- It falls.\n\n</details>",
    "*Only for those who run cells.*",
    '## Three\n\n<span class="lab">Press **Shift+Enter**.</span> The end is near.',
]
# Both, since a page that has only begun has no curtain either.
OPEN = """() => document.getElementById('count')?.textContent
    && !document.getElementById('curtain')"""
# Done when the screens have been the same for a dozen frames.
STILL = """() => new Promise(done => {
    const seen = () => document.getElementById('count').textContent
        + [...document.querySelectorAll('.live')].map(live => live.getAttribute('style')).join();
    let last = '', still = 0;
    (function look() {
        const now = seen();
        still = now === last ? still + 1 : 0;
        last = now;
        still < 12 ? requestAnimationFrame(look) : done();
    })();
})"""
# How far what is seen reaches beyond its screen, down or right, and the smallest prose on a wall
# that is 720 pixels high.
MEASURED = """() => {
    const screen = document.getElementById('screen');
    const scale = innerHeight / 720, box = screen.getBoundingClientRect();
    const blocks = [...screen.querySelectorAll('.prose > *, .live, .result, .source')]
        .filter(block => block.offsetHeight && !block.closest('.waiting'))
        .filter(block => !block.matches('.caption'));
    const reach = Math.max(...blocks.map(block => block.getBoundingClientRect().bottom));
    const prose = blocks.filter(block => block.matches('p'));
    const sizes = prose.map(p => parseFloat(getComputedStyle(p).fontSize) * (p.style.zoom || 1));
    const tables = blocks.map(block => block.scrollWidth - block.clientWidth);
    return [Math.max((reach - box.bottom) / scale, ...tables), Math.min(...sizes, 99)];
}"""

# `noticed` will be the seconds from now until the page says these words, by its own clock.
WATCH = """([selector, words]) => {
    const node = document.querySelector(selector), since = performance.now();
    window.noticed = new Promise(done => new MutationObserver(() =>
        node.textContent.includes(words) && done((performance.now() - since) / 1000)
    ).observe(node, { childList: true }));
}"""
FITS = """node => node.scrollWidth <= node.clientWidth
    && node.getBoundingClientRect().bottom <= innerHeight"""


class Presentation:
    """A presented notebook in a page."""

    def __init__(self, watched: Any, address: str) -> None:
        self.watched, self.page = watched, watched.page
        self.page.set_default_timeout(30_000)
        self.open(address)

    def open(self, address: str) -> None:
        self.page.goto(address, wait_until="commit")
        self.page.wait_for_function(OPEN, timeout=120_000)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def start_over(self) -> None:
        """Show the screen with the picture, as it opened."""
        self.press("Escape", "Home")
        while not self.page.locator(".oe-picture").first.is_visible():
            self.press("ArrowRight")
        self.press("r")
        self.expect({"depth": 2, "step": 10})

    def expect(self, position: dict[str, int], power: int = 2, sign: int = 1) -> None:
        """Hold what is drawn against what Python says."""
        names: dict[str, Any] = {}
        exec(SETUP, names)
        self.watched.player().check(names["build"](power, sign), position, seconds=30)

    def resize(self, width: int, height: int) -> None:
        """Change the window, and wait until its screens are laid out and pictures have grown."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate(STILL)

    def kernel(self) -> str:
        return str(json.loads(self.page.locator("#jupyter-config-data").text_content())["kernelId"])

    def count(self) -> list[int]:
        return [int(word) for word in self.page.locator("#count").inner_text().split("/")]


@contextmanager
def presented(
    folder: Path, cells: list[str], tags: dict[int, str] | None = None, *options: str
) -> Iterator[str]:
    """Present a notebook of these cells, some of which have tags."""
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(cells):
        prose = source.startswith(("#", "*"))
        new = nbformat.v4.new_markdown_cell if prose else nbformat.v4.new_code_cell
        notebook.cells.append(new(source, id=f"cell-{number}"))
    for number, tag in (tags or {}).items():
        notebook.cells[number].metadata["tags"] = [tag]
    nbformat.write(notebook, folder / "made_up.ipynb")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    names = ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    home = {name: str(folder / "home") for name in names}
    command = [sys.executable, "-m", "overparam_edu.cli", "present", "--no-browser"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), *options, str(folder / "made_up.ipynb")],
            env=os.environ | home | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        said = [process.stdout.readline() for _ in range(3)]
        yield said[1].strip()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        process.stdout.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with presented(tmp_path_factory.mktemp("lessons & more"), CELLS, {-1: "exercise"}) as said:
        yield said


@pytest.fixture(scope="module")
def shown(browser: Any, address: str, watch: Any) -> Iterator[Presentation]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="light")
    yield Presentation(watch(context.new_page()), address)
    context.close()


def test_only_who_has_the_token_gets_in(address: str, shown: Presentation) -> None:
    bare = address.split("?")[0]
    with urllib.request.urlopen(bare, timeout=30) as answer:
        assert urlsplit(answer.url).path == "/login"
        assert "made-up" not in answer.read().decode()
    server, token = bare.split("/voila/")[0], address.partition("?token=")[2]
    assert len(token) >= 48
    kernel = f"/api/kernels/{shown.kernel()}/channels"
    for path in (kernel, "/api/contents", "/api/kernels", "/api/sessions"):
        for tried in ({}, {"Authorization": f"token {'0' * len(token)}"}):
            request = urllib.request.Request(server + path, headers=tried)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=30)
            assert refused.value.code in (403, 404), path
            refused.value.close()
    assert "token" not in shown.page.url  # what is bookmarked is no key


def test_it_is_quiet_and_asks_no_other_host(shown: Presentation) -> None:
    shown.watched.check_quiet()
    assert shown.page.title() == "A made-up lesson"
    assert shown.page.get_by_text("an exercise is not run").count() == 0
    # What a progress bar would say is not shown.
    assert shown.page.locator(".result", has_text="half way").count() == 0


def words(shown: Presentation) -> str:
    """Return the text on the screen, in one line."""
    blocks = shown.page.locator(".prose > :not(.waiting, .caption), .result:not(.waiting)")
    return " ".join(" ".join(blocks.all_inner_texts()).split())


def test_a_tall_picture_has_its_sliders_beside_it(shown: Presentation) -> None:
    shown.start_over()
    [picture, controls, width] = shown.page.evaluate(
        """() => {
            const inside = name => document.querySelector(`.live.beside ${name}`);
            const { left, right } = inside('.oe-picture').getBoundingClientRect();
            const drawn = inside('.oe-picture')._fullLayout.width;
            const at = inside('.oe-controls').getBoundingClientRect();
            return [right, at.left, drawn - inside('.oe-picture').clientWidth];
        }"""
    )
    assert picture < controls
    assert abs(width) < 1


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1024, 768)])
@pytest.mark.parametrize("code", [False, True])
def test_every_screen_fits_and_can_be_read_from_the_back_row(
    shown: Presentation, size: tuple[int, int], code: bool
) -> None:
    shown.resize(*size)
    shown.press("Escape", "Home", *(["c"] if code else []))
    _, screens = shown.count()
    for number in range(1, screens + 1):
        assert shown.count() == [number, screens]
        beyond, smallest = shown.page.evaluate(MEASURED)
        assert beyond <= 2, f"screen {number} of {size}"
        assert smallest >= 23, f"screen {number} of {size}"
        shown.press("ArrowRight")
    shown.press(*(["c"] if code else []))
    shown.resize(1280, 720)


def test_keys_move_through_screens_and_step_the_picture(shown: Presentation) -> None:
    shown.start_over()
    assert "One" in shown.page.locator("#where").inner_text()
    shown.press("ArrowUp", "ArrowUp", "ArrowDown", "ArrowUp")
    shown.expect({"depth": 2, "step": 12})
    shown.press("1", "End")  # takes hold of the first slider, whose keys are its own
    shown.expect({"depth": 7, "step": 12})
    shown.press("Escape", "ArrowRight", "PageUp", "PageDown")
    assert "Two" in shown.page.locator("#where").inner_text()
    shown.press("r", "ArrowLeft")
    shown.expect({"depth": 7, "step": 12})  # reset is for what is seen
    shown.press("r")
    shown.expect({"depth": 2, "step": 10})


def test_keys_of_clickers_and_capital_letters_do_what_they_say(shown: Presentation) -> None:
    shown.start_over()
    here = shown.count()
    shown.page.evaluate("window.untouched = true")
    for key in ("b", ".", "B"):
        shown.press(key)
        assert shown.page.locator("#blank").is_visible()
        shown.press("PageDown")  # only brings the picture back
        assert not shown.page.locator("#blank").is_visible()
        assert shown.count() == here
    shown.press("D")
    assert shown.page.locator("html").get_attribute("data-theme") == "dark"
    shown.press("d", "F5", "Shift+F5")
    assert shown.page.evaluate("window.untouched")  # it was not loaded again
    assert shown.count() == here
    shown.page.evaluate("document.fullscreenElement && document.exitFullscreen()")


def test_code_shown_and_hidden_keeps_the_place(shown: Presentation) -> None:
    shown.press("Escape", "Home")
    for number in range(1, shown.count()[1] + 1):
        at = shown.page.locator("#count").inner_text()
        shown.press("c", "c")
        assert shown.page.locator("#count").inner_text() == at, f"screen {number}"
        shown.press("ArrowRight")


def test_each_screen_is_found_again_in_whatever_pieces_outputs_arrive(shown: Presentation) -> None:
    """Addresses name cells: a page that is loaded again has the same ones, and lands on each."""
    shown.press("Escape", "Home", "e")
    shown.page.wait_for_function("location.hash.includes('full=1')")

    def walk() -> list[tuple[str, str]]:
        found = []
        for number in range(1, shown.count()[1] + 1):
            assert shown.count()[0] == number
            shown.page.evaluate("dispatchEvent(new Event('pagehide'))")  # writes the address now
            at = re.search(r"at=([^&]*)", shown.page.url)[1]
            found.append((at, words(shown)))
            shown.press("ArrowRight")
        return found

    before = walk()
    shown.page.reload(wait_until="commit")
    shown.page.wait_for_function(OPEN, timeout=120_000)
    assert shown.count()[0] == shown.count()[1]  # where it was: the last one
    shown.press("Home")
    assert walk() == before
    assert len({at for at, _ in before}) == len(before)
    bare = shown.page.url.split("#")[0]
    at = before[len(before) // 2][0]
    shown.page.evaluate("hash => { location.hash = hash }", f"at={at}&full=1&theme=light")
    shown.page.wait_for_function(
        "at => document.getElementById('count').textContent.startsWith(at)",
        arg=f"{len(before) // 2 + 1} /",
    )
    assert bare in shown.page.url
    shown.press("e", "Home")


def test_twenty_loads_land_on_the_same_screen(shown: Presentation) -> None:
    shown.start_over()
    for number in range(20):
        shown.press("Escape", "Home", *["ArrowRight"] * (number % shown.count()[1]))
        shown.page.evaluate("dispatchEvent(new Event('pagehide'))")
        before = (shown.count(), shown.page.url, words(shown))
        shown.page.reload(wait_until="commit")
        shown.page.wait_for_function(OPEN, timeout=120_000)
        assert (shown.count(), shown.page.url, words(shown)) == before, f"load {number}"


def test_code_is_hidden_until_it_is_asked_for(shown: Presentation) -> None:
    shown.start_over()
    code = shown.page.get_by_text("widgets.ToggleButtons").first
    assert not code.is_visible()
    shown.press("c")
    assert code.is_visible()
    shown.press("c", "d")
    assert not code.is_visible()
    dark = "getComputedStyle(document.body).backgroundColor"
    assert shown.page.evaluate(dark) == "rgb(16, 21, 28)"
    shown.press("d", "?")
    assert shown.page.get_by_role("link", name="Two").is_visible()
    shown.press("Escape")


@pytest.mark.parametrize(
    "damaged",
    [
        "set=%7Bbad",
        "set=5&p-cell-3=step.x~depth.4",
        'set={"0":7}',
        'set={"0":{"power":99}}&at=x&v-same_functions=9.x',
    ],
)
def test_a_damaged_bookmark_brings_back_what_it_can(shown: Presentation, damaged: str) -> None:
    shown.start_over()
    bare = shown.page.url.split("#")[0]
    shown.page.evaluate("hash => { location.hash = hash }", damaged)
    shown.page.wait_for_function("hash => location.hash.slice(1) !== hash", arg=damaged)
    shown.open(f"{bare}?{len(damaged)}#{damaged}")
    shown.press("Escape", "Home")
    assert shown.count()[0] == 1  # keys work
    while not shown.page.locator(".oe-picture").first.is_visible():
        shown.press("ArrowRight")
    shown.expect({"depth": 4 if "depth.4" in damaged else 2, "step": 10})
    assert shown.watched.complaints == []


def test_a_bookmark_brings_a_moment_back(shown: Presentation) -> None:
    shown.start_over()
    shown.page.get_by_role("button", name="3", exact=True).click()
    shown.page.get_by_role("button", name="down", exact=True).click()
    shown.press("Escape", "1", "Home")
    shown.expect({"depth": 0, "step": 10}, 3, -1)
    shown.press("Escape", "d")
    shown.page.wait_for_function("location.hash.includes('theme=dark')")
    moment = shown.page.url
    assert json.loads(re.search(r"\{.*?\}\}", urllib.request.unquote(moment))[0]) == {
        "0": {"power": 2, "sign": 1}
    }
    shown.press("d", "r", "End")
    shown.page.wait_for_function("address => location.href !== address", arg=moment)
    shown.page.evaluate("hash => { location.hash = hash }", moment.split("#")[1])
    shown.expect({"depth": 0, "step": 10}, 3, -1)
    shown.open(moment.replace("#", "?again#"))  # and in a page that was closed meanwhile
    shown.expect({"depth": 0, "step": 10}, 3, -1)
    assert "One" in shown.page.locator("#where").inner_text()
    assert shown.page.locator("html").get_attribute("data-theme") == "dark"
    shown.press("d", "r")
    shown.expect({"depth": 2, "step": 10})
    assert shown.watched.complaints == []


def test_a_question_stays_open_until_it_is_answered(shown: Presentation) -> None:
    form = shown.page.locator(".oe-question")
    shown.press("Escape", "Home")
    while not form.is_visible():
        shown.press("ArrowRight")
    said = form.locator(".oe-said > *")

    def expect(letter: str | None) -> None:
        assert [one.get_attribute("data-of") for one in said.all() if one.is_visible()] == [letter]

    expect(None)
    form.locator("label").nth(1).click()
    expect("B")
    shown.page.wait_for_function("location.hash.includes('answer.1')")
    moment = shown.page.url
    shown.press("Escape", "r")
    expect(None)
    shown.press("ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowUp")
    expect("C")
    shown.page.wait_for_function("address => location.href !== address", arg=moment)
    shown.page.evaluate("hash => { location.hash = hash }", moment.split("#")[1])
    said.nth(2).wait_for()
    expect("B")
    shown.press("r")
    expect(None)


def test_a_class_votes_on_a_question_by_keys(shown: Presentation) -> None:
    form = shown.page.locator(".oe-question")
    shown.press("Escape", "Home")
    while not form.is_visible():
        shown.press("ArrowRight")
    place = shown.count()

    def votes() -> list[str | None]:
        return [label.get_attribute("data-votes") for label in form.locator("label").all()]

    assert votes() == [None] * 4
    shown.press("a", "b", "b", "b", "C", "Shift+B", "Shift+A", "Shift+A")  # Caps Lock, then Shift
    assert votes() == ["0", "2", "1", "0"]
    widths = form.locator("label").evaluate_all(
        "labels => labels.map(label => getComputedStyle(label).getPropertyValue('--share'))"
    )
    assert [float(width) for width in widths] == [0, 1, 0.5, 0]
    shown.page.wait_for_function("location.hash.includes('=0.2.1.0')")
    assert shown.count() == place
    assert not shown.page.locator(".source").first.is_visible()
    moment = shown.page.url
    shown.press("0")
    assert votes() == [None] * 4
    shown.page.wait_for_function("address => location.href !== address", arg=moment)
    shown.page.evaluate("hash => { location.hash = hash }", moment.split("#")[1])
    form.locator("label[data-votes='2']").wait_for()
    shown.press("0")


def test_without_its_kernel_the_sliders_move_and_the_page_says_so(shown: Presentation) -> None:
    shown.start_over()
    search = ["pgrep", "-f", shown.kernel()]
    found = subprocess.run(search, capture_output=True, text=True, check=True)
    kernel = int(found.stdout.split()[0])
    at = shown.page.locator(".oe-picture").first.bounding_box()
    os.kill(kernel, signal.SIGSTOP)
    shown.page.evaluate(WATCH, [".oe-stale", "busy, stopped or out of reach"])
    shown.page.get_by_role("button", name="3", exact=True).click()
    assert shown.page.evaluate("noticed") < 3
    shown.page.evaluate(WATCH, ["#trouble", "F5 runs the lesson again"])
    os.kill(kernel, signal.SIGKILL)
    trouble = shown.page.locator("#trouble", has_text="F5 runs the lesson again")
    trouble.wait_for()
    assert shown.page.evaluate("noticed") < 3
    shown.page.evaluate(STILL)
    assert shown.page.locator(".oe-picture").first.bounding_box() == at
    for size in [(390, 844), (1280, 720)]:
        shown.resize(*size)
        assert trouble.evaluate(FITS), size
    assert shown.page.locator(".oe-picture").first.bounding_box() == at
    assert shown.page.locator(".overparam-controls").first.evaluate("node => node.inert")
    shown.press("Escape", "ArrowUp")
    shown.expect({"depth": 2, "step": 11})


# --- on a slow line ---


@pytest.fixture(scope="module")
def lesson(browser: Any, address: str, watch: Any, line_to: Any) -> Any:
    line = line_to(urlsplit(address).port)
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(address.replace(f":{line.target}/", f":{line.port}/"), wait_until="commit")
    page.wait_for_function(OPEN, timeout=120_000)
    opened = watch(page)
    opened.line = line
    page.keyboard.press("ArrowRight")
    opened.player().settle()
    yield opened
    context.close()


def position(lesson: Any) -> Any:
    """Ask the lesson's kernel for the position, in a way of our own."""
    config = json.loads(lesson.page.locator("#jupyter-config-data").text_content())
    search = ["pgrep", "-af", config["kernelId"]]
    found = subprocess.run(search, capture_output=True, text=True, check=True).stdout
    client = BlockingKernelClient(connection_file=re.search(r"-f (\S+\.json)", found)[1])
    client.load_connection_file()
    client.start_channels()
    try:
        asked = {"position": "__import__('json').dumps(shown.player.position)"}
        answer = client.execute_interactive("", user_expressions=asked, timeout=30)
        said = answer["content"]["user_expressions"]["position"]["data"]["text/plain"]
        return json.loads(said.strip("'"))
    finally:
        client.stop_channels()


def test_no_move_is_lost_on_a_slow_line(lesson: Any, gestures: Any, delay: float) -> None:
    """With keys and a clicker: sliders, screens and controls in turn."""
    page = lesson.page
    hand = gestures(lesson.player(), lesson.line, delay)
    steps = ["ArrowUp", "ArrowDown"]
    for n in range(hand.count):
        what = hand.some("hold", "hold", "step", "away", "control")
        if what == "hold":
            keys = [hand.some("Home", "End", "ArrowRight", "ArrowLeft") for _ in range(2)]
            page.keyboard.press("Escape")
            for key in [hand.some("1", "2"), *keys, "Escape", hand.some(*steps)]:
                page.keyboard.press(key)
        elif what == "step":
            for _ in range(3):
                page.keyboard.press(hand.some(*steps))
        elif what == "away":
            page.keyboard.press("PageDown")
            hand.wait()
            page.keyboard.press("PageUp")
        else:
            names = [("1", "power"), ("2", "power"), ("3", "power"), ("up", ""), ("down", "")]
            page.get_by_role("button", name=hand.some(*names)[0], exact=True).click()
        hand.wait()
        hand.note(f"{what} {n}")
        if n % 5 == 4:
            page.keyboard.press("Escape")
            end = time.monotonic() + 20
            seen = lesson.player()
            while (known := position(lesson)) != seen.stops() and time.monotonic() < end:
                page.wait_for_timeout(100)
            if known != seen.stops():
                hand.lost.append(f"at rest: {seen.stops()} where Python has {known}")
            hand.note("at rest")
            hand.leave()
    hand.report("presented")


def test_what_follows_reset_counts_and_what_came_before_does_not(lesson: Any, delay: float) -> None:
    page, view = lesson.page, lesson.player()
    build: dict[str, Any] = {}
    exec(SETUP, build)
    lesson.line.delay = delay

    def expect(power: int, **stops: int) -> None:
        view.check(build["build"](power, 1), stops, seconds=30)
        end = time.monotonic() + 20
        while position(lesson) != stops and time.monotonic() < end:
            page.wait_for_timeout(100)
        assert position(lesson) == view.stops() == stops

    def choose(power: str) -> None:
        page.get_by_role("button", name=power, exact=True).click()
        page.evaluate("() => document.activeElement.blur()")

    for key in ("Escape", "r", "ArrowUp", "ArrowUp"):  # moves after it, and none before
        page.keyboard.press(key)
    expect(2, depth=2, step=12)
    for power in ("1", "3", "1", "3"):  # of which some wait in the page to be sent
        choose(power)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("r")
    expect(2, depth=2, step=10)
    choose("1")
    page.keyboard.press("r")
    choose("3")
    page.keyboard.press("ArrowDown")
    expect(3, depth=2, step=9)
    page.keyboard.press("r")
    expect(2, depth=2, step=10)


def test_a_lecturer_draws_what_the_class_says(browser: Any, tmp_path: Path, watch: Any) -> None:
    cells = [
        "# Guess",
        "import overparam_edu as oe\noe.explore_trajectories(predict=True)",
        "## End",
    ]
    with presented(tmp_path, cells) as said:
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        shown = Presentation(watch(context.new_page()), said)
        page, surface = shown.page, shown.page.locator(".oe-surface")
        while not surface.is_visible():
            shown.press("ArrowRight")
        page.evaluate(STILL)
        shown.press("ArrowUp")  # steps what is seen, not the run
        assert page.locator("[data-axis=step] input").input_value() == "0"
        box = surface.bounding_box()
        page.mouse.move(box["x"] + 5, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"], steps=20)
        page.mouse.up()
        points = page.locator(".oe-drawn polyline").get_attribute("points").split()
        x, y = map(float, points[-1].split(","))  # under the pen, however the stage is scaled
        scale = box["width"] / surface.evaluate("node => node.clientWidth")
        assert scale > 1.1
        assert (x * scale, y * scale) == pytest.approx(
            (0.9 * box["width"], 0.5 * box["height"]), rel=0.03
        )
        surface.blur()
        shown.press("Space")
        page.get_by_role("button", name="Draw again").wait_for(timeout=30_000)
        assert "The run arrives at" in page.locator(".oe-sketch p").inner_text()
        page.get_by_role("button", name="Draw again").click()
        shown.press("Escape")
        assert page.locator(".oe-reading").is_visible()
        shown.watched.check_quiet()
        context.close()


@pytest.fixture(scope="module")
def lecture(browser: Any, tmp_path_factory: pytest.TempPathFactory, watch: Any) -> Any:
    folder, skipped = tmp_path_factory.mktemp("lecture"), {-2: "lecture-skip"}
    pages = ("--pages", "https://example.org/course")
    with presented(folder, GUESS, skipped, *pages) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        yield Presentation(watch(context.new_page()), address)
        context.close()


def test_a_screen_ends_at_predict_and_the_next_press_reveals(lecture: Presentation) -> None:
    lecture.press("Escape", "Home")
    seen = []
    for _ in range(lecture.count()[1]):
        live = lecture.page.locator(".live:not(.waiting)").count()
        seen.append(words(lecture) + " [picture]" * live)
        lecture.press("ArrowRight")
    assert seen == [
        "Guess and see A lecture.",
        "One Before. Predict. Which way?",
        "One Before. Predict. Which way? downhill The answer.",
        "Two Predict. How far does it fall? A little? A lot? [picture]",
        "What to find: It falls. [picture]",
        "Three The end is near.",
    ]


def test_a_few_lines_are_larger_and_stay_so_when_the_answer_comes(lecture: Presentation) -> None:
    lecture.press("Escape", "Home", "ArrowRight")
    sizes = "nodes => nodes.filter(p => p.offsetHeight).map(p => Number(p.style.zoom || 1))"
    asked = lecture.page.locator(".prose > p:not(.waiting)")
    assert asked.evaluate_all(sizes) == [1.3, 1.3]
    lecture.press("ArrowRight")
    assert asked.evaluate_all(sizes) == [1.3, 1.3, 1]


def test_question_and_picture_stand_side_by_side_in_letters_that_can_be_read(
    lecture: Presentation,
) -> None:
    lecture.press("Escape", "Home", *["ArrowRight"] * 3)
    lecture.page.evaluate(STILL)
    [overlap, smallest, text] = lecture.page.evaluate(
        """() => {
            const at = node => node.getBoundingClientRect();
            const asked = [...document.querySelectorAll('.aside')].map(at);
            const live = document.querySelector('.live:not(.waiting)');
            const picture = at(live.querySelector('.oe-picture'));
            const controls = at(live.querySelector('.oe-controls').firstElementChild);
            const scale = innerHeight / 720 * at(live).width / live.offsetWidth;
            const sizes = [...live.querySelectorAll('svg text')].filter(node => node.textContent)
                .map(node => parseFloat(getComputedStyle(node).fontSize) * scale / innerHeight);
            const after = Math.max(...asked.map(({ bottom }) => bottom));
            const left = Math.min(...asked.map(({ left }) => left));
            const over = left < picture.right || controls.top < after;
            return [over, Math.min(...sizes), asked.length];
        }"""
    )
    assert not overlap
    assert smallest >= 0.0219
    assert text == 3


def test_everything_is_shown_when_it_is_asked_for(lecture: Presentation) -> None:
    lecture.press("Escape", "Home")
    lecture.press("e")
    everything = ""
    for _ in range(lecture.count()[1]):
        everything += words(lecture)
        lecture.press("ArrowRight")
    assert "0.30000000000000004" in everything
    assert "Only for those who run cells." in everything
    lecture.press("e", "q")
    assert lecture.page.locator("#pages svg").is_visible()
    assert "https://example.org/course" in lecture.page.locator("#pages").inner_text()
    lecture.press("Escape")


def test_without_its_server_the_page_says_what_to_do(
    browser: Any, tmp_path: Path, watch: Any
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    with presented(tmp_path, ["# Gone", SETUP, "## One", EXPLORER]) as address:
        shown = Presentation(watch(context.new_page()), address)
        shown.start_over()
    trouble = shown.page.locator("#trouble", has_text="has been stopped")
    trouble.wait_for(timeout=3_000)
    assert trouble.evaluate(FITS)
    button = shown.page.get_by_role("button", name="3", exact=True)
    assert button.evaluate(
        "node => Boolean(node.closest('[inert]'))"
    )  # no choice without a picture
    shown.press("ArrowUp")
    shown.expect({"depth": 2, "step": 11})
    context.close()


@pytest.mark.slow
def test_a_plan_has_a_clock_that_survives_a_reload_and_parts(browser: Any, tmp_path: Path) -> None:
    with presented(tmp_path, ["# Beside"]) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        page = context.new_page()
        page.goto(f"{address}&plan=20", wait_until="commit")
        page.wait_for_function(OPEN, timeout=120_000)
        page.wait_for_function("document.getElementById('clock').textContent === '0:00 of 20 min'")
        page.keyboard.press("n")
        page.wait_for_function("!/^0:0[01]/.test(document.getElementById('clock').textContent)")
        assert page.locator("#where").inner_text().startswith("05")
        page.reload(wait_until="commit")
        page.wait_for_function(OPEN, timeout=120_000)
        assert page.locator("#where").inner_text().startswith("05")
        page.wait_for_function("!/^0:0[01]/.test(document.getElementById('clock').textContent)")
        said = page.locator("#clock").inner_text()
        page.wait_for_function(
            "said => document.getElementById('clock').textContent !== said", arg=said
        )
        page.keyboard.press("Home")
        page.keyboard.press("PageDown")  # the lecture, after a rehearsal
        page.wait_for_function("/^0:0[0-2]/.test(document.getElementById('clock').textContent)")
        page.keyboard.press("End")
        page.keyboard.press("d")
        page.emulate_media(media="print")
        ink = "getComputedStyle(document.getElementById('stage')).color"
        assert page.evaluate(ink) == "rgb(16, 22, 29)"  # on white paper, however dark the hall
        for paper in ("A4", "Letter"):
            sheet = page.pdf(format=paper, path=tmp_path / f"{paper}.pdf")
            assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
        context.close()
