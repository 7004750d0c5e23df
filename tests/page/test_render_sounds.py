# SPDX-License-Identifier: Apache-2.0
"""Sounds on the HTML page: the programme is found again around its labels, and only what changed is shown as change."""

from __future__ import annotations

import io
import math
import re

import numpy as np
import pytest
from PIL import Image

import labelkit
from labelkit.errors import LimitExceeded, UnsupportedFormat
from labelkit.label import Kind, Label
from labelkit.page import audio_preview, figures
from labelkit.page.audio_preview import AMPLIFIED, AudioPreview
from labelkit.page.render import Exhibit, page
from labelkit.plan import Explicit, Plan
from tests.page.test_render import HOSTILE, Reader, picture, png, report
from tests.sounds import music, noise, speech, wave_bytes

RATE = 16_000
TALK = speech(8.0, RATE)
MARKED = TALK + noise(8.0, RATE, 0.002)
TONE = (0.2 * np.sin(2 * np.pi * 880 * np.arange(2 * RATE) / RATE)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    return wave_bytes(samples, rate)


def pixels(spectrogram: tuple[str, bytes]) -> np.ndarray:
    """[height, width, 4]: colour and alpha."""
    assert spectrogram[0] == "image/png"
    return np.asarray(Image.open(io.BytesIO(spectrogram[1])).convert("RGBA")).astype(int)


def empty(spectrogram: tuple[str, bytes]) -> np.ndarray:
    """Bool [width]: the columns that are left empty; each is so from top to bottom or not at all."""
    alpha = pixels(spectrogram)[..., 3]
    assert (alpha == alpha[0]).all()
    return alpha[0] == 0


def inserted(*at: float) -> np.ndarray:
    """The marked talk with the tone put in at these seconds."""
    parts = np.split(MARKED, [int(s * RATE) for s in at])
    return np.concatenate([parts[0], *(piece for part in parts[1:] for piece in (TONE, part))])


@pytest.mark.parametrize("known", [True, False], ids=["heard", "not heard"])
@pytest.mark.parametrize("at", [(0.0,), (8.0,), (3.0,), (0.0, 8.0), (2.0, 5.0)], ids=str)
def test_the_programme_is_found_around_its_labels(at, known):
    shown = AudioPreview.of(wav(TALK), wav(inserted(*at)), len(at) if known else 0)
    wanted = 10 * math.log10(np.square(TALK, dtype=float).sum() / np.square(MARKED - TALK, dtype=float).sum())
    assert shown.snr_db == pytest.approx(wanted, abs=0.2)
    assert shown.seconds == (8.0, pytest.approx(8.0 + 2 * len(at)))
    gone = empty(shown.difference)
    times = (np.arange(len(gone)) + 0.5) * shown.seconds[1] / len(gone)
    starts = [second + 2 * number for number, second in enumerate(at)]
    inside = np.any([(times > start + 0.05) & (times < start + 1.95) for start in starts], axis=0)
    outside = np.all([(times < start - 0.05) | (times > start + 2.05) for start in starts], axis=0)
    assert gone[inside].all() and not gone[outside].any()
    assert (empty(shown.before) == gone).all() and not empty(shown.after).any()


@pytest.mark.parametrize("after", [noise(10.0, RATE), np.concatenate([TONE, TALK[::-1]]), TALK[:-RATE],
                                   np.stack([TALK, TALK], 1)], ids=["other", "reversed", "shorter", "stereo"])
def test_the_negative_twin_what_is_another_sound_has_no_difference(after):
    shown = AudioPreview.of(wav(TALK), wav(after), 1)
    assert shown.difference is None and math.isnan(shown.snr_db)


def test_the_search_is_bounded():
    """A file may hold any number of rhythms."""
    after = wav(np.concatenate([np.zeros(33 * 2, np.float32), TALK]))
    assert AudioPreview.of(wav(TALK), after, 33).difference is None
    assert AudioPreview.of(wav(TALK), after, 32).difference is not None


def test_another_rate_has_no_difference():
    assert AudioPreview.of(wav(TALK), wav(TALK, 2 * RATE), 1).difference is None


def test_nothing_changed_is_said_so():
    shown = AudioPreview.of(wav(TALK), wav(np.concatenate([TONE, TALK])), 1)
    assert shown.snr_db == math.inf
    assert (pixels(shown.difference)[:, ~empty(shown.difference), :3] == (8, 8, 24)).all()


def test_the_difference_is_amplified_as_it_says():
    """A tone that became a tenth louder differs by itself, amplified ten times."""
    tone = (0.1 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    shown = AudioPreview.of(wav(tone), wav(tone * (1 + 1 / AMPLIFIED)), 0)
    before, difference = pixels(shown.before), pixels(shown.difference)
    row = audio_preview._HEIGHT - 1 - 1000 * audio_preview._HEIGHT // (RATE // 2)
    assert abs(before[row] - difference[row]).max() <= 8
    assert before[row, :, :3].sum() > 3 * before[5, :, :3].sum()


def test_a_spectrogram_stays_small_whatever_the_length(monkeypatch):
    for seconds in (0.01, 1, 60):
        width = pixels(AudioPreview.of(wav(noise(seconds, RATE)), wav(noise(seconds, RATE)), 0).after).shape[1]
        assert 1 <= width <= audio_preview._WIDTH
    monkeypatch.setattr(audio_preview, "MAX_SECONDS", 7)
    with pytest.raises(LimitExceeded, match="more than 7 s"):
        AudioPreview.of(wav(TALK), wav(TALK), 0)


def test_what_is_no_sound_is_refused():
    with pytest.raises(UnsupportedFormat, match="no sound to draw"):
        AudioPreview.of(png(picture()), png(picture()), 0)


def test_sounds_are_played_and_drawn_with_words_in_both_languages():
    text = page([Exhibit(HOSTILE, report(), wav(TALK), wav(inserted(0.0)))])
    read = Reader(text)
    assert read.injected() == []
    players = [a for tag, a in read.tags if tag == "audio"]
    assert len(players) == 2 and all(a["src"].startswith("data:audio/wav;base64,") for a in players)
    assert all("controls" in a and "autoplay" not in a and a["aria-label"].startswith("Play") for a in players)
    alts = [a["alt"] for tag, a in read.tags if tag == "img"]
    assert [alt.partition(" / ")[0] for alt in alts] == [
        "Spectrogram before", "Spectrogram after", "Spectrogram of the difference"]
    assert "SNR outside the audible label" in read.text and "amplified 10 times" in read.text
    pairs = re.findall(r'<span lang="en">(.*?)</span><span lang="zh-CN">(.*?)</span>', text)
    assert {english for english, chinese in pairs if english == chinese} <= {"all well"}


def test_a_large_sound_is_drawn_but_not_carried(monkeypatch):
    monkeypatch.setattr(figures, "MAX_PLAYED_BYTES", len(wav(TALK)))
    read = Reader(page([Exhibit("a.wav", report(), wav(TALK), wav(inserted(0.0)))]))
    tags = [tag for tag, _ in read.tags]
    assert (tags.count("audio"), tags.count("img")) == (1, 3)
    assert "too large to be played" in read.text


def test_a_sound_that_cannot_be_shown_leaves_the_report():
    cut = Reader(page([Exhibit("a.wav", report(), wav(TALK), wav(noise(9.0, RATE)))]))
    assert "not found again" in cut.text and [tag for tag, _ in cut.tags].count("img") == 2
    broken = page([Exhibit("a.wav", report(), b"junk", wav(TALK))])
    assert "<img" not in broken and "<audio" not in broken and "Why this verdict" in broken


def test_a_labelled_file_of_the_library_is_found_again(tmp_path):
    """The label at both ends, its parts as embed puts them: what is left of the change is the watermark alone."""
    source = wav(music(8.0), 44_100)
    out = io.BytesIO()
    labelkit.embed(io.BytesIO(source), out, Label(Kind.GENERATED, "maker", "7"),
                   plan=Plan(explicit=Explicit(place="both")))
    heard = labelkit.verify(out.getvalue())[labelkit.Layer.EXPLICIT].evidence.heard
    assert len(heard) == 2
    shown = AudioPreview.of(source, out.getvalue(), len(heard))
    assert 15 < shown.snr_db < 60
    share = empty(shown.difference).mean()
    assert share == pytest.approx(1 - shown.seconds[0] / shown.seconds[1], abs=0.01)
