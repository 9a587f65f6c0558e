"""All benchmarks, or those that are named: `make bench`, `make bench ARGS="trajectories"`.

Prints a table each. A run of all also writes RESULTS.md, docs/speed.md, and what README.md says of
speed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import tempfile
import time
from importlib import metadata
from pathlib import Path

from rows import Row, Section, digits, quantity, table

HERE = Path(__file__).parent
README, SPEED = HERE.parent / "README.md", HERE.parent / "docs" / "speed.md"
BENCHMARKS = (
    "slider_latency",
    "explorers",
    "derivations",
    "notebooks",
    "pages",
    "trajectories",
    "regression",
    "line_integrals",
    "import_time",
)
PACKAGES = ["numpy", "scipy", "sympy", "plotly", "anywidget", "ipywidgets", "jupyterlab"]
PACKAGES += ["playwright", "matplotlib", "torch"]


def measured(name: str) -> Section:
    """Run one benchmark."""
    module = importlib.import_module(name)
    title, method = module.__doc__.split("\n\n", 1)
    return Section(title, method.strip(), module.rows())


def versions() -> str:
    """Return in a sentence what the figures depend on."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {package}")
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; {', '.join(found)}."


def keep_byte_code(folder: str) -> None:
    """Let the interpreters and kernels that are started keep byte code there, as on a laptop.

    Where the environment forbids it, as many containers do, each compiles all that it imports, and
    that would be measured.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


def load() -> str:
    """Return how busy the machine is with other things."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return f"{os.getloadavg()[0]:.1f} processes at once"


def results(sections: list[Section], before: str, seconds: float) -> str:
    """Return RESULTS.md."""
    missed = [row.what for section in sections for row in section.rows if row.met is False]
    lines = [
        "# How fast",
        "Written by `make bench`; run it to measure on your machine. Compare ratios rather than "
        "times: both sides of each were measured in the same run. “theirs / ours” is how many "
        "times as much the other takes; what is called a floor is the least that any program would "
        "need, so that ratio is below 1. PyTorch is measured where it is installed; `make bench "
        "BENCH_PYTHON=path/to/python` takes another environment.",
        versions(),
        f"The run took {quantity(seconds, 's')}; load of the machine before it: {before}. "
        f"Goals missed: {'; '.join(missed) or 'none'}.",
    ]
    for section in sections:
        lines += [f"## {section.title}", section.method, table(section.rows)]
    return "\n\n".join(lines) + "\n"


def chosen(sections: list[Section]) -> list[Row]:
    """Return the rows that docs/speed.md shows: those with a goal beside another program."""
    return [row for section in sections for row in section.rows if row.times is not None]


def headlines(rows: list[Row]) -> str:
    """Return what README.md says of speed."""
    found = {(row.what, row.beside): row for row in rows}
    key = found["key press to picture", "FigureWidget"]
    plain = found["key press to picture", "`interact` + matplotlib"]
    runs = found["256 runs by `descend`", "a NumPy loop a run"]
    package = found["`import overparam_edu`", "`import numpy`"]
    return (
        f"- A slider redraws its picture {quantity(key.ours, key.unit)} after a key press, without "
        "the kernel:\n"
        f"  {digits(key.ratio)} times as fast as a FigureWidget, {digits(plain.ratio)} times as "
        "fast as `interact` with matplotlib.\n"
        f"- 256 runs of gradient descent take {quantity(runs.ours, runs.unit)},\n"
        f"  {digits(runs.ratio)} times as fast as a NumPy loop for each.\n"
        f"- `import overparam_edu` takes {1 / package.ratio:.2f} times as long as "
        "`import numpy`.\n"
        "  `make bench` measures it all: [docs/speed.md](docs/speed.md)."
    )


def put(path: Path, mark: str, inside: str) -> None:
    """Replace what stands between two marks in a page."""
    marks = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    new, count = re.subn(
        f"{marks[0]}.*{marks[1]}",
        lambda _: f"{marks[0]}{inside}\n{marks[1]}",
        path.read_text(encoding="utf-8"),
        flags=re.S,
    )
    if count != 1:
        raise RuntimeError(f"{path.name} must hold {marks[0].strip()} and {marks[1]} once")
    path.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    before, began, sections = load(), time.perf_counter(), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        keep_byte_code(folder)
        for name in names or BENCHMARKS:
            start = time.perf_counter()
            sections.append(measured(name))
            print(f"\n## {sections[-1].title}\n\n{table(sections[-1].rows)}")
            print(f"\n({name}: {time.perf_counter() - start:.0f} s)", flush=True)
    if not names:
        text = results(sections, before, time.perf_counter() - began)
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
        put(SPEED, "bench", table(chosen(sections)))
        put(README, "speed", headlines(chosen(sections)))


if __name__ == "__main__":
    main()
