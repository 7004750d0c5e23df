# SPDX-License-Identifier: Apache-2.0
"""The manifests that a log keeps, so that a mark leads to them where the file has lost its own.

They stand beside the records, outside their chain: a manifest is signed, so whoever is given one checks it, and it may
be removed at any time.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labelkit.container import jumbf
from labelkit.errors import InvalidArgument
from labelkit.log.database import Row
from labelkit.log.entry import lookup_number, microseconds
from labelkit.payload import Payload

MAX_ENDPOINT = 2048  # characters
TABLE = "labelkit_manifests"
_COLUMNS = "id, alg, mark, time, store, endpoint"
_SCHEMA = ("""CREATE TABLE IF NOT EXISTS labelkit_manifests (id TEXT PRIMARY KEY, alg TEXT NOT NULL, mark {big},
    time {big} NOT NULL, store {bytes}, endpoint TEXT)""",
           "CREATE INDEX IF NOT EXISTS labelkit_manifests_by_mark ON labelkit_manifests (mark, time)")

Rows = Callable[[str, Sequence[object]], list[Row]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A manifest, or where it is.

    id        of the active manifest, such as urn:c2pa:...
    alg       name of the soft binding, such as org.labelkit.watermark.image.1
    payload   of the watermark that leads to it, None without one
    time      aware datetime at which it was signed
    store     the manifest store, at most 16 MB; None where it is elsewhere
    endpoint  where a Soft Binding Resolution API gives it out instead, an https: URL
    Raises InvalidArgument, and MalformedFile for a store that does not begin as one, or has another active manifest.
    """

    id: str
    alg: str
    payload: Payload | None
    time: datetime.datetime
    store: bytes | None = None
    endpoint: str | None = None

    def __post_init__(self) -> None:
        if not jumbf.MANIFEST_ID.fullmatch(self.id):
            raise InvalidArgument("the name of a manifest has 1 to 255 printable characters, got {got}",
                                  got=repr(self.id)[:80])
        if (self.store is None) == (self.endpoint is None):
            raise InvalidArgument("a manifest is kept, or it is elsewhere: give one of store and endpoint")
        if self.endpoint is not None and not (self.endpoint.startswith("https://")
                                              and len(self.endpoint) <= MAX_ENDPOINT):
            raise InvalidArgument("an endpoint is an https: URL, got {got}", got=repr(self.endpoint)[:80])
        if self.store is not None and jumbf.manifests(self.store)[-1][0] != self.id:
            raise InvalidArgument("{id} is not the active manifest of the store", id=self.id)

    @classmethod
    def of(cls, store: bytes, alg: str, payload: Payload | None, time: datetime.datetime) -> Kept:
        """A manifest store, under the name of its active manifest."""
        return cls(jumbf.manifests(store)[-1][0], alg, payload, time, store)


def make(rows: Rows, *, binary: str, integer: str) -> None:
    """Make the table if there is none: logs of earlier versions have none."""
    for statement in _SCHEMA:
        rows(statement.format(big=integer, bytes=binary), ())


def put(rows: Rows, kept: Kept) -> None:
    """Keep a manifest; one of the same name stays as it is."""
    mark = lookup_number(kept.payload) if kept.payload else None
    rows(f"INSERT INTO labelkit_manifests ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
         [kept.id, kept.alg, mark, microseconds(kept.time), kept.store, kept.endpoint])


def by_mark(rows: Rows, payload: Payload, alg: str | None, most: int) -> list[tuple[str, str | None]]:
    """(name, endpoint) of the newest manifests that a mark leads to, newest first."""
    condition, values = ("AND alg = ?", [alg]) if alg else ("", [])
    found = rows(f"SELECT id, endpoint FROM labelkit_manifests WHERE mark = ? {condition} "
                 "ORDER BY time DESC, id LIMIT ?", [lookup_number(payload), *values, most])
    return [(name, endpoint) for name, endpoint in found]


def by_id(rows: Rows, name: str) -> tuple[bytes | None, str | None] | None:
    """(store, endpoint) of a manifest, None for an unknown one."""
    found = rows("SELECT store, endpoint FROM labelkit_manifests WHERE id = ?", [name])
    return (bytes(found[0][0]) if found[0][0] is not None else None, found[0][1]) if found else None


def remove(rows: Rows, name: str) -> bool:
    """Forget a manifest; whether there was one."""
    return bool(rows("DELETE FROM labelkit_manifests WHERE id = ? RETURNING id", [name]))
