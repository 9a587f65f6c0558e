"""The command line: what it says, what it copies, and that Lab really answers."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jupyterlab.commands import get_app_dir
from tornado.ioloop import IOLoop

from overparam_edu import cli
from overparam_edu.cli import lab, present
from overparam_edu.publish import FIRST_NOTEBOOK

ROOT = Path(__file__).resolve().parents[1]
NOTHING = lab.CopyReport(copied=(), updated=(), kept=(), outdated=())


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "package"
    (folder / "images").mkdir(parents=True)
    (folder / FIRST_NOTEBOOK).write_text("first", encoding="utf-8")
    (folder / "images" / "map.svg").write_text("map", encoding="utf-8")
    (folder / "overparam_edu_progress.jsonl").write_text("somebody's own", encoding="utf-8")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "old.ipynb").write_text("old", encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mine" / "lessons"


# --- copying ---


def test_a_first_copy_holds_everything_but_hidden_files(source, folder):
    report = lab.copy_notebooks(source, folder)
    assert report.copied == (FIRST_NOTEBOOK, "images/map.svg")
    assert (folder / "images" / "map.svg").read_text(encoding="utf-8") == "map"
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [lab.MANIFEST, FIRST_NOTEBOOK, "images"]
    )


def test_a_second_copy_touches_nothing_but_brings_back_what_was_deleted(source, folder):
    lab.copy_notebooks(source, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert lab.copy_notebooks(source, folder) == NOTHING
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    (folder / FIRST_NOTEBOOK).unlink()
    assert lab.copy_notebooks(source, folder) == NOTHING._replace(copied=(FIRST_NOTEBOOK,))


def test_a_changed_notebook_is_kept_through_every_later_version(source, folder):
    lab.copy_notebooks(source, folder)
    mine = folder / FIRST_NOTEBOOK
    mine.write_text("my notes", encoding="utf-8")
    assert lab.copy_notebooks(source, folder) == NOTHING._replace(kept=(FIRST_NOTEBOOK,))
    for edition in ("second", "third"):
        (source / FIRST_NOTEBOOK).write_text(edition, encoding="utf-8")
        assert lab.copy_notebooks(source, folder) == NOTHING._replace(outdated=(FIRST_NOTEBOOK,))
        assert mine.read_text(encoding="utf-8") == "my notes"


def test_an_untouched_copy_of_an_older_version_is_updated(source, folder):
    lab.copy_notebooks(source, folder)
    (source / FIRST_NOTEBOOK).write_text("second edition", encoding="utf-8")
    assert lab.copy_notebooks(source, folder) == NOTHING._replace(updated=(FIRST_NOTEBOOK,))
    assert (folder / FIRST_NOTEBOOK).read_text(encoding="utf-8") == "second edition"


RECORDS = [None, "not json", "[1]", '{"00_start_here.ipynb": 3}', "[" * 100_000]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: ascii(record)[:20])
def test_without_a_sound_record_every_difference_is_the_users(source, folder, record):
    lab.copy_notebooks(source, folder)
    (folder / FIRST_NOTEBOOK).write_text("first edition", encoding="utf-8")
    if record is None:
        (folder / lab.MANIFEST).unlink()
    else:
        (folder / lab.MANIFEST).write_text(record, encoding="utf-8")
    assert lab.copy_notebooks(source, folder).outdated == (FIRST_NOTEBOOK,)
    assert (folder / FIRST_NOTEBOOK).read_text(encoding="utf-8") == "first edition"


def test_a_link_stays_a_link(source, folder, tmp_path):
    lab.copy_notebooks(source, folder)
    mine, elsewhere = folder / FIRST_NOTEBOOK, tmp_path / "synchronised.ipynb"
    elsewhere.write_bytes(mine.read_bytes())
    mine.unlink()
    mine.symlink_to(elsewhere)
    (source / FIRST_NOTEBOOK).write_text("second", encoding="utf-8")
    assert lab.copy_notebooks(source, folder).updated == (FIRST_NOTEBOOK,)
    assert mine.is_symlink()
    assert elsewhere.read_text(encoding="utf-8") == "second"


# --- what it says ---


@pytest.fixture
def installed(source, monkeypatch):
    monkeypatch.setattr(lab, "own_checkout", lambda: None)
    monkeypatch.setattr(lab, "own_notebooks", lambda: source)
    return source


def test_it_says_what_it_did(installed, folder, capsys):
    assert lab.prepare(str(folder)) == (folder, FIRST_NOTEBOOK)
    assert capsys.readouterr().out == f"The notebooks are in {folder}\n  2 files copied\n"
    (folder / FIRST_NOTEBOOK).write_text("my notes", encoding="utf-8")
    (installed / "images" / "map.svg").write_text("new map", encoding="utf-8")
    lab.prepare(str(folder))
    said = capsys.readouterr().out
    assert "1 file updated, which you had not changed" in said
    assert f"kept as you changed them: {FIRST_NOTEBOOK}" in said


def test_without_a_checkout_the_folder_is_made_where_one_stands(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lab.prepare(None) == (tmp_path / lab.DEFAULT_FOLDER, FIRST_NOTEBOOK)


def test_a_checkout_is_used_as_it_is(source, tmp_path, capsys):
    (tmp_path / "pyproject.toml").touch()
    source.rename(tmp_path / "notebooks")
    assert lab.prepare(str(tmp_path)) == (tmp_path, f"notebooks/{FIRST_NOTEBOOK}")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / lab.MANIFEST).exists()


@pytest.mark.usefixtures("installed")
def test_a_folder_that_cannot_be_made_is_refused_plainly(tmp_path, capsys):
    (tmp_path / "taken").touch()
    assert cli.main(["lab", "--dir", str(tmp_path / "taken")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("overparam-edu: cannot put the notebooks into")
    assert "--dir" in said
    assert said.count("\n") == 1


def test_a_home_that_cannot_be_written_is_said_before_anything_is_done(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "taken").touch()
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "taken" / name))
    assert cli.main(["lab", "--no-browser", "--dir", str(tmp_path / "lessons")]) == 2
    said = capsys.readouterr().err
    assert "can't be written" in said
    assert lab.JUPYTER_ELSEWHERE in said
    assert not (tmp_path / "lessons").exists()


def test_a_full_disk_leaves_nothing_half_written(source, folder, monkeypatch):
    def full(self, _):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        lab.copy_notebooks(source, folder)
    assert list(folder.iterdir()) == []


DAMAGED = [
    "[" * 100_000,
    "",
    "{}",
    "[]",
    "3",
    '{"cells": 3}',
    '{"cells": [{}], "nbformat": 4}',
    '{"nbformat": 9}',
]


@pytest.mark.parametrize("text", [*DAMAGED, "\udcff"], ids=lambda text: ascii(text[:50]))
def test_a_damaged_notebook_is_said_plainly(text, tmp_path, capsys):
    path = tmp_path / "mine.ipynb"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert cli.main(["pages", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "mine.ipynb is damaged, or no notebook" in capsys.readouterr().err


STOPPED = {"claims": ["claims"], "pages": ["pages", str(ROOT / "notebooks" / FIRST_NOTEBOOK)]}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are otherwise elsewhere")
@pytest.mark.parametrize("name", STOPPED)
def test_ctrl_c_ends_a_command_in_a_word(name, tmp_path):
    words = [*STOPPED[name], *(["--out", str(tmp_path / "out")] if name == "pages" else [])]
    command = [sys.executable, "-u", "-m", "overparam_edu.cli", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as running:
        assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said.splitlines()[-1] == "overparam-edu: stopped"
    assert "Traceback" not in said


@pytest.mark.parametrize("below", ["", "joblib", "joblib/overparam_edu"])
def test_a_store_that_is_no_folder_is_said_plainly(below, tmp_path, capsys):
    store = tmp_path / "store"
    (store / below).parent.mkdir(parents=True, exist_ok=True)
    (store / below).write_text("in the way", encoding="utf-8")
    words = ["reproduce", "cars_l4", "--prefix", "3", "--store", str(store)]
    assert cli.main(words) == 2
    assert str(store) in capsys.readouterr().err


def test_the_address_of_a_presentation_holds_any_name(tmp_path, monkeypatch, capsys):
    path = tmp_path / "50 % of #1, why?.ipynb"
    path.write_text("{}", encoding="utf-8")

    class Server:
        def start(self):
            loop.run_sync(lambda: None)

    loop = IOLoop()
    monkeypatch.setattr(IOLoop, "current", lambda: loop)
    monkeypatch.setattr(present, "before_serving", lambda *_: None)
    monkeypatch.setattr(present, "_secret", lambda _: bytes(32))
    monkeypatch.setattr(present, "_server", lambda *_: Server())
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop may run in this thread
        assert apart.submit(cli.main, ["present", str(path), "--no-browser"]).result() == 0
    address = re.search(r"http://\S+", capsys.readouterr().out)[0]
    found = urllib.parse.urlsplit(address)
    assert urllib.parse.unquote(found.path) == f"/voila/render/{path.name}"
    assert found.query.startswith("token=")
    assert not found.fragment


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["lab"], "lab"),
        (["present"], "present"),
        (["pages", "--out", "never"], "pages"),
        (["assign", "02", "--out", "never"], "pages"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_says_which_extra_it_lacks(words, extra, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert f'pip install "overparam-edu[{extra}]"' in said
    assert sys.executable in said
    assert not Path("never").exists()


def test_a_port_in_use_is_said_plainly(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert cli.main(["lab", "--ip", "127.0.0.1", "--port", str(port)]) == 2
    assert f"cannot use port {port} on 127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], *([name] for name in cli.COMMANDS)])
def test_every_help_reads_well(words, capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main([*words, "--help"])
    assert leaving.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(" ".join(["usage: overparam-edu", *words]))
    for command in cli.COMMANDS.values() if not words else ():
        assert command.__doc__.splitlines()[0] in said


def test_every_option_has_a_help():
    for command in cli.COMMANDS.values():
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize("words", [[], ["dance"], ["lab", "--port", "many"]])
def test_a_wrong_command_leaves_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main(words)
    assert leaving.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert re.fullmatch(r"overparam-edu \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux's variables")
def test_without_a_display_no_browser_is_opened(monkeypatch, tmp_path):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    options = cli._parser().parse_args(["lab"])
    assert "--no-browser" in lab._lab_arguments(options, tmp_path, "a.ipynb")
    monkeypatch.setenv("DISPLAY", ":0")
    assert "--no-browser" not in lab._lab_arguments(options, tmp_path, "a.ipynb")


# --- Lab itself ---


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Lab, started as a student does, in a new home whose own "python3" kernel is a wrong one."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("lessons")
    (folder / "pyproject.toml").touch()
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / FIRST_NOTEBOOK).write_text("{}", encoding="utf-8")
    kernel = home / "data" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    wrong = {"argv": ["wrong-python"], "display_name": "wrong", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(wrong), encoding="utf-8")
    environment = {name: v for name, v in os.environ.items() if not name.startswith("JUPYTER")}
    environment |= {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_PREFER_ENV_PATH": "0",  # as for a Python outside any virtual environment
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "overparam_edu.cli", "lab", "--no-browser"]
    with (home / "errors").open("w") as errors:
        process = subprocess.Popen(
            [*command, "--dir", str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        # The address is printed once the port is open; the line after it is the last.
        said = [process.stdout.readline() for _ in range(3)]
        yield "".join(said), (home / "errors")
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def _address(said):
    found = re.search(r"^    (http://127\.0\.0\.1:\d+/)lab/tree/(\S+)\?token=(\w+)$", said, re.M)
    assert found, f"no address in: {said}"
    return found.groups()


def _get(said, path):
    base, _, token = _address(said)
    request = urllib.request.Request(base + path, headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


@pytest.mark.slow
def test_lab_answers_at_the_printed_address_on_the_first_notebook(running):
    said, errors = running
    notebook = _address(said)[1]
    assert notebook == f"notebooks/{FIRST_NOTEBOOK}"
    assert "<title>JupyterLab</title>" in _get(said, f"lab/tree/{notebook}")
    assert _get(said, f"api/contents/{notebook}?content=0")
    assert "JupyterLab is running" in said
    assert "Ctrl-C" in said
    assert errors.read_text(encoding="utf-8") == ""


@pytest.mark.slow
def test_lab_asks_nothing_of_other_machines(running):
    page = _get(running[0], "lab")
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.S)
    config = json.loads(found.group(1))
    assert config["news"] == {"disabled": True}
    assert lab.NEWS in config["disabledExtensions"]  # nor does it ask the reader about news
    assert _get(running[0], "lab/api/update") == '{"notification": null}'
    manager = json.loads(_get(running[0], "lab/api/extensions?query=&page=1&per_page=1&refresh=0"))
    assert isinstance(manager, list)


@pytest.mark.slow
def test_the_kernel_is_of_this_interpreter_whatever_the_home_says(running):
    specs = json.loads(_get(running[0], "api/kernelspecs"))
    assert specs["default"] == "python3"
    assert specs["kernelspecs"]["python3"]["spec"]["display_name"] != "wrong"


def test_the_news_question_is_the_plugin_that_is_off():
    """The one of Lab's own files that asks it names this plugin."""
    static = Path(get_app_dir()) / "static"
    asking = [
        text
        for path in static.glob("*.js")
        if "get notified about official Jupyter news" in (text := path.read_text("utf-8"))
    ]
    assert asking
    assert all(lab.NEWS in text for text in asking)
    page = lab.without_news(None, {"disabledExtensions": ["other"], "appName": "Lab"})
    assert page == {"disabledExtensions": ["other", lab.NEWS], "appName": "Lab"}


def test_the_workflow_publishes_what_the_command_writes():
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    words = re.search(r"run: .*overparam-edu (pages .*)", text).group(1).split()
    assert f"path: {cli._parser().parse_args(words).out}\n" in text
