# SPDX-License-Identifier: Apache-2.0
"""The audio watermark in streams: pushed in parts, sound is marked and searched as the whole is."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.payload import Payload
from labelkit.watermark import audio
from labelkit.watermark.audio.difference import DifferenceMaker
from tests import sounds
from tests.watermark.conftest import KEY, PAYLOAD


def test_a_stream_can_carry_presence_alone():
    host = sounds.speech(2)
    marker = audio.AudioMarker(16_000, 1, None, KEY)
    parts = [marker.push(host[at : at + 500]) for at in range(0, len(host), 500)]
    assert np.array_equal(np.concatenate([*parts, marker.finish()]), audio.embed(host, 16_000, None, KEY))


@pytest.mark.parametrize("robustness", ["everyday", "hard"])
def test_a_caller_may_fill_one_buffer_again_and_again(robustness):
    host, buffer = sounds.speech(2), np.empty(500, np.float32)
    marker, parts = audio.AudioMarker(16_000, 1, PAYLOAD, KEY, robustness=robustness), []
    for at in range(0, len(host), 500):
        buffer[:] = host[at : at + 500]
        parts.append(marker.push(buffer))
        buffer[:] = 0.9
    marker_of_all = audio.AudioMarker(16_000, 1, PAYLOAD, KEY, robustness=robustness)
    wanted = np.concatenate([marker_of_all.push(host), marker_of_all.finish()])
    assert np.array_equal(np.concatenate([*parts, marker.finish()]), wanted)


def streamed(host: np.ndarray, rate: int, payload: Payload | None = PAYLOAD) -> audio.AudioMarker:
    marker = audio.AudioMarker(rate, 1 if host.ndim == 1 else host.shape[1], payload, KEY)
    for at in range(0, len(host), 700):
        marker.push(host[at : at + 700])
    marker.finish()
    return marker


def sustained(seconds: float, rate: int) -> np.ndarray:
    """Two pure tones that never change: sound that cannot carry a mark."""
    t = np.arange(int(seconds * rate)) / rate
    return (0.2 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 660 * t)).astype(np.float32)


def test_a_stream_says_whether_its_mark_is_read(speech):
    assert streamed(speech, 16_000).is_readable()
    assert streamed(np.stack([speech, speech[::-1]], axis=1), 16_000).is_readable()
    assert streamed((speech * 20_000).astype(np.int16), 16_000).is_readable()
    assert streamed(sounds.speech(3), 16_000, None).is_readable()
    assert streamed(np.tile(speech, 3)[: 16_000 * 25], 16_000).is_readable(), "of a long one by its end"


def test_a_chunk_of_any_length_is_remembered(speech):
    marker = audio.AudioMarker(16_000, 1, PAYLOAD, KEY)
    for part in np.split(np.tile(speech, 3), [100, 9_000, 9_100, 400_000]):
        marker.push(part)
    assert marker.is_readable()
    marker.push(np.zeros(16_000 * 12, np.float32))
    assert not marker.is_readable(), "the last seconds are silent"


@pytest.mark.parametrize("host", [sustained(12, 16_000), np.zeros(16_000 * 12, np.float32), sounds.speech(0.5),
                                  np.zeros(0, np.float32)], ids=["tones", "silence", "short", "nothing"])
def test_a_stream_says_that_its_mark_is_not_read(host):
    assert not streamed(host, 16_000).is_readable()
    if len(host) > 16_000:
        with pytest.raises(HostTooSmall):  # as of the whole
            audio.embed(host, 16_000, PAYLOAD, KEY)


@pytest.mark.parametrize("rate, channels", [(16_000, 1), (24_000, 1), (44_100, 2), (48_000, 1)])
def test_a_stream_gives_the_samples_of_the_whole(rate, channels):
    host = sounds.music(5, rate)[:, :channels]
    whole = audio.embed(host, rate, PAYLOAD, KEY, robustness="hard")
    random = np.random.default_rng(rate)
    for most in (50, 3_000, 50_000):
        marker = audio.AudioMarker(rate, channels, PAYLOAD, KEY, robustness="hard")
        parts, at = [], 0
        while at < len(host):
            step = int(random.integers(0, most))
            parts.append(marker.push(host[at : at + step]))
            at += step
            assert at - sum(map(len, parts)) <= 0.1 * rate + step, "latency of 100 ms at most"
        assert np.array_equal(np.concatenate([*parts, marker.finish()]), whole)
        assert marker.latency_s <= 0.1


def test_a_stream_refuses_another_number_of_channels():
    marker = audio.AudioMarker(16_000, 2, PAYLOAD, KEY)
    with pytest.raises(InvalidArgument):
        marker.push(np.zeros(100, np.float32))


def test_a_streaming_detector_decides_as_on_the_whole(speech):
    detector = audio.AudioDetector(16_000, 1, KEY)
    for at in range(0, len(speech), 777):
        detector.push(speech[at : at + 777])
    assert detector.finish() == audio.detect(speech, 16_000, KEY)


def test_a_long_stream_is_searched_in_bounded_memory(speech):
    """Ten minutes of noise with two marked stretches; what is held is a window of a minute."""
    detector = audio.AudioDetector(16_000, 1, KEY, effort="fast")
    held = 0
    for minute in range(10):
        block = sounds.noise(60, 16_000, 0.002, seed=minute)
        if minute in (2, 7):
            block[320_000 : 320_000 + len(speech)] = speech
        for at in range(0, len(block), 160_000):
            detector.push(block[at : at + 160_000])
            held = max(held, sum(part.nbytes for part in detector._parts))
    found = detector.finish()
    starts = sorted(segment.start_s for segment in found.geometry.segments)
    assert found.payload == PAYLOAD and np.allclose(starts, [140, 440], atol=1)
    assert held < 8e6


def test_a_marker_takes_one_stream_of_one_form():
    host = sounds.speech(0.2)
    for first, second in ((host, (host * 32767).astype(np.int16)), (host, host[:, None]), (host[:, None], host)):
        marker = audio.AudioMarker(16_000, 1, PAYLOAD, KEY)
        marker.push(first)
        with pytest.raises(InvalidArgument, match="one stream"):
            marker.push(second)
        marker.push(first)  # what was refused did not count
        marker.finish()
        with pytest.raises(InvalidArgument, match="one stream"):
            marker.push(first)


@pytest.mark.parametrize("robustness", ["everyday", "hard"])
def test_a_chunk_that_is_refused_leaves_the_stream_as_it_was(robustness):
    host = sounds.speech(8, 16_000)
    wrong = host[:9_000].copy()
    wrong[8_999] = np.nan
    streams = []
    for insert in (False, True):
        marker, parts = audio.AudioMarker(16_000, 1, PAYLOAD, KEY, robustness=robustness), []
        for at in range(0, len(host), 9_000):  # the amplitude changes within one of them
            if insert:
                with pytest.raises(InvalidArgument, match="not numbers"):
                    marker.push(wrong)
            parts.append(marker.push(host[at : at + 9_000]))
        streams.append(np.concatenate([*parts, marker.finish()]))
    assert np.array_equal(*streams) and not np.array_equal(streams[0], host)


def test_a_stream_whose_first_chunk_is_refused_may_be_of_another_form():
    host = (sounds.speech(2) * 20_000).astype(np.int16)
    marker = audio.AudioMarker(16_000, 1, PAYLOAD, KEY)
    with pytest.raises(InvalidArgument, match="not numbers"):
        marker.push(np.full((500, 1), np.nan, np.float32))
    assert marker.push(host).dtype == np.int16


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_samples_lie_in_memory_as_they_like(dtype):
    host = (sounds.music(4, 16_000) * (20_000 if dtype == np.int16 else 1)).astype(dtype)
    want = audio.embed(host, 16_000, PAYLOAD, KEY)
    assert want.dtype == dtype and not np.array_equal(want, host)
    apart = np.repeat(host, 2, axis=0)[::2]
    for other in (np.asfortranarray(host), apart, host[::-1].copy()[::-1]):
        assert np.array_equal(audio.embed(other, 16_000, PAYLOAD, KEY), want)
    assert np.array_equal(audio.embed(host.copy(), 16_000, PAYLOAD, KEY, out=np.empty_like(apart)), want)
    in_place = host.copy()
    audio.embed(in_place, 16_000, PAYLOAD, KEY, out=in_place)
    assert np.array_equal(in_place, want)


def test_only_samples_that_do_not_lie_side_by_side_are_tried_again_as_a_copy():
    maker, tried = DifferenceMaker(16_000, 1, PAYLOAD, KEY, 1.0), []

    def refuse(chunk, *rest):
        tried.append(chunk)
        raise ValueError("shares memory")

    maker._stream = refuse
    host, room = sounds.speech(0.2, 16_000), np.empty(9_000, np.float32)
    unaligned = np.frombuffer(b"\0" + host.tobytes(), np.uint8)[1:].view(np.float32)
    assert not unaligned.flags.aligned
    for chunk, tries in ((host, 1), (host[::2], 2), (host[::-1], 2), (unaligned, 2)):
        tried.clear()
        with pytest.raises(ValueError, match="shares memory"):
            maker.push_into(chunk, room)
        assert len(tried) == tries and all(np.array_equal(one, chunk) for one in tried)
        assert tries == 1 or tried[1].flags.carray
