# SPDX-License-Identifier: Apache-2.0
"""ZIP archives of files: pictures, sound, films and documents in them are worked on, and all else stays as it is.

Members that do not change keep their compressed bytes. Archives in the archive are such: they are not opened. Layout:
APPNOTE 6.3.10.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from labelkit import container
from labelkit.batch.samples import Data, Medium, Sample, size_of
from labelkit.container import archive, media_type
from labelkit.container.base import Reader
from labelkit.container.workfolder import WorkFolder
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.messages import Message

ENDINGS = (".zip",)
MAX_RATIO, MAX_UNPACKED = 100, 256 << 20
"""Members may unpack to so many times the bytes of the archive, and so many more."""
_IN_MEMORY = 16 << 20  # bytes of a member; a larger one is put in a file
_PIECE = 1 << 20
_MAX_SIZE = 0xFFFFFFFF  # of a member that is written
_STORED, _DEFLATED = 0, 8
_UTF8 = 0x0800  # flag: the name is in UTF-8
_DOCUMENTS = frozenset(f".{one}" for one in (
    "pdf docx dotx pptx potx xlsx xltx odt ods odp epub html htm xhtml md markdown txt text rtf srt vtt ass ssa eml "
    "json jsonl ndjson").split())


@dataclass(slots=True)
class _Rest:
    """A member as it stands in the source, and its data where they are worked on."""

    member: archive.Member
    data: list[Data]


class ZipReader:
    """Reads an archive, member by member in the order of its directory; each is a sample of its own.

    file       seekable binary file
    name       of the archive, in errors
    is_medium  whether a member of this name is worked on; None for what is of a format that is known
    folder     for members that are large, and for texts, which are told by their names
    Raises MalformedFile and its children.
    """

    def __init__(self, file: BinaryIO, name: str, is_medium: Callable[[str], bool] | None, folder: WorkFolder) -> None:
        self.source = Reader(file, name)
        self.archive = archive.read(self.source)
        self._is_medium, self._folder = is_medium, folder
        self._left = MAX_UNPACKED + MAX_RATIO * self.source.size

    def __iter__(self) -> Iterator[Sample]:
        """The samples. Raises MalformedFile, UnsupportedFormat, and LimitExceeded for what unpacks to too much."""
        for number, (name, member) in enumerate(self.archive.members.items()):
            sample = Sample(name, rest=_Rest(member, []))
            if not name.endswith("/") and self._may_be_medium(name):
                data = self._unpacked(name, member, number)
                if self._is_medium or _is_known(data, name):
                    sample.media.append(Medium(name, data))
                    sample.rest = _Rest(member, [data])
                elif isinstance(data, Path):
                    data.unlink()
            yield sample

    def _may_be_medium(self, name: str) -> bool:
        if self._is_medium:
            return self._is_medium(name)
        return media_type(name) is not None or PurePosixPath(name).suffix.lower() in _DOCUMENTS

    def _unpacked(self, name: str, member: archive.Member, number: int) -> Data:
        """The data of a member, bounded whatever it claims; its checksum is compared."""
        size, = struct.unpack("<I", member.row[24:28])
        ending = PurePosixPath(name).suffix.lower()
        pieces = self._pieces(name, member)
        if size <= _IN_MEMORY and ending not in _DOCUMENTS:
            return b"".join(pieces)
        path = self._folder.path / f"{number}{ending}"
        with open(path, "wb") as out:
            out.writelines(pieces)
        return path

    def _pieces(self, name: str, member: archive.Member) -> Iterator[bytes]:
        flags, method, check = struct.unpack("<8xHH4xI", member.row[:20])
        mark, names, extra = struct.unpack("<4s22xHH", self.source.at(member.start, 30, f"member {name}"))
        start = member.start + 30 + names + extra
        if flags & 1 or method not in (_STORED, _DEFLATED):
            raise UnsupportedFormat("{where}: {member} is encrypted, or packed otherwise than by Deflate",
                                    where=self.source.name, member=name)
        if mark != b"PK\3\4" or start + member.packed > member.stop:
            raise self._broken(name, start)
        found, size = 0, struct.unpack("<I", member.row[24:28])[0]
        for piece in self._inflated(name, start, member.packed) if method else self._stored(start, member.packed):
            self._left -= len(piece)
            size -= len(piece)
            if size < 0:
                raise self._broken(name, start)
            if self._left < 0:
                raise LimitExceeded("{where}: its members unpack to more than {ratio} times its bytes and {limit} MB",
                                    where=self.source.name, ratio=MAX_RATIO, limit=MAX_UNPACKED >> 20)
            found = zlib.crc32(piece, found)
            yield piece
        if found != check:
            raise self._broken(name, start)

    def _stored(self, start: int, length: int) -> Iterator[bytes]:
        for at in range(start, start + length, _PIECE):
            yield self.source.at(at, min(_PIECE, start + length - at))

    def _inflated(self, name: str, start: int, length: int) -> Iterator[bytes]:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._stored(start, length):
                while packed:
                    yield engine.decompress(packed, _PIECE)
                    packed = engine.unconsumed_tail
            while not engine.eof and (piece := engine.flush(_PIECE)):
                yield piece
        except zlib.error as error:
            raise self._broken(name, start) from error

    def _broken(self, name: str, start: int) -> MalformedFile:
        return self.source.malformed(f"member {name}", start, Message("it is broken"))


def _is_known(data: Data, name: str) -> bool:
    """Whether a member is worked on: of a known format, or named as a picture, sound or film."""
    try:
        container.sniff(Reader.of(data, name) if isinstance(data, bytes) else data)
        return True
    except UnsupportedFormat:
        return media_type(name) is not None
    except LabelkitError:
        return True  # said when it is worked on


class ZipWriter:
    """Writes the members of an archive that was read, those that were worked on anew."""

    def __init__(self, out: BinaryIO, like: ZipReader) -> None:
        self._out, self._like = out, like
        self._rows: list[bytes] = []
        starts = [member.start for member in like.archive.members.values()]
        self._at = 0
        self._copy(0, min(starts, default=like.archive.directory))  # what stands before an archive: a program

    def put(self, sample: Sample, made: Sequence[Data] | None) -> None:
        """Write a member, or leave it out."""
        rest = sample.rest
        assert isinstance(rest, _Rest)
        if made is None:
            return
        start, member = self._at, rest.member
        if not rest.data:
            self._copy(member.start, member.stop)
            self._rows.append(archive.placed(member.row, member.place_at, start))
            return
        head, row = _headers(member, made[0], sample.key)
        self._write(head)
        if isinstance(made[0], bytes):
            self._write(made[0])
        else:
            with open(made[0], "rb") as file:
                shutil.copyfileobj(file, self._out, _PIECE)
            self._at += size_of(made[0])
        self._rows.append(archive.placed(row, 0, start))

    def finish(self) -> None:
        """Write the directory, and the comment of the archive."""
        old, start, directory = self._like.archive, self._at, b"".join(self._rows)
        self._write(directory)
        self._write(archive.end_record(old, len(self._rows), directory, start))
        self._copy(old.end + 20, self._like.source.size)

    def close(self) -> None:
        """Nothing to let go of."""

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._at += len(data)

    def _copy(self, start: int, stop: int) -> None:
        for at in range(start, stop, _PIECE):
            self._write(self._like.source.at(at, min(_PIECE, stop - at)))


def _headers(member: archive.Member, data: Data, name: str) -> tuple[bytes, bytes]:
    """The header of a stored member and its row of the directory, whose place is filled in later."""
    size = size_of(data)
    if size > _MAX_SIZE:
        raise LimitExceeded("{where}: {what} holds at most {limit} bytes, the new one needs {needed}", where=name,
                            what="a member of the archive", limit=_MAX_SIZE, needed=size)
    row = member.row
    flags, = struct.unpack("<H", row[8:10])
    names, extra = struct.unpack("<HH", row[28:32])
    raw, comment = row[46:46 + names], row[46 + names + extra:]
    fields = struct.pack("<HHH", 20, flags & _UTF8, _STORED) + row[12:16] + struct.pack(
        "<IIIHH", _checksum(data), size, size, names, 0)
    return (b"PK\3\4" + fields + raw,
            b"PK\1\2" + row[4:6] + fields + struct.pack("<HHH", len(comment), 0, 0) + row[38:42] + bytes(4) + raw
            + comment)


def _checksum(data: Data) -> int:
    if isinstance(data, bytes):
        return zlib.crc32(data)
    found = 0
    with open(data, "rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found
