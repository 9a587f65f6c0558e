"""Unbalanced layers: the product's flow against the layers' own, its limits and its neighbours."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import overparam_edu as oe

LOSS = oe.SeparableLp((1.0, 0.3), p=4)
IMBALANCES = [-3.0, -0.2, 0.0, 0.2, 3.0]


@pytest.mark.parametrize("c", IMBALANCES)
@pytest.mark.parametrize("angle", [0.3, 2.0, 4.0])
def test_the_product_follows_the_layers(c: float, angle: float) -> None:
    start, times = 0.1 * np.array([np.cos(angle), np.sin(angle)]), np.linspace(0, 3, 7)
    flow = oe.flow_unbalanced(LOSS, start, c, times=times)
    layers = oe.gradient_flow(LOSS, oe.unbalanced_network(start, c), times=times)
    np.testing.assert_allclose(flow.points, layers.points, atol=1e-9)
    np.testing.assert_array_equal(flow.losses, LOSS.value(flow.points))


@pytest.mark.parametrize("c", IMBALANCES)
def test_the_layers_are_what_was_asked_for(c: float) -> None:
    w = np.array([0.3, -0.2, 0.5])
    first, second = oe.unbalanced_network(w, c).weights
    np.testing.assert_allclose(second[0, 0] * first[0], w, rtol=1e-12)
    assert second[0, 0] ** 2 - first[0] @ first[0] == pytest.approx(c, abs=1e-12)
    assert second[0, 0] > 0


def test_balanced_it_is_the_rule_and_far_from_balance_its_limits() -> None:
    w, g = np.random.default_rng(1).standard_normal((2, 5, 3))
    rule = oe.single_output_direction(w, g, 2)
    np.testing.assert_allclose(oe.unbalanced_direction(w, g, 0.0), rule, rtol=1e-12)
    np.testing.assert_allclose(oe.unbalanced_direction(w, g, 1e9) / 1e9, g, atol=1e-8)
    along = (w * g).sum(1, keepdims=True) / (w * w).sum(1, keepdims=True) * w
    np.testing.assert_allclose(oe.unbalanced_direction(w, g, -1e9) / 1e9, along, atol=1e-8)


@pytest.mark.parametrize("c", [-1e12, -1e3, 1e-3, 1e3, 1e12])
def test_no_digits_are_lost_far_from_balance(c: float) -> None:
    w, g = [0.3, 0.4], [1.0, -2.0]
    with mpmath.workdps(50):
        S = mpmath.sqrt(mpmath.mpf(c) ** 2 + 4 * (mpmath.mpf(w[0]) ** 2 + mpmath.mpf(w[1]) ** 2))
        share = (mpmath.mpf(w[0]) * g[0] + mpmath.mpf(w[1]) * g[1]) / (
            mpmath.mpf(w[0]) ** 2 + mpmath.mpf(w[1]) ** 2
        )
        exact = [
            float((S + c) / 2 * g[i] + (S - c) / 2 * share * mpmath.mpf(w[i])) for i in range(2)
        ]
    np.testing.assert_allclose(oe.unbalanced_direction(w, g, c), exact, rtol=1e-14)


@pytest.mark.parametrize("c", IMBALANCES)
def test_it_turns_the_gradient_as_the_rule_of_another_depth(c: float) -> None:
    w, g = np.array([0.7, -0.2]), np.array([0.4, 1.0])
    size = np.sqrt(c**2 + 4 * w @ w)
    rule = oe.single_output_direction(w, g, 2 * size / (size + c))
    step = oe.unbalanced_direction(w, g, c)
    np.testing.assert_allclose(rule / np.linalg.norm(rule), step / np.linalg.norm(step), rtol=1e-12)


def test_from_zero_it_moves_only_with_a_scalar() -> None:
    np.testing.assert_array_equal(oe.unbalanced_direction([0.0, 0.0], [1.0, 2.0], 3.0), [3.0, 6.0])
    np.testing.assert_array_equal(oe.unbalanced_direction([0.0, 0.0], [1.0, 2.0], 0.0), [0.0, 0.0])
    with pytest.raises(ValueError, match="w must not be 0 where imbalance is negative"):
        oe.unbalanced_direction([0.0, 0.0], [1.0, 2.0], -1.0)
    with pytest.raises(ValueError, match="w must not be 0"):
        oe.unbalanced_network([0.0, 0.0], 1.0)


def test_random_layers_leave_zero_when_their_sum_says() -> None:
    loss, times = oe.LinearLoss([-3.0, 4.0]), np.linspace(0, 3, 3_001)
    e = np.array([0.6, -0.8])
    for seed in range(5):
        drawn = oe.near_zero_network((2, 1, 1), 1e-3, rng=seed)
        (first, second), run = drawn.weights, oe.gradient_flow(loss, drawn, times=times)
        feed = abs(float(second[0, 0] + first[0] @ e))
        # The product is a quarter of the square of the sum, which grows as exp(5 t).
        left = times[np.argmax(np.linalg.norm(run.points, axis=1) > 1)]
        assert left == pytest.approx(np.log(2 / feed) / 5, abs=2e-3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="gradient must end with the axis of w"):
        oe.unbalanced_direction([1.0, 2.0], [1.0, 2.0, 3.0], 0.0)
    with pytest.raises(ValueError, match="w must be a vector and imbalance a number"):
        oe.unbalanced_network([[1.0, 2.0]], 0.0)
    with pytest.raises(ValueError, match="start must have shape"):
        oe.flow_unbalanced(LOSS, [1.0, 2.0, 3.0], 0.0, times=[0.0, 1.0])
