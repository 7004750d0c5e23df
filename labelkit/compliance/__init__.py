# SPDX-License-Identifier: Apache-2.0
"""Compliance: what a report means under the rules of a jurisdiction, rule by rule.

    for result in check(labelkit.verify("cat.png"), Profile.GB45438):
        print(result.outcome, result.clause, result.asks, result.found)

Nothing is looked at but the report, the label log if one is given, and what the operator states. What they cannot
answer is said to be open, never passed, and is left to a person: a label in a font that is not recognised, a watermark
of another vendor, a name behind a code. Rules that have nothing to judge (the height of a label that is not there) are
left out. It is an engineering aid, no legal opinion.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from labelkit.compliance import california, eu, gb45438, india, korea
from labelkit.compliance.rules import Given, Outcome as Outcome, Result as Result
from labelkit.compliance.sources import SOURCES as SOURCES, Profile as Profile, Source as Source
from labelkit.report import Report

if TYPE_CHECKING:
    from labelkit.log import AuditResult, Record


def check(report: Report, profile: Profile = Profile.GB45438, *, waived: Record | None = None,
          audit: AuditResult | None = None, detector: str = "", sb1000: bool = False) -> list[Result]:
    """The rules of `profile` that the report has something to say about, in the order of the instrument.

    waived    the record of the label log which says that the file went out without its label (`LabelLog.waived`)
    audit     of that log (`LabelLog.verify`): the Labeling Measures want it kept for six months
    detector  where the operator says that anybody can check the marks: an address, which is not visited
    sb1000    judge California by SB 1000, which was enrolled on 2026-08-30 and whose outcome is not known here
    """
    given = Given(waived, audit, detector, sb1000)
    judge = {Profile.GB45438: gb45438.rules, Profile.EU: eu.rules, Profile.CALIFORNIA: california.rules,
             Profile.KOREA: korea.rules, Profile.INDIA: india.rules}[Profile(profile)]
    return list(judge(report, given))


def overall(results: Iterable[Result]) -> Outcome:
    """What rules come to: FAIL where one fails, else CANNOT_TELL where one is open, else PASS; of no rule CANNOT_TELL.

    What a clause only encourages decides nothing.
    """
    outcomes = {result.outcome for result in results if not result.encouraged}
    return next((one for one in (Outcome.FAIL, Outcome.CANNOT_TELL) if one in outcomes),
                Outcome.PASS if outcomes else Outcome.CANNOT_TELL)
