# SPDX-License-Identifier: Apache-2.0
"""JPEG between arrays and bytes without a Pillow image in between.

Encoding is a kernel: baseline, with the common Huffman tables (ITU-T T.81, K.3). Its files are those of Pillow, byte
for byte. It takes the pixels where they lie and works without the interpreter's lock; Pillow copies them into an image
of four bytes a pixel and holds the lock, so that a second thread gains nothing. Pillow writes the header, once for each
setting, and all that is progressive or has Huffman tables of its own.

Decoding is simplejpeg where it is installed: libjpeg-turbo as in Pillow, hence the same pixels, straight into an array.
Pillow decodes what has a fault, for it says which, and CMYK.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from labelkit import kernels, scratch
from labelkit.codec.samples import Pixels
from labelkit.kernels.jpeg import CODES, MIN_ROOM, ZIGZAG

_SOF0, _DHT, _DQT, _SOS = 0xC0, 0xC4, 0xDB, 0xDA
_JFIF_END = 20  # bytes
_PROFILE = b"ICC_PROFILE\0"
_MAX_PROFILE = 65_519  # bytes in a segment (ICC.1, B.4)
_SIZE_OFFSET = 5  # of height and width in the frame header
_MAX_SIDE = 65_500  # of libjpeg
_SIDE = 16  # of the picture whose header is taken


_MAX_PIXELS = 1 << 28  # which simplejpeg counts in 32 bits


def decode(data: bytes, mode: str, size: tuple[int, int] | None) -> npt.NDArray[np.uint8] | None:
    """uint8 [height, width, 3], or [height, width] for the mode "L", of a JPEG; None where Pillow is to decode it.

    mode  "RGB" or "L", which of a colour picture gives its luma
    size  (width, height) that Pillow has read in the header, None where the file was encoded here
    """
    try:
        import simplejpeg
    except ImportError:
        return None
    if mode not in ("RGB", "L") or size and size[0] * size[1] > _MAX_PIXELS:
        return None
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB" if mode == "RGB" else "GRAY")
    except (ValueError, RuntimeError):
        return None
    if size and pixels.shape[:2] != size[::-1]:
        return None
    return pixels if mode == "RGB" else pixels[..., 0]


class _Settings(NamedTuple):
    """What a header depends on, beside the size."""

    channels: int
    quality: int | None
    quantisers: tuple[tuple[int, ...], ...] | None
    subsampling: int | None


@dataclass(frozen=True, slots=True, eq=False)
class _Header:
    """All before the entropy-coded segment: the bytes, where height and width stand in them, and the tables."""

    data: bytes
    size_at: int
    across: int
    down: int
    quantisers: npt.NDArray[np.uint16]
    codes: npt.NDArray[np.uint32]


def encode(pixels: Pixels, options: dict[str, Any]) -> bytes | None:
    """A JPEG of uint8 [height, width] or [height, width, 3], with the options of Pillow's `save`; None for what is not
    encoded here: other pixels, other options, and where no fast kernels are compiled."""
    settings = _settings(pixels, options)
    header = _header(settings) if settings else None
    if header is None:
        return None
    height, width = pixels.shape[:2]
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    before = (header.data[:_JFIF_END], *_profile_segments(options.get("icc_profile") or b""),
              header.data[_JFIF_END:header.size_at], size, header.data[header.size_at + 4:])
    rows = cast("npt.NDArray[np.uint8]", pixels if pixels.ndim == 3 else pixels[..., None])
    if rows.strides[1:] != (rows.shape[2], 1) or rows.strides[0] < 0:
        rows = np.ascontiguousarray(rows)
    written = np.empty(1, np.int64)
    least = MIN_ROOM * (6 + 6 * (-(-height // 8) + 1) * (-(-width // 8) + 1))
    for room in (min(least, height * width * rows.shape[2] // 4 + 65536), least):
        with scratch.lent(room) as out:
            kernels.jpeg_scan(rows, header.across, header.down, header.quantisers, header.codes, out, written)
            if written[0]:
                return b"".join((*before, out[:written[0]].data, b"\xff\xd9"))
    return None


def _settings(pixels: Pixels, options: dict[str, Any]) -> _Settings | None:
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    known, profile = {"quality", "qtables", "subsampling", "icc_profile"}, options.get("icc_profile") or b""
    if (kernels.backend() in ("numpy", "scalar") or pixels.dtype != np.uint8 or channels not in (1, 3)
            or max(pixels.shape[:2]) > _MAX_SIDE or len(profile) > 255 * _MAX_PROFILE
            or any(value for name, value in options.items() if name not in known)):
        return None
    tables = options.get("qtables")
    return _Settings(channels, options.get("quality"), tuple(map(tuple, tables)) if tables else None,
                     options.get("subsampling"))


def _profile_segments(profile: bytes) -> list[bytes]:
    """The segments that hold an ICC profile."""
    parts = [profile[start:start + _MAX_PROFILE] for start in range(0, len(profile), _MAX_PROFILE)]
    return [b"\xff\xe2" + (len(part) + 16).to_bytes(2, "big") + _PROFILE + bytes((number, len(parts))) + part
            for number, part in enumerate(parts, 1)]


@functools.lru_cache(maxsize=32)
def _header(settings: _Settings) -> _Header | None:
    """The header that Pillow writes; None for one that is not understood."""
    from PIL import Image

    options: dict[str, Any] = {"quality": settings.quality, "subsampling": settings.subsampling,
                               "qtables": settings.quantisers and [list(table) for table in settings.quantisers]}
    out = io.BytesIO()
    Image.new("L" if settings.channels == 1 else "RGB", (_SIDE, _SIDE)).save(
        out, "JPEG", **{name: value for name, value in options.items() if value is not None})
    return _understood(out.getvalue())


def _understood(data: bytes) -> _Header | None:
    quantisers, codes = np.ones((2, 64), np.uint16), np.zeros((2, CODES), np.uint32)
    size_at, components, at = 0, b"", 2
    while True:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], "big")
        body = data[at + 4:at + 2 + length]
        if marker == _DQT:
            _read_quantisers(body, quantisers)
        elif marker == _DHT:
            _read_codes(body, codes)
        elif 0xC0 <= marker <= 0xCF:
            size_at, components = at + _SIZE_OFFSET, body[6:]
            if marker != _SOF0:
                return None
        at += 2 + length
        if marker == _SOS:
            break
    used = [(way >> 4, way & 15, table) for way, table in zip(components[1::3], components[2::3], strict=True)]
    across, down, _ = used[0]
    if len(used) == 1:
        across, down = 1, 1
    if used[1:] and {part[:2] for part in used[1:]} != {(1, 1)} or (across, down) not in ((1, 1), (2, 1), (2, 2)):
        return None
    tables = [part[2] for part in used]
    if max(tables) > 1 or len(set(tables[1:])) > 1:
        return None
    chosen = np.ascontiguousarray(quantisers[[tables[0], tables[-1]]])
    for array in (chosen, codes):
        array.flags.writeable = False
    return _Header(data[:at], size_at, across, down, chosen, codes) if chosen.max() < 256 else None


def _read_quantisers(body: bytes, quantisers: npt.NDArray[np.uint16]) -> None:
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        values = np.frombuffer(body[1:], ">u2" if wide else np.uint8, 64)
        if number < 2:
            quantisers[number, ZIGZAG] = values
        body = body[1 + values.nbytes:]


def _read_codes(body: bytes, codes: npt.NDArray[np.uint32]) -> None:
    """Huffman codes in the order of their lengths (T.81, annex C)."""
    while body:
        number, counts = body[0], body[1:17]
        code = at = 0
        for length, count in enumerate(counts, 1):
            for symbol in body[17 + at:17 + at + count]:
                codes[number & 15, symbol + (16 if number >> 4 else 0)] = code << 8 | length
                code += 1
            code, at = code << 1, at + count
        body = body[17 + at:]
