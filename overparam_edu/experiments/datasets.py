"""Real data for the experiments."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

import numpy as np

from overparam_edu._validation import Array, finite_array


class Dataset(NamedTuple):
    """A regression data set.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        One example a row.
    y : ndarray, shape (n,)
        The target.
    feature_names : tuple of str
        One name a column of `X`.
    target_name : str
        What `y` is.
    source : str
        Where the data is from, and its licence.
    note : str
        Why it is not the data set that was asked for, where it isn't.
    """

    X: Array
    y: Array
    feature_names: tuple[str, ...]
    target_name: str
    source: str
    note: str = ""


def load_auto_mpg(*, standardized: bool = False) -> Dataset:
    """Return UCI's Auto MPG data: 392 cars, 7 features, miles per gallon.

    The file is part of the package: no network is needed.

    Parameters
    ----------
    standardized : bool
        Shift and scale every feature and the target to mean 0 and standard deviation 1.

    Returns
    -------
    Dataset
        ``X`` (392, 7) and ``y`` (392,), in the units of the source or without units.

    Notes
    -----
    Quinlan (1993), UCI Machine Learning Repository, DOI 10.24432/C5859H, CC BY 4.0.

    Examples
    --------
    >>> cars = load_auto_mpg()
    >>> cars.X.shape, cars.feature_names[0], float(cars.y[0])
    ((392, 7), 'cylinders', 18.0)
    """
    resource = files("overparam_edu.experiments") / "data" / "auto_mpg.csv"
    header, *rows = resource.read_text(encoding="utf-8").splitlines()
    table = np.array([row.split(",") for row in rows], dtype=float)
    X, y = table[:, 1:], table[:, 0]
    if standardized:
        X, y = standardize(X), standardize(y)
    return Dataset(
        X,
        y,
        tuple(header.split(",")[1:]),
        "miles per gallon",
        "Auto MPG, R. Quinlan, UCI Machine Learning Repository (1993), CC BY 4.0",
    )


def standardize(values: Array) -> Array:
    """Return `values` with mean 0 and standard deviation 1 along the first axis.

    Parameters
    ----------
    values : array_like, shape (n, ...)
        One example a row.

    Returns
    -------
    ndarray, shape (n, ...)

    Raises
    ------
    TypeError, ValueError
        If `values` is not finite, or a column is constant.

    Examples
    --------
    >>> standardize(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    array = finite_array("values", values)
    spread = array.std(axis=0)
    if np.any(spread == 0):
        raise ValueError("values must vary in every column; got a constant one")
    scaled: Array = (array - array.mean(axis=0)) / spread
    return scaled
