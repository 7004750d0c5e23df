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
from labelkit.explicit.audio.spectrogram import FRAME, HOP_S, RATE, Float32, Float64

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
    part of the other.
    """
    count = len(level_sums) - 1 - int(len(_CELLS) * unit + 1)
    if count < 1:
        return []
    on_low = np.full((-(-count // step), level_sums.shape[1]), np.inf)
    on_high, off_high = -on_low, -on_low
    tone_level = np.zeros_like(on_low)
    for cell, sounds in enumerate(_CELLS):
        low, high = _SOUND if sounds else _GAP
        first, last = round((cell + low) * unit), max(round((cell + low) * unit) + 1, round((cell + high) * unit))
        sums = level_sums if sounds else power_sums
        mean = (sums[last : last + count : step] - sums[first : first + count : step]) / (last - first)
        if sounds:
            np.minimum(on_low, mean, out=on_low)
            np.maximum(on_high, mean, out=on_high)
            tone_level += mean / sum(_PATTERN)
        else:
            np.maximum(off_high, mean, out=off_high)
    contrast = on_low - 10 * np.log10(np.maximum(off_high, 1e-12))
    beside = np.maximum(np.roll(tone_level, _SIDE, 1), np.roll(tone_level, -_SIDE, 1))
    narrow = tone_level - beside > _MIN_TONE_DB
    narrow[:, :_SIDE] = narrow[:, -_SIDE:] = False
    steady = on_high - on_low < np.maximum(_MAX_RANGE_DB, _RANGE_PER_CONTRAST * contrast)
    return [RhythmMatch(float((t * step + _BEFORE * unit) * HOP_S), float(unit * HOP_S),
                        float((b + _LOW) * RATE / FRAME), float(contrast[t, b]))
            for t, b in np.argwhere((contrast > min_contrast_db) & steady & narrow)]
