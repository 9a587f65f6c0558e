"""What a subcommand of `overparam-edu` is."""

from __future__ import annotations

import argparse
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
