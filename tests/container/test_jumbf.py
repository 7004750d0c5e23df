# SPDX-License-Identifier: Apache-2.0
"""The manifests in a store are told by its outer boxes; what is no store is refused."""

from __future__ import annotations

import struct

import pytest

from labelkit.container import jumbf
from labelkit.errors import MalformedFile


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def described(label: bytes, *inner: bytes, toggles: int = 3) -> bytes:
    return box(b"jumb", box(b"jumd", bytes(16) + bytes([toggles]) + label + b"\0") + b"".join(inner))


FIRST, LAST = described(b"urn:c2pa:1", box(b"cbor", b"x")), described(b"urn:c2pa:2")
STORE = described(b"c2pa", FIRST, LAST)


def test_the_active_manifest_is_the_last():
    assert jumbf.manifests(STORE) == [("urn:c2pa:1", FIRST), ("urn:c2pa:2", LAST)]
    assert jumbf.only(STORE, "urn:c2pa:1") == described(b"c2pa", FIRST)


@pytest.mark.parametrize("store", [
    b"", b"junk", STORE[:-1], STORE + b"x", STORE + STORE, described(b"other", FIRST), described(b"c2pa"),
    described(b"c2pa", box(b"free", b"")), described(b"c2pa", described(b"")), described(b"c2pa", described(b"a b")),
    described(b"c2pa", described("清单".encode())), described(b"c2pa", described(b"urn:c2pa:1", toggles=0)),
    described(b"c2pa", described(b"u" * 256)), box(b"jumb", FIRST), box(b"jumb", b""), box(b"jumb", b"\0" * 8),
    struct.pack(">I4s", 1, b"jumb") + bytes(8), struct.pack(">I4s", 0, b"jumb"), described(b"c2pa", *[FIRST] * 1001)])
def test_what_is_no_store_is_refused(store):
    with pytest.raises(MalformedFile, match="no C2PA manifest store"):
        jumbf.manifests(store)
    with pytest.raises(MalformedFile):
        jumbf.only(STORE, "urn:c2pa:3")
