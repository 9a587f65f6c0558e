"""Rule against network as a widget: every setting, and whether what it shows and says is true."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.rule_against_network import rebalance, synthetic_regression
from overparam_edu.explorers.update_rule import explore_update_rule, update_rule_scene
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.wire import message

OPTIONS: dict[str, list[Any]] = {
    "data": ["synthetic", "mpg2", "mpg4"],
    "hidden": [1, 3, 8],
    "learning_rate": [0.2, 0.1, 0.05, 0.02],
    "scale": [0.03, 0.1, 0.3, 0.5],
}
VALUE = r"(−?[\d.]+(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?|not finite)"
WHEN = r"(by iteration (?:\d+)|not in (?:\d+)|never \(it diverges at (?:\d+)\))"
WORDS = re.compile(
    rf"At iteration {VALUE}, above the minimum: network {VALUE}, rule {VALUE}\. Distance {VALUE} "
    rf"\(so far up to {VALUE}\), imbalance {VALUE}\. Halfway down: network {WHEN}, rule {WHEN}\."
    r"(?P<width> Width 1 is below min\(k, d\) = 3: its matrices have no higher rank\.)?$"
)
SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def number(text: str) -> float:
    return float(text.replace("×10", "e").translate(SUPERSCRIPT))


def loss_of(data: str) -> oe.LpRegression:
    if data == "synthetic":
        return synthetic_regression()
    cars = oe.load_auto_mpg(standardized=True)
    return oe.LpRegression(cars.X, cars.y, p=int(data[-1]), reduction="mean")


def runs_of(depth, start, steps, data="synthetic", hidden=3, learning_rate=0.1, scale=0.3):
    """Return rule, network and the loss's minimum, each by a run of its own."""
    loss = loss_of(data)
    k, d = (1, *loss.shape)[-2:]
    network = oe.near_zero_network((d, *[hidden] * (depth - 1), k), scale)
    if start == "balanced":
        network = rebalance(network)
    options = {"optimizer": oe.GradientDescent(learning_rate), "steps": steps}
    trained = oe.train(network, loss, **options)
    matrix = network.end_to_end_matrix.reshape(loss.shape)
    return oe.descend(loss, matrix, depth=depth, **options), trained, least_loss(loss)


def imbalance_of(network: oe.Trajectory) -> np.ndarray:
    """Return the imbalance at each step, by the definition; NaN where the run has diverged."""
    pairs = zip(network.weights[:-1], network.weights[1:], strict=True)
    gaps = [
        np.einsum("tba,tbc->tac", upper, upper) - np.einsum("tab,tcb->tac", lower, lower)
        for lower, upper in pairs
    ]
    norms = [np.sqrt(np.square(gap).sum(axis=(1, 2))) for gap in gaps]
    return np.where(
        np.isfinite(network.losses), np.max([0 * network.losses, *norms], axis=0), np.nan
    )


def test_it_opens_on_a_balanced_network_and_offers_what_it_should() -> None:
    explorer = explore_update_rule()
    assert explorer.player.position["start"] == 0
    assert [axis.name for axis in explorer.scene.axes] == ["depth", "start", "step"]
    assert list(OPTIONS) == list(explorer.controls)
    for name, values in OPTIONS.items():
        offered = explorer.controls[name].options
        assert [v[1] if isinstance(v, tuple) else v for v in offered] == values


SETTINGS: list[dict[str, Any]] = [
    {},
    {"hidden": 1, "data": "mpg2", "scale": 0.1},
    {"hidden": 8, "data": "mpg4", "scale": 0.5, "learning_rate": 0.2},
    {"hidden": 1, "learning_rate": 0.2},
]


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_curves_are_those_of_a_run_of_ones_own(setting: dict[str, Any]) -> None:
    scene = update_rule_scene(**setting)
    stops = np.array(scene.axes[2].stops, dtype=int)
    for lane, depth in ((0, 1), (2, 3), (3, 4)):
        for start, name in enumerate(("balanced", "random")):
            rule, network, least = runs_of(depth, name, int(stops[-1]), **setting)
            drawn = frame(scene, {"depth": lane, "start": start, "step": len(stops) - 1})
            for who, run in (("network", network), ("rule", rule)):
                seen, expected = drawn[who, "y"], in_float32((run.losses - least)[stops])
                assert len(seen) == len(expected)
                far = expected > 10 ** scene.figure.layout.yaxis.range[0] / 99
                np.testing.assert_allclose(np.array(seen)[far], expected[far], rtol=1e-3)
                matrices = run.points[stops].reshape(len(stops), *(1, *run.points.shape[1:])[-2:])
                finite = np.isfinite(matrices).all(axis=(1, 2))
                sigma = np.linalg.svd(matrices[finite], compute_uv=False)
                assert (f"singular value {sigma.shape[1] + 1} of the {who}", "y") not in drawn
                for i, values in enumerate(sigma.T, start=1):
                    seen = drawn[f"singular value {i} of the {who}", "y"]
                    np.testing.assert_allclose(seen, in_float32(values), rtol=1e-4, atol=1e-6)
            imbalance = in_float32(imbalance_of(network)[stops])
            seen = np.array(drawn["imbalance", "y"])
            assert len(seen) == len(imbalance)
            far = imbalance > 1e-5
            np.testing.assert_allclose(seen[far], imbalance[far], rtol=1e-4)
            assert (seen[~far] <= 2e-5).all()


def in_float32(values: np.ndarray) -> np.ndarray:
    """Return the values that the browser can draw."""
    return values[values < np.finfo("f4").max]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_sentence_is_true(setting: dict[str, Any]) -> None:
    scene = update_rule_scene(**setting)
    stops = np.array(scene.axes[2].stops, dtype=int)
    for lane, depth in ((0, 1), (1, 2), (2, 3)):
        for start, name in enumerate(("balanced", "random")):
            rule, network, least = runs_of(depth, name, int(stops[-1]), **setting)
            both = np.stack([rule.points, network.points])
            gaps = np.abs(both[0] - both[1]).reshape(len(rule.steps), -1).max(axis=1)
            gaps = gaps[stops] / np.nanmax(np.abs(both[:, stops]))
            for stop in (0, len(stops) // 2, len(stops) - 1):
                words = describe(scene, {"depth": lane, "start": start, "step": stop})
                found = WORDS.match(words)
                assert found, words
                step = stops[stop]
                assert number(found[1]) == step
                for text, value in (
                    (found[2], network.losses[step] - least),
                    (found[3], rule.losses[step] - least),
                    (found[4], gaps[stop]),
                    (found[5], gaps[: stop + 1].max()),
                    (found[6], imbalance_of(network)[step]),
                ):
                    if text == "not finite":
                        assert not value < np.finfo("f4").max
                    else:
                        assert number(text) == pytest.approx(value, rel=6e-3, abs=1e-11)
                for text, run in ((found[7], network), (found[8], rule)):
                    check_half_way(text, run, least, stops)
                expected = setting.get("hidden") == 1 and setting.get("data") is None
                assert bool(found["width"]) == expected


def check_half_way(text: str, run: oe.Trajectory, least: float, stops: np.ndarray) -> None:
    below = run.losses <= (run.losses[0] + least) / 2
    said = int(text.rstrip(")").split()[-1])
    if text.startswith("by"):
        assert below[said]
        assert not below[stops[stops < said]].any()
    elif text.startswith("never"):
        assert run.diverged_at == said
        assert not below[stops].any()
    else:
        assert said == stops[-1]
        assert run.diverged_at < 0
        assert not below[stops].any()


def test_it_shows_where_the_assumptions_break() -> None:
    scene = update_rule_scene("mpg2", 1, 0.1, 0.1)
    last = len(scene.axes[2].stops) - 1
    balanced, drawn = (
        WORDS.match(describe(scene, {"depth": 2, "start": start, "step": last})) for start in (0, 1)
    )
    assert balanced
    assert drawn
    times = [int(text.split()[-1]) for text in (balanced[7], balanced[8], drawn[7], drawn[8])]
    assert times[1] == times[3]  # the rule starts at the same matrix
    assert abs(times[0] - times[1]) <= 0.1 * times[1]
    assert times[2] > 1.2 * times[3]
    assert number(drawn[5]) > 3 * number(balanced[5])


def test_a_smaller_rate_brings_a_balanced_network_nearer_in_proportion() -> None:
    def largest(rate: float) -> float:
        scene = update_rule_scene(learning_rate=rate)
        at = {"depth": 1, "start": 0, "step": len(scene.axes[2].stops) - 1}
        found = WORDS.match(describe(scene, at))
        assert found
        return number(found[5])

    assert largest(0.05) < 0.6 * largest(0.1) < 0.36 * largest(0.2)


def test_depth_1_is_the_rule_itself() -> None:
    words = describe(update_rule_scene(), {"depth": 0, "start": 1, "step": 30})
    found = WORDS.match(words)
    assert found
    assert found[2] == found[3]
    assert (found[4], found[5], found[6]) == ("0", "0", "0")


@pytest.mark.parametrize(
    ("change", "error", "name"),
    [
        ({"data": "mnist"}, ValueError, "data"),
        ({"hidden": 0}, ValueError, "hidden"),
        ({"hidden": 2.5}, TypeError, "hidden"),
        ({"scale": -1.0}, ValueError, "scale"),
        ({"scale": 0.0}, ValueError, "scale"),
        ({"learning_rate": -0.1}, ValueError, "learning_rate"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], error: type, name: str) -> None:
    with pytest.raises(error, match=name):
        update_rule_scene(**change)


@pytest.mark.parametrize("setting", [{}, {"data": "mpg4", "hidden": 8}], ids=str)
def test_a_scene_fits_into_50_kilobytes(setting: dict[str, Any]) -> None:
    sent = message(update_rule_scene(**setting))
    assert len(json.dumps(sent["spec"])) + len(sent["buffer"]) < 50_000


# --- the numbers that lesson 02 names ---


def furthest(depth: int, *, hidden: int, rate: float) -> float:
    """Return the largest distance in the explorer's run from balanced layers."""
    drawn = oe.near_zero_network((4, *[hidden] * (depth - 1), 3), 0.3)
    run = oe.compare_rule_with_network(
        oe.rebalance(drawn),
        oe.synthetic_regression(),
        learning_rate=rate,
        steps=round(40 / rate),
    )
    return float(run.distances.max())


def test_the_distances_of_lesson_02() -> None:
    for depth, bound in ((2, 0.03), (3, 0.08)):
        whole, half = (furthest(depth, hidden=3, rate=rate) for rate in (0.1, 0.05))
        assert whole < bound
        assert half / whole == pytest.approx(0.5, abs=0.07)
    assert furthest(4, hidden=3, rate=0.1) == pytest.approx(0.58, abs=0.005)
    assert furthest(4, hidden=3, rate=0.02) == pytest.approx(0.54, abs=0.005)
    assert furthest(2, hidden=1, rate=0.1) == pytest.approx(0.57, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_from_rank_one_the_order_tends_to_two_over_the_depth(depth: int) -> None:
    thin = oe.rebalance(oe.near_zero_network((4, *[1] * (depth - 1), 3), 0.8, rng=3))
    order = oe.measure_distance_order(
        thin, oe.synthetic_regression(), learning_rates=[5e-4, 2.5e-4], time=3.0
    ).order
    assert order == pytest.approx(2 / depth, abs=0.03)
