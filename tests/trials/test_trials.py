# SPDX-License-Identifier: Apache-2.0
"""Each trial does to a medium what it says, and a mark is read after it where it should be, with its own key alone."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.trials import acoustics, films, pictures, screens, sounds
from labelkit.trials.media import Film, Sound
from labelkit.trials.subject import UNMARKED_TRIALS, trials_of
from labelkit.trials.table import Group
from tests.media import photo
from tests.trials.conftest import film

SURVIVED = {
    "image": ("unchanged", "noise-8", "blur", "grey", "jpeg-50", "avif-60", "screenshot", "mirror", "crop-70",
              "scale-50", "turn-90", "faces", "jitter"),
    "audio": ("unchanged", "noise-30", "telephone", "echo", "opus-32", "vorbis", "enhance", "crop-70"),
    "video": ("unchanged", "h264-28", "mirror", "half-rate", "bars")}


@pytest.mark.parametrize("kind,name", [(kind, name) for kind, names in SURVIVED.items() for name in names])
def test_a_mark_is_read_after_what_it_should_survive(subjects, kind, name):
    found = subjects[kind].decide("trial", name)
    assert found.found and found.right and not found.wrong


@pytest.mark.parametrize("kind", SURVIVED)
def test_nothing_is_found_with_another_key_and_in_unmarked_media(subjects, kind):
    assert not subjects[kind].decide("wrong key", "unchanged").found
    assert not any(subjects[kind].decide("unmarked", name).found for name in UNMARKED_TRIALS[kind][:3])


def test_the_mark_of_somebody_else_over_it_is_not_taken_for_ones_own(subjects):
    for subject in subjects.values():
        assert subject.decide("change", "another-mark").right


@pytest.mark.parametrize("kind,wanted", [
    ("image", {Group.NOISE, Group.FILTERS, Group.RECOMPRESSION, Group.SCREENSHOT, Group.MIRROR, Group.CROP, Group.SCALE,
               Group.ROTATION, Group.ASPECT, Group.PRINT, Group.CAMCORDING, Group.FACES}),
    ("audio", {Group.NOISE, Group.FILTERS, Group.RECOMPRESSION, Group.VOICE, Group.CROP, Group.PITCH, Group.STRETCH,
               Group.PLAY}),
    ("video", {Group.NOISE, Group.RECOMPRESSION, Group.SCREENSHOT, Group.MIRROR, Group.CROP, Group.SCALE,
               Group.ROTATION, Group.ASPECT, Group.STRETCH, Group.CAMCORDING, Group.FACES})])
def test_all_that_measure_3_3_lists_is_tried(kind, wanted):
    groups = {one.group for one in trials_of(kind)}
    assert wanted | {Group.REMOVAL, Group.REGENERATION} <= groups
    names = [one.name for one in trials_of(kind)]
    assert len(set(names)) == len(names) and set(UNMARKED_TRIALS[kind]) <= set(names)


@pytest.mark.parametrize("trial", pictures.trials(), ids=lambda one: one.name)
def test_trials_of_pictures_change_them_and_are_the_same_each_time(trial):
    host = photo(96, 128)
    first = pictures.apply(trial, host, 1)
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3 and min(first.shape[:2]) >= 40
    assert np.array_equal(first, pictures.apply(trial, host, 1))
    assert np.array_equal(first, host) == (trial.name == "unchanged")


@pytest.mark.parametrize("trial", sounds.all_trials(), ids=lambda one: one.name)
def test_trials_of_sound_change_it_and_are_the_same_each_time(trial):
    t = np.arange(16_000)[:, None] / 16_000
    host = np.ascontiguousarray(0.3 * np.sin(2 * np.pi * np.array([[300.0, 450.0]]) * t * (1 + t)), np.float32)
    first = sounds.apply(trial, host, 16_000, 1)
    assert first.dtype == np.float32 and first.shape[1] == 2 and 0.3 < len(first) / len(host) < 1.3
    assert np.isfinite(first).all()
    assert np.array_equal(first, sounds.apply(trial, host, 16_000, 1))
    assert np.array_equal(first, host) == (trial.name == "unchanged")


def test_pitch_moves_and_length_stays_and_the_other_way_round():
    t = np.arange(32_000) / 16_000
    host = np.sin(2 * np.pi * 440 * t).astype(np.float32)[:, None]

    def loudest(x: np.ndarray) -> float:
        return float(np.abs(np.fft.rfft(x[:, 0] * np.hanning(len(x)))).argmax() * 16_000 / len(x))
    up, longer = acoustics.pitched(host, 16_000, 1), acoustics.stretched(host, 16_000, 1 / 1.05)
    assert loudest(up) == pytest.approx(440 * 2 ** (1 / 12), rel=0.01) and len(up) == pytest.approx(len(host), rel=0.01)
    assert loudest(longer) == pytest.approx(440, rel=0.01) and len(longer) == pytest.approx(1.05 * len(host), rel=0.01)


def test_short_time_spectra_give_the_sound_back():
    x = np.random.default_rng(1).standard_normal(5000)
    assert np.allclose(acoustics.sound_of(acoustics.frames_of(x), len(x)), x, atol=1e-9)


def test_faces_are_blurred_and_the_rest_stays():
    host = photo(200, 240)
    changed = np.any(screens.blurred_faces(host, np.random.default_rng(1)) != host, axis=2)
    assert 0.02 < changed.mean() < 0.25


def test_noise_differs_from_frame_to_frame_and_all_else_does_not():
    host = film().load()
    assert isinstance(host, Film)
    still = Film(host.frames[:1] * 3, host.rate)
    for name, differs in (("noise-8", True), ("faces", False), ("camcorder", False)):
        frames = next(one for one in films.trials() if one.name == name).change(still).frames
        assert (not np.array_equal(frames[0], frames[1])) == differs


def test_sounds_of_any_rate_go_through_codecs():
    t = np.arange(22_050) / 22_050
    host = Sound(np.sin(2 * np.pi * 440 * t).astype(np.float32)[:, None] / 3, 22_050)
    opus = next(one for one in sounds.trials() if one.name == "opus-32")
    out = sounds.apply(opus, host.samples, host.rate, 1)
    assert out.shape[1] == 1 and len(out) == pytest.approx(22_050, abs=3_000) and np.abs(out).max() > 0.2
