"""The talk's "Illustration of Acceleration", set in motion: `explore_trajectories`."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array
from overparam_edu.dynamics.losses import SeparableLp
from overparam_edu.dynamics.rule import split_direction
from overparam_edu.experiments.depth_race import DepthRace, race_depths
from overparam_edu.explorers.plots import log_axis, loss_contour, plane_ranges
from overparam_edu.explorers.race_words import verdicts
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Reading, Scene, Track
from overparam_edu.player.style import BLACK, BLUE, GREEN, GREY, ORANGE, TEMPLATE, VERMILLION, key

# Iterations that have a stop of their own on the slider.
_STOPS = 72
# Length of the longer arrow, as a part of the picture.
_ARROW = 0.22


def explore_trajectories() -> Explorer:
    r"""Return the 2-D illustration as a widget: paths by depth, over an ill-conditioned loss.

    On the left the path of depth ``N`` (orange) and of depth 1 (grey, dashed) over the contours of
    :math:`\frac1p (w_1 - y_1)^p + \frac1p (w_2 - y_2)^p`, with the split of the next step into its
    adaptive-rate part (blue) and its projection part (green), enlarged. On the right the loss, and
    the effective learning rate :math:`\eta \|w\|^{2-2/N}` across ``w`` and ``N`` times that along
    it (talk, "Illustration of Acceleration"; paper, section 7).

    Depth and iteration move in the browser. The power ``p``, the targets' ratio, the start, the
    learning rates and the dynamics ask Python for new runs.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_trajectories()
    >>> explorer.set(p=2)
    """
    controls: dict[str, widgets.Widget] = {
        "p": widgets.ToggleButtons(options=[2, 3, 4, 6], value=4, description="power p"),
        "ratio": widgets.SelectionSlider(
            options=[1, 2, 5, 10, 20, 30], value=10, description="targets y₁/y₂"
        ),
        "start": widgets.SelectionSlider(
            options=[0, 0.001, 0.003, 0.01, 0.03, 0.1], value=0.01, description="start"
        ),
        "learning_rate": widgets.ToggleButtons(
            options=[("tuned for each depth", "tuned"), ("same", "same"), ("by hand", "hand")],
            description="learning rate",
        ),
        "rate_by_hand": widgets.FloatLogSlider(
            value=1, base=10, min=-2, max=1.5, step=0.05, description="η", readout_format=".2g"
        ),
        "dynamics": widgets.ToggleButtons(
            options=[("rule", "rule"), ("real network", "network"), ("flow", "flow")],
            description="dynamics",
        ),
    }
    return Explorer(
        _scene,
        controls,
        shown_when={"rate_by_hand": lambda values: values["learning_rate"] == "hand"},
    )


def _scene(
    *, p: float, ratio: float, start: float, learning_rate: str, rate_by_hand: float, dynamics: str
) -> Scene:
    rate = rate_by_hand if learning_rate == "hand" else learning_rate
    return trajectory_scene(p, ratio, start, rate, dynamics)


@lru_cache(maxsize=64)
def trajectory_scene(
    p: float = 4,
    ratio: float = 10,
    start: float = 0.01,
    learning_rate: str | float = "tuned",
    dynamics: str = "rule",
) -> Scene:
    """Return the scene of `explore_trajectories` for one choice of its controls.

    Parameters
    ----------
    p : float
        Power of the loss, at least 2.
    ratio : float
        ``y_1 / y_2``; ``y_1`` is 1.
    start : float
        Both coordinates of the starting point.
    learning_rate : {"tuned", "same"} or float
        As in `race_depths`.
    dynamics : {"rule", "network", "flow"}
        As in `race_depths`; only the rule knows depths between whole ones.

    Returns
    -------
    Scene

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    loss = SeparableLp((1.0, 1.0 / ratio), p=p)
    depths = np.arange(1, 8.5, 0.5 if dynamics == "rule" else 1.0)
    # Arrived is who has brought the slow coordinate's loss to 1%, and the other's below that.
    target = 0.01 * float(loss.targets[1]) ** p / p
    race = race_depths(
        loss,
        [start, start],
        depths=depths,
        target=target,
        learning_rate=learning_rate,
        dynamics=dynamics,
    )
    shown_at = record_stops(len(race.steps))
    step = Axis("step", "iteration", race.steps[shown_at], start=len(shown_at) - 1, play=True)
    depth = Axis("depth", "depth N", depths, start=int(np.argmax(depths == 3)))
    points = np.moveaxis(race.points[shown_at], 1, 0)  # (depth, step, 2)
    losses = race.losses[shown_at].T
    rates = _effective_rates(points, depths, race.learning_rates)
    spans = plane_ranges(race.points, race.losses)
    figure = _figure(loss, race, step, spans, rates)
    tracks = [
        *path_tracks(points),
        *_arrow_tracks(loss, points, depths, spans),
        *_curve_tracks(step, depths, losses, rates),
    ]
    rate_name = learning_rate if isinstance(learning_rate, str) else "hand"
    reading = Reading(
        "At iteration {step}, loss {loss} (depth 1: {loss_1}). With {rates}, {verdict}.",
        {
            "verdict": (verdicts(race), ["depth"]),
            "rates": ([_RATES[rate_name]] * len(depths), ["depth"]),
            "loss": (losses, ["depth", "step"]),
            "loss_1": (losses[0], ["step"]),
        },
    )
    return Scene(figure, [depth, step], tracks, reading, alt=_ALT, narrow=_NARROW)


_RATES = {
    "tuned": "each depth at the rate tuned for its rule",
    "same": "one rate for all, safe for the rule at every depth",
    "hand": "one rate for all, set by hand",
}
_ALT = (
    "Left: paths of gradient descent at depth 1 and at the chosen depth over the contours of the "
    "loss, with the two parts of the next step as arrows. Right: loss and effective learning rate "
    "against iteration."
)
_NARROW = {
    "height": 1000,
    "font.size": 14,
    "annotations[1].font.size": 13,
    "annotations[2].font.size": 13,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.62, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0.31, 0.54],
    "xaxis3.domain": [0, 1],
    "yaxis3.domain": [0, 0.21],
}


def record_stops(records: int) -> np.ndarray:
    """Return the records that get a stop: close together at first, where paths turn.

    Parameters
    ----------
    records : int
        How many there are.

    Returns
    -------
    ndarray of int
    """
    last = records - 1
    return np.unique(np.round(last * np.linspace(0, 1, _STOPS) ** 2).astype(int))


def _effective_rates(points: Array, depths: Array, rates: Array) -> Array:
    """Return the step's factor on the gradient across ``w``, (depth, step)."""
    with np.errstate(over="ignore"):
        square = np.square(points).sum(axis=-1)
    across: Array = rates[:, None] * square ** (1 - 1 / depths[:, None])
    return across


# The traces that move, in the order they stand in the figure (the contour is 0, the target 1).
_PATH_1, _PATH, _NOW_1, _NOW, _ADAPTIVE, _PROJECTION = range(2, 8)
_LOSS_1, _LOSS, _RATE_1, _ACROSS, _ALONG = range(8, 13)


def _figure(
    loss: SeparableLp, race: DepthRace, step: Axis, spans: Array, rates: Array
) -> go.Figure:
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"rowspan": 2}, {}], [None, {}]],
        column_widths=[0.56, 0.44],
        horizontal_spacing=0.12,
        vertical_spacing=0.26,
    )
    figure.add_trace(loss_contour(loss, *spans), row=1, col=1)
    star = {"symbol": "star", "size": 18, "color": BLACK}
    x, y = loss.targets[:, None]
    figure.add_scatter(x=x, y=y, mode="markers", marker=star, row=1, col=1)
    for trace in _moving_traces():
        figure.add_trace(trace[0].update(hoverinfo="skip"), row=trace[1], col=trace[2])
    figure.update_layout(template=TEMPLATE, height=440, showlegend=False, margin=_MARGIN)
    figure.update_xaxes(range=spans[0], title="w₁", row=1, col=1)
    figure.update_yaxes(range=spans[1], title="w₂", row=1, col=1)
    loss_axis = log_axis(race.losses, below=race.target / 10, above=2 * float(race.losses[0].max()))
    along = rates * race.depths[:, None]
    rate_axis = log_axis([rates, along], below=1e-4, above=1e3)
    step_span = np.log10([_STEP_0, 1.1 * float(step.stops[-1])]).tolist()
    for row, title, axis in ((1, "loss", loss_axis), (2, "effective rate", rate_axis)):
        figure.update_xaxes(type="log", range=step_span, dtick=1, row=row, col=2)
        figure.update_yaxes(title=title, **axis, row=row, col=2)
    figure.add_hline(race.target, line={"dash": "dot", "width": 2}, row=1, col=2)
    level = float(np.log10(race.target))  # annotations on logarithmic axes stand at the logarithm
    figure.add_annotation(text="arrived", x=0, xref="x2 domain", y=level, yref="y2", **_BELOW)
    figure.add_annotation(text=_KEY, x=0, xref="x domain", y=1, yref="y domain", **_ABOVE)
    figure.add_annotation(text=_RATE_KEY, x=0, xref="x3 domain", y=1, yref="y3 domain", **_ABOVE)
    figure.update_xaxes(title="iteration", row=2, col=2)
    return figure


_KEY = (
    key(("┅", "depth 1", GREY), ("━", "depth N", VERMILLION), ("★", "minimum", BLACK))
    + "<br>next step:   "
    + key(("→", "adaptive rate", BLUE), ("→", "projection", GREEN))
)
_RATE_KEY = key(("━", "across w", VERMILLION), ("┉", "along w: N times", ORANGE))


_MARGIN = {"t": 56, "b": 56, "r": 16}
_BELOW = {"xanchor": "left", "yanchor": "top", "showarrow": False, "font": {"size": 16}}
_ABOVE = _BELOW | {"yanchor": "bottom", "align": "left"}
# Where a logarithmic axis puts iteration 0, which has no logarithm.
_STEP_0 = 0.5
_LEAST = 1e-30


def _moving_traces() -> list[tuple[go.Scatter, int, int]]:
    """Return the empty traces that the tracks fill, with the row and column of each."""

    def curve(colour: str, dash: str, width: float) -> go.Scatter:
        return go.Scatter(mode="lines", line={"color": colour, "dash": dash, "width": width})

    def dot(colour: str, symbol: str) -> go.Scatter:
        marker = {"color": colour, "size": 14, "symbol": symbol, "line": {"width": 2}}
        return go.Scatter(mode="markers", marker=marker)

    def arrow(colour: str) -> go.Scatter:
        marker = {"symbol": "arrow", "size": [0, 20], "angleref": "previous", "color": colour}
        style = {"color": colour, "width": 5}
        return go.Scatter(mode="lines+markers", marker=marker, line=style)

    one, deep = (GREY, "dash", 3), (VERMILLION, "solid", 4)
    return [
        (curve(*one), 1, 1),
        (curve(*deep), 1, 1),
        (dot(GREY, "circle-open"), 1, 1),
        (dot(VERMILLION, "circle"), 1, 1),
        (arrow(BLUE), 1, 1),
        (arrow(GREEN), 1, 1),
        (curve(*one), 1, 2),
        (curve(*deep), 1, 2),
        (curve(*one), 2, 2),
        (curve(*deep), 2, 2),
        (curve(ORANGE, "dot", 4), 2, 2),
    ]


def path_tracks(points: Array) -> list[Track]:
    """Return the paths of depth 1 and depth N and the dots at their ends: traces 2 to 5.

    Parameters
    ----------
    points : ndarray, shape (depths, steps, 2)
        Depth 1 first.

    Returns
    -------
    list of Track
        They follow the axes ``"depth"`` and ``"step"``.
    """
    tracks = []
    for coordinate, attribute in enumerate("xy"):
        values = points[..., coordinate]
        tracks += [
            Track(_PATH_1, attribute, values[0], ["step"], trail="step"),
            Track(_PATH, attribute, values, ["depth", "step"], trail="step"),
            Track(_NOW_1, attribute, values[0], ["step"]),
            Track(_NOW, attribute, values, ["depth", "step"]),
        ]
    return tracks


def _arrow_tracks(loss: SeparableLp, points: Array, depths: Array, spans: Array) -> list[Track]:
    """Return arrows from where the run is, along the two parts of its next step.

    Both are enlarged by the same factor, so that the longer has a fixed length in the picture.
    """
    with np.errstate(invalid="ignore"):
        inside = (np.abs(points) < 1e3).all(axis=-1, keepdims=True)
    here = np.where(inside, points, np.nan)
    safe = np.where(inside, points, 0.0)
    parts = split_direction(safe, loss.gradient(safe), depths[:, None])
    size = np.ptp(spans, axis=1)
    lengths = [np.linalg.norm(part / size, axis=-1) for part in parts]
    longest = np.maximum(*lengths)
    factor = np.divide(_ARROW, longest, out=np.zeros_like(longest), where=longest > 0)
    tracks = []
    for trace, part in zip((_ADAPTIVE, _PROJECTION), parts, strict=True):
        ends = np.stack(
            [here, here - factor[..., None] * part], axis=2
        )  # (depth, step, 2 ends, 2 coordinates)
        for coordinate, attribute in enumerate("xy"):
            tracks.append(Track(trace, attribute, ends[..., coordinate], ["depth", "step"]))
    return tracks


def _curve_tracks(step: Axis, depths: Array, losses: Array, rates: Array) -> list[Track]:
    curves = {
        _LOSS_1: losses[0],
        _LOSS: losses,
        _RATE_1: rates[0],
        _ACROSS: rates,
        _ALONG: rates * depths[:, None],
    }
    iterations, tracks = np.maximum(step.stops, _STEP_0), []
    for trace, values in curves.items():
        axes = ["step"] if values.ndim == 1 else ["depth", "step"]
        tracks.append(Track(trace, "x", iterations, ["step"], trail="step"))
        # 0 has no place on a logarithmic axis, but its line leads down and out of the picture.
        tracks.append(Track(trace, "y", np.maximum(values, _LEAST), axes, trail="step"))
    return tracks
