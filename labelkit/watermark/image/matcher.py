# SPDX-License-Identifier: Apache-2.0
"""Decide whether a folded plane holds a tile of a key: synchronisation, soft bits, and the count of trials.

Bins are scaled to unit noise ring by ring, their magnitudes are limited, and the key's phases are removed. Whatever the
host, the remaining phases are random. So on unmarked media the real parts of the bins, on which the synchronisation
pattern lies, are projections of random angles; their sum exceeds z standard deviations with probability below Q(z), the
tail of the normal distribution. Whatever the real parts are, the signs of the imaginary parts, on which the coded bits
lie, are fair coins: their sum after the signs of one word, weighted as the real parts suggest, exceeds z with
probability Q(z) too.

So on unmarked media a sum of both scores, each weighted by the amplitude share of its pattern, is a standard normal
variable at every shift. It decides. All of these count as trials: all shifts, those between the grid's too (the
expected number of peaks of such a field, Adler 1981), orientations, signs and lattices (`Trials.count`), and all 2^64
words. The CRC decides nothing; it chooses among the paths of a list.

A clear peak without a word is a decoy: somebody laid the synchronisation pattern alone over the picture, stronger than
the mark is. The next peaks are then tried. They are among the shifts that are counted already.

Whoever holds many pictures of one key can find what they have in common, the synchronisation pattern, and subtract it.
Where too much was subtracted, a negative peak is left beside a word that is not negative; where little is left,
unsynchronised.py finds the shift by the coded bits. Such a word is decided by its coded bits alone. This is a second
question, which has a hundredth of the false-positive rate. The bits' weights then depend on the products of each bit's
two bins; given these, the two can only change their signs together, and that common sign is a fair coin on unmarked
media.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.watermark import ecc
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from labelkit.watermark.image import tile

SHIFTS = tile.GRID**2
# swept 2026-11-28, tables in benchmarks/TUNING.md: MAX_MAGNITUDE, MIN_SCORE, CLEAR_SCORE, MAX_DECOYS, MIN_UPRIGHT,
# MOST_UPRIGHT, MIN_OTHER, MOST_OTHERS, MIN_ALONE
MIN_SCORE = 4.5  # noise reaches less at most of the shifts of eight orientations
_MIN_UPRIGHT, _MOST_UPRIGHT = 4.0, 2  # the same of one orientation; how many peaks are tried
CLEAR_SCORE = 7.5  # nothing but a second mark reaches it beside the first
MAX_DECOYS = 7  # further peaks that are tried where a clear one holds no word
_MIN_OTHER = 5.0  # deviations of a peak at which a further payload is looked for
_MOST_OTHERS = 11  # such peaks
_ALONE = 0.01  # of the false-positive rate, for words that are decided by their coded bits alone
_MIN_ALONE = 5.5  # deviations of the pattern's peak from which they are tried alone
WORDS = 2.0**64
PEAKS = 0.0504  # expected peaks above z, for each shift of the grid, divided by z exp(-z^2 / 2)
MAX_MAGNITUDE = 1.5  # of a bin, in noise deviations
ORIENTATIONS = np.array([  # how the tile's axes may lie in the picture: quarter turns, then the same mirrored
    [[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]],
    [[-1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 0], [0, -1]], [[0, -1], [-1, 0]]])
Weighting: TypeAlias = tuple[float, ...]
"""Of the 16 rings, inside out. Any that is fixed in advance gives a sum of the same distribution on unmarked media."""
EVEN: Weighting = (1.0,) * tile.RINGS


class Observer(Protocol):
    """Who is shown the planes that a search matches; see `expected.Expected`."""

    def at(self, vectors: npt.NDArray[np.float64]) -> None:
        """The lattice of the plane that comes next, float64 [2, 2]."""

    def keep(self, bins: npt.NDArray[np.complex64], correlation: npt.NDArray[np.float32], weighting: Weighting) -> None:
        """Its bins [orientations, 2048] without the key's phases, their correlation [orientations, 128, 128], and how
        rings count in that."""


@dataclass(slots=True)
class Trials:
    """What one decision has tried so far.

    paths       that the list decoder keeps
    count       shifts, orientations and signs tried
    best_score  of the synchronisation pattern, in standard deviations
    observer    is shown every plane that is matched: it keeps what a decision among candidates needs
    weightings  the pattern is looked for with each of these in turn: by how much the bins of each ring count in it
    """

    paths: int = 8
    count: int = 0
    best_score: float = 0.0
    observer: Observer | None = None
    weightings: tuple[Weighting, ...] = (EVEN,)

    def sync_chance(self) -> float:
        """The probability that unmarked media reach `best_score` in one of the trials, 0 to 1."""
        return min(1.0, self.count * 0.5 * math.erfc(self.best_score / math.sqrt(2)))

    def word_chance(self, score: float, words: float = WORDS) -> float:
        """The probability that unmarked media reach `score` with one of so many words, at any shift, in one of the
        trials; 0 to 1."""
        if score <= 1:
            return 1.0  # the formula is for high scores
        passed = PEAKS * score * math.exp(-0.5 * min(score, 35.0) ** 2)  # never stated as zero
        return min(1.0, self.count * words * passed)


@dataclass(frozen=True, slots=True)
class TileMatch:
    """A decoded tile.

    word                 64 bits
    score                standard deviations above unmarked media
    false_positive_rate  chance that unmarked media give this answer, every trial counted
    orientation          index into ORIENTATIONS
    shift                (y, x) in samples of the 128 x 128 grid, fractions included
    others               further words of the key on the same lattice
    candidates           how many words were counted, where the word was found among candidates
    """

    word: int
    score: float
    false_positive_rate: float
    orientation: int
    shift: tuple[float, float]
    others: tuple[int, ...] = ()
    candidates: int | None = None


@functools.lru_cache(maxsize=32)
def _bin_index(grid: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Where the bins of each orientation lie in `tile.analyse` of [grid, grid], flattened, int64 [8, 2048], and float32
    -1 where the conjugate lies there, else 1."""
    kx, ky, _ = tile.annulus()
    x = ORIENTATIONS[:, 0, :1] * kx + ORIENTATIONS[:, 0, 1:] * ky
    y = ORIENTATIONS[:, 1, :1] * kx + ORIENTATIONS[:, 1, 1:] * ky
    sign = np.where(x < 0, -1, 1)
    inside = (np.abs(x) < grid // 2) & (np.abs(y) < grid // 2)
    return np.where(inside, sign * y % grid * min(tile.COLUMNS, grid // 2 + 1) + sign * x, 0), sign.astype(np.float32)


def match(spectrum: npt.NDArray[np.complex64], keyed: tile.KeyedBins, trials: Trials, orientations: int = 8,
          upright: bool = False) -> TileMatch | None:
    """The word in a folded plane, or None where no word passes the bar of a decision.

    spectrum      complex64 [p, 37], `tile.analyse` of the folded plane
    trials        is brought up to date
    orientations  how many of ORIENTATIONS are tried, 1 or 8
    upright       weaker peaks of the first one are tried too: a mark that is read has about 5.5 deviations of the
                  pattern, 4.5 between two shifts of the grid, which noise exceeds at one of 131,072 shifts, and seldom
                  at one of 16,384
    """
    bins = limited_bins(spectrum, orientations) * keyed.phase.conj()
    found = (_matched(bins, weighting, keyed, trials, upright) for weighting in trials.weightings)
    return next((one for one in found if one), None)


def _matched(bins: npt.NDArray[np.complex64], weighting: Weighting, keyed: tile.KeyedBins, trials: Trials,
             upright: bool) -> TileMatch | None:
    """The word at the peaks of the pattern, in which rings count as `weighting` says."""
    correlation = correlate(weighted(bins, weighting))
    if trials.observer:
        trials.observer.keep(bins, correlation, weighting)
    trials.count += 2 * len(bins) * SHIFTS
    trials.best_score = max(trials.best_score, float(correlation.max()), -float(correlation.min()))
    first, decoyed = None, False
    for score, peak in peaks(correlation, MIN_SCORE, MAX_DECOYS + 1):
        first = _decoded_at(bins, peak, weighting, keyed, trials, score >= _MIN_ALONE)
        if first or score < CLEAR_SCORE and not decoyed:
            break
        decoyed = True
    if first is None and upright:
        weaker = (peak for _, peak in peaks(correlation[:1], _MIN_UPRIGHT, _MOST_UPRIGHT))
        tried = (_decoded_at(bins, peak, weighting, keyed, trials, False) for peak in weaker)
        first = next((one for one in tried if one), None)
    if first is None:
        return None
    others: list[int] = []
    failed = 0
    for _, peak in peaks(correlation, _MIN_OTHER, _MOST_OTHERS):  # further payloads: over the first, or beside it
        other = _decoded_at(bins, peak, weighting, keyed, trials, False)
        if other and other.word not in (first.word, *others):
            others.append(other.word)
        elif (failed := failed + 1) == 2:
            break
    return replace(first, others=tuple(others))


def weighted(bins: npt.NDArray[np.complex64], weighting: Weighting) -> npt.NDArray[np.complex64]:
    """Bins [..., 2048] by the weights of their rings; the same ones where all count alike."""
    return bins if weighting is EVEN else bins * _of_bins(weighting)


@functools.lru_cache(maxsize=4)
def _of_bins(weighting: Weighting) -> npt.NDArray[np.float32]:
    """float32 [2048]: the weight of each bin."""
    return np.repeat(np.array(weighting, np.float32), tile.BINS // tile.RINGS)


def limited_bins(spectrum: npt.NDArray[np.complex64], orientations: int = 8) -> npt.NDArray[np.complex64]:
    """complex64 [orientations, 2048]: the tile's bins in a spectrum, in noise deviations, magnitudes limited.

    spectrum  complex64 [p, 37], `tile.analyse` of a folded plane
    """
    place, sign = _bin_index(len(spectrum))
    bins = spectrum.take(place[:orientations])
    bins.imag *= sign[:orientations]
    return limited(bins)


@dataclass(frozen=True, slots=True)
class Peak:
    """Of the correlation: sign (that of a negative is negative), orientation and shift."""

    sign: int
    orientation: int
    row: int
    column: int


def peaks(correlation: npt.NDArray[np.float32], min_score: float, count: int) -> Iterator[tuple[float, Peak]]:
    """Up to `count` peaks with their scores, the strongest first; each is erased when it is taken."""
    for _ in range(count):
        high, low = int(np.argmax(correlation)), int(np.argmin(correlation))
        sign = 1 if correlation.flat[high] >= -correlation.flat[low] else -1
        orientation, row, column = map(int, np.unravel_index(high if sign > 0 else low, correlation.shape))
        score = sign * float(correlation[orientation, row, column])
        if score < min_score:
            return
        near = np.arange(-3, 4)
        correlation[orientation][np.ix_((row + near) % tile.GRID, (column + near) % tile.GRID)] = 0
        yield score, Peak(sign, orientation, row, column)


def _decoded_at(bins: npt.NDArray[np.complex64], peak: Peak, weighting: Weighting, keyed: tile.KeyedBins,
                trials: Trials, alone: bool) -> TileMatch | None:
    """The word at a peak, by both patterns or, where `alone` is set, by its coded bits."""
    shift, aligned = _refine_shift(peak.sign * bins[peak.orientation], (peak.row, peak.column), weighting)
    found = _decode(aligned, shift, peak.orientation, weighting, keyed, trials)
    return found or (decode_alone(aligned, shift, peak.orientation, keyed, trials) if alone else None)


def limited(bins: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    """Bins [..., 2048] in units of their ring's noise, magnitudes limited."""
    energy = np.square(bins.real) + np.square(bins.imag)
    rings = energy[0].reshape(tile.RINGS, -1)  # all orientations hold the same rings
    noise = np.sqrt(np.median(rings, axis=1) / np.float32(math.log(2)) + np.float32(1e-12))
    noise = np.repeat(noise, rings.shape[1]).astype(np.float32)
    limited: npt.NDArray[np.complex64] = bins / np.maximum(noise, np.sqrt(energy) / np.float32(MAX_MAGNITUDE))
    return limited


def correlate(bins: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    """float32 [count, 128, 128]: the projection on a pattern at every shift, unit deviation.

    bins  complex64 [count, 2048]: `limited_bins` without the phases of the pattern
    """
    pairs = bins if len(bins) % 2 == 0 else np.concatenate([bins, np.zeros_like(bins[:1])])
    one, other = pairs[::2], pairs[1::2]  # two real planes to a transform
    rows = np.zeros((len(one), _ROWS * tile.GRID), np.complex64)
    rows[:, _row_places()] = np.concatenate([one + 1j * other, one.conj() + 1j * other.conj()], 1)
    # NumPy transforms in float32 only where it applies a factor, as here; the other rows are empty
    across = np.fft.ifft(rows.reshape(-1, _ROWS, tile.GRID), axis=2)
    full = np.zeros((len(one), tile.GRID, tile.GRID), np.complex64)
    full[:, : _ROWS // 2 + 1], full[:, -(_ROWS // 2) :] = across[:, _ROWS // 2 :], across[:, : _ROWS // 2]
    planes = np.fft.ifft(full, axis=1)
    norm = np.sqrt(2.0 * (np.square(bins.real) + np.square(bins.imag)).sum(1))  # the sum is over both of each pair
    factor = (SHIFTS / np.maximum(norm, 1e-9)).astype(np.float32)[:, None, None]
    correlation = np.empty((len(bins), tile.GRID, tile.GRID), np.float32)
    np.multiply(planes.real, factor[::2], out=correlation[::2])
    np.multiply(planes.imag[: len(bins) // 2], factor[1::2], out=correlation[1::2])
    return correlation


_ROWS = 2 * tile.COLUMNS - 1  # of a spectrum, about 0, that hold bins


@functools.cache
def _row_places() -> npt.NDArray[np.intp]:
    """intp [4096]: where the bins, and their conjugates, lie in [_ROWS, 128], flattened."""
    kx, ky, _ = tile.annulus()
    x, y = np.concatenate([kx, -kx]), np.concatenate([ky, -ky])
    places: npt.NDArray[np.intp] = (y + _ROWS // 2) * tile.GRID + x % tile.GRID
    return places


def _decode(aligned: npt.NDArray[np.complex64], shift: tuple[float, float], orientation: int, weighting: Weighting,
            keyed: tile.KeyedBins, trials: Trials) -> TileMatch | None:
    soft = _soft_values(aligned)
    coded = np.bincount(keyed.bit, soft, tile.CODED_BITS).astype(np.float64, copy=False)
    word = ecc.decode(coded, trials.paths)
    if word is None:
        return None
    sync_score, code_score = _scores(aligned, soft, keyed.signs(word), weighting)
    score = sync_score * tile.SYNC_SHARE**0.5 + code_score * (1 - tile.SYNC_SHARE) ** 0.5
    rate = trials.word_chance(score) / (1 - _ALONE)
    return TileMatch(word, score, rate, orientation, shift) if rate <= MAX_FALSE_POSITIVE_RATE else None


def decode_alone(aligned: npt.NDArray[np.complex64], shift: tuple[float, float], orientation: int,
                 keyed: tile.KeyedBins, trials: Trials) -> TileMatch | None:
    """The word in bins complex64 [2048] without the phases of key and shift, of either sign, by coded bits alone."""
    coded = _agreeing_values(aligned, keyed)
    for values in (coded, -coded):
        word = ecc.decode(values, trials.paths)
        if word is not None:
            signs = 1.0 - 2.0 * ecc.encode(word, tile.CODED_BITS)
            score = float(values @ signs / np.sqrt(max(float(values @ values), 1e-30)))
            rate = trials.word_chance(score) / _ALONE
            if rate <= MAX_FALSE_POSITIVE_RATE:
                return TileMatch(word, score, rate, orientation, shift)
    return None


@functools.lru_cache(maxsize=16)
def pairs_of(bit: bytes) -> npt.NDArray[np.intp]:
    """intp [1024, 2]: the inner and the outer bin of each coded bit.

    bit  of each bin, the bytes of `KeyedBins.bit`
    """
    return np.argsort(np.frombuffer(bit, np.intp), kind="stable").reshape(-1, 2)


def _agreeing_values(aligned: npt.NDArray[np.complex64], keyed: tile.KeyedBins) -> npt.NDArray[np.float64]:
    """float64 [1024]: soft values of the coded bits; each ring weighs as much as its bins agree with their partners,
    smoothed over nine rings."""
    pairs = pairs_of(keyed.bit.tobytes())
    agree = np.empty(tile.BINS)
    agree[pairs] = aligned.imag[pairs].prod(1, dtype=np.float64)[:, None]
    rings = np.pad(agree.reshape(tile.RINGS, -1).mean(1), 4, mode="edge")
    weight = np.maximum(np.convolve(rings, np.full(9, 1 / 9), mode="valid"), 0) + 0.02
    soft = aligned.imag * np.repeat(weight, tile.BINS // tile.RINGS)
    return np.bincount(keyed.bit, soft, tile.CODED_BITS).astype(np.float64, copy=False)


def scores(aligned: npt.NDArray[np.complex64], signs: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The projections of bins on the synchronisation pattern and on a word, in standard deviations.

    aligned  complex64 [2048]: `limited_bins` without the phases of key and shift
    signs    float32 [2048], +-1: the word's, as `KeyedBins.signs` gives them
    """
    return _scores(aligned, _soft_values(aligned), signs)


def _scores(aligned: npt.NDArray[np.complex64], soft: npt.NDArray[np.float64], signs: npt.NDArray[np.float32],
            weighting: Weighting = EVEN) -> tuple[float, float]:
    aligned = weighted(aligned, weighting)
    sync = float(aligned.real.sum() / np.sqrt(max(0.5 * float(np.square(np.abs(aligned)).sum()), 1e-30)))
    return sync, float((soft * signs).sum() / np.sqrt(max(float(np.square(soft).sum()), 1e-30)))


def _refine_shift(bins: npt.NDArray[np.complex64], peak: tuple[int, int],
                  weighting: Weighting = EVEN) -> tuple[tuple[float, float], npt.NDArray[np.complex64]]:
    """The shift refined between the grid's steps by two Newton steps, and the bins with it removed."""
    k, shift = waves(), np.array(peak, np.float32)
    counted = weighted(bins, weighting)
    for _ in range(2):
        aligned = rotated(counted, shift @ k)
        gradient = -(k * aligned.imag).sum(1)
        hessian = (k * aligned.real) @ k.T
        if np.linalg.det(hessian) > 0 and hessian[0, 0] > 0:
            shift = shift + np.clip(np.linalg.solve(hessian, gradient), -0.5, 0.5).astype(np.float32)
    return (float(shift[0]), float(shift[1])), rotated(bins, shift @ k)


@functools.cache
def waves() -> npt.NDArray[np.float32]:
    """float32 [2, 2048]: radians by which each bin turns for a sample down, and across."""
    kx, ky, _ = tile.annulus()
    return np.stack([ky, kx]).astype(np.float32) * np.float32(2 * np.pi / tile.GRID)


def rotated(bins: npt.NDArray[np.complex64], angle: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """bins * exp(1j * angle); NumPy vectorises the real functions and not the complex one."""
    phasor = np.empty(len(bins), np.complex64)
    phasor.real, phasor.imag = np.cos(angle), np.sin(angle)
    return phasor * bins


def _soft_values(bins: npt.NDArray[np.complex64]) -> npt.NDArray[np.float64]:
    """float64 [2048]: the imaginary parts of aligned bins, each ring weighted by the mean real part of the five rings
    around it."""
    rings = bins.reshape(tile.RINGS, -1)
    response = np.convolve(np.pad(rings.real.mean(1), 2, mode="edge"), np.full(5, 0.2), mode="valid")
    return (rings.imag * (np.maximum(response, 0) + 0.02)[:, None]).ravel()
