# SPDX-License-Identifier: Apache-2.0
"""How loud the audible label is on several channels (ITU-R BS.1770)."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.codec.samples import AudioSamples
from labelkit.explicit.audio import drawing as audio, loudness
from labelkit.plan import Explicit
from tests import sounds

RATE = 24_000
LAYOUTS = {1: (1,), 2: (1, 1), 5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}


@pytest.mark.parametrize("sound", ["rhythm", "speech"])
@pytest.mark.parametrize("channels", LAYOUTS)
def test_the_label_is_as_loud_on_many_channels_as_on_one(channels, sound):
    one = sounds.speech(8, RATE)
    host = AudioSamples(np.repeat(one[:, None], channels, axis=1), RATE)
    explicit = Explicit(sound=sound, text="AI生成")
    marked, drawn = audio.draw(host, explicit)
    begin = round(drawn.starts_s[0] * RATE)
    label = marked.samples[begin:begin + round(drawn.seconds * RATE)]
    under = loudness.integrated(host.samples, RATE) - loudness.integrated(label, RATE)
    assert under == pytest.approx(audio.UNDER_LU if sound == "rhythm" else 0, abs=1)
    silent = [channel for channel in range(channels) if not np.abs(label[:, channel]).max()]
    assert silent == ([3] if channels == 6 else [])


def test_weights_that_the_file_tells_go_before_the_usual_order():
    vorbis = (1, 1, 1, 1.41, 1.41, 0)
    host = np.repeat(sounds.speech(8, RATE)[:, None], 6, axis=1) * np.float32(0.2)
    marked, drawn = audio.draw(AudioSamples(host, RATE, None, vorbis), Explicit())
    label = marked.samples[round(drawn.starts_s[0] * RATE):][:round(drawn.seconds * RATE)]
    assert [bool(np.abs(label[:, channel]).max()) for channel in range(6)] == [True] * 5 + [False]


def test_effects_of_low_frequency_do_not_count_and_surround_counts_more():
    t = np.arange(48_000 * 2) / 48_000
    tone = (0.1 * np.sin(2 * np.pi * 997 * t)).astype(np.float32)

    def alone(channel: int) -> float:
        samples = np.zeros((len(tone), 6), np.float32)
        samples[:, channel] = tone
        return loudness.integrated(samples, 48_000)
    assert alone(3) == loudness.SILENT_LUFS
    assert alone(4) - alone(0) == pytest.approx(1.5, abs=0.02) and alone(2) == pytest.approx(alone(0), abs=0.001)


def test_a_rate_of_almost_nothing_has_no_loudness():
    assert loudness.integrated(np.ones((100, 1), np.float32), 1) == loudness.SILENT_LUFS


def test_the_loudness_of_a_stream_is_that_of_the_whole():
    host = sounds.music(3, 44_100)
    meter = loudness.Meter(44_100, 2)
    for part in np.array_split(host, 37):
        meter.push(part)
    assert meter.integrated() == loudness.integrated(host, 44_100) != loudness.integrated(host[::-1], 44_100)


def test_what_is_no_number_counts_as_silence_does():
    host = sounds.speech(4, RATE)[:, None]
    meter = loudness.Meter(RATE, 1)
    for part in (host, np.full((RATE, 1), np.nan, np.float32), host):
        meter.push(part)
    assert meter.integrated() == pytest.approx(loudness.integrated(host, RATE), abs=0.2)
    assert loudness.integrated(np.full((RATE, 1), np.nan, np.float32), RATE) == loudness.SILENT_LUFS


@pytest.mark.parametrize("rate, most", [(8_000, 0.35), (16_000, 0.15), (44_100, 0.02), (96_000, 0.02)])
def test_the_weighting_is_the_same_at_every_rate(rate, most):
    for hz in (60, 400, 997, 2_000, 3_000):
        tone = (0.1 * np.sin(2 * np.pi * hz * np.arange(2 * rate) / rate)).astype(np.float32)[:, None]
        wanted = -0.691 + 10 * np.log10(0.005 * loudness.weighting(np.array([hz]))[0])
        assert loudness.integrated(tone, rate) == pytest.approx(wanted, abs=most)
