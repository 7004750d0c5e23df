# SPDX-License-Identifier: Apache-2.0
"""Check signed HEIF and AVIF files: every item must still be where `iloc` says (ISO/IEC 14496-12, 8.11.3).

c2pa-rs 0.91.3 adds the shift to both base and extent offsets of an item whose base offset is 0 and whose extents are
absolute. The picture is then lost, and the manifest still validates, because it covers the file as written.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from labelkit.container import Reader, heif
from labelkit.errors import LimitExceeded, MalformedFile, SigningFailed

_MIMES = tuple(found.mime for found in heif.FORMATS)
_PIECE = 1 << 20


def check_items(source: Reader, mime: str, signed: BinaryIO) -> None:
    """Raise SigningFailed if an item of a HEIF or AVIF picture differs between `source` and `signed`.

    Does nothing for other media types. Raises MalformedFile or TruncatedFile for a source whose boxes are broken.
    """
    if mime not in _MIMES:
        return
    before = _items(source)
    try:
        after = _items(Reader(signed, source.name))
    except MalformedFile:  # an item now ends beyond the file
        after = {}
    changed = [item for item, digest in before.items() if after.get(item) != digest]
    if changed:
        raise SigningFailed("{where}: signing would make item {item} unreadable: the C2PA library shifts offsets of "
                            "this form wrongly", where=source.name, item=changed[0],
                            hint="save the picture again with an encoder that writes base offsets")


def _items(reader: Reader) -> dict[int, bytes]:
    """SHA-256 of each item whose data is in the file."""
    digests: dict[int, bytes] = {}
    left = 2 * reader.size  # bytes still to read: items of valid files do not overlap
    for item, pieces in heif.item_ranges(reader).items():
        digest = hashlib.sha256()
        for start, stop in pieces:
            left -= stop - start
            if left < 0:
                raise LimitExceeded("{where}: the items of iloc overlap", where=reader.name)
            for offset in range(start, stop, _PIECE):
                digest.update(reader.at(offset, min(_PIECE, stop - offset), "item"))
        digests[item] = digest.digest()
    return digests
