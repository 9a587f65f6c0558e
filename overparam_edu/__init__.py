"""Implicit acceleration by overparameterization, taught by moving pictures and checked proofs.

The public names stand in ``__init__.pyi``; each is loaded on first use.
"""

from typing import Any

from lazy_loader import attach_stub

_public, __dir__, __all__ = attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("overparam-edu")
    return _public(name)
