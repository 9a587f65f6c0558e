"""From lazy to rich as a widget: what it draws is what the layers do."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.explorers.unbalanced import IMBALANCES, LOSS, TIMES, unbalanced_scene
from overparam_edu.player.frames import describe, frame


@pytest.mark.slow
@pytest.mark.parametrize("angle", [90, 180])
@pytest.mark.parametrize("c", [-3.0, 0.0, 0.3])
def test_path_and_rings_are_the_layers_flow(angle: float, c: float) -> None:
    scene, turn = unbalanced_scene(angle), np.radians(angle)
    network = oe.unbalanced_network(0.1 * np.array([np.cos(turn), np.sin(turn)]), c)
    flow = oe.gradient_flow(LOSS, network, times=TIMES[:50])
    at = {"imbalance": list(IMBALANCES).index(c), "time": 49}
    drawn = frame(scene, at)
    for i, a in enumerate("xy"):
        np.testing.assert_allclose(drawn["path", a], flow.points[:, i], atol=1e-6)
        rings = flow.points[::5, i]
        np.testing.assert_allclose(drawn["layers", a][: len(rings)], rings, atol=1e-6)
    np.testing.assert_allclose(drawn["loss", "y"][:50], flow.losses, atol=1e-6)


def test_lazy_is_gradient_descent_and_rich_keeps_its_direction_first() -> None:
    scene, times = unbalanced_scene(90), [list(TIMES).index(t) for t in TIMES[[20, 40]]]
    lazy = frame(scene, {"imbalance": len(IMBALANCES) - 1, "time": times[0]})
    plain = oe.gradient_flow(LOSS, [0.0, 0.1], times=[10 * TIMES[20]]).points[0]
    np.testing.assert_allclose([*lazy["now", "x"], *lazy["now", "y"]], plain, atol=0.02)
    rich = frame(scene, {"imbalance": 0, "time": times[1]})
    assert abs(rich["now", "x"][0]) < 0.03
    assert rich["now", "y"][0] > 0.4


def test_the_sentence_tells_the_sides_apart() -> None:
    scene = unbalanced_scene(90)
    told = [describe(scene, {"imbalance": at, "time": 0}) for at in (0, 6, 12)]
    assert told[0].startswith("c = −10, rich, at time 0")
    assert "balanced, the rule at depth 2" in told[1]
    assert "A step along w is 2 times" in told[1]
    assert "lazy" in told[2]
