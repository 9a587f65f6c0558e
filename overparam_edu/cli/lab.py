"""`overparam-edu lab`: opens the lessons without asking what a Jupyter server is."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
from pathlib import Path
from typing import Any

from overparam_edu.cli.command import Command, CommandError
from overparam_edu.cli.copies import DEFAULT_FOLDER, prepare
from overparam_edu.cli.server import check_port, has_display

# JupyterLab as a lecture hall needs it: no news, no search for updates, no extension catalogue.
# It then asks nothing of any other machine. binder/postBuild writes the same settings there.
QUIET_LAB: dict[str, str | None] = {
    "news_url": None,
    "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "extension_manager": "readonly",
}


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
    if options.no_browser or not has_display():
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


def _announce(address: str) -> None:
    print("JupyterLab is running. If no browser opens, open this address in one:")
    print(f"    {address}")
    print("To stop it, press Ctrl-C here twice.", flush=True)


def _run_lab(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        raise CommandError(
            f"JupyterLab is not installed for {sys.executable}; "
            "install it with: python -m pip install jupyterlab"
        )
    if options.port is not None:
        check_port(options.ip, options.port)
    folder, notebook = prepare(options.dir)
    # The kernel "python3" is this interpreter's, whatever the user's home folder registers.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    # Jupyter's packages warn of each other's old habits; a student can do nothing about them.
    logging.captureWarnings(True)
    from jupyterlab.labapp import LabApp

    server = LabApp.initialize_server(argv=_lab_arguments(options, folder, notebook))
    # The loop takes its callbacks in turn, and the first of them opens the port: once this one
    # speaks, the address answers.
    server.io_loop.add_callback(_announce, _address(server, notebook))
    # Jupyter would print its own, longer message about the address.
    server.identity_provider.token_generated = False
    server.start()
    return 0


def _add_lab_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        metavar="FOLDER",
        help="folder to work in; the notebooks are copied there if it is not a checkout of the "
        f"repository (default: the checkout this runs from, otherwise ./{DEFAULT_FOLDER})",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="only print the address, do not open a browser"
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help="port to listen on (default: the first free from 8888)",
    )
    parser.add_argument(
        "--ip",
        default="localhost",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 lets other machines in, for example from outside a "
        "container (default: localhost)",
    )


COMMAND = Command(
    name="lab",
    summary="open the lessons in JupyterLab",
    description="Open the lessons in JupyterLab, at notebook 00. Installed from a package, "
    "copy the notebooks to a folder of yours first; a notebook you changed is never "
    "overwritten. Nothing is asked of any other machine.",
    add_arguments=_add_lab_arguments,
    run=_run_lab,
)
