# SPDX-License-Identifier: Apache-2.0
"""The sound track of a film: read by time, and written back changed, in its own family and in sync."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from labelkit import codec, container
from labelkit.codec import transcode
from labelkit.codec.soundtrack import SampleTimeline
from labelkit.errors import LabelkitError, UnsupportedFormat
from labelkit.plan import Quality
from tests.codec.test_video import bright, needs, silent, streams_of
from tests.films import film
from tests.sounds import speech

QUICK = Quality(preset="ultrafast")
TALK = speech(2.0, 48_000)
FILMS = {
    "film.mp4": {"sound": ["aac", "aac"]}, "mp3.mp4": {"sound": ["libmp3lame"]}, "film.mov": {"sound": ["pcm_s16le"]},
    "fragments.mp4": {"sound": ["aac"], "muxer": {"movflags": "frag_keyframe+empty_moov"}},
    "alac.mov": {"sound": ["alac"]}, "aac.mkv": {"sound": ["aac", "flac"], "subtitles": True},
    "flac.mkv": {"sound": ["flac"]}, "ac3.mkv": {"sound": ["ac3"]}, "mp3.mkv": {"sound": ["libmp3lame"]},
    "film.webm": {"sound": ["libopus"], "codec": "libvpx-vp9"}, "film.flv": {"sound": ["aac"]},
    "mp3.flv": {"sound": ["libmp3lame"]}, "pcm.avi": {"sound": ["pcm_s16le"], "codec": "mpeg4"},
    "film.avi": {"sound": ["libmp3lame"]}, "ac3.avi": {"sound": ["ac3"]},
}
BIT_EXACT = ("film.mov", "alac.mov", "flac.mkv", "pcm.avi")


class Late:
    """Sound that comes some samples later."""

    def __init__(self, by: int, channels: int) -> None:
        self._held = np.zeros((by, channels), np.float32)

    def push(self, chunk: np.ndarray) -> np.ndarray:
        both = np.concatenate([self._held, chunk])
        self._held = both[len(chunk):]
        return both[:len(chunk)]

    def finish(self) -> np.ndarray:
        return self._held[:0]


def decoded(path: Path):
    return codec.decode(container.Reader(open(path, "rb"), path.name))


def through(path: Path, late: int = 0) -> Path:
    """The film with its sound decoded and encoded, and perhaps late."""
    target = path.with_name("out_" + path.name)
    transcode.encode(decoded(path).map_sound(lambda rate, channels: Late(late, channels)), target, QUICK)
    return target


def played(path: Path) -> np.ndarray:
    """float [frames] at 48 kHz: what ffmpeg plays beside the picture, from time 0 on."""
    needs("ffmpeg")
    placed = "aresample=async=1:first_pts=0:min_hard_comp=0.02"
    run = subprocess.run(["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-map", "0:a:0", "-ac", "1",
                          "-ar", "48000", "-af", placed, "-f", "f32le", "-"],
                         capture_output=True, check=True, timeout=600)
    return np.frombuffer(run.stdout, "<f4").astype(float)


def lag(before: np.ndarray, after: np.ndarray) -> int:
    """By how many samples the one comes after the other."""
    size = 2 * max(len(before), len(after))
    likeness = np.fft.irfft(np.fft.rfft(before, size).conj() * np.fft.rfft(after, size))
    at = int(likeness.argmax())
    return at if at < size // 2 else at - size


def families(path: Path) -> list[str]:
    with av.open(str(path)) as source:
        return [stream.codec_context.codec.canonical_name for stream in source.streams.audio]


@pytest.mark.parametrize("name", FILMS)
def test_changed_sound_stays_in_its_family_and_in_sync(name, tmp_path):
    source = film(tmp_path / name, count=40, heard=TALK, **FILMS[name])
    target = through(source)
    before, after = played(source), played(target)
    assert abs(lag(before, after)) <= 24  # half a millisecond: times in Matroska are whole milliseconds
    assert abs(len(before) - len(after)) < 0.06 * 48_000
    assert families(source) == families(target)
    assert shown(source) == shown(target)
    if name in BIT_EXACT:
        assert np.array_equal(before, after)
    assert tracks(source)[1:] == tracks(target)[1:]
    assert streams_of(source, "subtitle") == streams_of(target, "subtitle")
    assert silent(target)


def shown(path: Path) -> list[float]:
    return [frame.seconds for frame in decoded(path).frames()]


def tracks(path: Path) -> list[list[bytes]]:
    with av.open(str(path)) as source:
        found: dict[int, list[bytes]] = {stream.index: [] for stream in source.streams.audio}
        for packet in source.demux(*source.streams.audio):
            if packet.size:
                found[packet.stream.index].append(bytes(packet))
    return list(found.values())


def test_the_negative_twin_a_shift_is_measured(tmp_path):
    source = film(tmp_path / "film.mp4", count=40, heard=TALK, sound=["aac"])
    assert abs(lag(played(source), played(through(source, 240))) - 240) <= 2


def test_without_a_change_the_sound_is_copied(tmp_path):
    source = film(tmp_path / "film.mp4", count=10, heard=TALK, sound=["aac"])
    target = tmp_path / "out.mp4"
    transcode.encode(decoded(source).map(bright), target, QUICK)
    assert streams_of(source, "audio") == streams_of(target, "audio")


def rewritten(source: Path, target: Path, keep=lambda packet: True, moved: int = 0) -> Path:
    """The film with some packets of its sound left out, or the sound moved by milliseconds."""
    with av.open(str(source)) as film, av.open(str(target), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in film.streams}
        for packet in film.demux():
            if not packet.size or packet.stream.type == "audio" and not keep(packet):
                continue
            if packet.stream.type == "audio":
                packet.pts += round(moved / 1000 / packet.time_base)
                packet.dts = packet.pts
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return target


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4"])
def test_sound_that_begins_late_or_has_a_hole_stays_in_place(name, tmp_path):
    plain = film(tmp_path / name, count=60, heard=TALK, sound=["flac"])
    late = rewritten(plain, tmp_path / f"late_{name}", moved=500)
    assert abs(lag(played(late), played(through(late)))) <= 48
    hole = rewritten(plain, tmp_path / f"hole_{name}", lambda p: not 0.6 < float(p.pts * p.time_base) < 1.0)
    before, after = played(hole), played(through(hole))
    assert abs(lag(before, after)) <= 48
    quiet = after[int(0.75 * 48_000):int(0.95 * 48_000)]
    assert np.abs(quiet).max() == 0 and np.abs(played(plain)[int(0.75 * 48_000):int(0.95 * 48_000)]).max() > 0.01


def test_broken_packets_become_silence(tmp_path):
    source = film(tmp_path / "film.mkv", count=40, heard=TALK, sound=["flac"])
    data = bytearray(source.read_bytes())
    packet = tracks(source)[0][8]
    at = data.find(packet)
    data[at:at + len(packet)] = bytes(len(packet))
    source.write_bytes(data)
    after = played(through(source))
    whole = played(film(tmp_path / "whole.mkv", count=40, heard=TALK, sound=["flac"]))
    assert abs(lag(whole, after)) <= 24 and silent(tmp_path / "out_film.mkv")


def test_what_has_no_encoder_is_refused(tmp_path):
    source = film(tmp_path / "film.mkv", count=10, heard=TALK, sound=["wavpack"])
    with pytest.raises(UnsupportedFormat, match="wavpack"):
        through(source)
    transcode.encode(decoded(source).map(bright), tmp_path / "out.mkv", QUICK)  # copied, it may be anything


def test_bitrates_stay_in_their_class(tmp_path):
    for wanted in (96_000, 192_000):
        path = tmp_path / f"{wanted}.mp4"
        with av.open(str(film(tmp_path / "film.mkv", count=100, heard=speech(4.0, 48_000), sound=["flac"]))) as source:
            with av.open(str(path), "w") as out:
                picture = out.add_stream_from_template(source.streams.video[0], opaque=True)
                track = out.add_stream("aac", rate=48_000, layout="stereo", bit_rate=wanted)
                for packet in source.demux(source.streams.video[0]):
                    if packet.size:
                        packet.stream = picture
                        out.mux(packet)
                source.seek(0)
                for frame in source.decode(source.streams.audio[0]):
                    out.mux(track.encode(frame))
                out.mux(track.encode(None))
        with av.open(str(path)) as before, av.open(str(through(path))) as after:
            assert after.streams.audio[0].bit_rate == pytest.approx(before.streams.audio[0].bit_rate, rel=0.25)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_when_the_sound_begins_and_ends_is_known(name, tmp_path):
    source = film(tmp_path / name, count=100, heard=TALK, sound=["flac"])
    sound = decoded(source).sound  # the film has 4 s
    assert sound.begin == pytest.approx(0, abs=0.05) and sound.seconds == pytest.approx(2.0, abs=0.1)
    late = rewritten(source, tmp_path / f"late_{name}", moved=500)
    assert decoded(late).sound.begin == pytest.approx(0.5, abs=0.05)
    assert decoded(late).sound.seconds == pytest.approx(2.0, abs=0.1)


def test_sound_is_heard_by_time(tmp_path):
    samples = decoded(film(tmp_path / "film.mkv", count=60, heard=TALK, sound=["flac"], options={"g": "10"}))
    assert (samples.sound.rate, samples.sound.channels) == (48_000, 2)
    whole = np.concatenate(list(samples.heard()))
    assert np.abs(whole[:len(TALK), 0] - TALK).max() < 1e-3
    part = np.concatenate(list(samples.heard(0.9, 1.3)))
    assert len(part) == round(0.4 * 48_000)
    assert lag(whole[:, 0].astype(float), part[:, 0].astype(float)) == pytest.approx(-0.9 * 48_000, abs=48)
    assert not list(samples.heard(50.0, 60.0))
    plain = decoded(film(tmp_path / "mute.mkv", count=10))
    assert plain.sound is None and not list(plain.heard())


def line(rate: int = 1000) -> SampleTimeline:
    """A line of a stream made up here: mono at `rate`."""
    with av.open("/dev/null", "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        return SampleTimeline(stream)


def frame(values: np.ndarray, at: int, rate: int = 1000) -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(values.astype(np.float32)[None], "flt", "mono")
    made.sample_rate, made.pts, made.time_base = rate, at, Fraction(1, rate)
    return made


def test_a_line_has_no_gaps_and_no_overlaps():
    one = line()
    taken = [one.take(frame(np.full(100, 0.5), at)) for at in (0, 100, 300, 350)]
    rows = np.concatenate([rows for part in taken for rows in part])[:, 0]
    assert rows.tolist() == [0.5] * 200 + [0.0] * 100 + [0.5] * 150


def test_times_that_jitter_change_nothing():
    one = line()
    rows = np.concatenate([rows for at in (0, 120, 185, 310) for rows in one.take(frame(np.ones(100), at))])
    assert rows.shape == (400, 1) and (rows == 1).all()


def test_hostile_times_and_samples_are_bounded():
    one = line()
    list(one.take(frame(np.ones(10), 0)))
    count = sum(len(rows) for at in range(1, 40) for rows in one.take(frame(np.ones(10), at * 3_000_000)))
    assert count <= 3600 * 1000 + 400  # an hour of silence at most, whatever the file says
    bad = np.array([np.nan, np.inf, -np.inf, 1e30, 0.5])
    rows = np.concatenate(list(line().take(frame(bad, 0))))
    assert np.isfinite(rows).all() and np.abs(rows).max() <= 100 and rows[-1] == 0.5


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.avi", "film.flv"])
def test_damaged_sound_raises_our_errors_only(name, tmp_path):
    settings = {"codec": "mpeg4", "sound": ["libmp3lame"]} if name == "film.avi" else {"sound": ["aac"]}
    data = film(tmp_path / name, count=8, heard=TALK[:20_000], **settings).read_bytes()
    random = np.random.default_rng(6)
    for _ in range(16):
        bad = bytearray(data)
        for place in random.integers(0, len(bad), 60):
            bad[place] = random.integers(256)
        try:
            samples = codec.decode(bytes(bad))
            sum(map(len, samples.heard(0.0, 5.0)))
            transcode.encode(samples.map_sound(lambda rate, channels: Late(0, channels)), tmp_path / "out", QUICK)
        except LabelkitError:
            pass
