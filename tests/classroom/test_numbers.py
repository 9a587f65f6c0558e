"""Numbers in the prose of lessons and guide are those that explorers and cells compute."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.experiments.compare import contest_on_cars
from overparam_edu.experiments.deeper import deeper_on_cars
from overparam_edu.explorers.trajectories import trajectory_scene
from overparam_edu.player.frames import describe

ROOT = Path(__file__).resolve().parents[2]
START = [0.01, 0.01]


@cache
def text_of(lesson: str) -> str:
    """Return a lesson's prose with single blanks, or the guide's."""
    if lesson == "guide":
        return " ".join((ROOT / "docs" / "instructor_guide.md").read_text("utf-8").split())
    [path] = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    return " ".join(" ".join(c["source"] for c in cells if c["cell_type"] == "markdown").split())


def says(lesson: str, *sentences: str) -> None:
    for sentence in sentences:
        assert sentence in text_of(lesson), sentence


def excess(name: str, at: int, *, depth: int, optimizer: str = "gradient descent") -> float:
    record = oe.load_record(name)
    best = oe.best_curve(record.of(depth=depth, optimizer=optimizer), at=at)
    return float(np.median(best.losses[-1])) - record.least


def test_the_fair_counts_of_lesson_05_are_those_of_the_guide_and_of_the_explorer():
    loss, depths = oe.SeparableLp((1.0, 0.1), p=4), [1, 2, 3, 4, 8]
    steps = oe.tuned_learning_rate(loss, START, depth=depths, target=0.01 * 0.1**4 / 4).steps
    *most, last = (f"{count:.0f}" for count in steps)
    says("guide", f"depths 1, 2, 3, 4 and 8 take {', '.join(most)} and {last}")
    square = oe.SeparableLp((1.0, 0.1), p=2)
    steps = oe.tuned_learning_rate(square, START, depth=depths[:4], target=0.01 * 0.1**2 / 2).steps
    one, two, three, four = (f"{count:.0f}" for count in steps)
    says("guide", f"{one} steps against {two}, {three} and {four} at depths 2 to 4")
    scene = trajectory_scene(p=2)
    depth, step = scene.axes
    for N, count in ((2, two), (3, three), (4, four)):
        end = {"depth": depth.stops.index(N), "step": len(step.stops) - 1}
        assert f"slowest of five runs): {count}, " in describe(scene, end)


def test_the_lucky_run_of_lesson_05():
    scene = trajectory_scene(learning_rate="tuned")
    depth, step = scene.axes
    words = describe(scene, {"depth": depth.stops.index(4), "step": len(step.stops) - 1})
    assert "depth 4 arrives in 36 iterations" in words
    assert "slowest of five runs): 170" in words
    says("05", "depth 4 arrives after 36 iterations, by luck", "170 at depth 4")


@pytest.mark.slow
def test_races_on_auto_mpg():
    one, two, three, four, *_, eight = contest_on_cars(4).arrivals[0, 1, 1:, 1].astype(int)
    says("00", f"depth 2 arrives in {two} iterations where depth 1 takes {one}")
    says("guide", f"depth 2, in {two} iterations against {one}")
    says(
        "06",
        f"depth 2 needs {two} iterations to 1 %, depth 1 {one}. Depth 3 and 4 gain less "
        f"({three} and {four}), depth 8 next to nothing ({eight})",
    )
    grad, delta = (
        int(contest_on_cars(4, rival=name, deepest=3).arrivals[0, 1, 0, 1])
        for name in ("AdaGrad", "AdaDelta")
    )
    says(
        "06",
        f"depth 2 takes {two} iterations, where gradient descent on the linear model takes {one}, "
        f"AdaGrad {grad} and AdaDelta {delta}",
        f"depth 2 beats AdaGrad | {grad / two:.1f} times (1 %)",
        f"depth 2 beats AdaDelta | {delta / two:.1f} times (1 %)",
    )
    strict = contest_on_cars(4, deepest=3).arrivals[0, -1, 1:3, 1]
    said = f"{one / two:.1f} times (1 %) to {strict[0] / strict[1]:.1f} times (0.01 %)"
    says("06", f"gain for $p = 4$ | {said}")
    flat, flat_two = contest_on_cars(2, deepest=3).arrivals[0, 1, 1:3, 1]
    says("06", f"no gain for $p = 2$ | {flat / flat_two:.2f} times (1 %)")
    adam = contest_on_cars(4, optimizer="Adam", rival="Adam", deepest=3).arrivals[0, 1, 1:3, 1]
    said = f"depth 2 takes {adam[1]:.0f} iterations to 1 % where depth 1 takes {adam[0]:.0f}"
    says("06", said, f"Adam alone | {adam[0] / adam[1]:.1f} times (1 %)")


def test_excesses_on_the_gas_data():
    one, two, three = (excess("gas_l4_seeds", 100_000, depth=N) for N in (1, 2, 3))
    says("06", f"{one:.4f} at depth 1, {two:.4f} at depth 2 and {three:.4f} at depth 3")
    says("07", f"Depth 1 ends at an excess of {one:.4f}", f"near zero at its best rate: {two:.4f}")
    record = oe.load_record("gas_l4_seeds")
    level = record.least + one
    there = [np.median(oe.steps_to_level(record.of(depth=N), level).steps) for N in (2, 3)]
    (two_in, gain), (three_in, other) = ((round(t / 1000), 100_000 / t) for t in there)
    says("06", f"{two_in},000 iterations, {gain:.1f} times faster; depth 3 after {three_in},000")
    says("06", f"{other:.1f} times faster")
    squares = [excess("gas_l2", 100_000, depth=N) for N in (1, 2, 3)]
    says("06", "({:.4f} against {:.4f} and {:.4f})".format(*squares))
    ends = {
        name: excess("gas_l4", 1_000_000, depth=1, optimizer=name)
        for name in ("AdaGrad", "AdaDelta")
    }
    deep = excess("gas_l4", 1_000_000, depth=2)
    says("06", f"The excess is {deep:.4f} at depth 2, {ends['AdaGrad']:.4f} with AdaGrad")
    says("06", f"AdaDelta is at {ends['AdaDelta']:.4f}")
    said = f"{deep:.4f} at depth 2, {ends['AdaDelta']:.4f} with AdaDelta"
    says("guide", f"excess {said}. AdaGrad it does beat, {ends['AdaGrad']:.4f}")


def test_after_100_steps_the_rate_decides():
    record, coarse = oe.load_record("gas_early"), oe.load_record("gas_grid")
    runs = [oe.best_curve(record.of(depth=N), at=10_000) for N in (1, 2)]
    one, two = (run.losses[run.steps <= 100][-1, 0] - record.least for run in runs)
    says("06", f"depth 2 is well behind after 100, {two:.2f} against {one:.2f}")
    one, two = (excess("gas_early", 100, depth=N) for N in (1, 2))
    says("06", f"depth 2 is ahead, {two:.2f} against {one:.2f}, at the rate 0.02")
    deep = record.of(depth=2)
    says("06", f"which diverges at step {deep.diverged_at[0, deep.rates == 0.02].item()}")
    rough = [
        np.nanmin(c.losses[c.steps <= 100][-1, 0, np.isin(c.rates, [5e-4, 1e-3, 5e-3, 1e-2])])
        - coarse.least
        for c in (coarse.of(depth=1), coarse.of(depth=2))
    ]
    says("06", f"a near draw, {rough[1]:.2f} against {rough[0]:.2f}")


def test_the_grid_decides_a_draw():
    both = [
        excess("gas_grid", 100_000, depth=depth, optimizer=name)
        for depth, name in ((2, "gradient descent"), (1, "AdaDelta"))
    ]
    assert abs(np.log(both[0] / both[1])) < 0.05
    says("06", f"best for that, it is {both[0]:.4f} against {both[1]:.4f}")
    record, rough = oe.load_record("gas_l4"), []
    for depth, name, rate in ((1, "AdaDelta", 0.01), (2, "gradient descent", 0.0005)):
        curves = record.of(depth=depth, optimizer=name)
        rough.append(curves.losses[-1, 0, curves.rates == rate].item() - record.least)
    says("06", f"ends at {rough[0]:.4f}, twice its best", f"0.0005 and ends at {rough[1]:.4f}")
    two = record.of(depth=2)
    says("06", f"only at iteration {two.diverged_at[0, two.rates == 0.001].item():,}")


def test_adam_at_every_horizon():
    one, two = (excess("gas_adam", 100_000, depth=N, optimizer="Adam") for N in (1, 2))
    says("06", f"{two:.4f} against {one:.4f}")
    for at in (1_000, 3_000):
        one, two = (excess("gas_early", at, depth=N, optimizer="Adam") for N in (1, 2))
        says("06", f"{two:.4f} against {one:.4f} after {at:,}")
    two, grad = (
        excess("gas_early", 1_000, depth=2),
        excess("gas_early", 1_000, depth=1, optimizer="AdaGrad"),
    )
    says("06", f"(after 1,000: {two:.4f} against {grad:.4f})")
    seeds = len(oe.load_record("gas_adam").of(depth=2, optimizer="Adam").seeds)
    says("06", {1: "one seed)", 3: "three seeds)"}[seeds])


@pytest.mark.slow
def test_first_moves_have_one_definition():
    starts, record = oe.compare_starts(deeper_on_cars()), oe.load_record("gas_deeper")
    assert (starts.moves[1, :-1] <= 3).all()
    says("07", f"depth 32 does, for {starts.moves[1, -1]:.0f} iterations")
    explorer = oe.explore_going_deeper()
    for lane, N in enumerate((2, 3, 4, 8, 16)):
        for name in ("near zero", "identity"):
            curves = record.of(depth=N, start=name)
            move = oe.first_move(curves, record.at_zero, rate=oe.best_curve(curves).rate)
            said = f"iteration {move:,.0f}" if np.isfinite(move) else "does not move in 100,000"
            assert said in describe(explorer.scene, {"depth": lane})
            if (N, name) in ((8, "identity"), (16, "identity")):
                says("guide" if N == 8 else "07", f"about {'iteration ' * (N == 8)}{move:.0f}")
    four = record.of(depth=4)
    waits = [oe.first_move(four, record.at_zero, rate=rate) for rate in four.rates]
    slow, fast = (f"{round(wait / 1000)},000" for wait in waits[1:])
    says("07", f"at about {fast} at the rate 0.0016 and {slow} at 0.0012")
