# SPDX-License-Identifier: Apache-2.0
"""Synchronisation: how marked sound was replayed, where the pattern's periods start, and what they carry.

Everything works on one log spectrum of frames 16 ms apart. A replay at another speed, tempo or pitch is read from the
same spectrum along scaled axes; no sample is resampled for it. The starts of the periods are the best path through the
rows of 192 ms: one state for each of the 192 starts that a period can have, and one for "no mark here". So crops,
joins, deletions and clock drift are one search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.payload import Payload
from labelkit.watermark.audio.inputs import Float32, Float64
from labelkit.watermark.audio.pattern import (
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
from labelkit.watermark.audio.significance import LOG_PAYLOADS, log_false_positive_rate, score

STEP = HOP // 2  # samples between the spectrum's frames
ROW = 2 * ROW_FRAMES  # frames of the spectrum in a row
STARTS = ROW * ROWS  # starts that a period can have
STEP_S = STEP / RATE
ROW_S = ROW * STEP_S

RowPath: TypeAlias = npt.NDArray[np.int64]  # [rows]: for each row the start of its period, or STARTS for no mark

_LOW, _HIGH = 14, 512  # bins of the spectrum: all bands at pitches of 0.5 to 1.16
_OCTAVE_DB = 10 * math.log10(2)
_CUT_BANDS = 12
_FLOOR_BLOCK = 160  # of four frames: 10 s
_GUARDED = np.pad(EDGES.astype(int), 1, mode="reflect", reflect_type="odd")  # one more band at both ends
_CENTRES = (_GUARDED[1:] + _GUARDED[:-1]) / 2


@dataclass(frozen=True, slots=True)
class Replay:
    """How marked sound was replayed: `tempo` times as fast, every frequency `pitch` times as high."""

    tempo: float = 1.0
    pitch: float = 1.0
    backwards: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Spectrum:
    """Running sums of log2 power, float32 [frames, bins + 1]; noise floor and weight of each band at plain replay."""

    sums: Float32
    floors: Float32 | Float64
    weights: Float32 | Float64

    @classmethod
    def of(cls, samples: Float32) -> Spectrum:
        """The spectrum of float32 [n] at 16 kHz; frame t is centred on sample 256 t."""
        sums = _sums(samples)
        return cls(sums, *_levels(sums))

    def levels(self) -> Float32:
        """float32 [frames, 76]: mean log2 power of each band."""
        return _band_levels(self.sums)

    def chips(self, replay: Replay) -> Float32:
        """float32 [rows, 38]: the value of every chip at every start, in the time of the marked sound."""
        frames = len(self.sums)
        rows = max(1, int(frames * replay.tempo))
        edges = np.clip((_GUARDED - 0.5) * replay.pitch + 0.5, _LOW, _HIGH) - _LOW
        index = np.minimum(edges.astype(np.uint16), _HIGH - _LOW - 1)
        width = np.diff(edges)
        lost = width < 0.9 * np.diff(_GUARDED) * replay.pitch  # above 8 kHz as replayed
        floors, weights = self.floors, self.weights
        if replay.pitch != 1:
            floors = np.interp(_CENTRES * replay.pitch, _CENTRES, floors)
            weights = np.interp(_CENTRES * replay.pitch, _CENTRES, weights)
        weights = np.where(lost | np.roll(lost, -1), 0, weights)
        out = np.empty((rows, PAIRS), np.float32)
        share, scale, floors, weights = (np.asarray(x, np.float32) for x in (
            edges - index, 1 / np.maximum(width, 1e-3), floors, weights))
        sums = np.ascontiguousarray(self.sums[::-1]) if replay.backwards else self.sums
        kernels.audio_chips(sums, frames, index, share, scale, floors, weights, 1 / replay.tempo, rows,
                            np.empty(4 * rows * len(width), np.float32), out)
        return out


def band_levels(samples: Float32) -> Float32:
    """float32 [frames, 76]: what `Spectrum.levels` gives, of float32 [n] at 16 kHz."""
    return _band_levels(_sums(samples))


def _sums(samples: Float32) -> Float32:
    padded = np.concatenate([np.zeros(FRAME // 2, np.float32), samples, np.zeros(FRAME, np.float32)])
    frames = max(1, len(samples) // STEP)
    sums = np.empty((frames, _HIGH - _LOW + 1), np.float32)
    kernels.audio_spectrum(padded, frames, STEP, roots(), windows()[1], _LOW, _HIGH,
                           np.empty(4 * FRAME, np.float32), sums)
    return sums


def _band_levels(sums: Float32) -> Float32:
    return np.asarray(np.diff(sums[:, EDGES - _LOW], axis=1) / np.diff(EDGES), np.float32)


def _levels(sums: Float32) -> tuple[Float32 | Float64, Float32 | Float64]:
    """Each band's noise floor (the 2nd percentile of its level, log2) and its weight.

    The weight is 0 where a band lies 35 dB under one of the twelve below it: a codec or a line has cut it off.
    """
    level = np.diff(sums[:, _GUARDED - _LOW], axis=1) / np.diff(_GUARDED)
    slow = level[: len(level) // 4 * 4].reshape(-1, 4, len(_CENTRES)).mean(1) if len(level) >= 16 else level
    blocks = np.array_split(slow, max(1, len(slow) // _FLOOR_BLOCK))  # the quietest counts: a clean clip in noise
    floors = np.min([np.partition(block, len(block) // 50, axis=0)[len(block) // 50] for block in blocks], axis=0)
    mean = level.mean(0)
    before = np.lib.stride_tricks.sliding_window_view(np.pad(mean, (_CUT_BANDS, 0), mode="edge"), _CUT_BANDS + 1).max(1)
    return floors, np.clip((mean - before) * _OCTAVE_DB / 10 + 3.5, 0, 1)


def row_scores(chips: Float32, signs: Float32) -> tuple[Float32, Float32]:
    """float32 [n, 192] each: for row n and each start of a period, the correlation with `signs` (float32 [16, 38],
    0 where unknown) and its variance under random signs."""
    hit, var = np.empty((2, len(chips) // ROW, STARTS), np.float32)
    kernels.audio_rows(chips, np.ascontiguousarray(signs.T), ROW, hit, var)
    return hit, var


def sync_scores(chips: Float32, pattern: Pattern) -> tuple[float, float]:
    """Correlation with the known chips in standard deviations, at the best start: of all rows, and of the best period.

    The first finds the tempo, even where the pitch is a little off; the second the pitch, even where the tempo is.
    """
    hit, var = row_scores(chips, pattern.sync.astype(np.float32))
    if not len(hit):
        return 0.0, 0.0
    whole = hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)
    if len(hit) < ROWS:
        return float(whole.max()), float(whole.max())
    half = ROWS // 2
    hit, var = (x[: len(x) // half * half].reshape(-1, half, STARTS).sum(1) for x in (hit, var))
    period = (hit[1:] + hit[:-1]) / np.sqrt(var[1:] + var[:-1] + 1e-9)
    return float(whole.max()), float(period.max())


_ABSENT = STARTS
_MAX_STARTS, _LONG_LIST = 4, 256
_LOG_MAX_RATE = math.log(1e-9)  # of false positives in a minute


def viterbi_path(hit: Float32, var: Float32, expected: float) -> RowPath:
    """int64 [n]: for each row the start of its period, or 192 for no mark, by Viterbi's algorithm.

    expected  correlation of one row of a mark, in standard deviations

    A row gains its log likelihood ratio; a turn of the path costs the log of how many such turns there are, so that
    following noise does not pay.
    """
    n = len(hit)
    scale = math.sqrt(max(float(var.mean()), 1e-12))
    turn, leave, drift = (math.log(ways) for ways in (STARTS * n, max(n, 2), 2 * n))  # as `log_path_count` charges them
    gain = np.zeros((n, STARTS + 1), np.float32)
    gain[:, :STARTS] = expected * hit / scale - 0.5 * expected**2 * var / scale**2
    totals = np.empty((n, STARTS + 1))
    totals[0] = gain[0] - math.log(STARTS) * (np.arange(STARTS + 1) < _ABSENT)
    ring = np.empty(STARTS + 2)  # the starts with their neighbours beyond either end
    for row in range(1, n):
        before, best = totals[row - 1], totals[row]
        marked, absent, highest = before[:STARTS], before[_ABSENT], before[:STARTS].max()
        ring[1:-1], ring[0], ring[-1] = marked, marked[-1], marked[0]
        np.maximum(ring[:-2], ring[2:], out=best[:STARTS])
        best[:STARTS] -= drift
        np.maximum(best[:STARTS], marked, out=best[:STARTS])
        np.maximum(best[:STARTS], max(highest, absent) - turn, out=best[:STARTS])
        best[_ABSENT] = max(highest - leave, absent)
        best += gain[row]
    path = np.empty(n, np.int64)
    path[-1] = totals[-1].argmax()
    for row in range(n - 1, 0, -1):
        before, here = totals[row - 1], int(path[row])
        top = int(before[:STARTS].argmax())
        if here == _ABSENT:
            ways = [(_ABSENT, 0.0), (top, leave)]
        else:
            left, right = (here - 1) % STARTS, (here + 1) % STARTS
            ways = [(here, 0.0), (left, drift), (right, drift), (top, turn), (_ABSENT, turn)]
        path[row - 1] = max(ways, key=lambda way: before[way[0]] - way[1])[0]
    return path


def fold(chips: Float32, path: RowPath) -> Float64:
    """float64 [16, 38]: the chips along a path, summed for each row of the pattern."""
    n = np.flatnonzero(path != _ABSENT)
    start = path[n]
    folded = np.zeros((ROWS, PAIRS))
    np.add.at(folded, (n - start // ROW) % ROWS, chips[n * ROW + start % ROW])
    return folded


def log_path_count(path: RowPath) -> float:
    """Natural log of the number of paths that turn as often as this one: the candidates that its choice counts as."""
    n, turns = len(path), np.diff(path)
    drifts = np.count_nonzero((np.abs(turns) == 1) & (path[1:] != _ABSENT) & (path[:-1] != _ABSENT))
    into = np.count_nonzero((turns != 0) & (path[1:] != _ABSENT)) - drifts
    out = np.count_nonzero((turns != 0) & (path[1:] == _ABSENT))
    return math.log(STARTS) + into * math.log(STARTS * n) + out * math.log(n) + drifts * math.log(2 * n)


@dataclass(frozen=True, eq=False, slots=True)
class LocatedMark:
    """A mark, how it was replayed, and where it lies.

    payload     None: presence alone
    replay      tempo and pitch
    path        over rows of 192 ms in the time of the marked sound
    score       standard deviations
    log_rate    natural log of its false positive rate
    drift       share by which it runs faster than `replay` says
    candidates  how many payloads were counted, where it was found among candidates
    """

    payload: Payload | None
    replay: Replay
    path: RowPath
    score: float
    log_rate: float
    drift: float
    candidates: int | None = None


def path_segments(path: RowPath) -> list[tuple[int, int]]:
    """(first, last + 1) rows of each segment of a path without a jump, longest first."""
    if not len(path):
        return []
    step = np.diff(path)
    cut = np.flatnonzero((np.abs(step) > 1) | ((path[1:] == _ABSENT) != (path[:-1] == _ABSENT))) + 1
    ends = np.concatenate([[0], cut, [len(path)]])
    parts = [(int(a), int(b)) for a, b in zip(ends, ends[1:], strict=False) if path[a] != _ABSENT]
    return sorted(parts, key=lambda part: part[0] - part[1])


_DRIFTS = np.arange(-24, 25) * 5e-4  # what a path still follows


def estimate_drift(path: RowPath, hit: Float32) -> float:
    """The share by which the longest segment was replayed faster than assumed: its starts come earlier and earlier."""
    first, end = path_segments(path)[0]
    rows = np.arange(first, end)
    if len(rows) < ROWS:
        return 0.0
    moved = np.rint(ROW * _DRIFTS[:, None, None] * (rows - rows.mean()))
    starts = path[rows[len(rows) // 2]] + np.arange(-3, 4)[:, None] - moved.astype(int)
    sums = hit[rows, starts % STARTS].sum(-1).max(-1)
    best = int(sums.argmax())
    return float(_DRIFTS[best]) if sums[best] > 1.01 * sums[len(_DRIFTS) // 2] else 0.0


def read(chips: Float32, pattern: Pattern, replay: Replay, log_tried: float, *,
         segments: int, list_size: int) -> list[LocatedMark]:
    """Every payload that these chips carry.

    log_tried  natural log of the candidates that the caller tries
    segments   how many segments of the path are tried alone, besides the whole path
    list_size  of the decoder

    Where nothing is read but the known chips look like a mark, the likeliest starts are tried with a longer list. Words
    tried by the decoder cost nothing in the decision, which counts all 2^64 payloads at every start.
    """
    hit, var = row_scores(chips, pattern.sync.astype(np.float32))
    if len(hit) < 4:
        return []
    path = viterbi_path(hit, var, 0.7)
    trials = [path] + [_segment(path, *part) for part in path_segments(path)[:segments] if part[1] - part[0] >= 8]
    trials = trials[:1] if len(trials) == 2 and np.array_equal(trials[0], trials[1]) else trials
    found = _read_along(trials, chips, pattern, replay, log_tried, list_size)
    if found or not segments:
        return found
    starts = _likely_starts(hit, var, math.sqrt(2 * (math.log(STARTS) + log_tried)) - 0.4)
    return _read_along([path] * bool(starts) + [np.full_like(path, start) for start in starts], chips, pattern, replay,
                       log_tried, _LONG_LIST)


def _read_along(paths: list[RowPath], chips: Float32, pattern: Pattern, replay: Replay, log_tried: float,
                list_size: int) -> list[LocatedMark]:
    found: list[LocatedMark] = []
    for path in paths:
        if np.count_nonzero(path != _ABSENT) < 8:
            continue
        payload = pattern.read(fold(chips, path), list_size)
        if payload is None or any(known.payload == payload for known in found):
            continue
        mark = confirm(chips, pattern, payload, replay, log_tried)
        if mark:
            found.append(mark)
    return found


def _likely_starts(hit: Float32, var: Float32, min_score: float) -> list[int]:
    """The starts with the highest scores of the known chips over all rows, where above `min_score` deviations."""
    scores = hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)
    starts: list[int] = []
    while len(starts) < _MAX_STARTS and scores.max() > min_score:
        starts.append(int(scores.argmax()))
        scores[(starts[-1] + np.arange(-2, 3)) % STARTS] = -np.inf
    return starts


def confirm(chips: Float32, pattern: Pattern, payload: Payload | None, replay: Replay,
            log_tried: float, *, counted: int | None = None) -> LocatedMark | None:
    """Search again for a payload, or presence, with every chip known; None where it does not pass the bar.

    counted  of how many candidates the payload is one; None for one that was read
    """
    signs = pattern.chips(payload)
    log_words = 0.0 if payload is None else LOG_PAYLOADS if counted is None else math.log(counted)
    hit, var = row_scores(chips, signs)
    straight = np.full(len(hit), int((hit.sum(0) / np.sqrt(var.sum(0) + 1e-9)).argmax()))
    best = None
    for path in (viterbi_path(hit, var, 1.2), straight):
        folded = fold(chips, path)
        log_rate = log_false_positive_rate(folded, signs, log_words + log_tried + log_path_count(path))
        if log_rate <= _LOG_MAX_RATE and (best is None or log_rate < best.log_rate):
            trimmed = _trim(path, hit, var)
            best = LocatedMark(payload, replay, trimmed, score(folded, signs), log_rate, estimate_drift(trimmed, hit),
                               counted)
    return best


def _trim(path: RowPath, hit: Float32, var: Float32) -> RowPath:
    """The path without the rows that it only ran on over.

    Of each segment it keeps the rows that together are most above a third of the mark's strength. Silent rows count
    neither way.
    """
    rows = np.flatnonzero(path != _ABSENT)
    known, deviation = hit[rows, path[rows]], np.sqrt(var[rows, path[rows]] + 1e-9)
    above = np.zeros(len(path))
    above[rows] = known - np.quantile(known / deviation, 0.75) / 3 * deviation
    trimmed = np.full_like(path, _ABSENT)
    for first, end in path_segments(path):
        total = np.concatenate([[0], np.cumsum(above[first:end])])
        last = int((total - np.minimum.accumulate(total)).argmax())
        part = slice(first + int(total[: last + 1].argmin()), first + last)
        trimmed[part] = path[part]
    return trimmed


def _segment(path: RowPath, first: int, end: int) -> RowPath:
    """The path with no mark outside rows first to end - 1."""
    part = np.full_like(path, _ABSENT)
    part[first:end] = path[first:end]
    return part
