# SPDX-License-Identifier: Apache-2.0
"""What verify answers: one finding for each layer, the cross-checks between them, and the verdict."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from labelkit.errors import InvalidArgument, NotLabelled
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.watermark.payload import Payload

SCHEMA = "labelkit.report/1"
"""Name and version of the JSON that `Report.to_dict` makes; a key is never removed or renamed within a version."""


class Layer(enum.Enum):
    """The four layers, in the order in which they are put on."""

    EXPLICIT = "explicit"
    WATERMARK = "watermark"
    METADATA = "metadata"
    PROVENANCE = "provenance"


LAYER_NAMES = {Layer.EXPLICIT: Message("explicit"), Layer.WATERMARK: Message("watermark"),
               Layer.METADATA: Message("metadata"), Layer.PROVENANCE: Message("provenance")}


class Status(enum.Enum):
    """What was seen of a layer."""

    VALID = "valid"
    INVALID = "invalid"
    ABSENT = "absent"
    UNCHECKED = "unchecked"


class Verdict(enum.Enum):
    """The tiers of the Labeling Measures, Article 6: 属于, 可能, 疑似 AI-generated; or no sign of it."""

    CONFIRMED = "confirmed"
    POSSIBLE = "possible"
    SUSPECTED = "suspected"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Finding:
    """What verify saw of one layer.

    summary   one line for people; str(finding.summary) is English
    label     the label that the layer states, if it states one
    payload   the watermark payload that the layer carries or names, if any
    evidence  everything else, as JSON values: offsets in bytes, scores, certificates, problems
    """

    layer: Layer
    status: Status
    summary: Message
    label: Label | None = None
    payload: Payload | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self, language: str = "en") -> dict[str, object]:
        """The finding as JSON values."""
        return {"status": self.status.value, "summary": self.summary.text(language),
                "label": self.label.fields() if self.label else None,
                "payload": _payload_dict(self.payload) if self.payload else None,
                "evidence": dict(self.evidence)}


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """Whether two layers say the same of the same thing (`subject`: "content", "label" or "watermark")."""

    layers: tuple[Layer, Layer]
    subject: str
    agrees: bool
    summary: Message


@dataclass(frozen=True, slots=True)
class Report:
    """All that verify saw of `source`.

    findings      one for each layer, in the order of `Layer`; iterate over the report, or report[Layer.METADATA]
    cross_checks  between every two valid layers that state something comparable
    verdict       the tier; `reasons` say why, the decisive one first
    doubts        why what the file states is not relied on: labels that are broken, differ or contradict each other
    """

    source: str
    findings: tuple[Finding, ...]
    cross_checks: tuple[CrossCheck, ...]
    verdict: Verdict
    reasons: tuple[Message, ...]
    doubts: tuple[Message, ...] = ()

    @classmethod
    def of(cls, source: str, findings: Mapping[Layer, Finding]) -> Report:
        """The report of one finding for each of the four layers, cross-checked and judged."""
        ordered = tuple(findings[layer] for layer in Layer)
        checks = tuple(_cross_checks(findings))
        doubts = tuple(_doubts(findings, checks))
        verdict, reasons = _judge(findings, doubts)
        return cls(source, ordered, checks, verdict, tuple(reasons), doubts)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, layer: Layer) -> Finding:
        return self.findings[list(Layer).index(Layer(layer))]

    @property
    def label(self) -> Label | None:
        """The label that a valid layer states: the metadata's, else the manifest's."""
        for layer in (Layer.METADATA, Layer.PROVENANCE):
            if self[layer].status is Status.VALID and self[layer].label:
                return self[layer].label
        return None

    def shortcomings(self, *layers: Layer) -> list[str]:
        """What keeps `layers` from being verified, as "layer status" or "layer disagrees with layer"; empty if nothing.

        Raises InvalidArgument where no layer is named, for nothing would then be checked, or one that there is not.
        """
        if not layers or not all(isinstance(layer, Layer) for layer in layers):
            raise InvalidArgument("name at least one layer of {layers}", layers=", ".join(map(str, Layer)))
        found = [self[layer] for layer in layers]
        problems = [f"{f.layer.value} {f.status.value}" for f in found if f.status is not Status.VALID]
        return problems + [f"{check.layers[0].value} disagrees with {check.layers[1].value}"
                           for check in self.cross_checks if not check.agrees and set(check.layers) & set(layers)]

    def require(self, *layers: Layer) -> None:
        """Raise NotLabelled unless every one of `layers` is valid and contradicted by no other.

        Raises InvalidArgument where no layer is named.
        """
        problems = self.shortcomings(*layers)
        if problems:
            raise NotLabelled("{source}: {problems}", source=self.source, problems=", ".join(problems))

    def to_dict(self, language: str = "en") -> dict[str, object]:
        """The whole report as JSON values; texts in `language`.

        schema, source, verdict (confirmed, possible, suspected, none), reasons and doubts (texts), layers (by
        name: status, summary, label, payload, evidence), cross_checks (layers, subject, agrees, summary).
        """
        return {"schema": SCHEMA, "source": self.source, "verdict": self.verdict.value,
                "reasons": [reason.text(language) for reason in self.reasons],
                "doubts": [doubt.text(language) for doubt in self.doubts],
                "layers": {finding.layer.value: finding.to_dict(language) for finding in self},
                "cross_checks": [{"layers": [layer.value for layer in check.layers], "subject": check.subject,
                                  "agrees": check.agrees, "summary": check.summary.text(language)}
                                 for check in self.cross_checks]}


def _payload_dict(payload: Payload) -> dict[str, object]:
    return {"hex": payload.hex, "version": payload.version, "kind": payload.kind,
            "producer": payload.producer, "content": payload.content}


def _cross_checks(findings: Mapping[Layer, Finding]) -> Iterator[CrossCheck]:
    valid = {layer: finding for layer, finding in findings.items() if finding.status is Status.VALID}
    mark = valid.get(Layer.WATERMARK)
    metadata, manifest = valid.get(Layer.METADATA), valid.get(Layer.PROVENANCE)
    if mark and mark.payload:
        for finding in (metadata, manifest):
            if finding and finding.label:
                yield _compare_content(mark, finding)
        if manifest and manifest.payload:
            yield _compare_watermark(mark, manifest)
    if metadata and manifest and metadata.label and manifest.label:
        yield _compare_labels(metadata, manifest)


def _compare_content(mark: Finding, finding: Finding) -> CrossCheck:
    agrees = mark.payload.matches(finding.label)
    summary = (Message("the watermark's producer and content numbers are those of the {layer} label",
                       layer=LAYER_NAMES[finding.layer]) if agrees else
               Message("the watermark names producer {got_producer} and content {got_content}, the {layer} label "
                       "would give {producer} and {content}", layer=LAYER_NAMES[finding.layer],
                       got_producer=mark.payload.producer, got_content=mark.payload.content,
                       producer=Payload.of(finding.label).producer, content=Payload.of(finding.label).content))
    return CrossCheck((Layer.WATERMARK, finding.layer), "content", agrees, summary)


def _compare_watermark(mark: Finding, manifest: Finding) -> CrossCheck:
    agrees = mark.payload == manifest.payload
    summary = (Message("the manifest's soft binding names this watermark") if agrees else
               Message("the manifest's soft binding names watermark {named}, the samples carry {got}",
                       named=manifest.payload.hex, got=mark.payload.hex))
    return CrossCheck((Layer.WATERMARK, Layer.PROVENANCE), "watermark", agrees, summary)


def _compare_labels(metadata: Finding, manifest: Finding) -> CrossCheck:
    ours, theirs = metadata.label.fields(), manifest.label.fields()
    differing = [name for name in ("Label", "ContentProducer", "ProduceID") if ours[name] != theirs[name]]
    summary = (Message("metadata and manifest state the same producer, number and kind") if not differing else
               Message("metadata and manifest differ in {fields}", fields=", ".join(differing)))
    return CrossCheck((Layer.METADATA, Layer.PROVENANCE), "label", not differing, summary)


_TIER = {Kind.GENERATED: Verdict.CONFIRMED, Kind.POSSIBLE: Verdict.POSSIBLE, Kind.SUSPECTED: Verdict.SUSPECTED}


def tier(stated: Kind | None, declared: bool, traced: bool, doubted: bool) -> Verdict:
    """The tier of the Labeling Measures, Article 6.

    stated    kind of the label that the file states, None where it states none
    declared  the user who hands the file in says that the content is AI-generated
    traced    an explicit label, a watermark or another sign of generation was found
    doubted   the file's label or signature is unreadable, contradicted or broken: it is then a trace and no more
    """
    found = _TIER[stated] if stated and not doubted else Verdict.SUSPECTED if stated or traced else Verdict.NONE
    if declared and found in (Verdict.SUSPECTED, Verdict.NONE):  # (2) goes before (3): it outweighs a suspicion
        return Verdict.POSSIBLE
    return found


def _judge(findings: Mapping[Layer, Finding], doubts: tuple[Message, ...]) -> tuple[Verdict, list[Message]]:
    """What the file's data states, if it can be relied on; else what else was seen."""
    statements, traces = list(_statements(findings)), list(_traces(findings))
    notes = [Message("{layer} is present but not valid: {summary}", layer=LAYER_NAMES[f.layer], summary=f.summary)
             for f in findings.values() if f.status is Status.INVALID and f.layer not in _RELIED_ON]
    notes += [Message("the manifest's certificate ended, so it vouches for nothing: {summary}",
                      summary=findings[Layer.PROVENANCE].summary)] if _merely_ended(findings[Layer.PROVENANCE]) else []
    stated = statements[0][0] if statements else None
    traced = bool(traces) or any(_claims_ai(finding) for finding in findings.values())
    verdict = tier(stated, False, traced, bool(doubts))
    if stated and not doubts:
        return verdict, [reason for _, reason in statements] + notes
    if verdict is Verdict.NONE:
        return verdict, [Message("no label and no trace of one was found in the layers that were checked"), *doubts,
                         *notes]
    return verdict, [*doubts, *traces, *notes]


_RELIED_ON = (Layer.METADATA, Layer.PROVENANCE)
"""The layers whose statements are taken at their word, so that a broken one puts the file's label in doubt."""


def _doubts(findings: Mapping[Layer, Finding], checks: tuple[CrossCheck, ...]) -> Iterator[Message]:
    for check in checks:
        if not check.agrees:
            yield Message("the layers contradict each other, so none of them is relied on: {why}", why=check.summary)
    for layer in _RELIED_ON:
        finding = findings[layer]
        if finding.status is Status.INVALID and not _merely_ended(finding):
            yield Message("{layer} is broken, so what the file states is not relied on: {summary}",
                          layer=LAYER_NAMES[layer], summary=finding.summary)


def _merely_ended(finding: Finding) -> bool:
    """A manifest whose certificate ended and which is whole otherwise: it vouches for nothing, and accuses nobody."""
    broken = finding.layer is Layer.PROVENANCE and finding.status is Status.INVALID
    return broken and finding.evidence.get("intact") is True


def _claims_ai(finding: Finding) -> bool:
    """Whether a layer that is not valid still says that the content is AI-generated: a trace, no more."""
    ours = finding.layer is not Layer.PROVENANCE  # the other three exist for nothing else
    return finding.status is Status.INVALID and bool(ours or finding.label or finding.evidence.get("ai_generated"))


def _statements(findings: Mapping[Layer, Finding]) -> Iterator[tuple[Kind, Message]]:
    """The labels of GB 45438 that valid layers hold. A manifest without one states no label, whatever else it says."""
    metadata, manifest = findings[Layer.METADATA], findings[Layer.PROVENANCE]
    if metadata.status is Status.VALID and metadata.label:
        yield metadata.label.kind, Message("the metadata label states Label {kind}", kind=metadata.label.kind.value)
    if manifest.status is Status.VALID and manifest.label:
        yield manifest.label.kind, Message("the signed manifest states Label {kind}", kind=manifest.label.kind.value)


def _traces(findings: Mapping[Layer, Finding]) -> Iterator[Message]:
    """Signs of generation that are weaker than a label."""
    mark, manifest = findings[Layer.WATERMARK], findings[Layer.PROVENANCE]
    if mark.status is Status.VALID:
        if mark.evidence.get("key_is_public"):
            yield Message("a watermark was found with the public key: anybody could have written it")
        else:
            yield Message("a watermark was found with a private key: only its holders could have written it")
    if findings[Layer.EXPLICIT].status is Status.VALID:
        yield Message("an explicit label was found")
    if manifest.evidence.get("ai_generated") and not manifest.label:
        yield Message("the manifest of {signer} states a source of generative AI, which is weaker than a label",
                      signer=manifest.evidence.get("signer") or "?")
    # a manifest store alone names no generator: cameras write them too
    if any(trace.get("value") or trace.get("key") for trace in findings[Layer.METADATA].evidence.get("traces") or ()):
        yield Message("the file's data holds traces of a generator, which are weaker than a label")
