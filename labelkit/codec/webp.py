# SPDX-License-Identifier: Apache-2.0
"""Reads from a WebP's bytes how it was encoded, so that it can be encoded so again (RFC 9649, RFC 6386)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress

from labelkit.container import Reader, riff
from labelkit.errors import LabelkitError

_SPEED = {"method": 3}
_LOSSLESS = {"lossless": True, "quality": 30, "method": 1, "exact": True}
_HEADER = 4096  # bytes of a picture that hold its quantisers
_LOWEST_QUALITY, _DEFAULT_QUALITY = 50, 90


def settings(data: bytes) -> dict[str, int | bool]:
    """Pillow's settings for a WebP like `data`: lossless, or at the quality of its first lossy frame."""
    for kind, body in _streams(Reader.of(data)):
        if kind == b"VP8L":
            return dict(_LOSSLESS)
        if kind == b"VP8 ":
            return {"quality": _quality(body)} | _SPEED
    return {"quality": _DEFAULT_QUALITY} | _SPEED


def _streams(reader: Reader) -> Iterator[tuple[bytes, bytes]]:
    """The pictures in the file, each with its kind, as far as they can be read."""
    with suppress(LabelkitError):
        for part in riff.read_riff(reader).chunks:
            inner = [part]
            if part.kind == b"ANMF":  # a frame of an animation: 16 bytes of place and time, then chunks
                inner = riff.read_chunks(reader, part.body + 16, part.body + part.length)
            for one in inner:
                if one.kind in (b"VP8 ", b"VP8L"):
                    yield one.kind, reader.at(one.body, min(one.length, _HEADER), "picture header")


def _quality(frame: bytes) -> int:
    """The libwebp quality, 0 to 100, whose quantisers the key frame states; 90 where they cannot be read."""
    if len(frame) < 20 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return _DEFAULT_QUALITY
    # libwebp: quantiser = 127 (1 - c), where c is the cube root of a curve of the quality with a knee at 75
    linear = _compression(_BoolDecoder(frame[10:])) ** 3
    quality = 150 * linear if linear < 0.5 else 50 * (linear + 1)
    return max(_LOWEST_QUALITY, min(100, round(quality)))


def _compression(bits: _BoolDecoder) -> float:
    """libwebp's c of the frame header, RFC 6386 sections 9.2 to 9.6."""
    bits.literal(2)  # colour space, clamping
    levels, weights = _segments(bits) if bits.literal(1) else ([], [])
    bits.literal(1 + 6 + 3)  # filter type, level, sharpness
    if bits.literal(1) and bits.literal(1):  # loop filter deltas
        for _ in range(8):
            if bits.literal(1):
                bits.literal(7)
    bits.literal(2)  # partitions
    base = bits.literal(7)
    if not levels:
        return 1 - base / 127
    # libwebp raises c to a power for each segment, so that the mean of the powers, by area, is 1
    return math.exp(sum(weight * math.log(1 - min(level, 126) / 127)
                        for level, weight in zip(levels, weights, strict=True)))


def _segments(bits: _BoolDecoder) -> tuple[list[int], list[float]]:
    """The quantisers of the four segments, where they are given as such, and the share of the picture in each."""
    levels: list[int] = []
    odds = [1.0, 1.0, 1.0]
    with_map, with_data = bits.literal(1), bits.literal(1)
    if with_data:
        absolute = bits.literal(1)
        values = [abs(bits.signed(7)) if bits.literal(1) else 0 for _ in range(4)]
        levels = values if absolute else []
        for _ in range(4):
            if bits.literal(1):
                bits.literal(7)  # filter strength and its sign
    if with_map:
        odds = [bits.literal(8) / 255 if bits.literal(1) else 1.0 for _ in range(3)]
    first, left, right = odds
    return levels, [first * left, first * (1 - left), (1 - first) * right, (1 - first) * (1 - right)]


class _BoolDecoder:
    """The arithmetic decoder of RFC 6386 section 7, at even odds, which is all that a frame header needs."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 2
        self._value, self._range, self._shifts = int.from_bytes(data[:2], "big"), 255, 0

    def literal(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        value = 0
        for _ in range(count):
            value = value << 1 | self._bit()
        return value

    def signed(self, count: int) -> int:
        """A magnitude of `count` bits and a sign."""
        value = self.literal(count)
        return -value if self._bit() else value

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = int(self._value >= split << 8)
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifts += 1
            if self._shifts == 8:
                self._shifts = 0
                self._value |= self._data[self._at] if self._at < len(self._data) else 0
                self._at += 1
        return bit
