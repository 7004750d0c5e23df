# SPDX-License-Identifier: Apache-2.0
"""A sampling-rate converter for streams: the same samples out whatever the chunks that come in."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from labelkit import kernels

_MAX_PHASES = 1024
_STOP_DB = 50.0
_BETA = 4.53  # Kaiser's, for 50 dB
_ZERO = 1e-12  # what sines of multiples of pi leave is smaller
_EDGE = 0.125  # width of the transition around half the lower rate, as a share of it: 7 to 9 kHz at 16 kHz


@functools.lru_cache(maxsize=32)
def bank(rate: int, to: int) -> tuple[npt.NDArray[np.float32], int, int]:
    """(float32 [phases, taps], up, down) of a Kaiser-windowed sinc; Kaiser and Schafer, 1980. No taps for one rate."""
    if rate == to:
        return np.empty((1, 0), np.float32), 1, 1
    common = math.gcd(rate, to)
    up, down = to // common, rate // common
    low = min(rate, to)
    transition = 2 * np.pi * _EDGE * low / rate
    taps = -(-int((_STOP_DB - 8) / (2.285 * transition) + 1) // 16) * 16
    phases = min(up, _MAX_PHASES)
    offset = np.arange(taps)[None] - (taps // 2 - 1) - (np.arange(phases) / phases)[:, None]
    shape = np.i0(_BETA * np.sqrt(np.maximum(0, 1 - (offset / (taps / 2)) ** 2))) / np.i0(_BETA)
    filters = np.sinc(offset * low / rate) * shape
    filters[np.abs(filters) < _ZERO] = 0  # where outputs are inputs, one tap is left
    return (filters / filters.sum(1, keepdims=True)).astype(np.float32), up, down


class Resampler:
    """Channels of float32 at `rate` in, at `to` out; out sample j lies at the time of j / to seconds exactly."""

    def __init__(self, rate: int, to: int, channels: int) -> None:
        self._bank, self._up, self._down = bank(rate, to)
        self._same = rate == to
        half = 0 if self._same else self._bank.shape[1] // 2
        self.lookahead = half  # how many input samples after its own time an output needs
        self._held = np.zeros((channels, max(half - 1, 0)), np.float32)
        self._position = 0  # of the next output, in 1/up input samples from the start of what is held

    def push(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 [channels, m] out of float32 [channels, n]: all that can be said so far."""
        if self._same:
            return x
        held = np.concatenate([self._held, x], axis=1)
        taps = self._bank.shape[1]
        room = (held.shape[1] - taps + 1) * self._up - self._position  # outputs end before this
        count = max(0, -(-room // self._down))
        out = np.empty((len(held), count), np.float32)
        for channel in range(len(held)):
            kernels.audio_resample(np.ascontiguousarray(held[channel]), self._bank, len(self._bank), self._up,
                                   self._down, self._position, out[channel])
        self._position += count * self._down
        done = min(self._position // self._up, held.shape[1])
        self._held = held[:, done:].copy()
        self._position -= done * self._up
        return out
