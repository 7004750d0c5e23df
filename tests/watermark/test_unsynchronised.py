# SPDX-License-Identifier: Apache-2.0
"""Marks whose synchronisation pattern was subtracted, as whoever averages many pictures of one key can do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import ecc, image
from labelkit.watermark.image import gain, margin, matcher, search, tile, unsynchronised
from labelkit.watermark.image.detector import detect
from tests.media import photo

PAYLOAD, PRIVATE, STRANGER = Payload(1, 12345, 67890), Key(b"the private key of a producer"), Key(b"key of a stranger")


@pytest.fixture(scope="module")
def host() -> np.ndarray:
    return photo(640, 768)


@pytest.fixture(scope="module")
def marked(host: np.ndarray) -> np.ndarray:
    return image.embed(host, PAYLOAD, PRIVATE)


def without_pattern(picture: np.ndarray, amount: float) -> np.ndarray:
    """A picture marked at "everyday", with `amount` times its pattern subtracted as the embedder adds it."""
    activity, p = gain.activity(picture), tile.period(picture.shape[1], picture.shape[0])
    grid, flat_gain = gain.adapted(picture, activity)
    spent = margin.spending(picture, activity, grid, flat_gain, p)
    bins = tile.placed_phases(PRIVATE, int(PAYLOAD)) * np.float32(-amount * spent.amplitude * tile.SYNC_SHARE**0.5)
    out = np.empty_like(picture)
    tile.add(picture, out, grid, *tile.planes(bins, p, 3, flat_gain), fades=not spent.on_flat)
    return out


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * math.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


@pytest.mark.parametrize("amount,least", [(1.0, 49), (1.5, 46), (5.0, 36)])
def test_a_mark_is_read_without_its_pattern(marked, amount, least, monkeypatch) -> None:
    attacked = without_pattern(marked, amount)
    assert psnr(marked, attacked) > least
    found = detect(attacked, PRIVATE, effort="fast")
    assert found.payload == PAYLOAD and found.false_positive_rate <= 1e-9
    assert not detect(attacked, STRANGER, effort="fast").payload
    monkeypatch.setattr(search.TileSearch, "without_pattern", lambda self: None)
    monkeypatch.setattr(matcher, "_MIN_ALONE", math.inf)
    assert detect(attacked, PRIVATE, effort="fast").payload is None


def test_it_is_read_mirrored_and_cut_too(marked) -> None:
    attacked = np.ascontiguousarray(without_pattern(marked, 1.5)[40:600, 50:740][:, ::-1])
    found = detect(attacked, PRIVATE)
    assert found.payload == PAYLOAD and found.geometry.mirrored


def test_the_negative_twin_a_picture_with_the_pattern_taken_from_it_holds_no_word(host) -> None:
    for amount in (1.0, 5.0):
        assert detect(without_pattern(host, amount), PRIVATE).payload is None


def spectrum(amplitude: float, seed: int) -> np.ndarray:
    """Bins [1, 2048] of noise, with the coded bits alone of a word, `amplitude` deviations each, moved by (y, x)."""
    random, keyed = np.random.default_rng(seed), tile.keyed_bins(PRIVATE)
    turn = np.exp(-2j * np.pi / tile.GRID * (37.25 * keyed.ky + 101.5 * keyed.kx))
    noise = (random.standard_normal(tile.BINS) + 1j * random.standard_normal(tile.BINS)) / math.sqrt(2)
    return (noise + 1j * amplitude * keyed.signs(int(PAYLOAD)) * turn).astype(np.complex64)[None]


def test_the_bits_agree_where_the_tile_lies() -> None:
    keyed = tile.keyed_bins(PRIVATE)
    field = unsynchronised.correlate(spectrum(0.5, 1), keyed)[0]
    row, column = np.unravel_index(int(np.argmax(field)), field.shape)
    assert abs(row - 37.25) <= 1 and abs(column - 101.5) <= 1 and field.max() > 8
    assert unsynchronised.correlate(spectrum(0.5, 1), tile.keyed_bins(STRANGER)).max() < 6


def test_without_a_mark_the_agreement_is_a_standard_normal_variable() -> None:
    fields = np.concatenate([unsynchronised.correlate(spectrum(0.0, seed), tile.keyed_bins(PRIVATE))
                             for seed in range(8)])
    assert abs(fields.std() - 1) < 0.02 and abs(fields.mean()) < 0.02 and 3.5 < fields.max() < 6


def test_a_score_of_the_bits_alone_exceeds_the_bar_no_more_often_than_coins() -> None:
    """At random shifts the sum for one word is at most a standard normal variable, whatever the weights are."""
    keyed, scores = tile.keyed_bins(PRIVATE), []
    signs = 1.0 - 2.0 * ecc.encode(int(PAYLOAD), tile.CODED_BITS)
    for seed in range(2000):
        values = matcher._agreeing_values(spectrum(0.0, seed)[0], keyed)
        scores.append(float(values @ signs / np.sqrt(values @ values)))
    assert abs(np.std(scores) - 1) < 0.06 and np.mean(np.array(scores) > 2) < 0.035


def test_a_word_that_is_too_weak_is_refused() -> None:
    keyed, trials = tile.keyed_bins(PRIVATE), matcher.Trials(count=1 << 15)
    aligned = np.full(tile.BINS, 1j, np.complex64) * keyed.signs(int(PAYLOAD))
    assert matcher.decode_alone(aligned, (0.0, 0.0), 0, keyed, trials).word == int(PAYLOAD)
    trials.count = 1 << 900
    assert matcher.decode_alone(aligned, (0.0, 0.0), 0, keyed, trials) is None
