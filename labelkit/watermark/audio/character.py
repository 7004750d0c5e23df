# SPDX-License-Identifier: Apache-2.0
"""What tells one kind of sound from another at a glance: how it is coloured, and how much it moves."""

from __future__ import annotations

import math

import numpy as np

from labelkit.watermark.audio.inputs import Float32

# swept 2026-11-29, tables in benchmarks/TUNING.md: COLOUR, MOVEMENT, QUIET, LEAST_SHARE
# of 234 pairs of clips whose needs differ by a third or more the first two tell 224 apart
_COLOUR, _MOVEMENT = 2.0, 1.0  # octaves of power, root of the mean square over bands; octaves of deviation
_QUIET = 10.0  # octaves of power under another sound
_LEAST_SHARE = 0.0625  # of a look in the mean


class Character:
    """The levels of a stretch of sound in every band: their means, the mean of all taken out, and their deviations.

    means, deviations  float32 [bands], log2 of power
    looks              how many stretches it is the mean of
    """

    def __init__(self, means: Float32, deviations: Float32) -> None:
        self.looks, self._colour = 1, means - means.mean()
        self._movement, self._level = math.log2(0.5 + float(deviations.mean())), float((means + deviations).max())

    def differs(self, other: Character, raised: float = 1.0) -> bool:
        """Whether another sound is of another kind, by bars that are raised by a factor."""
        apart = other._colour - self._colour
        return (math.sqrt(float(apart @ apart) / len(apart)) > _COLOUR * raised
                or abs(other._movement - self._movement) > _MOVEMENT * raised)

    def is_under(self, other: Character) -> bool:
        """Whether it is 30 dB quieter, and may be a pause of another one."""
        return self._level < other._level - _QUIET

    def add(self, other: Character) -> None:
        """Take another look into the mean."""
        self.looks += 1
        share = max(_LEAST_SHARE, 1 / self.looks)
        self._colour = self._colour + (other._colour - self._colour) * np.float32(share)
        self._movement += (other._movement - self._movement) * share
        self._level += (other._level - self._level) * share
