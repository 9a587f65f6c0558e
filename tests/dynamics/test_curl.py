"""How far the rule's field is from a gradient: against differences of the field itself."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import (
    LinearLoss,
    LpRegression,
    QuadraticLoss,
    SeparableLp,
    antisymmetry,
    curl,
    single_output_direction,
)

DEPTHS = np.array([1, 1.5, 2, 3, 8.0])
STRETCHED = np.diag([2.0, 0.7])


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def jacobian(loss, N, w):
    """Return the field's derivatives by central differences of fourth order."""
    d, h = len(w), 1e-3 * np.linalg.norm(w)
    F = [
        {
            s: single_output_direction(v, loss.gradient(v), N)
            for s in (-2, -1, 1, 2)
            for v in [w + s * h * unit]
        }
        for unit in np.eye(d)
    ]
    columns = [(f[-2] - 8 * f[-1] + 8 * f[1] - f[2]) / (12 * h) for f in F]
    return np.stack(columns, axis=-1)


def losses(dimension):
    X, y = random((12, dimension), 1), random(12, 2)
    H = random((dimension, dimension), 3)
    return [
        LinearLoss(random(dimension, 4)),
        QuadraticLoss(H + H.T, random(dimension, 5)),
        *(SeparableLp(random(dimension, 6), p=p) for p in (2, 4, 6)),
        LpRegression(X, y, p=4, reduction="mean"),
    ]


@pytest.mark.parametrize("N", DEPTHS)
@pytest.mark.parametrize("loss", losses(2), ids=repr)
def test_the_curl_is_that_of_the_field(loss, N):
    for w in random((4, 2), 7):
        J = jacobian(loss, N, w)
        size = np.abs(J).max() + np.linalg.norm(loss.gradient(w))
        assert float(curl(loss, N, w)) == pytest.approx(J[1, 0] - J[0, 1], abs=1e-7 * size)


@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_the_antisymmetric_part_is_that_of_the_field(dimension):
    for loss in losses(dimension):
        for N in DEPTHS:
            w = random(dimension, 8)
            J = jacobian(loss, N, w)
            expected = np.linalg.norm((J - J.T) / 2)
            size = np.linalg.norm(J) + np.linalg.norm(loss.gradient(w))
            assert float(antisymmetry(loss, N, w)) == pytest.approx(expected, abs=1e-7 * size)


def test_in_the_plane_the_two_say_the_same():
    loss, w = SeparableLp((1.0, 0.1), p=4), random((20, 2))
    for N in DEPTHS:
        np.testing.assert_allclose(
            antisymmetry(loss, N, w), np.abs(curl(loss, N, w)) / np.sqrt(2), atol=1e-12
        )


@pytest.mark.parametrize("N", DEPTHS)
def test_a_linear_loss_has_a_curl_in_closed_form(N):
    # h = (1 - 2/N) <g, w> + const.
    slope, w = np.array([0.3, -1.2]), random((10, 2))
    turning = w[:, 1] * slope[0] - w[:, 0] * slope[1]
    expected = (N - 1) * (1 - 2 / N) * np.linalg.norm(w, axis=1) ** (-2 / N) * turning
    np.testing.assert_allclose(curl(LinearLoss(slope), N, w), expected, rtol=1e-9, atol=1e-12)


def test_there_is_none_at_depth_1_nor_where_only_the_length_counts():
    w = random((30, 2))
    for loss in losses(2):
        assert np.all(curl(loss, 1, w) == 0)
    for loss in (QuadraticLoss(3.0 * np.eye(2)), SeparableLp((0.0, 0.0), p=2)):
        np.testing.assert_allclose(curl(loss, DEPTHS[:, None], w), 0, atol=1e-10)


def test_depth_2_is_an_exception_for_linear_and_round_losses():
    w = random((30, 2))
    for loss in (LinearLoss([0.3, -1.2]), SeparableLp((1.0, 0.1), p=2)):
        np.testing.assert_allclose(curl(loss, 2, w), 0, atol=1e-10)
        assert np.abs(curl(loss, 2.5, w)).max() > 0.01
    # A stretched bowl: (k_1 - k_2) w_1 w_2 / ||w||; and p = 4.
    bowl = QuadraticLoss(STRETCHED, [1.0, 0.5])
    expected = (2.0 - 0.7) * w.prod(axis=1) / np.linalg.norm(w, axis=1)
    np.testing.assert_allclose(curl(bowl, 2, w), expected, rtol=1e-9)
    assert np.abs(curl(SeparableLp((1.0, 0.1), p=4), 2, w)).max() > 0.1


def test_at_0_it_is_the_limit_if_there_is_one():
    flat, steep = QuadraticLoss(STRETCHED), LinearLoss([0.3, -1.2])
    zero, near = np.zeros(2), np.array([1e-8, 2e-8])
    for N in (1, 1.5, 2, 3, 8):
        assert curl(flat, N, zero) == 0
        assert abs(curl(flat, N, near)) < 1e-4
        assert np.isnan(curl(steep, N, zero)) == (N == 1.5)
        assert np.isnan(antisymmetry(steep, N, zero)) == (N == 1.5)
    assert abs(curl(steep, 1.5, near)) > 10 * abs(curl(steep, 1.5, 1e4 * near))


def test_depths_and_points_broadcast():
    loss, w = SeparableLp((1.0, 0.1), p=4), random((3, 4, 2))
    table = curl(loss, DEPTHS[:, None, None], w)
    assert table.shape == (5, 3, 4)
    assert table[3, 2, 1] == curl(loss, 3, w[2, 1])
    assert antisymmetry(loss, DEPTHS, w[0, 0]).shape == (5,)
