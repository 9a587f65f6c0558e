"""A check of each claim, in the order of the lessons: a function of the claim's name.

Runs are made now if they are short, else read from the records; what is said of a recorded run is
computed from its curves. What is tested is looked up in this module, so that a test can put
something wrong in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise, product

import numpy as np
from scipy.integrate import quad

from overparam_edu.checks import Array
from overparam_edu.classroom.claims.ledger import Finding, small
from overparam_edu.derivations.illustration import tuned_gain
from overparam_edu.derivations.own_loss import SymbolicLoss
from overparam_edu.derivations.potential import find_potential
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.loops import line_integral
from overparam_edu.dynamics.losses import LinearLoss, Loss, LpRegression, QuadraticLoss, SeparableLp
from overparam_edu.dynamics.mirror_flow import bregman_divergence, flow_limit, mirror_map
from overparam_edu.dynamics.near_minimum import best_depth, condition_near, curvatures_near
from overparam_edu.dynamics.networks import LinearNetwork, balanced_network, near_zero_network
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.random_start import expected_square, typical_square
from overparam_edu.dynamics.rule import (
    end_to_end_direction,
    preconditioner,
    single_output_direction,
)
from overparam_edu.dynamics.singular_values import learning_time
from overparam_edu.dynamics.training import descend, gradient_flow, train
from overparam_edu.dynamics.tuning import tuned_learning_rate
from overparam_edu.dynamics.unbalanced import flow_unbalanced, unbalanced_network
from overparam_edu.dynamics.warm_up import (
    WarmUpRun,
    rebuild_from_gradients,
    run_warm_up,
    warm_up_coefficients,
)
from overparam_edu.experiments.compare import best_curve, contest_on_cars, steps_to_level
from overparam_edu.experiments.convnet import ConvnetRuns, convnet_parameter_count, recorded_convnet
from overparam_edu.experiments.datasets import load_auto_mpg, two_feature_loss
from overparam_edu.experiments.deeper import compare_starts, deeper_on_cars, first_move
from overparam_edu.experiments.records import Record, load_record
from overparam_edu.experiments.replication import Variant, one_change_at_a_time
from overparam_edu.experiments.rule_against_network import (
    compare_rule_with_network,
    measure_distance_order,
    rebalance,
    synthetic_regression,
    turn_hidden_layers,
)

_NEAR_ZERO = np.array([0.01, 0.01])
_LINEAR = LinearLoss([0.0, 1.0])
_SQUARES, _QUARTIC = SeparableLp((1.0, 0.1), p=2), SeparableLp((1.0, 0.1), p=4)
_SQUEEZED = QuadraticLoss([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.5])
_POINTS = np.array([[0.7, 0.2], [-0.4, 0.9], [1.3, -0.6], [0.1, 0.33], [-0.8, -0.5]])
_MATRIX = 0.3 * np.eye(3, 4)
_DEEP, _DEPTHS = (2, 3), (2, 3, 4, 8, 16, 32)


def _cars(p: float) -> LpRegression:
    cars = load_auto_mpg(standardized=True)
    return LpRegression(cars.X, cars.y, p=p, reduction="mean")


def _matrices(*shape: int, count: int = 2) -> Array:
    return np.random.default_rng(0).standard_normal((count, *shape))


def _order(coarse: float, fine: float, ratio: float) -> float:
    """Return the power of the step size with which an error falls."""
    return float(np.log(coarse / fine) / np.log(ratio))


# --- lessons 00 to 03: the rule ---


def same_functions() -> Finding:
    """Check that products through layers wide enough give any matrix."""
    error, missed = 0.0, np.inf
    for shape, size in product(((3, 4), (4, 3), (1, 5), (3, 3)), (1e-3, 1.0, 1e3)):
        (full,) = size * _matrices(*shape, count=1)
        thin = np.outer(full[:, 0], full[0])
        for W, depth, extra in product((full, thin, 0 * full), (2, 3, 8), (0, 4)):
            made = balanced_network(W, depth, hidden=min(shape) + extra).end_to_end_matrix
            error = max(
                error, float(np.abs(made - W).max() / max(1e-300, np.abs(W).max(initial=size)))
            )
    for W in _matrices(3, 4, count=5):
        missed = min(missed, float(np.linalg.svd(W)[1][2]))  # what no product through width 2 has
    number = f"216 products: difference {small(error)}; a layer of width 2 misses by {missed:.2f}"
    return Finding(error < 1e-9, number, as_stated=missed < 1e-9)


def not_convex() -> Finding:
    """Compare means of networks with the worse of the two, and means of their products."""
    rng, least, bends = np.random.default_rng(0), np.inf, True
    losses = (
        *(SeparableLp(targets, p) for p in (2, 4) for targets in ((1.0, -0.5), (0.0, 0.0))),
        *(_cars(p) for p in (2, 4)),
        _SQUEEZED,
        _LINEAR,
    )
    for loss in losses:
        d = loss.shape[0]
        for depth in (2, 3, 4):
            pairs = [
                [rng.standard_normal((60, *shape)) for shape in ((1, d), *[(1, 1)] * (depth - 1))]
                for _ in "ab"
            ]
            low, high, middle = (
                loss.value(LinearNetwork(tuple(layers)).end_to_end_matrix[:, 0])
                for layers in (*pairs, [(a + b) / 2 for a, b in zip(*pairs, strict=True)])
            )
            least = min(least, float((middle - np.maximum(low, high)).max()))
        w, v = rng.standard_normal((2, 60, d))
        mean = (loss.value(w) + loss.value(v)) / 2
        bends &= bool(np.all(loss.value((w + v) / 2) <= mean + 1e-12 * np.abs(mean)))
    number = (
        f"{3 * len(losses)} losses and depths: a mean of networks is above both by {least:.2g}, "
        f"of products {'never' if bends else 'too'}"
    )
    return Finding(least > 0 and bends, number)


def _warm_up(eta: float, time: float, scale: float = 0.01) -> WarmUpRun:
    start = np.full(2, scale / np.sqrt(2))
    return run_warm_up(
        two_feature_loss(p=2), start, scale, learning_rate=eta, steps=max(1, round(time / eta))
    )


def warm_up_step() -> Finding:
    """Measure the order of what (1 - gamma) w - rho g leaves out."""
    orders = []
    for p, omega2, start in product((2, 4), (0.3, -0.3, 1.0), ([0.2, 0.1], [-0.5, 1.0])):
        errors = []
        for eta in (1e-2, 1e-3):
            run = run_warm_up(two_feature_loss(p), start, omega2, learning_rate=eta, steps=1)
            rho, gamma, _ = warm_up_coefficients(run.omega2[:-1], run.d_omega2, eta)
            guess = (1 - gamma[0]) * run.points[0] - rho[0] * run.gradients[0]
            errors.append(np.abs(guess - run.points[1]).max())
        orders.append(_order(errors[0], errors[1], ratio=10))
    worst = max(orders, key=lambda order: abs(order - 2))
    number = f"what is left out falls as η^{worst:.2f} ({len(orders)} losses and starts)"
    return Finding(abs(worst - 2) < 0.05, number)


def warm_up_memory() -> Finding:
    """Measure the order at which the past gradients rebuild a run, and what its start adds."""

    def rebuilt(steps: int, time: float, scale: float) -> tuple[float, float]:
        run = _warm_up(time / steps, time, scale)
        memory = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
        path = rebuild_from_gradients(memory, run.gradients, start=run.points[0])
        alone = rebuild_from_gradients(memory, run.gradients)
        return float(np.abs(path - run.points).max()), float(np.abs(path - alone)[-1].max())

    coarse, _ = rebuilt(200, 14.0, 0.01)
    fine, of_start = rebuilt(800, 14.0, 0.01)
    _, of_nearer = rebuilt(800, 20.0, 0.001)
    order, in_scale = _order(coarse, fine, ratio=4), _order(of_start, of_nearer, ratio=10)
    number = f"the rebuilt path's error falls as η^{order:.2f}, the start's part s^{in_scale:.2f}"
    return Finding(abs(order - 1) < 0.1 and abs(in_scale - 1) < 0.1, number)


def warm_up_momentum() -> Finding:
    """Check that past gradients push on while the scalar grows, and only then."""
    run = _warm_up(0.05, 14.0)
    memory = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
    grows = np.diff(run.omega2) > 0
    pairs = np.tril(np.ones_like(memory.mu), k=-1) > 0
    right = (memory.mu > 0) == grows[:, None]
    share = right[pairs].mean()
    number = f"sign as claimed for {share:.0%} of {pairs.sum():,} weights"
    return Finding(share == 1.0, number, as_stated=bool(np.all(grows)))


def conserved() -> Finding:
    """Check that gradient flow leaves the imbalance of random layers as it is."""
    loss, worst, least = synthetic_regression(), 0.0, np.inf
    for seed, widths in product(range(2), ((4, 2, 3), (4, 5, 1, 6, 3))):
        network = near_zero_network(widths, scale=0.7, rng=seed)
        flow = gradient_flow(loss, network, times=[0.0, 0.5, 2.0], rtol=1e-8)
        assert flow.weights is not None
        for low, high in pairwise(flow.weights):
            gaps = np.swapaxes(high, -1, -2) @ high - low @ np.swapaxes(low, -1, -2)
            worst = max(worst, float(np.abs(gaps - gaps[0]).max()))
        first = flow.weights[0]
        least = min(least, float(np.abs(first[-1] - first[0]).max()))
    number = f"4 networks: changes by {small(worst)} while weights move {least:.2f} or more"
    return Finding(worst < 1e-6 < least, number)


def _thin(depth: int, hidden: int) -> LinearNetwork:
    """Return balanced layers of some width whose product has rank 1."""
    layers = rebalance(near_zero_network((4, *[1] * (depth - 1), 3), 0.8, rng=3)).weights
    extra = [0, *[hidden - 1] * (depth - 1), 0]
    return LinearNetwork(
        tuple(
            np.pad(layer, [(0, above), (0, below)])
            for layer, (below, above) in zip(layers, pairwise(extra), strict=True)
        )
    )


def end_to_end_rule() -> Finding:
    """Measure the order at which balanced layers, and others, follow the rule."""
    loss, rates = synthetic_regression(), [0.02, 0.01, 0.005]

    def order(network: LinearNetwork) -> float:
        return measure_distance_order(network, loss, learning_rates=rates, time=3.0).order

    full = [order(balanced_network(_MATRIX, depth)) for depth in (2, 3, 4)]
    drawn = order(near_zero_network((4, 3, 3, 3), 0.5, rng=0))
    rates = [0.004, 0.002]
    low = [[order(_thin(depth, hidden)) for depth in (3, 4)] for hidden in (1, 3)]
    # In a single step even layers of width 1 leave the rule by the square of the rate only.
    steps = [
        compare_rule_with_network(_thin(3, 1), loss, learning_rate=rate, steps=1).distances[-1]
        for rate in (1e-2, 1e-3)
    ]
    one = _order(steps[0], steps[1], ratio=10)
    number = (
        f"distance falls as η^{min(full):.2f} or faster at full rank; at rank 1 as "
        f"η^{low[0][0]:.2f} and η^{low[0][1]:.2f} at depths 3 and 4, width 1 as width 3, and "
        f"η^{one:.2f} in one step; from random layers of size 0.5 as η^{drawn:.2f}"
    )
    first = max(abs(each - 1) for each in full) < 0.1 and abs(one - 2) < 0.1
    rank = bool(np.allclose(low, [2 / 3, 2 / 4], atol=0.07))
    return Finding(first and rank, number, as_stated=abs(drawn - 1) < 0.1)


def width_free() -> Finding:
    """Check that balanced layers of any width take one path, narrow ones too."""
    loss, error, optimizer = synthetic_regression(), 0.0, GradientDescent(0.05)
    for depth in (2, 3, 4):
        rank_one = [_thin(depth, hidden) for hidden in (1, 3, 8, 50)]
        full = [balanced_network(_MATRIX, depth, hidden=hidden) for hidden in (3, 8, 50)]
        for networks in (rank_one, full):
            ends = [
                train(
                    turn_hidden_layers(network, rng=i), loss, optimizer=optimizer, steps=300
                ).points[-1]
                for i, network in enumerate(networks)
            ]
            error = max(error, *(float(np.abs(end - ends[0]).max()) for end in ends[1:]))
    return Finding(
        error < 1e-9,
        f"widths 3, 8, 50, and 1 for rank 1: matrices after 300 steps differ by {small(error)}",
    )


def weight_decay() -> Finding:
    """Measure the order at which decaying layers follow the rule with decay."""
    orders = [
        measure_distance_order(
            balanced_network(_MATRIX, depth),
            synthetic_regression(),
            learning_rates=[0.02, 0.01, 0.005],
            time=3.0,
            weight_decay=decay,
        ).order
        for depth, decay in ((2, 0.1), (3, 0.1), (3, 0.4), (4, 0.1))
    ]
    worst = max(orders, key=lambda order: abs(order - 1))
    number = f"distance to the layers falls as η^{worst:.2f} (depths 2 to 4, decay 0.1 and 0.4)"
    return Finding(abs(worst - 1) < 0.1, number)


def near_zero_is_balanced() -> Finding:
    """Measure how far random layers of eight seeds stray from the rule, beside balanced ones."""
    loss, said, even, random = _cars(4), [], 0.0, 0.0
    for depth in _DEEP:
        drawn = [near_zero_network((7, *[1] * depth), 0.1, rng=seed) for seed in range(8)]
        layers = [*drawn, *map(rebalance, drawn[:2])]
        lanes = LinearNetwork(tuple(map(np.stack, zip(*(n.weights for n in layers), strict=True))))
        run = compare_rule_with_network(lanes, loss, learning_rate=0.01, steps=3_000)
        strays = run.distances.max(axis=0)
        even, random = max(even, strays[8:].max()), max(random, strays[:8].max())
        said.append(f"{strays[:8].min():.1%} to {strays[:8].max():.0%} at depth {depth}")
    gaps = [
        near_zero_network((7, 1, 1, 1), scale, rng=0).imbalance() / scale**2
        for scale in (0.1, 0.01, 0.001)
    ]
    number = (
        f"layers stray from the rule by {even:.1%} if balanced; random ones {' and '.join(said)}; "
        f"their imbalance is {gaps[0]:.1f} s² at scale s = 0.1, {gaps[-1]:.1f} s² at 0.001"
    )
    alike = bool(np.allclose(gaps, gaps[0]) and gaps[0] > 1)
    return Finding(even < 0.02 and alike, number, as_stated=random < 0.02)


def preconditioning() -> Finding:
    """Check that the rule is one matrix times the gradient, with its eigenvalues."""
    worst = 0.0
    for (k, d), rank, depth in product(((3, 4), (4, 2), (2, 2)), (1, 2), (2, 3, 5)):
        W, G = _matrices(k, d)
        W = W[:, :rank] @ _matrices(rank, d, count=1)[0]
        P = preconditioner(W, depth)
        stacked = (P.matrix @ G.ravel(order="F")).reshape(G.shape, order="F")
        sigma = np.zeros(max(k, d))
        sigma[:rank] = np.linalg.svd(W)[1][:rank]
        terms = [
            np.multiply.outer(
                sigma[:k] ** (2 * (depth - j) / depth), sigma[:d] ** (2 * (j - 1) / depth)
            )
            for j in range(1, depth + 1)
        ]
        values = np.sort(sum(terms, np.zeros((k, d))).ravel())
        worst = max(
            worst,
            float(np.abs(stacked - end_to_end_direction(W, G, depth)).max()),
            float(np.abs(np.linalg.eigvalsh(P.matrix) - values).max()),
        )
    number = f"rule and eigenvalues differ by {small(worst)} (18 shapes, ranks and depths)"
    return Finding(worst < 1e-6, number)


def never_uphill() -> Finding:
    """Check that no gradient, at no matrix, is turned by a right angle or more."""
    W, G = _matrices(3, 4, count=400).reshape(2, 200, 3, 4)
    W[:100, 1:] = 0.0  # a hundred matrices of rank 1
    cosines = []
    for depth in (2, 3, 8):
        step = end_to_end_direction(W, G, depth)
        sizes = np.linalg.norm(step, axis=(1, 2)) * np.linalg.norm(G, axis=(1, 2))
        cosines.append(((step * G).sum(axis=(1, 2)) / sizes).min())
    return Finding(min(cosines) > 0, f"least cosine {min(cosines):.3f} among 600 steps")


def amplifies_the_past() -> Finding:
    """Check that the directions in which W is large get the largest steps."""
    off, rng = 0.0, np.random.default_rng(0)
    for large, low, depth in product((2.0, 0.9, 0.05), (0.5, 0.01), (2, 3, 8)):
        u, v = (np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(2))
        W = u @ np.diag([large, low]) @ v.T
        steps = [
            np.linalg.norm(end_to_end_direction(W, np.outer(u[:, i], v[:, i]), depth))
            for i in range(2)
        ]
        off = max(off, float(abs(steps[0] / steps[1] / (large / low) ** (2 - 2 / depth) - 1)))
    number = f"ratio of the steps over (σ₁/σ₂)^(2−2/N): off by {small(off)} (18 matrices)"
    return Finding(off < 1e-6, number)


def single_output() -> Finding:
    """Check that Claim 2 is the rule for a matrix of one row."""
    errors = [
        np.abs(
            single_output_direction(w, g, depth) - end_to_end_direction(w[None], g[None], depth)[0]
        ).max()
        for size, d, depth in product((1e-3, 1.0, 30.0), (1, 2, 5), (1, 2, 3, 8))
        for w, g in [_matrices(d) * [[size], [1.0]]]
    ]
    worst = max(errors) / 30**2
    return Finding(worst < 1e-9, f"difference {small(worst)} ({len(errors)} vectors and depths)")


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
    return Finding(abs(million[1] - 0.25) < 1e-4, number, as_stated=growth < 1.01)


# --- lesson 04: beyond regularization ---


def _loop(loss: Loss, depth: float, inner: float = 0.2, outer: float = 1.0) -> float:
    """Return the work round the curve of Theorem 2, relative to that of its largest piece."""
    loop = line_integral(loss, depth, inner, outer)
    return float(abs(loop.total) / np.abs(loop.segments).max())


def _turn(loss: Loss, depth: float) -> float:
    """Return the largest curl at some points, relative to the gradient."""
    return float(np.abs(curl(loss, depth, _POINTS)).max() / np.abs(loss.gradient(_POINTS)).max())


def no_regularizer() -> Finding:
    """Check that no loop is 0 above depth 2; at depth 2 some are."""
    losses = (_LINEAR, _SQUARES, _QUARTIC)
    deep = min(_loop(loss, N) for loss in losses for N in (2.5, 3, 4, 8))
    rng = np.random.default_rng(0)
    bowls = [QuadraticLoss(np.diag(rng.uniform(0.2, 3, 2)), rng.normal(size=2)) for _ in range(9)]
    # Close to 0, where the theorem looks.
    near = min(_loop(bowl, N, 1e-4, 2e-4) for bowl in bowls for N in (2.5, 3, 8))
    two = min(_loop(loss, 2) for loss in losses)
    number = (
        f"N above 2: at least {min(deep, near):.3f} of the largest piece (12 losses); "
        f"N = 2: {small(two)}"
    )
    return Finding(min(deep, near) > 1e-3, number, as_stated=two > 1e-3)


def loop_formula() -> Finding:
    """Check that for a linear loss of slope 1 the loop is a formula in N, r and R."""
    N, worst = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0]), 0.0
    q = 3 - 2 / N
    losses = (_LINEAR, LinearLoss([0.6, 0.8, 0.0]))
    for loss, (r, R) in product(losses, ((0.2, 1.0), (0.001, 0.3), (1.0, 5.0))):
        formula = 2 * (R**q - r**q) * (N - 1) * (N - 2) / (3 * N - 2)
        loops = line_integral(loss, N, r, R).total
        worst = max(worst, float(np.abs(loops / R**q - formula / R**q).max()))
    number = f"Gauss-Legendre differs by {small(worst)} (42 loops in 2 and 3 dimensions)"
    return Finding(worst < 1e-9, number)


def loop_from_the_axis() -> Finding:
    """Check that the values of the loss on one line give the loop."""
    depths = np.array([1.0, 1.5, 2.0, 3.0, 8.0])
    losses = (_SQUARES, _QUARTIC, _SQUEEZED, SeparableLp((1.0, -0.4, 0.2), p=6))
    loops = [
        line_integral(loss, depths, *radii)
        for loss in losses
        for radii in ((0.2, 1.0), (0.01, 2.0))
    ]
    error = max(
        np.abs(loop.total - np.asarray(loop.closed_form)).max() / np.abs(loop.segments).max()
        for loop in loops
    )
    number = f"{5 * len(loops)} loops, closed form against Gauss-Legendre: {small(error)}"
    return Finding(error < 1e-9, number)


def depth_two_exception() -> Finding:
    """Check which losses have a potential at depth 2."""
    rng = np.random.default_rng(0)
    round_ones = [QuadraticLoss(np.eye(2) * x, [y, z]) for x, y, z in rng.uniform(0.1, 3, (9, 3))]
    lines = [LinearLoss(slope) for slope in rng.standard_normal((9, 2))]
    flat = max(_turn(loss, 2) for loss in (_LINEAR, _SQUARES, *round_ones, *lines))
    exists = [find_potential(text, 2).exists for text in ("w1 + 2*w2", "(w1-1)^2 + (w2-1)^2")]
    bent = min(_turn(loss, 2) for loss in (_SQUEEZED, _QUARTIC))
    number = f"20 losses: curl {small(flat)}; with p = 4 or another shape {bent:.2g}"
    return Finding(flat < 1e-9 and all(exists) and bent > 1e-2, number)


def zero_loop() -> Finding:
    """Check that a squeezed quadratic has a curl, and a loop of 0."""
    loop, turn = _loop(_SQUEEZED, 2), _turn(_SQUEEZED, 2)
    number = f"squeezed quadratic, N = 2: loop {small(loop)}, curl {turn:.2f}"
    return Finding(loop < 1e-9 and turn > 1e-2, number)


def criterion() -> Finding:
    """Check that the criterion decides as the curl does, and what becomes of it with one input."""
    cases: Sequence[tuple[str, float]] = (
        ("w1 + 2*w2", 1.5),
        ("w1 + 2*w2", 2),
        ("w1 + 2*w2", 3),
        ("(w1-1)^2 + (w2-1/10)^2", 2),
        ("(w1-1)^2 + (w2-1/10)^2", 3),
        ("2*(w1-1)^2 + w2^2", 2),
        ("(w1-1)^4 + w2^4", 2),
        ("w1*w2", 2),
        ("(w1^2 + w2^2 - 1)^2", 3),
        ("(w1^2 + w2^2)^3 + w1", 2),
    )
    agree = [
        find_potential(text, N).exists == (_turn(SymbolicLoss(text), N) < 1e-6) for text, N in cases
    ]
    # With one input every field is a gradient, although h need not be even.
    loss, place, near = SeparableLp((1.0,), p=4), np.array([[0.5], [-0.5]]), 1e-4

    def field(w: float) -> float:
        return float(single_output_direction([w], loss.gradient(np.array([w])), 3)[0])

    slopes = [quad(field, w - near, w + near)[0] / (2 * near) for w in (-1.0, 0.3, 2.0)]
    off = max(abs(slope / field(w) - 1) for slope, w in zip(slopes, (-1.0, 0.3, 2.0), strict=True))
    h = (place * loss.gradient(place))[:, 0] - 2 / 3 * loss.value(place)
    number = (
        f"criterion and curl agree on {sum(agree)} of {len(cases)} losses; with one input the "
        f"integral is a potential, though h(0.5) = {h[0]:.2f} and h(-0.5) = {h[1]:.2f}"
    )
    alone = off < 1e-6 and abs(h[0] - h[1]) > 0.1
    return Finding(all(agree) and alone, number)


def slope_at_zero() -> Finding:
    """Check that losses of the length alone have a potential at any depth, and no others."""
    texts = ("(w1^2 + w2^2 - 1)^2", "w1^2 + w2^2")
    exists = all(find_potential(text, N).exists for text in texts for N in (2, 3, 5))
    other = any(find_potential(f"{text} + w1", N).exists for text in texts for N in (3, 5))
    number = f"potential at N = 2, 3, 5: {_yes(exists)}; with a slope at 0, N = 3, 5: {_yes(other)}"
    return Finding(exists and not other, number)


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


# --- lesson 05: why depth can be faster ---


def stability_bound() -> Finding:
    """Try rates below and above the bound, close to it and far."""
    shares, wrong, cases = np.array([0.05, 0.3, 0.6, 0.9, 0.99, 1.01, 1.1, 1.5, 2, 3, 5, 20]), 0, 0
    for p, targets in product((2, 2.5, 3, 4, 6), ((1.6, 0.1), (0.5, 0.3), (-1.2, 1.0))):
        bound = 2 / np.abs(targets).max() ** (p - 2)
        run = descend(
            SeparableLp(targets, p),
            [0.0, 0.0],
            optimizer=GradientDescent(shares * bound),
            steps=300,
        )
        down = (run.diverged_at < 0) & (run.losses[-1] < run.losses[0])
        wrong, cases = wrong + int(np.sum(down != (shares < 1))), cases + len(shares)
    number = f"{cases - wrong} of {cases} runs at 0.05 to 20 times the bound do as it says"
    return Finding(wrong == 0, number)


def crawl() -> Finding:
    """Measure the power of the time with which distances fall, and the share of the farther one."""
    off, least, lucky = 0.0, 1.0, 1.0
    targets = np.array([1.0, 0.9, -0.3])
    for p in (3, 4, 6):
        # Up to 1 every rate keeps the order of the distances; 2 (p - 1) is the edge of stability.
        factors = np.array([0.5, 0.99, 1.0, 0.9 * (p - 1), p - 1, 1.5 * (p - 1), 1.8 * (p - 1)])
        run = descend(
            SeparableLp(targets, p),
            np.zeros(3),
            optimizer=GradientDescent(factors / (p - 1)),
            steps=40_000,
            record=10,
            progress=False,
        )
        gaps = np.abs(run.points - targets)
        powers = np.log(gaps[-1, :3] / gaps[1000, :3]) / np.log(4)
        far, near = gaps[..., [0, 0, 1]] ** p, gaps[..., [1, 2, 2]] ** p
        shares = (far / (far + near)).min(axis=(0, 2))
        off = max(off, float(np.abs(powers * (p - 2) + 1).max()))
        least, lucky = min(least, float(shares[:3].min())), min(lucky, float(shares.min()))
    number = (
        f"p = 3, 4, 6, three pairs: powers of t off by {off:.1%} at most, the far one's share at "
        f"least {least:.0%}; at larger rates {lucky:.0%}"
    )
    holds = off < 0.05 and least > 0.4999
    return Finding(holds, number, as_stated=holds and lucky > 0.4999)


def slide_norm() -> Finding:
    """Compare the slide's factor with that of the rule, across w and along it."""

    def factors(w: Array, depth: float) -> tuple[float, float]:
        across = np.array([-w[1], w[0]])
        steps = [single_output_direction(w, g, depth) @ g / (g @ g) for g in (across, w)]
        return float(w.sum() ** (2 - 2 / depth) / steps[0]), float(steps[1] / steps[0] / depth)

    near = [
        factors(length * np.array(w), depth)
        for depth, length in product((2, 3, 4, 8), (0.05, 1.0, 20.0))
        for w in ((1.0, 0.01), (0.01, 1.0), (1.0, -0.01), (1.0, 0.001))
    ]
    off, along = (float(np.abs(np.array(column) - 1).max()) for column in zip(*near, strict=True))
    worst, _ = factors(np.array([1.0, 1.0]), 4)
    number = (
        f"w₂ = w₁/100 or less, N = 2 to 8: factor off by {off:.1%} at most, along w N times the "
        f"step to {small(along)}; at w₁ = w₂, N = 4, {worst:.2f} times too large"
    )
    return Finding(off < 0.02 and along < 1e-9, number, as_stated=abs(worst - 1) < 0.02)


@cache
def _tuned_steps(
    y1: float,
    y2: float,
    p: float,
    depths: tuple[float, ...],
    start: tuple[float, float] = (0.01, 0.01),
) -> Array:
    target = 0.01 * y2**p / p
    return tuned_learning_rate(SeparableLp((y1, y2), p), start, depth=depths, target=target).steps


def slide_factor() -> Finding:
    """Measure the gain at shared rates, after w_1 has arrived, and at tuned rates."""
    depths, rates, y2, off = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2]), 0.1, 0.0
    for y1 in (0.5, 2.0, 3.0):
        run = descend(
            SeparableLp((y1, y2), 4),
            [y1, 0.0],
            depth=np.repeat(depths, 2),
            optimizer=GradientDescent(np.tile(rates, 3)),
            steps=11_000,
            record=10,
            progress=False,
        )
        steps = run.steps_to(0.01 * y2**4 / 4).reshape(3, 2)
        slides = y1 ** (2 - 2 / depths[1:, None])
        off = max(off, float(np.abs(steps[0] / steps[1:] / slides - 1).max()))
    tuned = _tuned_steps(2.0, y2, 4, (1.0, 2.0, 3.0))
    fair, slide = tuned[0] / tuned[1:], 2 ** (2 - 2 / depths[1:])
    number = (
        f"y₁ = 0.5, 2 and 3, N = 2 and 3, two shared rates: gain off by {off:.1%} at most; own "
        f"rates, y₁ = 2: {_pair(fair)} against {_pair(slide)}"
    )
    return Finding(off < 0.05, number, as_stated=np.abs(fair / slide - 1).max() < 0.05)


def _pair(values: Array) -> str:
    return " and ".join(f"{value:.2f}" for value in values)


def faster_at_four() -> Finding:
    """Check that depths 2 and 3 need fewer steps at their tuned rates, and where they don't."""
    starts = ((0.01, 0.002), (0.1, 0.1), (-0.01, 0.01), (0.01, -0.01), (-0.01, -0.01))
    cases = ((0.1, (0.01, 0.01)), (0.05, (0.01, 0.01)), *((0.1, start) for start in starts))
    steps = np.array([_tuned_steps(1.0, y2, 4, (1.0, 2.0, 3.0), start) for y2, start in cases])
    alike = _tuned_steps(1.0, 1.0, 4, (1.0, 2.0, 3.0))
    number = (
        f"steps at N = 1, 2, 3, own rates: {_counts(steps[0])}; least gain in {len(cases)} cases "
        f"{(steps[:, :1] / steps[:, 1:]).min():.1f}; with y₁ = y₂: {_counts(alike)}"
    )
    return Finding(
        bool(np.all(steps[:, 1:] < steps[:, :1])),
        number,
        as_stated=bool(np.all(alike[1:] < alike[0])),
    )


def _counts(steps: Array) -> str:
    return ", ".join(f"{count:.0f}" for count in steps)


def gain_estimate() -> Finding:
    """Compare the estimate of the tuned gain with what is measured, where it fits and where not."""
    depths = np.array([1.0, 2.0, 3.0])
    tuned = tuned_learning_rate(
        SeparableLp((1.0, 0.03), 4), _NEAR_ZERO, depth=depths, target=0.01 * 0.03**4 / 4
    )
    measured = tuned.steps[0] / tuned.steps[1:]
    estimate = np.array([tuned_gain(4, depth) for depth in depths[1:]])
    # Each rate over its bound: 2 at depth 1, at depth N that along the first axis.
    a = 2 - 2 / depths
    reached = tuned.fastest * depths * a**a * 4 / (a + 2) ** (a + 2) / 2
    corrected = estimate * reached[1:] / reached[0]
    six = _tuned_steps(1.0, 0.2, 6, (1.0, 2.0))
    elsewhere, there = six[0] / six[1], tuned_gain(6, 2)
    number = (
        f"N = 2, 3: measured {_pair(measured)}, estimated {_pair(estimate)}, at the rates reached "
        f"{_pair(corrected)}; p = 6, N = 2: {elsewhere:.0f} against {there:.1f}"
    )
    fits = bool(np.abs(measured / estimate - 1).max() < 0.15 and 0.85 < elsewhere / there < 1.15)
    return Finding(bool(np.abs(measured / corrected - 1).max() < 0.15), number, as_stated=fits)


def _bowl(minimizer: tuple[float, float]) -> tuple[Array, Array]:
    """Return steps at tuned rates in 0.01 (w₁−y₁)² + (w₂−y₂)², and the rule's condition number."""
    loss, depths = QuadraticLoss([[0.02, 0.0], [0.0, 2.0]], minimizer), (1, 2, 3, 4)
    target = 0.01 * 0.01 * minimizer[0] ** 2  # of the flat direction 1 % is left
    steps = tuned_learning_rate(loss, _NEAR_ZERO, depth=depths, target=target, steps=2_000).steps
    rules = [preconditioner(np.array([minimizer]), N).matrix @ loss.hessian for N in depths]
    curvatures = np.sort(np.linalg.eigvals(np.array(rules)).real, axis=-1)
    return steps, curvatures[:, -1] / curvatures[:, 0]


def no_gain_at_two() -> Finding:
    """Check that depth costs steps in round and steep bowls, and helps along a flat axis."""
    starts = ((0.01, 0.01), (0.01, 0.002), (0.1, 0.1))
    rounds = [
        _tuned_steps(1.0, y2, 2, (1.0, 2.0, 3.0, 4.0), start)
        for y2, start in product((0.1, 0.5, 1.0), starts)
    ]
    (steep, worse), (flat, better), (lucky, _) = map(_bowl, ((0.05, 1.0), (1.0, 0.05), (0.1, 1.0)))
    costs = all(np.all(steps[1:] > steps[0]) for steps in (*rounds, steep))
    helps = bool(np.all(flat[1:] < flat[0]))
    predicted = bool(np.all(np.diff(worse) > 0) and np.all(np.diff(better) < 0))
    number = (
        f"steps at N = 1 to 4, own rates: {_counts(rounds[0])}; w* along the steep axis of a bowl "
        f"{_counts(steep)} (κ {_counts(worse)}), along the flat one {_counts(flat)} "
        f"(κ {_counts(better)}); beside the steep axis {_counts(lucky)}"
    )
    return Finding(bool(costs and predicted), number, as_stated=not helps)


def start_at_zero() -> Finding:
    """Check that from 0 nothing moves, and that from near 0 deeper networks leave later."""
    depths, moved, later, said = [1.5, 2, 3, 4], 0.0, True, []
    for p in (2, 3, 4, 6):
        loss, rates = SeparableLp((1.0, 0.1), p), GradientDescent(np.repeat([0.2, 5.0], 4))
        still = descend(loss, [0.0, 0.0], depth=depths * 2, optimizer=rates, steps=50)
        layers = LinearNetwork((np.zeros((2, 2)), np.zeros((1, 2))))
        both = train(layers, loss, optimizer=rates.__class__(5.0), steps=50)
        moved = max(moved, float(np.abs(still.points).max()), float(np.abs(both.points).max()))
    directions = np.array([(1, 1), (0.2, 1), (1, -1), (-1, 1), (-1, -1), (0, 1)])
    for p, scale in product((2, 4), (0.01, 0.0001)):
        starts = scale * np.repeat(directions, 3, axis=0)
        run = descend(
            SeparableLp((1.0, 0.1), p),
            starts,
            depth=[2, 3, 4] * len(directions),
            optimizer=GradientDescent(0.5),
            steps=2_000,
            progress=False,
        )
        waits = run.steps_to(run.losses[0].max() / 2).reshape(-1, 3)
        later &= bool(np.all(np.diff(waits, axis=1) > 0) and np.isfinite(waits[:, :2]).all())
        said.append(_counts(waits[0]))
    number = (
        f"from 0: moved {moved:g}; half-way at N = 2, 3, 4 from (0.01, 0.01) after {said[2]}, from "
        f"(0.0001, 0.0001) after {said[3]}; later with depth from {len(directions)} directions"
    )
    return Finding(moved == 0 and later, number)


# --- lesson 06: regression ---


def rule_on_the_network() -> Finding:
    """Check that on real data the rule's loss curve lies on that of the layers."""
    apart = []
    for p in (2, 4):
        loss = _cars(p)
        for depth in _DEEP:
            layers = rebalance(near_zero_network((7, *[1] * depth), 0.1, rng=0))
            run = compare_rule_with_network(layers, loss, learning_rate=0.005, steps=4_000)
            gap = np.abs(run.rule.losses - run.network.losses).max()
            apart.append(gap / run.network.losses[0])
    number = f"l2 and l4, depths 2 and 3: curves at most {max(apart):.2%} of the start's loss apart"
    return Finding(max(apart) < 0.01, number)


def _gains(record: Record, tolerance: float) -> dict[int, float]:
    """Return the iterations of depth 1 over those of each deeper network."""
    level = record.least * (1 + tolerance)
    taken = {
        N: float(np.median(steps_to_level(record.of(depth=N), level).steps)) for N in (1, *_DEEP)
    }
    return {N: taken[1] / taken[N] for N in _DEEP}


def _listed(gains: dict[int, float]) -> str:
    return ", ".join(f"{gain:.1f} at depth {N}" for N, gain in gains.items())


def _gains_on_cars(p: float) -> Array:
    """Return iterations of depth 1 over those of depths 2 and 3, at four tolerances."""
    arrivals = contest_on_cars(p, deepest=3).arrivals[0, :, :, 1]
    gains: Array = arrivals[:, :1] / arrivals[:, 2:]
    return gains


def squares_on_cars() -> Finding:
    """Check that neither depth gains on the squares, at any tolerance."""
    gains = _gains_on_cars(2)
    number = (
        f"iterations of depth 1 over theirs, to 0.01 %: {_pair(gains[-1])} at depths 2 and 3; "
        f"at most {gains.max():.2f} at four tolerances"
    )
    return Finding(bool(gains.max() < 1), number)


def quartic_on_cars() -> Finding:
    """Check that both depths gain on the fourth powers, at every tolerance."""
    gains = _gains_on_cars(4)
    number = (
        f"iterations of depth 1 over theirs, to 0.01 %: {_pair(gains[-1])} at depths 2 and 3; "
        f"at least {gains.min():.2f} at four tolerances"
    )
    return Finding(bool(gains.min() > 1), number)


def loose_tolerance() -> Finding:
    """Check that the same curves, judged early, show no gain."""
    record = load_record("cars_l4")
    loose, strict = _gains(record, 0.5), _gains(record, 1e-4)
    number = f"within 50 %: {_listed(loose)}; within 0.01 %: {_listed(strict)}"
    return Finding(max(loose.values()) < 1 < min(strict.values()), number)


# Iterations at which excess losses are compared; each run is tuned for the one in question.
_HORIZONS = (1_000, 3_000, 10_000, 31_000, 63_000, 100_000)


def _excess(record: Record, depth: int, at: int, optimizer: str = "gradient descent") -> float:
    """Return the loss above the least possible at the rate that is best for an iteration."""
    best = best_curve(record.of(depth=depth, optimizer=optimizer), at=at)
    # At the end of the grid a better rate may lie beyond it, so that nothing is known.
    return np.nan if best.at_the_end else float(np.median(best.losses[-1])) - record.least


def squares_on_gas() -> Finding:
    """Check that depths 2 and 3 have more excess than depth 1 at every horizon."""
    record, horizons = load_record("gas_l2"), (3_000, 10_000, 100_000)
    excess = np.array([[_excess(record, depth, at) for depth in (1, 2, 3)] for at in horizons])
    one, two, three = excess[-1]
    number = (
        f"excess after 100,000: {one:.4f} at depth 1, {two:.4f} and {three:.4f} at 2 and 3; "
        f"least ratio at {len(horizons)} horizons {(excess[:, 1:] / excess[:, :1]).min():.2f}"
    )
    return Finding(bool(np.all(excess[:, 1:] > excess[:, :1])), number)


def _on_gas(depth: int, at: int, optimizer: str = "gradient descent") -> float:
    """Return the excess at the best rate for an iteration, p = 4, from the record made for that."""
    long = "gas_adam" if optimizer == "Adam" else "gas_l4" if optimizer == "AdaGrad" else "gas_grid"
    record = load_record("gas_early" if at <= 10_000 else long if at <= 100_000 else "gas_l4")
    return _excess(record, depth, at, optimizer)


def quartic_on_gas() -> Finding:
    """Compare excesses at every horizon, and at the beginning of the runs tuned for the last."""
    record, last = load_record("gas_l4_seeds"), _HORIZONS[-1]
    best = [best_curve(record.of(depth=depth)).losses for depth in (1, *_DEEP)]
    excess = np.array([np.median(losses[-1]) for losses in best]) - record.least
    level = record.least + excess[0]
    taken = [np.median(steps_to_level(record.of(depth=N), level).steps) for N in _DEEP]
    gains = np.array([_on_gas(1, at) / _on_gas(2, at) for at in (100, *_HORIZONS)])
    hundred = np.searchsorted(record.curves[0].steps, 100, side="right") - 1
    early = [np.median(losses[hundred]) - record.least for losses in best]
    number = (
        f"excess after 100,000: {excess[0]:.4f} at depth 1, {excess[1]:.4f} and {excess[2]:.4f} at "
        f"2 and 3, where depth 1 ends {_pair(last / np.array(taken))} times sooner; depth 2 has "
        f"{gains.min():.2f} times less or better at {len(gains)} horizons from 100, each tuned for "
        f"it; at the rates for 100,000 it is {early[1]:.2f} after 100, depth 1 {early[0]:.2f}"
    )
    holds = bool(np.all(excess[1:] < excess[0]) and np.all(gains > 1))
    return Finding(holds, number, as_stated=bool(early[1] < early[0]))


# Excesses nearer to each other than this are a draw: grids and seeds decide.
_DRAW = 0.15


def _against(accelerator: str) -> Finding:
    """Compare gradient descent on two layers with an accelerator on one, tuned for each horizon."""
    horizons = (100, 1_000, 10_000, 100_000, 1_000_000)
    pairs = [(_on_gas(2, at), _on_gas(1, at, accelerator)) for at in horizons]
    told = (f"after {at:,} {a:.4f} and {b:.4f}" for at, (a, b) in zip(horizons, pairs, strict=True))
    logs = np.log([deep / rival for deep, rival in pairs])
    draw = "; a draw" if abs(logs[-1]) < _DRAW else ""
    number = f"excess of depth 2 and {accelerator}, tuned for each horizon: {', '.join(told)}{draw}"
    return Finding(bool(logs[-1] < -_DRAW), number, as_stated=bool(np.all(logs < -_DRAW)))


def adagrad() -> Finding:
    """Compare plain gradient descent on two layers with AdaGrad on one."""
    return _against("AdaGrad")


def adadelta() -> Finding:
    """Compare plain gradient descent on two layers with AdaDelta on one."""
    return _against("AdaDelta")


def adam_on_top() -> Finding:
    """Compare Adam on two layers with Adam on one at every horizon."""
    excess = np.array([[_on_gas(N, at, "Adam") for N in (1, 2)] for at in _HORIZONS])
    gains = excess[:, 0] / excess[:, 1]
    cars = contest_on_cars(4, optimizer="Adam", rival="Adam", deepest=3).arrivals[0, 1, 1:3, 1]
    number = (
        f"gas data, 1 seed: excess {excess[-1, 0]:.4f} at depth 1, {excess[-1, 1]:.4f} at depth 2 "
        f"after 100,000, at least {gains.min():.1f} times less at {len(_HORIZONS)} horizons; Auto "
        f"MPG, to within 1 %: {_counts(cars)} iterations"
    )
    return Finding(bool(gains.min() > 1), number)


@cache
def _variants() -> dict[str, Variant]:
    cars = load_auto_mpg(standardized=True)
    found = one_change_at_a_time(cars.X, cars.y, seeds=[0], steps=1_000, progress=False)
    return {variant.name: variant for variant in found}


def failed_replications() -> Finding:
    """Change one choice at a time, and stop early; see which of them hide the gain."""
    gains = {name: variant.gain for name, variant in _variants().items()}
    talk = gains.pop("the talk's way")
    hidden = [name for name, gain in gains.items() if not gain >= 1.1]
    record = load_record("gas_early")
    hundred = int(np.searchsorted(record.curves[0].steps, 100))
    lasting = [best_curve(record.of(depth=N)).losses[hundred, 0] - record.least for N in (1, 2)]
    soon = [_on_gas(N, 100) for N in (1, 2)]
    number = (
        f"gain {talk:.1f}; below 1.1 with {' or '.join(hidden)}; gas data after 100 steps: excess "
        f"{lasting[0]:.2f} at depth 1, {lasting[1]:.2f} at depth 2, at the rates for 10,000; "
        f"{soon[0]:.2f} and {soon[1]:.2f} at those for 100"
    )
    expected = {"mean squared error", "shared learning rate"}
    holds = talk > 2 and expected <= set(hidden) and lasting[0] < lasting[1]
    return Finding(holds, number, as_stated=soon[0] < soon[1])


# --- lesson 07: going deeper ---


def _moves_on_cars(learning_rate: str) -> tuple[Array, Array]:
    """Return first moves and last losses over the least, each (starts, depths 2, 3, 4, 8, ...)."""
    starts = compare_starts(deeper_on_cars(), learning_rate=learning_rate)
    return starts.moves, starts.losses.middle[..., -1] / load_record("cars_l4").least


def near_zero_stalls() -> Finding:
    """Check that deeper networks start later, and the deepest not at all."""
    moves = _moves_on_cars("tuned")[0][0]
    told = ", ".join(f"{_step(s)} at depth {N}" for s, N in zip(moves, _DEPTHS, strict=True))
    later = bool(np.all(moves[1:] >= moves[:-1]) and np.all(moves[1:3] > 10 * moves[:2]))
    return Finding(later and bool(np.isinf(moves[3:]).all()), f"starts to move: {told}")


def identity_moves() -> Finding:
    """Check that from the identity all depths move at once and arrive, and at a shared rate too."""
    moves, ends = (part[1] for part in _moves_on_cars("tuned"))
    shared = _moves_on_cars("same")[0][1]
    number = (
        f"starts to move at own rates: to depth 16 at {_step(moves[:-1].max())}, depth 32 at "
        f"{_step(moves[-1])} (ends at {ends[-1]:.2f} times the least); at one shared rate depth "
        f"16 {_step(shared[-2])}, depth 32 {_step(shared[-1])}"
    )
    holds = bool(moves[:-1].max() <= 3 and np.isfinite(moves[-1]) and ends.max() < 2)
    return Finding(holds, number, as_stated=holds and bool(max(moves[-1], shared.max()) <= 3))


def _step(step: float) -> str:
    return f"{step:,.0f}" if np.isfinite(step) else "never"


def stall_on_gas() -> Finding:
    """Check the same at depth 8, and say when depth 4 starts at each of its learning rates."""
    record = load_record("gas_deeper")
    four, eight = record.of(depth=4), record.of(depth=8)
    near = [first_move(eight, record.at_zero, rate=r) for r in eight.rates]
    one = first_move(record.of(depth=8, start="identity"), record.at_zero)
    waits = [f"{_step(first_move(four, record.at_zero, rate=r))} at η = {r:g}" for r in four.rates]
    number = (
        f"depth 8 starts to move: near zero {_step(min(near))}, identity {_step(one)}; "
        f"depth 4 near zero: {', '.join(waits)}"
    )
    return Finding(bool(np.isinf(near).all() and one < 100), number)


# --- lesson 08: the convolutional network ---


def convnet_parameters() -> Finding:
    """Count the parameters with and without the extra matrices."""
    original, deep = (convnet_parameter_count(network) for network in ("original", "factors"))
    number = f"{original:,} and {deep - original:,} more ({deep / original - 1:.1%})"
    return Finding((original, deep - original) == (1_663_370, 262_244), number)


def _shared_and_own(runs: ConvnetRuns, term: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the talk's rate for all networks, and the one that is best for a term of each."""
    yield "at rate 0.01", dict.fromkeys(runs.networks, 0.01)
    yield "each at its best", {name: runs.best_rate(name, term) for name in runs.networks}


def convnet_faster() -> Finding:
    """Compare when the data term falls below levels, at a shared rate and each network's best."""
    runs, said, sooner = recorded_convnet(), [], {"factors": True, "product": True}
    for words, rates in _shared_and_own(runs, "data"):
        for level in (0.05, 0.03, 0.02):
            steps = {name: runs.steps_to(level, name, rate=rates[name]) for name in runs.networks}
            for name in sooner:
                sooner[name] &= bool(np.all(steps[name] < steps["original"]))
        medians = (f"{np.median(steps[name]):,.0f}" for name in ("original", "factors", "product"))
        said.append("{} steps, {} and {} ({})".format(*medians, words))
    number = f"data term below 0.02: {'; '.join(said)}: original, decay on factors, on products"
    return Finding(sooner["factors"], number, as_stated=sooner["product"])


def convnet_batch_loss() -> Finding:
    """Compare the sum that is plotted, with the decay on the factors or their product."""
    runs, said, further = recorded_convnet(), [], {"factors": True, "product": True}
    for words, rates in _shared_and_own(runs, "total"):
        ends = {name: runs.at_end(name, rate=rates[name]) for name in runs.networks}
        for name in further:
            further[name] &= bool(np.all(ends[name] < ends["original"]))
        means = (f"{ends[name].mean():.2g}" for name in ("original", "factors", "product"))
        said.append("{}, {} and {} ({})".format(*means, words))
    number = f"{'; '.join(said)}: original, decay on factors, on products"
    return Finding(further["product"], number, as_stated=further["factors"])


def mostly_decay() -> Finding:
    """Measure how much of the plotted loss is weight decay, all the way."""
    runs = recorded_convnet()
    shared, own = (
        min(
            float(np.min(runs.of(name, "decay", rate=rate) / runs.of(name, rate=rate)))
            for name, rate in rates.items()
        )
        for _, rates in _shared_and_own(runs, "total")
    )
    number = f"{shared:.0%} or more at rate 0.01, {own:.0%} or more at each network's best"
    return Finding(min(shared, own) > 0.5, number)


# --- lesson 10: after the paper ---


def near_minimum() -> Finding:
    """Compare steps near the minimum with the condition number, and the best depth with k/h."""
    minimizer, depths, left = np.array([1.0, 0.0]), np.array([1, 2, 4, 8]), 1e-6
    worst, missed = 0.0, 0
    for angle in np.radians([0, 20, 45, 70, 90]):
        flat, steep = [np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]
        hessian = 0.1 * np.outer(flat, flat) + np.outer(steep, steep)
        hessian = (hessian + hessian.T) / 2
        ends = curvatures_near(hessian, minimizer, depths)
        kappa = condition_near(hessian, minimizer, depths)
        run = descend(
            QuadraticLoss(hessian, minimizer),
            minimizer + 1e-3 * np.array([-0.8, 0.6]),
            depth=depths,
            optimizer=GradientDescent(2 / (ends[:, 0] + ends[:, -1])),
            steps=800,
        )
        steps = run.steps_to(left * run.losses[0])
        predicted = np.log(left) / (2 * np.log((kappa - 1) / (kappa + 1)))
        # Steps are whole, and the first is not yet of the linear law.
        worst = max(worst, float(np.max((np.abs(steps - predicted) - 2).clip(0) / predicted)))
        ratio = max(1.0, hessian[1, 1] / hessian[0, 0])
        missed += abs(best_depth(hessian, minimizer) - ratio) >= 1
    number = f"5 angles, N = 1, 2, 4, 8, κ = 10: steps within {max(worst, 0.01):.0%} and 2 steps"
    return Finding(worst < 0.02 and not missed, f"{number}; best depths missed: {missed}")


def unbalanced_flow() -> Finding:
    """Compare the flow of the product with that of the layers."""
    loss, start = QuadraticLoss(np.diag([1.0, 2.0]), [1.0, 0.5]), np.array([0.0, 0.1])
    times, apart = np.linspace(0, 5, 11), 0.0
    for c in (-3.0, -0.3, 0.0, 0.3, 3.0):
        layers = gradient_flow(loss, unbalanced_network(start, c), times=times)
        product_of = flow_unbalanced(loss, start, c, times=times)
        apart = max(apart, float(np.abs(layers.points - product_of.points).max()))
    return Finding(apart < 1e-8, f"c = −3 to 3: product and layers differ by {small(apart)}")


def leaves_zero() -> Finding:
    """Compare how much later random layers leave zero with what their sums predict."""
    loss, origin = _cars(2), np.zeros(7)
    slope = -loss.gradient(origin)
    size, times, errors, delays = float(np.linalg.norm(slope)), np.linspace(0, 5, 4_001), [], []
    for seed in range(6):
        drawn = near_zero_network((7, 1, 1), 0.01, rng=seed)
        w = drawn.end_to_end_matrix[0]
        first, second = drawn.weights
        feed = abs(float(first[0] @ slope) / size + float(second[0, 0]))
        length = float(np.linalg.norm(w))
        balanced = np.sqrt(length) * (1 + float(w @ slope) / (length * size))
        left = []
        for network in (drawn, balanced_network(w, 2)):
            losses = gradient_flow(loss, network, times=times, rtol=1e-8).losses
            left.append(times[np.argmax(losses < 0.6 * loss.value(origin))])
        delays.append(left[0] - left[1])
        errors.append(abs(delays[-1] - np.log(balanced / feed) / size))
    number = f"6 seeds, delays from {min(delays):.2f} to {max(delays):.2f}: predicted within "
    return Finding(max(errors) < 0.015, f"{number}{np.ceil(1e3 * max(errors)) / 1e3:.3f}")


def width_decides() -> Finding:
    """Compare the mean square of the product, and its mean logarithm, with their formulas."""
    worst, draws = 0.0, 1_000
    for widths, scale in (((10, 4, 4, 1), 0.5), ((5, 16, 16, 16, 1), 0.25), ((3, 2, 1), 1.0)):
        starts = [near_zero_network(widths, scale, rng=s).end_to_end_matrix for s in range(draws)]
        squares = np.square(starts).sum(axis=(1, 2))
        spread = np.sqrt((np.prod(1 + 2 / np.array(widths[:-1])) - 1) / draws)
        worst = max(worst, abs(squares.mean() / float(expected_square(widths, scale)) - 1) / spread)
        logs = np.log(squares)
        off = abs(logs.mean() - np.log(float(typical_square(widths, scale))))
        worst = max(worst, off / (logs.std() / np.sqrt(draws)))
    critical = expected_square((10, *[16] * 31, 1), 0.25) / expected_square((10, 1), 0.25)
    narrow = (10, *[1] * 15, 1)
    mean, typical = float(expected_square(narrow, 1.0)), float(typical_square(narrow, 1.0))
    number = (
        f"1,000 draws each: means and mean logarithms within {worst:.1f} standard errors; 31 more "
        f"layers at the critical scale multiply the mean by {float(critical):.3g}; width 1, 16 "
        f"layers, s = 1: mean {mean:.3g}, typical {typical:.1g}"
    )
    return Finding(bool(worst < 3.5 and abs(critical - 1) < 1e-9), number)


def narrow_waits() -> Finding:
    """Measure when narrow and wide random layers leave their start, by depth."""
    loss = _cars(2)
    waits: dict[int, list[float]] = {}
    aim = 0.6 * loss.value(np.zeros(7))
    for width in (1, 16):
        waits[width] = []
        for depth in (2, 4, 8):
            widths, rate = (7, *[width] * (depth - 1), 1), 0.03 / depth
            drawn = [near_zero_network(widths, width**-0.5, rng=s).weights for s in range(7)]
            lanes = LinearNetwork(tuple(np.stack(layers) for layers in zip(*drawn, strict=True)))
            run = train(lanes, loss, optimizer=GradientDescent(rate), steps=1_200, record=10)
            waits[width].append(float(np.median(run.steps_to(aim)) * rate))
    narrow, wide = waits[1], waits[16]
    told = ["{:.2f}, {:.2f}, {:.2f}".format(*times) for times in (narrow, wide)]
    number = f"time at N = 2, 4, 8: width 1 {told[0]}; width 16 {told[1]}"
    return Finding(bool(narrow[0] < narrow[1] < narrow[2] and max(wide) < narrow[0] / 2), number)


# --- lesson 11: where depth ends ---


def ends_nearest() -> Finding:
    """Follow the flow to its end, and compare that with the nearest solution."""
    rng = np.random.default_rng(0)
    X, y, start = rng.standard_normal((3, 6)), rng.standard_normal(3), rng.standard_normal(6)
    loss, inverse = LpRegression(X, y, p=2), np.linalg.pinv(X)
    unseen, moved, nearer = np.eye(6) - inverse @ X, 0.0, 0
    for depth in (1, 2, 3, 5):
        end = gradient_flow(loss, start, depth=depth, times=[0, 200], rtol=1e-12).points[-1]
        gap = mirror_map(end, depth) - mirror_map(start, depth)
        moved = max(moved, float(np.abs(unseen @ gap).max()))
        others = end + 0.3 * rng.standard_normal((50, 6)) @ unseen
        least = bregman_divergence(end, start, depth)
        nearer += int(np.sum(bregman_divergence(others, start, depth) < least))
    number = f"N = 1, 2, 3, 5: the unseen part moves by {small(moved)}; of 200 other solutions "
    return Finding(moved < 5e-11 and not nearer, f"{number}{nearer} are nearer to the start")


def small_starts() -> Finding:
    """Measure the power with which the distance from least norm falls."""
    rng, depths = np.random.default_rng(0), np.array([1.0, 2, 3, 5])
    X, y, start = rng.standard_normal((3, 6)), rng.standard_normal(3), rng.standard_normal(6)
    least = np.linalg.pinv(X) @ y
    starts = np.array([1e-12, 1e-15])[:, None, None] * start
    far, near = np.linalg.norm(flow_limit(X, y, starts, depths) - least, axis=-1)
    powers = np.log(far / near) / np.log(1e3)
    told = ", ".join(f"{power:.3f}" for power in powers)
    holds = bool(np.abs(powers - 1 / depths).max() < 5e-3 and np.all(near < far))
    return Finding(holds, f"powers {told} at N = 1, 2, 3, 5")


def singular_clocks() -> Finding:
    """Compare the half-way marks of a matrix flow with the clock, and the ratio of its times."""
    rng, sigma, size, worst = np.random.default_rng(0), np.array([2.0, 1.0, 0.5]), 0.01, 0.0
    U, _, Vt = np.linalg.svd(rng.standard_normal((4, 3)), full_matrices=False)
    loss = LpRegression(np.eye(3), (U * sigma @ Vt).T, p=2)
    for depth in (1, 2, 3):
        clock = learning_time(sigma, size, depth)
        order = np.argsort(clock)
        run = gradient_flow(loss, size * U @ Vt, depth=depth, times=clock[order])
        values = np.einsum("ki,tkd,id->ti", U, run.points, Vt)[np.argsort(order), range(3)]
        worst = max(worst, float(np.abs(values / sigma - 0.5).max()))
    ratios = [float(learning_time(1, 1e-100, N) / learning_time(2, 1e-100, N)) for N in (1, 2, 4)]
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    number = f"half-way marks off by {small(worst)}; targets 1 and 2 from 1e-100: times as "
    holds = worst < 1e-6 and np.allclose(ratios, [1, 2, 2], atol=0.01)
    return Finding(bool(holds), f"{number}{told} at N = 1, 2, 4")


def survives_the_edge() -> Finding:
    """Look at which rates survive on the gas data, and at the layers beyond the linear limit."""
    record = load_record("gas_l2")
    one, two = (record.of(depth=depth) for depth in (1, 2))
    gone = one.rates[one.diverged_at[0] >= 0].min(initial=np.inf)
    ends = two.losses[-1, 0] - record.least
    loss, cars = _cars(2), load_auto_mpg(standardized=True)
    hessian, share = cars.X.T @ cars.X / len(cars.y), 1.1
    rate = share * 2 / float(np.linalg.eigvalsh(hessian)[-1])
    start = balanced_network(np.full(7, 0.005), 2)
    run = train(start, loss, optimizer=GradientDescent(rate), steps=2_000, progress=False)
    assert run.weights is not None  # train records them
    w1, scalar = run.weights[0][-1, 0], float(run.weights[1][-1, 0, 0])
    mixed = (scalar * hessian @ w1 + loss.gradient(scalar * w1))[:, None]
    layers = np.block([[scalar**2 * hessian, mixed], [mixed.T, w1[None] @ hessian @ w1[:, None]]])
    edge, balance = rate * float(np.linalg.eigvalsh(layers)[-1]), scalar**2 - float(w1 @ w1)
    number = (
        f"gas: depth 1 diverges from {gone:g} on, depth 2 at none of 9 rates, excess "
        f"{ends.min():.4f} to {ends.max():.4f}; cars at {share} of the limit: sharpness times rate "
        f"{edge:.2f}, balance {balance:.2f}"
    )
    alive = bool(
        np.isfinite(gone) and np.all(two.diverged_at < 0) and ends.max() < 1.1 * ends.min()
    )
    return Finding(alive and 1.9 < edge < 2 and balance < -0.2, number)
