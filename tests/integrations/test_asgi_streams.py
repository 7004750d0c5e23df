# SPDX-License-Identifier: Apache-2.0
"""Sound that an ASGI app streams leaves labelled, chunk by chunk."""

from __future__ import annotations

import asyncio
import base64
import collections
import gc
import hashlib
import io
import itertools
import runpy
import struct
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit.errors import InvalidArgument, MalformedFile
from labelkit.integrations.asgi import LabelResponses
from labelkit.log import LabelLog
from tests.integrations.test_asgi import aborted, answer, ask, call
from tests.sounds import speech, wave_bytes

RATE = 24_000
SOUND = (speech(5.0, RATE) * 20_000).astype("<i2")
EXPLICIT, WATERMARK, METADATA = lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA
NUMBERS = itertools.count()


def new_label(scope) -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(NUMBERS):06}")


def head(rate: int = RATE, size: int = 0xFFFFFFFF, kind: int = 1, bits: int = 16, extra: bytes = b"") -> bytes:
    """The head of a WAV as streaming servers send it."""
    return (struct.pack("<4sI4s4sIHHIIHH", b"RIFF", size, b"WAVE", b"fmt ", 16, kind, 1, rate, rate * bits // 8,
                        bits // 8, bits) + extra + struct.pack("<4sI", b"data", size))


WAV = head() + SOUND.tobytes()


def bare(body: bytes) -> np.ndarray:
    return np.frombuffer(body, "<i2")


@pytest.mark.parametrize("chunks", [2, 9, 211])
def test_a_streamed_wav_leaves_with_the_label_first_and_every_layer_a_stream_can_have(chunks):
    counts = collections.Counter()
    app = LabelResponses(answer(WAV, "audio/wav", chunks=chunks), label=new_label, counts=counts)
    status, headers, body = ask(app)
    report = lk.verify(body)
    assert status == 200 and b"content-length" not in headers and headers[b"accept-ranges"] == b"none"
    assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
    assert report.explicit.heard[0].start_s < 1 and counts == {"labelled": 1}
    samples, rate = soundfile.read(io.BytesIO(body[:body.index(b"data") + 8].replace(b"\xff" * 4, struct.pack(
        "<I", 0x7FFFFFFF)) + body[body.index(b"data") + 8:]), dtype="int16")  # an independent reader
    assert rate == RATE and len(samples) > len(SOUND) + RATE
    assert {one.status for one in lk.verify(WAV)} == {lk.Status.ABSENT}
    wrong = lk.verify(body, key=lk.Key(b"another key of some length......"), layers=[WATERMARK])
    assert wrong[WATERMARK].status is lk.Status.ABSENT


def test_chunks_leave_as_they_come_and_the_label_with_the_first():
    seen = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"audio/wav")]})
        for start in range(0, len(WAV), 4800):
            await send({"type": "http.response.body", "body": WAV[start:start + 4800], "more_body": True})
            seen.append(sum(len(one.get("body", b"")) for one in sent) - start - 4800)
        await send({"type": "http.response.body"})

    sent: list[dict] = []

    async def send(event):
        sent.append(dict(event))

    async def main():
        await LabelResponses(app, label=new_label)({"type": "http", "method": "GET", "path": "/"}, None, send)

    asyncio.run(main())
    lag = int(0.08 * RATE) * 2
    total = sum(len(one.get("body", b"")) for one in sent) - len(WAV)
    assert all(total - lag <= ahead <= total for ahead in seen[:-1])  # the label, less the marker's lag


@pytest.mark.parametrize("type, dtype", [("audio/L16;rate=24000", ">i2"), ("audio/pcm; rate=24000; channels=1", "<i2"),
                                         ("audio/pcm", "<i2")])
def test_bare_samples_leave_labelled(type, dtype):
    app = LabelResponses(answer(SOUND.astype(dtype).tobytes(), type, chunks=7), label=new_label, pcm=(RATE, 1))
    status, _, body = ask(app)
    report = lk.verify(np.frombuffer(body, dtype).astype(np.int16), rate=RATE)
    assert status == 200 and report[EXPLICIT].status is report[WATERMARK].status is lk.Status.VALID
    assert lk.verify(SOUND, rate=RATE)[WATERMARK].status is lk.Status.ABSENT


def test_samples_of_an_unknown_rate_are_refused_or_pass_by_choice():
    app = answer(SOUND.tobytes(), "audio/pcm", chunks=3)
    status, _, body = ask(LabelResponses(app, label=new_label))
    assert status == 500 and b"rate" in body
    counts = collections.Counter()
    status, _, body = ask(LabelResponses(app, label=new_label, fail_open=True, counts=counts))
    assert status == 200 and body == SOUND.tobytes() and counts == {"unlabelled": 1}


def test_float_wavs_and_chunks_behind_the_sound():
    floats = (SOUND / np.float32(32768)).astype("<f4").tobytes()
    streamed = head(kind=3, bits=32) + floats
    assert lk.verify(ask(LabelResponses(answer(streamed, "audio/x-wav", chunks=5), label=new_label))[2])[
        WATERMARK].status is lk.Status.VALID
    data = SOUND.tobytes()
    told = head()[:-4] + struct.pack("<I", len(data)) + data + b"LIST\x04\0\0\0INFO"
    _, _, body = ask(LabelResponses(answer(told, "audio/wav", chunks=6), label=new_label))
    assert b"LIST" not in body and lk.verify(body)[WATERMARK].status is lk.Status.VALID


@pytest.mark.parametrize("how", ["signer", "length", "samples", "middle"])
def test_what_cannot_be_labelled_under_way_is_held_until_it_is_whole(how, signer):
    whole = wave_bytes(SOUND / 32768, RATE)
    settings: dict = {"signer": {"signer": signer}, "length": {}, "samples": {},
                      "middle": {"plan": lk.Plan(explicit=lk.Explicit(place="middle"))}}[how]
    headers = [(b"content-length", b"%d" % len(whole))] if how == "length" else []
    if how == "samples":
        out = io.BytesIO()
        soundfile.write(out, SOUND, RATE, format="WAV", subtype="PCM_24")
        whole = out.getvalue()
    app = LabelResponses(answer(whole, "audio/wav", headers=headers, chunks=5), label=new_label, **settings)
    status, made, body = ask(app)
    assert status == 200 and int(made[b"content-length"]) == len(body)
    assert lk.verify(body).verdict is lk.Verdict.CONFIRMED


def test_a_stream_is_recorded_before_it_leaves_and_with_its_hash_at_the_end(tmp_path):
    with LabelLog(tmp_path / "log.db") as log:
        recorded = []

        async def send(event):
            if event.get("body") and not recorded:
                recorded.extend(log.find(produce_id=label.produce_id))
            sent.append(event)

        sent: list[dict] = []
        label = lk.Label(lk.Kind.GENERATED, "acme", "000123")
        app = LabelResponses(answer(WAV, "audio/wav", chunks=5), label=lambda scope: label, log=log)
        asyncio.run(app({"type": "http", "method": "GET", "path": "/"}, None, send))
        body = b"".join(event.get("body", b"") for event in sent)
        found = log.find(payload=lk.verify(body)[WATERMARK].payload)
        assert log.verify().intact
    assert len(recorded) == 1 and recorded[0].label == label and recorded[0].facts["sha256_after"] is None
    assert {one.facts.get("sha256_after") for one in found} == {None, hashlib.sha256(body).hexdigest()}


def test_a_log_that_fails_lets_no_byte_leave(tmp_path):
    log = LabelLog(tmp_path / "log.db")
    log.record = None  # as a database that is gone
    sent: list[dict] = []

    async def send(event):
        sent.append(event)

    app = LabelResponses(answer(WAV, "audio/wav", chunks=5), label=new_label, log=log)
    with pytest.raises(TypeError):
        asyncio.run(app({"type": "http", "method": "GET", "path": "/"}, None, send))
    log.close()
    assert sent == []


def test_sound_that_ends_inside_a_sample_has_no_end():
    for chunks in (7, 2):
        app = LabelResponses(answer(WAV[:-1], "audio/wav", chunks=chunks), label=new_label)
        with pytest.raises(MalformedFile):
            asyncio.run(call(app))
    app = LabelResponses(answer(b"\0", "audio/pcm;rate=24000"), label=new_label)
    with pytest.raises(MalformedFile):
        asyncio.run(call(app))


def test_sound_that_can_carry_no_mark_is_counted():
    counts = collections.Counter()
    quiet = head() + bytes(2 * 9 * RATE)
    _, _, body = ask(LabelResponses(answer(quiet, "audio/wav", chunks=5), label=new_label, counts=counts))
    assert counts == {"labelled": 1, "without watermark": 1} and lk.verify(body)[METADATA].status is lk.Status.VALID


@pytest.mark.parametrize("body", [b"no WAV at all", head()[:30], b"", b"RIFF\0\0\0\0WAVEdata\0\0\0\0" + bytes(90)])
def test_what_is_no_wav_is_refused(body):
    assert ask(LabelResponses(answer(body, "audio/wav", chunks=4), label=new_label))[0] == 500


def test_aborted_streams_leave_no_unlabelled_byte_and_nothing_behind():
    """What had left until then begins with the label."""
    kept, behind = aborted(LabelResponses(answer(WAV, "audio/wav", chunks=50), label=new_label),
                           [number * 20_000 for number in range(8)])
    assert behind == 0
    gc.collect()
    for left in kept:
        body = bare(left[left.index(b"data") + 8:][: len(left) // 2 * 2 - 1000])
        assert b"AIGC" in left[:200] and np.abs(body[:RATE // 2]).max() > 0
    assert lk.verify(bare(kept[-1][kept[-1].index(b"data") + 8:]), rate=RATE)[EXPLICIT].status is lk.Status.VALID


def test_the_example_answers_labelled_pictures_and_sound():
    program = runpy.run_path(str(Path(lk.__file__).parents[1] / "examples" / "labelled_server.py"))

    async def main() -> tuple[bytes, bytes, dict]:
        transport = httpx.ASGITransport(program["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            made = (await client.post("/v1/images/generations")).json()["data"][0]["b64_json"]
            heard = await client.get("/v1/audio/speech")
            return base64.b64decode(made), heard.content, (await client.get("/metrics")).json()

    picture, sound, counts = asyncio.run(main())
    for made, plain in ((picture, program["picture"]()), (sound, b"".join(program["voice"](5)))):
        report = lk.verify(made)
        assert {report[layer].status for layer in (EXPLICIT, WATERMARK, METADATA)} == {lk.Status.VALID}
        assert lk.verify(plain).verdict is lk.Verdict.NONE
    assert counts == {"labelled": 2}


def test_labels_that_fail_send_nothing():
    def fail(scope):
        raise RuntimeError("no number")

    sent: list[dict] = []

    async def send(event):
        sent.append(event)

    app = LabelResponses(answer(WAV, "audio/wav", chunks=5), label=fail)
    with pytest.raises(RuntimeError):
        asyncio.run(app({"type": "http", "method": "GET", "path": "/"}, None, send))
    assert sent == []
    with pytest.raises(InvalidArgument):
        LabelResponses(app, label="no function")
