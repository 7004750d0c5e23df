# SPDX-License-Identifier: Apache-2.0
"""The example programs that label files as they appear: an S3 event, by moto in the process, and a folder."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

import labelkit as lk
from tests.media import photo, saved

EXAMPLES = Path(lk.__file__).parents[1] / "examples"
PICTURE = saved(photo(256, 320), "JPEG", quality=92)


def event(*names: str, bucket: str = "raw") -> dict:
    """As S3 sends it: names are quoted."""
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": name}}} for name in names]}


@pytest.fixture
def s3(monkeypatch, keys):
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
                        "OUTPUT_BUCKET": "labelled", "PRODUCER": "acme", "SIGNER": str(keys / "signer.pem")}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("s3")
        for bucket in ("raw", "labelled"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="raw", Key="a cat.jpg", Body=PICTURE, ContentType="image/jpeg")
        yield client


def test_an_object_is_labelled_into_the_other_bucket(s3, anchors):
    handler = runpy.run_path(str(EXAMPLES / "s3_event.py"))["handler"]
    made = handler(event("a+cat.jpg"), None)
    found = s3.get_object(Bucket="labelled", Key="a cat.jpg")
    report = lk.verify(found["Body"].read(), trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID} and found["ContentType"] == "image/jpeg"
    again = handler(event("a+cat.jpg"), None)
    assert report[lk.Layer.METADATA].label.produce_id == made["a cat.jpg"] == again["a cat.jpg"]
    assert s3.get_object(Bucket="raw", Key="a cat.jpg")["Body"].read() == PICTURE
    assert lk.verify(PICTURE).verdict is lk.Verdict.NONE


def test_what_cannot_be_labelled_raises_and_nothing_is_written(s3, monkeypatch):
    handler = runpy.run_path(str(EXAMPLES / "s3_event.py"))["handler"]
    s3.put_object(Bucket="raw", Key="broken.jpg", Body=PICTURE[:500])
    for name, bucket in (("broken.jpg", "raw"), ("a+cat.jpg", "labelled")):
        with pytest.raises(lk.LabelkitError):
            handler(event(name, bucket=bucket), None)
    monkeypatch.setenv("MAX_BYTES", "1000")
    with pytest.raises(lk.LabelkitError, match="too large"):
        handler(event("a+cat.jpg"), None)
    assert "Contents" not in s3.list_objects_v2(Bucket="labelled")


def test_a_folder_is_watched(tmp_path, capsys):
    inbox, outbox = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    outbox.mkdir()
    looks = runpy.run_path(str(EXAMPLES / "watch_folder.py"))["looks"](inbox, outbox, "acme")
    (inbox / "a.jpg").write_bytes(PICTURE[:1000])
    assert next(looks) == []  # it may still grow
    (inbox / "a.jpg").write_bytes(PICTURE)
    (inbox / ".hidden.jpg").write_bytes(PICTURE)
    (inbox / "text.bin").write_bytes(b"\0\1")
    assert next(looks) == []
    assert next(looks) == [outbox / "a.jpg"]
    assert lk.verify(outbox / "a.jpg").verdict is lk.Verdict.CONFIRMED
    assert lk.verify(inbox / "a.jpg").verdict is lk.Verdict.NONE and "text.bin" in capsys.readouterr().err
    assert next(looks) == [] and capsys.readouterr().err == ""  # neither is tried again
    again = runpy.run_path(str(EXAMPLES / "watch_folder.py"))["looks"](inbox, outbox, "acme")
    next(again)
    assert next(again) == []
    before = (outbox / "a.jpg").stat().st_mtime_ns
    (inbox / "a.jpg").write_bytes(saved(photo(256, 320, 2), "JPEG", quality=92))
    os.utime(inbox / "a.jpg", ns=(before + 10**9,) * 2)
    next(looks)
    assert next(looks) == [outbox / "a.jpg"]
    assert sorted(path.name for path in outbox.iterdir()) == ["a.jpg"]
