# SPDX-License-Identifier: Apache-2.0
"""AVIF and HEIC: the label is an XMP item of the meta box that describes the primary item (ISO/IEC 23008-12, A.3).

A packet that has no room in its old place goes into a media data box at the end. An item's place is written as base
offset where the file has base offsets, because signing tools move both fields of a split one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from labelkit.container import bmff
from labelkit.container.base import EXIF, MAX_BODY, MAX_UNITS, XMP, Changes, Format, Layout, Moves, Patch, Reader, Slot
from labelkit.container.bmff import Box
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.messages import Message

FORMATS = (Format("avif", "image/avif", "image", XMP), Format("heic", "image/heic", "image", XMP))

_AVIF = (b"avif", b"avis")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"miaf")
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_TYPE = b"application/rdf+xml"
_IN_FILE, _IN_IDAT = 0, 1
_MAX_ITEMS = 65_536


@dataclass(slots=True)
class _Place:
    """One row of iloc: its fields as they stand, extents as (index, offset, length)."""

    item: int
    method: int
    reference: int
    base: int
    extents: list[tuple[int, int, int]]


@dataclass(slots=True)
class _Locations:
    """The iloc box: its version, the byte widths of its fields, its rows."""

    box: Box
    version: int
    offset: int
    length: int
    base: int
    index: int
    places: list[_Place] = field(default_factory=list)


@dataclass(slots=True)
class _State:
    top: list[Box]
    meta: Box
    inner: dict[bytes, Box]
    locations: _Locations
    items: list[int]
    primary: int
    places: dict[int, _Place]


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """An item: its number, and (start, stop) of its bytes in the file."""

    number: int
    ranges: list[tuple[int, int]]


_Held = Box | _Item


def sniff(reader: Reader, head: bytes) -> Format | None:
    """AVIF or HEIC, by the major brand, or with a general one by the compatible brands."""
    if head[4:8] != b"ftyp":
        return None
    brand = head[8:12]
    if brand in (b"mif1", b"mif2", b"msf1", b"miaf"):
        listed = reader.at(0, min(int.from_bytes(head[:4], "big"), 1024, reader.size))
        brands = {listed[at:at + 4] for at in range(16, len(listed) - 3, 4)}
        return FORMATS[0] if brands & set(_AVIF) else FORMATS[1]
    return FORMATS[0] if brand in _AVIF else FORMATS[1] if brand in _HEIC else None


def scan(reader: Reader, found: Format) -> Layout[_State, _Held]:
    """XMP and EXIF items, and the C2PA box; raises MalformedFile and its children."""
    top = bmff.boxes(reader, 0, reader.size)
    meta = next((box for box in top if box.kind == b"meta"), None)
    if meta is None:
        raise reader.malformed(found.name.upper(), 0, Message("there is no {chunk} chunk", chunk="meta"))
    inner = {box.kind: box for box in bmff.meta_children(reader, meta)}
    for kind in (b"iinf", b"iloc", b"pitm"):
        if kind not in inner:
            raise reader.malformed("box meta", meta.start, Message("there is no {chunk} chunk", chunk=kind.decode()))
    version, = reader.at(inner[b"pitm"].body, 1, "box pitm")
    primary = int.from_bytes(reader.at(inner[b"pitm"].body + 4, 4 if version else 2, "box pitm"), "big")
    locations = _locations(reader, inner[b"iloc"])
    state = _State(top, meta, inner, locations, [], primary,
                   {place.item: place for place in reversed(locations.places)})  # the first of two rows counts
    slots: list[Slot[_Held]] = [slot for box in top if box.kind == b"uuid" and (slot := bmff.uuid_slot(reader, box))]
    others = _of_others(reader, state)
    for item, role in _items(reader, inner[b"iinf"]):
        state.items.append(item)
        if role:
            slots += [replace(slot, home=False, another=True) if item in others else slot
                      for slot in _item_slot(reader, state, item, role)]
    return Layout(found, slots, state)


def _of_others(reader: Reader, state: _State) -> set[int]:
    """The items that describe other pictures of the file than the primary one: a depth map, a thumbnail."""
    iref = state.inner.get(b"iref")
    described: dict[int, set[int]] = {}
    try:
        for kind, source, targets in bmff.item_references(reader, iref) if iref else ():
            if kind == b"cdsc":
                described.setdefault(source, set()).update(targets)
    except MalformedFile:
        return set()
    return {item for item, targets in described.items() if targets and state.primary not in targets}


def item_ranges(reader: Reader) -> dict[int, list[tuple[int, int]]]:
    """(start, stop) of the bytes of each item of an AVIF or HEIC, for the items that the file itself holds."""
    found = sniff(reader, reader.at(0, min(64, reader.size)))
    return ranges(reader, scan(reader, found)) if found else {}


def ranges(reader: Reader, layout: Layout[_State, _Held]) -> dict[int, list[tuple[int, int]]]:
    """(start, stop) of the bytes of each item, for the items that this file itself holds."""
    found = {item: _ranges(reader, layout.state, item) for item in layout.state.places}
    return {item: pieces for item, pieces in found.items() if pieces}


def _items(reader: Reader, iinf: Box) -> Iterator[tuple[int, str]]:
    """The number of each item, and which kind of slot it is, if any."""
    version, = reader.at(iinf.body, 1, "box iinf")
    for box in bmff.children(reader, iinf, 8 if version else 6):
        raw = reader.at(box.body, min(box.end - box.body, 512), "box infe")
        if box.kind != b"infe" or len(raw) < 12 or raw[0] not in (2, 3):
            continue
        width = 2 if raw[0] == 2 else 4
        item, kind, names = int.from_bytes(raw[4:4 + width], "big"), raw[6 + width:10 + width], raw[10 + width:]
        if kind == b"mime" and names.split(b"\0")[1:2] == [_XMP_TYPE]:
            yield item, XMP
        else:
            yield item, EXIF if kind == b"Exif" else ""


def _locations(reader: Reader, box: Box) -> _Locations:
    inner = Reader.of(reader.at(box.body, box.end - box.body, "box iloc"), reader.name)
    inner.seek(0)
    version, sizes, more = inner.unpack(">B3xBB", "box iloc")
    found = _Locations(box, version, sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0)
    if version > 2 or {found.offset, found.length, found.base, found.index} - {0, 4, 8}:
        raise reader.malformed("box iloc", box.start, Message("version {version} is not known", version=version))

    def number(width: int) -> int:
        return int.from_bytes(inner.take(width, "box iloc"), "big")
    count = number(4 if version == 2 else 2)
    if count > _MAX_ITEMS:
        raise reader.too_many("item", _MAX_ITEMS)
    extents_left = MAX_UNITS  # one may take no byte
    for _ in range(count):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else _IN_FILE
        reference, base = number(2), number(found.base)
        extents_left -= (extent_count := number(2))
        if extents_left < 0:
            raise reader.too_many("extent", MAX_UNITS)
        extents = [(number(found.index), number(found.offset), number(found.length)) for _ in range(extent_count)]
        found.places.append(_Place(item, method, reference, base, extents))
    return found


def _ranges(reader: Reader, state: _State, item: int) -> list[tuple[int, int]] | None:
    """Where the bytes of an item lie in the file; None where this file does not hold them."""
    place = state.places.get(item)
    if place is None or place.reference or place.method not in (_IN_FILE, _IN_IDAT):
        return None
    start, end = 0, reader.size
    if place.method == _IN_IDAT:
        if b"idat" not in state.inner:
            return None
        start, end = state.inner[b"idat"].body, state.inner[b"idat"].end
    found = []
    for _, offset, length in place.extents:
        at = start + place.base + offset
        found.append((at, at + (length or max(end - at, 0))))
        if found[-1][1] > end:
            raise reader.truncated(f"item {item}", at, length, max(end - at, 0))
    return found


def _item_slot(reader: Reader, state: _State, item: int, kind: str) -> list[Slot[_Held]]:
    ranges = _ranges(reader, state, item)
    if not ranges:
        return []

    def load() -> bytes:
        if length > MAX_BODY:
            raise LimitExceeded("{where}: {what} at byte {offset} has {claimed} bytes, at most {limit} are read",
                                where=reader.name, what=f"item {item}", offset=ranges[0][0], claimed=length,
                                limit=MAX_BODY)
        body = b"".join(reader.at(start, stop - start, f"item {item}") for start, stop in ranges)
        if kind == XMP:  # some writers keep the header that the packet has in a JPEG
            return body.removeprefix(_JPEG_XMP)
        skip = 4 + int.from_bytes(body[:4], "big") if kind == EXIF else 0  # ISO/IEC 23008-12, A.2.1
        return body[skip:]
    length = sum(stop - start for start, stop in ranges)
    return [Slot(kind, "item", ranges[0][0], length, load, _Item(item, ranges))]


def patches(reader: Reader, layout: Layout[_State, _Held], changes: Changes[_Held],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with the places of all items that move."""
    state = layout.state
    done: list[Patch] = []
    added: dict[int, bytes] = {}
    for slot, body in changes.items():
        if isinstance(slot.state, _Item):
            done += _item_patches(slot.state, slot.kind, body or b"", added)
        else:
            done.append(bmff.uuid_patch(slot, body))
    item = None
    if fresh is not None:
        item = max([*state.items, *(place.item for place in state.locations.places), 0]) + 1
        added[item] = fresh
        done += _description_patches(reader, state, item)
    if added and state.top[-1].open:
        done += _closing_patch(reader, state.top[-1])
    return _with_places(reader, state, done, added, item)


def _item_patches(item: _Item, kind: str, body: bytes, added: dict[int, bytes]) -> Iterator[Patch]:
    """A body in the place of the old one where it fits, else the old one blanked and the new one in `added`."""
    ranges = item.ranges
    if kind == EXIF:  # as long as before, behind its header
        start, stop = ranges[0][0], ranges[-1][1]
        if len(ranges) == 1:
            yield stop - len(body), stop, body
        return
    fits = len(ranges) == 1 and len(body) <= ranges[0][1] - ranges[0][0]
    if not fits:
        added[item.number] = body
    for start, stop in ranges:
        yield start, stop, body.ljust(stop - start) if fits else b" " * (stop - start)


def _closing_patch(reader: Reader, box: Box) -> list[Patch]:
    """A last box without a size gets one, so that another can stand behind it."""
    size = box.end - box.start
    if size > 0xFFFFFFFF:
        raise reader.too_big("the last box", 0xFFFFFFFF, size)
    return [(box.start, box.start + 4, struct.pack(">I", size))]


def _description_patches(reader: Reader, state: _State, item: int) -> list[Patch]:
    """Patches for iinf and iref: one more item, an XMP packet that describes the primary item."""
    wide = item > 0xFFFF
    iinf = state.inner[b"iinf"]
    version, = reader.at(iinf.body, 1, "box iinf")
    width = 4 if version else 2
    count = int.from_bytes(reader.at(iinf.body + 4, width, "box iinf"), "big") + 1
    if count >> 8 * width:
        raise reader.too_many("item", (1 << 8 * width) - 1)
    body = struct.pack(">B3xIH4s" if wide else ">B3xHH4s", 3 if wide else 2, item, 0, b"mime")
    infe = bmff.encode(b"infe", body + b"XMP\0" + _XMP_TYPE + b"\0")
    return [(iinf.body + 4, iinf.body + 4 + width, count.to_bytes(width, "big")), (iinf.end, iinf.end, infe),
            _reference_patch(reader, state, item)]


def _reference_patch(reader: Reader, state: _State, item: int) -> Patch:
    iref = state.inner.get(b"iref")
    large = max(item, state.primary) > 0xFFFF
    if iref is not None:
        large, small = bool(reader.at(iref.body, 1, "box iref")[0]), not large
        if not large and not small:
            raise UnsupportedFormat("{where}: its item references are too narrow for one more item", where=reader.name)
    row = bmff.encode(b"cdsc", struct.pack(">IHI" if large else ">HHH", item, 1, state.primary))
    if iref is not None:
        return iref.end, iref.end, row
    at = state.inner[b"iinf"].start
    return at, at, bmff.encode(b"iref", bytes([large, 0, 0, 0]) + row)


def _with_places(reader: Reader, state: _State, done: list[Patch], added: dict[int, bytes],
                 item: int | None) -> list[Patch]:
    """The patches with those for iloc and the sizes around it; the length of iloc is known before its numbers are."""
    locations, meta = state.locations, state.meta
    if item is not None:
        locations = _with_row(reader, locations, item)
    box = locations.box

    def with_table(table: bytes) -> list[Patch]:
        content = [*done, (box.start, box.end, table)]
        ends = (state.inner.get(b"iinf"), state.inner.get(b"iref"))
        parents = [one for one in (*ends, meta) if one is not None]
        content += bmff.size_patches(reader, parents, content, parents)
        growth = bmff.grown(meta, content, at_end=True)
        return content + (bmff.absorb(state.top, meta, growth) if growth else [])

    moves = Moves(with_table(_encode(reader, locations, Moves([]), {}, 0)))
    made = with_table(_encode(reader, locations, moves, added, moves.of(reader.size) + 8))
    made += bmff.offset_patches(reader, state.top, moves)
    tail = b"".join(added.values())
    return [*made, (reader.size, reader.size, bmff.encode(b"mdat", tail))] if tail else made


def _with_row(reader: Reader, old: _Locations, item: int) -> _Locations:
    """The table with a row for a new item, whose place is filled in later."""
    if not (old.offset or old.base) or not old.length:
        raise UnsupportedFormat("{where}: its item table has no field for one more place", where=reader.name)
    if item > 0xFFFF and old.version < 2:
        raise UnsupportedFormat("{where}: its item references are too narrow for one more item", where=reader.name)
    row = _Place(item, _IN_FILE, 0, 0, [(0, 0, 0)])
    return _Locations(old.box, old.version, old.offset, old.length, old.base, old.index, [*old.places, row])


def _encode(reader: Reader, table: _Locations, moves: Moves, added: dict[int, bytes], end: int) -> bytes:
    """The iloc box with every place where it lies after the patches; `added` lie one behind another from `end`."""
    wide = 4 if table.version == 2 else 2
    out = bytearray(struct.pack(">B3xBB", table.version, table.offset << 4 | table.length,
                                table.base << 4 | table.index))

    def put(value: int, width: int) -> None:
        if value >> 8 * width:
            raise reader.too_big("box iloc", (1 << 8 * width) - 1, value)
        out.extend(value.to_bytes(width, "big"))
    put(len(table.places), wide)
    for place in table.places:
        put(place.item, wide)
        if table.version:
            put(_IN_FILE if place.item in added else place.method, 2)
        put(place.reference, 2)
        base, extents = _moved(table, place, moves)
        if place.item in added:
            base, extents = (end, [(0, 0, len(added[place.item]))]) if table.base else (
                0, [(0, end, len(added[place.item]))])
            end += len(added[place.item])
        put(base, table.base)
        put(len(extents), 2)
        for index, offset, length in extents:
            put(index, table.index)
            put(offset, table.offset)
            put(length, table.length)
    return bmff.encode(b"iloc", bytes(out))


def _moved(table: _Locations, place: _Place, moves: Moves) -> tuple[int, list[tuple[int, int, int]]]:
    """Base and extents after the patches: the base moves where the file uses it, else each extent."""
    if place.method != _IN_FILE or place.reference or not place.extents:
        return place.base, place.extents
    if place.base or not table.offset:
        shift = moves.of(place.base + place.extents[0][1]) - place.base - place.extents[0][1]
        return place.base + shift, place.extents
    return 0, [(index, moves.of(offset), length) for index, offset, length in place.extents]
