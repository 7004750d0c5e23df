# SPDX-License-Identifier: Apache-2.0
"""WAV and RF64: the label is a chunk of its own, called AIGC (TC260-PG-202510A)."""

from __future__ import annotations

from labelkit.container import id3
from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, unit_patches
from labelkit.container.riff import chunk, info_slots, is_list, own_slot, read_form, size_patches

FORMATS = (Format("wav", "audio/wav", "audio", TEXT),)

_ID3 = (b"id3 ", b"ID3 ")


def sniff(reader: Reader, head: bytes) -> Format | None:
    """WAV, where the first bytes say so."""
    return FORMATS[0] if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE" else None


def scan(reader: Reader, found: Format) -> Layout:
    """The AIGC, XMP and C2PA chunks, the texts of LIST INFO, the frames of an ID3 chunk; `state` is the RIFF form."""
    form = read_form(reader)
    layout = Layout(found, [], form.chunks[-1].end if form.chunks else 12, form)
    for part in form.chunks:
        slot = own_slot(reader, part)
        if slot:
            layout.slots.append(slot)
        elif is_list(reader, part, b"INFO"):
            layout.slots += info_slots(reader, part, home=False)
        elif part.kind in _ID3:
            layout.slots += id3.slots(id3.tags(reader, part.body, part.body + part.length), home=False)
        elif part.kind == b"data" and form.open:
            layout.insert_at = part.start  # behind it there is no telling sound from chunks
    return layout


def patches(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None) -> list[Patch]:
    """The patches for new bodies, with every size above them set to match."""
    padding = b"\0" * (layout.insert_at & 1)  # the last chunk lacks its own
    top = {slot: body for slot, body in changes.items() if isinstance(slot.state, bytes)}
    done = unit_patches(layout, top, fresh, lambda slot, body: chunk(slot.state, body) if slot
                        else padding + chunk(b"AIGC", body))
    inner = {slot: body for slot, body in changes.items() if slot not in top}
    done += info_patches({slot: body for slot, body in inner.items() if slot.name == "INFO"})
    done += id3.chunk_patches({slot: body for slot, body in inner.items() if slot.name != "INFO"})
    return done + size_patches(reader, layout.state, done)


def info_patches(changes: Changes) -> list[Patch]:
    """Texts of LIST INFO chunks overwritten in place by a JUNK chunk of the same length, so that nothing moves."""
    blanks = []
    for slot in changes:
        length = slot.length_bytes - 8
        stop = slot.offset_bytes + slot.length_bytes
        blanks.append((slot.offset_bytes, stop, b"JUNK" + length.to_bytes(4, "little") + bytes(length)))
    return blanks
