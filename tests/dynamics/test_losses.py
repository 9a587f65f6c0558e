"""What is minimised: values and gradients against definitions, differences and autograd."""

from __future__ import annotations

import numpy as np
import pytest

from overparam_edu import LinearLoss, LpRegression, QuadraticLoss, SeparableLp

RNG = np.random.default_rng(20180320)
X, Y1, Y3 = RNG.normal(size=(7, 4)), RNG.normal(size=7), RNG.normal(size=(7, 3))
A = RNG.normal(size=(4, 4))

REGRESSIONS = [
    LpRegression(X, y, p=p, reduction=reduction)
    for y in (Y1, Y3)
    for p in (2, 2.5, 4, 6)
    for reduction in ("sum", "mean")
]
LOSSES = [
    *(SeparableLp((1.0, 0.1, -0.4), p=p) for p in (2, 2.5, 3, 4, 6, 8)),
    *REGRESSIONS,
    LinearLoss(RNG.normal(size=4)),
    LinearLoss(RNG.normal(size=(2, 3))),
    QuadraticLoss(A @ A.T, RNG.normal(size=4)),
]


def each(losses):
    return pytest.mark.parametrize(
        "loss", losses, ids=lambda loss: f"{type(loss).__name__}-{loss.shape}-{vars(loss).get('p')}"
    )


def parameter(loss, seed=0):
    return np.random.default_rng(seed).normal(size=loss.shape)


def central_differences(f, w, h=1e-3):
    """Fourth-order central differences of `f`, one coordinate at a time."""
    gradient = np.empty_like(w)
    for index in np.ndindex(w.shape):
        e = np.zeros_like(w)
        e[index] = h
        near, far = f(w + e) - f(w - e), f(w + 2 * e) - f(w - 2 * e)
        gradient[index] = (8 * near - far) / (12 * h)
    return gradient


@each(LOSSES)
def test_gradient_is_the_derivative_of_value(loss):
    assert repr(loss).startswith(type(loss).__name__ + "(")
    w = parameter(loss)
    np.testing.assert_allclose(
        loss.gradient(w), central_differences(loss.value, w), rtol=1e-6, atol=1e-7
    )


def in_torch(loss, w):
    """Return the loss's definition, written in torch."""
    import torch

    if isinstance(loss, SeparableLp):
        return ((w - torch.tensor(loss.targets)).abs() ** loss.p).sum() / loss.p
    if isinstance(loss, LinearLoss):
        return (w * torch.tensor(loss.slope)).sum()
    if isinstance(loss, QuadraticLoss):
        r = w - torch.tensor(loss.minimizer)
        return r @ torch.tensor(loss.hessian) @ r / 2
    columns = w if w.ndim == 1 else w.T
    total = ((torch.tensor(loss.X) @ columns - torch.tensor(loss.y)).abs() ** loss.p).sum() / loss.p
    return total / len(loss.X) if loss.reduction == "mean" else total


@each(LOSSES)
def test_value_and_gradient_are_those_of_autograd(loss):
    torch = pytest.importorskip("torch")
    w = torch.tensor(parameter(loss), requires_grad=True)
    value = in_torch(loss, w)
    value.backward()
    np.testing.assert_allclose(loss.value(parameter(loss)), value.item(), rtol=1e-13)
    np.testing.assert_allclose(
        loss.gradient(parameter(loss)), w.grad.numpy(), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("p", [2, 4, 6, 8])
def test_even_p_is_the_talks_power_without_absolute_value(p):
    w = parameter(REGRESSIONS[0])
    talk = sum((x @ w - y) ** p / p for x, y in zip(X, Y1, strict=True))
    np.testing.assert_allclose(LpRegression(X, Y1, p=p).value(w), talk, rtol=1e-13)
    v = np.array([0.3, -2.0])
    talk = (v[0] - 1.0) ** p / p + (v[1] - 0.1) ** p / p
    np.testing.assert_allclose(SeparableLp((1.0, 0.1), p=p).value(v), talk, rtol=1e-13)


@pytest.mark.parametrize("p", [2, 3, 5, 7])
def test_odd_p_is_even_about_the_target(p):
    loss = SeparableLp([0.5], p=p)
    assert loss.value([0.5 + 0.3]) == pytest.approx(0.3**p / p, rel=1e-12)
    assert loss.value([0.5 - 0.3]) == pytest.approx(0.3**p / p, rel=1e-12)
    assert loss.gradient([0.5 - 0.3])[0] == pytest.approx(-(0.3 ** (p - 1)), rel=1e-12)


@each(LOSSES)
def test_a_batch_is_the_same_as_a_loop(loss):
    batch = np.random.default_rng(1).normal(size=(2, 5, *loss.shape))
    values, gradients = loss.value(batch), loss.gradient(batch)
    assert values.shape == (2, 5)
    assert gradients.shape == batch.shape
    for i in np.ndindex(2, 5):
        np.testing.assert_allclose(values[i], loss.value(batch[i]), rtol=1e-13)
        np.testing.assert_allclose(gradients[i], loss.gradient(batch[i]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(), (1,), (7_001,), (3, 2_501), (10_007, 1)])
@pytest.mark.parametrize("y", [Y1, Y3], ids=["single", "multi"])
def test_a_large_batch_is_the_same_as_the_definition_at_once(y, shape):
    """Regression may work through a batch in blocks; nobody must notice."""
    loss = LpRegression(X, y, p=4, reduction="mean")
    w = np.random.default_rng(2).normal(size=(*shape, *loss.shape))
    before = w.copy()
    residuals = np.einsum("...d,nd->...n", w, X) - y.T
    axes = tuple(range(-y.ndim, 0))
    np.testing.assert_allclose(loss.value(w), (residuals**4).sum(axis=axes) / 4 / 7, rtol=1e-12)
    gradient = np.einsum("...n,nd->...d", residuals**3, X) / 7
    np.testing.assert_allclose(loss.gradient(w), gradient, rtol=1e-10, atol=1e-12)
    assert np.array_equal(w, before)


@pytest.mark.parametrize("p", [2, 2.5, 4])
@pytest.mark.parametrize("y", [Y1, Y3], ids=["single", "multi"])
def test_mean_is_the_sum_divided_by_the_number_of_examples(p, y):
    summed, mean = (LpRegression(X, y, p=p, reduction=word) for word in ("sum", "mean"))
    w = parameter(summed)
    assert mean.value(w) == pytest.approx(summed.value(w) / len(X), rel=1e-14)
    np.testing.assert_allclose(mean.gradient(w), summed.gradient(w) / len(X), rtol=1e-13)


def test_several_outputs_are_separate_regressions_added_up():
    for Y in (Y3, Y1[:, None]):
        loss = LpRegression(X, Y, p=4)
        W = parameter(loss)
        rows = list(zip([LpRegression(X, y, p=4) for y in Y.T], W, strict=True))
        value = sum(row.value(w) for row, w in rows)
        assert loss.value(W) == pytest.approx(value, rel=1e-13)
        expected = [row.gradient(w) for row, w in rows]
        np.testing.assert_allclose(loss.gradient(W), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("p", [2, 2.5, 3, 4, 6])
def test_gradient_and_value_are_zero_at_the_target(p):
    loss = SeparableLp((1.0, 0.1), p=p)
    assert loss.value([1.0, 0.1]) == 0
    assert np.array_equal(loss.gradient([1.0, 0.1]), [0.0, 0.0])


def test_linear_loss_has_the_same_gradient_everywhere_and_lets_you_keep_it():
    loss = LinearLoss([1.0, -2.0])
    gradient = loss.gradient(np.zeros((3, 2)))
    gradient *= 2  # A view of the slope would refuse this, or change the loss.
    assert np.array_equal(loss.gradient([5.0, 5.0]), [1.0, -2.0])


def test_quadratic_loss_is_least_at_its_minimizer():
    Q, _ = np.linalg.qr(A)
    loss = QuadraticLoss(Q @ np.diag([1.0, 10.0, 100.0, 1000.0]) @ Q.T, [1.0, 2.0, 3.0, 4.0])
    assert loss.value([1.0, 2.0, 3.0, 4.0]) == 0
    assert np.all(loss.value(np.array([1.0, 2.0, 3.0, 4.0]) + RNG.normal(size=(50, 4))) > 0)
