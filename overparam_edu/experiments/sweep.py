"""Many runs, wherever there is room for them: here, on a pool of processes, or on a cluster."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import _shown
from overparam_edu.experiments.store import Arrays, append, decode, encode, read_store, write_store

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
            raise TypeError(f"runs must be callable without arguments; got {_shown(run)}")
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
            f"and containers of these, to be stored; got {_shown(value)}"
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
        first.add_note(f"{len(failures)} of {len(runs)} runs failed, the first: {_shown(run)}")
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
