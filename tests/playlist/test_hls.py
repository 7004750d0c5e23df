# SPDX-License-Identifier: Apache-2.0
"""Presentations of HLS: labelled segment by segment, with every time and key frame as it was, and nothing fetched."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import labelkit
from labelkit import Key, Layer, Plan, Status, playlist
from labelkit.codec import codecs
from labelkit.errors import InvalidArgument, LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.payload import Payload
from labelkit.plan import Explicit, Quality
from labelkit.playlist.files import Folder, Part
from tests.codec.test_video import needs
from tests.films import scene
from tests.media import LABEL

pytest.importorskip("av")
PLAN = Plan(quality=Quality(preset="ultrafast"))
BARE = Plan(quality=Quality(preset="ultrafast"), metadata=False)
ID = Payload.of(LABEL)
SETTINGS = {"layers": [Layer.EXPLICIT, Layer.WATERMARK, Layer.METADATA], "effort": "fast"}


def made(folder: Path, *options: str, seconds: int = 4, name: str = "main.m3u8") -> Path:
    """A presentation that ffmpeg makes, of pictures with a tone."""
    needs("ffmpeg")
    folder.mkdir(parents=True, exist_ok=True)
    rows = b"".join(luma.tobytes() + b"\x80" * (320 * 240 // 2) for luma in scene(320, 240, 25 * seconds))
    subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "320x240", "-r", "25",
                    "-i", "-", "-f", "lavfi", "-i", f"sine=440:duration={seconds}", "-c:v", "libx264", "-preset",
                    "ultrafast", "-crf", "20", "-bf", "2", "-g", "25", "-c:a", "aac", "-f", "hls", "-hls_time", "2",
                    "-hls_playlist_type", "vod", *options, name], cwd=folder, input=rows, check=True, timeout=60)
    return folder / name


MP4 = "-hls_segment_type", "fmp4", "-hls_segment_filename", "part%d.m4s"
TS = "-hls_segment_filename", "part%d.ts"


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """A presentation of each kind."""
    top = tmp_path_factory.mktemp("hls")
    return {"mp4": made(top / "mp4", *MP4), "ts": made(top / "ts", *TS),
            "ranges": made(top / "ranges", *MP4, "-hls_flags", "single_file"),
            "no b": made(top / "no b", *MP4, "-bf", "0", seconds=2)}


@pytest.fixture(scope="module")
def labelled(sources, tmp_path_factory) -> dict[str, Path]:
    """Each of them, labelled."""
    top = tmp_path_factory.mktemp("labelled")
    return {name: playlist.embed(source, top / name / "main.m3u8", LABEL, plan=BARE if name == "ts" else PLAN)
            for name, source in sources.items()}


def packets(path: Path, stream: str) -> list[str]:
    """Time and key of every packet as ffprobe reads them through the playlist; of sound its hash too."""
    needs("ffprobe")
    more = ["-show_data_hash", "md5"] if stream == "a" else []
    read = subprocess.run(["ffprobe", "-v", "error", "-select_streams", stream, *more, "-show_entries",
                           "packet=pts_time,flags,data_hash", "-of", "csv=p=0", str(path)], check=True, timeout=60,
                          capture_output=True, text=True)
    assert not read.stderr
    return sorted(line.rstrip(",") for line in read.stdout.split())


@pytest.mark.parametrize("kind", ["mp4", "ts", "ranges", "no b"])
def test_every_time_and_key_frame_stays_and_the_sound_to_the_bit(kind, sources, labelled):
    old, new = (packets(path, "v") for path in (sources[kind], labelled[kind]))
    assert old == new and sum("K" in one for one in new) == len(new) // 25
    if kind == "ts":  # packets of MPEG-TS bring several frames of sound
        old, new = (subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "md5", "-"],
                                   check=True, capture_output=True).stdout for path in (sources[kind], labelled[kind]))
        assert old == new
    else:
        assert packets(sources[kind], "a") == packets(labelled[kind], "a")


@pytest.mark.parametrize("kind", ["mp4", "ts", "no b"])
def test_the_playlist_stays_as_it_was(kind, sources, labelled):
    assert labelled[kind].read_text() == sources[kind].read_text()


@pytest.mark.parametrize("kind", ["mp4", "ts", "ranges"])
def test_every_segment_is_verified_alone(kind, labelled):
    found = list(playlist.verify(labelled[kind], **SETTINGS))
    assert len(found) == 2
    for name, report in found:
        assert report.source == name and report[Layer.WATERMARK].payload == ID
        assert kind == "ts" or report[Layer.METADATA].label == LABEL
    assert found[0][1][Layer.EXPLICIT].status is Status.VALID
    assert found[1][1][Layer.EXPLICIT].status is not Status.INVALID  # it is shown for a part of the second segment


def test_no_label_is_found_without_one_or_with_another_key(sources, labelled):
    for _, report in playlist.verify(sources["mp4"], **SETTINGS):
        assert {finding.status for finding in report} <= {Status.ABSENT, Status.UNCHECKED}
    for _, report in playlist.verify(labelled["mp4"], key=Key(b"another key, just as long"), **SETTINGS):
        assert report[Layer.WATERMARK].status is Status.ABSENT


def test_a_segment_of_mpeg_ts_is_verified_as_a_file(labelled):
    report = labelkit.verify(labelled["ts"].parent / "part1.ts", effort="fast")
    assert report[Layer.WATERMARK].payload == ID and report[Layer.METADATA].status is Status.UNCHECKED


def test_ranges_are_those_of_the_new_file(labelled):
    folder = Folder(labelled["ranges"])
    segments = playlist.labelling.read(labelled["ranges"]).renditions().__next__().segments
    parts = [segments[0].initialisation, *(segment.part for segment in segments)]
    assert [part.start for part in parts] == [0, parts[0].length, parts[0].length + parts[1].length]
    assert parts[-1].start + parts[-1].length == folder.size(parts[0].path)
    assert [folder.bytes_of(part)[4:8] for part in parts] == [b"ftyp", b"sidx", b"sidx"]


def test_mpeg_ts_has_no_place_for_metadata(sources, tmp_path):
    with pytest.raises(UnsupportedFormat, match="MPEG-TS has no place"):
        playlist.embed(sources["ts"], tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("check", [True, False])
def test_mpeg_ts_behind_an_initialisation_segment_is_refused(check, sources, tmp_path):
    source = tmp_path / "in" / "main.m3u8"
    shutil.copytree(sources["ts"].parent, source.parent)
    (source.parent / "map.ts").write_bytes((source.parent / "part0.ts").read_bytes()[:3 * 188])
    source.write_text(source.read_text().replace("#EXTINF", '#EXT-X-MAP:URI="map.ts"\n#EXTINF', 1))
    with pytest.raises(UnsupportedFormat, match="need an initialisation segment"):
        playlist.embed(source, tmp_path / "out" / "main.m3u8", LABEL, plan=BARE, check=check)
    assert not (tmp_path / "out").exists()


def test_playlists_of_playlists_with_sound_of_their_own_and_a_cut_between_films(sources, tmp_path):
    """Two films after one another, in a folder below, and sound beside them."""
    top = tmp_path / "top"
    one, other = made(top / "v" / "one", *MP4, "-an"), made(top / "v" / "two", *MP4, "-an", "-g", "50", seconds=2)
    made(top / "a", *MP4, "-vn")
    both = one.read_text().replace('URI="init', 'URI="one/init').replace("part", "one/part")
    rest = other.read_text().replace('URI="init', 'URI="two/init').replace("part", "two/part").splitlines()
    first = next(number for number, line in enumerate(rest) if line.startswith("#EXT-X-MAP"))
    (top / "v" / "both.m3u8").write_text("\n".join([both.replace("#EXT-X-ENDLIST\n", "#EXT-X-DISCONTINUITY"),
                                                    *rest[first:], ""]))
    (top / "main.m3u8").write_text(
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="a/main.m3u8"\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="v/keys.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a",NAME="a,b"\nv/both.m3u8\n')
    said: list[str] = []
    new = playlist.embed(top / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN,
                         on_left_out=lambda message: said.append(str(message)))
    assert packets(new, "v") == packets(top / "main.m3u8", "v") and packets(new, "a") == packets(top / "main.m3u8", "a")
    assert (new.parent / "v" / "both.m3u8").read_text() == (top / "v" / "both.m3u8").read_text()
    lines = new.read_text().splitlines()
    assert "I-FRAME" not in new.read_text() and 'NAME="a,b"' in lines[2] and lines[3] == "v/both.m3u8"
    rate = max(8 * path.stat().st_size for path in (new.parent / "v").rglob("part*")) / 2
    assert int(playlist.hls.attributes(lines[2])["BANDWIDTH"]) == pytest.approx(rate, abs=500_000)
    assert playlist.hls.attributes(lines[2])["CODECS"] == "avc1.42c00d,mp4a.40.2"
    assert len(said) == 2 and "a/main.m3u8" in "".join(said) and "key frames alone" in "".join(said)
    assert [report[Layer.WATERMARK].payload for _, report in playlist.verify(new, **SETTINGS)] == [ID] * 3
    assert labelkit.verify(new.parent / "a" / "init.mp4", layers=[Layer.METADATA])[Layer.METADATA].label == LABEL


HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"


@pytest.mark.parametrize(("text", "kind", "words"), [
    (HEAD + "#EXTINF:2,\n../outside.ts\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\n%2e%2e/outside.ts\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\n/etc/hostname\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\n//127.0.0.1/a.ts\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\nfile:part0.ts\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\na.ts?token=1\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\na\\..\\b.ts\n", UnsupportedFormat, "nothing is fetched"),
    (HEAD + "#EXTINF:2,\nlink.ts\n", InvalidArgument, "no file in the playlist's own folder"),
    (HEAD + "#EXTINF:2,\nmissing.ts\n", InvalidArgument, "cannot be opened"),
    (HEAD + '#EXT-X-MAP:URI="../init.mp4"\n#EXTINF:2,\npart0.ts\n', UnsupportedFormat, "nothing is fetched"),
    (HEAD + '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:2,\npart0.ts\n', UnsupportedFormat, "encrypted"),
    (HEAD + '#EXT-X-PART:DURATION=1,URI="p"\n#EXTINF:2,\npart0.ts\n', UnsupportedFormat, "still written"),
    (HEAD + "#EXT-X-I-FRAMES-ONLY\n#EXTINF:2,\npart0.ts\n", UnsupportedFormat, "key frames alone"),
    (HEAD + '#EXT-X-DEFINE:NAME="x",VALUE=".."\n#EXTINF:2,\n{$x}/a.ts\n', UnsupportedFormat, "still written"),
    (HEAD + "part0.ts\n", MalformedFile, "states no length"),
    (HEAD + "#EXTINF:2,\n#EXT-X-BYTERANGE:10\npart0.ts\n", MalformedFile, "no range of bytes"),
    (HEAD + "#EXTINF:2,\n#EXT-X-BYTERANGE:99999999@0\npart0.ts\n", MalformedFile, "segment"),
    (HEAD, MalformedFile, "names no segment"), ("part0.ts\n", MalformedFile, "begins with"),
    (HEAD + "#EXT-X-STREAM-INF:BANDWIDTH=1\nother.m3u8\n", UnsupportedFormat, "another one"),
    (HEAD + "#EXT-X-STREAM-INF:BANDWIDTH=1\nmain.m3u8\n", UnsupportedFormat, "another one")])
def test_what_is_refused_is_refused_aloud_and_nothing_is_written(text, kind, words, sources, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside.ts").write_bytes((sources["ts"].parent / "part0.ts").read_bytes())
    (folder / "part0.ts").write_bytes((sources["ts"].parent / "part0.ts").read_bytes())
    (folder / "link.ts").symlink_to(tmp_path / "outside.ts")
    (folder / "other.m3u8").write_text(HEAD + "#EXT-X-STREAM-INF:BANDWIDTH=1\nother.m3u8\n")
    (folder / "main.m3u8").write_text(text)
    with pytest.raises(kind, match=words):
        playlist.embed(folder / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=BARE)
    assert not (tmp_path / "out").exists()
    with pytest.raises(LabelkitError):
        list(playlist.verify(folder / "main.m3u8"))


def test_one_initialisation_segment_fits_all_that_name_it_or_is_refused(sources, tmp_path):
    """Two renditions of other settings with the initialisation segment of one of them."""
    for number, kind in enumerate(("no b", "mp4")):
        for path in sources[kind].parent.glob("part0*"):
            (tmp_path / f"{number}.m4s").write_bytes(path.read_bytes())
        (tmp_path / f"{number}.m3u8").write_text(HEAD + f'#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n{number}.m4s\n')
    (tmp_path / "init.mp4").write_bytes((sources["mp4"].parent / "init.mp4").read_bytes())
    (tmp_path / "main.m3u8").write_text(
        HEAD + "#EXT-X-STREAM-INF:BANDWIDTH=9\n0.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9\n1.m3u8\n")
    fast = Plan(quality=Quality(preset="veryfast"))
    with pytest.raises(UnsupportedFormat, match="different decoder settings"):
        playlist.embed(tmp_path / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=fast, check=False)
    assert not (tmp_path / "out").exists()


def test_events_stay_and_what_is_lost_is_said(sources, tmp_path):
    for path in sources["no b"].parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    event = b"\0\0\0\x14emsg" + b"an event....", b"\0\0\0\x10prft" + bytes(8)
    part, said = tmp_path / "part0.m4s", []
    part.write_bytes(b"".join(event) + part.read_bytes())
    new = playlist.embed(tmp_path / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN, check=False,
                         on_left_out=lambda message: said.append(str(message)))
    data = (new.parent / "part0.m4s").read_bytes()
    assert event[0] in data and b"prft" not in data and len(said) == 1 and "prft" in said[0]


def test_encrypted_tracks_are_refused(sources, tmp_path):
    for path in sources["mp4"].parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"avc1", b"encv"))
    with pytest.raises(UnsupportedFormat, match="encrypted"):
        playlist.embed(tmp_path / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN)


def test_a_broken_segment_leaves_nothing_behind(sources, tmp_path):
    for path in sources["mp4"].parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "part1.m4s").write_bytes(b"\0\0\0\x10moof" + bytes(8))
    with pytest.raises(LabelkitError):
        playlist.embed(tmp_path / "main.m3u8", tmp_path / "out" / "main.m3u8", LABEL, plan=PLAN)
    assert not (tmp_path / "out").exists()


def test_layers_that_segments_cannot_have_are_refused(sources, tmp_path):
    with pytest.raises(InvalidArgument, match="no audible label"):
        playlist.embed(sources["mp4"], tmp_path / "main.m3u8", LABEL, plan=Plan(explicit=Explicit(soundtrack=True)))
    with pytest.raises(InvalidArgument, match="written over"):
        playlist.embed(sources["mp4"], sources["mp4"].parent / "other.m3u8", LABEL, plan=PLAN)


def test_labels_of_others_stay(labelled, tmp_path):
    other = labelkit.Label(LABEL.kind, "another", "7")
    with pytest.raises(InvalidArgument, match="labelled already"):
        playlist.embed(labelled["no b"], tmp_path / "out" / "main.m3u8", other, plan=PLAN)
    new = playlist.embed(labelled["no b"], tmp_path / "out" / "main.m3u8", other, plan=PLAN, replace=True, check=False)
    assert labelkit.verify(new.parent / "init.mp4", layers=[Layer.METADATA])[Layer.METADATA].label == other


def test_a_playlist_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("labelkit.playlist.hls.MAX_SEGMENTS", 3)
    (tmp_path / "main.m3u8").write_text(HEAD + "#EXTINF:2,\na.ts\n" * 4)
    with pytest.raises(LimitExceeded, match="more than 3 segments"):
        list(playlist.verify(tmp_path / "main.m3u8"))


def test_the_commands(sources, tmp_path, monkeypatch, capsys):
    from labelkit.cli.main import main

    monkeypatch.setenv("LANG", "C.UTF-8")
    source, out = str(sources["mp4"]), tmp_path / "out"
    assert main(["embed", source, "-o", str(out), "--producer", "acme", "--preset", "ultrafast"]) == 0
    assert "labelled, id" in capsys.readouterr().out
    assert main(["verify", str(out / "main.m3u8"), "--effort", "fast", "--require", "metadata,watermark"]) == 0
    said = capsys.readouterr()
    assert f"{out / 'main.m3u8'}::part1.m4s" in said.out and "2 of 2 files meet it" in said.err
    assert main(["verify", source, "--effort", "fast", "--require", "metadata,watermark"]) == 1
    assert main(["embed", source, "--in-place", "--producer", "acme"]) == 1
    assert "from one local folder into another" in capsys.readouterr().err


@pytest.mark.parametrize(("codec", "settings", "name"), [
    ("h264", "0164000dffe1", "avc1.64000d"), ("h264", "0000000167640028ac", "avc1.640028"), ("h264", "00000001", ""),
    ("hevc", "0101600000009000000000005af000", "hvc1.1.6.L90.90"), ("hevc", "01", ""), ("av1", "81", "")])
def test_codecs_have_the_names_of_rfc_6381(codec, settings, name):
    assert codecs.name_of(codec, bytes.fromhex(settings)) == name


def test_names_in_a_folder_below_are_relative_to_their_playlist(tmp_path):
    from pathlib import PurePosixPath
    folder = Folder(tmp_path / "main.m3u8")
    assert folder.named("a%20b.ts", PurePosixPath("v/x.m3u8")) == PurePosixPath("v/a b.ts")
    assert Part(PurePosixPath("a")).start is None
