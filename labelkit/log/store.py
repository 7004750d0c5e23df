# SPDX-License-Identifier: Apache-2.0
"""The label log: appended by many threads and processes, searched in microseconds, audited in one pass."""

from __future__ import annotations

import datetime
import json
import os
from typing import TextIO

import numpy as np

from labelkit.errors import InvalidArgument
from labelkit.label import Label
from labelkit.log.audit import Audit, audit
from labelkit.log.database import DAY, database
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
from labelkit.watermark.payload import Payload

_MAX_FOUND = 100
_SAID = "number, hash, body"
_FILED = "time, mark, produce_id, sha256_before, sha256_after, fingerprint"
# the newest record before the first one that must be kept; where none must, the newest of all
_LAST_EXPIRED = """SELECT number, hash, time FROM labelkit_records WHERE number < COALESCE(
    (SELECT MIN(number) FROM labelkit_records WHERE time > ?), 4611686018427387904) ORDER BY number DESC LIMIT 1"""


class LabelLog:
    """The log in an SQLite file, or at a `postgresql://` DSN; made where there is none.

    Usable from many threads, and from many processes at once. Raises OutputFailed where it cannot be opened or
    written, MalformedFile where the file is no log.
    """

    def __init__(self, target: str | os.PathLike) -> None:
        self._database = database(target)

    def record(self, *entries: Entry) -> list[Record]:
        """Append entries, all or none, and return their records.

        An entry with a waiver is on the disk when this returns, whatever happens to the machine; others, in SQLite,
        are safe from a crash of the process and may lose the last moments to a loss of power.
        """
        if not entries or not all(isinstance(entry, Entry) for entry in entries):
            raise InvalidArgument("one or more entries are wanted, got {got}",
                                  got=", ".join(type(entry).__name__ for entry in entries) or "none")
        bodies = [entry.body() for entry in entries]
        with self._database.guarded(), self._database.writing(durable=any(entry.waiver for entry in entries)):
            return [self._append(body) for body in bodies]

    def find(self, *, payload: Payload | None = None, produce_id: str | None = None,
             sha256: str | None = None) -> list[Record]:
        """The newest 100 records, newest first, for exactly one of three clues.

        payload     producer and content number of a watermark; its kind may have changed since
        produce_id  of the label
        sha256      64 hexadecimal digits of a file, as it came or as it went
        """
        clues = {"mark = ?": mark(payload) if payload is not None else None, "produce_id = ?": produce_id,
                 "sha256_before = ? OR sha256_after = ?": sha256}
        given = [(condition, value) for condition, value in clues.items() if value is not None]
        if len(given) != 1:
            raise InvalidArgument("give one of payload, produce_id and sha256, got {count}", count=len(given))
        condition, value = given[0]
        return self._records(f"{condition} ORDER BY number DESC LIMIT {_MAX_FOUND}", [value] * condition.count("?"))

    def waived(self, sha256: str, label: Label | None = None) -> Record | None:
        """The newest record that says that a file went out without its explicit label (Measures, Article 9), or None.

        sha256  of the file as it is; found if it went out so
        label   that the file states; a record of the same producer's same number is found too
        """
        found = [record for record in self.find(sha256=sha256) if record.facts.get("sha256_after") == sha256]
        if label and label.produce_id:
            found += [record for record in self.find(produce_id=label.produce_id)
                      if record.label and record.label.content_producer == label.content_producer]
        return max((record for record in found if record.waiver), key=lambda record: record.number, default=None)

    def near(self, fingerprint: int, *, within: int = NEAR) -> list[tuple[int, Record]]:
        """(differing bits, record) of at most 100 pictures whose fingerprint differs in at most `within` bits."""
        with self._database.guarded():
            rows = self._database.stream("SELECT number, fingerprint FROM labelkit_records "
                                         "WHERE fingerprint IS NOT NULL ORDER BY number")
            table = np.fromiter(rows, np.dtype([("number", np.int64), ("fingerprint", np.int64)]))
        differing = np.bitwise_xor(table["fingerprint"], signed(fingerprint)).view(np.uint8).reshape(-1, 8)
        counts = np.unpackbits(differing, axis=1).sum(axis=1)
        best = [index for index in np.argsort(counts, kind="stable")[:_MAX_FOUND] if counts[index] <= within]
        return [(int(counts[index]), self._records("number = ?", [int(table["number"][index])])[0]) for index in best]

    def head(self) -> Head:
        """Number and hash of the newest record, to be kept elsewhere."""
        with self._database.guarded():
            return self._head()

    def verify(self, *, head: Head | None = None) -> Audit:
        """Walk through all records and say what was tampered with.

        head  a head of this log from earlier: finds a chain that was cut off or made anew
        """
        with self._database.guarded():
            rows = self._database.stream(f"SELECT {_SAID}, {_FILED} FROM labelkit_records ORDER BY number")
            return audit(((Record(*row[:3]), row[3:]) for row in rows), head)

    def export(self, out: TextIO) -> int:
        """Write all records as JSON lines {"number", "hash", "body"}, which `audit_lines` checks; return how many."""
        count = 0
        with self._database.guarded():
            for row in self._database.stream(f"SELECT {_SAID} FROM labelkit_records ORDER BY number"):
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
        rows = self._database.rows
        with self._database.guarded(), self._database.writing(durable=True):
            last = rows(_LAST_EXPIRED, [microseconds(now) - keep_days * DAY])
            if not last:
                return 0
            number, hash_, time = last[0]
            facts = {"number": number, "hash": hash_, "time": time, "keep_days": keep_days}
            self._append(canonical({"time": microseconds(now), "expired": facts}))
            count = rows("SELECT COUNT(*) FROM labelkit_records WHERE number <= ?", [number])[0][0]
            rows("DELETE FROM labelkit_records WHERE number <= ?", [number])
        return count

    def close(self) -> None:
        """Close the connections; the log opens them again when it is used again."""
        self._database.connections.close()

    def __reduce__(self) -> tuple:
        return LabelLog, (self._database.target,)

    def __enter__(self) -> LabelLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _records(self, condition: str, values: list[object]) -> list[Record]:
        with self._database.guarded():
            rows = self._database.rows(f"SELECT {_SAID} FROM labelkit_records WHERE {condition}", values)
        return [Record(*row) for row in rows]

    def _head(self) -> Head:
        rows = self._database.rows("SELECT number, hash FROM labelkit_records ORDER BY number DESC LIMIT 1")
        return Head(*rows[0]) if rows else Head(0, GENESIS)

    def _append(self, body: str) -> Record:
        last = self._head()
        record = Record(last.number + 1, chained(last.hash, last.number + 1, body), body)
        self._database.rows(f"INSERT INTO labelkit_records ({_SAID}, {_FILED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                            [record.number, record.hash, record.body, *record.columns()])
        return record
