"""The command `overparam-edu`.

Each subcommand is a module here that exports its `COMMAND`, and a row of `COMMANDS`. Whatever is
heavy is imported when it runs, so that the help answers at once. A `CommandError` reaches the user
as one plain sentence, with exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from overparam_edu.cli import claims, doctor, lab, pages, present, reproduce
from overparam_edu.cli.command import Command, CommandError
from overparam_edu.cli.lab import QUIET_LAB
from overparam_edu.publish import FIRST_NOTEBOOK

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
        epilog="`overparam-edu COMMAND --help` tells more about each command.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    rows = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        row = rows.add_parser(command.name, help=command.summary, description=command.description)
        command.add_arguments(row)
        row.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line on `argv`, by default the program's own; return 0, or 2 if it failed."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except CommandError as error:
        print(f"overparam-edu: {error}", file=sys.stderr)
        return 2
