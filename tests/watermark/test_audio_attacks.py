# SPDX-License-Identifier: Apache-2.0
"""The audio watermark after what happens to sound between labelling and verification."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks
from labelkit.watermark import audio
from tests.watermark.conftest import KEY, PAYLOAD

PLAIN = ["gain_-6", "polarity", "pcm8", "clip_2%", "compressor", "agc", "rate_8k", "lowpass_4k", "highpass_500",
         "telephone", "equaliser", "white_20", "pink_20", "babble_20", "echo", "reverb", "crop_5s", "crop_3s",
         "dropout_1%", "delete_1%", "concat", "overlay_15", "clock_500ppm"]
TIMED = {"speed_0.8": 0.8, "speed_1.1": 1.1, "speed_1.25": 1.25, "tempo_0.95": 0.95, "tempo_1.05": 1.05,
         "pitch_-1": 1.0, "pitch_+1": 1.0}
CODECS = ["mp3_64k", "aac_64k", "opus_24k", "opus_16k", "vorbis_q0", "alaw", "voice_message"]


@pytest.mark.parametrize("name", PLAIN)
def test_speech_survives(name, speech):
    attacked, rate = attacks.apply(name, speech, 16_000, seed=1)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD


@pytest.mark.parametrize("name", ["rerecord", "downmix", "left", "swap", "overlay_15"])
def test_music_survives(name, music):
    attacked, rate = attacks.apply(name, music, 44_100, seed=1)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD


@pytest.mark.parametrize("name", ["white_10", "babble_10"])
def test_music_survives_strong_noise_where_all_is_spent(name, hard_music):
    attacked, rate = attacks.apply(name, hard_music, 44_100, seed=1)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD


@pytest.mark.parametrize("name", TIMED)
def test_time_axis(name, speech):
    attacked, rate = attacks.apply(name, speech, 16_000, seed=1)
    found = audio.detect(attacked, rate, KEY)
    assert found.payload == PAYLOAD
    if name.startswith("speed"):
        assert found.geometry.speed == pytest.approx(TIMED[name], rel=0.005)


@pytest.mark.parametrize("name, tempo", [("speed_1.1_tempo_0.97", 1.1 * 0.97), ("speed_0.93_tempo_1.04", 0.93 * 1.04)])
def test_speed_and_tempo_together(name, tempo, hard_speech):
    attacked, rate = attacks.apply(name, hard_speech, 16_000, seed=1)
    found = audio.detect(attacked, rate, KEY, effort="deep")
    assert found.payload == PAYLOAD and found.false_positive_rate <= 1e-9
    assert found.geometry.tempo == pytest.approx(tempo, rel=0.005)


def test_slow_drift_is_measured_without_a_search_for_replays(speech):
    plain = audio.detect(speech, 16_000, KEY).geometry
    for factor in (0.994, 1.004):
        found = audio.detect(attacks.speed(speech[:, None], factor)[:, 0].astype(np.float32), 16_000, KEY,
                             effort="fast")
        assert found.payload == PAYLOAD
        assert found.geometry.speed == pytest.approx(factor, abs=0.002), "20 ms over 12 s"
    assert plain.speed == plain.tempo == 1.0


def test_speed_and_tempo_together_need_the_deep_search(hard_speech):
    """The negative twin: the default effort searches for speed, for tempo and for pitch, not for two of them."""
    attacked, rate = attacks.apply("speed_0.93_tempo_1.04", hard_speech, 16_000, seed=1)
    assert not audio.detect(attacked, rate, KEY).found


@pytest.mark.parametrize("name", CODECS)
def test_codecs(name, music):
    if name not in attacks.names():
        pytest.skip(f"{name} needs " + ("soundfile" if not importlib.util.find_spec("soundfile") else "av"))
    attacked, rate = attacks.apply(name, music, 44_100, seed=1)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD


def test_one_mono_rate_can_be_detected_at_another(speech):
    at_48 = attacks.resize(speech[:, None], len(speech) * 3)[:, 0].astype(np.float32)
    assert audio.detect(at_48, 48_000, KEY).payload == PAYLOAD
