# SPDX-License-Identifier: Apache-2.0
"""GIF: blocks; the label is XMP in an application extension (GIF89a, 15-26; XMP part 3, 1.1.2; C2PA 2.1, A.3.5)."""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.container.base import (
    C2PA,
    MAX_BODY,
    MAX_SLOTS,
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

FORMATS = (Format("gif", "image/gif", "image", XMP),)

EXTENSION, IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_APPLICATION, COMMENT, _CONTROL = 0xFF, 0xFE, 0xF9
_XMP_ID = b"XMP DataXMP"
_MAGIC = bytes([1, *range(255, -1, -1), 0])  # leads a reader of sub-blocks to the end from wherever it lands
_MAX_BLOCKS = 4_000_000  # a GIF of 1 GB
_WINDOW = 1 << 16
_LONGEST_HEAD = 11  # bytes of a block before what it holds


def sniff(reader: Reader, head: bytes) -> Format | None:
    """GIF, where the first bytes say so."""
    return FORMATS[0] if head[:6] in (b"GIF87a", b"GIF89a") else None


def scan(reader: Reader, found: Format) -> Layout[None, None]:
    """The XMP, comment and C2PA extensions; a new one goes before the first picture and its control block."""
    layout: Layout[None, None] = Layout(found, [], None)
    for kind, label, start, end in blocks(reader):
        if kind != EXTENSION or label == _CONTROL:
            layout.insert_at = layout.insert_at or start
        elif label in (COMMENT, _APPLICATION):
            _add(reader, layout, label, start, end)
    return layout


def blocks(reader: Reader) -> Iterator[tuple[int, int, int, int]]:
    """(kind, label of an extension or 0, start, end) of each block up to the trailer, and of that."""
    flags = reader.at(10, 1, "screen descriptor")[0]
    position = base = 13 + _table_bytes(flags)
    window = b""
    for _ in range(_MAX_BLOCKS):
        at = position - base
        if len(window) - at < _LONGEST_HEAD:
            window, base, at = reader.at(position, min(_WINDOW, max(reader.size - position, 1)), "block"), position, 0
        kind, label = window[at], 0
        if kind == _TRAILER:
            yield kind, label, position, position + 1
            return
        if kind == EXTENSION:
            label, inner = reader.at(position + 1, 1, "extension")[0] if len(window) < 2 else window[at + 1], at + 2
        elif kind == IMAGE:
            inner = at + 11 + _table_bytes(window[at + 9] if len(window) > at + 9 else
                                           reader.at(position + 9, 1, "picture")[0])
        else:
            raise reader.malformed("block", position, Message("{wanted} wanted, got {got}", wanted="21, 2C, 3B",
                                                              got=f"{kind:02X}"))
        while inner < len(window) and window[inner]:
            inner += 1 + window[inner]
        end = base + inner + 1 if inner < len(window) else _end_of_blocks(reader, base + inner)
        yield kind, label, position, end
        position = end
    raise reader.too_many("block", _MAX_BLOCKS)


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _end_of_blocks(reader: Reader, position: int) -> int:
    """Where the sub-blocks that start there end, their closing zero included."""
    for _ in range(_MAX_BLOCKS):
        window = reader.at(position, min(_WINDOW, reader.size - position), "sub-block")
        at = 0
        while at < len(window):
            if not window[at]:
                return position + at + 1
            at += 1 + window[at]
        position += at
        if position >= reader.size:
            break
    raise reader.truncated("sub-block", position, 1, 0)


def _add(reader: Reader, layout: Layout[None, None], label: int, start: int, end: int) -> None:
    kind, skip = None, 0
    if label == COMMENT:
        kind, skip = TEXT, 2
    elif label == _APPLICATION and end - start > 14:
        name = reader.at(start + 3, 11, "extension")
        kind = XMP if name == _XMP_ID else C2PA if name.startswith(b"C2PA_GIF") else None
        skip = 14
    if kind:
        if len(layout.slots) > MAX_SLOTS:
            raise reader.too_many("slot", MAX_SLOTS)
        layout.slots.append(Slot(kind, "Comment" if kind == TEXT else "Application", start, end - start,
                                 lambda: _body(reader, start + skip, end), None,
                                 "Comment" if kind == TEXT else ""))


def _body(reader: Reader, start: int, end: int) -> bytes:
    """What an extension holds: an XMP packet as it stands before its magic end, or sub-blocks joined."""
    raw = reader.at(start, end - start, "extension", MAX_BODY)
    if raw.endswith(_MAGIC):
        return raw[:-len(_MAGIC)]
    parts, at = [], 0
    while raw[at]:
        parts.append(raw[at + 1:at + 1 + raw[at]])
        at += 1 + raw[at]
    return b"".join(parts)


def patches(reader: Reader, layout: Layout[None, None], changes: Changes[None], fresh: bytes | None) -> list[Patch]:
    """The patches for new packets; a file of version 87a becomes one of 89a, which has extensions."""
    done = unit_patches(layout, changes, fresh, lambda _, body: b"\x21\xff\x0b" + _XMP_ID + _without_zeros(reader, body)
                        + _MAGIC)
    return [*done, (4, 5, b"9")] if done else done


def _without_zeros(reader: Reader, body: bytes) -> bytes:
    if b"\0" in body:  # a zero would end the sub-blocks
        raise reader.malformed("XMP", 0, Message("a packet in GIF is UTF-8 without zero bytes"))
    return body
