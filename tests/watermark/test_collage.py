# SPDX-License-Identifier: Apache-2.0
"""Several marked pictures in one: each is named, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import image_attacks
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from tests.media import photo

SAMPLES = Path(__file__).parents[2] / "samples"
PAYLOADS = [Payload(1, 12345, 1000 + number) for number in range(9)]
PRIVATE = Key(b"a key of the tests")


def collage(count: int, key: Key | None = None) -> np.ndarray:
    """3 x 3 parts of photographs, 400 x 400 pixels, of which the first `count` are marked."""
    random, parts = np.random.default_rng(1), []
    for number in range(9):
        with Image.open(SAMPLES / ("coffee.png", "valley.jpg", "rocket.jpg")[number % 3]) as picture:
            x, y = random.integers((0, 0), (picture.width - 399, picture.height - 399)).tolist()
            parts.append(np.asarray(picture.convert("RGB").crop((x, y, x + 400, y + 400))))
    parts[:count] = [image.embed(part, one, key) for part, one in zip(parts[:count], PAYLOADS, strict=False)]
    return np.concatenate([np.concatenate(parts[3 * row : 3 * row + 3], 1) for row in range(3)])


def named(picture: np.ndarray, key: Key | None = None) -> set[str]:
    found = image.detect(picture, key)
    return {found.payload.hex, *(found.geometry.also or ())} if found.payload else set()


@pytest.mark.parametrize("attack", ["none", "jpeg_85", "mirror", "scale_0_8"])
def test_all_nine_are_named(attack) -> None:
    assert named(image_attacks.apply(attack, collage(9))) == {one.hex for one in PAYLOADS}


def test_only_what_is_marked_is_named() -> None:
    assert named(collage(2)) == {one.hex for one in PAYLOADS[:2]}


def test_the_negative_twin_another_key_names_none() -> None:
    assert named(collage(9, PRIVATE)) == set()


def test_a_single_mark_is_not_looked_for_in_parts() -> None:
    marked = image.embed(photo(640, 768), PAYLOADS[0])
    assert image.detect(marked).geometry.also is None
