"""What `make bench` says of a figure: met or not, and where it is written."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def rows():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("rows")
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def command(rows):
    spec = importlib.util.spec_from_file_location("benchmarks_main", FOLDER / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("figures", "met"),
    [
        ({"ours": 1, "theirs": 2, "times": 2}, True),
        ({"ours": 1, "theirs": 1.9, "times": 2}, False),
        ({"ours": 1, "beside": "PyTorch", "times": 2}, None),  # the other is not installed
        ({"ours": 0.9, "most": 1}, True),
        ({"ours": 1.1, "most": 1}, False),
        ({"ours": 0, "most": 0}, True),
        ({"ours": 29, "least": 30}, False),
        ({"ours": 30, "least": 30, "most": 20}, False),
        ({"ours": 1, "theirs": 2}, None),
    ],
)
def test_a_goal_is_met_or_not(rows, figures, met):
    row = rows.Row("what", **figures)
    assert row.met is met
    assert row.cells()[-1] == {True: "yes", False: "**no**", None: ""}[met]
    if row.ratio is not None:
        assert row.ratio == figures["theirs"] / figures["ours"]


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (0.0123, "s", "12 ms"),
        (72, "s", "1.2 min"),
        (4.9e-6, "s", "4.9 µs"),
        (5_200_000, "bytes", "5.2 MB"),
        (89_000, "bytes", "89 kB"),
        (1234.5, "", "1,234"),
        (None, "s", ""),
    ],
)
def test_a_figure_has_two_digits_and_a_unit_of_its_size(rows, number, unit, text):
    assert rows.quantity(number, unit) == text


def test_the_report_names_what_was_missed_and_the_readme_what_is_beside_others(rows, command):
    good = rows.Row("good", 1, theirs=3, beside="it", times=2)
    bad = rows.Row("bad", 2.0, most=1)
    section = rows.Section("Title", "Method.", [good, bad])
    report = command.results([section], "none", 3.0)
    assert "Goals missed: bad." in report
    assert "Goals missed: none." in command.results([section._replace(rows=[good])], "", 1)
    assert command.chosen([section]) == [good]


def test_every_benchmark_is_run_and_says_how_it_measures(command):
    others = {"__main__", "lab", "lines", "rows", "class_at_once"}  # the last takes minutes
    assert set(command.BENCHMARKS) == {path.stem for path in FOLDER.glob("*.py")} - others
    for name in command.BENCHMARKS:
        tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        assert len(ast.get_docstring(tree).split("\n\n", 1)) == 2, name
        assert "rows" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def _between(path, mark):
    [inside] = re.findall(
        f"<!-- {mark} -->\n(.*)\n<!-- /{mark} -->", path.read_text(encoding="utf-8"), re.S
    )
    return inside


def test_the_pages_say_of_speed_what_was_measured():
    results = (FOLDER / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    shown = _between(ROOT / "docs" / "speed.md", "bench").splitlines()
    assert len(shown) > 10
    assert set(shown) <= set(results)
    cells = [row.strip("| ").split(" | ") for row in shown]
    figures = {(c[0], c[2]): (c[1], c[4].removesuffix(" ×")) for c in cells}
    words = _between(ROOT / "README.md", "speed")
    for what, beside in [
        ("key press to picture", "FigureWidget"),
        ("key press to picture", "`interact` + matplotlib"),
        ("256 runs by `descend`", "a NumPy loop a run"),
    ]:
        took, ratio = figures[what, beside]
        assert took in words
        assert f"{ratio} times as fast" in words


def test_the_readme_has_lines_made_from_rows(rows, command):
    row = rows.Row
    given = [
        row("key press to picture", 0.02, "s", "FigureWidget", 0.06, times=2),
        row("key press to picture", 0.02, "s", "`interact` + matplotlib", 0.2, times=6),
        row("256 runs by `descend`", 0.01, "s", "a NumPy loop a run", 0.4, times=50),
        row("`import overparam_edu`", 0.2, "s", "`import numpy`", 0.1, times=0.7),
    ]
    words = command.headlines(given)
    assert re.findall(r"[\d.]+ (?:ms|times)", words) == (
        ["20 ms", "3 times", "10 times", "10 ms", "40 times", "2.00 times"]
    )


def test_imports_are_timed_with_byte_code_kept(command, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")  # so that both are put back afterwards
    command.keep_byte_code(str(tmp_path))
    assert importlib.import_module("import_time").seconds("import json.tool") > 0
    assert [*tmp_path.rglob("tool.*.pyc")]


def test_what_disturbs_an_import_is_left_out(rows):
    spent = iter([0.2, 0.3, 0.9, 0.1, 0.1, 0.1])
    ways = dict.fromkeys(("ours", "numpy"), lambda: next(spent))
    assert rows.taking_turns(ways, 3, of=min) == {"ours": 0.1, "numpy": 0.1}
