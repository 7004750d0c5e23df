# SPDX-License-Identifier: Apache-2.0
"""Long sound goes from file to file, block by block: the same bytes and reports as in memory, and memory that does not
grow with its length."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import labelkit
from labelkit import arrays, codec, confirmation, container, explicit, watermark
from labelkit.codec import audio as codec_audio
from labelkit.codec.samples import AudioSamples, AudioStream
from labelkit.errors import HostTooSmall, InvalidArgument, LabelkitError, OutputFailed
from labelkit.plan import Explicit, Plan, Watermark
from labelkit.report import Layer
from tests import sounds
from tests.media import LABEL

soundfile = pytest.importorskip("soundfile")
RATE = 48_000
SHORT = 1 << 16  # samples that are held, in these tests
WRITTEN = {"wav": ("WAV", "PCM_24"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"),
           "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "rf64": ("RF64", "PCM_16")}


def clip(seconds: float) -> np.ndarray:
    """float32 [frames, 2]: speech in the middle of music."""
    return 0.5 * sounds.music(seconds, RATE) + 0.4 * sounds.speech(seconds, RATE)[:, None]


def encoded(format: str, x: np.ndarray, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    if format == "m4a":
        av = pytest.importorskip("av")
        with av.open(out, "w", format="ipod") as file:
            stream = file.add_stream("aac", rate=rate, layout="stereo")
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(x.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = rate, 0
            for packet in (*stream.encode(frame), *stream.encode(None)):
                file.mux(packet)
        return out.getvalue()
    major, subtype = WRITTEN[format]
    with soundfile.SoundFile(out, "w", rate, x.shape[1], subtype, format=major) as file:
        for at in range(0, len(x), SHORT):
            file.write(x[at : at + SHORT])
    return out.getvalue()


def streamed(x: np.ndarray, size: int = 5_000, rate: int = RATE) -> AudioStream:
    """Sound that comes in blocks of one size."""
    return AudioStream(lambda: (x[at : at + size] for at in range(0, len(x), size)), rate, x.shape[1], len(x))


@pytest.fixture
def short_is_long(monkeypatch):
    monkeypatch.setattr(codec_audio, "HELD", SHORT)


# ---- blocks

def test_stretches_of_a_stream_are_those_of_the_array():
    x = np.arange(20_000, dtype=np.float32).reshape(-1, 2)
    spans = [(-50, 0), (-3, 7), (0, 4_999), (10, 5_001), (4_000, 9_000), (9_500, 9_500), (9_990, 20_000),
             (30_000, 40_000)]
    for size in (1, 777, 5_000, 10_000):
        stream = streamed(x, size)
        for some in (spans, spans[4:], spans[-1:], []):
            for seen, wanted in zip(stream.stretches(some), AudioSamples(x, RATE).stretches(some), strict=True):
                assert np.array_equal(seen, wanted)


def test_a_pass_ends_with_the_last_stretch():
    taken = []
    stream = AudioStream(lambda: (taken.append(n) or np.zeros((100, 1), np.float32) for n in range(50)), RATE, 1, 5_000)
    assert [len(part) for part in stream.stretches([(150, 250), (220, 380)])] == [100, 160]
    assert taken == [0, 1, 2, 3]


@pytest.mark.parametrize("settings", [{}, {"place": "both", "sound": "both"}, {"place": "middle"}, {"repeat_s": 7}])
def test_the_label_of_a_stream_is_that_of_the_array(settings):
    x, plan = clip(20), Explicit(**settings)
    held, said = explicit.draw(AudioSamples(x, RATE), plan)
    made, told = explicit.draw(streamed(x), plan)
    assert isinstance(made, AudioStream) and told == said and made.frames == held.frames
    assert made.inserted == held.inserted and np.array_equal(made.whole().samples, held.samples)
    assert explicit.find(made) == explicit.find(held)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("presence", [True, False])
def test_the_mark_of_a_stream_is_that_of_the_array(channels, presence):
    x = np.ascontiguousarray(clip(12)[:, :channels])
    payload = None if presence else labelkit.Payload.of(LABEL)
    held = watermark.embed(AudioSamples(x.copy(), RATE), payload)  # marked in place
    made = watermark.embed(streamed(x), payload)
    assert np.array_equal(made.whole().samples, held.samples) and not np.array_equal(held.samples, clip(12))
    assert watermark.detect(made) == watermark.detect(held)
    assert watermark.detect(streamed(clip(12))).found is False


# ---- files

@pytest.mark.parametrize("format", [*WRITTEN, "m4a"])
def test_a_long_file_becomes_what_a_short_one_does(format, tmp_path, monkeypatch):
    source = tmp_path / f"a.{format}"
    source.write_bytes(encoded(format, clip(12)))
    outputs, reports = [], []
    for name, held in (("held", 1 << 40), ("streamed", SHORT)):
        monkeypatch.setattr(codec_audio, "HELD", held)
        target = tmp_path / f"{name}.{format}"
        with container.opened(source) as reader:
            assert codec.is_streamed(reader) is (name == "streamed")
        labelkit.embed(source, target, LABEL)
        report = labelkit.verify(target)
        report.require(Layer.EXPLICIT, Layer.WATERMARK, Layer.METADATA)
        outputs.append(target.read_bytes())
        reports.append([(finding.layer, finding.status, finding.summary, finding.evidence) for finding in report])
    if format in ("ogg", "opus"):  # a stream of Ogg has a number that is drawn
        outputs = [codec.decode(data).whole().samples.tobytes() for data in outputs]
    assert outputs[0] == outputs[1]
    assert reports[0] == reports[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"a.{format}", f"held.{format}",
                                                                       f"streamed.{format}"])


def test_bytes_in_bytes_out(short_is_long):
    marked = labelkit.embed(encoded("flac", clip(12)), None, LABEL)
    assert labelkit.verify(marked)[Layer.WATERMARK].payload == labelkit.Payload.of(LABEL)
    assert codec.decode(marked).whole().frames > codec.decode(encoded("flac", clip(12))).frames


@pytest.mark.parametrize("kind", [np.float32, np.int16])
@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_a_long_array_becomes_the_file_that_a_short_one_does(kind, format, tmp_path, monkeypatch):
    x = clip(10) if kind == np.float32 else np.int16(np.round(clip(10) * 32767))
    before, outputs = x.copy(), []
    for held in (1 << 40, SHORT):
        monkeypatch.setattr(arrays, "HELD", held)
        labelkit.embed(x, tmp_path / f"a.{format}", LABEL, rate=RATE)
        outputs.append((tmp_path / f"a.{format}").read_bytes())
        assert labelkit.embed(x, None, LABEL, rate=RATE, format=format) == outputs[-1]
    assert outputs[0] == outputs[1] and np.array_equal(x, before)
    labelkit.verify(outputs[1]).require(Layer.EXPLICIT, Layer.WATERMARK, Layer.METADATA)


@pytest.mark.parametrize("format", ["wav", "m4a", "ogg"])
def test_a_long_file_is_signed(format, short_is_long, signer, anchors, tmp_path):
    source = tmp_path / f"a.{format}"
    source.write_bytes(encoded(format, clip(8)))
    plan = Plan(provenance=signer)
    for given, name, manifests in ((source, "b", 1), (tmp_path / f"b.{format}", "c", 2)):
        target = tmp_path / f"{name}.{format}"
        labelkit.embed(given, target, LABEL, plan=plan)
        found = labelkit.verify(target, trust=anchors)[Layer.PROVENANCE]
        assert found.status is labelkit.Status.VALID and found.label == LABEL and found.evidence.manifests == manifests
        assert Path(f"{target}.c2pa").exists() is (format == "ogg")
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    broken = labelkit.Status.ABSENT if format == "ogg" else labelkit.Status.INVALID  # beside it lies that of another
    assert labelkit.verify(target, trust=anchors)[Layer.PROVENANCE].status is broken


@pytest.mark.parametrize("format", ["wav", "ogg"])
def test_a_long_array_is_signed(format, monkeypatch, signer, anchors, tmp_path):
    monkeypatch.setattr(arrays, "HELD", SHORT)
    plan, target = Plan(provenance=signer), tmp_path / f"a.{format}"
    labelkit.embed(clip(8), target, LABEL, rate=RATE, plan=plan)
    found = labelkit.verify(target, trust=anchors)[Layer.PROVENANCE]
    assert found.status is labelkit.Status.VALID and found.evidence.manifests == 1
    if format == "ogg":
        with pytest.raises(InvalidArgument, match="needs a path"):
            labelkit.embed(clip(8), None, LABEL, rate=RATE, format="ogg", plan=plan)


def test_a_file_of_no_stated_length_is_counted(short_is_long):
    """As of tests.codec: a FLAC that was written to a pipe states none."""
    data = bytearray(encoded("flac", clip(4)))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    samples = codec.decode(bytes(data))
    assert isinstance(samples, AudioStream) and samples.frames == 4 * RATE == samples.whole().frames


def test_silence_is_refused_and_sound_beside_a_silent_middle_is_not(short_is_long, tmp_path):
    x = np.zeros((100 * 16_000, 1), np.float32)
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    source.write_bytes(encoded("wav", x, 16_000))
    plan = Plan(explicit=None)
    with pytest.raises(HostTooSmall):
        labelkit.embed(source, target, LABEL, plan=plan)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    x[-20 * 16_000:, 0] = sounds.speech(20)
    source.write_bytes(encoded("wav", x, 16_000))
    labelkit.embed(source, target, LABEL, plan=plan)
    assert labelkit.verify(target)[Layer.WATERMARK].payload == labelkit.Payload.of(LABEL)


def test_a_mark_that_the_encoder_takes_away_is_made_stronger(short_is_long, tmp_path, monkeypatch):
    source, strengths, confirm = tmp_path / "a.wav", [], confirmation.confirm
    source.write_bytes(encoded("wav", clip(8)))

    def fails_once(made, plan, *more):
        strengths.append(made.size)
        if len(strengths) == 1:
            raise OutputFailed("{where}: lost", where=made.name)
        confirm(made, plan, *more)

    monkeypatch.setattr(confirmation, "confirm", fails_once)
    hard = Watermark(robustness="hard")
    first = watermark.embed(codec.decode(source.read_bytes()), labelkit.Payload.of(LABEL), plan=hard).whole().samples
    labelkit.embed(source, tmp_path / "b.wav", LABEL, plan=Plan(explicit=None, watermark=hard))
    made = codec.decode((tmp_path / "b.wav").read_bytes()).whole().samples
    host = codec.decode(source.read_bytes()).whole().samples
    assert len(strengths) == 2
    assert 1.3 < np.square(made - host).sum() / np.square(first - host).sum() < 2.5, "3 dB more"
    with pytest.raises(OutputFailed):
        strengths.clear()
        labelkit.embed(source, tmp_path / "c.wav", LABEL,
                       plan=Plan(explicit=None, watermark=Watermark(robustness="hard", max_strength=1)))
    assert not (tmp_path / "c.wav").exists()


@pytest.mark.parametrize("format", ["wav", "m4a"])
def test_a_full_disk_is_said_of_the_target(format, short_is_long, tmp_path):
    resource = pytest.importorskip("resource")
    source, target = tmp_path / f"a.{format}", tmp_path / f"b.{format}"
    source.write_bytes(encoded(format, clip(8)))
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    try:
        with pytest.raises(OutputFailed) as error:
            labelkit.embed(source, target, LABEL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert target.name in str(error.value) and [path.name for path in tmp_path.iterdir()] == [source.name]
    labelkit.embed(source, target, LABEL)


@pytest.mark.parametrize("format", ["flac", "mp3", "m4a", "ogg"])
def test_what_breaks_off_further_on_gives_errors_of_our_own(format, short_is_long):
    data = bytearray(encoded(format, clip(8)))
    data[len(data) // 2 : len(data) * 3 // 4] = np.random.default_rng(1).bytes(len(data) * 3 // 4 - len(data) // 2)
    for broken in (bytes(data), bytes(data[: len(data) // 2])):
        try:
            labelkit.verify(broken)
            labelkit.embed(broken, None, LABEL)
        except LabelkitError:
            pass


# ---- memory

CHILD = """
import re, sys
import labelkit as lk
from labelkit.codec import audio

def peak():  # of this program alone; what getrusage tells begins with that of its parent
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

audio.HELD = int(sys.argv[1])
lk.embed(sys.argv[2], sys.argv[3], lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", "1"))
marked = peak()
if sys.argv[4:]:
    lk.verify(sys.argv[3]).require(lk.Layer.WATERMARK, lk.Layer.EXPLICIT)
print(marked, peak())
"""
GROWTH = 45_000_000  # bytes; the 225 s that are added have 86 MB of samples, and an allocator's noise is up to 20 MB


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is told by Linux")
@pytest.mark.parametrize("held, grows", [(SHORT, False), (1 << 40, True)])
def test_memory_does_not_grow_with_the_length(held, grows, tmp_path):
    part, peaks = clip(75), []
    for count in (1, 4):
        source = tmp_path / f"{count}.flac"
        source.write_bytes(encoded("flac", np.concatenate([part] * count)))
        more = [] if grows else ["verify"]
        out = subprocess.run([sys.executable, "-c", CHILD, str(held), source, tmp_path / "out.flac", *more],
                             capture_output=True, text=True, check=True).stdout
        peaks.append([int(number) for number in out.split()])
    embedding, verifying = (after - before for before, after in zip(*peaks, strict=True))
    assert (embedding > GROWTH) is grows
    assert grows or verifying < GROWTH
