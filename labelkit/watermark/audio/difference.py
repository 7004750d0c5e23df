# SPDX-License-Identifier: Apache-2.0
"""Sound marked as it streams: a difference is made, and added to the host.

The host is analysed at 16 kHz. There the difference is formed, limited in frequency and in time against the host, and
then resampled to the host's rate. All of it is one kernel, which keeps what it needs between two calls.
"""

from __future__ import annotations

import collections
import functools
import math

import numpy as np

from labelkit import kernels
from labelkit.codec.resample import bank
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.inputs import MAX_AMPLITUDE, Float32, Samples
from labelkit.watermark.audio.pattern import EDGES, FRAME, HOP, RATE, frame_signs, roots, windows

# swept 2026-11-28, tables in benchmarks/TUNING.md: DEPTH, TILT, WIDEBAND_SHARE, SPECTRAL_LIMIT, ENERGY_LIMIT, SLOPE,
# CLEAR_SHARE
DEPTH = 0.38  # log2 of the amplitude gain of a band 13 dB under the loudest of its frame, at 2 kHz: 2.3 dB
TILT = 0.1  # the depth rises with this power of the frequency
NARROWBAND_HZ, WIDEBAND_SHARE = 3_400, 0.43  # bands above what speech codecs keep cost most and get this share
HARD = math.inf  # the amplitude at which every band has its full depth
SLOPE = 0.3  # below it the share of its depth that a band gets falls with this power of the frequency,
CLEAR_HZ, CLEAR_SHARE = (1_900, 3_400), 0.6  # and is lower where the ear is most sensitive; see AUDIO.md
SPECTRAL_LIMIT = 0.6  # of the host's amplitude in every bin of every 16 ms (-4 dB): spectral gaps are not filled
ENERGY_LIMIT = 0.16  # of the host's amplitude in any 4 ms (-16 dB): no pre-echo, pauses stay silent
_AROUND = 32  # samples on either side that the energy limiter looks at
_SHORT, _LAG = 256, 128  # samples of a frame of the spectral limiter, and between the starts of two
_EARLY = HOP + _LAG + _AROUND  # samples before time 0 that the first frames make; they are dropped
_BATCH = 4 * HOP  # samples at RATE that the kernel makes at once: LK_AUDIO_STREAM_FRAMES
_FRAMES, _TAKEN = 4, 8  # places in the kernel's counts
_ALL = 2**31 - 1  # frames
_WHOLE_BYTES = 2  # of a sample that is a whole number
_BANDS = 128
_HEARD = 1 + 2 * _BANDS  # floats at the end of the state: LK_AUDIO_HEARD
_WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_SHORT) / _SHORT)).astype(np.float32)
_HZ = (EDGES[1:] + EDGES[:-1]) * (RATE / FRAME / 2)
_SHAPE = (_HZ[0] / _HZ) ** SLOPE * np.where((_HZ > CLEAR_HZ[0]) & (_HZ < CLEAR_HZ[1]), CLEAR_SHARE, 1)


class DifferenceMaker:
    """Takes a host at any rate; gives it marked, or the difference alone, at most `delay` host samples later.

    strength   a factor of all depths and limits
    amplitude  the share of its depth that the lowest band gets; others get less of theirs. No share is above 1, and at
               HARD all are 1. `set_amplitude` changes it
    adds       whether the host is in what is given; if not, that is float32
    """

    def __init__(self, rate: int, channels: int, payload: Payload | None, key: Key, strength: float,
                 amplitude: float = HARD, *, adds: bool = False) -> None:
        self._strength, self._adds = strength, adds
        self._depths, self._limits = np.empty(len(_HZ), np.float32), np.empty(2, np.float32)
        self._apply(amplitude)
        self._changes: collections.deque[tuple[int, float]] = collections.deque()
        (down_bank, up, down), (up_bank, *_) = bank(rate, RATE), bank(RATE, rate)
        ahead, ahead_back = down_bank.shape[1] // 2, up_bank.shape[1] // 2  # samples that the filters look ahead
        lead, lead_back = max(0, ahead - 1), max(0, ahead_back - 1)
        self._up, self._down, self._ahead = up, down, (ahead, ahead_back)
        self.delay = ahead + 1 + -(-(FRAME + _LAG + _AROUND + ahead_back + 1) * rate // RATE)
        rooms = lead + self.delay + _BATCH * down // up + 1, 2 * ahead_back + down // up + 1 + 2 * _BATCH
        self._counts = np.array([0, lead, 0, HOP + _LAG + 2 * _AROUND, 0, _EARLY, lead_back, 0, 0, 0], np.int64)
        state = np.zeros(kernels.audio_stream_state(channels, *rooms), np.float32)
        self._heard, self._counted = state[-_HEARD:], 0  # frames of the mark in what is heard
        self._heard[0] = -1e9
        form = kernels.audio_stream_form(
            channels, *rooms, up, down, down_bank, up_bank, roots(), windows()[0], _WINDOW, EDGES,
            frame_signs(key, payload), self._depths, self._limits, adds, self._counts, state,
            np.empty(kernels.audio_stream_scratch(channels), np.float32))
        self._stream = functools.partial(kernels.audio_stream, form)
        self._pushed = self._given = 0

    def ready(self, frames: int) -> int:
        """How many frames `push` gives for so many."""
        ahead, ahead_back = self._ahead
        near = -(-(self._pushed + frames - ahead) * self._up // self._down)
        made: int = near // HOP * HOP - _EARLY - ahead_back
        return max(0, -(-made * self._down // self._up) - self._given)

    def push(self, chunk: Samples, out: Samples | None = None) -> Samples:
        """What is ready, with the axes and (where the host is in it) the dtype of the chunk.

        chunk  float32 or int16, [frames] or [frames, channels]
        out    where it goes, of `ready` frames, C-contiguous; None makes a new array
        Raises InvalidArgument, and then has taken nothing in, for samples that are not finite or too large.
        """
        if out is None:
            out = np.empty((self.ready(len(chunk)), *chunk.shape[1:]), chunk.dtype if self._adds else np.float32)
        self.push_into(chunk, out)
        return out

    def push_into(self, chunk: Samples, room: Samples) -> int:
        """Put what is ready at the start of `room`, as far as there is room, and return how many frames that are.

        `delay` frames more than the chunk has are always enough; for the rest see `push`.
        """
        if self._changes:
            given = self._make_changing(np.require(chunk, None, ["C", "A"]), room)
        else:  # as _make does: a call less for each chunk
            try:
                given = self._stream(chunk, _ALL, chunk.itemsize == _WHOLE_BYTES, room)
            except ValueError:
                if chunk.flags.c_contiguous and chunk.flags.aligned:  # asked here, because it is dear to ask each time
                    raise
                given = self._stream(chunk.copy(), _ALL, chunk.itemsize == _WHOLE_BYTES, room)
            if given < 0:
                raise _no_numbers()
        self._pushed += len(chunk)
        self._given += given
        return given

    def finish(self, like: Samples) -> Samples:
        """The rest, with the dtype and axes of `like`; the maker cannot be used again."""
        left = self._pushed - self._given
        return self.push(np.zeros((self.delay, *like.shape[1:]), like.dtype))[:left]

    def _make(self, chunk: Samples, room: Samples, most: int) -> int:
        """Up to so many frames of the mark; returns how many frames of the host are given."""
        given = self._stream(chunk, most, chunk.itemsize == _WHOLE_BYTES, room)
        if given < 0:
            raise _no_numbers()
        return given

    def _make_changing(self, chunk: Samples, room: Samples) -> int:
        """Frames up to the next change of the amplitude, and so on."""
        counts, given = self._counts, 0
        while self._changes:
            given += self._make(chunk, room[given:], max(0, self._changes[0][0] - counts.item(_FRAMES)))
            chunk = chunk[counts.item(_TAKEN) :]
            if self._changes[0][0] > counts.item(_FRAMES):
                return given
            self._apply(self._changes.popleft()[1])
        return given + self._make(chunk, room[given:], _ALL)

    def heard(self) -> tuple[Float32, Float32]:
        """float32 [76] each: mean and deviation of log2 of the host's power in every band since the last call."""
        frames, bands = self._counts.item(_FRAMES), len(_HZ)
        sums, squares = self._heard[1 : 1 + bands], self._heard[1 + _BANDS : 1 + _BANDS + bands]
        scale = np.float32(1 / max(1, frames - self._counted))
        means = sums * scale
        deviations = np.sqrt(np.maximum(squares * scale - np.square(means), 0))
        self._counted, self._heard[1:] = frames, 0
        return means, deviations

    def set_amplitude(self, amplitude: float, at_s: float) -> None:
        """Change the amplitude from a time on, to a frame; times come in ascending order, before the sound there."""
        self._changes.append((round(at_s * RATE / HOP), amplitude))

    def _apply(self, amplitude: float) -> None:
        share = self._strength * min(1.0, amplitude)
        self._depths[:] = (DEPTH * self._strength * (_HZ / 2000) ** TILT
                           * np.where(_HZ > NARROWBAND_HZ, WIDEBAND_SHARE, 1) * np.minimum(1, amplitude * _SHAPE))
        self._limits[:] = SPECTRAL_LIMIT * share, ENERGY_LIMIT * share


def _no_numbers() -> InvalidArgument:
    return InvalidArgument("samples hold values that are not numbers or above {largest:g}", largest=MAX_AMPLITUDE)
