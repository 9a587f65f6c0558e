"""How it moves in the limit: closed forms, what is conserved, and the way steps approach it."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu import GradientDescent, LinearLoss, SeparableLp, descend, gradient_flow, train

TIMES = np.linspace(0.0, 3.0, 13)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def regression(k=2, p=4):
    y = random(8, 1) if k == 1 else random((8, k), 1)
    return oe.LpRegression(random((8, 4)), y, p=p, reduction="mean")


def order(rates, errors):
    return np.polyfit(np.log(rates), np.log(errors), 1)[0]


# --- closed forms, derived from w' = -F_N(w) ---


def test_a_quadratic_at_depth_1_decays_exponentially():
    flow = gradient_flow(SeparableLp((1.0, 0.1), p=2), [3.0, -2.0], times=TIMES)
    y, start = np.array([1.0, 0.1]), np.array([3.0, -2.0])
    np.testing.assert_allclose(flow.points, y + np.exp(-TIMES)[:, None] * (start - y), **CLOSE)


@pytest.mark.parametrize("p", [3, 4, 6])
def test_a_power_at_depth_1_decays_as_a_power_of_time(p):
    # r' = -r^(p-1) gives r^(2-p) = r0^(2-p) + (p-2) t: the crawl of the ill-conditioned coordinate.
    flow = gradient_flow(SeparableLp([0.1], p=p), [0.6], times=TIMES)
    r = (0.5 ** (2 - p) + (p - 2) * TIMES) ** (-1 / (p - 2))
    np.testing.assert_allclose(flow.points[:, 0], 0.1 + r, **CLOSE)


@pytest.mark.parametrize("w0", [1e-8, 0.01, 0.3, 5.0])
def test_a_quadratic_at_depth_2_in_one_dimension_is_a_logistic_curve(w0):
    # w' = 2 w (y - w) while w > 0.
    y = 1.5
    flow = gradient_flow(SeparableLp([y], p=2), [w0], depth=2, times=TIMES)
    expected = y / (1 + (y / w0 - 1) * np.exp(-2 * y * TIMES))
    np.testing.assert_allclose(flow.points[:, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("N", [1, 1.5, 2, 3, 4.5])
def test_on_a_linear_loss_a_power_of_w_grows_linearly(N):
    # w' = N w^(2-2/N): linear growth at depth 1, exponential at 2, of w^(2/N-1) otherwise.
    w0, times = 0.2, np.linspace(0, 0.4, 5)
    flow = gradient_flow(LinearLoss([-1.0]), [w0], depth=N, times=times)
    if N == 2:
        expected = w0 * np.exp(2 * times)
    else:
        expected = (w0 ** (2 / N - 1) + (2 - N) * times) ** (1 / (2 / N - 1))
    np.testing.assert_allclose(flow.points[:, 0], expected, **CLOSE)


@pytest.mark.parametrize("N", [2, 3.5])
def test_towards_the_target_of_a_round_bowl_the_flow_stays_on_its_line(N):
    y = np.array([3.0, 4.0])
    plane = gradient_flow(SeparableLp(y, p=2), 0.01 * y, depth=N, times=TIMES)
    line = gradient_flow(SeparableLp([5.0], p=2), [0.05], depth=N, times=TIMES)
    np.testing.assert_allclose(plane.points, line.points * y / 5, rtol=1e-8)


@pytest.mark.parametrize("N", [1, 2, 3])
def test_weight_decay_alone_is_exponential_at_depth_times_the_rate(N):
    flow = gradient_flow(
        LinearLoss([0.0, 0.0]), [1.0, -2.0], depth=N, times=TIMES, weight_decay=0.3
    )
    expected = np.exp(-0.3 * N * TIMES)[:, None] * [1.0, -2.0]
    np.testing.assert_allclose(flow.points, expected, **CLOSE)


def test_a_flow_starts_where_it_is_told_and_at_zero_stays_there():
    loss = SeparableLp((1.0, 0.1))
    flow = gradient_flow(loss, [0.3, 0.2], depth=3, times=[0.0])
    assert np.array_equal(flow.points, [[0.3, 0.2]])
    assert not gradient_flow(loss, [0.0, 0.0], depth=2, times=[0.0, 5.0]).points.any()


def test_a_flow_recorded_sparsely_is_a_selection():
    loss = SeparableLp((1.0, 0.1))
    full = gradient_flow(loss, [0.3, 0.2], depth=3, times=TIMES)
    some = gradient_flow(loss, [0.3, 0.2], depth=3, times=TIMES[[2, 5, 12]])
    np.testing.assert_allclose(some.points, full.points[[2, 5, 12]], rtol=1e-10)
    assert np.array_equal(some.times, TIMES[[2, 5, 12]])
    np.testing.assert_allclose(full.losses, loss.value(full.points), rtol=1e-13)


@pytest.mark.parametrize("N", [1, 2, 3.7])
def test_the_loss_never_rises_along_a_flow(N):
    flow = gradient_flow(regression(k=1), 0.5 * random(4, 2), depth=N, times=np.arange(0, 20, 0.1))
    assert np.all(np.diff(flow.losses) <= 1e-14)


# --- layers ---


def conserved(weights):
    """Return W_{j+1}^T W_{j+1} - W_j W_j^T for every record and pair of neighbours."""
    return [
        np.swapaxes(weights[j + 1], -1, -2) @ weights[j + 1]
        - weights[j] @ np.swapaxes(weights[j], -1, -2)
        for j in range(len(weights) - 1)
    ]


@pytest.mark.parametrize("widths", [(4, 3, 2), (4, 2, 5, 2), (4, 1, 1, 1, 2)])
@pytest.mark.parametrize("p", [2, 4])
def test_the_flow_of_unbalanced_layers_conserves_their_imbalance(widths, p):
    network = oe.near_zero_network(widths, 0.9, rng=1)
    flow = gradient_flow(regression(p=p), network, times=TIMES)
    assert np.abs(flow.points[-1] - flow.points[0]).max() > 0.1
    for gap in conserved(flow.weights):
        assert np.abs(gap[0]).max() > 0.1, "a balanced start would test too little"
        np.testing.assert_allclose(gap, np.broadcast_to(gap[0], gap.shape), rtol=0, atol=1e-9)


def test_gradient_descent_conserves_the_imbalance_only_to_first_order_in_its_rate():
    network, loss = oe.near_zero_network((4, 3, 2), 0.6, rng=1), regression()
    rates, drifts = [0.02, 0.01, 0.005], []
    for rate in rates:
        run = train(network, loss, optimizer=GradientDescent(rate), steps=round(2 / rate))
        (gap,) = conserved(run.weights)
        drifts.append(np.abs(gap[-1] - gap[0]).max())
    assert drifts[0] > 1e-5
    assert order(rates, drifts) == pytest.approx(1.0, abs=0.1)


def test_weight_decay_makes_the_imbalance_die_out_at_twice_its_rate():
    network = oe.near_zero_network((4, 3, 2), 0.6, rng=1)
    flow = gradient_flow(regression(), network, times=TIMES, weight_decay=0.4)
    (gap,) = conserved(flow.weights)
    expected = np.exp(-2 * 0.4 * TIMES)[:, None, None] * gap[0]
    np.testing.assert_allclose(gap, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("N", [1, 2, 3, 4])
@pytest.mark.parametrize("k", [1, 2])
def test_from_a_balanced_start_the_flow_of_layers_is_the_flow_of_the_rule(k, N, decay):
    """Theorem 1, with weight decay as in the paper."""
    loss = regression(k)
    start = 0.5 * random(loss.shape, 3)
    options = {"times": TIMES, "weight_decay": decay}
    rule = gradient_flow(loss, start, depth=N, **options)
    for hidden in (None, k + 3):
        network = oe.balanced_network(start, N, hidden=hidden)
        layers = gradient_flow(loss, network, **options)
        np.testing.assert_allclose(layers.points, rule.points, rtol=0, atol=1e-9)
        np.testing.assert_allclose(layers.losses, rule.losses, rtol=0, atol=1e-9)


def test_from_an_unbalanced_start_it_is_not():
    loss, network = regression(), oe.near_zero_network((4, 3, 2), 0.6, rng=1)
    layers = gradient_flow(loss, network, times=TIMES)
    rule = gradient_flow(loss, network.end_to_end_matrix, depth=2, times=TIMES)
    assert np.abs(layers.points - rule.points).max() > 0.05


# --- steps approach the flow ---


@pytest.mark.parametrize(
    ("loss", "start", "N"),
    [
        (SeparableLp((1.0, 0.1), p=2), [0.3, 0.2], 1),
        (SeparableLp((1.0, 0.1), p=4), [0.3, 0.2], 2.5),
        (regression(1), 0.3 * random(4, 3), 3),
        (regression(2, p=2), 0.3 * random((2, 4), 3), 3),
    ],
)
def test_descent_approaches_the_flow_at_first_order_in_its_rate(loss, start, N):
    rates, errors = np.array([0.01, 0.005, 0.0025, 0.00125]), []
    (end,) = gradient_flow(loss, start, depth=N, times=[2.0]).points
    for rate in rates:
        run = descend(loss, start, depth=N, optimizer=GradientDescent(rate), steps=round(2 / rate))
        assert run.times[-1] == pytest.approx(2.0)
        errors.append(np.abs(run.points[-1] - end).max())
    assert order(rates, errors) == pytest.approx(1.0, abs=0.1)


def test_training_approaches_the_flow_of_layers_at_first_order_in_its_rate():
    loss, network = regression(), oe.near_zero_network((4, 3, 2), 0.6, rng=1)
    rates, errors = np.array([0.04, 0.02, 0.01, 0.005]), []
    (end,) = gradient_flow(loss, network, times=[2.0]).points
    for rate in rates:
        run = train(network, loss, optimizer=GradientDescent(rate), steps=round(2 / rate))
        errors.append(np.abs(run.points[-1] - end).max())
    assert order(rates, errors) == pytest.approx(1.0, abs=0.1)


# --- flows that end early ---


def test_a_flow_that_blows_up_is_reported_at_its_first_record_after_that():
    # w' = 4 w^(3/2) from 1/4 is infinite at t = 1: w^(-1/2) = 2 - 2 t.
    times = [0.0, 0.5, 0.9, 1.1, 2.0]
    flow = gradient_flow(LinearLoss([-1.0]), [0.25], depth=4, times=times)
    np.testing.assert_allclose(flow.points[:3, 0], (2 - 2 * np.array(times[:3])) ** -2.0, **CLOSE)
    assert flow.diverged_at == 3
    assert np.isnan(flow.points[3:]).all()
    assert np.isnan(flow.losses[3:]).all()
    late = gradient_flow(LinearLoss([-1.0]), [0.25], depth=4, times=[1.5, 2.0])
    assert late.diverged_at == 0
    assert np.isnan(late.points).all()


def test_layers_that_blow_up_are_reported_with_their_weights():
    network = oe.balanced_network([0.25], 4)
    flow = gradient_flow(LinearLoss([-1.0]), network, times=[0.0, 0.5, 1.5])
    assert flow.diverged_at == 2
    for W in flow.weights:
        assert np.isfinite(W[:2]).all()
        assert np.isnan(W[2]).all()


class Root:
    """A loss of the user's own that is defined for w > 0 only: sqrt(w)."""

    shape = (1,)

    def value(self, w):
        return np.sqrt(w[..., 0])

    def gradient(self, w):
        return 0.5 / np.sqrt(w)


def test_a_flow_that_leaves_the_domain_of_its_loss_is_reported():
    # w' = -1 / (2 sqrt(w)) reaches 0 at t = 4/3 w0^(3/2).
    flow = gradient_flow(Root(), [1.0], times=[0.0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(
        flow.points[:3, 0], (1 - 0.75 * np.array([0, 0.5, 1.0])) ** (2 / 3), rtol=1e-9
    )
    assert flow.diverged_at == 3


@pytest.mark.parametrize("start", [0.0, -1.0])
def test_a_flow_with_no_velocity_at_its_start_is_reported(start):
    with np.errstate(all="ignore"):
        flow = gradient_flow(Root(), [start], times=[0.0, 1.0])
    assert flow.diverged_at == (1 if start == 0 else 0)
    assert np.isnan(flow.points[-1]).all()
