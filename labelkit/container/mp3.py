# SPDX-License-Identifier: Apache-2.0
"""MP3 and AAC: ID3v2 tags before frames of MPEG audio (ISO/IEC 11172-3, 2.4.2.3) or of ADTS (ISO/IEC 13818-7, 6.2).

The label is TXXX AIGC (TC260-PG-202510A). The guide does not name AAC, whose streams have no other place for a text.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelkit.container import id3
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader

FORMATS = (Format("mp3", "audio/mpeg", "audio", TEXT), Format("aac", "audio/aac", "audio", TEXT))

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # MPEG 1, 2, 2.5
_BITRATES = {  # kbit/s by (MPEG 1?, layer bits): layer III is 1, II is 2
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclass(frozen=True, slots=True)
class FrameHead:
    """A frame of MPEG audio: its length in bytes, Hz, channels, bits a second, and whether it is MP3."""

    length: int
    rate: int
    channels: int
    bitrate: int
    is_layer_3: bool


def sniff(reader: Reader, head: bytes) -> Format | None:
    """Two frames of MPEG audio or of ADTS in a row, behind ID3 tags or at the start."""
    if head[:3] == b"ID3":
        start = id3.end_of_tags(reader)
        if reader.size - start >= 4 and reader.at(start, 4) in (b"fLaC", b"OggS", b"RIFF"):
            return None
        if _adts_at(reader, start):
            return FORMATS[1]
        return FORMATS[0] if _frame_near(reader, start) else None
    if head[:1] != b"\xff":
        return None
    return FORMATS[0] if _frame_at(reader, 0) else FORMATS[1] if _adts_at(reader, 0) else None


def _adts_at(reader: Reader, start: int) -> bool:
    """Whether a frame of ADTS starts there, and another or the end of the file behind it."""
    for _ in range(2):
        if start == reader.size:
            return True
        head = reader.at(start, min(7, reader.size - start))
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if len(head) == 7 else 0
        if length < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
            return False
        start += length
    return True


def _frame_near(reader: Reader, start: int) -> bool:
    """Whether a frame starts within 4 kB; some writers leave zeros behind the tag."""
    window = reader.at(start, min(4096, reader.size - start))
    at = window.find(b"\xff")
    while at >= 0:
        if _frame_at(reader, start + at):
            return True
        at = window.find(b"\xff", at + 1)
    return False


def _frame_at(reader: Reader, start: int) -> bool:
    length = _frame_length(reader, start)
    if length is None:
        return False
    return start + length + 4 > reader.size or _frame_length(reader, start + length) is not None


def _frame_length(reader: Reader, start: int) -> int | None:
    head = frame_head(reader.at(start, 4)) if reader.size - start >= 4 else None
    return head.length if head else None


def frame_head(head: bytes) -> FrameHead | None:
    """What the four bytes before a frame tell, None for what is none of layers II and III."""
    version, layer, rate, sampling = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if head[0] != 0xFF or head[1] < 0xE0 or version == 1 or layer not in (1, 2) or rate in (0, 15) or sampling == 3:
        return None
    kilobits = _BITRATES[version == 3, layer][rate]
    samples, hertz = 576 if layer == 1 and version != 3 else 1152, _RATES[version][sampling]
    length = samples * 125 * kilobits // hertz + (head[2] >> 1 & 1)
    return FrameHead(length, hertz, 1 if head[3] >> 6 == 3 else 2, 1000 * kilobits, is_layer_3=layer == 1)


def scan(reader: Reader, found: Format) -> Layout[list[id3.Tag], id3.TagFrame]:
    """The frames of every tag in front; `state` is the tags."""
    tags = id3.tags(reader)
    return Layout(found, id3.slots(tags, home=True), tags)


def patches(reader: Reader, layout: Layout[list[id3.Tag], id3.TagFrame], changes: Changes[id3.TagFrame],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies; a file without a tag gets one in front."""
    if not layout.state:
        return [] if fresh is None else [(0, 0, id3.new_tag(fresh))]
    done: list[Patch] = []
    for tag in layout.state:
        part = [(slot.state.frame, body) for slot, body in changes.items() if slot.state.tag.start == tag.start]
        text, fresh = fresh, None
        if part or text is not None:
            done += id3.tag_patches(tag, part, text)
    return done
