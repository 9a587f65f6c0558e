"""What the network is: its layers, its end-to-end matrix, and three ways to initialise it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    brief,
    comparable,
    finite_answer,
    finite_array,
    generator,
    number,
    shaped,
    whole_number,
)

# A layer takes as much room as so many numbers, however small it is.
_LAYER = 64


@comparable
@dataclass(frozen=True, eq=False)
class LinearNetwork:
    r"""A deep linear network, :math:`x \mapsto W_N \cdots W_1 x`.

    Parameters
    ----------
    weights : sequence of array_like, shapes (..., n_j, n_{j-1})
        ``W_1`` (nearest the input) to ``W_N``. Leading axes are lanes: independent networks of
        the same widths.

    Raises
    ------
    TypeError, ValueError
        If there is no layer, a layer is not finite matrices, or neighbours do not fit.

    Examples
    --------
    >>> network = LinearNetwork(([[1.0, 2.0]], [[3.0]]))
    >>> network.depth, network.widths, network.end_to_end_matrix
    (2, (2, 1, 1), array([[3., 6.]]))
    """

    weights: tuple[Array, ...]

    def __post_init__(self) -> None:
        if isinstance(self.weights, str) or not isinstance(self.weights, Sequence):
            raise TypeError(f"weights must be a sequence of matrices; got {brief(self.weights)}")
        if not self.weights:
            raise ValueError("weights must hold at least one layer; got none")
        layers = tuple(finite_array(f"weights[{j}]", W) for j, W in enumerate(self.weights))
        for j, W in enumerate(layers):
            if W.ndim < 2:
                raise ValueError(
                    f"weights[{j}] must have shape (..., n_j, n_{{j-1}}); got {W.shape}"
                )
            if j and (W.shape[-1] != layers[j - 1].shape[-2]):
                raise ValueError(
                    f"weights[{j}] must take {layers[j - 1].shape[-2]} inputs, the outputs of "
                    f"weights[{j - 1}]; got shape {W.shape}"
                )
            if W.shape[:-2] != layers[0].shape[:-2]:
                raise ValueError(
                    f"weights[{j}] must have the lanes {layers[0].shape[:-2]} of weights[0]; "
                    f"got shape {W.shape}"
                )
        object.__setattr__(self, "weights", layers)

    @property
    def depth(self) -> int:
        """Number of layers ``N``."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """Sizes ``(d, n_1, ..., k)`` from input to output."""
        return (self.weights[0].shape[-1], *(W.shape[-2] for W in self.weights))

    @property
    def end_to_end_matrix(self) -> Array:
        r"""The product :math:`W_N \cdots W_1`, shape (..., k, d); infinite or NaN beyond floats."""
        with np.errstate(all="ignore"):
            return product(self.weights)

    @finite_answer
    def layer_gradients(self, gradient: ArrayLike) -> tuple[Array, ...]:
        r"""Return the gradient of the loss in each layer, by the chain rule.

        .. math:: \frac{\partial L}{\partial W_j} = (W_N \cdots W_{j+1})^\top \, G \,
            (W_{j-1} \cdots W_1)^\top

        Parameters
        ----------
        gradient : array_like, shape (..., k, d)
            ``G``, the gradient of the loss at the end-to-end matrix.

        Returns
        -------
        tuple of ndarray
            In the shapes of ``weights``.

        Raises
        ------
        TypeError, ValueError
            If `gradient` is not finite or does not have the shape of the end-to-end matrix.
        """
        end_to_end = (*self.weights[0].shape[:-2], self.widths[-1], self.widths[0])
        G = shaped("gradient", gradient, end_to_end)
        return tuple(layer_gradients(self.weights, products_from_below(self.weights), G))

    def imbalance(self) -> Array:
        r"""Return how far the layers are from balanced, 0 where the rule is exact.

        .. math:: \max_j \| W_{j+1}^\top W_{j+1} - W_j W_j^\top \|_F

        Gradient flow conserves each of the matrices.

        Returns
        -------
        ndarray, shape (...)
            One for each lane; 0 for a single layer, infinite where a square is beyond floats.
        """
        with np.errstate(all="ignore"):
            return imbalance(self.weights)


def product(weights: Sequence[Array]) -> Array:
    """Return the end-to-end matrix of layers, or of stacks of them, as an array of its own."""
    return weights[0].copy() if len(weights) == 1 else products_from_below(weights)[-1]


def products_from_below(weights: Sequence[Array]) -> list[Array]:
    """Return the products of the first layer, the first two, and so on to the end-to-end matrix."""
    return list(accumulate(weights, lambda W, above: above @ W))


def imbalance(weights: Sequence[Array]) -> Array:
    """Return `LinearNetwork.imbalance` of layers, or of stacks of them."""
    gaps = [
        np.linalg.norm(_transpose(upper) @ upper - lower @ _transpose(lower), axis=(-2, -1))
        for lower, upper in pairwise(weights)
    ]
    return np.max(gaps, axis=0) if gaps else np.zeros(weights[0].shape[:-2])


def layer_gradients(
    weights: Sequence[Array], below: Sequence[Array], gradient: Array
) -> list[Array]:
    """Return the layers' gradients with 2N products, given their `products_from_below`."""
    gradients, from_above = [], gradient
    for j in range(len(weights) - 1, 0, -1):
        gradients.append(from_above @ _transpose(below[j - 1]))
        from_above = _transpose(weights[j]) @ from_above
    return [from_above, *reversed(gradients)]


def padded(layer: Array, rows: int, columns: int) -> Array:
    """Return `layer` with rows and columns of zeros added up to the given size."""
    more = [(0, 0)] * (layer.ndim - 2)
    return np.pad(layer, [*more, (0, rows - layer.shape[-2]), (0, columns - layer.shape[-1])])


def _transpose(W: Array) -> Array:
    return W.swapaxes(-1, -2)  # in a third of the time of NumPy's function


def near_zero_network(
    widths: Sequence[int], scale: float, *, rng: np.random.Generator | int = 0
) -> LinearNetwork:
    """Return a network with small independent Gaussian weights, as usual in the talk and paper.

    At hidden width 1 the end-to-end matrix starts at about ``scale ** depth``, so deep networks
    start very near the saddle at 0; wider ones start larger (`expected_square`). The imbalance is
    about ``scale ** 2``: small, but no smaller than the layers' own squares.

    Parameters
    ----------
    widths : sequence of int
        ``(d, n_1, ..., k)``, input to output; ``len(widths) - 1`` layers.
    scale : float, standard deviation of each weight, 0 or more
    rng : numpy.random.Generator or int
        A seed gives the same network every time.

    Returns
    -------
    LinearNetwork

    Raises
    ------
    TypeError, ValueError
        If `widths` are not at least two whole numbers of 1 or more, or `scale` is negative.
    """
    return LinearNetwork(_noise(widths, scale, rng))


def identity_network(
    widths: Sequence[int], scale: float = 0.0, *, rng: np.random.Generator | int = 0
) -> LinearNetwork:
    """Return a network whose layers are the identity plus small Gaussian noise.

    A linear residual network: the end-to-end matrix starts near the identity however deep it
    is, so depth does not stall it (talk, "going deeper").

    Parameters
    ----------
    widths : sequence of int
        ``(d, n_1, ..., k)``; where neighbours differ the layer is the rectangular identity.
    scale : float, standard deviation of the noise, 0 or more
    rng : numpy.random.Generator or int, as for `near_zero_network`

    Returns
    -------
    LinearNetwork

    Raises
    ------
    TypeError, ValueError
        If `widths` are not at least two whole numbers of 1 or more, or `scale` is negative.
    """
    return LinearNetwork(tuple(np.eye(*W.shape) + W for W in _noise(widths, scale, rng)))


def _noise(widths: Any, scale: float, rng: np.random.Generator | int) -> tuple[Array, ...]:
    """Return layers of independent Gaussian weights."""
    if isinstance(widths, str) or not _is_sized(widths):
        raise TypeError(f"widths must be a sequence (d, n_1, ..., k); got {brief(widths)}")
    sizes = [whole_number(f"widths[{j}]", width, lower=1) for j, width in enumerate(widths)]
    if len(sizes) < 2:
        raise ValueError(f"widths must hold at least input and output size; got {brief(widths)}")
    numbers = sum(m * n + _LAYER for m, n in pairwise(sizes))
    affordable("widths", widths, numbers=2 * numbers)
    scale, drawn = number("scale", scale, lower=0), generator("rng", rng)
    return tuple(scale * drawn.standard_normal((n, m)) for m, n in pairwise(sizes))


def _is_sized(value: Any) -> bool:
    """Return whether it has a length: an array of one number has none."""
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0


def balanced_network(
    W: ArrayLike, depth: int, *, hidden: int | Sequence[int] | None = None
) -> LinearNetwork:
    r"""Return a network with a given end-to-end matrix and exactly balanced layers.

    From :math:`W = U \Sigma V^\top`: the first layer is :math:`\Sigma^{1/N} V^\top`, the last
    :math:`U \Sigma^{1/N}`, and those between :math:`\Sigma^{1/N}`, padded with zeros to the hidden
    widths. This is the start from which the end-to-end update rule (Theorem 1) holds.

    Parameters
    ----------
    W : array_like, shape (d,) or (..., k, d), end-to-end matrix; a vector is one output
    depth : int, number of layers ``N``, at least 1
    hidden : int or sequence of int, optional
        Width of the hidden layers, or of each; at least ``min(k, d)``, the default.

    Returns
    -------
    LinearNetwork

    Raises
    ------
    TypeError, ValueError
        If `W` is not a finite vector or matrix, or `depth` or `hidden` is out of range.

    Examples
    --------
    >>> network = balanced_network([3.0, 4.0], depth=2, hidden=3)
    >>> network.widths, network.end_to_end_matrix.round(12)
    ((2, 3, 1), array([[3., 4.]]))
    """
    W, depth = finite_array("W", W), whole_number("depth", depth, lower=1)
    if W.ndim < 1:
        raise ValueError(f"W must have shape (d,) or (..., k, d); got {W.shape}")
    W = W[None, :] if W.ndim == 1 else W
    rank = min(W.shape[-2:])
    affordable("depth", depth, numbers=depth * _LAYER)
    if hidden is None or isinstance(hidden, (int, np.integer)):
        hidden = [rank if hidden is None else hidden] * (depth - 1)
    if isinstance(hidden, str) or not _is_sized(hidden):
        raise TypeError(f"hidden must be a whole number or depth - 1 of them; got {brief(hidden)}")
    between = [whole_number("hidden", width, lower=rank) for width in hidden]
    if len(between) != depth - 1:
        raise ValueError(f"hidden must hold depth - 1 = {depth - 1} widths; got {brief(hidden)}")
    sizes = [W.shape[-1], *between, W.shape[-2]]
    numbers = sum(m * n for m, n in pairwise(sizes)) * math.prod(W.shape[:-2])
    blamed = ("hidden", hidden) if max(between, default=0) > rank else ("depth", depth)
    affordable(*blamed, numbers=2 * numbers)
    if depth == 1:
        return LinearNetwork((W,))
    U, sigma, Vt = np.linalg.svd(W, full_matrices=False)
    root = sigma ** (1 / depth)
    first, last = root[..., :, None] * Vt, U * root[..., None, :]
    middle = root[..., :, None] * np.eye(rank)
    layers = [first, *[middle] * (depth - 2), last]
    return LinearNetwork(
        tuple(padded(W, n, m) for W, (m, n) in zip(layers, pairwise(sizes), strict=True))
    )
