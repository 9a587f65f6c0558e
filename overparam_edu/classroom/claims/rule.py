"""Checks of the claims of lessons 00 to 03: the rule and what is made of it.

Each function is named after its claim, and looks up in this module what it tests, so that a test
can put something wrong there.
"""

from __future__ import annotations

import numpy as np

from overparam_edu._validation import Array
from overparam_edu.classroom.claims.finding import Finding, found, small
from overparam_edu.derivations.warm_up_run import rebuild_from_gradients, warm_up_coefficients
from overparam_edu.dynamics.descent import train
from overparam_edu.dynamics.end_to_end import (
    end_to_end_direction,
    preconditioner,
    single_output_direction,
)
from overparam_edu.dynamics.gradient_flow import gradient_flow
from overparam_edu.dynamics.linear_network import (
    LinearNetwork,
    balanced_network,
    near_zero_network,
)
from overparam_edu.dynamics.losses import LpRegression, SeparableLp
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.rule_against_network import (
    compare_rule_with_network,
    measure_distance_order,
    rebalance,
    synthetic_regression,
    turn_hidden_layers,
)
from overparam_edu.experiments.warm_up_runs import WarmUpRun, run_warm_up, two_feature_loss

_START = 0.3 * np.eye(3, 4)


def _matrices(*shape: int, count: int = 2) -> Array:
    return np.random.default_rng(0).standard_normal((count, *shape))


def _order(coarse: float, fine: float, ratio: float) -> float:
    """Return the power of the step size with which an error falls."""
    return float(np.log(coarse / fine) / np.log(ratio))


def same_functions() -> Finding:
    """Check that products through layers wide enough give any matrix."""
    (W,) = _matrices(3, 4, count=1)
    products = [
        balanced_network(W, depth, hidden=hidden).end_to_end_matrix
        for depth in (2, 3, 8)
        for hidden in (3, 7)
    ]
    error = max(np.abs(product - W).max() for product in products)
    missed = np.linalg.svd(W)[1][2]  # what no product through width 2 can have
    number = f"difference {small(error)}; a layer of width 2 misses by {missed:.2f}"
    return found(error < 1e-9, number, as_stated=missed < 1e-9)


def not_convex() -> Finding:
    """Check that half-way between two minima of two layers the loss is higher."""
    loss = SeparableLp((1.0,), p=2)

    def value(scalar: float) -> float:
        network = LinearNetwork((np.array([[scalar]]), np.array([[scalar]])))
        return float(loss.value(network.end_to_end_matrix[0]))

    ends, middle = (value(1.0) + value(-1.0)) / 2, value(0.0)
    return found(middle > ends, f"loss {ends:g} at two minima, {middle:g} half-way between them")


def _warm_up(eta: float, time: float) -> WarmUpRun:
    start = np.full(2, 0.01 / np.sqrt(2))
    return run_warm_up(
        two_feature_loss(p=2), start, 0.01, learning_rate=eta, steps=max(1, round(time / eta))
    )


def warm_up_step() -> Finding:
    """Measure the order of what (1 - gamma) w - rho g leaves out."""
    errors = []
    for eta in (1e-2, 1e-3):
        run = run_warm_up(two_feature_loss(p=2), [0.2, 0.1], 0.3, learning_rate=eta, steps=1)
        rho, gamma, _ = warm_up_coefficients(run.omega2[:-1], run.d_omega2, eta)
        guess = (1 - gamma[0]) * run.points[0] - rho[0] * run.gradients[0]
        errors.append(np.abs(guess - run.points[1]).max())
    order = _order(errors[0], errors[1], ratio=10)
    return found(abs(order - 2) < 0.05, f"what is left out falls as η^{order:.2f}")


def _rebuild_error(steps: int) -> float:
    run = _warm_up(14.0 / steps, 14.0)
    memory = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
    rebuilt = rebuild_from_gradients(memory, run.gradients, start=run.points[0])
    return float(np.abs(rebuilt - run.points).max())


def warm_up_memory() -> Finding:
    """Measure the order at which the past gradients alone rebuild a run."""
    order = _order(_rebuild_error(200), _rebuild_error(800), ratio=4)
    return found(abs(order - 1) < 0.1, f"the rebuilt path's error falls as η^{order:.2f}")


def warm_up_momentum() -> Finding:
    """Check that past gradients push on while the scalar grows, and only then."""
    run = _warm_up(0.05, 14.0)
    memory = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
    grows = np.diff(run.omega2) > 0
    pairs = np.tril(np.ones_like(memory.mu), k=-1) > 0
    right = (memory.mu > 0) == grows[:, None]
    share = right[pairs].mean()
    number = f"sign as claimed for {share:.0%} of {pairs.sum():,} weights"
    return found(share == 1.0, number, as_stated=bool(np.all(grows)))


def conserved() -> Finding:
    """Check that the imbalance of random layers stays on gradient flow."""
    network = near_zero_network((4, 5, 5, 3), scale=0.5, rng=0)
    flow = gradient_flow(synthetic_regression(), network, times=[0.0, 1.0, 5.0], rtol=1e-9)
    assert flow.weights is not None
    first, second, _ = flow.weights
    gaps = np.swapaxes(second, -1, -2) @ second - first @ np.swapaxes(first, -1, -2)
    drift, moved = np.abs(gaps - gaps[0]).max(), np.abs(first[-1] - first[0]).max()
    return found(drift < 1e-6 < moved, f"changes by {small(drift)} while weights move {moved:.2f}")


def end_to_end_rule() -> Finding:
    """Measure the order at which balanced layers, and others, follow the rule."""
    loss, rates = synthetic_regression(), [0.02, 0.01, 0.005]
    balanced, drawn = (
        measure_distance_order(network, loss, learning_rates=rates, time=3.0).order
        for network in (balanced_network(_START, 3), near_zero_network((4, 3, 3, 3), 0.5, rng=0))
    )
    number = f"distance falls as η^{balanced:.2f}; from random layers of size 0.5 as η^{drawn:.2f}"
    return found(abs(balanced - 1) < 0.1, number, as_stated=abs(drawn - 1) < 0.1)


def width_free() -> Finding:
    """Check that three widths take one path."""
    loss, ends = synthetic_regression(), []
    for hidden in (3, 8, 50):
        wide = turn_hidden_layers(balanced_network(_START, 3, hidden=hidden), rng=hidden)
        ends.append(train(wide, loss, optimizer=GradientDescent(0.05), steps=300).points[-1])
    error = max(np.abs(end - ends[0]).max() for end in ends)
    return found(
        error < 1e-9, f"widths 3, 8, 50: matrices after 300 steps differ by {small(error)}"
    )


def weight_decay() -> Finding:
    """Measure the order at which decaying layers follow the rule with decay."""
    order = measure_distance_order(
        balanced_network(_START, 3),
        synthetic_regression(),
        learning_rates=[0.02, 0.01, 0.005],
        time=3.0,
        weight_decay=0.1,
    ).order
    return found(abs(order - 1) < 0.1, f"distance to the layers falls as η^{order:.2f}")


def near_zero_is_balanced() -> Finding:
    """Measure how far random layers stray from the rule, beside balanced ones."""
    cars = load_auto_mpg(standardized=True)
    loss = LpRegression(cars.X, cars.y, p=4, reduction="mean")
    drawn = near_zero_network((7, 1, 1, 1), 0.1, rng=0)
    even, random = (
        compare_rule_with_network(layers, loss, learning_rate=0.01, steps=3_000).distances.max()
        for layers in (rebalance(drawn), drawn)
    )
    number = f"depth 3 strays from the rule by {even:.1%} if balanced, {random:.0%} if random"
    return found(even < 0.02, number, as_stated=random < 0.02)


def preconditioning() -> Finding:
    """Check that the rule is one matrix times the gradient, with its eigenvalues."""
    W, G = _matrices(3, 4)
    P = preconditioner(W, 3)
    stacked = (P.matrix @ G.ravel(order="F")).reshape(G.shape, order="F")
    sigma = np.append(np.linalg.svd(W)[1], 0.0)
    terms = [
        np.multiply.outer(sigma[:3] ** (2 * (3 - j) / 3), sigma ** (2 * (j - 1) / 3))
        for j in (1, 2, 3)
    ]
    errors = (
        np.abs(stacked - end_to_end_direction(W, G, 3)).max(),
        np.abs(np.linalg.eigvalsh(P.matrix) - np.sort(sum(terms, np.zeros((3, 4))).ravel())).max(),
    )
    return found(max(errors) < 1e-9, f"rule and eigenvalues differ by {small(max(errors))}")


def never_uphill() -> Finding:
    """Check that no gradient, at no matrix, is turned by a right angle or more."""
    W, G = _matrices(3, 4, count=400).reshape(2, 200, 3, 4)
    W[:100, 1:] = 0.0  # a hundred matrices of rank 1
    cosines = []
    for depth in (2, 3, 8):
        step = end_to_end_direction(W, G, depth)
        sizes = np.linalg.norm(step, axis=(1, 2)) * np.linalg.norm(G, axis=(1, 2))
        cosines.append(((step * G).sum(axis=(1, 2)) / sizes).min())
    return found(min(cosines) > 0, f"least cosine {min(cosines):.3f} among 600 steps")


def amplifies_the_past() -> Finding:
    """Check that the directions in which W is large get the largest steps."""
    W, depth = np.diag([2.0, 0.5]), 3
    steps = [
        end_to_end_direction(W, np.diag(axis), depth)[place, place]
        for place, axis in enumerate(([1.0, 0.0], [0.0, 1.0]))
    ]
    ratio, formula = steps[0] / steps[1], 4 ** (2 - 2 / depth)
    number = f"σ = 2 against 0.5 at depth 3: steps {ratio:.2f} times as long"
    return found(abs(ratio - formula) < 1e-9, number)


def single_output() -> Finding:
    """Check that Claim 2 is the rule for a matrix of one row."""
    w, g = _matrices(5)
    errors = [
        np.abs(
            single_output_direction(w, g, depth) - end_to_end_direction(w[None], g[None], depth)[0]
        ).max()
        for depth in (1, 2, 3, 8)
    ]
    return found(max(errors) < 1e-9, f"difference {small(max(errors))}")


def many_layers() -> Finding:
    """Measure the step as N grows: across w, and along it."""
    w, along, across = np.array([0.5, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    thousand, million = (
        [float(np.linalg.norm(single_output_direction(w, g, depth))) for g in (along, across)]
        for depth in (1e3, 1e6)
    )
    growth = million[0] / thousand[0]
    number = (
        f"‖w‖ = 0.5: across {million[1]:.4f}; along, {growth:,.0f} times more for 1,000 times N"
    )
    return found(abs(million[1] - 0.25) < 1e-4, number, as_stated=growth < 1.01)
