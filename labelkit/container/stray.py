# SPDX-License-Identifier: Apache-2.0
"""Label-like text outside every slot: where a format has no place for one, and some reader may find it all the same.

Readers differ in what they walk through: chunks of other formats, frames with odd names, objects of an older revision.
What only others find is not read here, but it is not passed over either.
"""

from __future__ import annotations

import bisect
import itertools

from labelkit.container.base import Layout, Reader
from labelkit.messages import Message

_WORDS = (b"ContentProducer", "ContentProducer".encode("utf-16-le")[:-1])  # the latter finds either byte order
_MOST = 1 << 20  # bytes from either end (0.7 ms each); what lies between in a larger file is media data


def find(reader: Reader, layout: Layout) -> list[tuple[str, int, Message]]:
    """The first such text, in the form of `Layout.skipped`; of documents in PDF and glTF: others show their text."""
    if layout.format.family == "document" and layout.format.name not in ("pdf", "gltf", "glb"):
        return []
    slots = sorted((slot.offset_bytes, slot.offset_bytes + slot.length_bytes) for slot in layout.slots)
    reach = [0, *itertools.accumulate((end for _, end in slots), max)]  # of the slots that start before
    for start, stop in _spans(reader.size):
        for at in _places(reader, start, stop):
            if reach[bisect.bisect_right(slots, (at, reader.size))] <= at:
                why = Message("it looks like a label, but stands where {format} has no place for one",
                              format=layout.format.name)
                return [("text", at, why)]
    return []


def _spans(size: int) -> list[tuple[int, int]]:
    return [(0, size)] if size <= 2 * _MOST else [(0, _MOST), (size - _MOST, size)]


def _places(reader: Reader, start: int, stop: int) -> list[int]:
    """Where the words stand, at most 1,000."""
    found: list[int] = []
    data = reader.at(start, stop - start)
    for word in _WORDS:
        at = data.find(word)
        while at >= 0 and len(found) < 1000:
            found.append(start + at)
            at = data.find(word, at + len(word))
    return sorted(found)
