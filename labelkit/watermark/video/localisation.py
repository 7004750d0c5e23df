# SPDX-License-Identifier: Apache-2.0
"""Locate a known mark in time: the stretches of a film that carry it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labelkit.evidence import FilmGeometry, ImageGeometry
from labelkit.key import Key
from labelkit.watermark.detection import Detection
from labelkit.watermark.image import lattice, matcher, search, tile
from labelkit.watermark.image.search import LocatedTile
from labelkit.watermark.video.accumulator import FilmAccumulator, whitened
from labelkit.watermark.video.sampling import FrameSampler, SampledFrame, thinned

_MARKED_SCORE = 3.5  # standard deviations: a frame that reaches it carries the mark that is known to be in the film
_EDGE_SCORE = 1.5  # half-way between unmarked frames and the weakest marked ones
_UNMARKED_PEAK, _PEAK_SLOPE = 4.8, 2.0  # of the best of all shifts; from 6.5 on it counts as marked
_NEAR_ZOOMS: npt.NDArray[np.float64] = 1 + 0.006 * np.arange(-2.0, 3.0)  # of a frame, to one nearby
_ALL_ZOOMS: npt.NDArray[np.float64] = 1.008 ** np.arange(-28.0, 29.0)  # as far as a marker lets the camera go
_EDGE_SECONDS = 0.2  # distance of the frames in which an edge is looked for
_SURVEY_FRAMES = 4  # read over the whole film, once the mark is known

Span = tuple[float, float]


class MatchedFilter:
    """Scores how clearly one known mark shows in a plane: as it was found, or moved on with the camera.

    plane  int8 [height, width], in which the mark was found
    """

    def __init__(self, found: LocatedTile, key: Key, plane: npt.NDArray[np.int8]) -> None:
        self._vectors, self._orientation = found.vectors, found.match.orientation
        keyed = tile.keyed_bins(key)
        k = np.stack([keyed.ky, keyed.kx]) * (2 * np.pi / tile.GRID)
        signs = keyed.signs(found.match.word)
        self._pattern = (np.sqrt(tile.SYNC_SHARE) + 1j * np.sqrt(1 - tile.SYNC_SHARE) * signs) * keyed.phase
        self._shift = np.exp(-1j * (np.array(found.match.shift) @ k))
        self._zoom = 1.0  # at which the mark was seen last
        if self._as_found(plane) < 0:  # a negative of the film
            self._pattern = -self._pattern

    def score(self, plane: npt.NDArray[np.int8], *, anywhere: bool = False) -> float:
        """Standard deviations above unmarked planes; int8 [height, width].

        anywhere  the mark may be much larger or smaller than in the plane that was scored before
        """
        score = self._as_found(plane)
        if score < _MARKED_SCORE:
            score = max(score, self._moved(plane, self._zoom * _NEAR_ZOOMS))
        if score < _MARKED_SCORE and anywhere:
            score = max(score, self._moved(plane, _ALL_ZOOMS))
        return score

    def is_marked(self, frame: SampledFrame) -> bool:
        """Whether a frame carries the mark."""
        return self.score(whitened(frame.luma), anywhere=True) >= _MARKED_SCORE

    def _as_found(self, plane: npt.NDArray[np.int8]) -> float:
        bins = self._bins(plane, 1.0)
        matched = (bins * (self._pattern * self._shift).conj()).real.sum()
        return float(matched / np.sqrt(0.5 * np.square(np.abs(bins)).sum() + 1e-9))

    def _moved(self, plane: npt.NDArray[np.int8], zooms: npt.NDArray[np.float64]) -> float:
        """The same at the best of all shifts and of `zooms`, on the scale of one place."""
        peaks = []
        for zoom in zooms:
            bins = (self._bins(plane, zoom) * self._pattern.conj()).astype(np.complex64)
            peaks.append(float(matcher.correlate(bins[None]).max()))
        best = int(np.argmax(peaks))
        score = _PEAK_SLOPE * (peaks[best] - _UNMARKED_PEAK)
        if score >= _MARKED_SCORE:
            self._zoom = float(zooms[best])
        return score

    def _bins(self, plane: npt.NDArray[np.int8], zoom: float) -> npt.NDArray[np.complex64]:
        """The plane folded as the search that found the lattice folded it, or at another zoom."""
        p = round(float(self._vectors[0, 0]))
        whole = zoom == 1 and np.array_equal(self._vectors, np.eye(2) * p)
        folded = search.fold(plane, p) if whole else lattice.fold(plane, self._vectors * zoom)
        bins: npt.NDArray[np.complex64] = matcher.limited_bins(tile.analyse(folded))[self._orientation]
        return bins


def with_spans(found: LocatedTile, accumulator: FilmAccumulator, sampler: FrameSampler, key: Key) -> Detection:
    """The decision with a `FilmGeometry`: the stretches that carry the mark, as far as frames were read.

    Without a stretch the geometry stays that of a picture.
    """
    detection = found.detection(accumulator.effort)
    matched = MatchedFilter(found, key, accumulator.last)
    planes = dict(accumulator.planes)
    if accumulator.effort != "fast":
        planes |= {frame.seconds: whitened(frame.luma) for frame in sampler.evenly_spaced(_SURVEY_FRAMES)}
    states = [(seconds, matched.score(plane, anywhere=True) >= _MARKED_SCORE)
              for seconds, plane in sorted(planes.items())]
    spans = _spans(states, sampler.seconds, lambda left, right, begins: _edge(sampler, matched, left, right, begins))
    geometry = detection.geometry
    if not spans or not isinstance(geometry, ImageGeometry):
        return detection
    return replace(detection, geometry=FilmGeometry(
        geometry.period, geometry.mirrored, geometry.angle, geometry.lattice, geometry.also, spans=tuple(spans),
        begin_seconds=spans[0][0], end_seconds=spans[-1][1]))


def _spans(states: list[tuple[float, bool]], length: float | None,
           edge: Callable[[float, float, bool], float]) -> list[Span]:
    """(begin, end) of each run of marked frames, in seconds; `edge` finds its ends between the frames around them.

    states  (seconds, marked) of each frame that was read, ascending
    length  of the film, None where it is not known
    """
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
    return [(round(begin, 3), round(end, 3)) for begin, end in spans]


def _edge(sampler: FrameSampler, matched: MatchedFilter, left: float, right: float, begins: bool) -> float:
    """When, between a marked and an unmarked frame, the mark begins or ends: by key frames first, then frame by frame.

    left, right  their times in seconds
    begins       whether the later one is the marked one
    """
    keys = sampler.key_times(left, right)
    while keys:
        middle = keys[len(keys) // 2]
        frame = sampler.key_frame_at(middle)
        if frame is not None and matched.is_marked(frame) == begins:
            right = middle
        else:
            left = middle
        keys = [key for key in keys if left < key < right]
    seconds, excess = [], []
    for frame in thinned(sampler.between(left, right), _EDGE_SECONDS):
        seconds.append(frame.seconds)
        excess.append(matched.score(whitened(frame.luma)) - _EDGE_SCORE)
    # the split with the most evidence on the marked side: one frame alone may be too flat to tell
    total = np.concatenate([[0.0], np.cumsum(excess)])
    split = int(np.argmin(total) if begins else np.argmax(total))
    return seconds[split] if split < len(seconds) else right
