# SPDX-License-Identifier: Apache-2.0
"""Where jobs are kept: a folder of this machine, with SQLite in it, or PostgreSQL for services on several machines.

The queue and the table of keys and values are huey's (MIT). Of the libraries that are kept in 2026 it is the one whose
queue is in SQLite and in PostgreSQL alike, without a server of its own and without other dependencies; procrastinate,
Celery, RQ, Dramatiq and arq want PostgreSQL, Redis or a broker; APScheduler plans times and hands nothing over. Only
its stores are used: its tasks are pickles, which whoever writes to the database could choose, and a task of a process
that is killed is lost. What survives a kill is built in `jobs` of three acts that no two processes can do to the same
end: take a message, put a value where there is none, take a value away.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, OutputFailed, cannot_write

_NAME, _OF_FILES = "labelkit-jobs", "labelkit-files"
_WAIT_SECONDS = 30  # for another transaction on the database


class Files(Protocol):
    """The files of jobs, by names of letters, digits, dots, dashes and underscores."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a file; on the disk when this returns."""

    def get(self, name: str) -> bytes | None:
        """A file, None where it is not kept."""

    def remove(self, name: str) -> None:
        """Forget a file, if it is kept."""

    def names(self) -> list[str]:
        """What is kept."""


class Store:
    """Values by key, a queue of short messages, and files; may be used from several threads.

    is_shared  whether other services use it too

    Raises InvalidArgument where the target is none or its package is missing, OutputFailed where it cannot be opened
    or is in use.
    """

    def __init__(self, target: str) -> None:
        self.is_shared = target.startswith(("postgresql:", "postgres:"))
        self._name = _without_password(target) if self.is_shared else target
        self._lock: int | None = None
        with self.guarded():
            self._values, self.files = self._postgresql(target) if self.is_shared else self._folder(target)

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
            if not isinstance(error, sqlite3.Error) and type(error).__module__.partition(".")[0] != "psycopg":
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
                             strict_fifo=True, factory=_Forgetful), _InFolder(folder / "files")

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
            return made(_NAME), _InTable(made(_OF_FILES), self.guarded)


class _Forgetful(sqlite3.Connection):
    """Overwrites what is deleted: a removed job leaves no name of a file in free pages."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.execute("PRAGMA secure_delete=ON")


class _InFolder:
    """Files in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.glob("*.part"):  # of a service that was killed
            left.unlink(missing_ok=True)

    def put(self, name: str, data: bytes) -> None:
        """See `Files`."""
        path = self._folder / name
        part = path.with_name(f"{name}.part")
        try:
            with open(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            _flush_folder(self._folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise cannot_write(path, error) from error

    def get(self, name: str) -> bytes | None:
        """See `Files`."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """See `Files`."""
        (self._folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """See `Files`."""
        return [name for name in os.listdir(self._folder) if not name.endswith(".part")]


class _InTable:
    """Files in the database, where every service finds them."""

    def __init__(self, storage: Any, guarded: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        self._storage, self._guarded = storage, guarded

    def put(self, name: str, data: bytes) -> None:
        """See `Files`."""
        with self._guarded():
            self._storage.put_data(name, data)

    def get(self, name: str) -> bytes | None:
        """See `Files`."""
        with self._guarded():
            found = dict(self._storage.peek_many([name]))
        return found.get(name)

    def remove(self, name: str) -> None:
        """See `Files`."""
        with self._guarded():
            self._storage.sql(f"DELETE FROM {self._storage.table_kv} WHERE queue = %s AND key = %s", (_OF_FILES, name))

    def names(self) -> list[str]:
        """See `Files`."""
        with self._guarded():
            rows = self._storage.sql(f"SELECT key FROM {self._storage.table_kv} WHERE queue = %s", (_OF_FILES,),
                                     results=True)
        return [name for name, in rows]


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


def _flush_folder(folder: Path) -> None:
    """Let a new name in a folder survive a loss of power, where the system can."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _without_password(target: str) -> str:
    parts = urllib.parse.urlsplit(target)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

