"""The preconditioner as a widget: every setting, and whether what it shows and says is true."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import numpy as np
import pytest

from overparam_edu import end_to_end_direction
from overparam_edu.explorers.preconditioner import explore_preconditioner, preconditioner_scene
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, frame, stops_at
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import message

VALUE = r"(−?[\d.]+(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?)"
POINT = rf"\({VALUE}, {VALUE}\)"
MATRIX_WORDS = re.compile(
    rf"Depth {VALUE} multiplies u₁v₁ᵀ by {VALUE}, u₂v₂ᵀ by {VALUE}, and u₁v₂ᵀ and u₂v₁ᵀ by "
    rf"{VALUE}\. The gradient {POINT} becomes the step {POINT}\.$"
)
VECTOR_WORDS = re.compile(
    rf"The adaptive rate multiplies the gradient by {VALUE}; the projection adds {VALUE} times its "
    rf"part along w\. The gradient {POINT} becomes the step {POINT}\.$"
)
SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def number(text: str) -> float:
    return float(text.replace("×10", "e").translate(SUPERSCRIPT))


def numbers(value: Any) -> list[Any]:
    return [x for v in value for x in numbers(v)] if isinstance(value, list) else [value]


def ends(scene: Scene) -> list[dict[str, int]]:
    """Return all corners of the sliders, and some positions between."""
    sizes = {axis.name: len(axis.stops) for axis in scene.axes}
    corners = itertools.product(*[(0, size - 1) for size in sizes.values()])
    rng = np.random.default_rng(0)
    between = [[int(rng.integers(size)) for size in sizes.values()] for _ in range(40)]
    return [dict(zip(sizes, stops, strict=True)) for stops in [*corners, *between]]


def values_at(scene: Scene, at: dict[str, int]) -> dict[str, float]:
    stops = stops_at(scene, at)
    return {axis.name: float(axis.stops[stops[axis.name]]) for axis in scene.axes}


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return explore_preconditioner()


@pytest.fixture(scope="module")
def matrix() -> Scene:
    return preconditioner_scene("matrix", 60, 30)


@pytest.fixture(scope="module")
def vector() -> Scene:
    return preconditioner_scene("vector")


def claim_1(sigma: tuple[float, float], N: int) -> np.ndarray:
    """Return the eigenvalues of Claim 1 term by term, (r, s), with 0^0 = 1."""
    return np.array(
        [
            [
                sum(a ** (2 * (N - j) / N) * b ** (2 * (j - 1) / N) for j in range(1, N + 1))
                for b in sigma
            ]
            for a in sigma
        ]
    )


def rotation(angle: float) -> np.ndarray:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[c, -s], [s, c]])


def near(text: str) -> Any:
    return pytest.approx(number(text), rel=6e-3, abs=1e-9)


def test_a_matrix_at_every_end_of_its_sliders(matrix: Scene) -> None:
    U, V = rotation(60), rotation(30)
    for at in ends(matrix):
        now, drawn = values_at(matrix, at), frame(matrix, at)
        assert all(math.isfinite(x) for value in drawn.values() for x in numbers(value))
        N, sigma = int(now["depth"]), (now["sigma_1"], now["sigma_2"])
        factors = claim_1(sigma, N)
        for attribute in ("z", "text"):
            np.testing.assert_allclose(drawn["factors", attribute], factors, rtol=1e-6, atol=1e-7)
        # The ellipse and the arrow are what the rule makes of real gradients at a turned W.
        W = (U * sigma) @ V.T
        angle = np.radians(now["angle"])
        gradient = U @ np.diag([np.cos(angle), np.sin(angle)]) @ V.T
        step = np.diag(U.T @ end_to_end_direction(W, gradient, N) @ V)
        for name, tip in (("gradient", (np.cos(angle), np.sin(angle))), ("step", step)):
            arrow = np.array([drawn[name, "x"], drawn[name, "y"]]).T
            np.testing.assert_allclose(arrow, [[0, 0], tip], rtol=1e-6, atol=1e-6)
        x, y = np.array(drawn["ellipse", "x"]), np.array(drawn["ellipse", "y"])
        for along, factor in ((x, factors[0, 0]), (y, factors[1, 1])):
            assert np.abs(along).max() == pytest.approx(factor, rel=1e-6, abs=1e-9)
        if factors[0, 0] and factors[1, 1]:
            on = (x / factors[0, 0]) ** 2 + (y / factors[1, 1]) ** 2
            np.testing.assert_allclose(on, 1, rtol=1e-5)
        found = MATRIX_WORDS.match(describe(matrix, at))
        assert found, describe(matrix, at)
        said = [N, factors[0, 0], factors[1, 1], factors[0, 1], np.cos(angle), np.sin(angle), *step]
        for text, value in zip(found.groups(), said, strict=True):
            assert value == near(text)


def test_a_vector_at_every_end_of_its_sliders(vector: Scene) -> None:
    for at in ends(vector):
        now, drawn = values_at(vector, at), frame(vector, at)
        N, norm, angle = now["real_depth"], now["norm"], np.radians(now["angle"])
        rate = norm ** (2 - 2 / N)
        g = np.array([np.cos(angle), np.sin(angle)])
        along, step = (N - 1) * rate, rate * g + [(N - 1) * rate * g[0], 0.0]
        arrows = {
            "gradient": (0 * g, g),
            "adaptive rate": (0 * g, rate * g),
            "projection": (rate * g, step),
        }
        for name, (tail, tip) in arrows.items():
            arrow = np.array([drawn[name, "x"], drawn[name, "y"]]).T
            if np.linalg.norm(tip - tail) < 1e-9:
                assert set(numbers(arrow.tolist())) == {None}
            else:
                np.testing.assert_allclose(arrow.astype(float), [tail, tip], rtol=1e-5, atol=1e-6)
        # The longest and the shortest step are those along and across w.
        sizes = np.hypot(drawn["ellipse", "x"], drawn["ellipse", "y"])
        assert sizes.max() == pytest.approx(N * rate, rel=1e-5, abs=1e-9)
        assert sizes.min() == pytest.approx(rate, rel=1e-5, abs=1e-9)
        assert np.abs(drawn["ellipse", "y"]).max() == pytest.approx(rate, rel=1e-5, abs=1e-9)
        [depths] = [line.x for line in vector.figure.data if line.uid == "along w"]
        for name, times in (("along w", np.array(depths)), ("across w", 1.0)):
            assert drawn[f"{name} now", "x"] == [N]
            factor = N * rate if name == "along w" else rate
            assert drawn[f"{name} now", "y"] == pytest.approx([factor], rel=1e-5, abs=1e-9)
            expected = norm ** (2 - 2 / np.array(depths)) * times
            np.testing.assert_allclose(drawn[name, "y"], expected, rtol=1e-5)
        found = VECTOR_WORDS.match(describe(vector, at))
        assert found, describe(vector, at)
        for text, value in zip(found.groups(), [rate, along, *g, *step], strict=True):
            assert value == near(text)


def test_everything_is_inside_the_picture(matrix: Scene, vector: Scene) -> None:
    for scene in (matrix, vector):
        layout = scene.figure.layout
        for at in ends(scene):
            drawn = frame(scene, at)
            for attribute, axis in (("x", layout.xaxis), ("y", layout.yaxis)):
                assert np.abs(drawn["ellipse", attribute]).max() < axis.range[1]
    upper = vector.figure.layout.yaxis2.range[1]
    assert all(max(frame(vector, at)["along w", "y"]) < upper for at in ends(vector))


def test_the_entries_under_the_factors_are_those_of_the_directions() -> None:
    for left, right in ((60, 30), (0, 0), (135, 15), (180, 90)):
        U, V = rotation(left), rotation(right)
        notes = {
            (note.y, note.x): note.text
            for note in preconditioner_scene("matrix", left, right).figure.layout.annotations
            if note.xref == "x2"
        }
        assert len(notes) == 4
        for (r, u), (s, v) in itertools.product(enumerate(("u₁", "u₂")), enumerate(("v₁", "v₂"))):
            entries = [float(n.replace("−", "-")) for n in re.findall(r"[+−][\d.]+", notes[u, v])]
            expected = np.outer(U[:, r], V[:, s]).ravel()
            np.testing.assert_allclose(entries, expected, atol=0.0051)
            assert "−0.00" not in notes[u, v]


def test_the_formula_on_the_board_has_a_term_for_each_layer(matrix: Scene, vector: Scene) -> None:
    for N, html in enumerate(np.asarray(matrix.board.values), start=1):
        assert html.count("<math") == 1
        formula = html.split("factor")[1]
        assert formula.count(">+</mo>") == N - 1
    boards = np.asarray(vector.board.values)
    assert len(boards) == len(vector.axes[0].stops)
    assert "<mn>1.75</mn>" in boards[list(vector.axes[0].stops).index(2.75)]


def test_the_kind_asks_python_and_hides_what_a_vector_lacks(explorer: Explorer) -> None:
    explorer.reset()
    assert [axis.name for axis in explorer.scene.axes] == ["depth", "sigma_1", "sigma_2", "angle"]
    for name in ("left", "right"):
        assert explorer.controls[name].layout.display is None
        for value in (0, 180):
            explorer.set(**{name: value})
            assert explorer.trouble == ""
    explorer.set(kind="vector")
    assert [axis.name for axis in explorer.scene.axes] == ["real_depth", "norm", "angle"]
    assert explorer.player.scene is explorer.scene
    assert explorer.controls["left"].layout.display == "none"
    assert explorer.player.position["real_depth"] == 8
    explorer.reset()
    assert explorer.values == {"kind": "matrix", "left": 60, "right": 30}


@pytest.mark.parametrize(
    ("change", "error", "name"),
    [
        ({"kind": "tensor"}, ValueError, "kind"),
        ({"left": math.inf}, ValueError, "left"),
        ({"right": "up"}, TypeError, "right"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], error: type, name: str) -> None:
    with pytest.raises(error, match=name):
        preconditioner_scene(**change)


@pytest.mark.parametrize("kind", ["matrix", "vector"])
def test_a_scene_fits_into_100_kilobytes(kind: str) -> None:
    sent = message(preconditioner_scene(kind))
    assert len(json.dumps(sent["spec"])) + len(sent["buffer"]) < 100_000
