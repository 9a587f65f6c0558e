"""The command `overparam-edu`.

Each subcommand is a module here with `add_arguments(parser)` and `run(options)`, which returns the
exit code; its docstring is its page of the help. Whatever is heavy is imported when it runs, so
that the help answers at once. A `CommandError` reaches the user as one plain sentence, with exit
code 2; Ctrl-C ends in one word, with exit code 130 as in a shell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from overparam_edu.cli import (
    assign,
    claims,
    doctor,
    lab,
    pages,
    picture,
    present,
    progress,
    reproduce,
    serve,
)
from overparam_edu.cli.command import CommandError

# In the order of the help.
COMMANDS = {
    module.__name__.rpartition(".")[2]: module
    for module in (lab, present, doctor, pages, serve, picture, assign, progress, claims, reproduce)
}


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
    for name, command in COMMANDS.items():
        page = command.__doc__ or ""
        row = rows.add_parser(name, help=page.partition("\n")[0], description=page)
        command.add_arguments(row)
        row.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line on `argv`, by default the program's own, and return the exit code."""
    parser = _parser()
    options, settings = parser.parse_known_args(argv)
    if settings and not hasattr(options, "settings"):
        parser.error(f"unrecognized arguments: {' '.join(settings)}")
    try:
        if settings:
            options.settings = settings  # of an explorer, which knows its own
        return int(options.run(options))
    except CommandError as error:
        print(f"overparam-edu: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("overparam-edu: stopped", file=sys.stderr)
        return 130
