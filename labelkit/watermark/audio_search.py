# SPDX-License-Identifier: Apache-2.0
"""Finding the audio carrier's pattern again: how it was replayed, where its periods lie, and what they say.

Everything works on one log spectrum of frames 16 ms apart. A replay at another speed, tempo or pitch is read out of the
same spectrum along scaled axes; no sample is resampled for it. Where the periods lie is the best path through the rows
of 192 ms: a state for each of the 192 places where a period can start, and one for "no mark here", so that crops,
joins, deletions and clock drift are all the same search.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelkit import kernels
from labelkit.watermark.audio_decision import LOG_PAYLOADS, log_rate, score
from labelkit.watermark.audio_pattern import (
    EDGES,
    FRAME,
    HOP,
    PAIRS,
    RATE,
    ROW_FRAMES,
    ROWS,
    Pattern,
    roots,
    windows,
)
from labelkit.watermark.payload import Payload

STEP = HOP // 2  # samples between the spectrum's frames
ROW = 2 * ROW_FRAMES  # frames of the spectrum in a row
STARTS = ROW * ROWS  # places where a period can start
STEP_S = STEP / RATE
ROW_S = ROW * STEP_S

_LOW, _HIGH = 22, 512  # bins of the spectrum: the bands' own, moved by 0.73 to 1.25
_OCTAVE_DB = 10 * math.log10(2)
_CUT_BANDS = 12
_FLOOR_BLOCK = 160  # of four frames: 10 s
_GUARDED = np.pad(EDGES.astype(int), 1, mode="reflect", reflect_type="odd")  # one more band at both ends
_CENTRES = (_GUARDED[1:] + _GUARDED[:-1]) / 2


@dataclass(frozen=True, slots=True)
class Replay:
    """How marked sound was replayed: `tempo` times as fast, with `pitch` times the frequencies."""

    tempo: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Spectrum:
    """Running sums of log2 power, float32 [frames, bins + 1]; noise floor and weight of each band at plain replay."""

    sums: np.ndarray
    floors: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, samples: np.ndarray) -> Spectrum:
        """The spectrum of float32 [n] at 16 kHz; frame t is centred on sample 256 t."""
        padded = np.concatenate([np.zeros(FRAME // 2, np.float32), samples, np.zeros(FRAME, np.float32)])
        frames = max(1, len(samples) // STEP)
        sums = np.empty((frames, _HIGH - _LOW + 1), np.float32)
        kernels.audio_spectrum(padded, frames, STEP, roots(), windows()[1], _LOW, _HIGH,
                               np.empty(4 * FRAME, np.float32), sums)
        return cls(sums, *_levels(sums))

    def chips(self, replay: Replay) -> np.ndarray:
        """float32 [rows, 38]: every chip's value at every start, in the time of the marked sound."""
        frames = len(self.sums)
        rows = max(1, int(frames * replay.tempo))
        edges = np.minimum((_GUARDED - 0.5) * replay.pitch + 0.5, _HIGH) - _LOW
        index = np.minimum(edges.astype(np.uint16), _HIGH - _LOW - 1)
        width = np.diff(edges)
        lost = width < 0.9 * np.diff(_GUARDED) * replay.pitch  # above 8 kHz as replayed
        floors, weights = self.floors, self.weights
        if replay.pitch != 1:
            floors = np.interp(_CENTRES * replay.pitch, _CENTRES, floors)
            weights = np.interp(_CENTRES * replay.pitch, _CENTRES, weights)
        weights = np.where(lost | np.roll(lost, -1), 0, weights)
        out = np.empty((rows, PAIRS), np.float32)
        kernels.audio_chips(self.sums, frames, index, *(np.float32(x) for x in (
            edges - index, 1 / np.maximum(width, 1e-3), floors, weights)), 1 / replay.tempo, rows,
            np.empty(4 * rows * len(width), np.float32), out)
        return out


def _levels(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each band's noise floor (the 2nd percentile of its level, log2) and its weight.

    The weight is 0 where a band lies 35 dB under one of the twelve below it: there a codec or a line has cut it off.
    """
    level = np.diff(sums[:, _GUARDED - _LOW], axis=1) / np.diff(_GUARDED)
    slow = level[: len(level) // 4 * 4].reshape(-1, 4, len(_CENTRES)).mean(1) if len(level) >= 16 else level
    blocks = np.array_split(slow, max(1, len(slow) // _FLOOR_BLOCK))  # the quietest counts: a clean clip in noise
    floors = np.min([np.partition(block, len(block) // 50, axis=0)[len(block) // 50] for block in blocks], axis=0)
    mean = level.mean(0)
    before = np.lib.stride_tricks.sliding_window_view(np.pad(mean, (_CUT_BANDS, 0), mode="edge"), _CUT_BANDS + 1).max(1)
    return floors, np.clip((mean - before) * _OCTAVE_DB / 10 + 3.5, 0, 1)


def row_scores(chips: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [n, 192] each: for row n and each place where a period can start, the correlation with `signs`
    (float32 [16, 38], 0 where unknown) and its variance under random signs."""
    hit, var = np.empty((2, len(chips) // ROW, STARTS), np.float32)
    kernels.audio_rows(chips, np.ascontiguousarray(signs.T), ROW, hit, var)
    return hit, var


def likeness(chips: np.ndarray, pattern: Pattern) -> tuple[float, float]:
    """The correlation with the known chips in deviations, each at its best place: of all rows, and of the best period.

    The first tells the tempo, even where the pitch is a little wrong; the second the pitch, even where the tempo is.
    """
    hit, var = row_scores(chips, pattern.sync.astype(np.float32))
    if not len(hit):
        return 0.0, 0.0
    whole = hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)
    if len(hit) < ROWS:
        return float(whole.max()), float(whole.max())
    half = ROWS // 2
    hit, var = (x[: len(x) // half * half].reshape(-1, half, STARTS).sum(1) for x in (hit, var))
    brief = (hit[1:] + hit[:-1]) / np.sqrt(var[1:] + var[:-1] + 1e-9)
    return float(whole.max()), float(brief.max())


_ABSENT = STARTS
_PLACES, _LONG_LIST = 4, 256
_BAR = math.log(1e-9)  # of false positives in a minute


def best_path(hit: np.ndarray, var: np.ndarray, expected: float) -> np.ndarray:
    """int64 [n]: for each row the place where its period starts, or 192 for no mark: Viterbi's path.

    expected: the correlation of one row of a mark, in deviations. A row's gain is its log likelihood ratio; a turn
    costs the logarithm of how many such turns there are, so that stray likeness does not pay.
    """
    n = len(hit)
    scale = math.sqrt(max(float(var.mean()), 1e-12))
    turn, leave, drift = (math.log(ways) for ways in (STARTS * n, max(n, 2), 2 * n))  # as `log_paths` charges them
    gain = np.zeros((n, STARTS + 1), np.float32)
    gain[:, :STARTS] = expected * hit / scale - 0.5 * expected**2 * var / scale**2
    total, back = gain[0] - math.log(STARTS) * (np.arange(STARTS + 1) < _ABSENT), np.empty((n, STARTS + 1), np.int16)
    stay = np.arange(STARTS)
    for row in range(1, n):
        marked = total[:STARTS]
        top = int(marked.argmax())
        best, came = marked.copy(), stay.copy()
        for step in (1, -1):
            moved = np.roll(marked, step) - drift
            better = moved > best
            best[better], came[better] = moved[better], np.roll(stay, step)[better]
        for value, source in ((marked[top] - turn, top), (total[_ABSENT] - turn, _ABSENT)):
            better = value > best
            best[better], came[better] = value, source
        out = marked[top] - leave
        back[row, :STARTS], back[row, _ABSENT] = came, top if out > total[_ABSENT] else _ABSENT
        total = np.append(best, max(out, total[_ABSENT])) + gain[row]
    path = np.empty(n, np.int64)
    path[-1] = int(total.argmax())
    for row in range(n - 1, 0, -1):
        path[row - 1] = back[row, path[row]]
    return path


def fold(chips: np.ndarray, path: np.ndarray) -> np.ndarray:
    """float [16, 38]: the chips along a path, added up row by row of the pattern."""
    n = np.flatnonzero(path != _ABSENT)
    start = path[n]
    folded = np.zeros((ROWS, PAIRS))
    np.add.at(folded, (n - start // ROW) % ROWS, chips[n * ROW + start % ROW])
    return folded


def log_paths(path: np.ndarray) -> float:
    """Natural log of how many paths there are that turn as often as this one: what its choice is charged with."""
    n, turns = len(path), np.diff(path)
    drifts = np.count_nonzero((np.abs(turns) == 1) & (path[1:] != _ABSENT) & (path[:-1] != _ABSENT))
    into = np.count_nonzero((turns != 0) & (path[1:] != _ABSENT)) - drifts
    out = np.count_nonzero((turns != 0) & (path[1:] == _ABSENT))
    return math.log(STARTS) + into * math.log(STARTS * n) + out * math.log(n) + drifts * math.log(2 * n)


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """A payload (None: presence alone), how it was replayed, and where: path over rows of 192 ms of the marked sound's
    own time, which still runs faster by the share `drift`."""

    payload: Payload | None
    replay: Replay
    path: np.ndarray
    score: float
    log_rate: float
    drift: float


def runs(path: np.ndarray) -> list[tuple[int, int]]:
    """(first, last + 1) rows of each stretch of a path without a jump, longest first."""
    if not len(path):
        return []
    step = np.diff(path)
    cut = np.flatnonzero((np.abs(step) > 1) | ((path[1:] == _ABSENT) != (path[:-1] == _ABSENT))) + 1
    ends = np.concatenate([[0], cut, [len(path)]])
    parts = [(int(a), int(b)) for a, b in zip(ends, ends[1:], strict=False) if path[a] != _ABSENT]
    return sorted(parts, key=lambda part: part[0] - part[1])


_DRIFTS = np.arange(-24, 25) * 5e-4  # what the path still follows


def drift(path: np.ndarray, hit: np.ndarray) -> float:
    """By what share the longest stretch was replayed faster than assumed: its places come earlier and earlier."""
    first, end = runs(path)[0]
    rows = np.arange(first, end)
    if len(rows) < ROWS:
        return 0.0
    moved = np.rint(ROW * _DRIFTS[:, None, None] * (rows - rows.mean()))
    places = path[rows[len(rows) // 2]] + np.arange(-3, 4)[:, None] - moved.astype(int)
    sums = hit[rows, places % STARTS].sum(-1).max(-1)
    best = int(sums.argmax())
    return float(_DRIFTS[best]) if sums[best] > 1.01 * sums[len(_DRIFTS) // 2] else 0.0


def read(chips: np.ndarray, pattern: Pattern, replay: Replay, log_tried: float, *,
         parts: int, paths: int) -> list[Found]:
    """Every payload that these chips carry; `parts` stretches are tried alone besides the whole path.

    Where nothing is read but the known chips look like a mark, the likeliest places are tried with a longer list. Words
    that are tried cost nothing in the decision, which counts all 2^64 payloads at every place.
    """
    hit, var = row_scores(chips, pattern.sync.astype(np.float32))
    if len(hit) < 4:
        return []
    path = best_path(hit, var, 0.7)
    trials = [path] + [_only(path, *part) for part in runs(path)[:parts] if part[1] - part[0] >= 8]
    trials = trials[:1] if len(trials) == 2 and np.array_equal(trials[0], trials[1]) else trials
    found = _read_along(trials, chips, pattern, replay, log_tried, paths)
    if found or not parts:
        return found
    places = _likely_places(hit, var, math.sqrt(2 * (math.log(STARTS) + log_tried)) - 0.4)
    return _read_along([path] * bool(places) + [np.full_like(path, place) for place in places], chips, pattern, replay,
                       log_tried, _LONG_LIST)


def _read_along(trials: list[np.ndarray], chips: np.ndarray, pattern: Pattern, replay: Replay, log_tried: float,
                paths: int) -> list[Found]:
    found: list[Found] = []
    for trial in trials:
        if np.count_nonzero(trial != _ABSENT) < 8:
            continue
        payload = pattern.read(fold(chips, trial), paths)
        if payload is None or any(known.payload == payload for known in found):
            continue
        mark = confirm(chips, pattern, payload, replay, log_tried)
        if mark:
            found.append(mark)
    return found


def _likely_places(hit: np.ndarray, var: np.ndarray, least: float) -> list[int]:
    """The places whose known chips, all rows together, are the likeliest, where above `least` deviations."""
    known = hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)
    places = []
    while len(places) < _PLACES and known.max() > least:
        places.append(int(known.argmax()))
        known[(places[-1] + np.arange(-2, 3)) % STARTS] = -np.inf
    return places


def confirm(chips: np.ndarray, pattern: Pattern, payload: Payload | None, replay: Replay,
            log_tried: float) -> Found | None:
    """Look for a payload, or presence, again with every chip known; None where it does not pass the bar."""
    signs = pattern.chips(payload)
    log_words = 0.0 if payload is None else LOG_PAYLOADS
    hit, var = row_scores(chips, signs)
    straight = np.full(len(hit), int((hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)).argmax()))
    best = None
    for path in (best_path(hit, var, 1.2), straight):
        folded = fold(chips, path)
        rate = log_rate(folded, signs, log_words + log_tried + log_paths(path))
        if rate <= _BAR and (best is None or rate < best.log_rate):
            held = _held(path, hit, var)
            best = Found(payload, replay, held, score(folded, signs), rate, drift(held, hit))
    return best


def _held(path: np.ndarray, hit: np.ndarray, var: np.ndarray) -> np.ndarray:
    """The path without what it ran on for: of each stretch the rows that together are most above a third of the
    mark's strength. Silent rows count neither way."""
    rows = np.flatnonzero(path != _ABSENT)
    known, spread = hit[rows, path[rows]], np.sqrt(var[rows, path[rows]] + 1e-9)
    above = np.zeros(len(path))
    above[rows] = known - np.quantile(known / spread, 0.75) / 3 * spread
    held = np.full_like(path, _ABSENT)
    for first, end in runs(path):
        total = np.concatenate([[0], np.cumsum(above[first:end])])
        last = int((total - np.minimum.accumulate(total)).argmax())
        part = slice(first + int(total[: last + 1].argmin()), first + last)
        held[part] = path[part]
    return held


def _only(path: np.ndarray, first: int, end: int) -> np.ndarray:
    part = np.full_like(path, _ABSENT)
    part[first:end] = path[first:end]
    return part


_FINE = 0.0045  # steps of tempo and pitch: 16 s move by 36 ms at most, a third of half a chip
_GRIDS = (("speed", 0.795, 1.258), ("tempo", 0.94, 1.064), ("pitch", 0.935, 1.07))


def replays() -> list[Replay]:
    """Every way of replay that the deep search tries: speed, tempo with the pitch kept, pitch with the length kept."""
    out = []
    for kind, low, high in _GRIDS:
        count = round(math.log(high / low) / _FINE)
        for factor in np.geomspace(low, high, count + 1):
            out.append(Replay(1.0 if kind == "pitch" else float(factor), 1.0 if kind == "tempo" else float(factor)))
    return out


Likeness = Callable[[np.ndarray, Pattern], tuple[float, float]]


def survey(spectrum: Spectrum, pattern: Pattern, tried: list[Replay],
           rated: Likeness = likeness) -> list[tuple[float, float, Replay]]:
    """Each replay after its `likeness` (or what else rates the chips), the likeliest first."""
    seen = [(*rated(spectrum.chips(replay), pattern), replay) for replay in tried]
    return sorted(seen, key=lambda one: -one[0])


def crossings(seen: list[tuple[float, float, Replay]]) -> list[Replay]:
    """Replays off the three lines: the tempos that all rows favour, with the pitches that single periods favour."""
    pitches = [replay.pitch for _, _, replay in sorted(seen, key=lambda one: -one[1])[:2]]
    return [Replay(replay.tempo, pitch) for _, _, replay in seen[:3] for pitch in pitches]


def nearby(replay: Replay) -> list[Replay]:
    """The replay and its neighbours a third of a step away, along the same line."""
    out = []
    for step in (-2, -1, 0, 1, 2):
        factor = math.exp(step * _FINE / 4)
        plain_tempo, plain_pitch = replay.tempo == 1.0, replay.pitch == 1.0
        out.append(Replay(1.0 if plain_tempo else replay.tempo * factor, 1.0 if plain_pitch else replay.pitch * factor))
    return out
