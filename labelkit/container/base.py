# SPDX-License-Identifier: Apache-2.0
"""What every container shares: a bounds-checked reader, slots, layouts and edit lists.

Nothing that a file claims is believed before it is compared with the file's real size. An edit is a
list of segments, each literal bytes or a (start, stop) range of the source, so that media data is
copied and never held in memory.
"""

from __future__ import annotations

import bisect
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Generic

from labelkit.errors import InvalidArgument, LimitExceeded, MalformedFile, TruncatedFile
from labelkit.messages import Message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from typing_extensions import TypeVar

    State = TypeVar("State", covariant=True, default=object)
    Place = TypeVar("Place", covariant=True, default=object)
else:  # defaults of type variables are of Python 3.13
    from typing import TypeVar

    State, Place = TypeVar("State"), TypeVar("Place")

MAX_BODY = 16 << 20  # a slot's body is read whole only up to here; real packets are a few kB
HELD = 1 << 20  # a file of no more is read at once: a call of the system costs as much as reading 20 kB
MAX_UNPACKED = 8 * MAX_BODY  # of one file, however often
MAX_UNITS = 200_000  # chunks, boxes or segments of one file; a 4 GB PNG in 32 kB chunks has 130,000
MAX_SLOTS = 10_000  # of one file, each of which is read for a label; the fullest real files have some hundreds
UNNAMED = "bytes"
"""What errors call a file in memory that has no name."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
Segment = bytes | tuple[int, int]
Patch = tuple[int, int, bytes]

XMP, EXIF, TEXT, C2PA = "xmp", "exif", "text", "c2pa"
"""The kinds of slot: an XMP packet, a TIFF structure, a text under a key, a C2PA manifest store."""


class Reader:
    """Reads a seekable binary file without ever going past its end.

    name    the file's name, for messages
    size    its length in bytes
    view    the bytes, where they are in memory: then `file` is never moved
    format  the format of the file, once it has been told
    layout  its slots, once they have been looked for
    is_new  whether it has just been encoded: nothing depends yet on where its bytes lie
    """

    __slots__ = ("file", "name", "size", "position", "view", "unpacked", "format", "layout", "is_new")

    def __init__(self, file: BinaryIO, name: str, view: memoryview | None = None) -> None:
        self.file, self.name, self.view = file, name, view
        self.size = file.seek(0, io.SEEK_END)
        self.position = self.size
        self.unpacked = 0  # bytes so far
        self.format: Format | None = None
        self.layout: Layout | None = None
        self.is_new = False

    @classmethod
    def of(cls, data: bytes, name: str = UNNAMED) -> Reader:
        """A reader over bytes in memory."""
        return cls(io.BytesIO(data), name, memoryview(data))

    def whole(self, limit: int = MAX_BODY) -> bytes:
        """All bytes of the file; where they are in memory they are not copied, whatever `limit` is."""
        if self.view is not None:
            held = self.view.obj
            return held if isinstance(held, bytes) and len(held) == self.size else self.view.tobytes()
        return self.at(0, self.size, "the file", limit)

    def seek(self, offset: int, what: str = "data") -> None:
        """Go to an absolute offset; raises TruncatedFile past the end."""
        if not 0 <= offset <= self.size:
            raise TruncatedFile("{where}: {what} lies at byte {offset} of a file of {size} bytes",
                                where=self.name, what=what, offset=offset, size=self.size)
        if offset != self.position and self.view is None:
            try:
                self.file.seek(offset)
            except (OSError, ValueError) as error:
                raise _unreadable(self.name, error) from error
        self.position = offset

    def take(self, count: int, what: str = "data", limit: int = MAX_BODY) -> bytes:
        """The next `count` bytes; raises TruncatedFile past the end, LimitExceeded above `limit`."""
        start = self.position
        if count > self.size - start or count < 0:
            raise self.truncated(what, start, count, self.size - start)
        if count > limit:
            raise LimitExceeded("{where}: {what} at byte {offset} has {claimed} bytes, at most {limit} are read",
                                where=self.name, what=what, offset=start, claimed=count, limit=limit)
        if self.view is not None:
            self.position = start + count
            return self.view[start:self.position].tobytes()
        try:
            data = self.file.read(count)
        except (OSError, ValueError) as error:  # a failing disk, or a file that was closed meanwhile
            raise _unreadable(self.name, error) from error
        if len(data) != count:  # the file shrank while being read
            raise self.truncated(what, start, count, len(data))
        self.position = start + count
        return data

    def at(self, offset: int, count: int, what: str = "data", limit: int = MAX_BODY) -> bytes:
        """`count` bytes from an absolute offset, under the rules of `take`."""
        stop = offset + count
        if self.view is not None and 0 <= offset <= stop <= self.size and count <= limit:  # the way of most calls
            self.position = stop
            return self.view[offset:stop].tobytes()
        self.seek(offset, what)
        return self.take(count, what, limit)

    def again(self) -> Reader | None:
        """Another reader over the same bytes, for another thread, whose `file` the caller closes; None for a file that
        has no path to open it by."""
        if self.view is not None:
            return Reader.of(self.whole(self.size), self.name)
        path = getattr(self.file, "name", None)
        try:
            if not isinstance(path, str) or not os.path.samestat(os.stat(path), os.fstat(self.file.fileno())):
                return None
            return Reader(open(path, "rb"), self.name)
        except (OSError, ValueError, AttributeError):
            return None

    def lose_position(self) -> None:
        """Another has moved the file: where it stands is not known any more."""
        self.position = -1

    def head(self, count: int) -> bytes:
        """Up to `count` bytes from the start of the file."""
        return self.at(0, min(count, self.size))

    def unpack(self, layout: str, what: str = "data") -> tuple[Any, ...]:
        """The next fields, as `struct` names them."""
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))

    def inflate(self, data: bytes, offset: int, what: str, limit: int = MAX_BODY, bits: int = zlib.MAX_WBITS) -> bytes:
        """`data`, which lies at `offset`, unpacked; `bits` as in `zlib.decompress`.

        Raises MalformedFile, and LimitExceeded above `limit` bytes or where all of the file unpacks to too many.
        """
        limit = max(min(limit, MAX_UNPACKED - self.unpacked), 0)
        try:
            out = zlib.decompressobj(bits).decompress(data, limit + 1)
        except zlib.error as error:
            raise self.malformed(what, offset, Message("it does not unpack: {reason}", reason=str(error))) from error
        self.unpacked += len(out)  # also where it is refused: it has cost the same
        if len(out) > limit:
            raise LimitExceeded("{where}: the text at byte {offset} unpacks to more than {limit} bytes",
                                where=self.name, offset=offset, limit=limit)
        return out

    def truncated(self, what: str, offset: int, claimed: int, left: int) -> TruncatedFile:
        """The error for a unit that is longer than what holds it."""
        return TruncatedFile("{where}: {what} at byte {offset} claims {claimed} bytes, {left} remain",
                             where=self.name, what=what, offset=offset, claimed=claimed, left=left)

    def too_many(self, what: str, limit: int) -> LimitExceeded:
        """The error for a file of more units than are walked through."""
        return LimitExceeded("{where}: more than {limit} units ({what})", where=self.name, limit=limit, what=what)

    def too_big(self, what: str, limit: int, needed: int) -> LimitExceeded:
        """The error for a new body that does not fit the unit of its format."""
        return LimitExceeded("{where}: {what} holds at most {limit} bytes, the new one needs {needed}",
                             where=self.name, what=what, limit=limit, needed=needed)

    def malformed(self, what: str, offset: int, problem: Message) -> MalformedFile:
        """The error for bytes that break the rules of their format."""
        return MalformedFile("{where}: {what} at byte {offset}: {problem}",
                             where=self.name, what=what, offset=offset, problem=problem)


def _unreadable(where: str, error: Exception) -> InvalidArgument:
    return InvalidArgument("{where} cannot be opened: {reason}", where=where,
                           reason=getattr(error, "strerror", None) or str(error))


class _Opened:
    """A Reader for a `with` statement, at whose end the file is closed that was opened for it, and the layout goes.

    The slots of a layout hold their reader: a circle in which the whole file would wait for the garbage collector.
    """

    __slots__ = ("reader", "file")

    def __init__(self, reader: Reader, file: BinaryIO | None = None) -> None:
        self.reader, self.file = reader, file

    def __enter__(self) -> Reader:
        return self.reader

    def __exit__(self, *_: object) -> None:
        self.reader.layout = None
        if self.file is not None:
            self.reader.view = None
            self.file.close()


def opened(source: Source | Reader) -> AbstractContextManager[Reader, None]:
    """A Reader over a path, bytes, a seekable binary file, or a Reader as it is, for a `with` statement."""
    if isinstance(source, Reader):
        return nullcontext(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _Opened(Reader.of(bytes(source)))
    if isinstance(source, str | os.PathLike):
        return _opened_file(os.fspath(source))
    if hasattr(source, "read") and hasattr(source, "seek") and not isinstance(source, io.TextIOBase):
        name = os.path.basename(str(getattr(source, "name", "stream")))
        try:
            return _Opened(Reader(source, name))
        except (OSError, ValueError) as error:  # a pipe, or a closed file
            raise _unreadable(name, error) from error
    raise InvalidArgument("a path, bytes or a seekable binary file is wanted, got {got}", got=type(source).__name__,
                          hint="samples in memory are taken as NumPy arrays and Pillow images")


def _opened_file(path: str) -> _Opened:
    try:
        file = open(path, "rb")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    reader = Reader(file, os.path.basename(path))
    try:
        reader.view = memoryview(reader.at(0, reader.size)) if reader.size <= HELD else None
    except BaseException:
        file.close()
        raise
    return _Opened(reader, file)


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    name     short name, as in a file ending: "jpeg"
    mime     media type
    family   "image", "audio", "video" or "document"
    home     kind of slot that holds a label in this format: XMP, or TEXT under the key AIGC
    writable whether it has a place for a label; of others the samples alone can be read, and `home` is ""
    """

    name: str
    mime: str
    family: str
    home: str
    writable: bool = True


@dataclass(slots=True, eq=False)
class Slot(Generic[Place]):
    """A place in a file where bytes are kept.

    kind            XMP, EXIF, TEXT or C2PA
    name            what the format calls it: "APP1", "iTXt"
    key             keyword of a text, else ""
    offset_bytes    where its unit (segment, chunk, box) starts in the file
    length_bytes    length of the whole unit, header and padding included
    load            reads the body; raises LabelkitError for a body that is broken or above MAX_BODY
    state           what the module of the format remembers of the slot
    home            a label may stay here; where False, one that is found can at most be taken out
    another         it describes a part of the file, or a file in it, and not the file itself
    """

    kind: str
    name: str
    offset_bytes: int
    length_bytes: int
    load: Callable[[], bytes]
    state: Place
    key: str = ""
    home: bool = True
    another: bool = False


@dataclass(slots=True)
class Layout(Generic[State, Place]):
    """The slots of one file.

    state      what the module of the format remembers of the file
    insert_at  where a new slot goes
    skipped    parts that could hold a slot and were not looked at: what, offset in bytes, why
    packet     where XMP stands beside a label that is none: one of `slots`, or an empty one of which there is nothing
               yet; None where the label stands in XMP itself, and where the format has no place for it
    """

    format: Format
    slots: list[Slot[Place]]
    state: State
    insert_at: int = 0
    skipped: list[tuple[str, int, Message]] = field(default_factory=list)
    packet: Slot[Place] | None = None


Changes = Mapping[Slot[Place], bytes | None]


def unit_patches(layout: Layout[State, Place], changes: Changes[Place], fresh: bytes | None,
                 encode: Callable[[Slot[Place] | None, bytes], bytes]) -> list[Patch]:
    """Patches that put each changed body (None: nothing) in its place and a fresh one at `insert_at`."""
    patches = [(slot.offset_bytes, slot.offset_bytes + slot.length_bytes, b"" if body is None else encode(slot, body))
               for slot, body in changes.items()]
    if fresh is not None:
        patches.append((layout.insert_at, layout.insert_at, encode(None, fresh)))
    return patches


def splice(size: int, patches: Iterable[Patch]) -> list[Segment]:
    """The edit list that replaces each range start..stop of a source of `size` bytes by its bytes."""
    segments: list[Segment] = []
    done = 0
    for start, stop, data in sorted(patches, key=lambda patch: patch[:2]):
        if not done <= start <= stop <= size:
            raise InvalidArgument("edits overlap or lie outside the file: {start} to {stop} after {done} of {size}",
                                  start=start, stop=stop, done=done, size=size)
        if start > done:
            segments.append((done, start))
        if data:
            segments.append(data)
        done = stop
    if size > done:
        segments.append((done, size))
    return segments


class Moves:
    """Where an offset of the source lies after the patches."""

    def __init__(self, patches: Iterable[Patch]) -> None:
        self.stops, self.sums, total = [], [0], 0
        for start, stop, data in sorted(patches, key=lambda patch: patch[:2]):
            change = len(data) - (stop - start)
            if change:
                total += change
                self.stops.append(stop)
                self.sums.append(total)

    def of(self, offset: int) -> int:
        """The new offset of a byte that is not itself replaced."""
        return offset + self.sums[bisect.bisect_right(self.stops, offset)]

    def of_all(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """`of` for an array of offsets, int64 of any shape."""
        import numpy as np  # in this room where it is used: to tell what a file is takes none of it

        return offsets + np.array(self.sums, np.int64)[np.searchsorted(self.stops, offsets, side="right")]

    @property
    def none(self) -> bool:
        """Whether nothing moves."""
        return not any(self.sums)
