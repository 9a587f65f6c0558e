"""Pages without a kernel: what they hold, what they offer, and that text stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import pytest

from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import frame
from overparam_edu.player.page import Settings, page, pieces, player_script
from overparam_edu.player.pictures import save
from overparam_edu.player.player import Player
from overparam_edu.player.scene import Axis, Handle, Scene, Track
from overparam_edu.player.wire import message

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>&\"'"


def build(slope: float, kind: str = "up", shift: int = 0) -> Scene:
    if slope > 5:
        raise ValueError("slope must be at most 5")
    step = Axis("step", "step", [0, 1, 2], start=1)
    sign = -1 if kind == "down" else 1
    point = go.Scatter(uid="point", x=[slope], y=[shift])
    figure = go.Figure([go.Scatter(uid="line", mode="lines"), point])
    lines = sign * slope * np.outer([1, 2, 3], [1.0, 2.0]) + shift
    hand = Handle("point", "point", ("slope", "shift"), ((0, 5), (-10, 10)), (0.25, 1))
    return Scene(figure, [step], [Track("line", "y", lines, ["step"])], handles=[hand])


def explorer(**controls: Any) -> Explorer:
    return Explorer(build, controls)


SLOPE = {"options": [1, 2, 9], "value": 2, "description": "slope"}


def settings(explorer: Explorer) -> Settings:
    """Return what a page offers, once it is known to begin as the explorer stands."""
    [piece] = pieces(explorer)
    found = piece.settings()
    assert found.scenes[0] is explorer.scene
    assert piece.to_json()["settings"] == found.options
    return found


def check_scenes(found: Settings) -> None:
    for scene, setting in zip(found.scenes, found.options, strict=True):
        values = {c.name: c.options[n][1] for c, n in zip(found.choices, setting, strict=True)}
        for step in range(3):
            assert frame(scene, {"step": step}) == frame(build(**values), {"step": step})


def test_all_combinations_where_they_are_few() -> None:
    kind = widgets.Dropdown(options=[("rising", "up"), ("falling", "down")])
    found = settings(explorer(slope=widgets.ToggleButtons(**SLOPE), kind=kind))
    assert [choice.label for choice in found.choices] == ["slope", "kind"]
    # 9 is refused by the explorer, so it is in no setting; the one it opens with comes first.
    assert found.options == [[1, 0], [0, 0], [0, 1], [1, 1]]
    check_scenes(found)
    assert "4 settings, all their combinations" in found.note
    assert "What is dragged in the picture goes to the nearest setting." in found.note


def test_a_page_knows_the_places_of_its_settings() -> None:
    [piece] = pieces(explorer(slope=widgets.ToggleButtons(**SLOPE)))
    sent = piece.to_json()
    assert sent["places"] == [{"point": (2, 0)}, {"point": (1, 0)}]
    [fixed] = pieces(explorer(slope=widgets.FloatText(2)))
    assert "So does dragging in the picture." in fixed.settings().note


def test_one_change_at_a_time_where_they_are_many() -> None:
    many = {
        "slope": widgets.SelectionSlider(options=np.linspace(0, 5, 21).tolist(), value=1.25),
        "shift": widgets.IntSlider(3, -10, 10),
        "kind": widgets.Dropdown(options=["up", "down"]),
    }
    found = settings(explorer(**many))
    assert len(found.scenes) == len(found.options) <= 12
    first = found.options[0]
    for setting in found.options[1:]:
        assert sum(a != b for a, b in zip(setting, first, strict=True)) == 1
    slope, shift, _ = found.choices
    assert [slope.options[end][1] for end in (0, -1)] == [0, 5]  # the ends stay on offer
    assert slope.options[slope.now][1] == 1.25
    assert [value for _, value in shift.options] == [-10, 3, 10]
    check_scenes(found)
    assert "one change at a time" in found.note


def test_a_control_that_some_settings_need_is_shown_with_these() -> None:
    controls = {
        "slope": widgets.ToggleButtons(options=[1, 2], value=1),
        "kind": widgets.ToggleButtons(options=["up", "down"]),
    }
    shown_when = {"kind": lambda values: values["slope"] == 1}
    found = settings(Explorer(build, controls, shown_when=shown_when))
    for setting, shown in zip(found.options, found.shown, strict=True):
        assert shown == [True, setting[0] == 0]


def test_an_explorer_may_say_what_a_page_offers() -> None:
    controls = {
        "slope": widgets.ToggleButtons(options=[1, 2, 3], value=1),
        "shift": widgets.ToggleButtons(options=[0, 1, 2]),
        "kind": widgets.ToggleButtons(options=["up", "down"]),
    }
    shown_when = {"kind": lambda values: values["slope"] == 3}
    wanted = [{"slope": 3, "kind": "down"}, {"slope": 1}, {"slope": 3, "kind": "up"}, {"slope": 9}]
    controls["slope"].options = [1, 2, 3, 9]
    found = settings(Explorer(build, controls, shown_when=shown_when, on_pages=wanted))
    assert [[value for _, value in choice.options] for choice in found.choices] == [
        [1, 3, 9],
        ["up", "down"],
    ]
    assert found.options == [[0, 0], [1, 1], [1, 0]]  # as it stands, once; 9 is refused
    assert found.shown == [[True, False], [True, True], [True, True]]
    check_scenes(found)


def test_a_range_stays_as_it_is() -> None:
    def between(ends: tuple[float, float]) -> Scene:
        return build(ends[1] - ends[0])

    ends = widgets.FloatRangeSlider(value=(0.5, 1.5), min=0, max=2, description="ends")
    found = settings(Explorer(between, {"ends": ends}))
    assert found.choices == []
    assert "Other controls need Python" in found.note


def test_a_piece_opens_where_its_player_stands() -> None:
    player = Player(build(1))
    player.move(step=2)
    [piece] = pieces(widgets.VBox([widgets.HBox([player]), widgets.Button()]))
    sent = piece.to_json()
    assert (sent["position"], sent["sentence"], sent["note"]) == ({"step": 2}, "Figure", "")


def test_a_piece_travels_as_the_player_sends_it() -> None:
    [piece] = pieces(Player(build(1)))
    [sent] = piece.to_json()["scenes"]
    live = message(build(1))
    assert base64.b64decode(sent["buffer"]) == live["buffer"]
    assert json.dumps(sent["spec"]) == json.dumps(live["spec"])


class Scripts(HTMLParser):
    """The scripts of a page as a browser finds them, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            kind, before = self.scripts[-1]
            self.scripts[-1] = (kind, before + data)


def test_text_of_others_can_neither_end_nor_begin_a_script(tmp_path: Path) -> None:
    scene = build(1)
    scene.drawn.update_layout(title=HOSTILE)
    text = save(scene, tmp_path / "a.html", title=HOSTILE).read_text(encoding="utf-8")
    found = Scripts(text)
    kinds = [attributes.get("type") for attributes, _ in found.scripts]
    assert kinds == [None, None, None, "application/json"]
    assert json.loads(found.scripts[-1][1])["scenes"][0]["spec"]["figure"]["layout"]["title"] == {
        "text": HOSTILE
    }
    tags = {tag for tag, _ in found.tags}
    assert not {"img", "iframe", "object"} & tags
    assert [a["href"][:19] for tag, a in found.tags if tag == "link"] == ["data:image/svg+xml,"]
    assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on")]


def test_the_policy_names_every_script_of_the_page(tmp_path: Path) -> None:
    text = save(build(1), tmp_path / "a.html").read_text(encoding="utf-8")
    found = Scripts(text)
    [policy] = [
        attributes["content"]
        for tag, attributes in found.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = re.findall(r"'sha256-([^']+)'", policy or "")
    run = [code for attributes, code in found.scripts if "type" not in attributes]
    digests = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in run]
    assert allowed == digests
    assert "default-src 'none'" in policy
    assert "script-src 'sha256" in policy  # and no other script


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for what in (widgets.Button(), 3.0, None):
        with pytest.raises(TypeError, match="what must be a widget, scene or figure"):
            save(what, tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_the_player_is_a_plain_script_for_pages_from_a_disk() -> None:
    script = player_script()
    assert not re.search(r"^\s*(import|export)\b", script, flags=re.M)
    assert "window.overparamEduMount = mount;" in script


def test_braces_in_a_text_are_no_holes() -> None:
    assert "<title>{{body}}</title>" in page("{{body}}", "<p>here</p>", scripts=())
