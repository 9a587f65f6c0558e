"""Near a minimum: against the rule itself, bounds, closed forms and a search over all depths."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe

RNG = np.random.default_rng(0)


def bowls(d: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    A = RNG.standard_normal((count, d, d))
    return A @ np.swapaxes(A, 1, 2) + 0.05 * np.eye(d), RNG.standard_normal((count, d))


@pytest.mark.parametrize("d", [1, 2, 3, 6])
@pytest.mark.parametrize("N", [1, 1.5, 2, 3, 8])
def test_curvatures_are_those_of_the_rules_jacobian(d: int, N: float) -> None:
    (H,), (w,) = bowls(d, 1)
    h = 1e-6
    columns = [
        (oe.single_output_direction(w + n, H @ n, N) - oe.single_output_direction(w - n, -H @ n, N))
        / (2 * h)
        for n in h * np.eye(d)
    ]
    expected = np.sort(np.linalg.eigvals(np.array(columns).T).real)
    np.testing.assert_allclose(oe.curvatures_near(H, w, N), expected, rtol=1e-5)


def test_depth_changes_the_condition_number_by_a_factor_n_at_most() -> None:
    H, w = bowls(4, 200)
    for N in (2, 3, 7):
        factor = oe.condition_near(H, w, N) / oe.condition_near(H, w)
        assert np.all((factor >= 1 / N - 1e-9) & (factor <= N + 1e-9))


def test_along_an_axis_the_condition_number_is_known() -> None:
    curvatures = np.array([0.1, 1.0, 3.0])
    for axis, N in ((0, 5), (1, 2), (2, 4)):
        seen = curvatures * np.where(np.arange(3) == axis, N, 1)
        kappa = oe.condition_near(np.diag(curvatures), np.eye(3)[axis] * 0.3, N)
        assert float(kappa) == pytest.approx(seen.max() / seen.min(), rel=1e-12)


def test_the_best_depth_is_the_best_of_all() -> None:
    for d in (2, 3, 5):
        for H, w in zip(*bowls(d, 20), strict=True):
            kappa = oe.condition_near(H, w, np.arange(1, 3_000))
            best = oe.best_depth(H, w)
            assert best < 2_999
            assert kappa[best - 1] == pytest.approx(kappa.min(), rel=1e-9)


def test_in_the_plane_it_is_the_ratio_of_the_curvatures() -> None:
    for H, w in zip(*bowls(2, 50), strict=True):
        u = w / np.linalg.norm(w)
        v = np.array([-u[1], u[0]])
        h, k, m = u @ H @ u, v @ H @ v, u @ H @ v
        assert abs(oe.best_depth(H, w) - max(1, k / h)) < 1
        if k > h:
            r = abs(m) / np.sqrt(h * k)
            kappa = float(oe.condition_near(H, w, k / h))
            assert kappa == pytest.approx((1 + r) / (1 - r), rel=1e-9)


def test_the_condition_number_predicts_the_steps() -> None:
    H, w, depths = (
        np.array([[0.1, 0.05], [0.05, 1.0]]),
        np.array([1.0, 0.1]),
        np.array([1, 2, 4, 8]),
    )
    ends = oe.curvatures_near(H, w, depths)
    run = oe.descend(
        oe.QuadraticLoss(H, w),
        w + np.array([-1e-4, 1e-4]),
        depth=depths,
        optimizer=oe.GradientDescent(2 / (ends[:, 0] + ends[:, 1])),
        steps=300,
    )
    kappa = oe.condition_near(H, w, depths)
    predicted = np.log(1e-8) / (2 * np.log((kappa - 1) / (kappa + 1)))
    np.testing.assert_allclose(run.steps_to(1e-8 * run.losses[0]), predicted, atol=1.1, rtol=0.01)


def test_auto_mpg_pays_for_depth() -> None:
    cars = oe.load_auto_mpg(standardized=True)
    H, w = cars.X.T @ cars.X / len(cars.y), np.linalg.lstsq(cars.X, cars.y)[0]
    kappa = oe.condition_near(H, w, [1, 2, 3])
    np.testing.assert_allclose(kappa[0] / kappa, [1, 0.914, 0.791], atol=1e-3)
    assert oe.best_depth(H, w) == 1


def test_a_flat_direction_is_infinitely_stretched_and_has_no_best_depth() -> None:
    assert oe.condition_near(np.diag([0.0, 1.0]), [1.0, 1.0], 3) == np.inf
    with pytest.raises(ValueError, match="hessian must be positive definite"):
        oe.best_depth(np.diag([0.0, 1.0]), [1.0, 1.0])


@pytest.mark.parametrize(
    ("hessian", "minimizer", "message"),
    [
        ([[1.0, 2.0]], [1.0, 0.0], "hessian must have shape"),
        ([[1.0, 2.0], [0.0, 1.0]], [1.0, 0.0], "hessian must be symmetric and positive"),
        ([[1.0, 0.0], [0.0, -1.0]], [1.0, 0.0], "hessian must be symmetric and positive"),
        (np.eye(2), [0.0, 0.0], "minimizer must not be 0"),
        (np.eye(2), [1.0, 0.0, 0.0], "minimizer must have shape"),
    ],
)
def test_what_is_no_bowl_is_refused(hessian: object, minimizer: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        oe.curvatures_near(hessian, minimizer)
    with pytest.raises(ValueError, match="depth must be at least 1"):
        oe.condition_near(np.eye(2), [1.0, 0.0], 0.5)
