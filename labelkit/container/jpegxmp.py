# SPDX-License-Identifier: Apache-2.0
"""XMP in JPEG: one packet in one segment, and what does not fit in an extension (XMP part 3, 1.1.3.1).

The packet names its extension by the MD5 of it; an extension that no packet names, or of another digest, is not read
by anybody.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass, field

from labelkit.container import markup
from labelkit.container.base import MAX_BODY, XMP, Changes, Layout, Patch, Reader, Slot
from labelkit.container.markup import Element
from labelkit.errors import MalformedFile
from labelkit.messages import Message

HEADER = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
MAX_PACKET = 65_502
_LEAD = len(EXTENSION_HEADER) + 40  # digest, whole length, offset
_PIECE = 65_400
_NOTE = b"http://ns.adobe.com/xmp/note/"
_NAMED = re.compile(rb"""(HasExtendedXMP\s*(?:=\s*["']|>)\s*)([0-9A-Fa-f]{32})""")
_PADDING = re.compile(rb"\s{2,}(?=<\?xpacket end)")
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EMPTY = (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>').encode()


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension: its digest, and where its segments lie, as (start, length)."""

    digest: bytes
    places: list[tuple[int, int]]


Place = tuple[int, int] | Extension
"""What a slot of a JPEG is: a segment by its marker and the length of the header in its body, or an extension."""
State = list[tuple[int, int]]
"""(start, length) of the tables of further pictures."""


@dataclass(slots=True)
class Pieces:
    """The segments of extensions: (digest, offset in the whole, whole length, start, length) of each."""

    found: list[tuple[bytes, int, int, int, int]] = field(default_factory=list)

    def add(self, probe: bytes, start: int, length: int) -> None:
        """Note a segment, header and all; one that is too short for its fields holds nothing."""
        if len(probe) >= _LEAD:
            mark = len(EXTENSION_HEADER)
            total, offset = struct.unpack(">II", probe[mark + 32:_LEAD])
            self.found.append((probe[mark:mark + 32].upper(), offset, total, start, length))

    def slot(self, reader: Reader, packets: list[Slot[Place]]) -> Slot[Extension] | None:
        """The slot of the extension that a packet names, else of the first one."""
        if not self.found:
            return None
        named = [match[2].upper() for packet in packets for match in _NAMED.finditer(packet.load())]
        digest = next((one[0] for one in self.found if one[0] in named), self.found[0][0])
        pieces = sorted(one[1:] for one in self.found if one[0] == digest)
        start, length = min(piece[2:] for piece in pieces)
        return Slot(XMP, "ExtendedXMP", start, length, lambda: _whole(reader, digest, pieces),
                    Extension(digest, [piece[2:] for piece in pieces]), home=False)


def _whole(reader: Reader, digest: bytes, pieces: list[tuple[int, int, int, int]]) -> bytes:
    _, total, start, _ = pieces[0]
    claimed = sum(piece[3] for piece in pieces)
    if claimed > MAX_BODY:
        raise reader.too_big("ExtendedXMP", MAX_BODY, claimed)
    out = bytearray()
    for offset, _, at, length in pieces:
        if offset != len(out):
            raise reader.malformed("ExtendedXMP", at, Message("{wanted} bytes wanted, {got} are there",
                                                              wanted=offset, got=len(out)))
        out += reader.at(at + 4 + _LEAD, length - 4 - _LEAD, "ExtendedXMP")
    if len(out) != total:
        raise reader.malformed("ExtendedXMP", start, Message("{wanted} bytes wanted, {got} are there",
                                                             wanted=total, got=len(out)))
    if _digest(out) != digest:
        raise reader.malformed("ExtendedXMP", start, Message("its checksum is wrong"))
    return bytes(out)


def _digest(data: bytes | bytearray) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper().encode()


def patches(reader: Reader, layout: Layout[State, Place], changes: Changes[Place], fresh: bytes | None) -> list[Patch]:
    """The patches for new packets and extensions. Raises LimitExceeded for a packet that cannot be made to fit.

    Where a packet gets too long, its padding goes first, then its largest properties move into the extension.
    """
    held, extension = next(((slot, slot.state) for slot in layout.slots if isinstance(slot.state, Extension)),
                           (None, None))
    packets = {slot: body for slot, body in changes.items() if slot.kind == XMP and slot is not held}
    rest = changes.get(held) if held else None
    if rest is not None and extension:  # a packet that names the extension follows it
        named = [slot for slot in layout.slots if _names(slot, extension.digest)]
        packets = {**{slot: packets[slot] if slot in packets else slot.load() for slot in named}, **packets}
    done: list[Patch] = []
    for slot, body in [*packets.items(), (None, fresh)]:
        encoded = b""
        if body is not None:
            body, moved = _fitted(reader, body, held, extension, rest)
            header = _header(reader, slot)
            encoded = struct.pack(">HH", 0xFFE1, len(header) + len(body) + 2) + header + body
            if moved is not None:
                rest = moved
                encoded += _segments(moved) if extension is None else b""
        at, length = (slot.offset_bytes, slot.length_bytes) if slot else (layout.insert_at, 0)
        if slot or encoded:
            done.append((at, at + length, encoded))
    if extension and (rest is not None or held in changes):
        (first, _), *_ = places = sorted(extension.places)
        done += [(start, start + length, _segments(rest or b"") if start == first else b"")
                 for start, length in places]
    return done


def _header(reader: Reader, slot: Slot[Place] | None) -> bytes:
    """What stands before a packet; one that the label has no home in keeps the odd header that it may have."""
    if slot is None or slot.home or isinstance(slot.state, Extension):
        return HEADER
    size = slot.state[1]
    return reader.at(slot.offset_bytes + slot.length_bytes - len(slot.load()) - size, size)


def _names(slot: Slot[Place], digest: bytes) -> bool:
    return slot.kind == XMP and any(one[2].upper() == digest for one in _NAMED.finditer(slot.load()))


def _segments(body: bytes) -> bytes:
    """The segments of an extension."""
    out = []
    for at in range(0, len(body), _PIECE):
        piece = EXTENSION_HEADER + _digest(body) + struct.pack(">II", len(body), at) + body[at:at + _PIECE]
        out.append(struct.pack(">HH", 0xFFE1, len(piece) + 2) + piece)
    return b"".join(out)


def _fitted(reader: Reader, packet: bytes, held: Slot[Place] | None, extension: Extension | None,
            rest: bytes | None) -> tuple[bytes, bytes | None]:
    """The packet as it fits in one segment, and the new extension where it changed for that."""
    old, moved = extension.digest if extension else b"", None
    if rest is not None:
        packet = _NAMED.sub(lambda one: one[1] + (_digest(rest) if one[2].upper() == old else one[2]), packet)
    padding = _PADDING.search(packet)
    if len(packet) > MAX_PACKET and padding:
        kept = max(padding.end() - padding.start() - (len(packet) - MAX_PACKET), 1)
        packet = packet[:padding.start() + kept] + packet[padding.end():]
    if len(packet) > MAX_PACKET:
        named = _NAMED.search(packet)
        if bool(named) == bool(extension):  # else there is an extension that is none of this packet's
            packet, moved = _moved(packet, rest or (held.load() if held else _EMPTY))
    if len(packet) > MAX_PACKET:
        raise reader.too_big("a JPEG segment", MAX_PACKET, len(packet))
    return packet, moved


def _moved(packet: bytes, extension: bytes) -> tuple[bytes, bytes]:
    """The packet without its largest properties, and the extension with them."""
    try:
        elements, others = markup.parse(packet, "XMP packet"), markup.parse(extension, "XMP packet")
    except MalformedFile:
        return packet, extension
    description = next((one for one in elements if one.name == f"{_RDF}\nDescription" and one.parent
                        and one.parent.name == f"{_RDF}\nRDF"), None)
    home = next((one for one in others if one.name == f"{_RDF}\nRDF"), None)
    if description is None or home is None:
        return packet, extension
    excess = len(packet) - MAX_PACKET + len(_note(b"0" * 32))
    cuts = []
    for one in sorted(elements, key=lambda one: one.start - one.stop):
        # the label stays where every reader looks
        if excess > 0 and one.parent is description and one.local not in ("AIGC", "HasExtendedXMP"):
            cuts.append((one.start, one.stop, b""))
            excess -= one.stop - one.start
    held = b"".join(packet[start:stop] for start, stop, _ in sorted(cuts))
    added = b"<rdf:Description" + _scope(packet, description) + b">" + held + b"</rdf:Description>"
    extension = markup.changed(extension, [markup.append_to(extension, home, added)])
    named = _NAMED.search(packet)
    at = description.start + 1 + len(description.raw_name(packet))
    cuts.append((*named.span(2), _digest(extension)) if named else (at, at, _note(_digest(extension))))
    return markup.changed(packet, cuts), extension


def _note(digest: bytes) -> bytes:
    return b' xmlns:xmpNote="' + _NOTE + b'" xmpNote:HasExtendedXMP="' + digest + b'"'


def _scope(packet: bytes, element: Element | None) -> bytes:
    """The namespaces that hold in an element, the nearest of each prefix, and what its description is about."""
    found: dict[bytes, bytes] = {b"xmlns:rdf": b' xmlns:rdf="' + _RDF.encode() + b'"'}
    first = element
    while element:
        for name, start, stop in element.raw_attributes(packet):
            if (name.startswith(b"xmlns") and name not in found) or (element is first and name == b"rdf:about"):
                found[name] = packet[start:stop]
        element = element.parent
    return b"".join(found.values())
