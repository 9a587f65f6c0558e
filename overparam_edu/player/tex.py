"""TeX's rules for MathML: fences in pairs, scripts on pairs, and the space between two signs.

A converter writes signs one after another, and a script on the closing fence alone; what browsers
make of that differs. TeX's classes of signs and its table of spaces are in The TeXbook, ch. 18.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

_OPENING, _CLOSING, _BARS = frozenset("([{⟨⌊⌈"), frozenset(")]}⟩⌋⌉"), frozenset("|‖∣∥")
_FENCES = _OPENING | _CLOSING | _BARS
_LIMITED = frozenset("∑∏∐⋃⋂⨁⨂")  # their limits stand above and below in displays
# Hats and dots as the font draws them over letters; TeX's own are signs of a keyboard.
_ACCENTS = {"^": "ˆ", "~": "˜"} | {accent: accent for accent in "ˆ˜˙¨¯ˇ˘´`˚⃗→"}
_BRACES = {"⏟": ("munder", "accentunder"), "⏞": ("mover", "accent")}
# TeX's \big is 1.2 em; the font's next size is a hair less.
_SIZES = {"1.2em": "1.18em", "1.623em": "1.65em"}
_SCRIPTS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
_SCRIPTED = frozenset([*_SCRIPTS, *_SCRIPTS.values()])
_ROWS = frozenset(["math", "mrow", "mstyle", "mtd", "msqrt", "mpadded", "mphantom"])
# What makes \left and \right grow; TeX lets letters, indices and primes stick out a little.
_TALL = frozenset(["mfrac", "mtable", "msqrt", "mroot", *_SCRIPTS.values(), "msup", "msubsup"])

_CLASSES = ("Ord", "Op", "Bin", "Rel", "Open", "Close", "Punct", "Inner")
# Thin, medium and thick, in a row's order of classes; only t is kept in scripts.
_TABLE = {
    "Ord": "0t230001",
    "Op": "tt030001",
    "Bin": "22002002",
    "Rel": "33003003",
    "Open": "00000000",
    "Close": "0t230001",
    "Punct": "11011111",
    "Inner": "1t231011",
}
_WIDTHS = {"t": "0.167em", "1": "0.167em", "2": "0.222em", "3": "0.278em"}
_SIGNS = {
    "Op": r"[∑∏∐∫-∳⋀-⋃⨀-⨆]|[a-z].+",
    "Bin": r"[-+−*±∓×÷·∗∘∙∩∪∧∨⊕-⊙⋅⋆]",
    "Rel": r"[=<>:]|:=|[←-⇿⟰-⟿∈-∍∝≀-⊋⊏-⊒⊢⊣≪≫]|[∼-≏]",
    "Open": r"[(\[{⟨⌊⌈]",
    "Close": r"[)\]}⟩⌋⌉]",
    "Punct": r"[,;]",
    "Inner": r"[…⋯⋮⋱]",
}


def arrange(formula: Element, *, display: bool) -> None:
    """Arrange a formula, in place, as TeX would: signs, fences, spaces."""
    for part in formula.iter():
        _name(part)
    _pair(formula)
    _space(formula, display=display, script=False)


def _name(part: Element) -> None:
    """Give a sign, accent or big operator the tag and attributes that it is drawn right with."""
    text = part.text or ""
    if part.tag == "mi" and text in _FENCES:
        part.tag = "mo"
    if part.tag == "mo" and text == "∂":
        part.tag = "mi"
    # Beside an upright name in `mi`, Firefox leaves room of its own.
    if part.tag == "mi" and len(text) > 1 and text.isalpha():
        part.tag = "mo"
    if part.tag == "mi" and ("Α" <= text <= "Ω" or part.get("mathvariant") == "normal"):
        part.tag = "mtext"
    if part.tag == "mo":
        part.attrib.update(lspace="0", rspace="0")
        for bound in ("minsize", "maxsize"):
            if bound in part.attrib:
                part.set(bound, _SIZES.get(part.attrib[bound], part.attrib[bound]))
        if text in _FENCES:
            part.attrib.setdefault("stretchy", "false")
    if part.tag in _SCRIPTED:
        base, *scripts = part
        sign = (scripts[0].text or "") if scripts[0].tag == "mo" else ""
        if base.tag == "mo" and base.text in _LIMITED:
            part.tag = _SCRIPTS.get(part.tag, part.tag)
        elif sign in _BRACES and part.tag == _BRACES[sign][0]:
            part.set(_BRACES[sign][1], "true")
        elif sign in _ACCENTS and part.tag == "mover":
            part.set("accent", "true")
            scripts[0].text = _ACCENTS[sign]
            scripts[0].attrib.setdefault("stretchy", "false")


def _pair(row: Element) -> None:
    """Put each pair of fences and what stands between into a row; the closing one's script on it.

    Two equal bars are a pair; a bar that is alone within brackets stays alone.
    """
    for part in row:
        _pair(part)
    if _grows(row) and not any(map(_is_tall, row[1:-1])):
        row[0].set("stretchy", "false")
        row[-1].set("stretchy", "false")
    if row.tag not in _ROWS:
        return
    done: list[Element] = []
    opened: list[tuple[int, tuple[str, str]]] = []  # where, and the fence and its size
    for part in row:
        done.append(part)
        fence = part[0] if part.tag in _SCRIPTED else part
        sign = fence.text or ""
        if fence.tag != "mo" or sign not in _FENCES or "form" in fence.attrib:
            continue
        kind = sign, fence.get("minsize", "")
        closes = sign in _CLOSING or (sign in _BARS and opened[-1:] != [] and opened[-1][1] == kind)
        if sign in _CLOSING:
            while opened and opened[-1][1][0] in _BARS:
                opened.pop()
        if closes and opened:
            start, _ = opened.pop()
            pair = Element("mrow")
            pair.extend([*done[start:-1], fence])
            if part is not fence:
                part[0] = pair
            done[start:] = [pair if part is fence else part]
        elif not closes and part is fence:
            opened.append((len(done) - 1, kind))
    row[:] = done


def _grows(row: Element) -> bool:
    """Return whether a row is what stands between a left and a right of TeX's."""
    return len(row) > 1 and {"prefix", "postfix"} == {row[0].get("form"), row[-1].get("form")}


def _is_tall(part: Element) -> bool:
    primes = part.tag == "msup" and set("".join(part[1].itertext())) <= {"′", "″", "‴"}
    accented = "accent" in part.attrib
    own = (part.tag in _TALL and not primes and not accented) or "minsize" in part.attrib
    return own or any(map(_is_tall, part))


def _classes(part: Element) -> tuple[str, str] | None:
    """Return TeX's classes of a part, to its left and its right; None for what is but a space."""
    text = part.text or ""
    if part.tag == "mspace" or (part.tag == "mtext" and not text.strip()):
        return None
    if part.tag in ("mo", "mi"):
        kind = next((kind for kind, those in _SIGNS.items() if re.fullmatch(those, text)), "Ord")
        return kind, kind
    if part.tag in _SCRIPTED:
        if any(script.text in _BRACES for script in part.iter("mo")) and part.tag in (
            "munder",
            "mover",
        ):
            return "Op", "Op"
        return ("Ord", "Ord") if _grows(part[0]) else _classes(part[0])
    if part.tag == "mstyle":
        inside = [kinds for kinds in map(_classes, part) if kinds]
        return (inside[0][0], inside[-1][1]) if inside else None
    if _grows(part):
        return "Inner", "Inner"
    return ("Open", "Close") if _is_pair(part) else ("Ord", "Ord")


def _is_pair(row: Element) -> bool:
    """Return whether a row is one pair of fences and what stands between."""
    edges = [row[0], row[-1]] if row.tag == "mrow" and len(row) > 1 else []
    return bool(edges) and all(e.tag == "mo" and (e.text or "") in _FENCES for e in edges)


def _space(part: Element, *, display: bool, script: bool) -> None:
    """Put TeX's spaces between the signs of a part, given the style that it is set in."""
    if "displaystyle" in part.attrib:
        display = part.get("displaystyle") == "true"
        script = part.get("scriptlevel", "1" if script else "0") != "0"
    for number, child in enumerate(part):
        if part.tag == "mfrac":
            _space(child, display=False, script=script or not display)
        elif part.tag in _SCRIPTED and number:
            _space(child, display=False, script=True)
        else:
            _space(child, display=display, script=script)
    if part.tag not in _ROWS:
        return
    kinds = _bound(part)
    done: list[Element] = []
    last = None
    for child, kind in zip(part, kinds, strict=True):
        if kind and last:
            width = _TABLE[last][_CLASSES.index(kind[0])]
            if width != "0" and (width == "t" or not script):
                done.append(Element("mspace", width=_WIDTHS[width]))
        last = kind[1] if kind else last
        done.append(child)
    part[:] = done


def _bound(row: Element) -> list[tuple[str, str] | None]:
    """Return the classes of a row's parts; a binary sign with nothing to bind is a letter."""
    kinds = [_classes(part) for part in row]
    if _grows(row) or _is_pair(row):
        kinds[0], kinds[-1] = ("Open", "Open"), ("Close", "Close")
    left = "Open"
    for place, (part, kind) in enumerate(zip(row, kinds, strict=True)):
        if kind is None:
            # What follows a wide space begins anew.
            left = "Open" if part.get("width") in ("1em", "2em") else left
            continue
        right = next((other[0] for other in kinds[place + 1 :] if other), "Close")
        unbound = left in ("Bin", "Op", "Rel", "Open", "Punct") or right in (
            "Rel",
            "Close",
            "Punct",
        )
        if kind[0] == "Bin" and unbound:
            kind = kinds[place] = "Ord", "Ord"
        left = kind[1]
    return kinds
