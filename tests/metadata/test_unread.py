# SPDX-License-Identifier: Apache-2.0
"""What was not read is not said to be absent."""

from __future__ import annotations

import json
import zlib

import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.compliance import Outcome, check
from labelkit.container import base
from labelkit.report import Layer, Status
from tests.files import LABEL, chunk, decoys_before_a_label, exif, picture, png_with, riff_with

WRAPPED = LABEL.to_json(wrapped=True).encode()


def text(key: bytes, body: bytes) -> bytes:
    return chunk(b"tEXt", key + b"\0" + body)


def packed(key: bytes, body: bytes) -> bytes:
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(body))


@pytest.mark.parametrize("file", [
    pytest.param(lambda: riff_with(picture("WEBP"), (b"XMP ", bytes(base.MAX_BODY + 2))), id="XMP over 16 MB"),
    pytest.param(decoys_before_a_label, id="label behind decoys"),
    pytest.param(lambda: png_with(packed(b"note", b" " * (base.MAX_BODY + 1))), id="text that unpacks to over 16 MB"),
    pytest.param(lambda: png_with(text(b"note", WRAPPED[:-1] + b" " * (1 << 20) + b"}")), id="label of over 1 MB"),
    pytest.param(lambda: riff_with(picture("WEBP"), (b"EXIF", exif(comment=bytes((1 << 20) + 9)))), id="EXIF text"),
])
def test_what_could_hold_a_label_and_was_not_read_is_unchecked(file):
    found = metadata.read(file())
    assert found.status is Status.UNCHECKED
    assert found.evidence.unread and not found.evidence.carriers
    assert "could not be read" in str(found.summary) and "未能读取" in found.summary.text("zh-CN")
    report = lk.verify(file(), layers=[Layer.METADATA])
    assert report.shortcomings(Layer.METADATA) == ["metadata unchecked"]
    assert {rule.outcome for rule in check(report) if rule.rule == "metadata-label"} == {Outcome.CANNOT_TELL}


def test_what_is_broken_holds_no_label_and_is_named():
    found = metadata.read(png_with(chunk(b"zTXt", b"note\0\0no zlib stream")))
    assert found.status is Status.ABSENT
    assert [one.slot for one in found.evidence.unread] == ["zTXt note"] and "zTXt note at byte" in str(found.summary)


def test_a_file_that_was_read_wholly_has_no_label():
    found = metadata.read(png_with(packed(b"note", b" " * 100), text(b"note", b" AIGC " * (1 << 20))))
    assert str(found.summary) == "no AIGC label in the metadata"
    assert (found.status, found.evidence.unread) == (Status.ABSENT, ())


def test_too_many_places_are_not_none():
    found = lk.verify(png_with(*[text(b"x", b"y")] * 10_001), layers=[Layer.METADATA, Layer.PROVENANCE])
    assert found[Layer.METADATA].status is Status.UNCHECKED


def test_a_label_in_its_own_place_is_read_before_what_uses_up_the_bounds():
    decoys = decoys_before_a_label()
    found = metadata.read(metadata.write(picture("PNG"), LABEL)[:-12] + decoys[33:])
    assert (found.status, found.label) == (Status.VALID, LABEL)
    assert found.evidence.unread and "other places could not be read" in str(found.summary)
    report = lk.verify(metadata.write(picture("PNG"), LABEL)[:-12] + decoys[33:], layers=[Layer.METADATA])
    assert {rule.outcome for rule in check(report) if rule.rule == "metadata-unique"} == {Outcome.CANNOT_TELL}


@pytest.mark.parametrize("size", [300 << 10, 900 << 10])
def test_a_label_in_a_long_text_is_read(size):
    long = json.dumps({"workflow": "x" * size, "AIGC": LABEL.fields()}).encode()
    found = metadata.read(png_with(text(b"note", long)))
    assert (found.status, found.label) == (Status.VALID, LABEL)
