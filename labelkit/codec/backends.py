# SPDX-License-Identifier: Apache-2.0
"""The libraries that decode and encode: PyAV opened alike in all its versions, and their failures as ours."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from labelkit.distribution import install_hint
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat
from labelkit.messages import Message

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.frame import Frame
    from av.stream import Stream

    from labelkit.container import Reader

PICTURE, SOUND = Message("picture"), Message("sound")


class ReaderFile(io.RawIOBase):
    """A file object of its own position over a Reader, for a library that reads and seeks."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._position = reader, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, count: int = -1) -> bytes:
        left = self._reader.size - self._position
        count = left if count < 0 else max(0, min(count, left))
        data = self._reader.at(self._position, count, limit=max(count, 1))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._reader.size}[whence]
        self._position = min(max(base + offset, 0), self._reader.size)
        return self._position

    def tell(self) -> int:
        return self._position


def pyav(name: str, format: str) -> ModuleType:
    """PyAV; raises UnsupportedFormat where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                                where=name, format=format, install=install_hint("video"),
                                hint="{install}, or leave the signal layers out of the plan") from error
    return av


def libsndfile(name: str, format: str) -> ModuleType:
    """soundfile; raises UnsupportedFormat where it is not installed, as in a browser."""
    try:
        import soundfile
    except ImportError as error:
        raise UnsupportedFormat("{where}: {format} files have no samples that this installation can decode",
                                where=name, format=format, install="pip install soundfile",
                                hint="{install}, or leave the signal layers out of the plan") from error
    module: ModuleType = soundfile
    return module


def opened(file: BinaryIO | io.RawIOBase, format: str | None = None, options: dict[str, str] | None = None,
           io_open: Callable[..., Any] | None = None) -> InputContainer:
    """A film or sound opened by PyAV for reading, whatever bytes stand in its texts: PyAV 19 keeps them unasked."""
    import av

    if int(av.__version__.split(".")[0]) < 19:
        return av.open(file, "r", format=format, options=options, io_open=io_open, metadata_errors="replace")
    return av.open(file, "r", format=format, options=options, io_open=io_open)


def time_base(of: Stream | Frame) -> Fraction:
    """The unit of the times of a stream or frame in seconds; where it tells none, FFmpeg's own."""
    return of.time_base or Fraction(1, 1_000_000)


@contextmanager
def translated(name: str, what: Message) -> Iterator[None]:
    """Whatever a library raises over bytes from outside becomes a LabelkitError; `what` is PICTURE or SOUND."""
    try:
        yield
    except LabelkitError:
        raise
    except MemoryError as error:
        raise LimitExceeded("{where}: the {what} needs more memory than there is", where=name, what=what) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if "truncated" in reason.lower():
            raise TruncatedFile("{where}: the {what} ends too early: {reason}", where=name, what=what,
                                reason=reason) from error
        raise MalformedFile("{where}: the {what} cannot be decoded or encoded: {reason}", where=name, what=what,
                            reason=reason) from error
