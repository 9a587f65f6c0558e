"""The depth race on real data as a widget."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from overparam_edu import LpRegression, load_auto_mpg, race_depths
from overparam_edu.experiments.depth_race import DepthRace
from overparam_edu.experiments.regression import least_loss
from overparam_edu.views.explorer import Explorer
from overparam_edu.views.frames import describe, frame
from overparam_edu.views.regression import explore_regression

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_regression()


@pytest.fixture(scope="module")
def races() -> dict[int, tuple[DepthRace, float]]:
    """By power: the race the explorer opens with, run here, and the least loss."""
    cars, found = load_auto_mpg(standardized=True), {}
    for p in (2, 4):
        loss = LpRegression(cars.X, cars.y, p=p, reduction="mean")
        least = least_loss(loss)
        race = race_depths(
            loss,
            np.random.default_rng(0).normal(scale=1e-2, size=7),
            depths=range(1, 9),
            target=1.01 * least,
            rates=np.geomspace(0.1, 1.0, 16),
        )
        found[p] = race, least
    return found


def positions(explorer: Explorer) -> Iterator[dict[str, int]]:
    last = len(explorer.scene.axes[1].stops) - 1
    for depth in range(8):
        for step in (0, last // 2, last):
            yield {"depth": depth, "step": step}


def numbers(value: Any) -> list[Any]:
    return [x for v in value for x in numbers(v)] if isinstance(value, list) else [value]


def test_it_says_what_the_races_found(
    explorer: Explorer, races: dict[int, tuple[DepthRace, float]]
) -> None:
    explorer.reset()
    for lane in range(8):
        words = describe(explorer.scene, {"depth": lane})
        parts = re.match(r"p\u00a0=\u00a02: (.*)\. p\u00a0=\u00a04: (.*)\.$", words)
        assert parts, words
        for (race, _), said in zip(races.values(), parts.groups(), strict=True):
            first, steps = race.arrivals[0], race.arrivals[lane]
            assert said.startswith(f"depth {lane + 1} arrives in {steps:g} iterations")
            if lane:
                assert said.endswith(f"depth 1 ({first:g})")
                assert ("faster" if steps < first else "slower") in said or "about" in said


def test_depth_2_helps_for_p_4_only(races: dict[int, tuple[DepthRace, float]]) -> None:
    assert races[2][0].arrivals.argmin() == 0
    assert races[4][0].arrivals[1] < races[4][0].arrivals[0] / 2


def test_tuned_rates_are_inside_what_was_tried(
    races: dict[int, tuple[DepthRace, float]],
) -> None:
    for race, _ in races.values():
        assert 0.1 < race.learning_rates.min() <= race.learning_rates.max() < 1


def test_curves_are_the_losses_above_the_minimum(
    explorer: Explorer, races: dict[int, tuple[DepthRace, float]]
) -> None:
    explorer.reset()
    stops = np.array(explorer.scene.axes[1].stops, dtype=int)
    for column, (race, least) in enumerate(races.values()):
        for lane in (0, 1, 7):
            drawn = frame(explorer.scene, {"depth": lane, "step": len(stops) - 1})
            there = stops[stops < len(race.steps)]
            for trace, of in ((2 * column, 0), (2 * column + 1, lane)):
                expected = race.losses[there, of] / least - 1
                np.testing.assert_allclose(drawn[trace, "y"], expected, rtol=1e-5)
            x = np.array(drawn[2 * column, "x"])
            # A race that is over leaves its line where it was: no line goes on without numbers.
            np.testing.assert_array_equal(x[: len(there)], there)
            # Every arrival that is told can be seen.
            assert drawn[2 * column + 1, "y"][-1] <= 0.01


@pytest.mark.parametrize("learning_rate", ["tuned", "same"])
@pytest.mark.parametrize("tolerance", [0.1, 0.01, 0.001])
def test_every_setting_draws_finite_numbers(
    explorer: Explorer, learning_rate: str, tolerance: float
) -> None:
    explorer.set(learning_rate=learning_rate, tolerance=tolerance)
    assert explorer.children[1].value == ""
    for at in positions(explorer):
        flat = [x for value in frame(explorer.scene, at).values() for x in numbers(value)]
        assert all(math.isfinite(x) for x in flat)
        assert "diverges" not in describe(explorer.scene, at)
    assert "None" not in str(explorer.scene.figure.layout.xaxis.range)


def test_reset_and_bad_values(explorer: Explorer) -> None:
    explorer.set(learning_rate="same")
    explorer.player.move(depth=5, step=0)
    explorer.reset()
    assert explorer.values == {"learning_rate": "tuned", "tolerance": 0.01}
    last = len(explorer.scene.axes[1].stops) - 1
    assert explorer.player.position == {"depth": 1, "step": last}
    scene = explorer.scene
    with pytest.raises(ValueError, match=r"tolerance .*0\.5"):
        explorer.set(tolerance=0.5)
    assert explorer.scene is scene
