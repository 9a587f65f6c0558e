"""Collect students' progress files in one table.

Each row is a student, each column a lesson: how many of its exercises, predictions and questions
are done. A file counts wherever it lies in the folder, under any name that ends in .jsonl or
.json. Its student is the file's name, or its folder's where it has the name that the lessons give
it; what several files say of one student is put together. The files are what students hand in, and
they could have written them by hand.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from overparam_edu.cli.command import CommandError


def _student(file: Path, folder: Path, own_name: str) -> str:
    """Return whose file it is, on one line; a browser that saves it twice adds (1) to its name."""
    relative = file.relative_to(folder)
    named_by_folder = file.name.startswith(own_name) and len(relative.parts) > 1
    name = relative.parent if named_by_folder else relative.with_suffix("")
    return "".join(sign if sign.isprintable() else "?" for sign in name.as_posix())


def run(options: argparse.Namespace) -> int:
    """Read all files, print the table, and name the files that hold no progress."""
    from overparam_edu.classroom.progress import DONE, FILE, Progress

    folder = Path(options.folder).expanduser()
    if not folder.is_dir():
        raise CommandError(f"there is no folder {folder}")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack signs of names
        sys.stdout.reconfigure(errors="replace")
    students: dict[str, Progress] = {}
    refused = []
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".jsonl", ".json")):
        student = _student(file, folder, Path(FILE).stem)
        try:
            students[student] = students.get(student, Progress()).load(file)
        except (OSError, ValueError) as problem:
            refused.append(f"not counted: {problem}")
    if not students:
        raise CommandError("\n".join([f"no progress file in {folder}", *refused]))
    course = Progress().table()
    names = [*(lesson.number for lesson in course), "all"]
    counts = [len(lesson.signs) for lesson in course]
    counts.append(sum(counts))
    width = max(map(len, ["student", *students]))
    print(f"{'student':{width}}", *(f"{name:>7}" for name in names), " last")
    table = []
    for student, mine in students.items():
        done = [lesson.signs.count(DONE) for lesson in mine.table()]
        done.append(sum(done))
        cells = [f"{f'{some}/{count}':>7}" for some, count in zip(done, counts, strict=True)]
        print(f"{student:{width}}", *cells, f" {mine.last}")
        # A spreadsheet would take a name that begins so for a formula.
        table.append(["'" * student.startswith(("=", "+", "-", "@")) + student, *done, mine.last])
    for words in refused:
        print(words, file=sys.stderr)
    if options.csv is not None:
        head = [f"lesson {name}" for name in names[:-1]] + ["all"]
        head = [f"{name} (of {count})" for name, count in zip(head, counts, strict=True)]
        try:
            # With its mark of UTF-8, without which spreadsheets misread names.
            with open(options.csv, "w", newline="", encoding="utf-8-sig") as out:
                csv.writer(out).writerows([["student", *head, "last"], *table])
        except OSError as problem:
            raise CommandError(f"cannot write {options.csv}: {problem.strerror}") from None
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the folder and a file for the table."""
    parser.add_argument("folder", metavar="FOLDER", help="folder with the students' files")
    parser.add_argument("--csv", metavar="FILE", help="write the table for a spreadsheet as well")
