# SPDX-License-Identifier: Apache-2.0
"""`labelkit log`: search and audit a label log."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys

from labelkit import pipeline
from labelkit.cli.main import OK, SHORT
from labelkit.cli.show import row
from labelkit.cli.text import one_line
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.log import Head, LabelLog, Record
from labelkit.messages import Message
from labelkit.recording import fingerprint_of, sha256
from labelkit.report import Layer
from labelkit.watermark.payload import Payload

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_PAYLOAD = re.compile(r"[0-9a-f]{16}")

Found = dict[int, tuple[Record, list[Message]]]
"""By number: a record, and by which clues it was found."""


def run(options: argparse.Namespace) -> int:
    """Do one thing with a log; returns the exit code."""
    if (options.what is None) == (options.action == "find"):
        raise InvalidArgument("find takes one WHAT, the other actions take none")
    with existing(options.log) as log:
        return {"verify": _verify, "find": _find, "export": _export, "head": _head}[options.action](log, options)


def existing(name: str) -> LabelLog:
    """The log of that name; raises InvalidArgument where there is none, for opening would make a new one."""
    if "://" not in name and not os.path.isfile(name):
        raise InvalidArgument("{where} is no label log: there is no such file", where=name)
    return LabelLog(name)


def _verify(log: LabelLog, options: argparse.Namespace) -> int:
    audit = log.verify(head=_parsed_head(options.head))
    if options.json:
        print(json.dumps({"intact": audit.intact, "records": audit.records, "head": _text(audit.head),
                          "problems": [problem.text(options.lang) for problem in audit.problems]}, ensure_ascii=False))
        return OK if audit.intact else SHORT
    said = (Message("intact, {count} records, head {head}", count=audit.records, head=_text(audit.head))
            if audit.intact else Message("NOT intact, {count} records", count=audit.records))
    print(f"{one_line(options.log)}: {said.text(options.lang)}")
    for problem in audit.problems:
        print(f"  {one_line(problem.text(options.lang))}")
    return OK if audit.intact else SHORT


def _head(log: LabelLog, options: argparse.Namespace) -> int:
    head = log.head()
    print(json.dumps({"number": head.number, "hash": head.hash}) if options.json else _text(head))
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
        print(Message("{what}: not in the log", what=one_line(options.what)).text(options.lang), file=sys.stderr)
    return OK if found else SHORT


def _by_file(log: LabelLog, options: argparse.Namespace, found: Found) -> None:
    """By the file's digest, then by what its layers say, then by what its picture looks like."""
    _add(found, log.find(sha256=sha256(options.what)), Message("by the file's SHA-256"))
    key = Key.load(options.key) if options.key else None
    report = pipeline.verify(options.what, key=key, layers=(Layer.WATERMARK, Layer.METADATA))
    payload = report[Layer.WATERMARK].payload
    if payload:
        _add(found, log.find(payload=payload), Message("by its watermark"))
    if report.label and report.label.produce_id:
        _add(found, log.find(produce_id=report.label.produce_id), Message("by its produce id"))
    look = None if found else fingerprint_of(options.what)
    if look is not None:
        for bits, record in log.near(look):
            _add(found, [record], Message("it looks alike, {bits} of 64 bits differ; that proves nothing", bits=bits))


def _add(found: Found, records: list[Record], how: Message) -> None:
    for record in records:
        found.setdefault(record.number, (record, []))[1].append(how)


def _say(record: Record, clues: list[Message], options: argparse.Namespace) -> None:
    language, facts = options.lang, record.facts
    if options.json:
        print(json.dumps({"number": record.number, "hash": record.hash, "time": record.time.isoformat(),
                          "found": [clue.text(language) for clue in clues], **{name: facts.get(name) for name in (
                              "label", "payload", "plan", "sha256_before", "sha256_after", "fingerprint", "waiver")}},
                         ensure_ascii=False))
        return
    label = facts.get("label") or {}
    said = Message("record {number}, {time}: producer {producer}, id {produce_id}, watermark {watermark}",
                   number=record.number, time=f"{record.time:%Y-%m-%dT%H:%M:%SZ}",
                   producer=label.get("ContentProducer"), produce_id=label.get("ProduceID"),
                   watermark=facts.get("payload") or "-")
    print(one_line(said.text(language)))
    for clue in clues:
        print(row(Message("found").text(language), "", clue.text(language)))
    if record.waiver:
        waived = Message("for {recipient} under {agreement}", recipient=record.waiver.recipient,
                         agreement=record.waiver.agreement)
        print(row(Message("waived").text(language), "", waived.text(language)))


def _text(head: Head) -> str:
    return f"{head.number}:{head.hash}"


def _parsed_head(text: str | None) -> Head | None:
    if text is None:
        return None
    found = _HEAD.fullmatch(text)
    if not found:
        raise InvalidArgument("a head is NUMBER:HASH as labelkit log head prints it, got {got}", got=repr(text[:100]))
    return Head(int(found[1]), found[2])
