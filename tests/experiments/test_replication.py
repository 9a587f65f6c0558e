"""One change at a time: biases against PyTorch's, and what each change does to the gain."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import LpRegression, load_auto_mpg
from overparam_edu.experiments.curves import WidthOneRun, least_loss
from overparam_edu.experiments.replication import BiasedRun, Variant, one_change_at_a_time

RATES, SEEDS, RECORD = (0.02, 0.1), (0, 3), (0, 1, 10, 60)


@pytest.fixture(scope="module")
def cars() -> tuple[np.ndarray, np.ndarray]:
    data = load_auto_mpg(standardized=True)
    return data.X, data.y


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_biases_are_those_of_pytorch(cars: tuple[np.ndarray, np.ndarray], depth: int) -> None:
    torch = pytest.importorskip("torch")
    X, y = cars
    run = BiasedRun(X, y, 4.0, depth, "gradient descent", RATES, SEEDS, RECORD, scale=0.4)
    ours = run()["losses"]
    tX, ty = torch.from_numpy(X), torch.from_numpy(y)
    for i, seed in enumerate(SEEDS):
        for j, rate in enumerate(RATES):
            layers = [
                torch.nn.Linear(W.shape[1], W.shape[0], dtype=torch.float64)
                for W in run._start(seed).weights
            ]
            for layer, W in zip(layers, run._start(seed).weights, strict=True):
                layer.weight.data, layer.bias.data[:] = torch.from_numpy(W.copy()), 0.0
            model = torch.nn.Sequential(*layers)
            optimizer = torch.optim.SGD(model.parameters(), lr=rate)
            theirs = []
            for _ in range(RECORD[-1] + 1):
                optimizer.zero_grad()
                loss = ((model(tX)[:, 0] - ty) ** 4).mean() / 4
                loss.backward()
                optimizer.step()
                theirs.append(loss.item())
            np.testing.assert_allclose(ours[:, i, j], np.array(theirs)[list(RECORD)], rtol=1e-9)


def test_a_bias_does_nothing_for_squares_of_centred_data(cars) -> None:
    X, y = cars
    options = (2.0, 1, "gradient descent", RATES, SEEDS, RECORD)
    np.testing.assert_allclose(
        BiasedRun(X, y, *options)()["losses"], WidthOneRun(X, y, *options)()["losses"], rtol=1e-9
    )


@pytest.fixture(scope="module")
def variants(cars: tuple[np.ndarray, np.ndarray]) -> dict[str, Variant]:
    found = one_change_at_a_time(*cars, seeds=[0, 1], steps=2_000)
    return {variant.name: variant for variant in found}


@pytest.mark.slow
def test_which_choice_makes_the_difference(variants: dict[str, Variant]) -> None:
    gain = {name: variant.gain for name, variant in variants.items()}
    assert next(iter(gain)) == "the talk's way"
    assert gain["the talk's way"] > 2
    assert gain["biases"] > 2
    assert gain["orthogonal start"] < 0.8 * gain["the talk's way"]
    assert gain["mean squared error"] < 1.05
    assert gain["shared learning rate"] < 1.1
    assert 1 < gain["loose tolerance"] < 0.8 * gain["the talk's way"]


@pytest.mark.slow
def test_levels_are_measured_from_the_minimum_of_each_loss(cars, variants) -> None:
    X, y = cars
    least = {p: least_loss(LpRegression(X, y, p, reduction="mean")) for p in (2, 4)}
    assert variants["the talk's way"].deep.level == pytest.approx(1.0001 * least[4], rel=1e-10)
    assert variants["loose tolerance"].deep.level == pytest.approx(1.1 * least[4], rel=1e-10)
    squares = variants["mean squared error"].linear.level
    assert squares == pytest.approx(1.0001 * least[2], rel=1e-10)
    assert variants["biases"].deep.level < variants["the talk's way"].deep.level


def test_the_shared_rate_is_the_linear_models(variants: dict[str, Variant]) -> None:
    shared, talk = variants["shared learning rate"], variants["the talk's way"]
    assert shared.deep.rate == shared.linear.rate == talk.linear.rate != talk.deep.rate
    at = talk.deep.rates.tolist().index(talk.linear.rate)
    np.testing.assert_array_equal(shared.deep.steps, talk.deep.against_rate[:, at])


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="depth must be at least 2; got 1"):
        one_change_at_a_time([[1.0], [2.0]], [1.0, 2.0], depth=1)
    with pytest.raises(ValueError, match="tolerance must be positive; got 0"):
        one_change_at_a_time([[1.0], [2.0]], [1.0, 2.0], tolerance=0)
