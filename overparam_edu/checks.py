"""Checks of arguments, shared by every room.

Each check returns the value as a NumPy array or a plain number, or raises a TypeError or ValueError
that names the argument, the value it got and what is allowed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")

# What one call may take: numbers of 8 bytes at once, which are 2 GB, and seconds.
_NUMBERS, _SECONDS = 2.5e8, 3600.0
# What a whole number may be at most where nothing else is said, as an index can't be larger.
_LARGEST = 2**63


def install(extra: str) -> str:
    """Return what to type where the packages of an extra are missing."""
    return f'pip install "overparam-edu[{extra}]"'


def brief(value: Any) -> str:
    """Return `value` for an error message, cut to one short line."""
    plain = value.item() if isinstance(value, np.generic) else value
    text = " ".join(repr(plain).split())
    return text if len(text) <= 60 else text[:57] + "..."


def finite_array(name: str, value: ArrayLike) -> Array:
    """Return `value` as a float64 array of its own: finite real numbers, not empty."""
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must have no masked entries; got {brief(value)}")
    try:
        raw = np.array(value)  # whoever keeps it does not see later changes of the argument
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array; got {brief(value)}") from None
    if raw.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers; got {brief(value)}")
    with np.errstate(over="ignore"):  # of more than 64 bits, refused below
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
    got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ValueError(f"leading axes must broadcast with each other; got {got}") from None
    affordable("leading axes", got, numbers=math.prod(shape))
    return shape


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
    if upper is None and result > _LARGEST:
        raise ValueError(f"{name} must be at most 2**63; got {brief(value)}")
    if upper is not None and result > upper:
        raise ValueError(f"{name} must be from {lower} to {upper}; got {brief(value)}")
    return result


def whole_numbers(name: str, values: Any, *, lower: int) -> tuple[int, ...]:
    """Return a sequence of one or more integers of at least `lower`."""
    sized = hasattr(values, "__len__") and getattr(values, "ndim", 1) == 1
    if isinstance(values, str) or not sized:
        raise TypeError(f"{name} must be a sequence of whole numbers; got {brief(values)}")
    affordable(name, values, numbers=8 * len(values))
    if not len(values):
        raise ValueError(f"{name} must not be empty; got {brief(values)}")
    return tuple(whole_number(name, value, lower=lower) for value in values)


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


def flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False; a word such as "no" would count as true."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {brief(value)}")
    return bool(value)


def affordable(name: str, value: Any, *, numbers: float = 0, seconds: float = 0) -> None:
    """Refuse what would take more than 2 GB for so many numbers, or more than about an hour."""
    if numbers > _NUMBERS or seconds > _SECONDS:
        large = numbers > _NUMBERS
        amount = f"{numbers / 1.25e8:.3g} GB" if large else f"{seconds / 3600:.3g} hours"
        raise ValueError(
            f"{name} must ask for no more than 2 GB and one hour; got {brief(value)}, which takes "
            f"about {amount}"
        )


def finite_answer(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function refuse arguments for which what it returns is too large for a float."""
    parameters = signature(function).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.name != "self"]

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        with np.errstate(all="ignore"):
            answer: T = function(*args, **kwargs)
        if not all(np.isfinite(array).all() for array in _arrays_in(answer)):
            raise ValueError(
                f"{', '.join(required)} must be of moderate size: what comes out is beyond the "
                "largest float"
            )
        return answer

    return checked


def _arrays_in(value: Any) -> list[Any]:
    if is_dataclass(value) and not isinstance(value, type):
        value = tuple(vars(value).values())
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in _arrays_in(part)]
    return [value] if isinstance(value, np.ndarray | np.number | float) else []


def comparable(kind: type[T]) -> type[T]:
    """Give a class of records with arrays in them an ``==`` that is one answer; NaN equals NaN."""
    for name, method in (("eq", _same), ("ne", _differ), ("hash", _hash)):
        setattr(kind, f"__{name}__", method)
    return kind


def _differ(mine: Any, other: Any) -> bool:
    return not _same(mine, other)


def _hash(mine: Any) -> int:
    return hash(type(mine))


def _same(mine: Any, other: Any) -> bool:
    if type(mine) is not type(other):
        return False
    if isinstance(mine, np.ndarray):
        alike = mine.shape == other.shape and mine.dtype == other.dtype
        return bool(alike and np.array_equal(mine, other, equal_nan=mine.dtype.kind in "fc"))
    if isinstance(mine, dict):
        return mine.keys() == other.keys() and all(_same(mine[key], other[key]) for key in mine)
    if isinstance(mine, (tuple, list)):
        return len(mine) == len(other) and all(map(_same, mine, other))
    if is_dataclass(mine):
        return all(_same(getattr(mine, f.name), getattr(other, f.name)) for f in fields(mine))
    kind: Any = type(mine)
    if kind.__eq__ == _same:
        return _same(mine.__getstate__(), other.__getstate__())
    return bool(mine == other or (mine != mine and other != other))
