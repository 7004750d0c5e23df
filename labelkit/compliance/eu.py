# SPDX-License-Identifier: Apache-2.0
"""The rules of the EU Code of Practice on marking and labelling (final, 2026-06-10), for Art. 50 of the AI Act.

Section 1 is for those who provide AI systems, Section 2 for those who publish deep fakes and texts on matters of public
interest. Measures that the Code only encourages are marked as such. What it asks of tests, staff and documents is in no
file, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labelkit.compliance.rules import (
    FAIL,
    FREE_TEXT,
    OPEN,
    PASS,
    Given,
    Outcome,
    Result,
    detector,
    if_seen,
    is_marked,
    marked,
    provider_name,
    shown,
    shown_text,
    signed,
    text_marked,
    time_stamp,
    valid_manifest,
)
from labelkit.evidence import ExplicitEvidence, HeardLabel, ManifestEvidence
from labelkit.explicit.text.finding import PLACES as TEXT_PLACES
from labelkit.messages import Message
from labelkit.report import Layer, Report, Status

_CODE_A, _CODE_B = Message("EU Code of Practice M1.1 (a)"), Message("EU Code of Practice M1.1 (b)")
_RICHER = Message("EU Code of Practice M1.3")
_DESIGN, _PLACEMENT = Message("EU Code of Practice Section 2, M1.1"), Message("EU Code of Practice Section 2, M1.2")
_ACRONYM = re.compile(r"(?<![A-Za-z])AI(?![a-z])")
_KIND = re.compile(r"GENERATED|MODIFIED|MANIPULATED|生成|合成", re.IGNORECASE)
_BEGINNING_S = 5.0  # an audible label that begins later has other sound before it, and is no beginning


def rules(report: Report, given: Given) -> Iterator[Result]:
    """The rules that the report has something to say about, by measure of the Code."""
    family = report.metadata.family if report.metadata else ""
    if report.metadata and report.metadata.format in FREE_TEXT:  # it can carry no metadata: one layer is enough
        yield text_marked(Message("EU Code of Practice M1.1, Sub-measure 1.1.2"), report)
    else:
        yield Result("machine-readable", Message("AI Act Art. 50(2)"), Message("marked as AI-generated in a form that "
                     "machines read"), report.reasons[0], if_seen(report, is_marked(report)))
        yield from _signed(report)
        yield text_marked(_CODE_B, report) if family == "document" else marked(_CODE_B, report)
        yield from _kept(report)
        yield from _richer(report)
    yield detector(Message("EU Code of Practice M2.1"), Message("a detector of these marks that anybody can use, free "
                   "of charge"), given)
    yield from _disclosed(report, family)


def _signed(report: Report) -> Iterator[Result]:
    manifest = report[Layer.PROVENANCE]
    yield signed(_CODE_A, manifest)
    if manifest.status is Status.VALID:
        says = bool(manifest.label or report.manifest and report.manifest.ai_generated)
        yield Result("signed-statement", _CODE_A, Message("the signed metadata say that the content is AI-generated"),
                     Message("they do") if says else Message("they do not"), PASS if says else FAIL)
        yield time_stamp(_CODE_A, report.manifest)
        yield Result("signer-trusted", Message("EU Code of Practice M3"), Message("the signer is one that verifiers "
                     "trust"), manifest.summary, PASS if report.manifest and _is_vouched(report.manifest) else OPEN)


def _is_vouched(manifest: ManifestEvidence) -> bool:
    """Whether a trusted signer makes the statement: it may be that of an earlier version, which another signed."""
    saying = [one for one in manifest.statements if one.intact and (one.generative or one.aigc)]
    return manifest.trusted and (not saying or any(one.trusted for one in saying))


def _kept(report: Report) -> Iterator[Result]:
    """Whether the marks of what the content was made from hold, as far as the file names them."""
    earlier = [one for one in report.manifest.statements if one.relation != "active"] if report.manifest else []
    if earlier:
        broken = [one.signer or "?" for one in earlier if not one.intact]
        yield Result("marks-kept", Message("EU Code of Practice M1.2 (a)"), Message("the marks of what the content was "
                     "made from are kept"), Message("broken: {names}", names=", ".join(broken)) if broken else
                     Message("{count}, which hold", count=len(earlier)), FAIL if broken else PASS)


def _richer(report: Report) -> Iterator[Result]:
    """What the Code encourages to state."""
    manifest = valid_manifest(report)
    systems = report.metadata.systems if report.metadata else ()
    system = (manifest.generator if manifest else None) or next(iter(systems), None)
    yield _stated("system-name", Message("the name of the AI system"), system)
    name, known = provider_name(report)
    yield Result("provider-name", _RICHER, Message("the provider's name"), name,
                 PASS if known else OPEN if known is None else FAIL, encouraged=True)
    time = manifest.created or (manifest.time_stamp.time if manifest.time_stamp else None) if manifest else None
    yield _stated("time", Message("when the content was made"), time)
    models = [one.model_identifier or one.model_name for one in manifest.disclosures] if manifest else []
    yield _stated("model", Message("the AI model, by identifier or name"), next(filter(None, models), None))
    if manifest and manifest.ai_generated:
        edits = ", ".join(manifest.edits)
        yield Result("edit-type", _RICHER, Message("for what AI changed: the kind of edit"),
                     Message("{value}", value=edits) if edits else Message("made by AI as a whole"), PASS,
                     encouraged=True)


def _stated(rule: str, asks: Message, value: str | None) -> Result:
    return Result(rule, _RICHER, asks, Message("{value}", value=value) if value else Message("none"),
                  PASS if value else FAIL, encouraged=True)


# Section 2: what people see and hear


def _disclosed(report: Report, family: str) -> Iterator[Result]:
    asks = Message("deep fakes and texts on matters of public interest: a label that people see or hear")
    seen = shown(report)
    if seen is not PASS:
        yield Result("visible-disclosure", Message("AI Act Art. 50(4), (5)"), asks, Message(
            "{found}; whether it is such content, a person must judge", found=report[Layer.EXPLICIT].summary), OPEN)
        return
    evidence = report.explicit or ExplicitEvidence()
    yield Result("visible-disclosure", Message("AI Act Art. 50(4), (5)"), asks, shown_text(report), PASS)
    yield _design(evidence, family)
    if evidence.text:
        says = bool(_KIND.search(evidence.text))
        yield Result("disclosure-kind", _DESIGN, Message("whether the content is generated or modified"),
                     shown_text(report), PASS if says else FAIL, encouraged=True)
    yield from _placed(report, evidence, family)


def _design(evidence: ExplicitEvidence, family: str) -> Result:
    if family == "audio":
        spoken = next((one for one in evidence.heard or () if one.sound == "speech"), None)
        asks = Message("a short spoken disclaimer in the language of the content or in English")
        if spoken:
            return Result("disclosure-spoken", _DESIGN, asks, Message('"{text}"', text=spoken.text), PASS)
        return Result("disclosure-spoken", _DESIGN, asks, Message("a rhythm, which will do only where people are told "
                      "what it means"), OPEN)
    asks, text = Message("the acronym AI in capitals as the main element"), evidence.text
    if text is None:
        return Result("disclosure-design", _DESIGN, asks, Message("nothing to see: what is heard may only be added to "
                      "it"), FAIL)
    if _ACRONYM.search(text):
        return Result("disclosure-design", _DESIGN, asks, Message('"{text}"', text=text), PASS)
    capitals = bool(re.search(r"(?<![a-z])ai(?![a-z])", text, re.IGNORECASE))
    return Result("disclosure-design", _DESIGN, asks, Message('"{text}": not in capitals', text=text) if capitals else
                  Message('"{text}": another acronym will do only where the law forbids English', text=text),
                  FAIL if capitals else OPEN)


def _placed(report: Report, evidence: ExplicitEvidence, family: str) -> Iterator[Result]:
    if family == "document" and evidence.place in TEXT_PLACES:
        yield Result("disclosure-place", _PLACEMENT, Message("at the top of the text, near its headline or in a note "
                     "before it"), TEXT_PLACES[evidence.place], PASS if evidence.place == "start" else FAIL)
    elif family in ("audio", "video"):
        yield _at_the_beginning(report, evidence.heard or (), family)
        yield Result("disclosure-repeated", _PLACEMENT, Message("again at intervals, and after interruptions"),
                     *_again(report, evidence.heard or (), family), encouraged=True)


def _at_the_beginning(report: Report, heard: tuple[HeardLabel, ...], family: str) -> Result:
    asks, found = Message("at the beginning"), report[Layer.EXPLICIT].summary
    if family == "video":  # verify looks at the first frames
        return Result("disclosure-place", _PLACEMENT, asks, found, PASS if report[Layer.EXPLICIT].status is
                      Status.VALID else OPEN)
    first = min((one.start_s for one in heard), default=None)
    return Result("disclosure-place", _PLACEMENT, asks, found, OPEN if first is None else
                  PASS if first <= _BEGINNING_S else FAIL)


def _again(report: Report, heard: tuple[HeardLabel, ...], family: str) -> tuple[Message, Outcome]:
    stated = report.manifest.explicit if report.manifest else None
    if family == "video" and isinstance(stated, dict) and "until_seconds" in stated and stated["until_seconds"] is None:
        return Message("shown to the end, as the manifest states"), PASS
    if family == "video":
        return Message("only the beginning was looked at"), OPEN
    return Message("{count} in all", count=len(heard)), PASS if len(heard) > 1 else FAIL
