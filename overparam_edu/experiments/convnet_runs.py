"""Training the networks: one that can stop and go on, several side by side, and the recorded."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam_edu._validation import Array, one_of, whole_number
from overparam_edu.experiments.convnet import (
    NETWORKS,
    WIDTHS,
    ConvnetRecord,
    ConvnetTraining,
)
from overparam_edu.experiments.digits import Digits

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
    >>> from overparam_edu.experiments.digits import load_digits
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
