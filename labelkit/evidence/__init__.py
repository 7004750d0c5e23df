# SPDX-License-Identifier: Apache-2.0
"""Evidence: what each layer found in a file, as typed data.

`labelkit/report.schema.json` is made from these classes by `python -m labelkit.report_schema`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from labelkit.evidence.file import (
    Ancestor,
    Deviation,
    Disagreement,
    Disclosure,
    Identity,
    LabelCarrier,
    ManifestEvidence,
    MetadataEvidence,
    SignatureEvidence,
    SoftBinding,
    Statement,
    TimeStamp,
    Trace,
    UnreadableManifest,
    UnreadSlot,
)
from labelkit.evidence.signal import (
    MAX_PLACE,
    AudioGeometry,
    Drawn,
    DrawnFilmText,
    DrawnSound,
    DrawnText,
    DrawnWords,
    ExplicitEvidence,
    FilmGeometry,
    Geometry,
    HeardLabel,
    ImageGeometry,
    NoGeometry,
    SeenText,
    Segment,
    SoundtrackMark,
    StatedPlace,
    WatermarkEvidence,
)
from labelkit.evidence.values import MAX_DEPTH, Json, field_types, is_omitted, to_json

__all__ = [
    "Ancestor",
    "AudioGeometry",
    "CheckFailure",
    "Deviation",
    "Disagreement",
    "Disclosure",
    "Drawn",
    "DrawnFilmText",
    "DrawnSound",
    "DrawnText",
    "DrawnWords",
    "Evidence",
    "ExplicitEvidence",
    "FilmGeometry",
    "Geometry",
    "HeardLabel",
    "Identity",
    "ImageGeometry",
    "Json",
    "LabelCarrier",
    "MAX_DEPTH",
    "MAX_PLACE",
    "ManifestEvidence",
    "MetadataEvidence",
    "NoGeometry",
    "SeenText",
    "Segment",
    "SignatureEvidence",
    "SoftBinding",
    "SoundtrackMark",
    "StatedPlace",
    "Statement",
    "TimeStamp",
    "Trace",
    "UnreadSlot",
    "UnreadableManifest",
    "WatermarkEvidence",
    "field_types",
    "is_omitted",
    "to_json",
]


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """The type of the error that kept a layer from being checked."""

    error: str


Evidence: TypeAlias = (WatermarkEvidence | ExplicitEvidence | MetadataEvidence | ManifestEvidence | UnreadableManifest
                       | CheckFailure)
