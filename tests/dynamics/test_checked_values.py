"""What the checks of arguments let through, and how they say no."""

from __future__ import annotations

import numpy as np
import pytest

import overparam_edu as oe
from overparam_edu import checks


@pytest.mark.parametrize(
    "value",
    [3, 3.0, np.float32(3), np.int8(3), [3], (3.0, 4), np.arange(3), np.eye(2, dtype=np.float16)],
)
def test_any_real_numbers_become_float64(value):
    array = checks.finite_array("value", value)
    assert array.dtype == np.float64
    assert np.array_equal(array, np.asarray(value))


def test_a_float64_array_is_not_copied():
    array = np.ones(3)
    assert checks.finite_array("value", array) is array


def test_ends_of_a_range_belong_to_it():
    assert checks.number("x", 2, lower=2, upper=2) == 2.0
    assert checks.at_least("x", 1, 1) == 1
    assert checks.whole_number("x", np.int64(0), lower=0) == 0
    assert oe.SeparableLp((1.0,), p=2).p == 2


def test_an_error_shows_a_long_value_in_one_short_line():
    with pytest.raises(ValueError, match="value must be finite") as caught:
        checks.finite_array("value", np.full((50, 50), np.nan))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 100
