# SPDX-License-Identifier: Apache-2.0
"""Files are labelled in processes as `embed` labels them, within the same limits."""

from __future__ import annotations

import io
import json
import struct
import sys
import tempfile

import numpy as np
import pytest
import soundfile

import labelkit as lk
from labelkit import isolation
from labelkit.errors import HostTooSmall, LimitExceeded, MalformedFile
from labelkit.isolation import EmbedPool, Limits, Pool, wire
from labelkit.key import Key
from labelkit.log_recorder import fingerprint_of
from labelkit.messages import Message
from tests.films import film
from tests.media import LABEL, photo, saved

PATIENT = Limits(seconds=600, media_seconds=60, written_bytes=64 << 20)
PLAN = lk.Plan()


@pytest.fixture(scope="module")
def pool():
    with EmbedPool(1, PATIENT) as pool:
        yield pool


def sound(seconds: float, rate: int = 8000) -> bytes:
    held = io.BytesIO()
    soundfile.write(held, np.zeros(int(seconds * rate), np.float32), rate, format="FLAC")
    return held.getvalue()


def test_a_pool_labels_as_embed_does(pool):
    key, data = Key(bytes(32)), saved(photo(), "PNG")
    made = pool.embed(data, LABEL, PLAN, name="cat.png", key=key, fingerprint=True)
    assert made == (lk.embed(data, label=LABEL, key=key), None, None, fingerprint_of(made.file), None)
    assert pool.embed(data, LABEL, PLAN, key=key).fingerprint is None
    assert lk.verify(made.file, key=Key(bytes(31) + b"1"))[lk.Layer.WATERMARK].status is lk.Status.ABSENT


def test_a_manifest_without_a_place_in_the_file_comes_beside_it(pool, signer, anchors, tmp_path):
    plan = lk.Plan(provenance=signer)
    inside = pool.embed(saved(photo(), "PNG"), LABEL, plan)
    assert inside.manifest is None and lk.verify(inside.file, trust=anchors).manifest.trusted
    made = pool.embed("1\n00:00:00,000 --> 00:00:04,000\n下雨了。\n".encode(), LABEL, plan, name="../x/天气.srt")
    (tmp_path / "a.srt").write_bytes(made.file)
    (tmp_path / "a.srt.c2pa").write_bytes(made.manifest)
    lk.verify(tmp_path / "a.srt", trust=anchors).require(lk.Layer.PROVENANCE, lk.Layer.EXPLICIT)


def test_what_is_left_out_is_said_and_what_fails_is_an_error(pool):
    flat = saved(np.full((200, 200, 3), 255, np.uint8), "PNG")
    plan = lk.Plan(watermark=lk.Watermark(required=False))
    assert "labelled without a watermark" in str(pool.embed(flat, LABEL, plan).left_out)
    process = pool._idle.queue[0]
    with pytest.raises(HostTooSmall, match="8 x 8 pixels"):
        pool.embed(saved(photo(8, 8), "PNG"), LABEL, PLAN, name="tiny.png")
    assert pool._idle.queue[0] is process, "the file's error costs no process"


def test_films_are_labelled_from_file_to_file(pool, tmp_path):
    path = film(tmp_path / "film.mp4", count=30)
    made = pool.embed(path.read_bytes(), LABEL, lk.Plan(quality=lk.plan.Quality(preset="ultrafast")))
    assert lk.verify(made.file).label == LABEL
    with EmbedPool(1, Limits(seconds=600, written_bytes=1000)) as narrow, pytest.raises(lk.LabelkitError):
        narrow.embed(path.read_bytes(), LABEL, PLAN)


def test_a_labelled_file_over_the_bound_is_not_given_back():
    data = saved(photo(96, 128), "PNG")
    plan = lk.Plan(explicit=None, watermark=None)
    with EmbedPool(1, Limits(seconds=600, made_bytes=len(data))) as narrow:
        with pytest.raises(LimitExceeded, match=r"cat.png: the labelled file has [\d,]+ bytes, at most"):
            narrow.embed(data, LABEL, plan, name="cat.png")
        assert narrow.embed(b"# Rain", LABEL, plan, name="a.md").file


def test_what_a_process_leaves_when_it_is_ended_is_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    leaves = "import os, tempfile; open(tempfile.mkstemp()[1], 'w').write('a picture'); os.abort()"
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", leaves])
    with EmbedPool(1, PATIENT) as pool, pytest.raises(LimitExceeded):
        pool.embed(b"x", LABEL, PLAN)
    assert list(tmp_path.iterdir()) == []


def test_media_over_the_stated_length_are_refused_and_others_are_not(pool):
    plan = lk.Plan(explicit=None, watermark=None)
    with pytest.raises(LimitExceeded, match="long.flac: 61 s of sound or film, at most 60 s"):
        pool.embed(sound(61), LABEL, plan, name="long.flac")
    assert pool.embed(sound(59), LABEL, plan).file
    with Pool(1, Limits(seconds=600, media_seconds=60), layers=[lk.Layer.METADATA]) as verifying:
        with pytest.raises(LimitExceeded, match="61 s"):
            verifying.verify(sound(61))
        assert verifying.verify(sound(59)).source == "bytes"
        assert verifying.verify(sound(59), name="a.flac").source == "a.flac"


def test_a_pool_that_was_closed_can_be_closed_again_and_used(pool):
    pool.close()
    pool.close()
    assert pool.embed(b"# Rain", LABEL, lk.Plan(watermark=None), name="a.md").file


def head(**fields: object) -> bytes:
    text = json.dumps({"file": 2, "manifest": None, "store": False, "fingerprint": None, "left_out": None,
                       **fields}).encode()
    return b"made" + struct.pack("<I", len(text)) + text


@pytest.mark.parametrize("reply", [
    b"", b"made", b"made\xff\xff\xff\xff{}", b"{}", b"[]", head(file=3) + b"ab", head(file=-9) + b"ab",
    head(file="2") + b"ab", head(fingerprint="x") + b"ab", head(fingerprint=1 << 70) + b"ab", head(manifest=1) + b"ab",
    head(manifest=-1) + b"ab", head(manifest=True) + b"abc", head(store=1) + b"ab",
    head(left_out=["{a.__class__}", {"a": 1}]) + b"ab", b"made" + struct.pack("<I", 2) + b"[]ab"])
def test_a_reply_that_makes_no_sense_is_refused(reply):
    assert wire.read_made(head() + b"ab", "x") == (b"ab", None, None, None, None)
    both = wire.read_made(head(manifest=1, store=True) + b"abcd", "x")
    assert (both.manifest, both.store) == (b"c", b"d")
    with pytest.raises(MalformedFile, match="answered with what is no report"):
        wire.read_made(reply, "x")


def test_all_that_is_made_and_errors_cross_the_pipe():
    reason = Message("labelled without a watermark: {reason}", reason=Message("the system refused"))
    for made in (wire.Made(b"file", b"manifest", reason, 1 << 63, b"store"),
                 wire.Made(b"file", None, None, None), wire.Made(b"file", None, None, None, b"store")):
        assert wire.read_made(b"".join(wire.write_made(made)), "x") == made
    with pytest.raises(wire.Reported) as reported:
        wire.read_made(wire.write_error(HostTooSmall("{where}: the file is empty", where="x")), "x")
    assert isinstance(reported.value.error, HostTooSmall)
