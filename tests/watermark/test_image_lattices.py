# SPDX-License-Identifier: Apache-2.0
"""The tile of a large picture, and turned tiles that only the key's pattern shows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks import image_attacks
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.image import gain, known, pixels, search, spacing, tile
from tests.media import photo

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
STRANGER = Key(b"not the same secret")


def _shrunk(picture: np.ndarray, longest: int, quality: int) -> np.ndarray:
    return image_attacks._chain(image_attacks._fitted(longest), image_attacks._coded("JPEG", quality=quality))(
        picture, np.random.default_rng(0))


def _turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    cut = image_attacks._chain(image_attacks._turned(degrees, True), image_attacks._coded("JPEG", quality=60))
    return np.ascontiguousarray(cut(picture, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    """Grain, in which the lattice of the autocorrelation is lost."""
    grain = np.random.default_rng(5).normal(0, 40, (640, 768, 1))
    return np.clip(photo(640, 768) + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("degrees", [7, -12])
def test_a_turned_tile_is_found_by_its_pattern_and_not_by_anothers(texture, degrees, monkeypatch) -> None:
    seen, plain = (_turned(one, degrees) for one in (image.embed(texture, PAYLOAD), texture))
    found = image.detect(seen)
    assert found.payload == PAYLOAD and abs(found.geometry.angle - degrees) < 0.3
    assert not image.detect(plain).found and not image.detect(seen, STRANGER).found
    monkeypatch.setattr(spacing, "shaped", lambda *given: [])
    assert not image.detect(seen).found, "by its autocorrelation alone"


def test_all_turned_squares_that_are_tried_count(texture) -> None:
    looked = search.TileSearch.of_picture(pixels.luma_of(texture), Key.public())
    factor, correlation = looked._coarse
    before = looked.trials.count
    found = spacing.shaped(looked._bins, correlation, factor, texture.shape[:2], looked.keyed, looked.trials, 100)
    assert 1 <= len(found) <= spacing._KEPT_SHAPES
    assert looked.trials.count - before >= 2 * search.SHIFTS * 100
    for vectors in found:
        (x, other), (y, same) = vectors
        assert 0.5 < x / same < 2 and abs(y + other) < 1e-9 and abs(y) <= x + 1


@pytest.mark.parametrize("size,period,fine", [
    ((512, 512), 192, 192), ((1024, 1024), 270, 270), ((2048, 2048), 540, 384), ((3840, 2160), 672, 432),
    ((8192, 8192), 1008, 768), ((4096, 256), 270, 270), ((4096, 640), 336, 336)])
def test_the_tile_of_large_pictures_grows_as_their_sides(size, period, fine) -> None:
    assert (tile.period(*size), tile.fine_period(*size)) == (period, fine)


def test_a_large_picture_is_read_when_much_shrunk() -> None:
    host = photo(1400, 2000)
    marked = image.embed(host, PAYLOAD)
    assert image.detect(marked, effort="fast").geometry.period == tile.period(2000, 1400) == 432
    small = _shrunk(marked, 512, 75)
    assert image.detect(small).payload == PAYLOAD
    assert not image.detect(small, STRANGER).found and not image.detect(_shrunk(host, 512, 75)).found
    part = marked[300:742, 500:1132]
    assert image.detect(part).payload == PAYLOAD, "a tenth, whose own tile has not half the period"


def test_pages_keep_the_fine_tile() -> None:
    """A large tile on flat paper is lost after JPEG 50."""
    page = np.full((1400, 1100, 3), 250, np.uint8)
    random = np.random.default_rng(3)
    for top in range(60, 1340, 40):
        for left in range(60, 1040, 24):
            page[top : top + random.integers(8, 26), left : left + random.integers(4, 18)] = 20
    assert gain.is_page(gain.activity(page)) and not gain.is_page(gain.activity(photo(1400, 1100)))
    marked, coarse = image.embed(page, PAYLOAD), tile.period(1100, 1400)
    assert image.detect(marked, effort="fast").geometry.period == tile.fine_period(1100, 1400) < coarse
    assert known.is_clear(marked, PAYLOAD, Key.public()) and not known.is_clear(page, PAYLOAD, Key.public())


def test_the_tile_of_versions_before_is_read(monkeypatch) -> None:
    host = photo(1400, 2000)
    with monkeypatch.context() as patched:
        patched.setattr(tile, "period", tile.fine_period)
        marked = image.embed(host, PAYLOAD)
    for seen in (marked, marked[200:1000, 400:1500], _shrunk(marked, 1200, 80)):
        assert image.detect(np.ascontiguousarray(seen)).payload == PAYLOAD
        assert not image.detect(np.ascontiguousarray(seen), STRANGER).found
    assert image.detect(marked, effort="fast").geometry.period == tile.fine_period(2000, 1400)


def test_enlarged_and_cut_pictures_of_twice_the_usual_size() -> None:
    marked = image.embed(photo(1400, 2000), PAYLOAD)
    large = np.asarray(Image.fromarray(marked[350:1050, 500:1500]).resize((1300, 910), Image.Resampling.BICUBIC))
    assert image.detect(large).payload == PAYLOAD
