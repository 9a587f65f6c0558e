"""Mathematics in HTML: everything the course writes can be read, and users' text stays text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

import overparam_edu.derivations as proofs
from overparam_edu.player.mathml import mathml, prose

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
