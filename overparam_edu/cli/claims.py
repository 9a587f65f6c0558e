"""Check every claim of the talk, and say what was measured.

One claim of the talk or of this course after another gets a verdict and a number. Theorems are
checked against their derivations and against runs; experiments are run if they are short, else read
from recorded runs. All of them take well under a minute. Exit code 1 if a theorem does not hold or
a recorded run is missing; an experiment that is not reproduced is a result.
"""

from __future__ import annotations

import argparse
import io
import sys
import textwrap
import time
from collections import Counter

from overparam_edu.cli.command import CommandError

_INDENT = " " * 13


def run(options: argparse.Namespace) -> int:
    """Check the claims wanted and print a verdict for each."""
    from overparam_edu.classroom.claims import claims
    from overparam_edu.classroom.claims.ledger import FAILURES

    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack signs such as ‖
        sys.stdout.reconfigure(errors="replace")
    try:
        ledger = claims(*options.which)
    except ValueError as error:
        raise CommandError(str(error)) from None
    began, words = time.monotonic(), []
    for place, (claim, verdict) in enumerate(ledger.results(), start=1):
        words.append(verdict.word)
        print(f"{place:2}/{len(ledger.claims)}  {claim.notebook}  {verdict.word}: {claim.name}")
        needs = [f"needs: {claim.conditions}"] if claim.conditions else []
        for text in (claim.statement, *needs, verdict.number):
            print(textwrap.fill(text, 100, initial_indent=_INDENT, subsequent_indent=_INDENT))
        sys.stdout.flush()
    counts = ", ".join(f"{count} {word}" for word, count in Counter(words).items())
    print(f"{len(words)} claims in {time.monotonic() - began:.0f} s: {counts}")
    return int(bool(set(FAILURES) & set(words)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take names of claims or lessons."""
    parser.add_argument(
        "which",
        nargs="*",
        metavar="CLAIM",
        help="names of claims, or numbers of lessons such as 05 (default: all of them)",
    )
