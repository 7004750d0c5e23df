# SPDX-License-Identifier: Apache-2.0
"""AIFF and AIFF-C: chunks as in RIFF with sizes in the other order (Apple, 1989 and 1991). No guide names them; the
label is TXXX AIGC in the chunk of ID3v2 that players read, as in MP3 (TC260-PG-202510A).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from labelkit.container import id3
from labelkit.container.base import MAX_UNITS, Changes, Format, Layout, Patch, Reader

FORMATS = (Format("aiff", "audio/aiff", "audio", "text"),)

_ID3 = (b"ID3 ", b"id3 ")


class Chunk(NamedTuple):
    """One chunk: its name, where it starts, where its body lies and ends, and where the next one starts."""

    kind: bytes
    start: int
    body: int
    stop: int
    end: int


def sniff(reader: Reader, head: bytes) -> Format | None:
    """AIFF, where the first bytes say so."""
    return FORMATS[0] if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def chunks(reader: Reader) -> list[Chunk]:
    """The chunks of the form; raises TruncatedFile, LimitExceeded."""
    found: list[Chunk] = []
    at, stop = 12, min(8 + struct.unpack(">I", reader.at(4, 4, "FORM"))[0], reader.size)
    while stop - at >= 8:
        if len(found) == MAX_UNITS:
            raise reader.too_many("chunk", MAX_UNITS)
        kind, length = struct.unpack(">4sI", reader.at(at, 8, "chunk"))
        if length > stop - at - 8:
            raise reader.truncated(f"chunk {kind.decode('latin-1')}", at, length, stop - at - 8)
        end = min(at + 8 + length + (length & 1), reader.size)
        found.append(Chunk(kind, at, at + 8, at + 8 + length, end))
        at = end
    return found


def scan(reader: Reader, found: Format) -> Layout[list[id3.Tag], id3.TagFrame]:
    """The frames of the tags in chunks; `state` is the tags."""
    held = chunks(reader)
    tags = [tag for one in held if one.kind in _ID3 for tag in id3.tags(reader, one.body, one.stop)]
    layout = Layout(found, id3.slots(tags, home=True), tags, held[-1].end if held else 12)
    return layout


def patches(reader: Reader, layout: Layout[list[id3.Tag], id3.TagFrame], changes: Changes[id3.TagFrame],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with the lengths of chunks and form set to match; raises LimitExceeded."""
    done: list[Patch] = []
    held = chunks(reader)
    for chunk in held if layout.state else ():
        new: list[Patch] = []
        for tag in layout.state:
            if chunk.body <= tag.start < chunk.stop:
                part = [(slot.state.frame, body) for slot, body in changes.items() if slot.state.tag.start == tag.start]
                new += id3.tag_patches(tag, part, fresh) if part or fresh is not None else []
                fresh = None
        if new:
            length = chunk.stop - chunk.body + sum(len(data) - (stop - start) for start, stop, data in new)
            done += [(chunk.start + 4, chunk.body, struct.pack(">I", length)), *new]
            if chunk.end - chunk.stop != length & 1:
                done.append((chunk.stop, chunk.end, bytes(length & 1)))
    if fresh is not None:
        tag_bytes = id3.new_tag(fresh)
        at = layout.insert_at
        lacking = bytes(held[-1].end - held[-1].stop != (held[-1].stop - held[-1].body) & 1) if held else b""
        done.append((at, at, lacking + b"ID3 " + struct.pack(">I", len(tag_bytes)) + tag_bytes
                     + bytes(len(tag_bytes) & 1)))
    total = layout.insert_at - 8 + sum(len(data) - (stop - start) for start, stop, data in done)
    if total > 0xFFFFFFFF:
        raise reader.too_big("FORM", 0xFFFFFFFF, total)
    return [(4, 8, struct.pack(">I", total)), *done] if done else []
