# SPDX-License-Identifier: Apache-2.0
"""Playlists of HTTP Live Streaming (RFC 8216): read, and written again with the places of the labelled segments.

Every line that does not tell a place, a size or a codec is written as it was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.messages import Message
from labelkit.playlist.files import MAX_RENDITIONS, MAX_SEGMENTS, Folder, Part, Rendition, Segment
from labelkit.playlist.segments import Outcome

HEAD = "#EXTM3U"
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)')
_RATE = re.compile(r"[0-9]{1,15}")
_RANGE = re.compile(r"(\d{1,15})(?:@(\d{1,15}))?")
_LENGTH = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_LIVE = ("#EXT-X-PART:", "#EXT-X-PRELOAD-HINT", "#EXT-X-SKIP", "#EXT-X-DEFINE", "#EXT-X-CONTENT-STEERING")
_I_FRAMES = "#EXT-X-I-FRAME-STREAM-INF:"
_VARIANT = "#EXT-X-STREAM-INF:"
_MAP, _BYTERANGE, _BITRATE = "#EXT-X-MAP:", "#EXT-X-BYTERANGE:", "#EXT-X-BITRATE:"


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist as it was read.

    path       its own, relative to the folder of the presentation
    lines      all of them, without their ends
    rendition  its segments; None where it names other playlists
    others     what it names beside its segments: the playlists, by the number of the line
    files      what it names and is copied, such as session data, by the number of the line
    """

    path: PurePosixPath
    lines: tuple[str, ...]
    rendition: Rendition | None
    others: Mapping[int, PurePosixPath]
    files: Mapping[int, PurePosixPath]


@dataclass(frozen=True, slots=True)
class Change:
    """What of a variant has changed: bits a second that peak and mean have grown by, and its codecs by their kind.

    codecs  such as {"avc1": "avc1.640015"}
    """

    peak: int
    mean: int
    codecs: Mapping[str, str]


class Presentation:
    """A playlist and all those that it names, by their paths; the first is the one that was given."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        first = parse(folder.text(folder.entry), folder.entry, folder)
        self._playlists = {first.path: first}
        for path in first.others.values():
            if len(self._playlists) > MAX_RENDITIONS:
                raise LimitExceeded("{where}: more than {limit} playlists", where=str(folder.entry),
                                    limit=MAX_RENDITIONS)
            one = self._playlists.get(path) or parse(folder.text(path), path, folder)
            if one.rendition is None:
                raise UnsupportedFormat("{where}: a playlist of playlists names another one", where=str(path))
            self._playlists[path] = one

    def renditions(self) -> Iterable[Rendition]:
        """The playlists of media."""
        return (one.rendition for one in self._playlists.values() if one.rendition)

    def files(self) -> Iterable[PurePosixPath]:
        """What the playlists name beside media, and is copied."""
        return (path for one in self._playlists.values() for path in one.files.values())

    def patches(self, parts: Mapping[Part, Part]) -> Iterator[tuple[Part, bytes]]:
        """Nothing in the files tells where their segments are."""
        return iter(())

    def texts(self, parts: Mapping[Part, Part], outcomes: Mapping[str, Outcome],
              left_out: list[Message]) -> dict[PurePosixPath, str]:
        """The playlists with what has changed, by their paths.

        parts     where each part of the source lies now
        outcomes  by the name of the rendition
        left_out  gets what is not in them any more
        """
        def change_of(paths: list[PurePosixPath]) -> Change:
            found = [outcomes[str(path)] for path in paths]
            codecs = {name.partition(".")[0]: name for one in found if (name := one.codec)}
            return Change(sum(one.peak for one in found), sum(one.mean for one in found), codecs)

        return {path: media_text(one, parts) if one.rendition else master_text(one, change_of, left_out)
                for path, one in self._playlists.items()}


def parse(text: str, path: PurePosixPath, folder: Folder) -> Playlist:
    """A playlist. Raises MalformedFile, UnsupportedFormat for encrypted and unfinished ones and for places outside the
    folder, LimitExceeded."""
    lines = tuple(text.splitlines())
    if not lines or lines[0].strip() != HEAD:
        raise MalformedFile("{where}: a playlist begins with {head}", where=str(path), head=HEAD)
    for line in lines:
        _refuse(line, path)
    if any(line.startswith((_VARIANT, "#EXT-X-MEDIA:")) for line in lines):
        return _master(lines, path, folder)
    return Playlist(path, lines, Rendition(str(path), tuple(_segments(lines, path, folder))), {}, {})


def _refuse(line: str, path: PurePosixPath) -> None:
    if line.startswith(("#EXT-X-KEY:", "#EXT-X-SESSION-KEY:")) and attributes(line).get("METHOD") != "NONE":
        raise UnsupportedFormat("{where}: the segments are encrypted", where=str(path),
                                hint="label the presentation, then encrypt it")
    if line.startswith(_LIVE):
        raise UnsupportedFormat("{where}: {tag} belongs to a playlist that is still written", where=str(path),
                                tag=line.partition(":")[0],
                                hint="label a finished presentation, or live frames through labelkit.Labeller")
    if line.startswith("#EXT-X-I-FRAMES-ONLY"):
        raise UnsupportedFormat("{where}: a playlist of key frames alone names parts of other segments",
                                where=str(path), hint="label the playlist of the whole segments")


def attributes(line: str) -> dict[str, str]:
    """The attributes of a tag, without their quotation marks."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def _master(lines: tuple[str, ...], path: PurePosixPath, folder: Folder) -> Playlist:
    others: dict[int, PurePosixPath] = {}
    files: dict[int, PurePosixPath] = {}
    for number, line in enumerate(lines):
        uri = attributes(line).get("URI") if line.startswith("#EXT-X-") and not line.startswith(_I_FRAMES) else None
        if uri is not None:
            (others if line.startswith("#EXT-X-MEDIA:") else files)[number] = folder.named(uri, path)
        elif line.strip() and not line.startswith("#"):
            others[number] = folder.named(line.strip(), path)
    return Playlist(path, lines, None, others, files)


def _segments(lines: tuple[str, ...], path: PurePosixPath, folder: Folder) -> Iterator[Segment]:
    initialisation: Part | None = None
    seconds: float | None = None
    span, count, begin = None, 0, 0.0
    ends: dict[PurePosixPath, int] = {}
    for line in lines:
        if line.startswith("#EXTINF:"):
            length = _LENGTH.match(line, len("#EXTINF:"))
            seconds = float(length[0]) if length else None
        elif line.startswith(_MAP):
            found = attributes(line)
            where = folder.named(found.get("URI", ""), path)
            initialisation = _part(where, found.get("BYTERANGE"), {where: 0}, path)
        elif line.startswith(_BYTERANGE):
            span = line.partition(":")[2].strip()
        elif line.strip() and not line.startswith("#"):
            count += 1
            if seconds is None or count > MAX_SEGMENTS:
                raise _wrong(path, count)
            yield Segment(_part(folder.named(line.strip(), path), span, ends, path), initialisation, seconds, begin)
            begin += seconds
            seconds, span = None, None
    if not count:
        raise MalformedFile("{where}: the playlist names no segment", where=str(path))


def _wrong(path: PurePosixPath, count: int) -> MalformedFile | LimitExceeded:
    if count > MAX_SEGMENTS:
        return LimitExceeded("{where}: more than {limit} segments", where=str(path), limit=MAX_SEGMENTS)
    return MalformedFile("{where}: segment {number} states no length", where=str(path), number=count)


def _part(where: PurePosixPath, span: str | None, ends: dict[PurePosixPath, int], path: PurePosixPath) -> Part:
    """A part; a range that states no offset begins where the last one in the file ended (RFC 8216, 4.3.2.2)."""
    if span is None:
        return Part(where)
    found = _RANGE.fullmatch(span)
    if not found or found[2] is None and where not in ends:
        raise MalformedFile("{where}: {span} is no range of bytes", where=str(path), span=span[:80])
    start = ends[where] if found[2] is None else int(found[2])
    ends[where] = start + int(found[1])
    return Part(where, start, int(found[1]))


def media_text(playlist: Playlist, parts: Mapping[Part, Part]) -> str:
    """A playlist of media whose parts have moved; `parts` says where to."""
    rendition = playlist.rendition
    assert rendition is not None
    coming = iter(rendition.segments)
    segment = next(coming)
    made = []
    for line in playlist.lines:
        if line.startswith(_BITRATE):
            continue  # of the bytes that were
        if line.startswith(_MAP) and segment.initialisation:
            line = re.sub('BYTERANGE="[^"]*"', f'BYTERANGE="{_range(parts[segment.initialisation])}"', line)
        elif line.startswith(_BYTERANGE):
            line = _BYTERANGE + _range(parts[segment.part])
        elif line.strip() and not line.startswith("#"):
            segment = next(coming, segment)
        made.append(line)
    return "\n".join(made) + "\n"


def _range(part: Part) -> str:
    return f"{part.length}@{part.start}"


def master_text(playlist: Playlist, change_of: Callable[[list[PurePosixPath]], Change],
                left_out: list[Message]) -> str:
    """A playlist of playlists with the bandwidths and codecs of the labelled ones; those of key frames are left out.

    change_of  what has changed of the playlists of a variant together
    """
    groups: dict[str, list[PurePosixPath]] = {}
    for number, path in playlist.others.items():
        found = attributes(playlist.lines[number])
        if playlist.lines[number].startswith("#EXT-X-MEDIA:") and found.get("TYPE") in ("AUDIO", "VIDEO"):
            groups.setdefault(found.get("GROUP-ID", ""), []).append(path)
    made = []
    for number, line in enumerate(playlist.lines):
        if line.startswith(_I_FRAMES):
            left_out.append(Message("playlists of key frames alone, which name parts of the old segments, are left "
                                    "out"))
            continue
        if line.startswith(_VARIANT):
            found = attributes(line)
            own = next(path for at, path in sorted(playlist.others.items()) if at > number)
            with_it = [path for name in ("AUDIO", "VIDEO") for path in groups.get(found.get(name, "\0"), [])]
            line = _variant(line, change_of([own, *with_it]))
        made.append(line)
    return "\n".join(made) + "\n"


def _variant(line: str, change: Change) -> str:
    def replaced(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if name in ("BANDWIDTH", "AVERAGE-BANDWIDTH") and _RATE.fullmatch(value):
            return f"{name}={max(1, int(value) + (change.peak if name == 'BANDWIDTH' else change.mean))}"
        if name == "CODECS":
            names = [change.codecs.get(one.partition(".")[0], one) for one in value.strip('"').split(",")]
            return f'CODECS="{",".join(names)}"'
        return found[0]

    return _VARIANT + _ATTRIBUTE.sub(replaced, line.partition(":")[2])
