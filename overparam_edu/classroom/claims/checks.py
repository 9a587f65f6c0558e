"""A check of each claim, in the order of the lessons: a function of the claim's name.

Runs are made now if they are short, else read from the records; what is said of a recorded run is
computed from its curves. What is tested is looked up in this module, so that a test can put
something wrong in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from overparam_edu.checks import Array
from overparam_edu.classroom.claims.ledger import Finding, small
from overparam_edu.derivations.illustration import tuned_gain
from overparam_edu.derivations.own_loss import SymbolicLoss
from overparam_edu.derivations.potential import find_potential
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.loops import line_integral
from overparam_edu.dynamics.losses import LinearLoss, Loss, LpRegression, QuadraticLoss, SeparableLp
from overparam_edu.dynamics.networks import LinearNetwork, balanced_network, near_zero_network
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.rule import (
    end_to_end_direction,
    preconditioner,
    single_output_direction,
)
from overparam_edu.dynamics.training import descend, gradient_flow, train
from overparam_edu.dynamics.tuning import tuned_learning_rate
from overparam_edu.dynamics.warm_up import (
    WarmUpRun,
    rebuild_from_gradients,
    run_warm_up,
    warm_up_coefficients,
)
from overparam_edu.experiments.compare import best_curve, overtaking_step, steps_to_level
from overparam_edu.experiments.convnet import convnet_parameter_count, recorded_convnet
from overparam_edu.experiments.curves import learning_curves, least_loss
from overparam_edu.experiments.datasets import load_auto_mpg, two_feature_loss
from overparam_edu.experiments.deeper import first_move
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
_DEEP = (2, 3)


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
    (W,) = _matrices(3, 4, count=1)
    products = [
        balanced_network(W, depth, hidden=hidden).end_to_end_matrix
        for depth in (2, 3, 8)
        for hidden in (3, 7)
    ]
    error = max(np.abs(product - W).max() for product in products)
    missed = np.linalg.svd(W)[1][2]  # what no product through width 2 can have
    number = f"difference {small(error)}; a layer of width 2 misses by {missed:.2f}"
    return Finding(error < 1e-9, number, as_stated=missed < 1e-9)


def not_convex() -> Finding:
    """Check that half-way between two minima of two layers the loss is higher."""
    loss = SeparableLp((1.0,), p=2)

    def value(scalar: float) -> float:
        network = LinearNetwork((np.array([[scalar]]), np.array([[scalar]])))
        return float(loss.value(network.end_to_end_matrix[0]))

    ends, middle = (value(1.0) + value(-1.0)) / 2, value(0.0)
    return Finding(middle > ends, f"loss {ends:g} at two minima, {middle:g} half-way between them")


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
    return Finding(abs(order - 2) < 0.05, f"what is left out falls as η^{order:.2f}")


def _rebuild_error(steps: int) -> float:
    run = _warm_up(14.0 / steps, 14.0)
    memory = warm_up_coefficients(run.omega2[:-1], run.d_omega2, run.learning_rate)
    rebuilt = rebuild_from_gradients(memory, run.gradients, start=run.points[0])
    return float(np.abs(rebuilt - run.points).max())


def warm_up_memory() -> Finding:
    """Measure the order at which the past gradients alone rebuild a run."""
    order = _order(_rebuild_error(200), _rebuild_error(800), ratio=4)
    return Finding(abs(order - 1) < 0.1, f"the rebuilt path's error falls as η^{order:.2f}")


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
    network = near_zero_network((4, 5, 5, 3), scale=0.5, rng=0)
    flow = gradient_flow(synthetic_regression(), network, times=[0.0, 1.0, 5.0], rtol=1e-9)
    assert flow.weights is not None
    first, second, _ = flow.weights
    gaps = np.swapaxes(second, -1, -2) @ second - first @ np.swapaxes(first, -1, -2)
    drift, moved = np.abs(gaps - gaps[0]).max(), np.abs(first[-1] - first[0]).max()
    number = f"changes by {small(drift)} while weights move {moved:.2f}"
    return Finding(drift < 1e-6 < moved, number)


def end_to_end_rule() -> Finding:
    """Measure the order at which balanced layers, and others, follow the rule."""
    loss, rates = synthetic_regression(), [0.02, 0.01, 0.005]
    balanced, drawn = (
        measure_distance_order(network, loss, learning_rates=rates, time=3.0).order
        for network in (balanced_network(_MATRIX, 3), near_zero_network((4, 3, 3, 3), 0.5, rng=0))
    )
    number = f"distance falls as η^{balanced:.2f}; from random layers of size 0.5 as η^{drawn:.2f}"
    return Finding(abs(balanced - 1) < 0.1, number, as_stated=abs(drawn - 1) < 0.1)


def width_free() -> Finding:
    """Check that three widths take one path."""
    loss, ends = synthetic_regression(), []
    for hidden in (3, 8, 50):
        wide = turn_hidden_layers(balanced_network(_MATRIX, 3, hidden=hidden), rng=hidden)
        ends.append(train(wide, loss, optimizer=GradientDescent(0.05), steps=300).points[-1])
    error = max(np.abs(end - ends[0]).max() for end in ends)
    return Finding(
        error < 1e-9, f"widths 3, 8, 50: matrices after 300 steps differ by {small(error)}"
    )


def weight_decay() -> Finding:
    """Measure the order at which decaying layers follow the rule with decay."""
    order = measure_distance_order(
        balanced_network(_MATRIX, 3),
        synthetic_regression(),
        learning_rates=[0.02, 0.01, 0.005],
        time=3.0,
        weight_decay=0.1,
    ).order
    return Finding(abs(order - 1) < 0.1, f"distance to the layers falls as η^{order:.2f}")


def near_zero_is_balanced() -> Finding:
    """Measure how far random layers of eight seeds stray from the rule, beside balanced ones."""
    loss, said, even, random = _cars(4), [], 0.0, 0.0
    for depth in _DEEP:
        drawn = [near_zero_network((7, *[1] * depth), 0.1, rng=seed) for seed in range(8)]
        layers = [*drawn, *map(rebalance, drawn[:2])]
        strays = np.array(
            [
                compare_rule_with_network(
                    each, loss, learning_rate=0.01, steps=3_000
                ).distances.max()
                for each in layers
            ]
        )
        even, random = max(even, strays[8:].max()), max(random, strays[:8].max())
        said.append(f"{strays[:8].min():.1%} to {strays[:8].max():.0%} at depth {depth}")
    number = (
        f"layers stray from the rule by {even:.1%} if balanced; random ones {' and '.join(said)}"
    )
    return Finding(even < 0.02, number, as_stated=random < 0.02)


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
    return Finding(max(errors) < 1e-9, f"rule and eigenvalues differ by {small(max(errors))}")


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
    W, depth = np.diag([2.0, 0.5]), 3
    steps = [
        end_to_end_direction(W, np.diag(axis), depth)[place, place]
        for place, axis in enumerate(([1.0, 0.0], [0.0, 1.0]))
    ]
    ratio, formula = steps[0] / steps[1], 4 ** (2 - 2 / depth)
    number = f"σ = 2 against 0.5 at depth 3: steps {ratio:.2f} times as long"
    return Finding(abs(ratio - formula) < 1e-9, number)


def single_output() -> Finding:
    """Check that Claim 2 is the rule for a matrix of one row."""
    w, g = _matrices(5)
    errors = [
        np.abs(
            single_output_direction(w, g, depth) - end_to_end_direction(w[None], g[None], depth)[0]
        ).max()
        for depth in (1, 2, 3, 8)
    ]
    return Finding(max(errors) < 1e-9, f"difference {small(max(errors))}")


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


def _loop(loss: Loss, depth: float) -> float:
    """Return the work round the curve of Theorem 2, relative to that of its largest piece."""
    loop = line_integral(loss, depth, 0.2, 1.0)
    return float(abs(loop.total) / np.abs(loop.segments).max())


def _turn(loss: Loss, depth: float) -> float:
    """Return the largest curl at some points, relative to the gradient."""
    return float(np.abs(curl(loss, depth, _POINTS)).max() / np.abs(loss.gradient(_POINTS)).max())


def no_regularizer() -> Finding:
    """Check that no loop is 0 above depth 2; at depth 2 some are."""
    deep = min(_loop(loss, N) for loss in (_LINEAR, _SQUARES, _QUARTIC) for N in (2.5, 3, 4, 8))
    two = min(_loop(loss, 2) for loss in (_LINEAR, _SQUARES, _QUARTIC))
    number = f"N above 2: at least {deep:.3f} of the largest piece; N = 2: {small(two)}"
    return Finding(deep > 1e-3, number, as_stated=two > 1e-3)


def loop_formula() -> Finding:
    """Check that for a linear loss the loop is a formula in N, r and R."""
    N, r, R = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0]), 0.2, 1.0
    q = 3 - 2 / N
    formula = 2 * (R**q - r**q) * (N - 1) * (N - 2) / (3 * N - 2)
    error = np.abs(line_integral(_LINEAR, N, r, R).total - formula).max()
    number = f"Gauss-Legendre differs by {small(error)}; N = 3: {formula[4]:.4f}"
    return Finding(error < 1e-9, number)


def loop_from_the_axis() -> Finding:
    """Check that the values of the loss on one line give the loop."""
    depths = np.array([1.0, 1.5, 2.0, 3.0, 8.0])
    loops = [line_integral(loss, depths, 0.2, 1.0) for loss in (_SQUARES, _QUARTIC, _SQUEEZED)]
    error = max(np.abs(loop.total - np.asarray(loop.closed_form)).max() for loop in loops)
    return Finding(error < 1e-9, f"15 loops, closed form against Gauss-Legendre: {small(error)}")


def depth_two_exception() -> Finding:
    """Check which losses have a potential at depth 2."""
    flat = max(_turn(loss, 2) for loss in (_LINEAR, _SQUARES))
    exists = [find_potential(text, 2).exists for text in ("w1 + 2*w2", "(w1-1)^2 + (w2-1)^2")]
    bent = min(_turn(loss, 2) for loss in (_SQUEEZED, _QUARTIC))
    number = f"curl {small(flat)}; with p = 4 or another shape {bent:.2g}"
    return Finding(flat < 1e-9 and all(exists) and bent > 1e-2, number)


def zero_loop() -> Finding:
    """Check that a squeezed quadratic has a curl, and a loop of 0."""
    loop, turn = _loop(_SQUEEZED, 2), _turn(_SQUEEZED, 2)
    number = f"squeezed quadratic, N = 2: loop {small(loop)}, curl {turn:.2f}"
    return Finding(loop < 1e-9 and turn > 1e-2, number)


def criterion() -> Finding:
    """Check that the criterion decides as the curl does, on seven losses."""
    cases: Sequence[tuple[str, int]] = (
        ("w1 + 2*w2", 2),
        ("w1 + 2*w2", 3),
        ("(w1-1)^2 + (w2-1/10)^2", 2),
        ("(w1-1)^2 + (w2-1/10)^2", 3),
        ("2*(w1-1)^2 + w2^2", 2),
        ("(w1-1)^4 + w2^4", 2),
        ("(w1^2 + w2^2 - 1)^2", 3),
    )
    agree = [
        find_potential(text, N).exists == (_turn(SymbolicLoss(text), N) < 1e-6) for text, N in cases
    ]
    return Finding(all(agree), f"criterion and curl agree on {sum(agree)} of {len(cases)} losses")


def slope_at_zero() -> Finding:
    """Check that a loss of the length alone has a potential at depth 3."""
    exists = find_potential("(w1^2 + w2^2 - 1)^2", 3).exists
    other = find_potential("(w1^2 + w2^2 - 1)^2 + w1", 3).exists
    number = f"potential at N = 3: {_yes(exists)}; with a slope at 0: {_yes(other)}"
    return Finding(exists and not other, number)


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


# --- lesson 05: why depth can be faster ---


def _comes_down(rate: float, p: float) -> bool:
    loss = SeparableLp((1.6, 0.1), p)
    run = descend(loss, [0.0, 0.0], optimizer=GradientDescent(rate), steps=300)
    return bool(run.diverged_at < 0 and run.losses[-1] < run.losses[0])


def stability_bound() -> Finding:
    """Halve the interval between a rate that comes down and one that does not."""
    edges = []
    for p in (2, 3, 4, 6):
        low, high, bound = 0.0, 10.0, 2 / 1.6 ** (p - 2)
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if _comes_down(middle * bound, p) else (low, middle)
        edges.append(low)
    off = max(abs(edge - 1) for edge in edges)
    number = f"measured edge over formula, p = 2, 3, 4, 6: {', '.join(f'{e:.3f}' for e in edges)}"
    return Finding(off < 0.01, number)


def crawl() -> Finding:
    """Measure the power of the time with which both distances fall, and the far one's share."""
    off, least, lucky = 0.0, 1.0, 1.0
    for p in (3, 4, 6):
        # Below 1 every rate keeps the order of the distances; 2 (p - 1) is the edge of stability.
        factors = np.array([0.5, 0.99, 0.9 * (p - 1), p - 1, 1.5 * (p - 1), 1.8 * (p - 1)])
        run = descend(
            SeparableLp((1.0, 0.3), p),
            [0.0, 0.0],
            optimizer=GradientDescent(factors / (p - 1)),
            steps=160_000,
            record=40,
            progress=False,
        )
        gaps = np.abs(run.points - [1.0, 0.3])
        powers = np.log(gaps[-1, :2] / gaps[1000, :2]) / np.log(4)
        shares = (gaps[..., 0] ** p / (gaps**p).sum(axis=-1)).min(axis=0)
        off = max(off, float(np.abs(powers * (p - 2) + 1).max()))
        least, lucky = min(least, float(shares[:2].min())), min(lucky, float(shares.min()))
    number = (
        f"p = 3, 4, 6: powers of t off by {off:.1%} at most, the far one's share at least "
        f"{least:.0%}; at larger rates {lucky:.0%}"
    )
    holds = off < 0.05 and least > 0.4999
    return Finding(holds, number, as_stated=holds and lucky > 0.4999)


def slide_norm() -> Finding:
    """Compare the slide's factor with that of the rule, for a gradient across w."""
    ratios = []
    for w in (np.array([1.0, 1.0]), np.array([1.0, 0.01])):
        across = np.array([-w[1], w[0]])
        factor = np.linalg.norm(single_output_direction(w, across, 4)) / np.linalg.norm(across)
        ratios.append(float(w.sum() ** 1.5 / factor))
    worst, near = ratios
    number = f"N = 4: factor too large by {worst:.2f} at w₁ = w₂, by {near:.2f} at w₂ = w₁/100"
    return Finding(abs(near - 1) < 0.02, number, as_stated=abs(worst - 1) < 0.02)


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
    """Measure the gain at one rate, after w_1 has arrived, and at tuned rates."""
    y1, y2, depths = 2.0, 0.1, np.array([1.0, 2.0, 3.0])
    loss = SeparableLp((y1, y2), 4)
    run = descend(
        loss,
        [y1, 0.0],
        depth=depths,
        optimizer=GradientDescent(0.01),
        steps=60_000,
        record=20,
        progress=False,
    )
    steps = run.steps_to(0.01 * y2**4 / 4)
    shared, slide = steps[0] / steps[1:], y1 ** (2 - 2 / depths[1:])
    tuned = _tuned_steps(y1, y2, 4, (1.0, 2.0, 3.0))
    fair = tuned[0] / tuned[1:]
    number = f"y₁ = 2: slide {_pair(slide)}, same rate {_pair(shared)}, own rates {_pair(fair)}"
    close = np.abs(shared / slide - 1).max() < 0.05
    return Finding(close, number, as_stated=np.abs(fair / slide - 1).max() < 0.05)


def _pair(values: Array) -> str:
    return " and ".join(f"{value:.2f}" for value in values)


def faster_at_four() -> Finding:
    """Check that depths 2 and 3 need fewer steps at their tuned rates, and where they don't."""
    cases = ((0.1, (0.01, 0.01)), (0.05, (0.01, 0.01)), (0.1, (0.01, 0.002)), (0.1, (0.1, 0.1)))
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
    round_one = _tuned_steps(1.0, 0.1, 2, (1.0, 2.0, 3.0, 4.0))
    (steep, worse), (flat, better) = _bowl((0.05, 1.0)), _bowl((1.0, 0.05))
    costs = all(np.all(steps[1:] > steps[0]) for steps in (round_one, steep))
    helps = bool(np.all(flat[1:] < flat[0]))
    predicted = bool(np.all(np.diff(worse) > 0) and np.all(np.diff(better) < 0))
    number = (
        f"steps at N = 1 to 4, own rates: {_counts(round_one)}; w* along the steep axis of a bowl "
        f"{_counts(steep)} (κ {_counts(worse)}), along the flat one {_counts(flat)} "
        f"(κ {_counts(better)})"
    )
    return Finding(bool(costs and predicted), number, as_stated=not helps)


def start_at_zero() -> Finding:
    """Check that from 0 nothing moves, and that from near 0 deeper networks leave later."""
    still, *runs = (
        descend(_QUARTIC, [scale] * 2, depth=[2, 3, 4], optimizer=GradientDescent(0.5), steps=2_000)
        for scale in (0.0, 0.01, 0.001, 0.0001)
    )
    moved = np.abs(still.points).max()
    waits = np.array([run.steps_to(still.losses[0] / 2) for run in runs])
    later = bool(np.all(np.diff(waits) > 0) and np.isfinite(waits).all())
    number = (
        f"from 0: moved {moved:g}; half-way at N = 2, 3, 4 from 0.01 after {_counts(waits[0])}, "
        f"from 0.0001 after {_counts(waits[-1])}"
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


def squares_on_cars() -> Finding:
    """Check that no depth gains on the squares."""
    gains = _gains(load_record("cars_l2"), 1e-4)
    return Finding(max(gains.values()) < 1, f"iterations of depth 1 over theirs: {_listed(gains)}")


def quartic_on_cars() -> Finding:
    """Check that depths 2 and 3 gain on the fourth powers."""
    gains = _gains(load_record("cars_l4"), 1e-4)
    return Finding(min(gains.values()) > 1, f"iterations of depth 1 over theirs: {_listed(gains)}")


def loose_tolerance() -> Finding:
    """Check that the same curves, judged early, show no gain."""
    record = load_record("cars_l4")
    loose, strict = _gains(record, 0.5), _gains(record, 1e-4)
    number = f"within 50 %: {_listed(loose)}; within 0.01 %: {_listed(strict)}"
    return Finding(max(loose.values()) < 1 < min(strict.values()), number)


def _at_the_end(record: Record, depth: int) -> float:
    return float(np.median(best_curve(record.of(depth=depth)).losses[-1]))


def squares_on_gas() -> Finding:
    """Compare the ends of depths 1 and 2."""
    record = load_record("gas_l2")
    ends = [_at_the_end(record, depth) for depth in (1, 2)]
    number = f"loss after 100,000: {ends[0]:.4f} at depth 1, {ends[1]:.4f} at depth 2"
    return Finding(ends[1] > 0.99 * ends[0], number)


def quartic_on_gas() -> Finding:
    """Find when depths 2 and 3 reach the end of depth 1."""
    record = load_record("gas_l4_seeds")
    end, last = _at_the_end(record, 1), record.curves[0].steps[-1]
    taken = {N: np.median(steps_to_level(record.of(depth=N), end).steps) for N in _DEEP}
    gains = {N: float(last / steps) for N, steps in taken.items()}
    number = f"iterations to depth 1's loss after {last:,}: fewer by {_listed(gains)}"
    return Finding(min(gains.values()) > 1, number)


def _against(accelerator: str) -> Finding:
    """Compare plain gradient descent on two layers with an accelerator on one."""
    record = load_record("gas_l4")
    deep, rival = (
        best_curve(record.of(depth=2)),
        best_curve(record.of(depth=1, optimizer=accelerator)),
    )
    ends = [float(np.median(run.losses[-1])) for run in (deep, rival)]
    since = overtaking_step(deep, rival)
    ahead = f"ahead for good from {since:,.0f}" if np.isfinite(since) else "not ahead"
    number = f"loss after 1,000,000: {ends[0]:.4f} at depth 2, {accelerator} {ends[1]:.4f}; {ahead}"
    return Finding(ends[0] < ends[1], number, as_stated=since == 0)


def adagrad() -> Finding:
    """Compare plain gradient descent on two layers with AdaGrad on one."""
    return _against("AdaGrad")


def adadelta() -> Finding:
    """Compare plain gradient descent on two layers with AdaDelta on one."""
    return _against("AdaDelta")


def adam_on_top() -> Finding:
    """Compare Adam on two layers with Adam on one."""
    record = load_record("gas_adam")
    ends = [
        float(np.median(best_curve(record.of(depth=depth, optimizer="Adam")).losses[-1]))
        for depth in (1, 2)
    ]
    loss = _cars(4)
    runs = learning_curves(
        loss.X, loss.y, depths=(1, 2), optimizer="Adam", seeds=[0], steps=400, progress=False
    )
    one, two = (float(steps_to_level(run, 1.01 * least_loss(loss)).steps[0]) for run in runs)
    number = (
        f"gas data, after 100,000: {ends[0]:.4f} at depth 1, {ends[1]:.4f} at depth 2; "
        f"Auto MPG, to within 1 %: {one:,.0f} and {two:,.0f} iterations"
    )
    return Finding(ends[1] < ends[0], number, as_stated=two < one)


# --- lesson 07: going deeper ---


def near_zero_stalls() -> Finding:
    """Check that deeper networks start later, and the deepest not at all."""
    record = load_record("cars_deeper")
    moves = {N: first_move(record.of(depth=N)) for N in (2, 3, 4, 8, 16)}
    number = f"first move: {', '.join(f'{_step(s)} at depth {N}' for N, s in moves.items())}"
    later = list(moves.values()) == sorted(moves.values())
    return Finding(later and np.isinf(moves[16]), number)


def identity_moves() -> Finding:
    """Check that from the identity all depths move at once, and arrive."""
    record = load_record("cars_deeper")
    curves = {N: record.of(depth=N, start="identity") for N in (2, 4, 8, 16, 32)}
    moves = [first_move(c) for c in curves.values()]
    ends = {N: float(np.median(best_curve(c).losses[-1])) / record.least for N, c in curves.items()}
    number = (
        f"first move after {_step(max(moves))}; depth 32 ends at {ends[32]:.2f} times the least"
    )
    return Finding(max(moves) <= 3 and max(ends.values()) < 2, number)


def _step(step: float) -> str:
    return f"{step:,.0f}" if np.isfinite(step) else "never"


def stall_on_gas() -> Finding:
    """Check the same at depth 8, and say when depth 4 starts at each of its learning rates."""
    record = load_record("gas_deeper")
    zero, one = (first_move(record.of(depth=8, start=s)) for s in ("near zero", "identity"))
    four = record.of(depth=4)
    waits = ", ".join(f"{_step(first_move(four, rate=r))} at η = {r:g}" for r in four.rates)
    number = (
        f"depth 8 first moves: near zero {_step(zero)}, identity after {_step(one)}; "
        f"depth 4 near zero: {waits}"
    )
    return Finding(np.isinf(zero) and one < 100, number)


@cache
def _variants() -> dict[str, Variant]:
    cars = load_auto_mpg(standardized=True)
    found = one_change_at_a_time(cars.X, cars.y, seeds=[0], steps=1_000, progress=False)
    return {variant.name: variant for variant in found}


def failed_replications() -> Finding:
    """Change one choice at a time, and see which of them hide the gain."""
    gains = {name: variant.gain for name, variant in _variants().items()}
    talk = gains.pop("the talk's way")
    hidden = [name for name, gain in gains.items() if not gain >= 1.1]
    number = f"gain {talk:.1f}; below 1.1 with {' or '.join(hidden)}"
    expected = {"mean squared error", "shared learning rate"}
    return Finding(talk > 2 and expected <= set(hidden), number)


# --- lesson 08: the convolutional network ---


def convnet_parameters() -> Finding:
    """Count the parameters with and without the extra matrices."""
    original, deep = (convnet_parameter_count(network) for network in ("original", "factors"))
    number = f"{original:,} and {deep - original:,} more ({deep / original - 1:.1%})"
    return Finding((original, deep - original) == (1_663_370, 262_244), number)


def _end(term: str, network: str) -> Array:
    """Return the mean over the last 100 steps of each recorded run."""
    runs = recorded_convnet()
    end: Array = runs.term(term)[runs.networks.index(network), :, -10:].mean(axis=1)
    return end


def convnet_faster() -> Finding:
    """Compare the data term, with and without the extra matrices."""
    before, after = _end("data", "original"), _end("data", "factors")
    number = (
        f"data term {np.median(before):.3f}, with them {np.median(after):.3f}; "
        f"lower for {np.sum(after < before)} of {len(after)} seeds"
    )
    return Finding(bool(np.all(after < before)), number)


def convnet_batch_loss() -> Finding:
    """Compare the sum that is plotted, with the decay on the factors or their product."""
    original, factors, product = (
        float(np.median(_end("total", name))) for name in ("original", "factors", "product")
    )
    number = (
        f"{original:.1f} without them; with them {factors:.1f} if the factors decay, {product:.1f} "
        "if their product does"
    )
    return Finding(product < original, number, as_stated=factors < original)


def mostly_decay() -> Finding:
    """Measure how much of the plotted loss is weight decay at the end."""
    share = float(np.mean(_end("decay", "original") / _end("total", "original")))
    return Finding(share > 0.5, f"{share:.0%} of the loss at the end is weight decay")
