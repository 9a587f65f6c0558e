"""Races of depths against plain Python loops and against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from overparam_edu import SeparableLp, tuned_learning_rate
from overparam_edu.experiments.depth_race import DepthRace, race_depths

LOSS = SeparableLp((1.0, 0.1), p=4)
START, TARGET = [0.01, 0.01], 0.01 * 0.1**4 / 4
DEPTHS = [1, 2, 3.5]


def plain_arrival(depth: float, rate: float, limit: int = 3_000) -> float:
    """The rule, written out for two coordinates."""
    w = list(START)
    for step in range(limit + 1):
        error = [w[0] - 1.0, w[1] - 0.1]
        if sum(e**4 for e in error) / 4 <= TARGET:
            return step
        g = [e**3 for e in error]
        square = w[0] ** 2 + w[1] ** 2
        along = (depth - 1) * (w[0] * g[0] + w[1] * g[1]) / square
        w = [x - rate * square ** (1 - 1 / depth) * (y + along * x) for x, y in zip(w, g)]  # noqa: B905
    return np.inf


@pytest.fixture(scope="module")
def tuned_race() -> DepthRace:
    return race_depths(LOSS, START, depths=DEPTHS, target=TARGET)


def test_arrivals_are_those_of_a_plain_loop(tuned_race: DepthRace) -> None:
    lanes = zip(DEPTHS, tuned_race.learning_rates, strict=True)
    assert tuned_race.arrivals.tolist() == [plain_arrival(*lane) for lane in lanes]


def test_tuned_rates_are_the_tuners(tuned_race: DepthRace) -> None:
    tuned = tuned_learning_rate(LOSS, START, depth=DEPTHS, target=TARGET, steps=3_000)
    np.testing.assert_array_equal(tuned_race.learning_rates, tuned.fastest)
    assert tuned.criterion in tuned_race.rates_are
    same = race_depths(LOSS, START, depths=DEPTHS, target=TARGET, learning_rate="same")
    assert set(same.learning_rates) == {tuned.largest_safe.min()}
    assert "same" in same.rates_are


def test_same_is_one_rate_at_which_no_loss_rises() -> None:
    race = race_depths(LOSS, START, depths=DEPTHS, target=TARGET, learning_rate="same")
    for lane, end in enumerate(race.arrivals.astype(int)):
        assert (np.diff(race.losses[: end + 1, lane]) < 0).all()


def test_a_number_is_the_rate_of_all() -> None:
    race = race_depths(LOSS, START, depths=DEPTHS, target=TARGET, learning_rate=1.25)
    assert race.learning_rates.tolist() == [1.25] * 3
    assert race.arrivals.tolist() == [plain_arrival(N, 1.25) for N in DEPTHS]
    assert "by hand" in race.rates_are


def test_race_is_a_little_longer_than_its_last_arrival(tuned_race: DepthRace) -> None:
    last = tuned_race.arrivals.max()
    assert last <= tuned_race.steps[-1] <= max(40, 1.2 * last)
    assert tuned_race.steps.tolist() == list(range(len(tuned_race.points)))
    assert np.isfinite(tuned_race.points).all()
    np.testing.assert_array_equal(tuned_race.losses, LOSS.value(tuned_race.points))


@pytest.mark.parametrize("dynamics", ["network", "flow"])
def test_at_a_small_rate_all_dynamics_agree(dynamics: str) -> None:
    def gap(rate: float) -> float:
        options: dict[str, Any] = {"depths": [1, 2, 3], "target": -1.0, "steps": int(2 / rate)}
        rule, other = (
            race_depths(LOSS, [0.1, 0.05], learning_rate=rate, dynamics=kind, **options).points
            for kind in ("rule", dynamics)
        )
        return float(np.abs(rule - other).max())

    coarse, fine = gap(0.04), gap(0.01)
    assert fine < 1e-2
    assert coarse / fine == pytest.approx(4, rel=0.2)  # the first order of Euler's method


def test_from_exactly_0_only_depth_1_moves() -> None:
    race = race_depths(LOSS, [0, 0], depths=[1, 2, 4], target=TARGET, steps=600)
    assert np.isfinite(race.arrivals).tolist() == [True, False, False]
    assert (race.points[:, 1:] == 0).all()
    assert race.steps[-1] == 600
    assert (race.diverged_at == -1).all()


@pytest.mark.parametrize("dynamics", ["rule", "network"])
def test_a_lane_that_diverges_says_so_and_leaves_the_others_alone(dynamics: str) -> None:
    options: dict[str, Any] = {"target": TARGET, "learning_rate": 1.8, "dynamics": dynamics}
    start = [0.1, 1.15]
    race = race_depths(LOSS, start, depths=[1, 5], **options)
    assert race.diverged_at[0] == -1
    at = race.diverged_at[1]
    assert 0 < at <= race.steps[-1]
    assert np.isfinite(race.points[:at, 1]).all()
    assert np.isnan(race.points[at:, 1]).all()
    alone = race_depths(LOSS, start, depths=1, **options)
    assert alone.arrivals[0] == race.arrivals[0]
    np.testing.assert_array_equal(alone.points[:, 0], race.points[: len(alone.points), 0])


def test_divergence_is_in_the_race_even_if_none_arrives() -> None:
    race = race_depths(SeparableLp(p=2), START, depths=1, target=1e-9, learning_rate=3.0)
    assert 40 < race.diverged_at[0] <= race.steps[-1]


def test_what_is_slower_than_the_rule_gets_its_time() -> None:
    # Flow at depth 1 and p = 6 takes longer than gradient descent at the tuned rate did.
    loss, target = SeparableLp((1.0, 0.5), p=6), 0.01 * 0.5**6 / 6
    options: dict[str, Any] = {"depths": [1, 2], "target": target}
    rule = race_depths(loss, START, **options)
    flow = race_depths(loss, START, dynamics="flow", **options)
    assert rule.steps[-1] < flow.arrivals[0] < np.inf


def test_a_rate_of_0_stands_still() -> None:
    for dynamics in ("rule", "network", "flow"):
        options: dict[str, Any] = {"target": TARGET, "learning_rate": 0, "steps": 50}
        race = race_depths(LOSS, [0.1, 0.1], depths=[1, 2], dynamics=dynamics, **options)
        np.testing.assert_allclose(race.points, 0.1, rtol=1e-12)
        assert np.isinf(race.arrivals).all()


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ({"start": [0.1, np.inf]}, "start"),
        ({"start": [0.1, 0.1, 0.1]}, "start"),
        ({"depths": []}, "depths"),
        ({"depths": [0, 1]}, "depths"),
        ({"depths": 0.5}, "depth"),
        ({"depths": [1, 2.5], "dynamics": "network"}, "depths"),
        ({"depths": [[1, 2], [3, 4]]}, "depths"),
        ({"target": np.nan}, "target"),
        ({"learning_rate": "fast"}, "'tuned', 'same'"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": None}, "learning_rate"),
        ({"learning_rate": np.inf}, "learning_rate"),
        ({"dynamics": "jump"}, "'rule', 'network', 'flow'"),
        ({"steps": 0}, "steps"),
        ({"rates": [-1.0]}, "rates"),
    ],
)
def test_wrong_arguments_are_named(spoiled: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"start": START, "depths": [1, 2], "target": TARGET} | spoiled
    with pytest.raises((TypeError, ValueError), match=words):
        race_depths(LOSS, arguments.pop("start"), **arguments)
