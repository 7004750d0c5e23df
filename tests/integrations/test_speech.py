# SPDX-License-Identifier: Apache-2.0
"""Speech labelled in the model (a fake of Chatterbox's shape), where it is written, and while it streams."""

from __future__ import annotations

import asyncio
import io
import itertools
import runpy
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit.errors import InvalidArgument, WatermarkLeftOut
from labelkit.integrations.speech import Watermarker, save, stream, write
from tests.codec.test_live import read_by_ffmpeg
from tests.sounds import speech
from tests.test_tensors import Tensor

RATE = 24_000
VOICE = (0.5 * speech(5.0, RATE)).astype(np.float32)
EXPLICIT, WATERMARK, METADATA = lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA
LABEL = lk.Label(lk.Kind.GENERATED, "acme", "000001")
OTHER = lk.Key(b"another key of some length......")
NUMBERS = itertools.count()


def new_label() -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


class Chatterbox:
    """As ChatterboxTTS ends: float32 of the model, through the watermarker, as [1, frames]."""

    sr = RATE

    def __init__(self, watermarker) -> None:
        self.watermarker = watermarker

    def generate(self, seconds: float) -> np.ndarray:
        wav = VOICE[:int(seconds * RATE)]
        return self.watermarker.apply_watermark(wav, sample_rate=self.sr)[None]


async def voice(chunk: int = 4_800, form=lambda part: part):
    for start in range(0, len(VOICE), chunk):
        yield form(VOICE[start:start + chunk])


def gathered(pieces) -> bytes:
    async def main() -> bytes:
        return b"".join([piece async for piece in pieces])
    return asyncio.run(main())


def pcm(part: np.ndarray) -> bytes:
    return np.rint(part * 32767).astype("<i2").tobytes()


def test_chatterbox_speaks_labelled():
    watermarker = Watermarker(new_label)
    made = Chatterbox(watermarker).generate(5.0)
    report = lk.verify(made, rate=RATE)
    assert made.dtype == np.float32 and made.shape[0] == 1 and made.shape[1] > len(VOICE)
    assert report[EXPLICIT].status is lk.Status.VALID
    assert report[WATERMARK].payload == lk.Payload.of(watermarker.label)
    assert watermarker.get_watermark(made[0], sample_rate=RATE).tolist() == [1.0]
    assert watermarker.get_watermark(VOICE, sample_rate=RATE).tolist() == [0.0]
    assert Watermarker(new_label, key=OTHER).get_watermark(made[0], sample_rate=RATE).tolist() == [0.0]


def test_an_utterance_too_short_for_a_mark_is_labelled_and_said_to_be():
    plan = lk.Plan(explicit=None, watermark=lk.Watermark(required=False))
    with pytest.raises(lk.LabelkitError):
        Chatterbox(Watermarker(new_label, plan=lk.Plan(explicit=None))).generate(0.4)
    with pytest.raises(lk.LabelkitError):
        Chatterbox(Watermarker(new_label, plan=plan)).generate(0.4)  # nothing would be left to label it with
    silent = Watermarker(new_label)
    with pytest.warns(WatermarkLeftOut):
        made = silent.apply_watermark(np.zeros(RATE // 5, np.float32), sample_rate=RATE)
    assert lk.verify(made, rate=RATE)[EXPLICIT].status is lk.Status.VALID
    with pytest.raises(InvalidArgument):
        Watermarker(LABEL)


@pytest.mark.parametrize("name, how", [("a.wav", {}), ("a.wav", {"subtype": "PCM_24"}), ("a.flac", {}), ("a.ogg", {}),
                                       ("a.mp3", {}), ("a.opus", {})])
def test_the_twin_of_soundfile_write_writes_every_layer(tmp_path, name, how):
    assert write(tmp_path / name, VOICE, RATE, **how, label=LABEL) is None
    report = lk.verify(tmp_path / name)
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
    assert report[WATERMARK].payload == lk.Payload.of(LABEL)
    told = soundfile.info(tmp_path / name)
    assert told.samplerate in (RATE, 48_000) and told.subtype == how.get("subtype", told.subtype)
    soundfile.write(tmp_path / "plain.wav", VOICE, RATE)
    assert lk.verify(tmp_path / "plain.wav").verdict is lk.Verdict.NONE


def test_write_takes_files_and_signs(signer, anchors):
    out = io.BytesIO()
    write(out, np.stack([VOICE, VOICE], 1), RATE, format="WAV", label=LABEL, plan=lk.Plan(provenance=signer))
    report = lk.verify(out.getvalue(), trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID}
    with pytest.raises(InvalidArgument, match="no ending"):
        write(io.BytesIO(), VOICE, RATE, label=LABEL)


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    for name, how in [("a.wav", {"subtype": "VORBIS"}), ("a.xyz", {})]:
        with pytest.raises(InvalidArgument, match="soundfile does not write"):
            write(tmp_path / name, VOICE, RATE, **how, label=LABEL)
    with pytest.raises(lk.LabelkitError):
        write(tmp_path / "a.wav", VOICE[:2000], RATE, label=LABEL, plan=lk.Plan(explicit=None))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how, subtype", [({}, "PCM_16"), ({"bits_per_sample": 24}, "PCM_24"),
                                          ({"encoding": "PCM_F"}, "FLOAT")])
def test_the_twin_of_torchaudio_save_takes_tensors(tmp_path, how, subtype):
    save(tmp_path / "a.wav", Tensor(VOICE[None]), RATE, **how, label=LABEL)
    assert soundfile.info(tmp_path / "a.wav").subtype == subtype
    assert lk.verify(tmp_path / "a.wav").verdict is lk.Verdict.CONFIRMED
    save(tmp_path / "b.wav", np.stack([VOICE, VOICE], 1), RATE, channels_first=False, label=LABEL)
    assert soundfile.info(tmp_path / "b.wav").channels == 2
    with pytest.raises(InvalidArgument, match="an encoding is"):
        save(tmp_path / "c.wav", VOICE[None], RATE, encoding="ULAW", label=LABEL)


@pytest.mark.parametrize("form", [pcm, lambda part: part, lambda part: part[None].astype(np.float64), Tensor,
                                  lambda part: np.rint(part * 32767).astype(np.int16)])
def test_chunks_of_every_kind_stream_labelled(form):
    made = gathered(stream(voice(form=form), LABEL, RATE))
    report = lk.verify(made)
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
    assert lk.verify(made, key=OTHER, layers=[WATERMARK])[WATERMARK].status is lk.Status.ABSENT


def test_the_label_leaves_before_the_first_chunk_is_asked_for():
    asked = []

    async def slow():
        asked.append(True)
        yield VOICE

    async def main() -> bytes:
        pieces = stream(slow(), LABEL, RATE, format="pcm")
        first = await anext(pieces)
        assert not asked
        await pieces.aclose()
        return first

    first = np.frombuffer(asyncio.run(main()), "<i2")
    assert len(first) > RATE and np.abs(first).max() > 300


def test_bare_pcm_is_longer_by_the_label_alone_and_the_chunks_do_not_matter():
    one, other = (gathered(stream(voice(chunk), LABEL, RATE, format="pcm")) for chunk in (333, len(VOICE)))
    assert one == other
    label = len(gathered(stream(voice(), LABEL, RATE, format="pcm", plan=lk.Plan(watermark=None)))) - 2 * len(VOICE)
    assert len(one) == 2 * len(VOICE) + label
    bare = gathered(stream(voice(form=pcm), LABEL, RATE, format="pcm", plan=lk.Plan(explicit=None, watermark=None)))
    assert bare == pcm(VOICE)


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "ogg"])
def test_streams_are_encoded_as_they_come(format):
    asked = []

    async def slow():
        async for part in voice():
            asked.append(True)
            yield part

    async def main() -> tuple[bytes, list[bytes]]:
        pieces = stream(slow(), LABEL, RATE, format=format)
        first = await anext(pieces)
        assert not asked
        return first, [piece async for piece in pieces]

    first, rest = asyncio.run(main())
    made = first + b"".join(rest)
    assert len(rest) > (15 if format != "ogg" else 5)
    is_said = lk.verify(first, layers=[EXPLICIT])[EXPLICIT].status is lk.Status.VALID
    assert is_said or format == "ogg"  # whose pages wait until they are full
    report = lk.verify(made)
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
    assert lk.verify(made, key=OTHER, layers=[WATERMARK])[WATERMARK].status is lk.Status.ABSENT
    heard, rate = read_by_ffmpeg(made)
    assert 6.85 < len(heard) / rate < 7.1
    if format == "flac":
        return
    louder = gathered(stream(voice(form=pcm), LABEL, RATE, format=format, bitrate=96_000))
    assert len(louder) > 1.3 * len(made)


@pytest.mark.parametrize("how", [{"format": "m4a"}, {"format": "opus", "rate": 22_050},
                                 {"format": "opus", "bitrate": 1}, {"format": "mp3", "rate": 96_000},
                                 {"format": "mp3", "channels": 6}, {"format": "mp3", "bitrate": True}])
def test_formats_that_a_stream_cannot_have_are_refused(how):
    with pytest.raises(InvalidArgument):
        gathered(stream(voice(), LABEL, how.pop("rate", RATE), **how))


def test_what_cannot_be_streamed_is_refused(signer):
    for plan in (lk.Plan(provenance=signer), lk.Plan(explicit=lk.Explicit(place="middle"))):
        with pytest.raises(InvalidArgument, match="a stream has no"):
            gathered(stream(voice(), LABEL, RATE, plan=plan))
    for form in (lambda part: part * np.float32(np.nan), lambda part: part.astype(np.int32), lambda part: "text"):
        with pytest.raises(InvalidArgument):
            gathered(stream(voice(form=form), LABEL, RATE))


def test_a_label_at_the_end_comes_there():
    made = gathered(stream(voice(), LABEL, RATE, plan=lk.Plan(explicit=lk.Explicit(place="end"))))
    assert lk.verify(made).explicit.heard[0].start_s > 5


def test_the_example_speaks_labelled():
    app = runpy.run_path(str(Path(lk.__file__).parents[1] / "examples" / "speech_server.py"))["app"]

    async def main() -> bytes:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            words = "label all that you say, however much it may be"
            return (await client.get("/v1/audio/speech", params={"text": words})).content

    report = lk.verify(asyncio.run(main()))
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
