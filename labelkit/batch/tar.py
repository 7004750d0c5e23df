# SPDX-License-Identifier: Apache-2.0
"""WebDataset tar, plain or in gzip: read and written as a stream, in which all but the labelled media stays as it is.

A sample is what follows on each other under one key: the name up to the first dot after the last slash. Headers are
copied as they stand (owner, times, extended headers of every dialect); of a labelled member only the size changes.
Layout of headers: POSIX.1-2017, pax, "ustar Interchange Format"; GNU's long names: tar(5).
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from labelkit.batch.samples import Data, Medium, Sample, copied, size_of
from labelkit.container.workfolder import WorkFolder
from labelkit.errors import LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat
from labelkit.messages import Message

ENDINGS = (".tar", ".tar.gz", ".tgz")
IN_MEMORY = 16 << 20  # bytes of a member; a larger one is put in a file
MAX_HEADER = 1 << 20  # bytes of all headers of one member: names have some hundred
MAX_MEMBERS, MAX_SAMPLE = 256, 64 << 20  # members of a sample, and their bytes: one key a million times is no sample
_BLOCK, _RECORD = 512, 10240
_SIZE, _CHECKSUM = slice(124, 136), slice(148, 156)
_MAX_OCTAL = 8 ** 11  # what the eleven digits of a size can hold
_KEY = re.compile(r"((?:.*/)?[^/.]+)\.[^/]*", re.DOTALL)
_BEFORE = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
           tarfile.SOLARIS_XHDTYPE)
"""Headers that say something of the next member."""


def key_of(name: str) -> str:
    """The key of a member, as WebDataset takes it; the whole name where it has no ending."""
    found = _KEY.fullmatch(name)
    return found[1] if found else name


@dataclass(slots=True)
class _Member:
    """A member as it stands: its headers, the last of which is its own, and its data, but for media."""

    name: str
    headers: bytes
    data: Data
    is_medium: bool


@dataclass(slots=True)
class _Rest:
    """The members of a sample in their order, and the folder of those that are large."""

    members: list[_Member] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether the next member begins another sample, whatever its key."""
        held = sum(len(member.data) for member in self.members if isinstance(member.data, bytes))
        return len(self.members) >= MAX_MEMBERS or held >= MAX_SAMPLE

    @property
    def data(self) -> list[Data]:
        """The data of the members."""
        return [member.data for member in self.members]


class TarReader:
    """Reads samples from a stream that need not be seekable.

    file       binary stream of the shard; gzip is recognised
    name       of the shard, in errors
    is_medium  whether a member of this name is worked on
    folder     for members that are too large for memory
    """

    def __init__(self, file: BinaryIO, name: str, is_medium: Callable[[str], bool], folder: WorkFolder) -> None:
        start = file.read(2)
        plain = cast(BinaryIO, _Rejoined(start, file))
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if start == b"\x1f\x8b" else plain
        self._name, self._is_medium, self._folder = name, is_medium, folder
        self._offset, self._large, self._within = 0, 0, ""  # the member that is being read

    def __iter__(self) -> Iterator[Sample]:
        """The samples; raises TruncatedFile, MalformedFile, LimitExceeded and UnsupportedFormat."""
        sample: Sample | None = None
        while True:
            try:
                member = self._member()
            except TruncatedFile:
                if sample and self._within and key_of(self._within) != sample.key:  # else it may not be whole
                    yield sample
                raise
            if member is None:
                break
            key = key_of(member.name)
            if sample and (sample.key != key or _rest(sample).is_full):
                yield sample
                sample = None
            sample = sample or Sample(key, rest=_Rest())
            _rest(sample).members.append(member)
            if member.is_medium:
                sample.media.append(Medium(member.name, member.data))
        if sample:
            yield sample

    def _member(self) -> _Member | None:
        """The next member, None at the end mark."""
        headers, names, self._within = b"", {}, ""
        while True:
            block = self._take(_BLOCK, None)
            if block == bytes(_BLOCK) and not headers:
                self._check_end()
                return None
            info = self._header(block)
            headers += block
            if info.type not in _BEFORE:
                break
            if len(headers) + info.size > MAX_HEADER:
                raise LimitExceeded("{where}: the headers of the member at byte {offset} have more than {limit} bytes",
                                    where=self._name, offset=self._offset, limit=MAX_HEADER)
            body = self._take(_padded(info.size), None)
            headers += body
            names.update(_stated(info.type, body[:info.size]))
        if info.type == tarfile.GNUTYPE_SPARSE or "GNU.sparse.major" in names or "GNU.sparse.map" in names:
            raise UnsupportedFormat("{where}: the member at byte {offset} is sparse, which datasets are not",
                                    where=self._name, offset=self._offset)
        name = self._within = names.get("path", info.name)
        size = self._size(names.get("size"), info)
        is_medium = info.isreg() and "size" not in names and self._is_medium(name)
        return _Member(name, headers, self._data(size, name, is_medium), is_medium)

    def _header(self, block: bytes) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise MalformedFile("{where}: {what} at byte {offset}: {problem}", where=self._name, what="header",
                                offset=self._offset - _BLOCK, problem=str(error)) from error

    def _size(self, stated: str | None, info: tarfile.TarInfo) -> int:
        """The bytes of a member: links, folders and devices have none, whatever they say."""
        if not info.isreg() and info.type in tarfile.SUPPORTED_TYPES:
            return 0
        size = info.size if stated is None or not stated.isdecimal() else int(stated)
        if size < 0:
            raise MalformedFile("{where}: {what} at byte {offset}: {problem}", where=self._name, what="header",
                                offset=self._offset - _BLOCK, problem=Message("a size below 0"))
        return size

    def _data(self, size: int, name: str, is_medium: bool) -> Data:
        """The data of a member, of media without the padding; a large one in a file."""
        if size <= IN_MEMORY:
            return self._take(_padded(size), name)[:size]
        self._large += 1
        path = self._folder.path / f"{self._large}{Path(name).suffix if is_medium else ''}"
        with open(path, "wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(self._take(min(1 << 20, size - start), name))
        self._take(_padded(size) - size, name)
        return path

    def _take(self, count: int, member: str | None) -> bytes:
        """So many bytes; raises TruncatedFile where there are fewer."""
        parts, left = [], count
        try:
            while left and (part := self._file.read(left)):
                parts.append(part)
                left -= len(part)
        except EOFError:  # of gzip
            pass
        except (gzip.BadGzipFile, zlib.error) as error:
            raise MalformedFile("{where}: {what} at byte {offset}: {problem}", where=self._name, what="gzip",
                                offset=self._offset, problem=str(error)) from error
        self._offset += count - left
        if left:
            raise TruncatedFile("the shard ends at byte {offset}, {place}", offset=self._offset,
                            place=Message("within {member}", member=member) if member else
                            Message("without the mark of its end"))
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def _check_end(self) -> None:
        """Raise MalformedFile where more than zeros follow the end mark: other programs would not read it."""
        at = self._offset
        try:
            while rest := self._file.read(1 << 20):
                if rest.count(0) != len(rest):
                    raise MalformedFile("{where}: data follow the mark of its end at byte {offset}", where=self._name,
                                        offset=at, hint="it may be several archives in one; write it anew as one")
        except EOFError:
            raise TruncatedFile("the shard ends at byte {offset}, {place}", offset=self._offset,
                            place=Message("without the mark of its end")) from None


class TarWriter:
    """Writes samples to a stream; `name` says by its ending whether in gzip."""

    def __init__(self, out: BinaryIO, name: str) -> None:
        self._raw, self._written = out, 0
        self._gzip = gzip.GzipFile("", "wb", 6, out, mtime=0) if name.endswith(("gz", "tgz")) else None
        self._out = cast(BinaryIO, self._gzip) if self._gzip else out

    def put(self, sample: Sample, made: Sequence[Data] | None) -> None:
        """Write the members of a sample, the media replaced; or none."""
        new = iter(made or ())
        for member in _rest(sample).members if made is not None else ():
            data = next(new) if member.is_medium else member.data
            size = size_of(data)
            self._out.write(_resized(member.headers, size) if member.is_medium else member.headers)
            copied(data, self._out)
            self._out.write(bytes(_padded(size) - size))
            self._written += len(member.headers) + _padded(size)

    def finish(self) -> None:
        """Write the end mark."""
        ended = self._written + 2 * _BLOCK
        self._out.write(bytes(2 * _BLOCK + -ended % _RECORD))
        if self._gzip:
            self._gzip.close()

    def close(self) -> None:
        """End without the end mark."""
        if self._gzip:
            with suppress(OSError):
                self._gzip.close()


class _Rejoined:
    """A stream after its first bytes were looked at."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start, self._file = start, file

    def read(self, count: int = -1) -> bytes:
        if not self._start:
            return self._file.read(count)
        start, self._start = self._start[:count], self._start[count:]
        return start + (self._file.read(count - len(start)) if count > len(start) else b"")


def _rest(sample: Sample) -> _Rest:
    assert isinstance(sample.rest, _Rest)
    return sample.rest


def _padded(size: int) -> int:
    return size + -size % _BLOCK


def _stated(kind: bytes, body: bytes) -> dict[str, str]:
    """What a header states of the next member: its path and size, and what else is asked about."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": body.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    if kind not in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):  # a global one states nothing of one member alone
        return {}
    found, at = {}, 0
    while at < len(body) and (length := re.compile(rb"(\d{1,7}) ").match(body, at)):
        end = at + int(length[1])
        name, _, value = body[length.end():end - 1].partition(b"=")
        if name in (b"path", b"size", b"GNU.sparse.major", b"GNU.sparse.map"):
            found[name.decode()] = value.decode("utf-8", "surrogateescape")
        if end <= length.end():
            break
        at = end
    return found


def _resized(headers: bytes, size: int) -> bytes:
    """The headers of a member of another size."""
    header = bytearray(headers[-_BLOCK:])
    header[_SIZE] = b"%011o\0" % size if size < _MAX_OCTAL else b"\x80" + size.to_bytes(11)
    header[_CHECKSUM] = b" " * 8
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    return headers[:-_BLOCK] + bytes(header)
