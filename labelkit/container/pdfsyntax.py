# SPDX-License-Identifier: Apache-2.0
"""PDF syntax: one value in bytes, and where its entries stand (ISO 32000-2, 7.2 and 7.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

_SPACE = re.compile(rb"(?:[\0\t\n\f\r ]++|%[^\r\n]*+)*+")
_NUMBER = re.compile(rb"[+-]?(?:\d{1,20}\.?\d{0,20}|\.\d{1,20})")
_REFERENCE = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![A-Za-z0-9])")
_NAME = re.compile(rb"/([^\0\t\n\f\r ()<>\[\]{}/%]*+)")
_WORD = re.compile(rb"true|false|null")
_ESCAPE = re.compile(rb"\\(?:\r\n|[0-7]{1,3}|.)|\r\n?", re.DOTALL)
BLANK = b"\0\t\n\f\r "
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_MAX_DEPTH = 32
MAX_VALUES, _MAX_STRING = 100_000, 1 << 20  # of one object that is read


Value: TypeAlias = "None | bool | int | float | bytes | Name | Reference | Dictionary | list[Value]"
"""A PDF object: strings are bytes, arrays are lists; of a stream it is the dictionary."""


class Name(bytes):
    """A name, without its solidus."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An indirect reference."""

    number: int
    generation: int


@dataclass(slots=True)
class Dictionary:
    """A dictionary: its values, where each entry starts and stops in the bytes it was read from, and where it ends."""

    values: dict[bytes, Value] = field(default_factory=dict)
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    stop: int = 0

    def get(self, name: bytes) -> Value:
        """The value of an entry, None where it is missing."""
        return self.values.get(name)

    def integer(self, name: bytes) -> int | None:
        """The value of an entry, None where it is missing or no whole number."""
        return value if isinstance(value := self.values.get(name), int) else None

    def array(self, name: bytes) -> list[Value]:
        """The value of an entry, empty where it is missing or no array."""
        return value if isinstance(value := self.values.get(name), list) else []


class Broken(Exception):
    """The bytes at hand do not hold the whole value."""


def value_at(data: bytes, at: int, depth: int = 0, count: list[int] | None = None) -> tuple[Value, int]:
    """The value that starts there, and where it ends; `count` holds how many values were read in the object."""
    at = past_space(data, at)
    first = data[at:at + 1]
    count = [0] if count is None else count
    count[0] += 1
    if not first or depth > _MAX_DEPTH or count[0] > MAX_VALUES:
        raise Broken
    if data[at:at + 2] == b"<<":
        return _dictionary(data, at + 2, depth, count)
    if first == b"[":
        return _array(data, at + 1, depth, count)
    if first == b"(":
        return _string(data, at + 1)
    if first == b"<":
        stop = data.find(b">", at)
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", data[at:stop])
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()), _found(stop) + 1
    for pattern, make in _ATOMS:
        found = pattern.match(data, at)
        if found:
            return make(found), found.end()
    raise Broken


def past_space(data: bytes, at: int) -> int:
    """Where white space and comments that start there end."""
    return found.end() if (found := _SPACE.match(data, at)) else at


def written(value: Value) -> bytes:
    """A value as a file writes it; strings in hexadecimal."""
    if isinstance(value, Dictionary):
        rows = (b"%b %b" % (written(Name(name)), written(one)) for name, one in value.values.items())
        return b"<< " + b" ".join(rows) + b" >>"
    if isinstance(value, list):
        return b"[" + b" ".join(map(written, value)) + b"]"
    if isinstance(value, Reference):
        return b"%d %d R" % (value.number, value.generation)
    if isinstance(value, Name):
        return b"/" + re.sub(rb"[^!-~]|[#()<>\[\]{}/%]", lambda found: b"#%02X" % ord(found[0]), value)
    if isinstance(value, bytes):
        return b"<" + value.hex().encode() + b">"
    if value is None or isinstance(value, bool):
        return {None: b"null", True: b"true", False: b"false"}[value]
    return b"%d" % value if isinstance(value, int) else b"%.10f" % value


def _number(found: re.Match[bytes]) -> int | float:
    return int(found[0]) if found[0].lstrip(b"+-").isdigit() else float(found[0])


def _found(place: int) -> int:
    if place < 0:
        raise Broken
    return place


def _unescaped_name(raw: bytes) -> bytes:
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)


_ATOMS: tuple[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], Value]], ...] = (
    (_NAME, lambda found: Name(_unescaped_name(found[1]))),
    (_REFERENCE, lambda found: Reference(int(found[1]), int(found[2]))),
    (_NUMBER, _number),
    (_WORD, lambda found: {b"true": True, b"false": False, b"null": None}[found[0]]),
)


def _dictionary(data: bytes, at: int, depth: int, count: list[int]) -> tuple[Dictionary, int]:
    found = Dictionary()
    while True:
        at = past_space(data, at)
        if data[at:at + 2] == b">>":
            found.stop = at + 2
            return found, at + 2
        start = at
        name, at = value_at(data, at, depth + 1, count)
        if not isinstance(name, Name):
            raise Broken
        value, at = value_at(data, at, depth + 1, count)
        found.values[bytes(name)] = value
        found.places[bytes(name)] = start, at


def _array(data: bytes, at: int, depth: int, count: list[int]) -> tuple[list[Value], int]:
    found: list[Value] = []
    while True:
        at = past_space(data, at)
        if data[at:at + 1] == b"]":
            return found, at + 1
        value, at = value_at(data, at, depth + 1, count)
        found.append(value)


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    start, depth = at, 1
    for one in re.compile(rb"\\.|[()]", re.DOTALL).finditer(data, at):
        depth += {b"(": 1, b")": -1}.get(one[0], 0)
        if not depth:
            return _ESCAPE.sub(_unescaped, data[start:one.start()]), one.end()
        if one.end() - start > _MAX_STRING:
            break
    raise Broken


def _unescaped(found: re.Match[bytes]) -> bytes:
    text: bytes = found[0]
    if text[:1] == b"\r":
        return b"\n"
    text = text[1:]
    if text[:1].isdigit() and text[:1] < b"8":
        return bytes([int(text, 8) & 0xFF])
    return _ESCAPED.get(text, b"" if text in (b"\r\n", b"\n", b"\r") else text)
