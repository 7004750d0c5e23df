# SPDX-License-Identifier: Apache-2.0
"""Edit lists made into files: in memory, to a stream, or beside a target that is then replaced."""

from __future__ import annotations

import errno
import io
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from labelkit.container.base import Reader, Segment
from labelkit.errors import cannot_write

_COPY_CHUNK = 1 << 20
_KERNEL_CHUNK = 1 << 30
BLOCK = 4096  # file systems that can share blocks share whole ones


def join(reader: Reader, segments: Iterable[Segment]) -> bytes:
    """The edited file in memory."""
    if reader.view is not None:
        return b"".join(part if isinstance(part, bytes) else reader.view[part[0]:part[1]] for part in segments)
    out = io.BytesIO()
    stream(reader, segments, out)
    return out.getvalue()


def stream(reader: Reader, segments: Iterable[Segment], out: BinaryIO) -> None:
    """Write the edited file to `out`; ranges are copied in pieces, by the kernel where both ends are plain files.

    The kernel leaves holes out and, on file systems that can, shares blocks that keep their place.
    """
    for part in segments:
        if isinstance(part, bytes):
            write_all(out, part)
        else:
            _copy(reader, *part, out)
    if isinstance(out, io.FileIO):
        out.truncate()  # a hole at the end has been skipped over, not written


def _copy(reader: Reader, start: int, stop: int, out: BinaryIO) -> None:
    if isinstance(out, io.FileIO) and hasattr(os, "copy_file_range"):
        start = _copy_in_kernel(reader, start, stop, out)
    while start < stop:
        piece = reader.at(start, min(_COPY_CHUNK, stop - start))
        write_all(out, piece)
        start += len(piece)


def _copy_in_kernel(reader: Reader, start: int, stop: int, out: io.FileIO) -> int:
    """Copy what the kernel can copy; returns where it stopped."""
    try:
        source = reader.file.fileno()
        for part, end in list(_data_ranges(source, start, stop)):
            out.seek(part - start, os.SEEK_CUR)
            start = part
            while start < end:
                count = os.copy_file_range(source, out.fileno(), _portion(start, end, out.tell()), start)
                if not count:
                    return start
                start += count
        out.seek(stop - start, os.SEEK_CUR)
        return stop
    except (OSError, ValueError, AttributeError):
        return start  # no descriptor, or another file system: the caller goes on in pieces


def _data_ranges(source: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The parts of a range that are not holes."""
    place = os.lseek(source, 0, os.SEEK_CUR)  # buffered readers count on it
    try:
        while start < stop:
            start = os.lseek(source, start, os.SEEK_DATA)
            end = os.lseek(source, start, os.SEEK_HOLE)
            if start < stop:
                yield start, min(end, stop)
            start = end
    except OSError as error:
        if error.errno != errno.ENXIO:  # nothing but a hole up to the end
            raise
    finally:
        os.lseek(source, place, os.SEEK_SET)


def _portion(start: int, stop: int, place: int) -> int:
    """How much to copy at once: up to a block's edge first, so that whole blocks in the same place can be shared."""
    edge = -start % BLOCK
    if (start - place) % BLOCK == 0 and 0 < edge < stop - start:
        return edge
    whole = (stop - start) // BLOCK * BLOCK
    return min(whole or stop - start, _KERNEL_CHUNK)


def write_all(out: BinaryIO, data: bytes) -> None:
    """Write all of `data`: pipes, sockets and raw files may take less at a time."""
    while data:
        count = out.write(data)
        data = memoryview(data)[len(data) if count is None else count:]


def save(reader: Reader, segments: Iterable[Segment], target: str | os.PathLike,
         check: Callable[[str], None] = lambda path: None) -> None:
    """Write the edited file beside `target`, let `check` read it back, and rename it.

    Raises OutputFailed, or what `check` raises, and then leaves `target` as it was.
    """
    path = Path(target)
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        # created with 0666, so that the umask applies: to ask for the umask is to change it for all threads meanwhile
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with open(handle, "wb", buffering=0) as out:
                stream(reader, segments, out)
            check(str(temporary))
            if path.exists():
                os.chmod(temporary, path.stat().st_mode & 0o777)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error
