"""The optimizers are torch.optim's: step by step where torch is, by recorded values elsewhere."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import overparam_edu as oe

RECORDED = json.loads(
    Path(__file__).with_name("recorded_optimizers.json").read_text(encoding="utf-8")
)
RECORDER = runpy.run_path(str(Path(__file__).with_name("record_optimizers.py")))
PROBLEM, KEPT = RECORDED["problem"], RECORDED["kept"]
LOSS = oe.LpRegression(PROBLEM["X"], PROBLEM["y"], p=PROBLEM["p"])
SAME = {"rtol": 1e-12, "atol": 1e-14}


def case_id(case):
    return "-".join([case["optimizer"], *(f"{value}" for value in case["arguments"].values())])


each_case = pytest.mark.parametrize("case", RECORDED["cases"], ids=case_id)
each_optimizer = pytest.mark.parametrize(
    "optimizer",
    [
        oe.GradientDescent(0.05),
        oe.Momentum(0.05),
        oe.Momentum(0.05, nesterov=True),
        oe.AdaGrad(0.3),
        oe.AdaDelta(),
        oe.RMSProp(0.03),
        oe.Adam(0.1),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)


def ours(case, **overrides):
    optimizer = getattr(oe, case["optimizer"])
    # GradientDescent and Momentum have no default rate.
    return optimizer(**{**case["arguments"], **overrides})


def run(optimizer, start=PROBLEM["start"], **options):
    return oe.descend(LOSS, start, optimizer=optimizer, steps=PROBLEM["steps"], **options)


def torch_points(case):
    """Return the points of torch.optim at every step; the test is skipped where it is not."""
    pytest.importorskip("torch")
    points = RECORDER["torch_points"](PROBLEM, case["torch"], case["torch_arguments"])
    return np.array(points)


@each_case
def test_every_step_is_that_of_torch(case):
    np.testing.assert_allclose(run(ours(case)).points, torch_points(case), **SAME)


@each_case
def test_steps_are_those_recorded_from_torch(case):
    points = run(ours(case), record=KEPT).points
    np.testing.assert_allclose(points, case["points"], **SAME)
    assert not np.allclose(points[-1], points[0], atol=1e-3), "this run tests nothing"


@each_case
def test_the_record_is_what_torch_says_today(case):
    np.testing.assert_allclose(case["points"], torch_points(case)[KEPT], **SAME)


def test_every_optimizer_of_the_package_is_recorded():
    public = {name for name in vars(oe) if isinstance(getattr(oe, name), type)}
    optimizers = {name for name in public if issubclass(getattr(oe, name), oe.Optimizer)}
    assert {case["optimizer"] for case in RECORDED["cases"]} == optimizers - {"Optimizer"}


@each_optimizer
def test_an_optimizer_lowers_the_loss_and_keeps_nothing_between_runs(optimizer):
    first = run(optimizer)
    assert first.losses[-1] < first.losses[0]
    assert np.array_equal(run(optimizer).points, first.points)


@each_optimizer
def test_a_step_does_not_change_its_arguments(optimizer):
    gradient = np.array([1.0, -2.0])
    memory = optimizer.start(gradient)
    _, memory = optimizer.step(gradient, memory)
    before = [np.copy(part) for part in memory]
    optimizer.step(gradient, memory)
    assert np.array_equal(gradient, [1.0, -2.0])
    for part, copy in zip(memory, before, strict=True):
        assert np.array_equal(part, copy)


@each_optimizer
def test_lanes_with_a_rate_each_are_the_same_as_single_runs(optimizer):
    rates = np.array([0.01, 0.05, 0.1])
    lanes = run(replace(optimizer, learning_rate=rates))
    for i, rate in enumerate(rates):
        alone = run(replace(optimizer, learning_rate=rate))
        np.testing.assert_allclose(lanes.points[:, i], alone.points, rtol=1e-12, atol=1e-14)


@each_optimizer
def test_training_one_layer_is_descending_at_depth_1(optimizer):
    network = oe.LinearNetwork((np.array([PROBLEM["start"]]),))
    trained = oe.train(network, LOSS, optimizer=optimizer, steps=PROBLEM["steps"])
    np.testing.assert_allclose(trained.points, run(optimizer).points, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("optimizer", [oe.AdaGrad(0.1), oe.RMSProp(0.1), oe.Adam(0.1)])
def test_a_gradient_of_zero_moves_nothing_even_without_eps(optimizer):
    sharp = replace(optimizer, eps=0)
    move, _ = sharp.step(np.zeros(3), sharp.start(np.zeros(3)))
    assert np.array_equal(move, np.zeros(3))


def test_momentum_of_zero_is_gradient_descent():
    plain, momentum = oe.GradientDescent(0.05), oe.Momentum(0.05, momentum=0.0)
    assert np.array_equal(run(plain).points, run(momentum).points)
