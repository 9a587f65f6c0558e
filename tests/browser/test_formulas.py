"""Every formula of the course in Chromium and Firefox, by its geometry: what TeX would draw."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from latex2mathml.converter import convert
from PIL import Image

import overparam_edu.derivations as proofs
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS
from overparam_edu.explorers.derivation import derivation_scene
from overparam_edu.explorers.own_loss import EXAMPLES, understood
from overparam_edu.explorers.preconditioner import preconditioner_scene
from overparam_edu.player.mathml import mathml, prose
from overparam_edu.player.page import page, styles
from overparam_edu.player.pictures import save
from overparam_edu.player.player import Player
from overparam_edu.publish.pages import build_pages, lesson_notebooks

pytestmark = pytest.mark.browser

WIDTHS = (390, 1035, 1280)
TOWER = "<mfrac><mfrac><mi>x</mi><mi>y</mi></mfrac><mfrac><mi>x</mi><mi>y</mi></mfrac></mfrac>"
DERIVATIONS = [
    proofs.warm_up(),
    proofs.end_to_end_rule(4, weight_decay=True),
    proofs.preconditioning(3),
    proofs.single_output(),
    proofs.illustration(),
]
# What is wrong with the formulas of a page, and how many of each kind were looked at. Browsers
# disagree on a sign's box: Chromium says its ink, Firefox the line's box unless the sign grew.
MEASURE = r"""async () => {
    await document.fonts.ready;
    const faults = [], seen = { formulas: 0, pairs: 0, scripts: 0, primes: 0, signs: 0 };
    const canvas = document.createElement('canvas').getContext('2d');
    const range = document.createRange();
    const slanted = sign => {
        const code = sign.codePointAt(0);
        if (sign === 'h') return 'ℎ';
        if (/[A-Z]/.test(sign)) return String.fromCodePoint(0x1D434 + code - 65);
        if (/[a-z]/.test(sign)) return String.fromCodePoint(0x1D44E + code - 97);
        if (/[α-ω]/.test(sign)) return String.fromCodePoint(0x1D6FC + code - 0x3B1);
        return sign;
    };
    const em = part => parseFloat(getComputedStyle(part).fontSize);
    const line = part => {
        range.selectNodeContents(part);
        return range.getBoundingClientRect();
    };
    const measures = new Map();
    const measured = part => measures.get(part) ?? measures.set(part, text(part)).get(part);
    const text = part => {
        canvas.font = `${em(part)}px "STIX Two Math"`;
        const said = part.textContent;
        const sign = part.tagName === 'mi' && [...said].length === 1 ? slanted(said) : said;
        return canvas.measureText(sign);
    };
    const baseline = part => {
        const box = line(part), { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } =
            measured(part);
        return box.top + box.height * up / (up + down);
    };
    const grown = part => Math.abs(part.getBoundingClientRect().height - line(part).height) > 1;
    const known = new Map();
    const ink = part => known.get(part) ?? known.set(part, look(part)).get(part);
    const look = part => {
        const box = part.getBoundingClientRect();
        if (grown(part)) return box;
        const sizes = measured(part), { left } = line(part), zero = baseline(part);
        return {
            left: left - sizes.actualBoundingBoxLeft,
            right: left + sizes.actualBoundingBoxRight,
            top: zero - sizes.actualBoundingBoxAscent,
            bottom: zero + sizes.actualBoundingBoxDescent,
        };
    };
    const integral = part => /^[∫∮]$/.test(part.textContent);  // slanted: its box says too much
    const brace = part => /[⏟⏞]/.test(part.textContent);
    const leaves = part => (part.matches('mi, mn, mo, mtext') ? [part]
        : [...part.querySelectorAll('mi, mn, mo, mtext')])
        .filter(leaf => leaf.textContent.trim() && !brace(leaf));
    const union = part => {
        const boxes = leaves(part).map(ink);
        return {
            left: Math.min(...boxes.map(box => box.left)),
            right: Math.max(...boxes.map(box => box.right)),
            top: Math.min(...boxes.map(box => box.top)),
            bottom: Math.max(...boxes.map(box => box.bottom)),
        };
    };
    // A sign on the line of a script's base; null for a fraction or a table.
    const onLine = part => part.matches('mi, mn, mo, mtext') ? part
        : part.matches('msub, msup, msubsup, mover') ? onLine(part.children[0])
        : part.matches('mrow') ? [...part.children].filter(one => leaves(one).length)
            .map(onLine).find(one => one && !/^[([{⟨|‖\])}⟩]$/.test(one.textContent)) ?? null
        : null;
    const luminance = colour => {
        const [r, g, b] = colour.match(/[\d.]+/g).map(value => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = luminance(getComputedStyle(document.documentElement).backgroundColor);
    if (document.documentElement.scrollWidth > innerWidth) {
        faults.push(`the page is ${document.documentElement.scrollWidth} wide`);
    }
    for (const math of document.querySelectorAll('math')) {
        const own = math.querySelector('mi') ?? math;  // as a formula's letters are
        const size = em(math), say = text => faults.push(`${text}: ${math.dataset.latex ?? ''}`
            + math.textContent.replace(/\s+/g, ' '));
        seen.formulas += 1;
        const ink_ = luminance(getComputedStyle(own).color);
        const contrast = (Math.max(paper, ink_) + 0.05) / (Math.min(paper, ink_) + 0.05);
        if (contrast < 7) say(`contrast ${contrast}`);
        if (!/STIX/.test(getComputedStyle(math).fontFamily)) say('another font');
        // Fences of one pair, in the order of signs, whatever the markup says.
        const signs = leaves(math).map(leaf => [leaf, ink(leaf)]), opened = [];
        seen.signs += signs.length;
        signs.forEach(([sign, right], place) => {
            const text = sign.tagName === 'mo' || /[⟨⟩]/.test(sign.textContent)
                ? sign.textContent : '';
            const bar = /^[|‖]$/.test(text) && signs[opened.at(-1)]?.[0].textContent === text;
            if (/^[([{⟨|‖]$/.test(text) && !bar) opened.push(place);
            if (!/^[)\]}⟩]$/.test(text) && !bar) return;
            const start = opened.pop();
            if (start === undefined) return say('a fence without its pair');
            const [first, left] = signs[start], unit = em(first);
            const off = Math.max(Math.abs(left.top - right.top),
                Math.abs(left.bottom - right.bottom)) / unit;
            seen.pairs += 1;
            if (off > 0.04) say(`fences ${off.toFixed(2)} em apart`);
            const inside = signs.slice(start + 1, place).map(([, box]) => box);
            const up = left.top - Math.min(...inside.map(box => box.top));
            const down = Math.max(...inside.map(box => box.bottom)) - left.bottom;
            if (up > 0.45 * unit || down > 0.45 * unit) say('fences too short');
        });
        for (const part of math.querySelectorAll('msub, msup, msubsup')) {
            const [base, ...scripts] = part.children;
            if (!leaves(base).length || integral(base)) continue;
            const on = onLine(base), own = union(base), unit = em(part);
            seen.scripts += scripts.length;
            scripts.forEach((script, number) => {
                const box = union(script);
                const above = part.tagName === 'msup' || number === 1;
                const gap = (box.left - own.right) / unit;
                if (gap < -0.25 || gap > 0.3) say(`script ${gap.toFixed(2)} em beside its base`);
                const zero = on && baseline(on);
                if (above) {
                    if (box.top > own.top + 0.06 * unit && !/[′″]/.test(script.textContent)) {
                        say('superscript below the top of its base');
                    }
                    if (on && box.bottom > zero - 0.06 * unit) say('superscript on the line');
                } else {
                    if (on && box.top < zero - 0.46 * unit) say('subscript too high');
                    if (box.bottom < own.bottom - 0.06 * unit) say('subscript above its base');
                }
                if (/^[′″]$/.test(script.textContent)) {
                    seen.primes += 1;
                    const shape = getComputedStyle(script).fontFeatureSettings;
                    if (shape !== '"ssty"') say('a prime in the shape of a line of text');
                }
            });
        }
        signs.forEach(([one, a], number) => {
            for (const [other, b] of signs.slice(number + 1)) {
                const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (wide <= 0.1 * size || tall <= 0.1 * size) continue;
                const accented = one.closest('mover[accent]');
                if (accented?.contains(other) || integral(one) || integral(other)) continue;
                // A script may stand under the arm of what it belongs to.
                const arm = one.closest('msub, msup, msubsup')?.contains(other) ? 0.3 : 0.1;
                if (wide > arm * size) {
                    say(`${one.textContent} lies on ${other.textContent}`);
                }
            }
        });
        // Nothing is cut: by the screen, or above and below by what scrolls.
        const frame = math.closest('.scrolls'), all = union(math);
        const off = all.right > innerWidth || all.left < 0;
        if (off && !math.closest('.scrolls, .oe-board')) say('off the screen');
        const room = frame?.getBoundingClientRect();
        if (room && (all.top < room.top - 1 || all.bottom > room.bottom + 1)) say('cut');
    }
    return { faults, seen };
}"""
# Where braces must begin and end on the page, and between which heights, in CSS pixels.
BRACES = r"""() => [...document.querySelectorAll('math :is(munder, mover)')]
    .filter(part => /^[⏟⏞]$/.test(part.children[1].textContent))
    .map(part => {
        const whole = part.getBoundingClientRect(), base = part.children[0].getBoundingClientRect();
        const y = [base.bottom, Math.max(whole.bottom, base.bottom + 6)];
        return [base.left, base.right, ...y.map(place => place + scrollY)];
    })"""


def course() -> list[str]:
    """Return HTML with every formula of lessons, questions, exercises and boards."""
    found = []
    for path in lesson_notebooks():
        cells = nbformat.read(path, as_version=4).cells
        found += [prose(c.source, html=True) for c in cells if c.cell_type == "markdown"]
    for question in QUESTIONS.values():
        found += [prose(question.asks)]
        found += [prose(text) for option in question.options for text in (option.text, option.says)]
    for exercise in EXERCISES.values():
        found += [prose(hint) for hint in exercise.hints]
    for derivation in DERIVATIONS:
        found += [str(board) for board in np.ravel(derivation_scene(derivation).board.values)]
        found += [mathml(step.to_latex(), display=True) for step in derivation.steps]
    return [*found, *map(understood, EXAMPLES)]


@pytest.fixture(scope="session")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with each of the course's formulas once, as the course's pages show them."""
    found = dict.fromkeys(re.findall(r"<math.*?</math>", "\n".join(course()), flags=re.S))
    assert len(found) > 450
    return written(tmp_path_factory.mktemp("formulas"), found)


def written(folder: Path, maths: Any) -> Path:
    body = "".join(
        f'<div class="scrolls">{one}</div>'
        if 'display="block"' in one or "<mtable" in one
        else f"<p>{one}</p>"
        for one in maths
    )
    (folder / "course.css").write_text(styles(), encoding="utf-8")
    whole = page("Formulas", f'<main id="lesson">{body}</main>', scripts=())
    (folder / "formulas.html").write_text(whole, encoding="utf-8")
    return folder / "formulas.html"


class Chromium:
    """A page in Chromium with what `Firefox` can do."""

    def __init__(self, browser: Any, *, dark: bool) -> None:
        scheme = "dark" if dark else "light"
        self.page = browser.new_page(color_scheme=scheme)

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())

    def resize(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def evaluate(self, function: str) -> Any:
        return self.page.evaluate(function)

    def screenshot(self) -> bytes:
        return bytes(self.page.screenshot(full_page=True))


@pytest.fixture(scope="module")
def chromium(browser: Any) -> Iterator[Callable[..., Chromium]]:
    """Yield what gives the module's light or dark page in Chromium."""
    opened: dict[bool, Chromium] = {}

    def get(*, dark: bool = False) -> Chromium:
        if dark not in opened:
            opened[dark] = Chromium(browser, dark=dark)
        return opened[dark]

    yield get
    for one in opened.values():
        one.page.close()


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def engine(request: pytest.FixtureRequest) -> Any:
    """Return what gives a light or dark page in one of the browsers."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_formula_is_drawn_as_tex_would(
    engine: Callable[..., Any], formulas: Path, dark: bool
) -> None:
    shown = engine(dark=dark)
    shown.open(formulas)
    for width in WIDTHS:
        shown.resize(width, 900)
        found = shown.evaluate(MEASURE)
        assert found["faults"] == [], f"at {width} pixels"
        least = {"formulas": 450, "pairs": 500, "scripts": 2000, "primes": 50, "signs": 8000}
        assert {
            kind: found["seen"][kind] >= count for kind, count in least.items()
        } == dict.fromkeys(least, True), found["seen"]


BIG, SMALL = 'stretchy="true" minsize="2em" maxsize="2em"', 'stretchy="false"'


@pytest.mark.parametrize(
    ("maths", "fault"),
    [
        (f"<mo {BIG}>(</mo><mi>x</mi><mo {SMALL}>)</mo>", "em apart"),
        (f"<mi>x</mi><mo {SMALL}>]</mo>", "without its pair"),
        (f"<mo {SMALL}>(</mo>{TOWER}<mo {SMALL}>)</mo>", "too short"),
        ("<mpadded width='0'><mi>x</mi></mpadded><mi>y</mi>", "lies on"),
        ("<mi>x</mi><mspace width='200em'/><mi>y</mi>", "off the screen"),
        ("<msup><mi>x</mi><mpadded voffset='-1.2em'><mn>2</mn></mpadded></msup>", "superscript"),
        ("<msub><mi>x</mi><mpadded voffset='1.2em'><mn>2</mn></mpadded></msub>", "subscript"),
        ("<mi style='color: #999'>x</mi>", "contrast"),
    ],
)
def test_the_measure_sees_what_is_wrong(
    engine: Callable[..., Any], maths: str, fault: str, tmp_path: Path
) -> None:
    shown = engine()
    shown.open(written(tmp_path, [f"<math><mrow>{maths}</mrow></math>"]))
    shown.resize(1280, 900)
    assert fault in "; ".join(shown.evaluate(MEASURE)["faults"])


@pytest.mark.parametrize(
    "latex",
    [r"\bigl[W W^\top\bigr]^{\frac{j-1}{N}}", r"\lVert W\rVert^2", r"\Bigl(\frac12\Bigr)^{2}"],
)
def test_chromium_lets_a_fence_fall_that_alone_has_the_script(
    chromium: Callable[..., Chromium], latex: str, tmp_path: Path
) -> None:
    shown = chromium()
    shown.open(written(tmp_path, [convert(latex, display="block")]))
    shown.resize(1280, 900)
    assert "em apart" in "; ".join(shown.evaluate(MEASURE)["faults"])


def test_braces_are_as_long_as_what_they_embrace(
    engine: Callable[..., Any], formulas: Path, tmp_path: Path
) -> None:
    shown = engine()
    every = re.findall("<math.*?</math>", formulas.read_text(encoding="utf-8"), flags=re.S)
    shown.open(written(tmp_path, [one for one in every if re.search("[⏟⏞]", one)]))
    shown.resize(1280, 900)
    places = shown.evaluate(BRACES)
    assert len(places) >= 4
    pixels = np.asarray(Image.open(io.BytesIO(shown.screenshot())).convert("L"))
    for left, right, top, bottom in places:
        rows = pixels[round(top) + 1 : round(bottom) - 1, round(left) - 12 : round(right) + 12]
        [inked] = np.nonzero((rows < 160).any(axis=0))
        assert inked[[0, -1]] - 12 == pytest.approx([0, right - left], abs=4)


def test_firefox_draws_the_first_picture_of_a_page(
    firefox: Callable[..., Any], tmp_path: Path
) -> None:
    scene = preconditioner_scene()
    save(Player(scene), tmp_path / "page.html")
    shown = firefox()
    shown.resize(1280, 720)
    shown.open(tmp_path / "page.html")
    assert shown.differences(scene) == []
    traces = "() => document.querySelectorAll('.oe-picture .scatterlayer .trace').length"
    assert shown.evaluate(traces) >= 4


@pytest.mark.slow
def test_firefox_draws_a_lesson(firefox: Callable[..., Any], tmp_path: Path) -> None:
    lesson = next(path for path in lesson_notebooks() if path.stem.startswith("03"))
    built = build_pages(tmp_path / "site", notebooks=[lesson])
    shown = firefox()
    shown.open(built.lessons[0])
    for width in WIDTHS:
        shown.resize(width, 900)
        assert shown.evaluate(MEASURE)["faults"] == []
