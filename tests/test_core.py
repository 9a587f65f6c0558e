"""The core alone, from the wheel: every lesson runs, and each other command says its extra."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
# Runs the cells of the lessons that came with the wheel, in a shell that shows as a notebook does.
LESSONS = """
import json, sys
from pathlib import Path
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
import overparam_edu

shell = InteractiveShell.instance(display_pub_class=CapturingDisplayPublisher)
for path in sorted((Path(overparam_edu.__file__).parent / "_notebooks").glob("[0-9]*.ipynb")):
    shell.reset()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"])).raise_error()
    print(path.stem)
bundles = [output["data"] for output in shell.display_pub.outputs]
print(sum("application/vnd.jupyter.widget-view+json" in bundle for bundle in bundles), "widgets")
"""
# Every exercise's own solution is right, every question can be asked.
CHECKS = """
import overparam_edu as oe
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS

for name in filter(lambda name: name.startswith("explore_"), oe.__all__):
    getattr(oe, name)(*[oe.derivations.warm_up()] * (name == "explore_derivation"))
for name in QUESTIONS:
    oe.ask(name)
for name, exercise in EXERCISES.items():
    if exercise.kind == "predict":
        oe.predict(name, exercise.reference)
    print(oe.check(name, exercise.reference).verdict)
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """The Python of an environment with the wheel and the core's packages, as the lock has them."""
    folder = tmp_path_factory.mktemp("core")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions = re.findall(r"^[a-z0-9].*?(?= \\$)", lock, flags=re.M)
    (folder / "constraints.txt").write_text("\n".join(versions), encoding="utf-8")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-compile",
        "-c",
        folder / "constraints.txt",
    ]
    done = subprocess.run([*install, *folder.glob("*.whl")], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"packages can't be installed here: {done.stderr[-300:]}")
    return python


def run(python, *words):
    """Return what a program says, away from the checkout."""
    environment = os.environ | {"PLOTLY_RENDERER": "plotly_mimetype", "MPLBACKEND": "agg"}
    where = Path(python).parent
    return subprocess.run(
        [python, *words], env=environment, cwd=where, capture_output=True, text=True
    )


def test_the_core_is_small(core):
    names = run(core, "-m", "pip", "list", "--format=freeze").stdout.lower().split()
    assert len(names) <= 45
    brought = {name.partition("==")[0].replace("_", "-") for name in names}
    assert "overparam-edu" in brought
    assert not brought & {"jupyterlab", "nbformat", "nbclient", "pooch", "requests", "tornado"}


def test_every_explorer_opens_and_every_exercise_is_judged(core):
    done = run(core, "-c", CHECKS)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"right"}


def test_every_lesson_runs_and_shows_its_figures(core):
    done = run(core, "-c", LESSONS)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    lessons = {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    assert lessons <= set(done.stdout.split())
    # A bare figure is a widget there, as Plotly's own way needs nbformat.
    assert int(re.search(r"(\d+) widgets", done.stdout)[1]) >= 5


@pytest.mark.parametrize(
    ("command", "extra"), [("lab", "lab"), ("present", "present"), ("pages --out x", "pages")]
)
def test_a_command_says_its_extra(core, command, extra):
    done = run(core, "-m", "overparam_edu.cli", *command.split())
    assert done.returncode == 2
    assert f'pip install "overparam-edu[{extra}]"' in done.stderr


def test_the_doctor_says_in_one_line_what_jupyterlab_needs(core):
    done = run(core, "-m", "overparam_edu.cli", "doctor")
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("BROKEN")] == [
        "widgets"
    ]
