# SPDX-License-Identifier: Apache-2.0
"""FLAC: metadata blocks in front of the frames (RFC 9639, 8); the label is a Vorbis comment (TC260-PG-202510A)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container import id3, vorbis
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.messages import Message

FORMATS = (Format("flac", "audio/flac", "audio", TEXT),)

_LAST = 0x80
_STREAMINFO, _COMMENT = 0, 4
_MAX_BLOCKS = 4096
_MAX_BLOCK = (1 << 24) - 1


@dataclass(slots=True)
class _State:
    info: int  # where STREAMINFO starts
    block: tuple[int, int, int] | None  # first byte, start and stop of the comment block
    comments: vorbis.Comments


_Place = int | id3.TagFrame  # a comment by its number, or a frame of a tag in front


def sniff(reader: Reader, head: bytes) -> Format | None:
    """FLAC, at the start or behind ID3 tags."""
    if head[:4] == b"fLaC":
        return FORMATS[0]
    if head[:3] == b"ID3":
        start = id3.end_of_tags(reader)
        if reader.size - start >= 4 and reader.at(start, 4) == b"fLaC":
            return FORMATS[0]
    return None


def scan(reader: Reader, found: Format) -> Layout[_State, _Place]:
    """The comments, and the frames of ID3 tags in front; raises MalformedFile and its children."""
    tags = id3.tags(reader)
    start = (tags[-1].end if tags else 0) + 4
    state = _State(start, None, vorbis.empty())
    slots: list[Slot[_Place]] = [*id3.slots(tags, home=False)]
    for first, block, stop in blocks(reader, start):
        kind = first & 0x7F
        if block == start and kind != _STREAMINFO:
            raise reader.malformed("FLAC", block, Message("there is no {chunk} chunk", chunk="STREAMINFO"))
        if kind == _COMMENT and state.block is None:
            state.block = first, block, stop
            state.comments = vorbis.parse(reader, reader.at(block + 4, stop - block - 4, "comments"), block)
            slots += [_slot(state, block + 4, index) for index in range(len(state.comments.entries))]
    return Layout(found, slots, state)


def blocks(reader: Reader, start: int) -> Iterator[tuple[int, int, int]]:
    """(first byte, start, stop) of each metadata block, the first of which lies at `start`."""
    for _ in range(_MAX_BLOCKS):
        raw = reader.at(start, 4, "metadata block")
        length = int.from_bytes(raw[1:], "big")
        stop = start + 4 + length
        if stop > reader.size:
            raise reader.truncated("metadata block", start, length, reader.size - start - 4)
        yield raw[0], start, stop
        if raw[0] & _LAST:
            return
        start = stop
    raise reader.too_many("metadata block", _MAX_BLOCKS)


def _slot(state: _State, offset: int, index: int) -> Slot[int]:
    comments = state.comments
    return Slot(TEXT, "VORBIS_COMMENT", offset + comments.starts[index], 4 + len(comments.entries[index]),
                lambda: comments.value(index), index, comments.key(index))


def patches(reader: Reader, layout: Layout[_State, _Place], changes: Changes[_Place],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies; a file without a comment block gets one behind STREAMINFO."""
    state = layout.state
    done = id3.chunk_patches((slot.state, body) for slot, body in changes.items()
                             if isinstance(slot.state, id3.TagFrame))
    entries = {slot.state: body for slot, body in changes.items() if isinstance(slot.state, int)}
    if not entries and fresh is None:
        return done
    body = vorbis.build(state.comments, entries, fresh)
    if len(body) > _MAX_BLOCK:
        raise reader.too_big("a metadata block", _MAX_BLOCK, len(body))
    if state.block:
        first, start, stop = state.block
        return [*done, (start, stop, bytes([first]) + len(body).to_bytes(3, "big") + body)]
    first, start, stop = next(blocks(reader, state.info))
    block = bytes([_COMMENT | first & _LAST]) + len(body).to_bytes(3, "big") + body
    return [*done, (start, start + 1, bytes([first & ~_LAST])), (stop, stop, block)]
