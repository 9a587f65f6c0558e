"""The rule's field in the plane as a picture: arrows, and its curl as colours behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from overparam_edu.checks import Array, brief, instance, number
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.losses import Loss, SupportsGradient
from overparam_edu.dynamics.rule import single_output_direction
from overparam_edu.dynamics.training import Trajectory
from overparam_edu.dynamics.tuning import TunedLearningRate
from overparam_edu.experiments.compare import band, tuned
from overparam_edu.experiments.curves import Curves
from overparam_edu.player.frames import number_text
from overparam_edu.player.style import BLACK, GREY, TEMPLATE, key, line

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
        raise ValueError(f"labels must be {count}, one a lane; got {brief(labels)}")
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


def band_traces(colour: str, dash: str, *, width: float = 4) -> list[go.Scatter]:
    """Return the lower edge, the upper edge with the band between, and the line, all empty.

    Parameters
    ----------
    colour : str
        Six hexadecimal digits after ``#``.
    dash : str
        Of the line.
    width : float
        Of the line, in pixels.

    Returns
    -------
    list of plotly.graph_objects.Scatter
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    quiet = {"mode": "lines", "hoverinfo": "skip"}
    edge = quiet | {"line": {"width": 0, "color": colour}}
    shade = f"rgba({red},{green},{blue},0.25)"
    return [
        go.Scatter(**edge),
        go.Scatter(**edge, fill="tonexty", fillcolor=shade),
        go.Scatter(**quiet, line={"width": width, "color": colour, "dash": dash}),
    ]


def plot_learning_curves(
    curves: Sequence[Curves],
    *,
    minimum: float = 0.0,
    labels: Sequence[str] | None = None,
    note: str = "",
) -> go.Figure:
    """Plot loss against iteration, each network at its best rate, on two logarithmic axes.

    Parameters
    ----------
    curves : sequence of Curves
        One a network; the first is drawn as the reference.
    minimum : float
        The least loss there is, subtracted from all.
    labels : sequence of str, optional
        One a network; by default its depth and optimizer.
    note : str
        What a reader must know, shown on the picture: which data, say.

    Returns
    -------
    plotly.graph_objects.Figure
        Medians over seeds, with their range as a band.

    Raises
    ------
    ValueError
        If there is not one label a network.

    Examples
    --------
    >>> from overparam_edu.experiments.records import load_record
    >>> record = load_record("gas_l2")
    >>> figure = plot_learning_curves(record.curves, minimum=record.least)
    >>> [trace.name for trace in figure.data if trace.name][0]
    'depth 1, gradient descent, rate 0.027'
    """
    if labels is not None and len(labels) != len(curves):
        raise ValueError(f"labels must be {len(curves)}, one a network; got {list(labels)}")
    figure, drawn = go.Figure(), []
    for row, network in enumerate(curves):
        best = tuned(network)
        name = f"depth {network.depth}, {network.optimizer}" if labels is None else labels[row]
        style = line(row, width=4)
        later = best.steps > 0  # iteration 0 has no logarithm
        traces = band_traces(style["color"], style["dash"])
        for trace in traces[:2]:
            trace.showlegend = False
        traces[2].name = f"{name}, rate {number_text(best.rate)}"
        spread = band(best.losses[later] - minimum)
        for trace, values in zip(traces, (spread.low, spread.high, spread.middle), strict=True):
            # Nor has a loss that rounding has put on the minimum.
            positive = np.where(values > 0, values, np.nan)
            figure.add_trace(trace.update(x=best.steps[later], y=positive))
            drawn.append(positive)
    figure.update_layout(template=TEMPLATE, height=480, title=note)
    figure.update_layout(legend={"x": 0.01, "y": 0.02, "yanchor": "bottom"})
    figure.update_xaxes(title="iteration", type="log", dtick=1, exponentformat="power")
    figure.update_yaxes(title="loss − minimum" if minimum else "loss")
    figure.update_yaxes(**log_axis(np.concatenate(drawn), below=1e-12, above=1e300))
    return figure


def round_step(size: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at most `size`: a distance between ticks.

    Parameters
    ----------
    size : float
        Above 0.

    Returns
    -------
    float

    Examples
    --------
    >>> round_step(0.7), round_step(300)
    (0.5, 200.0)
    """
    power = 10.0 ** np.floor(np.log10(size))
    return float(max(factor for factor in (1, 2, 5) if factor * power <= size) * power)


# Depths at which the fields have a stop: close together where most happens.
DEPTHS = np.concatenate([np.arange(1, 4, 0.25), np.arange(4, 8.5, 0.5)])

_ANTICLOCKWISE, _CLOCKWISE = "#E9A23B", "#7FA8D1"
CURL_KEY = key(("■", "curl > 0", "#B26B00"), ("■", "curl < 0", "#3A6EA5"), ("→", "field", GREY))
# Rounding of the curl is below this part of the largest slope the field can have.
_NOTHING = 1e-8


def curl_trace(x: Array, y: Array) -> go.Heatmap:
    """Return the empty heat map that `curl_colours` fills.

    Parameters
    ----------
    x, y : ndarray
        Where the colours stand.

    Returns
    -------
    plotly.graph_objects.Heatmap
    """
    return go.Heatmap(
        x=x,
        y=y,
        zmin=-1,
        zmax=1,
        colorscale=[[0, _CLOCKWISE], [0.5, "#FFFFFF"], [1, _ANTICLOCKWISE]],
        zsmooth="best",
        showscale=False,
        hoverinfo="skip",
    )


def curl_colours(loss: SupportsGradient, depths: Array, x: Array, y: Array) -> Array:
    """Return the curl on a grid, as colours that can be compared between depths.

    Parameters
    ----------
    loss : Loss
        Of two parameters.
    depths : ndarray, shape (depths,)
        Each at least 1.
    x, y : ndarray
        The grid.

    Returns
    -------
    ndarray, shape (depths, len(y), len(x))
        From -1 to 1: the square root of the size, with the sign, relative to nearly the largest of
        all depths. NaN where the loss has no gradient.
    """
    points, N = _grid(x, y), depths[:, None, None]
    with np.errstate(all="ignore"):
        values = curl(loss, N, points)
        gradient = np.asarray(loss.gradient(points), float)
        length = np.linalg.norm(points, axis=-1)
        slopes = N * length ** (1 - 2 / N) * np.linalg.norm(gradient, axis=-1)
        top = max(_nearly_largest(values), _NOTHING * _nearly_largest(slopes), 1e-300)
        colours: Array = np.sign(values) * np.sqrt(np.minimum(np.abs(values) / top, 1))
    return np.where(np.isfinite(values), colours, np.nan)


def _nearly_largest(values: Array) -> float:
    sizes = np.abs(values[np.isfinite(values)])
    return float(np.quantile(sizes, 0.98)) if sizes.size else 0.0


def arrow_trace(count: int) -> go.Scatter:
    """Return the empty trace that takes the ends of `count` arrows, each with a gap behind it.

    Parameters
    ----------
    count : int

    Returns
    -------
    plotly.graph_objects.Scatter
    """
    marker: dict[str, Any] = {"symbol": "arrow", "size": [0, 9, 0] * count, "color": GREY}
    marker |= {"angleref": "previous", "opacity": 1}
    style = {"color": GREY, "width": 1.5}
    return go.Scatter(mode="lines+markers", marker=marker, line=style, hoverinfo="skip")


def arrow_ends(
    loss: SupportsGradient, depths: Array, x: Array, y: Array, *, control: bool = False
) -> Array:
    """Return arrows of the field from the points of a grid.

    Parameters
    ----------
    loss : Loss
        Of two parameters, with a gradient at every point of the grid.
    depths : ndarray, shape (depths,)
        Each at least 1.
    x, y : ndarray
        The grid.
    control : bool
        Draw the loss's gradient in place of the rule's field.

    Returns
    -------
    ndarray, shape (depths, 3 len(x) len(y), 2)
        Tail, tip and a gap for each arrow. Lengths are square roots, so that weak ones can be
        seen; the longest of each depth reaches as far as the grid's spacing.
    """
    tails = _grid(x, y).reshape(-1, 2)
    gradient = loss.gradient(tails)
    N = np.ones_like(depths) if control else depths
    field = single_output_direction(tails, gradient, N[:, None])
    size = np.linalg.norm(field, axis=-1, keepdims=True)
    unit = field / np.where(size > 0, size, 1.0)
    longest = size.max(axis=1, keepdims=True)
    share = np.sqrt(size / np.where(longest > 0, longest, 1.0))
    tips = np.where(size > 0, tails + (x[1] - x[0]) * share * unit, np.nan)
    start = np.broadcast_to(tails, tips.shape)
    ends = np.stack([start, tips, np.full_like(tips, np.nan)], axis=2)
    return ends.reshape(len(depths), -1, 2)


def _grid(x: Array, y: Array) -> Array:
    grid: Array = np.stack(np.meshgrid(x, y), axis=-1)
    return grid
