"""Regression and line integrals: at the size of the gas data, and 1,000 loops of Theorem 2.

Regression: 16 learning rates as lanes, 200 steps on 2,565 x 128 numbers, one thread; by `descend`,
by a PyTorch loop one run at a time, and for the floor the two matrix products of the gradient
alone. Line integrals: by one call of `line_integral`, and by `scipy.integrate.quad` on each piece
of each loop at the same tolerance. All take turns and must agree to 1e-10.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics

import line_integrals
import regression
from rows import FLOOR, Row
from threadpoolctl import threadpool_limits

ROUNDS = 10


def of_regression() -> list[Row]:
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    if torch:
        torch.set_num_threads(1)
    with threadpool_limits(1, user_api="blas"):
        spent = regression.measure(*regression.made_up(), ROUNDS, torch)
    ours, floor = (statistics.median(spent[name]) for name in ("descend", "floor"))
    theirs = statistics.median(spent["torch"]) if torch else None
    return [
        Row("16 regressions by `descend`", ours, "s", "a PyTorch loop a run", theirs),
        Row("16 regressions by `descend`", ours, "s", FLOOR + "two matrix products", floor),
    ]


def of_line_integrals() -> list[Row]:
    pieces, _ = line_integrals.one_call()
    loops, ours, theirs = line_integrals.LOOPS, [], []
    for turn in range(ROUNDS):
        ours += [line_integrals.timed(line_integrals.one_call)[0] for _ in range(3)]
        chosen = range(turn, len(loops), ROUNDS)
        for index in chosen:
            spent, quad = line_integrals.timed(lambda i=index: line_integrals.by_quad(*loops[i]))
            theirs.append(spent)
            line_integrals.agree(pieces[index], quad, pieces[index, :, None])
    quads = statistics.mean(theirs) * len(loops)
    return [
        Row("1,000 loops by `line_integral`", statistics.median(ours), "s", "`scipy` quad", quads)
    ]


def rows() -> list[Row]:
    return [*of_regression(), *of_line_integrals()]
