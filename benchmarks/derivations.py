"""Derivations: built and verified, and shown in JupyterLab.

All of them one after the other in a fresh interpreter on one core, after `import sympy`. First
display runs from the start of the cell that builds, verifies and shows one: the fastest of three
kernels, since whatever else runs only delays it.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

from lab import open_lab, show
from rows import Row

import overparam_edu.derivations as proofs

SCRIPT = """
import json, sys, time
import sympy
import overparam_edu.derivations as proofs
seconds = {}
for name in sys.argv[1:]:
    began = time.perf_counter()
    assert getattr(proofs, name)().verify().ok, name
    seconds[name] = time.perf_counter() - began
print(json.dumps(seconds))
"""


def derivations() -> list[str]:
    """Return the names of the functions that make a derivation of nothing."""
    functions = [name for name in proofs.__all__ if inspect.isfunction(getattr(proofs, name))]
    return [
        name
        for name in functions
        if inspect.signature(getattr(proofs, name)).return_annotation == "Derivation"
    ]


def rows() -> list[Row]:
    names = derivations()
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], check=True, capture_output=True, text=True
    )
    verified = json.loads(answer.stdout)
    found = [Row("all built and verified", sum(verified.values()), most=10)]
    found += [Row(f"`{name}`: built and verified", spent) for name, spent in verified.items()]
    with open_lab() as lab:
        shown: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(3):
            notebook = lab.run_cells("import sympy, overparam_edu as oe; oe.explore_derivation", "")
            for name in names:
                seconds, _ = show(notebook, f"oe.explore_derivation(oe.derivations.{name}())")
                shown[name].append(seconds)
    found += [Row(f"`{name}`: first display", min(shown[name]), most=0.5) for name in names]
    return found
