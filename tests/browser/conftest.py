"""A real JupyterLab in a real Chromium, for tests and benchmarks.

`lab` is one server for the session; ``lab.run_notebook(path)`` opens a notebook in a fresh page,
runs all of it and returns an `OpenNotebook` that knows what went over the wire.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest

playwright_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
KERNEL = "overparam-edu-under-test"
TOKEN = "only-for-tests-on-this-machine"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "msedge")
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_BROWSER = "no Chromium: install one, or set OVERPARAM_EDU_BROWSER to its path"


def find_browser(playwright: Any) -> str | None:
    """Return the path of a Chromium, or None."""
    named = os.environ.get("OVERPARAM_EDU_BROWSER")
    if named:
        return shutil.which(named)
    own = playwright.chromium.executable_path
    found = (shutil.which(name) for name in BROWSERS)
    return next(filter(None, found), own if os.path.exists(own) else None)


@contextlib.contextmanager
def open_browser() -> Iterator[Any]:
    """Yield a running headless Chromium; without one, fail in CI and skip elsewhere."""
    with playwright_api.sync_playwright() as playwright:
        path = find_browser(playwright)
        if path is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_BROWSER)
        as_root = getattr(os, "geteuid", lambda: 1)() == 0
        args = [*QUIET, *(["--no-sandbox"] if as_root else [])]
        browser = playwright.chromium.launch(executable_path=path, args=args)
        yield browser
        browser.close()


@dataclass
class OpenNotebook:
    """A notebook in a page, and everything that its page did."""

    page: Any
    foreign_requests: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    sent: list[str | bytes] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    cell_errors: list[str] = field(default_factory=list)
    seconds: float = 0.0  # that Run All took

    def listen(self) -> None:
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        self.page.on("websocket", self._websocket)

    def _request(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname not in ("localhost", "127.0.0.1"):
            self.foreign_requests.append(request.url)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _websocket(self, socket: Any) -> None:
        if "/channels" in socket.url:  # one per kernel; others carry Lab's own events
            socket.on("framesent", lambda data: self.sent.append(data))
            socket.on("framereceived", lambda data: self.received.append(len(data)))

    def run_all(self) -> None:
        """Run all cells, and note the time and the errors among their outputs."""
        began = time.perf_counter()
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
        self.seconds = time.perf_counter() - began
        self.cell_errors = self.page.evaluate(
            """() => jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .flatMap(cell => cell.model.outputs.toJSON())
                .filter(output => output.output_type === 'error')
                .map(output => `${output.ename}: ${output.evalue}`)"""
        )

    def run(self, code: str) -> str:
        """Run code in the notebook's kernel beside its cells and return what it prints.

        The kernel answers only after it has handled all that the page sent before.
        """
        return self.page.evaluate(
            """async code => {
                const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({ code });
                let text = '';
                future.onIOPub = ({ header, content }) => {
                    if (header.msg_type === 'stream') text += content.text;
                    if (header.msg_type === 'error') text += content.ename + content.evalue;
                };
                await future.done;
                return text;
            }""",
            code,
        )

    def comm_messages(self, start: int = 0) -> int:
        """Return how many messages the page's widgets sent to the kernel since frame `start`."""
        needle = "comm_msg"
        frames = (f if isinstance(f, str) else f.decode("latin1") for f in self.sent[start:])
        return sum(needle in frame for frame in frames)

    def screenshot(self, name: str, locator: Any = None) -> Path:
        """Write what is seen to the artefacts folder."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        (locator or self.page).screenshot(path=path)
        return path


class Lab:
    """A JupyterLab server with a home of its own."""

    def __init__(self, home: Path, browser: Any) -> None:
        self.home = home
        self.work = home / "work"
        self.browser = browser
        self.work.mkdir()
        self.contexts: list[Any] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._write_settings()
        self.log = (home / "server.log").open("wb")
        self.process = subprocess.Popen(
            self._command(),
            cwd=self.work,
            env=self._environment(),
            stdout=self.log,
            stderr=self.log,
        )
        self._wait()

    def _write_settings(self) -> None:
        kernel = self.home / "data" / "kernels" / KERNEL / "kernel.json"
        kernel.parent.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python under test", "language": "python"}
        kernel.write_text(json.dumps(spec))
        settings = self.home / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        silent = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(silent))

    def _command(self) -> list[str]:
        port = urlsplit(self.url).port
        options = f"--no-browser --ServerApp.port={port} --ServerApp.port_retries=0"
        options += f" --IdentityProvider.token={TOKEN} --LabApp.expose_app_in_browser=True"
        options += " --ServerApp.ip=127.0.0.1 --ServerApp.allow_root=True"
        # The same server has Notebook 7, where that is installed.
        options += " --JupyterNotebookApp.expose_app_in_browser=True"
        folders = [f"--LabApp.user_settings_dir={self.home / 'settings'}"]
        folders += [f"--LabApp.workspaces_dir={self.home / 'workspaces'}"]
        folders += [f"--ServerApp.root_dir={self.work}"]
        return [sys.executable, "-m", "jupyterlab", *options.split(), *folders]

    def _environment(self) -> dict[str, str]:
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return os.environ | {
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "IPYTHONDIR": str(self.home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "PYTHONPATH": os.pathsep.join(path),
        }

    def _call(self, path: str, method: str = "GET") -> bytes:
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(self.url + path, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bytes(answer.read())

    def _wait(self, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, urllib.error.URLError):
                self._call("/api/status")
                return
            time.sleep(0.2)
        self.stop()
        log = (self.home / "server.log").read_text(errors="replace")
        raise RuntimeError(f"JupyterLab did not answer within {seconds:g} s:\n{log[-3000:]}")

    def stop(self) -> None:
        """Stop the kernels, then the server."""
        with contextlib.suppress(OSError, ValueError):
            for kernel in json.loads(self._call("/api/kernels")):
                self._call(f"/api/kernels/{kernel['id']}", "DELETE")
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def run_cells(self, *cells: str, **options: Any) -> OpenNotebook:
        """Open a new notebook of these code cells, run it, and return it."""
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        return self._open(notebook, f"cells{len(self.contexts)}.ipynb", **options)

    def run_notebook(self, path: Path, **options: Any) -> OpenNotebook:
        """Open a copy of a notebook, run it, and return it."""
        return self._open(nbformat.read(path, as_version=4), path.name, **options)

    def _open(
        self,
        notebook: Any,
        name: str,
        *,
        width: int = 1280,
        height: int = 720,
        timeout: float = 120,
        app: str = "lab",
    ) -> OpenNotebook:
        spec = {"name": KERNEL, "display_name": "Python under test", "language": "python"}
        notebook.metadata["kernelspec"] = spec
        nbformat.write(notebook, self.work / name)
        context = self.browser.new_context(viewport={"width": width, "height": height})
        self.contexts.append(context)
        opened = OpenNotebook(context.new_page())
        opened.page.set_default_timeout(timeout * 1000)
        opened.listen()
        workspace = re.sub(r"\W", "-", f"{name}-{len(self.contexts)}")
        places = {"lab": f"lab/workspaces/{workspace}/tree", "notebook": "notebooks"}
        opened.page.goto(f"{self.url}/{places[app]}/{name}?token={TOKEN}")
        opened.page.wait_for_function(
            """name => {
                const panel = window.jupyterapp?.shell?.currentWidget;
                return panel?.context?.path === name && panel.context.isReady
                    && panel.sessionContext.session?.kernel?.status === 'idle';
            }""",
            arg=name,
        )
        opened.run_all()
        return opened

    def close_pages(self) -> None:
        """Close all pages and stop their kernels."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()
        for kernel in json.loads(self._call("/api/kernels")):
            self._call(f"/api/kernels/{kernel['id']}", "DELETE")


@contextlib.contextmanager
def open_lab(home: Path, browser: Any) -> Iterator[Lab]:
    """Yield a running JupyterLab and stop it afterwards."""
    server = Lab(home, browser)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with open_browser() as running:
        yield running


@pytest.fixture(scope="session")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with open_lab(tmp_path_factory.mktemp("home"), browser) as running:
        yield running
