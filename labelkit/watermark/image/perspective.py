# SPDX-License-Identifier: Apache-2.0
"""The search for a tile in a picture that was looked at aslant: a screen or a print photographed with a phone.

In perspective the tile's lattice changes from place to place, and its peaks in the autocorrelation are smeared. Two
numbers, the tilt, make a lattice of it again; what is left is affine, and lattice.py finds it. So the shrunk plane is
set upright for each of 136 tilts, and for each the best lattice is scored. The score rises over a tenth of the range
around the right tilt, climbs from there are short, and each ends in a tilt known to parts in a thousand.

Dense textures hide their lattice. So the key's synchronisation pattern is looked for too, in each of the planes, on the
lattice that a picture has which nothing but the tilt has changed. There it has 6 to 13 deviations where the lattice has
4 to 6, and 5.2 at most in unmarked pictures. What it shows climbs the same way, and then to the affine change that the
field of view leaves open.

A tilt is chosen without the key, or by the pattern. In the first case the phases stay random on unmarked media, and
each tilt and lattice that is matched is one trial, as any other lattice is (matcher.py). In the second all tilts and
lattices that a climb can end in are trials.

Measured on 1024 x 768, 10 degrees: the peaks of a mark are 20 to 70 deviations high at the right tilt, 15 a step beside
it, and 3 to 5 in unmarked pictures at the best of all tilts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image import lattice, pattern, tile
from labelkit.watermark.image.pixels import decimate, whiten
from labelkit.watermark.image.search import LocatedTile, TileSearch

Tilt = tuple[float, float]
"""By how much a plane is nearer at the right and at the lower end of a square about the middle, as a share of the
distance; a plane turned by 10 degrees, with the field of view of 53 degrees, has 0.087."""

# swept 2026-11-29, tables in benchmarks/TUNING.md: TILT_STEP, CLEAR_TILT, LIKELY_PATTERN
STEP = 0.02  # half as much costs a third of a lattice's score
MAX_TILT = 0.13  # 10 degrees at 70, 15 at 53 degrees of view
CLEAR_SCORE = 8.0  # deviations: no tilt of an unmarked picture that does not repeat itself has it
MAX_CLIMBS = 4
MAX_SIDE = 2048  # pixels: a larger picture is shrunk before the tile is read
_LIKELY_PATTERN = 5.6  # deviations from which the best of all tilts by the pattern is followed
_FIELD = 2.0  # the tangent of the angle of a tilted plane, for each share of its tilt: the field of view of 53 degrees
_CHOICES = 17_000 * 15**4  # tilts that climbs reach, by eighths of a step, and values of the four numbers of a change


def search(luma: npt.NDArray[np.uint8], whole: TileSearch) -> LocatedTile | None:
    """The tile in a picture seen in perspective.

    luma   uint8 [height, width]
    whole  the search that found nothing: its key, and its trials, which are brought up to date
    """
    if min(luma.shape) < 2 * lattice.MIN_SPACING:
        return None
    planes = _Planes(luma)
    scored: list[tuple[float, Tilt]] = []
    patterns: list[tuple[float, Tilt]] = []
    climbs = 0
    for tilt in _tilts():
        score, correlation = planes.score(tilt)
        patterns.append((planes.pattern(tilt, whole.keyed, correlation), tilt))
        if score >= CLEAR_SCORE and climbs < MAX_CLIMBS - 2:
            climbs += 1
            found = planes.match(_climb(planes.height, score, tilt), whole)
            if found:
                return found
        else:
            scored.append((score, tilt))
    pattern, tilt = max(patterns)
    if pattern >= _LIKELY_PATTERN:
        found = planes.match_pattern(pattern, tilt, whole)
        if found:
            return found
    for score, tilt in sorted(scored, reverse=True)[:2]:
        found = planes.match(_climb(planes.height, score, tilt), whole)
        if found:
            return found
    return None


@functools.cache
def _tilts() -> tuple[Tilt, ...]:
    """All tilts that are tried, the least first, but for none."""
    steps = np.arange(-round(MAX_TILT / STEP), round(MAX_TILT / STEP) + 1) * STEP
    grid = [(float(x), float(y)) for x in steps for y in steps if 0 < np.hypot(x, y) <= MAX_TILT]
    return tuple(sorted(grid, key=lambda tilt: np.hypot(*tilt)))


def _climb(score_of: Callable[[Tilt], float], score: float, tilt: Tilt) -> Tilt:
    """The tilt near another with the highest score, to an eighth of a step."""
    for step in (STEP / 2, STEP / 4, STEP / 8):
        for _ in range(3):
            beside = [(tilt[0] + x, tilt[1] + y) for x, y in ((step, 0), (-step, 0), (0, step), (0, -step))]
            best, place = max((score_of(other), other) for other in beside)
            if best <= score:
                break
            score, tilt = best, place
    return tilt


class _Planes:
    """A picture's whitened planes, to be set upright: the shrunk one flattened, the one that is read when needed."""

    def __init__(self, luma: npt.NDArray[np.uint8]) -> None:
        self._luma, self._half = luma, max(luma.shape) / 2
        self._factor = -(-max(luma.shape) // 640)
        self._flat = lattice.flattened(_middle(_whitened(luma, self._factor), 512))

    def score(self, tilt: Tilt) -> tuple[float, lattice.Autocorrelation]:
        """The sum of the best lattice's peaks, in standard deviations, and the autocorrelation."""
        plane = upright(self._flat, tilt, self._half / self._factor, nearest=True)
        correlation = lattice.Autocorrelation(plane, is_flat=True)
        best = correlation.oblique(1, peaks=48)
        return (correlation.total(best[0]) if best else 0.0), correlation

    def height(self, tilt: Tilt) -> float:
        """The score alone."""
        return self.score(tilt)[0]

    def pattern(self, tilt: Tilt, keyed: tile.KeyedBins, correlation: lattice.Autocorrelation | None = None,
                change: npt.NDArray[np.float64] | None = None) -> float:
        """The score of the key's pattern where nothing but the tilt has changed the picture, in standard deviations.

        correlation  of the plane at this tilt, if it is there
        change       float64 [2, 2], of the lattice
        """
        if correlation is None:
            plane = upright(self._flat, tilt, self._half / self._factor, nearest=True)
            correlation = lattice.Autocorrelation(plane, is_flat=True)
        vectors = self._vectors(tilt) if change is None else self._vectors(tilt) @ change
        return float(pattern.scores(pattern.white(correlation), keyed, vectors[None] / self._factor)[0])

    def _vectors(self, tilt: Tilt) -> npt.NDArray[np.float64]:
        """The lattice in pixels of a tile in the picture set upright, which is still as short as it was seen."""
        period, steep = tile.period(*self._luma.shape), float(np.hypot(*tilt))
        along = np.array(tilt) / max(steep, 1e-9)
        less = 1 - np.cos(np.arctan(_FIELD * steep))
        vectors: npt.NDArray[np.float64] = period * (np.eye(2) - less * np.outer(along, along))
        return vectors

    def match_pattern(self, score: float, tilt: Tilt, whole: TileSearch) -> LocatedTile | None:
        """The tile at the tilt, and on the lattice, near this one at which the key's pattern is seen best."""
        tilt = _climb(lambda other: self.pattern(other, whole.keyed), score, tilt)
        correlation, change = self.score(tilt)[1], np.eye(2)
        score = self.pattern(tilt, whole.keyed, correlation)
        for step in (0.004, 0.002, 0.001):
            for entry in np.ndindex(2, 2):
                for sign in (1, -1):
                    other = change.copy()
                    other[entry] += sign * step
                    if (one := self.pattern(tilt, whole.keyed, correlation, other)) > score:
                        score, change = one, other
                        break
        factor = -(-max(self._luma.shape) // MAX_SIDE)
        found = whole.set_right(self._plane(tilt, factor), _CHOICES, self._vectors(tilt) @ change / factor)
        return LocatedTile(found.match, found.vectors * factor, tilt) if found else None

    def match(self, tilt: Tilt, whole: TileSearch) -> LocatedTile | None:
        """The tile on one of the best three lattices of the picture set upright."""
        factor = -(-max(self._luma.shape) // MAX_SIDE)
        read = TileSearch(np.rint(self._plane(tilt, factor)).astype(np.int8), whole.keyed, whole.trials)
        correlation = self.score(tilt)[1]
        for vectors in correlation.oblique(3, peaks=96):
            found = read.on_lattice(correlation.refine(vectors) * (self._factor / factor))
            if found:
                return LocatedTile(found.match, found.vectors * factor, tilt)
        return None

    def _plane(self, tilt: Tilt, factor: int) -> npt.NDArray[np.float32]:
        """The picture's plane, shrunk by a factor and set upright."""
        return upright(_whitened(self._luma, factor).astype(np.float32), tilt, self._half / factor)


def _middle(plane: npt.NDArray[np.int8], side: int) -> npt.NDArray[np.int8]:
    """The middle of a plane, at most side x side."""
    top, left = (max(0, length - side) // 2 for length in plane.shape)
    return plane[top : top + side, left : left + side]


def _whitened(luma: npt.NDArray[np.uint8], factor: int) -> npt.NDArray[np.int8]:
    return whiten(decimate(luma, factor) if factor > 1 else luma)


def upright(plane: npt.NDArray[np.float32], tilt: Tilt, half: float, nearest: bool = False) -> npt.NDArray[np.float32]:
    """float32 [height, width]: a plane seen at a tilt as it is straight on, the middle where it was; 0 outside.

    half     side of the square whose ends the tilt is of, from the middle, in samples
    nearest  take the nearest sample, in a third of the time, instead of four
    """
    height, width = plane.shape
    padded = np.zeros((height + 3, width + 3), np.float32)
    padded[1 : height + 1, 1 : width + 1] = plane
    out = np.empty_like(plane)
    x = (np.arange(width, dtype=np.float32) - np.float32(width / 2))[None]
    for top in range(0, height, 256):
        y = (np.arange(top, min(top + 256, height), dtype=np.float32) - np.float32(height / 2))[:, None]
        nearer = np.float32(1) / (np.float32(1) + x * np.float32(tilt[0] / half) + y * np.float32(tilt[1] / half))
        u = (x * nearer + np.float32(width / 2 + 1)).clip(np.float32(0), np.float32(width + 1))
        v = (y * nearer + np.float32(height / 2 + 1)).clip(np.float32(0), np.float32(height + 1))
        out[top : top + 256] = _nearest(padded, u, v) if nearest else _bilinear(padded, u, v)
    return out


def _nearest(plane: npt.NDArray[np.float32], u: npt.NDArray[np.float32],
             v: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    row = (v + np.float32(0.5)).astype(np.int32)
    row *= plane.shape[1]
    row += (u + np.float32(0.5)).astype(np.int32)
    return plane.ravel().take(row)


def _bilinear(plane: npt.NDArray[np.float32], u: npt.NDArray[np.float32],
              v: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    left, top = u.astype(np.int32), v.astype(np.int32)
    u, v = u - left, v - top
    flat, stride, at = plane.ravel(), plane.shape[1], top * plane.shape[1] + left
    upper = flat.take(at) * (1 - u) + flat.take(at + 1) * u
    lower = flat.take(at + stride) * (1 - u) + flat.take(at + stride + 1) * u
    read: npt.NDArray[np.float32] = upper * (1 - v) + lower * v
    return read
