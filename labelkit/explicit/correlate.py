# SPDX-License-Identifier: Apache-2.0
"""Normalised cross-correlation and resampling on numpy and pillow alone: what the finder is made of."""

from __future__ import annotations

import functools

import numpy as np

MIN_DEVIATION = 5.0  # grey levels; less structure than this is nothing that a person could read


def correlation(areas: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Correlation coefficients -1 to 1 of `template` [h, w] at every place inside `areas` [n, H, W], both uint8.

    Returns float [n, H - h + 1, W - w + 1]; 0 where the area under the template deviates by less than
    MIN_DEVIATION from flat. By FFT for the products, by running sums for mean and deviation (J. P. Lewis,
    "Fast Normalized Cross-Correlation", 1995).
    """
    height, width = template.shape
    shape = tuple(_fast_size(side) for side in areas.shape[1:])
    spectrum, norm = _spectrum(template.tobytes(), template.shape, shape)
    product = np.fft.irfft2(np.fft.rfft2(areas.astype(np.float32), shape) * spectrum, shape)
    product = product[:, :areas.shape[1] - height + 1, :areas.shape[2] - width + 1]
    count = height * width
    # whole numbers, exact whatever the overflow of the running sums: only their differences are used
    kind = np.uint32 if count * 255**2 < 2**32 else np.uint64
    whole = areas.astype(kind)
    mean = _window_sums(whole, height, width) / count
    variance = _window_sums(whole * whole, height, width) / count - mean * mean
    floor = MIN_DEVIATION**2
    return np.where(variance < floor, 0, product / (norm * np.sqrt(count * np.maximum(variance, floor))))


@functools.lru_cache(maxsize=256)
def _spectrum(template: bytes, size: tuple[int, int], shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Conjugate spectrum of the template made zero-mean, padded to `shape`, and its norm."""
    centred = np.frombuffer(template, np.uint8).reshape(size).astype(np.float32)
    centred -= centred.mean()
    return np.conj(np.fft.rfft2(centred, shape)).astype(np.complex64), float(np.linalg.norm(centred))


def _window_sums(areas: np.ndarray, height: int, width: int) -> np.ndarray:
    """Sums over every `height` x `width` window of [n, H, W], in its own unsigned type."""
    total = np.zeros((areas.shape[0], areas.shape[1] + 1, areas.shape[2] + 1), areas.dtype)
    np.cumsum(areas, axis=1, out=total[:, 1:, 1:], dtype=areas.dtype)
    rows = total[:, height:] - total[:, :-height]
    np.cumsum(rows, axis=2, out=rows, dtype=areas.dtype)
    return rows[:, :, width:] - rows[:, :, :-width]


@functools.cache
def _fast_size(least: int) -> int:
    """The smallest product of 2, 3 and 5 that is at least `least`: a length that an FFT likes."""
    size = least
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def resized(grey: np.ndarray, size: tuple[int, int], box: tuple[float, ...] | None = None) -> np.ndarray:
    """`grey` or its `box` (left, top, right, bottom), in real pixels, as uint8 of `size` (width, height)."""
    from PIL import Image

    left, top, right, bottom = box or (0, 0, grey.shape[1], grey.shape[0])
    shrinks = size[0] < right - left
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(grey).resize(size, method, box=box))
