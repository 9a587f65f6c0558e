"""The start of random layers as a widget: lines are the formulas, marks are draws of layers."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.explorers.random_start import (
    DEPTHS,
    DRAWS,
    INPUTS,
    SCALES,
    WIDTHS,
    draw_squares,
    random_start_scene,
)
from overparam_edu.player.frames import describe, frame


def test_lines_are_the_formulas() -> None:
    scene = random_start_scene()
    at = {"width": 3, "depth": 4, "scale": 6}
    drawn, s = frame(scene, at), SCALES[6]
    for trace, size in (("mean", oe.expected_square), ("typical", oe.typical_square)):
        by_depth = [size((INPUTS, *[WIDTHS[3]] * (N - 1), 1), s) for N in DEPTHS]
        by_width = [size((INPUTS, *[m] * 4, 1), s) for m in WIDTHS]
        np.testing.assert_allclose(drawn[trace, "y"], by_depth, rtol=1e-5)
        np.testing.assert_allclose(drawn[f"{trace} by width", "y"], by_width, rtol=1e-5)
    np.testing.assert_allclose(drawn["critical", "x"], [1 / s**2] * 2, rtol=1e-5)


def test_all_that_a_standard_deviation_leads_to_is_seen() -> None:
    scene = random_start_scene()
    for at in ({"scale": 0}, {"scale": len(SCALES) - 1, "width": len(WIDTHS) - 1}):
        drawn = frame(scene, at)
        for panel, more in (("", ""), ("2", " by width")):
            low, high = drawn[None, f"yaxis{panel}.range"]
            for trace in ("mean", "typical", "measured mean", "measured median", "now"):
                sizes = np.log10(drawn[f"{trace}{more}", "y"])
                assert low < sizes.min()
                assert sizes.max() < high


@pytest.mark.parametrize("width", [1, 4, 32])
def test_draws_have_the_law_of_real_layers(width: int) -> None:
    squares = draw_squares(width, np.random.default_rng(3))
    assert squares.shape == (len(DEPTHS), DRAWS)
    for row in (0, 2, 6):
        widths = (INPUTS, *[width] * row, 1)
        networks = [oe.near_zero_network(widths, 1.0, rng=seed) for seed in range(300)]
        layers = np.log([np.square(n.end_to_end_matrix).sum() for n in networks])
        logs = np.log(squares[row])
        error = np.hypot(logs.std() / np.sqrt(DRAWS), layers.std() / np.sqrt(300))
        assert abs(logs.mean() - layers.mean()) < 4 * error
        assert 0.7 < logs.std() / layers.std() < 1.4


def test_narrow_layers_are_typically_far_below_their_mean() -> None:
    scene = random_start_scene()
    narrow = describe(scene, {"width": 0, "depth": 15, "scale": 8})
    wide = describe(scene, {"width": 11, "depth": 15, "scale": 8})
    few, many = (int(words.split(". ")[-1].split(" of 200")[0]) for words in (narrow, wide))
    assert few < 10
    assert 50 < many < 100
