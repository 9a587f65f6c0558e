"""Regression at the size of the gas data: 16 learning rates as lanes, 200 steps.

p = 4, depth 1, on 2,565 x 128 made-up numbers as correlated as theirs; by `descend`, by a PyTorch
loop with autograd one run at a time, and for the floor the two matrix products of the gradient
alone, all lanes and all examples at once (`descend` can be faster than these, as it takes as many
examples at a time as fit the processor's cache). All take turns on one thread, the losses of the
first two must agree to 1e-10, and processor time is counted.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
from typing import Any

import numpy as np
from rows import FLOOR, Row, timed
from threadpoolctl import threadpool_limits

from overparam_edu import GradientDescent, LpRegression, descend
from overparam_edu.experiments.datasets import standardize

EXAMPLES, FEATURES, LANES, STEPS, TORCH_RUNS = 2_565, 128, 16, 200, 4
ROUNDS = 10
RATES = np.geomspace(1e-4, 1e-3, LANES)
TOLERANCE = 1e-10


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """Return standardised data of the gas data's shape, with features as correlated as theirs."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((EXAMPLES, 8)) @ rng.standard_normal((8, FEATURES))
    X = standardize(common + 0.3 * rng.standard_normal((EXAMPLES, FEATURES)))
    return X, standardize(X @ rng.standard_normal(FEATURES) + rng.standard_normal(EXAMPLES))


def one_call(loss: LpRegression, start: np.ndarray) -> np.ndarray:
    """Return the last losses of all lanes, by one call of the library."""
    run = descend(
        loss,
        start,
        optimizer=GradientDescent(RATES),
        steps=STEPS,
        record=[STEPS],
        progress=False,
    )
    return run.losses[-1]


def torch_loop(X: Any, y: Any, start: np.ndarray, rate: float) -> float:
    """Return the last loss of one run, as a student would write it in PyTorch."""
    import torch

    w = torch.tensor(start, requires_grad=True)
    for _ in range(STEPS):
        loss = ((X @ w - y) ** 4 / 4).mean()
        loss.backward()
        with torch.no_grad():
            w -= rate * w.grad
            w.grad = None
    return ((X @ w - y) ** 4 / 4).mean().item()


def products_alone(X: np.ndarray, lanes: np.ndarray) -> None:
    """Multiply as often as the gradients of `one_call` must, and do nothing else."""
    transposed = X.T
    for _ in range(STEPS):
        residuals = lanes @ transposed
        residuals @ X


def measure(X: np.ndarray, y: np.ndarray, rounds: int, torch: Any) -> dict[str, list[float]]:
    """Return the seconds for all lanes in each round of taking turns."""
    loss = LpRegression(X, y, p=4, reduction="mean")
    start = np.random.default_rng(0).normal(scale=1e-2, size=FEATURES)
    lanes = np.tile(start, (LANES, 1))
    spent: dict[str, list[float]] = {"descend": [], "floor": [], "torch": []}
    tensors = (torch.from_numpy(X), torch.from_numpy(y)) if torch else None
    one_call(loss, start)
    for turn in range(rounds):
        taken, ours = timed(lambda: one_call(loss, start))
        spent["descend"].append(taken)
        spent["floor"].append(timed(lambda: products_alone(X, lanes))[0])
        if not torch:
            continue
        some = range(turn % 4, LANES, LANES // TORCH_RUNS)
        taken, theirs = timed(
            lambda some=some: [torch_loop(*tensors, start, RATES[i]) for i in some]
        )
        spent["torch"].append(taken * LANES / TORCH_RUNS)
        worst = np.abs(ours[list(some)] / theirs - 1).max()
        assert worst <= TOLERANCE, f"losses differ by {worst:.1e}"
    return spent


def rows() -> list[Row]:
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    if torch:
        torch.set_num_threads(1)
    with threadpool_limits(1, user_api="blas"):
        spent = measure(*made_up(), ROUNDS, torch)
    ours, floor = (statistics.median(spent[name]) for name in ("descend", "floor"))
    theirs = statistics.median(spent["torch"]) if torch else None
    what = "16 regressions by `descend`"
    return [
        Row(what, ours, "s", "a PyTorch loop a run", theirs, times=12),
        Row(what, ours, "s", FLOOR + "two matrix products", floor, times=1 / 1.2),
    ]
