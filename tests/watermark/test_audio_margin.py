# SPDX-License-Identifier: Apache-2.0
"""The class `everyday` of sound: as much mark as a sound needs, and read all the same."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks, sustained
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.watermark import audio
from labelkit.watermark.audio import difference, embedder, margin
from tests import sounds
from tests.watermark.conftest import KEY, PAYLOAD

RATE = 24_000
CLASSES = ("everyday", "hard")


def pad(seconds: float, rate: int = RATE) -> np.ndarray:
    """float32 [frames], up to 40 s: a chord of detuned saws that swells slowly, over the hiss of any recording."""
    return _pad(rate)[: int(seconds * rate)].copy()


@functools.cache
def _pad(rate: int) -> np.ndarray:
    t = np.arange(40 * rate) / rate
    saws = itertools.product((110, 164.8, 220, 277.2), (0.996, 1, 1.004), range(1, 24))
    x = sum(np.sin(2 * np.pi * base * detune * h * t + h * h) / h**1.2 for base, detune, h in saws)
    return (0.02 * x * (1 + 0.2 * np.sin(2 * np.pi * t / 7)) + sounds.noise(40, rate, 5e-4)).astype(np.float32)


def change(host: np.ndarray, robustness: str) -> float:
    marked = audio.embed(host, RATE, PAYLOAD, KEY, robustness=robustness)
    return float(np.square(marked - host, dtype=np.float64).sum())


def test_steady_sound_is_changed_less_than_the_class_hard_does():
    host = pad(12)
    assert change(host, "everyday") < 0.75 * change(host, "hard")
    with pytest.raises(InvalidArgument):
        change(host, "heard")


@pytest.mark.parametrize("attack", ["mp3_64k", "opus_16k", "rate_16k"])
@pytest.mark.parametrize("make", [pad, sounds.speech])
def test_everyday_sound_is_read(make, attack):
    attacked, rate = attacks.apply(attack, audio.embed(make(15, RATE), RATE, PAYLOAD, KEY), RATE, seed=3)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD
    assert not audio.detect(attacked, rate, Key(b"another secret of this length")).found
    assert not audio.detect(attacks.apply(attack, make(15, RATE), RATE)[0], rate, KEY).found, "unmarked"


def test_sustained_tones_hardly_swell_and_are_read_all_the_same():
    partials = sustained.PADS["organ on C4"]
    host = sustained.pad(partials)
    marked, hard = (audio.embed(host, sustained.RATE, PAYLOAD, KEY, robustness=one) for one in CLASSES)
    assert np.median(sustained.modulations(host, marked, partials)) <= 0.055
    assert np.median(sustained.modulations(host, hard, partials)) > 0.12
    for attack in ("mp3_64k", "opus_24k"):
        attacked, rate = attacks.apply(attack, marked, sustained.RATE)
        assert audio.detect(attacked, rate, KEY).payload == PAYLOAD
        assert not audio.detect(attacked, rate, Key(b"another secret of this length")).found
        assert not audio.detect(attacks.apply(attack, host, sustained.RATE)[0], rate, KEY).found, "unmarked"


@pytest.mark.parametrize("make", [sounds.speech, sounds.music])
def test_what_moves_by_itself_is_not_held_back_as_sustained_tones_are(make, monkeypatch):
    host = make(12, RATE)
    spent = margin.amplitude(host, RATE)
    monkeypatch.setattr(margin, "_SWELL", 1e9)
    assert margin.amplitude(host, RATE) == spent


def test_short_speech_gets_more_than_a_long_pad():
    speech, steady = sounds.speech(5, RATE), pad(40)
    assert margin.amplitude(speech, RATE) > margin.amplitude(steady, RATE)
    assert margin.amplitude(speech[: 2 * RATE], RATE) == margin.MOST, "less than a period"


def test_longer_sound_needs_less():
    twelve = sounds.speech(12, RATE)
    assert margin.amplitude(twelve, RATE, 30.0) < margin.amplitude(twelve, RATE, 12.0)
    assert margin.amplitude(twelve, RATE, 600.0) == margin.amplitude(twelve, RATE, margin.COUNTED_S)


def test_what_is_spent_depends_on_the_sound_alone():
    host = sounds.music(12, RATE)
    spent = margin.amplitude(host, RATE)
    assert margin.amplitude((host * 32768).astype(np.int16), RATE) == pytest.approx(spent, rel=0.05)
    assert margin.amplitude(host / 8, RATE) == pytest.approx(spent, rel=0.05), "a gain of 18 dB changes little"
    assert margin.LEAST <= spent <= margin.MOST


def test_silence_and_nothing_are_measured():
    for host in (np.zeros(10 * RATE, np.float32), np.zeros(0, np.float32), np.zeros((RATE, 2), np.int16)):
        assert margin.amplitude(host, RATE) == margin.MOST


def test_no_band_is_deeper_than_in_the_class_hard():
    makers = [difference.DifferenceMaker(RATE, 1, PAYLOAD, KEY, 1.0, amplitude)
              for amplitude in (margin.LEAST, 1.0, 2.0, margin.MOST, difference.HARD)]
    depths = [maker._depths for maker in makers]
    assert all((lower <= higher).all() for lower, higher in itertools.pairwise(depths))
    assert (depths[0] < depths[1]).all() and np.array_equal(depths[-2], depths[-1])


def test_presence_alone_gets_all():
    host = sounds.speech(8, RATE)
    assert np.array_equal(*(audio.embed(host, RATE, None, KEY, robustness=one) for one in CLASSES))


@pytest.mark.parametrize("in_place", [False, True])
def test_what_is_not_read_at_the_measured_amplitude_gets_all(in_place, monkeypatch):
    host = sounds.speech(6, RATE)
    hard = audio.embed(host, RATE, PAYLOAD, KEY, robustness="hard")
    monkeypatch.setattr(margin, "amplitude", lambda *_: 0.01)
    given = host.copy()
    assert np.array_equal(audio.embed(given, RATE, PAYLOAD, KEY, out=given if in_place else None), hard)
    assert in_place or np.array_equal(given, host)


def test_sections_are_measured_apart(monkeypatch):
    monkeypatch.setattr(margin, "sections", lambda frames, *_: [(0, frames // 2), (frames // 2, frames)])
    host = np.concatenate([sounds.speech(14, RATE), pad(14)])
    asked = []
    measured = margin.amplitude
    monkeypatch.setattr(margin, "amplitude", lambda *given: asked.append(measured(*given)) or asked[-1])
    marked = audio.embed(host, RATE, PAYLOAD, KEY)
    assert len(asked) == 2 and asked[0] != asked[1]
    for size in (10_000, 100_000, len(host)):
        blocks = [host[at : at + size] for at in range(0, len(host), size)]
        parts = embedder.embed_in_blocks(lambda blocks=blocks: iter(blocks), RATE, 1, len(host), PAYLOAD, KEY)
        assert np.array_equal(np.concatenate(list(parts)), marked)
    for part in (marked[: 14 * RATE], marked[14 * RATE :]):
        assert audio.detect(part, RATE, KEY).payload == PAYLOAD


def test_a_minute_is_one_section_and_an_hour_is_many():
    assert margin.sections(60 * 48_000, 48_000, 2) == [(0, 60 * 48_000)]
    hour = margin.sections(3600 * 48_000, 48_000, 2)
    assert hour[0][0] == 0 and hour[-1][1] == 3600 * 48_000 and 57 <= len(hour) <= 60
    assert all(one[1] == two[0] for one, two in itertools.pairwise(hour))
    assert margin.sections(0, 48_000, 1) == [(0, 0)]


def test_a_stream_is_measured_as_it_is_heard():
    host = np.concatenate([pad(20), sounds.speech(14, RATE)])
    streams = []
    for size in (480, 5_000, len(host)):
        marker = audio.AudioMarker(RATE, 1, PAYLOAD, KEY)
        parts = [marker.push(host[at : at + size]) for at in range(0, len(host), size)]
        streams.append(np.concatenate([*parts, marker.finish()]))
    assert np.array_equal(streams[0], streams[1]) and np.array_equal(streams[0], streams[2]), "whatever the chunks"
    hard = audio.embed(host, RATE, PAYLOAD, KEY, robustness="hard")
    first, steady = slice(0, 6 * RATE), slice(8 * RATE, 18 * RATE)
    ratios = [np.square(streams[0] - host)[part].sum() / np.square(hard - host)[part].sum() for part in (first, steady)]
    assert max(ratios) < 0.9 and ratios[0] != pytest.approx(ratios[1], rel=0.1), "it changes with what was heard"
    for part in (slice(0, 10 * RATE), slice(20 * RATE, None)):
        assert audio.detect(streams[0][part], RATE, KEY).payload == PAYLOAD


def organ(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    tones = sum(level * np.sin(2 * np.pi * hz * t + hz) for hz, level in sustained.PADS["organ on C4"])
    return (tones + sounds.noise(seconds, RATE, 1e-4)).astype(np.float32)


def test_a_section_whose_sound_changes_is_marked_in_parts():
    """The organ alone is held back, and all of it: not the speech behind it or before it."""
    speech = sounds.speech(30, RATE)
    (first, low), (change, high) = margin.amplitudes(np.concatenate([organ(20), speech]), RATE)
    assert first == 0 and 0 <= change - 20 * RATE < 0.2 * RATE
    assert low == pytest.approx(margin.amplitude(organ(20), RATE), rel=0.1) and low < 0.5
    assert high == pytest.approx(margin.amplitude(speech, RATE), rel=0.2) and high > 0.9
    (only,) = margin.amplitudes(np.concatenate([organ(5), speech]), RATE)
    assert only[1] == pytest.approx(high, rel=0.2), "a beginning that is too short to be measured decides nothing"
    (_, high), (change, low) = margin.amplitudes(np.concatenate([speech, organ(20)]), RATE)
    assert high > 0.9 and low < 0.5 and -0.2 * RATE < change - 30 * RATE <= 0


@pytest.mark.parametrize("host", [sounds.speech(40, RATE), sounds.music(40, RATE), organ(30), organ(12),
                                  np.concatenate([organ(6), sounds.speech(13, RATE)])],
                         ids=["speech", "music", "organ", "short", "short and changing"])
def test_a_section_whose_sound_stays_has_one_amplitude(host):
    assert margin.amplitudes(host, RATE) == [(0, margin.amplitude(host, RATE))]


def test_a_file_is_read_before_and_behind_a_change():
    host = np.concatenate([organ(20), sounds.speech(30, RATE)])
    marked = audio.embed(host, RATE, PAYLOAD, KEY)
    attacked, rate = attacks.apply("opus_24k", marked[25 * RATE : 40 * RATE], RATE)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD
    assert audio.detect(marked[: 15 * RATE], RATE, KEY).payload == PAYLOAD
    assert not audio.detect(attacked, rate, Key(b"another secret of this length")).found
    blocks = [host[at : at + 70_000] for at in range(0, len(host), 70_000)]
    parts = embedder.embed_in_blocks(lambda: iter(blocks), RATE, 1, len(host), PAYLOAD, KEY)
    assert np.array_equal(np.concatenate(list(parts)), marked)
