"""The code that prose quotes works: in lessons, questions, exercises, README and the guides."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu import cli
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS
from overparam_edu.publish.pages import lesson_notebooks

ROOT = Path(__file__).resolve().parents[1]
# What reads a network, a file that is not there or needs minutes: its arguments are checked only.
NOT_RUN = {"load_mnist", "load_gas_ethanol", "load_regression_data", "run_convnets", "claims"}
NOT_RUN |= {
    "learning_curves",
    "explore_convnet",
    "save",
    "build_pages",
}
NOT_RUN |= {"load_digits", "split_digits", "train_convnet", "ConvnetTraining"}
# What prose takes for known.
KNOWN = {"oe": oe, "np": np, "X": np.eye(3), "y": np.ones(3), "r": np.ones(3), "Q": np.eye(6)}
KNOWN |= {"w": np.ones(3), "g": np.ones(3), "W": np.ones((2, 3)), "G": np.ones((2, 3))}
KNOWN |= {"k": 2, "d": 3, "m": 2, "N": 2, "p": 4, "h": 0.1, "seed": 0, "scale": 0.1}
KNOWN |= {"learning_rate": 0.1, "rng": np.random.default_rng(0), "network": "original"}
KNOWN |= {"runs": oe.recorded_convnet(), "train": None, "test": None}


def texts() -> dict[str, str]:
    """Return all prose by where it stands."""
    found = {file.name: file.read_text(encoding="utf-8") for file in sorted(ROOT.glob("*.md"))}
    found |= {f.name: f.read_text(encoding="utf-8") for f in sorted((ROOT / "docs").glob("*.md"))}
    for path in lesson_notebooks():
        cells = nbformat.read(path, as_version=4).cells
        found[path.name] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    found["questions"] = "\n\n".join(map(str, QUESTIONS.values()))
    said = (f"{e.prompt}\n\n{' '.join(map(str, e.hints))}" for e in EXERCISES.values())
    found["exercises"] = "\n\n".join(said)
    del found["CHANGELOG.md"]  # which tells of names that are gone
    return found


TEXTS = texts()


def quoted(text: str) -> Iterator[str]:
    """Yield pieces of code: blocks between fences, and spans between backticks."""
    blocks = re.findall(r"^( *)```\w*\n(.*?)^ *```", text, flags=re.M | re.S)
    for _, block in blocks:
        yield inspect.cleandoc(block)
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", rest):
        yield " ".join(span.split())


def parsed(code: str) -> ast.Module | None:
    """Return code that says something of the package or calls NumPy; None for all else."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "explore_NAME" in code:  # a name to be filled in
        return None
    return tree if names & {"oe", "np"} else None


def snippets() -> dict[str, tuple[str, ast.Module]]:
    found = {}
    for where, text in TEXTS.items():
        for code in quoted(text):
            if tree := parsed(code):
                found[f"{where}: {code[:60]}"] = code, tree
    return found


SNIPPETS = snippets()


def called(tree: ast.AST) -> Iterator[tuple[ast.Call, Any]]:
    """Yield the calls of public things, and what they call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] == "oe":
            path = ast.unparse(node.func).split(".")[1:]
            if all(name.isidentifier() for name in path):
                what: Any = oe
                for name in path:
                    what = getattr(what, name)
                yield node, what


@pytest.mark.parametrize("name", SNIPPETS)
def test_python_in_prose_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, tree = SNIPPETS[name]
    left_out = False
    for node, what in called(tree):
        given = [*node.args, *(part.value for part in node.keywords)]
        if any(isinstance(part, ast.Constant) and part.value is ... for part in given):
            left_out = True
            continue
        keywords = {part.arg: None for part in node.keywords if part.arg is not None}
        inspect.signature(what).bind(*node.args, **keywords)  # raises where a call would
        left_out |= what.__name__ in NOT_RUN
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "oe":
            assert hasattr(oe, node.attr), code
    imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))
    if not left_out and not imports:
        exec(compile(tree, name, "exec"), dict(KNOWN))


COMMANDS = {
    f"{where}: {line}": line
    for where, text in TEXTS.items()
    for code in quoted(text)
    for line in re.findall(r"^\s*(?:\$ )?(?:\S*/)?overparam-edu ([^#\n]+)", code, flags=re.M)
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_in_prose_are_understood(name: str) -> None:
    words = shlex.split(re.split(r" [|&>] ?| && |; ", COMMANDS[name])[0])
    words = ["8000" if word in ("N", "PORT") else word for word in words]
    if words[0] == "COMMAND":
        words[0] = "lab"
    if len(words) == 1:  # a command that is spoken of
        assert words[0] in cli.COMMANDS or words[0].startswith("--")
    elif words[-1] == "--help":
        with pytest.raises(SystemExit, match="0"):
            cli._parser().parse_args(words)
    else:
        cli._parser().parse_args(words)


def test_there_is_code_in_prose() -> None:
    assert len(SNIPPETS) > 15
    assert len(COMMANDS) > 15
    assert any("load_regression_data(path=" in code for code, _ in SNIPPETS.values())


def test_what_can_not_be_called_is_seen() -> None:
    """As lesson 06 once had it."""
    [(node, what)] = called(ast.parse('oe.load_regression_data("path/to/it")'))
    with pytest.raises(TypeError, match="too many positional"):
        inspect.signature(what).bind(*node.args)
