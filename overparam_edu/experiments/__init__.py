"""The talk's experiments on real data."""

from lazy_loader import attach

__getattr__, __dir__, __all__ = attach(__name__, ["datasets"])
