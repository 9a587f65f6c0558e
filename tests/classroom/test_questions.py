"""Self-check questions and the notebook cells made of them."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import overparam_edu as oe
from overparam_edu.classroom.cells import exercise_cells, main, refresh
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS, Option, Question

EACH = pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))


@EACH
def test_every_option_has_its_own_answer(question):
    assert sum(option.right for option in question.options) == 1
    assert len({option.says for option in question.options}) == len(question.options)
    assert len({option.text for option in question.options}) == len(question.options)
    boards = question.scene().board.values
    assert len(boards) == len(question.options) + 1
    assert "Right." not in boards[0]
    for option, board in zip(question.options, boards[1:], strict=True):
        assert ("✓ Right." in board) == option.right
        assert ("→ Not right." in board) != option.right


def test_the_right_answer_is_not_always_in_the_same_place():
    places = [[o.right for o in q.options].index(True) for q in QUESTIONS.values()]
    assert all(places.count(place) < 0.6 * len(places) for place in set(places))


@EACH
def test_mathematics_is_typeset(question):
    for board in question.scene().board.values:
        assert not re.search(r"\$|\\[a-z]", re.sub(r"<annotation.*?</annotation>", "", board))


@pytest.mark.parametrize("rights", [(), (True, True), (False, False), (True,)])
def test_a_question_has_two_options_or_more_and_one_right(rights):
    options = tuple(Option(str(n), right, "") for n, right in enumerate(rights))
    with pytest.raises(ValueError, match=r"options must be 2 to 6, one of them right; got"):
        Question("q", "00", "?", options)


def test_an_unknown_question_is_refused():
    with pytest.raises(ValueError, match="name must be one of same_functions"):
        oe.ask("nothing")


# --- cells ---


def ids(notebook):
    return [cell["id"] for cell in notebook.cells]


def test_cells_go_to_the_end_and_then_stay_where_they_are_put():
    notebook = new_notebook(cells=[new_markdown_cell("# Title", id="a")])
    refresh(notebook, "07")
    assert ids(notebook)[:2] == ["a", "heading-questions"]
    assert ids(notebook)[-1] == "ex-cure_of_the_stall-solution"
    question = next(c for c in notebook.cells if c["id"].startswith("q-"))
    notebook.cells.remove(question)
    notebook.cells.insert(0, question)
    moved = ids(notebook)
    refresh(notebook, "07")
    assert ids(notebook) == moved


def test_what_is_no_longer_declared_goes_and_the_lesson_stays():
    old = new_code_cell("oe.ask('old')", id="q-old", metadata={"tags": ["question"]})
    notebook = new_notebook(cells=[new_code_cell("1 + 1", id="mine"), old])
    refresh(notebook, "00")
    assert "q-old" not in ids(notebook)
    assert notebook.cells[0]["source"] == "1 + 1"


def test_a_changed_exercise_is_brought_up_to_date_in_place():
    notebook = new_notebook()
    refresh(notebook, "00")
    notebook.cells[-3]["source"] = "out of date"
    refresh(notebook, "00")
    assert notebook.cells[-3]["source"] == EXERCISES["product_of_layers"].stub


@pytest.mark.parametrize("name", EXERCISES)
def test_a_solution_is_folded_tagged_and_gives_the_stub_nothing_away(name):
    _, stub, check, solution = exercise_cells(name)
    assert solution["metadata"] == {"tags": ["solution"], "jupyter": {"source_hidden": True}}
    assert f"solution_of_{name}" in solution["source"]
    assert not re.search(rf"(?<!_of_)(?<!\")\b{name}\b", solution["source"])
    assert "..." in stub["source"]
    assert name in check["source"]


def test_the_command_writes_only_what_changed(tmp_path, capsys):
    path = tmp_path / "00_start.ipynb"
    nbformat.write(new_notebook(), path)
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "00_start.ipynb: refreshed\n00_start.ipynb: up to date\n"
