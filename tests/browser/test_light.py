"""A word of a key and what has its colour light together."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from overparam_edu.explorers.trajectories import trajectory_scene
from overparam_edu.player.page import page, piece_html, pieces

pytestmark = pytest.mark.browser

# The numbers of the lines, and the words of the keys, that are not dimmed.
LIT = """root => {
    const bright = (node) => node && getComputedStyle(node).opacity > 0.9;
    const picture = root.querySelector('.oe-picture');
    const lines = picture._fullData.filter(({ uid }) =>
        bright(picture.querySelector(`.scatterlayer .trace${uid}`)));
    const words = [...root.querySelectorAll('.annotation-text tspan')].filter(
        (node) => node.style.fill && bright(node));
    return [lines.map(({ index }) => index), words.map((node) => node.textContent)];
}"""
# Where an arrow is in the page, a little before its tip.
TIP = """(root, number) => {
    const picture = root.querySelector('.oe-picture'), box = picture.getBoundingClientRect();
    const { xaxis, yaxis } = picture._fullLayout, { x, y } = picture.data[number];
    const at = (axis, [from, to]) => axis._offset + axis.d2p(from + 0.7 * (to - from));
    return [box.left + at(xaxis, x), box.top + at(yaxis, y)];
}"""


@cache
def place(line: str) -> int:
    return trajectory_scene().place(line)


def in_blue() -> list[Any]:
    return [[place("adaptive rate"), place("rate across w")], ["→ adaptive rate", "━ across w"]]


@pytest.fixture(params=[False, True], ids=["mouse", "finger"])
def view(request: Any, saved: Any, tmp_path: Path) -> Any:
    body = "".join(piece_html(one.to_json()) for one in pieces(trajectory_scene()))
    (tmp_path / "paths.html").write_text(page("Paths", f"<main>{body}</main>"), "utf-8")
    opened = saved(tmp_path / "paths.html", has_touch=request.param)
    view = opened.player()
    view.hand = opened.page.touchscreen.tap if request.param else opened.page.mouse.move
    view.press("step", "PageUp", "PageUp", "PageUp")
    yield view
    opened.check_quiet()


def middle(view: Any, word: str) -> tuple[float, float]:
    box = view.root.locator(".annotation-text tspan", has_text=word).last.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_word_lights_its_arrow_and_its_factor_and_they_light_the_word(view: Any) -> None:
    everything = view.root.evaluate(LIT)
    view.hand(*middle(view, "across w"))
    assert view.root.evaluate(LIT) == in_blue()
    view.press("step", "ArrowRight")  # drawn anew, and still so
    assert view.root.evaluate(LIT) == in_blue()
    view.hand(*middle(view, "along w"))
    assert view.root.evaluate(LIT)[0] == [place("projection"), place("rate along w")]
    box = view.root.locator(".oe-picture").bounding_box()
    view.hand(box["x"] + 0.55 * box["width"], box["y"] + box["height"] / 2)  # between the panels
    assert view.root.evaluate(LIT) == everything
    view.hand(*view.root.evaluate(TIP, in_blue()[0][0]))
    blue = f"([root, lit]) => JSON.stringify(({LIT})(root)) === lit"
    lit = json.dumps(in_blue(), ensure_ascii=False, separators=(",", ":"))
    view.page.wait_for_function(blue, arg=[view.root.element_handle(), lit], timeout=10_000)
