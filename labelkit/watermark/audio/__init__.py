# SPDX-License-Identifier: Apache-2.0
"""The audio watermark: 64 bits in the loudness of neighbouring frequency bands.

    marked = audio.embed(samples, 48_000, payload)            # a whole clip
    marker = audio.AudioMarker(24_000, 1, payload)            # a stream, its samples at most 80 ms later
    found = audio.detect(marked, 48_000)                      # Detection

`pattern` says what a key and a payload do to which band, `difference` makes the signal that is added, `margin` measures
how much of it a sound needs, `embedder` adds it. `synchronizer` finds the pattern again, `significance` decides,
`presence` finds marks without an id, `detector` runs them over a stream.
"""

from labelkit.watermark.audio.detector import AudioDetector, detect
from labelkit.watermark.audio.embedder import AudioMarker, embed, embed_in_blocks

__all__ = ["AudioDetector", "AudioMarker", "detect", "embed", "embed_in_blocks"]
