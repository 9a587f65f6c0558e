"""`overparam-edu pages`: the course as pages that open from a disk."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from overparam_edu.cli.command import Command, CommandError


def _run_pages(options: argparse.Namespace) -> int:
    from overparam_edu.publish.pages import build_pages

    notebooks = [Path(name) for name in options.notebooks] or None
    try:
        built = build_pages(options.out, notebooks=notebooks, progress=partial(print, flush=True))
    except (OSError, RuntimeError) as problem:
        raise CommandError(str(problem)) from None
    print(f"{built.size / 1e6:.1f} MB. Copy the whole folder: the pages share plotly.min.js.")
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="notebooks to make pages of (default: the whole course)",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="folder to write to; files of the same names are replaced",
    )


COMMAND = Command(
    name="pages",
    summary="write the course as static pages, for a USB stick or a website",
    description="Run the notebooks and write them as static pages: open index.html in any browser, "
    "without Python and without a network. Sliders, steppers and questions stay alive; what only "
    "Python can compute is offered as a few choices that were computed in advance.",
    add_arguments=_add_arguments,
    run=_run_pages,
)
