"""Beside JupyterLab: Notebook 7, the manager of Colab and VS Code, and places without widgets."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anywidget
import nbclient
import nbformat
import plotly.graph_objects as go
import pytest
from nbconvert import HTMLExporter

import overparam_edu as oe
from overparam_edu.classroom.questions import QUESTIONS
from overparam_edu.player.frames import describe
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Reading, Scene, Track

QUESTION = QUESTIONS["same_functions"]
WIDGET = "application/vnd.jupyter.widget-view+json"
# Done when there is a picture with other numbers than before.
MOVED = """([root, before]) => {
    const data = root.querySelector('.oe-picture').data;
    const now = data && JSON.stringify(data.map(({ x, y }) => [x, y]));
    return now && now !== before && now;
}"""
CELL = "import overparam_edu as oe\noe.explore_trajectories()"


def small_scene() -> Scene:
    step = Axis("step", "step", [0, 1, 2], start=2)
    reading = Reading("At step {step} the loss is {loss}.", {"loss": ([4.0, 2.0, 1.5], ["step"])})
    tracks = [Track("loss", "y", [4.0, 2.0, 1.5], ["step"], trail="step")]
    return Scene(
        go.Figure(go.Scatter(uid="loss")), [step], tracks, reading, alt="A line that falls"
    )


@pytest.mark.browser
def test_notebook_7_moves_the_picture_without_the_kernel(lab: Any) -> None:
    pytest.importorskip("notebook")
    opened = lab.run_cells(CELL, app="notebook")
    try:
        assert opened.cell_errors == []
        player = opened.page.locator(".oe-player")
        player.locator(".main-svg").first.wait_for()
        root = player.element_handle()
        opened.page.set_default_timeout(20_000)
        before = opened.page.wait_for_function(MOVED, arg=[root, ""]).json_value()
        sent = opened.comm_messages()
        slider = player.locator("[data-axis=depth] input")
        slider.focus()
        opened.page.keyboard.press("ArrowRight")
        opened.page.wait_for_function(MOVED, arg=[root, before])
        assert opened.comm_messages() == sent
        opened.screenshot("notebook-7")
        assert opened.foreign_requests == []
        # No look at the console: Notebook 7 writes errors of its own there while it opens.
    finally:
        lab.close_pages()


@pytest.mark.browser
def test_a_picture_comes_after_a_cell_that_outlasts_the_pages_patience(
    lab: Any,
) -> None:
    """As Run All does it: an explorer, 40 s of computing, another explorer."""
    opened = lab.run_cells()
    cells = [CELL, "import time\ntime.sleep(40)", "oe.explore_warm_up()"]
    try:
        opened.page.evaluate(
            """cells => {
                const { model } = jupyterapp.shell.currentWidget.content;
                const add = cells.map((source) => ({ cell_type: 'code', source }));
                model.sharedModel.insertCells(0, add);
                void jupyterapp.commands.execute('notebook:run-all-cells');
            }""",
            cells,
        )
        player = opened.page.locator(".oe-player")
        player.get_by_text("The picture comes when it answers.").wait_for()
        assert player.locator(".main-svg").count() == 0
        player.get_by_text("when it answers").scroll_into_view_if_needed()
        opened.screenshot("busy")
        player.nth(1).locator(".main-svg").first.wait_for()
        for number in range(2):
            assert "answers" not in opened.player(number).reading()
        opened.check_quiet()
        opened.player(0).press("depth", "End")
    finally:
        lab.close_pages()


@pytest.fixture
def html_manager(lab: Any, watch: Any, tmp_path: Path) -> Iterator[Any]:
    """A page with Colab's and VS Code's widget manager and a kernel, and what it sends to that."""
    npm = shutil.which("npm") or pytest.skip("npm is not installed")
    names = ["@jupyter-widgets/html-manager", "requirejs", "anywidget"]
    wanted = [*names[:2], f"anywidget@{anywidget.__version__}"]
    command = [npm, "pack", "--silent", *wanted]
    packed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if packed.returncode:
        pytest.skip(f"npm's packages are not to be had: {packed.stderr[-300:]}")
    for name, archive in zip(names, packed.stdout.split(), strict=True):
        with tarfile.open(tmp_path / archive) as files:
            files.extractall(tmp_path / name, filter="data")

    def network(route: Any) -> None:
        name, path = re.search(r"/npm/(@[^/]+/[^/]+|[^/@]+)[^/]*/(.*)", route.request.url).groups()
        route.fulfill(path=tmp_path / name / "package" / path)

    cdn = f"{lab.url}/npm/"
    scripts = [f"{names[1]}/require.js", f"{names[0]}/dist/embed-amd.js"]
    says = f'data-jupyter-widgets-cdn="{cdn}" data-jupyter-widgets-cdn-only'
    tags = [f'<script src="{cdn}{src}" {says}></script>' for src in scripts]
    with lab.browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        opened, sent = watch(context.new_page()), []
        page = opened.page
        page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
        page.route(f"{cdn}**", network)
        page.goto(f"{lab.url}/login")  # a page of the server, which may ask this machine for more
        page.set_content("".join(tags))
        page.add_script_tag(path=Path(__file__).with_name("html_manager.js"))
        page.wait_for_function("window.ready")
        page.evaluate("address => connect(address)", lab.start_kernel())
        yield opened, sent
    lab.close_pages()


@pytest.mark.browser
def test_the_widget_manager_of_colab_and_vs_code_moves_the_picture(html_manager: Any) -> None:
    opened, sent = html_manager
    page, shown = opened.page, oe.explore_trajectories()

    def run(code: str) -> str:
        return str(page.evaluate("code => run(code)", code))

    run(CELL)
    assert run("shown = _") == ""
    player = opened.player()
    player.root.locator(".main-svg").first.wait_for()
    player.check(shown.scene, shown.player.position)
    messages = len(sent)
    player.press("depth", "End")
    at = shown.player.position | player.stops()
    assert at["depth"] != shown.player.position["depth"]
    player.check(shown.scene, at)
    player.root.locator("button.oe-play").click()
    player.root.locator("button.oe-pause").wait_for()
    player.root.locator("button.oe-play").wait_for()
    assert len(sent) == messages
    # Python hears of it, moves it, and computes another picture for the controls above.
    page.evaluate("document.activeElement.blur()")
    assert run("print(shown.player.position['depth'])").strip() == str(at["depth"])
    assert run("shown.player.move(depth=0, step=3)") == ""
    player.check(shown.scene, {"depth": 0, "step": 3})
    page.get_by_role("button", name="6", exact=True).first.click()
    shown.set(p=6)
    player.check(shown.scene, {"depth": 0} | {"step": player.stops()["step"]})
    assert run("shown.player.show(oe.explore_warm_up().scene)") == ""
    warm = oe.explore_warm_up()
    player.check(warm.scene, player.stops())
    run(f"oe.ask('{QUESTION.name}')")
    page.locator(".oe-question label").nth(1).click()
    page.locator(".oe-question [data-of=B]").wait_for()
    assert "As you predicted" in run("oe.check('steps_kept', 100)")
    opened.check_quiet()


def converted() -> str:
    """Return the HTML of an executed notebook with one explorer.

    As JupyterLab and Notebook 7 save one: without the state of its widgets.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, timeout=120, store_widget_state=False).execute()
    text, _ = HTMLExporter().from_notebook_node(notebook)
    return str(text)


def test_a_page_by_nbconvert_says_what_the_picture_shows() -> None:
    explorer = oe.explore_trajectories()
    page = html.unescape(converted())
    assert describe(explorer.scene, explorer.player.position) in page
    assert explorer.scene.alt in page
    assert WIDGET not in page
    assert "Explorer(children" not in page


@pytest.mark.parametrize("make", [lambda: Player(small_scene()), oe.explore_convnet])
def test_the_words_are_beside_the_widget_and_follow_its_position(make: Any) -> None:
    shown = make()
    player = getattr(shown, "player", shown)
    texts = []
    for stop in (0, 1):
        player.move(step=stop)
        bundle = shown._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert data[WIDGET]["model_id"] == shown.model_id
        assert describe(player.scene, player.position) in data["text/plain"]
        assert player.scene.alt in data["text/plain"]
        texts.append(data["text/plain"])
    assert texts[0] != texts[1]


def test_words_are_said_once() -> None:
    axis = Axis("step", "step", [0, 1])
    bundle = Player(Scene(go.Figure(), [axis], [], alt="Nothing yet"))._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"].count("Nothing yet") == 1
