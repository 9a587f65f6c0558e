"""What single answers are told: hints and praise that are true of the answer given."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu.classroom.exercise import examine
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.dynamics.losses import Loss


def one_after_the_other(order):
    def answer(w1, a, b, g, eta):
        for which in order:
            if which == "w1":
                w1 = w1 - eta * a * b * g
            elif which == "a":
                a = a - eta * b * (w1 @ g)
            else:
                b = b - eta * a * (w1 @ g)
        return w1 * a * b

    return answer


@pytest.mark.parametrize("order", list(permutations(("w1", "a", "b"))))
def test_a_gradient_at_a_new_value_is_told_as_that(order):
    feedback = examine(EXERCISES["two_scalar_step"], one_after_the_other(order))
    assert "uses a new value" in feedback.text


def test_a_slope_computed_before_does_not_hide_a_new_value():
    def answer(w1, a, b, g, eta):
        slope = w1 @ g
        w1 = w1 - eta * a * b * g
        a = a - eta * b * slope
        b = b - eta * a * slope
        return w1 * a * b

    assert "uses a new value" in examine(EXERCISES["two_scalar_step"], answer).text


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([[0, 1], [1, 0]], "That is a reflection: "),
        ([[0, -1], [1, 0]], "That is a rotation: "),
        ([[1, 2], [-2, 1]], "That is a rotation, times a number: "),
        ([[2, 0], [0, -2]], "That is a reflection, times a number: "),
        ([[1e-9, 2e-9], [-2e-9, 1e-9]], "That is a rotation, times a number: "),
    ],
)
def test_a_harmless_matrix_is_praised_for_what_it_is(matrix, said):
    feedback = examine(EXERCISES["harmless_matrix"], matrix)
    assert (feedback.verdict, feedback.text[: len(said)]) == ("right", said)


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("potential_at_two", "|w1 - 1| + |w2 - 0.5|", "and here it doesn't"),
        ("potential_at_two", oe.QuadraticLoss([[2, 1], [1, 2]]), "not a round one"),
        ("quiet_loop", oe.SymbolicLoss("|w1 - 0.5| + w2"), "Here the loop is not 0"),
        ("quiet_loop", "|w1| + w2", "finds a potential"),
        ("quiet_loop", oe.QuadraticLoss(np.eye(2), [1, 0.5]), "Try a stretched one"),
        ("harmless_matrix", [[1e-3, 0], [0, 1e-3]], "multiple of the identity"),
        ("product_of_layers", lambda L: np.linalg.multi_dot([*L[:0:-1], L[0], L[0]]), "acts twice"),
        ("amplifications", lambda s, k, d, N: [N * a ** (2 - 2 / N) for a in s], "**Every pair**"),
        ("unbalanced_start", ([[1.0, 2.0]], [[2.0]]), "Unbalanced, but not enough"),
        ("steps_kept", 10, "ten times as many steps"),
        ("harmless_matrix", [[1j, 0], [0, 1]], "You gave a list of 2 that holds complex numbers"),
        ("two_best_networks", [[np.inf, 0], [1, 1]], "You gave a list of 2 that holds infinity"),
        ("wide_enough", True, "You gave the truth value `True`"),
        ("older_gradient", (np.nan, 1), "You gave a tuple of 2 that holds NaN"),
        ("amplifications", lambda s, k, d, N: [np.inf] * 6, "a list of 6 that holds infinity"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(name, answer, said):
    feedback = examine(EXERCISES[name], answer)
    assert (feedback.verdict, said in feedback.text) == ("not yet", True), feedback


@pytest.mark.parametrize("name", ["potential_at_two", "quiet_loop"])
def test_what_the_library_cannot_decide_is_not_judged(name):
    class Own(Loss):
        shape = (2,)

        def _value(self, w):
            return w[..., 0]

        def _gradient(self, w):
            return np.ones_like(w) * [1.0, 0.0]

    feedback = examine(EXERCISES[name], Own())
    assert feedback.verdict == "not judged"
    assert "can be judged here" in feedback.text


def test_an_error_is_told_with_the_test_that_it_ended():
    feedback = examine(EXERCISES["product_of_layers"], lambda L: L[2] @ L[1] @ L[0])
    assert feedback.verdict == "error in your code"
    assert feedback.text.endswith("out of range`. (Tested: one layer is its own product.)")


def test_arguments_too_long_for_a_line_are_named_by_their_form():
    def first_two(total, pairs, lam):
        return total - lam / 2 * sum(np.sum((A @ B) ** 2) for A, B in pairs[:2])

    text = examine(EXERCISES["data_term"], first_two).text
    assert "`pairs` = a list of 4" in text
    assert len(text) < 200
