# SPDX-License-Identifier: Apache-2.0
"""ZIP archives whose members are read and replaced; those that do not change keep their compressed bytes.

Archives of more than 4 GB have their places in 64 bits (zip64: APPNOTE 6.3.10, 4.3.14 to 4.3.15, 4.5.3); one that has
stays so, one that grows past 4 GB becomes so.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container.base import Moves, Patch, Reader
from labelkit.errors import UnsupportedFormat
from labelkit.messages import Message

_MAX_MEMBER = 8 << 20  # bytes of an unpacked member; the text of a long book has four million
_MAX_RATIO, _ANY_RATIO = 100, 512 << 10  # times and bytes; texts pack to a tenth, and Apache POI asks for 100 too
_COMMENT_ROOM = 65_535 + 22
_WIDE, _WIDE_COUNT = 0xFFFFFFFF, 0xFFFF  # the value stands in 64 bits elsewhere
_WIDE_EXTRA = 1


@dataclass(slots=True)
class Member:
    """One member: its row of the directory, its packed length, and where its record starts and stops.

    place_at    where in the row its start stands in 64 bits, 0 for nowhere
    """

    row: bytes
    packed: int
    start: int
    place_at: int
    stop: int = 0


@dataclass(slots=True)
class Archive:
    """The members by name, where the directory and its end record start, whether there is one of zip64 too."""

    members: dict[str, Member]
    directory: int
    end: int
    wide: bool


def read(reader: Reader) -> Archive:
    """The directory of the archive; raises MalformedFile and its children."""
    tail_at = max(reader.size - _COMMENT_ROOM, 0)
    tail = reader.at(tail_at, reader.size - tail_at, "end of archive")
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        raise reader.malformed("archive", reader.size, Message("its end record is missing"))
    count, length, start = struct.unpack("<10xHII", tail[at:at + 20])
    wide = tail_at + at >= 20 and reader.at(tail_at + at - 20, 4) == b"PK\6\7"
    if wide:
        place, = struct.unpack("<Q", reader.at(tail_at + at - 12, 8))
        mark, count, length, start = struct.unpack("<4s28xQQQ", reader.at(place, 56, "end of archive"))
        if mark != b"PK\6\6":
            raise reader.malformed("archive", place, Message("its end record is missing"))
    rows = dict(_rows(reader, reader.at(start, length, "directory"), count, start))
    archive = Archive(rows, start, tail_at + at, wide)
    records = sorted(archive.members.values(), key=lambda member: member.start)
    stop = start
    for member in reversed(records):
        member.stop, stop = stop, member.start
        if member.start + 30 > member.stop:
            raise reader.malformed("directory", start, Message("a row of it is broken"))
    return archive


def _rows(reader: Reader, rows: bytes, count: int, offset: int) -> Iterator[tuple[str, Member]]:
    position, seen = 0, set()
    for _ in range(min(count, len(rows))):
        head = rows[position:position + 46]
        stop = position + 46 + sum(struct.unpack("<HHH", head[28:34])) if len(head) == 46 else 0
        if len(head) < 46 or head[:4] != b"PK\1\2" or stop > len(rows):
            raise reader.malformed("directory", offset + position, Message("a row of it is broken"))
        names, = struct.unpack("<H", head[28:30])
        raw = rows[position + 46:position + 46 + names]
        name = name_of(raw)
        if name in seen:
            raise reader.malformed("directory", offset + position, Message("a member stands in it twice"))
        seen.add(name)
        yield name, Member(rows[position:stop], *_places(rows[position:stop]))
        position = stop


def name_of(raw: bytes) -> str:
    """The name of a member: in UTF-8, or as Chinese Windows writes it, or in the code page of the format (4.4.4)."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            pass
    return raw.decode("cp437")


def _places(row: bytes) -> tuple[int, int, int]:
    """Packed length and start of a member, and where in its row the start stands in 64 bits, 0 for nowhere."""
    packed, size, names, extras, start = struct.unpack("<20xIIHH10xI", row[:46])
    at, stop, place_at = 46 + names, 46 + names + extras, 0
    while at + 4 <= stop:
        kind, length = struct.unpack("<HH", row[at:at + 4])
        at += 4
        if kind == _WIDE_EXTRA:
            fields = [name for name, value in (("size", size), ("packed", packed), ("start", start)) if value == _WIDE]
            if 8 * len(fields) <= min(length, stop - at):
                found = {name: at + 8 * index for index, name in enumerate(fields)}
                packed = _long(row, found["packed"]) if "packed" in found else packed
                place_at = found.get("start", 0)
                start = _long(row, place_at) if place_at else start
            break
        at += length
    return packed, start, place_at


def _long(row: bytes, at: int) -> int:
    return int.from_bytes(row[at:at + 8], "little")


def placed(row: bytes, place_at: int, start: int) -> bytes:
    """The row of a member that starts elsewhere now."""
    if place_at:
        return row[:place_at] + struct.pack("<Q", start) + row[place_at + 8:]
    if start < _WIDE:
        return row[:42] + struct.pack("<I", start) + row[46:]
    names, extras = struct.unpack("<HH", row[28:32])
    at, stop, held, others = 46 + names, 46 + names + extras, b"", b""
    while at + 4 <= stop:
        length, = struct.unpack("<H", row[at + 2:at + 4])
        if row[at:at + 2] == _WIDE_EXTRA.to_bytes(2, "little"):
            held += row[at + 4:at + 4 + length]  # its lengths stand in 64 bits already
        else:
            others += row[at:at + 4 + length]
        at += 4 + length
    held += struct.pack("<Q", start)
    extra = struct.pack("<HH", _WIDE_EXTRA, len(held)) + held + others
    head = row[:6] + struct.pack("<H", 45) + row[8:30] + struct.pack("<H", len(extra)) + row[32:42]
    return head + struct.pack("<I", _WIDE) + row[46:46 + names] + extra + row[stop:]


def unpacked(reader: Reader, archive: Archive, name: str) -> bytes:
    """The bytes of a member, which stays below a bound whatever it claims; raises MalformedFile where there is none."""
    member = archive.members.get(name)
    if member is None:
        raise reader.malformed("archive", archive.directory, Message("there is no member {name}", name=name))
    flags, method, check = struct.unpack("<8xHH4xI", member.row[:20])
    packed = member.packed
    mark, names, extra = struct.unpack("<4s22xHH", reader.at(member.start, 30, f"member {name}"))
    start = member.start + 30 + names + extra
    if mark != b"PK\3\4" or start + packed > member.stop or flags & 1 or method not in (0, 8):
        raise reader.malformed(f"member {name}", member.start, Message("it is encrypted, broken or packed otherwise"))
    data = reader.at(start, packed, f"member {name}")
    if method == 8:
        most = min(_MAX_MEMBER, max(_ANY_RATIO, _MAX_RATIO * packed))
        data = reader.inflate(data, start, f"member {name}", most, -zlib.MAX_WBITS)
    if zlib.crc32(data) != check:
        raise reader.malformed(f"member {name}", start, Message("its checksum is wrong"))
    return data


def replaced(reader: Reader, archive: Archive, new: dict[str, bytes]) -> list[Patch]:
    """The patches for new members and for the directory."""
    done: list[Patch] = []
    rows: dict[str, bytes] = {name: member.row for name, member in archive.members.items()}
    tail, added = b"", dict[str, int]()
    for name, data in new.items():
        record, rows[name] = _record(name, data, rows.get(name))
        member = archive.members.get(name)
        if member:
            done.append((member.start, member.stop, record))
        else:
            added[name] = len(tail)
            tail += record
    moves = Moves(done)
    at = {name: moves.of(member.start) for name, member in archive.members.items()}
    at |= {name: moves.of(archive.directory) + offset for name, offset in added.items()}
    directory = b"".join(placed(row, archive.members[name].place_at if name not in new else 0, at[name])
                         for name, row in rows.items())
    start = moves.of(archive.directory) + len(tail)
    end = end_record(archive, len(rows), directory, start)
    return [*done, (archive.directory, archive.end + 20, tail + directory + end)]


def signed(reader: Reader) -> UnsupportedFormat:
    """The error for a document with a signature, which any change would break."""
    return UnsupportedFormat("{where}: the document is signed; writing a label would break the signature",
                             where=reader.name, hint="label the document before it is signed")


def end_record(archive: Archive, count: int, directory: bytes, start: int) -> bytes:
    """The end record, up to its comment, with the one of zip64 in front of it where there was one or must be."""
    wide = b""
    if archive.wide or count >= _WIDE_COUNT or start + len(directory) >= _WIDE:
        wide = struct.pack("<4sQHHIIQQQQ4sIQI", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start,
                           b"PK\6\7", 0, start + len(directory), 1)
    count = min(count, _WIDE_COUNT)
    return wide + struct.pack("<4sHHHHII", b"PK\5\6", 0, 0, count, count, min(len(directory), _WIDE),
                              min(start, _WIDE))


def _record(name: str, data: bytes, old: bytes | None) -> tuple[bytes, bytes]:
    """A member's record and its row of the directory, whose place is filled in later."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(data) + engine.flush()
    when = old[12:16] if old else b"\0\0\x21\0"  # 1 January 1980, the first day that an archive knows
    fields = struct.pack("<HHH", 20, 0, 8) + when + struct.pack(
        "<IIIHH", zlib.crc32(data), len(packed), len(data), len(name), 0)
    record = b"PK\3\4" + fields + name.encode() + packed
    made_by, attributes = (old[4:6], old[38:42]) if old else (b"\x14\0", bytes(4))
    return record, b"PK\1\2" + made_by + fields + bytes(6) + attributes + bytes(4) + name.encode()
