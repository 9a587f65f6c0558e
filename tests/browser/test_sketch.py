"""Predictions drawn into a picture: by mouse, finger and keys, in pages and in JupyterLab."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from overparam_edu.classroom.progress import FILE
from overparam_edu.player.page import page, piece_html, pieces
from overparam_edu.player.scene import Axis, Reading, Scene, Sketch, Track

pytestmark = pytest.mark.browser

LAPTOP = {"viewport": {"width": 1035, "height": 646}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PROJECTOR = {"viewport": {"width": 1280, "height": 720}}
STEPS = np.geomspace(1, 1000, 40)
LEVEL = 1e-2
# At depth N the loss is step ** -N, which arrives at 100 for depth 1 and at 10 for depth 2.
LOSSES = STEPS ** -np.array([[1.0], [2.0]])


def race() -> Scene:
    """Return a scene with a plane on the left, and a race on the right to be predicted."""
    figure = go.Figure()
    for name, axis in (("path", ""), ("one", "2"), ("loss", "2")):
        figure.add_scatter(uid=name, mode="lines", xaxis=f"x{axis}", yaxis=f"y{axis}")
    log = {"type": "log", "anchor": "y2", "range": [-6.2, 0.2]}
    figure.update_layout(
        xaxis={"domain": [0, 0.45], "range": [0, 1]},
        yaxis={"range": [0, 1]},
        xaxis2=log | {"domain": [0.6, 1], "range": [0, 3]},
        yaxis2=log | {"anchor": "x2"},
        margin={"l": 50, "r": 10},
        showlegend=False,
    )
    figure.add_annotation(text="the plane", x=0, y=1, xref="paper", yref="paper")
    tracks = [
        Track(name, letter, values, axes, trail="step")
        for name, y, lead in (
            ("path", LOSSES, ["depth"]),
            ("one", LOSSES[0], []),
            ("loss", LOSSES, ["depth"]),
        )
        for letter, values, axes in (("x", STEPS, ["step"]), ("y", y, [*lead, "step"]))
    ]
    return Scene(
        figure,
        [Axis("depth", "depth N", [1, 2], start=1), Axis("step", "iteration", STEPS, play=True)],
        tracks,
        Reading("Depth {depth} arrives at {when}.", {"when": ([100, 10], ["depth"])}),
        alt="A race",
        sketch=Sketch(
            "race",
            "loss",
            along="step",
            asks="Draw the loss of depth {depth}.",
            of="loss",
            whole=["one"],
            arrival=([LEVEL] * 2, [100, 10], ["depth"]),
        ),
    )


def waits() -> Scene:
    """Return a scene of a wait for each depth; the deepest never moves."""
    figure = go.Figure(go.Scatter(uid="wait", x=[2, 3, 4], y=[10, 100, 3000], mode="lines+markers"))
    figure.update_layout(
        xaxis={"range": [1.5, 4.5], "title": "depth N"}, yaxis={"type": "log", "range": [0, 4]}
    )
    sketch = Sketch(
        "waits", "wait", along="step", asks="When?", of="wait", hidden=["wait"], never=2000
    )
    return Scene(figure, [Axis("step", "iteration", [0, 1], play=True)], [], sketch=sketch)


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages with a sketch in each, and what is to be found folded after it."""
    folder = tmp_path_factory.mktemp("sketches")
    found = "<details><summary>What to find</summary><p>It falls.</p></details>"
    for scene in (race(), waits()):
        picture = "".join(piece_html(piece.to_json()) for piece in pieces(scene))
        body = f"<main><h1>Guess</h1>{picture}{found}</main>"
        (folder / f"{scene.sketch.name}.html").write_text(page("Guess", body), "utf-8")
    return {path.stem: path for path in folder.glob("*.html")}


class Drawing:
    """A player that asks for a guess."""

    def __init__(self, page: Any) -> None:
        self.page, self.root = page, page.locator(".oe-player").first
        self.surface, self.words = (
            self.root.locator(".oe-surface"),
            self.root.locator(".oe-sketch p"),
        )
        self.surface.wait_for(state="attached")
        page.wait_for_function("() => document.querySelector('.oe-surface').style.width")

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where in the page a part of the panel's width and height is."""
        box = self.surface.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def stroke(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.place(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(*point), steps=10)
        self.page.mouse.up()

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name).click()

    def seen(self, *parts: str) -> list[str]:
        """Return which of these parts of the player are seen."""
        return [part for part in parts if self.root.locator(part).first.is_visible()]

    def guess(self, name: str) -> Any:
        return json.loads(
            self.page.evaluate(f"localStorage['overparam-edu sketch {name}'] ?? null")
        )

    def drawn(self) -> int:
        """Return how many places of the curve are drawn."""
        points = self.root.locator(".oe-drawn polyline")
        return len(points.get_attribute("points").split()) if points.count() else 0

    def verdict(self) -> str:
        self.root.get_by_role("button", name="Draw again").wait_for(timeout=20_000)
        return str(self.words.inner_text())


# Moves the slider that plays to its end, where the focus stays.
TO_THE_END = """() => {
    const slider = document.querySelector('[data-axis=step] input');
    slider.value = slider.max;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
}"""
KEPT_BACK = (".oe-reading", "[data-axis=step]")


@pytest.mark.parametrize("view", [LAPTOP, PHONE, PROJECTOR], ids=["laptop", "phone", "projector"])
def test_a_curve_is_drawn_revealed_and_judged(saved: Any, sheets: Any, view: Any) -> None:
    opened = saved(sheets["race"], **view)
    one = Drawing(opened.page)
    assert one.words.inner_text() == "Draw the loss of depth 2."
    assert one.seen(*KEPT_BACK) == []  # nothing gives the answer away
    assert "arrives at 10" not in one.page.get_by_role("main").aria_snapshot()
    assert one.root.get_by_role("button", name="Reveal").is_disabled()
    wide = one.surface.bounding_box()["width"]
    assert wide > 0.7 * one.root.bounding_box()["width"]  # the picture is the panel's alone
    # Drawn as 1 / step, where the run is 1 / step ** 2: off by step, at 47 places beside the first,
    # which is given: 10 ** (3 * mean of 1 / 47, ..., 1) = 34.
    one.stroke((0, 0.2 / 6.4), (1, (0.2 + 3) / 6.4))
    assert one.drawn() == 48
    one.press("Reveal")
    assert one.root.get_by_role("button", name="Pause iteration").is_visible()
    assert one.verdict() == (
        "Your curve is off by a factor of 34 on average, mostly too high. "
        "The run arrives at 10, yours at 100: too late by a factor of 10."
    )
    assert one.seen(*KEPT_BACK) == list(KEPT_BACK)
    assert one.page.get_by_text("It falls.").is_visible()  # what to find
    one.press("Whole picture")
    one.page.wait_for_function(f"() => document.querySelector('.oe-drawn').clientWidth < {wide}")
    assert one.drawn() == 48  # the guess stays, in its panel
    one.press("Draw again")
    assert one.drawn() == 0
    opened.check_quiet()


def test_how_far_off_is_the_mean_factor_of_what_was_drawn(saved: Any, sheets: Any) -> None:
    one = Drawing(saved(sheets["race"], **LAPTOP).page)
    one.stroke((0.1, 0.3), (0.3, 0.2), (0.55, 0.9))
    one.press("Reveal")
    said = one.verdict()
    x, drawn, true = np.array(one.guess("race")["points"]).T
    np.testing.assert_allclose(
        np.interp(np.log(x), np.log(STEPS), np.log(LOSSES[1])), np.log(true), atol=0.01
    )
    assert x[-1] < 10 ** (3 * 0.57)  # nothing is compared beyond what was drawn
    off = 10 ** np.abs(np.log10(drawn / true))[1:].mean()
    assert f"off by a factor of {float(f'{off:.2g}'):g} on average" in said
    above = np.flatnonzero(drawn > LEVEL)[-1]
    line = np.interp(
        -math.log(LEVEL), -np.log(drawn[above : above + 2]), np.log(x[above : above + 2])
    )
    assert f"yours at {round(math.exp(line))}" in said


def test_a_finger_draws_and_does_not_scroll(saved: Any, sheets: Any) -> None:
    one = Drawing(saved(sheets["race"], **PHONE).page)
    touch = one.page.context.new_cdp_session(one.page)
    points = [(0.02 + t, 0.05 + 0.5 * t) for t in np.linspace(0, 0.9, 12)]
    for n, point in enumerate(points):
        x, y = one.place(*point)
        kind = "touchMove" if n else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    one.page.wait_for_timeout(1000)  # a tap at once would end the fling, and click nothing
    assert one.page.evaluate("scrollY") == 0
    assert one.drawn() > 40
    one.root.get_by_role("button", name="Reveal").tap()
    assert "The run arrives at 10" in one.verdict()


def test_keys_draw_lift_and_reveal(saved: Any, sheets: Any, violations: Any) -> None:
    page = saved(sheets["race"], **LAPTOP, reduced_motion="reduce").page
    one = Drawing(page)
    pen = page.get_by_role("slider", name="Your loss")
    pen.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert one.drawn() == 21
    assert pen.get_attribute("aria-valuetext") == "iteration 19: loss 1"
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")  # 8 % lower on an axis of 6.4 decades
    assert pen.get_attribute("aria-valuetext") == f"iteration 19: loss {10 ** (-0.08 * 6.4):.3g}"
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")  # and all that is to the right of it
    ys = [
        float(pair.split(",")[1])
        for pair in one.root.locator("polyline").get_attribute("points").split()
    ]
    assert ys[14] < ys[15] == pytest.approx(ys[19], abs=0.1)
    page.keyboard.press("Enter")
    assert one.root.get_by_role("button", name="Pause iteration").is_visible()
    page.evaluate(TO_THE_END)  # and no key, which would take the focus
    assert "yours does not" in one.verdict()
    assert page.evaluate("document.activeElement.textContent") == "Whole picture"
    found = violations(page)
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


@pytest.mark.parametrize("name", ["race", "waits"])
def test_it_is_accessible_while_it_asks(
    saved: Any, sheets: Any, name: str, violations: Any
) -> None:
    one = Drawing(saved(sheets[name], **LAPTOP).page)
    found = violations(one.page)
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []


def test_escape_skips(saved: Any, sheets: Any) -> None:
    one = Drawing(saved(sheets["race"], **LAPTOP).page)
    one.page.mouse.move(*one.place(0.5, 0.5))  # nothing has the focus
    one.page.keyboard.press("Escape")
    one.root.locator(".oe-reading").wait_for()
    assert one.words.inner_text() == ""
    assert one.seen(*KEPT_BACK) == list(KEPT_BACK)
    assert one.page.evaluate("localStorage.length") == 0
    assert one.page.get_by_text("It falls.").is_visible()
    one.press("Draw this one")
    assert one.seen(*KEPT_BACK) == []


def test_a_page_keeps_the_guess_with_its_curve(saved: Any, sheets: Any) -> None:
    page = saved(sheets["race"], **LAPTOP).page
    one = Drawing(page)
    one.stroke((0.01, 0.02), (0.99, 0.98))
    one.press("Reveal")
    one.root.locator("[data-axis=step] input").press("End")  # without the whole run
    said = one.verdict()
    page.reload()
    one = Drawing(page)
    assert (one.verdict(), one.drawn()) == (said, 48)
    one.root.locator("[data-axis=depth] input").focus()
    page.keyboard.press("ArrowLeft")  # another depth has another truth
    page.wait_for_function("() => !document.querySelector('.oe-drawn polyline')")
    assert one.words.inner_text() == "What you drew is at depth N = 2."
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.oe-drawn polyline')")
    page.evaluate("localStorage['overparam-edu sketch race'] = '{'")  # cut short
    page.reload()
    assert Drawing(page).words.inner_text() == "Draw the loss of depth 2."


# How many points are seen of the traces "one", which may be known, and "loss", which is not yet.
SEEN = "() => [1, 2].map((n) => document.querySelector('.oe-picture').data[n].x.length)"
NO_GUESSES = [None, {}, 5, {"at": None, "points": [[1, 1, 1]]}]
NO_GUESSES += [{"at": {"depth": 1}, "points": points} for points in (5, [], [[1, 1]])]


def test_the_answer_is_not_seen_wherever_the_slider_is(saved: Any, sheets: Any) -> None:
    one = Drawing(saved(sheets["race"], **LAPTOP).page)
    player = "document.querySelector('.piece').player"
    frames = f"({player}).root.dataset.frames"
    before = one.page.evaluate(frames)
    one.page.evaluate(f"{player}.move({{ step: 30 }})")  # as another view of it or Python does
    one.page.wait_for_function(f"() => {frames} !== '{before}'")
    assert one.page.evaluate(SEEN) == [40, 1]
    one.page.evaluate(f"({player}.drawn = null, {player}.settle())")  # drawn again from nothing
    one.page.wait_for_function(f"() => !{player}.busy")
    assert one.page.evaluate(SEEN) == [40, 1]
    one.press("Skip")
    one.page.wait_for_function(f"() => {player}.drawn && !{player}.busy")
    assert one.page.evaluate(SEEN) == [31, 31]
    told = "({ at: null, rests: 0 })"
    one.page.evaluate(
        f"() => {{ window.told = {told};"
        f" {player}.onPosition = (at) => {{ told.at = at.step; }};"
        f" {player}.onRest = () => {{ told.rests += 1; }}; }}"
    )
    one.press("Draw this one")  # which moves the run for all who see it
    assert one.page.evaluate("told.at") == 0
    assert one.page.evaluate("told.rests") > 0


def test_what_is_no_guess_is_no_guess(saved: Any, sheets: Any) -> None:
    opened = saved(sheets["race"], **LAPTOP)
    Drawing(opened.page)
    phases = opened.page.evaluate(
        """kept => kept.map((guess) => {
            const { sketch } = document.querySelector('.piece').player;
            Object.assign(sketch, { name: null, guesses: () => guess });
            sketch.adopt();
            sketch.refresh();
            return sketch.phase;
        })""",
        NO_GUESSES,
    )
    assert phases == ["drawing"] * len(NO_GUESSES)
    opened.check_quiet()


@pytest.mark.parametrize("view", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_wait_is_set_for_each_depth(saved: Any, sheets: Any, view: Any) -> None:
    one = Drawing(saved(sheets["waits"], **view).page)
    opacity = "() => document.querySelector('.oe-picture')._fullData[0].opacity"
    assert one.page.evaluate(opacity) == 0
    for depth, wait in ((2, 100), (3, 10), (4, 100)):  # 10 times too long, 10 times too short
        x, y = one.place((depth - 1.5) / 3, 1 - math.log10(wait) / 4)
        one.page.touchscreen.tap(x, y) if view is PHONE else one.page.mouse.click(x, y)
    one.press("Reveal")
    assert one.verdict() == (
        "Your guess is off by a factor of 10 on average. "
        "At depth 4 the true answer is never: you did not say so."
    )
    assert one.page.evaluate(opacity) == 1


# With a file beside the notebook, as students have it; tests else keep nothing.
CELLS = (
    'import os\nos.environ.pop("OVERPARAM_EDU_PROGRESS", None)\nimport overparam_edu as oe',
    "oe.explore_trajectories(predict=True)",
)


def test_lab_keeps_the_guess_with_the_progress(lab: Any) -> None:
    kept = lab.work / FILE
    kept.unlink(missing_ok=True)
    opened = lab.run_cells(*CELLS)
    one = Drawing(opened.page)
    one.stroke((0, 0.05), (0.9, 0.95))
    opened.screenshot("sketch-lab")
    one.surface.focus()
    opened.page.keyboard.press("Enter")  # which Lab would take for itself
    said = one.verdict()
    assert "The run arrives at 507" in said
    assert opened.run("print([*oe.progress().sketches])").strip() == "['trajectories']"
    (line,) = [json.loads(line) for line in kept.read_text("utf-8").split("\n") if line]
    assert line["sketch"] == "trajectories"
    assert line["drawn"]["at"] == {"depth": 4}
    opened.check_quiet()
    again = Drawing(lab.run_cells(*CELLS).page)
    assert again.verdict() == said
