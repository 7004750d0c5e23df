# SPDX-License-Identifier: Apache-2.0
"""What a picture is found to need, and that it is enough."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks import image_attacks, tuning
from labelkit import kernels
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import gain, margin, tile
from tests.media import photo

PAYLOAD = tuning.PAYLOAD


def _gradient() -> np.ndarray:
    y, x = np.mgrid[:512, :640]
    radius = np.hypot(x - 320, y - 200) / 500
    return np.rint(np.stack([230 - 120 * radius, 190 - 60 * radius, 240 - 30 * radius], -1)).astype(np.uint8)


def _dense() -> np.ndarray:
    return np.clip(128 + 35 * np.random.default_rng(3).normal(size=(512, 512, 1)), 0, 255).astype(np.uint8).repeat(3, 2)


def _drawing() -> np.ndarray:
    picture = Image.new("RGB", (1280, 960), (245, 222, 179))
    draw = ImageDraw.Draw(picture)
    random = np.random.default_rng(7)
    for _ in range(14):
        x, y, size = random.integers(0, 1280), random.integers(0, 960), random.integers(40, 220)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=tuple(map(int, random.integers(40, 230, 3))))
    return np.asarray(picture.resize((640, 480), Image.Resampling.LANCZOS))


def _photo_with_paper() -> np.ndarray:
    picture = photo(640, 768).copy()
    picture[:200] = 255
    return picture


PICTURES = {"gradient": _gradient, "drawing": _drawing, "photo": lambda: photo(640, 768), "paper": _photo_with_paper}


def _error(host: np.ndarray, marked: np.ndarray) -> float:
    return float(np.mean(np.square(host.astype(float) - marked)))


@pytest.mark.parametrize("name", PICTURES)
def test_everyday_transformations_are_survived_at_less_than_full_amplitude(name) -> None:
    host = PICTURES[name]()
    spent = tuning.spent(host)
    assert margin._LEAST <= spent.amplitude < 0.95
    marked = image.embed(host, PAYLOAD)
    assert _error(host, marked) < _error(host, image.embed(host, PAYLOAD, robustness="hard"))
    lost = {name for name, read in tuning.survivors(marked).items() if not read}
    assert not lost


def test_a_picture_that_needs_more_than_there_is_gets_all_there_is() -> None:
    host = _dense()
    assert tuning.spent(host) == margin.Spending(1.0, True)
    assert np.array_equal(image.embed(host, PAYLOAD), image.embed(host, PAYLOAD, robustness="hard"))


def test_codecs_may_ask_all_of_a_small_drawing_and_not_of_a_larger_one() -> None:
    small, larger = (np.ascontiguousarray(_drawing()[:side, :side]) for side in (256, 330))
    assert tuning.spent(small) == margin.Spending(1.0, True)
    assert tuning.spent(larger).amplitude < 0.91


def test_smooth_ground_gets_less_than_dense_texture() -> None:
    assert tuning.spent(_gradient()).amplitude < 0.7 < tuning.spent(_dense()).amplitude


def test_a_picture_that_needs_little_gets_what_is_read_after_a_repost(monkeypatch) -> None:
    with Image.open(Path(__file__).parents[2] / "samples" / "night.webp") as picture:
        host = np.asarray(picture.convert("RGB"))
    assert tuning.spent(host).amplitude == math.ceil(256 * margin._LEAST) / 256
    reposted = image_attacks.apply("crop_scale_jpeg", image.embed(host, PAYLOAD))
    assert image.detect(reposted).payload == PAYLOAD
    monkeypatch.setattr(margin, "_LEAST", 0.25)
    assert 0.5 < tuning.spent(host).amplitude < 0.6, "what the class asks for"
    less = image_attacks.apply("crop_scale_jpeg", image.embed(host, PAYLOAD, strength=0.8))
    assert not image.detect(less).found


def test_flat_ground_is_left_alone_where_the_rest_suffices() -> None:
    host = photo(640, 768).copy()
    host[:40, :40], host[600:, 700:] = 255, 0
    assert not tuning.spent(host).on_flat
    marked = image.embed(host, PAYLOAD)
    assert (marked[8:24, 8:24] == 255).all(), "white too"
    assert image.detect(marked, effort="fast").payload == PAYLOAD
    assert (image.embed(host, PAYLOAD, robustness="hard")[8:24, 8:24] != 255).any()


def test_flat_ground_is_marked_where_it_is_needed() -> None:
    host = _drawing()
    assert tuning.spent(host).on_flat
    assert np.count_nonzero(image.embed(host, PAYLOAD) != host) > 0.2 * host.size


def test_strength_is_a_factor() -> None:
    host = photo(640, 768)
    weak, usual, strong = (_error(host, image.embed(host, PAYLOAD, strength=s)) for s in (0.7, 1.0, 2.0))
    assert weak < usual < strong / 3


def test_what_is_spent_depends_on_the_picture_alone() -> None:
    host = photo(640, 768)
    errors = {round(_error(host, image.embed(host, Payload(1, number, 5))), 1) for number in range(3)}
    assert max(errors) - min(errors) <= 0.1
    assert np.array_equal(image.embed(host, PAYLOAD), image.embed(host, PAYLOAD))


def test_the_kernels_do_not_change_what_is_spent() -> None:
    host, before = photo(320, 384), kernels.backend()
    results = []
    try:
        for backend in kernels.backends():
            kernels.use(backend)
            tile.patterns.cache_clear()
            results.append((tuning.spent(host), image.embed(host, PAYLOAD)))
    finally:
        kernels.use(before)
    assert all(spent == results[0][0] and np.array_equal(marked, results[0][1]) for spent, marked in results)


@pytest.mark.parametrize("shape", [(96, 96, 3), (97, 2001, 1), (2001, 103, 4), (128, 96, 2), (96, 120_000, 1),
                                   (120_000, 96, 1)])
def test_any_shape_is_measured(shape) -> None:
    host = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    activity = gain.activity(host)
    grid, flat_gain = gain.adapted(host, activity)
    spent = margin.spending(host, activity, grid, flat_gain, tile.period(shape[1], shape[0]))
    assert margin._LEAST <= spent.amplitude <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_without_anything_is_measured_too(level) -> None:
    host = np.full((256, 320, 3), level, np.uint8)
    activity = gain.activity(host)
    spent = margin.spending(host, activity, activity, 1.0, 192)
    assert margin.MOST_FOR_CODECS <= spent.amplitude <= 1 and spent.on_flat
