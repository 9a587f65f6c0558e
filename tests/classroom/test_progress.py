"""Progress in its file: merged, killed, torn, foreign, without room, and shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from overparam_edu.classroom import progress as module
from overparam_edu.classroom.exercise import Feedback
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.progress import FILE, Progress, read
from overparam_edu.classroom.questions import QUESTIONS
from overparam_edu.cli import present
from overparam_edu.publish import pages

RIGHT, WRONG = Feedback("fold", "right", ""), Feedback("fold", "not yet", "")
# Two kernels: each notes wrong answers to its exercise, and says how many it has noted.
KERNEL = """
import sys
from pathlib import Path
from overparam_edu.classroom.exercise import Feedback
from overparam_edu.classroom.progress import Progress
mine = Progress(Path(sys.argv[1]))
for count in range(1, int(sys.argv[3]) + 1):
    mine.note(Feedback(sys.argv[2], "not yet", ""))
    print(count, mine.trouble, flush=True)
"""
on_posix = pytest.mark.skipif(os.name != "posix", reason="as POSIX has it")
not_as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="no folder is closed to root"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE


def _kernel(path, name, count, before=""):
    return subprocess.Popen(
        [sys.executable, "-c", before + KERNEL, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _wrong(path, name="fold"):
    return Progress(path).keep().tries(name)


# --- one file, whichever kernels write it ---


def test_it_is_the_same_in_another_kernel_and_after_a_restart(path):
    one, other = Progress(path).keep(), Progress(path).keep()
    one.note(WRONG)
    other.note(Feedback("largest_rate", "right", ""))
    one.foresee("width_factor", 3.5)
    other.answer("same_functions", "B", True)
    for mine in (one.keep(), other.keep(), Progress(path).keep()):
        assert mine.exercises == {
            "fold": {"verdict": "not yet", "tries": 1, "ever_right": False},
            "largest_rate": {"verdict": "right", "tries": 0, "ever_right": True},
        }
        assert mine.predictions == {"width_factor": 3.5}
        assert mine.questions == {"same_functions": {"answer": "B", "ever_right": True}}


@pytest.mark.slow
def test_two_kernels_at_once_lose_nothing(path):
    kernels = [_kernel(path, name, 50) for name in ("fold", "largest_rate")]
    for kernel in kernels:
        assert kernel.communicate()[0].split() == [str(n) for n in range(1, 51)]
    assert (_wrong(path, "fold"), _wrong(path, "largest_rate")) == (50, 50)
    assert len(path.read_bytes().split()) >= 100


def test_what_the_file_lost_is_written_again(path):
    mine = Progress(path)
    mine.note(WRONG)
    path.unlink()
    mine.note(WRONG)
    assert _wrong(path) == 2


def test_the_last_prediction_counts_even_where_a_clock_was_ahead(path):
    mine = Progress(path)
    mine.foresee("width_factor", 1)
    path.write_text(path.read_text().replace('"at": "2', '"at": "3'))
    mine = Progress(path).keep()
    mine.foresee("width_factor", 2)
    assert Progress(path).keep().predictions == {"width_factor": 2}


# --- what goes wrong while it is written ---


@pytest.mark.slow
@on_posix
def test_a_kernel_that_is_killed_loses_the_last_answer_at_most(path):
    kernel = _kernel(path, "fold", 10**6)
    told = [kernel.stdout.readline() for _ in range(20)]
    time.sleep(0.02)
    os.kill(kernel.pid, signal.SIGKILL)
    noted = int((told + kernel.communicate()[0].splitlines(keepends=True))[-1])
    assert 20 <= noted <= _wrong(path) <= noted + 1
    _kernel(path, "fold", 1).communicate()
    assert _wrong(path) >= noted + 1


def test_a_line_cut_short_anywhere_harms_no_other(path, capsys):
    Progress(path).note(WRONG)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole + whole[: length + 1])
        mine = Progress(path)
        mine.note(WRONG)
        assert _wrong(path) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@on_posix
def test_a_full_disk_is_said_once_and_nothing_is_lost(path, capfd):
    # Files may not grow beyond 700 bytes: of the line that passes that, a part is written.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
    said = _kernel(path, "fold", 9, limit).communicate()[0]
    assert said.count("remember it until their kernel stops") == 1 + 9 - _wrong(path)  # trouble
    assert path.stat().st_size == 700
    before = _wrong(path)
    assert 2 <= before < 9
    Progress(path).note(WRONG)
    assert _wrong(path) == before + 1


@on_posix
def test_a_full_disk_is_said_in_plain_words(capsys):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    mine = Progress(Path("/dev/full"))
    mine.note(WRONG)
    mine.note(WRONG)
    said = capsys.readouterr().out
    assert said.startswith("Your progress can't be kept in /dev/full: No space left on device. ")
    assert said.count("\n") == 1
    assert mine.tries("fold") == 2
    assert mine.trouble in repr(mine)
    with pytest.raises(OSError, match="No space left"):
        mine.save("/dev/full")


def test_what_was_only_remembered_is_written_once_it_can_be(tmp_path, capsys):
    (tmp_path / "room").write_text("a file where a folder should be")
    mine = Progress(tmp_path / "room" / FILE)
    mine.note(WRONG)
    assert "can't be kept" in capsys.readouterr().out
    (tmp_path / "room").unlink()
    mine.note(RIGHT)
    assert mine.trouble == ""
    assert _wrong(mine.path) == 1


@not_as_root
@on_posix
def test_a_folder_that_is_read_only_is_said_and_lessons_go_on(path, capsys):
    path.parent.chmod(0o500)
    mine = Progress(path)
    mine.note(WRONG)
    path.parent.chmod(0o700)
    assert mine.tries("fold") == 1
    assert "Permission denied" in capsys.readouterr().out


# --- files that are not as we left them ---

NEWER = json.dumps({"overparam_edu_progress": 3, "id": "x"})
FOREIGN = (b"my notes", b"[1]", b"null", b'{"a": 1}', b"\x00" * 99, b"\xff\xfe{\x00}\x00")
DEEP = b"[" * 200_000, b'{"overparam_edu_progress": ' * 200_000, b"[" * 9000 + b"]" * 9000


@pytest.mark.parametrize("content", [*FOREIGN, *DEEP[::2], b"9" * 9999])
def test_a_foreign_file_is_kept_aside_and_said_so(path, content, capsys):
    aside = [path.with_name(f"{path.stem}_aside_{n}.jsonl") for n in (1, 2)]
    for kept in aside:
        path.write_bytes(content)
        Progress(path).note(RIGHT)
        assert kept.read_bytes() == content
        said = capsys.readouterr().out
        assert f"it is now {kept.name}. Nothing in it could be read." in said
        assert Progress(path).keep().exercises["fold"]["ever_right"]
    assert len(list(path.parent.iterdir())) == 3


@pytest.mark.parametrize("content", [*FOREIGN, *DEEP, NEWER.encode()])
def test_among_lines_of_ours_others_stay_where_they_are(path, content, capsys):
    Progress(path).note(WRONG)
    path.write_bytes(content + b"\n" + path.read_bytes())
    mine = Progress(path)
    mine.note(WRONG)
    mine.note(WRONG)
    assert path.read_bytes().startswith(content)
    assert _wrong(path) == 3
    said = capsys.readouterr().out
    why = "a newer overparam-edu wrote" if b'3, "id"' in content else "can't be read"
    assert why in said or content == DEEP[1]  # which looks like a line cut short
    assert [p.name for p in path.parent.iterdir()] == [FILE]


def test_a_newer_file_is_added_to_and_never_taken_away(path, capsys):
    path.write_text(NEWER)
    Progress(path).note(RIGHT)
    assert path.read_text().startswith(NEWER)
    assert capsys.readouterr().out == (
        f"Left as it is in {path}: 1 line that a newer overparam-edu wrote.\n"
    )


def test_an_editor_may_add_its_mark_and_its_ends_of_lines(path, capsys):
    mine = Progress(path)
    mine.note(WRONG)
    mine.note(WRONG)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    Progress(path).note(WRONG)
    assert _wrong(path) == 3
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "change",
    [
        *({"tries": -1}, {"tries": "1"}, {"verdict": "perfect"}, {"verdict": 3}, {"exercise": 3}),
        *({"ever_right": 1}, {"ever_right": None}, {"id": 3}, {"at": "now"}, {"at": 3}),
        *({"at": "2026-11-26"}, {"overparam_edu_progress": "2"}),
    ],
)
def test_a_line_that_is_not_sound_counts_nothing(path, change):
    mine = Progress(path)
    mine.note(WRONG)
    event = json.loads(path.read_text())
    with path.open("a") as file:
        file.write("\n" + json.dumps(event | {"id": "other"} | change))
    assert _wrong(path) == 1
    assert read(path).unread == 1


@pytest.mark.parametrize("value", ["NaN", "1e999", "1" * 400, "null", "[1]"])
def test_a_prediction_that_is_no_number_counts_nothing(path, value):
    Progress(path).foresee("width_factor", 0.125)
    path.write_text(path.read_text().replace("0.125", value))
    assert read(path).events == {}


@on_posix
def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.jsonl", tmp_path / FILE
    link.symlink_to(real)
    for content in (None, b"my notes"):
        if content:
            real.write_bytes(content)
        Progress(link).note(RIGHT)
        assert link.is_symlink()
        assert read(real).events
    assert (tmp_path / "real_aside_1.jsonl").read_bytes() == b"my notes"


# --- in real kernels ---

CHECK = 'oe.check("cure_of_the_stall", "B")'
ASK = 'shown = oe.ask("same_functions"); print(f"chosen: {shown.chosen!r}")'


def _run(folder, *cells):
    """Return what the last cell prints, in a new kernel of a notebook in this folder."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("import overparam_edu as oe", *cells)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    return "".join(output.get("text", "") for output in notebook.cells[-1].outputs)


@pytest.mark.slow
def test_one_lesson_knows_what_was_done_in_another(tmp_path, monkeypatch):
    monkeypatch.delenv(module.PLACE)
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    answered = 'shown.set_state({"chosen": "B"})'
    _run(tmp_path, CHECK, 'oe.predict("width_factor", 1)', ASK, answered)
    said = _run(tmp_path, "print(oe.progress()); " + ASK)
    mine = read(tmp_path / FILE)
    assert len(mine.events) == 3
    assert said.count("●") == 3 + 1  # one of them in the legend
    assert "chosen: 'B'" in said
    assert str(tmp_path / FILE) in said


@pytest.mark.slow
def test_what_is_published_shows_and_keeps_nobodys_answers(tmp_path, monkeypatch):
    monkeypatch.setenv(module.PLACE, str(tmp_path))
    Progress(module._place()).answer("same_functions", "A", False)
    before = (tmp_path / FILE).read_bytes()
    notebook = tmp_path / "a.ipynb"
    cells = [nbformat.v4.new_code_cell(f"import overparam_edu as oe; {CHECK}; {ASK}")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop may run in this thread
        assert "chosen: ''" in nbformat.writes(apart.submit(pages.executed, notebook).result())
    assert (tmp_path / FILE).read_bytes() == before
    pytest.importorskip("voila")
    monkeypatch.setenv("JUPYTER_PATH", "")
    present._server(notebook, 0, b"x" * 32, "token", "")
    assert os.environ[module.PLACE] == os.devnull


# --- files of one's own choice ---


def test_saving_adds_to_a_file_and_loading_adds_what_it_holds(tmp_path, path):
    file = tmp_path / "mine.json"
    for name in ("fold", "largest_rate"):
        mine = Progress()
        mine.note(Feedback(name, "right", ""))
        assert mine.save(file) == file
    again = Progress(path).load(file).load(file)
    assert set(again.exercises) == {"fold", "largest_rate"}
    assert read(path).events == read(file).events
    assert {p.name for p in tmp_path.iterdir()} == {FILE, "mine.json"}


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    mine = Progress()
    mine.note(RIGHT)
    assert mine.save("~/mine.jsonl") == tmp_path / "mine.jsonl"
    assert Progress().load("~/mine.jsonl").exercises == mine.exercises


def test_what_is_known_here_comes_after_what_is_loaded(tmp_path):
    old, new = Progress(), Progress()
    old.note(WRONG)
    old.save(tmp_path / "old")
    time.sleep(0.002)
    new.note(RIGHT)
    entry = {"verdict": "right", "tries": 1, "ever_right": True}
    assert new.load(tmp_path / "old").exercises == {"fold": entry}


def _first(**changes):
    entry = {"verdict": "not yet", "tries": 3, "ever_right": True}
    document = {"exercises": {"fold": entry}, "predictions": {"width_factor": 3.5}}
    return json.dumps({"overparam_edu_progress": 1} | document | changes, indent=1)


def test_a_file_of_the_first_edition_is_taken_over(path, capsys):
    path.write_text(_first(), encoding="utf-8-sig")
    for mine in (Progress().load(path).load(path), Progress(path).keep(), Progress(path).keep()):
        entry = {"verdict": "not yet", "tries": 3, "ever_right": True}
        assert mine.exercises == {"fold": entry}
        assert mine.predictions == {"width_factor": 3.5}
    assert "What it says is taken over." in capsys.readouterr().out
    assert path.with_name(f"{path.stem}_aside_1.jsonl").read_text("utf-8-sig") == _first()


@pytest.mark.parametrize(
    "content",
    [
        *FOREIGN,
        *DEEP,
        b"",
        NEWER.encode(),
        *(_first(exercises=[]).encode(), _first(predictions=3).encode()),
        _first(overparam_edu_progress=99).encode(),
        _first(exercises={"fold": {"verdict": "right", "tries": 0, "ever_right": "yes"}}).encode(),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_changes_nothing(tmp_path, content):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    mine = Progress()
    mine.note(RIGHT)
    before = mine.exercises
    with pytest.raises(ValueError, match=r"path must be a file that .* wrote; got"):
        mine.load(path)
    assert mine.exercises == before
    assert path.read_bytes() == content
    with pytest.raises(FileNotFoundError):
        mine.load(tmp_path / "none.json")


# --- where it is, and what it shows ---


def test_it_lies_beside_the_notebook_or_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv(module.PLACE)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert module._place() == tmp_path / FILE
    (tmp_path / "lessons").mkdir()
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "lessons" / "05.ipynb"))
    assert module._place() == tmp_path / "lessons" / FILE
    monkeypatch.setenv(module.PLACE, str(tmp_path / "mine.txt"))
    assert module._place() == tmp_path / "mine.txt"
    monkeypatch.setenv(module.PLACE, str(tmp_path))
    assert module._place() == tmp_path / FILE
    monkeypatch.setenv(module.PLACE, os.devnull)
    assert module._place() is None


def test_it_shows_the_whole_course_and_says_where_it_is(path):
    mine = Progress(path)
    names = [e.name for e in EXERCISES.values() if e.notebook == "01" and e.kind != "predict"]
    mine.note(Feedback(names[0], "right", ""))
    mine.note(Feedback(names[1], "not yet", ""))
    asked = [question.name for question in QUESTIONS.values() if question.notebook == "01"]
    mine.answer(asked[0], "A", False)
    [guess] = [e.name for e in EXERCISES.values() if e.notebook == "01" and e.kind == "predict"]
    mine.foresee(guess, 1)
    rows = mine.table()
    assert [row.number for row in rows] == [f"{number:02}" for number in range(12)]
    assert rows[1][1:] == ("●◐" + "○" * (len(names) - 2), "●", "◐" + "○" * (len(asked) - 1))
    assert set("".join(row.signs for row in rows[2:])) == {"○"}
    assert sum(len(row.signs) for row in rows) == len(EXERCISES) + len(QUESTIONS)
    for text in (repr(mine), mine._repr_html_()):
        assert f"1 of {len(names)} ●◐" in text
        assert "● done, ◐ tried, ○ open" in text
        assert str(path) in text
    assert "forgotten when the kernel stops" in repr(Progress())


def test_a_place_can_not_break_the_page(tmp_path):
    place = tmp_path / "<b>&"
    assert "<b>" not in Progress(place)._repr_html_()
