"""The 2-D illustration as a widget: every setting, and whether what it shows and says is true."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from overparam_edu import SeparableLp, end_to_end_direction, tuned_learning_rate
from overparam_edu.experiments.depth_race import DepthRace, race_depths
from overparam_edu.explorers import trajectories
from overparam_edu.explorers.trajectories import explore_trajectories, trajectory_scene
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import message

OPTIONS: dict[str, list[Any]] = {
    "p": [2, 3, 4, 6],
    "ratio": [1, 2, 5, 10, 20, 30],
    "start": [0, 0.001, 0.003, 0.01, 0.03, 0.1, "hand"],
    "learning_rate": ["quarter", "tuned", "same", "hand"],
    "dynamics": ["rule", "network", "flow"],
}
PARTS = ("adaptive rate", "projection")


def race_of(p=4, ratio=10, start=0.01, learning_rate="quarter", dynamics="rule") -> DepthRace:
    return race_depths(
        SeparableLp((1.0, 1 / ratio), p=p),
        [start, start],
        depths=np.arange(1, 8.5, 0.5 if dynamics == "rule" else 1.0),
        target=0.01 * (1 / ratio) ** p / p,
        learning_rate="tuned" if learning_rate == "quarter" else learning_rate,
        fraction=0.25 if learning_rate == "quarter" else 1.0,
        dynamics=dynamics,
    )


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_trajectories()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return trajectory_scene()


@pytest.fixture(scope="module")
def race() -> DepthRace:
    return race_of()


def test_what_is_on_offer(explorer: Explorer) -> None:
    for name, values in OPTIONS.items():
        offered = explorer.controls[name].options
        assert [v[1] if isinstance(v, tuple) else v for v in offered] == values


def test_rate_by_hand_shows_only_when_chosen(explorer: Explorer) -> None:
    explorer.reset()
    slider = explorer.controls["rate_by_hand"]
    assert slider.layout.display == "none"
    explorer.set(learning_rate="hand")
    assert slider.layout.display is None
    assert slider.value < 1 / 3  # below it no step of depth 1 lands near its target by luck
    explorer.reset()
    assert slider.layout.display == "none"


def test_set_builds_once_and_reset_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def counted(**values: Any) -> Scene:
        calls.append(values)
        return trajectory_scene()

    monkeypatch.setattr(trajectories, "_scene", counted)
    explorer = explore_trajectories()
    first, opening = explorer.values, explorer.player.position
    explorer.set(p=2, ratio=5, start=0.03, learning_rate="same", dynamics="network")
    assert len(calls) == 2
    explorer.player.move(depth=0, step=0)
    explorer.reset()
    assert (explorer.values, explorer.player.position, len(calls)) == (first, opening, 3)
    with pytest.raises(ValueError, match="p must be a value its control offers; got 5"):
        explorer.set(p=5)
    assert (explorer.values, len(calls)) == (first, 3)


SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def number(text: str) -> float:
    return float(text.replace("×10", "e").translate(SUPERSCRIPT))


VALUE = r"(−?[\d.]+(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?|not finite)"
WORDS = re.compile(
    rf"At iteration {VALUE}, loss {VALUE} \(depth 1: {VALUE}\)\. With (.+?), "
    rf"depth ([\d.]+) (?:(?P<end>arrives in|diverges at iteration|never moves in|"
    rf"has not arrived in) {VALUE})(?: iterations?)? at rate {VALUE}"
    rf"(?:\. Fair count \(tuned rate, slowest of five runs\): {VALUE})?"
    rf"(?:, {VALUE} times (?P<word>faster|slower) than depth 1 \({VALUE}\)"
    rf"|, about as fast as depth 1 \({VALUE}\)|; depth 1 has not arrived in {VALUE})?\.$"
)
SO_FAR = re.compile(
    rf"At iteration {VALUE}, loss {VALUE} \(depth 1: {VALUE}\)\.( Arrived\.| Diverged\.|)$"
)


def check_words(race: DepthRace, step: int, lane: int, words: str) -> None:
    found = WORDS.match(words) if step == race.steps[-1] else SO_FAR.match(words)
    assert found, words
    if found.re is SO_FAR:  # no ending is told before the end
        gone = 0 <= race.diverged_at[lane] <= step
        fate = " Arrived." if race.arrivals[lane] <= step else ""
        assert found[4] == (" Diverged." if gone else fate)
        assert number(found[1]) == step
        return
    at, loss, loss_1, _, depth, end, when, rate, fair, factor, word, *firsts = found.groups()
    assert number(at) == step
    assert number(depth) == race.depths[lane]
    for text, value in ((loss, race.losses[step, lane]), (loss_1, race.losses[step, 0])):
        if text == "not finite":
            assert not np.isfinite(np.float32(value))
        else:
            assert number(text) == pytest.approx(value, rel=6e-3, abs=1e-45)
    assert number(rate) == pytest.approx(race.learning_rates[lane], rel=6e-3)
    first, arrived = race.arrivals[0], race.arrivals[lane]
    assert (fair is not None) == np.isfinite(race.fair_steps[lane])
    if race.diverged_at[lane] >= 0:
        assert (end, number(when)) == ("diverges at iteration", race.diverged_at[lane])
    elif np.isfinite(arrived):
        assert (end, number(when)) == ("arrives in", arrived)
    else:
        moved = (race.points[:, lane] != race.points[0, lane]).any()
        assert end == ("has not arrived in" if moved else "never moves in")
        assert number(when) == race.steps[-1]
    if fair is not None:
        arrived, first = race.fair_steps[lane], race.fair_steps[0]
        assert number(fair) == arrived
    for text in firsts:
        if text is not None:
            assert number(text) == (first if np.isfinite(first) else race.steps[-1])
    if factor is not None:
        assert word == ("faster" if arrived < first else "slower")
        ratio = first / arrived if word == "faster" else arrived / first
        assert number(factor) == pytest.approx(ratio, rel=6e-3, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"p": 2},
        {"start": 0, "p": 6},
        {"learning_rate": 10.0, "start": 0.1},
        {"learning_rate": "same", "dynamics": "network", "ratio": 2, "start": 0.003},
        {"dynamics": "flow", "p": 3},
    ],
    ids=str,
)
def test_the_sentence_is_true(setting: dict[str, Any]) -> None:
    scene, race = trajectory_scene(**setting), race_of(**setting)
    stops = scene.axes[1].stops
    for lane in range(len(race.depths)):
        for stop in (0, len(stops) // 3, len(stops) - 2, len(stops) - 1):
            words = describe(scene, {"depth": lane, "step": stop})
            check_words(race, int(stops[stop]), lane, words)


def test_explorer_and_lesson_count_the_same() -> None:
    loss, depths = SeparableLp((1.0, 0.1), p=4), [1, 2, 3, 4, 8]  # as in lesson 05, section 6
    tuned = tuned_learning_rate(loss, [0.01, 0.01], depth=depths, target=0.01 * 0.1**4 / 4)
    for rate in ("quarter", "tuned"):
        scene = trajectory_scene(learning_rate=rate)
        depth, step = scene.axes
        for N, steps in zip(depths, tuned.steps, strict=True):
            end = {"depth": depth.stops.index(N), "step": len(step.stops) - 1}
            assert f"slowest of five runs): {steps:.0f}" in describe(scene, end)
    # The run itself may arrive earlier by luck, and the sentence says both.
    assert "depth 4 arrives in 36 iterations" in describe(scene, {"depth": 6, "step": end["step"]})


def test_it_opens_at_the_start_with_paths_that_the_eye_can_follow(
    explorer: Explorer, race: DepthRace
) -> None:
    explorer.reset()
    assert explorer.player.position["step"] == 0
    assert "arrives" not in describe(explorer.scene, {})
    # The grey path and that of depth 3 go to the far target without a zigzag.
    paths = race.points[:, [0, 4], 0]
    assert (np.diff(paths, axis=0) > -1e-3).all()
    assert (paths < 1).all()
    stops = np.array(explorer.scene.axes[1].stops)
    assert stops[:10].tolist() == list(range(10))


def test_the_depth_is_named_at_its_path(scene: Scene) -> None:
    named = scene.figure.data[scene.place("depth named")]
    for lane, N in enumerate(scene.axes[0].stops):
        shown = [x is not None for x in frame(scene, {"depth": lane})["depth named", "x"]]
        assert [text for text, here in zip(named.text, shown, strict=True) if here] == [
            f"<b>━ depth {N:g}</b>"
        ]


def test_real_layers_are_not_said_to_be_safe_at_the_rules_rate() -> None:
    # At this rate the rule is safe at every depth, and the network of depth 8 diverges.
    scene = trajectory_scene(4, 2, 0.003, "same", "network")
    words = describe(scene, {"depth": 7, "step": len(scene.axes[1].stops) - 1})
    assert "diverges" in words
    assert "safe for the rule" in words


def test_curves_are_the_losses_along_the_paths(scene: Scene, race: DepthRace) -> None:
    loss = SeparableLp((1.0, 0.1), p=4)
    stops = np.array(scene.axes[1].stops, dtype=int)
    for lane in (0, 2, 14):
        drawn = frame(scene, {"depth": lane, "step": len(stops) - 1})
        path = np.stack([drawn["path", "x"], drawn["path", "y"]], axis=-1)
        np.testing.assert_array_equal(path, race.points[stops, lane].astype("f4"))
        # float32 points next to the minimum, where the loss is a fourth power, cost some digits.
        np.testing.assert_allclose(drawn["loss", "y"], loss.value(path), rtol=2e-3)
        np.testing.assert_allclose(drawn["loss", "y"], race.losses[stops, lane], rtol=1e-6)
        np.testing.assert_allclose(drawn["loss of depth 1", "y"], race.losses[stops, 0], rtol=1e-6)
        assert drawn["loss", "x"] == np.maximum(stops, 0.5).tolist()


def test_arrows_add_up_to_the_next_step(scene: Scene, race: DepthRace) -> None:
    stops = np.array(scene.axes[1].stops, dtype=int)
    for lane in range(len(race.depths)):
        for stop in range(0, len(stops) - 1, 5):
            drawn = frame(scene, {"depth": lane, "step": stop})
            ends = [np.array([drawn[t, "x"], drawn[t, "y"]], float).T for t in PARTS]
            here = race.points[stops[stop], lane]
            # A part that is 0, or too short to be seen, is not drawn.
            ends = [arrow for arrow in ends if not np.isnan(arrow).any()]
            assert len(ends) == (1 if race.depths[lane] == 1 else 2) or stop >= 30
            if not ends:
                np.testing.assert_allclose(here, (1.0, 0.1), atol=2e-3)
                continue
            for arrow in ends:
                np.testing.assert_allclose(arrow[0], here, rtol=1e-6)
            whole = sum(arrow[1] - arrow[0] for arrow in ends)
            moved = race.points[stops[stop] + 1, lane] - here
            cosine = whole @ moved / np.linalg.norm(whole) / np.linalg.norm(moved)
            assert cosine == pytest.approx(1, abs=1e-5)


def test_arrows_are_the_two_parts_by_name(scene: Scene, race: DepthRace) -> None:
    stops, lane = np.array(scene.axes[1].stops, dtype=int), 2  # of depth 2
    for stop in (0, 20, 50):
        drawn = frame(scene, {"depth": lane, "step": stop})
        w = race.points[stops[stop], lane]
        gradient = SeparableLp((1.0, 0.1), p=4).gradient(w)
        blue, green = (np.diff([drawn[t, "x"], drawn[t, "y"]])[:, 0] for t in PARTS)
        for arrow, along in ((blue, gradient), (green, w)):
            cosine = abs(arrow @ along) / np.linalg.norm(arrow) / np.linalg.norm(along)
            assert cosine == pytest.approx(1, abs=1e-5)
        assert blue @ gradient < 0
        # Their ratio is that of the rule for matrices, an independent implementation.
        whole = end_to_end_direction(w[None], gradient[None], 2)[0]
        scale = np.linalg.norm(blue + green) / np.linalg.norm(whole)
        np.testing.assert_allclose(blue + green, -scale * whole, rtol=1e-3, atol=1e-6)
        size = np.array([np.ptp(scene.figure.layout[a].range) for a in ("xaxis", "yaxis")])
        longer = max(np.linalg.norm(arrow / size) for arrow in (blue, green))
        assert longer == pytest.approx(0.22, rel=1e-4)


def test_effective_rates_are_eta_times_the_power_of_the_norm(scene: Scene, race: DepthRace) -> None:
    stops, lane = np.array(scene.axes[1].stops, dtype=int), 4
    drawn = frame(scene, {"depth": lane, "step": len(stops) - 1})
    norm = np.linalg.norm(race.points[stops, lane], axis=-1)
    expected = race.learning_rates[lane] * norm ** (2 - 2 / race.depths[lane])
    np.testing.assert_allclose(drawn["rate across w", "y"], expected, rtol=1e-5)
    np.testing.assert_allclose(drawn["rate along w", "y"], race.depths[lane] * expected, rtol=1e-5)
    np.testing.assert_allclose(drawn["rate of depth 1", "y"], race.learning_rates[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{}, {"p": 6, "ratio": 30}, {"dynamics": "network"}], ids=str)
def test_a_scene_fits_into_75_kilobytes(setting: dict[str, Any]) -> None:
    sent = message(trajectory_scene(**setting))
    assert len(json.dumps(sent["spec"])) + len(sent["buffer"]) < 75_000
