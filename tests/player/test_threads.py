"""Two threads, as ipykernel 7 has them: one runs a cell, the other hears a hand; no browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event, current_thread
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
import pytest

from overparam_edu.classroom.progress import Progress
from overparam_edu.player import player as module
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Scene, Track

TIME = 0.3  # s in which a thread that need not wait would be done


def line(slope: float) -> Scene:
    step = Axis("step", "step", [0, 1, 2], play=True)
    return Scene(
        go.Figure(go.Scatter(uid="line")),
        [step],
        [Track("line", "y", [0, slope, 2 * slope], ["step"])],
    )


class Gate:
    """Holds the cell's thread where it passes, until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = Event(), Event()

    def __call__(self) -> None:
        if current_thread().name.startswith("cell"):
            self.reached.set()
            assert self.opened.wait(10)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def threads() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    with ThreadPoolExecutor(1, "cell") as cell, ThreadPoolExecutor(1, "hand") as hand:
        yield cell, hand


def meanwhile(gate: Gate, cell: Future[Any], hand: ThreadPoolExecutor, move: Any) -> None:
    """Let a hand move while the cell is held, then let both end."""
    assert gate.reached.wait(10)
    moved = hand.submit(move)
    wait([moved], TIME)
    gate.opened.set()
    cell.result(10), moved.result(10)


@pytest.mark.parametrize("refused", [False, True], ids=["drawn", "refused"])
def test_a_control_moved_while_a_cell_sets_another(threads, gate, refused) -> None:
    cell, hand = threads

    def build(slope: float, colour: str) -> Scene:
        if slope == 2:
            gate()
            if refused:
                raise ValueError("no such line")
        return line(slope + 10 * (colour == "blue"))

    colours = widgets.ToggleButtons(options=["red", "blue"])
    explorer = Explorer(build, {"slope": widgets.FloatText(1.0), "colour": colours})

    def run() -> None:
        try:
            explorer.set(slope=2.0)
        except ValueError:
            assert refused

    meanwhile(gate, cell.submit(run), hand, lambda: colours.set_state({"index": 1}))
    assert explorer.values == {"slope": 1.0 if refused else 2.0, "colour": "blue"}
    assert explorer.player._drawn["settings"] == explorer.state
    drawn = 11 if refused else 12
    assert list(explorer.scene.tracks[0].values) == [0, drawn, 2 * drawn]


def test_a_hand_that_comes_between_a_value_and_its_check_is_no_refusal() -> None:
    slope, hand = widgets.FloatText(1.0), iter([7.0])
    explorer = Explorer(line, {"slope": slope})
    slope.observe(lambda _: setattr(slope, "value", next(hand, slope.value)), "value")
    explorer.set(slope=2.0)
    assert explorer.values == {"slope": 2.0}
    assert explorer.player._drawn["settings"] == [2.0]


def test_a_slider_moved_while_a_cell_shows_a_scene(threads, gate, monkeypatch) -> None:
    cell, hand = threads
    player = Player(line(1))
    write = module.message
    monkeypatch.setattr(module, "message", lambda scene: (gate(), write(scene))[1])
    moved = {"step": {"stop": 1, "value": 1, "end": False}}
    content = {"kind": "moved", "author": "page", "number": 1, "order": 0, "moved": moved}
    shown = cell.submit(player.show, line(2))
    meanwhile(gate, shown, hand, lambda: player._handle_custom_msg(content, []))
    assert player.position == player._place["position"] == {"step": 1}
    assert player._place["number"] == 1


def test_an_order_is_not_taken_back_by_a_move_of_the_same_moment(
    threads, gate, monkeypatch
) -> None:
    cell, hand = threads
    player = Player(line(1))
    monkeypatch.setattr(
        player, "_moved", lambda stood: (gate(), {"step": stood["step"]["stop"]})[1]
    )
    moved = {"step": {"stop": 1}}
    content = {"kind": "moved", "author": "page", "number": 1, "order": 0, "moved": moved}
    heard = cell.submit(player._handle_custom_msg, content, [])
    meanwhile(gate, heard, hand, lambda: player.move(step=2))
    assert player.position == player._place["position"] == {"step": 2}
    assert player._place["order"] == 1


def test_what_two_threads_note_at_once_is_all_kept() -> None:
    mine, before = Progress(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            done = [threads.submit(mine.answer, f"q{n}", "a", True) for n in range(1000)]
        assert not [one.exception() for one in done if one.exception()]
    finally:
        sys.setswitchinterval(before)
    assert len(mine.questions) == 1000
