"""The warm-up's runs against the two factors written out, its coefficients against loops."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import (
    load_auto_mpg,
    rebuild_from_gradients,
    run_warm_up,
    two_feature_loss,
    warm_up_coefficients,
)


def two_factors(eta, *, total=0.6, w1=(0.0, 0.0, 0.0), omega2=0.5):
    """Gradient descent on (w1, omega2) for a small l_4 regression; record what the rule needs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3))
    y = x @ np.array([1.0, -0.5, 0.3])
    first, scalar = np.array(w1), omega2
    scalars, slopes, gradients, path = [], [], [], []
    for _ in range(round(total / eta)):
        w = first * scalar
        gradient = x.T @ (x @ w - y) ** 3 / len(y)
        slope = first @ gradient
        scalars.append(scalar)
        slopes.append(slope)
        gradients.append(gradient)
        path.append(w)
        first, scalar = first - eta * scalar * gradient, scalar - eta * slope
    return (
        np.array(scalars),
        np.array(slopes),
        np.array(gradients),
        np.array([*path, first * scalar]),
    )


def test_coefficients_equal_their_definition():
    eta = 0.05
    scalars, slopes, _, _ = two_factors(eta)
    rho, gamma, mu = warm_up_coefficients(scalars, slopes, eta)
    assert mu.shape == (len(scalars),) * 2
    for t in range(len(scalars)):
        assert rho[t] == pytest.approx(eta * scalars[t] ** 2)
        assert gamma[t] == pytest.approx(eta * slopes[t] / scalars[t])
        for tau in range(len(scalars)):
            fade = np.prod(1 - gamma[tau + 1 : t])
            expected = -gamma[t] * rho[tau] * fade if tau < t else 0.0
            assert mu[t, tau] == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_memory_does_not_fade_while_the_scalar_grows():
    scalars, slopes, _, _ = two_factors(0.01)
    rho, gamma, mu = warm_up_coefficients(scalars, slopes, 0.01)
    assert np.all(np.diff(scalars) >= 0)
    assert np.all(gamma <= 0)
    assert np.all(mu >= 0)
    # The telescoped form: mu needs the scalar alone.
    t, tau = 40, 3
    assert mu[t, tau] == pytest.approx(-gamma[t] * rho[tau] * scalars[t] / scalars[tau + 1])


@pytest.mark.parametrize("w1", [(0.0, 0.0, 0.0), (0.02, 0.01, -0.01)])
def test_rebuilt_run_converges_at_first_order(w1):
    errors = []
    etas = np.array([0.01, 0.005, 0.0025, 0.00125])
    for eta in etas:
        scalars, slopes, gradients, path = two_factors(eta, w1=w1)
        rebuilt = rebuild_from_gradients(
            warm_up_coefficients(scalars, slopes, eta), gradients, start=path[0]
        )
        errors.append(np.linalg.norm(rebuilt[-1] - path[-1]) / np.linalg.norm(path[-1]))
    order = np.polyfit(np.log(etas), np.log(errors), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)


def test_rates_may_change_and_a_factor_may_vanish():
    rho, gamma, mu = warm_up_coefficients([1.0, 1.0, 1.0, 1.0], [0.0, 10.0, 1.0, 1.0], [0.1] * 4)
    assert gamma[1] == 1.0  # the factor 1 - gamma is 0: a quotient of products would fail
    assert np.all(np.isfinite(mu))
    assert mu[3, 0] == 0.0
    assert rho == pytest.approx([0.1] * 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [[1.0]], 0.1), r"omega2 must have shape \(T,\)"),
        (([1.0], [1.0, 2.0], 0.1), r"d_omega2 must have shape \(1,\); got \(2,\)"),
        (([1.0], [1.0], [0.1, 0.2]), "eta must be one number or have the shape"),
        (([1.0], [1.0], 0.0), "eta must be positive"),
        (([1.0, 0.0], [1.0, 1.0], 0.1), "omega2 must not be 0; got 0 at update 1"),
        (([1.0, np.nan], [1.0, 1.0], 0.1), "omega2 must be finite"),
    ],
)
def test_bad_records_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        warm_up_coefficients(*arguments)


def test_bad_gradients_are_named():
    coefficients = warm_up_coefficients([1.0, 1.0], [0.0, 0.0], 0.1)
    with pytest.raises(ValueError, match=r"gradients must have shape \(T, d\) with T = 2"):
        rebuild_from_gradients(coefficients, [[1.0]])
    with pytest.raises(ValueError, match=r"start must have shape \(1,\)"):
        rebuild_from_gradients(coefficients, [[1.0], [1.0]], start=[1.0, 2.0])
    with pytest.raises(TypeError, match="omega2 must be real numbers"):
        warm_up_coefficients(["a"], [1.0], 0.1)


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
        ({"w1": [0.1]}, r"w1 must have shape \(2,\); got \(1,\)"),
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
