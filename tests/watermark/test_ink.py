# SPDX-License-Identifier: Apache-2.0
"""Pages whose paper was brightened to white: the mark is read in their ink, where ink has one level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import image_attacks
from benchmarks.searching import page
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import detector
from labelkit.watermark.image.pixels import ink, luma_of

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
PAGE = Path(__file__).parents[2] / "samples" / "page.png"


def brightened(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture * 1.4), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level,size", [(30, 18), (60, 22), (90, 26)])
def test_a_page_is_read_in_its_ink(level, size, monkeypatch) -> None:
    host = page(level, size)
    white = brightened(image.embed(host, PAYLOAD))
    assert image.detect(white).payload == PAYLOAD
    assert not image.detect(white, Key(b"not the same secret")).found
    assert not image.detect(brightened(host)).found
    assert image.detect(image_attacks.apply("jpeg_85", white)).payload == PAYLOAD
    monkeypatch.setattr(detector, "ink", lambda luma, reach: None)
    assert not image.detect(white).found


@pytest.mark.parametrize("attack", ["brighter", "harder"])
def test_the_sample_page_is_read(attack) -> None:
    with Image.open(PAGE) as picture:
        marked = image.embed(np.asarray(picture.convert("RGB")), PAYLOAD)
    white = image_attacks.apply(attack, marked)
    assert image.detect(white).payload == PAYLOAD
    assert image.detect(white[100:, 50:]).payload == PAYLOAD


def test_the_negative_twin_what_is_not_white_or_has_no_ink_gives_nothing() -> None:
    host = page(60, 22)
    assert ink(luma_of(host), 5) is not None and ink(luma_of(host) - np.uint8(10), 5) is None
    blank = ink(np.full((200, 300), 255, np.uint8), 13)
    assert blank is not None and not blank.any()
    black = ink(luma_of(np.where(host < 250, 0, host)), 13)
    assert black is not None and not black.any()
