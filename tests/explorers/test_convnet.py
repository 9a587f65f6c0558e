"""The convolutional network's explorer: recorded curves, and training while one watches."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overparam_edu.experiments.convnet import (
    NETWORKS,
    RATE,
    ConvnetRecord,
    ConvnetRuns,
    block_means,
    recorded_convnet,
)
from overparam_edu.experiments.datasets import Digits
from overparam_edu.explorers import convnet as convnet_live
from overparam_edu.explorers.convnet import (
    LiveTraining,
    convnet_scene,
    explore_convnet,
    plot_convnet,
)
from overparam_edu.player.frames import describe, frame

TINY = (2, 3, 10)


def invented(steps: int = 300, seeds: tuple[int, ...] = (4, 7), seen: int | None = None) -> Any:
    """Runs whose losses are known: data ``(1 + network) / (1 + step)``, decay twice that."""
    records = [
        [
            ConvnetRecord(step, (1 + n + 0.1 * s) / (1 + step), 2 * (1 + n + 0.1 * s) / (1 + step))
            for step in range(steps if seen is None else seen)
        ]
        for n in range(3)
        for s in seeds
    ]
    return block_means(records, networks=NETWORKS, seeds=seeds, steps=steps)


def last(scene: Any) -> dict[str, int]:
    return {"step": len(scene.axes[0].stops) - 1}


def numbers(value: Any) -> list[Any]:
    return [x for v in value for x in numbers(v)] if isinstance(value, list) else [value]


def test_curves_are_means_since_the_stop_before() -> None:
    runs = invented(2_000)
    scene = convnet_scene(runs)
    stops = np.array(scene.axes[0].stops, dtype=int)
    assert stops[0] == 0
    assert stops[-1] == 2_000
    for term, factor in enumerate((3, 1, 2)):
        drawn = frame(scene, last(scene) | {"term": term, "seed": 2})  # the second seed, 7
        assert drawn[None, "yaxis.title.text"].split(" of ")[0] in describe(scene, {"term": term})
        for network, name in enumerate(NETWORKS):
            height = factor * (1.7 + network)
            expected = [height] + [
                height * np.mean(1 / (1 + np.arange(low, high))) for low, high in pairwise(stops)
            ]
            for part in ("", " low", " high"):  # one seed has no band
                np.testing.assert_array_equal(drawn[name + part, "x"], stops)
                np.testing.assert_allclose(drawn[name + part, "y"], expected, rtol=1e-5)


def test_the_band_is_the_range_over_seeds_and_the_line_their_mean() -> None:
    runs = invented(seeds=(0, 5, 10))
    scene = convnet_scene(runs)
    drawn = frame(scene, last(scene))
    for network, name in enumerate(NETWORKS):
        low, high, line = (np.array(drawn[name + part, "y"]) for part in (" low", " high", ""))
        np.testing.assert_allclose(high / low, (2 + network) / (1 + network), rtol=1e-5)
        np.testing.assert_allclose(line / low, (1.5 + network) / (1 + network), rtol=1e-5)
        assert scene.figure.data[scene.place(f"{name} high")].fill == "tonexty"


def test_axes_hold_all_that_is_drawn_and_do_not_move_while_it_plays() -> None:
    scene = convnet_scene(recorded_convnet())
    for term in range(3):
        for scale in range(2):
            at = {"term": term, "scale": scale}
            early, late = frame(scene, at | {"step": 3}), frame(scene, at | last(scene))
            assert early[None, "yaxis.range"] == late[None, "yaxis.range"]
            low, high = late[None, "yaxis.range"]
            heights = np.array(numbers([v for (t, a), v in late.items() if a == "y"]))
            if late[None, "yaxis.type"] == "log":
                heights = np.log10(heights)
            assert (heights <= high).all()
            assert low <= np.quantile(heights, 0.02)
            assert float(late[None, "yaxis.dtick"].replace("D", "")) > 0


def test_the_reading_says_what_the_lines_end_at() -> None:
    scene = convnet_scene(invented(100, seeds=(3,)))
    assert [axis.name for axis in scene.axes] == ["step", "term", "scale"]
    assert describe(scene, {"step": 0, "term": 2}) == (
        "Iteration 0, weight decay: original 2.6; decay on each 4.6; decay on their product 6.6."
    )


def several_rates() -> ConvnetRuns:
    """Runs at three rates, the larger the lower the loss; at the last the factors diverge."""
    rates, seeds = (RATE, 0.02, 0.04), (4, 7)
    records = []
    for r, n, s in np.ndindex(3, 3, 2):
        height = (1 + n + 0.1 * seeds[s]) / (1 + r)
        steps = 25 if (r, n) == (2, 1) else 100
        # The decay falls with the rate, the data term rises with it.
        records += [[ConvnetRecord(i, 0.1 * (1 + r), height) for i in range(steps)]]
    return block_means(records, networks=NETWORKS, seeds=seeds, rates=rates, steps=100)


def test_a_rate_is_that_of_all_networks_or_each_ones_best() -> None:
    runs, scene = several_rates(), convnet_scene(several_rates())
    end = last(scene)
    assert scene.axes[2].stops == ("0.01", "0.02", "0.04", "each its best")
    for choice, rate in enumerate(runs.rates):
        drawn = frame(scene, end | {"rate": choice, "seed": 1})
        for name in ("original", "product"):
            assert drawn[name, "y"][-1] == pytest.approx(runs.of(name, rate=rate)[0, -1])
    assert describe(scene, end | {"rate": 2}).startswith(
        "Iteration 100, total loss: original 0.817;"
    )
    assert "; decay on each 1.15 (then a run diverges); " in describe(scene, end | {"rate": 2})
    # For the plotted loss the largest rate is best, of those at which no run diverges.
    own = describe(scene, end | {"rate": 3})
    assert "original 0.817 (rate 0.04); decay on each 1.48 (rate 0.02); " in own
    # For the data term it is the smallest.
    assert describe(scene, end | {"rate": 3, "term": 1}).count("(rate 0.01)") == 3
    for term in (0, 1):
        drawn = frame(scene, end | {"rate": 3, "term": term, "seed": 2})
        for name in NETWORKS:
            which = ("total", "data")[term]
            expected = runs.of(name, which, rate=runs.best_rate(name, which))[1]
            assert drawn[name, "y"][-1] == pytest.approx(expected[-1])


def test_runs_that_are_not_over_end_where_they_are() -> None:
    scene = convnet_scene(invented(300, seeds=(3,), seen=57), top=9.0)
    drawn = frame(scene, last(scene))
    assert drawn["original", "x"][-1] == 300  # the axis is the same, the line ends before
    stops = np.array(scene.axes[0].stops)
    assert len(drawn["original", "y"]) == (stops <= 50).sum()
    assert describe(scene, last(scene)).startswith("Iteration 50, total loss: ")
    assert "finite" not in describe(scene, last(scene))
    begun = convnet_scene(invented(300, seeds=(3,), seen=1), top=9.0)
    assert describe(begun, last(begun)).startswith("Iteration 0, total loss: original 3.9;")
    for at in ({}, {"scale": 1}):
        assert frame(begun, at)[None, "yaxis.range"] == frame(scene, at)[None, "yaxis.range"]


def test_every_position_of_the_recorded_runs_is_finite() -> None:
    scene = explore_convnet().player.scene
    count = {axis.name: len(axis.stops) for axis in scene.axes}
    for term, rate, seed in np.ndindex(count["term"], count["rate"], count["seed"]):
        for step in (0, 20, count["step"] - 1):
            at = {"term": term, "rate": rate, "seed": seed, "step": step}
            drawn = frame(scene, at)
            values = numbers([v for (_, a), v in drawn.items() if a in ("x", "y")])
            assert all(math.isfinite(x) for x in values)
            assert "finite" not in describe(scene, at)
            assert f"Iteration {scene.axes[0].stops[step]:.0f}, " in describe(scene, at)


def test_the_recorded_sentences_say_what_the_lesson_says() -> None:
    scene, runs = explore_convnet().player.scene, recorded_convnet()
    shared, own = (describe(scene, last(scene) | {"rate": rate}) for rate in (2, 6))
    # The last stop is a mean over the steps since the one before.
    ends = [float(word.strip(".")) for word in re.findall(r" ([\d.]+)[;.]", shared)]
    for name, end in zip(NETWORKS, ends, strict=True):
        assert end == pytest.approx(runs.at_end(name).mean(), rel=0.05)
    assert [float(rate) for rate in re.findall(r"rate ([\d.]+)", own)] == [
        runs.best_rate(name) for name in NETWORKS
    ]


def test_the_figure_has_both_terms() -> None:
    runs = invented(seeds=(0, 5, 10))
    figure = plot_convnet(runs)
    assert len(figure.data) == 18
    for panel, factor in enumerate((1, 2)):
        line = figure.data[9 * panel + 5]  # the second network's
        assert line.y[0] == pytest.approx(2.5 * factor)
        assert line.line.dash == "solid"
        assert (line.x[0], line.x[-1]) == (0, 300)
    assert len(plot_convnet(invented(seeds=(1,))).data) == 18
    faster = plot_convnet(several_rates(), rate=0.02)
    assert faster.data[2].y[-1] == pytest.approx(0.2)
    with pytest.raises(ValueError, match="rate must be one of"):
        plot_convnet(runs, rate=0.02)


# --- live ---


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> LiveTraining:
    """A live part with a network and digits so small that it takes no time."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(0)
    images = rng.uniform(-0.5, 0.5, (1_100, 28, 28)).astype(np.float32)
    monkeypatch.setattr(convnet_live, "load_digits", lambda: Digits(images, np.arange(1_100) % 10))
    monkeypatch.setattr(convnet_live, "SMALL", TINY)
    monkeypatch.setattr(convnet_live, "find_spec", lambda name: True)
    part = LiveTraining()
    part.steps.options = [20, 40]
    part.steps.value = 20
    return part


def shown(live: LiveTraining) -> ConvnetRuns:
    records = [training.records for training in live._trainings]
    steps = live.steps.value
    return block_means(records, networks=NETWORKS, seeds=(live.seed.value,), steps=steps)


def test_it_trains_draws_and_says_what_came_out(live: LiveTraining) -> None:
    assert live.stop.disabled
    assert live.player is None
    live.run()
    assert live.player is not None
    assert live.children[-1] is live.player
    assert "Done. Misread of 1,000 other digits: " in live.children[1].value
    assert (live.train.disabled, live.stop.disabled) == (False, True)
    scene = live.player.scene
    drawn = frame(scene, last(scene))
    runs = shown(live)
    assert runs.steps[-1] == 20
    np.testing.assert_allclose(drawn["original", "y"][1:], runs.of("original")[0], rtol=1e-5)


def test_the_stop_button_stops_and_train_goes_on_from_there(
    live: LiveTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.steps.value = 40

    def pressed_at_12(text: str) -> None:
        if live._trainings and len(live._trainings[-1].records) >= 12:
            live.stop.click()
        said.append(text)

    said: list[str] = []
    live._say = pressed_at_12  # type: ignore[method-assign]
    monkeypatch.setattr(convnet_live, "_PAUSE", 0.0)
    live._train()
    assert said[-1] == "Stopped after 12 of 40 iterations; Train live goes on from there."
    stopped = [list(training.records) for training in live._trainings]
    del live._say
    live.start()
    live.join(60)
    runs = [training.records for training in live._trainings]
    assert [len(run) for run in runs] == [40, 40, 40]
    assert [run[:12] for run in runs] == stopped
    assert "Done" in live.children[1].value


def test_it_goes_on_from_its_files_after_a_restart(
    live: LiveTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.steps.value = 40
    live.run()
    expected = [training.records for training in live._trainings]
    monkeypatch.setattr(convnet_live, "_PAUSE", 0.0)

    def kept() -> LiveTraining:
        part = LiveTraining(tmp_path / "kept")
        part.steps.options = [40]
        return part

    first, second = kept(), kept()
    show = first._show
    first._show = lambda: (show(), first.stop.click())  # type: ignore[method-assign,func-returns-value]
    first.run()
    stopped = len(first._trainings[0].records)
    assert 0 < stopped < 40
    assert len(list((tmp_path / "kept").iterdir())) == 3
    second.run()
    assert [training.records for training in second._trainings] == expected
    assert "Done" in second.children[1].value


def test_another_setting_starts_anew_and_so_does_a_finished_run(live: LiveTraining) -> None:
    live.run()
    first = live._trainings
    live.run()
    assert live._trainings is not first
    assert [t.records for t in live._trainings] == [t.records for t in first]
    live.seed.value = 3
    live.run()
    assert live._trainings[0].records != first[0].records


def test_an_error_in_training_is_told(live: LiveTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Digits:
        raise OSError("no digits today")

    monkeypatch.setattr(convnet_live, "load_digits", broken)
    live.start()
    live.join(60)
    assert "Training ended with an error: no digits today" in live.children[1].value
    assert not live.train.disabled


def test_closing_ends_the_training(live: LiveTraining) -> None:
    live.steps.options = [100_000]
    live.start()
    live.close()
    live.join(60)
    assert not live._thread.is_alive()  # type: ignore[union-attr]


def test_without_pytorch_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnet_live, "find_spec", lambda name: name != "torch" or None)
    live = LiveTraining()
    assert "needs torch: pip install &quot;overparam-edu[convnet]&quot;" in live.children[1].value
    assert live.train.disabled
    assert explore_convnet().player.scene.axes[1].stops == (
        "total loss",
        "data term",
        "weight decay",
    )
