# SPDX-License-Identifier: Apache-2.0
"""PNG as labelkit writes it, and the 16-bit colour PNG that Pillow would cut down to 8 bits (PNG, third edition).

Writing. Pillow's default (adaptive filters, zlib level 6) costs 280 ms a megapixel of a photograph. Here every
row has the Average filter, which NumPy does in 2 ms, and zlib runs at level 1 with the cheaper of two strategies
found on a sample: Huffman codes alone for photographs (24 ms a megapixel, files 4 to 10 % larger than Pillow's
default), run and string matching for pages and drawings. Samples are stored exactly, whatever the strategy.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from labelkit.codec import hdr
from labelkit.codec.samples import Pixels
from labelkit.container import Reader, png as container_png
from labelkit.container.png import SIGNATURE, chunk
from labelkit.errors import LabelkitError, MalformedFile, TruncatedFile, UnsupportedFormat

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}  # channels -> colour type
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples a pixel
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_ROWS = 16  # rows filtered at a time: they stay in the first-level cache
_SAMPLE = 1 << 16  # bytes on which the zlib strategies are compared


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, stop) of each chunk of a PNG, length and checksum included, as far as they are whole."""
    with suppress(LabelkitError):
        yield from container_png.chunks(Reader.of(data))


def encode(pixels: Pixels) -> bytes:
    """A PNG of uint8 or uint16 [height, width], [height, width, 3] or [height, width, 4]; no metadata."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    bits = pixels.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", width, height, bits, _COLOUR_TYPE[channels], 0, 0, 0)
    rows = np.ascontiguousarray(pixels, ">u2" if bits == 16 else np.uint8).view(np.uint8).reshape(height, -1)
    data = _deflate(_filter(rows, channels * bits // 8))
    return b"".join((SIGNATURE, chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")))


def with_profile(data: bytes, profile: bytes) -> bytes:
    """A PNG of `encode` with an ICC profile (iCCP, 11.3.2.3)."""
    at = len(SIGNATURE) + 25
    return data[:at] + chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)) + data[at:]


def _filter(rows: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """uint8 [height, 1 + bytes]: each row with the Average filter (type 3); `step` is bytes a pixel."""
    height, count = rows.shape
    out = np.empty((height, 1 + count), np.uint8)
    out[:, 0] = 3
    window = np.zeros((_ROWS + 1, step + count), np.uint16)  # the row above, and a pixel of zeros at the left
    for top in range(0, height, _ROWS):
        part = rows[top:top + _ROWS]
        window[0] = window[len(part)] if top else 0
        if top:
            window[0, step:] = rows[top - 1]
        here = window[1:len(part) + 1]
        here[:, step:] = part
        average = (here[:, :-step] + window[:len(part), step:]) >> 1
        np.subtract(here[:, step:], average, out=out[top:top + _ROWS, 1:], casting="unsafe")
    return out


def _deflate(rows: npt.NDArray[np.uint8]) -> bytes:
    flat = rows.reshape(-1)
    start = max(0, (flat.size - _SAMPLE) // 2)
    sample = flat[start:start + _SAMPLE]
    sizes = {strategy: len(_compress(sample, strategy)) for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_DEFAULT_STRATEGY)}
    return _compress(flat, min(sizes, key=sizes.__getitem__))


def _compress(data: npt.NDArray[np.uint8], strategy: int) -> bytes:
    worker = zlib.compressobj(1, zlib.DEFLATED, 15, 9, strategy)
    return worker.compress(data.data) + worker.flush()


def header(data: bytes) -> tuple[int, int, int, int, bool]:
    """(width, height, bits, colour type, interlaced) of a PNG."""
    if len(data) < 33 or data[:8] != SIGNATURE or data[12:16] != b"IHDR":
        raise TruncatedFile("PNG header of 33 bytes wanted, {got} bytes came", got=len(data))
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    return width, height, bits, colour, bool(interlaced)


def transfer(data: bytes) -> str:
    """The transfer that a PNG states in its cICP (11.3.2.6): "sdr", "pq" or "hlg"."""
    for kind, start, _ in chunks(data):
        if kind == b"IDAT":
            break
        if kind == b"cICP" and start + 10 <= len(data):
            return hdr.TRANSFERS.get(data[start + 9], "sdr")
    return "sdr"


def least_bytes(data: bytes) -> int:
    """The bytes of a PNG's picture before they were packed, but for those by which interlaced rows are told apart."""
    width, height, bits, colour, _ = header(data)
    return height * (1 + (width * bits * _CHANNELS.get(colour, 1) + 7) // 8)


def decode16(data: bytes) -> npt.NDArray[np.uint16]:
    """uint16 [height, width, 3] or [height, width, 4] of a 16-bit colour or grey-with-alpha PNG."""
    width, height, bits, colour, interlaced = header(data)
    if bits != 16 or colour not in (2, 4, 6) or not width or not height:
        raise UnsupportedFormat("16-bit colour PNG wanted, got {bits} bits of colour type {colour}, {width}x{height}",
                                bits=bits, colour=colour, width=width, height=height)
    parts = [(kind, data[start + 8:stop - 4]) for kind, start, stop in chunks(data) if kind in (b"tRNS", b"IDAT")]
    packed = b"".join(body for kind, body in parts if kind == b"IDAT")
    transparent = next((body for kind, body in reversed(parts) if kind == b"tRNS"), b"")
    step = 2 * _CHANNELS[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    pixels = np.zeros((height, width, step), np.uint8)
    views = [pixels[y::down, x::across] for x, y, across, down in passes]
    views = [view for view in views if view.size]
    raw = _inflate(packed, sum(view.shape[0] * (1 + view.shape[1] * step) for view in views))
    for view in views:
        count = view.shape[0] * (1 + view.shape[1] * step)
        view[:] = _unfilter(raw[:count].reshape(view.shape[0], -1), step)
        raw = raw[count:]
    return _as_rgb(pixels.view(">u2").astype(np.uint16), transparent)


def _as_rgb(pixels: npt.NDArray[np.uint16], transparent: bytes) -> npt.NDArray[np.uint16]:
    if pixels.shape[2] == 2:  # grey with alpha
        return pixels[:, :, [0, 0, 0, 1]]
    if pixels.shape[2] == 3 and len(transparent) == 6:
        alpha = (pixels != np.frombuffer(transparent, ">u2")).any(axis=2) * np.uint16(65535)
        return np.dstack((pixels, alpha))
    return pixels


def _inflate(packed: bytes, count: int) -> npt.NDArray[np.uint8]:
    try:
        raw = zlib.decompressobj().decompress(packed, count)
    except zlib.error as error:
        raise MalformedFile("PNG image data do not decompress: {reason}", reason=str(error)) from error
    if len(raw) < count:
        raise TruncatedFile("PNG image data hold {got} bytes, {wanted} are needed", got=len(raw), wanted=count)
    return np.frombuffer(raw, np.uint8)


def _unfilter(rows: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, step] of filtered rows [height, 1 + bytes].

    A pixel needs its left, upper and upper left neighbours, so all pixels of one anti-diagonal can be
    done at once, whatever the filter of each row.
    """
    height, count = rows.shape[0], rows.shape[1] - 1
    kinds = rows[:, :1].astype(np.intp)
    if kinds.max() > 4:
        raise MalformedFile("PNG row filter {kind} is not one of 0 to 4", kind=int(kinds.max()))
    width, stride = count // step, count + step
    out = np.zeros((height + 1, stride), np.uint8)
    out[1:, step:] = rows[:, 1:]
    flat = out.reshape(-1)
    for diagonal in range(width + height - 1):
        top, bottom = max(0, diagonal - width + 1), min(height, diagonal + 1)
        at = (top + 1) * stride + (diagonal - top + 1) * step

        def view(offset: int, top: int = top, bottom: int = bottom) -> npt.NDArray[np.uint8]:
            return np.lib.stride_tricks.as_strided(flat[offset:], (bottom - top, step), (stride - step, 1))

        here, left = view(at), view(at - step).astype(np.int16)
        above, corner = view(at - stride).astype(np.int16), view(at - stride - step).astype(np.int16)
        here += _predict(kinds[top:bottom], left, above, corner).astype(np.uint8)
    return out[1:, step:].reshape(height, width, step)


def _predict(kinds: npt.NDArray[np.intp], left: npt.NDArray[np.int16], above: npt.NDArray[np.int16],
             corner: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    second = np.where(to_above <= to_corner, above, corner)
    paeth = np.where((to_left <= to_above) & (to_left <= to_corner), left, second)
    return np.choose(kinds, (np.zeros_like(left), left, above, (left + above) >> 1, paeth))
