"""The clock of a singular value against quadrature, closed forms and the matrix flow."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from overparam_edu import LpRegression, gradient_flow, learning_time


@pytest.mark.slow
@pytest.mark.parametrize("N", [1, 1.5, 2, 2.5, 3, 4, 8])
@pytest.mark.parametrize("start", [0.3, 1e-2, 1e-8])
@pytest.mark.parametrize("sigma", [2.0, 0.7])
def test_the_time_is_the_integral_of_one_over_the_speed(N, start, sigma):
    for share in (0.5, 0.97):
        # In the logarithm of s, from which the speed looks even.
        ends = mpmath.linspace(mpmath.log(start), mpmath.log(share * sigma), 8)
        power = 2 - mpmath.mpf(2) / N
        time = mpmath.quad(
            lambda u: mpmath.exp(u) / (N * mpmath.exp(u * power) * (sigma - mpmath.exp(u))),  # noqa: B023
            ends,
        )
        assert learning_time(sigma, start, N, share=share) == pytest.approx(float(time), rel=1e-10)


def test_depths_1_and_2_are_elementary():
    sigma, start = np.array([0.3, 1.0, 5.0]), 1e-3
    np.testing.assert_allclose(
        learning_time(sigma, start, 2), np.log(sigma / start - 1) / (2 * sigma), rtol=1e-13
    )
    np.testing.assert_allclose(
        learning_time(sigma, start, 1), np.log(2 * (1 - start / sigma)), rtol=1e-12
    )
    assert learning_time(1.0, 0.5, 3) == 0


def test_a_whitened_regression_keeps_the_clock():
    rng = np.random.default_rng(3)
    inputs = np.linalg.qr(rng.standard_normal((9, 3)))[0]  # X^T X = I
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (4, 3))
    targets = np.array([2.0, 1.0, 0.5])
    A = U[:, :3] * targets @ V.T
    loss = LpRegression(inputs, inputs @ A.T, p=2)
    for N in (1, 2, 3):
        times = learning_time(targets, 0.01, N)
        run = gradient_flow(loss, 0.01 * U[:, :3] @ V.T, depth=N, times=np.sort(times))
        values = np.einsum("ki,tkd,di->ti", U[:, :3], run.points, V)
        reached = values[np.argsort(np.argsort(times)), range(3)]
        np.testing.assert_allclose(reached, targets / 2, rtol=1e-7)


@pytest.mark.parametrize(
    ("N", "start", "off"), [(2, 1e-100, 1e-2), (3, 1e-12, 1e-3), (8, 1e-12, 1e-6)]
)
def test_times_from_small_starts_are_in_the_ratio_of_the_targets(N, start, off):
    ratio = learning_time(1.0, start, N) / learning_time(3.0, start, N)
    assert ratio == pytest.approx(3, rel=off)
    assert learning_time(1.0, start, 1) / learning_time(3.0, start, 1) == pytest.approx(1)


def test_the_jump_takes_a_fixed_time_at_depth_2():
    for start in (1e-2, 1e-9):
        first, last = (learning_time(3.0, start, 2, share=share) for share in (0.1, 0.9))
        assert last - first == pytest.approx(np.log(81) / 6, rel=1e-9)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"start must be at most share \* target; got 0\.6"):
        learning_time(1.0, 0.6, 2)
    with pytest.raises(ValueError, match="share must be below 1; got 1"):
        learning_time(1.0, 0.1, 2, share=1)
    with pytest.raises(ValueError, match="target must be positive; got 0"):
        learning_time(0, 0.1, 2)
    with pytest.raises(ValueError, match="leading axes must broadcast"):
        learning_time([1.0, 2.0], [0.1, 0.1, 0.1], 2)
