# SPDX-License-Identifier: Apache-2.0
"""What is kept of a job, and what is said of it."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATES = ("waiting", "working", "done", "failed")


@dataclass(frozen=True, slots=True)
class Record:
    """A job as it came in.

    owner    name of the API key; "" for a caller without one
    fields   of the query and of the form
    created  seconds since 1970
    size     bytes of the file
    by       the service that took it
    ready    whether its file is whole
    trace    the span in which it came, as W3C Trace Context names it; "" for none
    """

    verb: str
    owner: str
    file: str
    fields: tuple[tuple[str, str], ...]
    created: float
    size: int
    by: str
    ready: bool = False
    trace: str = ""

    @classmethod
    def of(cls, raw: bytes) -> Record:
        """The record that `json` made, in this version or another one."""
        found = json.loads(raw)
        found["fields"] = tuple((name, text) for name, text in found["fields"])
        return cls(**{one.name: found[one.name] for one in dataclasses.fields(cls) if one.name in found})

    def json(self) -> bytes:
        """For the store."""
        return json.dumps(dataclasses.asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job: the status of HTTP, and the names of files.

    parts   "fields", and where they are "file", "manifest" and "store"
    more    of `Answer` and `Unrecorded`, what is neither a file nor `fields`
    size    bytes of the files
    """

    status: int
    parts: Mapping[str, str]
    more: Mapping[str, Any]
    size: int

    @classmethod
    def of(cls, raw: bytes) -> Outcome:
        """The outcome that `json` made."""
        return cls(**json.loads(raw))

    def json(self) -> bytes:
        """For the store."""
        return json.dumps(dataclasses.asdict(self)).encode()


@dataclass(slots=True)
class State:
    """Where a job is.

    state    one of STATES
    share    of a film or a long sound that is done, None where it is not known
    expires  when the result of a job that ended is removed, seconds since 1970
    """

    record: Record
    state: str = "waiting"
    share: float | None = None
    outcome: Outcome | None = None
    expires: float | None = None

    def fields(self, name: str) -> dict[str, Any]:
        """For JSON; `name` is that of the job."""
        return {"job": name, "verb": self.record.verb, "file": self.record.file, "state": self.state,
                "progress": self.share, "created": _date(self.record.created),
                "expires": None if self.expires is None else _date(self.expires),
                "status": self.outcome.status if self.outcome else None,
                "result": f"/v1/jobs/{name}/result" if self.outcome else None}


def _date(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
