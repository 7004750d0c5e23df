# SPDX-License-Identifier: Apache-2.0
"""The initialisation segment of fragments: what their decoders need (ISO/IEC 14496-12, 8.8; ISO/IEC 23000-19)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from labelkit.container import bmff, mp4tracks
from labelkit.container.base import Patch, Reader, Segment, splice
from labelkit.container.bmff import Box
from labelkit.errors import MalformedFile, UnsupportedFormat

_STEPS = (b"mdia", b"minf", b"stbl", b"stsd")
_ENCRYPTED = (b"encv", b"enca", b"enct", b"encs")
FRAGMENTS = (b"sidx", b"moof", b"mdat")
"""The boxes of a segment that are made anew with its pictures."""
KEPT = (b"styp", b"emsg")
"""Those that stay; others state where bytes were, or when they were made."""


def tracks(reader: Reader) -> Iterator[tuple[int, Box, Box]]:
    """(number, box trak, box moov) of each track; raises MalformedFile where there is no moov."""
    movie = next((box for box in bmff.boxes(reader, 0, reader.size) if box.kind == b"moov"), None)
    if movie is None:
        raise MalformedFile("{where}: an initialisation segment has a box moov, and there is none", where=reader.name)
    for track in bmff.children(reader, movie):
        header = next((box for box in bmff.children(reader, track) if box.kind == b"tkhd"), None) \
            if track.kind == b"trak" else None
        if header is not None:
            version, = reader.at(header.body, 1, "box tkhd")
            number, = struct.unpack(">I", reader.at(header.body + (20 if version else 12), 4, "box tkhd"))
            yield number, track, movie


def refuse_encrypted(reader: Reader) -> None:
    """Raise UnsupportedFormat where the samples of a track are encrypted (ISO/IEC 23001-7)."""
    if any(entry[4:8] in _ENCRYPTED for entry in mp4tracks.sample_entries(reader)):
        raise UnsupportedFormat("{where}: the segments are encrypted", where=reader.name,
                                hint="label the presentation, then encrypt it")


def with_description(old: Reader, made: Reader) -> list[Segment]:
    """The edits of an initialisation segment that give its pictures the decoder settings of another.

    old   what is kept but for the box stsd of its pictures
    made  written with the fragments that are to follow, its tracks numbered as in `old`
    Raises UnsupportedFormat where a track of `made` counts time in other units.
    """
    new = {number: track for number, track, _ in tracks(made)}
    patches: list[Patch] = []
    parents: list[Box] = []
    for number, track, movie in tracks(old):
        if number not in new:
            continue
        if time_scale(old, track) != time_scale(made, new[number]):
            raise UnsupportedFormat("{where}: track {number} counts time in units that are not written",
                                    where=old.name, number=number,
                                    hint="repackage it with a time scale that is the sampling rate")
        if _handler(old, track) != b"vide":
            continue
        path, other = mp4tracks.inner_boxes(old, track, *_STEPS), mp4tracks.inner_boxes(made, new[number], *_STEPS)
        if len(path) < len(_STEPS) or len(other) < len(_STEPS):
            raise MalformedFile("{where}: track {number} has no box stsd", where=old.name, number=number)
        patches.append((path[-1].start, path[-1].end,
                        made.at(other[-1].start, other[-1].end - other[-1].start, "box stsd")))
        parents += [movie, track, *path[:-1]]
    return splice(old.size, patches + bmff.size_patches(old, dict.fromkeys(parents), patches, ()))


def time_scale(reader: Reader, track: Box) -> int:
    """Units a second of a track's media; 0 where it tells none."""
    found = mp4tracks.inner_boxes(reader, track, b"mdia", b"mdhd")
    return mp4tracks.time_scale(reader, found[-1]) if len(found) == 2 else 0


def _handler(reader: Reader, track: Box) -> bytes:
    found = mp4tracks.inner_boxes(reader, track, b"mdia", b"hdlr")
    return reader.at(found[-1].body + 8, 4, "box hdlr") if len(found) == 2 else b""


def sequence_number(reader: Reader) -> int:
    """The number of the first fragment in a segment, 1 where it tells none."""
    moof = next((box for box in bmff.boxes(reader, 0, reader.size) if box.kind == b"moof"), None)
    head = next((box for box in bmff.children(reader, moof) if box.kind == b"mfhd"), None) if moof else None
    return int.from_bytes(reader.at(head.body + 4, 4, "box mfhd"), "big") if head else 1
