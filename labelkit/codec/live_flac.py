# SPDX-License-Identifier: Apache-2.0
"""FLAC as it comes, frame by frame (RFC 9639): one or two channels of up to 24 bits.

A frame does not tell its length. It ends where its checksum is right, and the next frame begins or no more bytes have
come.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from labelkit.codec.live import MAX_HEAD, Head, PacketDecoder, PacketEncoder, joined
from labelkit.codec.samples import Waveform
from labelkit.errors import MalformedFile

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
"""Hz that labelkit encodes FLAC at, when it begins a stream."""
BITRATE = 0
"""FLAC has no bitrate of choice."""
_MARK, _LAST = b"fLaC", 0x80
_STREAMINFO, _COMMENT = 0, 4
_DROPPED = (1, 3, 5)  # padding, and tables of places that are no longer true
_LEAST_FRAME = 10  # bytes
_MOST_FRAME = 1 << 20  # 65,535 samples of two channels of 32 bits, and more
_OPTIONS = {"compression_level": "2"}  # of FFmpeg: blocks of 27 ms, above it 105
_POLYNOMIAL = 0x8005


def _of_byte(value: int) -> int:
    value <<= 8
    for _ in range(8):
        value = value << 1 ^ (_POLYNOMIAL if value & 0x8000 else 0)
    return value & 0xFFFF


_CHECK = tuple(_of_byte(value) for value in range(256))


def head(data: bytes) -> Head | None:
    """What the first bytes tell, None while they are too few.

    Raises MalformedFile for what is no FLAC, has more than two channels or 24 bits, blocks of more than MAX_HEAD bytes
    before the sound, or tags of ID3, in which a manifest may be.
    """
    if data[:4] != _MARK[:len(data)]:
        raise MalformedFile("FLAC begins otherwise")
    at, kept, is_last, info = 4, b"", False, b""
    while not is_last:
        if len(data) < at + 4 or len(data) < at + 4 + int.from_bytes(data[at + 1:at + 4], "big"):
            if len(data) >= MAX_HEAD:
                raise MalformedFile("FLAC whose tags are no head of a stream")
            return None
        is_last, kind = bool(data[at] & _LAST), data[at] & 0x7F
        start, at = at, at + 4 + int.from_bytes(data[at + 1:at + 4], "big")
        if (kind == _STREAMINFO) != (start == 4):
            raise MalformedFile("FLAC begins otherwise")
        if kind == _STREAMINFO:
            info = data[start + 4:at]
        elif kind not in _DROPPED:
            kept += bytes([kind]) + data[start + 1:at]
    if len(info) != 34:
        raise MalformedFile("FLAC begins otherwise")
    told, = struct.unpack_from(">I", info, 10)
    rate, channels, depth = told >> 12, (told >> 9 & 7) + 1, (told >> 4 & 31) + 1
    if not rate:
        raise MalformedFile("FLAC begins otherwise")
    if channels > 2 or depth > 24:
        raise MalformedFile("FLAC of one or two channels and 24 bits at most is wanted")
    return Head(rate, channels, BITRATE, at, info + kept, depth=16 if depth <= 16 else 24)


class Decoder:
    """Bytes of FLAC behind its head to samples."""

    def __init__(self, head: Head) -> None:
        self._packets = PacketDecoder("flac", "flac", head.rate, head.channels, head.tags[:34],
                                      {"err_detect": "crccheck+explode"})
        self._data, self._seen, self._check = b"", 0, 0

    def push(self, data: bytes) -> Iterator[Waveform]:
        """The samples of the frames that are whole."""
        held, at = self._data + data, 0
        while found := self._frame(held, at):
            samples, at = found
            yield from samples
        self._data = held[at:]
        if len(self._data) > _MOST_FRAME:
            raise MalformedFile("a FLAC frame of more than {limit} bytes", limit=_MOST_FRAME)

    def finish(self) -> Iterator[Waveform]:
        """Nothing more; raises MalformedFile where the stream ends inside a frame."""
        if self._data:
            raise MalformedFile("the sound ends inside a frame: {count} bytes are left over", count=len(self._data))
        yield from ()

    def _frame(self, data: bytes, start: int) -> tuple[list[Waveform], int] | None:
        """The samples of the frame at `start` and where it ends, None while it is not whole."""
        check, table, begin = self._check, _CHECK, data[start:start + 2]
        for at in range(start + self._seen, len(data)):
            check = (check << 8 & 0xFF00) ^ table[check >> 8 ^ data[at]]
            if check or at - start < _LEAST_FRAME or data[at + 1:at + 3] not in (begin, b"", begin[:1]):
                continue
            try:
                made = list(self._packets.packet(data[start:at + 1]))
            except MalformedFile:
                continue  # the checksum was right by chance
            self._seen = self._check = 0
            return made, at + 1
        self._seen, self._check = len(data) - start, check
        return None


class Encoder:
    """Samples to frames of FLAC of 16 or 24 bits; `head` as of a source, whose tags and pictures are kept."""

    def __init__(self, head: Head) -> None:
        self._source = head
        self._packets = PacketEncoder("flac", "s16" if head.depth == 16 else "s32", head, _OPTIONS)
        self._info = bytes(self._packets.context.extradata or b"")

    def head(self, write: Callable[[bytes], bytes]) -> bytes:
        """The blocks before the sound, as `write` makes them of those of the source; their last is one of comments."""
        kept = self._source.tags[34:]
        blocks, at = [bytes([_STREAMINFO]) + len(self._info).to_bytes(3, "big") + self._info], 0
        while at < len(kept):
            end = at + 4 + int.from_bytes(kept[at + 1:at + 4], "big")
            blocks.append(kept[at:end])
            at = end
        return write(_MARK + b"".join([*blocks[:-1], bytes([blocks[-1][0] | _LAST]), blocks[-1][1:]]))

    def push(self, samples: Waveform) -> bytes:
        """The frames that are ready."""
        return b"".join(map(bytes, self._packets.encode(samples)))

    def finish(self) -> bytes:
        """The rest."""
        return b"".join(map(bytes, self._packets.encode(None)))

    def heard(self) -> Waveform:
        """The last seconds, as they are decoded."""
        decoder = PacketDecoder("flac", "flac", self._source.rate, self._source.channels, self._info)
        parts = [part for packet in self._packets.recent for part in decoder.packet(packet)]
        return joined(parts, self._source.channels)
