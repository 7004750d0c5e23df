# SPDX-License-Identifier: Apache-2.0
"""What a film holds beside its main picture and comes along when it is encoded anew, or is said to be left out."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from labelkit import container
from labelkit.codec import hdr, transcode
from labelkit.container import Reader, bmff, mp4, mp4tracks
from labelkit.errors import InvalidArgument, LabelkitError, UnsupportedFormat
from labelkit.plan import Quality
from tests.codec.test_video import bright, decoded, needs, probed, silent, streams_of
from tests.films import film, picture, scene

QUICK = Quality(preset="ultrafast")


def through(path: Path, quality: Quality = QUICK) -> tuple[Path, list[str]]:
    """The film with a change, and what it says was left out."""
    target = path.with_name("out_" + path.name)
    progress = transcode.encode(decoded(path).map(bright), target, quality)
    return target, [str(said) for said in progress.left_out]


def two(path: Path, default: int) -> Path:
    """A film of two moving pictures, of 320 x 240 and of 160 x 120."""
    with av.open(str(path), "w") as out:
        streams = []
        for number, size in enumerate(((320, 240), (160, 120))):
            stream = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.disposition = 1 if number == default else 0
            streams.append((stream, scene(*size, 12, seed=number)))
        for index in range(12):
            for stream, rows in streams:
                frame = picture(next(rows))
                frame.pts, frame.time_base = index, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream, _ in streams:
            out.mux(stream.encode(None))
    return path


def packets(path: Path, number: int) -> list[bytes]:
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux(source.streams[number]) if packet.size]


@pytest.mark.parametrize("default", [0, 1])
def test_of_several_moving_pictures_the_one_that_plays_is_labelled(default, tmp_path):
    source = two(tmp_path / "two.mkv", default)
    assert decoded(source).format.width == (320, 160)[default]
    target, said = through(source)
    assert packets(source, default) != packets(target, default)
    assert packets(source, 1 - default) == packets(target, 1 - default)
    assert said == [f"stream {1 - default}, more moving pictures, is copied without a label"]
    with av.open(str(target)) as out:
        assert [stream.disposition & 1 for stream in out.streams] == [1 - default, default]


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 60)).save(file, "PNG")
    return file.getvalue()


@contextmanager
def remuxed(source: Path, target: Path) -> Iterator[tuple[av.container.OutputContainer, av.VideoStream]]:
    """The container and the stream into which the packets of a film go, for what is set before they do."""
    with av.open(str(source)) as before, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(before.streams[0], opaque=True)
        yield out, stream
        for packet in before.demux():
            if packet.size:
                packet.stream = stream
                out.mux(packet)


def test_covers_of_matroska_stay_covers(tmp_path):
    plain = film(tmp_path / "plain.mkv", count=10)
    source = tmp_path / "film.mkv"
    with remuxed(plain, source) as (out, _):
        out.add_attachment("cover.png", "image/png", png())
        out.add_attachment("notes.bin", "application/octet-stream", b"notes")
    target, said = through(source)
    assert said == []
    about = "stream=codec_type,codec_name:stream_disposition=attached_pic:stream_tags=filename,mimetype"
    assert probed(source, about) == probed(target, about) and "attached_pic=1" in probed(target, about)
    assert png() in target.read_bytes() and b"notes" in target.read_bytes()
    assert through(plain)[0].read_bytes().find(b"cover.png") < 0


def test_timecodes_are_made_anew(tmp_path):
    source = tmp_path / "film.mov"
    with remuxed(film(tmp_path / "plain.mov", count=10), source) as (_, stream):
        stream.metadata["timecode"] = "01:02:03:04"
    target, said = through(source)
    assert said == []
    assert mp4tracks.track_kinds(reader(target)) == [b"avc1", b"tmcd"]
    assert probed(target, "stream_tags=timecode").count("01:02:03:04") == 2


def reader(path: Path) -> Reader:
    return Reader.of(path.read_bytes(), path.name)


def with_words_as(path: Path, kind: bytes, handler: bytes = b"meta") -> Path:
    """A film whose track of subtitles is called something else."""
    plain = film(path.with_name("words.mkv"), count=30, subtitles=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(plain), "-c:v", "copy", "-c:s", "mov_text", str(path)],
                   check=True, timeout=600)
    data = path.read_bytes()
    assert data.count(b"tx3g") == 1 and data.count(b"sbtl") == 1
    path.write_bytes(data.replace(b"tx3g", kind).replace(b"sbtl", handler))
    return path


def test_the_telemetry_of_cameras_is_copied_and_other_data_is_said_to_be_left_out(tmp_path):
    needs("ffmpeg")
    source = with_words_as(tmp_path / "gopro.mp4", b"gpmd")
    target, said = through(source)
    assert said == [] and streams_of(source, "data") == streams_of(target, "data") != []
    assert mp4tracks.track_kinds(reader(target)) == [b"avc1", b"gpmd"]
    target, said = through(with_words_as(tmp_path / "other.mp4", b"camm"))
    assert len(said) == 1 and "stream 1, data" in said[0] and "left out" in said[0]
    assert mp4tracks.track_kinds(reader(target)) == [b"avc1"] and silent(target)


def test_sound_that_the_library_does_not_know_is_said_to_be_left_out(tmp_path):
    known = film(tmp_path / "film.mp4", count=5, sound=["aac"])
    assert through(known)[1] == []
    unknown = tmp_path / "unknown.mp4"
    unknown.write_bytes(known.read_bytes().replace(b"mp4a", b"zz-9").replace(b"esds", b"free"))
    target, said = through(unknown)
    assert len(said) == 1 and "stream 1, audio in ?" in said[0] and "left out" in said[0]
    assert mp4tracks.track_kinds(reader(target)) == [b"avc1"]


@pytest.mark.parametrize("decoder,family,place", [("pgssub", "hdmv_pgs_subtitle", True), ("webvtt", "webvtt", True),
                                                  ("mov_text", "mov_text", False)])
def test_subtitles_are_kept_where_the_container_takes_them(decoder, family, place, tmp_path):
    """Matroska takes what Blu-rays have, under the name of the format or of its decoder."""
    kind = type("Codec", (), {"name": decoder, "canonical_name": family})
    stream = type("Stream", (), {"type": "subtitle", "codec_context": type("Context", (), {"codec": kind})})
    with av.open(str(tmp_path / "x.mkv"), "w") as out:
        assert transcode._has_place(type("Run", (), {"out": out}), stream) is place


def test_damaged_boxes_raise_our_errors_only(tmp_path):
    data = film(tmp_path / "film.mp4", count=5, sound=["aac"]).read_bytes()
    random = np.random.default_rng(8)
    outcomes = set()
    for _ in range(300):
        bad = bytearray(data)
        for place in random.integers(0, len(bad), 30):
            bad[place] = random.integers(256)
        try:
            mp4tracks.track_kinds(Reader.of(bytes(bad)))
            mp4.completed(Reader.of(bytes(bad)), Reader.of(data))
            outcomes.add("read")
        except LabelkitError as error:
            outcomes.add(type(error).__name__)
    assert len(outcomes) > 1


def test_kinds_of_tracks_are_read_within_bounds():
    """A track that ends early has no kind; sizes that lie are refused."""
    def boxed(kind: bytes, body: bytes) -> bytes:
        return bmff.encode(kind, body)

    entry = boxed(b"stsd", bytes(4) + b"\0\0\0\1" + boxed(b"gpmd", bytes(8)))
    whole = boxed(b"trak", boxed(b"mdia", boxed(b"minf", boxed(b"stbl", entry))))
    empty = boxed(b"trak", boxed(b"mdia", boxed(b"minf", boxed(b"stbl", boxed(b"stsd", bytes(4))))))
    moov = boxed(b"moov", whole + empty + boxed(b"trak", b""))
    assert mp4tracks.track_kinds(Reader.of(moov)) == [b"gpmd", b"", b""]
    assert mp4tracks.track_kinds(Reader.of(boxed(b"free", b""))) == []


def test_xmp_of_mp4_comes_along(tmp_path):
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>mine</x:xmpmeta>"
    for name, muxer in (("film.mp4", {}), ("fragments.mp4", {"movflags": "frag_keyframe+empty_moov"})):
        source = film(tmp_path / name, count=10, muxer=muxer, tags={"title": "T"})
        source.write_bytes(source.read_bytes() + bmff.encode(b"uuid", bmff._XMP_UUID + packet)
                           + bmff.encode(b"uuid", bytes(16) + b"of somebody else"))
        target, _ = through(source)
        data = target.read_bytes()
        assert data.count(packet) == 1 and b"somebody else" not in data
        assert silent(target)
        with av.open(str(target)) as out:
            assert out.metadata["title"] == "T"
        slots = container.scan(reader(target)).slots
        assert [slot.load() for slot in slots if slot.name == "uuid"] == [packet]


MASTERING = struct.pack("<20i", 34000, 50000, 16000, 50000, 13250, 50000, 34500, 50000, 7500, 50000, 3000, 50000, 15635,
                        50000, 16450, 50000, 50, 10000, 10000000, 10000)


def test_hdr10_is_said_in_the_words_of_each_encoder():
    told = dict(MASTERING_DISPLAY_METADATA=MASTERING, CONTENT_LIGHT_LEVEL=struct.pack("<2I", 900, 300))
    whole = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    assert hdr.settings(told, "libx265", "x") == ["hdr10=1", f"master-display={whole}", "max-cll=900,300"]
    assert hdr.settings(told, "libx264", "x") == [f"mastering-display={whole}", "cll=900,300"]
    assert hdr.settings(told, "libsvtav1", "x") == [
        "mastering-display=G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)WP(0.31270,0.32900)"
        "L(1000.00000,0.00500)", "content-light=900,300"]
    assert hdr.settings(told, "ffv1", "x") is None and hdr.settings({}, "ffv1", "x") == []
    with pytest.raises(UnsupportedFormat):
        hdr.settings({"DYNAMIC_HDR_PLUS": b""}, "libsvtav1", "x")


@pytest.mark.parametrize("encoder,params", [
    ("libx264", {"x264-params": "cll=900,300:mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)"
                                "WP(15635,16450)L(10000000,50)"}),
    ("libsvtav1", {"preset": "12", "svtav1-params": "content-light=900,300:mastering-display=G(0.265,0.69)B(0.15,0.06)"
                                                    "R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005)"})])
def test_hdr10_metadata_stays_in_h264_and_av1(encoder, params, tmp_path):
    source = film(tmp_path / "film.mkv", codec=encoder, form="yuv420p10le", count=6, options=params)
    about = ("frame_side_data=red_x,green_y,max_luminance,max_content", "-read_intervals", "%+#1")
    assert "900" in probed(source, *about)
    target, said = through(source, Quality(preset="12") if encoder == "libsvtav1" else QUICK)
    assert probed(target, *about) == probed(source, *about) and said == []


def test_hdr10_metadata_that_have_no_place_are_told(tmp_path):
    source = film(tmp_path / "hdr.mkv", codec="libx264", form="yuv420p10le", count=6,
                  options={"x264-params": "cll=900,300"})
    lossless = tmp_path / "ffv1.mkv"
    needs("ffmpeg")
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(source), "-c:v", "ffv1", str(lossless)], check=True, timeout=600)
    _, said = through(lossless)
    assert said == ["HDR10's metadata have no place in ffv1 and are left out"]


@pytest.mark.parametrize("name,settings", [("h264.avi", {}), ("mpeg4.avi", {"codec": "mpeg4", "options": {"bf": "2"}})])
def test_no_frame_of_avi_is_lost_or_out_of_order(name, settings, tmp_path):
    """AVI tells no times of display, and frames that are stored out of order get wrong ones by a guess."""
    source = film(tmp_path / name, count=40, **settings)
    target, _ = through(source)
    for path in (source, target):
        seconds = [frame.seconds for frame in decoded(path).frames()]
        assert seconds == pytest.approx([index / 25 for index in range(40)])
    with av.open(str(source)) as before, av.open(str(target)) as after:
        for one, other in zip(before.decode(video=0), after.decode(video=0), strict=True):
            halves = [frame.to_ndarray(format="gray")[120:].astype(int) for frame in (one, other)]
            assert np.abs(halves[0] - halves[1]).mean() < 4  # the same scene, which moves 4 pixels a frame


@pytest.mark.parametrize("codec_name,preset", [("libsvtav1", "veryfast"), ("libx264", "8")])
def test_presets_of_other_encoders_are_named(codec_name, preset, tmp_path):
    own = {"preset": "12"} if codec_name == "libsvtav1" else {}
    source = film(tmp_path / "film.mkv", codec=codec_name, count=5, options=own)
    with pytest.raises(InvalidArgument, match=preset):
        through(source, Quality(preset=preset))


def test_a_film_without_sound_says_that_there_is_none(tmp_path):
    samples = decoded(film(tmp_path / "film.mp4", count=5)).map_sound(lambda rate, channels: None)
    progress = transcode.encode(samples, tmp_path / "out.mp4", QUICK)
    assert [str(said) for said in progress.left_out] == ["there is no sound track that a label could be put into"]
    assert not transcode.encode(decoded(tmp_path / "film.mp4"), tmp_path / "out.mp4", QUICK).left_out
