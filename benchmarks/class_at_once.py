"""A class at once: what a student's kernel takes, and twenty kernels on one machine.

`python benchmarks/class_at_once.py` takes two minutes on two idle cores, so `make bench` leaves it
out. One process: the most memory it had resident. Many: their proportional set sizes, which count
once what several share. CPU is the time that a kernel computed since its start. All are read from
/proc, so this needs Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from lab import load_harness
from rows import Row, table

from overparam_edu.publish.pages import lesson_notebooks

KERNELS = 20
OPEN = "import overparam_edu as oe; oe.explore_trajectories()"
LESSONS = ("05", "06")


def peak(pid: int) -> float:
    """Return the most memory that a process had resident so far, in MiB."""
    return _field(f"/proc/{pid}/status", "VmHWM")


def share(pid: int) -> float:
    """Return the proportional set size of a process in MiB."""
    return _field(f"/proc/{pid}/smaps_rollup", "Pss")


def _field(path: str, name: str) -> float:
    lines = Path(path).read_text().splitlines()
    [kibibytes] = [int(line.split()[1]) for line in lines if line.startswith(f"{name}:")]
    return kibibytes / 1024


def computed(pid: int) -> float:
    """Return the seconds that all threads of a process have computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Kernel:
    """A kernel as JupyterLab starts it, without a page."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel(cwd=str(folder), stderr=subprocess.DEVNULL)
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.pid: int = self.manager.provisioner.pid

    def begin(self, code: str) -> str:
        """Send code, once the kernel answers, and return the request's id."""
        self.client.wait_for_ready(timeout=300)
        return self.client.execute(code)

    def end(self, request: str) -> None:
        """Wait until the request is done; what it printed and drew is dropped."""
        while True:
            reply = self.client.get_shell_msg(timeout=300)
            if reply["parent_header"].get("msg_id") == request:
                break
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"a kernel says {reply['content']['evalue']}")

    def stop(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def one(what: str, cells: list[str], folder: Path) -> list[Row]:
    """Return memory and CPU of one kernel after it has run these cells."""
    kernel = Kernel(folder)
    try:
        for code in cells:
            kernel.end(kernel.begin(code))
        used = [Row(f"{what}: memory", peak(kernel.pid), "MiB")]
        return [*used, Row(f"{what}: CPU", computed(kernel.pid), "s")]
    finally:
        kernel.stop()


def lesson(number: str) -> list[str]:
    """Return the code of a lesson, by cell."""
    [path] = [p for p in lesson_notebooks() if p.name.startswith(number)]
    return [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def together(count: int, folder: Path) -> list[Row]:
    """Return what `count` kernels take that all open an explorer at the same moment."""
    began, kernels = time.perf_counter(), []
    try:
        kernels += [Kernel(folder) for _ in range(count)]
        requests = [kernel.begin(OPEN) for kernel in kernels]
        for kernel, request in zip(kernels, requests, strict=True):
            kernel.end(request)
        seconds = time.perf_counter() - began
        what = f"{count} kernels, each with an explorer"
        total = sum(share(kernel.pid) for kernel in kernels)
        return [
            Row(f"{what}: memory of all", total, "MiB"),
            Row(f"{what}: memory of one", total / count, "MiB"),
            Row(f"{what}: CPU of all", sum(computed(kernel.pid) for kernel in kernels), "s"),
            Row(f"{what}: until all are ready", seconds, "s"),
        ]
    finally:
        for kernel in kernels:
            kernel.stop()


def server(folder: Path) -> list[Row]:
    """Return what a JupyterLab server takes before its first kernel."""
    harness: Any = load_harness()
    with harness.open_lab(folder, None) as running:
        return [Row("a JupyterLab server: memory", peak(running.process.pid), "MiB")]


def rows() -> list[Row]:
    if sys.platform != "linux":
        raise SystemExit("class_at_once reads /proc and needs Linux")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        found = server(folder)
        found += one("a kernel", ["pass"], folder)
        found += one("`import overparam_edu`", ["import overparam_edu as oe"], folder)
        found += one("`oe.explore_trajectories()`", [OPEN], folder)
        for number in LESSONS:
            found += one(f"Run All of lesson {number}", lesson(number), folder)
        return found + together(KERNELS, folder)


if __name__ == "__main__":
    print(table(rows()))
