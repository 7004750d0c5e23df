# SPDX-License-Identifier: Apache-2.0
"""PDF objects: cross-reference sections, object streams, and the objects that they place (ISO 32000-2, 7.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labelkit.container.base import MAX_BODY, Reader
from labelkit.container.pdfsyntax import (
    BLANK,
    MAX_VALUES,
    Broken,
    Dictionary,
    Name,
    Reference,
    Value,
    past_space,
    value_at,
)
from labelkit.errors import MalformedFile
from labelkit.messages import Message

_OBJECT = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj")
_SUBSECTION = re.compile(rb"[\0\t\n\f\r ]*(\d{1,10}) +(\d{1,10})[\0\t\n\f\r ]*")
_WINDOWS = (4096, 1 << 18, MAX_BODY)  # an object is read in a window, a larger one where it does not end in it
_MAX_SECTIONS, _MAX_SUBSECTIONS = 512, 32_768
_MAX_ROWS = 2 * MAX_BODY  # bytes of all cross-reference streams


@dataclass(slots=True)
class Found:
    """An object: its value, the bytes it was read from and where it starts in them, and where they lie in the file."""

    value: Value
    data: bytes
    at: int
    offset: int
    reference: Reference

    @property
    def dictionary(self) -> Dictionary:
        """The value, an empty dictionary where it is none."""
        return self.value if isinstance(self.value, Dictionary) else Dictionary()


@dataclass(slots=True)
class _Section:
    """One cross-reference section: its trailer, whether it is a stream, and its rows."""

    trailer: Dictionary
    stream: bool
    ranges: list[tuple[int, int, int]]  # first number, count, where the rows start
    rows: bytes = b""
    widths: tuple[int, int, int] = (0, 0, 0)


def _counts(values: list[Value]) -> list[int] | None:
    """The numbers of an array, None where one of them is no whole number or below 0."""
    numbers = [one for one in values if isinstance(one, int) and one >= 0]
    return numbers if len(numbers) == len(values) else None


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
        self._last = -1, b""  # the object stream that was unpacked last
        self._unpacking = False
        waiting, seen = [self.start], set[int]()
        while waiting and len(seen) < _MAX_SECTIONS:
            place = waiting.pop(0)
            if place not in seen:
                seen.add(place)
                section = self._section(place)
                self.sections.append(section)
                waiting += [int(one) for name in (b"XRefStm", b"Prev")
                            if isinstance(one := section.trailer.get(name), int | float)]
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
        trailer = found.dictionary
        size = trailer.integer(b"Size")
        widths = _counts(trailer.array(b"W"))
        if widths is None or len(widths) != 3 or max(widths) > 8 or size is None:
            raise self._broken(place)
        index = _counts(trailer.array(b"Index") or [0, size])
        if index is None or len(index) % 2:
            raise self._broken(place)
        ranges, at = [], 0
        for first, count in zip(index[::2], index[1::2], strict=True):
            ranges.append((first, count, at))
            at += count * sum(widths)
        return _Section(trailer, True, ranges, rows, (widths[0], widths[1], widths[2]))

    def _table(self, at: int) -> _Section:
        ranges: list[tuple[int, int, int]] = []
        while True:
            window = self.reader.at(at, min(64, self.reader.size - at), "cross-reference table")
            found = _SUBSECTION.match(window)
            if found is None:
                word = past_space(window, 0)
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

    def _value(self, place: int) -> tuple[Value, bytes, int]:
        """The value that starts at a place, the window it was read in, and where it ends in it."""
        for size in _WINDOWS:
            window = self.reader.at(place, min(size, max(self.reader.size - place, 0)), "object")
            try:
                value, stop = value_at(window, 0)
                return value, window, stop
            except Broken:
                if place + size >= self.reader.size:
                    break
        raise self._broken(place)

    def at(self, place: int, number: int | None = None) -> Found:
        """The object that starts at a place of the file."""
        head = self.reader.at(place, min(64, max(self.reader.size - place, 0)), "object")
        mark = _OBJECT.match(head, past_space(head, 0))
        if mark is None or (number is not None and int(mark[1]) != number):
            raise self._broken(place)
        value, window, _ = self._value(place + mark.end())
        return Found(value, window, 0, place + mark.end(), Reference(int(mark[1]), int(mark[2])))

    def get(self, reference: Value) -> Found | None:
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
                if self._last[0] != number:  # neighbours lie in one stream
                    self._last = number, self._unpacked(holder)
                data = self._last[1]
                first = holder.dictionary.integer(b"First")
                if first is None or not 0 <= first <= len(data) or index > MAX_VALUES:
                    break
                words = data[:first].split(None, 2 * index + 2)[:2 * index + 2]
                numbers = [int(one) for one in words if one.isdigit() and len(one) <= 10]
                if len(numbers) < 2 * index + 2 or numbers[2 * index] != wanted.number:
                    break
                at = first + numbers[2 * index + 1]
                try:
                    return Found(value_at(data, at)[0], data, at, holder.offset, wanted)
                except Broken:
                    break
        raise self._broken(self.start)

    def _unpacked(self, holder: Found) -> bytes:
        """The bytes of an object stream, whose length is no object in such a stream (ISO 32000-2, 7.5.7)."""
        if self._unpacking:
            raise self._broken(holder.offset)
        self._unpacking = True
        try:
            return self.stream_of(holder)
        finally:
            self._unpacking = False

    def resolve(self, value: Value) -> Value:
        """The value itself, or the one that a reference names."""
        if not isinstance(value, Reference):
            return value
        found = self.get(value)
        return found.value if found else None

    def stream_of(self, found: Found) -> bytes:
        """The bytes of a stream object, unpacked and bounded; raises MalformedFile for other filters than Flate."""
        dictionary = found.dictionary
        length = self.resolve(dictionary.get(b"Length"))
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

    def _unpredicted(self, data: bytes, parameters: Value, offset: int) -> bytes:
        """Rows without the PNG predictor that tables are packed with (None or Up in practice)."""
        predictor = parameters.integer(b"Predictor") if isinstance(parameters, Dictionary) else None
        if not isinstance(parameters, Dictionary) or predictor is None or predictor == 1:
            return data
        columns = parameters.integer(b"Columns") or 1
        if predictor < 10 or not 0 < columns <= 65_536:
            raise self._broken(offset)
        import numpy as np

        count = len(data) // (columns + 1)
        rows = np.frombuffer(data, np.uint8, count * (columns + 1)).reshape(count, columns + 1)
        kinds = rows[:, 0]
        if not np.isin(kinds, (0, 2)).all():
            raise self._broken(offset)
        sums = np.add.accumulate(rows[:, 1:], axis=0, dtype=np.uint8)
        # a row of kind 0 does not build on the one above: what was summed up to there goes
        starts = np.maximum.accumulate(np.where(kinds == 0, np.arange(count, dtype=np.int32), 0))
        return (sums - np.where(starts[:, None] > 0, sums[starts - 1], np.uint8(0))).tobytes()
