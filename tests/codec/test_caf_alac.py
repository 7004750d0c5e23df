# SPDX-License-Identifier: Apache-2.0
"""CAF, and ALAC in M4A, with every layer: lossless sound stays so, and what else the files hold stays."""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit import codec, container, metadata
from labelkit.container import caf
from labelkit.container.base import Reader
from labelkit.errors import LabelkitError, UnsupportedFormat
from tests import files
from tests.files import LABEL, OTHER
from tests.sounds import speech

SPOKEN = speech(12)
LAYERS = (lk.Layer.WATERMARK, lk.Layer.EXPLICIT, lk.Layer.METADATA)
METADATA = lk.Plan(explicit=None, watermark=None)


def sound(subtype: str = "PCM_16", samples: np.ndarray = SPOKEN) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, 16_000, format="CAF", subtype=subtype)
    return out.getvalue()


def texts(**pairs: str) -> bytes:
    held = b"".join(f"{key}\0{value}\0".encode() for key, value in pairs.items())
    return caf.chunk(b"info", struct.pack(">I", len(pairs)) + held)


def marker(at: float) -> bytes:
    return struct.pack(">IdI8xI", 0, at, 7, 0)


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    at = caf.sound_at(caf.chunks(Reader.of(data)), len(data))
    return data[:at] + b"".join(chunks) + data[at:]


def held(data: bytes) -> dict[bytes, bytes]:
    return {one.kind: data[one.body:one.stop] for one in caf.chunks(Reader.of(data))}


@pytest.mark.parametrize("subtype", ["PCM_24", "ALAC_16"])
def test_a_caf_gets_every_layer_and_keeps_what_it_holds(subtype):
    marks = caf.chunk(b"mark", struct.pack(">II", 0, 1) + marker(1000))
    regions = caf.chunk(b"regn", struct.pack(">IIIII", 0, 1, 5, 0, 2) + marker(0) + marker(2000))
    host = with_chunks(sound(subtype), texts(title="a song"), marks, regions)
    assert lk.verify(host).verdict is not lk.Verdict.CONFIRMED
    out = lk.embed(host, label=LABEL)
    report = lk.verify(out)
    assert [report[layer].status for layer in LAYERS] == [lk.Status.VALID] * 3
    with soundfile.SoundFile(io.BytesIO(out)) as made:
        assert (made.format, made.subtype, made.samplerate) == ("CAF", subtype, 16_000)
        longer = made.frames - len(SPOKEN)
    kept = held(out)
    assert longer > 0 and kept[b"mark"][8:] == marker(1000 + longer), "the mark moves along"
    assert kept[b"regn"][20:] == marker(0) + marker(2000 + longer)
    assert b"title\0a song\0AIGC\0" in kept[b"info"] and kept[b"info"][:4] == b"\0\0\0\2"


def test_ffprobe_and_mediainfo_read_the_label_and_the_sound_is_the_same(tmp_path):
    path = tmp_path / "a.caf"
    for host in (sound(samples=SPOKEN[:8000]), with_chunks(sound(samples=SPOKEN[:8000]), texts(title="x"))):
        path.write_bytes(metadata.write(host, LABEL))
        told = json.loads(files.tool("ffprobe", "-v", "error", "-show_format", "-of", "json", str(path)))
        assert told["format"]["tags"]["AIGC"] == LABEL.to_json()
        assert LABEL.to_json() in files.tool("mediainfo", "--Full", str(path))
        assert np.array_equal(soundfile.read(path)[0], soundfile.read(io.BytesIO(host))[0])
        assert held(path.read_bytes())[b"data"] == held(host)[b"data"]


def test_a_label_of_others_gives_way_and_a_second_one_changes_nothing():
    plain = sound(samples=SPOKEN[:8000])
    host = with_chunks(plain, texts(title="x", AIGC=OTHER.to_json(), comments="y"))
    assert metadata.read(plain).label is None and metadata.read(host).label == OTHER
    out = metadata.write(host, LABEL)
    assert metadata.read(out).label == LABEL and len(metadata.read(out).evidence.carriers) == 1
    assert held(out)[b"info"].startswith(b"\0\0\0\3title\0x\0") and b"comments\0y\0" in held(out)[b"info"]
    assert lk.embed(out, label=LABEL, plan=METADATA) == out
    assert container.media_type("a.CAF") == "audio/caf", "folder runs take it"
    unstated = plain[:plain.index(b"data") + 4] + struct.pack(">q", -1) + plain[plain.index(b"data") + 12:]
    assert metadata.read(metadata.write(unstated, LABEL)).label == LABEL


def test_broken_files_raise_only_our_errors():
    whole, dice = metadata.write(with_chunks(sound(samples=SPOKEN[:400]), texts(title="x")), LABEL), random.Random(3)
    for _ in range(400):
        data = bytearray(whole[:dice.randrange(8, len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(8, len(data))] = dice.choice((0, 1, 255, dice.randrange(256)))
        try:
            metadata.write(bytes(data), LABEL)
        except LabelkitError:
            pass


def in_m4a(form: str, samples: np.ndarray) -> bytes:
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="ipod") as file:
        file.metadata["title"] = "a song"
        stream = file.add_stream("alac", rate=16_000, layout="mono")
        stream.format = form
        for at in range(0, len(samples), 4096):
            part = samples[None, at:at + 4096]
            whole = (np.rint(part * 32767).astype(np.int16) if form == "s16p" else
                     np.rint(part * ((1 << 23) - 1)).astype(np.int32) << 8)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole), format=form, layout="mono")
            frame.sample_rate, frame.pts = 16_000, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("form, bits", [("s16p", "16"), ("s32p", "24")])
def test_alac_in_m4a_gets_every_layer_and_stays_lossless(form, bits, tmp_path):
    host = in_m4a(form, SPOKEN)
    samples = codec.decode(host)
    assert np.array_equal(samples.samples, codec.decode(codec.encode(samples)).samples)
    plan = lk.Plan() if form == "s16p" else lk.Plan(watermark=None)
    layers = LAYERS if form == "s16p" else LAYERS[1:]
    path = tmp_path / "a.m4a"
    path.write_bytes(lk.embed(host, label=LABEL, plan=plan))
    report = lk.verify(path, layers=layers)
    assert all(report[layer].status is lk.Status.VALID for layer in layers)
    told = json.loads(files.tool("ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)))
    assert (told["streams"][0]["codec_name"], told["streams"][0]["bits_per_raw_sample"]) == ("alac", bits)
    assert told["format"]["tags"]["title"] == "a song"
    assert lk.verify(host, layers=layers)[lk.Layer.EXPLICIT].status is lk.Status.ABSENT


def test_a_caf_of_another_codec_is_refused_and_takes_metadata(tmp_path):
    path = tmp_path / "a.caf"
    files.tool("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=4:r=16000", "-c:a", "adpcm_ima_qt", str(path))
    with pytest.raises(UnsupportedFormat, match="another codec than PCM and ALAC"):
        lk.embed(path, tmp_path / "out.caf", LABEL)
    assert not (tmp_path / "out.caf").exists()
    assert metadata.read(lk.embed(path.read_bytes(), label=LABEL, plan=METADATA)).label == LABEL


def by_ffmpeg(form: str, channels: int) -> bytes:
    """A CAF as FFmpeg writes it: the cookie of its ALAC is one that libsndfile does not take."""
    import av

    kind = np.int16 if form == "s16p" else np.int32
    whole = np.repeat((SPOKEN * np.iinfo(kind).max).astype(kind)[None], channels, axis=0)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    path = Path(tempfile.mkdtemp(), "a.caf")  # its muxer wants a file
    with av.open(str(path), "w", format="caf") as file:
        stream = file.add_stream("alac", rate=16_000, layout=layout)
        stream.codec_context.format = form
        for start in range(0, whole.shape[1], 4096):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole[:, start:start + 4096]), form, layout)
            frame.sample_rate, frame.pts = 16_000, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    data = path.read_bytes()
    shutil.rmtree(path.parent)
    return data


@pytest.mark.parametrize("form,channels,subtype", [("s16p", 1, "ALAC_16"), ("s32p", 2, "ALAC_24")])
def test_alac_in_caf_by_ffmpeg_gets_every_layer(form, channels, subtype):
    host = by_ffmpeg(form, channels)
    assert lk.verify(host).verdict is lk.Verdict.NONE
    out = lk.embed(host, label=LABEL)
    report = lk.verify(out)
    assert [report[layer].status for layer in LAYERS] == [lk.Status.VALID] * 3
    plain, _ = soundfile.read(io.BytesIO(lk.embed(host, label=LABEL, plan=lk.Plan(explicit=None))))
    whole = soundfile.info(io.BytesIO(out))
    assert (whole.subtype, whole.channels, len(plain)) == (subtype, channels, len(SPOKEN))
    assert np.abs(plain.reshape(len(plain), -1)[:, 0] - SPOKEN).max() < 0.1, "nothing is shifted"


def test_alac_of_six_channels_by_ffmpeg_is_refused_and_takes_metadata():
    host = by_ffmpeg("s16p", 6)
    with pytest.raises(UnsupportedFormat, match="ALAC of more than two channels"):
        lk.embed(host, label=LABEL)
    assert metadata.read(lk.embed(host, label=LABEL, plan=METADATA)).label == LABEL
