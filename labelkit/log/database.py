# SPDX-License-Identifier: Apache-2.0
"""The two databases that can hold the log. Both return the rows of a statement at once or as a stream, and run
transactions that exclude other writers; parameters are written `?` in both."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, OutputFailed
from labelkit.log.entry import EXPIRED, KEEP_DAYS

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]
"""Values of the columns, as sqlite3 and psycopg type them."""


class _Closable(Protocol):
    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=_Closable)

DAY = 86_400_000_000  # microseconds
_WAIT_SECONDS = 30.0
_COLUMNS = """number {big} PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL, time {big} NOT NULL, mark {big},
    produce_id TEXT, sha256_before TEXT, sha256_after TEXT, fingerprint {big}"""
_INDEXES = "".join(f"CREATE INDEX labelkit_by_{column} ON labelkit_records ({column});\n"
                   for column in ("mark", "produce_id", "sha256_before", "sha256_after"))
_NEVER_CHANGED = "records of the label log are never changed"
_KEPT = f"records of the label log are kept for {KEEP_DAYS} days"
IS_LABELLING = f"substr(body, 1, {len(EXPIRED)}) <> '{EXPIRED}'"
_NEWEST = f"SELECT time FROM labelkit_records WHERE {IS_LABELLING} ORDER BY number DESC LIMIT 1"
_TOO_YOUNG = f"OLD.time > COALESCE(({_NEWEST}), 0) - {KEEP_DAYS * DAY}"
# triggers prevent mistakes; the chain reveals manipulation
_SQLITE_SCHEMA = f"""
CREATE TABLE labelkit_records ({_COLUMNS.format(big="INTEGER")}) STRICT;
{_INDEXES}
CREATE TRIGGER labelkit_append_only BEFORE UPDATE ON labelkit_records
    BEGIN SELECT RAISE(ABORT, '{_NEVER_CHANGED}'); END;
CREATE TRIGGER labelkit_kept BEFORE DELETE ON labelkit_records WHEN {_TOO_YOUNG}
    BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END;
"""
_POSTGRESQL_SCHEMA = f"""
CREATE TABLE labelkit_records ({_COLUMNS.format(big="BIGINT")});
{_INDEXES}
CREATE FUNCTION labelkit_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{_NEVER_CHANGED}'; END $$;
CREATE FUNCTION labelkit_keep() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF {_TOO_YOUNG} THEN RAISE EXCEPTION '{_KEPT}'; END IF; RETURN OLD; END $$;
CREATE TRIGGER labelkit_append_only BEFORE UPDATE ON labelkit_records
    FOR EACH ROW EXECUTE FUNCTION labelkit_refuse();
CREATE TRIGGER labelkit_whole BEFORE TRUNCATE ON labelkit_records
    FOR EACH STATEMENT EXECUTE FUNCTION labelkit_refuse();
CREATE TRIGGER labelkit_kept BEFORE DELETE ON labelkit_records FOR EACH ROW EXECUTE FUNCTION labelkit_keep();
"""


class Connections(Generic[Connection]):
    """One connection per thread and process. Connections inherited by a fork are not touched."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._kept: list[tuple[int, Connection]] = []  # keeps inherited ones alive: dropping them would close them

    def get(self) -> Connection | None:
        """The connection of this thread, or None."""
        if getattr(self._local, "process", None) != os.getpid():
            return None
        connection: Connection = self._local.connection
        return connection

    def put(self, connection: Connection) -> Connection:
        """Set the connection of this thread."""
        self._kept.append((os.getpid(), connection))
        self._local.connection, self._local.process = connection, os.getpid()
        return connection

    def close(self) -> None:
        """Close the connections of this process."""
        for process, connection in self._kept:
            if process == os.getpid():
                connection.close()
        self._kept = [kept for kept in self._kept if kept[0] != os.getpid()]
        self._local = threading.local()


class SQLite:
    """A file in write-ahead mode, created with mode 0600 if it does not exist."""

    binary, integer = "BLOB", "INTEGER"
    position = "instr"  # the function that says where in a text another one begins

    def __init__(self, path: str) -> None:
        self.name = self.target = os.path.abspath(path)
        self.connections = Connections[sqlite3.Connection]()
        with self.guarded():
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            if not self.has_table():
                # two processes may create it at once: the second waits for the lock and checks again
                with self.writing(durable=True):
                    if not self.has_table():
                        for statement in _statements(_SQLITE_SCHEMA):
                            self.rows(statement)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a statement."""
        return self._connection().execute(statement, values).fetchall()

    def stream(self, statement: str) -> Iterator[Row]:
        """The rows of a statement, one by one."""
        return iter(self._connection().execute(statement))

    def clock(self) -> int:
        """The time of this machine, in microseconds since 1970."""
        return time.time_ns() // 1000

    @contextlib.contextmanager
    def writing(self, *, durable: bool) -> Iterator[None]:
        """A transaction; a `durable` one is on the disk when it ends."""
        connection = self._connection()
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Translate errors of the database into LabelkitError."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.IntegrityError, OSError) as error:
            raise _unusable(self.name, error) from error
        except sqlite3.Error as error:
            raise MalformedFile("{where}: not a label log: {reason}", where=self.name, reason=str(error)) from error

    def has_table(self, name: str = "labelkit_records") -> bool:
        """Whether there is a table of this name."""
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", [name]))

    def _connection(self) -> sqlite3.Connection:
        connection = self.connections.get()
        if connection is None:
            connection = sqlite3.connect(self.target, timeout=_WAIT_SECONDS, isolation_level=None,
                                         check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            self.connections.put(connection)
        return connection


class PostgreSQL:
    """A database server, given by DSN, for many writers on many machines. Every transaction is on disk when it ends."""

    binary, integer = "BYTEA", "BIGINT"
    position = "strpos"

    def __init__(self, dsn: str) -> None:
        parts = urllib.parse.urlsplit(dsn)
        self.target, self.name = dsn, f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # without the password
        self.connections = Connections["psycopg.Connection[Row]"]()
        self._names = itertools.count()
        with self.guarded():
            if not self.has_table():
                with self._connection().transaction():
                    self.rows("SELECT pg_advisory_xact_lock(7305804402566162805)")  # two may create it at once
                    if not self.has_table():
                        self._connection().execute(_POSTGRESQL_SCHEMA)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a statement."""
        cursor = self._connection().execute(statement.replace("?", "%s"), values or None)
        return cursor.fetchall() if cursor.description else []

    def stream(self, statement: str) -> Iterator[Row]:
        """The rows of a statement, one by one, from a cursor on the server."""
        connection = self._connection()
        with connection.transaction(), connection.cursor(f"labelkit_{next(self._names)}") as cursor:
            yield from cursor.execute(statement)

    def clock(self) -> int:
        """The time of the server, in microseconds since 1970."""
        return int(self.rows("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint")[0][0])

    @contextlib.contextmanager
    def writing(self, *, durable: bool) -> Iterator[None]:
        """A transaction that blocks other writers, but not readers; always durable."""
        connection = self._connection()
        with connection.transaction():
            connection.execute("LOCK TABLE labelkit_records IN EXCLUSIVE MODE")
            yield

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Translate errors of the database into LabelkitError."""
        try:
            yield
        except LabelkitError:
            raise
        except _psycopg().Error as error:
            raise _unusable(self.name, error) from error

    def has_table(self, name: str = "labelkit_records") -> bool:
        """Whether there is a table of this name."""
        return bool(self.rows("SELECT to_regclass(?) IS NOT NULL", [name])[0][0])

    def _connection(self) -> psycopg.Connection[Row]:
        connection = self.connections.get()
        if connection is None or connection.closed:
            connection = self.connections.put(
                _psycopg().connect(self.target, autocommit=True, connect_timeout=int(_WAIT_SECONDS)))
        return connection


def database(target: str | os.PathLike[str]) -> SQLite | PostgreSQL:
    """The database at a path or at a postgresql:// DSN."""
    if isinstance(target, str) and target.startswith(("postgresql://", "postgres://")):
        return PostgreSQL(target)
    if not isinstance(target, str | os.PathLike):
        raise InvalidArgument("a label log is a path or a postgresql:// DSN, got {got}", got=type(target).__name__)
    return SQLite(os.fspath(target))


def _unusable(name: str, error: Exception) -> OutputFailed:
    return OutputFailed("{where}: the label log cannot be used: {reason}", where=name,
                        reason=str(error).strip().split("\n")[0])


def _psycopg() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise InvalidArgument("a label log in PostgreSQL needs the package psycopg",
                              hint=install_hint("postgresql")) from error
    return psycopg


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one, because executescript would commit the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
