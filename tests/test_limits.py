"""Limits: what would take hours, or more memory than a laptop has, is refused at once."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
import warnings
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import overparam_edu as oe

BILLION = 10**9
LOSS, START, RATE = oe.SeparableLp(), [0.1, 0.2], oe.GradientDescent(0.1)
NETWORK, STIFF = oe.balanced_network(START, 2), oe.QuadraticLoss(np.diag([1.0, 1e9]))
MANY, CARS = np.full(20_000, 0.5), oe.load_auto_mpg(standardized=True)


@cache
def picture() -> oe.Explorer:
    return oe.explore_limit()


# From the argument that is refused, and a word on why, to the call.
TOO_MUCH: dict[str, Callable[[], Any]] = {
    "depth of balanced_network": lambda: oe.balanced_network(START, BILLION),
    "hidden of balanced_network": lambda: oe.balanced_network(START, 3, hidden=BILLION),
    "widths of near_zero_network": lambda: oe.near_zero_network((BILLION, BILLION, 1), 0.1),
    "widths of identity_network": lambda: oe.identity_network((2, BILLION, 1), 0.1),
    "steps of descend": lambda: oe.descend(LOSS, START, optimizer=RATE, steps=BILLION),
    "steps of descend, endless": lambda: oe.descend(LOSS, START, optimizer=RATE, steps=2**63),
    "steps of descend, memory": lambda: oe.descend(LOSS, START, optimizer=RATE, steps=10**8),
    "record of descend, memory": lambda: oe.descend(
        LOSS, np.tile(START, (20_000, 1)), optimizer=RATE, steps=10**4, record=range(10**4)
    ),
    "axes of descend": lambda: oe.descend(
        LOSS, np.tile(START, (20_000, 1, 1)), depth=MANY + 1, optimizer=RATE, steps=1
    ),
    "steps of train": lambda: oe.train(NETWORK, LOSS, optimizer=RATE, steps=BILLION),
    "weight_decay of gradient_flow": lambda: oe.gradient_flow(
        LOSS, START, times=[0.0, 1.0], weight_decay=1e9
    ),
    "steps of race_depths": lambda: oe.race_depths(
        LOSS, START, depths=[1, 2], target=1e-3, steps=BILLION
    ),
    "steps of race_depths at a fraction": lambda: oe.race_depths(
        LOSS, START, depths=[1, 2], target=1e-3, steps=10**6, fraction=1e-3
    ),
    "steps of tuned_learning_rate": lambda: oe.tuned_learning_rate(
        LOSS, START, target=1e-3, steps=BILLION
    ),
    "depth of tuned_learning_rate": lambda: oe.tuned_learning_rate(
        LOSS, START, target=1e-3, depth=np.linspace(1, 2, 10**6)
    ),
    "steps of run_warm_up": lambda: oe.run_warm_up(
        LOSS, START, 1.0, learning_rate=0.1, steps=BILLION
    ),
    "omega2 of warm_up_coefficients": lambda: oe.warm_up_coefficients(MANY, MANY, 0.1),
    "W of preconditioner": lambda: oe.preconditioner(np.ones((150, 150)), 2),
    "points of walk": lambda: oe.walk(LOSS, 2, 0.1, 1.0, points=BILLION),
    "axes of line_integral": lambda: oe.line_integral(LOSS, MANY + 1, 0.1, 1 + MANY[:, None]),
    "depth of work": lambda: oe.work(LOSS, 1 + np.tile(MANY, 100), np.eye(2)),
    "inputs of synthetic_regression": lambda: oe.synthetic_regression(inputs=BILLION),
    "examples of synthetic_regression": lambda: oe.synthetic_regression(examples=BILLION),
    "time of measure_distance_order": lambda: oe.measure_distance_order(
        NETWORK, LOSS, learning_rates=[0.1, 0.2], time=1e12
    ),
    "steps of compare_rule_with_network": lambda: oe.compare_rule_with_network(
        NETWORK, LOSS, learning_rate=0.1, steps=BILLION
    ),
    "steps of learning_curves": lambda: oe.learning_curves(CARS.X, CARS.y, steps=BILLION),
    "records of learning_curves": lambda: oe.learning_curves(
        CARS.X, CARS.y, steps=10**6, records=BILLION
    ),
    "depths of learning_curves": lambda: oe.learning_curves(
        CARS.X, CARS.y, depths=range(1, BILLION)
    ),
    "seeds of going_deeper": lambda: oe.going_deeper(CARS.X, CARS.y, seeds=range(BILLION)),
    "steps of going_deeper": lambda: oe.going_deeper(CARS.X, CARS.y, steps=BILLION),
    "steps of one_change_at_a_time": lambda: oe.one_change_at_a_time(CARS.X, CARS.y, steps=BILLION),
    "widths of convnet_parameter_count": lambda: oe.convnet_parameter_count(
        "original", widths=(BILLION, 2, 2)
    ),
    "inches of save": lambda: oe.save(picture(), "a.png", inches=BILLION),
    "dpi of save": lambda: oe.save(picture(), "a.png", dpi=BILLION),
    "frames of save": lambda: oe.save(picture(), "a.gif", frames=BILLION),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_asks_for_too_much_is_refused_at_once(name: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(ValueError, match=rf"\b{name.partition(' ')[0]}\b") as problem:
            TOO_MUCH[name]()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 3e8, problem


def test_a_flow_that_is_too_stiff_to_follow_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overparam_edu.dynamics.training._PATIENT", 1_000)
    with pytest.raises(ValueError, match="times must be short against the fastest motion"):
        oe.gradient_flow(STIFF, START, times=[0.0, 1.0])


class Own:
    """A loss as a student writes one, with something wrong in its gradient."""

    shape = (2,)

    def __init__(self, gradient: Callable[[np.ndarray], Any]) -> None:
        self.gradient = gradient

    def value(self, w: Any) -> Any:
        return 0.5 * ((w - 1.0) ** 2).sum(axis=-1)


class Sub(oe.Loss):
    """The same as a subclass, whose gradient is just as little known."""

    shape = (2,)

    def __init__(self, gradient: Callable[[np.ndarray], Any]) -> None:
        self._given = gradient

    def _value(self, w: Any) -> Any:
        return 0.5 * ((w - 1.0) ** 2).sum(axis=-1)

    def _gradient(self, w: Any) -> Any:
        return self._given(w)


def written_into(w: np.ndarray) -> np.ndarray:
    w -= 1.0
    return w


@pytest.mark.parametrize("kind", [Own, Sub])
@pytest.mark.parametrize(
    "gradient",
    [
        lambda w: None,
        lambda w: (w - 1.0).sum(axis=-1),
        lambda w: (w - 1.0)[..., None],
        lambda w: np.zeros(3),
        lambda w: "steep",
        lambda w: 1j * w,
    ],
    ids=["None", "a number", "a column", "another length", "a word", "complex"],
)
def test_a_gradient_of_your_own_that_is_none_is_refused(kind: Any, gradient: Any) -> None:
    loss = kind(gradient)
    for run in (
        lambda: oe.descend(loss, START, depth=[1, 2], optimizer=RATE, steps=3),
        lambda: oe.train(NETWORK, loss, optimizer=RATE, steps=3),
        lambda: oe.gradient_flow(loss, START, depth=2, times=[0.0, 1.0]),
        lambda: oe.tuned_learning_rate(loss, START, target=1e-3),
        lambda: oe.line_integral(loss, 2, 0.1, 1.0),
        lambda: oe.run_warm_up(loss, START, 1.0, learning_rate=0.1, steps=3),
    ):
        with pytest.raises(ValueError, match=r"loss\.gradient must return real numbers of shape"):
            run()


@pytest.mark.parametrize("kind", [Own, Sub])
def test_a_gradient_that_writes_into_its_argument_does_no_harm(kind: Any) -> None:
    right = oe.descend(
        kind(lambda w: w - 1.0), START, depth=[1, 2], optimizer=oe.Momentum(0.1), steps=9
    )
    run = oe.descend(kind(written_into), START, depth=[1, 2], optimizer=oe.Momentum(0.1), steps=9)
    np.testing.assert_array_equal(run.points, right.points)
    flow = oe.gradient_flow(kind(written_into), START, times=[0.0, 1.0])
    np.testing.assert_allclose(flow.points[-1], 1 + (np.array(START) - 1) * np.exp(-1), rtol=1e-9)


FLAGS: dict[str, Callable[[Any], Any]] = {
    "control of line_integral": lambda it: oe.line_integral(LOSS, 2, 0.1, 1.0, control=it),
    "control of work": lambda it: oe.work(LOSS, 2, np.eye(2), control=it),
    "control of walk": lambda it: oe.walk(LOSS, 2, 0.1, 1.0, points=2, control=it),
    "nesterov of Momentum": lambda it: oe.Momentum(0.1, nesterov=it),
    "standardized of load_auto_mpg": lambda it: oe.load_auto_mpg(standardized=it),
    "standardized of load_gas_ethanol": lambda it: oe.load_gas_ethanol("no", standardized=it),
    "progress of load_gas_ethanol": lambda it: oe.load_gas_ethanol("no", progress=it),
    "progress of load_mnist": lambda it: oe.load_mnist("no", progress=it),
    "progress of load_regression_data": lambda it: oe.load_regression_data(progress=it),
    "progress of descend": lambda it: oe.descend(LOSS, START, optimizer=RATE, steps=1, progress=it),
    "progress of train": lambda it: oe.train(NETWORK, LOSS, optimizer=RATE, steps=1, progress=it),
    "progress of learning_curves": lambda it: oe.learning_curves(
        CARS.X, CARS.y, steps=1, progress=it
    ),
    "progress of going_deeper": lambda it: oe.going_deeper(CARS.X, CARS.y, steps=1, progress=it),
    "progress of one_change_at_a_time": lambda it: oe.one_change_at_a_time(
        CARS.X, CARS.y, steps=1, progress=it
    ),
    "log_steps of plot_losses": lambda it: oe.plot_losses(
        oe.train(NETWORK, LOSS, optimizer=RATE, steps=1), log_steps=it
    ),
    "weight_decay of end_to_end_rule": lambda it: oe.derivations.end_to_end_rule(
        2, weight_decay=it
    ),
}


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", ["no", 0, 1.0, [], np.zeros(2)], ids=str)
def test_a_flag_is_true_or_false(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"{name.partition(' ')[0]} must be True or False"):
        FLAGS[name](value)


def test_rates_beside_a_number_are_refused_not_ignored() -> None:
    with pytest.raises(ValueError, match="rates are for a learning_rate that is tuned"):
        oe.race_depths(LOSS, START, depths=[1], target=1e-3, learning_rate=0.1, rates=[0.1])


def at_size(size: float) -> dict[str, tuple[Any, ...]]:
    """Return arguments of such a size for each function that takes numbers alone, or a loss."""
    w, W = size * np.array([1.0, 0.5]), size * np.eye(2)
    return {
        "single_output_direction": (w, w, 2.5),
        "split_direction": (w, w, 2),
        "end_to_end_direction": (W, W, 3),
        "preconditioner": (W, 3),
        "unbalanced_direction": (w, w, size),
        "unbalanced_network": (w, size),
        "mirror_map": (w, 2),
        "bregman_divergence": (w, w, 2),
        "flow_limit": (W, w, w, 2),
        "curvatures_near": (W, w, 2),
        "condition_near": (W, w, 2),
        "best_depth": (W, w),
        "learning_time": (size, size / 4, 3),
        "expected_square": ((2, 2, 1), size),
        "typical_square": ((2, 2, 1), size),
        "warm_up_coefficients": (w, w, 0.1),
        "balanced_network": (W, 3),
        "curl": (LOSS, 2, w),
        "antisymmetry": (LOSS, 2, w),
        "line_integral": (LOSS, 2, size / 2, size),
        "work": (LOSS, 2, W),
        "walk": (LOSS, 2, size / 2, size),
        "tuned_learning_rate": (LOSS, w),
    }


@pytest.mark.parametrize("size", [1e-200, 1e200, 1e308])
@pytest.mark.parametrize("name", at_size(1.0))
def test_numbers_near_the_ends_of_floats_give_no_warning(name: str, size: float) -> None:
    """An answer, or an error with a reason; tests/test_fuzz.py asks the same of random ones."""
    named = {"target": size} if name == "tuned_learning_rate" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(ValueError):
            getattr(oe, name)(*at_size(size)[name], **named)


@pytest.mark.parametrize("run", [oe.learning_curves, oe.going_deeper, oe.one_change_at_a_time])
def test_seeds_are_a_sequence(run: Any) -> None:
    for seeds in (3, "01", 2.5, np.array(1)):
        with pytest.raises(TypeError, match="seeds must be a sequence of whole numbers"):
            run(CARS.X, CARS.y, steps=3, seeds=seeds)
    with pytest.raises(ValueError, match="seeds must not be empty"):
        run(CARS.X, CARS.y, steps=3, seeds=[])
    with pytest.raises(ValueError, match="rates must be given: X, y and p have the curvature"):
        run(1e-200 * CARS.X, CARS.y, steps=3)
    with pytest.raises(ValueError, match=r"y must have shape \(n,\)"):
        run(CARS.X, CARS.X, steps=3)


def test_a_mirror_image_is_right_at_any_size() -> None:
    for size in (1e-200, 1e200):
        np.testing.assert_allclose(oe.mirror_map([size, 0.0], 2), [np.sqrt(size), 0.0], rtol=1e-12)


def test_a_bowl_with_a_flat_direction_has_a_best_depth() -> None:
    assert oe.best_depth([[1e-10, 0.0], [0.0, 1.0]], [1.0, 0.0]) == pytest.approx(1e10, rel=0.5)
    assert oe.best_depth([[1e-13, 0.0], [0.0, 1.0]], [1.0, 0.0]) > 1e10


def test_masked_entries_are_refused() -> None:
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    with pytest.raises(ValueError, match="targets must have no masked entries"):
        oe.SeparableLp(masked)
    assert oe.SeparableLp(np.ma.masked_array([1.0, 2.0])).targets.tolist() == [1.0, 2.0]


def test_values_of_a_loss_are_those_of_floats_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert oe.SeparableLp().value([1e200, 0.0]) == np.inf
        assert oe.LpRegression(np.eye(2), [1.0, 1.0]).gradient([1e200, 0.0])[0] == np.inf
        assert SimpleNamespace(L=oe.QuadraticLoss(np.eye(2) * 1e200)).L.value([1e200, 0]) == np.inf
