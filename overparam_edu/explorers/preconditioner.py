"""What depth multiplies a gradient by, set in motion: `explore_preconditioner`."""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import product

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from overparam_edu.checks import Array, number, one_of
from overparam_edu.dynamics.rule import preconditioner, single_output_direction, split_direction
from overparam_edu.explorers import plots
from overparam_edu.player import style
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.mathml import mathml
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import BLACK, BLUE, GREEN, GREY, SKY, TEMPLATE, VERMILLION

_DEEPEST = 4
# Singular values, or the norm of w.
_SIZES = np.round(np.arange(0, 1.25, 0.1), 1)
# Gradients of length 1: those on offer, by their angle in degrees, and all of them, (2, n).
_ANGLES = np.arange(0, 91, 7.5)
_GRADIENTS = np.array([np.cos(np.radians(_ANGLES)), np.sin(np.radians(_ANGLES))])
_ROUND = np.linspace(0, 2 * np.pi, 73)
_CIRCLE = np.array([np.cos(_ROUND), np.sin(_ROUND)])
_REACH = 5.4  # a little more than the largest factor, 4 * 1.2^(2 - 2/4)


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
    """
    angle = partial(widgets.IntSlider, min=0, max=180, step=15, continuous_update=False)
    controls = {
        "kind": widgets.ToggleButtons(
            options=[("matrix, 2 × 2", "matrix"), ("vector, one output", "vector")],
            description="parameter",
        ),
        "left": angle(60, description="angle of u₁"),
        "right": angle(30, description="angle of v₁"),
    }
    is_matrix = dict.fromkeys(("left", "right"), lambda values: values["kind"] == "matrix")
    return Explorer(preconditioner_scene, controls, shown_when=is_matrix)


@lru_cache(maxsize=64)
def preconditioner_scene(kind: str = "matrix", left: float = 60, right: float = 30) -> Scene:
    """Return the scene of `explore_preconditioner`; angles are in degrees."""
    left, right = number("left", left), number("right", right)
    if one_of("kind", kind, ("matrix", "vector")) == "vector":
        return _vector_scene()
    return _matrix_scene(left, right)


# --- a matrix ---


def _matrix_scene(left: float, right: float) -> Scene:
    depths = np.arange(1, _DEEPEST + 1)
    factors = _factors(depths)
    # The factor of u_r v_r^T depends on its own singular value only.
    first, second = factors[:, :, 0, 0, 0], factors[:, 0, :, 1, 1]
    x, y = _GRADIENTS
    steps = first[..., None] * x, second[..., None] * y  # (depth, size, angle)
    sizes, tail_and_tip = ("sigma_1", "sigma_2"), np.array([0, 1])
    tracks = [Track("factors", a, factors, ["depth", *sizes]) for a in ("z", "text")]
    for i, (a, size, factor) in enumerate(zip("xy", sizes, (first, second), strict=True)):
        step = steps[i][..., None] * tail_and_tip
        tracks += [
            Track("ellipse", a, factor[..., None] * _CIRCLE[i], ["depth", size]),
            Track("gradient", a, _GRADIENTS[i][:, None] * tail_and_tip, ["angle"]),
            Track("step", a, step, ["depth", size, "angle"]),
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
    alt = (
        "Left: the circle of gradients of length 1 and the ellipse of steps that depth makes of "
        "it, with one gradient and its step as arrows. Right: the factors of the four directions "
        "as a table in colour."
    )
    board, figure = Board([_sum(int(N)) for N in depths], ["depth"]), _matrix_figure(left, right)
    return Scene(figure, axes, tracks, reading, alt=alt, narrow=_NARROW_TABLE, board=board)


def _factors(depths: np.ndarray) -> Array:
    """Return the eigenvalue of each direction ``u_r v_s^T``, (depth, sigma_1, sigma_2, r, s)."""
    W = np.zeros((len(_SIZES), len(_SIZES), 2, 2))
    W[..., 0, 0], W[..., 1, 1] = np.meshgrid(_SIZES, _SIZES, indexing="ij")
    # For a diagonal W the directions are the entries, whichever singular value is the larger.
    diagonals = [np.diagonal(preconditioner(W, int(N)).matrix, axis1=-2, axis2=-1) for N in depths]
    return np.swapaxes(np.reshape(diagonals, (len(depths), *W.shape)), -1, -2)


def _sum(N: int) -> str:
    """Return the sum of Claim 1 at one depth, written out."""

    def power(base: str, twice: int) -> str:  # base^(twice / N)
        if twice in (0, N):
            return base if twice else ""
        return f"{base}^{{{f'{twice}/{N}' if twice % N else twice // N}}}"

    terms = [
        power(r"\sigma_r", 2 * (N - j)) + power(r"\sigma_s", 2 * (j - 1)) or "1"
        for j in range(1, N + 1)
    ]
    W = r"W = \sigma_1 u_1 v_1^\top + \sigma_2 u_2 v_2^\top, \qquad "
    return _paragraph(rf"{W} \text{{factor of }} u_r v_s^\top = " + " + ".join(terms))


def _matrix_figure(left: float, right: float) -> go.Figure:
    figure = _plane(0.5, 380, _REACH, "part along u₁v₁ᵀ", "part along u₂v₂ᵀ")
    # A dot for its end, since the step may have no length and then no direction.
    figure.add_trace(_arrow("step", VERMILLION, marker_symbol="circle"), 1, 1)
    factors = go.Heatmap(
        uid="factors",
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
    figure.add_trace(factors, 1, 2)
    figure.update_yaxes(autorange="reversed", row=1, col=2)
    angles = np.radians([left, left + 90, right, right + 90])
    unit_vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vectors = dict(zip(("u₁", "u₂", "v₁", "v₂"), unit_vectors, strict=True))
    for u, v in product(("u₁", "u₂"), ("v₁", "v₂")):
        rows = np.char.mod("%+.2f", _clean(np.outer(vectors[u], vectors[v])))
        entries = "<br>".join("  ".join(row).replace("-", "−") for row in rows)
        place = {"x": v, "y": u, "xref": "x2", "yref": "y2", "yanchor": "top", "yshift": -20}
        figure.add_annotation(text=entries, font={"size": 16}, showarrow=False, **place)
    style.heading(figure, style.key(("➡", "gradient", GREY), ("━●", "step", VERMILLION)))
    style.heading(figure, "<b>factor of each uᵣvₛᵀ, and its entries</b>", 2)
    return figure


# --- a vector, in coordinates along and across w ---


def _vector_scene() -> Scene:
    depths = np.arange(1, _DEEPEST + 0.25, 0.25)
    w, gradients = np.stack([_SIZES, 0 * _SIZES], axis=-1), _GRADIENTS.T
    N = depths[:, None, None]
    adaptive, projection = split_direction(w[:, None], gradients, N)  # (depth, norm, angle, 2)
    ellipse = single_output_direction(w[:, None], _CIRCLE.T, N)
    # What gradients along and across w are multiplied by, (depth, norm).
    curve_depths = np.linspace(1, _DEEPEST, 37)
    factors = {
        which: [single_output_direction(w, g, d[:, None])[..., i] for d in (depths, curve_depths)]
        for i, (which, g) in enumerate(zip(("along w", "across w"), np.eye(2), strict=True))
    }
    sizes, every = ["real_depth", "norm"], ["real_depth", "norm", "angle"]
    tracks = []
    for which, (now, curved) in factors.items():
        tracks += [
            Track(which, "y", curved.T, ["norm"]),
            Track(f"{which} now", "x", depths, ["real_depth"]),
            Track(f"{which} now", "y", now, sizes),
        ]
    steps = adaptive + projection
    tracks += [
        *plots.point_tracks("ellipse", ellipse, sizes),
        *plots.point_tracks("gradient", _ends(0 * gradients, gradients), ["angle"]),
        *plots.point_tracks("adaptive rate", _ends(0 * adaptive, adaptive), every),
        *plots.point_tracks("projection", _ends(adaptive, steps), every),
    ]
    across, along = factors["across w"][0], factors["along w"][0]
    reading = Reading(
        "The adaptive rate multiplies the gradient by {across}; the projection adds {extra} times "
        "its part along w. The gradient ({x}, {y}) becomes the step ({step_x}, {step_y}).",
        {
            "across": (across, sizes),
            "extra": (along - across, sizes),
            "x": (_clean(gradients[:, 0]), ["angle"]),
            "y": (_clean(gradients[:, 1]), ["angle"]),
            "step_x": (_clean(steps[..., 0]), every),
            "step_y": (_clean(steps[..., 1]), every),
        },
    )
    axes = [
        Axis("real_depth", "depth N", depths, start=8),
        Axis("norm", "‖w‖", _SIZES, start=10),
        Axis("angle", "gradient’s angle °", _ANGLES, start=6),
    ]
    alt = (
        "Left: the circle of gradients of length 1 around w and the ellipse of steps that depth "
        "makes of it, with one gradient and the two parts of its step as arrows. Right: the "
        "factors along and across w against depth."
    )
    rule = r"w' = w - \eta\,\|w\|^{2 - 2/%g}\,\bigl(g + %g\,\mathrm{Pr}_w\, g\bigr)"
    board = Board([_paragraph(rule % (N, N - 1)) for N in depths], ["real_depth"])
    figure = _vector_figure(curve_depths)
    return Scene(figure, axes, tracks, reading, alt=alt, narrow=_NARROW, board=board)


def _vector_figure(depths: Array) -> go.Figure:
    figure = _plane(0.62, 364, 2.2, "part along w", "part across w")
    figure.add_trace(_arrow("adaptive rate", BLUE), 1, 1)
    figure.add_trace(_arrow("projection", GREEN), 1, 1)
    figure.add_trace(style.curve("along w", GREEN, x=depths), 1, 2)
    figure.add_trace(style.curve("across w", BLUE, "dash", x=depths), 1, 2)
    for which, colour in (("along w", GREEN), ("across w", BLUE)):
        now = style.dot(f"{which} now", colour, size=15, marker_line_color=BLACK)
        figure.add_trace(now, 1, 2)
    figure.update_xaxes(title="depth N", range=[0.8, _DEEPEST + 0.2], dtick=1, row=1, col=2)
    figure.update_yaxes(title="factor", range=[-0.3, _REACH + 0.5], row=1, col=2)
    parts = style.key(("→", "adaptive rate", BLUE), ("→", "projection", GREEN))
    style.heading(figure, f"{style.key(('➡', 'gradient', GREY))}<br>{parts}")
    figure.update_layout(margin_t=60)
    style.heading(figure, style.key(("━", "along w", GREEN), ("┅", "across w", BLUE)), 2)
    return figure


def _ends(tails: Array, tips: Array) -> Array:
    """Return arrows between points (..., 2) as (..., 2 ends, 2); one without length isn't drawn."""
    length = np.linalg.norm(tips - tails, axis=-1)[..., None, None]
    ends: Array = np.where(length > 1e-9, np.stack([tails, tips], axis=-2), np.nan)
    return ends


# --- both ---

_NARROW = style.stacked(470, (0.54, 1), (0, 0.3))
# A phone has no room for the entries.
_NARROW_TABLE = _NARROW | {f"annotations[{i}].visible": False for i in range(4)}
_NARROW_TABLE["annotations[5].text"] = "<b>factor of each uᵣvₛᵀ</b>"
_arrow = partial(style.arrow, width=4, head=15, marker_opacity=1)


def _plane(share: float, height: int, reach: float, x: str, y: str) -> go.Figure:
    """Return a figure whose left panel has the circle, an empty ellipse and an empty arrow."""
    figure = make_subplots(cols=2, column_widths=[share, 1 - share], horizontal_spacing=0.12)
    figure.add_trace(style.curve("circle", GREY, "dash", 2, x=_CIRCLE[0], y=_CIRCLE[1]), 1, 1)
    figure.add_trace(style.curve("ellipse", VERMILLION), 1, 1)
    # Broad and pale, so that it shows beneath a step of the same length.
    figure.add_trace(_arrow("gradient", "#B5B5B5", width=9, head=22), 1, 1)
    figure.update_xaxes(title=x, range=[-_REACH, _REACH], row=1, col=1)
    figure.update_yaxes(title=y, range=[-reach, reach], scaleanchor="x", row=1, col=1)
    margin = {"t": 36, "b": 60, "r": 16}
    figure.update_layout(template=TEMPLATE, height=height, showlegend=False, margin=margin)
    return figure


def _paragraph(latex: str) -> str:
    return f'<p style="margin: 0; font-size: 1.2em">{mathml(latex)}</p>'


def _clean(values: Array) -> Array:
    """Return values with rounding errors of what should be 0 set to 0."""
    cleaned: Array = np.where(np.abs(values) < 1e-12, 0.0, values)
    return cleaned
