"""Every explorer and board on a laptop, a phone and a projector: all seen at once, nothing cut.

A laptop shows 600 pixels of a notebook 1,035 wide beside Lab's files, in which outputs are as wide
as on a page of 957, a phone a page of 390 x 844,
the projector 1280 x 720. Picture, main slider and sentence must be on one screen, with what stands
above them; no two texts of a picture may overlap, and none may be cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
import pytest

import overparam_edu as oe
from overparam_edu.explorers.convnet import convnet_scene, recorded_convnet
from overparam_edu.explorers.derivation import derivation_scene
from overparam_edu.explorers.own_loss import EXAMPLES
from overparam_edu.player.pictures import save
from overparam_edu.player.scene import Axis, Board, Reading, Scene

pytestmark = pytest.mark.browser

# Name: width, height of the window, and the height that picture, slider and sentence may take.
SCREENS = {"laptop": (957, 646, 600), "phone": (390, 844, 844), "projector": (1280, 720, 690)}
_NAMES = sorted(name for name in oe.__all__ if name.startswith("explore_"))
PREDICTING = {full for full in _NAMES if "predict" in signature(getattr(oe, full)).parameters}
# Settings that look different, by explorer; all open with none.
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "preconditioner": {"vector": {"kind": "vector"}},
    "regression": {
        "p = 4": {"p": 4},
        "gas": {"data": "gas"},
        "AdaGrad": {"p": 4, "rival": "AdaGrad"},
    },
    "line_integral": {"polygon": {"curve": "polygon"}, "laps": {"laps": 3}},
    "own_loss": {"endless": {"example": EXAMPLES["a slope without end"]}},
    "update_rule": {"cars": {"data": "mpg4"}},
    "trajectories": {"start 0": {"start": 0}, "tuned": {"learning_rate": "tuned", "p": 2}},
    "warm_up": {"p = 4": {"p": 4}},
    "going_deeper": {"cars": {"data": "cars"}},
    "unbalanced": {"along": {"angle": 0}},
    "singular_values": {"random": {"start": "random"}},
}
NO_PROOFS = {
    "check_step",
    "find_potential",
    "rebuild_from_gradients",
    "tuned_gain",
    "warm_up_coefficients",
}
PROOFS = [name for name in oe.derivations.__all__ if name.islower() and name not in NO_PROOFS]


def _explored(name: str, **settings: Any) -> Scene:
    explorer = getattr(oe, f"explore_{name}")()
    if settings:
        explorer.set(**settings)
    scene: Scene = explorer.scene
    return scene


def _cases() -> dict[str, Callable[[], Scene]]:
    cases: dict[str, Callable[[], Scene]] = {}
    for full in _NAMES:
        name = full.removeprefix("explore_")
        if name == "derivation":
            continue
        if name == "convnet":
            cases[name] = lambda: convnet_scene(recorded_convnet())
            continue
        cases[name] = lambda name=name: _explored(name)
        if full in PREDICTING:
            cases[f"{name}, predict"] = lambda full=full: getattr(oe, full)(predict=True).scene
        for word, settings in SETTINGS.get(name, {}).items():
            cases[f"{name}, {word}"] = lambda name=name, s=settings: _explored(name, **s)
    for name in PROOFS:
        cases[f"board {name}"] = lambda name=name: derivation_scene(getattr(oe.derivations, name)())
    return cases


CASES = _cases()
# What is wrong with a player, in words, if picture, slider and sentence may be as tall as `budget`.
WRONG = """(root, budget) => {
    const wrong = [], box = (node) => node.getBoundingClientRect();
    const find = (name) => root.querySelector(`.oe-${name}`), all = (names, inside = root) => [
        ...inside.querySelectorAll(names)];
    const picture = find('picture'), board = find('board'), main = picture.hidden ? board : picture;
    const seen = (node) => node.getClientRects().length && node.textContent.trim();
    const over = (a, b, slack) =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
    const pairs = (nodes, found) => nodes.forEach((a, i) =>
        nodes.slice(i + 1).forEach((b) => found(a, b)));
    const parts = [main, find('row'), find('reading')].filter((node) => !node.hidden);
    const tall = Math.max(...parts.map((node) => box(node).bottom)) - box(find('above')).top;
    if (tall > budget) wrong.push(`${Math.round(tall)} px tall`);
    const words = '.oe-reading, .oe-label, .oe-row output, .oe-choice label, .oe-sketch p';
    for (const node of all(words)) {
        const wide = node.clientWidth && node.scrollWidth > node.clientWidth + 1;
        if (seen(node) && (wide || box(node).right > box(root).right + 1))
            wrong.push(`cut: ${node.textContent}`);
    }
    for (const label of all('.oe-label').filter((node) => seen(node) && innerWidth > 640))
        if (box(label).height > 2 * parseFloat(getComputedStyle(label).fontSize))
            wrong.push(`on two lines: ${label.textContent}`);
    for (const row of all('.oe-row').filter(seen)) {
        const cells = [...row.children].filter((node) => node.getClientRects().length);
        pairs(cells, (a, b) => over(box(a), box(b), 1)
            && wrong.push(`in a row: ${a.textContent || a.type} over ${b.textContent || b.type}`));
    }
    if (picture.hidden) return board.scrollHeight > board.clientHeight + 1
        ? [...wrong, 'the board is cut'] : wrong;
    const frame = box(picture), plots = picture._fullLayout._plots;
    // Plotly draws the text of points that lie outside of a plot, and cuts it off.
    const outside = (text) => {
        const plane = text.closest('.textpoint') && text.closest('.subplot');
        const name = plane && [...plane.classList].find((c) => plots[c]);
        if (!name) return false;
        const { _offset, _length } = plots[name].xaxis, { left, right } = box(text);
        const x = (left + right) / 2 - frame.left - _offset;
        return x < -20 || x > _length + 20;
    };
    const drawn = (text) => getComputedStyle(text).visibility !== 'hidden'
        && Number(getComputedStyle(text).opacity) > 0;
    const lines = (text) => {
        const found = all('tspan.line', text);
        return found.length ? found : [text];
    };
    const texts = all('.main-svg text', picture)
        .filter((text) => seen(text) && !outside(text) && drawn(text))
        .flatMap(lines).filter((line) => line.textContent.trim());
    // A scale has two numbers at least, and a point in a panel is drawn whole.
    for (const axis of Object.values(picture._fullLayout).filter((a) => a?._vals)) {
        const marks = axis._vals.filter(({ text }) => text).length;
        if (axis.visible && axis.showticklabels && axis.tickmode !== 'array' && marks === 1)
            wrong.push(`${marks} numbers on ${axis._name}: ${axis.title.text}`);
    }
    for (const { trace } of picture.calcdata.map(([first]) => first)) {
        if (trace.type === 'scatter' && trace.mode === 'markers' && trace.cliponaxis !== false)
            wrong.push(`may be cut: ${trace.uid}`);
    }
    const smallest = innerWidth < 640 ? 13 : 16; // 2.2 % of the projector's height
    for (const text of texts) {
        const { left, right, top, bottom } = box(text), word = text.textContent;
        const high = top < frame.top - 2 || bottom > frame.bottom + 2;
        if (high || left < frame.left - 1 || right > frame.right + 1) wrong.push(`cut: ${word}`);
        const size = parseFloat(getComputedStyle(text).fontSize);
        if (size < smallest) wrong.push(`${size} px: ${word}`);
        const { fontFamily } = getComputedStyle(text); // a page may have rules for Plotly
        if (!fontFamily.startsWith('system-ui')) wrong.push(`in ${fontFamily}: ${word}`);
    }
    pairs(texts, (a, b) =>
        over(box(a), box(b), 2.5) && wrong.push(`${a.textContent} over ${b.textContent}`));
    return wrong;
}"""


@pytest.fixture(scope="session")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what gives a case's page from the disk, made once."""
    folder = tmp_path_factory.mktemp("layout")

    @cache
    def made(case: str) -> Path:
        return save(CASES[case](), folder / f"{list(CASES).index(case)}.html")

    return made


# Where the sliders stand beside the first state: each at the same part of its way.
PLACES = {"first": None, "beginning": 0.0, "middle": 0.5, "end": 1.0}
MOVE = """(root, part) => {
    for (const row of root.querySelectorAll('[data-axis]')) {
        const inputs = [...row.querySelectorAll('input')], last = inputs.length - 1;
        if (last) inputs[Math.round(part * last)].click();
        else {
            inputs[0].value = Math.round(part * inputs[0].max);
            inputs[0].dispatchEvent(new Event('input', { bubbles: true }));
        }
    }
}"""


def _guess(view: Any) -> None:
    """Draw a level line, and see the whole picture with what is said of it."""
    box = view.root.locator(".oe-surface").bounding_box()
    level = box["y"] + box["height"] / 3
    view.page.mouse.move(box["x"] + 2, level)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + box["width"] - 2, level, steps=20)
    view.page.mouse.up()
    view.root.locator(".oe-reveal").click()
    whole = view.root.locator(".oe-all")
    if whole.is_visible():
        whole.click()
    view.root.locator(".oe-again").wait_for()


def _faults(saved: Any, path: Path, screen: str, places: dict[str, float | None]) -> list[str]:
    width, height, budget = SCREENS[screen]
    opened = saved(path, viewport={"width": width, "height": height})
    view, faults = opened.player(), []
    if view.root.locator(".oe-surface").is_visible():
        faults += [f"drawing: {fault}" for fault in view.root.evaluate(WRONG, budget)]
        _guess(view)
    for place, part in places.items():
        if part is not None:
            view.root.evaluate(MOVE, part)
        view.settle()
        faults += [f"{place}: {fault}" for fault in view.root.evaluate(WRONG, budget)]
    return faults


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("case", CASES)
def test_all_is_seen_at_once_and_nothing_is_cut(
    case: str, screen: str, page_of: Callable[[str], Path], saved: Any
) -> None:
    assert _faults(saved, page_of(case), screen, PLACES) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_explorer_is_accessible(
    saved: Any, tmp_path: Path, scheme: str, violations: Any
) -> None:
    """With its handles, guesses and boards, all on one page."""
    opens = {full: getattr(oe, full)() for full in _NAMES if full != "explore_derivation"}
    opens["explore_line_integral"].set(curve="polygon")
    shown = [*opens.values(), *(getattr(oe, full)(predict=True) for full in sorted(PREDICTING))]
    shown.append(oe.explore_derivation(oe.derivations.warm_up()))
    path = save(widgets.VBox(shown), tmp_path / "all.html", title="All explorers")
    width = 1280 if scheme == "light" else 390
    opened = saved(path, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert opened.page.locator(".oe-handle").count() > 0
    found = violations(opened.page)
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


def test_no_more_room_is_kept_than_the_longest_sentence_and_the_tallest_board_take(
    saved: Any, tmp_path: Path
) -> None:
    axis = Axis("step", "step", [1, 2], start=1)
    board = Board(["<p>one</p>", "<p>one</p><p>two</p>"], ["step"])
    reading = Reading("A sentence {more}.", {"more": (["", "and more " * 30], ["step"])})
    scene = Scene(go.Figure(go.Scatter(y=[1, 2])), [axis], [], reading, alt="A line", board=board)
    view = saved(save(scene, tmp_path / "room.html")).player()
    for part in (".oe-reading", ".oe-board"):
        kept, needed = view.root.locator(part).evaluate(
            "part => [part.offsetHeight, ((part.style.minHeight = 0), part.offsetHeight)]"
        )
        assert kept == needed > 40, part
