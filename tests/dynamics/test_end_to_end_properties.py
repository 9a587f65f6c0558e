"""Properties of the rule and its preconditioner, over shapes and ranges."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from overparam_edu import end_to_end_direction, single_output_direction

NUMBERS = st.floats(-3, 3, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-3 else x)
WHOLE = st.integers(1, 7)
REAL = st.floats(1, 9)


def random(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


@st.composite
def points(draw, count, dimensions=2):
    """Draw a shape, then so many arrays of it; zeros make rank deficiency common."""
    shape = draw(array_shapes(min_dims=dimensions, max_dims=dimensions, max_side=4))
    return [draw(arrays(np.float64, shape, elements=NUMBERS)) for _ in range(count)]


def assert_near(a, b, scale, tolerance=1e-9):
    assert np.abs(a - b).max() <= tolerance * max(scale, 1e-9)


@given(points(3), WHOLE, st.floats(-2, 2))
def test_the_direction_is_linear_in_the_gradient(drawn, N, c):
    W, G, H = drawn
    left = end_to_end_direction(W, G + c * H, N)
    right = end_to_end_direction(W, G, N) + c * end_to_end_direction(W, H, N)
    assert_near(left, right, np.abs(right).max() + N * 1e3)


@given(points(2), WHOLE)
def test_depth_never_turns_a_step_uphill(drawn, N):
    W, G = drawn
    F = end_to_end_direction(W, G, N)
    assert np.isfinite(F).all()
    assert (G * F).sum() >= -1e-12 * (np.linalg.norm(G) * np.linalg.norm(F))


@given(points(3), WHOLE)
def test_the_preconditioner_is_symmetric(drawn, N):
    W, G, H = drawn
    one = (H * end_to_end_direction(W, G, N)).sum()
    other = (G * end_to_end_direction(W, H, N)).sum()
    assert abs(one - other) <= 1e-9 * max(1.0, abs(one))


@given(points(2), WHOLE, st.floats(1e-3, 1e3))
def test_the_direction_is_homogeneous_of_degree_2_minus_2_over_n(drawn, N, c):
    W, G = drawn
    scaled = end_to_end_direction(c * W, G, N)
    assert_near(scaled, c ** (2 - 2 / N) * end_to_end_direction(W, G, N), np.abs(scaled).max())


@given(points(2, dimensions=1), REAL, st.floats(1e-3, 1e3))
def test_the_single_output_direction_is_homogeneous_too(drawn, N, c):
    w, g = drawn
    scaled = single_output_direction(c * w, g, N)
    assert_near(scaled, c ** (2 - 2 / N) * single_output_direction(w, g, N), np.abs(scaled).max())


@given(points(2), WHOLE, st.integers(0, 10**6))
def test_the_direction_turns_with_its_arguments(drawn, N, seed):
    W, G = drawn
    Q, _ = np.linalg.qr(random((len(W), len(W)), seed))
    R, _ = np.linalg.qr(random((W.shape[1], W.shape[1]), seed + 1))
    turned = end_to_end_direction(Q @ W @ R, Q @ G @ R, N)
    expected = Q @ end_to_end_direction(W, G, N) @ R
    sigma = np.linalg.svd(W, compute_uv=False)
    # Rotating a rank-deficient matrix leaves rounding in place of 0, and the root magnifies it.
    tolerance = 1e-9 if sigma[-1] > 1e-6 * sigma[0] else 1e-9 + 10 * 1e-15 ** (2 / N)
    assert_near(turned, expected, N * np.abs(G).max() * max(1.0, sigma[0] ** 2), tolerance)


@given(points(2, dimensions=1), REAL)
def test_the_step_along_w_is_n_times_the_step_across_it(drawn, N):
    w, g = drawn
    norm = np.linalg.norm(w)
    if norm == 0:
        return
    F, u = single_output_direction(w, g, N), w / norm
    rate = norm ** (2 - 2 / N)
    size = N * rate * np.linalg.norm(g)
    assert abs(F @ u - N * rate * (g @ u)) <= 1e-10 * size
    across = g - (g @ u) * u
    assert np.abs(F - (F @ u) * u - rate * across).max() <= 1e-10 * size


@settings(max_examples=30)
@given(points(2), st.integers(2, 6))
def test_the_direction_is_continuous_where_the_rank_drops(drawn, N):
    """|F(W + h D) - F(W)| falls to 0 with h, as h^(2/N) at worst."""
    W, G = drawn
    D = random(W.shape, 3)
    W[-1] = 0
    F = end_to_end_direction(W, G, N)
    for h in (1e-4, 1e-8, 1e-12):
        change = np.abs(end_to_end_direction(W + h * D, G, N) - F).max()
        assert change <= 200 * h ** (2 / N) * np.abs(G).max()
