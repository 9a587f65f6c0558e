"""The lessons live in a browser tab: one static folder, without a server that computes.

JupyterLite is the notebook, Pyodide its Python, and every package a file beside it: no lesson
installs anything, and no other host is asked. The packages are those of this environment, packed
again; NumPy, SciPy and IPython are Pyodide's. What is large and not needed at once (SciPy, SymPy)
stands as a package of a few lines that fetches the rest when it is first imported.

Lessons lie in a folder named by their edition. A copy that a student changed is kept by the browser
under that name, so that a later edition never hides behind it, nor overwrites it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from overparam_edu.publish import lesson_notebooks

PYODIDE = "0.27.7"
HOW = f"get pyodide-{PYODIDE}.tar.bz2 from the releases of Pyodide, unpack it, and give that folder"
# Of its list of packages, as names and sums of those that are used, and of its core.
_LIST = "ca69f649216e8f698c907de90b9077ceca85782827620f6d83d2105c4922bc39"
_CORE = {
    "pyodide.js": "b4cb23a53aba19c221659b9fb40a2f18281d685691dc06647fb0afd0681baf98",
    "pyodide.mjs": "04c052c815abb0bf2981fa38c2dfa58e3120ee5288c956df2b2a15e301782c5f",
    "pyodide.asm.js": "6b4c90de5b7172873f04f21884d0e9d2274e305fe32116558fe3e4fbe3618d51",
    "pyodide.asm.wasm": "a50dd1843f805a0b7c45b61037ee0d7b26dfe85efe0e18ef95a34ad24e401f5f",
    "python_stdlib.zip": "16611534726e5d8ac2bd8f926410b2dcb8d6f49aa24913463533b457a2115c16",
}
# What Pyodide's own builds are used for, beside what these need.
_OF_PYODIDE = ("numpy", "scipy", "ipython", "jedi", "micropip", "sqlite3", "threadpoolctl")
# What the kernel would fetch first and no lesson needs: an empty package.
_EMPTY = "ssl"
# What ipywidgets brings for Jupyter, not for Python.
_FRONT_ENDS = ("jupyterlab-widgets", "widgetsnbextension")
# What comes when it is first imported.
_LATE = ("scipy", "sympy", "mpmath")
# What is left out of packages: tests, data, and files of other front ends.
_LEFT_OUT = re.compile(
    r"\.\./|.*/(tests|__pycache__|benchmarks)/|.*\.(so|pyd|dll)$|plotly/(labextension/|package_data/"
    r"(widgetbundle|datasets))|sympy/parsing/(autolev|c|fortran)/|anywidget/(nb|lab)extension"
)
_REST = 8_000_000  # bytes of Pyodide's core and of JupyterLite, packed as web servers send them
_PYTHON = (3, 12)  # of this Pyodide: only its own bytecode runs there
_WIDGETS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
_NOTEBOOK = "@jupyterlab/notebook-extension:tracker"
_TEXT = {"fileFormat": "text", "mimeTypes": ["text/plain"]}
_STORE = "overparam-edu"  # the browser's database of copies
_KERNEL = "@jupyterlite/pyodide-kernel-extension"


class Live(NamedTuple):
    """What `build_live` wrote."""

    edition: str  # the folder of the lessons, for an address
    size: int  # bytes that a browser fetches for its first lesson


def build_live(
    site: str | Path,
    pyodide: str | Path,
    *,
    notebooks: Sequence[Path] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Live:
    """Write the live lessons into ``live/`` of a folder of pages, and lead the pages there.

    Parameters
    ----------
    site : str or Path
        Folder of pages, as `build_pages` wrote it.
    pyodide : str or Path
        Folder with Pyodide as it was released; each file is compared with its SHA-256.
    notebooks : sequence of Path, optional
        By default the whole course.
    progress : callable, optional
        Called with a line about each thing that is done.

    Returns
    -------
    Live
        The edition's name, and how much a browser fetches.

    Raises
    ------
    ValueError
        If `pyodide` is not that, or a file in it is not as released.
    RuntimeError
        If JupyterLite fails; the message holds what it said last.
    OSError
        If a file can't be read or written.
    """
    tell = progress or (lambda _: None)
    source, site = Path(pyodide).expanduser(), Path(site).expanduser().resolve()
    target = site / "live"
    lessons = lesson_notebooks() if notebooks is None else notebooks
    lock = _verified(source)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        python = _bytecode_python()
        tell("packing Python" + ("" if python else ", without bytecode: no Python 3.12 here"))
        parts = work / "static" / "pyodide"
        parts.mkdir(parents=True)
        for name in _CORE:
            shutil.copyfile(source / name, parts / name)
        packages = _packages(lock["packages"], source, parts, python)
        text = json.dumps(lock | {"packages": packages})
        # Names that say what is in them: a browser that keeps an old file keeps it under its name.
        lock_name = f"pyodide-lock-{_digest(text.encode())[:8]}.json"
        (parts / lock_name).write_text(text, encoding="utf-8")
        edition = _edition(lessons)
        (work / "files" / edition).mkdir(parents=True)
        for path in lessons:
            shutil.copyfile(path, work / "files" / edition / path.name)
        options = {
            "packages": list(packages),
            "lockFileURL": f"static/pyodide/{lock_name}",
            "env": {"HOME": "/home/pyodide", "OVERPARAM_EDU_PROGRESS": "/drive"},
        }
        settings = {
            f"{_KERNEL}:kernel": {
                "pyodideUrl": "static/pyodide/pyodide.js",
                "disablePyPIFallback": True,
                "loadPyodideOptions": options,
            }
        }
        config = {
            "appName": "Implicit acceleration by overparameterization",
            "contentsStorageName": _STORE,
            "exposeAppInBrowser": True,
            # Pictures out of sight stay in the page, as in later versions of JupyterLab.
            "settingsOverrides": {_NOTEBOOK: {"windowingMode": "none"}},
            # Else it takes the file of progress for one piece of JSON, and no write returns.
            "fileTypes": {"jsonl": _TEXT | {"name": "jsonl", "extensions": [".jsonl"]}},
            "litePluginSettings": settings,
        }
        tell("building JupyterLite")
        _jupyterlite(work, target, config)
        size = sum((parts / entry["file_name"]).stat().st_size for entry in packages.values())
    _lead_in(target, edition)
    size += _REST
    _lead_pages(site, edition, size, {path.stem for path in lessons})
    tell(f"live lessons in {target}; to try them: overparam-edu serve {site}")
    return Live(edition, size)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _edition(lessons: Iterable[Path]) -> str:
    """Return a name that changes with the lessons or the package."""
    whole = hashlib.sha256()
    for path in lessons:
        whole.update(path.read_bytes())
    return f"lessons-{metadata.version('overparam-edu')}-{whole.hexdigest()[:6]}"


# --- Pyodide and its packages ---


def _verified(folder: Path) -> dict[str, Any]:
    """Return Pyodide's list of packages, once each file that is used is as released."""
    if not (folder / "pyodide-lock.json").is_file():
        raise ValueError(f"pyodide must be a folder with Pyodide {PYODIDE}; got {folder}: {HOW}")
    lock: dict[str, Any] = json.loads((folder / "pyodide-lock.json").read_text(encoding="utf-8"))
    if (version := lock["info"]["version"]) != PYODIDE:
        raise ValueError(f"pyodide must be version {PYODIDE}; got {version} in {folder}: {HOW}")
    wanted = [lock["packages"][name] for name in _with_needs(_OF_PYODIDE, lock["packages"])]
    sums = {entry["file_name"]: entry["sha256"] for entry in wanted}
    if _digest(json.dumps(sorted(sums.items())).encode()) != _LIST:
        raise ValueError(f"pyodide must be as released; got another list in {folder}: {HOW}")
    for name, digest in (_CORE | sums).items():
        path = folder / name
        if not path.is_file() or _digest(path.read_bytes()) != digest:
            raise ValueError(f"pyodide must be as released; got another {name} in {folder}: {HOW}")
    return lock


def _with_needs(names: Iterable[str], packages: dict[str, Any]) -> list[str]:
    """Return names of Pyodide's packages with all that they need, but for what stays empty."""
    found: list[str] = []
    todo = list(names)
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in found and name != _EMPTY:
            found.append(name)
            todo += packages[name]["depends"]
    return sorted(found)


def _bytecode_python() -> str | None:
    """Return a Python that writes Pyodide's bytecode, if there is one."""
    for python in filter(None, (sys.executable, shutil.which("python3.12"))):
        asked = [python, "-c", f"import sys; sys.exit(sys.version_info[:2] != {_PYTHON})"]
        if not subprocess.run(asked, capture_output=True).returncode:
            return python
    return None


def _packages(
    theirs: dict[str, Any], source: Path, parts: Path, python: str | None
) -> dict[str, Any]:
    """Write every package into `parts`, and return the list of them for Pyodide."""
    found = {}
    for name in _with_needs(_OF_PYODIDE, theirs):
        shutil.copyfile(source / theirs[name]["file_name"], parts / theirs[name]["file_name"])
        found[name] = theirs[name]
    ours, todo = {"overparam-edu": metadata.distribution("overparam-edu")}, ["overparam-edu"]
    while todo:
        for line in metadata.requires(todo.pop()) or []:
            need = Requirement(line)
            name = canonicalize_name(need.name)
            wanted = need.marker is None or need.marker.evaluate(
                {"extra": "", "sys_platform": "emscripten", "platform_system": "Emscripten"}
            )
            if wanted and not {name} & {*found, *ours, *_FRONT_ENDS}:
                ours[name] = metadata.distribution(name)
                todo.append(name)
    for name, distribution in ours.items():
        found[name] = _packed(name, distribution, parts, python)
    for wheel in sorted((_labextension(_KERNEL) / "static" / "pypi").glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        if name != "widgetsnbextension":
            shutil.copyfile(wheel, parts / wheel.name)
            found[canonicalize_name(name)] = _entry(name, version, parts / wheel.name)
    found[_EMPTY] = _written(_EMPTY, "1.0", {}, parts)
    blas = found.pop("openblas")["file_name"]
    for name in _LATE:
        found[name] = _late(found[name], [blas] if name == "scipy" else [], parts)
    # All are loaded at the start, in one go, so none waits for another.
    return {name: entry | {"depends": []} for name, entry in sorted(found.items())}


def _packed(
    name: str, distribution: metadata.Distribution, parts: Path, python: str | None
) -> dict[str, Any]:
    """Write an installed package as a wheel, compiled; ours keeps its source for tracebacks."""
    ours = name == "overparam-edu"
    root = Path(str(distribution.locate_file("")))
    paths = [Path(str(path)) for path in distribution.files or []]
    if ours:
        root = Path(__file__).resolve().parents[2]
        paths = [path.relative_to(root) for path in (root / "overparam_edu").rglob("*.*")]
        paths = [path for path in paths if not {"_notebooks", "voila"} & set(path.parts)]
    kept = {path for path in paths if not _LEFT_OUT.match(path.as_posix())}
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        for path in kept:
            if (root / path).is_file() and not path.parts[0].endswith(".dist-info"):
                (stage / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / path, stage / path)
        if name == "tqdm":  # watches its bars from a thread, and a browser's Python has none
            std = stage / "tqdm" / "std.py"
            std.write_text(
                std.read_text("utf-8").replace("monitor_interval = 10 ", "monitor_interval = 0 "),
                "utf-8",
            )
        if python:
            # Beside its source a file that is trusted without a look at it; else in its place,
            # without docstrings.
            how = ["--invalidation-mode=unchecked-hash"] if ours else ["-b", "-o", "2"]
            command = [python, "-m", "compileall", "-q", "-s", folder, *how, folder]
            subprocess.run(command, capture_output=True)  # what can't be compiled stays a source
        for path in () if ours else stage.rglob("*.py"):
            if path.with_suffix(".pyc").exists():
                path.unlink()
        inside = {
            path.relative_to(stage).as_posix(): path.read_bytes()
            for path in sorted(stage.rglob("*"))
            if path.is_file()
        }
    about = distribution.read_text("METADATA") or ""
    return _written(name, distribution.version, inside, parts, about)


def _written(
    name: str, version: str, inside: dict[str, bytes], parts: Path, about: str = ""
) -> dict[str, Any]:
    """Write files as a wheel that is named by what is in it."""
    digest = _digest(repr(sorted((n, _digest(data)) for n, data in inside.items())).encode())
    stem = f"{name.replace('-', '_')}-{version}"
    path = parts / f"{stem}-{digest[:8]}-py3-none-any.whl"
    about = about or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for where, data in {**inside, f"{stem}.dist-info/METADATA": about.encode()}.items():
            archive.writestr(zipfile.ZipInfo(where), data, zipfile.ZIP_DEFLATED)
    return _entry(name, version, path)


def _entry(name: str, version: str, wheel: Path) -> dict[str, Any]:
    """Return what Pyodide's list says of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {path.partition("/")[0] for path in archive.namelist() if ".dist-info/" not in path}
    return {
        "name": canonicalize_name(name),
        "version": version,
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": _digest(wheel.read_bytes()),
        "package_type": "package",
        "imports": sorted(top.partition(".")[0] for top in tops),
        "depends": [],
        "unvendored_tests": False,
    }


_WAITING = '''"""Stands for {name} until it is first imported, then fetches it, waiting."""

import ctypes
import importlib
import io
import os
import sys
import zipfile
from importlib.machinery import PathFinder

import pyodide_js
from js import Reflect, XMLHttpRequest


def fetched(name):
    request = XMLHttpRequest.new()
    request.open("GET", pyodide_js._api.config.indexURL + name, False)
    request.responseType = "arraybuffer"
    request.send()
    if request.status != 200:
        raise ImportError(f"{{name}} did not arrive: is there a network?")
    return zipfile.ZipFile(io.BytesIO(request.response.to_bytes()))


site = os.path.dirname(os.path.dirname(__file__))
archive = fetched({file!r})
for name in {libraries!r}:
    libraries = fetched(name)
    libraries.extractall("/usr/lib")
    for library in libraries.namelist():
        path = "/usr/lib/" + library
        ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        # Others ask for it by its name alone, as Pyodide's own loader has it.
        known = pyodide_js._module.LDSO.loadedLibsByName
        Reflect.set(known, library, Reflect.get(known, path))
os.remove(__file__)
archive.extractall(site)
importlib.invalidate_caches()
here = sys.modules[__name__]
here.__spec__ = PathFinder.find_spec(__name__, [site])
here.__file__ = here.__spec__.origin
here.__spec__.loader.exec_module(here)
'''


def _late(entry: dict[str, Any], libraries: Sequence[str], parts: Path) -> dict[str, Any]:
    """Write what stands for a package until it is imported."""
    name, wheel = entry["name"], parts / entry["file_name"]
    with zipfile.ZipFile(wheel) as archive:
        about = next(path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        words = archive.read(about).decode("utf-8")
    code = _WAITING.format(name=name, file=wheel.name, libraries=list(libraries))
    return _written(name, entry["version"], {f"{name}/__init__.py": code.encode()}, parts, words)


# --- JupyterLite ---


def _labextension(name: str) -> Path:
    """Return the folder of an extension of JupyterLab in this environment."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / name
    if not folder.is_dir():
        raise RuntimeError(f"{name} is not installed: {folder} is missing")
    return folder


def _jupyterlite(work: Path, target: Path, config: dict[str, Any]) -> None:
    """Build the site of the files in `work`."""
    app = {"jupyter-lite-schema-version": 0, "jupyter-config-data": config}
    (work / "jupyter-lite.json").write_text(json.dumps(app), encoding="utf-8")
    build = {
        "apps": ["notebooks", "lab"],
        "contents": ["files"],
        "federated_extensions": [str(_labextension(name)) for name in (_KERNEL, *_WIDGETS)],
        "ignore_sys_prefix": True,
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
        "output_dir": str(target),
    }
    (work / "jupyter_lite_config.json").write_text(json.dumps({"LiteBuildConfig": build}))
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "jupyterlite_core", "build"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if not done.returncode:
        icons = resources.files("jupyter_server") / "static" / "favicons"
        shutil.copytree(str(icons), target / "static" / "favicons", dirs_exist_ok=True)
    else:
        raise RuntimeError(f"JupyterLite failed: {(done.stdout + done.stderr).strip()[-500:]}")


def _lead_in(target: Path, edition: str) -> None:
    """Put the bar above each live lesson: whose copy it is, and how to have the original."""
    apps = [target / app / "index.html" for app in ("notebooks", "lab")]
    data = f'data-edition="{edition}" data-store="{_STORE}"'
    _give(apps, "live.js", target / "live.js", "../live.js", data)


def _lead_pages(site: Path, edition: str, size: int, names: Iterable[str]) -> None:
    """Let each page lead to its lesson, at the top and beside each piece of code."""
    pages = [site / f"{name}.html" for name in names]
    data = f'data-edition="{edition}" data-megabytes="{size / 1e6:.0f}"'
    _give(pages, "live_links.js", site / "live" / "links.js", "live/links.js", data)


def _give(pages: Iterable[Path], script: str, copy: Path, address: str, data: str) -> None:
    """Copy a script to where pages find it, and let each of them run it with these data."""
    text = resources.files("overparam_edu.publish").joinpath(script).read_text("utf-8")
    copy.write_text(text, encoding="utf-8")
    tag = f'<script src="{address}" {data} defer></script></head>'
    for page in pages:
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace("</head>", tag, 1), encoding="utf-8")
