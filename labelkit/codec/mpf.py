# SPDX-License-Identifier: Apache-2.0
"""What lies behind the first picture of a JPEG (CIPA DC-007): kept where it belongs to that picture, or refused.

Kept      gain maps, which tell screens of high dynamic range how much brighter a part is
Left out  large thumbnails, which show the picture without its label
Refused   other pictures, such as the second view of a stereo camera, and films: they would stay without a label
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

from labelkit import kernels
from labelkit.container import Reader, tiff
from labelkit.container.jpeg import MPF_ENTRIES, MPF_HEADER, segments
from labelkit.errors import LabelkitError, UnsupportedFormat

_APP2 = 0xE2
_MARKERS = bytes(marker not in (0, 1, 0xFF, *range(0xD0, 0xD9)) for marker in range(256))  # EOI, and all with a length
_EOI = 0xD9
_THUMBNAILS = (0x010001, 0x010002)  # table 4: the type of a picture, in the low 24 bits of its attributes
_GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"urn:iso:std:iso:ts:21496:-1",
              b"http://ns.apple.com/HDRGainMap/1.0/")
_FILM = re.compile(rb"\x00\x00[\x00\x01].ftyp", re.DOTALL)
_PICTURE = b"\xff\xd8\xff"
_MOST = 64  # pictures; real files hold two to four
_HEAD = struct.Struct("<2sHI H HHI4s HHII HHII I")  # TIFF header, directory of version, number and entries, no next


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture behind the first: its attributes, and its bytes."""

    attributes: int
    data: bytes

    @property
    def is_gain_map(self) -> bool:
        """Whether its metadata call it the gain map of an HDR picture."""
        return any(name in self.data for name in _GAIN_MAPS)


def end_of_first(data: bytes) -> int:
    """Where the first picture of a JPEG ends; the end of the bytes where it does not end before."""
    at, place = 2, np.empty(1, np.int64)
    while at < len(data):
        kernels.jpeg_marker(data, _MARKERS, at, place)
        at = int(place[0]) + 2
        if at > len(data) or data[at - 1] == _EOI:
            break
        at += max(2, int.from_bytes(data[at:at + 2], "big"))
    return min(at, len(data))


def behind(data: bytes) -> bytes:
    """What of a JPEG's further pictures belongs to it when its pixels change: pictures one after the other.

    Raises UnsupportedFormat for what would stay without a label.
    """
    rest = data[end_of_first(data):]
    if _PICTURE not in rest and not _FILM.search(rest):
        return b""
    if _FILM.search(rest):
        raise UnsupportedFormat("a film lies behind the picture of this JPEG and would stay without a label",
                                hint="take the film out, or write the metadata alone")
    listed = _listed(data)
    kept = [picture.data for picture in listed if picture.is_gain_map]
    known = kept + [picture.data for picture in listed if picture.attributes & 0xFFFFFF in _THUMBNAILS]
    if not listed and any(name in rest for name in _GAIN_MAPS):
        kept = known = [rest]
    if len(known) < max(1, len(listed)):
        raise UnsupportedFormat("{count} more pictures lie behind the first of this JPEG and would stay without a "
                                "label", count=max(1, len(listed) - len(known)),
                                hint="save the pictures one by one, or write the metadata alone")
    return b"".join(kept)


def table(data: bytes, pictures: bytes) -> bytes:
    """The segment that lists a picture of `data` and those behind it, its offsets still to be told by `placed`."""
    kept = [picture for picture in _listed(data) if picture.is_gain_map]
    if not pictures or not kept:
        return b""
    rows = [struct.pack("<IIIHH", 0x030000, 0, 0, 0, 0)]
    at = 0
    for picture in kept:
        rows.append(struct.pack("<IIIHH", picture.attributes, len(picture.data), at, 0, 0))
        at += len(picture.data)
    body = MPF_HEADER + _HEAD.pack(b"II", 42, 8, 3, 0xB000, 7, 4, b"0100", 0xB001, 4, 1, len(rows),
                                   MPF_ENTRIES, 7, 16 * len(rows), _HEAD.size, 0) + b"".join(rows)
    return struct.pack(">BBH", 0xFF, _APP2, len(body) + 2) + body


def placed(encoded: bytes, segment: bytes, start: int) -> bytes:
    """`encoded`, a picture alone in which `segment` of `table` stands at `start`, with the places told in it."""
    rows = bytearray(segment)
    base = start + 4 + len(MPF_HEADER)
    first = 4 + len(MPF_HEADER) + _HEAD.size
    struct.pack_into("<I", rows, first + 4, len(encoded))
    for at in range(first + 16, len(rows), 16):
        offset, = struct.unpack_from("<I", rows, at + 8)
        struct.pack_into("<I", rows, at + 8, len(encoded) + offset - base)
    return encoded[:start] + bytes(rows) + encoded[start + len(segment):]


def _listed(data: bytes) -> list[_Picture]:
    """The pictures that the table names behind the first, as far as it can be read."""
    reader, left = Reader.of(data), len(data)
    found: list[_Picture] = []
    try:
        for marker, _, body, length in segments(reader):
            if marker == _APP2 and data.startswith(MPF_HEADER, body):
                start = body + len(MPF_HEADER)
                for attributes, size, offset in _rows(Reader.of(data[start:body + length])):
                    left -= size  # pictures do not lie over each other
                    if offset and left >= 0 and data.startswith(_PICTURE, start + offset):
                        picture = data[start + offset:start + offset + size]
                        found.append(_Picture(attributes, picture))
                break
    except LabelkitError:
        pass
    return found


def _rows(reader: Reader) -> list[tuple[int, int, int]]:
    """Attributes, size and offset of each picture in a table."""
    order = tiff.shape_of(reader).order
    value = next((entry.value(reader) for entry in tiff.entries(reader) if entry.tag == MPF_ENTRIES), b"")
    return [row[:3] for row in struct.iter_unpack(order + "IIIHH", value[:len(value) // 16 * 16])][:_MOST]
