"""`overparam-edu doctor`: each line when all is well, and what it says when something is not."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys

import pytest

from overparam_edu import cli
from overparam_edu.classroom import setup
from overparam_edu.cli import doctor, lab
from overparam_edu.cli.command import CommandError
from overparam_edu.experiments import datasets
from overparam_edu.player import page


def found(name):
    return doctor.CHECKS[name]()


def _without(monkeypatch, module):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == module else real(n))


def _fail(problem):
    def raises(*_, **__):
        raise problem

    return raises


# --- what matters ---


def test_which_versions_fit():
    for here in ("8.1", "8.1.0", "8.9.9", "8.2.0rc1", "8.4+"):
        assert setup.fits(here, ">=8.1.0,<9"), here
    for here in ("8.0.9", "9.0", "9.0rc1", "10.1"):
        assert not setup.fits(here, ">=8.1.0,<9"), here
    assert [row for row in setup.installed() if not row.fits] == []


@pytest.mark.parametrize(
    ("row", "words", "remedy"),
    [
        (("plotly", "5.0", ">=6.1,<8"), "plotly is 5.0, should be >=6.1,<8", "'plotly>=6.1,<8'"),
        (("anywidget", "", ">=0.9,<1"), "anywidget is missing", "pip install 'anywidget>=0.9,<1'"),
        (("python", "3.9", ">=3.11"), "python is 3.9", "newer Python"),
    ],
)
def test_a_version_out_of_range(row, words, remedy, monkeypatch):
    rows = [setup.Installed(*row, False), setup.Installed("numpy", "2.0", ">=1", True)]
    monkeypatch.setattr(setup, "installed", lambda _: rows)
    line = found("versions")
    assert line.matters
    assert words in line.words
    assert remedy in line.remedy
    assert "numpy" not in line.words


@pytest.mark.parametrize(
    ("names", "off", "words", "remedy"),
    [
        (["anywidget"], [], "does not find ipywidgets", "pip install --force-reinstall ipywidgets"),
        ([], [], "does not find ipywidgets and anywidget", "ipywidgets anywidget"),
        (list(doctor.WIDGETS), ["anywidget"], "anywidget is off", "labextension enable anywidget"),
        (list(doctor.WIDGETS), {"anywidget:plugin": True}, "anywidget is off", "enable"),
    ],
)
def test_widgets_that_are_missing_or_off(names, off, words, remedy, monkeypatch):
    settings = {
        "federated_extensions": [{"name": name} for name in names],
        "disabledExtensions": off,
    }
    monkeypatch.setattr("jupyterlab_server.config.get_page_config", lambda *_: settings)
    line = found("widgets")
    assert line.matters
    assert words in line.words
    assert remedy in line.remedy


def test_with_the_core_alone_one_line_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    real, absent = importlib.util.find_spec, {"jupyterlab", "jupyter_core", "jupyterlab_server"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in absent else real(n))
    monkeypatch.setattr(setup.metadata, "version", _only_the_core(setup.metadata.version))
    monkeypatch.setattr(doctor, "jupyter_folders", _fail(ModuleNotFoundError("jupyter_core")))
    lines = {name: found(name) for name in ("versions", "widgets", "folders")}
    assert [name for name, line in lines.items() if line.matters] == ["widgets"]
    assert lines["widgets"].remedy.endswith('pip install "overparam-edu[lab]"')
    assert "Jupyter" not in lines["folders"].words


def _only_the_core(version):
    def of(name):
        if name.replace("_", "-") in {"jupyterlab", "jupyter-core", "jupyterlab-server"}:
            raise setup.metadata.PackageNotFoundError(name)
        return version(name)

    return of


@pytest.mark.parametrize("content", [None, "/* plotly.js v2.35.2 */", "cut off"])
def test_plotly_js_that_is_missing_or_old(content, monkeypatch, tmp_path):
    (tmp_path / "package_data").mkdir()
    if content:
        (tmp_path / "package_data" / "plotly.min.js").write_text(content, encoding="utf-8")
    monkeypatch.setattr(doctor.resources, "files", lambda _: tmp_path)
    assert found("plotly.js").matters
    assert "reinstall" in found("plotly.js").remedy


@pytest.mark.parametrize(
    ("owner", "name", "problem"),
    [
        (doctor, "own_notebooks", CommandError("no notebooks")),
        (page, "player_script", FileNotFoundError("player.js")),
        (datasets, "load_auto_mpg", FileNotFoundError("auto_mpg.csv")),
    ],
)
def test_something_that_lessons_read_is_gone(owner, name, problem, monkeypatch):
    monkeypatch.setattr(owner, name, _fail(problem))
    assert found("offline").matters
    assert str(problem) in found("offline").words


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "taken").touch()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "taken" / "data"))
    line = found("folders")
    assert line.matters
    assert str(tmp_path / "taken") in line.words
    assert line.remedy == lab.JUPYTER_ELSEWHERE  # another folder for the lessons would not help
    monkeypatch.setattr(doctor, "own_checkout", lambda: tmp_path / "taken" / "lessons")
    assert found("folders").remedy.endswith(
        f"`overparam-edu lab --dir FOLDER`; {lab.JUPYTER_ELSEWHERE}"
    )


# --- what a class can do without ---


def test_a_slider_that_is_slow_or_not_measured_or_asks_another_host(monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.setattr(doctor, "find_browser", lambda: "browser")
    monkeypatch.setattr(doctor, "_measured", lambda _: ([10.0], ["https://example.org/a.js"]))
    assert found("slider").matters
    assert "https://example.org/a.js" in found("slider").words
    monkeypatch.setattr(doctor, "_measured", lambda _: ([20.0, 240.0, 260.0], []))
    assert found("slider").words.startswith("240 ms")
    assert "close other programs" in found("slider").remedy
    monkeypatch.setattr(doctor, "_measured", _fail(RuntimeError("it crashed\nat once")))
    assert found("slider").words == "not measured: it crashed"
    monkeypatch.setattr(doctor, "find_browser", lambda: None)
    assert found("slider").words == "not measured: no Chrome or Chromium"
    _without(monkeypatch, "playwright")
    assert found("slider").words == "not measured: playwright is not installed"
    assert not found("slider").matters


def test_the_browser_that_is_named_goes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("OVERPARAM_EDU_BROWSER", str(tmp_path / "none"))
    assert doctor.find_browser() is None
    monkeypatch.setenv("OVERPARAM_EDU_BROWSER", sys.executable)
    assert doctor.find_browser() == sys.executable


def test_the_gas_data_are_missing_damaged_or_there(monkeypatch, tmp_path):
    monkeypatch.setenv(datasets.CACHE_VARIABLE, str(tmp_path))
    assert f"not in {tmp_path}" in found("data cache").words
    assert "load_gas_ethanol" in found("data cache").remedy
    archive = datasets.cached_archive()
    archive.write_bytes(b"half of it")
    assert f"{archive} is damaged" in found("data cache").words
    monkeypatch.setattr("pooch.file_hash", lambda _: datasets.UCI_270.sha256)
    assert found("data cache") == doctor.Diagnosis(f"the gas data are in {archive}")


NEEDED = [
    ("widgets", "jupyterlab", "lab"),
    ("data cache", "pooch", "data"),
    ("presenter", "voila", "present"),
    ("pictures", "choreographer", "export"),
    ("pictures", "PIL", "export"),
]


@pytest.mark.parametrize(("name", "module", "extra"), NEEDED)
def test_a_package_that_only_some_commands_need(name, module, extra, monkeypatch):
    _without(monkeypatch, module)
    assert found(name).remedy.endswith(f'pip install "overparam-edu[{extra}]"')
    assert found(name).matters == (extra == "lab")


def test_a_port_that_is_taken(monkeypatch):
    with socket.create_server((doctor.HERE, 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(doctor, "PORT", port)
        assert f"cannot use port {port}" in found("port").words
        assert f"--port {port + 1}" in found("port").remedy
    assert found("port").remedy == ""


def test_what_it_prints_and_how_it_ends(monkeypatch, capsys):
    good, small = doctor.Diagnosis("all is well"), doctor.Diagnosis("slow", "wait")
    monkeypatch.setattr(doctor, "CHECKS", {"one": lambda: good, "two": lambda: small})
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=2) == ["ok", "one", "all is well"]
    assert lines[1].split(maxsplit=2) == ["note", "two", "slow. Better: wait"]
    assert lines[-1] == "Ready for class."
    doctor.CHECKS["three"] = lambda: doctor.Diagnosis("gone", "get it", True)
    doctor.CHECKS["four"] = _fail(KeyError("surprise"))
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split(maxsplit=2) == ["BROKEN", "three", "gone. To fix: get it"]
    assert "could not be checked: KeyError: 'surprise'" in lines[3]
    assert lines[-1] == "Not ready: fix what is BROKEN (2)."


@pytest.mark.slow
def test_this_machine_is_ready(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "overparam_edu.cli", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line[8:].split("  ")[0] for line in lines[:-1]] == list(doctor.CHECKS)
    assert lines[-1] == "Ready for class."
    assert re.search(r"slider +(\d+ ms from hand to picture|not measured)", done.stdout)
