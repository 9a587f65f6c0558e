"""A font for formulas in pages, since few systems bring one."""

from __future__ import annotations

import io
from functools import cache
from importlib.metadata import distribution

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
