"""Mathematics in HTML that needs no MathJax: LaTeX to MathML, which browsers draw themselves."""

from __future__ import annotations

from functools import cache, lru_cache
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
