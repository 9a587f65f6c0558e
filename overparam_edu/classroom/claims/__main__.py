"""The table of claims in README.md: ``python -m overparam_edu.classroom.claims README.md``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from overparam_edu.classroom.claims import claims

_BETWEEN = ("<!-- claims -->\n", "<!-- /claims -->")


def refreshed(readme: str, table: str) -> str:
    """Return a README with the table between its two marks replaced.

    Parameters
    ----------
    readme : str
    table : str

    Returns
    -------
    str
    """
    before, rest = readme.split(_BETWEEN[0])
    _, after = rest.split(_BETWEEN[1])
    return f"{before}{_BETWEEN[0]}\n{table}\n\n{_BETWEEN[1]}{after}"


def main(arguments: Sequence[str]) -> int:
    """Check all claims and write the table into a README.

    Parameters
    ----------
    arguments : sequence of str
        Its path.

    Returns
    -------
    int
        The exit code.
    """
    path = Path(arguments[0])
    table = claims().check().to_markdown()
    path.write_text(refreshed(path.read_text(encoding="utf-8"), table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
