# SPDX-License-Identifier: Apache-2.0
"""Copies what a sound file holds besides sound from the source to its new encoding: tags, cover art, cue points.

A file whose tags cannot be read keeps none; the sound is what matters then.
"""

from __future__ import annotations

import struct

from labelkit.codec import chapters
from labelkit.codec.chapters import Shift
from labelkit.codec.samples import Audio
from labelkit.container import (
    TEXT,
    Reader,
    Segment,
    Slot,
    aiff,
    caf,
    flac,
    id3,
    join,
    mp3,
    mp4,
    ogg,
    riff,
    sniff,
    vorbis,
)
from labelkit.container.base import splice
from labelkit.container.vorbis import Comments
from labelkit.errors import LabelkitError

_ID3V1_BYTES = 128
_OF_THE_SOUND = (b"fmt ", b"data", b"fact", b"PEAK", b"ds64", b"JUNK", b"PAD ", b"FLLR")  # the encoder makes these
_OF_AIFF = (b"COMM", b"SSND", b"FVER", b"PEAK")  # and these
_OF_CAF = (b"desc", b"data", b"kuki", b"pakt", b"free", b"peak", b"ovvw")  # and these
_GAPLESS = "iTunSMPB"  # iTunes' count of samples, which holds for the old encoding alone
_FLAC_KEPT = (2, 4, 5, 6)  # APPLICATION, VORBIS_COMMENT, CUESHEET, PICTURE (RFC 9639, 8.1)


def edits(source: Reader, encoded: Reader, format: str, sound: Audio) -> list[Segment]:
    """The edit list that gives `encoded` the tags of `source`, chapters and cue points at their new places.

    format  of both
    sound   what was encoded
    """
    copy = {"wav": _wav, "flac": _flac, "mp3": _mp3, "ogg": _ogg, "opus": _ogg, "m4a": _m4a,
            "aac": _mp3, "aiff": _aiff, "caf": _caf}.get(format)
    plain: list[Segment] = [(0, encoded.size)]
    try:
        return copy(source, encoded, sound) if copy else plain
    except LabelkitError:
        return plain


def _wav(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    new, old = riff.read_riff(encoded), riff.read_riff(source)
    start, end = _data_start(new), new.chunks[-1].end
    sides: dict[bool, list[bytes]] = {True: [], False: []}
    for part in old.chunks:
        if part.kind not in _OF_THE_SOUND:
            # libsndfile finds the sound of an RF64 file only where no chunk of others stands before it
            is_before = not new.wide and (part.kind == b"AIGC" or part.start < _data_start(old))
            body = source.at(part.body, part.length)
            body = chapters.in_cue(body, sound.rate, Shift(sound.inserted)) if part.kind == b"cue " else body
            sides[is_before].append(riff.chunk(part.kind, body))
    before, behind = (b"".join(sides[side]) for side in (True, False))
    patches = [(start, start, before)] if before else []
    patches += [(end, end, b"\0" * (end & 1) + behind)] if behind else []
    return splice(encoded.size, [*patches, *riff.size_patches(encoded, new, patches)])


def _aiff(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    made = aiff.chunks(encoded)
    kept = b""
    for part in aiff.chunks(source):
        if part.kind not in _OF_AIFF:
            body = source.at(part.body, part.stop - part.body)
            body = chapters.in_marks(body, sound.rate, Shift(sound.inserted)) if part.kind == b"MARK" else body
            kept += part.kind + struct.pack(">I", len(body)) + body + bytes(len(body) & 1)
    end = made[-1].end
    lacking = bytes((made[-1].stop - made[-1].body & 1) - (end - made[-1].stop))
    size = struct.pack(">I", end - 8 + len(lacking) + len(kept))
    return splice(encoded.size, [(4, 8, size), (end, encoded.size, lacking + kept)] if kept else [])


def _caf(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    made = caf.chunks(encoded)
    own, kept = {part.kind for part in made}, b""
    for part in caf.chunks(source):
        if part.kind not in _OF_CAF and part.kind not in own:
            body = source.at(part.body, part.stop - part.body)
            body = chapters.in_caf(part.kind, body, sound.rate, Shift(sound.inserted))
            kept += caf.chunk(part.kind, body)
    at = caf.sound_at(made, encoded.size)
    return splice(encoded.size, [(at, at, kept)] if kept else [])


def _data_start(file: riff.RiffFile) -> int:
    """Where the chunk of the sound starts."""
    return next((part.start for part in file.chunks if part.kind == b"data"), file.chunks[-1].end)


def _blocks(reader: Reader) -> tuple[int, list[tuple[int, int, int]], int]:
    """Where STREAMINFO starts; (kind, start, stop) of each metadata block; where the frames start."""
    start = at = id3.end_of_tags(reader) + 4
    blocks = []
    for first, block, stop in flac.blocks(reader, start):
        blocks.append((first & 0x7F, block, stop))
        at = stop
    return start, blocks, at


def _flac(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    _, old, _ = _blocks(source)
    start, new, frames = _blocks(encoded)
    body = [(kind, source.at(block + 4, stop - block - 4)) for kind, block, stop in old if kind in _FLAC_KEPT]
    if not any(kind == 4 for kind, _ in body):
        body += [(kind, encoded.at(block + 4, stop - block - 4)) for kind, block, stop in new if kind == 4]
    parts = [(0, encoded.at(start + 4, 34)), *((kind, _moved(source, kind, data, sound)) for kind, data in body)]
    made = b"".join(bytes([kind | (0x80 if index == len(parts) - 1 else 0)]) + len(data).to_bytes(3, "big") + data
                    for index, (kind, data) in enumerate(parts))
    return splice(encoded.size, [(start, frames, made)])


def _moved(source: Reader, kind: int, data: bytes, sound: Audio) -> bytes:
    """A metadata block of FLAC with what it says of times moved."""
    if kind == 4 and sound.inserted:
        found = vorbis.parse(source, data, 0)
        entries = chapters.in_comments(found.entries, Shift(sound.inserted))
        return vorbis.build(Comments(found.vendor, entries, [], found.tail), {}, None)
    if kind == 5 and sound.inserted:
        return chapters.in_cuesheet(data, sound.rate, Shift(sound.inserted), sound.frames)
    return data


def _mp3(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    mp3.scan(source, mp3.FORMATS[0])  # the tags must be whole
    head = source.at(0, id3.end_of_tags(source))
    head = chapters.in_id3(source, head, Shift(sound.inserted)) if sound.inserted else head
    start, end = id3.end_of_tags(encoded), encoded.size
    tail = source.at(max(0, source.size - _ID3V1_BYTES), min(_ID3V1_BYTES, source.size))
    if end - start >= _ID3V1_BYTES and encoded.at(end - _ID3V1_BYTES, 3) == b"TAG":
        end -= _ID3V1_BYTES
    return [head, (start, end), tail if tail[:3] == b"TAG" else b""]


def _ogg(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    old, new = ogg.scan(source, sniff(source)), ogg.scan(encoded, sniff(encoded))
    own = new.state.comments
    entries = chapters.in_comments(old.state.comments.entries, Shift(sound.inserted))
    new.state.comments = Comments(own.vendor, [*entries, b"LABELKIT="], [], own.tail)
    last = Slot(TEXT, "comment", 0, 0, lambda: b"", len(entries))
    # headers are made anew for a change only
    return splice(encoded.size, ogg.patches(encoded, new, {last: None}, None))


def _m4a(source: Reader, encoded: Reader, sound: Audio) -> list[Segment]:
    tagged = Reader.of(join(encoded, mp4.completed(source, encoded) or [(0, encoded.size)]))
    tagged = Reader.of(chapters.in_m4a(tagged, Shift(sound.inserted))) if sound.inserted else tagged
    layout = mp4.scan(tagged, sniff(tagged))
    gapless = {slot: None for slot in layout.slots if slot.key == _GAPLESS}
    if not gapless:
        return [tagged.whole()]
    return [join(tagged, splice(tagged.size, mp4.patches(tagged, layout, gapless, None)))]
