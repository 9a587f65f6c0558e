"""All benchmarks, or those that are named: `make bench`, `make bench ARGS="trajectories"`.

Prints a table each; a run of all writes RESULTS.md and the table in README.md as well.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path

from rows import Row, Section, quantity, table

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
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
    """Return the rows that README.md shows: those with a goal beside another program."""
    return [row for section in sections for row in section.rows if row.times is not None]


def put_into_readme(sections: list[Section]) -> None:
    """Replace what stands between the two marks in README.md."""
    text, marks = README.read_text(encoding="utf-8"), ("<!-- bench -->", "<!-- /bench -->")
    inside = f"{marks[0]}\n{table(chosen(sections))}\n{marks[1]}"
    new, count = re.subn(f"{marks[0]}.*{marks[1]}", lambda _: inside, text, flags=re.S)
    if count != 1:
        raise RuntimeError(f"README.md must hold {marks[0]} and {marks[1]} once")
    README.write_text(new, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    before, began, sections = load(), time.perf_counter(), []
    for name in names or BENCHMARKS:
        start = time.perf_counter()
        sections.append(measured(name))
        print(f"\n## {sections[-1].title}\n\n{table(sections[-1].rows)}")
        print(f"\n({name}: {time.perf_counter() - start:.0f} s)", flush=True)
    if not names:
        text = results(sections, before, time.perf_counter() - began)
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
        put_into_readme(sections)


if __name__ == "__main__":
    main()
