# SPDX-License-Identifier: Apache-2.0
"""JPEG XL: every kind of picture is decoded as it was, and a bad one costs one error and little time and memory."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
from imagecodecs import jpegxl_encode

from labelkit import codec, isolation
from labelkit.codec import jxl
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat
from tests.media import photo

RGB = photo(96, 128)
RGBA = np.dstack([RGB, RGB[..., :1]])
LONG = b"".join([struct.pack(">I", 12), b"JXL \r\n\x87\n"])


@pytest.mark.parametrize("pixels", [RGB, RGBA, RGB[..., 0], RGB.astype(np.uint16) * 257, RGBA.astype(np.uint16),
                                    photo(7, 5), photo(1, 40), photo(300, 1)])
@pytest.mark.parametrize("boxes", [False, True])
def test_pictures_are_decoded_as_they_were(pixels, boxes):
    frame, = codec.decode(jpegxl_encode(pixels, usecontainer=boxes)).frames
    assert np.array_equal(frame, pixels) and frame.dtype == pixels.dtype


@pytest.mark.parametrize("frames", [np.stack([RGB, 255 - RGB]), np.stack([RGB[..., 0]] * 3), np.stack([RGBA, RGBA])])
def test_animations_are_decoded_frame_by_frame(frames):
    found = codec.decode(jpegxl_encode(frames)).frames
    assert len(found) == len(frames) and all(map(np.array_equal, found, frames))
    with pytest.raises(LimitExceeded, match=f"{len(frames)} frames of 128x96"):
        jxl.decode(jpegxl_encode(frames), "x", len(frames) * 96 * 128 - 1)


def test_grey_with_alpha_becomes_colour_with_alpha():
    frame, = codec.decode(jpegxl_encode(RGBA[..., 2:])).frames
    assert np.array_equal(frame, RGBA[..., [2, 2, 2, 3]])


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (256, 256), (264, 100), (40, 60), (90, 160), (513, 8), (9, 1000)])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_header_states_what_is_decoded(size, channels):
    pixels = np.zeros((*size, channels), np.uint8)
    assert jxl.header(jpegxl_encode(pixels), "x") == jxl.Header(size[1], size[0], channels, False)
    assert jxl.header(jpegxl_encode(np.stack([pixels] * 2)), "x").is_animated


def test_a_header_in_small_parts_is_read():
    bare = jpegxl_encode(RGB)
    parts = b"".join(struct.pack(">I", 13) + b"jxlp" + struct.pack(">I", index) + bare[index:index + 1]
                     for index in range(40))
    assert jxl.header(LONG + parts, "x") == jxl.header(bare, "x")


def test_a_picture_behind_more_boxes_than_a_file_has_is_not_looked_for(monkeypatch):
    monkeypatch.setattr(jxl, "MAX_UNITS", 9)
    bare, box = jpegxl_encode(RGB), struct.pack(">I", 8) + b"free"
    inside = struct.pack(">I", 8 + len(bare)) + b"jxlc" + bare
    assert jxl.header(LONG + 7 * box + inside, "x") == jxl.header(bare, "x")
    with pytest.raises(MalformedFile, match="no picture lies in its boxes"):
        jxl.header(LONG + 8 * box + inside, "x")


def bits(*fields: tuple[int, int]) -> bytes:
    """A codestream of (value, bits)."""
    number = sum(value << sum(count for _, count in fields[:index]) for index, (value, _) in enumerate(fields))
    return b"\xff\x0a" + number.to_bytes(300, "little")


LARGE = bits((0, 1), (3, 2), ((1 << 30) - 1, 30), (1, 3), (1, 1))  # 2 ** 30 pixels a side, all else as usual
MANY = bits((1, 1), (31, 5), (1, 3), (0, 1), (0, 1), (0, 1), (0, 2), (0, 1), (3, 2), (4095, 12))  # 256 x 256 of 4,099


@pytest.mark.parametrize("data", [LARGE, LONG + struct.pack(">I", 0) + b"jxlc" + LARGE, MANY])
def test_what_is_too_large_is_refused_before_a_process_is_started(data, monkeypatch):
    monkeypatch.setattr(jxl, "_DECODER", ["/no/such/program"])
    with pytest.raises(LimitExceeded, match="at most 16 megapixels"):
        jxl.decode(data, "x", 1 << 24)
    with pytest.raises(LimitExceeded, match="no process could be started"):
        jxl.decode(jpegxl_encode(RGB), "x", 1 << 24)


def test_a_picture_far_larger_than_its_bytes_is_refused_as_of_other_formats():
    flat = jpegxl_encode(np.zeros((2000, 2000, 3), np.uint8))
    with pytest.raises(LimitExceeded, match="2000x2000"):
        codec.decode(flat, max_pixels=5_000_000)
    assert len(codec.decode(flat, max_pixels=16_000_000).frames) == 1


@pytest.mark.parametrize(("data", "kind"), [
    (jpegxl_encode(RGB)[:-300], TruncatedFile), (jpegxl_encode(RGB)[:3], TruncatedFile), (LONG, MalformedFile),
    (LONG + struct.pack(">I", 4) + b"jxlc" + jpegxl_encode(RGB), MalformedFile),
    (jpegxl_encode((RGB / 255).astype(np.float32)), UnsupportedFormat),
    (jpegxl_encode(RGB)[:20] + bytes(500), LabelkitError)])
def test_what_cannot_be_decoded_is_an_error_of_the_file(data, kind):
    with pytest.raises(kind):
        jxl.decode(data, "x", 1 << 24)


@pytest.mark.parametrize("program", [
    "pass", "import os; os.abort()", "print('hello')", "print('[\"uint8\", [9, 9]]')", "print('[' * 900)",
    "print('[\"uint8\", [-1, 9]]')", "print('[\"object\", [1, 1, 1]]')", "print('7')",
    "print('[\"uint8\", [Infinity, 9]]')", "print('[\"uint8\", [' + '9' * 30 + ', 9]]')",
    "while True: print('x' * 999)"])
def test_a_decoder_that_ends_or_raves_is_one_error(program, monkeypatch):
    monkeypatch.setattr(jxl, "_DECODER", [sys.executable, "-c", program])
    with pytest.raises(LimitExceeded, match="came to an end"):
        jxl.decode(jpegxl_encode(RGB), "x", 1 << 24)


def test_a_decoder_that_does_not_answer_is_ended(monkeypatch):
    monkeypatch.setattr(jxl, "_DECODER", [sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(jxl, "_SECONDS", 0)
    with pytest.raises(LimitExceeded, match="too much time"):
        jxl.decode(jpegxl_encode(RGB), "x", 1 << 24)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits this kind of memory")
def test_memory_is_limited(monkeypatch):
    monkeypatch.setattr(jxl, "_MEMORY_A_SAMPLE", 0)
    data = jpegxl_encode(np.zeros((6000, 6000, 3), np.uint8), effort=1)
    with pytest.raises(LabelkitError, match="memory|JXL_DEC_ERROR"):  # libjxl says nothing else of it
        jxl.decode(data, "x", 1 << 26)
    assert len(jxl.decode(jpegxl_encode(RGB), "x", 1 << 26)) == 1


def test_it_works_within_a_process_with_limits_and_without_the_extra_is_said(monkeypatch):
    import labelkit as lk
    with isolation.Pool(1, isolation.Limits(seconds=600), layers=[lk.Layer.WATERMARK]) as pool:
        assert pool.verify(jpegxl_encode(RGB))[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnsupportedFormat, match="no samples that this installation can decode") as missing:
        jxl.decode(jpegxl_encode(RGB), "x", 1 << 24)
    assert "aigc-labelkit[jxl]" in str(missing.value.hint)
