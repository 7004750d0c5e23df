# SPDX-License-Identifier: Apache-2.0
"""JPEG: marker segments up to the first scan (ISO/IEC 10918-1 B.1; XMP part 3, 1.1.3; C2PA 2.1, A.3.1), and texts
between scans."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from labelkit.container import jpegxmp, tiff
from labelkit.container.base import (
    C2PA,
    EXIF,
    MAX_UNITS,
    TEXT,
    XMP,
    Changes,
    Format,
    Layout,
    Moves,
    Patch,
    Reader,
    Slot,
    unit_patches,
)
from labelkit.container.jpegxmp import Place, State
from labelkit.errors import LabelkitError
from labelkit.messages import Message

FORMATS = (Format("jpeg", "image/jpeg", "image", XMP),)

_MAX_SEGMENT = 65533  # a segment's length field counts itself: 65535 - 2
EXIF_HEADER = b"Exif\0\0"
# what other readers take for these headers too
_EXIF_LIKE = re.compile(rb".{0,4}?Exif\0.", re.DOTALL | re.IGNORECASE)
_XMP_LIKE = re.compile(rb"http://ns\.adobe\.com/xap/1\.0/[\0 ]?(?=\s*<)|[^<]{0,64}(?=<(?:\?xpacket|x:xmpmeta|rdf:RDF))")
_SOS, _EOI, COM, APP0, APP1, _APP2, _APP11, APP15 = 0xDA, 0xD9, 0xFE, 0xE0, 0xE1, 0xE2, 0xEB, 0xEF
_SIZED = frozenset(range(0xC0, 0xFF)) - {_SOS, _EOI, *range(0xD0, 0xD9)}  # markers of segments with a length
_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_LATER = bytes(marker in (_EOI, COM, *range(APP0, APP15 + 1)) for marker in range(256))  # looked for between scans
_STRAY = 1024  # bytes in which the next marker is looked for
MPF_HEADER = b"MPF\0"
MPF_ENTRIES = 0xB002
_WINDOW = 1 << 16  # bytes of coded data that are read together: what is larger is fresh memory each time
_PROBE = 80  # bytes of a segment that tell what it is


def sniff(reader: Reader, head: bytes) -> Format | None:
    """JPEG, where the first bytes say so."""
    return FORMATS[0] if head[:3] == b"\xff\xd8\xff" else None


def scan(reader: Reader, found: Format) -> Layout[State, Place]:
    """Every APPn and COM segment that can hold text; `state` is where tables of further pictures lie (CIPA DC-007)."""
    layout: Layout[State, Place] = Layout(found, [], [], 2)
    extensions = jpegxmp.Pieces()
    boxes: set[bytes] = set()
    leading, end = True, 2
    for marker, start, body, length in segments(reader):
        end = body + length
        leading = leading and marker in (APP0, APP1)
        if not (APP0 <= marker <= APP15 or marker == COM):
            continue
        probe = reader.at(body, min(length, _PROBE), "segment")
        if leading and (marker == APP0 or probe.startswith(EXIF_HEADER)):
            layout.insert_at = body + length
        if marker == _APP2 and probe.startswith(MPF_HEADER):
            layout.state.append((body + len(MPF_HEADER), length - len(MPF_HEADER)))
        elif marker == APP1 and probe.startswith(jpegxmp.EXTENSION_HEADER):
            extensions.add(probe, start, body + length - start)
        else:
            _add(reader, layout, marker, start, body, length, probe, boxes)
    for marker, start, body, length in _between_scans(reader, end):
        probe = reader.at(body, min(length, _PROBE), "segment")
        _add(reader, layout, marker, start, body, length, probe, boxes, home=False)
    extension = extensions.slot(reader, [slot for slot in layout.slots if slot.kind == XMP])
    if extension:
        layout.slots.append(extension)
    return layout


def made(reader: Reader) -> Layout[State, Place] | None:
    """The layout of a JPEG without slots that begins with its JFIF segment; None for another."""
    head = reader.head(20)
    if head[2:4] != b"\xff\xe0" or head[6:11] != b"JFIF\0" or head[4:6] != b"\0\x10":
        return None
    return Layout(FORMATS[0], [], [], len(head))


def segments(reader: Reader) -> Iterator[tuple[int, int, int, int]]:
    """(marker, start of segment, start of body, length of body), up to the first scan."""
    yield from _segments(reader, 2)


def _segments(reader: Reader, position: int) -> Iterator[tuple[int, int, int, int]]:
    view = reader.view
    for _ in range(MAX_UNITS):
        head: bytes | memoryview = b"\0\0\0\0"
        if position + 4 <= reader.size:
            head = reader.at(position, 4) if view is None else view[position:position + 4]
        length = head[2] << 8 | head[3]
        if head[0] == 0xFF and head[1] in _SIZED and length >= 2 and position + 2 + length <= reader.size:
            yield head[1], position, position + 4, length - 2
            position += 2 + length
            continue
        reader.seek(position)  # no plain segment
        marker = _next_marker(reader)
        start = reader.position - 2
        if marker in (_SOS, _EOI):
            return
        position = reader.position
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # TEM, RSTn, SOI stand alone
            continue
        length, = reader.unpack(">H", "segment")
        if length < 2:
            raise reader.malformed("segment", start,
                                   Message("its length is {length}, at least 2 wanted", length=length))
        body = reader.position
        reader.seek(body + length - 2, "end of segment")
        yield marker, start, body, length - 2
        position = body + length - 2
    raise reader.too_many("segment", MAX_UNITS)


def _between_scans(reader: Reader, position: int) -> Iterator[tuple[int, int, int, int]]:
    """APPn and COM segments, as `segments` has them, from the first scan to the end of the picture.

    In coded data FF is followed by 00 or by D0 to D7 (B.1.1.5), so what looks like such a marker is one.
    """
    import numpy as np

    from labelkit import kernels  # which load NumPy

    window: bytes | memoryview = b"" if reader.view is None else reader.view
    first = position if reader.view is None else 0  # where the window lies
    place = np.empty(1, np.int64)
    for _ in range(MAX_UNITS):
        while True:
            kernels.jpeg_marker(window, _LATER, min(max(position - first, 0), len(window)), place)
            start, end = first + int(place[0]), first + len(window)
            if start < end:
                break
            first = max(end - 1, position)  # the last byte may be the half of a marker
            if reader.size - first < 4 or reader.view is not None:
                return
            window = reader.at(first, min(_WINDOW, reader.size - first), "scan")
        marker, head = reader.at(start + 1, 1)[0], reader.at(start + 2, min(2, reader.size - start - 2), "segment")
        if marker == _EOI or len(head) < 2:
            return
        length, = struct.unpack(">H", head)
        position = start + 2 + length
        if length < 2 or position > reader.size:
            return
        yield marker, start, start + 4, length - 2


def _next_marker(reader: Reader) -> int:
    """The next marker; fill bytes are passed over (B.1.1.2), and so are stray bytes, as decoders do."""
    start = reader.position
    window = reader.take(2, "marker")
    if window[0] == 0xFF and window[1] not in (0, 0xFF):
        return window[1]
    window = reader.at(start, min(_STRAY, reader.size - start), "marker")
    found = _MARKER.search(window)
    if found is None:
        raise reader.malformed("marker", start, Message("{wanted} wanted, got {got}", wanted="FF",
                                                        got=window[:2].hex().upper()))
    reader.seek(start + found.end())
    return found[1][0]


def _add(reader: Reader, layout: Layout[State, Place], marker: int, start: int, body: int, length: int, probe: bytes,
         boxes: set[bytes], *, home: bool = True) -> None:
    """A slot for the segment, where it is of a kind that has one; `home` as in Slot."""
    skip, kind, key = 0, None, ""
    if marker == APP1 and probe.startswith(jpegxmp.HEADER):
        kind, skip = XMP, len(jpegxmp.HEADER)
    elif marker == APP1 and (header := _XMP_LIKE.match(probe)):
        kind, skip, home = XMP, header.end(), False
    elif marker == APP1 and (header := _EXIF_LIKE.match(probe)):
        kind, skip = EXIF, header.end()
    elif marker == _APP11 and (b"c2pa" in probe[:64] or probe[2:4] in boxes):
        kind = C2PA
        boxes.add(probe[2:4])  # En: segments of one box share it
    elif marker == COM:
        kind, key = TEXT, "Comment"
    elif probe[:4].upper() == b"AIGC":
        kind, key = TEXT, "AIGC"
    if kind:
        name = "COM" if marker == COM else f"APP{marker - APP0}"
        layout.slots.append(Slot(kind, name, start, body + length - start,
                                 lambda: reader.at(body + skip, length - skip), (marker, skip), key, home))


def patches(reader: Reader, layout: Layout[State, Place], changes: Changes[Place], fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies; what of an XMP packet does not fit goes into its extension. Raises LimitExceeded."""
    done = jpegxmp.patches(reader, layout, changes, fresh)
    done += unit_patches(layout, {slot: body for slot, body in changes.items() if slot.kind != XMP}, None,
                         lambda slot, body: _encode(reader, slot, body))
    return done + [patch for start, length in layout.state if done
                   for patch in _picture_patches(reader, start, length, Moves(done))]


def _picture_patches(reader: Reader, start: int, length: int, moves: Moves) -> Iterator[Patch]:
    """The patches for a table of further pictures: the first is this one and grows, the others lie behind it."""
    table = Reader.of(reader.at(start, length, "MPF"), reader.name)
    try:
        shape = tiff.shape_of(table)
        entry = next((entry for entry in tiff.entries(table) if entry.tag == MPF_ENTRIES), None)
        rows = bytearray(entry.value(table)) if entry else bytearray()
    except LabelkitError:
        return  # a table that nobody can read
    field = shape.order + "I"
    for at in range(0, len(rows) - 15, 16):
        size, offset = struct.unpack(shape.order + "4xII", rows[at:at + 12])
        if offset:
            struct.pack_into(field, rows, at + 8, moves.of(start + offset) - moves.of(start) & 0xFFFFFFFF)
        else:
            struct.pack_into(field, rows, at + 4, moves.of(size) & 0xFFFFFFFF)
    if entry and rows:
        yield start + entry.offset_bytes, start + entry.offset_bytes + len(rows), bytes(rows)


def _encode(reader: Reader, slot: Slot[Place] | None, body: bytes) -> bytes:
    if slot is None or isinstance(slot.state, jpegxmp.Extension):
        raise AssertionError("XMP is written by jpegxmp")
    marker, skip = slot.state
    body = (EXIF_HEADER if skip else b"") + body
    if len(body) > _MAX_SEGMENT:
        raise reader.too_big("a JPEG segment", _MAX_SEGMENT, len(body))
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
