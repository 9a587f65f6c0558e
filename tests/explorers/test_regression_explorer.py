"""The depth race on real data as a widget."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

from overparam_edu import GradientDescent, LpRegression, balanced_network, load_auto_mpg, train
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.records import load_record
from overparam_edu.explorers.plots import plot_learning_curves, round_step
from overparam_edu.explorers.regression import _available, explore_regression
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_regression()


def numbers(value: Any) -> list[Any]:
    return [x for v in value for x in numbers(v)] if isinstance(value, list) else [value]


def excess(p: float, depth: int, rate: float, steps: list[int]) -> np.ndarray:
    """Relative losses above the minimum of real layers, run here, for the explorer's seeds."""
    cars = load_auto_mpg(standardized=True)
    loss, lanes = LpRegression(cars.X, cars.y, p=p, reduction="mean"), []
    for seed in range(3):
        network = balanced_network(0.01 * np.random.default_rng(seed).standard_normal(7), depth)
        options = {"optimizer": GradientDescent(rate), "record": steps}
        lanes.append(train(network, loss, steps=steps[-1], **options).losses)
    return np.array(lanes) / least_loss(loss) - 1


def rate_told(explorer: Explorer, depth: int) -> float:
    """The rate in the table, for depths 1, 2, ...; to three digits."""
    table = str(np.asarray(explorer.scene.board.values)[0, 1])  # own rates, 1%
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table.split("at rate")[1])
    return float(cells[depth - 1])


def test_the_band_is_the_range_of_real_layers_at_the_rate_that_is_told(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    stops = [int(stop) for stop in explorer.scene.axes[1].stops]
    for depth in (1, 3):
        drawn = frame(explorer.scene, {"depth": depth - 1})
        # The table has three digits of the rate; the run has all, and is found by the nearest.
        rate = min(
            explorer.scene.figure.data[7].x, key=lambda r: abs(r - rate_told(explorer, depth))
        )
        runs = excess(4, depth, float(rate), stops)
        shown = runs.min(0) > 1e-4  # below, rounding may grow at rates near the largest stable
        for part, expected in enumerate((runs.min(0), runs.max(0), np.median(runs, 0))):
            there = np.array(drawn[3 + part, "y"])
            np.testing.assert_allclose(there[shown], expected[shown], rtol=1e-3)
            if depth == 1:  # the reference is the same run
                assert drawn[part, "y"] == drawn[3 + part, "y"]


def test_depth_2_helps_for_p_4_only(explorer: Explorer) -> None:
    explorer.reset()
    words = describe(explorer.scene, {"depth": 1})
    two, four = re.match(r"p\u00a0=\u00a02: (.*)\. p\u00a0=\u00a04: (.*)\.$", words).groups()  # type: ignore[union-attr]
    assert "times slower than depth 1" in two
    gain = re.search(r"([\d.]+) times faster than depth 1", four)
    assert gain
    assert float(gain[1]) > 2


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"p": 6, "start": "near zero"},
        {"p": 4, "rival": "AdaDelta"},
        {"p": 3, "optimizer": "Adam"},
        {"optimizer": "AdaGrad", "rival": "gradient descent"},
        *({"data": "gas", "recorded": name} for name in _available()),
    ],
    ids=str,
)
def test_every_setting_draws_finite_numbers_and_tells_them(
    explorer: Explorer, values: dict[str, Any]
) -> None:
    explorer.set(**explorer._first | values)
    scene = explorer.scene
    assert explorer.children[1].value == ""
    ends = [(0, len(axis.stops) - 1) for axis in scene.axes]
    for corner in itertools.product(*ends):
        at = dict(zip((axis.name for axis in scene.axes), corner, strict=True))
        drawn = frame(scene, at)
        flat = [x for v in drawn.values() for x in numbers(v) if not isinstance(x, str)]
        assert all(x is None or math.isfinite(x) for x in flat)
        for key, value in drawn.items():
            if key[0] is not None and key[0] < 7:  # races are drawn up to where they diverge
                assert None not in numbers(value)
        words = describe(scene, at)
        assert re.search(r"arrives in|has not arrived in|diverges at", words)
        assert "nan" not in words
    for table in np.asarray(scene.board.values).ravel():  # type: ignore[union-attr]
        assert "nan" not in table
        assert "inf" not in table


def test_the_axis_is_long_enough_for_every_arrival(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    for tolerance in range(4):
        drawn = frame(explorer.scene, {"tolerance": tolerance})
        table = str(np.asarray(explorer.scene.board.values)[0, tolerance])  # type: ignore[union-attr]
        arrivals = [int(text) for text in re.findall(r"<b>(\d+)</b>", table)]
        assert len(arrivals) == 8
        assert max(arrivals) <= drawn[None, "xaxis.range"][1] <= 1000
        level = 10.0 ** -(tolerance + 1)
        assert drawn[6, "y"] == pytest.approx([level, level])
    logarithmic = frame(explorer.scene, {"scale": 1})
    assert logarithmic[None, "xaxis.type"] == "log"
    assert logarithmic[None, "xaxis.range"] == pytest.approx([math.log10(0.5), 3])


def test_the_diamonds_are_on_the_curves_and_shared_rates_are_depth_1s(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    for measure, depth in itertools.product((0, 1), (0, 1, 7)):
        own = frame(explorer.scene, {"depth": depth, "measure": measure})
        rates = own[8, "x"] if (8, "x") in own else list(explorer.scene.figure.data[8].x)
        at = rates.index(own[10, "x"][0])
        assert own[8, "y"][at] == own[10, "y"][0]
        if measure == 0:  # the fewest iterations of all
            assert own[10, "y"][0] == min(y for y in own[8, "y"] if y is not None)
        shared = frame(explorer.scene, {"depth": depth, "way": 1})
        assert shared[10, "x"] == shared[9, "x"] == own[9, "x"]


def test_recorded_races_say_what_the_records_say(explorer: Explorer) -> None:
    explorer.set(data="gas", recorded="p = 4: Adam against Adam")
    record = load_record("gas_adam")
    for tolerance, share in enumerate((3.0, 1.0, 0.5)):
        fewest = []
        for depth in (1, 2):
            lane = record.of(depth=depth, optimizer="Adam")
            above = lane.losses[:, 0] > (1 + share) * record.least
            last = np.where(above.any(0), len(above) - 1 - above[::-1].argmax(0), -1) + 1
            fewest.append(min(lane.steps[i] for i in last if i < len(above)))
        words = describe(explorer.scene, {"depth": 1, "tolerance": tolerance})
        assert f"depth 2 arrives in {fewest[1]} iterations" in words
        assert f"than depth 1 ({fewest[0]})" in words


def test_controls_that_do_not_apply_are_hidden(explorer: Explorer) -> None:
    explorer.reset()
    assert explorer.controls["recorded"].layout.display == "none"
    explorer.set(data="gas")
    shown = {name for name, control in explorer.controls.items() if control.layout.display is None}
    assert shown == {"data", "recorded"}


def test_reset_and_bad_values(explorer: Explorer) -> None:
    explorer.reset()
    first = explorer.values
    explorer.set(p=3)
    explorer.player.move(depth=5, step=0)
    explorer.reset()
    assert explorer.values == first
    last = len(explorer.scene.axes[1].stops) - 1
    position = explorer.player.position
    assert (position["depth"], position["step"], position["tolerance"]) == (1, last, 1)
    scene = explorer.scene
    with pytest.raises(ValueError, match=r"p .*2\.5"):
        explorer.set(p=2.5)
    assert explorer.scene is scene


# --- pieces ---


def test_learning_curves_are_drawn_at_their_best_rate_with_the_note() -> None:
    record = load_record("cars_l4")
    figure = plot_learning_curves(record.curves, minimum=record.least, note="which data")
    assert figure.layout.title.text == "which data"
    assert len(figure.data) == 3 * len(record.curves)
    for number, network in enumerate(record.curves):
        line = figure.data[3 * number + 2]
        ends = network.losses[-1]
        best = np.nanargmin(np.median(ends, axis=0))
        expected = np.median(network.losses[1:, :, best], axis=1) - record.least
        seen = expected > 1e-9
        np.testing.assert_allclose(np.array(line.y)[seen], expected[seen], rtol=1e-6)
        assert line.name.startswith(f"depth {network.depth}, gradient descent, rate ")
    with pytest.raises(ValueError, match="labels must be 3"):
        plot_learning_curves(record.curves, labels=["one"])


def test_ticks_are_round() -> None:
    for size in (0.013, 0.9, 7.2, 240, 99_999):
        step = round_step(size)
        assert size / 2.5 <= step <= size
        assert f"{step:e}"[0] in "125"
