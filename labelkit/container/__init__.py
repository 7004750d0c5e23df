# SPDX-License-Identifier: Apache-2.0
"""Where bytes can be kept in a file. This room knows formats and slots, not what the bytes say.

    with container.opened("cat.png") as reader:
        layout = container.scan(reader)
        for slot in layout.slots:
            print(slot.kind, slot.name, slot.key, slot.offset_bytes, slot.length_bytes)
        edits = container.edit(reader, layout, {layout.slots[0]: b"new body"})
        container.save(reader, edits, "out.png")

A source is a path, bytes or a seekable binary file; the format is told by content, never by name.
Media data is neither read nor changed: an edit is a list of literal bytes and ranges of the source.
"""

from __future__ import annotations

from typing import Any, Protocol

from labelkit.container import (
    aiff,
    avi,
    bare,
    caf,
    flac,
    flv,
    gif,
    gltf,
    heif,
    jpeg,
    jpegbox,
    markdown,
    matroska,
    mp3,
    mp4,
    ofd,
    ogg,
    ooxml,
    opendocument,
    pdf,
    plaintext,
    png,
    stray,
    svg,
    tiff,
    unsupported,
    usdz,
    wav,
    webp,
    webpage,
    xmind,
)
from labelkit.container.base import (
    C2PA,
    EXIF,
    MAX_SLOTS,
    TEXT,
    XMP,
    Changes,
    Format,
    Layout,
    Patch,
    Reader,
    Segment,
    Slot,
    Source,
    opened,
    splice,
)
from labelkit.container.embedded import holds_media
from labelkit.container.endings import media_type
from labelkit.container.output import SIDECAR, Transaction, hand_over, join, save, stream
from labelkit.errors import UnsupportedFormat

__all__ = ["C2PA", "EXIF", "SIDECAR", "TEXT", "XMP", "Format", "Layout", "Reader", "Segment", "Slot", "Source",
           "Transaction", "edit", "hand_over", "holds_media", "join", "look", "media_type", "of_name", "opened",
           "refuse_unsupported", "save", "scan", "slots", "sniff", "stray", "stream"]


class _Module(Protocol):
    """A file format or several: what each module of this room has."""

    @property
    def FORMATS(self) -> tuple[Format, ...]:
        """The formats that it knows."""

    def sniff(self, reader: Reader, head: bytes) -> Format | None:
        """The format, where the first bytes are of one of FORMATS."""

    def scan(self, reader: Reader, found: Format) -> Layout:
        """See `labelkit.container.scan`."""

    def patches(self, reader: Reader, layout: Layout[Any, Any], changes: Changes[Any],  # what its own `scan` gave
                fresh: bytes | None) -> list[Patch]:
        """The patches of `labelkit.container.edit`."""


_MODULES: tuple[_Module, ...] = (jpeg, png, webp, gif, tiff, heif, jpegbox, svg, mp4, matroska, avi, flv, wav,
                                 aiff, caf, flac, ogg, mp3, gltf, usdz, pdf, opendocument, ooxml, ofd, xmind, webpage,
                                 markdown, plaintext)
_BY_NAME = {found.name: module for module in _MODULES for found in module.FORMATS}
_HEAD = 192  # first bytes that `sniff` of each module gets


def sniff(source: Source | Reader) -> Format:
    """The format of a file, told by its first bytes; raises UnsupportedFormat. A Reader remembers it.

    Of formats that are not `writable` the samples alone can be read: `scan` and what writes labels refuse them.
    """
    with opened(source) as reader:
        return reader.format or _told(reader)


def refuse_unsupported(source: Source | Reader) -> None:
    """Raise UnsupportedFormat for a file of a format that has no place for a label, and for one of no known format."""
    with opened(source) as reader:
        _refuse(reader, sniff(reader))


def scan(source: Source | Reader) -> Layout:
    """The format and the slots of a file; raises UnsupportedFormat, MalformedFile, TruncatedFile, LimitExceeded.

    A Reader remembers them: nobody changes a layout.
    """
    with opened(source) as reader:
        return reader.layout or _scanned(reader)


def look(source: Source | Reader) -> Layout:
    """`scan`, for those who read alone: also of BMP, ICO, PNM and TGA, in which no label has a place.

    The layout of such a file has the texts that it holds all the same, and the format's `home` is "".
    """
    with opened(source) as reader:
        found = reader.format or _told(reader)
        return (None if found.writable else bare.scan(reader, found)) or reader.layout or _scanned(reader)


def assume_made(reader: Reader) -> None:
    """Spare `scan` a file that an encoder has just made of samples: it holds no label, text or manifest."""
    if sniff(reader).name == "jpeg":
        reader.layout = jpeg.made(reader)


def slots(source: Source | Reader) -> list[Slot]:
    """The slots of a file in the order in which they lie; their bodies load while the source is open."""
    return scan(source).slots


def edit(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None = None) -> list[Segment]:
    """The edit list that gives slots new bodies.

    changes  new body for a slot of `layout`, or None to take the slot out
    fresh    body of a new slot of the kind `layout.format.home`, or None
    Everything else of the file stays byte for byte. Raises LimitExceeded where a body does not fit its slot.
    """
    module = _BY_NAME[layout.format.name]
    return splice(reader.size, module.patches(reader, layout, changes, fresh))


def of_name(name: str) -> Format:
    """The format of that name."""
    return next(found for found in _BY_NAME[name].FORMATS if found.name == name)


def _refuse(reader: Reader, found: Format) -> None:
    if not found.writable:
        raise unsupported.refusal(reader, unsupported.of_format(found))


def _scanned(reader: Reader) -> Layout:
    found = reader.format or _told(reader)
    _refuse(reader, found)
    layout = _BY_NAME[found.name].scan(reader, found)
    if len(layout.slots) > MAX_SLOTS:
        raise reader.too_many("slot", MAX_SLOTS)
    reader.layout = layout
    return layout


def _told(reader: Reader) -> Format:
    reader.format = _identified(reader)
    return reader.format


def _identified(reader: Reader) -> Format:
    head = reader.head(_HEAD)
    for module in _MODULES:
        found = module.sniff(reader, head)
        if found:
            return found
    other = unsupported.sniff(reader)
    if other and other.format:
        return other.format
    if other:
        raise unsupported.refusal(reader, other)
    if not reader.size:
        raise UnsupportedFormat("{where}: the file is empty", where=reader.name)
    raise UnsupportedFormat("{where}: the format is not known (first bytes {head}); labels can be written to {formats}",
                            where=reader.name, head=head[:8].hex(" "), formats=", ".join(_BY_NAME))
