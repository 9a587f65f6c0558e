"""A linear model against deeper networks, by who comes within a tolerance of the minimum first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from overparam_edu._validation import Array
from overparam_edu.experiments.comparison import band, tuned
from overparam_edu.experiments.regression import Curves


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
