"""A linear model against deeper networks: who comes within a tolerance of the minimum first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, comparable, instance, number, whole_number
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.curves import Curves, learning_curves, least_loss
from overparam_edu.experiments.datasets import load_auto_mpg


@comparable
class BestCurve(NamedTuple):
    """Learning curves at the best learning rate of their grid."""

    rate: float  # NaN where every rate diverged for some seed
    steps: np.ndarray  # (records,): iterations, up to the one that was judged at
    losses: Array  # (records, seeds): at that rate
    rates: Array  # (rates,): tried
    against_rate: Array  # (seeds, rates): the loss that was judged; infinity where a run diverged
    at_the_end: bool  # the best rate is the first or last tried: a wider grid may have a better one
    criterion: str  # how the rate was chosen, to be shown with the curve


@comparable
class Arrivals(NamedTuple):
    """Iterations of learning curves to a level, for good, at the rate that gets there first."""

    level: float
    rate: float  # the rate with the fewest iterations; NaN where none arrives
    steps: Array  # (seeds,): iterations at that rate; infinity where a seed does not arrive
    rates: Array  # (rates,): tried
    against_rate: Array  # (seeds, rates): iterations at every rate


@comparable
class Band(NamedTuple):
    """Least, median and largest loss of several seeds, each (records,)."""

    low: Array
    middle: Array
    high: Array


def best_curve(curves: Curves, *, at: int | None = None) -> BestCurve:
    """Return the curves at the learning rate with the least loss at an iteration.

    The loss is the median over the seeds, and a rate counts only if no seed has diverged by then:
    a lucky jump of one start does not win.

    Parameters
    ----------
    curves : Curves of one network, from `learning_curves` or `load_record`
    at : int, optional
        The iteration to judge at: the last record up to it. The end if not given.

    Returns
    -------
    BestCurve
        ``rate``, NaN where every rate diverged for some seed; ``steps`` (records,) and ``losses``
        (records, seeds) up to the iteration judged at; ``rates`` and the judged losses
        ``against_rate`` (seeds, rates); ``at_the_end``, true where a wider grid of rates may have a
        better one; and ``criterion``, how the rate was chosen, in words.

    Raises
    ------
    TypeError, ValueError
        If `curves` is something else, or `at` not a whole number of 0 or more.

    Examples
    --------
    >>> from overparam_edu import load_record
    >>> best_curve(load_record("cars_l4").of(depth=1)).at_the_end
    False
    """
    instance("curves", curves, Curves)
    last = len(curves.steps) - 1
    if at is not None:
        step = whole_number("at", at, lower=0)
        last = int(np.searchsorted(curves.steps, step, side="right")) - 1
    judged = np.where(np.isnan(curves.losses[last]), np.inf, curves.losses[last])
    best, rate = _best(curves, judged)
    iteration = f"{int(curves.steps[last]):,}"
    return BestCurve(
        rate,
        curves.steps[: last + 1].copy(),
        curves.losses[: last + 1, :, best].copy(),
        curves.rates.copy(),
        judged.copy(),
        # At the last but one, the next was too large.
        best in (0, len(curves.rates) - 1),
        f"least median loss at iteration {iteration} among rates at which no seed diverged",
    )


def steps_to_level(curves: Curves, level: float) -> Arrivals:
    """Return the iterations to a level at the learning rate that gets there first.

    Fewest iterations in the median over the seeds, all of which must arrive, and stay: a run counts
    from where its loss is at or below the level to the end.

    Parameters
    ----------
    curves : Curves of one network, from `learning_curves` or `load_record`
    level : float, the loss to reach

    Returns
    -------
    Arrivals
        ``rate``, NaN where none arrives, and ``steps`` (seeds,) at that rate; ``rates`` and
        ``against_rate`` (seeds, rates), the iterations at every rate, infinity where a run does not
        arrive. They are exact, and whole, where each iteration is recorded; elsewhere they are
        interpolated, on logarithmic axes, between the two records in question.

    Raises
    ------
    TypeError, ValueError
        If `curves` is something else, or `level` not a finite number.

    Examples
    --------
    >>> from overparam_edu import load_record
    >>> record = load_record("cars_l4")
    >>> level = 1.01 * record.least
    >>> [round(steps_to_level(record.of(depth=N), level).steps.max()) for N in (1, 2)]
    [303, 136]
    """
    instance("curves", curves, Curves)
    level = number("level", level)
    taken = settled(curves, level)
    best, rate = _best(curves, taken)
    return Arrivals(level, rate, taken[:, best].copy(), curves.rates.copy(), taken)


def _best(curves: Curves, values: Array) -> tuple[int, float]:
    """Return the number of the rate with the least median over seeds, and the rate."""
    score = median_of_all(values)
    best = int(np.argmin(score))
    return best, float(curves.rates[best]) if np.isfinite(score[best]) else np.nan


def median_of_all(values: Array) -> Array:
    """Return the median over seeds (first axis), infinity where one is infinite."""
    finite = np.isfinite(values)
    middle: Array = np.median(np.where(finite, values, 0.0), axis=0)
    return np.where(finite.all(axis=0), middle, np.inf)


def overtaking_step(challenger: BestCurve, leader: BestCurve) -> float:
    """Return the iteration from which one curve stays below another.

    Parameters
    ----------
    challenger, leader : BestCurve
        From `best_curve`, with the same records. Medians over the seeds are compared.

    Returns
    -------
    float
        The first record from which the challenger is below to the end, infinity if it is not
        below at the end, 0 if it always is.

    Raises
    ------
    TypeError, ValueError
        If `challenger` or `leader` is something else, or their records differ.
    """
    for name, curve in (("challenger", challenger), ("leader", leader)):
        instance(name, curve, BestCurve)
    if not np.array_equal(challenger.steps, leader.steps):
        raise ValueError("challenger and leader must have the same steps; got different ones")
    below = np.median(challenger.losses, axis=1) < np.median(leader.losses, axis=1)
    behind = np.flatnonzero(~below)
    if not behind.size:
        return 0.0
    return float(challenger.steps[behind[-1] + 1]) if behind[-1] + 1 < len(below) else np.inf


def shared_rate(networks: Sequence[Curves]) -> float:
    """Return the largest learning rate that all networks tried and none diverged at."""
    stable = [set(c.rates[(c.diverged_at < 0).all(axis=0)].tolist()) for c in networks]
    common = set.intersection(*stable)
    if not common:
        raise ValueError("networks must have a learning rate in common at which none diverges")
    return float(max(common))


def band(losses: ArrayLike) -> Band:
    """Return the spread of losses (records, seeds); NaN where a seed has diverged."""
    values = np.asarray(losses, float)
    return Band(values.min(axis=-1), np.median(values, axis=-1), values.max(axis=-1))


def settled(curves: Curves, level: float) -> Array:
    """Return the iteration from which each run (seeds, rates) stays at or below a level, or inf."""
    above = ~(curves.losses <= level)
    last = len(curves.steps) - 1 - np.argmax(above[::-1], axis=0)
    return crossings(curves, np.where(above.any(axis=0), last + 1, 0), np.full(1, level))


def crossings(curves: Curves, first: np.ndarray, level: Array) -> Array:
    """Return where runs come down to a level, given the first record (seeds, rates) at or below it.

    That record, if the one before is of the iteration before, else a point between the two;
    infinity for a record past the last.
    """
    steps = curves.steps.astype(float)
    there = np.minimum(first, len(steps) - 1)
    before = np.maximum(there - 1, 0)
    high, low = (
        np.take_along_axis(curves.losses, at[None], axis=0)[0].astype(float)
        for at in (before, there)
    )
    with np.errstate(all="ignore"):
        part = np.log(high / level) / np.log(high / low)
        between = steps[before] * (steps[there] / steps[before]) ** part
    exact = (steps[there] - steps[before] <= 1) | ~np.isfinite(between)
    found: Array = np.where(exact, steps[there], between)
    return np.where(first < len(steps), found, np.inf)


@dataclass(frozen=True, eq=False)
class Contest:
    """Learning curves of a linear model and of networks, compared at several tolerances.

    Each network runs at the rate that brings all seeds within the tolerance of the minimum, for
    good, in the fewest iterations in the median; where none does, at the one with the least loss
    at the end. In the second way, all run at the linear model's rate. Lanes are the linear model,
    then the networks.
    """

    linear: Curves
    deep: tuple[Curves, ...]  # recorded at the same iterations
    least: float  # the minimum of the loss, above 0
    tolerances: tuple[float, ...]  # relative distances from the minimum that count as arrived

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
    def _settled(self) -> list[list[Array]]:
        """Iterations by tolerance and lane, each (seeds, rates); infinity for "never"."""
        levels = [(1 + tolerance) * self.least for tolerance in self.tolerances]
        return [[settled(lane, level) for lane in self.lanes] for level in levels]

    @cached_property
    def chosen(self) -> np.ndarray:
        """Number of the rate in its lane's grid, shape (ways, tolerances, lanes)."""
        at_the_end = [best_curve(lane).rate for lane in self.lanes]
        own = np.zeros((len(self.tolerances), len(self.lanes)), int)
        for i, j in np.ndindex(own.shape):
            middle = median_of_all(self._settled[i][j])
            if np.isfinite(middle).any():
                own[i, j] = np.argmin(middle)
            elif np.isfinite(at_the_end[j]):
                own[i, j] = np.argmin(np.abs(self.lanes[j].rates - at_the_end[j]))
            # Otherwise every rate diverged, and the smallest lasted longest.
        ways = [own, np.repeat(own[:, :1], len(self.lanes), axis=1)] if self.can_share else [own]
        return np.stack(ways)

    def _each(self, measure: Callable[[int, int, int], ArrayLike]) -> np.ndarray:
        """Return `measure` of tolerance, lane and chosen rate: (ways, tolerances, lanes, ...)."""
        found = np.array([measure(i, j, k) for (_, i, j), k in np.ndenumerate(self.chosen)])
        return found.reshape(*self.chosen.shape, *found.shape[1:])

    @cached_property
    def rates(self) -> Array:
        """Learning rates chosen, shape (ways, tolerances, lanes)."""
        return self._each(lambda _, j, k: self.lanes[j].rates[k])

    @cached_property
    def arrivals(self) -> Array:
        """Iterations to the tolerance, least, median and most: (ways, tolerances, lanes, 3)."""

        def spread(i: int, j: int, k: int) -> ArrayLike:
            taken = self._settled[i][j][:, k]
            return [taken.min(), float(median_of_all(taken)), taken.max()]

        return self._each(spread)

    @cached_property
    def bands(self) -> Array:
        """Relative loss above the minimum, as `band`: (ways, tolerances, lanes, 3, records)."""
        return self._each(lambda _, j, k: band(self.lanes[j].losses[..., k] / self.least - 1))

    @cached_property
    def ahead_from(self) -> Array:
        """Iteration from which a median is below the linear model's, (ways, tolerances, lanes).

        Until the first of the two arrives, after which rounding decides; infinity if behind then.
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

        def first(_: int, j: int, k: int) -> int:
            at = self.lanes[j].diverged_at[:, k]
            return int(min(at[at >= 0], default=-1))

        return self._each(first)

    @cached_property
    def tuning(self) -> tuple[Array, Array, Array]:
        """Rates (lanes, rates), iterations (tolerances, lanes, rates), last losses (lanes, rates).

        Medians over seeds, all of which must get there; else NaN, and NaN where a lane has no rate.
        """
        most = max(len(lane.rates) for lane in self.lanes)
        rates, excess = np.full((2, len(self.lanes), most), np.nan)
        iterations = np.full((len(self.tolerances), *rates.shape), np.nan)
        for j, lane in enumerate(self.lanes):
            count = len(lane.rates)
            rates[j, :count] = lane.rates
            excess[j, :count] = median_of_all(lane.losses[-1]) / self.least - 1
            for i, row in enumerate(self._settled):
                iterations[i, j, :count] = median_of_all(row[j])
        iterations[np.isinf(iterations)] = excess[np.isinf(excess)] = np.nan
        return rates, iterations, excess


# Relative distances from the minimum at which networks are compared on Auto MPG.
TOLERANCES = (0.1, 0.01, 0.001, 0.0001)


@lru_cache(maxsize=32)
def contest_on_cars(
    p: float,
    *,
    optimizer: str = "gradient descent",
    rival: str = "gradient descent",
    start: str = "balanced",
    deepest: int = 8,
) -> Contest:
    """Return depths 1 to `deepest` against depth 1 with `rival`, on Auto MPG: 1,000 iterations.

    Lessons, claims and the explorer quote these races, with three seeds and the usual rates.
    """
    deep = _curves_on_cars(p, optimizer, start, deepest)
    linear = deep if rival == optimizer else _curves_on_cars(p, rival, start, 1)
    cars = load_auto_mpg(standardized=True)
    least = least_loss(LpRegression(cars.X, cars.y, p, reduction="mean"))
    return Contest(linear[0], deep, least, TOLERANCES)


@lru_cache(maxsize=32)
def _curves_on_cars(p: float, optimizer: str, start: str, deepest: int) -> tuple[Curves, ...]:
    cars = load_auto_mpg(standardized=True)
    return learning_curves(
        cars.X,
        cars.y,
        p=p,
        depths=range(1, deepest + 1),
        optimizer=optimizer,
        start=start,
        steps=1_000,
        progress=False,
    )
