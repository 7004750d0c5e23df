# SPDX-License-Identifier: Apache-2.0
"""How findings become a verdict: the layers compared, the doubts, what was not looked at, and the tier.

What a file states decides, the strongest statement first, if nothing puts it in doubt:

    a label of GB 45438-2025, in the metadata or in a valid manifest        its own tier: 属于, 可能 or 疑似
    a source of generative AI in a manifest whose signer is trusted         属于 (CONFIRMED)

All else is a trace and gives SUSPECTED. Where nothing was found the verdict is NONE only if all that was asked for was
looked at; else it is UNDETERMINED, for what was not looked at may hold a label.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from labelkit.evidence import ManifestEvidence, MetadataEvidence, Statement, WatermarkEvidence
from labelkit.finding import LAYER_NAMES, CrossCheck, Finding, Layer, Status, names_of
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.payload import Payload


class Verdict(enum.Enum):
    """The tiers of the Labeling Measures, Article 6: 属于, 可能, 疑似 AI-generated; or no sign of it.

    UNDETERMINED: nothing was found, and not all that was asked for could be looked at.
    """

    CONFIRMED = "confirmed"
    POSSIBLE = "possible"
    SUSPECTED = "suspected"
    NONE = "none"
    UNDETERMINED = "undetermined"


Findings: TypeAlias = Mapping[Layer, Finding]

_CAMERA = ("digitalCapture", "computationalCapture", "negativeFilm", "positiveFilm", "print")
"""Digital source types (last parts) of what a camera took, on film or not."""


def counted(findings: Findings) -> Findings:
    """The findings that a verdict rests on: a manifest beside the file counts by the word of a trusted signer alone.

    Whoever can write into a folder can lay one beside a file of others, signed by himself and with its hash.
    """
    manifest = findings[Layer.PROVENANCE]
    found = manifest.evidence
    if not isinstance(found, ManifestEvidence) or not found.beside or found.trusted:
        return findings
    return {**findings, Layer.PROVENANCE: Finding(Layer.PROVENANCE, Status.ABSENT, manifest.summary)}


def cross_checks(findings: Findings) -> Iterator[CrossCheck]:
    """Every two valid layers that state something comparable, compared."""
    valid = {layer: finding for layer, finding in findings.items() if finding.status is Status.VALID}
    mark = valid.get(Layer.WATERMARK)
    metadata, manifest = valid.get(Layer.METADATA), valid.get(Layer.PROVENANCE)
    if mark and mark.payload:
        for finding in (metadata, manifest):
            if finding and finding.label:
                yield _compare_content(mark.payload, finding.layer, finding.label)
        if manifest and manifest.payload:
            yield _compare_watermark(mark.payload, manifest.payload)
    if metadata and manifest and metadata.label and manifest.label:
        yield _compare_labels(metadata.label, manifest.label)
    if metadata and manifest and metadata.label and metadata.label.kind is Kind.GENERATED:
        yield from _compare_source(manifest)


def explained(finding: Finding, findings: Findings) -> Finding:
    """An absent watermark that a valid manifest names: it was made with a key that was not asked for, or lost."""
    named, mark = findings[Layer.PROVENANCE], finding.evidence
    if (finding.layer is not Layer.WATERMARK or finding.status is not Status.ABSENT or not named.payload
            or named.status is not Status.VALID or not isinstance(mark, WatermarkEvidence)):
        return finding
    why = Message("{summary}; the manifest names watermark {id}: it was made with another key, or was lost since",
                  summary=finding.summary, id=named.payload.hex)
    return replace(finding, summary=why)


def _compare_content(mark: Payload, layer: Layer, label: Label) -> CrossCheck:
    agrees, stated = mark.matches(label), Payload.of(label)
    summary = (Message("the watermark's producer and content numbers are those of the {layer} label",
                       layer=LAYER_NAMES[layer]) if agrees else
               Message("the watermark names producer {got_producer} and content {got_content}, the {layer} label "
                       "would give {producer} and {content}", layer=LAYER_NAMES[layer], got_producer=mark.producer,
                       got_content=mark.content, producer=stated.producer, content=stated.content))
    return CrossCheck((Layer.WATERMARK, layer), "content", agrees, summary)


def _compare_watermark(mark: Payload, named: Payload) -> CrossCheck:
    agrees = mark == named
    summary = (Message("the manifest's soft binding names this watermark") if agrees else
               Message("the manifest's soft binding names watermark {named}, the samples carry {got}",
                       named=named.hex, got=mark.hex))
    return CrossCheck((Layer.WATERMARK, Layer.PROVENANCE), "watermark", agrees, summary)


def _compare_labels(metadata: Label, manifest: Label) -> CrossCheck:
    ours, theirs = metadata.fields(), manifest.fields()
    differing = [name for name in ("Label", "ContentProducer", "ProduceID") if ours[name] != theirs[name]]
    summary = (Message("metadata and manifest state the same producer, number and kind") if not differing else
               Message("metadata and manifest differ in {fields}", fields=", ".join(differing)))
    return CrossCheck((Layer.METADATA, Layer.PROVENANCE), "label", not differing, summary)


def _compare_source(manifest: Finding) -> Iterator[CrossCheck]:
    """What trusted signers say of the source of the content, and a metadata label that calls it AI-generated."""
    trusted = [one for one in _said(manifest) if one.trusted and one.intact]
    layers = (Layer.METADATA, Layer.PROVENANCE)
    made = next((one for one in trusted if one.generative), None)
    taken = next((one for one in trusted if one.relation != "component" and set(one.sources) & set(_CAMERA)), None)
    if made:
        if not manifest.label:  # else the labels are compared
            yield CrossCheck(layers, "source", True, Message("{signer} states generative AI as the source, as the "
                             "label does", signer=made.signer or "?"))
    elif taken and not any(_says_label_1(one) for one in trusted):
        yield CrossCheck(layers, "source", False, Message(
            "{signer}, who is trusted, states that a camera took the content ({source}), the label that it is "
            "AI-generated", signer=taken.signer or "?", source=next(one for one in taken.sources if one in _CAMERA)))


def _says_label_1(one: Statement) -> bool:
    return one.aigc.get("Label") == Kind.GENERATED.value


_TIER = {Kind.GENERATED: Verdict.CONFIRMED, Kind.POSSIBLE: Verdict.POSSIBLE, Kind.SUSPECTED: Verdict.SUSPECTED}


def tier(stated: Kind | None, declared: bool, traced: bool, doubted: bool, unseen: bool = False) -> Verdict:
    """The tier of the Labeling Measures, Article 6.

    stated    kind of the label that the file states, None where it states none
    declared  the user who hands the file in says that the content is AI-generated
    traced    an explicit label, a watermark or another sign of generation was found
    doubted   the file's label or signature is unreadable, contradicted or broken: it is then a trace and no more
    unseen    not all that was asked for was looked at
    """
    nothing = Verdict.UNDETERMINED if unseen else Verdict.NONE
    found = _TIER[stated] if stated and not doubted else Verdict.SUSPECTED if stated or traced else nothing
    if declared and found in (Verdict.SUSPECTED, nothing):  # (2) goes before (3): it outweighs a suspicion
        return Verdict.POSSIBLE
    return found


def judge(findings: Findings, doubts: tuple[Message, ...], unseen: tuple[Message, ...]) -> tuple[
        Verdict, list[Message]]:
    """What the file's data states, if it can be relied on; else what else was seen. The decisive reason comes first."""
    states, traces = _statements(findings), list(_traces(findings))
    notes = [Message("{layer} is present but not valid: {summary}", layer=LAYER_NAMES[f.layer], summary=f.summary)
             for f in findings.values() if f.status is Status.INVALID and f.layer not in _RELIED_ON]
    notes += [Message("the manifest's certificate ended, so it vouches for nothing: {summary}",
                      summary=findings[Layer.PROVENANCE].summary)] if _only_expired(findings[Layer.PROVENANCE]) else []
    traced = bool(traces) or any(_claims_ai(finding) for finding in findings.values())
    kind = states[0][0] if states else None
    verdict = tier(kind, False, traced, bool(doubts), bool(unseen))
    if states and not doubts:
        return verdict, [reason for _, reason in states] + notes
    if verdict is Verdict.UNDETERMINED:
        return verdict, [*unseen, *doubts, *notes]
    if verdict is Verdict.NONE:
        return verdict, [_nothing(findings), *doubts, *notes]
    return verdict, [*doubts, *traces, *notes]


def _nothing(findings: Findings) -> Message:
    looked_at = [finding.layer for finding in findings.values() if finding.asked]
    if len(looked_at) == len(findings):
        return Message("no label and no trace of one was found in the layers that were checked")
    return Message("no label and no trace of one was found in {layers}, the only layers that were checked",
                   layers=names_of(looked_at))


_RELIED_ON = (Layer.METADATA, Layer.PROVENANCE)
"""The layers whose statements are taken at their word, so that a broken one puts the file's label in doubt."""


def unseen(findings: Findings) -> Iterator[Message]:
    """What was asked for and not looked at, or not wholly, and why."""
    for finding in findings.values():
        if finding.asked and finding.status is Status.UNCHECKED:
            yield Message("{layer} could not be checked: {summary}", layer=LAYER_NAMES[finding.layer],
                          summary=finding.summary)
        for what in finding.missed:
            yield Message("{layer} was not looked at wholly: {what}", layer=LAYER_NAMES[finding.layer], what=what)


def doubts(findings: Findings, checks: tuple[CrossCheck, ...]) -> Iterator[Message]:
    """Why what the file states is not relied on."""
    for check in checks:
        if not check.agrees:
            yield Message("the layers contradict each other, so none of them is relied on: {why}", why=check.summary)
    for layer in _RELIED_ON:
        finding = findings[layer]
        if finding.status is Status.INVALID and not _only_expired(finding):
            yield Message("{layer} is broken, so what the file states is not relied on: {summary}",
                          layer=LAYER_NAMES[layer], summary=finding.summary)
    for one in _said(findings[Layer.PROVENANCE]):
        if _says_label_1(one) and not one.generative and set(one.sources) & set(_CAMERA):
            yield Message("the manifest of {signer} contradicts itself: it states Label 1, and that a camera took the "
                          "content", signer=one.signer or "?")


def _only_expired(finding: Finding) -> bool:
    """An intact manifest whose certificate expired: treat it as absent evidence, not as tampering."""
    found = finding.evidence
    return finding.status is Status.INVALID and isinstance(found, ManifestEvidence) and found.intact


def _claims_ai(finding: Finding) -> bool:
    """Whether a layer that is not valid still says that the content is AI-generated: a trace, no more."""
    ours = finding.layer is not Layer.PROVENANCE  # the other three exist for nothing else
    claimed = isinstance(finding.evidence, ManifestEvidence) and finding.evidence.ai_generated
    return finding.status is Status.INVALID and bool(ours or finding.label or claimed)


def _said(finding: Finding) -> tuple[Statement, ...]:
    """What the manifests of the file say of AI, if the active one is valid."""
    evidence = finding.evidence
    return evidence.statements if finding.status is Status.VALID and isinstance(evidence, ManifestEvidence) else ()


def stated(findings: Findings) -> Kind | None:
    """The strongest statement that the file makes, trusted or not as its kind asks; None where it makes none."""
    return next((kind for kind, _ in _statements(findings)), None)


def _statements(findings: Findings) -> list[tuple[Kind, Message]]:
    """What valid layers state, the strongest first: labels of GB 45438, and AI sources on a trusted signer's word.

    A manifest without a label whose signer is not trusted states nothing: anybody can sign anything.
    """
    metadata, manifest = findings[Layer.METADATA], findings[Layer.PROVENANCE]
    found = []
    if metadata.status is Status.VALID and metadata.label:
        found.append((metadata.label.kind, Message("the metadata label states Label {kind}",
                                                   kind=metadata.label.kind.value)))
    if manifest.status is Status.VALID and manifest.label:
        found.append((manifest.label.kind, _manifest_label(manifest, manifest.label)))
    found += [(Kind.GENERATED, Message("{signer}, who is trusted, states in a manifest that generative AI made or "
                                       "altered the content", signer=one.signer or "?"))
              for one in _said(manifest)
              if one.generative and one.trusted and one.intact and not (manifest.label and one.aigc)]
    return sorted(found, key=lambda one: one[0].value)


def _manifest_label(manifest: Finding, label: Label) -> Message:
    """Whose manifest states the label, and whether that signer, who may be another than the file's, is trusted."""
    evidence = manifest.evidence
    own = next((one for one in _said(manifest) if one.aigc and one.intact and one.relation != "component"), None)
    facts = {"kind": label.kind.value, "signer": own.signer or "?" if own else "?"}
    if own and isinstance(evidence, ManifestEvidence) and evidence.trust_list is not None and not own.trusted:
        if own.through:
            return Message("the manifest of {through}, whom the trust list does not vouch for, names one of {signer}, "
                           "which states Label {kind}", through=own.through, **facts)
        return Message("the manifest of {signer}, whom the trust list does not vouch for, states Label {kind}", **facts)
    if own and own.relation != "active":
        return Message("the manifest of {signer}, of an earlier version of the file, states Label {kind}", **facts)
    return Message("the signed manifest states Label {kind}", kind=label.kind.value)


def _traces(findings: Findings) -> Iterator[Message]:
    """Signs of generation that are weaker than a label."""
    mark, manifest = findings[Layer.WATERMARK], findings[Layer.PROVENANCE]
    if mark.status is Status.VALID:
        if isinstance(mark.evidence, WatermarkEvidence) and mark.evidence.key_is_public:
            yield Message("a watermark was found with the public key: anybody could have written it")
        else:
            yield Message("a watermark was found with a private key: only its holders can write one, but anybody can "
                          "copy one; what it belongs to is proved by the manifest or the label log")
    if findings[Layer.EXPLICIT].status is Status.VALID:
        yield Message("an explicit label was found")
    evidence = manifest.evidence
    if isinstance(evidence, ManifestEvidence):
        signers = dict.fromkeys((one.signer, one.through) for one in evidence.statements if one.generative)
        if not signers and evidence.ai_generated and not manifest.label:
            signers = {(evidence.signer, None): None}
        for signer, through in signers:
            if through:
                yield Message("the manifest of {through}, whom the trust list does not vouch for, names one of "
                              "{signer}, which states a source of generative AI: weaker than a label",
                              through=through, signer=signer or "?")
            else:
                yield Message("the manifest of {signer} states a source of generative AI, which is weaker than a label",
                              signer=signer or "?")
    # a manifest store alone names no generator: cameras write them too
    metadata = findings[Layer.METADATA].evidence
    if isinstance(metadata, MetadataEvidence) and any(trace.value or trace.key for trace in metadata.traces):
        yield Message("the file's data holds traces of a generator, which are weaker than a label")
