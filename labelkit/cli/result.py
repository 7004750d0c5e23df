# SPDX-License-Identifier: Apache-2.0
"""`labelkit result`: check signed results of `verify` and of the service."""

from __future__ import annotations

import argparse
import datetime
from dataclasses import dataclass

from labelkit import results
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, json_line
from labelkit.cli.show import VERDICTS, row
from labelkit.cli.text import name_of, one_line
from labelkit.log_recorder import sha256
from labelkit.messages import Message
from labelkit.report import Verdict
from labelkit.results import NoResult, Result
from labelkit.time_stamps import TimeStamp
from labelkit.trials import signed as evidence
from labelkit.trials.signed import Evidence


@dataclass(frozen=True, slots=True)
class _Checked:
    """What came of one result, and whether it is about the file at hand; None where none was named."""

    found: Result | Evidence | NoResult
    fits: bool | None

    @property
    def code(self) -> int:
        """The exit code."""
        if isinstance(self.found, NoResult):
            return UNANSWERED if self.found.is_open else SHORT
        return SHORT if self.fits is False else OK


def run(options: argparse.Namespace) -> int:
    """Check the results in a file; returns the exit code."""
    jwks, now = results.read_jwks(options.jwks), datetime.datetime.now(datetime.UTC)
    wanted = sha256(options.content) if options.content else None
    codes = []
    for signed in results.read_results(options.file):
        is_evidence = results.type_of(signed) == evidence.TYPE
        found = evidence.check(signed, jwks, now) if is_evidence else results.check(
            signed, jwks, now, authorities=_authorities(options.time_anchors))
        fits = None if wanted is None or isinstance(found, NoResult) else wanted in _about(found)
        checked = _Checked(found, fits)
        codes.append(checked.code)
        print(json_line(_fields(checked, options)) if options.json else _text(checked, options))
    return max(codes)


def _authorities(path: str | None) -> str:
    """PEM of the authorities whose time-stamps are believed."""
    from labelkit.provenance import TrustList  # only here: it takes a tenth of a second to load

    return TrustList.load(path).anchors if path else TrustList.c2pa().time_stamp_anchors


def _about(found: Result | Evidence) -> set[str]:
    """The SHA-256 of what was signed for."""
    return set(found.files.values()) if isinstance(found, Evidence) else {found.content.sha256}


def _fields(checked: _Checked, options: argparse.Namespace) -> dict[str, object]:
    found = checked.found
    if isinstance(found, NoResult):
        return {"file": options.file, "valid": False, "reason": found.reason.text(options.lang)}
    return {"file": options.file, "valid": True, "fits": checked.fits, **found.to_dict()}


def _text(checked: _Checked, options: argparse.Namespace) -> str:
    language, found = options.lang, checked.found
    name = name_of(options.file)
    if isinstance(found, NoResult):
        return Message("{file}: NOT to be believed: {reason}", file=name,
                       reason=one_line(found.reason.text(language))).text(language)
    fits = {None: Message("not compared with a file"), True: Message("that of {file}", file=name_of(
        options.content or "")), False: Message("NOT that of {file}", file=name_of(options.content or ""))}
    detector = " ".join(str(found.detector[part]) for part in ("name", "version", "url") if found.detector.get(part))
    lines = [Message("{file}: signed by the key {key}", file=name, key=found.key_id).text(language)]
    content = ", ".join(sorted(_about(found)))
    for head, text in (
            (Message("content"), Message("SHA-256 {sha256}, {fits}", sha256=content,
                                         fits=fits[checked.fits]).text(language)),
            (Message("detector"), detector), (Message("time"), f"{found.time:%Y-%m-%d %H:%M:%S} UTC"),
            *(_report_rows(found, language) if isinstance(found, Result) else [(Message("what"), Message(
                "report of evidence: {files}", files=", ".join(sorted(found.files))).text(language))])):
        lines.append(row(head.text(language), "", text))
    return "\n".join(lines)


def _report_rows(found: Result, language: str) -> list[tuple[Message, str]]:
    reasons = found.report.get("reasons")
    return [*_stamp_rows(found.stamp, language), (Message("effort"), str(found.checked.get("effort"))),
            (Message("verdict"), _verdict(str(found.report.get("verdict")), language)),
            *((Message("because"), str(reason)) for reason in (reasons if isinstance(reasons, list) else []))]


def _stamp_rows(stamp: TimeStamp | None, language: str) -> list[tuple[Message, str]]:
    if stamp is None:
        return []
    facts = {"time": f"{stamp.time:%Y-%m-%d %H:%M:%S}", "authority": one_line(stamp.authority) or "?"}
    said = Message("{time} UTC by {authority}", **facts) if stamp.is_trusted else Message(
        "{time} UTC by {authority}, NOT an authority that is believed here", **facts)
    return [(Message("time-stamp"), said.text(language))]


def _verdict(stated: str, language: str) -> str:
    """A verdict as `labelkit verify` words it; another version may know others."""
    known = {**VERDICTS, Verdict.UNDETERMINED: Message("cannot tell")}
    return next((text.text(language) for verdict, text in known.items() if verdict.value == stated), one_line(stated))
