# SPDX-License-Identifier: Apache-2.0
"""The sound track of films through embed, verify and the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

import labelkit as lk
from labelkit.cli import main as cli
from labelkit.errors import InvalidArgument, OutputFailed, UnsupportedFormat
from labelkit.plan import Quality
from tests.codec.test_soundtrack import lag, played, tracks
from tests.codec.test_video import needs, silent
from tests.films import film
from tests.media import LABEL
from tests.sounds import speech

TALK = speech(6.0, 48_000)
QUICK = Quality(preset="ultrafast")
PLAN = lk.Plan(explicit=lk.Explicit(soundtrack=True), watermark=lk.Watermark(soundtrack=True), quality=QUICK)
OTHER = lk.Label(kind=lk.Kind.GENERATED, content_producer=LABEL.content_producer, produce_id="another")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("in") / "film.mp4"
    return film(path, size=(480, 360), count=150, sound=["aac", "aac"], heard=TALK)


@pytest.fixture(scope="module")
def labelled(source, tmp_path_factory) -> Path:
    return lk.embed(source, tmp_path_factory.mktemp("out") / "film.mp4", LABEL, plan=PLAN)


def test_both_labels_are_in_the_sound_and_the_rest_is_as_it_was(source, labelled):
    report = lk.verify(labelled)
    report.require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    mark, seen = report[lk.Layer.WATERMARK], report[lk.Layer.EXPLICIT]
    assert mark.payload == lk.Payload.of(LABEL) and mark.evidence.soundtrack.payload == mark.payload.hex
    assert "carries the same" in str(mark.summary)
    assert seen.evidence.heard[0].start_s == pytest.approx(0.4, abs=0.06) and "Morse" in str(seen.summary)
    assert tracks(source)[1] == tracks(labelled)[1] and tracks(source)[0] != tracks(labelled)[0]
    assert abs(lag(played(source)[96_000:], played(labelled)[96_000:])) <= 24
    assert silent(labelled)


def test_unasked_the_sound_is_left_alone(source, tmp_path):
    target = lk.embed(source, tmp_path / "film.mp4", LABEL, plan=lk.Plan(quality=QUICK))
    assert tracks(source) == tracks(target)
    report = lk.verify(target)
    assert report[lk.Layer.WATERMARK].evidence.soundtrack.found is False
    assert report.explicit.heard is None
    plain = lk.verify(source)
    assert plain.verdict is lk.Verdict.NONE and plain[lk.Layer.WATERMARK].status is lk.Status.ABSENT


def joined(picture: Path, sound: Path, target: Path) -> Path:
    """The picture of one film with the sound of another, packets copied: a film made by somebody else."""
    with av.open(str(picture)) as first, av.open(str(sound)) as second, av.open(str(target), "w") as out:
        streams = first.streams.video[0], second.streams.audio[0]
        kept = [out.add_stream_from_template(stream, opaque=True) for stream in streams]
        for source, stream, into in zip((first, second), streams, kept, strict=True):
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = into
                    out.mux(packet)
    return target


def test_what_was_replaced_is_said(source, labelled, tmp_path):
    other = lk.embed(source, tmp_path / "other.mp4", OTHER, plan=PLAN)

    def mark(picture: Path, sound: Path) -> lk.Finding:
        return lk.verify(joined(picture, sound, tmp_path / "joined.mkv"))[lk.Layer.WATERMARK]

    assert "carries the same" in str(mark(labelled, labelled).summary)
    mixed = mark(labelled, other)
    assert mixed.payload == lk.Payload.of(LABEL) and "different content" in str(mixed.summary)
    assert lk.Payload.of(OTHER).hex in str(mixed.summary)
    picture_gone = mark(source, labelled)
    assert picture_gone.status is lk.Status.VALID and picture_gone.payload == lk.Payload.of(LABEL)
    assert "it was replaced" in str(picture_gone.summary)
    sound_gone = mark(labelled, source)
    assert sound_gone.payload == lk.Payload.of(LABEL) and "sound" not in str(sound_gone.summary)
    assert sound_gone.evidence.soundtrack.found is False


def test_a_label_that_is_only_heard_is_not_enough(source, labelled, tmp_path):
    finding = lk.verify(joined(source, labelled, tmp_path / "joined.mkv"))[lk.Layer.EXPLICIT]
    assert finding.status is lk.Status.INVALID and "5.4" in str(finding.summary) and finding.evidence.heard


@pytest.mark.parametrize("name,settings", [("film.mkv", {"sound": ["libopus"]}), ("film.mov", {"sound": ["pcm_s16le"]}),
                                           ("film.webm", {"sound": ["libopus"], "codec": "libvpx-vp9"}),
                                           ("film.avi", {"sound": ["libmp3lame"], "codec": "mpeg4"}),
                                           ("film.flv", {"sound": ["aac"]})])
def test_every_container_carries_the_mark_in_its_sound(name, settings, tmp_path):
    source = film(tmp_path / name, count=100, heard=TALK[:192_000], **settings)
    mark = lk.verify(lk.embed(source, tmp_path / f"out_{name}", LABEL, plan=PLAN))[lk.Layer.WATERMARK]
    assert mark.evidence.soundtrack.payload == lk.Payload.of(LABEL).hex


def test_ffmpeg_brings_the_sound_to_other_forms_and_the_mark_stays(labelled, tmp_path):
    needs("ffmpeg")
    target = tmp_path / "film.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(labelled), "-vn", "-c:a", "aac", "-b:a", "64k", "-ac", "1",
                    str(tmp_path / "sound.m4a")], check=True, timeout=600)
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(labelled), "-i", str(tmp_path / "sound.m4a"), "-map", "0:v",
                    "-map", "1:a", "-c", "copy", str(target)], check=True, timeout=600)
    assert lk.verify(target)[lk.Layer.WATERMARK].evidence.soundtrack.found
    assert lk.verify(tmp_path / "sound.m4a")[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)


def test_sound_that_cannot_carry_it_is_refused_and_leaves_nothing(tmp_path):
    quiet = film(tmp_path / "quiet.mp4", count=50, sound=["aac"], heard=np.zeros(96_000, np.float32))
    plan = lk.Plan(watermark=lk.Watermark(soundtrack=True), quality=QUICK)
    with pytest.raises(OutputFailed, match="^quiet.mp4: .* sound track"):
        lk.embed(quiet, tmp_path / "out.mp4", LABEL, plan=plan)
    with pytest.raises(UnsupportedFormat, match="wavpack"):
        lk.embed(film(tmp_path / "film.mkv", count=20, sound=["wavpack"]), tmp_path / "out.mp4", LABEL, plan=plan)
    assert not (tmp_path / "out.mp4").exists()
    lk.embed(film(tmp_path / "mute.mp4", count=50), tmp_path / "out.mp4", LABEL, plan=plan)  # nothing there to mark


def test_a_signed_film_states_its_audible_label(source, tmp_path, signer, anchors):
    plan = lk.Plan(explicit=PLAN.explicit, watermark=PLAN.watermark, quality=QUICK, provenance=signer)
    report = lk.verify(lk.embed(source, tmp_path / "film.mp4", LABEL, plan=plan), trust=anchors)
    report.require(*lk.Layer)
    assert report[lk.Layer.PROVENANCE].evidence.explicit["soundtrack"]["starts_s"] == [0.4]


def test_the_command_line_puts_labels_into_the_sound(source, tmp_path, capsys):
    target = tmp_path / "out.mp4"
    words = ["embed", str(source), "-o", str(target), "--producer", "acme", "--preset", "ultrafast"]
    assert cli.main([*words, "--soundtrack", "watermark,explicit"]) == 0
    assert cli.main(["verify", str(target), "--lang", "zh-CN"]) == 0
    said = capsys.readouterr().out
    assert "音轨带有相同的编号" in said and "音轨中" in said
    with pytest.raises(SystemExit):
        cli.main([*words, "--soundtrack", "metadata"])
    assert cli.main([*words, "--layers", "explicit,metadata", "--soundtrack", "watermark"]) == 2
    assert "--soundtrack" in capsys.readouterr().err


def test_what_a_film_leaves_out_is_told_on_the_command_line(tmp_path, capsys):
    mute = film(tmp_path / "mute.mp4", count=30)
    assert cli.main(["embed", str(mute), "-o", str(tmp_path / "out.mp4"), "--producer", "acme", "--preset", "ultrafast",
                     "--soundtrack", "watermark"]) == 0
    assert "mute.mp4: there is no sound track" in capsys.readouterr().err
    assert cli.main(["embed", str(mute), "-o", str(tmp_path / "other.mp4"), "--producer", "acme", "--preset",
                     "ultrafast"]) == 0
    assert capsys.readouterr().err == ""


def test_one_switch_for_each_layer():
    assert not lk.Watermark().soundtrack and not lk.Explicit().soundtrack
    with pytest.raises(InvalidArgument):
        lk.Explicit(soundtrack=True, place="somewhere")
