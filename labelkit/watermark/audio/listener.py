# SPDX-License-Identifier: Apache-2.0
"""When a stream of sound is measured: after its first seconds, ever more rarely, and where its sound changes.

A look is taken at each half period of the pattern, at the levels that the kernel has of every band (character.py).
Sound that differs from what was heard so far for three looks in a row is another one: an organ after speech, or a
concert after an announcement. A measurement (margin.py) takes a period of sound, and so a change is followed after 4 to
6 s. What is silent does not count, and sound 30 dB under what was heard, which may be a pause, only after 14 s.
"""

from __future__ import annotations

import math

import numpy as np

from labelkit.watermark.audio import margin
from labelkit.watermark.audio.character import Character
from labelkit.watermark.audio.inputs import Float32, Samples

STREAM_S = 10.0  # of a stream are to be enough
UNHEARD = 1.2  # before anything of a stream was heard: about what ten seconds of speech get
# swept 2026-11-29, tables in benchmarks/TUNING.md: FIRST_LOOKS, MOST_LOOKS, MEAN_OF, LITTLE, HIGHER, HIGHEST, ODD,
# ODD_AND_QUIET, UNHEARD, STREAM_S, SILENT
_FIRST, _LONGEST = 4, 32  # looks between the first two measurements, and at most; three times as many each time
_MEAN_OF = 4  # measurements of one sound: two periods of one voice differ by up to a third
_LITTLE, _HIGHER, _HIGHEST = 0.223, 1.5, 4.0  # ln 1.25: an alarm that changes little raises the bar of the next
_ODD, _ODD_AND_QUIET = 3, 9  # looks in a row
_SILENT = -36.0  # log2 of power: digital silence is -43


class Listener:
    """Measures a stream as it is heard; its changes fall at the same samples whatever the chunks.

    left      frames before the next look
    collects  whether chunks are to be passed to `hear`; if not, `left` is for the caller to lower
    """

    def __init__(self, rate: int) -> None:
        self._rate, self._block = rate, math.ceil(margin.PERIOD_S * rate / 2) + 1
        self._memory: Samples | None = None  # of a period, its first `held` frames
        self._held = self._looks = 0
        self.left, self.collects = self._block, True
        self._known: Character | None = None
        self._odd, self._raised = 0, 1.0  # looks that differ from what is known; what the bars are raised by
        self._next, self._gap = 2, _FIRST  # sound looks at which it is measured, and those until the one after it
        self._need, self._measured = 0.0, 0  # mean of the logarithms, and of how many

    @property
    def heard_s(self) -> float:
        """Seconds until the last look."""
        return self._looks * self._block / self._rate

    def hear(self, chunk: Samples) -> None:
        """Take in a chunk that ends before the next look, or with it."""
        if self.collects:
            if self._memory is None:
                self._memory = np.empty((2 * self._block, *chunk.shape[1:]), chunk.dtype)
            self._memory[self._held : self._held + len(chunk)] = chunk
            self._held += len(chunk)
        self.left -= len(chunk)

    def look(self, means: Float32, deviations: Float32) -> float | None:
        """The amplitude that holds from here on, or None: as before.

        means, deviations  float32 [76] each, of the levels of every band since the last look
        """
        self._looks, self.left = self._looks + 1, self._block
        if means.max() < _SILENT:
            self._held = self._odd = 0
            return None
        heard, known = Character(means, deviations), self._known
        if known is None:
            known = self._known = heard
        elif known.differs(heard, self._raised):
            self._odd += 1
            self._held = 0 if self._odd == 1 else self._held
        else:
            known.add(heard)
            self._odd = 0
        changed = self._odd >= (_ODD_AND_QUIET if heard.is_under(known) else _ODD)
        amplitude = None
        if self._held == 2 * self._block:
            if changed or not self._odd and known.looks >= self._next:
                amplitude = self._measure(heard, changed)
            self._held = 0
        looks = known.looks if amplitude is None or not changed else 1
        self.collects = self._odd > 0 or looks >= self._next - 2
        self._held *= self.collects
        return amplitude

    def _measure(self, heard: Character, changed: bool) -> float:
        """The amplitude for what was collected; of a sound that was measured before the mean."""
        assert self._memory is not None
        need = math.log(margin.amplitude(self._memory, self._rate, STREAM_S))
        if changed:
            little = abs(need - self._need) < _LITTLE
            self._raised = min(self._raised * _HIGHER, _HIGHEST) if little else 1.0
            self._known, self._odd = heard, 0
            self._next, self._gap = 1 + _FIRST, 3 * _FIRST
            self._measured = self._measured if little else 0
        else:
            self._next, self._gap = self._next + self._gap, min(3 * self._gap, _LONGEST)
        self._measured += 1
        self._need += (need - self._need) / min(self._measured, _MEAN_OF)
        return math.exp(self._need)
