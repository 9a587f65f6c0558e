"""Kinks of a loss, at which h jumps along a circle although its slope is 0 on either side."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from overparam_edu._validation import Array
from overparam_edu.derivations.symbolic_loss import SymbolicLoss

# Circles that are looked at, angles on each, and the smallest jump there, relative to h's parts.
_RADII, _ANGLES, _JUMP = (0.31, 0.73, 1.37, 2.9, 6.1), 121, 1e-9
# Half the size of a loop, relative to the radius.
_SMALL = 0.05


def kink_loop(loss: SymbolicLoss, depth: float) -> tuple[Array, tuple[int, int]] | None:
    """Return a loop about a place where h jumps along a circle about 0, or None where none is seen.

    Parameters
    ----------
    loss : SymbolicLoss
        With an h that is radial but for jumps.
    depth : float
        ``N``.

    Returns
    -------
    corners : ndarray, shape (4, d)
        Counter-clockwise; the second and the fourth are on the kink, so that every edge is smooth.
    plane : tuple of int
        The two coordinates, counted from 0, in whose plane the loop lies.

    Examples
    --------
    >>> kink_loop(SymbolicLoss("|w1| + |w2|"), 2) is None
    True
    >>> corners, plane = kink_loop(SymbolicLoss("|w1 - 1|"), 2)
    >>> corners[[1, 3], 0].round(9).tolist(), plane
    ([1.0, 1.0], (0, 1))
    """

    def h(w: Array) -> tuple[Array, Array]:
        along, value = (w * loss.gradient(w)).sum(axis=-1), 2 / depth * loss.value(w)
        return along - value, np.abs(along) + np.abs(value)

    d = len(loss.variables)
    with np.errstate(all="ignore"):
        for radius in _RADII:
            for i in range(d - 1):

                def on(size: float, angle: Array, i: int = i) -> Array:
                    w = np.full((*np.shape(angle), d), 0.37)
                    w[..., i], w[..., i + 1] = size * np.cos(angle), size * np.sin(angle)
                    return w

                found = _crossing(h, on, radius)
                if found is not None:
                    return found, (i, i + 1)
    return None


def _crossing(
    h: Callable[[Array], tuple[Array, Array]], on: Callable[[float, Array], Array], radius: float
) -> Array | None:
    """Return the loop about the first jump of h on a circle, if it can be followed outwards."""
    angles = 0.1 + np.linspace(0, 2 * math.pi, _ANGLES)
    values, sizes = h(on(radius, angles))
    finite = np.isfinite(values)
    scale = float(sizes[finite].max(initial=0.0))
    for k in np.flatnonzero(np.abs(np.diff(values)) > _JUMP * scale):
        ends = []
        for size in ((1 - _SMALL) * radius, (1 + _SMALL) * radius):
            low, high = angles[k] - _SMALL / 2, angles[k + 1] + _SMALL / 2
            first, last = (float(h(on(size, np.array(a)))[0]) for a in (low, high))
            if not abs(first - last) > _JUMP * scale:
                break
            for _ in range(60):
                middle = (low + high) / 2
                here = float(h(on(size, np.array(middle)))[0])
                if abs(here - first) > abs(here - last):
                    high = middle
                else:
                    low = middle
            ends.append(on(size, np.array(low)))
        else:
            before, after = (on(radius, np.array(low + by)) for by in (-2 * _SMALL, 2 * _SMALL))
            return np.stack([before, ends[1], after, ends[0]])
    return None
