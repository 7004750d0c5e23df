# SPDX-License-Identifier: Apache-2.0
"""Files that cost a decoder far more than their size: bounded before it is asked, and what can be read still is."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
import labelkit.codec.text
from labelkit import codec, container
from labelkit.errors import LimitExceeded
from tests import files, sounds
from tests.explicit import test_office as office, test_sheets as sheets
from tests.media import LABEL, photo, saved

SIGNAL = lk.Layer.EXPLICIT, lk.Layer.WATERMARK
PIXEL = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
COMMENT = b"!\xfe\x01a\x00"


def gif(*blocks: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + b"".join(blocks) + b";"


def commented(data: bytes, count: int) -> bytes:
    """A GIF with comments before its first block."""
    start = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:start] + COMMENT * count + data[start:]


def zeros(side: int) -> bytes:
    """A PNG of grey without anything in it."""
    rows = zlib.compress(bytes((side + 1) * side), 9)
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + files.chunk(b"IHDR", head) + files.chunk(b"IDAT", rows) + files.chunk(b"IEND", b"")


@pytest.mark.parametrize("count,is_read", [(200, True), (10_001, False)])
def test_frames_are_counted_first(count, is_read):
    data = gif(PIXEL * count)
    if is_read:
        assert len(codec.decode(data).frames) == count
    else:
        with pytest.raises(LimitExceeded, match="10000 frames"):
            codec.decode(data)


@pytest.mark.parametrize("count", [3, 1000, 1001, 9000])
def test_comments_without_end_hide_no_mark(count):
    marked = saved(Image.fromarray(lk.embed(photo(), label=LABEL)).quantize(256), "GIF")
    data = commented(marked, count)
    assert np.array_equal(codec.decode(data).frames[0], codec.decode(marked).frames[0])
    assert lk.verify(data)[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    if count > 1000:
        with pytest.raises(LimitExceeded, match="comments"):
            lk.embed(data, label=LABEL)
    else:
        assert container.scan(lk.embed(data, label=LABEL)).slots
    assert lk.verify(lk.embed(data, label=LABEL, plan=lk.Plan(explicit=None, watermark=None))).verdict \
        is lk.Verdict.CONFIRMED


def test_more_comments_than_are_looked_at_leave_the_metadata_unchecked():
    report = lk.verify(gif(COMMENT * 20_000, PIXEL))
    assert report[lk.Layer.METADATA].status is lk.Status.UNCHECKED
    assert [report[layer].status for layer in SIGNAL] == [lk.Status.ABSENT] * 2


@pytest.mark.parametrize("cut", [1, 2, 9, 10, 12])
def test_a_gif_that_ends_within_a_block_gives_an_error_of_our_own(cut):
    data = gif(b"!\xf9\x04\0\0\0\0\0", PIXEL)
    for whole in (data[:-cut], data[:13 + 6 + cut], data[:13 + 6 + 8 + cut]):
        with pytest.raises(lk.LabelkitError):
            container.scan(whole)


def test_a_large_picture_of_few_bytes_is_left_to_who_asks_for_it():
    data = zeros(2000)
    assert codec.decode(data).frames[0].shape == (2000, 2000)
    with pytest.raises(LimitExceeded, match="2000x2000 in"):
        codec.decode(data, max_pixels=2000 * 2000)
    report = lk.verify(data, max_pixels=2000 * 2000)
    assert [report[layer].status for layer in SIGNAL] == [lk.Status.UNCHECKED] * 2
    noisy = saved(np.random.default_rng(1).integers(0, 255, (2000, 2000), dtype=np.uint8), "PNG")
    assert codec.decode(noisy, max_pixels=2000 * 2000).frames[0].shape == (2000, 2000)


def test_tags_of_sound_are_not_handed_to_the_decoder(capfd):
    frames = b"".join(b"COMM" + struct.pack(">IH", 2, 0) + b"\0a" for _ in range(500))
    size = bytes([len(frames) >> 21 & 127, len(frames) >> 14 & 127, len(frames) >> 7 & 127, len(frames) & 127])
    sound = lk.embed(sounds.music(12), label=LABEL, rate=44_100, format="mp3",
                     plan=lk.Plan(explicit=None, metadata=False))
    data = b"ID3\3\0\0" + size + frames + sound[sound.index(b"\xff\xfb"):]
    report = lk.verify(data)
    assert report[lk.Layer.WATERMARK].status is lk.Status.VALID
    assert capfd.readouterr().err == ""
    assert codec.decode(data).samples.shape == codec.decode(sound).samples.shape


def test_a_frame_at_the_edge_of_what_is_read_ahead_is_whole():
    for padding in range(16_360, 16_390):
        frames = b"PRIV" + struct.pack(">IH", padding, 0) + bytes(padding) + b"TXXX" + struct.pack(">IH", 8, 0) \
            + b"\0AIGC\0{}"
        size = len(frames)
        tag = b"ID3\3\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frames
        found = container.slots(io.BytesIO(tag + files.sound("MP3")))
        assert [slot.key for slot in found if slot.kind == container.TEXT] == ["AIGC"]


@pytest.mark.parametrize("made", [
    lambda inside: office.odt("<text:p>x" + inside('<text:s text:c="{}"/>') + "</text:p>"),
    lambda inside: office.docx("x" + inside('</w:t></w:r><w:r w:rsidR="{}"/><w:r><w:t>')),
    lambda inside: sheets.xlsx(sheets.sheet([], inside('<row r="1" ht="{}"/>')))], ids=["odt", "docx", "xlsx"])
def test_xml_that_unpacks_more_than_a_hundred_times_is_not_read(made):
    """A few kB of one element again and again took seconds; as many that differ are read."""
    bomb = made(lambda element: element.format(1) * 60_000)
    found = lk.verify(bomb)[lk.Layer.EXPLICIT]
    assert len(bomb) < 20_000 and found.status is lk.Status.UNCHECKED and "unpacks to more" in str(found.summary)
    draw = np.random.default_rng(1)
    real = made(lambda element: "".join(element.format(one) for one in draw.integers(1, 1 << 20, 30_000)))
    assert lk.verify(real)[lk.Layer.EXPLICIT].status is lk.Status.ABSENT


def test_a_page_of_tags_beyond_the_bound_is_not_read_and_one_within_is():
    label = "<!doctype html><body><p>AI生成</p>"
    assert lk.verify((label + "<p>" * 9000).encode())[lk.Layer.EXPLICIT].status is lk.Status.VALID
    assert lk.verify((label + "<p>" * 500_001).encode())[lk.Layer.EXPLICIT].status is lk.Status.UNCHECKED


def test_a_document_without_its_main_part_is_refused():
    """The fuzzer of texts: a map whose old sheets are named in the directory of another format."""
    for format in ("xmind", "docx", "odt", "epub", "pptx", "xlsx", "ofd"):
        with pytest.raises(lk.LabelkitError):
            codec.text.decode(office.packed({"a.xml": "<a/>"}), format, "x")
