"""What a hand can move in the picture: where it may go, and which controls it sets."""

from __future__ import annotations

import pickle
from contextlib import nullcontext
from typing import Any

import plotly.graph_objects as go
import pytest

import overparam_edu as oe
from overparam_edu.player.scene import Axis, Handle, Scene
from overparam_edu.player.wire import message

GIVEN: dict[str, Any] = {
    "trace": "start",
    "label": "start",
    "controls": ("a", "b"),
    "within": ((-1, 2), (0, 0.3)),
    "step": (0.1, 0.02),
}


def scene(handle: Handle, **point: Any) -> Scene:
    figure = go.Figure(
        [go.Scatter(uid="path"), go.Scatter(point or {"x": [1], "y": [2]}, uid="start")]
    )
    return Scene(figure, [Axis("step", "step", [0])], [], handles=[handle])


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ((0.3, 0.06), (0.3, 0.06)),  # 3 * 0.1 and 3 * 0.02 are not these numbers
        ((0.349, 0.049), (0.3, 0.04)),
        ((-7, 9), (-1, 0.3)),
    ],
)
def test_a_hand_stays_within_and_on_multiples_of_the_step(place: Any, values: Any) -> None:
    handle = Handle(**GIVEN, sets={"kind": "by hand"})
    assert handle.values(place) == {"a": values[0], "b": values[1], "kind": "by hand"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"within": ((1, 1), (0, 1))}, "within must be two ranges"),
        ({"within": (0, 1)}, "within must be two ranges"),
        ({"step": (0, 1)}, "step must be two numbers above 0"),
        ({"step": (1,)}, "step must be two numbers above 0"),
    ],
)
def test_what_is_no_handle_is_refused(change: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Handle(**GIVEN | change)


def test_a_handle_needs_traces_that_are_there() -> None:
    for change in ({"trace": "begin"}, {"ghost": ["way"]}):
        with pytest.raises(ValueError, match="trace must be the name of one trace"):
            scene(Handle(**GIVEN | change))
    with pytest.raises(ValueError, match="handles must have traces with a point; got 'start'"):
        scene(Handle(**GIVEN), x=[], y=[])


def test_it_can_be_kept_in_a_file() -> None:
    again = pickle.loads(pickle.dumps(Handle(**GIVEN, sets={"kind": "by hand"})))
    assert again.values((0.3, 0.06)) == {"a": 0.3, "b": 0.06, "kind": "by hand"}


def test_it_travels_with_its_place_and_its_traces_by_number() -> None:
    [sent] = message(scene(Handle(**GIVEN, ghost=["path"])))["spec"]["handles"]
    assert (sent["name"], sent["trace"], sent["at"], sent["ghost"]) == ("start", 1, (1, 2), [0])
    bare = Scene(go.Figure(), [Axis("step", "step", [0])], [])
    assert "handles" not in message(bare)["spec"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "place"),
    [
        ("trajectories", {}, (0.31, 0.046)),
        ("own_loss", {}, (0.32, 0.14)),
        ("line_integral", {"curve": "polygon"}, (-0.31, 0.46)),
    ],
)
def test_every_handle_of_an_explorer_goes_where_it_is_put(
    name: str, settings: dict[str, Any], place: tuple[float, float]
) -> None:
    explorer = getattr(oe, f"explore_{name}")()
    explorer.set(**settings)
    for number, handle in enumerate(explorer.scene.handles, start=1):
        content = {"kind": "edited", "author": "page", "number": number}
        place = (place[0] + 0.02, place[1])
        content |= {"handle": handle.trace, "place": list(place)}
        explorer.player._handle_custom_msg(content, [])
        assert explorer.trouble == ""
        assert explorer.player._drawn["edit"] == ["page", number]
        [now] = [one for one in explorer.scene.handles if one.trace == handle.trace]
        assert explorer.scene.place_of(now) == pytest.approx(place, abs=1e-12)
        assert [explorer.values[name] for name in now.controls] == pytest.approx(place, abs=1e-12)
    assert explorer.scene.handles


@pytest.mark.parametrize("limit", [0.1, None], ids=["it takes the value back", "it raises"])
def test_a_page_hears_where_its_handle_is_whatever_a_callback_does(limit: float | None) -> None:
    explorer = oe.explore_trajectories()
    control = explorer.controls["start_1"]

    def callback(_: Any) -> None:
        if limit is None:
            raise RuntimeError("mine")
        control.value = min(control.value, limit)

    control.observe(callback, "value")
    [handle] = explorer.scene.handles
    content = {"handle": handle.trace, "kind": "edited", "author": "page"}
    for number, across in enumerate((0.3, 0.4), start=1):
        content |= {"number": number, "place": [across, 0.05]}
        with nullcontext() if limit else pytest.raises(RuntimeError, match="mine"):
            explorer.player._answer(None, content, None)
        assert explorer.player._drawn["edit"] == ["page", number]
        assert explorer.player._drawn["settings"] == explorer.state
        assert explorer.scene.place_of(handle) == pytest.approx((limit or across, 0.05))
