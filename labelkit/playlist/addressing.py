# SPDX-License-Identifier: Apache-2.0
"""Which files, or ranges of bytes, a representation of DASH is made of (ISO/IEC 23009-1, 5.3.9)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from labelkit.container import fragments
from labelkit.container.markup import Element
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.playlist.files import MAX_SEGMENTS, Folder, Part, Segment

KINDS = ("SegmentTemplate", "SegmentList", "SegmentBase")
_NAME = re.compile(r"\$(?:(RepresentationID)|(Number|Time|Bandwidth)(?:%0(\d{1,2})d)?)?\$")
_RANGE = re.compile(r"(\d{1,15})-(\d{1,15})")
_WHOLE = re.compile(r"-?\d{1,18}")
_MAX_WIDTH = 20  # digits of a number in a name
_MAX_INDEX = 1 << 20  # bytes of a box sidx
_REST = 1e-6  # of a segment: so little of it is rounding of the period's length
Range = tuple[Element, str, Part]
"""An attribute that states a range of bytes, and the part that it is of."""


class _Time(NamedTuple):
    """The number of a segment, its time and length in units of the scale, and whether it must be there: the last one
    that only the length of the period tells need not be."""

    number: int
    time: int
    length: int
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a representation lies.

    folder   of the presentation
    where    what messages call it
    base     the path that its URLs are relative to
    names    of the identifiers in templates: RepresentationID and Bandwidth
    begin    of its period, in seconds
    seconds  how long the period is; None where the manifest does not say
    """

    folder: Folder
    where: str
    base: PurePosixPath
    names: Mapping[str, str]
    begin: float
    seconds: float | None

    def part(self, uri: str | None, span: str | None = None) -> Part:
        """The part that a URL and a range name; without a URL that of the BaseURL."""
        path = self.base if uri is None else self.folder.named(uri, self.base, self.where)
        if span is None:
            return Part(path)
        found = _RANGE.fullmatch(span)
        if not found or int(found[2]) < int(found[1]):
            raise MalformedFile("{where}: {span} is no range of bytes", where=self.where, span=span[:80])
        return Part(path, int(found[1]), int(found[2]) - int(found[1]) + 1)

    def named(self, template: str, **facts: int) -> str:
        """A URL of a template (5.3.9.4.4). Raises UnsupportedFormat for identifiers that are not known."""
        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name is None:
                return "$"
            if name == "RepresentationID":
                return self.names[name]
            number = str(facts.get(name, self.names.get(name, "")))
            if not _WHOLE.fullmatch(number) or int(found[3] or 0) > _MAX_WIDTH:
                raise UnsupportedFormat("{where}: the template {pattern} cannot be filled", where=self.where,
                                        pattern=template[:200])
            return f"{int(number):0{int(found[3] or 1)}d}"

        if "$" in _NAME.sub("", template):
            raise UnsupportedFormat("{where}: the template {pattern} cannot be filled", where=self.where,
                                    pattern=template[:200])
        return _NAME.sub(value, template)


@dataclass(frozen=True, slots=True)
class Addressing:
    """What says where the segments of one representation are: the element nearest to it, and what it inherits.

    kind        one of KINDS
    attributes  its own, and those of the outer elements of its kind that it does not state itself
    inner       the elements in it, by name
    """

    kind: str
    attributes: Mapping[str, str]
    inner: Mapping[str, list[Element]]
    element: Element

    def whole(self, name: str, default: int, where: str) -> int:
        """An attribute that is a whole number, not negative. Raises MalformedFile."""
        return whole(self.attributes.get(name, str(default)), name, where)

    def first(self, name: str) -> Element | None:
        """The first inner element of this name."""
        return next(iter(self.inner.get(name, ())), None)

    def segments(self, place: Place) -> tuple[list[Segment], list[Range]]:
        """The segments, in order, and the attributes that state ranges of bytes."""
        ranges: list[Range] = []
        initialisation = self._initialisation(place, ranges)
        if self.kind == "SegmentBase":
            found = list(self._indexed(place, initialisation, ranges))
        else:
            found = list(self._listed(place, initialisation, ranges))
        if not found:
            raise MalformedFile("{where}: the manifest names no segment", where=place.where)
        return found, ranges

    def _initialisation(self, place: Place, ranges: list[Range]) -> Part | None:
        template = self.attributes.get("initialization") if self.kind == "SegmentTemplate" else None
        if template is not None:
            return place.part(place.named(template))
        found = self.first("Initialization")
        if found is None:
            return None
        part = place.part(found.attributes.get("sourceURL"), found.attributes.get("range"))
        if part.start is not None:
            ranges.append((found, "range", part))
        return part

    def _listed(self, place: Place, initialisation: Part | None, ranges: list[Range]) -> Iterator[Segment]:
        scale = max(1, self.whole("timescale", 1, place.where))
        offset = self.whole("presentationTimeOffset", 0, place.where)
        urls = iter(self.inner.get("SegmentURL", ()))
        for number, time, length, is_certain in self._times(place, scale):
            if self.kind == "SegmentList":
                url = next(urls, None)
                if url is None:
                    break
                part = place.part(url.attributes.get("media"), url.attributes.get("mediaRange"))
                ranges += [(url, "mediaRange", part)] if part.start is not None else []
            else:
                part = place.part(place.named(self.attributes.get("media", ""), Number=number, Time=time))
                if not is_certain and not place.folder.has(part.path):
                    break
            first = number == self.whole("startNumber", 1, place.where)
            begin = place.begin if first else place.begin + max(0.0, (time - offset) / scale)
            yield Segment(part, initialisation, length / scale, begin)

    def _times(self, place: Place, scale: int) -> Iterator[_Time]:
        """When each segment is."""
        start = number = self.whole("startNumber", 1, place.where)
        timeline = self.first("SegmentTimeline")
        offset = self.whole("presentationTimeOffset", 0, place.where)
        end = None if place.seconds is None else offset + place.seconds * scale
        if timeline is not None:
            for time, length in _timed(self.inner.get("S", []), end, place.where):
                yield _Time(number, time, length)
                number += 1
            return
        length = self.whole("duration", 0, place.where)
        if self.kind == "SegmentList":
            length = length or round(scale * (place.seconds or 0))
            for _ in self.inner.get("SegmentURL", ()):
                yield _Time(number, offset + (number - start) * length, length)
                number += 1
            return
        if not length or end is None:
            raise MalformedFile("{where}: the manifest does not say how long the segments or the period are",
                                where=place.where)
        count = math.ceil((end - offset) / length - _REST)
        if "endNumber" in self.attributes:
            count = min(count, self.whole("endNumber", 0, place.where) - start + 1)
        _check_count(count, place.where)
        for index in range(count):
            yield _Time(start + index, offset + index * length, length, not index or index < count - 1)

    def _indexed(self, place: Place, initialisation: Part | None, ranges: list[Range]) -> Iterator[Segment]:
        """The segments of one file, which its box sidx tells (ISO/IEC 14496-12, 8.16.3)."""
        span = self.attributes.get("indexRange")
        if span is None:
            raise UnsupportedFormat("{where}: the manifest does not tell its segments", where=place.where,
                                    hint="repackage it with SegmentTemplate, SegmentList, or indexRange of a box sidx")
        index = place.part(None, span)
        ranges.append((self.element, "indexRange", index))
        if index.length > _MAX_INDEX:
            raise LimitExceeded("{where}: an index of {size} bytes, at most {limit} are read", where=place.where,
                                size=index.length, limit=_MAX_INDEX)
        assert index.start is not None
        before = initialisation or Part(index.path, 0, index.start)
        first, scale, rows = fragments.read_index(place.folder.bytes_of(index), place.where)
        at, time = index.start + index.length + first, 0
        for size, length in rows:
            yield Segment(Part(index.path, at, size), before, length / scale, place.begin + time / scale, index)
            at, time = at + size, time + length


def whole(text: str, name: str, where: str) -> int:
    """A whole number, not negative. Raises MalformedFile."""
    if not _WHOLE.fullmatch(text) or int(text) < 0:
        raise MalformedFile("{where}: {name} is {text}, no whole number", where=where, name=name, text=text[:40])
    return int(text)


def _timed(rows: list[Element], end: float | None, where: str) -> Iterator[tuple[int, int]]:
    """(time, length) of the segments of a SegmentTimeline (5.3.9.6)."""
    time = count = 0
    for number, row in enumerate(rows):
        if row.attributes.get("k", "1") != "1":
            raise UnsupportedFormat("{where}: sequences of segments are not read", where=where)
        time = whole(row.attributes.get("t", str(time)), "t", where)
        length = whole(row.attributes.get("d", ""), "d", where)
        repeat = row.attributes.get("r", "0")
        if not _WHOLE.fullmatch(repeat) or not length:
            raise MalformedFile("{where}: {name} is {text}, no whole number", where=where, name="r", text=repeat[:40])
        times = int(repeat) + 1
        if times <= 0:  # up to the next row, or to the end of the period
            stop = rows[number + 1].attributes.get("t") if number + 1 < len(rows) else None
            until = whole(stop, "t", where) if stop is not None else end
            if until is None:
                raise MalformedFile("{where}: the manifest does not say how long the segments or the period are",
                                    where=where)
            times = math.ceil((until - time) / length - _REST)
        count += max(1, times)  # a row of none costs time too
        _check_count(count, where)
        for _ in range(times):
            yield time, length
            time += length


def _check_count(count: int, where: str) -> None:
    if count > MAX_SEGMENTS:
        raise LimitExceeded("{where}: more than {limit} segments", where=where, limit=MAX_SEGMENTS)
