# SPDX-License-Identifier: Apache-2.0
"""The pattern of the audio watermark: which bands of which frames a key and a payload raise and lower.

Frames of 64 ms start every 32 ms; a *row* is six of them. A *chip* is a pair of neighbouring bands over one row: its
sign decides which of the two is louder in the first three frames; in the last three it is the other one. A sum over
such a checkerboard holds little of any host, because loudness changes slowly in time and in frequency: on 10 s of
speech and music the correlation rose from 8.7 standard deviations (single cells with random signs) to 37, at equal
PESQ.

A *period* is 16 rows of 38 chips, 3.07 s. Six chips of each row have known signs, so that the detector finds the start
of a period; the other 512 carry the code bits in a keyed order with keyed signs. A mark that carries presence alone
has signs of its own at all 608 chips: with no bits to read, about a second of sound is enough to find it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit.kernels import fourier
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import ecc
from labelkit.watermark.audio.inputs import Float32, Float64

RATE = 16_000  # Hz, of the analysis; the host keeps its own rate
FRAME, HOP = 1024, 512  # samples at RATE
ROWS, ROW_FRAMES = 16, 6
CODE_BITS = 512
SYNC_PER_ROW = 6
PERIOD_FRAMES = ROWS * ROW_FRAMES


def _edges() -> npt.NDArray[np.uint16]:
    """uint16 [77]: first bin of each band, 469 Hz to 6,875 Hz; a band is three bins or 2.85 % wide, whichever is more.

    Three bins (47 Hz) are what a frame of 64 ms resolves; below 450 Hz a mark costs PESQ and adds little robustness.
    """
    edges = [30]
    while edges[-1] < 440:
        edges.append(edges[-1] + max(3, round(edges[-1] * 0.0285)))
    return np.array(edges, np.uint16)


EDGES = _edges()
BANDS = len(EDGES) - 1
PAIRS = BANDS // 2
_CHIP = np.kron(np.repeat([[1], [-1]], 3, axis=0), [[1, -1]]).astype(np.int8)  # one chip: 6 frames x 2 bands


@dataclass(frozen=True, eq=False, slots=True)
class Pattern:
    """The chips of one key.

    sync        int8 [16, 38]: the known signs, 0 at chips that carry code bits
    code_chips  int64 [512]: the chip of each code bit, counted row by row
    code_signs  int8 [512]: the sign that stands for code bit 0 there
    presence    int8 [16, 38]: every sign of a mark that carries presence alone, independent of the others
    """

    sync: npt.NDArray[np.int8]
    code_chips: npt.NDArray[np.intp]
    code_signs: npt.NDArray[np.int8]
    presence: npt.NDArray[np.int8]

    def chips(self, payload: Payload | None) -> Float32:
        """float32 [16, 38]: the sign of every chip for `payload`, or None for presence alone."""
        if payload is None:
            return self.presence.astype(np.float32)
        chips = self.sync.astype(np.float32)
        code = ecc.encode(int(payload), CODE_BITS).astype(np.int8)
        chips.reshape(-1)[self.code_chips] = self.code_signs * (1 - 2 * code)
        return chips

    def read(self, folded: Float64, list_size: int) -> Payload | None:
        """The payload in float64 [16, 38] sums of chips, or None; the decoder keeps a list of `list_size` words."""
        value = ecc.decode(folded.reshape(-1)[self.code_chips] * self.code_signs, list_size)
        return None if value is None else Payload.from_int(value)


@functools.lru_cache(maxsize=64)
def pattern(key: Key) -> Pattern:
    """The pattern of `key`."""
    groups = np.array_split(np.arange(PAIRS), SYNC_PER_ROW)
    draws = key.stream("audio/sync-places").uniform(ROWS * SYNC_PER_ROW).reshape(ROWS, SYNC_PER_ROW)
    sync = np.zeros((ROWS, PAIRS), np.int8)
    columns = np.array([[group[int(draw * len(group))] for group, draw in zip(groups, row, strict=True)]
                        for row in draws])
    signs = key.stream("audio/sync-signs").signs(ROWS * SYNC_PER_ROW).reshape(ROWS, SYNC_PER_ROW)
    np.put_along_axis(sync, columns, signs, axis=1)
    unsigned = np.flatnonzero(sync.reshape(-1) == 0)
    code_chips = unsigned[key.stream("audio/code-order").permutation(CODE_BITS)]
    presence = key.stream("audio/presence").signs(ROWS * PAIRS).reshape(ROWS, PAIRS)
    return Pattern(sync, code_chips, key.stream("audio/code-signs").signs(CODE_BITS), presence)


@functools.lru_cache(maxsize=64)
def frame_signs(key: Key, payload: Payload | None) -> npt.NDArray[np.int8]:
    """int8 [96, 76]: the direction of each band in each frame of a period."""
    chips = pattern(key).chips(payload).astype(np.int8)
    return np.ascontiguousarray(np.kron(chips, _CHIP), np.int8)


@functools.cache
def roots() -> Float32:
    """float32 [LK_AUDIO_ROOTS]: the twiddle factors of the transforms, as native/lk_audio.h states them."""
    every = fourier.roots()
    butterflies, j = np.arange(FRAME // 8), np.arange(6)[:, None]
    steps = [every[place * (j // 2 + 1), j % 2] for place in (2 * butterflies, 8 * (butterflies // 4))]
    return np.concatenate([every.reshape(-1), *(one.reshape(-1) for one in steps)])


@functools.cache
def windows() -> tuple[Float32, Float32]:
    """float32 [1024] each: the embedder's window (its square sums to 1 over frames) and the detector's, its square."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    return np.sqrt(hann).astype(np.float32), hann.astype(np.float32)
