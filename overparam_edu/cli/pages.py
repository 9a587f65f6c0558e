"""Write the course as static pages, for a USB stick or a website.

The notebooks are run. Open index.html in any browser, without Python and without a network;
sliders, steppers and questions stay alive. Of what only Python can compute it offers a few choices.
"""

from __future__ import annotations

import argparse
from functools import partial

from overparam_edu.cli.command import CommandError, need
from overparam_edu.cli.present import find_notebook


def run(options: argparse.Namespace) -> int:
    """Write the pages, and say what is done meanwhile."""
    need("nbclient", "pages")
    if options.live:
        need("jupyterlite_core", "live")  # before the minutes that pages take
    from overparam_edu.publish.live import build_live
    from overparam_edu.publish.pages import build_pages

    notebooks = [find_notebook(name) for name in options.notebooks] or None
    say = partial(print, flush=True)
    try:
        built = build_pages(options.out, notebooks=notebooks, url=options.url, progress=say)
        print(f"{built.size / 1e6:.1f} MB. Copy the whole folder: the pages share plotly.min.js.")
        if options.live:
            live = build_live(options.out, options.live, notebooks=notebooks, progress=say)
            print(f"A browser fetches about {live.size / 1e6:.0f} MB for its first live lesson.")
    except (OSError, RuntimeError, ValueError) as problem:
        raise CommandError(str(problem)) from None
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the notebooks and the folder."""
    parser.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="lessons' numbers such as 05, or paths of notebooks (default: the whole course)",
    )
    parser.add_argument(
        "--url", metavar="URL", help="where the folder will be on the web, for previews of links"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FOLDER",
        help="folder to write to; files of the same names are replaced",
    )
    parser.add_argument(
        "--live",
        metavar="PYODIDE",
        help="also write the live lessons, which run in a browser tab; needs the folder of an "
        "unpacked Pyodide 0.27.7",
    )
