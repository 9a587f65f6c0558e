"""Import time: `import overparam_edu` beside `import numpy`.

Public names load on first use, so ours looks one up, which needs NumPy. Each statement runs in
fresh interpreters, the two taking turns; whole processes are timed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial

from rows import FLOOR, Row, taking_turns

STATEMENTS = ("import overparam_edu; overparam_edu.descend", "import numpy", "pass")
ROUNDS = 15


def seconds(statement: str) -> float:
    """Return the wall time of a fresh interpreter that runs `statement`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def rows() -> list[Row]:
    for statement in STATEMENTS:  # Fill the file cache, write the byte code.
        seconds(statement)
    ways = {statement: partial(seconds, statement) for statement in STATEMENTS}
    ours, numpy, nothing = taking_turns(ways, ROUNDS).values()
    what = "`import overparam_edu`"
    return [
        Row(what, ours, "s", "`import numpy`", numpy, times=1 / 1.3),
        Row(what, ours, "s", FLOOR + "an interpreter that does nothing", nothing),
    ]
