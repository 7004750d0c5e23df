# SPDX-License-Identifier: Apache-2.0
"""How a rule comes out, and the rules that several jurisdictions have."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from labelkit.evidence import ManifestEvidence
from labelkit.messages import Message
from labelkit.report import Finding, Layer, Report, Status


class Outcome(enum.Enum):
    """How a rule came out."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Result:
    """One rule: a stable name, its clause, what it asks, what was found, how it came out."""

    rule: str
    clause: Message
    asks: Message
    found: Message
    outcome: Outcome

    def to_dict(self, language: str = "en") -> dict[str, str]:
        """The result as JSON values."""
        return {"rule": self.rule, "clause": self.clause.text(language), "asks": self.asks.text(language),
                "found": self.found.text(language), "outcome": self.outcome.value}


PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.CANNOT_TELL


def seen(finding: Finding, what: Message | None = None) -> Message:
    """What was found of a layer, and what of it was not looked at."""
    found = what or finding.summary
    missed = next(iter(finding.missed), None)
    return Message("{found}; not looked at: {missed}", found=found, missed=missed) if missed else found


def if_seen(report: Report, holds: bool) -> Outcome:
    """How a rule comes out that anything in the file can meet: what was not looked at may meet it."""
    return PASS if holds else OPEN if report.unseen else FAIL


def valid_manifest(report: Report) -> ManifestEvidence | None:
    """The evidence of the manifest, if it holds."""
    return report.manifest if report[Layer.PROVENANCE].status is Status.VALID else None


def signed(clause: Message, manifest: Finding) -> Result:
    """The rule that the metadata are signed."""
    return Result("signed-metadata", clause, Message("digitally signed metadata"), seen(manifest),
                  PASS if manifest.status is Status.VALID else OPEN if manifest.is_open else FAIL)


def time_stamp(clause: Message, manifest: ManifestEvidence | None) -> Result:
    """The rule that the signature has a time-stamp of a trusted authority."""
    stamp = manifest.time_stamp if manifest else None
    asks = Message("a trusted time-stamp in the signed metadata")
    if stamp is None:
        return Result("time-stamp", clause, asks, Message("none"), FAIL)
    return Result("time-stamp", clause, asks, Message("{value}", value=stamp.time),
                  PASS if stamp.trusted else OPEN)


def marked(clause: Message, mark: Finding) -> Result:
    """The rule that the content has a watermark; only ours is looked for, so it stays open where none is found."""
    return Result("watermark", clause, Message("an imperceptible watermark in the content"), mark.summary,
                  PASS if mark.status is Status.VALID else OPEN)
