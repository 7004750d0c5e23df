# SPDX-License-Identifier: Apache-2.0
"""The search for a tile in a photograph of a screen or a print, by the frame that is seen around it.

Two lines across and two down that are parallel in the scene say how its plane was turned: the ends of the picture, or
the outer ones of the screen, or one of each. A side of a frame is a straight step beside smooth ground. It is looked
for from each of the four ends of the photograph, on a plane shrunk to 320 samples, then refined on the photograph. What
the four lines enclose is made a rectangle. Its tile lies upright there, at an unknown spacing, and its width and height
depend on the camera's field of view: the key's pattern is looked for at every spacing, for each of a few ratios.

The frame is found without the key. The pattern chooses spacing and ratio, so each pair of them is a trial.

Measured on photographs of screens at 10 degrees (twelve pictures, benchmarks/geometry_attacks.py): all four sides are
found in each, to within 2 pixels; the pattern has 8.5 to 25 deviations, 8.5 to 14 in four dense textures, and 6 by
chance. Of 35 pictures that are no photographs of screens, two have something like a frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image import lattice, pattern, spacing
from labelkit.watermark.image.pixels import decimate, whiten
from labelkit.watermark.image.search import LocatedTile, TileSearch
from labelkit.watermark.image.waves import sampled

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# swept 2026-11-29, tables in benchmarks/TUNING.md: CLEAR_EDGE, LEAST_LINE, RATIO_STEP
_SIDE = 320  # samples: the longer side in which lines are looked for
_STEP = 8.0  # grey levels from which a step is no clearer
_GROUND = range(2, 6)  # samples before a step that must be smoother than it
_MAX_SLOPE = 0.36  # of a side of the frame to the photograph's: 20 degrees
_LEAST_LINE = 0.4  # of a clear step from end to end of the photograph
_LEAST_AREA = 0.15  # of the photograph inside the frame
_FIELDS = 1.4, 3.0  # focal lengths to half the longer side: phones, and twice their zoom
_RATIO_STEP, _MOST_RATIOS = 0.005, 24  # the first as a share
_TILES = 2.0, 11.0  # in the frame's longer side
_PLANE = 512  # samples in the frame's longer side, where the pattern is looked for
_MAX_SIDE = 2048  # pixels: a larger photograph is shrunk before the tile is read

_VIEWS: tuple[Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]], ...] = (
    lambda plane: plane, lambda plane: plane[:, ::-1], lambda plane: plane.T, lambda plane: plane.T[:, ::-1])
"""A plane with its left, right, upper and lower end at the left."""


def search(luma: npt.NDArray[np.uint8], whole: TileSearch) -> LocatedTile | None:
    """The tile in a photograph, uint8 [height, width], of a picture whose frame is seen.

    whole  the search that found nothing: its key and its trials
    """
    ends = corners(luma)
    if ends is None:
        return None
    ratios = _ratios(ends, luma.shape)
    middle = float(ratios[len(ratios) // 2])
    shares = min(1.0, middle), min(1.0, 1 / middle)
    shrunk = _Rectangle(luma, ends, shares, _PLANE)
    bins = pattern.white(shrunk.correlation())
    vectors, tried = spacing.best(bins, max(shrunk.plane.shape), whole.keyed, _TILES, ratios / middle)
    read = _Rectangle(luma, ends, shares, _longest(ends))
    found = whole.set_right(read.plane, tried, np.diag(read.size / shrunk.size) @ vectors)
    return read.as_seen(found) if found else None


class _Rectangle:
    """What a frame encloses in a photograph, made a rectangle, at most _MAX_SIDE samples long.

    luma    uint8 [height, width] of the photograph
    ends    float64 [4, 2], `corners`
    shares  width and height of the rectangle, as shares of the longer
    side    the longer one, in samples

    plane   float32, whitened
    size    float64 [2]: width and height
    """

    def __init__(self, luma: npt.NDArray[np.uint8], ends: Float64, shares: tuple[float, float], side: int) -> None:
        factor = max(1, int(_longest(ends) / min(side, _MAX_SIDE)))
        self.size = np.rint(min(side, _MAX_SIDE) * np.array(shares))
        self._shape = luma.shape
        self._seen = _homography(_UNIT * self.size, ends)
        width, height = self.size.astype(int)
        place = self._seen @ np.stack([*np.mgrid[:height, :width][::-1] + 0.5, np.ones((height, width))]).reshape(3, -1)
        u, v = (place[:2] / place[2] / factor - 0.5).astype(np.float32).reshape(2, height, width)
        plane = whiten(decimate(luma, factor) if factor > 1 else luma)
        self.plane = sampled(plane.astype(np.float32), u, v)

    def correlation(self) -> lattice.Autocorrelation:
        """The autocorrelation of the plane."""
        return lattice.Autocorrelation(np.rint(self.plane).astype(np.int8))

    def as_seen(self, found: LocatedTile) -> LocatedTile:
        """The tile with its lattice in the middle of the photograph, and the tilt of the plane."""
        middle = np.append(np.array(self._shape[::-1]) / 2, 1)
        back = np.linalg.inv(self._seen)
        at = back @ middle
        change = np.linalg.inv((back[:2, :2] - np.outer(at[:2] / at[2], back[2, :2])) / at[2])
        tilt = -max(self._shape) / 2 * back[2, :2] / at[2]
        return LocatedTile(found.match, change @ found.vectors, (float(tilt[0]), float(tilt[1])))


def corners(luma: npt.NDArray[np.uint8]) -> Float64 | None:
    """float64 [4, 2]: the corners (x, y) in pixels of a frame around the middle of a photograph, the upper left one
    first and clockwise; None where there is none."""
    factor = -(-max(luma.shape) // _SIDE)
    if min(luma.shape) // factor < 2 * max(_GROUND):
        return None
    small = decimate(luma, factor)
    lines = []
    for number, view in enumerate(_VIEWS):
        line = _line(view(small).astype(np.float32))
        if line is None:
            return None
        seen = view(luma)
        start, end = _refined(seen, factor * (line + 0.5) - 0.5, factor) + 0.5
        one, two = np.array([start, 0.5, 1]), np.array([end, seen.shape[0] - 0.5, 1])
        if number % 2:  # from the right or the lower end
            one[0], two[0] = seen.shape[1] - one[0], seen.shape[1] - two[0]
        if number >= 2:
            one[:2], two[:2] = one[1::-1], two[1::-1]
        lines.append(np.cross(one, two))
    left, right, upper, lower = lines
    meet = np.array([np.cross(one, two) for one, two in ((left, upper), (right, upper), (right, lower), (left, lower))])
    ends: Float64 = meet[:, :2] / meet[:, 2:]
    sides = np.roll(ends, -1, 0) - ends
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    return ends if turns.min() > 2 * _LEAST_AREA * luma.size / 2 else None


def _line(plane: Float32) -> Float64 | None:
    """float64 [2]: where the clearest side of a frame in the left half of a plane crosses its first and last row."""
    change = np.zeros_like(plane)
    change[:, 1:-1] = np.abs(plane[:, 2:] - plane[:, :-2])
    before = np.zeros_like(plane)
    for distance in _GROUND:
        before[:, distance:] = np.maximum(before[:, distance:], change[:, :-distance])
    step = np.clip(change - 1.5 * before, 0, _STEP)
    step[:, : _GROUND[0] + 1] = 0
    height, width = plane.shape
    pairs = step[: height // 2 * 2].reshape(height // 2, 2, width).sum(1)  # a line moves by a third of a sample in them
    reach = int(_MAX_SLOPE * height / 2)
    padded = np.pad(pairs[:, : width // 2 + reach], ((0, 0), (reach + 1, reach + 1)))
    at = (np.arange(len(pairs)) * padded.shape[1] + reach + 1)[:, None] + np.arange(width // 2)
    slopes = np.arange(-2 * reach, 2 * reach + 1, 2)  # samples from end to end; `_refined` finds what lies between
    share = (2 * np.arange(len(pairs)) + 0.5) / (height - 1) - 0.5
    moved = np.rint(np.outer(slopes, share)).astype(np.intp)
    total = np.stack([padded.ravel().take(at + one[:, None]).sum(0) for one in moved])
    slope, middle = np.unravel_index(total.argmax(), total.shape)
    if total[slope, middle] < _LEAST_LINE * _STEP * height:
        return None
    ends: Float64 = middle + slopes[slope] * np.array([-0.5, 0.5])
    return ends


def _refined(plane: npt.NDArray[np.uint8], line: Float64, reach: int) -> Float64:
    """The line near another, float64 [2] as from `_line`, along which a plane changes most, to a quarter of a pixel."""
    height, width = plane.shape
    share = np.linspace(0, 1, height)[:, None]
    half = 3 * reach + 4
    first = np.rint(line[0] + (line[1] - line[0]) * share).astype(np.int64) - half
    rows = np.arange(height)[:, None]
    near = plane[rows, (first + np.arange(2 * half + 1)).clip(0, width - 1)].astype(np.float32)
    near = np.cumsum(np.pad(near, ((3, 2), (0, 0)), mode="edge"), 0)
    change = np.minimum(np.abs(np.diff((near[5:] - near[:-5]) / 5, axis=1)), np.float32(_STEP))
    step = reach / 2
    while step >= 0.25:
        tried = line + step * np.stack(np.meshgrid(*2 * (np.arange(-2, 3),)), -1).reshape(-1, 2)
        place = (tried[:, 0] + (tried[:, 1] - tried[:, 0]) * share - first - 0.5).clip(0, 2 * half - 1.001)
        left = place.astype(np.int64)
        value = change[rows, left] + (place - left) * (change[rows, left + 1] - change[rows, left])
        line, step = tried[value.sum(0).argmax()], step / 2
    return line


def _ratios(ends: Float64, shape: tuple[int, ...]) -> Float64:
    """float64: the ratios of width to height that the rectangle may have whose corners are seen in a photograph."""
    half = np.array(shape[::-1]) / 2
    sides = _homography(_UNIT, (ends - half) / half.max())[:, :2]
    least, most = np.sort([np.divide(*np.linalg.norm(sides / [[field], [field], [1]], axis=0)) for field in _FIELDS])
    count = min(round(np.log(most / least) / _RATIO_STEP) + 3, _MOST_RATIOS)
    return np.geomspace(least * (1 - _RATIO_STEP), most * (1 + _RATIO_STEP), count)


_UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])


def _homography(places: Float64, seen: Float64) -> Float64:
    """float64 [3, 3]: the map that takes four places (x, y) to four others."""
    rows = [row for (x, y), (u, v) in zip(places, seen, strict=True)
            for row in ([x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y])]
    return np.append(np.linalg.solve(np.array(rows), seen.ravel()), 1).reshape(3, 3)


def _longest(ends: Float64) -> int:
    """The longest side of a frame, in pixels."""
    return int(np.linalg.norm(np.roll(ends, -1, 0) - ends, axis=1).max())
