# SPDX-License-Identifier: Apache-2.0
"""The rules of Korea's AI Basic Act, Article 31, as its guideline of 2026-01-27 is reported to read it.

What is known here is second-hand for the machine-readable mark. Which words, sizes and places are wanted is not known,
and is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.compliance.rules import OPEN, PASS, Given, Result, is_marked, shown, shown_text
from labelkit.messages import Message
from labelkit.report import Layer, Report

_ARTICLE = Message("AI Basic Act, Article 31")


def rules(report: Report, given: Given) -> Iterator[Result]:
    """The rules that the report has something to say about."""
    yield _exported(report)
    yield _deep_fake(report)


def _exported(report: Report) -> Result:
    asks = Message("content that leaves the service: a mark that people see or hear, or one for machines if users are "
                   "told at least once")
    seen = shown(report)
    if seen is PASS:
        return Result("exported-mark", _ARTICLE, asks, shown_text(report), PASS)
    if is_marked(report):
        return Result("exported-mark", _ARTICLE, asks, Message("for machines: {found}; whether users were told, no "
                      "file shows", found=report.reasons[0]), OPEN)
    return Result("exported-mark", _ARTICLE, asks, report[Layer.EXPLICIT].summary, OPEN if report.unseen else seen)


def _deep_fake(report: Report) -> Result:
    asks = Message("what may be taken for real: a notice that is clearly recognised")
    if shown(report) is PASS:
        return Result("deep-fake-notice", _ARTICLE, asks, shown_text(report), PASS)
    return Result("deep-fake-notice", _ARTICLE, asks, Message("{found}; whether it is such content, a person must "
                  "judge", found=report[Layer.EXPLICIT].summary), OPEN)
