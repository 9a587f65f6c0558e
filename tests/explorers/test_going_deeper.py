"""Near zero against identity as a widget: what it draws and says is what the runs did."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from overparam_edu import LpRegression, load_auto_mpg
from overparam_edu.experiments.compare import best_curve
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.deeper import compare_starts, first_move, going_deeper
from overparam_edu.experiments.records import load_record
from overparam_edu.explorers.going_deeper import explore_going_deeper, going_deeper_scene
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene

AT_ZERO = float(np.mean(load_auto_mpg(standardized=True).y ** 4) / 4)


@pytest.fixture(scope="module")
def small() -> tuple[Scene, tuple]:
    """Return the scene of a small live run, and its curves."""
    cars = load_auto_mpg(standardized=True)
    deeper = going_deeper(
        cars.X, cars.y, depths=(2, 3, 8), rates=[0.05, 0.25], seeds=(0, 1, 2), steps=300, scale=0.03
    )
    return going_deeper_scene(compare_starts(deeper), 0.0293), deeper


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_going_deeper()


def test_curves_and_band_are_the_runs_at_their_best_rates(small: tuple) -> None:
    scene, deeper = small
    last = len(scene.axes[1].stops) - 1
    for column in range(3):
        zero, one = (best_curve(curves[column]) for curves in (deeper.near_zero, deeper.identity))
        for stop in (0, last // 2, last):
            drawn = frame(scene, {"depth": column, "step": stop})
            upto = np.searchsorted(zero.steps, scene.axes[1].stops[: stop + 1])
            curves = {
                "near zero low": zero.losses.min(axis=1),
                "near zero high": zero.losses.max(axis=1),
                "near zero": np.median(zero.losses, axis=1),
                "identity": np.median(one.losses, axis=1),
            }
            for trace, expected in curves.items():
                np.testing.assert_allclose(drawn[trace, "y"], expected[upto], rtol=1e-6)
                np.testing.assert_array_equal(drawn[trace, "x"], zero.steps[upto])


def test_the_sentence_says_where_each_starts_to_move(small: tuple) -> None:
    scene, deeper = small
    end = len(scene.axes[1].stops) - 1
    for column, N in enumerate(deeper.depths):
        words = describe(scene, {"depth": column, "step": end})
        assert words.startswith(f"Depth {N}, iteration 300. Near zero ")
        for curves, said in zip(
            (deeper.near_zero[column], deeper.identity[column]),
            re.findall(r"(?:Near zero|Identity) (.*?); loss ([\d.]+\d)", words),
            strict=True,
        ):
            best = best_curve(curves)
            move = first_move(curves, AT_ZERO, rate=best.rate)
            fate = f"starts to move at iteration {move:,.0f}"
            assert said[0].startswith(fate if math.isfinite(move) else "does not move in 300")
            assert said[0].endswith(f"(rate {best.rate:g})")
            assert float(said[1]) == pytest.approx(np.median(best.losses[-1]), rel=5e-3)


def test_marks_and_rings_are_where_the_curves_start_to_move(small: tuple) -> None:
    scene, deeper = small
    never = 4 * 300
    for column, N in enumerate(deeper.depths):
        drawn = frame(scene, {"depth": column})
        for name, networks in (("near zero", deeper.near_zero), ("identity", deeper.identity)):
            best = best_curve(networks[column])
            move = first_move(networks[column], AT_ZERO, rate=best.rate)
            moved = math.isfinite(move)
            assert drawn[f"{name} moves", "x"] == ([move] if moved else [None])
            assert drawn[f"{name} at N", "x"] == [N]
            assert drawn[f"{name} at N", "y"] == [move if moved else never]
            by_depth = scene.figure.data[scene.place(f"{name} by depth")]
            assert by_depth.y[column] == (move if moved else never)
            assert (by_depth.marker.symbol[column] == "triangle-up") is not moved
    # Depth 8 near zero is one that has not moved: the test would prove nothing without.
    assert frame(scene, {"depth": 2})["near zero moves", "x"] == [None]


def test_every_number_lies_within_the_axes(small: tuple) -> None:
    scene, _ = small
    for column in range(3):
        for (trace, name), values in frame(scene, {"depth": column}).items():
            axis = (scene.figure.data[scene.place(trace)].xaxis or "x").removeprefix("x")
            low, high = scene.figure.layout[f"{name}axis{axis}"].range
            seen = [math.log10(value) for value in values if value is not None]
            assert all(low - 1e-6 <= value <= high + 1e-6 for value in seen), (trace, name)


def test_it_opens_with_the_record_and_scale_is_for_live_runs(explorer: Explorer) -> None:
    assert explorer.values == {"data": "gas", "learning_rate": "tuned", "scale": 0.03}
    record = load_record("gas_deeper")
    assert explorer.scene.axes[0].stops == (2, 3, 4, 8, 16)
    assert frame(explorer.scene, {})["identity", "x"] == [1]  # it opens at the start
    end = len(explorer.scene.axes[1].stops) - 1
    drawn = frame(explorer.scene, {"depth": 1, "step": end})
    best = best_curve(record.of(depth=3, start="identity"))
    at = np.searchsorted(best.steps, drawn["identity", "x"])
    np.testing.assert_array_equal(best.steps[at], drawn["identity", "x"])
    np.testing.assert_allclose(
        drawn["identity", "y"], np.median(best.losses, axis=1)[at], rtol=1e-6
    )
    assert (drawn["identity", "x"][0], drawn["identity", "x"][-1]) == (1, 100_000)
    for name in ("scale", "learning_rate"):
        assert explorer.controls[name].layout.display == "none"


@pytest.mark.slow
def test_the_end_stays_the_end_when_the_data_change(explorer: Explorer) -> None:
    explorer.player.move(step=len(explorer.scene.axes[1].stops) - 1)
    for data, end in (("cars", 2_000), ("gas", 100_000)):
        explorer.set(data=data)
        step = explorer.scene.axes[1]
        assert step.stops[explorer.player.position["step"]] == end


@pytest.mark.slow
def test_a_smaller_start_waits_longer_on_auto_mpg(explorer: Explorer) -> None:
    waits = []
    for scale in (0.1, 0.03):
        explorer.set(data="cars", scale=scale)
        assert explorer.controls["scale"].layout.display is None
        scene = explorer.scene
        waits.append(scene.figure.data[scene.place("near zero by depth")].y[:3])
    # Depth 3 waits about 0.1 / 0.03 times longer and depth 4 about the square of that.
    factors = np.divide(waits[1], waits[0])
    assert np.all(np.array([0, 2, 6]) < factors)
    assert np.all(factors < [3, 10, 25])
    cars = load_auto_mpg(standardized=True)
    least = least_loss(LpRegression(cars.X, cars.y, p=4, reduction="mean"))
    assert explorer.scene.figure.layout.shapes[0].y0 == pytest.approx(least)
    explorer.set(learning_rate="same")
    words = [describe(explorer.scene, {"depth": column}) for column in range(6)]
    rates = [rate for said in words for rate in re.findall(r"rate ([\d.]+)\)", said)]
    assert (len(rates), len(set(rates))) == (12, 1)
    explorer.reset()
