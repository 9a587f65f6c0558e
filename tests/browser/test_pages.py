"""Exported pages in a browser without a network: alive, true to Python, usable by everyone."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from overparam_edu.player.frames import describe, frame
from overparam_edu.player.page import pieces, save_html
from overparam_edu.publish.pages import Pages, build_pages, lesson_notebooks

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = pytest.mark.browser

WHOLE_COURSE = "OVERPARAM_EDU_PAGES"
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
# Run in the page's kernel and here, so that Python can say what the browser must draw.
SETUP = textwrap.dedent(
    """
    import ipywidgets as widgets
    import numpy as np
    import plotly.graph_objects as go
    from overparam_edu.derivations import warm_up
    from overparam_edu.player.explorer import Explorer
    from overparam_edu.player.player import Axis, Player, Reading, Scene, Track
    from overparam_edu.explorers.derivation import explore_derivation
    """
)
EXPLORER = textwrap.dedent(
    """
    def build(rate, sign):
        depth = Axis("depth", "depth N", np.arange(1, 9), start=2)
        step = Axis("step", "step", np.arange(40), start=10, play=True)
        falls = sign * rate * np.exp(-0.01 * np.outer(np.arange(1, 9), np.arange(40)))
        falls[-1, 30:] = np.nan
        grid = np.linspace(0, 4, 20)
        figure = go.Figure(go.Contour(x=grid, y=grid, z=np.add.outer(grid, grid**2)))
        figure.add_scatter(mode="lines").add_scatter(mode="markers")
        figure.update_xaxes(range=[0, 40]).update_yaxes(range=[-4, 4])
        both = ["depth", "step"]
        trail = Track(1, "y", falls, both, trail="step")
        tracks = [trail, Track(2, "y", falls, both), Track(2, "x", np.arange(40), ["step"])]
        reading = Reading("N = {depth}, step {step}: {fall}", {"fall": (falls, both)})
        return Scene(figure, [depth, step], tracks, reading, alt="Falling lines")

    controls = {
        "rate": widgets.ToggleButtons(options=[1, 2, 3], value=2, description="rate"),
        "sign": widgets.ToggleButtons(options=[("up", 1), ("down", -1)], description="sign"),
    }
    explorer = Explorer(build, controls)
    explorer
    """
)
CELLS = [
    "# A made-up lesson\n\n**Goal.** See $a_1^{2}$ move.\n\n**Time** 5 minutes.\n\n"
    "$$\\|w\\|^{2/N}$$",
    SETUP,
    EXPLORER,
    "## Lines\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[start](00_start_here.ipynb)",
    "explore_derivation(warm_up())",
    "## Still\n\nA picture that stands still.",
    f"print({HOSTILE!r})\ngo.Figure(go.Scatter(y=[1, 3, 2]), {{'title': {{'text': 'Peak'}}}})",
]
# What Plotly holds of the tracks' attributes, as frame() would say it.
DRAWN = """(root, keys) => {
    const gd = root.querySelector('.oe-picture');
    return keys.map(([trace, path]) => {
        const value = path.split('.').reduce((at, key) => at[key], gd.data[trace]);
        return ArrayBuffer.isView(value) ? Array.from(value) : value;
    });
}"""
STILL = """root => new Promise(done => {
    let last = '', still = 0;
    (function look() {
        const now = root.dataset.frames;
        still = now !== '0' && now === last ? still + 1 : 0;
        last = now;
        still < 4 ? requestAnimationFrame(look) : done();
    })();
})"""


class Opened:
    """A page from the disk, and everything it asked for or complained about."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("() => !document.querySelector('.waiting')")
        self.players = self.page.locator(".oe-player").all()
        for player in self.players:
            player.evaluate(STILL)

    def asked_others(self) -> list[str]:
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]

    def slider(self, player: int, axis: str) -> Any:
        return self.players[player].locator(f"[data-axis={axis}] input")

    def check(self, player: int, scene: Any, position: dict[str, int]) -> None:
        """Hold what is drawn against what Python says."""
        root = self.players[player]
        root.evaluate(STILL)
        expected = frame(scene, position)
        drawn = root.evaluate(DRAWN, [list(key) for key in expected])
        for (key, wanted), got in zip(expected.items(), drawn, strict=True):
            assert got == pytest.approx(wanted, rel=1e-6, abs=1e-12), key
        assert root.locator(".oe-reading").inner_text() == describe(scene, position)


@pytest.fixture(scope="module")
def room() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(SETUP + EXPLORER, names)
    return names


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("with space & <sign>")
    notebook = nbformat.v4.new_notebook()
    for source in CELLS:
        prose = source.startswith("#")
        new = nbformat.v4.new_markdown_cell if prose else nbformat.v4.new_code_cell
        notebook.cells.append(new(source))
    nbformat.write(notebook, folder / "made_up.ipynb")
    first = lesson_notebooks()[0]
    said: list[str] = []
    built = build_pages(
        folder / "pages", notebooks=[first, folder / "made_up.ipynb"], progress=said.append
    )
    assert [first.name in said[0], "made_up.ipynb" in said[1]] == [True, True]
    return built


@pytest.fixture
def made_up(browser: Any, site: Pages) -> Iterator[Opened]:
    opened = Opened(browser, site.lessons[1], viewport={"width": 1280, "height": 720})
    yield opened
    assert opened.asked_others() == []
    assert opened.complaints == []
    opened.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_every_page_is_quiet_accessible_and_fits(
    browser: Any, site: Pages, width: int, scheme: str
) -> None:
    # The whole course, where it was built: a folder that `overparam-edu pages` wrote.
    whole = Path(os.environ.get(WHOLE_COURSE, site.start.parent))
    for path in sorted({site.start, *site.lessons, *whole.glob("*.html")}):
        view = {"width": width, "height": 720}
        opened = Opened(browser, path, viewport=view, color_scheme=scheme)
        assert opened.asked_others() == []
        assert opened.complaints == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.page.evaluate("window.hacked") is None
        # Without its own reading of style sheets, which the page's policy forbids.
        found = axe.Axe().run(opened.page, options={"preload": False}).response["violations"]
        assert [
            (rule["id"], node["html"][:200])
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ] == []
        opened.context.close()


def test_keys_move_the_picture(made_up: Opened, room: dict[str, Any]) -> None:
    scene = room["build"](2, 1)
    made_up.check(0, scene, {})
    made_up.slider(0, "depth").focus()
    for key, stop in [("ArrowRight", 3), ("End", 7), ("ArrowLeft", 6), ("Home", 0)]:
        made_up.page.keyboard.press(key)
        made_up.check(0, scene, {"depth": stop})


def test_the_mouse_moves_the_picture(made_up: Opened, room: dict[str, Any]) -> None:
    scene = room["build"](2, 1)
    slider = made_up.slider(0, "step")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    mouse, y = made_up.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * 0.3, y)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 1, y, steps=8)
    made_up.check(0, scene, {"step": 39})
    mouse.move(box["x"] + 1, y, steps=8)
    mouse.up()
    made_up.check(0, scene, {"step": 0})


def test_a_finger_moves_the_picture_and_scrolls_the_page(
    browser: Any, site: Pages, room: dict[str, Any]
) -> None:
    phone = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True}
    opened = Opened(browser, site.lessons[1], **phone)
    slider = opened.slider(0, "depth")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    opened.page.touchscreen.tap(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    opened.check(0, room["build"](2, 1), {"depth": 7})
    mode = opened.players[0].evaluate(
        "root => root.querySelector('.oe-picture')._fullLayout.dragmode"
    )
    assert mode is False
    assert opened.complaints == []
    opened.context.close()


def test_choices_bring_what_python_computed(made_up: Opened, room: dict[str, Any]) -> None:
    [piece] = pieces(room["explorer"])
    assert len(piece.scenes) == 6
    card = made_up.page.locator(".piece").first
    made_up.slider(0, "depth").press("End")
    for rate, sign in [("3", "up"), ("3", "down"), ("1", "down"), ("2", "up")]:
        for name, word in (("rate", rate), ("sign", sign)):
            card.get_by_role("group", name=name).get_by_label(word, exact=True).check()
            made_up.page.wait_for_timeout(100)
        # The sliders stay where they were.
        made_up.check(0, room["build"](int(rate), {"up": 1, "down": -1}[sign]), {"depth": 7})
    assert "6 settings, all their combinations" in card.locator(".note").inner_text()


def test_a_missing_file_is_said_plainly(browser: Any, site: Pages, tmp_path: Path) -> None:
    for path in site.start.parent.iterdir():
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    opened = Opened(browser, tmp_path / site.lessons[1].name)
    card = opened.page.locator(".piece").first
    card.get_by_label("3", exact=True).check()
    card.get_by_text("The file with this setting is missing.").wait_for()
    opened.context.close()


def test_a_proof_steps_and_a_figure_stands(made_up: Opened) -> None:
    proof, still = made_up.players[1:]
    before = proof.locator(".oe-board").inner_html()
    proof.locator("button.oe-next").press("Enter")
    proof.evaluate(STILL)
    assert proof.locator(".oe-board").inner_html() != before
    assert proof.locator(".oe-reading").inner_text().startswith("Line 2 of")
    assert still.evaluate("r => Array.from(r.querySelector('.oe-picture').data[0].y)") == [1, 3, 2]
    assert still.locator(".oe-picture").get_attribute("aria-label") == "Peak"
    assert not still.locator("input").is_visible()


def test_reduced_motion_ends_a_run_at_once(browser: Any, site: Pages, room: dict[str, Any]) -> None:
    opened = Opened(browser, site.lessons[1], reduced_motion="reduce")
    opened.players[0].locator("button.oe-play").click()
    opened.check(0, room["build"](2, 1), {"step": 39})
    opened.context.close()


def test_code_folds_links_lead_on_and_print_leaves_the_controls_out(made_up: Opened) -> None:
    page = made_up.page
    code = page.locator("details.code[open]")
    assert code.count() == 4
    page.get_by_role("button", name="Show code").press("Enter")
    assert code.count() == 0
    page.emulate_media(media="print")
    assert not page.locator(".oe-controls").first.is_visible()
    assert page.locator(".oe-picture").first.is_visible()
    page.emulate_media(media="screen")
    page.get_by_role("link", name="start", exact=True).click()
    page.wait_for_url("**/00_start_here.html")
    page.get_by_role("link", name="A made-up lesson").click()
    page.get_by_role("link", name="All lessons").click()
    assert page.locator(".lessons a").count() == 2


@pytest.mark.parametrize("touch", [False, True])
def test_one_file_holds_everything(
    browser: Any, room: dict[str, Any], tmp_path: Path, touch: bool
) -> None:
    path = save_html(room["explorer"], tmp_path / "a & <b> #1.html", title=HOSTILE)
    opened = Opened(browser, path, has_touch=touch)
    assert opened.requests == [path.as_uri()]
    assert opened.page.title() == HOSTILE
    opened.page.get_by_label("3", exact=True).check()
    opened.page.wait_for_timeout(100)
    opened.check(0, room["build"](3, 1), {})
    assert opened.complaints == []
    assert opened.page.evaluate("window.hacked") is None
    opened.context.close()
