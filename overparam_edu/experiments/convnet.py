"""Training the networks: one that can stop and go on, several side by side, and the recorded."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam_edu.checks import Array, brief, one_of, whole_number
from overparam_edu.experiments.datasets import INSTALL, Digits

# The three networks: the tutorial's; each dense matrix written as a product of two, with weight
# decay on each of them; the same with weight decay on the product.
NETWORKS = ("original", "factors", "product")

# The choices of TensorFlow's MNIST tutorial, which the talk starts from.
BATCH = 64
RATE, RATE_DECAY, MOMENTUM = 0.01, 0.95, 0.9
DROPOUT, WEIGHT_DECAY = 0.5, 5e-4
INIT_SD, BIAS = 0.1, 0.1
WIDTHS = (32, 64, 512)
# Examples after which the rate decays: the size of the tutorial's training set. Kept whatever data
# set is used, so that iterations mean the same as in the talk.
EPOCH = 55_000


class ConvnetRecord(NamedTuple):
    """What one step of training saw, before it moved the weights.

    Attributes
    ----------
    step : int
        Steps taken before.
    data : float
        Mean cross-entropy of the batch, with dropout.
    decay : float
        The weight-decay term; their sum is the loss that is minimised and that the talk plots.
    """

    step: int
    data: float
    decay: float


def torch_or_explain() -> Any:
    """Return the torch module.

    Raises
    ------
    ImportError
        If PyTorch is not installed, with the command that installs it.
    """
    try:
        import torch
    except ImportError:
        raise ImportError(f"Training this network needs PyTorch: {INSTALL}") from None
    return torch


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let PyTorch use this many threads for a while."""
    torch = torch_or_explain()
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def convnet_parameter_count(network: str, *, widths: tuple[int, int, int] = WIDTHS) -> int:
    """Return how many numbers a network learns.

    Parameters
    ----------
    network : {"original", "factors", "product"}
        As in `ConvnetTraining`.
    widths : (int, int, int)
        Channels of the two convolutions and units of the hidden dense layer.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> convnet_parameter_count("original"), convnet_parameter_count("factors")
    (1663370, 1925614)
    """
    shapes = _shapes(network, widths)
    return sum(int(np.prod(shape)) for shape in shapes.values())


def _shapes(network: str, widths: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight, in the order in which they are drawn."""
    one_of("network", network, NETWORKS)
    if not isinstance(widths, (tuple, list)) or len(widths) != 3:
        raise ValueError(f"widths must be three whole numbers; got {brief(widths)}")
    c1, c2, hidden = (whole_number("widths", width, lower=1) for width in widths)
    shapes: dict[str, tuple[int, ...]] = {
        "conv1": (c1, 1, 5, 5),
        "conv1_bias": (c1,),
        "conv2": (c2, c1, 5, 5),
        "conv2_bias": (c2,),
        "dense1": (7 * 7 * c2, hidden),
        "dense1_bias": (hidden,),
        "dense2": (hidden, 10),
        "dense2_bias": (10,),
    }
    if network != "original":
        shapes |= {"dense1_extra": (hidden, hidden), "dense2_extra": (10, 10)}
    return shapes


class ConvnetTraining:
    """A network while it is being trained.

    Convolution 5x5 ("same" padding), ReLU and 2x2 pooling twice, a dense layer with ReLU and
    dropout, a dense layer with 10 outputs. Minimises the mean cross-entropy plus
    ``5e-4 * sum(w**2) / 2`` over weights and biases of the dense layers, by gradient descent with
    momentum, a batch of 64 at a time (talk, "experiments"; paper, section 8; TensorFlow's MNIST
    tutorial).

    Parameters
    ----------
    digits : Digits
        What to learn, at least 65 of them.
    network : {"original", "factors", "product"}
        With ``"factors"`` and ``"product"`` every dense matrix ``W`` is a product ``W V`` with a
        square ``V``, which adds nothing to what the network can express. The weight decay is then
        on ``W`` and ``V``, or on ``W V`` as it was on ``W``.
    seed : int
        Of the initial weights, the order of the digits and dropout. Networks with the same seed
        start from the same ``W`` and see the same batches.
    widths : (int, int, int)
        Channels of the two convolutions and units of the hidden dense layer.
    threads : int
        For PyTorch. More may be faster or, where others use the processor too, far slower; the
        numbers are the same for the same number only.

    Attributes
    ----------
    weights : dict of str to torch.Tensor
    records : list of ConvnetRecord
        One a step.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The talk trains on 55,000 digits. Here the rate decays by 0.95 every 859 steps as it does
    there, whatever the number of digits.
    """

    def __init__(
        self,
        digits: Digits,
        *,
        network: str = "original",
        seed: int = 0,
        widths: tuple[int, int, int] = WIDTHS,
        threads: int = 1,
    ) -> None:
        torch = torch_or_explain()
        shapes = _shapes(network, widths)
        if len(digits.labels) <= BATCH:
            raise ValueError(f"digits must be more than {BATCH}; got {len(digits.labels)}")
        self.network, self.seed = network, whole_number("seed", seed, lower=0)
        self.digits, self.widths = digits, tuple(widths)
        self.threads = whole_number("threads", threads, lower=1)
        self.records: list[ConvnetRecord] = []
        self._order = np.random.default_rng(seed).permutation(len(digits.labels))
        self._random = torch.Generator().manual_seed(seed)
        self.weights = {name: self._first_value(name, shape) for name, shape in shapes.items()}
        self._velocity = {name: torch.zeros_like(w) for name, w in self.weights.items()}
        # From here on dropout alone draws, so that all networks of a seed drop the same units.
        self._random.manual_seed(seed + 2**32)

    def _first_value(self, name: str, shape: tuple[int, ...]) -> Any:
        torch = torch_or_explain()
        if name.endswith("bias"):
            value = torch.full(shape, 0.0 if name == "conv1_bias" else BIAS)
        else:
            value = torch.empty(shape)
            torch.nn.init.trunc_normal_(
                value, std=INIT_SD, a=-2 * INIT_SD, b=2 * INIT_SD, generator=self._random
            )
        return value.requires_grad_()

    def advance(self) -> ConvnetRecord:
        """Take one step.

        Returns
        -------
        ConvnetRecord
            Also appended to `records`.
        """
        with _threads(self.threads):
            record = self._step(len(self.records))
        self.records.append(record)
        return record

    def _step(self, step: int) -> ConvnetRecord:
        torch = torch_or_explain()
        first = step * BATCH % (len(self._order) - BATCH)
        chosen = self._order[first : first + BATCH]
        images = torch.from_numpy(self.digits.images[chosen])
        labels = torch.from_numpy(self.digits.labels[chosen])
        dense = self._dense()
        scores = self._scores(images, dense, dropout=True)
        data = torch.nn.functional.cross_entropy(scores, labels)
        decay = self._weight_decay(dense)
        gradients = torch.autograd.grad(data + decay, list(self.weights.values()))
        rate = RATE * RATE_DECAY ** (step * BATCH // EPOCH)
        with torch.no_grad():
            for (name, weight), gradient in zip(self.weights.items(), gradients, strict=True):
                velocity = self._velocity[name].mul_(MOMENTUM).add_(gradient)
                weight.sub_(velocity, alpha=rate)
        return ConvnetRecord(step, data.item(), decay.item())

    def error(self, digits: Digits) -> float:
        """Return the share of `digits` that the network misreads, without dropout.

        Parameters
        ----------
        digits : Digits

        Returns
        -------
        float
        """
        torch = torch_or_explain()
        wrong = 0
        with torch.no_grad(), _threads(self.threads):
            dense = self._dense()
            for first in range(0, len(digits.labels), 250):
                part = slice(first, first + 250)
                scores = self._scores(torch.from_numpy(digits.images[part]), dense, dropout=False)
                wrong += int((scores.argmax(1).numpy() != digits.labels[part]).sum())
        return wrong / len(digits.labels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that `load` needs to go on as if nothing had happened: tensors only.

        Parameters
        ----------
        path : str or path
            A file; an old one is replaced once the new one is complete.
        """
        torch = torch_or_explain()
        state = {f"weight {name}": weight.detach() for name, weight in self.weights.items()}
        state |= {f"velocity {name}": value for name, value in self._velocity.items()}
        state["random"] = self._random.get_state()
        state["records"] = torch.tensor(self.records, dtype=torch.float64).reshape(-1, 3)
        state["seed"] = torch.tensor(self.seed)
        state["digits"] = torch.tensor(list(bytes.fromhex(self.digits.sha256)))
        part = Path(f"{path}.part")
        try:
            torch.save(state, part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from a file that `save` wrote.

        Parameters
        ----------
        path : str or path
            Of a training with the same digits, network, widths and seed.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no checkpoint, or of another training; this one is then left as it was.
        """
        torch = torch_or_explain()
        try:
            state = torch.load(path, weights_only=True)
            shapes = {name: tuple(value.shape) for name, value in state.items()}
            random, records = state.pop("random"), state.pop("records")
            seed, digits = int(state.pop("seed")), bytes(state.pop("digits").tolist()).hex()
        except OSError:
            raise
        except Exception as problem:
            raise ValueError(f"path must be a checkpoint of a training; got {path}") from problem
        mine = {f"weight {name}": weight for name, weight in self.weights.items()}
        mine |= {f"velocity {name}": value for name, value in self._velocity.items()}
        expected = {name: tuple(value.shape) for name, value in mine.items()}
        same = expected == {name: shapes[name] for name in state}
        if not same or (seed, digits) != (self.seed, self.digits.sha256):
            raise ValueError(
                "path must be a checkpoint of the same network, widths, seed and digits; "
                f"got {path}"
            )
        with torch.no_grad():
            for name, value in mine.items():
                value.copy_(state[name])
        self._random.set_state(random)
        self.records = [ConvnetRecord(int(row[0]), row[1], row[2]) for row in records.tolist()]

    def _dense(self) -> list[tuple[Any, ...]]:
        """Return for each dense layer the matrices that follow one another."""
        layers = []
        for name in ("dense1", "dense2"):
            matrices = [self.weights[name]]
            if self.network != "original":
                matrices.append(self.weights[f"{name}_extra"])
            if self.network == "product":
                matrices = [matrices[0] @ matrices[1]]
            layers.append(tuple(matrices))
        return layers

    def _scores(self, images: Any, dense: list[tuple[Any, ...]], *, dropout: bool) -> Any:
        torch, w = torch_or_explain(), self.weights
        conv2d, max_pool2d = torch.nn.functional.conv2d, torch.nn.functional.max_pool2d
        x = images[:, None]
        x = max_pool2d(conv2d(x, w["conv1"], w["conv1_bias"], padding=2).relu(), 2)
        x = max_pool2d(conv2d(x, w["conv2"], w["conv2_bias"], padding=2).relu(), 2)
        x = x.flatten(1)
        for matrix in dense[0]:
            x = x @ matrix
        x = (x + w["dense1_bias"]).relu()
        if dropout:
            kept = torch.rand(x.shape, generator=self._random) >= DROPOUT
            x = x * kept / (1 - DROPOUT)
        for matrix in dense[1]:
            x = x @ matrix
        return x + w["dense2_bias"]

    def _weight_decay(self, dense: list[tuple[Any, ...]]) -> Any:
        penalised = [*dense[0], *dense[1], self.weights["dense1_bias"], self.weights["dense2_bias"]]
        return WEIGHT_DECAY / 2 * sum(weight.square().sum() for weight in penalised)


# Steps of which the mean is kept: the loss of a single batch is noisy.
BLOCK = 10
# Digits on which the recorded networks were tested; they learned from the others.
TESTED_ON = 1_000
_TERMS = ("total", "data", "decay")
# Steps after which a long training is saved, so that a killed one loses little.
_SAVED_EVERY = 500


def train_convnet(
    training: ConvnetTraining,
    *,
    steps: int,
    checkpoint: str | os.PathLike[str] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[ConvnetRecord]:
    """Train, and yield what each step saw while it happens.

    Parameters
    ----------
    training : ConvnetTraining
    steps : int
        How many steps it shall have taken in all; one that has taken more is left as it is.
    checkpoint : str or path, optional
        A file to go on from, if there is one, and to save to: every 500 steps, when it stops, and
        when the loop that asks for records ends.
    should_stop : callable, optional
        Asked before each step; the training ends where it returns true.

    Yields
    ------
    ConvnetRecord
        From step 0 on, those of the checkpoint included: a run that was stopped and taken up
        again yields the same as one that was not, bit for bit on a CPU.

    Raises
    ------
    TypeError, ValueError
        If `steps` is not a whole number, or `checkpoint` is of another training.

    Examples
    --------
    >>> from overparam_edu.experiments.datasets import load_digits
    >>> training = ConvnetTraining(load_digits(), seed=0)  # doctest: +SKIP
    >>> first, *_ = train_convnet(training, steps=10)  # doctest: +SKIP
    """
    steps = whole_number("steps", steps, lower=0)
    if checkpoint is not None and Path(checkpoint).exists():
        training.load(checkpoint)
    yield from training.records[:steps]
    try:
        while len(training.records) < steps and not (should_stop and should_stop()):
            record = training.advance()
            if checkpoint is not None and len(training.records) % _SAVED_EVERY == 0:
                training.save(checkpoint)
            yield record
    except GeneratorExit:  # nobody asks for more: between two steps, so that it can be saved
        pass
    if checkpoint is not None:
        training.save(checkpoint)


class ConvnetRuns(NamedTuple):
    """Losses of several networks and seeds, as means over blocks of steps.

    Attributes
    ----------
    networks : tuple of str
        As in `ConvnetTraining`.
    seeds : tuple of int
    steps : ndarray of int, shape (blocks,)
        Steps taken at the end of each block.
    data, decay : ndarray, shape (networks, seeds, blocks)
        The two terms of the loss; NaN where a run has not arrived yet.
    first : ndarray, shape (networks, seeds, block, 2)
        Both terms at each step of the first block.
    test_error : ndarray, shape (networks, seeds)
        Share of the test digits misread at the end, NaN if not measured.
    provenance : mapping of str to object
        How the numbers came about.
    """

    networks: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: np.ndarray
    data: Array
    decay: Array
    first: Array
    test_error: Array
    provenance: Mapping[str, Any]

    def term(self, name: str) -> Array:
        """Return a term of the loss, or their sum.

        Parameters
        ----------
        name : {"total", "data", "decay"}

        Returns
        -------
        ndarray, shape (networks, seeds, blocks)

        Raises
        ------
        ValueError
            If `name` is another word.
        """
        if one_of("name", name, _TERMS) == "total":
            return self.data + self.decay
        return self.data if name == "data" else self.decay


def split_digits(digits: Digits) -> tuple[Digits, Digits]:
    """Return the digits that the recorded networks learned from, and those they were tested on.

    Parameters
    ----------
    digits : Digits
        More than 1000.

    Returns
    -------
    train, test : Digits
        The last 1000 are for the test.

    Raises
    ------
    ValueError
        If there are too few.
    """
    if len(digits.labels) <= TESTED_ON:
        raise ValueError(f"digits must be more than {TESTED_ON}; got {len(digits.labels)}")
    cut = len(digits.labels) - TESTED_ON
    images, labels = digits
    return Digits(images[:cut], labels[:cut]), Digits(images[cut:], labels[cut:])


def run_convnets(
    train: Digits,
    test: Digits | None = None,
    *,
    steps: int,
    networks: Sequence[str] = NETWORKS,
    seeds: Sequence[int] = (0, 1, 2),
    widths: tuple[int, int, int] = WIDTHS,
    checkpoints: str | os.PathLike[str] | None = None,
) -> ConvnetRuns:
    """Train networks from several seeds.

    Parameters
    ----------
    train : Digits
        What to learn.
    test : Digits, optional
        What to measure the error on.
    steps : int
        Of each run, a multiple of 10.
    networks : sequence of str
        As in `ConvnetTraining`.
    seeds : sequence of int
        One run each.
    widths : (int, int, int)
        As in `ConvnetTraining`.
    checkpoints : str or path, optional
        A folder where unfinished runs are kept; called again, they go on from there.

    Returns
    -------
    ConvnetRuns

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError, ValueError
        If an argument is out of range.

    Notes
    -----
    The recorded runs are ``run_convnets(*split_digits(load_digits()), steps=...)`` on one thread:
    a step takes about 0.06 s, and 0.11 s with the decay on the product.
    """
    if whole_number("steps", steps, lower=BLOCK) % BLOCK:
        raise ValueError(f"steps must be a multiple of {BLOCK}; got {steps}")
    records, errors = [], []
    for network in networks:
        for seed in seeds:
            training = ConvnetTraining(train, network=network, seed=seed, widths=widths)
            kept = None if checkpoints is None else Path(checkpoints) / f"{network}-{seed}.pt"
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
            records.append(list(train_convnet(training, steps=steps, checkpoint=kept)))
            errors.append(np.nan if test is None else training.error(test))
    shape = (len(networks), len(seeds))
    runs = blocks(records, networks=networks, seeds=seeds)
    return runs._replace(
        test_error=np.reshape(errors, shape), provenance=_provenance(train, test, steps, widths)
    )


def blocks(
    records: Sequence[Sequence[ConvnetRecord]],
    *,
    networks: Sequence[str],
    seeds: Sequence[int],
    steps: int | None = None,
) -> ConvnetRuns:
    """Return what runs have recorded so far as means over blocks.

    Parameters
    ----------
    records : sequence of sequences of ConvnetRecord
        One a network and seed, seeds fastest.
    networks : sequence of str
    seeds : sequence of int
    steps : int, optional
        How many there will be, if more are to come.

    Returns
    -------
    ConvnetRuns
    """
    shape = (len(networks), len(seeds))
    count = (max(len(run) for run in records) if steps is None else steps) // BLOCK
    terms = np.full((len(records), max(count, 1) * BLOCK, 2), np.nan)
    for run, seen in enumerate(records):
        for record in seen[: terms.shape[1]]:
            terms[run, record.step] = record.data, record.decay
    means = terms.reshape(*shape, -1, BLOCK, 2).mean(axis=3)
    return ConvnetRuns(
        tuple(networks),
        tuple(seeds),
        BLOCK * np.arange(1, means.shape[2] + 1),
        means[..., 0],
        means[..., 1],
        terms[:, :BLOCK].reshape(*shape, BLOCK, 2),
        np.full(shape, np.nan),
        {},
    )


def _provenance(
    train: Digits, test: Digits | None, steps: int, widths: Sequence[int]
) -> dict[str, Any]:
    return {
        "call": f"run_convnets(train, test, steps={steps}, widths={tuple(widths)})",
        "versions": {name: version(name) for name in ("numpy", "torch", "mlxtend")}
        | {"python": platform.python_version()},
        "train": len(train.labels),
        "train_sha256": train.sha256,
        "test": 0 if test is None else len(test.labels),
        "test_sha256": "" if test is None else test.sha256,
    }


def write_runs(runs: ConvnetRuns, path: str | os.PathLike[str]) -> None:
    """Write runs as JSON, with five digits; the first block in full.

    Parameters
    ----------
    runs : ConvnetRuns
    path : str or path
    """
    content = {
        "provenance": dict(runs.provenance),
        "networks": runs.networks,
        "seeds": runs.seeds,
        "steps": int(runs.steps[-1]),
        "test_error": runs.test_error.tolist(),
        "first": runs.first.tolist(),
    }
    for name in ("data", "decay"):
        rounded = [float(f"{value:.5g}") for value in runs.term(name).ravel()]
        content[name] = np.reshape(rounded, runs.data.shape).tolist()
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(part)}" for key, part in content.items())
    Path(path).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def read_runs(text: str) -> ConvnetRuns:
    """Return what `write_runs` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    ConvnetRuns
    """
    content = json.loads(text)
    return ConvnetRuns(
        networks=tuple(content["networks"]),
        seeds=tuple(content["seeds"]),
        steps=np.arange(BLOCK, content["steps"] + 1, BLOCK),
        data=np.array(content["data"]),
        decay=np.array(content["decay"]),
        first=np.array(content["first"]),
        test_error=np.array(content["test_error"]),
        provenance=content["provenance"],
    )


def recorded_convnet() -> ConvnetRuns:
    """Return the recorded runs of the talk's network: three networks, three seeds.

    Returns
    -------
    ConvnetRuns
        Computed by `run_convnets` from 4,000 digits; see its `provenance`.

    Examples
    --------
    >>> runs = recorded_convnet()
    >>> runs.networks, runs.seeds
    (('original', 'factors', 'product'), (0, 1, 2))
    """
    resource = files("overparam_edu.experiments") / "recorded" / "convnet.json"
    return read_runs(resource.read_text(encoding="utf-8"))
