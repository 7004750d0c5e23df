# SPDX-License-Identifier: Apache-2.0
"""labelkit labels AI-generated media as GB 45438-2025 asks, and verifies the labels of any file.

    import labelkit as lk

    label = lk.Label(kind=lk.Kind.GENERATED, content_producer="001191440300708461136T1XGW3", produce_id="2026-000017")
    lk.embed("cat.png", "cat.labelled.png", label)        # every layer that needs no certificate, safe defaults
    report = lk.verify("cat.labelled.png")
    print(report.verdict)                                 # Verdict.CONFIRMED
    for finding in report:                                # one for each layer
        print(finding.layer, finding.status, finding.summary)
    report.require(lk.Layer.WATERMARK, lk.Layer.METADATA) # raises NotLabelled, naming what is missing

Four layers: the explicit label that people see or hear, the watermark inside the signal, the label in
the file's metadata, and the signed C2PA manifest, which needs a certificate:

    plan = lk.Plan(explicit=lk.Explicit(corner="top-left"), provenance=lk.Signer.load("signer.pem"))
    lk.embed("cat.png", "cat.labelled.png", label, plan=plan, key=lk.Key.load("watermark.key"))
    lk.verify("cat.labelled.png", key=lk.Key.load("watermark.key"), trust=lk.TrustList.load("anchors.pem"))

A platform that spreads what its users hand in verifies it, shows a notice and adds its own fields:

    decision = lk.spread("upload.png", "served.png", "PLATFORM", "post-881", declared=False)
    print(decision.tier, decision.notice, decision.label) # tier by the Labeling Measures, Article 6

Paths, bytes, binary files, arrays and Pillow images are all taken. Arrays come back as arrays with the layers in the
signal, or as whole files where a format is named:

    lk.embed(rgb, "cat.webp", label)                      # uint8 [height, width, 3]
    lk.embed(samples, label=label, rate=24_000, format="mp3")  # float32 [frames]; returns bytes

`labelkit.watermark.image` and `.audio` are the carriers alone. Whatever goes wrong is a `LabelkitError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelkit import watermark
    from labelkit.errors import LabelkitError, NotLabelled
    from labelkit.key import Key
    from labelkit.label import Kind, Label
    from labelkit.live import Labeler
    from labelkit.pipeline import embed, verify
    from labelkit.plan import Explicit, Plan, Watermark
    from labelkit.propagate import spread
    from labelkit.provenance import Signer, TrustList
    from labelkit.report import CrossCheck, Finding, Layer, Report, Status, Verdict
    from labelkit.watermark.payload import Payload

__all__ = ["CrossCheck", "Explicit", "Finding", "Key", "Kind", "Label", "Labeler", "LabelkitError", "Layer",
           "NotLabelled", "Payload", "Plan", "Report", "Signer", "Status", "TrustList", "Verdict", "Watermark", "embed",
           "spread", "verify", "watermark"]

_HOMES = {
    "embed": "pipeline", "verify": "pipeline", "spread": "propagate", "Labeler": "live", "Label": "label",
    "Kind": "label", "Key": "key",
    "Plan": "plan", "Explicit": "plan", "Watermark": "plan", "Signer": "provenance", "TrustList": "provenance",
    "Payload": "watermark.payload", "Report": "report", "Finding": "report", "Status": "report", "Layer": "report",
    "Verdict": "report", "CrossCheck": "report", "LabelkitError": "errors", "NotLabelled": "errors",
}


def __getattr__(name: str) -> object:
    """Public names are loaded when they are first used: importing the package costs milliseconds."""
    if name == "watermark":
        return importlib.import_module("labelkit.watermark")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"labelkit.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
