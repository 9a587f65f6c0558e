"""The turning bowl as a widget: what it draws and says is what the rule does."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.explorers.near_minimum import (
    ANGLES,
    DEPTHS,
    LEFT,
    MINIMIZER,
    STARTS,
    near_minimum_scene,
    run_near_minimum,
)
from overparam_edu.player.frames import describe, frame


def bowl(angle: float, kappa: float) -> oe.QuadraticLoss:
    turn = np.radians(angle)
    flat, steep = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return oe.QuadraticLoss(np.outer(flat, flat) / kappa + np.outer(steep, steep), MINIMIZER)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("angle", [0, 30, 90])
def test_steps_and_paths_are_those_of_descend(start: str, angle: int) -> None:
    runs, at = run_near_minimum(10, STARTS[start]), list(ANGLES).index(angle)
    loss, ends = bowl(angle, 10), oe.curvatures_near(bowl(angle, 10).hessian, MINIMIZER, DEPTHS)
    optimizer = oe.GradientDescent(2 / (ends[:, 0] + ends[:, 1]))
    run = oe.descend(loss, STARTS[start], depth=DEPTHS, optimizer=optimizer, steps=1_000)
    np.testing.assert_array_equal(runs.measured[at], run.steps_to(LEFT * run.losses[0]))
    first = np.linalg.norm(STARTS[start] - MINIMIZER)
    paths = np.moveaxis(runs.paths[at], 0, 1)
    expected = (run.points[: len(paths)] - MINIMIZER) / first
    np.testing.assert_allclose(paths, expected, atol=1e-9)


def test_the_closer_the_better_the_prediction() -> None:
    misses = []
    for start in STARTS.values():
        runs = run_near_minimum(10, start)
        many = runs.predicted > 20
        misses.append(np.abs(runs.measured / runs.predicted - 1)[many].max())
    assert misses[0] < 0.05
    assert misses[0] < misses[1] < misses[2]


def test_the_drawn_ellipse_has_the_curvatures_ratio() -> None:
    scene = near_minimum_scene(10)
    for place, N in enumerate(DEPTHS):
        for at in (0, 9, 18):
            drawn = frame(scene, {"depth": place, "angle": at})
            lengths = np.hypot(drawn["bowl at depth N", "x"], drawn["bowl at depth N", "y"])
            kappa = float(oe.condition_near(bowl(ANGLES[at], 10).hessian, MINIMIZER, N))
            assert lengths.max() == pytest.approx(1, rel=1e-2)
            # The ellipse has 72 corners, none of which need be on the short axis.
            assert lengths.max() / lengths.min() == pytest.approx(np.sqrt(kappa), rel=0.02)
            assert drawn["kappa now", "y"] == [pytest.approx(kappa, rel=1e-5)]


def test_a_flat_axis_gains_and_a_steep_one_pays() -> None:
    scene = near_minimum_scene(10, "1 % away")
    flat, steep = (describe(scene, {"depth": 3, "angle": angle}) for angle in (0, 18))
    assert "best is depth 10. It takes 6 steps" in flat
    assert "best is depth 1. It takes 92 steps" in steep
    assert flat.endswith("depth 1 takes 23.")
