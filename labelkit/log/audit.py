# SPDX-License-Identifier: Apache-2.0
"""Audit a log in one pass along the chain, in the database or in an export."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labelkit.errors import MalformedFile
from labelkit.log.database import DAY
from labelkit.log.entry import GENESIS, KEEP_DAYS, Expiry, Head, Record, SearchColumns, microseconds, record_hash
from labelkit.messages import Message

SKEW = DAY  # clocks of writing machines differ by less
_MAX_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of an audit: number of records, head of the newest one, and the first 10 problems, if any."""

    records: int
    head: Head
    problems: tuple[Message, ...]

    @property
    def intact(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


def audit_lines(lines: Iterable[str], *, head: Head | None = None,
                now: datetime.datetime | None = None) -> AuditResult:
    """Audit an export as `LabelLog.verify` audits the log; raises MalformedFile for a line that is not a record.

    now  records dated later are reported; without it dates in the future are not detected
    """
    return audit(((_parsed(line, number), None) for number, line in enumerate(lines, 1)), head,
                 None if now is None else microseconds(now))


def _parsed(line: str, number: int) -> Record:
    problem = MalformedFile("line {number} of the export is not a record of a label log", number=number)
    try:
        found = json.loads(line)
        record = Record(found["number"], found["hash"], found["body"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise problem from error
    if (type(record.number), type(record.hash), type(record.body)) != (int, str, str):
        raise problem
    return record


def audit(rows: Iterable[tuple[Record, SearchColumns | None]], head: Head | None, now: int | None) -> AuditResult:
    """Audit records in order, each with its search columns, or None if they come from an export.

    now  in microseconds since 1970, or None if it is not known
    """
    problems: list[Message] = []
    first: Record | None = None
    expired: Expiry | None = None
    newest: Head | None = None  # of the labellings so far
    last, head_found, count = Head(0, GENESIS), False, 0
    for record, columns in rows:
        if first is None:
            first, last = record, Head(record.number - 1, GENESIS if record.number == 1 else "")
        problems += _problems(record, columns, last, now)
        expiry = _expiry(record)
        if expiry:
            problems += _expiry_problems(record, expiry, newest, first.number)
        newest, expired = _head_of(record) if record.is_labelling else newest, expiry or expired
        last, count = _head_of(record), count + 1
        head_found = head_found or last == head
    if first and first.number != 1:
        problems += _start_problems(first, expired)
    oldest = first.number if first else 1
    if head and head.number >= oldest and not head_found and head != Head(0, GENESIS):
        problems.append(Message("record {number} with hash {hash} is not in the log, which was truncated or rewritten",
                                number=head.number, hash=head.hash))
    if head and head.time and head.number < oldest:
        problems += _early(head.number, head.time, newest or (expired.proof if expired else None))
    return AuditResult(count, last, tuple(problems[:_MAX_PROBLEMS]))


def _problems(record: Record, columns: SearchColumns | None, last: Head, now: int | None) -> Iterator[Message]:
    if record.number != last.number + 1:
        yield Message("record {number} follows record {last}", number=record.number, last=last.number)
    elif last.hash and record.hash != record_hash(last.hash, record.number, record.body):
        yield Message("record {number} was changed, or a record before it", number=record.number)
    try:
        if columns is not None and record.columns() != columns:
            yield Message("the search columns of record {number} differ from its content", number=record.number)
        if now is not None and record.microseconds > now + SKEW:
            yield Message("record {number} is dated in the future: {time}", number=record.number,
                          time=f"{record.time:%Y-%m-%dT%H:%M:%SZ}")
        _ = record.expiry  # raises if it is malformed
    except MalformedFile as error:
        yield error.message


def _expiry_problems(record: Record, expiry: Expiry, newest: Head | None, oldest: int) -> Iterator[Message]:
    """What is wrong with a record of removed records.

    newest  the last record of a labelling before it that is in the log
    oldest  the number of the first record in the log
    """
    if expiry.proof is None:  # of labelkit 0.1: only its own date shows that the others were old enough
        if record.microseconds - expiry.time < KEEP_DAYS * DAY:
            yield _too_young(record.number)
        return
    known = expiry.proof == newest and newest is not None and expiry.proof.time == newest.time
    if not known and (newest is not None or expiry.proof.number >= oldest):
        yield Message("record {number} names another newest record than the log has", number=record.number)
    if expiry.first is None or expiry.removed != expiry.number - expiry.first + 1 or expiry.first < 1:
        yield Message("record {number} does not state which records it removed", number=record.number)
    if (expiry.proof.time or 0) - expiry.time < KEEP_DAYS * DAY:
        yield _too_young(record.number)


def _too_young(number: int) -> Message:
    return Message("record {number} removed records younger than {days} days", number=number, days=KEEP_DAYS)


def _early(number: int, time: int, newest: Head | None) -> Iterator[Message]:
    """A record whose head was kept was removed, although no labelling is so much younger."""
    if newest is None or (newest.time or 0) - time < KEEP_DAYS * DAY:
        yield Message("record {number} was removed before it was {days} days old", number=number, days=KEEP_DAYS)


def _head_of(record: Record) -> Head:
    return Head(record.number, record.hash, _time(record))


def _time(record: Record) -> int:
    try:
        return record.microseconds
    except MalformedFile:
        return 0


def _start_problems(first: Record, expired: Expiry | None) -> Iterator[Message]:
    """If the log does not begin with record 1, a record must state the expiry, and the chain must continue from it."""
    if expired is None or expired.number != first.number - 1:
        yield Message("records 1 to {number} are missing, and no record says that they expired",
                      number=first.number - 1)
    elif first.hash != record_hash(expired.hash, first.number, first.body):
        yield Message("record {number} was changed, or a record before it", number=first.number)


def _expiry(record: Record) -> Expiry | None:
    """The records that this one states as removed, None for other and for malformed records."""
    try:
        return record.expiry
    except MalformedFile:
        return None
