# SPDX-License-Identifier: Apache-2.0
"""Detection in sound as it streams: windows of a minute are searched one by one, and their marks are joined."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labelkit.codec.resample import Resampler
from labelkit.codec.samples import BLOCK
from labelkit.evidence import AudioGeometry, Segment
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import check_effort
from labelkit.watermark.audio import synchronizer
from labelkit.watermark.audio.expected import read_expected
from labelkit.watermark.audio.inputs import Float32, Samples, by_channel, channels_of, check_channels, check_rate
from labelkit.watermark.audio.overlaid import read_beneath
from labelkit.watermark.audio.pattern import RATE, pattern
from labelkit.watermark.audio.presence import SHORT, find_presence, sync_or_presence_scores
from labelkit.watermark.audio.synchronizer import LocatedMark, Replay, Spectrum
from labelkit.watermark.candidates import AnyCandidates, Candidates
from labelkit.watermark.detection import Detection

_WINDOW_S, _OVERLAP_S = 64, 16
_GAP_ROWS = 8  # a pause of up to 1.5 s does not end a segment; a shorter segment beside a longer one is dropped
_DEEP_S = 16  # seconds of a window that the search for replays takes at a time
_FEW = 10_000  # candidates that are looked for at every replay that is tried; more only at the plain one
_SEGMENTS, _LIST_SIZES = {"fast": 0, "normal": 6, "deep": 6}, {"fast": 8, "normal": 32, "deep": 32}


@dataclass(slots=True)
class _Segment:
    payload: Payload | None
    start_s: float
    end_s: float
    score: float
    log_rate: float
    tempo: float
    pitch: float
    candidates: int | None

    def to_evidence(self, windows: int) -> Segment:
        return Segment(self.payload.hex if self.payload else None, round(self.start_s, 3), round(self.end_s, 3),
                       round(self.score, 2), round(self.tempo, 4), round(self.pitch, 4), self.rate(windows))

    def rate(self, windows: int) -> float:
        """The false positive rate where so many windows were searched."""
        return min(1.0, math.exp(self.log_rate + math.log(windows)))


def detect(samples: Samples, rate: int, key: Key | None = None, *, effort: str = "normal",
           candidates: AnyCandidates | None = None) -> Detection:
    """Whether `key` marked these samples, with what payload, where, and how they were replayed.

    samples     float32 or int16, [frames] or [frames, channels]
    rate        Hz, 8,000 to 192,000
    effort      "fast": as embedded, cut and joined; "normal": one channel alone too, and a longer decoder list;
                "deep": also replay speed 0.8 to 1.25, tempo 0.95 to 1.05 with the pitch kept, both, pitch +-1 semitone
    candidates  payloads of which one is expected: where no mark can be read, these are looked for

    The geometry is that of the strongest mark; its `segments` hold every stretch of every payload. The false positive
    rate holds for any host, because it is the chance over keys; see `significance.log_false_positive_rate`.
    Marks of one key laid over each other, as where marked voices are mixed, are read one under the other, but not at
    effort "fast". Two that begin within 12 ms of each other, or of a whole period, and are equally loud within about
    1.5 dB are not told apart: then neither is read.
    Raises InvalidArgument.
    """
    detector = AudioDetector(rate, channels_of(samples), key, effort=effort, candidates=candidates)
    for start in range(0, len(samples), BLOCK):
        detector.push(samples[start : start + BLOCK])
    return detector.finish()


class AudioDetector:
    """Detects in a stream; memory does not grow with its length.

    rate      Hz, 8,000 to 192,000
    channels  of the chunks
    effort, candidates  as for `audio.detect`

    `push` takes chunks of any sizes, `finish` gives the Detection. A minute is searched at a time; `marks` holds what
    was found so far.
    """

    def __init__(self, rate: int, channels: int, key: Key | None = None, *, effort: str = "normal",
                 candidates: AnyCandidates | None = None) -> None:
        check_effort(effort)
        self._candidates = Candidates.of(candidates)
        self._pattern = pattern(Key.of(key))
        self._effort = effort
        self._views = 2 if channels > 1 and effort != "fast" else 1  # the mean of the channels; the first one
        self._channels = check_channels(channels)
        self._resampler = Resampler(check_rate(rate), RATE, self._views)
        self._parts: list[Float32] = []
        self._held = 0
        self._start_s = 0.0
        self._windows = 0
        self._unsearched = 0  # samples
        self._best_sync = 0.0  # score of the known chips, reported where nothing was found
        self._marks: list[_Segment] = []

    @property
    def marks(self) -> tuple[Segment, ...]:
        """The segments found so far."""
        return tuple(mark.to_evidence(self._windows) for mark in self._marks)

    def push(self, chunk: Samples) -> None:
        """Take in float32 (full scale +-1) or int16, [frames] or [frames, channels]."""
        rows = by_channel(chunk, self._channels)
        views = rows.mean(0, keepdims=True) if len(rows) > 1 else rows
        if self._views == 2:
            views = np.concatenate([views, rows[:1]])
        self._take(self._resampler.push(views))

    def finish(self) -> Detection:
        """The decision on all that was pushed; the detector cannot be used again."""
        self._take(self._resampler.push(np.zeros((self._views, self._resampler.lookahead + 1), np.float32)))
        if self._unsearched:
            self._search(np.concatenate(self._parts, axis=1))
        if not self._marks:
            return Detection(False, None, self._best_sync, 1.0, effort=self._effort)
        best = max(self._marks, key=lambda mark: (mark.payload is not None, mark.score))
        rate = best.rate(self._windows)
        same = [mark for mark in self._marks if mark.payload == best.payload]
        others = [mark for mark in self._marks if mark.payload != best.payload]
        geometry = AudioGeometry(
            start_s=round(min(mark.start_s for mark in same), 3), end_s=round(max(mark.end_s for mark in same), 3),
            speed=round(best.tempo, 4), tempo=round(best.tempo, 4), pitch=round(best.pitch, 4), segments=self.marks,
            presence_only=True if best.payload is None else None,
            also=tuple(dict.fromkeys(mark.payload.hex for mark in others if mark.payload)) or None)
        return Detection(True, best.payload, best.score, rate, geometry, self._effort, best.candidates)

    def _take(self, views: Float32) -> None:
        self._parts.append(views)
        self._held += views.shape[1]
        self._unsearched += views.shape[1]
        if self._held >= _WINDOW_S * RATE:
            window = np.concatenate(self._parts, axis=1)
            while window.shape[1] >= _WINDOW_S * RATE:
                self._search(window[:, : _WINDOW_S * RATE])
                window = window[:, (_WINDOW_S - _OVERLAP_S) * RATE :]
                self._start_s += _WINDOW_S - _OVERLAP_S
                self._unsearched = window.shape[1] - _OVERLAP_S * RATE
            self._parts, self._held = [window.copy()], window.shape[1]

    def _search(self, window: Float32) -> None:
        self._windows += 1
        self._unsearched = 0
        for view in window:
            spectrum = Spectrum.of(np.ascontiguousarray(view))
            found = self._read(spectrum, Replay(), 1)
            if not found and self._effort == "deep":
                found = self._search_replays(spectrum)
            for mark in found:
                self._add(mark)
            if found:
                return

    def _read(self, spectrum: Spectrum, replay: Replay, tried: int) -> list[LocatedMark]:
        chips = spectrum.chips(replay)
        self._best_sync = max(self._best_sync, synchronizer.sync_scores(chips, self._pattern)[0])
        log_tried = math.log(2 * tried * self._views)  # a payload or presence
        segments, list_size = _SEGMENTS[self._effort], _LIST_SIZES[self._effort]
        found = synchronizer.read(chips, self._pattern, replay, log_tried, segments=segments, list_size=list_size)
        if not found:
            found = find_presence(chips, self._pattern, replay, log_tried)
            if not found and self._candidates and (tried == 1 or len(self._candidates) <= _FEW):
                found = read_expected(chips, self._pattern, replay, log_tried, self._candidates)
            return found
        if self._effort == "fast":
            return found
        return found + read_beneath(chips, self._pattern, found, replay, log_tried, segments=segments,
                                    list_size=list_size)

    def _search_replays(self, spectrum: Spectrum) -> list[LocatedMark]:
        grid = synchronizer.replay_grid()
        size = int(_DEEP_S / synchronizer.STEP_S)
        for first in range(0, len(spectrum.sums), size):
            part = Spectrum(spectrum.sums[first : first + size], spectrum.floors, spectrum.weights)
            if len(part.sums) < size // 4 and first:
                break
            scores = sync_or_presence_scores if len(part.sums) < SHORT else synchronizer.sync_scores
            ranked = synchronizer.rank_replays(part, self._pattern, grid, scores)
            combined = synchronizer.rank_replays(part, self._pattern, synchronizer.combine_replays(ranked), scores)
            for coarse, tried in [(one.replay, len(grid)) for one in ranked[:6]] + [(combined[0].replay,
                                                                                     len(grid) ** 2)]:
                near = synchronizer.rank_replays(part, self._pattern, synchronizer.neighbours(coarse), scores)
                found = self._read(spectrum, near[0].replay, tried * len(near))
                if found:
                    return found
        return []

    def _add(self, mark: LocatedMark) -> None:
        present = np.flatnonzero(mark.path != synchronizer.STARTS)
        groups = np.split(present, np.flatnonzero(np.diff(present) > _GAP_ROWS) + 1)
        longest = max(map(len, groups))
        tempo = mark.replay.tempo * (1 + mark.drift)
        for group in groups:
            if len(group) < min(_GAP_ROWS, longest):
                continue
            first, last = (int(n) * synchronizer.ROW + int(mark.path[n]) % synchronizer.ROW
                           for n in (group[0], group[-1]))
            start, end = (self._start_s + t * synchronizer.STEP_S / mark.replay.tempo
                          for t in (first, last + synchronizer.ROW))
            self._join(_Segment(mark.payload, start, end, mark.score, float(mark.log_rate), tempo,
                                mark.replay.pitch, mark.candidates))

    def _join(self, new: _Segment) -> None:
        for old in self._marks:
            if old.payload == new.payload and new.start_s <= old.end_s + 1 and old.start_s <= new.end_s + 1:
                old.start_s, old.end_s = min(old.start_s, new.start_s), max(old.end_s, new.end_s)
                old.candidates = new.candidates if new.log_rate < old.log_rate else old.candidates
                old.score, old.log_rate = max(old.score, new.score), min(old.log_rate, new.log_rate)
                return
        self._marks.append(new)
