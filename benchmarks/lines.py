"""How large the library is, by room: ``python benchmarks/lines.py [FOLDER]``.

A line of code is one that is neither blank nor a comment nor part of a docstring; the last column
counts every line of every module.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "overparam_edu"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(text: str) -> int:
    """Return the number of lines of code in a module."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate((line.strip() for line in text.splitlines()), start=1)
    return sum(
        1 for at, line in lines if line and not line.startswith("#") and at not in docstrings
    )


def main(folder: Path) -> None:
    """Print a row a room, and their sum."""
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for room in (path.relative_to(folder).parts[0].removesuffix(".py"), "all"):
            counts = (1, code_lines(text), len(text.splitlines()))
            rooms[room] = [old + new for old, new in zip(rooms[room], counts, strict=True)]
    print(f"{'room':14} {'modules':>7} {'code':>7} {'lines':>7}")
    for room, counts in sorted(rooms.items(), key=lambda row: (row[0] == "all", row[0])):
        print(f"{room:14} {counts[0]:7,} {counts[1]:7,} {counts[2]:7,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
