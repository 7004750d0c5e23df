# SPDX-License-Identifier: Apache-2.0
"""JPEG: marker segments up to the first scan (ISO/IEC 10918-1 B.1; XMP part 3, 1.1.3; C2PA 2.1, A.3.1)."""

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
from labelkit.errors import LabelkitError
from labelkit.messages import Message

FORMATS = (Format("jpeg", "image/jpeg", "image", XMP),)

_MAX_SEGMENT = 65533  # a segment's length field counts itself: 65535 - 2
_EXIF_HEADER = b"Exif\0\0"
_SOS, _EOI, _COM, _APP0, _APP1, _APP2, _APP11, _APP15 = 0xDA, 0xD9, 0xFE, 0xE0, 0xE1, 0xE2, 0xEB, 0xEF
_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_STRAY = 1024  # bytes in which the next marker is looked for
_MPF_HEADER = b"MPF\0"
_MPF_ENTRIES = 0xB002
_PROBE = 80  # bytes of a segment that tell what it is


def sniff(reader: Reader, head: bytes) -> Format | None:
    """JPEG, where the first bytes say so."""
    return FORMATS[0] if head[:3] == b"\xff\xd8\xff" else None


def scan(reader: Reader, found: Format) -> Layout:
    """Every APPn and COM segment that can hold text; `state` is where tables of further pictures lie (CIPA DC-007)."""
    layout = Layout(found, [], insert_at=2, state=[])
    extensions = jpegxmp.Pieces()
    boxes: set[bytes] = set()
    leading = True
    for marker, start, body, length in _segments(reader):
        leading = leading and marker in (_APP0, _APP1)
        if not (_APP0 <= marker <= _APP15 or marker == _COM):
            continue
        probe = reader.at(body, min(length, _PROBE), "segment")
        if leading and (marker == _APP0 or probe.startswith(_EXIF_HEADER)):
            layout.insert_at = body + length
        if marker == _APP2 and probe.startswith(_MPF_HEADER):
            layout.state.append((body + len(_MPF_HEADER), length - len(_MPF_HEADER)))
        elif marker == _APP1 and probe.startswith(jpegxmp.EXTENSION_HEADER):
            extensions.add(probe, start, body + length - start)
        else:
            _add(reader, layout, marker, start, body, length, probe, boxes)
    extension = extensions.slot(reader, [slot for slot in layout.slots if slot.kind == XMP])
    if extension:
        layout.slots.append(extension)
    return layout


def _segments(reader: Reader):
    """(marker, start of segment, start of body, length of body), up to the first scan."""
    reader.seek(2)
    for _ in range(MAX_UNITS):
        marker = _next_marker(reader)
        start = reader.position - 2
        if marker in (_SOS, _EOI):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # TEM, RSTn, SOI stand alone
            continue
        length, = reader.unpack(">H", "segment")
        if length < 2:
            raise reader.malformed("segment", start,
                                   Message("its length is {length}, at least 2 wanted", length=length))
        body = reader.position
        reader.seek(body + length - 2, "end of segment")
        yield marker, start, body, length - 2
        reader.seek(body + length - 2)
    raise reader.too_many("segment", MAX_UNITS)


def _next_marker(reader: Reader) -> int:
    """The next marker; fill bytes are passed over (B.1.1.2), and so are stray bytes, as decoders do."""
    start = reader.position
    window = reader.take(2, "marker")
    if window[0] != 0xFF or window[1] in (0, 0xFF):
        window = reader.at(start, min(_STRAY, reader.size - start), "marker")
    found = _MARKER.search(window)
    if found is None:
        raise reader.malformed("marker", start, Message("{wanted} wanted, got {got}", wanted="FF",
                                                        got=window[:2].hex().upper()))
    reader.seek(start + found.end())
    return found[1][0]


def _add(reader: Reader, layout: Layout, marker: int, start: int, body: int, length: int, probe: bytes,
         boxes: set[bytes]) -> None:
    """A slot for the segment, where it is of a kind that has one."""
    skip, kind, key = 0, None, ""
    if marker == _APP1 and probe.startswith(jpegxmp.HEADER):
        kind, skip = XMP, len(jpegxmp.HEADER)
    elif marker == _APP1 and probe.startswith(_EXIF_HEADER):
        kind, skip = EXIF, len(_EXIF_HEADER)
    elif marker == _APP11 and (b"c2pa" in probe[:64] or probe[2:4] in boxes):
        kind = C2PA
        boxes.add(probe[2:4])  # En: segments of one box share it
    elif marker == _COM:
        kind, key = TEXT, "Comment"
    elif probe[:4].upper() == b"AIGC":
        kind, key = TEXT, "AIGC"
    if kind:
        name = "COM" if marker == _COM else f"APP{marker - _APP0}"
        layout.slots.append(Slot(kind, name, start, body + length - start,
                                 lambda: reader.at(body + skip, length - skip), key, (marker, skip)))


def patches(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None) -> list[Patch]:
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
        entry = next((entry for entry in tiff.entries(table) if entry.tag == _MPF_ENTRIES), None)
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
    if rows:
        yield start + entry.offset_bytes, start + entry.offset_bytes + len(rows), bytes(rows)


def _encode(reader: Reader, slot: Slot, body: bytes) -> bytes:
    marker, skip = slot.state
    body = (_EXIF_HEADER if skip else b"") + body
    if len(body) > _MAX_SEGMENT:
        raise reader.too_big("a JPEG segment", _MAX_SEGMENT, len(body))
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
