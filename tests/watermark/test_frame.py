# SPDX-License-Identifier: Apache-2.0
"""Photographs of screens: the frame is found, what it encloses is read, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import geometry_attacks
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from labelkit.watermark.image import frame, matcher, pixels
from labelkit.watermark.image.search import LocatedTile, TileSearch
from tests.media import photo

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
STRANGER = Key(b"not the same secret")


def _texture(height: int, width: int) -> np.ndarray:
    grain = np.random.default_rng(5).normal(0, 30, (height, width, 1))
    return np.clip(photo(height, width) + grain, 0, 255).astype(np.uint8)


def _search(picture: np.ndarray, key: Key | None = None) -> LocatedTile | None:
    luma = pixels.luma_of(picture)
    return frame.search(luma, TileSearch.of_picture(luma, Key.of(key)))


@pytest.fixture(scope="module")
def seen() -> np.ndarray:
    return geometry_attacks.apply("photographed_10", image.embed(_texture(480, 400), PAYLOAD))


def test_a_texture_on_a_screen_is_read_by_its_frame(seen, monkeypatch) -> None:
    found = image.detect(seen)
    assert found.payload == PAYLOAD and found.false_positive_rate <= MAX_FALSE_POSITIVE_RATE
    # the photograph is an eighth larger than what the tilt's camera was made for
    assert abs(np.hypot(*found.geometry.tilt) - 1.12 * np.tan(np.radians(10)) / 2) < 0.01
    assert not image.detect(seen, STRANGER).found and not image.detect(seen, effort="fast").found
    assert _search(geometry_attacks.apply("photographed_10", _texture(480, 400))) is None
    monkeypatch.setattr(frame, "corners", lambda luma: None)
    assert _search(seen) is None


@pytest.mark.parametrize(("ends", "is_found"), [
    ([[60, 40], [600, 90], [580, 420], [80, 400]], True), ([[60, 40], [600, 40], [600, 420], [60, 420]], True),
    ([[260, 190], [400, 190], [400, 290], [260, 290]], False), ([[60, 240], [330, 40], [600, 240], [330, 440]], False)])
def test_corners_of_a_frame(ends, is_found) -> None:
    """Of a picture on dark ground, aslant and straight; not where it is small, or stands on a corner."""
    seen = np.linalg.inv(frame._homography(np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]), np.array(ends, float)))
    at = seen @ np.stack([*np.mgrid[:480, :640][::-1] + 0.5, np.ones((480, 640))]).reshape(3, -1)
    inside = ((at[:2] / at[2] > 0) & (at[:2] / at[2] < 1)).all(0).reshape(480, 640)
    noise = np.random.default_rng(1).normal(0, 2, (480, 640))
    found = frame.corners(np.clip(np.where(inside, _texture(480, 640)[..., 1], 20) + noise, 0, 255).astype(np.uint8))
    assert (found is not None) is is_found
    if is_found:
        assert np.abs(found - ends).max() < 2


@pytest.mark.parametrize("shape", [(16, 700), (97, 4), (480, 640)])
def test_where_no_frame_is_none_is_found(shape) -> None:
    assert frame.corners(_texture(*shape)[..., 1]) is None
    assert frame.corners(np.zeros(shape, np.uint8)) is None


def test_every_spacing_and_ratio_is_a_trial_and_so_is_what_was_set_right_before(seen) -> None:
    luma = pixels.luma_of(seen)
    whole = TileSearch.of_picture(luma, Key.public())
    found, again = frame.search(luma, whole), frame.search(luma, whole)
    fewer = matcher.Trials(count=2 * matcher.SHIFTS).word_chance(found.match.score)
    assert found.match.false_positive_rate / fewer > 5 * 300
    assert again.match.false_positive_rate / found.match.false_positive_rate == pytest.approx(2, rel=0.01)
    assert whole.trials.count == 0
