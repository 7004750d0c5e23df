# SPDX-License-Identifier: Apache-2.0
"""Vorbis comments, as FLAC and Ogg carry them: KEY=value in UTF-8 (xiph.org, Vorbis I, section 5)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from labelkit.container.base import Reader
from labelkit.messages import Message

_MAX_COMMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Comments:
    """A comment block: its vendor text, its entries with where each starts, and what stands behind them."""

    vendor: bytes
    entries: list[bytes]
    starts: list[int]
    tail: bytes

    def key(self, index: int) -> str:
        """The name of an entry; case does not count in it, so it is given in capitals."""
        return self.entries[index].partition(b"=")[0].decode("latin-1").upper()

    def value(self, index: int) -> bytes:
        """The text of an entry."""
        return self.entries[index].partition(b"=")[2]


def parse(reader: Reader, data: bytes, offset: int) -> Comments:
    """The comments in `data`, which lies at `offset` of the file; raises MalformedFile and its children."""
    inner = Reader.of(data, reader.name)
    inner.seek(0)
    size, = inner.unpack("<I", "vendor text")
    vendor = inner.take(size, "vendor text")
    count, = inner.unpack("<I", "number of comments")
    if count > min(_MAX_COMMENTS, len(data) // 4):
        raise reader.malformed("comments", offset, Message("it claims {count} comments", count=count))
    entries, starts = [], []
    for _ in range(count):
        starts.append(inner.position)
        size, = inner.unpack("<I", "comment")
        entries.append(inner.take(size, "comment"))
    return Comments(vendor, entries, starts, data[inner.position:])


def build(comments: Comments, changes: Mapping[int, bytes | None], fresh: bytes | None) -> bytes:
    """The block with new values for entries (None: gone), and a fresh AIGC entry at the end."""
    entries = []
    for index, entry in enumerate(comments.entries):
        if index not in changes:
            entries.append(entry)
        elif (value := changes[index]) is not None:
            entries.append(b"AIGC=" + value)
    if fresh is not None:
        entries.append(b"AIGC=" + fresh)
    parts = [struct.pack("<I", len(comments.vendor)), comments.vendor, struct.pack("<I", len(entries))]
    return b"".join([*parts, *(struct.pack("<I", len(entry)) + entry for entry in entries), comments.tail])


def empty() -> Comments:
    """A block without comments."""
    return Comments(b"labelkit", [], [], b"")
