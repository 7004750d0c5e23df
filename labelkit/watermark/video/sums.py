# SPDX-License-Identifier: Apache-2.0
"""Sums of whitened frames: as they lie, and taken back to the first by the motion of the camera.

A mark that moves with the camera does not add up in a plain sum. In an aligned one it does, and so does the picture;
what a codec added to each frame averages out, which decides on smooth ground.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit.watermark.video.camera import ORIGIN, Camera, Placement

# swept 2026-11-28, tables in benchmarks/TUNING.md: KEY_WEIGHT
_KEY_WEIGHT = 3  # of a frame coded alone: after hard compression it carries more of the mark than any predicted one
_DEVIATION = 40.0  # of the int8 plane that a sum is scaled to
_CELL = 8  # pixels a side, of the cells by which the camera is followed


class PlaneSum:
    """The sum of whitened planes of one size; `count` says of how many."""

    def __init__(self) -> None:
        self.count, self._total = 0, np.zeros((0, 0), np.int32)

    def add(self, plane: npt.NDArray[np.int8], key: bool) -> None:
        """Add an int8 plane, with more weight for a key frame. A plane of another size starts the sum anew."""
        if self._total.shape != plane.shape:
            self._total, self.count = np.zeros(plane.shape, np.int32), 0
        self._total += plane
        if key:
            self._total += np.int32(_KEY_WEIGHT - 1) * plane
        self.count += 1

    @property
    def plane(self) -> npt.NDArray[np.int8]:
        """The sum scaled to int8 [height, width]."""
        deviation = float(self._total[::4, ::4].std()) or 1.0
        scaled: npt.NDArray[np.float64] = np.rint(self._total * np.float32(_DEVIATION / deviation))
        return np.clip(scaled, -127, 127).astype(np.int8)


class AlignedSum:
    """The sums of whole and of shrunk planes of frames that follow each other, as they lie on the first of a shot.

    factor  by which the shrunk ones are smaller
    """

    def __init__(self, factor: int) -> None:
        self._factor, self._camera = factor, Camera(_CELL)
        self.whole, self.shrunk = PlaneSum(), PlaneSum()
        self.is_moved = False  # else they are plain sums

    def add(self, luma: npt.NDArray[np.uint8], plane: npt.NDArray[np.int8], small: npt.NDArray[np.int8],
            key: bool) -> None:
        """Add the whitened planes of a frame, uint8 [height, width]; those of a new shot begin anew."""
        height, width = (side // _CELL for side in luma.shape)
        cells = luma[: height * _CELL, : width * _CELL].reshape(height, _CELL, width, _CELL)
        placement = self._camera.follow(cells.sum((1, 3), dtype=np.uint16), _CELL * _CELL, not self.whole.count)
        if placement == ORIGIN and self.is_moved:
            self.whole, self.shrunk, self.is_moved = PlaneSum(), PlaneSum(), False
        self.is_moved |= placement != ORIGIN
        zoom, left, top = placement
        self.whole.add(_placed(plane, placement), key)
        self.shrunk.add(_placed(small, Placement(zoom, left / self._factor, top / self._factor)), key)


def _placed(plane: npt.NDArray[np.int8], placement: Placement) -> npt.NDArray[np.int8]:
    """A plane of a frame as it lies on the first, the nearest sample at each place; 0 where it does not reach."""
    if placement == ORIGIN:
        return plane
    (rows, top, bottom), (columns, left, right) = (
        _nearest(count, placement.zoom, shift) for count, shift in zip(plane.shape, (placement.top, placement.left),
                                                                       strict=True))
    placed = np.zeros_like(plane)
    placed[top:bottom, left:right] = plane[rows][:, columns]
    return placed


def _nearest(count: int, zoom: float, shift: float) -> tuple[npt.NDArray[np.intp], int, int]:
    """Which of `count` samples lie on places of the first frame, and on which from and to."""
    places = np.rint((np.arange(count) - shift) / zoom).astype(np.intp)
    inside = np.flatnonzero((places >= 0) & (places < count))
    if not len(inside):
        return np.zeros(0, np.intp), 0, 0
    return places[inside], int(inside[0]), int(inside[-1]) + 1
