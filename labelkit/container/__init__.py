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

from types import ModuleType

from labelkit.container import avi, flac, flv, jpeg, matroska, mp3, mp4, ogg, png, wav, webp
from labelkit.container.base import (
    C2PA,
    EXIF,
    TEXT,
    XMP,
    Changes,
    Format,
    Layout,
    Reader,
    Segment,
    Slot,
    Source,
    join,
    opened,
    save,
    splice,
    stream,
)
from labelkit.errors import UnsupportedFormat

__all__ = ["C2PA", "EXIF", "TEXT", "XMP", "Format", "Layout", "Reader", "Segment", "Slot", "Source",
           "edit", "join", "opened", "save", "scan", "slots", "sniff", "stream"]

_MODULES = (jpeg, png, webp, mp4, matroska, avi, flv, wav, flac, ogg, mp3)
_HEAD = 64  # bytes by which a format is told


def sniff(source: Source | Reader) -> Format:
    """The format of a file, told by its first bytes; raises UnsupportedFormat."""
    with opened(source) as reader:
        return _find(reader)[1]


def scan(source: Source | Reader) -> Layout:
    """The format and the slots of a file; raises UnsupportedFormat, MalformedFile, TruncatedFile, LimitExceeded."""
    with opened(source) as reader:
        module, found = _find(reader)
        return module.scan(reader, found)


def slots(source: Source | Reader) -> list[Slot]:
    """The slots of a file in the order in which they lie; their bodies load while the source is open."""
    return scan(source).slots


def edit(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None = None) -> list[Segment]:
    """The edit list that gives slots new bodies.

    changes  new body for a slot of `layout`, or None to take the slot out
    fresh    body of a new slot of the kind `layout.format.home`, or None
    Everything else of the file stays byte for byte. Raises LimitExceeded where a body does not fit its slot.
    """
    module = _find(reader)[0]
    return splice(reader.size, module.patches(reader, layout, changes, fresh))


def _find(reader: Reader) -> tuple[ModuleType, Format]:
    head = reader.head(_HEAD)
    for module in _MODULES:
        found = module.sniff(reader, head)
        if found:
            return module, found
    raise UnsupportedFormat("{where}: the format is not known (first bytes {head}); labels can be written to {formats}",
                            where=reader.name, head=head[:8].hex(" ") or "none", formats=", ".join(_names()))


def _names() -> list[str]:
    return [found.name for module in _MODULES for found in module.FORMATS]
