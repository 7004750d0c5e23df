# SPDX-License-Identifier: Apache-2.0
"""The tile of films, thinned out: of each block only the strong cosine coefficients.

An encoder at high quality codes every coefficient of a mark, and small ones cost as many bits as they are many. The
next encoder, at lower quality, deletes them: its quantiser keeps what is above half a step or so. So of each block of
the tile, 8 x 8 pixels on the grid of codecs where the period allows it, only coefficients above a floor are kept, and
the amplitude is higher instead. A key frame of flat art takes a third of the bits for its mark, and after x264 crf 28
and 32 as much is left of it (benchmarks/VIDEO.md). On textured ground the host's noise decides, and all are needed.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from labelkit.key import Key
from labelkit.watermark.image import gain, tile

_BLOCKS = 8, 9, 10  # pixels a side: the first that divides the period
Float64 = npt.NDArray[np.float64]


@functools.lru_cache(maxsize=4)
def patterns(key: Key, payload: int, p: int, strength: float, floor: float, channels: int = 1,
             fine: int = 1) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]:
    """As `tile.patterns` for films, without the coefficients that are weak on flat ground.

    floor  grey levels of the least coefficient of an orthonormal cosine transform that is kept, at strength 1; 0: all
    """
    if not floor:
        return tile.patterns(key, payload, p, strength, channels, bands=tile.FILM, fine=fine)
    flat, textured = tile.patterns(key, payload, p, strength, bands=tile.FILM)
    blocks = [_blocks(plane / unit) for plane, unit in ((flat, tile.FLAT_UNIT), (textured, tile.PATTERN_UNIT))]
    kept = np.abs(blocks[0] + gain.BASE_GAIN / tile.GAIN_UNIT * blocks[1]) >= floor * strength
    thin = [_finer(_joined(each * kept), fine).repeat(channels, axis=1) for each in blocks]
    return (np.rint(thin[0] * tile.FLAT_UNIT).astype(np.int16),
            np.clip(np.rint(thin[1] * tile.PATTERN_UNIT), -127, 127).astype(np.int8))


def _blocks(plane: Float64) -> Float64:
    """float64 [rows, columns, side, side]: the cosine transforms of the blocks of a plane."""
    side = next(side for side in _BLOCKS if len(plane) % side == 0)
    waves = _waves(side)
    blocks: Float64 = waves @ plane.reshape(len(plane) // side, side, -1, side).transpose(0, 2, 1, 3) @ waves.T
    return blocks


def _joined(blocks: Float64) -> Float64:
    """The plane of such transforms."""
    rows, _, side, _ = blocks.shape
    waves = _waves(side)
    joined: Float64 = (waves.T @ blocks @ waves).transpose(0, 2, 1, 3).reshape(rows * side, -1)
    return joined


@functools.cache
def _waves(side: int) -> Float64:
    """float64 [side, side]: the rows are orthonormal cosines."""
    k = np.arange(side)
    waves: Float64 = np.cos(np.pi * (2 * k + 1) * k[:, None] / (2 * side)) * np.sqrt(2 / side)
    waves[0] /= np.sqrt(2)
    return waves


def _finer(plane: Float64, fine: int) -> npt.NDArray[np.floating]:
    """The periodic plane with so many samples for each, both ways."""
    if fine == 1:
        return plane
    p = len(plane)
    half = np.fft.rfft2(plane.astype(np.float32), norm="forward")
    spectrum = np.zeros((fine * p, half.shape[1]), half.dtype)
    spectrum[: (p + 1) // 2], spectrum[-(p // 2):] = half[: (p + 1) // 2], half[-(p // 2):]
    finer: npt.NDArray[np.floating] = np.fft.irfft2(spectrum, (fine * p, fine * p), norm="forward")
    return finer
