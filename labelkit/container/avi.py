# SPDX-License-Identifier: Apache-2.0
"""AVI: the label is a chunk AIGC in LIST INFO (TC260-PG-20257A); indexes follow where the film moves (OpenDML 1.02)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container.base import TEXT, Changes, Format, Layout, Moves, Patch, Reader, Slot
from labelkit.container.riff import (
    Chunk,
    RiffFile,
    chunk,
    info_slots,
    is_list,
    own_slot,
    read_chunks,
    read_riff,
    size_patches,
)

FORMATS = (Format("avi", "video/x-msvideo", "video", TEXT),)

_MAX_INDEX = 64 << 20  # bytes of idx1: 4 million chunks
_INDEX_OF_INDEXES, _INDEX_OF_CHUNKS = 0, 1


@dataclass(slots=True)
class _State:
    riff: RiffFile
    movie: Chunk
    infos: list[Chunk]


_Place = bytes | Chunk  # a chunk at the top by its name, or one in LIST INFO


def sniff(reader: Reader, head: bytes) -> Format | None:
    """AVI, where the first bytes say so."""
    return FORMATS[0] if head[:4] == b"RIFF" and head[8:12] == b"AVI " else None


def scan(reader: Reader, found: Format) -> Layout[_State, _Place]:
    """The texts of LIST INFO, and XMP and C2PA chunks; raises MalformedFile and its children."""
    riff = read_riff(reader)
    slots: list[Slot[_Place]] = []
    movie, infos = None, []
    for part in riff.chunks:
        slot = own_slot(reader, part)
        if slot:
            slots.append(slot)
        elif is_list(reader, part, b"movi"):
            movie = movie or part
        elif is_list(reader, part, b"INFO"):
            infos.append(part)
            slots += info_slots(reader, part, home=True)
    slots += [slot for part in riff.beyond if part.kind != b"C2PA" and (slot := own_slot(reader, part, home=False))]
    movie = movie or (riff.chunks[-1] if riff.chunks else Chunk(b"", 12, 12, 0, 12))
    return Layout(found, slots, _State(riff, movie, infos), movie.start)


def patches(reader: Reader, layout: Layout[_State, _Place], changes: Changes[_Place],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with sizes and indexes that change with them."""
    state = layout.state
    texts = {slot.offset_bytes: body for slot, body in changes.items() if isinstance(slot.state, Chunk)}
    done = [(slot.offset_bytes, slot.offset_bytes + slot.length_bytes, b"" if body is None else chunk(slot.state, body))
            for slot, body in changes.items() if isinstance(slot.state, bytes)]
    for index, info in enumerate(state.infos):
        added = fresh if index == 0 else None
        inner = read_chunks(reader, info.body + 4, info.body + info.length)
        if added is not None or any(part.start in texts for part in inner):
            done.append((info.start, info.end, _rebuilt(reader, inner, texts, added)))
    if fresh is not None and not state.infos:
        done.append((layout.insert_at, layout.insert_at, chunk(b"LIST", b"INFO" + chunk(b"AIGC", fresh))))
    done += size_patches(reader, state.riff, done)
    return done + list(_index_patches(reader, state, Moves(done)))


def _rebuilt(reader: Reader, inner: list[Chunk], texts: dict[int, bytes | None], fresh: bytes | None) -> bytes:
    parts = []
    for part in inner:
        body = texts[part.start] if part.start in texts else reader.at(part.body, part.length, "chunk")
        if body is not None:
            parts.append(chunk(part.kind if part.start not in texts else b"AIGC", body))
    if fresh is not None:
        parts.append(chunk(b"AIGC", fresh))
    return chunk(b"LIST", b"INFO" + b"".join(parts))


def _index_patches(reader: Reader, state: _State, moves: Moves) -> Iterator[Patch]:
    """The patches for indexes that count from the start of the file."""
    if moves.none:
        return
    for part in state.riff.chunks:
        if part.kind == b"idx1":
            yield from _old_index(reader, part, state.movie, moves)
        elif is_list(reader, part, b"hdrl"):
            for stream in read_chunks(reader, part.body + 4, part.body + part.length):
                if is_list(reader, stream, b"strl"):
                    for index in read_chunks(reader, stream.body + 4, stream.body + stream.length):
                        if index.kind == b"indx":
                            yield from _super_index(reader, index, moves)


def _old_index(reader: Reader, index: Chunk, movie: Chunk, moves: Moves) -> Iterator[Patch]:
    """idx1 counts from the list of the film, or with some writers from the start of the file."""
    import numpy as np

    if index.length < 16 or struct.unpack("<I", reader.at(index.body + 8, 4, "chunk idx1"))[0] < movie.body:
        return
    rows = bytearray(reader.at(index.body, index.length - index.length % 16, "chunk idx1", _MAX_INDEX))
    offsets = np.ndarray(len(rows) // 16, "<u4", rows, 8, 16)
    offsets[:] = moves.of_all(offsets.astype(np.int64)) & 0xFFFFFFFF
    yield index.body, index.body + len(rows), bytes(rows)


def _super_index(reader: Reader, index: Chunk, moves: Moves) -> Iterator[Patch]:
    """A super index lists standard indexes, each of which counts from a base of its own."""
    _, _, kind, used, _ = struct.unpack("<HBBI4s", reader.at(index.body, 12, "chunk indx"))
    if kind == _INDEX_OF_CHUNKS:
        yield _base_patch(reader, index.body + 12, moves, index.start)
        return
    if kind != _INDEX_OF_INDEXES or used * 16 > index.length - 24:
        return
    rows = bytearray(reader.at(index.body + 24, used * 16, "chunk indx"))
    for at in range(0, len(rows), 16):
        place, = struct.unpack_from("<Q", rows, at)
        struct.pack_into("<Q", rows, at, moves.of(place))
        yield _base_patch(reader, place + 20, moves, place)
    yield index.body + 24, index.body + 24 + len(rows), bytes(rows)


def _base_patch(reader: Reader, at: int, moves: Moves, place: int) -> Patch:
    base, = struct.unpack("<Q", reader.at(at, 8, "index"))
    return at, at + 8, struct.pack("<Q", base + moves.of(place) - place & (1 << 64) - 1)
