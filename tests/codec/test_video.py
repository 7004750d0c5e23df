# SPDX-License-Identifier: Apache-2.0
"""Films: what is decoded, and what a film keeps when its frames are changed."""

import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from labelkit import codec, container
from labelkit.codec import transcode
from labelkit.codec.backends import ReaderFile
from labelkit.codec.frame import Orientation
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.plan import Quality
from tests.films import FAST, film, picture, scene

QUICK = Quality(preset="ultrafast")
VARIABLE = [0, 40, 120, 130, 300, 333, 500, 900, 910, 1000]


def decoded(path: Path):
    return codec.decode(container.Reader(open(path, "rb"), path.name))


def through(path: Path, change=lambda frame: None, **settings) -> Path:
    """The film with a change, written beside it."""
    target = path.with_name("out_" + path.name)
    transcode.encode(decoded(path).map(change), target, settings.pop("quality", QUICK), **settings)
    return target


def needs(tool: str) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")


def probed(path: Path, entries: str, *more: str) -> str:
    """What ffprobe says, one line a record."""
    needs("ffprobe")
    return subprocess.run(["ffprobe", "-v", "error", *more, "-show_entries", entries, "-of", "compact", str(path)],
                          capture_output=True, text=True, check=True, timeout=600).stdout


def streams_of(path: Path, kind: str) -> list[bytes]:
    """The packets of all streams of a kind."""
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux() if packet.size and packet.stream.type == kind]


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as source:
        return [frame.pts * frame.time_base for frame in source.decode(video=0)]


def silent(path: Path) -> bool:
    """Whether ffmpeg decodes all of it without a word."""
    needs("ffmpeg")
    run = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-enc_time_base:v", "demux", "-f", "null",
                          "-"], capture_output=True, timeout=600)
    return run.returncode == 0 and not run.stderr


def bright(frame) -> None:
    frame.luma[:32] = 235 << frame.format.bits - 8


FILMS = {
    "plain.mp4": {}, "fragments.mp4": {"muxer": {"movflags": "frag_keyframe+empty_moov"}, "sound": ["aac"]},
    "turned.mov": {"rotation": 90, "sound": ["aac"]}, "anamorphic.mp4": {"aspect": Fraction(4, 3)},
    "variable.mp4": {"times": VARIABLE, "count": 10}, "variable.mkv": {"times": VARIABLE, "count": 10},
    "all.mp4": {"sound": ["aac", "aac"], "chapters": True, "tags": {"title": "T", "artist": "A"}},
    "all.mkv": {"sound": ["aac", "libopus"], "subtitles": True, "chapters": True, "tags": {"title": "T"}},
    "film.webm": {"codec": "libvpx-vp9", "sound": ["libopus"], "size": (319, 241)},
    "film.avi": {"codec": "mpeg4", "sound": ["libmp3lame"]}, "film.flv": {"sound": ["aac"]},
    "ten.mp4": {"codec": "libx265", "form": "yuv420p10le", "colour": (9, 16, 9)},
    "old.flv": {"codec": "flv", "sound": ["libmp3lame"]}, "mpeg2.mkv": {"codec": "mpeg2video"},
    "fine.mp4": {"codec": "mpeg4", "muxer": {"video_track_timescale": "90000"}},
    "full.mp4": {"full_range": True}, "whole.mkv": {"form": "yuv444p"}, "grey.mkv": {"form": "gray"},
}


@pytest.mark.parametrize("name", FILMS)
def test_a_changed_film_keeps_all_but_its_pixels(name, tmp_path):
    source = film(tmp_path / name, **FILMS[name])
    target = through(source, bright)
    assert times(source) == times(target)
    for kind in ("audio", "subtitle"):
        assert streams_of(source, kind) == streams_of(target, kind)
    about = ("stream=codec_name,width,height,pix_fmt,sample_aspect_ratio,color_range,color_space,color_transfer,"
             "color_primaries:stream_tags=language:stream_side_data=rotation:chapter=start_time,end_time:"
             "chapter_tags=title:format=format_name:format_tags=title,artist")
    assert probed(source, about) == probed(target, about)
    assert silent(target)
    with av.open(str(target)) as out:
        top = np.frombuffer(next(out.decode(video=0)).planes[0], np.uint8)[:100]
        assert top.size and len(set(top.tolist())) < 60
    assert streams_of(source, "video") != streams_of(target, "video")


def test_frames_are_changed_once_each_and_references_stay_clean(tmp_path):
    source = film(tmp_path / "film.mp4", count=40)
    with av.open(str(source)) as plain:
        wanted = [np.frombuffer(frame.planes[0], np.uint8).reshape(240, -1)[120:, :320].astype(int).mean()
                  for frame in plain.decode(video=0)]
    seen = []
    target = through(source, lambda frame: (seen.append(frame.index), bright(frame)), quality=Quality(crf=0))
    assert seen == list(range(40))
    with av.open(str(target)) as out:  # the lower half is as it was: nothing leaked through the decoder's references
        got = [np.frombuffer(frame.planes[0], np.uint8).reshape(240, -1)[120:, :320].astype(int).mean()
               for frame in out.decode(video=0)]
    assert np.abs(np.array(wanted) - got).max() < 0.05


def test_frames_are_coded_whole_also_where_those_of_the_source_are_in_slices(tmp_path):
    def slices(path: Path) -> list[int]:  # NAL units of the types 1 and 5, each after its length
        counts = []
        for data in streams_of(path, "video"):
            at, counts = 0, [*counts, 0]
            while at < len(data):
                counts[-1] += data[at + 4] & 31 in (1, 5)
                at += 4 + int.from_bytes(data[at:at + 4], "big")
        return counts
    source = film(tmp_path / "film.mp4", options={"slices": "4"})
    assert min(slices(source)) > 1 and set(slices(through(source, bright))) == {1}


def test_quality_decides_the_size_and_has_bounds(tmp_path):
    source = film(tmp_path / "film.mp4")
    sizes = [through(source, bright, quality=Quality(crf=crf, preset="veryfast")).stat().st_size for crf in (14, 30)]
    assert sizes[0] > 2 * sizes[1]
    for settings in ({"crf": 99}, {"preset": "very fast; rm"}):
        with pytest.raises(LabelkitError):
            Quality(**settings)


def test_progress_is_told_frame_by_frame(tmp_path):
    steps = []
    through(film(tmp_path / "film.mp4"), report=lambda progress: steps.append((progress.frames, progress.seconds)))
    assert [frames for frames, _ in steps] == list(range(1, 31))
    assert steps[-1][1] == pytest.approx(29 / 25)


def broken(path: Path, frame: int) -> Path:
    """The film with the body of one coded frame overwritten."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
    place = data.find(bytes(packets[frame]))
    assert place > 0
    data[place + 5:place + packets[frame].size] = bytes(packets[frame].size - 5)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name,settings,exact", [
    ("film.mp4", {"codec": "mpeg4", "options": {"g": "5"}}, True), ("h264.mkv", {}, True), ("h264.mp4", {}, True),
    ("h265.mp4", {"codec": "libx265"}, True), ("mpeg4.avi", {"codec": "mpeg4", "options": {"g": "5"}}, False)])
def test_a_broken_frame_is_reported_with_its_time_and_the_film_goes_on(name, settings, exact, tmp_path):
    source = film(tmp_path / name, count=30, **settings)
    whole = transcode.encode(decoded(source), tmp_path / "out", QUICK)
    assert whole.damaged == [] and whole.frames == 30
    with av.open(str(source)) as opened:
        packet = [packet for packet in opened.demux(video=0) if packet.size][12]
        wanted = float(packet.pts * packet.time_base) if exact else 12 / 25
    progress = transcode.encode(decoded(broken(source, 12)).map(bright), tmp_path / "out", QUICK)
    assert progress.frames >= 25
    assert progress.damaged and progress.damaged[0] == pytest.approx(wanted, abs=1e-6 if exact else 0.05)
    assert len(progress.damaged) <= 4  # and what is built upon it, up to the next key frame


def test_frames_and_key_frames_are_read_by_time(tmp_path):
    samples = decoded(film(tmp_path / "film.mp4", count=75, options={"g": "25", "sc_threshold": "0"}))
    assert samples.seconds == pytest.approx(3.0)
    assert samples.key_seconds() == pytest.approx([0.0, 1.0, 2.0], abs=0.1)
    assert [frame.seconds for frame in samples.keys([0.0, 0.5, 1.7, 9.0])] == pytest.approx([0.0, 1.0, 2.0])
    stretch = [frame.seconds for frame in samples.frames(1.2, 1.36)]
    assert stretch == pytest.approx([1.2, 1.24, 1.28, 1.32])


@pytest.mark.parametrize("size,bars", [((320, 240), (0, 40)), ((320, 240), (64, 0)), ((320, 240), (0, 0))])
def test_black_bars_are_seen_and_dark_scenes_are_not_taken_for_bars(size, bars, tmp_path):
    def framed():
        for rows in scene(*size, 20):
            out = rows.copy()
            across, down = bars
            out[:down], out[size[1] - down:] = 16, 16
            out[:, :across], out[:, size[0] - across:] = 16, 16
            yield out

    active = decoded(film(tmp_path / "film.mp4", luma=framed())).format.active
    wanted = (bars[0], bars[1], size[0] - 2 * bars[0], size[1] - 2 * bars[1])
    assert active == (wanted if any(bars) else None)
    black = (np.full((240, 320), 18, np.uint8) for _ in range(20))
    assert decoded(film(tmp_path / "dark.mp4", luma=black)).format.active is None


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1),
                                    (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)])
def test_the_eight_orientations_map_points_as_the_matrix_says(matrix):
    a, b, c, d = matrix
    turn = Orientation.of_matrix((a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30))
    plane = np.zeros((5, 7), np.uint8)
    plane[1, 4] = 9
    corners = [(a * x + c * y, b * x + d * y) for x in (0, 6) for y in (0, 4)]
    x = a * 4 + c * 1 - min(x for x, _ in corners)
    y = b * 4 + d * 1 - min(y for _, y in corners)
    assert turn.displayed(plane)[y, x] == 9
    assert np.array_equal(turn.stored(turn.displayed(plane)), plane)


def test_hdr10_metadata_stays(tmp_path):
    params = ("log-level=error:hdr10=1:max-cll=900,300:"
              "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)")
    source = film(tmp_path / "film.mp4", codec="libx265", form="yuv420p10le", colour=(9, 16, 9), count=6,
                  options={"x265-params": params})
    side = probed(source, "frame_side_data=red_x,green_y,max_luminance,max_content", "-read_intervals", "%+#1")
    assert "900" in side
    assert probed(through(source), "frame_side_data=red_x,green_y,max_luminance,max_content", "-read_intervals",
                  "%+#1") == side


def test_tags_and_covers_of_mp4_are_carried_bit_by_bit(tmp_path):
    source = film(tmp_path / "film.mp4", tags={"mykey": "mine", "title": "T"},
                  muxer={"movflags": "use_metadata_tags"})
    with av.open(str(through(source))) as out:
        assert (out.metadata["mykey"], out.metadata["title"]) == ("mine", "T")


@pytest.mark.parametrize("settings,name", [({"form": "rgb24", "codec": "ffv1"}, "rgb.mkv"),
                                           ({"codec": "cinepak", "form": "rgb24"}, "old.avi")])
def test_what_cannot_be_changed_is_refused_and_leaves_nothing(settings, name, tmp_path):
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(settings["codec"], rate=25)
        stream.width, stream.height = 320, 240
        stream.pix_fmt = {"ffv1": "bgr0", "cinepak": "rgb24"}[settings["codec"]]
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 50 * index, np.uint8), "rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(UnsupportedFormat):
        transcode.encode(decoded(tmp_path / name), tmp_path / "target", QUICK)


def test_frames_beyond_the_bound_are_refused(tmp_path):
    source = film(tmp_path / "film.mp4")
    with container.opened(source) as reader, pytest.raises(LimitExceeded):
        codec.decode(reader, max_pixels=320 * 240 - 1)
    with container.opened(source) as reader:
        assert codec.decode(reader, max_pixels=320 * 240).format.width == 320


def test_sound_alone_is_no_film(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(UnsupportedFormat):
        decoded(path)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.avi", "film.flv"])
def test_damaged_files_raise_our_errors_only(name, tmp_path):
    data = film(tmp_path / name, count=8, **({"codec": "mpeg4"} if name == "film.avi" else {})).read_bytes()
    random = np.random.default_rng(5)
    outcomes = set()
    for trial in range(24):
        bad = bytearray(data[:random.integers(len(data) // 4, len(data))] if trial % 3 == 0 else data)
        for place in random.integers(0, len(bad), 0 if trial % 3 == 0 else 40):
            bad[place] = random.integers(256)
        try:
            samples = codec.decode(bytes(bad))
            sum(1 for _ in samples.frames())
            transcode.encode(samples.map(bright), tmp_path / "out", QUICK)
            outcomes.add("decoded")
        except LabelkitError as error:
            outcomes.add(type(error).__name__)
    assert outcomes - {"decoded"}


def test_a_film_that_names_another_file_opens_none(tmp_path):
    (tmp_path / "playlist.mkv").write_text("#EXTM3U\n#EXTINF:1,\n" + str(film(tmp_path / "film.mp4")) + "\n")
    with pytest.raises(UnsupportedFormat):
        decoded(tmp_path / "playlist.mkv")


def test_the_view_has_a_position_of_its_own():
    reader = container.Reader.of(bytes(range(100)))
    first, second = ReaderFile(reader), ReaderFile(reader)
    first.seek(50)
    assert (second.read(3), first.read(2), second.read(2)) == (bytes([0, 1, 2]), bytes([50, 51]), bytes([3, 4]))
    assert first.seek(0, 2) == 100 and first.read(5) == b""


def test_a_truncated_film_is_malformed(tmp_path):
    path = film(tmp_path / "film.mkv")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(MalformedFile):
        decoded(path)


def test_prores_keeps_its_profile(tmp_path):
    for profile, tag in (("proxy", "apco"), ("standard", "apcn"), ("4444", "ap4h")):
        form = "yuv444p10le" if profile == "4444" else "yuv422p10le"
        source = film(tmp_path / "film.mov", codec="prores_ks", form=form, count=3, options={"profile": profile})
        with av.open(str(through(source))) as out:
            assert out.streams.video[0].codec_context.codec_tag == tag


def transparent(path: Path, codec: str, form: str = "yuva420p") -> Path:
    """A WebM, opaque on its right half only."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={**FAST["libvpx-vp9"], "auto-alt-ref": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, form
        for index, luma in enumerate(scene(320, 240, 8)):
            frame = picture(luma, form)
            if form == "yuva420p":
                np.frombuffer(frame.planes[3], np.uint8).reshape(240, -1)[:, :320] = np.arange(320) // 160 * 255
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def opacity(path: Path, decoder: str) -> np.ndarray | None:
    """The alpha plane of the first frame, None where there is none."""
    with av.open(str(path)) as source:
        packets = source.demux(video=0)
        context = av.CodecContext.create(decoder, "r")
        frame = next(frame for packet in packets for frame in context.decode(packet))
    return np.frombuffer(frame.planes[3], np.uint8).reshape(240, -1)[:, :320] if len(frame.planes) > 3 else None


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
def test_a_transparent_webm_stays_transparent_and_an_opaque_one_opaque(codec, tmp_path):
    def stamp(frame) -> None:
        frame.alpha[:32] = 255

    once = through(transparent(tmp_path / "film.webm", codec), stamp)
    for path in (once, through(once)):  # labelled anew too
        alpha = opacity(path, codec).astype(int)
        assert alpha[:24].min() > 200  # the change reaches it
        assert alpha[48:, :140].max() < 50 and alpha[48:, 180:].min() > 200
        assert silent(path)
    assert opacity(through(transparent(tmp_path / "opaque.webm", codec, "yuv420p")), codec) is None


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_what_a_codec_crops_stays_cropped(codec, tmp_path):
    needs("ffmpeg")
    source = film(tmp_path / "whole.mp4", codec={"h264": "libx264", "hevc": "libx265"}[codec], count=4)
    cut = tmp_path / "cut.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(source), "-c", "copy", "-bsf:v",
                    f"{codec}_metadata=crop_left=6:crop_right=20:crop_top=4:crop_bottom=8", str(cut)],
                   check=True, timeout=600)
    seen = []
    target = through(cut, lambda frame: seen.append(frame.luma.copy()), quality=Quality(crf=0))
    assert {luma.shape for luma in seen} == {(228, 294)}
    whole = next(decoded(source).frames()).luma
    assert np.array_equal(seen[0], whole[4:-8, 6:-20])
    assert "width=294|height=228" in probed(target, "stream=width,height")
    if codec == "h264":  # lossless at crf 0
        assert np.array_equal(next(decoded(target).frames()).luma, seen[0])


def with_aperture(path: Path, width: int, height: int) -> Path:
    """The film, its frames shown within a clean aperture of this size; the index must lie behind the media."""
    data, start, stop, outer = bytearray(path.read_bytes()), 0, path.stat().st_size, []
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        while data[start + 4:start + 8] != kind:
            start += struct.unpack_from(">I", data, start)[0]
        outer.append(start)
        stop = start + struct.unpack_from(">I", data, start)[0]
        start += 16 if kind == b"stsd" else 8
    data[stop:stop] = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    for place in outer:
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + 40)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size,is_cropped", [((300, 240), True), ((320, 200), True), ((320, 240), False),
                                             (None, False)])
def test_a_clean_aperture_that_does_not_stay_is_said(size, is_cropped, tmp_path):
    path = film(tmp_path / "film.mp4", count=4)
    if size:
        with_aperture(path, *size)
        assert ("crop" in probed(path, "stream_side_data").lower()) == is_cropped
    with container.opened(path) as reader:
        progress = transcode.encode(codec.decode(reader), tmp_path / "out.mp4", QUICK)
    assert ["crop" in str(said) for said in progress.left_out] == [True] * is_cropped
