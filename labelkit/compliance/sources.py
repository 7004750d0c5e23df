# SPDX-License-Identifier: Apache-2.0
"""Where the rules come from: the instrument of each profile, where it is published, and since when it applies."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from labelkit.messages import Message


class Profile(enum.Enum):
    """Whose rules: GB 45438-2025 with its guides, the EU Code of Practice for Art. 50 of the AI Act, California's SB
    942 (or SB 1000), Korea's AI Basic Act, or India's IT Rules."""

    GB45438 = "gb45438"
    EU = "eu"
    CALIFORNIA = "california"
    KOREA = "korea"
    INDIA = "india"


@dataclass(frozen=True, slots=True)
class Source:
    """An instrument, its official address, and what to know about it; dates in ISO 8601."""

    instrument: Message
    address: str
    since: str
    remark: Message


SOURCES = {
    Profile.GB45438: Source(
        Message("GB 45438-2025, the Labeling Measures (Guo Xin Ban Tong Zi [2025] No. 2) and the guides "
                "TC260-PG-20257A to 202511A"),
        "https://openstd.samr.gov.cn/bzgk/std/newGbInfo?hcno=F32EA2A561F1886CD8D606513512D547", "2025-09-01",
        Message("The guides are voluntary")),
    Profile.EU: Source(
        Message("Regulation (EU) 2024/1689, Article 50, and the Code of Practice of 2026-06-10"),
        "https://eur-lex.europa.eu/eli/reg/2024/1689/oj", "2026-08-02",
        Message("Systems that were on the market before have until 2026-12-02; the Code is voluntary and gives no "
                "presumption of conformity")),
    Profile.CALIFORNIA: Source(
        Message("California AI Transparency Act (SB 942, AB 853)"),
        "https://leginfo.legislature.ca.gov/faces/billNavClient.xhtml?bill_id=202320240SB942", "2026-08-02",
        Message("For systems with more than a million users a month; SB 1000, whose outcome is not known here, would "
                "drop that threshold")),
    Profile.KOREA: Source(
        Message("AI Basic Act, Article 31, and the guideline of 2026-01-27"),
        "https://shinkim.com/eng/media/newsletter/3190", "2026-01-22",
        Message("Read from reports about the guideline, not from its text; no fines for at least a year")),
    Profile.INDIA: Source(
        Message("IT Rules 2021 as amended by G.S.R. 120(E)"),
        "https://www.meity.gov.in/static/uploads/2026/02/550681ab908f8afb135b0ad42816a1c9.pdf", "2026-02-20",
        Message("Routine editing is exempt; the 10 % of the area that a draft asked for was dropped"))}
