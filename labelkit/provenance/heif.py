# SPDX-License-Identifier: Apache-2.0
"""Guard for HEIF and AVIF: after signing, every item must still lie where `iloc` says (ISO/IEC 14496-12, 8.11.3).

c2pa-rs moves both base and extent offsets of an item whose base offset is 0 and whose extents are absolute: the
picture is gone, and the manifest still validates, because it binds what was written. Seen with c2pa-rs 0.91.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from labelkit.container import Reader, bmff
from labelkit.errors import LimitExceeded, MalformedFile, SigningFailed

_PICTURES = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_MAX_EXTENTS = 1 << 16
_IN_FILE = 0  # construction method: extents are offsets in the file
_PIECE = 1 << 20


def check_items(source: Reader, signed: BinaryIO) -> None:
    """Raise SigningFailed where an item of a HEIF or AVIF picture reads otherwise in `signed` than in `source`.

    Does nothing for other files. Raises MalformedFile or TruncatedFile for a source whose boxes are broken.
    """
    if not _is_picture(source):
        return
    before = _items(source)
    try:
        after = _items(Reader(signed, source.name))
    except MalformedFile:  # an item that now lies past the end
        after = {}
    changed = [item for item, digest in before.items() if after.get(item) != digest]
    if changed:
        raise SigningFailed("{where}: signing would make item {item} unreadable, because its place is written in a way "
                            "that the C2PA library moves wrongly", where=source.name, item=changed[0],
                            hint="save the picture again with an encoder that writes base offsets")


def _is_picture(reader: Reader) -> bool:
    head = reader.head(12)
    return head[4:8] == b"ftyp" and head[8:12] in _PICTURES


def _items(reader: Reader) -> dict[int, bytes]:
    """SHA-256 of each item that lies in the file."""
    digests: dict[int, bytes] = {}
    left = 2 * reader.size  # items do not overlap in honest files; this bounds the work in others
    for item, extents in _locations(reader):
        digest = hashlib.sha256()
        for start, length in extents:
            left -= length
            if left < 0:
                raise LimitExceeded("{where}: the items of iloc overlap", where=reader.name)
            for offset in range(start, start + length, _PIECE):
                digest.update(reader.at(offset, min(_PIECE, start + length - offset), "item"))
        digests[item] = digest.digest()
    return digests


def _locations(reader: Reader) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    for meta in bmff.boxes(reader, 0, reader.size):
        for box in bmff.meta_children(reader, meta) if meta.kind == b"meta" else []:
            if box.kind == b"iloc":
                yield from _parse_iloc(reader, reader.at(box.body, box.end - box.body, "box iloc"))


def _parse_iloc(reader: Reader, data: bytes) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    fields = Reader.of(data, reader.name)
    fields.seek(0)

    def number(size: int) -> int:
        return int.from_bytes(fields.take(size, "box iloc"), "big")

    version, sizes = number(4) >> 24, number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    extents_left = _MAX_EXTENTS
    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else _IN_FILE
        number(2)  # data reference: 0, this file
        base, count = number(base_size), number(2)
        extents_left -= count
        if extents_left < 0:
            raise reader.too_many("extent", _MAX_EXTENTS)
        extents = []
        for _ in range(count):
            number(index_size)
            start = base + number(offset_size)
            extents.append((start, number(length_size)))
        if method == _IN_FILE:
            yield item, extents
