"""Checks of arguments, shared by every room.

Each check returns the value as a NumPy array or a plain number, or raises a TypeError or ValueError
that names the argument, the value it got and what is allowed.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def brief(value: Any) -> str:
    """Return `value` for an error message, cut to one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def finite_array(name: str, value: ArrayLike) -> Array:
    """Return `value` as a float64 array of its own: finite real numbers, not empty."""
    try:
        raw = np.array(value)  # whoever keeps it does not see later changes of the argument
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array; got {brief(value)}") from None
    if raw.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers; got {brief(value)}")
    array = raw.astype(np.float64, copy=False)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got an array of shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite; got {brief(value)}")
    return array


def shaped(name: str, value: ArrayLike, shape: tuple[int, ...], *, batched: bool = False) -> Array:
    """Return `value` as a finite array of this shape; leading axes may precede it if `batched`."""
    array = finite_array(name, value)
    own = array.shape[max(0, array.ndim - len(shape)) :] if batched else array.shape
    if own != shape:
        allowed = f"(..., {str(shape)[1:-1].rstrip(',')})" if batched else shape
        raise ValueError(f"{name} must have shape {allowed}; got {array.shape}")
    return array


def broadcast(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape to which the arguments' leading axes, given by name, broadcast."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"leading axes must broadcast with each other; got {got}") from None


def at_least(name: str, value: ArrayLike, lower: float) -> Array:
    """Return `value` as a finite float64 array whose entries are all `lower` or more."""
    array = finite_array(name, value)
    if np.any(array < lower):
        raise ValueError(f"{name} must be at least {lower:g}; got {brief(value)}")
    return array


def positive(name: str, value: ArrayLike) -> Array:
    """Return `value` as a finite float64 array whose entries are all above 0."""
    array = finite_array(name, value)
    if np.any(array <= 0):
        raise ValueError(f"{name} must be positive; got {brief(value)}")
    return array


def number(name: str, value: Any, *, lower: float = -math.inf, upper: float = math.inf) -> float:
    """Return `value` as a finite float in [`lower`, `upper`]."""
    array = finite_array(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be a single number; got {brief(value)}")
    if not lower <= array <= upper:
        raise ValueError(f"{name} must be in [{lower:g}, {upper:g}]; got {brief(value)}")
    return float(array)


def whole_number(name: str, value: Any, *, lower: int, upper: int | None = None) -> int:
    """Return `value`, an integer of at least `lower` and at most `upper`, as an int."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; got {brief(value)}") from None
    if result < lower:
        raise ValueError(f"{name} must be at least {lower}; got {brief(value)}")
    if upper is not None and result > upper:
        raise ValueError(f"{name} must be from {lower} to {upper}; got {brief(value)}")
    return result


def generator(name: str, value: Any) -> np.random.Generator:
    """Return `value` if it is a random generator, or the generator with `value` as its seed."""
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a Generator or a seed of 0 or more; got {brief(value)}"
        ) from None


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of the `allowed` words."""
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise ValueError(f"{name} must be one of {words}; got {brief(value)}")
    return value


def instance(name: str, value: Any, kind: type) -> None:
    """Raise a TypeError unless `value` is an instance of `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {brief(value)}")
