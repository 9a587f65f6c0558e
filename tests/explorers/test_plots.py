"""Static figures hold exactly the numbers of the runs they are made from."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from overparam_edu import (
    GradientDescent,
    SeparableLp,
    Trajectory,
    TunedLearningRate,
    descend,
    load_record,
    plot_learning_curves,
    plot_losses,
    plot_trajectories,
    plot_tuning,
    tuned_learning_rate,
)
from overparam_edu.explorers.plots import log_axis, loss_contour, plane_ranges, round_step

LOSS = SeparableLp((1.0, 0.1), p=4)


@pytest.fixture(scope="module")
def run() -> Trajectory:
    """Two depths arrive, the third diverges."""
    found = descend(
        LOSS, [0.3, 0.2], depth=[1, 2, 3], optimizer=GradientDescent([0.5, 1.0, 60.0]), steps=50
    )
    assert (found.diverged_at >= 0).tolist() == [False, False, True]
    return found


@pytest.fixture(scope="module")
def tuned() -> TunedLearningRate:
    return tuned_learning_rate(LOSS, [0.01, 0.01], depth=[1, 2], target=1e-6)


def lines(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines"]


def test_paths_are_the_points_up_to_where_they_diverged(run: Trajectory) -> None:
    figure = plot_trajectories(LOSS, run)
    drawn = lines(figure)
    assert [trace.name for trace in drawn] == ["depth 1", "depth 2", "depth 3"]
    for lane, trace in enumerate(drawn):
        end = run.diverged_at[lane] if run.diverged_at[lane] >= 0 else None
        np.testing.assert_array_equal(trace.x, run.points[:end, lane, 0])
        np.testing.assert_array_equal(trace.y, run.points[:end, lane, 1])
    starts = [trace for trace in figure.data[1:] if trace.mode == "markers"]
    assert [(*trace.x, *trace.y) for trace in starts] == [(0.3, 0.2)] * 3


def test_axes_hold_the_paths_but_not_a_lane_on_its_way_out(run: Trajectory) -> None:
    figure = plot_trajectories(LOSS, run)
    for axis, coordinate in ((figure.layout.xaxis, 0), (figure.layout.yaxis, 1)):
        inside = run.points[:, :2, coordinate]
        assert axis.range[0] < inside.min() <= inside.max() < axis.range[1]
        assert axis.range[1] - axis.range[0] < 10
        assert axis.title.text == ("w₁", "w₂")[coordinate]


def test_losses_are_the_losses(run: Trajectory) -> None:
    figure = plot_losses(run, labels=["a", "b", "c"])
    assert [trace.name for trace in figure.data] == ["a", "b", "c"]
    for lane, trace in enumerate(figure.data):
        shown = np.isfinite(run.losses[:, lane])
        np.testing.assert_array_equal(trace.x, run.steps[shown])
        np.testing.assert_array_equal(trace.y, run.losses[shown, lane])
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis.title.text == "loss"


def test_a_minimum_is_subtracted_and_named(run: Trajectory) -> None:
    minimum = float(run.losses[30, 0])
    figure = plot_losses(run, minimum=minimum, log_steps=True)
    trace = figure.data[0]
    np.testing.assert_array_equal(trace.x, run.steps[1:30])  # neither 0 nor what is below
    np.testing.assert_array_equal(trace.y, run.losses[1:30, 0] - minimum)
    assert figure.layout.yaxis.title.text == "loss − minimum"
    assert figure.layout.xaxis.type == "log"


def test_lines_differ_in_colour_and_in_dash(run: Trajectory) -> None:
    for figure in (plot_trajectories(LOSS, run), plot_losses(run)):
        styles = [trace.line for trace in lines(figure)]
        assert len({style.color for style in styles}) == len({style.dash for style in styles}) == 3


def test_one_run_without_lanes_and_lanes_on_two_axes() -> None:
    alone = descend(LOSS, [0.3, 0.2], depth=2, optimizer=GradientDescent(0.5), steps=9)
    np.testing.assert_array_equal(plot_losses(alone).data[0].y, alone.losses)
    np.testing.assert_array_equal(lines(plot_trajectories(LOSS, alone))[0].x, alone.points[:, 0])
    many = descend(LOSS, [0.3, 0.2], depth=[[1, 2]] * 2, optimizer=GradientDescent(0.5), steps=9)
    np.testing.assert_array_equal(plot_losses(many).data[3].y, many.losses[:, 1, 1])


def test_tuning_draws_what_arrives_and_marks_the_fastest(tuned: TunedLearningRate) -> None:
    figure = plot_tuning(tuned, labels=["one", "two"])
    for lane in range(2):
        curve, mark = figure.data[2 * lane], figure.data[2 * lane + 1]
        shown = np.isfinite(tuned.steps_at[:, lane])
        np.testing.assert_array_equal(curve.x, tuned.rates[shown, lane])
        np.testing.assert_array_equal(curve.y, tuned.steps_at[shown, lane])
        assert (*mark.x, *mark.y) == (tuned.fastest[lane], tuned.steps[lane])
        assert curve.name == f"{('one', 'two')[lane]}: {int(tuned.steps[lane])} steps"
        assert mark.showlegend is False  # one entry a lane
    for axis in (figure.layout.xaxis, figure.layout.yaxis):  # whole numbers, no bare digits
        assert [float(text.replace(",", "")) for text in axis.ticktext] == list(axis.tickvals)


def test_tuning_that_never_arrives_says_so() -> None:
    hopeless = tuned_learning_rate(LOSS, [0.01, 0.01], target=-1.0, rates=[0.1, 99.0], steps=9)
    curve, mark = plot_tuning(hopeless, labels=["one"]).data
    assert len(curve.x) == len(mark.x) == 0
    assert curve.name == "one: not reached"


def test_contour_is_the_logarithm_of_the_loss() -> None:
    contour = loss_contour(LOSS, np.array([0.0, 2.0]), np.array([-1.0, 1.0]))
    x, y = np.meshgrid(contour.x, contour.y)
    value = LOSS.value(np.stack([x, y], axis=-1).astype(float))
    far = value > 1e-3 * np.median(value)
    np.testing.assert_allclose(np.asarray(contour.z)[far], np.log10(value[far]), atol=1e-5)
    assert np.isfinite(contour.z).all()
    assert (contour.x[0], contour.x[-1], contour.y[0], contour.y[-1]) == (0, 2, -1, 1)


def test_plane_ranges_pass_over_what_flies_away() -> None:
    points = np.array([[[0.0, 0.0]], [[1.0, 2.0]], [[1e6, 1e6]], [[np.nan, np.nan]]])
    losses = np.array([[1.0], [0.5], [1e9], [np.nan]])
    (x0, x1), (y0, y1) = plane_ranges(points, losses)
    assert -0.2 < x0 < 0 < 1 < x1 < 1.2
    assert -0.4 < y0 < 0 < 2 < y1 < 2.4


def test_log_axis_holds_what_is_finite_within_bounds() -> None:
    values = [1e-9, 0.0, -1.0, 10.0, np.inf, np.nan]
    lower, upper = log_axis(values, below=1e-3, above=1e6)["range"]
    assert -3.5 < lower < -3
    assert 1 < upper < 1.5
    assert log_axis([1e-12, 1.0], below=1e-12, above=1.0)["dtick"] == 3
    assert log_axis([1e-3, 1.0], below=1e-9, above=10.0)["dtick"] == 1
    lower, upper = log_axis([np.nan], below=1e-3, above=1e2)["range"]
    assert lower < -3 < 2 < upper


def test_learning_curves_are_drawn_at_their_best_rate_with_the_note() -> None:
    record = load_record("cars_l4")
    figure = plot_learning_curves(record.curves, minimum=record.least, note="which data")
    assert figure.layout.title.text == "which data"
    assert len(figure.data) == 3 * len(record.curves)
    for number, network in enumerate(record.curves):
        line = figure.data[3 * number + 2]
        ends = network.losses[-1]
        best = np.nanargmin(np.median(ends, axis=0))
        expected = np.median(network.losses[1:, :, best], axis=1) - record.least
        seen = expected > 1e-9
        np.testing.assert_allclose(np.array(line.y)[seen], expected[seen], rtol=1e-6)
        assert line.name.startswith(f"depth {network.depth}, gradient descent, rate ")
    with pytest.raises(ValueError, match="labels must be 3"):
        plot_learning_curves(record.curves, labels=["one"])


def test_ticks_are_round() -> None:
    for size in (0.013, 0.9, 7.2, 240, 99_999):
        step = round_step(size)
        assert size / 2.5 <= step <= size
        assert f"{step:e}"[0] in "125"


def test_wrong_arguments_are_named(run: Trajectory, tuned: TunedLearningRate) -> None:
    with pytest.raises(ValueError, match=r"two parameters; got shape \(3,\)"):
        plot_trajectories(SeparableLp((1.0, 2.0, 3.0)), run)
    with pytest.raises(ValueError, match=r"labels must be 3, one for each lane; got .'a'"):
        plot_trajectories(LOSS, run, labels=["a"])
    with pytest.raises(ValueError, match="labels must be 3"):
        plot_losses(run, labels=["a"])
    with pytest.raises(ValueError, match="labels must be 2"):
        plot_tuning(tuned, labels=["a", "b", "c"])
