# SPDX-License-Identifier: Apache-2.0
"""The tracks of MP4 and MOV: what their samples are, and how long they last (ISO/IEC 14496-12, 8.3 to 8.7)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from fractions import Fraction

from labelkit.container import bmff
from labelkit.container.base import Patch, Reader
from labelkit.container.bmff import Box

VISUAL_ENTRY, _MAX_ENTRY = 86, 1 << 16  # bytes of a sample entry before its boxes, and that are looked at
_MAX_TABLE = 64 << 20  # bytes of one table of durations
_MAX_EDITS = 1 << 16


def track_kinds(reader: Reader) -> list[bytes]:
    """The four letters of each track's first sample entry, such as b"avc1", in the order of the tracks."""
    return [entry[4:8] for entry in sample_entries(reader)]


def track_crops(reader: Reader) -> list[bool]:
    """Of each track whether players show less of its frames than they hold: clean apertures, ISO/IEC 14496-12."""
    return [_is_cropped(entry) for entry in sample_entries(reader)]


def _is_cropped(entry: bytes) -> bool:
    at = entry.find(b"clap", VISUAL_ENTRY)
    if at < 0 or len(entry) < at + 20:
        return False
    (width, height), aperture = struct.unpack_from(">2H", entry, 32), struct.unpack_from(">4I", entry, at + 4)
    across, down = (top / bottom if bottom else math.inf for top, bottom in (aperture[:2], aperture[2:]))
    return bool(across < width or down < height)


def sample_entries(reader: Reader) -> Iterator[bytes]:
    """The sample entries of each track, b"" where there are none."""
    for movie in (box for box in bmff.boxes(reader, 0, reader.size) if box.kind == b"moov"):
        for track in (box for box in bmff.children(reader, movie) if box.kind == b"trak"):
            level = [track]
            for step in (b"mdia", b"minf", b"stbl", b"stsd"):
                level = [box for outer in level for box in bmff.children(reader, outer) if box.kind == step][:1]
            start, stop = (level[0].body + 8, level[0].end) if level else (0, 0)  # after version and count
            size = min(stop - start, _MAX_ENTRY)
            yield reader.at(start, size, "sample entry") if size >= 8 else b""


def track_ends(reader: Reader) -> list[Fraction | None]:
    """When each track ends on the film's own clock, in seconds, as its edit list says; None where it says nothing."""
    found: list[Fraction | None] = []
    for movie in (box for box in bmff.boxes(reader, 0, reader.size) if box.kind == b"moov"):
        header = inner_boxes(reader, movie, b"mvhd")
        scale = time_scale(reader, header[-1]) if header else 0
        for track in (box for box in bmff.children(reader, movie) if box.kind == b"trak"):
            edits = inner_boxes(reader, track, b"edts", b"elst")
            length = _edited(reader, edits[-1]) if len(edits) == 2 else 0
            found.append(Fraction(length, scale) if scale and length else None)
    return found


def time_scale(reader: Reader, header: Box) -> int:
    """Units a second, of a box mvhd or mdhd."""
    version, = reader.at(header.body, 1, "box mvhd")
    return int.from_bytes(reader.at(header.body + (20 if version else 12), 4, "box mvhd"), "big")


def _edited(reader: Reader, edits: Box) -> int:
    """The sum of the lengths in an edit list."""
    version, count = struct.unpack(">B3xI", reader.at(edits.body, 8, "box elst"))
    row = ">QqI" if version else ">IiI"
    count = min(count, _MAX_EDITS, (edits.end - edits.body - 8) // struct.calcsize(row))
    return sum(edit[0] for edit in struct.iter_unpack(row, reader.at(edits.body + 8, count * struct.calcsize(row),
                                                                     "box elst")))


def length_patches(reader: Reader, moov: Box) -> tuple[list[Patch], list[Box]]:
    """New last rows of the tables of sample durations that do not add up to their media, and the boxes around them."""
    done: list[Patch] = []
    parents: list[Box] = []
    for track in (box for box in bmff.children(reader, moov) if box.kind == b"trak"):
        path = inner_boxes(reader, track, b"mdia", b"minf", b"stbl", b"stts")
        header = inner_boxes(reader, track, b"mdia", b"mdhd")
        if len(path) == 4 and len(header) == 2:
            patches = _last_row(reader, path[-1], _media_length(reader, header[-1]))
            done += patches
            parents += [track, *path] if patches else []
    return done, parents


def inner_boxes(reader: Reader, box: Box, *kinds: bytes) -> list[Box]:
    """The boxes of these kinds one inside the other, as far as they are there."""
    found: list[Box] = []
    for kind in kinds:
        inner = next((child for child in bmff.children(reader, box) if child.kind == kind), None)
        if inner is None:
            break
        found.append(inner)
        box = inner
    return found


def _media_length(reader: Reader, header: Box) -> int:
    """The length that a track's media header states, in its own units; 0 where it is not known."""
    version, = reader.at(header.body, 1, "box mdhd")
    at, field = (header.body + 24, ">Q") if version else (header.body + 16, ">I")
    length: int = struct.unpack(field, reader.at(at, struct.calcsize(field), "box mdhd"))[0]
    return 0 if length == (1 << 8 * struct.calcsize(field)) - 1 else length


def _last_row(reader: Reader, table: Box, length: int) -> list[Patch]:
    """The patches that lengthen the last sample in a table of durations, so that these add up to `length`."""
    import numpy as np

    count, = struct.unpack(">I", reader.at(table.body + 4, 4, "box stts"))
    if not count or not length or count * 8 > table.end - table.body - 8:
        return []
    rows = np.frombuffer(reader.at(table.body + 8, count * 8, "box stts", _MAX_TABLE), ">u4").reshape(-1, 2)
    missing = length - int((rows[:, 0].astype(np.int64) * rows[:, 1]).sum())
    samples, duration = (int(value) for value in rows[-1])
    if not samples or missing <= 0 or duration + missing > 0x7FFFFFFF:
        return []
    place = table.body + 8 * count
    last = struct.pack(">II", 1, duration + missing)
    if samples == 1:
        return [(place, place + 8, last)]
    return [(table.body + 4, table.body + 8, struct.pack(">I", count + 1)),
            (place, place + 8, struct.pack(">II", samples - 1, duration) + last)]
