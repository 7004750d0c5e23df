# SPDX-License-Identifier: Apache-2.0
"""The outer boxes of a C2PA manifest store: which manifests it holds (ISO/IEC 19566-5, C2PA 2.4, 11.1)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from labelkit.errors import MalformedFile

MAX_STORE = 16 << 20  # bytes
MANIFEST_ID = re.compile(r"[!-~]{1,255}")
"""What the name of a manifest is made of; urn:c2pa: and urn:uuid: are (C2PA 2.4, 8.3)."""
_MAX_MANIFESTS = 1000
_NAMED = 2  # of the toggles of a description: it has a label


def manifests(store: bytes) -> list[tuple[str, bytes]]:
    """(name, box) of each manifest in a store, the active one last; raises MalformedFile for what is no store."""
    if len(store) > MAX_STORE:
        raise _malformed()
    outer = list(_boxes(store))
    if len(outer) != 1 or outer[0][0] != b"jumb":
        raise _malformed()
    inner = list(_boxes(outer[0][1]))
    if not inner or _label(*inner[0][:2]) != "c2pa" or not 2 <= len(inner) <= _MAX_MANIFESTS + 1:
        raise _malformed()
    found = []
    for kind, body, whole in inner[1:]:
        first = next(_boxes(body), None) if kind == b"jumb" else None
        if first is None or not MANIFEST_ID.fullmatch(name := _label(*first[:2])):
            raise _malformed()
        found.append((name, whole))
    return found


def only(store: bytes, name: str) -> bytes:
    """The store with the manifest of this name alone, as it stands there; raises MalformedFile without it."""
    box = dict(manifests(store)).get(name)
    if box is None:
        raise _malformed()
    _, body, _ = next(_boxes(store))
    _, _, description = next(_boxes(body))
    return struct.pack(">I4s", 8 + len(description) + len(box), b"jumb") + description + box


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(type, body, whole) of each box; raises MalformedFile."""
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise _malformed()
        size, kind = struct.unpack_from(">I4s", data, at)
        if not 8 <= size <= len(data) - at:  # a length of 64 bits or to the end is of no store of at most 16 MB
            raise _malformed()
        yield kind, data[at + 8:at + size], data[at:at + size]
        at += size


def _label(kind: bytes, body: bytes) -> str:
    """The label of a description box (19566-5, B.3); raises MalformedFile."""
    if kind != b"jumd" or len(body) < 18 or not body[16] & _NAMED:
        raise _malformed()
    return body[17:].partition(b"\0")[0].decode("ascii", "replace")


def _malformed() -> MalformedFile:
    return MalformedFile("these bytes are no C2PA manifest store")
