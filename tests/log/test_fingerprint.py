# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from labelkit.errors import InvalidArgument
from labelkit.log import distance, fingerprint
from labelkit.log.fingerprint import NEAR


def scene(seed: int, size: tuple[int, int] = (480, 640)) -> np.ndarray:
    """Blobs of colour at random places, as a picture has them."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    blurred = Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(4))
    return np.asarray(blurred)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out))


@pytest.mark.parametrize("change", [
    lambda p: jpeg(p, 40), lambda p: np.asarray(Image.fromarray(p).resize((320, 240))),
    lambda p: np.asarray(Image.fromarray(p).resize((1000, 700))), lambda p: p // 2 + 40,
    lambda p: p.astype(np.uint16) * 257, lambda p: np.dstack([p, np.full(p.shape[:2], 9, np.uint8)])])
def test_changed_encoding_keeps_the_fingerprint_near(change):
    for seed in range(10):
        picture = scene(seed)
        assert distance(fingerprint(picture), fingerprint(change(picture))) <= NEAR


def test_other_pictures_are_far():
    prints = [fingerprint(scene(seed)) for seed in range(20)]
    assert min(distance(a, b) for i, a in enumerate(prints) for b in prints[:i]) > NEAR


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (7, 5), (33, 31), (2000, 40)])
def test_every_size_has_one(size):
    assert 0 <= fingerprint(scene(1, size)) < 1 << 64
    assert 0 <= fingerprint(scene(1, size)[..., 0]) < 1 << 64


@pytest.mark.parametrize("wrong", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 2), np.uint8), np.zeros((5, 5)), "x",
                                   np.zeros(5, np.uint8)])
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(InvalidArgument):
        fingerprint(wrong)
