"""What a run leaves behind: its shapes, and the questions it answers."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu import GradientDescent, SeparableLp, descend, train

LOSS = SeparableLp([1.0], p=2)


def halving(steps=9, record=1):
    """Each step halves the distance to 1: the loss at step t is 4^-t / 2."""
    return descend(LOSS, [0.0], optimizer=GradientDescent(0.5), steps=steps, record=record)


def trained():
    network = oe.near_zero_network((2, 3, 1), 0.5, rng=0)
    return train(network, SeparableLp((1.0, 0.1)), optimizer=GradientDescent(0.1), steps=20)


@pytest.mark.parametrize(("level", "step"), [(1.0, 0), (0.5, 0), (0.125, 1), (0.1, 2), (0.0, None)])
def test_steps_to_is_the_first_step_at_or_below_the_level(level, step):
    assert halving().steps_to(level) == (np.inf if step is None else step)
    assert halving(record=[0, 4, 8]).steps_to(0.1) == 4  # steps, not records


def test_steps_to_has_a_level_for_each_lane():
    run = descend(LOSS, [[0.0], [0.0], [9.0]], optimizer=GradientDescent([0.5, 0.5, 3.0]), steps=5)
    assert np.array_equal(run.steps_to([0.1, 1e-2, 0.1]), [2, 3, np.inf])
    assert np.array_equal(run.steps_to(0.1), [2, 2, np.inf])
    options = {"optimizer": GradientDescent(10.0), "steps": 20}
    run = descend(SeparableLp([0.0], p=6), [[2.0], [0.1]], **options)
    assert run.diverged_at[0] > 0
    assert np.array_equal(run.steps_to(1e-6), [np.inf, 0])


def test_levels_that_do_not_fit_the_lanes_are_refused():
    # Ten levels and ten records must not be compared one by one.
    with pytest.raises(ValueError, match=r"loss must broadcast to the lanes \(\).*\(10,\)"):
        halving().steps_to(np.linspace(0, 1, 10))


def test_the_network_at_a_record_has_the_point_for_its_product():
    run = trained()
    for record in (0, 7, -1):
        network = run.network(record)
        assert network.depth == 2
        np.testing.assert_allclose(network.end_to_end_matrix[0], run.points[record], rtol=1e-13)
        assert run.imbalance()[record] == pytest.approx(network.imbalance(), rel=1e-13)


def test_the_network_after_divergence_is_refused():
    network = oe.balanced_network([0.5, 0.5], 3)
    run = train(network, SeparableLp((1.0, 0.1)), optimizer=GradientDescent(100.0), steps=50)
    assert run.network(int(run.diverged_at) - 1).depth == 3
    with pytest.raises(ValueError, match=r"weights\[0\] must be finite"):
        run.network(-1)


@pytest.mark.parametrize("ask", [oe.Trajectory.network, oe.Trajectory.imbalance])
def test_a_run_of_the_rule_has_no_layers_to_ask_about(ask):
    with pytest.raises(ValueError, match="weights are recorded by train"):
        ask(halving())


def test_repr_tells_how_long_and_what_diverged():
    assert repr(halving()) == "Trajectory(9 steps, lanes (), 10 records)"
    run = descend(LOSS, [[9.0], [0.5]], optimizer=GradientDescent([1e3, 0.5]), steps=200)
    (at, _) = run.diverged_at
    assert repr(run).endswith(f"lanes (2,), 201 records; 1 diverged, the first at step {at})")


def test_shapes_are_records_then_lanes_then_the_parameter():
    run = descend(
        SeparableLp((1.0, 0.1)),
        np.full((3, 1, 2), 0.1),
        depth=[1, 2, 3, 4],
        optimizer=GradientDescent(np.full((5, 1, 1), 0.1)),
        steps=6,
    )
    assert run.points.shape == (7, 5, 3, 4, 2)
    assert run.losses.shape == run.times.shape == (7, 5, 3, 4)
    assert run.depth.shape == run.diverged_at.shape == (5, 3, 4)
    layers = trained()
    assert [W.shape for W in layers.weights] == [(21, 3, 2), (21, 1, 3)]
    assert layers.imbalance().shape == (21,)
