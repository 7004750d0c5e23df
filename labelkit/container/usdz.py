# SPDX-License-Identifier: Apache-2.0
"""USDZ: the label is the string AIGC in the customLayerData of a layer of its own, AIGC.usda (OpenUSD: USDZ 1.3; Sdf).

The scene is a layer of another member, which is mostly binary and stays as it is: a layer that nothing refers to is
allowed in a package and shows nothing. Members are stored and begin at multiples of 64 bytes. No guide names a place. A
label in the customLayerData of any other layer that is text is read, and replaced.
"""

from __future__ import annotations

import functools
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container import archive
from labelkit.container.archive import Archive, Member
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.errors import UnsupportedFormat

FORMATS = (Format("usdz", "model/vnd.usdz+zip", "document", TEXT),)

_ENDINGS = (b".usd", b".usda", b".usdc")
_OWN, _MAGIC = "AIGC.usda", b"#usda"
_HEAD = 1 << 20  # bytes of a layer in which its own metadata stand
_MAX_LAYERS = 256  # that are looked into
_ALIGNED, _PADDING, _SIZES = 64, 0x1986, 8  # the field that OpenUSD pads with; the flag of sizes behind the data
_LAYER = b'#usda 1.0\n(\n    customLayerData = {\n        string AIGC = "%b"\n    }\n)\n'
_QUOTES = ((b'"{3}', b""), (b"'{3}", b""), (b'"', b"\n"), (b"'", b"\n"))  # and what a text in them does not hold
_TEXTS = [rb"%b(?:\\.|(?!%b)[^\\%b])*+(?P<end%d>%b)?+" % (quote, quote, line, number, quote)  # without end: all
          for number, (quote, line) in enumerate(_QUOTES)]
_TOKEN = re.compile(b"(?P<text>" + b"|".join(_TEXTS) + rb")|#[^\n]*+|(?P<sign>[(){}\[\]=])|(?P<word>[A-Za-z_][\w:.]*+)|"
                    rb"[^\s\w]|\d", re.DOTALL)
_CLOSES = {b")": b"(", b"}": b"{", b"]": b"["}
_BEHIND = re.compile(rb"[ \t]*;?[ \t]*\n?")
_NAMED = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label stands in a layer: the member's name, and start and stop of its statement."""

    member: str
    start: int
    stop: int


def sniff(reader: Reader, head: bytes) -> Format | None:
    """An archive whose first member is stored and a layer of USD."""
    if head[:4] != b"PK\x03\x04" or head[8:10] != b"\0\0" or len(head) < 30:
        return None
    length, = struct.unpack("<H", head[26:28])
    name = reader.at(30, min(length, max(reader.size - 30, 0)))
    return FORMATS[0] if name.lower().endswith(_ENDINGS) else None


def scan(reader: Reader, found: Format) -> Layout[Archive, Place]:
    """The labels in the layers that are text; raises MalformedFile and its children."""
    held = archive.read(reader)
    layout: Layout[Archive, Place] = Layout(found, [], held)
    layers = [name for name in held.members if name.lower().endswith((".usda", ".usd"))]
    if len(layers) > _MAX_LAYERS:
        raise reader.too_many("layer", _MAX_LAYERS)
    for name in layers:
        start, stop = _data(reader, held.members[name])
        text = reader.at(start, min(stop - start, _HEAD), f"layer {name}")
        for begin, end, stated in _labels(text) if text.startswith(_MAGIC) else ():
            body = _unquoted(stated)
            layout.slots.append(Slot(TEXT, name, start + begin, end - begin, functools.partial(bytes, body),
                                     Place(name, begin, end), "AIGC"))
    return layout


def _labels(text: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(start, stop, what stands between the quotes) of each AIGC of the customLayerData in the metadata of a layer.

    What comments, other strings and dictionaries in it hold is not the layer's; nor is what stands behind the metadata.
    """
    around: list[bytes] = []
    said: list[re.Match[bytes]] = []  # the tokens of a statement so far
    inside = 0  # how deep the dictionary is, 0 outside of it
    for token in _TOKEN.finditer(text, len(_MAGIC)):
        sign = token["sign"] or b""
        if not (sign or token["word"] or token["text"]):
            continue
        if not around and sign != b"(":
            if token["word"] or token["text"]:  # of a layer without metadata
                return
            continue
        if sign in _CLOSES:
            if around.pop() != _CLOSES[sign] or not around:
                return
            inside = inside if len(around) >= inside else 0
            said = []
        elif sign and sign != b"=":
            around.append(sign)
            if len(around) == 2 and [one[0] for one in said[-2:]] == [b"customLayerData", b"="]:
                inside = 2
            said = []
        elif token["text"] and len(around) == inside and _states(said):
            begin, quotes = said[0].start(), max(len(token[f"end{number}"] or b"") for number in range(len(_QUOTES)))
            before = text[max(begin - 99, 0):begin]
            behind = _BEHIND.match(text, token.end())
            if quotes and behind:
                yield begin - len(before) + len(before.rstrip(b" \t")), behind.end(), token[0][quotes:-quotes]
            said = []
        else:
            said = [*said[-2:], token]


def _states(said: list[re.Match[bytes]]) -> bool:
    """Whether these tokens are string AIGC =, its name in quotes or not."""
    return len(said) == 3 and [said[0][0], said[1][0].strip(b"\"'"), said[2][0]] == [b"string", b"AIGC", b"="]


def patches(reader: Reader, layout: Layout[Archive, Place], changes: Changes[Place],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new layers, for the padding of those that move, and for the directory."""
    new: dict[str, bytes | None] = {}
    for slot, body in sorted(changes.items(), key=lambda change: -change[0].state.start):
        place = slot.state
        if place.member == _OWN:
            new[_OWN] = _LAYER % _quoted(body) if body is not None else None
            continue
        layer = new.get(place.member) or _layer(reader, layout.state.members[place.member])
        stated = b'        string AIGC = "%b"\n' % _quoted(body) if body is not None else b""
        new[place.member] = layer[:place.start] + stated + layer[place.stop:]
    if fresh is not None:
        new[_OWN] = _LAYER % _quoted(fresh)
    return _replaced(reader, layout.state, new) if new else []


def _quoted(body: bytes) -> bytes:
    return body.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _unquoted(text: bytes) -> bytes:
    return re.sub(r"\\(.)", lambda one: _NAMED.get(one[1], one[1]), text.decode("utf-8", "replace"),
                  flags=re.DOTALL).encode()


def _data(reader: Reader, member: Member) -> tuple[int, int]:
    """Where the bytes of a member lie; raises MalformedFile."""
    mark, flags, method, names, extra = struct.unpack("<4s2xHH16xHH", reader.at(member.start, 30, "member"))
    start = member.start + 30 + names + extra
    if mark != b"PK\3\4" or flags & 1 or method or start + member.packed > member.stop:
        raise UnsupportedFormat("{where}: a member of the package is packed or encrypted, which USDZ does not allow",
                                where=reader.name)
    return start, start + member.packed


def _layer(reader: Reader, member: Member) -> bytes:
    start, stop = _data(reader, member)
    return reader.at(start, stop - start, "layer")


def _replaced(reader: Reader, held: Archive, new: dict[str, bytes | None]) -> list[Patch]:
    """The patches for members that change (None goes) or come, for those that move behind them, and the directory."""
    done: list[Patch] = []
    rows: list[bytes] = []
    shift = 0
    for name, member in sorted(held.members.items(), key=lambda one: one[1].start):
        start, stop = _data(reader, member)
        body, at = new.get(name, b""), member.start + shift
        if body is None:
            done.append((member.start, member.stop, b""))
            shift -= member.stop - member.start
            continue
        if not shift and name not in new:
            rows.append(member.row)
            continue
        header, row = reader.at(member.start, start - member.start), archive.placed(member.row, member.place_at, at)
        if name in new:
            row = _stated(row, 16, body)
            header = _stated(header[:6] + bytes((header[6] & ~_SIZES,)) + header[7:], 14, body)
            done.append((start, member.stop, body))
            shift += len(body) - (member.stop - start)
        header = _aligned(header, at)
        done.append((member.start, start, header))
        shift += len(header) - (start - member.start)
        rows.append(row)
    tail, end = b"", held.directory + shift
    if new.get(_OWN) is not None and _OWN not in held.members:
        record, row = _member(_OWN.encode(), new[_OWN] or b"", end)
        tail += record
        rows.append(row)
    directory = b"".join(rows)
    end_of_all = archive.end_record(held, len(rows), directory, end + len(tail))
    return [*done, (held.directory, held.end + 20, tail + directory + end_of_all)]


def _stated(record: bytes, at: int, body: bytes) -> bytes:
    """A header or a row, in which checksum and both sizes stand at `at`."""
    return record[:at] + struct.pack("<III", zlib.crc32(body), len(body), len(body)) + record[at + 12:]


def _aligned(header: bytes, at: int) -> bytes:
    """A local header with padding, so that what follows it begins at a multiple of 64 bytes."""
    names, = struct.unpack("<H", header[26:28])
    room = -(at + 30 + names + 4) % _ALIGNED
    return (header[:28] + struct.pack("<H", 4 + room) + header[30:30 + names]
            + struct.pack("<HH", _PADDING, room) + bytes(room))


def _member(name: bytes, body: bytes, at: int) -> tuple[bytes, bytes]:
    """A new member's record, and its row of the directory."""
    fields = struct.pack("<HHHHHIIIH", 10, 0, 0, 0, 0x21, zlib.crc32(body), len(body), len(body), len(name))
    header = _aligned(b"PK\3\4" + fields + b"\0\0" + name, at)
    return header + body, b"PK\1\2\x0a\0" + fields + bytes(12) + struct.pack("<I", at) + name
