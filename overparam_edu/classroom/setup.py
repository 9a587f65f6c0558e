"""Is this machine ready for a class? The table in notebook 00."""

from __future__ import annotations

import html
import platform
from importlib import metadata
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import TEMPLATE, VERMILLION


class Installed(NamedTuple):
    """A package of the course: the version here (empty if missing), and whether it is supported."""

    name: str
    version: str
    wanted: str
    fits: bool


def installed(extra: str = "") -> list[Installed]:
    """Return Python and each package that the course or an extra needs, with what is there."""
    about = metadata.metadata("overparam-edu")
    needs = [Requirement(line) for line in metadata.requires("overparam-edu") or []]
    wanted = {"python": about["Requires-Python"]} | {
        need.name: str(need.specifier)
        for need in needs
        if need.marker is None or need.marker.evaluate({"extra": extra})
    }
    rows = []
    for name, versions in wanted.items():
        try:
            here = platform.python_version() if name == "python" else metadata.version(name)
        except metadata.PackageNotFoundError:
            here = ""
        rows.append(Installed(name, here, versions, bool(here) and fits(here, versions)))
    return sorted(rows)


def fits(version: str, wanted: str) -> bool:
    """Return whether a version, of a release or before one, is within bounds such as >=8.1,<9."""
    return SpecifierSet(wanted).contains(version.removesuffix("+"), prereleases=True)


def check_setup() -> Player:
    """Return a self-test: the versions found, and a slider that says how fast it is here.

    Returns
    -------
    Player
        If it shows a curve, the widgets are alive; its sentence gives the time of a redraw.

    Examples
    --------
    >>> player = check_setup()
    >>> player.scene.axes[0].name
    'depth'
    """
    # The same work as a lesson's slider: one curve of 400 points that is drawn anew.
    depths, time = np.linspace(1, 8, 57), np.linspace(0, 1, 400)
    line = {"color": VERMILLION, "width": 4}
    figure = go.Figure(go.Scatter(uid="curve", x=time, mode="lines", line=line))
    figure.update_layout(template=TEMPLATE, height=240, margin={"t": 20, "b": 40})
    figure.update_xaxes(range=[0, 1]).update_yaxes(range=[0, 1.05])
    rows = installed()
    verdict = "All versions fit."
    if not all(row.fits for row in rows):
        verdict = "Some versions do not fit: see the table."
    table = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        for cells in [
            ("package", "here", "wanted", ""),
            *((n, here or "missing", w, "✓" if ok else "✗ update it") for n, here, w, ok in rows),
        ]
    )
    board = f"<details><summary>Versions</summary><table>{table}</table></details>"
    return Player(
        Scene(
            figure,
            [Axis("depth", "drag me", depths, play=True)],
            [Track("curve", "y", np.exp(-3 * np.outer(depths, time)), ["depth"])],
            Reading(
                f"{verdict} The last redraw took {{milliseconds}} ms; below 100, sliders feel "
                "immediate."
            ),
            alt="A falling curve that gets steeper as the slider moves to the right.",
            board=Board([board] * len(depths), ["depth"]),
        )
    )
