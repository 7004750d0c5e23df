# SPDX-License-Identifier: Apache-2.0
"""The NumPy twins of the measure of how much mark a picture needs; see native/lk.h for their contracts.

All sums are of whole numbers below 2^53, exact in any order.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.kernels.contract import Float32, Float64, Int32, UInt8, UInt32

BINS, ROWS, BLOCK, MOST_LEVELS = 15, 33, 64, 8
RAMP = np.float32(3.5)
LOST = np.float32(3136)
TILE_BINS = 2048
_RAMPS = ((1, 2), (5, 9))  # the first and second coefficient of each axis
_BRIGHT, _CROPS, _SCALED = 1, 2, 7
Counts: TypeAlias = npt.NDArray[Any]


def margin_sample(pixels: UInt8, y: UInt32, x: UInt32, activity: UInt8, gain: UInt8, base: int, bright: int,
                  waves: Int32, patterns: Float32, cells: Float32) -> None:
    """Cells of a picture with their marks."""
    height, width, channels = pixels.shape
    rows, columns, n = height // 8, width // 8, y.size * x.size
    if cells.shape[0] != ROWS or n > min(cells.shape[1], patterns.shape[2]) or patterns.shape[:2] != (2, BINS):
        raise ValueError("cells or patterns: too few of them, or not what a cell has")
    if (y >= rows).any() or (x >= columns).any():
        raise ValueError("y or x: beyond the whole cells of the picture")
    colours, index = 3 if channels >= 3 else 1, (y[:, None], x)
    blocks = pixels[: 8 * rows, : 8 * columns, :colours].reshape(rows, 8, columns, 8, colours)
    values = blocks[y[:, None], :, x].reshape(-1, 64, colours)
    luma = values.astype(np.int64) @ np.array((77, 150, 29) if colours == 3 else (256,))
    exact = waves[:, :BINS].T.astype(np.float64) @ luma.T.astype(np.float64)
    cells[:] = 0
    cells[:BINS, :n] = exact * 2.0**-20
    cells[0, :n] = RAMP * (cells[_RAMPS[0][0], :n] + cells[_RAMPS[1][0], :n])
    green = values[:, :, colours // 2]
    black, white = np.count_nonzero(green == 0, 1), np.count_nonzero(green >= 254, 1)
    seen = (1 - (black + 0.15 * white) / 64).astype(np.float32)
    gains = gain[index].ravel() * np.float32(1 / 64)
    cells[BINS : 2 * BINS, :n] = (patterns[0, :, :n] + gains * patterns[1, :, :n]) * seen
    cells[2 * BINS, :n] = _high_energy(green, cells[:BINS, :n])
    cells[2 * BINS + 1, :n] = np.count_nonzero(green < bright, 1) / 64
    cells[2 * BINS + 2, :n] = activity[index].ravel() == base


def _high_energy(green: UInt8, host: Float32) -> Float32:
    """float32 [n]: the energy of cells, uint8 [n, 64], outside of their coefficients."""
    x = green.astype(np.float32)
    total = x.sum(1)
    energy: Float32 = np.square(x).sum(1) - total * total * np.float32(1 / 64)  # the sums are whole, below 2^24
    for row in host[1:]:
        energy = energy - row * row
    return np.maximum(energy, 0)


def margin_score(cells: Float32, crops: UInt8, levels: Float64, steps: Float32, kept: Float64, passed: Float64,
                 scale: float, scores: Float64) -> None:
    """The detector's scores with all cells marked, and with flat ones left alone."""
    if cells.shape[0] != ROWS or cells.shape[1] % BLOCK or len(levels) > MOST_LEVELS:
        raise ValueError("cells or levels: of a number that the contract excludes")
    host, mark, high, unclipped = cells[:BINS], cells[BINS : 2 * BINS], cells[2 * BINS], cells[2 * BINS + 1]
    marked = np.column_stack([np.ones(host.shape[1]), 1.0 - cells[2 * BINS + 2].astype(np.float64)])
    energy = np.rint(np.square(mark, dtype=np.float64) * 1024).sum(1)
    bins = np.maximum(TILE_BINS * energy / max(energy.sum(), 1.0), 1e-6)
    signal, noise = _after_codec(host, mark, high, levels.astype(np.float32), steps, kept.reshape(2, -1))
    sums, squares = ((_whole(x) @ marked).transpose(2, 0, 1) for x in (signal, np.square(signal)))
    out = scores.reshape(2, _SCALED + 1, len(levels))
    out[:, 0] = _score(sums, _whole(noise).sum(2), bins, scale, squares)
    inside = np.column_stack([unclipped, *((crops >> bit & 1) for bit in range(_SCALED - _CROPS)),
                              np.ones(len(crops))]).astype(np.float64)
    signal, noise = _plain(host, mark, high)
    noises = (_whole(noise) @ (inside > 0)).T
    for choice, cells_marked in enumerate(marked.T):
        signals = (_whole(signal) @ (inside * cells_marked[:, None])).T
        signals[-1] *= passed
        out[choice, _BRIGHT:] = _score(signals[:, None] * levels[:, None], noises[:, None], bins, scale)


def _after_codec(host: Float32, mark: Float32, high: Float32, levels: Float32, steps: Float32,
                 kept: Float64) -> tuple[Float32, Float32]:
    """What each cell adds to the signal and to the noise after a codec: float32 [levels, 15, n] each."""
    total = np.zeros(mark.shape[1], np.float32)
    for row in mark:
        total += row * row
    rms = np.sqrt(total * np.float32(1 / 64))
    share = np.interp(rms * levels[:, None], *kept).astype(np.float32)
    left_mark = mark * (levels[:, None] * share)[:, None]
    plus, minus = (np.rint(x / steps[:, None]) * steps[:, None] for x in (host + left_mark, host - left_mark))
    left, middle = (plus - minus) * np.float32(0.5), (plus + minus) * np.float32(0.5)
    noise, error = np.square(middle), np.square(middle - host)
    weight = _weight(noise, np.maximum(high - LOST, 0))
    for one, two in _RAMPS:
        noise[:, one] = np.minimum(noise[:, one], 2 * np.square(host[two]) + error[:, one])
    noise[:, 0] = _of_constant(noise) + error[:, 0]
    noise += np.square(left) * np.float32(0.5) + np.float32(0.3)
    return left * weight * mark, noise * np.square(weight * mark)


def _plain(host: Float32, mark: Float32, high: Float32) -> tuple[Float32, Float32]:
    """The same without a codec, at amplitude 1: float32 [15, n] each."""
    noise = np.square(host)
    weight = _weight(noise, high)
    for one, two in _RAMPS:
        noise[one] = np.minimum(noise[one], 2 * np.square(host[two]))
    noise[0] = _of_constant(noise)
    energy = np.square(mark)
    return weight * energy, np.square(weight) * energy * (noise + np.float32(0.3))


def _of_constant(noise: Float32) -> Float32:
    """The noise of a cell's constant after a high-pass, from that of its first two coefficients."""
    result: Float32 = np.multiply(np.float32(0.15), noise[..., _RAMPS[0][0], :] + noise[..., _RAMPS[1][0], :])
    return result


def _weight(squares: Float32, high: Float32) -> Float32:
    """float32 [..., 1, n]: the detector's weight of cells with squared coefficients [..., 15, n]: lk_plane_whiten."""
    energy = np.zeros(squares.shape[:-2] + squares.shape[-1:], np.float32) + high
    for k in range(1, BINS):
        energy += squares[..., k, :]
    weight: Float32 = np.reciprocal(np.float32(0.01) * energy + np.float32(25))
    return weight[..., None, :]


def _whole(x: Float32) -> Float64:
    """Whole numbers that stand for x."""
    result: Float64 = np.rint(x.astype(np.float64) * 2.0**20)
    return result


def _score(signal: Float64, noise: Float64, bins: Float64, scale: float, squares: Float64 | float = 0.0) -> Float64:
    """The detector's score from sums of `_whole` numbers [..., 15]: each bin is limited as the matcher limits it.

    squares  those of the signal's squares, by which its own square is too large where few cells of the sample hold it
    """
    power = np.maximum(np.square(signal) - squares * 2.0**20, 0)
    ratio = power / np.maximum(noise, 1.0) * (scale / 2.0**20) / bins
    total = bins * ratio / (1 + ratio)
    score = np.zeros(total.shape[:-1])
    for k in range(BINS):
        score += total[..., k]
    result: Float64 = np.sqrt(score)
    return result
