# SPDX-License-Identifier: Apache-2.0
"""What is handed to the C2PA library at all: files of a bounded count of parts, with manifests of bounded size.

c2pa-rs 0.91.3 spends 30 to 45 microseconds on a chunk, an IFD entry or a GIF block, time that grows with the square of
the count on the boxes of an MP4 (1 s for 16,000, 50 s for 120,000), and as much memory as a PDF asks for. Real files
have few parts for their size, so the parts are counted first; each walk stops where the file is broken, which the
library says itself.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from labelkit.container import Reader
from labelkit.errors import LabelkitError, LimitExceeded
from labelkit.messages import Message

MAX_MANIFEST = 64 << 20  # bytes in which a manifest lies, padding included; real ones have a few MB of thumbnails
MAX_WHOLE = 128 << 20  # bytes of a file that the library loads whole
MAX_OBJECT = 8_388_607  # number of an object of a PDF (ISO 32000-1, annex C)
MAX_COLUMNS = 1 << 20  # bytes of a row of a PDF's predictor
_PIECE = 1 << 20  # bytes of a PDF searched at a time
_OVERLAP = 256

Part = tuple[int, bool]
"""Bytes of a part, and whether a manifest lies in it."""


def over_bound(reader: Reader, mime: str | None) -> Message | None:
    """Why the library would take too long or too much memory for this file; None where it may have it."""
    kind = (mime or "").removeprefix("image/").removeprefix("audio/").removeprefix("video/").removeprefix("x-")
    if kind in ("application/pdf", "svg+xml") and reader.size > MAX_WHOLE:
        return Message("a file of more than {limit} bytes in this format would be loaded whole", limit=MAX_WHOLE)
    if kind == "application/pdf":
        return _pdf(reader)
    walk = _WALKS.get(kind)
    if walk is None:
        return None
    limit = 16_384 + reader.size // 4096 if walk is _boxes else 32_768 + reader.size // 512
    count = stored = 0
    try:
        for size, manifest in walk(reader):
            count, stored = count + 1, stored + size * manifest
            if count > limit:
                return Message("it has more than {limit} boxes, chunks, segments, blocks or entries", limit=limit)
            if stored > MAX_MANIFEST:
                return Message("its manifest has more than {limit} bytes", limit=MAX_MANIFEST)
    except (LabelkitError, struct.error):
        return None  # broken here; the library finds that too, after as many parts
    return None


def refuse_over_bound(reader: Reader, mime: str) -> None:
    """Raise LimitExceeded for a file that the library would take too long or too much memory for."""
    why = over_bound(reader, mime)
    if why:
        raise LimitExceeded("{where}: not given to the C2PA library: {reason}", where=reader.name, reason=why)


def _chunks(reader: Reader) -> Iterator[Part]:
    """Of a PNG."""
    at = 8
    while at + 12 <= reader.size:
        size, kind = struct.unpack(">I4s", reader.at(at, 8))
        yield size, kind == b"caBX"
        at += 12 + size


def _segments(reader: Reader) -> Iterator[Part]:
    """Of a JPEG, up to the picture."""
    at = 2
    while at + 4 <= reader.size:
        mark, kind, size = struct.unpack(">BBH", reader.at(at, 4))
        if mark != 0xFF or kind == 0xDA or size < 2:
            return
        yield size, kind == 0xEB
        at += 2 + size


def _riff(reader: Reader) -> Iterator[Part]:
    at = 12
    while at + 8 <= reader.size:
        kind, size = struct.unpack("<4sI", reader.at(at, 8))
        yield size, kind == b"C2PA"
        at += 12 if kind == b"LIST" else 8 + size + (size & 1)  # the chunks of a list are chunks too


def _blocks(reader: Reader) -> Iterator[Part]:
    """Of a GIF: its pictures and extensions."""
    packed = reader.at(10, 1)[0]
    at = 13 + (3 << (packed & 7) + 1 if packed & 0x80 else 0)
    while at + 2 <= reader.size:
        kind, label = reader.at(at, 2)
        start = at
        if kind == 0x2C:
            packed = reader.at(at + 9, 1)[0]
            at += 11 + (3 << (packed & 7) + 1 if packed & 0x80 else 0)
        elif kind == 0x21:
            at += 2
        else:
            return
        while at < reader.size and (size := reader.at(at, 1)[0]):
            at += 1 + size
        at += 1
        yield at - start, kind == 0x21 and label == 0xFF


def _entries(reader: Reader) -> Iterator[Part]:
    """Of the directories of a TIFF, one after the other."""
    order = "<" if reader.head(2) == b"II" else ">"
    at, seen = struct.unpack(order + "I", reader.at(4, 4))[0], set[int]()
    while at and at not in seen and at + 2 <= reader.size:
        seen.add(at)
        count, = struct.unpack(order + "H", reader.at(at, 2))
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, _, size = struct.unpack(order + "HHI", reader.at(entry, 8))
            yield size, tag == 52545
        at, = struct.unpack(order + "I", reader.at(at + 2 + 12 * count, 4))


def _frames(reader: Reader) -> Iterator[Part]:
    """Of an ID3 tag at the start of the file."""
    head = reader.head(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return
    stop = 10 + _synchsafe(head[6:10])
    at, plain = 10, head[3] < 4
    while at + 10 <= min(stop, reader.size):
        kind, size = struct.unpack(">4sI", reader.at(at, 8))
        if kind == bytes(4):
            return
        size = size if plain else _synchsafe(struct.pack(">I", size))
        yield size, kind == b"GEOB"
        at += 10 + size


def _synchsafe(raw: bytes) -> int:
    return raw[0] << 21 | raw[1] << 14 | raw[2] << 7 | raw[3]


_HOLDERS = frozenset((b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf", b"mfra",
                      b"udta", b"meta", b"iprp", b"ipco", b"strk", b"rinf", b"sinf", b"schi", b"ilst"))


def _boxes(reader: Reader) -> Iterator[Part]:
    """Of an ISO base media file, those inside others too."""
    waiting = [(0, reader.size)]
    while waiting:
        at, stop = waiting.pop()
        while at + 8 <= stop:
            size, kind = struct.unpack(">I4s", reader.at(at, 8))
            body = at + 8
            if size == 1:
                size, body = struct.unpack(">Q", reader.at(body, 8))[0], body + 8
            end = stop if size == 0 else at + size
            if end < body or end > stop:
                break
            yield end - at, kind in (b"uuid", b"jumb")
            if kind in _HOLDERS:
                # a meta box has four bytes of its own before those in it, but for QuickTime
                bare = kind == b"meta" and reader.at(body, min(8, end - body))[4:8] != b"hdlr"
                waiting.append((body + 4 if bare else body, end))
            at = end


_WALKS: dict[str, Callable[[Reader], Iterator[Part]]] = {
    "png": _chunks, "jpeg": _segments, "gif": _blocks, "tiff": _entries, "mpeg": _frames,
    "webp": _riff, "wav": _riff, "avi": _riff, "msvideo": _riff,
    "mp4": _boxes, "quicktime": _boxes, "m4a": _boxes, "3gpp": _boxes, "avif": _boxes, "heic": _boxes, "heif": _boxes,
    "jxl": _boxes}

_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_COLUMNS = re.compile(rb"/Columns\s*(\d{1,20})")
_NUMBERS = re.compile(rb"/Size\s*(\d{1,20})|/Index\s*\[\s*(\d{1,20})\s+(\d{1,20})|/N\s*(\d{1,20})"
                      rb"|(?:xref|[\r\n])\s*(\d{1,20})[ \t]+(\d{1,20})[ \t]*(?=[\r\n])")


def _pdf(reader: Reader) -> Message | None:
    """The numbers by which a PDF asks for memory: rows of a predictor, and objects of its tables."""
    for start in range(0, reader.size, _PIECE - _OVERLAP):
        piece = reader.at(start, min(_PIECE, reader.size - start))
        piece = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), piece)  # a name may be written /Col#75mns
        if any(int(found[1]) > MAX_COLUMNS for found in _COLUMNS.finditer(piece)):
            return Message("a row of its data has more than {limit} columns", limit=MAX_COLUMNS)
        if any(int(number) > MAX_OBJECT for found in _NUMBERS.finditer(piece) for number in found.groups() if number):
            return Message("its objects are numbered beyond {limit}", limit=MAX_OBJECT)
    return None
