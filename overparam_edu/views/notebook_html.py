"""A notebook's cells as HTML: prose with mathematics, code in colour, outputs that are text."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from overparam_edu.views.mathml import prose

# What a terminal takes for colours.
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def prose_html(markdown: str) -> str:
    """Return a Markdown cell; formulas and tables scroll by themselves where a screen is narrow.

    Parameters
    ----------
    markdown : str
        HTML in it is kept: it is the notebook's author's.

    Returns
    -------
    str
    """
    return _scrolling(prose(markdown, html=True))


def code_html(source: str) -> str:
    """Return Python in colour, to be folded.

    Parameters
    ----------
    source : str

    Returns
    -------
    str

    Examples
    --------
    >>> "<details" in code_html("x = 1")
    True
    """
    lines = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    pre = f'<pre tabindex="0"><code>{lines}</code></pre>'
    return f'<details class="code" open><summary>Code</summary>{pre}</details>'


def output_html(output: Mapping[str, Any]) -> str:
    """Return a code cell's output, other than a widget.

    Parameters
    ----------
    output : mapping
        As nbformat has it.

    Returns
    -------
    str
        Empty if there is nothing to be seen.

    Examples
    --------
    >>> output_html({"output_type": "stream", "text": "1 < 2"})
    '<pre class="said" tabindex="0">1 &lt; 2</pre>'
    """
    if output["output_type"] == "stream":
        return _said(output["text"])
    if output["output_type"] == "error":
        return _said("\n".join(output["traceback"]))
    data = output.get("data", {})
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return _scrolling(prose(data[kind]))
    if "text/html" in data:
        return _scrolling(str(data["text/html"]))
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            words = html.escape(data.get("text/plain", "Figure"))
            return f'<img src="data:{kind};base64,{data[kind].strip()}" alt="{words}">'
    return _said(data["text/plain"]) if "text/plain" in data else ""


def _scrolling(text: str) -> str:
    inner = r'(<math[^>]*display="block".*?</math>|<table>.*?</table>)'
    return re.sub(inner, r'<div class="scrolls" tabindex="0">\1</div>', text, flags=re.S)


def _said(text: str) -> str:
    return f'<pre class="said" tabindex="0">{html.escape(ANSI.sub("", text).rstrip())}</pre>'
