# SPDX-License-Identifier: Apache-2.0
"""JPEG without a Pillow image: the files that Pillow writes, the pixels that it reads; the rest is left to Pillow."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from labelkit import codec, kernels
from labelkit.codec import jpeg
from labelkit.errors import LabelkitError
from tests.backends import using
from tests.media import photo

FAST = [name for name in kernels.backends() if name not in ("numpy", "scalar")]
SIZES = [(1, 1), (8, 8), (17, 15), (9, 257), (31, 256), (100, 519), (2, 3), (24, 272), (300, 530)]


@pytest.fixture(params=FAST)
def fast(request: pytest.FixtureRequest):
    with using(request.param):
        yield request.param


def by_pillow(pixels: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **options)
    return out.getvalue()


def pictures(height: int, width: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(height)
    return {"photo": np.ascontiguousarray(photo(300, 530)[:height, :width]),
            "noise": random.integers(0, 256, (height, width, 3), dtype=np.uint8),
            "black and white": random.choice(np.array([0, 255], np.uint8), (height, width, 3)),
            "grey": np.ascontiguousarray(photo(300, 530)[:height, :width, 0])}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [1, 75, 92, 100])
def test_the_bytes_are_those_of_pillow(fast, size, quality, subsampling) -> None:
    options = {"quality": quality, "subsampling": subsampling}
    for name, pixels in pictures(*size).items():
        assert jpeg.encode(pixels, options) == by_pillow(pixels, **options), name


def test_tables_of_a_source_and_its_profile_are_kept(fast) -> None:
    pixels, random = photo(90, 130), np.random.default_rng(1)
    tables = [[int(value) for value in random.integers(1, 256, 64)] for _ in range(2)]
    for qtables in (tables, tables[:1]):
        options = {"qtables": qtables, "subsampling": 2, "icc_profile": bytes(70_000), "progressive": False}
        assert jpeg.encode(pixels, options) == by_pillow(pixels, **options)


def test_rows_that_lie_apart_are_read_where_they_lie(fast) -> None:
    page = photo(200, 300)
    part = page[20:100, 30:200]
    assert jpeg.encode(part, {"quality": 90}) == by_pillow(np.ascontiguousarray(part), quality=90)
    turned = page[::-1, ::-1]
    assert jpeg.encode(turned, {"quality": 90}) == by_pillow(np.ascontiguousarray(turned), quality=90)


def test_incompressible_noise_has_room(fast) -> None:
    noise = np.random.default_rng(2).choice(np.array([0, 255], np.uint8), (600, 700, 3))
    options = {"quality": 100, "subsampling": 0}
    made = jpeg.encode(noise, options)
    assert made == by_pillow(noise, **options) and len(made) > noise.size // 2


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"keep_rgb": True}, {"dpi": (72, 72)}])
def test_other_options_are_left_to_pillow(options) -> None:
    assert jpeg.encode(photo(32, 32), {"quality": 90, **options}) is None


@pytest.mark.parametrize("pixels", [np.zeros((32, 32, 4), np.uint8), np.zeros((32, 32), np.uint16),
                                    np.zeros((1, 65_501, 3), np.uint8)])
def test_other_pixels_are_left_to_pillow(pixels) -> None:
    assert jpeg.encode(pixels, {"quality": 90}) is None


@pytest.mark.parametrize("backend", ["numpy", "scalar"])
def test_slow_kernels_do_not_encode(backend) -> None:
    with using(backend):
        assert jpeg.encode(photo(32, 32), {"quality": 90}) is None


SOURCES = {"4:2:0": {"subsampling": 2}, "4:4:4": {"subsampling": 0}, "4:2:2": {"subsampling": 1},
           "progressive": {"progressive": True}, "optimised": {"optimize": True}, "RGB": {"keep_rgb": True},
           "restarts": {"restart_marker_rows": 1}, "quality 5": {"quality": 5}}


@pytest.mark.parametrize("name", SOURCES)
def test_the_pixels_are_those_of_pillow(name, monkeypatch) -> None:
    pytest.importorskip("simplejpeg")
    data = by_pillow(photo(101, 333), **SOURCES[name])
    fast = codec.decode(data).frames[0]
    assert fast.flags.writeable, "the layers need no copy of it"
    monkeypatch.setattr(jpeg, "decode", lambda *_: None)
    assert np.array_equal(codec.decode(data).frames[0], fast)


def test_grey_stays_grey_and_cmyk_is_left_to_pillow() -> None:
    grey = codec.decode(by_pillow(photo(64, 96)[..., 0])).frames[0]
    assert grey.shape == (64, 96)
    out = io.BytesIO()
    Image.fromarray(photo(64, 96)).convert("CMYK").save(out, "JPEG")
    assert codec.decode(out.getvalue()).frames[0].shape == (64, 96, 3)
    assert jpeg.decode(out.getvalue(), "CMYK", (96, 64)) is None


@pytest.mark.parametrize("damage", [lambda data: data[:len(data) // 2], lambda data: data[:700],
                                    lambda data: data[:800] + bytes(40) + data[840:]])
def test_a_fault_is_what_pillow_says_of_it(damage, monkeypatch) -> None:
    broken = damage(by_pillow(photo(200, 200), quality=90))

    def outcome() -> object:
        try:
            return codec.decode(broken).frames[0].tobytes()
        except LabelkitError as error:
            return type(error), str(error)
    with_both = outcome()
    monkeypatch.setattr(jpeg, "decode", lambda *_: None)
    assert outcome() == with_both


def test_without_simplejpeg_pillow_decodes(monkeypatch) -> None:
    data = by_pillow(photo(64, 96))
    wanted = codec.decode(data).frames[0]
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert jpeg.decode(data, "RGB", (96, 64)) is None
    assert np.array_equal(codec.decode(data).frames[0], wanted)


def test_a_header_that_lies_about_the_size_is_refused() -> None:
    data = by_pillow(photo(64, 96))
    if jpeg.decode(data, "RGB", (96, 64)) is not None:
        assert jpeg.decode(data, "RGB", (64, 96)) is None
    assert jpeg.decode(data, "RGB", (1 << 20, 1 << 20)) is None
