"""How large random layers start, by width, depth and standard deviation: `explore_random_start`."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, whole_number
from overparam_edu.dynamics.random_start import expected_square, typical_square
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    BROWN,
    PINK,
    TEMPLATE,
    VERMILLION,
    curve,
    dot,
    heading,
    key,
    stacked,
)

WIDTHS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64])
DEPTHS = np.arange(1, 17)
SCALES = np.array([0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.4, 1.7, 2])
INPUTS, DRAWS = 10, 200


def explore_random_start() -> Explorer:
    r"""Return the size of random layers' product as a widget: the width decides where it starts.

    One output, ten inputs. Mean (black) and typical size (pink) of :math:`\|W\|^2` by formula,
    against depth on the left and against width on the right; rings are the mean and diamonds the
    median of 200 draws of real layers. Depth, width and standard deviation move in the browser;
    new draws ask Python.

    Returns
    -------
    Explorer
    """
    seed = widgets.Dropdown(options=range(10), description="draws, seed")
    few = [{"seed": number} for number in range(4)]  # enough to see how draws differ
    return Explorer(random_start_scene, {"seed": seed}, on_pages=few)


def draw_squares(width: int, rng: np.random.Generator) -> Array:
    """Return ``||W||^2`` of `DRAWS` networks at every depth, at standard deviation 1."""
    row = np.ones((DRAWS, 1))  # the product of the layers above, one row each
    squares = []
    for _ in DEPTHS:
        squares.append((row[:, None] @ rng.standard_normal((DRAWS, row.shape[-1], INPUTS)))[:, 0])
        row = (row[:, None] @ rng.standard_normal((DRAWS, row.shape[-1], width)))[:, 0]
    lengths: Array = (np.stack(squares) ** 2).sum(axis=-1)
    return lengths


@lru_cache(maxsize=10)
def random_start_scene(seed: int = 0) -> Scene:
    """Return the scene of `explore_random_start` for a seed of the draws."""
    rng = np.random.default_rng(whole_number("seed", seed, lower=0))
    drawn = np.stack([draw_squares(int(m), rng) for m in WIDTHS])  # (width, depth, draw)
    power = SCALES[:, None, None] ** (2 * DEPTHS)  # (sd, 1, depth)
    mean, typical = (
        np.array([[size((INPUTS, *[m] * (N - 1), 1), SCALES) for N in DEPTHS] for m in WIDTHS])
        for size in (expected_square, typical_square)
    )
    values = {
        "mean": np.moveaxis(mean, -1, 0),
        "typical": np.moveaxis(typical, -1, 0),
        "measured mean": power * drawn.mean(axis=-1),
        "measured median": power * np.median(drawn, axis=-1),
    }  # (sd, width, depth)
    every = ["scale", "width", "depth"]
    tracks = []
    for name, v in values.items():
        tracks += [
            Track(name, "y", v, ["scale", "width"]),
            Track(f"{name} by width", "y", np.swapaxes(v, 1, 2), ["scale", "depth"]),
        ]
    critical = 1 / SCALES**2
    shown = np.where((critical >= 1) & (critical <= 80), critical, np.nan)
    tracks += [
        Track("now", "x", DEPTHS, ["depth"]),
        Track("now", "y", values["mean"], every),
        Track("now by width", "x", WIDTHS, ["width"]),
        Track("now by width", "y", values["mean"], every),
        Track("critical", "x", np.stack([shown, shown], axis=-1), ["scale"]),
    ]
    # All that a standard deviation leads to is seen, however far.
    every_size = np.stack(list(values.values()))
    ends = [np.log10(edge(every_size, axis=(0, 2, 3))) for edge in (np.min, np.max)]
    spans = np.stack([np.minimum(ends[0] - 1, -25.5), np.maximum(ends[1] + 1, 15.5)], axis=-1)
    tracks += [Track(None, f"yaxis{panel}.range", spans, ["scale"]) for panel in ("", 2)]
    factors = SCALES[:, None] ** 2 * WIDTHS
    above = (drawn > mean_at_1(WIDTHS)[..., None]).mean(axis=-1)
    reading = Reading(
        "Width {width}, depth {depth}, s = {scale}: a layer multiplies the mean by {factor}. Mean "
        "{mean}, measured {measured}; typical {typical}, median {median}. {above} of 200 draws are "
        "above the mean.",
        {
            "factor": (factors, ["scale", "width"]),
            "mean": (values["mean"], every),
            "measured": (values["measured mean"], every),
            "typical": (values["typical"], every),
            "median": (values["measured median"], every),
            "above": (DRAWS * above, ["width", "depth"]),
        },
    )
    axes = [
        Axis("width", "hidden width m", WIDTHS, start=0),
        Axis("depth", "depth N", DEPTHS, start=15),
        Axis("scale", "std. deviation s", SCALES, start=3),
    ]
    alt = (
        "Left: mean and typical squared length of the product of random layers against depth. "
        "Right: the same against width. Formulas as lines, draws as marks."
    )
    narrow = stacked(490, (0.56, 1), (0, 0.3), **{"margin.l": 66})
    return Scene(_figure(), axes, tracks, reading, alt=alt, narrow=narrow)


def mean_at_1(widths: Array) -> Array:
    """Return the mean square at standard deviation 1, (width, depth)."""
    means: Array = INPUTS * widths[:, None].astype(float) ** (DEPTHS - 1.0)
    return means


def _figure() -> go.Figure:
    figure = make_subplots(cols=2, horizontal_spacing=0.1)
    for column, (x, more) in enumerate(((DEPTHS, ""), (WIDTHS, " by width")), start=1):
        traces = [
            curve(f"mean{more}", BLACK, x=x),
            curve(f"typical{more}", PINK, "dash", x=x),
            dot(f"measured mean{more}", BLACK, "circle-open", 10, x=x),
            dot(f"measured median{more}", PINK, "diamond-open", 9, x=x),
            dot(f"now{more}", VERMILLION, size=15, marker_line_color=BLACK),
        ]
        figure.add_traces(traces, rows=1, cols=column)
        figure.add_hline(1, line={"dash": "dot", "width": 2}, row=1, col=column)
    figure.add_trace(curve("critical", BROWN, "dot", 2, y=[1e-38, 1e38]), 1, 2)
    figure.update_yaxes(type="log", dtick=10, exponentformat="power")
    figure.update_xaxes(title="depth N", range=[0.4, 16.6], dtick=3, row=1, col=1)
    widths = {
        "type": "log",
        "range": np.log10([0.85, 80]).tolist(),
        "tickvals": WIDTHS[[0, 1, 3, 5, 7, 9, 11]],
    }
    figure.update_xaxes(title="hidden width m", **widths, row=1, col=2)
    margin = {"l": 84, "t": 62, "b": 58, "r": 16}
    figure.update_layout(template=TEMPLATE, height=370, showlegend=False, margin=margin)
    lines = key(("━", "mean of ‖W‖²", BLACK), ("┅", "typical", PINK))
    marks = key(("○", "of 200 draws", BLACK), ("◇", "median", PINK))
    heading(figure, f"{lines}<br>{marks}")
    heading(figure, key(("┉", "critical width, 1/s²", BROWN)), 2)
    return figure
