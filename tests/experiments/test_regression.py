"""Learning curves against the loops they are made of; the least loss against other ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from overparam_edu import (
    AdaDelta,
    Adam,
    GradientDescent,
    LinearNetwork,
    LpRegression,
    descend,
    identity_network,
    load_auto_mpg,
    near_zero_network,
    train,
)
from overparam_edu.experiments.curves import (
    WidthOneRun,
    curvature_at_zero,
    learning_curves,
    least_loss,
    log_spaced,
)


@pytest.fixture(scope="module")
def cars() -> tuple[np.ndarray, np.ndarray]:
    data = load_auto_mpg(standardized=True)
    return data.X, data.y


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_least_squares(cars, reduction: str) -> None:
    X, y = cars
    w = np.linalg.solve(X.T @ X, X.T @ y)  # the normal equations
    expected = np.sum((X @ w - y) ** 2) / 2 / (len(y) if reduction == "mean" else 1)
    assert least_loss(LpRegression(X, y, p=2, reduction=reduction)) == pytest.approx(
        expected, rel=1e-10
    )


def test_least_fourth_powers_by_newtons_method(cars) -> None:
    X, y = cars
    found = minimize(
        lambda w: np.mean((X @ w - y) ** 4) / 4,
        np.zeros(7),
        jac=lambda w: ((X @ w - y) ** 3 @ X) / len(y),
        hess=lambda w: 3 * (X.T * (X @ w - y) ** 2) @ X / len(y),
        method="trust-exact",
        options={"gtol": 1e-12},
    )
    loss = LpRegression(X, y, p=4, reduction="mean")
    assert least_loss(loss) == pytest.approx(found.fun, rel=1e-10)


def test_several_outputs_are_the_sum_of_each(cars) -> None:
    X, y = cars
    both = LpRegression(X[:, 1:], np.stack([y, X[:, 0]], axis=1), p=2)
    each = [least_loss(LpRegression(X[:, 1:], column, p=2)) for column in (y, X[:, 0])]
    assert least_loss(both) == pytest.approx(sum(each), rel=1e-9)


# --- learning curves ---


def test_gradient_descent_on_squares_has_a_closed_form(cars) -> None:
    X, y = cars
    (curves,) = learning_curves(X, y, p=2, depths=[1], rates=[0.1, 0.3], seeds=[4], steps=50)
    H, best = X.T @ X / len(y), np.linalg.lstsq(X, y, rcond=None)[0]
    start = near_zero_network((7, 1), 1e-2, rng=4).end_to_end_matrix[0]
    for i, t in enumerate(curves.steps):
        for j, rate in enumerate((0.1, 0.3)):
            power = np.linalg.matrix_power(np.eye(7) - rate * H, t)
            w = best + power @ (start - best)
            expected = np.mean((X @ w - y) ** 2) / 2
            assert curves.losses[i, 0, j] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("optimizer", "kind"), [("gradient descent", GradientDescent), ("Adam", Adam)]
)
def test_every_lane_is_the_run_that_it_stands_for(cars, optimizer, kind) -> None:
    X, y = cars
    rates, seeds = [0.01, 0.05], [3, 8]
    loss = LpRegression(X, y, p=4, reduction="mean")
    for curves in learning_curves(
        X, y, depths=[1, 3], optimizer=optimizer, rates=rates, seeds=seeds, scale=0.3, steps=60
    ):
        assert curves.losses.shape == (len(curves.steps), 2, 2)
        for i, seed in enumerate(seeds):
            network = near_zero_network((7, *[1] * curves.depth), 0.3, rng=seed)
            for j, rate in enumerate(rates):
                run = train(network, loss, optimizer=kind(rate), steps=60, record=curves.steps)
                np.testing.assert_allclose(curves.losses[:, i, j], run.losses, rtol=1e-11)


def test_the_starts_are_what_their_names_say(cars) -> None:
    X, y = cars

    def at_the_start(start: str, depth: int) -> LinearNetwork:
        return WidthOneRun(X, y, 4.0, depth, "Adam", (1.0,), (5,), (0,), start, 0.1)._start(5)

    for depth in (1, 2, 5):
        balanced = at_the_start("balanced", depth)
        assert balanced.imbalance() < 1e-15
        drawn = np.random.default_rng(5).standard_normal(7)
        np.testing.assert_allclose(balanced.end_to_end_matrix[0], 0.1 * drawn, rtol=1e-12)
        orthogonal = at_the_start("orthogonal", depth)
        for W in orthogonal.weights:
            np.testing.assert_allclose(W @ W.T, [[1.0]], rtol=1e-12)
        widths = (7, *[1] * depth)
        near_zero = near_zero_network(widths, 0.1, rng=5).end_to_end_matrix
        assert np.array_equal(at_the_start("near zero", depth).end_to_end_matrix, near_zero)
        identity = identity_network(widths, 0.1, rng=5).end_to_end_matrix
        assert np.array_equal(at_the_start("identity", depth).end_to_end_matrix, identity)


def test_the_rule_is_descend_and_balanced_layers_stay_near_it(cars) -> None:
    X, y = cars
    loss = LpRegression(X, y, p=4, reduction="mean")
    options = {"depths": [2], "rates": [0.003], "seeds": [1], "steps": 2_000}
    (rule,) = learning_curves(X, y, start="rule", **options)
    start = 1e-2 * np.random.default_rng(1).standard_normal(7)
    run = descend(
        loss, start, depth=2, optimizer=GradientDescent(0.003), steps=2_000, record=rule.steps
    )
    np.testing.assert_allclose(rule.losses[:, 0, 0], run.losses, rtol=1e-11)
    (balanced,) = learning_curves(X, y, start="balanced", **options)
    gap = np.abs(balanced.losses / rule.losses - 1).max()
    assert 0 < gap < 0.02


def test_divergence_is_told_and_stays_in_its_lane(cars) -> None:
    X, y = cars
    (curves,) = learning_curves(X, y, depths=[1], rates=[0.1, 10.0], steps=100)
    assert np.array_equal(curves.diverged_at[:, 0], [-1, -1, -1])
    assert np.all((curves.diverged_at[:, 1] > 0) & (curves.diverged_at[:, 1] < 20))
    assert np.isfinite(curves.losses[:, :, 0]).all()
    assert np.isnan(curves.losses[-1, :, 1]).all()


def test_adadelta_is_tried_on_rates_of_its_own(cars) -> None:
    X, y = cars
    (curves,) = learning_curves(X, y, depths=[1], optimizer="AdaDelta", seeds=[0], steps=5)
    loss = LpRegression(X, y, p=4, reduction="mean")
    network = near_zero_network((7, 1), 1e-2, rng=0)
    run = train(network, loss, optimizer=AdaDelta(curves.rates[-1]), steps=5)
    assert curves.losses[-1, 0, -1] == pytest.approx(run.losses[-1], rel=1e-12)


@pytest.mark.parametrize(("steps", "count"), [(1, 3), (10, 200), (1_000_000, 200), (50, 3)])
def test_recorded_steps_are_even_on_a_logarithmic_axis(steps: int, count: int) -> None:
    kept = log_spaced(steps, count=count)
    assert kept[0] == 0
    assert kept[-1] == steps
    assert len(kept) <= count
    assert np.all(np.diff(kept) > 0)
    large = kept[kept > 100].astype(float)
    if len(large) > 2:
        ratios = large[1:] / large[:-1]
        assert ratios.max() / ratios.min() < 1.02


@pytest.mark.parametrize("p", [2, 3, 4])
def test_curvature_by_finite_differences(cars, p: int) -> None:
    X, y = cars
    loss, h = LpRegression(X, y, p, reduction="mean"), 1e-5
    hessian = (loss.gradient(h * np.eye(7)) - loss.gradient(-h * np.eye(7))) / (2 * h)
    expected = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    assert curvature_at_zero(X, y, p) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "SGD"}, "optimizer must be one of 'gradient descent'"),
        ({"start": "zero"}, "start must be one of 'near zero'"),
        ({"depths": [0]}, "depths must be at least 1; got 0"),
        ({"rates": [0.1, -1]}, "rates must be positive"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"seeds": [-1]}, "seeds must be at least 0; got -1"),
        ({"p": 1}, "p must be in"),
        ({"records": 2}, "records must be at least 3"),
        ({"y": [[1.0], [2.0]]}, r"y must have shape \(n,\); got \(2, 1\)"),
    ],
)
def test_bad_arguments_are_named(options: dict, words: str) -> None:
    arguments = {"X": [[1.0], [2.0]], "y": [1.0, 2.0], **options}
    with pytest.raises(ValueError, match=words):
        learning_curves(arguments.pop("X"), arguments.pop("y"), **arguments)
