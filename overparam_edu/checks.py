"""Checks of arguments, shared by every room.

Each check returns the value as a NumPy array or plain number, or raises an error that names the
argument, the value it got and what is allowed.
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
    """Return `value` as a float64 array, or say that it is not finite numbers.

    Parameters
    ----------
    name : str
        The argument's name, for the error message.
    value : array_like
        Real numbers of any shape.

    Returns
    -------
    ndarray of float64
        A new array, or `value` itself where it already is one.

    Raises
    ------
    TypeError
        If `value` does not consist of real numbers.
    ValueError
        If it is ragged, empty, or holds NaN or infinity.
    """
    try:
        raw = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array; got {brief(value)}") from None
    if raw.dtype == bool or not (
        np.issubdtype(raw.dtype, np.floating) or np.issubdtype(raw.dtype, np.integer)
    ):
        raise TypeError(f"{name} must be real numbers; got {brief(value)}")
    array = raw.astype(np.float64, copy=False)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got an array of shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite; got {brief(value)}")
    return array


def at_least(name: str, value: ArrayLike, lower: float) -> Array:
    """Return `value` as a finite float64 array whose entries are all `lower` or more.

    Raises
    ------
    TypeError, ValueError
        As `finite_array`, or if an entry is below `lower`.
    """
    array = finite_array(name, value)
    if np.any(array < lower):
        raise ValueError(f"{name} must be at least {lower:g}; got {brief(value)}")
    return array


def positive(name: str, value: ArrayLike) -> Array:
    """Return `value` as a finite float64 array whose entries are all above 0.

    Raises
    ------
    TypeError, ValueError
        As `finite_array`, or if an entry is 0 or less.
    """
    array = finite_array(name, value)
    if np.any(array <= 0):
        raise ValueError(f"{name} must be positive; got {brief(value)}")
    return array


def number(name: str, value: Any, *, lower: float = -math.inf, upper: float = math.inf) -> float:
    """Return `value` as a finite float in [`lower`, `upper`].

    Raises
    ------
    TypeError
        If `value` is not a single real number.
    ValueError
        If it is not finite or out of range.
    """
    array = finite_array(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be a single number; got {brief(value)}")
    if not lower <= array <= upper:
        raise ValueError(f"{name} must be in [{lower:g}, {upper:g}]; got {brief(value)}")
    return float(array)


def whole_number(name: str, value: Any, *, lower: int) -> int:
    """Return `value` as an int of at least `lower`.

    Raises
    ------
    TypeError
        If `value` is not an integer.
    ValueError
        If it is below `lower`.
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a whole number; got {brief(value)}")
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; got {brief(value)}") from None
    if result < lower:
        raise ValueError(f"{name} must be at least {lower}; got {brief(value)}")
    return result


def generator(name: str, value: Any) -> np.random.Generator:
    """Return `value` if it is a random generator, or the one that it is the seed of.

    Raises
    ------
    ValueError
        If it is neither a generator nor a seed.
    """
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a Generator or a seed of 0 or more; got {brief(value)}"
        ) from None


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of the `allowed` words.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise ValueError(f"{name} must be one of {words}; got {brief(value)}")
    return value


def instance(name: str, value: Any, kind: type) -> None:
    """Say so unless `value` is a `kind`.

    Raises
    ------
    TypeError
        If it is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {brief(value)}")
