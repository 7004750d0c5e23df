# SPDX-License-Identifier: Apache-2.0
"""The watermark in the sound track of a film: what is listened to, and what is said beside the picture."""

from collections.abc import Iterator

import numpy as np
import pytest

from labelkit import watermark
from labelkit.codec.frame import FrameFormat
from labelkit.codec.samples import Sound, VideoSamples
from labelkit.evidence import AudioGeometry, NoGeometry
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import Watermark
from labelkit.report import Status
from labelkit.watermark import audio
from labelkit.watermark.detection import Detection
from labelkit.watermark.finding import compare_soundtrack
from labelkit.watermark.video import soundtrack
from tests.films import picture, scene
from tests.sounds import speech

RATE = 16_000
PAYLOAD, OTHER = Payload(kind=1, producer=0xABCDEF, content=5), Payload(kind=1, producer=0xABCDEF, content=6)


class Reel:
    """A film of sound that is made as it is asked for: `make(start, stop)` in seconds."""

    def __init__(self, make, seconds: float | None) -> None:
        self.make, self.seconds, self.asked = make, seconds, []

    def heard(self, start: float, stop: float | None) -> Iterator[np.ndarray]:
        self.asked.append((start, stop))
        rows = self.make(start, min(stop or self.seconds, self.seconds))[:, None]
        for at in range(0, len(rows), 5000):
            yield rows[at:at + 5000]

    def samples(self, rate: int = RATE) -> VideoSamples:
        return VideoSamples(FrameFormat(320, 240), self.seconds, self, Sound(rate, 1))


def cut(sound: np.ndarray):
    return lambda start, stop: sound[int(start * RATE):int(stop * RATE)]


TALK = speech(60.0, RATE)
MARKED = audio.embed(TALK, RATE, PAYLOAD)


@pytest.mark.parametrize("effort", ["fast", "normal", "deep"])
def test_a_mark_is_found_and_other_keys_find_nothing(effort):
    found = soundtrack.detect(Reel(cut(MARKED), 60.0).samples(), effort=effort)
    assert found.found and found.payload == PAYLOAD and found.false_positive_rate < 1e-12
    for samples, key in ((Reel(cut(TALK), 20.0).samples(), None), (Reel(cut(MARKED), 20.0).samples(), Key(b"k" * 32))):
        missed = soundtrack.detect(samples, key, effort=effort)
        assert (missed.found, missed.payload, missed.false_positive_rate) == (False, None, 1.0)


@pytest.mark.parametrize("effort,most", [("fast", 12), ("normal", 36)])
def test_what_is_listened_to_is_bounded_whatever_the_length(effort, most):
    reel = Reel(lambda start, stop: TALK[:int((stop - start) * RATE)], 36_000.0)
    heard = soundtrack.detect(reel.samples(), effort=effort).geometry.heard
    assert sum(end - begin for begin, end in heard) <= most
    assert effort == "fast" or heard[-1][1] == pytest.approx(36_000.0)


def test_a_mark_at_the_end_alone_is_found_and_placed_in_the_film():
    late = np.concatenate([TALK[: 40 * RATE], audio.embed(TALK[:25 * RATE], RATE, PAYLOAD)])
    seconds = len(late) / RATE
    assert not soundtrack.detect(Reel(cut(late), seconds).samples(), effort="fast").found
    found = soundtrack.detect(Reel(cut(late), seconds).samples())
    assert found.payload == PAYLOAD
    assert found.geometry.start_s == pytest.approx(seconds - 12, abs=1)
    assert found.geometry.segments[0].end_s == pytest.approx(seconds, abs=1)
    whole = soundtrack.detect(Reel(cut(late), seconds).samples(), effort="deep")
    assert whole.geometry.start_s == pytest.approx(40, abs=1)


def test_silence_and_nothing_are_no_errors():
    assert soundtrack.detect(VideoSamples(FrameFormat(320, 240), 1.0, None)) is None
    assert soundtrack.detect(Reel(cut(TALK), 60.0).samples(7_350)) is None  # no rate that marks have
    for reel in (Reel(lambda start, stop: np.zeros(100, np.float32), 60.0), Reel(cut(TALK[:0]), 60.0)):
        assert not soundtrack.detect(reel.samples()).found


def answer(payload: Payload | None, found: bool = True, presence_only: bool = False) -> Detection:
    geometry = AudioGeometry(presence_only=True) if presence_only else NoGeometry()
    return Detection(found, payload, 30.0 if found else 2.0, 1e-30 if found else 1.0, geometry)


@pytest.mark.parametrize("seen,heard,says", [
    (answer(PAYLOAD), answer(PAYLOAD), "the same"), (answer(PAYLOAD), answer(OTHER), "different content"),
    (answer(None, False), answer(PAYLOAD), "it was replaced"), (answer(None), answer(PAYLOAD), "cannot be read"),
    (answer(PAYLOAD), answer(None, False), None), (answer(PAYLOAD), answer(None, presence_only=True), "without an id"),
    (answer(None, False), answer(None, presence_only=True), "without an id"),
    (answer(PAYLOAD), answer(None), "carries a mark without an id"), (answer(None, False), answer(None, False), None),
    (answer(None), answer(None), "carries a mark without an id"),
    (answer(None, False), answer(None), "it was replaced")])
def test_picture_and_sound_are_compared(seen, heard, says):
    said = compare_soundtrack(seen, heard)
    assert said is None if says is None else says in str(said)
    assert not said or "different content" not in str(said) or OTHER.hex in str(said)


class Film(Reel):
    """The same with frames to look at."""

    def __init__(self, rows: list[np.ndarray], make) -> None:
        super().__init__(make, 12.0)
        self.rows = rows

    def frames(self, start, stop):
        from labelkit.codec.video import planes
        for index, rows in enumerate(self.rows):
            frame = planes(picture(rows), FrameFormat(480, 360), "film", index / 4, index)
            if start <= frame.seconds < (stop or 12):
                yield frame

    def keys(self, seconds):
        yield from self.frames(0, None)

    def key_seconds(self):
        return [0.0]

    def found(self):
        samples = VideoSamples(FrameFormat(480, 360), 12.0, self, Sound(RATE, 1))
        return watermark.find(samples)


SEEN = [np.ascontiguousarray(rows) for rows in scene(480, 360, 24, seed=4)]
MARKED_SEEN = [rows for rows in watermark.video.mark_frames(SEEN, PAYLOAD)]


def test_the_finding_tells_what_was_replaced():
    both = Film(MARKED_SEEN, cut(MARKED)).found()
    assert (both.status, both.payload) == (Status.VALID, PAYLOAD) and "carries the same" in str(both.summary)
    assert both.evidence.soundtrack.payload == PAYLOAD.hex
    other = Film(MARKED_SEEN, cut(audio.embed(TALK, RATE, OTHER))).found()
    assert (other.status, other.payload) == (Status.VALID, PAYLOAD) and "different content" in str(other.summary)
    replaced = Film(SEEN, cut(MARKED)).found()
    assert (replaced.status, replaced.payload) == (Status.VALID, PAYLOAD) and "it was replaced" in str(replaced.summary)
    assert replaced.evidence.found is False
    sound_gone = Film(MARKED_SEEN, cut(TALK)).found()
    assert sound_gone.payload == PAYLOAD and sound_gone.evidence.soundtrack.found is False
    presence = cut(audio.embed(TALK, RATE, None))
    sound_alone = Film(SEEN, presence).found()
    assert (sound_alone.status, sound_alone.payload) == (Status.VALID, None)
    assert "without an id" in str(sound_alone.summary) and sound_alone.evidence.soundtrack.presence_only
    beside = Film(MARKED_SEEN, presence).found()
    assert (beside.status, beside.payload) == (Status.VALID, PAYLOAD) and "without an id" in str(beside.summary)
    neither = Film(SEEN, cut(TALK)).found()
    assert neither.status is Status.ABSENT and neither.payload is None


def test_a_sound_track_may_carry_presence_alone():
    present = cut(audio.embed(TALK, RATE, None))
    both = Film(MARKED_SEEN, present).found()
    assert (both.status, both.payload) == (Status.VALID, PAYLOAD) and "without an id" in str(both.summary)
    assert both.evidence.soundtrack.presence_only and both.evidence.soundtrack.payload is None
    alone = Film(SEEN, present).found()
    assert (alone.status, alone.payload) == (Status.VALID, None) and "without an id" in str(alone.summary)


def test_only_what_is_asked_for_is_changed():
    samples = Reel(cut(TALK), 60.0).samples()
    assert not watermark.embed(samples, PAYLOAD).sound_changes
    make, = watermark.embed(samples, PAYLOAD, plan=Watermark(soundtrack=True)).sound_changes
    marker = make(RATE, 1)
    marked = np.concatenate([marker.push(TALK[:, None]), marker.finish()])
    assert audio.detect(marked, RATE).payload == PAYLOAD
