"""What learning curves say: the tuned rate, iterations to a level, and who overtakes whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, number, whole_number
from overparam_edu.experiments.regression import Curves


class Tuned(NamedTuple):
    """Learning curves at the best learning rate of their grid.

    Attributes
    ----------
    rate : float
        The best rate; NaN where every rate diverged for some seed.
    steps : ndarray of int, shape (records,)
        Iterations, up to the one that was judged at.
    losses : ndarray, shape (records, seeds)
        Losses at that rate.
    rates : ndarray, shape (rates,)
        Rates tried.
    against_rate : ndarray, shape (seeds, rates)
        The loss that was judged, at every rate; infinity where a run diverged.
    at_the_end : bool
        Whether the best rate is the first or the last of those tried: a wider grid may have a
        better one. (At the last but one, the next was too large.)
    criterion : str
        How the rate was chosen, to be shown with the curve.
    """

    rate: float
    steps: np.ndarray
    losses: Array
    rates: Array
    against_rate: Array
    at_the_end: bool
    criterion: str


class Arrivals(NamedTuple):
    """Iterations that learning curves take to a level, at the learning rate that gets there first.

    Attributes
    ----------
    level : float
        The loss to reach.
    rate : float
        The rate with the fewest iterations; NaN where none arrives.
    steps : ndarray, shape (seeds,)
        Iterations at that rate; infinity where a seed does not arrive.
    rates : ndarray, shape (rates,)
        Rates tried.
    against_rate : ndarray, shape (seeds, rates)
        Iterations at every rate; infinity where a run does not arrive.
    """

    level: float
    rate: float
    steps: Array
    rates: Array
    against_rate: Array


class Band(NamedTuple):
    """The spread of several seeds, to be drawn as a line in a band.

    Attributes
    ----------
    low, middle, high : ndarray, shape (records,)
        Least, median and largest loss.
    """

    low: Array
    middle: Array
    high: Array


def tuned(curves: Curves, *, at: int | None = None) -> Tuned:
    """Return the curves at the learning rate with the least loss at an iteration.

    The loss is the median over the seeds, and a rate counts only if no seed has diverged by then:
    a lucky jump of one start does not win.

    Parameters
    ----------
    curves : Curves
        Of one network and optimizer.
    at : int, optional
        The iteration to judge at: the last record up to it. The end if not given.

    Returns
    -------
    Tuned

    Raises
    ------
    TypeError, ValueError
        If `at` is not a whole number of 0 or more.

    Examples
    --------
    >>> from overparam_edu import load_auto_mpg
    >>> from overparam_edu.experiments.regression import learning_curves
    >>> cars = load_auto_mpg(standardized=True)
    >>> (linear,) = learning_curves(cars.X, cars.y, depths=[1], rates=[0.05, 0.1, 10], steps=100)
    >>> tuned(linear).rate
    0.1
    """
    last = len(curves.steps) - 1
    if at is not None:
        step = whole_number("at", at, lower=0)
        last = int(np.searchsorted(curves.steps, step, side="right")) - 1
    judged = np.where(np.isnan(curves.losses[last]), np.inf, curves.losses[last])
    score = _middle_where_all_arrive(judged)
    best = int(np.argmin(score))
    found = bool(np.isfinite(score[best]))
    iteration = f"{int(curves.steps[last]):,}"
    return Tuned(
        float(curves.rates[best]) if found else np.nan,
        curves.steps[: last + 1],
        curves.losses[: last + 1, :, best],
        curves.rates,
        judged,
        best in (0, len(score) - 1),
        f"least median loss at iteration {iteration} among rates at which no seed diverged",
    )


def shared_rate(networks: Sequence[Curves]) -> float:
    """Return the largest learning rate that all networks tried and none diverged at.

    Parameters
    ----------
    networks : sequence of Curves
        Of the networks to be compared at one rate.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no such rate.

    Examples
    --------
    >>> from overparam_edu.experiments.records import load_record
    >>> shared_rate(load_record("cars_deeper").curves)
    0.061
    """
    stable = [set(c.rates[(c.diverged_at < 0).all(axis=0)].tolist()) for c in networks]
    common = set.intersection(*stable)
    if not common:
        raise ValueError("networks must have a learning rate in common at which none diverges")
    return float(max(common))


def arrivals(curves: Curves, level: float) -> Arrivals:
    """Return the iterations to a level at the learning rate that gets there first.

    Fewest iterations in the median over the seeds, all of which must arrive.

    Parameters
    ----------
    curves : Curves
        Of one network and optimizer.
    level : float
        The loss to reach.

    Returns
    -------
    Arrivals
        In recorded iterations: the true ones are at most one record earlier.

    Raises
    ------
    TypeError, ValueError
        If `level` is not a finite number.
    """
    level = number("level", level)
    reached = curves.losses <= level
    first = curves.steps[np.argmax(reached, axis=0)].astype(float)
    taken = np.where(reached.any(axis=0), first, np.inf)
    score = _middle_where_all_arrive(taken)
    best = int(np.argmin(score))
    found = bool(np.isfinite(score[best]))
    rate = float(curves.rates[best]) if found else np.nan
    return Arrivals(level, rate, taken[:, best], curves.rates, taken)


def _middle_where_all_arrive(values: Array) -> Array:
    """Return the median over seeds (first axis), infinity where one is infinite."""
    finite = np.isfinite(values)
    middle: Array = np.median(np.where(finite, values, 0.0), axis=0)
    return np.where(finite.all(axis=0), middle, np.inf)


def band(losses: ArrayLike) -> Band:
    """Return the least, median and largest of several seeds.

    Parameters
    ----------
    losses : array_like, shape (records, seeds)
        As in `Tuned`; NaN where a run has diverged.

    Returns
    -------
    Band
        NaN where a seed has diverged.

    Examples
    --------
    >>> band([[3.0, 1.0, 2.0]]).middle
    array([2.])
    """
    values = np.asarray(losses, float)
    low, high = values.min(axis=-1), values.max(axis=-1)
    return Band(low, np.median(values, axis=-1), high)


def overtakes(challenger: Tuned, leader: Tuned) -> float:
    """Return the iteration from which one curve stays below another.

    Parameters
    ----------
    challenger, leader : Tuned
        With the same records. Medians over the seeds are compared.

    Returns
    -------
    float
        The first record from which the challenger is below to the end, infinity if it is not
        below at the end, 0 if it always is.

    Raises
    ------
    ValueError
        If their records differ.
    """
    if not np.array_equal(challenger.steps, leader.steps):
        raise ValueError("challenger and leader must have the same steps; got different ones")
    below = np.median(challenger.losses, axis=1) < np.median(leader.losses, axis=1)
    behind = np.flatnonzero(~below)
    if not behind.size:
        return 0.0
    return float(challenger.steps[behind[-1] + 1]) if behind[-1] + 1 < len(below) else np.inf
