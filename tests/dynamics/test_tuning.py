"""Tuned learning rates: what they promise, rerun and checked step by step."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import (
    GradientDescent,
    LpRegression,
    SeparableLp,
    TunedLearningRate,
    descend,
    load_auto_mpg,
    tuned_learning_rate,
)
from overparam_edu.checks import Array
from overparam_edu.derivations import tuned_gain
from overparam_edu.experiments.curves import least_loss

START = [0.01, 0.01]
DEPTHS = np.array([1, 2, 3, 4])
LOSS = SeparableLp((1.0, 0.1), p=4)
TARGET = 0.01 * 0.1**4 / 4
STEPS = 5_000


@pytest.fixture(scope="module")
def tuned() -> TunedLearningRate:
    """The talk's illustration, all depths at once."""
    return tuned_learning_rate(LOSS, START, depth=DEPTHS, target=TARGET)


def arrival(factor: float, rate: float, depth: int, aside: float = 0.0) -> float:
    """Steps to the target, start and rate scaled or the start moved; NaN if the loss rises."""
    run = descend(
        LOSS,
        factor * np.array(START) + aside * np.array([-START[1], START[0]]),
        depth=depth,
        optimizer=GradientDescent(factor * rate),
        steps=STEPS,
    )
    below = np.flatnonzero(run.losses <= TARGET)
    end = int(below[0]) if below.size else STEPS
    with np.errstate(invalid="ignore"):
        falls = run.losses[1 : end + 1] <= run.losses[:end] * (1 + 1e-12)
    return (float(end) if below.size else np.inf) if falls.all() else np.nan


def arrivals(rate: float, depth: int) -> list[float]:
    """Return what the five runs of the criterion take at a rate."""
    scaled = [arrival(f, rate, depth) for f in (0.9, 1.0, 1.1)]
    return scaled + [arrival(1.0, rate, depth, aside) for aside in (-0.1, 0.1)]


@pytest.mark.slow
def test_where_the_estimate_of_the_gain_fits_and_where_not() -> None:
    # Lesson 05, section 6: measured over estimated, and each rate over its bound.
    depths, gains, reached = np.array([1, 2, 3, 4, 8]), {}, {}
    for p, y2 in ((4, 0.03), (3, 0.03), (6, 0.2)):
        found = tuned_learning_rate(
            SeparableLp((1.0, y2), p=p), START, depth=depths, target=0.01 * y2**p / p, steps=7_000
        )
        estimates = [tuned_gain(p, N) for N in depths]
        gains[p] = found.steps[0] / found.steps / estimates
        a, q = 2 - 2 / depths, p - 2
        reached[p] = found.fastest * depths * a**a * q**q / (a + q) ** (a + q) / 2
    np.testing.assert_allclose(reached[4][:3], [0.92, 0.83, 0.71], atol=0.005)
    allowed = gains[4] * reached[4][0] / reached[4]
    assert (abs(allowed[1:4] - 0.9) < 0.02).all()
    assert gains[4][4] < 1 / 2
    assert (gains[3][1:] < 2 / 3).all()
    assert gains[6][1] > 4
    assert reached[6][1] > 2
    leaps = descend(
        SeparableLp((1.0, 0.2), p=6), START, depth=2, optimizer=GradientDescent(30.24), steps=2
    )
    assert leaps.points[0, 0] < 0.2 < leaps.points[1, 0] < leaps.points[2, 0]


def test_a_jump_that_lands_on_the_target_is_luck() -> None:
    # Lesson 05, section 4: the far coordinate's share of the loss after 100 steps of depth 1.
    rates = np.array([0.3, 0.5, 1.0, 1.5, 1.8, 1.9, 0.9, 1.1, 1.7])
    run = descend(LOSS, START, optimizer=GradientDescent(rates), steps=100)
    losses = (run.points[-1] - LOSS.targets) ** 4
    shares = losses[:, 0] / losses.sum(axis=1)
    assert (shares[[2, 4]] < 0.05).all()
    assert (shares[[0, 1, 3, 5]] > 0.6).all()
    assert (shares[-3:] > 0.4).all()
    gaps = np.abs(run.points[:, 0] - LOSS.targets)
    np.testing.assert_allclose(gaps[-1] / gaps[0], [1 / 8, 4 / 5], rtol=0.03)
    for distance, steps in ((1.0, 5), (0.1, 500)):
        found = SeparableLp((distance,), p=4)
        half = descend(found, [0.0], optimizer=GradientDescent(0.3), steps=600, progress=False)
        assert half.steps_to(found.value([0.0]) / 2**4) == pytest.approx(steps, abs=1)


def test_for_p_2_depth_1_needs_the_fewest_steps() -> None:
    quadratic = SeparableLp((1.0, 0.1), p=2)
    found = tuned_learning_rate(quadratic, START, depth=DEPTHS, target=0.01 * 0.1**2 / 2)
    assert np.isfinite(found.steps).all()
    assert (found.steps[0] < found.steps[1:]).all()


@pytest.mark.parametrize("lane", range(4))
def test_the_loss_falls_at_the_chosen_rate_and_in_its_neighbours(
    tuned: TunedLearningRate, lane: int
) -> None:
    runs = arrivals(tuned.fastest[lane], int(DEPTHS[lane]))
    assert max(runs) == tuned.steps[lane]  # NaN, a rise, equals nothing


@pytest.mark.slow
@pytest.mark.parametrize("lane", range(4))
def test_every_rate_is_judged_as_by_a_run_of_its_own(tuned: TunedLearningRate, lane: int) -> None:
    for rate, steps in list(zip(tuned.rates[:, lane], tuned.steps_at[:, lane], strict=True))[::8]:
        runs = np.array(arrivals(rate, int(DEPTHS[lane])))
        if np.isinf(steps):  # not reached, or given up as more than twice too late
            assert runs.max() > 2 * tuned.steps[lane]
        else:
            np.testing.assert_array_equal(steps, runs.max())


@pytest.mark.slow
def test_largest_safe_is_the_last_safe_one(tuned: TunedLearningRate) -> None:
    for lane, depth in enumerate(DEPTHS):
        rates, largest = tuned.rates[:, lane], tuned.largest_safe[lane]
        assert not np.isnan(arrivals(largest, int(depth))).any()
        above = rates[rates > largest]
        assert above.size
        assert np.isnan(arrivals(above[0], int(depth))).any()
        assert tuned.fastest[lane] <= largest


def test_without_neighbours_a_lucky_jump_wins(tuned: TunedLearningRate) -> None:
    lucky = tuned_learning_rate(LOSS, START, depth=DEPTHS, target=TARGET, spread=0)
    assert lucky.steps.min() < 10
    assert tuned.steps.min() > 50
    best = int(lucky.steps.argmin())
    slightly_off = [arrival(f, lucky.fastest[best], int(DEPTHS[best])) for f in (0.9, 1.1)]
    assert np.isnan(slightly_off).any() or max(slightly_off) > 3 * lucky.steps[best]
    assert "10%" in tuned.criterion
    assert "%" not in lucky.criterion


def test_a_start_that_points_at_the_minimum_wins_little() -> None:
    # Start (0.01, 0.002): scaled alone it would count 75, 47 and 28 steps at depths 2, 3 and 4.
    found = tuned_learning_rate(LOSS, [0.01, 0.002], depth=DEPTHS, target=TARGET)
    np.testing.assert_array_equal(found.steps, [410, 81, 82, 87])
    assert "10% aside" in found.criterion


def test_a_start_is_moved_aside_in_any_number_of_dimensions() -> None:
    seen: list[Array] = []

    class Spied(SeparableLp):
        def _gradient(self, w: Array) -> Array:
            seen.append(w)
            return super()._gradient(w)

    targets = np.array([1.0, 0.5, 0.2])
    for start in ([0.03, 0.0, 0.04], 0.1 * targets, 1e-200 * targets):
        seen.clear()
        tuned_learning_rate(Spied(targets, p=2), start, target=0.0, rates=[0.1], steps=1)
        runs = next(w for w in seen if w.ndim > 1).reshape(-1, 3) / np.abs(start).max()
        start = np.array(start) / np.abs(start).max()
        less, more = runs[3:] - start
        np.testing.assert_allclose(less, -more, rtol=1e-6)
        np.testing.assert_allclose(
            [more @ start, more @ more], [0, 0.01 * start @ start], atol=1e-9
        )
    for small in ([0.0, 0.0], [0.1]):
        found = tuned_learning_rate(SeparableLp([1.0] * len(small), p=2), small, target=1e-3)
        assert np.isfinite(found.steps)


def test_lanes_do_not_know_of_each_other(tuned: TunedLearningRate) -> None:
    for lane, depth in enumerate(DEPTHS):
        alone = tuned_learning_rate(LOSS, START, depth=depth, target=TARGET)
        assert alone.fastest.shape == ()
        np.testing.assert_array_equal(alone.rates, tuned.rates[:, lane])
        np.testing.assert_array_equal(alone.steps_at, tuned.steps_at[:, lane])
        for name in ("fastest", "steps", "largest_safe"):
            assert getattr(alone, name) == getattr(tuned, name)[lane]


def test_only_the_given_rates_are_tried_in_order_and_shapes_follow_the_depths() -> None:
    found = tuned_learning_rate(
        LOSS, START, depth=DEPTHS.reshape(2, 2), target=TARGET, rates=[4.0, 0.5, 2.0, 2.0]
    )
    assert found.rates[:, 0, 1].tolist() == [0.5, 2.0, 4.0]
    assert found.fastest[0, 1] in (0.5, 2.0, 4.0)
    assert found.fastest.shape == found.steps.shape == found.largest_safe.shape == (2, 2)
    assert found.rates.shape == found.steps_at.shape == (3, 2, 2)
    assert tuned_learning_rate(LOSS, START, target=9.0, rates=[0.1]).steps == 0


def test_what_no_rate_reaches_is_infinite_and_what_none_survives_is_nan() -> None:
    hopeless = tuned_learning_rate(LOSS, START, target=-1.0, rates=[0.1, 1.0], steps=30)
    assert np.isnan(hopeless.fastest)
    assert np.isinf(hopeless.steps)
    assert hopeless.largest_safe == 1.0
    unsafe = tuned_learning_rate(LOSS, START, target=TARGET, rates=[50.0, 90.0])
    assert np.isnan([unsafe.fastest, unsafe.largest_safe, *unsafe.steps_at]).all()
    assert np.isinf(unsafe.steps)


@pytest.mark.slow
def test_auto_mpg_gains_for_p_4_and_not_for_p_2() -> None:
    cars = load_auto_mpg(standardized=True)
    start = np.random.default_rng(0).normal(scale=1e-2, size=7)
    for p in (2, 4):
        loss = LpRegression(cars.X, cars.y, p=p, reduction="mean")
        rates, target = np.geomspace(0.1, 0.6, 14), (1 + 1e-4) * least_loss(loss)
        found = tuned_learning_rate(
            loss, start, depth=[1, 2, 3], target=target, rates=rates, steps=1500
        )
        one, two, three = found.steps
        assert rates[0] < found.fastest.min() <= found.fastest.max() < rates[-1]
        assert (one < two < three) if p == 2 else (two < one / 2 and two < three < one)
