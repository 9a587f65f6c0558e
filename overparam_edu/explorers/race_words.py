"""A race in words: the one-line readings under the pictures."""

from __future__ import annotations

import numpy as np

from overparam_edu.experiments.depth_race import DepthRace
from overparam_edu.player.frames import number_text


def verdicts(race: DepthRace) -> list[str]:
    """Return for each depth how it fared, and how that compares with the first lane.

    Parameters
    ----------
    race : DepthRace
        With depth 1 as its first lane.

    Returns
    -------
    list of str
        Clauses without a full stop.
    """
    return [_verdict(race, lane) for lane in range(len(race.depths))]


def _verdict(race: DepthRace, lane: int) -> str:
    name, last = f"depth {race.depths[lane]:g}", int(race.steps[-1])
    rate = f" at rate {number_text(float(race.learning_rates[lane]))}"
    if race.diverged_at[lane] >= 0:
        return f"{name} diverges at iteration {race.diverged_at[lane]}{rate}"
    if not np.isfinite(race.arrivals[lane]):
        moved = np.ptp(race.points[:, lane], axis=0).max() > 0
        fate = "has not arrived" if moved else "never moves"
        return f"{name} {fate} in {number_text(last)} iterations{rate}"
    arrived = f"{name} arrives in {iterations(race.arrivals[lane])}{rate}"
    if lane == 0:
        return arrived
    return arrived + compared(race.arrivals[lane], race.arrivals[0], "depth 1", last)


def iterations(count: float) -> str:
    """Return a number of iterations in words.

    Parameters
    ----------
    count : float

    Returns
    -------
    str

    Examples
    --------
    >>> iterations(1.0), iterations(20.0)
    ('1 iteration', '20 iterations')
    """
    return f"{number_text(count)} iteration{'' if count == 1 else 's'}"


def compared(steps: float, other: float, name: str, last: int) -> str:
    """Return how an arrival compares with another's, to follow "arrives in … iterations".

    Parameters
    ----------
    steps : float
        Iterations that it took, finite.
    other : float
        Iterations that the other took; infinity if it did not arrive.
    name : str
        Of the other.
    last : int
        The last iteration of the race.

    Returns
    -------
    str

    Examples
    --------
    >>> compared(100.0, 250.0, "depth 1", 1_000)
    ', 2.5 times faster than depth 1 (250)'
    """
    if not np.isfinite(other):
        return f"; {name} does not in {number_text(last)}"
    factor = number_text(round(max(other, steps) / max(1.0, min(other, steps)), 1))
    if factor == "1":
        return f", about as fast as {name} ({number_text(other)})"
    return f", {factor} times {'faster' if steps < other else 'slower'} than {name} ({number_text(other)})"
