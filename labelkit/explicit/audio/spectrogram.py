# SPDX-License-Identifier: Apache-2.0
"""The spectrogram in which audible labels are searched for, a minute at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.codec.resample import Resampler

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.intp]
Floats: TypeAlias = npt.NDArray[np.floating]

RATE, FRAME, HOP = 16_000, 512, 160  # Hz, samples: bins of 31 Hz, 10 ms apart
HOP_S = HOP / RATE
BINS = 112  # up to 3.5 kHz: what a telephone passes
OVERLAP_S = 8  # of the blocks: longer than any label that is searched for
_BLOCK_S = 60
_PART = 1 << 18  # samples that are worked on at a time
_SILENCE_S = 1.3  # added at both ends: a label may begin or end with the file


def blocks(sound: Iterable[Float32], rate: int) -> Iterator[tuple[float, Float32]]:
    """(start in s, power float32 [frames, 112]) of each block of sound.

    sound  its chunks, float32 [frames, channels] of any sizes
    Frame n of a block is centred on start + n * 10 ms.
    """
    size, step = _BLOCK_S * RATE, (_BLOCK_S - OVERLAP_S) * RATE
    x, start = np.empty(0, np.float32), 0
    for part in _at_16_khz(sound, rate):
        x = np.concatenate([x, part])
        while len(x) >= size:
            yield _placed(start, x[:size])
            x, start = x[step:], start + step
    if not start or len(x) > OVERLAP_S * RATE:
        yield _placed(start, x)


def _at_16_khz(sound: Iterable[Float32], rate: int) -> Iterator[Float32]:
    """The mean of the channels, float32 [n] each, with silence around it."""
    resampler = Resampler(rate, RATE, 1)
    silence = np.zeros((1, int(_SILENCE_S * rate) + resampler.lookahead), np.float32)
    yield resampler.push(silence)[0]
    for chunk in sound:
        for at in range(0, len(chunk), _PART):
            rows = np.clip(chunk[at : at + _PART], -10, 10).T
            yield resampler.push(np.asarray(sum(rows) / len(rows), np.float32)[None])[0]
    yield resampler.push(silence)[0]


def _placed(start: int, x: Float32) -> tuple[float, Float32]:
    return (start + FRAME / 2) / RATE - _SILENCE_S, powers(x)


def powers(x: Float32) -> Float32:
    """float32 [frames, 112]: the power in each bin of each frame of float32 [n] at 16 kHz."""
    if len(x) < FRAME:
        return np.zeros((0, BINS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(x, FRAME)[::HOP] * np.hanning(FRAME).astype(np.float32)
    spectrum = np.fft.rfft(frames, axis=1)[:, :BINS]
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)
