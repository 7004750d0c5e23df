# SPDX-License-Identifier: Apache-2.0
"""The few EXIF fields that change when the pixels do (Exif 2.32, TIFF 6.0): orientation, size, thumbnail."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from labelkit.codec.samples import Pixels
from labelkit.container import Reader, tiff
from labelkit.container.jpeg import EXIF_HEADER
from labelkit.errors import LabelkitError

_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0xA002, 0xA003
_SHORT, _LONG = 3, 4
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a)}
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)[2-8]""")


class _Directory(NamedTuple):
    """One directory: the byte order, its entries, and where the offset of the next one stands, 0 for nowhere."""

    order: str
    entries: list[tiff.Entry]
    link: int


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that an EXIF block states; 1 where it states none or is broken."""
    block = exif.removeprefix(EXIF_HEADER)
    order, entries, _ = _directory(block)
    for entry in entries:
        if entry.tag == _ORIENTATION and entry.type == _SHORT:
            value = _number(block, order + "H", entry)
            return value if 1 <= value <= 8 else 1
    return 1


def upright(pixels: Pixels, turn: int) -> Pixels:
    """The pixels [height, width, ...] of a file with orientation `turn`, as they are shown."""
    return np.ascontiguousarray(_UPRIGHT[turn](pixels)) if turn in _UPRIGHT else pixels


def describe_upright(exif: bytes, width: int, height: int) -> bytes:
    """The EXIF block for upright pixels of this size, without its thumbnail, which shows the unlabelled picture."""
    head = EXIF_HEADER if exif.startswith(EXIF_HEADER) else b""
    block = bytearray(exif.removeprefix(EXIF_HEADER))
    order, entries, link = _directory(block)
    for entry in entries:
        if entry.tag == _ORIENTATION and entry.type == _SHORT:
            struct.pack_into(order + "H", block, entry.offset_bytes, 1)
        elif entry.tag == tiff.EXIF_DIRECTORY:
            _set_size(block, _number(block, order + "I", entry), width, height)
    if link:
        struct.pack_into(order + "I", block, link, 0)
    return head + bytes(block)


def xmp_upright(packet: bytes) -> bytes:
    """The XMP packet with tiff:Orientation set to 1 where it was stated."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def _set_size(block: bytearray, start: int, width: int, height: int) -> None:
    order, entries, _ = _directory(block, start)
    for entry in entries:
        value = {_WIDTH: width, _HEIGHT: height}.get(entry.tag)
        if value is not None and entry.type == _SHORT:
            struct.pack_into(order + "H", block, entry.offset_bytes, min(value, 0xFFFF))
        elif value is not None and entry.type == _LONG:
            struct.pack_into(order + "I", block, entry.offset_bytes, value)


def _number(block: bytes | bytearray, layout: str, entry: tiff.Entry) -> int:
    return int(struct.unpack_from(layout, block, entry.offset_bytes)[0])


def _directory(block: bytes | bytearray, start: int | None = None) -> _Directory:
    """The first directory of a block, or the one at `start`; empty where it does not lie wholly inside the block.

    Only entries whose value lies in the entry itself are given.
    """
    reader = Reader.of(bytes(block))
    try:
        shape = tiff.shape_of(reader)
        start = tiff.first(reader, shape) if start is None else start
        entries = tiff.directory(reader, shape, start)
    except LabelkitError:
        return _Directory("<", [], 0)
    link = tiff.link_of(shape, start, len(entries))
    if start < 8 or link + struct.calcsize(shape.offset) > len(block):
        return _Directory("<", [], 0)
    width = struct.calcsize(shape.entry)
    inline = [entry for entry in entries if entry.place < entry.offset_bytes < entry.place + width]
    return _Directory(shape.order, inline, link)
