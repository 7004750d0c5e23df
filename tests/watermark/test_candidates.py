# SPDX-License-Identifier: Apache-2.0
"""Candidates: marks that cannot be read are found among payloads that are expected, and nothing else is."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import Candidates, audio, candidates, ecc, image
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from labelkit.watermark.image import expected, matcher, search, tile
from labelkit.watermark.image.pixels import luma_of
from labelkit.watermark.video.detector import detect_frames
from tests import sounds
from tests.media import photo, saved

PAYLOAD, OTHER = Payload(1, 0xABCDEF, 0x123456789), Payload(1, 0xABCDEF, 0x2468ACE02)
KEY, STRANGER = Key(b"a key of the tests"), Key(b"not the same secret")


def log_of(count: int, *more: Payload) -> Candidates:
    """As many candidates of one producer, and some more."""
    content = np.random.default_rng(7).integers(0, 1 << 35, count, np.int64)
    words = np.append(content | int(PAYLOAD) & ~0x7FFFFFFFF, [int(one) for one in more]).astype(np.int64)
    found = Candidates.of(words)
    assert found is not None
    return found


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(saved(picture, "JPEG", quality=quality))))


@pytest.fixture(scope="module")
def ruined() -> np.ndarray:
    """A marked picture of which a blind read reads nothing."""
    return jpeg(image.embed(photo(256, 320), PAYLOAD, KEY), 10)


@pytest.mark.parametrize("n", [512, 1024])
def test_code_words_of_many_are_those_of_each(n) -> None:
    words = np.random.default_rng(n).integers(-1 << 63, 1 << 63, 20, np.int64)
    assert [code.tolist() for code in ecc.encode_all(words, n)] == [
        ecc.encode(int(word) & (1 << 64) - 1, n).tolist() for word in words]


@pytest.mark.parametrize("count", [1, 3, 50, 200_000])
def test_nearest_is_the_word_that_was_sent(count) -> None:
    random, listed = np.random.default_rng(count), log_of(count - 1, PAYLOAD)
    gain = random.exponential(1, 1024)
    sent = 1 - 2.0 * ecc.encode(int(PAYLOAD), 1024)
    soft = gain * (sent * 0.3 * gain + random.standard_normal((3, 1024)))
    near = listed.nearest(soft, 4)
    assert [len(one) for one in near] == [min(count, 4)] * 3
    for one, values in zip(near, soft, strict=True):
        assert one[0] == (int(PAYLOAD), pytest.approx(sent @ values)) and sorted(one, key=lambda x: -x[1]) == one


def test_candidates_are_checked() -> None:
    listed = Candidates.of([PAYLOAD, OTHER, PAYLOAD])
    assert listed and len(listed) == listed.counted == 2 and Candidates.of(listed) is listed
    assert Candidates.of(None) is Candidates.of([]) is Candidates.of(np.zeros(0, np.int64)) is None
    again = pickle.loads(pickle.dumps(Candidates.named_by_file([OTHER], key_is_public=False)))  # to other processes
    assert again.words.tolist() == [int(OTHER)] and again.counted == 1 << 20 and again.named
    for wrong in (["text"], np.zeros((2, 2), np.int64), np.zeros(2)):
        with pytest.raises(InvalidArgument):
            Candidates.of(wrong)


def test_too_many_candidates_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(candidates, "MAX_CANDIDATES", 5)
    assert len(log_of(5)) == 5
    with pytest.raises(InvalidArgument, match="6 candidates"):
        log_of(6)


def test_mark_that_cannot_be_read_is_found_among_candidates(ruined) -> None:
    assert image.detect(ruined, KEY, effort="fast").payload is None
    rates = []
    for listed in (Candidates.of(PAYLOAD), log_of(1000, PAYLOAD), log_of(300_000, PAYLOAD)):
        found = image.detect(ruined, KEY, effort="fast", candidates=listed)
        assert found.found and found.payload == PAYLOAD and found.candidates == len(listed)
        assert found.geometry.angle == 0
        rates.append(found.false_positive_rate)
    assert rates == sorted(rates) and 0 < rates[0] and rates[-1] <= MAX_FALSE_POSITIVE_RATE


def test_nothing_is_found_among_others(ruined) -> None:
    for listed in (Candidates.of(OTHER), log_of(1000), log_of(300_000)):
        found = image.detect(ruined, KEY, effort="fast", candidates=listed)
        assert not found.found and found.payload is None and found.candidates is None
        assert found.false_positive_rate == 1


def test_nothing_is_found_with_another_key_nor_in_an_unmarked_picture(ruined) -> None:
    listed = log_of(300_000, PAYLOAD)
    assert not image.detect(ruined, STRANGER, effort="fast", candidates=listed).found
    assert not image.detect(jpeg(photo(256, 320), 10), KEY, effort="fast", candidates=listed).found
    assert not image.detect(photo(256, 320), KEY, candidates=[PAYLOAD]).found


def test_what_can_be_read_is_read(ruined) -> None:
    marked = image.embed(photo(256, 320), OTHER, KEY)
    found = image.detect(marked, KEY, candidates=[PAYLOAD])
    assert found.payload == OTHER and found.candidates is None
    assert found == image.detect(marked, KEY)


def test_a_part_of_a_picture_is_found_anywhere(ruined) -> None:
    part = np.ascontiguousarray(ruined[3:, 5:])
    assert image.detect(part, KEY, effort="fast").payload is None
    found = image.detect(part, KEY, effort="fast", candidates=[PAYLOAD, OTHER])
    assert found.payload == PAYLOAD
    assert not image.detect(part, KEY, effort="fast", candidates=[OTHER]).found


def test_words_that_a_file_names_count_as_many(ruined) -> None:
    named = Candidates.named_by_file([PAYLOAD], key_is_public=False)
    public = Candidates.named_by_file([PAYLOAD], key_is_public=True)
    assert named and public and (named.counted, public.counted) == (1 << 20, 1 << 64) and named.named
    assert Candidates.named_by_file([], key_is_public=True) is None
    once = image.detect(ruined, KEY, effort="fast", candidates=[PAYLOAD]).false_positive_rate
    assert image.detect(ruined, KEY, effort="fast",
                        candidates=named).false_positive_rate == pytest.approx(once * 2**20)
    assert image.detect(ruined, KEY, effort="fast", candidates=public).payload is None


def test_rates_hold_for_unmarked_pictures() -> None:
    """Of 60 unmarked pictures at most a tenth may have a rate of a tenth, three deviations aside, and so on."""
    random, rates = np.random.default_rng(3), []
    for trial in range(60):
        pixels = random.normal(128, 20, (160, 160, 1)).clip(0, 255).astype(np.uint8)
        key = Key(random.bytes(16))
        find = search.TileSearch.of_picture(luma_of(pixels), key)
        kept = find.trials.observer = expected.Expected(log_of(20), key)
        assert find.own_period() is None, trial
        best = kept.likeliest(find.trials)
        rates.append(best[0].false_positive_rate if best else 1.0)
    for bound in (0.3, 0.1, 0.03):
        assert np.mean(np.array(rates) <= bound) <= bound + 3 * np.sqrt(bound / 60), bound
    assert min(rates) > 1e-5


def test_a_synchronisation_pattern_without_a_word_is_no_candidate() -> None:
    """A mark of another payload, or a decoy, has the whole pattern: none of many candidates may profit from it."""
    keyed, listed, random = tile.keyed_bins(KEY), log_of(100_000, PAYLOAD), np.random.default_rng(4)
    for sync, code, wanted in ((0.9, 0.0, False), (0.9, 0.4, True), (0.2, 0.4, True), (0.2, 0.0, False)):
        kept, trials = expected.Expected(listed, KEY), matcher.Trials(count=2 * matcher.SHIFTS)
        noise = random.standard_normal((1, 2048)) + 1j * random.standard_normal((1, 2048))
        bins = (sync + 1j * code * keyed.signs(int(PAYLOAD)) + noise * 0.7).astype(np.complex64)
        kept.keep(bins, matcher.correlate(bins))
        found = kept.decide(trials)
        assert bool(found) == wanted and (not found or found[0].word == int(PAYLOAD)), (sync, code)


@pytest.mark.parametrize("first,last,wanted", [(True, False, True), (False, True, True), (False, False, False)])
def test_of_many_planes_the_first_and_the_last_are_kept(first: bool, last: bool, wanted: bool) -> None:
    """A film's first frame, which was coded alone, and its last sums."""
    listed, keyed, random = log_of(4_000, PAYLOAD), tile.keyed_bins(KEY), np.random.default_rng(6)
    kept, trials = expected.Expected(listed, KEY), matcher.Trials(count=2 * matcher.SHIFTS)
    phases = (tile.placed_phases(KEY, int(PAYLOAD)) * keyed.phase.conj()) * (0.06 + 0.3j * keyed.signs(int(PAYLOAD)))
    for number in range(40):
        bins = 0.7 * (random.standard_normal((1, 2048)) + 1j * random.standard_normal((1, 2048)))
        is_marked = number == 0 and first or number == 39 and last
        bins = (bins + phases * is_marked).astype(np.complex64)
        kept.keep(bins, matcher.correlate(bins))
    found = kept.decide(trials)
    assert (found is not None and found[0].word == int(PAYLOAD)) == wanted


def test_bound_of_the_field_is_that_of_a_blind_read() -> None:
    trials = matcher.Trials(count=2 * matcher.SHIFTS)
    assert trials.word_chance(13.0) == pytest.approx(trials.word_chance(13.0, 1.0) * 2**64)
    assert trials.word_chance(-40.0, 1.0) == 1.0 and 0 < trials.word_chance(60.0, 1.0) < 1e-200
    assert tile.GRID**2 == matcher.SHIFTS


@pytest.fixture(scope="module")
def noisy_speech() -> np.ndarray:
    """Marked speech under noise, of which a blind read reads nothing."""
    marked = audio.embed(sounds.speech(10), 16_000, PAYLOAD, KEY)
    return marked + sounds.noise(10, 16_000, 0.015)[: len(marked)].reshape(marked.shape)


def test_sound_is_found_among_candidates(noisy_speech) -> None:
    assert audio.detect(noisy_speech, 16_000, KEY).payload is None
    for listed in (Candidates.of(PAYLOAD), log_of(100_000, PAYLOAD)):
        found = audio.detect(noisy_speech, 16_000, KEY, candidates=listed)
        assert found.payload == PAYLOAD and found.candidates == len(listed)
        assert found.false_positive_rate <= MAX_FALSE_POSITIVE_RATE


def test_sound_holds_no_other_candidate(noisy_speech) -> None:
    listed = log_of(100_000)
    assert not audio.detect(noisy_speech, 16_000, KEY, candidates=listed).found
    assert not audio.detect(noisy_speech, 16_000, STRANGER, candidates=[PAYLOAD]).found
    assert not audio.detect(sounds.speech(10), 16_000, KEY, candidates=log_of(100_000, PAYLOAD)).found
    assert not audio.detect(noisy_speech[:8000], 16_000, KEY, candidates=[PAYLOAD]).found


def test_film_is_found_among_candidates() -> None:
    random = np.random.default_rng(1)
    host = photo(360, 480)
    marked = image.embed(host, PAYLOAD, KEY)

    def frames(picture: np.ndarray) -> list[np.ndarray]:
        return [jpeg((picture + random.normal(0, 4, picture.shape)).clip(0, 255).astype(np.uint8), 8) for _ in range(6)]

    film = frames(marked)
    assert detect_frames(film, KEY, effort="fast").payload is None
    found = detect_frames(film, KEY, effort="fast", candidates=[PAYLOAD, OTHER])
    assert found.payload == PAYLOAD and found.candidates == 2
    assert not detect_frames(film, KEY, effort="fast", candidates=[OTHER]).found
    assert not detect_frames(frames(host), KEY, effort="fast", candidates=[PAYLOAD]).found
