# SPDX-License-Identifier: Apache-2.0
"""WebP: RIFF chunks with the VP8X header that announces them (RFC 9649, 2.7; C2PA 2.1, A.3.3)."""

from __future__ import annotations

import struct

from labelkit.container.base import C2PA, EXIF, XMP, Changes, Format, Layout, Patch, Reader, Slot, unit_patches
from labelkit.container.riff import (
    Chunk,
    RiffFile,
    chunk,
    info_patches,
    info_slots,
    is_list,
    loader,
    name_of,
    read_riff,
    size_patches,
)
from labelkit.messages import Message

FORMATS = (Format("webp", "image/webp", "image", XMP),)

_KINDS = {b"XMP ": XMP, b"XMP\0": XMP, b"_PMX": XMP, b"EXIF": EXIF, b"C2PA": C2PA}
_Place = bytes | Chunk  # a chunk at the top by its name, or one in LIST INFO
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10


def sniff(reader: Reader, head: bytes) -> Format | None:
    """WebP, where the first bytes say so."""
    return FORMATS[0] if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def scan(reader: Reader, found: Format) -> Layout[RiffFile, _Place]:
    """The XMP, EXIF and C2PA chunks, and the texts of LIST INFO; `state` is the RIFF file."""
    riff = read_riff(reader)
    if not riff.chunks:
        raise reader.malformed("WebP", 12, Message("it holds no chunk"))
    layout: Layout[RiffFile, _Place] = Layout(found, [], riff, riff.chunks[-1].end)
    for part in [*riff.chunks, *riff.beyond]:
        inside = part.start < riff.stop
        if part.kind in _KINDS and (inside or part.kind != b"C2PA"):
            # the last letter of XMP is a blank; readers take a zero for it too, and the name that AVI and WAV use
            home = inside and part.kind not in (b"XMP\0", b"_PMX")
            layout.slots.append(Slot(_KINDS[part.kind], name_of(part), part.start, part.end - part.start,
                                     loader(reader, part), part.kind, home=home))
        elif inside and is_list(reader, part, b"INFO"):
            layout.slots += info_slots(reader, part, home=False)
    return layout


def patches(reader: Reader, layout: Layout[RiffFile, _Place], changes: Changes[_Place],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with the XMP flag of VP8X and the RIFF size set to match."""
    padding = b"\0" * (layout.insert_at & 1)  # the last chunk lacks its own

    def encode(slot: Slot[_Place] | None, body: bytes) -> bytes:
        return chunk(slot.state, body) if slot and isinstance(slot.state, bytes) else padding + chunk(b"XMP ", body)
    top = {slot: body for slot, body in changes.items() if isinstance(slot.state, bytes)}
    done = unit_patches(layout, top, fresh, encode)
    done += info_patches(slot for slot in changes if not isinstance(slot.state, bytes))
    kept = [slot for slot in layout.slots if slot.kind == XMP and slot.home and changes.get(slot, b"") is not None]
    done += _header(reader, layout.state.chunks[0], has_xmp=bool(kept) or fresh is not None)
    return done + size_patches(reader, layout.state, done)


def _header(reader: Reader, first: Chunk, *, has_xmp: bool) -> list[Patch]:
    if first.kind == b"VP8X":
        flags, = reader.at(first.body, 1, "VP8X")
        return [(first.body, first.body + 1, bytes([flags | _XMP_FLAG if has_xmp else flags & ~_XMP_FLAG]))]
    if not has_xmp:
        return []
    width, height, alpha = _simple_size(reader, first)
    flags = _XMP_FLAG | (_ALPHA_FLAG if alpha else 0)
    body = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return [(first.start, first.start, chunk(b"VP8X", body))]


def _simple_size(reader: Reader, first: Chunk) -> tuple[int, int, bool]:
    """Width, height and alpha of a file without VP8X (RFC 6386, 9.1; RFC 9649, 3.4)."""
    data = reader.at(first.body, min(first.length, 10), "picture header")
    if first.kind == b"VP8L" and len(data) >= 5 and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    if first.kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) == 10:
        width, height = struct.unpack("<HH", data[6:10])
        if width & 0x3FFF and height & 0x3FFF:
            return width & 0x3FFF, height & 0x3FFF, False
    raise reader.malformed("WebP", first.body, Message("neither a VP8 nor a VP8L picture starts here"))
