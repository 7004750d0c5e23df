# SPDX-License-Identifier: Apache-2.0
"""The audible label: it is where it was asked for, as loud as it should be, and found again."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks
from labelkit import explicit
from labelkit.codec.samples import AudioSamples
from labelkit.errors import InvalidArgument, InvalidLabel, OutputFailed, UnsupportedFormat
from labelkit.evidence import DrawnSound, ExplicitEvidence, HeardLabel
from labelkit.explicit.audio import drawing as audio, loudness, morse, recordings
from labelkit.plan import Explicit
from labelkit.report import Status
from tests import sounds

RATE = 24_000


def programme(seconds: float = 8, rate: int = RATE) -> AudioSamples:
    return AudioSamples(sounds.speech(seconds, rate)[:, None], rate)


def found(samples: AudioSamples) -> list[HeardLabel]:
    evidence = explicit.find(samples).evidence
    return list(evidence.heard or ()) if isinstance(evidence, ExplicitEvidence) else []


# ---- the rhythm

@pytest.mark.parametrize("unit_s", [0.08, 0.1, 0.12])
def test_morse_timing(unit_s):
    x = morse.tone(8_000, unit_s=unit_s)
    loud = np.abs(x).reshape(11, -1).max(1) > 0.5
    assert list(loud.astype(int)) == [1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    assert np.abs(x[:8]).max() < 0.1 and np.abs(x[-8:]).max() < 0.1, "shaped edges"


@pytest.mark.parametrize("place, starts", [("start", 1), ("end", 1), ("both", 2), ("middle", 1)])
def test_it_is_put_where_it_was_asked_for(place, starts):
    host = programme()
    labelled, evidence = explicit.draw(host, Explicit(place=place))
    heard = found(labelled)
    assert len(heard) == len(evidence.starts_s) == starts
    for said, seen in zip(evidence.starts_s, heard, strict=True):
        assert abs(said - seen.start_s) < 0.05
    assert explicit.find(labelled).status is Status.VALID
    assert len(labelled.samples) > len(host.samples)


def test_the_programme_itself_is_untouched():
    host = programme()
    labelled, evidence = explicit.draw(host, Explicit(place="start"))
    assert np.array_equal(labelled.samples[-len(host.samples):], host.samples)
    assert evidence.starts_s[0] >= 0.25, "head room for outputs that sleep"


def test_in_the_middle_it_is_put_into_a_pause():
    host = programme(10)
    quiet = host.samples.copy()
    quiet[int(5.6 * RATE) : int(6.2 * RATE)] = 0
    _, evidence = explicit.draw(AudioSamples(quiet, RATE), Explicit(place="middle"))
    assert 5.6 <= evidence.starts_s[0] - 0.4 <= 6.2


def test_it_repeats():
    labelled, evidence = explicit.draw(programme(30), Explicit(repeat_s=8))
    assert len(evidence.starts_s) >= 3 and len(found(labelled)) == len(evidence.starts_s)


@pytest.mark.parametrize("gain", [0.05, 0.3, 1.0])
def test_its_loudness_follows_the_programme(gain):
    host = AudioSamples(sounds.speech(8, RATE)[:, None] * np.float32(gain), RATE)
    labelled, evidence = explicit.draw(host, Explicit())
    at = int(evidence.starts_s[0] * RATE)
    label = labelled.samples[at : at + int(evidence.seconds * RATE)]
    under = loudness.integrated(host.samples, RATE) - loudness.integrated(label, RATE)
    assert abs(under - audio.UNDER_LU) < 1.5 or loudness.integrated(label, RATE) < -34.5
    assert np.abs(labelled.samples).max() <= 1


@pytest.mark.parametrize("sound, most_lu", [("rhythm", 0), ("speech", audio.UNDER_LU)])
@pytest.mark.parametrize("lufs", [-24, -38, -46])
def test_it_is_never_far_above_a_quiet_programme(lufs, sound, most_lu):
    host = sounds.speech(8, RATE)[:, None]
    host = host * np.float32(10 ** ((lufs - loudness.integrated(host, RATE)) / 20))  # the tests share the original
    labelled, evidence = explicit.draw(AudioSamples(host, RATE), Explicit(sound=sound))
    at = int(evidence.starts_s[0] * RATE)
    label = loudness.integrated(labelled.samples[at : at + int(evidence.seconds * RATE)], RATE)
    assert lufs - audio.UNDER_LU - 0.5 < label < lufs + most_lu + 0.5
    assert [one.sound for one in found(labelled)] == [sound], "and found there"


def test_a_programme_of_almost_nothing_has_a_label_that_can_be_heard():
    assert audio.rhythm_lufs(-66.0) == -50 and audio.rhythm_lufs(loudness.SILENT_LUFS) == -32
    assert audio.rhythm_lufs(-33.0) == -36 and audio.rhythm_lufs(-20.0) == -26 and audio.rhythm_lufs(-5.0) == -16


def test_loudness_of_the_standard_s_reference_tone():
    """BS.1770-4: a 997 Hz sine of 0 dBFS reads -3.01 LUFS; in two channels 3 dB more; silence reads the gate."""
    tone = np.sin(2 * np.pi * 997 * np.arange(96_000) / 48_000).astype(np.float32)[:, None]
    assert loudness.integrated(tone, 48_000) == pytest.approx(-3.01, abs=0.1)
    assert loudness.integrated(np.hstack([tone, tone]), 48_000) == pytest.approx(0, abs=0.1)
    assert loudness.integrated(tone * 0, 48_000) == loudness.SILENT_LUFS


SURVIVES = ["gain_-6", "polarity", "pcm8", "compressor", "agc", "rate_8k", "telephone", "highpass_500", "white_10",
            "pink_15", "babble_10", "echo", "speed_0.9", "speed_1.1", "speed_1.25", "tempo_1.05", "mp3_32k", "aac_32k",
            "opus_16k", "opus_voice_12k", "alaw", "vorbis_q0", "reverb", "rerecord"]
SURVIVES += ["amr_nb"] * ("amr_nb" in attacks.names())  # the wheels of PyAV 19 have no encoder for it


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
    assert evidence.text == recordings.SPOKEN[language]
    if characters:  # GB 45438-2025 5.3, note 4
        assert 120 <= characters / (evidence.seconds / 60) <= 160
    assert np.abs(labelled.samples).max() <= 1


def test_rhythm_and_speech_together():
    labelled, evidence = explicit.draw(programme(), Explicit(sound="both"))
    heard = found(labelled)
    assert evidence.seconds > 5 and [one.sound for one in heard] == ["rhythm", "speech"]
    assert 1.3 < heard[1].start_s - heard[0].start_s < 1.7
    for language, said in (("en", "Morse code at 0.4 s"), ("zh-CN", "语音标识“本音频由人工智能生成”")):
        assert said in explicit.find(labelled).summary.text(language)


SPOKEN = [("AI生成", "zh"), ("made by AI", "en")]
SPEECH_SURVIVES = [*SURVIVES, "speed_0.98", "clip_2%", "tempo_0.85", "tempo_1.25",
                   "overlay_15", "voice_message"]


@pytest.mark.parametrize("text, language", SPOKEN)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_a_bundled_label_is_known_again_wherever_it_stands(text, language, place):
    labelled, evidence = explicit.draw(programme(20), Explicit(sound="speech", text=text, place=place))
    [heard] = found(labelled)
    assert (heard.sound, heard.text, heard.speed) == ("speech", recordings.SPOKEN[language], 1.0)
    assert abs(heard.start_s - evidence.starts_s[0]) < 0.1
    assert explicit.find(labelled).status is Status.VALID
    for level in (0.01, 0.5):
        assert len(found(AudioSamples(labelled.samples * np.float32(level), RATE))) == 1


@pytest.mark.parametrize("text, language", SPOKEN)
@pytest.mark.parametrize("name", SPEECH_SURVIVES)
def test_a_bundled_label_is_known_again_after(name, text, language):
    if name not in attacks.names():
        pytest.skip(f"{name} needs " + ("soundfile" if not importlib.util.find_spec("soundfile") else "av"))
    labelled, _ = explicit.draw(programme(), Explicit(sound="speech", text=text))
    attacked, rate = attacks.apply(name, labelled.samples, RATE, seed=1)
    assert [one.text for one in found(AudioSamples(attacked.reshape(len(attacked), -1), rate))] == [
        recordings.SPOKEN[language]]


def test_the_rhythm_is_found_with_music_6_db_under_it():
    labelled, evidence = explicit.draw(programme(), Explicit())
    at = int(evidence.starts_s[0] * RATE)
    label = labelled.samples[at : at + int(evidence.seconds * RATE)]
    music = attacks.resize(sounds.music(20, seed=3).mean(1)[:, None], 20 * RATE)[: len(labelled.samples)]
    under = music * (attacks._level(label, RATE) / attacks._level(music, RATE) / 2)
    mixed = AudioSamples((labelled.samples + under).astype(np.float32), RATE)
    assert [one.sound for one in found(mixed)] == ["rhythm"]
    assert not found(AudioSamples(under.astype(np.float32), RATE))


def test_both_languages_and_repeats_are_told_apart():
    chinese, _ = explicit.draw(programme(30), Explicit(sound="speech", repeat_s=10))
    english, _ = explicit.draw(programme(5), Explicit(sound="speech", text="made by AI", place="end"))
    heard = found(AudioSamples(np.concatenate([chinese.samples, english.samples]), RATE))
    assert [one.text for one in heard] == [*[recordings.SPOKEN["zh"]] * 3, recordings.SPOKEN["en"]]


def test_a_label_across_blocks_of_a_minute_is_heard_once():
    long = AudioSamples(np.tile(sounds.speech(20, RATE), 8)[:, None], RATE)
    labelled, evidence = explicit.draw(long, Explicit(sound="speech", repeat_s=17))
    assert [round(one.start_s) for one in found(labelled)] == [round(start) for start in evidence.starts_s]


def other_words(label: np.ndarray) -> dict[str, np.ndarray]:
    """The same voice saying something else: a part of the label gone, in another order, backwards, another's place."""
    third = len(label) // 3
    one, two, three = label[:third], label[third : 2 * third], label[2 * third :]
    swapped = label.copy()
    swapped[-RATE // 2 :] = label[RATE // 2 : RATE]
    return {"cut short": label[: -RATE // 2], "begun late": label[RATE // 2 :], "backwards": label[::-1],
            "reordered": np.concatenate([two, three, one]), "middle gone": np.concatenate([one, three]),
            "another end": swapped}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("words", ["cut short", "begun late", "reordered", "backwards", "middle gone", "another end"])
def test_the_same_voice_saying_something_else_is_no_label(words, language):
    voice = recordings.speech(Explicit(text=recordings.SPOKEN[language]), RATE)
    for x, heard in ((voice, 1), (other_words(voice)[words], 0)):
        around = np.concatenate([np.zeros(RATE // 2, np.float32), x, np.zeros(RATE // 2, np.float32)])
        assert len(found(AudioSamples(around[:, None].astype(np.float32), RATE))) == heard


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
@pytest.mark.parametrize("voice, pace, text, heard", [
    ("cmn", 126, "本音频由人工智能生成", True), ("cmn", 126, "本音频由真人录制完成", False),
    ("cmn", 126, "本视频由人工智能生成", False), ("cmn", 126, "本音频不由人工智能生成", False),
    ("cmn", 126, "今天的天气非常好我们去公园散步", False),
    ("en-us", 140, "This audio was generated by AI", True), ("en-us", 140, "This audio was generated by hand", False),
    ("en-us", 140, "This video was generated by AI", False),
    ("en-us", 140, "This audio was not generated by AI", False),
    ("en-us", 140, "Artificial intelligence is changing the way we live", False)])
def test_another_sentence_of_the_same_synthesiser_is_no_label(voice, pace, text, heard):
    spoken = subprocess.run(["espeak-ng", "-v", voice, "-s", str(pace), "--stdout", text], capture_output=True,
                            check=True).stdout
    x = np.pad(np.frombuffer(spoken[44:], "<i2").astype(np.float32) / 32768, 11_025)
    assert bool(found(AudioSamples(x[:, None], 22_050))) is heard


def test_a_recording_of_ones_own_is_read_back(tmp_path):
    """`verify` does not know it; `embed` does, and says so where it is not in what was written."""
    path = tmp_path / "own.wav"
    path.write_bytes(sounds.wave_bytes(sounds.speech(2.5, RATE, seed=7), RATE))
    wanted = Explicit(sound="both", recording=path, text="本节目由AI合成", place="both")
    host = programme()
    labelled, evidence = explicit.draw(host, wanted)
    explicit.confirm(lambda: labelled, wanted, evidence)
    for name in ("aac_32k", "opus_voice_12k", "babble_10"):
        if name in attacks.names():
            attacked, _ = attacks.apply(name, labelled.samples, RATE, seed=1)
            explicit.confirm(lambda x=attacked: AudioSamples(x.reshape(len(x), -1), RATE), wanted, evidence)
    with pytest.raises(OutputFailed, match="not heard"):
        explicit.confirm(lambda: host, wanted, evidence)
    rhythm = DrawnSound(sound="rhythm", text="AI", place="start", starts_s=(0.4,), seconds=1.1)
    explicit.confirm(lambda: host, Explicit(), rhythm)  # a rhythm is not confirmed
    assert [one.sound for one in found(labelled)] == ["rhythm", "rhythm"]


def test_any_recording(tmp_path):
    path = tmp_path / "own.wav"
    path.write_bytes(sounds.wave_bytes(sounds.music(2), 44_100))
    _, evidence = explicit.draw(programme(), Explicit(sound="speech", recording=path, text="本节目由AI合成"))
    assert evidence.seconds == pytest.approx(2, abs=0.01) and evidence.text == "本节目由AI合成"
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


# ---- rhythms of other makers, and how loud one is


def with_rhythm(unit_s: float, pitch_hz: float, gain_db: float = -10.0) -> AudioSamples:
    tone = morse.tone(RATE, unit_s=unit_s, pitch_hz=pitch_hz) * np.float32(10 ** (gain_db / 20))
    pause = np.zeros(int(max(0.4, 3 * unit_s) * RATE), np.float32)
    return AudioSamples(np.concatenate([pause, tone, pause, sounds.speech(8, RATE)])[:, None], RATE)


@pytest.mark.parametrize("unit_s", [0.04, 0.06, 0.1, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("pitch_hz", [400, 440, 1000, 2000, 3000])
def test_the_standard_names_neither_pace_nor_pitch(unit_s, pitch_hz):
    [heard] = found(with_rhythm(unit_s, pitch_hz))
    assert heard.unit_s == pytest.approx(unit_s, rel=0.06) and abs(heard.pitch_hz - pitch_hz) < 40


def melody(seed: int, seconds: int = 40) -> AudioSamples:
    """Single notes and rests, as long as dots and dashes, on a scale: what is most like a rhythm and is none."""
    random = np.random.default_rng(seed)
    out, at, unit_s = np.zeros(seconds * RATE), 0, random.uniform(0.05, 0.4)
    while at < len(out):
        n = int(unit_s * random.choice([1, 1, 2, 3]) * RATE)
        t = np.arange(n) / RATE
        note = np.sin(2 * np.pi * 440 * 2 ** (random.integers(-3, 24) / 12) * t) * np.exp(-t * random.choice([0, 2]))
        out[at : at + n] += (random.random() < 0.7) * note[: len(out) - at]
        at += n
    return AudioSamples((0.3 * out).astype(np.float32)[:, None], RATE)


@pytest.mark.parametrize("seed", range(4))
def test_a_melody_is_no_rhythm(seed):
    assert not found(melody(seed))


@pytest.mark.parametrize(("over_db", "is_heard"), [(0.0, True), (-6.0, True), (-18.0, False)])
def test_a_rhythm_that_other_sound_drowns_is_none(over_db, is_heard):
    """In music the pattern occurs by chance, far below a bass that sounds with it (a film in a public collection)."""
    tone = np.pad(morse.tone(RATE), RATE // 2)
    bass = np.sin(2 * np.pi * 110 * np.arange(len(tone)) / RATE)
    samples = (0.5 * bass + 0.5 * 10 ** (over_db / 20) * tone).astype(np.float32)[:, None]
    assert bool(found(AudioSamples(samples, RATE))) == is_heard


@pytest.mark.parametrize("pitch_hz", [500, 1047, 2500])
@pytest.mark.parametrize("gain_db", [-40.0, -6.0])
def test_loudness_of_a_rhythm_is_that_of_its_tone(pitch_hz, gain_db):
    samples = with_rhythm(0.1, pitch_hz, gain_db)
    [heard] = found(samples)
    t = np.arange(2 * RATE) / RATE
    sine = (10 ** (gain_db / 20) * np.sin(2 * np.pi * pitch_hz * t)).astype(np.float32)[:, None]
    assert heard.loudness_lufs == pytest.approx(loudness.integrated(sine, RATE), abs=1)
    speech = loudness.integrated(sounds.speech(8, RATE)[:, None], RATE)
    assert heard.level_db == pytest.approx(heard.loudness_lufs - speech, abs=1)
    assert "dB against the programme" in str(explicit.find(samples).summary)


def test_a_rhythm_alone_has_no_level():
    tone = morse.tone(RATE)
    [heard] = found(AudioSamples(np.pad(tone, RATE)[:, None], RATE))
    assert heard.level_db is None and heard.loudness_lufs == pytest.approx(-3, abs=1)
