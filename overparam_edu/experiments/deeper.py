"""Going deeper: layers that start near zero stall, layers that start at the identity do not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, number, one_of, positive
from overparam_edu.experiments.compare import Band, band, shared_rate, tuned
from overparam_edu.experiments.curves import Curves, learning_curves


class Deeper(NamedTuple):
    """Networks of several depths from the two starts.

    Attributes
    ----------
    depths : tuple of int
        Numbers of layers.
    near_zero : tuple of Curves
        One for each depth, from independent Gaussian weights of standard deviation `scale`.
    identity : tuple of Curves
        One for each depth, from layers that are the identity plus the same noise.
    scale : float
        Of the noise.
    """

    depths: tuple[int, ...]
    near_zero: tuple[Curves, ...]
    identity: tuple[Curves, ...]
    scale: float


def going_deeper(
    X: ArrayLike,
    y: ArrayLike,
    *,
    p: float = 4,
    depths: Sequence[int] = (2, 3, 4, 8, 16),
    rates: ArrayLike | None = None,
    seeds: Sequence[int] = (0,),
    steps: int = 3_000,
    scale: float = 1e-2,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: bool | None = None,
) -> Deeper:
    r"""Train deep linear networks from near zero and from the identity.

    Near zero the end-to-end vector starts at about :math:`scale^N` and its steps carry the factor
    :math:`\|w\|^{2-2/N}`: it stalls. With layers at the identity (a linear residual network) it
    starts at length 1, however many they are (talk, "going deeper").

    Parameters
    ----------
    X : array_like, shape (n, d)
        One example a row; standardised columns.
    y : array_like, shape (n,)
        The target, likewise.
    p : float
        The power of the loss (mean over examples).
    depths : sequence of int
        Numbers of layers; hidden layers have width 1.
    rates : array_like, shape (rates,), optional
        Learning rates of gradient descent, as in `learning_curves`.
    seeds : sequence of int
        Seeds of the starts.
    steps : int
        Iterations.
    scale : float
        Standard deviation of the weights, or of what is added to the identity.
    executor : concurrent.futures.Executor, optional
        As in `sweep`.
    store : str or Path, optional
        As in `sweep`.
    progress : bool, optional
        As in `sweep`.

    Returns
    -------
    Deeper

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range.

    Examples
    --------
    >>> from overparam_edu import load_auto_mpg
    >>> cars = load_auto_mpg(standardized=True)
    >>> deeper = going_deeper(cars.X, cars.y, depths=[8], rates=[0.03], steps=1_000)
    >>> [first_move(*curves) for curves in (deeper.near_zero, deeper.identity)]
    [inf, 1.0]
    """
    near_zero, identity = (
        learning_curves(
            X,
            y,
            p=p,
            depths=depths,
            rates=rates,
            seeds=seeds,
            steps=steps,
            start=start,
            scale=scale,
            executor=executor,
            store=store,
            progress=progress,
        )
        for start in ("near zero", "identity")
    )
    depths = tuple(curves.depth for curves in near_zero)
    return Deeper(depths, near_zero, identity, number("scale", scale))


class Starts(NamedTuple):
    """Both starts side by side, each network at one learning rate; near zero first.

    Attributes
    ----------
    depths : tuple of int
        Numbers of layers.
    steps : ndarray of int, shape (records,)
        Iterations at which losses were recorded.
    rates : ndarray, shape (2, depths)
        Learning rates; NaN where every rate tried diverges.
    losses : Band
        Least, median and largest loss over the seeds, each (2, depths, records).
    moves : ndarray, shape (2, depths)
        Iteration at which a network starts to move, as in `first_move`: a loss 1% below that at
        the start, and at zero, which is where the deepest network near zero starts.
    """

    depths: tuple[int, ...]
    steps: np.ndarray
    rates: Array
    losses: Band
    moves: Array


def compare_starts(deeper: Deeper, *, learning_rate: str = "tuned") -> Starts:
    """Return both starts side by side, each network at one learning rate.

    Parameters
    ----------
    deeper : Deeper
        What `going_deeper` returns.
    learning_rate : {"tuned", "same"}
        Each network at its best (`tuned`), or all at the largest at which none diverges.

    Returns
    -------
    Starts

    Raises
    ------
    ValueError
        If `learning_rate` is another word; if it is ``"same"`` and there is no such rate.

    Examples
    --------
    >>> from overparam_edu import load_auto_mpg
    >>> cars = load_auto_mpg(standardized=True)
    >>> deeper = going_deeper(cars.X, cars.y, depths=[2, 8], rates=[0.03], steps=500)
    >>> compare_starts(deeper).moves[:, 1]
    array([inf,  1.])
    """
    networks = (*deeper.near_zero, *deeper.identity)
    if one_of("learning_rate", learning_rate, ("tuned", "same")) == "tuned":
        best = [tuned(curves) for curves in networks]
        rates = np.array([found.rate for found in best])
        bands = [band(found.losses) for found in best]
    else:
        rates = np.full(len(networks), shared_rate(networks))
        chosen = [np.flatnonzero(curves.rates == rates[0])[0] for curves in networks]
        bands = [band(c.losses[..., i]) for c, i in zip(networks, chosen, strict=True)]
    at_zero = float(np.median(deeper.near_zero[-1].losses[0]))
    moves = [first_move(c, rate=r, below=at_zero) for c, r in zip(networks, rates, strict=True)]
    shape = (2, len(deeper.depths))
    return Starts(
        deeper.depths,
        networks[0].steps,
        rates.reshape(shape),
        Band(*(np.reshape(edges, (*shape, -1)) for edges in zip(*bands, strict=True))),
        np.reshape(moves, shape),
    )


def first_move(
    curves: Curves, *, fall: float = 0.01, rate: float | None = None, below: float = np.inf
) -> float:
    """Return the iteration at which a network starts to move.

    Parameters
    ----------
    curves : Curves
        Of one network.
    fall : float
        It has started when its loss has fallen by this fraction of the loss at the start, or of
        `below` if that is less.
    rate : float, optional
        The learning rate, the nearest of those tried; if not given, the one that starts first
        among those at which no seed diverges.
    below : float
        Such as the loss at zero: a start that is worse than that has still to get past it.

    Returns
    -------
    float
        The first record, in the median over seeds; infinity if it does not start.

    Raises
    ------
    TypeError, ValueError
        If `fall` is not a number between 0 and 1, or `rate` not a number above 0.
    """
    level = (1 - number("fall", fall, lower=0, upper=1)) * np.minimum(curves.losses[0], below)
    moved = curves.losses <= level
    first = np.where(moved.any(axis=0), curves.steps[np.argmax(moved, axis=0)], np.inf)
    at_each: Array = np.median(first, axis=0)
    if rate is None:
        stays = (curves.diverged_at < 0).all(axis=0)
        return float(np.where(stays, at_each, np.inf).min())
    nearest = np.argmin(np.abs(np.log(curves.rates / positive("rate", rate))))
    return float(at_each[nearest])
