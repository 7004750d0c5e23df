# SPDX-License-Identifier: Apache-2.0
"""`labelkit check`: judge files rule by rule."""

from __future__ import annotations

import argparse
import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from labelkit import compliance, container
from labelkit.batch import datasets
from labelkit.batch.samples import Medium
from labelkit.cli import check_report, isolated, journal, shards
from labelkit.cli.check_report import OUTCOMES, Named, Tally, counts, name_of_profile
from labelkit.cli.files import Item, collect, run as run_files, source_of
from labelkit.cli.isolated import Verify, verifier
from labelkit.cli.log import existing
from labelkit.cli.mend import mend
from labelkit.cli.options import checks
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, note, note_skipped, nothing_found, show_result
from labelkit.cli.targets import refuse_no_place
from labelkit.cli.text import name_of, one_line, padded
from labelkit.compliance import Outcome, Profile, Result, overall
from labelkit.errors import LabelkitError
from labelkit.log import AuditResult, LabelLog
from labelkit.log_recorder import sha256
from labelkit.messages import Message
from labelkit.report import Report

Rules: TypeAlias = Mapping[Profile, list[Result]]
Judged: TypeAlias = tuple[Report, Rules]
_CODES = {Outcome.PASS: OK, Outcome.FAIL: SHORT, Outcome.CANNOT_TELL: UNANSWERED}


def run(options: argparse.Namespace) -> int:
    """Judge the named files; returns the exit code."""
    profiles = tuple(Profile) if options.all else (Profile(options.profile),)
    refuse_no_place(options.report, options.html)  # before many files are judged
    settings, log = checks(options), existing(options.log) if options.log else None
    selection = collect(options, each=True, shards=True)
    items, codes = selection.items, []
    files, rest = shards.divided(items)
    alone = len(files) == 1 and not rest and not options.all  # a page on one file shows all its evidence
    named = Named(profiles, options.sb1000, settings["now"])
    tally = Tally(named) if options.report or options.html and not alone else None
    with verifier(items, options, settings) as verify, journal.kept(options):
        apart = isolated.wanted(items, options)
        judge = _Judge(named, verify, log, log.verify() if log else None, options.detector,
                       options.html if alone else None, apart, options.lang)
        results = itertools.chain(
            ((item.path, item, result)
             for item, result in run_files(judge.judged, files, options.jobs, fork=not apart)),
            ((name, None, result)
             for name, result in shards.looked_at(judge.judged_medium, rest, options, fork=not apart)))
        for name, item, result in results:
            _say(name, result, named, options)
            codes.append(_code(result))
            if tally:
                tally.add(name, result if isinstance(result, LabelkitError) else result[1], item)
    note_skipped(selection.skipped, options)
    if not codes and not items:
        return nothing_found(selection.elsewhere, Message("nothing to judge was found"), options)
    if tally:
        check_report.write(tally, options, isolated=apart)
    _note_total(codes, options)
    # a failed rule decides, whatever else is open; but not if some file could not be read
    known = [code for code in codes if code is not None]
    return UNANSWERED if len(known) < len(codes) else SHORT if SHORT in known else max(known, default=OK)


def _note_total(codes: list[int | None], options: argparse.Namespace) -> None:
    if len(codes) > 1:
        note(Message("{total} files: {passed} pass every rule, {failed} fail one, {open} leave one open, {unread} "
                     "could not be judged", total=len(codes), passed=codes.count(OK), failed=codes.count(SHORT),
                     open=codes.count(UNANSWERED), unread=codes.count(None)), options)


@dataclass(frozen=True, slots=True)
class _Judge:
    """The rules and settings of the run."""

    named: Named
    verify: Verify
    log: LabelLog | None
    audit: AuditResult | None
    detector: str
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
        return report, {profile: compliance.check(report, profile, waived=waived, audit=self.audit,
                                                  detector=self.detector, sb1000=self.named.sb1000)
                        for profile in self.named.profiles}

    def _write_page(self, page: Path, source: str | io.BytesIO, name: str, report: Report, results: Rules) -> None:
        from labelkit.page import image_preview, render

        profile = self.named.profiles[0]
        title = Message("Compliance report: {profile}", profile=name_of_profile(profile, self.named.sb1000))
        with container.opened(source) as reader:
            facts: dict[str | Message, object] = {
                Message("file"): name, Message("size"): Message("{bytes} bytes", bytes=f"{reader.size:,}"),
                "SHA-256": sha256(reader), Message("judged at"): f"{self.named.now:%Y-%m-%d %H:%M:%S} UTC"}
        facts |= check_report.source_facts(profile)
        box = report.explicit.box if report.explicit else None
        try:  # a file that is read in a process of its own is not decoded in this one
            preview = None if self.isolated else image_preview.preview(source, box)
        except LabelkitError:
            preview = None  # sound, a film or a document
        mends = [mend(rule) for rule in results[profile]]
        text = render.report_page(name, facts, report, results[profile], mends=mends, title=title, preview=preview,
                                  language=self.language)
        check_report.write_text(page, text)


def _code(result: Judged | LabelkitError) -> int | None:
    if isinstance(result, LabelkitError):
        return None
    codes = {_CODES[overall(rules)] for rules in result[1].values()}
    return SHORT if SHORT in codes else max(codes)


def _say(name: str, result: Judged | LabelkitError, named: Named, options: argparse.Namespace) -> None:
    show_result(name, result, options, lambda judged: _json(judged, named, options.lang),
                lambda judged: "\n".join(_lines(name_of(name), judged[1], named, options.lang)))


def _json(judged: Judged, named: Named, language: str) -> dict[str, object]:
    """One profile's rules as they always stood, or those of all by the name of the profile."""
    report, results = judged
    found = {profile: {"outcome": overall(rules).value,
                       "rules": [check_report.rule_json(rule, language) for rule in rules]}
             for profile, rules in results.items()}
    if len(found) == 1:
        (profile, only), = found.items()
        return {"profile": profile.value, **only, "report": report.to_dict(language)}
    return {"profiles": {profile.value: one for profile, one in found.items()}, "report": report.to_dict(language)}


def _lines(shown: str, results: Rules, named: Named, language: str) -> list[str]:
    if len(results) > 1:
        return [shown, *(_row(profile, rules, named, language) for profile, rules in results.items())]
    (profile, rules), = results.items()
    head = Message("{file}: {profile}: {counts}", file=shown, profile=name_of_profile(profile, named.sb1000),
                   counts=counts(rules))
    lines = [head.text(language)]
    for rule in rules:
        outcome = (Message("advised") if rule.encouraged and rule.outcome is not Outcome.PASS else
                   OUTCOMES[rule.outcome]).text(language)
        lines.append(f"  {padded(outcome, 13)}{rule.clause.text(language)}: {rule.asks.text(language)}")
        lines.append(f"  {padded('', 13)}{one_line(rule.found.text(language))}")
        todo = mend(rule)
        if todo:
            lines.append(f"  {padded('', 13)}{Message('to mend: {what}', what=todo).text(language)}")
    return lines


def _row(profile: Profile, rules: list[Result], named: Named, language: str) -> str:
    """A jurisdiction in the table of --all."""
    failing = ", ".join(dict.fromkeys(rule.rule for rule in rules
                                      if rule.outcome is Outcome.FAIL and not rule.encouraged))
    row = (f"  {padded(name_of_profile(profile, named.sb1000).text(language), 24)}"
           f"{padded(OUTCOMES[overall(rules)].text(language), 13)}{counts(rules).text(language)}")
    return f"{row}: {failing}" if failing else row
