"""The mirror map against numerical derivatives, and where the flow ends against the flow itself."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize

from overparam_edu import (
    GradientDescent,
    LpRegression,
    bregman_divergence,
    flow_limit,
    gradient_flow,
    mirror_map,
    near_zero_network,
    train,
)
from overparam_edu.dynamics.mirror_flow import inverse_mirror_map

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((3, 6)), RNG.standard_normal(3)
START = RNG.standard_normal(6)
LOSS = LpRegression(X, Y, p=2)
UNSEEN = np.eye(6) - np.linalg.pinv(X) @ X
DEPTHS = np.array([1.0, 1.5, 2, 3, 5])


def psi(w, N):
    return N / (N + 1) * mpmath.norm(mpmath.matrix(w)) ** (1 + mpmath.mpf(1) / N)


@pytest.mark.parametrize("N", DEPTHS)
def test_the_mirror_map_is_the_gradient_of_psi(N):
    slopes = [
        mpmath.diff(lambda x, i=i: psi([*START[:i], x, *START[i + 1 :]], N), START[i])
        for i in range(6)
    ]
    np.testing.assert_allclose(mirror_map(START, N), np.array(slopes, float), rtol=1e-12)


def test_the_way_there_and_back():
    w = RNG.standard_normal((4, 5, 3))
    np.testing.assert_allclose(inverse_mirror_map(mirror_map(w, DEPTHS), DEPTHS), w, rtol=1e-12)
    np.testing.assert_array_equal(mirror_map(w, 1), w)
    np.testing.assert_array_equal(mirror_map(np.zeros(3), DEPTHS), np.zeros((5, 3)))


def test_the_divergence_is_psi_above_its_tangent():
    for N in DEPTHS:
        w = RNG.standard_normal(6)
        tangent = psi(START, N) + mirror_map(START, N) @ (w - START)
        assert bregman_divergence(w, START, N) == pytest.approx(float(psi(w, N) - tangent))
    assert bregman_divergence(START, START, DEPTHS) == pytest.approx(np.zeros(5), abs=1e-12)
    assert bregman_divergence(X[0], START, 1) == pytest.approx(np.sum((X[0] - START) ** 2) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("N", DEPTHS)
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_the_flow_ends_where_it_is_said_to(N, scale):
    start = scale * START
    run = gradient_flow(LOSS, start, depth=N, times=[0, 100, 200], rtol=1e-12)
    assert run.losses[-1] < 1e-20
    np.testing.assert_allclose(run.points[-1], flow_limit(X, Y, start, N), atol=1e-9)
    # The invariant: the data never move the mirror image in a direction that they don't see.
    moved = UNSEEN @ (mirror_map(run.points, N) - mirror_map(start, N)).T
    assert np.abs(moved).max() < 5e-11


@pytest.mark.parametrize("N", [1, 2, 3.5])
def test_the_end_is_the_solution_of_least_divergence(N):
    end = flow_limit(X, Y, START, N)
    np.testing.assert_allclose(X @ end, Y, atol=1e-12)
    least, basis = np.linalg.pinv(X) @ Y, np.linalg.svd(X)[2][3:]
    found = minimize(
        lambda t: bregman_divergence(least + t @ basis, START, N), np.zeros(3), tol=1e-12
    )
    np.testing.assert_allclose(least + found.x @ basis, end, atol=1e-5)


def test_small_starts_forget_themselves_like_a_root():
    least = np.linalg.pinv(X) @ Y
    scales = np.array([1e-12, 1e-15])
    away = np.linalg.norm(flow_limit(X, Y, scales[:, None, None] * START, DEPTHS) - least, axis=-1)
    order = np.log(away[0] / away[1]) / np.log(scales[0] / scales[1])
    np.testing.assert_allclose(order, 1 / DEPTHS, atol=5e-3)


def test_what_the_data_do_not_see_grows_with_the_length():
    end = flow_limit(X, Y, START, DEPTHS)
    lengths = np.linalg.norm(end, axis=-1) / np.linalg.norm(START)
    growth = lengths ** (1 - 1 / DEPTHS)
    np.testing.assert_allclose(end @ UNSEEN, growth[:, None] * (UNSEEN @ START), rtol=1e-10)


def test_the_first_layer_keeps_what_the_data_do_not_see_with_or_without_balance():
    network = near_zero_network((6, 4, 2, 1), 0.5, rng=1)
    run = train(network, LOSS, optimizer=GradientDescent(0.01), steps=300)
    first = run.weights[0]
    assert np.abs(first[-1] - first[0]).max() > 0.1
    np.testing.assert_allclose((first - first[0]) @ UNSEEN, 0, atol=1e-13)


def test_a_solution_without_a_part_in_the_rows_and_more_equations_than_weights():
    np.testing.assert_allclose(flow_limit([[0.0, 1]], [0.0], [3.0, 4.0], 2), [9 / 5, 0])
    tall, y = RNG.standard_normal((9, 4)), RNG.standard_normal(9)
    fit = np.linalg.lstsq(tall, y, rcond=None)[0]
    np.testing.assert_allclose(flow_limit(tall, y, np.ones(4), 3), fit, atol=1e-12)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="depth must be at least 1; got 0"):
        mirror_map([1.0], 0)
    with pytest.raises(ValueError, match=r"start must have shape \(\.\.\., 6\); got \(5,\)"):
        flow_limit(X, Y, np.ones(5), 2)
    with pytest.raises(ValueError, match="start must not be 0 at a depth above 1"):
        flow_limit(X, Y, [np.ones(6), np.zeros(6)], [[1], [2]])
    with pytest.raises(ValueError, match="start must have the last axis of w"):
        bregman_divergence([1.0, 2.0], [1.0], 2)
    with pytest.raises(ValueError, match="X must have shape"):
        flow_limit([1.0], [1.0], [1.0], 2)
    with pytest.raises(ValueError, match="w must have shape"):
        mirror_map(1.0, 2)
