"""Pictures for slides: what an explorer shows as a PNG, and the course of a slider as a GIF.

An installed Chrome or Chromium draws them, through kaleido; no other host is asked.
"""

from __future__ import annotations

import asyncio
import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from overparam_edu.checks import number, one_of, whole_number
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.page import needed_pieces
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import PLOTLY_JS

_MISSING = "this needs {0}; install it with: python -m pip install {0}"
_NO_BROWSER = (
    "pictures are drawn by Chrome or Chromium, and none was found; install one, or name it in "
    "BROWSER_PATH; save_html needs none"
)
_WIDEST = 8_000  # pixels, about what a browser draws at any scale
_LETTER = 10.5  # pixels that a letter takes in the sentence below the picture


def save_png(what: Any, path: str | Path, *, width: int = 1280, scale: float = 2.0) -> Path:
    """Save what a picture shows now, with its sentence below, as a PNG.

    Parameters
    ----------
    what : ipywidgets.Widget, Scene or plotly.graph_objects.Figure
        With its sliders as they stand; of several pictures, the first.
    path : str or Path
        The file to write; an existing one is replaced.
    width : int
        In CSS pixels, from 320 to 8,000. The height is the picture's own.
    scale : float
        Pixels of the file per CSS pixel, from 0.1 to 10.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If there is no picture in `what`, or text only, as in a proof.
    ValueError
        If `width` or `scale` is out of range.
    ImportError
        If kaleido or Pillow is missing.
    RuntimeError
        If there is no Chrome or Chromium.
    OSError
        If the file can't be written.
    """
    now = needed_pieces(what)[0]
    width = whole_number("width", width, lower=320, upper=_WIDEST)
    scale = number("scale", scale, lower=0.1, upper=10)
    [drawn] = _drawn([picture(now.scene, now.position, width=width)], scale)
    target = Path(path).expanduser()
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
    """Save the course of a slider, from its first stop to its last, as an animated GIF.

    Parameters
    ----------
    what : ipywidgets.Widget or Scene
        Its other sliders stay where they stand; of several pictures, the first is saved.
    path : str or Path
        The file to write; an existing one is replaced.
    axis : str, optional
        Name of the slider; by default the one with a Play button, or else the longest.
    width : int
        In pixels, from 320 to 8,000.
    frames : int
        The most frames, from 2 to 1,000: of more stops, some are left out.
    seconds : float
        Duration of one round, from 0.1 to 3,600, before a rest of 2 s on the last frame.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If there is no picture with a slider in `what`, or text only, as in a proof.
    ValueError
        If `axis` is not a slider of `what`, or a number is out of range.
    ImportError, RuntimeError, OSError
        As `save_png`.
    """
    scene, position, _ = needed_pieces(what)[0]
    width = whole_number("width", width, lower=320, upper=_WIDEST)
    frames = whole_number("frames", frames, lower=2, upper=1_000)
    seconds = number("seconds", seconds, lower=0.1, upper=3_600)
    stops = {one.name: len(one.stops) for one in scene.axes if len(one.stops) > 1}
    if not stops:
        raise TypeError("what must have a slider to move; this has none")
    plays = [one.name for one in scene.axes if one.play]
    name = one_of("axis", axis or (plays or [max(stops, key=lambda n: stops[n])])[0], tuple(stops))
    chosen = np.unique(np.linspace(0, stops[name] - 1, frames).round().astype(int)).tolist()
    figures = [picture(scene, {**position, name: stop}, width=width) for stop in chosen]
    times = [round(1000 * seconds / len(figures))] * (len(figures) - 1) + [2000]
    target = Path(path).expanduser()
    target.write_bytes(_animated(_drawn(figures, 1.0), times))
    return target


def picture(scene: Scene, position: Mapping[str, int], *, width: int = 1280) -> go.Figure:
    """Return what a scene shows at a position as one figure, with its sentence below."""
    made = scene.figure
    if made is None:
        raise TypeError("what must show a figure; this shows text only, which save_html saves")
    for (trace, attribute), value in frame(scene, position).items():
        (made.layout if trace is None else made.data[scene.place(trace)])[attribute] = value
    made.update_traces(uid=None)  # plotly.js would make class names of them, which have no blanks
    made.update_layout(width=width, height=made.layout.height or 480, paper_bgcolor="white")
    if scene.reading is not None and (sentence := describe(scene, position)):
        lines = textwrap.wrap(re.sub("<[^>]+>", "", sentence), int((width - 60) / _LETTER))
        below = made.layout.margin.b or made.layout.template.layout.margin.b or 80
        left = made.layout.margin.l or made.layout.template.layout.margin.l or 80
        room = 26 * len(lines) + 34
        corner = {"xref": "paper", "yref": "paper", "x": 0, "y": 0}
        align = {"xanchor": "left", "yanchor": "bottom", "align": "left", "showarrow": False}
        shift = {"xshift": 20 - left, "yshift": 8 - below - room}
        text = {"text": "<br>".join(lines), "font": {"size": 18}}
        made.add_annotation(**text, **corner, **align, **shift)
        made.update_layout(height=made.layout.height + room, margin_b=below + room)
    return made


def _drawn(figures: Sequence[go.Figure], scale: float) -> list[bytes]:
    """Return figures as PNG files, all drawn by one browser."""
    try:
        import kaleido
        from choreographer.errors import ChromeNotFoundError
    except ImportError as problem:
        raise ImportError(_MISSING.format("kaleido")) from problem

    options = {"format": "png", "scale": scale}

    async def draw() -> list[bytes]:
        # MathJax would be fetched from another host, and our figures have none.
        async with kaleido.Kaleido(plotlyjs=str(PLOTLY_JS), mathjax=False) as browser:
            return [await browser.calc_fig(one, opts=options) for one in figures]

    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop of its own
            return thread.submit(asyncio.run, draw()).result()
    except ChromeNotFoundError as problem:
        raise RuntimeError(_NO_BROWSER) from problem


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
        indices = np.array(image.quantize(palette=colours, dither=Image.Dither.NONE))
        indices[np.all(np.asarray(image) == 255, axis=2)] = 0  # quantize comes near white only
        plain.append(Image.fromarray(indices))
        plain[-1].putpalette(colours.getpalette() or [], "RGB")
    result = io.BytesIO()
    options: dict[str, Any] = {"append_images": plain[1:], "duration": list(times), "loop": 0}
    plain[0].save(result, "GIF", save_all=True, **options)
    return result.getvalue()
