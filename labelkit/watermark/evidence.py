# SPDX-License-Identifier: Apache-2.0
"""Evidence of a mark added up over the frames of a film, and where in time the mark lies."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from labelkit import kernels
from labelkit.key import Key
from labelkit.watermark import image, lattice, search, tile
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE, Detection
from labelkit.watermark.footage import Footage, Look, thinned
from labelkit.watermark.search import Match, Tally

_NOISE = 4  # grey levels squared, for `whiten`: codecs leave less of it than pictures have; 25 cost up to 2 dB
_KEY_WEIGHT = 3  # of a frame coded alone: after hard compression it carries more of the mark than any predicted one
_PATHS = 32  # 0.4 dB more than 8, on planes that took longer to make
_DEVIATION = 40.0  # of the int8 plane that a sum is scaled to
_PRESENT = 3.5  # standard deviations: a frame that reaches it carries the mark that is known to be in the film
_HALF_WAY = 1.5  # between unmarked frames and the weakest marked ones
_EDGE_SECONDS = 0.2  # how finely begin and end are looked for
_SPREAD = 4  # looks over the whole film, once the mark is known
_SIDES = (320, 360, 384, 432, 480, 512, 540, 576, 704, 720, 768, 1024, 1080, 1440, 2160)  # usual short ones of films


@dataclass(frozen=True, slots=True)
class Found:
    """A mark with what is needed to look for it again: the answer, the match and the lattice."""

    answer: Detection
    match: Match
    vectors: np.ndarray


class Search(image.Search):
    """The picture's search over a whitened plane that stands for many frames."""

    def __init__(self, plane: np.ndarray, carrier: tile.Carrier, tally: Tally, small: np.ndarray | None = None) -> None:
        self.luma = self.plane = plane  # its size is all that is asked of the luma
        self.carrier, self.tally, self.found, self._small = carrier, tally, None, small

    @functools.cached_property
    def coarse(self) -> tuple[int, lattice.Autocorrelation]:
        """See the picture's search; the frames were shrunk before they were added."""
        return image.coarse_factor(*self.plane.shape), lattice.Autocorrelation(self._small)

    def usual_scale(self) -> Detection | None:
        """The periods of films of the usual sizes, scaled to the size of this one.

        Reading asks less of a mark than the lattice search does: with it alone, after two platforms, three of five
        stretches were read at strength 0.75, and at 0.6 all are.
        """
        height, width = self.plane.shape
        short = min(height, width)
        for side in _SIDES:
            period = tile.period(round(width * side / short), round(height * side / short)) * short / side
            if side != short and period >= lattice.MIN_SPACING:
                found = self._on(np.eye(2) * period, orientations=1)
                if found:
                    return found
        return None

    def first(self, *steps: Callable[[], Detection | None]) -> Found | None:
        """What the first of the steps that finds anything found."""
        answer = next(filter(None, (step() for step in steps)), None)
        return Found(answer, *self.found) if answer else None


class Sum:
    """Whitened planes of frames of one size, added up."""

    def __init__(self) -> None:
        self.count, self._total = 0, np.zeros((0, 0), np.int32)

    def add(self, plane: np.ndarray, key: bool) -> None:
        """Add one int8 plane; one of another size begins anew."""
        if self._total.shape != plane.shape:
            self._total, self.count = np.zeros(plane.shape, np.int32), 0
        self._total += plane
        if key:
            self._total += np.int32(_KEY_WEIGHT - 1) * plane
        self.count += 1

    @property
    def plane(self) -> np.ndarray:
        """The sum as int8."""
        return _scaled(self._total)


def _scaled(total: np.ndarray) -> np.ndarray:
    deviation = float(total[::4, ::4].std()) or 1.0
    return np.clip(np.rint(total * np.float32(_DEVIATION / deviation)), -127, 127).astype(np.int8)


class Evidence:
    """All that one detection has seen: `take` groups of looks until it returns what was found."""

    def __init__(self, key: Key, effort: str) -> None:
        self.carrier, self.effort, self.tally = tile.carrier(key), effort, Tally(_PATHS)
        self.total, self._small_total, self.groups = Sum(), Sum(), 0
        self.seen: list[tuple[float, np.ndarray]] = []

    def take(self, group: Iterable[Look]) -> Found | None:
        """Look at each frame alone and at the sums, as far as the effort goes."""
        part, looks = Sum(), []
        for look in group:
            plane = image.whiten(look.luma, _NOISE)
            self.seen.append((look.seconds, plane))
            part.add(plane, look.key)
            self.total.add(plane, look.key)
            found = self._quick(plane)
            if found:
                return found
            looks.append(look)
        self.groups += 1
        if not looks or self.effort == "fast":
            return None
        small = self._shrunk(looks)
        if self.effort == "deep":
            del self.seen[:]
            return self._thorough(part, small)
        found = self._thorough(part, small)
        return found or (self._thorough(self.total, self._small_total) if self.groups > 1 else None)

    def _quick(self, plane: np.ndarray) -> Found | None:
        """The film's own scale in one frame, and in all together when their number has doubled."""
        one = Search(plane, self.carrier, self.tally)
        found = one.first(one.own_period)
        if found or self.total.count < 2 or self.total.count & self.total.count - 1:
            return found
        whole = Search(self.total.plane, self.carrier, self.tally)
        return whole.first(whole.own_period)

    def _shrunk(self, looks: list[Look]) -> Sum:
        """The sum of the same frames shrunk, in which lattices are searched."""
        part = Sum()
        for look in looks:
            plane = image.whiten(image.decimate(look.luma, image.coarse_factor(*look.luma.shape)), _NOISE)
            part.add(plane, look.key)
            self._small_total.add(plane, look.key)
        return part

    def _thorough(self, part: Sum, small: Sum) -> Found | None:
        one = Search(part.plane, self.carrier, self.tally, small.plane)
        steps = one.own_scale, one.usual_scale, one.any_scale, one.any_lattice
        return one.first(*steps[: 4 if self.effort == "deep" else 3])

    def nothing(self) -> Detection:
        """The answer where no word was read: a mark may still be there."""
        chance = self.tally.chance()
        present = chance <= MAX_FALSE_POSITIVE_RATE
        return Detection(present, None, self.tally.best, chance if present else 1.0, effort=self.effort)


# Where in time


class Presence:
    """How clearly one known mark, lying as it was found, shows in a plane: standard deviations above unmarked ones."""

    def __init__(self, found: Found, key: Key, evidence: Evidence) -> None:
        self._vectors, self._orientation = found.vectors, found.match.orientation
        self._carrier = tile.carrier(key)
        kx, ky, _ = tile.annulus()
        k = np.stack([ky, kx]) * (2 * np.pi / tile.GRID)
        coded = self._carrier.signs(found.match.word)
        wanted = np.sqrt(tile.SYNC_SHARE) + 1j * np.sqrt(1 - tile.SYNC_SHARE) * coded
        self._wanted = np.exp(-1j * (np.array(found.match.shift) @ k)) * wanted * self._carrier.phase
        if self.of(evidence.total.plane) < 0:  # a negative of the film
            self._wanted = -self._wanted

    def of(self, plane: np.ndarray) -> float:
        """The statistic of an int8 plane [height, width]."""
        bins = search.limited(tile.analyse(_fold(plane, self._vectors)))[self._orientation]
        return float((bins * self._wanted.conj()).real.sum() / np.sqrt(0.5 * np.square(np.abs(bins)).sum() + 1e-9))


def _fold(plane: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The plane folded as the search that found the lattice folded it."""
    p = round(float(vectors[0, 0]))
    if np.array_equal(vectors, np.eye(2) * p):
        folded = np.empty((p, p), np.int32)
        kernels.plane_fold(plane, folded)
        return folded
    return lattice.fold(plane, vectors)


def located(found: Found, evidence: Evidence, footage: Footage, key: Key) -> Detection:
    """The answer with the stretches of the film that carry the mark, in `geometry`.

    spans: [[begin, end], ...] in seconds, as far as frames were looked at; begin_seconds, end_seconds: the outermost.
    """
    presence = Presence(found, key, evidence)
    looks = dict(evidence.seen)
    if evidence.effort != "fast":
        looks |= {look.seconds: image.whiten(look.luma, _NOISE) for look in footage.spread(_SPREAD)}
    states = [(seconds, presence.of(plane) >= _PRESENT) for seconds, plane in sorted(looks.items())]
    spans = _spans(states, footage.seconds, lambda left, right, begins: _edge(footage, presence, left, right, begins))
    if not spans:
        return found.answer
    place = {"spans": spans, "begin_seconds": spans[0][0], "end_seconds": spans[-1][1]}
    return replace(found.answer, geometry={**found.answer.geometry, **place})


def _spans(states: list[tuple[float, bool]], length: float | None,
           edge: Callable[[float, float, bool], float]) -> list[list[float]]:
    """[begin, end] of each run of marked looks, its ends found between the looks around them."""
    spans: list[list[float]] = []
    before: tuple[float, bool] = (0.0, False)
    for number, (seconds, marked) in enumerate(states):
        if marked and not before[1]:
            spans.append([0.0 if number == 0 else edge(before[0], seconds, True), seconds])
        elif before[1] and not marked:
            spans[-1][1] = edge(before[0], seconds, False)
        before = seconds, marked
    if before[1]:
        spans[-1][1] = length if length is not None else before[0]
    return [[round(value, 3) for value in span] for span in spans]


def _edge(footage: Footage, presence: Presence, left: float, right: float, begins: bool) -> float:
    """When between two looks of different answer the mark begins, or ends: first by key frames, then frame by frame."""
    keys = footage.keys_between(left, right)
    while keys:
        middle = keys[len(keys) // 2]
        look = footage.at(middle)
        if look is not None and (presence.of(image.whiten(look.luma, _NOISE)) >= _PRESENT) == begins:
            right = middle
        else:
            left = middle
        keys = [key for key in keys if left < key < right]
    seconds, excess = [], []
    for look in thinned(footage.between(left, right), _EDGE_SECONDS):
        seconds.append(look.seconds)
        excess.append(presence.of(image.whiten(look.luma, _NOISE)) - _HALF_WAY)
    # the split that makes most of the looks on the marked side: one frame alone may be too bare to tell
    total = np.concatenate([[0.0], np.cumsum(excess)])
    split = int(np.argmin(total) if begins else np.argmax(total))
    return seconds[split] if split < len(seconds) else right
