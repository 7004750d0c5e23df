# SPDX-License-Identifier: Apache-2.0
"""LabelLog: append records from many threads and processes, search them by index, audit them in one pass."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from typing import TextIO

import numpy as np
import numpy.typing as npt

from labelkit.errors import InvalidArgument, MalformedFile
from labelkit.label import Label
from labelkit.log import manifests
from labelkit.log.audit import SKEW, AuditResult, audit
from labelkit.log.database import DAY, IS_LABELLING, Row, database
from labelkit.log.entry import (
    GENESIS,
    KEEP_DAYS,
    Entry,
    Head,
    Record,
    SearchColumns,
    as_int64,
    canonical,
    lookup_number,
    microseconds,
    record_hash,
)
from labelkit.log.fingerprint import NEAR
from labelkit.log.manifests import Kept
from labelkit.payload import Payload

_MAX_FOUND = 100
_RECORD = "number, hash, body"
_SEARCHED = ", ".join(SearchColumns._fields)
# the newest record before the first one that must be kept; the newest labelling is always one of these
_LAST_EXPIRED = """SELECT number, hash FROM labelkit_records WHERE number <
    (SELECT MIN(number) FROM labelkit_records WHERE time > ?) ORDER BY number DESC LIMIT 1"""
_NEWEST_LABELLING = f"""SELECT number, hash, time FROM labelkit_records WHERE {IS_LABELLING}
    ORDER BY number DESC LIMIT 1"""
_RANGE = "SELECT MIN(number), COUNT(*), MAX(time) FROM labelkit_records WHERE number <= ?"


class LabelLog:
    """The log in an SQLite file or at a `postgresql://` DSN; created if it does not exist.

    May be used by many threads and many processes at once. Raises OutputFailed if it cannot be opened or written,
    MalformedFile if the file is not a log.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self._database = database(target)

    def record(self, *entries: Entry) -> list[Record]:
        """Append all of the entries or none, and return their records. Entries dated in the future are refused.

        An entry with a waiver is on the disk when this returns. Other entries in SQLite survive a crash of the process,
        but the newest may be lost when the machine loses power.
        """
        if not entries or not all(isinstance(entry, Entry) for entry in entries):
            raise InvalidArgument("record takes one or more entries, got {got}",
                                  got=", ".join(type(entry).__name__ for entry in entries) or "none")
        bodies = [entry.body() for entry in entries]
        with self._database.guarded(), self._database.writing(durable=any(entry.waiver for entry in entries)):
            self._refuse_future(max(entry.time for entry in entries))
            return [self._append(body) for body in bodies]

    def find(self, *, payload: Payload | None = None, produce_id: str | None = None,
             sha256: str | None = None) -> list[Record]:
        """The newest 100 records, newest first, that match exactly one of:

        payload     producer and content number of a watermark; its kind may have changed since
        produce_id  of the label
        sha256      64 hexadecimal digits, of a file before or after labelling
        """
        clues = {"mark = ?": lookup_number(payload) if payload is not None else None, "produce_id = ?": produce_id,
                 "sha256_before = ? OR sha256_after = ?": sha256}
        given = [(condition, value) for condition, value in clues.items() if value is not None]
        if len(given) != 1:
            raise InvalidArgument("give one of payload, produce_id and sha256, got {count}", count=len(given))
        condition, value = given[0]
        return self._records(f"{condition} ORDER BY number DESC LIMIT {_MAX_FOUND}", [value] * condition.count("?"))

    def payloads(self) -> npt.NDArray[np.int64]:
        """int64 [count]: the payloads of all records, 64 bits as signed numbers: the candidates of a search.

        A million take about a second. Raises MalformedFile for a record whose payload is none.
        """
        start = f"""{self._database.position}(body, '"payload":"') + 11"""  # as `canonical` writes it
        rows = self._stream(f"SELECT substr(body, {start}, 16) FROM labelkit_records WHERE mark IS NOT NULL")
        digits = [row[0] for row in rows]
        try:
            if any(len(one) != 16 for one in digits):
                raise ValueError("a payload is 16 digits")
            raw = bytes.fromhex("".join(digits))
            return np.frombuffer(raw, ">i8").astype(np.int64)
        except ValueError as error:
            raise MalformedFile("a record of the log holds a payload that is none") from error

    def waived(self, sha256: str, label: Label | None = None) -> Record | None:
        """The newest record of a file delivered without its explicit label (Measures, Article 9), or None.

        sha256  of the file; matches the file as delivered
        label   that the file states; matches records of the same producer and number too
        """
        found = [record for record in self.find(sha256=sha256) if record.facts.get("sha256_after") == sha256]
        if label and label.produce_id:
            found += [record for record in self.find(produce_id=label.produce_id)
                      if record.label and record.label.content_producer == label.content_producer]
        return max((record for record in found if record.waiver), key=lambda record: record.number, default=None)

    def near(self, fingerprint: int, *, within: int = NEAR) -> list[tuple[int, Record]]:
        """(differing bits, record) of up to 100 pictures whose fingerprint differs in at most `within` bits."""
        with self._database.guarded():
            rows = self._database.stream("SELECT number, fingerprint FROM labelkit_records "
                                         "WHERE fingerprint IS NOT NULL ORDER BY number")
            table = np.fromiter(rows, np.dtype([("number", np.int64), ("fingerprint", np.int64)]))
        differing = np.bitwise_xor(table["fingerprint"], as_int64(fingerprint)).view(np.uint8).reshape(-1, 8)
        counts = np.unpackbits(differing, axis=1).sum(axis=1)
        best = [index for index in np.argsort(counts, kind="stable")[:_MAX_FOUND] if counts[index] <= within]
        return [(int(counts[index]), self._records("number = ?", [int(table["number"][index])])[0]) for index in best]

    def head(self) -> Head:
        """Number, hash and time of the newest record, to be stored elsewhere."""
        with self._database.guarded():
            return self._head()

    def verify(self, *, head: Head | None = None, now: datetime.datetime | None = None) -> AuditResult:
        """Check all records and report what was tampered with.

        head  an earlier head of this log: reveals a chain that was truncated or rewritten, and with its time also
              records that were removed too early
        now   records dated later are reported; by default the clock of the log: of this machine, or of the server
        """
        with self._database.guarded():
            at = self._database.clock() if now is None else microseconds(now)
            rows = self._database.stream(f"SELECT {_RECORD}, {_SEARCHED} FROM labelkit_records ORDER BY number")
            return audit(((Record(*row[:3]), SearchColumns(*row[3:])) for row in rows), head, at)

    def export(self, out: TextIO) -> int:
        """Write all records as JSON lines {"number", "hash", "body"}, which `audit_lines` checks; return the count."""
        count = 0
        for row in self._stream(f"SELECT {_RECORD} FROM labelkit_records ORDER BY number"):
            record = dict(zip(("number", "hash", "body"), row, strict=True))
            out.write(json.dumps(record) + "\n")
            count += 1
        return count

    def expire(self, *, now: datetime.datetime, keep_days: int = KEEP_DAYS) -> int:
        """Remove records older than `keep_days` (at least 184), append a record of that, and return their number.

        Age is counted to the newest labelling in the log, so that no argument and no clock makes records older: a log
        to which nothing is added keeps its newest records. Only the oldest records are removed, the chain continues
        from the last of them, and the new record states which and how many they were.
        Raises InvalidArgument for fewer days, and for a `now` in the future of the log's clock.
        """
        if not isinstance(keep_days, int) or keep_days < KEEP_DAYS:
            raise InvalidArgument("Labeling Measures, Article 9: records are kept for six months; keep_days must be "
                                  "{limit} or more, got {got}", limit=KEEP_DAYS, got=repr(keep_days))
        rows = self._database.rows
        with self._database.guarded(), self._database.writing(durable=True):
            self._refuse_future(now)
            newest = rows(_NEWEST_LABELLING)
            if not newest:
                return 0
            proof = dict(zip(("number", "hash", "time"), newest[0], strict=True))
            last = rows(_LAST_EXPIRED, [min(microseconds(now), proof["time"]) - keep_days * DAY])
            if not last:
                return 0
            number, hash_ = last[0]
            first, count, time = rows(_RANGE, [number])[0]
            self._append(canonical({"time": microseconds(now), "expired": {
                "number": number, "hash": hash_, "time": time, "first": first, "count": count, "proof": proof,
                "keep_days": keep_days}}))
            rows("DELETE FROM labelkit_records WHERE number <= ?", [number])
        return int(count)

    def keep(self, kept: Kept) -> None:
        """Keep a manifest beside the records, so that its mark leads to it; one of the same name stays as it is.

        On the disk when this returns.
        """
        with self._database.guarded():
            if not self._database.has_table(manifests.TABLE):
                with self._database.writing(durable=True):  # waits for others that make it
                    manifests.make(self._database.rows, binary=self._database.binary, integer=self._database.integer)
            with self._database.writing(durable=True):
                manifests.put(self._database.rows, kept)

    def kept(self, payload: Payload, *, alg: str | None = None, most: int = 10) -> list[tuple[str, str | None]]:
        """(name, endpoint) of the newest manifests that a mark leads to; the endpoint is None for those kept here.

        alg  only those of this soft binding
        """
        with self._database.guarded():
            return (manifests.by_mark(self._database.rows, payload, alg, most)
                    if self._database.has_table(manifests.TABLE) else [])

    def manifest(self, name: str) -> tuple[bytes | None, str | None] | None:
        """(store, endpoint) of the manifest of this name, one of which is None; None for an unknown one."""
        with self._database.guarded():
            return (manifests.by_id(self._database.rows, name)
                    if self._database.has_table(manifests.TABLE) else None)

    def forget(self, name: str) -> bool:
        """Remove a manifest; returns whether there was one. Records stay."""
        with self._database.guarded():
            if not self._database.has_table(manifests.TABLE):
                return False
            with self._database.writing(durable=True):
                return manifests.remove(self._database.rows, name)

    def close(self) -> None:
        """Close the connections. Using the log again reopens them."""
        self._database.connections.close()

    def __reduce__(self) -> tuple[type[LabelLog], tuple[str]]:
        return LabelLog, (self._database.target,)

    def __enter__(self) -> LabelLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _records(self, condition: str, values: list[object]) -> list[Record]:
        with self._database.guarded():
            rows = self._database.rows(f"SELECT {_RECORD} FROM labelkit_records WHERE {condition}", values)
        return [Record(*row) for row in rows]

    def _stream(self, statement: str) -> Iterator[Row]:
        """The rows of a statement; only errors of the database are its own, not those of who uses the rows."""
        with self._database.guarded():
            yield from self._database.stream(statement)

    def _head(self) -> Head:
        rows = self._database.rows("SELECT number, hash, time FROM labelkit_records ORDER BY number DESC LIMIT 1")
        return Head(*rows[0]) if rows else Head(0, GENESIS)

    def _refuse_future(self, time: datetime.datetime) -> None:
        if microseconds(time) > self._database.clock() + SKEW:
            raise InvalidArgument("{time} is more than a day ahead of the clock of the label log",
                                  time=f"{time:%Y-%m-%dT%H:%M:%S%z}")

    def _append(self, body: str) -> Record:
        last = self._head()
        record = Record(last.number + 1, record_hash(last.hash, last.number + 1, body), body)
        self._database.rows(f"INSERT INTO labelkit_records ({_RECORD}, {_SEARCHED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                            [record.number, record.hash, record.body, *record.columns()])
        return record
