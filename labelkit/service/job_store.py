# SPDX-License-Identifier: Apache-2.0
"""Where jobs are kept: a folder of this machine with SQLite in it; PostgreSQL or Redis for several machines.

The queue and the table of keys and values are huey's (MIT). Of the libraries that are kept in 2026 it is the one whose
queue is in SQLite, in PostgreSQL and in Redis alike, without a server of its own and without other dependencies;
procrastinate, Celery, RQ, Dramatiq and arq want PostgreSQL, Redis or a broker; APScheduler plans times and hands
nothing over. Only its stores are used: its tasks are pickles, which whoever writes to the database could choose, and a
task of a process that is killed is lost. What survives a kill is built in `jobs` of three acts that no two processes
can do to the same end: take a message, put a value where there is none, take a value away.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed, cannot_write
from labelkit.service.job_files import Files, InFolder, InHash, InTable

if TYPE_CHECKING:
    from redis import Redis

PLACE = "place"
"""The key under which it is kept where in an object store the files are."""
_PLACE = re.compile("[0-9a-f]{16}")
_NAME, _OF_FILES = "labelkit-jobs", "labelkit-files"
_WAIT_SECONDS = 30  # for another transaction on the database, and for an answer of Redis
_POSTGRESQL, _REDIS = ("postgresql:", "postgres:"), ("redis:", "rediss:", "unix:")


class Store:
    """Values by key, a queue of short messages, and files; may be used from several threads.

    target     a folder, or the address of a database
    files      prefix of an object store for the files, which are in the same place as the rest by default
    is_shared  whether other services use it too
    doubts     what of the settings of its database may lose jobs

    Raises InvalidArgument where the target is none or its package is missing, OutputFailed where it cannot be opened
    or is in use.
    """

    def __init__(self, target: str, files: str | None = None) -> None:
        self.is_shared = target.startswith((*_POSTGRESQL, *_REDIS))
        self._name = _without_password(target) if self.is_shared else target
        self._lock: int | None = None
        self.doubts: list[str] = []
        opened = (self._postgresql if target.startswith(_POSTGRESQL) else
                  self._redis if target.startswith(_REDIS) else self._folder)
        self.files: Files
        with self.guarded():
            self._values, self.files = opened(target)
        if files is not None:
            try:
                self.files = self._in_bucket(files)
            except LabelkitError:
                self.close()
                raise

    def put(self, key: str, value: bytes) -> None:
        """Set a value; durable when this returns, as everything here."""
        with self.guarded():
            self._values.put_data(key, value)

    def put_first(self, key: str, value: bytes) -> bool:
        """Set a value that is not set; False where it was."""
        with self.guarded():
            return bool(self._values.put_if_empty(key, value))

    def get(self, key: str) -> bytes | None:
        """A value, None where it is not set."""
        with self.guarded():
            found = dict(self._values.peek_many([key]))
        return bytes(found[key]) if key in found else None

    def take(self, key: str) -> bool:
        """Unset a value; False where it was not set, or another took it."""
        with self.guarded():
            return isinstance(self._values.pop_data(key), bytes | memoryview)

    def all(self) -> Mapping[str, bytes]:
        """Every value by its key. There are a few short ones for each job."""
        with self.guarded():
            return {str(key): bytes(value) for key, value in self._values.result_items().items()}

    def send(self, message: str) -> None:
        """Put a message at the end of the queue."""
        with self.guarded():
            self._values.enqueue(message.encode())

    def receive(self) -> str | None:
        """Take the first message, which nobody else gets; None where there is none."""
        with self.guarded():
            found = self._values.dequeue()
        return None if found is None else bytes(found).decode("utf-8", "replace")

    def is_idle(self) -> bool:
        """Whether no message waits."""
        with self.guarded():
            return not self._values.queue_size()

    def close(self) -> None:
        """Let go of the database."""
        self._values.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn what the database or the disk raises into OutputFailed."""
        try:
            yield
        except OSError as error:
            raise cannot_write(self._name, error) from error
        except Exception as error:
            of = type(error).__module__.partition(".")[0]
            if not isinstance(error, sqlite3.Error) and of not in ("psycopg", "redis"):
                raise
            raise OutputFailed("{where}: the database of jobs cannot be used: {reason}", where=self._name,
                               reason=str(error).partition("\n")[0][:200]) from error

    def _folder(self, target: str) -> tuple[Any, Files]:
        from huey.storage import SqliteStorage

        folder = Path(target)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _only_user(folder / "lock", target)
        path = folder / "jobs.sqlite3"
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return SqliteStorage(_NAME, filename=str(path), timeout=_WAIT_SECONDS, fsync=True, journal_mode="truncate",
                             strict_fifo=True, factory=_Forgetful), InFolder(folder / "files")

    def _postgresql(self, target: str) -> tuple[Any, Files]:
        try:
            import psycopg
        except ModuleNotFoundError as error:
            raise InvalidArgument("jobs in PostgreSQL need the package psycopg",
                                  hint=install_hint("postgresql")) from error
        from huey.storage import PostgresStorage

        def made(name: str) -> Any:
            return PostgresStorage(name, dsn=target, table_prefix="labelkit_jobs", blocking=False,
                                   create_tables=name == _NAME)
        with psycopg.connect(target) as connection:  # two services that start at once would both make the tables
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('labelkit_jobs'))")
            return made(_NAME), InTable(made(_OF_FILES), _OF_FILES, self.guarded)

    def _redis(self, target: str) -> tuple[Any, Files]:
        try:
            import redis
        except ModuleNotFoundError as error:
            raise InvalidArgument("jobs in Redis need the package redis", hint=install_hint("redis")) from error
        from huey.storage import RedisStorage

        try:
            pool = redis.ConnectionPool.from_url(target, socket_connect_timeout=_WAIT_SECONDS,
                                                 socket_timeout=_WAIT_SECONDS)
        except ValueError as error:  # what it says may hold a part of the password
            raise InvalidArgument("{where} is no address of Redis", where=self._name,
                                  hint="such as redis://HOST:6379/0; / ? # and @ of a password are written as "
                                       "%2F, %3F, %23 and %40") from error
        pool.connection_kwargs["decode_responses"] = False  # whatever the address says
        values = RedisStorage(_NAME, connection_pool=pool, blocking=False)
        self.doubts = _doubts(values.conn)
        return values, InHash(values.conn, _OF_FILES, self.guarded)

    def _in_bucket(self, url: str) -> Files:
        """Below the prefix, a folder that only the services of this database know: others may use the prefix too."""
        from labelkit.store.blobs import Blobs

        self.put_first(PLACE, secrets.token_hex(8).encode())
        place = (self.get(PLACE) or b"").decode("ascii", "replace")
        if not _PLACE.fullmatch(place):  # what lies there is removed where no job has it
            raise OutputFailed("{where}: the database of jobs does not say where the files are", where=self._name)
        blobs = Blobs(f"{url.rstrip('/')}/{place}")
        blobs.names()  # where it cannot be used, the service does not start
        return blobs


def _doubts(client: Redis) -> list[str]:
    """What of the settings of Redis may lose what was put there, as far as it tells them."""
    from redis.exceptions import NoPermissionError

    try:
        told, found = client.info("everything"), []
    except NoPermissionError:
        return []
    if str(told.get("aof_enabled")) != "1":
        found.append("Redis writes no append-only file: jobs are lost where it ends (appendonly, appendfsync always)")
    policy = str(told.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and int(told.get("maxmemory", 0)):
        found.append(f"Redis may remove jobs when its memory is full: maxmemory-policy is {policy}, not noeviction")
    return found


class _Forgetful(sqlite3.Connection):
    """Overwrites what is deleted: a removed job leaves no name of a file in free pages."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.execute("PRAGMA secure_delete=ON")


def _only_user(path: Path, target: str) -> int:
    """A lock that this process holds as long as it lives; raises OutputFailed where another holds it."""
    held = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        import fcntl
    except ImportError:  # Windows: another process cannot open what `msvcrt` locks
        import msvcrt

        def lock() -> None:
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows alone
    else:
        def lock() -> None:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        lock()
    except OSError as error:
        os.close(held)
        raise OutputFailed("{where} is the folder of jobs of another service that runs", where=target,
                           hint="give each service a folder of its own, or one database in PostgreSQL") from error
    return held


def _without_password(target: str) -> str:
    """The address without user, password, query and fragment, also where it is none: a "/" may stand in a password."""
    scheme, _, rest = target.partition(":")
    rest = rest.removeprefix("//").rpartition("@")[2]
    return f"{scheme}://{re.split('[?#]', rest)[0]}"
