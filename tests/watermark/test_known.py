# SPDX-License-Identifier: Apache-2.0
"""The known mark is measured as strictly as a detector decides: never clear where a detector would not read it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from labelkit import watermark
from labelkit.codec.samples import AudioSamples, ImageSamples
from labelkit.errors import HostTooSmall
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import known
from tests.media import photo

PAYLOAD, OTHER = Payload(1, 2, 3), Payload(1, 2, 4)
KEY = Key.public()


def jpeg(pixels: np.ndarray, quality: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB and luma after a JPEG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    grey = Image.open(io.BytesIO(out.getvalue()))
    grey.draft("L", grey.size)
    return np.asarray(Image.open(out)), np.asarray(grey)


@pytest.mark.parametrize("size", [(384, 512), (512, 384), (700, 900)])
def test_a_mark_is_clear_where_it_was_put(size):
    marked = image.embed(photo(*size), PAYLOAD)
    for pixels in (marked, *jpeg(marked, 75)):
        assert known.is_clear(pixels, PAYLOAD, KEY)


def test_nothing_else_is_clear():
    host = photo(512, 512)
    marked = image.embed(host, PAYLOAD)
    assert not known.is_clear(host, PAYLOAD, KEY)
    assert not known.is_clear(marked, OTHER, KEY)
    assert not known.is_clear(marked, PAYLOAD, Key(b"k" * 32))
    assert not known.is_clear(np.roll(marked, 9, axis=1), PAYLOAD, KEY), "it looks at one place alone"
    assert not known.is_clear(np.full_like(host, 128), PAYLOAD, KEY)


def test_scores_of_unmarked_pictures_are_standard_normal():
    scores = np.array([known.known_scores(photo(256, 256, seed), Payload(1, 3, seed), KEY) for seed in range(60)])
    assert (abs(scores.mean(0)) < 0.6).all() and (scores.std(0) > 0.6).all() and (scores.std(0) < 1.5).all()


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_what_is_clear_is_read_by_the_fast_detector(strength):
    """From marks that every detector reads to marks that none does."""
    clear, read = 0, 0
    for size in (160, 256, 400):
        try:
            marked = image.embed(photo(size, size), PAYLOAD, strength=strength, robustness="hard")
        except HostTooSmall:
            continue
        for quality in (5, 10, 20, 35, 60, 90):
            rgb, luma = jpeg(marked, quality)
            found = image.detect(rgb, effort="fast")
            is_read = found.found and found.payload == PAYLOAD
            is_clear = known.is_clear(luma, PAYLOAD, KEY)
            assert is_read or not is_clear, (size, quality, known.known_scores(luma, PAYLOAD, KEY))
            clear, read = clear + is_clear, read + is_read
    assert clear <= read and read


def test_only_pictures_have_a_known_place():
    marked = image.embed(photo(), PAYLOAD)
    assert watermark.is_clear(ImageSamples((marked,)), PAYLOAD)
    assert not watermark.is_clear(ImageSamples((marked, marked)), PAYLOAD), "of animations the detector decides"
    assert not watermark.is_clear(ImageSamples((marked,)), None)
    assert not watermark.is_clear(AudioSamples(np.zeros((16_000, 1), np.float32), 16_000), PAYLOAD)
