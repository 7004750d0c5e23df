# SPDX-License-Identifier: Apache-2.0
"""Add up the evidence of a mark over the frames of a film, and search it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from labelkit.key import Key
from labelkit.watermark.candidates import AnyCandidates
from labelkit.watermark.detection import Detection
from labelkit.watermark.image import lattice, tile
from labelkit.watermark.image.expected import Expected
from labelkit.watermark.image.matcher import EVEN, Trials, Weighting
from labelkit.watermark.image.pixels import decimate, ground_noise, whiten
from labelkit.watermark.image.search import LocatedTile, TileSearch, coarse_factor, first_found, undecoded
from labelkit.watermark.video.sampling import SampledFrame
from labelkit.watermark.video.sums import AlignedSum, PlaneSum

# swept 2026-11-28, tables in benchmarks/TUNING.md: PATHS, FILM_NOISE
_NOISE = 4  # grey levels squared, for `whiten`, at most: codecs leave less of it than pictures have; 25 cost up to 2 dB
_PATHS = 32  # 0.4 dB more than 8, on planes that took longer to make
# tried on the films of benchmarks/VIDEO.md, 2026-11-29: hard compression leaves a mark only on smooth ground and in the
# innermost rings of the synchronisation pattern
_NOISE_SHARE = 0.25  # of `ground_noise`: 1 instead of 4 is worth 1.2 to 2.8 deviations there, and costs texture 1
_LOW: Weighting = tuple(math.exp(-ring / 4) for ring in range(tile.RINGS))  # 2 to 3 deviations of the pattern
_SIDES = (320, 360, 384, 432, 480, 512, 540, 576, 704, 720, 768, 1024, 1080, 1440, 2160)  # usual short ones of films


def whitened(luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """int8 [height, width]: the whitened luma of a film's frame, uint8 [height, width]."""
    return whiten(luma, min(max(round(_NOISE_SHARE * ground_noise(luma)), 1), _NOISE))


class FilmSearch(TileSearch):
    """The picture's search in a whitened plane that one frame, or the sum of many, gave."""

    def own_period(self) -> LocatedTile | None:
        """The period that a film of this size is given, unturned."""
        height, width = self.plane.shape
        return self._on_period(tile.film_period(width, height), orientations=1)

    def usual_scale(self) -> LocatedTile | None:
        """The periods of films of the usual sizes, scaled to the size of this one; those of pictures too, which films
        above 640 x 360 pixels had before they had their own.

        A known period needs less of a mark than the lattice search does: with that search alone, after two platforms,
        three of five stretches were read at strength 0.75; with this step all are, at 0.6 too.
        """
        height, width = self.plane.shape
        short = min(height, width)
        sizes = [(round(width * side / short), round(height * side / short), short / side) for side in (*_SIDES, short)]
        periods = dict.fromkeys(round(given(wide, high) * scale, 3) for given in (tile.film_period, tile.fine_period)
                                for wide, high, scale in sizes)
        periods.pop(tile.film_period(width, height), None)
        return first_found(self.on_lattice(np.eye(2) * period, orientations=1)
                           for period in periods if period >= lattice.MIN_SPACING)


class FilmAccumulator:
    """All that one detection has seen. Give it groups of frames until it returns what was found.

    total   the sum of all frames
    planes  (seconds, int8 plane) of the frames, kept to locate the mark in time; none at effort "deep"
    last    the plane that was searched last, in which a mark was found if one was
    """

    def __init__(self, key: Key, effort: str, candidates: AnyCandidates | None = None) -> None:
        self.effort, self.total = effort, PlaneSum()
        self.planes: list[tuple[float, npt.NDArray[np.int8]]] = []
        self._keyed, self._trials = tile.keyed_bins(key), Trials(_PATHS, weightings=(EVEN, _LOW))
        self._expected = self._trials.observer = Expected.of(candidates, key)
        self._small_total, self._groups = PlaneSum(), 0
        self._aligned: AlignedSum | None = None
        self.last = np.zeros((0, 0), np.int8)

    def add_group(self, group: Iterable[SampledFrame]) -> LocatedTile | None:
        """Search each frame alone and the sums, as far as the effort goes."""
        part, frames = PlaneSum(), []
        for frame in group:
            plane = whitened(frame.luma)
            self.planes.append((frame.seconds, plane))
            part.add(plane, frame.key)
            self.total.add(plane, frame.key)
            found = self._at_own_period(plane)
            if found:
                return found
            frames.append((frame, plane))
        self._groups += 1
        if not frames or self.effort == "fast":
            return None
        if self._groups == 1 or self.effort == "deep":
            found = self._alone_at_any_scale(*next((pair for pair in frames if pair[0].key), frames[0]))
            if found:
                return found
        small = self._shrunk(frames)
        found = self._at_any_scale(part, small)
        if self.effort == "deep":
            self.planes.clear()
        elif not found and self._groups > 1:
            found = self._at_any_scale(self.total, self._small_total)
        return found or self._aligned_at_any_scale()

    def among_candidates(self) -> LocatedTile | None:
        """The candidate that the film carries, where no word was decoded."""
        likely = self._expected.decide(self._trials) if self._expected else None
        if not likely:
            return None
        self.last = self.total.plane  # in which a mark adds up, wherever its best shift was seen
        return LocatedTile(*likely)

    def undecoded(self) -> Detection:
        """The decision where no word was decoded: a mark may still be there."""
        return undecoded(self._trials, self.effort)

    def _at_own_period(self, plane: npt.NDArray[np.int8]) -> LocatedTile | None:
        """The film's own period in one frame, and in the sum of all when their number has doubled."""
        found = self._search(plane).own_period()
        if found or self.total.count < 2 or self.total.count & self.total.count - 1:
            return found
        return self._search(self.total.plane).own_period()

    def _alone_at_any_scale(self, frame: SampledFrame, plane: npt.NDArray[np.int8]) -> LocatedTile | None:
        """One frame by itself, turned and stretched too: a mark that moves with the camera lies at another scale in
        each, and does not add up."""
        part, small = PlaneSum(), PlaneSum()
        part.add(plane, frame.key)
        small.add(whitened(decimate(frame.luma, coarse_factor(*frame.luma.shape))), frame.key)
        search = self._search(part.plane, small)
        steps = search.own_scale, search.usual_scale, search.any_scale, search.any_lattice
        return first_found(step() for step in steps)

    def _shrunk(self, frames: list[tuple[SampledFrame, npt.NDArray[np.int8]]]) -> PlaneSum:
        """The sum of the same frames shrunk, in which lattices are looked for; the aligned sums grow by them too."""
        part, factor = PlaneSum(), coarse_factor(*frames[0][1].shape)
        if self._aligned is None or self.effort == "deep":
            self._aligned = AlignedSum(factor)
        for frame, plane in frames:
            small = whitened(decimate(frame.luma, factor))
            part.add(small, frame.key)
            self._small_total.add(small, frame.key)
            self._aligned.add(frame.luma, plane, small, frame.key)
        return part

    def _aligned_at_any_scale(self) -> LocatedTile | None:
        """The sum of frames that were taken back to the first, where the camera moves."""
        if self._aligned is None or not self._aligned.is_moved:
            return None
        return self._at_any_scale(self._aligned.whole, self._aligned.shrunk)

    def _at_any_scale(self, part: PlaneSum, small: PlaneSum) -> LocatedTile | None:
        search = self._search(part.plane, small)
        steps = search.own_scale, search.usual_scale, search.any_scale, search.any_lattice
        return first_found(step() for step in steps[: 4 if self.effort == "deep" else 3])

    def _search(self, plane: npt.NDArray[np.int8], small: PlaneSum | None = None) -> FilmSearch:
        self.last = plane
        return FilmSearch(plane, self._keyed, self._trials, (lambda: small.plane) if small else None)
