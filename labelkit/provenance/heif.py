# SPDX-License-Identifier: Apache-2.0
"""Guard for HEIF and AVIF: after signing, every item must still lie where `iloc` says (ISO/IEC 14496-12, 8.11.3).

c2pa-rs moves both base and extent offsets of an item whose base offset is 0 and whose extents are absolute: the
picture is gone, and the manifest still validates, because it binds what was written. Seen with c2pa-rs 0.91.3.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from labelkit import container
from labelkit.container import Reader, heif
from labelkit.errors import LimitExceeded, MalformedFile, SigningFailed

_MIMES = tuple(found.mime for found in heif.FORMATS)
_PIECE = 1 << 20


def check_items(source: Reader, mime: str, signed: BinaryIO) -> None:
    """Raise SigningFailed where an item of a HEIF or AVIF picture reads otherwise in `signed` than in `source`.

    Does nothing for other media types. Raises MalformedFile or TruncatedFile for a source whose boxes are broken.
    """
    if mime not in _MIMES:
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


def _items(reader: Reader) -> dict[int, bytes]:
    """SHA-256 of each item that lies in the file."""
    digests: dict[int, bytes] = {}
    left = 2 * reader.size  # items do not overlap in honest files; this bounds the work in others
    for item, pieces in heif.ranges(reader, container.scan(reader)).items():
        digest = hashlib.sha256()
        for start, stop in pieces:
            left -= stop - start
            if left < 0:
                raise LimitExceeded("{where}: the items of iloc overlap", where=reader.name)
            for offset in range(start, stop, _PIECE):
                digest.update(reader.at(offset, min(_PIECE, stop - offset), "item"))
        digests[item] = digest.digest()
    return digests
