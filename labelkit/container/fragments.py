# SPDX-License-Identifier: Apache-2.0
"""Fragments of MP4 with other samples of the same number and times, and the indexes that tell their sizes.

ISO/IEC 14496-12: movie fragments 8.8, segment index 8.16.3.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import NamedTuple

from labelkit.container import bmff
from labelkit.container.base import Reader
from labelkit.container.bmff import Box
from labelkit.errors import MalformedFile, UnsupportedFormat

_MAX_BYTES = 64 << 20  # of one segment that is written anew
_MAX_SAMPLES = 1 << 20  # of one fragment
_BASE = 0x1  # flag of tfhd
_OFFSET, _FIRST, _SIZE = 0x1, 0x4, 0x200  # flags of trun
_FIELDS = 0x100, 0x200, 0x400, 0x800  # of a row of trun, four bytes each


class _Run(NamedTuple):
    """The samples of one fragment: where their first size stands, the bytes of a row, and how many there are."""

    first: int
    step: int
    samples: int


def sample_count(reader: Reader) -> int:
    """How many samples a segment has. Raises MalformedFile, UnsupportedFormat as `with_samples` does."""
    boxes = bmff.boxes(reader, 0, reader.size)
    return sum(_run(reader, box, following).samples for box, following in zip(boxes, [*boxes[1:], None], strict=True)
               if box.kind == b"moof")


def with_samples(reader: Reader, samples: Iterator[bytes]) -> bytes:
    """A segment whose samples are the next of `samples`; times, flags and other boxes stay as they are.

    Raises MalformedFile; UnsupportedFormat where a fragment is not one run of one track with its sizes in it.
    """
    data = bytearray(reader.at(0, reader.size, "segment", _MAX_BYTES))
    boxes = bmff.boxes(reader, 0, reader.size)
    pieces: list[bytes] = []
    new: list[bytes] = []
    places, done = {}, 0  # where boxes began, and begin now
    for box, following in zip(boxes, [*boxes[1:], None], strict=True):
        places[box.start] = done
        if box.kind == b"moof":
            run = _run(reader, box, following)
            new = list(itertools.islice(samples, run.samples))
            if len(new) < run.samples:  # more than all segments in one file have: a box swallows others there
                raise _unwritten(reader)
            for number, sample in enumerate(new):
                struct.pack_into(">I", data, run.first + number * run.step, len(sample))
        is_filled = box.kind == b"mdat" and new
        pieces.append(bmff.encode(b"mdat", b"".join(new)) if is_filled else bytes(data[box.start:box.end]))
        new = [] if is_filled else new
        done += len(pieces[-1])
    places[reader.size] = done
    return b"".join(_indexed(reader, box, piece, places) if box.kind == b"sidx" else piece
                    for box, piece in zip(boxes, pieces, strict=True))


def _run(reader: Reader, moof: Box, following: Box | None) -> _Run:
    """The one run of samples in a fragment; `following` is the box behind it."""
    tracks = [box for box in bmff.children(reader, moof) if box.kind == b"traf"]
    inner = [box for track in tracks for box in bmff.children(reader, track)]
    heads, runs = ([box for box in inner if box.kind == kind] for kind in (b"tfhd", b"trun"))
    if len(heads) != 1 or len(runs) != 1 or following is None or following.kind != b"mdat":
        raise _unwritten(reader)
    track, = struct.unpack(">I", reader.at(heads[0].body, 4, "box tfhd"))
    flags, count = struct.unpack(">II", reader.at(runs[0].body, 8, "box trun"))
    step = sum(4 for flag in _FIELDS if flags & flag)
    rows = runs[0].body + 8 + 4 * bool(flags & _OFFSET) + 4 * bool(flags & _FIRST)
    if track & _BASE or not flags & _SIZE or not flags & _OFFSET:
        raise _unwritten(reader)
    if count > _MAX_SAMPLES or rows + count * step > runs[0].end:
        raise reader.truncated("box trun", rows, count * step, runs[0].end - rows)
    offset, = struct.unpack(">i", reader.at(runs[0].body + 8, 4, "box trun"))
    run = _Run(rows + 4 * bool(flags & _FIELDS[0]), step, count)
    sizes = [int.from_bytes(reader.at(run.first + number * step, 4, "box trun"), "big") for number in range(count)]
    if moof.start + offset != following.body or following.body - following.start != 8 \
            or sum(sizes) != following.end - following.body:
        raise _unwritten(reader)
    return run


def _unwritten(reader: Reader) -> UnsupportedFormat:
    return UnsupportedFormat("{where}: its fragments are laid out in a way that is not written", where=reader.name,
                             hint="repackage it with one track in each segment, and one run in each fragment")


def _indexed(reader: Reader, box: Box, data: bytes, places: dict[int, int]) -> bytes:
    """An index at the head of a segment, with the sizes of what follows; as it was where it counts otherwise."""
    first, _, rows = read_index(data, reader.name)
    at, sizes = box.end + first, []
    for size, _ in rows:
        if at not in places or at + size not in places:
            return data
        sizes.append(places[at + size] - places[at])
        at += size
    return changed_index(data, sizes) if not first else data


def read_index(data: bytes, where: str) -> tuple[int, int, list[tuple[int, int]]]:
    """What a box sidx tells: bytes from its end to the first segment, units a second, (bytes, units) of each segment.

    Raises MalformedFile, UnsupportedFormat for indexes of indexes.
    """
    reader = Reader.of(data, where)
    reader.seek(0)
    _, kind, version = reader.unpack(">I4sB3x", "box sidx")
    _, scale, _, first = reader.unpack(">IIQQ" if version else ">IIII", "box sidx")
    count, = reader.unpack(">2xH", "box sidx")
    rows = [row[:2] for row in struct.iter_unpack(">III", reader.take(12 * count, "box sidx"))]
    if kind != b"sidx" or not scale or reader.at(0, 4) != len(data).to_bytes(4, "big"):
        raise MalformedFile("{where}: there is no box sidx where the manifest says", where=where)
    if any(size >> 31 for size, _ in rows):
        raise UnsupportedFormat("{where}: an index of indexes is not read", where=where)
    return first, scale, rows


def changed_index(data: bytes, sizes: list[int]) -> bytes:
    """A box sidx with other sizes of its segments, which begin where it ends."""
    made, version = bytearray(data), data[8]
    at = 32 + (8 if version else 0)  # of the rows, behind two reserved bytes and their count
    first = (at - 12, 8) if version else (at - 8, 4)
    made[first[0]:first[0] + first[1]] = bytes(first[1])
    for number, size in enumerate(sizes):
        struct.pack_into(">I", made, at + 12 * number, size)
    return bytes(made)
