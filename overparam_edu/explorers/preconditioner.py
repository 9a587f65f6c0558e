"""What depth multiplies a gradient by, set in motion: `explore_preconditioner`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, number, one_of
from overparam_edu.dynamics.rule import preconditioner, single_output_direction, split_direction
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.mathml import mathml
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    TEMPLATE,
    VERMILLION,
    key,
)

_DEEPEST = 4
# Singular values, or the norm of w.
_SIZES = np.round(np.arange(0, 1.25, 0.1), 1)
# Of the gradient, in degrees.
_ANGLES = np.arange(0, 91, 7.5)
_ROUND = np.linspace(0, 2 * np.pi, 73)
_PALE = "#B5B5B5"


def explore_preconditioner() -> Explorer:
    r"""Return the preconditioner of depth as a widget: gradients in, steps out.

    Depth multiplies the gradient by a matrix. On the left its action on all gradients of length
    1: a circle becomes an ellipse. For a :math:`2 \times 2` matrix
    :math:`W = \sigma_1 u_1 v_1^\top + \sigma_2 u_2 v_2^\top` these are the gradients spanned by
    :math:`u_1 v_1^\top` and :math:`u_2 v_2^\top`, and on the right stand the factors of all four
    directions :math:`u_r v_s^\top` (talk, "preconditioning"; paper, Claim 1). For a vector the
    step is split into adaptive rate and projection, and on the right stand the factors along and
    across ``w`` against depth (talk, "single output"; paper, Claim 2).

    Depth, singular values or norm, and the gradient move in the browser. The kind of parameter
    and the angles of the singular vectors ask Python.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_preconditioner()
    >>> explorer.set(kind="vector")
    """

    def angle(name: str) -> widgets.IntSlider:
        return widgets.IntSlider(30, 0, 180, 15, description=name, continuous_update=False)

    kind = widgets.ToggleButtons(
        options=[("matrix, 2 × 2", "matrix"), ("vector, one output", "vector")],
        description="parameter",
    )
    controls = {"kind": kind, "left": angle("angle of u₁"), "right": angle("angle of v₁")}
    controls["left"].value = 60

    def is_matrix(values: dict[str, object]) -> bool:
        return values["kind"] == "matrix"

    return Explorer(
        preconditioner_scene, controls, shown_when={"left": is_matrix, "right": is_matrix}
    )


@lru_cache(maxsize=64)
def preconditioner_scene(kind: str = "matrix", left: float = 60, right: float = 30) -> Scene:
    """Return the scene of `explore_preconditioner` for one choice of its controls.

    Parameters
    ----------
    kind : {"matrix", "vector"}
        Whether the end-to-end parameter is 2 x 2, or a vector of one output.
    left, right : float
        Angles of the first left and right singular vector in degrees; a vector has none.

    Returns
    -------
    Scene

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or another word.
    """
    left, right = number("left", left), number("right", right)
    if one_of("kind", kind, ("matrix", "vector")) == "vector":
        return _vector_scene()
    return _matrix_scene(left, right)


# --- a matrix ---


def _matrix_scene(left: float, right: float) -> Scene:
    depths = np.arange(1, _DEEPEST + 1)
    factors = _factors(depths)  # (depth, sigma_1, sigma_2, r, s)
    # The factor of u_r v_r^T knows its own singular value only.
    first, second = factors[:, :, 0, 0, 0], factors[:, 0, :, 1, 1]
    x, y = np.cos(_radians()), np.sin(_radians())
    steps = first[..., None] * x, second[..., None] * y  # (depth, size, angle)
    sizes = ("sigma_1", "sigma_2")
    tracks = [Track(_FACTORS, attribute, factors, ["depth", *sizes]) for attribute in ("z", "text")]
    for attribute, size, factor, gradient, step in zip(
        "xy", sizes, (first, second), (x, y), steps, strict=True
    ):
        wave = np.cos(_ROUND) if attribute == "x" else np.sin(_ROUND)
        tracks += [
            Track(_ELLIPSE, attribute, factor[..., None] * wave, ["depth", size]),
            Track(_GRADIENT, attribute, _from_origin(gradient), ["angle"]),
            Track(_STEP, attribute, _from_origin(step), ["depth", size, "angle"]),
        ]
    reading = Reading(
        "Depth {depth} multiplies u₁v₁ᵀ by {first}, u₂v₂ᵀ by {second}, and u₁v₂ᵀ and u₂v₁ᵀ by "
        "{mixed}. The gradient ({x}, {y}) becomes the step ({step_x}, {step_y}).",
        {
            "first": (first, ["depth", "sigma_1"]),
            "second": (second, ["depth", "sigma_2"]),
            "mixed": (factors[..., 0, 1], ["depth", *sizes]),
            "x": (_clean(x), ["angle"]),
            "y": (_clean(y), ["angle"]),
            "step_x": (_clean(steps[0]), ["depth", "sigma_1", "angle"]),
            "step_y": (_clean(steps[1]), ["depth", "sigma_2", "angle"]),
        },
    )
    axes = [
        Axis("depth", "depth N", depths, start=2),
        Axis("sigma_1", "σ₁", _SIZES, start=10),
        Axis("sigma_2", "σ₂", _SIZES, start=4),
        Axis("angle", "gradient’s angle °", _ANGLES, start=6),
    ]
    board = Board([_sums(int(N)) for N in depths], ["depth"])
    figure = _matrix_figure(left, right)
    return Scene(figure, axes, tracks, reading, alt=_MATRIX_ALT, narrow=_NARROW, board=board)


def _factors(depths: np.ndarray) -> Array:
    """Return the eigenvalue of each direction ``u_r v_s^T``, (depth, sigma_1, sigma_2, r, s)."""
    W = np.zeros((len(_SIZES), len(_SIZES), 2, 2))
    W[..., 0, 0], W[..., 1, 1] = np.meshgrid(_SIZES, _SIZES, indexing="ij")
    # For a diagonal W the directions are the entries, whichever singular value is the larger.
    diagonals = [np.diagonal(preconditioner(W, int(N)).matrix, axis1=-2, axis2=-1) for N in depths]
    return np.swapaxes(np.reshape(diagonals, (len(depths), *W.shape)), -1, -2)


def _sums(N: int) -> str:
    """Return the sum of Claim 1 at one depth, written out."""

    def power(base: str, twice: int) -> str:
        if twice == 0:
            return ""
        if twice == N:
            return base
        whole = twice % N == 0
        return f"{base}^{{{twice // N if whole else f'{twice}/{N}'}}}"

    terms = [
        power(r"\sigma_r", 2 * (N - j)) + power(r"\sigma_s", 2 * (j - 1)) or "1"
        for j in range(1, N + 1)
    ]
    W = r"W = \sigma_1 u_1 v_1^\top + \sigma_2 u_2 v_2^\top, \qquad "
    return _paragraph(rf"{W} \text{{factor of }} u_r v_s^\top = " + " + ".join(terms))


def _directions(left: float, right: float) -> list[tuple[str, str, str]]:
    """Return the four directions: their names ``u_r`` and ``v_s``, and the matrix in digits."""
    turned = {
        f"{name}{index}": np.array([np.cos(angle), np.sin(angle)])
        for name, first in (("u", left), ("v", right))
        for index, angle in (("₁", np.radians(first)), ("₂", np.radians(first + 90)))
    }

    def matrix(u: str, v: str) -> str:
        rows = np.char.mod("%+.2f", _clean(np.outer(turned[u], turned[v])))
        return "<br>".join("  ".join(row).replace("-", "−") for row in rows)

    return [(u, v, matrix(u, v)) for u in ("u₁", "u₂") for v in ("v₁", "v₂")]


# --- a vector ---


def _vector_scene() -> Scene:
    depths = np.arange(1, _DEEPEST + 0.25, 0.25)
    curve = np.linspace(1, _DEEPEST, 51)
    # In coordinates along and across w.
    w = np.stack([_SIZES, np.zeros_like(_SIZES)], axis=-1)[:, None]
    gradients = np.stack([np.cos(_radians()), np.sin(_radians())], axis=-1)
    circle = np.stack([np.cos(_ROUND), np.sin(_ROUND)], axis=-1)
    N = depths[:, None, None]
    adaptive, projection = split_direction(w, gradients, N)  # (depth, norm, angle, 2)
    ellipse = single_output_direction(w, circle, N)
    across, along = _vector_factors(w[:, 0], depths)
    steps, axes_of_step = adaptive + projection, ["real_depth", "norm", "angle"]
    tracks = _factor_tracks(depths, across, along, *_vector_factors(w[:, 0], curve))
    for i, attribute in enumerate("xy"):
        tracks += [
            Track(_ELLIPSE, attribute, ellipse[..., i], ["real_depth", "norm"]),
            Track(_GRADIENT, attribute, _arrow(0 * gradients, gradients)[..., i], ["angle"]),
            Track(_STEP, attribute, _arrow(0 * adaptive, adaptive)[..., i], axes_of_step),
            Track(_PROJECTION, attribute, _arrow(adaptive, steps)[..., i], axes_of_step),
        ]
    reading = Reading(
        "The adaptive rate multiplies the gradient by {across}; the projection adds {extra} times "
        "its part along w. The gradient ({x}, {y}) becomes the step ({step_x}, {step_y}).",
        {
            "across": (across, ["real_depth", "norm"]),
            "extra": (along - across, ["real_depth", "norm"]),
            "x": (_clean(gradients[:, 0]), ["angle"]),
            "y": (_clean(gradients[:, 1]), ["angle"]),
            "step_x": (_clean(steps[..., 0]), axes_of_step),
            "step_y": (_clean(steps[..., 1]), axes_of_step),
        },
    )
    axes = [
        Axis("real_depth", "depth N", depths, start=8),
        Axis("norm", "‖w‖", _SIZES, start=10),
        Axis("angle", "gradient’s angle °", _ANGLES, start=6),
    ]
    board = Board([_single_rule(float(N)) for N in depths], ["real_depth"])
    figure = _vector_figure(curve)
    return Scene(figure, axes, tracks, reading, alt=_VECTOR_ALT, narrow=_NARROW, board=board)


def _factor_tracks(
    depths: Array, across: Array, along: Array, across_curve: Array, along_curve: Array
) -> list[Track]:
    return [
        Track(_ACROSS, "y", across_curve.T, ["norm"]),
        Track(_ALONG, "y", along_curve.T, ["norm"]),
        Track(_ACROSS_NOW, "x", depths, ["real_depth"]),
        Track(_ALONG_NOW, "x", depths, ["real_depth"]),
        Track(_ACROSS_NOW, "y", across, ["real_depth", "norm"]),
        Track(_ALONG_NOW, "y", along, ["real_depth", "norm"]),
    ]


def _vector_factors(w: Array, depths: Array) -> tuple[Array, Array]:
    """Return what gradients across and along ``w`` are multiplied by, each (depth, norm)."""
    along, across = (single_output_direction(w, g, depths[:, None]) for g in np.eye(2))
    return across[..., 1], along[..., 0]


def _single_rule(N: float) -> str:
    rule = rf"\eta\,\|w\|^{{2 - 2/{N:g}}}\,\bigl(g + {N - 1:g}\,\mathrm{{Pr}}_w\, g\bigr)"
    return _paragraph("w' = w - " + rule)


def _paragraph(latex: str) -> str:
    return f'<p style="margin: 0; font-size: 1.2em">{mathml(latex)}</p>'


# --- the pictures ---

# The traces in the order they stand in the figures (0 is the circle).
_ELLIPSE, _GRADIENT, _STEP = range(1, 4)
_FACTORS = 4
_PROJECTION, _ALONG, _ACROSS, _ALONG_NOW, _ACROSS_NOW = range(4, 9)

_MATRIX_ALT = (
    "Left: the circle of gradients of length 1 and the ellipse of steps that depth makes of it, "
    "with one gradient and its step as arrows. Right: the factors of the four directions as a "
    "table in colour."
)
_VECTOR_ALT = (
    "Left: the circle of gradients of length 1 around w and the ellipse of steps that depth makes "
    "of it, with one gradient and the two parts of its step as arrows. Right: the factors along "
    "and across w against depth."
)
_NARROW = {
    "height": 760,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.58, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0, 0.42],
}
_ABOVE = {"x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "showarrow": False}
_REACH = 5.4  # a little more than the largest factor, 4 * 1.2^(2 - 2/4)


def _matrix_figure(left: float, right: float) -> go.Figure:
    figure = _plane(0.5, 380, _REACH, "part along u₁v₁ᵀ", "part along u₂v₂ᵀ")
    # A dot for its end, since the step may have no length and then no direction.
    figure.add_trace(_arrow_trace(VERMILLION, symbol="circle"), 1, 1)
    heat = go.Heatmap(
        x=["v₁", "v₂"],
        y=["u₁", "u₂"],
        zmin=0,
        zmax=_REACH,
        colorscale=[[0, "#FFFFFF"], [1, SKY]],
        texttemplate="%{text:.2f}",
        textfont={"size": 26, "color": BLACK},
        showscale=False,
        hoverinfo="skip",
        xgap=3,
        ygap=3,
    )
    figure.add_trace(heat, 1, 2)
    figure.update_yaxes(autorange="reversed", row=1, col=2)
    for u, v, digits in _directions(left, right):
        style = {"font": {"size": 15}, "showarrow": False, "yanchor": "top", "yshift": -20}
        figure.add_annotation(text=digits, x=v, y=u, xref="x2", yref="y2", **style)
    words = key(("➡", "gradient", GREY), ("━●", "step", VERMILLION))
    _name_panels(figure, words, "<b>factor of each uᵣvₛᵀ, and its entries</b>")
    return figure


def _vector_figure(depths: Array) -> go.Figure:
    figure = _plane(0.62, 340, 2.2, "part along w", "part across w")
    figure.add_trace(_arrow_trace(BLUE), 1, 1)
    figure.add_trace(_arrow_trace(GREEN), 1, 1)
    styles = ((ORANGE, "solid"), (BLUE, "dash"))
    for colour, dash in styles:
        style = {"color": colour, "dash": dash, "width": 4}
        figure.add_trace(go.Scatter(x=depths, mode="lines", line=style, hoverinfo="skip"), 1, 2)
    for colour, _ in styles:
        marker = {"color": colour, "size": 15, "line": {"width": 2, "color": BLACK}}
        figure.add_trace(go.Scatter(mode="markers", marker=marker, hoverinfo="skip"), 1, 2)
    figure.update_xaxes(title="depth N", range=[0.8, _DEEPEST + 0.2], dtick=1, row=1, col=2)
    figure.update_yaxes(title="factor", range=[-0.3, _REACH + 0.5], row=1, col=2)
    words = key(("➡", "gradient", GREY), ("→", "adaptive rate", BLUE), ("→", "projection", GREEN))
    _name_panels(figure, words, key(("━", "along w", ORANGE), ("┅", "across w", BLUE)))
    return figure


def _plane(share: float, height: int, reach: float, x: str, y: str) -> go.Figure:
    """Return a figure whose left panel has the circle, an empty ellipse and an empty arrow."""
    figure = make_subplots(cols=2, column_widths=[share, 1 - share], horizontal_spacing=0.12)
    circle = go.Scatter(x=np.cos(_ROUND), y=np.sin(_ROUND), line={"color": GREY, "dash": "dash"})
    ellipse = go.Scatter(line={"color": VERMILLION, "width": 4})
    for trace in (circle, ellipse):
        figure.add_trace(trace.update(mode="lines", hoverinfo="skip"), 1, 1)
    # Broad, so that it shows beneath a step of the same length.
    figure.add_trace(_arrow_trace(_PALE, width=9, head=22), 1, 1)
    figure.update_xaxes(title=x, range=[-_REACH, _REACH], row=1, col=1)
    figure.update_yaxes(title=y, range=[-reach, reach], scaleanchor="x", row=1, col=1)
    margin = {"t": 36, "b": 60, "r": 16}
    figure.update_layout(template=TEMPLATE, height=height, showlegend=False, margin=margin)
    return figure


def _name_panels(figure: go.Figure, left: str, right: str) -> None:
    for axis, text in (("", left), ("2", right)):
        place = {"xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, font={"size": 16}, **place, **_ABOVE)


def _arrow_trace(
    colour: str, *, width: float = 4, head: float = 15, symbol: str = "arrow"
) -> go.Scatter:
    marker: dict[str, Any] = {"symbol": symbol, "size": [0, head], "color": colour, "opacity": 1}
    marker["angleref"] = "previous"
    style = {"color": colour, "width": width}
    return go.Scatter(mode="lines+markers", marker=marker, line=style, hoverinfo="skip")


def _from_origin(tips: Array) -> Array:
    """Return 0 and one coordinate of the tips, (..., 2 ends)."""
    ends: Array = np.stack([np.zeros_like(tips), tips], axis=-1)
    return ends


def _arrow(tails: Array, tips: Array) -> Array:
    """Return arrows between points (..., 2) as (..., 2 ends, 2); one without length isn't drawn."""
    length = np.linalg.norm(tips - tails, axis=-1)[..., None, None]
    ends: Array = np.where(length > 1e-9, np.stack([tails, tips], axis=-2), np.nan)
    return ends


def _radians() -> Array:
    radians: Array = np.radians(_ANGLES)
    return radians


def _clean(values: Array) -> Array:
    """Return values with rounding errors of what should be 0 set to 0."""
    cleaned: Array = np.where(np.abs(values) < 1e-12, 0.0, values)
    return cleaned
