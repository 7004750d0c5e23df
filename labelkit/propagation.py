# SPDX-License-Identifier: Apache-2.0
"""What a platform that spreads a file must show and write: Labeling Measures, Article 6.

    decision = propagate("upload.png", "served.png", "PLATFORM-CODE", "post-2026-881", declared=True)
    decision.notice                                     # text to show beside the content, None where none is owed
    decision.label                                      # label that was written, None where nothing was
    decision = decide(verify("upload.png"), "PLATFORM-CODE", "post-2026-881")       # the same without writing

The producer's fields are never touched: a platform adds its own (GB 45438-2025 Annex E). The tier is the report's
verdict, raised by a declaration alone; a label that cannot be relied on is neither trusted nor overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from labelkit import codec, pipeline
from labelkit.container import Source
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.metadata.sm2 import Sm2Signer
from labelkit.plan import Plan
from labelkit.report import Layer, Report, Verdict, tier

if TYPE_CHECKING:
    import datetime

    from labelkit.provenance import Signer, TrustList

NOTICES = {Verdict.CONFIRMED: "该内容属于人工智能生成合成内容", Verdict.POSSIBLE: "该内容可能为人工智能生成合成内容",
           Verdict.SUSPECTED: "该内容疑似为人工智能生成合成内容", Verdict.NONE: None, Verdict.UNDETERMINED: None}
"""What the public is told, by tier; each text satisfies GB 45438-2025 5.6 too."""

_KINDS = {Verdict.CONFIRMED: Kind.GENERATED, Verdict.POSSIBLE: Kind.POSSIBLE, Verdict.SUSPECTED: Kind.SUSPECTED}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a file.

    tier       属于, 可能, 疑似 or none; UNDETERMINED where nothing was found and not all could be looked at
    notice     the Chinese text to show, None for the tiers NONE and UNDETERMINED
    label      what to write, with the platform's fields in it; None where there is nothing to write, or where the
               file's own label cannot be relied on, or could not be read, and a person must look before it is replaced
    verified   whether nothing puts the file's label in doubt, or it has none
    reasons    why, the decisive one first
    report     what was found
    """

    tier: Verdict
    notice: str | None
    label: Label | None
    verified: bool
    reasons: tuple[Message, ...]
    report: Report

    def to_dict(self, language: str = "en") -> dict[str, object]:
        """The decision as JSON values; texts in `language`, the notice in Chinese."""
        return {"tier": self.tier.value, "notice": self.notice, "label": self.label.fields() if self.label else None,
                "verified": self.verified, "reasons": [reason.text(language) for reason in self.reasons],
                "report": self.report.to_dict(language)}


def rule(stated: Kind | None, declared: bool, traced: bool, doubted: bool,
         unseen: bool = False) -> tuple[Verdict, Kind | None]:
    """The table: (tier to show, kind to write, None for nothing); the arguments are those of `report.tier`."""
    shown = tier(stated, declared, traced, doubted, unseen)
    return shown, None if doubted else _KINDS.get(shown)


def decide(report: Report, propagator: str, propagate_id: str, *, declared: bool = False) -> Decision:
    """Judge a file that a user hands in.

    report        what `verify` found in it
    propagator    the platform's name or code
    propagate_id  the platform's number for this content
    declared      whether the user declared it as AI-generated
    Raises InvalidLabel where the platform's fields break GB 45438-2025.
    """
    stated = report.label
    ours = Label(Kind.SUSPECTED, "", "", content_propagator=propagator, propagate_id=propagate_id)
    found = report.verdict not in (Verdict.NONE, Verdict.UNDETERMINED)
    shown, kind = rule(report.stated, declared, found, bool(report.doubts), bool(report.unseen))
    reasons = [*report.reasons]
    if kind and report[Layer.METADATA].is_open:
        kind = None
        reasons.append(Message("the metadata could not be read wholly, so no label is put over what may stand there"))
    if declared:
        reasons.insert(0 if shown is not report.verdict else len(reasons),
                       Message("the user declares the content as AI-generated"))
    if kind and stated and kind is not stated.kind and stated.reserved_code1:
        kind = stated.kind
        reasons.append(Message("Label stays {kind} in the file: the producer's ReservedCode1 may sign it",
                               kind=kind.value))
    # who produced unlabelled content is not known, and the standard does not say what to write then: empty fields
    label = (stated or ours).propagated_by(propagator, propagate_id, kind=kind) if kind else None
    return Decision(shown, NOTICES[shown], label, not report.doubts, tuple(reasons), report)


def propagate(source: Source, target: str | os.PathLike[str] | BinaryIO, propagator: str, propagate_id: str, *,
              declared: bool = False, sm2: Sm2Signer | None = None, provenance: Signer | None = None,
              in_place: bool = False, key: Key | None = None, trust: TrustList | None = None,
              effort: str = "normal", max_pixels: int = codec.MAX_PIXELS, now: datetime.datetime | None = None,
              pins: Collection[bytes] = (), ocr: bool = False, layers: Collection[Layer] = tuple(Layer),
              languages: Collection[str] = ()) -> Decision:
    """Verify a file that a user hands in, and write what the platform must add to its metadata.

    source, target  as for `embed`; the target is written only where the decision has a label
    propagator, propagate_id, declared
                    as for `decide`
    sm2             signs the platform's fields in ReservedCode2, in a form of our own (see `security_data`)
    provenance      signs a new manifest that has the old one as parent; needed where the file has a manifest, which
                    a new label would break
    in_place        allow `target` to be the source itself
    key, trust, effort, max_pixels, now, pins, ocr, layers, languages
                    as for `verify`
    Nothing is decoded for writing, and the samples stay. Raises what `embed` and `verify` raise.
    """
    report = pipeline.verify(source, key=key, trust=trust, effort=effort, max_pixels=max_pixels, now=now, pins=pins,
                             ocr=ocr, layers=layers, languages=languages)
    decision = decide(report, propagator, propagate_id, declared=declared)
    return write(source, target, decision, sm2=sm2, provenance=provenance, in_place=in_place)


def write(source: Source, target: str | os.PathLike[str] | BinaryIO, decision: Decision, *,
          sm2: Sm2Signer | None = None, provenance: Signer | None = None, in_place: bool = False) -> Decision:
    """Write what was decided about a file, if there is anything to write; the arguments are those of `propagate`.

    Returns the decision with the label as it was written. Raises what `embed` raises.
    """
    decision = sealed(decision, sm2)
    if decision.label is None:
        return decision
    plan = Plan(explicit=None, watermark=None, provenance=provenance)
    # what stands in the file was verified above, so the one label may be put in the place of the other
    pipeline.embed(source, target, decision.label, plan=plan, replace=True, in_place=in_place)
    return decision


def sealed(decision: Decision, sm2: Sm2Signer | None) -> Decision:
    """The decision with its label, if it has one, signed by the platform in ReservedCode2."""
    label = decision.label
    if label is None or sm2 is None:
        return decision
    seal = security_data.seal(label.fields(), sm2, "ReservedCode2")
    return replace(decision, label=Label.as_found(label.kind, {**label.fields(), "ReservedCode2": seal}))
