"""The convolutional network's recorded runs: complete, and what they would be again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from overparam_edu.experiments.convnet import (
    BATCH,
    BLOCK,
    EPOCH,
    NETWORKS,
    ConvnetTraining,
    recorded_convnet,
    split_digits,
)
from overparam_edu.experiments.datasets import Digits


def test_what_is_recorded_is_complete_and_says_where_it_is_from() -> None:
    runs = recorded_convnet()
    assert runs.networks == NETWORKS
    assert len(runs.seeds) >= 3
    assert runs.steps[-1] * BATCH >= EPOCH  # once through as many digits as the talk has
    for values in (runs.data, runs.decay):
        assert values.shape == (3, len(runs.seeds), len(runs.steps))
        assert (np.isfinite(values) & (values >= 0)).all()
    assert {"call", "versions", "train_sha256", "test_sha256"} <= set(runs.provenance)
    assert (runs.test_error < 0.06).all()
    # The same weights and digits in the first batch, and the same function but for V.
    np.testing.assert_allclose(runs.first[1, :, 0, 0], runs.first[2, :, 0, 0], rtol=1e-4)


def decay_alone(steps: int, matrices: int) -> np.ndarray:
    """The penalty on ``W`` or ``W V``, relative to its start, if there were no digits.

    With matrices an eighth as large, whose entries are larger, so that the singular values are
    distributed as those of the network's.
    """
    rng, sd = np.random.default_rng(0), (0.7737 * 0.01 * 8) ** 0.5
    W, V = rng.normal(0, sd, (392, 64)), np.eye(64)
    if matrices == 2:
        V = rng.normal(0, sd, (64, 64))
    speeds, sizes = [0.0, 0.0], []
    for step in range(steps):
        product = W @ V
        sizes.append(np.square(product).sum())
        gradients = product @ V.T, W.T @ product * (matrices - 1)
        speeds = [0.9 * v + 5e-4 * g for v, g in zip(speeds, gradients, strict=True)]
        rate = 0.01 * 0.95 ** (step * 64 // 55_000)
        W, V = W - rate * speeds[0], V - rate * speeds[1]
    return np.array(sizes) / sizes[0]


def test_recorded_weight_decay_shrinks_as_it_would_without_digits() -> None:
    runs = recorded_convnet()
    steps = int(runs.steps[-1]) // BLOCK * BLOCK
    for network, matrices, tolerance in ((0, 1, 0.02), (1, 1, 0.02), (2, 2, 0.05)):
        expected = decay_alone(steps, matrices).reshape(-1, BLOCK).mean(axis=1)
        relative = runs.decay[network] / runs.first[network, :, :1, 1]
        np.testing.assert_allclose(relative, np.tile(expected, (3, 1)), rtol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_recorded_runs_begin_like_this(torch: Any, mnist: Digits, network: str) -> None:
    runs = recorded_convnet()
    train, _ = split_digits(mnist)
    assert train.sha256 == runs.provenance["train_sha256"]
    net = ConvnetTraining(train, network=network, seed=runs.seeds[-1])
    for expected in runs.first[runs.networks.index(network), -1, :5]:
        record = net.advance()
        # Another processor rounds differently, and training enlarges that.
        np.testing.assert_allclose((record.data, record.decay), expected, rtol=2e-3)
