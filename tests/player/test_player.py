"""Scenes and the player's Python side, without a browser."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from overparam_edu.player.frames import describe, frame, number_text
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.wire import message, packed, unpacked

DEPTH = Axis("depth", "depth N", [1, 2, 4])
STEP = Axis("step", "step", [0, 1, 2, 3], start=3, play=True)
RATE = Axis("rate", "learning rate", ["same", "tuned"])
LOSS = np.array([[8.0, 4, 2, 1], [8.0, 2, 0.5, 0.1], [8.0, math.nan, 3.0, 1e300]])


def scene(depth: Axis = DEPTH, loss: Any = LOSS, **options: Any) -> Scene:
    figure = go.Figure([go.Scatter(uid="run"), go.Scatter(uid="head", mode="markers")])
    figure.update_layout(title="loss against step")
    axes = ["depth", "step"]
    tracks = [
        Track("run", "x", STEP.stops, ["step"], trail="step"),
        Track("run", "y", loss, axes, trail="step"),
        Track("head", "y", loss, axes),
        Track("head", "marker.color", ["red", "green"], ["rate"]),
        Track(None, "title.text", ["same rate", "tuned rate"], ["rate"]),
    ]
    options.setdefault("reading", Reading("N = {depth}: {loss} ({rate})", {"loss": (loss, axes)}))
    return Scene(figure, [depth, STEP, RATE], tracks, **options)


def test_frame_indexes_and_trails() -> None:
    drawn = frame(scene(), {"depth": 1, "step": 2, "rate": 1})
    assert drawn == {
        ("run", "x"): [0, 1, 2],
        ("run", "y"): [8, 2, 0.5],
        ("head", "y"): [0.5],
        ("head", "marker.color"): "green",
        (None, "title.text"): "tuned rate",
    }


def test_frame_has_float32_precision() -> None:
    assert frame(scene(), {"depth": 1})[("head", "y")] == [float(np.float32(0.1))]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_trail_ends_before_the_first_value_that_is_not_finite(step: int) -> None:
    assert frame(scene(), {"depth": 2, "step": step})[("run", "y")] == [8.0]


def test_points_that_are_not_finite_are_left_out() -> None:
    assert frame(scene(), {"depth": 2, "step": 1})[("head", "y")] == []
    assert frame(scene(), {"depth": 2, "step": 3})[("head", "y")] == []  # beyond float32
    middle = Track("run", "y", [[1.0, math.inf, 3.0]] * 3, ["depth"])
    assert frame(Scene(go.Figure(go.Scatter(uid="run")), [DEPTH], [middle]), {}) == {
        ("run", "y"): [1, None, 3]
    }


def test_describe() -> None:
    assert describe(scene(), {"depth": 1, "step": 3}) == "N = 2: 0.1 (same)"
    assert describe(scene(), {"depth": 2, "step": 3}) == "N = 4: not finite (same)"
    assert describe(scene(reading=None), {}) == "loss against step"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (-2, "−2"),
        (1234567, "1.23×10⁶"),
        (12345.6, "12300"),
        (0.001, "0.001"),
        (2.125, "2.13"),
        (0.99951, "1"),
        (-1.5e-7, "−1.5×10⁻⁷"),
        (math.inf, "not finite"),
        ("word", "word"),
    ],
)
def test_number_text(value: Any, text: str) -> None:
    assert number_text(value) == text


def test_message_holds_the_numbers_where_it_says() -> None:
    sent = message(scene())
    numbers = np.frombuffer(unpacked(sent["buffer"]), "<f4")
    line = sent["spec"]["tracks"][1]
    piece = numbers[line["offset"] : line["offset"] + line["length"]].reshape(line["shape"])
    np.testing.assert_array_equal(piece[:2], LOSS[:2].astype("f4"))
    assert line["trail"] == "step"
    assert sent["spec"]["tracks"][3]["words"] == ["red", "green"]
    assert sent["spec"]["tracks"][2]["offset"] == line["offset"]  # the same numbers, once
    assert "width" not in sent["spec"]["figure"]["layout"]


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_packing_loses_nothing(size: int) -> None:
    numbers = np.random.default_rng(0).normal(size=size).astype("<f4").tobytes()
    assert unpacked(packed(numbers)) == numbers


def test_static_arrays_travel_as_float32_where_they_fit() -> None:
    figure = go.Figure([go.Scatter(y=np.array([0.5, 1.5])), go.Scatter(y=np.array([0.5, 1e300]))])
    data = message(Scene(figure, [DEPTH], []))["spec"]["figure"]["data"]
    assert [trace["y"]["dtype"] for trace in data] == ["f4", "f8"]
    assert np.frombuffer(base64.b64decode(data[0]["y"]["bdata"]), "<f4").tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Axis("a b", "label", [1]), "name"),
        (lambda: Axis("a", "", [1]), "label"),
        (lambda: Axis("a", "label", []), "stops"),
        (lambda: Axis("a", "label", [1, "two"]), "stops"),
        (lambda: Axis("a", "label", [1, math.nan]), "stops"),
        (lambda: Axis("a", "label", [1, 2], start=2), "start"),
        (lambda: Axis("a", "label", ["x", "y"], play=True), "play"),
        (lambda: Track(-1, "x", [1.0], ["a"]), "trace"),
        (lambda: _with(Track("path", "x", [1, 2, 3], ["depth"])), "trace .*'run'.*got 'path'"),
        (lambda: Track("run", "", [1.0], ["a"]), "attribute"),
        (lambda: Track("run", "x", [[1.0], [2.0, 3.0]], ["a"]), "values"),
        (lambda: Track("run", "x", [1j], ["a"]), "values"),
        (lambda: Track("run", "x", [1.0], ["a", "b"]), "values"),
        (lambda: Track("run", "x", [1.0], "a"), "axes"),
        (lambda: Track("run", "x", [[1.0]], ["a", "a"]), "axes"),
        (lambda: Track("run", "x", [1.0], ["a"], trail="tail"), "trail"),
        (lambda: Track("run", "x", [[1.0]], ["a"], trail="step"), "values of a trail"),
        (lambda: Reading("{loss}", {"loss": ([[1.0]], ["a"])}), "loss"),
        (lambda: scene(reading=Reading("{speed}")), "speed"),
        (lambda: scene(depth=Axis("depth", "depth N", [1, 2])), r"tracks\[1\].values.*3, 4"),
        (lambda: scene(depth=Axis("width", "width", [1, 2, 4])), "'depth'"),
        (lambda: scene(depth=STEP), "different names"),
        (lambda: scene(narrow={"xaxis.domian": [0, 1]}), "narrow"),
        (lambda: Scene(go.Figure(), [DEPTH], [Track("run", "x", [1, 2, 3], ["depth"])]), "trace"),
        (lambda: _with(Track("run", "lne.color", [1, 2, 3], ["depth"])), "lne.color"),
        (lambda: _with(*[Track("run", "x", [1, 2, 3], ["depth"])] * 2), "repeats"),
        (lambda: Scene({}, [DEPTH], []), "figure"),  # type: ignore[arg-type]
        (lambda: Scene(go.Figure(), ["depth"], []), "axes"),  # type: ignore[list-item]
        (lambda: frame(scene(), {"width": 1}), "position"),
        (lambda: frame(scene(), {"depth": 3}), "position"),
        (lambda: frame(scene(), {"depth": 1.5}), "position"),  # type: ignore[dict-item]
        (lambda: Scene(None, [DEPTH], []), "figure must be given"),
        (lambda: Scene(None, [DEPTH], [Track("run", "y", [1, 2, 3], ["depth"])]), "figure must be"),
        (lambda: Board([1.0, 2.0], ["depth"]), "values must be texts"),
        (lambda: Board([["a"], ["b"]], ["depth"]), "one dimension per axis"),
        (lambda: _board(Board(["a"], ["depth"])), "board.values.*3 entries"),
        (lambda: _board(Board(["a"], ["step"])), "board.values.*'step'"),
        (lambda: Axis("rate", "rate", ["same", "own"], buttons=True), "buttons must be False"),
        (lambda: Player("scene"), "scene"),  # type: ignore[arg-type]
        (lambda: Player(scene()).move(depth=-1), "position"),
        (lambda: Player(scene()).move(width=1), "position"),
    ],
)
def test_wrong_arguments_are_named(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def _with(*tracks: Track) -> Scene:
    return Scene(go.Figure(go.Scatter(uid="run")), [DEPTH], tracks)


def _board(board: Board) -> Scene:
    return Scene(None, [DEPTH], [], board=board)


def test_position_is_whole_and_can_be_set_in_part() -> None:
    player = Player(scene())
    assert player.position == {"depth": 0, "step": 3, "rate": 0}
    player.position = {"depth": 2}
    player.move(rate=1)
    assert player.position == {"depth": 2, "step": 3, "rate": 1}


def test_show_is_one_message_and_keeps_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(scene())
    player.move(depth=2, step=1)
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(player, "_send", lambda msg, buffers=None: sent.append(msg))
    player.show(scene(loss=2 * LOSS))
    assert [list(m["state"]) for m in sent] == [["_scene"]]  # the browser's position stays
    player.show(scene(depth=Axis("depth", "depth N", [1, 2]), loss=LOSS[:2]))
    assert player.position == {"depth": 1, "step": 1, "rate": 0}
    assert set(sent[1]["state"]) == {"_scene", "_place"}
    assert len(sent) == 2


def test_plotly_and_a_font_are_sent_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(scene())
    sent: list[Any] = []
    monkeypatch.setattr(player, "send", lambda content, buffers: sent.append((content, buffers)))
    player._handle_custom_msg({"kind": "something else"}, [])
    player._handle_custom_msg({"kind": "plotly.js"}, [])
    player._handle_custom_msg({"kind": "font"}, [])
    (content, [source]), (second, [font]) = sent
    assert content == {"kind": "plotly.js"}
    assert b"plotly.js v" in source[:200]
    assert second == {"kind": "font"}
    assert font[:4] == b"wOFF"


def test_a_board_needs_no_figure_and_travels_as_words() -> None:
    words = [["a", "<b>b</b>"], ["c", "d"], ["e", "f"]]
    sent = message(Scene(None, [DEPTH, RATE], [], board=Board(words, ["depth", "rate"])))
    assert sent["spec"]["figure"] is None
    assert sent["spec"]["board"]["words"] == ["a", "<b>b</b>", "c", "d", "e", "f"]
    assert sent["spec"]["board"]["shape"] == [3, 2]
    assert unpacked(sent["buffer"]) == b""


def test_the_reading_may_tell_the_time_of_a_drawing() -> None:
    timed = scene(reading=Reading("{milliseconds} ms at {depth}"))
    assert describe(timed, {"depth": 1}) == "0 ms at 2"
