# SPDX-License-Identifier: Apache-2.0
"""The NumPy twins of the JPEG kernels; the encoder has the whole picture at each step, in whole numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelkit.kernels.contract import Int64, UInt8, UInt16, UInt32

CODES = 272
MIN_ROOM = 512  # bytes for each block, and for six more
_END, _ZEROS, _AC = 16, 16 + 0xF0, 16
ZIGZAG = np.array(sorted(range(64), key=lambda i: (i // 8 + i % 8, i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8)))
"""intp [64]: where the k-th coefficient stands in the order of rows (T.81 figure 5)."""
_Ints = npt.NDArray[np.int64]
_WINDOW = 1 << 16  # bytes that are looked at together: what is larger is fresh memory each time


def jpeg_marker(data: UInt8 | bytes | memoryview, wanted: UInt8 | bytes, start: int, place: Int64) -> None:
    """The next marker in coded data."""
    coded, second = np.frombuffer(data, np.uint8), np.frombuffer(wanted, np.uint8).astype(bool)
    if not 0 <= start <= coded.size or second.size != 256:
        raise ValueError("jpeg_marker: an argument breaks its contract in native/lk.h")
    place[...] = coded.size
    least = np.append(np.flatnonzero(second), 255)[0]
    for at in range(start, coded.size - 1, _WINDOW):
        window = coded[at:at + _WINDOW + 1]
        marked = window[1:] >= least
        marked &= window[:-1] == 0xFF
        if marked.any():  # as nearly nowhere
            found = np.flatnonzero(marked)
            found = found[second[window[found + 1]]]
            if found.size:
                place[...] = at + found[0]
                return


def jpeg_scan(pixels: UInt8, across: int, down: int, quantisers: UInt16, codes: UInt32, out: UInt8,
              size: Int64) -> None:
    """The entropy-coded segment of a baseline JPEG."""
    height, width, channels = pixels.shape
    sampling = (across, down) in ((1, 1),) if channels == 1 else (across, down) in ((1, 1), (2, 1), (2, 2))
    lengths = codes & 255
    if (not height or not width or channels not in (1, 3) or not sampling or quantisers.size != 128
            or codes.size != 2 * CODES or quantisers.min() < 1 or quantisers.max() > 255 or lengths.max() > 16
            or (codes >> 8 >> lengths).any()):
        raise ValueError("jpeg_scan: an argument breaks its contract in native/lk.h")
    planes = _planes(pixels, across, down)
    coefficients = [_quantised(plane, quantisers.reshape(2, 64)[min(k, 1)].astype(np.int64))
                    for k, plane in enumerate(planes)]
    blocks, component = _interleaved(coefficients, across, down, -(-height // 8), -(-width // 8))
    packed = _packed(*_symbols(blocks, component, codes.reshape(2, CODES)))
    size[...] = 0
    if MIN_ROOM * (len(blocks) + 6) <= out.size or len(packed) + MIN_ROOM * 6 <= out.size:
        out.reshape(-1)[:len(packed)] = np.frombuffer(packed, np.uint8)
        size[...] = len(packed)


def _planes(pixels: UInt8, across: int, down: int) -> list[_Ints]:
    """Y, Cb and Cr as far as whole MCUs reach."""
    height, width, channels = pixels.shape
    rows, columns = -height % (8 * down), -width % (8 * across)
    wide = np.pad(pixels.astype(np.int64), ((0, 0), (0, columns), (0, 0)), mode="edge")
    if channels == 1:
        return [np.pad(wide[..., 0], ((0, rows), (0, 0)), mode="edge")]
    red, green, blue = np.moveaxis(wide, 2, 0)
    y = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
    cb = (-11059 * red - 21709 * green + 32768 * blue + (128 << 16) + 32767) >> 16
    cr = (32768 * red - 27439 * green - 5329 * blue + (128 << 16) + 32767) >> 16
    colours = [_means(np.pad(plane, ((0, height % down), (0, 0)), mode="edge"), across, down) for plane in (cb, cr)]
    return [np.pad(plane, ((0, (height + rows) // step - len(plane)), (0, 0)), mode="edge")
            for plane, step in ((y, 1), (colours[0], down), (colours[1], down))]


def _means(plane: _Ints, across: int, down: int) -> _Ints:
    if across == 1:
        return plane
    height, width = plane.shape
    total: _Ints = plane.reshape(height // down, down, width // 2, 2).sum(axis=(1, 3))
    odd = np.arange(width // 2) & 1
    return (total + (odd if down == 1 else 1 + odd)) >> (down if down == 2 else 1)


def _transform(d: _Ints) -> _Ints:
    """[8, ...]: the cosine transform along the first axis in units of 2^-13; 0 and 4 without that factor."""
    total, difference = d[:4] + d[:3:-1], d[:4] - d[:3:-1]
    a, b = total[0] - total[3], total[1] - total[2]
    turn = (a + b) * 4433
    d0, d1, d2, d3 = difference
    z1, z2, z3, z4 = (d3 + d0) * -7373, (d2 + d1) * -20995, d3 + d1, d2 + d0
    z5 = (z3 + z4) * 9633
    z3, z4 = z5 - z3 * 16069, z5 - z4 * 3196
    return np.stack((total[0] + total[3] + total[1] + total[2], d0 * 12299 + z1 + z4, turn + a * 6270,
                     d1 * 25172 + z2 + z3, total[0] + total[3] - total[1] - total[2], d2 * 16819 + z2 + z4,
                     turn - b * 15137, d3 * 2446 + z1 + z3))


def _quantised(plane: _Ints, quantisers: _Ints) -> _Ints:
    """[rows, columns, 64]: the quantised coefficients of each block of a plane, in the order of the zigzag."""
    height, width = plane.shape
    blocks = (plane - 128).reshape(height // 8, 8, width // 8, 8).transpose(3, 1, 0, 2)  # [x, y, row, column]
    whole = np.array([True, False, False, False] * 2)[:, None, None, None]
    across = _transform(blocks)
    across = np.where(whole, across * 4, (across + 1024) >> 11)
    both = _transform(across.transpose(1, 0, 2, 3))
    both = np.where(whole, (both + 2) >> 2, (both + 16384) >> 15)  # [v, u, row, column]
    divisors = 8 * quantisers.reshape(8, 8, 1, 1)
    levels = np.sign(both) * ((np.abs(both) + divisors // 2) // divisors)
    ordered: _Ints = levels.reshape(64, height // 8, width // 8).transpose(1, 2, 0)[..., ZIGZAG]
    return ordered


def _interleaved(coefficients: list[_Ints], across: int, down: int, rows: int,
                 columns: int) -> tuple[_Ints, npt.NDArray[np.intp]]:
    """The blocks [n, 64] in the order of the MCUs, and the component of each.

    rows, columns  of luma blocks that the picture has; the others carry the level of the block before them
    """
    luma = coefficients[0]
    count = luma.shape[0] // down, luma.shape[1] // across
    outside = np.ones(luma.shape[:2], bool)
    outside[:rows, :columns] = False
    grouped = luma.reshape(count[0], down, count[1], across, 64).transpose(0, 2, 1, 3, 4).reshape(*count, -1, 64).copy()
    missing = outside.reshape(count[0], down, count[1], across).transpose(0, 2, 1, 3).reshape(*count, -1)
    for k in range(1, across * down):
        grouped[..., k, :][missing[..., k]] = grouped[..., k - 1, :][missing[..., k]] * (np.arange(64) == 0)
    every = np.concatenate([grouped, *(part[:, :, None] for part in coefficients[1:])], axis=2)
    component = np.array([0] * (across * down) + list(range(1, len(coefficients))))
    return every.reshape(-1, 64), np.tile(component, count[0] * count[1])


def _symbols(blocks: _Ints, component: npt.NDArray[np.intp],
             codes: UInt32) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """What is written, in order: words and how many bits of each."""
    for one in range(int(component.max()) + 1):
        blocks[component == one, 0] = np.diff(blocks[component == one, 0], prepend=0)
    wanted = blocks != 0
    wanted[:, 0] = True
    block, k = np.nonzero(wanted)
    value = blocks[block, k]
    run = np.where(k == 0, 0, np.diff(k, prepend=0) - 1)
    size = np.where(value == 0, 0, np.frexp(np.abs(value).astype(np.float64))[1])
    table = codes[np.minimum(component, 1)].astype(np.uint64)
    entry = table[block, np.where(k == 0, size, _AC + (run % 16 * 16 + size))]
    extra = ((value - (value < 0)) & ((1 << size) - 1)).astype(np.uint64)
    word = (entry >> np.uint64(8)) << size.astype(np.uint64) | extra
    length = (entry & np.uint64(255)).astype(np.int64) + size
    place = 256 * block + 4 * k + 3  # the zeros that a code cannot count stand before it
    last = np.flatnonzero(np.diff(block, append=-1))
    open_blocks = block[last][k[last] < 63]
    ends, zeros = table[open_blocks, _END], np.repeat(table[block, _ZEROS], run // 16)
    places = np.concatenate((place, 256 * open_blocks + 256 - 1, np.repeat(place, run // 16) - 1))
    others = np.concatenate((ends, zeros))
    words = np.concatenate((word, others >> np.uint64(8)))
    lengths = np.concatenate((length, (others & np.uint64(255)).astype(np.int64)))
    order = np.argsort(places, kind="stable")
    return words[order], lengths[order]


def _packed(words: npt.NDArray[np.uint64], lengths: npt.NDArray[np.int64]) -> bytes:
    """The bits one after the other, ones up to a whole byte, and a 0 behind each byte of 255."""
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    bits = np.ones(total + -total % 8, np.uint8)
    shift = np.repeat(ends, lengths) - 1 - np.arange(total)
    bits[:total] = np.repeat(words, lengths) >> shift.astype(np.uint64) & np.uint64(1)
    return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\0")
