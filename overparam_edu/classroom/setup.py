"""Is this machine ready for a class? The table in notebook 00."""

from __future__ import annotations

import html
import platform
import re
from importlib import metadata
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import TEMPLATE, VERMILLION


class Installed(NamedTuple):
    """One package that the course needs.

    Parameters
    ----------
    name : str
        As on the package index.
    version : str
        What is installed; empty if nothing is.
    wanted : str
        The versions that the course supports.
    fits : bool
        Whether the one is among the other.
    """

    name: str
    version: str
    wanted: str
    fits: bool


def installed() -> list[Installed]:
    """Return Python and each package the course needs, with what is there.

    Returns
    -------
    list of Installed

    Examples
    --------
    >>> [row.name for row in installed() if not row.fits]
    []
    """
    about = metadata.metadata("overparam-edu")
    python = platform.python_version()
    wanted = about["Requires-Python"]
    rows = [Installed("python", python, wanted, _fits(python, wanted))]
    for line in metadata.requires("overparam-edu") or []:
        requirement, _, marker = line.partition(";")
        if "extra" in marker:
            continue
        name, wanted = re.fullmatch(r"([\w.-]+)\s*(.*)", requirement.strip()).groups()  # type: ignore[union-attr]
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = ""
        rows.append(Installed(name, version, wanted, bool(version) and _fits(version, wanted)))
    return sorted(rows)


def _fits(version: str, wanted: str) -> bool:
    """Return whether a version is within bounds such as ``>=8.1,<9``."""
    here = _numbers(version)
    bounds = [re.fullmatch(r"(>=|<)\s*([\d.]+)", part.strip()) for part in wanted.split(",")]
    compared = [(found[1], _numbers(found[2])) for found in bounds if found]
    return all(here >= bound if sign == ">=" else here < bound for sign, bound in compared)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


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
    curves = np.exp(-3 * np.outer(depths, time))
    figure = go.Figure(go.Scatter(mode="lines", line={"color": VERMILLION, "width": 4}))
    figure.update_layout(template=TEMPLATE, height=240, margin={"t": 20, "b": 40})
    figure.update_xaxes(range=[0, 1]).update_yaxes(range=[0, 1.05])
    tracks = [
        Track(0, "y", curves, ["depth"]),
        Track(0, "x", np.tile(time, (len(depths), 1)), ["depth"]),
    ]
    rows = installed()
    fit = all(row.fits for row in rows)
    verdict = "All versions fit." if fit else "Some versions do not fit: see the table."
    reading = Reading(
        verdict + " The last redraw took {milliseconds} ms; below 100, sliders feel immediate."
    )
    axis = Axis("depth", "drag me", depths, play=True)
    table = f"<details><summary>Versions</summary>{_table(rows)}</details>"
    board = Board([table] * len(depths), ["depth"])
    alt = "A falling curve that gets steeper as the slider moves to the right."
    return Player(Scene(figure, [axis], tracks, reading, alt=alt, board=board))


def _table(rows: list[Installed]) -> str:
    """Return the versions as an HTML table."""
    cells = [
        (row.name, row.version or "missing", row.wanted, "✓" if row.fits else "✗ update it")
        for row in rows
    ]
    lines = [("package", "here", "wanted", ""), *cells]
    return f"<table>{''.join(_row(line) for line in lines)}</table>"


def _row(cells: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
