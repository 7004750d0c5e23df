# SPDX-License-Identifier: Apache-2.0
"""Marked voices that are mixed: each is named, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

import labelkit
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.report import Layer
from labelkit.watermark import audio
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE
from tests import sounds

KEY = Key(b"the key of the mixed voices test")
VOICES = [Payload(1, 7, 4000 + number) for number in range(3)]
RATE = 16_000
SECONDS = 15


def voice(number: int, key: Key = KEY) -> np.ndarray:
    return audio.embed(sounds.speech(SECONDS, RATE, seed=30 + number), RATE, VOICES[number], key, robustness="hard")


def mixed(*gains: float, key: Key = KEY, apart_s: float = 1.07) -> np.ndarray:
    """Voices laid over each other, each one later than the one before."""
    frames = round(apart_s * RATE)
    out = np.zeros(SECONDS * RATE + frames * (len(gains) - 1), np.float32)
    for number, gain in enumerate(gains):
        out[frames * number :][: SECONDS * RATE] += np.float32(gain) * voice(number, key)
    return out


def named(found) -> dict[str, float]:
    return {segment.payload: segment.false_positive_rate for segment in found.geometry.segments or ()}


@pytest.mark.parametrize("gains", [(1, 1), (1, 0.5), (0.5, 1), (1, 1, 1)])
@pytest.mark.parametrize("effort", ["normal", "deep"])
def test_every_voice_is_named_at_a_stated_rate(gains, effort):
    found = audio.detect(mixed(*gains), RATE, KEY, effort=effort)
    rates = named(found)
    assert rates.keys() == {payload.hex for payload in VOICES[: len(gains)]}
    assert all(rate <= MAX_FALSE_POSITIVE_RATE for rate in rates.values())
    assert found.false_positive_rate == rates[found.payload.hex]
    assert set(found.geometry.also) == rates.keys() - {found.payload.hex}


def test_voices_that_begin_together_are_both_named():
    found = audio.detect(mixed(1, 0.6, apart_s=0), RATE, KEY)
    assert named(found).keys() == {payload.hex for payload in VOICES[:2]}


@pytest.mark.parametrize("strength", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("make", [sounds.speech, sounds.music])
def test_one_mark_has_one_name(make, strength):
    host = make(20, RATE)
    mono = host if host.ndim == 1 else np.ascontiguousarray(host.mean(1))
    found = audio.detect(audio.embed(mono, RATE, VOICES[0], KEY, strength=strength), RATE, KEY)
    assert named(found).keys() == {VOICES[0].hex} and found.geometry.also is None


def test_an_unmarked_voice_beside_a_marked_one_has_no_name():
    frames = round(1.07 * RATE)
    both = np.zeros(SECONDS * RATE + frames, np.float32)
    both[: SECONDS * RATE] += voice(0)
    both[frames:] += sounds.speech(SECONDS, RATE, seed=31)
    assert named(audio.detect(both, RATE, KEY)).keys() == {VOICES[0].hex}
    plain = sounds.speech(SECONDS, RATE, seed=30)
    plain = np.pad(plain, (0, frames)) + np.pad(sounds.speech(SECONDS, RATE, seed=31), (frames, 0))
    assert not audio.detect(plain, RATE, KEY).found


def test_another_key_names_nobody():
    assert not audio.detect(mixed(1, 1), RATE, Key(b"another key than theirs")).found


def test_the_report_names_them():
    data = sounds.wave_bytes(mixed(1, 1, key=Key.public()), RATE)
    finding = labelkit.verify(data)[Layer.WATERMARK]
    also = finding.evidence.geometry.also
    assert {finding.payload.hex, *also} == {payload.hex for payload in VOICES[:2]} and also[0] in str(finding.summary)
    alone = labelkit.verify(sounds.wave_bytes(voice(0, Key.public()), RATE))[Layer.WATERMARK]
    assert alone.payload == VOICES[0] and alone.evidence.geometry.also is None and "also" not in str(alone.summary)
