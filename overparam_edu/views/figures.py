"""Static figures of runs: numbers in, a Plotly figure out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from overparam_edu._validation import Array, _shown, instance, number
from overparam_edu.dynamics.losses import Loss
from overparam_edu.dynamics.trajectory import Trajectory
from overparam_edu.dynamics.tuning import TunedLearningRate
from overparam_edu.views.frames import shown as number_text
from overparam_edu.views.style import BLACK, TEMPLATE, line

# Grid points along each side of a contour plot.
_GRID = 31
_HEIGHT = 520


def plot_trajectories(
    loss: Loss, trajectory: Trajectory, *, labels: Sequence[str] | None = None
) -> go.Figure:
    """Plot the paths of runs in the plane over the contours of the loss.

    Parameters
    ----------
    loss : Loss
        Of two parameters.
    trajectory : Trajectory
        One run or one axis of lanes.
    labels : sequence of str, optional
        One a lane; by default its depth.

    Returns
    -------
    plotly.graph_objects.Figure
        Each path from its start (a dot) to where it ended or diverged.

    Raises
    ------
    TypeError, ValueError
        If `loss` or `trajectory` is something else, the parameters are not two, or there is not
        one label a lane.

    Examples
    --------
    >>> from overparam_edu import GradientDescent, SeparableLp, descend
    >>> loss = SeparableLp((1.0, 0.1))
    >>> run = descend(loss, [0.01, 0.01], depth=[1, 2], optimizer=GradientDescent(1), steps=9)
    >>> [trace.name for trace in plot_trajectories(loss, run).data if trace.name]
    ['depth 1', 'depth 2']
    """
    instance("loss", loss, Loss)
    instance("trajectory", trajectory, Trajectory)
    for name, shape in (("loss", loss.shape), ("trajectory", trajectory.points.shape[-1:])):
        if shape != (2,):
            raise ValueError(f"{name} must have two parameters; got shape {shape}")
    points, names = _as_lanes(trajectory.points, 1), _labels(trajectory, labels)
    span = plane_ranges(points, _as_lanes(trajectory.losses, 0))
    figure = go.Figure(loss_contour(loss, *span))
    for lane, name in enumerate(names):
        path = _finite_part(points[:, lane])
        x, y = path[:, 0], path[:, 1]
        figure.add_scatter(x=x, y=y, mode="lines", name=name, line=line(lane))
        figure.add_scatter(
            x=x[:1], y=y[:1], mode="markers", marker={"size": 10, "color": BLACK}, showlegend=False
        )
    figure.update_layout(template=TEMPLATE, height=_HEIGHT, title="Paths over the loss")
    figure.update_xaxes(title="w₁", range=span[0])
    figure.update_yaxes(title="w₂", range=span[1])
    return figure


def plot_losses(
    trajectory: Trajectory,
    *,
    minimum: float = 0.0,
    labels: Sequence[str] | None = None,
    log_steps: bool = False,
) -> go.Figure:
    """Plot loss against iteration, the loss on a logarithmic axis.

    Parameters
    ----------
    trajectory : Trajectory
        One run or one axis of lanes.
    minimum : float
        The least loss there is, subtracted from all.
    labels : sequence of str, optional
        One a lane; by default its depth.
    log_steps : bool
        Iterations on a logarithmic axis too, where a power law is a straight line.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    TypeError, ValueError
        If `trajectory` or `minimum` is something else, or there is not one label a lane.

    Examples
    --------
    >>> from overparam_edu import GradientDescent, SeparableLp, descend
    >>> run = descend(SeparableLp((1.0, 0.1)), [0.01, 0.01], depth=[1, 2],
    ...               optimizer=GradientDescent(1), steps=9)
    >>> len(plot_losses(run).data)
    2
    """
    instance("trajectory", trajectory, Trajectory)
    losses = _as_lanes(trajectory.losses, 0) - number("minimum", minimum)
    names = _labels(trajectory, labels)
    figure = go.Figure()
    for lane, name in enumerate(names):
        values = losses[:, lane]
        # A logarithm has no place for what has reached the minimum.
        shown = np.isfinite(values) & (values > 0) & ((trajectory.steps > 0) | (not log_steps))
        figure.add_scatter(
            x=trajectory.steps[shown], y=values[shown], mode="lines", name=name, line=line(lane)
        )
    what = "loss − minimum" if minimum else "loss"
    figure.update_layout(template=TEMPLATE, height=_HEIGHT, title="Loss against iteration")
    figure.update_xaxes(title="iteration", type="log" if log_steps else "linear")
    if log_steps:
        figure.update_xaxes(dtick=1, exponentformat="power")
    figure.update_yaxes(title=what, **log_axis(losses, below=1e-300, above=1e300))
    return figure


def plot_tuning(tuned: TunedLearningRate, *, labels: Sequence[str]) -> go.Figure:
    """Plot steps to the target against learning rate, with the rate that was chosen.

    Parameters
    ----------
    tuned : TunedLearningRate
        Of one axis of lanes.
    labels : sequence of str
        One a lane.

    Returns
    -------
    plotly.graph_objects.Figure
        Rates that are not safe or do not arrive are left out; the chosen one is marked.

    Raises
    ------
    TypeError, ValueError
        If `tuned` is something else, or there is not one label a lane.

    Examples
    --------
    >>> from overparam_edu import SeparableLp, tuned_learning_rate
    >>> tuned = tuned_learning_rate(SeparableLp((1.0, 0.1)), [0.01, 0.01], depth=[1, 2],
    ...                             target=1e-6)
    >>> len(plot_tuning(tuned, labels=["depth 1", "depth 2"]).data)
    4
    """
    instance("tuned", tuned, TunedLearningRate)
    lanes = tuned.rates.reshape(len(tuned.rates), -1).shape[1]
    labels = _words(labels, lanes)
    rates, steps = tuned.rates.reshape(-1, lanes), tuned.steps_at.reshape(-1, lanes)
    figure = go.Figure()
    for lane, name in enumerate(labels):
        shown = np.isfinite(steps[:, lane])
        style, best = line(lane), int(np.argmin(np.where(shown, steps[:, lane], np.inf)))
        figure.add_scatter(
            x=rates[shown, lane], y=steps[shown, lane], mode="lines", name=name, line=style
        )
        chosen = [best] if shown.any() else []
        count = f"{number_text(steps[best, lane])} steps" if chosen else "not reached"
        figure.add_scatter(
            x=rates[chosen, lane],
            y=steps[chosen, lane],
            mode="markers",
            marker={"size": 13, "color": style["color"], "symbol": "diamond"},
            name=f"{name}: {count}",
        )
    figure.update_layout(template=TEMPLATE, height=_HEIGHT, title="Each depth at its own rate")
    figure.update_xaxes(title="learning rate η", type="log", exponentformat="power")
    figure.update_yaxes(title="steps to the target", type="log", exponentformat="power")
    return figure


def loss_contour(loss: Loss, x_range: Array, y_range: Array) -> go.Contour:
    """Return the contours of log10 of a loss in the plane, drawn quietly behind everything.

    Parameters
    ----------
    loss : Loss
        Of two parameters.
    x_range, y_range : array_like, shape (2,)
        The part of the plane to cover.

    Returns
    -------
    plotly.graph_objects.Contour
    """
    x, y = (np.linspace(span[0], span[1], _GRID) for span in (x_range, y_range))
    values = loss.value(np.stack(np.meshgrid(x, y), axis=-1))
    # The minimum itself has no logarithm; a value below all that is drawn keeps the colours even.
    z = np.log10(np.maximum(values, 1e-4 * float(np.median(values))))
    return go.Contour(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        z=z.astype(np.float32),
        colorscale=[[0, "#C9D9EA"], [1, "#FFFFFF"]],
        line={"color": "#9FB3C8", "width": 1},
        ncontours=12,
        showscale=False,
        hoverinfo="skip",
    )


def plane_ranges(points: Array, losses: Array) -> Array:
    """Return axis ranges that hold a run in the plane, with a margin.

    Parameters
    ----------
    points : ndarray, shape (records, ..., 2)
        Starts first.
    losses : ndarray, shape (records, ...)
        Points with more than ten times the largest loss of a start may fall outside: a run on
        its way out of the finite range shall not squeeze the others.

    Returns
    -------
    ndarray, shape (2, 2)
        Lower and upper end, for each coordinate.
    """
    kept = points[near_start(losses)]
    lower, upper = kept.min(axis=0), kept.max(axis=0)
    margin = 0.08 * np.maximum(upper - lower, 1e-9)
    return np.stack([lower - margin, upper + margin], axis=1)


def near_start(losses: Array) -> NDArray[np.bool_]:
    """Return which records are finite and at most ten times as high as the highest start."""
    with np.errstate(invalid="ignore"):
        return losses <= 10 * float(np.max(losses[0]))


def _as_lanes(values: Array, parameters: int) -> Array:
    """Return records with exactly one axis of lanes."""
    lanes = values.shape[1 : values.ndim - parameters]
    count = int(np.prod(lanes)) if lanes else 1
    return values.reshape(len(values), count, *values.shape[values.ndim - parameters :])


def _labels(trajectory: Trajectory, labels: Sequence[str] | None) -> list[str]:
    depths = np.ravel(trajectory.depth)
    return [f"depth {N:g}" for N in depths] if labels is None else _words(labels, len(depths))


def _words(labels: Sequence[str], count: int) -> list[str]:
    names = list(labels) if isinstance(labels, Sequence) and not isinstance(labels, str) else []
    if len(names) != count or not all(isinstance(name, str) for name in names):
        raise ValueError(f"labels must be {count}, one a lane; got {_shown(labels)}")
    return names


def _finite_part(path: Array) -> Array:
    """Return a path up to where it diverged."""
    return path[np.isfinite(path).all(axis=1)]


def log_axis(values: Any, *, below: float, above: float) -> dict[str, Any]:
    """Return a logarithmic Plotly axis that holds `values` cut to [below, above].

    Parameters
    ----------
    values : array_like
        What is to be drawn; what is not finite and positive is passed over.
    below, above : float
        Bounds the range does not exceed.

    Returns
    -------
    dict
        Attributes of an axis, with a tick at every decade or every few.

    Examples
    --------
    >>> log_axis([1e-3, 1.0], below=1e-9, above=10.0)["dtick"]
    1
    """
    flat = np.ravel(np.asarray(values, float))
    flat = np.clip(flat[np.isfinite(flat) & (flat > 0)], below, above)
    if not flat.size:
        flat = np.array([below, above])
    lower, upper = float(np.log10(flat.min())), float(np.log10(flat.max()))
    margin = 0.05 * max(upper - lower, 0.2)
    ends = [lower - margin, upper + margin]
    every = max(1, round((upper - lower) / 4))
    return {"type": "log", "range": ends, "dtick": every, "exponentformat": "power"}
