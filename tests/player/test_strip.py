"""Small pictures of other stops: of what they may be, and what travels."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from overparam_edu.explorers.trajectories import trajectory_scene
from overparam_edu.player.scene import Axis, Scene, Strip, Track
from overparam_edu.player.wire import message

AXES = [Axis("depth", "depth N", [1, 2, 3]), Axis("step", "step", [0, 1])]
PATH = np.zeros((3, 2))


def scene(strip: Strip, tracks: Any = ("x", "y"), trail: str | None = "step") -> Scene:
    figure = go.Figure(go.Scatter(uid="path"))
    follow = [Track("path", letter, PATH, ["depth", "step"], trail) for letter in tracks]
    return Scene(figure, AXES, follow, strip=strip)


@pytest.mark.parametrize(
    ("strip", "error"),
    [
        (("path", "width", [0]), "strip.axis must be"),
        (("path", "depth", [0, 3]), r"strip.stops must be below 3; got \(0, 3\)"),
        (("road", "depth", [0]), "strip.trace must have trails of x and y that follow 'depth'"),
    ],
)
def test_a_strip_is_of_a_path_at_stops_that_there_are(strip: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        scene(Strip(*strip))


@pytest.mark.parametrize("stops", [[], [1, 1], [-1]], ids=["none", "twice", "negative"])
def test_stops_are_different_positions(stops: list[int]) -> None:
    with pytest.raises(ValueError, match="stops must be"):
        Strip("path", "depth", stops)


@pytest.mark.parametrize("given", [{"tracks": "x"}, {"trail": None}], ids=["no y", "no trail"])
def test_what_does_not_run_in_the_plane_has_no_small_pictures(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"strip\.trace must have trails"):
        scene(Strip("path", "depth", [0]), **given)


def test_its_numbers_travel_once() -> None:
    with_strip = trajectory_scene()
    sent, strip = message(with_strip), with_strip.strip
    assert strip is not None
    parts = {name: getattr(with_strip, name) for name in ("figure", "axes", "tracks", "reading")}
    assert sent["buffer"] == message(Scene(**parts))["buffer"]
    assert sent["spec"]["strip"] == {
        "trace": with_strip.place("path"),
        "axis": "depth",
        "stops": strip.stops,
    }


@pytest.mark.parametrize(
    ("dynamics", "depths"), [("rule", [1, 1.5, 2, 3, 4, 8]), ("network", [1, 2, 3, 4, 8])]
)
def test_it_shows_the_depths_that_there_are(dynamics: str, depths: list[float]) -> None:
    made = trajectory_scene(dynamics=dynamics)
    assert [made.axes[0].stops[stop] for stop in made.strip.stops] == depths
