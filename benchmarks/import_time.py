"""Import time: `import overparam_edu` beside `import numpy`.

Public names load on first use, so ours looks one up, which needs NumPy. Each statement runs in
fresh interpreters, the three taking turns. The least of their processor times is what an import
needs; whatever else the machine does adds to it.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from rows import FLOOR, Row, taking_turns

STATEMENTS = ("import overparam_edu; overparam_edu.descend", "import numpy", "pass")
ROUNDS = 15


def seconds(statement: str) -> float:
    """Return the processor time of a fresh interpreter that runs `statement`."""
    script = f"{statement}\nimport time\nprint(time.process_time())"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return float(ran.stdout)


def rows() -> list[Row]:
    for statement in STATEMENTS:  # Fill the file cache, write the byte code.
        seconds(statement)
    ways = {statement: partial(seconds, statement) for statement in STATEMENTS}
    ours, numpy, nothing = taking_turns(ways, ROUNDS, of=min).values()
    what = "`import overparam_edu`"
    return [
        Row(what, ours, "s", "`import numpy`", numpy, times=1 / 1.2),
        Row(what, ours, "s", FLOOR + "an interpreter that does nothing", nothing),
    ]
