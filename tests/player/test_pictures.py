"""Pictures for slides: what they show, what they refuse, and that Chrome really draws them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import pytest

import overparam_edu as oe
from overparam_edu.player import pictures
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.pictures import picture, save_gif, save_png
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Reading, Scene, Track

MARKER = {"size": 30, "color": "#d55e00"}
LINES = np.arange(1.0, 25.0).reshape(2, 6, 2)


def build(slope: float = 1) -> Scene:
    figure = go.Figure(go.Scatter(uid="the dots", mode="markers", marker=MARKER))
    figure.update_layout(height=200, margin_b=50).update_yaxes(range=[0, 30])
    depth = Axis("depth", "depth N", [1, 2])
    step = Axis("step", "step", range(6), play=True)
    tracks = [Track("the dots", "y", slope * LINES, ["depth", "step"])]
    tracks.append(Track(None, "title.text", ["one", "two"], ["depth"]))
    reading = Reading("at <b>{step}</b>", {})
    return Scene(figure, [depth, step], tracks, reading)


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
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[go.Figure]:
    """Return the figures that a browser would get."""
    seen: list[go.Figure] = []

    def note(figures: list[go.Figure], scale: float) -> list[bytes]:
        seen.extend(figures)
        return [b"drawn"] * len(figures)

    monkeypatch.setattr(pictures, "_drawn", note)
    monkeypatch.setattr(pictures, "_animated", lambda frames, times: b"moves")
    return seen


def test_a_picture_is_what_the_player_shows() -> None:
    scene, position = build(), {"depth": 1, "step": 4}
    figure = picture(scene, position)
    expected = frame(scene, position)
    assert figure.data[0].uid is None
    assert list(figure.data[0].y) == expected["the dots", "y"]
    assert figure.layout.title.text == "two"
    [words] = figure.layout.annotations
    assert words.text == describe(scene, position).replace("<b>", "").replace("</b>", "")
    assert figure.layout.height - figure.layout.margin.b == 200 - 50  # the plot keeps its size
    assert scene.figure.data[0].y is None  # and the explorer its figure


def test_it_is_saved_as_it_stands(
    explorer: Explorer, drawn: list[go.Figure], tmp_path: Path
) -> None:
    path = explorer.save_png(tmp_path / "a.png", width=640)
    assert path.read_bytes() == b"drawn"
    assert drawn[0].layout.width == 640
    assert list(drawn[0].data[0].y) == (2 * LINES[1, 3]).tolist()


def test_the_home_folder_may_be_written_with_a_tilde(
    explorer: Explorer, drawn: list[go.Figure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    files = {"a.png": explorer.save_png, "a.gif": explorer.save_gif, "a.html": explorer.save_html}
    for name, save in files.items():
        assert save(f"~/{name}") == tmp_path / name
        assert (tmp_path / name).is_file()


@pytest.mark.parametrize("method", ["save_png", "save_gif", "save_html"])
def test_a_folder_is_no_file_to_write_to(
    explorer: Explorer, drawn: list[go.Figure], tmp_path: Path, method: str
) -> None:
    with pytest.raises(OSError, match=r"directory|denied"):
        getattr(explorer, method)(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_of_several_pictures_the_first_is_saved(
    build_calls: list[float], explorer: Explorer, drawn: list[go.Figure], tmp_path: Path
) -> None:
    build_calls.clear()
    save_png(widgets.VBox([widgets.HBox([explorer]), Player(build())]), tmp_path / "a.png")
    [figure] = drawn
    assert list(figure.data[0].y) == (2 * LINES[1, 3]).tolist()
    assert build_calls == []  # what only a page offers is not computed


@pytest.mark.parametrize(
    ("options", "axis", "stops"),
    [
        ({}, "step", [0, 1, 2, 3, 4, 5]),
        ({"axis": "depth"}, "depth", [0, 1]),
        ({"frames": 3}, "step", [0, 2, 5]),
    ],
)
def test_an_animation_walks_one_slider(
    explorer: Explorer,
    drawn: list[go.Figure],
    tmp_path: Path,
    options: dict[str, Any],
    axis: str,
    stops: list[int],
) -> None:
    explorer.save_gif(tmp_path / "a.gif", **options)
    stands = {"depth": 1, "step": 3}
    positions = [stands | {axis: stop} for stop in stops]
    expected = [(2 * LINES[at["depth"], at["step"]]).tolist() for at in positions]
    assert [list(figure.data[0].y) for figure in drawn] == expected


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: save_png(3, path), "what must be a widget, scene or figure"),
        (lambda path: save_png(widgets.VBox(), path), "what must be a widget, scene or figure"),
        (lambda path: save_png(oe.explore_derivation(oe.derivations.warm_up()), path), "save_html"),
        (lambda path: save_png(build(), path, width=10), "width must be"),
        (lambda path: save_png(build(), path, scale=100.0), r"scale must be in \[0.1, 10\]"),
        (lambda path: save_png(build(), path, scale=0.05), r"scale must be in \[0.1, 10\]"),
        (lambda path: save_gif(build(), path, axis="time"), "axis must be one of"),
        (lambda path: save_gif(build(), path, frames=1), "frames must be"),
        (lambda path: save_gif(go.Figure(), path), "what must have a slider"),
    ],
)
def test_what_cannot_be_saved_is_refused(call: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        call(tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("missing", ["kaleido", "PIL"])
def test_what_is_not_installed_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "PIL":
        monkeypatch.setattr(pictures, "_drawn", lambda *_: [b""])
    with pytest.raises(ImportError, match=r"python -m pip install (kaleido|pillow)"):
        Player(build()).save_gif(tmp_path / "a.gif")


def test_without_chrome_it_says_what_does_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match=r"none was found.*save_html needs none"):
        save_png(build(), tmp_path / "a.png")


@pytest.mark.browser
def test_chrome_draws_them(explorer: Explorer, tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    images = pytest.importorskip("PIL.Image")
    try:
        path = explorer.save_png(tmp_path / "a.png", width=400, scale=2.0)
    except RuntimeError as problem:
        pytest.skip(str(problem))
    with images.open(path) as image:
        assert image.size == (800, 2 * picture(explorer.scene, {}, width=400).layout.height)
        colours = {colour for _, colour in image.convert("RGB").getcolors(10**6)}
        assert (0xD5, 0x5E, 0x00) in colours  # the markers are there
    path = save_gif(explorer, tmp_path / "a.gif", width=320, frames=3, seconds=0.3)
    with images.open(path) as image:
        durations, frames = [], []
        for number in range(image.n_frames):
            image.seek(number)
            durations.append(image.info["duration"])
            frames.append(image.convert("RGB").tobytes())
        assert durations == [100, 100, 2000]
        assert len(set(frames)) == 3
        assert images.frombytes("RGB", image.size, frames[0]).getpixel((0, 0)) == (255, 255, 255)
