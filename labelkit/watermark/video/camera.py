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

    def follow(self, brightness: npt.NDArray[np.uint16], unit: float, restart: bool) -> Placement:
        """The placement of the next frame.

        brightness  uint16 [rows, columns], of cells
        unit        how much of it is a grey level
        restart     whether the frame begins anew: it lies at the origin
        """
        times = _coarser(brightness.shape[0] * brightness.shape[1])
        self._side = times * self._cell
        now = _smoothed(_joined(brightness, times), unit * times**2)
        if restart or self._first is None or self._first.shape != now.shape or min(now.shape) < 8:
            return self._renewed(now, ORIGIN)
        if _plain_share(now) > _DRAWN:
            return self._renewed(now, self._placement())
        contrast = float(np.abs(now - now.mean()).mean())
        held = _error(now, self._first, self._step)
        step, error = _fit(now, self._first, self._step, self._drift)
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


def _joined(brightness: npt.NDArray[np.uint16], times: int) -> npt.NDArray[np.uint32] | npt.NDArray[np.uint16]:
    if times == 1:
        return brightness
    rows, columns = (count // times for count in brightness.shape)
    blocks = brightness[: rows * times, : columns * times].reshape(rows, times, columns, times)
    joined: npt.NDArray[np.uint32] = blocks.sum((1, 3), dtype=np.uint32)
    return joined


def _smoothed(brightness: npt.NDArray[np.uint32] | npt.NDArray[np.uint16], unit: float) -> Grid:
    """float32 [rows - 2, columns - 2] in grey levels: without what the cells alias."""
    x = brightness.astype(np.float32) * np.float32(1 / (16 * unit))
    x = x[:-2] + 2 * x[1:-1] + x[2:]
    smooth: Grid = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
    return smooth


def _plain_share(grid: Grid) -> float:
    """The share of cells whose neighbours are as bright as they are."""
    slopes = np.abs(np.diff(grid, axis=0))[:, 1:] + np.abs(np.diff(grid, axis=1))[1:]
    return float((slopes < _PLAIN_SLOPE).mean())


def _sampled(first: Grid, step: Placement) -> tuple[Grid, slice, slice]:
    """The first frame at the places of a later one, and the rows and columns of it that lie in it."""
    rows, columns = first.shape
    y0, y1, i, wy = _line(rows, step.zoom, step.top)
    x0, x1, j, wx = _line(columns, step.zoom, step.left)
    x = first[i] * (1 - wy)[:, None] + first[i + 1] * wy[:, None]
    warped = x[:, j] * (1 - wx) + x[:, j + 1] * wx
    return warped.astype(np.float32, copy=False), slice(y0, y1), slice(x0, x1)


def _line(count: int, zoom: float, shift: float) -> tuple[int, int, npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    start, stop = max(0, math.ceil(-shift / zoom)), min(count, math.ceil((count - 1 - shift) / zoom))
    if stop - start < 8:
        return 0, 0, np.zeros(0, np.intp), np.zeros(0, np.float32)
    place = np.maximum(zoom * np.arange(start, stop) + shift, 0.0)  # against rounding
    whole = np.minimum(place.astype(np.intp), count - 2)
    return start, stop, whole, (place - whole).astype(np.float32)


def _error(now: Grid, first: Grid, step: Placement) -> float:
    """The mean absolute difference in grey levels."""
    warped, rows, columns = _sampled(first, step)
    return float(np.abs(now[rows, columns] - warped).sum()) / warped.size if warped.size else np.inf


def _fit(now: Grid, first: Grid, step: Placement, drift: Placement) -> tuple[Placement, float]:
    """The step that takes `now` to `first`, in cells, and the error that it leaves."""
    start = Placement(step.zoom * drift.zoom, step.left + drift.left, step.top + drift.top)
    found, error = _nearest(now, first, start, _STEPS, zooms=True)
    if error == np.inf:
        return step, error
    if step.zoom == 1:
        pan, without = _nearest(now, first, start, 1, zooms=False)  # a shift is linear
        if error > _ZOOMED * without:
            return pan, without
    return found, error


def _nearest(now: Grid, first: Grid, start: Placement, steps: int, zooms: bool) -> tuple[Placement, float]:
    """The best step near another, with or without a zoom, and its error; infinite where there is none."""
    zoom, left, top = start
    for _ in range(steps):
        warped, rows, columns = _sampled(first, Placement(zoom, left, top))
        if not warped.size:
            return start, np.inf
        rest = now[rows, columns] - warped
        gy, gx = np.gradient(warped)
        size = np.abs(rest)
        weight = 1 / np.maximum(size * (size.size / (1.5 * float(size.sum()) + 1e-6 * size.size)), 1)
        slopes = [gx, gy]
        if zooms:
            y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
            x = np.arange(columns.start, columns.stop, dtype=np.float32)
            slopes.append(gx * x + gy * y)
        flat = np.stack(slopes).reshape(len(slopes), -1)
        weighted = flat * weight.ravel()
        normal = (weighted @ flat.T).astype(np.float64)
        normal.flat[::len(slopes) + 1] *= 1 + 1e-6
        normal.flat[::len(slopes) + 1] += 1e-9
        try:
            change = np.linalg.solve(normal, (weighted @ rest.ravel()).astype(np.float64))
        except np.linalg.LinAlgError:
            return start, np.inf
        left, top = left + change[0], top + change[1]
        if zooms:
            zoom += change[2]
        if not (0.5 < zoom < 2 and math.isfinite(left) and math.isfinite(top)):
            return start, np.inf
        if np.abs(change).max() < _SETTLED and (not zooms or abs(change[2]) * now.shape[1] < _SETTLED):
            break
    found = Placement(float(zoom), float(left), float(top))
    return found, _error(now, first, found)
