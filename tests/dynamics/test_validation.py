"""Bad input: every public function refuses it, and says which argument and what it got.

``TABLE`` holds for each argument a value that is accepted, and those that are not.
"""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu import checks

NAN, INF = float("nan"), float("inf")
RAGGED = [[1.0, 2.0], [3.0]]
LOSS, MATRIX_LOSS = oe.SeparableLp((1.0, 0.1)), oe.LinearLoss(np.ones((2, 3)))
NETWORK, RATE = oe.balanced_network([0.5, 0.5], 2), oe.GradientDescent(0.1)
TRAJECTORY = oe.train(NETWORK, LOSS, optimizer=RATE, steps=5)
MEMORY = oe.warm_up_coefficients([0.5, 1.0], [-1.0, -2.0], 0.1)
EYE, TRIANGLE = np.eye(2), [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]

# What spoils any array of numbers, and where None is allowed.
NOT_NUMBERS = ["abc", ["a", "b"], True, [True, False], 1j, [1j, 2.0], {"a": 1}, object(), [None]]
NOT_OPTIONAL = [*NOT_NUMBERS, NAN, INF, -INF, [1.0, NAN], [-INF, 1.0], RAGGED, [], EYE[:0]]
NOT_ARRAYS = [None, *NOT_OPTIONAL]
NOT_ONE_NUMBER = [None, *NOT_NUMBERS, NAN, INF, [1.0, 2.0], []]
NOT_WHOLE = ["3", True, 2.5, 2.0, None, [2], NAN, 1j]
NOT_DEPTHS = [*NOT_ARRAYS, 0, -1, 0.5, [1, 0.99], [2, -3]]
NOT_WHOLE_DEPTHS = [*NOT_DEPTHS, 2.5, [1, 1.5], 1001, 1e300]
NOT_RATES = [*NOT_ARRAYS, -0.1, [0.1, -1e-9]]
NOT_POSITIVE = [0, -0.1, [0.2, 0.0]]
NOT_P = [*NOT_ONE_NUMBER, 1.99, 1, 0, -2]
NEGATIVE = [*NOT_ONE_NUMBER, -1e-9]
NOT_FRACTIONS = [*NOT_ONE_NUMBER, -0.1, 1, 1.0, 2]
NOT_LOSSES = [None, 3.0, "loss", oe.SeparableLp, object()]
NOT_OF_A_VECTOR = [*NOT_LOSSES, MATRIX_LOSS, oe.LinearLoss([1.0])]
NOT_OPTIMIZERS = [None, 0.1, "adam", oe.Adam, {"lr": 0.1}]
NOT_STEPS = [*NOT_WHOLE, -1]
NOT_RECORDS = ["all", True, 0, -2, 2.5, [], [0, 99], [-1], [0.5], [NAN], None, [[0, 1]]]
NOT_WIDTHS = ["abc", 3, None, (3,), (), (3, 0), (3, -1, 1), (3, 2.5), (3, True), (3, "1")]
NOT_RNGS = [-1, "seed", 1.5, object()]
NOT_DIRECTIONS = [*NOT_OPTIONAL, 1.0, np.ones(3), [0.0, 0.0]]
NOT_RADII = [*NOT_ONE_NUMBER, 0, -0.1]
OPEN_CURVE, WRONG_CURVE = lambda t: np.stack([t, t], axis=-1), lambda t: t

# What several functions take alike.
RANDOM = {
    "widths": ((3, 2, 1), NOT_WIDTHS),
    "scale": (0.1, NEGATIVE),
    "rng": (0, NOT_RNGS),
}
VECTORS = {
    "w": (np.ones(2), [*NOT_ARRAYS, 1.0]),
    "gradient": (np.ones(2), [*NOT_ARRAYS, 1.0, np.ones(3)]),
    "depth": (2.5, NOT_DEPTHS),
}
RUN = {
    "loss": (LOSS, NOT_LOSSES),
    "optimizer": (RATE, NOT_OPTIMIZERS),
    "steps": (5, NOT_STEPS),
    "record": (1, NOT_RECORDS),
    "weight_decay": (0.1, NEGATIVE),
}
START = ([0.1, 0.1], [*NOT_ARRAYS, 1.0, np.ones(3)])
LOOP = {"loss": (LOSS, NOT_OF_A_VECTOR), "depth": (3, NOT_DEPTHS)}
PLANE = {
    "axis": ([1.0, 0.0], NOT_DIRECTIONS),
    "plane": ([0.0, 1.0], [*NOT_DIRECTIONS, [2.0, 0.0]]),
}
POINTS = {"points": ([0.5, 0.5], [*NOT_ARRAYS, 1.0, np.ones(3)])}
TOLERANCE = {"tolerance": (1e-9, NEGATIVE)}
LEARNING_RATE = {"learning_rate": (0.1, NOT_RATES)}
EPS = {"eps": (1e-8, NEGATIVE)}
W = {"w": ([1.0, 1.0], [*NOT_ARRAYS, 1.0, np.ones(3), np.ones((2, 1))])}

BOWL = {
    "hessian": (
        np.diag([1.0, 4.0]),
        [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((2, 3)), [[1.0, 2.0], [3.0, 4.0]], -EYE],
    ),
    "minimizer": (np.ones(2), [*NOT_ARRAYS, 1.0, np.ones(3), [0.0, 0.0]]),
}
TABLE = {
    oe.SeparableLp: {"targets": ((1.0, 0.1), [*NOT_ARRAYS, 1.0, EYE]), "p": (4, NOT_P)},
    oe.LpRegression: {
        "X": (np.eye(3), [*NOT_ARRAYS, np.ones(3), np.ones((1, 3, 2))]),
        "y": (
            np.ones(3),
            [*NOT_ARRAYS, 1.0, np.ones(4), np.ones((2, 3)), np.ones((3, 1, 1))],
        ),
        "p": (4, NOT_P),
        "reduction": ("sum", ["max", None, 1, "Sum", ["sum"], np.array(["sum", "mean"])]),
    },
    oe.LinearLoss: {"slope": ([1.0, 2.0], [*NOT_ARRAYS, 1.0, np.ones((1, 1, 1))])},
    oe.QuadraticLoss: {
        "hessian": (EYE, [*NOT_ARRAYS, 1.0, np.ones((2, 3)), [[1.0, 2.0], [3.0, 4.0]]]),
        "minimizer": ([1.0, 2.0], [*NOT_OPTIONAL, 1.0, np.ones(3)]),
    },
    oe.LinearNetwork: {
        "weights": (
            (EYE, EYE),
            [
                np.ones((2, 2, 2)),
                3.0,
                None,
                "abc",
                (),
                (np.ones(2),),
                (np.ones((2, 3)), np.ones((2, 3))),
                (np.ones((2, 2)), np.ones((5, 2, 2))),
                (EYE, RAGGED),
                (EYE, [[NAN, 1.0]]),
                (np.empty((0, 2)),),
            ],
        )
    },
    oe.near_zero_network: RANDOM,
    oe.identity_network: RANDOM,
    oe.balanced_network: {
        "W": (EYE, [*NOT_ARRAYS, 1.0]),
        "depth": (3, [*NOT_WHOLE, 0, -1]),
        "hidden": (2, [1, 0, 2.5, True, "ab", (2,), (2, 2, 2), (2, 1), (2, 2.5)]),
    },
    oe.single_output_direction: VECTORS,
    oe.split_direction: VECTORS,
    oe.end_to_end_direction: {
        "W": (EYE, [*NOT_ARRAYS, 1.0, np.ones(2)]),
        "gradient": (EYE, [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((2, 3))]),
        "depth": (2, NOT_WHOLE_DEPTHS),
    },
    oe.preconditioner: {
        "W": (EYE, [*NOT_ARRAYS, 1.0, np.ones(2)]),
        "depth": (2, [*NOT_WHOLE_DEPTHS, [1, 2]]),
    },
    oe.line_integral: {
        **LOOP,
        "inner_radius": (0.2, [*NOT_ARRAYS, *NOT_POSITIVE, 1.0, 1.5]),
        "outer_radius": (1.0, [*NOT_ARRAYS, *NOT_POSITIVE, 0.2, 0.1]),
        **PLANE,
        **TOLERANCE,
    },
    oe.work: {
        **LOOP,
        "curve": (
            TRIANGLE,
            [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((3, 3)), np.ones((1, 2))],
        ),
        "breaks": ((), [(0.5,), (0.2, 0.4)]),
        **TOLERANCE,
    },
    oe.walk: {
        **LOOP,
        "inner_radius": (0.2, [*NOT_RADII, 1.0, 1.5]),
        "outer_radius": (1.0, [*NOT_RADII, 0.2, 0.1]),
        "points": (5, [*NOT_WHOLE, 0, -1]),
        **PLANE,
    },
    oe.curl: LOOP | POINTS | {"loss": (LOSS, [*NOT_OF_A_VECTOR, oe.LinearLoss(np.ones(3))])},
    oe.antisymmetry: LOOP | POINTS,
    oe.GradientDescent: LEARNING_RATE,
    oe.Momentum: LEARNING_RATE | {"momentum": (0.9, NOT_FRACTIONS)},
    oe.AdaGrad: LEARNING_RATE | EPS,
    oe.RMSProp: LEARNING_RATE | EPS | {"decay": (0.9, NOT_FRACTIONS)},
    oe.AdaDelta: LEARNING_RATE | {"decay": (0.9, NOT_FRACTIONS), "eps": (1e-8, [*NEGATIVE, 0])},
    oe.Adam: {
        **LEARNING_RATE,
        "betas": (
            (0.9, 0.99),
            [0.9, None, "ab", (0.9,), (0.9, 1.0), (-0.1, 0.9), (0.9, NAN), ((1, 2), 3)],
        ),
        **EPS,
    },
    oe.descend: RUN | {"start": START, "depth": (2, NOT_DEPTHS)},
    oe.train: RUN | {"network": (NETWORK, [None, "net", EYE])},
    oe.gradient_flow: {
        "loss": (LOSS, NOT_LOSSES),
        "start": ([0.1, 0.1], [*NOT_ARRAYS, 1.0, np.ones(3), np.ones((2, 2))]),
        "depth": (2, [*(bad for bad in NOT_DEPTHS if bad is not None), [1, 2]]),
        "times": (
            [0.0, 0.1],
            [*NOT_ARRAYS, 1.0, [-1.0, 1.0], [1.0, 0.0], [0.0, 1.0, 1.0], np.ones((2, 2))],
        ),
        "weight_decay": (0.1, NEGATIVE),
        "rtol": (1e-6, [*NOT_ONE_NUMBER, 0, -1e-6, 1.0]),
    },
    oe.tuned_learning_rate: {
        "loss": (LOSS, NOT_LOSSES),
        "start": START,
        "depth": (2, NOT_DEPTHS),
        "target": (1e-2, NOT_ONE_NUMBER),
        "steps": (50, [*NOT_STEPS, 0]),
        "rates": ([0.1, 0.2], [*NOT_OPTIONAL, *NOT_POSITIVE]),
        "spread": (0.1, [*NOT_ONE_NUMBER, -0.1, 1.0]),
    },
    oe.best_depth: BOWL,
    oe.condition_near: BOWL | {"depth": (2, NOT_DEPTHS)},
    oe.curvatures_near: BOWL | {"depth": (2, NOT_DEPTHS)},
    oe.unbalanced_direction: {
        "w": VECTORS["w"],
        "gradient": VECTORS["gradient"],
        "imbalance": (0.5, NOT_ARRAYS),
    },
    oe.unbalanced_network: {
        "w": (np.ones(2), [*NOT_ARRAYS, 1.0, EYE, [0.0, 0.0]]),
        "imbalance": (0.5, [*NOT_ARRAYS, [1.0, 2.0]]),
    },
    oe.flow_unbalanced: {
        "loss": (LOSS, NOT_LOSSES),
        "start": (np.ones(2), [*NOT_ARRAYS, 1.0, np.ones(3)]),
        "imbalance": (0.5, NOT_ONE_NUMBER),
        "times": ([0.0, 0.5], [*NOT_ARRAYS, 1.0, [-1.0, 1.0], [1.0, 0.5]]),
        "rtol": (1e-6, [*NOT_ONE_NUMBER, 0, -1e-6]),
    },
    oe.expected_square: {"widths": ((3, 2, 1), NOT_WIDTHS), "scale": (0.1, [*NOT_ARRAYS, -0.1])},
    oe.typical_square: {
        "widths": ((3, 2, 1), [*NOT_WIDTHS, (3, 2)]),
        "scale": (0.1, [*NOT_ARRAYS, -0.1]),
    },
    oe.mirror_map: {"w": (np.ones(2), [*NOT_ARRAYS, 1.0]), "depth": (2, NOT_DEPTHS)},
    oe.bregman_divergence: {
        "w": (np.ones(2), [*NOT_ARRAYS, 1.0]),
        "start": (np.ones(2), [*NOT_ARRAYS, 1.0, np.ones(3)]),
        "depth": (2, NOT_DEPTHS),
    },
    oe.flow_limit: {
        "X": ([[1.0, 0.0]], [*NOT_ARRAYS, 1.0, np.ones(2)]),
        "y": ([2.0], [*NOT_ARRAYS, 1.0, np.ones(2)]),
        "start": (np.ones(2), [*NOT_ARRAYS, 1.0, np.ones(3)]),
        "depth": (2, NOT_DEPTHS),
    },
    oe.learning_time: {
        "target": (1.0, [*NOT_ARRAYS, 0, -1]),
        "start": (0.1, [*NOT_ARRAYS, 0, -0.1, 0.6]),
        "depth": (2, NOT_DEPTHS),
        "share": (0.5, [*NOT_ARRAYS, 0, -0.1, 1, 1.5]),
    },
    oe.run_warm_up: {
        "loss": (LOSS, [*NOT_LOSSES, MATRIX_LOSS]),
        "w1": START,
        "omega2": (0.5, NOT_ONE_NUMBER),
        "learning_rate": (0.1, [*NOT_ONE_NUMBER, 0, -0.1]),
        "steps": (5, NOT_STEPS),
    },
    oe.warm_up_coefficients: {
        "omega2": ([0.5, 1.0], [*NOT_ARRAYS, 1.0, EYE]),
        "d_omega2": ([-1.0, -2.0], [*NOT_ARRAYS, 1.0, np.ones(3)]),
        "eta": (0.1, [*NOT_ARRAYS, *NOT_POSITIVE, np.ones(3)]),
    },
    oe.rebuild_from_gradients: {
        "coefficients": (MEMORY, [None, "abc", (1, 2, 3)]),
        "gradients": (np.ones((2, 1)), [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((3, 1))]),
        "start": ([0.0], [*NOT_OPTIONAL, 1.0, np.ones(2)]),
    },
    LOSS.value: W,
    LOSS.gradient: W,
    NETWORK.layer_gradients: {
        "gradient": (np.ones((1, 2)), [*NOT_ARRAYS, 1.0, np.ones(2), np.ones((2, 1))])
    },
    TRAJECTORY.steps_to: {"loss": (0.1, [*NOT_ARRAYS, [0.1, 0.2]])},
    TRAJECTORY.network: {"record": (-1, [*NOT_WHOLE, 6, -7])},
}
GOOD = {
    function: {name: good for name, (good, _) in arguments.items()}
    for function, arguments in TABLE.items()
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
    (oe.warm_up_coefficients, {"omega2": [1.0, 0.0]}, "omega2", "0 at update 1"),
    (oe.run_warm_up, {"learning_rate": 50.0, "steps": 100}, "learning_rate", "with 50 the run"),
    (oe.work, {"curve": OPEN_CURVE}, "curve", "[1.0, 1.0]"),
    (oe.work, {"curve": WRONG_CURVE}, "curve", "(2,)"),
    (oe.work, {"curve": OPEN_CURVE, "breaks": (0.5, 0.2)}, "breaks", "(0.5, 0.2)"),
    (oe.work, {"curve": OPEN_CURVE, "breaks": (1.5,)}, "breaks", 1.5),
    (oe.end_to_end_direction, {"depth": [1, 2], "W": np.ones((3, 2, 2))}, "depth", "(2,)"),
]


def cases():
    for function, arguments in TABLE.items():
        for argument, (_, values) in arguments.items():
            yield pytest.param(function, argument, values, id=f"{function.__qualname__}-{argument}")


def refusal(function, arguments):
    try:
        function(**arguments)
    except (TypeError, ValueError) as error:
        return str(error)
    raise AssertionError(f"{function.__qualname__} accepts one of {arguments}")


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


@pytest.mark.parametrize(("function", "argument", "values"), list(cases()))
def test_bad_input_is_refused_with_its_name_and_value(function, argument, values):
    for value in values:
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


def test_every_public_function_and_every_argument_is_in_the_table():
    things = [getattr(oe, name) for name in oe.__all__]
    public = {
        thing
        for thing in things
        if getattr(thing, "__module__", "").startswith("overparam_edu.dynamics.")
    }
    # What is abstract or made by a function takes no input from outside.
    made = {oe.Loss, oe.Optimizer, oe.Preconditioner, oe.Trajectory, oe.TunedLearningRate}
    made |= {oe.LineIntegral, oe.Walk, oe.WarmUpRun, oe.WarmUpCoefficients}
    tried = {function for function in TABLE if not hasattr(function, "__self__")}
    assert public - made == tried
    for function, arguments in TABLE.items():
        switches = {"progress", "nesterov", "control"}
        assert set(inspect.signature(function).parameters) - switches == set(arguments)


@pytest.mark.parametrize(
    ("thing", "name"), [(TRAJECTORY, "points"), (NETWORK, "weights"), (RATE, "learning_rate")]
)
def test_what_has_been_checked_cannot_be_assigned_to(thing, name):
    with pytest.raises(AttributeError):
        setattr(thing, name, None)


# --- what the checks let through ---


@pytest.mark.parametrize(
    "value",
    [3, 3.0, np.float32(3), np.int8(3), [3], (3.0, 4), np.arange(3), np.eye(2, dtype=np.float16)],
)
def test_any_real_numbers_become_float64(value):
    array = checks.finite_array("value", value)
    assert array.dtype == np.float64
    assert np.array_equal(array, np.asarray(value))


def test_an_array_is_copied():
    array = np.ones(3)
    assert not np.shares_memory(checks.finite_array("value", array), array)


def test_ends_of_a_range_belong_to_it():
    assert checks.number("x", 2, lower=2, upper=2) == 2.0
    assert checks.at_least("x", 1, 1) == 1
    assert checks.whole_number("x", np.int64(0), lower=0) == 0
    assert oe.SeparableLp((1.0,), p=2).p == 2


def test_an_error_shows_a_long_value_in_one_short_line():
    with pytest.raises(ValueError, match="value must be finite") as caught:
        checks.finite_array("value", np.full((50, 50), np.nan))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 100


def test_a_message_shows_the_number_not_numpys_name_of_its_kind():
    with pytest.raises(ValueError, match=r"start must be in \[-10, 10\]; got 15\.0$"):
        checks.number("start", np.float64(15), lower=-10, upper=10)
