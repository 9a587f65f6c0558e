"""The font of boards and exported pages has all that the lessons' formulas are made of."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
from fontTools.ttLib import TTFont

from overparam_edu.player.mathml import math_font, mathml
from overparam_edu.player.page import styles

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", flags=re.S)
# Letters with which MathML says "bold", "script" or "double-struck" are drawn as these.
ALPHABETS = "𝐀𝐳𝐴𝑧𝒜𝓏ℝℓ"


def font() -> TTFont:
    return TTFont(io.BytesIO(math_font()))


def test_every_sign_of_every_lesson_is_in_it() -> None:
    known = font().getBestCmap()
    wanted: set[str] = set(ALPHABETS)
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for displayed, inline in FORMULA.findall(text):
            wanted |= set("".join(ElementTree.fromstring(mathml(displayed or inline)).itertext()))
    assert len(wanted) > 80
    assert {sign for sign in wanted if ord(sign) not in known} == set()


def test_brackets_and_roots_can_grow() -> None:
    variants = font()["MATH"].table.MathVariants
    growing = set(variants.VertGlyphCoverage.glyphs)
    names = font().getBestCmap()
    assert {names[ord(sign)] for sign in "()[]{}|‖√∑∫"} <= growing


def test_pages_bring_it_along() -> None:
    [data] = re.findall(r"src: url\(data:font/woff;base64,([^)]+)\)", styles())
    assert base64.b64decode(data) == math_font()
