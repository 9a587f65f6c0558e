"""Pages in a browser without a network: alive, true to Python, safe, usable by everyone."""

from __future__ import annotations

import html
import io
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

import overparam_edu as oe
from overparam_edu.player.page import NO_SCRIPT, pieces
from overparam_edu.player.pictures import save
from overparam_edu.publish import pages
from overparam_edu.publish.pages import Pages, build_pages, lesson_notebooks

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
    from overparam_edu.player.scene import Axis, Reading, Scene, Track
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
        figure.add_scatter(uid="run", mode="lines").add_scatter(uid="head", mode="markers")
        figure.update_xaxes(range=[0, 40]).update_yaxes(range=[-4, 4])
        both = ["depth", "step"]
        tracks = [
            Track("run", "y", falls, both, trail="step"),
            Track("head", "y", falls, both),
            Track("head", "x", np.arange(40), ["step"]),
        ]
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
    "## Lines\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[before](03_preconditioning.ipynb)",
    "explore_derivation(warm_up())",
    "## Still\n\nA picture that stands still.",
    f"print({HOSTILE!r})\ngo.Figure(go.Scatter(y=[1, 3, 2]), {{'title': {{'text': 'Peak'}}}})",
]

# Windows takes none of these signs in a file's name, and nobody "/".
NAME = 'a" onclick="' if os.name == "posix" else "a & b"
NAME += "<img src=x onerror=window.hacked=3>" if os.name == "posix" else ""
HOSTILE_EXPLORER = """
import ipywidgets, plotly.graph_objects as go
from overparam_edu import SymbolicLoss
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene
def build(text):
    figure = go.Figure(go.Scatter(y=[1, 2], name=text, text=[text] * 2, mode="text"))
    figure.update_layout(title=text)
    return Scene(figure, [Axis("step", text, [1, 2])], [], Reading(text, {}), alt=text)
options = [said, said + "2"]
Explorer(build, {"text": ipywidgets.Dropdown(options=options, description=said)})
"""
HOSTILE_CELLS = [
    f"# Lesson `{HOSTILE}`\n\n## `{HOSTILE}`\n\n$x < y$",
    f"said = {HOSTILE!r}\nprint(said)\nsaid",
    HOSTILE_EXPLORER.strip(),
    "try:\n    SymbolicLoss(said)\nexcept ValueError as problem:\n    print(problem)",
]
# What the browser refuses, from the page's first line on.
WATCH = """window.refused = [];
addEventListener('securitypolicyviolation', event => window.refused.push(
    `${event.effectiveDirective} ${event.blockedURI}`));"""
# An injected script, an event handler, a foreign script and a style sheet of a foreign host.
INJECT = """async () => {
    const script = document.createElement('script');
    script.textContent = 'window.hacked = 4';
    document.body.append(script);
    const box = document.createElement('div');
    box.innerHTML = '<img src="data:," onerror="window.hacked = 5">';
    document.body.append(box);
    const foreign = document.createElement('script');
    foreign.src = 'https://foreign.invalid/a.js';
    document.body.append(foreign);
    await fetch('https://foreign.invalid/b').catch(() => {});
    await new Promise(done => setTimeout(done, 300));
    return [window.refused, window.hacked ?? null];
}"""


@pytest.fixture(scope="module")
def room() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(SETUP + EXPLORER, names)
    return names


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A lesson soon built, the made-up one, one whose every text is hostile, one with markup."""
    folder = tmp_path_factory.mktemp("with space & <sign>")
    markup = f"# {HOSTILE}\n\n**Goal.** See {HOSTILE}\n\nNow."
    paths = [lesson_notebooks()[3]]
    for name, cells in (("made_up", CELLS), (NAME, HOSTILE_CELLS), ("markup", [markup])):
        notebook = nbformat.v4.new_notebook()
        for source in cells:
            prose = source.startswith("#")
            new = nbformat.v4.new_markdown_cell if prose else nbformat.v4.new_code_cell
            notebook.cells.append(new(source))
        paths.append(folder / f"{name}.ipynb")
        nbformat.write(notebook, paths[-1])
    said: list[str] = []
    built = build_pages(folder / "pages", notebooks=paths, progress=said.append)
    assert said[0].startswith("4 to run, ")
    for number, line in enumerate(said[1:5], start=1):
        assert line.startswith(f"{number} of 4: ")
        assert ("min left" in line) == (number < 4)
    assert {path.name for path in paths} == {
        path.name for path in paths for line in said[1:5] if f": {path.name} has run" in line
    }
    return built


@pytest.fixture
def made_up(saved: Any, site: Pages) -> Iterator[Any]:
    opened = saved(site.lessons[1], viewport={"width": 1280, "height": 720})
    yield opened
    opened.check_quiet()


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_every_page_is_quiet_accessible_and_fits(
    saved: Any, site: Pages, width: int, scheme: str, violations: Any
) -> None:
    # The whole course, where it was built: a folder that `overparam-edu pages` wrote.
    whole = Path(os.environ.get(WHOLE_COURSE, site.start.parent))
    for path in sorted({*site.lessons[:2], *whole.glob("*.html")} - {*site.lessons[2:]}):
        view = {"width": width, "height": 720}
        opened = saved(path, viewport=view, color_scheme=scheme)
        opened.check_quiet()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        found = violations(opened.page)
        assert [
            (rule["id"], node["html"][:200])
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ] == []


def test_keys_move_the_picture(made_up: Any, room: dict[str, Any]) -> None:
    scene = room["build"](2, 1)
    made_up.players[0].check(scene, {})
    for key, stop in [("ArrowRight", 3), ("End", 7), ("ArrowLeft", 6), ("Home", 0)]:
        made_up.players[0].press("depth", key)
        made_up.players[0].check(scene, {"depth": stop})


def test_the_mouse_moves_the_picture(made_up: Any, room: dict[str, Any]) -> None:
    scene = room["build"](2, 1)
    slider = made_up.players[0].control("step")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    mouse, y = made_up.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * 0.3, y)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 1, y, steps=8)
    made_up.players[0].check(scene, {"step": 39})
    mouse.move(box["x"] + 1, y, steps=8)
    mouse.up()
    made_up.players[0].check(scene, {"step": 0})


def test_a_finger_moves_the_picture_and_scrolls_the_page(
    saved: Any, site: Pages, room: dict[str, Any]
) -> None:
    phone = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True}
    opened = saved(site.lessons[1], **phone)
    slider = opened.players[0].control("depth")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    opened.page.touchscreen.tap(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    opened.players[0].check(room["build"](2, 1), {"depth": 7})
    mode = "root => root.querySelector('.oe-picture')._fullLayout.dragmode"
    assert opened.players[0].root.evaluate(mode) is False
    opened.check_quiet()


def test_choices_bring_what_python_computed(made_up: Any, room: dict[str, Any]) -> None:
    [piece] = pieces(room["explorer"])
    assert len(piece.settings().scenes) == 6
    card = made_up.page.locator(".piece").first
    made_up.players[0].control("depth").press("End")
    for rate, sign in [("3", "up"), ("3", "down"), ("1", "down"), ("2", "up")]:
        for name, word in (("rate", rate), ("sign", sign)):
            card.get_by_role("group", name=name).get_by_label(word, exact=True).check()
        # The sliders stay where they were.
        made_up.players[0].check(
            room["build"](int(rate), {"up": 1, "down": -1}[sign]), {"depth": 7}
        )
    assert "6 settings, all their combinations" in card.locator(".note").inner_text()


def test_a_missing_file_is_said_plainly(saved: Any, site: Pages, tmp_path: Path) -> None:
    for path in site.start.parent.iterdir():
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    opened = saved(tmp_path / site.lessons[1].name)
    card = opened.page.locator(".piece").first
    card.get_by_label("3", exact=True).check()
    card.get_by_text("The file with this setting is missing.").wait_for()


def test_a_proof_steps_and_a_figure_stands(made_up: Any) -> None:
    proof, still = made_up.players[1:]
    before = proof.board().inner_html()
    proof.root.locator("button.oe-next").press("Enter")
    proof.settle()
    assert proof.board().inner_html() != before
    assert proof.reading().startswith("Line 2 of")
    heights = "r => Array.from(r.querySelector('.oe-picture').data[0].y)"
    assert still.root.evaluate(heights) == [1, 3, 2]
    assert still.root.locator(".oe-picture").get_attribute("aria-label") == "Peak"
    assert not still.root.locator("input").is_visible()


def test_with_reduced_motion_play_shows_a_few_stills_from_the_start(
    saved: Any, site: Pages, room: dict[str, Any]
) -> None:
    opened = saved(site.lessons[1], reduced_motion="reduce")
    player = opened.players[0]
    player.press("step", "End")
    opened.page.evaluate(  # it watches before Play is pressed
        """() => {
            window.seen = new Set();
            (function look() {
                window.seen.add(Number(document.querySelector('[data-axis=step] input').value));
                requestAnimationFrame(look);
            })();
        }"""
    )
    player.root.locator("button.oe-play").click()
    seen = opened.page.evaluate(
        """() => new Promise(done => (function look() {
            document.querySelector('.oe-pause') ? setTimeout(look, 100) : done([...window.seen]);
        })())"""
    )
    stood, *seen = seen
    assert (stood, seen[0]) == (39, 0)
    assert seen == sorted(seen)
    assert 8 <= len(seen) <= 10
    player.check(room["build"](2, 1), {"step": 39})


def test_code_folds_links_lead_on_and_print_leaves_the_controls_out(made_up: Any) -> None:
    page = made_up.page
    code = page.locator("details.code[open]")
    assert code.count() == 4
    page.get_by_role("button", name="Hide code").press("Enter")
    assert code.count() == 0
    page.get_by_role("button", name="Show code").press("Enter")
    assert code.count() == 4
    page.emulate_media(media="print")
    assert not page.locator(".oe-controls").first.is_visible()
    assert page.locator(".oe-picture").first.is_visible()
    page.emulate_media(media="screen")
    page.get_by_role("link", name="before", exact=True).click()
    page.wait_for_url("**/03_preconditioning.html")
    page.wait_for_function("() => document.documentElement.dataset.ready")  # nothing moves any more
    page.get_by_role("link", name="A made-up lesson").click()
    page.get_by_role("link", name="All lessons").click()
    page.wait_for_url("**/index.html")
    assert page.locator(".lessons a").count() == 4


@pytest.mark.parametrize("touch", [False, True])
def test_one_file_holds_everything(
    saved: Any, room: dict[str, Any], tmp_path: Path, touch: bool
) -> None:
    path = save(room["explorer"], tmp_path / "a & <b> #1.html", title=HOSTILE)
    opened = saved(path, has_touch=touch)
    assert opened.requests == [path.as_uri()]
    assert opened.page.title() == HOSTILE
    opened.page.get_by_role("group", name="rate").get_by_label("3", exact=True).check()
    opened.players[0].check(room["build"](3, 1), {})
    opened.check_quiet()


# --- what a lecturer, a printer, a search engine and a keyboard get of a page ---


def load_again(opened: Any, path: Path, fragment: str) -> None:
    """Load a file in the same page with another fragment, which by itself loads nothing."""
    opened.page.goto("about:blank")
    opened.page.goto(f"{path.as_uri()}#{fragment}")
    opened.page.wait_for_function("() => !document.querySelector('.waiting')")
    for player in opened.players:
        player.settle()


def test_a_link_to_a_section_lands_on_it(saved: Any, site: Pages) -> None:
    opened = saved(site.lessons[1], fragment="section-1")
    for number in (1, 2):
        if number == 2:
            load_again(opened, site.lessons[1], "section-2")
        opened.page.wait_for_function("() => document.documentElement.dataset.ready")
        for player in opened.players:
            player.settle()
        below = "n => document.getElementById(`section-${n}`).getBoundingClientRect().top"
        rest = "document.documentElement.scrollHeight - innerHeight - scrollY"
        landed = opened.page.evaluate(below, number)
        assert abs(landed) < 2 or (landed > 0 and opened.page.evaluate(rest) < 2)


def test_pictures_have_their_room_before_they_are_there(saved: Any, site: Pages) -> None:
    page = saved(site.lessons[1], java_script_enabled=False).page
    page.evaluate("document.querySelectorAll('noscript').forEach((one) => one.remove())")
    before = [piece.bounding_box()["height"] for piece in page.locator(".piece").all()]
    opened = saved(site.lessons[1])
    opened.page.wait_for_function("() => document.documentElement.dataset.ready")
    for player in opened.players:
        player.settle()
    after = [piece.bounding_box()["height"] for piece in opened.page.locator(".piece").all()]
    assert len(before) == 3
    for one, other in zip(before, after, strict=True):
        assert abs(one - other) < 200


def test_without_a_script_there_are_stills_whole_proofs_and_no_dead_button(
    saved: Any, site: Pages, made_up: Any
) -> None:
    page = saved(site.lessons[1], java_script_enabled=False).page
    text = page.locator("body").inner_text()
    for words in ("Falling lines", "N = 3, step 39", "nothing moves", "A made-up lesson"):
        assert words in text
    assert page.locator("button:visible").count() == 0
    lines = int(made_up.players[1].reading().split()[3].rstrip(",") or 0)
    assert page.locator(".printed > div:visible").count() == lines > 10
    made_up.players[0].press("step", "End")
    images = page.locator(".piece img")
    assert images.count() == 2
    for image, player in zip(images.all(), made_up.players[::2], strict=True):
        player.settle()
        still, seen = (
            np.asarray(Image.open(io.BytesIO(shot)).convert("L").resize((96, 54)), float)
            for shot in (image.screenshot(), player.root.locator(".oe-picture").screenshot())
        )
        assert np.corrcoef(still.ravel(), seen.ravel())[0, 1] > 0.9


def test_without_chrome_the_words_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Pages
) -> None:
    def missing(_: Any) -> None:
        raise RuntimeError("no Chrome")

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("go.Figure()")])
    figure = {"data": [{"type": "scatter", "y": [1, 2]}], "layout": {}}
    shown = nbformat.v4.new_output("display_data", {"application/vnd.plotly.v1+json": figure})
    notebook.cells[0].outputs = [shown]
    monkeypatch.setattr(pages, "in_browser", missing)
    monkeypatch.setattr(pages, "executed", lambda _: notebook)
    said: list[str] = []
    built = build_pages(tmp_path, notebooks=["a.ipynb"], progress=said.append)
    assert any("no Chrome" in line for line in said)
    assert NO_SCRIPT in built.lessons[0].read_text(encoding="utf-8")
    assert NO_SCRIPT not in site.lessons[1].read_text(encoding="utf-8")


def test_a_key_stops_only_where_there_is_something_to_do(made_up: Any) -> None:
    made_up.page.wait_for_function("() => document.documentElement.dataset.ready")
    stops = made_up.page.evaluate(
        """() => [...document.querySelectorAll('pre, .scrolls, .oe-board')]
            .filter(node => node.tabIndex === 0).map(node => node.scrollWidth - node.clientWidth)"""
    )
    assert all(more > 0 for more in stops)
    assert made_up.page.locator("pre").count() > len(stops)


def test_paper_has_the_whole_proof(made_up: Any) -> None:
    page = made_up.page
    page.wait_for_function("() => document.documentElement.dataset.ready")
    made_up.players[1].settle()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    lines = int(made_up.players[1].reading().split()[3].rstrip(",") or 0)
    printed = page.locator(".printed")
    assert printed.count() == 1
    assert printed.locator("> div:visible").count() == lines > 10
    assert not made_up.players[1].root.is_visible()
    assert made_up.players[0].root.locator(".oe-picture").is_visible()
    page.emulate_media(media="screen")
    assert not printed.is_visible()


def test_no_link_leads_nowhere(site: Pages) -> None:
    folder = site.start.parent
    for path in (site.start, *site.lessons[:2]):
        text = path.read_text(encoding="utf-8")
        outside = re.sub(r"<script.*?</script>|<pre.*?</pre>", "", text, flags=re.S)
        found = re.findall(r'(?:href|src)="([^"]+)"', outside)
        assert "race.gif" in found or path != site.start
        for address in found:
            if re.match("(https?|data):", address):
                continue
            name, _, part = address.partition("#")
            target = folder / unquote(html.unescape(name)) if name else path
            assert target.is_file(), address
            assert not part or f'id="{part}"' in target.read_text(encoding="utf-8")


def test_a_page_says_what_it_is(site: Pages, tmp_path: Path) -> None:
    text = site.lessons[1].read_text(encoding="utf-8")
    assert '<meta name="description" content="See ' in text
    assert '<link rel="icon" href="data:image/svg+xml,' in text
    assert "canonical" not in text
    for path in (site.start, site.lessons[1]):
        assert "CC BY 4.0" in path.read_text(encoding="utf-8")
    start = site.start.read_text(encoding="utf-8")
    for words in ("Arora", "arxiv.org/abs/1802.06509", '<span class="number">03</span>'):
        assert words in start
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    paths = [tmp_path / "a.ipynb"]
    built = build_pages(tmp_path / "out", notebooks=paths, url="https://example.org/course/")
    text = built.lessons[0].read_text(encoding="utf-8")
    assert '<link rel="canonical" href="https://example.org/course/a.html">' in text
    assert '<meta property="og:image" content="https://example.org/course/race.gif">' in text
    with pytest.raises(ValueError, match="url must begin with https://"):
        build_pages(tmp_path / "out", notebooks=paths, url="example.org")


# --- one picture: any frame, an address of its state, files ---

FRAMES = [(800, 600), (1280, 720), (390, 844), (960, 540)]


@pytest.mark.parametrize(("width", "height"), FRAMES, ids=str)
def test_one_picture_fits_its_window(
    saved: Any, room: dict[str, Any], tmp_path: Path, width: int, height: int
) -> None:
    path = save(room["explorer"], tmp_path / "a.html")
    opened = saved(path, viewport={"width": width, "height": height})
    opened.players[0].settle()
    opened.page.wait_for_function(
        "() => document.documentElement.scrollHeight <= innerHeight"
        " && document.documentElement.scrollWidth <= innerWidth"
    )
    for part in (".oe-picture", "[data-axis=depth] input", "[data-axis=step] input", ".settings"):
        box = opened.page.locator(part).first.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height + 1
    opened.check_quiet()


# All sizes that the page and its parts have in the next ten animation frames.
SIZES = """() => new Promise(done => {
    const seen = new Set();
    let frames = 0;
    (function look() {
        const parts = ['.oe-player', '.oe-picture', '.oe-reading', '.oe-board'];
        const tall = parts.map(part => document.querySelector(part).getBoundingClientRect().height);
        seen.add([document.body.style.zoom, ...tall].join(' '));
        (frames += 1) < 10 ? requestAnimationFrame(look) : done([...seen]);
    })();
})"""


def test_a_picture_comes_to_rest_at_every_size_of_its_window(saved: Any, tmp_path: Path) -> None:
    """A page that is made smaller has its lines broken elsewhere, and may then fit at full size."""
    opened = saved(save(oe.explore_own_loss().player, tmp_path / "a.html"))
    opened.player().settle()
    restless = {}
    for width, height in ((700, 680), (957, 630), (957, 640), (1100, 550)):
        opened.page.set_viewport_size({"width": width, "height": height})
        opened.page.wait_for_timeout(250)
        sizes = opened.page.evaluate(SIZES)
        restless |= {(width, height): sizes} if len(sizes) > 1 else {}
    assert restless == {}


def test_the_address_holds_the_sliders_by_value(
    saved: Any, room: dict[str, Any], tmp_path: Path
) -> None:
    scene = room["build"](2, 1)
    path = save(room["explorer"], tmp_path / "a.html")
    opened = saved(path, fragment="depth.5~step.22~other.3~step.x~%25")
    opened.players[0].check(scene, {"depth": 4, "step": 22})
    opened.players[0].press("depth", "ArrowRight")
    opened.page.wait_for_url("**#depth.6~step.22")
    load_again(opened, path, "depth.6~step.22")
    opened.players[0].check(scene, {"depth": 5, "step": 22})
    load_again(opened, path, "depth.-3")
    assert opened.players[0].stops()["depth"] == 0
    opened.page.evaluate("location.hash = 'depth.8~step.30'")  # typed into the open page
    opened.players[0].check(scene, {"depth": 7, "step": 30})
    opened.page.evaluate("location.hash = 'depth.1'")
    opened.players[0].check(scene, {"depth": 0, "step": 10})  # as when the page is opened with it
    opened.page.go_back()
    opened.players[0].check(scene, {"depth": 7, "step": 30})
    load_again(opened, path, "%E0%A4%A")
    opened.check_quiet()


def test_a_frame_may_allow_no_more_than_scripts(
    saved: Any, room: dict[str, Any], tmp_path: Path
) -> None:
    save(room["explorer"], tmp_path / "a.html")
    frame = '<iframe sandbox="allow-scripts" src="a.html#depth.3~step.4" width=800 height=600>'
    (tmp_path / "b.html").write_text(f"<!DOCTYPE html>{frame}</iframe>")
    opened = saved(tmp_path / "b.html")
    inside = opened.page.frame_locator("iframe")
    inside.locator(".oe-reading", has_text="N = 3, step 4").wait_for()
    inside.locator("[data-axis=depth] input").press("ArrowRight")
    inside.locator(".oe-reading", has_text="N = 4, step 4").wait_for()
    opened.check_quiet()


def test_a_reader_takes_the_picture_away(saved: Any, room: dict[str, Any], tmp_path: Path) -> None:
    opened = saved(save(room["explorer"], tmp_path / "a.html"), fragment="depth.3~step.4")
    opened.players[0].settle()
    page = opened.page
    page.locator(".settings summary").click()
    for kind, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=kind).click()
        data = Path(waiting.value.path()).read_bytes()
        assert waiting.value.suggested_filename == f"picture.{kind.lower()}"
        assert data.startswith(begins)
        if kind == "SVG":
            assert "N = 3, step 4" in data.decode("utf-8")
    page.get_by_role("button", name="Copy the iframe line").click()
    line = page.locator("input.line").input_value()
    assert re.fullmatch(
        r'<iframe src="file:.*a\.html#depth\.3~step\.4" title="Falling lines" width="800" '
        r'height="600" style="border: 0"></iframe>',
        line,
    )
    opened.check_quiet()


# --- text of others is text, and the pages' own policy holds ---


@pytest.fixture(params=["index", "lesson", "file"])
def opened(request: Any, saved: Any, site: Pages, tmp_path: Path) -> Any:
    figure = go.Figure(go.Scatter(y=[1, 2], name=HOSTILE), {"title": HOSTILE})
    file = save(figure, tmp_path / "one.html", title=HOSTILE)
    paths = {"index": site.start, "lesson": site.lessons[2], "file": file}
    return watched(saved, paths[request.param])


def watched(saved: Any, path: Path) -> Any:
    page = saved(path, script=WATCH).page
    page.wait_for_timeout(300)
    return page


def test_hostile_text_is_seen_and_not_run_and_the_policy_is_kept(opened: Any) -> None:
    assert opened.evaluate("window.hacked") is None
    assert opened.evaluate("window.refused") == []
    assert opened.locator("[onerror]").count() == 0
    assert "<img src=x onerror=" in opened.locator("body").inner_text() + opened.title()


def test_what_is_injected_is_refused(opened: Any) -> None:
    refused, hacked = opened.evaluate(INJECT)
    assert hacked is None
    assert {
        "script-src-elem inline",
        "script-src-attr inline",
        "script-src-elem https://foreign.invalid/a.js",
        "connect-src https://foreign.invalid/b",
    } <= set(refused)


def test_markup_of_a_notebooks_author_runs_nothing(saved: Any, site: Pages) -> None:
    page = watched(saved, site.lessons[3])
    assert page.locator("img").count() == 2  # prose may hold HTML
    assert page.evaluate("window.hacked") is None
    refused = set(page.evaluate("window.refused"))
    assert refused == {"script-src-elem inline", "script-src-attr inline"}
