# SPDX-License-Identifier: Apache-2.0
"""Ogg Vorbis, Opus and FLAC: the label is a Vorbis comment in the second packet.

RFC 3533, 6; RFC 7845, 5.2; Vorbis I, 4.2; RFC 9639, 10.1, where the packet is a metadata block with its header.

The pages of the header packets are made anew, as many as there were where the packets fit into them. Where they do
not, the pages behind get new numbers, and their checksums are corrected without reading what they hold.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from labelkit.container import vorbis
from labelkit.container.base import MAX_BODY, TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.messages import Message

FORMATS = (Format("ogg", "audio/ogg", "audio", TEXT), Format("opus", "audio/ogg", "audio", TEXT),
           Format("oga", "audio/ogg", "audio", TEXT))

_HEADER = 27
_CONTINUED, _FIRST = 0x01, 0x02
_MAX_HEADER_PAGES = 4096
_MAX_STREAMS = 16
_MAX_PAGES = 1 << 20  # 4 GB in pages of 4 kB
_POLYNOMIAL = 0x04C11DB7
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_COMMENT_BLOCK, _MAX_BLOCK = 4, (1 << 24) - 1


class _Kind(NamedTuple):
    """What an Ogg stream may be: how its first packet and that of its comments start, and how many headers it has."""

    start: bytes
    comments: bytes
    headers: int
    format: Format


_KINDS = (_Kind(b"\x01vorbis", b"\x03vorbis", 3, FORMATS[0]), _Kind(b"OpusHead", b"OpusTags", 2, FORMATS[1]),
          _Kind(b"\x7fFLAC", b"", 2, FORMATS[2]))


@dataclass(slots=True)
class _Page:
    start: int
    stop: int
    flags: int
    serial: int
    number: int
    lacing: bytes


@dataclass(slots=True)
class _State:
    mark: bytes
    pages: list[_Page]
    packets: list[bytes]
    comments: vorbis.Comments = field(default_factory=vorbis.empty)


def sniff(reader: Reader, head: bytes) -> Format | None:
    """Ogg, where one of its streams is Vorbis, Opus or FLAC."""
    if head[:4] != b"OggS":
        return None
    first = _first_stream(reader)
    return first[1].format if first else None


def _first_stream(reader: Reader) -> tuple[_Page, _Kind] | None:
    """The first page of the first stream with comments, and what kind it is."""
    start = 0
    for _ in range(_MAX_STREAMS):
        page = _page(reader, start)
        if not page.flags & _FIRST:
            break
        body = reader.at(page.start + _HEADER + len(page.lacing), min(8, sum(page.lacing)), "packet")
        for kind in _KINDS:
            if body.startswith(kind.start):
                return page, kind
        start = page.stop
    return None


def _page(reader: Reader, start: int) -> _Page:
    mark, _, flags, _, serial, number, _, count = struct.unpack("<4sBBqIIIB", reader.at(start, _HEADER, "page"))
    if mark != b"OggS":
        raise reader.malformed("page", start, Message("{wanted} wanted, got {got}", wanted="OggS", got=mark.hex()))
    lacing = reader.take(count, "page")
    stop = start + _HEADER + count + sum(lacing)
    if stop > reader.size:
        raise reader.truncated("page", start, stop - start, reader.size - start)
    return _Page(start, stop, flags, serial, number, lacing)


def scan(reader: Reader, found: Format) -> Layout[_State, int]:
    """The comments of the first Vorbis, Opus or FLAC stream; raises MalformedFile and its children."""
    stream = _first_stream(reader)
    if stream is None:
        raise reader.malformed("Ogg", 0, Message("it holds no stream with comments"))
    first, kind = stream
    mark = kind.comments
    state = _State(mark, [], [])
    _read_headers(reader, state, first, kind.headers - 1)
    packet = state.packets[0]
    where = state.pages[0].start
    if not mark and packet[:1] and packet[0] & 0x7F == _COMMENT_BLOCK:
        mark = packet[:4]  # one byte of flag and type, and the length
    if not mark or not packet.startswith(mark):
        raise reader.malformed("page", where, Message("{wanted} wanted, got {got}", got=packet[:8].hex(),
                                                      wanted=mark.decode("latin-1")[-6:] or "04"))
    state.mark = mark
    state.comments = vorbis.parse(reader, packet[len(mark):], where)
    length = state.pages[-1].stop - where
    slots = [_slot(state.comments, where, length, index) for index in range(len(state.comments.entries))]
    return Layout(found, slots, state)


def _slot(comments: vorbis.Comments, where: int, length: int, index: int) -> Slot[int]:
    return Slot(TEXT, "comment", where, length, lambda: comments.value(index), index, comments.key(index))


def _read_headers(reader: Reader, state: _State, first: _Page, wanted: int) -> None:
    """Fill the pages and packets behind the first page, until `wanted` packets end together with a page."""
    start, waiting, size = first.stop, bytearray(), 0
    for _ in range(_MAX_HEADER_PAGES):
        page = _page(reader, start)
        start = page.stop
        if page.serial != first.serial:
            continue
        state.pages.append(page)
        at = page.start + _HEADER + len(page.lacing)
        for lace in page.lacing:
            waiting += reader.at(at, lace, "packet")
            at += lace
            if lace < 255:
                state.packets.append(bytes(waiting))
                waiting.clear()
        size += sum(page.lacing)
        if size > MAX_BODY:
            raise reader.too_big("header packets", MAX_BODY, size)
        if len(state.packets) >= wanted and not waiting:
            return
    raise reader.too_many("header page", _MAX_HEADER_PAGES)


def patches(reader: Reader, layout: Layout[_State, int], changes: Changes[int], fresh: bytes | None) -> list[Patch]:
    """The patches for new comments: header pages made anew, later pages renumbered where there are more of them."""
    if not changes and fresh is None:
        return []
    state = layout.state
    comment = vorbis.build(state.comments, {slot.state: body for slot, body in changes.items()}, fresh)
    if layout.format is FORMATS[2]:
        if len(comment) > _MAX_BLOCK:
            raise reader.too_big("metadata block", _MAX_BLOCK, len(comment))
        comment = state.mark[:1] + len(comment).to_bytes(3, "big") + comment
    else:
        comment = state.mark + comment
    made = _make_pages([comment, *state.packets[1:]], state.pages)
    more = len(made) - len(state.pages)
    done = [(old.start, old.stop, new) for old, new in zip(state.pages, made, strict=False)]
    if more:
        last = state.pages[-1]
        done[-1] = (last.start, last.stop, b"".join(made[len(state.pages) - 1:]))
        done += _renumber(reader, last, more)
    return done


def _make_pages(packets: list[bytes], old: list[_Page]) -> list[bytes]:
    """Pages for the packets: as many as `old`, or the fewest that hold them."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    data = b"".join(packets)
    count = max(len(old), -(-len(lacing) // 255))
    made, at, continued = [], 0, False
    for index in range(count):
        take = min(255, max(len(lacing) - (count - 1 - index), 0))
        part, lacing = lacing[:take], lacing[take:]
        stop = at + sum(part)
        ends = any(lace < 255 for lace in part)
        flags = _CONTINUED if continued else 0
        made.append(encode_page(flags, 0 if ends else -1, old[0].serial, old[0].number + index, part, data[at:stop]))
        at, continued = stop, bool(part) and part[-1] == 255 or (not part and continued)
    return made


def encode_page(flags: int, granule: int, serial: int, number: int, lacing: bytes, body: bytes) -> bytes:
    """A page with its checksum (RFC 3533, 6)."""
    head = struct.pack("<4sBBqII", b"OggS", 0, flags, granule, serial, number)
    rest = bytes([len(lacing)]) + lacing + body
    return head + struct.pack("<I", checksum(head + b"\0\0\0\0" + rest)) + rest


def _renumber(reader: Reader, last: _Page, more: int) -> Iterator[Patch]:
    """Patches that add `more` to the number of every later page of the stream."""
    start = last.stop
    for _ in range(_MAX_PAGES):
        if start == reader.size:
            return
        page = _page(reader, start)
        if page.serial == last.serial:
            if page.flags & _FIRST:
                return  # another stream in a chain begins, which counts from 0
            number = page.number + more & 0xFFFFFFFF
            change = checksum(struct.pack("<I", page.number ^ number))
            old, = struct.unpack("<I", reader.at(start + 22, 4, "page"))
            new = old ^ _multiply(change, _power(page.stop - start - 22))
            yield start + 18, start + 26, struct.pack("<II", number, new)
        start = page.stop
    raise reader.too_many("page", _MAX_PAGES)


def number_by_content(file: BinaryIO) -> None:
    """Give the one stream of a new file a serial number that follows from what its pages hold.

    libsndfile takes a random one, and the same sound would never give the same file twice.
    """
    pages, serial, start = list[tuple[int, bytes, int]](), 0, file.seek(0)
    while len(head := file.read(_HEADER)) == _HEADER:
        lacing = file.read(head[-1])
        serial = zlib.crc32(file.read(sum(lacing)), zlib.crc32(lacing, serial))
        pages.append((start, head, file.tell() - start))
        start = file.tell()
    for start, head, length in pages:
        old, check = (struct.unpack_from("<I", head, at)[0] for at in (14, 22))
        change = _multiply(checksum(struct.pack("<I", old ^ serial)), _power(length - 18))
        file.seek(start + 14)
        file.write(struct.pack("<I", serial) + head[18:22] + struct.pack("<I", check ^ change))
    file.seek(0, io.SEEK_END)


def checksum(data: bytes) -> int:
    """The CRC of a page whose own CRC field is zero (RFC 3533, 6, field 7): zlib's, with every bit order turned."""
    value = zlib.crc32(data.translate(_TURNED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo the polynomial of the checksum."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (_POLYNOMIAL | 1 << 32 if a & 0x80000000 else 0)
        b >>= 1
    return product


@functools.lru_cache(maxsize=4096)
def _power(count: int) -> int:
    """x to the power 8 * count: what `count` more bytes do to a checksum."""
    result, base = 1, 0x100
    while count:
        if count & 1:
            result = _multiply(result, base)
        base = _multiply(base, base)
        count >>= 1
    return result
