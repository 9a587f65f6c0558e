"""Pictures as files: what they show, what they refuse, and that Chrome really draws them."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import pytest

import overparam_edu as oe
from overparam_edu.player import pictures
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.page import Piece
from overparam_edu.player.pictures import known_so_far, save, turned
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track

MARKER = {"size": 30, "color": "#d55e00"}
LINES = np.arange(1.0, 25.0).reshape(2, 6, 2)
LONG = " as long as it takes" * 6
TABLE = "<table><tr><td>all</td><td>twelve</td></tr></table>"
ENDINGS = ("html", "png", "svg", "pdf", "gif", "mp4")


def build(slope: float = 1, table: str = TABLE) -> Scene:
    figure = go.Figure(go.Scatter(uid="the dots", mode="markers", marker=MARKER))
    figure.update_layout(height=200, margin_b=50, paper_bgcolor="white", plot_bgcolor="white")
    figure.update_yaxes(range=[0, 60])
    depth = Axis("depth", "depth N", [1, 2])
    step = Axis("step", "step", range(6), play=True)
    tracks = [Track("the dots", "y", slope * LINES, ["depth", "step"])]
    tracks.append(Track(None, "title.text", ["one", "two"], ["depth"]))
    end = {"end": (["after one", "after two" + LONG], ["depth"])}
    reading = Reading("At step {step}. It arrives {end}.", end)
    board = Board([table] * 2, ["depth"], folded="table")
    return Scene(figure, [depth, step], tracks, reading, board=board)


@pytest.fixture
def build_calls() -> list[float]:
    return []


@pytest.fixture
def explorer(build_calls: list[float]) -> Explorer:
    def counted(slope: float) -> Scene:
        build_calls.append(slope)
        return build(slope)

    made = Explorer(counted, {"slope": widgets.ToggleButtons(options=[1, 2], description="slope")})
    made.set(slope=2)
    made.player.move(depth=1, step=3)
    return made


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return what a browser would be asked to draw."""
    seen: list[tuple[Any, ...]] = []

    def note(piece: Piece, sheet: Any, positions: list[dict[str, int]], *more: str) -> list[bytes]:
        seen.append((piece, sheet, positions, *more))
        return [b"drawn"] * len(positions)

    monkeypatch.setattr(pictures, "_shots", note)
    monkeypatch.setattr(pictures, "_gif", lambda shots, times: repr(times).encode())
    monkeypatch.setattr(pictures, "_mp4", lambda _, shots, rate: f"{rate:.2f}".encode())
    monkeypatch.setattr(pictures, "_ffmpeg", lambda: "ffmpeg")
    return seen


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_says_the_format(
    explorer: Explorer, drawn: list[Any], tmp_path: Path, ending: str
) -> None:
    path = explorer.save(tmp_path / f"a.{ending.upper()}")
    assert path == tmp_path / f"a.{ending.upper()}"
    assert [sheet.kind for _, sheet, *_ in drawn] == (
        [] if ending == "html" else ["png" if ending in ("gif", "mp4") else ending]
    )
    assert path.read_bytes().startswith(b"<!DOCTYPE html>") == (ending == "html")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["a.jpg", "a.pngx", "a", ".png", "png"])
def test_other_endings_are_refused_by_name(explorer: Explorer, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"path must end in one of \.html, .*got '{name}'"):
        explorer.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("ending", "option"),
    [
        ("png", {"title": "a"}),
        ("html", {"inches": 4}),
        ("html", {"dark": True}),
        ("svg", {"dpi": 96}),
        ("pdf", {"dpi": 96}),
        ("gif", {"transparent": True}),
        ("mp4", {"transparent": True}),
        ("png", {"axis": "step"}),
        ("png", {"frames": 3}),
        ("png", {"seconds": 3}),
    ],
)
def test_an_option_of_other_files_is_refused(
    explorer: Explorer, drawn: list[Any], tmp_path: Path, ending: str, option: dict[str, Any]
) -> None:
    [name] = option
    with pytest.raises(ValueError, match=rf"{name} must be left out but for \."):
        explorer.save(tmp_path / f"a.{ending}", **option)
    assert not drawn


def test_a_still_is_of_now(
    build_calls: list[float], explorer: Explorer, drawn: list[Any], tmp_path: Path
) -> None:
    build_calls.clear()
    box = widgets.VBox([widgets.HBox([explorer]), Player(build())])
    save(box, tmp_path / "a.png")  # of several, the first
    [(piece, sheet, positions)] = drawn
    assert piece.scene is explorer.scene
    assert piece.position == {"depth": 1, "step": 3}
    assert positions == [{}]
    assert (sheet.width, sheet.height, sheet.scale) == (1280, None, 2)
    assert build_calls == []  # what only a page offers is not computed


@pytest.mark.parametrize(
    ("ending", "options", "width", "height", "scale"),
    [
        ("png", {"inches": 5, "dpi": 300}, 480, None, 3.125),
        ("pdf", {"inches": (6, 4)}, 576, 384, 2),
        ("gif", {}, 960, None, 1),
        ("mp4", {}, 1280, None, 1.5),
        ("png", {"inches": 3.34}, 321, None, 2),
    ],
)
def test_size_is_in_inches(
    drawn: list[Any],
    tmp_path: Path,
    ending: str,
    options: dict[str, Any],
    width: int,
    height: int | None,
    scale: float,
) -> None:
    save(build(), tmp_path / f"a.{ending}", **options)
    assert drawn[0][1][1:4] == (width, height, scale)


@pytest.mark.parametrize(
    ("options", "axis", "stops"),
    [
        ({}, "step", [0, 1, 2, 3, 4, 5]),
        ({"axis": "depth"}, "depth", [0, 1]),
        ({"frames": 3, "seconds": 0.3}, "step", [0, 2, 5]),
    ],
)
def test_an_animation_walks_one_slider(
    explorer: Explorer,
    drawn: list[Any],
    tmp_path: Path,
    options: dict[str, Any],
    axis: str,
    stops: list[int],
) -> None:
    path = explorer.save(tmp_path / "a.gif", **options)
    [(piece, _, positions, template, name)] = drawn
    assert piece.position == {"depth": 1, "step": 3} | {axis: 0}
    assert positions == [{axis: stop} for stop in stops]
    assert name == "a.gif"
    assert template == known_so_far(explorer.scene, axis)
    each = round(1000 * options.get("seconds", 6) / len(stops))
    assert path.read_bytes() == repr([each] * (len(stops) - 1) + [2000]).encode()
    film = explorer.save(tmp_path / "a.mp4", **options).read_bytes()
    assert film == f"{len(stops) / options.get('seconds', 6):.2f}".encode()


def test_an_animation_does_not_tell_its_end_before_it() -> None:
    assert known_so_far(build(), "step") == "At step {step}."
    assert known_so_far(build(), "depth") == "At step {step}. It arrives {end}."
    assert known_so_far(Scene(go.Figure(), [Axis("step", "step", [0])], []), "step") == ""


@pytest.mark.parametrize("name", ["explore_regression", "explore_line_integral"])
def test_no_explorer_tells_its_end_in_frame_0(name: str) -> None:
    scene = getattr(oe, name)().scene
    [axis] = [one.name for one in scene.axes if one.play]
    assert scene.reading.template not in (known_so_far(scene, axis), "")


@pytest.mark.parametrize(
    ("light", "dark"),
    [
        ('"white"', '"#121212"'),
        ("#FFF", "#121212"),
        ('"black"', '"#ededed"'),
        ("rgb(255,255,255)", "rgba(18,18,18,1)"),
        ("rgba(0, 0, 0, 0.5)", "rgba(237,237,237, 0.5)"),
        ("#D55E00", "#e37c2c"),
        ("#section", "#section"),
        ("a white cat", "a white cat"),
    ],
)
def test_in_the_dark_colours_turn_and_hues_stay(light: str, dark: str) -> None:
    assert turned(light) == dark


def test_the_home_folder_may_be_written_with_a_tilde(
    explorer: Explorer, drawn: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for ending in ENDINGS:
        assert explorer.save(f"~/a.{ending}") == tmp_path / f"a.{ending}"
        assert (tmp_path / f"a.{ending}").is_file()


@pytest.mark.parametrize("ending", ["html", "png"])
def test_a_folder_is_no_file_to_write_to(
    explorer: Explorer, drawn: list[Any], tmp_path: Path, ending: str
) -> None:
    folder = tmp_path / f"a.{ending}"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        explorer.save(folder)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("ending", ["html", "png"])
def test_a_full_disk_leaves_the_file_before(
    explorer: Explorer, drawn: list[Any], tmp_path: Path, monkeypatch: Any, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text("before")

    def half(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space"):
        explorer.save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_stays_one(explorer: Explorer, drawn: list[Any], tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "a.png"
    link.symlink_to(tmp_path / "far" / "b.png")
    explorer.save(link)
    assert link.is_symlink()
    assert link.read_bytes() == b"drawn"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: save(3, path), "what must be a widget, scene or figure"),
        (lambda path: save(widgets.VBox(), path), "what must be a widget, scene or figure"),
        (lambda path: save(build(), path, inches=3), r"inches must be in \[3.33, 83.*\]; got 3"),
        (lambda path: save(build(), path, inches=(4, 0)), "inches must be in"),
        (lambda path: save(build(), path, inches=(4, 5, 6)), "inches must be a width, or width"),
        (lambda path: save(build(), path, dpi=10_000), r"dpi must be in \[24, 960\]; got 10000"),
        (lambda path: save(build(), path, inches=50, dpi=300), "dpi must give at most 8,000 pix"),
        (lambda path: save(build(), path, dark="no"), "dark must be"),
        (lambda path: save(build(), path, transparent=1.5), "transparent must be"),
        (lambda path: save(build(), path.with_suffix(".gif"), axis="time"), "axis must be one of"),
        (lambda path: save(build(), path.with_suffix(".gif"), frames=1), "frames must be"),
        (lambda path: save(build(), path.with_suffix(".gif"), seconds=0), "seconds must be"),
        (lambda path: save(go.Figure(), path.with_suffix(".gif")), "what must have a slider"),
    ],
)
def test_what_cannot_be_saved_is_refused(call: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        call(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "ending", "words"),
    [
        ("choreographer.errors", "png", r"needs choreographer; .*pip install"),
        ("PIL", "gif", r"needs pillow; .*pip install"),
        ("imageio_ffmpeg", "mp4", r"needs ffmpeg; .*pip install .*\[video\]"),
    ],
)
def test_what_is_not_installed_is_named(
    missing: str, ending: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(pictures.shutil, "which", lambda _: None)
    with pytest.raises((ImportError, RuntimeError), match=words):
        Player(build()).save(tmp_path / f"a.{ending}")


def test_without_chrome_it_says_what_does_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("choreographer")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match=r"none was found.*\.html needs none"):
        save(build(), tmp_path / "a.png")


# --- what Chrome draws ---


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are otherwise elsewhere")
def test_an_interrupt_ends_the_drawing_and_closes_the_browser(monkeypatch: Any) -> None:
    closed, drawn = threading.Event(), threading.Event()

    class Browser:
        async def __aenter__(self) -> Browser:
            return self

        async def __aexit__(self, *_: object) -> None:
            closed.set()

    async def draw(browser: Any, work: Any) -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        await asyncio.sleep(10)
        drawn.set()

    monkeypatch.setattr("choreographer.Browser", Browser)
    monkeypatch.setattr(pictures, "in_tab", draw)
    with pytest.raises(KeyboardInterrupt):
        pictures.in_browser(draw)
    assert closed.wait(5)
    assert not drawn.is_set()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Callable[..., Any]]:
    """Yield what works in a tab of one Chrome, as `in_browser` does in one of its own."""
    choreographer = pytest.importorskip("choreographer")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait_for(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    async def opened() -> Any:
        return await choreographer.Browser().__aenter__()

    try:
        browser = wait_for(opened())
    except choreographer.errors.ChromeNotFoundError as problem:
        pytest.skip(str(problem))

    yield lambda work: wait_for(pictures.in_tab(browser, work))
    wait_for(browser.close())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def pixels(path: Path) -> Any:
    images = pytest.importorskip("PIL.Image")
    with images.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def holds(image: Any, colour: tuple[int, ...]) -> bool:
    return bool(np.any(np.all(image[..., : len(colour)] == colour, axis=-1)))


def in_chrome(what: Any, path: Path, **options: Any) -> Path:
    pytest.importorskip("choreographer")
    try:
        return save(what, path, **options)
    except RuntimeError as problem:
        if "none was found" not in str(problem):
            raise
        pytest.skip(str(problem))


@pytest.mark.browser
@pytest.mark.slow
def test_a_png_is_what_is_seen_at_its_size(
    explorer: Explorer, chrome: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pictures, "in_browser", chrome)
    image = pixels(in_chrome(explorer, tmp_path / "a.png", inches=(5, 5), dpi=192))
    assert image.shape[:2] == (960, 960)
    assert holds(image, (0xD5, 0x5E, 0x00, 255))  # the markers are there
    assert tuple(image[0, 0]) == (255, 255, 255, 255)
    dark = pixels(in_chrome(explorer, tmp_path / "b.png", dark=True, dpi=48))
    assert tuple(dark[0, 0]) == (0x12, 0x12, 0x12, 255)
    assert holds(dark, (0xE3, 0x7C, 0x2C))
    clear = pixels(in_chrome(explorer, tmp_path / "c.png", transparent=True, dpi=48))
    assert clear[0, 0, 3] == 0
    assert holds(clear, (0xD5, 0x5E, 0x00, 255))
    with pytest.raises(ValueError, match=r"inches must be at least .* tall"):
        save(explorer, tmp_path / "d.png", inches=(5, 1))


@pytest.mark.browser
@pytest.mark.slow
def test_vectors_hold_sentence_table_and_plot(
    explorer: Explorer, chrome: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pictures, "in_browser", chrome)
    text = in_chrome(explorer, tmp_path / "a.svg").read_text(encoding="utf-8")
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", text))
    for part in ("At step 3. It arrives after two as", "all", "twelve"):
        assert part in words
    assert "fill: rgb(213, 94, 0)" in text
    assert "<image" not in text
    assert "foreignObject" not in text
    page = in_chrome(explorer, tmp_path / "a.pdf", inches=5).read_bytes()
    assert page.startswith(b"%PDF")
    assert page.count(b"/Type /Page\n") + page.count(b"/Type /Page ") == 1
    assert b"/Subtype /Image" not in page  # lines, not pixels
    [box] = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page)
    assert float(box[0]) == pytest.approx(72 * 5, abs=1)
    formula = build(table="<math><mi>x</mi></math>")
    with pytest.raises(ValueError, match=r"path must end in .pdf or .png .*; got .svg"):
        save(formula, tmp_path / "b.svg")


@pytest.mark.browser
@pytest.mark.slow
def test_an_animation_moves_and_rests(explorer: Explorer, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    path = in_chrome(explorer, tmp_path / "a.gif", inches=4, frames=3, seconds=0.3)
    with images.open(io.BytesIO(path.read_bytes())) as image:
        durations, frames = [], []
        for number in range(image.n_frames):
            image.seek(number)
            durations.append(image.info["duration"])
            frames.append(np.asarray(image.convert("RGB")))
    assert durations == [100, 100, 2000]
    assert len({frame.tobytes() for frame in frames}) == 3
    assert tuple(frames[0][0, 0]) == (255, 255, 255)
    # The sentence about the end is on the last frame only: its words are dark in the last lines.
    ink = [np.sum(frame[200:].min(axis=2) < 128) for frame in frames]
    assert ink[0] < 0.8 * ink[2]
    assert ink[1] < 0.8 * ink[2]
    assert not any(np.any(frame[-4:] < 128) for frame in frames)  # the last line is whole


@pytest.mark.browser
@pytest.mark.slow
def test_a_proof_is_a_picture_too(tmp_path: Path) -> None:
    proof = oe.explore_derivation(oe.derivations.warm_up())
    image = pixels(in_chrome(proof, tmp_path / "a.png", dpi=96))
    assert image.shape[1] == 1280
    assert np.mean(image[..., :3].min(axis=2) < 128) > 0.005
    with pytest.raises(ValueError, match="inches must be a width for text"):
        save(proof, tmp_path / "a.png", inches=(5, 5))
