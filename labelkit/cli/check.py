# SPDX-License-Identifier: Apache-2.0
"""`labelkit check`: judge files rule by rule."""

from __future__ import annotations

import argparse
import datetime
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

from labelkit import compliance, container
from labelkit.batch import datasets
from labelkit.batch.samples import Medium
from labelkit.cli import isolated, journal, shards
from labelkit.cli.files import Item, collect, run as run_files, source_of
from labelkit.cli.isolated import Verify, verifier
from labelkit.cli.log import existing
from labelkit.cli.options import checks
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, note, note_skipped, nothing_found, show_result
from labelkit.cli.text import name_of, one_line, padded
from labelkit.compliance import Outcome, Profile, Result
from labelkit.errors import InvalidArgument, LabelkitError, cannot_write
from labelkit.log import LabelLog
from labelkit.log_recorder import sha256
from labelkit.messages import Message
from labelkit.report import Report

_OUTCOMES = {Outcome.PASS: Message("pass"), Outcome.FAIL: Message("FAIL"), Outcome.CANNOT_TELL: Message("cannot tell")}
_NAMES = {Profile.GB45438: Message("GB 45438-2025"), Profile.EU: Message("EU Code of Practice"),
          Profile.CALIFORNIA: Message("California SB 942")}
Judged = tuple[Report, list[Result]]


def run(options: argparse.Namespace) -> int:
    """Judge the named files; returns the exit code."""
    profile = Profile(options.profile)
    settings, log = checks(options), existing(options.log) if options.log else None
    selection = collect(options, each=True, shards=True)
    items = selection.items
    files, rest = shards.divided(items)
    if options.html and (len(items) != 1 or rest):
        raise InvalidArgument("--html writes the report of one file, got {count} files", count=len(items),
                              hint="name one file, or take --json for a folder")
    codes = []
    with verifier(items, options, settings) as verify, journal.kept(options):
        apart = isolated.wanted(items, options)
        judge = _Judge(profile, verify, settings["now"], log, options.html, apart, options.lang)
        results = itertools.chain(
            ((item.path, result) for item, result in run_files(judge.judged, files, options.jobs, fork=not apart)),
            shards.looked_at(judge.judged_medium, rest, options, fork=not apart))
        for name, result in results:
            _say(name, result, profile, options)
            codes.append(_code(result))
    note_skipped(selection.skipped, options)
    if not codes and not items:
        return nothing_found(selection.elsewhere, Message("nothing to judge was found"), options)
    if len(codes) > 1:
        note(Message("{total} files: {passed} pass every rule, {failed} fail one, {open} leave one open, {unread} "
                     "could not be judged", total=len(codes), passed=codes.count(OK), failed=codes.count(SHORT),
                     open=codes.count(UNANSWERED), unread=codes.count(None)), options)
    # a failed rule decides, whatever else is open; but not if some file could not be read
    known = [code for code in codes if code is not None]
    return UNANSWERED if len(known) < len(codes) else SHORT if SHORT in known else max(known, default=OK)


@dataclass(frozen=True, slots=True)
class _Judge:
    """The rules and settings of the run."""

    profile: Profile
    verify: Verify
    now: datetime.datetime
    log: LabelLog | None
    page: str | None
    isolated: bool
    language: str

    def judged(self, item: Item) -> Judged:
        with source_of(item) as source:
            report, results = self._judged(source)
            if self.page:
                self._write_page(Path(self.page), source, name_of(item.path), report, results)
        return report, results

    def judged_medium(self, medium: Medium) -> Judged:
        return self._judged(datasets.as_source(medium.data))

    def _judged(self, source: str | bytes | io.BytesIO) -> Judged:
        report = self.verify(source)
        waived = self.log.waived(sha256(source), report.label) if self.log else None
        return report, compliance.check(report, self.profile, waived=waived)

    def _write_page(self, page: Path, source: str | io.BytesIO, name: str, report: Report,
                    results: list[Result]) -> None:
        from labelkit.page import image_preview, render

        title = Message("Compliance report: {profile}", profile=_NAMES[self.profile])
        with container.opened(source) as reader:
            facts: dict[str | Message, object] = {
                Message("file"): name, Message("size"): Message("{bytes} bytes", bytes=f"{reader.size:,}"),
                "SHA-256": sha256(reader), Message("judged at"): f"{self.now:%Y-%m-%d %H:%M:%S} UTC"}
        box = report.explicit.box if report.explicit else None
        try:  # a file that is read in a process of its own is not decoded in this one
            preview = None if self.isolated else image_preview.preview(source, box)
        except LabelkitError:
            preview = None  # sound, a film or a document
        text = render.report_page(name, facts, report, results, title=title, preview=preview, language=self.language)
        try:
            page.write_text(text, "utf-8")
        except OSError as error:
            raise cannot_write(page, error) from error


def _code(result: Judged | LabelkitError) -> int | None:
    if isinstance(result, LabelkitError):
        return None
    outcomes = {rule.outcome for rule in result[1]}
    return SHORT if Outcome.FAIL in outcomes else UNANSWERED if Outcome.CANNOT_TELL in outcomes else OK


def _say(name: str, result: Judged | LabelkitError, profile: Profile, options: argparse.Namespace) -> None:
    language = options.lang
    show_result(name, result, options,
                lambda judged: {"profile": profile.value, "rules": [rule.to_dict(language) for rule in judged[1]],
                                "report": judged[0].to_dict(language)},
                lambda judged: "\n".join(_lines(name_of(name), judged[1], profile, language)))


def _lines(shown: str, results: list[Result], profile: Profile, language: str) -> list[str]:
    counts = {outcome: sum(rule.outcome is outcome for rule in results) for outcome in Outcome}
    head = Message("{file}: {profile}: {passed} pass, {failed} fail, {open} cannot tell", file=shown,
                   profile=_NAMES[profile], passed=counts[Outcome.PASS], failed=counts[Outcome.FAIL],
                   open=counts[Outcome.CANNOT_TELL])
    lines = [head.text(language)]
    for rule in results:
        outcome = _OUTCOMES[rule.outcome].text(language)
        lines.append(f"  {padded(outcome, 13)}{rule.clause.text(language)}: {rule.asks.text(language)}")
        lines.append(f"  {padded('', 13)}{one_line(rule.found.text(language))}")
    return lines
