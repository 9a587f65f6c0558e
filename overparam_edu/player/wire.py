"""What travels to the browser: a scene, as JSON with one buffer of numbers, and plotly.js."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.player.scene import Handle, Scene, Sketch

# The plotly.js that comes with the plotly package, 4.8 MB.
PLOTLY_JS = resources.files("plotly").joinpath("package_data/plotly.min.js")


def message(scene: Scene) -> dict[str, Any]:
    """Return a scene as `player.js` takes it: a JSON-ready ``spec`` and one binary ``buffer``.

    The buffer has the numbers of all tracks and fields as little-endian float32, equal ones once
    (`packed`); the spec says where each begins, and has words and truth values itself.
    """
    numbers = _Numbers()
    tracks = [
        numbers.place(track.values, track.axes)
        | {"trace": scene.place(track.trace), "attribute": track.attribute}
        | {"trail": track.axes[-1] if track.trail else None}
        for track in scene.tracks
    ]
    axes = [dict(vars(axis)) for axis in scene.axes]
    spec: dict[str, Any] = {"figure": _figure(scene), "axes": axes, "tracks": tracks}
    spec |= {"alt": scene.alt, "narrow": dict(scene.narrow)}
    if scene.reading is not None:
        fields = {name: numbers.place(*pair) for name, pair in scene.reading.fields.items()}
        spec["reading"] = {"template": scene.reading.template, "fields": fields}
    if scene.board is not None:
        board = numbers.place(scene.board.values, scene.board.axes)
        spec["board"] = board | ({"folded": scene.board.folded} if scene.board.folded else {})
    if scene.sketch is not None:
        spec["sketch"] = _sketch(scene, scene.sketch, numbers)
    if scene.strip is not None:
        strip = scene.strip
        spec["strip"] = vars(strip) | {"trace": scene.place(strip.trace)}
    if scene.handles:
        spec["handles"] = [_handle(scene, handle) for handle in scene.handles]
    return {"spec": spec, "buffer": packed(b"".join(numbers.offsets))}


def _handle(scene: Scene, handle: Handle) -> dict[str, Any]:
    ghost = [scene.place(trace) for trace in handle.ghost]
    limits = {"within": handle.within, "step": handle.step}
    place = {"trace": scene.place(handle.trace), "at": scene.place_of(handle)}
    return {"name": handle.trace, "label": handle.label, "ghost": ghost} | limits | place


def _sketch(scene: Scene, sketch: Sketch, numbers: _Numbers) -> dict[str, Any]:
    """Return a sketch with its truth: whole lines, whose numbers the trails have already."""
    known = {(track.trace, track.attribute): track for track in scene.tracks}
    spec: dict[str, Any] = {
        name: getattr(sketch, name) for name in ("name", "along", "asks", "of", "never")
    }
    spec |= {name: list(map(scene.place, getattr(sketch, name))) for name in ("whole", "hidden")}
    spec["trace"] = place = scene.place(sketch.trace)
    spec["points"] = (sketch.trace, "y") not in known
    for letter in "xy":
        if track := known.get((sketch.trace, letter)):
            spec[letter] = numbers.place(track.values, track.axes[: -1 if track.trail else None])
        else:
            drawn = scene.drawn.data[place][letter] if scene.drawn is not None else ()
            spec[letter] = numbers.place(np.asarray(drawn, np.float32), ())
    if sketch.arrival is not None:
        level, steps, axes = sketch.arrival
        arrival = {"level": numbers.place(level, axes), "steps": numbers.place(steps, axes)}
        spec["arrival"] = arrival
    return spec


def packed(numbers: bytes) -> bytes:
    """Return little-endian 4-byte numbers compressed without loss.

    Differences of neighbours, as integers modulo 2**32, then all first bytes, all second bytes and
    so on, deflated: paths are smooth, so they shrink to 41 % in the benchmark.
    """
    steps = np.diff(np.frombuffer(numbers, "<u4"), prepend=np.zeros(1, "<u4"))
    return zlib.compress(steps.astype("<u4").view("u1").reshape(-1, 4).T.tobytes())


def unpacked(buffer: bytes) -> bytes:
    """Return the numbers that `packed` compressed; `unpack` in player.js does the same."""
    planes = np.frombuffer(zlib.decompress(buffer), "u1").reshape(4, -1)
    steps = np.ascontiguousarray(planes.T).view("<u4").ravel()
    return np.cumsum(steps, dtype="<u4").tobytes()


class _Numbers:
    """The buffer while it is being filled."""

    def __init__(self) -> None:
        self.offsets: dict[bytes, int] = {}  # in the order of the buffer
        self._count = 0

    def place(self, values: ArrayLike, axes: Sequence[str]) -> dict[str, Any]:
        """Return where `values` are: the markers at the heads of lines share the lines' numbers."""
        array = np.asarray(values)
        item: dict[str, Any] = {"axes": list(axes), "shape": list(array.shape)}
        if array.dtype != np.float32:
            return item | {"words": array.ravel().tolist()}
        chunk = array.astype("<f4").tobytes()
        if chunk not in self.offsets:
            self.offsets[chunk] = self._count
            self._count += array.size
        return item | {"offset": self.offsets[chunk], "length": array.size}


def _figure(scene: Scene) -> dict[str, Any] | None:
    """Return the figure without what the page decides or never looks at."""
    if scene.drawn is None:
        return None
    figure = _halved(json.loads(scene.drawn.to_json()))
    layout = {"uirevision": "player"} | figure["layout"] | {"autosize": True}
    layout.pop("width", None)  # the picture is as wide as the place it stands in
    # Plotly's templates style every type of trace there is, at 6 KB a figure.
    types = {trace.type for trace in scene.drawn.data}
    styles = layout.get("template", {}).get("data", {})
    for name in styles.keys() - types:
        del styles[name]
    return {"data": figure["data"], "layout": layout}


def _halved(value: Any) -> Any:
    """Return JSON with its base64 arrays of float64 as float32, where these can hold them."""
    if isinstance(value, list):
        return [_halved(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.get("dtype") != "f8" or "bdata" not in value:
        return {key: _halved(entry) for key, entry in value.items()}
    array = np.frombuffer(base64.b64decode(value["bdata"]), "<f8")
    if np.max(np.abs(array[np.isfinite(array)]), initial=0.0) > np.finfo(np.float32).max:
        return value
    text = base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")
    return value | {"dtype": "f4", "bdata": text}
