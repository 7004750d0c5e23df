# SPDX-License-Identifier: Apache-2.0
"""Decide among candidates whether a picture or film carries one of them, where no word could be read.

While a search goes on, the likeliest shifts of the tile are kept: peaks of the synchronisation pattern, far lower ones
than a blind read tries. At the end the candidates are compared with the soft bits at the best of these.

Two questions share the false-positive rate equally. Anywhere: every shift that the search counted, every candidate. As
placed: the tile of each payload begins at a place of its own (`tile.origin`), so where a picture lies unmoved each
candidate has one shift, and 16,384 fewer are counted for each sign. Its synchronisation pattern need not stand out
there: of up to _ALL_PLACED candidates all are looked at; of more, those that a peak suggests.
"""

from __future__ import annotations

import functools
import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.key import Key
from labelkit.watermark.candidates import AnyCandidates, Candidates
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from labelkit.watermark.image import matcher, tile
from labelkit.watermark.image.matcher import EVEN, TileMatch, Trials, Weighting, weighted

# swept 2026-11-28, tables in benchmarks/TUNING.md: MIN_PEAK, BELOW_BAR, MOST
_MOST = 128  # shifts that are kept
_MIN_PEAK = 2.5  # deviations of the synchronisation pattern
_BELOW_BAR = 1.8  # deviations by which that of a mark at the bar may lie below its mean; more in 4 of 100
_MIN_PLACED = 1.0  # at the nearest sample of the grid to a candidate's origin: a sixth of unmarked ones pass
_REFINED = 5.0  # a candidate's score from which its best shift is looked for
_PEAKS_OF_ONE = 16  # of a plane in all its orientations
_PLACED_FIRST = 0.8  # deviations by which a peak of a picture that seems unmoved goes before others
_ALL_PLACED = 1 << 14  # candidates that are all looked at where each would begin: 0.3 s
_NEAR_ORIGIN = 2.0  # samples of the grid between a peak and a candidate's origin
_TRIED = 4  # candidates at each shift whose score is computed in full
_QUESTIONS = 4.0  # blind or among candidates; anywhere or as placed: each has its share of the rate
_DATA_SHARE = 1 - tile.SYNC_SHARE
_ALL_ONES = (1 << 64) - 1

Bins: TypeAlias = npt.NDArray[np.complex64]
Placed: TypeAlias = tuple[TileMatch, npt.NDArray[np.float64]]
"""A match and the lattice it lies on."""


@dataclass(frozen=True, slots=True, order=True)
class _Shift:
    """A shift at which the tile may lie: how likely it is, orientation, bins and lattice, and how their rings count."""

    rank: float
    number: int
    peak: tuple[float, float] = field(compare=False)
    orientation: int = field(compare=False)
    bins: Bins = field(compare=False)
    vectors: npt.NDArray[np.float64] = field(compare=False)
    weighting: Weighting = field(compare=False)
    placed: bool = field(compare=False)


_Plane: TypeAlias = tuple[Bins, npt.NDArray[np.float32], npt.NDArray[np.float64]]
"""Bins [2048] of a plane that is taken to lie as it was marked, their correlation [128, 128], and the lattice."""


class Expected:
    """What a search keeps for the decision among candidates.

    `at` says on which lattice the next plane is matched, `keep` takes its bins, `decide` comes last.
    """

    def __init__(self, candidates: Candidates, key: Key) -> None:
        self.candidates, self._key, self._keyed = candidates, key, tile.keyed_bins(key)
        self._shifts: list[_Shift] = []
        self._placed: defaultdict[Weighting, list[_Plane]] = defaultdict(list)
        self._most_placed = max(1, min(_MOST, _ALL_PLACED // len(candidates)))
        self._placed_count = 0
        self._vectors: npt.NDArray[np.float64] = np.eye(2)
        self._number = 0
        bar = math.sqrt(2 * (candidates.log_counted + math.log(matcher.SHIFTS * _QUESTIONS / MAX_FALSE_POSITIVE_RATE)))
        self._min_peak = max(_MIN_PEAK, tile.SYNC_SHARE**0.5 * bar - _BELOW_BAR)

    @classmethod
    def of(cls, candidates: AnyCandidates | None, key: Key) -> Expected | None:
        """For what `detect` is given; None without candidates."""
        listed = Candidates.of(candidates)
        return cls(listed, key) if listed else None

    def at(self, vectors: npt.NDArray[np.float64]) -> None:
        """The lattice of the plane that comes next, float64 [2, 2]."""
        self._vectors = vectors

    def keep(self, bins: Bins, correlation: npt.NDArray[np.float32], weighting: Weighting = EVEN) -> None:
        """Keep the best shifts of a plane: bins [orientations, 2048] without the key's phases, and their correlation,
        in which rings count as `weighting` says.

        One orientation alone means that the picture is taken to lie as it was marked.
        """
        placed = len(bins) == 1
        if placed:
            self._placed_count += 1
            planes = self._placed[weighting]
            if len(planes) == self._most_placed:  # a film's first frame and its last sums tell most
                planes.pop(self._most_placed // 2)
            planes.append((bins[0].copy(), correlation[0].copy(), self._vectors))
        for score, sign, orientation, row, column in _peaks(correlation, self._min_peak,
                                                              _MOST if placed else _PEAKS_OF_ONE):
            rank = score + (_PLACED_FIRST if placed and sign > 0 else 0.0)
            if len(self._shifts) == _MOST and rank <= self._shifts[0].rank:
                break
            self._number += 1
            shift = _Shift(rank, -self._number, (row, column), orientation, sign * bins[orientation], self._vectors,
                           weighting, placed and sign > 0)
            (heapq.heappushpop if len(self._shifts) == _MOST else heapq.heappush)(self._shifts, shift)

    def decide(self, trials: Trials) -> Placed | None:
        """The likeliest candidate where it passes the bar of a decision, or None."""
        best = self.likeliest(trials)
        return best if best and best[0].false_positive_rate <= MAX_FALSE_POSITIVE_RATE else None

    def likeliest(self, trials: Trials) -> Placed | None:
        """The candidate with the lowest false-positive rate; None where none comes near one.

        trials  of the whole search
        """
        found: list[Placed] = []
        if len(self.candidates) <= _ALL_PLACED:
            found += self._all_placed()
        shifts = heapq.nlargest(self.candidates.observations(_MOST, tile.CODED_BITS), self._shifts)
        if shifts:
            found += self._at(shifts, trials)
        return min(found, key=lambda one: one[0].false_positive_rate, default=None)

    def _at(self, shifts: list[_Shift], trials: Trials) -> Iterator[Placed]:
        """The candidates that come near the soft bits at these shifts."""
        places = [_refined(weighted(shift.bins, shift.weighting), shift.peak) for shift in shifts]
        aligned = [_moved(shift.bins, place) for shift, place in zip(shifts, places, strict=True)]
        soft = [_soft(bins) for bins in aligned]
        near = self.candidates.nearest(np.stack([self._coded(one) for one in soft]), _TRIED)
        for shift, place, bins, values, words in zip(shifts, places, aligned, soft, near, strict=True):
            for word, total in words:
                if _score(weighted(bins, shift.weighting), values, total) >= _REFINED:
                    yield self._anywhere(shift, place, word, trials), shift.vectors
                if shift.placed and len(self.candidates) > _ALL_PLACED and self._is_near(place, word):
                    yield self._as_placed(shift.bins, word, shift.weighting), shift.vectors

    def _all_placed(self) -> Iterator[Placed]:
        """Every candidate where its tile would begin, but for those where no synchronisation pattern is."""
        if not self._placed:
            return
        words = [int(word) & _ALL_ONES for word in self.candidates.words]
        origins = np.array([tile.origin(self._key, word) for word in words])
        column, row = np.rint(origins * tile.GRID).astype(int).T % tile.GRID
        for weighting, planes in self._placed.items():
            for bins, correlation, vectors in planes:
                for index in np.flatnonzero(correlation[row, column] >= _MIN_PLACED):
                    yield self._as_placed(bins, words[index], weighting), vectors

    def _as_placed(self, bins: Bins, word: int, weighting: Weighting) -> TileMatch:
        """A candidate where its tile begins in a picture that was not moved."""
        across, down = tile.origin(self._key, word)
        shift = (float(down) * tile.GRID, float(across) * tile.GRID)
        return self._match(word, _moved(bins, shift), weighting, 0, shift,
                           lambda score: self._placed_count * _tail(score))

    def _anywhere(self, shift: _Shift, place: tuple[float, float], word: int, trials: Trials) -> TileMatch:
        """A candidate at the best shift near a peak."""
        pattern = tile.SYNC_SHARE**0.5 + 1j * _DATA_SHARE**0.5 * self._keyed.signs(word)
        place = _refined((shift.bins * pattern.conj()).astype(np.complex64), place)
        return self._match(word, _moved(shift.bins, place), shift.weighting, shift.orientation, place,
                           lambda score: trials.word_chance(score, 1.0))

    def _match(self, word: int, aligned: Bins, weighting: Weighting, orientation: int, shift: tuple[float, float],
               chance: Callable[[float], float]) -> TileMatch:
        """A candidate in aligned bins; `chance` gives that of unmarked media to reach its score, for one candidate."""
        soft, counted = _soft(aligned), self.candidates.counted
        total = float(soft @ self._keyed.signs(word))
        score, code = _score(weighted(aligned, weighting), soft, total), _code_score(soft, total)
        rate = min(1.0, _QUESTIONS * counted * chance(score)) if self.candidates.tells_apart(code) else 1.0
        return TileMatch(word, score, rate, orientation, shift, candidates=counted)

    def _coded(self, soft: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.bincount(self._keyed.bit, soft, tile.CODED_BITS).astype(np.float64, copy=False)

    def _is_near(self, place: tuple[float, float], word: int) -> bool:
        across, down = tile.origin(self._key, word) * tile.GRID
        return all(abs((a - b + tile.GRID / 2) % tile.GRID - tile.GRID / 2) <= _NEAR_ORIGIN
                   for a, b in zip(place, (down, across), strict=True))


def _score(aligned: Bins, soft: npt.NDArray[np.float64], total: float) -> float:
    """Deviations above unmarked media, of aligned bins, weighted, and a word's sum of their soft values."""
    sync = float(aligned.real.sum()) / math.sqrt(max(0.5 * float(np.square(np.abs(aligned)).sum()), 1e-30))
    return float(tile.SYNC_SHARE**0.5 * sync + _DATA_SHARE**0.5 * _code_score(soft, total))


def _code_score(soft: npt.NDArray[np.float64], total: float) -> float:
    return total / math.sqrt(max(float(np.square(soft).sum()), 1e-30))


def _tail(score: float) -> float:
    """The probability that a standard normal variable exceeds the score; never stated as zero."""
    return 0.5 * math.erfc(min(score, 35.0) / math.sqrt(2))


def _peaks(correlation: npt.NDArray[np.float32], least: float, count: int) -> list[tuple[float, int, int, int, int]]:
    """Up to `count` peaks above `least`, the highest first: score, sign, orientation, row and column."""
    size = np.abs(correlation).ravel()
    high = np.flatnonzero(size > least)
    if len(high) > 8 * count:
        high = high[np.argpartition(-size[high], 8 * count)[: 8 * count]]
    peaks: list[tuple[float, int, int, int, int]] = []
    taken: set[tuple[int, int, int]] = set()
    for index in high[np.argsort(-size[high], kind="stable")]:
        orientation, row, column = map(int, np.unravel_index(index, correlation.shape))
        if (orientation, row, column) in taken:
            continue
        peaks.append((float(size[index]), 1 if correlation.flat[index] > 0 else -1, orientation, row, column))
        if len(peaks) == count:
            break
        taken |= {(orientation, (row + y) % tile.GRID, (column + x) % tile.GRID)
                  for y in range(-2, 3) for x in range(-2, 3)}
    return peaks


def _waves() -> npt.NDArray[np.float32]:
    """float32 [2, 2048]: radians by which each bin turns for a sample down, and across."""
    kx, ky, _ = tile.annulus()
    return np.stack([ky, kx]).astype(np.float32) * np.float32(2 * np.pi / tile.GRID)


def _moved(bins: Bins, shift: tuple[float, float]) -> Bins:
    """The bins with a shift (y, x) in samples of the grid taken out."""
    angle = np.array(shift, np.float32) @ _waves()
    phasor = np.empty(len(bins), np.complex64)
    phasor.real, phasor.imag = np.cos(angle), np.sin(angle)
    return phasor * bins


def _refined(bins: Bins, shift: tuple[float, float]) -> tuple[float, float]:
    """The shift near `shift` where the real parts of the bins add up to most, by two Newton steps."""
    waves, place = _waves(), np.array(shift, np.float32)
    for _ in range(2):
        aligned = _moved(bins, (float(place[0]), float(place[1])))
        hessian = (waves * aligned.real) @ waves.T
        if np.linalg.det(hessian) > 0 and hessian[0, 0] > 0:
            step = np.linalg.solve(hessian, -(waves * aligned.imag).sum(1))
            place = place + np.clip(step, -0.5, 0.5).astype(np.float32)
    return float(place[0]), float(place[1])


def _soft(aligned: Bins) -> npt.NDArray[np.float64]:
    """float64 [2048]: the imaginary parts, each ring weighted by the mean real part of the nine rings around it.

    A blind read takes five rings. At 4 deviations of the synchronisation pattern, where candidates are still found, the
    mean of nine is worth 0.1 deviations more, on 42 of 208 pictures after JPEG 10 and 20, WebP 35 and 50.
    """
    rings = aligned.reshape(tile.RINGS, -1)
    response = _smoothing() @ rings.real.mean(1)
    soft: npt.NDArray[np.float64] = (rings.imag * (np.maximum(response, 0) + 0.02)[:, None]).ravel()
    return soft


@functools.cache
def _smoothing() -> npt.NDArray[np.float64]:
    """float64 [16, 16]: the mean of the nine rings around each; beyond the first and the last these are repeated."""
    ring = np.arange(tile.RINGS)
    near = np.clip(ring[:, None] + np.arange(-4, 5), 0, tile.RINGS - 1)
    share: npt.NDArray[np.float64] = (near[:, :, None] == ring).mean(1)
    return share
