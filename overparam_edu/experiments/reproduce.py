"""Run a recorded experiment again, or its first iterations, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from overparam_edu._validation import Array, one_of, whole_number
from overparam_edu.experiments.convnet_runs import (
    BLOCK,
    recorded_convnet,
    run_convnets,
    split_digits,
)
from overparam_edu.experiments.digits import load_digits
from overparam_edu.experiments.records import EXPERIMENTS, load_data, load_record
from overparam_edu.experiments.sweep import sweep

# Largest relative difference of losses that counts as the same, on the recorded data and on others
# (the published gas data differ from the recorded in the sixth digit of some features).
TOLERANCE, OTHER_DATA_TOLERANCE = 1e-7, 1e-2
# A run at the edge of stability blows such differences up until nothing is left to compare. It is
# compared while a twin stays near, whose target is off by as much as the data may be: by a rounding
# on the recorded data. By tolerance: how much, and how near.
_TWIN = {TOLERANCE: (2.0**-52, 1e-10), OTHER_DATA_TOLERANCE: (1e-5, 1e-3)}

# The convolutional network computes in 32 bits, and its losses are means over ten batches.
CONVNET, CONVNET_TOLERANCE = "convnet", 0.05


class Reproduction(NamedTuple):
    """What became of running a record again.

    Attributes
    ----------
    name : str
        Of the record.
    steps : int
        Iterations run.
    agrees : bool
        Whether `largest` is within `tolerance`, and at least half of the losses could be compared.
    largest : float
        Largest relative difference of a loss from its record.
    tolerance : float
        What is allowed.
    compared, left_out : int
        How many losses were compared, and how many not, being too sensitive to rounding or to data.
    same_data : bool
        Whether the data are, to the bit, those of the record.
    """

    name: str
    steps: int
    agrees: bool
    largest: float
    tolerance: float
    compared: int
    left_out: int
    same_data: bool

    def __str__(self) -> str:
        verdict = "agrees with" if self.agrees else "DIFFERS from"
        lines = [
            f"{self.name}: {self.steps:,} iterations, {verdict} the record",
            f"  largest relative difference {self.largest:.1e}, allowed {self.tolerance:.0e}",
            f"  {self.compared:,} losses compared, {self.left_out:,} left out: too sensitive",
        ]
        if not self.same_data:
            lines.append("  on other data than the record's, in the last digits or more")
        return "\n".join(lines)


def reproduce(
    name: str,
    *,
    prefix: int | None = None,
    path: str | Path | None = None,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: bool | None = None,
) -> Reproduction:
    """Run a recorded experiment again and compare its losses with the record.

    Every run has a twin with the target changed by one rounding. Where the two part, the
    trajectory is chaotic, another machine's rounding would change it as well, and nothing is
    compared. On other data than the record's the twin is changed by as much as these may differ.

    Parameters
    ----------
    name : str
        A key of ``EXPERIMENTS``, or ``"convnet"``, which needs PyTorch.
    prefix : int, optional
        Only so many iterations; all if not given, which takes up to two hours.
    path : str or Path, optional
        Of the gas data, as in `load_gas_ethanol`.
    executor : concurrent.futures.Executor, optional
        As in `sweep`.
    store : str or Path, optional
        As in `sweep`; for the convolutional network a folder.
    progress : bool, optional
        As in `sweep`.

    Returns
    -------
    Reproduction

    Raises
    ------
    TypeError, ValueError
        If `name` is another word, or `prefix` is not a whole number of 1 or more.
    DataUnavailableError
        If the gas data are needed and not to be had.
    ImportError
        If PyTorch or the digits are needed and not installed.

    Examples
    --------
    >>> reproduce("cars_l4", prefix=50).agrees
    True
    """
    one_of("name", name, (*EXPERIMENTS, CONVNET))
    most = np.inf if prefix is None else whole_number("prefix", prefix, lower=1)
    if name == CONVNET:
        return _reproduce_convnet(most, store)
    record = load_record(name)
    last = min(EXPERIMENTS[name].steps, most)
    X, y, about = load_data(EXPERIMENTS[name].data, path)
    steps = tuple(int(step) for step in record.curves[0].steps if step <= last)
    runs = [replace(run, record=steps) for run in EXPERIMENTS[name].runs(X, y)]
    same_data = about["sha256"] == record.provenance["data"]["sha256"]
    tolerance = TOLERANCE if same_data else OTHER_DATA_TOLERANCE
    nudge, near = _TWIN[tolerance]
    twins = [replace(run, y=y * (1 + nudge)) for run in runs]
    results = sweep([*runs, *twins], executor, store=store, progress=progress)
    recorded = _side_by_side([curves.losses[: len(steps)] for curves in record.curves])
    now, twin = (
        _side_by_side([result["losses"] for result in half])
        for half in (results[: len(runs)], results[len(runs) :])
    )
    # NaN, where a run has diverged, counts as apart.
    steady = np.logical_and.accumulate(_apart(twin, now) <= near)
    finite = np.isfinite(recorded)
    differences = np.where(np.isfinite(now), _apart(now, recorded), np.inf)[steady & finite]
    largest = float(differences.max(initial=0.0))
    compared = differences.size
    left_out = int(finite.sum()) - compared
    agrees = largest <= tolerance and compared >= left_out
    return Reproduction(name, steps[-1], agrees, largest, tolerance, compared, left_out, same_data)


def _reproduce_convnet(most: float, checkpoints: str | Path | None) -> Reproduction:
    record = recorded_convnet()
    parts = int(min(len(record.steps), max(1, most // BLOCK)))
    train, _ = split_digits(load_digits())
    steps = BLOCK * parts
    now = run_convnets(train, steps=steps, checkpoints=checkpoints)
    apart = _apart(now.term("total"), record.term("total")[..., :parts])
    largest = float(np.where(np.isfinite(apart), apart, np.inf).max())
    same_data = train.sha256 == record.provenance["train_sha256"]
    agrees = largest <= CONVNET_TOLERANCE
    return Reproduction(
        CONVNET, steps, agrees, largest, CONVNET_TOLERANCE, apart.size, 0, same_data
    )


def _side_by_side(losses: Sequence[Array]) -> Array:
    """Return losses (records, lanes) of several (records, seeds, rates)."""
    return np.concatenate([part.reshape(len(part), -1) for part in losses], axis=1)


def _apart(these: Array, those: Array) -> Array:
    """Return relative differences."""
    relative: Array = np.abs(these - those) / np.abs(those)
    return relative
