# SPDX-License-Identifier: Apache-2.0
"""WebP: RIFF chunks with the VP8X header that announces them (RFC 9649, 2.7; C2PA 2.1, A.3.3)."""

from __future__ import annotations

import struct

from labelkit.container.base import C2PA, EXIF, XMP, Changes, Format, Layout, Patch, Reader, Slot, unit_patches
from labelkit.container.riff import chunk, chunks, size_patch
from labelkit.messages import Message

FORMATS = (Format("webp", "image/webp", "image", XMP),)

_KINDS = {b"XMP ": XMP, b"EXIF": EXIF, b"C2PA": C2PA}
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10


def sniff(head: bytes) -> Format | None:
    """WebP, where the first bytes say so."""
    return FORMATS[0] if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def scan(reader: Reader) -> Layout:
    """The XMP, EXIF and C2PA chunks; `state` is where the VP8X header is, or must go."""
    layout = Layout(FORMATS[0], [])
    first: tuple[bytes, int, int] | None = None
    for kind, start, length, end in chunks(reader):
        first = first or (kind, start, length)
        layout.insert_at = end
        if kind in _KINDS:
            layout.slots.append(Slot(_KINDS[kind], kind.decode().strip(), start, end - start,
                                     _loader(reader, start + 8, length), state=kind))
    if first is None:
        raise reader.malformed("WebP", 12, Message("it holds no chunk"))
    layout.state = first
    return layout


def _loader(reader: Reader, body: int, length: int):
    return lambda: reader.at(body, length, "chunk")


def patches(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with the XMP flag of VP8X and the RIFF size set to match."""
    padding = b"\0" * (layout.insert_at & 1)  # the last chunk lacks its own
    done = unit_patches(layout, changes, fresh, lambda slot, body: chunk(slot.state, body) if slot
                        else padding + chunk(b"XMP ", body))
    kept = [slot for slot in layout.slots if slot.kind == XMP and changes.get(slot, b"") is not None]
    done += _header(reader, layout, has_xmp=bool(kept) or fresh is not None)
    return done + [size_patch(reader, done)]


def _header(reader: Reader, layout: Layout, *, has_xmp: bool) -> list[Patch]:
    kind, start, length = layout.state
    if kind == b"VP8X":
        flags, = reader.at(start + 8, 1, "VP8X")
        return [(start + 8, start + 9, bytes([flags | _XMP_FLAG if has_xmp else flags & ~_XMP_FLAG]))]
    if not has_xmp:
        return []
    width, height, alpha = _simple_size(reader, kind, start + 8, length)
    flags = _XMP_FLAG | (_ALPHA_FLAG if alpha else 0)
    body = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return [(start, start, chunk(b"VP8X", body))]


def _simple_size(reader: Reader, kind: bytes, body: int, length: int) -> tuple[int, int, bool]:
    """Width, height and alpha of a file without VP8X (RFC 6386, 9.1; RFC 9649, 3.4)."""
    data = reader.at(body, min(length, 10), "picture header")
    if kind == b"VP8L" and len(data) >= 5 and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) == 10:
        width, height = struct.unpack("<HH", data[6:10])
        if width & 0x3FFF and height & 0x3FFF:
            return width & 0x3FFF, height & 0x3FFF, False
    raise reader.malformed("WebP", body, Message("neither a VP8 nor a VP8L picture starts here"))
