# SPDX-License-Identifier: Apache-2.0
"""Loudness of a programme after ITU-R BS.1770-4: the reference for the level of an audible label."""

from __future__ import annotations

import numpy as np

from labelkit.codec.samples import Weights
from labelkit.explicit.audio.spectrogram import Float32, Float64, Floats

SILENT_LUFS = -70.0  # the absolute gate: nothing is softer

# The standard's two biquads at 48 kHz: numerator and denominator in z^-1.
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_SURROUND = 1.41
_USUAL: dict[int, Weights] = {  # L, R, C, LFE, back, side
    4: (1, 1, _SURROUND, _SURROUND), 5: (1, 1, 1, _SURROUND, _SURROUND), 6: (1, 1, 1, 0, _SURROUND, _SURROUND),
    7: (1, 1, 1, 0, 1, _SURROUND, _SURROUND), 8: (1, 1, 1, 0, 1, 1, _SURROUND, _SURROUND)}
_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


def weighting(hz: Floats) -> Float64:
    """|K(f)|^2 of the filters at 48 kHz, whatever the programme's own rate."""
    z = np.exp(-2j * np.pi * np.minimum(hz, 24_000) / 48_000)
    power = np.ones(len(hz))
    for top, bottom in (_SHELF, _PASS):
        power *= np.abs(np.polyval(top[::-1], z) / np.polyval(bottom[::-1], z)) ** 2
    return power


def channel_weights(channels: int, told: Weights | None = None) -> Float32:
    """float32 [channels]: how much each counts (BS.1770-4, table 3), 0 for one of low-frequency effects.

    told  what the file says, else the usual order of so many channels is taken: that of WAV
    """
    weights = told if told is not None and len(told) == channels else _USUAL.get(channels, (1.0,) * channels)
    return np.array(weights if any(weights) else (1.0,) * channels, np.float32)


def spread_lu(weights: Float32) -> float:
    """By how many LU a sound that plays on all channels that count is louder than on one."""
    return float(10 * np.log10(weights.sum()))


def integrated(samples: Float32, rate: int, told: Weights | None = None) -> float:
    """Integrated loudness in LUFS of float32 [frames, channels], -70 where it is silent or under 0.4 s.

    told  the weights of the channels, as for `channel_weights`
    """
    meter = Meter(rate, samples.shape[1], told)
    meter.push(samples)
    return meter.integrated()


class Meter:
    """Measures the integrated loudness of sound as it streams.

    The weighting is applied to the spectrum of each block of 0.4 s instead of in time. The gates are the standard's.
    """

    def __init__(self, rate: int, channels: int, told: Weights | None = None) -> None:
        self._size, self._hop = int(0.4 * rate), max(1, int(0.1 * rate))
        size = max(self._size, 1)
        self._weight = ((weighting(np.fft.rfftfreq(size, 1 / rate)) * 2 / size**2)[:, None]
                        * channel_weights(channels, told))
        self._held = np.empty((0, channels), np.float32)
        self._power: list[float] = []

    def push(self, samples: Float32) -> None:
        """Take in float32 [frames, channels]."""
        held = np.concatenate([self._held, samples]) if len(self._held) else samples
        starts = range(0, len(held) - self._size + 1, self._hop) if self._size else range(0)
        self._power += [float((self._weight * np.abs(np.fft.rfft(held[at : at + self._size], axis=0)) ** 2).sum())
                        for at in starts]
        self._held = held[len(starts) * self._hop :].copy()

    def integrated(self) -> float:
        """The loudness in LUFS of all that was pushed."""
        return _gated(np.array(self._power))


def _gated(power: Float64) -> float:
    loudness = -0.691 + 10 * np.log10(power + 1e-12)
    kept = loudness > SILENT_LUFS
    if not kept.any():
        return SILENT_LUFS
    kept &= loudness > -0.691 + 10 * np.log10(power[kept].mean()) - 10
    return float(-0.691 + 10 * np.log10(power[kept].mean()))
