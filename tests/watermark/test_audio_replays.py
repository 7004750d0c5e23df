# SPDX-License-Identifier: Apache-2.0
"""Sound that was replayed faster, slower, higher, lower or backwards is read without being asked to."""

import math

import numpy as np
import pytest

from benchmarks import audio_attacks as attacks
from labelkit.evidence import NoGeometry
from labelkit.key import Key
from labelkit.watermark import audio
from labelkit.watermark.audio import detector, replays
from labelkit.watermark.audio.pattern import pattern
from labelkit.watermark.audio.synchronizer import Replay, Spectrum, sync_scores
from tests import sounds
from tests.watermark.conftest import KEY, PAYLOAD

OTHER = Key(b"another secret of this length")


def replayed(speech: np.ndarray, kind: str, value: float) -> tuple[np.ndarray, Replay]:
    """Speech at another speed, tempo or pitch (in semitones), and what the detector should say of it."""
    rows = speech[:, None]
    if kind == "speed":
        return attacks.speed(rows, value)[:, 0].astype(np.float32), Replay(value, value)
    if kind == "tempo":
        return attacks.tempo(rows, 16_000, value)[:, 0].astype(np.float32), Replay(value, 1.0)
    if kind == "pitch":
        return attacks.pitch(rows, 16_000, value)[:, 0].astype(np.float32), Replay(1.0, 2 ** (value / 12))
    return speech[::-1].copy(), Replay(1.0, 1.0, True)


@pytest.mark.parametrize("kind, value", [("speed", 0.7), ("speed", 1.5), ("tempo", 0.75), ("tempo", 1.5), ("pitch", -3),
                                         ("pitch", 3), ("backwards", 1)])
def test_the_default_effort_reads_what_was_replayed(kind, value, speech):
    changed, how = replayed(speech, kind, value)
    found = audio.detect(changed, 16_000, KEY)
    assert found.payload == PAYLOAD and found.false_positive_rate <= 1e-9
    assert found.geometry.tempo == pytest.approx(how.tempo, rel=0.004)
    assert found.geometry.pitch == pytest.approx(how.pitch, rel=0.01)
    assert found.geometry.backwards is (True if how.backwards else None)
    assert found.geometry.replays_s == pytest.approx(min(16, len(changed) / 16_000), abs=0.1), "its first stretch"
    assert not audio.detect(changed, 16_000, OTHER).found, "another key finds nothing"


def test_fast_searches_for_none_and_a_plain_mark_needs_none(speech):
    changed, _ = replayed(speech, "speed", 1.1)
    assert not audio.detect(changed, 16_000, KEY, effort="fast").found
    assert audio.detect(changed, 16_000, KEY, effort="fast").geometry == NoGeometry()
    assert audio.detect(speech, 16_000, KEY).geometry.replays_s is None


def test_it_says_how_much_of_unmarked_sound_it_searched():
    host = sounds.speech(9)
    for effort in ("normal", "deep"):
        found = audio.detect(host, 16_000, KEY, effort=effort)
        assert not found.found and found.false_positive_rate == 1.0
        assert found.geometry.replays_s == pytest.approx(9, abs=0.1) and found.geometry.segments is None


def test_long_sound_is_searched_in_part_at_the_default_effort(monkeypatch):
    host = sounds.noise(150, 16_000, 0.1)
    monkeypatch.setattr(detector, "_search_of", lambda effort: detector._Search(
        replays.line_trials((1.0, 1.0), (1.0, 1.0), 0), 1, 6.0, effort == "normal"))
    monkeypatch.setattr(detector, "_WHOLE_STRETCHES", 2)
    assert audio.detect(host, 16_000, KEY).geometry.replays_s == pytest.approx(64, abs=0.1), "2, and 1 of each window"
    assert audio.detect(host, 16_000, KEY, effort="deep").geometry.replays_s == pytest.approx(150, abs=0.1)


def test_a_replay_that_was_found_is_tried_first_in_what_follows():
    marked = audio.embed(np.tile(sounds.speech(12), 10), 16_000, PAYLOAD, KEY)
    changed, _ = replayed(marked, "speed", 1.2)
    found = audio.detect(changed, 16_000, KEY)
    assert found.payload == PAYLOAD and found.geometry.replays_s == pytest.approx(16, abs=0.1)
    assert found.geometry.end_s - found.geometry.start_s > 90, "100 s, in two windows"


def test_a_stretch_that_is_played_backwards_is_placed_in_the_time_of_the_sound(speech):
    host = np.concatenate([sounds.noise(9, 16_000, 0.01), speech[::-1]])
    found = audio.detect(host, 16_000, KEY)
    assert found.payload == PAYLOAD and found.geometry.backwards
    assert found.geometry.start_s == pytest.approx(9, abs=0.4) and found.geometry.end_s == pytest.approx(21, abs=0.4)


def test_presence_alone_is_found_faster_and_backwards():
    marked = audio.embed(sounds.speech(4), 16_000, None, KEY)
    for changed in (replayed(marked, "speed", 1.3)[0], marked[::-1].copy()):
        assert audio.detect(changed, 16_000, KEY).presence_only
        assert not audio.detect(changed, 16_000, OTHER).found


def test_scores_along_a_slope_of_nothing_are_those_of_the_known_chips(speech):
    chips = Spectrum.of(speech).chips(Replay())
    signs = np.ascontiguousarray(pattern(KEY).sync.T, np.float32)
    forwards, backwards = replays.slope_scores(chips, signs, np.zeros(1))[:, 0]
    assert forwards == pytest.approx(sync_scores(chips, pattern(KEY))[0], rel=0.2)
    assert forwards > 8 > 5 > backwards
    turned = Spectrum.of(speech).chips(Replay(backwards=True))
    assert replays.slope_scores(turned, signs, np.zeros(1))[:, 0] == pytest.approx([backwards, forwards], rel=0.05)


def test_the_candidates_that_are_charged_are_all_that_can_come_out():
    """Every replay that a search can end in: each trial and slope, placed by a pitch and a slope, in two directions."""
    trials = replays.line_trials((0.9, 1.1), (0.9, 1.1), 1)
    ends = {(round(math.log(trial.replay.tempo) * 1e6), round(math.log(trial.replay.pitch) * 1e6), slope, fine, pitch,
             backwards)
            for trial in trials for slope in range(-trial.slopes, trial.slopes + 1)
            for fine in range(len(replays._FINE_SLOPES)) for pitch in range(len(replays._FINE_PITCHES))
            for backwards in (False, True)}
    assert len(ends) <= replays.count(trials)


def test_unmarked_sound_reaches_no_more_than_chance_over_keys():
    """Over 60 keys the sum of the known chips at one start has a deviation of 1: the bar means what it says."""
    chips = Spectrum.of(sounds.speech(15)).chips(Replay(1.1, 1.1))
    best = [replays.slope_scores(chips, np.ascontiguousarray(pattern(Key(bytes([n]) * 16)).sync.T, np.float32),
                                 np.zeros(1)).max() for n in range(60)]
    assert 2.2 < np.mean(best) < 3.2 and max(best) < 4.6, "the highest of 384 normal variables is 2.9 on average"
