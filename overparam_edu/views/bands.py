"""Pieces of pictures of learning curves: several seeds as a line in a band, and round ticks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from overparam_edu.experiments.comparison import band, tuned
from overparam_edu.experiments.regression import Curves
from overparam_edu.views.figures import log_axis
from overparam_edu.views.frames import shown
from overparam_edu.views.style import TEMPLATE, line


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
    for number, network in enumerate(curves):
        best = tuned(network)
        name = f"depth {network.depth}, {network.optimizer}" if labels is None else labels[number]
        style = line(number, width=4)
        later = best.steps > 0  # iteration 0 has no logarithm
        traces = band_traces(style["color"], style["dash"])
        for trace in traces[:2]:
            trace.showlegend = False
        traces[2].name = f"{name}, rate {shown(best.rate)}"
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
