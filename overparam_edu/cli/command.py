"""What every command that serves pages asks first: is there a screen, is the port free."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable
from typing import NamedTuple


class CommandError(Exception):
    """What stopped a command, in words for its user."""


class Command(NamedTuple):
    """One subcommand: its row in the help, its options, and what it does.

    Parameters
    ----------
    name : str
        What the user types.
    summary : str
        One line for ``overparam-edu --help``.
    description : str
        A paragraph for ``overparam-edu NAME --help``.
    add_arguments : callable
        Adds the options to the parser it is given.
    run : callable
        Takes the parsed options and returns the exit code.
    """

    name: str
    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def has_display() -> bool:
    """Tell whether a browser could open here; elsewhere than on Linux there always is a desktop."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def check_port(ip: str, port: int) -> None:
    """Refuse a port that can't be listened on.

    Parameters
    ----------
    ip : str
        Address to listen on.
    port : int

    Raises
    ------
    CommandError
        If something else has the port, or it is none.
    """
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
