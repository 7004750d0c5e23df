# SPDX-License-Identifier: Apache-2.0
"""MP4, MOV, M4V and M4A, fragmented or not: the label is the key AIGC of moov/udta/meta (TC260-PG-20257A, 202510A).

The meta box with keys stands beside the one of iTunes tags, which stays. What lies behind a box that grows
moves, and every offset in the file with it; a free box behind moov takes the growth in where it can. In a large file
the media move by whole blocks, which file systems that share blocks between files then need not copy. XMP stands
beside the label, and does not hold it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from labelkit.container import bmff, mp4tracks
from labelkit.container.base import TEXT, XMP, Changes, Format, Layout, Moves, Patch, Reader, Segment, Slot, splice
from labelkit.container.bmff import Box
from labelkit.container.output import BLOCK
from labelkit.errors import UnsupportedFormat

FORMATS = (Format("mp4", "video/mp4", "video", TEXT), Format("mov", "video/quicktime", "video", TEXT),
           Format("m4a", "audio/mp4", "audio", TEXT))

_MP4, _MOV, _M4A = FORMATS
_OLD_MOVIES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # QuickTime before it had ftyp
_PICTURES = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"avif", b"avis", b"miaf")
_HANDLER = b"\0\0\0\0\0\0\0\0mdta" + bytes(13)
_UTF8 = b"\0\0\0\1\0\0\0\0"  # well-known type 1, no locale
_FREEFORM = b"----"
_LABEL_KEY = b"AIGC"
_USER_DATA = (b"udta", b"meta")
_LARGE = 64 << 20  # bytes of a file in which a block more does not count
_MAX_PARENTS = 1000  # boxes of user data, each compared with each change; real films have a handful
_MAX_USER_DATA = 64 << 20  # bytes; cover pictures are among it


@dataclass(slots=True)
class _Keys:
    """A meta box of keys: its keys and ilst boxes, the key names, and the items with the index of their key."""

    meta: Box
    keys: Box
    ilst: Box
    names: list[bytes]
    items: list[tuple[int, Box]]


@dataclass(slots=True)
class _State:
    top: list[Box]
    moov: Box
    udta: Box | None = None
    parents: list[Box] = field(default_factory=list)
    keyed: list[_Keys] = field(default_factory=list)


def sniff(reader: Reader, head: bytes) -> Format | None:
    """MP4 and its kin, by the brands of ftyp; a film of old QuickTime by its first box."""
    kind, brand = head[4:8], head[8:12]
    if kind == b"ftyp" and brand not in _PICTURES:
        return {b"qt  ": _MOV, b"M4A ": _M4A, b"M4B ": _M4A, b"M4P ": _M4A}.get(brand, _MP4)
    if kind in _OLD_MOVIES and (head[:4] == b"\0\0\0\1" or 8 <= int.from_bytes(head[:4], "big") <= reader.size):
        return _MOV
    return None


def scan(reader: Reader, found: Format) -> Layout[_State, Box]:
    """Keys, iTunes tags, XMP and C2PA boxes; raises MalformedFile and its children, UnsupportedFormat without moov."""
    top = bmff.boxes(reader, 0, reader.size)
    moov = next((box for box in top if box.kind == b"moov"), None)
    if moov is None:
        raise UnsupportedFormat("{where}: no moov box; a label belongs to the whole film, not to one of its segments",
                                where=reader.name)
    layout: Layout[_State, Box] = Layout(found, [], _State(top, moov, parents=[moov]))
    for box in top:
        slot = bmff.uuid_slot(reader, box) if box.kind == b"uuid" else None
        if slot:
            layout.slots.append(slot)
    for box in bmff.children(reader, moov):
        if box.kind == b"cmov":
            raise UnsupportedFormat("{where}: its moov box is compressed", where=reader.name,
                                    hint="remux the file, then label it")
        if box.kind == b"udta":
            _scan_user_data(reader, layout, box)
        elif box.kind == b"meta":
            _scan_meta(reader, layout, box, home=False)
        if len(layout.state.parents) > _MAX_PARENTS:
            raise reader.too_many("user data box", _MAX_PARENTS)
    layout.packet = next((slot for slot in layout.slots if slot.kind == XMP), None) or _vacant(reader, layout)
    return layout


def _vacant(reader: Reader, layout: Layout[_State, Box]) -> Slot[Box]:
    """Where XMP goes into a file that has none: XMP_ in the user data of QuickTime, else a box uuid at the end.

    XMP specification part 3, on MPEG-4 and QuickTime. A box without a size stays last, and so does mfra, which
    readers look for at the end.
    """
    if layout.format is _MOV:
        name, at = "XMP_", _user_data_end(reader, layout.state)
    else:
        last = layout.state.top[-1]
        name, at = "uuid", last.start if last.open or last.kind == b"mfra" else last.end
    return Slot(XMP, name, at, 0, lambda: b"", Box(name.encode(), at, at, at), home=False)


def _scan_user_data(reader: Reader, layout: Layout[_State, Box], udta: Box) -> None:
    state = layout.state
    state.udta = state.udta or udta
    state.parents.append(udta)
    for box in bmff.children(reader, udta):
        if box.kind == b"meta":
            _scan_meta(reader, layout, box, home=True)
        elif box.kind[:1] == b"\xa9" and box.end - box.body > 4:  # a text of QuickTime: length, language, characters
            layout.slots.append(_slot(reader, TEXT, "udta", box, box.body + 4, _key_of(box.kind), home=False))
        elif box.kind in (b"XMP_", b"AIGC"):
            kind = XMP if box.kind == b"XMP_" else TEXT
            layout.slots.append(_slot(reader, kind, box.kind.decode(), box, box.body, box.kind.decode(), home=False))


def _scan_meta(reader: Reader, layout: Layout[_State, Box], meta: Box, *, home: bool) -> None:
    boxes = bmff.meta_children(reader, meta)
    inner = {box.kind: box for box in boxes}
    _scan_other_lists(reader, layout, meta, boxes, inner[b"ilst"] if b"hdlr" in inner and b"ilst" in inner else None)
    if b"hdlr" not in inner or b"ilst" not in inner:
        return
    layout.state.parents += [meta, inner[b"ilst"]]
    items = bmff.children(reader, inner[b"ilst"])
    if b"keys" in inner:
        keyed = _Keys(meta, inner[b"keys"], inner[b"ilst"], _key_names(reader, inner[b"keys"]), [])
        layout.state.keyed.append(keyed)
        keyed.items = [(int.from_bytes(item.kind, "big"), item) for item in items]
        for index, item in keyed.items:
            name = keyed.names[index - 1] if 0 < index <= len(keyed.names) else b""
            _add_item(reader, layout, item, name.decode("utf-8", "replace"), "keys", home)
    else:
        for item in items:
            _add_item(reader, layout, item, _item_name(reader, item), "ilst", False)


def _scan_other_lists(reader: Reader, layout: Layout[_State, Box], meta: Box, boxes: list[Box],
                      main: Box | None) -> None:
    """The items of lists that ought not to be there, under the keys before them: other readers read every list."""
    names: list[bytes] = []
    others = [box for box in boxes if box.kind == b"ilst" and box is not main]
    layout.state.parents += [meta, *others] if others and main is None else others
    for box in boxes:
        if box.kind == b"keys" and others:
            names = _key_names(reader, box)
        for item in bmff.children(reader, box) if box in others else ():
            index = int.from_bytes(item.kind, "big")
            name = names[index - 1].decode("utf-8", "replace") if 0 < index <= len(names) else _item_name(reader, item)
            _add_item(reader, layout, item, name, "ilst", False)


def _key_names(reader: Reader, keys: Box) -> list[bytes]:
    count, = struct.unpack(">I", reader.at(keys.body + 4, 4, "box keys"))
    entries = bmff.boxes(reader, keys.body + 8, keys.end, nested=True)  # a key looks like a box
    return [reader.at(entry.body, entry.end - entry.body, "key", 4096) for entry in entries[:count]]


def _item_name(reader: Reader, item: Box) -> str:
    """The name of an iTunes tag: its four letters, or the name inside a freeform one."""
    if item.kind == _FREEFORM:
        for box in bmff.children(reader, item):
            if box.kind == b"name":
                return reader.at(box.body, box.end - box.body, "tag name", 4096)[4:].decode("utf-8", "replace")
    return _key_of(item.kind)


def _key_of(kind: bytes) -> str:
    return {b"\xa9too": "Encoder", b"\xa9swr": "Software", b"\xa9cmt": "Comment", b"\xa9des": "Description",
            b"desc": "Description"}.get(kind, kind.decode("latin-1"))


def _add_item(reader: Reader, layout: Layout[_State, Box], item: Box, key: str, name: str, home: bool) -> None:
    for box in bmff.children(reader, item):
        if box.kind == b"data" and box.end - box.body >= 8:
            layout.slots.append(_slot(reader, TEXT, name, item, box.body + 8, key, home))
            return


def _slot(reader: Reader, kind: str, name: str, box: Box, body: int, key: str, home: bool) -> Slot[Box]:
    return Slot(kind, name, box.start, box.end - box.start, lambda: reader.at(body, box.end - body, "item"), box, key,
                home)


def patches(reader: Reader, layout: Layout[_State, Box], changes: Changes[Box], fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with the sizes and offsets that change with them."""
    state = layout.state
    done, user_data = _keyed_patches(reader, state, changes, fresh)
    beside: list[Patch] = []
    for slot, body in changes.items():
        if slot.name == "uuid":
            beside.append(bmff.uuid_patch(slot, body))  # at the top: one right behind moov is not in it
        elif slot.name != "keys":
            box = b"" if body is None else bmff.encode(slot.state.kind, body)
            if slot.length_bytes:
                done.append((slot.state.start, slot.state.end, box))
            else:
                user_data += box
    if user_data:
        at = _user_data_end(reader, state)
        done.append((at, at, user_data if state.udta else bmff.encode(b"udta", user_data)))
    done += bmff.size_patches(reader, _outside(state.parents, done), done,
                              [state.moov, state.udta] if state.udta else [state.moov])
    growth = bmff.grown(state.moov, done, at_end=True)
    behind = [box for box in state.top if box.start >= state.moov.end and box.kind in (b"mdat", b"moof")]
    if growth and behind:
        absorbed = bmff.absorb(state.top, state.moov, growth)
        done += absorbed or bmff.filled(state.moov, growth, BLOCK if reader.size >= _LARGE else 1)
    done += beside
    return done + list(bmff.offset_patches(reader, state.top, Moves(done)))


def completed(source: Reader, target: Reader) -> list[Segment]:
    """The edit list that makes `target`, encoded from `source`, complete; [] where it is.

    What `source`, another MP4 or MOV, says of itself: its moov/udta and moov/meta with all tags and covers take the
    place of those of `target`, and its XMP comes to the end. A C2PA manifest is not copied. And the last frame of each
    track lasts as long as its track says, which muxers tell wrong where frames are stored out of their order.
    """
    theirs, top = bmff.boxes(source, 0, source.size), bmff.boxes(target, 0, target.size)
    inner = [box for movie in theirs if movie.kind == b"moov" for box in bmff.children(source, movie)]
    moov = next((box for box in top if box.kind == b"moov"), None)
    if moov is None:
        return []
    done, parents = mp4tracks.length_patches(target, moov)
    kept = _copies(source, [box for box in inner if box.kind in _USER_DATA])
    if kept:
        done += [(box.start, box.end, b"") for box in bmff.children(target, moov) if box.kind in _USER_DATA]
        done.append((moov.end, moov.end, kept))
    done += bmff.size_patches(target, [moov, *parents], done, [moov] if kept else [])
    done += bmff.offset_patches(target, top, Moves(done))
    packets = _copies(source, [box for box in theirs if box.kind == b"uuid" and _is_xmp(source, box)])
    if packets:
        end = next((box.start for box in top if box.kind == b"mfra"), target.size)  # whose own end tells its size
        done.append((end, end, packets))
    return splice(target.size, done) if done else []


def _copies(reader: Reader, found: list[Box]) -> bytes:
    return b"".join(reader.at(box.start, box.end - box.start, "user data", _MAX_USER_DATA) for box in found)


def _is_xmp(reader: Reader, box: Box) -> bool:
    slot = bmff.uuid_slot(reader, box)
    return slot is not None and slot.kind == XMP


def _outside(parents: list[Box], patches: list[Patch]) -> list[Box]:
    """The boxes that are not themselves replaced as a whole."""
    replaced = [(start, stop) for start, stop, _ in patches if stop > start]
    return [box for box in parents if not any(start <= box.start and box.end <= stop for start, stop in replaced)]


def _user_data_end(reader: Reader, state: _State) -> int:
    """Where new user data go: behind the last in udta, or a udta of its own behind the last box in moov."""
    outer = state.udta or state.moov
    inner = bmff.children(reader, outer)
    return inner[-1].end if inner else outer.body  # QuickTime ends a list with four zero bytes


def _keyed_patches(reader: Reader, state: _State, changes: Changes[Box],
                   fresh: bytes | None) -> tuple[list[Patch], bytes]:
    """New keys and ilst boxes, and the meta box that udta gets where it has none for the label.

    A table in udta begins with the keys of the one outside it: ffmpeg and MediaInfo read the items of every table by
    the keys of the first, so each item must have, in all tables, a number that means the same. Where the one outside
    udta comes first, it gets the keys of the other too.
    """
    by_start = {slot.state.start: body for slot, body in changes.items() if slot.name == "keys"}
    outer = next((keyed for keyed in state.keyed if not _inside(keyed.meta, state.udta)), None)
    home = next((keyed for keyed in state.keyed if _inside(keyed.meta, state.udta)), None)
    names, done, meta = outer.names if outer else [], [], b""
    for keyed in state.keyed:
        if keyed is not home and any(item.start in by_start for _, item in keyed.items):
            left, rebuilt = _rebuilt(reader, keyed, by_start)
            names = left if keyed is outer else names
            done += rebuilt
    if home and (fresh is not None or any(item.start in by_start for _, item in home.items)):
        names, rebuilt = _rebuilt(reader, home, by_start, fresh, outer.names if outer else [], names)
    elif fresh is not None:
        names, meta = _new_meta(fresh, names)
        rebuilt = []
    else:
        return done, meta
    if outer and names != outer.names and not (state.udta and state.udta.start < outer.meta.start):
        done = [patch for patch in done if patch[0] != outer.keys.start]
        done.append((outer.keys.start, outer.keys.end, _encode_keys(names)))
    return done + rebuilt, meta


def _inside(box: Box, outer: Box | None) -> bool:
    return outer is not None and outer.start < box.start < outer.end


def _rebuilt(reader: Reader, keyed: _Keys, bodies: dict[int, bytes | None], fresh: bytes | None = None,
             before: list[bytes] | None = None, after: list[bytes] | None = None) -> tuple[list[bytes], list[Patch]]:
    """New key names, and new keys and ilst boxes: items that go take their keys with them, where no other uses these.

    before, after  the keys that the table begins with now, where it does, and that it shall begin with
    """
    kept = [(index, item) for index, item in keyed.items if bodies.get(item.start, b"") is not None]
    gone = {index for index, _ in keyed.items} - {index for index, _ in kept}
    names, numbers = _renumbered(keyed.names, {index for index, _ in kept}, gone, before or [], after or [])
    items = []
    for index, item in kept:
        number = struct.pack(">I", numbers.get(index, 0))
        if (body := bodies.get(item.start)) is not None:
            items.append(bmff.encode(number, _data(body)))
        else:
            items.append(bmff.encode(number, reader.at(item.body, item.end - item.body, "item")))
    if fresh is not None:
        names, number = _with_label_key(names)
        items.append(bmff.encode(number, _data(fresh)))
    return names, [(keyed.keys.start, keyed.keys.end, _encode_keys(names)),
                   (keyed.ilst.start, keyed.ilst.end, bmff.encode(b"ilst", b"".join(items)))]


def _renumbered(names: list[bytes], used: set[int], gone: set[int], before: list[bytes],
                after: list[bytes]) -> tuple[list[bytes], dict[int, int]]:
    """A table that begins with `after`, and the new number of each old one; see `_rebuilt`."""
    shared = len(before) if names[:len(before)] == before else 0
    made, numbers = list(after), {}
    place = {name: number for number, name in reversed(list(enumerate(after, 1)))}
    for index, name in enumerate(names, 1):
        if index <= shared and name in place:
            numbers[index] = place[name]
        elif index not in gone and (index > shared or index in used):
            made.append(name)
            numbers[index] = len(made)
    return made, numbers


def _with_label_key(names: list[bytes]) -> tuple[list[bytes], bytes]:
    """The table with the label's key, and the number of that as an item's four letters."""
    names = names if _LABEL_KEY in names else [*names, _LABEL_KEY]
    return names, struct.pack(">I", names.index(_LABEL_KEY) + 1)


def _data(body: bytes) -> bytes:
    return bmff.encode(b"data", _UTF8 + body)


def _encode_keys(names: list[bytes]) -> bytes:
    entries = b"".join(bmff.encode(b"mdta", name) for name in names)
    return bmff.encode(b"keys", struct.pack(">II", 0, len(names)) + entries)


def _new_meta(body: bytes, first: list[bytes]) -> tuple[list[bytes], bytes]:
    """The key names of a second meta box, which begins with `first`, and that box."""
    names, number = _with_label_key(first)
    return names, bmff.encode(b"meta", bytes(4) + bmff.encode(b"hdlr", _HANDLER) + _encode_keys(names)
                              + bmff.encode(b"ilst", bmff.encode(number, _data(body))))
