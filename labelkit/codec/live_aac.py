# SPDX-License-Identifier: Apache-2.0
"""AAC in ADTS as it comes, frame by frame (ISO/IEC 14496-3, 1.A.2): one or two channels, encoded as AAC-LC.

ID3 tags before the frames, with the label, are skipped by players; HLS asks for them (RFC 8216, 3.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labelkit.codec.live import Head, PacketDecoder, PacketEncoder, joined
from labelkit.codec.live_tags import end_of_tags
from labelkit.codec.samples import Waveform
from labelkit.errors import MalformedFile

RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Hz that AAC has, in the order of their numbers in a header."""
BITRATE = 64_000
"""Bits a second for a channel where nothing is asked."""
_HEAD = 7
_FRAME = 1024  # samples of a block
_LEAST, _MOST = 1.0, 6.0  # bits for each sample, as in the sound of films


@dataclass(frozen=True, slots=True)
class _Frame:
    rate: int
    channels: int
    length: int


def _frame(data: bytes) -> _Frame | None:
    """The header at the start of `data`, None while it is not whole; raises MalformedFile for another."""
    if data[:1] != b"\xff"[:len(data)] or len(data) > 1 and data[1] & 0xF6 != 0xF0:
        raise MalformedFile("an ADTS frame is wanted")
    if len(data) < _HEAD:
        return None
    rate, channels = data[2] >> 2 & 15, (data[2] & 1) << 2 | data[3] >> 6
    length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    if rate >= len(RATES) or channels not in (1, 2) or length <= _HEAD:
        raise MalformedFile("AAC of one or two channels is wanted")
    return _Frame(RATES[rate], channels, length)


def head(data: bytes) -> Head | None:
    """What the first bytes tell, None while they are too few.

    The bitrate is the mean of the frames that came, within 1 and 6 bits for each sample. Rate and channels are those
    of the first frame when it is decoded: of HE-AAC they are twice what its header tells.
    Raises MalformedFile for what is no AAC in ADTS, has more than two channels, or tags as `end_of_tags` refuses them.
    """
    start = end_of_tags(data)
    if start is None:
        return None
    at, count, first = start, 0, _frame(data[start:start + _HEAD])
    while (frame := _frame(data[at:at + _HEAD])) is not None and at + frame.length <= len(data):
        at, count = at + frame.length, count + 1
    if first is None or not count:
        return None
    decoded = next(PacketDecoder("aac", "aac", 0, 0).frames(data[start:start + first.length]), None)
    rate, channels = (decoded.sample_rate, decoded.layout.nb_channels) if decoded else (first.rate, first.channels)
    if channels not in (1, 2):
        raise MalformedFile("AAC of one or two channels is wanted")
    mean = 8 * (at - start) * first.rate // (count * _FRAME)
    bitrate = int(min(max(mean, _LEAST * rate * channels), _MOST * rate * channels))
    return Head(rate, channels, bitrate, start, data[:start])


class Decoder:
    """Bytes of ADTS to samples."""

    def __init__(self, head: Head) -> None:
        self._packets, self._data = PacketDecoder("aac", "aac", head.rate, head.channels), b""

    def push(self, data: bytes) -> Iterator[Waveform]:
        """The samples of the frames that are whole."""
        held, at = self._data + data, 0
        while at < len(held) and (frame := _frame(held[at:at + _HEAD])) is not None and at + frame.length <= len(held):
            at += frame.length
            yield from self._packets.packet(held[at - frame.length:at])
        self._data = held[at:]

    def finish(self) -> Iterator[Waveform]:
        """The rest; raises MalformedFile where the stream ends inside a frame."""
        if self._data:
            raise MalformedFile("the sound ends inside a frame: {count} bytes are left over", count=len(self._data))
        yield from self._packets.decode(None)


class Encoder:
    """Samples to frames of ADTS, at a rate of `RATES`; `head` as of a source, whose tags are kept."""

    def __init__(self, head: Head) -> None:
        if head.rate not in RATES:
            raise MalformedFile("AAC has no rate of {rate} Hz", rate=head.rate)
        self._source, self._packets = head, PacketEncoder("aac", "fltp", head)
        self._start = bytes([0xFF, 0xF1, 1 << 6 | RATES.index(head.rate) << 2])  # MPEG-4, no checksum; AAC-LC

    def head(self, write: Callable[[bytes], bytes]) -> bytes:
        """The tags, as `write` makes them of an AAC with those of the source."""
        frame = self._framed(b"\0")  # for writers of tags
        return write(self._source.tags + frame).removesuffix(frame)

    def push(self, samples: Waveform) -> bytes:
        """The frames that are ready."""
        return b"".join(self._framed(bytes(packet)) for packet in self._packets.encode(samples))

    def finish(self) -> bytes:
        """The rest."""
        return b"".join(self._framed(bytes(packet)) for packet in self._packets.encode(None))

    def heard(self) -> Waveform:
        """The last seconds, as they are decoded."""
        decoder = Decoder(self._source)
        parts = [part for packet in self._packets.recent for part in decoder.push(self._framed(packet))]
        return joined([*parts, *decoder.finish()], self._source.channels)

    def _framed(self, packet: bytes) -> bytes:
        """A packet behind a header that tells its length and a buffer of any fullness."""
        length = len(packet) + _HEAD
        return self._start + bytes([self._source.channels << 6 & 0xC0 | length >> 11, length >> 3 & 0xFF,
                                    (length & 7) << 5 | 0x1F, 0xFC]) + packet
