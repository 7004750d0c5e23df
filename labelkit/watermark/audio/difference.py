# SPDX-License-Identifier: Apache-2.0
"""The signal that marks sound, made as it streams: what has to be added to the host.

The host is analysed at 16 kHz. There the difference is formed, limited in frequency and in time against the host, and
then resampled to the host's rate.
"""

from __future__ import annotations

import collections
import math

import numpy as np

from labelkit import kernels
from labelkit.codec.resample import Resampler
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.inputs import Float32
from labelkit.watermark.audio.pattern import EDGES, FRAME, HOP, PERIOD_FRAMES, RATE, frame_signs, roots, windows

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
_PAST = _LAG + 2 * _AROUND  # samples of the host before a frame that the limiters look at
_LIMITER_SCRATCH = 5 * 1024 + 8 * 129  # floats: LK_AUDIO_SHIELD_SCRATCH
_WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_SHORT) / _SHORT)).astype(np.float32)
_HZ = (EDGES[1:] + EDGES[:-1]) * (RATE / FRAME / 2)
_SHAPE = (_HZ[0] / _HZ) ** SLOPE * np.where((_HZ > CLEAR_HZ[0]) & (_HZ < CLEAR_HZ[1]), CLEAR_SHARE, 1)


class DifferenceMaker:
    """Takes host samples at any rate; gives the difference to be added, at most `delay` host samples later.

    strength   a factor of all depths and limits
    amplitude  the share of its depth that the lowest band gets; others get less of theirs. No share is above 1, and at
               HARD all are 1. `set_amplitude` changes it
    """

    def __init__(self, rate: int, channels: int, payload: Payload | None, key: Key, strength: float,
                 amplitude: float = HARD) -> None:
        self._signs = frame_signs(key, payload)
        self._strength = strength
        self._apply(amplitude)
        self._changes: collections.deque[tuple[int, float]] = collections.deque()
        self._frames_done = 0
        self._down = Resampler(rate, RATE, channels)
        self._up = Resampler(RATE, rate, channels)
        self._host = np.zeros((channels, _PAST + HOP), np.float32)  # and what is not yet in two frames: 0 starts early
        self._tail = np.zeros((channels, HOP), np.float32)  # what the last frame adds to the next half frame
        self._made = np.zeros((channels, _LAG), np.float32)  # of the difference, not yet in two frames of the limiter
        self._limited = np.zeros((channels, _LAG + 2 * _AROUND), np.float32)  # its last samples, and what comes on top
        self._early = HOP + _LAG + _AROUND  # samples before time 0 that the first frames make; they are dropped
        self._mean = np.full(1, -1e9, np.float32)  # loudness up to here, as the kernel keeps it
        self._limiter_scratch = np.empty(_LIMITER_SCRATCH, np.float32)
        self._scratch = np.empty(kernels.audio_mark_scratch(channels), np.float32)
        self.delay = self._down.lookahead + 1 + -(-(FRAME + _LAG + _AROUND + self._up.lookahead + 1) * rate // RATE)

    def push(self, x: Float32) -> Float32:
        """The next float32 [channels, m] of the difference, for the next [channels, n] of the host."""
        self._host = np.concatenate([self._host, self._down.push(x)], axis=1)
        parts = []
        while frames := max(0, (self._host.shape[1] - _PAST - FRAME) // HOP + 1):
            if self._changes and self._changes[0][0] <= self._frames_done:
                self._apply(self._changes.popleft()[1])
            elif self._changes:
                parts.append(self._mark(min(frames, self._changes[0][0] - self._frames_done)))
            else:
                parts.append(self._mark(frames))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(x), 0), np.float32)

    def set_amplitude(self, amplitude: float, at_s: float) -> None:
        """Change the amplitude from a time on, to a frame; times come in ascending order, before the sound there."""
        self._changes.append((round(at_s * RATE / HOP), amplitude))

    def _apply(self, amplitude: float) -> None:
        share = self._strength * min(1.0, amplitude)
        self._depths = (DEPTH * self._strength * (_HZ / 2000) ** TILT * np.where(_HZ > NARROWBAND_HZ, WIDEBAND_SHARE, 1)
                        * np.minimum(1, amplitude * _SHAPE)).astype(np.float32)
        self._spectral_limit, self._energy_limit = SPECTRAL_LIMIT * share, ENERGY_LIMIT * share

    def _mark(self, frames: int) -> Float32:
        """The difference that the next frames of the host complete."""
        size, past = frames * HOP, _PAST
        host = np.ascontiguousarray(self._host[:, past : past + size + HOP])
        made = np.zeros_like(host)
        made[:, :HOP] = self._tail
        kernels.audio_mark(host, len(host), frames, roots(), windows()[0], EDGES, self._signs,
                           self._frames_done % PERIOD_FRAMES, self._depths, self._mean, self._scratch, made)
        self._tail = made[:, size:].copy()
        difference = np.concatenate([self._made, made[:, :size]], axis=1)
        self._made = difference[:, size:].copy()
        limited = self._limit(difference, size)
        self._host = self._host[:, size:].copy()
        self._frames_done += frames
        if self._early:
            early = min(self._early, size)
            self._early -= early
            limited = limited[:, early:]
        return self._up.push(limited)

    def _limit(self, difference: Float32, size: int) -> Float32:
        """float32 [channels, size]: the difference limited bin by bin, then in time, from [channels, 128 + size] of it.

        What comes out lies 128 + 32 samples before the end of what is completed.
        """
        spectral = np.zeros((len(difference), size + _PAST), np.float32)
        spectral[:, :_PAST] = self._limited
        out = np.empty((len(difference), size), np.float32)
        reach = size + 2 * _AROUND
        scratch = np.empty(2 * reach, np.float32)
        for host, channel, limited, to in zip(self._host, difference, spectral, out, strict=True):
            kernels.audio_shield(host[_PAST - _LAG : _PAST + size], channel, self._spectral_limit, roots(), _WINDOW,
                                 self._limiter_scratch, limited[2 * _AROUND :])
            kernels.audio_limit(host[:reach], limited[:reach], self._energy_limit, scratch, to)
        self._limited = spectral[:, size:].copy()
        return out
