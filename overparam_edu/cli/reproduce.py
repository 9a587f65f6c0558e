"""Run a recorded experiment again and compare.

Run it all, or its first iterations, and compare every loss with the record. Exit code 0 if they
agree, 1 if they differ.
"""

from __future__ import annotations

import argparse

from overparam_edu.cli.command import CommandError


def run(options: argparse.Namespace) -> int:
    """List the records, or run one again."""
    from overparam_edu.experiments.datasets import DataUnavailableError
    from overparam_edu.experiments.records import CONVNET, EXPERIMENTS, reproduce

    if options.name is None:
        for name, experiment in EXPERIMENTS.items():
            print(f"{name:<13} {experiment.title}; {experiment.steps:,} iterations")
        print(f"{CONVNET:<13} the talk's convolutional network, its first 300 steps; needs PyTorch")
        return 0
    try:
        found = reproduce(
            options.name, prefix=options.prefix, path=options.data, store=options.store
        )
    except DataUnavailableError as problem:
        raise CommandError(f"{problem} A copy of yours can be given with --data.") from None
    except (ImportError, OSError, ValueError) as problem:
        raise CommandError(str(problem)) from None
    print(found)
    return 0 if found.agrees else 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the record, and where its data and runs are."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="of a record (default: show which there are)"
    )
    parser.add_argument(
        "--prefix",
        type=int,
        metavar="N",
        help="only the first N iterations (default: all, which takes up to two hours)",
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="a copy of the gas data: the zip archive, a folder with its batches, or an .npz; of "
        "MNIST, an .npz, for the convolutional network (default: downloaded once)",
    )
    parser.add_argument(
        "--store",
        metavar="FOLDER",
        help="keep finished runs in this folder; a command that was stopped goes on from there. "
        "What is in it can run code when it is read: use only your own",
    )
