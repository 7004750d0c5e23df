# SPDX-License-Identifier: Apache-2.0
"""MP3, AAC, FLAC, Opus and Vorbis that an ASGI app streams leave labelled while they come, encoded as they were."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import gc
import io
import itertools
import struct
import sys

import av
import numpy as np
import pytest
import soundfile
from av.audio.codeccontext import AudioCodecContext

import labelkit as lk
from labelkit.codec import live, live_ogg, live_vorbis
from labelkit.container import ogg
from labelkit.errors import MalformedFile
from labelkit.integrations.asgi import LabelResponses
from labelkit.integrations.asgi_manifests import StreamManifests
from tests.codec.test_live import ROOMS, read_by_ffmpeg
from tests.integrations.test_asgi import aborted, answer, ask, call
from tests.sounds import speech

EXPLICIT, WATERMARK, METADATA = lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA
SECONDS, LABEL_S = 5.0, 1.9
NUMBERS = itertools.count()
OTHER = lk.Key(b"another key of some length......")


def new_label(scope) -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


def voice(rate: int, channels: int = 1) -> np.ndarray:
    """float32 [channels, frames]"""
    return np.stack([0.6 * speech(SECONDS, rate, seed) for seed in range(1, channels + 1)])


@functools.cache
def encoded(format: str, codec: str, rate: int, channels: int, bitrate: int, form: str = "fltp",
            **options: str) -> bytes:
    """A file as FFmpeg streams it, by its own muxers."""
    out, samples = io.BytesIO(), voice(rate, channels)
    layout = "mono" if channels == 1 else "stereo"
    with av.open(out, "w", format=format, options=options) as file:
        file.metadata["title"] = "Hello"
        stream = file.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = bitrate
        rows = samples.astype(np.float32) if form == "fltp" else np.rint(samples.T.reshape(1, -1) * 32767).astype("i2")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(rows), form, layout)
        frame.sample_rate = rate
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def mp3(rate: int = 24_000, channels: int = 1, bitrate: int = 64_000) -> bytes:
    return encoded("mp3", "libmp3lame", rate, channels, bitrate)


def opus(channels: int = 1, page_us: int = 20_000) -> bytes:
    return encoded("ogg", "libopus", 24_000, channels, 64_000 * channels, page_duration=str(page_us))


def aac(rate: int = 24_000, channels: int = 1) -> bytes:
    return encoded("adts", "aac", rate, channels, 64_000 * channels, write_id3v2=str(channels % 2))  # mono has a title


def flac(rate: int = 24_000, channels: int = 1) -> bytes:
    """Of a writer that cannot go back, as streams are: without the length and the checksum of the whole."""
    return encoded("flac", "flac", rate, channels, 0, form="s16")


@functools.cache
def vorbis(rate: int = 24_000, channels: int = 1) -> bytes:
    """As libsndfile writes it, with a title."""
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", rate, channels, "VORBIS", format="OGG") as file:
        file.title = "Hello"
        for part in np.array_split(voice(rate, channels).T, 50):
            file.write(part)
    return out.getvalue()


SOURCES = [("audio/mpeg", mp3), ("audio/mpeg", lambda: mp3(32_000, 2, 128_000)),
           ("audio/ogg", opus), ("audio/opus; codecs=opus", lambda: opus(2, 1_000_000)),
           ("audio/aac", aac), ("audio/aac", lambda: aac(44_100, 2)), ("audio/flac", flac),
           ("audio/x-flac", lambda: flac(44_100, 2)), ("audio/ogg", vorbis),
           ("audio/vorbis", lambda: vorbis(44_100, 2))]
NAMES = ["mp3", "stereo mp3", "opus", "stereo opus", "aac", "stereo aac", "flac", "stereo flac", "vorbis",
         "stereo vorbis"]


@pytest.mark.parametrize("kind, make", SOURCES, ids=NAMES)
def test_coded_streams_leave_with_every_layer_that_a_stream_can_have_and_their_tags(kind, make):
    source, counts = make(), collections.Counter()
    app = LabelResponses(answer(source, kind, chunks=9), label=new_label, counts=counts)
    status, headers, body = ask(app)
    report = lk.verify(body)
    assert status == 200 and b"content-length" not in headers and counts == {"labelled": 1}
    wanted = dict.fromkeys((EXPLICIT, WATERMARK, METADATA), lk.Status.VALID)
    assert {layer: report[layer].status for layer in wanted} == wanted
    assert report.explicit.heard[0].start_s < 1
    with av.open(io.BytesIO(body)) as file:
        told = {**file.metadata, **file.streams.audio[0].metadata}
        context = file.streams.audio[0].codec_context
        title = {name.lower(): value for name, value in told.items()}.get("title")
        assert title == (None if kind == "audio/aac" and context.channels == 2 else "Hello") and "AIGC" in told
        assert kind != "audio/mpeg" or abs(file.bit_rate - {1: 64_000, 2: 128_000}[context.channels]) < 9_000
    made, rate = read_by_ffmpeg(body)
    heard, same = read_by_ffmpeg(source)
    assert rate == same and made.shape[1] == heard.shape[1]
    assert SECONDS + LABEL_S - 0.01 < len(made) / rate < SECONDS + LABEL_S + 0.2
    assert _likeness(made[:, 0], heard[:, 0], rate) > 0.97
    assert {one.status for one in lk.verify(source)} <= {lk.Status.ABSENT, lk.Status.UNCHECKED}
    assert lk.verify(body, key=OTHER, layers=[WATERMARK])[WATERMARK].status is lk.Status.ABSENT


def _likeness(made: np.ndarray, heard: np.ndarray, rate: int) -> float:
    """The correlation of two seconds of the source with the best place behind the label."""
    part = heard[rate:3 * rate]
    room = made[int((1 + LABEL_S - 0.1) * rate):int((3 + LABEL_S + 0.3) * rate)]
    size = 1 << (len(room) + len(part)).bit_length()
    product = np.fft.irfft(np.fft.rfft(room, size) * np.conj(np.fft.rfft(part, size)))
    at = int(np.argmax(product[:len(room) - len(part)]))
    return float(np.corrcoef(part, room[at:at + len(part)])[0, 1])


@pytest.mark.parametrize("kind, make, lag_s", [
    ("audio/mpeg", mp3, 0.20), ("audio/ogg", opus, 0.13), ("audio/aac", aac, 0.20), ("audio/flac", flac, 0.13),
    ("audio/ogg", vorbis, 1.3)], ids=NAMES[::2])
def test_the_label_leaves_with_the_first_chunk_and_the_sound_keeps_up(kind, make, lag_s):
    source, size, seen, sent, room = make(), 1200, [], [], ROOMS[make.__name__.replace("vorbis", "ogg")]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
        for start in range(0, len(source), size):
            await send({"type": "http.response.body", "body": source[start:start + size], "more_body": True})
            seen.append(b"".join(one.get("body", b"") for one in sent))
        await send({"type": "http.response.body"})

    async def send(event):
        sent.append(dict(event))

    asyncio.run(LabelResponses(app, label=new_label)({"type": "http", "method": "GET", "path": "/"}, None, send))
    begun = next(number for number, left in enumerate(seen) if left)
    first = seen[begun]
    assert begun == 0 or room.head(source[:size * begun]) is None  # heads of Vorbis and FLAC fill several chunks
    report = lk.verify(first, layers=[EXPLICIT, METADATA])
    assert report[EXPLICIT].status is lk.Status.VALID
    assert report[METADATA].status is lk.Status.VALID
    assert len(seen) > 20
    for number in (5, 12, 20) if begun == 0 else (12, 20):  # the chunks so far, decoded, and what has left by then
        came, left = _seconds(source[:(number + 1) * size], room), _seconds(seen[number], room)
        assert came + LABEL_S - lag_s < left < came + LABEL_S + 0.01


def _seconds(data: bytes, room) -> float:
    """Of sound in the beginning of a stream; tests/codec asks other readers whether the rooms read right."""
    head = room.head(data[:live.MAX_HEAD])
    return sum(map(len, room.Decoder(head).push(data[head.start:]))) / head.rate if head else 0.0


def test_the_chunks_of_mp3_do_not_matter():
    one, other = (ask(LabelResponses(answer(mp3(), "audio/mpeg", chunks=chunks), label=lambda scope: lk.Label(
        lk.Kind.GENERATED, "acme", "1")))[2] for chunks in (2, 397))
    assert one == other


def test_sound_too_quiet_for_a_mark_is_counted():
    out, counts = io.BytesIO(), collections.Counter()
    soundfile.write(out, np.zeros(9 * 24_000), 24_000, format="MP3")
    plan = lk.Plan(explicit=None)
    _, _, body = ask(LabelResponses(answer(out.getvalue(), "audio/mpeg", chunks=5), label=new_label, plan=plan,
                                    counts=counts))
    assert counts == {"labelled": 1, "without watermark": 1} and lk.verify(body)[METADATA].status is lk.Status.VALID


@pytest.mark.parametrize("how", ["surround", "length", "signer", "no codec"])
def test_what_cannot_be_labelled_under_way_is_held_until_it_is_whole(how, signer, monkeypatch):
    source, kind = (vorbis(24_000, 3), "audio/ogg") if how == "surround" else (mp3(), "audio/mpeg")
    headers = [(b"content-length", b"%d" % len(source))] if how == "length" else []
    if how == "no codec":
        monkeypatch.setitem(sys.modules, "av", None)
    app = LabelResponses(answer(source, kind, headers=headers, chunks=5), label=new_label,
                         signer=signer if how == "signer" else None)
    status, made, body = ask(app)
    assert status == 200 and int(made[b"content-length"]) == len(body)
    assert lk.verify(body).verdict is lk.Verdict.CONFIRMED


def broken(data: bytes) -> bytes:
    """Opus with one byte of a page changed, far behind the start."""
    return data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:]


@pytest.mark.parametrize("harm", [broken, lambda data: data[:-7], lambda data: data + data,
                                  lambda data: data[:data.index(b"OggS", len(data) // 2)] + b"not a page of any Ogg"])
def test_opus_that_breaks_under_way_has_no_end(harm):
    sent: list[dict] = []

    async def send(event):
        sent.append(dict(event))

    app = LabelResponses(answer(harm(opus()), "audio/ogg", chunks=8), label=new_label)
    with pytest.raises(MalformedFile):
        asyncio.run(app({"type": "http", "method": "GET", "path": "/"}, None, send))
    assert sent and all(event.get("more_body", True) for event in sent)
    left = b"".join(event.get("body", b"") for event in sent)
    assert lk.verify(left, layers=[METADATA])[METADATA].status is lk.Status.VALID  # what left is labelled


def test_aac_that_comes_whole_leaves_as_a_file_and_signed_only_with_a_place_for_its_manifest(signer, tmp_path):
    """The manifest of ADTS lies beside it: an answer has no such place, unless it is named one."""
    app = answer(aac(), "audio/aac", headers=[(b"content-length", b"%d" % len(aac()))])
    status, made, body = ask(LabelResponses(app, label=new_label))
    assert status == 200 and int(made[b"content-length"]) == len(body) and body.startswith(b"ID3")
    report = lk.verify(body)
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
    status, _, told = ask(LabelResponses(app, label=new_label, signer=signer))
    assert status == 500 and b"manifest lies beside" in told
    status, made, _ = ask(LabelResponses(app, label=new_label, signer=signer, manifests=StreamManifests(tmp_path)))
    assert status == 200 and b"content-length" not in made and b"c2pa-manifest" in made[b"link"]


@pytest.mark.parametrize("kind, make", [("audio/aac", aac), ("audio/flac", flac), ("audio/ogg", vorbis)])
def test_streams_that_are_cut_off_have_no_end(kind, make):
    with pytest.raises(MalformedFile):
        asyncio.run(call(LabelResponses(answer(make()[:-9], kind, chunks=8), label=new_label)))


def test_mp3_that_changes_its_format_under_way_has_no_end():
    app = LabelResponses(answer(mp3() + mp3(44_100, 2, 128_000), "audio/mpeg", chunks=8), label=new_label)
    with pytest.raises(MalformedFile):
        asyncio.run(call(app))


@pytest.mark.parametrize("kind, body", [("audio/mpeg", b"no MP3 at all" * 99), ("audio/ogg", b"OggS" + bytes(90)),
                                        ("audio/mpeg", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(200)),
                                        ("audio/ogg", b""), ("audio/mpeg", b"\xff"),
                                        ("audio/flac", b"fLaC" + bytes(90)),
                                        ("audio/aac", b"\xff\xf1\xff" + bytes(90)), ("audio/aac", b"\xff\xf1"),
                                        ("audio/aac", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(200)),
                                        ("audio/ogg", b"OggS" + bytes(24) + b"\x01vorbis" + bytes(90))])
def test_what_is_not_what_it_says_is_refused(kind, body):
    status, _, told = ask(LabelResponses(answer(body, kind, chunks=4), label=new_label))
    assert status == 500 and b"error" in told


def with_rate(rate: int) -> bytes:
    """Vorbis whose head tells another rate."""
    data = vorbis()
    page = live_ogg.page_of(data)
    body = page.body[:12] + struct.pack("<I", rate) + page.body[16:]
    return ogg.encode_page(page.flags, page.granule, page.serial, 0, page.lacing, body) + data[page.length:]


@pytest.mark.parametrize("rate", [0, 200_001, 2**31 - 1, 2**32 - 1])
def test_rates_that_end_the_process_in_libsndfile_are_refused(rate, tmp_path):
    status, _, told = ask(LabelResponses(answer(with_rate(rate), "audio/ogg", chunks=4), label=new_label))
    assert status == 500 and b"error" in told
    source = tmp_path / "a.ogg"
    source.write_bytes(with_rate(rate))
    with pytest.raises(lk.LabelkitError):
        lk.embed(source, tmp_path / "out.ogg", new_label(None), plan=lk.Plan(watermark=None))
    assert not (tmp_path / "out.ogg").exists()


def test_the_highest_rate_of_vorbis_is_encoded():
    head = live.Head(200_000, 1, 64_000)
    assert live_vorbis.Encoder(head).finish()
    with pytest.raises(lk.errors.UnsupportedFormat, match="1-200000 Hz"):
        live_vorbis.Encoder(dataclasses.replace(head, rate=200_001))


def test_flac_without_a_rate_is_refused():
    data = bytearray(flac())
    data[18:21] = bytes([0, 0, data[20] & 15])
    status, _, told = ask(LabelResponses(answer(bytes(data), "audio/flac", chunks=4), label=new_label))
    assert status == 500 and b"error" in told


@pytest.mark.parametrize("kind, make", SOURCES[::2], ids=NAMES[::2])
def test_aborted_lossy_streams_leave_no_unlabelled_byte_and_nothing_behind(kind, make):
    source = make()
    gc.collect()
    coders = sum(isinstance(one, AudioCodecContext) for one in gc.get_objects())
    kept, behind = aborted(LabelResponses(answer(source, kind, chunks=30), label=new_label),
                           [number * 9_000 for number in range(4)])
    assert behind == 0
    gc.collect()
    # a thread may still let go of the last stream; five had two each
    assert sum(isinstance(one, AudioCodecContext) for one in gc.get_objects()) <= coders + 2
    for left in kept:
        assert b"AIGC" in left[:4096]
    assert lk.verify(kept[-1], layers=[EXPLICIT])[EXPLICIT].status is lk.Status.VALID


def test_information_frames_of_mp3_are_no_sound():
    """libsndfile writes one first, with the delay of the encoder; it is not taken for sound or for the bitrate."""
    out = io.BytesIO()
    soundfile.write(out, voice(24_000)[0], 24_000, format="MP3", bitrate_mode="CONSTANT", compression_level=0.4)
    assert b"Info" in out.getvalue()[:200]
    body = ask(LabelResponses(answer(out.getvalue(), "audio/mpeg", chunks=9), label=new_label))[2]
    assert b"Info" not in body[:2000] and lk.verify(body).verdict is lk.Verdict.CONFIRMED
    assert struct.unpack_from(">H", body, body.index(b"\xff\xf3"))[0] == 0xFFF3
