"""The line integral as a widget: every setting, and whether what it shows and says is true."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import numpy as np
import pytest

from overparam_edu import curl, line_integral, single_output_direction, work
from overparam_edu.explorers.line_integral import (
    CORNERS,
    DEPTHS,
    LOSSES,
    InPlane,
    explore_line_integral,
    line_integral_scene,
)
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import message

SQUARE = ((0.3, -0.5), (1.1, -0.3), (1.0, 0.6), (0.1, 0.7))
CURVES = ({}, {"radii": (0.05, 1.5)}, {"corners": SQUARE}, {"corners": CORNERS})
SETTINGS = [
    *({"loss": loss, **curve} for loss, curve in itertools.product(LOSSES, CURVES)),
    {"laps": 3},
    {"laps": 3, "corners": SQUARE[:3], "angle": 90},
    {"angle": 60, "loss": "stretched"},
    {"field": "control"},
    {"field": "control", "corners": SQUARE},
]


def within(loss: str, angle: float = 0.0) -> InPlane:
    slope = LOSSES[loss][0].gradient(np.zeros(3))
    e, turn = slope / np.linalg.norm(slope), np.radians(angle)
    across = [-e[1] * np.cos(turn), e[0] * np.cos(turn), np.sin(turn)]
    return InPlane(LOSSES[loss][0], np.array([e, across]))


def in_bold(scene: Scene, depth: int) -> list[float]:
    """Return the numbers in bold below the picture."""
    bold = re.findall(r"<b>(−?[\d.]+)</b>", np.asarray(scene.board.values)[depth])
    return [float(text.replace("−", "-")) for text in bold]


def positions(scene: Scene) -> list[dict[str, int]]:
    """Return the four corners, and two positions within."""
    depths, stops = (len(axis.stops) - 1 for axis in scene.axes[:2])
    corners = itertools.product((0, depths), (0, stops))
    return [{"depth": d, "walk": w} for d, w in [*corners, (4, 17), (8, 50)]]


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_what_is_drawn_is_the_rules_work(setting: dict[str, Any]) -> None:
    scene = line_integral_scene(**setting)
    loss = within(setting.get("loss", "p4"), setting.get("angle", 0.0))
    control, laps = setting.get("field") == "control", setting.get("laps", 1)
    if corners := setting.get("corners"):
        loop = work(loss, DEPTHS, corners, control=control)
    else:
        loop = line_integral(loss, DEPTHS, *setting.get("radii", (0.2, 1.0)), control=control)
    close = {"rtol": 1e-5, "atol": 1e-6 * np.abs(loop.segments).max()}
    for at in positions(scene):
        drawn, d = frame(scene, at), at["depth"]
        assert all(math.isfinite(x) for t in ("walk", "here") for a in "xy" for x in drawn[t, a])
        bars = np.array(drawn["adaptive rate", "y"]) + drawn["projection", "y"]
        np.testing.assert_allclose(bars, [*loop.segments[d], loop.total[d]], **close)
        np.testing.assert_allclose(drawn["lap", "y"][-1], laps * loop.total[d], **close)
        assert drawn["now", "y"] == drawn["work", "y"][-1:]
        assert drawn["here", "x"] == drawn["walk", "x"][-1:]
        assert len(drawn["walk", "x"]) == len(drawn["work", "x"]) == at["walk"] + 1
        low, high = drawn[None, "yaxis2.range"]
        assert low <= min(drawn["lap", "y"]) < max(drawn["lap", "y"]) <= high
        low, high = drawn[None, "yaxis3.range"]
        assert low < min(bars.min(), 0)
        assert max(drawn["sum", "y"]) < high


def test_the_walk_adds_up_the_work_on_the_way() -> None:
    scene = line_integral_scene(corners=SQUARE)
    drawn = frame(scene, {"depth": 8, "walk": len(scene.axes[1].stops) - 1})
    points = np.stack([drawn["walk", "x"], drawn["walk", "y"]], axis=1)
    loss = within("p4")
    middle, step = (points[1:] + points[:-1]) / 2, np.diff(points, axis=0)
    field = single_output_direction(middle, loss.gradient(middle), DEPTHS[8])
    by_midpoints = np.concatenate([[0], (field * step).sum(axis=1).cumsum()])
    np.testing.assert_allclose(drawn["work", "y"], by_midpoints, atol=0.01)
    ways = np.linalg.norm(step, axis=1).cumsum()
    np.testing.assert_allclose(drawn["work", "x"][1:], ways / ways[-1], rtol=1e-5)


def test_the_arcs_have_no_projection_and_at_depth_1_nothing_has() -> None:
    scene = line_integral_scene()
    for depth in range(len(DEPTHS)):
        bars = frame(scene, {"depth": depth})["projection", "y"]
        assert np.abs(bars)[[1, 3]].max() < 1e-12
        assert (np.abs(bars)[[0, 2]].min() > 1e-4) == (DEPTHS[depth] > 1)


def test_the_colours_are_the_signs_of_the_curl_and_the_arrows_the_field() -> None:
    scene = line_integral_scene(loss="stretched", angle=30)
    grid = scene.figure.data[scene.place("curl")]
    points = np.stack(np.meshgrid(grid.x, grid.y), axis=-1)
    loss = within("stretched", 30)
    for depth in (3, 8, 20):
        drawn = frame(scene, {"depth": depth})
        colours, values = np.array(drawn["curl", "z"]), curl(loss, DEPTHS[depth], points)
        visible = np.abs(colours) > 1e-3
        assert visible.mean() > 0.9
        assert np.all(np.sign(colours[visible]) == np.sign(values[visible]))
        tails, tips = (np.array([drawn["field", a][i::3] for a in "xy"], float).T for i in (0, 1))
        field = single_output_direction(tails, loss.gradient(tails), DEPTHS[depth])
        lengths = np.linalg.norm(tips - tails, axis=1) * np.linalg.norm(field, axis=1)
        along = ((tips - tails) * field).sum(axis=1)
        np.testing.assert_allclose(along, lengths, rtol=1e-3)
    for setting, depth in (({"loss": "round"}, 4), ({"field": "control"}, 8)):
        colours = frame(line_integral_scene(**setting), {"depth": depth})["curl", "z"]
        assert np.abs(colours).max() < 1e-6


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_in_space_the_height_is_the_work_and_only_a_gradients_walk_closes(
    setting: dict[str, Any],
) -> None:
    scene = line_integral_scene(**setting)
    for at in positions(scene):
        drawn = frame(scene, at | {"view": 1})
        stop, heights = at["walk"], drawn["staircase", "z"]
        assert heights == drawn["lap", "y"]
        assert drawn["climb", "z"] == drawn["work", "y"] == heights[: stop + 1]
        assert [drawn["climb", a] for a in "xy"] == [drawn["walk", a] for a in "xy"]
        for a in "xy":  # the foot of the height is the point on the flat picture
            assert drawn["foot", a] == drawn["top", a] == drawn["here", a]
        assert drawn["top", "z"] == drawn["now", "y"]
        assert drawn["gained", "z"] == [heights[0], heights[-1]]
        low, high = drawn[None, "scene.zaxis.range"]
        assert low < min(heights) <= max(heights) < high
        closed, N = heights[-1] == 0, DEPTHS[at["depth"]]
        assert closed == ("no function" not in describe(scene, at))
        if setting.get("field") == "control" or N in LOSSES[setting.get("loss", "p4")][1]:
            assert closed


def test_each_view_has_its_own_traces_axes_and_words() -> None:
    scene = line_integral_scene(corners=SQUARE)
    seen = [
        {key for key, value in frame(scene, {"view": view}).items() if value is False}
        for view in (0, 1)
    ]
    space = {one.uid for one in scene.figure.data if one.type == "scatter3d"}
    left = {"curl", "field", "curve", "walk", "here", *(f"corner {c}" for c in "ABCD")}
    assert seen[0] == {(name, "visible") for name in space}
    assert seen[1] >= {(name, "visible") for name in left} | {(None, "xaxis.visible")}
    words = scene.figure.layout.annotations
    hidden = {int(path[12:-9]) for trace, path in seen[1] if path.startswith("annotations")}
    assert {words[n].text for n in hidden} == {words[0].text}
    gamma = line_integral_scene()
    hidden = [path for path, value in frame(gamma, {"view": 1}).items() if value is False]
    assert sum("annotations" in path for _, path in hidden) == 5  # its key, and four pieces


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_sentence_says_what_the_loop_says_and_no_more(setting: dict[str, Any]) -> None:
    scene = line_integral_scene(**setting)
    loss = setting.get("loss", "p4")
    for depth, N in enumerate(DEPTHS):
        words = describe(scene, {"depth": depth, "walk": 0})
        total = frame(scene, {"depth": depth})["lap", "y"][-1]
        gradient = setting.get("field") == "control" or N in LOSSES[loss][1]
        if gradient:
            assert "0 up to rounding" in words
            assert total == 0
            assert "no function" not in words
        else:
            # A loop of 0 is said to prove nothing: every loss has its own exceptions.
            assert ("no function has this gradient" in words) == (total != 0)
            assert ("does not tell" in words) == (total == 0)
        assert ("after 3" in words) == (setting.get("laps") == 3 and total != 0)


def test_quadrature_stands_beside_the_closed_form() -> None:
    loss = within("p4")
    loop = line_integral(loss, DEPTHS, 0.2, 1.0)
    for n in range(len(DEPTHS)):
        expected = [loop.total[n], loop.closed_form[n]]
        assert in_bold(line_integral_scene(), n) == pytest.approx(expected, abs=1e-13)
    own = line_integral_scene(corners=SQUARE)
    assert in_bold(own, 8) == pytest.approx([work(loss, 3, SQUARE).total], abs=1e-13)


def test_the_theorems_curve_goes_straight_and_round() -> None:
    drawn = frame(line_integral_scene((0.3, 1.2)), {"walk": 96})
    radius = np.hypot(drawn["walk", "x"], drawn["walk", "y"])
    np.testing.assert_allclose(radius[24:49], 0.3, rtol=1e-5)
    np.testing.assert_allclose(radius[72:], 1.2, rtol=1e-5)
    assert np.abs(drawn["walk", "y"])[[*range(25), *range(48, 73)]].max() < 1e-6


# --- the controls ---


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_line_integral()


def visible(explorer: Explorer) -> set[str]:
    shown = {name for name, c in explorer.controls.items() if c.layout.display is None}
    return {name for name in shown if len(name) == 2}


def test_only_the_controls_of_the_chosen_curve_are_seen(explorer: Explorer) -> None:
    explorer.reset()
    assert explorer.controls["radii"].layout.display is None
    assert visible(explorer) == set()
    explorer.set(curve="polygon", corners=3)
    assert explorer.controls["radii"].layout.display == "none"
    assert visible(explorer) == {"ax", "ay", "bx", "by", "cx", "cy"}
    assert [handle.trace for handle in explorer.scene.handles] == [f"corner {c}" for c in "ABC"]
    explorer.set(corners=5)
    assert "ey" in visible(explorer)
    assert len(explorer.scene.handles) == 5


def drag(explorer: Explorer, handle: str, place: list[float], number: int = 1) -> None:
    """Tell the explorer what was dragged, as its page does."""
    content = {"kind": "edited", "author": "page", "number": number}
    explorer.player._handle_custom_msg(content | {"handle": handle, "place": place}, [])


def test_the_same_drag_twice_counts_twice(explorer: Explorer) -> None:
    for number in (1, 2):
        explorer.reset()
        explorer.set(curve="polygon")
        drag(explorer, "corner B", [0.8, 0.1], number)
        assert (explorer.values["bx"], explorer.values["by"]) == (0.8, 0.1)
        assert explorer.player._drawn["edit"] == ["page", number]  # the page asks for the next


def test_a_dragged_corner_moves_the_fields_and_the_work(explorer: Explorer) -> None:
    explorer.reset()
    explorer.set(curve="polygon")
    before = describe(explorer.scene, {})
    drag(explorer, "corner B", [0.8049, -7.0])
    assert explorer.values["bx"] == 0.8
    assert explorer.values["by"] == -0.9  # the edge of the picture
    assert describe(explorer.scene, {}) != before
    assert explorer.scene.place_of(explorer.scene.handles[1]) == (0.8, -0.9)
    moved = work(within("p4"), 3, [SQUARE[0], (0.8, -0.9), *SQUARE[2:]]).total
    assert in_bold(explorer.scene, 8) == [pytest.approx(moved, abs=1e-12)]
    explorer.controls["bx"].value = 0.9  # by keyboard
    assert explorer.scene.place_of(explorer.scene.handles[1]) == (0.9, -0.9)


def test_a_corner_that_has_gone_is_answered_all_the_same(explorer: Explorer) -> None:
    explorer.reset()
    drag(explorer, "corner B", [0.8, 0.1], 7)  # it was dragged while the curve changed
    assert explorer.values["bx"] == CORNERS[1][0]
    assert explorer.player._drawn["edit"] == ["page", 7]


def test_a_corner_outside_is_refused_in_words(explorer: Explorer) -> None:
    explorer.reset()
    explorer.set(curve="polygon")
    explorer.controls["cy"].value = 3.0
    assert "corner C must be in [-1.4, 1.4] and [-0.9, 0.9]; got (1, 3)" in explorer.trouble
    explorer.controls["cy"].value = 0.5
    assert explorer.trouble == ""


@pytest.mark.parametrize(
    ("change", "error", "name"),
    [
        ({"loss": "cubic"}, ValueError, "loss"),
        ({"field": "curl"}, ValueError, "field"),
        ({"laps": 4}, ValueError, "laps"),
        ({"angle": math.inf}, ValueError, "angle"),
        ({"radii": (1.0, 0.5)}, ValueError, "inner_radius"),
        ({"radii": (0.0, 0.5)}, ValueError, "inner_radius"),
        ({"corners": ((0.1, 0.1),) * 3}, ValueError, "corners"),
        ({"corners": ((0.1, 0.1), (2.0, 0.0), (0.0, 0.5))}, ValueError, "corner B"),
        ({"corners": ((0.1, math.nan), (1.0, 0.0), (0.0, 0.5))}, ValueError, "corner A"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], error: type, name: str) -> None:
    with pytest.raises(error, match=name):
        line_integral_scene(**change)


@pytest.mark.parametrize("setting", [{}, {"laps": 3}, {"corners": CORNERS}], ids=str)
def test_a_scene_fits_into_100_kilobytes(setting: dict[str, Any]) -> None:
    sent = message(line_integral_scene(**setting))
    assert len(json.dumps(sent["spec"])) + len(sent["buffer"]) < 100_000
