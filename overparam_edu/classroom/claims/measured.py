"""Checks of the claims of lessons 06 to 08: experiments, run now if short, else as recorded.

Each function is named after its claim. Whatever is said of a recorded run is computed from its
curves. What is tested is looked up in this module, so that a test can put something wrong there.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from overparam_edu._validation import Array
from overparam_edu.classroom.claims.finding import Finding, found
from overparam_edu.dynamics.linear_network import near_zero_network
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.comparison import arrivals, overtakes, tuned
from overparam_edu.experiments.convnet import convnet_parameter_count
from overparam_edu.experiments.convnet_runs import recorded_convnet
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.going_deeper import first_move
from overparam_edu.experiments.records import Record, load_record
from overparam_edu.experiments.regression import learning_curves, least_loss
from overparam_edu.experiments.replication import Variant, one_change_at_a_time
from overparam_edu.experiments.rule_against_network import compare_rule_with_network, rebalance

_DEEP = (2, 3)


def rule_on_the_network() -> Finding:
    """Check that on real data the rule's loss curve lies on that of the layers."""
    cars = load_auto_mpg(standardized=True)
    apart = []
    for p in (2, 4):
        loss = LpRegression(cars.X, cars.y, p=p, reduction="mean")
        for depth in _DEEP:
            layers = rebalance(near_zero_network((7, *[1] * depth), 0.1, rng=0))
            run = compare_rule_with_network(layers, loss, learning_rate=0.005, steps=4_000)
            gap = np.abs(run.rule.losses - run.network.losses).max()
            apart.append(gap / run.network.losses[0])
    number = f"l2 and l4, depths 2 and 3: curves at most {max(apart):.2%} of the start's loss apart"
    return found(max(apart) < 0.01, number)


def _gains(record: Record, tolerance: float) -> dict[int, float]:
    """Return how many times fewer iterations each depth takes than depth 1."""
    level = record.least * (1 + tolerance)
    taken = {N: float(np.median(arrivals(record.of(depth=N), level).steps)) for N in (1, *_DEEP)}
    return {N: taken[1] / taken[N] for N in _DEEP}


def _listed(gains: dict[int, float]) -> str:
    return ", ".join(f"{gain:.1f} at depth {N}" for N, gain in gains.items())


def squares_on_cars() -> Finding:
    """Check that no depth gains on the squares."""
    gains = _gains(load_record("cars_l2"), 1e-4)
    return found(max(gains.values()) < 1, f"iterations of depth 1 over theirs: {_listed(gains)}")


def quartic_on_cars() -> Finding:
    """Check that depths 2 and 3 gain on the fourth powers."""
    gains = _gains(load_record("cars_l4"), 1e-4)
    return found(min(gains.values()) > 1, f"iterations of depth 1 over theirs: {_listed(gains)}")


def loose_tolerance() -> Finding:
    """Check that the same curves, judged early, show no gain."""
    record = load_record("cars_l4")
    loose, strict = _gains(record, 0.5), _gains(record, 1e-4)
    number = f"within 50 %: {_listed(loose)}; within 0.01 %: {_listed(strict)}"
    return found(max(loose.values()) < 1 < min(strict.values()), number)


def _at_the_end(record: Record, depth: int) -> float:
    return float(np.median(tuned(record.of(depth=depth)).losses[-1]))


def squares_on_gas() -> Finding:
    """Compare the ends of depths 1 and 2."""
    record = load_record("gas_l2")
    ends = [_at_the_end(record, depth) for depth in (1, 2)]
    number = f"loss after 100,000: {ends[0]:.4f} at depth 1, {ends[1]:.4f} at depth 2"
    return found(ends[1] > 0.99 * ends[0], number)


def quartic_on_gas() -> Finding:
    """Find when depths 2 and 3 reach the end of depth 1."""
    record = load_record("gas_l4_seeds")
    end, last = _at_the_end(record, 1), record.curves[0].steps[-1]
    taken = {N: np.median(arrivals(record.of(depth=N), end).steps) for N in _DEEP}
    gains = {N: float(last / steps) for N, steps in taken.items()}
    number = f"iterations to depth 1's loss after {last:,}: fewer by {_listed(gains)}"
    return found(min(gains.values()) > 1, number)


def _against(accelerator: str) -> Finding:
    """Compare plain gradient descent on two layers with an accelerator on one."""
    record = load_record("gas_l4")
    deep, rival = tuned(record.of(depth=2)), tuned(record.of(depth=1, optimizer=accelerator))
    ends = [float(np.median(run.losses[-1])) for run in (deep, rival)]
    since = overtakes(deep, rival)
    ahead = f"ahead for good from {since:,.0f}" if np.isfinite(since) else "not ahead"
    number = f"loss after 1,000,000: {ends[0]:.4f} at depth 2, {accelerator} {ends[1]:.4f}; {ahead}"
    return found(ends[0] < ends[1], number, as_stated=since == 0)


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
        float(np.median(tuned(record.of(depth=depth, optimizer="Adam")).losses[-1]))
        for depth in (1, 2)
    ]
    cars = load_auto_mpg(standardized=True)
    loss = LpRegression(cars.X, cars.y, p=4, reduction="mean")
    runs = learning_curves(
        cars.X, cars.y, depths=(1, 2), optimizer="Adam", seeds=[0], steps=400, progress=False
    )
    one, two = (float(arrivals(run, 1.01 * least_loss(loss)).steps[0]) for run in runs)
    number = (
        f"gas data, after 100,000: {ends[0]:.4f} at depth 1, {ends[1]:.4f} at depth 2; "
        f"Auto MPG, to within 1 %: {one:,.0f} and {two:,.0f} iterations"
    )
    return found(ends[1] < ends[0], number, as_stated=two < one)


def near_zero_stalls() -> Finding:
    """Check that deeper networks start later, and the deepest not at all."""
    record = load_record("cars_deeper")
    moves = {N: first_move(record.of(depth=N)) for N in (2, 3, 4, 8, 16)}
    number = f"first move: {', '.join(f'{_step(s)} at depth {N}' for N, s in moves.items())}"
    later = list(moves.values()) == sorted(moves.values())
    return found(later and np.isinf(moves[16]), number)


def identity_moves() -> Finding:
    """Check that from the identity all depths move at once, and arrive."""
    record = load_record("cars_deeper")
    curves = {N: record.of(depth=N, start="identity") for N in (2, 4, 8, 16, 32)}
    moves = [first_move(c) for c in curves.values()]
    ends = {N: float(np.median(tuned(c).losses[-1])) / record.least for N, c in curves.items()}
    number = (
        f"first move after {_step(max(moves))}; depth 32 ends at {ends[32]:.2f} times the least"
    )
    return found(max(moves) <= 3 and max(ends.values()) < 2, number)


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
    return found(np.isinf(zero) and one < 100, number)


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
    return found(talk > 2 and expected <= set(hidden), number)


def convnet_parameters() -> Finding:
    """Count."""
    original, deep = (convnet_parameter_count(network) for network in ("original", "factors"))
    number = f"{original:,} and {deep - original:,} more ({deep / original - 1:.1%})"
    return found((original, deep - original) == (1_663_370, 262_244), number)


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
    return found(bool(np.all(after < before)), number)


def convnet_batch_loss() -> Finding:
    """Compare the sum that is plotted, with the decay on the factors or their product."""
    original, factors, product = (
        float(np.median(_end("total", name))) for name in ("original", "factors", "product")
    )
    number = (
        f"{original:.1f} without them; with them {factors:.1f} if the factors decay, {product:.1f} "
        "if their product does"
    )
    return found(product < original, number, as_stated=factors < original)


def mostly_decay() -> Finding:
    """Measure how much of the plotted loss is weight decay at the end."""
    share = float(np.mean(_end("decay", "original") / _end("total", "original")))
    return found(share > 0.5, f"{share:.0%} of the loss at the end is weight decay")
