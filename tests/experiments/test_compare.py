"""Best rates, arrivals and contests of curves that are made up, so that the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from overparam_edu import load_auto_mpg
from overparam_edu.experiments.compare import (
    Contest,
    band,
    best_curve,
    overtaking_step,
    settled,
    shared_rate,
    steps_to_level,
)
from overparam_edu.experiments.curves import Curves
from overparam_edu.experiments.deeper import compare_starts, first_move, going_deeper

NAN = np.nan


def made(losses: Any, rates: Any, steps: list[int]) -> Curves:
    """Return curves with given losses (records, seeds, rates)."""
    values = np.array(losses, float)
    gone = np.isnan(values)
    diverged_at = np.where(gone.any(axis=0), np.array(steps)[np.argmax(gone, axis=0)], -1)
    seeds, grid = np.arange(values.shape[1]), np.array(rates)
    start = (2, "gradient descent", 4.0, "near zero")
    return Curves(*start, grid, seeds, np.array(steps), values, diverged_at)


# Rate 0.1 is slow; 0.2 is good; 0.4 is better for seed 0 and dies for seed 1.
THREE = made(
    [
        [[9, 9, 9], [9, 9, 9]],
        [[8, 5, 3], [8, 4, 6]],
        [[7, 2, 1], [7, 3, NAN]],
    ],
    [0.1, 0.2, 0.4],
    [0, 10, 100],
)


def test_a_rate_at_which_one_seed_diverges_is_not_chosen() -> None:
    best = best_curve(THREE)
    assert best.rate == 0.2
    np.testing.assert_array_equal(best.losses, [[9, 9], [5, 4], [2, 3]])
    np.testing.assert_array_equal(best.against_rate, [[7, 2, 1], [7, 3, np.inf]])
    assert not best.at_the_end
    assert best.criterion.startswith("least median loss at iteration 100 ")


def test_what_is_best_depends_on_when_it_is_judged() -> None:
    # Medians at 10: 8, 4.5, 4.5; the first of equals wins.
    assert best_curve(THREE, at=99).rate == 0.2
    early = best_curve(THREE._replace(losses=THREE.losses - [0, 0, 0.1]), at=99)
    assert early.rate == 0.4
    assert early.at_the_end
    assert early.steps.tolist() == [0, 10]
    assert len(early.losses) == 2


def test_no_rate_is_named_where_all_diverge() -> None:
    gone = made([[[9, 9]], [[NAN, NAN]]], [1, 2], [0, 1])
    assert np.isnan(best_curve(gone).rate)
    assert np.isnan(steps_to_level(gone, 1.0).rate)


def test_arrivals_count_for_the_slowest_seed_too() -> None:
    found = steps_to_level(THREE, 3.0)
    assert found.rate == 0.2
    # Between 10 and 100 on logarithmic axes: 5 falls to 2, and 4 to exactly 3.
    assert found.steps == pytest.approx([10 * 10 ** (np.log(5 / 3) / np.log(5 / 2)), 100])
    assert np.isinf(found.against_rate[:, 0]).all()
    assert np.isinf(found.against_rate[1, 2])
    assert steps_to_level(THREE, 5.0).steps[0] == 10
    nowhere = steps_to_level(THREE, 0.5)
    assert np.isnan(nowhere.rate)
    assert np.isinf(nowhere.steps).all()


def test_arrived_is_who_stays_and_it_is_exact_where_each_iteration_is_recorded() -> None:
    bouncing = made([[[9]], [[1]], [[5]], [[1]]], [1.0], [0, 1, 2, 3])
    assert steps_to_level(bouncing, 2.0).steps.tolist() == [3]


def test_between_two_records_an_arrival_is_where_a_power_law_has_it() -> None:
    dense, sparse = np.arange(1, 1001), np.array([1, 3, 10, 30, 150, 300, 1000])
    for steps in (dense, sparse):
        curve = made(7.0 * steps[:, None, None] ** -0.5, [1.0], steps.tolist())
        taken = steps_to_level(curve, 0.7001).steps[0]
        assert taken == (100 if steps is dense else pytest.approx(99.97, abs=0.01))


def test_overtaking_counts_from_when_it_lasts() -> None:
    steps = [0, 1, 2, 3, 4]
    leader = best_curve(made([[[x]] for x in (9, 8, 7, 6, 5)], [1.0], steps))

    def against(*losses: float) -> float:
        return overtaking_step(best_curve(made([[[x]] for x in losses], [1.0], steps)), leader)

    assert against(9, 7, 8, 5, 4) == 3
    assert against(8, 7, 6, 5, 4) == 0
    assert against(8, 7, 6, 5, 5) == np.inf
    assert against(9, 9, 9, 9, 4) == 4
    with pytest.raises(ValueError, match="must have the same steps"):
        overtaking_step(best_curve(made([[[1]], [[1]]], [1.0], [0, 5])), leader)


def test_a_shared_rate_is_one_that_nobody_diverges_at() -> None:
    safe = made([[[9, 9, 9]], [[1, 1, 1]]], [0.1, 0.3, 0.4], [0, 1])
    assert shared_rate([safe]) == 0.4
    assert shared_rate([safe, THREE]) == 0.1  # 0.2 is not tried by both, 0.4 diverges once
    with pytest.raises(ValueError, match="networks must have a learning rate in common"):
        shared_rate([made([[[9]], [[1]]], [0.2], [0, 1]), safe])


def test_bands() -> None:
    low, middle, high = band([[3, 1, 2, 10], [1, 1, 1, NAN]])
    assert (low[0], middle[0], high[0]) == (1, 2.5, 10)
    assert np.isnan([low[1], middle[1], high[1]]).all()


# --- contests: who arrives for good, at which rate, and from when it is ahead ---

STEPS = [0, 1, 2, 3, 4]


def curves(*lanes: list[list[float]], depth: int = 1, optimizer: str = "Adam") -> Curves:
    """Curves with the given losses, one argument a rate: for each seed, a loss at each step."""
    losses = np.moveaxis(np.array(lanes, float), (0, 1, 2), (2, 1, 0))
    rates = 0.1 * 2.0 ** np.arange(len(lanes))
    return made(losses, rates, STEPS)._replace(depth=depth, optimizer=optimizer)


# The minimum is 1; 10% above it is arrived.
SLOW = [[9, 8, 5, 2, 1.05], [9, 8, 5, 2, 1.05]]
LUCKY = [[9, 1.05, 3, 3, 1.0], [9, 1.05, 3, 3, 1.0]]
ONE_SEED = [[9, 1.0, 1, 1, 1], [9, 9, 9, 9, 9]]
LOST = [[9, 9, NAN, NAN, NAN], [9, 1.0, 1, 1, 1]]
FAST = [[9, 9, 1.5, 1.01, 1], [9, 9, 1.05, 1.01, 1]]


def test_arrived_is_who_stays() -> None:
    taken = settled(curves(SLOW, LUCKY, ONE_SEED, LOST, FAST), 1.1)
    inf = np.inf
    np.testing.assert_array_equal(taken, [[4, 4, 1, inf, 3], [4, 4, inf, 1, 2]])
    np.testing.assert_array_equal(settled(curves(SLOW), 99.0), [[0], [0]])


def test_the_chosen_rate_brings_all_seeds_there_first() -> None:
    linear, deep = curves(SLOW, LUCKY, ONE_SEED), curves(LOST, FAST, SLOW, depth=2)
    contest = Contest(linear, (deep,), 1.0, (0.1, 0.001))
    assert contest.can_share is True
    # At 0.1% the slow rate arrives nowhere, and LUCKY ends exactly on the minimum.
    np.testing.assert_array_equal(contest.chosen[0], [[0, 1], [1, 1]])
    np.testing.assert_array_equal(contest.chosen[1], [[0, 0], [1, 1]])
    np.testing.assert_allclose(contest.rates[0], [[0.1, 0.2], [0.2, 0.2]])
    np.testing.assert_array_equal(contest.arrivals[0, 0], [[4, 4, 4], [2, 2.5, 3]])
    np.testing.assert_array_equal(contest.arrivals[1, 0, 1], [1, np.inf, np.inf])
    assert contest.diverged_at.tolist() == [[[-1, -1], [-1, -1]], [[-1, 2], [-1, -1]]]


def test_where_no_rate_arrives_the_least_loss_at_the_end_decides() -> None:
    high, low = [[9, 9, 8, 7, 6]] * 2, [[9, 9, 8, 7, 5]] * 2
    contest = Contest(curves(low, high), (curves(high, low, LOST, depth=2),), 1.0, (0.1,))
    assert contest.chosen.tolist() == [[[0, 1]]]  # the grids differ: no shared rate
    assert np.isinf(contest.arrivals[..., 1]).all()
    lost = Contest(curves(LOST, LOST), (curves(LOST, LOST, depth=2),), 1.0, (0.1,))
    assert (lost.chosen == 0).all()


def test_bands_and_what_the_rates_led_to() -> None:
    linear, deep = curves(SLOW, LUCKY, ONE_SEED), curves(LOST, FAST, depth=2)
    contest = Contest(linear, (deep,), 0.5, (0.1, 1.2))
    low, middle, high = contest.bands[0, 1, 1]  # FAST
    np.testing.assert_allclose(low, np.array([9, 9, 1.05, 1.01, 1]) / 0.5 - 1)
    np.testing.assert_allclose(high, np.array([9, 9, 1.5, 1.01, 1]) / 0.5 - 1)
    np.testing.assert_allclose(middle, (low + high) / 2)
    rates, iterations, excess = contest.tuning
    np.testing.assert_allclose(rates, [[0.1, 0.2, 0.4], [0.1, 0.2, NAN]])
    np.testing.assert_array_equal(iterations[1], [[4, 4, NAN], [NAN, 2.5, NAN]])
    np.testing.assert_allclose(excess[0], [1.1, 1.0, 9.0])
    np.testing.assert_array_equal(excess[1], [NAN, 1.0, NAN])


def test_ahead_is_counted_until_somebody_arrives() -> None:
    first = curves([[5, 4, 3, 2, 1.0]])
    behind, ahead = curves([[5, 4.5, 2, 1.05, 1.2]]), curves([[4, 3, 2, 1.5, 0.9]])
    never, at_the_end = curves([[9, 9, 9, 9, 9]]), curves([[5, 5, 5, 5, 0.5]])
    contest = Contest(first, (behind, ahead, never, at_the_end), 1.0, (0.1,))
    np.testing.assert_array_equal(contest.ahead_from[0, 0], [np.inf, 2, 0, np.inf, 4])


def test_other_steps_are_refused() -> None:
    other = curves(SLOW)._replace(steps=2 * np.array(STEPS))
    with pytest.raises(ValueError, match="deep must have the steps of linear"):
        Contest(curves(SLOW), (other,), 1.0, (0.1,))


def test_optimizers_do_not_share_rates() -> None:
    assert not Contest(curves(SLOW), (curves(SLOW, optimizer="AdaGrad"),), 1.0, (0.1,)).can_share


# --- going deeper ---


def test_first_move_is_when_the_loss_has_fallen_by_a_hundredth() -> None:
    still = made([[[100, 100]], [[99.1, 98.9]], [[98.9, NAN]]], [0.1, 0.4], [0, 10, 20])
    # Rate 0.4 starts first and diverges later: it does not count unless it is asked for.
    between = 10 * 2 ** (np.log(99.1 / 99) / np.log(99.1 / 98.9))
    assert first_move(still, 200) == pytest.approx(between)
    assert first_move(still, 200, rate=0.1) == pytest.approx(between)
    assert first_move(still, 200, rate=0.19) == pytest.approx(between)
    assert first_move(still, 200, rate=0.21) == 10  # no logarithm at iteration 0
    assert first_move(still, 200, fall=0.5) == np.inf
    # A start above the loss at zero has still to get past that.
    assert first_move(still, 99.5, rate=0.1) == np.inf
    with pytest.raises(ValueError, match=r"fall must be in \[0, 1\]; got 2"):
        first_move(still, 200, fall=2)


@pytest.mark.slow
def test_near_zero_stalls_longer_with_depth_and_the_identity_does_not() -> None:
    cars = load_auto_mpg(standardized=True)
    deeper = going_deeper(cars.X, cars.y, depths=(2, 3, 4, 16), rates=[0.05], steps=2_000)
    at_zero = np.mean(cars.y**4) / 4
    stalls = [first_move(curves, at_zero) for curves in deeper.near_zero]
    assert stalls[0] < 20
    assert stalls[0] < stalls[1] / 20
    assert np.isfinite(stalls[1])
    assert stalls[2:] == [np.inf, np.inf]
    moves = [first_move(curves, at_zero) for curves in deeper.identity]
    assert max(moves[:3]) <= 2
    ends = np.array([curves.losses[-1, 0, 0] for curves in deeper.identity])
    assert ends[:3].max() < 0.05
    assert deeper.depths == (2, 3, 4, 16)


def test_both_starts_side_by_side_are_the_curves_at_their_rates() -> None:
    cars = load_auto_mpg(standardized=True)
    deeper = going_deeper(
        cars.X, cars.y, depths=(2, 8), rates=[0.02, 0.05, 0.3], seeds=(0, 1, 2), steps=300
    )
    for learning_rate in ("tuned", "same"):
        starts = compare_starts(deeper, learning_rate=learning_rate)
        for which, networks in enumerate((deeper.near_zero, deeper.identity)):
            for column, curves in enumerate(networks):
                rate = starts.rates[which, column]
                at_rate = curves.losses[..., curves.rates == rate][..., 0]
                np.testing.assert_array_equal(
                    starts.losses.middle[which, column], np.median(at_rate, axis=1)
                )
                np.testing.assert_array_equal(starts.losses.high[which, column], at_rate.max(1))
                at_zero = np.mean(np.abs(cars.y) ** 4) / 4
                move = first_move(curves, at_zero, rate=rate)
                assert starts.moves[which, column] == move
    assert set(starts.rates.ravel()) == {0.05}  # 0.3 is too large for the identity at depth 8
    with pytest.raises(ValueError, match="learning_rate must be"):
        compare_starts(deeper, learning_rate="best")
