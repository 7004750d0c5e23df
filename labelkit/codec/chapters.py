# SPDX-License-Identifier: Apache-2.0
"""Chapters and cue points of a sound file, moved by what was put into the sound.

ID3 CHAP (id3.org, chapter frame addendum 1.0), Nero's chpl of M4A, CHAPTERxxx of Vorbis comments, cue of WAV, CUESHEET
of FLAC, MARK of AIFF, mark and regn of CAF. What cannot be read stays as it is.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from labelkit.codec.samples import Inserted
from labelkit.container import Reader, bmff, id3, join
from labelkit.container.base import Patch, splice
from labelkit.container.bmff import Box

_COMMENT = re.compile(rb"(CHAPTER\d{1,3}=)(\d{1,4}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)", re.IGNORECASE)
_MOST_MS = 0xFFFFFFFF
_NERO_S = 10_000_000  # units a second
_CUE_BYTES = 24
_CAF_MARK_BYTES = 28
_TRACK = struct.Struct(">Q")
_CD = 0x80  # of the flags of a CUESHEET: its offsets are whole CD sectors
_SHEET_BYTES, _TRACK_BYTES, _INDEX_BYTES = 396, 36, 12  # RFC 9639, 8.7


@dataclass(frozen=True, slots=True)
class Shift:
    """Where a moment of the source lies in the new sound. One at which something was put in stays before that."""

    inserted: Inserted

    def seconds(self, moment: float) -> float:
        """The new time of a moment, in seconds."""
        return moment + sum(length for at, length in self.inserted if at < moment - 1e-6)

    def units(self, moment: int, rate: float) -> int:
        """The same in units of which there are `rate` a second; exact for samples."""
        return moment + sum(round(length * rate) for at, length in self.inserted if round(at * rate) < moment)


def in_id3(source: Reader, head: bytes, shift: Shift) -> bytes:
    """The ID3 tags at the start of `source` with their chapters moved; `head` are their bytes."""
    made = bytearray(head)
    for tag in id3.tags(source):
        for frame in tag.frames if not tag.decoded else ():
            if frame.kind != b"CHAP" or frame.flags & 0xFF:
                continue
            at = made.find(0, frame.body, frame.stop) + 1  # behind the name of the element
            if at and at + 16 <= frame.stop:
                times = [_moved_ms(value, shift) for value in struct.unpack_from(">2I", made, at)]
                struct.pack_into(">4I", made, at, *times, _MOST_MS, _MOST_MS)  # the bytes lie elsewhere now
    return bytes(made)


def _moved_ms(value: int, shift: Shift) -> int:
    return min(shift.units(value, 1000), _MOST_MS) if value != _MOST_MS else value


def in_comments(entries: list[bytes], shift: Shift) -> list[bytes]:
    """Vorbis comments with their chapters moved."""
    return [_COMMENT.sub(lambda found: _comment(found, shift), entry) if _COMMENT.fullmatch(entry) else entry
            for entry in entries]


def _comment(found: re.Match[bytes], shift: Shift) -> bytes:
    seconds = shift.seconds(3600 * int(found[2]) + 60 * int(found[3]) + float(found[4]))
    whole = round(seconds * 1000)
    return b"%s%02d:%02d:%02d.%03d" % (found[1], whole // 3_600_000, whole // 60_000 % 60, whole // 1000 % 60,
                                       whole % 1000)


def in_m4a(tagged: Reader, shift: Shift) -> bytes:
    """An M4A with the chapters of its user data moved."""
    patches: list[Patch] = []
    for box in _nero(tagged):
        made = bytearray(tagged.at(box.body, box.end - box.body, "chapters"))
        at = 9 if made[0] else 5  # version 1 has four bytes more
        for _ in range(made[at - 1] if at <= len(made) else 0):
            if at + 9 > len(made):
                break
            start, = struct.unpack_from(">Q", made, at)
            struct.pack_into(">Q", made, at, min(shift.units(start, _NERO_S), (1 << 64) - 1))
            at += 9 + made[at + 8]
        patches.append((box.body, box.end, bytes(made)))
    return join(tagged, splice(tagged.size, patches)) if patches else tagged.whole()


def _nero(reader: Reader) -> list[Box]:
    level = [box for box in bmff.boxes(reader, 0, reader.size) if box.kind == b"moov"]
    for kind in (b"udta", b"chpl"):
        level = [child for box in level for child in bmff.children(reader, box) if child.kind == kind]
    return [box for box in level if box.end - box.body >= 9]


def in_cue(body: bytes, rate: int, shift: Shift) -> bytes:
    """The cue points of a WAV, moved."""
    made = bytearray(body)
    for at in range(4, len(made) - _CUE_BYTES + 1, _CUE_BYTES):
        for place in (at + 4, at + 20):  # in the order of play, and in the sound
            value, = struct.unpack_from("<I", made, place)
            struct.pack_into("<I", made, place, min(shift.units(value, rate), 0xFFFFFFFF))
    return bytes(made)


def in_marks(body: bytes, rate: int, shift: Shift) -> bytes:
    """The markers of an AIFF, moved: number, place and name of each (AIFF 1.3, MARK)."""
    made, at = bytearray(body), 2
    for _ in range(int.from_bytes(body[:2], "big")):
        if at + 7 > len(made):
            break
        value, = struct.unpack_from(">I", made, at + 2)
        struct.pack_into(">I", made, at + 2, min(shift.units(value, rate), 0xFFFFFFFF))
        at += 7 + made[at + 6] + (made[at + 6] + 1 & 1)  # the name and its length take an even number of bytes
    return bytes(made)


def in_caf(kind: bytes, body: bytes, rate: int, shift: Shift) -> bytes:
    """The markers and regions of a CAF, moved; other chunks as they are (Core Audio Format 1.0, mark and regn)."""
    made, starts, at = bytearray(body), list[int](), 8
    if kind == b"mark":
        starts += range(at, len(made) - _CAF_MARK_BYTES + 1, _CAF_MARK_BYTES)
    while kind == b"regn" and at + 12 <= len(made):
        stop = at + 12 + struct.unpack_from(">I", made, at + 8)[0] * _CAF_MARK_BYTES
        starts += range(at + 12, min(stop, len(made)) - _CAF_MARK_BYTES + 1, _CAF_MARK_BYTES)
        at = stop
    for start in starts:
        place, = struct.unpack_from(">d", made, start + 4)
        if math.isfinite(place):
            struct.pack_into(">d", made, start + 4, float(shift.units(place, rate)))
    return bytes(made)


def in_cuesheet(body: bytes, rate: int, shift: Shift, frames: int) -> bytes:
    """The cue sheet of a FLAC, moved; `frames` of its sound are the place of the lead-out."""
    if len(body) < _SHEET_BYTES:
        return body
    made = bytearray(body)
    made[136] &= ~_CD & 0xFF
    at, move = _SHEET_BYTES, _placed(rate, shift, frames)
    for _ in range(made[_SHEET_BYTES - 1]):
        if at + _TRACK_BYTES > len(made):
            return body
        start, number = _TRACK.unpack_from(made, at)[0], made[at + 8]
        _TRACK.pack_into(made, at, move(start, number in (170, 255)))
        at += _TRACK_BYTES + _INDEX_BYTES * made[at + _TRACK_BYTES - 1]
    return bytes(made)


def _placed(rate: int, shift: Shift, frames: int) -> Callable[[int, bool], int]:
    return lambda start, is_end: frames if is_end else min(shift.units(start, rate), (1 << 64) - 1)
