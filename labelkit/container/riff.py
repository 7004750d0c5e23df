# SPDX-License-Identifier: Apache-2.0
"""RIFF chunks: four letters, a little-endian length, a body padded to even (RIFF 1991; RF64: EBU Tech 3306)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from labelkit.container.base import C2PA, MAX_UNITS, TEXT, XMP, Patch, Reader, Slot
from labelkit.messages import Message

_UNKNOWN = 0xFFFFFFFF  # a size that stands elsewhere (RF64), or that a streaming writer did not know
_MAX_SIZE = _UNKNOWN - 1
_OWN = {b"AIGC": (TEXT, "AIGC"), b"_PMX": (XMP, ""), b"C2PA": (C2PA, "")}
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
class Form:
    """A RIFF file: the chunks at its top, where they stop, and what its sizes are worth.

    open    a streaming writer left the sizes unknown: the last chunk reaches the end of the file
    wide    where the 64-bit RIFF size of an RF64 file stands, else 0
    """

    chunks: list[Chunk]
    stop: int
    open: bool
    wide: int


def read_form(reader: Reader) -> Form:
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
    return Form(chunks, stop, unknown and bool(chunks) and chunks[-1].end == reader.size, wide)


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


def own_slot(reader: Reader, part: Chunk) -> Slot | None:
    """The slot of a chunk at the top that holds a label, an XMP packet or a C2PA store."""
    if part.kind not in _OWN:
        return None
    kind, key = _OWN[part.kind]
    return Slot(kind, part.kind.decode().strip(), part.start, part.end - part.start, _loader(reader, part), key,
                part.kind)


def info_slots(reader: Reader, part: Chunk, *, home: bool) -> list[Slot]:
    """The texts of a LIST INFO chunk, keyed by their four letters; `home` as in Slot."""
    return [Slot(TEXT, "INFO", one.start, one.end - one.start, _loader(reader, one),
                 _INFO_KEYS.get(one.kind) or one.kind.decode("latin-1"), part, home)
            for one in read_chunks(reader, part.body + 4, part.body + part.length)]


def _loader(reader: Reader, part: Chunk) -> Callable[[], bytes]:
    return lambda: reader.at(part.body, part.length, "chunk")


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its padding byte."""
    return struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) & 1)


def size_patches(reader: Reader, form: Form, patches: Iterable[Patch]) -> list[Patch]:
    """The patches that make the RIFF size match the other patches; raises LimitExceeded above 4 GiB."""
    size = form.stop - 8 + sum(len(data) - (stop - start) for start, stop, data in patches)
    if form.open:
        return []
    if form.wide:
        return [(form.wide, form.wide + 8, struct.pack("<Q", size))]
    if size > _MAX_SIZE:
        raise reader.too_big("a RIFF file", _MAX_SIZE, size)
    return [(4, 8, struct.pack("<I", size))]
