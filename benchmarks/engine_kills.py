# SPDX-License-Identifier: Apache-2.0
"""Runs on Ray whose driver, workers and nodes are killed at random moments; in the environment of `make test-engines`.

    build/engines/bin/python -m benchmarks.engine_kills --each 20

`labelkit embed --engine ray` labels files, tars and a Parquet shard with every layer. The three are killed (SIGKILL) in
turn: the driver of a run that has its own Ray, a worker of such a run, and one of the nodes of a cluster. A run that
did not end well is repeated with --resume until it does. What stands in the target is compared byte for byte with an
undisturbed run, when the process is killed (nothing but whole files may have their names) and at the end.

A worker is killed at work, a node as soon as one of its workers is. A kill that found the run at its end already
interrupted nothing.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.datasets import ROOT, command, digests, members, pictures, write_parquet, write_tar
from benchmarks.engines import STORE, descendants

_RESUMES = 3
_LATEST = 0.8  # of the time of an undisturbed run: a later moment might be after the end
_SIDE = 256  # pixels


def source(folder: Path, files: int, shards: int) -> None:
    """Files and shards, no two pictures the same."""
    data = pictures(_SIDE)
    (folder / "in").mkdir()
    for name, body in members(data, files):
        if name.endswith("jpg"):
            (folder / "in" / name).write_bytes(body)
    for number in range(shards):
        write_tar(folder / "in" / f"{number}.tar", data, 12 + number)
    write_parquet(folder / "in" / "rows.parquet", data, 12)


def begun(folder: Path, target: str, address: str | None) -> subprocess.Popen[bytes]:
    """A run on Ray."""
    there = ["--address", address] if address else []
    words = command("in", "-o", target, "--resume", "--engine", "ray", *there)
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "RAY_enable_metrics_collection": "0"}


def at_work(process: int) -> list[int]:
    """The workers below a process that work on a task."""
    found = []
    for number in descendants(process):
        try:
            if Path(f"/proc/{number}/cmdline").read_bytes().startswith(b"ray::_done"):
                found.append(number)
        except OSError:
            continue
    return found


def kill_driver(driver: subprocess.Popen[bytes], _chance: random.Random, _cluster: Any) -> bool:
    """Kill the process that was started; returns whether that interrupted it."""
    driver.kill()
    return driver.wait() == -signal.SIGKILL


def kill_worker(driver: subprocess.Popen[bytes], chance: random.Random, _cluster: Any) -> bool:
    """Kill a process that works on a task."""
    while driver.poll() is None:
        if workers := at_work(driver.pid):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                return driver.poll() is None
    return False


def kill_node(driver: subprocess.Popen[bytes], _chance: random.Random, cluster: Any) -> bool:
    """Kill the node of a cluster that was added last, with all that runs on it."""
    node = max(cluster.worker_nodes, key=lambda one: one.node_id)
    numbers = [one.process.pid for kind in node.all_processes.values() for one in kind]
    while not (busy := any(at_work(number) for number in numbers)) and driver.poll() is None:
        time.sleep(0.005)
    cluster.remove_node(node, allow_graceful=False)
    return busy


KILLS: dict[str, Callable[[subprocess.Popen[bytes], random.Random, Any], bool]] = {
    "driver": kill_driver, "worker": kill_worker, "node": kill_node}


@functools.cache
def cluster() -> Any:
    """A cluster whose head does no work."""
    os.environ.update(environment())
    from ray.cluster_utils import Cluster
    return Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE // 3})


def disturbed(folder: Path, what: str, wanted: dict[str, str], wall: float, chance: random.Random,
              keep: Path | None) -> tuple[bool, bool]:
    """(whether a kill interrupted something, whether all is as it should be) of one run and its resumption."""
    nodes = cluster() if what == "node" else None
    while nodes and len(nodes.worker_nodes) < 2:
        nodes.add_node(num_cpus=1, object_store_memory=STORE // 3)
    driver = begun(folder, "out", nodes and nodes.address)
    while driver.poll() is None and not (
            any((folder / "out").rglob("*.jpg")) or at_work(os.getpid() if nodes else driver.pid)):
        time.sleep(0.02)  # Ray starts: seconds in which there is nothing to interrupt
    try:
        driver.wait(chance.uniform(0, wall * _LATEST))
    except subprocess.TimeoutExpired:
        pass
    interrupted = KILLS[what](driver, chance, nodes)
    halves = {name for name, digest in wanted.items() if standing(folder / "out" / name) not in (None, digest)}
    codes = [ended(driver)]
    while codes[-1] and len(codes) <= _RESUMES:
        codes.append(ended(begun(folder, "out", nodes and nodes.address)))
    differ = halves | other(folder, wanted)
    if differ or codes[-1]:
        print(f"codes {codes}, half {sorted(halves)}, other {sorted(differ)}, kept in {keep}", file=sys.stderr)
        for name in sorted(differ & digests(folder / "out").keys()) if keep else ():
            shutil.copy(folder / "out" / name, keep / f"{time.monotonic():.0f}-{name.replace('/', '-')}")
    return interrupted, not differ and not codes[-1]


def other(folder: Path, wanted: dict[str, str]) -> set[str]:
    """The names of what in the target is missing, not wanted, or has other bytes."""
    found = digests(folder / "out")
    return {name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)}


def standing(path: Path) -> str | None:
    """The SHA-256 of a file, None where there is none yet: the run of a killed worker or node goes on meanwhile."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def ended(driver: subprocess.Popen[bytes]) -> int:
    """The exit code of a run, which says what went wrong."""
    _, said = driver.communicate(timeout=600)
    if driver.returncode not in (0, -signal.SIGKILL):
        print(said.decode(errors="replace")[-500:], file=sys.stderr)
    return driver.returncode


def main() -> int:
    """Kill runs, and print a table; 1 where one came to another result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--each", type=int, default=20, help="kills of each kind")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KILLS), default=list(KILLS))
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="folder to which what differs is copied")
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    chance, kills, interrupted, wrong = random.Random(options.seed), Counter[str](), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        source(folder, options.files, options.shards)
        driver = begun(folder, "whole", None)
        while not at_work(driver.pid) and driver.poll() is None:
            time.sleep(0.02)
        started = time.monotonic()
        assert not ended(driver)
        wall, wanted = time.monotonic() - started, digests(folder / "whole")
        print(f"undisturbed: {len(wanted)} files and shards, {wall:.0f} s from the first task on", flush=True)
        for number in range(options.each):
            for what in options.kinds:
                struck, right = disturbed(folder, what, wanted, wall, chance, options.keep)
                kills[what], interrupted[what], wrong[what] = (
                    kills[what] + 1, interrupted[what] + struck, wrong[what] + (not right))
                print(f"{number + 1} {what}: {'interrupted' if struck else 'nothing to interrupt'}, "
                      f"{'the same bytes' if right else 'DIFFERENT'}", flush=True)
                shutil.rmtree(folder / "out")
    print("| killed | kills | interrupted | differ from an undisturbed run, or leave something behind |\n"
          "| --- | ---: | ---: | ---: |")
    for what in options.kinds:
        print(f"| {what} | {kills[what]} | {interrupted[what]} | {wrong[what]} |")
    return min(1, wrong.total())


if __name__ == "__main__":
    sys.exit(main())
