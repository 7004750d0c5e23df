# SPDX-License-Identifier: Apache-2.0
"""The rhythm that GB 45438-2025 5.3 allows in place of speech, 短长 短短: "AI" in Morse code, generated and detected.

The standard gives no times, pitch or level. Chosen here: usual Morse timing (ITU-R M.1677-1: dash 3, gap between
letters 3); a unit of 100 ms (12 words a minute), which an untrained ear still hears as short-long, short-short, also
at double speed; 1,047 Hz, which is inside every telephone band, above what small speakers lose, and above 1 kHz
because AMR-NB broke 800 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labelkit.explicit.audio.loudness import weighting
from labelkit.explicit.audio.spectrogram import FRAME, HOP_S, RATE, Float32, Float64, Index

UNIT_S = 0.1
PITCH_HZ = 1047.0
_EDGE_S = 0.008  # raised cosine: no clicks
_PATTERN = (1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1)
UNITS = len(_PATTERN)


def tone(rate: int, *, unit_s: float = UNIT_S, pitch_hz: float = PITCH_HZ) -> Float32:
    """float32 [frames] at full scale: the rhythm alone, 11 units; unit_s 0.08 to 0.12 is 15 to 10 words a minute."""
    gate = np.repeat(np.array(_PATTERN), round(unit_s * rate))
    shaped = np.zeros(len(gate))
    switches = np.flatnonzero(np.diff(np.pad(gate, 1)))
    for start, end in zip(switches[::2], switches[1::2], strict=True):
        k = np.arange(end - start)
        shaped[start:end] = np.sin(np.pi / 2 * np.minimum(np.minimum(k, k[::-1]) / (_EDGE_S * rate), 1)) ** 2
    return (shaped * np.sin(2 * np.pi * pitch_hz * np.arange(len(gate)) / rate)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class RhythmMatch:
    """A rhythm that was found.

    start_s      from the first frame of the block
    contrast_db  by which its softest sounding unit exceeds its loudest silent one
    """

    start_s: float
    unit_s: float
    pitch_hz: float
    contrast_db: float


_LOW, _HIGH = 8, 102  # bins of 31 Hz: tones of 375 to 3,030 Hz and those beside
_SIDE = 4  # bins beside the tone that must be softer
_UNITS_S = np.geomspace(0.036, 0.42, 36)
_BEFORE = 2
_CELLS = (0,) * _BEFORE + _PATTERN + (0,) * 3  # silence before, and the gap of a letter after
_SOUND, _GAP = (0.2, 0.8), (0.4, 0.85)  # parts of a unit that are measured: reverberation fills the first of a gap
_MIN_CONTRAST_DB, _MIN_TONE_DB, _MAX_RANGE_DB = 5.0, 10.0, 6.0
_RANGE_PER_CONTRAST = 0.65  # dB of range allowed a dB of contrast: AMR lets a dash fade by 15 dB, in silence
_MIN_SHARE_DB = -12.0  # of all that sounds with the tone: a rhythm 6 dB below music is heard, one 20 dB below is not
_COARSE_CONTRAST_DB, _MAX_REFINED = -2.0, 24  # at a unit up to 4 % off; how many such places of a block are refined
_FINE = np.linspace(0.964, 1.036, 7)
_ROWS = 512  # starts that are looked at together: what a cache holds


def find(power: Float32) -> list[RhythmMatch]:
    """Every rhythm in powers [frames, 112] of `spectrogram`, in order of time: units of 40 to 400 ms, a steady pitch
    of 400 Hz to 3 kHz.

    Sixteen units are compared, two before the rhythm to three after it: every sounding one must be 5 dB above every
    silent one, the sounding ones within 6 dB of each other (or within 0.65 of the contrast), and the tone 10 dB above
    the bands beside it. What is 12 dB softer than all that sounds with it is no rhythm to anybody who listens.
    """
    near = power[:, _LOW:_HIGH] + 1e-7
    sums = _running_sum(10 * np.log10(near)), _running_sum(near)
    units = _UNITS_S / HOP_S
    coarse = _strongest_apart([match for unit in units
                               for match in _match(*sums, unit, _COARSE_CONTRAST_DB, max(1, int(unit / 5)))],
                              _MAX_REFINED)
    fine = [match for place in coarse for match in _refine(*sums, place) if _stands_out(power, match)]
    return sorted(_strongest_apart(fine), key=lambda match: match.start_s)


def loudness(power: Float32, match: RhythmMatch) -> float:
    """Loudness in LUFS of the sounds of a rhythm: of its tone, not of what sounds with it.

    power  [frames, 112] of `spectrogram`, in which `match` was found
    """
    band, _ = _tone_and_all(power, match)
    # a sine of amplitude a has the power a^2 FRAME sum(window^2) / 4 in its bins, and the mean square a^2 / 2
    square = float(np.median(band)) * 2 / (FRAME * 0.375 * FRAME)
    weight = float(weighting(np.array([match.pitch_hz]))[0])
    return float(-0.691 + 10 * np.log10(weight * square + 1e-12))


def _tone_and_all(power: Float32, match: RhythmMatch) -> tuple[Float32, Float32]:
    """The power of the tone, and of all that sounds, in the middle of each sounding unit."""
    middle = round(match.pitch_hz * FRAME / RATE)
    units = match.start_s / HOP_S + (np.flatnonzero(_PATTERN) + 0.5) * match.unit_s / HOP_S
    there = power[np.minimum(units.astype(int), len(power) - 1)]
    return there[:, max(0, middle - 2):middle + 3].sum(1), there.sum(1)


def _stands_out(power: Float32, match: RhythmMatch) -> bool:
    tone, everything = _tone_and_all(power, match)
    return float(tone.sum()) >= 10 ** (_MIN_SHARE_DB / 10) * float(everything.sum())


def _running_sum(x: Float32) -> Float64:
    """float64 [frames + 1, bins]."""
    return np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0, dtype=np.float64)])


def _strongest_apart(matches: list[RhythmMatch], most: int | None = None) -> list[RhythmMatch]:
    """The strongest of matches that overlap, strongest first, `most` of them."""
    best: list[RhythmMatch] = []
    for match in sorted(matches, key=lambda match: -match.contrast_db):
        if len(best) == most:  # a sound of one tone has a hundred thousand
            break
        if all(abs(match.start_s - kept.start_s) > UNITS * kept.unit_s for kept in best):
            best.append(match)
    return best


def _refine(level_sums: Float64, power_sums: Float64, near: RhythmMatch) -> list[RhythmMatch]:
    """The best rhythm within half a unit of a place, at seven units about its own; none or one."""
    unit = near.unit_s / HOP_S
    first = max(0, round(near.start_s / HOP_S - (_BEFORE + 0.5) * unit))
    part = slice(first, first + int((len(_CELLS) * 1.04 + 1) * unit) + 3)
    found = [match for fine in _FINE
             for match in _match(level_sums[part], power_sums[part], unit * fine, _MIN_CONTRAST_DB)]
    return [replace(match, start_s=match.start_s + first * HOP_S) for match in _strongest_apart(found)[:1]]


def _match(level_sums: Float64, power_sums: Float64, unit: float, min_contrast_db: float,
           step: int = 1) -> list[RhythmMatch]:
    """Rhythms of one unit (in frames), from running sums [frames + 1, bins] of dB and of power, starts `step` apart.

    A sounding unit counts with its mean in dB and a silent one with its mean power, so that neither may hold a
    part of the other. Few tones stand out from those beside them, so the units are compared only where one does.
    """
    count = len(level_sums) - 1 - int(len(_CELLS) * unit + 1)
    if count < 1:
        return []
    parts = [_part(cell, sounds, unit) for cell, sounds in enumerate(_CELLS)]
    on = [part for part, sounds in zip(parts, _CELLS, strict=True) if sounds]
    off = [part for part, sounds in zip(parts, _CELLS, strict=True) if not sounds]
    rows = np.arange(0, count, step)
    found = [_narrow(level_sums, rows[at : at + _ROWS], on) for at in range(0, len(rows), _ROWS)]
    starts, bins = (np.concatenate(one) for one in zip(*found, strict=True))
    levels = _means(level_sums, starts, bins, on)
    low, high = levels.min(0), levels.max(0)
    contrast = low - 10 * np.log10(np.maximum(_means(power_sums, starts, bins, off).max(0), 1e-12))
    steady = high - low < np.maximum(_MAX_RANGE_DB, _RANGE_PER_CONTRAST * contrast)
    return [RhythmMatch(float((starts[n] + _BEFORE * unit) * HOP_S), float(unit * HOP_S),
                        float((bins[n] + _LOW) * RATE / FRAME), float(contrast[n]))
            for n in np.flatnonzero((contrast > min_contrast_db) & steady)]


def _part(cell: int, sounds: int, unit: float) -> tuple[int, int]:
    """The frames of a unit that are measured, from the start of the rhythm's first cell."""
    low, high = _SOUND if sounds else _GAP
    first = round((cell + low) * unit)
    return first, max(first + 1, round((cell + high) * unit))


def _narrow(level_sums: Float64, starts: Index, on: list[tuple[int, int]]) -> tuple[Index, Index]:
    """The starts, which lie evenly, and bins whose tone stands out from those beside it, over all sounding units."""
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    level = np.zeros((len(starts), level_sums.shape[1]))
    for first, last in on:
        ends, begins = (level_sums[starts[0] + edge : starts[-1] + edge + 1 : step] for edge in (last, first))
        level += (ends - begins) * (1 / (len(on) * (last - first)))
    beside = np.maximum(level[:, : -2 * _SIDE], level[:, 2 * _SIDE :])
    rows, bins = np.nonzero(level[:, _SIDE:-_SIDE] - beside > _MIN_TONE_DB)
    return starts[rows], bins + _SIDE


def _means(sums: Float64, starts: Index, bins: Index, parts: list[tuple[int, int]]) -> Float64:
    """float64 [parts, n]: the mean of each part after n starts, in one bin each."""
    width = sums.shape[1]
    flat = starts * width + bins
    return np.array([(sums.take(flat + last * width) - sums.take(flat + first * width)) / (last - first)
                     for first, last in parts])
