"""The same bits wherever runs are computed, and nothing lost when they are stopped."""

from __future__ import annotations

import json
import math
import multiprocessing
import operator
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from overparam_edu.experiments.curves import WidthOneRun
from overparam_edu.experiments.sweep import decode, encode, fingerprint, sweep


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


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


# --- the same numbers ---


@pytest.mark.parametrize("pool", [partial(ThreadPoolExecutor, 3), spawned])
def test_pools_give_the_numbers_of_one_process_bit_for_bit(pool: type[Executor]) -> None:
    runs = regression_runs(3)
    with pool() as executor:
        assert bits(sweep(runs, executor)) == bits(sweep(runs))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # distributed's own, at start and end
def test_a_dask_cluster_gives_the_numbers_of_one_process_bit_for_bit(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    runs = regression_runs(4)
    here = sweep(runs, store=tmp_path / "here")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, local_directory=tmp_path
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = sweep(runs, client.get_executor(), store=tmp_path / "there")
    assert bits(there) == bits(here)
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def blas_threads(pause: float) -> dict[str, int]:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    time.sleep(pause)
    pools = threadpoolctl.threadpool_info()
    return {"most": max(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")}


def test_blas_has_one_thread_until_the_last_run_is_over() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        # The first run ends long before the last: it must not lift the limit.
        runs = [partial(blas_threads, pause) for pause in (0.0, 0.05, 0.2)]
        with ThreadPoolExecutor(3) as executor:
            assert [int(found["most"]) for found in sweep(runs, executor)] == [1, 1, 1]
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


def records(path: Path) -> int:
    return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0


def test_a_sweep_killed_half_way_goes_on_and_ends_with_the_same_file(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = sweep(slow_runs(), store=whole)
    script = SCRIPT.format(folder=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", script, str(killed)])
    while records(killed) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    before = killed.read_bytes()
    assert 2 <= records(killed) < len(slow_runs()), "it was not killed half-way"
    assert before != whole.read_bytes()
    assert bits(sweep(slow_runs(), store=killed)) == bits(expected)
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


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
    first = sweep(number_runs(3), store=tmp_path / "s")
    assert Counted.calls == 3
    assert bits(sweep(number_runs(5), store=tmp_path / "s"))[:3] == bits(first)
    assert Counted.calls == 5
    # Fewer runs than the file has: it keeps the others.
    sweep(number_runs(1), store=tmp_path / "s")
    sweep(number_runs(5), store=tmp_path / "s")
    assert Counted.calls == 5


def test_the_order_of_finishing_does_not_show_in_the_file(tmp_path: Path) -> None:
    runs, last = number_runs(), partial(counted, 9.0)
    sweep([*runs, last], store=tmp_path / "in order")
    sweep(runs[3:], store=tmp_path / "otherwise")
    sweep(runs[::-1], store=tmp_path / "otherwise")
    sweep([*runs, last], store=tmp_path / "otherwise")
    assert (tmp_path / "otherwise").read_bytes() == (tmp_path / "in order").read_bytes()


@pytest.mark.parametrize("cut", [1, 2, 40, 150])
def test_a_half_written_record_is_noticed_and_computed_again(tmp_path: Path, cut: int) -> None:
    store = tmp_path / "s"
    sweep(number_runs(), store=store)
    whole = store.read_bytes()
    store.write_bytes(whole[:-cut])
    Counted.calls = 0
    with pytest.warns(UserWarning, match=r"s: 1 of 5 records are half-written or damaged"):
        results = sweep(number_runs(), store=store)
    assert Counted.calls == 1
    assert [float(result["x"]) for result in results] == [0, 1, 2, 3, 4]
    assert store.read_bytes() == whole


def test_any_changed_byte_of_a_record_is_noticed(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sweep(number_runs(2), store=store)
    whole = store.read_bytes()
    header = whole.index(b"\n") + 1
    for place in range(header, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[place] ^= 0x01
        store.write_bytes(bytes(changed))
        with pytest.warns(UserWarning, match="damaged"):
            sweep(number_runs(2), store=store)
        assert store.read_bytes() == whole


@pytest.mark.parametrize("content", [b"my thesis\n", b"\x00\x01", b'{"store":'])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="store must be a file of finished runs"):
        sweep(number_runs(), store=path)
    assert path.read_bytes() == content


def failing() -> dict[str, float]:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize("threads", [0, 2])
def test_one_failure_does_not_lose_the_others(tmp_path: Path, threads: int) -> None:
    runs = [*number_runs(2), failing, partial(counted, 7.0)]
    executor = ThreadPoolExecutor(threads) if threads else None
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(runs, executor, store=tmp_path / "s")
    assert "1 of 4 runs failed" in caught.value.__notes__[0]
    assert "failing" in caught.value.__notes__[0]
    assert records(tmp_path / "s") == 3
    if executor:
        executor.shutdown()


def test_the_store_is_made_with_its_folder(tmp_path: Path) -> None:
    sweep(number_runs(1), store=str(tmp_path / "a" / "b" / "s"))
    assert records(tmp_path / "a" / "b" / "s") == 1


# --- what a run is, and what it returns ---


def test_runs_are_told_apart_by_every_bit_of_their_arguments() -> None:
    (run, other) = regression_runs(2)
    bumped = run.X.copy()
    bumped[5, 5] = np.nextafter(bumped[5, 5], 9)
    again = WidthOneRun(run.X.copy(), *list(vars(run).values())[1:])
    changed = WidthOneRun(bumped, *list(vars(run).values())[1:])
    assert fingerprint(run) == fingerprint(again)
    assert len({fingerprint(r) for r in (run, other, changed)}) == 3
    pairs = [(1, 1.0), ((1, 2), (12,)), ("1", 1), (True, 1), (None, "None"), (math.nan, "NaN")]
    for one, two in pairs:
        assert fingerprint(partial(dict, x=one)) != fingerprint(partial(dict, x=two))
    assert fingerprint(partial(dict, x=1, y=2)) == fingerprint(partial(dict, x=np.int64(1), y=2))


@pytest.mark.parametrize("run", [lambda: {}, partial(dict, x=lambda: 0), partial(dict, x=object())])
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


ARRAYS = st.one_of(
    st.lists(st.floats(width=64), max_size=5).map(lambda v: np.array(v, float)),
    st.lists(st.floats(width=32), max_size=5).map(lambda v: np.array(v, np.float32)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5).map(lambda v: np.array(v, np.int64)),
    st.lists(st.booleans(), min_size=4, max_size=4).map(lambda v: np.array(v).reshape(2, 2)),
)


@given(ARRAYS)
def test_every_bit_survives_the_store(array: np.ndarray) -> None:
    back = decode(encode({"x": array}))["x"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    canonical = array.copy()
    if array.dtype.kind == "f":
        canonical[np.isnan(canonical)] = np.nan  # one NaN is as good as another
    assert back.tobytes() == canonical.tobytes()


def test_stored_text_is_json_as_everyone_reads_it() -> None:
    text = encode({"x": [math.nan, math.inf, -math.inf, 0.1]})
    strict = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert strict["x"]["values"] == [None, "inf", "-inf", 0.1]


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    capsys.readouterr()
    return capsys


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_is_shown_when_asked_for(quiet, progress, shown) -> None:
    sweep(number_runs(2), progress=progress)
    assert ("0/2" in quiet.readouterr().err) is shown
