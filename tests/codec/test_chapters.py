# SPDX-License-Identifier: Apache-2.0
"""Chapters and cue points name the same sound after a label was put before it, into it or behind it."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit.codec import chapters
from labelkit.codec.chapters import Shift
from labelkit.container import Reader, id3
from tests import sounds
from tests.media import LABEL

RATE = 44_100
SOUND = sounds.music(12)
SECONDS = (0.0, 4.0, 9.25)  # where chapters begin; FFmpeg writes seconds rounded into Vorbis comments


def plan(place: str = "start") -> lk.Plan:
    return lk.Plan(watermark=None, explicit=lk.Explicit(place=place))


def written(format: str, subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, SOUND, RATE, format=format, subtype=subtype)
    return out.getvalue()


def frames_put(out: bytes) -> float:
    """By how many seconds sound grew."""
    return soundfile.info(io.BytesIO(out)).duration - len(SOUND) / RATE


def safe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def id3_chapters(version: int) -> bytes:
    def frame(kind: bytes, body: bytes) -> bytes:
        size = safe(len(body)) if version == 4 else struct.pack(">I", len(body))
        return kind + size + b"\0\0" + body
    parts = b"".join(frame(b"CHAP", b"c%d\0" % number + struct.pack(
        ">4I", int(start * 1000), int(stop * 1000), 7, 9) + frame(b"TIT2", b"\0part")) for number, (start, stop) in
        enumerate(zip(SECONDS, (*SECONDS[1:], 12), strict=True)))
    parts += frame(b"CTOC", b"toc\0\3\3c0\0c1\0c2\0")
    return b"ID3" + bytes([version, 0, 0]) + safe(len(parts)) + parts


def read_id3(data: bytes) -> list[tuple[int, ...]]:
    return [struct.unpack_from(">4I", data, frame.body + 3) for tag in id3.tags(Reader.of(data)) for frame in tag.frames
            if frame.kind == b"CHAP"]


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("place", ["start", "end"])
def test_chapters_of_id3(version, place):
    data = id3_chapters(version) + written("MP3", "MPEG_LAYER_III")
    out = lk.embed(data, label=LABEL, plan=plan(place))
    put = round(1000 * label_seconds(plan(place)))
    first, second, third = read_id3(out)
    moved = put if place == "start" else 0
    nowhere = 0xFFFFFFFF
    assert first == (0, 4000 + moved, nowhere, nowhere)
    assert second[:2] == (4000 + moved, 9250 + moved) and third[:2] == (9250 + moved, 12_000 + moved)
    assert b"CTOC" in out and out.count(b"part") == 3


def label_seconds(settings: lk.Plan) -> float:
    """How long the label is with its margins."""
    return frames_put(lk.embed(written("WAV", "PCM_16"), label=LABEL, plan=settings))


def test_a_label_that_was_not_put_in_moves_nothing():
    data = id3_chapters(3) + written("MP3", "MPEG_LAYER_III")
    out = lk.embed(data, label=LABEL, plan=lk.Plan(explicit=None))
    assert read_id3(out) == read_id3(data)


def test_a_label_in_the_middle_moves_what_comes_behind_it():
    out = lk.embed(id3_chapters(3) + written("MP3", "MPEG_LAYER_III"), label=LABEL, plan=plan("middle"))
    first, second, third = read_id3(out)
    put = round(1000 * label_seconds(plan("middle")))
    assert first[0] == 0 and first[1] == second[0] and second[0] in (4000, 4000 + put)  # it goes into a pause near it
    assert third[:2] == (9250 + put, 12_000 + put)


def by_ffmpeg(muxer: str, codec: str, rate: int) -> bytes:
    """The sound as FFmpeg writes it, with chapters in its tags."""
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format=muxer) as file:
        file.set_chapters([{"id": number, "start": int(start * 1000), "end": int(stop * 1000),
                            "time_base": Fraction(1, 1000), "metadata": {"title": f"part {number}"}}
                           for number, (start, stop) in enumerate(zip(SECONDS, (*SECONDS[1:], 12), strict=True))])
        stream = file.add_stream(codec, rate=rate, layout="stereo")
        stream.codec_context.open(strict=False)
        resampler = av.AudioResampler(stream.codec_context.format.name, "stereo", rate,
                                      stream.codec_context.frame_size or 1024)
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(SOUND.T), "fltp", "stereo")
        whole.sample_rate, whole.pts = RATE, 0
        for frame in (*resampler.resample(whole), *resampler.resample(None)):
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def read_chapters(data: bytes) -> list[tuple[float, str]]:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(data)) as file:
        return [(float(one["start"] * one["time_base"]), one["metadata"]["title"]) for one in file.chapters()]


@pytest.mark.parametrize("how", [("ogg", "libopus", 48_000), ("ipod", "aac", RATE)])
def test_chapters_of_vorbis_comments_and_m4a(how):
    data = by_ffmpeg(*how)
    assert [start for start, _ in read_chapters(data)] == pytest.approx(SECONDS, abs=0.002)
    told = read_chapters(lk.embed(data, label=LABEL, plan=plan()))
    put = label_seconds(plan())
    assert [start for start, _ in told] == pytest.approx([start + put * (start > 0) for start in SECONDS], abs=0.002)
    assert [title for _, title in told] == ["part 0", "part 1", "part 2"]


@pytest.mark.parametrize("entry", [b"CHAPTER001NAME=00:00:04.000", b"TITLE=00:00:04.000", b"CHAPTER001=4 s",
                                   b"CHAPTER001=", b"CHAPTER1=00:99:00"])
def test_comments_that_are_no_chapters_stay(entry):
    assert chapters.in_comments([entry], Shift(((0.0, 2.0),))) == [entry]


def test_chapters_over_an_hour():
    assert chapters.in_comments([b"chapter002=01:59:59.5"], Shift(((0.0, 2.25), (5.0, 1.0)))) == [
        b"chapter002=02:00:02.750"]


def test_chapters_of_flac():
    data = written("FLAC", "PCM_16")
    entries = [b"CHAPTER%03d=00:00:%06.3f" % (number, start) for number, start in enumerate(SECONDS)]
    body = struct.pack("<II", 0, 3) + b"".join(struct.pack("<I", len(entry)) + entry for entry in entries)
    data = data[:42] + b"\4" + len(body).to_bytes(3, "big") + body + data[42:]
    out = lk.embed(data, label=LABEL, plan=plan())
    put = label_seconds(plan())
    for number, start in enumerate(SECONDS):
        assert b"CHAPTER%03d=00:00:%06.3f" % (number, start + put * (start > 0)) in out
    assert out.count(b"CHAPTER") == 3 and lk.verify(out)[lk.Layer.METADATA].label == LABEL


def test_both_places_of_chapters_in_m4a_move():
    data = by_ffmpeg("ipod", "aac", RATE)
    out = lk.embed(data, label=LABEL, plan=plan())
    place = out.index(b"chpl") + 13
    starts = []
    for _ in range(out[place - 1]):
        starts.append(struct.unpack_from(">Q", out, place)[0] / 1e7)
        place += 9 + out[place + 8]
    assert starts == pytest.approx([start for start, _ in read_chapters(out)], abs=0.002) and len(starts) == 3


def test_cue_points_of_wav():
    data = written("WAV", "PCM_16")
    cue = struct.pack("<I", 2) + b"".join(struct.pack("<II4sIII", number, frame, b"data", 0, 0, frame)
                                          for number, frame in ((1, 0), (2, 4 * RATE)))
    data += b"cue " + struct.pack("<I", len(cue)) + cue
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    out = lk.embed(data, label=LABEL, plan=plan())
    at = out.index(b"cue ") + 12
    put = round(frames_put(out) * RATE)
    assert struct.unpack_from("<II4sIII", out, at) == (1, 0, b"data", 0, 0, 0)
    assert struct.unpack_from("<II4sIII", out, at + 24) == (2, 4 * RATE + put, b"data", 0, 0, 4 * RATE + put)


def test_the_cue_sheet_of_flac():
    def sheet(*tracks: tuple[int, int]) -> bytes:
        return b"".join((bytes(136), b"\x80", bytes(258), bytes([len(tracks)]), *(
            struct.pack(">QB", start, number) + bytes(26) + (b"\1" + bytes(12) if number < 170 else b"\0")
            for start, number in tracks)))
    body = sheet((0, 1), (4 * RATE, 2), (12 * RATE, 170))
    moved = chapters.in_cuesheet(body, RATE, Shift(((0.0, 2.0),)), 14 * RATE)
    at = [396, 396 + 48, 396 + 96]
    assert [struct.unpack_from(">Q", moved, place)[0] for place in at] == [0, 6 * RATE, 14 * RATE]
    assert moved[136] == 0 and len(moved) == len(body)
    for cut in (0, 100, 395, 400, 450):
        assert chapters.in_cuesheet(body[:cut], RATE, Shift(((0.0, 2.0),)), 1) == body[:cut]


@pytest.mark.parametrize("moment,wanted", [(0, 0), (1, 101), (50, 150), (50.5, 250.5), (80, 280)])
def test_a_moment_moves_by_what_was_put_in_before_it(moment, wanted):
    assert Shift(((0.0, 100.0), (50.0, 100.0))).seconds(moment) == wanted
