"""Open the lessons in JupyterLab.

They open at notebook 00. An installed package first copies the notebooks to a folder of yours; a
notebook that you changed is never overwritten. Nothing is asked of any other machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from overparam_edu.cli.command import (
    CommandError,
    before_serving,
    need,
    opens_browser,
    server_options,
)
from overparam_edu.publish import FIRST_NOTEBOOK, is_checkout, lesson_folder, own_checkout

DEFAULT_FOLDER = "overparam-edu-notebooks"
# Inside a folder of copies: what was copied, so that a later version knows what was left untouched.
MANIFEST = ".overparam-edu.json"


class CopyReport(NamedTuple):
    """What `copy_notebooks` did with each file, by its path relative to the folder."""

    copied: tuple[str, ...]  # were not there
    updated: tuple[str, ...]  # untouched copies of an older version, replaced by the newer one
    kept: tuple[str, ...]  # changed by the user; the package has nothing newer
    outdated: tuple[str, ...]  # changed by the user, and the package has another version now


def own_notebooks() -> Path:
    """Return the folder of the lessons that came with this package."""
    folder = lesson_folder()
    if not (folder / FIRST_NOTEBOOK).is_file():
        raise CommandError(
            f"this installation carries no notebooks ({folder / FIRST_NOTEBOOK} is missing); "
            "install overparam-edu again"
        )
    return folder


def _read_manifest(folder: Path) -> dict[str, str]:
    """Return the digests of what was copied; nothing where the record is missing or damaged."""
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path: Path, content: bytes) -> None:
    """Write `content` in one stroke: an interruption leaves the old file or the new one."""
    path = path.resolve()  # what a link points to is replaced, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:  # a disk that is full leaves nothing half written
        part.unlink(missing_ok=True)


def copy_notebooks(source: Path, folder: Path) -> CopyReport:
    """Copy the notebooks in `source` to `folder` without ever overwriting the user's work.

    A file in `folder` is replaced only if it is, byte for byte, what an earlier call put there.
    Files that are as packaged already are in none of the report's lists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _read_manifest(folder)
    record = dict(before)
    report: dict[str, list[str]] = {name: [] for name in CopyReport._fields}
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if not path.is_file() or any(part.startswith((".", "__")) for part in relative.parts):
            continue
        if path.suffix == ".jsonl":  # what somebody did, who works in this checkout
            continue
        name, content, target = relative.as_posix(), path.read_bytes(), folder / relative
        packaged = sha256(content).hexdigest()
        present = sha256(target.read_bytes()).hexdigest() if target.exists() else None
        if present not in (None, packaged, before.get(name)):
            report["kept" if before.get(name) == packaged else "outdated"].append(name)
            continue
        if present != packaged:
            _write(target, content)
            report["copied" if present is None else "updated"].append(name)
        record[name] = packaged
    if record != before:
        _write(folder / MANIFEST, json.dumps(record, indent=1, sort_keys=True).encode())
    return CopyReport(**{name: tuple(names) for name, names in report.items()})


def _tell(report: CopyReport, folder: Path) -> None:
    print(f"The notebooks are in {folder}")
    changes = {"copied": report.copied, "updated, which you had not changed": report.updated}
    for words, names in changes.items():
        if names:
            print(f"  {len(names)} file{'s' * (len(names) > 1)} {words}")
    if report.kept:
        print(f"  kept as you changed them: {', '.join(report.kept)}")
    if report.outdated:
        print(f"  kept as you changed them, though newer ones exist: {', '.join(report.outdated)}")
        print("  (to get the newer ones, rename yours and run this again)")


def prepare(wanted: str | None) -> tuple[Path, str]:
    """Return the folder to serve and the first notebook's path in it, copying where needed.

    The folder is the one wanted, else the checkout this runs from, else `DEFAULT_FOLDER`.
    """
    folder = Path(wanted).expanduser().resolve() if wanted else own_checkout()
    if folder is not None and is_checkout(folder):
        return folder, f"notebooks/{FIRST_NOTEBOOK}"
    folder = folder or Path(DEFAULT_FOLDER).resolve()
    source = own_notebooks()
    try:
        report = copy_notebooks(source, folder)
    except OSError as error:
        raise CommandError(
            f"cannot put the notebooks into {folder}: {error.strerror or error}; "
            "name another folder with --dir"
        ) from None
    _tell(report, folder)
    return folder, FIRST_NOTEBOOK


# JupyterLab as a lecture hall needs it: no news, no search for updates, no extension catalogue.
# It then asks nothing of any other machine. binder/postBuild writes the same settings there.
QUIET_LAB: dict[str, str | None] = {
    "news_url": None,
    "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "extension_manager": "readonly",
}


# What asks "Would you like to get notified about official Jupyter news?", `news_url` or not.
NEWS = "@jupyterlab/apputils-extension:announcements"


def without_news(_: Any, page_config: dict[str, Any]) -> dict[str, Any]:
    """Return JupyterLab's page without the question about news (its hook)."""
    disabled = page_config.get("disabledExtensions", [])
    return page_config | {"disabledExtensions": [*disabled, NEWS]}


# What helps where Jupyter's own folders, which are in the home folder, can't be written.
JUPYTER_ELSEWHERE = (
    "set the environment variables JUPYTER_DATA_DIR and JUPYTER_CONFIG_DIR to writable folders"
)


def unwritable(*folders: Path) -> list[str]:
    """Return which folders can't be written, or can't be made, and why."""
    found = []
    for folder in folders:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            tempfile.TemporaryFile(dir=there).close()
        except OSError as problem:
            found.append(f"{folder} can't be written: {problem.strerror or problem}")
    return found


def jupyter_folders() -> list[Path]:
    """Return where Jupyter keeps its own files."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir, jupyter_runtime_dir

    return [Path(jupyter_data_dir()), Path(jupyter_runtime_dir()), Path(jupyter_config_dir())]


def _lab_arguments(options: argparse.Namespace, folder: Path, notebook: str) -> list[str]:
    settings: dict[str, Any] = {f"LabApp.{name}": value for name, value in QUIET_LAB.items()}
    settings["LabApp.default_url"] = f"/lab/tree/{notebook}"
    settings["ServerApp.root_dir"] = folder
    settings["ServerApp.ip"] = options.ip
    settings["Application.log_level"] = "WARN"
    if options.port is not None:
        settings["ServerApp.port"] = options.port
        settings["ServerApp.port_retries"] = 0
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        settings["ServerApp.allow_root"] = True
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    if not opens_browser(options):
        arguments.append("--no-browser")
    return arguments


def _address(server: Any, notebook: str) -> str:
    ip = "127.0.0.1" if server.ip in ("", "*", "0.0.0.0", "::", "localhost") else server.ip
    host = f"[{ip}]" if ":" in ip else ip
    scheme = "https" if server.certfile else "http"
    identity = server.identity_provider
    # A token or password of the user's own making is not shown.
    token = f"?token={identity.token}" if identity.token and identity.token_generated else ""
    return f"{scheme}://{host}:{server.port}{server.base_url}lab/tree/{notebook}{token}"


def run(options: argparse.Namespace) -> int:
    """Serve the folder until it is stopped."""
    need("jupyterlab", "lab")
    before_serving(options.ip, options.port)
    if refused := unwritable(*jupyter_folders()):
        raise CommandError(f"{'; '.join(refused)}; {JUPYTER_ELSEWHERE}")
    folder, notebook = prepare(options.dir)
    from jupyterlab.labapp import LabApp

    server = LabApp.initialize_server(argv=_lab_arguments(options, folder, notebook))
    server.web_app.settings["page_config_hook"] = without_news
    # The loop takes its callbacks in turn, and the first of them opens the port: once this one
    # speaks, the address answers.
    said = (
        "JupyterLab is running. If no browser opens, open this address in one:\n"
        f"    {_address(server, notebook)}\nTo stop it, press Ctrl-C here twice."
    )
    server.io_loop.add_callback(print, said, flush=True)
    # Jupyter would print its own, longer message about the address.
    server.identity_provider.token_generated = False
    server.start()
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the folder, port and address."""
    parser.add_argument(
        "--dir",
        metavar="FOLDER",
        help="folder to work in; the notebooks are copied there unless it is a checkout of the "
        f"repository (default: the checkout this runs from, otherwise ./{DEFAULT_FOLDER})",
    )
    server_options(parser, None, "port to listen on (default: the first free from 8888)")
    parser.add_argument(
        "--ip",
        default="localhost",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 lets other machines in, for example from outside a "
        "container (default: localhost)",
    )
