# SPDX-License-Identifier: Apache-2.0
"""Pages of Ogg as they come (RFC 3533): what the streams of Opus and Vorbis share."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from labelkit.codec.live import MAX_HEAD, Head, PacketDecoder, joined
from labelkit.codec.samples import Waveform
from labelkit.container import ogg
from labelkit.errors import MalformedFile

CONTINUED, FIRST, LAST = 1, 2, 4
_PAGE = 27  # bytes before the lacing
_MAX_PAGE = 1 << 17
_MAX_LACING = 255


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its flags, the position in samples at its end, the stream, its body and what divides that."""

    flags: int
    granule: int
    serial: int
    body: bytes
    lacing: bytes
    length: int


def page_of(data: bytes) -> Page | None:
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
    return Page(flags, granule, serial, data[_PAGE + count:length], lacing, length)


class Packets:
    """The packets of one stream, whose pages come in turn."""

    def __init__(self) -> None:
        self._waiting = b""

    def take(self, page: Page) -> list[bytes]:
        """Those that end in a page. Raises MalformedFile for parts of which one is missing."""
        if bool(self._waiting) != bool(page.flags & CONTINUED):
            raise MalformedFile("an Ogg page is missing")
        done, at = [], 0
        for lace in page.lacing:
            self._waiting += page.body[at:at + lace]
            at += lace
            if lace < 255:
                done.append(self._waiting)
                self._waiting = b""
        if len(self._waiting) > MAX_HEAD:
            raise MalformedFile("an Ogg packet of more than {limit} bytes", limit=MAX_HEAD)
        return done


@dataclass(frozen=True, slots=True)
class Opening:
    """The first packets of a stream, its number, and what of the sound has come: where it starts and ends in bytes, and
    the position in samples at its end."""

    packets: tuple[bytes, ...]
    serial: int
    start: int
    stop: int
    granule: int


def opening(data: bytes, count: int) -> Opening | None:
    """The first `count` packets and the first page of sound behind them, None while there is too little.

    Raises MalformedFile for what is no Ogg or another stream between them, and for packets of more than MAX_HEAD bytes.
    """
    at, packets, found, serial = 0, Packets(), list[bytes](), None
    while len(found) < count:
        page = page_of(data[at:at + _MAX_PAGE]) if len(data) > at else None
        if page is None and len(data) < MAX_HEAD:
            return None
        if page is None or bool(page.flags & FIRST) != (at == 0) or at and page.serial != serial:
            raise MalformedFile("Ogg whose head cannot be kept in a stream")
        serial, at = page.serial, at + page.length
        found += packets.take(page)
    start, granule = at, 0
    if len(found) > count or at > MAX_HEAD or serial is None:
        raise MalformedFile("Ogg whose head cannot be kept in a stream")
    while len(data) > at and (page := page_of(data[at:at + _MAX_PAGE])) is not None:
        at, granule = at + page.length, max(granule, page.granule)
    if at > start:
        return Opening(tuple(found), serial, start, at, granule)
    if len(data) >= MAX_HEAD:
        raise MalformedFile("Ogg whose head cannot be kept in a stream")
    return None


class OggDecoder:
    """Bytes behind the head to samples, without those before the start and behind the end.

    skipped  samples that the decoder leaves out at the start, which positions count
    """

    def __init__(self, head: Head, packets: PacketDecoder, skipped: int = 0) -> None:
        self._head, self._decoder, self._skipped = head, packets, skipped
        self._data, self._packets = b"", Packets()
        self._granule = 0
        self._is_over = False

    def push(self, data: bytes) -> Iterator[Waveform]:
        """The samples of the pages that are whole; what follows the last page of the stream is refused."""
        held, at = self._data + data, 0
        while at < len(held) and (page := page_of(held[at:at + _MAX_PAGE])) is not None:
            at += page.length
            if self._is_over or page.flags & FIRST or page.serial != self._head.serial:
                raise MalformedFile("another stream follows or stands between the pages of Ogg")
            packets = self._packets.take(page)
            if page.flags & LAST:
                self._is_over = True
                yield self._trimmed(packets, page.granule)
            else:
                for packet in packets:
                    yield from self._decoder.packet(packet)
                self._granule = page.granule if page.granule >= 0 else self._granule
        self._data = held[at:]

    def finish(self) -> Iterator[Waveform]:
        """Nothing more; raises MalformedFile where the stream ends inside a page."""
        if self._data:
            raise MalformedFile("the sound ends inside a page: {count} bytes are left over", count=len(self._data))
        yield from ()

    def _trimmed(self, packets: list[bytes], granule: int) -> Waveform:
        """The samples of the last page, which its position may cut short (RFC 7845, 4.4; Vorbis I, A.2)."""
        if not self._granule:
            granule -= self._skipped
        made = joined([part for packet in packets for part in self._decoder.packet(packet)], self._head.channels)
        return made[:max(0, granule - self._granule)]


class PageWriter:
    """Makes the pages of one stream, in turn."""

    def __init__(self, serial: int) -> None:
        self._serial, self._number = serial, 0

    def head(self, first: bytes, others: Sequence[bytes], write: Callable[[bytes], bytes]) -> bytes:
        """The pages of the first packet, and of the others, as `write` makes them of those of the source."""
        pages = write(self.made(FIRST, 0, [first]) + self.made(0, 0, others))
        self._number, at = 0, 0
        while at < len(pages) and (page := page_of(pages[at:])) is not None:  # there may be more of them now
            self._number, at = self._number + 1, at + page.length
        return pages

    def again(self, page: Page) -> bytes:
        """A page of another writer as the next one of the stream."""
        self._number += 1
        return ogg.encode_page(page.flags, page.granule, self._serial, self._number - 1, page.lacing, page.body)

    def made(self, flags: int, granule: int, packets: Sequence[bytes]) -> bytes:
        """The pages of packets: one, but for long ones."""
        lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
        body, made = b"".join(packets), []
        for at in range(0, max(len(lacing), 1), _MAX_LACING):
            part = lacing[at:at + _MAX_LACING]
            size, is_whole = sum(part), at + _MAX_LACING >= len(lacing)
            made.append(ogg.encode_page(flags | (CONTINUED if at else 0), granule if is_whole else -1, self._serial,
                                        self._number, part, body[:size]))
            body, self._number = body[size:], self._number + 1
        return b"".join(made)


def fitting(packets: Sequence[bytes]) -> int:
    """How many of the packets go into one page."""
    room = _MAX_LACING
    for count, packet in enumerate(packets):
        room -= len(packet) // 255 + 1
        if room < 0:
            return count
    return len(packets)
