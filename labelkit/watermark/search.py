# SPDX-License-Identifier: Apache-2.0
"""Deciding whether a folded plane holds a tile of a key: synchronisation, soft bits, and the count of what was tried.

Bins are scaled to unit noise ring by ring, their magnitudes limited, and the key's phases taken out. Whatever the host,
these phases are random. So the real parts of the bins, on which the synchronisation pattern lies, are by chance the
projections of random angles; their sum passes z standard deviations with less than Q(z), the tail of the normal
distribution. And whatever the real parts are, the signs of the imaginary ones, on which the coded bits lie, are fair
coins: their sum after the signs of one word, weighted as the real parts suggest, passes z with Q(z) too.

So a sum of both scores, each by the share of its pattern's amplitude, is by chance a standard normal variable, at every
shift. It decides. Counted are all shifts between the grid's too (the expected number of peaks of such a field, Adler
1981), orientations, signs and lattices that were tried (`Tally.trials`), and all 2^64 words. The CRC decides nothing;
it chooses among the paths of a list.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from labelkit.watermark import ecc, tile
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE

SHIFTS = tile.GRID**2
MIN_SCORE = 4.5  # below it no word was ever decoded, and noise reaches it in most candidates
CLEAR_SCORE = 7.5  # nothing but a second mark reaches it beside the first
WORDS = 2.0**64
PEAKS = 0.0504  # of the field of scores, for each shift of the grid, over z exp(-z^2 / 2): z is passed by so many
LIMIT = 1.5  # of a bin's magnitude, in noise deviations
ORIENTATIONS = np.array([  # how the tile's axes may lie in the picture: quarter turns, then the same mirrored
    [[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]],
    [[-1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [0, -1]], [[0, -1], [-1, 0]]])


@dataclass
class Tally:
    """What one detection has tried so far, and the best score it has seen; `paths` the error correction keeps."""

    paths: int = 8
    trials: int = 0
    best: float = 0.0

    def chance(self) -> float:
        """How likely unmarked media reach the best score of the synchronisation pattern in one of the trials."""
        return min(1.0, self.trials * 0.5 * math.erfc(self.best / math.sqrt(2)))

    def chance_of_word(self, score: float) -> float:
        """How likely unmarked media reach `score` with any word, at any shift, in one of the trials."""
        passed = PEAKS * score * math.exp(-0.5 * min(score, 35.0) ** 2)  # no chance is stated as none at all
        return min(1.0, self.trials * WORDS * passed)


@dataclass(frozen=True, slots=True)
class Match:
    """A decoded word: its 64 bits, how sure it is, how the tile lay, and other words on the same lattice."""

    word: int
    score: float
    false_positive_rate: float
    orientation: int
    shift: tuple[float, float]
    others: tuple[int, ...] = ()


@functools.lru_cache(maxsize=32)
def _index(grid: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the bins of each orientation lie in a half spectrum: row and column int [8, 2048], conjugate bool."""
    kx, ky, _ = tile.annulus()
    x = ORIENTATIONS[:, 0, :1] * kx + ORIENTATIONS[:, 0, 1:] * ky
    y = ORIENTATIONS[:, 1, :1] * kx + ORIENTATIONS[:, 1, 1:] * ky
    conjugate = x < 0
    sign = np.where(conjugate, -1, 1)
    inside = (np.abs(x) < grid // 2) & (np.abs(y) < grid // 2)
    return np.where(inside, sign * y % grid, 0), np.where(inside, sign * x, 0), conjugate


def match(spectrum: np.ndarray, carrier: tile.Carrier, tally: Tally, orientations: int = 8) -> Match | None:
    """The word in a folded plane, given as `tile.analyse` of it, or None."""
    bins = limited(spectrum, orientations) * carrier.phase.conj()
    correlation = _correlate(bins)
    tally.trials += 2 * orientations * SHIFTS
    tally.best = max(tally.best, float(correlation.max()), -float(correlation.min()))
    first = _next_word(bins, correlation, carrier, tally, MIN_SCORE)
    if first is None:
        return None
    others = []
    while len(others) < 3:  # another payload of this key, laid over the first
        other = _next_word(bins, correlation, carrier, tally, CLEAR_SCORE)
        if other is None or other.word == first.word:
            break
        others.append(other.word)
    return replace(first, others=tuple(others))


def limited(spectrum: np.ndarray, orientations: int = 8) -> np.ndarray:
    """complex64 [orientations, 2048]: the tile's bins in a folded plane's spectrum, in units of noise, limited."""
    row, column, conjugate = _index(len(spectrum))
    bins = spectrum[row[:orientations], column[:orientations]]
    return _limit(np.where(conjugate[:orientations], bins.conj(), bins))


def _next_word(bins: np.ndarray, correlation: np.ndarray, carrier: tile.Carrier, tally: Tally,
               least: float) -> Match | None:
    """The word at the highest peak of the correlation, or at the lowest: a negative; it is then levelled."""
    high, low = int(np.argmax(correlation)), int(np.argmin(correlation))
    sign = 1 if correlation.flat[high] >= -correlation.flat[low] else -1
    orientation, row, column = np.unravel_index(high if sign > 0 else low, correlation.shape)
    score = sign * float(correlation[orientation, row, column])
    if score < least:
        return None
    near = np.arange(-3, 4)
    correlation[np.ix_([orientation], (row + near) % tile.GRID, (column + near) % tile.GRID)] = 0
    return _decode(sign * bins[orientation], (int(row), int(column)), int(orientation), carrier, tally)


def _limit(bins: np.ndarray) -> np.ndarray:
    """Bins [..., 2048] in units of their ring's noise, magnitudes limited."""
    energy = np.square(bins.real) + np.square(bins.imag)
    rings = energy[0].reshape(tile.RINGS, -1)  # all orientations hold the same rings
    noise = np.sqrt(np.median(rings, axis=1) / np.float32(math.log(2)) + np.float32(1e-12))
    noise = np.repeat(noise, rings.shape[1]).astype(np.float32)
    return bins / np.maximum(noise, np.sqrt(energy) / np.float32(LIMIT))


def _correlate(bins: np.ndarray) -> np.ndarray:
    """float32 [count, 128, 128]: the projection on the synchronisation pattern at every shift, unit deviation."""
    kx, ky, _ = tile.annulus()
    pairs = bins if len(bins) % 2 == 0 else np.concatenate([bins, np.zeros_like(bins)])
    spectrum = np.zeros((len(pairs) // 2, tile.GRID, tile.GRID), np.complex64)  # two real planes to a transform
    spectrum[:, ky, kx] = pairs[::2] + 1j * pairs[1::2]
    spectrum[:, -ky, -kx] = pairs[::2].conj() + 1j * pairs[1::2].conj()
    planes = np.fft.ifft2(spectrum)
    both = np.stack([planes.real, planes.imag], 1).reshape(-1, tile.GRID, tile.GRID)[: len(bins)]
    norm = np.sqrt(2.0 * np.sum(np.square(np.abs(bins)), axis=1))  # the sum is over both members of each pair
    return both * (SHIFTS / np.maximum(norm, 1e-9))[:, None, None].astype(np.float32)


def _decode(bins: np.ndarray, place: tuple[int, int], orientation: int, carrier: tile.Carrier,
            tally: Tally) -> Match | None:
    shift, turned = _settle(bins, place)
    soft = _weighted(turned)
    word = ecc.decode(np.bincount(carrier.bit, soft, tile.CODED_BITS), tally.paths)
    if word is None:
        return None
    synchronisation = float(turned.real.sum() / np.sqrt(0.5 * np.square(np.abs(turned)).sum()))
    coded = float((soft * carrier.signs(word)).sum() / np.sqrt(np.square(soft).sum()))
    score = synchronisation * tile.SYNC_SHARE**0.5 + coded * (1 - tile.SYNC_SHARE) ** 0.5
    rate = tally.chance_of_word(score)
    return Match(word, score, rate, orientation, shift) if rate <= MAX_FALSE_POSITIVE_RATE else None


def _settle(bins: np.ndarray, place: tuple[int, int]) -> tuple[tuple[float, float], np.ndarray]:
    """The shift, refined between the grid steps by two steps of Newton's method, and the bins with it taken out."""
    kx, ky, _ = tile.annulus()
    k = np.stack([ky, kx]).astype(np.float32) * np.float32(2 * np.pi / tile.GRID)
    shift = np.array(place, np.float32)
    for _ in range(2):
        turned = _turn(bins, shift @ k)
        slope = -(k * turned.imag).sum(1)
        bend = (k * turned.real) @ k.T
        if np.linalg.det(bend) > 0 and bend[0, 0] > 0:
            shift = shift + np.clip(np.linalg.solve(bend, slope), -0.5, 0.5).astype(np.float32)
    return (float(shift[0]), float(shift[1])), _turn(bins, shift @ k)


def _turn(bins: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """bins * exp(1j * angle); the real functions are the ones that NumPy vectorises."""
    turn = np.empty(len(bins), np.complex64)
    turn.real, turn.imag = np.cos(angle), np.sin(angle)
    return turn * bins


def _weighted(bins: np.ndarray) -> np.ndarray:
    """float [2048]: the imaginary parts of aligned bins; each ring weighs as the real ones of five about it respond."""
    rings = bins.reshape(tile.RINGS, -1)
    response = np.convolve(np.pad(rings.real.mean(1), 2, mode="edge"), np.full(5, 0.2), mode="valid")
    return (rings.imag * (np.maximum(response, 0) + 0.02)[:, None]).ravel()
