"""The rule against the real layers that it is a rule about."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def regression(outputs, p):
    targets = random(8 if outputs == 1 else (8, outputs), 1)
    return oe.LpRegression(random((8, 4)), targets, p=p, reduction="mean")


def distance_to_layers(loss, start, N, rate, time, hidden=None, decay=0.0):
    """Return how far the rule ends from real layers that start balanced, at eta * steps = time."""
    options = {
        "optimizer": oe.GradientDescent(rate),
        "steps": round(time / rate),
        "weight_decay": decay,
    }
    rule = oe.descend(loss, start, depth=N, **options)
    layers = oe.train(oe.balanced_network(start, N, hidden=hidden), loss, **options)
    return np.abs(rule.points - layers.points).max()


@pytest.mark.parametrize("decay", [0.0, 0.2])
@pytest.mark.parametrize("N", [2, 3, 4])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_rule_leaves_the_layers_at_first_order_in_the_learning_rate(outputs, N, decay):
    loss = regression(outputs, p=2)
    start = 0.5 * random(loss.shape, 3)
    rates = np.array([0.02, 0.01, 0.005, 0.0025])
    gaps = [distance_to_layers(loss, start, N, rate, 1.0, decay=decay) for rate in rates]
    order = np.polyfit(np.log(rates), np.log(gaps), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("N", [2, 3, 4])
def test_layers_of_any_hidden_widths_end_at_the_same_place(N):
    loss = regression(3, p=4)
    start = 0.5 * random(loss.shape, 3)
    ends = [
        oe.train(
            oe.balanced_network(start, N, hidden=hidden),
            loss,
            optimizer=oe.GradientDescent(0.01),
            steps=100,
        ).points[-1]
        for hidden in (3, 4, 9)
    ]
    # Zeros beside a balanced start stay zeros, so this holds at any learning rate.
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ends[2], ends[0], rtol=0, atol=1e-12)


def test_one_layer_is_the_rule_exactly():
    loss = regression(3, p=4)
    start = 0.5 * random(loss.shape, 3)
    assert distance_to_layers(loss, start, 1, 0.01, 1.0) < 1e-13
