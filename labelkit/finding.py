# SPDX-License-Identifier: Apache-2.0
"""What verify saw of one layer, and what two layers say of the same thing."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from labelkit.evidence import Evidence, Json, to_json
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.payload import Payload


class Layer(enum.Enum):
    """The four layers, in the order in which they are put on."""

    EXPLICIT = "explicit"
    WATERMARK = "watermark"
    METADATA = "metadata"
    PROVENANCE = "provenance"

    __hash__ = object.__hash__  # in C; that of Enum is Python, and each report asks for it fifty times


LAYER_NAMES = {Layer.EXPLICIT: Message("explicit"), Layer.WATERMARK: Message("watermark"),
               Layer.METADATA: Message("metadata"), Layer.PROVENANCE: Message("provenance")}


def names_of(layers: Sequence[Layer]) -> Message:
    """The names of at least one layer, as a list for people."""
    first = LAYER_NAMES[layers[0]]
    return Message("{first}, {rest}", first=first, rest=names_of(layers[1:])) if len(layers) > 1 else first


class Status(enum.Enum):
    """What was seen of a layer."""

    VALID = "valid"
    INVALID = "invalid"
    ABSENT = "absent"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """What verify saw of one layer.

    summary   one line for people; str(finding.summary) is English
    label     the label that the layer states, if it states one
    payload   the watermark payload that the layer carries or names, if any
    evidence  everything else, as the layer's own dataclass of `labelkit.evidence`; None where there is nothing to say
    missed    what of the layer was not looked at although it was asked for: parts that could not be read. A layer that
              was not looked at all has the status UNCHECKED
    asked     False where the caller left the layer out, so that nobody looked
    """

    layer: Layer
    status: Status
    summary: Message
    label: Label | None = None
    payload: Payload | None = None
    evidence: Evidence | None = None
    missed: tuple[Message, ...] = ()
    asked: bool = True

    @property
    def is_open(self) -> bool:
        """Whether nothing was found and not all was looked at, so that the layer may still be there."""
        return self.status is Status.UNCHECKED or self.status is Status.ABSENT and bool(self.missed)

    def to_dict(self, language: str = "en") -> dict[str, Json]:
        """The finding as JSON values."""
        return {"status": self.status.value, "summary": self.summary.text(language),
                "label": to_json(self.label.fields()) if self.label else None,
                "payload": _payload_dict(self.payload) if self.payload else None,
                "evidence": self.evidence_dict(), "asked": self.asked,
                "missed": [what.text(language) for what in self.missed]}

    def evidence_dict(self) -> dict[str, Json]:
        """The evidence as JSON values."""
        facts = to_json(self.evidence)
        return facts if isinstance(facts, dict) else {}


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """Whether two layers say the same of the same thing (`subject`: "content", "label", "watermark" or "source")."""

    layers: tuple[Layer, Layer]
    subject: str
    agrees: bool
    summary: Message


def _payload_dict(payload: Payload) -> dict[str, Json]:
    return {"hex": payload.hex, "version": payload.version, "kind": payload.kind,
            "producer": payload.producer, "content": payload.content}
