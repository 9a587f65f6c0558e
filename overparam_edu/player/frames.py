"""What a scene shows at a position, in plain Python.

`player.js` does the same in the browser, and tests hold the two together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context
from typing import Any

import numpy as np

from overparam_edu.checks import whole_number
from overparam_edu.player.scene import Axis, Scene, Track


def frame(scene: Scene, position: Mapping[str, int]) -> dict[tuple[str | None, str], Any]:
    """Return what a scene draws at a position, by the trace's name and the attribute.

    Values are numbers, texts or (nested) lists in float32 precision. A number that is not finite is
    None, ends a trail, or leaves ``x`` or ``y`` empty. Axes left out of `position` are at their
    start.
    """
    at = stops_at(scene, position)
    return {(track.trace, track.attribute): _drawn(track, at) for track in scene.tracks}


def describe(scene: Scene, position: Mapping[str, int]) -> str:
    """Return the reading of a scene at a position, or the alt text if it has none."""
    at = stops_at(scene, position)
    if scene.reading is None:
        return scene.alt
    texts = {axis.name: number_text(axis.stops[at[axis.name]]) for axis in scene.axes}
    texts["milliseconds"] = "0"  # nothing is drawn here
    for name, (values, axes) in scene.reading.fields.items():
        texts[name] = number_text(np.asarray(values)[tuple(at[axis] for axis in axes)].item())
    return re.sub(r"\{(\w+)\}", lambda field: texts[field[1]], scene.reading.template)


def stops_at(scene: Scene, position: Mapping[str, int]) -> dict[str, int]:
    """Return `position` checked, and completed by the starts of the axes it leaves out."""
    stops = {axis.name: len(axis.stops) for axis in scene.axes}
    for name, stop in position.items():
        if name not in stops:
            raise ValueError(f"position must name axes among {list(stops)}; got {name!r}")
        if whole_number(f"position[{name!r}]", stop, lower=0) >= stops[name]:
            raise ValueError(f"position[{name!r}] must be below {stops[name]}; got {stop}")
    return {axis.name: int(position.get(axis.name, axis.start)) for axis in scene.axes}


def carried(before: Scene, position: Mapping[str, int], after: Scene) -> dict[str, int]:
    """Return where the sliders stand when another scene takes the place of one.

    A slider keeps its value, not its number: depth 3 stays depth 3, or goes to the nearest depth
    that there is. One with Play that stands at its end stays at the end: who looks at a whole run
    wants to see all of the next. A word that is gone, and a new slider, are at the start.
    """
    stood = {
        axis.name: {
            "stop": position[axis.name],
            "value": axis.stops[position[axis.name]],
            "end": position[axis.name] == len(axis.stops) - 1 > 0,
        }
        for axis in before.axes
    }
    return {axis.name: stop_for(axis, stood.get(axis.name)) for axis in after.axes}


def stop_for(axis: Axis, stood: Mapping[str, Any] | None) -> int:
    """Return an axis's stop for where a slider of its name stood; `stopFor` in player.js."""
    if stood is None:
        return axis.start
    stops, stop, value = axis.stops, stood["stop"], stood["value"]
    if axis.play and stood["end"]:
        return len(stops) - 1
    if stop < len(stops) and stops[stop] == value:
        return int(stop)
    if isinstance(value, str) or isinstance(stops[0], str):
        return list(stops).index(value) if value in stops else axis.start
    return min(range(len(stops)), key=lambda n: abs(float(stops[n]) - value))


def number_text(value: float | str) -> str:
    """Return a number as the player shows it: three digits, or all of a whole number."""
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "not finite"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value)).replace("-", "−")
    rounded = Context(prec=3, rounding=ROUND_HALF_UP).create_decimal(value).normalize()
    exponent = rounded.adjusted()
    if -3 <= exponent < 5:
        return format(rounded, "f").replace("-", "−")
    digits = format(rounded.scaleb(-exponent), "f").replace("-", "−")
    return f"{digits}×10{str(exponent).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _drawn(track: Track, at: Mapping[str, int]) -> Any:
    """Return the value of one track; `slice` in player.js does the same."""
    values = np.asarray(track.values)
    if track.trail:
        *lead, last = track.axes
        line = values[tuple(at[name] for name in lead)][: at[last] + 1]
        bad = np.flatnonzero(~np.isfinite(line)) if line.dtype.kind == "f" else np.array([], int)
        return line[: bad[0]].tolist() if bad.size else line.tolist()
    value = values[tuple(at[name] for name in track.axes)].tolist()
    plain = _without_gaps(value)
    if track.attribute not in ("x", "y") or isinstance(plain, list):
        return plain
    return [] if plain is None else [plain]


def _without_gaps(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_gaps(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
