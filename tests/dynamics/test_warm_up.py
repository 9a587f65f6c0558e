"""The warm-up's runs against the two factors written out, its coefficients against loops."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import (
    LpRegression,
    load_auto_mpg,
    rebuild_from_gradients,
    run_warm_up,
    two_feature_loss,
    warm_up_coefficients,
)


def small_run(eta, w1=(0.0, 0.0, 0.0)):
    """Return a run on a small l_4 regression, for a time of 0.6."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    loss = LpRegression(X, X @ np.array([1.0, -0.5, 0.3]), p=4, reduction="mean")
    return run_warm_up(loss, w1, 0.5, learning_rate=eta, steps=round(0.6 / eta))


def coefficients(run):
    return warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)


def test_coefficients_equal_their_definition():
    run = small_run(0.05)
    rho, gamma, mu = coefficients(run)
    assert mu.shape == (12, 12)
    for t in range(12):
        assert rho[t] == pytest.approx(0.05 * run.omega2[t] ** 2)
        assert gamma[t] == pytest.approx(0.05 * run.d_omega2[t] / run.omega2[t])
        for tau in range(12):
            fade = np.prod(1 - gamma[tau + 1 : t])
            expected = -gamma[t] * rho[tau] * fade if tau < t else 0.0
            assert mu[t, tau] == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_memory_does_not_fade_while_the_scalar_grows():
    run = small_run(0.01)
    rho, gamma, mu = coefficients(run)
    assert np.all(np.diff(run.omega2) >= 0)
    assert np.all(gamma <= 0)
    assert np.all(mu >= 0)
    # The telescoped form: mu needs the scalar alone.
    t, tau = 40, 3
    assert mu[t, tau] == pytest.approx(-gamma[t] * rho[tau] * run.omega2[t] / run.omega2[tau + 1])


@pytest.mark.parametrize("w1", [(0.0, 0.0, 0.0), (0.02, 0.01, -0.01)])
def test_rebuilt_run_converges_at_first_order(w1):
    errors = []
    etas = np.array([0.01, 0.005, 0.0025, 0.00125])
    for eta in etas:
        run = small_run(eta, w1)
        rebuilt = rebuild_from_gradients(coefficients(run), run.gradients, start=run.points[0])
        end = run.points[-1]
        errors.append(np.linalg.norm(rebuilt[-1] - end) / np.linalg.norm(end))
    order = np.polyfit(np.log(etas), np.log(errors), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)


def test_rates_may_change_and_a_factor_may_vanish():
    rho, gamma, mu = warm_up_coefficients([1.0, 1.0, 1.0, 1.0], [0.0, 10.0, 1.0, 1.0], [0.1] * 4)
    assert gamma[1] == 1.0  # the factor 1 - gamma is 0: a quotient of products would fail
    assert np.all(np.isfinite(mu))
    assert mu[3, 0] == 0.0
    assert rho == pytest.approx([0.1] * 4)


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
