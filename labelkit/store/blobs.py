# SPDX-License-Identifier: Apache-2.0
"""Objects of a few megabytes below a prefix, by short names, each held whole in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from labelkit.errors import OutputFailed
from labelkit.store import _errors, _listed, _opened, _reason


class Blobs:
    """What lies directly below a prefix, such as "s3://bucket/jobs".

    Raises InvalidArgument where that is none or obstore is missing; everything here raises OutputFailed where the store
    cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._store, key = _opened(url)
        self._prefix = key and f"{key}/"

    def put(self, name: str, data: bytes) -> None:
        """Keep an object; it is there whole, and stays, when this returns."""
        import obstore

        with self._usable():
            obstore.put(self._store, self._prefix + name, data)

    def get(self, name: str) -> bytes | None:
        """An object, None where there is none."""
        import obstore

        with self._usable(), suppress(FileNotFoundError):
            return bytes(obstore.get(self._store, self._prefix + name).bytes())
        return None

    def remove(self, name: str) -> None:
        """Forget an object, if there is one."""
        import obstore

        with self._usable(), suppress(FileNotFoundError):
            obstore.delete(self._store, self._prefix + name)

    def names(self) -> list[str]:
        """What is there, but for what lies deeper."""
        with self._usable():
            found = [name.removeprefix(self._prefix) for name, _ in _listed(self._store, self._prefix)]
        return [name for name in found if "/" not in name]

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, _errors()) as error:
            raise OutputFailed("{where}: the store cannot be used: {reason}", where=self._url,
                               reason=_reason(error)) from error
