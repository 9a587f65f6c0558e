"""The pages that `make docs` makes: complete, without a warning, and without another host."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import overparam_edu as oe

pytest.importorskip("pdoc")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


class Page(HTMLParser):
    """A page's text by the names it documents, and what a browser would fetch for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.fetched: list[str] = []
        self._name = ""
        text = path.read_text(encoding="utf-8")
        self.feed(text)
        self.fetched += re.findall(r"url\([\"']?([^)\"']+)|@import\s+[\"']([^\"']+)", text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "section" and "id" in given:
            self._name = given["id"]
        if tag != "a":
            self.fetched += [given[key] for key in ("src", "href") if given.get(key)]

    def handle_data(self, data):
        self.texts[self._name] = self.texts.get(self._name, "") + data


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-W", "error", str(ROOT / "docs" / "build_api.py"), str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    return {path.relative_to(folder).as_posix(): Page(path) for path in folder.rglob("*.html")}


def _public(module, prefix=""):
    """Yield the page, the name and the thing of all that is public."""
    page = f"overparam_edu{prefix}.html"
    for name in module.__all__:
        thing = getattr(module, name)
        if not inspect.ismodule(thing):
            yield page, name, thing
        elif hasattr(thing, "__all__"):
            yield from _public(thing, f"{prefix}/{name}")


PUBLIC = list(_public(oe))


def test_there_are_names_to_look_for():
    assert len(PUBLIC) > 60
    assert {page for page, _, _ in PUBLIC} >= {
        "overparam_edu.html",
        "overparam_edu/derivations.html",
    }


def test_every_public_name_is_there_with_every_argument(pages):
    missing = []
    for page, name, thing in PUBLIC:
        text = pages[page].texts.get(name, "")
        if not callable(thing) or getattr(thing, "_is_protocol", False):
            arguments = set()
        else:
            arguments = set(inspect.signature(thing).parameters) - {"args", "kwargs"}
        # Once in the signature, once in the description.
        missing += [
            f"{name}({word})"
            for word in arguments
            if len(re.findall(rf"\b{re.escape(word)}\b", text)) < 2
        ]
        missing += [name] if (inspect.getdoc(thing) or "?").split()[0] not in text else []
    assert missing == []


def test_formulas_are_drawn_and_nothing_comes_from_another_host(pages):
    foreign = {
        address
        for page in pages.values()
        for found in page.fetched
        for address in ([found] if isinstance(found, str) else found)
        if re.match(r"\w+:|//", address) and not address.startswith("data:")
    }
    assert foreign == set()
    text = "".join("".join(page.texts.values()) for page in pages.values())
    assert re.findall(r":math:|\.\. math|xformula\d+x|\\\(", text) == []
