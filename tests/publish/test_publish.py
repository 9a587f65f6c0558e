"""Lessons as pages and on the projector, without a browser."""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets
import nbformat
import plotly.graph_objects as go
import pytest
from nbclient import NotebookClient

from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Scene
from overparam_edu.publish import pages
from overparam_edu.publish.pages import build_pages, executed, lesson, lesson_notebooks
from overparam_edu.publish.presenter import Bookmark

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"


@pytest.mark.parametrize("path", lesson_notebooks(), ids=lambda path: path.stem)
def test_prose_and_maths_of_every_notebook_become_html(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    names = [other.stem for other in lesson_notebooks()]
    made = lesson(notebook, path.stem, linked=names)
    assert made.title
    assert made.goal
    assert int(made.minutes) > 0
    outside = re.sub(r"<pre.*?</pre>|<code.*?</code>", "", made.body, flags=re.S)
    words = re.sub(r"<[^>]+>", "", outside)
    assert "\\" not in words, "a command that the converter does not know"
    assert "$" not in words, "a formula that was not found"
    assert ".ipynb" not in re.sub(r">[^<]*<", "><", outside), "a link that leads nowhere"
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    text = re.sub(r"`[^`]*`", "", "".join(sources))
    formulas = len(re.findall(r"\$\$.+?\$\$|\$[^$\n]+?\$", text, flags=re.S))
    assert outside.count("<math") >= formulas
    assert outside.count("<math") == outside.count("</math>")


def test_solutions_are_folded_and_outputs_are_text() -> None:
    links = "[None but](b.ipynb), [there](b.ipynb#section-2), [None of these](c.ipynb)"
    cells = [
        nbformat.v4.new_markdown_cell(f"# Title\n\n{links}"),
        nbformat.v4.new_code_cell("x = '<b>'", metadata={"tags": ["solution"]}),
    ]
    stream = {"name": "stdout", "text": f"\x1b[31m{HOSTILE}\x1b[0m"}
    cells[1].outputs = [nbformat.v4.new_output("stream", **stream)]
    made = lesson(nbformat.v4.new_notebook(cells=cells), "a", linked=["a", "b"])
    # A text keeps the word "None".
    assert '<a href="b.html">None but</a>, <a href="b.html#section-2">there</a>' in made.body
    assert "</a>, None of these</p>" in made.body
    assert '<details class="solution"><summary>Solution</summary>' in made.body
    assert "\x1b" not in made.body
    assert not re.search("<(script|img)", made.body)


def test_scenes_that_are_equal_are_one_file() -> None:
    first = {"spec": {"figure": None, "axes": [], "narrow": {}}}
    pieces = [
        {"scenes": [first, *({"buffer": letter} for letter in letters)]} for letters in ("ab", "bc")
    ]
    rest = {"choices": [], "sentence": ""}
    data = {"application/vnd.overparam-edu.pieces+json": [piece | rest for piece in pieces]}
    cell = nbformat.v4.new_code_cell("")
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    made = lesson(nbformat.v4.new_notebook(cells=[cell]), "a")
    assert len(made.scenes) == 3
    assert all(made.body.count(key) == 1 + ('"b"' in text) for key, text in made.scenes.items())


def test_a_lessons_kernel_does_not_load_what_reads_notebooks() -> None:
    code = "import sys, overparam_edu.publish.pages as p; p.keep_pieces; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"nbformat", "nbclient", "jsonschema"}.isdisjoint(done.stdout.split())


def test_a_progress_bar_leaves_nothing_on_a_page(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("from tqdm.auto import tqdm\nfor _ in tqdm(range(2)): pass")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    with ThreadPoolExecutor(1) as pool:  # in this one a browser's loop may run
        assert pool.submit(executed, tmp_path / "a.ipynb").result().cells[0].outputs == []


def test_no_notebook_loses_its_page_to_another(tmp_path: Path, monkeypatch: Any) -> None:
    """Two of one name, one called index, and one that has the name another would get."""
    paths = [tmp_path / name for name in ("a/x.ipynb", "b/x.ipynb", "index.ipynb", "b/x-2.ipynb")]
    paths.append(tmp_path / "c" / "X.ipynb")  # the same file where case does not count

    def run(path: Path) -> Any:
        words = [nbformat.v4.new_markdown_cell(f"# From {path.relative_to(tmp_path)}")]
        return nbformat.v4.new_notebook(cells=words)

    monkeypatch.setattr("overparam_edu.publish.pages.executed", run)
    built = build_pages(tmp_path / "out", notebooks=paths)
    names = [page.name for page in built.lessons]
    assert names == ["x.html", "x-2.html", "index-2.html", "x-2-2.html", "X-3.html"]
    start = built.start.read_text(encoding="utf-8")
    for path, page in zip(paths, built.lessons, strict=True):
        title = f"From {path.relative_to(tmp_path)}"
        assert f"<h1>{title}</h1>" in page.read_text(encoding="utf-8")
        assert f'<a href="{page.name}">{title}</a>' in start


def test_a_bookmark_holds_what_is_not_as_it_opened_and_brings_it_back() -> None:
    def build(power: int) -> Scene:
        return Scene(go.Figure(), [Axis("step", "step", [0, 1])], [])

    explorer = Explorer(build, {"power": widgets.ToggleButtons(options=[2, 4])})
    bookmark = Bookmark([explorer])
    explorer.set(power=4)
    assert bookmark.settings == {"0": {"power": 1}}
    bookmark.restore({})
    assert explorer.values == {"power": 2}
    bookmark.restore({"0": {"power": 7}})  # an option that is not there
    assert explorer.values == {"power": 2}


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])
def test_what_stops_one_notebook_ends_kernels_that_are_only_starting(
    end: type[BaseException], monkeypatch: Any
) -> None:
    begun: list[str] = []
    ended: list[str] = []

    class Client:  # of nbclient, which has a process only once its kernel has started
        km: Any = None

    def run(path: Path) -> None:
        if path.stem == "first":
            if end is RuntimeError:
                raise RuntimeError("first does not run")
            return
        begun.append(path.stem)
        client, killed = Client(), threading.Event()
        pages._clients.add(client)
        time.sleep(0.3)
        process = SimpleNamespace(kill=killed.set)
        client.km = SimpleNamespace(provisioner=SimpleNamespace(process=process))
        if killed.wait(10):
            ended.append(path.stem)

    def tell(line: str) -> None:
        if line.startswith("1 of 4"):
            raise KeyboardInterrupt

    monkeypatch.setattr(pages, "executed", run)
    monkeypatch.setattr(pages, "_clients", set())
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    names = ["first", "starts", "may start", "never starts"]
    with pytest.raises(end):
        pages._each_executed([Path(name) for name in names], tell)
    assert "starts" in begun
    assert "never starts" not in begun
    assert sorted(ended) == sorted(begun)


def test_an_interrupt_while_a_notebook_is_handed_over_ends_it_too(monkeypatch: Any) -> None:
    killed = threading.Event()

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *work: Any, **named: Any) -> Any:
            super().submit(*work, **named)
            raise KeyboardInterrupt

    def run(_: Path) -> None:
        process = SimpleNamespace(kill=killed.set)
        manager = SimpleNamespace(provisioner=SimpleNamespace(process=process))
        clients.append(SimpleNamespace(km=manager))
        killed.wait(5)

    monkeypatch.setattr(pages, "executed", run)
    monkeypatch.setattr(pages, "ThreadPoolExecutor", Interrupted)
    clients: list[Any] = []
    monkeypatch.setattr(pages, "_clients", clients)
    with pytest.raises(KeyboardInterrupt):
        pages._each_executed([Path("first")], lambda _: None)
    assert killed.is_set()


@pytest.mark.slow
def test_a_kernel_that_cannot_start_is_said_plainly(tmp_path: Path, monkeypatch: Any) -> None:
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = {"argv": [sys.executable, "-c", "0"], "display_name": "gone", "language": "python"}
    kernel.write_text(json.dumps(command))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    left: list[Any] = []  # to be called at the exit, where nbclient's fails
    monkeypatch.setattr(atexit, "register", lambda call, *_: left.append(call) or call)
    monkeypatch.setattr(atexit, "unregister", left.remove)
    # A browser's tests leave an event loop in the main thread.
    with (
        ThreadPoolExecutor(1) as thread,
        pytest.raises(RuntimeError, match=r"^a\.ipynb does not run: Kernel died"),
    ):
        thread.submit(executed, path).result()
    assert not [call for call in left if isinstance(getattr(call, "__self__", 0), NotebookClient)]
