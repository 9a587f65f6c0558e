"""What the instructor guide, README and the map in notebook 00 say agrees with the lessons."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from overparam_edu.classroom.exercise import examine
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "instructor_guide.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LESSONS = {path.name[:2]: path for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}


def text_of(number):
    cells = nbformat.read(LESSONS[number], as_version=4).cells
    return "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")


def test_readme_has_each_lesson_with_its_own_minutes_and_the_map_the_same_rows():
    rows = re.findall(r"\| \[(\w+)\]\(notebooks/\1\.ipynb\) \| (.*) \| (\d+) \|", README)
    assert [name for name, *_ in rows] == [LESSONS[f"{n:02}"].stem for n in range(12)]
    for name, _, minutes in rows:
        assert f"**Time** {minutes} minutes" in text_of(name[:2]), name
    there = re.findall(r"\| \[(\d\d) [^]]*\]\(\w+\.ipynb\) \| (.*) \| (\d+) \|", text_of("00"))
    assert there == [(name[:2], *row) for name, *row in rows[1:]]


def test_every_exercise_and_question_named_exists():
    named = {word for word in re.findall(r"`([a-z_]+)`", GUIDE) if "_" in word or word == "fold"}
    assert named <= {*EXERCISES, *QUESTIONS}
    for number, name in re.findall(r"\b([01]\d) `([a-z_]+)`", GUIDE):
        assert (EXERCISES.get(name) or QUESTIONS[name]).notebook == number, name


def test_every_letter_is_the_right_one():
    given = dict(re.findall(r"`(\w+)` ([A-F])\b(?=[,\s])", GUIDE.split("| lesson | right |")[1]))
    right = {
        name: "ABCDEF"[[option.right for option in question.options].index(True)]
        for name, question in QUESTIONS.items()
    }
    assert given == right


def test_the_values_given_pass_the_checks():
    cells = re.findall(r"0\d `(\w+)` \| (?:about )?([\d.]+|[A-F]) (?=\|)", GUIDE)
    assert len(cells) == 6
    for name, value in cells:
        answer = value if value.isalpha() else float(value)
        assert examine(EXERCISES[name], answer).verdict == "right", name


def test_every_lesson_has_a_prediction_to_ask_for():
    table = GUIDE.split("## What to ask before each slider")[1].split("\n## ")[0]
    assert {f"{n:02}" for n in range(12)} <= set(re.findall(r"^\| (\d\d) ", table, re.M))
