# SPDX-License-Identifier: Apache-2.0
"""The files of a presentation: all below the folder of its playlist, told by relative paths, and never fetched."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labelkit import container
from labelkit.container import Reader
from labelkit.errors import InvalidArgument, LimitExceeded, MalformedFile, UnsupportedFormat, cannot_open

MAX_TEXT = 4 << 20  # bytes of one playlist
MAX_SEGMENTS = 50_000  # of one playlist: three days of segments of six seconds
MAX_RENDITIONS = 500  # of one presentation
MAX_SEGMENT = 1 << 30  # bytes of one segment
MAX_NAME = 1024  # characters of a path
_MAX_DEPTH = 64  # folders in a path
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a range of bytes in it.

    path    relative to the folder of the presentation
    start   offset of the range in bytes, None for the whole file
    length  of the range in bytes
    """

    path: PurePosixPath
    start: int | None = None
    length: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a rendition.

    part            its bytes
    initialisation  those it needs before it
    seconds         how long it is
    begin           when it begins, in seconds of the presentation
    index           the box sidx that tells where it is, between the two; None where its playlist does
    """

    part: Part
    initialisation: Part | None
    seconds: float
    begin: float
    index: Part | None = None


@dataclass(frozen=True, slots=True)
class Rendition:
    """The segments of one playlist of media, or of one representation of DASH, in order.

    total  how long the presentation is, in seconds; None where it ends with them
    """

    name: str
    segments: tuple[Segment, ...]
    total: float | None = None

    @property
    def seconds(self) -> float:
        """How long the presentation is."""
        return self.segments[-1].begin + self.segments[-1].seconds if self.total is None else self.total


class Folder:
    """The folder of a playlist, outside of which nothing is read."""

    def __init__(self, playlist: Path) -> None:
        self.entry = PurePosixPath(playlist.name)
        self._root = playlist.parent.resolve()

    def named(self, uri: str, base: PurePosixPath, where: str = "") -> PurePosixPath:
        """The path of what the playlist `base`, or `where`, calls `uri` relative to `base`.

        Raises UnsupportedFormat for one that leads elsewhere, LimitExceeded.
        """
        if len(uri) > 3 * MAX_NAME:  # %XX for each byte
            raise _too_long(where or str(base))
        name = urllib.parse.unquote(uri)
        path = PurePosixPath(name)
        if _SCHEME.match(uri) or not name or path.is_absolute() or ".." in path.parts or set(name) & set("\\\0?#{"):
            raise UnsupportedFormat("{where} names {uri}; only files below the playlist's own folder are read, by "
                                    "relative paths, and nothing is fetched", where=where or str(base), uri=uri[:200],
                                    hint="download the whole presentation, then label it")
        path = base.parent / path
        if len(path.parts) > _MAX_DEPTH or len(str(path)) > MAX_NAME:
            raise _too_long(where or str(base))
        return path

    def has(self, path: PurePosixPath) -> bool:
        """Whether there is a file of this name, wherever it leads."""
        return os.path.exists(self._root / path)  # False for a name that no file can have

    def size(self, path: PurePosixPath) -> int:
        """The bytes of a file."""
        with self.opened(path) as reader:
            return reader.size

    def text(self, path: PurePosixPath) -> str:
        """A playlist. Raises MalformedFile for what is no UTF-8, LimitExceeded."""
        with self.opened(path) as reader:
            if reader.size > MAX_TEXT:
                raise LimitExceeded("{where}: a playlist of {size} bytes, at most {limit} are read", where=str(path),
                                    size=reader.size, limit=MAX_TEXT)
            try:
                return reader.at(0, reader.size, limit=MAX_TEXT).decode("utf-8")
            except UnicodeDecodeError as error:
                raise MalformedFile("{where}: the playlist is no text in UTF-8", where=str(path)) from error

    @contextmanager
    def opened(self, path: PurePosixPath) -> Iterator[Reader]:
        """A file of the folder. Raises InvalidArgument where it is not there, or a link leads out of the folder."""
        try:
            place = (self._root / path).resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise cannot_open(str(path), error if isinstance(error, OSError) else OSError(str(error))) from error
        if not place.is_relative_to(self._root) or not place.is_file():
            raise InvalidArgument("{where} is no file in the playlist's own folder", where=str(path))
        with container.opened(place) as reader:
            reader.name = str(path)
            yield reader

    def bytes_of(self, part: Part) -> bytes:
        """The bytes of a small part. Raises TruncatedFile, LimitExceeded."""
        with self.opened(part.path) as reader:
            start, stop = _span(part, reader)
            return reader.at(start, stop - start, "segment")

    def refuse_repeats(self, parts: Iterable[Part | None]) -> None:
        """Raise UnsupportedFormat for parts that together are more than twice as large as their files: a short playlist
        could fill a disk with them. Raises InvalidArgument for a file that is not there."""
        sums: dict[PurePosixPath, int] = {}
        sizes: dict[PurePosixPath, int] = {}
        for part in parts:
            if part:
                size = sizes[part.path] = sizes.get(part.path) or self.size(part.path)
                sums[part.path] = sums.get(part.path, 0) + (size if part.start is None else min(part.length, size))
        for path, size in sizes.items():
            if sums[path] > 2 * size:
                raise UnsupportedFormat("{where}: segments name the same bytes again and again", where=str(path))

    def copy(self, parts: Iterable[Part | None], target: Path) -> None:
        """The bytes of some parts, one after the other, as a new file. Raises TruncatedFile, LimitExceeded."""
        with open(target, "wb") as out:
            for part in parts:
                if part:
                    with self.opened(part.path) as reader:
                        container.stream(reader, [_span(part, reader)], out)


def _too_long(where: str) -> LimitExceeded:
    return LimitExceeded("{where}: a path of more than {limit} characters or {depth} folders", where=where,
                         limit=MAX_NAME, depth=_MAX_DEPTH)


def _span(part: Part, reader: Reader) -> tuple[int, int]:
    start, stop = (0, reader.size) if part.start is None else (part.start, part.start + part.length)
    if stop > reader.size:
        raise reader.truncated("segment", start, stop - start, reader.size - start)
    if stop - start > MAX_SEGMENT:
        raise LimitExceeded("{where}: a segment of {size} bytes, at most {limit} are read", where=reader.name,
                            size=stop - start, limit=MAX_SEGMENT)
    return start, stop
