"""The end-to-end update rule beside the real network, to see whether its assumptions hold.

The rule assumes balanced layers and a small learning rate (talk, "end-to-end update rule"; paper,
Theorem 1 and section 8). Here both run from the same end-to-end matrix, and the difference is
measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    brief,
    comparable,
    generator,
    instance,
    number,
    positive,
    whole_number,
)
from overparam_edu.dynamics.losses import Loss, LpRegression
from overparam_edu.dynamics.networks import LinearNetwork, balanced_network, padded
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.training import Trajectory, descend, train


@comparable
@dataclass(frozen=True, eq=False)
class RuleAgainstNetwork:
    """A run of the rule, by `descend`, and one of the network, by `train`, from one matrix."""

    rule: Trajectory
    network: Trajectory

    @cached_property
    def distances(self) -> Array:
        r"""Relative distance of the two matrices at each record, shape (records, \*lanes).

        ``max |W_rule - W_net| / max |W|``, the latter over both whole runs, so that a start near
        zero does not count for much; NaN where one of the two has diverged.
        """
        axes = tuple(range(self.network.losses.ndim, self.network.points.ndim))
        both = np.stack([self.rule.points, self.network.points])
        gaps = np.abs(both[0] - both[1]).max(axis=axes)
        sizes = np.abs(both).max(axis=tuple(axis + 1 for axis in axes))
        largest = np.fmax.reduce(sizes, axis=(0, 1))  # NaN where no record is finite
        relative: Array = np.divide(gaps, largest, out=0.0 * gaps, where=largest > 0)
        return relative

    @cached_property
    def imbalance(self) -> Array:
        r"""Imbalance of the layers at each record, (records, \*lanes); NaN where diverged."""
        return np.where(np.isfinite(self.network.losses), self.network.imbalance(), np.nan)

    @cached_property
    def singular_values(self) -> tuple[Array, Array]:
        r"""Singular values of the rule's and of the network's matrix, (records, \*lanes, m)."""
        lanes = self.network.losses.ndim
        rule, network = (_singular_values(run.points, lanes) for run in (self.rule, self.network))
        return rule, network


def compare_rule_with_network(
    network: LinearNetwork,
    loss: Loss,
    *,
    learning_rate: ArrayLike,
    steps: int,
    record: int | Sequence[int] = 1,
    weight_decay: float = 0.0,
) -> RuleAgainstNetwork:
    """Train a network, and follow the rule from the network's own end-to-end matrix.

    Parameters
    ----------
    network : LinearNetwork
        Balanced or not; leading axes of its weights are lanes.
    loss : Loss of the end-to-end matrix (k, d), or of a vector (d,) if there is one output
    learning_rate : array_like, shape (*lanes,), of rule and network
    steps : int, number of steps, 0 or more
    record : int or sequence of int, as for `train`
    weight_decay : float, on every layer, 0 or more; in the rule as in the paper's Theorem 1

    Returns
    -------
    RuleAgainstNetwork
        The trajectories ``rule`` and ``network``; ``distances`` (records, *lanes), the largest
        difference of an entry relative to the largest entry of both runs; ``imbalance``
        (records, *lanes); and a pair of ``singular_values`` (records, *lanes, m), of rule and
        network. NaN where a run has diverged.

    Raises
    ------
    TypeError, ValueError
        If the network and the loss do not fit, or an argument is out of range.
    """
    optimizer = GradientDescent(learning_rate)
    trained = train(
        network, loss, optimizer=optimizer, steps=steps, record=record, weight_decay=weight_decay
    )
    start = network.end_to_end_matrix
    ruled = descend(
        loss,
        start.reshape(*start.shape[:-2], *loss.shape),
        depth=network.depth,
        optimizer=optimizer,
        steps=steps,
        record=record,
        weight_decay=weight_decay,
    )
    return RuleAgainstNetwork(ruled, trained)


@comparable
class DistanceOrder(NamedTuple):
    """How the distance between rule and network falls with the learning rate."""

    learning_rates: Array  # (n,)
    distances: Array  # (n,): the largest relative distance on the way, for each rate
    order: float  # slope of log distance against log rate


def measure_distance_order(
    network: LinearNetwork,
    loss: Loss,
    *,
    learning_rates: ArrayLike,
    time: float,
    weight_decay: float = 0.0,
) -> DistanceOrder:
    """Measure how the distance between rule and network falls with the learning rate.

    Parameters
    ----------
    network, loss : LinearNetwork without lanes, and a Loss of its matrix
    learning_rates : array_like, shape (n,), two or more
    time : float, learning rate times steps, the same for every rate
    weight_decay : float, on every layer, 0 or more

    Returns
    -------
    DistanceOrder
        ``learning_rates`` and ``distances`` (n,), the largest relative distance on the way; and
        ``order``, the slope of log distance against log rate: 1 where the distance is proportional
        to the rate, about 0 where it does not go away.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or there are fewer than two rates.
    RuntimeError
        If a run diverges, or the distance is 0, as it is at depth 1.
    """
    rates, time = positive("learning_rates", learning_rates), number("time", time, lower=0)
    if rates.ndim != 1 or len(np.unique(rates)) < 2:
        raise ValueError(
            f"learning_rates must be two or more, of shape (n,); got {brief(rates.tolist())}"
        )
    affordable("time", time, seconds=time / rates.min() * 1e-5)
    runs = [
        compare_rule_with_network(
            network,
            loss,
            learning_rate=rate,
            steps=max(1, round(time / rate)),
            weight_decay=weight_decay,
        )
        for rate in rates
    ]
    distances = np.array([run.distances.max() for run in runs])
    if not np.all(distances > 0):
        raise RuntimeError(
            "learning_rates must lead to distances that are finite and above 0; "
            f"got {distances.tolist()}"
        )
    order = float(np.polyfit(np.log(rates), np.log(distances), 1)[0])
    return DistanceOrder(rates, distances, order)


def rebalance(network: LinearNetwork) -> LinearNetwork:
    """Return a balanced network with the widths and the end-to-end matrix of another.

    Parameters
    ----------
    network : LinearNetwork, which may have lanes

    Returns
    -------
    LinearNetwork

    Raises
    ------
    TypeError
        If `network` is something else.
    """
    instance("network", network, LinearNetwork)
    sizes = network.widths
    # A product through a narrow layer has no more singular values than that; what is cut is 0,
    # but for rounding, of which the root would not be small.
    rank = min(sizes)
    inner = [sizes[0], *[rank] * (network.depth - 1), sizes[-1]]
    even = balanced_network(network.end_to_end_matrix, network.depth)
    layers = [
        padded(W[..., : inner[j + 1], : inner[j]], sizes[j + 1], sizes[j])
        for j, W in enumerate(even.weights)
    ]
    return LinearNetwork(tuple(layers))


def turn_hidden_layers(
    network: LinearNetwork, *, rng: np.random.Generator | int = 0
) -> LinearNetwork:
    r"""Return the same network with each hidden layer turned by a random rotation.

    .. math:: W_j \leftarrow Q_j W_j, \quad W_{j+1} \leftarrow W_{j+1} Q_j^\top

    The end-to-end matrix and the balance stay, while every hidden unit takes part: a balanced
    network that does not look like one.

    Parameters
    ----------
    network : LinearNetwork, which may have lanes
    rng : numpy.random.Generator or int
        Generator or seed.

    Returns
    -------
    LinearNetwork

    Raises
    ------
    TypeError, ValueError
        If `network` is something else, or `rng` neither a generator nor a seed.
    """
    instance("network", network, LinearNetwork)
    drawn, layers = generator("rng", rng), list(network.weights)
    for j, width in enumerate(network.widths[1:-1]):
        Q, _ = np.linalg.qr(drawn.standard_normal((width, width)))
        layers[j], layers[j + 1] = Q @ layers[j], layers[j + 1] @ Q.T
    return LinearNetwork(tuple(layers))


def synthetic_regression(
    singular_values: ArrayLike = (1.5, 0.8, 0.3),
    *,
    inputs: int = 4,
    examples: int = 80,
    noise: float = 0.1,
    p: float = 2,
    rng: np.random.Generator | int = 0,
) -> LpRegression:
    """Return a regression whose true matrix has the given singular values.

    Parameters
    ----------
    singular_values : array_like, shape (k,), one an output
    inputs, examples : int, ``d``, at least ``k``, and ``n``
    noise : float, standard deviation of the noise on each target
    p : float, the power of the mean loss
    rng : numpy.random.Generator or int
        Generator or seed.

    Returns
    -------
    LpRegression
        Of a matrix (k, d).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    sigma, noise = positive("singular_values", singular_values), number("noise", noise, lower=0)
    k = whole_number("the number of singular_values", sigma.size, lower=1)
    d, n = whole_number("inputs", inputs, lower=k), whole_number("examples", examples, lower=1)
    if sigma.ndim != 1:
        raise ValueError(f"singular_values must have shape (k,); got {sigma.shape}")
    affordable("inputs", inputs, numbers=4 * d * d, seconds=1e-10 * d**3)
    affordable("examples", examples, numbers=3 * n * (d + 2 * k))
    drawn = generator("rng", rng)
    U, V = (np.linalg.qr(drawn.standard_normal((size, size)))[0] for size in (k, d))
    truth = (U * sigma) @ V[:, :k].T
    X = drawn.standard_normal((n, d))
    y = X @ truth.T + noise * drawn.standard_normal((n, k))
    return LpRegression(X, y, p=p, reduction="mean")


def _singular_values(points: Array, lanes: int) -> Array:
    """Return singular values (records, *lanes, m) of matrices or vectors; NaN if diverged."""
    if points.ndim == lanes + 1:
        norms: Array = np.linalg.norm(points, axis=-1, keepdims=True)
        return norms
    diverged = np.logical_not(np.isfinite(points).all(axis=(-2, -1), keepdims=True))
    safe: Array = np.where(diverged, 0.0, points)
    return np.where(diverged[..., 0], np.nan, np.linalg.svd(safe, compute_uv=False))
