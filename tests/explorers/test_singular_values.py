"""Singular values as a widget: the curves against the clock and the flow, the story against W."""

from __future__ import annotations

import re

import numpy as np
import pytest

from overparam_edu import LpRegression, explore_singular_values, gradient_flow, learning_time
from overparam_edu.explorers.singular_values import TRUTH, singular_value_scene
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene

LOSS = LpRegression(np.eye(4), TRUTH.T, p=2)
SIGMA = np.sqrt([7, 3, 1, 1])


@pytest.fixture(scope="module")
def aligned() -> Scene:
    return singular_value_scene()


def test_the_tree_has_the_singular_values_that_are_named() -> None:
    np.testing.assert_allclose(np.linalg.svd(TRUTH, compute_uv=False), SIGMA)


@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize("size", [1, 3])
def test_the_matrix_is_that_of_the_flow(aligned: Scene, depth: int, size: int) -> None:
    U, _, Vt = np.linalg.svd(TRUTH, full_matrices=False)
    N, start = aligned.axes[0].stops[depth], aligned.axes[1].stops[size]
    stops = np.array([10, 40, 60, 160])
    unit = learning_time(SIGMA[0], start, N)
    times = unit * np.array(aligned.axes[2].stops)[stops]
    flow = gradient_flow(LOSS, start * U @ Vt, depth=N, times=times, rtol=1e-9).points
    for stop, W in zip(stops, flow, strict=True):
        drawn = frame(aligned, {"depth": depth, "size": size, "time": int(stop)})
        np.testing.assert_allclose(drawn["learned", "z"], W, atol=3e-3)
        values = [drawn[f"value {i + 1}", "y"][-1] for i in range(4)]
        np.testing.assert_allclose(values, np.linalg.svd(W, compute_uv=False), atol=3e-3)


def test_from_a_random_start_the_clock_is_early() -> None:
    scene = singular_value_scene("random")
    start = scene.axes[1].stops.index(0.001)
    for depth, ratio in ((1, 1.60), (2, 1.89), (3, 2.03)):
        words = describe(scene, {"depth": depth, "size": start})
        told = re.search(r"\(([\d.]+) times as late\)", words)[1]
        assert float(told) == pytest.approx(ratio, abs=0.011)  # a last digit may round either way
        drawn = frame(scene, {"depth": depth, "size": start})
        assert all(drawn[f"clock {i}", "x"][0] < 1 for i in (1,))
    # The flow of the rule itself, not of layers.
    random = np.random.default_rng(0).standard_normal(TRUTH.shape)
    W = 0.001 * random / np.linalg.norm(random, 2)
    times = np.linspace(0, 12, 3_000)
    values = np.linalg.svd(
        gradient_flow(LOSS, W, depth=3, times=times, rtol=1e-7).points, compute_uv=False
    )
    first, second = (times[np.argmax(values[:, i] > SIGMA[i] / 2)] for i in (0, 1))
    assert second / first == pytest.approx(1.89, abs=0.01)


def test_the_story_goes_from_nothing_to_all() -> None:
    scene = explore_singular_values().scene
    stories = [
        describe(scene, {"depth": 2, "time": stop}).split(".")[0]
        for stop in range(len(scene.axes[2].stops))
    ]
    assert list(dict.fromkeys(stories)) == [
        "It has learned nothing yet",
        "It knows what all of them share",
        "It tells animals from plants",
        "It tells all of them apart",
    ]
