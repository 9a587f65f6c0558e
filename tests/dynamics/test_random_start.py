"""The start of random layers: formulas against exact distributions and against draws."""

from __future__ import annotations

from itertools import product

import mpmath
import numpy as np
import pytest

import overparam_edu as oe


@pytest.mark.parametrize("widths", [(2, 1, 1), (1, 2, 2), (2, 2, 1), (2, 1, 2)])
def test_the_mean_is_exact_for_layers_of_random_signs(widths: tuple[int, ...]) -> None:
    # Entries s or -s have the same mean and variance, and few enough patterns to try them all.
    sizes = list(zip(widths[1:], widths[:-1], strict=True))
    layers = [
        [0.7 * np.reshape(signs, size) for signs in product((-1, 1), repeat=size[0] * size[1])]
        for size in sizes
    ]
    squares = [np.square(second @ first).sum() for first, second in product(*layers)]
    assert np.mean(squares) == pytest.approx(float(oe.expected_square(widths, 0.7)), rel=1e-12)


@pytest.mark.parametrize("widths", [(5, 1), (3, 1, 1), (4, 6, 2, 1)])
def test_the_typical_size_is_the_mean_logarithm(widths: tuple[int, ...]) -> None:
    # By integration over the density of each chi-squared factor.
    log = mpmath.mpf(0)
    for n in widths[:-1]:
        half = mpmath.mpf(n) / 2
        norm = 2**half * mpmath.gamma(half)

        def weighted(y, half=half, norm=norm):  # with x = e^y
            return y * mpmath.exp(half * y - mpmath.exp(y) / 2) / norm

        log += mpmath.quad(weighted, [-80, -20, -5, 0, 3, 6])
    exact = float(mpmath.exp(log)) * 0.3 ** (2 * len(widths) - 2)
    assert float(oe.typical_square(widths, 0.3)) == pytest.approx(exact, rel=1e-8)


def test_draws_agree_with_both() -> None:
    widths, draws = (4, 8, 8, 1), 1_500
    starts = [oe.near_zero_network(widths, 0.4, rng=s).end_to_end_matrix for s in range(draws)]
    squares = np.square(starts).sum(axis=(1, 2))
    spread = np.sqrt((np.prod([1 + 2 / n for n in widths[:-1]]) - 1) / draws)
    assert squares.mean() / oe.expected_square(widths, 0.4) == pytest.approx(1, abs=3 * spread)
    logs = np.log(squares)
    expected = np.log(oe.typical_square(widths, 0.4))
    assert logs.mean() == pytest.approx(expected, abs=3 * logs.std() / np.sqrt(draws))


def test_at_the_critical_scale_depth_does_not_change_the_mean() -> None:
    sizes = [float(oe.expected_square((7, *[25] * (N - 1), 3), 0.2)) for N in (2, 5, 40)]
    np.testing.assert_allclose(sizes, 7 * 3 / 25, rtol=1e-12)
    narrow = [float(oe.typical_square((7, *[1] * (N - 1), 1), 1.0)) for N in (2, 3)]
    assert narrow[1] / narrow[0] == pytest.approx(np.exp(-np.euler_gamma) / 2, rel=1e-12)


def test_scales_are_an_array_and_what_is_no_network_is_refused() -> None:
    np.testing.assert_allclose(oe.expected_square((2, 1), [0.0, 1.0, 2.0]), [0, 2, 8])
    with pytest.raises(ValueError, match="widths must end with one output"):
        oe.typical_square((2, 2), 1.0)
    with pytest.raises(ValueError, match="scale must be at least 0"):
        oe.expected_square((2, 2), -1.0)
    with pytest.raises(TypeError, match="widths must be a sequence"):
        oe.expected_square(3, 1.0)
    with pytest.raises(ValueError, match="at least input and output"):
        oe.expected_square((3,), 1.0)
