# SPDX-License-Identifier: Apache-2.0
"""The audit of a log: one pass along the chain, in the database or in an export."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labelkit.errors import MalformedFile
from labelkit.log.database import DAY
from labelkit.log.entry import GENESIS, KEEP_DAYS, Head, Record, chained
from labelkit.messages import Message

_MAX_PROBLEMS = 10


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


def audit_lines(lines: Iterable[str], *, head: Head | None = None) -> Audit:
    """Audit an export as `LabelLog.verify` audits the log; raises MalformedFile for a line that is no record."""
    return audit(((_parsed(line, number), None) for number, line in enumerate(lines, 1)), head)


def _parsed(line: str, number: int) -> Record:
    try:
        found = json.loads(line)
        record = Record(found["number"], found["hash"], found["body"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedFile("line {number} of the export is no record of a label log", number=number) from error
    if (type(record.number), type(record.hash), type(record.body)) != (int, str, str):
        raise MalformedFile("line {number} of the export is no record of a label log", number=number)
    return record


def audit(rows: Iterable[tuple[Record, tuple | None]], head: Head | None) -> Audit:
    """Audit records in their order, each with the columns it is filed under, or None where it is filed nowhere."""
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
        if expired and record.facts["time"] - expired["time"] < KEEP_DAYS * DAY:
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
