# SPDX-License-Identifier: Apache-2.0
"""At which spacings an upright tile of a key may lie in a picture: its synchronisation pattern is tried at all of them.

An autocorrelation does not know the key: after a crop, a smaller scale and JPEG it often hides a lattice on which the
word is read with ease, and a codec's blocks pull its peaks to multiples of eight pixels. The bins of a tile of spacing
s lie at 1 / s, 2 / s, ... in the picture's spectrum, which is there. They are picked out of it for one spacing after
the other, and correlated with the pattern at every shift.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image import lattice, tile
from labelkit.watermark.image.matcher import MAX_MAGNITUDE, SHIFTS, Trials

# swept 2026-11-29, tables in benchmarks/TUNING.md: SPACING_STEP, KEPT_SPACINGS, LARGEST, MOST_SPACING
_STEP = 0.03  # cycles in the longer side of the plane, from one spacing to the next
_KEPT = 3  # spacings, of which the right one is nearly always the first
# the spacing grows with the root of a picture's sides, so that a picture shrunk to a quarter has half of its own
_LARGEST = 2560  # pixels, the longest side of what may have been shrunk to this picture
_MOST = 2.0  # of its own spacing: pictures enlarged to four times, or quarters of them to two
_AT_ONCE = 8  # spacings, whose planes stay in the cache


def likely(correlation: lattice.Autocorrelation, factor: int, shape: tuple[int, int], keyed: tile.KeyedBins,
           trials: Trials) -> list[float]:
    """The spacings in pixels at which the pattern is seen best, the likeliest first.

    correlation  of the picture's plane, shrunk by `factor`
    shape        the height and the width of the picture
    trials       is brought up to date
    """
    step, own = _STEP / max(correlation.height, correlation.width), tile.period(*shape) / factor
    least = max(min(1.0, max(shape) / _LARGEST) ** 0.5 * own, lattice.MIN_SPACING)
    frequency = np.arange(1 / (_MOST * own), 1 / least, step)
    bins = white(correlation)
    score = _scores(bins, keyed, frequency)
    trials.count += 2 * SHIFTS * len(frequency)
    before, after = np.pad(score, (1, 0))[:-1], np.pad(score, (0, 1))[1:]
    peaks = np.flatnonzero((score >= before) & (score >= after))
    best = frequency[peaks[np.argsort(-score[peaks], kind="stable")[:_KEPT]]]
    near = best[:, None] + step / 4 * np.arange(-3, 4)
    score = _scores(bins, keyed, near.ravel()).reshape(near.shape)
    trials.count += 2 * SHIFTS * near.size
    top, row = score[:, 1:-1].argmax(1) + 1, np.arange(len(best))
    left, middle, right = (score[row, top + side] for side in (-1, 0, 1))
    tip = 0.5 * (left - right) / np.minimum(left - 2 * middle + right, np.float32(-1e-6))
    tops = near[row, top] + step / 4 * np.clip(tip, -0.5, 0.5)
    return [float(factor / one) for one in tops]


def best(correlation: lattice.Autocorrelation, keyed: tile.KeyedBins, tiles: tuple[float, float],
         ratios: npt.NDArray[np.float64]) -> tuple[lattice.Lattice, int]:
    """The upright lattice, in samples of the plane, at which the pattern is seen best, and how many were tried.

    tiles   in the longer side of the plane, the least and the most
    ratios  of the spacing across to the one down
    """
    bins, side = white(correlation), max(correlation.height, correlation.width)

    def highest(frequency: npt.NDArray[np.float64], some: npt.NDArray[np.float64]) -> tuple[float, float, int]:
        score = np.array([_scores(bins, keyed, frequency, float(ratio)) for ratio in some])
        row, column = np.unravel_index(score.argmax(), score.shape)
        return float(frequency[column]), float(some[row]), score.size

    at, ratio, tried = highest(np.arange(*tiles, _STEP) / side, ratios)
    at, ratio, more = highest(at + _STEP / side / 4 * np.arange(-3, 4), ratio + np.array([-0.0025, 0, 0.0025]))
    return np.diag([1 / at, 1 / (at * ratio)]), tried + more


def score(bins: npt.NDArray[np.complex64], keyed: tile.KeyedBins, vectors: lattice.Lattice) -> float:
    """The highest score of the pattern on any lattice, of either sign, in standard deviations of unmarked media.

    bins     complex64 [n, n / 2], `white`
    vectors  of the lattice, in samples of the plane
    """
    turned = keyed.kx < 0
    kx, ky = np.abs(keyed.kx), np.where(turned, -keyed.ky, keyed.ky)
    column, row = (len(bins) * np.linalg.inv(vectors).T @ np.stack([kx, ky])).astype(np.float32)
    phase = np.where(turned, keyed.phase, keyed.phase.conj())
    return float(_highest((at_places(bins, row, column) * phase)[None], ky, kx)[0])


def _scores(bins: npt.NDArray[np.complex64], keyed: tile.KeyedBins,
            frequency: npt.NDArray[np.float64], ratio: float = 1.0) -> npt.NDArray[np.float32]:
    """float32 [count]: the highest score of the pattern at each spacing 1 / frequency, in standard deviations of
    unmarked media.

    bins   complex64 [n, n / 2], `white`
    ratio  of the spacing across to the one down
    """
    n = len(bins)
    turned = keyed.kx < 0  # their conjugates lie in the half spectrum
    kx, ky = np.abs(keyed.kx), np.where(turned, -keyed.ky, keyed.ky)
    phase = np.where(turned, keyed.phase, keyed.phase.conj())
    waves = np.stack([ky * ratio, kx]).astype(np.float32)[:, None]
    score = np.empty(len(frequency), np.float32)
    for at in range(0, len(frequency), _AT_ONCE):
        steps = (n * frequency[at : at + _AT_ONCE, None]).astype(np.float32)
        score[at : at + _AT_ONCE] = _highest(_between(bins, *(waves * steps)) * phase, ky, kx)
    return score


def white(correlation: lattice.Autocorrelation) -> npt.NDArray[np.complex64]:
    """complex64 [n, n / 2]: the half spectrum of the plane about its middle, in noise deviations, limited."""
    n = len(correlation.spectrum)
    down, across = (np.exp(1j * np.pi * side * np.fft.fftfreq(n)).astype(np.complex64)
                    for side in (correlation.height, correlation.width))
    noise = np.sqrt(np.maximum(correlation.usual, correlation.power * np.float32(MAX_MAGNITUDE**-2))
                    + np.float32(1e-6))
    bins: npt.NDArray[np.complex64] = correlation.spectrum / noise * down[:, None] * across[: n // 2]
    return bins


def at_places(bins: npt.NDArray[np.complex64], row: npt.NDArray[np.float32],
              column: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """The bins at places between whole ones, in both halves of the spectrum; 0 outside. `bins` as for `score`."""
    turned = column < 0
    values = _between(bins, np.where(turned, -row, row), np.abs(column))
    return np.where(turned, values.conj(), values)


def _between(bins: npt.NDArray[np.complex64], row: npt.NDArray[np.float32],
             column: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """The bins at rows and columns between whole ones, from the four around each; 0 outside."""
    n, half = len(bins), len(bins) // 2
    top, left = np.floor(row), np.floor(column)
    down, across = row - top, column - left
    inside = (np.abs(row) < half - 1) & (column < half - 1)
    at = np.where(inside, top.astype(np.int32) % n * half + left.astype(np.int32), 0)
    flat = bins.ravel()
    upper, lower = flat.take(at), flat.take(at + half, mode="wrap")
    upper += across * (flat.take(at + 1) - upper)
    lower += across * (flat.take(at + half + 1, mode="wrap") - lower)
    upper += down * (lower - upper)
    upper[~inside] = 0
    return upper


def _highest(bins: npt.NDArray[np.complex64], ky: npt.NDArray[np.int64],
             kx: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """float32 [count]: the highest projection on the pattern at any shift, of either sign.

    bins  complex64 [count, 2048], without the phases of the pattern
    """
    spectrum = np.zeros((len(bins), tile.GRID, tile.COLUMNS), np.complex64)
    spectrum[:, ky, kx] = bins
    on_axis = kx == 0
    spectrum[:, -ky[on_axis], 0] = bins[:, on_axis].conj()
    planes = np.fft.irfft(np.fft.ifft(spectrum, axis=1), tile.GRID, axis=2).reshape(len(bins), -1)
    norm = np.sqrt(2 * (np.square(bins.real) + np.square(bins.imag)).sum(1)) + np.float32(1e-9)
    highest: npt.NDArray[np.float32] = np.maximum(planes.max(1), -planes.min(1)) * SHIFTS / norm
    return highest
