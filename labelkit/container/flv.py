# SPDX-License-Identifier: Apache-2.0
"""FLV: the label is the string AIGC in the script data onMetaData (Adobe FLV 10.1, E.4.4; TC260-PG-20257A).

File positions in the script data follow where the film moves. Script data is looked for in the first tags of the file.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container.base import MAX_UNITS, TEXT, XMP, Changes, Format, Layout, Moves, Patch, Reader, Slot
from labelkit.messages import Message

FORMATS = (Format("flv", "video/x-flv", "video", TEXT),)

_SCRIPT = 18
_TAG_HEADER, _TAG_END = 11, 4
_NEW_HEAD = bytes([_SCRIPT]) + bytes(10)  # at time 0, in stream 0
_LOOKED_AT = 256  # tags in which script data is looked for
_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _UNDEFINED, _REFERENCE, _ARRAY, _END, _STRICT, _DATE, _LONG = (
    0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12)
_FIXED = {_NUMBER: 8, _BOOLEAN: 1, _NULL: 0, _UNDEFINED: 0, _REFERENCE: 2, _DATE: 10}
_MAX_DEPTH = 16
_MAX_SCRIPT = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class _Value:
    """A property of script data: its path of names, its type, and where it and its value lie in the data."""

    path: tuple[str, ...]
    type: int
    start: int
    value: int
    stop: int


@dataclass(slots=True)
class _Script:
    """A script tag: where it starts and stops, its header and data, its name, its values, and where these end."""

    start: int
    stop: int
    head: bytes
    data: bytes
    name: str
    values: list[_Value]
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A value and the script tag that it stands in."""

    script: _Script
    value: _Value


def sniff(reader: Reader, head: bytes) -> Format | None:
    """FLV, where the first bytes say so."""
    return FORMATS[0] if head[:4] == b"FLV\x01" else None


def scan(reader: Reader, found: Format) -> Layout[list[_Script], _Place]:
    """The strings of onMetaData and onXMPData; `state` is their script tags."""
    start, = struct.unpack(">I", reader.at(5, 4, "header"))
    layout: Layout[list[_Script], _Place] = Layout(found, [], [], start + _TAG_END)
    reader.seek(layout.insert_at, "the first tag")
    position = layout.insert_at
    for _ in range(_LOOKED_AT):
        if reader.size - position < _TAG_HEADER:
            break
        head = reader.at(position, _TAG_HEADER, "tag")
        length = int.from_bytes(head[1:4], "big")
        stop = position + _TAG_HEADER + length + _TAG_END
        if stop > reader.size:
            raise reader.truncated("tag", position, length, reader.size - position - _TAG_HEADER)
        if head[0] & 0x1F == _SCRIPT and not head[0] & 0x20:  # not encrypted
            script = _read(reader, position, stop, head)
            if script:
                layout.state.append(script)
                layout.slots += _slots(script)
        position = stop
    return layout


def _read(reader: Reader, start: int, stop: int, head: bytes) -> _Script | None:
    data = reader.at(start + _TAG_HEADER, stop - start - _TAG_HEADER - _TAG_END, "script data")
    inner = Reader.of(data, reader.name)
    inner.seek(0)
    kind, length = inner.unpack(">BH", "script data")
    if kind != _STRING:
        return None
    name = inner.take(length, "script data").decode("utf-8", "replace")
    if name not in ("onMetaData", "onXMPData"):
        return None
    kind, = inner.unpack("B", "script data")
    if kind == _ARRAY:
        inner.take(4, "script data")
    elif kind != _OBJECT:
        return None
    values: list[_Value] = []
    end = _walk_members(inner, values, ())
    return _Script(start, stop, head, data, name, values, end)


def _walk_members(inner: Reader, values: list[_Value], path: tuple[str, ...]) -> int:
    """Read name-value pairs up to the end mark; returns where this stands, or where the data ends without one."""
    while inner.position < inner.size:
        start = inner.position
        length, = inner.unpack(">H", "script data")
        name = inner.take(length, "script data").decode("utf-8", "replace")
        kind, = inner.unpack("B", "script data")
        if kind == _END and not length:
            return start
        _walk_value(inner, values, (*path, name), kind, start)
    return inner.size


def _walk_value(inner: Reader, values: list[_Value], path: tuple[str, ...], kind: int, start: int) -> None:
    if len(path) > _MAX_DEPTH:
        raise inner.malformed("script data", start, Message("it is nested too deep"))
    if len(values) > MAX_UNITS:
        raise inner.too_many("value", MAX_UNITS)
    value = inner.position
    if kind in _FIXED:
        inner.take(_FIXED[kind], "script data")
    elif kind in (_STRING, _LONG):
        length, = inner.unpack(">H" if kind == _STRING else ">I", "script data")
        value = inner.position
        inner.take(length, "script data")
    elif kind in (_OBJECT, _ARRAY):
        if kind == _ARRAY:
            inner.take(4, "script data")
        _walk_members(inner, values, path)
    elif kind == _STRICT:
        count, = inner.unpack(">I", "script data")
        for _ in range(count):
            at = inner.position
            one, = inner.unpack("B", "script data")
            _walk_value(inner, values, (*path, ""), one, at)
    else:
        raise inner.malformed("script data", start, Message("type {kind} is not known", kind=kind))
    values.append(_Value(path, kind, start, value, inner.position))


def _slots(script: _Script) -> Iterator[Slot[_Place]]:
    for value in script.values:
        if len(value.path) == 1 and value.type in (_STRING, _LONG):
            kind = XMP if value.path[0] == "liveXML" else TEXT
            yield Slot(kind, script.name, script.start + _TAG_HEADER + value.start, value.stop - value.start,
                       functools.partial(_text, script, value), _Place(script, value),
                       "" if kind == XMP else value.path[0], script.name == "onMetaData")


def _text(script: _Script, value: _Value) -> bytes:
    return script.data[value.value:value.stop]


def patches(reader: Reader, layout: Layout[list[_Script], _Place], changes: Changes[_Place],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new strings, with the file positions that change with them."""
    bodies = {(slot.state.script.start, slot.state.value.start): body for slot, body in changes.items()}
    home = next((script for script in layout.state if script.name == "onMetaData"), None)
    first: list[Patch] = []
    if fresh is not None and not home:
        first.append((layout.insert_at, layout.insert_at, _tag(reader, _NEW_HEAD, _new_script(fresh))))

    def made(moves: Moves) -> list[Patch]:
        return first + [(script.start, script.stop, _tag(reader, script.head, _rebuilt(
            script, bodies, fresh if script is home else None, moves, reader.size))) for script in layout.state]
    return made(Moves(made(Moves([]))))  # positions change no lengths: the second pass knows where all lies


def _rebuilt(script: _Script, bodies: dict[tuple[int, int], bytes | None], fresh: bytes | None, moves: Moves,
             file_size: int) -> bytes:
    data, done, added = script.data, 0, 0
    pieces: list[bytes] = []
    for value in sorted(script.values, key=lambda one: one.start):
        new = None
        if (script.start, value.start) in bodies:
            body = bodies[script.start, value.start]
            new = b"" if body is None else _member(value.path[0], body)
            added -= body is None
        elif value.type == _NUMBER:
            new = _moved(data, value, moves, file_size)
        if new is not None:
            pieces += [data[done:value.start], new]
            done = value.stop
    pieces.append(data[done:script.end])
    if fresh is not None:
        pieces.append(_member("AIGC", fresh))
        added += 1
    return _counted(b"".join([*pieces, data[script.end:]]), added)


def _moved(data: bytes, value: _Value, moves: Moves, file_size: int) -> bytes | None:
    """The number anew, where it is a position in the file or the file's size."""
    number, = struct.unpack(">d", data[value.value:value.stop])
    if not 0 < number <= file_size or not number.is_integer():
        return None
    if value.path == ("filesize",) or value.path[:-1] == ("keyframes", "filepositions"):
        return data[value.start:value.value] + struct.pack(">d", moves.of(int(number)))
    return None


def _counted(data: bytes, added: int) -> bytes:
    """The script data with the number of members in its array corrected."""
    at = 3 + int.from_bytes(data[1:3], "big")
    if data[at] != _ARRAY:
        return data
    count = max(int.from_bytes(data[at + 1:at + 5], "big") + added, 0)
    return data[:at + 1] + struct.pack(">I", count & 0xFFFFFFFF) + data[at + 5:]


def _member(name: str, body: bytes) -> bytes:
    key = name.encode()
    text = struct.pack(">BH", _STRING, len(body)) if len(body) < 65536 else struct.pack(">BI", _LONG, len(body))
    return struct.pack(">H", len(key)) + key + text + body


def _new_script(body: bytes) -> bytes:
    return b"\2\0\nonMetaData\x08\0\0\0\1" + _member("AIGC", body) + b"\0\0\x09"


def _tag(reader: Reader, head: bytes, data: bytes) -> bytes:
    """A tag with the type, time and stream of `head`."""
    if len(data) > _MAX_SCRIPT:
        raise reader.too_big("script data", _MAX_SCRIPT, len(data))
    return head[:1] + len(data).to_bytes(3, "big") + head[4:] + data + struct.pack(">I", len(data) + _TAG_HEADER)
