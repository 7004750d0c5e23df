# SPDX-License-Identifier: Apache-2.0
"""The watermark in pictures.

    marked = image.embed(pixels, payload)        # uint8 [height, width, 3] in and out
    found = image.detect(marked)                 # Detection
"""

from labelkit.watermark.image.batch import embed_batch
from labelkit.watermark.image.detector import detect
from labelkit.watermark.image.embedder import embed

__all__ = ["detect", "embed", "embed_batch"]
