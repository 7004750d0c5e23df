# SPDX-License-Identifier: Apache-2.0
"""The audio watermark: what was embedded is detected, and nothing is detected in unmarked sound."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks
from labelkit import watermark
from labelkit.codec.samples import AudioSamples
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import audio
from labelkit.watermark.audio import difference
from tests import sounds
from tests.watermark.conftest import KEY, PAYLOAD

OTHER = Payload.from_int(0x28FFFFFF00000001)


def snr(host: np.ndarray, marked: np.ndarray) -> float:
    noise = np.square(marked.astype(np.float64) - host).sum()
    return 10 * np.log10(np.square(host.astype(np.float64)).sum() / noise)


# ---- what it does to the host

@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_every_rate_carries_the_payload(rate):
    host = sounds.speech(6, rate)
    marked = audio.embed(host, rate, PAYLOAD, KEY)
    assert audio.detect(marked, rate, KEY).payload == PAYLOAD
    assert marked.dtype == np.float32 and marked.shape == host.shape
    assert snr(host, marked) > 22


@pytest.mark.parametrize("shape", ["mono", "column", "stereo"])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_dtype_and_axes_come_back_as_they_went_in(shape, dtype):
    host = sounds.music(5)
    host = {"mono": host[:, 0], "column": host[:, :1], "stereo": host}[shape]
    host = np.ascontiguousarray(host if dtype == np.float32 else np.rint(host * 32767).astype(np.int16))
    before = host.copy()
    marked = audio.embed(host, 44_100, PAYLOAD, KEY)
    assert (marked.dtype, marked.shape) == (host.dtype, host.shape)
    assert np.array_equal(host, before), "the host is left as it is"
    assert audio.detect(marked, 44_100, KEY).payload == PAYLOAD


def test_full_scale_is_not_exceeded():
    host = np.clip(sounds.speech(6) * 4, -1, 1)
    marked = audio.embed(host, 16_000, PAYLOAD, KEY)
    assert np.abs(marked).max() <= 1
    assert audio.detect(marked, 16_000, KEY).payload == PAYLOAD


def test_what_was_above_full_scale_stays():
    host = sounds.speech(6) * 4
    marked = audio.embed(host, 16_000, PAYLOAD, KEY)
    assert np.abs(host).max() > 1.2
    assert snr(host, marked) > 22


def test_silence_stays_silent_and_attacks_have_no_echo_before_them():
    host = np.concatenate([sounds.speech(6), np.zeros(16_000, np.float32), sounds.speech(6, seed=2)])
    host[6 * 16_000 - 800 : 6 * 16_000] = 0
    marked = audio.embed(host, 16_000, PAYLOAD, KEY)
    pause = slice(6 * 16_000, 7 * 16_000)
    assert np.abs(marked[pause]).max() < 1.5e-5, "half a step of 16 bits"
    change = marked - host
    blocks = np.square(np.stack([host, change])[:, : len(host) // 160 * 160]).reshape(2, -1, 160).mean(2)
    loud = blocks[0] > 1e-8
    local = 10 * np.log10(blocks[0][loud] / np.maximum(blocks[1][loud], 1e-20))
    assert np.quantile(local, 0.005) > 12, "10 ms at a time"


@pytest.mark.parametrize("limit, filled", [(None, False), (1e3, True)])
def test_gaps_before_an_attack_are_not_filled_where_other_bands_are_loud(limit, filled, monkeypatch):
    if limit:
        monkeypatch.setattr(difference, "SPECTRAL_LIMIT", limit)
    spectra, hz = (np.fft.rfft(sounds.noise(6, 16_000, 0.3, seed)) for seed in (1, 2)), np.arange(48_001) / 6
    low, high = (np.fft.irfft(x * (abs(hz - f) < g)) for x, f, g in zip(spectra, (650, 3_000), (350, 500), strict=True))
    host = (low + high * np.where(np.arange(96_000) // 1_600 % 2, 1, 0.003)).astype(np.float32)  # on and off
    marked = audio.embed(host, 16_000, PAYLOAD, KEY)
    before = np.arange(1_280, 90_000, 3_200)[:, None] + np.arange(160)  # 10 to 20 ms before each attack
    was, now = (np.square(np.abs(np.fft.rfft(x[before] * np.blackman(160))[:, 27:34])).sum(1) for x in (host, marked))
    assert (np.median(now / was) > 10**0.4) == filled, "4 dB, from where on it is heard as added"


def test_no_dc_is_added(speech):
    assert abs(float((speech - sounds.speech(12)).mean())) < 1e-5


def test_strength_trades_fidelity_for_score():
    host = sounds.speech(6)
    weak, strong = (audio.embed(host, 16_000, PAYLOAD, KEY, strength=s) for s in (0.7, 2.0))
    assert snr(host, weak) > snr(host, strong) + 6
    noisy = [attacks.apply("white_10", x, 16_000)[0] for x in (weak, strong)]
    assert audio.detect(noisy[1], 16_000, KEY).payload == PAYLOAD
    assert audio.detect(noisy[0], 16_000, KEY).payload is None


# ---- decisions

@pytest.mark.parametrize("effort", ["fast", "normal", "deep"])
def test_unmarked_sound_has_no_mark(effort):
    for x, rate in ((sounds.speech(12), 16_000), (sounds.music(12), 44_100), (sounds.noise(12, 16_000), 16_000)):
        found = audio.detect(x, rate, KEY, effort=effort)
        assert not found.found and found.payload is None and found.false_positive_rate == 1.0


def test_wrong_key_finds_nothing(speech):
    assert not audio.detect(speech, 16_000, Key(b"another secret of this length"), effort="deep").found
    assert not audio.detect(speech, 16_000).found, "the public key is another key too"


def test_the_stated_rate_is_under_the_bar(speech):
    found = audio.detect(speech, 16_000, KEY)
    assert found.found and found.payload == PAYLOAD and found.score > 12
    assert 0 <= found.false_positive_rate <= 1e-9


# ---- refusals

@pytest.mark.parametrize("make", [sounds.speech, sounds.music, functools.partial(sounds.noise, rate=44_100)])
def test_a_clip_that_is_too_short_is_refused_with_the_length_that_would_do(make):
    rate = 16_000 if make is sounds.speech else 44_100
    for host in (make(0.6), make(1.0), np.concatenate([make(0.6), 0 * make(1.0)])):  # a pause holds nothing
        for number in range(3):
            with pytest.raises(HostTooSmall) as error:
                audio.embed(host, rate, Payload(1, 7, number), KEY)
            needed = error.value.message.facts["needed"]
            assert needed * 2 % 1 == 0 and 1.5 < needed <= len(host) / rate + 3
            audio.embed(make(needed), rate, PAYLOAD, KEY)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_hardly_any_samples_are_refused(length):
    with pytest.raises(HostTooSmall):
        audio.embed(np.zeros(length, np.float32), 48_000, PAYLOAD, KEY)
    assert not audio.detect(np.zeros(length, np.float32), 48_000, KEY).found


def test_silence_is_refused():
    with pytest.raises(HostTooSmall, match="too little sound"):
        audio.embed(np.zeros(160_000, np.float32), 16_000, PAYLOAD, KEY)
    nearly = np.concatenate([sounds.speech(1), np.zeros(80_000, np.float32)])
    with pytest.raises(HostTooSmall):
        audio.embed(nearly, 16_000, PAYLOAD, KEY)


# ---- presence alone

@pytest.mark.parametrize("seconds", [0.9, 1.5, 3])
def test_presence_alone_is_found_in_a_clip_too_short_for_an_id(seconds):
    for host, rate in ((sounds.speech(seconds), 16_000), (sounds.music(seconds), 44_100)):
        marked = audio.embed(host, rate, None, KEY)
        for effort in ("fast", "normal", "deep"):
            found = audio.detect(marked, rate, KEY, effort=effort)
            assert found.found and found.payload is None and found.presence_only
            assert 0 < found.false_positive_rate <= 1e-9
        assert snr(host, marked) > 22
        assert not audio.detect(host, rate, KEY, effort="deep").found, "unmarked"
        assert not audio.detect(marked, rate, Key(b"another secret of this length"), effort="deep").found
        assert not audio.detect(marked, rate).found, "nor the public key"


@pytest.mark.parametrize("name", ["gain_-6", "polarity", "rate_8k", "telephone", "white_20", "reverb", "mp3_64k",
                                  "aac_64k", "opus_24k"])
def test_presence_alone_survives(name):
    if name not in attacks.names():
        pytest.skip(f"{name} needs av")
    attacked, rate = attacks.apply(name, audio.embed(sounds.speech(3), 16_000, None, KEY), 16_000, seed=1)
    assert audio.detect(attacked, rate, KEY).presence_only


@pytest.mark.parametrize("name", ["speed_0.9", "speed_1.1", "pitch_+1"])
def test_presence_alone_on_the_time_axis(name):
    attacked, rate = attacks.apply(name, audio.embed(sounds.speech(3), 16_000, None, KEY), 16_000, seed=1)
    assert audio.detect(attacked, rate, KEY).presence_only and audio.detect(attacked, rate, KEY, effort="deep").found
    assert not audio.detect(attacked, rate, KEY, effort="fast").found


def test_an_id_is_never_taken_for_presence_nor_presence_for_an_id():
    for seconds in (1, 2, 4, 12, 40):
        host = sounds.speech(seconds, seed=3)
        presence = audio.embed(host, 16_000, None, KEY)
        assert audio.detect(presence, 16_000, KEY, effort="deep").presence_only
        marker = audio.AudioMarker(16_000, 1, PAYLOAD, KEY)  # which marks whether it will be read or not
        marked = np.concatenate([marker.push(host), marker.finish()])
        assert not audio.detect(marked, 16_000, KEY, effort="deep").presence_only


def test_a_short_marked_sound_is_placed_in_a_long_one():
    effect = audio.embed(sounds.music(1.5, 16_000)[:, 0], 16_000, None, KEY)
    found = audio.detect(np.concatenate([sounds.speech(20), effect, sounds.speech(20, seed=4)]), 16_000, KEY)
    assert found.found and abs(found.geometry.start_s - 20) < 0.5 and abs(found.geometry.end_s - 21.5) < 0.5


def test_an_id_beside_presence_is_the_answer(speech):
    effect = audio.embed(sounds.music(3, 16_000)[:, 0], 16_000, None, KEY)
    gap = sounds.speech(70, seed=4)
    found = audio.detect(np.concatenate([effect, gap, speech]), 16_000, KEY)
    assert found.payload == PAYLOAD and found.geometry.presence_only is None
    assert {segment.payload for segment in found.geometry.segments} == {PAYLOAD.hex, None}


def test_too_short_for_presence_too():
    with pytest.raises(HostTooSmall) as error:
        audio.embed(sounds.speech(0.5), 16_000, None, KEY)
    assert 0.5 < error.value.message.facts["needed"] < 3
    with pytest.raises(HostTooSmall, match="too little sound"):
        audio.embed(np.zeros(48_000, np.float32), 16_000, None, KEY)


@pytest.mark.parametrize("kind", [np.float32, np.int16])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_can_be_marked_in_place(speech, kind, channels):
    host = np.repeat(speech[:, None], channels, axis=1)
    host = (host * 20_000).astype(kind) if kind == np.int16 else host
    wanted = audio.embed(host, 16_000, PAYLOAD, KEY)
    room = host.copy()
    assert audio.embed(room, 16_000, PAYLOAD, KEY, out=room) is room and np.array_equal(room, wanted)
    other = np.zeros_like(host)
    assert audio.embed(host, 16_000, PAYLOAD, KEY, out=other) is other and np.array_equal(other, wanted)
    for wrong in (other[:-1], other.astype(np.float64), other[..., None]):
        with pytest.raises(InvalidArgument, match="out must be"):
            audio.embed(host, 16_000, PAYLOAD, KEY, out=wrong)


@pytest.mark.parametrize("samples, rate, more", [
    (np.zeros(9, np.float64), 16_000, {}), (np.zeros((2, 3, 4), np.float32), 16_000, {}), ([0.0], 16_000, {}),
    (np.full(9, np.nan, np.float32), 16_000, {}), (np.full(9, 1e30, np.float32), 16_000, {}),
    (np.zeros(9, np.float32), 4_000, {}),
    (np.zeros(9, np.float32), 16e3, {}),
    (np.zeros((9, 65), np.float32), 16_000, {}), (np.zeros((9, 0), np.float32), 16_000, {}),
    (np.zeros(9, np.float32), 16_000, {"strength": 9}), (np.zeros(9, np.float32), 16_000, {"strength": True})])
def test_what_cannot_be_taken_is_refused(samples, rate, more):
    with pytest.raises(InvalidArgument):
        audio.embed(samples, rate, PAYLOAD, KEY, **more)
    if not more:
        with pytest.raises(InvalidArgument):
            audio.detect(samples, rate, KEY)


@pytest.mark.parametrize("level", [9e3, 1e-20])
def test_sound_at_the_ends_of_the_scale_raises_no_warnings(level):
    with np.errstate(all="raise"):
        assert not audio.detect(sounds.noise(8, 16_000, level / 4), 16_000, KEY, effort="deep").found


def test_unknown_effort_is_refused():
    with pytest.raises(InvalidArgument, match="effort"):
        audio.detect(np.zeros(9, np.float32), 16_000, effort="enormous")


# ---- geometry

def test_a_marked_stretch_is_placed_in_unmarked_sound(speech):
    rate = 16_000
    whole = np.concatenate([sounds.speech(20, seed=5), speech[: 10 * rate], sounds.speech(30, seed=6)])
    found = audio.detect(whole, rate, KEY)
    assert found.payload == PAYLOAD
    assert abs(found.geometry.start_s - 20) < 0.3 and abs(found.geometry.end_s - 30) < 0.3
    assert len(found.geometry.segments) == 1


@pytest.mark.parametrize("robustness, within_s", [("hard", 0.5), ("everyday", 1.5)])
def test_two_marks_in_one_file_are_both_found(robustness, within_s):
    parts = [audio.embed(sounds.speech(12, seed=seed), 16_000, payload, KEY, robustness=robustness)
             for seed, payload in ((1, PAYLOAD), (9, OTHER))]
    found = audio.detect(np.concatenate(parts), 16_000, KEY)
    segments = {segment.payload: segment for segment in found.geometry.segments}
    assert segments.keys() == {PAYLOAD.hex, OTHER.hex}
    assert abs(segments[PAYLOAD.hex].end_s - 12) < within_s and abs(segments[OTHER.hex].start_s - 12) < within_s


def test_two_keys_mark_the_same_sound(speech):
    second = Key(b"the recipient's, not the owner's")
    both = audio.embed(speech, 16_000, OTHER, second)
    assert audio.detect(both, 16_000, KEY).payload == PAYLOAD
    assert audio.detect(both, 16_000, second).payload == OTHER


def test_one_channel_alone_is_searched_where_the_mean_is_silent():
    host = sounds.music(8)[:, :1]
    marked = audio.embed(np.hstack([host, -host]), 44_100, PAYLOAD, KEY)
    assert audio.detect(marked, 44_100, KEY).payload == PAYLOAD


@pytest.mark.parametrize("key,named,other", [(None, "the public key", "this key"), (KEY, "this key", "public key")])
def test_what_is_not_found_names_the_key_that_was_meant(key, named, other):
    samples = AudioSamples(sounds.speech(4)[:, None], 16_000)
    said = str(watermark.find(samples, key).summary)
    assert said.startswith(f"no watermark of {named}, score") and other not in said


@pytest.mark.parametrize("key", [b"sixteen bytes or more of secret", "secret"])
def test_a_key_of_another_type_is_refused(key):
    for make in (lambda: audio.AudioMarker(16_000, 1, PAYLOAD, key), lambda: audio.AudioDetector(16_000, 1, key),
                 lambda: audio.embed(sounds.speech(3), 16_000, PAYLOAD, key)):
        with pytest.raises(InvalidArgument, match="key must be a Key"):
            make()
