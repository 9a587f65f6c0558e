"""The recorded races are those that are run."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from overparam_edu.experiments import races
from overparam_edu.experiments.compare import contest_on_cars
from overparam_edu.explorers.plots import record_stops
from overparam_edu.explorers.regression import contest_scene
from overparam_edu.player.scene import Scene

pytestmark = pytest.mark.slow  # the quick suite has tests/explorers/test_regression.py


def numbers_of(scene: Scene) -> dict[tuple[str | None, str], np.ndarray]:
    return {(track.trace, track.attribute): np.asarray(track.values) for track in scene.tracks}


@pytest.mark.parametrize("p", races.POWERS)
def test_a_race_is_recorded_as_it_is_run(p: float) -> None:
    kept, run = races.recorded_race(p), contest_on_cars(p)
    assert kept.tolerances == run.tolerances
    assert kept.least == pytest.approx(run.least, rel=1e-12)
    for name in ("chosen", "arrivals", "ahead_from", "diverged_at"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(run, name), err_msg=name)
    np.testing.assert_allclose(kept.rates, run.rates, rtol=1e-12)
    for ours, theirs in zip(kept.tuning, run.tuning, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-12)
    at = record_stops(1 + int(run.linear.steps[-1]))
    np.testing.assert_array_equal(kept.linear.steps, at)
    np.testing.assert_allclose(kept.bands, run.bands[..., at], rtol=1e-6, atol=1e-12)
    for ours, theirs in zip(kept.lanes, run.lanes, strict=True):
        assert (ours.depth, ours.optimizer, ours.p, ours.start) == theirs[:2] + theirs[2:4]
        np.testing.assert_array_equal(ours.rates, theirs.rates)
        np.testing.assert_array_equal(ours.seeds, theirs.seeds)


def test_its_picture_is_that_of_the_run() -> None:
    drawn = [
        contest_scene([make(p) for p in races.POWERS], note="")
        for make in (races.recorded_race, contest_on_cars)
    ]
    ours, theirs = map(numbers_of, drawn)
    assert ours.keys() == theirs.keys()
    for key, values in ours.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, theirs[key], rtol=1e-6, err_msg=str(key))
        else:
            np.testing.assert_array_equal(values, theirs[key], err_msg=str(key))
    for name, (values, _) in drawn[0].reading.fields.items():
        np.testing.assert_array_equal(values, drawn[1].reading.fields[name][0])
    np.testing.assert_array_equal(drawn[0].board.values, drawn[1].board.values)
    for axis in ("yaxis", "yaxis2"):  # they hold what lies between the stops as well
        ranges = [scene.figure.layout[axis].range for scene in drawn]
        assert ranges[0] == pytest.approx(ranges[1], abs=0.01)


def test_the_file_is_what_the_function_writes(tmp_path: Path) -> None:
    written = json.loads(races.write_races(tmp_path).read_text(encoding="utf-8"))
    resource = files("overparam_edu.experiments") / "recorded" / "cars_races.json"
    kept = json.loads(resource.read_text(encoding="utf-8"))
    assert {p: race["arrays"].keys() for p, race in written.items()} == {
        p: race["arrays"].keys() for p, race in kept.items()
    }
