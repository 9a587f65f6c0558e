"""A loss of one's own as a widget: what is drawn and said is so, and what is no loss is refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
import sympy as sp
from ipywidgets import HTML

import overparam_edu as oe
from overparam_edu.derivations.potential import Potential
from overparam_edu.explorers.own_loss import (
    EXAMPLES,
    answers_at,
    explore_own_loss,
    own_loss_scene,
    understood,
)
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame
from overparam_edu.player.mathml import mathml

DEPTHS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
SECONDS = 2.0


def at(depth: float, step: int = 0) -> dict[str, int]:
    return {"depth": DEPTHS.index(depth), "step": step}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_shows_a_potential_or_a_loop_with_work(name: str) -> None:
    text = EXAMPLES[name]
    loss, scene = oe.SymbolicLoss(text), own_loss_scene(text)
    for told, N in zip(scene.board.values, DEPTHS, strict=True):
        drawn, found = frame(scene, at(N)), oe.find_potential(loss, N)
        assert ("is the gradient of a function" in told) == found.exists
        loop = np.array([drawn["loop", axis] for axis in "xy"], float).T
        if found.exists:
            assert not np.isfinite(loop).any()
        else:
            done = oe.work(loss, N, loop[:4])
            assert abs(done.total) > 100 * done.error_estimate


def test_which_examples_have_a_potential_is_what_the_criterion_says() -> None:
    def is_the_same_all_round(text: str, depth: float) -> bool:
        """Return whether h is constant on each of three circles about 0."""
        loss, angle = oe.SymbolicLoss(text), np.linspace(0, 2 * np.pi, 200)
        for radius in (0.3, 0.9, 1.7):
            ring = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            h = (ring * loss.gradient(ring)).sum(axis=1) - 2 / depth * loss.value(ring)
            if np.ptp(h) > 1e-9 * np.abs(h).max():
                return False
        return True

    yes = {(n, N) for n, text in EXAMPLES.items() for N in (2, 3) if is_the_same_all_round(text, N)}
    assert yes == {
        ("a round bowl", 2),
        ("a slope without end", 2),
        ("the same all round", 2),
        ("the same all round", 3),
    }


def test_paths_losses_and_field_are_those_of_the_rule() -> None:
    text, N, start = "(w1 - 1)^4 + 2*w2^2 - w1*w2/5", 3.0, (0.2, 0.4)
    loss, scene = oe.SymbolicLoss(text), own_loss_scene(text, start, 0.05)
    steps = [int(step) for step in scene.axes[1].stops]
    drawn = frame(scene, at(N, len(steps) - 1))
    run = oe.descend(loss, start, depth=N, optimizer=oe.GradientDescent(0.05), steps=steps[-1])
    path = np.stack([drawn["path", "x"], drawn["path", "y"]], axis=1)
    np.testing.assert_allclose(path, run.points[steps], rtol=1e-6, atol=1e-9)
    above = np.array(drawn["loss", "y"], float)
    assert np.all(np.diff(above) <= 1e-12)
    heights = run.losses[steps] - run.losses[steps[-1]]
    np.testing.assert_allclose(above[:20] - above[-1], heights[:20], rtol=1e-3)
    colours, grid = np.array(drawn["curl", "z"], float), scene.figure.data[scene.place("curl")]
    exact = oe.curl(loss, N, np.stack(np.meshgrid(grid.x, grid.y), axis=-1))
    clear = np.abs(exact) > 1e-6
    assert np.all(np.sign(colours[clear]) == np.sign(exact[clear]))


def test_arrows_point_along_the_field() -> None:
    text = "(w1 - 1)^2 + 3*(w2 - 0.5)^2"
    loss, scene = oe.SymbolicLoss(text), own_loss_scene(text)
    drawn = frame(scene, at(2))
    tails, tips = (np.array([drawn["field", a][i::3] for a in "xy"], float).T for i in (0, 1))
    field = oe.single_output_direction(tails, loss.gradient(tails), 2)
    lengths = np.linalg.norm(tips - tails, axis=1) * np.linalg.norm(field, axis=1)
    np.testing.assert_allclose(((tips - tails) * field).sum(axis=1), lengths, rtol=1e-3)


# --- words ---


def test_the_sentence_tells_who_is_faster() -> None:
    slower = own_loss_scene("(w1 - 1)^2/2 + (w2 - 0.5)^2/2")
    assert "slower than depth 1 (2)" in describe(slower, at(3))
    assert "faster than depth 1" in describe(own_loss_scene(), at(3))


def test_where_there_is_no_minimum_one_rate_serves_all() -> None:
    scene = own_loss_scene("-w1 - w2/2")
    assert "No minimum within 10 of the start" in describe(scene, at(2))
    assert "diverges at iteration" in describe(scene, at(8))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["log(w1)", "-1/w1 + w2^2", "log((w1 - 1)^2 + w2^2)"])
def test_where_the_loss_falls_without_end_there_is_no_minimum(text: str) -> None:
    scene = own_loss_scene(text)
    assert "No minimum within 10 of the start" in describe(scene, at(2))
    low, high = scene.figure.layout.yaxis3.range
    value = float(oe.SymbolicLoss(text).value(np.array([0.05, 0.05])))
    assert -1e4 < low < value < high < abs(low) + abs(value)


def test_what_is_not_decided_is_said() -> None:
    """A sum of sines may vanish or not; where SymPy gives up, so does the explorer, in words."""
    for answer in answers_at("sin(w1)^2 + cos(w1)^2 + w2*0", (2.0, 3.0)):
        assert isinstance(answer, (str, Potential))
        assert not isinstance(answer, Potential) or answer.exists


# --- what is no loss, or has no picture ---

REFUSED = {
    "w1 +": "expression is not complete",
    "": "expression is empty",
    "w12": "write w1*2 or w1^2",
    "w1 + w3": "w1 and w2 alone",
    "<script>alert(1)</script>": "expression may hold",
    "__import__('os').system('x')": "expression may hold",
    "w1^" + "9" * 50: "expression",
    "(" * 5_000 + "w1" + ")" * 5_000: "expression",
    "1" * 1_000_000: "expression",
    "log(w1 - 5)": "start must be where the loss and its slopes are finite numbers",
    "1/(w1 - 0.05)": "start must be where the loss and its slopes are finite numbers",
    "(w1 - 0.05)^2 + (w2 - 0.05)^2": "start must be where the loss has a slope",
    "7": "start must be where the loss has a slope",
}


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_own_loss()


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20] or "nothing")
def test_it_is_refused_in_words_and_the_picture_stays(explorer: Explorer, text: str) -> None:
    explorer.reset()
    before, began = explorer.scene, time.perf_counter()
    explorer.controls["loss"].value = text
    assert time.perf_counter() - began < SECONDS
    message = explorer.trouble
    assert REFUSED[text] in message
    assert "The picture is still the one before" in message
    assert explorer.scene is before
    explorer.set(loss="w1^2 + (w2 - 1)^2")
    assert explorer.trouble == ""
    assert explorer.scene is not before


@pytest.mark.parametrize("text", ["2*(", "w1 + w3", "7"])
def test_from_code_it_is_refused_with_an_error_and_nothing_changes(
    explorer: Explorer, text: str
) -> None:
    explorer.reset()
    scene, values = explorer.scene, explorer.values
    with pytest.raises(ValueError, match=r"expression|start"):
        explorer.set(loss=text)
    assert (explorer.scene, explorer.values) == (scene, values)
    assert explorer.trouble == ""
    assert [piece.scene for piece in explorer.pieces()] == [scene]


def test_the_field_shows_what_was_understood(explorer: Explorer) -> None:
    explorer.reset()
    [formula] = [child for child in explorer.children[0].children if isinstance(child, HTML)]
    explorer.controls["loss"].value = "2x² + ln(y² + 1)"
    plain = oe.SymbolicLoss("2*w1^2 + log(w2^2 + 1)").expression
    assert formula.value == understood("2*w1^2 + log(w2^2 + 1)")
    assert mathml(f"L(w) = {sp.latex(plain)}") in formula.value
    assert explorer.trouble == ""
    explorer.controls["loss"].value = "2*("
    assert formula.value == ""
    explorer.set(loss="w1² + (w2 − 1)²")
    assert "math" in formula.value


def test_an_example_fills_the_field_and_typing_makes_it_yours(explorer: Explorer) -> None:
    explorer.reset()
    explorer.controls["example"].value = EXAMPLES["a round bowl"]
    assert explorer.values["loss"] == EXAMPLES["a round bowl"]
    explorer.controls["loss"].value = "w1^2 + (w2 - 1)^4"
    assert explorer.values["example"] == ""
    explorer.controls["loss"].value = EXAMPLES["a slope without end"]
    assert explorer.values["example"] == EXAMPLES["a slope without end"]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["1/w1 + w2^2", "sqrt(w1)*w2 - w1", "tan(w1) + w2", "w1^w2"])
def test_poles_and_complex_values_are_drawn_within_two_seconds(text: str) -> None:
    began = time.process_time()
    scene = own_loss_scene(text, (0.3, 0.2))
    assert time.process_time() - began < SECONDS
    for N in DEPTHS:
        drawn = frame(scene, at(N))
        assert all(
            value is None or np.all(np.isfinite(np.array(value, float)))
            for (trace, _), value in drawn.items()
            if trace not in ("loop", "field", "curl", "depth named")  # have gaps
        )
