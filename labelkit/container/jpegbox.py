# SPDX-License-Identifier: Apache-2.0
"""JPEG XL and JPEG 2000 in boxes: the label is XMP, which the guides name for other pictures (TC260-PG-20257A).

In JPEG XL XMP is a box of XML (ISO/IEC 18181-2, 9.3), in JPEG 2000 one of uuid (XMP part 3, 1.1.4). Both stand before
the codestream, so that those see them who read on from the start. A bare codestream of JPEG XL gets boxes around it.
"""

from __future__ import annotations

from labelkit.container import bmff
from labelkit.container.base import C2PA, EXIF, XMP, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.bmff import Box
from labelkit.messages import Message

FORMATS = (Format("jxl", "image/jxl", "image", XMP), Format("jp2", "image/jp2", "image", XMP))

_JXL = b"\0\0\0\x0cJXL \r\n\x87\n"
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_PIXELS = (b"jxlc", b"jxlp", b"jp2c")
_BARE = b"\xff\x0a"
_PLACES = (b"ftbl", b"flst")  # boxes that say where others lie in the file (ISO/IEC 15444-2, M.11.3)


def sniff(reader: Reader, head: bytes) -> Format | None:
    """JPEG XL in boxes or bare, JPEG 2000 in boxes."""
    if head[:12] == _JXL or head[:2] == _BARE:
        return FORMATS[0]
    return FORMATS[1] if head[:12] == _JP2 else None


def scan(reader: Reader, found: Format) -> Layout[bool, Box]:
    """The XMP, EXIF and C2PA boxes; `state` says whether there are boxes. Raises TruncatedFile, LimitExceeded."""
    if reader.head(2) == _BARE:
        return Layout(found, [], False)
    boxes = bmff.boxes(reader, 0, reader.size)
    first = next((box for box in boxes if box.kind in _PIXELS), None)
    layout: Layout[bool, Box] = Layout(found, [], True, first.start if first else boxes[-1].end)
    for box in boxes:
        if box.kind == b"uuid" and reader.at(box.body, min(16, box.end - box.body)) == _XMP_UUID:
            layout.slots.append(_slot(reader, box, XMP, 16, home=found.name == "jp2"))
        elif box.kind == b"xml " and b"adobe:ns:meta" in reader.at(box.body, min(1 << 12, box.end - box.body)):
            layout.slots.append(_slot(reader, box, XMP, 0, home=found.name == "jxl"))
        elif box.kind == b"Exif" and box.end - box.body > 4:
            layout.slots.append(_slot(reader, box, EXIF, 4, home=False))
        elif box.kind == b"jumb" and b"c2pa" in reader.at(box.body, min(64, box.end - box.body)):
            layout.slots.append(_slot(reader, box, C2PA, 0, home=False))
        elif box.kind == b"brob":
            layout.skipped.append(("brob", box.start, Message("it is packed by Brotli")))
    return layout


def _slot(reader: Reader, box: Box, kind: str, skip: int, *, home: bool) -> Slot[Box]:
    def load() -> bytes:
        return reader.at(box.body + skip, box.end - box.body - skip, f"box {box.kind.decode()}")
    return Slot(kind, box.kind.decode(), box.start, box.end - box.start, load, box, home=home and not box.open)


def patches(reader: Reader, layout: Layout[bool, Box], changes: Changes[Box], fresh: bytes | None) -> list[Patch]:
    """The patches for new packets; raises MalformedFile for a file that says where its boxes lie."""
    for box in bmff.boxes(reader, 0, reader.size) if layout.state and (changes or fresh is not None) else ():
        if box.kind in _PLACES:
            problem = Message("it says where others lie, and is not written anew")
            raise reader.malformed(f"box {box.kind.decode()}", box.start, problem)

    def encoded(packet: bytes) -> bytes:
        return (bmff.encode(b"xml ", packet) if layout.format.name == "jxl" else
                bmff.encode(b"uuid", _XMP_UUID + packet))
    if not layout.state:
        head = _JXL + bmff.encode(b"ftyp", b"jxl \0\0\0\0jxl ")
        return [] if fresh is None else [(0, 0, head + encoded(fresh) + b"\0\0\0\0jxlc")]
    done = [(slot.offset_bytes, slot.offset_bytes + slot.length_bytes, b"" if body is None else encoded(body))
            for slot, body in changes.items()]
    if fresh is not None:
        done.append((layout.insert_at, layout.insert_at, encoded(fresh)))
    return done
