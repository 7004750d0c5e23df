# SPDX-License-Identifier: Apache-2.0
"""The decision on a picture's or a film's mark: the stated chance bounds what random phases do, and words need it."""

import numpy as np
import pytest

from labelkit.key import Key
from labelkit.watermark import ecc
from labelkit.watermark.image import matcher, tile

WORD = 0x123456789ABCDEF0


def spectrum(amplitude: float, seed: int) -> np.ndarray:
    """The half spectrum of a folded plane of 128 x 128: noise, and a tile `amplitude` noise deviations strong a bin."""
    random = np.random.default_rng(seed)
    plane = random.standard_normal((128, 128)).astype(np.float32)
    flat, textured = tile.patterns(Key.public(), WORD, 128, 1.0)
    pattern = flat / tile.FLAT_UNIT + textured / tile.PATTERN_UNIT * tile.HIGH_RMS
    return tile.analyse(np.rint(1000 * (plane + amplitude * pattern / pattern.std())).astype(np.int32))


def matched(amplitude: float, seed: int = 1, key: Key | None = None) -> tuple[matcher.TileMatch | None, matcher.Trials]:
    trials = matcher.Trials()
    return matcher.match(spectrum(amplitude, seed), tile.keyed_bins(key or Key.public()), trials, 1), trials


def test_a_word_is_read_and_its_chance_counts_words_and_places() -> None:
    found, trials = matched(0.5)
    assert found.word == WORD and found.score > 13
    assert trials.count * 2.0**64 * 1e-300 < found.false_positive_rate < 1e-9


@pytest.mark.parametrize("amplitude,key", [(0.0, None), (0.5, Key(b"another key, just as long")), (0.1, None)])
def test_no_word_without_a_mark_of_the_key_that_is_strong_enough(amplitude, key) -> None:
    assert matched(amplitude, key=key)[0] is None


def test_a_weak_pattern_is_found_upright_beneath_the_noise_of_other_orientations() -> None:
    def read(amplitude: float, upright: bool) -> list[int]:
        keyed = tile.keyed_bins(Key.public())
        found = [matcher.match(spectrum(amplitude, seed), keyed, matcher.Trials(), 8, upright) for seed in range(24)]
        assert all(one is None or one.word == WORD for one in found)
        return [seed for seed, one in enumerate(found) if one]

    turned, upright = read(0.12, False), read(0.12, True)
    assert set(turned) < set(upright)  # ten and twelve of them
    assert not read(0.0, True)


def test_what_a_codec_left_of_the_inner_rings_is_found_where_these_count_most() -> None:
    keyed, low = tile.keyed_bins(Key.public()), tuple(np.exp(-np.arange(tile.RINGS) / 4))
    kx, ky, _ = tile.annulus()

    def read(amplitude: float, weightings: tuple[matcher.Weighting, ...]) -> list[int]:
        words = []
        for seed in range(12):
            blurred, noise = spectrum(amplitude, seed), spectrum(0.0, seed)
            outer = slice(4 * tile.BINS // tile.RINGS, None)
            for x, y in zip(kx[outer], ky[outer], strict=True):
                at = (y, x) if x >= 0 else (-y, -x)
                blurred[at] = noise[at]
            trials = matcher.Trials(weightings=weightings)
            words.append(matcher.match(blurred, keyed, trials, 1))
            assert trials.count <= 2 * matcher.SHIFTS * len(weightings)
        assert all(one is None or one.word == WORD for one in words)
        return [seed for seed, one in enumerate(words) if one]

    alike, both = read(0.17, (matcher.EVEN,)), read(0.17, (matcher.EVEN, low))
    assert set(alike) <= set(both) and len(both) > len(alike) + 4
    assert not read(0.0, (matcher.EVEN, low)) and not read(0.1, (matcher.EVEN, low))


def test_a_word_that_only_passes_its_check_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(ecc, "decode", lambda soft, paths: WORD ^ 1 << 40)
    assert matched(0.5)[0] is None
    monkeypatch.setattr(ecc, "decode", lambda soft, paths: WORD)
    assert matched(0.5)[0].word == WORD


@pytest.mark.parametrize("inner", [False, True])
def test_random_phases_pass_a_score_no_more_often_than_stated(inner: bool) -> None:
    weights = np.exp(-np.arange(tile.RINGS) / 4).repeat(tile.BINS // tile.RINGS) if inner else np.ones(tile.BINS)
    random, fine = np.random.default_rng(1), 4 * tile.GRID
    kx, ky, _ = tile.annulus()
    highest = []
    for _ in range(150):
        bins = np.zeros((fine, fine), complex)
        bins[ky, kx] = weights * np.exp(2j * np.pi * random.random(tile.BINS))
        highest.append(np.fft.ifft2(bins).real.max() * fine**2 / np.sqrt(np.square(weights).sum() / 2))
    stated = matcher.SHIFTS * matcher.PEAKS * 4.5 * np.exp(-0.5 * 4.5**2)
    passed = np.mean(np.array(highest) > 4.5)
    assert (inner or 0.3 * stated < passed) and passed < 1.5 * stated  # a field of fewer bins has fewer peaks


def test_chance_falls_with_the_score_and_is_never_nought() -> None:
    trials = matcher.Trials(count=1 << 15)
    chances = [trials.word_chance(score) for score in (5.0, 11.0, 12.0, 13.0, 20.0, 60.0)]
    assert chances[0] == 1.0 and chances[2] > 1e-9 > chances[3] > chances[4] > chances[5] > 0
