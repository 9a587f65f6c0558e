"""A fair comparison of depths: the learning rate that suits each, by a stated criterion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    brief,
    comparable,
    number,
    positive,
    shaped,
    whole_number,
)
from overparam_edu.dynamics.losses import SupportsGradient, parameter_shape, unchecked
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.rule import checked_depth
from overparam_edu.dynamics.training import descend

# A rise of the loss below this fraction is rounding.
_ROUNDING = 1e-12
# Rates tried, as multiples of the stability bound 2 / curvature at the start, and how many more
# around the best of them.
_FACTORS = np.geomspace(1e-2, 1e2, 49)
_REFINED = 11
# A rate is given up when it has taken this many times as long as a faster one of its depth.
_LAG = 2
# Numbers recorded at once.
_BLOCK = 2_000_000


@comparable
@dataclass(frozen=True, eq=False)
class TunedLearningRate:
    """The outcome of `tuned_learning_rate`, with the race it was decided by.

    Attributes
    ----------
    fastest : ndarray (*lanes,), the safe rate with the fewest steps to the target, or NaN
    steps : ndarray (*lanes,), the steps it takes in the slowest of the five runs, or infinity
    largest_safe : ndarray (*lanes,), the largest safe rate tried, or NaN
    rates : ndarray (n, *lanes), every rate tried, increasing
    steps_at : ndarray (n, *lanes)
        Steps to the target at each: NaN if not safe, infinity if not reached in the steps
        allowed, or in twice those of the fastest rate.
    criterion : str, in a sentence to be shown with the comparison
    """

    fastest: Array
    steps: Array
    largest_safe: Array
    rates: Array
    steps_at: Array
    criterion: str


def tuned_learning_rate(
    loss: SupportsGradient,
    start: ArrayLike,
    *,
    depth: ArrayLike = 1,
    target: float,
    steps: int = 5_000,
    rates: ArrayLike | None = None,
    spread: float = 0.1,
) -> TunedLearningRate:
    """Find the learning rate of gradient descent that suits each depth.

    A rate is *safe* if the loss never rises on the way to the target, in this run and in four
    neighbouring ones: two with start and rate both scaled, by ``1 - spread`` and ``1 + spread``,
    and two from the start moved across itself, either way, by ``spread`` times its length (in the
    plane of start and gradient; a start at 0, or of one number, has no such two). Among safe
    rates the *fastest* reaches the target in the fewest steps, counted for the slowest of the
    runs. Without the neighbours the race is won by luck: by one large step that happens to land
    on the minimum, and, since a deep network leaves zero along its start, by a start that happens
    to point at it.

    Parameters
    ----------
    loss : Loss of a vector (d,) or a matrix (k, d)
    start : array_like, shape loss.shape, where each run starts
    depth : array_like, shape (*lanes,), ``N``; each is tuned on its own
    target : float, the loss to reach
    steps : int, after which a run is given up
    rates : array_like, shape (n,), optional
        If not given, 49 from 1/100 to 100 times ``2 / curvature`` at the start, and 11 between.
    spread : float
        How far away the neighbouring runs are, from 0, which does without them, to 0.99.

    Returns
    -------
    TunedLearningRate

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range.

    Examples
    --------
    >>> from overparam_edu import SeparableLp
    >>> float(tuned_learning_rate(SeparableLp(), [0.1, 0.1], target=1e-3, rates=[0.5, 1.0]).fastest)
    1.0
    """
    shape = parameter_shape(loss)
    start, depth = shaped("start", start, shape), checked_depth(depth, len(shape))
    target, spread = number("target", target), number("spread", spread, lower=0, upper=0.99)
    steps = whole_number("steps", steps, lower=1)
    affordable("steps", steps, seconds=steps * 5e-6)
    given = None if rates is None else np.unique(positive("rates", rates))
    tries = len(_FACTORS) if given is None else given.size
    affordable("depth", depth.shape, numbers=80 * tries * depth.size * start.size)
    factors = np.unique([1 - spread, 1.0, 1 + spread])
    starts, columns = np.multiply.outer(factors, start), np.arange(depth.size)
    if spread and start.size > 1 and start.any():
        aside = spread * _across(loss, start)
        factors = np.append(factors, [1.0, 1.0])
        starts = np.concatenate([starts, [start - aside, start + aside]])

    def race(rates: Array) -> Array:
        scaled = np.multiply.outer(factors, rates)
        return _race(loss, starts, depth.ravel(), scaled, target, steps)

    if given is None:
        curvature = _curvature(loss, start)
        if not np.isfinite(curvature):
            raise ValueError(f"start must be where the loss has a curvature; got {brief(start)}")
        tried = _FACTORS * (2 / curvature)
    else:
        tried = given
    grid = np.repeat(tried[:, None], depth.size, axis=1)
    steps_at = race(grid)
    if given is None:
        # Some more, between those on either side of each depth's best.
        best = np.where(np.isnan(steps_at), np.inf, steps_at).argmin(axis=0)
        lower = grid[np.maximum(best - 1, 0), columns]
        upper = grid[np.minimum(best + 1, len(grid) - 1), columns]
        finer = np.geomspace(lower, upper, _REFINED + 2)[1:-1]
        grid, steps_at = np.concatenate([grid, finer]), np.concatenate([steps_at, race(finer)])
        order = np.argsort(grid, axis=0, kind="stable")
        grid, steps_at = (np.take_along_axis(x, order, axis=0) for x in (grid, steps_at))
    safe = ~np.isnan(steps_at)
    counted = np.where(safe, steps_at, np.inf)
    best = counted.argmin(axis=0)
    fewest = counted[best, columns]
    fastest = np.where(np.isfinite(fewest), grid[best, columns], np.nan)
    largest = np.where(safe, grid, -np.inf).max(axis=0)
    largest[~safe.any(axis=0)] = np.nan
    criterion = "fewest steps to the target among rates whose loss never rises on the way" + (
        f", there, with start and rate {spread:.0%} off, and with the start {spread:.0%} aside"
        if spread
        else ""
    )
    lanes = depth.shape
    return TunedLearningRate(
        fastest=fastest.reshape(lanes),
        steps=fewest.reshape(lanes),
        largest_safe=largest.reshape(lanes),
        rates=grid.reshape(-1, *lanes),
        steps_at=steps_at.reshape(-1, *lanes),
        criterion=criterion,
    )


def _race(
    loss: SupportsGradient, starts: Array, depth: Array, rates: Array, target: float, steps: int
) -> Array:
    """Return the steps to the target, (n, depths), for rates (starts, n, depths): the slowest."""
    lanes, rate = rates.shape, rates.ravel()
    N = np.broadcast_to(depth, lanes).ravel()
    w = np.repeat(starts, rates[0].size, axis=0)
    arrival = np.full(rate.size, np.inf)
    running, done = np.arange(rate.size), 0
    while running.size and done < steps:
        block = min(max(8, _BLOCK // (running.size * starts[0].size)), steps - done, 256)
        optimizer = GradientDescent(rate[running])
        run = descend(
            loss, w[running], depth=N[running], optimizer=optimizer, steps=block, progress=False
        )
        before, after = run.losses[:-1], run.losses[1:]
        # Written so that NaN counts as a rise.
        rises = ~(after <= before + _ROUNDING * np.abs(before))
        below = run.losses <= target
        rise = np.where(rises.any(axis=0), rises.argmax(axis=0) + 1, block + 1)
        reach = np.where(below.any(axis=0), below.argmax(axis=0), block + 1)
        arrived, unsafe = (reach < rise) & (reach <= block), (rise <= reach) & (rise <= block)
        arrival[running[arrived]] = done + reach[arrived]
        arrival[running[unsafe]] = np.nan
        w[running] = run.points[-1]
        done += block
        best = np.where(np.isnan(arrival), np.inf, arrival).reshape(lanes).max(axis=0).min(axis=0)
        late = np.broadcast_to(done > _LAG * best, lanes).ravel()
        running = running[~(arrived | unsafe | late[running])]
    slowest: Array = arrival.reshape(lanes).max(axis=0)  # NaN wins over infinity, as it should
    return slowest


def _across(loss: SupportsGradient, w: Array) -> Array:
    """Return what is at right angles to `w`, as long, in the plane of `w` and its gradient."""
    scale = np.abs(w).max()
    unit = (w / scale) / np.linalg.norm(w / scale)
    # Where w and gradient are parallel any direction will do: here an axis.
    axis = np.where(np.arange(w.size) == np.abs(w).argmin(), 1.0, 0.0).reshape(w.shape)
    with np.errstate(all="ignore"):
        for direction in (unchecked(loss)[1](w), axis):
            across = direction - (direction * unit).sum() * unit
            if np.linalg.norm(across) > 1e-9 * np.linalg.norm(direction):
                break
    result: Array = across / np.linalg.norm(across) * np.linalg.norm(w / scale) * scale
    return result


def _curvature(loss: SupportsGradient, w: Array) -> float:
    """Return the largest curvature of the loss at `w`, by central differences of its gradient."""
    h = 1e-5 * max(1.0, float(np.abs(w).max()))
    nudges = h * np.eye(w.size).reshape(w.size, *w.shape)
    gradient = unchecked(loss)[1]
    with np.errstate(all="ignore"):
        columns = (gradient(w + nudges) - gradient(w - nudges)).reshape(w.size, w.size)
        hessian = columns / (2 * h)
    if not np.isfinite(hessian).all():
        return np.nan
    largest = float(np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1])
    return largest if largest > 0 else 1.0
