# SPDX-License-Identifier: Apache-2.0
"""What the shards of every kind of dataset are made of: samples, and the media in them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from pickle import PickleBuffer
from typing import BinaryIO, Protocol, SupportsIndex

from labelkit.container import media_type

Data = bytes | Path
"""The bytes of a medium; those of a large one are in a file."""


def by_reference(data: Data | None, protocol: SupportsIndex) -> object:
    """The bytes as a pickle of protocol 5 refers to them, so that a pipe can take them without a copy."""
    return PickleBuffer(data) if isinstance(data, bytes) and operator.index(protocol) >= 5 else data


@dataclass(frozen=True, slots=True)
class Medium:
    """A picture, sound or film of a sample: its name in the shard, and its bytes."""

    name: str
    data: Data

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        return Medium, (self.name, by_reference(self.data, protocol))


@dataclass(slots=True)
class Sample:
    """A sample of a shard: its key, its media, and what the writer of the format needs of the rest."""

    key: str
    media: list[Medium] = field(default_factory=list)
    rest: object = None

    def __reduce__(self) -> tuple[object, ...]:
        """Other processes work on the media alone."""
        return Sample, (self.key, self.media)


class Reader(Protocol):
    """Reads the samples of a shard in their order."""

    def __iter__(self) -> Iterator[Sample]:
        """The samples. Raises TruncatedFile where the shard ends too early, MalformedFile where it is broken."""


class Writer(Protocol):
    """Writes the samples of a shard in their order."""

    def put(self, sample: Sample, made: Sequence[Data] | None) -> None:
        """Write a sample with its media replaced, or leave it out (None)."""

    def finish(self) -> None:
        """Write what comes after the last sample."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


def is_medium(names: Sequence[str] | None) -> Callable[[str], bool]:
    """Whether a member of a tar is worked on: its name has one of the endings, or by default one of media."""
    if names is None:
        return lambda name: media_type(name) is not None
    endings = tuple(f".{name.strip().lstrip('.').lower()}" for name in names)
    return lambda name: PurePosixPath(name).name.lower().endswith(endings)


def copied(data: Data, out: BinaryIO) -> None:
    """Write the bytes of a medium."""
    if isinstance(data, bytes):
        out.write(data)
        return
    with open(data, "rb") as file:
        while piece := file.read(1 << 20):
            out.write(piece)


def size_of(data: Data) -> int:
    """The bytes of a medium."""
    return len(data) if isinstance(data, bytes) else data.stat().st_size
