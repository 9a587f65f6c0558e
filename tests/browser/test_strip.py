"""Small pictures above the picture: played with it, and one of them chosen by hand."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overparam_edu.explorers.trajectories import trajectory_scene
from overparam_edu.player.frames import frame
from overparam_edu.player.page import page, piece_html, pieces
from overparam_edu.player.wire import message

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The illustration as a page, and with a guess before it."""
    folder = tmp_path_factory.mktemp("strips")
    for name, predict in (("plain", False), ("guess", True)):
        body = "".join(piece_html(p.to_json()) for p in pieces(trajectory_scene(predict=predict)))
        (folder / f"{name}.html").write_text(page("Paths", f"<main>{body}</main>"), "utf-8")
    return {path.stem: path for path in folder.glob("*.html")}


# The points of each small path, in the units of the plane.
PATHS = """root => {
    const layout = root.querySelector('.oe-picture')._fullLayout;
    return [...root.querySelectorAll('.oe-strip svg')].map((svg) =>
        [...svg.querySelector('path').getAttribute('d').matchAll(/([-\\d.]+) ([-\\d.]+)/g)].map(
            ([, x, y]) => [layout.xaxis.p2d(Number(x)), layout.yaxis.p2d(Number(y))]));
}"""


def test_every_path_is_the_one_that_its_depth_has_large(saved: Any, sheets: Any) -> None:
    scene, opened = trajectory_scene(), saved(sheets["plain"])
    view, plane = opened.player(), scene.figure.layout
    for keys, at in (((), 0), (("PageUp",) * 3, None), (("End",), len(scene.axes[1].stops) - 1)):
        view.press("step", *keys)
        at = view.stops()["step"] if at is None else at
        for stop, seen in zip(scene.strip.stops, view.root.evaluate(PATHS), strict=True):
            drawn = frame(scene, {"depth": stop, "step": at})
            true = np.transpose([drawn["path", letter] for letter in "xy"])
            assert np.shape(seen) == true.shape
            off = np.abs(seen - true).max(axis=0) / [np.ptp(plane[f"{a}axis"].range) for a in "xy"]
            assert off == pytest.approx([0, 0], abs=1e-3)  # a tenth of a pixel of 200
    opened.check_quiet()


def test_a_click_enter_and_arrows_choose_the_depth(saved: Any, sheets: Any) -> None:
    scene, opened = trajectory_scene(), saved(sheets["plain"])
    view, page = opened.player(), opened.page
    tiles = view.root.locator(".oe-strip input")
    assert view.root.locator(".oe-strip").get_attribute("role") == "radiogroup"
    names = [tile.evaluate("node => node.labels[0].innerText") for tile in tiles.all()]
    assert names == ["N = 1", "N = 1.5", "N = 2", "N = 3", "N = 4", "N = 8"]

    def chosen() -> tuple[int, list[bool]]:
        view.settle()
        return view.stops()["depth"], [tile.is_checked() for tile in tiles.all()]

    def only(which: int) -> tuple[int, list[bool]]:
        return scene.strip.stops[which], [n == which for n in range(6)]

    assert chosen() == only(3)
    view.root.locator(".oe-strip label").nth(5).click()
    assert chosen() == only(5)
    view.check(scene, view.stops())
    tiles.nth(5).focus()
    page.keyboard.press("ArrowLeft")
    assert chosen() == only(4)
    view.press("depth", "ArrowLeft")  # a depth that none of them has
    assert chosen() == (5, [False] * 6)
    tiles.nth(1).focus()
    page.keyboard.press("Enter")
    assert chosen() == only(1)


def test_contours_lie_below_the_paths(saved: Any, sheets: Any) -> None:
    view = saved(sheets["plain"]).player()
    view.page.wait_for_function(
        "() => document.querySelector('.oe-strip svg').style.backgroundImage"
    )
    every = "tiles => tiles.map((tile) => tile.style.backgroundImage)"
    [ground] = set(view.root.locator(".oe-strip svg").evaluate_all(every))
    colours = view.page.evaluate(
        """async source => {
            const image = new Image(), canvas = document.createElement('canvas');
            image.src = source;
            await image.decode();
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, 200, 140), seen = new Set();
            for (let n = 0; n < data.length; n += 4) seen.add(data.slice(n, n + 4).join());
            return seen.size;
        }""",
        re.findall(r'url\("(data:image/png[^"]+)"\)', ground)[0],
    )
    assert colours > 8  # bands of loss, not an empty square


def test_no_path_is_seen_before_the_guess(saved: Any, sheets: Any) -> None:
    opened = saved(sheets["guess"])
    root = opened.player().root
    assert not root.locator(".oe-strip").is_visible()
    root.locator(".oe-skip").click()
    root.locator(".oe-strip").wait_for()
    opened.player().settle()
    assert all(root.evaluate(PATHS))  # the start, at least


def test_a_phone_folds_them_away_and_they_come_back(saved: Any, sheets: Any) -> None:
    opened = saved(sheets["plain"], viewport={"width": 390, "height": 844})
    root = opened.player().root
    assert root.locator("summary").inner_text() == "More: depth N, side by side"
    assert not root.locator(".oe-strip").is_visible()
    root.locator("summary").click()
    boxes = [svg.bounding_box() for svg in root.locator(".oe-strip svg").all()]
    assert [len({box[side] for box in boxes}) for side in "xy"] == [3, 2]
    root.locator(".oe-strip label").nth(0).click()
    opened.player().settle()
    assert opened.player().stops()["depth"] == 0
    opened.page.set_viewport_size({"width": 1035, "height": 646})
    root.locator(".oe-above .oe-strip").wait_for()
    assert not root.locator("summary").is_visible()


# Hold back what Plotly has drawn until the next scene has come, and its numbers have not.
OVERTAKE = """async ([spec, buffer, position]) => {
    const { player } = document.querySelector('.piece'), library = player.Plotly;
    const frame = () => new Promise(requestAnimationFrame);
    let draws = false, go;
    const gate = new Promise(done => (go = done));
    const held = name => async (...all) => (await library[name](...all), draws = true, await gate);
    const names = ['react', 'update', 'animate'];
    player.Plotly = { ...library, ...Object.fromEntries(names.map(name => [name, held(name)])) };
    player.move(position);
    while (!draws) await frame();
    player.Plotly = library;
    player.show(spec, Uint8Array.from(atob(buffer), letter => letter.charCodeAt(0)));
    go();
    while (player.busy || !player.floats) await frame();
}"""


def test_a_scene_may_come_while_the_one_before_is_being_drawn(saved: Any, sheets: Any) -> None:
    opened = saved(sheets["plain"])
    for p, position in ((6, {"step": 3}), (3, {"depth": 1})):
        scene = trajectory_scene(p=p)
        sent = message(scene)
        buffer = base64.b64encode(sent["buffer"]).decode()
        opened.page.evaluate(OVERTAKE, [sent["spec"], buffer, position])
        opened.player().check(scene, opened.player().stops())
    opened.check_quiet()
