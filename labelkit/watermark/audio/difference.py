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
        self._host = np.zeros((channels, HOP), np.float32)  # not yet in two frames; the first frame starts before time
        self._tail = np.zeros((channels, HOP), np.float32)  # what the last frame adds to the next half frame
        self._spectral_pair = np.zeros((2, channels, _LAG), np.float32)  # host and difference, not yet in two frames
        self._spectral_tail = np.zeros((channels, _LAG), np.float32)  # what the last frame adds to the next half frame
        self._energy_pair = np.zeros((2, channels, _AROUND), np.float32)  # host and difference, from sample -32 on
        self._early = HOP + _LAG  # samples before time 0 that the first frames make; they are dropped
        self._mean = np.full(1, -1e9, np.float32)  # loudness up to here, as the kernel keeps it
        self._limiter_scratch = np.empty(_LIMITER_SCRATCH, np.float32)
        self._scratch = np.empty(kernels.audio_mark_scratch(channels), np.float32)
        self.delay = self._down.lookahead + 1 + -(-(FRAME + _LAG + _AROUND + self._up.lookahead + 1) * rate // RATE)

    def push(self, x: Float32) -> Float32:
        """The next float32 [channels, m] of the difference, for the next [channels, n] of the host."""
        self._host = np.concatenate([self._host, self._down.push(x)], axis=1)
        parts = [np.empty((len(x), 0), np.float32)]
        while frames := max(0, (self._host.shape[1] - FRAME) // HOP + 1):
            if self._changes and self._changes[0][0] <= self._frames_done:
                self._apply(self._changes.popleft()[1])
            elif self._changes:
                parts.append(self._mark(min(frames, self._changes[0][0] - self._frames_done)))
            else:
                parts.append(self._mark(frames))
        return np.concatenate(parts, axis=1)

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
        size = frames * HOP
        host = np.ascontiguousarray(self._host[:, : size + HOP])
        out = np.zeros_like(host)
        kernels.audio_mark(host, len(host), frames, roots(), windows()[0], EDGES, self._signs,
                           self._frames_done % PERIOD_FRAMES, self._depths, self._mean, self._scratch, out)
        out[:, :HOP] += self._tail
        self._tail = out[:, size:].copy()
        self._host = self._host[:, size:].copy()
        self._frames_done += frames
        limited = self._limit_energy(self._limit_spectrum(host[:, :size], out[:, :size]))
        early = min(self._early, limited.shape[1])
        self._early -= early
        return self._up.push(limited[:, early:])

    def _limit_spectrum(self, host: Float32, difference: Float32) -> Float32:
        """float32 [2, channels, n]: the host, and the difference limited bin by bin; both 128 samples later."""
        pair = np.concatenate([self._spectral_pair, np.stack([host, difference])], axis=2)
        out = np.zeros_like(pair)
        out[0] = pair[0]
        out[1, :, :_LAG] = self._spectral_tail
        for channel in range(len(host)):
            kernels.audio_shield(pair[0, channel], pair[1, channel], self._spectral_limit, roots(), _WINDOW,
                                 self._limiter_scratch, out[1, channel])
        self._spectral_pair, self._spectral_tail = pair[:, :, -_LAG:].copy(), out[1, :, -_LAG:].copy()
        return out[:, :, :-_LAG]

    def _limit_energy(self, pair: Float32) -> Float32:
        """float32 [channels, n]: the difference limited in time, from [2, channels, n] of host and difference."""
        pair = np.concatenate([self._energy_pair, pair], axis=2)
        count = pair.shape[2] - 2 * _AROUND
        out = np.empty((pair.shape[1], max(count, 0)), np.float32)
        scratch = np.empty(2 * pair.shape[2], np.float32)
        for channel in range(len(out) if count > 0 else 0):
            kernels.audio_limit(pair[0, channel], pair[1, channel], self._energy_limit, scratch, out[channel])
        self._energy_pair = pair[:, :, max(count, 0):].copy()
        return out
