# SPDX-License-Identifier: Apache-2.0
"""Matroska and WebM: the label is a SimpleTag called AIGC for the whole segment (RFC 9559, 5.1.8; TC260-PG-20257A).

Tags stand before the first cluster, so that readers meet them; where a segment has tags already, the label joins
them. What moves is written anew: seek heads, cues and the positions in clusters.
"""

from __future__ import annotations

import bisect
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from labelkit.container.base import MAX_UNITS, TEXT, Changes, Format, Layout, Moves, Patch, Reader, Slot
from labelkit.messages import Message

FORMATS = (Format("mkv", "video/x-matroska", "video", TEXT), Format("webm", "video/webm", "video", TEXT))

_EBML, _DOC_TYPE, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x4282, 0x18538067, 0x1F43B675
_SEEK_HEAD, _SEEK, _SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AC
_CUES, _CUE_POINT, _CUE_TRACK, _CUE_CLUSTER = 0x1C53BB6B, 0xBB, 0xB7, 0xF1
_INFO, _WRITING_APP = 0x1549A966, 0x5741
_TAGS, _TAG, _TARGETS, _SIMPLE, _NAME, _STRING = 0x1254C367, 0x7373, 0x63C0, 0x67C8, 0x45A3, 0x4487
_UIDS = (0x63C5, 0x63C9, 0x63C4, 0x63C6)  # of a track, an edition, a chapter, an attachment
_ATTACHMENT = _UIDS[3]
_CRC, _VOID, _POSITION = 0xBF, 0xEC, 0xA7
_IN_CLUSTER = {0xE7, 0x5854, _POSITION, 0xAB, 0xA3, 0xA0, 0xAF, _VOID, _CRC}
_MASTERS = {_SEEK_HEAD, _SEEK, _CUES, _CUE_POINT, _CUE_TRACK}
_POSITIONS = {_SEEK_POSITION, _CUE_CLUSTER}
_MAX_TAG_DEPTH = 64  # of tags inside tags; real ones have two or three
_MAX_BLOCKS = 1_000_000  # blocks walked over in clusters of unknown size: three hours of film
_MAX_DEPTH = 8  # of elements in an index; positions are in the third
_MAX_INDEX = 400_000  # elements of seek heads and cues: 18 hours of film with a cue each second


@dataclass(frozen=True, slots=True)
class _Element:
    """One element: its ID, where it starts, where its body lies, where it ends; `open` where its size is unknown."""

    id: int
    start: int
    body: int
    end: int
    open: bool = False


@dataclass(frozen=True, slots=True)
class _Index:
    """A seek head or cue element, read: the width of its size, and what it holds, positions as (id, width, value)."""

    id: int
    width: int
    checked: bool
    parts: list[bytes | tuple[int, int, int] | _Index]


@dataclass(slots=True)
class _State:
    segment: _Element
    parts: list[_Element] = field(default_factory=list)  # of the segment, Cluster included


def sniff(reader: Reader, head: bytes) -> Format | None:
    """Matroska or WebM, by the document type in the EBML header."""
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    for part in _elements(reader, 0, reader.size):
        for field_ in _elements(reader, part.body, part.end):
            if field_.id == _DOC_TYPE:
                name = reader.at(field_.body, field_.end - field_.body, "document type", 64).rstrip(b"\0")
                return {b"matroska": FORMATS[0], b"webm": FORMATS[1]}.get(name)
        break
    return None


def _elements(reader: Reader, start: int, stop: int) -> Iterator[_Element]:
    """The elements between two offsets; only segments and clusters may leave their size open."""
    count = 0
    while start < stop:
        found = _element(reader, start, stop)
        yield found
        start = found.end
        count += 1
        if count > MAX_UNITS:
            raise reader.too_many("element", MAX_UNITS)


def _element(reader: Reader, start: int, stop: int) -> _Element:
    head = reader.at(start, min(12, stop - start), "element")
    width = 9 - head[0].bit_length()
    if width > 4 or len(head) <= width:
        raise reader.malformed("element", start, Message("this is no element of Matroska"))
    number = int.from_bytes(head[:width], "big")
    size_width = 9 - head[width].bit_length()
    body = width + size_width
    if size_width > 8 or len(head) < body:
        raise reader.malformed("element", start, Message("this is no element of Matroska"))
    size = int.from_bytes(head[width:body], "big") - (1 << 7 * size_width)
    if size == (1 << 7 * size_width) - 1:
        if number not in (_SEGMENT, _CLUSTER):
            raise reader.malformed("element", start, Message("only segments and clusters may be of unknown size"))
        return _Element(number, start, start + body, stop, True)
    if size > stop - start - body:
        raise reader.truncated(f"element {number:X}", start, size, stop - start - body)
    return _Element(number, start, start + body, start + body + size)


def scan(reader: Reader, found: Format) -> Layout[_State, _Element]:
    """The tags and the writing program; raises MalformedFile and its children."""
    segment = next((part for part in _elements(reader, 0, reader.size) if part.id == _SEGMENT), None)
    if segment is None:
        raise reader.malformed("Matroska", 0, Message("it holds no segment"))
    state = _State(segment)
    layout: Layout[_State, _Element] = Layout(found, [], state, segment.end)
    position, blocks = segment.body, 0
    while position < segment.end:
        part = _element(reader, position, segment.end)
        if part.open:
            part, blocks = _closed(reader, part, blocks)
        state.parts.append(part)
        if len(state.parts) > MAX_UNITS:
            raise reader.too_many("element", MAX_UNITS)
        if part.id == _CLUSTER:
            layout.insert_at = min(layout.insert_at, part.start)
        elif part.id == _TAGS:
            layout.slots += _tag_slots(reader, part)
        elif part.id == _SEGMENT:
            layout.skipped.append(("Segment", part.start, Message("a segment inside a segment is not read")))
        elif part.id == _INFO:
            layout.slots += [_slot(reader, "Info", part, one, one, "Encoder", False)
                             for one in _elements(reader, part.body, part.end) if one.id == _WRITING_APP]
        position = part.end
    return layout


def _closed(reader: Reader, cluster: _Element, blocks: int) -> tuple[_Element, int]:
    """A cluster of unknown size up to where its last block ends, and how many blocks were walked over by then."""
    position = cluster.body
    while position < cluster.end:
        part = _element(reader, position, cluster.end)
        if part.id not in _IN_CLUSTER:
            break
        position, blocks = part.end, blocks + 1
        if blocks > _MAX_BLOCKS:
            raise reader.too_many("block", _MAX_BLOCKS)
    return _Element(cluster.id, cluster.start, cluster.body, position, True), blocks


def _tag_slots(reader: Reader, tags: _Element) -> list[Slot[_Element]]:
    found: list[Slot[_Element]] = []
    for tag in _elements(reader, tags.body, tags.end):
        if tag.id != _TAG:
            continue
        parts = list(_elements(reader, tag.body, tag.end))
        targets = {target.id for part in parts if part.id == _TARGETS
                   for target in _elements(reader, part.body, part.end) if target.id in _UIDS
                   and reader.at(target.body, target.end - target.body, limit=8).strip(b"\0")}
        for simple in parts:
            if simple.id == _SIMPLE:
                inside = _simple_slots(reader, tags, simple, not targets)
                found += [replace(slot, another=True) for slot in inside] if targets == {_ATTACHMENT} else inside
    return found


def _simple_slots(reader: Reader, tags: _Element, simple: _Element, home: bool,
                  depth: int = 0) -> Iterator[Slot[_Element]]:
    """The text of a SimpleTag and of those inside it."""
    inner = list(_elements(reader, simple.body, simple.end))
    last = {one.id: one for one in inner}
    if _STRING in last:
        named = last.get(_NAME)
        name = reader.at(named.body, named.end - named.body, "TagName", 4096) if named else b""
        key = name.rstrip(b"\0").decode("utf-8", "replace")
        yield _slot(reader, "SimpleTag", tags, simple, last[_STRING], key, home and bool(named))
    if depth > _MAX_TAG_DEPTH:
        raise reader.too_many("tag", _MAX_TAG_DEPTH)
    for one in inner:
        if one.id == _SIMPLE:
            yield from _simple_slots(reader, tags, one, False, depth + 1)


def _slot(reader: Reader, name: str, top: _Element, unit: _Element, text: _Element, key: str,
          home: bool) -> Slot[_Element]:
    return Slot(TEXT, name, unit.start, unit.end - unit.start, lambda: reader.at(text.body, text.end - text.body, name),
                top, key, home)


def patches(reader: Reader, layout: Layout[_State, _Element], changes: Changes[_Element],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new tags, with the sizes and positions that change with them."""
    state = layout.state
    bodies = {slot.offset_bytes: body for slot, body in changes.items()}
    changed = {slot.state.start for slot in changes}
    all_tags = [part for part in state.parts if part.id == _TAGS]
    home = next((part for part in all_tags if part.start in changed), all_tags[0] if all_tags else None)
    done: list[Patch] = []
    for tags in all_tags:
        added = fresh if tags is home else None
        if tags.start in changed or added is not None:
            done.append((tags.start, tags.end, _rebuilt_tags(reader, tags, bodies, added)))
    if fresh is not None and home is None:
        done.append((layout.insert_at, layout.insert_at, _encode(_TAGS, _new_tag(fresh))))
    return _with_positions(reader, state, done)


def _rebuilt_tags(reader: Reader, tags: _Element, bodies: dict[int, bytes | None], fresh: bytes | None) -> bytes:
    """A Tags element with new values; a Tag that loses its last SimpleTag goes too."""
    kept, starts = [], sorted(bodies)
    for tag in _elements(reader, tags.body, tags.end):
        if tag.id in (_CRC, _VOID):
            continue
        parts = list(_elements(reader, tag.body, tag.end)) if tag.id == _TAG else []
        if any(_holds_one(part, starts) for part in parts):
            inner = [(part.id, _rebuilt_simple(reader, part, bodies, starts)) for part in parts if part.id != _CRC]
            if any(made for number, made in inner if number == _SIMPLE):
                kept.append(_encode(_TAG, b"".join(made for _, made in inner)))
        else:
            kept.append(reader.at(tag.start, tag.end - tag.start, "Tag"))
    if fresh is not None:
        kept.append(_new_tag(fresh))
    return _encode(_TAGS, b"".join(kept), checked=_has_checksum(reader, tags))


def _holds_one(part: _Element, starts: list[int]) -> bool:
    """Whether one of the slots that change, in order of where they start, is the element or lies in it."""
    at = bisect.bisect_left(starts, part.start)
    return at < len(starts) and starts[at] < part.end


def _rebuilt_simple(reader: Reader, part: _Element, bodies: dict[int, bytes | None], starts: list[int]) -> bytes:
    """A SimpleTag with its new value and the tags inside it; one that goes leaves its name where it held tags."""
    if part.id != _SIMPLE or not _holds_one(part, starts):
        return reader.at(part.start, part.end - part.start, "Tag")
    is_label = part.start in bodies
    inner = b"".join([_rebuilt_simple(reader, one, bodies, starts)
                      for one in _elements(reader, part.body, part.end)
                      if (one.id == _SIMPLE if is_label else one.id != _CRC)])
    if not is_label:
        return _encode(_SIMPLE, inner)
    body = bodies[part.start]
    return b"" if body is None and not inner else _simple_tag(body, inner)


def _simple_tag(body: bytes | None, inner: bytes = b"") -> bytes:
    value = b"" if body is None else _encode(_STRING, body)
    return _encode(_SIMPLE, _encode(_NAME, b"AIGC") + value + inner)


def _new_tag(body: bytes) -> bytes:
    return _encode(_TAG, _encode(_TARGETS, b"") + _simple_tag(body))


def _has_checksum(reader: Reader, part: _Element) -> bool:
    return part.end > part.body and reader.at(part.body, 1) == bytes([_CRC])


def _encode(number: int, body: bytes, width: int = 1, *, checked: bool = False) -> bytes:
    """An element whose size takes at least `width` bytes, with a CRC-32 in front where `checked`."""
    if checked:
        body = b"\xbf\x84" + struct.pack("<I", zlib.crc32(body)) + body
    head = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return head + _size(len(body), width) + body


def _size(length: int, width: int) -> bytes:
    while length >= (1 << 7 * width) - 1:
        width += 1
    return (length | 1 << 7 * width).to_bytes(width, "big")


def _with_positions(reader: Reader, state: _State, done: list[Patch]) -> list[Patch]:
    """The patches, and those for every position that they move; repeated until longer positions move nothing more."""
    if not done:
        return done
    count = [0]
    indexes = [(part, _index(reader, part, count)) for part in state.parts if part.id in (_SEEK_HEAD, _CUES)]
    moved: list[Patch] = []
    for _ in range(8):
        moves = Moves([*done, *moved])
        new = [(part.start, part.end, _moved(index, _relative(state, moves))) for part, index in indexes]
        settled = [len(data) for _, _, data in new] == [len(data) for _, _, data in moved]
        moved = new
        if settled:
            break
    else:
        raise reader.malformed("Matroska", state.segment.start, Message("its positions cannot be moved"))
    done = done + moved
    done += _cluster_patches(reader, state, _relative(state, Moves(done)))
    return done + _segment_patch(reader, state.segment, done)


def _relative(state: _State, moves: Moves) -> Callable[[int], int]:
    """New positions for old ones, both counted from the start of the segment's data."""
    base = state.segment.body
    return lambda position: moves.of(base + position) - base


def _index(reader: Reader, part: _Element, count: list[int], depth: int = 0) -> bytes | tuple[int, int, int] | _Index:
    """What a seek head, cue or element in one of them holds; `count` holds how many elements were read."""
    count[0] += 1
    if count[0] > _MAX_INDEX:
        raise reader.too_many("element", _MAX_INDEX)
    if part.id in _POSITIONS:
        width = part.end - part.body
        return part.id, width, int.from_bytes(reader.at(part.body, width, limit=8), "big")
    if part.id not in _MASTERS or depth > _MAX_DEPTH:
        return reader.at(part.start, part.end - part.start, "element")
    width = part.body - part.start - (part.id.bit_length() + 7) // 8
    parts = [_index(reader, one, count, depth + 1) for one in _elements(reader, part.body, part.end) if one.id != _CRC]
    return _Index(part.id, width, _has_checksum(reader, part), parts)


def _moved(index: bytes | tuple[int, int, int] | _Index, new: Callable[[int], int]) -> bytes:
    """An element of an index with its positions moved."""
    if isinstance(index, bytes):
        return index
    if isinstance(index, _Index):
        return _encode(index.id, b"".join([_moved(one, new) for one in index.parts]), index.width,
                       checked=index.checked)
    number, width, value = index
    value = new(value)
    return _encode(number, value.to_bytes(max(width, (value.bit_length() + 7) // 8), "big"))


def _cluster_patches(reader: Reader, state: _State, new: Callable[[int], int]) -> Iterator[Patch]:
    """The patches for clusters that say where they lie; a position that grows too long becomes a void element."""
    for cluster in state.parts:
        if cluster.id != _CLUSTER or new(cluster.start - state.segment.body) == cluster.start - state.segment.body:
            continue
        at = cluster.body
        while at < cluster.end:
            part = _element(reader, at, cluster.end)
            if part.id == _POSITION:
                yield from _cluster_patch(part, new(cluster.start - state.segment.body))
            if part.id not in (0xE7, _POSITION, 0xAB, _CRC, _VOID):
                break  # blocks follow
            at = part.end


def _cluster_patch(part: _Element, value: int) -> Iterator[Patch]:
    width = part.end - part.body
    if value < 1 << 8 * width:
        yield part.body, part.end, value.to_bytes(width, "big")
    else:
        yield part.start, part.start + 1, bytes([_VOID])


def _segment_patch(reader: Reader, segment: _Element, patches: list[Patch]) -> list[Patch]:
    if segment.open:
        return []
    width = segment.body - segment.start - 4
    size = segment.end - segment.body + sum(len(data) - (stop - start) for start, stop, data in patches)
    return [(segment.start + 4, segment.body, _size(size, width))]
