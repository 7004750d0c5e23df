# SPDX-License-Identifier: Apache-2.0
"""The few EXIF fields that change when the pixels do (Exif 2.32, TIFF 6.0): orientation, size, thumbnail."""

from __future__ import annotations

import re
import struct

import numpy as np

PREFIX = b"Exif\0\0"
_ORIENTATION, _EXIF_IFD, _WIDTH, _HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_UPRIGHT = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
            5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
            7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a)}
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)[2-8]""")


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that an EXIF block states; 1 where it states none or is broken."""
    block = bytearray(exif.removeprefix(PREFIX))
    order, entries, _ = _directory(block, _first(block))
    for tag, kind, _, at in entries:
        if tag == _ORIENTATION and kind == 3:
            value = struct.unpack_from(order + "H", block, at)[0]
            return value if 1 <= value <= 8 else 1
    return 1


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """The pixels [height, width, ...] of a file with orientation `turn`, as they are shown."""
    return np.ascontiguousarray(_UPRIGHT[turn](pixels)) if turn in _UPRIGHT else pixels


def describe_upright(exif: bytes, width: int, height: int) -> bytes:
    """The EXIF block for upright pixels of this size, without its thumbnail, which shows the unlabelled picture."""
    head = PREFIX if exif.startswith(PREFIX) else b""
    block = bytearray(exif.removeprefix(PREFIX))
    order, entries, link = _directory(block, _first(block))
    for tag, kind, _, at in entries:
        if tag == _ORIENTATION and kind == 3:
            struct.pack_into(order + "H", block, at, 1)
        elif tag == _EXIF_IFD:
            _set_size(block, order, struct.unpack_from(order + "I", block, at)[0], width, height)
    if link:
        struct.pack_into(order + "I", block, link, 0)
    return head + bytes(block)


def xmp_upright(packet: bytes) -> bytes:
    """The XMP packet with tiff:Orientation set to 1 where it was stated."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def _set_size(block: bytearray, order: str, offset: int, width: int, height: int) -> None:
    for tag, kind, _, at in _directory(block, offset)[1]:
        if tag in (_WIDTH, _HEIGHT) and kind in (3, 4):
            value = width if tag == _WIDTH else height
            struct.pack_into(order + ("H" if kind == 3 else "I"), block, at, min(value, 0xFFFF) if kind == 3 else value)


def _first(block: bytearray) -> int:
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    return struct.unpack_from(order + "I", block, 4)[0] if order and len(block) >= 8 else 0


def _directory(block: bytearray, offset: int) -> tuple[str, list[tuple[int, int, int, int]], int]:
    """(byte order, entries as (tag, type, count, offset of the value), offset of the link) of a directory.

    No entries and no link where the directory does not lie wholly inside the block.
    """
    order = "<" if block[:2] == b"II" else ">"
    if not 8 <= offset <= len(block) - 2:
        return order, [], 0
    count = struct.unpack_from(order + "H", block, offset)[0]
    end = offset + 2 + 12 * count
    if end + 4 > len(block):
        return order, [], 0
    entries = [(*struct.unpack_from(order + "HHI", block, at), at + 8) for at in range(offset + 2, end, 12)]
    return order, entries, end
