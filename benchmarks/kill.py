# SPDX-License-Identifier: Apache-2.0
"""Kill runs at random moments (SIGKILL): nothing may be lost, and nothing left behind after the next run.

    python -m benchmarks.kill                  # 50 kills of each kind: folder, film, chunks, store, log, ...
    python -m benchmarks.kill --each 10 film   # fewer, of one kind

A run is started, killed at a random moment of the last three quarters of its duration (before that it only starts
Python), and repeated with --resume (or --in-place) to its end.
Checked after the kill: every source is as it was, and every result is whole. After the next run: every result is
there, no temporary file is, and the log is intact and has a record of every result. The table says how many kills
really interrupted a run, and how many of them left unfinished files for the next one to remove.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import labelkit as lk
from labelkit import metadata
from labelkit.container.workfolder import PREFIX
from labelkit.log import LabelLog
from labelkit.log_recorder import sha256
from tests.films import film
from tests.log.server import postgresql_server
from tests.media import photo, saved

PICTURES, SIZE, FRAMES, LONG = 12, (384, 512), 60, 155
ROOT = Path(lk.__file__).parents[1]


@dataclass
class Tally:
    """What was seen of one kind of run."""

    kills: int = 0
    interrupted: int = 0
    unfinished: int = 0
    problems: list[str] = field(default_factory=list)


class Scene:
    """One kind of run: its sources, its command line and what must hold. Everything lies below `folder`."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.source, self.out = folder, folder / "in", folder / "out"
        self.temporary = folder / "temporary"
        self.in_place = number % 2 == 1 and self.may_work_in_place
        for path in (self.source, self.temporary):
            path.mkdir(parents=True)
        self.prepare()
        self.before = self.digests()

    may_work_in_place = False

    def prepare(self) -> None:
        """Write the sources."""
        for index in range(PICTURES):
            (self.source / f"{index}.jpg").write_bytes(saved(photo(*SIZE, seed=index), "JPEG", quality=92))

    def words(self) -> list[str]:
        """The command line."""
        where = ["--in-place"] if self.in_place else ["-o", str(self.out)]
        return ["embed", str(self.source), *where, "--producer", "acme"]

    def again(self) -> list[str]:
        """The command line of the next run."""
        return self.words() + ([] if self.in_place else ["--resume"])

    def digests(self) -> dict[str, str]:
        """SHA-256 of every source."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(self.source.iterdir())
                if not path.name.startswith(".")}

    def results(self) -> list[Path]:
        """The results that are there."""
        place = self.source if self.in_place else self.out
        return sorted(path for path in place.glob("*") if not path.name.startswith(".")) if place.is_dir() else []

    def unfinished(self) -> list[Path]:
        """The temporary files that are there."""
        return [path for path in self.folder.rglob("*") if path.name.startswith(PREFIX)]

    def after_the_kill(self) -> Iterator[str]:
        """What is wrong after the kill."""
        now = self.digests()
        for name, digest in self.before.items():
            if name not in now or now[name] != digest and not (self.in_place and _whole(self.source / name)):
                yield f"the source {name} was lost or changed"
        if not self.in_place:
            yield from (f"{path.name} is not whole" for path in self.results() if not _whole(path))

    def after_the_next_run(self) -> Iterator[str]:
        """What is wrong after the next run."""
        found = self.results()
        if len(found) != len(self.before) or not all(map(_whole, found)):
            yield f"{len(found)} of {len(self.before)} results, {sum(map(_whole, found))} whole"
        if self.unfinished() or any(self.temporary.iterdir()):
            yield f"left behind: {[str(path.relative_to(self.folder)) for path in self.unfinished()]}"


class Folder(Scene):
    """A folder of pictures, every other time in place."""

    may_work_in_place = True


class Film(Scene):
    """One film, picture and sound; always the same number, so that a film that was replaced already is marked alike."""

    may_work_in_place = True

    def prepare(self) -> None:
        film(self.source / "a.mp4", size=(480, 360), count=FRAMES, sound=["aac"])

    def words(self) -> list[str]:
        return [*super().words(), "--produce-id", "17"]


class Chunks(Scene):
    """A long film in chunks, two at a time, which the next run goes on with."""

    film = b""

    def prepare(self) -> None:
        if not Chunks.film:
            Chunks.film = film(self.source / "a.mp4", size=(320, 240), count=LONG, rate=5, sound=["aac"],
                               options={"g": "10"}).read_bytes()
        (self.source / "a.mp4").write_bytes(self.film)

    def words(self) -> list[str]:
        return [*super().words(), "--jobs", "2", "--resume", "--preset", "ultrafast", "--no-check"]

    def again(self) -> list[str]:
        return self.words()

    def results(self) -> list[Path]:
        return [path for path in super().results() if path.is_file()]

    def unfinished(self) -> list[Path]:
        return [*super().unfinished(), *self.folder.rglob("*.chunks")]


class Log(Scene):
    """A folder of pictures with a label log."""

    def target(self) -> str:
        """Where the log is."""
        return str(self.folder / "labels.db")

    def words(self) -> list[str]:
        return [*super().words(), "--log", self.target()]

    def after_the_kill(self) -> Iterator[str]:
        yield from super().after_the_kill()
        yield from self._unrecorded()

    def after_the_next_run(self) -> Iterator[str]:
        yield from super().after_the_next_run()
        yield from self._unrecorded()
        left = {path.name for path in self.folder.glob("labels.db*")} - {"labels.db"}
        if left:
            yield f"left behind: {sorted(left)}"

    def _unrecorded(self) -> Iterator[str]:
        with LabelLog(self.target()) as log:
            if not log.verify().intact:
                yield "the log is not intact"
            yield from (f"{path.name} has no record" for path in self.results()
                        if not log.find(sha256=sha256(str(path))))


class PostgreSQL(Log):
    """A folder of pictures with a label log in PostgreSQL, in a schema of its own."""

    dsn, number = "", 0

    def prepare(self) -> None:
        super().prepare()
        import psycopg
        PostgreSQL.number += 1
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA kill_{self.number}")

    def target(self) -> str:
        return f"{self.dsn}&options=-csearch_path%3Dkill_{self.number}"


class Store(Scene):
    """A prefix of an S3 server."""

    number = 0

    def prepare(self) -> None:
        super().prepare()
        Store.number += 1
        self.prefix = f"s3://kill/{Store.number}"
        self._store().put("x", b"")  # fails at once where there is no server
        for path in sorted(self.source.iterdir()):
            self._store().put(f"{Store.number}/in/{path.name}", path)

    def words(self) -> list[str]:
        return ["embed", f"{self.prefix}/in", "-o", f"{self.prefix}/out", "--producer", "acme"]

    def results(self) -> list[Path]:
        """The results that are there, downloaded."""
        copies = self.folder / "copies"
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        store = self._store()
        for page in store.list(f"{Store.number}/out"):
            for entry in page:
                (copies / Path(entry["path"]).name).write_bytes(bytes(store.get(entry["path"]).bytes()))
        return sorted(copies.iterdir())

    @staticmethod
    def _store():
        from obstore.store import from_url
        return from_url("s3://kill")


def _whole(path: Path) -> bool:
    try:
        report = lk.verify(path, layers=(lk.Layer.METADATA, lk.Layer.WATERMARK))
    except lk.LabelkitError:
        return False
    return metadata.read(path).label is not None and report[lk.Layer.WATERMARK].status is lk.Status.VALID


def _start(scene: Scene, words: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scene.temporary)}
    return subprocess.Popen([sys.executable, "-m", "labelkit", *words], env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_once(make: Callable[[Path, int], Scene], number: int, duration: float, chance: random.Random,
              tally: Tally) -> None:
    """One kill and the next run; what was seen goes into `tally`."""
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        scene = make(Path(folder), number)
        process = _start(scene, scene.words())
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=chance.uniform(duration / 4, duration))
        process.kill()
        process.communicate()
        tally.kills += 1
        tally.interrupted += process.returncode < 0
        tally.unfinished += bool(scene.unfinished())
        tally.problems += scene.after_the_kill()
        process = _start(scene, scene.again())
        _, said = process.communicate(timeout=600)
        if process.returncode:
            tally.problems.append(f"the next run: exit code {process.returncode}, {said.decode()[-300:]}")
        tally.problems += scene.after_the_next_run()


def duration_of(make: Callable[[Path, int], Scene]) -> float:
    """Seconds of one run that is not killed."""
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        scene = make(Path(folder), 0)
        started = time.monotonic()
        process = _start(scene, scene.words())
        _, said = process.communicate(timeout=600)
        if process.returncode:
            raise SystemExit(f"the run fails without a kill: {said.decode()}")
        return time.monotonic() - started


@contextlib.contextmanager
def s3_server() -> Iterator[None]:
    """An S3 server with a bucket "kill", named by the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    program = str(Path(sys.executable).parent / "moto_server")
    process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", address.rpartition(":")[2]],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ |= {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1",
                   "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true"}
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(urllib.request.Request(f"{address}/kill", method="PUT"), timeout=10).close()
                break
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def servers(kind: str) -> Iterator[None]:
    """What runs of a kind need beside them."""
    if kind == "store":
        with s3_server():
            yield
    elif kind == "postgresql":
        with postgresql_server() as PostgreSQL.dsn:
            yield
    else:
        yield


KINDS: dict[str, Callable[[Path, int], Scene]] = {"folder": Folder, "film": Film, "chunks": Chunks, "store": Store,
                                                 "log": Log, "postgresql": PostgreSQL}


def main() -> int:
    """Kill runs of the kinds that are named, print a table, and return 1 if anything was lost or left behind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"some of {', '.join(KINDS)}; all by default")
    parser.add_argument("--each", type=int, default=50, help="kills of each kind; 50 by default")
    parser.add_argument("--seed", type=int, default=12)
    options = parser.parse_args()
    chance, bad = random.Random(options.seed), 0
    print("| runs | kills | interrupted | left unfinished files | lost or left behind after the next run |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind in options.kinds or KINDS:
        tally = Tally()
        with servers(kind):
            duration = duration_of(KINDS[kind])
            for number in range(options.each):
                kill_once(KINDS[kind], number, duration, chance, tally)
        print(f"| {kind} ({duration:.1f} s) | {tally.kills} | {tally.interrupted} | {tally.unfinished} | "
              f"{len(tally.problems)} |", flush=True)
        for problem in tally.problems:
            print(f"{kind}: {problem}", file=sys.stderr)
        bad += len(tally.problems)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
