# SPDX-License-Identifier: Apache-2.0
"""Sound as servers stream it, in bytes, chunk by chunk: PCM, bare or behind the head of a WAV, MP3, AAC, FLAC, Ogg."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from labelkit import metadata, pipeline
from labelkit.codec import live, live_aac, live_flac, live_mp3, live_opus, live_vorbis
from labelkit.codec.live import MAX_HEAD
from labelkit.container import Reader
from labelkit.errors import MalformedFile
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.report import Layer
from labelkit.streaming import SoundLabeller
from labelkit.watermark.audio.inputs import Samples
from labelkit.watermark.carriers import payload_of

CODED: dict[str, Any] = {"mp3": live_mp3, "aac": live_aac, "flac": live_flac, "opus": live_opus, "ogg": live_vorbis}
"""The rooms of the formats of `Coded`."""
_UNKNOWN = 0xFFFFFFFF  # the size of what a streaming writer does not know the end of
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # WAVE_FORMAT_*, mmreg.h


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How samples stand in bytes.

    rate      Hz
    channels  interleaved
    dtype     "<i2", ">i2" or "<f4"
    """

    rate: int
    channels: int = 1
    dtype: str = "<i2"

    @property
    def frame_bytes(self) -> int:
        """The bytes of one sample of every channel."""
        return self.channels * np.dtype(self.dtype).itemsize


class Coding(Protocol):
    """How the sound of a stream stands in bytes, both ways; every method raises MalformedFile.

    format   its rate and channels
    nothing  samples as those that `decode` gives, [0, channels]
    head     the bytes before the sound, the label in them as metadata unless it is None
    heard    the last seconds of what was encoded as a listener decodes it; None where that is what `encode` was given
    """

    format: SoundFormat
    nothing: Samples

    def head(self, label: Label | None) -> bytes: ...
    def decode(self, data: bytes) -> Iterator[Samples]: ...
    def rest(self) -> Iterator[Samples]: ...
    def encode(self, samples: Samples) -> bytes: ...
    def finish(self) -> bytes: ...
    def heard(self) -> Samples | None: ...


class BytesLabeller:
    """Labels a stream of sound in bytes; chunks may end anywhere.

    label      what is said about the content
    coding     of the bytes that come and go
    plan, key  as for `labelkit.streaming.SoundLabeller`, which does the work; `plan.metadata` for the head
    latency_s  by how much the output lags behind what is decoded, without what the coding holds back
    """

    def __init__(self, label: Label, coding: Coding, *, plan: Plan | None = None, key: Key | None = None) -> None:
        plan = Plan() if plan is None else plan
        format = coding.format
        self._labeller = SoundLabeller(label, format.rate, format.channels, plan=plan, key=key)
        self._label, self._plan, self._key, self._coding = label, plan, key, coding
        self.latency_s = self._labeller.latency_s

    def start(self) -> bytes:
        """The head and the audible label, which need no sound yet."""
        head = self._coding.head(self._label if self._plan.metadata else None)
        return head + self._coding.encode(self._labeller(self._coding.nothing))

    def push(self, data: bytes) -> bytes:
        """What is ready, perhaps nothing. Raises MalformedFile, InvalidArgument for floats that are no numbers."""
        return b"".join(self._coding.encode(self._labeller(part)) for part in self._coding.decode(data))

    def finish(self) -> bytes:
        """The rest. Raises MalformedFile where the stream ends inside a sample or a page."""
        made = [self._coding.encode(self._labeller(part)) for part in self._coding.rest()]
        return b"".join([*made, self._coding.encode(self._labeller.finish()), self._coding.finish()])

    def is_readable(self) -> bool:
        """Whether the watermark is read back from the last eight seconds of what was returned; False without one."""
        heard = self._coding.heard()
        if heard is None or not self._plan.watermark:
            return self._labeller.is_readable()
        rate = self._coding.format.rate
        report = pipeline.verify(heard, key=self._key, rate=rate, layers=[Layer.WATERMARK])
        return report[Layer.WATERMARK].payload == payload_of(self._label, self._plan)


class Pcm:
    """Bare samples, or with the head of a WAV of unknown length."""

    def __init__(self, format: SoundFormat, *, wav: bool = False) -> None:
        self.format, self._wav, self._rest = format, wav, b""
        self._dtype = np.float32 if format.dtype == "<f4" else np.int16
        self.nothing: Samples = np.empty((0, format.channels), self._dtype)

    def head(self, label: Label | None) -> bytes:
        """The head of a WAV, or nothing."""
        return _wav_head(label, self.format) if self._wav else b""

    def decode(self, data: bytes) -> Iterator[Samples]:
        """The whole samples."""
        held = self._rest + data
        whole = len(held) // self.format.frame_bytes * self.format.frame_bytes
        self._rest = held[whole:]
        rows = np.frombuffer(held[:whole], self.format.dtype).reshape(-1, self.format.channels)
        yield rows.astype(self._dtype)

    def rest(self) -> Iterator[Samples]:
        """Nothing; raises MalformedFile where the stream ends inside a sample."""
        if self._rest:
            raise MalformedFile("the sound ends inside a sample: {count} bytes are left over", count=len(self._rest))
        yield from ()

    def encode(self, samples: Samples) -> bytes:
        """The bytes of samples."""
        return samples.astype(self.format.dtype).tobytes()

    def finish(self) -> bytes:
        """Nothing: what was encoded is complete."""
        return b""

    def heard(self) -> None:
        """A listener hears the samples themselves."""


class Coded:
    """Sound of a format of `CODED`, encoded at the bitrate or in the bits of what comes.

    format  its name
    head    of the source
    pcm     of what comes, where that is no stream of the format
    Raises UnsupportedFormat without PyAV (the extra `video`), MalformedFile.
    """

    def __init__(self, format: str, head: live.Head, pcm: SoundFormat | None = None) -> None:
        room = CODED[format]
        self._source: live.Decoder | Pcm = Pcm(pcm) if pcm else room.Decoder(head)
        self._encoder: live.Encoder = room.Encoder(head)
        self.format = SoundFormat(head.rate, head.channels, "<f4")
        self.nothing: Samples = np.empty((0, head.channels), np.float32)

    def head(self, label: Label | None) -> bytes:
        """The tags or comments of the source, with the label."""
        return self._encoder.head(lambda data: data if label is None else metadata.write(data, label))

    def decode(self, data: bytes) -> Iterator[Samples]:
        """float32 of what is whole."""
        if isinstance(self._source, Pcm):
            return map(_as_float, self._source.decode(data))
        return iter(self._source.push(data))

    def rest(self) -> Iterator[Samples]:
        """What is held back."""
        return self._source.rest() if isinstance(self._source, Pcm) else self._source.finish()

    def encode(self, samples: Samples) -> bytes:
        """The frames or pages that are ready."""
        return self._encoder.push(np.asarray(samples, np.float32))

    def finish(self) -> bytes:
        """The last of them."""
        return self._encoder.finish()

    def heard(self) -> Samples:
        """The last eight seconds, decoded."""
        return self._encoder.heard()


def _as_float(samples: Samples) -> Samples:
    return np.asarray(samples if samples.dtype == np.float32 else samples / np.float32(32768), np.float32)


def _wav_head(label: Label | None, format: SoundFormat) -> bytes:
    """The head of a WAV up to its samples, whose length is not known."""
    bits, kind = 8 * np.dtype(format.dtype).itemsize, _FLOAT if format.dtype == "<f4" else _PCM
    head = b"".join([
        struct.pack("<4sI4s", b"RIFF", _UNKNOWN, b"WAVE"),
        struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, format.channels, format.rate, format.rate * format.frame_bytes,
                    format.frame_bytes, bits),
        struct.pack("<4sI", b"data", _UNKNOWN)])
    return head if label is None else metadata.write(Reader.of(head, "stream"), label)


@dataclass(frozen=True, slots=True)
class WavHead:
    """The head of a WAV: its sound's format, where the sound begins, and its length in bytes, None if not known."""

    format: SoundFormat
    start: int
    length: int | None


def wav_head(data: bytes) -> WavHead | None:
    """What the first bytes of a WAV tell, None while they are too few.

    Raises MalformedFile for what is no WAV of 16-bit or float samples, or has a head of more than MAX_HEAD bytes.
    """
    if data[:12] and (data[:4] != b"RIFF"[:len(data)] or data[8:12] != b"WAVE"[:max(0, len(data) - 8)]):
        raise MalformedFile("a WAV begins otherwise")
    at, format = 12, None
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"data" and format is not None:
            return WavHead(format, at + 8, length if 0 < length < _UNKNOWN else None)
        if kind == b"fmt " and at + 8 + length <= len(data):
            format = _format(data[at + 8:at + 8 + length])
        at += 8 + length + (length & 1)
        if at > MAX_HEAD or kind == b"data":
            raise MalformedFile("a WAV whose sound cannot be labelled while it comes")
    if len(data) >= MAX_HEAD:
        raise MalformedFile("a WAV whose sound cannot be labelled while it comes")
    return None


def _format(body: bytes) -> SoundFormat:
    if len(body) >= 16:
        kind, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", body)
        if kind == _EXTENSIBLE and len(body) >= 26:
            kind = struct.unpack_from("<H", body, 24)[0]
        dtype = {(_PCM, 16): "<i2", (_FLOAT, 32): "<f4"}.get((kind, bits))
        if dtype and channels and frame_bytes == channels * bits // 8:
            return SoundFormat(rate, channels, dtype)
    raise MalformedFile("a WAV whose sound cannot be labelled while it comes")
