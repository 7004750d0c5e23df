# SPDX-License-Identifier: Apache-2.0
"""AIFF and AAC with every layer: their sound is encoded again as what it was, and what else they hold stays.

JPEG XL and JPEG 2000 beside them, whose pixels are not written.
"""

import io
import struct

import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit import metadata
from labelkit.container import aiff, id3
from labelkit.container.base import Reader
from labelkit.errors import InvalidArgument, UnsupportedFormat
from tests import files
from tests.files import LABEL
from tests.metadata.test_formats import jxl
from tests.sounds import speech

SPOKEN = speech(12)


def chunked(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    added = b"".join(kind + struct.pack(">I", len(body)) + body + bytes(len(body) & 1) for kind, body in chunks)
    return data[:4] + struct.pack(">I", len(data) - 8 + len(added)) + data[8:] + added


def spoken(subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, SPOKEN, 16_000, format="AIFF", subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize("subtype", ["PCM_24"])
def test_an_aiff_gets_every_layer_and_keeps_what_it_holds(subtype):
    tag = b"ID3\3\0\0\0\0\0\x11TIT2\0\0\0\7\0\0\0a song"
    marks = struct.pack(">HHI4s", 1, 7, 1000, b"\3abc")
    host = chunked(spoken(subtype), (b"NAME", b"a name"), (b"MARK", marks), (b"ID3 ", tag))
    assert lk.verify(host).verdict is not lk.Verdict.CONFIRMED
    out = lk.embed(host, label=LABEL)
    report = lk.verify(out)
    assert report.verdict is lk.Verdict.CONFIRMED
    for layer in (lk.Layer.WATERMARK, lk.Layer.EXPLICIT, lk.Layer.METADATA):
        assert report[layer].status is lk.Status.VALID
    with soundfile.SoundFile(io.BytesIO(out)) as made:
        assert (made.format, made.subtype, made.samplerate) == ("AIFF", subtype, 16_000)
        longer = made.frames - len(SPOKEN)
    held = {one.kind: out[one.body:one.stop] for one in aiff.chunks(Reader.of(out))}
    assert held[b"NAME"] == b"a name" and b"a song" in held[b"ID3 "]
    assert longer > 0 and struct.unpack(">HHI", held[b"MARK"][:8]) == (1, 7, 1000 + longer), "the mark moves along"


TAG = b"ID3\3\0\0\0\0\0\x11TIT2\0\0\0\7\0\0\0a song"


@pytest.mark.parametrize("last", [(), ((b"NAME", b"odd"),), ((b"ID3 ", TAG),)])
def test_the_same_label_once_more_changes_no_byte_of_an_aiff(last):
    plan = lk.Plan(explicit=None, watermark=None)
    once = lk.embed(chunked(files.sound("AIFF", "PCM_24"), *last), label=LABEL, plan=plan)
    assert lk.embed(once, label=LABEL, plan=plan) == once
    assert lk.embed(once, label=files.OTHER, plan=plan, replace=True) != once


def test_an_aac_gets_every_layer_and_its_tags():
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="adts") as file:
        stream = file.add_stream("aac", rate=16_000, layout="mono")
        stream.bit_rate = 96_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(SPOKEN.reshape(1, -1)), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    host = b"ID3\3\0\0\0\0\0\x11TIT2\0\0\0\7\0\0\0a song" + out.getvalue()
    made = lk.embed(host, label=LABEL)
    report = lk.verify(made)
    assert all(report[layer].status is lk.Status.VALID for layer in
               (lk.Layer.WATERMARK, lk.Layer.EXPLICIT, lk.Layer.METADATA))
    assert b"a song" in made[:4096] and files.packets(made)
    assert lk.verify(host).verdict is not lk.Verdict.CONFIRMED


def test_a_jpeg_xl_with_a_manifest_is_not_labelled_without_a_signer():
    manifest = struct.pack(">I4sI4s16sB5s", 38, b"jumb", 30, b"jumd", b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71", 3,
                           b"c2pa\0")
    plan = lk.Plan(explicit=None, watermark=None)
    assert metadata.read(lk.embed(jxl(), label=LABEL, plan=plan)).label == LABEL
    with pytest.raises(InvalidArgument, match="C2PA manifest"):
        lk.embed(jxl(manifest), label=LABEL, plan=plan)


def test_a_jpeg_2000_gets_metadata_and_says_that_its_pixels_are_not_written():
    host = files.picture("JPEG2000")
    with pytest.raises(UnsupportedFormat, match="jp2"):
        lk.embed(host, label=LABEL, plan=lk.Plan(watermark=None))
    assert metadata.read(metadata.write(host, LABEL)).label == LABEL


@pytest.mark.parametrize("room", [0, 400, 401])
def test_two_tags_in_one_chunk_of_an_aiff_are_both_written(room):
    frame = id3.text_frame(3, b'{"Label":"1","ContentProducer":"another"}')
    tag = b"ID3\3\0\0\0\0" + bytes([(len(frame) + room) >> 7, (len(frame) + room) & 127]) + frame + bytes(room)
    host = chunked(spoken("PCM_16"), (b"ID3 ", tag + tag), (b"NAME", b"a name"))
    out = metadata.write(host, LABEL)
    assert metadata.read(out).label == LABEL and b"another" not in out
    held = aiff.chunks(Reader.of(out))
    assert [one.kind for one in held][-2:] == [b"ID3 ", b"NAME"] and len(out) - 8 == int.from_bytes(out[4:8], "big")
    assert metadata.read(chunked(spoken("PCM_16"), (b"NAME", b"a name"))).status is lk.Status.ABSENT
