"""Objects keep to themselves: no array of theirs is anyone else's, and all can be pickled."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.player.page import pieces
from overparam_edu.player.wire import message

Y, X, H = np.array([1.0, 0.1]), np.array([[2.0, 1.0], [0.5, 3.0]]), np.diag([2.0, 1.0])
START, DEPTHS, RATES = np.array([0.1, 0.2]), np.array([1.0, 2.0]), np.array([0.1, 0.2])
TIMES, POLYGON = np.array([0.0, 1.0]), np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
GIVEN = (Y, X, H, START, DEPTHS, RATES, TIMES, POLYGON)
ROW = oe.LinearNetwork([X[:1]])


def trained(depth: int) -> oe.Trajectory:
    network = oe.balanced_network(Y, depth)
    return oe.train(network, oe.SeparableLp(Y), optimizer=oe.GradientDescent(RATES), steps=3)


def coefficients() -> oe.WarmUpCoefficients:
    return oe.warm_up_coefficients(Y, START, RATES)


# What makes an object out of the arrays above.
OBJECTS: dict[str, Callable[[], Any]] = {
    "SeparableLp": lambda: oe.SeparableLp(Y),
    "LpRegression": lambda: oe.LpRegression(X, Y),
    "LinearLoss": lambda: oe.LinearLoss(Y),
    "QuadraticLoss": lambda: oe.QuadraticLoss(H, Y),
    "SymbolicLoss": lambda: oe.SymbolicLoss("w1^2 + exp(log(w2))"),
    "LinearNetwork": lambda: oe.LinearNetwork((X, X[:1])),
    "balanced_network": lambda: oe.balanced_network(X, 1),
    **{
        name: lambda name=name: getattr(oe, name)(RATES)
        for name in ("GradientDescent", "Momentum", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
    },
    "descend": lambda: oe.descend(
        oe.SeparableLp(Y), START, depth=DEPTHS, optimizer=oe.GradientDescent(RATES), steps=3
    ),
    "Trajectory": lambda: trained(2),
    "Trajectory at depth 1": lambda: trained(1),
    "gradient_flow": lambda: oe.gradient_flow(oe.SeparableLp(Y), START, times=TIMES),
    "gradient_flow of layers": lambda: oe.gradient_flow(oe.SeparableLp(Y), ROW, times=TIMES),
    "TunedLearningRate": lambda: oe.tuned_learning_rate(
        oe.SeparableLp(Y), START, target=1e-3, depth=DEPTHS
    ),
    "race_depths": lambda: oe.race_depths(oe.SeparableLp(Y), START, depths=DEPTHS, target=1e-3),
    "LineIntegral": lambda: oe.work(oe.SeparableLp(Y), DEPTHS, POLYGON),
    "line_integral": lambda: oe.line_integral(oe.SeparableLp(Y), DEPTHS, RATES, 1.0),
    "Walk": lambda: oe.walk(oe.SeparableLp(Y), DEPTHS, 0.1, 1.0),
    "Preconditioner": lambda: oe.preconditioner(X, 2),
    "preconditioner of depth 1": lambda: oe.preconditioner(X, 1),
    "WarmUpRun": lambda: oe.run_warm_up(oe.SeparableLp(Y), START, 0.5, learning_rate=0.1, steps=3),
    "WarmUpCoefficients": coefficients,
    "rebuild_from_gradients": lambda: oe.rebuild_from_gradients(coefficients(), X, start=START),
    "Potential": lambda: oe.find_potential("w1 + 2*w2", 2),
    "Potential that is none": lambda: oe.find_potential("|w1| + w2", 3),
    "load_auto_mpg": oe.load_auto_mpg,
    "recorded_convnet": oe.recorded_convnet,
    "DataUnavailableError": lambda: oe.DataUnavailableError("no network", "try again"),
    "Derivation": lambda: oe.derivations.end_to_end_rule(3),
    "load_record": lambda: oe.load_record("cars_l4"),
    "best_curve": lambda: oe.best_curve(oe.load_record("cars_l4").of(depth=1)),
    "steps_to_level": lambda: oe.steps_to_level(oe.load_record("cars_l4").of(depth=1), 0.1),
    "compare_rule_with_network": lambda: oe.compare_rule_with_network(
        oe.balanced_network(Y, 2), oe.SeparableLp(Y), learning_rate=0.1, steps=3
    ),
    "measure_distance_order": lambda: oe.measure_distance_order(
        oe.identity_network((2, 2, 1), 0.1), oe.SeparableLp(Y), learning_rates=RATES, time=1.0
    ),
    "claims": oe.claims,
}
ABSTRACT = {"Loss", "Optimizer"}
WITH_TORCH = {"ConvnetTraining"}


def arrays(what: Any) -> Iterator[np.ndarray]:
    """Yield the arrays in an object, however deep."""
    if isinstance(what, np.ndarray):
        yield what
    elif isinstance(what, dict):
        for part in what.values():
            yield from arrays(part)
    elif isinstance(what, tuple | list):
        for part in what:
            yield from arrays(part)
    elif dataclasses.is_dataclass(what) or isinstance(what, oe.Loss):
        yield from arrays(vars(what))


def test_the_table_has_every_public_class() -> None:
    public = {name for name in dir(oe) if inspect.isclass(getattr(oe, name))}
    made = {type(build()).__name__ for build in OBJECTS.values()}
    assert public - ABSTRACT - WITH_TORCH <= made


@pytest.mark.parametrize("name", OBJECTS)
def test_no_array_of_an_object_is_anyone_elses(name: str) -> None:
    """What is done to an array afterwards, whosever it is, is done to this array alone."""
    own = list(arrays([OBJECTS[name](), OBJECTS[name]()]))
    for mine, other in [*combinations(own, 2), *((a, b) for a in own for b in GIVEN)]:
        assert not np.shares_memory(mine, other)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_can_be_pickled_and_copied(name: str) -> None:
    made = OBJECTS[name]()
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert type(again) is type(made)
        assert str(again) == str(made)
        for mine, other in zip(arrays(made), arrays(again), strict=True):
            np.testing.assert_array_equal(mine, other)
        if isinstance(made, oe.Loss):
            at = np.full(made.shape, 0.7)
            np.testing.assert_array_equal(made.value(at), again.value(at))
            np.testing.assert_array_equal(made.gradient(at), again.gradient(at))


def test_a_training_that_was_pickled_goes_on_the_same() -> None:
    pytest.importorskip("torch")
    images = np.random.default_rng(0).random((100, 28, 28), dtype=np.float32)
    digits = oe.datasets.Digits(images, np.arange(100) % 10)
    training = oe.ConvnetTraining(digits, widths=(2, 2, 4))
    training.advance()
    again = pickle.loads(pickle.dumps(training))
    training.advance()
    again.advance()
    assert again.records == training.records


@pytest.mark.parametrize(
    "loss",
    [oe.SeparableLp(Y, p=2), oe.LpRegression(X, Y), oe.LinearLoss(Y), oe.QuadraticLoss(H, Y)],
    ids=lambda loss: type(loss).__name__,
)
def test_what_a_method_returns_is_the_callers(loss: oe.Loss) -> None:
    at = START.copy()
    first = loss.gradient(at)
    kept = first.copy()
    first += 1.0
    np.testing.assert_array_equal(at, START)
    np.testing.assert_array_equal(loss.gradient(at), kept)


def test_layers_that_are_changed_are_not_the_networks() -> None:
    """A usual loop over ``layers``, with its ``-=``."""
    layers = [X.copy(), X[:1].copy()]
    network = oe.LinearNetwork(layers)
    single = oe.LinearNetwork([X.copy()])
    before = network.end_to_end_matrix
    slopes = network.layer_gradients(np.ones((1, 2)))
    for V, S in zip(layers, slopes, strict=True):
        V -= 0.1 * S
    np.testing.assert_array_equal(network.end_to_end_matrix, before)
    whole, gradient = single.end_to_end_matrix, np.ones((2, 2))
    whole *= 0
    single.layer_gradients(gradient)[0][:] = 7
    np.testing.assert_array_equal(single.end_to_end_matrix, X)
    np.testing.assert_array_equal(gradient, 1)


EXPLORERS = [name for name in oe.__all__ if name.startswith("explore_")]


@pytest.mark.parametrize("name", EXPLORERS)
def test_what_is_done_to_one_explorer_does_not_show_in_the_next(name: str) -> None:
    """Scenes are computed once and shown by many: nobody gets at what is kept."""
    arguments = [oe.derivations.end_to_end_rule(2)] if name == "explore_derivation" else []
    shown = [piece.scene for piece in pieces(getattr(oe, name)(*arguments))]
    before = [message(scene) for scene in shown]
    for scene in shown:
        if scene.figure is not None:
            scene.figure.update_layout(height=700, title="mine")
            scene.figure.data[0].visible = False
        for track in scene.tracks:
            with pytest.raises(ValueError, match="read-only"):
                track.values[...] = track.values.ravel()[0]
        for mapping in [scene.narrow, *([scene.reading.fields] if scene.reading else [])]:
            with pytest.raises(TypeError, match="does not support item"):
                mapping["height"] = 700
    again = [piece.scene for piece in pieces(getattr(oe, name)(*arguments))]
    assert [message(scene) for scene in again] == before


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_are_equal_by_what_they_hold(name: str) -> None:
    made, same = OBJECTS[name](), OBJECTS[name]()
    if isinstance(made, (Exception, np.ndarray, oe.derivations.Derivation)):
        return  # each is its own, an array has an answer for each number, and a proof holds code
    for other in (same, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (made == other) is True
        assert (made != other) is False
        assert hash(made) == hash(other)
    assert made != "another thing"
    assert made != object()


@pytest.mark.parametrize("name", [*OBJECTS, "recorded_convnet"])
def test_objects_that_hold_other_numbers_differ(name: str) -> None:
    made = OBJECTS[name]()
    if isinstance(made, np.ndarray):
        return
    for place, array in enumerate(arrays(made)):
        other = copy.deepcopy(made)
        changed = list(arrays(other))[place]
        if changed.size and changed.dtype.kind in "fi" and array.flags.writeable:
            changed.flat[0] = 12_345
            assert (made == other) is False, place
            assert (made != other) is True, place
