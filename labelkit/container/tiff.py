# SPDX-License-Identifier: Apache-2.0
"""TIFF, BigTIFF and DNG: the label is XMP in tag 700 of the first directory (TIFF 6.0, 2; XMP part 3, 1.1.6).

Nothing in the file moves: a packet that has no room is put at the end, and so is the directory that grows by its entry.
Directories of EXIF blocks in other files are read here too (Exif 3.0, 4.6).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labelkit.container.base import C2PA, MAX_BODY, TEXT, XMP, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.errors import LimitExceeded, MalformedFile
from labelkit.messages import Message

FORMATS = (Format("tiff", "image/tiff", "image", XMP),)

IMAGE_DESCRIPTION, SOFTWARE, ARTIST, USER_COMMENT = 0x010E, 0x0131, 0x013B, 0x9286
CHARSETS = (b"ASCII\0\0\0", b"UNICODE\0", b"JIS\0\0\0\0\0", b"\0\0\0\0\0\0\0\0")  # Exif 3.0, table 9
_XMP, _C2PA = 0x02BC, 0xCD41
_TEXTS = {IMAGE_DESCRIPTION: "ImageDescription", SOFTWARE: "Software", USER_COMMENT: "UserComment"}
EXIF_DIRECTORY = 0x8769
_UNDEFINED = 7
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MAX_DIRECTORIES = 10_000  # of one file: pages, their EXIF directories
_MAX_ENTRIES = 8192


@dataclass(frozen=True, slots=True)
class Shape:
    """How a TIFF structure writes its numbers: byte order, and 64-bit offsets in BigTIFF."""

    order: str
    big: bool

    @property
    def entry(self) -> str:
        """A directory entry: tag, type, count, value or offset."""
        return self.order + ("HHQQ" if self.big else "HHII")

    @property
    def count(self) -> str:
        """The number of entries in a directory."""
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        """An offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def first(self) -> int:
        """Where the offset of the first directory stands."""
        return 8 if self.big else 4


@dataclass(slots=True)
class Entry:
    """One directory entry: its tag and type, where it stands, and where its value of `length_bytes` lies."""

    tag: int
    type: int
    place: int
    offset_bytes: int
    length_bytes: int

    def value(self, reader: Reader, limit: int = 1 << 20) -> bytes:
        """The value as it stands; raises TruncatedFile, or LimitExceeded above `limit` bytes."""
        return reader.at(self.offset_bytes, self.length_bytes, f"tag 0x{self.tag:04X}", limit)


def sniff(reader: Reader, head: bytes) -> Format | None:
    """TIFF and DNG, but not Canon's CR2, which ties its directories to their places."""
    known = head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and head[8:10] != b"CR"
    return FORMATS[0] if known else None


def shape_of(reader: Reader) -> Shape:
    """How a TIFF structure writes its numbers; raises MalformedFile for what is none."""
    head = reader.head(4)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = int.from_bytes(head[2:], "little" if order == "<" else "big")
    if order is None or version not in (42, 43):
        raise reader.malformed("TIFF header", 0,
                               Message("{wanted} wanted, got {got}", wanted="II*0, MM0*", got=head.hex()))
    return Shape(order, version == 43)


def entries(reader: Reader) -> Iterator[Entry]:
    """The entries of every directory that can be reached, each directory once; raises LimitExceeded for too many."""
    shape = shape_of(reader)
    waiting, seen = [first(reader, shape)], set[int]()
    while waiting:
        start = waiting.pop()
        if start and start not in seen:
            if len(seen) == _MAX_DIRECTORIES:
                raise reader.too_many("directory", _MAX_DIRECTORIES)
            seen.add(start)
            for entry in directory(reader, shape, start):
                yield entry
                if entry.tag == EXIF_DIRECTORY:
                    reader.seek(entry.place + struct.calcsize(shape.entry) - struct.calcsize(shape.offset))
                    waiting += reader.unpack(shape.offset, "offset of a directory")
            waiting.append(_next(reader, shape, start))


def first(reader: Reader, shape: Shape) -> int:
    """Where the first directory starts."""
    reader.seek(shape.first, "offset of the first directory")
    offset: int = reader.unpack(shape.offset, "offset of the first directory")[0]
    return offset


def directory(reader: Reader, shape: Shape, start: int) -> list[Entry]:
    """The entries of the directory that starts there."""
    reader.seek(start, "directory")
    count, = reader.unpack(shape.count, "directory")
    if count > _MAX_ENTRIES:
        raise reader.too_many("directory entry", _MAX_ENTRIES)
    found, width, inline = [], struct.calcsize(shape.entry), struct.calcsize(shape.offset)
    for place in range(reader.position, reader.position + count * width, width):
        reader.seek(place, "directory entry")
        tag, kind, number, value = reader.unpack(shape.entry, "directory entry")
        length = number * _TYPE_BYTES.get(kind, 1)
        found.append(Entry(tag, kind, place, value if length > inline else place + width - inline, length))
    return found


def link_of(shape: Shape, start: int, count: int) -> int:
    """Where the offset of the next directory stands."""
    return start + struct.calcsize(shape.count) + count * struct.calcsize(shape.entry)


def _next(reader: Reader, shape: Shape, start: int) -> int:
    count, = struct.unpack(shape.count, reader.at(start, struct.calcsize(shape.count), "directory"))
    try:
        reader.seek(link_of(shape, start, count), "end of directory")
        offset: int = reader.unpack(shape.offset, "offset of the next directory")[0]
    except MalformedFile:
        return 0  # the last directory often ends its block without the closing zero
    return offset


def has_more_pages(reader: Reader) -> bool:
    """Whether a directory follows the first one; raises MalformedFile for what is no TIFF."""
    shape = shape_of(reader)
    return bool(_next(reader, shape, first(reader, shape)))


def scan(reader: Reader, found: Format) -> Layout[Shape, Entry]:
    """XMP and C2PA of the first directory, texts of every directory; `state` is the shape of the file."""
    shape = shape_of(reader)
    layout: Layout[Shape, Entry] = Layout(found, [], shape)
    start = first(reader, shape)
    own = {entry.place for entry in directory(reader, shape, start)}
    try:
        for entry in entries(reader):
            _add(reader, layout, entry, home=entry.place in own)
    except LimitExceeded as error:  # pages of a scanned book: the first holds the label
        layout.skipped.append(("directory", start, error.message))
    return layout


def _add(reader: Reader, layout: Layout[Shape, Entry], entry: Entry, *, home: bool) -> None:
    """A slot for the entry, where it is of a kind that has one."""
    if entry.tag == _XMP:
        layout.slots.append(_slot(reader, XMP, "tag 700", entry, 0, "", home=home))
    elif entry.tag == _C2PA:
        layout.slots.append(_slot(reader, C2PA, "tag 52545", entry, 0, ""))
    elif entry.tag in _TEXTS:
        skip = 0
        if entry.tag == USER_COMMENT and entry.length_bytes >= 8:
            skip = 8 if reader.at(entry.offset_bytes, 8, "UserComment") in CHARSETS else 0
        layout.slots.append(_slot(reader, TEXT, "EXIF", entry, skip, _TEXTS[entry.tag]))


def _slot(reader: Reader, kind: str, name: str, entry: Entry, skip: int, key: str,
          home: bool = False) -> Slot[Entry]:
    start, length = entry.offset_bytes + skip, entry.length_bytes - skip
    return Slot(kind, name, start, length, lambda: reader.at(start, length, name, MAX_BODY), entry, key, home)


def patches(reader: Reader, layout: Layout[Shape, Entry], changes: Changes[Entry],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies: packets in place where they fit, else at the end; texts overwritten by zeros."""
    shape, end = layout.state, reader.size
    done: list[Patch] = []
    tail: list[bytes] = []

    def append(data: bytes) -> int:
        padding = bytes(-(end + sum(map(len, tail))) % 8)
        tail.append(padding + data)
        return end + sum(map(len, tail)) - len(data)

    for slot, body in changes.items():
        start, stop = slot.offset_bytes, slot.offset_bytes + slot.length_bytes
        if body is None or slot.kind != XMP:
            done.append((start, stop, bytes(stop - start)))
        elif len(body) <= slot.length_bytes and slot.length_bytes > 8:
            done.append((start, stop, body.ljust(stop - start)))
        else:
            done += [(start, stop, b" " * (stop - start))] if slot.length_bytes > 8 else []
            done.append(_entry_patch(shape, slot.state, len(body), append(body)))
    if fresh is not None:
        done.append(_new_directory(reader, shape, append, fresh))
    if not shape.big and end + sum(map(len, tail)) > 0xFFFFFFFF:
        raise reader.too_big("TIFF", 0xFFFFFFFF, end + sum(map(len, tail)))
    return [*dict.fromkeys(done), (end, end, b"".join(tail))]  # two directories may share one text


def _entry_patch(shape: Shape, entry: Entry, length: int, offset: int) -> Patch:
    data = struct.pack(shape.entry, entry.tag, _UNDEFINED, length, offset)
    return entry.place, entry.place + len(data), data


def _new_directory(reader: Reader, shape: Shape, append: Callable[[bytes], int], packet: bytes) -> Patch:
    """The first directory anew at the end, with an entry for the packet in the order of tags."""
    start = first(reader, shape)
    old = directory(reader, shape, start)
    row = struct.calcsize(shape.entry)
    rows = [reader.at(entry.place, row, "directory entry") for entry in old]
    place = sum(1 for entry in old if entry.tag < _XMP)
    rows.insert(place, struct.pack(shape.entry, _XMP, _UNDEFINED, len(packet), append(packet)))
    following = struct.pack(shape.offset, _next(reader, shape, start))
    where = append(struct.pack(shape.count, len(rows)) + b"".join(rows) + following)
    return shape.first, shape.first + struct.calcsize(shape.offset), struct.pack(shape.offset, where)
