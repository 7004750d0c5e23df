# SPDX-License-Identifier: Apache-2.0
"""Spoken labels in German, French, Spanish, Italian, Korean and Japanese: heard again, and not in other speech."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

import labelkit as lk
from benchmarks import audio_attacks as attacks
from labelkit import explicit
from labelkit.codec.samples import AudioSamples
from labelkit.compliance import Outcome, check
from labelkit.errors import InvalidArgument
from labelkit.explicit.audio import recordings
from labelkit.explicit.speech.make_speech import READ_AS, VOICES
from labelkit.languages import LANGUAGES
from labelkit.plan import Explicit
from tests import sounds

RATE = 24_000
OTHERS = ("de", "fr", "es", "it", "ko", "ja")


def _programme(seconds: float = 6) -> AudioSamples:
    return AudioSamples(sounds.speech(seconds, RATE)[:, None], RATE)


def _heard(samples: AudioSamples, *languages: str) -> list[str | None]:
    evidence = explicit.find(samples, languages=languages).evidence
    return [one.text for one in evidence.heard] if evidence else []


def _spoken(language: str, text: str) -> AudioSamples:
    voice, pace = VOICES[language]
    said = subprocess.run(["espeak-ng", "-v", voice, "-s", str(pace), "--stdout", text], capture_output=True,
                          check=True).stdout
    x = np.pad(np.frombuffer(said[44:], "<i2").astype(np.float32) / 32768, 11_025)
    return AudioSamples(x[:, None], 22_050)


@pytest.mark.parametrize("language", OTHERS)
def test_a_spoken_label_is_heard_again_after_lines_and_noise(language):
    labelled, drawn = explicit.draw(_programme(), Explicit(sound="speech", language=language))
    assert drawn.text == LANGUAGES[language].spoken
    assert 2.5 < drawn.seconds < 5  # as fast as people speak
    assert _heard(labelled) == [drawn.text]
    for name in ("telephone", "white_20", "speed_0.98"):
        changed, rate = attacks.apply(name, labelled.samples, RATE, seed=1)
        assert _heard(AudioSamples(changed.reshape(len(changed), -1), rate)) == [drawn.text], name
    assert _heard(_programme()) == []


def test_speech_at_another_speed_is_heard_in_the_language_that_is_asked_for():
    labelled, drawn = explicit.draw(_programme(), Explicit(sound="speech", language="de"))
    changed, rate = attacks.apply("tempo_1.25", labelled.samples, RATE, seed=1)
    fast = AudioSamples(changed.reshape(len(changed), -1), rate)
    assert _heard(fast) == []
    assert _heard(fast, "de") == [drawn.text]
    assert [one.text for one in explicit.find(fast, drawn.text).evidence.heard] == [drawn.text]  # a manifest names it
    assert _heard(fast, "fr") == []


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
@pytest.mark.parametrize("language, text", [
    ("de", "Diese Aufnahme wurde nicht mit künstlicher Intelligenz erzeugt"),
    ("de", "Diese Aufnahme wurde mit großer Sorgfalt im Studio erzeugt"),
    ("fr", "Cet enregistrement n'a pas été généré par intelligence artificielle"),
    ("es", "Este audio no ha sido generado por inteligencia artificial"),
    ("it", "Questo audio non è stato generato con intelligenza artificiale"),
    ("ko", "이 음성은 사람이 직접 녹음하였습니다"), ("ja", "この おんせいわ にんげんに よって つくられました")])
def test_another_sentence_of_the_same_voice_is_no_label(language, text):
    assert _heard(_spoken(language, text), language) == []
    own = READ_AS.get(language, LANGUAGES[language].spoken)
    assert _heard(_spoken(language, own), language) == [LANGUAGES[language].spoken]


def test_a_language_without_a_voice_is_refused():
    with pytest.raises(InvalidArgument, match="no bundled spoken label in pl"):
        explicit.draw(_programme(), Explicit(sound="speech", language="pl"))
    explicit.draw(_programme(), Explicit(sound="rhythm", language="pl"))


def test_mu_law_keeps_speech():
    x = sounds.speech(2, 16_000)
    again = recordings.expanded(recordings.compressed(x))
    assert 10 * np.log10(np.mean(x**2) / np.mean((x - again) ** 2)) > 33
    assert recordings.expanded(np.array([128], np.uint8)) == 0


def test_chinese_rules_are_not_met_by_a_german_voice():
    made = lk.embed(sounds.speech(4, RATE), label=lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", "1"),
                    plan=lk.Plan(explicit=Explicit(sound="speech", language="de"), watermark=None), rate=RATE,
                    format="wav")
    report = lk.verify(made)
    assert report.explicit.language == "de"
    assert [one.outcome for one in check(report) if one.rule == "explicit-label"] == [Outcome.FAIL]
