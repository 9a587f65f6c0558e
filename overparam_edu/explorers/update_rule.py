"""The end-to-end rule beside the real network, set in motion: `explore_update_rule`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from overparam_edu.checks import number, one_of, positive, whole_number
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.networks import LinearNetwork, near_zero_network
from overparam_edu.dynamics.training import Trajectory
from overparam_edu.experiments.curves import least_loss
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.rule_against_network import (
    compare_rule_with_network,
    rebalance,
    synthetic_regression,
)
from overparam_edu.explorers import plots
from overparam_edu.player import style
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Reading, Scene
from overparam_edu.player.style import BLACK, BROWN, PINK, TEMPLATE, VERMILLION

_DEPTHS = (1, 2, 3, 4)
# Learning rate times iterations: enough for depth 4 to leave zero from all but the smallest starts.
_TIME = 40.0


def explore_update_rule() -> Explorer:
    """Return the end-to-end update rule beside the network it describes, as a widget.

    Both start at the same end-to-end matrix: the network with layers drawn at random, or with
    balanced layers of the same product. On the left the losses; on the right the singular values
    of the end-to-end matrices, and what the theorem assumes (a small imbalance) with what it
    promises (a small distance). Talk, "end-to-end update rule"; paper, Theorem 1 and section 8.

    Depth, start and iteration move in the browser. Data, hidden width, learning rate and the scale
    of the first layers ask Python for new runs.

    Returns
    -------
    Explorer
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


@lru_cache(maxsize=32)
def update_rule_scene(
    data: str = "synthetic", hidden: int = 3, learning_rate: float = 0.1, scale: float = 0.3
) -> Scene:
    """Return the scene of `explore_update_rule`; random layers have standard deviation `scale`."""
    hidden = whole_number("hidden", hidden, lower=1)
    rate = float(positive("learning_rate", number("learning_rate", learning_rate)))
    scale = float(positive("scale", number("scale", scale)))
    loss, least = _problem(data)
    outputs, inputs = (1, *loss.shape)[-2:]
    last = max(1, round(_TIME / rate))
    stops = plots.record_stops(last + 1, 80)
    runs = []
    for N in _DEPTHS:
        drawn = near_zero_network((inputs, *[hidden] * (N - 1), outputs), scale)
        pairs = zip(rebalance(drawn).weights, drawn.weights, strict=True)
        network = LinearNetwork(tuple(np.stack(layers) for layers in pairs))
        runs.append(
            compare_rule_with_network(
                network, loss, learning_rate=rate, steps=last, record=stops.tolist()
            )
        )
    # (network and rule, depth, start, step), and before depth the number of the singular value.
    losses = np.array([[run.network.losses.T, run.rule.losses.T] for run in runs]) - least
    losses = np.where(losses < 1e-12, 0.0, losses).swapaxes(0, 1)
    sigma = np.array([run.singular_values[::-1] for run in runs]).transpose(1, 4, 0, 3, 2)
    distance = np.array([run.distances.T for run in runs])
    imbalance = np.array([run.imbalance.T for run in runs])

    first = float(losses[..., 0].max())
    loss_axis = plots.log_axis(losses, below=1e-4 * first, above=3 * first)
    small_axis = plots.log_axis([*distance, *imbalance], below=1e-5, above=10) | {"dtick": 2}
    # A run that diverges must not squeeze the others.
    with np.errstate(invalid="ignore"):
        top = 1.15 * float(np.moveaxis(sigma, 1, -1)[losses <= 3 * first].max())
    figure = _figure(loss_axis, top, small_axis, last)
    solid, dashed = (VERMILLION, "solid", 6), (BLACK, "dash", 3)
    # What is below a logarithmic axis stays just below it.
    loss_floor, small_floor = (10 ** axis["range"][0] / 100 for axis in (loss_axis, small_axis))
    lines = [
        (style.curve("network", *solid), 1, 1, np.maximum(losses[0], loss_floor)),
        (style.curve("rule", *dashed), 1, 1, np.maximum(losses[1], loss_floor)),
    ]
    for who, look, values in zip(("network", "rule"), (solid, dashed), sigma, strict=True):
        for i, value in enumerate(values, start=1):
            lines.append((style.curve(f"singular value {i} of the {who}", *look), 1, 2, value))
    lines += [
        (style.curve("distance", PINK), 2, 2, np.maximum(distance, small_floor)),
        (style.curve("imbalance", BROWN, "dot"), 2, 2, np.maximum(imbalance, small_floor)),
    ]
    tracks, both, axes = [], ["depth", "start"], ["depth", "start", "step"]
    for trace, row, column, values in lines:
        figure.add_trace(trace, row, column)
        tracks += plots.line_tracks(trace.uid, np.maximum(stops, plots.STEP_0), values, axes)

    template = (
        "At iteration {step}, above the minimum: network {network}, rule {rule}. Distance "
        "{distance} (so far up to {largest}), imbalance {imbalance}. Halfway down: network "
        "{network_half}, rule {rule_half}."
    )
    if hidden < (width := min(inputs, outputs)):
        template += (
            f" Width {hidden} is below min(k, d) = {width}: its matrices have no higher rank."
        )
    reading = Reading(
        template,
        {
            "network": (losses[0], axes),
            "rule": (losses[1], axes),
            "distance": (distance, axes),
            "largest": (np.maximum.accumulate(distance, axis=-1), axes),
            "imbalance": (imbalance, axes),
            "network_half": ([_halfway(run.network, least) for run in runs], both),
            "rule_half": ([_halfway(run.rule, least) for run in runs], both),
        },
    )
    controls = [
        Axis("depth", "depth N", _DEPTHS, start=2),
        Axis("start", "layers", ("balanced", "random")),
        Axis("step", "iteration", stops, start=len(stops) - 1, play=True),
    ]
    narrow = style.stacked(490, (0.56, 1), (0, 0.33, 0, 0.4), (0, 0.33, 0.6, 1))
    narrow["annotations[2].text"] = _SMALL_KEY.replace("   ", "<br>")
    narrow |= {"xaxis2.title.text": "iteration", "margin.t": 56}
    narrow["annotations[0].text"] = f"<b>loss above minimum</b><br>{_WHO_KEY}"
    return Scene(figure, controls, tracks, reading, alt=_ALT, narrow=narrow)


_WHO_KEY = style.key(("━", "network", VERMILLION), ("┅", "rule", BLACK))
_SMALL_KEY = style.key(("━", "distance", PINK), ("┉", "imbalance", BROWN))
_ALT = (
    "Left: loss above the minimum against iteration, for the network and for the rule. Right, "
    "above: the singular values of both end-to-end matrices. Right, below: the distance of the "
    "two matrices and the imbalance of the layers."
)


@lru_cache(maxsize=3)
def _problem(data: str) -> tuple[LpRegression, float]:
    """Return a regression, and its least loss."""
    if one_of("data", data, ("synthetic", "mpg2", "mpg4")) == "synthetic":
        loss = synthetic_regression()
    else:
        cars = load_auto_mpg(standardized=True)
        loss = LpRegression(cars.X, cars.y, p=int(data[-1]), reduction="mean")
    return loss, least_loss(loss)


def _halfway(run: Trajectory, least: float) -> list[str]:
    """Return for each start when half of the way from the first loss to the least is done."""
    words = []
    arrivals = run.steps_to((run.losses[0] + least) / 2)
    for arrival, diverged in zip(arrivals, run.diverged_at, strict=True):
        if np.isfinite(arrival):
            words.append(f"by iteration {number_text(float(arrival))}")
        elif diverged >= 0:
            words.append(f"never (it diverges at {diverged})")
        else:
            words.append(f"not in {number_text(int(run.steps[-1]))}")
    return words


def _figure(
    loss_axis: dict[str, Any], top: float, small_axis: dict[str, Any], last: int
) -> go.Figure:
    """Return the panels of losses, of singular values up to `top`, and of what is small."""
    figure = plots.one_beside_two(0.5, 0.15)
    figure.update_yaxes(loss_axis, row=1, col=1)
    figure.update_yaxes(range=[-0.04 * top, top], row=1, col=2)
    figure.update_yaxes(**small_axis, row=2, col=2)
    figure.update_xaxes(plots.step_axis(last))
    figure.update_xaxes(title="iteration", row=1, col=1).update_xaxes(title="iteration", row=2)
    style.heading(figure, f"<b>loss above minimum</b>   {_WHO_KEY}")
    style.heading(figure, "<b>singular values</b>", 2)
    style.heading(figure, _SMALL_KEY, 3)
    margin = {"t": 36, "b": 56, "l": 100, "r": 16}
    return figure.update_layout(template=TEMPLATE, height=400, showlegend=False, margin=margin)
