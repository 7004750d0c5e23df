# SPDX-License-Identifier: Apache-2.0
"""What verify answers: one finding for each layer, the cross-checks between them, and the verdict."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from labelkit.errors import InvalidArgument, NotLabelled
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.watermark.payload import Payload


class Layer(enum.Enum):
    """The four layers, in the order in which they are put on."""

    EXPLICIT = "explicit"
    WATERMARK = "watermark"
    METADATA = "metadata"
    PROVENANCE = "provenance"


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
    evidence  everything else, as JSON values: offsets in bytes, scores, certificates, problems
    """

    layer: Layer
    status: Status
    summary: Message
    label: Label | None = None
    payload: Payload | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
