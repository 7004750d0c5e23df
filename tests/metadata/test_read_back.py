# SPDX-License-Identifier: Apache-2.0
"""The label that was written is read back: without a parser where the packet is ours byte for byte, else with it."""

from __future__ import annotations

import pytest

from labelkit import metadata
from labelkit.errors import OutputFailed
from labelkit.label import Kind, Label
from labelkit.metadata import xmp
from tests.media import LABEL, photo, saved

ALLOWED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')
JPEG = saved(photo(), "JPEG")


@pytest.mark.parametrize("start", range(0, len(ALLOWED), 8))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_every_character_that_a_label_may_hold_is_read_as_it_was_written(start, format):
    characters = ALLOWED[start:start + 8]
    label = Label(Kind.GENERATED, characters + "&lt;", "x" + characters, "]]>" + ALLOWED[:start])
    assert metadata.read(metadata.write(saved(photo(), format), label)).label == label


def test_our_own_packet_is_not_parsed_and_others_are(monkeypatch):
    parsed = []
    original = xmp.everywhere
    monkeypatch.setattr(xmp, "everywhere", lambda packet: parsed.append(packet) or original(packet))
    metadata.write(JPEG, LABEL)
    assert not parsed
    quoted = Label(Kind.GENERATED, "acme", "17", '"quoted"')
    assert metadata.read(metadata.write(JPEG, quoted)).label == quoted and len(parsed) == 2


def test_a_packet_that_says_something_else_is_refused(monkeypatch):
    packets = iter([xmp.fresh(Label(Kind.GENERATED, "acme", "18").to_json())])
    monkeypatch.setattr(xmp, "fresh", lambda value, original=xmp.fresh: next(packets, None) or original(value))
    with pytest.raises(OutputFailed, match="reads back otherwise"):
        metadata.write(JPEG, Label(Kind.GENERATED, "acme", "17"))
