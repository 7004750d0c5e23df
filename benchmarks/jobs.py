# SPDX-License-Identifier: Apache-2.0
"""Kills services and their processes in the midst of jobs, and counts what is lost and what is done twice.

    python -m benchmarks.jobs --count 200 --kills 20             # jobs in a folder
    python -m benchmarks.jobs --count 200 --kills 20 --postgresql  # on a PostgreSQL server of our own
    python -m benchmarks.jobs --count 200 --kills 20 --redis       # on a Redis server of our own

A real service, killed with SIGKILL by turns: whole, and one of the processes that label. A client sends pictures as
jobs, asks again whenever the service is away, fetches each result, and then deletes the job: a service that is killed
just when it has sent a result may still have it. At the end every job that was answered with 202 has given one file,
the label log has one record for each, of that file, and nothing of them is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import labelkit as lk
from benchmarks.service import Connection
from labelkit.log import LabelLog
from labelkit.service import add_key
from tests.media import photo, saved

SIDE = 128
_AWAY = (OSError, ValueError, EOFError)  # http.client's own errors are ValueErrors and OSErrors, mostly
_WAIT_SECONDS = 0.05
_GIVE_UP_SECONDS = 300.0  # without any result


@dataclass
class Tally:
    """What came of a run.

    twice    jobs that gave two files, or that the log has more than once
    wrong    results that are not the file that was asked for, or not the one in the log
    retries  attempts beyond the first, as the log of the service says
    """

    jobs: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    services_killed: int = 0
    processes_killed: int = 0
    retries: int = 0

    @property
    def kills(self) -> int:
        """How often something was killed."""
        return self.services_killed + self.processes_killed

    @property
    def is_whole(self) -> bool:
        """Whether every job was done once, and nothing is left of it."""
        return self.jobs > 0 and not (self.lost or self.twice or self.wrong or self.left)


class Killed:
    """A service that is killed and started again."""

    def __init__(self, folder: Path, store: str, processes: int) -> None:
        self.socket, self._said = str(folder / "socket"), folder / "said"
        self.key = add_key(folder / "keys", "bench", ["label", "verify"], "now")
        self._command = [sys.executable, "-m", "labelkit", "serve", "--socket", self.socket, "--api-keys",
                         str(folder / "keys"), "--log", str(folder / "labels.db"), "--producer", "bench",
                         "--job-store", store, "--job-processes", str(processes), "--processes", "1",
                         "--max-jobs", "1000", "--callers-jobs", "1000"]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it."""
        with open(self._said, "ab") as said:
            self._process = subprocess.Popen(self._command, stderr=said, stdout=said, start_new_session=True)

    def kill(self) -> None:
        """SIGKILL to the service, whose processes then find nobody to answer; and start another."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.start()

    def kill_process(self) -> bool:
        """SIGKILL to one of its processes; False where it has none."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        pids = [pid for tasks in Path(f"/proc/{self._process.pid}/task").glob("*/children")
                for pid in tasks.read_text().split()] or children.read_text().split()
        for pid in reversed(pids):  # the newest first: those of jobs start late
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
                return True
        return False

    def stop(self) -> None:
        """End it as operators do."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def attempts(self) -> Iterator[int]:
        """Of every job that ended, which attempt that was."""
        for line in self._said.read_text().splitlines():
            with contextlib.suppress(ValueError):
                if "attempt" in (said := json.loads(line)):
                    yield said["attempt"]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """An answer; asked again where the service is away, unless a file was sent."""
        started = time.monotonic()
        while time.monotonic() - started < _GIVE_UP_SECONDS:
            try:
                connection = Connection(self.socket)
                connection.timeout = _GIVE_UP_SECONDS
                connection.request(method, path, body, {"Authorization": f"Bearer {self.key}", **headers})
                response = connection.getresponse()
                return response.status, response.read()
            except Exception as error:
                if not isinstance(error, _AWAY) and type(error).__module__ != "http.client":
                    raise
                if body is not None:
                    return 0, b""
                time.sleep(_WAIT_SECONDS)
            finally:
                connection.close()
        raise TimeoutError(f"{method} {path}: no answer")


def run(folder: Path, store: str, *, count: int, kills: int, processes: int = 2) -> Tally:
    """Send so many jobs, and kill after every so many results that `kills` kills fall into them."""
    tally, killed = Tally(), Killed(folder, store, processes)
    try:
        waiting = dict[str, str]()  # names of jobs by their produce ids
        every = max(1, 2 * count // (kills + 1))
        for produce_id, name in _sent(killed, count):  # half of the kills while jobs come, and half while results go
            waiting[produce_id] = name
            if len(waiting) % every == 0 and tally.kills < kills - kills // 2:
                _strike(killed, tally)
        tally.jobs, names = len(waiting), dict(waiting)
        results, progressed = dict[str, bytes](), time.monotonic()
        while waiting and time.monotonic() - progressed < _GIVE_UP_SECONDS:
            produce_id, name = next(iter(waiting.items()))  # jobs are begun in their order: this one is at work
            if _fetched(killed, name, produce_id, results, tally):
                del waiting[produce_id]
                killed.ask("DELETE", f"/v1/jobs/{name}")
                progressed = time.monotonic()
                if len(results) % every == 0 and waiting and tally.kills < kills:
                    _strike(killed, tally)
            else:
                time.sleep(_WAIT_SECONDS)
        tally.lost += waiting
        tally.retries = sum(attempt > 1 for attempt in killed.attempts())
    finally:
        killed.stop()
    _compare(folder, results, tally)
    if "://" not in store:
        tally.left = [path.name for path in Path(store, "files").iterdir() if path.name.partition(".")[0]
                      in names.values()]
    return tally


def _sent(killed: Killed, count: int) -> Iterator[tuple[str, str]]:
    """The names of jobs that were accepted, each with the id of its label."""
    for number in range(count):
        picture = saved(photo(SIDE, SIDE, seed=number % 7), "JPEG", quality=90)
        status, tries = 0, 0
        while status != 202:
            produce_id = f"job-{number}-{tries}"  # an unanswered request may have become a job: the next is another
            status, body = killed.ask("POST", f"/v1/label?produce_id={produce_id}", picture, Prefer="respond-async")
            tries += 1
            if not status:
                time.sleep(_WAIT_SECONDS)
            elif status not in (202, 503):
                raise AssertionError(body)
        yield produce_id, json.loads(body)["job"]


def _fetched(killed: Killed, name: str, produce_id: str, results: dict[str, bytes], tally: Tally) -> bool:
    """Whether a job has ended; its file is in `results` then, if it has one."""
    status, body = killed.ask("GET", f"/v1/jobs/{name}/result")
    if status == 409:
        return False
    if status != 200:
        (tally.lost if status == 404 else tally.wrong).append(f"{produce_id}: {status} {body[:200]!r}")
        results[produce_id] = b""
        return True
    results[produce_id] = body
    status, again = killed.ask("GET", f"/v1/jobs/{name}/result")
    if status == 200 and again != body:
        tally.twice.append(f"{produce_id}: two files")
    return True


def _strike(killed: Killed, tally: Tally) -> None:
    if tally.processes_killed < tally.services_killed and killed.kill_process():
        tally.processes_killed += 1
    else:
        killed.kill()
        tally.services_killed += 1


def _compare(folder: Path, results: dict[str, bytes], tally: Tally) -> None:
    """The results with the label log."""
    with LabelLog(folder / "labels.db") as log:
        for produce_id, file in results.items():
            if not file:
                continue  # lost
            records = log.find(produce_id=produce_id)
            if len(records) > 1:
                tally.twice.append(f"{produce_id}: {len(records)} records")
            elif not records or records[0].facts["sha256_after"] != hashlib.sha256(file).hexdigest():
                tally.wrong.append(f"{produce_id}: not the file of the log")
            elif (found := lk.verify(file, effort="fast").label) is None or found.produce_id != produce_id:
                tally.wrong.append(f"{produce_id}: another label")


def main() -> None:
    """Run it and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--redis", action="store_true")
    options = parser.parse_args()
    from tests.log.server import postgresql_server
    from tests.service.redis_server import redis_server

    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        store = (stack.enter_context(postgresql_server()) if options.postgresql else
                 stack.enter_context(redis_server()) if options.redis else str(folder / "jobs"))
        started = time.monotonic()
        tally = run(folder, store, count=options.count, kills=options.kills)
        print(f"{tally.jobs} jobs in {time.monotonic() - started:.0f} s; killed {tally.services_killed} services and "
              f"{tally.processes_killed} processes; {tally.retries} jobs took more than one attempt; lost "
              f"{len(tally.lost)}, twice {len(tally.twice)}, wrong {len(tally.wrong)}, left {len(tally.left)}")
        for what in (*tally.lost, *tally.twice, *tally.wrong, *tally.left):
            print(" ", what)
        sys.exit(not tally.is_whole)


if __name__ == "__main__":
    main()
