# SPDX-License-Identifier: Apache-2.0
"""Encoded sound as it comes, before its end is known: bytes in, samples out, and back; through PyAV.

`live_mp3`, `live_aac`, `live_flac`, `live_opus` and `live_vorbis` each have `head`, `Decoder`, `Encoder`, the `RATES`
in Hz that it encodes, and `BITRATE`, the bits a second for a channel where nothing is asked. Nothing reads from a
file or waits in a thread: bytes are pushed, what is ready comes back, and a stream that is dropped leaves nothing
behind.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

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
    depth     bits of a sample, of FLAC
    """

    rate: int
    channels: int
    bitrate: int
    start: int = 0
    tags: bytes = b""
    serial: int = 0
    depth: int = 16


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

    options  of the decoder, by FFmpeg's names
    """

    def __init__(self, codec: str, format: str, rate: int, channels: int, extradata: bytes | None = None,
                 options: dict[str, str] | None = None) -> None:
        self._format, self._like = format, (rate, channels)
        self.context = cast("AudioCodecContext", pyav("stream", format).CodecContext.create(codec, "r"))
        if extradata:
            self.context.extradata = extradata
        self.context.options = options or {}

    def decode(self, packet: Packet[AudioStream] | None) -> Iterator[Waveform]:
        """The samples of a packet; None asks for what is left."""
        with translated("stream", SOUND):
            for frame in self.context.decode(packet):
                yield self._samples(frame)

    def packet(self, data: bytes) -> Iterator[Waveform]:
        """`decode` of the bytes of a packet."""
        return self.decode(pyav("stream", self._format).Packet(data))

    def frames(self, data: bytes) -> Iterator[AudioFrame]:
        """What FFmpeg makes of the bytes of a packet."""
        with translated("stream", SOUND):
            yield from self.context.decode(pyav("stream", self._format).Packet(data))

    def _samples(self, frame: AudioFrame) -> Waveform:
        if (frame.sample_rate, frame.layout.nb_channels) != self._like:
            raise ValueError("its rate or channels change")
        samples = frame.to_ndarray()
        rows = samples.reshape(self._like[1], -1).T if frame.format.is_planar else samples.reshape(-1, self._like[1])
        made: Waveform = np.ascontiguousarray(rows, np.float32)
        if rows.dtype.kind != "f":
            made /= 1 << 8 * rows.itemsize - 1
        return made


class PacketEncoder:
    """Samples to packets of one codec of PyAV.

    form    FFmpeg's name of the samples that it takes: "flt" or "fltp", "s16", or "s32" for 24 bits
    recent  the last packets, of RECENT_S and a little more
    """

    def __init__(self, codec: str, form: str, head: Head, options: dict[str, str] | None = None) -> None:
        av = pyav("stream", codec)
        context = cast("AudioCodecContext", av.CodecContext.create(codec, "w"))
        context.sample_rate, context.layout, context.format = head.rate, _LAYOUTS[head.channels], form
        context.bit_rate, context.time_base = head.bitrate, Fraction(1, head.rate)
        context.options = options or {}
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
            made = _LEVELS.get(self._form, _floats)(samples)
            rows = np.ascontiguousarray(made.T) if self._form.endswith("p") else made.reshape(1, -1)
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


def _floats(samples: Waveform) -> Waveform:
    return np.ascontiguousarray(np.clip(samples, -1, 1), np.float32)


def _of_16_bits(samples: Waveform) -> npt.NDArray[np.int16]:
    levels = np.rint(samples * np.float32(1 << 15))
    return np.asarray(np.clip(levels, -(1 << 15), (1 << 15) - 1), np.int16)


def _of_24_bits(samples: Waveform) -> npt.NDArray[np.int32]:
    """In the upper bits of 32, as FFmpeg wants them."""
    levels = np.rint(samples * np.float32(1 << 23))
    return np.asarray(np.clip(levels, -(1 << 23), (1 << 23) - 1), np.int32) << 8


_LEVELS: dict[str, Callable[[Waveform], npt.NDArray[Any]]] = {"s16": _of_16_bits, "s32": _of_24_bits}


def joined(parts: Iterable[Waveform], channels: int) -> Waveform:
    """Parts of a stream as one array, float32 [frames, channels]."""
    return np.concatenate([np.empty((0, channels), np.float32), *parts])
