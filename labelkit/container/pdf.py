# SPDX-License-Identifier: Apache-2.0
"""PDF: the label is the key AIGC of the Info dictionary (TC260-PG-20258A, 6.3), written as an incremental update.

Nothing of the file changes; what is new stands behind it, with a cross-reference section of the kind the file has
(ISO 32000-2, 7.5.6). An earlier label stays in the earlier revision, as PDF keeps all of them; the current one has one.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from labelkit.container.base import C2PA, TEXT, XMP, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.pdfobjects import Found, Objects
from labelkit.container.pdfsyntax import BLANK, Dictionary, Reference, written
from labelkit.errors import UnsupportedFormat
from labelkit.messages import Message

FORMATS = (Format("pdf", "application/pdf", "document", TEXT),)

_WINDOW = 1 << 20
_MANIFEST = b"C2PA_Manifest"  # the relationship of a file that holds a manifest (C2PA 2.1, A.4)
_MAX_OFFSET = 9_999_999_999  # ten digits, in a cross-reference table
_KEYS = {b"Producer": "Producer", b"Creator": "Creator"}
_KEPT = (b"Root", b"ID")


@dataclass(slots=True)
class _State:
    objects: Objects
    info: Found | None = None
    packet: Found | None = None
    keys: dict[str, bytes] = field(default_factory=dict)


_Place = Found | None  # the object that a slot is a part of; None for a manifest, which is only seen


def sniff(reader: Reader, head: bytes) -> Format | None:
    """PDF, where the first bytes say so."""
    return FORMATS[0] if head[:5] == b"%PDF-" else None


def scan(reader: Reader, found: Format) -> Layout[_State, _Place]:
    """Texts of the Info dictionary, the document's XMP packet, and a C2PA manifest; raises MalformedFile."""
    objects = Objects(reader)
    refuse_encrypted(reader, objects)
    state = _State(objects)
    layout: Layout[_State, _Place] = Layout(found, [], state)
    info = objects.get(objects.trailer.get(b"Info"))
    if info and isinstance(info.value, Dictionary):
        state.info = info
        for name, value in info.value.values.items():
            text = objects.resolve(value)
            if isinstance(text, bytes):
                key = _KEYS.get(name, name.decode("latin-1"))
                state.keys[key] = name
                layout.slots.append(_slot(TEXT, "Info", info, text, key, True))
    _add_packet(objects, layout)
    place = _find_manifest(reader)
    if place is not None:
        layout.slots.append(Slot(C2PA, "embedded file", place, len(_MANIFEST), lambda: b"", None, home=False))
    return layout


def refuse_encrypted(reader: Reader, objects: Objects) -> None:
    """Raise UnsupportedFormat for an encrypted document."""
    if objects.trailer.get(b"Encrypt") is not None:
        # a plain text would be decrypted by every reader (ISO 32000-2, 7.6.1)
        raise UnsupportedFormat("{where}: the document is encrypted, and its texts with it, the label among them",
                                where=reader.name,
                                hint="take the password off, then label the document")


def _slot(kind: str, name: str, found: Found, body: bytes, key: str, home: bool) -> Slot[Found]:
    return Slot(kind, name, found.offset, len(body), lambda: body, found, key, home)


def _add_packet(objects: Objects, layout: Layout[_State, _Place]) -> None:
    root = objects.resolve(objects.trailer.get(b"Root"))
    found = objects.get(root.get(b"Metadata")) if isinstance(root, Dictionary) else None
    if found and isinstance(found.value, Dictionary):
        layout.state.packet = found
        layout.slots.append(Slot(XMP, "Metadata", found.offset, len(found.data[:found.value.stop]),
                                 lambda: objects.stream_of(found), found, home=False))


def _find_manifest(reader: Reader) -> int | None:
    """Where an uncompressed object speaks of a C2PA manifest."""
    position = 0
    while position < reader.size:
        window = reader.at(position, min(_WINDOW, reader.size - position))
        at = window.find(_MANIFEST)
        if at >= 0:
            return position + at
        position += max(len(window) - len(_MANIFEST), 1) if position + len(window) < reader.size else len(window)
    return None


def patches(reader: Reader, layout: Layout[_State, _Place], changes: Changes[_Place],
            fresh: bytes | None) -> list[Patch]:
    """The patch that appends an update with a new Info dictionary and, where it changes, a new XMP packet."""
    state = layout.state
    size = state.objects.trailer.integer(b"Size")
    if size is None or not 0 < size < 1 << 31:
        raise reader.malformed("PDF", state.objects.start, Message("a cross-reference or object is broken"))
    texts = {state.keys[slot.key]: body for slot, body in changes.items() if slot.kind == TEXT}
    new: dict[int, bytes] = {}
    info = state.info.reference if state.info else None
    if state.info and state.info.data[state.info.dictionary.stop:].lstrip(BLANK).startswith(b"stream"):
        raise reader.malformed("PDF", state.info.offset, Message("a cross-reference or object is broken"))
    if texts or fresh is not None:
        info = info or Reference(size, 0)
        new[info.number] = _info(state.info, texts, fresh)
    packets = {slot.state.reference: packet or b"" for slot, packet in changes.items()
               if slot.kind == XMP and slot.state}
    for reference, body in packets.items():
        new[reference.number] = (b"<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n%s\nendstream"
                                 % (len(body), body))
    if not new:
        return []
    if any(found.generation for found in (info, *packets) if found):
        raise numbered_anew(reader)
    return [(reader.size, reader.size, update(reader, state.objects, new, info, size))]


def numbered_anew(reader: Reader) -> UnsupportedFormat:
    """The error for an object whose number was another's before."""
    return UnsupportedFormat("{where}: its objects have been numbered anew, which is not written",
                             where=reader.name, hint="save the document with another program, then label it")


def _info(old: Found | None, texts: dict[bytes, bytes | None], fresh: bytes | None) -> bytes:
    """The Info dictionary with its other entries as they are written."""
    rows = []
    if old:
        for name, (start, stop) in old.dictionary.places.items():
            if name not in texts:
                rows.append(old.data[start:stop])
            elif (text := texts[name]) is not None:
                rows.append(b"/AIGC " + _literal(text.decode()))
    if fresh is not None:
        rows.append(b"/AIGC " + _literal(fresh.decode()))
    return b"<< " + b"\n".join(rows) + b" >>"


def update(reader: Reader, objects: Objects, new: dict[int, bytes], info: Reference | None, size: int) -> bytes:
    """What goes behind a file: the objects, their cross-reference section and the trailer that goes with them.

    new   the bodies of objects by number
    info  the Info dictionary, if there is one
    size  the number from which on objects are new
    """
    out = bytearray(b"" if reader.at(reader.size - 1, 1) in (b"\n", b"\r") else b"\n")
    places: dict[int, int] = {}
    for number, body in sorted(new.items()):
        places[number] = reader.size + len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = reader.size + len(out)
    if start > _MAX_OFFSET:
        raise reader.too_big("PDF", _MAX_OFFSET, start)
    size = max(size, *(number + 1 for number in new))
    kept = [b"/" + name + b" " + written(value) for name, value in objects.trailer.values.items() if name in _KEPT]
    kept += [b"/Info %d 0 R" % info.number] if info else []
    kept.append(b"/Prev %d" % objects.start)
    if objects.stream:
        places[size] = start
        rows = b"".join(_stream_row(place) for _, place in sorted(places.items()))
        index = b" ".join(b"%d 1" % number for number in sorted(places))
        kept += [b"/Type /XRef /Size %d /W [1 8 2] /Index [%s] /Length %d" % (size + 1, index, len(rows))]
        out += b"%d 0 obj\n<< %s >>\nstream\n%s\nendstream\nendobj\n" % (size, b" ".join(kept), rows)
    else:
        out += b"xref\n" + b"".join(b"%d 1\n%s" % (number, _table_row(place))
                                    for number, place in sorted(places.items()))
        out += b"trailer\n<< /Size %d %s >>\n" % (size, b" ".join(kept))
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def _literal(text: str) -> bytes:
    """A text string: in parentheses where it is ASCII, else UTF-16 in hexadecimal."""
    if text.isascii():
        return b"(" + re.sub(rb"([\\()])", rb"\\\1", text.encode()) + b")"
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode() + b">"


def _table_row(place: int) -> bytes:
    """A row of a table for an object in use."""
    return b"%010d 00000 n\r\n" % place


def _stream_row(place: int) -> bytes:
    """A row of a cross-reference stream of widths 1, 8, 2 for an object in use."""
    return struct.pack(">BQH", 1, place, 0)
