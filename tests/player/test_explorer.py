"""The frame round the explorers, with a build that counts its calls; no browser."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
import pytest

from overparam_edu.player.explorer import Explorer
from overparam_edu.player.scene import Axis, Scene, Track


class Lines:
    """Builds a line of some slope, refuses negative slopes, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *, slope: float, colour: str, rate: float) -> Scene:
        self.calls.append({"slope": slope, "colour": colour, "rate": rate})
        if slope < 0:
            raise ValueError(f"<script>alert({slope:g})</script>")
        figure = go.Figure(go.Scatter(uid="line", line={"color": colour}))
        step = Axis("step", "step", [0, 1, 2], start=2, play=True)
        return Scene(figure, [step], [Track("line", "y", [0, slope, 2 * slope], ["step"])])


@pytest.fixture
def build() -> Lines:
    return Lines()


@pytest.fixture
def explorer(build: Lines) -> Explorer:
    controls = {
        "slope": widgets.FloatText(1.0),
        "colour": widgets.ToggleButtons(options=["red", "blue"]),
        "rate": widgets.FloatSlider(value=1.0, min=0.0, max=2.0),
    }
    shown_when = {"rate": lambda values: values["colour"] == "blue"}
    made = Explorer(build, controls, shown_when=shown_when)
    build.calls.clear()
    return made


def message(explorer: Explorer) -> str:
    return explorer.trouble


RESET = {"kind": "reset", "author": "a page", "number": 1, "order": 0}


def press_reset(explorer: Explorer) -> None:
    explorer.player._handle_custom_msg(RESET, [])


def test_a_control_makes_one_new_scene(explorer: Explorer, build: Lines) -> None:
    explorer.controls["slope"].value = 3.0
    assert build.calls == [{"slope": 3.0, "colour": "red", "rate": 1.0}]
    assert explorer.player.scene is explorer.scene
    assert explorer.scene.tracks[0].values.tolist() == [0, 3, 6]
    assert message(explorer) == ""


def test_set_computes_once(explorer: Explorer, build: Lines) -> None:
    explorer.set(slope=4.0, colour="blue", rate=0.5)
    assert build.calls == [{"slope": 4.0, "colour": "blue", "rate": 0.5}]
    assert explorer.values == build.calls[0]


def test_sliders_stay_where_they_are_when_a_control_changes(explorer: Explorer) -> None:
    explorer.player.move(step=1)
    explorer.set(slope=2.0)
    assert explorer.player.position == {"step": 1}


def test_reset_goes_back_to_values_and_position(explorer: Explorer, build: Lines) -> None:
    first = dict(explorer.values)
    explorer.set(slope=5.0, colour="blue")
    explorer.player.move(step=0)
    build.calls.clear()
    press_reset(explorer)
    assert explorer.values == first
    assert explorer.player.position == {"step": 2}
    assert build.calls == [first]
    assert explorer.scene.tracks[0].values.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"slant": 1}, "slant"),
        ({"colour": "green"}, "colour must be a value its control offers; got 'green'"),
        ({"slope": "steep"}, "slope must be a value its control offers; got 'steep'"),
        ({"slope": 7.0, "colour": "green"}, "colour .*'green'"),
        ({"colour": "green", "slope": 7.0}, "colour .*'green'"),
        ({"rate": 9.0}, "rate .*9"),  # which the slider would quietly make 2
    ],
)
def test_a_bad_value_changes_nothing(
    explorer: Explorer, build: Lines, values: dict[str, Any], words: str
) -> None:
    before, scene = explorer.values, explorer.scene
    with pytest.raises(ValueError, match=words):
        explorer.set(**values)
    assert explorer.values == before
    assert explorer.scene is scene
    assert build.calls == []
    explorer.controls["slope"].value = 2.0  # and it still listens
    assert len(build.calls) == 1


def test_set_raises_where_there_is_no_picture_and_changes_nothing(explorer: Explorer) -> None:
    scene, values = explorer.scene, explorer.values
    with pytest.raises(ValueError, match=r"alert\(-1\)"):
        explorer.set(slope=-1.0, colour="blue")
    assert (explorer.values, explorer.scene, explorer.player.scene) == (values, scene, scene)
    assert explorer.controls["rate"].layout.display == "none"
    assert message(explorer) == ""
    explorer.controls["slope"].value = 2.0  # and it still listens
    assert explorer.scene is not scene


def test_a_page_is_of_what_is_drawn_not_of_what_was_refused(explorer: Explorer) -> None:
    explorer.controls["slope"].value = -1.0
    (piece,) = explorer.pieces()
    settings = piece.settings()
    assert [choice.name for choice in settings.choices] == ["colour"]
    assert len(settings.scenes) == 2
    assert all(scene.tracks[0].values.tolist() == [0, 1, 2] for scene in settings.scenes)


def test_a_build_that_refuses_keeps_the_picture_and_says_why(explorer: Explorer) -> None:
    scene = explorer.scene
    explorer.controls["slope"].value = -1.0
    assert explorer.scene is explorer.player.scene is scene
    assert "<script>alert(-1)</script>" in message(explorer)  # which the page shows as text
    assert "still the one before" in message(explorer)
    explorer.set(slope=2.0)
    assert message(explorer) == ""
    assert explorer.scene is explorer.player.scene is not scene


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ZeroDivisionError("float division by zero"), "ZeroDivisionError: float division by zero"),
        (MemoryError(), "have no picture (MemoryError)"),
        (KeyboardInterrupt(), "The computation was interrupted"),
    ],
)
def test_whatever_goes_wrong_is_said_and_belongs_to_these_settings(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch, problem: BaseException, words: str
) -> None:
    def broken(**_: Any) -> Scene:
        raise problem

    scene, build = explorer.scene, explorer._build
    monkeypatch.setattr(explorer, "_build", broken)
    explorer.controls["slope"].value = 2.0
    assert explorer.trouble == f"{explorer.player._drawn['why']}"
    assert words in explorer.trouble
    assert explorer.player._drawn["settings"] == [1.0, 0, 1.0]
    assert explorer.player._drawn["failed"] == explorer.state == [2.0, 0, 1.0]
    assert explorer.scene is explorer.player.scene is scene
    monkeypatch.setattr(explorer, "_build", build)
    explorer.controls["slope"].value = 3.0
    assert explorer.trouble == ""
    assert explorer.player._drawn["settings"] == [3.0, 0, 1.0]


def test_a_control_costs_one_message_with_the_scene(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(explorer.player, "_send", lambda msg, buffers=None: sent.append(msg))
    explorer.controls["slope"].value = 3.0
    assert [set(one["state"]) for one in sent] == [{"_scene", "_drawn"}]


def test_an_unforeseen_error_is_raised_and_not_left_computing(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> Scene:
        raise RuntimeError("no minimum")

    scene = explorer.scene
    monkeypatch.setattr(explorer, "_build", broken)
    with pytest.raises(RuntimeError, match="no minimum"):
        explorer.set(slope=2.0)
    assert message(explorer) == ""
    assert explorer.scene is explorer.player.scene is scene


def test_a_control_shows_only_when_needed(explorer: Explorer) -> None:
    display = [explorer.controls["rate"].layout.display]
    for colour in ("blue", "red"):
        explorer.controls["colour"].value = colour
        display.append(explorer.controls["rate"].layout.display)
    assert display == ["none", None, "none"]


def test_every_control_is_in_the_row(explorer: Explorer) -> None:
    row = explorer.children[0].children
    assert row[:3] == tuple(explorer.controls.values())
    assert row[3].description == "Reset"
    assert row[3]._dom_classes == ("oe-reset",)
    assert explorer.children[1] is explorer.player


# --- callbacks of a reader's own ---


def raises(_: Any) -> None:
    raise RuntimeError("mine")


def test_what_a_callback_raises_comes_when_the_picture_is_of_the_new_values(
    explorer: Explorer,
) -> None:
    explorer.controls["slope"].observe(raises, "value")
    with pytest.raises(RuntimeError, match="mine"):
        explorer.set(slope=2.0, colour="blue")
    assert explorer.values == {"slope": 2.0, "colour": "blue", "rate": 1.0}
    assert explorer.scene.tracks[0].values.tolist() == [0, 2, 4]
    explorer.player.move(step=0)
    with pytest.raises(RuntimeError, match="mine"):
        explorer.reset()
    assert explorer.values == {"slope": 1.0, "colour": "red", "rate": 1.0}
    assert explorer.player.position == {"step": 2}


def test_a_refused_setting_is_put_back_whatever_a_callback_raises(explorer: Explorer) -> None:
    before = explorer.values
    explorer.controls["slope"].observe(raises, "value")
    for refused in ({"slope": -1.0, "colour": "blue"}, {"slope": 2.0, "rate": 9.0}):
        with pytest.raises(ValueError, match=r"alert|rate .*9"):
            explorer.set(**refused)
        assert explorer.values == before


def test_a_page_hears_that_its_reset_was_taken_whatever_a_callback_raises(
    explorer: Explorer,
) -> None:
    explorer.set(slope=2.0)
    explorer.player.move(step=0)
    explorer.controls["slope"].observe(raises, "value")
    with pytest.raises(RuntimeError, match="mine"):
        explorer.player._answer(None, RESET, None)
    assert explorer.player._place["author"] == RESET["author"]
    assert explorer.player.position == {"step": 2}
    assert explorer.scene.tracks[0].values.tolist() == [0, 1, 2]


def test_a_value_that_a_callback_takes_back_is_refused(explorer: Explorer) -> None:
    slope = explorer.controls["slope"]
    slope.observe(lambda _: setattr(slope, "value", min(slope.value, 3.0)), "value")
    with pytest.raises(ValueError, match=r"slope .*4\.0"):
        explorer.set(slope=4.0)
    assert explorer.values["slope"] == 1.0
    explorer.set(slope=2.0)
    assert explorer.scene.tracks[0].values.tolist() == [0, 2, 4]
