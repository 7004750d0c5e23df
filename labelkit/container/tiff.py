# SPDX-License-Identifier: Apache-2.0
"""TIFF structures: image file directories and their entries (TIFF 6.0, section 2; Exif 3.0, 4.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container.base import Reader
from labelkit.errors import MalformedFile
from labelkit.messages import Message

IMAGE_DESCRIPTION, MAKE, SOFTWARE, ARTIST, USER_COMMENT = 0x010E, 0x010F, 0x0131, 0x013B, 0x9286
_SUB_DIRECTORIES = (0x8769,)  # the Exif IFD
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_DIRECTORIES = 32
_MAX_VALUE = 1 << 20


@dataclass(slots=True)
class Entry:
    """One directory entry: its tag and type, and where its value of `length_bytes` lies."""

    tag: int
    type: int
    offset_bytes: int
    length_bytes: int

    def value(self, reader: Reader) -> bytes:
        """The value as it stands; raises TruncatedFile, or LimitExceeded above 1 MiB."""
        return reader.at(self.offset_bytes, self.length_bytes, f"tag 0x{self.tag:04X}", _MAX_VALUE)


def byte_order(reader: Reader) -> str:
    """The "<" or ">" of a TIFF structure; raises MalformedFile for anything else."""
    head = reader.head(4)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head)
    if order is None:
        raise reader.malformed("TIFF header", 0,
                               Message("{wanted} wanted, got {got}", wanted="II*0, MM0*", got=head.hex()))
    return order


def entries(reader: Reader) -> Iterator[Entry]:
    """The entries of every directory that can be reached; each directory once, at most 32 of them."""
    order = byte_order(reader)
    first = int.from_bytes(reader.at(4, 4, "first directory"), "little" if order == "<" else "big")
    waiting, seen = [first], set()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        start = waiting.pop()
        if start and start not in seen:
            seen.add(start)
            yield from _directory(reader, order, start, waiting)


def _directory(reader: Reader, order: str, start: int, waiting: list[int]) -> Iterator[Entry]:
    reader.seek(start, "directory")
    count, = reader.unpack(order + "H", "directory")
    table = reader.position
    for index in range(count):
        reader.seek(table + 12 * index, "directory entry")
        tag, kind, number, value = reader.unpack(order + "HHII", "directory entry")
        length = number * _TYPE_BYTES.get(kind, 1)
        if tag in _SUB_DIRECTORIES:
            waiting.append(value)
        yield Entry(tag, kind, value if length > 4 else table + 12 * index + 8, length)
    try:
        following, = _next(reader, order, table + 12 * count)
    except MalformedFile:
        return  # the last directory often ends the block without its closing zero
    waiting.append(following)


def _next(reader: Reader, order: str, offset: int) -> tuple:
    reader.seek(offset, "end of directory")
    return reader.unpack(order + "I", "offset of the next directory")
