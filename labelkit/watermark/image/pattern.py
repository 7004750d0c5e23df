# SPDX-License-Identifier: Apache-2.0
"""How well a key's synchronisation pattern is seen in a picture on a lattice, at every shift at once.

An autocorrelation does not know the key: after a crop, a smaller scale and JPEG it often hides a lattice on which the
word is read with ease, and a codec's blocks pull its peaks to multiples of eight pixels. On a lattice the bins of a
tile lie at known places in the picture's spectrum. They are picked out of it and correlated with the pattern.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.kernels import fourier
from labelkit.kernels.pattern import SCRATCH
from labelkit.watermark.image import lattice, tile
from labelkit.watermark.image.matcher import MAX_MAGNITUDE


def white(correlation: lattice.Autocorrelation) -> npt.NDArray[np.complex64]:
    """complex64 [n, n / 2]: the half spectrum of the plane about its middle, in noise deviations, limited."""
    n = len(correlation.spectrum)
    down, across = (np.exp(1j * np.pi * side * np.fft.fftfreq(n)).astype(np.complex64)
                    for side in (correlation.height, correlation.width))
    noise = np.sqrt(np.maximum(correlation.usual, correlation.power * np.float32(MAX_MAGNITUDE**-2))
                    + np.float32(1e-6))
    bins: npt.NDArray[np.complex64] = correlation.spectrum / noise * down[:, None] * across[: n // 2]
    return bins


def scores(bins: npt.NDArray[np.complex64], keyed: tile.KeyedBins, vectors: npt.NDArray[np.float64],
           ) -> npt.NDArray[np.float32]:
    """float32 [count]: the highest score of the pattern on each lattice, of either sign, in standard deviations of
    unmarked media.

    bins     complex64 [n, n / 2], `white`
    vectors  [count, 2, 2], of the lattices, in samples of the plane
    """
    turned = keyed.kx < 0  # their conjugates lie in the half spectrum
    waves = np.stack([np.abs(keyed.kx), np.where(turned, -keyed.ky, keyed.ky)], 1).astype(np.int32)
    phases = np.where(turned, keyed.phase, keyed.phase.conj())
    across, down = np.moveaxis(len(bins) * np.linalg.inv(vectors), 2, 0)  # columns of the inverses: [count, (kx, ky)]
    steps = np.concatenate([down, across], 1).astype(np.float32)
    score = np.empty(len(vectors), np.float32)
    spectrum = bins.view(np.float32).reshape(*bins.shape, 2)
    kernels.pattern_score(spectrum, waves, phases.view(np.float32), fourier.roots(),
                          steps, np.empty(SCRATCH, np.float32), score)
    return score


def at_places(bins: npt.NDArray[np.complex64], row: npt.NDArray[np.float32],
              column: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """The bins at places between whole ones, in both halves of the spectrum; 0 outside. `bins` as for `scores`."""
    n, half = len(bins), len(bins) // 2
    turned = column < 0
    row, column = np.where(turned, -row, row), np.abs(column)
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
    return np.where(turned, upper.conj(), upper)
