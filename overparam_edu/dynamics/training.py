"""How it moves: by the end-to-end rule, by training the layers, and in the limit of gradient flow.

`descend` and `train` run all lanes in one loop; `gradient_flow` leaves the integration to SciPy.
Each returns a `Trajectory`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overparam_edu.checks import (
    Array,
    affordable,
    at_least,
    brief,
    broadcast,
    comparable,
    finite_array,
    flag,
    instance,
    number,
    shaped,
    whole_number,
)
from overparam_edu.dynamics.losses import SupportsGradient, parameter_shape, unchecked
from overparam_edu.dynamics.networks import (
    LinearNetwork,
    imbalance,
    layer_gradients,
    product,
    products_from_below,
)
from overparam_edu.dynamics.optimizers import Optimizer
from overparam_edu.dynamics.rule import checked_depth, update_rule

Steps = NDArray[np.int64]
State = list[Array]

# Steps between looks at whether a lane has left the finite range: it never comes back.
_STRIDE = 64
# Residuals computed at once while losses are computed from recorded points: few enough for the
# processor's cache, which is three times as fast as memory.
_BLOCK = 16_384
# A progress bar appears when a run has taken this long, in seconds.
_PATIENCE = 2.0
# Evaluations of the field along a flow; the lessons' flows take a few thousand.
_PATIENT = 200_000


@comparable
@dataclass(frozen=True, eq=False)
class Trajectory:
    """The recorded points of one run, or of many lanes that ran side by side.

    The first axis is time; lanes follow; the parameter's own axes come last.

    Attributes
    ----------
    points : ndarray (records, *lanes, *shape), end-to-end parameters; NaN once a lane has diverged
    losses : ndarray (records, *lanes), NaN likewise
    steps : ndarray of int (records,), the step of each record; 0 is the start
    times : ndarray (records, *lanes), steps times learning rate, or the flow's own time
    diverged_at : ndarray of int (*lanes,)
        First step outside the finite range, or -1. A loss that overflows while its parameter is
        still finite is noticed at the next record.
    depth : ndarray (*lanes,), ``N`` of each lane
    weights : tuple of ndarray (records, *lanes, n_j, n_{j-1}), the layers; None without real layers
    """

    points: Array
    losses: Array
    steps: Steps
    times: Array
    diverged_at: Steps
    depth: Array
    weights: tuple[Array, ...] | None = None

    def __repr__(self) -> str:
        lanes = self.losses.shape[1:]
        head = f"Trajectory({self.steps[-1]} steps, lanes {lanes}, {len(self.steps)} records"
        diverged = self.diverged_at[self.diverged_at >= 0]
        if not diverged.size:
            return head + ")"
        return f"{head}; {diverged.size} diverged, the first at step {diverged.min()})"

    def steps_to(self, loss: ArrayLike) -> Array:
        """Return the first recorded step at which the loss is at most `loss`.

        Parameters
        ----------
        loss : array_like, shape (*lanes,), the level to reach

        Returns
        -------
        ndarray, shape (*lanes,)
            Steps as floats, infinity where the level is not reached.

        Raises
        ------
        TypeError, ValueError
            If `loss` is not finite numbers or does not fit the lanes.
        """
        level, lanes = finite_array("loss", loss), self.losses.shape[1:]
        try:
            reached = self.losses <= np.broadcast_to(level, lanes)
        except ValueError:
            raise ValueError(
                f"loss must broadcast to the lanes {lanes}; got shape {level.shape}"
            ) from None
        first = self.steps[np.argmax(reached, axis=0)].astype(float)
        return np.where(reached.any(axis=0), first, np.inf)

    def imbalance(self) -> Array:
        """Return the imbalance of the layers at each record, as `LinearNetwork.imbalance`.

        Returns
        -------
        ndarray, shape (records, *lanes)

        Raises
        ------
        ValueError
            If the run was of the end-to-end rule, which has no layers.
        """
        with np.errstate(over="ignore"):
            return imbalance(self._layers())

    def network(self, record: int = -1) -> LinearNetwork:
        """Return the network at a record.

        Parameters
        ----------
        record : int, index into ``steps``; the last one if not given

        Returns
        -------
        LinearNetwork

        Raises
        ------
        TypeError, ValueError
            If the run was of the end-to-end rule, the network had diverged by then, or there is
            no such record.
        """
        layers, count = self._layers(), len(self.steps)
        if whole_number("record", record, lower=-count) >= count:
            raise ValueError(f"record must be below {count}; got {record!r}")
        return LinearNetwork(tuple(W[record] for W in layers))

    def _layers(self) -> tuple[Array, ...]:
        if self.weights is None:
            raise ValueError("weights are recorded by train, not by the end-to-end rule")
        return self.weights


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
    (Theorem 1 and Claim 2 of the paper). Weight decay :math:`\lambda` adds :math:`\lambda N w` to
    :math:`F_N`, as in Theorem 1. A lane that leaves the finite range stops alone, keeps what it
    had, and says at which step.

    Parameters
    ----------
    loss : Loss of a vector (d,) or a matrix (k, d)
    start : array_like, shape (*lanes, *loss.shape)
        Where the end-to-end parameter starts. At exactly 0 nothing moves for depth > 1.
    depth : array_like, shape (*lanes,)
        ``N``: real and at least 1 for a vector, whole for a matrix.
    optimizer : Optimizer
        Its learning rate may be an array (*lanes,). Others than gradient descent take :math:`F_N`
        for the gradient, which is not the same as training layers with them.
    steps : int, number of steps, 0 or more
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

    Examples
    --------
    >>> from overparam_edu import GradientDescent, SeparableLp
    >>> run = descend(SeparableLp((1.0, 0.1)), [0.01, 0.01], depth=[1, 2, 3],
    ...               optimizer=GradientDescent(0.1), steps=100)
    >>> run.points.shape, run.losses.shape
    ((101, 3, 2), (101, 3))
    """
    shape = parameter_shape(loss)
    axes = len(shape)
    start, depth = shaped("start", start, shape, batched=True), checked_depth(depth, axes)
    instance("optimizer", optimizer, Optimizer)
    rate = np.asarray(optimizer.learning_rate)
    lanes = broadcast(start=start.shape[:-axes], depth=depth.shape, learning_rate=rate.shape)
    kept = _kept_steps(record, steps, loss, math.prod(lanes), math.prod(shape))
    # One flat axis of lanes makes NumPy's inner loops long.
    count = (int(np.prod(lanes)),) if lanes else ()
    flat_depth, flat_rate = (np.broadcast_to(x, lanes).reshape(count) for x in (depth, rate))
    field = _rule_field(loss, flat_depth, weight_decay)
    w = np.broadcast_to(start, (*lanes, *shape)).reshape(*count, *shape)
    w = _lanes_innermost(w, axes)
    full_rate = _lanes_innermost(np.broadcast_to(_spread(flat_rate, axes), w.shape), axes)
    optimizer = replace(optimizer, learning_rate=full_rate)

    def step(state: State, memory: Any) -> tuple[State, Any]:
        (w,) = state
        move, memory = optimizer.step(field(w), memory)
        return [w - move], memory

    (points,), diverged_at = _iterate(step, [w], optimizer.start(w), kept, count, progress)
    points, diverged_at = points.reshape(len(kept), *lanes, *shape), diverged_at.reshape(lanes)
    times = np.broadcast_to(_spread(kept, len(lanes)) * rate, (len(kept), *lanes))
    return _trajectory(loss, points, kept, diverged_at, times=times, depth=depth)


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
    loss : Loss of the end-to-end matrix (k, d), or of a vector (d,) if there is one output
    optimizer : Optimizer
        Acts on each layer. Its learning rate may be an array (*lanes,).
    steps, record : int, or sequence of int for `record`, as for `descend`
    weight_decay, progress : float and optional bool, as for `descend`

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
    >>> network = balanced_network([0.01, 0.01], depth=2)
    >>> train(network, SeparableLp((1.0, 0.1)), optimizer=GradientDescent(0.1), steps=100)
    Trajectory(100 steps, lanes (), 101 records)
    """
    field = _layer_field(network, loss, weight_decay)
    instance("optimizer", optimizer, Optimizer)
    rate = np.asarray(optimizer.learning_rate)
    lanes = broadcast(network=network.weights[0].shape[:-2], learning_rate=rate.shape)
    size = sum(math.prod(W.shape[-2:]) for W in network.weights) + math.prod(loss.shape)
    kept = _kept_steps(record, steps, loss, math.prod(lanes), size)
    optimizer = replace(optimizer, learning_rate=_spread(rate, 2))

    def step(layers: State, memories: list[Any]) -> tuple[State, list[Any]]:
        moves = [optimizer.step(*pair) for pair in zip(field(layers), memories, strict=True)]
        moved = [W - move for W, (move, _) in zip(layers, moves, strict=True)]
        return moved, [memory for _, memory in moves]

    layers = [np.broadcast_to(W, (*lanes, *W.shape[-2:])).copy() for W in network.weights]
    memories = [optimizer.start(W) for W in layers]
    recorded, diverged_at = _iterate(step, layers, memories, kept, lanes, progress)
    with np.errstate(all="ignore"):
        points = product(recorded).reshape(len(kept), *lanes, *loss.shape)
    times = np.broadcast_to(_spread(kept, len(lanes)) * rate, (len(kept), *lanes))
    return _trajectory(
        loss, points, kept, diverged_at, times=times, depth=network.depth, weights=recorded
    )


def gradient_flow(
    loss: SupportsGradient,
    start: ArrayLike | LinearNetwork,
    *,
    depth: float | None = None,
    times: ArrayLike,
    weight_decay: float = 0.0,
    rtol: float = 1e-11,
) -> Trajectory:
    r"""Follow gradient flow, the limit of gradient descent as the learning rate goes to 0.

    From an end-to-end parameter it integrates :math:`\dot w = -F_N(w)`; from a network,
    :math:`\dot W_j = -\partial L / \partial W_j` (paper, section 5).

    Parameters
    ----------
    loss : Loss of a vector (d,) or a matrix (k, d)
    start : array_like, shape loss.shape, or LinearNetwork
        An end-to-end parameter, which needs `depth`, or layers, which bring their own.
    depth : float, optional
        ``N``, at least 1; whole for a matrix. 1 if not given.
    times : array_like, shape (records,)
        Increasing, 0 or later: after ``t`` steps of rate ``eta`` compare with time ``eta t``.
    weight_decay : float
        :math:`\lambda` on every layer, 0 or more.
    rtol : float, relative tolerance of SciPy's DOP853

    Returns
    -------
    Trajectory
        One lane; ``steps`` counts the records.

    Raises
    ------
    TypeError, ValueError
        If the arguments are out of range or do not fit, or the flow is so much faster in some
        directions than its `times` are long that it would take hours to follow.
    """
    shape = parameter_shape(loss)
    times = at_least("times", times, 0)
    if times.ndim != 1 or np.any(np.diff(times) <= 0):
        raise ValueError(
            f"times must be increasing, of shape (records,); got {brief(times.tolist())}"
        )
    rtol = number("rtol", rtol, lower=1e-13, upper=1e-2)
    affordable("times", times.shape, numbers=times.size * math.prod(shape))
    decay = number("weight_decay", weight_decay, lower=0)
    if decay * times[-1] > _PATIENT:  # an explicit method takes steps of a few over the decay
        raise ValueError(
            f"weight_decay must be at most {_PATIENT:,} over the last of times; got {decay:g}"
        )
    weights: State | None = None
    if isinstance(start, LinearNetwork):
        if depth is not None:
            raise ValueError(f"depth must be left out with a network; got {brief(depth)}")
        if start.weights[0].ndim != 2:
            raise ValueError(f"start must be one network; got lanes {start.weights[0].shape[:-2]}")
        N: ArrayLike = start.depth
        weights = _integrate(_layer_field(start, loss, weight_decay), start.weights, times, rtol)
        points = product(weights).reshape(len(times), *shape)
    else:
        N = checked_depth(1.0 if depth is None else number("depth", depth), len(shape))
        field = _rule_field(loss, N, weight_decay)
        w = shaped("start", start, shape)
        (points,) = _integrate(lambda state: [field(state[0])], [w], times, rtol)
    return _trajectory(
        loss, points, np.arange(len(times)), np.array(-1), times=times, depth=N, weights=weights
    )


def _rule_field(
    loss: SupportsGradient, depth: Array, weight_decay: float
) -> Callable[[Array], Array]:
    """Return the function ``w -> F_N(w) + weight_decay N w`` that the rule descends along."""
    decay, axes = number("weight_decay", weight_decay, lower=0), len(loss.shape)
    direction, gradient = update_rule(depth, axes), unchecked(loss)[1]
    if not decay:
        return lambda w: direction(w, gradient(w))
    pull = decay * _spread(depth, axes)
    return lambda w: direction(w, gradient(w)) + pull * w


def _layer_field(
    network: LinearNetwork, loss: SupportsGradient, weight_decay: float
) -> Callable[[Sequence[Array]], State]:
    """Return the function from layers to the direction that each descends along."""
    shape = parameter_shape(loss)
    decay = number("weight_decay", weight_decay, lower=0)
    instance("network", network, LinearNetwork)
    matrix = (1, *shape) if len(shape) == 1 else shape
    if (network.widths[-1], network.widths[0]) != matrix:
        raise ValueError(
            f"network must have {matrix[1]} inputs and {matrix[0]} outputs, as the loss has "
            f"shape {shape}; got widths {network.widths}"
        )
    gradient = unchecked(loss)[1]

    def field(layers: Sequence[Array]) -> State:
        below = products_from_below(layers)
        W = below[-1]
        G = gradient(W.reshape(W.shape[:-2] + shape)).reshape(W.shape)
        gradients = layer_gradients(layers, below, G)
        if not decay:
            return gradients
        return [slope + decay * layer for slope, layer in zip(gradients, layers, strict=True)]

    return field


def _kept_steps(
    record: int | Sequence[int], steps: int, loss: SupportsGradient, lanes: int, size: int
) -> Steps:
    """Return the steps to record, increasing, from 0 to `steps`, of lanes of so many numbers."""
    steps, examples = whole_number("steps", steps, lower=0), np.size(getattr(loss, "X", ()))
    # At the least: NumPy's calls, and what a processor adds and multiplies.
    affordable("steps", steps, seconds=steps * (5e-6 + 1e-10 * lanes * (10 * size + examples)))
    if isinstance(record, (int, np.integer)):
        every = whole_number("record", record, lower=1)
        affordable("steps", steps, numbers=(steps // every + 2) * (lanes * (size + 2) + 1))
        return np.unique(np.append(np.arange(0, steps + 1, every), steps))
    kept = finite_array("record", record)
    if kept.ndim != 1 or np.any(kept != np.floor(kept)) or np.any((kept < 0) | (kept > steps)):
        raise ValueError(f"record must be steps from 0 to {steps}; got {brief(record)}")
    affordable("record", record, numbers=kept.size * (lanes * (size + 2) + 1))
    return np.unique(kept.astype(np.int64))


def _spread(value: NDArray[Any], axes: int) -> NDArray[Any]:
    """Return `value` with so many unit axes added, over which it broadcasts."""
    return value.reshape(value.shape + (1,) * axes)


def _lanes_innermost(w: Array, axes: int) -> Array:
    """Return a copy with lanes contiguous in memory, which makes NumPy three times as fast."""
    own = tuple(range(-axes, 0))
    first = np.moveaxis(w, own, range(axes)).copy()
    return np.moveaxis(first, range(axes), own)


def _iterate(
    step: Callable[[State, Any], tuple[State, Any]],
    state: State,
    memory: Any,
    kept: Steps,
    lanes: tuple[int, ...],
    progress: bool | None,
) -> tuple[State, Steps]:
    """Iterate `step` and return the states at the `kept` steps, and where lanes diverged."""
    progress = None if progress is None else flag("progress", progress)
    records = [_room_for(len(kept), part) for part in state]
    diverged_at = np.full(lanes, -1, dtype=np.int64)
    moments = kept.tolist()
    bar, began, t, written, last = None, time.perf_counter(), 0, 0, moments[-1]
    block = [state]
    with np.errstate(all="ignore"):
        while True:
            alive = _finite(block[-1], len(lanes))
            if not alive.all():
                for at, past in enumerate(block, start=t - len(block) + 1):
                    diverged_at[~_finite(past, len(lanes)) & (diverged_at < 0)] = at
            until = int(np.searchsorted(kept, t, side="right"))
            for i in range(written, until):
                for record, part in zip(records, block[moments[i] - t - 1], strict=True):
                    record[i] = part
            written = until
            if t == last or not alive.any():
                break
            state, block = block[-1], []
            for _ in range(min(_STRIDE, last - t)):
                state, memory = step(state, memory)
                block.append(state)
            t += len(block)
            late = t < last and time.perf_counter() - began > _PATIENCE
            if bar is None and (late if progress is None else progress):
                from tqdm.auto import tqdm

                bar = tqdm(total=last, unit="step", leave=False)
            if bar is not None:
                bar.update(t - bar.n)
    if bar is not None:
        bar.close()
    _blank(records, kept, diverged_at)
    return records, diverged_at


def _room_for(count: int, part: Array) -> Array:
    """Return an empty array of `count` records of `part`, in its order of axes in memory."""
    order = np.argsort([-stride for stride in part.strides], kind="stable")
    room = np.empty((count, *np.take(part.shape, order).astype(int)))
    return np.moveaxis(room, range(1, 1 + part.ndim), 1 + order)


def _finite(state: State, lane_axes: int) -> NDArray[np.bool_]:
    """Return for each lane whether every number of its state is finite."""
    finite = [np.isfinite(part).all(axis=tuple(range(lane_axes, part.ndim))) for part in state]
    alive: NDArray[np.bool_] = np.logical_and.reduce(finite)
    return alive


def _gone(kept: Steps, diverged_at: Steps) -> NDArray[np.bool_]:
    """Return whether a lane had diverged at a record, (records, *lanes)."""
    gone: NDArray[np.bool_] = _spread(kept, diverged_at.ndim) >= diverged_at
    return gone & (diverged_at >= 0)


def _blank(records: Sequence[Array], kept: Steps, diverged_at: Steps) -> None:
    """Set records to NaN from the step at which their lane diverged."""
    if np.any(diverged_at >= 0):
        gone = _gone(kept, diverged_at)
        for record in records:
            record[gone] = np.nan


def _trajectory(
    loss: SupportsGradient,
    points: Array,
    kept: Steps,
    diverged_at: Steps,
    *,
    times: Array,
    depth: ArrayLike,
    weights: State | None = None,
) -> Trajectory:
    """Return the records as a `Trajectory`; a lane also diverges where its loss overflows."""
    lanes = diverged_at.shape
    # The loss of some records at a time, to spare memory.
    examples = len(getattr(loss, "X", ())) or 1
    size = max(1, _BLOCK // max(1, int(np.prod(lanes)) * examples))
    value, _ = unchecked(loss)
    with np.errstate(all="ignore"):
        pieces = [value(points[i : i + size]) for i in range(0, len(points), size)]
    losses = np.concatenate(pieces).astype(float, copy=False)
    lost = ~np.isfinite(losses)
    if lost.any():
        lost &= ~_gone(kept, diverged_at)
        diverged_at = np.where(lost.any(axis=0), kept[np.argmax(lost, axis=0)], diverged_at)
    _blank([points, losses, *(weights or ())], kept, diverged_at)
    full_depth = np.broadcast_to(np.asarray(depth, float), lanes)
    layers = None if weights is None else tuple(weights)
    return Trajectory(points, losses, kept, times, diverged_at, full_depth, layers)


def _integrate(
    field: Callable[[Sequence[Array]], State], start: Sequence[Array], times: Array, rtol: float
) -> State:
    """Integrate ``-field`` with SciPy; records past the end of a flow that blows up are NaN."""
    from scipy.integrate import solve_ivp

    shapes, ends = [W.shape for W in start], np.cumsum([W.size for W in start])[:-1]

    def unpacked(flat: Array) -> State:
        pairs = zip(np.split(flat, ends, axis=-1), shapes, strict=True)
        return [piece.reshape(flat.shape[:-1] + shape) for piece, shape in pairs]

    asked = 0

    def velocity(_: float, flat: Array) -> Array:
        nonlocal asked
        asked += 1
        if asked > _PATIENT:
            raise ValueError(
                f"times must be short against the fastest motion of loss and weight_decay: after "
                f"{_PATIENT:,} evaluations the flow has not come to {times[-1]:g}"
            )
        return -np.concatenate([W.ravel() for W in field(unpacked(flat))])

    flat = np.concatenate([W.ravel() for W in start])
    states = np.full((len(times), flat.size), np.nan)
    # A start near zero must be resolved too, not lost in the absolute tolerance.
    atol = 1e-3 * rtol * max(float(np.abs(flat).max()), 1e-12)
    states[times == 0] = flat
    with np.errstate(all="ignore"):
        # SciPy would look for a first step for ever if the velocity there is not finite.
        if times[-1] > 0 and np.isfinite(velocity(0.0, flat)).all():
            solution = solve_ivp(
                velocity, (0.0, times[-1]), flat, "DOP853", times, rtol=rtol, atol=atol
            )
            reached = len(solution.t)
            states[:reached] = np.reshape(solution.y, (flat.size, reached)).T
    return unpacked(states)
