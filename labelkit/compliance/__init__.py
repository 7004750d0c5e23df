# SPDX-License-Identifier: Apache-2.0
"""Compliance: what a report means under the rules of a jurisdiction, rule by rule.

    for result in check(labelkit.verify("cat.png"), Profile.GB45438):
        print(result.outcome, result.clause, result.asks, result.found)

Nothing is looked at but the report, and the record of a waiver if one is given. What they cannot answer is said to be
open, never passed: a label in a font that is not recognised, a watermark of another vendor, a name behind a code.
Rules that have nothing to judge (the height of a label that is not there) are left out. It is an engineering aid, no
legal opinion.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from labelkit.compliance import california, eu, gb45438
from labelkit.compliance.rules import Outcome as Outcome, Result as Result
from labelkit.report import Report

if TYPE_CHECKING:
    from labelkit.log import Record


class Profile(enum.Enum):
    """Whose rules: GB 45438-2025, the EU Code of Practice for Art. 50 (2026-06-10), or California's SB 942."""

    GB45438 = "gb45438"
    EU = "eu"
    CALIFORNIA = "california"


def check(report: Report, profile: Profile = Profile.GB45438, *, waived: Record | None = None) -> list[Result]:
    """The rules of `profile` that the report has something to say about, in the order of the standard.

    waived  the record of the label log which says that the file went out without its explicit label (`LabelLog.waived`)
    """
    if Profile(profile) is Profile.GB45438:
        return list(gb45438.rules(report, waived))
    return list((eu if Profile(profile) is Profile.EU else california).rules(report))
