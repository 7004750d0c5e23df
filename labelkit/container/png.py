# SPDX-License-Identifier: Apache-2.0
"""PNG and APNG: chunks (PNG third edition, 5 and 11.3.3; XMP part 3, 1.1.5; C2PA 2.1, A.3.2)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from labelkit.container.base import (
    C2PA,
    EXIF,
    MAX_UNITS,
    TEXT,
    XMP,
    Changes,
    Format,
    Layout,
    Patch,
    Reader,
    Slot,
    unit_patches,
)
from labelkit.errors import LabelkitError
from labelkit.messages import Message

FORMATS = (Format("png", "image/png", "image", XMP),)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEY = "XML:com.adobe.xmp"
_XMP_HEADER = XMP_KEY.encode() + b"\0\0\0\0\0"  # not compressed, no language, no translated keyword
_XMP_KEYS = (XMP_KEY.lower(), "xmp")  # readers do not mind the case
_APP1 = "raw profile type app1"  # EXIF or XMP, with the header that it has in a JPEG
_PROFILES = {"raw profile type xmp": XMP, "raw profile type exif": EXIF, _APP1: EXIF}  # of ImageMagick 6
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_HEAD = struct.Struct(">I4s")
_KEY_BYTES = 80  # a keyword has at most 79 bytes and a zero
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def sniff(reader: Reader, head: bytes) -> Format | None:
    """PNG, where the first bytes say so."""
    return FORMATS[0] if head[:8] == SIGNATURE else None


def scan(reader: Reader, found: Format) -> Layout[None, bytes]:
    """Every text, EXIF and C2PA chunk; raises MalformedFile and its children."""
    layout: Layout[None, bytes] = Layout(found, [], None)
    end = len(SIGNATURE)
    for kind, start, end in chunks(reader):
        if kind == b"IHDR":
            layout.insert_at = end
        elif kind != b"IDAT" and kind != b"IEND":
            _add(reader, layout, kind, start, end - start - 12)
    # readers do not ask how long IEND is: they go on behind an empty one
    for kind, at, stop in [*_behind(reader, start + 12)] or _behind(reader, end):
        _add(reader, layout, kind, at, stop - at - 12, behind=True)
    if not layout.insert_at:
        raise reader.malformed("PNG", 8, Message("there is no {chunk} chunk", chunk="IHDR"))
    return layout


def chunks(reader: Reader) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, stop) of each chunk, all of it, up to IEND; raises TruncatedFile, LimitExceeded."""
    position, size = len(SIGNATURE), reader.size
    for _ in range(MAX_UNITS):
        length, kind = _HEAD.unpack(reader.at(position, 8, "chunk"))
        end = position + 12 + length
        if end > size:
            raise reader.truncated(f"chunk {kind.decode('latin-1')}", position, length, size - position - 12)
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end
    raise reader.too_many("chunk", MAX_UNITS)


def _behind(reader: Reader, position: int) -> Iterator[tuple[bytes, int, int]]:
    """The chunks behind IEND, as far as what stands there looks like chunks: other readers go on there."""
    for _ in range(MAX_UNITS):
        if reader.size - position < 12:
            return
        length, kind = _HEAD.unpack(reader.at(position, 8, "chunk"))
        end = position + 12 + length
        if not kind.isalpha() or end > reader.size:
            return
        yield kind, position, end
        position = end


def _add(reader: Reader, layout: Layout[None, bytes], kind: bytes, position: int, length: int, *,
         behind: bool = False) -> None:
    name, body, key, what = kind.decode("latin-1"), position + 8, "", None
    if kind in _TEXT_CHUNKS:
        head = reader.at(body, min(length, _KEY_BYTES), "keyword")
        key = head.split(b"\0", 1)[0].decode("latin-1")
        what = XMP if key.lower() in _XMP_KEYS else _PROFILES.get(key.lower(), TEXT)
    elif kind == b"eXIf":
        what = EXIF
    elif kind == b"caBX" and not behind:
        what = C2PA
    if what:
        def load() -> bytes:
            data = reader.at(body, length, name)
            text = _text(reader, kind, data, position) if kind in _TEXT_CHUNKS else data
            return _unpacked_profile(reader, text, position) if key.lower() in _PROFILES else text
        home = not behind and (what == TEXT or key in (XMP_KEY, ""))
        slot = Slot(what, name, position, length + 12, load, kind, key, home)
        layout.slots.append(_of_jpeg(slot) if key.lower() == _APP1 else slot)


def _of_jpeg(slot: Slot[bytes]) -> Slot[bytes]:
    """The slot of a segment APP1 of a JPEG: EXIF, or where it says so an XMP packet behind a header."""
    load = slot.load
    try:
        is_xmp = load().startswith(_JPEG_XMP)
    except LabelkitError:
        is_xmp = False  # it will be listed as unread
    return replace(slot, kind=XMP, load=lambda: load()[len(_JPEG_XMP):]) if is_xmp else slot


def _text(reader: Reader, kind: bytes, data: bytes, position: int) -> bytes:
    """The text of a chunk: UTF-8 in iTXt, Latin-1 elsewhere, or the bytes that a writer put there against the rule."""
    rest = data.partition(b"\0")[2]
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return reader.inflate(rest[1:], position, "compressed text")
    flags, rest = rest[:2], rest[2:]
    text = rest.partition(b"\0")[2].partition(b"\0")[2]
    return reader.inflate(text, position, "compressed text") if flags[:1] == b"\1" else text


def _unpacked_profile(reader: Reader, text: bytes, position: int) -> bytes:
    """The bytes of a profile as ImageMagick 6 keeps it: its name, its length, hexadecimal digits in lines."""
    try:
        _, length, digits = text.split(None, 2)
        data = bytes.fromhex(digits.decode("ascii"))
        if len(data) == int(length):
            return data
    except ValueError:
        pass
    raise reader.malformed("raw profile", position, Message("its digits are broken"))


def patches(reader: Reader, layout: Layout[None, bytes], changes: Changes[bytes], fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies: XMP as an iTXt chunk, anything else in its own kind of chunk."""
    return unit_patches(layout, changes, fresh, _encode)


def _encode(slot: Slot[bytes] | None, body: bytes) -> bytes:
    if slot and slot.key.lower() in _PROFILES:
        body = _JPEG_XMP + body if slot.kind == XMP and slot.key.lower() == _APP1 else body
        digits = re.sub(r"(.{72})", r"\1\n", body.hex())
        text = f"\n{slot.key.split()[-1]}\n{len(body):8d}\n{digits}\n".encode()
        return chunk(b"zTXt", slot.key.encode() + b"\0\0" + zlib.compress(text))
    if slot is None or slot.kind == XMP:
        return chunk(b"iTXt", _XMP_HEADER + body)
    if slot.kind == TEXT:
        return chunk(b"iTXt", slot.key.encode("latin-1") + b"\0\0\0\0\0" + body)
    return chunk(slot.state, body)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk, with its length and checksum."""
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
