# SPDX-License-Identifier: Apache-2.0
"""Loudness of a programme after ITU-R BS.1770-4: what the level of an audible label is set against."""

from __future__ import annotations

import numpy as np

SILENT_LUFS = -70.0  # the absolute gate: nothing is softer

# The standard's two biquads at 48 kHz: numerator and denominator in z^-1.
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


def _weighting(hz: np.ndarray) -> np.ndarray:
    """|K(f)|^2, taken at 48 kHz whatever the programme's own rate."""
    z = np.exp(-2j * np.pi * np.minimum(hz, 24_000) / 48_000)
    power = np.ones(len(hz))
    for top, bottom in (_SHELF, _PASS):
        power *= np.abs(np.polyval(top[::-1], z) / np.polyval(bottom[::-1], z)) ** 2
    return power


def integrated(samples: np.ndarray, rate: int) -> float:
    """Integrated loudness in LUFS of float32 [frames, channels], -70 where it is silent or under 0.4 s.

    The weighting is applied to the spectrum of each block of 0.4 s instead of in time; the gates are the standard's.
    """
    size, hop = int(0.4 * rate), int(0.1 * rate)
    starts = range(0, len(samples) - size + 1, hop)
    weight = _weighting(np.fft.rfftfreq(size, 1 / rate)) * 2 / size**2
    power = np.array([float((weight[:, None] * np.abs(np.fft.rfft(samples[at : at + size], axis=0)) ** 2).sum())
                      for at in starts])
    return _gated(power)


def _gated(power: np.ndarray) -> float:
    loudness = -0.691 + 10 * np.log10(power + 1e-12)
    kept = loudness > SILENT_LUFS
    if not kept.any():
        return SILENT_LUFS
    kept &= loudness > -0.691 + 10 * np.log10(power[kept].mean()) - 10
    return float(-0.691 + 10 * np.log10(power[kept].mean()))
