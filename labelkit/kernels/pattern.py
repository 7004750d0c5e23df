# SPDX-License-Identifier: Apache-2.0
"""The NumPy twin of the kernel that looks for a key's pattern in a spectrum; see native/lk.h for the contract."""

from __future__ import annotations

import numpy as np

from labelkit.kernels.contract import Float32, Int32

GRID, REACH, SIDE, BINS = 128, 39, 4096, 2048
SCRATCH = 7 * 2 * 16 * 128 + 2 * BINS  # LK_PATTERN_SCRATCH
_AT_ONCE = 8  # lattices, whose planes stay in the cache


def pattern_score(spectrum: Float32, waves: Int32, pattern: Float32, roots: Float32, steps: Float32, scratch: Float32,
                  score: Float32) -> None:
    """How well a pattern fits a spectrum on each of several lattices, at the best shift."""
    n = len(spectrum)
    if n < 4 or n > SIDE or n & (n - 1):
        raise ValueError("spectrum: a power of two of rows wanted, 4 to 4096")
    kx, ky = waves.reshape(-1, 2).T
    if len(kx) > BINS:
        raise ValueError("waves: at most 2,048 wanted")
    if ((kx < 0) | (kx > REACH) | (np.abs(ky) > REACH)).any():
        raise ValueError("waves: up to 39 wanted, and kx of at least 0")
    bins, phases = spectrum.view(np.complex64)[..., 0], pattern.view(np.complex64).ravel()
    on_axis = kx == 0
    lattices = steps.reshape(-1, 4)
    for at in range(0, len(lattices), _AT_ONCE):
        some = lattices[at : at + _AT_ONCE, :, None]
        row, column = some[:, 0] * kx + some[:, 1] * ky, some[:, 2] * kx + some[:, 3] * ky
        turned = column < 0
        read = _between(bins, np.where(turned, -row, row), np.abs(column))
        values = np.where(turned, read.conj(), read) * phases
        half = np.zeros((len(values), GRID, GRID // 2 + 1), np.complex64)
        half[:, ky % GRID, kx] = values
        half[:, -ky[on_axis] % GRID, 0] = values[:, on_axis].conj()
        planes = np.fft.irfft(np.fft.ifft(half, axis=1), GRID, axis=2).reshape(len(values), -1) * GRID**2
        deviation = np.sqrt(2 * (np.square(values.real) + np.square(values.imag)).sum(1)) + np.float32(1e-9)
        score[at : at + _AT_ONCE] = np.maximum(planes.max(1), -planes.min(1)) / deviation


def _between(bins: np.ndarray, row: Float32, column: Float32) -> np.ndarray:
    """complex64: the bins [n, n / 2] at rows and columns between whole ones, from the four around each; 0 outside."""
    n, half = len(bins), len(bins) // 2
    inside = (np.abs(row) < half - 1) & (column < half - 1)
    row, column = np.where(inside, row, 0), np.where(inside, column, 0)
    top, left = np.floor(row), np.floor(column)
    down, across = row - top, column - left
    y, x = top.astype(np.intp) % n, left.astype(np.intp)
    upper, lower = bins[y, x], bins[(y + 1) % n, x]
    upper = upper + across * (bins[y, x + 1] - upper)
    lower = lower + across * (bins[(y + 1) % n, x + 1] - lower)
    return np.where(inside, upper + down * (lower - upper), np.complex64(0))
