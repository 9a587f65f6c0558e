"""What the check of a claim found, and how its number is written."""

from __future__ import annotations

from typing import NamedTuple

# Rounding differs from machine to machine: the first of these above an error is what is said.
_LADDER = ("1e-12", "1e-9", "1e-6", "0.001", "1")


class Finding(NamedTuple):
    """What a check found.

    Parameters
    ----------
    holds : bool
        Whether the claim is true under the conditions that the ledger states.
    as_stated : bool
        Whether it is true without them too, as the talk has it.
    number : str
        What was measured, in a few words.
    """

    holds: bool
    as_stated: bool
    number: str


def found(holds: bool, number: str, *, as_stated: bool = True) -> Finding:
    """Return a finding; a claim that fails under its conditions fails as stated.

    Parameters
    ----------
    holds : bool
    number : str
    as_stated : bool
        As in `Finding`.

    Returns
    -------
    Finding
    """
    return Finding(bool(holds), bool(holds and as_stated), number)


def small(error: float) -> str:
    """Return how small an error is, in words that no rounding changes.

    Parameters
    ----------
    error : float
        0 or more.

    Returns
    -------
    str

    Examples
    --------
    >>> small(3e-16), small(0.2), small(7.0)
    ('less than 1e-12', 'less than 1', '7')
    """
    for bound in _LADDER:
        if error < float(bound):
            return f"less than {bound}"
    return f"{error:.2g}"
