"""The warm-up's runs against the two factors written out, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import load_auto_mpg
from overparam_edu.dynamics.warm_up import run_warm_up, two_feature_loss


@pytest.mark.parametrize("p", [2, 4])
def test_a_run_is_gradient_descent_on_both_factors(p):
    loss, w1, omega2 = two_feature_loss(p), np.array([0.3, -0.2]), 0.5
    run = run_warm_up(loss, w1, omega2, learning_rate=0.05, steps=40)
    cars = load_auto_mpg(standardized=True)
    X = np.stack([cars.X[:, 3], cars.X[:, 4]], axis=1)
    for t in range(40):
        g = X.T @ ((X @ (w1 * omega2) - cars.y) ** (p - 1)) / len(X)
        np.testing.assert_allclose(run.points[t], w1 * omega2, rtol=1e-12)
        np.testing.assert_allclose(run.gradients[t], g, rtol=1e-11, atol=1e-14)
        assert run.omega2[t] == pytest.approx(omega2, rel=1e-12)
        assert run.d_omega2[t] == pytest.approx(w1 @ g, rel=1e-10, abs=1e-14)
        w1, omega2 = w1 - 0.05 * omega2 * g, omega2 - 0.05 * (w1 @ g)
    np.testing.assert_allclose(run.points[-1], w1 * omega2, rtol=1e-12)
    assert (run.points.shape, run.gradients.shape) == ((41, 2), (40, 2))
    assert (run.omega2.shape, run.d_omega2.shape) == ((41,), (40,))
    assert run.learning_rate == 0.05


def test_the_scalars_slope_is_the_derivative_of_the_loss():
    loss, w1, omega2, h = two_feature_loss(4), np.array([0.3, -0.2]), 0.5, 1e-6
    run = run_warm_up(loss, w1, omega2, learning_rate=0.05, steps=1)
    above, below = (loss.value(w1 * (omega2 + e)) for e in (h, -h))
    assert run.d_omega2[0] == pytest.approx((above - below) / (2 * h), rel=1e-8)


def test_the_two_features_pull_apart():
    loss = two_feature_loss(2)
    least = np.linalg.lstsq(loss.X, loss.y, rcond=None)[0]
    np.testing.assert_allclose(loss.gradient(least), 0, atol=1e-12)
    # The direct way there is far from the gradient at 0: the path turns.
    g = -loss.gradient([0.0, 0.0])
    assert g @ least / np.linalg.norm(g) / np.linalg.norm(least) < 0.97


def test_from_zero_nothing_moves():
    run = run_warm_up(two_feature_loss(2), [0.0, 0.0], 0.0, learning_rate=0.1, steps=5)
    assert not run.points.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w1": [0.1]}, r"w1 must have the shape \(d,\) of the loss, \(2,\); got \(1,\)"),
        ({"w1": [0.1, np.nan]}, "w1 must be finite"),
        ({"omega2": np.inf}, "omega2 must be finite"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"steps": -1}, "steps must be at least 0"),
        ({"learning_rate": 50.0, "steps": 100}, "with 50 the run diverges at step"),
    ],
)
def test_bad_arguments_are_named(change, message):
    good = {"w1": [0.1, 0.1], "omega2": 0.1, "learning_rate": 0.1, "steps": 10}
    with pytest.raises(ValueError, match=message):
        run_warm_up(two_feature_loss(4), **(good | change))
