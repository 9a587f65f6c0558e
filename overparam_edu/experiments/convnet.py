"""The talk's convolutional network: one training that can stop and go on, many, and the record."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from overparam_edu.checks import Array, affordable, brief, comparable, number, one_of, whole_number
from overparam_edu.experiments.datasets import INSTALL, Digits

# The tutorial's network; each dense matrix written as a product of two, with weight decay on each
# of them; the same with weight decay on the product.
NETWORKS = ("original", "factors", "product")

# The choices of TensorFlow's MNIST tutorial, which the talk starts from. The rate decays after as
# many digits as its training set has, whatever is read here, so that steps mean the same.
EPOCH, BATCH = 55_000, 64
RATE, RATE_DECAY, MOMENTUM = 0.01, 0.95, 0.9
DROPOUT, WEIGHT_DECAY = 0.5, 5e-4
INIT_SD, BIAS = 0.1, 0.1
WIDTHS = (32, 64, 512)

BLOCK = 10  # steps of which the mean is recorded: the loss of a single batch is noisy
TESTED_ON = 1_000  # of the 5,000 digits that need no download
_SAVED_EVERY = 500  # steps, so that a killed training loses little


class ConvnetRecord(NamedTuple):
    """The loss at one step, before the weights move; the talk plots the sum of its two terms."""

    step: int  # steps taken before
    data: float  # mean cross-entropy of the batch, with dropout
    decay: float  # weight decay


def convnet_parameter_count(network: str, *, widths: tuple[int, int, int] = WIDTHS) -> int:
    """Return how many numbers a network learns.

    Parameters
    ----------
    network : {"original", "factors", "product"}, as in `ConvnetTraining`
    widths : (int, int, int), as in `ConvnetTraining`

    Returns
    -------
    int
    """
    one_of("network", network, NETWORKS)
    if not isinstance(widths, (tuple, list)) or len(widths) != 3:
        raise ValueError(f"widths must be three whole numbers; got {brief(widths)}")
    c1, c2, hidden = (whole_number("widths", width, lower=1) for width in widths)
    convolutions = (5 * 5 + 1) * c1 + (5 * 5 * c1 + 1) * c2
    dense = (7 * 7 * c2 + 1) * hidden + (hidden + 1) * 10
    extra = 0 if network == "original" else hidden**2 + 10**2
    affordable("widths", widths, numbers=convolutions + dense + extra)
    return convolutions + dense + extra


class ConvnetTraining:
    """A convolutional network while it is being trained to read digits.

    A 5x5 convolution, ReLU and 2x2 pooling, twice; a dense layer with ReLU and dropout; a dense
    layer with 10 outputs. Gradient descent with momentum, on batches of 64, minimises the mean
    cross-entropy plus ``5e-4 * sum(w**2) / 2`` over weights and biases of the dense layers. The
    rate decays by 0.95 each time 55,000 digits have been read, as in the talk (section
    "experiments"; paper, section 8; TensorFlow's MNIST tutorial).

    Parameters
    ----------
    digits : Digits
        What to learn, at least 65 of them.
    network : {"original", "factors", "product"}
        With ``"factors"`` and ``"product"``, each dense matrix ``W`` becomes a product ``W V``
        with a square ``V``, which expresses no more than ``W``. Weight decay is then on ``W`` and
        ``V``, or on ``W V``.
    seed : int
        For the initial weights, the order of the digits and dropout. Networks of one seed start
        from the same ``W`` and see the same batches.
    rate : float
        The learning rate of the first 55,000 digits; the tutorial's is 0.01.
    widths : (int, int, int)
        Channels of the two convolutions and units of the hidden dense layer.
    threads : int, how many PyTorch may use; results depend on it in the last digits
    device : str
        Where PyTorch computes, such as ``"cuda"``. All random numbers are drawn on the CPU, so that
        devices agree but for rounding.

    Attributes
    ----------
    weights : dict of str to torch.Tensor
        As PyTorch names them; ``"dense1.weight"`` and ``"dense1_extra.weight"`` are the
        transposes of the first ``W`` and its ``V``.
    records : list of ConvnetRecord, one for each step taken

    Raises
    ------
    ImportError, TypeError, ValueError
        If PyTorch is not installed, or an argument is out of range.
    """

    def __init__(
        self,
        digits: Digits,
        *,
        network: str = "original",
        seed: int = 0,
        rate: float = RATE,
        widths: tuple[int, int, int] = WIDTHS,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        try:
            import torch
        except ImportError:
            raise ImportError(f"Training this network needs PyTorch: {INSTALL}") from None
        convnet_parameter_count(network, widths=widths)  # checks both
        self.network, self.widths = network, tuple(int(width) for width in widths)
        self.seed = whole_number("seed", seed, lower=0)
        self.rate = number("rate", rate, lower=0)
        self.threads = whole_number("threads", threads, lower=1)
        self.device = _usable(device)
        if len(digits.labels) <= BATCH:
            raise ValueError(f"digits must be more than {BATCH}; got {len(digits.labels)}")
        self.digits = digits
        self.records: list[ConvnetRecord] = []
        self._images, self._labels = (torch.from_numpy(part).to(device) for part in digits)
        self._order = np.random.default_rng(seed).permutation(len(digits.labels))
        self._random = torch.Generator().manual_seed(seed)
        self._model = self._initial_model()
        self.weights = dict(self._model.named_parameters())
        self._optimizer = torch.optim.SGD(self._model.parameters(), self.rate, MOMENTUM)
        # From here on dropout alone draws, so that all networks of a seed drop the same units.
        self._random.manual_seed(seed + 2**32)
        # What a checkpoint has to share with a training that goes on from it.
        self._identity = (self.network, self.widths, self.seed, self.rate, digits.sha256)

    def _initial_model(self) -> Any:
        import torch
        from torch.nn import Conv2d, Identity, Linear, ModuleDict

        c1, c2, hidden = self.widths
        single = self.network == "original"
        with torch.device("meta"):  # no numbers yet: PyTorch's own would move its global seed
            layers = {
                "conv1": Conv2d(1, c1, 5, padding=2),
                "conv2": Conv2d(c1, c2, 5, padding=2),
                "dense1": Linear(7 * 7 * c2, hidden, bias=single),
                "dense2": Linear(hidden, 10, bias=single),
                "dense1_extra": Identity() if single else Linear(hidden, hidden),
                "dense2_extra": Identity() if single else Linear(10, 10),
            }
        model = ModuleDict(layers).to_empty(device="cpu")
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.endswith("bias"):
                    weight.fill_(0.0 if name == "conv1.bias" else BIAS)
                    continue
                matrix = weight.T if name.startswith("dense") else weight
                # A normal cut at two standard deviations, by the inverse of its distribution: how
                # torch.nn.init.trunc_normal_ draws depends on PyTorch's version.
                within = math.erf(2**0.5)
                value = torch.empty(matrix.shape)
                value.uniform_(-within, within, generator=self._random).erfinv_()
                matrix.copy_(value.mul_(2**0.5 * INIT_SD).clamp_(-2 * INIT_SD, 2 * INIT_SD))
        return model.to(self.device)

    @property
    def diverged(self) -> bool:
        """Whether the loss is no longer finite."""
        return bool(self.records) and not np.isfinite(self.records[-1]).all()

    def advance(self) -> ConvnetRecord:
        """Take one step.

        Returns
        -------
        ConvnetRecord
            Also appended to `records`.
        """
        import torch

        step = len(self.records)
        first = step * BATCH % (len(self._order) - BATCH)
        batch = torch.from_numpy(self._order[first : first + BATCH])
        images, labels = self._images[batch], self._labels[batch]
        self._optimizer.param_groups[0]["lr"] = self.rate * RATE_DECAY ** (step * BATCH // EPOCH)
        with _threads(self.threads):
            self._optimizer.zero_grad()
            scores = self._scores(images, dropout=True)
            data = torch.nn.functional.cross_entropy(scores, labels)
            decay = self._weight_decay()
            (data + decay).backward()
            self._optimizer.step()
        self.records.append(ConvnetRecord(step, data.item(), decay.item()))
        return self.records[-1]

    def _scores(self, images: Any, *, dropout: bool) -> Any:
        import torch

        x, layers = images[:, None], self._model
        for name in ("conv1", "conv2"):
            x = torch.nn.functional.max_pool2d(layers[name](x).relu(), 2)
        x = layers["dense1_extra"](layers["dense1"](x.flatten(1))).relu()
        if dropout:  # torch.nn.Dropout would draw from PyTorch's global seed
            kept = torch.rand(x.shape, generator=self._random) >= DROPOUT
            x = x * kept.to(self.device) / (1 - DROPOUT)
        return layers["dense2_extra"](layers["dense2"](x))

    def _weight_decay(self) -> Any:
        penalised = {name: w for name, w in self.weights.items() if name.startswith("dense")}
        if self.network == "product":
            for name in ("dense1", "dense2"):  # PyTorch keeps transposes: V comes first
                V = penalised.pop(f"{name}_extra.weight")
                penalised[f"{name}.weight"] = V @ penalised[f"{name}.weight"]
        return WEIGHT_DECAY / 2 * sum(weight.square().sum() for weight in penalised.values())

    def error(self, digits: Digits) -> float:
        """Return the share of `digits` that the network misreads, without dropout.

        Parameters
        ----------
        digits : Digits, usually others than it learned from

        Returns
        -------
        float
        """
        import torch

        images, labels = (torch.from_numpy(part).to(self.device) for part in digits)
        with torch.no_grad(), _threads(self.threads):
            scores = [self._scores(part, dropout=False) for part in images.split(250)]
        return float((torch.cat(scores).argmax(1) != labels).double().mean())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that `load` needs to go on as if nothing had happened.

        Parameters
        ----------
        path : str or path, where an old file is replaced once the new one is complete
        """
        import torch

        state = {
            "training": self._identity,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random": self._random.get_state(),
            "records": [tuple(record) for record in self.records],
        }
        target = Path(path).resolve()  # what a link points to is replaced, not the link
        part = target.with_name(f"{target.name}.part")
        try:
            torch.save(state, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from a file that `save` wrote.

        Parameters
        ----------
        path : str or path, of a training with the same digits, network, widths, seed and rate

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such checkpoint; this training is then left as it was.
        """
        import torch

        try:
            state = torch.load(path, weights_only=True)  # runs no code that a file may hold
            same = state["training"] == self._identity
        except OSError:
            raise
        except Exception:
            same = False
        if not same:
            wanted = "a checkpoint of the same network, widths, seed, rate and digits"
            raise ValueError(f"path must be {wanted}; got {path}")
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._random.set_state(state["random"])
        self.records = [ConvnetRecord(*record) for record in state["records"]]


def _usable(device: str) -> str:
    """Return `device` if this PyTorch can compute there."""
    import torch

    try:
        torch.empty(0, device=device)
    except Exception:
        wanted = 'a device that this PyTorch can use, such as "cpu"'
        raise ValueError(f"device must be {wanted}; got {brief(device)}") from None
    return device


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let PyTorch use this many threads for a while."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_convnet(
    training: ConvnetTraining,
    *,
    steps: int,
    checkpoint: str | os.PathLike[str] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[ConvnetRecord]:
    """Train, and yield what each step saw as it happens.

    Parameters
    ----------
    training : ConvnetTraining
        Goes on from where it is.
    steps : int
        How many it is to have taken in all. A training that diverges ends with the first loss that
        is not finite.
    checkpoint : str or path, optional
        A file to go on from, if it exists, and to save to: every 500 steps, and when the training
        or the loop over it ends.
    should_stop : callable, optional
        Asked before each step; the training ends where it returns true.

    Yields
    ------
    ConvnetRecord
        From step 0 on. A run that was stopped and resumed yields the same as one that was not,
        bit for bit on a CPU.

    Raises
    ------
    ValueError
        If `checkpoint` is of another training.
    """
    steps = whole_number("steps", steps, lower=0)
    if checkpoint is not None and Path(checkpoint).exists():
        training.load(checkpoint)
    yield from training.records[:steps]
    try:
        while len(training.records) < steps and not training.diverged:
            if should_stop is not None and should_stop():
                break
            record = training.advance()
            if checkpoint is not None and len(training.records) % _SAVED_EVERY == 0:
                training.save(checkpoint)
            yield record
    except GeneratorExit:  # the loop ended between two steps, so the training can be saved
        pass
    if checkpoint is not None:
        training.save(checkpoint)


_LOSSES = ("data", "decay", "first", "test_error")  # the arrays of `ConvnetRuns` that rates lead


@comparable
class ConvnetRuns(NamedTuple):
    """Losses of several rates, networks and seeds, as means over blocks of steps."""

    rates: tuple[float, ...]
    networks: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: np.ndarray  # taken at the end of each block
    # Both terms of the loss, (rates, networks, seeds, blocks); NaN where a run has not arrived yet,
    # and from where it diverges.
    data: Array
    decay: Array
    first: Array  # both terms before the first step, (rates, networks, seeds, 2)
    test_error: Array  # share of the test digits misread at the end, (rates, networks, seeds)
    provenance: Mapping[str, Any]  # the call, versions and data behind the numbers

    def term(self, name: str) -> Array:
        """Return ``"data"``, ``"decay"`` or their sum, ``"total"``."""
        terms = {"total": self.data + self.decay, "data": self.data, "decay": self.decay}
        return terms[one_of("name", name, tuple(terms))]

    def at(self, rate: float) -> ConvnetRuns:
        """Return the runs at one rate."""
        if number("rate", rate) not in self.rates:
            raise ValueError(f"rate must be one of {self.rates}; got {brief(rate)}")
        row = [self.rates.index(rate)]
        arrays = {name: getattr(self, name)[row] for name in _LOSSES}
        return self._replace(rates=(self.rates[row[0]],), **arrays)

    def of(self, network: str, term: str = "total", *, rate: float = RATE) -> Array:
        """Return a term of a network at a rate, (seeds, blocks)."""
        row = self.networks.index(one_of("network", network, self.networks))
        found: Array = self.at(rate).term(term)[0, row]
        return found

    def error_of(self, network: str, *, rate: float = RATE) -> Array:
        """Return the share of the test digits that a network misreads at the end, (seeds,)."""
        row = self.networks.index(one_of("network", network, self.networks))
        found: Array = self.at(rate).test_error[0, row]
        return found

    def at_end(self, network: str, term: str = "total", *, rate: float = RATE) -> Array:
        """Return the mean over the last tenth of the steps, (seeds,)."""
        last = max(1, round(len(self.steps) / 10))
        mean: Array = self.of(network, term, rate=rate)[:, -last:].mean(axis=1)
        return mean

    def best_rate(self, network: str, term: str = "total") -> float:
        """Return the rate at which no seed diverges and the mean `at_end` is lowest."""
        ends = [self.at_end(network, term, rate=rate).mean() for rate in self.rates]
        return self.rates[int(np.nanargmin(ends))]

    def steps_to(self, level: float, network: str, *, rate: float = RATE) -> Array:
        """Return when the data term, as a mean over five blocks, is first below `level`, (seeds,).

        Infinite where it never is.
        """
        blocks = self.of(network, "data", rate=rate)
        below = sliding_window_view(blocks, min(5, blocks.shape[1]), axis=1).mean(axis=2) < level
        ends = self.steps[-below.shape[1] :]
        return np.where(below.any(axis=1), ends[below.argmax(axis=1)], np.inf)


def split_digits(digits: Digits) -> tuple[Digits, Digits]:
    """Return digits to learn from, and the last 1,000 to test on.

    Parameters
    ----------
    digits : Digits, more than 1000, as from `load_digits`

    Returns
    -------
    train : Digits
        All but the last 1000.
    test : Digits
        The last 1000.
    """
    if len(digits.labels) <= TESTED_ON:
        raise ValueError(f"digits must be more than {TESTED_ON}; got {len(digits.labels)}")
    images, labels = digits
    cut = len(labels) - TESTED_ON
    return Digits(images[:cut], labels[:cut]), Digits(images[cut:], labels[cut:])


def run_convnets(
    train: Digits,
    test: Digits | None = None,
    *,
    steps: int,
    networks: Sequence[str] = NETWORKS,
    seeds: Sequence[int] = (0, 1, 2),
    rates: Sequence[float] = (RATE,),
    widths: tuple[int, int, int] = WIDTHS,
    block: int = BLOCK,
    device: str = "cpu",
    checkpoints: str | os.PathLike[str] | None = None,
) -> ConvnetRuns:
    """Train several networks from several seeds at several rates, on one thread.

    The recorded runs are those of ``run_convnets(*load_mnist(), steps=8600, block=100)`` at six
    rates. On a CPU, a step takes about 0.06 s, and 0.09 s with the decay on the product.

    Parameters
    ----------
    train : Digits to learn from
    test : Digits, optional
        What to measure the error on.
    steps : int, of each run, a multiple of `block`
    networks : sequence of str, as in `ConvnetTraining`
    seeds : sequence of int, one for each run
    rates : sequence of float, as in `ConvnetTraining`
    widths : (int, int, int), as in `ConvnetTraining`
    block : int, how many steps a recorded mean is over
    device : str, as in `ConvnetTraining`
    checkpoints : str or path, optional
        A folder where unfinished runs are kept; called again, they go on from there.

    Returns
    -------
    ConvnetRuns
        ``data`` and ``decay``, the two terms of the loss as means over blocks (rates, networks,
        seeds, blocks), and ``steps``, taken at the end of each block. NaN from where a run
        diverges.

    Raises
    ------
    ImportError, TypeError, ValueError
        If PyTorch is not installed, or an argument is out of range.
    """
    block = whole_number("block", block, lower=1)
    if whole_number("steps", steps, lower=block) % block:
        raise ValueError(f"steps must be a multiple of {block}; got {steps}")
    records, errors = [], []
    for rate, network, seed in product(rates, networks, seeds):
        training = ConvnetTraining(
            train, network=network, seed=seed, rate=rate, widths=widths, device=device
        )
        kept = None if checkpoints is None else Path(checkpoints) / f"{network}-{rate}-{seed}.pt"
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
        records.append(list(train_convnet(training, steps=steps, checkpoint=kept)))
        errors.append(np.nan if test is None or training.diverged else training.error(test))
    provenance: dict[str, Any] = {
        "call": f"run_convnets(train, test, steps={steps}, block={block}, "
        f"rates={tuple(rates)}, widths={tuple(widths)}, device={device!r})",
        "versions": {name: version(name) for name in ("numpy", "torch")}
        | {"python": platform.python_version()},
    }
    for name, digits in (("train", train), ("test", test)):
        provenance[name] = 0 if digits is None else len(digits.labels)
        provenance[f"{name}_sha256"] = "" if digits is None else digits.sha256
    runs = block_means(
        records, rates=rates, networks=networks, seeds=seeds, steps=steps, block=block
    )
    test_error = np.reshape(errors, runs.test_error.shape)
    return runs._replace(test_error=test_error, provenance=provenance)


def block_means(
    records: Sequence[Sequence[ConvnetRecord]],
    *,
    networks: Sequence[str],
    seeds: Sequence[int],
    steps: int,
    rates: Sequence[float] = (RATE,),
    block: int = BLOCK,
) -> ConvnetRuns:
    """Return what each run has recorded so far of its `steps`; seeds fastest, then networks."""
    shape = (len(rates), len(networks), len(seeds))
    terms = np.full((len(records), max(steps // block, 1) * block, 2), np.nan)
    for run, seen in enumerate(records):
        for record in seen[: terms.shape[1]]:
            terms[run, record.step] = record.data, record.decay
    data, decay = np.moveaxis(terms.reshape(*shape, -1, block, 2).mean(axis=4), -1, 0)
    ends = block * np.arange(1, data.shape[-1] + 1)
    first = terms[:, 0].reshape(*shape, 2)
    labels = tuple(rates), tuple(networks), tuple(seeds)
    return ConvnetRuns(*labels, ends, data, decay, first, np.full(shape, np.nan), {})


def write_runs(runs: ConvnetRuns, path: str | os.PathLike[str]) -> None:
    """Write runs as JSON, with five digits, and null for NaN."""

    def rounded(values: Any) -> Any:
        if isinstance(values, list):
            return [rounded(value) for value in values]
        return float(f"{values:.5g}") if math.isfinite(values) else None

    content: dict[str, Any] = runs._asdict() | {"steps": runs.steps.tolist()}
    for name in _LOSSES:
        content[name] = rounded(content[name].tolist())
    separators = (",", ":")
    lines = (f'"{k}": {json.dumps(v, separators=separators)}' for k, v in content.items())
    Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_runs(text: str) -> ConvnetRuns:
    """Return what `write_runs` wrote."""
    content = json.loads(text)
    arrays = {name: np.array(content[name], float) for name in _LOSSES}
    labels = {name: tuple(content[name]) for name in ("rates", "networks", "seeds")}
    return ConvnetRuns(**content | arrays | labels | {"steps": np.array(content["steps"])})


def recorded_convnet() -> ConvnetRuns:
    """Return the recorded runs of the talk's network: six rates, three networks, three seeds.

    Returns
    -------
    ConvnetRuns
        8,600 steps on 55,000 digits, as `run_convnets` makes them, with means over 100 steps.
        ``of(network, term, rate=0.01)`` is one of its terms (seeds, blocks), ``at_end`` its mean
        over the last tenth, ``best_rate(network, term)`` the rate at which that is lowest,
        ``steps_to(level, network)`` when the data term first falls below a level, and
        ``error_of(network)`` the share of 10,000 other digits misread at the end. Its
        ``provenance`` says how they were computed.
    """
    resource = files("overparam_edu.experiments") / "recorded" / "convnet.json"
    return read_runs(resource.read_text(encoding="utf-8"))
