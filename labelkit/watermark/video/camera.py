# SPDX-License-Identifier: Apache-2.0
"""Follow the camera of a film: the zoom and the shift that take each frame back to an earlier one.

Frames are compared as grids of cell brightness. The least squares fit of a zoom and a shift (Lucas and Kanade, 1981),
with Huber weights for what moves by itself, starts from the motion of the frame before. What a fit does not explain
clearly better than no motion counts as none, so that a still camera stays exactly still; a zoom that explains no better
than a shift counts as none, so that a pan keeps its size. Flat art counts as still: its ground, which is most of it,
does not tell how it moves, and an encoder skips it as long as nothing moves on it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labelkit import kernels

Grid = npt.NDArray[np.float32]

_CELLS = 3_600  # of a grid, of 640 x 360 pixels: more, as of 720p, tell no more and take longer
_STEPS = 3  # of each fit, at most; the start is good
_SETTLED = 0.02  # cells: a smaller step is the last
_RENEWED, _MAX_MOVED = 24, 0.3  # frames and share of a side after which frames are compared with a newer one
# swept 2026-11-28, tables in benchmarks/TUNING.md: BETTER, EXPLAINED
_BETTER = 0.985  # of the error: a motion that explains no more is none
_EXPLAINED, _CUT = 0.35, 0.7  # of the contrast: errors below the first are of a camera, above the second of a cut
# tried on the films of benchmarks/VIDEO.md, 2026-11-28: pans leave 0.89 or more, zooms up to 0.7
_ZOOMED = 0.8  # of a pan's error: a zoom that explains no more is none
# tried on two zooms, 2026-11-28: at 1.25 they grow by 13.3 and 4.9 %, here by 11.7 and 3.1; read as well
_MAX_ZOOM = 1.4  # past it the mark begins anew: beyond, the period would leave what detectors search
_LEAST = 8  # LK_CAMERA_LEAST: rows and columns of a grid that is followed
_PLAIN_SLOPE, _DRAWN = 0.2, 0.3  # grey levels between cells that are plain, and the share of them in flat art


class Placement(NamedTuple):
    """Where a frame lies on the plane of the tile: pixel (x, y) at (zoom * x + left, zoom * y + top)."""

    zoom: float = 1.0
    left: float = 0.0
    top: float = 0.0

    def after(self, step: Placement) -> Placement:
        """The placement of a frame which `step` takes to the frame of this one."""
        return Placement(self.zoom * step.zoom, self.zoom * step.left + self.left, self.zoom * step.top + self.top)


ORIGIN = Placement()


class Camera:
    """Follows the camera over the frames of one film.

    cell  pixels a side of the cells whose brightness it sees
    """

    def __init__(self, cell: int) -> None:
        self._cell = self._side = cell
        self._first: Grid | None = None  # the frame that others are compared with
        self._base = ORIGIN  # its own
        self._step, self._drift = ORIGIN, ORIGIN  # of the last frame to it, and of the last frame's motion
        self._age = 0
        self._scratch = np.empty(0, np.float32)

    def follow(self, brightness: npt.NDArray[np.uint16], unit: float, restart: bool) -> Placement:
        """The placement of the next frame.

        brightness  uint16 [rows, columns], of cells
        unit        how much of it is a grey level
        restart     whether the frame begins anew: it lies at the origin
        """
        times = _coarser(brightness.shape[0] * brightness.shape[1])
        self._side = times * self._cell
        if min(brightness.shape) // times < _LEAST + 2:
            return ORIGIN
        now, contrast, plain = self._grid(brightness, times, unit)
        if restart or self._first is None or self._first.shape != now.shape:
            return self._renewed(now, ORIGIN)
        if plain > _DRAWN:
            return self._renewed(now, self._placement())
        _, held = self._nearest(now, self._first, self._step, 0)
        step, error = self._fit(now, self._first)
        if error > _CUT * contrast:
            return self._renewed(now, ORIGIN)
        if error < _BETTER * held and error < _EXPLAINED * contrast:
            self._drift = Placement(step.zoom / self._step.zoom, step.left - self._step.left,
                                    step.top - self._step.top)
            self._step = step
        else:
            self._drift = ORIGIN
        self._age += 1
        placement = self._placement()
        if not 1 / _MAX_ZOOM < placement.zoom < _MAX_ZOOM:
            return self._renewed(now, ORIGIN)
        moved = max(abs(self._step.left) / now.shape[1], abs(self._step.top) / now.shape[0])
        return self._renewed(now, placement) if self._age >= _RENEWED or moved > _MAX_MOVED else placement

    def _grid(self, brightness: npt.NDArray[np.uint16], times: int, unit: float) -> tuple[Grid, float, float]:
        """The joined cells in grey levels, without what they alias; their contrast, and the share that is plain."""
        rows, columns = (count // times for count in brightness.shape)
        grid, facts = np.empty((rows - 2, columns - 2), np.float32), np.empty(2)
        floats = (2 * rows + 5) * (columns + 16)  # more than both kernels want
        if self._scratch.size != floats:
            self._scratch = np.empty(floats, np.float32)
        kernels.camera_grid(np.ascontiguousarray(brightness), times, 1 / (16 * unit * times**2), _PLAIN_SLOPE,
                            self._scratch[: 4 * columns], grid, facts)
        return grid, float(facts[0]), float(facts[1])

    def _fit(self, now: Grid, first: Grid) -> tuple[Placement, float]:
        """The step that takes a frame to the first, in cells, and the error that it leaves."""
        last, drift = self._step, self._drift
        start = Placement(last.zoom * drift.zoom, last.left + drift.left, last.top + drift.top)
        found, error = self._nearest(now, first, start, _STEPS)
        if error == np.inf:
            return last, error
        if last.zoom == 1:
            pan, without = self._nearest(now, first, start, 1, zooms=False)  # a shift is linear
            if error > _ZOOMED * without:
                return pan, without
        return found, error

    def _nearest(self, now: Grid, first: Grid, start: Placement, steps: int,
                 zooms: bool = True) -> tuple[Placement, float]:
        """The best step near another, and its error, the mean in grey levels; infinite where there is none."""
        rows, columns = now.shape
        found, scratch = np.empty(4), self._scratch[: (2 * rows + 5) * (-(-columns // 16) * 16)]
        kernels.camera_fit(now, first, np.array(start), steps, zooms, _SETTLED, scratch, found)
        zoom, left, top, error = found.tolist()
        return Placement(zoom, left, top), error if error >= 0 else np.inf

    def _renewed(self, now: Grid, placement: Placement) -> Placement:
        self._first, self._base, self._step, self._age = now, placement, ORIGIN, 0
        if placement == ORIGIN:
            self._drift = ORIGIN
        return placement

    def _placement(self) -> Placement:
        zoom, left, top = self._step  # between centres of cells, the first of which is that of cell (1, 1)
        middle = 1.5 * self._side - 0.5
        return self._base.after(Placement(zoom, left * self._side + (1 - zoom) * middle,
                                          top * self._side + (1 - zoom) * middle))


def _coarser(cells: int) -> int:
    """How many cells are joined along each side: a power of two, so that about _CELLS are left, or up to four times."""
    return 1 << max(0, int(math.log2(max(1.0, cells / _CELLS)) / 2))
