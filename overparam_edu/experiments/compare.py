"""A linear model against deeper networks, by who comes within a tolerance of the minimum first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, number, whole_number
from overparam_edu.experiments.curves import Curves


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
    >>> from overparam_edu.experiments.curves import learning_curves
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


@dataclass(frozen=True, eq=False)
class Contest:
    """Learning curves of a linear model and of networks, compared at several tolerances.

    Each network runs at the rate of its grid that brings all seeds within the tolerance of the
    minimum, to stay there to the end of the run, in the fewest iterations in the median: a rate at
    which the loss comes down by luck and rises again does not win. Where no rate does, it runs at
    the one with the least loss at the end. In the second way of comparing, all run at the linear
    model's rate.

    Parameters
    ----------
    linear : Curves
        Of the linear model, the first lane.
    deep : tuple of Curves
        The other lanes, recorded at the same iterations.
    least : float
        The minimum of the loss, above 0.
    tolerances : tuple of float
        Relative distances from the minimum that count as arrived.
    """

    linear: Curves
    deep: tuple[Curves, ...]
    least: float
    tolerances: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(not np.array_equal(lane.steps, self.linear.steps) for lane in self.deep):
            raise ValueError("deep must have the steps of linear; got different ones")

    @property
    def lanes(self) -> tuple[Curves, ...]:
        """The linear model and the networks."""
        return (self.linear, *self.deep)

    @property
    def can_share(self) -> bool:
        """Whether one learning rate means the same to all: same optimizer, same grid."""
        first = self.linear
        return all(
            lane.optimizer == first.optimizer and np.array_equal(lane.rates, first.rates)
            for lane in self.deep
        )

    @cached_property
    def _arrivals(self) -> list[list[Array]]:
        """Iterations by tolerance and lane, each (seeds, rates); infinity for "never"."""
        levels = [(1 + tolerance) * self.least for tolerance in self.tolerances]
        return [[settled(lane, level) for lane in self.lanes] for level in levels]

    @cached_property
    def chosen(self) -> np.ndarray:
        """Number of the rate in its lane's grid, shape (ways, tolerances, lanes)."""
        at_the_end = [tuned(lane).rate for lane in self.lanes]
        own = np.zeros((len(self.tolerances), len(self.lanes)), int)
        for i, row in enumerate(self._arrivals):
            for j, taken in enumerate(row):
                middle = _median_of_all(taken)
                if np.isfinite(middle).any():
                    own[i, j] = np.argmin(middle)
                elif np.isfinite(at_the_end[j]):
                    own[i, j] = np.argmin(np.abs(self.lanes[j].rates - at_the_end[j]))
                # Otherwise every rate diverged, and the smallest lasted longest.
        ways = [own, np.repeat(own[:, :1], len(self.lanes), axis=1)] if self.can_share else [own]
        return np.stack(ways)

    @cached_property
    def rates(self) -> Array:
        """Learning rates chosen, shape (ways, tolerances, lanes)."""
        lanes = enumerate(self.lanes)
        picked: Array = np.stack([lane.rates[self.chosen[..., j]] for j, lane in lanes], axis=-1)
        return picked

    @cached_property
    def arrivals(self) -> Array:
        """Iterations to within the tolerance for good, shape (ways, tolerances, lanes, 3).

        Fewest, median and most over the seeds; infinity where a seed does not arrive.
        """
        spread = np.empty((*self.chosen.shape, 3))
        for way, i, j in np.ndindex(self.chosen.shape):
            taken = self._arrivals[i][j][:, self.chosen[way, i, j]]
            spread[way, i, j] = taken.min(), _median_of_all(taken), taken.max()
        return spread

    @cached_property
    def bands(self) -> Array:
        """Loss above the minimum, relative to it: (ways, tolerances, lanes, 3, records).

        Least, median and largest over the seeds; NaN from where one diverged.
        """
        drawn = np.empty((*self.chosen.shape, 3, len(self.linear.steps)))
        for way, i, j in np.ndindex(self.chosen.shape):
            losses = self.lanes[j].losses[..., self.chosen[way, i, j]]
            drawn[way, i, j] = np.stack(band(losses / self.least - 1))
        return drawn

    @cached_property
    def ahead_from(self) -> Array:
        """Iteration from which a lane's median is below the linear model's.

        Until the first of the two arrives, after which rounding decides; infinity where it is
        behind then. Shape (ways, tolerances, lanes).
        """
        middle, steps = self.bands[..., 1, :], self.linear.steps
        found = np.full(self.chosen.shape, np.inf)
        for way, i, j in np.ndindex(self.chosen.shape):
            both = middle[way, i, [j, 0]]
            over = np.flatnonzero((both <= self.tolerances[i]).any(axis=0))
            last = over[0] if over.size else len(steps) - 1
            behind = np.flatnonzero(~(both[0] < both[1])[: last + 1])
            first = behind[-1] + 1 if behind.size else 0
            if first <= last:
                found[way, i, j] = steps[first]
        return found

    @cached_property
    def diverged_at(self) -> np.ndarray:
        """First iteration at which a seed left the finite range, -1 if none: as `rates`."""
        found = np.empty(self.chosen.shape, int)
        for way, i, j in np.ndindex(self.chosen.shape):
            at = self.lanes[j].diverged_at[:, self.chosen[way, i, j]]
            found[way, i, j] = at[at >= 0].min(initial=np.iinfo(int).max) if (at >= 0).any() else -1
        return found

    @cached_property
    def tuning(self) -> tuple[Array, Array, Array]:
        """What every rate of the grid led to: medians over seeds, all of which must get there.

        Returns
        -------
        rates : ndarray, shape (lanes, rates)
            The grids; NaN where a lane has fewer rates than another.
        iterations : ndarray, shape (tolerances, lanes, rates)
            To the tolerance; NaN where a seed does not arrive.
        excess : ndarray, shape (lanes, rates)
            Loss above the minimum at the end, relative to it; NaN where a seed diverged.
        """
        most = max(len(lane.rates) for lane in self.lanes)
        rates, excess = np.full((2, len(self.lanes), most), np.nan)
        iterations = np.full((len(self.tolerances), *rates.shape), np.nan)
        for j, lane in enumerate(self.lanes):
            count = len(lane.rates)
            rates[j, :count] = lane.rates
            ends = np.where(np.isnan(lane.losses[-1]), np.inf, lane.losses[-1])
            middle = _median_of_all(ends) / self.least - 1
            excess[j, :count] = np.where(np.isfinite(middle), middle, np.nan)
            for i, row in enumerate(self._arrivals):
                middle = _median_of_all(row[j])
                iterations[i, j, :count] = np.where(np.isfinite(middle), middle, np.nan)
        return rates, iterations, excess


def settled(curves: Curves, level: float) -> Array:
    """Return the iteration from which each run stays at or below a level to its end.

    Parameters
    ----------
    curves : Curves
        Of one network and optimizer.
    level : float
        The loss to reach.

    Returns
    -------
    ndarray, shape (seeds, rates)
        A recorded iteration: the true one is at most one record earlier. Infinity where the run
        is above the level at its end, or has diverged.
    """
    above = ~(curves.losses <= level)
    last = len(curves.steps) - 1 - np.argmax(above[::-1], axis=0)
    first = np.where(above.any(axis=0), last + 1, 0)
    return np.append(curves.steps, np.inf)[first]


def _median_of_all(taken: Array) -> Array:
    """Return the median over seeds (first axis), infinity where one is infinite."""
    finite = np.isfinite(taken)
    middle: Array = np.median(np.where(finite, taken, 0.0), axis=0)
    return np.where(finite.all(axis=0), middle, np.inf)
