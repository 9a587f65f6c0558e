"""Contests between depths: who arrives for good, at which rate, and from when it is ahead."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu.experiments.compare import Contest, settled
from overparam_edu.experiments.curves import Curves

STEPS = np.array([0, 1, 2, 5, 10])
NAN = np.nan


def curves(*lanes: list[list[float]], depth: int = 1, optimizer: str = "Adam") -> Curves:
    """Curves with the given losses, one argument a rate: for each seed, a loss at each step."""
    losses = np.moveaxis(np.array(lanes, float), (0, 1, 2), (2, 1, 0))
    rates = 0.1 * 2.0 ** np.arange(len(lanes))
    out = np.where(np.isnan(losses).any(axis=0), STEPS[np.isnan(losses).argmax(axis=0)], -1)
    seeds = np.arange(losses.shape[1])
    return Curves(depth, optimizer, 4.0, "near zero", rates, seeds, STEPS, losses, out)


# The minimum is 1; 10% above it is arrived.
SLOW = [[9, 8, 5, 2, 1.05], [9, 8, 5, 2, 1.05]]
LUCKY = [[9, 1.05, 3, 3, 1.0], [9, 1.05, 3, 3, 1.0]]
ONE_SEED = [[9, 1.0, 1, 1, 1], [9, 9, 9, 9, 9]]
LOST = [[9, 9, NAN, NAN, NAN], [9, 1.0, 1, 1, 1]]
FAST = [[9, 9, 1.5, 1.01, 1], [9, 9, 1.05, 1.01, 1]]


def test_arrived_is_who_stays() -> None:
    taken = settled(curves(SLOW, LUCKY, ONE_SEED, LOST, FAST), 1.1)
    inf = np.inf
    np.testing.assert_array_equal(taken, [[10, 10, 1, inf, 5], [10, 10, inf, 1, 2]])
    np.testing.assert_array_equal(settled(curves(SLOW), 99.0), [[0], [0]])


def test_the_chosen_rate_brings_all_seeds_there_first() -> None:
    linear, deep = curves(SLOW, LUCKY, ONE_SEED), curves(LOST, FAST, SLOW, depth=2)
    contest = Contest(linear, (deep,), 1.0, (0.1, 0.001))
    assert contest.can_share is True
    # At 0.1% the slow rate arrives nowhere, and LUCKY ends exactly on the minimum.
    np.testing.assert_array_equal(contest.chosen[0], [[0, 1], [1, 1]])
    np.testing.assert_array_equal(contest.chosen[1], [[0, 0], [1, 1]])
    np.testing.assert_allclose(contest.rates[0], [[0.1, 0.2], [0.2, 0.2]])
    np.testing.assert_array_equal(contest.arrivals[0, 0], [[10, 10, 10], [2, 3.5, 5]])
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
    np.testing.assert_array_equal(iterations[1], [[10, 10, NAN], [NAN, 3.5, NAN]])
    np.testing.assert_allclose(excess[0], [1.1, 1.0, 9.0])
    np.testing.assert_array_equal(excess[1], [NAN, 1.0, NAN])


def test_ahead_is_counted_until_somebody_arrives() -> None:
    first = curves([[5, 4, 3, 2, 1.0]])
    behind, ahead = curves([[5, 4.5, 2, 1.05, 1.2]]), curves([[4, 3, 2, 1.5, 0.9]])
    never, at_the_end = curves([[9, 9, 9, 9, 9]]), curves([[5, 5, 5, 5, 0.5]])
    contest = Contest(first, (behind, ahead, never, at_the_end), 1.0, (0.1,))
    np.testing.assert_array_equal(contest.ahead_from[0, 0], [np.inf, 2, 0, np.inf, 10])


def test_other_steps_are_refused() -> None:
    other = curves(SLOW)._replace(steps=2 * STEPS)
    with pytest.raises(ValueError, match="deep must have the steps of linear"):
        Contest(curves(SLOW), (other,), 1.0, (0.1,))


def test_optimizers_do_not_share_rates() -> None:
    assert not Contest(curves(SLOW), (curves(SLOW, optimizer="AdaGrad"),), 1.0, (0.1,)).can_share
