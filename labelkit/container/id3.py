# SPDX-License-Identifier: Apache-2.0
"""ID3v2 tags, versions 2.2 to 2.4: frames kept byte for byte, the label in a TXXX frame (id3.org, 1998-2000).

An edited tag keeps its length while its padding lasts. It loses its extended header and footer, whose
checksum and sizes an edit makes wrong, and the unsynchronisation of versions 2.2 and 2.3, which covers the whole tag.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from labelkit.container.base import C2PA, MAX_BODY, MAX_UNITS, TEXT, XMP, Patch, Reader, Slot, splice
from labelkit.container.output import join
from labelkit.errors import MalformedFile
from labelkit.messages import Message

_HEADER = 10
_WINDOW = 1 << 14
_PROBE = 512  # bytes of a frame in which its description must end
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_FRAME_ID = {2: re.compile(rb"[A-Z][A-Z0-9]{2}"), 3: re.compile(rb"[A-Z][A-Z0-9 ]{3}"),
             4: re.compile(rb"[A-Z][A-Z0-9]{3}")}
_COMMENTS = {b"COMM": "Comment", b"COM": "Comment", b"USLT": "Lyrics", b"ULT": "Lyrics"}
_SOFTWARE = {b"TSSE", b"TENC", b"TSS", b"TEN"}
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_C2PA_TYPES = (b"application/c2pa", b"application/x-c2pa-manifest-store")


@dataclass(slots=True)
class Frame:
    """One frame: its name, where it starts, where its body lies, its two flag bytes."""

    kind: bytes
    start: int
    body: int
    stop: int
    flags: int


@dataclass(slots=True)
class Tag:
    """One tag: where it lies in the file, and its frames in `frames_reader`, which is the file or its decoded copy."""

    version: int
    start: int
    end: int
    frames_reader: Reader
    extended: int
    body: int
    padding: int
    stop: int
    frames: list[Frame] = field(default_factory=list)

    @property
    def decoded(self) -> bool:
        """Whether the frames are those of a decoded copy, whose offsets are none in the file."""
        return self.frames_reader.size == self.stop and self.body == 0


@dataclass(frozen=True, slots=True, eq=False)
class TagFrame:
    """A frame and the tag that it stands in."""

    tag: Tag
    frame: Frame


def tags(reader: Reader, start: int = 0, stop: int | None = None) -> list[Tag]:
    """The tags that stand one behind another from `start`, none of them past `stop`."""
    found: list[Tag] = []
    stop = reader.size if stop is None else stop
    while len(found) < 8 and stop - start >= _HEADER and reader.at(start, 3) == b"ID3":
        found.append(_read(reader, start, stop))
        start = found[-1].end
    return found


def end_of_tags(reader: Reader) -> int:
    """Where the tags at the start of the file end; 0 where there are none."""
    found = tags(reader)
    return found[-1].end if found else 0


def _read(reader: Reader, start: int, limit: int) -> Tag:
    version, _, flags, raw = struct.unpack("BBB4s", reader.at(start + 3, 7, "ID3 header"))
    size = _syncsafe(raw)
    if version not in (2, 3, 4) or size is None:
        raise reader.malformed("ID3", start, Message("version 2.2, 2.3 or 2.4 wanted, got 2.{got}", got=version))
    stop = start + _HEADER + size
    if stop > limit:
        raise reader.truncated("ID3", start, size, limit - start - _HEADER)
    end = min(stop + (_HEADER if version == 4 and flags & _FOOTER else 0), limit)
    if flags & _UNSYNCHRONISED and version < 4:
        data = reader.at(start + _HEADER, size, "ID3").replace(b"\xff\0", b"\xff")
        tag = Tag(version, start, end, Reader.of(data, reader.name), 0, 0, len(data), len(data))
    else:
        tag = Tag(version, start, end, reader, start + _HEADER, start + _HEADER, stop, stop)
    if flags & _EXTENDED and version > 2:
        tag.body += _extended_length(tag)
    _walk(tag)
    return tag


def _extended_length(tag: Tag) -> int:
    raw = tag.frames_reader.at(tag.body, 4, "extended header")
    length = _syncsafe(raw) if tag.version == 4 else 4 + int.from_bytes(raw, "big")
    if length is None or tag.body + length > tag.stop:
        raise tag.frames_reader.malformed("ID3", tag.body, Message("its header is cut short"))
    return length


def _syncsafe(raw: bytes) -> int | None:
    if int.from_bytes(raw, "big") & 0x80808080:
        return None
    return raw[0] << 21 | raw[1] << 14 | raw[2] << 7 | raw[3]


def _walk(tag: Tag) -> None:
    """Fill `frames` and `padding`; what follows the last frame that can be told is padding."""
    at, header = tag.body, 6 if tag.version == 2 else 10
    width, is_name = 3 if tag.version == 2 else 4, _FRAME_ID[tag.version].fullmatch
    window, base = b"", at  # read ahead: a tag may hold very many frames
    while tag.stop - at >= header:
        if at + header > base + len(window):
            window, base = tag.frames_reader.at(at, min(_WINDOW, tag.stop - at), "frame"), at
        raw = window[at - base:at - base + header]
        if not is_name(raw[:width]):
            break
        size = _frame_size(tag, at, raw)
        if size > tag.stop - at - header:
            raise tag.frames_reader.truncated(f"frame {raw[:width].decode()}", at, size, tag.stop - at - header)
        if len(tag.frames) == MAX_UNITS:
            raise tag.frames_reader.too_many("frame", MAX_UNITS)
        flags = 0 if tag.version == 2 else int.from_bytes(raw[8:10], "big")
        tag.frames.append(Frame(raw[:width], at, at + header, at + header + size, flags))
        at += header + size
    tag.padding = at


def _frame_size(tag: Tag, at: int, raw: bytes) -> int:
    if tag.version == 2:
        return int.from_bytes(raw[3:6], "big")
    plain, safe = int.from_bytes(raw[4:8], "big"), _syncsafe(raw[4:8])
    if tag.version == 3 or plain < 128:
        return plain
    # version 2.4 wants syncsafe sizes; old iTunes wrote plain ones: believe the one that a frame or the end follows
    if safe is None or (not _frame_follows(tag, at + 10 + safe) and _frame_follows(tag, at + 10 + plain)):
        return plain
    return safe


def _frame_follows(tag: Tag, at: int) -> bool:
    if tag.stop - at < 4:
        return at == tag.stop
    raw = tag.frames_reader.at(at, 4)
    return raw == b"\0\0\0\0" or bool(_FRAME_ID[4].fullmatch(raw))


def slots(tags_found: list[Tag], *, home: bool) -> list[Slot[TagFrame]]:
    """The texts, comments, encoder names, XMP packets and C2PA stores of tags; `home` as in Slot."""
    return [slot for tag in tags_found for frame in tag.frames if (slot := _slot(tag, frame, home))]


def _slot(tag: Tag, frame: Frame, home: bool) -> Slot[TagFrame] | None:
    probe = _body(tag, frame, _PROBE)
    kind, key, skip = None, "", None
    if frame.kind in (b"TXXX", b"TXX") and probe:
        kind, (key, skip) = TEXT, _described(probe, 1)
    elif frame.kind in _COMMENTS and probe:
        kind, key, skip = TEXT, _COMMENTS[frame.kind], _described(probe, 4)[1]
    elif frame.kind in _SOFTWARE and probe:
        kind, key, skip = TEXT, "Encoder", 1
    elif frame.kind[:1] == b"T" and b"{" in probe:  # a label in a title; other texts are none, and may be very many
        kind, key, skip, home = TEXT, frame.kind.decode(), 1, False
    elif frame.kind == b"PRIV" and probe.startswith(b"XMP\0"):
        kind, skip = XMP, 4
    elif frame.kind == b"GEOB" and probe[1:].startswith(_C2PA_TYPES):
        kind, skip = C2PA, 0
    if kind is None or skip is None:
        return None
    start = tag.start if tag.decoded else frame.start  # an offset in a decoded tag is none in the file
    length = tag.end - tag.start if tag.decoded else frame.stop - frame.start

    def load() -> bytes:
        body = _body(tag, frame, MAX_BODY)
        # version 2.4 puts zeros between several texts of one frame
        return _text(body[:1], body[skip:]).replace(b"\0", b" ") if kind == TEXT else body[skip:]
    return Slot(kind, frame.kind.decode(), start, length, load, TagFrame(tag, frame), key, home)


def _body(tag: Tag, frame: Frame, limit: int) -> bytes:
    """Up to `limit` bytes of a frame's body, with the frame's own packing undone."""
    packed = frame.flags & (0x0F if tag.version == 4 else 0xC0)
    length = frame.stop - frame.body
    raw = tag.frames_reader.at(frame.body, length if packed else min(length, limit), "frame")
    if frame.flags & (0x40 if tag.version == 4 else 0x20):  # a group number
        raw = raw[1:]
    if frame.flags & (0x04 if tag.version == 4 else 0x40):  # encrypted
        return b""
    if tag.version == 4 and packed & 0x02:
        raw = raw.replace(b"\xff\0", b"\xff")
    if packed & (0x01 if tag.version == 4 else 0x80):  # the length that follows is that of the unpacked body
        raw = raw[4:]
    if packed & (0x08 if tag.version == 4 else 0x80):
        try:
            return tag.frames_reader.inflate(raw, frame.start, "frame")[:limit]
        except MalformedFile:
            return b""
    return raw[:limit]


def _described(body: bytes, start: int) -> tuple[str, int | None]:
    """The description that starts there, and where what follows it starts; None where it does not end."""
    wide = body[0] in (1, 2)
    stop = start
    while stop < len(body) and body[stop:stop + 1 + wide] != b"\0" * (1 + wide):
        stop += 1 + wide
    if stop >= len(body):
        return "", None
    return _text(body[:1], body[start:stop]).decode(), stop + 1 + wide


def _text(encoding: bytes, raw: bytes) -> bytes:
    """Text of a frame as UTF-8."""
    name = _ENCODINGS[encoding[0]] if encoding and encoding[0] < 4 else "latin-1"
    raw = raw[:len(raw) - len(raw) % 2] if "16" in name else raw
    if name == "utf-16" and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        name = "utf-16-le"
    return raw.decode(name, "replace").strip("\0").encode()


def text_frame(version: int, body: bytes) -> bytes:
    """A TXXX frame called AIGC that holds the UTF-8 text `body`."""
    text = body.decode()
    if text.isascii():
        content = b"\0AIGC\0" + body
    elif version == 4:
        content = b"\3AIGC\0" + body
    else:
        content = b"\1" + "\ufeffAIGC\0\ufeff".encode("utf-16-le") + text.encode("utf-16-le")
    return _frame(version, b"TXX" if version == 2 else b"TXXX", content)


def _encode(version: int, frame: Frame, body: bytes) -> bytes:
    if frame.kind == b"PRIV":
        return _frame(version, frame.kind, b"XMP\0" + body)
    return text_frame(version, body)


def _frame(version: int, kind: bytes, content: bytes) -> bytes:
    if version == 2:
        return kind + len(content).to_bytes(3, "big") + content
    return kind + (_safe(len(content)) if version == 4 else struct.pack(">I", len(content))) + b"\0\0" + content


def _safe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def new_tag(body: bytes) -> bytes:
    """A tag of version 2.3, which everything reads, with the label alone."""
    frame = text_frame(3, body)
    return b"ID3\3\0\0" + _safe(len(frame)) + frame


def tag_patches(tag: Tag, bodies: Iterable[tuple[Frame, bytes | None]], fresh: bytes | None) -> list[Patch]:
    """The patches that give frames of one tag new bodies and put a fresh label in front."""
    patches = [(frame.start, frame.stop, b"" if body is None else _encode(tag.version, frame, body))
               for frame, body in bodies]
    if fresh is not None:
        patches.append((tag.body, tag.body, text_frame(tag.version, fresh)))
    if tag.body > tag.extended:
        patches.append((tag.extended, tag.body, b""))
    used = tag.padding - tag.extended + sum(len(data) - (stop - start) for start, stop, data in patches)
    room = tag.end - tag.start - _HEADER
    padding = bytes(max(room - used, 0))
    header = b"\0" + _safe(max(room, used))  # the flags all fall: see the module's first lines
    if max(room, used) >> 28:
        raise tag.frames_reader.too_big("an ID3 tag", (1 << 28) - 1, used)
    if tag.decoded:
        body = join(tag.frames_reader, splice(tag.stop, [*patches, (tag.padding, tag.stop, padding)]))
        return [(tag.start + 5, tag.end, header + body)]
    return [(tag.start + 5, tag.start + _HEADER, header), *patches, (tag.padding, tag.end, padding)]


def chunk_patches(bodies: Iterable[tuple[TagFrame, bytes | None]]) -> list[Patch]:
    """The patches that take frames out of tags inside other containers; no tag changes its length."""
    by_tag: dict[int, tuple[Tag, list[tuple[Frame, bytes | None]]]] = {}
    for place, body in bodies:
        by_tag.setdefault(place.tag.start, (place.tag, []))[1].append((place.frame, body))
    return [patch for tag, inner in by_tag.values() for patch in tag_patches(tag, inner, None)]
