# SPDX-License-Identifier: Apache-2.0
"""Formats that hold samples and hardly a text: BMP, ICO, PNM and TGA. No label has a place in them; what they can
hold is looked through all the same, so that "none" means that none is there.

BMP holds no text at all (BITMAPV5HEADER). A picture in an ICO may be a whole PNG. PNM has comments in its head
(netpbm). TGA has an identification and, in version 2, an extension area (Truevision TGA 2.0, C.6).
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from labelkit.container import png
from labelkit.container.base import MAX_BODY, TEXT, Format, Layout, Reader, Slot
from labelkit.errors import LabelkitError
from labelkit.messages import Message

_HEAD = 1 << 16  # bytes of a PNM that are searched for comments; its head is a few tens of bytes
_PNM_FIELDS = {b"1": 2, b"4": 2}  # width and height; the others have a largest value too
_MAX_PICTURES = 256  # of an icon; real ones have up to a dozen
_TGA_FOOTER, _TGA_EXTENSION = 26, 495  # bytes
_TGA_TEXTS = (("author", 2, 41), ("comments", 43, 324), ("job", 379, 41), ("Software", 426, 41))  # offset, bytes


def scan(reader: Reader, found: Format) -> Layout | None:
    """The texts of a file, to be read alone; None for a format that is not looked through."""
    look = {"bmp": _nothing, "ico": _icon, "ppm": _pnm, "tga": _tga}.get(found.name)
    if look is None:
        return None
    layout: Layout = Layout(found, [], None)
    look(reader, layout)
    return layout


def _nothing(reader: Reader, layout: Layout) -> None:
    """A format without texts."""


def _text(reader: Reader, layout: Layout, name: str, key: str, start: int, length: int) -> None:
    def load() -> bytes:
        return reader.at(start, length, name).replace(b"\0", b"")  # which ends a line, and fills the field
    layout.slots.append(Slot(TEXT, name, start, length, load, None, key, home=False))


def _pnm(reader: Reader, layout: Layout) -> None:
    """The comments between the numbers of the head: from # to the end of the line."""
    head = reader.head(_HEAD)
    position, left = 2, _PNM_FIELDS.get(head[1:2], 3)
    while left:
        token = re.compile(rb"\s+|#([^\n\r]*)|(\d+)").match(head, position)
        if token is None or token.end() == len(head):
            if len(head) == _HEAD:
                layout.skipped.append(("comment", position, Message("it reaches beyond byte {limit}", limit=_HEAD)))
            return
        if token[1] is not None:
            _text(reader, layout, "comment", "", token.start(1), token.end(1) - token.start(1))
        left -= token[2] is not None
        position = token.end()


def _icon(reader: Reader, layout: Layout) -> None:
    """The texts of the pictures that are PNG files of their own."""
    count, = struct.unpack("<H", reader.at(4, 2, "ICO"))
    done: set[int] = set()
    left = MAX_BODY  # bytes of all pictures together, which stay in memory
    for number in range(count):
        at = 6 + 16 * number
        size, start = struct.unpack("<II", reader.at(at + 8, 8, "ICO"))
        if number == _MAX_PICTURES:
            layout.skipped.append(("ICO", at, Message("more than {limit} pictures", limit=_MAX_PICTURES)))
            return
        try:
            if start in done or reader.at(start, min(size, 8), "PNG") != png.SIGNATURE:
                continue
            inner = Reader.of(reader.at(start, size, "PNG", left), reader.name)
            done.add(start)
            left -= size
            layout.slots += [replace(slot, offset_bytes=slot.offset_bytes + start, home=False)
                             for slot in png.scan(inner, png.FORMATS[0]).slots]
        except LabelkitError as error:
            layout.skipped.append(("PNG", start, error.message))


def _tga(reader: Reader, layout: Layout) -> None:
    """The identification, and the texts of the extension area; a developer area holds what nobody else knows."""
    if reader.at(0, 1)[0]:
        _text(reader, layout, "TGA", "identification", 18, min(reader.at(0, 1)[0], reader.size - 18))
    if reader.size < 18 + _TGA_FOOTER or reader.at(reader.size - 18, 16) != b"TRUEVISION-XFILE":
        return
    extension, developer = struct.unpack("<II", reader.at(reader.size - _TGA_FOOTER, 8, "TGA"))
    if developer:
        layout.skipped.append(("TGA", developer, Message("a developer area is not read")))
    if extension and extension + _TGA_EXTENSION <= reader.size:
        for key, offset, length in _TGA_TEXTS:
            _text(reader, layout, "TGA", key, extension + offset, length)
    elif extension:
        layout.skipped.append(("TGA", extension, Message("the extension area does not fit the file")))
