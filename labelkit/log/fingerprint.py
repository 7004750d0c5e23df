# SPDX-License-Identifier: Apache-2.0
"""A perceptual hash of a picture: 64 bits that hardly change under resizing and compression.

Each bit compares one of 64 low frequencies of the luma with their median (pHash, Zauner 2010). It finds candidates in
the log for a file that lost all its layers. It proves nothing: anybody can make a picture with a given fingerprint.
The fingerprint of pictures without structure (gradients, flat areas) is not stable.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from labelkit.errors import InvalidArgument

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float64]

_GRID, _LOW = 32, 8
_SAMPLES = 8  # at least, along each side of a block of the grid; further samples of a large picture are skipped
NEAR = 10  # bits; photographs at JPEG q50 or half the size differ in 0 to 8, unrelated ones in 20 to 44


def fingerprint(picture: Pixels) -> int:
    """The 64-bit fingerprint of uint8 or uint16 [height, width] or [height, width, 3 or 4]; alpha is ignored.

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
    """The number of bits in which two fingerprints differ."""
    return (first ^ second).bit_count()


def _shrunk(picture: Pixels) -> Floats:
    """float64 [32, 32] or [32, 32, channels]: means of the blocks, or nearest samples of a smaller picture."""
    steps = [max(1, size // (_GRID * _SAMPLES)) for size in picture.shape[:2]]
    return _means(_means(picture[::steps[0], ::steps[1]], 0), 1)


def _means(picture: Pixels | Floats, axis: int) -> Floats:
    size = picture.shape[axis]
    edges = np.arange(_GRID + 1) * size // _GRID
    if size < _GRID:
        nearest: Floats = np.take(picture, edges[:-1], axis).astype(np.float64)
        return nearest
    sums = np.add.reduceat(picture, edges[:-1], axis, dtype=np.float64)
    shape = [1] * picture.ndim
    shape[axis] = _GRID
    means: Floats = sums / np.diff(edges).reshape(shape)
    return means


@functools.cache
def _cosines() -> Floats:
    """float64 [8, 32]: the frequencies 1 to 8 of the DCT-II, without the mean."""
    positions = (2 * np.arange(_GRID) + 1) / (2 * _GRID)
    cosines: Floats = np.cos(np.pi * np.arange(1, _LOW + 1)[:, None] * positions)
    return cosines
