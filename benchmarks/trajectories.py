"""Trajectories: 256 runs of the two-dimensional rule, 1,000 steps each.

16 depths x 16 learning rates on the talk's illustration: one call of `descend`, and as a student
would write one run at a time, in NumPy and in PyTorch with autograd for the gradient. All take
turns, and all points must agree to 1e-10. Processor time is counted. The loops are timed on some
of the 256 runs and multiplied up. The floor is the same arithmetic written by hand for this one
loss, all runs in one array, without a check of anything.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable

import numpy as np
from rows import FLOOR, Row, timed

from overparam_edu import GradientDescent, SeparableLp, descend

TARGETS, P, START, STEPS = (1.0, 0.1), 4, (0.05, 0.05), 1_000
DEPTHS, RATES = np.linspace(1.0, 8.0, 16), np.geomspace(1e-3, 0.25, 16)
RUNS = [(depth, rate) for depth in DEPTHS for rate in RATES]
TOLERANCE, ROUNDS = 1e-10, 8


def one_call() -> np.ndarray:
    """Return all runs, (steps + 1, 256, 2), by one call of the library."""
    run = descend(
        SeparableLp(TARGETS, p=P),
        START,
        depth=DEPTHS[:, None],
        optimizer=GradientDescent(RATES),
        steps=STEPS,
        progress=False,
    )
    return run.points.reshape(STEPS + 1, -1, 2)


def numpy_loop(depth: float, rate: float) -> np.ndarray:
    """Return one run, (steps + 1, 2), as a student would write it in NumPy."""
    y, w = np.array(TARGETS), np.array(START)
    points = [w]
    for _ in range(STEPS):
        g = (w - y) ** (P - 1)
        square = w @ w
        w = w - rate * square ** (1 - 1 / depth) * (g + (depth - 1) * (w @ g) / square * w)
        points.append(w)
    return np.array(points)


def torch_loop(depth: float, rate: float) -> np.ndarray:
    """Return one run, (steps + 1, 2), as a student would write it in PyTorch."""
    import torch

    y = torch.tensor(TARGETS, dtype=torch.float64)
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    points = [w.detach().numpy().copy()]
    for _ in range(STEPS):
        loss = ((w - y) ** P / P).sum()
        loss.backward()
        with torch.no_grad():
            square = w @ w
            along = (w @ w.grad) / square * w
            w -= rate * square ** (1 - 1 / depth) * (w.grad + (depth - 1) * along)
            w.grad = None
        points.append(w.detach().numpy().copy())
    return np.array(points)


def by_hand() -> np.ndarray:
    """Return all runs, (2, steps + 1, 256), with nothing but the arithmetic of this loss."""
    (y1, y2), (N, rate) = TARGETS, np.array(RUNS).T.copy()
    points = np.empty((2, STEPS + 1, len(RUNS)))
    points[:, 0] = np.array(START)[:, None]
    power, extra = 1 - 1 / N, N - 1
    for t in range(STEPS):
        w1, w2 = points[:, t]
        u1, u2 = w1 - y1, w2 - y2
        g1, g2 = u1 * u1 * u1, u2 * u2 * u2
        square = w1 * w1 + w2 * w2
        along = extra * (w1 * g1 + w2 * g2) / square
        size = rate * square**power
        points[0, t + 1] = w1 - size * (g1 + along * w1)
        points[1, t + 1] = w2 - size * (g2 + along * w2)
    return points


def agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Make sure that two sets of points are the same."""
    difference = float(np.abs(ours - theirs).max())
    assert difference <= TOLERANCE, f"results differ by {difference:.1e}"


def rows() -> list[Row]:
    # Of each loop as many runs a round as take about a second.
    loops: dict[str, tuple[Callable[[float, float], np.ndarray], int]] = {
        "a NumPy loop a run": (numpy_loop, 32)
    }
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)  # Two numbers at a time: threads would only slow it down.
        loops["a PyTorch loop a run"] = torch_loop, 4
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", "by hand", *loops)}
    agree(one_call(), np.moveaxis(by_hand(), 0, 2))
    for turn in range(ROUNDS):
        for name, (loop, count) in loops.items():
            for _ in range(3):
                spent, ours = timed(one_call)
                seconds["ours"].append(spent)
                seconds["by hand"].append(timed(by_hand)[0])
            for index in range(turn, len(RUNS), len(RUNS) // count):
                spent, theirs = timed(lambda loop=loop, index=index: loop(*RUNS[index]))
                seconds[name].append(spent)
                agree(ours[:, index], theirs)
    mine, floor, *others = (statistics.median(times) for times in seconds.values())
    totals = dict(zip(loops, (len(RUNS) * other for other in others), strict=True))
    return [
        Row("256 runs by `descend`", mine, "s", name, totals.get(name), times=goal)
        for name, goal in (("a NumPy loop a run", 50), ("a PyTorch loop a run", 1000))
    ] + [Row("256 runs by `descend`", mine, "s", FLOOR + "the arithmetic, by hand", floor)]
