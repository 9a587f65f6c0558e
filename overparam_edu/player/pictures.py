"""Pictures for slides: what an explorer shows as a PNG, and a run of it as a GIF.

An installed Chrome or Chromium draws them, through kaleido, from the plotly.js of the plotly
package; nothing is asked of any other host.
"""

from __future__ import annotations

import asyncio
import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from overparam_edu.checks import brief, number, one_of, whole_number
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Scene

_MISSING = "this needs {0}; install it with: python -m pip install {0}"
_NO_BROWSER = (
    "pictures are drawn by Chrome or Chromium, and none was found; install one, or name it in "
    "BROWSER_PATH; save_html needs none"
)
_LETTER = 10.5  # pixels that one takes in a sentence below the picture


def save_png(what: Any, path: str | Path, *, width: int = 1280, scale: float = 2.0) -> Path:
    """Save what a picture shows now, with its sentence below, as a PNG.

    Parameters
    ----------
    what : Explorer, Player, Scene or plotly.graph_objects.Figure
        Sliders are where they stand.
    path : str or Path
        Where to; a file that is there is replaced.
    width : int
        In CSS pixels, at least 320. The height is the picture's own.
    scale : float
        Pixels of the file per CSS pixel, between 0.1 and 10.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If `what` is nothing of these, or shows text only, as proofs do.
    ValueError
        If `width` or `scale` is out of range.
    ImportError
        If kaleido or Pillow is missing.
    RuntimeError
        If there is no Chrome or Chromium.
    OSError
        If the file can't be written.
    """
    scene, position = _view(what)
    width, scale = whole_number("width", width, lower=320), number("scale", scale, lower=0.1)
    number("scale", scale, upper=10)
    [drawn] = _drawn([picture(scene, position, width=width)], scale)
    target = Path(path)
    target.write_bytes(drawn)
    return target


def save_gif(
    what: Any,
    path: str | Path,
    *,
    axis: str | None = None,
    width: int = 960,
    frames: int = 40,
    seconds: float = 6.0,
) -> Path:
    """Save a slider's walk from its first stop to its last as an animated GIF.

    Parameters
    ----------
    what : Explorer, Player or Scene
        Other sliders stay where they stand.
    path : str or Path
        Where to; a file that is there is replaced.
    axis : str, optional
        Name of the slider; by default the one with a Play button, or else the longest.
    width : int
        In pixels, at least 320.
    frames : int
        At most so many stops of the slider are shown, at least 2.
    seconds : float
        Of one round, before a rest on the last frame.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If `what` is nothing of these, has no slider, or shows text only, as proofs do.
    ValueError
        If `axis` is not a slider of `what`, or a number is out of range.
    ImportError, RuntimeError, OSError
        As `save_png`.
    """
    scene, position = _view(what)
    width, frames = whole_number("width", width, lower=320), whole_number("frames", frames, lower=2)
    seconds = number("seconds", seconds, lower=0.1)
    stops = {one.name: len(one.stops) for one in scene.axes if len(one.stops) > 1}
    if not stops:
        raise TypeError("what must have a slider to walk; this has none")
    plays = [one.name for one in scene.axes if one.play]
    name = one_of("axis", axis or (plays or [max(stops, key=lambda n: stops[n])])[0], tuple(stops))
    chosen = np.unique(np.linspace(0, stops[name] - 1, frames).round().astype(int)).tolist()
    figures = [picture(scene, {**position, name: stop}, width=width) for stop in chosen]
    times = [round(1000 * seconds / len(figures))] * (len(figures) - 1) + [2000]
    target = Path(path)
    target.write_bytes(_animated(_drawn(figures, 1.0), times))
    return target


def picture(scene: Scene, position: Mapping[str, int], *, width: int = 1280) -> go.Figure:
    """Return what a scene shows at a position as one figure, with its sentence below.

    Parameters
    ----------
    scene : Scene
    position : mapping of str to int
        As `frame` takes it.
    width : int
        In CSS pixels.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    TypeError
        If the scene shows text only.

    Examples
    --------
    >>> from overparam_edu.player.scene import Axis, Track
    >>> depth = Axis("depth", "depth N", [1, 2])
    >>> track = Track("loss", "y", [[1, 2], [3, 4]], ["depth"])
    >>> picture(Scene(go.Figure(go.Scatter(uid="loss")), [depth], [track]), {"depth": 1}).data[0].y
    (3.0, 4.0)
    """
    if scene.figure is None:
        raise TypeError("what must show a figure; this shows text only, which save_html saves")
    made = go.Figure(scene.figure)
    for (trace, attribute), value in frame(scene, position).items():
        (made.layout if trace is None else made.data[scene.place(trace)])[attribute] = value
    height = made.layout.height or 480
    words = describe(scene, position) if scene.reading is not None else ""
    if words:
        lines = textwrap.wrap(re.sub("<[^>]+>", "", words), int((width - 60) / _LETTER))
        below = made.layout.margin.b or made.layout.template.layout.margin.b or 80
        left = made.layout.margin.l or made.layout.template.layout.margin.l or 80
        room = 26 * len(lines) + 34
        made.add_annotation(
            text="<br>".join(lines),
            font={"size": 18},
            showarrow=False,
            align="left",
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            xanchor="left",
            yanchor="bottom",
            xshift=20 - left,
            yshift=8 - below - room,
        )
        made.update_layout(height=height + room, margin_b=below + room)
    return made.update_layout(width=width, paper_bgcolor="white")


def _view(what: Any) -> tuple[Scene, dict[str, int]]:
    if isinstance(what, go.Figure):
        return Scene(what, [Axis("still", "still", [0])], []), {}
    if isinstance(what, Scene):
        return what, {}
    player = getattr(what, "player", what)
    if isinstance(player, Player):
        return player.scene, dict(player.position)
    raise TypeError(f"what must be an explorer, player, scene or figure; got {brief(type(what))}")


def _drawn(figures: Sequence[go.Figure], scale: float) -> list[bytes]:
    """Return figures as PNG files, all drawn by one browser."""
    try:
        import kaleido
        from choreographer.errors import ChromeNotFoundError
    except ImportError as problem:
        raise ImportError(_MISSING.format("kaleido")) from problem
    plotly_js = resources.files("plotly").joinpath("package_data/plotly.min.js")

    async def draw() -> list[bytes]:
        # MathJax would be fetched from another host, and our figures have none.
        async with kaleido.Kaleido(plotlyjs=str(plotly_js), mathjax=False) as browser:
            return [await browser.calc_fig(one, opts=_options(one, scale)) for one in figures]

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop of its own
            return thread.submit(asyncio.run, draw()).result()
    except ChromeNotFoundError as problem:
        raise RuntimeError(_NO_BROWSER) from problem


def _options(figure: go.Figure, scale: float) -> dict[str, Any]:
    size = {"width": figure.layout.width, "height": figure.layout.height or 480}
    return {"format": "png", "scale": scale, **size}


def _animated(drawn: Sequence[bytes], times: Sequence[int]) -> bytes:
    try:
        from PIL import Image
    except ImportError as problem:
        raise ImportError(_MISSING.format("pillow")) from problem

    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in drawn]
    # One set of colours, from the frame that has most on it, so that what stands still is still;
    # and white, since a slide is.
    most = images[-1].quantize(255).getpalette() or []
    colours = Image.new("P", (1, 1))
    colours.putpalette([255, 255, 255, *most[: 3 * 255]])
    plain = []
    for image in images:
        drawn_with = np.array(image.quantize(palette=colours, dither=Image.Dither.NONE))
        drawn_with[np.all(np.asarray(image) == 255, axis=2)] = 0  # quantize comes near white only
        plain.append(Image.fromarray(drawn_with))
        plain[-1].putpalette(colours.getpalette() or [], "RGB")
    result = io.BytesIO()
    plain[0].save(
        result, "GIF", save_all=True, append_images=plain[1:], duration=list(times), loop=0
    )
    return result.getvalue()
