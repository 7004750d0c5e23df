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

import re
from types import ModuleType

from labelkit.container import (
    avi,
    flac,
    flv,
    gif,
    heif,
    jpeg,
    markdown,
    matroska,
    mp3,
    mp4,
    ogg,
    ooxml,
    pdf,
    png,
    svg,
    tiff,
    wav,
    webp,
    webpage,
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
    Reader,
    Segment,
    Slot,
    Source,
    opened,
    splice,
)
from labelkit.container.output import join, save, stream, write_all
from labelkit.errors import UnsupportedFormat

__all__ = ["C2PA", "EXIF", "TEXT", "XMP", "Format", "Layout", "Reader", "Segment", "Slot", "Source",
           "edit", "join", "opened", "save", "scan", "slots", "sniff", "stream", "write_all"]

_MODULES = (jpeg, png, webp, gif, tiff, heif, svg, mp4, matroska, avi, flv, wav, flac, ogg, mp3, pdf, ooxml,
            webpage, markdown)
_HOMELESS = tuple((re.compile(start, re.DOTALL), name, other) for start, name, other in (
    # how a format starts, its name, the formats that hold the same and a label
    (rb"BM.{4}\x00{4}", "BMP", "PNG"),
    (rb"\x00\x00\x01\x00", "ICO", "PNG"),
    (rb"8BPS", "PSD", "TIFF"),
    (rb"\xff\x0a|.{4}JXL \r\n", "JPEG XL", "AVIF"),
    (rb"\xff\x4f\xff\x51|.{4}jP  \r\n", "JPEG 2000", "JPEG, PNG"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "AAC (ADTS)", "M4A"),
    (rb"#!AMR", "AMR", "M4A"),
    (rb"FORM.{4}AIF[FC]", "AIFF", "WAV, FLAC"),
    (rb"riff\x2e\x91\xcf\x11", "Wave64", "RF64"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF (WMA, WMV)", "M4A, MP4"),
    (rb"\x00\x00\x01\xba", "MPEG-PS", "MP4"),
    (rb"G.{187}G", "MPEG-TS", "MP4"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "DOC, XLS, PPT", "DOCX, XLSX, PPTX"),
    (rb"\{\\rtf", "RTF", "DOCX"),
))
_BY_NAME = {found.name: module for module in _MODULES for found in module.FORMATS}
_HEAD = 192  # bytes by which a format is told


def sniff(source: Source | Reader) -> Format:
    """The format of a file, told by its first bytes; raises UnsupportedFormat."""
    with opened(source) as reader:
        return _find(reader)[1]


def scan(source: Source | Reader) -> Layout:
    """The format and the slots of a file; raises UnsupportedFormat, MalformedFile, TruncatedFile, LimitExceeded."""
    with opened(source) as reader:
        module, found = _find(reader)
        layout = module.scan(reader, found)
        if len(layout.slots) > MAX_SLOTS:
            raise reader.too_many("slot", MAX_SLOTS)
        return layout


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


def _find(reader: Reader) -> tuple[ModuleType, Format]:
    head = reader.head(_HEAD)
    for module in _MODULES:
        found = module.sniff(reader, head)
        if found:
            return module, found
    for start, name, other in _HOMELESS:
        if start.match(head):
            raise UnsupportedFormat("{where}: {format} has no place that a standard or guide gives to a label",
                                    where=reader.name, format=name, other=other,
                                    hint="convert the file to {other}, then label it")
    if not reader.size:
        raise UnsupportedFormat("{where}: the file is empty", where=reader.name)
    raise UnsupportedFormat("{where}: the format is not known (first bytes {head}); labels can be written to {formats}",
                            where=reader.name, head=head[:8].hex(" "), formats=", ".join(_BY_NAME))
