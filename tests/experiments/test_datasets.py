"""Auto MPG against facts known apart from this package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from overparam_edu.experiments.datasets import load_auto_mpg, standardize


def test_size_names_and_known_rows() -> None:
    cars = load_auto_mpg()
    assert cars.X.shape == (392, 7)
    assert cars.y.shape == (392,)
    assert cars.feature_names == (
        "cylinders",
        "displacement",
        "horsepower",
        "weight",
        "acceleration",
        "model_year",
        "origin",
    )
    # Chevrolet Chevelle Malibu and Chevy S-10, the first and last of UCI's list.
    assert (cars.y[0], *cars.X[0]) == (18, 8, 307, 130, 3504, 12, 70, 1)
    assert (cars.y[-1], *cars.X[-1]) == (31, 4, 119, 82, 2720, 19.4, 82, 1)


def test_known_moments() -> None:
    cars = load_auto_mpg()
    assert cars.y.mean() == pytest.approx(23.445918, abs=1e-6)
    assert cars.y.std(ddof=1) == pytest.approx(7.805007, abs=1e-6)
    means = dict(zip(cars.feature_names, cars.X.mean(axis=0), strict=True))
    assert means["horsepower"] == pytest.approx(104.469388, abs=1e-6)
    assert means["weight"] == pytest.approx(2977.584184, abs=1e-6)
    assert np.isfinite(cars.X).all()
    assert np.isfinite(cars.y).all()
    assert set(cars.X[:, 0]) == {3, 4, 5, 6, 8}
    assert [np.count_nonzero(cars.X[:, 6] == k) for k in (1, 2, 3)] == [245, 68, 79]


def test_standardized_has_mean_0_and_deviation_1() -> None:
    plain, cars = load_auto_mpg(), load_auto_mpg(standardized=True)
    for values in (cars.X, cars.y):
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-13)
        np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-13)
    assert np.corrcoef(plain.y, cars.y)[0, 1] == pytest.approx(1)


def test_source_and_licence_travel_with_the_data() -> None:
    beside = files("overparam_edu.experiments") / "data" / "README.md"
    for text in (beside.read_text(encoding="utf-8"), load_auto_mpg().source):
        for word in ("Quinlan", "UCI", "1993", "CC BY 4.0"):
            assert word in text


def test_callers_cannot_spoil_each_others_copy() -> None:
    load_auto_mpg().y[:] = 0
    assert load_auto_mpg().y[0] == 18


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 1.0], "vary in every column"),
        ([[1.0, 2.0], [1.0, 3.0]], "vary in every column"),
        ([1.0, np.nan], "finite"),
        ("abc", "values"),
        ([], "empty"),
    ],
)
def test_what_cannot_be_standardized_is_named(values: object, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        standardize(values)  # type: ignore[arg-type]
