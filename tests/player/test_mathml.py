"""Mathematics in HTML: all that the course writes can be read, and its font has every sign."""

from __future__ import annotations

import base64
import io
import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from fontTools.ttLib import TTFont

import overparam_edu.derivations as proofs
from overparam_edu.player.mathml import (
    broken,
    math_font,
    mathml,
    prose,
    typeset,
    with_symbols,
)
from overparam_edu.player.page import styles
from overparam_edu.publish.pages import lesson_notebooks

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", flags=re.S)
# Letters with which MathML says "bold", "script" or "double-struck" are drawn as these.
ALPHABETS = "𝐀𝐳𝐴𝑧𝒜𝓏ℝℓ"

DERIVATIONS = [
    proofs.warm_up(),
    proofs.end_to_end_rule(4, weight_decay=True),
    proofs.preconditioning(3),
    proofs.single_output(),
    proofs.illustration(),
]


@pytest.mark.parametrize("proof", DERIVATIONS, ids=lambda proof: proof.name)
def test_every_line_of_every_derivation_becomes_mathml(proof: proofs.Derivation) -> None:
    for step in proof.steps:
        text = mathml(step.to_latex(), display=True)
        root = ElementTree.fromstring(text)
        assert root.get("display") == "block"
        words = "".join(root.itertext())
        assert "\\" not in words, "a command that the converter does not know"
        assert "&" not in words, "an alignment that the converter does not know"
        rows = root.findall(".//{*}mtr")
        assert len(rows) >= len(step.to_latex().split(r" \\\\ "))


def test_superscripts_and_fractions_are_where_they_belong() -> None:
    root = ElementTree.fromstring(mathml(r"\lVert w\rVert^{2-\frac2N}"))
    [power] = root.findall(".//{*}msup")
    assert "".join(power[1].itertext()) == "2−2N"
    assert power.find(".//{*}mfrac") is not None


def bases(latex: str) -> list[str]:
    """Return what the scripts of a formula stand on."""
    root = ElementTree.fromstring(mathml(latex))
    scripted = [part for part in root.iter() if re.search(r"}(msu[bp]+|munder|mover)$", part.tag)]
    return ["".join(part[0].itertext()) for part in scripted]


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\bigl[W W^\top\bigr]^{\frac{j-1}{N}}", ["[WW⊤]", "W"]),
        (r"\bigl(|a|^{-2} + (p-2)\,t\bigr)^{-1/(p-2)}", ["(|a|−2+(p−2)t)", "|a|"]),
        (r"\bigl|\langle x_i, w\rangle - y_i\bigr|^p", ["|⟨xi,w⟩−yi|", "x", "y"]),
        (r"\lVert W\rVert^2 + \lVert V\rVert^2", ["‖W‖", "‖V‖"]),
        (r"(g + (N-1)\,g)_1", ["(g+(N−1)g)"]),
        (r"[0, 1)^2", ["[0,1)"]),
        (r"\left(a | b\right)^2", ["(a|b)"]),
        (r")^2", [")"]),
    ],
)
def test_a_script_stands_on_both_fences_and_what_is_between(
    latex: str, expected: list[str]
) -> None:
    assert bases(latex) == expected


def spaced(latex: str) -> str:
    """Return a formula's signs, with TeX's spaces written as 1, 2 and 3 in brackets."""
    widths = {"0.167em": "[1]", "0.222em": "[2]", "0.278em": "[3]"}
    root = ElementTree.fromstring(mathml(latex))
    return "".join(widths.get(part.get("width", ""), part.text or "") for part in root.iter())


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("a=-b", "a[3]=[3]−b"),
        ("a-b", "a[2]−[2]b"),
        ("f(-r)", "f(−r)"),
        ("x^{a-b}", "xa−b"),
        ("a,b", "a,[1]b"),
        (r"r\le|t|\le R", "r[3]≤[3]|t|[3]≤[3]R"),
        (r"\log x+\log(x)", "log[1]x[2]+[2]log(x)"),
        (r"a\left(b\right)c", "a[1](b)[1]c"),
        (r"a\left(b\right)^2c", "a(b)2c"),
        (r"W_N\cdots W_1", "WN[1]⋯[1]W1"),
        (r"\tfrac{a-b}2", "a−b2"),
        (r"\Delta W", "ΔW"),
    ],
)
def test_spaces_are_those_of_tex(latex: str, expected: str) -> None:
    assert spaced(latex) == expected


@pytest.mark.parametrize("latex", ["", r"\frac{1}{", r"\left("])
def test_what_is_no_latex_is_named(latex: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"latex must be readable; got {latex!r}")):
        mathml(latex)


def test_prose_has_mathematics_and_no_html_of_others() -> None:
    text = prose("A *rate* $\\eta$ and <script>alert(1)</script> at 5 $ a piece")
    assert "<em>rate</em>" in text
    assert len(re.findall("<math", text)) == 1
    assert "<script" not in text
    assert prose("<b>bold</b>", html=True) == "<p><b>bold</b></p>"


@pytest.mark.parametrize(
    ("plain", "marked"),
    [
        ("a step of size eta", "a step of size <i>η</i>"),
        ("W W^T is beta", "<i>W</i> <i>W</i><sup>T</sup> is beta"),
        ("lambda_rs < 0", "<i>λ</i><sub>rs</sub> &lt; 0"),
        ("N w_1^a", "<i>N</i> <i>w</i><sub>1</sub><sup>a</sup>"),
        ("w_1 is w / omega_2", "<i>w</i><sub>1</sub> is <i>w</i> / <i>ω</i><sub>2</sub>"),
        ("don't, the talk's", "don't, the talk's"),
        ("A projection", "A projection"),
    ],
)
def test_symbols_of_plain_prose(plain: str, marked: str) -> None:
    assert with_symbols(plain) == marked
    assert with_symbols("gamma < 0", marked=False) == "γ < 0"


@pytest.mark.parametrize("proof", DERIVATIONS, ids=lambda proof: proof.name)
def test_no_sign_is_lost_where_lines_are_broken_or_joined(proof: proofs.Derivation) -> None:
    def signs(maths: str) -> list[str]:
        """Return letters, numbers and signs in order, without spaces and commas."""
        text = "".join(ElementTree.fromstring(f"<all>{maths}</all>").itertext())
        return [sign for sign in text if not sign.isspace() and sign != ","]

    for step in proof.steps:
        whole, fitted = signs(mathml(step.to_latex())), signs(typeset(step.to_latex()))
        assert whole.count("⇒") >= fitted.count("⇒")  # equations side by side share one arrow
        assert [s for s in fitted if s != "⇒"] == [s for s in whole if s != "⇒"]


def test_long_lines_are_broken_at_signs_and_brackets_only() -> None:
    sums = "& x = " + " + ".join(rf"\left(a_{{{n}}} + b\right)" for n in range(20))
    rows = broken(sums)
    assert len(rows) > 1
    assert all(row.count(r"\left(") == row.count(r"\right)") for row in rows)
    joined = "".join(row.removeprefix(r"&\qquad ") for row in rows)
    assert joined.replace(" ", "") == sums.replace(" ", "")
    product = "& " + " ".join([r"\left(a + b\right)"] * 20)
    assert len(broken(product)) > 1
    assert broken(r"& \left(" + " + ".join("abcdefghij" * 5) + r"\right)")[1:] == []


def test_what_cannot_be_broken_is_smaller() -> None:
    long = r"\begin{aligned}& \left(" + " + ".join("abcdefghij" * 5) + r"\right)\end{aligned}"
    size = float(re.search(r"font-size: ([\d.]+)em", typeset(long))[1])
    assert 0.2 < size < 0.7
    assert "font-size: 1.00em" in typeset(r"\begin{aligned}& a\end{aligned}")
    assert typeset(r"\begin{aligned}& a \\ &= b\end{aligned}").count("<mtr>") == 2


def font() -> TTFont:
    return TTFont(io.BytesIO(math_font()))


def test_every_sign_of_every_lesson_is_in_it() -> None:
    known = font().getBestCmap()
    wanted: set[str] = set(ALPHABETS)
    for path in lesson_notebooks():
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


def test_it_is_what_its_recipe_makes() -> None:
    recipe = runpy.run_path(str(Path(__file__).with_name("make_font.py")))
    made, kept = TTFont(io.BytesIO(recipe["made"]())), font()
    assert made.getGlyphOrder() == kept.getGlyphOrder()
    for table in ("MATH", "GSUB", "cmap", "hmtx", "glyf"):
        assert made.getTableData(table) == kept.getTableData(table)


def test_pages_bring_it_along() -> None:
    [data] = re.findall(r"src: url\(data:font/woff;base64,([^)]+)\)", styles())
    assert base64.b64decode(data) == math_font()
