# SPDX-License-Identifier: Apache-2.0
"""A perceptual hash of a picture: 64 bits that stay nearly the same through resizing and compression.

The signs of 64 low frequencies of the brightness against their median (the "pHash" of Zauner, 2010). It finds
candidates in the log when every layer is gone from a file; it proves nothing, and anybody can make a picture that
has a wanted fingerprint. Pictures with hardly any structure (a gradient, a flat ground) have none that is stable.
"""

from __future__ import annotations

import functools

import numpy as np

from labelkit.errors import InvalidArgument

_GRID, _LOW = 32, 8
_SAMPLES = 8  # at least, along each side of a block of the grid; the rest of a large picture is not read
NEAR = 10  # bits; photographs at JPEG q50 or half the size differ in 0 to 8, unrelated ones in 20 to 44


def fingerprint(picture: np.ndarray) -> int:
    """The fingerprint, 64 bits, of uint8 or uint16 [height, width] or [height, width, 3 or 4]; alpha is not seen.

    Raises InvalidArgument for another shape or type.
    """
    if (not isinstance(picture, np.ndarray) or picture.dtype not in (np.uint8, np.uint16) or picture.ndim not in (2, 3)
            or picture.size == 0 or picture.ndim == 3 and picture.shape[2] not in (3, 4)):
        got = f"{picture.dtype} {list(picture.shape)}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise InvalidArgument("a picture is uint8 or uint16 [height, width] or [height, width, 3 or 4], got {got}",
                              got=got)
    small = _shrunk(picture)
    grey = small if small.ndim == 2 else small[..., :3] @ np.array((0.299, 0.587, 0.114))  # ITU-R BT.601
    cosines = _cosines()
    frequencies = (cosines @ grey @ cosines.T).ravel()
    bits = frequencies > np.median(frequencies)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def distance(first: int, second: int) -> int:
    """In how many of the 64 bits two fingerprints differ."""
    return (first ^ second).bit_count()


def _shrunk(picture: np.ndarray) -> np.ndarray:
    """float64 [32, 32] or [32, 32, channels]: means of the picture's blocks, or nearest samples of a smaller one."""
    steps = [max(1, size // (_GRID * _SAMPLES)) for size in picture.shape[:2]]
    picture = picture[::steps[0], ::steps[1]]
    for axis in (0, 1):
        picture = _means(picture, axis)
    return picture


def _means(picture: np.ndarray, axis: int) -> np.ndarray:
    size = picture.shape[axis]
    edges = np.arange(_GRID + 1) * size // _GRID
    if size < _GRID:
        return np.take(picture, edges[:-1], axis).astype(np.float64)
    sums = np.add.reduceat(picture, edges[:-1], axis, dtype=np.float64)
    shape = [1] * picture.ndim
    shape[axis] = _GRID
    return sums / np.diff(edges).reshape(shape)


@functools.cache
def _cosines() -> np.ndarray:
    """float64 [8, 32]: the frequencies 1 to 8 of the DCT-II, without the mean."""
    positions = (2 * np.arange(_GRID) + 1) / (2 * _GRID)
    return np.cos(np.pi * np.arange(1, _LOW + 1)[:, None] * positions)
