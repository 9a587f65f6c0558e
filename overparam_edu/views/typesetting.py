"""A derivation's prose and equations as HTML that fits across a card."""

from __future__ import annotations

import html
import re

from overparam_edu.views.mathml import mathml

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
