# SPDX-License-Identifier: Apache-2.0
"""Whitening by the noise that a picture's ground has: what a codec smoothed weighs more, and nothing else changes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import known, pixels, search
from labelkit.watermark.image.pixels import NOISE, ground_noise, luma_of

PAYLOAD = Payload(1, 12345, 67890)


def drawn() -> np.ndarray:
    """Flat shapes with hard edges, uint8 [512, 640, 3]."""
    random = np.random.default_rng(3)
    picture = np.full((512, 640, 3), (236, 232, 220), np.uint8)
    for _ in range(90):
        y, x, height, width = random.integers((0, 0, 8, 8), (480, 600, 90, 120))
        picture[y : y + height, x : x + width] = random.integers(20, 240, 3)
    return picture


def coded(picture: np.ndarray, format: str, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("deviation,least,most", [(0.5, 2, 3), (1.0, 2, 5), (2.0, 8, 14), (8.0, NOISE, NOISE)])
def test_it_is_about_the_variance_of_smooth_ground(deviation, least, most) -> None:
    noise = np.random.default_rng(1).normal(128, deviation, (300, 400))
    noise[:, 200:] += np.random.default_rng(2).normal(0, 40, (300, 200))  # busy ground does not count
    assert least <= ground_noise(np.clip(np.rint(noise), 0, 255).astype(np.uint8)) <= most


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (8, 8), (500, 3), (900, 900)])
def test_where_nothing_is_uneven_it_is_the_most(shape) -> None:
    assert ground_noise(np.full(shape, 90, np.uint8)) == NOISE


def test_what_webp_leaves_on_flat_ground_weighs_more(monkeypatch) -> None:
    marked = image.embed(drawn(), PAYLOAD)
    damaged = coded(marked, "WEBP", 65)
    assert ground_noise(luma_of(damaged)) < NOISE
    now = sum(known.known_scores(damaged, PAYLOAD, Key.public()))
    assert image.detect(damaged).payload == PAYLOAD
    monkeypatch.setattr(known, "ground_noise", lambda luma: NOISE)
    assert now > sum(known.known_scores(damaged, PAYLOAD, Key.public())) + 3


def test_the_negative_twin_an_unmarked_drawing_and_another_key_give_nothing() -> None:
    assert not image.detect(coded(drawn(), "WEBP", 65)).found
    marked = image.embed(drawn(), PAYLOAD, Key(b"a key of somebody else"))
    assert not image.detect(coded(marked, "WEBP", 60)).found


def test_who_knows_the_mark_whitens_as_the_detector_does(monkeypatch) -> None:
    damaged = coded(image.embed(drawn(), PAYLOAD), "WEBP", 60)
    white = search.TileSearch.of_picture(luma_of(damaged), Key.public()).plane
    assert np.array_equal(white, pixels.whiten(luma_of(damaged), ground_noise(luma_of(damaged))))


@pytest.mark.parametrize("factor", [1, 2, 3, 16, 17, 40])
@pytest.mark.parametrize("level", [255, None])
def test_a_shrunk_plane_is_the_means_of_its_blocks(factor, level) -> None:
    plane = np.random.default_rng(1).integers(0, 256, (123, 165), np.uint8) if level is None else np.full(
        (123, 165), level, np.uint8)
    height, width = 123 // factor, 165 // factor
    blocks = plane[: height * factor, : width * factor].reshape(height, factor, width, factor)
    assert np.array_equal(pixels.decimate(plane, factor), np.floor(blocks.mean((1, 3)) + 0.5))
