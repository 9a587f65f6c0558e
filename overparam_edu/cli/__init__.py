"""The command `overparam-edu`.

Each subcommand is a module here that exports its `COMMAND` (the class is in command.py), and a row
of `COMMANDS`. Whatever is heavy is imported when it runs, so that the help answers at once. A
`CommandError` is told to the user as one plain sentence, with exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from overparam_edu.cli import claims, doctor, lab, pages, present, reproduce
from overparam_edu.cli.command import Command, CommandError
from overparam_edu.cli.lab import FIRST_NOTEBOOK, QUIET_LAB

__all__ = ["COMMANDS", "FIRST_NOTEBOOK", "QUIET_LAB", "Command", "CommandError", "main"]

# In the order of the help.
COMMANDS: tuple[Command, ...] = (
    lab.COMMAND,
    present.COMMAND,
    doctor.COMMAND,
    pages.COMMAND,
    claims.COMMAND,
    reproduce.COMMAND,
)


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"overparam-edu {version('overparam-edu')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="overparam-edu",
        description="Interactive lessons on implicit acceleration by overparameterization.",
        epilog="`overparam-edu COMMAND --help` tells more of each command.",
    )
    parser.add_argument(
        "--version", action=_ShowVersion, nargs=0, help="show the version and leave"
    )
    rows = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        row = rows.add_parser(command.name, help=command.summary, description=command.description)
        command.add_arguments(row)
        row.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those it was started with if None.

    Returns
    -------
    int
        0 if all went well, 2 if the command was wrong or could not be carried out.
    """
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except CommandError as error:
        print(f"overparam-edu: {error}", file=sys.stderr)
        return 2
