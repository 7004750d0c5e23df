# SPDX-License-Identifier: Apache-2.0
"""Presentations of DASH: labelled segment by segment, the manifest as it was, and nothing fetched."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from labelkit import Key, Layer, Plan, Status, playlist
from labelkit.container import fragments
from labelkit.errors import InvalidArgument, LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.payload import Payload
from labelkit.plan import Quality
from labelkit.playlist.labelling import read
from labelkit.playlist.segments import Outcome
from tests.codec.test_video import needs
from tests.films import scene
from tests.media import LABEL
from tests.playlist.test_hls import packets

pytest.importorskip("av")
PLAN = Plan(quality=Quality(preset="ultrafast"))
ID = Payload.of(LABEL)
SETTINGS = {"layers": [Layer.EXPLICIT, Layer.WATERMARK, Layer.METADATA], "effort": "fast"}
FORMS = {"timeline": ["-use_timeline", "1"], "number": ["-use_timeline", "0"], "list": ["-use_template", "0"],
         "ranges": ["-use_template", "0", "-single_file", "1"]}
PLAYED = ["timeline", "index"]  # of the others ffmpeg's own reader loses fragments of what ffmpeg wrote


def ffmpeg(folder: Path, *words: str, seconds: int = 4) -> None:
    """What ffmpeg makes of pictures with a tone."""
    needs("ffmpeg")
    folder.mkdir(parents=True, exist_ok=True)
    rows = b"".join(luma.tobytes() + b"\x80" * (320 * 240 // 2) for luma in scene(320, 240, 25 * seconds))
    subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "320x240", "-r", "25",
                    "-i", "-", "-f", "lavfi", "-i", f"sine=440:duration={seconds}", "-c:v", "libx264", "-preset",
                    "ultrafast", "-crf", "20", "-bf", "2", "-g", "25", "-c:a", "aac", *words], cwd=folder, input=rows,
                   check=True, timeout=60)


def manifest(inner: str, attributes: str = 'type="static" mediaPresentationDuration="PT4S"') -> str:
    return (f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-main:2011" {attributes}>'
            f'<Period><AdaptationSet mimeType="video/mp4">{inner}</AdaptationSet></Period></MPD>')


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """A presentation of each kind of addressing, one of them of a file with an index."""
    top = tmp_path_factory.mktemp("dash")
    for name, words in FORMS.items():
        ffmpeg(top / name, "-f", "dash", "-seg_duration", "2", *words, "main.mpd")
    ffmpeg(top / "index", "-an", "-movflags", "+dash+global_sidx+frag_keyframe+empty_moov+default_base_moof", "v.mp4")
    data = (top / "index" / "v.mp4").read_bytes()
    start = data.index(b"sidx") - 4
    stop = start + int.from_bytes(data[start:start + 4], "big")
    (top / "index" / "main.mpd").write_text(manifest(
        f'<Representation id="a" bandwidth="900000"><BaseURL>v.mp4</BaseURL><SegmentBase '
        f'indexRange="{start}-{stop - 1}"><Initialization range="0-{start - 1}"/></SegmentBase></Representation>'))
    return {name: top / name / "main.mpd" for name in [*FORMS, "index"]}


@pytest.fixture(scope="module")
def labelled(sources, tmp_path_factory) -> dict[str, Path]:
    """Each of them, labelled."""
    top = tmp_path_factory.mktemp("labelled")
    return {name: playlist.embed(source, top / name / "main.mpd", LABEL, plan=PLAN) for name, source in sources.items()}


def joined(path: Path, number: int, target: Path) -> Path:
    """A representation as one file."""
    presentation = read(path)
    segments = list(presentation.renditions())[number].segments
    presentation.folder.copy([segments[0].initialisation, *(one.part for one in segments)], target)
    return target


@pytest.mark.parametrize("kind", PLAYED)
def test_every_time_and_key_frame_stays_and_the_sound_to_the_bit(kind, sources, labelled):
    old, new = (packets(path, "v") for path in (sources[kind], labelled[kind]))
    assert old == new and len(new) == 100 and sum("K" in one for one in new) == 4
    assert packets(sources[kind], "a") == packets(labelled[kind], "a")


@pytest.mark.parametrize("kind", ["number", "list", "ranges"])
def test_files_together_are_as_they_were(kind, sources, labelled, tmp_path):
    for number, stream in enumerate("va"):
        old, new = (packets(joined(one[kind], number, tmp_path / f"{number}.mp4"), stream)
                    for one in (sources, labelled))
        assert old == new and len(new) >= 100


@pytest.mark.parametrize("kind", [*FORMS, "index"])
def test_every_segment_is_verified_alone(kind, labelled):
    found = list(playlist.verify(labelled[kind], **SETTINGS))
    assert len(found) == (4 if kind == "index" else 2)
    for name, report in found:
        assert report.source == name and report[Layer.WATERMARK].payload == ID
        assert report[Layer.METADATA].label == LABEL
    assert found[0][1][Layer.EXPLICIT].status is Status.VALID
    assert found[1][1][Layer.EXPLICIT].status is not Status.INVALID


def test_no_label_is_found_without_one_or_with_another_key(sources, labelled):
    for _, report in playlist.verify(sources["list"], **SETTINGS):
        assert {finding.status for finding in report} <= {Status.ABSENT, Status.UNCHECKED}
    for _, report in playlist.verify(labelled["list"], key=Key(b"another key, just as long"), **SETTINGS):
        assert report[Layer.WATERMARK].status is Status.ABSENT


def bare(text: str) -> str:
    """A manifest without what labelling changes."""
    return re.sub(r' (codecs|bandwidth|range|mediaRange|indexRange)="[^"]*"', "", text)


@pytest.mark.parametrize("kind", [*FORMS, "index"])
def test_the_manifest_stays_as_it_was_but_for_ranges_rates_and_codecs(kind, sources, labelled):
    old, new = (path.read_text() for path in (sources[kind], labelled[kind]))
    assert bare(old) == bare(new)
    rates = [[int(rate) for rate in re.findall(r'bandwidth="(\d+)"', text)] for text in (old, new)]
    assert rates[1][0] > rates[0][0] and rates[1][1:] == rates[0][1:]  # that of the sound


def test_ranges_and_the_index_are_those_of_the_new_file(labelled):
    for kind in ("ranges", "index"):
        presentation = read(labelled[kind])
        for rendition in presentation.renditions():
            parts = [rendition.segments[0].initialisation, rendition.segments[0].index,
                     *(segment.part for segment in rendition.segments)]
            end = 0
            for part in filter(None, parts):
                assert part.start == end
                end = part.start + part.length
            assert end == presentation.folder.size(parts[0].path)
    data = presentation.folder.bytes_of(parts[1])
    assert data[4:8] == b"sidx" and fragments.read_index(data, "v.mp4")[2][0][1] > 0


def test_periods_bases_templates_of_outer_elements_and_a_last_segment_that_is_not_there(sources, tmp_path):
    """One film twice, the second time through a timeline that repeats to the end, in a folder below."""
    below = tmp_path / "in" / "v" / "a b"
    below.mkdir(parents=True)
    for path in sources["number"].parent.glob("*stream0*"):
        (below / path.name.replace("chunk-stream0-0000", "$")).write_bytes(path.read_bytes())
    template = 'media="$$$Number$.m4s" initialization="init-stream$RepresentationID$.m4s" startNumber="1"'
    units = re.search(r'timescale="(\d+)"', sources["timeline"].read_text())[1]
    one = f'''<AdaptationSet mimeType="video/mp4" bitstreamSwitching="true" codecs="avc3.000000">
        <BaseURL>a%20b/</BaseURL><SegmentTemplate {template} duration="2"/>
        <Representation id="0" bandwidth='1000'/></AdaptationSet>'''
    other = one.replace(' duration="2"/>', f' timescale="{units}"><SegmentTimeline><S t="0" d="{2 * int(units)}" '
                        'r="-1"/></SegmentTimeline></SegmentTemplate>')
    (tmp_path / "in" / "main.mpd").write_text(
        f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT8.3S">'
        f'<BaseURL>v/</BaseURL><Period duration="PT4.3S">{one}</Period><Period duration="PT4S">{other}</Period></MPD>')
    begins = [[segment.begin for segment in one.segments] for one in read(tmp_path / "in" / "main.mpd").renditions()]
    assert begins == [[0, 2], [4.3, 6.3]]
    new = playlist.embed(tmp_path / "in" / "main.mpd", tmp_path / "out" / "main.mpd", LABEL, plan=PLAN)
    text = new.read_text()
    assert {path.name for path in (new.parent / "v" / "a b").iterdir()} == {"$1.m4s", "$2.m4s", "init-stream0.m4s"}
    assert '<Representation codecs="avc1.42c00d" id="0" bandwidth="' in text and 'codecs="avc3' in text
    assert 'bitstreamSwitching="true"' in text
    assert [report[Layer.WATERMARK].payload for _, report in playlist.verify(new, **SETTINGS)] == [ID] * 2


TEMPLATE = '<Representation id="0"><SegmentTemplate {} media="chunk-stream0-$Number%05d$.m4s" ' \
           'initialization="init-stream0.m4s"/></Representation>'
GOOD = TEMPLATE.format('duration="2"')
ONE = '<Representation id="0"><SegmentList{}><SegmentURL media="{}"/></SegmentList></Representation>'


@pytest.mark.parametrize(("text", "kind", "words"), [
    (manifest(ONE.format("", "../outside.m4s")), UnsupportedFormat, "nothing is fetched"),
    (manifest(ONE.format("", "%2e%2e/outside.m4s")), UnsupportedFormat, "nothing is fetched"),
    (manifest(ONE.format("", "http://127.0.0.1:9/a.m4s")), UnsupportedFormat, "nothing is fetched"),
    (manifest(ONE.format("", "//127.0.0.1/a.m4s")), UnsupportedFormat, "nothing is fetched"),
    (manifest(ONE.format("", "/etc/hostname")), UnsupportedFormat, "nothing is fetched"),
    (manifest(ONE.format("", "link.m4s")), InvalidArgument, "no file in the playlist's own folder"),
    (manifest(ONE.format(' xmlns:x="http://www.w3.org/1999/xlink" x:href="http://127.0.0.1:9/l"', "a")),
     UnsupportedFormat, "nothing is fetched"),
    (manifest(GOOD).replace("<Period", "<BaseURL>https://127.0.0.1:9/</BaseURL><Period"), UnsupportedFormat,
     "nothing is fetched"),
    (manifest(GOOD).replace("<Period", "<BaseURL>../</BaseURL><Period"), UnsupportedFormat, "nothing is fetched"),
    (manifest(GOOD).replace('id="0"', 'id="../../0"').replace("stream0-", "$RepresentationID$-"), UnsupportedFormat,
     "nothing is fetched"),
    (manifest(GOOD).replace("<Period", "<BaseURL>./</BaseURL><BaseURL>./</BaseURL><Period"), UnsupportedFormat,
     "several addresses"),
    (manifest("<ContentProtection/>" + GOOD), UnsupportedFormat, "encrypted"),
    (manifest(GOOD, 'type="dynamic"'), UnsupportedFormat, "still written"),
    (manifest(GOOD).replace("video/mp4", "video/webm"), UnsupportedFormat, "WebM"),
    (manifest(GOOD, ""), MalformedFile, "how long the segments or the period are"),
    (manifest(GOOD, 'mediaPresentationDuration="P1Y"'), MalformedFile, "no length in days"),
    (manifest(GOOD, 'mediaPresentationDuration="PT99999999M"'), LimitExceeded, "more than 50000 segments"),
    (manifest(GOOD.replace("$Number%05d$", "$SubNumber$")), UnsupportedFormat, "cannot be filled"),
    (manifest(GOOD.replace('id="0"', 'id="0" bandwidth="x"').replace("$Number%05d$", "$Bandwidth$")), UnsupportedFormat,
     "cannot be filled"),
    (manifest(GOOD.replace("<SegmentTemplate", '<SegmentTemplate index="a.sidx"')), UnsupportedFormat,
     "files that index names"),
    (manifest(GOOD.replace("$Number%05d$", "$Number%99d$")), UnsupportedFormat, "cannot be filled"),
    (manifest(TEMPLATE.format('duration="-2"')), MalformedFile, "no whole number"),
    (manifest('<Representation id="0"><SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="1" r="999999"/>'
              '</SegmentTimeline></SegmentTemplate></Representation>'), LimitExceeded, "more than 50000 segments"),
    (manifest('<Representation id="0"><SegmentTemplate media="$Time$"><SegmentTimeline><S t="99999999" d="1" r="-1"/>'
              '<S t="0" d="1" r="99999"/></SegmentTimeline></SegmentTemplate></Representation>'), LimitExceeded,
     "more than 50000 segments"),
    (manifest(GOOD.replace('media="', 'media="' + "a/" * 65)), LimitExceeded, "or 64 folders"),
    (manifest(GOOD.replace('media="', 'media="' + "a" * 5000)), LimitExceeded, "more than 1024 characters"),
    (manifest(GOOD.replace('media="', 'media="' + "a" * 300)), InvalidArgument, "too long"),
    (manifest("<SegmentList><SegmentTimeline><S d='1'/></SegmentTimeline>" + "<SegmentURL media='a'/>" * 20_000 +
              "</SegmentList>" + "<Representation><SegmentList/></Representation>" * 51), LimitExceeded,
     "more than 1000000 elements"),
    (manifest('<Representation id="0"><SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="1" k="4"/>'
              '</SegmentTimeline></SegmentTemplate></Representation>'), UnsupportedFormat, "sequences of segments"),
    (manifest('<Representation id="0"><BaseURL>init-stream0.m4s</BaseURL></Representation>'), UnsupportedFormat,
     "does not tell its segments"),
    (manifest('<Representation><BaseURL>init-stream0.m4s</BaseURL><SegmentBase indexRange="9-60"/></Representation>'),
     MalformedFile, "no box sidx"),
    (manifest('<Representation><BaseURL>init-stream0.m4s</BaseURL><SegmentBase indexRange="9-3"/></Representation>'),
     MalformedFile, "no range of bytes"),
    (manifest(""), MalformedFile, "names no segment"), ("<MPD/>", MalformedFile, "has an element MPD"),
    ("no manifest", MalformedFile, "not well-formed"),
    ('<!DOCTYPE MPD [<!ENTITY a "b">]>' + manifest(GOOD), MalformedFile, "declares entities")])
def test_what_is_refused_is_refused_aloud_and_nothing_is_written(text, kind, words, sources, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sources["number"].parent.glob("*stream0*"):
        (folder / path.name).write_bytes(path.read_bytes())
        (tmp_path / "outside.m4s").write_bytes(path.read_bytes())
    (folder / "link.m4s").symlink_to(tmp_path / "outside.m4s")
    (folder / "main.mpd").write_text(text)
    with pytest.raises(kind, match=words):
        playlist.embed(folder / "main.mpd", tmp_path / "out" / "main.mpd", LABEL, plan=PLAN)
    assert not (tmp_path / "out").exists()
    with pytest.raises(LabelkitError):
        list(playlist.verify(folder / "main.mpd"))


def test_representations_that_share_a_name_and_a_file_are_told_apart(sources, tmp_path):
    text = sources["index"].read_text()
    one = text[text.index("<Representation"):text.index("</AdaptationSet>")]
    (sources["index"].parent / "twice.mpd").write_text(text.replace(one, one + one.replace('range="0-', 'range="4-')))
    source = sources["index"].parent / "twice.mpd"
    assert [one.name for one in read(source).renditions()] == ["twice.mpd#a", "twice.mpd#a#1"]
    bare_plan = Plan(explicit=None, watermark=None)
    with pytest.raises(LabelkitError):  # half an initialisation segment is none
        playlist.embed(source, tmp_path / "out" / "twice.mpd", LABEL, plan=bare_plan)
    source.write_text(text.replace(one, one + one))
    new = playlist.embed(source, tmp_path / "out" / "twice.mpd", LABEL, plan=bare_plan)
    ranges = re.findall(r'[rR]ange="([0-9-]+)"', new.read_text())
    assert ranges[:2] == ranges[2:] and ranges[1].startswith("0-")


@pytest.mark.parametrize(("rate", "new"), [("1000", "1008"), ("\u00b2", "\u00b2"), ("9" * 5000, "9" * 5000)])
def test_a_bit_rate_that_is_no_number_stays(rate, new, tmp_path):
    (tmp_path / "main.mpd").write_text(manifest(GOOD.replace('id="0"', f'id="0" bandwidth="{rate}"')), "utf-8")
    presentation = read(tmp_path / "main.mpd")
    text, = presentation.texts({}, {"main.mpd#0": Outcome(peak=8)}, []).values()
    assert f'bandwidth="{new}"' in text


def test_what_names_would_change_is_said(sources, tmp_path):
    for path in sources["number"].parent.glob("*stream0*"):
        (tmp_path / path.name.replace("chunk-stream0", "chunk-1000")).write_bytes(path.read_bytes())
    (tmp_path / "main.mpd").write_text(manifest(GOOD.replace('id="0"', 'id="0" bandwidth="1000"').replace(
        "stream0-", "$Bandwidth$-")) + "\n")
    said: list[str] = []
    new = playlist.embed(tmp_path / "main.mpd", tmp_path / "out" / "main.mpd", LABEL, plan=PLAN, check=False,
                         on_left_out=lambda message: said.append(str(message)))
    assert 'bandwidth="1000"' in new.read_text() and len(said) == 1 and "bit rate stays" in said[0]
    assert (new.parent / "chunk-1000-00002.m4s").exists()


def test_the_commands(sources, tmp_path, monkeypatch, capsys):
    from labelkit.cli.main import main

    monkeypatch.setenv("LANG", "C.UTF-8")
    source, out = str(sources["index"]), tmp_path / "out"
    assert main(["embed", source, "-o", str(out), "--producer", "acme", "--preset", "ultrafast"]) == 0
    assert "labelled, id" in capsys.readouterr().out
    assert main(["verify", str(out / "main.mpd"), "--effort", "fast", "--require", "metadata,watermark"]) == 0
    said = capsys.readouterr()
    assert f"{out / 'main.mpd'}::v.mp4@" in said.out and "4 of 4 files meet it" in said.err
    assert main(["verify", source, "--effort", "fast", "--require", "metadata,watermark"]) == 1
