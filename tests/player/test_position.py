"""Where the sliders are: who may say it, and what a new scene makes of it; no browser."""

from __future__ import annotations

import itertools
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import pytest

import overparam_edu as oe
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import carried
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Scene, Track

DEPTHS, STEPS, RATES = [1, 2, 3, 4], [0, 10, 20, 30], ["same", "tuned"]
NO_CONTROLS = {"explore_convnet", "explore_derivation"}
EXPLORERS = sorted(
    name for name in oe.__all__ if name.startswith("explore_") and name not in NO_CONTROLS
)


def scene(depths: Any = DEPTHS, steps: Any = STEPS, rates: Any = RATES, **options: Any) -> Scene:
    axes = [
        Axis("depth", "depth N", depths),
        Axis("step", "step", steps, play=True, **options),
        Axis("rate", "learning rate", rates),
    ]
    track = Track("run", "y", np.arange(len(depths)), ["depth"])
    return Scene(go.Figure(go.Scatter(uid="run")), axes, [track])


class Hand:
    """A page with a hand in it: what it believes, and what it sends."""

    def __init__(self, player: Player, author: str) -> None:
        self.player, self.author, self.number = player, author, 0
        self.look()

    def look(self) -> None:
        """Hear what Python has said so far."""
        self.order, self.axes = self.player._place["order"], self.player.scene.axes

    def move(self, **stops: int) -> None:
        """Send moves, of the scene that the page has."""
        self.number += 1
        axes = {axis.name: axis for axis in self.axes}
        stood = {
            name: {
                "stop": stop,
                "value": axes[name].stops[stop],
                "end": 0 < stop == len(axes[name].stops) - 1,
            }
            for name, stop in stops.items()
        }
        content = {"kind": "moved", "author": self.author, "number": self.number}
        self.player._handle_custom_msg(content | {"order": self.order, "moved": stood}, [])


@pytest.fixture
def player() -> Player:
    return Player(scene())


def test_a_hand_moves_what_it_moved_and_all_pages_hear_whose_move_it_was(player: Player) -> None:
    one, other = Hand(player, "one"), Hand(player, "other")
    one.move(depth=2)
    other.move(step=1)
    assert player.position == {"depth": 2, "step": 1, "rate": 0}
    assert player._place == {
        "position": player.position,
        "order": 0,
        "author": "other",
        "number": 1,
    }


def test_a_move_that_changes_nothing_is_answered_too(player: Player) -> None:
    before = player._place
    Hand(player, "one").move(depth=0)
    assert player._place == before | {"author": "one", "number": 1}


def test_code_has_the_last_word_over_moves_on_their_way(player: Player) -> None:
    hand, heard = Hand(player, "one"), []
    player.observe(lambda change: heard.append(change.new), "position")
    player.move(depth=3)
    hand.move(depth=1, step=2)  # made before the page heard
    assert player.position == {"depth": 3, "step": 0, "rate": 0}
    hand.look()
    hand.move(depth=1)
    assert player.position["depth"] == 1
    player.position = {"rate": 1}
    hand.move(depth=2)
    assert player.position == {"depth": 1, "step": 0, "rate": 1}
    assert [position["depth"] for position in heard] == [3, 1, 1]


def test_an_order_to_where_python_believes_to_be_is_an_order(player: Player) -> None:
    hand = Hand(player, "one")
    player.move(depth=0)
    assert player._place["order"] == 1
    hand.move(depth=2)
    assert player.position["depth"] == 0


def test_a_scene_is_no_order_and_a_move_that_crosses_it_is_taken_by_value(player: Player) -> None:
    hand = Hand(player, "one")
    player.show(scene(depths=[2, 3]))
    assert player._place["order"] == 0
    hand.move(depth=2, step=3, rate=1)  # depth 3 of the scene before
    assert player.position == {"depth": 1, "step": 3, "rate": 1}
    player.show(scene(depths=[7], rates=["tuned"]))
    assert player.position == {"depth": 0, "step": 3, "rate": 0}
    hand.move(depth=0, rate=0)  # depth 1 and a word that are no longer there
    assert player.position == {"depth": 0, "step": 3, "rate": 0}


@pytest.mark.parametrize(
    ("before", "at", "after", "then"),
    [
        ({}, {"depth": 2}, {"depths": [1, 2, 3]}, {"depth": 2}),
        ({}, {"depth": 2}, {"depths": [3, 5, 8]}, {"depth": 0}),  # depth 3 stays depth 3
        ({}, {"depth": 3}, {"depths": [1, 2, 4, 8]}, {"depth": 2}),  # also at the end
        ({}, {"depth": 2}, {"depths": [1, 2]}, {"depth": 1}),  # or the nearest there is
        ({}, {"depth": 1}, {"depths": [1, 3]}, {"depth": 0}),  # of two, the first
        ({"depths": [1, 2, 2]}, {"depth": 2}, {"depths": [1, 2, 2]}, {"depth": 2}),
        ({}, {"step": 2}, {"steps": [0, 1, 19, 20, 21]}, {"step": 3}),
        ({}, {"step": 3}, {"steps": range(100)}, {"step": 99}),  # the end stays the end
        ({}, {"step": 3}, {"steps": [0, 5]}, {"step": 1}),
        ({}, {"step": 0}, {"steps": range(100)}, {"step": 0}),
        ({"steps": [0]}, {"step": 0}, {"steps": range(100)}, {"step": 0}),  # also the beginning
        ({}, {"rate": 1}, {"rates": ["none", "same", "tuned"]}, {"rate": 2}),
        ({}, {"rate": 1}, {"rates": ["none", "same"]}, {"rate": 0}),
        ({}, {"rate": 1}, {"rates": [1, 2]}, {"rate": 0}),
        ({"rates": [1, 2]}, {"rate": 1}, {}, {"rate": 0}),
    ],
)
def test_a_slider_keeps_its_value(
    before: dict[str, Any], at: dict[str, int], after: dict[str, Any], then: dict[str, int]
) -> None:
    old, new = scene(**before), scene(**after)
    [(name, stop)] = then.items()
    assert carried(old, {"depth": 0, "step": 0, "rate": 0} | at, new)[name] == stop


def test_reset_is_a_move_of_the_hand_and_no_order_over_it() -> None:
    power = widgets.ToggleButtons(options=[1, 2, 3], value=2)
    explorer = Explorer(lambda power: scene(start=power), {"power": power})
    player, hand = explorer.player, Hand(explorer.player, "one")
    assert player._controls == [(power.model_id, 1)]
    power.value = 3
    hand.move(depth=3, step=1)
    content = {"kind": "reset", "author": "one", "number": 2, "order": hand.order}
    player._handle_custom_msg(content, [])
    start = {"depth": 0, "step": 2, "rate": 0}
    assert explorer.values == {"power": 2}
    assert player._place == {"position": start, "order": 0, "author": "one", "number": 2}
    hand.number = 2
    hand.move(step=3)  # sent before the answer to Reset came
    assert player.position == start | {"step": 3}
    power.value = 1
    after = player.position
    player._handle_custom_msg(content, [])  # the same press again, after a line that was cut
    assert explorer.values == {"power": 1}
    assert player.position == after


def test_a_new_slider_is_at_its_start() -> None:
    one = Scene(go.Figure(), [Axis("depth", "depth N", DEPTHS)], [])
    assert carried(one, {"depth": 3}, scene(start=2)) == {"depth": 3, "step": 2, "rate": 0}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORERS)
def test_no_control_changes_a_slider_whose_value_is_on_offer(name: str) -> None:
    """Each control of each explorer in turn, with the sliders inside and at their ends."""
    explorer = getattr(oe, name)()
    for control, part in itertools.product(explorer.controls, (0.4, 1.0)):
        for value in offers(explorer.controls[control]):
            explorer.reset()
            axes = explorer.scene.axes
            explorer.player.move(**{a.name: round(part * (len(a.stops) - 1)) for a in axes})
            before = values(explorer)
            explorer.controls[control].value = value
            after = values(explorer)
            for axis in explorer.scene.axes:
                if axis.name not in before or (axis.play and part == 1.0):
                    continue
                known = before[axis.name] in axis.stops
                assert after[axis.name] == before[axis.name] or not known, (control, value)
            if part == 1.0:
                assert all(
                    explorer.player.position[axis.name] == len(axis.stops) - 1
                    for axis in explorer.scene.axes
                    if axis.play and axis.name in before
                )


def values(explorer: Explorer) -> dict[str, Any]:
    at = explorer.player.position
    return {axis.name: axis.stops[at[axis.name]] for axis in explorer.scene.axes}


def offers(control: widgets.Widget) -> list[Any]:
    """Return some values of a control: its options, or its ends."""
    if hasattr(control, "options"):
        options = control.options
        pairs = options.items() if isinstance(options, dict) else options
        known = [entry[1] if isinstance(entry, tuple) else entry for entry in pairs]
        return [known[0], known[-1]]
    if isinstance(control.value, bool):
        return [False, True]
    if isinstance(control.value, (int, float)) and hasattr(control, "min"):
        low, high = control.min, control.max
        log = isinstance(control, widgets.FloatLogSlider)
        return [control.base**low, control.base**high] if log else [low, high]
    return []
