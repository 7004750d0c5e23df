# SPDX-License-Identifier: Apache-2.0
"""The two databases that the log can stand in. Each gives rows for a statement, a stream of rows, and a transaction
that no other writer comes between; parameters are written `?` in both."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from types import ModuleType

from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, OutputFailed
from labelkit.log.entry import KEEP_DAYS

DAY = 86_400_000_000  # microseconds
_WAIT_SECONDS = 30.0
_COLUMNS = """number {big} PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL, time {big} NOT NULL, mark {big},
    produce_id TEXT, sha256_before TEXT, sha256_after TEXT, fingerprint {big}"""
_INDEXES = "".join(f"CREATE INDEX labelkit_by_{column} ON labelkit_records ({column});\n"
                   for column in ("mark", "produce_id", "sha256_before", "sha256_after"))
_NEVER_CHANGED = "records of the label log are never changed"
_KEPT = f"records of the label log are kept for {KEEP_DAYS} days"
_TOO_YOUNG = f"OLD.time > (SELECT time FROM labelkit_records ORDER BY number DESC LIMIT 1) - {KEEP_DAYS * DAY}"
# the triggers stop mistakes; intent is found by the chain
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


class Connections:
    """One connection for each thread of each process; what a child inherits by a fork it leaves alone."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._kept: list[tuple[int, object]] = []  # an inherited connection must not even be closed, as dropping would

    def get(self) -> object | None:
        """This thread's connection, if it has one."""
        return self._local.connection if getattr(self._local, "process", None) == os.getpid() else None

    def put(self, connection: object) -> object:
        """Make it this thread's connection."""
        self._kept.append((os.getpid(), connection))
        self._local.connection, self._local.process = connection, os.getpid()
        return connection

    def close(self) -> None:
        """Close those of this process."""
        for process, connection in self._kept:
            if process == os.getpid():
                connection.close()
        self._kept = [kept for kept in self._kept if kept[0] != os.getpid()]
        self._local = threading.local()


class SQLite:
    """A file, made with mode 0600 where there is none, in write-ahead mode."""

    def __init__(self, path: str) -> None:
        self.name = self.target = os.path.abspath(path)
        self.connections = Connections()
        with self.guarded():
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            if not self._has_table():
                # two processes may come first at once: the second waits for the lock and looks again
                with self.writing(durable=True):
                    if not self._has_table():
                        for statement in _statements(_SQLITE_SCHEMA):
                            self.rows(statement)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple]:
        """All rows of a statement."""
        return self._connection().execute(statement, values).fetchall()

    def stream(self, statement: str) -> Iterator[tuple]:
        """The rows of a statement, one after the other."""
        return iter(self._connection().execute(statement))

    @contextlib.contextmanager
    def writing(self, *, durable: bool) -> Iterator[None]:
        """A transaction; `durable` ones are on the disk at its end."""
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
        """Turns the database's errors into ours."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.IntegrityError, OSError) as error:
            raise _unusable(self.name, error) from error
        except sqlite3.Error as error:
            raise MalformedFile("{where}: not a label log: {reason}", where=self.name, reason=str(error)) from error

    def _has_table(self) -> bool:
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'labelkit_records'"))

    def _connection(self) -> sqlite3.Connection:
        connection = self.connections.get()
        if connection is None:
            connection = sqlite3.connect(self.target, timeout=_WAIT_SECONDS, isolation_level=None,
                                         check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            self.connections.put(connection)
        return connection


class PostgreSQL:
    """A database server, by DSN: for many writers on many machines. Every transaction is on its disk at the end."""

    def __init__(self, dsn: str) -> None:
        parts = urllib.parse.urlsplit(dsn)
        self.target, self.name = dsn, f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # without the password
        self.connections = Connections()
        self._names = itertools.count()
        with self.guarded():
            if not self._has_table():
                with self._connection().transaction():
                    self.rows("SELECT pg_advisory_xact_lock(7305804402566162805)")  # two may come first at once
                    if not self._has_table():
                        self._connection().execute(_POSTGRESQL_SCHEMA)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple]:
        """All rows of a statement."""
        cursor = self._connection().execute(statement.replace("?", "%s"), values or None)
        return cursor.fetchall() if cursor.description else []

    def stream(self, statement: str) -> Iterator[tuple]:
        """The rows of a statement, one after the other, held on the server."""
        connection = self._connection()
        with connection.transaction(), connection.cursor(f"labelkit_{next(self._names)}") as cursor:
            yield from cursor.execute(statement)

    @contextlib.contextmanager
    def writing(self, *, durable: bool) -> Iterator[None]:
        """A transaction that other writers wait for; readers do not."""
        connection = self._connection()
        with connection.transaction():
            connection.execute("LOCK TABLE labelkit_records IN EXCLUSIVE MODE")
            yield

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns the database's errors into ours."""
        try:
            yield
        except LabelkitError:
            raise
        except _psycopg().Error as error:
            raise _unusable(self.name, error) from error

    def _has_table(self) -> bool:
        return self.rows("SELECT to_regclass('labelkit_records') IS NOT NULL")[0][0]

    def _connection(self) -> object:
        connection = self.connections.get()
        if connection is None or connection.closed:
            connection = _psycopg().connect(self.target, autocommit=True, connect_timeout=int(_WAIT_SECONDS))
            self.connections.put(connection)
        return connection


def database(target: str | os.PathLike) -> SQLite | PostgreSQL:
    """The database at a path, or at a postgresql:// DSN."""
    if isinstance(target, str) and target.startswith(("postgresql://", "postgres://")):
        return PostgreSQL(target)
    if not isinstance(target, str | os.PathLike):
        raise InvalidArgument("a path or a postgresql:// DSN is wanted, got {got}", got=type(target).__name__)
    return SQLite(os.fspath(target))


def _unusable(name: str, error: Exception) -> OutputFailed:
    return OutputFailed("{where}: the label log cannot be used: {reason}", where=name,
                        reason=str(error).strip().split("\n")[0])


def _psycopg() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise InvalidArgument("a label log in PostgreSQL needs the package psycopg",
                              hint='pip install "labelkit[postgresql]"') from error
    return psycopg


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one, for executescript would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
