# SPDX-License-Identifier: Apache-2.0
"""Detecting in sound as it streams: windows of a minute, each searched alone, their answers joined."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labelkit.codec.resample import Resampler
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.watermark import audio_presence as presence, audio_search as search
from labelkit.watermark.audio_input import by_channel, check_channels, check_rate
from labelkit.watermark.audio_pattern import RATE, pattern
from labelkit.watermark.detection import Detection
from labelkit.watermark.payload import Payload

EFFORTS = ("fast", "normal", "deep")
_WINDOW_S, _OVERLAP_S = 64, 16
_GAP_ROWS = 8  # pauses of 1.5 s do not part a stretch; shorter stretches beside a longer one are not told
_DEEP_S = 16  # how much of a window the search for replays looks at, at a time
_PARTS, _PATHS = {"fast": 0, "normal": 6, "deep": 6}, {"fast": 8, "normal": 32, "deep": 32}


@dataclass(slots=True)
class _Segment:
    payload: Payload | None
    start_s: float
    end_s: float
    score: float
    log_rate: float
    tempo: float
    pitch: float

    def as_dict(self) -> dict[str, object]:
        return {"payload": self.payload.hex if self.payload else None, "start_s": round(self.start_s, 3),
                "end_s": round(self.end_s, 3), "score": round(self.score, 2), "tempo": round(self.tempo, 4),
                "pitch": round(self.pitch, 4)}


class AudioDetector:
    """Listens to a stream; memory does not grow with its length.

    rate      Hz, 8,000 to 192,000; channels of the chunks
    effort    as for `audio.detect`

    `push` takes chunks of any sizes, `finish` gives the Detection. A minute is searched at a time, and `marks` holds
    what was found up to then: dictionaries of payload (hex; None for presence alone), start_s, end_s, score, tempo,
    pitch.
    """

    def __init__(self, rate: int, channels: int, key: Key | None = None, *, effort: str = "normal") -> None:
        if effort not in EFFORTS:
            raise InvalidArgument("effort must be one of {choices}, got {value}", choices=", ".join(EFFORTS),
                                  value=repr(effort))
        self._pattern = pattern(Key.of(key))
        self._effort = effort
        self._views = 2 if channels > 1 and effort != "fast" else 1  # the mean of the channels; the first one
        self._channels = check_channels(channels)
        self._resampler = Resampler(check_rate(rate), RATE, self._views)
        self._parts: list[np.ndarray] = []
        self._held = 0
        self._start_s = 0.0
        self._windows = 0
        self._fresh = 0  # samples not yet searched
        self._best = 0.0  # score of the known chips, where nothing was found
        self._marks: list[_Segment] = []

    @property
    def marks(self) -> list[dict[str, object]]:
        """The stretches found so far."""
        return [mark.as_dict() for mark in self._marks]

    def push(self, chunk: np.ndarray) -> None:
        """Take in float32 (full scale +-1) or int16, [frames] or [frames, channels]."""
        rows = by_channel(chunk, self._channels)
        views = rows.mean(0, keepdims=True) if len(rows) > 1 else rows
        if self._views == 2:
            views = np.concatenate([views, rows[:1]])
        self._take(self._resampler.push(views))

    def finish(self) -> Detection:
        """The decision on all that was pushed; the detector is used up."""
        self._take(self._resampler.push(np.zeros((self._views, self._resampler.ahead + 1), np.float32)))
        if self._fresh:
            self._search(np.concatenate(self._parts, axis=1))
        if not self._marks:
            return Detection(False, None, self._best, 1.0, {}, self._effort)
        best = max(self._marks, key=lambda mark: (mark.payload is not None, mark.score))
        rate = min(1.0, math.exp(best.log_rate + math.log(self._windows)))
        own = [mark for mark in self._marks if mark.payload == best.payload]
        geometry = {"start_s": round(min(mark.start_s for mark in own), 3),
                    "end_s": round(max(mark.end_s for mark in own), 3),
                    "speed": round(best.tempo, 4), "tempo": round(best.tempo, 4), "pitch": round(best.pitch, 4),
                    "segments": self.marks}
        if best.payload is None:
            geometry["presence_only"] = True
        return Detection(True, best.payload, best.score, rate, geometry, self._effort)

    def _take(self, views: np.ndarray) -> None:
        self._parts.append(views)
        self._held += views.shape[1]
        self._fresh += views.shape[1]
        if self._held >= _WINDOW_S * RATE:
            window = np.concatenate(self._parts, axis=1)
            while window.shape[1] >= _WINDOW_S * RATE:
                self._search(window[:, : _WINDOW_S * RATE])
                window = window[:, (_WINDOW_S - _OVERLAP_S) * RATE :]
                self._start_s += _WINDOW_S - _OVERLAP_S
                self._fresh = window.shape[1] - _OVERLAP_S * RATE
            self._parts, self._held = [window.copy()], window.shape[1]

    def _search(self, window: np.ndarray) -> None:
        self._windows += 1
        self._fresh = 0
        for view in window:
            spectrum = search.Spectrum.of(np.ascontiguousarray(view))
            found = self._read(spectrum, search.Replay(), 1)
            if not found and self._effort == "deep":
                found = self._replayed(spectrum)
            for mark in found:
                self._note(mark)
            if found:
                return

    def _read(self, spectrum: search.Spectrum, replay: search.Replay, tried: int) -> list[search.Found]:
        chips = spectrum.chips(replay)
        self._best = max(self._best, search.likeness(chips, self._pattern)[0])
        log_tried = math.log(2 * tried * self._views)  # a payload or presence
        return (search.read(chips, self._pattern, replay, log_tried, parts=_PARTS[self._effort],
                            paths=_PATHS[self._effort])
                or presence.present(chips, self._pattern, replay, log_tried))

    def _replayed(self, spectrum: search.Spectrum) -> list[search.Found]:
        grid = search.replays()
        size = int(_DEEP_S / search.STEP_S)
        for first in range(0, len(spectrum.sums), size):
            part = search.Spectrum(spectrum.sums[first : first + size], spectrum.floors, spectrum.weights)
            if len(part.sums) < size // 4 and first:
                break
            rated = presence.any_likeness if len(part.sums) < presence.SHORT else search.likeness
            seen = search.survey(part, self._pattern, grid, rated)
            across = search.survey(part, self._pattern, search.crossings(seen), rated)
            for coarse, ways in [(one[2], len(grid)) for one in seen[:6]] + [(across[0][2], len(grid) ** 2)]:
                near = search.survey(part, self._pattern, search.nearby(coarse), rated)
                found = self._read(spectrum, near[0][2], ways * len(near))
                if found:
                    return found
        return []

    def _note(self, mark: search.Found) -> None:
        present = np.flatnonzero(mark.path != search.STARTS)
        groups = np.split(present, np.flatnonzero(np.diff(present) > _GAP_ROWS) + 1)
        longest = max(map(len, groups))
        tempo = mark.replay.tempo * (1 + mark.drift)
        for group in groups:
            if len(group) < min(_GAP_ROWS, longest):
                continue
            first, last = (int(n) * search.ROW + int(mark.path[n]) % search.ROW for n in (group[0], group[-1]))
            start, end = (self._start_s + t * search.STEP_S / mark.replay.tempo for t in (first, last + search.ROW))
            self._join(_Segment(mark.payload, start, end, mark.score, float(mark.log_rate), tempo,
                                mark.replay.pitch))

    def _join(self, new: _Segment) -> None:
        for old in self._marks:
            if old.payload == new.payload and new.start_s <= old.end_s + 1 and old.start_s <= new.end_s + 1:
                old.start_s, old.end_s = min(old.start_s, new.start_s), max(old.end_s, new.end_s)
                old.score, old.log_rate = max(old.score, new.score), min(old.log_rate, new.log_rate)
                return
        self._marks.append(new)
