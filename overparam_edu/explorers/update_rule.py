"""The end-to-end rule beside the real network, set in motion: `explore_update_rule`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, number, one_of, positive, whole_number
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.networks import LinearNetwork, near_zero_network
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.rule_against_network import (
    RuleAgainstNetwork,
    compare_rule_with_network,
    rebalance,
    synthetic_regression,
)
from overparam_edu.explorers.plots import log_axis
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import BLACK, BLUE, TEMPLATE, VERMILLION, key

_DEPTHS = (1, 2, 3, 4)
_STARTS = ("balanced", "random")
# Iterations that have a stop of their own on the slider.
_STOPS = 80
# Learning rate times iterations: enough for depth 4 to leave zero from all but the smallest starts.
_TIME = 40.0
# What is drawn of values that fall without end, as a part of the first loss.
_LEAST = 1e-4


def explore_update_rule() -> Explorer:
    """Return the end-to-end update rule beside the network it is about, as a widget.

    Both start at the same end-to-end matrix: the network with layers drawn at random, or with
    balanced layers of the same product. On the left the losses; on the right the singular values
    of the end-to-end matrices, and what the theorem assumes (a small imbalance) with what it
    promises (a small distance). Talk, "end-to-end update rule"; paper, Theorem 1 and section 8.

    Depth, start and iteration move in the browser. Data, hidden width, learning rate and the scale
    of the first layers ask Python for new runs.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_update_rule()
    >>> explorer.set(learning_rate=0.2)
    """
    controls: dict[str, widgets.Widget] = {
        "data": widgets.ToggleButtons(
            options=[
                ("3 outputs, l₂", "synthetic"),
                ("Auto MPG, l₂", "mpg2"),
                ("Auto MPG, l₄", "mpg4"),
            ],
            description="data",
        ),
        "hidden": widgets.ToggleButtons(options=[1, 3, 8], value=3, description="hidden width"),
        "learning_rate": widgets.ToggleButtons(
            options=[0.2, 0.1, 0.05, 0.02], value=0.1, description="learning rate η"
        ),
        "scale": widgets.ToggleButtons(
            options=[0.03, 0.1, 0.3, 0.5], value=0.3, description="scale of the layers"
        ),
    }
    return Explorer(update_rule_scene, controls)


class _Problem(NamedTuple):
    """A loss, what its numbers of inputs and outputs are, and the least value there is."""

    loss: LpRegression
    inputs: int
    outputs: int
    least: float


@lru_cache(maxsize=3)
def _problem(data: str) -> _Problem:
    if one_of("data", data, ("synthetic", "mpg2", "mpg4")) == "synthetic":
        loss = synthetic_regression()
    else:
        cars = load_auto_mpg(standardized=True)
        loss = LpRegression(cars.X, cars.y, p=int(data[-1]), reduction="mean")
    outputs, inputs = loss.shape if len(loss.shape) == 2 else (1, *loss.shape)
    return _Problem(loss, inputs, outputs, least_loss(loss))


class _Runs(NamedTuple):
    """Rule (0) and network (1) at every depth, for both starts, at the iterations shown."""

    losses: Array  # (2, depth, start, step), above the minimum
    singular_values: Array  # (2, depth, start, step, m)
    distances: Array  # (depth, start, step)
    imbalance: Array  # (depth, start, step)
    halves: list[list[list[str]]]  # (2, depth, start), when half of the way down is done


def _runs(problem: _Problem, hidden: int, rate: float, scale: float, stops: np.ndarray) -> _Runs:
    comparisons = []
    for N in _DEPTHS:
        widths = (problem.inputs, *[hidden] * (N - 1), problem.outputs)
        drawn = near_zero_network(widths, scale)
        starts = zip(rebalance(drawn).weights, drawn.weights, strict=True)
        network = LinearNetwork(tuple(np.stack(layers) for layers in starts))
        comparisons.append(
            compare_rule_with_network(
                network,
                problem.loss,
                learning_rate=rate,
                steps=int(stops[-1]),
                record=stops.tolist(),
            )
        )
    both = [[run.rule for run in comparisons], [run.network for run in comparisons]]
    losses = np.array([[np.moveaxis(lane.losses, 0, -1) for lane in lanes] for lanes in both])
    excess = losses - problem.least
    halves = [[_half_way(run, which, problem.least) for run in comparisons] for which in (0, 1)]
    sigma = np.array([run.singular_values for run in comparisons])  # (depth, 2, step, start, m)
    return _Runs(
        np.where(excess < 1e-12, 0 * excess, excess),
        sigma.transpose(1, 0, 3, 2, 4),
        np.array([run.distances.T for run in comparisons]),
        np.array([run.imbalance.T for run in comparisons]),
        halves,
    )


def _half_way(run: RuleAgainstNetwork, which: int, least: float) -> list[str]:
    """Return for each start when half of the way from the first loss to the least is done."""
    lane, words = (run.rule, run.network)[which], []
    arrivals = lane.steps_to((lane.losses[0] + least) / 2)
    for arrival, diverged in zip(arrivals, lane.diverged_at, strict=True):
        if np.isfinite(arrival):
            words.append(f"by iteration {number_text(float(arrival))}")
        elif diverged >= 0:
            words.append(f"never (it diverges at {diverged})")
        else:
            words.append(f"not in {number_text(int(lane.steps[-1]))}")
    return words


@lru_cache(maxsize=32)
def update_rule_scene(
    data: str = "synthetic", hidden: int = 3, learning_rate: float = 0.1, scale: float = 0.3
) -> Scene:
    """Return the scene of `explore_update_rule` for one choice of its controls.

    Parameters
    ----------
    data : {"synthetic", "mpg2", "mpg4"}
        A made-up regression with three outputs, or the Auto MPG data with the power 2 or 4.
    hidden : int
        Width of the hidden layers.
    learning_rate : float
        Of both.
    scale : float
        Standard deviation of the layers' entries, as they are drawn.

    Returns
    -------
    Scene

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    problem, hidden = _problem(data), whole_number("hidden", hidden, lower=1)
    learning_rate = float(positive("learning_rate", number("learning_rate", learning_rate)))
    scale = float(positive("scale", number("scale", scale)))
    last = max(1, round(_TIME / learning_rate))
    stops = np.unique(np.round(last * np.linspace(0, 1, _STOPS) ** 2).astype(int))
    runs = _runs(problem, hidden, learning_rate, scale, stops)
    depth = Axis("depth", "depth N", _DEPTHS, start=2)
    start = Axis("start", "layers", _STARTS)
    step = Axis("step", "iteration", stops, start=len(stops) - 1, play=True)
    figure, least_drawn = _figure(runs, last)
    axes = ["depth", "start", "step"]
    template = (
        "At iteration {step}, above the minimum: network {network}, rule {rule}. Distance "
        "{distance} (so far up to {largest}), imbalance {imbalance}. Half way down: network "
        "{network_half}, rule {rule_half}."
    )
    least = min(problem.inputs, problem.outputs)
    if hidden < least:
        template += f" Width {hidden} is below min(k, d) = {least}: Theorem 1 excludes that."
    fields = {
        "rule": (runs.losses[0], axes),
        "network": (runs.losses[1], axes),
        "distance": (runs.distances, axes),
        "largest": (np.maximum.accumulate(runs.distances, axis=-1), axes),
        "imbalance": (runs.imbalance, axes),
        "rule_half": (runs.halves[0], axes[:2]),
        "network_half": (runs.halves[1], axes[:2]),
    }
    tracks = [
        Track(trace, attribute, values, ["step"] if attribute == "x" else axes, trail="step")
        for trace, curve in enumerate(_curves(runs, least_drawn))
        for attribute, values in (("x", np.maximum(stops, _STEP_0)), ("y", curve))
    ]
    reading = Reading(template, fields)
    return Scene(figure, [depth, start, step], tracks, reading, alt=_ALT, narrow=_NARROW)


_ALT = (
    "Left: loss above the minimum against iteration, for the network and for the rule. Right, "
    "above: the singular values of both end-to-end matrices. Right, below: the distance of the "
    "two matrices and the imbalance of the layers."
)
_NARROW = {
    "height": 1000,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.7, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0.36, 0.6],
    "xaxis3.domain": [0, 1],
    "yaxis3.domain": [0, 0.24],
}
# Where a logarithmic axis puts iteration 0, which has no logarithm.
_STEP_0 = 0.5


def _curves(runs: _Runs, least_drawn: tuple[float, float]) -> list[Array]:
    """Return what the traces draw, in their order; what is below the axes stays below them."""
    loss, small = (value / 100 for value in least_drawn)
    rule, network = np.maximum(runs.losses, loss)
    values = np.moveaxis(runs.singular_values, -1, 0)  # (m, 2, depth, start, step)
    return [
        network,
        rule,
        *(sigma[1] for sigma in values),
        *(sigma[0] for sigma in values),
        np.maximum(runs.distances, small),
        np.maximum(runs.imbalance, small),
    ]


def _figure(runs: _Runs, last: int) -> tuple[go.Figure, tuple[float, float]]:
    """Return the picture without its curves, and the least values its two log axes show."""
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"rowspan": 2}, {}], [None, {}]],
        column_widths=[0.5, 0.5],
        horizontal_spacing=0.15,
        vertical_spacing=0.26,
    )
    count = runs.singular_values.shape[-1]
    network, rule = ("solid", VERMILLION, 6), ("dash", BLACK, 3)
    styles = [(network, 1, 1), (rule, 1, 1)]
    styles += [(network, 1, 2)] * count + [(rule, 1, 2)] * count
    styles += [(("solid", BLUE, 4), 2, 2), (("dot", VERMILLION, 4), 2, 2)]
    for (dash, colour, width), row, column in styles:
        style = {"dash": dash, "color": colour, "width": width}
        figure.add_trace(go.Scatter(mode="lines", line=style, hoverinfo="skip"), row, column)
    first = float(runs.losses[..., 0].max())
    loss_axis = log_axis(runs.losses, below=_LEAST * first, above=3 * first)
    # A run on its way out of the finite range shall not squeeze the others.
    with np.errstate(invalid="ignore"):
        top = 1.15 * float(runs.singular_values[runs.losses <= 3 * first].max())
    small_axis = log_axis([*runs.distances, *runs.imbalance], below=1e-5, above=10) | {"dtick": 2}
    figure.update_yaxes(title="loss above minimum", **loss_axis, title_standoff=4, row=1, col=1)
    figure.update_yaxes(range=[-0.04 * top, top], row=1, col=2)
    figure.update_yaxes(**small_axis, row=2, col=2)
    span = np.log10([_STEP_0, 1.1 * last]).tolist()
    figure.update_xaxes(type="log", range=span, dtick=1)
    figure.update_xaxes(title="iteration", row=1, col=1).update_xaxes(title="iteration", row=2)
    keys = {
        "": key(("━", "network", VERMILLION), ("┅", "rule", BLACK)),
        "2": "<b>singular values</b>",
        "3": key(("━", "distance", BLUE), ("┉", "imbalance", VERMILLION)),
    }
    for axis, text in keys.items():
        place = {"xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, x=0, y=1, **place, **_ABOVE)
    figure.update_layout(template=TEMPLATE, height=400, showlegend=False, margin=_MARGIN)
    least = (10 ** loss_axis["range"][0], 10 ** small_axis["range"][0])
    return figure, least


_MARGIN = {"t": 36, "b": 56, "l": 100, "r": 16}
_ABOVE = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}
