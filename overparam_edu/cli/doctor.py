"""Check this machine before a class, and say how to fix it.

One line each for versions, widgets, what works without a network, the speed of a slider in a real
browser, the data cache, the presenter and the folders. Exit code 1 if something that a class needs
is broken.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from overparam_edu.cli.command import CommandError, check_port
from overparam_edu.cli.lab import (
    DEFAULT_FOLDER,
    JUPYTER_ELSEWHERE,
    jupyter_folders,
    own_notebooks,
    unwritable,
)
from overparam_edu.cli.present import HERE, PORT
from overparam_edu.publish import lesson_notebooks, own_checkout

# Labextensions that draw the lessons, and what installs them.
WIDGETS = {"@jupyter-widgets/jupyterlab-manager": "ipywidgets", "anywidget": "anywidget"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PATIENT = 0.1  # seconds from key to picture that nobody notices
# Moves the first slider 21 times, each time until the next picture is there; in milliseconds.
_MOVES = """async () => {
    const root = document.querySelector('.oe-player'), times = [];
    const input = [...root.querySelectorAll('input[type=range]')].find(one => Number(one.max));
    const frame = () => new Promise(requestAnimationFrame);
    while (root.dataset.frames === '0') await frame();
    for (let n = 0; n < 21; n += 1) {
        const before = root.dataset.frames, began = performance.now();
        input.value = (Number(input.value) + 1) % (Number(input.max) + 1);
        input.dispatchEvent(new Event('input'));
        while (root.dataset.frames === before && performance.now() - began < 5000) await frame();
        times.push(performance.now() - began);
    }
    return times;
}"""


class Diagnosis(NamedTuple):
    """What a check found, what to do if not all is well, and whether a class fails without it."""

    words: str
    remedy: str = ""
    matters: bool = False


def _broken(words: str, remedy: str) -> Diagnosis:
    return Diagnosis(words, remedy, True)


def _extra(name: str) -> str:
    from overparam_edu.checks import install

    return f"{sys.executable} -m {install(name)}"


def _pip(*names: str) -> str:
    return f"{sys.executable} -m pip install {' '.join(names)}"


def _versions() -> Diagnosis:
    from overparam_edu.classroom.setup import installed

    # Without JupyterLab, the next line says what brings it and all that it needs.
    rows = installed("lab" if importlib.util.find_spec("jupyterlab") else "")
    wrong = [row for row in rows if not row.fits]
    if not wrong:
        python = next(row.version for row in rows if row.name == "python")
        return Diagnosis(f"Python {python} and {len(rows) - 1} packages are as the course needs")
    words = [f"{row.name} is {row.version or 'missing'}, should be {row.wanted}" for row in wrong]
    packages = [f"'{row.name}{row.wanted}'" for row in wrong if row.name != "python"]
    remedy = _pip(*packages) if packages else "install a newer Python and rebuild the environment"
    return _broken("; ".join(words), remedy)


def _widgets() -> Diagnosis:
    if importlib.util.find_spec("jupyterlab") is None:
        return _broken("JupyterLab is not installed", _extra("lab"))
    from jupyter_core.paths import jupyter_path
    from jupyterlab.commands import get_app_dir
    from jupyterlab_server.config import get_page_config

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    settings = str(Path(get_app_dir()) / "settings")
    page = get_page_config(jupyter_path("labextensions"), settings)
    here = {extension["name"] for extension in page["federated_extensions"]}
    missing = [package for name, package in WIDGETS.items() if name not in here]
    if missing:
        remedy = _pip("--force-reinstall", *missing)
        return _broken(f"JupyterLab does not find {' and '.join(missing)}", remedy)
    off = page.get("disabledExtensions", [])
    off = off if isinstance(off, list) else [name for name, is_off in off.items() if is_off]
    off = [name for name in WIDGETS if any(one.split(":")[0] == name for one in off)]
    if off:
        return _broken(f"{' and '.join(off)} is off", f"jupyter labextension enable {off[0]}")
    return Diagnosis("ipywidgets and anywidget are there and on")


def _plotly() -> Diagnosis:
    again = _pip("--force-reinstall", "--no-deps", "plotly")
    try:
        file = resources.files("plotly").joinpath("package_data/plotly.min.js")
        begin = file.read_bytes()[:400].decode("utf-8", errors="replace")
    except (OSError, ModuleNotFoundError):
        return _broken("plotly comes without plotly.js", again)
    found = re.search(r"plotly\.js v(\d+)\.[\d.]+", begin)
    if not found or int(found[1]) < 3:
        return _broken("plotly.js is older than version 3, or damaged", again)
    return Diagnosis(f"{found[0]} comes with plotly")


def _offline() -> Diagnosis:
    """Find what lessons read, all of it in files of this environment."""
    from overparam_edu.experiments.datasets import load_auto_mpg
    from overparam_edu.player.page import player_script, styles

    again = "install overparam-edu and what it needs again"
    try:
        player_script(), styles(), load_auto_mpg()
        count = len(lesson_notebooks(own_notebooks()))
    except (OSError, CommandError, ImportError, RuntimeError) as problem:
        return _broken(f"a file that lessons read is missing: {problem}", again)
    return Diagnosis(f"{count} lessons, the player, a font and Auto MPG are on this disk")


def find_browser() -> str | None:
    """Return the path of the browser in ``OVERPARAM_EDU_BROWSER``, else of an installed one."""
    named = os.environ.get("OVERPARAM_EDU_BROWSER")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _slider() -> Diagnosis:
    """Move a slider of a saved explorer in a real browser without a network."""
    if importlib.util.find_spec("playwright") is None:
        return Diagnosis("not measured: playwright is not installed", _pip("playwright"))
    path = find_browser()
    if path is None:
        return Diagnosis("not measured: no Chrome or Chromium", "install one to measure it")
    try:
        times, asked = _measured(path)
    except Exception as problem:  # playwright's own errors, of many kinds
        line = str(problem).strip().splitlines()[0]
        return Diagnosis(f"not measured: {line}", "try an explorer by hand")
    if asked:
        remedy = "install overparam-edu again, and report this"
        return _broken(f"a picture asked another host: {asked[0]}", remedy)
    seconds = statistics.median(times) / 1000
    words = f"{1000 * seconds:.0f} ms from hand to picture, without a network"
    slow = "close other programs, plug in the power, try again"
    return Diagnosis(words, slow if seconds > PATIENT else "")


def _measured(browser_path: str) -> tuple[list[float], list[str]]:
    """Return the milliseconds of each move, and the addresses asked that are no file."""
    from playwright.sync_api import sync_playwright

    from overparam_edu.explorers.trajectories import explore_trajectories
    from overparam_edu.player.pictures import save

    asked: list[str] = []
    root = getattr(os, "geteuid", lambda: 1)() == 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = save(explore_trajectories().scene, Path(folder) / "explorer.html")
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox"] if root else []
        )
        page = browser.new_context(offline=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        times = page.evaluate(_MOVES)
        browser.close()
    return times[1:], [url for url in asked if not re.match("file:|data:|blob:", url)]


def _cache() -> Diagnosis:
    if importlib.util.find_spec("pooch") is None:
        words = "the gas data can't be downloaded without pooch; Auto MPG stands in"
        return Diagnosis(words, _extra("data"))
    import pooch

    from overparam_edu.experiments.datasets import UCI_270, cached_archive

    path = cached_archive()
    code = "import overparam_edu as oe; oe.load_gas_ethanol()"
    fetch = f'{sys.executable} -c "{code}" fetches 13 MB'
    if not path.is_file():
        return Diagnosis(f"the gas data are not in {path.parent}; Auto MPG stands in", fetch)
    if pooch.file_hash(str(path)) != UCI_270.sha256:
        return Diagnosis(f"{path} is damaged; Auto MPG stands in", f"delete it, then {fetch}")
    return Diagnosis(f"the gas data are in {path}")


def _voila() -> Diagnosis:
    if importlib.util.find_spec("voila") is None:
        words = "`overparam-edu present` needs Voila, which is not installed"
        return Diagnosis(words, _extra("present"))
    return Diagnosis("Voila is there for `overparam-edu present`")


def _port() -> Diagnosis:
    try:
        check_port(HERE, PORT)
    except CommandError as problem:
        remedy = f"stop what uses it (perhaps an earlier `present`), or add --port {PORT + 1}"
        return Diagnosis(f"`overparam-edu present` {problem}", remedy)
    return Diagnosis(f"port {PORT}, where `overparam-edu present` listens, is free")


def _pictures() -> Diagnosis:
    names = {"choreographer": "choreographer", "PIL": "pillow"}
    missing = [name for module, name in names.items() if importlib.util.find_spec(module) is None]
    if missing:
        return Diagnosis(f"pictures as files need {' and '.join(missing)}", _extra("export"))
    if find_browser() is None:
        return Diagnosis("pictures as files need Chrome or Chromium", "install one of them")
    return Diagnosis("pictures can be saved as files")


def _folders() -> Diagnosis:
    lessons = own_checkout() or Path(DEFAULT_FOLDER).resolve()
    there = importlib.util.find_spec("jupyter_core") is not None
    work, jupyters = unwritable(lessons), unwritable(*jupyter_folders()) if there else []
    remedies = ["work in another folder: `overparam-edu lab --dir FOLDER`"] if work else []
    remedies += [JUPYTER_ELSEWHERE] if jupyters else []
    if remedies:
        return _broken("; ".join([*work, *jupyters]), "; ".join(remedies))
    also = " and Jupyter's folders" if there else ""
    return Diagnosis(f"{lessons}{also} can be written")


CHECKS: dict[str, Callable[[], Diagnosis]] = {
    "versions": _versions,
    "widgets": _widgets,
    "plotly.js": _plotly,
    "offline": _offline,
    "slider": _slider,
    "data cache": _cache,
    "presenter": _voila,
    "port": _port,
    "pictures": _pictures,
    "folders": _folders,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: it has no options."""


def run(_: argparse.Namespace) -> int:
    """Print one line for each check."""
    broken = 0
    for name, check in CHECKS.items():
        try:
            found = check()
        except Exception as problem:  # a check that fails must not hide the ones after it
            words = f"could not be checked: {type(problem).__name__}: {problem}"
            found = _broken(words, "install overparam-edu and what it needs again")
        broken += found.matters
        mark = "BROKEN" if found.matters else "note" if found.remedy else "ok"
        how = "To fix" if found.matters else "Better"
        remedy = f". {how}: {found.remedy}" if found.remedy else ""
        print(f"{mark:<7} {name:<11} {found.words}{remedy}", flush=True)
    print("Ready for class." if not broken else f"Not ready: fix what is BROKEN ({broken}).")
    return 1 if broken else 0
