"""Checks of the claims of lessons 04 and 05: no regularizer, and why depth can be faster.

Each function is named after its claim, and looks up in this module what it tests, so that a test
can put something wrong there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from overparam_edu._validation import Array
from overparam_edu.classroom.claims.finding import Finding, found, small
from overparam_edu.derivations.illustration import tuned_gain
from overparam_edu.derivations.potential import find_potential
from overparam_edu.derivations.symbolic_loss import SymbolicLoss
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.descent import descend
from overparam_edu.dynamics.end_to_end import single_output_direction
from overparam_edu.dynamics.line_integral import line_integral
from overparam_edu.dynamics.losses import LinearLoss, Loss, QuadraticLoss, SeparableLp
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.tuning import tuned_learning_rate

_LINEAR = LinearLoss([0.0, 1.0])
_SQUARES, _QUARTIC = SeparableLp((1.0, 0.1), p=2), SeparableLp((1.0, 0.1), p=4)
_SQUEEZED = QuadraticLoss([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.5])
_POINTS = np.array([[0.7, 0.2], [-0.4, 0.9], [1.3, -0.6], [0.1, 0.33], [-0.8, -0.5]])
_START = np.array([0.01, 0.01])


# --- beyond regularization ---


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
    return found(deep > 1e-3, number, as_stated=two > 1e-3)


def loop_formula() -> Finding:
    """Check that for a linear loss the loop is a formula in N, r and R."""
    N, r, R = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0]), 0.2, 1.0
    q = 3 - 2 / N
    formula = 2 * (R**q - r**q) * (N - 1) * (N - 2) / (3 * N - 2)
    error = np.abs(line_integral(_LINEAR, N, r, R).total - formula).max()
    return found(error < 1e-9, f"Gauss-Legendre differs by {small(error)}; N = 3: {formula[4]:.4f}")


def loop_from_the_axis() -> Finding:
    """Check that the values of the loss on one line give the loop."""
    depths = np.array([1.0, 1.5, 2.0, 3.0, 8.0])
    loops = [line_integral(loss, depths, 0.2, 1.0) for loss in (_SQUARES, _QUARTIC, _SQUEEZED)]
    error = max(np.abs(loop.total - np.asarray(loop.closed_form)).max() for loop in loops)
    return found(error < 1e-9, f"15 loops, closed form against Gauss-Legendre: {small(error)}")


def depth_two_exception() -> Finding:
    """Check which losses have a potential at depth 2."""
    flat = max(_turn(loss, 2) for loss in (_LINEAR, _SQUARES))
    exists = [find_potential(text, 2).exists for text in ("w1 + 2*w2", "(w1-1)^2 + (w2-1)^2")]
    bent = min(_turn(loss, 2) for loss in (_SQUEEZED, _QUARTIC))
    number = f"curl {small(flat)}; with p = 4 or another shape {bent:.2g}"
    return found(flat < 1e-9 and all(exists) and bent > 1e-2, number)


def zero_loop() -> Finding:
    """Check that a squeezed quadratic has a curl, and a loop of 0."""
    loop, turn = _loop(_SQUEEZED, 2), _turn(_SQUEEZED, 2)
    number = f"squeezed quadratic, N = 2: loop {small(loop)}, curl {turn:.2f}"
    return found(loop < 1e-9 and turn > 1e-2, number)


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
    return found(all(agree), f"criterion and curl agree on {sum(agree)} of {len(cases)} losses")


def slope_at_zero() -> Finding:
    """Check that a loss of the length alone has a potential at depth 3."""
    exists = find_potential("(w1^2 + w2^2 - 1)^2", 3).exists
    other = find_potential("(w1^2 + w2^2 - 1)^2 + w1", 3).exists
    number = f"potential at N = 3: {_yes(exists)}; with a slope at 0: {_yes(other)}"
    return found(exists and not other, number)


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


# --- illustration of acceleration ---


def _comes_down(rate: float, p: float) -> bool:
    loss = SeparableLp((1.6, 0.1), p)
    run = descend(loss, [0.0, 0.0], optimizer=GradientDescent(rate), steps=300)
    return bool(run.diverged_at < 0 and run.losses[-1] < run.losses[0])


def stability_bound() -> Finding:
    """Halve the interval between a rate that comes down and one that does not."""
    edges = []
    for p in (2, 4, 6):
        low, high, bound = 0.0, 10.0, 2 / 1.6 ** (p - 2)
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if _comes_down(middle * bound, p) else (low, middle)
        edges.append(low)
    off = max(abs(edge - 1) for edge in edges)
    number = f"measured edge over formula, p = 2, 4, 6: {', '.join(f'{e:.3f}' for e in edges)}"
    return found(off < 0.01, number)


def crawl() -> Finding:
    """Measure the power of the time with which the near coordinate's distance falls."""
    powers = []
    for p in (4, 6):
        loss = SeparableLp((1.0, 0.3), p)
        steps = [10**4, 4 * 10**4]
        run = descend(
            loss,
            [0.0, 0.0],
            optimizer=GradientDescent(1.0),
            steps=steps[1],
            record=steps,
            progress=False,
        )
        gaps = 0.3 - run.points[:, 1]
        powers.append(float(np.log(gaps[1] / gaps[0]) / np.log(4)))
    number = f"power of t measured {powers[0]:.3f} for p = 4, {powers[1]:.3f} for p = 6"
    return found(abs(powers[0] + 1 / 2) < 0.03 and abs(powers[1] + 1 / 4) < 0.03, number)


def slide_norm() -> Finding:
    """Compare the slide's factor with that of the rule, for a gradient across w."""
    ratios = []
    for w in (np.array([1.0, 1.0]), np.array([1.0, 0.01])):
        across = np.array([-w[1], w[0]])
        factor = np.linalg.norm(single_output_direction(w, across, 4)) / np.linalg.norm(across)
        ratios.append(float(w.sum() ** 1.5 / factor))
    worst, near = ratios
    number = f"N = 4: factor too large by {worst:.2f} at w₁ = w₂, by {near:.2f} at w₂ = w₁/100"
    return found(abs(near - 1) < 0.02, number, as_stated=abs(worst - 1) < 0.02)


@cache
def _tuned_steps(y1: float, y2: float, p: float, depths: tuple[float, ...]) -> Array:
    target = 0.01 * y2**p / p
    return tuned_learning_rate(SeparableLp((y1, y2), p), _START, depth=depths, target=target).steps


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
    return found(close, number, as_stated=np.abs(fair / slide - 1).max() < 0.05)


def _pair(values: Array) -> str:
    return " and ".join(f"{value:.2f}" for value in values)


def faster_at_four() -> Finding:
    """Check that each depth above 1 needs fewer steps at its own tuned rate."""
    steps = _tuned_steps(1.0, 0.1, 4, (1.0, 2.0, 3.0))
    number = f"steps at N = 1, 2, 3, own rates: {', '.join(f'{s:.0f}' for s in steps)}"
    return found(bool(np.all(steps[1:] < steps[0])), number)


def gain_estimate() -> Finding:
    """Compare the estimate of the tuned gain with what is measured."""
    steps = _tuned_steps(1.0, 0.03, 4, (1.0, 2.0, 3.0))
    measured = steps[0] / steps[1:]
    estimate = np.array([tuned_gain(4, depth) for depth in (2, 3)])
    number = f"N = 2, 3: measured {_pair(measured)}, estimated {_pair(estimate)}"
    return found(bool(np.all(np.abs(measured / estimate - 1) < 0.25)), number)


def no_gain_at_two() -> Finding:
    """Check that for p = 2 depth 1 needs the fewest steps."""
    steps = _tuned_steps(1.0, 0.1, 2, (1.0, 2.0, 3.0, 4.0))
    number = f"steps at N = 1 to 4, own rates: {', '.join(f'{s:.0f}' for s in steps)}"
    return found(bool(np.all(steps[1:] > steps[0])), number)


def start_at_zero() -> Finding:
    """Check that from 0 nothing moves, and from near 0 deeper is later."""
    still, run = (
        descend(_QUARTIC, start, depth=[2, 3, 4], optimizer=GradientDescent(0.5), steps=2_000)
        for start in (0 * _START, _START)
    )
    moved, waits = np.abs(still.points).max(), run.steps_to(still.losses[0] / 2)
    later = bool(np.all(np.diff(waits) > 0) and np.isfinite(waits[-1]))
    half = ", ".join(f"{wait:.0f}" for wait in waits)
    number = f"from 0: moved {moved:g}; from 0.01: half-way after {half} at N = 2, 3, 4"
    return found(moved == 0 and later, number)
