# SPDX-License-Identifier: Apache-2.0
"""How a rule comes out, and the rules that several jurisdictions have."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.evidence import ExplicitEvidence, ManifestEvidence
from labelkit.label import PROVIDER_CODE
from labelkit.messages import Message
from labelkit.report import Finding, Layer, Report, Status, Verdict

if TYPE_CHECKING:
    from labelkit.log import AuditResult, Record

FREE_TEXT = ("txt", "srt", "vtt", "ass", "json", "jsonl", "eml", "rtf")  # formats without a place for metadata


class Outcome(enum.Enum):
    """How a rule came out."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Result:
    """One rule: a stable name, its clause, what it asks, what was found, how it came out.

    encouraged  the clause recommends it and does not demand it: however it comes out, the file is not judged by it
    """

    rule: str
    clause: Message
    asks: Message
    found: Message
    outcome: Outcome
    encouraged: bool = False

    def to_dict(self, language: str = "en") -> dict[str, str | bool]:
        """The result as JSON values."""
        return {"rule": self.rule, "clause": self.clause.text(language), "asks": self.asks.text(language),
                "found": self.found.text(language), "outcome": self.outcome.value, "encouraged": self.encouraged}


@dataclass(frozen=True, slots=True)
class Given:
    """What is known beside the report.

    waived    the record of the label log which says that the file went out without its explicit label
    audit     of that log: whether records were changed, or removed too early
    detector  where the operator says that anybody can check the marks
    sb1000    whether California's SB 1000 (enrolled 2026-08-30) is taken as law
    """

    waived: Record | None = None
    audit: AuditResult | None = None
    detector: str = ""
    sb1000: bool = False


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


def marked(clause: Message, report: Report) -> Result:
    """The rule that the content has a watermark which only its maker can write.

    Only labelkit's is looked for, so the rule stays open where none is found. One of the public key, which is in this
    package, anybody can write, copy and take out.
    """
    mark, evidence = report[Layer.WATERMARK], report.watermark
    asks = Message("an imperceptible watermark in the content, by a key that is not public")
    if mark.status is not Status.VALID:
        return Result("watermark", clause, asks, seen(mark), OPEN)
    return Result("watermark", clause, asks, mark.summary, FAIL if evidence and evidence.key_is_public else PASS)


def text_marked(clause: Message, report: Report) -> Result:
    """The rule that a text has a watermark: very short ones need none, and in others nobody looks for one here.

    A token is a byte at least, so that a text of 200 bytes has at most 200 tokens, whatever the tokeniser. Common ones
    join no words that spaces divide, so that 201 words have more. Between these the tokeniser of the model decides.
    """
    asks = Message("a watermark in texts of more than 200 tokens")
    evidence = report.explicit
    size, words = (evidence.text_bytes, evidence.words) if evidence else (None, None)
    if size is not None and size <= _MAX_TOKENS:
        return Result("text-watermark", clause, asks, Message("{size} bytes, which are at most as many tokens",
                                                              size=size), PASS)
    found = Message("labelkit puts no watermark into texts and looks for none: whether there is one, the detector of "
                    "the model's provider tells")
    if size is not None and words is not None:
        many = (Message("{words} words, which are more than 200 tokens", words=words) if words > _MAX_TOKENS else
                Message("{words} words in {size} bytes, of which only the model's tokeniser tells whether they are "
                        "more than 200 tokens", words=words, size=size))
        found = Message("{size}; {found}", size=many, found=found)
    return Result("text-watermark", clause, asks, found, OPEN)


_MAX_TOKENS = 200  # EU Code of Practice, Sub-measure 1.1.2


def shown(report: Report) -> Outcome:
    """Whether a label is seen or heard; one that falls short of GB 45438-2025 is there all the same."""
    finding = report[Layer.EXPLICIT]
    if finding.status in (Status.VALID, Status.INVALID):
        return PASS
    return FAIL if read_in_vain(finding, report.explicit or ExplicitEvidence()) else OPEN


def read_in_vain(finding: Finding, evidence: ExplicitEvidence) -> bool:
    """Whether all text, of a picture that along the edges, was read and no label is among it; else one may be there
    unrecognised."""
    return finding.status is Status.ABSENT and evidence.seen_by in ("reading", "text") and not (
        evidence.unread or evidence.mention or evidence.mentioned)


def shown_text(report: Report) -> Message:
    """What is seen or heard of a label, for people."""
    text = report.explicit.text if report.explicit else None
    return Message('"{text}"', text=text) if text else seen(report[Layer.EXPLICIT])


def detectable(report: Report) -> bool:
    """Whether anything in the file tells a machine that AI made it."""
    return report.verdict not in (Verdict.NONE, Verdict.UNDETERMINED)


def is_marked(report: Report) -> bool:
    """Whether a label, a manifest or a watermark says to a machine that AI made the content."""
    manifest = valid_manifest(report)
    return bool(report.label or manifest and manifest.ai_generated or report[Layer.WATERMARK].status is Status.VALID)


def provider_name(report: Report) -> tuple[Message, bool | None]:
    """The name of the provider, and whether it is one: None where a code stands for a name that is not known here."""
    manifest, label = valid_manifest(report), report.label
    public = report.metadata.producer if report.metadata else None
    code = label.content_producer if label else ""
    name = (manifest.signer if manifest else None) or public or ("" if PROVIDER_CODE.fullmatch(code) else code)
    if name:
        return Message("{value}", value=name), True
    return (Message("{code}: a code, whose name is not known here", code=code), None) if code else (
        Message("none"), False)


def detector(clause: Message, asks: Message, given: Given) -> Result:
    """The rule that anybody can check the marks: no file shows it, so the operator's word counts."""
    if given.detector:
        return Result("detector", clause, asks, Message("{where}, as the operator states; it was not visited",
                                                        where=given.detector), PASS)
    return Result("detector", clause, asks, Message("no file shows it, and the operator states nothing"), OPEN)
