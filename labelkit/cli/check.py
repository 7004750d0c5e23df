# SPDX-License-Identifier: Apache-2.0
"""`labelkit check`: judge files rule by rule."""

from __future__ import annotations

import argparse
import datetime
import functools
import io
import json
import sys
from pathlib import Path

from labelkit import compliance, container, pipeline
from labelkit.cli.files import Item, attempt, collect, run as run_files, source_of
from labelkit.cli.log import existing
from labelkit.cli.main import OK, SHORT, UNANSWERED, say_error
from labelkit.cli.show import error_json
from labelkit.cli.text import name_of, one_line, wide
from labelkit.cli.verify import checks
from labelkit.compliance import Outcome, Profile, Result
from labelkit.errors import InvalidArgument, LabelkitError, cannot_write
from labelkit.log import LabelLog
from labelkit.messages import Message
from labelkit.recording import sha256
from labelkit.report import Layer, Report

_OUTCOMES = {Outcome.PASS: Message("pass"), Outcome.FAIL: Message("FAIL"), Outcome.CANNOT_TELL: Message("cannot tell")}
_NAMES = {Profile.GB45438: Message("GB 45438-2025"), Profile.EU: Message("EU Code of Practice"),
          Profile.CALIFORNIA: Message("California SB 942")}
Judged = tuple[Report, list[Result]]


def run(options: argparse.Namespace) -> int:
    """Judge what was named; returns the exit code."""
    profile, settings = Profile(options.profile), checks(options)
    log = existing(options.log) if options.log else None
    items, skipped = collect(options)
    if options.html and len(items) != 1:
        raise InvalidArgument("--html writes the report of one file, {count} files came", count=len(items))
    codes = []
    work = functools.partial(_one, profile=profile, settings=settings, log=log, page=options.html,
                             language=options.lang)
    for item, result in run_files(lambda item: attempt(lambda: work(item)), items, options.jobs):
        _say(item, result, profile, options)
        codes.append(_code(result))
    if skipped:
        print(Message("{skipped} files of no known format were passed over", skipped=skipped).text(options.lang),
              file=sys.stderr)
    if not codes:
        print(Message("nothing to judge was found").text(options.lang), file=sys.stderr)
        return UNANSWERED
    # a rule that failed somewhere is the answer, whatever else stayed open; a file that could not be read is none
    return UNANSWERED if None in codes else SHORT if SHORT in codes else max(codes)


def _one(item: Item, *, profile: Profile, settings: dict[str, object], log: LabelLog | None, page: str | None,
         language: str) -> Judged:
    with source_of(item) as source:
        report = pipeline.verify(source, **settings)
        waived = log.waived(sha256(source), report.label) if log else None
        results = compliance.check(report, profile, waived=waived)
        if page:
            title = Message("Compliance report: {profile}", profile=_NAMES[profile])
            _write_page(Path(page), source, name_of(item.path), title, (report, results), settings["now"], language)
    return report, results


def _write_page(page: Path, source: str | io.BytesIO, name: str, title: Message, judged: Judged,
                now: datetime.datetime, language: str) -> None:
    from labelkit.cli import pictures, render
    report, results = judged
    with container.opened(source) as reader:
        facts = {Message("file"): name, Message("size"): Message("{bytes} bytes", bytes=f"{reader.size:,}"),
                 "SHA-256": sha256(reader), Message("judged at"): f"{now:%Y-%m-%d %H:%M:%S} UTC"}
    try:
        preview = pictures.preview(source, report[Layer.EXPLICIT].evidence.get("box"))
    except LabelkitError:
        preview = None  # sound, a film or a document
    text = render.report_page(name, facts, report, results, title=title, preview=preview, language=language)
    try:
        page.write_text(text, "utf-8")
    except OSError as error:
        raise cannot_write(page, error) from error


def _code(result: Judged | LabelkitError) -> int | None:
    if isinstance(result, LabelkitError):
        return None
    outcomes = {rule.outcome for rule in result[1]}
    return SHORT if Outcome.FAIL in outcomes else UNANSWERED if Outcome.CANNOT_TELL in outcomes else OK


def _say(item: Item, result: Judged | LabelkitError, profile: Profile, options: argparse.Namespace) -> None:
    language, shown = options.lang, name_of(item.path)
    if options.json:
        fields = (error_json(item.path, result, language) if isinstance(result, LabelkitError) else
                  {"file": item.path, "profile": profile.value, "rules": [rule.to_dict(language) for rule in result[1]],
                   "report": result[0].to_dict(language)})
        print(json.dumps(fields, ensure_ascii=False))
    elif isinstance(result, LabelkitError):
        say_error(result, language, shown)
    else:
        print("\n".join(_lines(shown, result[1], profile, language)))


def _lines(shown: str, results: list[Result], profile: Profile, language: str) -> list[str]:
    counts = {outcome: sum(rule.outcome is outcome for rule in results) for outcome in Outcome}
    head = Message("{file}: {profile}: {passed} pass, {failed} fail, {open} cannot tell", file=shown,
                   profile=_NAMES[profile], passed=counts[Outcome.PASS], failed=counts[Outcome.FAIL],
                   open=counts[Outcome.CANNOT_TELL])
    lines = [head.text(language)]
    for rule in results:
        outcome = _OUTCOMES[rule.outcome].text(language)
        lines.append(f"  {wide(outcome, 13)}{rule.clause.text(language)}: {rule.asks.text(language)}")
        lines.append(f"  {wide('', 13)}{one_line(rule.found.text(language))}")
    return lines
