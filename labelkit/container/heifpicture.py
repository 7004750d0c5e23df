# SPDX-License-Identifier: Apache-2.0
"""A HEIC with another primary picture (ISO/IEC 23008-12): the rest of it, gain map, depth and metadata too, stays.

The file is put together anew: the tiles of the old picture and its thumbnails would show it without a label.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from labelkit.container import bmff, heif
from labelkit.container.base import Reader
from labelkit.container.bmff import Box
from labelkit.errors import UnsupportedFormat
from labelkit.messages import Message

_PICTURES = (b"hvc1", b"hev1", b"grid", b"iden", b"iovl")  # what a primary item may be
_OF_THE_OLD = (b"hvcC", b"lhvC", b"ispe", b"clap", b"pasp", b"pixi")
_TURNS = (b"irot", b"imir")
_MADE = (b"iinf", b"iref", b"iprp", b"iloc", b"idat")
_LEFT_OUT = (b"ftyp", b"meta", b"mdat", b"free", b"skip")
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA 2.1, A.5.1
_ESSENTIAL = 0x8000
_MAX_ITEM = 1 << 28  # bytes that are copied of one item


@dataclass(frozen=True, slots=True)
class Coded:
    """A picture that HEVC has coded.

    data           NAL units, each behind its length in 4 bytes
    configuration  body of its box hvcC
    bits           of a sample; there are three
    size           coded width and height
    shown          width and height of the part in the upper left corner that is shown, before it is turned
    """

    data: bytes
    configuration: bytes
    bits: int
    size: tuple[int, int]
    shown: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Item:
    """An item: its number, its kind, its box infe."""

    number: int
    kind: bytes
    box: bytes


@dataclass(frozen=True, slots=True)
class _Reference:
    kind: bytes
    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """What a file says: its boxes, those of its meta box, and of these the items, references, properties (kind and
    box), and which item has which, each with the bit that says whether it is essential."""

    top: list[Box]
    inner: list[Box]
    primary: int
    items: list[_Item]
    references: list[_Reference]
    properties: list[tuple[bytes, bytes]]
    associations: dict[int, list[int]]

    def of_primary(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Association, kind and box of the properties of the primary item, in their order."""
        for entry in self.associations.get(self.primary, ()):
            number = entry & ~_ESSENTIAL
            if 0 < number <= len(self.properties):
                yield entry, *self.properties[number - 1]


def turns(reader: Reader) -> list[tuple[str, int]]:
    """How the coded picture is turned to be shown, in this order: ("irot", quarters against the clock), ("imir", axis).

    Raises MalformedFile and its children.
    """
    return [(kind.decode(), box[8] & (3 if kind == b"irot" else 1))
            for _, kind, box in _read(reader).of_primary() if kind in _TURNS and len(box) > 8]


def colours(reader: Reader) -> tuple[int, int, int, bool] | None:
    """Primaries, transfer and matrix of the primary picture as H.273 numbers them, and whether its range is full.

    None where the boxes do not say. Raises MalformedFile and its children.
    """
    for _, kind, box in _read(reader).of_primary():
        if kind == b"colr" and box[8:12] == b"nclx" and len(box) >= 19:
            primaries, transfer, matrix, full = struct.unpack_from(">HHHB", box, 12)
            return primaries, transfer, matrix, bool(full & 0x80)
    return None


def with_primary(reader: Reader, coded: Coded) -> bytes:
    """The file with another primary picture; raises MalformedFile, UnsupportedFormat for one that is no still."""
    file = _read(reader)
    primary = next((item for item in file.items if item.number == file.primary), None)
    if primary is None or primary.kind not in _PICTURES or any(box.kind == b"moov" for box in file.top):
        raise UnsupportedFormat("{where}: its picture is no still in HEVC and is not written", where=reader.name,
                                other="JPEG", hint="convert it to {other}, or leave the signal layers out of the plan")
    dropped, ranges = _of_the_old(file), heif.item_ranges(reader)
    if sum(stop - start for held in ranges.values() for start, stop in held) > reader.size:
        raise reader.malformed("box iloc", 0, Message("its items overlap"))
    bodies = {item.number: coded.data if item is primary else _body(reader, ranges, item.number)
              for item in file.items if item.number not in dropped}
    made = _changed(file, dropped, coded)
    head = b"".join(_copied(reader, box) for box in file.top if box.kind == b"ftyp")
    rest = b"".join(_copied(reader, box) for box in file.top if box.kind not in _LEFT_OUT and not _is_manifest(reader,
                                                                                                         box))
    start = len(head) + len(_meta(reader, made, bodies, 0)) + 8
    return head + _meta(reader, made, bodies, start) + bmff.encode(b"mdat", b"".join(bodies.values())) + rest


# Reading


def _read(reader: Reader) -> _File:
    top = bmff.boxes(reader, 0, reader.size)
    meta = next((box for box in top if box.kind == b"meta"), None)
    if meta is None:
        raise reader.malformed("HEIC", 0, Message("there is no {chunk} chunk", chunk="meta"))
    inner = bmff.meta_children(reader, meta)
    named = {box.kind: box for box in reversed(inner)}
    for kind in (b"iinf", b"iloc", b"pitm", b"iprp"):
        if kind not in named:
            raise reader.malformed("box meta", meta.start, Message("there is no {chunk} chunk", chunk=kind.decode()))
    version, = reader.at(named[b"pitm"].body, 1, "box pitm")
    primary = int.from_bytes(reader.at(named[b"pitm"].body + 4, 4 if version else 2, "box pitm"))
    properties = bmff.children(reader, named[b"iprp"])
    held = [(child.kind, _copied(reader, child)) for box in properties if box.kind == b"ipco"
            for child in bmff.children(reader, box)]
    associations: dict[int, list[int]] = {}
    for box in properties:
        if box.kind == b"ipma":
            associations.update(_associations(Reader.of(_copied(reader, box), reader.name)))
    return _File(top, inner, primary, list(_items(reader, named[b"iinf"])),
                 [_Reference(*row) for row in bmff.item_references(reader, named[b"iref"])] if b"iref" in named else [],
                 held, associations)


def _copied(reader: Reader, box: Box) -> bytes:
    return reader.at(box.start, box.end - box.start, f"box {box.kind.decode('latin-1')}", _MAX_ITEM)


def _items(reader: Reader, iinf: Box) -> Iterator[_Item]:
    version, = reader.at(iinf.body, 1, "box iinf")
    for box in bmff.children(reader, iinf, 8 if version else 6):
        raw = _copied(reader, box)
        body = raw[box.body - box.start:]
        if box.kind != b"infe" or len(body) < 12 or body[0] not in (2, 3):
            raise reader.malformed("box iinf", box.start, Message("version {version} is not known",
                                                                  version=body[0] if body else 0))
        width = 2 if body[0] == 2 else 4
        yield _Item(int.from_bytes(body[4:4 + width]), body[6 + width:10 + width], raw)


def _associations(box: Reader) -> Iterator[tuple[int, list[int]]]:
    """The rows of a box ipma, every property as 16 bits of which the first says whether it is essential."""
    box.seek(8)
    version, wide, rows = box.unpack(">B2xBI", "box ipma")
    for _ in range(rows):
        item = int.from_bytes(box.take(4 if version else 2, "box ipma"))
        count, = box.take(1, "box ipma")
        if wide & 1:
            entries = [int.from_bytes(box.take(2, "box ipma")) for _ in range(count)]
        else:
            entries = [(one & 0x80) << 8 | one & 0x7F for one in box.take(count, "box ipma")]
        yield item, entries


def _body(reader: Reader, ranges: Mapping[int, list[tuple[int, int]]], item: int) -> bytes:
    if item not in ranges:
        raise UnsupportedFormat("{where}: item {item} does not lie in the file", where=reader.name, item=item,
                                hint="write the metadata alone")
    return b"".join(reader.at(start, stop - start, f"item {item}", _MAX_ITEM) for start, stop in ranges[item])


def _is_manifest(reader: Reader, box: Box) -> bool:
    return box.kind == b"uuid" and box.end - box.body >= 16 and reader.at(box.body, 16, "box uuid") == _C2PA_UUID


# Changing


def _of_the_old(file: _File) -> set[int]:
    """The items that make up the old picture, its thumbnails, and what makes up and describes these."""
    parts: dict[int, set[int]] = {}
    for one in file.references:
        if one.kind == b"dimg":
            parts.setdefault(one.source, set()).update(one.targets)
        elif one.kind == b"thmb" or one.kind == b"cdsc" and one.targets != (file.primary,):
            for target in one.targets[:1]:
                parts.setdefault(target, set()).add(one.source)
    found, waiting = {file.primary}, [file.primary]
    while waiting:
        new = parts.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found - {file.primary}


def _changed(file: _File, dropped: set[int], coded: Coded) -> _File:
    """The items, references and properties with the new picture in the place of the old one."""
    items = [_as_hevc(item) if item.number == file.primary else item
             for item in file.items if item.number not in dropped]
    references = [replace(one, targets=targets) for one in file.references
                  if one.source not in dropped and (one.kind, one.source) != (b"dimg", file.primary)
                  and (targets := tuple(target for target in one.targets if target not in dropped))]
    width, height = coded.size
    new = [(b"hvcC", bmff.encode(b"hvcC", coded.configuration)),
           (b"ispe", bmff.encode(b"ispe", struct.pack(">III", 0, width, height))),
           (b"pixi", bmff.encode(b"pixi", bytes((0, 0, 0, 0, 3, coded.bits, coded.bits, coded.bits))))]
    first = len(file.properties) + 1
    entries = [_ESSENTIAL | first, first + 1, first + 2]
    kept = [(entry, kind) for entry, kind, _ in file.of_primary() if kind not in _OF_THE_OLD]
    if coded.shown != coded.size:
        new.append((b"clap", bmff.encode(b"clap", _aperture(coded))))
        entries.append(_ESSENTIAL | first + 3)
    entries = [*(entry for entry, kind in kept if kind not in _TURNS), *entries,
               *(entry for entry, kind in kept if kind in _TURNS)]
    associations = {item: held for item, held in file.associations.items() if item not in dropped}
    return replace(file, items=items, references=references, properties=[*file.properties, *new],
                   associations={**associations, file.primary: entries})


def _as_hevc(item: _Item) -> _Item:
    at = 12 + (2 if item.box[8] == 2 else 4) + 2  # behind header, version, number and protection
    return replace(item, kind=b"hvc1", box=item.box[:at] + b"hvc1" + item.box[at + 4:])


def _aperture(coded: Coded) -> bytes:
    """The body of a box clap (ISO/IEC 14496-12, 12.1.4): the upper left part; offsets are from centre to centre."""
    (width, height), (across, down) = coded.size, coded.shown
    return struct.pack(">IIIIiIiI", across, 1, down, 1, across - width, 2, down - height, 2)


# Writing


def _meta(reader: Reader, file: _File, bodies: Mapping[int, bytes], start: int) -> bytes:
    """The meta box of a file whose items lie one behind the other from `start`."""
    made = {b"iinf": _iinf(file.items), b"iref": _iref(file.references), b"iprp": _iprp(file),
            b"iloc": _iloc(bodies, start), b"idat": b""}
    parts, done = b"", set[bytes]()
    for box in file.inner:
        if box.kind not in _MADE:
            parts += _copied(reader, box)
        elif box.kind not in done:
            parts += made[box.kind]
            done.add(box.kind)
    return bmff.encode(b"meta", bytes(4) + parts)


def _iinf(items: list[_Item]) -> bytes:
    return bmff.encode(b"iinf", struct.pack(">II", 1 << 24, len(items)) + b"".join(item.box for item in items))


def _iref(references: list[_Reference]) -> bytes:
    rows = (bmff.encode(one.kind, struct.pack(f">IH{len(one.targets)}I", one.source, len(one.targets), *one.targets))
            for one in references)
    return bmff.encode(b"iref", struct.pack(">I", 1 << 24) + b"".join(rows)) if references else b""


def _iprp(file: _File) -> bytes:
    rows = (struct.pack(f">IB{len(held)}H", item, len(held), *held)
            for item, held in sorted(file.associations.items()))
    return bmff.encode(b"iprp", bmff.encode(b"ipco", b"".join(box for _, box in file.properties)) + bmff.encode(
        b"ipma", struct.pack(">II", 1 << 24 | 1, len(file.associations)) + b"".join(rows)))


def _iloc(bodies: Mapping[int, bytes], start: int) -> bytes:
    """Version 1 with places and lengths in 32 bits, version 2 where an item's number has more than 16."""
    wide, rows, at = max(bodies, default=0) > 0xFFFF, list[bytes](), start
    for item, body in bodies.items():
        rows.append(struct.pack(">IHHHII" if wide else ">HHHHII", item, 0, 0, 1, at, len(body)))
        at += len(body)
    head = struct.pack(">IBBI" if wide else ">IBBH", (2 if wide else 1) << 24, 0x44, 0, len(bodies))
    return bmff.encode(b"iloc", head + b"".join(rows))
