# SPDX-License-Identifier: Apache-2.0
"""Files as trees of their units (chunks, boxes, segments, pages, elements, entries), to be changed and put together
again with lengths and checksums that fit. Shares no code with labelkit, whose parsers it is to try.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Unit:
    """One unit: its name, its body or its children, and by how much its length lies."""

    name: bytes
    body: bytes = b""
    children: list[Unit] | None = None
    lie: int = 0
    before: bytes = field(default=b"")  # what stands between the head and the children

    def inside(self, join: Callable[[Unit], bytes]) -> bytes:
        """The body as bytes."""
        return self.body if self.children is None else self.before + b"".join(map(join, self.children))


@dataclass(frozen=True)
class Grammar:
    """How a file falls into a head and units, and how one unit becomes bytes."""

    split: Callable[[bytes], tuple[bytes, list[Unit]]]
    join: Callable[[Unit], bytes]
    close: Callable[[bytes, bytes], bytes] = lambda head, body: head + body


def _size(unit: Unit, length: int, most: int = 0xFFFFFFFF) -> int:
    return max(0, min(length + unit.lie, most))


def _png(data: bytes) -> tuple[bytes, list[Unit]]:
    units, at = [], 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        units.append(Unit(name, data[at + 8:at + 8 + length]))
        at += 12 + length
    return data[:8], units


def _png_chunk(unit: Unit) -> bytes:
    return struct.pack(">I", _size(unit, len(unit.body))) + unit.name + unit.body + struct.pack(
        ">I", zlib.crc32(unit.name + unit.body))


def _riff_units(data: bytes) -> list[Unit]:
    units, at = [], 0
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8:at + 8 + length]
        units.append(Unit(name, children=_riff_units(body[4:]), before=body[:4]) if name == b"LIST" else
                     Unit(name, body))
        at += 8 + length + (length & 1)
    return units


def _iff_units(data: bytes) -> list[Unit]:
    units, at = [], 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from(">4sI", data, at)
        units.append(Unit(name, data[at + 8:at + 8 + length]))
        at += 8 + length + (length & 1)
    return units


def _iff_chunk(unit: Unit) -> bytes:
    return struct.pack(">4sI", unit.name, _size(unit, len(unit.body))) + unit.body + b"\0" * (len(unit.body) & 1)


def _chunks(data: bytes, at: int, head: str) -> list[Unit]:
    """The chunks from a place on, each behind its kind and length."""
    units = []
    while at + struct.calcsize(head) <= len(data):
        one, two = struct.unpack_from(head, data, at)
        name, length = (one, two) if isinstance(one, bytes) else (two, one)
        at += struct.calcsize(head)
        units.append(Unit(name, data[at:at + length]))
        at += length
    return units


def _caf_chunk(unit: Unit) -> bytes:
    return struct.pack(">4sQ", unit.name, _size(unit, len(unit.body), (1 << 64) - 1)) + unit.body


def _glb_chunk(unit: Unit) -> bytes:
    return struct.pack("<I4s", _size(unit, len(unit.body)), unit.name) + unit.body


def _riff_chunk(unit: Unit) -> bytes:
    body = unit.inside(_riff_chunk)
    return struct.pack("<4sI", unit.name, _size(unit, len(body))) + body + b"\0" * (len(body) & 1)


_BOXES = (b"moov", b"udta", b"trak", b"mdia", b"minf", b"stbl", b"ilst", b"moof", b"traf", b"iprp", b"ipco", b"meta",
          b"iinf", b"edts", b"dinf", b"jp2h", b"asoc", b"uinf")
_BEFORE = {b"meta": 4, b"iinf": 6}


def _boxes(data: bytes) -> list[Unit]:
    units, at = [], 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        length = length if 8 <= length <= len(data) - at else len(data) - at
        body, before = data[at + 8:at + length], _BEFORE.get(name, 0)
        if name == b"meta" and body[4:8] == b"hdlr":
            before = 0  # QuickTime's has no version
        units.append(Unit(name, children=_boxes(body[before:]), before=body[:before])
                     if name in _BOXES and len(body) > before else Unit(name, body))
        at += length
    return units


def _box(unit: Unit) -> bytes:
    body = unit.inside(_box)
    return struct.pack(">I4s", _size(unit, len(body) + 8), unit.name) + body


_MASTERS = (b"\x18\x53\x80\x67", b"\x12\x54\xc3\x67", b"\x73\x73", b"\x67\xc8", b"\x15\x49\xa9\x66", b"\x63\xc0",
            b"\x19\x41\xa4\x69", b"\x61\xa7")


def _elements(data: bytes) -> list[Unit]:
    units, at = [], 0
    while at < len(data) - 1 and data[at]:
        width = 9 - data[at].bit_length()
        name, first = data[at:at + width], data[at + width] if at + width < len(data) else 0
        bytes_of_size = 9 - first.bit_length()
        if not first or bytes_of_size > 8:
            break
        size = int.from_bytes(data[at + width:at + width + bytes_of_size]) & (1 << 7 * bytes_of_size) - 1
        start = at + width + bytes_of_size
        if size == (1 << 7 * bytes_of_size) - 1 or size > len(data) - start:
            size = len(data) - start
        body = data[start:start + size]
        units.append(Unit(name, children=_elements(body)) if name in _MASTERS else Unit(name, body))
        at = start + size
    return units


def _element(unit: Unit) -> bytes:
    body = unit.inside(_element)
    return unit.name + (1 << 56 | _size(unit, len(body), (1 << 56) - 1)).to_bytes(8) + body


def _pages(data: bytes) -> tuple[bytes, list[Unit]]:
    units, at = [], 0
    while data[at:at + 4] == b"OggS":
        count = data[at + 26]
        lacing = data[at + 27:at + 27 + count]
        start = at + 27 + count
        units.append(Unit(data[at:at + 22], data[start:start + sum(lacing)], before=lacing))
        at = start + sum(lacing)
    return b"", units


def _page(unit: Unit) -> bytes:
    lacing = unit.before
    if sum(lacing) != len(unit.body):
        full, rest = divmod(min(len(unit.body), 255 * 254), 255)
        lacing = b"\xff" * full + bytes([rest])
    lacing = lacing[:max(0, len(lacing) + max(-3, min(unit.lie, 0)))]
    page = bytearray(unit.name.ljust(22, b"\0")[:22] + bytes(4) + bytes([len(lacing) & 255]) + lacing + unit.body)
    crc = 0
    for byte in page:
        crc = crc << 8 & 0xFFFFFFFF ^ _CRC[(crc >> 24 ^ byte) & 255]
    page[22:26] = crc.to_bytes(4, "little")
    return bytes(page)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return table


_CRC = _crc_table()


def _segments(data: bytes) -> tuple[bytes, list[Unit]]:
    units, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length, = struct.unpack_from(">H", data, at + 2)
        units.append(Unit(data[at:at + 2], data[at + 4:at + 2 + length]))
        at += 2 + length
    return data[:2], [*units, Unit(b"", data[at:])]


def _segment(unit: Unit) -> bytes:
    return unit.name + struct.pack(">H", _size(unit, len(unit.body) + 2, 65_535)) + unit.body if unit.name \
        else unit.body


def _blocks(data: bytes) -> tuple[bytes, list[Unit]]:
    at = data.index(b"fLaC")
    head, units, last = data[:at + 4], [], False
    at += 4
    while not last:
        last, length = data[at] >> 7 == 1, int.from_bytes(data[at + 1:at + 4])
        units.append(Unit(data[at:at + 1], data[at + 4:at + 4 + length]))
        at += 4 + length
    return head, [*units, Unit(b"", data[at:])]


def _block(unit: Unit) -> bytes:
    return unit.name[:1] + _size(unit, len(unit.body), 0xFFFFFF).to_bytes(3) + unit.body if unit.name else unit.body


def _safe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def _unsafe(data: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def _frames(data: bytes) -> tuple[bytes, list[Unit]]:
    size, number = _unsafe(data[6:10]), _unsafe if data[3] == 4 else int.from_bytes  # ID3v2.4, and 2.3
    units, at = [], 10
    while at + 10 <= 10 + size and data[at:at + 1].isalpha():
        length = number(data[at + 4:at + 8])
        units.append(Unit(data[at:at + 4] + data[at + 8:at + 10], data[at + 10:at + 10 + length]))
        at += 10 + length
    return data[:6], [*units, Unit(b"", data[10 + size:])]


def _frame_with(size: Callable[[int], bytes]) -> Callable[[Unit], bytes]:
    def join(unit: Unit) -> bytes:
        return unit.name[:4].ljust(4) + size(_size(unit, len(unit.body), (1 << 28) - 1)) + \
            unit.name[4:6].ljust(2, b"\0") + unit.body if unit.name else unit.body
    return join


def _tagged(head: bytes, body: bytes) -> bytes:
    frame = re.search(rb"\xff[\xf1\xf9\xfb]", body)
    return head + _safe(frame.start() if frame else 0) + body


def _tags(data: bytes) -> tuple[bytes, list[Unit]]:
    units, at = [], 13
    while at + 11 <= len(data):
        length = int.from_bytes(data[at + 1:at + 4])
        units.append(Unit(data[at:at + 1] + data[at + 4:at + 11], data[at + 11:at + 11 + length]))
        at += 15 + length
    return data[:13], units


def _tag(unit: Unit) -> bytes:
    length = len(unit.body)
    return unit.name[:1] + _size(unit, length, 0xFFFFFF).to_bytes(3) + unit.name[1:].ljust(7, b"\0") + unit.body + (
        length + 11).to_bytes(4)


def _entries(data: bytes) -> tuple[bytes, list[Unit]]:
    """The entries of the first directory of a TIFF or BigTIFF, whose place stays."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    (place_at, place_form), (head, count_form), size = ((8, "Q"), (8, "Q"), 20) if big else ((4, "I"), (2, "H"), 12)
    place, = struct.unpack_from(order + place_form, data, place_at)
    count, = struct.unpack_from(order + count_form, data, place)
    at = place + head
    return data[:at], [*(Unit(b"", data[at + size * i:at + size * (i + 1)]) for i in range(count)),
                       Unit(b"", data[at + size * count:])]


def _pieces(pattern: bytes) -> Callable[[bytes], tuple[bytes, list[Unit]]]:
    def split(data: bytes) -> tuple[bytes, list[Unit]]:
        places = [*(match.start() for match in re.finditer(pattern, data)), len(data)]
        return data[:places[0]], [Unit(b"", data[a:b]) for a, b in zip(places, places[1:], strict=False)]
    return split


def _members(data: bytes) -> tuple[bytes, list[Unit]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"", [Unit(one.filename.encode(), archive.read(one)) for one in archive.infolist()]


def _member(unit: Unit) -> bytes:
    """A member as a local record; `_archive` adds the directory."""
    # that one is stored (ODF part 2, 3.3; EPUB OCF 4.3), and all of a USDZ
    method = 0 if unit.name == b"mimetype" or b".usd" in unit.name else 8
    packed = zlib.compress(unit.body)[2:-4] if method else unit.body
    return struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, method, 0, 33, zlib.crc32(unit.body), len(packed),
                       _size(unit, len(unit.body)), len(unit.name), 0) + unit.name + packed


def _archive(head: bytes, body: bytes) -> bytes:
    rows, at, count = b"", 0, 0
    for match in re.finditer(rb"PK\x03\x04", body):
        at = match.start()
        if at + 30 <= len(body):
            size = struct.unpack_from("<H", body, at + 26)[0]
            rows += b"PK\1\2\x14\0" + body[at + 4:at + 30] + bytes(10) + struct.pack("<I", at) + body[
                at + 30:at + 30 + size]
            count += 1
    return body + rows + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(rows), len(body), 0)


def _raw(unit: Unit) -> bytes:
    return unit.body


PNG = Grammar(_png, _png_chunk)
RIFF = Grammar(lambda data: (data[:4] + data[8:12], _riff_units(data[12:])), _riff_chunk,
               lambda head, body: head[:4] + struct.pack("<I", len(body) + 4) + head[4:] + body)
AIFF = Grammar(lambda data: (data[:4] + data[8:12], _iff_units(data)), _iff_chunk,
               lambda head, body: head[:4] + struct.pack(">I", len(body) + 4) + head[4:] + body)
GLB = Grammar(lambda data: (data[:8], _chunks(data, 12, "<I4s")), _glb_chunk,
              lambda head, body: head + struct.pack("<I", len(body) + 12) + body)
CAF = Grammar(lambda data: (data[:8], _chunks(data, 8, ">4sq")), _caf_chunk)
ZIP = Grammar(_members, _member, _archive)
BMFF = Grammar(lambda data: (b"", _boxes(data)), _box)
EBML = Grammar(lambda data: (b"", _elements(data)), _element)
GRAMMARS = {
    "png": PNG, "webp": RIFF, "wav": RIFF, "avi": RIFF, "mp4": BMFF, "mp4 fragmented": BMFF, "mov": BMFF, "m4a": BMFF,
    "avif": BMFF, "heic": BMFF, "mkv": EBML, "webm": EBML, "ogg": Grammar(_pages, _page),
    "opus": Grammar(_pages, _page), "ogg flac": Grammar(_pages, _page), "jpeg": Grammar(_segments, _segment),
    "jpeg extended": Grammar(_segments, _segment), "flac": Grammar(_blocks, _block),
    "mp3": Grammar(_frames, _frame_with(_safe), _tagged), "flv": Grammar(_tags, _tag), "tiff": Grammar(_entries, _raw),
    "gif": Grammar(_pieces(rb"[\x21\x2c]"), _raw), "pdf": Grammar(_pieces(rb"\d+ 0 obj|xref|trailer|startxref"), _raw),
    "pdf packed": Grammar(_pieces(rb"\d+ 0 obj|xref|trailer|startxref"), _raw), "html": Grammar(_pieces(rb"<"), _raw),
    "svg": Grammar(_pieces(rb"<"), _raw), "markdown": Grammar(_pieces(rb"(?m)^"), _raw),
    "docx": ZIP, "ofd": ZIP, "xmind": ZIP, "odt": ZIP, "epub": ZIP, "usdz": ZIP, "pptx": ZIP, "xlsx": ZIP,
    "ods": ZIP, "odp": ZIP, "caf": CAF, "glb": GLB,
    "gltf": Grammar(_pieces(rb'"'), _raw),
    "jp2": BMFF, "jxl": BMFF, "aiff": AIFF,
    "aac": Grammar(_frames, _frame_with(lambda size: size.to_bytes(4)), _tagged), "bigtiff": Grammar(_entries, _raw),
    "rf64": Grammar(_pieces(rb"ds64|fmt |data|AIGC|PEAK"), _raw),
    "eml": Grammar(_pieces(rb"(?m)^"), _raw), "rtf": Grammar(_pieces(rb"[{}\\]"), _raw),
    "bmp": Grammar(_pieces(rb"BM"), _raw), "ico": Grammar(_pieces(rb"\x89PNG|IHDR|IDAT|iTXt"), _raw),
    "ppm": Grammar(_pieces(rb"P6|#|\n"), _raw), "tga": Grammar(_pieces(rb"\x12\0|\x90\0|TRUEV"), _raw),
}
