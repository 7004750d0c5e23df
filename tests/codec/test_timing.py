# SPDX-License-Identifier: Apache-2.0
"""What players, seeking and streaming go by stays: the length, the last frame's own time, key frames, fragments."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from labelkit import codec, container, metadata
from labelkit.codec import transcode
from labelkit.errors import InvalidArgument, UnsupportedFormat
from labelkit.plan import Quality
from tests.films import FAST, picture, scene
from tests.media import LABEL
from tests.metadata.test_mp4 import inner, walk

av = pytest.importorskip("av")
VARIABLE = [0, 16, 49, 82, 115, 165, 565, 598, 648, 1048, 1064, 1464, 1664, 1680, 2080, 2480, 2880, 2896]
STEADY = [40 * number for number in range(50)]


def film(path: Path, times: Sequence[int], last: int, *, encoder: str = "libx264", keys: Sequence[int] = (),
         options: dict[str, str] | None = None, muxer: dict[str, str] | None = None,
         pictures: Sequence[np.ndarray] | None = None) -> Path:
    """A film whose frames stand at `times`, the last of them for `last` milliseconds; `keys` are those coded alone."""
    ends = {time: end - time for time, end in zip(times, [*times[1:], times[-1] + last], strict=True)}
    with av.open(str(path), "w", container_options=muxer or {}) as out:
        stream = out.add_stream(encoder, rate=25, options={**FAST[encoder], "g": "999", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        pictures = pictures or list(scene(320, 240, len(times)))
        frames = [(time, picture(rows)) for time, rows in zip(times, pictures, strict=True)]
        for time, frame in frames:
            frame.pts, frame.time_base, frame.pict_type = time, Fraction(1, 1000), int(time in keys)
            for packet in stream.encode(frame):
                packet.duration = ends[packet.pts]
                out.mux(packet)
        for packet in stream.encode(None):
            packet.duration = ends[packet.pts]
            out.mux(packet)
    return path


def again(path: Path, preset: str | None = "veryfast", asked: str | None = None) -> tuple[Path, transcode.Progress]:
    """The film with every frame changed, in the codec that is asked for, and what was said of it."""
    target = path.with_name(f"again{path.suffix}")
    with container.opened(path) as reader:
        samples = codec.decode(reader).map(lambda frame: np.add(frame.luma, 1, out=frame.luma, where=frame.luma < 200))
        return target, transcode.encode(samples, target, Quality(preset=preset, codec=asked))


def shown(path: Path) -> tuple[float, list[int], list[int]]:
    """Length in seconds, the times of all frames and of the key frames in milliseconds."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        packets = [packet for packet in file.demux(stream) if packet.size]
        times = sorted(round(1000 * packet.pts * packet.time_base) for packet in packets)
        keys = sorted(round(1000 * packet.pts * packet.time_base) for packet in packets if packet.is_keyframe)
        return (file.duration or 0) / 1e6, times, keys


def tables(data: bytes) -> tuple[int, int]:
    """The sum of the durations of an MP4's samples, and the length of its media."""
    start, _ = inner(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
    rows = np.frombuffer(data[start + 8:][:8 * int.from_bytes(data[start + 4:start + 8], "big")], ">u4").reshape(-1, 2)
    head, _ = inner(data, b"moov", b"trak", b"mdia", b"mdhd")
    return int((rows[:, 0].astype(int) * rows[:, 1]).sum()), int.from_bytes(data[head + 16:head + 20], "big")


CODECS = {"h264.mp4": ("libx264", {}), "h264.mov": ("libx264", {}), "in order.mp4": ("libx264", {"bf": "0"}),
          "h264.mkv": ("libx264", {}), "h265.mp4": ("libx265", {}), "mpeg4.mp4": ("mpeg4", {})}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("last", [20, 1500])
def test_the_length_of_a_film_of_variable_rate_stays(name, last, tmp_path):
    encoder, options = CODECS[name]
    source = film(tmp_path / name, VARIABLE, last, encoder=encoder, options=options)
    target, progress = again(source, "veryfast" if encoder.startswith("libx") else None)
    length, times, _ = shown(target)
    assert times == VARIABLE and not progress.left_out
    assert length == pytest.approx((VARIABLE[-1] + last) / 1000, abs=0.045)
    if name.endswith((".mp4", ".mov")):
        added, stated = tables(target.read_bytes())
        assert added == stated


def test_a_slideshow_keeps_the_time_of_its_last_picture(tmp_path):
    target, _ = again(film(tmp_path / "film.mp4", [0, 1500, 3540], 40))
    assert shown(target)[0] == pytest.approx(3.58, abs=0.01)
    target, _ = again(film(tmp_path / "film.mp4", [0, 1500, 3540], 1500))
    assert shown(target)[0] == pytest.approx(5.04, abs=0.01)


def test_a_film_of_steady_rate_is_as_long_as_its_frames(tmp_path):
    target, _ = again(film(tmp_path / "film.mp4", STEADY, 40))
    assert shown(target)[0] == pytest.approx(2.0, abs=0.001)
    added, stated = tables(target.read_bytes())
    assert added == stated


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "mpeg4", "libvpx-vp9"])
def test_key_frames_stay_where_they_were(encoder, tmp_path):
    wanted = [0, 400, 1000, 1640]
    name = "film.mkv" if encoder == "libvpx-vp9" else "film.mp4"
    source = film(tmp_path / name, STEADY, 40, encoder=encoder, keys=wanted,
                  options={"forced-idr": "1"} if encoder == "libx265" else None)
    assert set(wanted) <= set(shown(source)[2])
    target, _ = again(source, "veryfast" if encoder.startswith("libx") else None)
    assert set(shown(source)[2]) <= set(shown(target)[2])
    assert encoder == "mpeg4" or shown(source)[2] == shown(target)[2]  # that has an interval of its own


def test_a_film_of_one_key_frame_gets_no_more_than_its_scenes_ask_for(tmp_path):
    target, _ = again(film(tmp_path / "film.mp4", STEADY, 40))
    assert shown(target)[2] == [0]


def counts(path: Path) -> list[int]:
    """How many pictures each fragment holds."""
    data = path.read_bytes()
    places = [place for kind, place, _ in walk(data) if kind == b"moof"]
    with av.open(str(path)) as file:
        numbers = [sum(place <= packet.pos for place in places) for packet in file.demux(file.streams.video[0])
                   if packet.size]
    return [numbers.count(number) for number in sorted(set(numbers))]


def kinds(path: Path) -> list[bytes]:
    return [kind for kind, _, _ in walk(path.read_bytes())]


@pytest.mark.parametrize("flags,indexes", [("frag_keyframe+empty_moov", 0), ("frag_keyframe+dash+delay_moov", 4),
                                           ("frag_keyframe+dash+global_sidx+delay_moov", 1)])
def test_fragments_and_their_indexes_stay(flags, indexes, tmp_path):
    keys = [0, 400, 1000, 1640]
    source = film(tmp_path / "film.mp4", STEADY, 40, keys=keys, muxer={"movflags": flags})
    target, progress = again(source)
    assert kinds(source).count(b"moof") == kinds(target).count(b"moof") == 4
    assert kinds(source).count(b"sidx") == kinds(target).count(b"sidx") == indexes
    assert not progress.left_out
    labelled = target.with_name("labelled.mp4")
    metadata.write_file(target, labelled, LABEL)
    assert shown(labelled)[1:] == shown(target)[1:] == shown(source)[1:] and len(shown(source)[2]) == 4


@pytest.mark.parametrize(("keys", "options", "wanted"), [
    ([], {"frag_duration": "200000"}, 10),  # chunks of low latency, which begin at no key frame
    ([0, 400, 800, 1200, 1600], {"min_frag_duration": "700000"}, 3)])  # several key frames in each
def test_fragments_stay_that_are_no_groups_of_pictures(keys, options, wanted, tmp_path):
    source = film(tmp_path / "film.mp4", STEADY, 40, keys=keys, muxer={"movflags": "frag_keyframe+empty_moov",
                                                                     **options})
    target, progress = again(source)
    assert kinds(source).count(b"moof") == kinds(target).count(b"moof") == wanted
    assert counts(source) == counts(target)
    assert not progress.left_out


def test_fragments_that_cannot_stay_are_told(tmp_path):
    source = film(tmp_path / "film.mp4", [*STEADY[:20], *(800 + 200 * number for number in range(10))], 200,
                  muxer={"movflags": "empty_moov+frag_every_frame"})
    target, progress = again(source)
    assert kinds(target).count(b"moof") < kinds(source).count(b"moof") and "fragments" in str(progress.left_out[0])


@pytest.mark.parametrize(("encoder", "options"), [
    ("libx264", {"sc_threshold": "0"}), ("libvpx-vp9", {}),
    ("libx265", {"forced-idr": "1", "x265-params": "scenecut=0:keyint=-1:log-level=error"})])
def test_no_key_frame_is_added_at_a_cut(encoder, options, tmp_path):
    cuts = [luma for seed in range(1, 6) for luma in scene(320, 240, 10, seed)]
    source = film(tmp_path / "film.mkv", STEADY, 40, encoder=encoder, keys=[0, 680], pictures=cuts, options=options)
    target, _ = again(source, "veryfast" if encoder.startswith("libx") else None)
    assert shown(target)[2] == shown(source)[2] == [0, 680]


@pytest.mark.parametrize(("asked", "found", "preset"), [("hevc", "hevc", "ultrafast"), ("av1", "av1", "12")])
def test_a_film_is_encoded_to_the_codec_that_is_asked_for(asked, found, preset, tmp_path):
    source = film(tmp_path / "film.mp4", STEADY, 40, keys=[0, 400, 1000])
    target, progress = again(source, preset, asked)
    assert shown(target)[1:] == shown(source)[1:] and not progress.left_out
    with av.open(str(target)) as made:
        assert made.streams.video[0].codec_context.codec.canonical_name == found


@pytest.mark.parametrize(("asked", "ending", "wanted"), [
    ("h264_nvenc", "mp4", "h264_nvenc does not work here"), ("hevc", "avi", "hevc has no place")])
def test_a_codec_that_cannot_be_had_is_refused(asked, ending, wanted, tmp_path):
    source = film(tmp_path / f"film.{ending}", STEADY, 40)
    with pytest.raises(UnsupportedFormat, match=wanted):
        again(source, None, asked)
    with pytest.raises(InvalidArgument, match="codec"):
        Quality(codec="h265")


def test_a_film_in_one_piece_stays_in_one_piece(tmp_path):
    target, progress = again(film(tmp_path / "film.mp4", STEADY, 40, keys=[0, 1000]))
    assert kinds(target).count(b"moof") == 0 and not progress.left_out
