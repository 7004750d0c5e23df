# SPDX-License-Identifier: Apache-2.0
"""The NumPy twins of the audio kernels; native/lk_audio.h holds their contracts.

Same arguments, same buffers. The transforms add in another order than the compiled ones, so results agree within
1e-3 of the largest value and not to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labelkit.kernels.contract import Float32, Int8, UInt16

Plane = npt.NDArray[Any]

_FRAME, _HOP, _HALF, _LIMIT, _SHIELD, _BANDS = 1024, 512, 512, 64, 256, 128
_MOVE_LOW, _MOVE_SLOPE, _MOVE_HIGH = 0.17, 0.18, 2.6
_SWELL, _SWELL_LOW, _SWELL_HIGH, _PACE = 0.1, 0.6, 1.25, 0.05
_NEAR, _PACE_LIMIT = 0.05, 1 << 20
_SPREAD, _SMOOTH, _MOST, _OVER, _RAMP, _FADE = 4, 1, 2.0, 0.3, 0.4, 0.02


def audio_mark_scratch(channels: int) -> int:
    """Floats of scratch that `audio_mark` wants; this twin uses none."""
    return 0


def audio_mark(x: Float32, channels: int, frames: int, roots: Float32, window: Float32, edges: UInt16, signs: Int8,
               phase: int, depths: Float32, heard: Float32, scratch: Float32, out: Float32) -> None:
    """Add to `out` what makes the bands of x follow the signs."""
    x, out, at = x.reshape(channels, -1), out.reshape(channels, -1), edges.astype(np.intp)
    low, high, bands = at[0], at[-1], len(depths)
    for f in range(frames):
        part = slice(f * _HOP, f * _HOP + _FRAME)
        spectrum = np.fft.rfft(x[:, part] * window, axis=1)
        power = np.square(np.abs(spectrum[:, low:high])).sum(0)
        level = np.log2(np.add.reduceat(power, at[:-1] - low) / np.diff(at) + 1e-13)
        loudness = np.log2(power.sum() + 1e-13)
        heard[0] = loudness if heard[0] < -1e8 else heard[0] + (loudness - heard[0]) * _PACE
        heard[1 : 1 + bands] += level
        heard[1 + _BANDS : 1 + _BANDS + bands] += np.square(level)
        share = np.clip(np.exp2(_SWELL * (heard[0] - loudness)), _SWELL_LOW, _SWELL_HIGH)
        move = np.minimum(_MOVE_LOW + _MOVE_SLOPE * (level.max() - level), _MOVE_HIGH)
        change = np.exp2(share * depths * move * signs[(phase + f) % len(signs)]) - 1
        gain = np.zeros(_HALF + 1)
        gain[low:high] = np.repeat(change, np.diff(at))
        out[:, part] += (np.fft.irfft(spectrum * gain, axis=1) * window).astype(np.float32)


def audio_shield(host: Float32, difference: Float32, ratio: float, roots: Float32, window: Float32, scratch: Float32,
                 out: Float32) -> None:
    """Add to `out` the difference, lowered in the bins where it is louder than `ratio` of its host."""
    def spectrum(x: Float32) -> Plane:
        return np.fft.rfft(np.lib.stride_tricks.sliding_window_view(x, _SHIELD)[:: _SHIELD // 2] * window, axis=1)

    def power(x: Plane) -> Plane:
        inner = np.square(np.abs(x))
        inner[:, [0, -1]] = 0
        return inner + np.roll(inner, 1, 1) + np.roll(inner, -1, 1)

    of_host, of_difference = spectrum(host), spectrum(difference)
    share = ratio * np.sqrt((power(of_host) + 1e-11) / (power(of_difference) + 1e-20))
    of_difference[:, [0, -1]] = 0
    parts = np.fft.irfft(of_difference * np.minimum(share, 1), axis=1) * window
    halves = parts.reshape(len(parts), 2, -1)
    out[: -_SHIELD // 2] += halves[:, 0].reshape(-1).astype(np.float32)
    out[_SHIELD // 2 :] += halves[:, 1].reshape(-1).astype(np.float32)


def audio_limit(host: Float32, difference: Float32, ratio: float, scratch: Float32, out: Float32) -> None:
    """The difference, lowered where it is louder than `ratio` of its host."""
    n, half = len(out), _LIMIT // 2

    def energy(x: Float32) -> Plane:
        total: Plane = np.concatenate([[0], np.cumsum(np.square(x, dtype=np.float64))])
        return total[_LIMIT : _LIMIT + n] - total[:n]

    share = ratio * np.sqrt((energy(host) + 1e-12) / (energy(difference) + 1e-14))
    out[:] = difference[half : half + n] * np.minimum(share, 1)


def audio_resample(x: Float32, bank: Float32, phases: int, up: int, down: int, position: int, y: Float32) -> None:
    """Each output is a sum of products with the row of the bank for its fraction."""
    place = position + np.arange(len(y), dtype=np.int64) * down
    taps = bank.reshape(phases, -1)
    rows = place % up * phases // up
    if len(y):
        views = np.lib.stride_tricks.sliding_window_view(x, taps.shape[1])
        for start in range(0, len(y), 1 << 14):
            part = slice(start, start + (1 << 14))
            y[part] = np.einsum("ij,ij->i", views[place[part] // up], taps[rows[part]])


def audio_spectrum(x: Float32, frames: int, hop: int, roots: Float32, window: Float32, low: int, high: int,
                   scratch: Float32, out: Float32) -> None:
    """Running sums of log2 power, a little of the neighbours' with it, over the bins of each frame."""
    for f in range(frames):
        power = np.square(np.abs(np.fft.rfft(x[f * hop : f * hop + _FRAME] * window)[: high + 1])) + 1e-12
        power[_HALF:] = power[_HALF - 1]
        near = power[low:high] + _NEAR * (power[low - 1 : high - 1] + power[low + 1 : high + 1])
        out[f, 0] = 0
        np.cumsum(np.log2(near), out=out[f, 1:])


def audio_chips(spectrum: Float32, frames: int, index: UInt16, part: Float32, width: Float32, floors: Float32,
                weights: Float32, pace: float, rows: int, scratch: Float32, out: Float32) -> None:
    """Whiten and weight the bands, and sum them up to chips."""
    if not 0 < pace <= _PACE_LIMIT:
        raise ValueError(f"pace: a number above 0 and up to {_PACE_LIMIT} wanted, got {pace}")
    sums, edges = spectrum.reshape(frames, -1), index.astype(np.intp)
    edge = sums[:, edges] + part * (sums[:, edges + 1] - sums[:, edges])
    level = np.diff(edge, axis=1) * width
    at = np.arange(rows) * pace
    f = np.minimum(at, frames - 1).astype(np.intp)
    share = (at - f)[:, None]
    level = level[f] + share * (level[np.minimum(f + 1, frames - 1)] - level[f])
    sharp = level - _mean(level, 1, 1)
    deviation = _mean(_mean(np.square(sharp), _SPREAD, 0), 1, 1)
    smooth = _mean(_mean(level, _SMOOTH, 0), 1, 1)
    weight = np.clip((smooth - floors - _OVER) * _RAMP, 0, 1) * weights
    weight *= np.maximum(1 - _FADE * (smooth.max(1, keepdims=True) - smooth), 0)
    cell = np.clip(sharp / np.sqrt(deviation + 1e-4), -_MOST, _MOST) * weight
    pair = np.pad(cell[:, 1:-1:2] - cell[:, 2:-1:2], ((0, 11), (0, 0)))
    first, second = (np.add.reduce([pair[h : h + rows] for h in hops]) for hops in (range(5), range(6, 11)))
    out[:] = first - second


def audio_rows(chips: Float32, signs: Float32, length: int, hit: Float32, variance: Float32) -> None:
    """Each row of the chips against the pattern at each place where its period can start."""
    ways = signs.shape[1]
    n = len(chips) // length
    start = np.arange(ways * length)
    rows = (np.arange(n)[:, None] - start // length) % ways
    for out, x, s in ((hit, chips, signs), (variance, np.square(chips), np.square(signs))):
        by_row = np.einsum("tj,jr->tr", x[: n * length], s).reshape(n, length, ways)
        out[:] = by_row[np.arange(n)[:, None], start % length, rows]


def _mean(x: Plane, half: int, axis: int) -> Plane:
    """Mean over 2 * half + 1 neighbours along an axis, the edges standing for what is beyond them."""
    pad = [(half, half) if a == axis else (0, 0) for a in range(2)]
    padded = np.pad(x, pad, mode="edge").astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=axis)
    mean: Plane = windows.mean(-1).astype(np.float32)
    return mean
