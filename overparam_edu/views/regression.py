"""The depth race on real data: `explore_regression`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu._validation import Array
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.datasets import load_auto_mpg
from overparam_edu.experiments.depth_race import DepthRace, race_depths
from overparam_edu.experiments.regression import least_loss
from overparam_edu.views.explorer import Explorer
from overparam_edu.views.figures import log_axis
from overparam_edu.views.race_words import verdicts
from overparam_edu.views.scene import Axis, Reading, Scene, Track
from overparam_edu.views.style import BLACK, GREY, TEMPLATE, VERMILLION, key

_POWERS = (2, 4)
_DEPTHS = np.arange(1, 9)
# Iterations that have a stop of their own on the slider.
_STOPS = 100
# Standard deviation of the start's coordinates.
_SCALE = 1e-2
# Fewer rates than for the plane: a step costs 392 examples here.
_RATES = np.geomspace(0.1, 1.0, 16)


def explore_regression() -> Explorer:
    r"""Return the depth race on real data as a widget: :math:`\ell_2` beside :math:`\ell_4`.

    Gradient descent on the Auto MPG data (392 cars, 7 features, standardised, mean loss), from a
    near-zero start, at depth ``N`` (orange) and at depth 1 (grey, dashed). Depth and iteration
    move in the browser; the learning rates and the tolerance that counts as arrived ask Python
    (talk, "experiments"; paper, section 8).

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_regression()  # doctest: +SKIP
    """
    words = {"style": {"description_width": "initial"}}
    controls: dict[str, widgets.Widget] = {
        "learning_rate": widgets.ToggleButtons(
            options=[("tuned for each depth", "tuned"), ("same", "same")],
            description="learning rate",
            **words,
        ),
        "tolerance": widgets.ToggleButtons(
            options=[("10%", 0.1), ("1%", 0.01), ("0.1%", 0.001)],
            value=0.01,
            description="arrived: within … of the minimum",
            **words,
        ),
    }
    for control in controls.values():
        control.style.button_width = control.layout.width = "auto"
    return Explorer(_scene, controls)


class _Side(NamedTuple):
    """One power of the loss: its race, and the losses above the minimum, relative to it."""

    power: int
    race: DepthRace
    excess: Array


def _side(power: int, learning_rate: str, tolerance: float) -> _Side:
    cars = load_auto_mpg(standardized=True)
    loss = LpRegression(cars.X, cars.y, p=power, reduction="mean")
    least = least_loss(loss)
    start = np.random.default_rng(0).normal(scale=_SCALE, size=loss.shape)
    race = race_depths(
        loss,
        start,
        depths=_DEPTHS,
        target=(1 + tolerance) * least,
        learning_rate=learning_rate,
        rates=_RATES,
    )
    return _Side(power, race, race.losses / least - 1)


@lru_cache(maxsize=8)
def _scene(*, learning_rate: str, tolerance: float) -> Scene:
    sides = [_side(power, learning_rate, tolerance) for power in _POWERS]
    last = max(len(side.race.steps) for side in sides) - 1
    stops = np.unique(np.round(last * np.linspace(0, 1, _STOPS) ** 2).astype(int))
    depth = Axis("depth", "depth N", _DEPTHS, start=1)
    step = Axis("step", "iteration", stops, start=len(stops) - 1, play=True)
    tracks = []
    for column, side in enumerate(sides):
        values = _at_stops(side.excess, stops).T
        for trace, drawn, axes in (
            (2 * column, values[0], ["step"]),
            (2 * column + 1, values, ["depth", "step"]),
        ):
            tracks.append(Track(trace, "x", stops, ["step"], trail="step"))
            tracks.append(Track(trace, "y", drawn, axes, trail="step"))
    fields = {
        f"side_{side.power}": (verdicts(side.race, with_rates=False), ["depth"]) for side in sides
    }
    reading = Reading("p\u00a0=\u00a02: {side_2}. p\u00a0=\u00a04: {side_4}.", fields)
    figure = _figure(sides, stops, tolerance)
    return Scene(figure, [depth, step], tracks, reading, alt=_ALT, narrow=_NARROW)


_ALT = (
    "Loss above the minimum against iteration on the Auto MPG data, at depth 1 and at the chosen "
    "depth: on the left for the power 2, on the right for the power 4."
)
_NARROW = {
    "height": 760,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.58, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0, 0.42],
}


def _at_stops(values: Array, stops: np.ndarray) -> Array:
    """Return the records at `stops`; a race that was over before then has no more."""
    rest = np.full((max(0, stops[-1] + 1 - len(values)), values.shape[1]), np.nan)
    picked: Array = np.concatenate([values, rest])[stops]
    return picked


def _figure(sides: list[_Side], stops: np.ndarray, tolerance: float) -> go.Figure:
    titles = [f"p = {side.power}" for side in sides]
    figure = make_subplots(cols=len(sides), subplot_titles=titles, horizontal_spacing=0.1)
    for column, side in enumerate(sides, start=1):
        for colour, dash, width in ((GREY, "dash", 3), (VERMILLION, "solid", 4)):
            style = {"color": colour, "dash": dash, "width": width}
            curve = go.Scatter(mode="lines", line=style, hoverinfo="skip")
            figure.add_trace(curve, row=1, col=column)
        axis = log_axis(side.excess, below=tolerance / 10, above=1e3)
        figure.update_yaxes(**axis, row=1, col=column)
        end = max(side.race.arrivals[np.isfinite(side.race.arrivals)], default=stops[-1])
        figure.update_xaxes(range=[0, 1.1 * float(end)], title="iteration", row=1, col=column)
        figure.add_hline(tolerance, line={"dash": "dot", "width": 2}, row=1, col=column)
    figure.update_yaxes(title="loss above minimum", row=1, col=1)
    figure.update_annotations(font_size=20)
    words = key(("┅", "depth 1", GREY), ("━", "depth N", VERMILLION), ("┉", "arrived", BLACK))
    figure.add_annotation(text=words, x=0, y=1.1, xref="paper", yref="paper", **_KEY_PLACE)
    figure.update_layout(template=TEMPLATE, height=390, showlegend=False, margin=_MARGIN)
    return figure


_KEY_PLACE = {
    "xanchor": "left",
    "yanchor": "bottom",
    "showarrow": False,
    "font": {"size": 16},
}
_MARGIN = {"l": 92, "t": 68, "b": 56, "r": 16}
