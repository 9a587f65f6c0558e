"""Several depths from one start on one loss: who arrives first, and at which learning rates."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    brief,
    comparable,
    finite_array,
    number,
    one_of,
    positive,
    whole_number,
)
from overparam_edu.dynamics.losses import Loss
from overparam_edu.dynamics.networks import balanced_network
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.training import Trajectory, descend, gradient_flow, train
from overparam_edu.dynamics.tuning import TunedLearningRate, tuned_learning_rate

# Iterations raced at the least, so that there is something to see where all arrive at once.
_SHORTEST = 40


@comparable
class DepthRace(NamedTuple):
    """Several depths run from one start, as numbers."""

    depths: Array  # (lanes,)
    learning_rates: Array  # (lanes,): what each ran at
    rates_are: str  # how these were chosen, in a sentence
    steps: np.ndarray  # (records,): 0, 1, 2, ... iterations
    points: Array  # (records, lanes, d): end-to-end vectors; NaN from where a lane diverged
    losses: Array  # (records, lanes): likewise
    arrivals: Array  # (lanes,): first iteration with a loss of at most `target`, or infinity
    diverged_at: np.ndarray  # (lanes,): first iteration outside the finite range, or -1
    target: float  # the loss to reach
    fair_steps: Array  # (lanes,): as `tuned_learning_rate` counts them at tuned rates; or NaN


def race_depths(
    loss: Loss,
    start: ArrayLike,
    *,
    depths: ArrayLike,
    target: float,
    learning_rate: str | float = "tuned",
    fraction: float = 1.0,
    dynamics: str = "rule",
    steps: int = 3_000,
    rates: ArrayLike | None = None,
) -> DepthRace:
    """Run gradient descent at several depths from one start and compare.

    Parameters
    ----------
    loss : Loss of a vector (d,)
    start : array_like, shape (d,), where the end-to-end vector starts
    depths : array_like, shape (lanes,), ``N``, at least 1; whole for ``dynamics="network"``
    target : float, the loss to reach
    learning_rate : {"tuned", "same"} or float
        ``"tuned"``: each depth at its own fastest safe rate (`tuned_learning_rate`). ``"same"``:
        all at the largest rate that is safe for every depth. A number: all at that rate. Tuned and
        safe are meant for the rule: layers at these rates may rise, or even diverge.
    fraction : float, from 0.001 to 1
        What part of the tuned or the same rate to run at: with less than 1, steps are small enough
        to follow a path with the eye.
    dynamics : {"rule", "network", "flow"}
        The end-to-end update rule, real layers of width 1 from a balanced start, or gradient flow
        at the same times.
    steps : int, iterations at most; at a `fraction` of a rate as many more as steps are smaller
    rates : array_like, shape (n,), optional, to try when tuning, as in `tuned_learning_rate`

    Returns
    -------
    DepthRace
        ``learning_rates`` (lanes,), and ``rates_are``, how they were chosen, in words; ``arrivals``
        (lanes,), the first iteration with a loss of at most ``target``, or infinity;
        ``diverged_at`` (lanes,), the first outside the finite range, or -1; ``steps`` (records,),
        ``points`` (records, lanes, d) and ``losses`` (records, lanes), long enough for all to
        arrive if they do within `steps`; and ``depths``. ``arrivals`` are those of these runs.
        ``fair_steps`` (lanes,) are what to compare depths by: the steps at the tuned rate in the
        slowest of the five runs of `tuned_learning_rate`; infinity where it is not reached, and
        NaN but for the rule with ``learning_rate="tuned"``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape, is out of range or another word.

    Examples
    --------
    >>> from overparam_edu import SeparableLp
    >>> loss = SeparableLp((1.0, 0.1), p=4)
    >>> race_depths(loss, [0.01, 0.01], depths=[1, 2], target=1e-6).points.shape[1:]
    (2, 2)
    """
    depths = np.atleast_1d(positive("depths", depths))
    if depths.ndim != 1:
        raise ValueError(f"depths must have shape (lanes,); got {depths.shape}")
    one_of("dynamics", dynamics, ("rule", "network", "flow"))
    start, target = finite_array("start", start), number("target", target)
    steps = whole_number("steps", steps, lower=1)
    part = number("fraction", fraction, lower=1e-3, upper=1)
    affordable("steps", steps, seconds=steps / part * 5e-6)
    fair_steps = np.full(len(depths), np.nan)
    if isinstance(learning_rate, str):
        one_of("learning_rate", learning_rate, ("tuned", "same"))
        tuned = tuned_learning_rate(
            loss, start, depth=depths, target=target, steps=steps, rates=rates
        )
        chosen, rates_are = _chosen(learning_rate, tuned)
        slowest = float(np.max(tuned.steps)) if learning_rate == "tuned" else 0.0
        if (learning_rate, dynamics) == ("tuned", "rule"):
            fair_steps = tuned.steps
        if part < 1:
            chosen, rates_are = part * chosen, f"{part:g} times {rates_are}"
            steps, slowest = ceil(steps / part), slowest / part
        length = min(steps, max(_SHORTEST, 1.2 * slowest) + 1)
    else:
        rate = number("learning_rate", learning_rate, lower=0)
        if rates is not None:
            raise ValueError(f"rates are for a learning_rate that is tuned; got {brief(rates)}")
        chosen, rates_are = np.full(len(depths), rate), "the same for every depth, set by hand"
        length = min(steps, _SHORTEST + 1)
    run = _run(loss, start, depths, chosen, dynamics, int(length))
    # Layers and flow may take longer than the rule did when it was tuned. Most races are short,
    # and a flow that has arrived is slow to follow further, so the end is approached from below.
    while (last := _last_step_of_interest(run, target)) == run.steps[-1] < steps:
        length = min(steps, 4 * int(run.steps[-1]))
        run = _run(loss, start, depths, chosen, dynamics, length)
    return DepthRace(
        depths,
        chosen,
        rates_are,
        run.steps[: last + 1],
        run.points[: last + 1],
        run.losses[: last + 1],
        run.steps_to(target),
        np.where(run.diverged_at > last, -1, run.diverged_at),
        target,
        fair_steps,
    )


def _chosen(mode: str, tuned: TunedLearningRate) -> tuple[Array, str]:
    """Return a rate for each depth; one that never arrives runs at its largest safe rate."""
    safe = np.where(np.isnan(tuned.largest_safe), tuned.rates[0], tuned.largest_safe)
    if mode == "same":
        return np.full(len(safe), safe.min()), "the same, the largest that is safe for every depth"
    fastest = np.where(np.isnan(tuned.fastest), safe, tuned.fastest)
    return fastest, f"each depth's own: {tuned.criterion}"


def _run(
    loss: Loss, start: Array, depths: Array, rates: Array, dynamics: str, steps: int
) -> Trajectory:
    if dynamics == "rule":
        return descend(loss, start, depth=depths, optimizer=GradientDescent(rates), steps=steps)
    affordable("steps", steps, numbers=2 * steps * depths.size * start.size)
    lanes = []
    for N, rate in zip(depths, rates, strict=True):
        if dynamics == "flow":
            # A rate of 0 has no times to integrate over: such a lane stands still.
            times = np.arange(steps + 1) * max(rate, np.finfo(float).tiny)
            lanes.append(gradient_flow(loss, start, depth=N, times=times, rtol=1e-8))
        else:
            depth = int(N) if float(N).is_integer() else N
            layers = balanced_network(start, whole_number("depths", depth, lower=1))
            lanes.append(train(layers, loss, optimizer=GradientDescent(rate), steps=steps))
    points, losses, times = (
        np.stack([getattr(lane, name) for lane in lanes], axis=1)
        for name in ("points", "losses", "times")
    )
    diverged_at = np.stack([lane.diverged_at for lane in lanes])
    return Trajectory(points, losses, lanes[0].steps, times, diverged_at, depths)


def _last_step_of_interest(run: Trajectory, target: float) -> int:
    """Return a step a little after each lane arrived or diverged, or the last if one never does."""
    arrivals = run.steps_to(target)
    ends = np.where(np.isfinite(arrivals), arrivals, run.diverged_at)
    if np.any(ends < 0):
        return int(run.steps[-1])
    return int(min(run.steps[-1], max(_SHORTEST, 1.2 * ends.max())))
