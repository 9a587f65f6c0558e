"""Show a lesson on the projector, screen by screen.

The lesson fills the screen in large type, for a lecture hall. Arrow keys and clickers move through
it and step the pictures; the page's address holds all that is seen, so a prepared moment can be
bookmarked. A plan leads through several lessons, with notes and a clock for whoever speaks. Only
this machine can open it. Needs Voila.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from overparam_edu.cli.command import (
    CommandError,
    before_serving,
    need,
    opens_browser,
    server_options,
)
from overparam_edu.cli.lab import own_notebooks
from overparam_edu.publish import FIRST_NOTEBOOK, lesson_notebooks
from overparam_edu.publish.plans import plans

# A port and a secret that stay, so that a bookmark works in the lecture as it did the day before.
PORT = 8866
SECRET = "overparam-edu-present"
HERE = "127.0.0.1"


def find_notebook(wanted: str | None) -> Path:
    """Return the notebook a user means: a path, or the beginning of a lesson's name."""
    if wanted is not None and Path(wanted).suffix == ".ipynb":
        if not Path(wanted).is_file():
            raise CommandError(f"there is no notebook {wanted}")
        return Path(wanted).resolve()
    lessons = lesson_notebooks(own_notebooks())
    found = [path for path in lessons if path.name.startswith(wanted or FIRST_NOTEBOOK)]
    if len(found) != 1:
        names = ", ".join(path.stem for path in lessons)
        raise CommandError(f"notebook must be a path, or begin one of {names}; got {wanted!r}")
    return found[0]


def _secret(folder: Path) -> bytes:
    """Return 32 bytes that only this user can read, made at the first use."""
    path = folder / SECRET
    if not path.is_file() or path.stat().st_size != 32:
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _announce(address: str, *, show: bool) -> None:
    print("Presenting. If no browser opens, open this address, then press F for full screen:")
    print(f"    {address}")
    print("The key ? lists all keys. To stop, press Ctrl-C here.", flush=True)
    if show:
        webbrowser.open(address)


def _server(notebook: Path, port: int, secret: bytes, token: str, pages: str) -> Any:
    """Return Voila, ready to start."""
    from traitlets.config import Config

    from overparam_edu.publish.presenter import TEMPLATES, settings

    folders = [str(TEMPLATES), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(folders)
    os.environ["OVERPARAM_EDU_PROGRESS"] = os.devnull  # a class does not see the lecturer's answers
    from voila.app import Voila

    own = {"ip": HERE, "port": port, "port_retries": 0, "open_browser": False, "log_level": 40}
    own |= {"root_dir": str(notebook.parent), "token": token, "cookie_secret": secret}
    server = Voila(config=Config(settings(pages) | {"Voila": own}))
    server.initialize([])
    return server


def run(options: argparse.Namespace) -> int:
    """Serve the lesson until it is stopped."""
    need("voila", "present")
    if options.pages:
        need("segno", "present")
    before_serving(HERE, options.port)
    if options.plan and options.notebook:
        raise CommandError(f"give a notebook or --plan, not both; got {options.notebook!r} as well")
    notebook = find_notebook(options.notebook)
    from jupyter_core.paths import jupyter_data_dir
    from tornado.ioloop import IOLoop

    secret = _secret(Path(jupyter_data_dir()))
    token = hashlib.sha256(b"token" + secret).hexdigest()[:48]
    server = _server(notebook, options.port, secret, token, options.pages)
    asked = f"token={token}" + (f"&plan={options.plan}" if options.plan else "")
    address = f"http://{HERE}:{options.port}/voila/render/{quote(notebook.name)}?{asked}"
    address += "#full=1" if options.full else ""
    # The loop takes its callbacks in turn: once this one speaks, the address answers.
    IOLoop.current().add_callback(_announce, address, show=opens_browser(options))
    server.start()
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the lesson and the port."""
    parser.add_argument(
        "notebook",
        nargs="?",
        metavar="NOTEBOOK",
        help="a lesson's number such as 05, or the path of a notebook (default: lesson 00)",
    )
    parser.add_argument(
        "--plan",
        choices=sorted(plans()),
        help="a lecture of that many minutes over several lessons, as in the instructor guide",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="show all of the lesson, not only what suits a lecture (the key e does so as well)",
    )
    parser.add_argument(
        "--pages",
        default="",
        metavar="ADDRESS",
        help="where a class finds the pages of the course: the key q shows it as a QR code",
    )
    server_options(parser, PORT, f"port to listen on; bookmarks contain it (default: {PORT})")
