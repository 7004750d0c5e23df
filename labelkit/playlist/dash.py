# SPDX-License-Identifier: Apache-2.0
"""Manifests of MPEG-DASH (ISO/IEC 23009-1): read, and written again with what the labelled segments have changed.

Every byte that does not tell a range, a bit rate or a codec is written as it was read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from labelkit.container import fragments, markup
from labelkit.container.markup import Element
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.messages import Message
from labelkit.playlist.addressing import KINDS, Addressing, Place, Range
from labelkit.playlist.files import MAX_RENDITIONS, MAX_SEGMENTS, Folder, Part, Rendition
from labelkit.playlist.segments import Outcome

_NAMESPACE, _XLINK = "urn:mpeg:dash:schema:mpd:2011", "http://www.w3.org/1999/xlink\nhref"
_LENGTH = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10}(?:\.\d{1,9})?)S)?)?")
_PARTS = 86_400, 3_600, 60, 1
_PICTURES = ("avc1", "avc3", "hvc1", "hev1", "av01", "vp08", "vp09", "dvh1", "dvhe", "dva1", "dvav", "mp4v")
_RATE = re.compile(r"[0-9]{1,15}")
_MAX_ALL = 2 * MAX_SEGMENTS  # of all representations of a manifest
_MAX_INHERITED = 20 * MAX_SEGMENTS  # elements that they are told by, each counted for every one of them


@dataclass(frozen=True, slots=True)
class _Representation:
    """One version of the pictures, the sound or the texts of a period.

    ranges        the attributes that state ranges of bytes
    has_rate      whether names of its files contain its bit rate
    """

    element: Element
    adaptation: Element
    rendition: Rendition
    ranges: list[Range]
    has_rate: bool


class Presentation:
    """A manifest, and what it names."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._name = str(folder.entry)
        self._data = folder.text(folder.entry).encode()
        self._elements = markup.parse(self._data, self._name)
        self._inner: dict[int, list[Element]] = {}
        self._named: dict[tuple[int, str], list[Element]] = {}
        self._inherited = 0
        for element in self._elements:
            if element.parent:
                self._inner.setdefault(element.parent.index, []).append(element)
                self._named.setdefault((element.parent.index, element.name), []).append(element)
        self._refuse()
        self._representations = list(self._read())

    def renditions(self) -> Iterable[Rendition]:
        """The representations, each of one period."""
        return (one.rendition for one in self._representations)

    def files(self) -> Iterable[PurePosixPath]:
        """Nothing else is copied."""
        return ()

    def _in(self, element: Element, name: str) -> list[Element]:
        """The elements of this name in another."""
        return self._named.get((element.index, f"{_NAMESPACE}\n{name}"), [])

    def _refuse(self) -> None:
        """Raise for what is no finished and plain manifest."""
        root = self._elements[0]
        if root.name != f"{_NAMESPACE}\nMPD":
            raise MalformedFile("{where}: a manifest of DASH has an element MPD", where=self._name)
        if root.attributes.get("type", "static") != "static":
            raise UnsupportedFormat("{where}: the manifest belongs to a presentation that is still written",
                                    where=self._name, hint="label a finished presentation, or live frames through "
                                    "labelkit.Labeller")
        for element in self._elements:
            if element.local == "ContentProtection":
                raise UnsupportedFormat("{where}: the segments are encrypted", where=self._name,
                                        hint="label the presentation, then encrypt it")
            if _XLINK in element.attributes:
                raise UnsupportedFormat("{where} names {uri}; only files below the playlist's own folder are read, by "
                                        "relative paths, and nothing is fetched", where=self._name,
                                        uri=element.attributes[_XLINK][:200],
                                        hint="download the whole presentation, then label it")

    def _read(self) -> Iterator[_Representation]:
        root, count, total = self._elements[0], 0, 0
        names: set[str] = set()
        base = self._base(root, self.folder.entry)
        periods = list(self._periods(root))
        ends = [begin + seconds for _, begin, seconds in periods if seconds is not None]
        length = max(ends) if len(ends) == len(periods) else None
        for number, (period, begin, seconds) in enumerate(periods):
            prefix = f"{number + 1}/" if len(periods) > 1 else ""
            below = self._base(period, base)
            for adaptation in self._in(period, "AdaptationSet"):
                for element in self._in(adaptation, "Representation"):
                    name = f"{self._name}#{prefix}{element.attributes.get('id', count)}"
                    name += f"#{count}" if name in names else ""
                    names.add(name)
                    place = Place(self.folder, name, self._base(element, self._base(adaptation, below)),
                                  {"RepresentationID": element.attributes.get("id", ""),
                                   "Bandwidth": element.attributes.get("bandwidth", "")}, begin, seconds)
                    one = self._representation(place, (period, adaptation, element), length)
                    count, total = count + 1, total + len(one.rendition.segments)
                    if count > MAX_RENDITIONS or total > _MAX_ALL:
                        raise LimitExceeded("{where}: more than {limit} segments", where=self._name, limit=_MAX_ALL)
                    yield one
        if not count:
            raise MalformedFile("{where}: the manifest names no segment", where=self._name)

    def _periods(self, root: Element) -> Iterator[tuple[Element, float, float | None]]:
        """(element, begin, seconds) of each period (5.3.2.1)."""
        found = self._in(root, "Period")
        whole = self._seconds(root, "mediaPresentationDuration")
        starts = [self._seconds(period, "start") for period in found]
        begin: float | None = 0.0
        for number, period in enumerate(found):
            begin = begin if starts[number] is None else starts[number]
            if begin is None:
                raise MalformedFile("{where}: the manifest does not say when period {number} begins",
                                    where=self._name, number=number + 1)
            following = starts[number + 1] if number + 1 < len(found) else whole
            seconds = self._seconds(period, "duration")
            if seconds is None and following is not None:
                seconds = max(0.0, following - begin)
            yield period, begin, seconds
            begin = None if seconds is None else begin + seconds

    def _seconds(self, element: Element, name: str) -> float | None:
        """A length of time (ISO 8601); None where it is not stated."""
        text = element.attributes.get(name)
        if text is None:
            return None
        found = _LENGTH.fullmatch(text)
        if not found or not any(found.groups()):
            raise MalformedFile("{where}: {name} is {text}, no length in days, hours, minutes and seconds",
                                where=self._name, name=name, text=text[:40])
        return sum(factor * float(value) for factor, value in zip(_PARTS, found.groups(), strict=True) if value)

    def _base(self, element: Element, outer: PurePosixPath) -> PurePosixPath:
        """The path that URLs in an element are relative to (5.6)."""
        found = self._in(element, "BaseURL")
        if not found:
            return outer
        if len(found) > 1:
            raise UnsupportedFormat("{where}: several addresses of the same files are not read", where=self._name,
                                    hint="leave one BaseURL, relative to the manifest")
        uri = markup.text_of(self._elements, found[0]).strip()
        path = self.folder.named(uri.removesuffix("/"), outer, self._name)
        return path / "-" if uri.endswith("/") else path  # the last name of a base does not count

    def _representation(self, place: Place, levels: tuple[Element, ...], total: float | None) -> _Representation:
        _, adaptation, element = levels
        kind = element.attributes.get("mimeType", adaptation.attributes.get("mimeType", ""))
        if kind.endswith(("/webm", "/x-matroska")):
            raise UnsupportedFormat("{where}: segments of WebM are not labelled", where=place.where,
                                    hint="repackage the presentation with segments of fragmented MP4")
        addressing = self._addressing(levels)
        if addressing is None and kind.startswith(("text/", "image/", "application/")):
            addressing = Addressing("SegmentList", {}, {"SegmentURL": [element]}, element)  # one file
        if addressing is None:
            addressing = Addressing("SegmentBase", {}, {}, element)  # refused, because nothing tells its segments
        segments, ranges = addressing.segments(place)
        templates = [addressing.attributes.get(name, "") for name in ("media", "initialization")]
        return _Representation(element, adaptation, Rendition(place.where, tuple(segments), total), ranges,
                               any("$Bandwidth" in template for template in templates))

    def _addressing(self, levels: tuple[Element, ...]) -> Addressing | None:
        """What the levels, from the outermost, say of where the segments are."""
        found = [one for level in levels for kind in KINDS for one in self._in(level, kind)[:1]]  # a level has one
        if not found:
            return None
        nearest = found[-1]
        inner: dict[str, list[Element]] = {}
        attributes: dict[str, str] = {}
        for one in found:
            if one.local == nearest.local:
                attributes |= one.attributes
                for child in self._inner.get(one.index, ()):
                    inner[child.local] = []  # those of the outer one are not used any more
                for child in self._inner.get(one.index, ()):
                    inner[child.local].append(child)
        timeline = inner.get("SegmentTimeline", ())
        inner["S"] = self._in(timeline[0], "S") if timeline else []
        self._inherited += sum(map(len, inner.values()))
        if self._inherited > _MAX_INHERITED:
            raise LimitExceeded("the {what} has more than {limit} elements", what=self._name, limit=_MAX_INHERITED)
        stated = {name for url in inner.get("SegmentURL", ()) for name in url.attributes}
        stated |= attributes.keys() | inner.keys()
        for name in ("RepresentationIndex", "BitstreamSwitching", "index", "bitstreamSwitching"):
            if name in stated:
                raise UnsupportedFormat("{where}: files that {name} names are not written", where=self._name, name=name,
                                        hint="leave it out of the manifest")
        return Addressing(nearest.local, attributes, inner, nearest)

    def patches(self, parts: Mapping[Part, Part]) -> Iterator[tuple[Part, bytes]]:
        """What is to be written over new parts: the indexes of files whose segments are ranges in them.

        parts  where each part of the source lies now
        """
        for one in self._representations:
            segments = one.rendition.segments
            if segments[0].index:
                data = self.folder.bytes_of(segments[0].index)
                sizes = [parts[row.part].length for row in segments]
                yield parts[segments[0].index], fragments.changed_index(data, sizes)

    def texts(self, parts: Mapping[Part, Part], outcomes: Mapping[str, Outcome],
              left_out: list[Message]) -> dict[PurePosixPath, str]:
        """The manifest, with the ranges, bit rates and codecs of the labelled segments."""
        changes: dict[tuple[int, str], str] = {}
        for one in self._representations:
            outcome = outcomes[one.rendition.name]
            for element, name, part in one.ranges:
                new = parts[part]
                self._set(changes, element, name, f"{new.start}-{(new.start or 0) + new.length - 1}")
                if name == "mediaRange" and "indexRange" in element.attributes:
                    self._set(changes, element, "indexRange", "")  # of a box that the segment need not have
            if outcome.codec:
                old = one.element.attributes.get("codecs", one.adaptation.attributes.get("codecs", outcome.codec))
                names = [outcome.codec if name.strip()[:4] in _PICTURES else name for name in old.split(",")]
                self._set(changes, one.element, "codecs", ",".join(dict.fromkeys(names)))
                self._note_differences(changes, one)
            if outcome.peak and one.has_rate:
                left_out.append(Message("{where}: the bit rate stays as it was stated, because the names of the files "
                                        "contain it", where=one.rendition.name))
            elif outcome.peak and _RATE.fullmatch(rate := one.element.attributes.get("bandwidth", "")):
                self._set(changes, one.element, "bandwidth", str(max(1, int(rate) + outcome.peak)))
        edits = [edit for (index, name), value in changes.items() for edit in self._edits(index, name, value)]
        return {self.folder.entry: markup.changed(self._data, edits).decode()}

    def _note_differences(self, changes: dict[tuple[int, str], str], one: _Representation) -> None:
        """State that labelled representations need their own initialisation segments."""
        if len(self._in(one.adaptation, "Representation")) > 1 and "bitstreamSwitching" in one.adaptation.attributes:
            self._set(changes, one.adaptation, "bitstreamSwitching", "false")

    def _set(self, changes: dict[tuple[int, str], str], element: Element, name: str, value: str) -> None:
        if changes.setdefault((element.index, name), value) != value:
            raise UnsupportedFormat("{where}: several representations share one {name}", where=self._name, name=name,
                                    hint="state it in each representation")

    def _edits(self, index: int, name: str, value: str) -> Iterator[tuple[int, int, bytes]]:
        """The change that gives an element an attribute; "" takes it away."""
        element = self._elements[index]
        made = f'{name}="{html.escape(value)}"'.encode() if value else b""
        for raw, start, stop in element.raw_attributes(self._data):
            if raw == name.encode():
                text = self._data[start:stop]
                yield start, stop, text[:len(text) - len(text.lstrip())] + made if made else b""
                return
        if made:
            at = element.start + 1 + len(element.raw_name(self._data))
            yield at, at, b" " + made
