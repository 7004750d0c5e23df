# SPDX-License-Identifier: Apache-2.0
"""The streams of a film that is written: copied as they are, or the sound track with its changes."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from labelkit.codec.soundtrack import SoundEncoder

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream

WRITTEN_BY_MUXER = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
"""Tags that a muxer writes itself."""


def describe(stream: Stream, source: Stream) -> None:
    """Language, title and dispositions of a stream."""
    stream.metadata.update({name: value for name, value in source.metadata.items()
                            if name not in WRITTEN_BY_MUXER and not name.startswith("DURATION")})
    stream.disposition = source.disposition


class Track(abc.ABC):
    """A stream that is written."""

    stream: Stream

    @abc.abstractmethod
    def writes(self, packet: Packet[Stream]) -> Iterator[Callable[[], None]]:
        """What writes all that a packet of the source brings, one part a call; what can be done before is done."""

    def finish(self) -> None:  # noqa: B027  nothing is held back by most
        """Write what is held back."""


class CopiedTrack(Track):
    """A stream whose packets pass as they are."""

    def __init__(self, out: OutputContainer, source: Stream) -> None:
        self.out = out
        self.stream = out.add_stream_from_template(source, opaque=True)
        describe(self.stream, source)

    def writes(self, packet: Packet[Stream]) -> Iterator[Callable[[], None]]:
        """The packet, if it holds anything."""
        if packet.size and (packet.dts, packet.pts) != (None, None):
            yield functools.partial(self._write, packet)

    def _write(self, packet: Packet[Stream]) -> None:
        packet.stream = self.stream
        self.out.mux(packet)


class ChangedSound(Track):
    """The sound track, changed."""

    def __init__(self, encoder: SoundEncoder) -> None:
        self.encoder, self.stream = encoder, encoder.stream

    def writes(self, packet: Packet[Stream]) -> Iterator[Callable[[], None]]:
        """The samples, with the changes."""
        for samples in self.encoder.prepare(cast("Packet[AudioStream]", packet)):
            yield functools.partial(self.encoder.put, samples)

    def finish(self) -> None:
        """What changes and encoder hold back."""
        self.encoder.finish()
