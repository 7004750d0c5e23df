# SPDX-License-Identifier: Apache-2.0
"""`labelkit log`: search and audit a label log."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable

from labelkit import pipeline
from labelkit.cli.options import key_of
from labelkit.cli.outcome import OK, SHORT, json_line, note
from labelkit.cli.show import row
from labelkit.cli.text import one_line
from labelkit.errors import InvalidArgument
from labelkit.log import Head, LabelLog, Record
from labelkit.log_recorder import fingerprint_of, sha256
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.report import Layer, Status

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})(?::(\d{1,18}))?")
_PAYLOAD = re.compile(r"[0-9a-f]{16}")
_FACTS = ("label", "payload", "plan", "sha256_before", "sha256_after", "fingerprint", "waiver")

Found = dict[int, tuple[Record, list[Message]]]
"""By number: a record, and how it was found."""


def run(options: argparse.Namespace) -> int:
    """Run one action on a log; returns the exit code."""
    if (options.what is None) == (options.action == "find"):
        raise InvalidArgument("find needs WHAT to look for; the other actions take no WHAT")
    with existing(options.log) as log:
        return {"verify": _verify, "find": _find, "export": _export, "head": _head}[options.action](log, options)


def existing(name: str) -> LabelLog:
    """The log of that name; raises InvalidArgument if there is none, because opening would create it."""
    if "://" not in name and not os.path.isfile(name):
        raise InvalidArgument("{where}: there is no such label log", where=name)
    return LabelLog(name)


def _verify(log: LabelLog, options: argparse.Namespace) -> int:
    audit = log.verify(head=_parsed_head(options.head))
    if options.json:
        print(json_line({"intact": audit.intact, "records": audit.records, "head": _text(audit.head),
                         "problems": [problem.text(options.lang) for problem in audit.problems]}))
        return OK if audit.intact else SHORT
    said = (Message("intact, {count} records, head {head}", count=audit.records, head=_text(audit.head))
            if audit.intact else Message("NOT intact, {count} records", count=audit.records))
    print(f"{one_line(options.log)}: {said.text(options.lang)}")
    for problem in audit.problems:
        print(f"  {one_line(problem.text(options.lang))}")
    return OK if audit.intact else SHORT


def _head(log: LabelLog, options: argparse.Namespace) -> int:
    head = log.head()
    print(json_line({"number": head.number, "hash": head.hash, "time": head.time}) if options.json else _text(head))
    return OK


def _export(log: LabelLog, options: argparse.Namespace) -> int:
    log.export(sys.stdout)
    return OK


def _find(log: LabelLog, options: argparse.Namespace) -> int:
    found: Found = {}
    if os.path.isfile(options.what):
        _by_file(log, options, found)
    elif _PAYLOAD.fullmatch(options.what):
        _add(found, log.find(payload=Payload.from_bytes(bytes.fromhex(options.what))), Message("by its watermark"))
    else:
        _add(found, log.find(produce_id=options.what), Message("by its produce id"))
    for number in sorted(found, reverse=True):
        _say(*found[number], options)
    if not found:
        note(Message("{what}: not in the log", what=one_line(options.what)), options)
    return OK if found else SHORT


def _by_file(log: LabelLog, options: argparse.Namespace, found: Found) -> None:
    """By the SHA-256 of the file, by what its layers say, and only then by the fingerprint of its picture."""
    _add(found, log.find(sha256=sha256(options.what)), Message("by the file's SHA-256"))
    key = key_of(options)
    report = pipeline.verify(options.what, key=key, layers=(Layer.WATERMARK, Layer.METADATA))
    payload, way = report[Layer.WATERMARK].payload, Message("by its watermark")
    if not payload and report[Layer.WATERMARK].status is not Status.UNCHECKED:
        report_of_log = pipeline.verify(options.what, key=key, layers=(Layer.WATERMARK,), candidates=log.payloads())
        payload, way = report_of_log[Layer.WATERMARK].payload, Message(
            "by its watermark, which cannot be read, among those of the log")
    if payload:
        _add(found, log.find(payload=payload), way)
    if report.label and report.label.produce_id:
        _add(found, log.find(produce_id=report.label.produce_id), Message("by its produce id"))
    fingerprint = None if found else fingerprint_of(options.what)
    if fingerprint is not None:
        for bits, record in log.near(fingerprint):
            _add(found, [record], Message("it looks alike, {bits} of 64 bits differ; that proves nothing", bits=bits))


def _add(found: Found, records: Iterable[Record], how: Message) -> None:
    for record in records:
        found.setdefault(record.number, (record, []))[1].append(how)


def _say(record: Record, ways: list[Message], options: argparse.Namespace) -> None:
    language, facts = options.lang, record.facts
    if options.json:
        print(json_line({"number": record.number, "hash": record.hash, "time": record.time.isoformat(),
                         "found": [way.text(language) for way in ways],
                         **{name: facts.get(name) for name in _FACTS}}))
        return
    label = facts.get("label")
    label = label if isinstance(label, dict) else {}
    said = Message("record {number}, {time}: producer {producer}, id {produce_id}, watermark {watermark}",
                   number=record.number, time=f"{record.time:%Y-%m-%dT%H:%M:%SZ}",
                   producer=label.get("ContentProducer"), produce_id=label.get("ProduceID"),
                   watermark=facts.get("payload") or "-")
    print(one_line(said.text(language)))
    for way in ways:
        print(row(Message("found").text(language), "", way.text(language)))
    if record.waiver:
        waived = Message("for {recipient} under {agreement}", recipient=record.waiver.recipient,
                         agreement=record.waiver.agreement)
        print(row(Message("waived").text(language), "", waived.text(language)))


def _text(head: Head) -> str:
    """NUMBER:HASH:TIME, the time in microseconds since 1970; an empty log has none."""
    return f"{head.number}:{head.hash}" + ("" if head.time is None else f":{head.time}")


def _parsed_head(text: str | None) -> Head | None:
    if text is None:
        return None
    found = _HEAD.fullmatch(text)
    if not found:
        raise InvalidArgument("a head is NUMBER:HASH:TIME, as labelkit log head prints it, got {got}",
                              got=repr(text[:100]))
    return Head(int(found[1]), found[2], int(found[3]) if found[3] else None)
