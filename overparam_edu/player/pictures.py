"""A picture as a file, in the format that its ending names: `save` is all there is to know.

What moves by itself is a page (page.py). All else is what an installed Chrome or Chromium draws of
that page, through choreographer: a screenshot, a print, or what share.js makes of it. No other host
is asked.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from overparam_edu.checks import brief, finite_array, flag, install, number, one_of, whole_number
from overparam_edu.player.frames import stops_at
from overparam_edu.player.page import Piece, moving_page, needed_pieces, page, piece_html
from overparam_edu.player.scene import Scene

_T = TypeVar("_T")
# What each kind of file takes besides its path.
_STILL, _MOVING = {"inches", "dark"}, {"inches", "dark", "dpi", "axis", "frames", "seconds"}
_TAKES = {
    "html": {"title"},
    "png": {*_STILL, "dpi", "transparent"},
    "svg": {*_STILL, "transparent"},
    "pdf": {*_STILL, "transparent"},
    "gif": _MOVING,
    "mp4": _MOVING,
}
_CSS = 96  # pixels of a page per inch
_NARROWEST, _WIDEST = 320, 8_000  # pixels: of a page that is still legible; that a browser draws
_SMALLEST = 120  # pixels that a plot is tall at least
_REST = 2.0  # seconds on the last frame
_NO_BROWSER = (
    "pictures are drawn by Chrome or Chromium, and none was found; install one, or name it in "
    "BROWSER_PATH; a file ending in .html needs none"
)
_NO_FFMPEG = f"an .mp4 needs ffmpeg; install it, or: {install('video')}; .gif needs neither"
# A picture alone on its page: the plot, the sentence and the table, without what one can press.
_ALONE = """
html, body { background: PAPER; scroll-behavior: auto; }
main { max-width: none; padding: 0; }
main > :not(.piece), .piece > :not(.stage), .oe-player .oe-controls, .oe-strip, .oe-notice,
.oe-stale, .oe-more > :not(.oe-board), .oe-player > .oe-more[hidden] { display: none !important; }
.piece, .oe-player { margin: 0; border: 0; border-radius: 0; }
.oe-board { overflow: visible; }
:root .oe-player { filter: none; transition: none; animation: none; background: PAPER; color: INK; }
"""
# Resolves when all that a player shows is drawn, or after so many frames.
DRAWN = """async (player, most = Infinity) => {
  const frame = () => new Promise(requestAnimationFrame);
  for (let still = 0, frames = 0; still < 3 && frames < most; frames += 1, await frame())
    still = player && !player.busy && player.floats && player.drawn ? still + 1 : 0;
}"""
_SETTLED = """async () => {
  const { player } = document.querySelector(".piece");
  await document.fonts.ready;
  await DRAWN(player);
  const said = player.trouble ? player.status.textContent : "";
  const box = player.root.getBoundingClientRect();
  return { said, height: Math.ceil(box.height), plot: player.picture.clientHeight };
}""".replace("DRAWN", f"({DRAWN})")


def save(
    what: Any,
    path: str | Path,
    *,
    title: str | None = None,
    inches: float | tuple[float, float] | None = None,
    dpi: float | None = None,
    dark: bool = False,
    transparent: bool = False,
    axis: str | None = None,
    frames: int | None = None,
    seconds: float | None = None,
) -> Path:
    """Save a picture as it stands, in the format that the ending of the file's name says.

    ``.html`` is a page that moves in any browser, without Python and without a network; an explorer
    brings along some settings of its controls, computed now. ``.png`` is for slides, ``.svg`` and
    ``.pdf`` have lines and text at any size, ``.gif`` and ``.mp4`` show the course of a slider from
    its first stop to its last. On all of these stands the plot with its sentence and its table; in
    an animation, what is not known yet is said on the last frame only.

    Parameters
    ----------
    what : ipywidgets.Widget, Scene or plotly.graph_objects.Figure
        With its sliders as they stand. Of several pictures a page holds all, other files the first.
    path : str or Path
        The file to write; an existing one is replaced once the new one is whole. Ends in one of
        ``.html``, ``.png``, ``.svg``, ``.pdf``, ``.gif``, ``.mp4``, in small letters or capitals.
    title : str, optional
        Of ``.html`` only: title and heading of the page. By default it is titled by what the
        picture shows, and has no heading.
    inches : float or (float, float), optional
        Width, or width and height, of all but ``.html``, from 3.34 to 83.3 wide. Type is 13.5
        points tall, so a small picture has larger type. By default 13.33 wide, as is a slide, and
        10 for ``.gif``; the height is the picture's own.
    dpi : float, optional
        Pixels per inch of ``.png``, ``.gif`` and ``.mp4``, from 24 to 960, and at most 8,000 pixels
        across: 192 by default, 144 for ``.mp4`` and 96 for ``.gif``.
    dark : bool
        Light on dark; not of ``.html``, which follows the reader's browser.
    transparent : bool
        Without a background: ``.png``, ``.svg`` and ``.pdf``.
    axis : str, optional
        Of an animation: the name of the slider that moves, by default the one with a Play button,
        or else the longest.
    frames : int, optional
        Of an animation: the most frames, from 2 to 1,000, by default 40. Of more stops, some are
        left out.
    seconds : float, optional
        Of an animation: the duration from 0.1 to 3,600, by default 6, before a rest of 2 s on
        the last frame.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If there is no picture in `what`, or nothing in it moves.
    ValueError
        If the ending is another, an option is none of this kind of file or out of range, `axis` is
        not a slider, or a table with formulas should become an ``.svg``.
    ImportError
        If choreographer, or for an animation Pillow, is missing.
    RuntimeError
        If there is no Chrome or Chromium, or no ffmpeg for ``.mp4``.
    OSError
        If the file can't be written.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = save(go.Figure(go.Scatter(y=[1, 2])), f"{folder}/line.html", title="A line")
    ...     "<title>A line</title>" in file.read_text(encoding="utf-8")
    True
    """
    target = Path(path).expanduser()
    kind = target.suffix.lower().removeprefix(".")
    if kind not in _TAKES:
        endings = ", ".join(f".{ending}" for ending in _TAKES)
        raise ValueError(f"path must end in one of {endings}; got {brief(target.name)}")
    options = {"title": title, "inches": inches, "dpi": dpi, "axis": axis, "frames": frames}
    options |= {"seconds": seconds, "dark": flag("dark", dark) or None}
    options |= {"transparent": flag("transparent", transparent) or None}
    for name, value in options.items():
        if value is not None and name not in _TAKES[kind]:
            kinds = ", ".join(f".{ending}" for ending, takes in _TAKES.items() if name in takes)
            raise ValueError(f"{name} must be left out but for {kinds}; got {brief(value)}")
    found = needed_pieces(what)
    if kind == "html":
        data = moving_page(found, title).encode("utf-8")
    else:
        sheet = _Sheet.of(kind, inches, dpi, dark=dark, transparent=transparent)
        if kind in ("gif", "mp4"):
            data = _animated(found[0], sheet, axis, frames, seconds, target.name)
        else:
            [data] = _shots(found[0], sheet, [{}])
    with whole_file(target) as part:
        part.write_bytes(data)
    return target


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a file beside `target` that takes its place once it is whole, and is else removed."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a directory")
    target = target.resolve()  # a link stays one
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


# --- what Chrome draws ---


class _Sheet(NamedTuple):
    """What a picture is drawn on."""

    kind: str
    width: int  # CSS pixels
    height: int | None  # the picture's own by default
    scale: float  # pixels of the file per CSS pixel
    dark: bool
    transparent: bool

    @classmethod
    def of(cls, kind: str, inches: Any, dpi: Any, *, dark: bool, transparent: bool) -> _Sheet:
        """Return the sheet of these options, checked."""
        if inches is None:
            inches = 10 if kind == "gif" else 40 / 3
        size = finite_array("inches", inches).ravel().tolist()
        if len(size) > 2:
            raise ValueError(f"inches must be a width, or width and height; got {brief(inches)}")
        least, most = _NARROWEST / _CSS, _WIDEST / _CSS
        width = round(_CSS * number("inches", size[0], lower=round(least, 2), upper=most))
        usual = {"gif": _CSS, "mp4": 144}.get(kind, 192)
        scale = number("dpi", usual if dpi is None else dpi, lower=24, upper=960) / _CSS
        if width * scale > _WIDEST + 1:
            raise ValueError(
                f"dpi must give at most {_WIDEST:,} pixels across; got {scale * _CSS:g} for "
                f"{width / _CSS:.4g} inches"
            )
        tall = [round(_CSS * number("inches", one, lower=1, upper=most)) for one in size[1:]]
        height = tall[0] if tall else None
        return cls(kind, max(width, _NARROWEST), height, scale, dark, transparent)


def _shots(
    piece: Piece, sheet: _Sheet, positions: list[dict[str, int]], template: str = "", name: str = ""
) -> list[bytes]:
    """Return the picture at each position as a file; all but the last read the `template`."""
    from tqdm import tqdm

    async def draw(tab: Tab, file: Path) -> list[bytes]:
        send, run = tab.send, tab.run

        async def opened(plot: int | None = None) -> dict[str, Any]:
            """Show the page, with a plot of this height, and return how tall things are."""
            file.write_text(_alone(piece, sheet, plot), encoding="utf-8")
            size = {"width": sheet.width, "deviceScaleFactor": sheet.scale, "mobile": False}
            await send("Emulation.setDeviceMetricsOverride", height=900, **size)
            await tab.show(file)
            if len(positions) == 1:  # a still has all that can be opened
                await run("document.querySelector('.oe-more').open = true")
            else:  # the last frame has most to say
                await run(f"({_SETTLED})()")
                await run(
                    f"document.querySelector('.piece').player.move({json.dumps(positions[-1])})"
                )
            seen = dict(await run(f"({_SETTLED})()"))
            if seen["said"]:
                raise RuntimeError(seen["said"])
            await send("Emulation.setDeviceMetricsOverride", height=seen["height"], **size)
            return dict(await run(f"({_SETTLED})()"))

        await send("Emulation.setEmulatedMedia", media="screen")
        await send("Emulation.setScrollbarsHidden", hidden=True)
        colour = {"r": 0, "g": 0, "b": 0, "a": 0}
        await send("Emulation.setDefaultBackgroundColorOverride", color=colour)
        seen = await opened()
        if sheet.height is not None:
            if piece.scene.drawn is None:
                raise ValueError(f"inches must be a width for text; got {sheet.height / _CSS} tall")
            plot = seen["plot"] + sheet.height - seen["height"]
            if plot < _SMALLEST:
                least = (sheet.height + _SMALLEST - plot) / _CSS
                raise ValueError(
                    f"inches must be at least {least:.2f} tall, for the plot and what stands below "
                    f"it; got {sheet.height / _CSS:.4g}"
                )
            seen = await opened(plot)
        shots = []
        for which, at in enumerate(tqdm(positions, name, leave=False, disable=len(positions) < 3)):
            if len(positions) > 1:
                words = template if which < len(positions) - 1 else _template(piece.scene)
                await run(
                    "(() => { const { player } = document.querySelector('.piece');"
                    f"if (player.spec.reading) player.spec.reading.template = {json.dumps(words)};"
                    f"player.move({json.dumps(at)}); }})()"
                )
                await run(f"({_SETTLED})()")
            shots.append(await _shot(send, run, sheet, seen["height"]))
        return shots

    with tempfile.TemporaryDirectory() as folder:
        return in_browser(lambda tab: draw(tab, Path(folder) / "picture.html"))


class Tab:
    """A tab of a browser that nobody sees."""

    def __init__(self, tab: Any) -> None:
        self._tab = tab

    async def send(self, command: str, **params: Any) -> dict[str, Any]:
        """Return the browser's answer to a command of its protocol."""
        answer = await self._tab.send_command(command, params)
        if problem := answer.get("error"):
            raise RuntimeError(f"the browser refused {command}: {problem.get('message')}")
        return dict(answer["result"])

    async def run(self, code: str) -> Any:
        """Return what JavaScript comes to."""
        answer = await self.send(
            "Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True
        )
        if problem := answer.get("exceptionDetails"):
            words = problem.get("exception", {}).get("description", problem["text"])
            raise RuntimeError(f"the picture could not be drawn: {words.splitlines()[0]}")
        return answer["result"].get("value")

    async def show(self, file: Path) -> None:
        """Open a page from the disk."""
        loaded = self._tab.subscribe_once("Page.loadEventFired")
        await self.send("Page.navigate", url=file.resolve().as_uri())
        await loaded


def in_browser(work: Callable[[Tab], Awaitable[_T]]) -> _T:
    """Return what `work` makes of a tab of an installed Chrome or Chromium."""
    try:
        from choreographer import Browser
        from choreographer.errors import ChromeNotFoundError
    except ImportError as problem:
        needed = install("export")
        raise ImportError(f"this needs choreographer; install it with: {needed}") from problem

    stopped = threading.Event()  # by Ctrl-C, which only the main thread hears

    async def open_and_work() -> _T:
        async with Browser() as browser:
            working = asyncio.ensure_future(in_tab(browser, work))
            while not working.done():
                if stopped.is_set():
                    working.cancel()
                await asyncio.wait([working], timeout=0.1)
            return working.result()

    with ThreadPoolExecutor(1) as thread:
        try:  # in a thread, since a notebook has an event loop of its own
            return thread.submit(asyncio.run, open_and_work()).result()
        except ChromeNotFoundError as problem:
            raise RuntimeError(_NO_BROWSER) from problem
        finally:
            stopped.set()


async def in_tab(browser: Any, work: Callable[[Tab], Awaitable[_T]]) -> _T:
    """Return what `work` makes of a new tab of an open browser."""
    tab = Tab(await browser.create_tab("about:blank"))
    await tab.send("Page.enable")
    return await work(tab)


async def _shot(send: Any, run: Any, sheet: _Sheet, height: int) -> bytes:
    if sheet.kind == "svg":
        answer = await run("overparamEduSvg(document.querySelector('.piece').player)")
        if answer is None:
            raise ValueError("path must end in .pdf or .png for a picture with formulas; got .svg")
        return str(answer).encode("utf-8")
    if sheet.kind == "pdf":
        size = {"paperWidth": sheet.width / _CSS, "paperHeight": (height + 0.5) / _CSS}
        edges = {f"margin{side}": 0 for side in ("Top", "Bottom", "Left", "Right")}
        found = await send("Page.printToPDF", printBackground=True, pageRanges="1", **size, **edges)
    else:
        found = await send("Page.captureScreenshot", format="png")
    return base64.b64decode(found["data"])


def _alone(piece: Piece, sheet: _Sheet, plot: int | None) -> str:
    """Return the page of one picture as the browser is to draw it."""
    sent = piece._replace(settings=None).to_json()
    [scene] = sent["scenes"]
    scene["spec"].pop("sketch", None)  # what is to be predicted is seen
    if figure := scene["spec"]["figure"]:
        if sheet.transparent:
            figure["layout"] |= {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
        if plot is not None:
            figure["layout"]["height"] = plot
            scene["spec"]["narrow"].pop("height", None)
    if sheet.dark:
        if figure:  # what plotly.js would draw it in by itself
            template = figure["layout"].setdefault("template", {})
            template.setdefault("layout", {})["shapedefaults"] = {"line": {"color": "#444444"}}
        scene["spec"] = json.loads(turned(json.dumps(scene["spec"])))
    paper, ink = ("#121212", "#e6e9ee") if sheet.dark else ("#fff", "#1b2430")
    style = _ALONE.replace("PAPER", "transparent" if sheet.transparent else paper)
    body = f"<main>{piece_html(sent)}</main><style>{style.replace('INK', ink)}</style>"
    return page("picture", body)


def turned(text: str) -> str:
    """Return a text with its colours as dark pages show them: light becomes dark, hues stay."""
    # What the filters invert(0.93) and hue-rotate(180deg) of page.css do.
    hues = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])

    def turn(found: re.Match[str]) -> str:
        if found["hex"]:
            digits = (
                found["hex"] if len(found["hex"]) == 6 else re.sub("(.)", r"\1\1", found["hex"])
            )
            shades = [float(int(digits[n : n + 2], 16)) for n in (0, 2, 4)]
        elif found["name"]:
            shades = [255.0 * (found["name"] == "white")] * 3
        else:
            shades = [float(part) for part in found["rgb"].split(",")[:3]]
        seen = np.clip(hues @ (0.93 * 255 - 0.86 * np.array(shades)), 0, 255).round().astype(int)
        if found["rgb"]:
            opacity = found["rgb"].split(",")[3:] or ["1"]
            return f"rgba({','.join([*map(str, seen), *opacity])})"
        quote = found["quote"] or ""
        return f"{quote}#{bytes(seen.tolist()).hex()}{quote}"

    pattern = r"""#(?P<hex>[0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})\b|rgba?\((?P<rgb>[\d., ]+)\)"""
    return re.sub(pattern + r"""|(?P<quote>")(?P<name>white|black)\"""", turn, text)


# --- what moves ---


def _animated(
    piece: Piece,
    sheet: _Sheet,
    axis: str | None,
    frames: int | None,
    seconds: float | None,
    name: str,
) -> bytes:
    """Return the course of a slider as an animation."""
    scene, position, _ = piece
    most = whole_number("frames", 40 if frames is None else frames, lower=2, upper=1_000)
    length = number("seconds", 6 if seconds is None else seconds, lower=0.1, upper=3_600)
    stops = {one.name: len(one.stops) for one in scene.axes if len(one.stops) > 1}
    if not stops:
        raise TypeError("what must have a slider to move; this has none")
    plays = [one.name for one in scene.axes if one.play]
    moves = one_of("axis", axis or (plays or [max(stops, key=lambda n: stops[n])])[0], tuple(stops))
    ffmpeg = _ffmpeg() if sheet.kind == "mp4" else ""
    if sheet.kind == "gif":
        try:
            import PIL  # noqa: F401
        except ImportError as problem:
            needed = install("export")
            raise ImportError(f"a .gif needs pillow; install it with: {needed}") from problem
    chosen = np.unique(np.linspace(0, stops[moves] - 1, most).round().astype(int)).tolist()
    start = stops_at(scene, {**position, moves: 0})
    shots = _shots(
        piece._replace(position=start),
        sheet._replace(kind="png"),
        [{moves: stop} for stop in chosen],
        known_so_far(scene, moves),
        name,
    )
    if sheet.kind == "gif":
        return _gif(shots, [round(1000 * length / len(shots))] * (len(shots) - 1) + [2000])
    return _mp4(ffmpeg, shots, len(shots) / length)


def _template(scene: Scene) -> str:
    return scene.reading.template if scene.reading is not None else ""


def known_so_far(scene: Scene, axis: str) -> str:
    """Return the sentences of a reading that follow the axis which is played.

    The others tell what came of the whole run.
    """
    fields = scene.reading.fields if scene.reading is not None else {}
    told = {name for name, (_, axes) in fields.items() if axis not in axes}
    sentences = re.split(r"(?<=[.!?])\s+", _template(scene))
    return " ".join(one for one in sentences if told.isdisjoint(re.findall(r"\{(\w+)\}", one)))


def _gif(shots: list[bytes], times: list[int]) -> bytes:
    from PIL import Image

    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in shots]
    # One set of colours, from the frame that has most on it, so that what stands still is still;
    # and the background's own, which is the slide's.
    paper = tuple(np.asarray(images[0])[0, 0].tolist())
    most = images[-1].quantize(255).getpalette() or []
    colours = Image.new("P", (1, 1))
    colours.putpalette([*paper, *most[: 3 * 255]])
    plain = []
    for image in images:
        indices = np.array(image.quantize(palette=colours, dither=Image.Dither.NONE))
        indices[np.all(np.asarray(image) == paper, axis=2)] = 0  # quantize comes near it only
        plain.append(Image.fromarray(indices))
        plain[-1].putpalette(colours.getpalette() or [], "RGB")
    result = io.BytesIO()
    options: Mapping[str, Any] = {"append_images": plain[1:], "duration": times, "loop": 0}
    plain[0].save(result, "GIF", save_all=True, **options)
    return result.getvalue()


def _ffmpeg() -> str:
    """Return the path of ffmpeg: the system's own, or that of the extra `video`."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as problem:
        raise RuntimeError(_NO_FFMPEG) from problem


def _mp4(ffmpeg: str, shots: list[bytes], rate: float) -> bytes:
    """Return frames as a film for players everywhere: H.264 with even sides."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "film.mp4"
        last = [shots[-1]] * max(1, round(_REST * rate))
        look = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
        command = [ffmpeg, "-v", "error", "-f", "image2pipe", "-framerate", f"{rate:.4f}"]
        command += ["-c:v", "png", "-i", "-", "-c:v", "libx264", *look, "-movflags", "+faststart"]
        done = subprocess.run(
            [*command, str(made)], input=b"".join(shots + last), capture_output=True
        )
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"ffmpeg made no film: {' '.join(words)}")
        return made.read_bytes()
