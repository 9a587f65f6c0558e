"""Who may listen, what may run, what is trusted; browser/test_pages.py looks at pages."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import ipywidgets as widgets
import nbformat
import pytest

from overparam_edu import explore_own_loss
from overparam_edu.experiments.datasets import UCI_270

psutil = pytest.importorskip("psutil")

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "overparam_edu"
HOSTILE = "<script>hacked=1</script><img src=x onerror=hacked=1>"

# --- what the package may call ---

RUNS_TEXT = {"eval", "exec", "compile", "__import__", "system", "popen", "parse_expr"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
# joblib unpickles what it has kept: the results of the user's own sweeps, in a folder they named.
# An exercise runs its solution, which is text of the package.
ALLOWED = {"sweep.py": ["imports joblib"], "exercise.py": ["exec"]}
# Safe with one argument: function, argument, the values that are safe.
SAFE_WITH = [
    ("torch.load", "weights_only", True),
    ("np.load", "allow_pickle", False),
]


def _modules_of(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def dangers(source: str) -> list[str]:
    """Return the places of a module that run text, unpickle, use a shell or load unchecked data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        found += [f"imports {name}" for name in sorted(_modules_of(node) & UNSAFE_MODULES)]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        last = called.rsplit(".", 1)[-1]
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if last in RUNS_TEXT and called != "re.compile":
            found.append(called)
        if options.get("shell", "False") != "False":
            found.append(f"{called}(shell=...)")
        for name, option, safe in SAFE_WITH:
            if called == name and options.get(option) != str(safe):
                found.append(f"{called} without {option}={safe}")
        if last == "retrieve" and "sha256" not in ast.unparse(node):
            found.append(f"{called} without a hash")
        if last in {"urlopen", "urlretrieve"}:
            found.append(f"{called}, where only pooch downloads")
    return found


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("eval('1')", ["eval"]),
        ("def f(text):\n    exec(text)", ["exec"]),
        ("builtins.eval(text)", ["builtins.eval"]),
        ("from pickle import loads", ["imports pickle"]),
        ("import yaml", ["imports yaml"]),
        ("from joblib import load", ["imports joblib"]),
        ("subprocess.run(words, shell=True)", ["subprocess.run(shell=...)"]),
        ("os.system('ls')", ["os.system"]),
        ("torch.load(path)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=True)", []),
        ("np.load(path, allow_pickle=True)", ["np.load without allow_pickle=False"]),
        ("pooch.retrieve(url, None)", ["pooch.retrieve without a hash"]),
        ("pooch.retrieve(url, f'sha256:{digest}')", []),
        ("urllib.request.urlopen(url)", ["urllib.request.urlopen, where only pooch downloads"]),
        ("re.compile('a')", []),
    ],
)
def test_the_scan_sees_what_is_planted(planted, found):
    assert dangers(planted) == found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_nothing_runs_text_unpickles_or_trusts_a_download(path):
    found = dangers(path.read_text(encoding="utf-8"))
    assert sorted(set(found)) == ALLOWED.get(path.name, [])


def test_scripts_run_no_text_either():
    for path in [*PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.j2")]:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"\b(eval|Function)\(|document\.write", text) == [], path.name


def test_the_download_is_named_by_its_hash_and_comes_encrypted():
    assert re.fullmatch(r"[0-9a-f]{64}", UCI_270.sha256)
    assert UCI_270.url.startswith("https://")


# --- text of a user's ---


def _markup(widget):
    """Yield all text below a widget that a browser would read as markup."""
    if isinstance(widget, widgets.HTML):
        yield widget.value
    for child in getattr(widget, "children", ()):
        yield from _markup(child)


def test_a_loss_that_is_markup_is_shown_as_text():
    explorer = explore_own_loss()
    for text in (HOSTILE, f"w1 + {HOSTILE}", "__import__('os').abort()"):
        explorer.controls["loss"].value = text
        seen = [*_markup(explorer), json.dumps(explorer.player._scene["spec"].get("board") or "")]
        assert [part for part in seen if "<script" in part or "<img" in part] == []
        assert "The picture is still the one before" in explorer.trouble


# --- who may listen ---


def listening(process):
    """Return the addresses on which a process and those it started listen."""
    family = [process, *process.children(recursive=True)]
    found = [c for one in family for c in one.net_connections("inet")]
    return {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN}


def to_others(addresses):
    """Return the addresses that other machines reach."""
    return {ip for ip in addresses if not ip.startswith("127.") and ip != "::1"}


def test_a_socket_that_is_open_to_others_is_seen():
    with socket.create_server(("0.0.0.0", 0)), socket.create_server(("127.0.0.1", 0)):
        seen = listening(psutil.Process())
    assert "0.0.0.0" in to_others(seen)
    assert "127.0.0.1" in seen
    assert to_others({"127.0.0.1", "::1"}) == set()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def _ask(address, method="GET", token=None):
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(address, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, urlsplit(answer.url).path, answer.read().decode()


@pytest.fixture(scope="module", params=["lab", "present"])
def served(request, tmp_path_factory):
    """A command that serves pages, with a kernel running: its process, address and token."""
    if request.param == "present":
        pytest.importorskip("voila")
    folder = tmp_path_factory.mktemp("served")
    (folder / "notebooks").mkdir()
    (folder / "pyproject.toml").touch()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    lesson = folder / "notebooks" / "00_start_here.ipynb"
    nbformat.write(notebook, lesson)
    what = ["--dir", str(folder)] if request.param == "lab" else [str(lesson)]
    command = [sys.executable, "-m", "overparam_edu.cli", request.param, "--no-browser"]
    home = {name: str(folder / "home") for name in ("HOME", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    home["JUPYTER_CONFIG_DIR"] = str(folder / "config")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", _free_port(), *what],
            env=os.environ | home | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        said = "".join(process.stdout.readline() for _ in range(3))
        [(address, token)] = re.findall(r"(http://\S+)\?token=(\w+)", said)
        base = "http://" + urlsplit(address).netloc
        if request.param == "lab":
            _ask(base + "/api/kernels", "POST", token)
        else:
            _ask(f"{address}?token={token}")
        server = psutil.Process(process.pid)
        end = time.monotonic() + 20
        while not server.children() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)  # in which the kernel opens its sockets
        yield server, address, token
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.mark.slow
def test_nothing_listens_beyond_this_machine(served):
    server, _, _ = served
    addresses = listening(server)
    assert addresses & {"127.0.0.1", "::1"}
    assert to_others(addresses) == set()


@pytest.mark.slow
def test_nobody_gets_in_without_the_token(served):
    _, address, token = served
    base = "http://" + urlsplit(address).netloc
    assert len(token) >= 48
    assert _ask(address)[1] == "/login"
    for path in ("/api/contents", "/api/kernels", "/api/sessions"):
        for wrong in (None, "0" * len(token)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                _ask(base + path, token=wrong)
            assert refused.value.code in (403, 404), path
            refused.value.close()
