"""Going deeper: layers that start near zero stall, layers that start at the identity do not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, comparable, instance, number, one_of, positive
from overparam_edu.experiments.compare import Band, band, best_curve, crossings, shared_rate
from overparam_edu.experiments.curves import Curves, learning_curves, loss_at_zero
from overparam_edu.experiments.datasets import load_auto_mpg


@comparable
class Deeper(NamedTuple):
    """Networks of several depths from two starts, with the same noise."""

    depths: tuple[int, ...]
    near_zero: tuple[Curves, ...]  # one for each depth, from the noise alone
    identity: tuple[Curves, ...]  # one for each depth, from the identity plus the noise
    scale: float  # standard deviation of the noise


@comparable
class Starts(NamedTuple):
    """Both starts side by side, each network at one learning rate; near zero first."""

    depths: tuple[int, ...]
    steps: np.ndarray  # (records,)
    rates: Array  # (2, depths): NaN where every rate tried diverges
    losses: Band  # spread over the seeds, each (2, depths, records)
    moves: Array  # (2, depths): as in `first_move`


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
    store: str | Path | None = None,
    progress: bool | None = None,
) -> Deeper:
    r"""Train deep linear networks from near zero and from the identity.

    Near zero the end-to-end vector starts at about :math:`scale^N` and its steps carry the factor
    :math:`\|w\|^{2-2/N}`: it stalls. With layers at the identity (a linear residual network) it
    starts at length 1, however many they are (talk, "going deeper").

    Parameters
    ----------
    X, y : array_like, shapes (n, d) and (n,)
        Examples, one a row, and targets; standardised, to compare with the talk.
    p : float, the power of the loss, at least 2
    depths : sequence of int, numbers of layers
    rates : array_like, shape (rates,), optional, as in `learning_curves`
    seeds : sequence of int, for the starts
    steps : int, number of iterations
    scale : float, standard deviation of the weights, or of what is added to the identity
    store, progress : str or Path, and bool, optional, as in `learning_curves`

    Returns
    -------
    Deeper
        ``depths`` and ``scale``; ``near_zero`` and ``identity``, each with one `Curves` a depth.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range.
    """
    run = partial(learning_curves, X, y, p=p, depths=depths, rates=rates, seeds=seeds, steps=steps)
    near_zero, identity = (
        run(start=start, scale=scale, store=store, progress=progress)
        for start in ("near zero", "identity")
    )
    return Deeper(tuple(curves.depth for curves in near_zero), near_zero, identity, float(scale))


@lru_cache(maxsize=8)
def deeper_on_cars(scale: float = 0.03) -> Deeper:
    """Return both starts on Auto MPG, as the lesson, its explorer and the claims quote them."""
    cars = load_auto_mpg(standardized=True)
    return going_deeper(
        cars.X,
        cars.y,
        depths=(2, 3, 4, 8, 16, 32),
        # Around the best: near zero the large ones, for the identity the smaller ones.
        rates=(0.015, 0.03, 0.06, 0.25),
        seeds=(0, 1, 2),
        steps=2_000,
        scale=scale,
        progress=False,
    )


def compare_starts(deeper: Deeper, *, learning_rate: str = "tuned") -> Starts:
    """Return both starts side by side, each network at one learning rate.

    Parameters
    ----------
    deeper : Deeper, as `going_deeper` returns it
    learning_rate : {"tuned", "same"}
        Each network at its best (`best_curve`), or all at the largest at which none diverges.

    Returns
    -------
    Starts
        Near zero first: ``rates`` (2, depths), NaN where every rate tried diverges;
        ``losses.low``, ``.middle`` and ``.high`` over the seeds (2, depths, records); ``moves``
        (2, depths), the iteration at which `first_move` finds that a network starts to move;
        ``depths``; ``steps``.

    Raises
    ------
    TypeError, ValueError
        If `deeper` is something else or `learning_rate` another word; if `learning_rate` is
        ``"same"`` and there is no such rate.
    """
    instance("deeper", deeper, Deeper)
    networks = (*deeper.near_zero, *deeper.identity)
    if one_of("learning_rate", learning_rate, ("tuned", "same")) == "tuned":
        best = [best_curve(curves) for curves in networks]
        rates, losses = [found.rate for found in best], [found.losses for found in best]
    else:
        rates = [shared_rate(networks)] * len(networks)
        losses = [c.losses[..., np.flatnonzero(c.rates == rates[0])[0]] for c in networks]
    at_zero = loss_at_zero(deeper.near_zero)
    moves = [first_move(c, at_zero, rate=r) for c, r in zip(networks, rates, strict=True)]
    shape = (2, len(deeper.depths))
    edges = zip(*map(band, losses), strict=True)
    return Starts(
        deeper.depths,
        networks[0].steps,
        np.reshape(rates, shape),
        Band(*(np.reshape(edge, (*shape, -1)) for edge in edges)),
        np.reshape(moves, shape),
    )


def first_move(
    curves: Curves, at_zero: float, *, fall: float = 0.01, rate: float | None = None
) -> float:
    """Return the iteration at which a network starts to move: the end of its stall.

    It has started when its loss is 1 % below that at zero, or below that at its start if this is
    less: a start that is worse than zero has still to get past it.

    Parameters
    ----------
    curves : Curves of one network, from `learning_curves` or `load_record`
    at_zero : float, the loss at zero, such as `at_zero` of a record
    fall : float, another fraction than 1 %
    rate : float, optional
        The learning rate, the nearest of those tried; if not given, the one that starts first
        among those at which no seed diverges.

    Returns
    -------
    float
        In the median over seeds; infinity if it does not start. Exact where each iteration is
        recorded, else interpolated as in `steps_to_level`.

    Raises
    ------
    TypeError, ValueError
        If `curves` is something else, `fall` not a number between 0 and 1, `rate` not a number
        above 0, or `at_zero` not a number.

    Examples
    --------
    >>> from overparam_edu import load_record
    >>> record = load_record("cars_deeper")
    >>> [float(round(first_move(record.of(depth=N), record.at_zero), 1)) for N in (2, 3, 16)]
    [2.0, 102.8, inf]
    """
    instance("curves", curves, Curves)
    least = np.minimum(curves.losses[0], number("at_zero", at_zero))
    level = (1 - number("fall", fall, lower=0, upper=1)) * least
    moved = curves.losses <= level
    record = np.where(moved.any(axis=0), np.argmax(moved, axis=0), len(curves.steps))
    first = crossings(curves, record, level)
    at_each: Array = np.median(first, axis=0)
    if rate is None:
        stays = (curves.diverged_at < 0).all(axis=0)
        return float(np.where(stays, at_each, np.inf).min())
    nearest = np.argmin(np.abs(np.log(curves.rates / positive("rate", number("rate", rate)))))
    return float(at_each[nearest])
