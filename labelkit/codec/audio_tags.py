# SPDX-License-Identifier: Apache-2.0
"""Carries what a sound file holds besides sound from the source to its new encoding: tags, cover art, cue points.

A file whose tags cannot be read keeps none; the sound is what matters then.
"""

from __future__ import annotations

from labelkit.container import TEXT, Reader, Segment, Slot, flac, id3, mp3, mp4, ogg, riff, splice
from labelkit.container.vorbis import Comments
from labelkit.errors import LabelkitError

_ID3V1_BYTES = 128
_OF_THE_SOUND = (b"fmt ", b"data", b"fact", b"PEAK", b"ds64", b"JUNK", b"PAD ", b"FLLR")  # the encoder makes these
_GAPLESS = "iTunSMPB"  # iTunes' count of samples, which holds for the old encoding alone
_FLAC_KEPT = (2, 4, 5, 6)  # APPLICATION, VORBIS_COMMENT, CUESHEET, PICTURE (RFC 9639, 8.1)


def carried(source: bytes, encoded: bytes, format: str) -> bytes:
    """`encoded` with the tags of `source`; both are of the container `format`."""
    carry = {"wav": _wav, "flac": _flac, "mp3": _mp3, "ogg": _ogg, "opus": _ogg, "m4a": _m4a}.get(format)
    try:
        return carry(Reader.of(source), Reader.of(encoded)) if carry else encoded
    except LabelkitError:
        return encoded


def _join(reader: Reader, patches: list) -> bytes:
    return _edited(reader, splice(reader.size, patches))


def _edited(reader: Reader, edits: list[Segment]) -> bytes:
    data = bytes(reader.view)
    return b"".join(part if isinstance(part, bytes) else data[part[0] : part[1]] for part in edits)


def _wav(source: Reader, encoded: Reader) -> bytes:
    form, old = riff.read_form(encoded), riff.read_form(source)
    kept = b"".join(riff.chunk(part.kind, source.at(part.body, part.length)) for part in old.chunks
                    if part.kind not in _OF_THE_SOUND)
    end = form.chunks[-1].end
    patches = [(end, end, b"\0" * (end & 1) + kept)] if kept else []
    return _join(encoded, [*patches, *riff.size_patches(encoded, form, patches)])


def _blocks(reader: Reader) -> tuple[int, list[tuple[int, int, int]], int]:
    """Where STREAMINFO starts; (kind, start, stop) of each metadata block; where the frames start."""
    start = at = id3.end_of_tags(reader) + 4
    blocks = []
    for first, block, stop in flac._blocks(reader, start):
        blocks.append((first & 0x7F, block, stop))
        at = stop
    return start, blocks, at


def _flac(source: Reader, encoded: Reader) -> bytes:
    _, old, _ = _blocks(source)
    start, new, frames = _blocks(encoded)
    body = [(kind, source.at(block + 4, stop - block - 4)) for kind, block, stop in old if kind in _FLAC_KEPT]
    if not any(kind == 4 for kind, _ in body):
        body += [(kind, encoded.at(block + 4, stop - block - 4)) for kind, block, stop in new if kind == 4]
    parts = [(0, encoded.at(start + 4, 34)), *body]
    made = b"".join(bytes([kind | (0x80 if index == len(parts) - 1 else 0)]) + len(data).to_bytes(3, "big") + data
                    for index, (kind, data) in enumerate(parts))
    return _join(encoded, [(start, frames, made)])


def _mp3(source: Reader, encoded: Reader) -> bytes:
    mp3.scan(source, mp3.FORMATS[0])  # the tags must be whole
    head = source.at(0, id3.end_of_tags(source))
    data = bytes(encoded.view)[id3.end_of_tags(encoded):]
    tail = source.at(max(0, source.size - _ID3V1_BYTES), min(_ID3V1_BYTES, source.size))
    if data[-_ID3V1_BYTES:-_ID3V1_BYTES + 3] == b"TAG":
        data = data[:-_ID3V1_BYTES]
    return head + data + (tail if tail[:3] == b"TAG" else b"")


def _ogg(source: Reader, encoded: Reader) -> bytes:
    old = ogg.scan(source, ogg.sniff(source, source.head(64)))
    new = ogg.scan(encoded, ogg.sniff(encoded, encoded.head(64)))
    own, entries = new.state.comments, old.state.comments.entries
    new.state.comments = Comments(own.vendor, [*entries, b"LABELKIT="], [], own.tail)
    last = Slot(TEXT, "comment", 0, 0, lambda: b"", state=len(entries))
    return _join(encoded, ogg.patches(encoded, new, {last: None}, None))  # headers are made anew for a change only


def _m4a(source: Reader, encoded: Reader) -> bytes:
    carried = Reader.of(_edited(encoded, mp4.carried(source, encoded) or [(0, encoded.size)]))
    layout = mp4.scan(carried, mp4.sniff(carried, carried.head(64)))
    gapless = {slot: None for slot in layout.slots if slot.key == _GAPLESS}
    return _join(carried, mp4.patches(carried, layout, gapless, None)) if gapless else bytes(carried.view)
