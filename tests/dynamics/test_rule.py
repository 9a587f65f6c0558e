"""How depth changes a step: the rule against brute force, real layers and its own properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from overparam_edu import (
    GradientDescent,
    LpRegression,
    balanced_network,
    descend,
    end_to_end_direction,
    preconditioner,
    single_output_direction,
    split_direction,
    train,
)

# Property tests draw the same examples on every run, and may take their time.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

SHAPES = [(1, 1), (1, 4), (4, 1), (2, 3), (3, 2), (3, 3)]


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def of_rank(rank, shape, seed=0):
    """Return a matrix of the given rank whose singular values are exactly known, with its parts."""
    k, d = shape
    U, _ = np.linalg.qr(random((k, k), seed))
    V, _ = np.linalg.qr(random((d, d), seed + 1))
    sigma = np.zeros(min(k, d))
    sigma[:rank] = np.random.default_rng(seed + 2).uniform(0.3, 2.0, rank)
    return (U[:, : len(sigma)] * sigma) @ V[:, : len(sigma)].T, U, sigma, V


def powers(U, sigma, exponent):
    """Return (W W^T)^exponent from the left singular vectors, with 0^0 = 1."""
    padded = np.zeros(len(U))
    padded[: min(len(sigma), len(U))] = sigma[: len(U)]
    return (U * padded ** (2 * exponent)) @ U.T


def brute_force(U, sigma, V, G, N):
    """Return the sum of Theorem 1, term by term."""
    return sum(
        powers(U, sigma, (j - 1) / N) @ G @ powers(V, sigma, (N - j) / N) for j in range(1, N + 1)
    )


def closed_form(w, g, N):
    """Return Claim 2 as the paper prints it; w is not 0."""
    unit = w / np.linalg.norm(w)
    return np.linalg.norm(w) ** (2 - 2 / N) * (g + (N - 1) * (unit @ g) * unit)


# --- Theorem 1 ---


@pytest.mark.parametrize("N", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [(1, 3), (2, 3), (3, 2), (3, 3)])
def test_the_rule_is_theorem_1_at_30_digits(shape, N):
    mpmath = pytest.importorskip("mpmath")
    W, G = random(shape), random(shape, 1)

    def power(S, exponent):
        # A rank-deficient S has eigenvalues of 1e-30 for 0; only power 0 keeps those directions.
        if exponent == 0:
            return mpmath.eye(S.rows)
        values, vectors = mpmath.eigsy(S)
        tiny = mpmath.mpf(10) ** -25
        raised = [v**exponent if v > tiny else mpmath.mpf(0) for v in values]
        return vectors * mpmath.diag(raised) * vectors.T

    with mpmath.workdps(30):
        M, H = mpmath.matrix(W.tolist()), mpmath.matrix(G.tolist())
        total = mpmath.zeros(*shape)
        for j in range(1, N + 1):
            left = power(M * M.T, mpmath.mpf(j - 1) / N)
            total += left * H * power(M.T * M, mpmath.mpf(N - j) / N)
        expected = np.array(total.tolist(), dtype=float)
    np.testing.assert_allclose(end_to_end_direction(W, G, N), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("N", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_rule_is_exact_at_every_rank(shape, N):
    for rank in range(min(shape) + 1):
        W, U, sigma, V = of_rank(rank, shape, seed=rank)
        G = random(shape, 5)
        np.testing.assert_allclose(
            end_to_end_direction(W, G, N), brute_force(U, sigma, V, G, N), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_depth_1_is_the_gradient_itself(shape):
    W, G = random(shape), random(shape, 1)
    for F in (end_to_end_direction(W, G, 1), single_output_direction(W, G, 1.0)):
        assert np.array_equal(F, G)
        assert not np.shares_memory(F, G)


@pytest.mark.parametrize("N", [2, 3, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_moves_at_exactly_zero_for_any_greater_depth(shape, N):
    zero = np.zeros(shape)
    assert np.array_equal(end_to_end_direction(zero, random(shape), N), zero)
    assert np.array_equal(single_output_direction(zero, random(shape), N), zero)
    assert np.array_equal(single_output_direction(zero, random(shape), 1.25), zero)


@pytest.mark.parametrize("N", [1, 2, 3, 8])
def test_one_output_or_input_is_the_closed_form(N):
    for seed in range(20):
        w, g = random(5, seed), random(5, seed + 100)
        expected = closed_form(w, g, N)
        size = np.abs(expected).max()
        row = end_to_end_direction(w[None], g[None], N)[0]
        column = end_to_end_direction(w[:, None], g[:, None], N)[:, 0]
        for ours in (row, column, single_output_direction(w, g, N)):
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("N", [1.0, 1.001, 1.5, 2.5, 7.9, 1e6])
def test_the_closed_form_makes_sense_between_whole_depths(N):
    w, g = random(3), random(3, 1)
    np.testing.assert_allclose(single_output_direction(w, g, N), closed_form(w, g, N), rtol=1e-11)


def test_depth_1_is_the_gradient_where_the_square_of_the_norm_overflows():
    w, g = np.array([1e200, 0.0]), np.array([1e20, 1.0])
    assert np.array_equal(single_output_direction(w, g, 1), g)
    lanes = single_output_direction(w, g, [1, 2])
    assert np.array_equal(lanes[0], g)
    np.testing.assert_allclose(lanes[1], [2e220, 1e200], rtol=1e-13)
    with pytest.raises(ValueError, match="w, gradient, depth must be of moderate size"):
        single_output_direction(w, 1e200 * g, 2)


@pytest.mark.parametrize("size", [1e-200, 1e-150, 1e150, 1e200])
def test_sizes_whose_squares_are_no_floats_scale_the_direction(size):
    w, g, N = np.array([0.3, -0.4, 1.2]), np.array([1.0, 2.0, 3.0]), 2.5
    expected = size ** (2 - 2 / N) * single_output_direction(w, g, N)
    np.testing.assert_allclose(single_output_direction(size * w, g, N), expected, rtol=1e-12)
    adaptive, projection = split_direction(size * w, g, N)
    np.testing.assert_allclose(adaptive + projection, expected, rtol=1e-12)
    np.testing.assert_allclose(adaptive / adaptive[0], g / g[0], rtol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
def test_a_batch_of_vectors_with_a_depth_each_is_the_same_as_a_loop(shape):
    w, g = random(shape), random(shape, 1)
    N = np.random.default_rng(2).uniform(1, 6, shape[:-1])
    F = single_output_direction(w, g, N)
    for i in np.ndindex(shape[:-1]):
        np.testing.assert_allclose(F[i], single_output_direction(w[i], g[i], N[i]), rtol=1e-13)


@pytest.mark.parametrize("lanes", [(4,), (2, 4)])
def test_a_batch_of_matrices_with_a_depth_each_is_the_same_as_a_loop(lanes):
    W, G = random((*lanes, 2, 3)), random((*lanes, 2, 3), 1)
    W[..., 1, :] *= np.arange(lanes[-1])[:, None]  # The first of them has rank 1.
    N = np.random.default_rng(2).integers(1, 7, lanes)
    F = end_to_end_direction(W, G, N)
    for i in np.ndindex(lanes):
        alone = end_to_end_direction(W[i], G[i], N[i])
        np.testing.assert_allclose(F[i], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("depths", [[1, 1, 1], [1, 2, 3], [[2], [1]]])
def test_a_depth_axis_broadcasts_against_one_point(depths):
    lanes = np.shape(depths)
    assert end_to_end_direction(random((2, 3)), random((2, 3)), depths).shape == (*lanes, 2, 3)
    assert single_output_direction(random(3), random(3), depths).shape == (*lanes, 3)
    for N in (1, 2):  # and many points against one gradient
        assert end_to_end_direction(random((5, 2, 3)), random((2, 3)), N).shape == (5, 2, 3)
        assert single_output_direction(random((5, 3)), random(3), N).shape == (5, 3)


@pytest.mark.parametrize("N", [1, 1.5, 3])
def test_the_two_parts_add_up_and_the_projection_lies_along_w(N):
    w, g = random((6, 3)), random((6, 3), 1)
    adaptive, projection = split_direction(w, g, N)
    np.testing.assert_allclose(
        adaptive + projection, single_output_direction(w, g, N), rtol=1e-12, atol=1e-14
    )
    for i in range(6):
        norm = np.linalg.norm(w[i])
        np.testing.assert_allclose(adaptive[i], norm ** (2 - 2 / N) * g[i], rtol=1e-12)
        along = (N - 1) * norm ** (2 - 2 / N) * (w[i] @ g[i]) / norm**2 * w[i]
        np.testing.assert_allclose(projection[i], along, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("N", [2, 3, 4])
@pytest.mark.parametrize("hidden", [2, 3, 7])
def test_hidden_widths_do_not_matter_and_the_rule_is_the_limit_of_a_step(N, hidden):
    W, G = random((2, 4)), random((2, 4), 1)
    network = balanced_network(W, N, hidden=hidden)

    def velocity(eta):
        layers = zip(network.weights, network.layer_gradients(G), strict=True)
        moved = [layer - eta * gradient for layer, gradient in layers]
        product = moved[0]
        for layer in moved[1:]:
            product = layer @ product
        return (W - product) / eta

    # The error of the limit is linear in eta: extrapolate it away.
    limit = 2 * velocity(5e-6) - velocity(1e-5)
    np.testing.assert_allclose(limit, end_to_end_direction(W, G, N), rtol=0, atol=1e-8)


# --- Claim 1 ---


def kronecker(U, sigma, V, N):
    """Return the preconditioner as the paper derives it: a sum of Kronecker products."""
    return sum(
        np.kron(powers(V, sigma, (N - j) / N), powers(U, sigma, (j - 1) / N))
        for j in range(1, N + 1)
    )


def column_stacking(W):
    return W.ravel(order="F")


@pytest.mark.parametrize("N", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_preconditioner_is_the_sum_of_kronecker_products_with_its_spectrum(shape, N):
    for rank in range(min(shape) + 1):
        W, U, sigma, V = of_rank(rank, shape, seed=10 + rank)
        P, expected = preconditioner(W, N), kronecker(U, sigma, V, N)
        np.testing.assert_allclose(P.matrix, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            np.sort(P.eigenvalues), np.linalg.eigvalsh(expected), rtol=0, atol=1e-12
        )
        # One by one: the pairs belong together.
        np.testing.assert_allclose(
            expected @ P.eigenvectors, P.eigenvectors * P.eigenvalues, rtol=0, atol=1e-12
        )
        np.testing.assert_allclose(
            P.eigenvectors.T @ P.eigenvectors, np.eye(W.size), rtol=0, atol=1e-13
        )


@pytest.mark.parametrize("N", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_preconditioner_times_the_gradient_is_the_direction(shape, N):
    for rank in range(min(shape) + 1):
        W, *_ = of_rank(rank, shape, seed=20 + rank)
        G = random(shape, 1)
        np.testing.assert_allclose(
            preconditioner(W, N).matrix @ column_stacking(G),
            column_stacking(end_to_end_direction(W, G, N)),
            rtol=0,
            atol=1e-12,
        )


def test_eigenvector_s_k_plus_r_is_the_outer_product_of_u_r_and_v_s():
    W = random((2, 3))
    P = preconditioner(W, 3)
    for r in range(2):
        for s in range(3):
            expected = column_stacking(np.outer(P.left[:, r], P.right[:, s]))
            np.testing.assert_allclose(P.eigenvectors[:, 2 * s + r], expected, atol=1e-15)


def test_eigenvalues_are_those_of_claim_1():
    W, N = np.diag([2.0, 0.5]), 3
    sigma = np.array([2.0, 0.5])
    for index, value in enumerate(preconditioner(W, N).eigenvalues):
        s, r = divmod(index, 2)
        terms = [
            sigma[r] ** (2 * (N - j) / N) * sigma[s] ** (2 * (j - 1) / N) for j in range(1, N + 1)
        ]
        assert value == pytest.approx(sum(terms), rel=1e-13)


def test_the_largest_amplification_is_n_times_that_of_the_top_singular_direction():
    W, N = random((3, 4)), 5
    top = np.linalg.svd(W, compute_uv=False)[0]
    largest = preconditioner(W, N).eigenvalues.max()
    assert largest == pytest.approx(N * top ** (2 - 2 / N), rel=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_preconditioner_is_the_identity_at_depth_1_and_0_at_zero_beyond(shape):
    for W in (random(shape), np.zeros(shape)):
        P = preconditioner(W, 1)
        assert np.array_equal(P.eigenvalues, np.ones(W.size))
        np.testing.assert_allclose(P.matrix, np.eye(W.size), atol=1e-14)
    assert not preconditioner(W, 2).matrix.any()


def test_a_batch_of_preconditioners_is_the_same_as_a_loop():
    W = random((5, 2, 3))
    batch = preconditioner(W, 3)
    for i in range(5):
        alone = preconditioner(W[i], 3)
        np.testing.assert_allclose(batch.matrix[i], alone.matrix, rtol=0, atol=1e-13)
        np.testing.assert_allclose(batch.eigenvalues[i], alone.eigenvalues, rtol=1e-13)


# --- real layers ---


def regression(outputs, p):
    targets = random(8 if outputs == 1 else (8, outputs), 1)
    return LpRegression(random((8, 4)), targets, p=p, reduction="mean")


def distance_to_layers(loss, start, N, rate, time, hidden=None, decay=0.0):
    """Return how far the rule ends from real layers that start balanced, at eta * steps = time."""
    steps = round(time / rate)
    options = {"optimizer": GradientDescent(rate), "steps": steps, "weight_decay": decay}
    rule = descend(loss, start, depth=N, **options)
    layers = train(balanced_network(start, N, hidden=hidden), loss, **options)
    return np.abs(rule.points - layers.points).max()


@pytest.mark.parametrize("decay", [0.0, 0.2])
@pytest.mark.parametrize("N", [2, 3, 4])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_rule_leaves_the_layers_at_first_order_in_the_learning_rate(outputs, N, decay):
    loss = regression(outputs, p=2)
    start = 0.5 * random(loss.shape, 3)
    rates = np.array([0.02, 0.01, 0.005, 0.0025])
    gaps = [distance_to_layers(loss, start, N, rate, 1.0, decay=decay) for rate in rates]
    order = np.polyfit(np.log(rates), np.log(gaps), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("N", [2, 3, 4])
def test_layers_of_any_hidden_widths_end_at_the_same_place(N):
    loss = regression(3, p=4)
    start = 0.5 * random(loss.shape, 3)
    networks = [balanced_network(start, N, hidden=hidden) for hidden in (3, 4, 9)]
    options = {"optimizer": GradientDescent(0.01), "steps": 100}
    first, *others = (train(network, loss, **options).points[-1] for network in networks)
    # Zeros beside a balanced start stay zeros, so this holds at any learning rate.
    for other in others:
        np.testing.assert_allclose(other, first, rtol=0, atol=1e-12)


def test_one_layer_is_the_rule_exactly():
    loss = regression(3, p=4)
    start = 0.5 * random(loss.shape, 3)
    assert distance_to_layers(loss, start, 1, 0.01, 1.0) < 1e-13


# --- properties, over shapes and ranges ---

NUMBERS = st.floats(-3, 3, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-3 else x)
WHOLE = st.integers(1, 7)
REAL = st.floats(1, 9)


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


@given(points(2), WHOLE, REAL, st.floats(1e-3, 1e3))
def test_the_direction_is_homogeneous_of_degree_2_minus_2_over_n(drawn, whole, real, c):
    W, G = drawn
    for direction, N in ((end_to_end_direction, whole), (single_output_direction, real)):
        scaled = direction(c * W, G, N)
        assert_near(scaled, c ** (2 - 2 / N) * direction(W, G, N), np.abs(scaled).max())


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
