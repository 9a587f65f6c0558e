"""Finished runs in one file: a record a line, each with a checksum, so that nothing is lost."""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Arrays = dict[str, np.ndarray]

# The first line of every store, by which a file of another kind is told from one.
_HEADER = b'{"store":"overparam_edu runs","format":1}\n'
_CHECK = b'{"check":"%s",'


def encode(result: Mapping[str, ArrayLike]) -> str:
    """Return named arrays as one line of JSON from which `decode` gets back every bit.

    Parameters
    ----------
    result : mapping of str to array_like
        Real numbers or truth values, of any shapes.

    Returns
    -------
    str
        NaN is ``null`` and infinity a string, since JSON has neither.

    Raises
    ------
    TypeError
        If `result` is not a mapping from names to arrays of numbers.

    Examples
    --------
    >>> encode({"losses": [0.5, float("nan")]})
    '{"losses":{"dtype":"float64","shape":[2],"values":[0.5,null]}}'
    """
    if not isinstance(result, Mapping):
        raise TypeError(f"a run must return a mapping from names to arrays; got {result!r:.60}")
    document = {}
    for name, value in result.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{name} must be an array of numbers; got dtype {array.dtype}")
        values = [_plain(number) for number in array.ravel().tolist()]
        document[name] = {
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "values": values,
        }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _plain(number: float | int | bool) -> float | int | bool | str | None:
    if math.isfinite(number):
        return number
    return None if math.isnan(number) else str(number)


def decode(text: str) -> Arrays:
    """Return the arrays that `encode` made `text` of.

    Parameters
    ----------
    text : str
        JSON as `encode` writes it.

    Returns
    -------
    dict of str to ndarray

    Examples
    --------
    >>> decode(encode({"steps": [0, 10]}))["steps"]
    array([ 0, 10])
    """
    return {name: _array(**parts) for name, parts in json.loads(text).items()}


def _array(dtype: str, shape: list[int], values: list[Any]) -> np.ndarray:
    if dtype.startswith("float"):
        values = [math.nan if value is None else float(value) for value in values]
    return np.array(values, dtype=dtype).reshape(shape)


def _line(key: str, text: str) -> bytes:
    rest = f'"run":"{key}","result":{text}}}'.encode()
    return _CHECK % hashlib.sha256(rest).hexdigest().encode() + rest + b"\n"


def _parsed(line: bytes) -> tuple[str, str] | None:
    """Return the key and the result of a line, or None where it is not as it was written."""
    length = len(_CHECK % (b"0" * 64))
    rest = line[length:].removesuffix(b"\n")
    if line[:length] != _CHECK % hashlib.sha256(rest).hexdigest().encode() or line[-1:] != b"\n":
        return None
    key, text = rest.decode().removeprefix('"run":"').split('","result":', maxsplit=1)
    return key, text.removesuffix("}")


def read_store(path: Path) -> dict[str, str]:
    """Return the intact records of a store, and mend a store that has others.

    Parameters
    ----------
    path : Path
        A store, or where there is to be one.

    Returns
    -------
    dict of str to str
        The encoded result of each run, by its key; empty if there is no such file yet.

    Raises
    ------
    ValueError
        If the file is something else than a store: it is left alone.
    OSError
        If it cannot be read or mended.

    Warns
    -----
    UserWarning
        Where records are half-written or changed: how many. They are dropped.
    """
    content = path.read_bytes() if path.exists() else b""
    if content and not content.startswith(_HEADER):
        raise ValueError(f"store must be a file of finished runs or a new one; {path} is neither")
    lines = content[len(_HEADER) :].splitlines(keepends=True)
    found = [_parsed(line) for line in lines]
    records = dict(record for record in found if record is not None)
    damaged = found.count(None)
    if damaged:
        warnings.warn(
            f"{path}: {damaged} of {len(found)} records are half-written or damaged; "
            "what they held is computed again",
            stacklevel=3,
        )
    if damaged or not content:
        write_store(path, records)
    return records


def write_store(path: Path, records: Mapping[str, str]) -> None:
    """Write a store in one stroke: an interruption leaves the old file or the new one.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it is missing.
    records : mapping of str to str
        The encoded result of each run, by its key, in the order of the file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(_HEADER + b"".join(_line(*record) for record in records.items()))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def append(path: Path, key: str, text: str) -> None:
    """Add one record to a store that `read_store` has made sure of.

    Parameters
    ----------
    path : Path
        The store.
    key : str
        Which run it is.
    text : str
        Its encoded result.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with path.open("ab") as file:
        file.write(_line(key, text))
        file.flush()
        os.fsync(file.fileno())
