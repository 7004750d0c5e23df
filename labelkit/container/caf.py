# SPDX-License-Identifier: Apache-2.0
"""CAF: the label is the entry AIGC of the chunk of texts, info (Apple, Core Audio Format 1.0). No guide names it.

The chunk stands before the sound, whose length may not be stated; nothing in the file counts bytes from its start.
"""

from __future__ import annotations

import functools
import struct
from typing import NamedTuple

from labelkit.container.base import MAX_BODY, MAX_UNITS, TEXT, Changes, Format, Layout, Patch, Reader, Slot

FORMATS = (Format("caf", "audio/x-caf", "audio", TEXT),)

_HEADER = 12  # bytes of a chunk's kind and length


class Chunk(NamedTuple):
    """One chunk: its kind, where it starts, where its body lies and ends; whether its length is stated."""

    kind: bytes
    start: int
    body: int
    stop: int
    is_stated: bool


class Entry(NamedTuple):
    """A key of the texts, and where it starts and its value ends in the chunk's body."""

    key: str
    start: int
    stop: int


def sniff(reader: Reader, head: bytes) -> Format | None:
    """CAF of version 1."""
    return FORMATS[0] if head[:6] == b"caff\0\1" else None


def chunks(reader: Reader) -> list[Chunk]:
    """The chunks of the file; raises TruncatedFile, LimitExceeded."""
    found: list[Chunk] = []
    at = 8
    while reader.size - at >= _HEADER:
        if len(found) == MAX_UNITS:
            raise reader.too_many("chunk", MAX_UNITS)
        kind, length = struct.unpack(">4sq", reader.at(at, _HEADER, "chunk"))
        is_stated = not (kind == b"data" and length == -1)
        if not is_stated:
            length = reader.size - at - _HEADER
        if not 0 <= length <= reader.size - at - _HEADER:
            raise reader.truncated(f"chunk {kind.decode('latin-1')}", at, length, reader.size - at - _HEADER)
        found.append(Chunk(kind, at, at + _HEADER, at + _HEADER + length, is_stated))
        at += _HEADER + length
    return found


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as bytes."""
    return kind + struct.pack(">q", len(body)) + body


def sound_at(held: list[Chunk], size: int) -> int:
    """Where the chunk of the sound starts, in front of which others go; the file's end where there is none."""
    return next((one.start for one in held if one.kind == b"data"), size)


def scan(reader: Reader, found: Format) -> Layout[list[Chunk], tuple[Chunk, Entry]]:
    """The texts; `state` is the chunks."""
    held = chunks(reader)
    layout: Layout[list[Chunk], tuple[Chunk, Entry]] = Layout(found, [], held, sound_at(held, reader.size))
    for part in held:
        if part.kind == b"info":
            body = reader.at(part.body, part.stop - part.body, "chunk info", MAX_BODY)
            for entry in _entries(reader, part, body):
                text = body[entry.start:entry.stop].split(b"\0")[1]
                layout.slots.append(Slot(TEXT, "info", part.body + entry.start, entry.stop - entry.start,
                                         functools.partial(bytes, text), (part, entry), entry.key))
    return layout


def patches(reader: Reader, layout: Layout[list[Chunk], tuple[Chunk, Entry]], changes: Changes[tuple[Chunk, Entry]],
            fresh: bytes | None) -> list[Patch]:
    """The patches that give the chunks of texts their new entries."""
    done: list[Patch] = []
    for part in layout.state:
        if part.kind != b"info":
            continue
        own = {slot.state[1]: body for slot, body in changes.items() if slot.state[0] == part}
        if not own and fresh is None:
            continue
        body = reader.at(part.body, part.stop - part.body, "chunk info", MAX_BODY)
        pairs = [_pair(entry.key, own[entry]) if entry in own else body[entry.start:entry.stop]
                 for entry in _entries(reader, part, body)]
        done.append((part.start, part.stop, _texts([*pairs, _pair("AIGC", fresh)])))
        fresh = None
    if fresh is not None:
        done.append((layout.insert_at, layout.insert_at, _texts([_pair("AIGC", fresh)])))
    return done


def _entries(reader: Reader, part: Chunk, body: bytes) -> list[Entry]:
    found: list[Entry] = []
    at = 4
    for _ in range(min(int.from_bytes(body[:4]), len(body) // 2)):
        key_stop = body.find(b"\0", at)
        stop = body.find(b"\0", key_stop + 1)
        if key_stop < 0 or stop < 0:
            raise reader.truncated("chunk info", part.start, at, len(body))
        if len(found) == MAX_UNITS:
            raise reader.too_many("text", MAX_UNITS)
        found.append(Entry(body[at:key_stop].decode("utf-8", "replace"), at, stop + 1))
        at = stop + 1
    return found


def _pair(key: str, body: bytes | None) -> bytes:
    return b"" if body is None else key.encode() + b"\0" + body.replace(b"\0", b"") + b"\0"


def _texts(pairs: list[bytes]) -> bytes:
    kept = [pair for pair in pairs if pair]
    return chunk(b"info", struct.pack(">I", len(kept)) + b"".join(kept))
