# SPDX-License-Identifier: Apache-2.0
"""What benchmarks share: figures with their bars and conditions, printed as one table at the end of a run."""

from __future__ import annotations

import multiprocessing
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelkit import kernels

_ROWS: list[tuple[str, str, str, str]] = []


@pytest.fixture
def figure() -> Callable[..., None]:
    """Records one figure: figure("label a JPEG, to plain", 1.21, most=1.3, conditions="1024x1024, one thread")."""
    def record(name: str, value: float, *, most: float | None = None, least: float | None = None, unit: str = "",
               conditions: str = "") -> None:
        bar = f"at most {most:g}" if most is not None else f"at least {least:g}" if least is not None else ""
        missed = most is not None and value > most or least is not None and value < least
        _ROWS.append((name, f"{value:.3g} {unit}".rstrip(), f"{bar}{'  MISSED' if missed else ''}", conditions))
    return record


def ratio(work: Callable[[], object], reference: Callable[[], object], rounds: int = 25,
          clock: Callable[[], float] = time.process_time) -> float:
    """How much more `work` costs than `reference`: both in turn, the lower quartile of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, spent in zip((work, reference), times, strict=True):
            start = clock()
            call()
            spent.append(clock() - start)
    mine, theirs = (sorted(spent)[rounds // 4] for spent in times)
    return mine / theirs


def gain_of_a_thread(call: Callable[[], object], count: int = 96, rounds: int = 3) -> float:
    """Calls in a wall-clock second by two threads, to one; the best of so many rounds."""
    return _gain(call, count, rounds, threading.Thread)


def gain_of_a_process(call: Callable[[], object], count: int = 96, rounds: int = 3) -> float:
    """The same by two forked processes: what the machine allows to those that share nothing."""
    return _gain(call, count, rounds, multiprocessing.get_context("fork").Process)


def _gain(call: Callable[[], object], count: int, rounds: int, kind: Callable[..., Any]) -> float:
    def wall(workers: int) -> float:
        def work() -> None:
            for _ in range(count // workers):
                call()
        started = [kind(target=work) for _ in range(workers)]
        start = time.perf_counter()
        for one in started:
            one.start()
        for one in started:
            one.join()
        return time.perf_counter() - start

    wall(2)
    return min(wall(1) for _ in range(rounds)) / min(wall(2) for _ in range(rounds))


_PEAK = """
try:
    print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")))
except OSError:
    import resource, sys
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (10 if sys.platform == "darwin" else 0))
"""


def peak_megabytes(code: str) -> float:
    """The most memory that a process of its own holds while it runs `code`. ru_maxrss, where the system tells more, is
    not asked: a process inherits that of the one that started it."""
    done = subprocess.run([sys.executable, "-c", code + _PEAK], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _ROWS:
        return
    terminalreporter.section("figures")
    terminalreporter.write_line(f"{_cpu()}, {kernels.backend()} kernels, Python {platform.python_version()}")
    widths = [max(len(row[column]) for row in _ROWS) for column in range(3)]
    for row in _ROWS:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join([*cells, row[3]]).rstrip())


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
