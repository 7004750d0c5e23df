# SPDX-License-Identifier: Apache-2.0
"""The spectrum that the finders of audible labels listen to: one for all of them, a minute at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labelkit.codec.resample import Resampler

RATE, FRAME, HOP = 16_000, 512, 160  # Hz, samples: bins of 31 Hz, 10 ms apart
HOP_S = HOP / RATE
BINS = 112  # up to 3.5 kHz: what a telephone passes
OVERLAP_S = 6  # of the blocks: longer than any label that is looked for
_BLOCK_S = 60
_QUIET_S = 0.6  # added at both ends: a label may begin or end with the file


def blocks(samples: np.ndarray, rate: int) -> Iterator[tuple[float, np.ndarray]]:
    """(start in s, power float32 [frames, 112]) of each block of float32 [frames, channels].

    A frame is named by its middle: frame n of a block is centred on start + n * 10 ms.
    """
    mono = np.clip(samples, -10, 10).mean(1, keepdims=True).T.astype(np.float32)
    resampler = Resampler(rate, RATE, 1)
    quiet = np.zeros((1, int(_QUIET_S * rate) + resampler.ahead), np.float32)
    x = resampler.push(np.concatenate([quiet, mono, quiet], axis=1))[0]
    for start in range(0, max(1, len(x) - OVERLAP_S * RATE), (_BLOCK_S - OVERLAP_S) * RATE):
        yield (start + FRAME / 2) / RATE - _QUIET_S, powers(x[start : start + _BLOCK_S * RATE])


def powers(x: np.ndarray) -> np.ndarray:
    """float32 [frames, 112]: the power in each bin of each frame of float32 [n] at 16 kHz."""
    if len(x) < FRAME:
        return np.zeros((0, BINS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(x, FRAME)[::HOP] * np.hanning(FRAME).astype(np.float32)
    spectrum = np.fft.rfft(frames, axis=1)[:, :BINS]
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
