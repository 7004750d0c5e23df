# SPDX-License-Identifier: Apache-2.0
"""Opus in Ogg as it comes, page by page (RFC 3533, RFC 7845): one stream of one or two channels."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelkit.codec.live import MAX_HEAD, Head, PacketDecoder, PacketEncoder, joined
from labelkit.codec.samples import Waveform
from labelkit.container import ogg
from labelkit.errors import MalformedFile

if TYPE_CHECKING:
    from av import AudioStream, Packet

RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Hz that an encoder of Opus takes."""
_CLOCK = 48_000  # of granule positions, and of decoders
_PAGE = 27  # bytes before the lacing
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_LEAST, _MOST = 48_000, 256_000  # bits a second for a channel; the least as in the sound of films
_MAX_LACING = 255


@dataclass(frozen=True, slots=True)
class _Page:
    flags: int
    granule: int
    serial: int
    body: bytes
    lacing: bytes
    length: int


def _page(data: bytes) -> _Page | None:
    """The page at the start of `data`, None while it is not whole; raises MalformedFile for another or a broken one."""
    if data[:4] != b"OggS"[:len(data)]:
        raise MalformedFile("an Ogg page is wanted")
    if len(data) < _PAGE:
        return None
    version, flags, granule, serial, _, check, count = struct.unpack_from("<4xBBqIIIB", data)
    lacing = data[_PAGE:_PAGE + count]
    length = _PAGE + count + sum(lacing)
    if len(lacing) < count or len(data) < length:
        return None
    if version or ogg.checksum(data[:22] + bytes(4) + data[26:length]) != check:
        raise MalformedFile("an Ogg page is broken")
    return _Page(flags, granule, serial, data[_PAGE + count:length], lacing, length)


class _Packets:
    """The packets of one stream, whose pages come in turn."""

    def __init__(self) -> None:
        self._waiting = b""

    def take(self, page: _Page) -> list[bytes]:
        """Those that end in a page. Raises MalformedFile for parts of which one is missing."""
        if bool(self._waiting) != bool(page.flags & _CONTINUED):
            raise MalformedFile("an Ogg page is missing")
        done, at = [], 0
        for lace in page.lacing:
            self._waiting += page.body[at:at + lace]
            at += lace
            if lace < 255:
                done.append(self._waiting)
                self._waiting = b""
        if len(self._waiting) > MAX_HEAD:
            raise MalformedFile("an Opus packet of more than {limit} bytes", limit=MAX_HEAD)
        return done


def head(data: bytes) -> Head | None:
    """What the first bytes tell, the first page of sound with them; None while they are too few.

    The bitrate is the mean of what came, within 48 and 256 kbit/s a channel: Opus does not tell its own.
    Raises MalformedFile for what is no Opus, has more than two channels, or comments of more than MAX_HEAD bytes.
    """
    first = _page(data) if data else None
    if first is None:
        return None
    if not first.flags & _FIRST or first.body[:8] != b"OpusHead" or len(first.body) < 19 or first.body[18] or \
            first.body[9] not in (1, 2):
        raise MalformedFile("Opus of one or two channels is wanted")
    at, packets, comments = first.length, _Packets(), b""
    while not comments:
        page = _page(data[at:at + (1 << 17)])
        if page is None and len(data) < MAX_HEAD:
            return None
        if page is None or page.serial != first.serial:
            raise MalformedFile("Opus whose comments cannot be kept in a stream")
        at += page.length
        comments = b"".join(packets.take(page))
    if comments[:8] != b"OpusTags" or at > MAX_HEAD:
        raise MalformedFile("Opus whose comments cannot be kept in a stream")
    start, end = at, 0
    while (page := _page(data[at:at + (1 << 17)])) is not None:
        at, end = at + page.length, max(end, page.granule)
    if at == start:
        if len(data) >= MAX_HEAD:
            raise MalformedFile("Opus whose comments cannot be kept in a stream")
        return None
    channels = first.body[9]
    bitrate = 8 * (at - start) * _CLOCK // max(end, 1) if end else 0
    bitrate = min(max(bitrate, _LEAST * channels), _MOST * channels)
    return Head(_CLOCK, channels, bitrate, start, first.body + comments, first.serial)


class Decoder:
    """Bytes of Ogg Opus behind its head to samples of 48 kHz, without those before the start and behind the end."""

    def __init__(self, head: Head) -> None:
        self._head, self._data, self._packets = head, b"", _Packets()
        self._opus = PacketDecoder("opus", "opus", _CLOCK, head.channels, head.tags[:19])
        self._granule = 0
        self._is_over = False

    def push(self, data: bytes) -> Iterator[Waveform]:
        """The samples of the pages that are whole; what follows the last page of the stream is refused."""
        self._data += data
        while self._data and (page := _page(self._data)) is not None:
            self._data = self._data[page.length:]
            if self._is_over or page.flags & _FIRST or page.serial != self._head.serial:
                raise MalformedFile("another stream follows or stands between the pages of Opus")
            packets = self._packets.take(page)
            if page.flags & _LAST:
                self._is_over = True
                yield self._trimmed(packets, page.granule)
            else:
                for packet in packets:
                    yield from self._opus.packet(packet)
                self._granule = page.granule if page.granule >= 0 else self._granule

    def finish(self) -> Iterator[Waveform]:
        """Nothing more; raises MalformedFile where the stream ends inside a page."""
        if self._data:
            raise MalformedFile("the sound ends inside a page: {count} bytes are left over", count=len(self._data))
        yield from ()

    def _trimmed(self, packets: list[bytes], granule: int) -> Waveform:
        """The samples of the last page, which its position may cut short (RFC 7845, 4.4)."""
        if not self._granule:  # the decoder leaves out what lies before the start
            granule -= struct.unpack_from("<H", self._head.tags, 10)[0]
        made = joined([part for packet in packets for part in self._opus.packet(packet)], self._head.channels)
        return made[:max(0, granule - self._granule)]


class Encoder:
    """Samples to pages of Ogg Opus, one or more for each push that has something ready.

    head  as of a source, whose comments are kept; without `tags` that of a new stream
    """

    def __init__(self, head: Head) -> None:
        self._source, self._packets = head, PacketEncoder("libopus", "flt", head)
        own = bytes(self._packets.context.extradata or b"")
        self._skip, = struct.unpack_from("<H", own, 10)
        rate = head.tags[12:16] or struct.pack("<I", head.rate)
        self._opus_head = own[:12] + rate + own[16:]
        self._comments = head.tags[head.tags.index(b"OpusTags"):] if head.tags else \
            b"OpusTags" + struct.pack("<I8sI", 8, b"labelkit", 0)
        self._number, self._granule = 0, 0
        self._waiting: list[bytes] = []

    def head(self, write: Callable[[bytes], bytes]) -> bytes:
        """The pages of head and comments, as `write` makes them of those of the source."""
        pages = write(self._made(_FIRST, 0, [self._opus_head]) + self._made(0, 0, [self._comments]))
        self._number, at = 0, 0
        while (page := _page(pages[at:])) is not None and page.length:  # there may be more of them now
            self._number, at = self._number + 1, at + page.length
            if at == len(pages):
                break
        return pages

    def push(self, samples: Waveform) -> bytes:
        """The pages that are ready; one packet stays back, which the end may need."""
        return self._pages(self._packets.encode(samples), is_end=False)

    def finish(self) -> bytes:
        """The rest, and the mark of the end."""
        return self._pages(self._packets.encode(None), is_end=True)

    def heard(self) -> Waveform:
        """The last seconds, as they are decoded."""
        decoder = PacketDecoder("opus", "opus", _CLOCK, self._source.channels, self._opus_head)
        parts = [part for packet in self._packets.recent for part in decoder.packet(packet)]
        return joined(parts, self._source.channels)

    def _pages(self, packets: list[Packet[AudioStream]], *, is_end: bool) -> bytes:
        self._waiting += [bytes(packet) for packet in packets]
        made, length = [], self._packets.context.frame_size * _CLOCK // self._source.rate
        while len(self._waiting) > (0 if is_end else 1):
            count = self._fitting(0 if is_end else 1)
            now, self._waiting = self._waiting[:count], self._waiting[count:]
            self._granule += count * length
            is_last = is_end and not self._waiting
            end = self._skip + self._packets.count * _CLOCK // self._source.rate
            made.append(self._made(_LAST if is_last else 0, min(self._granule, end) if is_last else self._granule, now))
        if is_end and not made:
            made.append(self._made(_LAST, 0, []))
        return b"".join(made)

    def _fitting(self, kept: int) -> int:
        """How many of the packets that wait go into one page."""
        room = _MAX_LACING
        for count, packet in enumerate(self._waiting[:len(self._waiting) - kept]):
            room -= len(packet) // 255 + 1
            if room < 0:
                return count
        return len(self._waiting) - kept

    def _made(self, flags: int, granule: int, packets: list[bytes]) -> bytes:
        lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
        body, made = b"".join(packets), []
        for at in range(0, max(len(lacing), 1), _MAX_LACING):  # more than one for long comments alone
            part = lacing[at:at + _MAX_LACING]
            size, is_whole = sum(part), at + _MAX_LACING >= len(lacing)
            made.append(ogg.encode_page(flags | (_CONTINUED if at else 0), granule if is_whole else -1,
                                        self._source.serial, self._number, part, body[:size]))
            body, self._number = body[size:], self._number + 1
        return b"".join(made)

