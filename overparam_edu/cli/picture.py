"""Save the picture of an explorer, for a slide or a paper.

    overparam-edu picture trajectories --depth 3 --step 40 -o race.pdf

The file's ending says the format: .png, .svg, .pdf, .gif, .mp4, or .html for a page that moves.
Options that are none of these below set a slider or a control of the explorer, by value;
`overparam-edu picture trajectories` alone lists them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from overparam_edu.cli.command import CommandError


def run(options: argparse.Namespace) -> int:
    """Save the picture, or say what can be set."""
    import overparam_edu as oe

    names = sorted(
        name.removeprefix("explore_")
        for name in dir(oe)
        if name.startswith("explore_") and name != "explore_derivation"
    )
    if options.explorer not in names:
        raise CommandError(f"explorer must be one of {', '.join(names)}; got {options.explorer}")
    explorer = getattr(oe, f"explore_{options.explorer}")()
    try:
        _put(explorer, options.settings)
        if options.out is None:
            print(_offers(explorer))
            return 0
        given = {name: getattr(options, name) for name in ("dpi", "dark", "transparent", "axis")}
        inches = options.inches and tuple(options.inches)
        path = explorer.save(options.out, inches=inches, frames=options.frames, **given)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as problem:
        raise CommandError(str(problem)) from None
    print(f"{path}, {path.stat().st_size / 1e3:.0f} kB")
    return 0


def _put(explorer: Any, words: Sequence[str]) -> None:
    """Set controls, then sliders, to the values that `words` say: --name value, again and again."""
    words = [part for word in words for part in word.split("=", 1)]
    if len(words) % 2 or not all(name.startswith("--") for name in words[::2]):
        raise CommandError(f"settings must be pairs such as --depth 3; got {' '.join(words)}")
    wanted = {
        name[2:].replace("-", "_"): value
        for name, value in zip(words[::2], words[1::2], strict=True)
    }
    controls = getattr(explorer, "controls", {})
    known = [name for name in controls if name in wanted]
    if known:
        explorer.set(**{name: _value(controls[name], wanted.pop(name)) for name in known})
    axes = {axis.name: axis for axis in explorer.player.scene.axes}
    for name, word in wanted.items():
        if name not in axes:
            raise CommandError(f"there is no --{name}; {_offers(explorer)}")
        stops = list(map(str, axes[name].stops))
        if isinstance(axes[name].stops[0], str):
            if word not in stops:
                raise CommandError(f"--{name} must be one of {', '.join(stops)}; got {word}")
            stop = stops.index(word)
        else:
            try:
                value = float(word)
            except ValueError:
                raise CommandError(f"--{name} must be a number; got {word}") from None
            stop = min(range(len(stops)), key=lambda n: abs(float(stops[n]) - value))
        explorer.player.move(**{name: stop})


def _value(control: Any, word: str) -> Any:
    """Return what a control takes for a word: an option by its text or value, or a number."""
    for text, value in getattr(control, "_options_full", ()):
        if word in (str(text), str(value)):
            return value
    if isinstance(control.value, bool):
        return {"yes": True, "no": False}.get(word, word)
    try:
        return type(control.value)(word)
    except (TypeError, ValueError):
        return word


def _offers(explorer: Any) -> str:
    """Return what can be set, and how it stands."""
    now = explorer.player.position
    said = [f"--{axis.name} {axis.stops[now[axis.name]]}" for axis in explorer.player.scene.axes]
    said += [f"--{name} {c.value}" for name, c in getattr(explorer, "controls", {}).items()]
    return f"what can be set, and how it stands: {', '.join(said)}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the explorer, its settings and the file."""
    parser.allow_abbrev = False
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("explorer", metavar="EXPLORER", help="such as trajectories, or own_loss")
    parser.add_argument("-o", "--out", metavar="FILE", help="the file to write")
    parser.add_argument("--inches", nargs="+", type=float, metavar="N", help="width, or both sides")
    parser.add_argument("--dpi", type=float, metavar="N", help="pixels per inch")
    parser.add_argument("--dark", action="store_true", help="light on dark")
    parser.add_argument("--transparent", action="store_true", help="without a background")
    parser.add_argument("--axis", metavar="NAME", help="the slider that an animation moves")
    parser.add_argument("--frames", type=int, metavar="N", help="the most frames of an animation")
    parser.set_defaults(settings=[])
