# SPDX-License-Identifier: Apache-2.0
"""A Reader remembers what was found in it, and spares the search where an encoder has just made the file."""

from __future__ import annotations

import pytest

from labelkit import container, metadata
from labelkit.container import Reader
from labelkit.metadata import xmp
from tests.media import LABEL, photo, saved

PACKET = xmp.fresh(LABEL.to_json())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_slots_of_a_reader_are_looked_for_once(format, monkeypatch):
    labelled = metadata.write(saved(photo(), format), LABEL)
    reader = Reader.of(labelled)
    first = container.scan(reader)
    assert first.slots and container.scan(reader) is first
    assert container.scan(labelled) is not first, "other readers look for themselves"


def test_a_file_just_made_is_labelled_as_one_that_was_searched():
    for options in ({}, {"icc_profile": b"x" * 500}, {"subsampling": 0, "quality": 40}):
        plain = saved(photo(), "JPEG", **options)
        made = Reader.of(plain)
        container.assume_made(made)
        assert made.layout is not None and not made.layout.slots
        assert metadata.write(made, LABEL) == metadata.write(plain, LABEL)


def test_only_what_begins_as_our_encoder_begins_is_spared():
    exif = saved(photo(), "JPEG")
    without_jfif = exif[:2] + exif[20:]
    for other in (without_jfif, exif[:10], saved(photo(), "PNG")):
        reader = Reader.of(other)
        container.assume_made(reader)
        assert reader.layout is None


def test_segments_that_are_not_plain_are_still_found():
    """Fill bytes, stray bytes and markers without a length stand between segments, and a label behind them."""
    plain = saved(photo(64, 64), "JPEG")
    body = b"http://ns.adobe.com/xap/1.0/\0" + PACKET
    label = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    for between in (b"", b"\xff\xff\xff", b"\0\0stray", b"\xff\x01", b"\xff\xd0"):
        assert metadata.read(plain[:20] + between + label + plain[20:]).label == LABEL
    assert metadata.read(plain).label is None
