"""Bad input: every public function refuses it, and says which argument and what it got.

``GOOD`` holds arguments that each function accepts; each row of ``BAD`` spoils one of them.
"""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import overparam_edu as oe

NAN, INF = float("nan"), float("inf")
RAGGED = [[1.0, 2.0], [3.0]]
LOSS, MATRIX_LOSS = oe.SeparableLp((1.0, 0.1)), oe.LinearLoss(np.ones((2, 3)))
NETWORK, RATE = oe.balanced_network([0.5, 0.5], 2), oe.GradientDescent(0.1)
TRAJECTORY = oe.train(NETWORK, LOSS, optimizer=RATE, steps=5)

# Spoils any array of numbers.
NOT_NUMBERS = [
    "abc",
    ["a", "b"],
    True,
    [True, False],
    1j,
    [1j, 2.0],
    None,
    [None],
    {"a": 1},
    object(),
]
NOT_FINITE = [NAN, INF, -INF, [1.0, NAN], [-INF, 1.0]]
NOT_ARRAYS = [*NOT_NUMBERS, *NOT_FINITE, RAGGED, [], np.empty((0, 2))]
NOT_ONE_NUMBER = [*NOT_NUMBERS, NAN, INF, [1.0, 2.0], []]
NOT_WHOLE = ["3", True, 2.5, 2.0, None, [2], NAN, 1j]
NOT_DEPTHS = [*NOT_ARRAYS, 0, -1, 0.5, [1, 0.99], [2, -3]]
NOT_WHOLE_DEPTHS = [*NOT_DEPTHS, 2.5, [1, 1.5], 1001, 1e300]
NOT_RATES = [*NOT_ARRAYS, -0.1, [0.1, -1e-9]]
NOT_P = [*NOT_ONE_NUMBER, 1.99, 1, 0, -2]
NOT_DECAYS = [*NOT_ONE_NUMBER, -1e-3]
NOT_FRACTIONS = [*NOT_ONE_NUMBER, -0.1, 1, 1.0, 2]
NOT_EPS = [*NOT_ONE_NUMBER, -1e-9]
NOT_LOSSES = [None, 3.0, "loss", oe.SeparableLp, object()]
NOT_OPTIMIZERS = [None, 0.1, "adam", oe.Adam, {"lr": 0.1}]
NOT_STEPS = [*NOT_WHOLE, -1]
NOT_RECORDS = ["all", True, 0, -2, 2.5, [], [0, 99], [-1], [0.5], [NAN], None, [[0, 1]]]
NOT_WIDTHS = ["abc", 3, None, (3,), (), (3, 0), (3, -1, 1), (3, 2.5), (3, True), (3, "1")]
NOT_SCALES = [*NOT_ONE_NUMBER, -1e-3]
NOT_RNGS = [-1, "seed", 1.5, object()]
NOT_RADII = [*NOT_ARRAYS, 0, -0.1, [0.2, 0.0]]
NOT_LOSSES_OF_A_VECTOR = [*NOT_LOSSES, MATRIX_LOSS, oe.LinearLoss([1.0])]
NOT_DIRECTIONS = [*(bad for bad in NOT_ARRAYS if bad is not None), 1.0, np.ones(3), [0.0, 0.0]]
OPEN_CURVE, WRONG_CURVE = lambda t: np.stack([t, t], axis=-1), lambda t: t

GOOD = {
    oe.SeparableLp: {"targets": (1.0, 0.1), "p": 4},
    oe.LpRegression: {"X": np.eye(3), "y": np.ones(3), "p": 4, "reduction": "sum"},
    oe.LinearLoss: {"slope": [1.0, 2.0]},
    oe.QuadraticLoss: {"hessian": np.eye(2), "minimizer": [1.0, 2.0]},
    oe.LinearNetwork: {"weights": (np.eye(2), np.eye(2))},
    oe.near_zero_network: {"widths": (3, 2, 1), "scale": 0.1, "rng": 0},
    oe.identity_network: {"widths": (3, 2, 1), "scale": 0.1, "rng": 0},
    oe.balanced_network: {"W": np.eye(2), "depth": 3, "hidden": 2},
    oe.single_output_direction: {"w": np.ones(2), "gradient": np.ones(2), "depth": 2.5},
    oe.split_direction: {"w": np.ones(2), "gradient": np.ones(2), "depth": 2.5},
    oe.end_to_end_direction: {"W": np.eye(2), "gradient": np.eye(2), "depth": 2},
    oe.preconditioner: {"W": np.eye(2), "depth": 2},
    oe.line_integral: {
        "loss": LOSS,
        "depth": 3,
        "inner_radius": 0.2,
        "outer_radius": 1.0,
        "axis": [1.0, 0.0],
        "plane": [0.0, 1.0],
        "tolerance": 1e-9,
    },
    oe.work: {
        "loss": LOSS,
        "depth": 3,
        "curve": [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        "breaks": (),
        "tolerance": 1e-9,
    },
    oe.walk: {
        "loss": LOSS,
        "depth": 3,
        "inner_radius": 0.2,
        "outer_radius": 1.0,
        "points": 5,
        "axis": [1.0, 0.0],
        "plane": [0.0, 1.0],
    },
    oe.curl: {"loss": LOSS, "depth": 3, "points": [0.5, 0.5]},
    oe.antisymmetry: {"loss": LOSS, "depth": 3, "points": [0.5, 0.5]},
    oe.GradientDescent: {"learning_rate": 0.1},
    oe.Momentum: {"learning_rate": 0.1, "momentum": 0.9},
    oe.AdaGrad: {"learning_rate": 0.1, "eps": 1e-8},
    oe.RMSProp: {"learning_rate": 0.1, "decay": 0.9, "eps": 1e-8},
    oe.AdaDelta: {"learning_rate": 0.1, "decay": 0.9, "eps": 1e-8},
    oe.Adam: {"learning_rate": 0.1, "betas": (0.9, 0.99), "eps": 1e-8},
    oe.descend: {
        "loss": LOSS,
        "start": [0.1, 0.1],
        "depth": 2,
        "optimizer": RATE,
        "steps": 5,
        "record": 1,
        "weight_decay": 0.1,
    },
    oe.train: {
        "network": NETWORK,
        "loss": LOSS,
        "optimizer": RATE,
        "steps": 5,
        "record": 1,
        "weight_decay": 0.1,
    },
    oe.gradient_flow: {
        "loss": LOSS,
        "start": [0.1, 0.1],
        "depth": 2,
        "times": [0.0, 0.1],
        "weight_decay": 0.1,
        "rtol": 1e-6,
    },
    oe.tuned_learning_rate: {
        "loss": LOSS,
        "start": [0.1, 0.1],
        "depth": 2,
        "target": 1e-2,
        "steps": 50,
        "rates": [0.1, 0.2],
        "spread": 0.1,
    },
    LOSS.value: {"w": [1.0, 1.0]},
    LOSS.gradient: {"w": [1.0, 1.0]},
    NETWORK.layer_gradients: {"gradient": np.ones((1, 2))},
    TRAJECTORY.steps_to: {"loss": 0.1},
    TRAJECTORY.network: {"record": -1},
}

BAD = {
    oe.SeparableLp: {"targets": [*NOT_ARRAYS, 1.0, np.eye(2)], "p": NOT_P},
    oe.LpRegression: {
        "X": [*NOT_ARRAYS, np.ones(3), np.ones((1, 3, 2))],
        "y": [*NOT_ARRAYS, 1.0, np.ones(4), np.ones((2, 3)), np.ones((3, 1, 1))],
        "p": NOT_P,
        "reduction": ["max", None, 1, "Sum", ["sum"], np.array(["sum", "mean"])],
    },
    oe.LinearLoss: {"slope": [*NOT_ARRAYS, 1.0, np.ones((1, 1, 1))]},
    oe.QuadraticLoss: {
        "hessian": [*NOT_ARRAYS, 1.0, np.ones((2, 3)), [[1.0, 2.0], [3.0, 4.0]]],
        "minimizer": [*(bad for bad in NOT_ARRAYS if bad is not None), 1.0, np.ones(3)],
    },
    oe.LinearNetwork: {
        "weights": [
            np.ones((2, 2, 2)),
            3.0,
            None,
            "abc",
            (),
            (np.ones(2),),
            (np.ones((2, 3)), np.ones((2, 3))),
            (np.ones((2, 2)), np.ones((5, 2, 2))),
            (np.eye(2), RAGGED),
            (np.eye(2), [[NAN, 1.0]]),
            (np.empty((0, 2)),),
        ]
    },
    oe.near_zero_network: {"widths": NOT_WIDTHS, "scale": NOT_SCALES, "rng": NOT_RNGS},
    oe.identity_network: {"widths": NOT_WIDTHS, "scale": NOT_SCALES, "rng": NOT_RNGS},
    oe.balanced_network: {
        "W": [*NOT_ARRAYS, 1.0],
        "depth": [*NOT_WHOLE, 0, -1],
        "hidden": [1, 0, 2.5, True, "ab", (2,), (2, 2, 2), (2, 1), (2, 2.5)],
    },
    oe.single_output_direction: {
        "w": [*NOT_ARRAYS, 1.0],
        "gradient": [*NOT_ARRAYS, 1.0, np.ones(3)],
        "depth": NOT_DEPTHS,
    },
    oe.split_direction: {
        "w": [*NOT_ARRAYS, 1.0],
        "gradient": [*NOT_ARRAYS, 1.0, np.ones(3)],
        "depth": NOT_DEPTHS,
    },
    oe.end_to_end_direction: {
        "W": [*NOT_ARRAYS, 1.0, np.ones(2)],
        "gradient": [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((2, 3))],
        "depth": NOT_WHOLE_DEPTHS,
    },
    oe.preconditioner: {"W": [*NOT_ARRAYS, 1.0, np.ones(2)], "depth": [*NOT_WHOLE_DEPTHS, [1, 2]]},
    oe.line_integral: {
        "loss": NOT_LOSSES_OF_A_VECTOR,
        "depth": NOT_DEPTHS,
        "inner_radius": [*NOT_RADII, 1.0, 1.5],
        "outer_radius": [*NOT_RADII, 0.2, 0.1],
        "axis": NOT_DIRECTIONS,
        "plane": [*NOT_DIRECTIONS, [2.0, 0.0]],
        "tolerance": [*NOT_ONE_NUMBER, -1e-9],
    },
    oe.work: {
        "loss": NOT_LOSSES_OF_A_VECTOR,
        "depth": NOT_DEPTHS,
        "curve": [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((3, 3)), np.ones((1, 2))],
        "breaks": [(0.5,), (0.2, 0.4)],
        "tolerance": [*NOT_ONE_NUMBER, -1e-9],
    },
    oe.walk: {
        "loss": NOT_LOSSES_OF_A_VECTOR,
        "depth": NOT_DEPTHS,
        "inner_radius": [*NOT_ONE_NUMBER, 0, -0.1, 1.0, 1.5],
        "outer_radius": [*NOT_ONE_NUMBER, 0, -0.1, 0.2, 0.1],
        "points": [*NOT_WHOLE, 0, -1],
        "axis": NOT_DIRECTIONS,
        "plane": [*NOT_DIRECTIONS, [2.0, 0.0]],
    },
    oe.curl: {
        "loss": [*NOT_LOSSES_OF_A_VECTOR, oe.LinearLoss(np.ones(3))],
        "depth": NOT_DEPTHS,
        "points": [*NOT_ARRAYS, 1.0, np.ones(3)],
    },
    oe.antisymmetry: {
        "loss": NOT_LOSSES_OF_A_VECTOR,
        "depth": NOT_DEPTHS,
        "points": [*NOT_ARRAYS, 1.0, np.ones(3)],
    },
    oe.GradientDescent: {"learning_rate": NOT_RATES},
    oe.Momentum: {"learning_rate": NOT_RATES, "momentum": NOT_FRACTIONS},
    oe.AdaGrad: {"learning_rate": NOT_RATES, "eps": NOT_EPS},
    oe.RMSProp: {"learning_rate": NOT_RATES, "decay": NOT_FRACTIONS, "eps": NOT_EPS},
    oe.AdaDelta: {"learning_rate": NOT_RATES, "decay": NOT_FRACTIONS, "eps": [*NOT_EPS, 0]},
    oe.Adam: {
        "learning_rate": NOT_RATES,
        "betas": [0.9, None, "ab", (0.9,), (0.9, 1.0), (-0.1, 0.9), (0.9, NAN), ((1, 2), 3)],
        "eps": NOT_EPS,
    },
    oe.descend: {
        "loss": NOT_LOSSES,
        "start": [*NOT_ARRAYS, 1.0, np.ones(3)],
        "depth": NOT_DEPTHS,
        "optimizer": NOT_OPTIMIZERS,
        "steps": NOT_STEPS,
        "record": NOT_RECORDS,
        "weight_decay": NOT_DECAYS,
    },
    oe.train: {
        "network": [None, "net", np.eye(2)],
        "loss": NOT_LOSSES,
        "optimizer": NOT_OPTIMIZERS,
        "steps": NOT_STEPS,
        "record": NOT_RECORDS,
        "weight_decay": NOT_DECAYS,
    },
    oe.gradient_flow: {
        "loss": NOT_LOSSES,
        "start": [*NOT_ARRAYS, 1.0, np.ones(3), np.ones((2, 2))],
        "depth": [*(bad for bad in NOT_DEPTHS if bad is not None), [1, 2]],
        "times": [*NOT_ARRAYS, 1.0, [-1.0, 1.0], [1.0, 0.0], [0.0, 1.0, 1.0], np.ones((2, 2))],
        "weight_decay": NOT_DECAYS,
        "rtol": [*NOT_ONE_NUMBER, 0, -1e-6, 1.0],
    },
    oe.tuned_learning_rate: {
        "loss": NOT_LOSSES,
        "start": [*NOT_ARRAYS, 1.0, np.ones(3)],
        "depth": NOT_DEPTHS,
        "target": NOT_ONE_NUMBER,
        "steps": [*NOT_STEPS, 0],
        "rates": [bad for bad in NOT_RATES if bad is not None],
        "spread": [*NOT_ONE_NUMBER, -0.1, 1.0],
    },
    LOSS.value: {"w": [*NOT_ARRAYS, 1.0, np.ones(3), np.ones((2, 1))]},
    LOSS.gradient: {"w": [*NOT_ARRAYS, 1.0, np.ones(3), np.ones((2, 1))]},
    NETWORK.layer_gradients: {"gradient": [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((2, 1))]},
    TRAJECTORY.steps_to: {"loss": [*NOT_ARRAYS, [0.1, 0.2]]},
    TRAJECTORY.network: {"record": [*NOT_WHOLE, 6, -7]},
}

# These are bad only together with something else, or in another of the function's two forms.
ALONE = [
    (oe.descend, {"loss": MATRIX_LOSS, "start": np.ones((2, 3)), "depth": 2.5}, "depth", 2.5),
    (oe.descend, {"loss": MATRIX_LOSS, "start": np.ones(3)}, "start", "(3,)"),
    (oe.descend, {"depth": [1, 2], "start": np.ones((3, 2))}, "depth", "(2,)"),
    (oe.descend, {"optimizer": oe.Adam([0.1, 0.2]), "depth": [1, 2, 3]}, "learning_rate", "(2,)"),
    (oe.train, {"loss": MATRIX_LOSS}, "network", "(2, 1, 1)"),
    (oe.train, {"network": oe.near_zero_network((3, 1), 0.1)}, "network", "(3, 1)"),
    (oe.gradient_flow, {"start": NETWORK}, "depth", 2),
    (
        oe.gradient_flow,
        {"start": oe.balanced_network(np.ones((4, 1, 2)), 2), "depth": None},
        "start",
        "(4,)",
    ),
    (
        oe.gradient_flow,
        {"loss": MATRIX_LOSS, "start": np.ones((2, 3)), "depth": 1.5},
        "depth",
        1.5,
    ),
    (oe.single_output_direction, {"depth": [1, 2], "w": np.ones((3, 2))}, "depth", "(2,)"),
    (oe.curl, {"depth": [1, 2], "points": np.ones((3, 2))}, "depth", "(2,)"),
    (oe.line_integral, {"depth": [1, 2], "outer_radius": [1, 2, 3]}, "depth", "(3,)"),
    (oe.line_integral, {"plane": np.eye(2)}, "axis", "[1.0, 0.0]"),
    (
        oe.line_integral,
        {"loss": oe.QuadraticLoss(np.eye(2)), "axis": None, "plane": None},
        "axis",
        "[0.0, 0.0]",
    ),
    (oe.work, {"curve": OPEN_CURVE}, "curve", "[1.0, 1.0]"),
    (oe.work, {"curve": WRONG_CURVE}, "curve", "(2,)"),
    (oe.work, {"curve": OPEN_CURVE, "breaks": (0.5, 0.2)}, "breaks", "(0.5, 0.2)"),
    (oe.work, {"curve": OPEN_CURVE, "breaks": (1.5,)}, "breaks", 1.5),
    (oe.end_to_end_direction, {"depth": [1, 2], "W": np.ones((3, 2, 2))}, "depth", "(2,)"),
]


def cases():
    for function, arguments in BAD.items():
        owner = getattr(function, "__self__", None)
        name = f"{type(owner).__name__}.{function.__name__}" if owner else function.__name__
        for argument, values in arguments.items():
            for i, value in enumerate(values):
                shown = " ".join(re.sub(r" at 0x\w+", "", repr(value)).split())[:40]
                yield pytest.param(function, argument, value, id=f"{name}-{argument}-{i}-{shown}")


def refusal(function, arguments):
    with pytest.raises((TypeError, ValueError)) as caught:
        function(**arguments)
    return str(caught.value)


def mentions(message, value):
    """Say whether the value, its beginning, its shape or one of its parts is in the message."""
    parts = list(value) if isinstance(value, (list, tuple)) else []
    texts = [" ".join(repr(x).split())[:50] for x in (value, *parts)]
    texts += [str(x.shape) for x in (value, *parts) if isinstance(x, np.ndarray)]
    texts += [str(np.shape(value))] if not isinstance(value, (list, tuple)) or not parts else []
    if parts and all(isinstance(x, (int, float)) for x in parts):
        texts.append(str(np.shape(value)))
    if isinstance(value, np.ndarray):
        texts += [str(value.tolist()), " ".join(repr(value).split())[:50]]
    return any(text in message for text in texts)


@pytest.mark.parametrize("function", GOOD, ids=lambda f: f.__qualname__)
def test_the_good_arguments_are_accepted(function):
    function(**GOOD[function])


@pytest.mark.parametrize(("function", "argument", "value"), list(cases()))
def test_bad_input_is_refused_with_its_name_and_value(function, argument, value):
    message = refusal(function, {**GOOD[function], argument: value})
    assert re.search(rf"\b{argument}\b", message), message
    assert re.search(r"\bgot\b", message), message
    assert mentions(message, value) or "got none" in message, message
    assert len(message) < 250, "an error is read, not scrolled"


@pytest.mark.parametrize(("function", "arguments", "argument", "shown"), ALONE)
def test_arguments_that_do_not_fit_each_other_are_refused(function, arguments, argument, shown):
    message = refusal(function, {**GOOD[function], **arguments})
    assert re.search(rf"\b{argument}\b", message), message
    assert str(shown) in message, message


def test_every_public_function_and_class_is_in_the_table():
    public = {
        thing
        for name, thing in vars(oe).items()
        if callable(thing)
        and not name.startswith("_")
        and thing.__module__.startswith("overparam_edu.dynamics.")
    }
    # What is abstract or made by a function takes no input from outside.
    made = {oe.Loss, oe.Optimizer, oe.Preconditioner, oe.Trajectory, oe.TunedLearningRate}
    made |= {oe.LineIntegral, oe.Walk}
    assert public - made == {f for f in BAD if not hasattr(f, "__self__")}
    assert set(GOOD) == set(BAD)


@pytest.mark.parametrize("function", BAD, ids=lambda f: f.__qualname__)
def test_every_argument_is_in_the_table(function):
    switches = {"progress", "nesterov", "control"}
    arguments = set(inspect.signature(function).parameters) - switches
    assert arguments == set(BAD[function])
