# SPDX-License-Identifier: Apache-2.0
"""The search for a tile in a picture whose rows and columns were moved to and fro, in waves of a few pixels.

A row that moves by a * sin(2 pi k y + b) is a phase modulation: each bin of the tile is spread over bins at 0, +-k,
+-2 k, ... beside it, with the Bessel functions of its share of the amplitude as factors. They are gathered from one
spectrum for each k, and added up for each amplitude and phase. Waves of the rows and waves of the columns are looked
for one without the other, where each shows half of the synchronisation pattern; what the other leaves of each bin is
its weight. The right two agree on where the tile lies, as do three in a thousand of the wrong ones. Those that agree
are undone and scored together; the best climb.

The pattern chooses the waves, so every pair that a climb can end in is a trial.

Measured on 19 pictures of 512 to 1024 pixels, waves of 4 pixels, three in the longer side: alone the right waves have 4
to 18 deviations, a pair 9 to 23. In unmarked pictures the best have 5.5 alone and 5.4 as a pair. Only pictures of the
size at which they were marked are searched.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image import lattice, matcher, pattern, tile
from labelkit.watermark.image.search import LocatedTile, TileSearch

Float32 = npt.NDArray[np.float32]
Complex64 = npt.NDArray[np.complex64]

# swept 2026-11-29, tables in benchmarks/TUNING.md: KEPT_WAVES, NEAR_WAVES, MOST_PAIRS, CLEAR_PAIR, USUAL_WAVE
_COUNTS = np.arange(3, 13) / 3  # waves in the longer side
_AMPLITUDES = (2.6, 4.0, 5.4)  # pixels
_USUAL = 4.0  # of the other wave, while one is looked for
_PHASES = np.arange(12) * np.pi / 6
_ORDERS = np.arange(-7, 8)
_KEPT = 48  # waves of the rows, and of the columns
_NEAR = 3  # samples of the grid between the places of two that agree
_MOST_PAIRS = 8
_CLEAR = 6.5  # deviations of a pair that climbs
_STEPS = (0.08, 0.35, 0.13)  # the first of a climb: waves in the longer side, pixels, radians; the last are half of it
# pairs that climbs reach: from where they start each of the three numbers of a wave takes 13 values
_CHOICES = (len(_COUNTS) * len(_AMPLITUDES) * len(_PHASES) * 13**3) ** 2


@dataclass(frozen=True, slots=True)
class Wave:
    """By how much rows move to the right, or columns down: amplitude * sin(2 pi frequency y + phase), y from the
    middle.

    frequency  in cycles per sample
    amplitude  in samples
    phase      in radians
    """

    frequency: float
    amplitude: float
    phase: float

    def at(self, count: int) -> Float32:
        """float32 [count]: by how much each row moves."""
        y = np.arange(count) - count / 2
        moved: Float32 = (self.amplitude * np.sin(2 * np.pi * self.frequency * y + self.phase)).astype(np.float32)
        return moved

    def enlarged(self, factor: int) -> Wave:
        """The same in a picture so many times as large."""
        return Wave(self.frequency / factor, self.amplitude * factor, self.phase)


@dataclass(frozen=True, slots=True)
class _Likely:
    """A wave, the score of the pattern under it, and the shift (y, x) of the grid at which the pattern has it."""

    score: float
    place: tuple[int, int]
    wave: Wave


def search(whole: TileSearch) -> LocatedTile | None:
    """The tile, at the period that a picture of this size is given, in a picture whose rows and columns are in waves.

    whole  the search that found nothing: its plane and its key
    """
    if (own := whole.at_own_period()) is None:
        return None
    factor, flat, period = own
    planes = _Planes(flat, factor, period, whole.keyed)
    rows, columns = planes.likely(0), planes.likely(1)
    agree = [(one, two) for one, two in product(rows, columns) if _are_near(one.place, two.place)]
    agree.sort(key=lambda pair: -(pair[0].score ** 2 + pair[1].score ** 2))
    for one, two in agree[:_MOST_PAIRS]:
        score = planes.score(one.wave, two.wave)
        if score < _CLEAR:
            continue
        across, down = (wave.enlarged(factor) for wave in planes.climb(one.wave, two.wave, score))
        found = whole.set_right(undone(whole.plane.astype(np.float32), across, down), _CHOICES, np.eye(2) * period)
        if found:
            return found
    return None


class _Planes:
    """A shrunk, flattened plane, and how well the key's pattern is seen in it under waves.

    factor  by which it was shrunk
    period  of the tile, in pixels of the picture
    """

    def __init__(self, flat: Float32, factor: int, period: int, keyed: tile.KeyedBins) -> None:
        self._flat, self._factor, self._period, self._keyed = flat, factor, period, keyed
        n = 512
        while n < 2 * max(flat.shape):
            n *= 2
        down, across = (np.exp(1j * np.pi * side * np.fft.fftfreq(n)).astype(np.complex64) for side in flat.shape)
        self._bins: Complex64 = (np.fft.rfft2(flat, s=(n, n)).astype(np.complex64)[:, : n // 2]
                                 * down[:, None] * across[: n // 2])

    def likely(self, axis: int) -> list[_Likely]:
        """The waves of the rows (axis 0) or of the columns under which the pattern is seen best, at most _KEPT, each at
        another place."""
        keyed, unit = self._keyed, 2 * np.pi / self._period
        moved, other = (keyed.kx, keyed.ky) if axis == 0 else (keyed.ky, keyed.kx)
        weight = _bessel(unit * _USUAL * other)[_ORDERS == 0][0] * keyed.phase.conj()
        factors = [weight * _bessel(unit * amplitude * moved) for amplitude in _AMPLITUDES]
        turns = np.exp(-1j * np.outer(_PHASES, _ORDERS)).astype(np.complex64)
        tried: list[_Likely] = []
        for frequency in _COUNTS / max(self._flat.shape):
            beside = self._beside(float(frequency), axis)
            for amplitude, factor in zip(_AMPLITUDES, factors, strict=True):
                correlation = matcher.correlate(turns @ (factor * beside)).reshape(len(_PHASES), -1)
                for phase, line, at in zip(_PHASES, correlation, correlation.argmax(1), strict=True):
                    wave = Wave(float(frequency), amplitude / self._factor, float(phase))
                    tried.append(_Likely(float(line[at]), divmod(int(at), tile.GRID), wave))
        kept: list[_Likely] = []
        for one in sorted(tried, key=lambda one: -one.score):
            if len(kept) < _KEPT and not any(_are_near(one.place, better.place) for better in kept):
                kept.append(one)
        return kept

    def _beside(self, frequency: float, axis: int) -> Complex64:
        """complex64 [15, 2048]: the tile's bins in the middle, and those at multiples of a frequency beside each."""
        step = (len(self._bins) * frequency * _ORDERS)[:, None]
        per_cycle = len(self._bins) * self._factor / self._period
        row, column = (per_cycle * k + step * (axis == along)
                       for along, k in enumerate((self._keyed.ky, self._keyed.kx)))
        return pattern.at_places(self._bins, row.astype(np.float32), column.astype(np.float32))

    def score(self, rows: Wave, columns: Wave) -> float:
        """The highest score of the pattern where both waves are undone, in standard deviations."""
        return pattern_score(undone(self._flat, rows, columns), self._period / self._factor, self._keyed)

    def climb(self, rows: Wave, columns: Wave, score: float) -> tuple[Wave, Wave]:
        """The two waves near these with the highest score."""
        pair = [rows, columns]
        first = (_STEPS[0] / max(self._flat.shape), _STEPS[1] / self._factor, _STEPS[2])
        for share, which in product((1.0, 0.5), (0, 1, 0, 1)):
            for name, step in zip(("frequency", "amplitude", "phase"), first, strict=True):
                for change in (share * step, -share * step):
                    other = pair.copy()
                    other[which] = replace(pair[which], **{name: getattr(pair[which], name) + change})
                    if (better := self.score(*other)) > score:
                        score, pair = better, other
                        break
        return pair[0], pair[1]


def _are_near(one: tuple[int, int], two: tuple[int, int]) -> bool:
    half = tile.GRID // 2
    return all(abs((a - b + half) % tile.GRID - half) <= _NEAR for a, b in zip(one, two, strict=True))


def _bessel(z: npt.NDArray[np.floating]) -> Float32:
    """float32 [15, count]: the Bessel functions of the orders _ORDERS, as means over a circle."""
    angle, turns = _circle()
    waves = np.exp(1j * np.sin(angle)[:, None] * z)
    return (turns @ waves).real.astype(np.float32)


@functools.cache
def _circle() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.complex128]]:
    angle = np.arange(64) * np.pi / 32
    return angle, np.exp(-1j * np.outer(_ORDERS, angle)) / len(angle)


def undone(plane: Float32, rows: Wave, columns: Wave) -> Float32:
    """float32 of the same shape: a plane without the waves of its rows and columns, bilinear; 0 outside."""
    height, width = plane.shape
    across, down = rows.at(height), columns.at(width)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    u, v = x - across[:, None], y - down
    for _ in range(2):  # what belongs at x and y lies at u and v: u + across(v) = x, v + down(u) = y
        u, v = x - _between(across, v), y - _between(down, u)
    return sampled(plane, u, v)


def sampled(plane: Float32, u: Float32, v: Float32) -> Float32:
    """float32: a plane at places between its samples, u across and v down, bilinear; 0 outside."""
    height, width = plane.shape
    inside = (u >= 0) & (u < width - 1) & (v >= 0) & (v < height - 1)
    u, v = np.where(inside, u, np.float32(0)), np.where(inside, v, np.float32(0))
    left, top = u.astype(np.int32), v.astype(np.int32)
    u, v = u - left, v - top
    flat, at = plane.ravel(), top * width + left
    upper = flat.take(at) * (1 - u) + flat.take(at + 1) * u
    lower = flat.take(at + width) * (1 - u) + flat.take(at + width + 1) * u
    values: Float32 = np.where(inside, upper + v * (lower - upper), np.float32(0)).astype(np.float32)
    return values


def pattern_score(plane: Float32, period: float, keyed: tile.KeyedBins) -> float:
    """The highest score of the key's pattern in a flattened plane, at any shift, in standard deviations."""
    scaled = plane * (np.float32(24) / max(plane.std(), np.float32(1e-6)))
    folded = lattice.fold(np.rint(scaled).clip(-127, 127).astype(np.int8), np.eye(2) * period)
    bins = matcher.limited_bins(tile.analyse(folded), 1) * keyed.phase.conj()
    return float(matcher.correlate(bins).max())


def _between(values: Float32, at: Float32) -> Float32:
    return np.interp(at, np.arange(len(values)), values).astype(np.float32)
