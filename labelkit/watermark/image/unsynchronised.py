# SPDX-License-Identifier: Apache-2.0
"""Find where a tile lies whose synchronisation pattern was taken away.

The synchronisation pattern is common to all pictures of a key. So whoever folds many of them, aligns the folded tiles
by correlation and averages them has that pattern, and can subtract it. The coded bits, four fifths of the energy, stay,
and tell where the tile lies. Two bins carry each bit, so the product of their imaginary parts is positive whatever the
payload is; at every other shift it is random. Im a Im b is half the real part of a b* - a b, and in a plane that is
moved by d these two products turn with the difference and the sum of both bins' frequencies. So one transform of 2,048
products finds the shift, as it does for the pattern, though a sum of products is weaker: a mark of 20 deviations gives
it about 5, one of 30 gives 11. The word is decided by its coded bits alone (`matcher.decode_alone`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelkit.watermark.image import matcher, tile
from labelkit.watermark.image.matcher import TileMatch, Trials

_MIN_PEAK = 5.0  # deviations of the bits' agreement at which a word is looked for
_MOST_PEAKS = 3  # that are tried
_HALF = tile.GRID // 2 + 1


def match(spectrum: npt.NDArray[np.complex64], keyed: tile.KeyedBins, trials: Trials,
          orientations: int = 8) -> TileMatch | None:
    """The word in a folded plane in which `matcher.match` found none, by its coded bits alone; or None.

    Arguments as for `matcher.match`, which has counted these trials.
    """
    bins = matcher.limited_bins(spectrum, orientations) * keyed.phase.conj()
    for _, peak in matcher.peaks(np.maximum(correlate(bins, keyed), 0), _MIN_PEAK, _MOST_PEAKS):
        shift, aligned = _refine_shift(bins[peak.orientation], keyed, (peak.row, peak.column))
        if found := matcher.decode_alone(aligned, shift, peak.orientation, keyed, trials):
            return found
    return None


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The two bins of each coded bit, and where their products lie in a half spectrum of the grid.

    one, two  intp [1024], the inner and the outer bin of each bit
    waves     float32 [2, 2048], (y, x): radians by which the products turn for a sample, differences first, then sums
    order     intp [2048], that puts products of one place beside each other
    starts    intp [places], where the products of each place start in that order
    places    intp [places], flat
    mirrored  bool [2048], whose conjugates lie there
    weight    float32 [places], what an inverse transform does not count twice
    """

    one: npt.NDArray[np.intp]
    two: npt.NDArray[np.intp]
    waves: npt.NDArray[np.float32]
    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    places: npt.NDArray[np.intp]
    mirrored: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float32]


@functools.lru_cache(maxsize=16)
def _pairs_of(bit: bytes) -> _Pairs:
    one, two = matcher.pairs_of(bit).T
    kx, ky, _ = tile.annulus()
    x, y = (np.concatenate([k[one] - k[two], k[one] + k[two]]) for k in (kx, ky))
    sign = np.where(x < 0, -1, 1)
    flat = sign * y % tile.GRID * _HALF + sign * x
    order = np.argsort(flat, kind="stable")
    places, starts = np.unique(flat[order], return_index=True)
    waves = np.stack([y, x]).astype(np.float32) * np.float32(2 * np.pi / tile.GRID)
    return _Pairs(one, two, waves, order, starts, places, x < 0, np.where(places % _HALF, 1, 2).astype(np.float32))


def _pairs(keyed: tile.KeyedBins) -> _Pairs:
    return _pairs_of(keyed.bit.tobytes())


def _products(bins: npt.NDArray[np.complex64], keyed: tile.KeyedBins) -> npt.NDArray[np.complex64]:
    """complex64 [..., 2048]: of bins [..., 2048] without the key's phases, the products of each bit's two bins."""
    pairs = _pairs(keyed)
    one, two = bins.take(pairs.one, -1), bins.take(pairs.two, -1)
    return np.concatenate([one * two.conj(), -one * two], -1)


def correlate(bins: npt.NDArray[np.complex64], keyed: tile.KeyedBins) -> npt.NDArray[np.float32]:
    """float32 [count, 128, 128]: how well each bit's two bins agree at every shift, unit deviation.

    bins  complex64 [count, 2048], without the key's phases
    """
    pairs, products = _pairs(keyed), _products(bins, keyed)
    norm = np.sqrt(np.maximum(0.5 * (np.square(products.real) + np.square(products.imag)).sum(1), 1e-18))
    products = np.where(pairs.mirrored, products.conj(), products).take(pairs.order, 1)
    half = np.zeros((len(bins), tile.GRID * _HALF), np.complex64)
    # NumPy transforms in float32 only where it applies a factor, as here
    factor = pairs.weight * (matcher.SHIFTS / 2 / norm[:, None]).astype(np.float32)
    half[:, pairs.places] = np.add.reduceat(products, pairs.starts, axis=1) * factor
    return np.fft.irfft2(half.reshape(-1, tile.GRID, _HALF)).astype(np.float32, copy=False)


def _refine_shift(bins: npt.NDArray[np.complex64], keyed: tile.KeyedBins,
                  peak: tuple[int, int]) -> tuple[tuple[float, float], npt.NDArray[np.complex64]]:
    """The shift (y, x) near a peak, between the grid's samples, at which each bit's two bins agree best; and the bins,
    complex64 [2048], with it removed."""
    waves, products = _pairs(keyed).waves, _products(bins, keyed)
    place = np.array(peak, np.float32)
    for step in (0.5, 0.25, 0.125):
        trials = place + np.float32(step) * _AROUND
        angle = trials @ waves
        place = trials[int(np.argmax(np.cos(angle) @ products.real - np.sin(angle) @ products.imag))]
    return (float(place[0]), float(place[1])), matcher.rotated(bins, place @ matcher.waves())


_AROUND = np.array([(y, x) for y in (0, -1, 1) for x in (0, -1, 1)], np.float32)
