"""What a run of the warm-up remembers, as numbers: the data behind `explore_warm_up`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overparam_edu._validation import Array
from overparam_edu.derivations import rebuild_from_gradients, warm_up_coefficients
from overparam_edu.experiments.warm_up_runs import WarmUpRun


class Memory(NamedTuple):
    """What a run remembers, at some of its updates.

    Parameters
    ----------
    steps : ndarray of int, shape (S,)
        The updates looked at.
    rho : ndarray, shape (S,)
        Learning rate on the gradient of the moment.
    mu : ndarray, shape (S, S)
        Push of the gradient of time ``steps[j]`` in update ``steps[i]``; NaN unless ``j`` is past.
    pushes : ndarray, shape (S,)
        Length of all past gradients' pushes together, in units of the present gradient's.
    rebuilt : ndarray, shape (2, S, d)
        The path rebuilt from the past gradients alone, and with the start put in.
    errors : ndarray, shape (2, S)
        Distance of each from the path, in units of the largest ``||w||`` of the run.
    largest : ndarray, shape (2,)
        Largest error of each over all updates.
    """

    steps: NDArray[np.int64]
    rho: Array
    mu: Array
    pushes: Array
    rebuilt: Array
    errors: Array
    largest: Array


def measure_memory(run: WarmUpRun, steps: NDArray[np.int64]) -> Memory:
    r"""Measure the learning rate and the momentum in a run, and rebuild it from its gradients.

    Talk, "Warm-up"; paper, section 3.

    Parameters
    ----------
    run : WarmUpRun
        Of T updates.
    steps : ndarray of int, shape (S,)
        The updates to look at, from 0 to T - 1.

    Returns
    -------
    Memory

    Raises
    ------
    ValueError
        If the scalar is 0 before an update.
    """
    coefficients = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
    alone = rebuild_from_gradients(coefficients, run.gradients)
    started = rebuild_from_gradients(coefficients, run.gradients, start=run.points[0])
    rebuilt = np.stack([alone, started])
    errors = np.linalg.norm(rebuilt - run.points, axis=-1)
    errors /= np.linalg.norm(run.points, axis=-1).max()
    rho, mu = coefficients.rho[steps], coefficients.mu[steps]
    present = rho * np.linalg.norm(run.gradients[steps], axis=-1)
    past = np.linalg.norm(mu @ run.gradients, axis=-1)
    return Memory(
        steps,
        rho,
        np.where(steps < steps[:, None], mu[:, steps], np.nan),
        np.divide(past, present, out=np.zeros_like(past), where=present > 0),
        rebuilt[:, steps],
        errors[:, steps],
        errors.max(axis=-1),
    )


def error_order(memories: list[Memory], rates: Array) -> float:
    """Return the power of the learning rate that the largest error falls with.

    Parameters
    ----------
    memories : list of Memory
        One a learning rate.
    rates : ndarray
        The learning rates, falling; the last two are compared.

    Returns
    -------
    float
        1 for an error of first order. Of the path rebuilt with its start: without it, the error
        ends at the size of the start.
    """
    errors = np.log([memory.largest[1] for memory in memories[-2:]])
    return float(np.diff(errors)[0] / np.diff(np.log(rates[-2:]))[0])
