# SPDX-License-Identifier: Apache-2.0
"""RIFF chunks: four letters, a little-endian length, a body padded to even (RIFF 1991; RF64: EBU Tech 3306)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labelkit.container.base import C2PA, MAX_UNITS, TEXT, XMP, Patch, Reader, Slot
from labelkit.messages import Message

_UNKNOWN = 0xFFFFFFFF  # a size that stands elsewhere (RF64), or that a streaming writer did not know
_MAX_SIZE = _UNKNOWN - 1
_OWN = {b"AIGC": (TEXT, "AIGC"), b"_PMX": (XMP, ""), b"XMP ": (XMP, ""), b"XMP\0": (XMP, ""), b"C2PA": (C2PA, "")}
_NAME = re.compile(rb"[\x20-\x7e]{3}[\x20-\x7e\0]")  # of a chunk; some writers end "XMP" with a zero
_INFO_KEYS = {b"ISFT": "Software", b"ICMT": "Comment"}
_MAX_TABLE = 1 << 16  # bytes of the table of sizes in ds64
_SLACK = 8  # writers that count the eight header bytes in the RIFF size are common


class Chunk(NamedTuple):
    """One chunk: its name, where it starts, where its body lies, where the next chunk starts."""

    kind: bytes
    start: int
    body: int
    length: int
    end: int


@dataclass(frozen=True, slots=True)
class RiffFile:
    """A RIFF file: the chunks at its top, where they stop, and what its sizes are worth.

    open    a streaming writer left the sizes unknown: the last chunk reaches the end of the file
    wide    where the 64-bit RIFF size of an RF64 file stands, else 0
    beyond  chunks that stand behind the end that the RIFF size states: most readers look at them too
    """

    chunks: list[Chunk]
    stop: int
    open: bool
    wide: int
    beyond: list[Chunk] = field(default_factory=list)


def read_riff(reader: Reader) -> RiffFile:
    """The chunks of a RIFF or RF64 file; raises TruncatedFile, MalformedFile, LimitExceeded."""
    head, size = struct.unpack("<4sI", reader.at(0, 8, "RIFF header"))
    sizes: dict[bytes, int] = {}
    wide = 0
    if head in (b"RF64", b"BW64"):
        size, sizes = _wide_sizes(reader)
        wide = 20
    unknown = size in (0, _UNKNOWN) and not wide
    stop = reader.size if unknown else 8 + size
    if stop > reader.size + _SLACK:
        raise reader.truncated("RIFF", 4, size, reader.size - 8)
    stop = min(stop, reader.size)
    chunks = read_chunks(reader, 12, stop, sizes, unknown)
    return RiffFile(chunks, stop, unknown and bool(chunks) and chunks[-1].end == reader.size, wide,
                    list(_beyond(reader, stop + (stop & 1))))


def _beyond(reader: Reader, start: int) -> Iterator[Chunk]:
    """The chunks from an offset on, as far as what stands there looks like chunks."""
    for _ in range(MAX_UNITS):
        if reader.size - start < 8:
            return
        kind, length = struct.unpack("<4sI", reader.at(start, 8, "chunk"))
        if not _NAME.fullmatch(kind) or length > reader.size - start - 8:
            return
        end = min(start + 8 + length + (length & 1), reader.size)
        yield Chunk(kind, start, start + 8, length, end)
        start = end


def _wide_sizes(reader: Reader) -> tuple[int, dict[bytes, int]]:
    kind, length, size, data = struct.unpack("<4sIQQ", reader.at(12, 24, "chunk ds64"))
    if kind != b"ds64" or length < 24:
        raise reader.malformed("RF64", 12, Message("there is no {chunk} chunk", chunk="ds64"))
    sizes = {b"data": data}
    if length >= 28:  # a table of other chunks above 4 GB
        count, = struct.unpack("<I", reader.at(44, 4, "chunk ds64"))
        if count * 12 > min(length - 28, _MAX_TABLE):
            raise reader.malformed("RF64", 12, Message("its table of sizes claims {count} rows", count=count))
        table = reader.at(48, count * 12, "chunk ds64")
        sizes |= {kind: wide for kind, wide in struct.iter_unpack("<4sQ", table)}
    return size, sizes


def read_chunks(reader: Reader, start: int, stop: int, sizes: dict[bytes, int] | None = None,
                unknown: bool = False) -> list[Chunk]:
    """The chunks between two offsets; a last one of unknown length reaches `stop`, one without padding is accepted."""
    found: list[Chunk] = []
    while stop - start >= 8:
        if len(found) == MAX_UNITS:
            raise reader.too_many("chunk", MAX_UNITS)
        kind, length = struct.unpack("<4sI", reader.at(start, 8, "chunk"))
        body, left = start + 8, stop - start - 8
        if length == _UNKNOWN and sizes and kind in sizes:
            length = sizes[kind]
        elif unknown and (length == _UNKNOWN or (kind == b"data" and not length)):
            length = left
        if length > left:
            raise reader.truncated(f"chunk {kind.decode('latin-1')}", start, length, left)
        end = min(body + length + (length & 1), stop)
        found.append(Chunk(kind, start, body, length, end))
        start = end
    return found


def is_list(reader: Reader, part: Chunk, kind: bytes) -> bool:
    """Whether a chunk is a LIST of the given kind."""
    return part.kind == b"LIST" and part.length >= 4 and reader.at(part.body, 4) == kind


def own_slot(reader: Reader, part: Chunk, *, home: bool = True) -> Slot[bytes] | None:
    """The slot of a chunk at the top that holds a label, an XMP packet or a C2PA store; `home` as in Slot."""
    if part.kind not in _OWN:
        return None
    kind, key = _OWN[part.kind]
    return Slot(kind, name_of(part), part.start, part.end - part.start, loader(reader, part), part.kind, key, home)


def name_of(part: Chunk) -> str:
    """The letters of a chunk's name, without what fills it up to four."""
    return part.kind.decode("latin-1").strip(" \0")


def info_slots(reader: Reader, part: Chunk, *, home: bool) -> list[Slot[Chunk]]:
    """The texts of a LIST INFO chunk, keyed by their four letters; `home` as in Slot."""
    return [Slot(TEXT, "INFO", one.start, one.end - one.start, loader(reader, one), part,
                 _INFO_KEYS.get(one.kind) or one.kind.decode("latin-1"), home)
            for one in read_chunks(reader, part.body + 4, part.body + part.length)]


def info_patches(slots: Iterable[Slot[Any]]) -> list[Patch]:
    """Texts of LIST INFO chunks overwritten in place by a JUNK chunk of the same length, so that nothing moves."""
    blanks = []
    for slot in slots:
        length = slot.length_bytes - 8
        stop = slot.offset_bytes + slot.length_bytes
        blanks.append((slot.offset_bytes, stop, b"JUNK" + length.to_bytes(4, "little") + bytes(length)))
    return blanks


def loader(reader: Reader, part: Chunk) -> Callable[[], bytes]:
    """What reads the body of a chunk."""
    return lambda: reader.at(part.body, part.length, "chunk")


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its padding byte."""
    return struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) & 1)


def size_patches(reader: Reader, riff: RiffFile, patches: Iterable[Patch]) -> list[Patch]:
    """The patches that make the RIFF size match the other patches; raises LimitExceeded above 4 GiB."""
    size = riff.stop - 8 + sum(len(data) - (stop - start) for start, stop, data in patches
                               if not (riff.beyond and stop > start >= riff.stop))
    if riff.open:
        return []
    if riff.wide:
        return [(riff.wide, riff.wide + 8, struct.pack("<Q", size))]
    if size > _MAX_SIZE:
        raise reader.too_big("a RIFF file", _MAX_SIZE, size)
    return [(4, 8, struct.pack("<I", size))]
