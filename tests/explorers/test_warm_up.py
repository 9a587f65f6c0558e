"""The warm-up as a widget: its numbers against loops, and whether what it says is true."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import numpy as np
import pytest

from overparam_edu.dynamics.warm_up import WarmUpRun, run_warm_up
from overparam_edu.experiments.datasets import two_feature_loss
from overparam_edu.explorers.warm_up import (
    error_order,
    explore_warm_up,
    measure_memory,
    warm_up_scene,
)
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import message

VIEWS = ("memory", "rebuilt", "all")
POWERS, SCALES = [2, 4], [0.001, 0.01, 0.1, 0.3, 1]
STEPS, TIMES = (50, 100, 250, 500, 1000), {2: 14.0, 4: 9.0}


def run_of(p: int, scale: float, steps: int) -> WarmUpRun:
    start = scale * np.ones(2) / math.sqrt(2)
    return run_warm_up(
        two_feature_loss(p), start, scale, learning_rate=TIMES[p] / steps, steps=steps
    )


def by_loops(run: WarmUpRun, w: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Return the path that the update with rho and gamma makes from w, and the past's pushes.

    No mu here: what the past pushes is -gamma times the path rebuilt from gradients alone.
    """
    eta, path, alone, pushes = run.learning_rate, [w], np.zeros(2), []
    for g, omega, slope in zip(run.gradients, run.omega2, run.d_omega2, strict=False):
        rho, gamma = eta * omega**2, eta * slope / omega
        pushes.append(float(np.linalg.norm(gamma * alone) / np.linalg.norm(rho * g)))
        path.append((1 - gamma) * path[-1] - rho * g)
        alone = (1 - gamma) * alone - rho * g
    return np.array(path), pushes


@pytest.mark.parametrize(("p", "scale"), [(2, 0.01), (4, 0.3), (4, 1)])
def test_memory_against_the_recurrence(p: int, scale: float) -> None:
    run, at = run_of(p, scale, 100), np.arange(0, 100, 7)
    memory = measure_memory(run, at)
    size = np.linalg.norm(run.points, axis=1).max()
    for row, first in enumerate((np.zeros(2), run.points[0])):
        path, pushes = by_loops(run, first)
        np.testing.assert_allclose(memory.rebuilt[row], path[at], rtol=1e-9, atol=1e-12)
        errors = np.linalg.norm(path - run.points, axis=1) / size
        np.testing.assert_allclose(memory.errors[row], errors[at], rtol=1e-8, atol=1e-12)
        assert memory.largest[row] == pytest.approx(errors.max())
    np.testing.assert_allclose(memory.pushes, np.array(pushes)[at], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(memory.rho, run.learning_rate * run.omega2[at] ** 2)


def test_mu_is_growth_times_weight() -> None:
    run, at = run_of(2, 0.1, 100), np.arange(0, 100, 7)
    mu = measure_memory(run, at).mu
    for (i, t), (j, tau) in itertools.product(enumerate(at), enumerate(at)):
        if tau >= t:
            assert np.isnan(mu[i, j])
            continue
        growth = run.omega2[t + 1] - run.omega2[t]
        weight = run.learning_rate * run.omega2[tau] ** 2 / run.omega2[tau + 1]
        assert mu[i, j] == pytest.approx(growth * weight, rel=1e-9)


@pytest.mark.parametrize("p", POWERS)
def test_the_error_is_of_first_order(p: int) -> None:
    memories = [measure_memory(run_of(p, 0.01, steps), np.array([0])) for steps in STEPS]
    started = np.array([memory.largest[1] for memory in memories])
    slope = np.polyfit(-np.log(STEPS[2:]), np.log(started[2:]), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)
    assert error_order(1 / np.array(STEPS), started) == pytest.approx(1.0, abs=0.03)
    assert started[0] / started[3] == pytest.approx(10, rel=0.2)  # ten times the rate


def test_without_the_start_the_error_ends_at_the_size_of_the_start() -> None:
    # What is left out is w(0) omega(T)/omega(0) = w_1(0) omega(T).
    run = run_of(2, 0.1, 1000)
    left_out = 0.1 * run.omega2[-1] / np.linalg.norm(run.points, axis=1).max()
    assert measure_memory(run, np.array([0])).largest[0] == pytest.approx(left_out, rel=0.1)


def numbers(value: Any) -> list[Any]:
    return [x for v in value for x in numbers(v)] if isinstance(value, list) else [value]


def corners(scene: Scene) -> list[dict[str, int]]:
    rates, times = (len(axis.stops) for axis in scene.axes)
    return [{"rate": r, "time": t} for r in range(rates) for t in (0, 1, times // 2, times - 1)]


WORDS = re.compile(
    r"After (\d+) of (\d+) updates the learning rate is ρ = (\S+), and (\d+) past gradients push "
    r"(\S+) times as far as the present one\. Rebuilt from gradients alone, w is off by "
    r"(\S+)%; with its start put in, by (\S+)%\.$"
)
SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def number(text: str) -> float:
    return float(text.replace("×10", "e").translate(SUPERSCRIPT))


@pytest.mark.slow
@pytest.mark.parametrize(("p", "scale"), [*itertools.product(POWERS, SCALES)])
def test_every_setting_draws_finite_numbers_and_says_what_is_true(p: int, scale: float) -> None:
    views = [warm_up_scene(p, scale, view) for view in VIEWS]
    scene = views[0]
    runs = [run_of(p, scale, steps) for steps in STEPS]
    rebuilt = [[by_loops(run, first) for first in (np.zeros(2), run.points[0])] for run in runs]
    for at in corners(scene):
        drawn = {name: value for view in views for name, value in frame(view, at).items()}
        past = {"μ", "μ now", "pushes", "pulls", "pushes in momentum"}  # none after the present
        flat = [x for name, value in drawn.items() if name[0] not in past for x in numbers(value)]
        assert all(isinstance(x, float) and math.isfinite(x) for x in flat)
        assert sum(x is not None for x in drawn["μ now", "y"]) == at["time"]
        assert len({describe(view, at) for view in views}) == 1
        found = WORDS.match(describe(scene, at))
        assert found, describe(scene, at)
        t, steps, rho, count, pushes, alone, started = map(number, found.groups())
        run = runs[at["rate"]]
        assert (t, steps, count) == (at["time"] * STEPS[at["rate"]] / 50, STEPS[at["rate"]], t)
        assert rho == pytest.approx(run.learning_rate * run.omega2[int(t)] ** 2, rel=6e-3)
        size = np.linalg.norm(run.points, axis=1).max()
        for (path, _), said in zip(rebuilt[at["rate"]], (alone, started), strict=True):
            off = 100 * np.linalg.norm(path[int(t)] - run.points[int(t)]) / size
            assert said == pytest.approx(off, rel=6e-3, abs=1e-9)
        lengths = rebuilt[at["rate"]][0][1]
        assert pushes == pytest.approx(lengths[int(t)], rel=6e-3, abs=1e-9)


@pytest.mark.parametrize(("p", "scale"), [(2, 0.01), (4, 1)])
def test_pictures_are_the_runs(p: int, scale: float) -> None:
    views = [warm_up_scene(p, scale, view) for view in VIEWS]
    for rate, steps in enumerate(STEPS):
        at = {"rate": rate, "time": 40}
        drawn = {name: value for view in views for name, value in frame(view, at).items()}
        run = run_of(p, scale, steps)
        at = np.arange(41) * steps // 50
        for coordinate, name in enumerate("xy"):
            assert drawn["path", name] == run.points[at, coordinate].astype("f4").tolist()
        assert drawn["now", "x"] == drawn["path", "x"][-1:]
        np.testing.assert_allclose(drawn["ρ", "y"], run.omega2[at] ** 2, rtol=1e-6)
        growth = run.omega2[at[-1] + 1] - run.omega2[at[-1]]
        weight = run.omega2[at[:-1]] ** 2 / run.omega2[at[:-1] + 1] / run.learning_rate
        np.testing.assert_allclose(drawn["μ now", "y"][:40], growth * weight, rtol=1e-5, atol=1e-12)
        assert drawn["μ now", "y"][40:] == [None] * 10
        assert drawn["μ", "z"][40] == drawn["μ now", "y"]
        memory = measure_memory(run, np.array([0]))
        np.testing.assert_allclose(drawn["errors now", "y"], memory.largest, rtol=1e-6)


def test_the_controls_and_reset() -> None:
    explorer = explore_warm_up()
    assert list(explorer.controls["p"].options) == POWERS
    assert list(explorer.controls["scale"].options) == SCALES
    explorer.set(p=4, scale=0.3)
    assert explorer.scene is warm_up_scene(view="memory", p=4, scale=0.3)
    explorer.reset()
    assert explorer.scene is warm_up_scene(view="memory", p=2, scale=0.01)


def test_small_panels_keep_their_ranges() -> None:
    for view, panels in (("memory", 2), ("rebuilt", 3), ("all", 2)):
        layout = warm_up_scene(view=view).figure.layout
        for panel in ["", *map(str, range(2, panels + 1))]:
            assert np.isfinite(layout[f"xaxis{panel}"].range).all(), (view, panel)
            assert np.isfinite(layout[f"yaxis{panel}"].range).all(), (view, panel)
    assert layout.yaxis.range[0] > layout.yaxis.range[1]  # update 0 on top


def bars(drawn: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of the bars in a picture, and how thick they are in parts of the plane."""
    low, high = np.array([warm_up_scene().figure.layout[a].range for a in ("xaxis", "yaxis")]).T
    corners = np.array([drawn[name, a] for a in "xy"], float).T.reshape(-1, 5, 2)[:, :4]
    corners = corners[np.isfinite(corners).all(axis=(1, 2))]
    side = (corners[:, 2] - corners[:, 1]) / ((high - low) * [1.0, 1.3])
    return corners.mean(axis=1), np.linalg.norm(side, axis=1)


def test_a_past_gradient_is_as_thick_as_its_mu_and_in_momentum_it_fades() -> None:
    run, at = run_of(2, 0.01, 100), np.arange(0, 100, 2)
    mu = measure_memory(run, at).mu
    for time in (26, 30, 34):
        drawn = frame(warm_up_scene(), {"rate": 1, "time": time})
        ages = at[time] - at[:time]
        for name, shares in (
            ("pushes", mu[time, :time]),
            ("pushes in momentum", 0.9 ** (ages - 1)),
        ):
            middles, thick = bars(drawn, name)
            distances = np.linalg.norm(middles[:, None] - run.points[at[:time]], axis=-1)
            which = distances.argmin(axis=1)
            assert len(set(which)) == len(which) > 4
            assert (distances.min(axis=1) < 0.005).all()  # each bar is on its gradient's point
            seen = thick > 0.01
            expected = shares[which] / shares[which][seen].max() * thick[seen].max()
            np.testing.assert_allclose(thick[seen], expected[seen], atol=0.002)


def test_bad_power_is_named() -> None:
    with pytest.raises(ValueError, match=r"p must be one of \[2, 4\]; got 3"):
        warm_up_scene(3)
    with pytest.raises(ValueError, match="omega2 must not be 0"):
        warm_up_scene(2, 0.0)


def test_a_scene_fits_into_75_kilobytes() -> None:
    sent = max(
        (message(warm_up_scene(view=view)) for view in VIEWS), key=lambda m: len(m["buffer"])
    )
    assert len(json.dumps(sent["spec"])) + len(sent["buffer"]) < 75_000
