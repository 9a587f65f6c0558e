"""The rule beside the real network: where it holds, to which order, and where it does not."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.rule_against_network import (
    RuleAgainstNetwork,
    compare_rule_with_network,
    measure_distance_order,
    rebalance,
    synthetic_regression,
    turn_hidden_layers,
)

RATES = [0.008, 0.004, 0.002, 0.001]


def problem(k, p=2, d=4, n=30):
    rng = np.random.default_rng(k)
    X, y = rng.normal(size=(n, d)), rng.normal(size=(n, k))
    return oe.LpRegression(X, y[:, 0] if k == 1 else y, p=p, reduction="mean")


def cars(p):
    data = oe.load_auto_mpg(standardized=True)
    return oe.LpRegression(data.X, data.y, p=p, reduction="mean")


def start_of(loss, seed=3):
    return 0.3 * np.random.default_rng(seed).normal(size=loss.shape)


# --- what is compared ---


def test_the_rule_starts_at_the_networks_own_matrix_and_both_are_what_they_say():
    loss = problem(3)
    network = oe.near_zero_network((4, 5, 6, 3), 0.5, rng=1)
    run = compare_rule_with_network(
        network, loss, learning_rate=0.05, steps=60, record=[0, 7, 60], weight_decay=0.1
    )
    options = {"optimizer": oe.GradientDescent(0.05), "steps": 60, "weight_decay": 0.1}
    trained = oe.train(network, loss, **options)
    ruled = oe.descend(loss, network.end_to_end_matrix, depth=3, **options)
    kept = [0, 7, 60]
    np.testing.assert_array_equal(run.network.points, trained.points[kept])
    np.testing.assert_array_equal(run.rule.points, ruled.points[kept])
    np.testing.assert_array_equal(run.network.losses, trained.losses[kept])
    np.testing.assert_array_equal(run.imbalance, trained.imbalance()[kept])
    size = max(np.abs(trained.points[kept]).max(), np.abs(ruled.points[kept]).max())
    for record, step in enumerate(kept):
        gap = np.abs(trained.points[step] - ruled.points[step]).max() / size
        assert run.distances[record] == pytest.approx(gap, rel=1e-12)
        for sigma, lane in zip(run.singular_values, (ruled, trained), strict=True):
            expected = np.sqrt(np.linalg.eigvalsh(lane.points[step] @ lane.points[step].T))[::-1]
            np.testing.assert_allclose(sigma[record], expected, rtol=1e-7, atol=1e-9)


def test_lanes_are_the_same_as_single_comparisons():
    loss = problem(3)
    drawn = oe.near_zero_network((4, 3, 3), 0.3, rng=0)
    pairs = zip(rebalance(drawn).weights, drawn.weights, strict=True)
    both = oe.LinearNetwork(tuple(np.stack(pair) for pair in pairs))
    together = compare_rule_with_network(both, loss, learning_rate=0.1, steps=50)
    for lane, network in enumerate((rebalance(drawn), drawn)):
        alone = compare_rule_with_network(network, loss, learning_rate=0.1, steps=50)
        np.testing.assert_allclose(together.distances[:, lane], alone.distances, atol=1e-14)
        np.testing.assert_allclose(together.imbalance[:, lane], alone.imbalance, atol=1e-14)
        for some, one in zip(together.singular_values, alone.singular_values, strict=True):
            np.testing.assert_allclose(some[:, lane], one, atol=1e-14)


def test_one_output_has_one_singular_value_its_norm():
    loss = problem(1)
    run = compare_rule_with_network(
        oe.balanced_network(start_of(loss), 3), loss, learning_rate=0.05, steps=20
    )
    for sigma, lane in zip(run.singular_values, (run.rule, run.network), strict=True):
        np.testing.assert_allclose(sigma, np.linalg.norm(lane.points, axis=-1)[:, None])


def test_a_run_that_stands_still_at_zero_has_distance_0():
    network = oe.LinearNetwork((np.zeros((2, 4)), np.zeros((3, 2))))
    run = compare_rule_with_network(network, problem(3), learning_rate=0.1, steps=5)
    assert not run.distances.any()
    assert not run.singular_values[0].any()


def test_what_diverges_is_not_a_number_and_counts_no_further():
    loss = problem(3)
    network = oe.balanced_network(start_of(loss), 3)
    run = compare_rule_with_network(network, loss, learning_rate=5.0, steps=60)
    first = min(run.rule.diverged_at, run.network.diverged_at)
    assert 0 < first < 60
    assert np.isfinite(run.distances[:first]).all()
    assert np.isnan(run.distances[first:]).all()
    np.testing.assert_array_equal(np.isnan(run.imbalance), np.isnan(run.network.losses))
    assert run.distances[:first].max() <= 2
    for sigma, lane in zip(run.singular_values, (run.rule, run.network), strict=True):
        np.testing.assert_array_equal(
            np.isnan(sigma).all(axis=-1), np.isnan(lane.points).any(axis=(-2, -1))
        )


# --- where the rule holds ---


@pytest.mark.parametrize("decay", [0.0, 0.2])
@pytest.mark.parametrize("N", [2, 3, 4])
@pytest.mark.parametrize("k", [1, 3])
def test_the_distance_is_of_first_order_in_the_learning_rate(k, N, decay):
    loss = problem(k)
    network = turn_hidden_layers(oe.balanced_network(start_of(loss), N, hidden=5))
    found = measure_distance_order(
        network, loss, learning_rates=RATES, time=0.5, weight_decay=decay
    )
    assert found.order == pytest.approx(1.0, abs=0.1)
    assert (np.diff(found.distances) < 0).all()
    assert found.distances[-1] < 0.01


@pytest.mark.parametrize("N", [2, 3])
@pytest.mark.parametrize("p", [2, 4])
def test_on_real_data_it_is_of_first_order_too(p, N):
    loss = cars(p)
    network = oe.balanced_network(0.5 * start_of(loss), N, hidden=2)
    found = measure_distance_order(network, loss, learning_rates=RATES, time=0.5)
    assert found.order == pytest.approx(1.0, abs=0.1)


def test_an_unbalanced_start_leaves_a_distance_that_no_learning_rate_removes():
    loss = problem(3)
    network = oe.near_zero_network((4, 3, 3, 3), 0.5, rng=0)
    found = measure_distance_order(network, loss, learning_rates=[0.02, 0.01, 0.005], time=4.0)
    assert found.order == pytest.approx(0.0, abs=0.1)
    # It is that of the two gradient flows, where there is no learning rate.
    times = np.linspace(0, 4.0, 201)
    flow = oe.gradient_flow(loss, network, times=times)
    ruled = oe.gradient_flow(loss, network.end_to_end_matrix, depth=3, times=times)
    limit = RuleAgainstNetwork(ruled, flow).distances.max()
    assert limit > 0.05
    assert found.distances[-1] == pytest.approx(limit, rel=0.02)


def test_without_weight_decay_in_the_rule_the_two_would_part():
    loss = problem(3)
    network = oe.balanced_network(start_of(loss), 3)
    options = {"optimizer": oe.GradientDescent(0.001), "steps": 2000}
    decayed = compare_rule_with_network(
        network, loss, learning_rate=0.001, steps=2000, weight_decay=0.2
    )
    plain = oe.descend(loss, network.end_to_end_matrix, depth=3, **options)
    wrong = RuleAgainstNetwork(plain, decayed.network)
    assert decayed.distances.max() < 0.003
    assert wrong.distances.max() > 0.1


@pytest.mark.parametrize("N", [2, 3, 4])
def test_the_path_does_not_depend_on_the_hidden_widths(N):
    loss = problem(3)
    ends = []
    for hidden in (3, 5, 20):
        network = turn_hidden_layers(oe.balanced_network(start_of(loss), N, hidden=hidden))
        run = compare_rule_with_network(network, loss, learning_rate=0.05, steps=200)
        ends.append(run.network.points)
        assert np.count_nonzero(np.abs(network.weights[0]).max(axis=1) > 1e-3) == hidden
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], rtol=0, atol=1e-11)


# --- where it does not ---


def test_random_layers_of_width_1_leave_the_saddle_at_another_time():
    loss = cars(2)
    drawn = oe.near_zero_network((7, 1, 1, 1), 0.1, rng=0)
    half = (loss.value(np.zeros(7)) + least_loss(loss)) / 2
    at_random, balanced = (
        compare_rule_with_network(network, loss, learning_rate=0.1, steps=200)
        for network in (drawn, rebalance(drawn))
    )
    rule, network = at_random.rule.steps_to(half), at_random.network.steps_to(half)
    assert network > 1.2 * rule
    assert balanced.rule.steps_to(half) == rule
    assert balanced.network.steps_to(half) == pytest.approx(rule, rel=0.05)
    assert at_random.distances.max() > 4 * balanced.distances.max()


def test_a_layer_narrower_than_the_theorem_allows_holds_the_network_back():
    # Width 1 leaves the network at rank 1; the rule knows of no widths and learns on.
    loss = synthetic_regression()
    network = rebalance(oe.near_zero_network((4, 1, 3), 0.3, rng=0))
    run = compare_rule_with_network(network, loss, learning_rate=0.1, steps=600)
    ruled, trained = run.singular_values
    assert (trained[:, 1] < 1e-12).all()
    assert ruled[-1, 1] > 0.5
    assert run.rule.losses[-1] < 0.1 * run.network.losses[-1]


# --- the tools ---


@pytest.mark.parametrize("widths", [(4, 3, 3), (4, 1, 3), (4, 6, 2, 5, 3), (3, 3), (7, 1, 1, 1)])
def test_rebalancing_keeps_matrix_and_widths(widths):
    drawn = oe.near_zero_network(widths, 0.5, rng=2)
    even = rebalance(drawn)
    assert even.widths == drawn.widths
    assert even.imbalance() < 1e-14
    np.testing.assert_allclose(even.end_to_end_matrix, drawn.end_to_end_matrix, atol=1e-14)


def test_turning_keeps_matrix_and_imbalance_and_changes_every_layer():
    drawn = oe.near_zero_network((4, 5, 6, 3), 0.5, rng=2)
    turned = turn_hidden_layers(drawn, rng=1)
    np.testing.assert_allclose(turned.end_to_end_matrix, drawn.end_to_end_matrix, atol=1e-14)
    assert turned.imbalance() == pytest.approx(drawn.imbalance(), rel=1e-12)
    for before, after in zip(drawn.weights, turned.weights, strict=True):
        assert np.abs(before - after).max() > 0.1
    again = turn_hidden_layers(drawn, rng=1)
    np.testing.assert_array_equal(again.weights[0], turned.weights[0])


def test_the_synthetic_truth_has_the_singular_values_it_was_given():
    loss = synthetic_regression((2.0, 0.5), inputs=3, noise=0.0, rng=4)
    truth = np.linalg.lstsq(loss.X, loss.y, rcond=None)[0].T
    np.testing.assert_allclose(np.linalg.svd(truth, compute_uv=False), [2.0, 0.5], rtol=1e-12)
    assert loss.value(truth) < 1e-25
    assert loss.reduction == "mean"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rates": [0.1]}, "learning_rates must be two or more"),
        ({"learning_rates": [0.1, 0.1]}, "learning_rates must be two or more"),
        ({"learning_rates": [0.1, -0.1]}, "learning_rates must be positive"),
        ({"time": -1.0}, "time must be in"),
    ],
)
def test_the_order_asks_for_rates_and_a_time(change, message):
    options = {"learning_rates": RATES, "time": 1.0} | change
    with pytest.raises(ValueError, match=message):
        measure_distance_order(oe.balanced_network([0.5, 0.1], 2), oe.SeparableLp(), **options)


def test_there_is_no_order_where_there_is_no_distance():
    loss = oe.SeparableLp()
    with pytest.raises(RuntimeError, match="distances that are finite and above 0"):
        measure_distance_order(
            oe.balanced_network([0.5, 0.1], 1), loss, learning_rates=RATES, time=1.0
        )


def test_the_synthetic_regression_asks_for_inputs_enough():
    with pytest.raises(ValueError, match="inputs must be at least 3"):
        synthetic_regression(inputs=2)
    with pytest.raises(ValueError, match="singular_values must be positive"):
        synthetic_regression((1.0, 0.0))
