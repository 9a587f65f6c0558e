"""How it moves in the limit: gradient flow, integrated by SciPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, _shown, at_least, finite_array, number
from overparam_edu.dynamics.descent import end_to_end_field, layer_field, parameter_shape
from overparam_edu.dynamics.linear_network import LinearNetwork, _product
from overparam_edu.dynamics.losses import SupportsGradient
from overparam_edu.dynamics.recording import as_trajectory
from overparam_edu.dynamics.trajectory import Trajectory


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
    loss : Loss
        Of a vector (d,) or of a matrix (k, d).
    start : array_like, shape loss.shape, or LinearNetwork
        An end-to-end parameter, which needs `depth`, or layers, which bring their own.
    depth : float, optional
        ``N``, at least 1; whole for a matrix. 1 if not given.
    times : array_like, shape (records,)
        Increasing, 0 or later: after ``t`` steps of rate ``eta`` compare with time ``eta t``.
    weight_decay : float
        :math:`\lambda` on every layer, 0 or more.
    rtol : float
        Relative tolerance of SciPy's DOP853.

    Returns
    -------
    Trajectory
        One lane; ``steps`` counts the records.

    Raises
    ------
    TypeError, ValueError
        If the arguments are out of range or do not fit.

    Examples
    --------
    >>> from overparam_edu import SeparableLp
    >>> flow = gradient_flow(SeparableLp([1.0], p=2), [0.0], times=[0.0, 1.0])
    >>> bool(abs(flow.points[-1, 0] - (1 - np.exp(-1))) < 1e-10)
    True
    """
    shape = parameter_shape(loss)
    times = at_least("times", times, 0)
    if times.ndim != 1 or np.any(np.diff(times) <= 0):
        raise ValueError(
            f"times must be increasing, of shape (records,); got {_shown(times.tolist())}"
        )
    rtol = number("rtol", rtol, lower=1e-13, upper=1e-2)
    if isinstance(start, LinearNetwork):
        if depth is not None:
            raise ValueError(f"depth must be left out with a network; got {_shown(depth)}")
        layers, field = layer_field(start, loss, weight_decay=weight_decay)
        if layers[0].ndim != 2:
            raise ValueError(f"start must be one network; got lanes {layers[0].shape[:-2]}")
        weights = _integrate(field, layers, times, rtol)
        points, N = _product(weights).reshape(len(times), *shape), float(start.depth)
        recorded: tuple[Array, ...] | None = tuple(weights)
    else:
        N = 1.0 if depth is None else number("depth", depth, lower=1)
        w = finite_array("start", start)
        if w.shape != shape:
            raise ValueError(f"start must have shape {shape}; got {w.shape}")
        along = end_to_end_field(loss, N, weight_decay=weight_decay)
        (points,) = _integrate(lambda state: [along(state[0])], [w], times, rtol)
        recorded = None
    return as_trajectory(
        loss,
        points,
        np.arange(len(times)),
        np.array(-1),
        times=times,
        depth=N,
        weights=recorded,
    )


def _integrate(
    field: Callable[[Sequence[Array]], Sequence[Array]],
    start: Sequence[Array],
    times: Array,
    rtol: float,
) -> list[Array]:
    """Integrate ``-field`` with SciPy; records past the end of a flow that blows up are NaN."""
    from scipy.integrate import solve_ivp

    ends = np.cumsum([part.size for part in start])[:-1]

    def unpacked(flat: Array) -> list[Array]:
        pieces = np.split(flat, ends, axis=-1)
        return [
            piece.reshape(flat.shape[:-1] + part.shape)
            for piece, part in zip(pieces, start, strict=True)
        ]

    def velocity(_: float, flat: Array) -> Array:
        return -np.concatenate([part.ravel() for part in field(unpacked(flat))])

    flat = np.concatenate([part.ravel() for part in start])
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
