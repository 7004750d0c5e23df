# SPDX-License-Identifier: Apache-2.0
"""The NumPy twins: the specification of every kernel, its test oracle, and the fallback.

Each function takes the same arguments as its compiled twin and writes into the same buffers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labelkit.kernels.audio import (
    audio_chips,
    audio_limit,
    audio_mark,
    audio_mark_scratch,
    audio_resample,
    audio_rows,
    audio_shield,
    audio_spectrum,
)
from labelkit.kernels.audio_stream import audio_stream, audio_stream_form, audio_stream_scratch, audio_stream_state
from labelkit.kernels.camera import camera_fit, camera_grid
from labelkit.kernels.codes import code_distance
from labelkit.kernels.contract import Float32, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32
from labelkit.kernels.jpeg import jpeg_marker, jpeg_scan
from labelkit.kernels.loudness import audio_loudness
from labelkit.kernels.margin import margin_sample, margin_score
from labelkit.kernels.pattern import pattern_score

__all__ = [
    "audio_chips", "audio_limit", "audio_loudness", "audio_mark", "audio_mark_scratch", "audio_resample",
    "audio_rows", "audio_shield", "audio_spectrum", "audio_stream", "audio_stream_form", "audio_stream_scratch",
    "audio_stream_state", "camera_fit", "camera_grid", "code_distance", "film_gain", "floats_expand",
    "floats_quantise", "image_colours", "image_embed", "image_gain", "image_luma", "image_spread", "jpeg_marker",
    "jpeg_scan", "lattice_score", "margin_sample", "margin_score", "pattern_score", "plane_fold",
    "plane_fold_lattice", "plane_match", "plane_resample", "plane_whiten", "polar_decode", "polar_scratch",
    "tile_make", "tile_place",
]

Plane = npt.NDArray[Any]
POLAR_LIMIT = 1 << 16


def polar_scratch(n: int, paths: int) -> int:
    """Bytes of scratch that `polar_decode` wants; this twin uses none."""
    return 0


def polar_decode(soft: Int32, frozen: UInt8, paths: int, scratch: UInt8, bits: UInt8, metric: Int64) -> None:
    """Successive-cancellation list decoding; see native/lk.h for the contract."""
    n = soft.size
    alpha = {1 << s: np.zeros((1, 1 << s), np.int64) for s in range(n.bit_length() - 1)}
    alpha[n] = np.clip(soft, -POLAR_LIMIT, POLAR_LIMIT).astype(np.int64)[None]
    left = {1 << s: np.zeros((1, 1 << s), np.uint8) for s in range(n.bit_length())}
    cost = np.zeros(1, np.int64)
    decided = np.zeros((1, 0), np.uint8)
    for leaf in range(n):
        _descend(alpha, left, n, leaf)
        a = alpha[1][:, 0]
        if frozen[leaf]:
            cost = cost + np.maximum(-a, 0)
            bit = np.zeros(len(cost), np.uint8)
        else:
            forks = np.stack([cost + np.maximum(-a, 0), cost + np.maximum(a, 0)], 1).ravel()
            kept = np.argsort(forks, kind="stable")[:paths]
            parent, bit = kept // 2, (kept & 1).astype(np.uint8)
            cost = forks[kept]
            for size in left:
                left[size] = left[size][parent]
            for size in alpha:
                if size < n:
                    alpha[size] = alpha[size][parent]
            decided = np.concatenate([decided[parent], bit[:, None]], 1)
        _ascend(left, leaf, bit)
    order = np.argsort(cost, kind="stable")
    metric[:] = -1
    metric[: len(order)] = cost[order]
    bits[: len(order)] = decided[order]


def _descend(alpha: dict[int, Int64], left: dict[int, UInt8], n: int, leaf: int) -> None:
    size = leaf & -leaf if leaf else n
    if leaf:
        up = alpha[2 * size]
        alpha[size] = up[:, size:] + np.where(left[size] > 0, -up[:, :size], up[:, :size])
    while size > 1:
        size //= 2
        a, b = alpha[2 * size][:, :size], alpha[2 * size][:, size:]
        low = np.minimum(np.abs(a), np.abs(b))
        out = np.where((a ^ b) < 0, -low, low)
        alpha[size] = np.broadcast_to(out, (len(left[1]), size)).copy() if len(out) != len(left[1]) else out


def _ascend(left: dict[int, UInt8], leaf: int, bit: UInt8) -> None:
    size, carry = 1, bit[:, None]
    while leaf & size:
        carry = np.concatenate([left[size] ^ carry, carry], 1)
        size *= 2
    left[size] = carry


CELL = 8
FADE = 16


def image_gain(pixels: UInt8, gain: UInt8, base: int, slope: int, top: int) -> None:
    """Local gain on a grid of 8 x 8 cells, from the mean absolute difference of neighbouring samples."""
    h, w, channels = pixels.shape
    x = pixels[..., : 3 if channels >= 3 else 1].astype(np.int32)
    dx = np.zeros_like(x)
    dx[:, :-1] = np.abs(x[:, 1:] - x[:, :-1])
    dy = np.zeros_like(x)
    dy[:-1] = np.abs(x[1:] - x[:-1])
    both = (dx + dy).sum(2)
    rows, columns = gain.shape
    padded = np.zeros((rows * CELL, columns * CELL), np.int64)
    padded[:h, :w] = both
    total = padded.reshape(rows, CELL, columns, CELL).sum((1, 3))
    height = np.minimum(CELL, h - CELL * np.arange(rows))[:, None]
    width = np.minimum(CELL, w - CELL * np.arange(columns))[None]
    mean = total * slope // (2 * height * width * x.shape[2])
    gain[:] = np.minimum(base + (mean >> 4), top)


def tile_make(columns: Float32, low: int, waves: Float32, flat: Int16, textured: Int8) -> None:
    """The rows of a tile, flat and textured, from the columns of its half spectrum; repeated for each channel."""
    p = flat.shape[0]
    half, count = p // 2, (p // 2 if p % 2 else p // 4) + 1
    planes: tuple[tuple[Float32, int, int, Int16 | Int8], ...] = (
        (columns[0], low, 8191, flat), (columns[1], waves.shape[1], 127, textured))
    for plane, columns_used, limit, out in planes:
        c, s = np.zeros((2, 2, p, count), np.float32)
        for k in range(columns_used):
            c[k % 2] += plane[:, k, :1] * waves[0, k, :count]
            s[k % 2] += plane[:, k, 1:] * waves[1, k, :count]
        rows = np.empty((p, p + 1), np.float32)  # one place more, for x = p
        rows[:, :count] = (c[0] + c[1]) - (s[0] + s[1])
        rows[:, p - count + 1 :] = ((c[0] + c[1]) + (s[0] + s[1]))[:, ::-1]
        if p % 2 == 0:
            rows[:, half - count + 1 : half + 1] = ((c[0] - c[1]) + (s[0] - s[1]))[:, ::-1]
            rows[:, half : half + count] = (c[0] - c[1]) - (s[0] - s[1])
        out.reshape(p, p, -1)[:] = np.rint(np.clip(rows[:, :p], -limit, limit))[..., None]


def tile_place(both: Int32, rows: UInt32, columns: UInt32, channels: int, flat: Int16, textured: Int8) -> None:
    """A tile as it lies on a frame that has moved."""
    if max(rows.max(initial=0), columns.max(initial=0)) >= len(both):
        raise ValueError("rows or columns: beyond the tile")
    values = both[np.ix_(rows, np.repeat(columns, channels))]
    for out, part in ((flat, values >> 8), (textured, values.astype(np.int8))):
        out[: part.shape[0], : part.shape[1]] = part


def film_gain(luma: UInt8, level: UInt16, ease: UInt8, gain: UInt8, base: int, slope: int, top: int) -> None:
    """Local gain as of pictures, over even rows, lowered in cells whose brightness has changed; level is replaced."""
    h, w, _ = luma.shape
    rows, columns = gain.shape
    x = luma[..., 0].astype(np.int32)
    activity, bright = np.zeros((2, rows * CELL, columns * CELL), np.int32)
    bright[:h, :w] = x
    activity[:h, : w - 1] = np.abs(x[:, 1:] - x[:, :-1])
    activity[: h - 1, :w] += np.abs(x[1:] - x[:-1])
    total, now = (a.reshape(rows, CELL, columns, CELL)[:, ::2].sum((1, 3)) for a in (activity, bright))
    even = (np.minimum(CELL, h - CELL * np.arange(rows))[:, None] + 1) // 2
    width = np.minimum(CELL, w - CELL * np.arange(columns))[None]
    full = np.minimum(base + (total * slope // (2 * even * width) >> 4), top)
    change = np.minimum(np.abs(now - level) // 4, len(ease) - 1)
    gain[:] = (full * ease[change] + 64) >> 7
    level[:] = now


def image_embed(pixels: UInt8, out: UInt8, gain: UInt8, flat: Int16, textured: Int8, fades: bool,
                scratch: Int16) -> None:
    """Add the tile to uint8 pixels, the textured part scaled by the gain grid, interpolated between cell centres.

    fades  the flat part is scaled by it too where the gain is below 16
    """
    h, w, channels = pixels.shape
    p = flat.shape[0]
    ys, xs = np.arange(h), np.arange(w)
    y0, wy = _cell_weights(ys & ~1, gain.shape[0])  # two rows share their gain
    x0, wx = _cell_weights(xs, gain.shape[1])
    g = gain.astype(np.int32)
    top, bottom = g[y0], g[np.minimum(y0 + 1, gain.shape[0] - 1)]
    column = (top * (16 - wy)[:, None] + bottom * wy[:, None] + 8) >> 4
    local = (column[:, x0] * (16 - wx) + column[:, np.minimum(x0 + 1, gain.shape[1] - 1)] * wx + 8) >> 4
    tile = np.ix_(ys % p, channels * (xs % p))
    even = flat[tile].astype(np.int32)
    if fades:
        even = np.clip(even, -2047, 2047) * np.minimum(local, FADE) >> 4
    delta = (even + ((local * textured[tile]) >> 5) + 16) >> 5
    top = np.where(fades & (local == 0), 255, 254)
    colour = 3 if channels >= 3 else 1
    host = pixels[..., :colour].astype(np.int32)
    out[..., :colour] = np.where(host, np.clip(np.minimum(host, top[..., None]) + delta[..., None], 0, 255), 0)
    out[..., colour:] = pixels[..., colour:]


def _cell_weights(position: Plane, cells: int) -> tuple[Plane, Plane]:
    """Left cell and the weight, in sixteenths, of the cell to its right, for the centres of cells at 3.5, 11.5 ..."""
    twice = np.maximum(2 * position - (CELL - 1), 0)
    cell = np.minimum(twice // (2 * CELL), cells - 1)
    return cell, np.where(cell < cells - 1, twice % (2 * CELL), 0)


def image_colours(pixels: UInt8, out: UInt8) -> None:
    """Pixels of four bytes without the fourth."""
    out[:] = pixels[..., :3]


def image_spread(pixels: UInt8, out: UInt8) -> None:
    """Pixels of three bytes with a fourth, 255."""
    out[..., :3], out[..., 3] = pixels, 255


def image_luma(pixels: UInt8, luma: UInt8) -> None:
    """Rounded luma of ITU-R BT.601 in 8 bits; grey is copied."""
    if pixels.shape[2] < 3:
        luma[:] = pixels[..., 0]
        return
    x = pixels.astype(np.int32)
    luma[:] = (77 * x[..., 0] + 150 * x[..., 1] + 29 * x[..., 2] + 128) >> 8


def floats_quantise(pixels: Float32, out: UInt8, outside: Int64) -> None:
    """Floats from 0 to 1 as 8 bits, rounded."""
    with np.errstate(invalid="ignore"):
        outside[:] = pixels.size - np.count_nonzero((pixels >= 0) & (pixels <= 1))
        inside = np.where(pixels > 0, np.minimum(pixels, 1), 0)
    out[:] = np.rint(inside * np.float32(255))


def floats_expand(pixels: UInt8, out: Float32) -> None:
    """Samples of 8 bits as floats from 0 to 1."""
    out[:] = pixels / np.float32(255)


def plane_whiten(luma: UInt8, out: Int8, scratch: Int32, noise: int) -> None:
    """High-pass by a 9 x 9 mean, weighted by the inverse of local energy: int8."""
    high = 81 * luma.astype(np.int32) - _box9(luma.astype(np.int32))
    mean = _box9((np.abs(high) + 2) >> 2).astype(np.float32) * np.float32(4.0 / 6561.0)
    limit = np.float32(2.0) * mean + np.float32(1.0)
    value = high.astype(np.float32) * np.float32(1.0 / 81.0)
    value = np.minimum(np.maximum(value, -limit), limit) * np.float32(24 * noise) / (mean * mean + np.float32(noise))
    value = np.minimum(np.maximum(value, np.float32(-127)), np.float32(127))
    out[:] = (value + np.float32(128.5)).astype(np.int32) - 128


def _box9(x: Int32) -> Int32:
    """Sum over 9 x 9, the border samples repeated outwards."""
    total: Plane = x
    for axis in (0, 1):
        padded = np.pad(x, [(4, 4) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        total = np.cumsum(padded, axis=axis, dtype=np.int64)
        total = np.concatenate([np.zeros_like(np.take(total, [0], axis)), total], axis)
        length = x.shape[axis]
        x = np.take(total, np.arange(9, 9 + length), axis) - np.take(total, np.arange(length), axis)
    return x.astype(np.int32)


def plane_fold(plane: Int8, out: Int32) -> None:
    """Sum of an int8 plane over its period: int32 [p, p]."""
    h, w = plane.shape
    p = out.shape[0]
    padded = np.zeros((-(-h // p) * p, -(-w // p) * p), np.int32)
    padded[:h, :w] = plane
    out[:] = padded.reshape(-1, p, padded.shape[1] // p, p).sum((0, 2))


def plane_fold_lattice(plane: Int8, origin: UInt32, step: UInt32, out: Int32) -> None:
    """Sum of an int8 plane over the cells of a lattice: int32 [256, 256]."""
    h, w = plane.shape
    x, y = np.arange(w, dtype=np.uint32)[None], np.arange(h, dtype=np.uint32)[:, None]
    u = (origin[0] + x * step[0] + y * step[1]) >> np.uint32(24)
    v = (origin[1] + x * step[2] + y * step[3]) >> np.uint32(24)
    cell = ((v << np.uint32(8)) | u).ravel().astype(np.intp)
    total = np.bincount(cell, plane.ravel().astype(np.float64), 65536).astype(np.int64)
    out[:] = total.astype(np.int32).reshape(256, 256)


LAGS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2), (2, -1), (-1, 2), (2, 2), (2, -2), (3, 0),
        (0, 3))


def lattice_score(r: Float32, height: int, width: int, vectors: Float32, score: Float32) -> None:
    """How much of an autocorrelation lies on each lattice; float32 throughout, in the kernel's order."""
    v = vectors.astype(np.float32)
    total, weight = np.zeros(len(v), np.float32), np.full(len(v), 1e-6, np.float32)
    for i, j in LAGS:
        x = np.float32(i) * v[:, 0] + np.float32(j) * v[:, 2]
        y = np.float32(i) * v[:, 1] + np.float32(j) * v[:, 3]
        a = np.float32(1) - np.abs(x) * (np.float32(1) / np.float32(width))
        b = np.float32(1) - np.abs(y) * (np.float32(1) / np.float32(height))
        w = np.where((a > 0) & (b > 0), a * b, np.float32(0))
        total += w * _read_bilinear(r, x, y)
        weight += w * w
    score[:] = total / np.sqrt(weight)


def _read_bilinear(r: Float32, x: Float32, y: Float32) -> Float32:
    mask, one = len(r) - 1, np.float32(1)
    fx, fy = x - np.floor(x), y - np.floor(y)
    x0, y0 = np.floor(x).astype(np.int64) & mask, np.floor(y).astype(np.int64) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    top = r[y0, x0] * (one - fx) + r[y0, x1] * fx
    bottom = r[y1, x0] * (one - fx) + r[y1, x1] * fx
    value: Float32 = top * (one - fy) + bottom * fy
    return value


def plane_resample(plane: UInt8, left: float, top: float, right: float, bottom: float, out: UInt8,
                   scratch: UInt32) -> None:
    """A box of a plane at another scale: means of boxes, or bilinear where the columns grow no fewer."""
    across, down = (right - left) / out.shape[1], (bottom - top) / out.shape[0]
    if across > 1:
        rows, columns = _spans(top, down, out.shape[0]), _spans(left, across, out.shape[1])
        total = _span_sums(_span_sums(plane.astype(np.int64), rows, 0), columns, 1)
        inverse = np.float32(1) / (np.diff(rows)[:, 0, None] * np.diff(columns)[:, 0]).astype(np.float32)
        out[:] = (total.astype(np.float32) * inverse + np.float32(0.5)).astype(np.uint8)
        return
    (y, lower), (x, after) = (_between(top, down, out.shape[0]), _between(left, across, out.shape[1]))
    y0, y1, x0, x1 = (np.clip(at, 0, size - 1) for at, size in
                      zip((y, y + 1, x, x + 1), np.repeat(plane.shape, 2), strict=True))
    one, two = (plane[rows][:, x0] * (256 - after) + plane[rows][:, x1] * after for rows in (y0, y1))
    out[:] = (one * (256 - lower)[:, None] + two * lower[:, None] + 32768) >> 16


def _spans(start: float, scale: float, count: int) -> Plane:
    """int64 [count, 2]: the first sample of each output, and the one after its last."""
    centre, reach = start + (np.arange(count) + 0.5) * scale, (scale if scale > 1.0 else 1.0) * 0.5
    return np.floor(np.stack([centre - reach + 0.5, centre + reach + 0.5], 1)).astype(np.int64)


def _span_sums(values: Plane, spans: Plane, axis: int) -> Plane:
    """Sums over the spans along an axis, the border samples repeated outwards."""
    first, last = int(spans.min()), int(spans.max())
    inside = np.take(values, np.clip(np.arange(first, last), 0, values.shape[axis] - 1), axis)
    running = np.cumsum(inside, axis)
    running = np.concatenate([np.zeros_like(np.take(running, [0], axis)), running], axis)
    total: Plane = np.take(running, spans[:, 1] - first, axis) - np.take(running, spans[:, 0] - first, axis)
    return total


def _between(start: float, scale: float, count: int) -> tuple[Plane, Plane]:
    """The sample before each output's place, and the weight of the one after it in 256ths."""
    place = start + (np.arange(count) + 0.5) * scale - 0.5
    whole = np.floor(place)
    return whole.astype(np.int64), ((place - whole) * 256 + 0.5).astype(np.int64)


def plane_match(plane: UInt8, pattern: UInt8, least: int, scratch: Int64, place: Int64, score: Float32) -> None:
    """Where a pattern correlates most and least: products by FFT, rounded to the whole numbers that they are."""
    rows, columns = pattern.shape
    height, width = (side - part + 1 for side, part in zip(plane.shape, pattern.shape, strict=True))
    centred, count = pattern.astype(np.float64) - 128, float(pattern.size)
    size = [1 << (side - 1).bit_length() for side in plane.shape]
    spectrum = np.fft.rfft2(plane, size) * np.conj(np.fft.rfft2(centred, size))
    products = np.rint(np.fft.irfft2(spectrum, size)[:height, :width])
    grey = plane.astype(np.int64)
    total, square = (_window_sums(x, rows, columns).astype(np.float64) for x in (grey, grey * grey))
    shared = count * products - total * centred.sum()
    spread = count * square - total * total
    floor = float(least) * count * count if least else 1.0
    value = np.where(spread >= floor, shared * np.abs(shared) / np.maximum(spread, floor), 0.0)
    place[:] = value.argmax(), value.argmin()
    whole = count * np.square(centred).sum() - centred.sum() ** 2
    found = value.ravel()[place]
    score[:] = np.sign(found) * np.sqrt(np.abs(found) / whole) if whole > 0 else 0


def _window_sums(values: Plane, rows: int, columns: int) -> Plane:
    """Sums over every window of rows x columns."""
    running = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    total: Plane = running[rows:, columns:] - running[:-rows, columns:] - running[rows:, :-columns] \
        + running[:-rows, :-columns]
    return total
