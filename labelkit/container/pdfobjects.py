# SPDX-License-Identifier: Apache-2.0
"""PDF objects: values with their places, cross-reference tables and streams, object streams (ISO 32000-2, 7.3, 7.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from labelkit.container.base import MAX_BODY, Reader
from labelkit.errors import MalformedFile
from labelkit.messages import Message

_SPACE = re.compile(rb"(?:[\0\t\n\f\r ]++|%[^\r\n]*+)*+")
_NUMBER = re.compile(rb"[+-]?(?:\d{1,20}\.?\d{0,20}|\.\d{1,20})")
_REFERENCE = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![A-Za-z0-9])")
_NAME = re.compile(rb"/([^\0\t\n\f\r ()<>\[\]{}/%]*+)")
_WORD = re.compile(rb"true|false|null")
_ESCAPE = re.compile(rb"\\(?:\r\n|[0-7]{1,3}|.)|\r\n?", re.DOTALL)
_OBJECT = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj")
_SUBSECTION = re.compile(rb"[\0\t\n\f\r ]*(\d{1,10}) +(\d{1,10})[\0\t\n\f\r ]*")
BLANK = b"\0\t\n\f\r "
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_WINDOWS = (4096, 1 << 18, MAX_BODY)  # an object is read in a window, a larger one where it does not end in it
_MAX_DEPTH = 32
_MAX_VALUES, _MAX_STRING = 100_000, 1 << 20  # of one object that is read
_MAX_SECTIONS, _MAX_SUBSECTIONS = 512, 32_768
_MAX_ROWS = 2 * MAX_BODY  # bytes of all cross-reference streams


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

    values: dict[bytes, object] = field(default_factory=dict)
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    stop: int = 0

    def get(self, name: bytes, kind: type | tuple[type, ...] = object) -> object:
        """The value of an entry, or None where it is missing or of another type."""
        value = self.values.get(name)
        return value if isinstance(value, kind) else None


class _Broken(Exception):
    """The bytes at hand do not hold the whole value."""


def value_at(data: bytes, at: int, depth: int = 0, count: list[int] | None = None) -> tuple[object, int]:
    """The value that starts there, and where it ends; `count` holds how many values were read in the object."""
    at = _SPACE.match(data, at).end()
    first = data[at:at + 1]
    count = [0] if count is None else count
    count[0] += 1
    if not first or depth > _MAX_DEPTH or count[0] > _MAX_VALUES:
        raise _Broken
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
    raise _Broken


def _number(found: re.Match) -> int | float:
    return int(found[0]) if found[0].lstrip(b"+-").isdigit() else float(found[0])


def _found(place: int) -> int:
    if place < 0:
        raise _Broken
    return place


def _unescaped_name(raw: bytes) -> bytes:
    return re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)


_ATOMS = (
    (_NAME, lambda found: Name(_unescaped_name(found[1]))),
    (_REFERENCE, lambda found: Reference(int(found[1]), int(found[2]))),
    (_NUMBER, _number),
    (_WORD, lambda found: {b"true": True, b"false": False, b"null": None}[found[0]]),
)


def _dictionary(data: bytes, at: int, depth: int, count: list[int]) -> tuple[Dictionary, int]:
    found = Dictionary()
    while True:
        at = _SPACE.match(data, at).end()
        if data[at:at + 2] == b">>":
            found.stop = at + 2
            return found, at + 2
        start = at
        name, at = value_at(data, at, depth + 1, count)
        if not isinstance(name, Name):
            raise _Broken
        value, at = value_at(data, at, depth + 1, count)
        found.values[bytes(name)] = value
        found.places[bytes(name)] = start, at


def _array(data: bytes, at: int, depth: int, count: list[int]) -> tuple[list, int]:
    found: list[object] = []
    while True:
        at = _SPACE.match(data, at).end()
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
    raise _Broken


def _unescaped(found: re.Match) -> bytes:
    text = found[0]
    if text[:1] == b"\r":
        return b"\n"
    text = text[1:]
    if text[:1].isdigit() and text[:1] < b"8":
        return bytes([int(text, 8) & 0xFF])
    return _ESCAPED.get(text, b"" if text in (b"\r\n", b"\n", b"\r") else text)


@dataclass(slots=True)
class Found:
    """An object: its value, the bytes it was read from and where it starts in them, and where they lie in the file."""

    value: object
    data: bytes
    at: int
    offset: int
    reference: Reference | None = None


@dataclass(slots=True)
class _Section:
    """One cross-reference section: its trailer, whether it is a stream, and its rows."""

    trailer: Dictionary
    stream: bool
    ranges: list[tuple[int, int, int]]  # first number, count, where the rows start
    rows: bytes = b""
    widths: tuple[int, int, int] = (0, 0, 0)


class Objects:
    """The objects of a PDF file by number, newest first.

    start     where the newest cross-reference section lies
    trailer   its dictionary
    stream    whether it is a stream
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        tail_at = max(reader.size - 2048, 0)
        tail = reader.at(tail_at, reader.size - tail_at)
        last = tail.rfind(b"startxref")
        number = re.compile(rb"startxref[\0\t\n\f\r ]+(\d{1,19})").match(tail, last) if last >= 0 else None
        if number is None:
            raise reader.malformed("PDF", reader.size, Message("there is no {chunk} chunk", chunk="startxref"))
        self.start = int(number[1])
        self.sections: list[_Section] = []
        self.subsections = self.rows = 0  # how many were read, and how many bytes
        waiting, seen = [self.start], set()
        while waiting and len(seen) < _MAX_SECTIONS:
            place = waiting.pop(0)
            if place not in seen:
                seen.add(place)
                section = self._section(place)
                self.sections.append(section)
                waiting += [int(one) for name in (b"XRefStm", b"Prev")
                            if (one := section.trailer.get(name, (int, float))) is not None]
        self.trailer, self.stream = self.sections[0].trailer, self.sections[0].stream

    def _section(self, place: int) -> _Section:
        head = self.reader.at(place, min(16, self.reader.size - place), "cross-reference section")
        if head.lstrip(BLANK)[:4] == b"xref":
            return self._table(place + head.index(b"xref") + 4)
        found = self.at(place)
        rows = self.stream_of(found)
        self.rows += len(rows)
        if self.rows > _MAX_ROWS:
            raise self.reader.too_many("byte of cross-reference streams", _MAX_ROWS)
        trailer = found.value
        widths = tuple(trailer.get(b"W", list) or ())
        size = trailer.get(b"Size", int)
        if len(widths) != 3 or not all(isinstance(one, int) and 0 <= one <= 8 for one in widths) or size is None:
            raise self._broken(place)
        index = trailer.get(b"Index", list) or [0, size]
        if len(index) % 2 or not all(isinstance(one, int) and one >= 0 for one in index):
            raise self._broken(place)
        ranges, at = [], 0
        for first, count in zip(index[::2], index[1::2], strict=True):
            ranges.append((first, count, at))
            at += count * sum(widths)
        return _Section(trailer, True, ranges, rows, widths)

    def _table(self, at: int) -> _Section:
        ranges: list[tuple[int, int, int]] = []
        while True:
            window = self.reader.at(at, min(64, self.reader.size - at), "cross-reference table")
            found = _SUBSECTION.match(window)
            if found is None:
                word = _SPACE.match(window).end()
                if window[word:word + 7] != b"trailer":
                    raise self._broken(at)
                value = self._value(at + word + 7)[0]
                if not isinstance(value, Dictionary):
                    raise self._broken(at)
                return _Section(value, False, ranges)
            first, count, start = int(found[1]), int(found[2]), at + found.end()
            ranges.append((first, count, start))
            at = start + 20 * count
            self.subsections += 1
            if self.subsections > _MAX_SUBSECTIONS:
                raise self.reader.too_many("cross-reference subsection", _MAX_SUBSECTIONS)

    def _broken(self, place: int) -> MalformedFile:
        return self.reader.malformed("PDF", place, Message("a cross-reference or object is broken"))

    def _value(self, place: int) -> tuple[object, bytes, int]:
        """The value that starts at a place, the window it was read in, and where it ends in it."""
        for size in _WINDOWS:
            window = self.reader.at(place, min(size, max(self.reader.size - place, 0)), "object")
            try:
                value, stop = value_at(window, 0)
                return value, window, stop
            except _Broken:
                if place + size >= self.reader.size:
                    break
        raise self._broken(place)

    def at(self, place: int, number: int | None = None) -> Found:
        """The object that starts at a place of the file."""
        head = self.reader.at(place, min(64, max(self.reader.size - place, 0)), "object")
        mark = _OBJECT.match(head, _SPACE.match(head).end())
        if mark is None or (number is not None and int(mark[1]) != number):
            raise self._broken(place)
        value, window, _ = self._value(place + mark.end())
        return Found(value, window, 0, place + mark.end(), Reference(int(mark[1]), int(mark[2])))

    def get(self, reference: object) -> Found | None:
        """The object that a reference names, or None where there is none."""
        if not isinstance(reference, Reference):
            return None
        for section in self.sections:
            row = self._row(section, reference.number)
            if row is not None:
                kind, place, index = row
                if kind == 1:
                    return self.at(place, reference.number)
                return self._in_stream(place, index, reference) if kind == 2 else None
        return None

    def _row(self, section: _Section, number: int) -> tuple[int, int, int] | None:
        for first, count, at in section.ranges:
            if first <= number < first + count:
                if not section.stream:
                    row = self.reader.at(at + 20 * (number - first), 18, "cross-reference table")
                    if not re.fullmatch(rb"\d{10} \d{5} [nf]", row):
                        raise self._broken(at)
                    return (1, int(row[:10]), int(row[11:16])) if row.endswith(b"n") else (0, 0, 0)
                a, b, c = section.widths
                at += (number - first) * (a + b + c)
                row = section.rows[at:at + a + b + c]
                if len(row) < a + b + c:
                    raise self._broken(self.start)
                kind = int.from_bytes(row[:a], "big") if a else 1
                return kind, int.from_bytes(row[a:a + b], "big"), int.from_bytes(row[a + b:], "big")
        return None

    def _in_stream(self, number: int, index: int, wanted: Reference) -> Found | None:
        """An object in an object stream, which is not itself in one."""
        for section in self.sections:
            row = self._row(section, number)
            if row is not None:
                if row[0] != 1:
                    break
                holder = self.at(row[1], number)
                data = self.stream_of(holder)
                first = holder.value.get(b"First", int)
                if first is None or not 0 <= first <= len(data) or index > _MAX_VALUES:
                    break
                words = data[:first].split(None, 2 * index + 2)[:2 * index + 2]
                numbers = [int(one) for one in words if one.isdigit() and len(one) <= 10]
                if len(numbers) < 2 * index + 2 or numbers[2 * index] != wanted.number:
                    break
                at = first + numbers[2 * index + 1]
                try:
                    return Found(value_at(data, at)[0], data, at, holder.offset, wanted)
                except _Broken:
                    break
        raise self._broken(self.start)

    def resolve(self, value: object) -> object:
        """The value itself, or the one that a reference names."""
        found = self.get(value) if isinstance(value, Reference) else None
        return found.value if found else None if isinstance(value, Reference) else value

    def stream_of(self, found: Found) -> bytes:
        """The bytes of a stream object, unpacked and bounded; raises MalformedFile for other filters than Flate."""
        dictionary = found.value
        length = self.resolve(dictionary.get(b"Length")) if isinstance(dictionary, Dictionary) else None
        if not isinstance(length, int) or length < 0:
            raise self._broken(found.offset)
        mark = re.compile(rb"[\0\t\n\f\r ]*stream(?:\r\n|\n|\r)").match(found.data, dictionary.stop)
        if mark is None:
            raise self._broken(found.offset)
        raw = self.reader.at(found.offset + mark.end(), length, "stream")
        filters = dictionary.get(b"Filter")
        filters = filters if isinstance(filters, list) else [] if filters is None else [filters]
        parameters = dictionary.get(b"DecodeParms")
        parameters = parameters[0] if isinstance(parameters, list) and parameters else parameters
        if not filters:
            return raw
        if [bytes(one) for one in filters if isinstance(one, Name)] != [b"FlateDecode"]:
            raise self.reader.malformed("PDF", found.offset, Message("a stream is packed otherwise than by Flate"))
        return self._unpredicted(self.reader.inflate(raw, found.offset, "PDF"), parameters, found.offset)

    def _unpredicted(self, data: bytes, parameters: object, offset: int) -> bytes:
        """Rows without the PNG predictor that tables are packed with (None or Up in practice)."""
        predictor = parameters.get(b"Predictor", int) if isinstance(parameters, Dictionary) else None
        if predictor in (None, 1):
            return data
        columns = parameters.get(b"Columns", int) or 1
        if predictor < 10 or not 0 < columns <= 65_536:
            raise self._broken(offset)
        count = len(data) // (columns + 1)
        rows = np.frombuffer(data, np.uint8, count * (columns + 1)).reshape(count, columns + 1)
        kinds = rows[:, 0]
        if not np.isin(kinds, (0, 2)).all():
            raise self._broken(offset)
        sums = np.add.accumulate(rows[:, 1:], axis=0, dtype=np.uint8)
        # a row of kind 0 does not build on the one above: what was summed up to there goes
        starts = np.maximum.accumulate(np.where(kinds == 0, np.arange(count, dtype=np.int32), 0))
        return (sums - np.where(starts[:, None] > 0, sums[starts - 1], np.uint8(0))).tobytes()
