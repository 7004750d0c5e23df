# SPDX-License-Identifier: Apache-2.0
"""The watermark: a label inside the signal. `embed` and `detect` on decoded media, whatever their modality.

The carriers for samples in arrays are `labelkit.watermark.image`, `labelkit.watermark.audio` and
`labelkit.watermark.video`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from labelkit.payload import Payload
from labelkit.watermark.candidates import AnyCandidates, Candidates
from labelkit.watermark.carriers import confirm, detect, detect_soundtrack, embed, is_clear, payload_of
from labelkit.watermark.detection import Detection
from labelkit.watermark.finding import find, nowhere

if TYPE_CHECKING:
    from labelkit.watermark import audio, image, video

__all__ = ["AnyCandidates", "Candidates", "Detection", "Payload", "audio", "confirm", "detect", "detect_soundtrack",
           "embed", "find", "image", "is_clear", "nowhere", "payload_of", "video"]


def __getattr__(name: str) -> ModuleType:
    if name in ("image", "audio", "video"):  # imported when first used: `import labelkit` stays light
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
