"""Many runs, wherever there is room for them: here, on a pool of processes, or on a cluster."""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import brief

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


Run = Callable[[], Mapping[str, ArrayLike]]

# A progress bar appears when a sweep has taken this long, in seconds.
_PATIENCE = 2.0


def sweep(
    runs: Sequence[Run],
    executor: Executor | None = None,
    *,
    store: str | Path | None = None,
    progress: bool | None = None,
) -> tuple[Arrays, ...]:
    """Compute independent runs, and keep each as soon as it is finished.

    Parameters
    ----------
    runs : sequence of callables
        Each is called without arguments and returns a mapping from names to arrays of numbers: a
        frozen dataclass with ``__call__``, or `functools.partial` of a module's function. One
        run is best one vectorised group of lanes, as `WidthOneRun` is.
    executor : concurrent.futures.Executor, optional
        Where to compute: a ``ProcessPoolExecutor``, or ``client.get_executor()`` of Dask's
        distributed. If not given, here, one after the other.
    store : str or Path, optional
        A file for finished runs. A sweep that was stopped, however rudely, goes on from there,
        and ends with the file that it would have written without the stop. Records of other runs
        are kept. One sweep at a time may use a file.
    progress : bool, optional
        Show a progress bar; by default when the sweep takes more than two seconds.

    Returns
    -------
    tuple of dict of str to ndarray
        What each run returned, in the order of `runs`.

    Raises
    ------
    TypeError, ValueError
        If a run is not callable, or with `store` is not made of what identifies it: functions of
        a module, dataclasses, numbers, words, arrays and containers of these; or if `store` is a
        file of another kind.
    Exception
        What a run raised, after all others have finished and been stored.

    Warns
    -----
    UserWarning
        If the store has records that are half-written or damaged: they are computed again.

    Notes
    -----
    The numbers are the same bit for bit whatever computes them. A matrix product may round
    differently in another shape or on more threads, so a run is always computed whole and with
    one BLAS thread. What is left is the processor: another model may round differently.

    Examples
    --------
    >>> from functools import partial
    >>> [float(result["x"]) for result in sweep([partial(dict, x=1.0), partial(dict, x=2.0)])]
    [1.0, 2.0]
    """
    runs = tuple(runs)
    for run in runs:
        if not callable(run):
            raise TypeError(f"runs must be callable without arguments; got {brief(run)}")
    path = None if store is None else Path(store)
    keys = [str(i) if path is None else fingerprint(run) for i, run in enumerate(runs)]
    known = {} if path is None else read_store(path)
    missing = {key: run for key, run in zip(keys, runs, strict=True) if key not in known}
    bar = _progress_bar(progress, len(runs), len(runs) - len(missing))
    with bar, _one_blas_thread:
        for key, text in _finished(missing, executor):
            known[key] = text
            if path is not None:
                append(path, key, text)
            bar.update()
    if path is not None and missing:
        first = dict.fromkeys(keys)
        others = {key: text for key, text in known.items() if key not in first}
        write_store(path, {key: known[key] for key in first} | others)
    return tuple(decode(known[key]) for key in keys)


def fingerprint(run: Any) -> str:
    """Return a name for a run that tells it from every other, the same on every machine.

    Parameters
    ----------
    run : Any
        Functions of a module, `functools.partial`, dataclasses, numbers, words, arrays, and
        containers of these.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        If the run, or something in it, is of another kind.

    Examples
    --------
    >>> fingerprint(partial(dict, x=1.0)) == fingerprint(partial(dict, x=2.0))
    False
    """
    return hashlib.sha256(json.dumps(_described(run), sort_keys=True).encode()).hexdigest()


def _described(value: Any) -> Any:
    """Return `value` in the words of JSON, arrays by their checksum."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return _described(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        digest = hashlib.sha256(little.tobytes()).hexdigest()
        return {"array": digest, "dtype": value.dtype.name, "shape": list(value.shape)}
    if isinstance(value, (list, tuple)):
        return [_described(part) for part in value]
    if isinstance(value, dict):
        return {"mapping": [[_described(k), _described(v)] for k, v in value.items()]}
    if isinstance(value, partial):
        return {"call": _described([value.func, value.args, value.keywords])}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _described(getattr(value, field.name)) for field in fields(value)}
        return {"class": _described(type(value)), "fields": parts}
    name = getattr(value, "__qualname__", "<nameless>")
    if "<" in name or not getattr(value, "__module__", None):
        raise TypeError(
            "runs must be made of functions of a module, dataclasses, numbers, words, arrays "
            f"and containers of these, to be stored; got {brief(value)}"
        )
    return f"{value.__module__}.{name}"


def _finished(runs: Mapping[str, Run], executor: Executor | None) -> Iterator[tuple[str, str]]:
    """Yield the key and the encoded result of each run as it finishes; raise what failed last."""
    failures: list[tuple[Run, Exception]] = []
    if executor is None:
        for key, run in runs.items():
            try:
                yield key, _compute(run)
            except Exception as error:
                failures.append((run, error))
    else:
        futures = {executor.submit(_compute, run): key for key, run in runs.items()}
        try:
            for future in as_completed(futures):
                key = futures[future]
                try:
                    yield key, future.result()
                except Exception as error:
                    failures.append((runs[key], error))
        finally:
            for future in futures:
                future.cancel()
    if failures:
        run, first = failures[0]
        first.add_note(f"{len(failures)} of {len(runs)} runs failed, the first: {brief(run)}")
        raise first


def _compute(run: Run) -> str:
    """Compute a run, in whatever process or thread this is called."""
    with _one_blas_thread:
        return encode(run())


class _OneBlasThread:
    """Holds BLAS to one thread while any run of this process is being computed.

    The limit belongs to the whole process: where runs overlap in several threads, the first to
    come sets it and the last to go lifts it. threadpoolctl may let no other thread lift a limit
    than the one that set it: here that is the sweep itself, around all its runs; in a worker of
    several threads the limit may stay, which harms no numbers.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._limit: Any = None

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            if not self._inside:
                self._limit = threadpool_limits(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()
                self._limit = None


_one_blas_thread = _OneBlasThread()


def _progress_bar(progress: bool | None, total: int, done: int) -> Any:
    from tqdm.auto import tqdm

    delay = 0.0 if progress else _PATIENCE
    return tqdm(
        total=total, initial=done, unit="run", leave=False, delay=delay, disable=progress is False
    )
