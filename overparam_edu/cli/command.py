"""What subcommands share: the error that stops one, and how those that serve pages begin."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import socket
import sys


class CommandError(Exception):
    """What stopped a command, in words for its user."""


def server_options(parser: argparse.ArgumentParser, port: int | None, help: str) -> None:
    """Add the options of a command that serves pages: --no-browser and --port."""
    parser.add_argument(
        "--no-browser", action="store_true", help="only print the address, do not open a browser"
    )
    parser.add_argument("--port", type=int, default=port, metavar="N", help=help)


def opens_browser(options: argparse.Namespace) -> bool:
    """Return whether to open a browser: unless told not to, or on Linux without a display."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    display = not sys.platform.startswith("linux") or any(map(os.environ.get, names))
    return display and not options.no_browser


def need(package: str, extra: str) -> None:
    """Refuse to start without a package, which stands for all that its extra brings."""
    if importlib.util.find_spec(package) is None:
        from overparam_edu.checks import install

        raise CommandError(
            f"{package} is not installed for {sys.executable}; "
            f"install it with: python -m {install(extra)}"
        )


def before_serving(ip: str, port: int | None) -> None:
    """Refuse what can't work, and keep Jupyter from starting other kernels or warning students."""
    if port is not None:
        check_port(ip, port)
    # The kernel "python3" is this interpreter's, whatever the user's home folder registers.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    # Jupyter's packages warn of each other's old habits; a student can do nothing about them.
    logging.captureWarnings(True)


def check_port(ip: str, port: int) -> None:
    """Refuse a port on which nothing can listen."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            # As the server will: a port that was left a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(f"cannot use port {port} on {ip}: {reason}") from None
