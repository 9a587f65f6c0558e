"""Many runs, computed where `joblib.parallel_config` says, and kept as they finish."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import brief, flag

Arrays = dict[str, np.ndarray]
Run = Callable[[], Mapping[str, ArrayLike]]

# A progress bar appears when a sweep has taken this long, in seconds.
_PATIENCE = 2.0


def sweep(
    runs: Sequence[Run], *, store: str | Path | None = None, progress: bool | None = None
) -> tuple[Arrays, ...]:
    """Return what independent runs return, in their order.

    A run is called without arguments and returns named arrays of numbers, as `WidthOneRun` does.
    Where `joblib.parallel_config` names a pool or a Dask cluster, runs are computed there, with the
    same numbers bit for bit: a matrix product may round differently in another shape or on more
    threads, so each is computed whole and with one BLAS thread. If runs fail, the first error is
    raised after all others have finished. `store` is a folder that keeps each run as soon as it is
    finished, told apart by what it is made of. It is read with pickle, which can run code: use only
    your own.
    """
    from joblib import Parallel, delayed, hash as fingerprint
    from threadpoolctl import threadpool_limits
    from tqdm.auto import tqdm

    if progress is not None:
        flag("progress", progress)
    runs = tuple(runs)
    for run in runs:
        if not callable(run):
            raise TypeError(f"runs must be callable without arguments; got {brief(run)}")
        try:
            fingerprint(run if store is not None else None)
        except Exception as problem:
            raise TypeError(
                "runs must be made of functions of a module, dataclasses, numbers, words, arrays "
                f"and containers of these, to be stored; got {brief(run)}"
            ) from problem
    kept = _memory(store)
    results = [_stored(kept, run) for run in runs]
    missing = [i for i, result in enumerate(results) if result is None]
    failures: list[tuple[Run, Exception]] = []
    bar = tqdm(
        total=len(runs),
        initial=len(runs) - len(missing),
        unit="run",
        leave=False,
        delay=0.0 if progress else _PATIENCE,
        disable=progress is False,
    )
    with bar, threadpool_limits(limits=1, user_api="blas"):
        tasks = (delayed(_compute)(i, runs[i]) for i in missing)
        for i, found in Parallel(return_as="generator_unordered")(tasks):
            bar.update()
            if isinstance(found, Exception):
                failures.append((runs[i], found))
            else:
                results[i] = found
                kept.call(runs[i], found)
    if failures:
        run, first = failures[0]
        first.add_note(f"{len(failures)} of {len(missing)} runs failed, the first: {brief(run)}")
        raise first
    return tuple(result for result in results if result is not None)


def _compute(i: int, run: Run) -> tuple[int, Arrays | Exception]:
    """Compute a run in whatever process or thread this is called; return what it raises."""
    from threadpoolctl import threadpool_limits

    # The limit belongs to the process and is not lifted here: where runs overlap in threads, the
    # first to end must not lift it for the others.
    threadpool_limits(limits=1, user_api="blas")
    try:
        return i, _arrays(run())
    except Exception as error:
        return i, error


def _arrays(result: Any) -> Arrays:
    """Return a run's result as arrays, or refuse it."""
    if not isinstance(result, Mapping):
        raise TypeError(f"a run must return a mapping from names to arrays; got {brief(result)}")
    arrays = {name: np.asarray(value) for name, value in result.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be an array of numbers; got dtype {array.dtype}")
    return arrays


def _keep(run: Run, result: Arrays) -> Arrays:
    """Return `result`, which `joblib.Memory` then keeps under its run."""
    return result


def _memory(store: str | Path | None) -> Any:
    """Return `_keep` with the memory of a folder, or without one."""
    from joblib import Memory

    folder = None
    if store is not None:
        try:
            place = Path(store).expanduser()
            place.mkdir(parents=True, exist_ok=True)
        except (OSError, TypeError, ValueError) as problem:
            raise ValueError(f"store must be a folder; got {store!s}: {problem}") from problem
        folder = str(place)  # to joblib a Path is another place than its str
    # Compressed, since that comes with a checksum.
    return Memory(folder, compress=True, verbose=0).cache(_keep, ignore=["result"])


def _stored(kept: Any, run: Run) -> Arrays | None:
    """Return the stored result of a run; None where there is none, or a damaged one."""
    if not kept.check_call_in_cache(run, None):
        return None
    try:
        return _arrays(kept.call_and_shelve(run, None).get())
    except Exception:
        warnings.warn(
            f"a finished run in {kept.store_backend.location} is damaged: it is computed again",
            stacklevel=3,
        )
        return None
