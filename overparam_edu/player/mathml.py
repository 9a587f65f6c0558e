"""Mathematics in HTML: MathML from LaTeX and prose, its font, and a proof's lines made to fit."""

from __future__ import annotations

import html
import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from xml.etree import ElementTree

from overparam_edu.player.tex import arrange


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool = False) -> str:
    """Return LaTeX, without its dollar signs, as a ``<math>`` element."""
    from latex2mathml.converter import convert

    # The converter knows `aligned` by another name only.
    readable = latex.replace("{aligned}", "{split}")
    try:
        kind = "block" if display else "inline"
        formula = ElementTree.fromstring(convert(readable, xmlns="", display=kind))
    except Exception as problem:
        raise ValueError(f"latex must be readable; got {latex!r} ({problem})") from problem
    arrange(formula, display=display)
    formula.set("xmlns", "http://www.w3.org/1998/Math/MathML")
    return ElementTree.tostring(formula, encoding="unicode")


def prose(markdown: str, *, html: bool = False) -> str:
    """Return Markdown with ``$mathematics$`` as HTML; `html` keeps tags that stand in it."""
    return str(_markdown(html=html).render(markdown)).strip()


@cache
def _markdown(*, html: bool) -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    def render(text: str, options: dict[str, Any]) -> str:
        return mathml(text.strip(), display=options["display_mode"])

    reader = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    return reader.use(dollarmath_plugin, renderer=render, double_inline=True)


_LETTERS = (
    "eta η rho ρ gamma γ mu μ tau τ omega ω sigma σ lambda λ theta θ kappa κ epsilon ε Delta Δ"
)
_GREEK = dict(re.findall(r"(\w+) (\w)", _LETTERS))


def with_symbols(text: str, *, marked: bool = True) -> str:
    """Return a derivation's plain prose, escaped, with its symbols typeset in HTML.

    Unless `marked`, Greek letters replace their names, and nothing else is done.
    """
    names = rf"(?<![A-Za-z])({'|'.join(_GREEK)})(?![A-Za-z])"
    text = re.sub(names, lambda found: _GREEK[found[1]], text)
    if not marked:
        return text
    text = html.escape(text, quote=False)
    text = re.sub(r"(?<![\w'^])([b-zB-HJ-Zα-ωΔ]|Pr)(?=[\W_]|$)(?!')", r"<i>\1</i>", text)
    text = re.sub(r"(?<=</i>)_(\w+)", r"<sub>\1</sub>", text)
    return re.sub(r"(?<=>)\^(\w+)", r"<sup>\1</sup>", text)


# --- the font ---


@cache
def math_font() -> bytes:
    """Return the font of formulas: part of STIX Two Math, as a web font (WOFF, 0.2 MB)."""
    return resources.files(__package__).joinpath("formulas.woff").read_bytes()


# --- a proof's lines, made to fit across its card ---

# What fits across the card, in em; a wider line is broken at a sign or a bracket.
_WIDE = 26.5
# Commands that are not one letter wide, in letters; `|` stands for a fraction.
_SIZES = {r"\left": "", r"\right": "", r"\frac": "|", r"\sum": "MM", r"\prod": "MM"}
_SIZES |= {r"\qquad": "xxxx", r"\quad": "xx", r"\Rightarrow\ ": "xxx"}
# Scripts, left as dots, are small; signs have room on both sides.
_EMS = {".": 0.4, "+": 1.25, "-": 1.25, "=": 1.3, " ": 0.0, "&": 0.0, ",": 0.4, "(": 0.7, ")": 0.7}


def typeset(latex: str, *, names: bool = True) -> str:
    """Return a step's aligned lines, as `Step.to_latex` gives them, as MathML that fits the card.

    Lines that are too wide are broken, and what can't be broken is smaller. Unless `names`, the
    line that begins with "where" is left out.
    """
    rows = _rows(latex, names=names)
    aligned = r" \\ ".join(rows)
    size = min(1.0, _WIDE / max(_width(row) for row in rows))
    maths = mathml(rf"\begin{{aligned}}{aligned}\end{{aligned}}")
    return f'<div style="font-size: {size:.2f}em">{maths}</div>'


def _rows(latex: str, *, names: bool = True) -> list[str]:
    """Return the rows of an aligned display, side by side where there is room for it.

    Equations share a row only if they stand on the same side of the arrow.
    """
    inside = latex.removeprefix(r"\begin{aligned}").removesuffix(r"\end{aligned}")
    lines = [line for line in inside.split(r" \\ ") if names or r"\text{where }" not in line]
    packed = lines[:1]
    for line in lines[1:]:
        kind = r"&\Rightarrow\ " if line.startswith(r"&\Rightarrow\ ") else "& "
        joined = packed[-1] + r",\quad " + line.removeprefix(kind)
        fits = line.startswith(kind) and packed[-1].startswith(kind) and _width(joined) <= _WIDE
        packed[-1:] = [joined] if fits else [packed[-1], line]
    return [row for line in packed for row in broken(line)]


def broken(line: str) -> list[str]:
    """Return a line of an aligned display as one row, or as several that fit across the card.

    It is broken before a plus or minus, between brackets and after a comma, never inside a pair of
    braces or brackets.
    """
    pieces, depth, start = [], 0, 0
    for token in re.finditer(
        r"\\left\b|\\right\b|\\[{}]|[{}]| [+-] |,\\quad |(?<=\)) \\left\(", line
    ):
        sign = token[0]
        if sign in (r"\left", "{"):
            depth += 1
        elif sign in (r"\right", "}"):
            depth -= 1
        elif depth == 0 and token.start() > start:
            at = token.end() if sign.startswith(",") else token.start()
            pieces.append(line[start:at])
            start = at
        if sign == r" \left(":
            depth += 1
    rows, row = [], ""
    for piece in [*pieces, line[start:]]:
        if row and _width(row + piece) > _WIDE:
            rows.append(row)
            row = r"&\qquad " + piece.lstrip()
        else:
            row += piece
    return [*rows, row]


def _width(latex: str) -> float:
    """Return about how many em a formula is wide."""
    text = re.sub(r"\\text\{([^{}]*)\}", r"\1", latex)
    for command, instead in _SIZES.items():
        text = text.replace(command, instead)
    text = re.sub(r"\\[A-Za-z]+", "x", text)
    before = ""
    while text != before:  # from the innermost braces outwards
        before = text
        text = re.sub(r"(?:[_^]\{[^{}]*\})+", _longest, text)
        text = re.sub(r"\|\{([^{}]*)\}\{([^{}]*)\}", lambda f: max(f[1], f[2], key=len), text)
        text = re.sub(r"(?<![|}_^])\{([^{}]*)\}", r"\1", text)
    return sum(_EMS.get(sign, 0.85 if sign.isupper() else 0.55) for sign in text)


def _longest(scripts: re.Match[str]) -> str:
    """Return the room of a subscript and superscript, which stand above each other, as dots."""
    return "." * max(len(inside) for inside in re.findall(r"\{([^{}]*)\}", scripts[0]))
