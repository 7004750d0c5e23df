# SPDX-License-Identifier: Apache-2.0
"""The C2PA manifest in structured text: a block between two delimiters, in a comment or front matter (C2PA 2.4, A.9).

What stands between them is the manifest itself in Base64, or the URL of one. Others write such blocks; labelkit reads
them, and leaves them out of a text that it changes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from labelkit.container import textwrapper
from labelkit.container.textwrapper import MAX_STORE, Wrapper

FORMATS = ("txt", "markdown", "vtt", "ass")
"""Formats with comments or front matter, by name."""
_BEGIN, _END = b"-----BEGIN C2PA MANIFEST-----", b"-----END C2PA MANIFEST-----"
_INLINE = b"data:application/c2pa;base64,"
_MAX_REFERENCE = len(_INLINE) + 4 * (MAX_STORE // 3 + 1)
_URL = re.compile(rb"https?://[!-~]{1,2000}")
_SIGNS = rb"[ \t!-/:-@\[-`{-~]{0,16}"  # of comments
_BEFORE = re.compile(rb"(?:\r?\n){0,2}" + _SIGNS + rb"(?:(?:NOTE|REM) )?(?:\r?\n)?")
_BEHIND = re.compile(rb"(?:\r?\n)?" + _SIGNS + rb"(?:\r?\n){0,2}")


@dataclass(frozen=True, slots=True)
class Block:
    """A block: where its delimiters start and stop, the manifest store in it, empty where it names a URL."""

    start: int
    stop: int
    store: bytes

    def may_leave_out(self, data: bytes, start: int, stop: int) -> bool:
        """Whether a signer may have left these bytes out of the hash: the block and signs of a comment around it."""
        return (start <= self.start and self.stop <= stop <= len(data)
                and _BEFORE.fullmatch(data, start, self.start) is not None
                and _BEHIND.fullmatch(data, self.stop, stop) is not None)


def find(data: bytes) -> list[Block]:
    """The blocks in a text in UTF-8, of which there may be one. Delimiters around anything else are words."""
    found: list[Block] = []
    at, end = data.find(_BEGIN), 0
    while at >= 0:
        inner = at + len(_BEGIN)
        end, following = data.find(_END, inner) if end < inner else end, data.find(_BEGIN, inner)
        if end < 0:
            break
        if end < following or following < 0:
            reference = data[inner:end].strip() if end - inner <= _MAX_REFERENCE else b""
            store = _decoded(reference)
            if store or _URL.fullmatch(reference):
                found.append(Block(at, end + len(_END), store))
        at = following
    return found


def held(data: bytes, name: str) -> list[Wrapper | Block]:
    """The manifests in a text of the format of this name: wrappers in a bare one, blocks in one with comments."""
    return [*(textwrapper.find(data) if name in textwrapper.FORMATS else ()), *(find(data) if name in FORMATS else ())]


def places(data: bytes) -> list[tuple[int, int]]:
    """Start and stop of what goes with each block: the lines of its comment; of front matter the block alone."""
    found = []
    for one in find(data):
        line, ending = data.rfind(b"\n", 0, one.start) + 1, data.find(b"\n", one.stop) + 1 or len(data)
        found.append((line, ending) if one.may_leave_out(data, line, ending) else (one.start, one.stop))
    return found


def without(data: bytes) -> bytes:
    """A text without its blocks and their comments."""
    for start, stop in reversed(places(data)):
        data = data[:start] + data[stop:]
    return data


def _decoded(reference: bytes) -> bytes:
    if not reference.startswith(_INLINE):
        return b""
    try:
        return base64.b64decode(reference[len(_INLINE):], validate=True)
    except binascii.Error:
        return b""
