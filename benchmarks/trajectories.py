"""How fast are 256 runs of the two-dimensional rule? Run: python benchmarks/trajectories.py.

16 depths x 16 learning rates x 1,000 steps of the end-to-end rule on the talk's illustration,
three ways whose results must agree to 1e-10: one call of `descend`, a plain NumPy loop for each
run, and a plain PyTorch loop for each run with autograd for the gradient. They take turns, so that
all see the same machine. PyTorch takes minutes for all runs, so it is timed on 32 of them, spread
over the 256; it is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from overparam_edu import GradientDescent, SeparableLp, descend

TARGETS, P, START, STEPS = (1.0, 0.1), 4, (0.05, 0.05), 1_000
DEPTHS, RATES = np.linspace(1.0, 8.0, 16), np.geomspace(1e-3, 0.25, 16)
RUNS = [(depth, rate) for depth in DEPTHS for rate in RATES]
TOLERANCE = 1e-10


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


def timed(f: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the seconds that `f` takes, and its result."""
    began = time.perf_counter()
    result = f()
    return time.perf_counter() - began, result


def agree(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference of two sets of points, after making sure it is small."""
    difference = float(np.abs(ours - theirs).max())
    assert difference <= TOLERANCE, f"results differ by {difference:.1e}"
    return difference


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8, help="rounds of taking turns (8)")
    parser.add_argument(
        "--all", action="store_true", help="time PyTorch on all 256 runs, not on 32"
    )
    options = parser.parse_args()
    loops: dict[str, Callable[[float, float], np.ndarray]] = {"plain NumPy loop": numpy_loop}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: its loop is left out.")
    else:
        torch.set_num_threads(1)  # Two numbers at a time: threads would only slow it down.
        loops["PyTorch autograd loop"] = torch_loop

    one_call()
    calls: list[float] = []
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    worst = dict.fromkeys(loops, 0.0)
    for turn in range(options.rounds):
        for name, loop in loops.items():
            # Three calls between any two loops, for a median that means something.
            for _ in range(3):
                spent, ours = timed(one_call)
                calls.append(spent)
            # PyTorch's loop takes seconds for a handful of runs: an even sample of them.
            sampled = loop is torch_loop and not options.all
            chosen = range(turn, len(RUNS), options.rounds)
            chosen = chosen[turn % 8 :: 8] if sampled else chosen
            for index in chosen:
                spent, theirs = timed(lambda loop=loop, index=index: loop(*RUNS[index]))
                seconds[name].append(spent)
                worst[name] = max(worst[name], agree(ours[:, index], theirs))

    mine = statistics.median(calls)
    print(f"{len(RUNS)} runs of {STEPS:,} steps, in {options.rounds} rounds of taking turns\n")
    print("| | time for all 256 | median of | our call is faster by | results differ by |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| `descend` | {mine * 1e3:.0f} ms | {len(calls)} calls | 1 | 0 |")
    for name, spent in seconds.items():
        total = statistics.median(spent) * len(RUNS)
        print(
            f"| {name} | {total:.1f} s | {len(spent)} runs, times 256 "
            f"| {total / mine:,.0f} x | {worst[name]:.0e} |"
        )


if __name__ == "__main__":
    main()
