# SPDX-License-Identifier: Apache-2.0
"""ISO base media files: boxes, and what must move when one of them grows (ISO/IEC 14496-12, 4.2 and 8)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from labelkit.container.base import C2PA, MAX_UNITS, XMP, Moves, Patch, Reader, Slot
from labelkit.errors import UnsupportedFormat

_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP part 3, 2.1.2
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA 2.1, A.5.1
_MAX_TABLE = 64 << 20  # bytes of one table of chunk offsets: 8 million chunks, two days of film
_FREE = (b"free", b"skip")


class Box(NamedTuple):
    """One box: its type, where it starts, where its body lies, where it ends; `open` where it has no size."""

    kind: bytes
    start: int
    body: int
    end: int
    open: bool = False


def boxes(reader: Reader, start: int, stop: int, *, nested: bool = False) -> list[Box]:
    """The boxes between two offsets; raises TruncatedFile for one that is longer than what holds it.

    A box of size 0 reaches the end of the file; inside another one it ends the list, as in QuickTime's udta.
    """
    found: list[Box] = []
    while stop - start >= 8:
        if len(found) == MAX_UNITS:
            raise reader.too_many("box", MAX_UNITS)
        size, kind = struct.unpack(">I4s", reader.at(start, 8, "box"))
        body = start + 8
        if size == 1:
            size, = reader.unpack(">Q", "box")
            body += 8
        elif size == 0 and nested:
            break
        elif size == 0:
            size = stop - start
        if size < body - start or size > stop - start:
            raise reader.truncated(f"box {kind.decode('latin-1')}", start, size, stop - start)
        found.append(Box(kind, start, body, start + size, reader.at(start, 4) == b"\0\0\0\0"))
        start += size
    return found


def children(reader: Reader, box: Box, skip: int = 0) -> list[Box]:
    """The boxes in a box, whose first `skip` bytes are fields."""
    return boxes(reader, min(box.body + skip, box.end), box.end, nested=True)


def meta_children(reader: Reader, meta: Box) -> list[Box]:
    """The boxes in a meta box: a full box in ISO files, a plain one in QuickTime files."""
    probe = reader.at(meta.body, min(12, meta.end - meta.body), "box meta")
    plain = probe[4:8] == b"hdlr" or (probe[8:12] != b"hdlr" and probe[:4] != b"\0\0\0\0")
    return children(reader, meta, 0 if plain else 4)


def encode(kind: bytes, body: bytes) -> bytes:
    """A box with a 32-bit size."""
    return struct.pack(">I4s", len(body) + 8, kind) + body


def uuid_slot(reader: Reader, box: Box) -> Slot[Box] | None:
    """The XMP packet or C2PA store in a uuid box at the top of the file, where it is one of these."""
    if box.end - box.body < 16:
        return None
    kind = {_XMP_UUID: XMP, _C2PA_UUID: C2PA}.get(reader.at(box.body, 16, "box uuid"))
    if kind is None:
        return None
    return Slot(kind, "uuid", box.start, box.end - box.start,
                lambda: reader.at(box.body + 16, box.end - box.body - 16, "box uuid"), box, home=False)


def uuid_patch(slot: Slot, packet: bytes | None) -> Patch:
    """The patch that gives a uuid box of XMP a new packet."""
    body = b"" if packet is None else encode(b"uuid", _XMP_UUID + packet)
    return slot.offset_bytes, slot.offset_bytes + slot.length_bytes, body


def grown(box: Box, patches: Iterable[Patch], *, at_end: bool = False) -> int:
    """By how many bytes the patches inside a box lengthen it; `at_end`: what is put at its end belongs to it."""
    return sum(len(data) - (stop - start) for start, stop, data in patches
               if box.body <= start and stop <= box.end and (start < box.end or at_end))


def size_patches(reader: Reader, parents: Iterable[Box], patches: list[Patch], ends: Iterable[Box]) -> list[Patch]:
    """The patches for the size fields of boxes around other patches; `ends` got something at their end."""
    done: list[Patch] = []
    for box in parents:
        size = box.end - box.start + grown(box, patches, at_end=box in ends)
        if size == box.end - box.start or box.open:
            continue
        if box.body - box.start == 16:
            done.append((box.start + 8, box.start + 16, struct.pack(">Q", size)))
        elif size > 0xFFFFFFFF:
            raise reader.too_big(f"box {box.kind.decode('latin-1')}", 0xFFFFFFFF, size)
        else:
            done.append((box.start, box.start + 4, struct.pack(">I", size)))
    return done


def absorb(top: list[Box], box: Box, growth: int) -> list[Patch]:
    """The patch that takes `growth` bytes out of a free box right behind `box`, where there is one with room."""
    for free in top:
        if free.start == box.end and free.kind in _FREE and free.body - free.start == 8 and not free.open:
            left = free.end - free.start - growth
            if growth < 0:
                return [(free.start, free.start + 4, struct.pack(">I", left)), (free.body, free.body, bytes(-growth))]
            if left == 0:
                return [(free.start, free.end, b"")]
            if left >= 8:
                return [(free.start, free.body + growth, struct.pack(">I4s", left, free.kind))]
    return []


def filled(box: Box, growth: int, step: int) -> list[Patch]:
    """The patch that puts a free box behind `box`, so that what follows moves by a multiple of `step` bytes."""
    room = -growth % step
    if not room:
        return []
    room += step if room < 8 else 0
    return [(box.end, box.end, encode(b"free", bytes(room - 8)))]


def offset_patches(reader: Reader, top: list[Box], moves: Moves) -> Iterator[Patch]:
    """The patches for every absolute offset of a film: chunks, auxiliary data, fragments, random access, index."""
    if moves.none:
        return
    for box in top:
        if box.kind == b"moov":
            for table in _tables(reader, box):
                yield from _table_patch(reader, table, moves)
        elif box.kind == b"moof":
            yield from _fragment_patches(reader, box, moves)
        elif box.kind == b"mfra":
            for table in children(reader, box):
                if table.kind == b"tfra":
                    yield from _access_patch(reader, table, moves)
        elif box.kind == b"sidx":
            yield from _index_patch(reader, box, moves)


def _tables(reader: Reader, moov: Box) -> Iterator[Box]:
    level = [moov]
    for kind in (b"trak", b"mdia", b"minf", b"stbl"):
        level = [child for box in level for child in children(reader, box) if child.kind == kind]
    for box in level:
        yield from (child for child in children(reader, box) if child.kind in (b"stco", b"co64", b"saio"))


def _table_patch(reader: Reader, table: Box, moves: Moves) -> Iterator[Patch]:
    import numpy as np

    flags, = struct.unpack(">I", reader.at(table.body, 4, "table"))
    start = table.body + 4 + (8 if table.kind == b"saio" and flags & 1 else 0)
    count, = struct.unpack(">I", reader.at(start, 4, "table"))
    wide = table.kind == b"co64" or (table.kind == b"saio" and flags >> 24)
    length = count * (8 if wide else 4)
    if length > table.end - start - 4:
        raise reader.truncated(f"table {table.kind.decode()}", table.start, length, table.end - start - 4)
    field = ">u8" if wide else ">u4"
    moved = moves.of_all(np.frombuffer(reader.take(length, "table", _MAX_TABLE), field).astype(np.int64))
    if moved.size and int(moved.max()) >> (63 if wide else 32):
        raise UnsupportedFormat("{where}: the label moves sound or pictures past 4 GiB, where the file's 32-bit chunk "
                                "offsets do not reach", where=reader.name,
                                hint="remux the file with 64-bit chunk offsets (co64), then label it")
    yield start + 4, start + 4 + length, moved.astype(field).tobytes()


def _fragment_patches(reader: Reader, moof: Box, moves: Moves) -> Iterator[Patch]:
    for traf in children(reader, moof):
        for head in children(reader, traf) if traf.kind == b"traf" else ():
            if head.kind == b"tfhd" and head.end - head.body >= 16:
                flags, _, base = struct.unpack(">IIQ", reader.at(head.body, 16, "box tfhd"))
                if flags & 1:  # base-data-offset-present
                    yield head.body + 8, head.body + 16, struct.pack(">Q", moves.of(base))


def _access_patch(reader: Reader, table: Box, moves: Moves) -> Iterator[Patch]:
    import numpy as np

    version, _, sizes, count = struct.unpack(">B3x3I", reader.at(table.body, 16, "box tfra"))
    width = 8 if version else 4
    row = 2 * width + sum((sizes >> shift & 3) + 1 for shift in (0, 2, 4))
    start = table.body + 16
    if count * row > table.end - start:
        raise reader.truncated("table tfra", table.start, count * row, table.end - start)
    rows = bytearray(reader.at(start, count * row, "table tfra", _MAX_TABLE))
    if count:
        offsets = np.ndarray(count, f">u{width}", rows, width, row)
        offsets[:] = moves.of_all(offsets.astype(np.int64))
    yield start, start + len(rows), bytes(rows)


def _index_patch(reader: Reader, index: Box, moves: Moves) -> Iterator[Patch]:
    """A segment index counts from its own end: it changes where something between it and the first segment grows."""
    version, = reader.at(index.body, 1, "box sidx")
    at, field = (index.body + 20, ">Q") if version else (index.body + 16, ">I")
    first, = struct.unpack(field, reader.at(at, struct.calcsize(field), "box sidx"))
    moved = moves.of(index.end + first) - moves.of(index.end)
    if moved != first:
        yield at, at + struct.calcsize(field), struct.pack(field, moved)


def item_references(reader: Reader, iref: Box) -> Iterator[tuple[bytes, int, tuple[int, ...]]]:
    """(kind, item, the items that it refers to) of each row of iref (ISO/IEC 14496-12, 8.11.12)."""
    version, = reader.at(iref.body, 1, "box iref")
    width = 4 if version else 2
    for box in children(reader, iref, 4):
        raw = Reader.of(reader.at(box.body, box.end - box.body, "box iref"), reader.name)
        raw.seek(0)
        source, count = (int.from_bytes(raw.take(size, "box iref")) for size in (width, 2))
        yield box.kind, source, tuple(int.from_bytes(raw.take(width, "box iref")) for _ in range(count))
