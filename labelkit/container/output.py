# SPDX-License-Identifier: Apache-2.0
"""Edit lists made into files: in memory, to a stream, or in a transaction that replaces its target at once."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from labelkit.container.base import Reader, Segment
from labelkit.container.workfolder import WorkFolder
from labelkit.errors import OutputFailed, cannot_write

SIDECAR = ".c2pa"
"""What the name of a file gets for the manifest that lies beside it, where it has no place for one inside."""

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
    left = memoryview(data)
    while left:
        count: int | None = out.write(left)
        left = left[len(left) if count is None else count:]


class Transaction:
    """One new file, made in a hidden folder beside its target and put in its place at once.

        with Transaction("film.mkv") as new:
            with container.opened("film.mkv") as reader:
                labelled = new.write("labelled", reader, edits)
            new.commit(labelled)      # after the source is closed: Windows replaces no open file

    target   the path to replace; None for stages in the system's folder for temporary files, of which none stays
    like     the source, a path or a file: a new target is readable to no more people than it; ignored if it is neither
    Until `commit` the target is as it was, and after an error too; the folder goes in either case. It is made with the
    first stage; the name `lock` in it is taken. An OSError inside becomes OutputFailed, and one over a stage is said of
    the target. What a killed process leaves is removed by `workfolder.remove_abandoned`.
    """

    def __init__(self, target: str | os.PathLike[str] | None = None, *, like: object = None) -> None:
        self.target = None if target is None else Path(target)
        self._like = like
        self._folder: WorkFolder | None = None

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()
        cause = _cause(error, folder.path if folder else None)
        if cause is not None:
            raise cannot_write("a temporary file" if self.target is None else self.target, cause) from error

    def stage(self, name: str) -> Path:
        """A path in the folder."""
        if self._folder is None:
            self._folder = WorkFolder(None if self.target is None else self.target.parent)
        return self._folder.path / name

    def write(self, name: str, reader: Reader, segments: Iterable[Segment]) -> Path:
        """The edited file as a new stage; returns its path."""
        path = self.stage(name)
        with open(path, "xb", buffering=0) as out:
            stream(reader, segments, out)
        return path

    def commit(self, made: Path, sidecar: Path | None = None) -> None:
        """Put a stage in the place of the target, whose permissions stay, and another one beside it as its manifest."""
        if self.target is None:
            raise ValueError("a transaction without a target has no place to put a file in")
        mode = self._mode(made)
        made.chmod(mode)
        if sidecar is not None:
            sidecar.chmod(mode)
            os.replace(sidecar, f"{self.target}{SIDECAR}")
        if made.is_dir() and self.target.is_dir():
            os.rename(self.target, self.stage("before"))  # nothing replaces a folder that holds something
        os.replace(made, self.target)

    def _mode(self, made: Path) -> int:
        """The permissions of the result: those of the target; else the usual ones, for others at most the source's."""
        assert self.target is not None
        if self.target.exists():
            return self.target.stat().st_mode & 0o777
        usual = made.stat().st_mode & 0o777
        try:
            if isinstance(self._like, str | os.PathLike):
                return usual & (os.stat(self._like).st_mode | stat.S_IRWXU)
            if hasattr(self._like, "fileno"):
                return usual & (os.fstat(self._like.fileno()).st_mode | stat.S_IRWXU)
        except (OSError, ValueError):
            pass  # bytes, or a file in memory
        return usual


def _cause(error: BaseException | None, folder: Path | None) -> OSError | None:
    """The system's error, where it is about the target or about a file in the folder."""
    if isinstance(error, OSError):
        return error
    if folder is None or not isinstance(error, OutputFailed) or not isinstance(error.__cause__, OSError):
        return None
    where = Path(str(error.message.facts.get("where")))
    return error.__cause__ if where.is_relative_to(folder) else None


def save(reader: Reader, segments: Iterable[Segment], target: str | os.PathLike[str]) -> None:
    """Write the edited file in the place of `target`. Raises OutputFailed, and leaves `target` then as it was."""
    with Transaction(target) as new:
        new.commit(new.write("edited", reader, segments))


def hand_over(made: bytes | Path, out: BinaryIO) -> None:
    """Write a finished file, in memory or at a path, to a stream. Raises OutputFailed."""
    try:
        if isinstance(made, bytes):
            write_all(out, made)
            return
        with open(made, "rb") as file:
            while piece := file.read(_COPY_CHUNK):
                write_all(out, piece)
    except OSError as error:
        raise cannot_write(getattr(out, "name", "stream"), error) from error
