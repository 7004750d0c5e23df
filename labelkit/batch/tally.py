# SPDX-License-Identifier: Apache-2.0
"""What came of a run, in bounded memory: counts by format and by reason, growth and rate."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from labelkit.errors import LabelkitError
from labelkit.messages import Message

MAX_LISTED = 1000  # failures that are named
MAX_GROWN = 10  # files that grew most
GROWTH = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Bounds of the classes of growth, as shares of the size before."""
_MAX_BINS = 120  # of time
_MAX_BYTES = 1 << 63  # of a file


class Facts(NamedTuple):
    """A file that was labelled: its format, its bytes before and after, whether its watermark was made stronger, and
    when it was done, by `time.monotonic`."""

    format: str
    bytes_in: int
    bytes_out: int | None
    stronger: bool = False
    at: float | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON, but for the time."""
        return {"format": self.format, "bytes_before": self.bytes_in, "bytes_after": self.bytes_out,
                "stronger": self.stronger}

    @staticmethod
    def of_dict(made: object) -> Facts | None:
        """What `to_dict` made; None for anything else."""
        match made:
            case {"format": str(name), "bytes_before": int(before), "bytes_after": int() | None as after,
                  "stronger": bool(stronger)} if 0 <= before < _MAX_BYTES and 0 <= (after or 0) < _MAX_BYTES:
                return Facts(name, before, after, stronger)
        return None


class Failure(NamedTuple):
    """A file that failed: its name, the class of the error and its message."""

    name: str
    kind: str
    reason: Message


class Grown(NamedTuple):
    """A file that grew: by which share of its size, its name, and its bytes before and after."""

    share: float
    name: str
    bytes_in: int
    bytes_out: int


@dataclass(slots=True)
class ByFormat:
    """The files of one format, and their bytes where both sizes are known."""

    files: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(slots=True)
class Tally:
    """The results of a run.

    formats   by the name of the format
    growth    files by class of growth: below GROWTH[0], below GROWTH[1], ..., the rest
    failures  by the class of the error; `listed` names the first MAX_LISTED
    grown     the MAX_GROWN files that grew most, the first most
    stronger  watermarks that were made stronger, because the file's own encoding took them away
    bins      files in each `bin_s` seconds since the beginning
    """

    formats: dict[str, ByFormat] = field(default_factory=dict)
    growth: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    listed: list[Failure] = field(default_factory=list)
    stronger: int = 0
    _most: list[Grown] = field(default_factory=list)
    bins: list[int] = field(default_factory=list)
    bin_s: float = 1.0
    seconds: float = 0.0

    @property
    def labelled(self) -> int:
        """The files that were labelled."""
        return sum(one.files for one in self.formats.values())

    @property
    def failed(self) -> int:
        """The files that failed."""
        return self.failures.total()

    @property
    def grown(self) -> list[Grown]:
        """The files that grew most."""
        return sorted(self._most, reverse=True)

    def add(self, name: str, result: Facts | LabelkitError, seconds: float) -> None:
        """Count a file; `seconds` is the time since the beginning."""
        self._at(seconds)
        if isinstance(result, LabelkitError):
            return self.add_failure(Failure(name, type(result).__name__, result.message))
        sums = self.formats.setdefault(result.format, ByFormat())
        sums.files += 1
        self.stronger += result.stronger
        if result.bytes_out is not None:
            sums.bytes_in += result.bytes_in
            sums.bytes_out += result.bytes_out
            share = result.bytes_out / max(1, result.bytes_in) - 1
            self.growth[sum(share >= bound for bound in GROWTH)] += 1
            if share > 0:
                put = heapq.heappush if len(self._most) < MAX_GROWN else heapq.heappushpop
                put(self._most, Grown(share, name, result.bytes_in, result.bytes_out))

    def add_failure(self, failure: Failure) -> None:
        """Count a file that failed at a time that is not known."""
        self.failures[failure.kind] += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(failure)

    def _at(self, seconds: float) -> None:
        self.seconds = max(self.seconds, seconds)
        while seconds >= self.bin_s * _MAX_BINS:
            self.bins = [sum(self.bins[at:at + 2]) for at in range(0, len(self.bins), 2)]
            self.bin_s *= 2
        at = int(seconds / self.bin_s)
        self.bins += [0] * (at + 1 - len(self.bins))
        self.bins[at] += 1
