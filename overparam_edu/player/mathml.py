"""A derivation's prose and equations as HTML that fits across a card."""

from __future__ import annotations

import html
import io
import re
from functools import cache, lru_cache
from importlib.metadata import distribution
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

_MATHML = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", _MATHML)
# TeX sets these without space on either side, browsers with some.
_TIGHT = frozenset("|‖/∂.!()[]{}")
_SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "munderover")


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool = False) -> str:
    r"""Return LaTeX as a ``<math>`` element.

    Parameters
    ----------
    latex : str
        Without dollar signs.
    display : bool
        Whether it stands on a line of its own.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is not LaTeX that can be read.

    Examples
    --------
    >>> mathml(r"\eta > 0")[:5]
    '<math'
    """
    # The converter knows `aligned` by another name only.
    readable = latex.replace("{aligned}", "{split}")
    try:
        return _spaced(str(convert(readable, display="block" if display else "inline")))
    except Exception as problem:
        raise ValueError(f"latex must be readable; got {latex!r} ({problem})") from problem


def _spaced(math: str) -> str:
    """Return MathML with TeX's spaces and upright Greek capitals, where browsers have other habits.

    TeX sets no space about `_TIGHT`, nor about any operator in a script.
    """
    root = ElementTree.fromstring(math)
    tight = [sign for sign in root.iter(f"{{{_MATHML}}}mo") if (sign.text or "").strip() in _TIGHT]
    for kind in _SCRIPTS:
        for script in root.iter(f"{{{_MATHML}}}{kind}"):
            tight += [sign for part in list(script)[1:] for sign in part.iter(f"{{{_MATHML}}}mo")]
    for sign in tight:
        sign.attrib.update(lspace="0", rspace="0")
    for name in root.iter(f"{{{_MATHML}}}mi"):
        if "Α" <= (name.text or "") <= "Ω":
            name.attrib.setdefault("mathvariant", "normal")
    return ElementTree.tostring(root, encoding="unicode")


def prose(markdown: str, *, html: bool = False) -> str:
    """Return Markdown with ``$mathematics$`` as HTML.

    Parameters
    ----------
    markdown : str
    html : bool
        Keep HTML that stands in it; otherwise it is escaped.

    Returns
    -------
    str

    Examples
    --------
    >>> prose("*Two* < 3")
    '<p><em>Two</em> &lt; 3</p>'
    """
    return str(_markdown(html=html).render(markdown)).strip()


@cache
def _markdown(*, html: bool) -> Any:
    def render(text: str, options: dict[str, Any]) -> str:
        return mathml(text.strip(), display=options["display_mode"])

    reader = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    return reader.use(dollarmath_plugin, renderer=render, double_inline=True)


# What the course's formulas are made of, first and last: Latin, accents, Greek, punctuation,
# arrows, operators, brackets, and the italic, script and double-struck alphabets.
_CHARACTERS = (
    ("\N{SPACE}", "\N{LATIN SMALL LETTER Y WITH DIAERESIS}"),
    ("\u02c6", "\u02dd"),
    ("\u0300", "\u0338"),
    ("\N{GREEK CAPITAL LETTER ALPHA}", "\N{GREEK LUNATE EPSILON SYMBOL}"),
    ("\N{HYPHEN}", "\N{QUADRUPLE PRIME}"),
    ("\u20d0", "\u20d7"),
    ("\u2100", "\u214f"),
    ("\N{LEFTWARDS ARROW}", "\N{LEFT RIGHT DOUBLE ARROW}"),
    ("\N{FOR ALL}", "\N{DOWN RIGHT DIAGONAL ELLIPSIS}"),
    ("\N{LEFT CEILING}", "\N{RIGHT FLOOR}"),
    ("\u23d0", "\u23df"),
    ("\u27e6", "\u27ff"),
    ("\N{MATHEMATICAL BOLD CAPITAL A}", "\N{MATHEMATICAL ITALIC SMALL Z}"),
    ("\N{MATHEMATICAL SCRIPT CAPITAL A}", "\N{MATHEMATICAL SCRIPT SMALL Z}"),
    ("\N{MATHEMATICAL ITALIC SMALL DOTLESS I}", "\N{MATHEMATICAL ITALIC PI SYMBOL}"),
)


@cache
def math_font() -> bytes:
    """Return the part of STIX Two Math that the course needs, as a web font.

    The font comes with ziamath.

    Returns
    -------
    bytes
        In the format WOFF, about 0.2 MB.
    """
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    file = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    options = Options(hinting=False, layout_features=["math", "ssty"], notdef_outline=True)
    wanted = [n for first, last in _CHARACTERS for n in range(ord(first), ord(last) + 1)]
    with TTFont(str(file), lazy=True, recalcBBoxes=False) as font:  # outlines stay as they are
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=wanted)
        subsetter.subset(font)
        font.flavor = "woff"
        result = io.BytesIO()
        font.save(result)
    return result.getvalue()


# What fits across the card, in em; a wider line is broken at a sign or a bracket.
_WIDE = 26.5

_GREEK = {
    "eta": "η",
    "rho": "ρ",
    "gamma": "γ",
    "mu": "μ",
    "tau": "τ",
    "omega": "ω",
    "sigma": "σ",
    "lambda": "λ",
    "theta": "θ",
    "kappa": "κ",
    "epsilon": "ε",
    "Delta": "Δ",
}


def words(text: str, *, marked: bool = True) -> str:
    """Return a derivation's plain prose with its names as mathematics, in HTML.

    Parameters
    ----------
    text : str
        Prose such as ``"moving w_1 moves w omega_2 times as far"``; it is escaped.
    marked : bool
        With italics, subscripts and superscripts; otherwise Greek letters alone, and no HTML.

    Returns
    -------
    str

    Examples
    --------
    >>> words("w_1 is w / omega_2")
    '<i>w</i><sub>1</sub> is <i>w</i> / <i>ω</i><sub>2</sub>'
    >>> words("gamma < 0", marked=False)
    'γ < 0'
    """
    names = "|".join(_GREEK)
    text = re.sub(rf"(?<![A-Za-z])({names})(?![A-Za-z])", lambda found: _GREEK[found[1]], text)
    if not marked:
        return text
    text = html.escape(text, quote=False)
    text = re.sub(r"(?<![\w'^])([b-zB-HJ-Zα-ωΔ]|Pr)(?=[\W_]|$)(?!')", r"<i>\1</i>", text)
    text = re.sub(r"(?<=</i>)_(\w+)", r"<sub>\1</sub>", text)
    return re.sub(r"(?<=>)\^(\w+)", r"<sup>\1</sup>", text)


def typeset(latex: str, *, names: bool = True) -> str:
    r"""Return a step's aligned lines as MathML that fits across the card.

    Parameters
    ----------
    latex : str
        As `Step.to_latex` gives it.
    names : bool
        Whether to keep the line that begins with "where".

    Returns
    -------
    str
        Lines too wide are broken; what can't be broken is smaller.

    Examples
    --------
    >>> typeset(r"\begin{aligned}& a \\ &= b\end{aligned}").count("<mtr>")
    2
    """
    rows = _rows(latex, names=names)
    aligned = r" \\ ".join(rows)
    size = min(1.0, _WIDE / max(_width(row) for row in rows))
    maths = mathml(rf"\begin{{aligned}}{aligned}\end{{aligned}}")
    return f'<div style="font-size: {size:.2f}em">{maths}</div>'


def height(latex: str) -> float:
    r"""Return about how many em the lines that `typeset` makes are tall.

    Parameters
    ----------
    latex : str
        As `Step.to_latex` gives it.

    Returns
    -------
    float

    Examples
    --------
    >>> height(r"\begin{aligned}& a \\ &= b\end{aligned}")
    3.2
    """
    rows = _rows(latex)
    tall = sum(r"\frac" in row or r"\prod" in row for row in rows)
    return 1.6 * len(rows) + 0.8 * tall


def _rows(latex: str, *, names: bool = True) -> list[str]:
    inside = latex.removeprefix(r"\begin{aligned}").removesuffix(r"\end{aligned}")
    lines = [line for line in inside.split(r" \\ ") if names or r"\text{where }" not in line]
    return [row for line in _packed(lines) for row in broken(line)]


def _packed(lines: list[str]) -> list[str]:
    """Return equations with those of the same side of the arrow side by side, if there is room."""
    packed = lines[:1]
    for line in lines[1:]:
        kind = r"&\Rightarrow\ " if line.startswith(r"&\Rightarrow\ ") else "& "
        joined = packed[-1] + r",\quad " + line.removeprefix(kind)
        fits = line.startswith(kind) and packed[-1].startswith(kind) and _width(joined) <= _WIDE
        packed[-1:] = [joined] if fits else [packed[-1], line]
    return packed


def broken(line: str) -> list[str]:
    r"""Return a line of an ``aligned`` display as one row, or as several that fit across the card.

    It is broken before a plus or minus, between brackets and after a comma, never inside a pair of
    braces or brackets.

    Parameters
    ----------
    line : str
        LaTeX that begins with ``&``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> broken(r"& a + b")
    ['& a + b']
    """
    rows, row = [], ""
    for piece in _pieces(line):
        if row and _width(row + piece) > _WIDE:
            rows.append(row)
            row = r"&\qquad " + piece.lstrip()
        else:
            row += piece
    return [*rows, row]


def _pieces(line: str) -> list[str]:
    """Return the parts of a line between the places where it may be broken."""
    pieces, depth, start = [], 0, 0
    for token in re.finditer(
        r"\\left\b|\\right\b|\\[{}]|[{}]| [+-] |,\\quad |(?<=\)) \\left\(", line
    ):
        word = token[0]
        if word in (r"\left", "{"):
            depth += 1
        elif word in (r"\right", "}"):
            depth -= 1
        elif depth == 0 and token.start() > start:
            at = token.end() if word.startswith(",") else token.start()
            pieces.append(line[start:at])
            start = at
        if word == r" \left(":
            depth += 1
    return [*pieces, line[start:]]


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


# Commands that are not one letter wide, in letters; `|` stands for a fraction.
_SIZES = {
    r"\left": "",
    r"\right": "",
    r"\frac": "|",
    r"\qquad": "xxxx",
    r"\quad": "xx",
    r"\Rightarrow\ ": "xxx",
    r"\sum": "MM",
    r"\prod": "MM",
}
# Scripts, left as dots, are small; signs have room on both sides.
_EMS = {".": 0.4, "+": 1.25, "-": 1.25, "=": 1.3, " ": 0.0, "&": 0.0, ",": 0.4, "(": 0.7, ")": 0.7}
