# SPDX-License-Identifier: Apache-2.0
"""The watermark in pictures: what survives, what is refused, and that nothing is found where nothing is."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import geometry_attacks, image_attacks
from labelkit.choices import EFFORTS
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from labelkit.watermark.image import lens, matcher, perspective, pixels, search, spacing, tile, waves
from labelkit.watermark.image.search import TileSearch
from tests.media import photo

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
OTHER = Payload(kind=2, producer=0x13579B, content=0x2468ACE02)
SAMPLES = Path(__file__).parents[2] / "samples"
PRIVATE, STRANGER = Key(b"a key of the tests"), Key(b"not the same secret")


@pytest.fixture(scope="module")
def host() -> np.ndarray:
    return photo(640, 768)


@pytest.fixture(scope="module")
def marked(host: np.ndarray) -> np.ndarray:
    return image.embed(host, PAYLOAD)


@pytest.fixture(scope="module")
def hard(host: np.ndarray) -> np.ndarray:
    return image.embed(host, PAYLOAD, robustness="hard")


def _psnr(host: np.ndarray, marked: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean(np.square(host.astype(float) - marked)))


def _is_read(picture: np.ndarray, effort: str = "normal", key: Key | None = None, payload: Payload = PAYLOAD) -> bool:
    found = image.detect(picture, key, effort=effort)
    assert not found.found or found.false_positive_rate <= MAX_FALSE_POSITIVE_RATE
    return found.found and found.payload == payload


def test_mark_is_read_and_the_host_is_close(host, marked) -> None:
    found = image.detect(marked, effort="fast")
    assert found.found and found.payload == PAYLOAD and found.score > 8
    assert found.geometry.angle == 0 and not found.geometry.mirrored and found.geometry.also is None
    assert _psnr(host, marked) > 42


@pytest.mark.parametrize("effort", EFFORTS)
def test_unmarked_picture_has_no_mark(host, effort) -> None:
    found = image.detect(host, effort=effort)
    assert not found.found and found.payload is None and found.false_positive_rate == 1.0 and found.effort == effort


@pytest.mark.parametrize("effort", EFFORTS)
def test_wrong_key_finds_nothing(host, marked, effort) -> None:
    private = image.embed(host, PAYLOAD, PRIVATE)
    assert _is_read(private, key=PRIVATE)
    assert not image.detect(private, effort=effort).found
    assert not image.detect(private, STRANGER, effort=effort).found
    assert not image.detect(marked, PRIVATE, effort=effort).found


@pytest.mark.parametrize("attack", ["jpeg_50", "webp_80", "avif_60", "brighter", "gamma_1_35", "grey", "inverted",
                                    "palette_256", "noise_8", "blur_1", "median_3", "caption_15", "covered_20"])
def test_fast_effort_after(marked, host, attack) -> None:
    assert _is_read(image_attacks.apply(attack, marked), "fast")
    assert not image.detect(image_attacks.apply(attack, host), effort="fast").found


@pytest.mark.parametrize("attack", ["crop_25", "crop_45", "scale_0_6", "scale_1_5", "mirror", "quarter_turn",
                                    "half_turn", "screenshot", "feed_720", "framed"])
def test_normal_effort_after(marked, host, attack) -> None:
    assert _is_read(image_attacks.apply(attack, marked))
    assert not image.detect(image_attacks.apply(attack, host)).found


@pytest.mark.parametrize("attack", ["turn_2", "turn_20", "turn_7_inside", "turn_33_inside", "aspect_0_85", "aslant_2"])
def test_normal_effort_after_a_turn_or_a_change_of_aspect(hard, host, attack) -> None:
    assert _is_read(image_attacks.apply(attack, hard))
    assert not image.detect(image_attacks.apply(attack, host)).found


@pytest.mark.parametrize("attack", ["shear_3", "shear_6_down", "shear_10", "turn_33_shear_10_jpeg_80"])
def test_normal_effort_after_a_shear(hard, host, attack) -> None:
    sheared = geometry_attacks.apply(attack, hard)
    assert _is_read(sheared) and not image.detect(sheared, STRANGER).found
    assert not image.detect(geometry_attacks.apply(attack, host)).found


def test_normal_effort_on_a_thumbnail() -> None:
    wide = photo(768, 1024)
    small = [np.asarray(Image.fromarray(picture).resize((256, 192), Image.Resampling.LANCZOS))
             for picture in (image.embed(wide, PAYLOAD, robustness="hard"), wide)]
    assert _is_read(image_attacks.apply("jpeg_85", small[0]))
    assert not image.detect(small[0], STRANGER).found and not image.detect(small[1]).found


@pytest.mark.parametrize("name", ["still-life.jpg", "night.webp"])
def test_normal_effort_where_the_pattern_shows_more_than_its_lattice(monkeypatch, name) -> None:
    with Image.open(SAMPLES / name) as picture:
        host = np.asarray(picture.convert("RGB"))
    marked = image.embed(host, PAYLOAD, strength=0.85)
    small, plain = (image_attacks.apply("repost", one) for one in (marked, host))
    assert _is_read(small) and not image.detect(plain).found and not image.detect(small, STRANGER).found
    monkeypatch.setattr(search.TileSearch, "any_spacing", lambda self: None)
    assert not image.detect(small).found


def test_normal_effort_on_a_thumbnail_of_an_unusual_size(monkeypatch) -> None:
    """Of 149 x 99 pixels, of which the tile repeats three times and twice: its lattice hardly shows."""
    wide = photo(300, 451)
    small, plain = (np.asarray(Image.fromarray(picture).resize((149, 99), Image.Resampling.LANCZOS))
                    for picture in (image.embed(wide, PAYLOAD, robustness="hard"), wide))
    assert _is_read(small) and not image.detect(plain).found and not image.detect(small, STRANGER).found
    monkeypatch.setattr(search.TileSearch, "any_spacing", lambda self: None)
    assert not image.detect(small).found


@pytest.mark.parametrize("wide,high", [(640, 448), (448, 641), (1000, 700)])
def test_the_spacing_of_a_tile_is_found_by_its_pattern_and_not_by_anothers(wide, high) -> None:
    host = photo(high, wide)
    seen = image_attacks.apply("scale_0_6", image.embed(host, PAYLOAD, robustness="hard"))
    right = 0.6 * tile.period(wide, high)
    for key, is_first in ((Key.public(), True), (STRANGER, False)):
        looked = search.TileSearch.of_picture(pixels.luma_of(seen), key)
        factor, correlation = looked._coarse
        before = looked.trials.count
        longer = max(correlation.height, correlation.width)
        found = spacing.likely(looked._bins, longer, factor, seen.shape[:2], looked.keyed, looked.trials)
        assert (abs(found[0] / right - 1) < 0.006) is is_first
        assert looked.trials.count - before >= 2 * matcher.SHIFTS * len(found), "all that is tried counts"


def test_the_spacing_of_an_enlarged_quarter_is_tried(monkeypatch) -> None:
    quarter = image.embed(photo(700, 1000), PAYLOAD, robustness="hard")[175:525, 250:750]
    seen = np.asarray(Image.fromarray(quarter).resize((750, 525), Image.Resampling.BICUBIC))
    looked = search.TileSearch.of_picture(pixels.luma_of(seen), Key.public())
    right, own = 1.5 * tile.period(700, 1000), tile.period(525, 750)
    assert 1.6 * own < right < 2 * own
    for most, is_found in ((2.0, True), (1.6, False)):
        monkeypatch.setattr(spacing, "_MOST", most)
        factor, correlation = looked._coarse
        longer = max(correlation.height, correlation.width)
        found = spacing.likely(looked._bins, longer, factor, seen.shape[:2], looked.keyed, looked.trials)
        assert (abs(found[0] / right - 1) < 0.006) is is_found


@pytest.mark.parametrize(("attack", "too_little", "effort"), [
    ("aslant_10_jpeg_80", "normal", "deep"), ("photographed_10", "fast", "normal")])
def test_after_perspective(hard, attack, too_little, effort) -> None:
    seen = geometry_attacks.apply(attack, hard)
    assert not image.detect(seen, effort=too_little).found
    found = image.detect(seen, effort=effort)
    assert found.payload == PAYLOAD and abs(np.hypot(*found.geometry.tilt) - np.sin(np.radians(10)) / 2) < 0.02
    assert not image.detect(seen, STRANGER, effort="deep").found


def test_deep_effort_in_perspective_where_a_texture_hides_the_lattice(monkeypatch) -> None:
    grain = np.random.default_rng(5).normal(0, 20, (512, 768, 1))
    host = np.clip(photo(512, 768) + grain, 0, 255).astype(np.uint8)
    seen, plain = (geometry_attacks.apply("aslant_10", one) for one in (image.embed(host, PAYLOAD), host))

    def found(picture: np.ndarray, key: Key | None = None) -> search.LocatedTile | None:
        luma = pixels.luma_of(picture)
        return perspective.search(luma, TileSearch.of_picture(luma, Key.of(key)))

    read = found(seen)
    assert read and read.payload == PAYLOAD and read.match.false_positive_rate <= MAX_FALSE_POSITIVE_RATE
    assert abs(np.hypot(*read.tilt) - np.tan(np.radians(10)) / 2) < 0.01
    assert found(plain) is None and found(seen, STRANGER) is None
    monkeypatch.setattr(perspective._Planes, "pattern", lambda *arguments: 0.0)
    assert found(seen) is None, "its lattice does not show"


@pytest.mark.parametrize("attack", ["barrel_10", "pincushion_10"])
def test_deep_effort_after_a_lens(attack) -> None:
    grain = np.random.default_rng(5).normal(0, 40, (512, 768, 1))
    host = np.clip(photo(512, 768) + grain, 0, 255).astype(np.uint8)
    bulged, plain = (geometry_attacks.apply(attack, one) for one in (image.embed(host, PAYLOAD), host))
    assert _is_read(bulged, "deep") and not image.detect(bulged).found

    def found(picture: np.ndarray, key: Key | None = None) -> search.LocatedTile | None:
        return lens.search(TileSearch.of_picture(pixels.luma_of(picture), Key.of(key)))

    read = found(bulged)
    assert read and read.payload == PAYLOAD and read.match.false_positive_rate <= MAX_FALSE_POSITIVE_RATE
    assert found(plain) is None and found(bulged, STRANGER) is None


def test_a_plane_is_set_straight() -> None:
    grain = np.random.default_rng(1).normal(128, 60, (300, 400))
    smooth = sum(np.roll(grain, (y, x), (0, 1)) for y in range(4) for x in range(4)) / 16
    bulged = geometry_attacks._bulged(0.1)(np.repeat(smooth[..., None], 3, 2), np.random.default_rng(1))[..., 0]
    inside = np.s_[24:-24, 30:-30]
    for share, least, most in ((0.1, 0.95, 1), (0.0, -1, 0.5), (-0.1, -1, 0.5)):
        back = lens.straight(bulged.astype(np.float32), share)
        assert least < np.corrcoef(back[inside].ravel(), smooth[inside].ravel())[0, 1] < most


def test_deep_effort_where_rows_and_columns_are_in_waves(hard, host) -> None:
    moved = geometry_attacks.apply("waves_4", hard)
    assert not image.detect(moved).found
    assert _is_read(moved, "deep") and not image.detect(moved, STRANGER, effort="deep").found
    assert not image.detect(geometry_attacks.apply("waves_4", host), effort="deep").found


def test_of_waves_every_pair_that_a_climb_can_end_in_is_a_trial(hard) -> None:
    looked = TileSearch.of_picture(pixels.luma_of(geometry_attacks.apply("waves_4", hard)), Key.public())
    before = looked.trials.count
    found = waves.search(looked)
    fewer = matcher.Trials(count=2 * matcher.SHIFTS).word_chance(found.match.score)
    assert found.payload == PAYLOAD and found.match.false_positive_rate / fewer > (10 * 3 * 12 * 13**3) ** 2
    assert looked.trials.count == before, "they make a question of their own: candidates do not pay for it"


def test_waves_are_undone() -> None:
    across, down = waves.Wave(0.008, 3.0, 1.0), waves.Wave(0.006, 2.0, 4.0)
    grain = np.random.default_rng(1).normal(128, 60, (300, 400))
    smooth = sum(np.roll(grain, (y, x), (0, 1)) for y in range(4) for x in range(4)) / 16
    y, x = np.mgrid[:300, :400].astype(np.float64)
    moved = geometry_attacks._sampled(smooth[..., None], x + across.at(300)[:, None], y + down.at(400))[..., 0]
    inside, still = np.s_[8:-8, 8:-8], waves.undone(moved.astype(np.float32), across, down)

    def likeness(one: np.ndarray) -> float:
        return float(np.corrcoef(one[inside].ravel(), smooth[inside].ravel())[0, 1])

    assert likeness(still) > 0.97 and likeness(moved) < 0.8
    assert waves.Wave(0.01, 2.0, 1.0).enlarged(2) == waves.Wave(0.005, 4.0, 1.0)


def test_geometry_says_how_the_picture_was_turned(marked) -> None:
    assert image.detect(marked[:, ::-1]).geometry.mirrored
    assert image.detect(np.rot90(marked)).geometry.angle == 90
    turned = image.detect(image_attacks.apply("turn_20", marked)).geometry
    assert abs(turned.angle - 20) < 0.5 and not turned.mirrored
    shrunk = image.detect(image_attacks.apply("scale_0_6", marked)).geometry
    assert abs(shrunk.period / image.detect(marked).geometry.period - 0.6) < 0.01


@pytest.mark.parametrize("shape", [(0,), (0, 1), (0, 3), (3,), (1,)])
def test_layouts_carry_the_mark_and_keep_their_alpha(host, shape) -> None:
    """Grey planes, one channel, grey and alpha, RGB and alpha."""
    channels = {(0,): host[..., 0], (0, 1): host[..., :2], (0, 3): host[..., :1], (3,): host, (1,): host[..., 1]}[shape]
    if shape == (3,):
        channels = np.concatenate([host, host[..., :1]], 2)
    marked = image.embed(channels, PAYLOAD)
    assert marked.shape == channels.shape and marked.dtype == np.uint8 and _is_read(marked, "fast")
    if channels.ndim == 3 and channels.shape[2] in (2, 4):
        assert np.array_equal(marked[..., -1], channels[..., -1])


def test_views_give_what_copies_give(host) -> None:
    view = np.repeat(host, 2, axis=1)[:, ::2]
    reversed_rows = host[::-1]
    assert np.array_equal(image.embed(view, PAYLOAD), image.embed(host, PAYLOAD))
    assert np.array_equal(image.embed(reversed_rows, PAYLOAD), image.embed(reversed_rows.copy(), PAYLOAD))


def test_in_place_gives_what_a_copy_gives(host, marked) -> None:
    copy = host.copy()
    assert image.embed(copy, PAYLOAD, out=copy) is copy and np.array_equal(copy, marked)
    padded = np.zeros((640, 800, 3), np.uint8)
    image.embed(host, PAYLOAD, out=padded[:, :768])
    assert np.array_equal(padded[:, :768], marked) and not padded[:, 768:].any()


def test_deep_samples_are_marked_at_their_depth(host) -> None:
    sixteen = host.astype(np.uint16) * 257 + 3
    floats = host.astype(np.float32) / 255
    for picture in (sixteen, floats):
        result = image.embed(picture, PAYLOAD)
        assert result.dtype == picture.dtype and _is_read(result, "fast")
    fine = image.embed(sixteen, PAYLOAD)
    assert np.unique(fine % 257).size == 1  # the three in the low bits are still there
    assert image.embed(floats, PAYLOAD).min() >= 0 and image.embed(floats, PAYLOAD).max() <= 1


def test_strength_trades_fidelity_for_score(host) -> None:
    results = [image.embed(host, PAYLOAD, strength=strength) for strength in (0.5, 1, 2)]
    fidelity = [_psnr(host, result) for result in results]
    scores = [image.detect(image_attacks.apply("jpeg_30", result), effort="fast").score for result in results]
    assert fidelity[0] > fidelity[1] + 4 > fidelity[2] + 8
    assert scores[0] < scores[1] < scores[2]


def test_two_marks_of_one_key_are_both_named(marked) -> None:
    found = image.detect(image.embed(marked, OTHER))
    assert {found.payload.hex, *found.geometry.also} == {PAYLOAD.hex, OTHER.hex}


@pytest.mark.parametrize("strength,hides", [(1.2, True), (0.0, False)])
def test_a_decoy_does_not_hide_the_mark(host, strength, hides, monkeypatch) -> None:
    """The synchronisation pattern alone, laid over elsewhere: the strongest peak then holds no word."""
    marked = image.embed(host, PAYLOAD)
    p, key = tile.period(768, 640), Key.public()
    keyed = tile.keyed_bins(key)
    spectrum = np.zeros((p, p), complex)
    spectrum[keyed.ky % p, keyed.kx % p] = keyed.phase * np.exp(-2j * np.pi * (0.37 * keyed.kx + 0.61 * keyed.ky))
    pattern = np.fft.ifft2(spectrum).real
    laid = np.tile(pattern / pattern.std(), (8, 8))[:640, :768, None] * strength
    attacked = np.clip(np.rint(marked + laid), 0, 255).astype(np.uint8)
    assert _is_read(attacked, "fast")
    monkeypatch.setattr(matcher, "MAX_DECOYS", 0)
    monkeypatch.setattr(matcher, "_MOST_UPRIGHT", 0)
    monkeypatch.setattr(TileSearch, "without_pattern", lambda self: None)
    assert _is_read(attacked, "fast") is not hides


def test_marks_of_two_keys_are_read_apart(marked) -> None:
    both = image.embed(marked, OTHER, PRIVATE)
    assert _is_read(both) and _is_read(both, key=PRIVATE, payload=OTHER)
    assert not image.detect(both, STRANGER).found


@pytest.mark.parametrize("size", [(64, 64), (95, 2000), (1, 1)])
def test_small_pictures_are_refused(size) -> None:
    with pytest.raises(HostTooSmall, match=f"{size[1]} x {size[0]}"):
        image.embed(np.zeros((*size, 3), np.uint8), PAYLOAD)
    assert not image.detect(np.zeros((*size, 3), np.uint8), effort="deep").found


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_flat_colour_is_refused(colour) -> None:
    with pytest.raises(HostTooSmall, match="flat"):
        image.embed(np.full((512, 512, 3), colour, np.uint8), PAYLOAD)


def test_a_slow_gradient_carries_the_mark() -> None:
    ramp = np.linspace(60, 200, 768)[None, :, None] + np.linspace(0, 30, 640)[:, None, None]
    picture = np.repeat(np.rint(ramp), 3, 2).astype(np.uint8)
    marked = image.embed(picture, PAYLOAD)
    assert _psnr(picture, marked) > 44 and _is_read(image_attacks.apply("jpeg_50", marked), "fast")


@pytest.mark.parametrize("pixels", [np.zeros((200, 200, 5), np.uint8), np.zeros((200, 200, 3), np.int16),
                                    np.zeros((0, 9, 3), np.uint8), np.zeros(5, np.uint8), [[1, 2], [3, 4]], None])
def test_other_arrays_are_refused(pixels) -> None:
    for call in (lambda: image.embed(pixels, PAYLOAD), lambda: image.detect(pixels)):
        with pytest.raises(InvalidArgument):
            call()


def test_wrong_arguments_are_refused(host) -> None:
    for arguments in ({"payload": "abc"}, {"payload": PAYLOAD, "strength": 9}, {"payload": PAYLOAD, "strength": "1"},
                      {"payload": PAYLOAD, "robustness": "most"}):
        with pytest.raises(InvalidArgument):
            image.embed(host, **arguments)
    with pytest.raises(InvalidArgument, match="effort"):
        image.detect(host, effort="extreme")


@pytest.mark.parametrize("effort", ["fast", "normal", "deep"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 9000), (9000, 17), (40, 20000)])
def test_strips_of_any_shape_are_answered(size, effort) -> None:
    picture = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
    assert not image.detect(picture, effort=effort).found
    assert not image.detect(np.zeros(size, np.uint8), effort=effort).found


def test_floats_that_are_no_numbers_do_no_harm() -> None:
    broken = np.full((256, 256, 3), np.nan, np.float32)
    broken[::2] = np.inf
    assert not image.detect(broken).found


def test_many_threads_give_the_same(host, marked) -> None:
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(image.embed(host, PAYLOAD))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and all(np.array_equal(result, marked) for result in results)


@pytest.mark.parametrize("key", ["secret", b"", b"a key of the tests"])
def test_what_is_no_key_is_refused_and_never_the_public_one(host, marked, key) -> None:
    for call in (lambda: image.embed(host, PAYLOAD, key), lambda: image.detect(marked, key), lambda: Key.of(key)):
        with pytest.raises(InvalidArgument, match="key must be a Key"):
            call()
    assert Key.of(None) == Key.public() and Key.of(PRIVATE) is PRIVATE
