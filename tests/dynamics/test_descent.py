"""How it moves in steps: lanes, divergence and records."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu import GradientDescent, Momentum, SeparableLp, descend, train
from overparam_edu.dynamics import training

ILLUSTRATION = SeparableLp((1.0, 0.1), p=4)
START = [0.05, 0.05]


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


SINGLE_OUTPUT = oe.LpRegression(random((8, 4)), random(8, 1), reduction="mean")
MULTI_OUTPUT = oe.LpRegression(random((8, 4)), random((8, 3), 1), reduction="mean")


def plain_loop(loss, w, N, rate, steps):
    """Return the points of one run, and the first step at which it or its loss is not finite."""
    w, diverged_at = np.array(w, float), -1
    points = [w]
    for t in range(steps + 1):
        with np.errstate(all="ignore"):
            if t:
                g = loss._gradient(w)
                if N > 1:
                    norm = np.sqrt(w @ w)
                    along = (N - 1) * (w @ g) / norm**2 * w if norm else 0 * w
                    g = norm ** (2 - 2 / N) * (g + along)
                w = w - rate * g
                points.append(w)
            if not (np.isfinite(w).all() and np.isfinite(loss._value(w))):
                diverged_at = t
                break
    missing = steps + 1 - len(points)
    points = np.concatenate([points, np.full((missing, len(w)), np.nan)])
    if diverged_at >= 0:
        points[diverged_at:] = np.nan
    return points, diverged_at


# --- lanes ---


def test_every_lane_is_the_plain_loop_with_its_depth_and_rate():
    depths, rates = np.array([1.0, 1.5, 2.0, 3.0, 8.0]), np.array([1e-2, 0.1, 0.5, 1.5])
    run = descend(
        ILLUSTRATION, START, depth=depths[:, None], optimizer=GradientDescent(rates), steps=300
    )
    assert run.points.shape == (301, 5, 4, 2)
    assert run.losses.shape == (301, 5, 4)
    for i, N in enumerate(depths):
        for j, rate in enumerate(rates):
            points, diverged_at = plain_loop(ILLUSTRATION, START, N, rate, 300)
            np.testing.assert_allclose(run.points[:, i, j], points, rtol=1e-9, atol=1e-12)
            assert run.diverged_at[i, j] == diverged_at
            assert run.depth[i, j] == N
            np.testing.assert_allclose(run.times[:, i, j], rate * np.arange(301))


@pytest.mark.parametrize(
    "loss", [ILLUSTRATION, SeparableLp((1.0, 0.1), p=2.5), SINGLE_OUTPUT, MULTI_OUTPUT]
)
def test_lanes_are_the_same_as_single_runs(loss):
    starts, rates = 0.3 * random((6, *loss.shape)), np.linspace(0.01, 0.1, 6)
    depths = np.array([1, 1.3, 2, 2.5, 3, 4])
    if loss is MULTI_OUTPUT:
        depths, starts[1] = np.ceil(depths), np.outer([1.0, 0, 2], [0.1, 0.2, 0, 0])
    lanes = descend(loss, starts, depth=depths, optimizer=GradientDescent(rates), steps=100)
    for i in range(6):
        alone = descend(
            loss, starts[i], depth=depths[i], optimizer=GradientDescent(rates[i]), steps=100
        )
        np.testing.assert_allclose(lanes.points[:, i], alone.points, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(lanes.losses[:, i], alone.losses, rtol=1e-11, atol=1e-15)


def test_lanes_of_networks_are_the_same_as_single_networks():
    loss = MULTI_OUTPUT
    networks = [oe.near_zero_network((4, 3, 3), 0.4, rng=seed) for seed in range(3)]
    stacked = oe.LinearNetwork(
        tuple(np.stack(layers) for layers in zip(*(n.weights for n in networks), strict=True))
    )
    rates = np.array([[0.02], [0.05]])
    lanes = train(stacked, loss, optimizer=Momentum(rates), steps=40)
    assert lanes.points.shape == (41, 2, 3, 3, 4)
    for i, j in np.ndindex(2, 3):
        alone = train(networks[j], loss, optimizer=Momentum(rates[i, 0]), steps=40)
        np.testing.assert_allclose(lanes.points[:, i, j], alone.points, rtol=1e-10, atol=1e-13)
        for ours, theirs in zip(lanes.weights, alone.weights, strict=True):
            np.testing.assert_allclose(ours[:, i, j], theirs, rtol=1e-10, atol=1e-13)


def test_depth_1_is_gradient_descent():
    w, rate = np.array(START), 0.3
    run = descend(ILLUSTRATION, START, optimizer=GradientDescent(rate), steps=50)
    for t in range(51):
        assert np.array_equal(run.points[t], w)
        w = w - rate * ILLUSTRATION.gradient(w)


def test_one_output_as_a_matrix_moves_as_the_vector_does():
    X, y, w = random((8, 3)), random(8, 1), 0.2 * random(3, 2)
    options = {"depth": 3, "optimizer": GradientDescent(0.02), "steps": 200}
    vector = descend(oe.LpRegression(X, y, reduction="mean"), w, **options)
    matrix = descend(oe.LpRegression(X, y[:, None], reduction="mean"), w[None], **options)
    np.testing.assert_allclose(matrix.points[:, 0], vector.points, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(matrix.losses, vector.losses, rtol=1e-11)


def test_weight_decay_pulls_with_the_depth():
    loss, rate, decay = oe.LinearLoss([0.0, 0.0]), 0.1, 0.3
    options = {"optimizer": GradientDescent(rate), "steps": 10, "weight_decay": decay}
    run = descend(loss, [1.0, 2.0], depth=[1, 2, 5], **options)
    for i, N in enumerate((1, 2, 5)):
        expected = np.outer((1 - rate * decay * N) ** np.arange(11), [1.0, 2.0])
        np.testing.assert_allclose(run.points[:, i], expected, rtol=1e-12)


# --- where nothing happens ---


def test_no_steps_or_a_rate_of_zero_leave_the_start():
    run = descend(ILLUSTRATION, START, depth=[1, 2], optimizer=GradientDescent(0.1), steps=0)
    assert np.array_equal(run.points, [[START, START]])
    assert np.array_equal(run.steps, [0])
    still = descend(ILLUSTRATION, START, depth=2, optimizer=GradientDescent(0.0), steps=5)
    assert np.array_equal(still.points, [START] * 6)
    trained = train(
        oe.balanced_network(START, 2), ILLUSTRATION, optimizer=GradientDescent(0.1), steps=0
    )
    np.testing.assert_allclose(trained.points, [START], rtol=1e-14)


@pytest.mark.parametrize("loss", [ILLUSTRATION, MULTI_OUTPUT], ids=["vector", "matrix"])
def test_exactly_at_zero_nothing_moves_beyond_depth_1(loss):
    run = descend(
        loss, np.zeros(loss.shape), depth=[1, 2, 3], optimizer=GradientDescent(0.01), steps=20
    )
    assert np.abs(run.points[-1, 0]).max() > 0
    assert not run.points[:, 1:].any()


def test_the_callers_start_is_left_as_it_was():
    start = np.array(START)
    descend(ILLUSTRATION, start, depth=2, optimizer=GradientDescent(0.1), steps=5)
    assert np.array_equal(start, START)
    network = oe.balanced_network(START, 2)
    before = [W.copy() for W in network.weights]
    train(network, ILLUSTRATION, optimizer=GradientDescent(0.1), steps=5)
    for W, copy in zip(network.weights, before, strict=True):
        assert np.array_equal(W, copy)


# --- divergence ---


@pytest.mark.parametrize("p", [2, 2.5, 4])
def test_a_lane_diverges_alone_at_the_step_the_plain_loop_does(p):
    loss, rates = SeparableLp((1.0, 0.1), p=p), np.array([0.1, 2.5, 4.0, 40.0, 0.2])
    starts = np.array([[0.5, 0.5], [3.0, 0.1], [-2.0, 3.0], [9.0, 9.0], [0.4, 0.3]])
    depths = np.array([2.0, 1.0, 2.0, 3.0, 1.0])
    run = descend(loss, starts, depth=depths, optimizer=GradientDescent(rates), steps=3_000)
    assert run.diverged_at[0] == run.diverged_at[4] == -1
    assert run.diverged_at[2] > 0
    assert run.diverged_at[3] > 0
    for i in range(5):
        points, diverged_at = plain_loop(loss, starts[i], depths[i], rates[i], 3_000)
        assert run.diverged_at[i] == diverged_at
        # Chaos before the end magnifies rounding, so compare where a run is tame.
        upto = 3_001 if diverged_at < 0 else min(5, diverged_at)
        np.testing.assert_allclose(run.points[:upto, i], points[:upto], rtol=1e-9, atol=1e-12)
        known = np.isfinite(run.points[:, i]).all(axis=-1)
        assert np.array_equal(known, np.isfinite(points).all(axis=-1))
        assert np.array_equal(known, np.isfinite(run.losses[:, i]))
        alone = descend(
            loss, starts[i], depth=depths[i], optimizer=GradientDescent(rates[i]), steps=3_000
        )
        assert alone.diverged_at == diverged_at


def test_a_loss_that_overflows_before_its_parameter_is_where_the_lane_diverged():
    # The loss is w^6 / 6: beyond 1e51 it overflows, long before w does.
    loss = SeparableLp([0.0], p=6)
    run = descend(loss, [2.0], optimizer=GradientDescent(10.0), steps=20)
    points, diverged_at = plain_loop(loss, [2.0], 1, 10.0, 20)
    with np.errstate(all="ignore"):
        after = points[diverged_at - 1] - 10.0 * loss._gradient(points[diverged_at - 1])
    assert np.isfinite(after).all(), "the parameter itself must still be finite"
    assert run.diverged_at == diverged_at
    assert np.isfinite(run.points[:diverged_at]).all()
    assert np.isnan(run.points[diverged_at:]).all()
    assert np.isnan(run.losses[diverged_at:]).all()


def test_a_diverging_matrix_stops_alone():
    loss, starts = MULTI_OUTPUT, 0.3 * random((3, 3, 4))
    options = {"depth": 2, "steps": 300}
    run = descend(loss, starts, optimizer=GradientDescent([0.01, 30.0, 0.02]), **options)
    assert list(run.diverged_at >= 0) == [False, True, False]
    assert np.isnan(run.points[run.diverged_at[1] :, 1]).all()
    assert np.isfinite(run.points[: run.diverged_at[1], 1]).all()
    for i, rate in ((0, 0.01), (2, 0.02)):
        alone = descend(loss, starts[i], optimizer=GradientDescent(rate), **options)
        np.testing.assert_allclose(run.points[:, i], alone.points, rtol=1e-9, atol=1e-12)


def test_a_diverging_network_stops_alone():
    network = oe.balanced_network(START, 3)
    run = train(network, ILLUSTRATION, optimizer=GradientDescent([0.1, 100.0]), steps=200)
    alone = train(network, ILLUSTRATION, optimizer=GradientDescent(0.1), steps=200)
    np.testing.assert_allclose(run.points[:, 0], alone.points, rtol=1e-12)
    (_, at) = run.diverged_at
    assert at > 0
    for recorded in (run.points, run.losses, *run.weights, run.imbalance()):
        assert np.isnan(recorded[at:, 1]).all()
        assert np.isfinite(recorded[:at, 1]).all()


def test_a_run_ends_when_all_its_lanes_have_diverged():
    class Asked(SeparableLp):
        asked = 0

        def _gradient(self, w):
            self.asked += 1
            return super()._gradient(w)

    loss = Asked((1.0, 0.1))
    run = descend(loss, [[9.0, 9.0]] * 2, optimizer=GradientDescent(5.0), steps=100_000)
    assert (run.diverged_at > 0).all()
    assert loss.asked < 200
    assert np.isnan(run.points[-1]).all()
    assert run.points.shape == (100_001, 2, 2)


def test_sparse_records_tell_the_exact_step_at_which_the_parameter_diverged():
    class Tripling:  # Doubles and turns over: w <- -2 w, with a loss that does not overflow.
        shape = (1,)

        def value(self, w):
            return np.tanh(w[..., 0])

        def gradient(self, w):
            return 3 * w

    sparse, dense = (
        descend(Tripling(), [1.0], optimizer=GradientDescent(1.0), steps=2_000, record=every)
        for every in (700, 1)
    )
    assert sparse.diverged_at == dense.diverged_at == 1024  # 2^1024 is the first to overflow.
    assert list(np.isnan(sparse.points[:, 0])) == [False, False, True, True]


# --- records ---


def test_sparse_records_are_a_selection_of_all():
    options = {"depth": [1, 3], "optimizer": GradientDescent([0.1, 0.4])}
    full = descend(ILLUSTRATION, START, steps=200, **options)
    every = descend(ILLUSTRATION, START, steps=200, record=60, **options)
    assert list(every.steps) == [0, 60, 120, 180, 200]
    chosen = descend(ILLUSTRATION, START, steps=200, record=[150, 3, 64, 65, 64], **options)
    assert list(chosen.steps) == [3, 64, 65, 150]
    for run in (every, chosen):
        assert np.array_equal(run.points, full.points[run.steps])
        assert np.array_equal(run.losses, full.losses[run.steps])
        assert np.array_equal(run.times, full.times[run.steps])


@pytest.mark.parametrize("steps", [1, 63, 64, 65, 128, 129])
def test_any_number_of_steps_is_recorded_in_full(steps):
    run = descend(ILLUSTRATION, START, optimizer=GradientDescent(0.1), steps=steps)
    assert np.array_equal(run.steps, np.arange(steps + 1))
    points, _ = plain_loop(ILLUSTRATION, START, 1, 0.1, steps)
    np.testing.assert_allclose(run.points, points, rtol=1e-12)


def test_losses_are_those_of_the_points(monkeypatch):
    monkeypatch.setattr(training, "_BLOCK", 100)  # Several blocks, the last not full.
    for loss in (ILLUSTRATION, SINGLE_OUTPUT, MULTI_OUTPUT):
        start = 0.1 * random((3, *loss.shape))
        run = descend(loss, start, depth=2, optimizer=GradientDescent(0.01), steps=70)
        np.testing.assert_allclose(run.losses, loss.value(run.points), rtol=1e-13)


# --- a loss of your own ---


class Yours:
    """The illustration as a user would write it."""

    shape = (2,)

    def value(self, w):
        return ((w - np.array([1.0, 0.1])) ** 4).sum(axis=-1) / 4

    def gradient(self, w):
        return (w - np.array([1.0, 0.1])) ** 3


def test_a_loss_of_your_own_needs_only_shape_value_and_gradient():
    ours = descend(ILLUSTRATION, START, depth=2, optimizer=GradientDescent(0.3), steps=50)
    yours = descend(Yours(), START, depth=2, optimizer=GradientDescent(0.3), steps=50)
    np.testing.assert_allclose(yours.points, ours.points, rtol=1e-12)
    np.testing.assert_allclose(yours.losses, ours.losses, rtol=1e-11)
    network = oe.balanced_network(START, 2)
    trained = train(network, Yours(), optimizer=GradientDescent(0.3), steps=50)
    assert trained.points.shape == (51, 2)


@pytest.mark.parametrize("base", [ILLUSTRATION, MULTI_OUTPUT], ids=["vector", "matrix"])
def test_a_loss_made_of_others_may_refuse_what_has_diverged(base):
    class Doubled:
        shape = base.shape

        def value(self, w):
            return 2 * base.value(w)

        def gradient(self, w):
            return 2 * base.gradient(w)

    starts = 0.1 * random((2, *base.shape))
    with np.errstate(over="ignore"):
        run = descend(Doubled(), starts, optimizer=GradientDescent([0.01, 1e4]), steps=200)
        alone = descend(Doubled(), starts[1], optimizer=GradientDescent(1e4), steps=200)
    assert run.diverged_at[0] == -1
    assert run.diverged_at[1] == alone.diverged_at > 0
    expected = descend(base, starts[0], optimizer=GradientDescent(0.02), steps=200)
    np.testing.assert_allclose(run.points[:, 0], expected.points, rtol=1e-12)


# --- progress ---


@pytest.mark.parametrize(
    ("progress", "patience", "shown"),
    [(None, 2.0, False), (True, 2.0, True), (None, 0.0, True), (False, 0.0, False)],
)
def test_a_long_run_shows_a_progress_bar_unless_told_otherwise(
    capsys, monkeypatch, progress, patience, shown
):
    monkeypatch.setattr(training, "_PATIENCE", patience)
    options = {"optimizer": GradientDescent(0.1), "steps": 500, "progress": progress}
    descend(ILLUSTRATION, START, **options)
    captured = capsys.readouterr()
    assert not captured.out
    assert ("step" in captured.err) == shown
