# SPDX-License-Identifier: Apache-2.0
"""The watermark in films: the picture's tile on the luma of every frame, at one origin in all.

    marked = video.embed(samples, payload)                  # VideoSamples in and out
    found = video.detect(marked)                            # Detection, with the marked stretches in seconds
    for frame in video.mark_frames(frames, payload): ...    # uint8 [height, width, 3], without a file
    found = video.detect_frames(frames, rate=25)
"""

from labelkit.watermark.video.detector import detect, detect_frames
from labelkit.watermark.video.marker import Marker, embed, mark_frames

__all__ = ["Marker", "detect", "detect_frames", "embed", "mark_frames"]
