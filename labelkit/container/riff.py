# SPDX-License-Identifier: Apache-2.0
"""RIFF chunks: four letters, a little-endian length, a body padded to even (Microsoft RIFF, 1991)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from labelkit.container.base import MAX_UNITS, Patch, Reader
from labelkit.errors import LimitExceeded

_MAX_RIFF = 0xFFFFFFFF


def chunks(reader: Reader) -> Iterator[tuple[bytes, int, int, int]]:
    """(name, start, body length, end with padding) of the chunks in a RIFF file; body starts 8 bytes in."""
    claimed, = struct.unpack("<I", reader.at(4, 4, "RIFF size"))
    stop = 8 + claimed
    if stop > reader.size:
        raise reader.truncated("RIFF", 4, claimed, reader.size - 8)
    position = 12
    for _ in range(MAX_UNITS):
        if stop - position < 8:
            return
        kind, length = struct.unpack("<4sI", reader.at(position, 8, "chunk"))
        body_end = position + 8 + length
        if body_end > stop:
            raise reader.truncated(f"chunk {kind.decode('latin-1')}", position, length, stop - position - 8)
        end = min(body_end + (length & 1), stop)  # a last chunk without its padding byte is common
        yield kind, position, length, end
        position = end
    raise LimitExceeded("{where}: more than {limit} chunks", where=reader.name, limit=MAX_UNITS)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its padding byte."""
    return struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) & 1)


def size_patch(reader: Reader, patches: Iterable[Patch]) -> Patch:
    """The patch that makes the RIFF size match the other patches; raises LimitExceeded above 4 GiB."""
    claimed, = struct.unpack("<I", reader.at(4, 4, "RIFF size"))
    size = claimed + sum(len(data) - (stop - start) for start, stop, data in patches)
    if size > _MAX_RIFF:
        raise LimitExceeded("{where}: a RIFF file holds {limit} bytes, the new one needs {needed}",
                            where=reader.name, limit=_MAX_RIFF, needed=size)
    return 4, 8, struct.pack("<I", size)
