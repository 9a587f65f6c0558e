"""The live site's parts: Pyodide as released, packages that say what is in them, a server."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.request
import zipfile

import pytest

from overparam_edu.cli.serve import files_server
from overparam_edu.publish import live


def _pyodide(folder, version=live.PYODIDE):
    lock = {"info": {"version": version}, "packages": {}}
    for name in (*live._OF_PYODIDE, "openblas"):
        (folder / f"{name}.whl").write_bytes(name.encode())
        entry = {"file_name": f"{name}.whl", "sha256": live._digest(name.encode()), "depends": []}
        lock["packages"][name] = entry
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))


def test_a_pyodide_that_is_not_as_released_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"pyodide must be a folder .* get pyodide-0\.27\.7"):
        live.build_live(tmp_path, tmp_path)
    _pyodide(tmp_path, "0.28.0")
    with pytest.raises(ValueError, match=r"version 0\.27\.7; got 0\.28\.0"):
        live.build_live(tmp_path, tmp_path)
    _pyodide(tmp_path)
    with pytest.raises(ValueError, match=r"as released; got another list"):
        live.build_live(tmp_path, tmp_path)
    wanted = sorted((f"{name}.whl", live._digest(name.encode())) for name in live._OF_PYODIDE)
    monkeypatch.setattr(live, "_LIST", live._digest(json.dumps(wanted).encode()))
    with pytest.raises(ValueError, match=r"as released; got another pyodide\.js"):
        live.build_live(tmp_path, tmp_path)
    monkeypatch.setattr(live, "_CORE", {})
    assert set(live._verified(tmp_path)["packages"]) > {"numpy"}
    (tmp_path / "numpy.whl").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"as released; got another numpy\.whl"):
        live.build_live(tmp_path, tmp_path)


def test_what_is_large_is_a_few_lines_until_it_is_imported(tmp_path):
    entry = live._written("large", "1.2", {"large/__init__.py": b"x" * 10_000}, tmp_path)
    late = live._late(entry, ["library.zip"], tmp_path)
    assert (late["name"], late["version"], late["imports"]) == ("large", "1.2", ["large"])
    with zipfile.ZipFile(tmp_path / late["file_name"]) as archive:
        code = archive.read("large/__init__.py").decode()
    compile(code, "large", "exec")
    assert entry["file_name"] in code
    assert "library.zip" in code


def test_an_edition_changes_with_its_lessons(tmp_path):
    path = tmp_path / "00.ipynb"
    path.write_text("one")
    before = live._edition([path])
    path.write_text("two")
    assert live._edition([path]) != before


def test_serve_packs_what_shrinks(tmp_path):
    (tmp_path / "a.wasm").write_bytes(b"0" * 5000)
    with files_server(tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/a.wasm"
        asked = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(asked) as answer:
            packed = answer.read()
            assert answer.headers["Content-Type"] == "application/wasm"
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == gzip.decompress(packed) == b"0" * 5000
        server.shutdown()
    assert len(packed) < 100
