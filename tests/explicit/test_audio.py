# SPDX-License-Identifier: Apache-2.0
"""The label that people hear: put where it was asked for, as loud as it should be, and found again."""

from __future__ import annotations

import importlib.util
import wave

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks
from labelkit import explicit
from labelkit.codec.samples import AudioSamples
from labelkit.errors import InvalidArgument, InvalidLabel, UnsupportedFormat
from labelkit.explicit import audio, loudness, rhythm
from labelkit.plan import Explicit
from labelkit.report import Status
from tests import sounds

RATE = 24_000


def programme(seconds: float = 8, rate: int = RATE) -> AudioSamples:
    return AudioSamples(sounds.speech(seconds, rate)[:, None], rate)


def found(samples: AudioSamples) -> list[dict]:
    return explicit.find(samples).evidence.get("heard", [])


# ---- the rhythm

@pytest.mark.parametrize("unit_s", [0.08, 0.1, 0.12])
def test_morse_timing(unit_s):
    x = rhythm.tone(8_000, unit_s=unit_s)
    loud = np.abs(x).reshape(11, -1).max(1) > 0.5
    assert list(loud.astype(int)) == [1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    assert np.abs(x[:8]).max() < 0.1 and np.abs(x[-8:]).max() < 0.1, "shaped edges"


@pytest.mark.parametrize("place, starts", [("start", 1), ("end", 1), ("both", 2), ("middle", 1)])
def test_it_is_put_where_it_was_asked_for(place, starts):
    host = programme()
    labelled, evidence = explicit.draw(host, Explicit(place=place))
    heard = found(labelled)
    assert len(heard) == len(evidence["starts_s"]) == starts
    for said, seen in zip(evidence["starts_s"], heard, strict=True):
        assert abs(said - seen["start_s"]) < 0.05
    assert explicit.find(labelled).status is Status.VALID
    assert len(labelled.samples) > len(host.samples)


def test_the_programme_itself_is_untouched():
    host = programme()
    labelled, evidence = explicit.draw(host, Explicit(place="start"))
    assert np.array_equal(labelled.samples[-len(host.samples):], host.samples)
    assert evidence["starts_s"][0] >= 0.25, "head room for outputs that sleep"


def test_in_the_middle_it_is_put_into_a_pause():
    host = programme(10)
    quiet = host.samples.copy()
    quiet[int(5.6 * RATE) : int(6.2 * RATE)] = 0
    _, evidence = explicit.draw(AudioSamples(quiet, RATE), Explicit(place="middle"))
    assert 5.6 <= evidence["starts_s"][0] - 0.4 <= 6.2


def test_it_repeats():
    labelled, evidence = explicit.draw(programme(30), Explicit(repeat_s=8))
    assert len(evidence["starts_s"]) >= 3 and len(found(labelled)) == len(evidence["starts_s"])


@pytest.mark.parametrize("gain", [0.05, 0.3, 1.0])
def test_its_loudness_follows_the_programme(gain):
    host = AudioSamples(sounds.speech(8, RATE)[:, None] * np.float32(gain), RATE)
    labelled, evidence = explicit.draw(host, Explicit())
    at = int(evidence["starts_s"][0] * RATE)
    label = labelled.samples[at : at + int(evidence["seconds"] * RATE)]
    under = loudness.integrated(host.samples, RATE) - loudness.integrated(label, RATE)
    assert abs(under - audio.UNDER_LU) < 1.5 or loudness.integrated(label, RATE) < -34.5
    assert np.abs(labelled.samples).max() <= 1


def test_loudness_of_the_standard_s_reference_tone():
    """BS.1770-4: a 997 Hz sine of 0 dBFS reads -3.01 LUFS; in two channels 3 dB more; silence reads the gate."""
    tone = np.sin(2 * np.pi * 997 * np.arange(96_000) / 48_000).astype(np.float32)[:, None]
    assert loudness.integrated(tone, 48_000) == pytest.approx(-3.01, abs=0.1)
    assert loudness.integrated(np.hstack([tone, tone]), 48_000) == pytest.approx(0, abs=0.1)
    assert loudness.integrated(tone * 0, 48_000) == loudness.SILENT_LUFS


SURVIVES = ["gain_-6", "polarity", "pcm8", "compressor", "agc", "rate_8k", "telephone", "highpass_500", "white_10",
            "pink_15", "babble_10", "echo", "speed_0.9", "speed_1.1", "speed_1.25", "tempo_1.05", "mp3_32k", "aac_32k",
            "opus_16k", "opus_voice_12k", "alaw", "vorbis_q0"]


@pytest.mark.parametrize("name", SURVIVES)
def test_it_is_found_after(name):
    if name not in attacks.names():
        pytest.skip(f"{name} needs " + ("soundfile" if not importlib.util.find_spec("soundfile") else "av"))
    labelled, _ = explicit.draw(programme(), Explicit())
    attacked, rate = attacks.apply(name, labelled.samples, RATE, seed=1)
    assert len(found(AudioSamples(attacked.reshape(len(attacked), -1), rate))) == 1


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_heard_where_nothing_is(seed):
    for samples in (AudioSamples(sounds.speech(20, RATE, seed)[:, None], RATE),
                    AudioSamples(sounds.music(20, seed=seed), 44_100),
                    AudioSamples(sounds.noise(20, RATE, seed=seed)[:, None], RATE)):
        assert explicit.find(samples).status is Status.ABSENT


@pytest.mark.parametrize("gate", ["101110101", "11101000101", "10101010101", "1011100010101"])
def test_other_rhythms_are_not_it(gate):
    """Without the letter gap, N for A, plain dots, S for I."""
    unit = int(0.1 * RATE)
    tone = np.sin(2 * np.pi * 1047 * np.arange(unit * len(gate)) / RATE) * np.repeat(list(map(int, gate)), unit) * 0.3
    x = np.pad(tone, RATE).astype(np.float32)[:, None]
    assert not found(AudioSamples(x, RATE))


def test_a_clip_of_nothing_can_be_asked():
    assert explicit.find(AudioSamples(np.zeros((0, 1), np.float32), RATE)).status is Status.ABSENT
    labelled, _ = explicit.draw(AudioSamples(np.zeros((RATE, 2), np.float32), RATE), Explicit())
    assert len(found(labelled)) == 1


# ---- speech

@pytest.mark.parametrize("text, language, characters", [("AI生成", "zh", 10), ("made by AI", "en", None)])
def test_the_bundled_labels(text, language, characters):
    labelled, evidence = explicit.draw(programme(), Explicit(sound="speech", text=text))
    assert evidence["text"] == audio.SPOKEN[language]
    if characters:  # GB 45438-2025 5.3, note 4
        assert 120 <= characters / (evidence["seconds"] / 60) <= 160
    assert np.abs(labelled.samples).max() <= 1


def test_rhythm_and_speech_together():
    labelled, evidence = explicit.draw(programme(), Explicit(sound="both"))
    assert evidence["seconds"] > 5 and len(found(labelled)) == 1


def test_any_recording(tmp_path):
    path = tmp_path / "own.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes((sounds.music(2) * 20_000).astype("<i2").tobytes())
    _, evidence = explicit.draw(programme(), Explicit(sound="speech", recording=path, text="本节目由AI合成"))
    assert evidence["seconds"] == pytest.approx(2, abs=0.01) and evidence["text"] == "本节目由AI合成"
    with pytest.raises(InvalidLabel):
        explicit.draw(programme(), Explicit(sound="speech", recording=path, text="AI播客"))


def test_recordings_that_cannot_be_used(tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF????WAVE")
    with pytest.raises(UnsupportedFormat):
        explicit.draw(programme(), Explicit(sound="speech", recording=tmp_path / "bad.wav"))
    with pytest.raises(InvalidArgument):
        explicit.draw(programme(), Explicit(sound="speech", recording=tmp_path / "none.wav"))


@pytest.mark.parametrize("settings", [{"sound": "song"}, {"place": "everywhere"}, {"repeat_s": 1}, {"repeat_s": True}])
def test_settings_are_checked(settings):
    with pytest.raises(InvalidArgument):
        Explicit(**settings)
