"""The loop under `descend` and `train`: take steps, keep some, notice what diverges."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overparam_edu._validation import Array, _shown, finite_array, whole_number
from overparam_edu.dynamics.losses import SupportsGradient, unchecked
from overparam_edu.dynamics.trajectory import Trajectory

Steps = NDArray[np.int64]
State = list[Array]

# Steps between looks at whether a lane has left the finite range.
_STRIDE = 64
# Residuals computed at once while losses are computed from recorded points: few enough for the
# processor's cache, which is three times as fast as memory.
_BLOCK = 16_384
# A progress bar appears when a run has taken this long, in seconds.
_PATIENCE = 2.0


def kept_steps(record: int | Sequence[int], steps: int) -> Steps:
    """Return the steps to record, increasing, from 0 to `steps`."""
    steps = whole_number("steps", steps, lower=0)
    if isinstance(record, (int, np.integer)):
        every = whole_number("record", record, lower=1)
        return np.unique(np.append(np.arange(0, steps + 1, every), steps))
    kept = finite_array("record", record)
    if kept.ndim != 1 or np.any(kept != np.floor(kept)) or np.any((kept < 0) | (kept > steps)):
        raise ValueError(f"record must be steps from 0 to {steps}; got {_shown(record)}")
    return np.unique(kept.astype(np.int64))


def run(
    step: Callable[[State, Any], tuple[State, Any]],
    state: State,
    memory: Any,
    *,
    kept: Steps,
    lanes: tuple[int, ...],
    progress: bool | None,
) -> tuple[State, Steps]:
    """Iterate `step` and return the states at the `kept` steps, and where lanes diverged.

    What has left the finite range never comes back, so a look at the newest state every so often
    is enough; the step at which it happened is then found in the states since the last look.
    """
    records = [_room_for(len(kept), part) for part in state]
    diverged_at = np.full(lanes, -1, dtype=np.int64)
    moments = kept.tolist()
    bar, began, t, written, last = None, time.perf_counter(), 0, 0, moments[-1]
    block = [state]
    with np.errstate(all="ignore"):
        while True:
            alive = _finite(block[-1], len(lanes))
            if not alive.all():
                _note_divergence(diverged_at, block, t - len(block) + 1, len(lanes))
            until = int(np.searchsorted(kept, t, side="right"))
            for i in range(written, until):
                for record, part in zip(records, block[moments[i] - t - 1], strict=True):
                    record[i] = part
            written = until
            if t == last or not alive.any():
                break
            state, block = block[-1], []
            for _ in range(min(_STRIDE, last - t)):
                state, memory = step(state, memory)
                block.append(state)
            t += len(block)
            bar = _shown_progress(bar, progress, began, t, last)
    if bar is not None:
        bar.close()
    _blank(records, kept, diverged_at)
    return records, diverged_at


def _room_for(count: int, part: Array) -> Array:
    """Return an empty array of `count` records of `part`, in its order of axes in memory."""
    order = np.argsort([-stride for stride in part.strides], kind="stable")
    room = np.empty((count, *np.take(part.shape, order).astype(int)))
    return np.moveaxis(room, range(1, 1 + part.ndim), 1 + order)


def _finite(state: State, lane_dimensions: int) -> NDArray[np.bool_]:
    """Return for each lane whether every number of its state is finite."""
    finite = [
        np.isfinite(part).all(axis=tuple(range(lane_dimensions, part.ndim))) for part in state
    ]
    alive: NDArray[np.bool_] = np.logical_and.reduce(finite)
    return alive


def _note_divergence(
    diverged_at: Steps, block: list[State], first: int, lane_dimensions: int
) -> None:
    for t, state in enumerate(block, start=first):
        new = ~_finite(state, lane_dimensions) & (diverged_at < 0)
        diverged_at[new] = t


def _shown_progress(bar: Any, progress: bool | None, began: float, t: int, last: int) -> Any:
    """Return the progress bar, made on first need and moved to step `t`."""
    late = time.perf_counter() - began > _PATIENCE
    if bar is None and progress is not False and (progress or (late and t < last)):
        from tqdm.auto import tqdm

        bar = tqdm(total=last, unit="step", leave=False)
    if bar is not None:
        bar.update(t - bar.n)
    return bar


def _blank(records: State, kept: Steps, diverged_at: Steps) -> None:
    """Set records to NaN from the step at which their lane diverged."""
    if np.all(diverged_at < 0):
        return
    steps = kept.reshape(-1, *[1] * diverged_at.ndim)
    gone = (diverged_at >= 0) & (steps >= diverged_at)
    for record in records:
        record[gone] = np.nan


def as_trajectory(
    loss: SupportsGradient,
    points: Array,
    kept: Steps,
    diverged_at: Steps,
    *,
    times: Array,
    depth: ArrayLike,
    weights: tuple[Array, ...] | None = None,
) -> Trajectory:
    """Return the records as a `Trajectory`, with the loss at each.

    A loss can overflow before its parameter does: then that is where the lane diverged.
    """
    lanes = diverged_at.shape
    losses = _losses(loss, points, len(lanes))
    lost = ~np.isfinite(losses)
    if lost.any():
        lost &= (diverged_at < 0) | (_first(kept, losses) < diverged_at)
        diverged_at = np.where(lost.any(axis=0), kept[np.argmax(lost, axis=0)], diverged_at)
    _blank([points, losses, *(weights or ())], kept, diverged_at)
    full_depth = np.broadcast_to(np.asarray(depth, float), lanes)
    return Trajectory(points, losses, kept, times, diverged_at, full_depth, weights)


def _first(kept: Steps, losses: Array) -> Steps:
    return kept.reshape(-1, *[1] * (losses.ndim - 1))


def _losses(loss: SupportsGradient, points: Array, lane_dimensions: int) -> Array:
    """Return the loss of every recorded point, some records at a time to spare memory."""
    value, _ = unchecked(loss)
    examples = len(getattr(loss, "X", ())) or 1
    lane_size = int(np.prod(points.shape[1 : 1 + lane_dimensions], dtype=int)) * examples
    stride = max(1, _BLOCK // max(1, lane_size))
    with np.errstate(all="ignore"):
        pieces = [value(points[i : i + stride]) for i in range(0, len(points), stride)]
    return np.concatenate(pieces).astype(float, copy=False)
