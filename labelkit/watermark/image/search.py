# SPDX-License-Identifier: Apache-2.0
"""The search for a tile in a whitened plane: at the scale of the picture, at any scale, on any lattice.

A tile is periodic, so the autocorrelation of a marked plane peaks on the tile's lattice (lattice.py), whatever the
payload. Each lattice is tried in its eight orientations (quarter turns, mirror), at every shift, and as a negative.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.evidence import ImageGeometry
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE, Detection
from labelkit.watermark.image import lattice, pattern, spacing, tile, unsynchronised
from labelkit.watermark.image.matcher import ORIENTATIONS, SHIFTS, TileMatch, Trials, match
from labelkit.watermark.image.pixels import decimate, whiten

# swept 2026-11-28, tables in benchmarks/TUNING.md: BEST_PERIODS, BEST_LATTICES, CLEAR_LATTICE
_BEST_PERIODS, _BEST_LATTICES = 2, 3  # on which words without their synchronisation pattern are looked for
_CLEAR_LATTICE = 10.0  # deviations of a lattice on which parts of a picture are matched each by itself
_FAINT = 18.0  # deviations: in the whole picture the word of a ninth has at most a third of the 50 that a word can have
_LARGER = 2.1  # of its own period: that of a picture twenty times as large
_FULL_FOLD = 512  # pixels: a larger tile is folded to 256 x 256 cells, which cost less to transform
WORKING_SIDE = 512  # pixels: lattices are searched on a plane shrunk to about this


@dataclass(frozen=True, slots=True)
class LocatedTile:
    """A decoded tile and the lattice it lies on.

    vectors  float64 [2, 2], the columns are the lattice's two vectors (x, y) in pixels; in perspective, in the middle
    tilt     of a plane seen in perspective, see perspective.py
    """

    match: TileMatch
    vectors: npt.NDArray[np.float64]
    tilt: tuple[float, float] | None = None

    @property
    def payload(self) -> Payload:
        """The decoded 64 bits."""
        return Payload.from_int(self.match.word)

    def detection(self, effort: str) -> Detection:
        """The decision, with the tile's geometry."""
        mirrored = self.match.orientation >= 4
        x_axis = self.vectors @ ORIENTATIONS[self.match.orientation][:, 0] * (-1 if mirrored else 1)
        one, two = ((round(float(x), 3), round(float(y), 3)) for x, y in self.vectors.T)
        geometry = ImageGeometry(
            period=round(math.sqrt(abs(np.linalg.det(self.vectors))), 2), mirrored=mirrored,
            angle=round(math.degrees(math.atan2(-x_axis[1], x_axis[0])), 2) + 0.0, lattice=(one, two),
            also=tuple(Payload.from_int(word).hex for word in self.match.others) or None,
            tilt=(round(self.tilt[0], 4), round(self.tilt[1], 4)) if self.tilt else None)
        return Detection(True, self.payload, self.match.score, self.match.false_positive_rate, geometry, effort,
                         self.match.candidates)


class TileSearch:
    """One search: the plane and the key it looks with, and what it has tried. Each step returns a tile or None.

    plane    int8 [height, width], whitened
    keyed    the bins of the key
    trials   counts what is tried; searches that make one decision share it
    shrunk   makes the plane in which lattices are looked for, smaller by `factor`; None for `plane` itself
    factor   `coarse_factor` if None
    """

    def __init__(self, plane: npt.NDArray[np.int8], keyed: tile.KeyedBins, trials: Trials,
                 shrunk: Callable[[], npt.NDArray[np.int8]] | None = None, factor: int | None = None) -> None:
        self.plane, self.keyed, self.trials, self._shrunk = plane, keyed, trials, shrunk
        self._factor = factor or coarse_factor(*plane.shape)
        self._tried: list[npt.NDArray[np.float64]] = []
        self._upright: list[npt.NDArray[np.float64]] = []
        self._changes = 0  # in which planes were set right

    @classmethod
    def of_picture(cls, luma: npt.NDArray[np.uint8], key: Key) -> TileSearch:
        """The search in a picture, given as its luma, uint8 [height, width]."""
        factor = coarse_factor(*luma.shape)
        if 1 < factor < min(luma.shape) // 16 and max(luma.shape) > 1.125 * WORKING_SIDE * factor:
            factor += 1  # a side above 512 costs four times as much; up to an eighth above it is cut off
        shrunk = None if factor == 1 else lambda: whiten(decimate(luma, factor))
        return cls(whiten(luma), tile.keyed_bins(key), Trials(), shrunk, factor)

    def own_period(self) -> LocatedTile | None:
        """The periods that a picture and a page of this size are given, unturned."""
        height, width = self.plane.shape
        own = dict.fromkeys((tile.period(width, height), tile.fine_period(width, height)))
        return first_found(self._on_period(p, orientations=1) for p in own)

    def own_scale(self) -> LocatedTile | None:
        """The periods of pictures of which this one may be a part, down to a twentieth, in all orientations."""
        own = tile.fine_period(*self.plane.shape)
        return first_found(self._on_period(p) for p in tile.PERIODS if 0.9 * own <= p <= _LARGER * own)

    def as_part_of_large(self) -> LocatedTile | None:
        """The periods of pictures above 1024 x 1024 pixels of which this may be a part, down to a tenth, unturned."""
        own, most = tile.fine_period(*self.plane.shape), tile.period(*(10**0.5 * side for side in self.plane.shape))
        return first_found(self._on_period(p, orientations=1) for p in tile.PERIODS if _LARGER * own < p <= most)

    def any_spacing(self) -> LocatedTile | None:
        """The spacings of upright tiles at which the key's pattern is seen best, unturned."""
        factor, correlation = self._coarse
        height, width = self.plane.shape
        longer = max(correlation.height, correlation.width)
        likely = spacing.likely(self._bins, longer, factor, (height, width), self.keyed, self.trials)
        return first_found(self.on_lattice(np.eye(2) * one, orientations=1) for one in likely)

    def any_scale(self) -> LocatedTile | None:
        """Upright lattices of any spacing, in all orientations."""
        factor, correlation = self._coarse
        return self._on_any(correlation, factor, correlation.upright(2))

    def any_lattice(self) -> LocatedTile | None:
        """Lattices of any two vectors: turned squares and upright rectangles by the key's pattern; then, in all
        orientations, squares at any angle and oblique ones by the autocorrelation.

        The right lattice, where it is among those that can be found, is nearly always the first of its family.
        """
        factor, correlation = self._coarse
        found = self._on_shaped(spacing.SQUARES)
        found = found or self._on_any(correlation, factor, correlation.rotated(2) + correlation.oblique(2))
        if found:
            return found
        low = correlation.low_band()
        return self._on_any(low, factor, low.oblique(3))

    def more_lattices(self) -> LocatedTile | None:
        """More of the same; then those of the middle of the picture at its own resolution."""
        factor, correlation = self._coarse
        found = self._on_shaped(spacing.MORE_SQUARES)
        found = found or self._on_any(correlation, factor, correlation.upright(8) + _of_families(correlation, 8))
        if found or factor == 1:
            return found
        fine = lattice.Autocorrelation(self.plane)
        return self._on_any(fine, 1, fine.upright(6) + _of_families(fine, 6))

    def without_pattern(self) -> LocatedTile | None:
        """Words whose synchronisation pattern was subtracted: on the period that a picture of this size is given; then,
        where lattices were looked for, on the periods and the lattices on which the picture fits itself best."""
        found = self._match_alone(np.eye(2) * tile.period(*self.plane.shape), 1)
        if found or not self._tried:
            return found
        periods, lattices = self._fitting
        best = [one for _, one in periods[:_BEST_PERIODS] + lattices[:_BEST_LATTICES]]
        return first_found(self._match_alone(one, 8) for one in best)

    def _match_alone(self, vectors: npt.NDArray[np.float64], orientations: int) -> LocatedTile | None:
        p = round(vectors[0, 0])
        is_upright = np.array_equal(vectors, np.eye(2) * p)
        folded = fold(self.plane, p) if is_upright else lattice.fold(self.plane, vectors)
        found = unsynchronised.match(tile.analyse(folded), self.keyed, self.trials, orientations)
        return LocatedTile(found, vectors) if found else None

    def in_parts(self) -> LocatedTile | None:
        """A word in a ninth of the picture, on the lattice of those tried on which the picture fits itself
        best, where it clearly does: in the whole, the word of a ninth has a third of its deviations."""
        if not self._tried:
            return None
        total, best = max((some[0] for some in self._fitting if some), key=lambda one: one[0])
        if total < _CLEAR_LATTICE:
            return None
        first = next((one for one in self._matched_parts(best, 3) if one), None)
        return self._with_words_of_parts(LocatedTile(first, best)) if first else None

    def with_neighbours(self, found: LocatedTile, effort: str) -> LocatedTile:
        """The tile with all further words that parts of the picture hold on its lattice, as those of a collage do,
        where one further word was found, or this one is faint enough to be of a ninth and the effort is not "fast"."""
        is_faint = found.match.score < _FAINT and found.tilt is None and effort != "fast"
        return self._with_words_of_parts(found) if found.match.others or is_faint else found

    def _with_words_of_parts(self, found: LocatedTile) -> LocatedTile:
        words = dict.fromkeys(found.match.others)
        for other in (*self._matched_parts(found.vectors, 3), *self._matched_parts(found.vectors, 2)):
            words |= dict.fromkeys((other.word, *other.others) if other else ())
        words.pop(found.match.word, None)
        return replace(found, match=replace(found.match, others=tuple(words)))

    def _matched_parts(self, vectors: npt.NDArray[np.float64], count: int) -> Iterator[TileMatch | None]:
        """The count x count parts of the plane, each matched by itself on a lattice."""
        height, width = self.plane.shape
        for row, column in np.ndindex(count, count):
            part = self.plane[row * height // count : (row + 1) * height // count,
                              column * width // count : (column + 1) * width // count]
            yield match(tile.analyse(lattice.fold(np.ascontiguousarray(part), vectors)), self.keyed, self.trials)

    @functools.cached_property
    def _fitting(self) -> tuple[list[tuple[float, npt.NDArray[np.float64]]], ...]:
        """The periods and the lattices that were tried, each with the sum of its peaks, the highest first."""
        factor, correlation = self._coarse
        return tuple(sorted(((correlation.total(one / factor), one) for one in some), key=lambda one: -one[0])
                     for some in (self._upright, self._tried))

    def at_own_period(self) -> tuple[int, npt.NDArray[np.float32], int] | None:
        """(factor, plane, period) for searches at the period that a picture of this size is given, in pixels: the plane
        in which lattices are looked for, flattened, and by what it was shrunk. None where it holds too little."""
        period, plane = tile.period(*self.plane.shape), self._shrunk_plane()
        if period / self._factor < lattice.MIN_SPACING or min(plane.shape) < 2 * lattice.MIN_SPACING:
            return None
        return self._factor, lattice.flattened(plane), period

    def set_right(self, plane: npt.NDArray[np.float32], choices: int,
                  vectors: npt.NDArray[np.float64]) -> LocatedTile | None:
        """The tile on a lattice of a plane that was changed in one of so many ways, which its pattern chose: each is a
        trial beside those of this search and of planes before."""
        self._changes += choices
        trials = Trials(count=self.trials.count + 2 * SHIFTS * self._changes)
        return TileSearch(np.rint(plane).astype(np.int8), self.keyed, trials).on_lattice(vectors, orientations=1)

    def _shrunk_plane(self) -> npt.NDArray[np.int8]:
        return self.plane if self._shrunk is None else self._shrunk()

    @functools.cached_property
    def _coarse(self) -> tuple[int, lattice.Autocorrelation]:
        """The factor by which the plane was shrunk, and the autocorrelation of the shrunk plane."""
        plane = self._shrunk_plane()
        cut = self._factor > 1 and max(plane.shape) <= 1.125 * WORKING_SIDE
        return self._factor, lattice.Autocorrelation(plane, WORKING_SIDE if cut else 2 * WORKING_SIDE)

    @functools.cached_property
    def _bins(self) -> npt.NDArray[np.complex64]:
        """In which the key's pattern is looked for."""
        return pattern.white(self._coarse[1])

    def _on_shaped(self, squares: int) -> LocatedTile | None:
        factor, correlation = self._coarse
        height, width = self.plane.shape
        likely = spacing.shaped(self._bins, correlation, factor, (height, width), self.keyed, self.trials, squares)
        return first_found(self.on_lattice(one * factor, orientations=1) for one in likely)

    def _on_any(self, correlation: lattice.Autocorrelation, factor: int,
                lattices: list[npt.NDArray[np.float64]]) -> LocatedTile | None:
        return first_found(self._on_new(correlation.refine(vectors) * factor) for vectors in lattices)

    def _on_new(self, vectors: npt.NDArray[np.float64]) -> LocatedTile | None:
        """The tile on a lattice, if it was not tried before."""
        if any(lattice.is_same(vectors, other) for other in self._tried):
            return None
        self._tried.append(vectors)
        return self.on_lattice(vectors)

    def _on_period(self, p: int, orientations: int = 8) -> LocatedTile | None:
        if orientations == 8:
            self._upright.append(np.eye(2) * p)
        vectors = np.eye(2) * p
        folded = fold(self.plane, p) if p <= _FULL_FOLD else lattice.fold(self.plane, vectors)
        return self._match(folded, vectors, orientations, upright=True)

    def on_lattice(self, vectors: npt.NDArray[np.float64], orientations: int = 8) -> LocatedTile | None:
        """The tile on a lattice of column vectors, float64 [2, 2], in the first one or all eight orientations."""
        return self._match(lattice.fold(self.plane, vectors), vectors, orientations)

    def _match(self, folded: npt.NDArray[np.int32], vectors: npt.NDArray[np.float64], orientations: int,
               upright: bool = False) -> LocatedTile | None:
        if self.trials.observer:
            self.trials.observer.at(vectors)
        found = match(tile.analyse(folded), self.keyed, self.trials, orientations, upright)
        return LocatedTile(found, vectors) if found else None


def _of_families(correlation: lattice.Autocorrelation, count: int) -> list[npt.NDArray[np.float64]]:
    families = correlation.rotated, correlation.rectangular, correlation.oblique
    return [vectors for family in families for vectors in family(count)]


def first_found(tiles: Iterable[LocatedTile | None]) -> LocatedTile | None:
    """The first tile of an iterable, which is read no further; None where there is none."""
    return next((one for one in tiles if one), None)


def undecoded(trials: Trials, effort: str) -> Detection:
    """The decision where no word was decoded: the synchronisation pattern alone may show that a mark is there."""
    chance = trials.sync_chance()
    present = chance <= MAX_FALSE_POSITIVE_RATE
    return Detection(present, None, trials.best_score, chance if present else 1.0, effort=effort)


def coarse_factor(height: int, width: int) -> int:
    """By how much a plane is shrunk before lattices are looked for; the short side of a strip keeps 16 samples."""
    return max(1, min(round(max(height, width) / WORKING_SIDE), min(height, width) // 16))


def fold(plane: npt.NDArray[np.int8], p: int) -> npt.NDArray[np.int32]:
    """int32 [p, p]: the sum of a plane's repeats of p x p samples."""
    folded = np.empty((p, p), np.int32)
    kernels.plane_fold(plane, folded)
    return folded
