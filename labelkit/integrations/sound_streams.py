# SPDX-License-Identifier: Apache-2.0
"""Sound as servers stream it: bytes of PCM, bare or behind the head of a WAV, labelled chunk by chunk."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from labelkit import metadata
from labelkit.container import Reader
from labelkit.errors import MalformedFile
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.streaming import SoundLabeller

MAX_HEAD = 1 << 16
"""Bytes before the sound of a WAV beyond which it is not streamed."""
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


class BytesLabeller:
    """Labels a stream of PCM in bytes; chunks may end inside a sample.

    label      what is said about the content
    format     of the bytes that come and go
    wav        put the head of a WAV of unknown length before the sound, with the label as metadata (plan.metadata)
    plan, key  as for `labelkit.streaming.SoundLabeller`, which does the work
    """

    def __init__(self, label: Label, format: SoundFormat, *, wav: bool = False, plan: Plan | None = None,
                 key: Key | None = None) -> None:
        plan = Plan() if plan is None else plan
        self._labeller = SoundLabeller(label, format.rate, format.channels, plan=plan, key=key)
        self._format, self._rest = format, b""
        self._head = _wav_head(label if plan.metadata else None, format) if wav else b""
        self.latency_s = self._labeller.latency_s

    def start(self) -> bytes:
        """The head and the audible label, which need no sound yet."""
        return self._head + self.push(b"")

    def push(self, data: bytes) -> bytes:
        """What is ready, perhaps nothing. Raises InvalidArgument for floats that are no numbers or far too large."""
        held = self._rest + data
        whole = len(held) // self._format.frame_bytes * self._format.frame_bytes
        self._rest = held[whole:]
        return self._bytes(self._labeller(self._samples(held[:whole])))

    def finish(self) -> bytes:
        """The rest. Raises MalformedFile where the stream ends inside a sample."""
        if self._rest:
            raise MalformedFile("the sound ends inside a sample: {count} bytes are left over", count=len(self._rest))
        return self._bytes(self._labeller.finish())

    def is_readable(self) -> bool:
        """As that of SoundLabeller."""
        return self._labeller.is_readable()

    def _samples(self, data: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.float32 | np.int16]]:
        rows = np.frombuffer(data, self._format.dtype).reshape(-1, self._format.channels)
        return rows.astype(np.float32 if self._format.dtype == "<f4" else np.int16)

    def _bytes(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.float32 | np.int16]]) -> bytes:
        return samples.astype(self._format.dtype).tobytes()


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
    if len(data) > MAX_HEAD:
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
