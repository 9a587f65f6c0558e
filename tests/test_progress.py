"""`overparam-edu progress`: many students' files in one table."""

from __future__ import annotations

import csv

import pytest

from overparam_edu import cli
from overparam_edu.classroom.exercise import Feedback
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.progress import FILE, Progress
from overparam_edu.classroom.questions import QUESTIONS

ONE, OTHER = [name for name, exercise in EXERCISES.items() if exercise.kind == "write"][::3][:2]
COUNTS = [
    sum(item.notebook == f"{number:02}" for item in (*EXERCISES.values(), *QUESTIONS.values()))
    for number in range(12)
]


def _hand_in(path, *names, question=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = Progress()
    for name in names:
        mine.note(Feedback(name, "right", ""))
    if question:
        mine.answer(question.name, "A", True)
    mine.note(Feedback(next(reversed(EXERCISES)), "not yet", ""))  # tried, not done
    mine.note(Feedback("of another edition", "right", ""))
    mine.save(path)
    return mine


def _rows(said):
    return {line.split()[0]: line.split()[1:] for line in said.splitlines()}


def test_one_row_a_student_and_one_column_a_lesson(tmp_path, capsys):
    question = next(iter(QUESTIONS.values()))
    mine = _hand_in(tmp_path / "anna.json", ONE, OTHER, question=question)
    _hand_in(tmp_path / "Jörg" / FILE, ONE)
    _hand_in(tmp_path / "Jörg" / "overparam_edu_progress (1).jsonl", OTHER)
    assert cli.main(["progress", str(tmp_path), "--csv", str(tmp_path / "class.csv")]) == 0
    rows = _rows(capsys.readouterr().out)
    assert rows.pop("student") == [*(f"{number:02}" for number in range(12)), "all", "last"]
    assert set(rows) == {"anna", "Jörg"}
    done = dict.fromkeys(("anna", "Jörg"))
    for student in done:
        done[student] = [0] * len(COUNTS)
        for name in (ONE, OTHER):
            done[student][int(EXERCISES[name].notebook)] += 1
    done["anna"][int(question.notebook)] += 1
    for student, some in done.items():
        pairs = zip([*some, sum(some)], [*COUNTS, sum(COUNTS)], strict=True)
        assert rows[student] == [*(f"{s}/{count}" for s, count in pairs), mine.last]
    with open(tmp_path / "class.csv", encoding="utf-8-sig", newline="") as file:
        head, *table = csv.reader(file)
    assert head[1] == f"lesson 00 (of {COUNTS[0]})"
    assert head[-2:] == [f"all (of {sum(COUNTS)})", "last"]
    for student, *cells in table:
        assert cells == [*map(str, done[student]), str(sum(done[student])), mine.last]


def test_a_broken_file_is_named_and_stops_nothing(tmp_path, capsys):
    _hand_in(tmp_path / "anna.jsonl", ONE)
    for name, content in {"a.json": b"{", "b.jsonl": b"[" * 99_999, "c.json": b"\xff\x00"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d.json").mkdir()
    (tmp_path / "homework.txt").write_text("not asked")
    assert cli.main(["progress", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert len(_rows(said.out)) == 2
    for name in ("a.json", "b.jsonl", "c.json"):
        assert str(tmp_path / name) in said.err
    assert said.err.count("not counted") == 4
    assert (tmp_path / "a.json").read_bytes() == b"{"


def test_a_name_is_no_formula_and_no_escape(tmp_path, capsys):
    _hand_in(tmp_path / "=1+1.json", ONE)
    _hand_in(tmp_path / "a\x1b[2J.json", ONE)
    assert cli.main(["progress", str(tmp_path), "--csv", str(tmp_path / "class.csv")]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert "\n'=1+1," in (tmp_path / "class.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("inside", ["", "nowhere"])
def test_nothing_to_read_is_said(tmp_path, inside, capsys):
    assert cli.main(["progress", str(tmp_path / inside)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_a_table_that_cannot_be_written_is_said(tmp_path, capsys):
    _hand_in(tmp_path / "anna.jsonl", ONE)
    assert cli.main(["progress", str(tmp_path), "--csv", str(tmp_path)]) == 2
    assert f"cannot write {tmp_path}" in capsys.readouterr().err
