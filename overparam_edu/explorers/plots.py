"""Static pictures of runs, and the pieces of a picture that several explorers share."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import plotly.graph_objects as go
from IPython.core.getipython import get_ipython
from IPython.display import display
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, brief, flag, instance, number
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.losses import Loss, SupportsGradient
from overparam_edu.dynamics.rule import single_output_direction
from overparam_edu.dynamics.training import Trajectory
from overparam_edu.dynamics.tuning import TunedLearningRate
from overparam_edu.experiments.compare import band, best_curve
from overparam_edu.experiments.curves import Curves
from overparam_edu.player.frames import number_text
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Track, still
from overparam_edu.player.style import (
    BLACK,
    MINUS,
    PLUS,
    SIGNED,
    TEMPLATE,
    VERMILLION,
    arrow,
    curve,
    key,
    line,
)

_HEIGHT = 520

_shell = get_ipython()
if _shell is not None and _shell.display_formatter is not None and find_spec("nbformat") is None:
    # Plotly shows a figure only beside nbformat, which the core and a browser's Python do without.
    _shell.display_formatter.ipython_display_formatter.for_type(
        go.Figure, lambda figure: display(Player(still(figure)))
    )


def plot_trajectories(
    loss: Loss, trajectory: Trajectory, *, labels: Sequence[str] | None = None
) -> go.Figure:
    """Plot the paths of runs in the plane over the contours of the loss.

    Parameters
    ----------
    loss : Loss of two parameters
    trajectory : Trajectory of one run or several lanes
    labels : sequence of str, optional, one for each lane; by default its depth

    Returns
    -------
    plotly.graph_objects.Figure
        Each path from its start (a dot) to where it ended or diverged.

    Raises
    ------
    TypeError, ValueError
        If `loss` or `trajectory` is something else, the parameters are not two, or there is not
        one label a lane.
    """
    instance("loss", loss, Loss)
    instance("trajectory", trajectory, Trajectory)
    for name, shape in (("loss", loss.shape), ("trajectory", trajectory.points.shape[-1:])):
        if shape != (2,):
            raise ValueError(f"{name} must have two parameters; got shape {shape}")
    names, records = _labels(trajectory, labels), len(trajectory.steps)
    points = trajectory.points.reshape(records, len(names), 2)
    span = plane_ranges(points, trajectory.losses.reshape(records, len(names)))
    figure = go.Figure(loss_contour(loss, *span))
    for lane, name in enumerate(names):
        x, y = points[np.isfinite(points[:, lane]).all(axis=1), lane].T
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
    trajectory : Trajectory of one run or several lanes
    minimum : float, the least possible loss, subtracted from all
    labels : sequence of str, optional, one for each lane; by default its depth
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
    >>> run = descend(SeparableLp(), [0, 0], depth=[1, 2], optimizer=GradientDescent(1), steps=9)
    >>> len(plot_losses(run).data)
    2
    """
    instance("trajectory", trajectory, Trajectory)
    names, figure = _labels(trajectory, labels), go.Figure()
    losses = trajectory.losses.reshape(-1, len(names)) - number("minimum", minimum)
    log_steps = flag("log_steps", log_steps)
    for lane, name in enumerate(names):
        values = losses[:, lane]
        # A loss that has reached the minimum has no logarithm.
        shown = np.isfinite(values) & (values > 0) & ((trajectory.steps > 0) | (not log_steps))
        figure.add_scatter(
            x=trajectory.steps[shown], y=values[shown], mode="lines", name=name, line=line(lane)
        )
    figure.update_layout(template=TEMPLATE, height=_HEIGHT, title="Loss against iteration")
    figure.update_xaxes(title="iteration", type="log" if log_steps else "linear")
    if log_steps:
        figure.update_xaxes(dtick=1, exponentformat="power")
    figure.update_yaxes(title="loss − minimum" if minimum else "loss")
    figure.update_yaxes(**log_axis(losses, below=1e-300, above=1e300))
    return figure


def plot_tuning(tuned: TunedLearningRate, *, labels: Sequence[str]) -> go.Figure:
    """Plot steps to the target against learning rate, with the rate that was chosen.

    Parameters
    ----------
    tuned : TunedLearningRate with one axis of lanes
    labels : sequence of str, one for each lane

    Returns
    -------
    plotly.graph_objects.Figure
        Rates that are unsafe or never reach the target are left out; the chosen one is marked.

    Raises
    ------
    TypeError, ValueError
        If `tuned` is something else, or there is not one label a lane.
    """
    instance("tuned", tuned, TunedLearningRate)
    lanes = tuned.rates.reshape(len(tuned.rates), -1).shape[1]
    labels = _one_each(labels, lanes, "lane")
    rates, steps = tuned.rates.reshape(-1, lanes), tuned.steps_at.reshape(-1, lanes)
    figure = go.Figure()
    for lane, name in enumerate(labels):
        shown = np.isfinite(steps[:, lane])
        style, best = line(lane), int(np.argmin(np.where(shown, steps[:, lane], np.inf)))
        chosen = [best] if shown.any() else []
        count = f"{number_text(steps[best, lane])} steps" if chosen else "not reached"
        # One entry in the legend for a line and its chosen rate.
        figure.add_scatter(
            x=rates[shown, lane],
            y=steps[shown, lane],
            mode="lines",
            name=f"{name}: {count}",
            line=style,
        )
        figure.add_scatter(
            x=rates[chosen, lane],
            y=steps[chosen, lane],
            mode="markers",
            marker={"size": 13, "color": style["color"], "symbol": "diamond"},
            showlegend=False,
        )
    figure.update_layout(template=TEMPLATE, height=_HEIGHT, title="Each depth at its own rate")
    figure.update_xaxes(title="learning rate η", **log_axis_in_digits(rates[np.isfinite(steps)]))
    figure.update_yaxes(title="steps to the target", **log_axis_in_digits(steps))
    return figure


def log_axis_in_digits(values: Array) -> dict[str, Any]:
    """Return a logarithmic axis with whole numbers at its ticks: 1, 2 and 5 if decades are few."""
    axis = log_axis(values, below=1e-15, above=1e15)
    low, high = axis["range"]
    digits = (1, 2, 5) if high - low < 2 else (1,)
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    words = {"tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}
    return axis | words | {"exponentformat": "none"}


def plot_learning_curves(
    curves: Sequence[Curves],
    *,
    minimum: float = 0.0,
    labels: Sequence[str] | None = None,
    note: str = "",
) -> go.Figure:
    """Plot loss above a minimum against iteration, each network at its best rate.

    Parameters
    ----------
    curves : sequence of Curves
        One for each network, from `learning_curves` or `load_record`; the first is drawn as the
        reference.
    minimum : float, the least possible loss, subtracted from all
    labels : sequence of str, optional
        One for each network; by default its depth and optimizer.
    note : str
        What readers must know, shown on the picture: which data, say.

    Returns
    -------
    plotly.graph_objects.Figure
        Medians over seeds, with their range as a band.

    Raises
    ------
    TypeError, ValueError
        If `curves`, `minimum` or `note` is something else, or there is not one label a network.
    """
    if not isinstance(curves, (list, tuple)) or not curves:
        raise TypeError(f"curves must be a list of Curves; got {brief(curves)}")
    for network in curves:
        instance("curves", network, Curves)
    minimum = number("minimum", minimum)
    instance("note", note, str)
    names = [f"depth {network.depth}, {network.optimizer}" for network in curves]
    if labels is not None:
        names = _one_each(labels, len(curves), "network")
    figure, drawn = go.Figure(), []
    for row, (network, name) in enumerate(zip(curves, names, strict=True)):
        best, style = best_curve(network), line(row, width=4)
        later = best.steps > 0  # iteration 0 has no logarithm
        low, high, middle = band_traces(style["color"], style["dash"])
        low.showlegend = high.showlegend = False
        middle.name = f"{name}, rate {number_text(best.rate)}"
        spread = band(best.losses[later] - minimum)
        edges = (spread.low, spread.high, spread.middle)
        for trace, values in zip((low, high, middle), edges, strict=True):
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


def _labels(trajectory: Trajectory, labels: Sequence[str] | None) -> list[str]:
    depths = np.ravel(trajectory.depth)
    if labels is None:
        return [f"depth {N:g}" for N in depths]
    return _one_each(labels, len(depths), "lane")


def _one_each(labels: Sequence[str], count: int, of: str) -> list[str]:
    names = list(labels) if isinstance(labels, Sequence) and not isinstance(labels, str) else []
    if len(names) != count or not all(isinstance(name, str) for name in names):
        raise ValueError(f"labels must be {count}, one for each {of}; got {brief(labels)}")
    return names


# --- axes, and tracks of lines ---

# Where a logarithmic axis puts iteration 0, which has no logarithm.
STEP_0 = 0.5


def step_axis(last: float) -> dict[str, Any]:
    """Return a logarithmic Plotly axis for iterations from 0 to the last."""
    return {"type": "log", "range": np.log10([STEP_0, 1.1 * last]).tolist(), "dtick": 1}


def record_stops(records: int, stops: int = 72) -> np.ndarray:
    """Return the records that get a stop: all at first, where paths turn, then ever fewer."""
    last = max(records - 1, 1)
    return np.unique(np.append(0, np.rint(np.geomspace(1, last, 5 * stops // 4)))).astype(int)


def log_axis(values: ArrayLike, *, below: float, above: float) -> dict[str, Any]:
    """Return a logarithmic Plotly axis that holds the positive values, cut to [below, above]."""
    flat = np.ravel(np.asarray(values, float))
    flat = np.clip(flat[np.isfinite(flat) & (flat > 0)], below, above)
    if not flat.size:
        flat = np.array([below, above])
    lower, upper = float(np.log10(flat.min())), float(np.log10(flat.max()))
    margin = 0.05 * max(upper - lower, 0.2)
    ends = [lower - margin, upper + margin]
    every = max(1, round((upper - lower) / 4))  # a tick at every decade, or every few
    return {"type": "log", "range": ends, "dtick": every, "exponentformat": "power"}


def round_step(size: float) -> float:
    """Return a distance between ticks: 1, 2 or 5 times a power of ten, at most `size`."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(max(factor for factor in (1, 2, 5) if factor * power <= size) * power)


def line_tracks(name: str, x: ArrayLike, y: ArrayLike, axes: Sequence[str]) -> list[Track]:
    """Return the tracks of a line that grows along the last of the axes that x and y have."""
    pairs = (("x", np.asarray(x)), ("y", np.asarray(y)))
    return [Track(name, a, values, axes[-values.ndim :], trail="step") for a, values in pairs]


def point_tracks(name: str, points: Array, axes: Sequence[str]) -> list[Track]:
    """Return the tracks of points (..., 2), of which those at the current stops are drawn."""
    return [Track(name, a, points[..., i], axes) for i, a in enumerate("xy")]


# --- pieces ---


def name_depth(figure: go.Figure, depths: ArrayLike, template: str = "depth {:g}") -> None:
    """Write what the orange line is above the right end of panel 1: see `depth_name_track`.

    On axes of its own, from 0 to 1, so that it stays there whatever is drawn. A point of a trace
    moves in the browser at little cost, where a legend would have all drawn anew.
    """
    names = [f"<b>━ {template.format(N)}</b>" for N in np.ravel(depths)]
    unit = {"range": [0, 1], "visible": False, "fixedrange": True}
    figure.update_layout(xaxis9=unit | {"overlaying": "x"}, yaxis9=unit | {"overlaying": "y"})
    figure.add_scatter(
        uid="depth named",
        mode="text",
        text=names,
        y=[1] * len(names),
        textposition="top left",
        cliponaxis=False,
        textfont={"color": VERMILLION, "size": 16},
        hoverinfo="skip",
        xaxis="x9",
        yaxis="y9",
    )


def depth_name_track(depths: int) -> Track:
    """Return the track by which `name_depth` shows one name, and gives the others no place."""
    return Track("depth named", "x", np.where(np.eye(depths), 1.0, np.nan), ["depth"])


def one_beside_two(left: float, spacing: float) -> go.Figure:
    """Return a figure with a tall panel on the left, of this share, and two on the right."""
    panels = [[{"rowspan": 2}, {}], [None, {}]]
    gaps = {"horizontal_spacing": spacing, "vertical_spacing": 0.26}
    return make_subplots(2, 2, specs=panels, column_widths=[left, 1 - left], **gaps)


def loss_contour(loss: Loss, x_range: Array, y_range: Array) -> go.Contour:
    """Return the contours of log10 of a loss in the plane, drawn quietly behind everything."""
    x, y = (np.linspace(span[0], span[1], 31) for span in (x_range, y_range))
    values = loss.value(np.stack(np.meshgrid(x, y), axis=-1))
    # The minimum has no logarithm; a floor below all that is drawn keeps the colours even.
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
    """Return axis ranges (2, 2) that hold runs in the plane, with a margin; starts come first.

    Points above ten times a start's largest loss may fall outside, so that no other is squeezed.
    """
    with np.errstate(invalid="ignore"):
        kept = points[losses <= 10 * float(np.max(losses[0]))]
    lower, upper = kept.min(axis=0), kept.max(axis=0)
    margin = 0.08 * np.maximum(upper - lower, 1e-9)
    return np.stack([lower - margin, upper + margin], axis=1)


def band_traces(
    colour: str, dash: str, *, width: float = 4, name: str | None = None
) -> list[go.Scatter]:
    """Return a filled band and its line, empty: "`name` low", "`name` high" and "`name`"."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    low, high = (name and f"{name} {edge}" for edge in ("low", "high"))
    edge = {"mode": "lines", "hoverinfo": "skip", "line": {"width": 0, "color": colour}}
    return [
        go.Scatter(edge, uid=low),
        go.Scatter(edge, uid=high, fill="tonexty", fillcolor=f"rgba({red},{green},{blue},0.25)"),
        curve(name, colour, dash, width),
    ]


# --- the rule's field in the plane: arrows, and its curl as colours behind them ---

_FIELD = "#404040"
CURL_KEY = key(("■", "curl > 0", PLUS), ("■", "curl < 0", MINUS), ("→", "field", _FIELD))


def curl_trace(x: Array, y: Array) -> go.Heatmap:
    """Return the empty heat map "curl", whose ``z`` are `curl_colours`."""
    return go.Heatmap(
        uid="curl",
        x=x,
        y=y,
        zmin=-1,
        zmax=1,
        colorscale=[[0, SIGNED[1][1]], [0.5, SIGNED[2][1]], [1, SIGNED[3][1]]],
        zsmooth="best",
        showscale=False,
        hoverinfo="skip",
    )


def curl_colours(loss: SupportsGradient, depths: Array, x: Array, y: Array) -> Array:
    """Return the curl on a grid as colours from -1 to 1, (depths, len(y), len(x)), or NaN.

    The signed square root, relative to nearly the largest at any depth, to compare depths.
    """
    points, N = np.stack(np.meshgrid(x, y), axis=-1), depths[:, None, None]
    with np.errstate(all="ignore"):
        values = curl(loss, N, points)
        gradient = np.asarray(loss.gradient(points), float)
        length = np.linalg.norm(points, axis=-1)
        slopes = N * length ** (1 - 2 / N) * np.linalg.norm(gradient, axis=-1)
        # Rounding of the curl is below this part of the largest slope the field can have.
        top = max(_nearly_largest(values), 1e-8 * _nearly_largest(slopes), 1e-300)
        colours: Array = np.sign(values) * np.sqrt(np.minimum(np.abs(values) / top, 1))
    return np.where(np.isfinite(values), colours, np.nan)


def _nearly_largest(values: Array) -> float:
    sizes = np.abs(values[np.isfinite(values)])
    return float(np.quantile(sizes, 0.98)) if sizes.size else 0.0


def arrow_trace(count: int) -> go.Scatter:
    """Return the empty trace "field", whose points are the `arrow_ends` of so many arrows."""
    field = arrow("field", _FIELD, width=1.5)
    return field.update(marker={"size": [0, 9, 0] * count, "opacity": 1})


def arrow_ends(
    loss: SupportsGradient, depths: Array, x: Array, y: Array, *, control: bool = False
) -> Array:
    """Return arrows of the rule's field, or the gradient, on a grid: (depths, 3 len(x) len(y), 2).

    A tail, a tip and a gap each; lengths are square roots, and the longest spans the spacing.
    """
    tails = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    N = np.ones_like(depths) if control else depths
    field = single_output_direction(tails, loss.gradient(tails), N[:, None])
    size = np.linalg.norm(field, axis=-1, keepdims=True)
    unit = field / np.where(size > 0, size, 1.0)
    longest = size.max(axis=1, keepdims=True)
    share = np.sqrt(size / np.where(longest > 0, longest, 1.0))
    tips = np.where(size > 0, tails + (x[1] - x[0]) * share * unit, np.nan)
    ends = np.stack([np.broadcast_to(tails, tips.shape), tips, np.full_like(tips, np.nan)], axis=2)
    return ends.reshape(len(depths), -1, 2)
