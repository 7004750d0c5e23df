# SPDX-License-Identifier: Apache-2.0
"""The search for replays: which speed, tempo and pitch, and whether backwards, make the known chips stand out.

A row of a mark, 192 ms, is heard nearly as well where the tempo is wrong by some per cent; only its place is off. So
chips are formed for a coarse grid of tempos and for pitches a fifth of a semitone apart, every row is correlated once,
and a finer tempo is a sum of those correlations along a slope. Played backwards, a chip is its own negative: the same
correlations, read from their end, stand for that too. What stands out is placed more exactly by the same means.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.watermark.audio.inputs import Float32
from labelkit.watermark.audio.pattern import ROWS, Pattern
from labelkit.watermark.audio.presence import SHORT
from labelkit.watermark.audio.synchronizer import ROW, STARTS, Replay, Spectrum

_Slopes: TypeAlias = npt.NDArray[np.floating]

_PITCH_STEP = math.log(2) / 60  # a fifth of a semitone: at most 0.2 of a band off
_TEMPO_STEP, _BOTH_STEP = 0.03, 0.06  # between coarse tempos, at one pitch and at all
_SLOPE = 0.0047  # between the tempos that are sums along a slope: 16 s are 19 ms off at their ends
_FINE_SLOPES = np.arange(-3, 4) * _SLOPE / 4
_FINE_PITCHES = np.arange(-2, 3) * _PITCH_STEP / 4
_GROUP = 4  # rows that are summed before they are shifted: less than 12 ms apart at the steepest slope
_LIKELY = 4  # replays of one stretch that are placed and read
_DIRECTIONS = 2


class Trial(NamedTuple):
    """Chips that are formed, for tempos of up to `slopes` steps to either side."""

    replay: Replay
    slopes: int


class Candidate(NamedTuple):
    """A replay and the score of the known chips there, in standard deviations."""

    score: float
    replay: Replay


def line_trials(speeds: tuple[float, float], tempos: tuple[float, float], semitones: float) -> tuple[Trial, ...]:
    """Trials of speed, of tempo with the pitch kept, and of pitch with the length kept, within these ranges."""
    shift = 2 ** (semitones / 12)
    return (*(Trial(Replay(f, f), 1) for f in _grid(*speeds, _PITCH_STEP)),
            *(Trial(Replay(f, 1.0), math.ceil(_TEMPO_STEP / 2 / _SLOPE)) for f in _grid(*tempos, _TEMPO_STEP)),
            *(Trial(Replay(1.0, f), 1) for f in _grid(1 / shift, shift, _PITCH_STEP)))


def plane_trials(tempos: tuple[float, float], pitches: tuple[float, float]) -> tuple[Trial, ...]:
    """Trials of every tempo with every pitch within these ranges."""
    return tuple(Trial(Replay(tempo, pitch), math.ceil(_BOTH_STEP / 2 / _SLOPE))
                 for pitch in _grid(*pitches, _PITCH_STEP) for tempo in _grid(*tempos, _BOTH_STEP))


def _grid(low: float, high: float, step: float) -> list[float]:
    """Factors from `low` to `high`, evenly spaced in their logarithm, 1 among them."""
    return [math.exp(k * step) for k in range(math.floor(math.log(low) / step), math.ceil(math.log(high) / step) + 1)]


def count(trials: Sequence[Trial]) -> int:
    """How many replays `likely_replays` can answer with: the candidates that its choice counts as."""
    return sum(2 * trial.slopes + 1 for trial in trials) * _DIRECTIONS * len(_FINE_SLOPES) * len(_FINE_PITCHES)


def likely_replays(spectrum: Spectrum, pattern: Pattern, trials: Sequence[Trial], least: float) -> list[Replay]:
    """The replays under which the known chips reach `least` standard deviations, the likeliest first, at most four."""
    sets = [pattern.sync] + [pattern.presence] * (len(spectrum.sums) < SHORT)
    signs = [np.ascontiguousarray(one.T, np.float32) for one in sets]
    found: list[tuple[Candidate, Trial]] = []
    for trial in trials:
        slopes = np.arange(-trial.slopes, trial.slopes + 1) * _SLOPE
        found += [(one, trial) for one in _best(spectrum, signs, trial.replay, slopes) if one.score >= least]
    chosen: list[tuple[Candidate, Trial]] = []
    for candidate, trial in sorted(found, key=lambda one: -one[0].score):
        if len(chosen) < _LIKELY and not any(_are_near(candidate.replay, one.replay) for one, _ in chosen):
            chosen.append((candidate, trial))
    return [_placed(spectrum, signs, candidate, trial) for candidate, trial in chosen]


def _are_near(one: Replay, other: Replay) -> bool:
    return one.backwards == other.backwards and max(abs(math.log(one.tempo / other.tempo)),
                                                    abs(math.log(one.pitch / other.pitch))) < 2 * _PITCH_STEP


def _placed(spectrum: Spectrum, signs: list[Float32], coarse: Candidate, trial: Trial) -> Replay:
    """The likeliest replay around a coarse one: a few pitches, each with finer tempos."""
    tempo, pitch = coarse.replay.tempo, coarse.replay.pitch
    tied = trial.replay.tempo == trial.replay.pitch != 1  # speed: the tempo goes with the pitch
    near = [coarse]
    for step in np.exp(_FINE_PITCHES).tolist() if trial.replay.pitch != 1 else (1.0,):
        tried = Replay(tempo * (step if tied else 1.0), pitch * step)
        near += [one for one in _best(spectrum, signs, tried, _FINE_SLOPES)
                 if one.replay.backwards == coarse.replay.backwards]
    return max(near, key=lambda one: one.score).replay


def _best(spectrum: Spectrum, signs: list[Float32], replay: Replay, slopes: _Slopes) -> list[Candidate]:
    """The likeliest tempo around a replay, forwards and backwards."""
    chips = spectrum.chips(replay)
    scores = np.max([slope_scores(chips, one, slopes) for one in signs], axis=0)
    best = scores.argmax(1)
    return [Candidate(float(row[at]), Replay(float(replay.tempo * (1 + slopes[at])), replay.pitch, bool(backwards)))
            for backwards, (row, at) in enumerate(zip(scores, best, strict=True))]


def slope_scores(chips: Float32, signs: Float32, slopes: _Slopes) -> Float32:
    """float32 [2, slopes]: correlation with the signs at the best start, in standard deviations.

    chips   float32 [rows, 38]
    signs   float32 [38, 16], 0 where unknown
    slopes  by which share the mark runs faster than the chips were formed for

    Forwards and backwards. The deviation is that of the mean start.
    """
    rows = len(chips) // ROW
    if rows < 2:
        return np.zeros((_DIRECTIONS, len(slopes)), np.float32)
    whole = chips[: rows * ROW]
    hit = (whole @ signs).reshape(-1)
    both = np.stack([hit, -hit.reshape(-1, ROWS)[::-1].reshape(-1)])
    group = _GROUP if rows >= ROWS else 1
    groups = rows // group
    starts = np.take(both, _starts(groups * group), axis=1).reshape(_DIRECTIONS, groups, group, STARTS).sum(2)
    moved = _moved(groups, group, tuple(slopes.tolist()))
    sums = np.take(starts.reshape(_DIRECTIONS, -1), moved, axis=1).sum(2)
    variance = float(np.einsum("ij,ij->j", whole, whole) @ np.square(signs).sum(1)) / STARTS
    best: Float32 = sums.max(-1) / np.float32(math.sqrt(variance + 1e-9))
    return best


@functools.lru_cache(maxsize=64)
def _starts(rows: int) -> npt.NDArray[np.intp]:
    """intp [rows, 192]: where the correlation of a row with each start stands among those of [frames, 16]."""
    row, start = np.ogrid[:rows, :STARTS]
    index: npt.NDArray[np.intp] = (row * ROW + start % ROW) * ROWS + (row - start // ROW) % ROWS
    return index


@functools.lru_cache(maxsize=64)
def _moved(groups: int, group: int, slopes: tuple[float, ...]) -> npt.NDArray[np.intp]:
    """intp [slopes, groups, 192]: where a start stands among [groups, 192] when the mark runs faster by a slope."""
    middle = (np.arange(groups) - (groups - 1) / 2) * group * ROW
    shift = np.rint(np.outer(slopes, middle)).astype(np.intp)[:, :, None]
    return np.arange(groups)[:, None] * STARTS + (np.arange(STARTS) - shift) % STARTS
