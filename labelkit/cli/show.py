# SPDX-License-Identifier: Apache-2.0
"""Reports as text: one line for the file, one indented line for each layer, then why."""

from __future__ import annotations

from labelkit.cli.text import one_line, wide
from labelkit.errors import LabelkitError
from labelkit.messages import Message
from labelkit.report import LAYER_NAMES, Report, Status, Verdict

VERDICTS = {Verdict.CONFIRMED: Message("CONFIRMED AI-generated"), Verdict.POSSIBLE: Message("POSSIBLY AI-generated"),
            Verdict.SUSPECTED: Message("SUSPECTED AI-generated"), Verdict.NONE: Message("no sign of AI generation")}
_STATUSES = {Status.VALID: Message("valid"), Status.INVALID: Message("INVALID"), Status.ABSENT: Message("absent"),
             Status.UNCHECKED: Message("unchecked")}


def report_text(report: Report, name: str, language: str) -> str:
    """The report for people."""
    lines = [f"{name}: {VERDICTS[report.verdict].text(language)}"]
    for finding in report:
        lines.append(row(LAYER_NAMES[finding.layer].text(language), _STATUSES[finding.status].text(language),
                          finding.summary.text(language)))
    for check in report.cross_checks:
        if not check.agrees:
            lines.append(row(Message("conflict").text(language), "", check.summary.text(language)))
    lines += [row(Message("because").text(language), "", reason.text(language)) for reason in report.reasons]
    return "\n".join(lines)


def row(first: str, second: str, rest: str) -> str:
    """An indented line of up to three columns."""
    middle = wide(second, 11) if second else ""
    return f"  {wide(first, 12)}{middle}{one_line(rest)}"


def error_json(name: str, error: LabelkitError, language: str) -> dict[str, object]:
    """What stands in the place of a result."""
    return {"file": name, "error": {"type": type(error).__name__, "message": error.text(language),
                                    "hint": error.hint.text(language) if error.hint else None}}
