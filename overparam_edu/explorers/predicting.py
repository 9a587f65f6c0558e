"""Explorers in which students draw what they expect before they see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets

import overparam_edu
from overparam_edu.checks import flag
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Scene


def explorer(
    scene: Callable[..., Scene],
    controls: dict[str, widgets.Widget],
    *,
    predict: bool,
    shown_when: Mapping[str, Callable[[dict[str, Any]], bool]],
    on_pages: Sequence[Mapping[str, Any]] = (),
) -> Explorer:
    """Return an explorer of scenes that, to `predict`, open with a `Sketch`, kept in `progress`."""
    build = partial(scene, predict=flag("predict", predict))
    made = Explorer(build, controls, shown_when=shown_when, on_pages=on_pages)
    if predict:
        # By its public name, loaded when asked for: this room knows nothing of what is kept where.
        mine = overparam_edu.progress()
        made.player.keep_guesses(mine.sketches, mine.sketch)
    return made
