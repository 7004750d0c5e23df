# SPDX-License-Identifier: Apache-2.0
"""Sound in playlists of its own: marked as one, with every time as it was, and without a click between segments."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from labelkit import Key, Layer, Plan, playlist
from labelkit.container import Reader, fragments
from labelkit.errors import InvalidArgument, MalformedFile, TruncatedFile, UnsupportedFormat
from labelkit.payload import Payload
from labelkit.plan import Explicit, Quality, Watermark
from labelkit.playlist.labelling import read
from tests.codec.test_video import needs
from tests.media import LABEL
from tests.playlist.test_dash import joined, manifest
from tests.playlist.test_hls import made as film, packets

SAMPLES = Path(__file__).parents[2] / "samples"
PLAN = Plan(watermark=Watermark(soundtrack=True), quality=Quality(preset="ultrafast"))
SETTINGS = {"layers": [Layer.WATERMARK, Layer.METADATA], "effort": "fast"}


def made(folder: Path, *words: str, seconds: int = 16) -> Path:
    """A presentation of music alone, in AAC."""
    needs("ffmpeg")
    folder.mkdir(parents=True)
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(SAMPLES / "music.mp3"), "-t", str(seconds), "-map", "0:a",
                    "-c:a", "aac", "-b:a", "128k", *words], cwd=folder, check=True, timeout=60)
    return folder / words[-1]


HLS = "-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "4", "-hls_playlist_type", "vod"


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """One of HLS, one of DASH, and a file with an index."""
    top = tmp_path_factory.mktemp("sound")
    found = {"hls": made(top / "hls", *HLS, "main.m3u8"),
             "dash": made(top / "dash", "-f", "dash", "-seg_duration", "4", "main.mpd")}
    file = made(top / "index", "-movflags", "+dash+global_sidx+empty_moov+default_base_moof", "-frag_duration",
                "4000000", "a.mp4")
    data = file.read_bytes()
    start = data.index(b"sidx") - 4
    stop = start + int.from_bytes(data[start:start + 4], "big")
    found["index"] = file.with_name("main.mpd")
    found["index"].write_text(manifest(
        f'<Representation bandwidth="128000"><BaseURL>a.mp4</BaseURL><SegmentBase indexRange="{start}-{stop - 1}">'
        f'<Initialization range="0-{start - 1}"/></SegmentBase></Representation>').replace("video/mp4", "audio/mp4"))
    return found


@pytest.fixture(scope="module")
def labelled(sources, tmp_path_factory) -> dict[str, Path]:
    """Each of them, labelled."""
    top, said = tmp_path_factory.mktemp("labelled"), []
    done = {name: playlist.embed(source, top / name / source.name, LABEL, plan=PLAN, on_left_out=said.append)
            for name, source in sources.items()}
    assert not said
    return done


def sound(path: Path, folder: Path) -> np.ndarray:
    """What is heard of a presentation: float32 [frames], the first channel."""
    with av.open(str(joined(path, 0, folder / "joined.mp4"))) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


@pytest.mark.parametrize("kind", ["hls", "dash", "index"])
def test_every_packet_has_its_time_and_the_sound_its_place(kind, sources, labelled, tmp_path):
    times = [[line.split(",")[0] for line in packets(joined(one[kind], 0, tmp_path / "a.mp4"), "a")]
             for one in (sources, labelled)]
    assert times[0] == times[1] and len(times[0]) > 600
    old, new = (sound(one[kind], tmp_path) for one in (sources, labelled))
    assert len(old) == len(new)
    error = (old - new)[2048:]  # what lies before is the encoder's own beginning
    loudness = 10 * np.log10((old ** 2).mean() / (error ** 2).mean())
    assert loudness > 12, "the mark, or another place"
    places = [round(48_000 * segment.begin) for segment in list(read(sources[kind]).renditions())[0].segments][1:]
    for place in places:  # a segment that begins anew would be silent or loud there
        here = (error[place - 2048:place + 2048] ** 2).mean()
        assert here < 12 * (error ** 2).mean()


@pytest.mark.parametrize("kind", ["hls", "dash", "index"])
def test_the_mark_is_read_from_the_beginning_and_by_its_key_alone(kind, sources, labelled):
    (name, report), = playlist.verify(labelled[kind], **SETTINGS)
    assert name.startswith("main.m") and report[Layer.WATERMARK].payload == Payload.of(LABEL)
    assert report[Layer.METADATA].label == LABEL
    assert not list(playlist.verify(labelled[kind], key=Key(b"another key, just as long"), **SETTINGS))
    assert not list(playlist.verify(sources[kind], **SETTINGS))


def test_a_manifest_and_an_index_tell_the_new_sizes(sources, labelled):
    assert labelled["hls"].read_text() == sources["hls"].read_text()
    presentation = read(labelled["index"])
    segments = next(iter(presentation.renditions())).segments
    assert segments[-1].part.start + segments[-1].part.length == (labelled["index"].parent / "a.mp4").stat().st_size
    assert len(segments) == len(next(iter(read(sources["index"]).renditions())).segments) > 3


def test_sound_stays_as_it_is_where_the_plan_does_not_say_so(sources, tmp_path):
    new = playlist.embed(sources["hls"], tmp_path / "out" / "main.m3u8", LABEL,
                         plan=Plan(quality=Quality(preset="ultrafast")))
    for path in sources["hls"].parent.glob("*.m4s"):
        assert (new.parent / path.name).read_bytes() == path.read_bytes()


def test_what_is_not_marked_is_said_or_refused(sources, tmp_path):
    both, said = film(tmp_path / "both", "-hls_segment_type", "fmp4", seconds=2), []
    playlist.embed(both, tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN, check=False,
                   on_left_out=lambda message: said.append(str(message)))
    assert said == ["main.m3u8: sound beside pictures is copied without a mark"]
    with pytest.raises(InvalidArgument, match="no audible label"):
        playlist.embed(sources["hls"], tmp_path / "out2" / "main.m3u8", LABEL,
                       plan=Plan(explicit=Explicit(soundtrack=True)))
    other = made(tmp_path / "ac3", "-c:a", "ac3", *HLS, "main.m3u8", seconds=4)
    with pytest.raises(UnsupportedFormat, match="only sound in AAC-LC"):
        playlist.embed(other, tmp_path / "out2" / "main.m3u8", LABEL, plan=PLAN)
    assert not (tmp_path / "out2").exists()


def test_a_box_that_swallows_the_following_segments_is_refused(sources, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(sources["hls"].parent, folder)
    first = min(folder.glob("*.m4s"))
    first.write_bytes(first.read_bytes() + b"\0\0\0\0free")  # up to the end of whatever it is in
    with pytest.raises(UnsupportedFormat, match="laid out"):
        playlist.embed(folder / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN)
    assert not (tmp_path / "out").exists()


def test_pictures_behind_sound_are_verified_too(sources, tmp_path):
    pictures = film(tmp_path / "v", "-hls_segment_type", "fmp4", "-an", seconds=2)
    shutil.copytree(sources["hls"].parent, tmp_path / "s")
    lines = [[re.sub(r'^(?=[a-z])|(?<=URI=")', f"{name}/", line) for line in path.read_text().splitlines()[5:-1]]
             for name, path in (("s", sources["hls"]), ("v", pictures))]
    (tmp_path / "main.m3u8").write_text("\n".join(["#EXTM3U", *lines[0], "#EXT-X-DISCONTINUITY", *lines[1]]))
    found = dict(playlist.verify(tmp_path / "main.m3u8", **SETTINGS))
    assert found and all(name.startswith("v/") for name in found)


@pytest.mark.parametrize(("again", "lines"), [(1, "main0.m4s"), (3, "main0.m4s"),
                                              (3, "#EXT-X-BYTERANGE:{}@0\nmain0.m4s")])
def test_a_short_playlist_fills_no_disk(again, lines, sources, tmp_path):
    shutil.copytree(sources["hls"].parent, tmp_path / "s")
    size = (tmp_path / "s" / "main0.m4s").stat().st_size
    source = tmp_path / "s" / "main.m3u8"
    source.write_text('#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n' + "".join(
        f"#EXTINF:0.1,\n{lines.format(size - number)}\n" for number in range(again)))
    if again == 1:
        assert not list(playlist.verify(source, **SETTINGS))
        return
    with pytest.raises(UnsupportedFormat, match="again and again"):
        list(playlist.verify(source, **SETTINGS))
    with pytest.raises(UnsupportedFormat, match="again and again"):
        playlist.embed(source, tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN)


@pytest.mark.parametrize("name", [".", "a" * 300])
def test_names_that_no_file_can_have_are_refused_in_later_segments_too(name, sources, tmp_path):
    shutil.copytree(sources["hls"].parent, tmp_path / "s")
    other = tmp_path / "s" / "other.m3u8"
    other.write_text("#EXTM3U\n#EXTINF:1,\nmain0.m4s\n#EXTINF:1,\n" + name)
    with pytest.raises(InvalidArgument):
        list(playlist.verify(other, **SETTINGS))


def of(data: bytes) -> Reader:
    return Reader.of(data, "part")


def test_fragments_with_the_same_samples_are_the_same_and_with_others_tell_their_sizes(sources):
    data = (sources["dash"].parent / "chunk-stream0-00001.m4s").read_bytes()
    count, at = fragments.sample_count(of(data)), data.index(b"mdat") + 4
    run = data.index(b"trun") + 4
    flags, first = int.from_bytes(data[run + 1:run + 4], "big"), run + 12
    assert flags == 0x201 and count > 150
    sizes = [int.from_bytes(data[first + 4 * number:first + 4 * number + 4], "big") for number in range(count)]
    same = [data[at + sum(sizes[:number]):][:size] for number, size in enumerate(sizes)]
    assert fragments.with_samples(of(data), iter(same)) == data
    new = fragments.with_samples(of(data), iter([b"12345"] * count))
    assert fragments.sample_count(of(new)) == count and new.endswith(b"12345" * count)
    index = new.index(b"sidx") - 4
    size = int.from_bytes(new[index:index + 4], "big")
    assert fragments.read_index(new[index:index + size], "part")[2][0][0] == len(new) - index - size
    with pytest.raises(UnsupportedFormat, match="laid out"):
        fragments.sample_count(of(data.replace(b"trun", b"free")))
    with pytest.raises((TruncatedFile, MalformedFile, UnsupportedFormat)):
        fragments.sample_count(of(data[:first - 4] + b"\xff" + data[first - 3:]))
