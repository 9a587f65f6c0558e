"""What the network is: product, gradients by autograd, and the three initialisations."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import LinearNetwork, balanced_network, identity_network, near_zero_network

WIDTHS = [(3, 1), (3, 2), (4, 3, 2), (2, 5, 1), (3, 4, 2, 5), (2, 3, 4, 3, 2, 1)]


def gaps(network):
    """Return the matrices W_{j+1}^T W_{j+1} - W_j W_j^T, which gradient flow conserves."""
    layers = network.weights
    return [
        np.swapaxes(layers[j + 1], -1, -2) @ layers[j + 1]
        - layers[j] @ np.swapaxes(layers[j], -1, -2)
        for j in range(len(layers) - 1)
    ]


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_end_to_end_matrix_maps_as_the_layers_do_one_after_another(widths):
    network = near_zero_network(widths, 1.0, rng=1)
    x = np.random.default_rng(2).normal(size=widths[0])
    through = x
    for W in network.weights:
        through = W @ through
    np.testing.assert_allclose(network.end_to_end_matrix @ x, through, rtol=1e-12)
    assert (network.widths, network.depth) == (widths, len(widths) - 1)


@pytest.mark.parametrize("widths", WIDTHS)
def test_layer_gradients_are_those_of_autograd(widths):
    torch = pytest.importorskip("torch")
    network = near_zero_network(widths, 1.0, rng=3)
    G = np.random.default_rng(4).normal(size=(widths[-1], widths[0]))
    layers = [torch.tensor(W, requires_grad=True) for W in network.weights]
    product = layers[0]
    for W in layers[1:]:
        product = W @ product
    (product * torch.tensor(G)).sum().backward()
    for ours, W in zip(network.layer_gradients(G), layers, strict=True):
        np.testing.assert_allclose(ours, W.grad.numpy(), rtol=1e-12, atol=1e-13)


def test_layer_gradients_of_lanes_are_those_of_each_network():
    lanes = [near_zero_network((3, 4, 2), 1.0, rng=seed) for seed in range(5)]
    stacked = LinearNetwork(
        tuple(np.stack(layers) for layers in zip(*(n.weights for n in lanes), strict=True))
    )
    G = np.random.default_rng(0).normal(size=(5, 2, 3))
    for i, network in enumerate(lanes):
        for ours, alone in zip(
            stacked.layer_gradients(G), network.layer_gradients(G[i]), strict=True
        ):
            np.testing.assert_allclose(ours[i], alone, rtol=1e-13)
    np.testing.assert_allclose(stacked.imbalance(), [n.imbalance() for n in lanes], rtol=1e-13)


def test_imbalance_is_the_largest_frobenius_norm_of_a_gap():
    network = near_zero_network((3, 4, 2, 5), 1.0, rng=0)
    assert network.imbalance() == pytest.approx(max(np.linalg.norm(gap) for gap in gaps(network)))
    assert LinearNetwork(([[1.0, 2.0]],)).imbalance() == 0


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 2), (2, 5), (6, 2, 3), (2, 3, 1, 4)])
@pytest.mark.parametrize("wider", [0, 3])
def test_a_balanced_network_has_the_given_product_and_no_imbalance(depth, shape, wider):
    W = np.random.default_rng(depth).normal(size=shape)
    rank = 1 if len(shape) == 1 else min(shape[-2:])
    network = balanced_network(W, depth, hidden=rank + wider)
    np.testing.assert_allclose(
        network.end_to_end_matrix, W if W.ndim > 1 else W[None], rtol=0, atol=1e-13
    )
    assert np.all(network.imbalance() < 1e-13)
    assert network.widths[1:-1] == (rank + wider,) * (depth - 1)
    assert network.imbalance().shape == (shape[:-2] if len(shape) > 2 else ())


@pytest.mark.parametrize("W", [np.zeros(3), np.zeros((2, 3)), np.outer([1.0, 2.0], [3.0, 0, 4])])
@pytest.mark.parametrize("hidden", [(), (2,), (2, 2, 2), (2, 7, 3), (5, 2, 9)])
def test_balanced_at_rank_deficiency_at_zero_and_with_any_hidden_widths(W, hidden):
    network = balanced_network(W, len(hidden) + 1, hidden=hidden)
    assert network.widths[1:-1] == hidden
    np.testing.assert_allclose(network.end_to_end_matrix, np.atleast_2d(W), atol=1e-13)
    assert network.imbalance() < 1e-13


def test_balanced_layers_share_their_singular_values():
    W = np.random.default_rng(0).normal(size=(3, 4))
    sigma = np.linalg.svd(W, compute_uv=False)
    for layer in balanced_network(W, 3, hidden=5).weights:
        np.testing.assert_allclose(
            np.linalg.svd(layer, compute_uv=False)[:3], sigma ** (1 / 3), rtol=1e-12
        )


@pytest.mark.parametrize("make", [near_zero_network, identity_network])
def test_a_seed_gives_the_same_network_every_time_and_another_seed_another(make):
    first, again, other = (make((3, 2, 1), 0.1, rng=seed) for seed in (7, 7, 8))
    shared = make((3, 2, 1), 0.1, rng=np.random.default_rng(7))
    for a, b, c, d in zip(first.weights, again.weights, other.weights, shared.weights, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, d)
        assert not np.array_equal(a, c)


@pytest.mark.parametrize("make", [near_zero_network, identity_network])
def test_weights_have_the_given_standard_deviation_and_differ_from_network_to_network(make):
    generator = np.random.default_rng(0)
    mean = np.eye(300) if make is identity_network else 0
    (W,), (other,) = (make((300, 300), 1e-2, rng=generator).weights for _ in range(2))
    assert (W - mean).std() == pytest.approx(1e-2, rel=0.01)
    assert abs((W - mean).mean()) < 1e-4
    assert not np.array_equal(W, other)


def test_a_near_zero_network_starts_at_about_scale_to_the_depth():
    for depth in (2, 3, 4):
        norms = [
            np.abs(near_zero_network((1,) * (depth + 1), 1e-2, rng=seed).end_to_end_matrix).item()
            for seed in range(400)
        ]
        expected = 1e-2**depth * np.exp(-0.635 * depth)  # E log |Z| = -0.635 for normal Z.
        assert 0.7 < np.exp(np.mean(np.log(norms))) / expected < 1.4


def test_identity_layers_are_rectangular_identities():
    for layer in identity_network((3, 5, 2, 4)).weights:
        assert np.array_equal(layer, np.eye(*layer.shape))
    assert np.array_equal(identity_network((3, 3, 3, 3)).end_to_end_matrix, np.eye(3))
