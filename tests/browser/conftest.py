"""A real Chromium, and in it a real JupyterLab or a page from the disk, for tests and benchmarks.

`lab` is one server for the session; ``lab.run_notebook(path)`` opens a notebook in a fresh page,
runs all of it and returns an `OpenNotebook` that knows what went over the wire. `live` does the
same with the live lessons; `place` is the one, then the other. `saved` opens a page without a
network. All hand out the players in them as `Shown`. `firefox` is Firefox, light or dark, which
shows pages from the disk.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import venv
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest

from overparam_edu.cli.serve import files_server
from overparam_edu.player.frames import describe, frame
from overparam_edu.publish import lesson_notebooks
from overparam_edu.publish.pages import code_html

playwright_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS, BUILD = ROOT / "artifacts", ROOT / "build"
KERNEL = "overparam-edu-under-test"
SPEC = {"display_name": "Python under test", "language": "python"}
TOKEN = "only-for-tests-on-this-machine"
# The same engine as the next without the windows, of which nobody sees any, is a tenth faster.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "msedge")
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIREFOXES = (
    "firefox-esr",
    "firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:/Program Files/Mozilla Firefox/firefox.exe",
)
NO_FIREFOX = "no Firefox: install one, or set OVERPARAM_EDU_FIREFOX to its path"
NO_LIVE = "no live lessons: their packages could not be installed"
NO_BROWSER = "no Chromium: install one, or set OVERPARAM_EDU_BROWSER to its path"
# What Plotly holds of the tracks' attributes, as frame() would say it, by the traces' numbers.
DRAWN = """(root, keys) => {
    const gd = root.querySelector('.oe-picture');
    const plain = (_, v) => ArrayBuffer.isView(v) ? Array.from(v) : v;
    return keys.map(([trace, path]) => {
        let value = trace === null ? gd.layout : gd.data[trace];
        for (const key of path.split(/[.[\\]]+/).filter(Boolean)) value = value?.[key];
        return value === undefined ? null : JSON.parse(JSON.stringify(value, plain));
    });
}"""
# Done when nothing has been redrawn for five animation frames.
STILL = """root => new Promise(done => {
    let last = '', still = 0;
    (function look() {
        const now = root.dataset.frames + root.querySelector('.oe-board').textContent;
        still = root.dataset.frames !== '0' && now === last ? still + 1 : 0;
        last = now;
        still < 5 ? requestAnimationFrame(look) : done();
    })();
})"""


# Note in the page where a hand puts sliders, since it may take a key after a test has pressed it.
HAND = """() => document.addEventListener('input', ({ target }) => {
    const row = target.closest('[data-axis]');
    if (!row) return;
    const radio = target.type === 'radio', inputs = [...row.querySelectorAll('input')];
    window.left[row.dataset.axis] = radio ? inputs.indexOf(target) : Number(target.value);
}, { capture: true })"""
# Where a player's sliders are.
STOPS = """root => Object.fromEntries([...root.querySelectorAll('[data-axis]')].map((row) => {
    const inputs = [...row.querySelectorAll('input')];
    const stop = inputs[0].type === 'radio' ? inputs.findIndex((i) => i.checked) : inputs[0].value;
    return [row.dataset.axis, Number(stop)];
}))"""
# Whether a notebook is open, and its kernel waits for work.
READY = """path => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return panel?.context?.path === path && panel.context.isReady
        && panel.sessionContext.session?.kernel?.status === 'idle';
}"""
# Close what a page of JupyterLab shows, and return whether it is as it was at first.
CLEAR = """() => {
    const whole = window.jupyterapp && !document.querySelector('.jp-Dialog');
    for (const shown of whole ? [...jupyterapp.shell.widgets('main')] : []) shown.dispose();
    return Boolean(whole);
}"""
OPEN = "path => void jupyterapp.commands.execute('docmanager:open', { path })"
GESTURES = int(os.environ.get("OVERPARAM_EDU_GESTURES", "5"))
LABS: list[Any] = []  # the one that runs
VIEWPORT = {"width": 1280, "height": 720}
# What a page of files can change, and what else it is opened with.
CHANGED = ("viewport", "color_scheme", "reduced_motion", "forced_colors", "media")
DELAYS = [0.0, 0.3, 0.8]  # seconds for a round trip
KEYS = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]


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


def same(seen: Any, expected: Any) -> bool:
    """Return whether two JSON values are equal; 1e18 is a whole number to a browser."""
    if isinstance(seen, list) and isinstance(expected, list):
        return len(seen) == len(expected) and all(map(same, seen, expected))
    if isinstance(seen, int) and isinstance(expected, float):
        return float(seen) == expected
    return bool(seen == expected)


class Shown:
    """A player in a page."""

    def __init__(self, root: Any) -> None:
        self.root, self.page = root, root.page

    def settle(self) -> None:
        self.root.evaluate(STILL)

    def control(self, axis: str, kind: str = "input") -> Any:
        return self.root.locator(f"[data-axis={axis}] {kind}")

    def press(self, axis: str, *keys: str) -> None:
        self.root.evaluate("root => (root.querySelector('.oe-more').open = true)")
        self.control(axis).first.focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def stops(self) -> dict[str, int]:
        """Return where the sliders are."""
        return dict(self.root.evaluate(STOPS))

    def reading(self) -> str:
        return self.root.locator(".oe-reading").inner_text()

    def board(self) -> Any:
        return self.root.locator(".oe-board")

    def differences(self, drawn: dict[Any, Any], reading: str) -> list[str]:
        """Return where the page does not show what Python says."""
        self.settle()
        # What is out of sight waits until it is seen.
        hidden = {
            trace for (trace, path), value in drawn.items() if (path, value) == ("visible", 0)
        }
        drawn = {k: v for k, v in drawn.items() if k[0] not in hidden or k[1] == "visible"}
        seen = self.root.evaluate(DRAWN, [list(key) for key in drawn])
        pairs = [*zip(drawn, seen, drawn.values(), strict=True), ("", self.reading(), reading)]
        return [
            f"{key}: {got} where Python has {wanted}"[:200]
            for key, got, wanted in pairs
            if not same(got, wanted)
        ]

    def check(self, scene: Any, position: dict[str, int], seconds: float = 20) -> None:
        """Wait until the page shows a scene at a position, or fail and say what it shows."""
        end, wrong = time.monotonic() + seconds, ["nothing was seen"]
        while wrong and time.monotonic() < end:
            drawn = frame(scene, position)
            placed = {(scene.place(trace), path): drawn[trace, path] for trace, path in drawn}
            wrong = self.differences(placed, describe(scene, position))
        assert not wrong, wrong


class Watched:
    """A page, and everything it asked for or complained about."""

    own = r"(data|blob):|(http|ws)://(localhost|127\.0\.0\.1)[:/]"  # addresses that it may ask
    messages = ("error",)

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on(
            "console", lambda message: message.type in self.messages and self._complain(message)
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _complain(self, message: Any) -> None:
        self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    @property
    def foreign_requests(self) -> list[str]:
        return [url for url in self.requests if not re.match(self.own, url)]

    def check_quiet(self) -> None:
        """Check that it asked no other host, complained of nothing and ran nothing foreign."""
        assert self.foreign_requests == []
        assert self.complaints == []
        assert self.page.evaluate("window.hacked ?? null") is None

    def player(self, number: int = 0) -> Shown:
        return Shown(self.page.locator(".oe-player").nth(number))


class OpenNotebook(Watched):
    """A notebook in a page, and everything that its page did."""

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self.sent: list[str | bytes] = []
        self.received: list[int] = []
        self.cell_errors: list[str] = []
        self.seconds = 0.0  # that Run All took
        page.on("websocket", self._websocket)

    def check_quiet(self) -> None:
        assert self.cell_errors == []
        super().check_quiet()

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


class Line:
    """A line to a port of this machine that can be slow, stand still or break, both ways."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0  # seconds for a round trip
        self.held = False  # nothing arrives, and nothing is lost
        self.broken = False  # connections are refused
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        listening = asyncio.start_server(self._accept, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port = server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.broken:
            return writer.transport.abort()
        try:
            inside, out = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return writer.transport.abort()
        self._writers |= {writer, out}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._carry(reader, out), self._carry(inside, writer))
        for end in (writer, out):
            self._writers.discard(end)
            end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while (chunk := await under_way.get())[1]:
                await asyncio.sleep(max(0.0, chunk[0] - time.monotonic()))
                while self.held:
                    await asyncio.sleep(0.02)
                writer.write(chunk[1])
                await writer.drain()
            writer.close()

        delivering = asyncio.create_task(deliver())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                under_way.put_nowait((time.monotonic() + self.delay / 2, data))
        under_way.put_nowait((0.0, b""))
        await delivering

    def cut(self) -> None:
        """Break all connections, and refuse new ones until `broken` is False again."""
        self.broken = True
        for writer in list(self._writers):
            self._loop.call_soon_threadsafe(writer.transport.abort)


class Gestures:
    """A random hand at one player on a slow line, and where it left the sliders.

    `OVERPARAM_EDU_GESTURES=100` makes as many gestures, and with ``-s`` pytest prints how many of
    their moves were lost.
    """

    count = GESTURES

    def __init__(self, player: Shown, line: Line, delay: float) -> None:
        self.page, self.root = player.page, player.root
        line.delay = self.delay = delay
        self.rng = np.random.default_rng([GESTURES, int(1000 * delay)])
        self.page.evaluate(HAND)
        self.lost: list[str] = []
        self.leave()

    def leave(self) -> None:
        """Take it that the hand left the sliders where they are, however they came there."""
        self.root.evaluate(f"root => {{ window.left = ({STOPS})(root); }}")

    def some(self, *offers: Any) -> Any:
        return offers[self.rng.integers(len(offers))]

    def wait(self) -> None:
        """Wait for some part of what messages take, and more."""
        self.page.wait_for_timeout(1000 * self.rng.random() * (1.3 * self.delay + 0.1))

    def note(self, what: str, without: str = "") -> None:
        """Hold where the sliders are against where the hand left them, but for one named."""
        left, now = self.root.evaluate(f"root => [window.left, ({STOPS})(root)]")
        taken = [name for name in now if now[name] != left.get(name) and name != without]
        if taken:
            self.lost.append(f"{what}: {taken} of {left} in {now}")
            self.leave()

    def keys(self) -> None:
        rows = self.root.locator("[data-axis]")
        rows.nth(self.rng.integers(rows.count())).locator("input").first.focus()
        for _ in range(self.rng.integers(1, 4)):
            self.page.keyboard.press(self.some(*KEYS))
        if self.rng.random() < 0.8:
            self.page.evaluate("() => document.activeElement.blur()")

    def play(self) -> None:
        button = self.root.locator("button.oe-play, button.oe-pause").first
        button.click()
        self.page.wait_for_timeout(float(self.rng.integers(50, 700)))
        # In one go, since a picture that plays is somewhere else a moment later.
        self.root.evaluate(f"""root => {{
            root.querySelector('button.oe-pause')?.click();
            window.left = ({STOPS})(root);
        }}""")

    def report(self, what: str) -> None:
        print(f"\n{what}, {1000 * self.delay:.0f} ms: {len(self.lost)} of {self.count} lost")
        assert not self.lost, self.lost[:5]


class Lab:
    """A JupyterLab server with a home of its own."""

    def __init__(self, home: Path, browser: Any) -> None:
        self.home = home
        self.work = home / "work"
        self.browser = browser
        self.work.mkdir()
        self.opened = 0
        self.pages: list[tuple[Any, bool]] = []  # and whether each can serve again
        self.spare: Any = None  # a page with JupyterLab in it, since to load that takes seconds
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
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        silent = {"fetchNews": "false", "checkForUpdates": False}
        extension = "settings/@jupyterlab/apputils-extension"
        files = {
            f"data/kernels/{KERNEL}/kernel.json": SPEC | {"argv": argv},
            f"{extension}/notification.jupyterlab-settings": silent,
        }
        for name, content in files.items():
            (self.home / name).parent.mkdir(parents=True)
            (self.home / name).write_text(json.dumps(content))

    def _command(self) -> list[str]:
        options = [
            "--no-browser",
            f"--ServerApp.port={urlsplit(self.url).port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.allow_root=True",
            f"--ServerApp.root_dir={self.work}",
            f"--IdentityProvider.token={TOKEN}",
            "--LabApp.expose_app_in_browser=True",
            f"--LabApp.user_settings_dir={self.home / 'settings'}",
            f"--LabApp.workspaces_dir={self.home / 'workspaces'}",
            # The same server has Notebook 7, where that is installed.
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]
        return [sys.executable, "-m", "jupyterlab", *options]

    def _environment(self) -> dict[str, str]:
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        homes = {"HOME": "", "USERPROFILE": "", "IPYTHONDIR": "ipython"}
        homes |= {f"JUPYTER_{name.upper()}_DIR": name for name in ("config", "data", "runtime")}
        own = {name: str(self.home / folder) for name, folder in homes.items()}
        return os.environ | own | {"PYTHONPATH": os.pathsep.join(path)}

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
        return self._open(notebook, f"cells{self.opened}.ipynb", **options)

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
        line: Line | None = None,
        fresh: bool = False,
    ) -> OpenNotebook:
        notebook.metadata["kernelspec"] = SPEC | {"name": KERNEL}
        nbformat.write(notebook, self.work / name)
        self.opened += 1
        usual = app == "lab" and line is None
        page, self.spare = (self.spare, None) if usual and not fresh else (None, self.spare)
        opened = OpenNotebook(page or self.browser.new_context().new_page())
        self.pages.append((opened.page, usual))
        opened.page.set_default_timeout(timeout * 1000)
        opened.page.set_viewport_size({"width": width, "height": height})
        if page:
            page.evaluate(OPEN, name)
        else:
            places = {"lab": f"lab/workspaces/{self.opened}/tree", "notebook": "notebooks"}
            url = f"http://127.0.0.1:{line.port}" if line else self.url
            opened.page.goto(f"{url}/{places[app]}/{name}?token={TOKEN}")
        opened.page.wait_for_function(READY, arg=name)
        opened.run_all()
        return opened

    def start_kernel(self) -> str:
        """Start a kernel and return the address of its websocket."""
        kernel = json.loads(self._call("/api/kernels", "POST"))["id"]
        return f"{self.url}/api/kernels/{kernel}/channels?token={TOKEN}".replace("http", "ws", 1)

    def close_pages(self) -> None:
        """Close all notebooks and stop their kernels; one page of JupyterLab is kept."""
        for page, usual in self.pages:
            if usual and not self.spare and not page.is_closed() and page.evaluate(CLEAR):
                self.spare = page
            else:
                page.context.close()
        self.pages.clear()
        for kernel in json.loads(self._call("/api/kernels")):
            self._call(f"/api/kernels/{kernel['id']}", "DELETE")


class LiveNotebook(OpenNotebook):
    """A live lesson. Its kernel is in the page, so that no line shows what widgets send."""

    def run_all(self) -> None:
        self.page.evaluate(
            """() => {
                window.sent = 0;
                const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
                kernel.anyMessage.connect((_, { msg, direction }) => {
                    window.sent += direction === 'send' && msg.header.msg_type === 'comm_msg';
                });
            }"""
        )
        super().run_all()

    def comm_messages(self, start: int = 0) -> int:
        return int(self.page.evaluate("window.sent"))


class LiveSite:
    """The live lessons of a folder, as `overparam-edu serve` hands them out."""

    def __init__(self, folder: Path, browser: Any) -> None:
        self.browser = browser
        self.contexts: list[Any] = []
        [lessons] = (folder / "live" / "files").glob("lessons-*")
        self.edition = lessons.name
        self.server = files_server(folder)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def close_pages(self) -> None:
        """Close all pages, and their kernels with them."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()

    def run_notebook(self, path: Path) -> OpenNotebook:
        """Open a lesson as it is handed out, run it, and return it."""
        opened = self.open(path.stem)
        opened.run_all()
        return opened

    def run_cells(self, *cells: str) -> OpenNotebook:
        """Put these code cells in the place of a lesson's, run them, and return the notebook."""
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        opened = self.open("00_start_here")
        load = "it => jupyterapp.shell.currentWidget.content.model.fromJSON(it)"
        opened.page.evaluate(load, notebook)
        opened.run_all()
        return opened

    def open(self, lesson: str, page: Any = None) -> LiveNotebook:
        """Open a lesson, in a new page or another tab of one's browser, and wait for its kernel."""
        opened = LiveNotebook(page.context.new_page() if page else self.new_page())
        opened.page.set_default_timeout(120_000)
        opened.page.goto(f"{self.url}/live/notebooks/index.html?path={self.path(lesson)}")
        opened.page.wait_for_function(READY, arg=self.path(lesson))
        return opened

    def path(self, lesson: str) -> str:
        return f"{self.edition}/{lesson}.ipynb"

    def new_page(self) -> Any:
        self.contexts.append(self.browser.new_context(viewport={"width": 1280, "height": 720}))
        page = self.contexts[-1].new_page()
        page.set_default_timeout(120_000)
        return page


def find_pyodide() -> str:
    """Return a folder with Pyodide: as it is named, or as a script beside the checkout gets it."""
    if named := os.environ.get("OVERPARAM_EDU_PYODIDE"):
        return named
    script, folder = ROOT.parent / "shared" / "lite" / "get_pyodide.py", BUILD / "pyodide"
    if not script.is_file() or subprocess.run([sys.executable, script, folder]).returncode:
        pytest.skip("no live lessons: set OVERPARAM_EDU_PYODIDE to a folder with Pyodide")
    return str(folder)


def live_python() -> str:
    """Return a Python with the extra `live`, of an environment that is made at the first need.

    What it installs would be loaded by every JupyterLab of the environment where tests run.
    """
    if importlib.util.find_spec("jupyterlite_core"):
        return sys.executable
    home, project = BUILD / "live", (ROOT / "pyproject.toml").read_text("utf-8")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made = home / "made-from.toml"
    if not made.is_file() or made.read_text("utf-8") != project:
        venv.create(home, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "-qq", "--no-compile", "-e", f"{ROOT}[live]"]
        if subprocess.run(pip).returncode:
            (pytest.fail if "OVERPARAM_EDU_PYODIDE" in os.environ else pytest.skip)(NO_LIVE)
        made.write_text(project, "utf-8")
    return str(python)


def build_site(folder: Path) -> Path:
    """Write a page of one piece of code for each lesson, and the live lessons beside them."""
    for path in lesson_notebooks():
        cells = nbformat.read(path, as_version=4).cells
        code = next(code_html(cell.source, cell.id) for cell in cells if cell.cell_type == "code")
        page = f'<html><head></head><body><main id="lesson">{code}'
        (folder / path.with_suffix(".html").name).write_text(page, "utf-8")
    build = "import sys; from overparam_edu.publish.live import build_live as b; b(*sys.argv[1:])"
    pyodide = find_pyodide()
    subprocess.run(
        [live_python(), "-c", build, folder.name, pyodide], cwd=folder.parent, check=True
    )
    return folder


class SavedPage(Watched):
    """A page from the disk without a network."""

    own = "(file|data|blob):"
    messages = ("log", "info", "debug", "warning", "error")

    def __init__(
        self,
        browser: Any,
        path: Path,
        script: str = "",
        settle: bool = True,
        fragment: str = "",
        *,
        used: dict[str, list[Any]],
        **options: Any,
    ) -> None:
        """Open a file; a page among the `used` ones is taken where one has these options."""
        fixed = {name: value for name, value in options.items() if name not in CHANGED}
        self.kind = repr([script, *sorted(fixed.items())])
        if used[self.kind]:
            page = used[self.kind].pop()
        else:
            context = browser.new_context(**fixed)
            context.set_offline(True)
            context.add_init_script(script)
            page = context.new_page()
        super().__init__(page)
        self.page.set_viewport_size(options.get("viewport", VIEWPORT))
        self.page.emulate_media(**{name: options.get(name, "null") for name in CHANGED[1:]})
        self.page.goto(path.as_uri() + (fragment and f"#{fragment}"))
        if not options.get("java_script_enabled", True):
            return
        self.page.wait_for_function("() => !document.querySelector('.waiting')")
        self.players = [Shown(root) for root in self.page.locator(".oe-player").all()]
        for player in self.players if settle else ():
            player.settle()

    def clear(self, used: dict[str, list[Any]]) -> None:
        """Leave nothing of the file in the page, which may serve again."""
        if self.page.is_closed():
            return
        self.page.mouse.up()
        self.page.mouse.move(0, 0)
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.goto("about:blank")
        used[self.kind].append(self.page)


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
        LABS.append(running)
        yield running
        LABS.clear()


@pytest.fixture(scope="session")
def live(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """The live lessons of this checkout, or of a site that is named; else skipped, with words."""
    named = os.environ.get("OVERPARAM_EDU_LIVE")
    site = Path(named) if named else build_site(tmp_path_factory.mktemp("site"))
    running = LiveSite(site, browser)
    yield running
    running.close_pages()
    running.stop()


@pytest.fixture(scope="module", params=["lab", "live"])
def place(request: pytest.FixtureRequest) -> Any:
    """Where lessons run: in JupyterLab, or in the browser itself."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", autouse=True)
def no_pages_left() -> Iterator[None]:
    """A page of JupyterLab that nobody looks at any more would work on beside later tests."""
    yield
    for running in LABS:
        running.close_pages()


@pytest.fixture(scope="session")
def used() -> dict[str, list[Any]]:
    """Pages that showed files and are free again, since to load Plotly anew takes seconds."""
    return defaultdict(list)


@pytest.fixture(scope="session")
def violations() -> Callable[[Any], list[Any]]:
    """Return what gives the rules of accessibility that a page breaks."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    # The page's policy forbids axe its own reading of style sheets.
    options = {"preload": False, "resultTypes": ["violations"]}
    return lambda page: list(axe.Axe().run(page, options=options).response["violations"])


@pytest.fixture
def saved(browser: Any, used: dict[str, list[Any]]) -> Iterator[Callable[..., SavedPage]]:
    pages: list[SavedPage] = []

    def open_page(path: Path, **options: Any) -> SavedPage:
        pages.append(SavedPage(browser, path, used=used, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.clear(used)


@pytest.fixture(scope="session")
def line_to() -> type[Line]:
    return Line


@pytest.fixture(scope="session")
def gestures() -> type[Gestures]:
    return Gestures


@pytest.fixture(params=DELAYS, ids=[f"{1000 * delay:.0f}ms" for delay in DELAYS])
def delay(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture(scope="session")
def watch() -> type[Watched]:
    return Watched


class Firefox:
    """A Firefox with one page, driven by WebDriver BiDi: Playwright wants a build of its own."""

    def __init__(self, path: str, home: Path, *, dark: bool) -> None:
        from websocket import create_connection

        scheme = f'user_pref("layout.css.prefers-color-scheme.content-override", {int(not dark)});'
        home.mkdir()
        (home / "user.js").write_text(scheme)
        command = [path, "--headless", "--no-remote", "--profile", str(home)]
        self.process = subprocess.Popen(
            [*command, "--remote-debugging-port=0", "about:blank"],
            env=os.environ | {"HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = iter(self.process.stderr)
        address = next((found[0] for line in said if (found := re.search(r"ws://\S+", line))), None)
        if address is None:
            raise RuntimeError("Firefox ended before it listened")
        self.reader = threading.Thread(target=list, args=(said,), daemon=True)
        self.reader.start()  # so that Firefox never waits for a reader
        self.socket = create_connection(f"{address}/session", suppress_origin=True, timeout=60)
        self.asked = 0
        self._ask("session.new", capabilities={})
        self.page = self._ask("browsingContext.create", type="tab")["context"]

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.asked += 1
        self.socket.send(json.dumps({"id": self.asked, "method": method, "params": params}))
        answer = {"id": None}
        while answer.get("id") != self.asked:  # what comes between are events
            answer = json.loads(self.socket.recv())
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['message']}")
        return answer["result"]

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self.page, viewport=size)

    def open(self, path: Path) -> None:
        self._ask("browsingContext.navigate", context=self.page, url=path.as_uri(), wait="complete")

    def evaluate(self, function: str, *arguments: Any) -> Any:
        """Return what a function of JavaScript returns, as JSON can say it."""
        given = ", ".join(map(json.dumps, arguments))
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({function})({given}) ?? null))()",
            target={"context": self.page},
            awaitPromise=True,
        )
        if answer["type"] != "success":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def differences(self, scene: Any) -> list[str]:
        """Return where the page's first player does not show a scene's start as Python says it."""
        self.evaluate(
            f"""async () => {{
                while (document.querySelector('.waiting') || !document.querySelector('.oe-player'))
                    await new Promise(requestAnimationFrame);
                await ({STILL})(document.querySelector('.oe-player'));
            }}"""
        )
        drawn = {(scene.place(trace), path): v for (trace, path), v in frame(scene, {}).items()}
        player = "document.querySelector('.oe-player')"
        seen = self.evaluate(f"keys => ({DRAWN})({player}, keys)", [list(key) for key in drawn])
        reading = self.evaluate(f"() => {player}.querySelector('.oe-reading').innerText")
        pairs = [
            *zip(drawn, seen, drawn.values(), strict=True),
            ("", reading, describe(scene, {})),
        ]
        return [
            f"{key}: {got}, not {wanted}" for key, got, wanted in pairs if not same(got, wanted)
        ]

    def screenshot(self) -> bytes:
        """Return the whole page as a PNG."""
        shot = self._ask("browsingContext.captureScreenshot", context=self.page, origin="document")
        return base64.b64decode(shot["data"])

    def stop(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Firefox]]:
    """Yield what gives the session's light or dark Firefox; without one, as for Chromium."""
    named = os.environ.get("OVERPARAM_EDU_FIREFOX")
    path = next(filter(None, map(shutil.which, [named] if named else FIREFOXES)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_FIREFOX)
    homes = tmp_path_factory.mktemp("firefox")
    running: dict[bool, Firefox] = {}

    def get(*, dark: bool = False) -> Firefox:
        if dark not in running:
            running[dark] = Firefox(path, homes / str(dark), dark=dark)
        return running[dark]

    yield get
    for one in running.values():
        one.stop()
