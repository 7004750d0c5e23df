# SPDX-License-Identifier: Apache-2.0
"""The rules of India's IT Rules on synthetically generated information, Rule 3(3) (G.S.R. 120(E), since 2026-02-20).

The label of 10 % of the area that a draft asked for was dropped. A draft of April 2026 wants the label throughout a
film; whether it became law is not known here, so that it is judged as encouraged only.
"""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.compliance.rules import (
    FAIL,
    FREE_TEXT,
    OPEN,
    PASS,
    Given,
    Result,
    if_seen,
    shown,
    shown_text,
    valid_manifest,
)
from labelkit.messages import Message
from labelkit.report import Layer, Report, Status

_RULE = Message("IT Rules 2021, Rule 3(3)")


def rules(report: Report, given: Given) -> Iterator[Result]:
    """The rules that the report has something to say about."""
    family = report.metadata.family if report.metadata else ""
    yield _prominent(report)
    if not (report.metadata and report.metadata.format in FREE_TEXT):  # "to the extent feasible": it has none
        yield from _permanent(report)
    if family == "video":
        yield _throughout(report)


def _prominent(report: Report) -> Result:
    seen = shown(report)
    return Result("prominent-label", _RULE, Message("a label that is prominently visible, "
                  "or audible before the content"), shown_text(report) if seen is PASS else
                  report[Layer.EXPLICIT].summary, seen)


def _permanent(report: Report) -> Iterator[Result]:
    manifest = valid_manifest(report)
    metadata = report[Layer.METADATA]
    held = metadata.status is Status.VALID or manifest is not None
    yield Result("permanent-metadata", _RULE, Message("metadata in the file that say where it comes from"),
                 report[Layer.PROVENANCE].summary if manifest else metadata.summary, if_seen(report, held))
    mark = report[Layer.WATERMARK].payload
    number = (report.label.produce_id if report.label else "") or (mark.hex if mark else "")
    yield Result("unique-identifier", _RULE, Message("a unique identifier"),
                 Message("{value}", value=number) if number else Message("none"), if_seen(report, bool(number)))
    broken = [one for one in report if one.status is Status.INVALID and one.layer is not Layer.EXPLICIT]
    yield Result("unaltered", Message("IT Rules 2021, Rule 3(3)(b)"),
                 Message("labels and metadata were not altered or suppressed"),
                 broken[0].summary if broken else Message("nothing is broken"), FAIL if broken else PASS)


def _throughout(report: Report) -> Result:
    stated = report.manifest.explicit if report.manifest else None
    whole = isinstance(stated, dict) and "until_seconds" in stated and stated["until_seconds"] is None
    return Result("label-throughout", Message("draft of April 2026; whether it became law is not known here"),
                  Message("the label throughout the film"), Message("shown to the end, as the manifest states") if whole
                  else Message("only the beginning was looked at"), PASS if whole else OPEN, encouraged=True)
