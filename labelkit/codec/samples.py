# SPDX-License-Identifier: Apache-2.0
"""Decoded media: the samples that the signal layers work on, and what encode needs to write them like the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class ImageSamples:
    """A picture or an animation as a viewer shows it: upright, frames fully composed.

    frames  uint8 or uint16 arrays [height, width], [height, width, 3] RGB or [height, width, 4] RGB + straight
            alpha; may be read-only; the pages of a TIFF may differ in size
    source  what the codec remembers of the encoded file; its business alone
    """

    frames: tuple[np.ndarray, ...]
    source: object = field(default=None, repr=False)

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> ImageSamples:
        """The same file with `change` applied to every frame."""
        return replace(self, frames=tuple(change(frame) for frame in self.frames))


@dataclass(frozen=True, slots=True)
class AudioSamples:
    """A clip of sound.

    samples  float32 [frames, channels], full scale +-1
    rate     frames per second, Hz
    source   what the codec remembers of the encoded file; its business alone
    """

    samples: np.ndarray
    rate: int
    source: object = field(default=None, repr=False)


Samples = ImageSamples | AudioSamples
