# SPDX-License-Identifier: Apache-2.0
"""The audible label over the sound of a film: where it lies, how loud it is, and that the programme keeps its time."""

from dataclasses import replace

import numpy as np
import pytest

from labelkit.codec.frame import FrameFormat
from labelkit.codec.samples import AudioSamples, Sound, VideoSamples
from labelkit.errors import HostTooSmall, InvalidArgument, OutputFailed
from labelkit.evidence import DrawnSound
from labelkit.explicit.audio import drawing as audio, loudness
from labelkit.explicit.audio.finding import find_labels
from labelkit.explicit.video import soundtrack
from labelkit.plan import Explicit
from tests.sounds import music, speech
from tests.watermark.test_soundtrack import Reel

RATE = 16_000
TALK = np.repeat(speech(30.0, RATE)[:, None], 2, axis=1)


def laid(programme: np.ndarray, explicit: Explicit, chunk: int = 4096,
         rate: int = RATE) -> tuple[np.ndarray, DrawnSound]:
    """The programme with the label, through chunks of one size, and the evidence."""
    samples = VideoSamples(FrameFormat(320, 240), len(programme) / rate, None, Sound(rate, programme.shape[1]))
    samples, evidence = soundtrack.draw(samples, explicit)
    overlay = samples.sound_changes[0](rate, programme.shape[1])
    parts = [overlay.push(programme[at:at + chunk]) for at in range(0, len(programme), chunk)]
    return np.concatenate([*parts, overlay.finish()]), evidence


@pytest.mark.parametrize("chunk", [1000, 4096, 200_000])
def test_the_same_comes_out_whatever_the_chunks(chunk):
    wanted, _ = laid(TALK, Explicit(place="both"), 777)
    assert np.abs(laid(TALK, Explicit(place="both"), chunk)[0] - wanted).max() < 1e-6


@pytest.mark.parametrize("settings,count", [({}, 1), ({"place": "both"}, 2), ({"place": "end"}, 1),
                                            ({"place": "middle"}, 1), ({"repeat_s": 8.0}, 4)])
@pytest.mark.parametrize("programme", [TALK, music(30.0, RATE)], ids=["speech", "music"])
def test_every_label_is_heard_where_the_evidence_says(settings, count, programme):
    out, evidence = laid(programme, Explicit(**settings))
    heard = find_labels(AudioSamples(out, RATE))
    assert len(heard) == len(evidence.starts_s) == count
    assert [one.start_s for one in heard] == pytest.approx(evidence.starts_s, abs=0.06)
    assert not find_labels(AudioSamples(programme.reshape(len(programme), -1), RATE))


def test_the_programme_keeps_its_time_and_is_softer_under_the_label_alone():
    out, evidence = laid(TALK, Explicit(place="middle", sound="speech"))
    assert out.shape == TALK.shape
    start, length = evidence.starts_s[0], evidence.seconds
    away = np.ones(len(TALK), bool)
    away[int((start - 0.7) * RATE):int((start + length + 0.7) * RATE)] = False
    assert np.array_equal(out[away], TALK[away]) and not np.array_equal(out[~away], TALK[~away])
    negative, _ = laid(-TALK, Explicit(place="middle", sound="speech"))  # the same label over the same programme
    under = ((out - negative) / 2)[int(start * RATE):int((start + length) * RATE)]
    host = TALK[int(start * RATE):int((start + length) * RATE)]
    assert 20 * np.log10(under.std() / host.std()) == pytest.approx(-soundtrack.UNDER_DB, abs=0.1)


def test_the_label_follows_the_loudness_of_the_programme():
    levels = []
    for gain in (0.6, 2.0):
        out, evidence = laid(TALK * np.float32(gain), Explicit(sound="speech"))
        begin, length = int(evidence.starts_s[0] * RATE), int(evidence.seconds * RATE)
        levels.append(loudness.integrated(out[begin:begin + length], RATE))
    assert levels[1] - levels[0] == pytest.approx(20 * np.log10(2 / 0.6), abs=2)


def test_what_is_too_short_is_refused():
    with pytest.raises(HostTooSmall):
        laid(TALK[:RATE], Explicit())
    samples = VideoSamples(FrameFormat(320, 240), 30.0, None, Sound(RATE, 2))
    overlay = soundtrack.draw(samples, Explicit())[0].sound_changes[0](RATE, 2)
    overlay.push(TALK[:RATE])  # the film goes on, its sound does not
    with pytest.raises(HostTooSmall):
        overlay.finish()
    laid(TALK[:3 * RATE], Explicit())


def test_a_film_of_no_known_length_has_the_label_at_its_start():
    samples = VideoSamples(FrameFormat(320, 240), None, None, Sound(RATE, 2))
    assert soundtrack.draw(samples, Explicit())[1].starts_s == (audio.LEAD_S,)
    for settings in ({"place": "end"}, {"repeat_s": 60.0}):
        with pytest.raises(InvalidArgument):
            soundtrack.draw(samples, Explicit(**settings))


def test_sound_that_begins_late_or_ends_early_has_its_label_inside():
    samples = VideoSamples(FrameFormat(320, 240), 60.0, None, Sound(RATE, 2, begin=1.5, seconds=30.0))
    samples, evidence = soundtrack.draw(samples, Explicit(place="both"))
    assert evidence.starts_s[0] == 1.9 and 27 < evidence.starts_s[1] < 31.5
    overlay = samples.sound_changes[0](RATE, 2)
    out = np.concatenate([overlay.push(TALK), overlay.finish()])
    heard = find_labels(AudioSamples(out, RATE))
    assert [one.start_s + 1.5 for one in heard] == pytest.approx(evidence.starts_s, abs=0.06)


@pytest.mark.parametrize("settings,count", [({}, 1), ({"place": "both"}, 2), ({"repeat_s": 8.0}, 4)])
def test_sound_that_begins_before_the_picture_has_its_label_with_the_picture(settings, count):
    begin = -1.5
    samples = VideoSamples(FrameFormat(320, 240), 28.5, None, Sound(RATE, 2, begin, 30.0))
    samples, evidence = soundtrack.draw(samples, Explicit(**settings))
    overlay = samples.sound_changes[0](RATE, 2)
    out = np.concatenate([overlay.push(TALK), overlay.finish()])
    heard = [one.start_s + begin for one in find_labels(AudioSamples(out, RATE))]
    assert min(heard) >= 0 and len(heard) == count and heard == pytest.approx(evidence.starts_s, abs=0.06)
    with pytest.raises(HostTooSmall):  # long enough, were it not for what no picture is shown to
        soundtrack.draw(VideoSamples(FrameFormat(320, 240), 4.0, None, Sound(RATE, 2, begin, 3.0)), Explicit())
    soundtrack.draw(VideoSamples(FrameFormat(320, 240), 4.0, None, Sound(RATE, 2, 0.0, 3.0)), Explicit())


@pytest.mark.parametrize("sound", ["rhythm", "speech", "both"])
def test_a_label_is_confirmed_where_it_is_and_nowhere_else(sound):
    explicit = Explicit(sound=sound, place="both")
    out, drawn = laid(TALK[:, :1], explicit)
    labelled = Reel(lambda a, b: out[int(a * RATE):int(b * RATE), 0], 30.0).samples()
    soundtrack.confirm(labelled, explicit, drawn)
    bare = Reel(lambda a, b: TALK[int(a * RATE):int(b * RATE), 0], 30.0).samples()
    moved = replace(drawn, starts_s=tuple(start + 8 for start in drawn.starts_s[:1]))
    for samples, said in ((bare, drawn), (labelled, moved)):
        with pytest.raises(OutputFailed):
            soundtrack.confirm(samples, explicit, said)


def test_labels_never_meet_and_their_number_is_bounded():
    for settings in ({"place": "both"}, {"place": "end", "repeat_s": 5.0}, {"place": "middle", "repeat_s": 6.5},
                     {"place": "both", "repeat_s": 5.0, "sound": "both"}):
        for length in (4.0, 7.3, 31.0, 1e12):  # a header may claim any length
            starts = soundtrack._starts(Explicit(**settings), 0.0, length, 3.1)
            assert 1 <= len(starts) <= 20_002 and all(b - a >= 3.1 for a, b in zip(starts, starts[1:], strict=False))


def test_many_repeats_cost_no_more_by_the_chunk():
    many = soundtrack.Overlay(Explicit(), tuple(5.0 * i for i in range(5)), RATE, 2)
    for at in range(0, len(TALK), 4096):
        many.push(TALK[at:at + 4096])
    assert len(many._starts) <= 1  # labels that have ended are dropped


def test_only_the_opening_is_held_back():
    overlay = soundtrack.Overlay(Explicit(), (0.0,), RATE, 2)
    held = 0
    for at in range(0, len(TALK), 1000):
        held += 1000 - len(overlay.push(TALK[at:at + 1000]))
        assert held <= 10 * RATE + 1000
    assert held == 0


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_it_is_found_in_a_long_film_and_not_where_there_is_none(place):
    long = np.concatenate([TALK] * 4)[:, 0]
    out = laid(long[:, None], Explicit(place=place))[0][:, 0]
    heard = soundtrack.find(Reel(lambda a, b: out[int(a * RATE):int(b * RATE)], 120.0).samples())
    assert len(heard) == 1
    assert not soundtrack.find(Reel(lambda a, b: long[int(a * RATE):int(b * RATE)], 120.0).samples())
    assert soundtrack.find(VideoSamples(FrameFormat(320, 240), 1.0, None)) == []
