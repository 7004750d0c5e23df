# SPDX-License-Identifier: Apache-2.0
"""PNG and APNG: chunks (PNG third edition, 5 and 11.3.3; XMP part 3, 1.1.5; C2PA 2.1, A.3.2)."""

from __future__ import annotations

import re
import struct
import zlib

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
from labelkit.messages import Message

FORMATS = (Format("png", "image/png", "image", XMP),)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEY = "XML:com.adobe.xmp"
_XMP_HEADER = _XMP_KEY.encode() + b"\0\0\0\0\0"  # not compressed, no language, no translated keyword
_PROFILES = {"Raw profile type xmp": XMP, "Raw profile type exif": EXIF}  # of ImageMagick 6
_KEY_BYTES = 80  # a keyword has at most 79 bytes and a zero
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def sniff(reader: Reader, head: bytes) -> Format | None:
    """PNG, where the first bytes say so."""
    return FORMATS[0] if head[:8] == _SIGNATURE else None


def scan(reader: Reader, found: Format) -> Layout:
    """Every text, EXIF and C2PA chunk; raises MalformedFile and its children."""
    layout = Layout(found, [])
    position, size = len(_SIGNATURE), reader.size
    for _ in range(MAX_UNITS):
        length, kind = struct.unpack(">I4s", reader.at(position, 8, "chunk"))
        end = position + 12 + length
        if end > size:
            raise reader.truncated(f"chunk {kind.decode('latin-1')}", position, length, size - position - 12)
        if kind == b"IHDR":
            layout.insert_at = end
        elif kind == b"IEND":
            break
        elif kind != b"IDAT":
            _add(reader, layout, kind, position, length)
        position = end
    else:
        raise reader.too_many("chunk", MAX_UNITS)
    if not layout.insert_at:
        raise reader.malformed("PNG", 8, Message("there is no {chunk} chunk", chunk="IHDR"))
    return layout


def _add(reader: Reader, layout: Layout, kind: bytes, position: int, length: int) -> None:
    name, body, key, what = kind.decode("latin-1"), position + 8, "", None
    if kind in _TEXT_CHUNKS:
        head = reader.at(body, min(length, _KEY_BYTES), "keyword")
        key = head.split(b"\0", 1)[0].decode("latin-1")
        what = XMP if key == _XMP_KEY else _PROFILES.get(key, TEXT)
    elif kind == b"eXIf":
        what = EXIF
    elif kind == b"caBX":
        what = C2PA
    if what:
        def load() -> bytes:
            chunk = reader.at(body, length, name)
            text = _text(reader, kind, chunk, position) if kind in _TEXT_CHUNKS else chunk
            return _unpacked_profile(reader, text, position) if key in _PROFILES else text
        layout.slots.append(Slot(what, name, position, length + 12, load, key, kind, key not in _PROFILES))


def _text(reader: Reader, kind: bytes, chunk: bytes, position: int) -> bytes:
    """The text of a chunk: UTF-8 in iTXt, Latin-1 elsewhere, or the bytes that a writer put there against the rule."""
    rest = chunk.partition(b"\0")[2]
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


def patches(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies: XMP as an iTXt chunk, anything else in its own kind of chunk."""
    return unit_patches(layout, changes, fresh, _encode)


def _encode(slot: Slot | None, body: bytes) -> bytes:
    if slot and slot.key in _PROFILES:
        digits = re.sub(r"(.{72})", r"\1\n", body.hex())
        text = f"\n{slot.key.split()[-1]}\n{len(body):8d}\n{digits}\n".encode()
        return _chunk(b"zTXt", slot.key.encode() + b"\0\0" + zlib.compress(text))
    if slot is None or slot.kind == XMP:
        return _chunk(b"iTXt", _XMP_HEADER + body)
    if slot.kind == TEXT:
        return _chunk(b"iTXt", slot.key.encode("latin-1") + b"\0\0\0\0\0" + body)
    return _chunk(slot.state, body)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
