# SPDX-License-Identifier: Apache-2.0
"""Sound of every format that is decoded and encoded as it comes."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile

from labelkit.codec import live, live_aac, live_flac, live_mp3, live_ogg, live_opus, live_vorbis
from labelkit.container import ogg
from labelkit.errors import LabelkitError, MalformedFile
from tests.sounds import speech

ROOMS = {"mp3": live_mp3, "aac": live_aac, "flac": live_flac, "opus": live_opus, "ogg": live_vorbis}


def made(format: str, seconds: float = 1.0, channels: int = 1, rate: int = 48_000, step: int = 700,
         depth: int = 16) -> bytes:
    """A stream of a room's own, without a label."""
    sound = np.repeat(0.6 * speech(3.0, rate)[:int(seconds * rate), None], channels, 1)
    encoder = ROOMS[format].Encoder(live.Head(rate, channels, 64_000 * channels, serial=7, depth=depth))
    parts = [encoder.head(lambda head: head)]
    parts += [encoder.push(sound[at:at + step]) for at in range(0, len(sound), step)]
    return b"".join([*parts, encoder.finish()])


def decoded(room, data: bytes, step: int) -> np.ndarray:
    head = room.head(data[:live.MAX_HEAD])
    decoder = room.Decoder(head)
    parts = [part for at in range(head.start, len(data), step) for part in decoder.push(data[at:at + step])]
    return live.joined([*parts, *decoder.finish()], head.channels)


def read_by_ffmpeg(data: bytes) -> tuple[np.ndarray, int]:
    """float [frames, channels], and the rate, by its own demuxer and parser."""
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        wanted = av.AudioResampler("fltp", stream.layout.name, stream.rate)
        frames = [part for frame in file.decode(stream) for part in wanted.resample(frame)]
        return np.concatenate([frame.to_ndarray().T for frame in frames]), stream.rate


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [0.001, 0.5, 1.0071])
def test_opus_ends_with_the_sample_that_its_source_ends_with(seconds, channels):
    data = made("opus", seconds, channels)
    independent, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    mine = decoded(live_opus, data, 500)
    assert rate == 48_000 and mine.shape == independent.shape == (int(seconds * 48_000), channels)
    assert np.abs(mine - independent).max() < 0.02


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_mp3_is_read_by_others_and_whole(rate):
    data = made("mp3", 1.0, rate=rate)
    independent, told = soundfile.read(io.BytesIO(data), always_2d=True)
    mine = decoded(live_mp3, data, 333)
    assert told == rate and abs(len(mine) - len(independent)) <= 1152
    assert rate <= len(mine) < rate + 4 * 1152


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [0.001, 0.5, 1.0071])
def test_vorbis_ends_with_the_sample_that_its_source_ends_with(seconds, channels):
    data = made("ogg", seconds, channels, 44_100)
    independent, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    mine = decoded(live_vorbis, data, 500)
    assert rate == 44_100 and mine.shape == independent.shape == (int(seconds * 44_100), channels)
    assert np.abs(mine - independent).max() < 0.02


@pytest.mark.parametrize("depth", [16, 24])
@pytest.mark.parametrize("channels", [1, 2])
def test_flac_is_exact_to_its_bits_and_read_by_others(depth, channels):
    data = made("flac", 1.0071, channels, 24_000, depth=depth)
    sound = np.repeat(0.6 * speech(3.0, 24_000)[:int(1.0071 * 24_000), None], channels, 1).astype(np.float32)
    wanted = np.rint(sound * 2 ** (depth - 1)) / 2 ** (depth - 1)
    independent, rate = read_by_ffmpeg(data)
    assert rate == 24_000 and soundfile.info(io.BytesIO(data)).subtype == f"PCM_{depth}"
    assert np.array_equal(independent, wanted) and np.array_equal(decoded(live_flac, data, 333), wanted)


def test_flac_of_other_encoders_is_cut_where_its_frames_end():
    """libFLAC's frames, fixed and of its own block size, in one piece, by the byte, and frame by frame."""
    sound, out = (0.6 * speech(3.0, 24_000)).astype(np.float32), io.BytesIO()
    soundfile.write(out, sound, 24_000, "PCM_16", format="FLAC")
    data = out.getvalue()
    wanted = soundfile.read(io.BytesIO(data), always_2d=True)[0]
    for step in (1, 4096, 1 << 20):
        assert np.array_equal(decoded(live_flac, data, step), wanted)
    decoder, frames = live_flac.Decoder(head := live_flac.head(data)), []
    for at in range(head.start, len(data)):
        frames += [len(part) for part in decoder.push(data[at:at + 1])]
    assert len(frames) > 10 and sum(frames) == len(wanted)
    assert len([*live_flac.Decoder(head).push(data[head.start:-1])]) == len(frames) - 1  # the last is not whole


@pytest.mark.parametrize("rate, channels", [(8_000, 1), (24_000, 1), (44_100, 2)])
def test_aac_is_read_by_others(rate, channels):
    data = made("aac", 1.0, channels, rate)
    independent, told = read_by_ffmpeg(data)
    mine = decoded(live_aac, data, 333)
    assert told == rate and mine.shape == independent.shape and rate <= len(mine) <= rate + 3 * 1024
    assert np.abs(mine - independent).max() < 0.01


@pytest.mark.parametrize("format", ROOMS)
def test_the_cuts_do_not_matter_and_nothing_is_told_too_early(format):
    data, room = made(format), ROOMS[format]
    assert (decoded(room, data, 17) == decoded(room, data, 1 << 20)).all()
    heads = [room.head(data[:count]) for count in (range(0, 9_000, 97) if format == "ogg" else range(700))]
    known = [head for head in heads if head]
    assert heads[0] is None and known and all(head.start == known[0].start for head in known)
    assert len(known) == len(heads) - heads.index(known[0])


@pytest.mark.parametrize("format", ROOMS)
def test_what_is_heard_is_the_end_of_what_was_encoded(format):
    encoder = ROOMS[format].Encoder(live.Head(48_000, 1, 64_000))
    encoder.head(lambda head: head)
    sound = np.concatenate([np.zeros((10 * 48_000, 1), np.float32), 0.6 * speech(3.0, 48_000)[:, None]])
    for at in range(0, len(sound), 4_800):
        encoder.push(sound[at:at + 4_800])
    encoder.finish()
    heard = encoder.heard()
    assert 7.9 < len(heard) / 48_000 < 8.2
    assert np.abs(heard[:4 * 48_000]).max() < 0.01 < np.abs(heard[-2 * 48_000:]).max()


@pytest.mark.parametrize("format", ROOMS)
def test_streams_without_sound_end_well(format):
    encoder = ROOMS[format].Encoder(live.Head(48_000, 1, 64_000))
    head, end = encoder.head(lambda head: head), encoder.finish()
    assert end.startswith(b"OggS") if format in ("opus", "ogg") else end == b""
    assert head.startswith({"opus": b"OggS", "flac": b"fLaC"}.get(format, b""))


@pytest.mark.parametrize("serial", [0, 5])
def test_a_head_is_of_one_stream(serial):
    data = made("opus")
    pages = []
    while data:
        page = live_ogg.page_of(data)
        pages.append(page)
        data = data[page.length:]

    def with_serials(first: int, others: int) -> bytes:
        return b"".join(ogg.encode_page(page.flags, page.granule, others if number else first, number, page.lacing,
                                        page.body) for number, page in enumerate(pages))
    assert live_opus.head(with_serials(serial, serial)).serial == serial
    with pytest.raises(MalformedFile):
        live_opus.head(with_serials(serial, 9))


def test_more_comments_need_more_pages_and_the_numbers_go_on():
    encoder = live_opus.Encoder(live.Head(48_000, 1, 64_000))
    long = b"OpusTags" + (8).to_bytes(4, "little") + b"labelkit" + (1).to_bytes(4, "little") + \
        (150_000).to_bytes(4, "little") + b"A=" + b"x" * 149_998
    small = encoder.head(lambda head: head)
    other = live_opus.Encoder(live.Head(48_000, 1, 64_000, tags=small[28:47] + long))
    pages = other.head(lambda head: head)
    assert (small.count(b"OggS"), pages.count(b"OggS")) == (2, 4)
    data = pages + other.push(0.1 * speech(3.0, 48_000)[:48_000, None]) + other.finish()
    assert len(soundfile.read(io.BytesIO(data))[0]) == 48_000
    with pytest.raises(MalformedFile):
        live_opus.head(data[:live.MAX_HEAD])


@pytest.mark.parametrize("format", ROOMS)
def test_whatever_bytes_come_only_errors_of_ours_leave(format):
    data, room, random = made(format, 0.4), ROOMS[format], np.random.default_rng(4)
    for _ in range(150):
        harmed = bytearray(data)
        for at in random.integers(0, len(data), 3):
            harmed[at] = random.integers(0, 256)
        cut = bytes(harmed[:random.integers(1, len(data))])
        try:
            head = room.head(cut)
            if head:
                decoder = room.Decoder(head)
                assert all(np.isfinite(part).all() for part in [*decoder.push(cut[head.start:]), *decoder.finish()])
        except LabelkitError:
            pass
