"""A depth race in words: the one-line readings under the pictures."""

from __future__ import annotations

import numpy as np

from overparam_edu.experiments.depth_race import DepthRace
from overparam_edu.views.frames import shown


def verdicts(race: DepthRace, *, with_rates: bool = True) -> list[str]:
    """Return for each depth how it fared, and how that compares with the first lane.

    Parameters
    ----------
    race : DepthRace
        With depth 1 as its first lane.
    with_rates : bool
        Whether to name each learning rate.

    Returns
    -------
    list of str
        Clauses without a full stop.
    """
    return [_verdict(race, lane, with_rates) for lane in range(len(race.depths))]


def _verdict(race: DepthRace, lane: int, with_rates: bool) -> str:
    first, steps = race.arrivals[0], race.arrivals[lane]
    name, last = f"depth {race.depths[lane]:g}", shown(int(race.steps[-1]))
    rate = f" at rate {shown(float(race.learning_rates[lane]))}" if with_rates else ""
    if race.diverged_at[lane] >= 0:
        return f"{name} diverges at iteration {race.diverged_at[lane]}{rate}"
    if not np.isfinite(steps):
        moved = np.ptp(race.points[:, lane], axis=0).max() > 0
        fate = "has not arrived" if moved else "never moves"
        return f"{name} {fate} in {last} iterations{rate}"
    arrived = f"{name} arrives in {shown(steps)} iterations{rate}"
    if lane == 0:
        return arrived
    if not np.isfinite(first):
        return f"{arrived}; depth 1 does not in {last}"
    factor = shown(round(max(first, steps) / max(1.0, min(first, steps)), 1))
    if factor == "1":
        return f"{arrived}, about as fast as depth 1 ({shown(first)})"
    word = "faster" if steps < first else "slower"
    return f"{arrived}, {factor} times {word} than depth 1 ({shown(first)})"
