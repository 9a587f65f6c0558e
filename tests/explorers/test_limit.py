"""Where each depth ends as a widget: paths, balls and ends against the flow and the equation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from overparam_edu import (
    LpRegression,
    bregman_divergence,
    explore_limit,
    gradient_flow,
    mirror_map,
)
from overparam_edu.dynamics.mirror_flow import inverse_mirror_map
from overparam_edu.explorers.limit import limit_scene
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene

ROW, ACROSS = np.array([0.8, 0.6]), np.array([-0.6, 0.8])
LOSS = LpRegression(ROW[None], [1.0], p=2)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return limit_scene()


def drawn_points(drawn: dict, name: str) -> np.ndarray:
    return np.array([drawn[name, "x"], drawn[name, "y"]]).T


@pytest.mark.parametrize("at", [*itertools.product((0, 2, 5), (2, 7), (0, 6, 10))])
def test_the_path_is_the_flow_and_leads_to_its_end(scene: Scene, at: tuple[int, ...]) -> None:
    place = dict(zip(("depth", "size", "angle"), at, strict=True))
    drawn = frame(scene, place)
    N, size, angle = (axis.stops[i] for axis, i in zip(scene.axes, at, strict=False))
    path, start = drawn_points(drawn, "path"), drawn_points(drawn, "start")[0]
    np.testing.assert_allclose(path[0], start, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(start), size, rtol=1e-6)
    turned = np.cos(np.radians(angle)) * ROW + np.sin(np.radians(angle)) * ACROSS
    np.testing.assert_allclose(start / size, turned, atol=1e-6)
    np.testing.assert_allclose(path[-1], drawn_points(drawn, "end")[0], atol=1e-6)
    # With one equation the mirror image moves straight, along its row.
    origin = mirror_map(start, N)
    way = (mirror_map(path, N) - origin) @ ROW
    assert np.all(np.diff(way) > 0)
    straight = inverse_mirror_map(origin + way[:, None] * ROW, N)
    np.testing.assert_allclose(path, straight, atol=1e-4)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_flow_itself_goes_along_the_path(scene: Scene, depth: int) -> None:
    place = {"depth": depth, "size": 4, "angle": 6}
    drawn, N = frame(scene, place), scene.axes[0].stops[depth]
    path, start = drawn_points(drawn, "path"), drawn_points(drawn, "start")[0]
    flow = gradient_flow(LOSS, start, depth=N, times=np.linspace(0, 60, 40)).points
    steps = np.diff(path, axis=0)
    share = np.einsum("fsi,si->fs", flow[:, None] - path[:-1], steps) / np.sum(steps**2, axis=1)
    nearest = path[:-1] + share.clip(0, 1)[..., None] * steps
    assert np.linalg.norm(flow[:, None] - nearest, axis=-1).min(axis=1).max() < 2e-3


def test_the_ball_touches_the_line_of_solutions_at_the_end_and_nowhere_else(scene: Scene) -> None:
    for depth, size, angle in itertools.product(range(6), (3, 9), (1, 8)):
        drawn = frame(scene, {"depth": depth, "size": size, "angle": angle})
        N = scene.axes[0].stops[depth]
        start, end, ball = (drawn_points(drawn, name) for name in ("start", "end", "ball"))
        far = bregman_divergence(end, start, N)
        np.testing.assert_allclose(bregman_divergence(ball, start, N), far[0], rtol=1e-4)
        side = np.sign(start @ ROW - 1)  # the start may lie beyond the line
        assert (side * (ball @ ROW - 1)).min() >= -1e-4
        line = ROW + np.linspace(-5, 5, 1_001)[:, None] * ACROSS
        nearest = line[np.argmin(bregman_divergence(line, start, N))]
        np.testing.assert_allclose(nearest, end[0], atol=1.1e-2)


def test_a_start_longer_than_the_end_turns_the_order_of_the_depths(scene: Scene) -> None:
    def away(depth: int, size: int) -> float:
        end = drawn_points(frame(scene, {"depth": depth, "size": size, "angle": 0}), "end")[0]
        return float(end @ ACROSS)

    sizes = scene.axes[1].stops
    assert sizes[-1] == 2
    assert np.all(np.diff([away(depth, len(sizes) - 1) for depth in range(6)]) < 0)
    assert np.all(np.diff([away(depth, 3) for depth in range(6)]) > 0)


def test_it_opens_at_the_end_of_a_path_that_went_astray() -> None:
    explorer = explore_limit()
    words = describe(explorer.scene, {})
    assert words.startswith("Depth 3 ends 0.632 from the solution of least norm, depth 1 0.193.")
