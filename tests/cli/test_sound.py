# SPDX-License-Identifier: Apache-2.0
"""The audible label from the command line: which sound, where, how often, whose voice."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import PRODUCER
from tests.sounds import noise, speech

RATE = 16_000
SECONDS = 8.0
AROUND = 0.4  # seconds of quiet before a label and after it


def write_wave(name: str, sound: np.ndarray, width: int = 2) -> Path:
    with wave.open(name, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(RATE)
        scaled = np.round(sound * 30000)
        file.writeframes((scaled.astype("<i2") if width == 2 else (128 + scaled / 256).astype(np.uint8)).tobytes())
    return Path(name)


def seconds(name: str) -> float:
    with wave.open(name) as file:
        return file.getnframes() / file.getframerate()


@pytest.fixture
def embed(run):
    """Labels talk.wav with further options: (exit code, stderr, seconds at which a label is heard)."""
    write_wave("talk.wav", speech(SECONDS, RATE))

    def call(*words: object) -> tuple[int, str, list[float]]:
        Path("out.wav").unlink(missing_ok=True)
        code, _, err = run("embed", "talk.wav", "-o", "out.wav", *PRODUCER, "--layers", "explicit,metadata", *words)
        if code:
            assert not Path("out.wav").exists()
            return code, err, []
        said = json.loads(run("verify", "out.wav", "--layers", "explicit", "--require", "explicit", "--json")[1])
        return code, err, [one["start_s"] for one in said["layers"]["explicit"]["evidence"].get("heard", [])]
    return call


def test_the_place_is_the_one_asked_for(embed):
    assert embed()[2] == [pytest.approx(AROUND, abs=0.1)]
    assert embed("--place", "end")[2] == [pytest.approx(SECONDS + AROUND, abs=0.1)]
    start, end = embed("--place", "both")[2]
    assert start < 1 and end > SECONDS
    [middle] = embed("--place", "middle")[2]
    assert SECONDS / 5 < middle < SECONDS * 4 / 5


def test_the_label_comes_again_where_that_is_asked_for(embed):
    assert len(embed("--repeat", "5")[2]) == 2
    assert len(embed("--repeat", "0")[2]) == 1
    assert embed("--repeat", "4")[:2] == (2, "repeat_s must be a number from 5.0 to 86400.0, got 4.0\n")
    assert embed("--repeat", "nan")[0] == 2


def test_speech_rhythm_and_both_are_heard(embed):
    lengths = {}
    for sound, times in (("rhythm", 1), ("speech", 1), ("both", 2)):
        assert len(embed("--sound", sound)[2]) == times
        lengths[sound] = seconds("out.wav") - SECONDS
    assert lengths["both"] == pytest.approx(lengths["rhythm"] + lengths["speech"] - AROUND, abs=0.01)


def test_a_recording_of_ones_own(embed):
    write_wave("voice.wav", noise(1.5, RATE))
    assert embed("--sound", "speech", "--recording", "voice.wav")[0] == 0
    assert seconds("out.wav") == pytest.approx(SECONDS + 1.5 + 2 * AROUND, abs=0.01)
    write_wave("eight.wav", noise(1.5, RATE), width=1)
    code, err, _ = embed("--sound", "speech", "--recording", "eight.wav")
    assert code == 1 and "eight.wav: a recording is a WAV file of 16 bits: 8 bits" in err
    code, err, _ = embed("--sound", "speech", "--recording", "missing.wav")
    assert code == 1 and "missing.wav: cannot read the recording" in err


def test_a_recording_that_would_not_be_heard_is_refused(embed):
    write_wave("voice.wav", noise(1.5, RATE))
    for more in ((), ("--sound", "rhythm")):
        assert embed("--recording", "voice.wav", *more)[:2] == (
            2, "--recording is a spoken label, but --sound asks for none\nhint: give --sound speech or --sound both\n")


@pytest.mark.parametrize("words", [("--sound", "song"), ("--place", "top"), ("--repeat", "often")])
def test_what_there_is_not_is_wrong_usage(embed, words):
    code, err, _ = embed(*words)
    assert code == 2 and words[0] in err and "hint: see labelkit embed --help" in err


def test_settings_of_sound_come_from_file_and_environment(embed, monkeypatch):
    Path("elsewhere").mkdir()
    write_wave("elsewhere/voice.wav", noise(1.5, RATE))
    text = 'sound = "speech"\nplace = "both"\nrepeat = 0\nrecording = "voice.wav"\n'
    Path("elsewhere/settings.toml").write_text(text)
    monkeypatch.setenv("LABELKIT_CONFIG", "elsewhere/settings.toml")
    assert embed()[0] == 0
    assert seconds("out.wav") == pytest.approx(SECONDS + 2 * (1.5 + 2 * AROUND), abs=0.01)
    monkeypatch.setenv("LABELKIT_PLACE", "start")
    assert embed()[0] == 0
    assert seconds("out.wav") == pytest.approx(SECONDS + 1.5 + 2 * AROUND, abs=0.01)


def test_a_clip_too_short_for_an_id_carries_presence_where_that_is_asked_for(run):
    write_wave("ding.wav", speech(1.5, RATE))
    words = ("embed", "ding.wav", "-o", "out.wav", *PRODUCER, "--layers", "watermark,metadata",
             "--explicit-present")
    code, _, err = run(*words)
    assert code == 1 and "too short to carry 64 bits" in err and "--presence-only" in err
    code, out, _ = run(*words, "--presence-only")
    assert code == 0 and "watermark" not in out, "no id is claimed"
    for language, said in (("en", "presence only: the mark"), ("zh-CN", "不带编号：检出")):
        mark = json.loads(run("verify", "out.wav", "--json", "--lang", language)[1])["layers"]["watermark"]
        assert (mark["status"], mark["payload"], mark["evidence"]["presence_only"]) == ("valid", None, True)
        assert said in mark["summary"] and mark["evidence"]["false_positive_rate"] <= 1e-9
    said = json.loads(run("verify", "ding.wav", "--json")[1])["layers"]["watermark"]
    assert said["status"] == "absent" and not said["evidence"]["presence_only"]


def test_presence_alone_is_for_sound(run):
    from tests.media import photo, saved
    Path("cat.png").write_bytes(saved(photo(), "PNG"))
    code, _, err = run("embed", "cat.png", "-o", "out.png", *PRODUCER, "--presence-only")
    assert code == 1 and "presence alone is carried by sound" in err and not Path("out.png").exists()
