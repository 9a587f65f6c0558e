"""How it moves in steps: `descend` follows the end-to-end rule, `train` the layers themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, _shown, at_least, finite_array, instance, number
from overparam_edu.dynamics.end_to_end import _end_to_end, _single_output, _whole_depth
from overparam_edu.dynamics.linear_network import LinearNetwork, _layer_gradients, _product
from overparam_edu.dynamics.losses import SupportsGradient, unchecked
from overparam_edu.dynamics.optimizers import Optimizer, per_lane
from overparam_edu.dynamics.recording import as_trajectory, kept_steps, run
from overparam_edu.dynamics.trajectory import Trajectory


def descend(
    loss: SupportsGradient,
    start: ArrayLike,
    *,
    depth: ArrayLike = 1,
    optimizer: Optimizer,
    steps: int,
    record: int | Sequence[int] = 1,
    weight_decay: float = 0.0,
    progress: bool | None = None,
) -> Trajectory:
    r"""Minimise a loss by the end-to-end update rule, all lanes in one loop.

    .. math:: w_{t+1} = w_t - \eta\, F_N(w_t)

    with :math:`F_N` of `single_output_direction` or, for a matrix, `end_to_end_direction`
    (Theorem 1 and Claim 2 of the paper). Weight decay :math:`\lambda` adds
    :math:`\lambda N w` to :math:`F_N`, as in the paper's Theorem 1.

    Parameters
    ----------
    loss : Loss
        Of a vector (d,) or of a matrix (k, d).
    start : array_like, shape (*lanes, *loss.shape)
        Where the end-to-end parameter starts. At exactly 0 nothing moves for depth > 1.
    depth : array_like, shape (*lanes,)
        ``N``: real and at least 1 for a vector, whole for a matrix.
    optimizer : Optimizer
        Its learning rate may be an array (*lanes,) too. Anything but gradient descent takes
        :math:`F_N` for the gradient: that is not the same as training layers with it (`train`).
    steps : int
        Number of steps, 0 or more.
    record : int or sequence of int
        Keep every so many steps (and the last), or just these steps.
    weight_decay : float
        :math:`\lambda` on every layer, 0 or more.
    progress : bool, optional
        Show a progress bar; by default when a run takes more than two seconds.

    Returns
    -------
    Trajectory
        Lanes are what `start`, `depth` and the learning rate broadcast to.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range.

    Notes
    -----
    A lane that leaves the finite range stops alone, keeps what it had, and says at which step.

    Examples
    --------
    >>> from overparam_edu import GradientDescent, SeparableLp
    >>> run = descend(SeparableLp((1.0, 0.1)), [0.01, 0.01], depth=[1, 2, 3],
    ...               optimizer=GradientDescent(0.1), steps=100)
    >>> run.points.shape, run.losses.shape
    ((101, 3, 2), (101, 3))
    """
    shape = parameter_shape(loss)
    start = _checked_start(start, shape)
    depth = checked_depth(depth, len(shape))
    optimizer, rate = _checked_optimizer(optimizer)
    kept = kept_steps(record, steps)
    lanes = _lanes(start=start.shape[: start.ndim - len(shape)], depth=depth.shape, rate=rate.shape)
    # One flat axis of lanes makes NumPy's inner loops long.
    count = (int(np.prod(lanes)),) if lanes else ()
    flat_depth, flat_rate = (np.broadcast_to(x, lanes).reshape(count) for x in (depth, rate))
    field = end_to_end_field(loss, flat_depth, weight_decay=weight_decay)
    w = np.broadcast_to(start, (*lanes, *shape)).reshape(*count, *shape)
    w = _lanes_innermost(w, len(shape))
    full_rate = _lanes_innermost(
        np.broadcast_to(per_lane(flat_rate, len(shape)), w.shape), len(shape)
    )
    optimizer = replace(optimizer, learning_rate=full_rate)

    def step(state: list[Array], memory: Any) -> tuple[list[Array], Any]:
        (w,) = state
        move, memory = optimizer.step(field(w), memory)
        return [w - move], memory

    (points,), diverged_at = run(
        step, [w], optimizer.start(w), kept=kept, lanes=count, progress=progress
    )
    return as_trajectory(
        loss,
        points.reshape(len(kept), *lanes, *shape),
        kept,
        diverged_at.reshape(lanes),
        times=_times(kept, rate, lanes),
        depth=depth,
    )


def train(
    network: LinearNetwork,
    loss: SupportsGradient,
    *,
    optimizer: Optimizer,
    steps: int,
    record: int | Sequence[int] = 1,
    weight_decay: float = 0.0,
    progress: bool | None = None,
) -> Trajectory:
    r"""Train the layers of a linear network: what the end-to-end rule is a rule about.

    .. math:: W_j \leftarrow W_j - \eta \Bigl(\frac{\partial L}{\partial W_j} + \lambda W_j\Bigr)

    Parameters
    ----------
    network : LinearNetwork
        Where the layers start; leading axes of its weights are lanes.
    loss : Loss
        Of the end-to-end matrix (k, d), or of a vector (d,) where the network has one output.
    optimizer : Optimizer
        Acts on each layer. Its learning rate may be an array (*lanes,).
    steps : int
        Number of steps, 0 or more.
    record : int or sequence of int
        Keep every so many steps (and the last), or just these steps.
    weight_decay : float
        :math:`\lambda` on every layer, 0 or more.
    progress : bool, optional
        Show a progress bar; by default when a run takes more than two seconds.

    Returns
    -------
    Trajectory
        ``points`` are the end-to-end parameters in the loss's shape, ``weights`` the layers.

    Raises
    ------
    TypeError, ValueError
        If the network and the loss do not fit, or an argument is out of range.

    Examples
    --------
    >>> from overparam_edu import GradientDescent, SeparableLp, balanced_network
    >>> run = train(balanced_network([0.01, 0.01], depth=2), SeparableLp((1.0, 0.1)),
    ...             optimizer=GradientDescent(0.1), steps=100)
    >>> run.points.shape, bool(run.imbalance().max() < 1e-2)
    ((101, 2), True)
    """
    weights, field = layer_field(network, loss, weight_decay=weight_decay)
    optimizer, rate = _checked_optimizer(optimizer)
    optimizer = replace(optimizer, learning_rate=per_lane(rate, 2))
    kept = kept_steps(record, steps)
    lanes = _lanes(network=weights[0].shape[:-2], rate=rate.shape)

    def step(layers: list[Array], memories: list[Any]) -> tuple[list[Array], list[Any]]:
        moves = [optimizer.step(*pair) for pair in zip(field(layers), memories, strict=True)]
        moved = [W - move for W, (move, _) in zip(layers, moves, strict=True)]
        return moved, [memory for _, memory in moves]

    layers = [np.broadcast_to(W, (*lanes, *W.shape[-2:])).copy() for W in weights]
    memories = [optimizer.start(W) for W in layers]
    recorded, diverged_at = run(step, layers, memories, kept=kept, lanes=lanes, progress=progress)
    with np.errstate(all="ignore"):
        points = _product(recorded).reshape(len(kept), *lanes, *loss.shape)
    return as_trajectory(
        loss,
        points,
        kept,
        diverged_at,
        times=_times(kept, rate, lanes),
        depth=network.depth,
        weights=tuple(recorded),
    )


def parameter_shape(loss: SupportsGradient) -> tuple[int, ...]:
    """Return the shape of a loss's parameter, or say what a loss must have."""
    shape = getattr(loss, "shape", None)
    callables = all(callable(getattr(loss, name, None)) for name in ("value", "gradient"))
    if not callables or not isinstance(shape, tuple) or len(shape) not in (1, 2):
        raise TypeError(
            f"loss must have .shape (d,) or (k, d), .value and .gradient; got {_shown(loss)}"
        )
    return shape


def end_to_end_field(
    loss: SupportsGradient, depth: ArrayLike, *, weight_decay: float = 0.0
) -> Callable[[Array], Array]:
    """Return the function ``w -> F_N(w) + weight_decay N w`` that the rule descends along."""
    dimensions = len(parameter_shape(loss))
    decay = number("weight_decay", weight_decay, lower=0)
    N = checked_depth(depth, dimensions)
    direction = _single_output(N) if dimensions == 1 else _end_to_end(N)
    (_, gradient), pull = unchecked(loss), decay * per_lane(N, dimensions)
    if not decay:
        return lambda w: direction(w, gradient(w))
    return lambda w: direction(w, gradient(w)) + pull * w


def layer_field(
    network: LinearNetwork, loss: SupportsGradient, *, weight_decay: float = 0.0
) -> tuple[tuple[Array, ...], Callable[[Sequence[Array]], list[Array]]]:
    """Return a network's layers, and the function from layers to the loss's gradient in each."""
    shape = parameter_shape(loss)
    decay = number("weight_decay", weight_decay, lower=0)
    instance("network", network, LinearNetwork)
    matrix = (1, *shape) if len(shape) == 1 else shape
    if (network.widths[-1], network.widths[0]) != matrix:
        raise ValueError(
            f"network must have {matrix[1]} inputs and {matrix[0]} outputs, as the loss has "
            f"shape {shape}; got widths {network.widths}"
        )
    _, gradient = unchecked(loss)

    def field(layers: Sequence[Array]) -> list[Array]:
        W = _product(layers)
        G = gradient(W.reshape(W.shape[:-2] + shape)).reshape(W.shape)
        gradients = _layer_gradients(layers, G)
        if not decay:
            return list(gradients)
        return [G + decay * W for G, W in zip(gradients, layers, strict=True)]

    return network.weights, field


def checked_depth(depth: ArrayLike, dimensions: int) -> Array:
    """Return the depths of a loss whose parameter has 1 or 2 axes, or say what is allowed."""
    return at_least("depth", depth, 1) if dimensions == 1 else _whole_depth(depth)


def _checked_start(start: ArrayLike, shape: tuple[int, ...]) -> Array:
    array = finite_array("start", start)
    if array.shape[max(0, array.ndim - len(shape)) :] != shape:
        raise ValueError(f"start must have shape (*lanes, *{shape}); got {array.shape}")
    return array


def _checked_optimizer(optimizer: Optimizer) -> tuple[Optimizer, Array]:
    instance("optimizer", optimizer, Optimizer)
    return optimizer, np.asarray(optimizer.learning_rate, float)


def _lanes(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"lanes must broadcast with each other; got {listed}") from None


def _lanes_innermost(w: Array, dimensions: int) -> Array:
    """Return a copy of `w` with the same axes but lanes contiguous in memory.

    NumPy keeps the order through every operation, and its inner loops then run along the many
    lanes instead of the few coordinates: three times as fast for 256 lanes in the plane.
    """
    axes = tuple(range(-dimensions, 0))
    first = np.moveaxis(w, axes, range(dimensions)).copy()
    return np.moveaxis(first, range(dimensions), axes)


def _times(kept: np.ndarray, rate: Array, lanes: tuple[int, ...]) -> Array:
    times: Array = kept.reshape(-1, *[1] * rate.ndim) * rate
    full = times.reshape(len(kept), *[1] * (len(lanes) - rate.ndim), *rate.shape)
    return np.broadcast_to(full, (len(kept), *lanes))
