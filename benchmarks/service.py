# SPDX-License-Identifier: Apache-2.0
"""What HTTP costs, what overload does, and whether anything grows: a real server in a process of its own.

    python -m benchmarks.service rate           # JPEG of 1024 x 1024 over HTTP, to the same work in two processes
    python -m benchmarks.service overload       # three times the load: memory, right answers, refusals in time
    python -m benchmarks.service growth         # 20,000 requests: memory of the server and of its processes

The client is another process on the same machine: what it takes, the service does not have.
"""

from __future__ import annotations

import argparse
import http.client
import io
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from PIL import Image

import labelkit as lk
from tests.media import LABEL, photo, saved

PROCESSES, SIDE = 2, 1024
_TICK = os.sysconf("SC_CLK_TCK")


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket(AF_UNIX, SOCK_STREAM)
        self.sock.connect(self._path)

    def ask(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        self.request("POST", path, body)
        response = self.getresponse()
        return response.status, dict(response.getheaders()), response.read()


@contextmanager
def serving(*options: str) -> Iterator[tuple[str, int]]:
    """The socket of a service that is ready, and its process id."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "socket"))
        process = subprocess.Popen([
            sys.executable, "-m", "labelkit", "serve", "--socket", path, "--open", "verify,label", "--producer",
            LABEL.content_producer, "--processes", str(PROCESSES), *options], stderr=subprocess.DEVNULL)
        try:
            while not is_ready(path):
                if process.poll() is not None:
                    raise SystemExit("the service did not start")
                time.sleep(0.1)
            yield path, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def is_ready(path: str) -> bool:
    """Whether it takes files."""
    try:
        connection = Connection(path)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """A process and all that descend from it: workers are forked by one that stands by."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir()
                for child in (task / "children").read_text().split()]
    return [pid, *(one for child in children for one in family(child))]


def megabytes(pid: int) -> float:
    """The memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """The time that a process and its children took."""
    return sum(sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]))
               for one in family(pid)) / _TICK


def by_threads(path: str, asked: str, body: bytes, threads: int, each: int) -> float:
    """Requests a second of so many threads, each with a connection that stays open."""
    def work(_: int) -> None:
        connection = Connection(path)
        for _ in range(each):
            status, _, text = connection.ask(asked, body)
            if status != 200:
                raise SystemExit(f"{status}: {text[:300]!r}")
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return threads * each / (time.perf_counter() - started)


def embedded(data: bytes, count: int) -> float:
    """The work of `count` requests to /v1/label, and its CPU time in seconds."""
    started = time.process_time()
    for number in range(count):
        lk.embed(data, label=lk.Label(lk.Kind.GENERATED, LABEL.content_producer, f"{number:08d}"))
    return time.process_time() - started


def verified(data: bytes, count: int) -> float:
    """The work of `count` requests to /v1/verify, and its CPU time in seconds."""
    started = time.process_time()
    for _ in range(count):
        lk.verify(data)
    return time.process_time() - started


def in_processes(work: Callable[[bytes, int], float], data: bytes, each: int) -> tuple[float, float]:
    """Calls a second of as many processes as the service has, which are warm; and CPU seconds of each call."""
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.starmap(work, [(data, 3)] * PROCESSES, chunksize=1)
        started = time.perf_counter()
        spent = pool.starmap(work, [(data, each)] * PROCESSES, chunksize=1)
        return PROCESSES * each / (time.perf_counter() - started), sum(spent) / (PROCESSES * each)


def rate(count: int) -> None:
    """Requests a second to the same work without HTTP: both in turn, three times."""
    plain = saved(photo(SIDE, SIDE), "JPEG", quality=92)
    labelled = lk.embed(plain, label=LABEL)
    with serving("--callers-share", "64") as (path, pid):
        for asked, work, data in (("/v1/label", embedded, plain), ("/v1/verify", verified, labelled)):
            by_threads(path, asked, data, PROCESSES, 3)
            over_http, alone, spent, of_call = [], [], [], []
            for _ in range(3):
                speed, cpu = in_processes(work, data, count)
                alone.append(speed)
                of_call.append(cpu)
                before = cpu_seconds(pid)
                over_http.append(by_threads(path, asked, data, 2 * PROCESSES, count * PROCESSES // (2 * PROCESSES)))
                spent.append((cpu_seconds(pid) - before) / (count * PROCESSES))
            there, here = statistics.median(over_http), statistics.median(alone)
            cpu_there, cpu_here = 1000 * statistics.median(spent), 1000 * statistics.median(of_call)
            print(f"{asked}: {there:.1f} a second over HTTP, {here:.1f} in process: {there / here:.2f} (at least 0.8); "
                  f"CPU {cpu_there:.1f} ms of the service, {cpu_here:.1f} ms in process: "
                  f"{cpu_here / cpu_there:.2f}; ratios "
                  f"{' '.join(f'{one / two:.2f}' for one, two in zip(over_http, alone, strict=True))}")


def overload(seconds: int) -> None:
    """Three times as many clients as the service takes requests."""
    plain = saved(photo(SIDE, SIDE), "JPEG", quality=92)
    waiting = 4
    answers: Counter[str] = Counter()
    slowest = {"200": 0.0, "503": 0.0}
    with serving("--waiting", str(waiting), "--callers-share", "999") as (path, pid):
        by_threads(path, "/v1/label", plain, PROCESSES, 3)
        before, peak, stop = megabytes(pid), 0.0, time.monotonic() + seconds

        def client(_: int) -> None:
            while time.monotonic() < stop:
                started = time.monotonic()
                status, headers, made = Connection(path).ask("/v1/label?layers=metadata,watermark&explicit_present=1",
                                                             plain)
                took = time.monotonic() - started
                slowest[str(status)] = max(slowest.get(str(status), 0.0), took)
                good = (status == 200 and Image.open(io.BytesIO(made)).size == (SIDE, SIDE) and b"AIGC" in made
                        or status == 503 and int(headers["retry-after"]) >= 1)
                answers[f"{status} {'right' if good else 'WRONG'}"] += 1
        with ThreadPoolExecutor(3 * (PROCESSES + waiting)) as pool:
            running = [pool.submit(client, number) for number in range(3 * (PROCESSES + waiting))]
            while not all(one.done() for one in running):
                peak = max(peak, megabytes(pid))
                time.sleep(0.2)
            for one in running:
                one.result()
        print(f"{3 * (PROCESSES + waiting)} clients, {PROCESSES} + {waiting} requests: {dict(answers)}; slowest answer "
              f"{slowest['200']:.2f} s, slowest refusal {slowest['503']:.2f} s; server {before:.0f} MB, at most "
              f"{peak:.0f} MB under load, {megabytes(pid):.0f} MB after it")


def growth(count: int) -> None:
    """Memory after a tenth of the requests, and after all."""
    small = lk.embed(saved(photo(128, 192), "PNG"), label=LABEL, plan=lk.Plan(watermark=None))
    asked = "/v1/verify?layers=metadata,explicit"
    with serving("--callers-share", "64") as (path, pid):
        for done in (count // 10, count - count // 10):
            speed = by_threads(path, asked, small, 2 * PROCESSES, done // (2 * PROCESSES))
            server, *workers = [megabytes(one) for one in family(pid)]
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            print(f"after {done:,} more requests at {speed:.0f} a second: server {server:.1f} MB, processes "
                  f"{' '.join(f'{one:.1f}' for one in workers)} MB, {files} open files, "
                  f"{len(list(Path(f'/proc/{pid}/task').iterdir()))} threads")


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds: dict[str, tuple[Callable[[int], None], int]] = {"rate": (rate, 100), "overload": (overload, 30),
                                                           "growth": (growth, 20_000)}
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--count", type=int, help="calls of each process (100), seconds (30), or requests (20,000)")
    options = parser.parse_args()
    run, usual = kinds[options.kind]
    run(options.count or usual)


if __name__ == "__main__":
    main()
