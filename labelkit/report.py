# SPDX-License-Identifier: Apache-2.0
"""The report of verify: one finding for each layer, the cross-checks between them, and the verdict.

Four states are kept apart. A layer is VALID (found, and it holds), INVALID (found, and it does not hold), ABSENT
(looked for, and not there) or UNCHECKED (not looked at). A layer that was not looked at wholly says what it `missed`;
one that the caller left out is not `asked` for. The report lists what was asked for and not seen in `unseen`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from labelkit.errors import InvalidArgument, LabelkitError, NotLabelled
from labelkit.evidence import (
    CheckFailure,
    ExplicitEvidence,
    Json,
    ManifestEvidence,
    MetadataEvidence,
    StatedPlace,
    WatermarkEvidence,
)
from labelkit.finding import LAYER_NAMES, CrossCheck, Finding, Layer, Status
from labelkit.label import Kind, Label
from labelkit.messages import Message, one_line
from labelkit.payload import Payload
from labelkit.signpost import Signpost
from labelkit.verdict import Verdict, counted, cross_checks, doubts, explained, judge, stated, tier, unseen

__all__ = ["LAYER_NAMES", "SCHEMA", "Collector", "CrossCheck", "Finding", "Layer", "Report", "Status", "Verdict",
           "tier"]

SCHEMA = "labelkit.report/1"
"""Name and version of the JSON that `Report.to_dict` makes; a key is never removed or renamed within a version."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that verify saw of `source`.

    findings      one for each layer, in the order of `Layer`; iterate over the report, or report[Layer.METADATA]
    cross_checks  between every two valid layers that state something comparable
    verdict       the tier; `reasons` say why, the decisive one first
    doubts        why what the file states is not relied on: labels that are broken, differ or contradict each other
    unseen        what was asked for and not looked at, or not wholly, and why
    stated        the strongest kind that the file states: by a label, or by a trusted signer's word of generative AI
    """

    source: str
    findings: tuple[Finding, ...]
    cross_checks: tuple[CrossCheck, ...]
    verdict: Verdict
    reasons: tuple[Message, ...]
    doubts: tuple[Message, ...] = ()
    unseen: tuple[Message, ...] = ()
    stated: Kind | None = None

    @classmethod
    def of(cls, source: str, findings: Mapping[Layer, Finding]) -> Report:
        """The report of one finding for each of the four layers, cross-checked and judged."""
        ordered = tuple(explained(findings[layer], findings) for layer in Layer)
        given = counted({finding.layer: finding for finding in ordered})
        checks = tuple(cross_checks(given))
        why_not, missed = tuple(doubts(given, checks)), tuple(unseen(given))
        verdict, reasons = judge(given, why_not, missed)
        return cls(source, ordered, checks, verdict, tuple(reasons), why_not, missed, stated(given))

    def __str__(self) -> str:
        """The verdict, a line for each layer, and why; one line each, whatever the file states."""
        lines = [f"{self.source}: {self.verdict.value}"]
        lines += [f"  {found.layer.value:<11} {found.status.value:<10} {found.summary}" for found in self]
        lines += [f"  {'because':<11} {reason}" for reason in self.reasons]
        lines += [f"  {'not seen':<11} {what}" for what in self.unseen if what not in self.reasons]
        return "\n".join(map(one_line, lines))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, layer: Layer) -> Finding:
        return self.findings[list(Layer).index(Layer(layer))]

    @property
    def explicit(self) -> ExplicitEvidence | None:
        """What was seen or heard of an explicit label."""
        found = self[Layer.EXPLICIT].evidence
        return found if isinstance(found, ExplicitEvidence) else None

    @property
    def watermark(self) -> WatermarkEvidence | None:
        """What the watermark's detector decided."""
        found = self[Layer.WATERMARK].evidence
        return found if isinstance(found, WatermarkEvidence) else None

    @property
    def metadata(self) -> MetadataEvidence | None:
        """What is label-like in the metadata."""
        found = self[Layer.METADATA].evidence
        return found if isinstance(found, MetadataEvidence) else None

    @property
    def manifest(self) -> ManifestEvidence | None:
        """What a manifest that could be read states, valid or not."""
        found = self[Layer.PROVENANCE].evidence
        return found if isinstance(found, ManifestEvidence) else None

    @property
    def label(self) -> Label | None:
        """The label that a valid layer states: the metadata's, else that of a manifest which counts."""
        found = counted({finding.layer: finding for finding in self})
        for layer in (Layer.METADATA, Layer.PROVENANCE):
            if found[layer].status is Status.VALID and found[layer].label:
                return found[layer].label
        return None

    @property
    def signpost(self) -> Signpost | None:
        """Where a valid layer says to ask about the mark: the manifest, else the metadata. Nobody vouches for it."""
        for layer, evidence in ((Layer.PROVENANCE, self.manifest), (Layer.METADATA, self.metadata)):
            if self[layer].status is Status.VALID and evidence and evidence.signpost:
                return evidence.signpost
        return None

    def unanswered(self, *layers: Layer) -> list[str]:
        """What keeps the question whether `layers` are verified from being answered, as "layer why"; empty if nothing.

        A layer that is unchecked, one that was not found in what could be read of the file, and a manifest that holds
        where no trust list says whose word counts. Raises InvalidArgument as `shortcomings` does.
        """
        found = self._named(layers)
        problems = [f"{f.layer.value} {f.status.value}" if f.status is Status.UNCHECKED else
                    f"{f.layer.value} not looked at wholly" for f in found if f.is_open]
        if Layer.PROVENANCE in layers and self.manifest and self[Layer.PROVENANCE].status is Status.VALID \
                and not self.manifest.trusted and self.manifest.trust_list is None:
            problems.append("provenance valid, but nobody vouches for its signer: there is no trust list")
        return problems

    def shortcomings(self, *layers: Layer) -> list[str]:
        """What keeps `layers` from being verified, as "layer status" or "layer disagrees with layer"; empty if nothing.

        Provenance is verified by a signer that the trust list vouches for: a manifest holds whoever signed it.
        Raises InvalidArgument where no layer is named, for nothing would then be checked, or one that there is not.
        """
        found, problems = self._named(layers), self.unanswered(*layers)
        problems += [f"{f.layer.value} {f.status.value}" for f in found
                     if f.status is not Status.VALID and not f.is_open]
        if Layer.PROVENANCE in layers and self.manifest and self[Layer.PROVENANCE].status is Status.VALID \
                and not self.manifest.trusted and self.manifest.trust_list is not None:
            problems.append("provenance valid, but its signer is not in the trust list")
        return problems + [f"{check.layers[0].value} disagrees with {check.layers[1].value}"
                           for check in self.cross_checks if not check.agrees and set(check.layers) & set(layers)]

    def _named(self, layers: tuple[Layer, ...]) -> list[Finding]:
        if not layers or not all(isinstance(layer, Layer) for layer in layers):
            raise InvalidArgument("name at least one layer of {layers}", layers=", ".join(map(str, Layer)))
        return [self[layer] for layer in layers]

    def require(self, *layers: Layer) -> None:
        """Raise NotLabelled unless every one of `layers` is valid and contradicted by no other, provenance trusted too.

        Raises InvalidArgument where no layer is named.
        """
        problems = self.shortcomings(*layers)
        if problems:
            raise NotLabelled("{source}: {problems}", source=self.source, problems=", ".join(problems))

    def to_dict(self, language: str = "en") -> dict[str, Json]:
        """The whole report as JSON values; texts in `language`. Its schema is labelkit/report.schema.json.

        schema, source, verdict (confirmed, possible, suspected, none, undetermined), reasons, doubts and unseen
        (texts), layers (by name: status, summary, label, payload, evidence, asked, missed), cross_checks (layers,
        subject, agrees, summary).
        """
        return {"schema": SCHEMA, "source": self.source, "verdict": self.verdict.value,
                "reasons": [reason.text(language) for reason in self.reasons],
                "doubts": [doubt.text(language) for doubt in self.doubts],
                "unseen": [what.text(language) for what in self.unseen],
                "layers": {finding.layer.value: finding.to_dict(language) for finding in self},
                "cross_checks": [{"layers": [layer.value for layer in check.layers], "subject": check.subject,
                                  "agrees": check.agrees, "summary": check.summary.text(language)}
                                 for check in self.cross_checks]}

    def to_json(self, language: str = "en") -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(language), ensure_ascii=False)


def _unasked(why: Message) -> dict[Layer, Finding]:
    return {layer: Finding(layer, Status.UNCHECKED, why, asked=False) for layer in Layer}


_NO_FILE = _unasked(Message("samples in memory have no file side"))
_NOT_ASKED = _unasked(Message("not asked for"))


class Collector:
    """Collects one finding for each layer; what kept a layer from being checked is its finding."""

    def __init__(self, layers: Collection[Layer]) -> None:
        try:
            self._wanted = {Layer(layer) for layer in layers}
            if not self._wanted:
                raise ValueError("nothing would be checked")
        except (TypeError, ValueError) as error:
            raise InvalidArgument("layers are some of {layers}, got {got}", got=repr(layers),
                                  layers=", ".join(layer.value for layer in Layer)) from error
        self._errors: list[LabelkitError] = []
        self._findings = {layer: (_NO_FILE if layer in self._wanted else _NOT_ASKED)[layer] for layer in Layer}

    def add(self, layer: Layer, look: Callable[[], Finding]) -> None:
        """Call `look` for the layer's finding, if the layer is wanted."""
        if layer not in self._wanted:
            return
        try:
            self._findings[layer] = look()
        except InvalidArgument:
            raise  # the caller's mistake says nothing about the file
        except LabelkitError as error:
            self._errors.append(error)
            self._findings[layer] = Finding(layer, Status.UNCHECKED, Message("{reason}", reason=error.message),
                                            evidence=CheckFailure(type(error).__name__))

    def named_payloads(self) -> list[Payload]:
        """The payloads that a mark of this file can carry by what its metadata and manifest say.

        Its kind may have been raised since it was made, so each comes with every kind.
        """
        findings = (self._findings[Layer.METADATA], self._findings[Layer.PROVENANCE])
        named = [Payload.of(one.label) for one in findings if one.label]
        named += [one.payload for one in findings if one.payload]
        return [dataclasses.replace(one, kind=int(kind.value)) for one in named for kind in Kind]

    def explicit_text(self) -> str | None:
        """The text of the explicit label that the manifest names."""
        text = self._stated().get("text")
        return text if isinstance(text, str) else None

    def explicit_place(self) -> StatedPlace | None:
        """Where the manifest says that it was drawn."""
        return StatedPlace.of(self._stated())

    def _stated(self) -> Mapping[str, Json]:
        manifest = self._findings[Layer.PROVENANCE].evidence
        stated = manifest.explicit if isinstance(manifest, ManifestEvidence) else None
        return stated if isinstance(stated, dict) else {}

    def report(self, source: str) -> Report:
        """The report; raises the first error where no layer could be checked, InvalidArgument where none is there.

        A file of which a part was read has a report.
        """
        seen = any(isinstance(finding.evidence, MetadataEvidence) for finding in self._findings.values())
        if not seen and all(finding.status is Status.UNCHECKED for finding in self._findings.values()):
            raise self._errors[0] if self._errors else InvalidArgument(
                "samples in memory have an explicit label and a watermark at most, and neither is asked for")
        return Report.of(source, self._findings)


