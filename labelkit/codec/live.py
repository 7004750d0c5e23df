# SPDX-License-Identifier: Apache-2.0
"""Lossy sound as it comes, before its end is known: bytes in, samples out, and back; through PyAV.

`live_mp3` and `live_opus` each have `head`, `Decoder` and `Encoder`. Nothing reads from a file or waits in a thread:
bytes are pushed, what is ready comes back, and a stream that is dropped leaves nothing behind.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from labelkit.codec.backends import SOUND, pyav, translated
from labelkit.codec.samples import Waveform

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.audio.codeccontext import AudioCodecContext

MAX_HEAD = 1 << 16
"""Bytes before the sound beyond which a stream is not labelled as it comes."""
RECENT_S = 8.0
"""Seconds of what was encoded that `heard` decodes again."""
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, slots=True)
class Head:
    """What the beginning of a stream tells.

    rate      Hz
    channels  1 or 2
    bitrate   bits a second
    start     bytes before the sound
    tags      of the source, as its format holds them
    serial    of an Ogg stream
    """

    rate: int
    channels: int
    bitrate: int
    start: int = 0
    tags: bytes = b""
    serial: int = 0


class Decoder(Protocol):
    """Encoded bytes to float32 [frames, channels]; both raise MalformedFile."""

    def push(self, data: bytes) -> Iterator[Waveform]: ...
    def finish(self) -> Iterator[Waveform]: ...


class Encoder(Protocol):
    """float32 [frames, channels] to encoded bytes.

    head    the bytes before the sound, as `write` makes them of those of the source; called once, first
    heard   float32 [frames, channels]: the last RECENT_S of what was encoded, as a listener decodes it
    """

    def head(self, write: Callable[[bytes], bytes]) -> bytes: ...
    def push(self, samples: Waveform) -> bytes: ...
    def finish(self) -> bytes: ...
    def heard(self) -> Waveform: ...


class PacketDecoder:
    """Packets of one codec of PyAV to samples. Raises MalformedFile for those that do not decode or change the format.
    """

    def __init__(self, codec: str, format: str, rate: int, channels: int, extradata: bytes | None = None) -> None:
        self._format, self._like = format, (rate, channels)
        self.context = cast("AudioCodecContext", pyav("stream", format).CodecContext.create(codec, "r"))
        if extradata:
            self.context.extradata = extradata

    def decode(self, packet: Packet[AudioStream] | None) -> Iterator[Waveform]:
        """The samples of a packet; None asks for what is left."""
        with translated("stream", SOUND):
            for frame in self.context.decode(packet):
                yield self._samples(frame)

    def packet(self, data: bytes) -> Iterator[Waveform]:
        """`decode` of the bytes of a packet."""
        return self.decode(pyav("stream", self._format).Packet(data))

    def _samples(self, frame: AudioFrame) -> Waveform:
        if (frame.sample_rate, frame.layout.nb_channels) != self._like:
            raise ValueError("its rate or channels change")
        return np.ascontiguousarray(frame.to_ndarray().reshape(self._like[1], -1).T, np.float32)


class PacketEncoder:
    """Samples to packets of one codec of PyAV.

    delay   samples that the encoder puts before the first
    recent  the last packets, of RECENT_S and a little more
    """

    def __init__(self, codec: str, form: str, head: Head) -> None:
        av = pyav("stream", codec)
        context = cast("AudioCodecContext", av.CodecContext.create(codec, "w"))
        context.sample_rate, context.layout, context.format = head.rate, _LAYOUTS[head.channels], form
        context.bit_rate, context.time_base = head.bitrate, Fraction(1, head.rate)
        with translated("stream", SOUND):
            context.open()
        self.context, self._form, self._layout, self._rate = context, form, _LAYOUTS[head.channels], head.rate
        self._count = 0
        self.recent: collections.deque[bytes] = collections.deque(
            maxlen=int(RECENT_S * head.rate / context.frame_size) + 1)

    def encode(self, samples: Waveform | None) -> list[Packet[AudioStream]]:
        """The packets that are ready; None asks for what is left."""
        frame = None
        if samples is not None:
            if not len(samples):
                return []
            av = pyav("stream", "sound")
            planes = np.ascontiguousarray(np.clip(samples, -1, 1).T, np.float32)
            rows = planes if self._form.endswith("p") else np.ascontiguousarray(planes.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(rows, self._form, self._layout)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._count, Fraction(1, self._rate)
            self._count += len(samples)
        elif not self._count:
            return []
        with translated("stream", SOUND):
            packets = self.context.encode(frame)
        self.recent.extend(map(bytes, packets))
        return packets

    @property
    def count(self) -> int:
        """Samples of every channel so far."""
        return self._count


def joined(parts: Iterable[Waveform], channels: int) -> Waveform:
    """Parts of a stream as one array, float32 [frames, channels]."""
    return np.concatenate([np.empty((0, channels), np.float32), *parts])
