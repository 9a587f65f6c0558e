"""What is declared of a prediction, and what of it travels to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

import overparam_edu as oe
from overparam_edu.classroom.progress import Progress, read
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Scene, Sketch, Track
from overparam_edu.player.wire import message, unpacked

GIVEN: dict[str, Any] = {
    "name": "fall",
    "trace": "loss",
    "along": "step",
    "asks": "Draw depth {depth}.",
    "of": "loss",
    "arrival": ([0.5, 0.5], [2.0, np.inf], ["depth"]),
}
LOSSES = np.array([[1.0, 0.6, 0.4], [1.0, 0.9, 0.8]])


def scene(**change: Any) -> Scene:
    figure = go.Figure([go.Scatter(uid="loss"), go.Scatter(uid="wait", x=[2, 3], y=[10.0, 30.0])])
    tracks = [
        Track("loss", "x", [1, 2, 3], ["step"], trail="step"),
        Track("loss", "y", LOSSES, ["depth", "step"], trail="step"),
    ]
    axes = [Axis("depth", "depth N", [1, 2]), Axis("step", "step", [0, 1, 2], play=True)]
    return Scene(figure, axes, tracks, sketch=Sketch(**GIVEN | change))


def numbers(sent: dict[str, Any], item: dict[str, Any]) -> Any:
    every = np.frombuffer(unpacked(sent["buffer"]), "<f4")
    return every[item["offset"] : item["offset"] + item["length"]].reshape(item["shape"])


def test_the_truth_travels_as_whole_curves_and_costs_no_byte_more() -> None:
    made = scene(arrival=None)
    sent, bare = message(made), message(Scene(made.figure, made.axes, made.tracks))
    assert sent["buffer"] == bare["buffer"]
    truth = sent["spec"]["sketch"]
    assert (truth["y"]["axes"], truth["x"]["axes"]) == (["depth"], [])
    np.testing.assert_array_equal(numbers(sent, truth["y"]), LOSSES.astype("f4"))
    assert truth["points"] is False
    sent = message(scene())
    arrival = sent["spec"]["sketch"]["arrival"]
    assert numbers(sent, arrival["steps"]).tolist() == [2, np.inf]


def test_points_that_stand_still_are_a_truth_as_well() -> None:
    sent = message(scene(trace="wait", never=20.0))
    truth = sent["spec"]["sketch"]
    assert (truth["points"], truth["never"], truth["trace"]) == (True, 20.0, 1)
    assert [numbers(sent, truth[letter]).tolist() for letter in "xy"] == [[2, 3], [10, 30]]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"trace": "los"}, "trace must be the name of one trace"),
        ({"whole": ["los"]}, "trace must be the name of one trace"),
        ({"along": "time"}, "sketch must be one of"),
        ({"asks": "Draw {width}."}, "sketch must be one of"),
        ({"asks": ""}, "asks must be a text"),
        ({"arrival": ([1], [1], ["depth"])}, "sketch.arrival must have 2 entries"),
    ],
)
def test_what_is_no_sketch_is_refused(change: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        scene(**change)


def test_a_guess_is_known_by_its_name_and_kept() -> None:
    player, kept = Player(scene()), []
    player.keep_guesses({"fall": {"at": {}, "points": []}}, lambda *new: kept.append(new))
    assert player._guesses == {"fall": {"at": {}, "points": []}}
    player._answer(None, {"kind": "guessed", "name": "fall", "guess": {"at": {"depth": 1}}}, [])
    assert player._guesses == {"fall": {"at": {"depth": 1}}}
    assert kept == [("fall", {"at": {"depth": 1}})]


@pytest.mark.parametrize("name", ["regression", "trajectories", "going_deeper"])
def test_lessons_explorers_ask_only_where_it_is_wanted(name: str) -> None:
    explore = getattr(oe, f"explore_{name}")
    assert explore().scene.sketch is None
    sketch = explore(predict=True).scene.sketch
    assert sketch.name.startswith(name)
    with pytest.raises(TypeError, match="predict must be True or False"):
        explore(predict="yes")


def test_what_explorers_ask_for_is_held_against_what_they_say() -> None:
    race = oe.explore_regression(predict=True).scene
    level, steps, axes = race.sketch.arrival
    assert axes == ("way", "tolerance", "depth")
    assert (level[0, 1, 1], steps[0, 1, 1]) == (np.float32(0.01), 126)  # depth 2, 1 %
    assert race.sketch.trace == "depth N right"
    plane = oe.explore_trajectories(predict=True).scene
    _, steps, _ = plane.sketch.arrival
    assert steps[list(plane.axes[0].stops).index(3)] == 507
    wait = oe.explore_going_deeper(predict=True).scene
    heights = wait.drawn.data[wait.place("near zero by depth")].y
    assert [bool(height >= wait.sketch.never) for height in heights] == [
        False,
        False,
        True,
        True,
        True,
    ]
    for scene in (race, plane, wait):  # the run is not seen before it is played
        assert all(axis.start == 0 for axis in scene.axes if axis.play)


def test_progress_keeps_what_was_drawn_and_refuses_what_is_no_drawing(tmp_path: Path) -> None:
    drawn = {"at": {"depth": 4}, "points": [[1, 0.5, 0.25], [10, 1e-3, 1e-4]]}
    Progress(tmp_path / "kept").sketch("trajectories", drawn)
    assert Progress(tmp_path / "kept").keep().sketches == {"trajectories": drawn}
    for spoilt in ({"at": {}}, drawn | {"points": [[1, 0.5]]}, drawn | {"points": [[1, "a", 2]]}):
        Progress(tmp_path / "spoilt").sketch("trajectories", spoilt)
        assert read(tmp_path / "spoilt").events == {}
