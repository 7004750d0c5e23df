# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import struct

import pytest
from PIL import Image, features

from labelkit.container import Reader
from labelkit.errors import LabelkitError, SigningFailed
from labelkit.provenance import heif, sign

pytestmark = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def with_empty_base_offsets(data: bytes) -> bytes:
    """The AVIF with a base offset of 4 bytes, 0, for each item, and absolute extents: legal, as exiftool writes it."""
    place = data.index(b"iloc") - 4
    size, = struct.unpack(">I", data[place:place + 4])
    version, offset_length, base_index, count = struct.unpack(">B3xBBH", data[place + 8:place + 16])
    assert (version, offset_length, base_index) == (0, 0x44, 0), "Pillow writes another iloc now"
    growth = 4 * count
    items, position = b"", place + 16
    for _ in range(count):
        item, reference, extents = struct.unpack(">HHH", data[position:position + 6])
        items += struct.pack(">HHIH", item, reference, 0, extents)
        position += 6
        for _ in range(extents):
            offset, length = struct.unpack(">II", data[position:position + 8])
            items += struct.pack(">II", offset + growth, length)
            position += 8
    iloc = struct.pack(">I4sB3xBBH", size + growth, b"iloc", 0, 0x44, 0x40, count) + items
    meta = data.index(b"meta") - 4
    meta_size, = struct.unpack(">I", data[meta:meta + 4])
    return (data[:meta] + struct.pack(">I", meta_size + growth) + data[meta + 4:place] + iloc
            + data[place + size:])


def test_rewritten_picture_is_legal(picture):
    Image.open(io.BytesIO(with_empty_base_offsets(picture("AVIF")))).load()


def test_picture_whose_items_would_be_lost_is_refused(picture, claim, signer):
    with pytest.raises(SigningFailed, match="item 1"):
        sign(with_empty_base_offsets(picture("AVIF")), claim, signer)


def test_picture_with_plain_offsets_is_signed_and_decodes(picture, claim, signer):
    signed = sign(picture("AVIF"), claim, signer)
    assert Image.open(io.BytesIO(signed)).tobytes() == Image.open(io.BytesIO(picture("AVIF"))).tobytes()


def test_broken_boxes_raise_only_our_errors(picture):
    data = picture("AVIF")
    for place in range(0, data.index(b"mdat"), 3):
        broken = data[:place] + b"\xff\xff\xff\xff" + data[place + 4:]
        try:
            heif.check_items(Reader.of(broken), "image/avif", io.BytesIO(broken))
        except LabelkitError:
            pass
