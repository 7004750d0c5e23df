# SPDX-License-Identifier: Apache-2.0
"""What a platform that spreads a file must show and write: Labeling Measures, Article 6.

    decision = decide(verify("upload.png"), "PLATFORM-CODE", "post-2026-881", declared=True)
    decision.notice                                     # text to show beside the content, None where none is owed
    decision.label                                      # label to write into the file, None where none is to be written

The producer's fields are never touched: a platform adds its own (GB 45438-2025 Annex E). A kind is raised only by
evidence that the Measures name, and a label that cannot be relied on is neither trusted nor overwritten.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.report import Layer, Report, Status, Verdict

NOTICES = {Verdict.CONFIRMED: "该内容属于人工智能生成合成内容", Verdict.POSSIBLE: "该内容可能为人工智能生成合成内容",
           Verdict.SUSPECTED: "该内容疑似为人工智能生成合成内容", Verdict.NONE: None}
"""What the public is told, by tier; each text satisfies GB 45438-2025 5.6 too."""

_TIER = {Kind.GENERATED: Verdict.CONFIRMED, Kind.POSSIBLE: Verdict.POSSIBLE, Kind.SUSPECTED: Verdict.SUSPECTED}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a file.

    tier       属于, 可能, 疑似 or none
    notice     the Chinese text to show, None for tier NONE
    label      what to write, with the platform's fields in it; None where there is nothing to write, or where the
               file's own label cannot be relied on and a person must look before it is replaced
    verified   whether nothing contradicts the file's label, or it has none
    reasons    why, the decisive one first
    """

    tier: Verdict
    notice: str | None
    label: Label | None
    verified: bool
    reasons: tuple[Message, ...]


def rule(stated: Kind | None, declared: bool, traced: bool, doubted: bool) -> tuple[Verdict, Kind | None]:
    """The table: (tier to show, kind to write, None for nothing).

    stated    kind of the label in the file's metadata, None where there is none
    declared  the user said that the content is AI-generated
    traced    an explicit label, a watermark or another trace of generation was found
    doubted   the file has a label or a signature that is unreadable, contradicted or broken
    """
    if doubted:  # treated as not verified, and never overwritten unseen
        return Verdict.POSSIBLE if declared else Verdict.SUSPECTED, None
    if stated is Kind.SUSPECTED and declared:  # Article 6 (2) goes before (3): a declaration outweighs a suspicion
        return Verdict.POSSIBLE, Kind.POSSIBLE
    if stated:
        return _TIER[stated], stated
    if declared:
        return Verdict.POSSIBLE, Kind.POSSIBLE
    return (Verdict.SUSPECTED, Kind.SUSPECTED) if traced else (Verdict.NONE, None)


def decide(report: Report, propagator: str, propagate_id: str, *, declared: bool = False,
           pinned: Collection[bytes] = ()) -> Decision:
    """Judge a file that a user hands in.

    report        what `verify` found in it
    propagator    the platform's name or code
    propagate_id  the platform's number for this content
    declared      whether the user declared it as AI-generated
    pinned        public SM2 keys known to be the producer's, for a signature in ReservedCode1
    Raises InvalidLabel where the platform's fields break GB 45438-2025, InvalidArgument for a key that is none.
    """
    stated, doubts, traces = report.label, list(_doubts(report, pinned)), list(_traces(report))
    tier, kind = rule(stated.kind if stated else None, declared, bool(traces), bool(doubts))
    said = [Message("the file's label states Label {kind}", kind=stated.kind.value)] if stated else []
    said += [Message("the user declares the content as AI-generated")] if declared else []
    reasons = (*doubts, *said, *traces) or (Message("neither label, declaration nor trace"),)
    label = _spread(stated, kind, propagator, propagate_id) if kind else None
    return Decision(tier, NOTICES[tier], label, not doubts, reasons)


def _spread(stated: Label | None, kind: Kind, propagator: str, propagate_id: str) -> Label:
    """The label with the platform's fields, checked, and the producer's as they are, whatever they are.

    Who produced unlabelled content is not known, and the standard does not say what to write then: empty fields.
    """
    ours = Label(Kind.SUSPECTED, "", "", content_propagator=propagator, propagate_id=propagate_id).fields()
    producer = ("ContentProducer", "ProduceID", "ReservedCode1")
    found = stated.fields() if stated else ours
    return Label.as_found(kind, {**ours, **{name: found[name] for name in producer}})


def _doubts(report: Report, pinned: Collection[bytes]) -> list[Message]:
    """Why the file's label cannot be relied on."""
    doubts = [Message("{layer} is not valid: {summary}", layer=finding.layer.value, summary=finding.summary)
              for finding in report if finding.status is Status.INVALID and not _merely_ended(finding.evidence)]
    doubts += [check.summary for check in report.cross_checks if not check.agrees]
    if report.label:
        signature = security_data.verify(report.label.fields(), pinned=pinned)
        if signature.state is security_data.State.FAILED:
            doubts.append(signature.reason)
    return doubts


def _merely_ended(evidence: object) -> bool:
    """A manifest whose certificate ended and which is whole otherwise: it vouches for nothing, and accuses nobody."""
    return evidence.get("intact") is True


def _traces(report: Report) -> list[Message]:
    """Signs of generation that are weaker than a label."""
    manifest, metadata = report[Layer.PROVENANCE].evidence, report[Layer.METADATA].evidence
    # a manifest store alone names no generator: cameras write them too
    named = any(trace.get("value") or trace.get("key") for trace in metadata.get("traces") or ())
    seen = [(report[Layer.EXPLICIT].status is Status.VALID, Message("an explicit label was found")),
            (report[Layer.WATERMARK].status is Status.VALID, Message("a watermark was found")),
            (manifest.get("ai_generated"), Message("the manifest of {signer} states a source of generative AI",
                                                   signer=manifest.get("signer") or "?")),
            (named, Message("the file's data names a generator"))]
    return [message for found, message in seen if found]
