# SPDX-License-Identifier: Apache-2.0
"""The rules on records: an explicit label that was waived, and how long the label log is kept (Measures, Article 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labelkit.compliance.rules import FAIL, PASS, Given, Result
from labelkit.messages import Message
from labelkit.report import Layer, Report, Status

if TYPE_CHECKING:
    from labelkit.log import Record

_ARTICLE = Message("Labeling Measures, Article 9")


def waiver(report: Report, record: Record | None) -> Result | None:
    """The rule that takes the place of the explicit label's where a record says that it was waived."""
    if not record or not record.waiver or report[Layer.EXPLICIT].status not in (Status.ABSENT, Status.UNCHECKED):
        return None
    found = Message("waived for {recipient} under {agreement}; record {number} of the log, {time}",
                    recipient=record.waiver.recipient, agreement=record.waiver.agreement, number=record.number,
                    time=f"{record.time:%Y-%m-%dT%H:%M:%SZ}")
    return Result("explicit-label", _ARTICLE, Message("an explicit label, or a record of the recipient and the "
                  "agreement that waived it"), found, PASS)


def kept(given: Given) -> Iterator[Result]:
    """The rule that the log is kept for six months, where there is a log to look at.

    The log itself says whether records were removed too early, changed or cut off: `LabelLog.verify`.
    """
    audit = given.audit
    if audit is None:
        return
    found = (Message("{problem}", problem=audit.problems[0]) if audit.problems else
             Message("{count} records, none of them changed or removed too early", count=audit.records))
    yield Result("log-retention", _ARTICLE, Message("records of labels are kept unchanged for six months"), found,
                 PASS if audit.intact else FAIL)
