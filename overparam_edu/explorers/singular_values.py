"""Singular values learned one after the other: `explore_singular_values`."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.networks import balanced_network
from overparam_edu.dynamics.singular_values import learning_time
from overparam_edu.dynamics.training import gradient_flow
from overparam_edu.explorers import plots
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    BROWN,
    GREY,
    PINK,
    SKY,
    TEMPLATE,
    curve,
    dot,
    heading,
    key,
    stacked,
)

_ITEMS = ("canary", "salmon", "oak", "rose")
_PROPERTIES = ("grow", "move", "roots", "fly", "swim", "bark", "petals")
# Which item has which property: the tree of Saxe, McClelland and Ganguli (2019), cut to 4 items.
TRUTH = np.array(
    [
        [1.0, 1, 1, 1],
        [1, 1, 0, 0],
        [0, 0, 1, 1],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
)
_DEPTHS = (1, 2, 3, 4)
# Following a random start takes the longer the smaller it is.
_STARTS = {"aligned": (0.0001, 0.001, 0.01, 0.1), "random": (0.001, 0.01, 0.1)}
_COLOURS = (BLACK, PINK, BROWN, BROWN)
_STORY = (
    "It has learned nothing yet",
    "It knows what all of them share",
    "It tells animals from plants",
    "It tells most of them apart",
    "It tells all of them apart",
)
# In units of the time at which the first singular value is half learned.
_LONGEST = {"aligned": 4.0, "random": 6.0}
_FINE = 2_000


def explore_singular_values() -> Explorer:
    r"""Return a matrix that is learned piece by piece as a widget: Saxe's tree of four items.

    Each item, one of four inputs, has some of seven properties. On the left the singular values of
    :math:`W` against time, and where the clock :math:`\dot s = N s^{2-2/N}(\sigma - s)` puts the
    half-way mark of each; on the right :math:`W` itself, beside what is true (dots). Time is
    counted in times of the first half-way mark (Saxe et al. 2014, Gissin et al. 2020).

    Depth, the start's size and time move in the browser. Whether the balanced start has the
    singular vectors of the target, or random ones, asks Python.

    Returns
    -------
    Explorer
    """
    controls: dict[str, widgets.Widget] = {
        "start": widgets.ToggleButtons(
            options=[("along the target", "aligned"), ("random", "random")],
            description="singular vectors at the start",
        )
    }
    return Explorer(singular_value_scene, controls)


@lru_cache(maxsize=2)
def singular_value_scene(start: str = "aligned") -> Scene:
    """Return the scene of `explore_singular_values`."""
    U, targets, Vt = np.linalg.svd(TRUTH, full_matrices=False)
    stops = np.linspace(0, _LONGEST[start], 161)
    sizes = _STARTS[start]
    lanes = (len(_DEPTHS), len(sizes))
    W = np.empty((*lanes, len(stops), *TRUTH.shape))
    halves = np.empty((*lanes, len(targets)))  # when each singular value is half learned
    clock = np.empty_like(halves)
    for lane in np.ndindex(lanes):
        N, size = _DEPTHS[lane[0]], sizes[lane[1]]
        clock[lane] = learning_time(targets, size, N)
        if start == "aligned":
            halves[lane] = clock[lane]
            values = _on_the_clock(stops * clock[lane][0], targets, size, N)
            W[lane] = (U * values[:, None]) @ Vt
        else:
            W[lane], halves[lane] = _followed(stops, targets, size, N)
    values = np.linalg.svd(W, compute_uv=False)
    both, every = ["depth", "size"], ["depth", "size", "time"]
    first = halves[..., :1]
    tracks = [Track("learned", "z", W, every)]
    for i in range(len(targets)):
        half = np.stack([clock[..., i] / first[..., 0], np.full(lanes, targets[i] / 2)], axis=-1)
        tracks += plots.line_tracks(f"value {i + 1}", stops, values[..., i], every)
        tracks += plots.point_tracks(f"clock {i + 1}", half, both)
    learned = np.sum(values > targets / 2, axis=-1)
    fields = {f"half_{i + 1}": (_told(halves[..., i]), both) for i in range(3)}
    ratios = {f"ratio_{i + 1}": (_told(halves[..., i] / first[..., 0]), both) for i in (1, 2)}
    reading = Reading(
        "{story}. Half of σ₁ is learned at time {half_1}, of σ₂ at {half_2} ({ratio_2} times as "
        "late), of σ₃ at {half_3} ({ratio_3}). For ever smaller starts the clock says {limit}.",
        fields
        | ratios
        | {
            "story": (np.array(_STORY)[learned], every),
            "limit": (["1 and 1", *["1.53 and 2.65"] * (len(_DEPTHS) - 1)], ["depth"]),
        },
    )
    axes = [
        Axis("depth", "depth N", _DEPTHS, start=1),
        Axis("size", "size of the start", sizes, start=sizes.index(0.001)),
        Axis("time", "time", stops, start=len(stops) - 1, play=True),
    ]
    narrow = stacked(500, (0.56, 1), (0, 0.3), **{"margin.l": 62})
    return Scene(_figure(targets, stops[-1]), axes, tracks, reading, alt=_ALT, narrow=narrow)


_ALT = (
    "Left: the singular values of W against time, with the predicted half-way mark of each. Right: "
    "W as a table of properties and items in colour, with dots for what is true."
)


def _on_the_clock(times: Array, targets: Array, size: float, N: int) -> Array:
    """Return singular values (times, targets) that start at `size`, from the closed form."""
    # Shares close together at both ends, where a singular value lingers.
    spread = np.linspace(0, 1, _FINE)
    values = []
    for target in targets:
        low, high = np.log(size / (target - size)), 25.0
        shares = 1 / (1 + np.exp(-(low + spread * (high - low))))
        shares[0] = size / target
        at = learning_time(target, size, N, share=shares)
        values.append(target * np.interp(times, at, shares))
    return np.stack(values, axis=-1)


def _followed(stops: Array, targets: Array, size: float, N: int) -> tuple[Array, Array]:
    """Follow the layers from a random start; return W at the stops, and the half-way times.

    The stops count times of the first half.
    """
    random = np.random.default_rng(0).standard_normal(TRUTH.shape)
    W = size * random / np.linalg.norm(random, 2)
    loss = LpRegression(np.eye(len(_ITEMS)), TRUTH.T, p=2)
    # Turning towards the target takes at most as long again as the clock says.
    longest = 2.1 * stops[-1] * float(learning_time(targets[0], size, N))
    times = np.linspace(0, longest, _FINE)
    run = gradient_flow(loss, balanced_network(W, N), times=times, rtol=1e-6)
    values = np.linalg.svd(run.points, compute_uv=False)
    late = np.maximum.accumulate(values, axis=0)
    halves = np.array(
        [np.interp(0.5, late[:, i] / s, times, right=np.nan) for i, s in enumerate(targets)]
    )
    entries = run.points.reshape(_FINE, -1).T
    at = stops * halves[0]
    W = np.stack([np.interp(at, times, entry) for entry in entries], axis=-1)
    return W.reshape(len(stops), *TRUTH.shape), halves


def _told(values: Array) -> np.ndarray:
    """Return numbers as words, with three digits."""
    words = [number_text(v) if np.isfinite(v) else "no time shown" for v in values.ravel().tolist()]
    return np.reshape(words, values.shape)


def _figure(targets: Array, longest: float) -> go.Figure:
    figure = make_subplots(cols=2, column_widths=[0.58, 0.42], horizontal_spacing=0.17)
    for i, target in enumerate(targets):
        figure.add_trace(curve(f"value {i + 1}", _COLOURS[i], width=5 if i < 3 else 3), 1, 1)
        figure.add_trace(dot(f"clock {i + 1}", _COLOURS[i], "diamond-open", 16), 1, 1)
        figure.add_hline(
            target, line={"dash": "dot", "width": 2, "color": _COLOURS[i]}, row=1, col=1
        )
    learned = go.Heatmap(
        uid="learned",
        x=_ITEMS,
        y=_PROPERTIES,
        zmin=0,
        zmax=1,
        colorscale=[[0, "#FFFFFF"], [1, SKY]],
        showscale=False,
        hoverinfo="skip",
        xgap=3,
        ygap=3,
    )
    figure.add_trace(learned, 1, 2)
    where = np.argwhere(TRUTH > 0)
    x, y = [_ITEMS[i] for i in where[:, 1]], [_PROPERTIES[i] for i in where[:, 0]]
    figure.add_trace(dot("truth", BLACK, size=9, x=x, y=y), 1, 2)
    figure.update_layout(
        template=TEMPLATE,
        height=365,
        showlegend=False,
        margin={"t": 62, "b": 60, "r": 16},
        xaxis={"range": [0, longest], "title": "time, in times of the first half", "dtick": 1},
        yaxis={"range": [-0.06, 2.85], "title": "singular values of W"},
        yaxis2={"autorange": "reversed"},
    )
    names = (("━", "first", BLACK), ("━", "second", PINK), ("━", "third, fourth", BROWN))
    heading(figure, f"{key(*names)}<br>{key(('◇', 'half learned, by the clock', GREY))}")
    heading(figure, key(("■", "learned", SKY), ("●", "true", BLACK)), 2)
    return figure
