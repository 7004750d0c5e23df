# SPDX-License-Identifier: Apache-2.0
"""Evidence for tests: only the facts that matter are named, the others say that nothing was found."""

from collections.abc import Mapping

from labelkit.evidence import (
    Evidence,
    ExplicitEvidence,
    HeardLabel,
    ManifestEvidence,
    MetadataEvidence,
    NoGeometry,
    SeenText,
    TimeStamp,
    Trace,
    WatermarkEvidence,
)
from labelkit.report import Layer

_NOTHING = {
    Layer.EXPLICIT: {},
    Layer.WATERMARK: {"found": False, "presence_only": False, "score": 0.0, "geometry": NoGeometry(),
                      "false_positive_rate": 1.0, "effort": "normal", "key_id": "0" * 16, "key_is_public": True},
    Layer.METADATA: {"format": "png", "family": "image", "carriers": (), "duplicates": 0, "disagreements": (),
                     "producer": None, "signatures": {}, "traces": (), "unread": ()},
    Layer.PROVENANCE: {"state": "Valid", "codes": (), "intact": False, "trusted": False, "digital_source_type": None,
                       "generator": None, "created": None, "claim_generator": None, "title": None,
                       "soft_bindings": (), "aigc": {}, "explicit": None, "signer": None, "issuer": None,
                       "not_after": None, "algorithm": None, "time_stamp": None, "manifests": 1, "warnings": (),
                       "ai_generated": False},
}
_CLASSES = {Layer.EXPLICIT: ExplicitEvidence, Layer.WATERMARK: WatermarkEvidence, Layer.METADATA: MetadataEvidence,
            Layer.PROVENANCE: ManifestEvidence}


def evidence(layer: Layer, facts: Mapping[str, object]) -> Evidence:
    """The evidence of a layer with these facts; nested ones may be given as mappings."""
    made = {**_NOTHING[layer], **facts}
    for name, kind in (("mention", _mention), ("time_stamp", _time_stamp)):
        if isinstance(made.get(name), Mapping):
            made[name] = kind(made[name])
    if layer is Layer.METADATA:
        made["traces"] = tuple(Trace(**{"slot": "", "offset_bytes": 0, "length_bytes": 0, **one})
                               for one in made["traces"])
    if made.get("heard") is not None:
        made["heard"] = tuple(HeardLabel(**one) for one in made["heard"])
    return _CLASSES[layer](**made)


def _mention(facts: Mapping[str, object]) -> SeenText:
    return SeenText(**{"box": (0, 0, 1, 1), "position": "top", "height_share": 0.06, "contrast": 9.0, "score": 1.0,
                       **facts})


def _time_stamp(facts: Mapping[str, object]) -> TimeStamp:
    return TimeStamp(**facts)
