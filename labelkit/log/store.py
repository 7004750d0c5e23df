# SPDX-License-Identifier: Apache-2.0
"""The log in an SQLite file: appended by many threads and processes, searched in microseconds, audited in one pass."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from labelkit.errors import InvalidArgument, MalformedFile, OutputFailed
from labelkit.log.entry import (
    GENESIS,
    KEEP_DAYS,
    Entry,
    Head,
    Record,
    canonical,
    chained,
    mark,
    microseconds,
    signed,
)
from labelkit.log.fingerprint import NEAR
from labelkit.messages import Message
from labelkit.watermark.payload import Payload

_DAY = 86_400_000_000  # microseconds
_WAIT_SECONDS = 30.0
_MAX_FOUND = 100
_MAX_PROBLEMS = 10
_COLUMNS = ("time", "mark", "produce_id", "sha256_before", "sha256_after", "fingerprint")
# the triggers stop mistakes; intent is found by the chain
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL, time INTEGER NOT NULL, mark INTEGER,
    produce_id TEXT, sha256_before TEXT, sha256_after TEXT, fingerprint INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS by_mark ON records (mark);
CREATE INDEX IF NOT EXISTS by_produce_id ON records (produce_id);
CREATE INDEX IF NOT EXISTS by_sha256_before ON records (sha256_before);
CREATE INDEX IF NOT EXISTS by_sha256_after ON records (sha256_after);
CREATE TRIGGER IF NOT EXISTS append_only BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'records of the label log are never changed'); END;
CREATE TRIGGER IF NOT EXISTS kept_six_months BEFORE DELETE ON records
    WHEN OLD.time > (SELECT time FROM records ORDER BY number DESC LIMIT 1) - {KEEP_DAYS * _DAY}
    BEGIN SELECT RAISE(ABORT, 'records of the label log are kept for {KEEP_DAYS} days'); END;
"""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found: how many records, the newest one's head, and the first problems, none where it is intact."""

    records: int
    head: Head
    problems: tuple[Message, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was tampered with."""
        return not self.problems


class LabelLog:
    """The log in the SQLite file at `path`, made with mode 0600 where there is none.

    Usable from many threads, and from many processes at once. Raises OutputFailed where the file cannot be written,
    MalformedFile where it is no log.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._local = threading.local()
        self._open: list[tuple[int, sqlite3.Connection]] = []
        with self._guarded():
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            self._connection().executescript(_SCHEMA)

    def record(self, *entries: Entry) -> list[Record]:
        """Append entries, all or none, and return their records.

        An entry with a waiver is on the disk when this returns, whatever happens to the machine; others are safe from
        a crash of the process and may lose the last moments to a loss of power.
        """
        if not entries or not all(isinstance(entry, Entry) for entry in entries):
            raise InvalidArgument("one or more entries are wanted, got {got}",
                                  got=", ".join(type(entry).__name__ for entry in entries) or "none")
        bodies = [entry.body() for entry in entries]
        with self._writing(durable=any(entry.waiver for entry in entries)) as connection:
            return [_append(connection, body) for body in bodies]

    def find(self, *, payload: Payload | None = None, produce_id: str | None = None,
             sha256: str | None = None) -> list[Record]:
        """The newest 100 records, newest first, for exactly one of three clues.

        payload     producer and content number of a watermark; its kind may have changed since
        produce_id  of the label
        sha256      64 hexadecimal digits of a file, as it came or as it went
        """
        clues = {"mark": mark(payload) if payload is not None else None, "produce_id": produce_id, "sha256": sha256}
        given = [(name, value) for name, value in clues.items() if value is not None]
        if len(given) != 1:
            raise InvalidArgument("give one of payload, produce_id and sha256, got {count}", count=len(given))
        name, value = given[0]
        where = "sha256_before = ?1 OR sha256_after = ?1" if name == "sha256" else f"{name} = ?1"
        return self._records(f"WHERE {where} ORDER BY number DESC LIMIT {_MAX_FOUND}", value)

    def near(self, fingerprint: int, *, within: int = NEAR) -> list[tuple[int, Record]]:
        """(differing bits, record) of at most 100 pictures whose fingerprint differs in at most `within` bits."""
        with self._guarded():
            rows = self._connection().execute("SELECT number, fingerprint FROM records WHERE fingerprint IS NOT NULL")
            table = np.fromiter(rows, np.dtype([("number", np.int64), ("fingerprint", np.int64)]))
        differing = np.bitwise_xor(table["fingerprint"], signed(fingerprint)).view(np.uint8).reshape(-1, 8)
        counts = np.unpackbits(differing, axis=1).sum(axis=1)
        best = [index for index in np.argsort(counts, kind="stable")[:_MAX_FOUND] if counts[index] <= within]
        return [(int(counts[index]), self._records("WHERE number = ?", int(table["number"][index]))[0])
                for index in best]

    def head(self) -> Head:
        """Number and hash of the newest record, to be kept elsewhere."""
        with self._guarded():
            return _head(self._connection())

    def verify(self, *, head: Head | None = None) -> Audit:
        """Walk through all records and say what was tampered with.

        head  a head of this log from earlier: finds a chain that was cut off or made anew
        """
        with self._guarded():
            rows = self._connection().execute(f"SELECT number, hash, body, {', '.join(_COLUMNS)} FROM records "
                                              "ORDER BY number")
            return _audit(((Record(*row[:3]), row[3:]) for row in rows), head)

    def export(self, out: TextIO) -> int:
        """Write all records as JSON lines {"number", "hash", "body"}, which `audit_lines` checks; return how many."""
        count = 0
        with self._guarded():
            for row in self._connection().execute("SELECT number, hash, body FROM records ORDER BY number"):
                record = dict(zip(("number", "hash", "body"), row, strict=True))
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
        return count

    def expire(self, *, now: datetime.datetime, keep_days: int = KEEP_DAYS) -> int:
        """Remove records that are older than `keep_days`, at least 184, record that it was done, and return how many.

        The records that go must be the oldest; the chain goes on from the last of them.
        """
        if not isinstance(keep_days, int) or keep_days < KEEP_DAYS:
            raise InvalidArgument("Labeling Measures, Article 9: records are kept for six months; keep_days is {limit} "
                                  "or more, got {got}", limit=KEEP_DAYS, got=repr(keep_days))
        limit = microseconds(now) - keep_days * _DAY
        with self._writing(durable=True) as connection:
            row = connection.execute("SELECT number, hash, time FROM records WHERE number < COALESCE((SELECT "
                                     "MIN(number) FROM records WHERE time > ?), 1 << 62) ORDER BY number DESC LIMIT 1",
                                     (limit,)).fetchone()
            if row is None:
                return 0
            facts = {"number": row[0], "hash": row[1], "time": row[2], "keep_days": keep_days}
            _append(connection, canonical({"time": microseconds(now), "expired": facts}))
            return connection.execute("DELETE FROM records WHERE number <= ?", (row[0],)).rowcount

    def close(self) -> None:
        """Close the file; the log opens it again when it is used again."""
        for process, connection in self._open:
            if process == os.getpid():
                connection.close()
        self._open = [(process, connection) for process, connection in self._open if process != os.getpid()]
        self._local = threading.local()

    def __reduce__(self) -> tuple:
        return LabelLog, (self._path,)

    def __enter__(self) -> LabelLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _records(self, condition: str, value: object) -> list[Record]:
        with self._guarded():
            rows = self._connection().execute(f"SELECT number, hash, body FROM records {condition}", (value,))
            return [Record(*row) for row in rows]

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection; one made before a fork is left alone, for SQLite forbids even closing it."""
        if getattr(self._local, "process", None) != os.getpid():
            connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None,
                                         check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._open.append((os.getpid(), connection))  # kept: dropped, it would close itself
            self._local.connection, self._local.process = connection, os.getpid()
        return self._local.connection

    @contextlib.contextmanager
    def _writing(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """One transaction that no other writer comes between, for the next hash needs the last."""
        with self._guarded():
            connection = self._connection()
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.IntegrityError, OSError) as error:
            raise OutputFailed("{where}: the label log cannot be used: {reason}", where=self._path,
                               reason=str(error)) from error
        except sqlite3.Error as error:
            raise MalformedFile("{where}: not a label log: {reason}", where=self._path, reason=str(error)) from error


def audit_lines(lines: Iterable[str], *, head: Head | None = None) -> Audit:
    """Audit an export as `LabelLog.verify` audits the log; raises MalformedFile for a line that is no record."""
    return _audit(((_parsed(line, number), None) for number, line in enumerate(lines, 1)), head)


def _parsed(line: str, number: int) -> Record:
    try:
        found = json.loads(line)
        record = Record(found["number"], found["hash"], found["body"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedFile("line {number} of the export is no record of a label log", number=number) from error
    if (type(record.number), type(record.hash), type(record.body)) != (int, str, str):
        raise MalformedFile("line {number} of the export is no record of a label log", number=number)
    return record


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute("SELECT number, hash FROM records ORDER BY number DESC LIMIT 1").fetchone()
    return Head(*row) if row else Head(0, GENESIS)


def _append(connection: sqlite3.Connection, body: str) -> Record:
    last = _head(connection)
    record = Record(last.number + 1, chained(last.hash, last.number + 1, body), body)
    connection.execute(f"INSERT INTO records (number, hash, body, {', '.join(_COLUMNS)}) VALUES (?,?,?,?,?,?,?,?,?)",
                       (record.number, record.hash, record.body, *record.columns()))
    return record


def _audit(rows: Iterable[tuple[Record, tuple | None]], head: Head | None) -> Audit:
    problems: list[Message] = []
    first: Record | None = None
    last, expired, head_found, count = Head(0, GENESIS), {}, False, 0
    for record, columns in rows:
        if first is None:
            first, last = record, Head(record.number - 1, GENESIS if record.number == 1 else "")
        problems += _problems(record, columns, last)
        expired = _expiry(record) or expired
        last, count = Head(record.number, record.hash), count + 1
        head_found = head_found or last == head
    if first and first.number != 1:
        problems += _start_problems(first, expired)
    oldest = first.number if first else 1
    if head and head.number >= oldest and not head_found and head != Head(0, GENESIS):
        problems.append(Message("record {number} with hash {hash} is not in the log: it was cut off or made anew",
                                number=head.number, hash=head.hash))
    return Audit(count, last, tuple(problems[:_MAX_PROBLEMS]))


def _problems(record: Record, columns: tuple | None, last: Head) -> Iterator[Message]:
    if record.number != last.number + 1:
        yield Message("record {number} follows record {last}", number=record.number, last=last.number)
    elif last.hash and record.hash != chained(last.hash, record.number, record.body):
        yield Message("record {number} was changed, or a record before it", number=record.number)
    try:
        if columns is not None and record.columns() != columns:
            yield Message("record {number} is filed under other values than it states", number=record.number)
        expired = _expiry(record)
        if expired and record.facts["time"] - expired["time"] < KEEP_DAYS * _DAY:
            yield Message("record {number} removed records younger than {days} days", number=record.number,
                          days=KEEP_DAYS)
    except MalformedFile as error:
        yield error.message


def _start_problems(first: Record, expired: dict[str, object]) -> Iterator[Message]:
    """Where the log does not begin with record 1, a record must say so, and the chain must go on from there."""
    if expired.get("number") != first.number - 1:
        yield Message("records 1 to {number} are missing, and no record says that they expired",
                      number=first.number - 1)
    elif first.hash != chained(str(expired.get("hash")), first.number, first.body):
        yield Message("record {number} was changed, or a record before it", number=first.number)


def _expiry(record: Record) -> dict[str, object]:
    """Which records this one says were removed, if it does."""
    try:
        expired = record.facts.get("expired")
    except MalformedFile:
        return {}
    return expired if isinstance(expired, dict) and isinstance(expired.get("time"), int) else {}
