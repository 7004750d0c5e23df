# SPDX-License-Identifier: Apache-2.0
"""What the C2PA library is given and gives back, as types."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from labelkit.container import Reader

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class ValidationReport(TypedDict):
    """The part of the library's report that is used here."""

    active_manifest: str
    validation_state: str
    validation_results: dict[str, object]


class Asset(NamedTuple):
    """A file, its media type, and the manifest store of its sidecar, if it has one."""

    reader: Reader
    mime: str
    store: bytes | None = None


class Discard(io.RawIOBase):
    """Discards what c2pa writes: with a sidecar it still copies the file, which may be large."""

    def __init__(self) -> None:
        self._position = self._size = 0

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        self._position += size
        self._size = max(self._size, self._position)
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return 0
