# SPDX-License-Identifier: Apache-2.0
"""Where the files of jobs are kept: in a folder, in the database of the jobs, or in an object store."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labelkit.errors import cannot_write

if TYPE_CHECKING:
    from redis import Redis


class Files(Protocol):
    """The files of jobs, by names of letters, digits, dots, dashes and underscores."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a file; on the disk when this returns."""

    def get(self, name: str) -> bytes | None:
        """A file, None where it is not kept."""

    def remove(self, name: str) -> None:
        """Forget a file, if it is kept."""

    def names(self) -> list[str]:
        """What is kept."""


class InFolder:
    """Files in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.glob("*.part"):  # of a service that was killed
            left.unlink(missing_ok=True)

    def put(self, name: str, data: bytes) -> None:
        """See `Files`."""
        path = self._folder / name
        part = path.with_name(f"{name}.part")
        try:
            with open(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            _flush_folder(self._folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise cannot_write(path, error) from error

    def get(self, name: str) -> bytes | None:
        """See `Files`."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """See `Files`."""
        (self._folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """See `Files`."""
        return [name for name in os.listdir(self._folder) if not name.endswith(".part")]


class InTable:
    """Files in the database, where every service finds them."""

    def __init__(self, storage: Any, name: str, guarded: Callable[[], AbstractContextManager[None]]) -> None:
        self._storage, self._name, self._guarded = storage, name, guarded

    def put(self, name: str, data: bytes) -> None:
        """See `Files`."""
        with self._guarded():
            self._storage.put_data(name, data)

    def get(self, name: str) -> bytes | None:
        """See `Files`."""
        with self._guarded():
            found = dict(self._storage.peek_many([name]))
        return found.get(name)

    def remove(self, name: str) -> None:
        """See `Files`."""
        with self._guarded():
            self._storage.sql(f"DELETE FROM {self._storage.table_kv} WHERE queue = %s AND key = %s", (self._name, name))

    def names(self) -> list[str]:
        """See `Files`."""
        with self._guarded():
            rows = self._storage.sql(f"SELECT key FROM {self._storage.table_kv} WHERE queue = %s", (self._name,),
                                     results=True)
        return [name for name, in rows]


class InHash:
    """Files in a hash of Redis, where every service finds them."""

    def __init__(self, client: Redis, name: str, guarded: Callable[[], AbstractContextManager[None]]) -> None:
        self._client, self._name, self._guarded = client, name, guarded

    def put(self, name: str, data: bytes) -> None:
        """See `Files`."""
        with self._guarded():
            self._client.hset(self._name, name, data)

    def get(self, name: str) -> bytes | None:
        """See `Files`."""
        with self._guarded():
            found = self._client.hget(self._name, name)
        return found if isinstance(found, bytes) else None

    def remove(self, name: str) -> None:
        """See `Files`."""
        with self._guarded():
            self._client.hdel(self._name, name)

    def names(self) -> list[str]:
        """See `Files`."""
        with self._guarded():
            return [name.decode() if isinstance(name, bytes) else name for name in self._client.hkeys(self._name)]


def _flush_folder(folder: Path) -> None:
    """Let a new name in a folder survive a loss of power, where the system can."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
