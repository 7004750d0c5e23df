# SPDX-License-Identifier: Apache-2.0
"""When a stream of sound is measured: ever more rarely, and anew where its sound changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks, sustained
from labelkit.key import Key
from labelkit.watermark import audio
from labelkit.watermark.audio import listener, margin
from labelkit.watermark.audio.character import Character
from labelkit.watermark.audio.difference import DifferenceMaker
from tests import sounds
from tests.watermark.conftest import KEY, PAYLOAD

RATE = 24_000


def organ(seconds: float) -> np.ndarray:
    """float32 [frames]: sustained tones, which need and get little."""
    t = np.arange(int(seconds * RATE)) / RATE
    tones = sum(level * np.sin(2 * np.pi * hz * t + hz) for hz, level in sustained.PADS["organ on C4"])
    return (tones + sounds.noise(seconds, RATE, 1e-4)).astype(np.float32)


def stream(host: np.ndarray, chunk: int = 480) -> np.ndarray:
    """The host marked in chunks."""
    marker = audio.AudioMarker(RATE, 1, PAYLOAD, KEY)
    parts = [marker.push(host[at : at + chunk]) for at in range(0, len(host), chunk)]
    return np.concatenate([*parts, marker.finish()])


@pytest.fixture
def changes(monkeypatch) -> list[tuple[float, float]]:
    """Seconds and amplitude of each change of a stream's amplitude."""
    seen: list[tuple[float, float]] = []
    change = DifferenceMaker.set_amplitude

    def record(self: DifferenceMaker, amplitude: float, at_s: float) -> None:
        seen.append((at_s, amplitude))
        change(self, amplitude, at_s)

    monkeypatch.setattr(DifferenceMaker, "set_amplitude", record)
    return seen


def colour(kind: int) -> tuple[np.ndarray, np.ndarray]:
    """What a look sees of one of several sounds; that of 0 is digital silence."""
    if not kind:
        return np.full(76, -43, np.float32), np.zeros(76, np.float32)
    return np.roll(np.linspace(0, 10, 76), 19 * kind).astype(np.float32), np.full(76, 2.0, np.float32)


def measured(kinds: list[int], monkeypatch, needs: dict[int, float] | None = None) -> list[tuple[int, float]]:
    """The looks, from 1 on, after which the amplitude changed, and to what, of a stream of so many looks."""
    heard, asked, seen = listener.Listener(RATE), [], []

    def need(samples: np.ndarray, rate: int, counted_s: float) -> float:
        asked.append(samples.copy())
        return (needs or {}).get(int(samples[0]) % 10, 1.0)

    monkeypatch.setattr(margin, "amplitude", need)
    for look, kind in enumerate(kinds, 1):
        size = heard.left
        part = np.full(size, 10 * look + kind, np.float32)
        for half in np.array_split(part, 2):
            if heard.collects:
                heard.hear(half)
            else:
                heard.left -= len(half)
        amplitude = heard.look(*colour(kind))
        if amplitude is not None:
            assert np.unique(asked[-1]).tolist() == [10 * (look - 1) + kinds[look - 2], 10 * look + kind]
            assert len(asked[-1]) >= margin.PERIOD_S * RATE + 1
            seen.append((look, amplitude))
    assert len(asked) == len(seen)
    return seen


def test_a_sound_that_stays_is_measured_ever_more_rarely(monkeypatch):
    looks = [look for look, _ in measured([1] * 160, monkeypatch)]
    assert looks == [2, 6, 18, 50, 82, 114, 146]
    assert listener.Listener(RATE).left * 32 / RATE == pytest.approx(49, abs=0.2), "seconds between the last"


def test_another_sound_is_measured_after_three_looks(monkeypatch):
    seen = measured([1] * 30 + [2] * 30, monkeypatch, {1: 0.5, 2: 1.25})
    assert [look for look, _ in seen] == [2, 6, 18, 33, 37, 49]
    assert [amplitude for _, amplitude in seen] == pytest.approx([0.5] * 3 + [1.25] * 3), "none of the old in the mean"


@pytest.mark.parametrize("kinds", [[1] * 20 + [2, 2] + [1] * 20, [1] * 20 + [0] * 9 + [1] * 20])
def test_a_moment_and_silence_change_nothing(kinds, monkeypatch):
    assert [look for look, _ in measured(kinds, monkeypatch)] == [2, 6, 18]


def test_silence_at_the_start_is_not_measured(monkeypatch):
    assert [look for look, _ in measured([0] * 9 + [1] * 9, monkeypatch)] == [11, 15]


def test_a_sound_that_varies_and_needs_the_same_is_measured_less_and_less(monkeypatch):
    restless = [1 + (n // 4) % 2 for n in range(200)]
    same = measured(restless, monkeypatch)
    other = measured(restless, monkeypatch, {1: 0.5, 2: 1.25})
    assert len(same) < 20 and len(other) > 40


def test_the_amplitude_is_the_mean_over_one_sound(monkeypatch):
    needs = itertools.cycle([1.0, 1.2])
    monkeypatch.setattr(margin, "amplitude", lambda *_: next(needs))
    heard, seen = listener.Listener(RATE), []
    for _ in range(20):
        if heard.collects:
            heard.hear(np.zeros(heard.left, np.float32))
        seen.append(heard.look(*colour(1)))
    assert [one for one in seen if one] == pytest.approx([1.0, 1.2**0.5, 1.2 ** (1 / 3)])


def test_a_stream_follows_its_sound_within_seconds(changes):
    """Speech behind an organ is read after Opus, and the organ behind speech swells little."""
    host = np.concatenate([organ(30), sounds.speech(20, RATE), organ(20)])
    marked = stream(host)
    assert min(amplitude for at, amplitude in changes if 4 < at < 30) < 0.6
    assert next(at for at, amplitude in changes if at > 30 and amplitude > 0.9) < 36.5
    assert next(at for at, amplitude in changes if at > 50 and amplitude < 0.6) < 56.5
    attacked, rate = attacks.apply("opus_24k", marked[35 * RATE : 50 * RATE], RATE, seed=3)
    assert audio.detect(attacked, rate, KEY).payload == PAYLOAD
    assert not audio.detect(attacked, rate, Key(b"another secret of this length")).found
    assert np.array_equal(stream(host, 7_001), marked), "whatever the chunks"


def test_a_stream_that_stays_is_not_measured_for_a_change(changes, monkeypatch):
    stream(np.concatenate([organ(30), organ(20)]))
    assert [round(at / margin.PERIOD_S) for at, _ in changes] == [1, 3, 9]
    changes.clear()
    monkeypatch.setattr(Character, "differs", lambda *_: False)
    stream(np.concatenate([organ(30), sounds.speech(20, RATE)]))
    assert [round(at / margin.PERIOD_S) for at, _ in changes] == [1, 3, 9], "what would be without it"
    assert changes[-1][1] < 0.6


def test_quiet_pauses_are_passed_over_and_quiet_sound_is_measured_in_the_end(changes):
    speech, hiss = sounds.speech(20, RATE), sounds.noise(30, RATE, 1e-4)
    stream(np.concatenate([speech, hiss[: 7 * RATE], speech]))
    assert len(changes) == 3, "at 3, 9 and 28 s of speech"
    changes.clear()
    stream(np.concatenate([speech, hiss]))
    assert any(at > 25 for at, _ in changes)
