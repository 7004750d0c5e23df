# SPDX-License-Identifier: Apache-2.0
"""The tile of a film as it lies on a frame that the camera has moved to: anywhere, or by whole pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.key import Key
from labelkit.watermark.image import tile
from labelkit.watermark.video import thinned
from labelkit.watermark.video.camera import Placement

_LARGEST = 1024  # LK_TILE_LIMIT: samples a side of the tile that is sampled
# tried on the films of benchmarks/VIDEO.md, 2026-11-28: at 0.5 what is said of a still direction jitters between two
# pixels, and each step is coded; at 0.75 the mark lags behind the picture
_HELD = 0.6  # pixels
Patterns = tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]


class MovedTile:
    """Samples one payload's tile at any placement.

    size             (height, width) of the frames in pixels
    strength, floor  as for `thinned.patterns`
    channels         each sample is repeated for each
    """

    def __init__(self, key: Key, payload: int, size: tuple[int, int], strength: float, floor: float,
                 channels: int) -> None:
        height, width = size
        p = tile.film_period(width, height)
        self.channels, self._size, self._fine = channels, size, max(1, _LARGEST // p)
        flat, textured = thinned.patterns(key, payload, p, strength, floor, fine=self._fine)
        self._both = flat.astype(np.int32) << 8 | textured.view(np.uint8)  # one look-up gives both
        side = max(size)
        self._flat = np.zeros((side, side * channels), np.int16)
        self._textured = np.zeros((side, side * channels), np.int8)
        self._placement: Placement | None = None

    def at(self, placement: Placement) -> Patterns:
        """What `tile.add` adds to a frame, of a period that is the frame's longest side; overwritten by the next call.

        Each pixel gets the sample nearest to it, at most 0.1 pixels away in a frame of 360 lines, 0.25 in one of 1080.
        """
        if placement != self._placement:
            self._placement = placement
            height, width = self._size
            rows = self._samples(height, placement.zoom, placement.top)
            columns = self._samples(width, placement.zoom, placement.left)
            kernels.tile_place(self._both, rows, columns, self.channels, self._flat, self._textured)
        return self._flat, self._textured

    def _samples(self, count: int, zoom: float, shift: float) -> npt.NDArray[np.uint32]:
        """uint32 [count]: the samples nearest to pixels."""
        places = np.rint((zoom * np.arange(count) + shift) * self._fine).astype(np.int64) % len(self._both)
        samples: npt.NDArray[np.uint32] = places.astype(np.uint32)
        return samples


class WholePixels:
    """Where a pan has come to, in whole pixels: those of the frame before as long as they are about as near."""

    def __init__(self) -> None:
        self._left, self._top = 0, 0

    def at(self, placement: Placement) -> tuple[int, int]:
        """(left, top) of the next frame."""
        self._left, self._top = _held(self._left, placement.left), _held(self._top, placement.top)
        return self._left, self._top


def _held(last: int, place: float) -> int:
    return last if abs(place - last) <= _HELD else round(place)
