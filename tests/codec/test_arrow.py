# SPDX-License-Identifier: Apache-2.0
"""Pillow's images are read where they lie, and what cannot be read so is read as before."""

from __future__ import annotations

import gc
import io

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import arrays
from labelkit.codec import arrow
from labelkit.errors import LimitExceeded
from tests.media import LABEL, photo


def saved(picture: np.ndarray, **settings: object) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", **settings)
    return Image.open(file)


@pytest.mark.parametrize("made", [Image.fromarray, saved])
def test_the_memory_of_an_image_is_its_pixels_and_outlives_it(made):
    picture = photo(37, 53).copy()
    image = made(picture)
    pixels = arrow.pixels_of(image)
    image.putpixel((3, 2), (1, 2, 3))
    assert pixels[2, 3, :3].tolist() == [1, 2, 3], "no copy"
    assert not pixels.flags.writeable and pixels.shape == (37, 53, 4)
    del image
    gc.collect()
    Image.new("RGB", (53, 37), "white")
    picture[2, 3] = 1, 2, 3
    assert np.array_equal(pixels[..., :3], picture)


@pytest.mark.parametrize("image", [Image.new("L", (20, 10)), Image.new("RGBA", (20, 10)), Image.new("RGB", (0, 10)),
                                   Image.new("RGB", (4096, 1025))])
def test_other_images_and_those_in_several_blocks_are_not_lent(image):
    assert arrow.pixels_of(image) is None


@pytest.mark.parametrize("shape", [(37, 53, 3), (1, 1, 3), (16, 16, 4), (16, 16), (1025, 4096, 3)])
def test_an_image_of_an_array_has_its_pixels_and_its_own_memory(shape):
    picture = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    image, plain = arrow.image_of(picture), Image.fromarray(picture.copy())
    assert image.mode == plain.mode and image.tobytes() == plain.tobytes()
    if shape[2:] == (3,):  # of other modes Pillow takes the array's own memory, until the image is changed
        image.load()[0, 0] = 1, 2, 3
        assert image.getpixel((0, 0)) == (1, 2, 3)
    image.putpixel((0, 0), 9 if image.mode == "L" else (9, 8, 7))
    assert picture.tobytes() == plain.tobytes()


@pytest.mark.parametrize("picture", [photo(40, 60)[:, ::-1], photo(40, 60)[::-1], photo(40, 60)[5:, 7:]],
                         ids=["mirrored", "upside down", "part"])
def test_an_image_of_an_array_that_lies_apart_has_its_pixels(picture):
    assert np.array_equal(arrow.image_of(picture), picture)


def test_lent_samples_of_an_image_are_new_at_each_call_and_leave_it_alone():
    picture = photo()
    image = Image.fromarray(picture)
    image.info["icc_profile"] = b"a profile"
    with arrays.lent(image, None) as samples:
        first = samples()
        assert np.array_equal(first.frames[0], picture) and first.source == b"a profile"
        first.frames[0][...] = 0
        assert np.array_equal(samples().frames[0], picture), "a second strength starts from the source"
    assert np.array_equal(np.asarray(image), picture)


@pytest.mark.parametrize("image", [Image.fromarray(photo()), saved(photo()), Image.fromarray(photo(1100, 4096))],
                         ids=["made", "from a file", "in two blocks"])
def test_an_image_gets_the_bits_of_the_array(image):
    picture = np.array(image)
    marked = lk.embed(image, label=LABEL)
    assert np.array_equal(np.asarray(marked), lk.embed(picture, label=LABEL)) and np.array_equal(image, picture)


def test_an_image_that_is_turned_or_transparent_is_labelled_as_it_is_shown():
    picture, exif = photo(300, 400), Image.Exif()
    exif[0x112] = 6
    turned = lk.embed(saved(picture, exif=exif), label=LABEL)
    assert np.array_equal(np.asarray(turned), lk.embed(np.rot90(picture, -1).copy(), label=LABEL))
    assert lk.embed(saved(picture, transparency=(1, 2, 3)), label=LABEL).mode == "RGBA"


def test_a_file_of_too_many_pixels_is_not_decoded():
    image = saved(photo(64, 64))
    with pytest.raises(LimitExceeded), arrays.lent(image, None, 64 * 64 - 1):
        pytest.fail("it was taken")
    assert image._im is None
