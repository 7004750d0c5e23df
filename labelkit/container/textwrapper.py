# SPDX-License-Identifier: Apache-2.0
"""The C2PA manifest in bare text: variation selectors, which nobody sees, behind U+FEFF (C2PA 2.4, A.8).

What copies the characters keeps it; what drops characters that it does not know, or takes a part of the text, loses it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

FORMATS = ("txt",)
"""Formats that are bare text, by name."""
_MAGIC, _VERSION = b"C2PATXT\0", 1
_HEADER = struct.Struct(">8sBI")
_MARK = "\ufeff".encode()
_SELECTOR = rb"(?:\xef\xb8[\x80-\x8f]|\xf3\xa0(?:[\x84-\x86][\x80-\xbf]|\x87[\x80-\xaf]))"  # U+FE00-F, U+E0100-1EF
_WRAPPER = re.compile(_MARK + b"(?P<units>" + _SELECTOR + b"{%d,})" % _HEADER.size)
_UNITS = [chr(0xFE00 + one if one < 16 else 0xE0100 + one - 16).encode() for one in range(256)]
MAX_STORE = 4 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A manifest store in a text, and where the wrapper lies in its bytes."""

    start: int
    stop: int
    store: bytes

    def may_leave_out(self, data: bytes, start: int, stop: int) -> bool:
        """Whether a signer may have left these bytes out of the hash: the wrapper, nothing else."""
        return (start, stop) == (self.start, self.stop)


def find(data: bytes) -> list[Wrapper]:
    """The wrappers in a text in UTF-8, of which there may be one."""
    found = []
    for one in _WRAPPER.finditer(data) if _MARK in data else ():
        raw = _bytes(one["units"])
        magic, version, length = _HEADER.unpack_from(raw)
        if magic == _MAGIC and version == _VERSION and length <= min(len(raw) - _HEADER.size, MAX_STORE):
            found.append(Wrapper(*one.span(), raw[_HEADER.size:_HEADER.size + length]))
    return found


def without(data: bytes) -> bytes:
    """A text without its wrappers."""
    for one in reversed(find(data)):
        data = data[:one.start] + data[one.stop:]
    return data


def size_for(length: int) -> int:
    """The bytes of a wrapper for a store of so many bytes, whatever they are.

    A byte takes three or four; nine more can always be filled up with threes and fours.
    """
    return len(_MARK) + 4 * (_HEADER.size + length) + 9


def wrapped(store: bytes, size: int) -> bytes:
    """The wrapper of a store, filled up to `size` bytes as `size_for` gives them."""
    out = _MARK + b"".join(_UNITS[one] for one in _HEADER.pack(_MAGIC, _VERSION, len(store)) + store)
    left = size - len(out)
    threes = next(count for count in range(4) if (left - 3 * count) % 4 == 0)
    return out + _UNITS[0] * threes + _UNITS[255] * ((left - 3 * threes) // 4)


def _bytes(units: bytes) -> bytes:
    return bytes(point - 0xFE00 if point < 0xFE10 else point - 0xE0100 + 16 for point in map(ord, units.decode()))
