"""The depth race on real data as a widget."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

from overparam_edu import GradientDescent, LpRegression, balanced_network, load_auto_mpg, train
from overparam_edu.experiments.compare import contest_on_cars, steps_to_level
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.records import load_record
from overparam_edu.explorers import regression
from overparam_edu.explorers.regression import RECORDED, explore_regression
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame, number_text

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


def trace(explorer: Explorer, name: str) -> Any:
    return explorer.scene.figure.data[explorer.scene.place(name)]


def rate_told(explorer: Explorer, depth: int) -> float:
    """The rate in the table, for depths 1, 2, ...; to three digits."""
    table = str(np.asarray(explorer.scene.board.values)[0, 1])  # own rates, 1%
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table.split("at rate")[1])
    return float(cells[depth - 1])


def test_the_band_is_the_range_of_real_layers_at_the_rate_that_is_told(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    stops = [int(stop) for stop in explorer.scene.axes[1].stops]
    for depth in (1, 3):
        drawn = frame(explorer.scene, {"depth": depth - 1, "step": len(stops) - 1})
        # The table has three digits of the rate; the run has all, and is found by the nearest.
        tried = trace(explorer, "tried at depth 1").x
        rate = min(tried, key=lambda r: abs(r - rate_told(explorer, depth)))
        runs = excess(4, depth, float(rate), stops)
        seen = runs.min(0) > 1e-4  # below, rounding may grow at rates near the largest stable
        edges = {" low": runs.min(0), " high": runs.max(0), "": np.median(runs, 0)}
        for edge, expected in edges.items():
            there = np.array(drawn[f"depth N{edge}", "y"])
            np.testing.assert_allclose(there[seen], expected[seen], rtol=1e-3)
            if depth == 1:  # the reference is the same run
                assert drawn[f"depth 1{edge}", "y"] == drawn[f"depth N{edge}", "y"]


def test_depth_2_helps_for_p_4_only(explorer: Explorer) -> None:
    explorer.reset()
    words = describe(explorer.scene, {"depth": 1})
    two, four = re.match(r"p\u00a0=\u00a02: (.*)\. p\u00a0=\u00a04: (.*)\.$", words).groups()
    assert "times slower than depth 1" in two
    assert float(re.search(r"([\d.]+) times faster than depth 1", four)[1]) > 2


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"p": 6, "start": "near zero"},
        {"p": 4, "rival": "AdaDelta"},
        {"p": 3, "optimizer": "Adam"},
        {"optimizer": "AdaGrad", "rival": "gradient descent"},
        *({"data": "gas", "recorded": name} for name in RECORDED),
    ],
    ids=str,
)
def test_every_setting_draws_finite_numbers_and_tells_them(
    explorer: Explorer, values: dict[str, Any]
) -> None:
    explorer.set(**explorer._first | values)
    scene = explorer.scene
    assert explorer.trouble == ""
    races = {track.trace for track in scene.tracks if track.trail}
    for corner in itertools.product(*((0, len(axis.stops) - 1) for axis in scene.axes)):
        at = dict(zip((axis.name for axis in scene.axes), corner, strict=True))
        for (name, _), value in frame(scene, at).items():
            flat = [x for x in numbers(value) if not isinstance(x, str)]
            assert all(x is None or math.isfinite(x) for x in flat)
            if name in races or str(name).startswith("arrived"):
                assert None not in flat  # races are drawn up to where they diverge
        words = describe(scene, at)
        assert re.search(r"arrives in|has not arrived in|diverges at", words)
        assert "nan" not in words
    assert not re.search("nan|inf", "".join(np.asarray(scene.board.values).ravel()))


def test_the_axis_is_long_enough_for_every_arrival(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    scene_end = explorer.scene.axes[1].stops[-1]
    assert scene_end == 1_000
    for tolerance in range(4):
        drawn = frame(explorer.scene, {"tolerance": tolerance})
        table = str(np.asarray(explorer.scene.board.values)[0, tolerance])
        arrivals = [int(text) for text in re.findall(r"<b>(\d+)</b>", table)]
        assert len(arrivals) == 8
        assert max(arrivals) <= scene_end
        level = 10.0 ** -(tolerance + 1)
        assert drawn["arrived", "y"] == pytest.approx([level, level])
    # Both kinds of axis end where the slider does.
    logarithmic, linear = (frame(explorer.scene, {"scale": kind}) for kind in (0, 1))
    assert (logarithmic[None, "xaxis.type"], linear[None, "xaxis.type"]) == ("log", "linear")
    assert logarithmic[None, "xaxis.range"] == pytest.approx([math.log10(0.5), 3])
    assert linear[None, "xaxis.range"] == [0, scene_end]


def test_the_sentence_has_the_exact_counts_of_the_contest(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    arrivals = contest_on_cars(4).arrivals[0, :, 1:, 1]
    assert (arrivals == arrivals.round()).all()
    assert len(set(arrivals[1])) > 6  # rounded up to few records, depths would be told as equal
    for tolerance, depth in itertools.product(range(4), (1, 3, 4)):
        words = describe(explorer.scene, {"depth": depth, "tolerance": tolerance})
        one, deep = (number_text(arrivals[tolerance, lane]) for lane in (0, depth))
        assert f"depth {depth + 1} arrives in {deep} iterations" in words
        assert f"than depth 1 ({one})" in words


def test_the_diamonds_are_on_the_curves_and_shared_rates_are_depth_1s(explorer: Explorer) -> None:
    explorer.set(**explorer._first | {"p": 4})
    for measure, depth in itertools.product((0, 1), (0, 1, 7)):
        own = frame(explorer.scene, {"depth": depth, "measure": measure})
        tried, chosen, one = "tried at depth N", "chosen at depth N", "chosen at depth 1"
        at = own[tried, "x"].index(own[chosen, "x"][0])
        assert own[tried, "y"][at] == own[chosen, "y"][0]
        if measure == 0:  # the fewest iterations of all
            assert own[chosen, "y"][0] == min(y for y in own[tried, "y"] if y is not None)
        shared = frame(explorer.scene, {"depth": depth, "way": 1})
        assert shared[chosen, "x"] == shared[one, "x"] == own[one, "x"]


def test_a_page_offers_what_the_lessons_look_at_and_computes_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, first = [], explore_regression().scene
    monkeypatch.setattr(regression, "_scene", lambda **values: asked.append(values) or first)
    [piece] = explore_regression().pieces()
    piece.settings()
    assert {values["recorded"] for values in asked if values["data"] == "gas"} == set(RECORDED)
    on_cars = [
        (v["p"], v["optimizer"], v["rival"], v["start"]) for v in asked if v["data"] == "cars"
    ]
    as_opened = on_cars[0][1:]
    assert on_cars[:4] == [(p, *as_opened) for p in (0, 2, 4, 6)]
    assert on_cars[4:] == [(0, *as_opened[:2], "near zero")]


def test_recorded_races_say_what_the_records_say(explorer: Explorer) -> None:
    explorer.set(data="gas", recorded="p = 4: Adam against Adam")
    record = load_record("gas_adam")
    for tolerance, share in enumerate((3.0, 1.0, 0.5)):
        level = (1 + share) * record.least
        fewest = [
            number_text(
                float(np.median(steps_to_level(record.of(depth=N, optimizer="Adam"), level).steps))
            )
            for N in (1, 2)
        ]
        words = describe(explorer.scene, {"depth": 1, "tolerance": tolerance})
        assert f"depth 2 arrives in about {fewest[1]} iterations" in words
        assert f"than depth 1 ({fewest[0]})" in words


def test_controls_that_do_not_apply_are_hidden(explorer: Explorer) -> None:
    explorer.reset()
    assert explorer.controls["recorded"].layout.display == "none"
    explorer.set(data="gas")
    shown = {name for name, control in explorer.controls.items() if control.layout.display is None}
    assert shown == {"data", "recorded"}


def test_reset_and_bad_values(explorer: Explorer) -> None:
    explorer.reset()
    first, position = explorer.values, explorer.player.position
    assert (position["depth"], position["tolerance"]) == (1, 1)
    assert position["step"] == 0  # nothing is given away
    explorer.set(p=3)
    explorer.player.move(depth=5, step=0)
    explorer.reset()
    assert (explorer.values, explorer.player.position) == (first, position)
    scene = explorer.scene
    with pytest.raises(ValueError, match=r"p .*2\.5"):
        explorer.set(p=2.5)
    assert explorer.scene is scene
