# SPDX-License-Identifier: Apache-2.0
"""Loudness of a programme after ITU-R BS.1770-4: the reference for the level of an audible label."""

from __future__ import annotations

import functools
import math
from typing import TypeAlias

import numpy as np

from labelkit import kernels
from labelkit.codec.samples import MIN_SAMPLE_RATE, Weights
from labelkit.explicit.audio.spectrogram import Float32, Float64, Floats
from labelkit.kernels.loudness import LANES, STATES

Biquad: TypeAlias = tuple[float, float, float]

SILENT_LUFS = -70.0  # the absolute gate: nothing is softer
_HOPS = 4  # of 0.1 s in a block

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
    """Integrated loudness in LUFS of float32 [frames, channels], -70 where it is silent, under 0.4 s or under 8 kHz.

    told  the weights of the channels, as for `channel_weights`
    """
    meter = Meter(rate, samples.shape[1], told)
    meter.push(samples)
    return meter.integrated()


class Meter:
    """Measures the integrated loudness of sound as it streams.

    The blocks of 0.4 s, 0.1 s apart, and the gates are the standard's; its filters are moved to the sound's own rate,
    which at 8 kHz changes tones by up to 0.3 LU, at 44.1 kHz by 0.01. Values that are not numbers count as silence
    does, with what is pushed together with them.
    """

    def __init__(self, rate: int, channels: int, told: Weights | None = None) -> None:
        self._rate, self._hop = rate, rate // 10
        self._weights = channel_weights(channels, told).astype(np.float64)
        self._state = np.zeros((channels, STATES))
        self._held = np.empty((0, channels), np.float32)
        self._power: list[Float64] = []  # of each hop

    def push(self, samples: Float32) -> None:
        """Take in float32 [frames, channels]."""
        if self._rate < MIN_SAMPLE_RATE:
            return
        held = np.concatenate([self._held, samples]) if len(self._held) else samples
        hops = len(held) // self._hop
        energy = np.empty((hops, len(self._weights)))
        filters, fade, step = _filters(self._rate)
        kernels.audio_loudness(np.ascontiguousarray(held[: hops * self._hop]), len(self._weights), self._hop, filters,
                               fade, step, self._state, np.empty(len(fade) * LANES), energy)
        if not np.isfinite(self._state).all():
            self._state[:] = 0
        self._power.append((energy * self._weights).sum(1) / self._hop)
        self._held = held[hops * self._hop :].copy()

    def integrated(self) -> float:
        """The loudness in LUFS of all that was pushed."""
        power = np.concatenate([np.empty(0), *self._power])
        return _gated(np.convolve(power, np.full(_HOPS, 1 / _HOPS), "valid") if len(power) >= _HOPS else power[:0])


@functools.lru_cache(maxsize=16)
def _filters(rate: int) -> tuple[Float64, Float64, Float64]:
    """What the kernel wants for stretches of 0.1 s: float64 [7], [span, 4] and [2, 4, 4]."""
    (b0, b1, b2), (_, a1, a2) = _at_rate(*_SHELF, rate)
    (gain, *_), (_, c1, c2) = _at_rate(*_PASS, rate)
    becomes = np.array([[-a1, 1, 0, 0], [-a2, 0, 0, 0], [-2 - c1, 0, -c1, 1], [1 - c2, 0, -c2, 0]])  # in silence
    hop = rate // 10
    span = -(-hop // LANES)
    fade, power = np.array([[1.0, 0, 1, 0]]), becomes
    while len(fade) < span:
        fade, power = np.concatenate([fade, fade @ power]), power @ power
    step = np.stack([np.linalg.matrix_power(becomes, count) for count in (span, hop - (LANES - 1) * span)])
    return np.array([b0 * gain, b1 * gain, b2 * gain, a1, a2, c1, c2]), np.ascontiguousarray(fade[:span]), step


def _at_rate(top: Biquad, bottom: Biquad, rate: int) -> tuple[Biquad, Biquad]:
    """A filter of 48 kHz at another rate: the bilinear transform, which keeps its corner frequency where it is."""
    low, high = 1 + bottom[1] + bottom[2], 1 - bottom[1] + bottom[2]
    corner = math.sqrt(low / high)  # tan(pi f / 48,000)
    ratio = math.tan(math.atan(corner) * 48_000 / rate) / corner

    def moved(k: Biquad) -> Biquad:
        square, first, rest = (k[0] - k[1] + k[2]) / ratio**2, 2 * (k[0] - k[2]) / ratio, k[0] + k[1] + k[2]
        return square + first + rest, 2 * (rest - square), square - first + rest
    moved_top, moved_bottom = moved(top), moved(bottom)
    scale = 1 / moved_bottom[0]
    return (moved_top[0] * scale, moved_top[1] * scale, moved_top[2] * scale), (
        1.0, moved_bottom[1] * scale, moved_bottom[2] * scale)


def _gated(power: Float64) -> float:
    """Of the mean power of each block."""
    loudness = -0.691 + 10 * np.log10(power + 1e-12)
    kept = loudness > SILENT_LUFS
    if not kept.any():
        return SILENT_LUFS
    kept &= loudness > -0.691 + 10 * np.log10(power[kept].mean()) - 10
    return float(-0.691 + 10 * np.log10(power[kept].mean()))
