"""Lessons to hand out: nothing gives a solution away, and nbgrader itself gives the points."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import os
import subprocess
import sys
import sysconfig

import nbformat
import pytest

from overparam_edu import cli
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.publish import lesson_folder

NBGRADER = "nbgrader>=0.9.5,<1"
LESSONS = sorted(path.stem for path in lesson_folder().glob("[0-9]*.ipynb"))
LESSON = "02_end_to_end_update_rule"


def assign(lesson, folder, *more):
    return cli.main(["assign", str(lesson), "--out", str(folder), *more])


def written(folder, lesson):
    """Return the notebooks that a call wrote: the plain one and that for nbgrader."""
    places = folder / f"{lesson}.ipynb", folder / "source" / lesson / f"{lesson}.ipynb"
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(places)
    return [nbformat.read(path, as_version=4) for path in places]


def lines(cells):
    return {line.strip() for cell in cells for line in cell.source.splitlines()}


def original(lesson):
    return nbformat.read(lesson_folder() / f"{lesson}.ipynb", as_version=4)


def names_of(lesson):
    ids = [cell.id for cell in original(lesson).cells if cell.id.endswith("-solution")]
    return [one.removeprefix("ex-").removesuffix("-solution") for one in ids]


def secret(lesson):
    """Return the lines that only the solutions of a lesson have."""
    cells = original(lesson).cells
    solutions = [cell for cell in cells if cell.id.endswith("-solution")]
    found = lines(solutions) - lines(cell for cell in cells if cell not in solutions)
    assert len(found) >= len(solutions) > 0
    return found


@pytest.mark.parametrize("lesson", LESSONS)
def test_nothing_that_is_written_gives_a_solution_away(lesson, tmp_path):
    notebook = original(lesson)
    for cell in notebook.cells:  # as a teacher leaves it who ran it
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text=f"leaked {cell.source}")]
    (tmp_path / "mine").mkdir()
    nbformat.write(notebook, tmp_path / "mine" / f"{lesson}.ipynb")
    assert assign(tmp_path / "mine" / f"{lesson}.ipynb", tmp_path / "out") == 0
    for made in written(tmp_path / "out", lesson):
        nbformat.validate(made)
        text = nbformat.writes(made)
        assert not secret(lesson) & lines(made.cells)
        assert not [word for word in ("leaked", "solution_of_", "folded cell") if word in text]


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_exercise_is_whole_and_worth_one_point(lesson, tmp_path):
    assign(lesson[:2], tmp_path)
    plain, graded = written(tmp_path, lesson)
    kept = [cell.id for cell in original(lesson).cells if not cell.id.endswith("-solution")]
    assert [cell.id for cell in plain.cells] == kept
    assert [cell.id for cell in graded.cells if not cell.id.endswith("-grade")] == kept
    points = {}
    for before, cell in zip(graded.cells, graded.cells[1:], strict=False):
        if "nbgrader" in cell.metadata:
            meta = cell.metadata.nbgrader
            assert before.id == f"ex-{meta.grade_id}-check"
            assert (meta.grade, meta.locked, meta.solution) == (True, True, False)
            points[meta.grade_id] = meta.points
    assert points == dict.fromkeys(names_of(lesson), 1)


def test_it_says_what_it_wrote_and_what_comes_next(tmp_path, capsys):
    assert assign("02", tmp_path / "new" / "folder") == 0
    said = capsys.readouterr().out
    assert f"nbgrader, {len(names_of(LESSON))} points: " in said
    assert f"in {tmp_path / 'new' / 'folder'}: nbgrader generate_assignment {LESSON}" in said


@pytest.mark.parametrize("first", [f"{LESSON}.ipynb", f"source/{LESSON}/{LESSON}.ipynb"])
def test_nothing_is_overwritten_unless_asked(first, tmp_path, capsys):
    mine = tmp_path / first
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine", encoding="utf-8")
    assert assign("02", tmp_path) == 2
    assert capsys.readouterr().err == (
        f"overparam-edu: {mine} is there already; --force replaces it\n"
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text(encoding="utf-8") == "mine"
    assert assign("02", tmp_path, "--force") == 0
    assert len(written(tmp_path, LESSON)) == 2


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("12", "notebook must be a path, or begin one of 00_start_here, "),
        ("gone.ipynb", "there is no notebook gone.ipynb"),
        ("empty.ipynb", "empty.ipynb can't be read as a notebook"),
        ("list.ipynb", "list.ipynb can't be read as a notebook"),
        ("cells.ipynb", "cells.ipynb can't be read as a notebook"),
        ("old.ipynb", "old.ipynb: old is no exercise of this edition"),
        ("other.ipynb", "other.ipynb has none of the course's exercises"),
    ],
)
def test_what_is_no_lesson_is_refused_in_one_sentence(wanted, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    damaged = {"empty": "", "list": "[1]", "cells": '{"nbformat": 4, "nbformat_minor": 5}'}
    for name, text in damaged.items():
        (tmp_path / f"{name}.ipynb").write_text(text, encoding="utf-8")
    for name, cells in {"old": [nbformat.v4.new_code_cell(id="ex-old-check")], "other": []}.items():
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    assert assign(wanted, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert said.startswith("overparam-edu: ")
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("below", ["", "inside"])
def test_a_folder_that_cannot_be_written_to_is_told_in_one_sentence(below, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert assign("02", tmp_path / "file" / below) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"overparam-edu: cannot write to {tmp_path / 'file' / below}: ")
    assert said.count("\n") == 1


# --- nbgrader itself ---


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory):
    """Return a function that runs nbgrader in a folder.

    It is no part of the `test` extra, since it adds its own menu and buttons to every JupyterLab:
    where it is missing, it is installed for these tests alone, beside what is here.
    """
    variables = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}
    if importlib.util.find_spec("nbgrader") is None:
        base = str(tmp_path_factory.mktemp("nbgrader"))
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--prefix", base, NBGRADER]
        done = subprocess.run(install, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"nbgrader can't be installed here: {done.stderr[-300:]}")
        scheme = {"base": base, "platbase": base}
        packages, scripts = (sysconfig.get_path(n, vars=scheme) for n in ("purelib", "scripts"))
        variables |= {"PYTHONPATH": packages}
    else:
        scripts = sysconfig.get_path("scripts")
    variables["PATH"] = os.pathsep.join([scripts, variables["PATH"]])  # it starts alembic

    def run(folder, *words):
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stderr

    return run


def hand_in(folder, student, answers):
    """Put a student's copy of the released notebook, with their answers, where nbgrader looks."""
    notebook = nbformat.read(folder / "release" / LESSON / f"{LESSON}.ipynb", as_version=4)
    for cell in notebook.cells:
        name = cell.id.removeprefix("ex-").removesuffix("-try")
        if cell.id == f"ex-{name}-try":
            guess = [line for line in cell.source.splitlines() if line.startswith("oe.predict(")]
            cell.source = "\n".join([answers[name], *guess])
        if "nbgrader" in cell.metadata:
            cell.source = "pass  # a student's own idea of a test"
    place = folder / "submitted" / student / LESSON
    place.mkdir(parents=True)
    nbformat.write(notebook, place / f"{LESSON}.ipynb")


@pytest.mark.slow
def test_nbgrader_grades_a_right_and_a_wrong_submission(nbgrader, tmp_path):
    assign("02", tmp_path)
    nbgrader(tmp_path, "generate_assignment", LESSON)
    released = nbformat.read(tmp_path / "release" / LESSON / f"{LESSON}.ipynb", as_version=4)
    assert not secret(LESSON) & lines(released.cells)
    assert "examine" not in nbformat.writes(released)  # the hidden tests are out

    names = names_of(LESSON)
    right = {name: EXERCISES[name].solution for name in names}
    hand_in(tmp_path, "right", right)
    spoilt = itertools.cycle(("{0} = lambda *given: 1.0", "{0} = 1 / 0", "def {0}(:", "{0} = ..."))
    wrong = {name: code.format(name) for name, code in zip(names, spoilt, strict=False)}
    hand_in(tmp_path, "wrong", wrong | {names[-1]: right[names[-1]]})
    nbgrader(tmp_path, "autograde", LESSON)
    nbgrader(tmp_path, "export")
    with open(tmp_path / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {float(row["max_score"]) for row in rows.values()} == {len(names)}
    scores = {student: float(row["score"]) for student, row in rows.items()}
    assert scores == {"right": len(names), "wrong": 1}
