# SPDX-License-Identifier: Apache-2.0
"""The example programs that label files as they appear: an S3 event, by moto in the process, a folder, Kafka, by
faststream's broker for tests, and Triton, by a fake of its documented shapes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import sys
import types
from pathlib import Path

import boto3
import numpy as np
import pytest
from faststream.kafka import KafkaMessage, TestKafkaBroker
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


def test_messages_are_labelled_and_what_cannot_be_goes_elsewhere(monkeypatch):
    monkeypatch.setenv("PRODUCER", "acme")
    example = runpy.run_path(str(EXAMPLES / "kafka_label.py"))
    broker, arrived = example["broker"], {"labelled": [], "unlabelled": []}

    def listen(topic: str) -> None:
        @broker.subscriber(topic, decoder=example["as_it_is"])
        async def keep(file: bytes, message: KafkaMessage) -> None:
            arrived[topic].append((message.raw_message.key, file, message.headers.get("reason")))

    for topic in arrived:
        listen(topic)

    async def run() -> None:
        async with TestKafkaBroker(broker):
            for key, file in ((b"1", PICTURE), (b"1", PICTURE), (b"2", PICTURE), (b"3", PICTURE[:500])):
                await broker.publish(file, "generated", key=key)

    asyncio.run(run())
    ids = [lk.verify(file)[lk.Layer.METADATA].label.produce_id for _, file, _ in arrived["labelled"]]
    assert [key for key, _, _ in arrived["labelled"]] == [b"1", b"1", b"2"]
    assert ids[0] == ids[1] != ids[2]
    assert all(lk.verify(file).verdict is lk.Verdict.CONFIRMED for _, file, _ in arrived["labelled"])
    (key, file, reason), = arrived["unlabelled"]
    assert (key, file) == (b"3", PICTURE[:500]) and "500 bytes" in reason
    assert lk.verify(PICTURE).verdict is lk.Verdict.NONE


@pytest.fixture
def triton(monkeypatch):
    """What the Python backend gives its models, as its documentation has it."""
    class Tensor:
        def __init__(self, name: str, array: np.ndarray) -> None:
            self.name, self._array = name, array

        def as_numpy(self) -> np.ndarray:
            return self._array

    class InferenceResponse:
        def __init__(self, output_tensors: list, error: object = None) -> None:
            self.tensors, self.error = {one.name: one.as_numpy() for one in output_tensors}, error

    module = types.ModuleType("triton_python_backend_utils")
    vars(module).update(Tensor=Tensor, InferenceResponse=InferenceResponse, TritonError=str,
                        get_input_tensor_by_name=lambda request, name: request[name])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    folder = EXAMPLES / "triton" / "label"
    model = runpy.run_path(str(folder / "1" / "model.py"))["TritonPythonModel"]()
    settings = (folder / "config.pbtxt").read_text("utf-8")
    given = dict(re.findall(r'key: "(\w+)" value: { string_value: "(.*?)"', settings))
    model.initialize({"model_config": json.dumps(
        {"parameters": {name: {"string_value": value} for name, value in given.items()}})})
    return model, lambda pictures: {"PICTURES": Tensor("PICTURES", pictures)}


def test_pictures_leave_triton_labelled_or_not_at_all(triton):
    model, request = triton
    pictures = np.stack([photo(256, 320), photo(256, 320, 2)])
    whole, one, none = model.execute([request(pictures), request(pictures[0]), request(np.zeros((2, 8), np.uint8))])
    assert [len(answer.tensors["FILES"]) for answer in (whole, one)] == [2, 1] and whole.error is None is one.error
    for answer in (whole, one):
        for file, number in zip(answer.tensors["FILES"], answer.tensors["IDS"], strict=True):
            report = lk.verify(file)
            assert report.verdict is lk.Verdict.CONFIRMED
            assert report[lk.Layer.METADATA].label.produce_id == number.decode()
    assert none.tensors == {} and none.error


def test_a_wrong_producer_keeps_triton_from_loading_the_model(triton):
    model, _ = triton
    with pytest.raises(lk.LabelkitError):
        model.initialize({"model_config": json.dumps({"parameters": {"producer": {"string_value": ""}}})})
