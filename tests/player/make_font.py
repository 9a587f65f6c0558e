"""Make the course's font for formulas from STIX Two Math: ``python tests/player/make_font.py``.

It is the part that formulas need, with what browsers read otherwise than TeX set right. Needs
fonttools, and ziamath, which brings the whole font.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from fontTools.subset import Options, Subsetter, parse_unicodes
from fontTools.ttLib import TTFont

FILE = Path(__file__).parents[2] / "overparam_edu/player/formulas.woff"
# What the course's formulas are made of: Latin, accents, Greek, punctuation, arrows, operators,
# brackets, and the italic, script and double-struck alphabets.
CHARACTERS = (
    "0020-00FF,02C6-02DD,0300-0338,0391-03F5,2010-2057,20D0-20D7,2100-214F,2190-21D4,2200-22F1,"
    "2308-230B,23D0-23DF,27E6-27FF,1D400-1D467,1D49C-1D4CF,1D6A4-1D71B"
)
# Of all a fence's sizes, Chromium gives room for the widest: above this they are put together from
# parts, which are narrower. In thousandths of an em, like all below.
TALLEST, TALLEST_WHOLE = 1700, 2400  # the second of a fence that has no parts
BEARING = 20  # of sizes above the first, on either side
# TeX's sup_drop and sub_drop: how far scripts stand below the top, and the bottom, of what is tall.
DROPS = {"SuperscriptBaselineDropMax": 386, "SubscriptBaselineDropMin": 50}


def made() -> bytes:
    """Return the font as WOFF."""
    file = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    options = Options(hinting=False, layout_features=["math", "ssty"], notdef_outline=True)
    options.name_IDs += [13, 14]  # the licence
    with TTFont(str(file), recalcBBoxes=False, recalcTimestamp=False) as font:
        for name, drop in DROPS.items():
            getattr(font["MATH"].table.MathConstants, name).Value = drop
        narrow_fences(font)
        # Chromium looks for shapes in scripts under an alphabet's name, not under "math".
        scripts = font["GSUB"].table.ScriptList.ScriptRecord
        [maths] = [record.Script for record in scripts if record.ScriptTag == "math"]
        for record in scripts:
            record.Script = copy.deepcopy(maths)
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=parse_unicodes(CHARACTERS))
        subsetter.subset(font)
        font.flavor = "woff"
        result = io.BytesIO()
        font.save(result)
    return result.getvalue()


def narrow_fences(font: TTFont) -> None:
    """Take the widest sizes away, and the room beside the others."""
    variants, names = font["MATH"].table.MathVariants, font.getBestCmap()
    fences = {names[ord(sign)] for sign in "()[]{}⟨⟩⌊⌋⌈⌉"}
    for name, growth in zip(
        variants.VertGlyphCoverage.glyphs, variants.VertGlyphConstruction, strict=True
    ):
        if name not in fences:
            continue
        parts = growth.GlyphAssembly
        tallest = TALLEST if parts else TALLEST_WHOLE
        sizes = [r for r in growth.MathGlyphVariantRecord if r.AdvanceMeasurement <= tallest]
        growth.MathGlyphVariantRecord, growth.VariantCount = sizes, len(sizes)
        for size in sizes[1:]:
            shift(font, [size.VariantGlyph])
        if parts:
            shift(font, dict.fromkeys(part.glyph for part in parts.PartRecords))


def shift(font: TTFont, names: Iterable[str]) -> None:
    """Leave a bearing to the left and right of glyphs, which stay above each other."""
    by = BEARING - min(font["glyf"][name].xMin for name in names)
    for name in names:
        glyph = font["glyf"][name]
        glyph.coordinates.translate((by, 0))
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][name] = glyph.xMax + BEARING, glyph.xMin


if __name__ == "__main__":
    FILE.write_bytes(made())
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
