# SPDX-License-Identifier: Apache-2.0
"""WAV and RF64: the label is a chunk of its own, called AIGC (TC260-PG-202510A).

In a file that has just been encoded it stands before the sound, where streams and readers of the head see it. In any
other it stands behind the sound, which then keeps its place and, where the file system can, its blocks.
"""

from __future__ import annotations

from labelkit.container import id3, wavtexts
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot, unit_patches
from labelkit.container.riff import (
    Chunk,
    RiffFile,
    chunk,
    info_patches,
    info_slots,
    is_list,
    own_slot,
    read_riff,
    size_patches,
)

FORMATS = (Format("wav", "audio/wav", "audio", TEXT),)

# a chunk at the top by its name, one in LIST INFO, a frame of a tag, a text inside a chunk
_Place = bytes | Chunk | id3.TagFrame | wavtexts.Span
_ID3 = (b"id3 ", b"ID3 ")


def sniff(reader: Reader, head: bytes) -> Format | None:
    """WAV, where the first bytes say so."""
    return FORMATS[0] if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE" else None


def scan(reader: Reader, found: Format) -> Layout[RiffFile, _Place]:
    """The AIGC, XMP and C2PA chunks, the frames of an ID3 chunk, texts elsewhere; `state` is the RIFF file."""
    riff = read_riff(reader)
    layout: Layout[RiffFile, _Place] = Layout(found, [], riff, riff.chunks[-1].end if riff.chunks else 12)
    for part in riff.chunks:
        slot = own_slot(reader, part)
        if slot:
            layout.slots.append(slot)
        elif is_list(reader, part, b"INFO"):
            layout.slots += info_slots(reader, part, home=False)
        elif part.kind in _ID3:
            layout.slots += id3.slots(id3.tags(reader, part.body, part.body + part.length), home=False)
        else:
            wavtexts.add(reader, layout, part)
        if part.kind == b"data" and (riff.open or reader.is_new and not riff.wide):  # libsndfile reads RF64 in order
            layout.insert_at = part.start  # behind an open one there is no telling sound from chunks
    layout.slots += [slot for part in riff.beyond
                     if part.kind != b"C2PA" and (slot := own_slot(reader, part, home=False))]
    return layout


def patches(reader: Reader, layout: Layout[RiffFile, _Place], changes: Changes[_Place],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with every size above them set to match."""
    at_end = bool(layout.state.chunks) and layout.insert_at == layout.state.chunks[-1].end
    padding = b"\0" * (layout.insert_at & 1) if at_end else b""  # the last chunk lacks its own

    def encode(slot: Slot[_Place] | None, body: bytes) -> bytes:
        return chunk(slot.state, body) if slot and isinstance(slot.state, bytes) else padding + chunk(b"AIGC", body)
    top = {slot: body for slot, body in changes.items() if isinstance(slot.state, bytes)}
    done = unit_patches(layout, top, fresh, encode)
    done += info_patches(slot for slot in changes if isinstance(slot.state, Chunk))
    done += wavtexts.patches(slot for slot in changes if isinstance(slot.state, wavtexts.Span))
    done += id3.chunk_patches((slot.state, body) for slot, body in changes.items()
                              if isinstance(slot.state, id3.TagFrame))
    return done + size_patches(reader, layout.state, done)
