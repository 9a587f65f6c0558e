"""The warm-up's coefficients against loops, and the order of the rebuilt run's error."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu.derivations import rebuild_from_gradients, warm_up_coefficients


def run(eta, *, total=0.6, w1=(0.0, 0.0, 0.0), omega2=0.5):
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
    scalars, slopes, _, _ = run(eta)
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
    scalars, slopes, _, _ = run(0.01)
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
        scalars, slopes, gradients, path = run(eta, w1=w1)
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
        (([1.0], [1.0, 2.0], 0.1), "d_omega2 must have the shape of omega2"),
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
