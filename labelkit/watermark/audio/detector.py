# SPDX-License-Identifier: Apache-2.0
"""Detection in sound as it streams: windows of a minute are searched one by one, and their marks are joined.

A window in which nothing is read as it was embedded is searched for replays (`replays`), in stretches of 16 s: first
for those that were found before, then for all. A file of hours is searched whole for its first ten minutes, and in one
stretch of each window from then on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labelkit.codec.resample import Resampler
from labelkit.codec.samples import BLOCK
from labelkit.evidence import AudioGeometry, NoGeometry, Segment
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import check_effort
from labelkit.watermark.audio import synchronizer
from labelkit.watermark.audio.expected import read_expected
from labelkit.watermark.audio.inputs import Float32, Samples, by_channel, channels_of, check_channels, check_rate
from labelkit.watermark.audio.overlaid import read_beneath
from labelkit.watermark.audio.pattern import RATE, pattern
from labelkit.watermark.audio.presence import find_presence
from labelkit.watermark.audio.replays import Trial, count, likely_replays, line_trials, plane_trials
from labelkit.watermark.audio.synchronizer import LocatedMark, Replay, Spectrum
from labelkit.watermark.candidates import AnyCandidates, Candidates
from labelkit.watermark.detection import Detection

_WINDOW_S, _OVERLAP_S = 64, 16
_GAP_ROWS = 8  # a pause of up to 1.5 s does not end a segment; a shorter segment beside a longer one is dropped
_FEW = 10_000  # candidates that are looked for at every replay that is tried; more only at the plain one
_SEGMENTS, _LIST_SIZES = {"fast": 0, "normal": 6, "deep": 6}, {"fast": 8, "normal": 32, "deep": 32}
_STRETCH_S = 16  # seconds of a window that the search for replays takes at a time
_WHOLE_STRETCHES = 40  # that are searched at effort "normal", ten minutes; then one of each window
_KNOWN = 2  # replays that were found are tried first in what follows
_PLAIN_COUNTS, _REPLAYS_COUNT = 1.1, 11.0  # of a bar: together, both searches pass it as seldom as one alone would


@dataclass(frozen=True, slots=True)
class _Search:
    """The replays that an effort searches for.

    trials      of `replays`
    candidates  how many replays these can end in
    least       deviations of the known chips from which on a replay is read
    is_bounded  whether long sound is searched in part
    """

    trials: tuple[Trial, ...]
    candidates: int
    least: float
    is_bounded: bool


@functools.cache
def _search_of(effort: str) -> _Search | None:
    if effort == "fast":
        return None
    if effort == "normal":
        trials = line_trials((0.7, 1.5), (0.75, 1.5), 3)
        return _Search(trials, count(trials), least=5.0, is_bounded=True)  # unmarked sound reaches 4.1 to 5.4
    trials = line_trials((0.5, 2.0), (0.5, 2.0), 6) + plane_trials((0.7, 1.5), (2 ** -0.25, 2 ** 0.25))
    return _Search(trials, count(trials), least=4.5, is_bounded=False)


@dataclass(slots=True)
class _Segment:
    payload: Payload | None
    start_s: float
    end_s: float
    score: float
    log_rate: float
    tempo: float
    pitch: float
    backwards: bool
    candidates: int | None

    def to_evidence(self, windows: int) -> Segment:
        return Segment(self.payload.hex if self.payload else None, round(self.start_s, 3), round(self.end_s, 3),
                       round(self.score, 2), round(self.tempo, 4), round(self.pitch, 4), self.rate(windows),
                       self.backwards or None)

    def rate(self, windows: int) -> float:
        """The false positive rate where so many windows were searched."""
        return min(1.0, math.exp(self.log_rate + math.log(windows)))


def detect(samples: Samples, rate: int, key: Key | None = None, *, effort: str = "normal",
           candidates: AnyCandidates | None = None) -> Detection:
    """Whether `key` marked these samples, with what payload, where, and how they were replayed.

    samples     float32 or int16, [frames] or [frames, channels]
    rate        Hz, 8,000 to 192,000
    effort      "fast": as embedded, cut and joined. "normal": one channel alone too, a longer decoder list, and where
                nothing is found, sound replayed at 0.7 to 1.5 times the speed, at 0.75 to 1.5 times the tempo with the
                pitch kept, up to 3 semitones higher or lower, each also backwards. "deep": speed and tempo 0.5 to 2,
                6 semitones, and tempo 0.7 to 1.5 with 3 semitones; all of long sound
    candidates  payloads of which one is expected: where no mark can be read, these are looked for

    The geometry is that of the strongest mark; its `segments` hold every stretch of every payload; `replays_s` says of
    how many seconds replays were searched for: at "normal" of the first ten minutes or so and 16 s of each minute from
    then on, so that unmarked sound of ten seconds and more takes a hundredth of its length. The false positive
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
        self._replays = _search_of(effort)
        self._seeks_replays = self._replays is not None  # the embedder's own check does not
        self._known: list[Replay] = []  # replays under which something was read, the latest last
        self._stretches = 0  # that were searched for replays
        self._replays_s = 0.0  # how long they were
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
            geometry = AudioGeometry(replays_s=self._searched_s()) if self._stretches else NoGeometry()
            return Detection(False, None, self._best_sync, 1.0, geometry, self._effort)
        best = max(self._marks, key=lambda mark: (mark.payload is not None, mark.score))
        rate = best.rate(self._windows)
        same = [mark for mark in self._marks if mark.payload == best.payload]
        others = [mark for mark in self._marks if mark.payload != best.payload]
        geometry = AudioGeometry(
            start_s=round(min(mark.start_s for mark in same), 3), end_s=round(max(mark.end_s for mark in same), 3),
            speed=round(best.tempo, 4), tempo=round(best.tempo, 4), pitch=round(best.pitch, 4), segments=self.marks,
            presence_only=True if best.payload is None else None, backwards=best.backwards or None,
            replays_s=self._searched_s(),
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

    def _searched_s(self) -> float | None:
        return round(self._replays_s, 1) if self._stretches else None

    def _search(self, window: Float32) -> None:
        self._windows += 1
        self._unsearched = 0
        for index, view in enumerate(window):
            spectrum = Spectrum.of(np.ascontiguousarray(view))
            found = self._read(spectrum, Replay(), _PLAIN_COUNTS if self._replays else 1)
            if not found and self._replays and self._seeks_replays and (
                    index == 0 or not self._replays.is_bounded):
                found = self._search_replays(spectrum, self._replays)
            for mark in found:
                self._add(mark, len(spectrum.sums))
            if found:
                return

    def _read(self, spectrum: Spectrum, replay: Replay, tried: float) -> list[LocatedMark]:
        chips = spectrum.chips(replay)
        self._best_sync = max(self._best_sync, synchronizer.sync_scores(chips, self._pattern)[0])
        log_tried = math.log(2 * tried * self._views)  # a payload or presence
        segments, list_size = _SEGMENTS[self._effort], _LIST_SIZES[self._effort]
        found = synchronizer.read(chips, self._pattern, replay, log_tried, segments=segments, list_size=list_size)
        if not found:
            found = find_presence(chips, self._pattern, replay, log_tried)
            if not found and self._candidates and (replay == Replay() or len(self._candidates) <= _FEW):
                found = read_expected(chips, self._pattern, replay, log_tried, self._candidates)
            return found
        if self._effort == "fast":
            return found
        return found + read_beneath(chips, self._pattern, found, replay, log_tried, segments=segments,
                                    list_size=list_size)

    def _search_replays(self, spectrum: Spectrum, search: _Search) -> list[LocatedMark]:
        for replay in self._known[::-1]:
            found = self._read_replay(spectrum, search, replay)
            if found:
                return found
        for part in self._stretches_of(spectrum, search):
            self._stretches += 1
            self._replays_s += len(part.sums) * synchronizer.STEP_S
            for replay in likely_replays(part, self._pattern, search.trials, search.least):
                found = self._read_replay(spectrum, search, replay)
                if found:
                    self._known = [*self._known, replay][-_KNOWN:]
                    return found
        return []

    def _read_replay(self, spectrum: Spectrum, search: _Search, replay: Replay) -> list[LocatedMark]:
        return self._read(spectrum, replay, _REPLAYS_COUNT * search.candidates)

    def _stretches_of(self, spectrum: Spectrum, search: _Search) -> Iterator[Spectrum]:
        """The stretches of a window that are searched for replays, but for what the window before it ended with."""
        size, begun = int(_STRETCH_S / synchronizer.STEP_S), self._stretches
        for first in range(0 if self._windows == 1 else size, len(spectrum.sums), size):
            part = spectrum.sums[first : first + size]
            is_enough = search.is_bounded and begun < self._stretches and self._stretches >= _WHOLE_STRETCHES
            if is_enough or first and len(part) < size // 4:
                return
            yield Spectrum(part, spectrum.floors, spectrum.weights)

    def _add(self, mark: LocatedMark, frames: int) -> None:
        """Take in a mark of a window of so many frames of the spectrum."""
        present = np.flatnonzero(mark.path != synchronizer.STARTS)
        groups = np.split(present, np.flatnonzero(np.diff(present) > _GAP_ROWS) + 1)
        longest = max(map(len, groups))
        tempo = mark.replay.tempo * (1 + mark.drift)
        for group in groups:
            if len(group) < min(_GAP_ROWS, longest):
                continue
            first, last = (int(n) * synchronizer.ROW + int(mark.path[n]) % synchronizer.ROW
                           for n in (group[0], group[-1]))
            start, end = (t / mark.replay.tempo for t in (first, last + synchronizer.ROW))
            if mark.replay.backwards:
                start, end = frames - end, frames - start
            self._join(_Segment(mark.payload, self._start_s + start * synchronizer.STEP_S,
                                self._start_s + end * synchronizer.STEP_S, mark.score, float(mark.log_rate), tempo,
                                mark.replay.pitch, mark.replay.backwards, mark.candidates))

    def _join(self, new: _Segment) -> None:
        for old in self._marks:
            if old.payload == new.payload and new.start_s <= old.end_s + 1 and old.start_s <= new.end_s + 1:
                old.start_s, old.end_s = min(old.start_s, new.start_s), max(old.end_s, new.end_s)
                old.candidates = new.candidates if new.log_rate < old.log_rate else old.candidates
                old.score, old.log_rate = max(old.score, new.score), min(old.log_rate, new.log_rate)
                return
        self._marks.append(new)
