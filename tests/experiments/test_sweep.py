"""The same bits wherever runs are computed, and nothing lost when they are stopped."""

from __future__ import annotations

import operator
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import threadpoolctl

from overparam_edu.experiments.curves import WidthOneRun
from overparam_edu.experiments.sweep import sweep


def regression_runs(count: int, steps: int = 20) -> list[WidthOneRun]:
    """Return runs of the gas data's shape: matrix products large enough for several threads."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2_565, 128)), rng.standard_normal(2_565)
    rates = tuple(np.geomspace(1e-4, 1e-3, 13).tolist())
    return [
        WidthOneRun(X, y, 4.0, depth, "gradient descent", rates, (0,), (0, steps))
        for depth in range(1, count + 1)
    ]


def bits(results: tuple[dict[str, np.ndarray], ...]) -> list[dict[str, tuple[str, bytes]]]:
    return [{k: (v.dtype.str, v.tobytes()) for k, v in result.items()} for result in results]


# --- the same numbers ---


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_pools_give_the_numbers_of_one_process_bit_for_bit(backend: str) -> None:
    runs = regression_runs(3)
    with joblib.parallel_config(backend, n_jobs=2):
        there = sweep(runs)
    assert bits(there) == bits(sweep(runs))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, at start and end
def test_a_dask_cluster_gives_the_numbers_of_one_process_bit_for_bit(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    runs = regression_runs(4)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, local_directory=tmp_path
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        there = sweep(runs, store=tmp_path / "store")
    assert bits(there) == bits(sweep(runs)) == bits(sweep(runs, store=tmp_path / "store"))
    assert len(stored(tmp_path / "store")) == 4


def blas_threads(pause: float) -> dict[str, int]:
    time.sleep(pause)
    pools = threadpoolctl.threadpool_info()
    return {"most": max(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")}


def test_blas_has_one_thread_until_the_last_run_is_over() -> None:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        # The first run ends long before the last: it must not lift the limit.
        runs = [partial(blas_threads, pause) for pause in (0.0, 0.05, 0.2)]
        with joblib.parallel_config("threading", n_jobs=3):
            assert [int(found["most"]) for found in sweep(runs)] == [1, 1, 1]
        assert blas_threads(0.0) == {"most": 2}


def test_a_lane_alone_agrees_to_rounding_with_itself_in_a_group() -> None:
    (run,) = regression_runs(1, steps=1)
    together = run()["losses"]
    alone = WidthOneRun(run.X, run.y, 4.0, 1, run.optimizer, run.rates[:1], (0,), (0, 1))()
    np.testing.assert_allclose(alone["losses"][:, 0, 0], together[:, 0, 0], rtol=1e-12)


# --- the store ---


def slow_runs() -> list[WidthOneRun]:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((60, 5)), rng.standard_normal(60)
    return [
        WidthOneRun(X, y, 4.0, depth, "gradient descent", (0.01, 0.02), (0, 1), (0, 100, 1_000))
        for depth in range(1, 7)
    ]


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_sweep import slow_runs
from overparam_edu.experiments.sweep import sweep
sweep(slow_runs(), store=sys.argv[1], progress=False)
"""


def stored(folder: Path) -> list[Path]:
    return sorted(folder.rglob("output.pkl"))


def test_a_sweep_killed_half_way_goes_on_and_ends_with_the_same_results(tmp_path, monkeypatch):
    script = SCRIPT.format(folder=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    while len(stored(tmp_path)) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    before, computed = len(stored(tmp_path)), []
    assert 2 <= before < len(slow_runs()), "it was not killed half-way"
    compute = WidthOneRun.__call__
    monkeypatch.setattr(
        WidthOneRun, "__call__", lambda run: computed.append(run.depth) or compute(run)
    )
    resumed = sweep(slow_runs(), store=tmp_path)
    assert computed == list(range(before + 1, 7))
    assert bits(resumed) == bits(sweep(slow_runs(), store=tmp_path)) == bits(sweep(slow_runs()))


class Counted:
    """A run that counts how often it is computed."""

    calls = 0


def counted(x: float) -> dict[str, float]:
    Counted.calls += 1
    return {"x": x}


def number_runs(count: int = 5) -> list[partial]:
    return [partial(counted, float(i)) for i in range(count)]


def test_stored_runs_are_not_computed_again(tmp_path: Path) -> None:
    Counted.calls = 0
    store = str(tmp_path / "a" / "b" / "s")  # made with its folders
    first = sweep(number_runs(3), store=store)
    assert Counted.calls == 3
    assert bits(sweep(number_runs(5)[::-1], store=store))[:1:-1] == bits(first)
    assert Counted.calls == 5
    # Fewer runs than the store has: it keeps the others.
    sweep(number_runs(1), store=store)
    sweep(number_runs(5), store=store)
    assert Counted.calls == 5


@pytest.mark.parametrize("spoil", ["cut", "emptied", "another kind"])
def test_a_damaged_run_is_noticed_and_computed_again(tmp_path: Path, spoil: str) -> None:
    sweep(number_runs(), store=tmp_path)
    damaged = stored(tmp_path)[2]
    whole = damaged.read_bytes()
    damaged.write_bytes({"cut": whole[:-5], "emptied": b""}.get(spoil, b""))
    if spoil == "another kind":
        joblib.dump("my thesis", damaged)
    Counted.calls = 0
    with pytest.warns(UserWarning, match="is damaged: it is computed again"):
        results = sweep(number_runs(), store=tmp_path)
    assert Counted.calls == 1
    assert [float(result["x"]) for result in results] == [0, 1, 2, 3, 4]
    assert damaged.read_bytes() == whole


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_changed_byte_of_a_run_changes_its_result(tmp_path: Path) -> None:
    run = partial(dict, x=np.random.default_rng(0).standard_normal(40))
    expected = bits(sweep([run], store=tmp_path))
    (path,) = stored(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[place] ^= 0x01
        path.write_bytes(bytes(changed))
        assert bits(sweep([run], store=tmp_path)) == expected, place


def test_a_file_is_refused_as_a_store_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(b"my thesis\n")
    with pytest.raises(
        ValueError, match=r"store must be a folder; got .*thesis\.txt: .*File exists"
    ):
        sweep(number_runs(), store=path)
    assert path.read_bytes() == b"my thesis\n"


def failing() -> dict[str, float]:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize("threads", [1, 2])
def test_one_failure_does_not_lose_the_others(tmp_path: Path, threads: int) -> None:
    runs = [*number_runs(2), failing, partial(counted, 7.0)]
    with (
        joblib.parallel_config("threading", n_jobs=threads),
        pytest.raises(ZeroDivisionError) as caught,
    ):
        sweep(runs, store=tmp_path)
    assert "1 of 4 runs failed" in caught.value.__notes__[0]
    assert "failing" in caught.value.__notes__[0]
    assert len(stored(tmp_path)) == 3


# --- what a run is, and what it returns ---


def test_runs_are_told_apart_by_every_bit_of_their_arguments(tmp_path: Path) -> None:
    (run, other) = regression_runs(2, steps=1)
    bumped = run.X.copy()
    bumped[5, 5] = np.nextafter(bumped[5, 5], 9)
    again = WidthOneRun(run.X.copy(), *list(vars(run).values())[1:])
    changed = WidthOneRun(bumped, *list(vars(run).values())[1:])
    sweep([run, again, other, changed], store=tmp_path)
    assert len(stored(tmp_path)) == 3
    values: list[Any] = [1, 1.0, True, np.nan, (1, 2), (12,)]
    sweep([partial(dict, x=value) for value in values], store=tmp_path / "values")
    assert len(stored(tmp_path / "values")) == len(values)


@pytest.mark.parametrize("run", [lambda: {}, partial(dict, x=lambda: 0)])
def test_what_cannot_be_identified_is_refused_before_anything_is_computed(tmp_path, run) -> None:
    Counted.calls = 0
    with pytest.raises(TypeError, match="runs must be made of functions of a module"):
        sweep([*number_runs(1), run], store=tmp_path / "s")
    assert Counted.calls == 0
    assert not (tmp_path / "s").exists()


def test_bad_runs_are_named() -> None:
    with pytest.raises(TypeError, match="runs must be callable without arguments; got 3"):
        sweep([3])
    with pytest.raises(TypeError, match="a run must return a mapping"):
        sweep([partial(operator.add, 1, 2)])
    with pytest.raises(TypeError, match="name must be an array of numbers"):
        sweep([partial(dict, name="words")])


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_is_shown_when_asked_for(capsys, progress, shown) -> None:
    sweep(number_runs(2), progress=progress)
    assert ("0/2" in capsys.readouterr().err) is shown
