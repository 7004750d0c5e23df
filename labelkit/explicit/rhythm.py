# SPDX-License-Identifier: Apache-2.0
"""The rhythm that GB 45438-2025 5.3 allows in place of speech, 短长 短短: "AI" in Morse code, made and found again.

The standard gives no times, pitch or level. Here: usual Morse timing (ITU-R M.1677-1: dash 3, gap between letters 3), a
unit of 100 ms (12 words a minute), which an untrained ear still hears as short-long, short-short, also at double speed;
1,047 Hz, inside every telephone band, above what small speakers lose, and above 1 kHz because AMR-NB broke 800 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelkit.explicit.hearing import FRAME, HOP_S, RATE

UNIT_S = 0.1
PITCH_HZ = 1047.0
_EDGE_S = 0.008  # raised cosine: no clicks
_PATTERN = (1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1)
UNITS = len(_PATTERN)


def tone(rate: int, *, unit_s: float = UNIT_S, pitch_hz: float = PITCH_HZ) -> np.ndarray:
    """float32 [frames] at full scale: the rhythm alone, 11 units; unit_s 0.08 to 0.12 is 15 to 10 words a minute."""
    gate = np.repeat(np.array(_PATTERN), round(unit_s * rate))
    shaped = np.zeros(len(gate))
    turns = np.flatnonzero(np.diff(np.pad(gate, 1)))
    for start, end in zip(turns[::2], turns[1::2], strict=True):
        k = np.arange(end - start)
        shaped[start:end] = np.sin(np.pi / 2 * np.minimum(np.minimum(k, k[::-1]) / (_EDGE_S * rate), 1)) ** 2
    return (shaped * np.sin(2 * np.pi * pitch_hz * np.arange(len(gate)) / rate)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Heard:
    """A rhythm that was found: its place in the block, its shape, and how far its softest sound stands above the
    loudest gap."""

    start_s: float
    unit_s: float
    pitch_hz: float
    contrast_db: float


_LOW, _HIGH = 18, 66  # bins of 31 Hz: 560 to 2,060 Hz, the pitch at speeds of 0.6 to 1.9
_SIDE = 4  # bins beside the tone that must be softer
_UNITS_S = np.geomspace(0.045, 0.26, 26)
_BEFORE = 2
_CELLS = (0,) * _BEFORE + _PATTERN + (0,) * 3  # quiet before, and a letter's gap after
_SOUND, _GAP = (0.2, 0.8), (0.4, 0.85)  # parts of a unit that are listened to: a room rings on in the first of a gap
_MIN_CONTRAST_DB, _MIN_TONE_DB, _MAX_SPREAD_DB = 5.0, 10.0, 6.0
_SPREAD = 0.65  # dB of spread more that a dB of contrast makes up for: AMR lets a dash fade by 15 dB, in silence
_LIKELY_DB, _MOST = -2.0, 24  # contrast at a unit up to 4 % off; how many such places of a block are looked at again
_FINE = np.linspace(0.964, 1.036, 7)


def find(power: np.ndarray) -> list[Heard]:
    """Every rhythm in powers [frames, 112] of `hearing`, in order of time: units of 45 to 260 ms, a steady pitch.

    Asked of the sixteen units around it, two before to three after: every sounding one 5 dB above every silent one,
    the sounding ones within 6 dB of each other (or within 0.65 of the contrast), and a narrow tone 10 dB above the
    bands beside it.
    """
    power = power[:, _LOW:_HIGH] + 1e-7
    sums = tuple(np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0, dtype=np.float64)])
                 for x in (10 * np.log10(power), power))
    units = _UNITS_S / HOP_S
    likely = _apart([one for unit in units for one in _at(*sums, unit, _LIKELY_DB, max(1, int(unit / 5)))])
    return sorted(_apart([one for near in likely[:_MOST] for one in _again(*sums, near)]), key=lambda one: one.start_s)


def _apart(found: list[Heard]) -> list[Heard]:
    """The best of those that lie over each other, best first."""
    best: list[Heard] = []
    for one in sorted(found, key=lambda heard: -heard.contrast_db):
        if all(abs(one.start_s - kept.start_s) > UNITS * kept.unit_s for kept in best):
            best.append(one)
    return best


def _again(total: np.ndarray, powers: np.ndarray, near: Heard) -> list[Heard]:
    """The best rhythm within a unit's half of a place, at seven units about its own."""
    unit = near.unit_s / HOP_S
    first = max(0, round(near.start_s / HOP_S - (_BEFORE + 0.5) * unit))
    part = slice(first, first + int((len(_CELLS) * 1.04 + 1) * unit) + 3)
    found = [one for fine in _FINE for one in _at(total[part], powers[part], unit * fine, _MIN_CONTRAST_DB)]
    return [Heard(one.start_s + first * HOP_S, one.unit_s, one.pitch_hz, one.contrast_db) for one in _apart(found)[:1]]


def _at(total: np.ndarray, powers: np.ndarray, unit: float, least_db: float, step: int = 1) -> list[Heard]:
    """Rhythms of one unit (in frames), from running sums [frames + 1, bins] of dB and of power, starts `step` apart.

    A sounding unit counts with its mean in dB and a silent one with its mean power, so that neither may hold a
    part of the other.
    """
    count = len(total) - 1 - int(len(_CELLS) * unit + 1)
    if count < 1:
        return []
    on_low = np.full((-(-count // step), total.shape[1]), np.inf)
    on_high, off_high = -on_low, -on_low
    tone_level = np.zeros_like(on_low)
    for cell, sounds in enumerate(_CELLS):
        low, high = _SOUND if sounds else _GAP
        first, last = round((cell + low) * unit), max(round((cell + low) * unit) + 1, round((cell + high) * unit))
        sums = total if sounds else powers
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
    passed = (contrast > least_db) & (on_high - on_low < np.maximum(_MAX_SPREAD_DB, _SPREAD * contrast)) & narrow
    return [Heard(float((t * step + _BEFORE * unit) * HOP_S), float(unit * HOP_S), float((b + _LOW) * RATE / FRAME),
                  float(contrast[t, b])) for t, b in np.argwhere(passed)]
