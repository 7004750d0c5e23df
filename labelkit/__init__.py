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

Many files are verified on all cores, each in its turn:

    for report in lk.verify_many(paths):                  # a Report, or the LabelkitError of a file that cannot be read
        print(report)

A platform that spreads what its users hand in verifies it, shows a notice and adds its own fields:

    decision = lk.propagate("upload.png", "served.png", "PLATFORM", "post-881", declared=False)
    print(decision.tier, decision.notice, decision.label) # tier by the Labeling Measures, Article 6

Paths, bytes, binary files, arrays and Pillow images are all taken. Arrays come back as arrays with the layers in the
signal, or as whole files where a format is named:

    lk.embed(rgb, "cat.webp", label)                      # uint8 [height, width, 3]
    lk.embed(samples, label=label, rate=24_000, format="mp3")  # float32 [frames]; returns bytes
    files = list(lk.embed_many(images, labels, format="png"))  # a batch: one label for each, on all cores

Texts are files (TXT, Markdown, HTML, SRT, VTT, ASS, JSON of chats) or strings, which name their format and come back as
strings; text that a model streams is labelled as it comes:

    lk.embed(answer, label=label, format="markdown")      # words at the start, the label in the front matter
    for piece in lk.TextLabeller().pieces(model): ...     # words before the first piece

`labelkit.watermark.image` and `.audio` are the carriers alone. Whatever goes wrong is a `LabelkitError`.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING

from labelkit.distribution import __version__, warn_of_foreign_files

if TYPE_CHECKING:
    from labelkit import watermark
    from labelkit.confirmation import SampledCheck
    from labelkit.errors import LabelkitError, NotLabelled
    from labelkit.key import Key
    from labelkit.label import Kind, Label
    from labelkit.log_recorder import Audit
    from labelkit.many import embed_many, verify_many
    from labelkit.payload import Payload
    from labelkit.pipeline import embed, verify
    from labelkit.plan import Explicit, Plan, Watermark
    from labelkit.propagation import propagate
    from labelkit.provenance import Signer, TrustList
    from labelkit.report import CrossCheck, Finding, Layer, Report, Status, Verdict
    from labelkit.streaming import Labeller
    from labelkit.texts import TextLabeller

__all__ = ["Audit", "CrossCheck", "Explicit", "Finding", "Key", "Kind", "Label", "LabelkitError", "Labeller", "Layer",
           "NotLabelled", "Payload", "Plan", "Report", "SampledCheck", "Signer", "Status", "TextLabeller", "TrustList",
           "Verdict", "Watermark", "__version__", "embed", "embed_many", "propagate", "verify", "verify_many",
           "watermark"]

_HOMES = {
    "embed": "pipeline", "verify": "pipeline", "embed_many": "many", "verify_many": "many",
    "propagate": "propagation", "Labeller": "streaming", "TextLabeller": "texts", "Label": "label",
    "Kind": "label", "Key": "key",
    "SampledCheck": "confirmation", "Plan": "plan", "Audit": "log_recorder", "Explicit": "plan",
    "Watermark": "plan", "Signer": "provenance", "TrustList": "provenance",
    "Payload": "payload", "Report": "report", "Finding": "report", "Status": "report", "Layer": "report",
    "Verdict": "report", "CrossCheck": "report", "LabelkitError": "errors", "NotLabelled": "errors",
}


warn_of_foreign_files()


if not TYPE_CHECKING:  # else a checker takes every name for one of ours
    def __getattr__(name: str) -> object:
        """Public names are loaded when they are first used: importing the package costs milliseconds."""
        if name == "watermark":
            return importlib.import_module("labelkit.watermark")
        if name in _HOMES:
            value = getattr(importlib.import_module(f"labelkit.{_HOMES[name]}"), name)
            globals()[name] = value
            return value
        if name == "Labeler":
            warnings.warn("labelkit.Labeler is now labelkit.Labeller", DeprecationWarning, stacklevel=2)
            return importlib.import_module("labelkit.streaming").Labeller
        if name == "spread":
            warnings.warn("labelkit.spread is now labelkit.propagate", DeprecationWarning, stacklevel=2)
            return importlib.import_module("labelkit.propagation").propagate
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
