# SPDX-License-Identifier: Apache-2.0
"""Reports as text: one line for the file, one indented line for each layer, then the reasons."""

from __future__ import annotations

from labelkit.cli.text import one_line, padded
from labelkit.finding import names_of
from labelkit.messages import Message
from labelkit.report import LAYER_NAMES, Report, Status, Verdict

VERDICTS = {Verdict.CONFIRMED: Message("CONFIRMED AI-generated"), Verdict.POSSIBLE: Message("POSSIBLY AI-generated"),
            Verdict.SUSPECTED: Message("SUSPECTED AI-generated"), Verdict.NONE: Message("no sign of AI generation")}
_STATUSES = {Status.VALID: Message("valid"), Status.INVALID: Message("INVALID"), Status.ABSENT: Message("absent"),
             Status.UNCHECKED: Message("unchecked")}


def headline(report: Report) -> Message:
    """The verdict in a few words; where nothing was found, in what."""
    if report.verdict is Verdict.UNDETERMINED:
        partly = [f.layer for f in report if f.asked and (f.status is Status.UNCHECKED or f.missed)]
        return Message("CANNOT TELL: nothing was found, and {layers} could not be looked at wholly",
                       layers=names_of(partly))
    if report.verdict is Verdict.NONE and not all(finding.asked for finding in report):
        return Message("no sign of AI generation in {layers}, which is all that was looked at",
                       layers=names_of([finding.layer for finding in report if finding.asked]))
    return VERDICTS[report.verdict]


def report_text(report: Report, name: str, language: str) -> str:
    """The report as text."""
    lines = [f"{name}: {headline(report).text(language)}"]
    for finding in report:
        lines.append(row(LAYER_NAMES[finding.layer].text(language), _STATUSES[finding.status].text(language),
                          finding.summary.text(language)))
    for check in report.cross_checks:
        if not check.agrees:
            lines.append(row(Message("conflict").text(language), "", check.summary.text(language)))
    if (post := report.signpost) is not None:
        lines.append(row(Message("ask at").text(language), "", Message(
            "{url}, as the file states", url=post.detector).text(language)))
    lines += [row(Message("because").text(language), "", reason.text(language)) for reason in report.reasons]
    lines += [row(Message("not seen").text(language), "", what.text(language)) for what in report.unseen
              if what not in report.reasons]
    return "\n".join(lines)


def row(first: str, second: str, rest: str) -> str:
    """An indented line of up to three columns."""
    middle = padded(second, 11) if second else ""
    return f"  {padded(first, 12)}{middle}{one_line(rest)}"
