# SPDX-License-Identifier: Apache-2.0
"""Embedding in sound as it streams: analyse at 16 kHz, form the difference, bring it to the host's rate, add it."""

from __future__ import annotations

import numpy as np

from labelkit import kernels
from labelkit.codec.resample import Resampler
from labelkit.key import Key
from labelkit.watermark.audio_pattern import EDGES, FRAME, HOP, PERIOD_FRAMES, RATE, frame_signs, roots, windows
from labelkit.watermark.payload import Payload

DEPTH = 0.38  # log2 of the amplitude gain of a band 13 dB under the loudest of its frame, at 2 kHz: 2.3 dB
TILT = 0.1  # depth rises with this power of the frequency,
NARROW, WIDE = 3_400, 0.43  # Hz: what speech codecs keep; above it a mark costs most and gets this share
SHIELD = 0.6  # the difference stays 4 dB under the host in every bin of every 16 ms: holes are not filled,
LIMIT = 0.16  # and 16 dB under it in any 4 ms: no pre-echo, pauses stay silent
_AROUND = 32  # samples on either side that the limiter looks at
_SHORT, _LAG = 256, 128  # samples of a frame of the shield; these start so far apart
_PARTS = 10 * 1024 + 16 * 129  # floats of its scratch: LK_AUDIO_SHIELD_SCRATCH
_WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_SHORT) / _SHORT)).astype(np.float32)


class DifferenceMaker:
    """Host samples at any rate in, the difference to be added out, later by `delay` host samples at most."""

    def __init__(self, rate: int, channels: int, payload: Payload | None, key: Key, strength: float) -> None:
        self._signs = frame_signs(key, payload)
        hz = (EDGES[1:] + EDGES[:-1]) * (RATE / FRAME / 2)
        self._depths = (DEPTH * strength * (hz / 2000) ** TILT * np.where(hz > NARROW, WIDE, 1)).astype(np.float32)
        self._shield, self._limit = SHIELD * strength, LIMIT * strength
        self._down = Resampler(rate, RATE, channels)
        self._up = Resampler(RATE, rate, channels)
        self._host = np.zeros((channels, HOP), np.float32)  # not yet in two frames; the first frame starts before time
        self._tail = np.zeros((channels, HOP), np.float32)  # what the last frame adds to the next half frame
        self._pair = np.zeros((2, channels, _LAG), np.float32)  # host and difference at the shield, not yet in two
        self._rest = np.zeros((channels, _LAG), np.float32)  # what its last frame adds to the next half frame
        self._near = np.zeros((2, channels, _AROUND), np.float32)  # host and difference at the limiter, from -32 on
        self._early = HOP + _LAG  # samples before time 0 that the first frames make and nobody wants
        self._phase = 0
        self._mean = np.full(1, -1e9, np.float32)  # loudness up to here, as the kernel keeps it
        self._parts = np.empty(_PARTS, np.float32)
        self._scratch = np.empty(kernels.audio_mark_scratch(channels), np.float32)
        self.delay = self._down.ahead + 1 + -(-(FRAME + _LAG + _AROUND + self._up.ahead + 1) * rate // RATE)

    def push(self, x: np.ndarray) -> np.ndarray:
        """float32 [channels, m] of difference, following on what was given, for [channels, n] of host."""
        self._host = np.concatenate([self._host, self._down.push(x)], axis=1)
        frames = max(0, (self._host.shape[1] - FRAME) // HOP + 1)
        if not frames:
            return np.empty((len(x), 0), np.float32)
        size = frames * HOP
        host = np.ascontiguousarray(self._host[:, : size + HOP])
        out = np.zeros_like(host)
        kernels.audio_mark(host, len(host), frames, roots(), windows()[0], EDGES, self._signs, self._phase,
                           self._depths, self._mean, self._scratch, out)
        out[:, :HOP] += self._tail
        self._tail = out[:, size:].copy()
        self._host = self._host[:, size:].copy()
        self._phase = (self._phase + frames) % PERIOD_FRAMES
        limited = self._limited(self._shielded(host[:, :size], out[:, :size]))
        early = min(self._early, limited.shape[1])
        self._early -= early
        return self._up.push(limited[:, early:])

    def _shielded(self, host: np.ndarray, difference: np.ndarray) -> np.ndarray:
        """float32 [2, channels, n]: what was given, the difference lowered, both later by 128 samples."""
        pair = np.concatenate([self._pair, np.stack([host, difference])], axis=2)
        out = pair.copy()
        out[1] = 0
        out[1, :, :_LAG] = self._rest
        for channel in range(len(host)):
            kernels.audio_shield(pair[0, channel], pair[1, channel], self._shield, roots(), _WINDOW, self._parts,
                                 out[1, channel])
        self._pair, self._rest = pair[:, :, -_LAG:].copy(), out[1, :, -_LAG:].copy()
        return out[:, :, :-_LAG]

    def _limited(self, pair: np.ndarray) -> np.ndarray:
        pair = np.concatenate([self._near, pair], axis=2)
        count = pair.shape[2] - 2 * _AROUND
        out = np.empty((pair.shape[1], max(count, 0)), np.float32)
        scratch = np.empty(2 * pair.shape[2], np.float32)
        for channel in range(len(out) if count > 0 else 0):
            kernels.audio_limit(pair[0, channel], pair[1, channel], self._limit, scratch, out[channel])
        self._near = pair[:, :, max(count, 0):].copy()
        return out
