"""The cost of `import overparam_edu` beside `import numpy`.

Run: python benchmarks/import_time.py. Each import runs in fresh interpreters, the two taking turns,
so that both see the same machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

STATEMENTS = ("pass", "import numpy", "import overparam_edu")
GOAL = 1.3


def seconds(statement: str) -> float:
    """Return the wall time of a fresh interpreter that runs `statement`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def inside(statement: str) -> float:
    """Return the time of the statement alone, as a fresh interpreter measures it."""
    timed = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    answer = subprocess.run(
        [sys.executable, "-c", timed], check=True, capture_output=True, text=True
    )
    return float(answer.stdout)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21, help="rounds of taking turns (21)")
    rounds = parser.parse_args().rounds
    for statement in STATEMENTS:  # Fill the file cache, write the byte code.
        seconds(statement)
    process: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    alone: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for _ in range(rounds):
        for statement in STATEMENTS:
            process[statement].append(seconds(statement))
            alone[statement].append(inside(statement))

    print(f"medians (best) of {rounds} interleaved rounds, in fresh interpreters\n")
    print("| | whole process | ratio | the statement alone | ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for statement in STATEMENTS:
        cells = [f"`{statement}`"]
        for times in (process, alone):
            median, best = statistics.median(times[statement]), min(times[statement])
            ratio = median / statistics.median(times["import numpy"])
            cells += [f"{median * 1e3:.0f} ms ({best * 1e3:.0f})", f"{ratio:.2f}"]
        print("| " + " | ".join(cells) + " |")
    print(f"\ngoal: a ratio of at most {GOAL}")


if __name__ == "__main__":
    main()
