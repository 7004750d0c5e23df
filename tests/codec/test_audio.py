# SPDX-License-Identifier: Apache-2.0
"""Sound in, sound out: the same container, codec, bitrate class, sample format, channels and tags."""

from __future__ import annotations

import base64
import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import labelkit
from benchmarks import audio_attacks
from labelkit import codec, container
from labelkit.codec import live_ogg
from labelkit.codec.resample import Resampler
from labelkit.codec.samples import AudioSamples
from labelkit.container import bmff
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from tests import sounds
from tests.media import LABEL, photo, saved

soundfile = pytest.importorskip("soundfile")
RATE = 44_100


def written(format: str, subtype: str, x: np.ndarray | None = None, **more) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, sounds.music(4) if x is None else x, RATE, format=format, subtype=subtype, **more)
    return out.getvalue()


@pytest.mark.parametrize("format, subtype", [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "ALAW"),
    ("RF64", "PCM_16"), ("WAVEX", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")])
def test_lossless_files_come_back_sample_for_sample(format, subtype):
    data = written(format, subtype)
    samples = codec.decode(data)
    again = codec.decode(codec.encode(samples))
    assert samples.samples.dtype == np.float32 and samples.samples.shape == (4 * RATE, 2) and samples.rate == RATE
    assert np.array_equal(again.samples, samples.samples)
    assert soundfile.info(io.BytesIO(codec.encode(samples))).subtype == subtype


@pytest.mark.parametrize("format, subtype, level", [
    ("MP3", "MPEG_LAYER_III", 0.9), ("MP3", "MPEG_LAYER_III", 0.4), ("OGG", "VORBIS", 0.9), ("OGG", "VORBIS", 0.4),
    ("OGG", "OPUS", 0.9), ("OGG", "OPUS", 0.6)])
def test_lossy_files_keep_codec_and_bitrate_class(format, subtype, level):
    x = sounds.music(4, 48_000) if subtype == "OPUS" else sounds.music(4)
    out = io.BytesIO()
    rate = 48_000 if subtype == "OPUS" else RATE
    soundfile.write(out, x, rate, format=format, subtype=subtype, compression_level=level)
    data = out.getvalue()
    encoded = codec.encode(codec.decode(data))
    info = soundfile.info(io.BytesIO(encoded))
    assert (info.format, info.subtype, info.channels) == (format, subtype, 2)
    assert len(encoded) == pytest.approx(len(data), rel=0.12)
    assert container.sniff(encoded).name == container.sniff(data).name


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize("ending", ["ogg", "opus"])
def test_the_same_sound_is_the_same_ogg_and_other_sound_a_stream_of_another_number(ending):
    one, other = (AudioSamples(sounds.music(2, 48_000, seed), 48_000) for seed in (1, 2))
    made = codec.encode_new(one, ending)
    assert made == codec.encode_new(one, ending)  # libsndfile numbers each stream at random
    files = [made, codec.encode_new(other, ending)]
    numbers = [{page.serial for page in pages_of(data)} for data in files]
    assert len(numbers[0]) == len(numbers[1]) == 1 and numbers[0] != numbers[1]
    assert [len(soundfile.read(io.BytesIO(data))[0]) for data in files] == [96_000, 96_000]


def pages_of(data: bytes) -> Iterator[live_ogg.Page]:
    """The pages, whose checksums are right."""
    while data and (page := live_ogg.page_of(data)) is not None:
        yield page
        data = data[page.length:]
    assert not data


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg", "opus", "m4a"])
def test_tags_are_carried_over(ending, tmp_path):
    if ending == "m4a":
        pytest.importorskip("av")
    source, plain = tmp_path / f"a.{ending}", tmp_path / "plain.wav"
    plain.write_bytes(written("WAV", "PCM_16"))
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", plain, "-metadata", "title=Zwölf", "-metadata",
                    "artist=somebody", source], check=True)
    samples = codec.decode(source.read_bytes())
    target = tmp_path / f"b.{ending}"
    target.write_bytes(codec.encode(samples))
    read = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", target],
                          capture_output=True, text=True, check=True).stdout
    assert "Zwölf" in read and "somebody" in read
    assert abs(len(codec.decode(target.read_bytes()).samples) - len(samples.samples)) <= 1024


def test_cover_art_of_flac_stays(tmp_path):
    data = written("FLAC", "PCM_16")
    picture = b"\0\0\0\3" + b"\0\0\0\x09image/png" + bytes(20) + b"\0\0\0\4\x89PNG"
    at = 4 + 4 + 34
    data = data[:at] + bytes([6]) + len(picture).to_bytes(3, "big") + picture + data[at:]
    assert picture in codec.encode(codec.decode(data))


def with_cover(ending: str, cover: bytes, folder: Path) -> Path:
    """Three seconds of sound with a title and a cover, made by FFmpeg."""
    (folder / "plain.wav").write_bytes(written("WAV", "PCM_16", sounds.music(3)))
    (folder / "cover.jpg").write_bytes(cover)
    source, more = folder / f"source.{ending}", ["-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic"]
    inputs, head = ["-i", folder / "plain.wav", "-i", folder / "cover.jpg"], ["-metadata", "title=Zwölf"]
    if ending in ("ogg", "opus"):  # FFmpeg puts no picture in there; as a comment it does
        block = struct.pack(">II10s6I", 3, 10, b"image/jpeg", 0, 64, 64, 24, 0, len(cover)) + cover
        text = base64.b64encode(block).decode().replace("=", "\\=")
        (folder / "tags.txt").write_text(f";FFMETADATA1\ntitle=Zwölf\nMETADATA_BLOCK_PICTURE={text}\n", "utf-8")
        inputs, head, more = ["-i", folder / "plain.wav", "-i", folder / "tags.txt"], ["-map_metadata", "1"], []
    subprocess.run(["ffmpeg", "-loglevel", "error", *inputs, "-map", "0:a", *more, *head, source], check=True)
    return source


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize("ending", ["flac", "mp3", "ogg", "opus", "m4a"])
def test_cover_art_stays_when_the_sound_is_labelled(ending, tmp_path):
    """Read by FFmpeg, and by ExifTool where it is there."""
    if ending == "m4a":
        pytest.importorskip("av")
    cover = saved(photo(64, 64), "JPEG")
    source, target = with_cover(ending, cover, tmp_path), tmp_path / f"out.{ending}"
    label = labelkit.Label(labelkit.Kind.GENERATED, "001191440300708461136T1XGW3", "1")
    labelkit.embed(source, target, label, plan=labelkit.Plan(watermark=labelkit.Watermark(presence_only=True)))
    for path in (source, target):
        words = ["ffmpeg", "-loglevel", "error", "-i", path, "-map", "0:v", "-c", "copy", "-f", "image2pipe", "-"]
        assert subprocess.run(words, capture_output=True, check=True).stdout == cover
    if shutil.which("exiftool"):
        tag = "-CoverArt" if ending == "m4a" else "-Picture"
        assert subprocess.run(["exiftool", "-b", tag, target], capture_output=True, check=True).stdout == cover
    report = labelkit.verify(target)
    assert report[labelkit.Layer.METADATA].status is report[labelkit.Layer.EXPLICIT].status is labelkit.Status.VALID


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
def test_the_gapless_count_of_the_old_encoding_does_not_stay(tmp_path):
    """iTunSMPB counts samples that are no longer these; other tags of its form stay."""
    pytest.importorskip("av")
    source = bytearray(with_cover("m4a", saved(photo(64, 64), "JPEG"), tmp_path).read_bytes())
    tags = b"".join(bmff.encode(b"----", b"".join(bmff.encode(kind, bytes(4) + body) for kind, body in (
        (b"mean", b"com.apple.iTunes"), (b"name", name), (b"data", bytes(4) + b" 00000000 00000840")))
    ) for name in (b"iTunSMPB", b"MOOD"))
    at = source.index(b"ilst")
    end = at - 4 + int.from_bytes(source[at - 4 : at], "big")
    source[end:end] = tags
    for kind in (b"moov", b"udta", b"meta", b"ilst"):  # moov lies behind the sound, so that no offset moves
        at = source.rindex(kind) - 4
        source[at : at + 4] = (int.from_bytes(source[at : at + 4], "big") + len(tags)).to_bytes(4, "big")
    encoded = codec.encode(codec.decode(bytes(source)))
    assert b"iTunSMPB" in source and b"iTunSMPB" not in encoded and b"MOOD" in encoded
    assert len(codec.decode(encoded).samples) == len(codec.decode(bytes(source)).samples)


def test_mono_stays_mono():
    data = written("WAV", "PCM_16", sounds.music(3)[:, 0])
    samples = codec.decode(data)
    assert samples.samples.shape[1] == 1
    assert soundfile.info(io.BytesIO(codec.encode(samples))).channels == 1


def of_no_length(data: bytes) -> bytes:
    """A FLAC as a pipe takes it: its head does not say how many samples follow."""
    return data[:21] + bytes([data[21] & 0xF0, 0, 0, 0, 0]) + data[26:]


def test_flac_of_no_stated_length_is_read_to_its_end():
    data = written("FLAC", "PCM_16")
    samples = codec.decode(of_no_length(data))
    assert np.array_equal(samples.samples, codec.decode(data).samples)
    again = codec.decode(codec.encode(samples))
    assert len(again.samples) == len(samples.samples)
    with pytest.raises(MalformedFile):
        codec.decode(of_no_length(data[: len(data) // 2]))


@pytest.mark.parametrize("data", [written("WAV", "PCM_16"), of_no_length(written("FLAC", "PCM_16"))])
def test_too_much_sound_is_refused(data):
    with pytest.raises(LimitExceeded):
        codec.decode(data, max_pixels=1000)


@pytest.mark.parametrize("format, subtype", [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
                                             ("MP3", "MPEG_LAYER_III")])
def test_broken_bytes_give_errors_of_our_own(format, subtype):
    data = bytearray(written(format, subtype, sounds.music(1)))
    random = np.random.default_rng(1)
    for trial in range(60):
        broken = bytearray(data[: int(random.integers(20, len(data)))] if trial % 2 else data)
        for _ in range(int(random.integers(1, 20))):
            broken[int(random.integers(4, min(len(broken), 400)))] = int(random.integers(256))
        try:
            samples = codec.decode(bytes(broken))
            assert isinstance(samples, AudioSamples)
            codec.encode(samples)
        except LabelkitError:
            pass


@pytest.mark.parametrize("rate, to", [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000), (8_000, 16_000),
                                      (192_000, 16_000), (12_345, 16_000)])
def test_resampler_keeps_a_tone_in_place_however_the_stream_is_cut(rate, to):
    n = rate // 2
    x = np.sin(2 * np.pi * 1000 * np.arange(n) / rate).astype(np.float32)[None]
    whole = Resampler(rate, to, 1).push(x)
    wanted = np.sin(2 * np.pi * 1000 * np.arange(whole.shape[1]) / to)
    assert np.abs(whole[0] - wanted)[200:-200].max() < 0.01
    random, parts, at, cut = np.random.default_rng(rate), [], 0, Resampler(rate, to, 1)
    while at < n:
        step = int(random.integers(1, 999))
        parts.append(cut.push(x[:, at : at + step]))
        at += step
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_resampler_stops_what_would_fold_back():
    """The negative twin: a tone above half the lower rate does not come through."""
    x = np.sin(2 * np.pi * 10_000 * np.arange(24_000) / 48_000).astype(np.float32)[None]
    assert np.abs(Resampler(48_000, 16_000, 1).push(x)[0, 100:-100]).max() < 0.01


@pytest.mark.parametrize("name", ["vorbis_q3"])
def test_attacks_and_codec_agree_on_decoding(name):
    x = sounds.music(2)
    y, _ = audio_attacks.apply(name, x, RATE)
    assert y.shape == x.shape


def stated(rate: int) -> bytes:
    """A WAV whose head states a rate, whatever it was made with."""
    data = written("WAV", "PCM_16", sounds.noise(4, 8_000))
    return data[:24] + struct.pack("<I", rate) + data[28:]


@pytest.mark.parametrize("rate", [1, 9, 999, 768_001, (1 << 31) - 1])
def test_a_rate_that_no_sound_has_is_a_reason_not_a_crash(rate):
    data = stated(rate)
    with pytest.raises(UnsupportedFormat, match="Hz"):
        labelkit.embed(data, label=LABEL, plan=labelkit.Plan(watermark=None))
    report = labelkit.verify(data)
    assert report[labelkit.Layer.METADATA].status is labelkit.Status.ABSENT  # looked at all the same
    for layer in (labelkit.Layer.EXPLICIT, labelkit.Layer.WATERMARK):
        assert report[layer].status is labelkit.Status.UNCHECKED


@pytest.mark.parametrize("rate", [4_000, 384_000])
def test_a_rate_that_the_watermark_does_not_take_leaves_the_other_layers(rate):
    labelled = labelkit.embed(stated(rate), label=LABEL, plan=labelkit.Plan(watermark=None))
    report = labelkit.verify(labelled)
    assert report[labelkit.Layer.WATERMARK].status is labelkit.Status.UNCHECKED
    assert report[labelkit.Layer.METADATA].status is labelkit.Status.VALID
    assert report[labelkit.Layer.EXPLICIT].status is not labelkit.Status.UNCHECKED
    with pytest.raises(LabelkitError, match="Hz"):
        labelkit.embed(stated(rate), label=LABEL)


def chunks(data: bytes) -> list[bytes]:
    """The names of the chunks of a WAV, in order."""
    start, found = 12, []
    while start + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, start)
        found.append(kind)
        start += 8 + length + length % 2
    return found


def aac(channels: int, seconds: float) -> bytes:
    """An ADTS stream, which can be joined to another."""
    return sounds.encoded(sounds.music(seconds, RATE)[:, :channels], RATE, "adts", "aac")


@pytest.mark.parametrize("seconds", [1, 1.5, 3], ids=["within a block", "about a block", "after a block"])
@pytest.mark.parametrize("first, then", [(1, 2), (2, 1)])
def test_sound_that_changes_its_channels_is_refused(first, then, seconds):
    one = aac(first, seconds)
    with pytest.raises(MalformedFile, match=f"goes on with {then} channels instead of {first}"):
        codec.decode(one + aac(then, 1))
    joined = codec.decode(one + aac(first, 1)).whole().samples
    assert joined.shape[1] == first and abs(len(joined) - (seconds + 1) * RATE) < 8 * 1024 and np.abs(joined).max() < 2


@pytest.mark.parametrize("format", ["WAV", "WAVEX"])
@pytest.mark.parametrize("watermark", [labelkit.Watermark(), None], ids=["marked", "explicit alone"])
def test_the_label_of_a_wav_that_is_written_anew_stands_before_the_sound(format, watermark):
    plan = labelkit.Plan(watermark=watermark)
    once = labelkit.embed(written(format, "PCM_16", sounds.music(12)), label=LABEL, plan=plan)
    again = labelkit.embed(once, label=LABEL, plan=plan)
    for out in (once, again):
        assert chunks(out).count(b"AIGC") == 1 and chunks(out).index(b"AIGC") < chunks(out).index(b"data")
        assert labelkit.verify(out)[labelkit.Layer.METADATA].label == LABEL
    fresh = labelkit.embed(sounds.music(12), label=LABEL, rate=RATE, format="wav", plan=plan)
    assert chunks(fresh).index(b"AIGC") < chunks(fresh).index(b"data")


def test_the_label_of_a_wav_whose_sound_stays_stands_behind_it():
    source = written("WAV", "PCM_16")
    out = labelkit.embed(source, label=LABEL, plan=labelkit.Plan(explicit=None, watermark=None))
    assert chunks(out)[-1] == b"AIGC" and out.index(b"data") == source.index(b"data")


def test_chunks_of_a_wav_stay_on_their_side_of_the_sound():
    source = written("WAV", "PCM_16", sounds.music(12))
    place = source.index(b"data")
    source = source[:place] + b"bext" + struct.pack("<I", 10) + b"described." + source[place:] + b"cue " + struct.pack(
        "<II", 4, 0)
    source = source[:4] + struct.pack("<I", len(source) - 8) + source[8:]
    names = chunks(labelkit.embed(source, label=LABEL))
    assert names.index(b"bext") < names.index(b"AIGC") < names.index(b"data") < names.index(b"cue ")
