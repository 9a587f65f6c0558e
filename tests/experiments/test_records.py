"""The records are what their experiments give today: a short prefix of each is run again."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from overparam_edu import cli
from overparam_edu.experiments import datasets, records
from overparam_edu.experiments.datasets import DataUnavailableError, Digits
from overparam_edu.experiments.records import (
    EXPERIMENTS,
    Record,
    decode,
    encode,
    load_data,
    load_record,
    write_record,
)

ROOT = Path(__file__).resolve().parents[2]
GAS = ROOT.parent / "shared" / "data" / "gas" / "ethanol_2565.npz"
PREFIX = {"cars": 100, "gas": 20}


def gas_or_skip() -> Path:
    if not GAS.exists():
        pytest.skip("the gas data are not beside the project")
    return GAS


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_first_iterations_of_each_record_come_out_again(name: str) -> None:
    data = EXPERIMENTS[name].data
    path = gas_or_skip() if data == "gas" else None
    found = records.reproduce(name, prefix=PREFIX[data], path=path, progress=False)
    assert found.agrees, str(found)
    assert found.same_data
    assert found.steps > PREFIX[data] / 2
    # Most lanes are steady in so few iterations; a comparison of nothing would prove nothing.
    assert found.compared > 20 * found.left_out


@pytest.mark.slow
def test_the_first_steps_of_the_convolutional_network_come_out_again() -> None:
    pytest.importorskip("torch")
    path = GAS.parents[1] / "mnist" / "mnist.npz"
    if not path.exists():
        pytest.skip("MNIST is not beside the project")
    found = records.reproduce("convnet", prefix=100, path=path)
    assert found.agrees, str(found)
    assert found.same_data
    assert (found.steps, found.compared) == (100, 3)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_record_is_complete_and_says_where_it_is_from(name: str) -> None:
    record, experiment = load_record(name), EXPERIMENTS[name]
    assert record.title == experiment.title
    assert record.provenance["steps"] == experiment.steps == record.curves[0].steps[-1]
    assert name in record.provenance["call"]
    assert set(record.provenance["versions"]) == {"overparam-edu", "numpy", "python"}
    rows, features = record.provenance["data"]["shape"]
    assert (rows, features) == ((392, 7) if experiment.data == "cars" else (2565, 128))
    assert len(record.provenance["data"]["sha256"]) == 64
    for curves in record.curves:
        lanes = (len(curves.seeds), len(curves.rates))
        assert curves.losses.shape == (len(curves.steps), *lanes)
        assert curves.diverged_at.shape == lanes
        gone = np.isnan(curves.losses)
        assert (np.diff(gone.astype(int), axis=0) >= 0).all(), "a lane came back"
        np.testing.assert_array_equal(gone[-1], curves.diverged_at >= 0)
        assert np.nanmin(curves.losses) >= record.least * (1 - 1e-9)
        same = record.of(depth=curves.depth, optimizer=curves.optimizer, start=curves.start)
        assert same is curves


def test_what_is_not_recorded_is_named() -> None:
    with pytest.raises(ValueError, match=r"name must be .*'cars_l4'.*got 'cars_l3'"):
        load_record("cars_l3")
    with pytest.raises(KeyError, match="cars_l4 has no depth 9 with Adam from near zero"):
        load_record("cars_l4").of(depth=9, optimizer="Adam")


def test_a_record_is_written_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = EXPERIMENTS["cars_l4"]._replace(title="small", steps=40)
    monkeypatch.setattr(records, "EXPERIMENTS", {"cars_l4": small})
    written = write_record("cars_l4", tmp_path, progress=False)
    document = json.loads(written.read_text(encoding="utf-8"))
    monkeypatch.setattr(records, "files", lambda _: tmp_path)
    (tmp_path / "recorded").mkdir()
    written.rename(tmp_path / "recorded" / "cars_l4.json")
    again = load_record("cars_l4")
    assert again.title == "small"
    assert again.least == document["least"]
    monkeypatch.undo()
    # The long record begins with the same numbers.
    first = load_record("cars_l4")
    both, ours, theirs = np.intersect1d(
        again.curves[0].steps, first.curves[0].steps, return_indices=True
    )
    assert len(both) > 10
    for short, long in zip(again.curves, first.curves, strict=True):
        np.testing.assert_allclose(short.losses[ours], long.losses[theirs], rtol=1e-9)


ARRAYS = st.one_of(
    st.lists(st.floats(width=64), max_size=5).map(lambda v: np.array(v, float)),
    st.lists(st.floats(width=32), max_size=5).map(lambda v: np.array(v, np.float32)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5).map(lambda v: np.array(v, np.int64)),
    st.lists(st.booleans(), min_size=4, max_size=4).map(lambda v: np.array(v).reshape(2, 2)),
)


@given(ARRAYS)
def test_every_bit_survives_json(array: np.ndarray) -> None:
    back = decode(**json.loads(json.dumps(encode(array), allow_nan=False)))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    canonical = array.copy()
    if array.dtype.kind == "f":
        canonical[np.isnan(canonical)] = np.nan  # one NaN is as good as another
    assert back.tobytes() == canonical.tobytes()


def test_what_json_lacks_is_null_or_a_word() -> None:
    values = encode(np.array([math.nan, math.inf, -math.inf, 0.1]))["values"]
    assert values == [None, "inf", "-inf", 0.1]


# --- a record that differs is found out ---


def with_losses(record: Record, change: Any) -> Record:
    curves = [c._replace(losses=change(c.losses.copy())) for c in record.curves]
    return record._replace(curves=tuple(curves))


@pytest.mark.parametrize("kind", ["one loss", "other losses", "a run that ended"])
def test_one_wrong_number_is_enough(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    def change(losses: np.ndarray) -> np.ndarray:
        if kind == "one loss":
            losses[5, 0, 0] *= 1 + 1e-6
        elif kind == "other losses":
            losses *= 1.001
        else:
            losses[3:, 1, 2] = 1.0
        return losses

    wrong = with_losses(load_record("cars_l4"), change)
    monkeypatch.setattr(records, "load_record", lambda _: wrong)
    found = records.reproduce("cars_l4", prefix=20, progress=False)
    assert not found.agrees
    assert "DIFFERS from the record" in str(found)


@pytest.mark.parametrize("name", ["cars_l4", "gas_l4_seeds", "gas_l2"])
def test_data_rounded_otherwise_are_told_and_allowed_more(monkeypatch, name):
    path = gas_or_skip() if name.startswith("gas") else None

    def rounded(data: str, path: Any) -> Any:
        X, y, about = load_data(data, path)
        sixth_digit = np.random.default_rng(0).uniform(-5e-6, 5e-6, X.shape)
        return X * (1 + sixth_digit), y, {**about, "sha256": "another"}

    monkeypatch.setattr(records, "load_data", rounded)
    found = records.reproduce(name, prefix=100, path=path, progress=False)
    assert found.agrees, str(found)
    assert 1e-9 < found.largest < found.tolerance == records.OTHER_DATA_TOLERANCE
    assert "on other data" in str(found)


def test_other_numbers_do_not_pass_for_rounded_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def others(data: str, path: Any) -> Any:
        X, y, about = load_data(data, path)
        return X, 1.05 * y, {**about, "sha256": "another"}

    monkeypatch.setattr(records, "load_data", others)
    assert not records.reproduce("cars_l4", prefix=20, progress=False).agrees


# --- overparam-edu reproduce ---


def test_the_command_compares_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reproduce", "cars_l2", "--prefix", "20"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cars_l2: ")
    assert "agrees with the record" in out


def test_the_command_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reproduce"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*EXPERIMENTS, "convnet"]


def test_the_command_fails_where_a_record_differs(monkeypatch, capsys):
    wrong = with_losses(load_record("cars_l4"), lambda losses: losses * 1.001)
    monkeypatch.setattr(records, "load_record", lambda _: wrong)
    assert cli.main(["reproduce", "cars_l4", "--prefix", "5"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_without_pytorch_the_command_says_what_to_install(monkeypatch, capsys):
    digits = Digits(np.zeros((100, 28, 28), np.float32), np.zeros(100, np.int64))
    monkeypatch.setattr(records, "load_mnist", lambda _: (digits, digits))
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(["reproduce", "convnet", "--prefix", "10"]) == 2
    assert "overparam-edu[convnet]" in capsys.readouterr().err


def test_the_command_explains_what_it_cannot_do(monkeypatch, capsys, tmp_path):
    def no_network(*_: Any, **__: Any) -> None:
        raise DataUnavailableError("there is no connection to the server", "try again later")

    monkeypatch.setattr(datasets, "_download", no_network)
    for words, said in (
        (["gas_l2", "--prefix", "5"], "no connection.*--data"),
        (["gas_l2", "--data", str(tmp_path / "none.npz")], "path must exist"),
        (["cars_l4", "--prefix", "0"], "prefix must be at least 1"),
        (["cars_l5"], "cars_l5"),
    ):
        assert cli.main(["reproduce", *words]) == 2
        err = capsys.readouterr().err
        assert err.startswith("overparam-edu: ")
        assert said.split(".*")[0] in err
        assert said.split(".*")[-1] in err
        assert err.count("\n") == 1
